"""Beside the sync server that comes with Pype and OpenPype, on the same documents and files: each file ends recorded
right, whoever moves it, nothing else changes, and nobody works against the other."""

import json

import pytest

from harness import REMOTE, TIMING, make_document, random_bytes, recorded, stays, wait_until, write_file
from stock import StockServer, gui_status
from test_mongodb import without

pytestmark = pytest.mark.mongodb('replica_set')
ARTIST = 'artist_1'
# Of other sites and of people: nobody's business here.
OTHERS = {'vendor': {**recorded(), 'id': 'of the vendor'}, 'dropbox_backup': {'progress': 100}}
# Silent for so long, it is taken for dead.
PATIENT = {'timing': {**TIMING, 'takeover': '2s'}}


def serve(world, studio, my_id='studio', root=None, **kwargs):
    """The stock server for a site whose root is ROOT; the studio's without."""
    return StockServer(world, my_id, my_id, REMOTE, {my_id: root or studio.root, REMOTE: world.remote_root()}, **kwargs)


def docs_of(world):
    return [doc for doc in world.hand.docs() if doc['type'] == 'representation']


def is_done(world, *sites):
    return all(gui_status(doc, site) == 'ok' for doc in docs_of(world) for site in sites)


def settles(world, studio, stock):
    """Whoever was slower has ended as well, nobody finds anything to do, and the documents stand still."""
    idle = stock.n_idle
    # The round that goes on now may have looked before.
    wait_until(lambda: not stock.thread.is_alive() or stock.n_idle > idle + 1, 'the stock server has ended')
    wait_until(lambda: studio.status()['outbox'] == 0, 'sitefs has told all')
    docs = json.dumps(world.hand.docs())
    stays(lambda: json.dumps(world.hand.docs()) == docs, 'the documents stand still', 1)
    assert not any(stock.judge(file) for doc in stock.find() for file in doc['files'])
    for doc in docs_of(world):
        for file in doc['files']:
            names = [entry['name'] for entry in file['sites']]
            assert len(names) == len(set(names)), names
            assert not any(key in entry for entry in file['sites'] for key in ('tries', 'error', 'last_failed_dt'))
            assert not any('progress' in entry for entry in file['sites'] if entry['name'] not in OTHERS)


def test_each_serves_a_site(world, studio):
    """What one sends the other fetches, in both directions."""
    artist = world.dir / ARTIST
    here = {f'here/f.{number:03d}': random_bytes(number, 20_000) for number in range(15)}
    there = {f'there/f.{number:03d}': random_bytes(-number, 20_000) for number in range(15)}
    for root, files in ((studio.root, here), (artist, there)):
        for rel, data in files.items():
            write_file(root / rel, data)
    world.import_docs(
        *(make_document(rel, {'studio': recorded(), **OTHERS, REMOTE: {'priority': 90}, ARTIST: {'priority': 90}})
          for rel in here),
        *(make_document(rel, {ARTIST: recorded(), REMOTE: {'priority': 7}, **OTHERS, 'studio': {'priority': 7}})
          for rel in there))
    before = world.hand.dump()
    daemon = studio.sync()
    with serve(world, studio, ARTIST, artist) as stock:
        wait_until(lambda: is_done(world, 'studio', REMOTE, ARTIST), 'all is everywhere, as its window shows it')
        settles(world, studio, stock)
    assert daemon.is_running
    after = world.hand.dump()
    assert without(before, 'studio', REMOTE, ARTIST) == without(after, 'studio', REMOTE, ARTIST)
    for rel, data in {**here, **there}.items():
        assert (artist / rel).read_bytes() == studio.on_disk(rel) == world.remote_file(rel).read_bytes() == data
    for doc in docs_of(world):
        priorities = {entry['priority']['$numberInt'] for file in doc['files'] for entry in file['sites']
                      if 'priority' in entry}
        assert priorities == ({'90'} if '}/here/' in doc['files'][0]['path'] else {'7'})


def test_both_serve_one_site(world, studio):
    """The stock server was not ended when sitefs was started: twice the work at worst."""
    world.configure(settings=PATIENT)
    files = {f'shot/f.{number:03d}': random_bytes(number, 50_000) for number in range(30)}
    for rel, data in files.items():
        write_file(studio.root / rel, data)
    world.import_docs(*(make_document(rel, {'studio': recorded(), REMOTE: {}, **OTHERS}) for rel in files))
    before = world.hand.dump()
    with serve(world, studio, tick=0.05) as stock:
        wait_until(lambda: 'progress' in [kind for kind, *_ in stock.updates], 'it has begun')
        daemon = studio.sync()
        wait_until(lambda: is_done(world, 'studio', REMOTE), 'all is sent, as its window shows it')
        settles(world, studio, stock)
    assert daemon.is_running
    assert without(before, REMOTE) == without(world.hand.dump(), REMOTE)
    assert all(world.remote_file(rel).read_bytes() == data for rel, data in files.items())
    print(f'sent by the stock server: {len([kind for kind, *_ in stock.updates if kind == "done"])} of {len(files)}')


