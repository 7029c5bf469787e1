"""sitefs verify on the disk and with a folder as the remote; what happened in that folder while nobody looked."""

import contextlib
import os
import sqlite3

import pytest

from harness import REMOTE, errno_of, read_file, wait_until, write_file

A, B, C = 'shot/a.exr', 'shot/b.exr', 'shot/deep/c.exr'


@pytest.fixture
def home(world):
    """A copy of a, the rest is at the remote only."""
    home = world.site('local_0')
    world.publish(A, B, C)
    home.mount()
    home.read(A)
    home.wait_state(A, 'local')
    return home


def rot(path):
    """Other bytes under the same size and times, as a bad disk gives."""
    stat = os.stat(path)
    data = bytearray(read_file(path))
    data[7] ^= 1
    with open(path, 'r+b') as file:
        file.write(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return bytes(data)


def rot_unnoticed(site, rel):
    """... and no change time tells of it either: the stamp is made to fit."""
    data = rot(site.root / rel)
    with contextlib.closing(sqlite3.connect(site.dir / 'state/journal.db')) as journal:
        journal.execute('UPDATE stamp SET ctime=? WHERE rel=?', (os.stat(site.root / rel).st_ctime_ns, rel))
        journal.commit()
    return data


def found(site, result):
    return {os.path.relpath(each['path'], site.mnt if site.is_mounted() else site.root): each['finding']
            for each in result.json['findings']}


def test_the_disk(home, studio):
    result = home.sitefs('verify', '--json').json
    assert (result['checked'], result['bad'], result['bytes'], result['findings']) == (1, 0, 1000, [])
    home.write('work/unpublished.txt')
    home.umount()
    bad = rot_unnoticed(home, A)
    home.mount()
    assert home.state(A) == 'local'
    result = home.run('verify', '--json')
    assert result.code == 1 and found(home, result) == {A: 'damaged'}
    assert home.on_disk(A) == bad, 'only looked at'
    assert 'a.exr' in home.run('verify', home.mnt / 'shot').out
    assert home.sitefs('verify', home.mnt / 'shot/deep').out.startswith('0 files checked')
    assert home.run('verify', home.mnt / 'nowhere').code == 3


def test_a_damaged_copy_is_moved_aside_and_comes_again(home, studio):
    """The stamp still says that it is what was downloaded: only reading tells."""
    home.umount()
    bad = rot_unnoticed(home, A)
    home.mount()
    assert home.run('verify', '--fix', '--dry-run').code == 1 and home.on_disk(A) == bad
    result = home.sitefs('verify', '--fix', '--json').json
    assert result['fixed'] == 1 and result['findings'][0]['fixed']
    assert home.on_disk(A) is None
    assert any(bad == read_file(path) for path in (home.root / '.sitefs/superseded').rglob('*') if path.is_file())
    assert home.read(A) == studio.on_disk(A)


def test_a_damaged_copy_stays_where_the_remote_has_no_better_one(world, home):
    home.umount()
    bad = rot_unnoticed(home, A)
    world.remote_file(A).unlink()
    home.mount()
    result = home.run('verify', '--fix', '--json')
    assert result.code == 1 and 'nothing is done' in result.json['findings'][0]['fix']
    assert home.on_disk(A) == bad


def test_an_original_is_never_touched(world, studio):
    data = world.publish(A)
    daemon = studio.sync()
    assert studio.sitefs('verify').out.startswith('1 file checked')
    daemon.end()
    bad = rot_unnoticed(studio, A)
    daemon = studio.sync()
    result = studio.run('verify', '--fix', '--json')
    assert result.code == 1 and found(studio, result) == {A: 'damaged'}
    assert 'move this original away' in result.json['findings'][0]['fix']
    assert studio.on_disk(A) == bad != data
    daemon.end()


def test_what_was_changed_here_is_modified(world, studio):
    world.publish(A)
    daemon = studio.sync()
    studio.write(A, b'other')
    result = studio.run('verify', '--json')
    assert result.code == 1 and found(studio, result) == {A: 'modified'}
    daemon.end()


def test_recorded_and_not_there(world, studio):
    world.publish(A, B)
    daemon = studio.sync()
    (studio.root / A).unlink()
    result = studio.run('verify', '--json')
    assert found(studio, result) == {A: 'absent'}
    daemon.end()


def test_the_remote_folder(world, home):
    assert home.sitefs('verify', '--remote').out.startswith('3 files checked, all right')
    world.remote_file(A).unlink()
    other = rot(world.remote_file(B))
    write_file(world.remote_file('shot/deep/stray.txt'), b'stray')
    result = home.run('verify', '--remote', '--orphans', '--json')
    assert result.code == 1
    assert found(home, result) == {A: 'missing', B: 'different', 'shot/deep/stray.txt': 'orphan'}
    assert result.json['orphans'] == 1 and world.remote_file(B).read_bytes() == other
    assert home.run('verify', '--remote', '--json', home.mnt / 'shot/deep').json['findings'] == []


def test_a_missing_object_is_sent_again_by_who_has_it(world, home, studio):
    world.remote_file(A).unlink()
    assert home.sitefs('verify', '--remote', '--fix').code == 0
    assert not world.is_recorded(A, REMOTE)
    studio.sync_once()
    assert world.is_recorded(A, REMOTE) and world.remote_file(A).read_bytes() == studio.on_disk(A)


def test_the_remote_folders_own_trash(world, home, studio):
    """What sitefs itself put there comes back from there."""
    trash = world.remote_root() / '.sitefs/trash' / B
    trash.mkdir(parents=True)
    data = world.remote_file(B).read_bytes()
    world.remote_file(B).rename(trash / '2026-01-01T000000.000Z')
    write_file(trash / '2026-01-02T000000.000Z', b'something else of that name')
    result = home.sitefs('verify', '--remote', '--fix', '--json').json
    assert result['fixed'] == 1 and 'out of the trash' in result['findings'][0]['fix']
    assert world.remote_file(B).read_bytes() == data and world.is_recorded(B, REMOTE)
    assert home.read(B) == data


def test_without_a_feed_everything_is_compared_now_and_then(world, studio):
    world.configure(settings={'timing': {**world.settings['timing'], 'compare': '1s'}})
    world.publish(A, B)
    home = world.site('local_0')
    home.mount()
    world.remote_file(A).unlink()
    wait_until(lambda: home.status()['changed_at_remote']['files'] == 1, 'it is noticed')
    named, = home.status()['changed_at_remote']['named']
    assert named['object'] == 'missing' and named['sites'] == ['studio']
    assert home.state(A) == 'failed' and errno_of(home.read, A) == 'EIO' and home.state(B) == 'remote'
    write_file(world.remote_file(A), studio.on_disk(A))
    wait_until(lambda: home.status()['changed_at_remote']['files'] == 0, 'it is right again')


def test_a_daemon_that_changes_nothing(home):
    home.umount()
    home.mount('ro')
    assert home.sitefs('verify').code == 0
    result = home.run('verify', '--remote', '--fix')
    assert result.code == 1 and 'changes nothing' in result.err
