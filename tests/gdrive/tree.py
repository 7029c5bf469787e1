"""
What Drive holds: users, shared drives and entries (files, folders, shortcuts), with who may do what. Pure state; the
rules of single methods are in files.py. Every caller holds World.lock.
"""

import copy
import random
import threading
import time
from dataclasses import dataclass, field

from . import refusal

FOLDER = 'application/vnd.google-apps.folder'
SHORTCUT = 'application/vnd.google-apps.shortcut'
GOOGLE = 'application/vnd.google-apps.'
ROLES = ('reader', 'commenter', 'writer', 'fileOrganizer', 'organizer', 'owner')
ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
# What lists that lag show of the past, and how many states back.
PAST = ('name', 'mime', 'parent', 'trashed_at', 'trashed_by', 'content', 'revisions', 'modified', 'version', 'by')
STATES = 8


@dataclass
class User:
    email: str
    root: str = ''
    is_service: bool = False
    limit: int | None = 15 << 30  # bytes of storage; None: no limit
    used: int = 0
    project: str = 'stand-in'
    number: str = ''              # permissionId

    @property
    def display_name(self):
        return self.email.partition('@')[0]


@dataclass
class Drive:
    id: str
    name: str
    created: int
    members: dict = field(default_factory=dict)  # email -> role
    hidden: bool = False


@dataclass(slots=True)
class Revision:
    id: str
    content: object
    modified: int
    by: str
    keep: bool = False
    mime: str = ''
    filename: str = ''
    stored: int = 0       # milliseconds, by the service's clock


@dataclass(slots=True)
class Entry:
    id: str
    name: str
    mime: str
    parent: str | None
    drive: str | None
    owner: str | None     # email; None on shared drives
    created: int          # milliseconds
    modified: int
    by: str               # email of who changed it last
    version: int = 1
    content: object = None
    revisions: list = field(default_factory=list)
    trashed_at: int | None = None  # of itself, not with a folder above
    trashed_by: str | None = None
    properties: dict = field(default_factory=dict)
    app_properties: dict = field(default_factory=dict)  # project -> dict
    description: str | None = None
    starred_by: set = field(default_factory=set)
    target: str | None = None      # of a shortcut
    permissions: dict = field(default_factory=dict)     # email -> role, own ones only
    shared_at: dict = field(default_factory=dict)       # email -> milliseconds
    flags: set = field(default_factory=set)             # abusive, no-download, download-quota, no-sha
    past: list = field(default_factory=list)            # (until, {field: value}): what lists may still show
    created_here: int = 0          # by the service's clock, whatever `created` says

    @property
    def is_folder(self):
        return self.mime == FOLDER

    @property
    def head(self):
        return self.revisions[-1].id if self.revisions else None