def test_what_the_other_moves_is_left_alone_while_it_lives(world, studio):
    """Its progress goes on: we wait. It is killed: we send the file, and what it left there stays recoverable."""
    world.configure(settings=PATIENT)
    data = studio.write('shot/large', size=400_000)
    stock = serve(world, studio, tick=0.05)
    world.import_docs(make_document('shot/large', {'studio': recorded(), REMOTE: {'priority': 80}}))
    stock.may_copy.clear()
    stock.thread.start()
    wait_until(lambda: len(stock.updates) > 2, 'it tells of its progress')
    studio.sync()
    wait_until(lambda: 'another program' in studio.explain('shot/large'), 'explain says so')
    studio.write('other')
    studio.publish('other', name='other')
    wait_until(lambda: world.is_recorded('other', REMOTE), 'the rest goes on')
    stays(lambda: world.remote_file('shot/large').stat().st_size == 0, 'the file is left to it', 2)
    assert studio.state('shot/large') == 'queued'
    stock.kill()
    assert 'progress' in world.entry('shot/large', REMOTE)
    wait_until(lambda: world.is_recorded('shot/large', REMOTE), 'it is taken over')
    assert world.remote_file('shot/large').read_bytes() == data
    assert set(world.entry('shot/large', REMOTE)) == {'name', 'priority', 'id', 'created_dt'}
    assert set(world.entry('shot/large', 'studio')) == {'name', 'created_dt'}


def test_tries_are_counted_by_both(world, studio):
    """A number, a text and a date; the count goes on where the other stopped, and both stop at the same one."""
    for rel in ('shot/a', 'shot/b'):
        studio.write(rel)
    docs = [make_document(rel, {'studio': recorded(), REMOTE: {'priority': 60}}) for rel in ('shot/a', 'shot/b', 'shot/c')]
    world.import_docs(*docs)
    stock = serve(world, studio)
    stock.refuses = lambda path: 'no room at the remote' if path.name != 'a' or len(stock.updates) < 6 else None
    for _ in range(2):
        stock.round()
    assert [gui_status(doc, REMOTE) for doc in docs_of(world)] == ['failed'] * 3
    world.hand.edit('shot/b', lambda file: file['sites'][1].update(tries=3))
    # It goes on where the other failed; one is given up; one is missing here as well, and is the third try.
    studio.sync()
    wait_until(lambda: world.is_recorded('shot/a', REMOTE), 'sent after two tries')
    assert set(world.entry('shot/a', REMOTE)) == {'name', 'priority', 'id', 'created_dt'}
    wait_until(lambda: world.entry('shot/c', REMOTE)['tries'] == {'$numberInt': '3'}, 'the third try is counted')
    assert "doesn't exist" in world.entry('shot/c', REMOTE)['error']
    assert 'progress' not in world.entry('shot/c', REMOTE)
    assert world.entry('shot/b', REMOTE)['error'] == 'no room at the remote'
    assert studio.state('shot/b') == studio.state('shot/c') == 'failed'
    assert not any(stock.judge(file) for doc in stock.find() for file in doc['files'])
    # Its window's "reset" leaves the name and the priority; ours is `retry`.
    world.hand.set_entry('shot/b', REMOTE, {'priority': 60})
    wait_until(lambda: world.is_recorded('shot/b', REMOTE), 'sent after its reset')
    studio.write('shot/c')
    studio.sitefs('retry', studio.root / 'shot/c')
    wait_until(lambda: is_done(world, 'studio', REMOTE), 'all is sent')
    settles(world, studio, stock)
    stock.end()


@pytest.mark.parametrize('is_alone', [True, False])
def test_what_is_published_anew(world, studio, home, is_alone):
    """A version is published again, with new file ids, and the stock server sends it over the old object, alone or beside
    sitefs: the new bytes are read at home, as no person changed anything."""
    world.configure(settings=PATIENT)
    old, new = studio.write('shot/a', size=3000), random_bytes('new', 4000)
    doc = make_document('shot/a', {'studio': recorded(), REMOTE: {}})
    world.import_docs(doc)
    with serve(world, studio):
        wait_until(lambda: world.is_recorded('shot/a', REMOTE), 'it sends it')
        if not is_alone:
            studio.sync()
        home.mount()
        wait_until(lambda: home.shown('shot') == ['a'], 'it is listed')
        assert home.read('shot/a') == old
        home.wait_state('shot/a', 'local')
        studio.write('shot/a', new)
        doc['files'][0]['_id'] = {'$oid': 'a' * 24}
        world.hand.put(doc)
        wait_until(lambda: world.is_recorded('shot/a', REMOTE), 'it sends it anew')
        wait_until(lambda: home.tries_to_read('shot/a') == new, 'it is read')
        home.wait_state('shot/a', 'local')
