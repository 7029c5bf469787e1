"""
Another hand at one folder, by path, for the contract suite of providers: /control/hand?do=WHAT&top=FOLDER&path=PATH.
Bytes go in and out as bodies. What lies in the trash is not seen.
"""

from .content import Bytes, Content, Digests
from .seed import Seeder
from .tree import FOLDER, SHORTCUT
from .wire import Response

NOTHING = 404


class Marks(Content):
    """Zeros with some bytes among them; its digests are made up."""

    def __init__(self, size, marks):
        self.size, self.marks = size, marks

    def pieces(self, start=0, end=None):
        end = self.size if end is None else end
        while start < end:
            piece = bytearray(min(1 << 20, end - start))
            for offset, data in self.marks:
                for i, byte in enumerate(data):
                    if start <= offset + i < start + len(piece):
                        piece[offset + i - start] = byte
            start += len(piece)
            yield bytes(piece)

    @property
    def digests(self):
        return Digests.made_up((self.size, self.marks))


class Hand:
    def __init__(self, service, top):
        self.service, self.world, self.seeder = service, service.world, Seeder(service)
        self.top = self.walk(self.seeder.place(top)[0], self.seeder.place(top)[1])

    def children(self, folder, name=None):
        """Those that are not in the trash, oldest first."""
        found = [self.world.entries[each] for each in self.world.children.get(folder.id, ())]
        return [each for each in found if each.trashed_at is None and name in (None, each.name)]

    def walk(self, entry, names):
        for name in names:
            entry = next(iter(self.children(entry, name)), None)
            if entry is None:
                break
        return entry

    def find(self, path):
        return self.walk(self.top, path.split('/')) if self.top else None

    def folder(self, path):
        entry = self.top
        for name in filter(None, path.split('/')):
            entry = self.walk(entry, [name]) or self.seeder.add(entry, name, FOLDER)
        return entry

    def put(self, path, content):
        above, _, name = path.rpartition('/')
        folder = self.folder(above)
        old = self.walk(folder, [name])
        if old:
            self.seeder.replace(old, content)
        else:
            self.seeder.add(folder, name, content=content)

    def of_path(self, path):
        """All that ever had that path, in the trash too."""
        above, _, name = path.rpartition('/')
        folder = self.walk(self.top, [each for each in above.split('/') if each])
        found = [self.world.entries[each] for each in self.world.children.get(folder.id, ())] if folder else []
        return [each for each in found if each.name == name and each.content is not None]

    def count(self, folder):
        return sum(1 + self.count(each) for each in self.children(folder))


def found(is_found):
    return Response.text(200, '1' if is_found else '0')


def do_put(hand, path, body, query):
    hand.put(path, Bytes(body))


def do_put_marks(hand, path, body, query):
    marks = [line.partition(b' ') for line in body.split(b'\n') if line]
    hand.put(path, Marks(int(query['size']), [(int(offset), data) for offset, _, data in marks]))


def do_put_folder(hand, path, body, query):
    hand.folder(path)


def do_edit(hand, path, body, query):
    data = hand.find(path).content.read(0, hand.find(path).content.size)
    hand.put(path, Bytes(bytes([data[0] ^ 0xff]) + data[1:]))


def do_cut(hand, path, body, query):
    hand.put(path, Bytes(hand.find(path).content.read(0, int(query['size']))))


def do_remove(hand, path, body, query):
    hand.world.remove(hand.find(path))


def do_swap(hand, path, body, query):
    old = hand.find(path)
    parent, content = hand.world.entries[old.parent], old.content
    hand.world.remove(old)
    hand.seeder.add(parent, old.name, content=content)


def do_read(hand, path, body, query):
    entry = hand.find(path)
    if entry is None or entry.content is None:
        return Response.text(NOTHING, 'nothing')
    return Response(200, [], entry.content.read(0, entry.content.size))


def do_count(hand, path, body, query):
    return Response.text(200, str(hand.count(hand.top) if hand.top else 0))


def do_count_requests(hand, path, body, query):
    return Response.text(200, str(sum(kind['requests'] for kind in hand.service.journal.report().values())))


def do_has_old(hand, path, body, query):
    return found(any(revision.content.size == len(body) and revision.content.read(0, len(body)) == body
                     for entry in hand.of_path(path) for revision in entry.revisions))


def do_has_trashed(hand, path, body, query):
    return found(any(entry.trashed_at is not None and entry.content.size == len(body)
                     and entry.content.read(0, len(body)) == body for entry in hand.of_path(path)))


def beside(hand, path):
    """The folder in which a path lies, and its name there."""
    above, _, name = path.rpartition('/')
    return hand.folder(above), name


def do_put_twin(hand, path, body, query):
    """Younger than the first, whatever the clock shows."""
    folder, name = beside(hand, path)
    hand.seeder.add(folder, name, content=Bytes(body)).created += 1000


def do_put_twin_folder(hand, path, body, query):
    folder, name = beside(hand, path)
    twin = hand.seeder.add(folder, name, FOLDER)
    twin.created += 1000
    hand.seeder.add(twin, query['name'], content=Bytes(body))


def do_throw_away(hand, path, body, query):
    entry = hand.find(path)
    hand.world.remember(entry)
    entry.trashed_at, entry.trashed_by = hand.world.now(), 'ann@studio.test'
    hand.world.note(entry)


def do_rename(hand, path, body, query):
    entry = hand.find(path)
    hand.world.remember(entry)
    entry.name, entry.version = query['name'], entry.version + 1
    hand.world.note(entry)


def do_put_oddities(hand, path, body, query):
    folder = hand.folder(path)
    hand.seeder.add(folder, 'a document', 'application/vnd.google-apps.document')
    hand.seeder.add(folder, 'a shortcut', SHORTCUT).target = folder.id
    hand.seeder.add(folder, 'a/name with a slash', content=Bytes(b'x'))


def do_count_parts(hand, path, body, query):
    sessions = hand.service.uploads.sessions.values()
    return Response.text(200, str(sum(1 for each in sessions if each.entry_id is None and not each.lost)))


def do_set_away(hand, path, body, query):
    """Into the trash with the folder, and back."""
    folder, names = hand.seeder.place(query['top'])
    if query['on'] == '1':
        hand.top.trashed_at, hand.top.trashed_by = hand.world.now(), hand.top.by
        if 'swap' in query:
            hand.seeder.add(folder, names[-1], FOLDER)
        return
    if hand.top:
        hand.world.remove(hand.top)
    for each in hand.world.children[folder.id]:
        entry = hand.world.entries[each]
        if entry.name == names[-1]:
            entry.trashed_at = entry.trashed_by = None
            return


def answer(front, request, body):
    query = request.query
    with front.service.world.lock:
        hand = Hand(front.service, query['top'])
        return HANDLERS[query['do']](hand, query.get('path', ''), body, query) or Response.text(200, 'done')


HANDLERS = {name.removeprefix('do_'): value for name, value in list(globals().items()) if name.startswith('do_')}
