"""
Meters of what each identity uses: quota units a minute, writes a second, bytes in 24 hours. They always count; they
refuse only where Settings has a limit.
"""

import threading
from collections import defaultdict, deque

from . import refusal

UNITS = {'list': 100, 'get': 5, 'media': 200, 'edit': 50, 'other': 5, 'none': 0}
DAY = 86_400


class Window:
    """How much there was in the last so many seconds."""

    def __init__(self, seconds):
        self.seconds, self.parts, self.sum = seconds, deque(), 0

    def total(self, now):
        while self.parts and self.parts[0][0] <= now - self.seconds:
            self.sum -= self.parts.popleft()[1]
        return self.sum

    def add(self, now, amount):
        self.parts.append((now, amount))
        self.sum += amount


class Meter:
    """SETTINGS is a function, since they are replaced as a whole."""

    def __init__(self, world, settings):
        self.world, self.settings = world, settings
        self.lock = threading.Lock()
        self.total = defaultdict(int)                    # email -> units ever
        self.minutes = defaultdict(lambda: Window(60))   # email or project -> units
        self.days = defaultdict(lambda: Window(DAY))     # email -> bytes
        self.buckets = {}                                # email -> (writes left, at)
        self.refused = defaultdict(int)                  # limit -> how often

    def spend(self, user, kind):
        """Counts one request; refuses it where the minute or the second is used up."""
        units, settings, now = UNITS[kind], self.settings(), self.world.now() / 1000
        with self.lock:
            self.total[user.email] += units
            for whom, limit in ((user.email, settings.units_per_minute_user),
                                (f'project {user.project}', settings.units_per_minute_project)):
                window = self.minutes[whom]
                used = window.total(now) + units
                if limit is not None and used > limit:
                    self._refuse('units', settings)
                window.add(now, units)
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

    def check_day(self, user):
        """Refuses an upload or copy that begins beyond the line; the one that crosses it still completes."""
        settings = self.settings()
        with self.lock:
            used = self.days[user.email].total(self.world.now() / 1000)
            if settings.bytes_per_day is not None and used >= settings.bytes_per_day:
                self.refused['day'] += 1
                raise refusal.Refusal(403, 'userRateLimitExceeded', settings.bytes_per_day_message)

    def count_day(self, user, size):
        with self.lock:
            self.days[user.email].add(self.world.now() / 1000, size)

    def report(self):
        with self.lock:
            now = self.world.now() / 1000
            return {'units': dict(self.total), 'refused': dict(self.refused),
                    'bytes_per_day': {email: window.total(now) for email, window in self.days.items()}}
