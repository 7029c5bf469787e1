"""
Trees laid without requests: accounts, drives, folders, files by path, and many at once. Paths begin with a shared
drive's name, or with `EMAIL:` for that account's My Drive: `Show/seq/a.exr`, `ann@studio.test:Projects/a.exr`.
"""

from .content import Bytes, Digests, Pattern
from .query import parse_time
from .tree import FOLDER, GOOGLE, SHORTCUT, Entry, Revision


class Seeder:
    def __init__(self, service):
        self.service, self.world = service, service.world

    def place(self, path):
        """The root that a path begins at, and the names below it."""
        head, colon, rest = path.partition(':')
        if colon and head in self.world.users:
            return self.world.entries[self.world.users[head].root], [name for name in rest.split('/') if name]
        name, _, rest = path.partition('/')
        drive = next((each for each in self.world.drives.values() if each.name == name), None)
        if drive is None:
            raise KeyError(f'neither a shared drive nor an account: {path}')
        return self.world.entries[drive.id], [part for part in rest.split('/') if part]

    def child(self, folder, name):
        """The oldest child of that name."""
        return next((self.world.entries[each] for each in self.world.children.get(folder.id, ())
                     if self.world.entries[each].name == name), None)

    def find(self, path):
        """The entry at a path, None where there is none."""
        with self.world.lock:
            entry, names = self.place(path)
            for name in names:
                entry = self.child(entry, name) if entry else None
            return entry

    def folder(self, path):
        """The folder at a path, made where it is missing with those above."""
        with self.world.lock:
            entry, names = self.place(path)
            for name in names:
                entry = self.child(entry, name) or self.add(entry, name, FOLDER)
            return entry

    def add(self, parent, name, mime='application/octet-stream', content=None, modified=None):
        """An entry below PARENT, whatever has the name already. Lists show it at once."""
        world, now = self.world, self.world.now()
        at = modified if modified is not None else now
        by = parent.owner or next(iter(world.drives[parent.drive].members), '') if parent.drive or parent.owner else ''
        entry = Entry(world.new_id(), name, mime, parent.id, parent.drive, parent.owner, now, at, by,
                      content=content)
        if parent.owner:
            entry.permissions[parent.owner] = 'owner'
        if content is not None:
            entry.revisions.append(Revision(world.new_id() + 'Mzk', content, at, by, False, mime, name, now))
            if parent.owner:
                world.users[parent.owner].used += content.size
        world.put(entry)
        entry.created_here = 0
        world.note(entry)
        return entry

    def file(self, path, data=None, size=None, seed=1, is_new=True, **more):
        """A file with DATA, or with SIZE synthetic bytes of that seed. MORE: mime (Google's own have no content),
        modified (RFC 3339), flags, digests (md5, sha1, sha256), target (path: this is a shortcut to it)."""
        with self.world.lock:
            above, _, name = path.rpartition('/')
            if '/' not in path:
                above, _, name = path.rpartition(':')
                above += ':'
            parent = self.folder(above)
            mime = SHORTCUT if 'target' in more else more.get('mime', 'application/octet-stream')
            content = None if mime.startswith(GOOGLE) else self.content(data, size or 0, seed, more.get('digests'))
            modified = parse_time(more['modified']) if more.get('modified') else None
            old = None if is_new else self.child(parent, name)
            if old:
                return self.replace(old, content)
            entry = self.add(parent, name, mime, content, modified)
            entry.target = self.find(more['target']).id if 'target' in more else None
            entry.flags |= set(more.get('flags', ()))
            return entry

    @staticmethod
    def content(data, size, seed, digests):
        if data is not None:
            return Bytes(data if isinstance(data, bytes) else data.encode())
        return Pattern(size, seed, Digests(**digests) if digests else None)

    def replace(self, entry, content, by=None):
        """New content for a file, as somebody else would upload it."""
        now = self.world.now()
        self.world.remember(entry)
        entry.content, entry.modified, entry.by = content, now, by or entry.by
        entry.version += 2
        entry.revisions.append(Revision(self.world.new_id() + 'Mzk', content, now, entry.by, False, entry.mime,
                                        entry.name, now))
        self.world.note(entry)
        return entry

    def many(self, path, folders=0, files=0, size=100, prefix='file'):
        """FOLDERS below path with FILES each, or FILES right in it where FOLDERS is 0; all of one content. How many
        entries."""
        with self.world.lock:
            top, content = self.folder(path), Pattern(size, 1)
            parents = [self.add(top, f'folder.{i:05}', FOLDER) for i in range(folders)] or [top]
            for parent in parents:
                for i in range(files):
                    self.add(parent, f'{prefix}.{i:05}', content=content)
            return folders + files * len(parents)

    def share(self, path, email, role):
        with self.world.lock:
            entry = self.find(path)
            if entry.id in self.world.drives:
                self.world.drives[entry.id].members[email] = role
            else:
                entry.permissions[email] = role
                entry.shared_at[email] = self.world.now()
            self.world.note(entry)
            return entry

    def listing(self, path):
        """What is below a path: relative path -> list of dicts, one per entry of that path (twins are two)."""
        with self.world.lock:
            top, found = self.find(path), {}
            pending = [(top, '')] if top else []
            while pending:
                folder, prefix = pending.pop()
                for each in self.world.children.get(folder.id, ()):
                    entry = self.world.entries[each]
                    shown = {'id': entry.id, 'folder': entry.is_folder, 'trashed': self.world.is_trashed(entry),
                             'mime': entry.mime, 'version': entry.version, 'modified': entry.modified, 'by': entry.by}
                    if entry.content is not None:
                        shown.update(size=entry.content.size, md5=entry.content.digests.md5,
                                     sha256=entry.content.digests.sha256, revisions=len(entry.revisions))
                    found.setdefault(prefix + entry.name, []).append(shown)
                    if entry.is_folder:
                        pending.append((entry, f'{prefix}{entry.name}/'))
            return found
