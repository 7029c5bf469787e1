"""
What a site has on its disk before its entries say so, as other machines are told of it (--site): frames that were opened
while others of their representation are missing, and copies whose entries were removed.
"""

import contextlib
import os
import shutil
import sqlite3

import pytest

from harness import make_document, recorded, wait_until, write_file

on_replica_set = pytest.mark.mongodb('replica_set')

FRAMES = [f'shot/f.{n}.exr' for n in range(1001, 1006)]


def states(asker, *args):
    """How frames stand at home, as another site tells: by name."""
    files = asker.run('ls', '--site', 'local_0', '--json', *args).json['files']
    return {os.path.relpath(item['path'], asker.root): item['state'] for item in files}


def on_disk(asker, *args):
    return sorted(rel for rel, state in states(asker, *args).items() if state == 'local')


def wait_told(asker, *rels):
    wait_until(lambda: on_disk(asker) == sorted(rels), f'{len(rels)} are told to be on the disk at home')


@contextlib.contextmanager
def embedded(world):
    """The embedded store, past sitefs."""
    with contextlib.closing(sqlite3.connect(world.store_path, isolation_level=None, timeout=30)) as db:
        yield db


def rows(world):
    """Representations of which the store says that home holds some."""
    if world.mongod:
        found = world.hand.send({'find': 'holding', 'batchSize': 1000}, database=f'{world.database}_sitefs')
        return [doc['_id']['r'] for doc in found['cursor']['firstBatch']]
    with embedded(world) as db:
        return [repre for repre, in db.execute('SELECT repre FROM holding WHERE site = "local_0"')]


def forget(world):
    """Another hand, or a primary that was lost before others had it."""
    if world.mongod:
        world.hand.send({'delete': 'holding', 'deletes': [{'q': {}, 'limit': 0}]}, database=f'{world.database}_sitefs')
        return
    with embedded(world) as db:
        db.execute('DELETE FROM holding')


def no_entries(world, *rels):
    return all(world.entry(rel, 'local_0') is None for rel in rels)


def from_first_to_last(world, studio, home):
    contents = dict(zip(FRAMES, world.publish(*FRAMES)))
    home.mount()
    assert all(home.read(rel) == contents[rel] for rel in FRAMES[:2])
    wait_told(studio, *FRAMES[:2])
    assert no_entries(world, *FRAMES)
    assert {state for rel, state in states(studio).items() if rel in FRAMES[2:]} == {'remote'}
    counts = studio.run('status', '--site', 'local_0', '--json')
    assert counts.code == 4 and counts.json['files']['local'] == 2 and counts.json['files']['remote'] == 3
    info = studio.run('info', '--site', 'local_0', studio.root / FRAMES[0], '--json')
    assert info.code == 0 and info.json['state'] == 'local'
    assert studio.run('info', '--site', 'local_0', studio.root / FRAMES[2]).code == 4
    # what is lost in the store is told again, perhaps at once
    forget(world)
    wait_told(studio, *FRAMES[:2])
    # the last one: from now on the entries say it
    assert all(home.read(rel) == contents[rel] for rel in FRAMES)
    wait_until(lambda: all(world.is_recorded(rel, 'local_0') for rel in FRAMES), 'all are recorded at home')
    wait_until(lambda: rows(world) == [], 'nothing else says so')
    assert on_disk(studio) == FRAMES and studio.run('status', '--site', 'local_0').code == 0
    # one is given back
    home.sitefs('remove-site', 'local_0', home.root / FRAMES[1], '--files')
    wait_told(studio, *FRAMES[:1], *FRAMES[2:])
    # the entries go, the copies stay
    home.sitefs('remove-site', 'local_0', '--project', 'demo', '--all')
    assert no_entries(world, *FRAMES)
    wait_told(studio, *FRAMES[:1], *FRAMES[2:])
    assert len(rows(world)) == 1
    os.unlink(home.mnt / FRAMES[2])
    wait_told(studio, *FRAMES[:1], *FRAMES[3:])
    # the document goes, others of the project stay
    write_file(world.remote_file('other'), b'other')
    world.import_docs(make_document('other', {'studio': recorded(), 'nas': recorded()}, size=5))
    world.hand.drop(*[doc for doc in world.representations() if len(doc['files']) == len(FRAMES)])
    wait_until(lambda: rows(world) == [], 'of a document that is gone nothing is told')


def test_from_first_to_last(world, studio, home):
    from_first_to_last(world, studio, home)


@on_replica_set
def test_from_first_to_last_on_mongodb(world, studio, home):
    from_first_to_last(world, studio, home)


