"""
Meters of what each identity uses: quota units a minute, writes a second, bytes a day. They always count; they refuse
only where Settings has a limit.
"""

import threading
from collections import defaultdict

from . import refusal

UNITS = {'list': 100, 'get': 5, 'media': 200, 'edit': 50, 'other': 5, 'none': 0}


class Meter:
    def __init__(self, world, settings):
        self.world, self.settings = world, settings
        self.lock = threading.Lock()
        self.total = defaultdict(int)         # email -> units ever
        self.minutes = {}                     # (whom, minute) -> units
        self.days = defaultdict(int)          # (email, day) -> bytes
        self.buckets = {}                     # email -> (writes left, at)
        self.refused = defaultdict(int)       # limit -> how often

    def spend(self, user, kind):
        """Counts one request; refuses it where the minute or the second is used up."""
        units, settings, now = UNITS[kind], self.settings(), self.world.now() / 1000
        minute = int(now // 60)
        with self.lock:
            self.total[user.email] += units
            for whom, limit in ((user.email, settings.units_per_minute_user),
                                (f'project {user.project}', settings.units_per_minute_project)):
                used = self.minutes.get((whom, minute), 0) + units
                if limit is not None and used > limit:
                    self._refuse('units', settings)
                self.minutes[(whom, minute)] = used
            if len(self.minutes) > 1000:
                self.minutes = {key: used for key, used in self.minutes.items() if key[1] >= minute - 1}
            if kind == 'edit' and settings.writes_per_second is not None:
                self._take_write(user, now, settings)

    def _take_write(self, user, now, settings):
        left, at = self.buckets.get(user.email, (settings.writes_burst, now))
        left = min(settings.writes_burst, left + (now - at) * settings.writes_per_second)
        if left < 1:
            self.buckets[user.email] = (left, now)
            self._refuse('writes', settings)
        self.buckets[user.email] = (left - 1, now)

    def _refuse(self, limit, settings):
        self.refused[limit] += 1
        reason = settings.throttle_reason if limit == 'units' else 'userRateLimitExceeded'
        message = 'User Rate Limit Exceeded' if limit == 'writes' else None
        raise refusal.Refusal(settings.throttle_status, reason, message, retry_after=settings.retry_after)

    def _day(self, user):
        return user.email, int(self.world.now() // 86_400_000)

    def check_day(self, user):
        """Refuses an upload or copy that begins beyond the line; the one that crosses it still completes."""
        settings = self.settings()
        with self.lock:
            if settings.bytes_per_day is not None and self.days[self._day(user)] >= settings.bytes_per_day:
                self.refused['day'] += 1
                raise refusal.Refusal(403, 'userRateLimitExceeded', settings.bytes_per_day_message)

    def count_day(self, user, size):
        with self.lock:
            self.days[self._day(user)] += size

    def report(self):
        with self.lock:
            days = {f'{email} {day}': size for (email, day), size in self.days.items()}
            return {'units': dict(self.total), 'bytes_per_day': days, 'refused': dict(self.refused)}
