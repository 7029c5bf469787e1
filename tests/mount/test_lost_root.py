"""A root that is missing, another one or empty: everything stops for that site, and nothing is harmed."""

import os

import pytest

from harness import REMOTE, errno_of, stays, wait_until

FILES = ['shot/a.exr', 'shot/b.exr']


@pytest.fixture
def synced(world, studio):
    data = world.publish(*FILES)
    return data


def lose(site, how):
    away = site.dir / 'away'
    site.root.rename(away)
    if how != 'missing':
        site.root.mkdir()
    if how == 'another':
        (site.root / '.sitefs').mkdir()
        (site.root / '.sitefs/root-id').write_text('another one\n')
    return away


def bring_back(site, away):
    if site.root.exists():
        site.root.rename(site.dir / 'not-it')
    away.rename(site.root)


@pytest.mark.parametrize('how', ['missing', 'empty', 'another'])
def test_lost_during_the_sync_and_back(world, studio, synced, how):
    daemon = studio.sync()
    world.wait_seen(studio)
    before = world.representations()
    away = lose(studio, how)
    wait_until(studio.is_lost, 'status says so')
    world.hand.set_entry(FILES[0], REMOTE, {})  # would be uploaded, or counted as a try
    stays(lambda: not {'tries', 'error', 'created_dt'} & set(world.entry(FILES[0], REMOTE)), 'no try is counted', 4)
    assert world.entry(FILES[1], 'studio') == [entry for doc in before for file in doc['files']
                                               if file['path'].endswith(FILES[1])
                                               for entry in file['sites'] if entry['name'] == 'studio'][0]
    assert world.remote_file(FILES[0]).exists()
    bring_back(studio, away)
    wait_until(lambda: world.is_recorded(FILES[0], REMOTE), 'back, it goes on by itself')
    assert daemon.is_running
    assert studio.on_disk(FILES[0]) == synced[0]


@pytest.mark.parametrize('how', ['missing', 'empty', 'another'])
def test_lost_between_two_runs(world, studio, synced, how):
    away = lose(studio, how)
    before = world.representations()
    result = studio.run('sync', '--once')
    assert result.code == 1, result
    assert str(studio.root) in result.err
    assert world.representations() == before
    bring_back(studio, away)
    studio.sync_once()


def test_nothing_is_downloaded_into_another_root(world, studio, home):
    world.publish(*FILES)
    home.mount()
    home.read(FILES[0])
    home.wait_state(FILES[0], 'local')
    away = lose(home, 'empty')
    wait_until(home.is_lost, 'status says so')
    studio.add_site('local_0', *FILES)
    stays(lambda: not os.path.exists(home.root / 'shot'), 'nothing is written into it', 3)
    bring_back(home, away)
    wait_until(lambda: home.on_disk(FILES[1]) is not None, 'back, it goes on')


def test_an_empty_root_at_first_use_is_lost_until_adopted(world, studio, home):
    """The store records files at our site, the root holds none of them: a disk that is not mounted."""
    world.publish(*FILES)
    studio.root.rename(studio.dir / 'away')
    studio.root.mkdir()
    os.rename(studio.dir / 'state', studio.dir / 'state-away')
    (studio.dir / 'state').mkdir()
    before = world.representations()
    result = studio.run('sync', '--once')
    assert result.code == 1, result
    assert '--adopt' in result.err
    assert world.representations() == before
    result = studio.run('sync', '--once', '--adopt')
    assert result.code in (0, 4), result
    # Adopted: what is recorded and not here is on demand now, or reported.
    assert all(world.is_recorded(rel, REMOTE) for rel in FILES)


def test_an_empty_root_where_nothing_is_recorded_is_fine(world, home):
    world.publish(*FILES)
    home.sync_once()
    home.mount()
    assert home.shown() == ['shot/', *FILES]


def test_a_root_that_is_missing_at_the_start_stops_nothing_else(world, studio, home):
    data = world.publish(*FILES)
    home.mount()
    home.read(FILES[0])
    home.wait_state(FILES[0], 'local')
    home.umount()
    lose(home, 'missing')
    result = home.run('mount', home.mnt)
    if result.code == 0:  # what is at the remote may still be read
        assert errno_of(home.read, FILES[1]) in (None, 'EIO')
        home.sitefs('umount', home.mnt)
    else:
        assert str(home.root) in result.err
    assert not home.root.exists(), 'never created'
    assert data


def test_a_lost_remote_folder(world, studio):
    """The remote's folder is away (a NAS that is not mounted): one line, no try, and it goes on when it is back."""
    world.publish(*FILES)
    studio.sync()
    world.remote.rename(world.dir / 'away')
    studio.write('shot/c.exr')
    studio.publish('shot/c.exr')
    wait_until(lambda: not studio.status()['remote']['reachable'], 'status says so')
    assert studio.status()['remote']['last_error']
    size = os.stat(studio.root / 'shot/c.exr').st_size
    wait_until(lambda: studio.status()['queue']['upload']['files'] == 1, 'it is queued')
    assert studio.status()['queue']['upload']['bytes'] == size
    assert 'stands still' in studio.sitefs('status').out
    stays(lambda: not {'tries', 'error'} & set(world.entry('shot/c.exr', REMOTE)), 'no try is counted', 2)
    assert not world.remote.exists()
    (world.dir / 'away').rename(world.remote)
    wait_until(lambda: world.is_recorded('shot/c.exr', REMOTE), 'it goes on')


def test_the_remotes_folder_is_made_only_when_asked(world, studio):
    (world.remote / 'work').rmdir()
    studio.write(FILES[0])
    studio.publish(FILES[0])
    result = studio.run('sync', '--once')
    assert result.code == 1, result
    assert '--create-root' in result.err
    assert not (world.remote / 'work').exists()
    studio.sync_once('--create-root')
    assert world.is_recorded(FILES[0], REMOTE)