def test_one_at_a_time_and_all(world, studio, home):
    """Of few that are meant the store is asked singly, then for all: either way each is told of itself."""
    contents = {f'r{n:02}/{name}': studio.write(f'r{n:02}/{name}') for n in range(12) for name in 'ab'}
    for n in range(12):
        studio.publish(f'r{n:02}/a', f'r{n:02}/b', name=f'r{n:02}')
    studio.sync_once()
    home.mount()
    opened = [f'r{n:02}/a' for n in range(0, 12, 2)]
    assert all(home.read(rel) == contents[rel] for rel in opened)
    wait_told(studio, *opened)
    paths = [studio.root / f'r{n:02}' for n in range(12)]
    assert on_disk(studio, *paths) == opened and on_disk(studio, *paths[:3]) == opened[:2]
    assert studio.run('status', '--site', 'local_0', studio.root / opened[0]).code == 0
    assert studio.run('status', '--site', 'local_0', *paths[:1]).code == 4


def test_told_at_the_end(world, studio, home):
    data = dict(zip(FRAMES, world.publish(*FRAMES)))
    home.mount()
    assert home.read(FRAMES[0]) == data[FRAMES[0]]
    wait_until(lambda: home.status()['files']['local'] == 1, 'its daemon knows')
    home.umount()
    assert on_disk(studio) == FRAMES[:1]


def test_forgotten_where_nobody_is_left_to_tell(world, studio, home):
    """remove-site of a machine that is gone; one that is there tells again what it finds."""
    contents = dict(zip(FRAMES, world.publish(*FRAMES)))
    daemon = home.mount()
    assert all(home.read(rel) == contents[rel] for rel in FRAMES[:3])
    wait_told(studio, *FRAMES[:3])
    daemon.kill()
    assert studio.sitefs('remove-site', 'local_0', studio.root / FRAMES[0], '--dry-run', '--json').json['changed'] == 0
    assert on_disk(studio) == FRAMES[:3]
    studio.sitefs('remove-site', 'local_0', studio.root / FRAMES[0])
    assert on_disk(studio) == FRAMES[1:3]
    studio.sitefs('remove-site', 'local_0', '--project', 'demo', '--all')
    assert on_disk(studio) == [] and rows(world) == []
    home.mount()
    wait_told(studio, *FRAMES[:3])


def test_who_records_nothing_tells_nothing(world, studio, home):
    world.publish(*FRAMES)
    home.mount('cache')
    home.read(FRAMES[0])
    wait_until(lambda: home.status()['files']['local'] == 1, 'its daemon knows')
    home.umount()
    assert rows(world) == [] and on_disk(studio) == []
    # nor one that only looks, at what others fetched here
    home.mount('ro')
    assert home.state(FRAMES[0]) == 'local'
    home.umount()
    assert rows(world) == []


def test_a_crash_before_it_is_told(world, studio, home):
    """And what happens while no daemon looks: to the disk, and to what it remembers of it."""
    world.publish(*FRAMES)
    daemon = home.mount()
    with embedded(world) as db:
        db.execute('BEGIN IMMEDIATE')
        home.read(FRAMES[0])
        wait_until(lambda: home.status()['files']['local'] == 1, 'its daemon knows')
        daemon.kill()
        db.execute('ROLLBACK')
    assert on_disk(studio) == []
    daemon = home.mount()
    wait_told(studio, FRAMES[0])
    daemon.kill()
    (home.root / FRAMES[0]).unlink()
    assert on_disk(studio) == FRAMES[:1]
    daemon = home.mount()
    wait_until(lambda: rows(world) == [], 'it is not there any more')
    # nothing here is left to remind of it
    assert home.read(FRAMES[0])
    wait_told(studio, FRAMES[0])
    daemon.kill()
    shutil.rmtree(home.dir / 'state')
    world.hand.drop(*world.representations())
    home.mount()
    wait_until(lambda: rows(world) == [], 'of what no document names nothing is told')


def test_two_hosts_of_a_site(world, studio, home):
    """One disk, and stamps of their own: what one fetched is to the other a file like any, and stays told."""
    contents = dict(zip(FRAMES, world.publish(*FRAMES)))
    other = world.site('local_0', host='home2')
    other.roots, other.root = home.roots, home.root
    world.write_presets()
    home.mount()
    assert home.read(FRAMES[0]) == contents[FRAMES[0]]
    wait_told(studio, FRAMES[0])
    home.umount()
    # by these the other one would know it for what the remote has
    world.hand.drop_truths()
    other.mount()
    assert other.state(FRAMES[0]) == 'local' and other.read(FRAMES[1]) == contents[FRAMES[1]]
    wait_told(studio, *FRAMES[:2])
    os.unlink(other.mnt / FRAMES[0])
    wait_told(studio, FRAMES[1])


def test_what_lies_at_a_studio_anyway(world, studio, home):
    """Files that sitefs never fetched, of documents without entries: those are not told of, however many they are."""
    studio.write('old')
    world.import_docs(make_document('old', {'nas': recorded()}))
    studio.sync()
    world.wait_seen(studio)
    assert studio.state('old') == 'local'
    with embedded(world) as db:
        assert db.execute('SELECT count(*) FROM holding').fetchone() == (0,)
    assert home.run('ls', '--site', 'studio', home.root / 'old', '--json').code == 4
