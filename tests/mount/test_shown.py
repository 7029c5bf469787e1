"""DESIGN, "What the mount shows": its bullets and the rows of its table that STATES.md does not hold."""

import ctypes
import os
import stat
import subprocess
import time

import pytest

from harness import PROJECT, REMOTE, errno_of, random_bytes, read_file, recorded, stays, wait_until

REL, OTHER = 'shot/a.exr', 'shot/b.exr'


# ---- the mount point ----

def test_a_folder_with_content_is_no_mount_point(home):
    (home.mnt / 'something').write_text('x')
    result = home.run('mount', home.mnt)
    assert result.code in (1, 2)
    assert 'empty' in result.err and str(home.mnt) in result.err


@pytest.mark.parametrize('what', ['state', 'store', 'remote'])
def test_what_sitefs_needs_must_not_lie_below_the_mount(world, home, what):
    place = {'state': home.dir / 'state', 'store': world.store_path.parent, 'remote': world.remote}[what]
    result = home.run('mount', place.parent)
    assert result.code in (1, 2), result
    assert 'below' in result.err or 'empty' in result.err
    assert not home.is_mounted()


def test_state_below_the_mount_is_refused(world, home):
    result = home.run('mount', '--state', home.mnt / 'state', home.mnt)
    assert result.code == 2, result
    assert not home.is_mounted()


# ---- the table ----

def test_an_uploaded_original_gives_way_to_a_newer_publish_of_another_site(world, studio, home):
    data = world.publish(REL)
    studio.mount()
    new = random_bytes('new', 2000)
    home.write(REL, new)

    def change(file):
        file['_id'] = {'$oid': file['_id']['$oid'][::-1]}
        file['sites'] = [{'name': 'local_0', **recorded()}, {'name': REMOTE}, {'name': 'studio'}]
    world.hand.edit(REL, change)
    home.sync_once()
    wait_until(lambda: studio.on_disk(REL) == new, 'the newer publish comes')
    assert studio.read(REL) == new
    aside = [read_file(os.path.join(top, name))
             for top, _, names in os.walk(studio.root / '.sitefs/superseded') for name in names]
    assert data in aside


def test_finally_failed_files_do_not_hide_the_representation(world, studio, home):
    studio.write(REL)
    data = studio.write(OTHER)
    studio.publish(REL, OTHER)
    (studio.root / REL).unlink()
    studio.run('sync', '--once')
    world.hand.set_entry(REL, REMOTE, {'tries': 3, 'error': 'source is missing'})
    home.mount()
    wait_until(lambda: sorted(os.listdir(home.mnt / 'shot')) == ['a.exr', 'b.exr'], 'both are listed')
    assert home.read(OTHER) == data
    assert errno_of(home.read, REL) == 'EIO'
    assert home.state(REL) == 'failed'


def test_an_arriving_representation_is_awaited_as_a_whole(world, studio, home):
    world.publish(REL, OTHER)
    world.hand.set_entry(OTHER, REMOTE, {})
    home.mount()
    world.wait_seen(home)
    assert not os.path.exists(home.mnt / 'shot')
    assert home.state(REL) == home.state(OTHER) == 'awaited'
    listed = home.sitefs('ls', '--awaited', home.root / 'shot').out
    assert 'exr' in listed
    assert home.explain(REL)
    world.hand.set_entry(OTHER, REMOTE, recorded())
    wait_until(lambda: os.path.exists(home.mnt / OTHER), 'whole, it appears')
    assert os.path.exists(home.mnt / REL)


def test_show_partial_shows_files_singly(world, home):
    data = world.publish(REL, OTHER)
    world.hand.set_entry(OTHER, REMOTE, {})
    home.mount('show_partial')
    assert os.listdir(home.mnt / 'shot') == ['a.exr']
    assert home.read(REL) == data[0]


