"""
The parts of one service together, and one call of it: who calls, with which parameters, on what.
"""

from . import refusal
from .faults import Faults
from .journal import Journal
from .quota import Meter
from .settings import Settings
from .tokens import Tokens
from .tree import World
from .uploads import Uploads


class Service:
    def __init__(self, seed=None):
        self.settings = Settings()
        self.world = World(seed)
        self.faults = Faults(seed)
        self.journal = Journal()
        self.saved = {}
        self.reset_parts()

    def reset_parts(self):
        self.meter = Meter(self.world, lambda: self.settings)
        self.tokens = Tokens(self.world, lambda: self.settings)
        self.uploads = Uploads(self.world, lambda: self.settings)
        self.cursors = {}  # page token -> (what it belongs to, ids, place, until when)

    def reset(self):
        """Everything as at the start, without accounts; settings and faults too."""
        self.settings = Settings()
        self.faults.clear()
        self.journal.clear()
        with self.world.lock:
            self.world.clear()
        self.reset_parts()

    def save(self, name=''):
        """Keeps the accounts, drives and trees as they are, for restore()."""
        with self.world.lock:
            self.saved[name] = self.world.copy_state()

    def restore(self, name=''):
        with self.world.lock:
            self.world.restore_state(self.saved[name])


class Call:
    """One request to the API after routing. PARAMS are the query's, ARGS the path's."""

    def __init__(self, service, request, params, args):
        self.service, self.request, self.params, self.args = service, request, params, args
        self.world, self.settings, self.meter = service.world, service.settings, service.meter
        self.user = None
        self.faults = request.fault

    def flag(self, name, default=False):
        value = self.params.get(name)
        if value is None:
            return default
        if value.lower() not in ('true', 'false', '1', '0'):
            raise refusal.invalid_parameter(name, f"Invalid boolean value: '{value}'. Allowed values: [true, false]")
        return value.lower() in ('true', '1')

    def number(self, name, default, low, high, is_strict=False):
        """What is above HIGH is cut, unless the method is strict."""
        value = self.params.get(name)
        if value is None:
            return default
        if not value.lstrip('-').isdigit():
            raise refusal.invalid_parameter(name, f"Invalid unsigned integer value: '{value}'.")
        if int(value) < low or (is_strict and int(value) > high):
            raise refusal.Refusal(400, 'invalidParameter', f"Invalid value '{value}'. Values must be within the range: "
                                                           f'[{low}, {high}]', name)
        return min(int(value), high)

    @property
    def knows_drives(self):
        return self.flag('supportsAllDrives') or self.flag('supportsTeamDrives')

    def entry(self, file_id=None, any_drive=False):
        """The entry that the path (or FILE_ID) names, as this caller may see it."""
        file_id = file_id or self.args['id']
        entry = self.world.find(self.user, file_id)
        if entry.drive and not any_drive and not self.knows_drives:
            raise refusal.not_found(file_id)
        return entry
