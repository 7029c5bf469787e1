"""STATES.md, rows 10 to 20: a copy lies on the disk of local_0."""

import os

import pytest

from harness import REMOTE, errno_of, random_bytes, read_file, recorded, stays, wait_until

REL, OTHER = 'row/a.exr', 'row/b.exr'


@pytest.fixture
def copy(world, home):
    """A mount at local_0 with a copy of one of two files; its bytes. Our entry is not written: not all are here."""
    data = world.publish(REL, OTHER)
    home.mount()
    assert home.read(REL) == data[0]
    home.wait_state(REL, 'local')
    assert home.on_disk(REL) == data[0]
    return data[0]


def is_same_copy(home, data, inode):
    return home.on_disk(REL) == data and os.stat(home.root / REL).st_ino == inode


def damage(world, how):
    path = world.remote_file(REL)
    if how == 'M':
        path.unlink()
    elif how == 'D':
        path.write_bytes(random_bytes('other', path.stat().st_size))


def test_row_10_no_entry(world, home, copy):
    world.wait_seen(home)
    stays(lambda: world.entry(REL, 'local_0') is None, 'no entry is written back', 2)
    assert home.state(REL) == 'local'
    assert home.read(REL) == copy


def test_row_10_entry_removed_by_another_hand(world, home, copy):
    home.read(OTHER)
    wait_until(lambda: world.is_recorded(REL, 'local_0'), 'recorded when all are here')
    world.hand.set_entry(REL, 'local_0', None)
    world.wait_seen(home)
    stays(lambda: world.entry(REL, 'local_0') is None, 'no entry is written back', 2)
    assert home.state(REL) == 'local'
    assert home.read(REL) == copy


def test_row_11_wanted(world, home, copy):
    inode = os.stat(home.root / REL).st_ino
    world.hand.set_entry(REL, 'local_0', {})
    wait_until(lambda: world.is_recorded(REL, 'local_0'), 'it is recorded')
    assert is_same_copy(home, copy, inode)


def test_row_12_recorded(world, home, copy):
    inode = os.stat(home.root / REL).st_ino
    home.read(OTHER)
    wait_until(lambda: world.is_recorded(REL, 'local_0'), 'recorded when all are here')
    world.wait_seen(home)
    assert home.state(REL) == 'local'
    assert home.read(REL) == copy
    assert is_same_copy(home, copy, inode)


@pytest.mark.parametrize('ours', [None, {}, 'recorded'])
def test_row_13_object_missing(world, home, copy, ours):
    damage(world, 'M')
    world.hand.set_entry(REL, 'local_0', recorded() if ours == 'recorded' else ours)
    world.wait_seen(home)
    assert home.read(REL) == copy
    wait_until(lambda: 'remote' in home.explain(REL), 'it is reported')
    assert home.on_disk(REL) == copy
    assert not world.remote_file(REL).exists()


def test_row_14_object_different(world, home, copy):
    world.hand.set_entry(REL, 'local_0', recorded())
    damage(world, 'D')
    other = read_file(world.remote_file(REL))
    world.wait_seen(home)
    assert home.read(REL) == copy
    assert read_file(world.remote_file(REL)) == other
    home.sitefs('retry', '--accept', home.root / REL)
    wait_until(lambda: errno_of(home.read, REL) is None and home.read(REL) == other,
               'the object is a newer publish')


@pytest.mark.parametrize('remote', ['P', 'M', 'D'])
def test_row_15_remote_was_reset(world, home, copy, remote):
    home.read(OTHER)
    wait_until(lambda: world.is_recorded(REL, 'local_0'), 'recorded when all are here')
    damage(world, remote)
    before = world.remote_file(REL).stat() if remote != 'M' else None
    world.hand.set_entry(REL, REMOTE, {})
    if remote == 'D':
        home.wait_state(REL, 'failed')
        stays(lambda: not world.is_recorded(REL, REMOTE), 'nothing is recorded', 2)
        assert read_file(world.remote_file(REL)) != copy
        home.sitefs('retry', home.root / REL)
    wait_until(lambda: world.is_recorded(REL, REMOTE), 'it is recorded at the remote')
    assert read_file(world.remote_file(REL)) == copy
    if remote == 'P':
        assert world.remote_file(REL).stat().st_ino == before.st_ino, 'nothing was sent'


def test_row_16_nothing_moves(world, home, copy):
    world.hand.set_entry(REL, REMOTE, {})
    world.wait_seen(home)
    stays(lambda: not world.is_recorded(REL, REMOTE) and world.entry(REL, 'local_0') is None, 'unchanged', 2)
    assert home.read(REL) == copy


def test_row_17_recorded_then_sent(world, home, copy):
    damage(world, 'M')
    world.hand.set_entries(REL, {REMOTE: {}, 'local_0': {}})
    wait_until(lambda: world.is_recorded(REL, 'local_0'), 'our entry is recorded')
    wait_until(lambda: world.is_recorded(REL, REMOTE), 'and the copy is sent')
    assert read_file(world.remote_file(REL)) == copy


@pytest.mark.parametrize('ours', [None, {}, 'recorded'])
def test_row_18_remote_not_asked_for(world, home, copy, ours):
    world.hand.set_entries(REL, {REMOTE: None, 'local_0': recorded() if ours == 'recorded' else ours})
    world.wait_seen(home)
    stays(lambda: world.entry(REL, REMOTE) is None, 'not added', 1)
    assert home.read(REL) == copy


def republish(world, studio, data):
    """The studio replaces the file as a whole and registers it anew: same representation, new file id (C14)."""
    studio.write('row/new', data)
    os.rename(studio.root / 'row/new', studio.root / REL)

    def change(file):
        file['_id'] = {'$oid': file['_id']['$oid'][::-1]}
        file['sites'] = [{'name': 'studio', **recorded()}, {'name': REMOTE}]
    world.hand.edit(REL, change)


def test_row_19_newer_publish(world, studio, home, copy):
    new = random_bytes('new', len(copy) + 1)
    with open(home.mnt / REL, 'rb') as held:
        republish(world, studio, new)
        wait_until(lambda: home.on_disk(REL) is None, 'the copy is moved aside')
        assert held.read() == copy
    wait_until(lambda: not os.path.exists(home.mnt / REL), 'awaited until the remote has it')
    assert home.state(REL) == 'awaited'
    studio.sync_once()
    wait_until(lambda: os.path.exists(home.mnt / REL), 'it is shown again')
    assert os.stat(home.mnt / REL).st_size == len(new)
    assert home.read(REL) == new
    assert copy in superseded(home)


def superseded(site):
    """Contents of the files that were moved aside."""
    return [read_file(os.path.join(top, name))
            for top, _, names in os.walk(site.root / '.sitefs/superseded') for name in names]


def test_row_20_no_document(world, home, copy):
    docs = [doc for doc in world.representations() if any(REL in file['path'] for file in doc['files'])]
    world.hand.drop(*docs)
    wait_until(lambda: home.on_disk(REL) is None, 'the copy is moved aside after its time')
    wait_until(lambda: not os.path.exists(home.mnt / REL), 'and no longer shown')
    assert copy in superseded(home)


def test_row_20_re_publish_within_the_minute(world, home, copy):
    """Deleted and inserted again with the same ids: nothing moves."""
    inode = os.stat(home.root / REL).st_ino
    docs = [doc for doc in world.representations() if any(REL in file['path'] for file in doc['files'])]
    world.hand.drop(*docs)
    world.import_docs(*docs)
    world.wait_seen(home)
    stays(lambda: is_same_copy(home, copy, inode), 'the copy is here', 3)