def test_a_whiteout_is_lifted_by_a_new_publish(world, studio, home):
    world.publish(REL)
    home.mount()
    os.unlink(home.mnt / REL)
    world.wait_seen(home)
    assert not os.path.exists(home.mnt / REL)
    new = random_bytes('new', 500)
    studio.write('new', new)
    os.rename(studio.root / 'new', studio.root / REL)

    def change(file):
        file['_id'] = {'$oid': file['_id']['$oid'][::-1]}
        file['sites'] = [{'name': 'studio', **recorded()}, {'name': REMOTE}]
    world.hand.edit(REL, change)
    studio.sync_once()
    wait_until(lambda: os.path.exists(home.mnt / REL), 'a new id lifts it')
    assert home.read(REL) == new


# ---- local files ----

def test_publishing_through_the_mount(world, studio, home):
    """What Pype's integrator does (C12), all of it through the studio's mount."""
    studio.mount()
    folder = studio.mnt / 'shots/sh010/publish/v001'
    os.makedirs(folder)
    data = random_bytes(1, 70_001)
    (folder / 'beauty.exr.tmp').write_bytes(data)
    assert os.stat(folder / 'beauty.exr.tmp').st_size == len(data)
    os.rename(folder / 'beauty.exr.tmp', folder / 'beauty.exr')
    os.link(folder / 'beauty.exr', folder / 'hero.exr')
    assert os.stat(folder / 'hero.exr').st_ino == os.stat(folder / 'beauty.exr').st_ino
    assert os.stat(folder / 'hero.exr').st_nlink == 2
    mtime = os.stat(folder / 'beauty.exr').st_mtime_ns
    studio.sitefs('publish', '--project', PROJECT, '--name', 'exr', folder / 'beauty.exr')
    wait_until(lambda: world.is_recorded('v001/beauty.exr', REMOTE), 'sent')
    assert os.stat(folder / 'beauty.exr').st_mtime_ns == mtime
    home.mount()
    assert home.read('shots/sh010/publish/v001/beauty.exr') == data
    assert not world.remote_file('shots/sh010/publish/v001/hero.exr').exists()


def test_local_names_behave_like_the_disk_below(studio):
    studio.mount()
    top = studio.mnt
    (top / 'd').mkdir(mode=0o750)
    assert stat.S_IMODE((top / 'd').stat().st_mode) == 0o750
    (top / 'd/f').write_bytes(b'one')
    with open(top / 'd/f', 'ab') as file:
        file.write(b' two')
        os.fsync(file.fileno())
    with open(top / 'd/f', 'r+b') as file:
        file.seek(4)
        file.write(b'TWO')
        file.truncate(7)
    assert read_file(top / 'd/f') == b'one TWO' == read_file(studio.root / 'd/f')
    os.chmod(top / 'd/f', 0o640)
    os.utime(top / 'd/f', ns=(10**18, 10**18))
    assert os.stat(top / 'd/f').st_mtime_ns == 10**18 == os.stat(studio.root / 'd/f').st_mtime_ns
    os.symlink('f', top / 'd/link')
    assert os.readlink(top / 'd/link') == 'f'
    os.setxattr(top / 'd/f', 'user.mine', b'value')
    assert os.getxattr(studio.root / 'd/f', 'user.mine') == b'value'
    (top / 'd/g').write_bytes(b'old')
    os.replace(top / 'd/f', top / 'd/g')
    assert sorted(os.listdir(top / 'd')) == ['g', 'link']
    os.rename(top / 'd', top / 'e')
    assert errno_of(os.rmdir, top / 'e') == 'ENOTEMPTY'
    for name in ('g', 'link'):
        os.unlink(top / 'e' / name)
    os.rmdir(top / 'e')
    assert os.listdir(top) == []


def test_unpublished_files_never_leave_this_disk(world, studio):
    studio.mount()
    (studio.mnt / 'work').mkdir()
    (studio.mnt / 'work/scene.ma').write_bytes(b'mine')
    world.wait_seen(studio)
    assert studio.state('work/scene.ma') == 'local'
    assert not studio.info('work/scene.ma')['representation']
    assert not world.remote_file('work').exists()
    assert 'does not copy it anywhere' in studio.explain('work/scene.ma')


