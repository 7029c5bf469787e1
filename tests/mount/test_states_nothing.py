"""STATES.md, rows 1 to 9: nothing lies on the disk. One test a row, seen through the mount of local_0."""

import os
import shutil

import pytest

from harness import REMOTE, errno_of, recorded, stays, wait_until

REL, OTHER = 'row/a.exr', 'row/b.exr'


def is_shown(site, rel):
    return os.path.exists(site.mnt / rel)


def is_untouched(world, rel):
    """Nothing was downloaded, no try was counted."""
    entry = world.entry(rel, 'local_0') or {}
    return not {'tries', 'error', 'created_dt'} & set(entry)


@pytest.mark.parametrize('ours', [None, {}, 'recorded'])
def test_row_01_not_asked_for_at_the_remote(world, home, ours):
    data = world.publish(REL, OTHER)
    world.hand.set_entry(REL, REMOTE, None)
    # One file is here, so that a recorded one that is missing does not look like a lost root.
    home.mount()
    assert home.read(OTHER) == data[1]  # not held back by the other
    world.hand.set_entry(REL, 'local_0', recorded() if ours == 'recorded' else ours)
    world.wait_seen(home)
    if ours == 'recorded':  # row 8 speaks of this one
        assert not is_shown(home, REL)
        return
    assert not is_shown(home, REL)
    assert home.state(REL) == 'awaited'
    assert 'not asked for at the remote' in home.explain(REL)
    assert REL in home.sitefs('ls', '--awaited', home.root).out or 'a.exr' in home.sitefs('ls', '--awaited').out
    assert is_untouched(world, REL)


@pytest.mark.parametrize('ours', [None, {}])
@pytest.mark.parametrize('is_at_remote', [False, True])
def test_row_02_still_arriving_is_awaited(world, studio, home, ours, is_at_remote):
    world.publish('row/first.exr')
    studio.write(REL)
    studio.publish(REL)
    world.hand.set_entry(REL, 'local_0', ours)
    if is_at_remote:  # an object of another hand: only a site that holds the file may record it
        shutil.copy2(studio.root / REL, world.remote_file(REL))
    home.mount()
    assert is_shown(home, 'row/first.exr')
    assert not is_shown(home, REL)
    assert home.state(REL) == 'awaited'
    stays(lambda: not world.is_recorded(REL, REMOTE) and not is_shown(home, REL), 'awaited', 2)
    assert is_untouched(world, REL)


def test_row_03_on_demand(world, home):
    data = world.publish(REL)
    home.mount()
    world.wait_seen(home)
    assert is_shown(home, REL)
    assert home.state(REL) == 'remote'
    assert home.on_disk(REL) is None
    assert home.read(REL) == data


def test_row_04_downloaded_in_the_background(world, studio, home):
    data = world.publish(REL)
    studio.add_site('local_0', REL)
    home.mount()
    wait_until(lambda: home.on_disk(REL) == data, 'it comes by itself')
    wait_until(lambda: world.is_recorded(REL, 'local_0'), 'it is recorded')
    assert home.state(REL) == 'local'


@pytest.mark.parametrize('ours', [None, {}])
def test_row_05_object_missing(world, home, ours):
    data = world.publish(REL)
    world.hand.set_entry(REL, 'local_0', ours)
    away = world.dir / 'away.exr'
    world.remote_file(REL).rename(away)
    home.mount()
    wait_until(lambda: errno_of(home.read, REL) == 'EIO', 'reading is EIO')
    assert is_shown(home, REL)
    home.wait_state(REL, 'failed')
    world.wait_seen(home)
    assert is_untouched(world, REL)
    assert home.on_disk(REL) is None
    away.rename(world.remote_file(REL))
    wait_until(lambda: errno_of(home.read, REL) is None, 'it goes on when the object is back')
    assert home.read(REL) == data
    if ours is not None:
        wait_until(lambda: world.is_recorded(REL, 'local_0'), 'the background goes on too')


@pytest.mark.parametrize('ours', [None, {}])
def test_row_06_object_different(world, home, ours):
    data = world.publish(REL)
    world.hand.set_entry(REL, 'local_0', ours)
    other = bytes(reversed(data))
    world.remote_file(REL).write_bytes(other)
    home.mount()
    wait_until(lambda: errno_of(home.read, REL) == 'EIO', 'reading is EIO')
    assert is_shown(home, REL)
    home.wait_state(REL, 'failed')
    world.wait_seen(home)
    assert is_untouched(world, REL)
    assert home.on_disk(REL) is None
    home.sitefs('retry', '--accept', home.root / REL)
    wait_until(lambda: errno_of(home.read, REL) is None, 'the object became the truth')
    assert home.read(REL) == other


def test_row_07_recorded_and_not_here(world, home):
    data = world.publish(REL, OTHER)
    home.mount()
    home.read(OTHER)
    home.wait_state(OTHER, 'local')
    world.hand.set_entry(OTHER, 'local_0', recorded())
    world.hand.set_entry(REL, 'local_0', recorded())
    world.wait_seen(home)
    assert is_shown(home, REL)
    assert home.state(REL) == 'remote'
    wait_until(lambda: world.entry(REL, 'local_0') is None, 'our entry is pulled after its time')
    assert world.is_recorded(OTHER, 'local_0')
    assert is_shown(home, REL)
    assert home.read(REL) == data[0]


def test_row_07_not_pulled_beside_a_tmp_file(world, home):
    world.publish(REL, OTHER)
    home.mount()
    home.read(OTHER)
    home.wait_state(OTHER, 'local')
    home.write(f'{REL}.tmp', b'half')
    world.hand.set_entry(REL, 'local_0', recorded())
    world.wait_seen(home)
    stays(lambda: world.is_recorded(REL, 'local_0'), 'recorded while somebody writes it', 4)


@pytest.mark.parametrize('remote', ['missing', 'different', 'absent', 'wanted'])
def test_row_08_recorded_here_and_nowhere_to_be_had(world, home, remote):
    data = world.publish(REL, OTHER)
    home.mount()
    home.read(OTHER)
    home.wait_state(OTHER, 'local')
    if remote == 'missing':
        world.remote_file(REL).unlink()
    elif remote == 'different':
        world.remote_file(REL).write_bytes(bytes(reversed(data[0])))
    entries = {'local_0': recorded()}
    if remote in ('absent', 'wanted'):
        entries[REMOTE] = None if remote == 'absent' else {}
    world.hand.set_entries(REL, entries)
    wait_until(lambda: 'recorded here, not on disk' in home.explain(REL), 'it is reported')
    assert home.state(REL) == 'failed'
    wait_until(lambda: not is_shown(home, REL), 'it is not listed')
    stays(lambda: world.is_recorded(REL, 'local_0'), 'nothing is written', 4)
    assert world.is_recorded(REL, REMOTE) == (remote in ('missing', 'different'))


@pytest.mark.parametrize('entry', [{'paused': True}, {'tries': 3, 'error': 'of another hand'}])
def test_row_09_paused_or_given_up_is_still_read(world, home, entry):
    data = world.publish(REL)
    world.hand.set_entry(REL, 'local_0', entry)
    home.mount()
    world.wait_seen(home)
    assert home.on_disk(REL) is None
    assert is_shown(home, REL)
    assert home.read(REL) == data
