"""
Entries as one user's lists see them: which are visible at all, how q compares them, how orderBy sorts them, and the
index that lags behind the truth where a test wants that.
"""

import copy
import re

from . import refusal
from .query import COMPARE, has_prefix_word
from .tree import ROLES

ORDER = ('createdTime', 'folder', 'modifiedByMeTime', 'modifiedTime', 'name', 'name_natural', 'quotaBytesUsed',
         'recency', 'sharedWithMeTime', 'starred', 'viewedByMeTime')
SORT_KEYS = {
    'createdTime': lambda e, u: e.created,
    'folder': lambda e, u: not e.is_folder,
    'name': lambda e, u: e.name.casefold(),
    'name_natural': lambda e, u: [(not part.isdigit(), int(part) if part.isdigit() else 0, part)
                                  for part in re.findall(r'\d+|\D+', e.name.casefold())],
    'quotaBytesUsed': lambda e, u: e.content.size if e.content else 0,
    'sharedWithMeTime': lambda e, u: e.shared_at.get(u.email, 0),
    'starred': lambda e, u: u.email not in e.starred_by,
}


class View:
    """One user's, at one moment. LAG: dict with seconds for 'name' and 'list'."""

    def __init__(self, world, user, lag):
        self.world, self.user, self.now = world, user, world.now()
        self.name_lag, self.list_lag = lag.get('name', 0) * 1000, lag.get('list', 0) * 1000

    def listed(self, entry):
        """The entry as lists know it: itself, an older state of it, or None while they do not know it."""
        if not self.list_lag:
            return entry
        known_at = self.now - self.list_lag
        if entry.created_here > known_at:
            return None
        for until, state in entry.past:
            if known_at < until:
                older = copy.copy(entry)
                for name, value in state.items():
                    setattr(older, name, value)
                return older
        return entry

    def indexed_name(self, entry):
        """The name by which queries find the entry; None while the index has none."""
        if not self.name_lag:
            return entry.name
        known_at = self.now - self.name_lag
        if entry.created_here > known_at:
            return None
        return next((state['name'] for until, state in entry.past if known_at < until), entry.name)

    def compare(self, entry, field, op, value):
        return getattr(self, '_' + field.partition('.')[0])(entry, op, value)

    def _name(self, entry, op, value):
        name = self.indexed_name(entry)
        if name is None:
            return False
        if op == 'contains':
            return has_prefix_word(name, value)
        return (name.casefold() == value.casefold()) == (op == '=')

    def _fullText(self, entry, op, value):
        return self._name(entry, op, value)

    def _mimeType(self, entry, op, value):
        return value in entry.mime if op == 'contains' else COMPARE[op](entry.mime, value)

    def _modifiedTime(self, entry, op, value):
        return COMPARE[op](entry.modified, value)

    def _createdTime(self, entry, op, value):
        return COMPARE[op](entry.created, value)

    def _viewedByMeTime(self, entry, op, value):
        return False

    def _sharedWithMeTime(self, entry, op, value):
        at = entry.shared_at.get(self.user.email)
        return at is not None and COMPARE[op](at, value)

    def _trashed(self, entry, op, value):
        return COMPARE[op](self.world.is_trashed(entry), value)

    def _starred(self, entry, op, value):
        return COMPARE[op](self.user.email in entry.starred_by, value)

    def _sharedWithMe(self, entry, op, value):
        return COMPARE[op](self.user.email in entry.shared_at, value)

    def _visibility(self, entry, op, value):
        return COMPARE[op]('anyoneWithLink' if 'anyone' in entry.permissions else 'limited', value)

    def _shortcutDetails(self, entry, op, value):
        return COMPARE[op](entry.target, value)

    def _parents(self, entry, op, value):
        return entry.parent is not None and entry.parent == (self.user.root if value == 'root' else value)

    def _with_role(self, entry, email, least):
        user = self.world.users.get(self.user.email if email == 'me' else email)
        role = self.world.role(user, entry) if user else None
        return role is not None and ROLES.index(role) >= ROLES.index(least)

    def _owners(self, entry, op, value):
        return entry.owner == (self.user.email if value == 'me' else value)

    def _writers(self, entry, op, value):
        return self._with_role(entry, value, 'writer')

    def _readers(self, entry, op, value):
        return self._with_role(entry, value, 'reader')

    def _properties(self, entry, op, value):
        return entry.properties.get(value[0]) == value[1]

    def _appProperties(self, entry, op, value):
        return entry.app_properties.get(self.user.project, {}).get(value[0]) == value[1]


def order(entries, text, user):
    """ENTRIES sorted as `orderBy` says; without one, the latest change first as the service tends to."""
    keys = []
    for part in text.split(',') if text else ('modifiedTime desc',):
        words = part.split()
        if not words or words[0] not in ORDER or words[1:] not in ([], ['desc']):
            raise refusal.invalid_parameter('orderBy', f'Invalid sort order: {part}')
        keys.append((SORT_KEYS.get(words[0], lambda e, u: e.modified), len(words) == 2))
    for key, is_reversed in reversed(keys):
        entries.sort(key=lambda entry, key=key: key(entry, user), reverse=is_reversed)
    return entries