def test_private_folder_is_hidden(world, home):
    world.publish(REL)
    home.mount()
    home.read(REL)
    assert (home.root / '.sitefs').is_dir()
    assert stat.S_IMODE((home.root / '.sitefs').stat().st_mode) == 0o700
    assert '.sitefs' not in os.listdir(home.mnt)
    assert errno_of(os.stat, home.mnt / '.sitefs') == 'ENOENT'
    assert errno_of(os.mkdir, home.mnt / '.sitefs') is not None


# ---- remote-only files ----

def attributes(path):
    found = os.stat(path)
    return {name: getattr(found, name)
            for name in ('st_size', 'st_mtime_ns', 'st_mode', 'st_uid', 'st_gid', 'st_ino')}


def test_attributes_are_stable_before_during_and_after(world, studio, home):
    data = world.publish(REL, size=3 << 20)
    os.makedirs(home.root / 'shot')
    if os.geteuid() == 0:
        os.chown(home.root / 'shot', 1234, 2345)
    home.mount()
    before = attributes(home.mnt / REL)
    assert before['st_size'] == len(data)
    assert before['st_mtime_ns'] == os.stat(studio.root / REL).st_mtime_ns
    assert stat.S_IMODE(before['st_mode']) == 0o644
    assert (before['st_uid'], before['st_gid']) == (os.stat(home.root / 'shot').st_uid,
                                                    os.stat(home.root / 'shot').st_gid)
    with open(home.mnt / REL, 'rb') as file:
        file.read(10)
        assert attributes(home.mnt / REL) == before == attributes(file.fileno())
        assert file.read() == data[10:]
    home.wait_state(REL, 'local')
    assert attributes(home.mnt / REL) == before
    on_disk = attributes(home.root / REL)
    assert {**on_disk, 'st_ino': 0} == {**before, 'st_ino': 0}


def test_a_remote_only_file_has_no_holes(world, home):
    size = 5 << 20
    world.publish(REL, size=size)
    home.mount()
    assert os.stat(home.mnt / REL).st_blocks * 512 >= size
    with open(home.mnt / REL, 'rb') as file:
        assert os.lseek(file.fileno(), 0, os.SEEK_DATA) == 0
        assert os.lseek(file.fileno(), 0, os.SEEK_HOLE) == size
        with open(home.dir / 'target', 'wb') as target:
            assert errno_of(copy_range, file, target, 1000) in ('EXDEV', 'EOPNOTSUPP')