class World:
    """All accounts and all that they see."""

    def __init__(self, seed=None):
        self.lock = threading.RLock()
        self.random = random.Random(seed)
        self.clear()

    STATE = ('skew', 'users', 'drives', 'entries', 'children', 'issued', 'gone', 'changes', 'lost_sight', 'sequence')

    def clear(self):
        self.skew = 0.0         # seconds that this clock is ahead of the machine's
        self.users = {}         # email -> User
        self.drives = {}        # id -> Drive
        self.entries = {}       # id -> Entry
        self.children = {}      # folder id -> dict of child ids, in the order they came
        self.issued = set()     # ids by generateIds, not used yet
        self.gone = set()       # ids that were used and deleted
        self.changes = {}       # (file id, drive id) -> (sequence, milliseconds, who saw it or None), oldest first
        self.lost_sight = {}    # email -> ids of files that are not shared with that user any more
        self.sequence = 100

    def copy_state(self):
        """Everything but contents, which never change."""
        return {name: copy.deepcopy(getattr(self, name)) for name in self.STATE}

    def restore_state(self, state):
        for name, value in copy.deepcopy(state).items():
            setattr(self, name, value)

    # Time and ids

    def now(self):
        return int((time.time() + self.skew) * 1000)

    def _word(self, n):
        return ''.join(self.random.choices(ALPHABET, k=n))

    def new_id(self):
        return '1' + self._word(32)

    def new_root_id(self):
        return '0A' + self._word(14) + 'PVA'

    # Accounts

    def add_user(self, email, is_service=False, limit=15 << 30, project='stand-in'):
        user = User(email, self.new_root_id(), is_service, 0 if is_service else limit, project=project,
                    number=str(self.random.randrange(10 ** 20)))
        self.users[email] = user
        now = self.now()
        self.put(Entry(user.root, 'My Drive', FOLDER, None, None, email, now, now, email,
                       permissions={email: 'owner'}))
        return user

    def add_drive(self, name, members):
        now = self.now()
        drive = Drive(self.new_root_id(), name, now, dict(members))
        self.drives[drive.id] = drive
        self.put(Entry(drive.id, 'Drive', FOLDER, None, drive.id, None, now, now, next(iter(members), '')))
        return drive

    # Entries

    def put(self, entry):
        entry.created_here = self.now()
        self.entries[entry.id] = entry
        if entry.parent is not None:
            self.children.setdefault(entry.parent, {})[entry.id] = None
        self.issued.discard(entry.id)

    def remember(self, entry):
        """Before each change: what the entry was until now."""
        state = {name: getattr(entry, name) for name in PAST}
        entry.past = [*entry.past[1 - STATES:], (self.now(), {**state, 'revisions': list(entry.revisions)})]

    def move(self, entry, parent):
        whole = list(self.subtree(entry)) if entry.drive != parent.drive else []
        for each in whole:
            self.note(each, removed=True)
        self.children[entry.parent].pop(entry.id)
        entry.parent = parent.id
        self.children.setdefault(parent.id, {})[entry.id] = None
        for each in whole:
            self.count_storage(each, -1)
            each.drive, each.owner = parent.drive, None if parent.drive else parent.owner
            each.permissions = {} if parent.drive else {parent.owner: 'owner'}
            self.count_storage(each, 1)
            self.note(each)

    def remove(self, entry):
        """The entry and all below it, for good."""
        whole = list(self.subtree(entry))
        for each in whole:
            self.note(each, removed=True)
        for each in whole:
            del self.entries[each.id]
            self.children.pop(each.id, None)
            self.gone.add(each.id)
            self.count_storage(each, -1)
        self.children[entry.parent].pop(entry.id)

    def count_storage(self, entry, sign):
        if entry.owner:
            self.users[entry.owner].used += sign * sum(revision.content.size for revision in entry.revisions)

    def subtree(self, entry):
        pending = [entry]
        while pending:
            each = pending.pop()
            yield each
            pending += [self.entries[child] for child in self.children.get(each.id, ())]

    def above(self, entry):
        """The folders over an entry, nearest first."""
        while entry.parent is not None:
            entry = self.entries[entry.parent]
            yield entry

    def is_trashed(self, entry):
        return entry.trashed_at is not None or any(each.trashed_at is not None for each in self.above(entry))

    def depth(self, entry):
        return sum(1 for _ in self.above(entry))

    def count_in_drive(self, drive_id):
        return sum(1 for entry in self.entries.values() if entry.drive == drive_id) - 1

    # Rights

    def role(self, user, entry):
        """The strongest role that USER has on ENTRY, None for none."""
        best = -1
        if entry.drive:
            role = self.drives[entry.drive].members.get(user.email)
            best = ROLES.index(role) if role else -1
        elif entry.owner == user.email:
            return 'owner'
        while True:
            role = entry.permissions.get(user.email) or entry.permissions.get('anyone')
            if role:
                best = max(best, ROLES.index(role))
            if entry.parent is None:
                break
            entry = self.entries[entry.parent]
        return ROLES[best] if best >= 0 else None

    def readers(self, entry):
        """Emails of everybody who sees ENTRY."""
        return frozenset(email for email, user in self.users.items() if self.role(user, entry))

    def find(self, user, file_id):
        """The entry with that id if USER sees it, else 404; 'root' is the user's own."""
        entry = self.entries.get(user.root if file_id == 'root' else file_id)
        if entry is None or not self.role(user, entry):
            raise refusal.not_found(file_id)
        return entry

    # Changes

    def note(self, entry, removed=False):
        """Puts ENTRY at the end of its drive's feed, where a file has one place. REMOVED: it is about to be gone from
        there."""
        self.sequence += 1
        key = entry.id, entry.drive
        self.changes.pop(key, None)
        self.changes[key] = (self.sequence, self.now(), self.readers(entry) if removed else None)

    def unshare(self, entry, email):
        """Takes a role away; who loses sight of files by that sees them as removed."""
        members = self.drives[entry.id].members if entry.id in self.drives else entry.permissions
        members.pop(email, None)
        entry.shared_at.pop(email, None)
        user = self.users.get(email)
        for each in self.subtree(entry):
            if user and not self.role(user, each):
                self.lost_sight.setdefault(email, set()).add(each.id)
                self.note(each)

    def touch(self, entry, user, is_content=False):
        """What every change of an entry brings with it."""
        now = self.now()
        entry.version += 1 + is_content
        entry.by = user.email
        self.note(entry)
        return now