def copy_range(source, target, count):
    """copy_file_range(2) itself: os.copy_file_range is the same, but its fallback may differ by version."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.copy_file_range(source.fileno(), None, target.fileno(), None, ctypes.c_size_t(count), 0)
    if done < 0:
        raise OSError(ctypes.get_errno(), 'copy_file_range')


@pytest.mark.parametrize('flags', [os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND])
def test_opening_for_writing_queues_the_download_and_says_eacces(world, home, flags):
    data = world.publish(REL)
    home.mount()
    assert errno_of(os.open, home.mnt / REL, flags) == 'EACCES'
    wait_until(lambda: home.on_disk(REL) == data, 'the download was queued')
    wait_until(lambda: errno_of(lambda: os.close(os.open(home.mnt / REL, flags))) is None, 'now it opens')


@pytest.mark.parametrize('how', ['open', 'truncate', 'shell'])
def test_truncating_makes_an_empty_local_file(world, home, how):
    world.publish(REL)
    home.mount()
    if how == 'open':
        with open(home.mnt / REL, 'wb') as file:
            file.write(b'new')
    elif how == 'truncate':
        os.truncate(home.mnt / REL, 0)
    else:
        subprocess.run(['sh', '-c', f'echo new >"{home.mnt / REL}"'], check=True)
    expected = {'open': b'new', 'truncate': b'', 'shell': b'new\n'}[how]
    assert home.read(REL) == expected == home.on_disk(REL)
    world.wait_seen(home)
    assert home.read(REL) == expected
    assert home.state(REL) == 'modified'
    assert os.stat(world.remote_file(REL)).st_size == 1000


def test_truncating_to_a_size_is_writing(world, home):
    world.publish(REL)
    home.mount()
    assert errno_of(os.truncate, home.mnt / REL, 10) == 'EACCES'


def test_removing_a_copy_is_durable_and_recorded(world, home):
    world.publish(REL)
    daemon = home.mount()
    home.read(REL)
    wait_until(lambda: world.is_recorded(REL, 'local_0'), 'recorded')
    os.unlink(home.mnt / REL)
    daemon.kill()
    subprocess.run(['fusermount3', '-u', '-z', home.mnt], check=True)
    home.mount()
    assert not os.path.exists(home.mnt / REL)
    wait_until(lambda: world.entry(REL, 'local_0') is None, 'our entry is removed')
    world.wait_seen(home)
    assert home.on_disk(REL) is None, 'downloads skip it'
    assert home.state(REL) == 'hidden'
    assert world.remote_file(REL).exists()


def test_a_single_incomplete_file_is_copied_instead_of_renamed(world, home):
    data = world.publish(REL)
    home.mount()
    assert errno_of(os.rename, home.mnt / REL, home.mnt / 'shot/c.exr') == 'EXDEV'
    assert errno_of(os.link, home.mnt / REL, home.mnt / 'shot/c.exr') == 'EXDEV'
    subprocess.run(['mv', home.mnt / REL, home.mnt / 'shot/c.exr'], check=True)
    assert home.read('shot/c.exr') == data
    assert sorted(os.listdir(home.mnt / 'shot')) == ['c.exr']


# ---- xattrs and ro ----

def test_xattrs_tell_the_state(world, home):
    data = world.publish(REL)
    home.mount()

    def xattr(name):
        return os.getxattr(home.mnt / REL, f'user.sitefs.{name}').decode()

    assert xattr('state') == 'remote'
    assert xattr('pinned') == '0'
    assert float(xattr('progress').rstrip('%')) == 0
    assert REMOTE in xattr('sites')
    home.read(REL)
    wait_until(lambda: xattr('state') == 'local', 'local')
    assert errno_of(os.setxattr, home.mnt / REL, 'user.sitefs.state', b'x') in ('EPERM', 'EACCES', 'EOPNOTSUPP')
    assert len(data) == os.stat(home.mnt / REL).st_size


def test_a_read_only_mount_records_nothing(world, home):
    data = world.publish(REL)
    home.mount('ro')
    assert home.read(REL) == data
    assert errno_of(os.mkdir, home.mnt / 'x') == 'EROFS'
    assert errno_of(os.unlink, home.mnt / REL) == 'EROFS'
    assert errno_of(os.open, home.mnt / REL, os.O_WRONLY) == 'EROFS'
    world.site('studio').add_site('local_0', REL)
    stays(lambda: not world.is_recorded(REL, 'local_0'), 'nothing is recorded', 2)


def test_a_cache_mount_keeps_and_records_nothing(world, home):
    data = world.publish(REL)
    home.mount('cache')
    assert home.read(REL) == data
    wait_until(lambda: home.on_disk(REL) == data, 'it is kept')
    stays(lambda: world.entry(REL, 'local_0') is None, 'nothing is recorded', 2)


def test_project_shows_one_project(world, studio, home):
    world.publish(REL)
    studio.write('other/x.exr')
    studio.publish('other/x.exr', project='second')
    studio.sync_once()
    home.mount('project=second')
    assert os.listdir(home.mnt) == ['other']


def test_reads_past_the_deadline_end(world, home):
    """A read never hangs: with the remote away it is an error that names why."""
    world.publish(REL)
    home.mount('deadline=2')
    world.remote.rename(world.dir / 'away')
    started = time.monotonic()
    assert errno_of(home.read, REL) in ('EIO', 'ETIMEDOUT')
    assert time.monotonic() - started < 30
    assert home.explain(REL)
    (world.dir / 'away').rename(world.remote)


def test_a_stale_mount_of_our_own_is_replaced(world, home):
    data = world.publish(REL)
    home.mount().kill()
    assert errno_of(os.listdir, home.mnt) == 'ENOTCONN'
    home.mount()
    assert home.read(REL) == data
