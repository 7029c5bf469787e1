"""Local files through the mount behave as on the disk below: what programs that publish and clean up rely on."""

import ctypes
import errno
import fcntl
import mmap
import os
import random
import shutil
import socket
import stat
import subprocess
import threading

import pytest

from harness import acl, errno_of, lock_of_open_file, random_bytes, read_file, tree, wait_until, write_file


@pytest.fixture
def root(home):
    """The folder below, as the disk has it."""
    return home.root


@pytest.fixture
def mnt(home):
    home.mount()
    return home.mnt


def same_stat(a, b):
    """Everything that stat() tells but the device and the times of reading."""
    fields = ('st_mode', 'st_nlink', 'st_uid', 'st_gid', 'st_size', 'st_blocks', 'st_mtime_ns', 'st_ino')
    return all(getattr(a, field) == getattr(b, field) for field in fields)


# ---- publishing (C12) ----

def test_publishing_as_the_integrator_does(mnt, root):
    """mkdir -p, write x.tmp, stat, rename over the name, hard link, unlink: each step seen at once and exact."""
    folder = mnt / 'shot/publish/render/v001'
    os.makedirs(folder)
    target, temporary = folder / 'beauty.1001.exr', folder / 'beauty.1001.exr.tmp'
    for size in (100_001, 50, 0, 1 << 20):
        data = random_bytes(size + 1, size)
        with open(temporary, 'wb') as file:
            file.write(data)
        assert os.stat(temporary).st_size == size
        os.rename(temporary, target)
        assert os.stat(target).st_size == size
        assert not temporary.exists()
        assert read_file(target) == data
        assert read_file(root / 'shot/publish/render/v001/beauty.1001.exr') == data
    hero = mnt / 'shot/publish/render/hero'
    hero.mkdir()
    os.link(target, hero / 'beauty.1001.exr')
    assert os.stat(target).st_nlink == 2
    assert os.stat(target).st_ino == os.stat(hero / 'beauty.1001.exr').st_ino
    os.unlink(hero / 'beauty.1001.exr')
    assert os.stat(target).st_nlink == 1
    assert tree(mnt) == [name for name in tree(root) if not name.startswith('.sitefs')]


def test_size_is_exact_right_after_close(mnt):
    for i in range(200):
        path = mnt / 'f'
        with open(path, 'wb', buffering=0) as file:
            for _ in range(3):
                file.write(b'x' * (i + 1))
                assert os.fstat(file.fileno()).st_size == os.stat(path).st_size
        assert os.stat(path).st_size == 3 * (i + 1)


def test_hero_is_replaced_by_renaming_folders(mnt, root):
    hero, backup = mnt / 'hero', mnt / 'hero.backup'
    write_file(root / 'hero/a/x.ma', b'old')
    for i in range(3):
        os.rename(hero, backup)
        assert not hero.exists()
        write_file(hero / 'a/x.ma', b'new %d' % i)
        assert read_file(hero / 'a/x.ma') == b'new %d' % i
        subprocess.run(['rm', '-rf', backup], check=True)
        assert not backup.exists()
    assert read_file(root / 'hero/a/x.ma') == b'new 2'


# ---- names ----

def test_rename_with_flags(mnt):
    write_file(mnt / 'a', b'a')
    write_file(mnt / 'b', b'b')
    (mnt / 'd').mkdir()
    write_file(mnt / 'd/x', b'x')
    assert rename(mnt / 'a', mnt / 'b', NOREPLACE) == errno.EEXIST
    assert read_file(mnt / 'b') == b'b'
    assert rename(mnt / 'a', mnt / 'c', NOREPLACE) == 0
    assert rename(mnt / 'c', mnt / 'b', EXCHANGE) == 0
    assert (read_file(mnt / 'c'), read_file(mnt / 'b')) == (b'b', b'a')
    assert rename(mnt / 'c', mnt / 'd', EXCHANGE) == 0
    assert read_file(mnt / 'd') == b'b' and read_file(mnt / 'c/x') == b'x'
    assert rename(mnt / 'c', mnt / 'missing', EXCHANGE) == errno.ENOENT
    assert rename(mnt / 'd', mnt / 'e', WHITEOUT) == errno.EINVAL


NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4


def rename(old, new, flags):
    """renameat2(2): 0 or the errno."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags)
    return ctypes.get_errno() if done < 0 else 0


def test_rename_of_what_does_not_fit(mnt):
    write_file(mnt / 'full/x', b'')
    write_file(mnt / 'f', b'')
    (mnt / 'empty').mkdir()
    (mnt / 'other').mkdir()
    assert errno_of(os.rename, mnt / 'other', mnt / 'full') in ('ENOTEMPTY', 'EEXIST')  # xfs says the latter
    assert errno_of(os.rename, mnt / 'other', mnt / 'f') == 'ENOTDIR'
    assert errno_of(os.rename, mnt / 'f', mnt / 'other') == 'EISDIR'
    assert errno_of(os.rename, mnt / 'full', mnt / 'full/below') == 'EINVAL'
    assert errno_of(os.rename, mnt / 'missing', mnt / 'g') == 'ENOENT'
    os.rename(mnt / 'full', mnt / 'empty')
    assert tree(mnt) == ['empty/', 'empty/x', 'f', 'other/']


def test_open_folders_and_files_follow_a_rename(mnt):
    write_file(mnt / 'a/b/f', b'text')
    folder = os.open(mnt / 'a/b', os.O_RDONLY)
    file = os.open(mnt / 'a/b/f', os.O_RDWR)
    ino = os.stat(mnt / 'a').st_ino
    os.rename(mnt / 'a', mnt / 'z')
    assert os.stat(mnt / 'z').st_ino == ino
    assert os.listdir(folder) == ['f']
    os.close(os.open('g', os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    assert tree(mnt) == ['z/', 'z/b/', 'z/b/f', 'z/b/g']
    os.pwrite(file, b'TEXT', 0)
    os.fsync(file)
    assert read_file(mnt / 'z/b/f') == b'TEXT'
    os.fchmod(file, 0o600)
    assert stat.S_IMODE(os.stat(mnt / 'z/b/f').st_mode) == 0o600
    os.close(folder)
    os.close(file)


def test_hard_links_are_one_file(mnt):
    write_file(mnt / 'one', b'1')
    (mnt / 'd').mkdir()
    os.link(mnt / 'one', mnt / 'd/two')
    with open(mnt / 'one', 'r+b', buffering=0) as one, open(mnt / 'd/two', 'rb', buffering=0) as two:
        assert two.read() == b'1'
        one.write(b'written through one')
        two.seek(0)
        assert two.read() == b'written through one'
    assert os.stat(mnt / 'one').st_nlink == os.stat(mnt / 'd/two').st_nlink == 2
    assert errno_of(os.link, mnt / 'one', mnt / 'd/two') == 'EEXIST'
    os.unlink(mnt / 'one')
    assert os.stat(mnt / 'd/two').st_nlink == 1
    assert read_file(mnt / 'd/two') == b'written through one'
    os.rename(mnt / 'd/two', mnt / 'one')
    assert read_file(mnt / 'one') == b'written through one'


def test_unlinked_but_open(mnt, root):
    file = os.open(mnt / 'f', os.O_CREAT | os.O_RDWR, 0o640)
    os.write(file, b'before')
    os.unlink(mnt / 'f')
    assert not (root / 'f').exists()
    assert os.fstat(file).st_nlink == 0
    os.pwrite(file, b' after', 6)
    assert os.pread(file, 100, 0) == b'before after'
    os.ftruncate(file, 3)
    assert os.fstat(file).st_size == 3
    os.fchmod(file, 0o600)
    os.utime(file, ns=(5, 7))
    assert (os.fstat(file).st_mtime_ns, stat.S_IMODE(os.fstat(file).st_mode)) == (7, 0o600)
    again = os.open(f'/proc/self/fd/{file}', os.O_RDONLY)
    assert os.read(again, 10) == b'bef'
    os.close(again)
    # the name is free for another file
    write_file(mnt / 'f', b'other')
    assert os.pread(file, 100, 0) == b'bef'
    assert os.fstat(file).st_ino != os.stat(mnt / 'f').st_ino
    os.close(file)


def test_removed_but_open_folders(mnt):
    for remove in (lambda: os.rmdir(mnt / 'd'), lambda: os.rename(mnt / 'other', mnt / 'd')):
        (mnt / 'd').mkdir()
        (mnt / 'other').mkdir(exist_ok=True)
        folder = os.open(mnt / 'd', os.O_RDONLY)
        ino = os.fstat(folder).st_ino
        remove()
        assert (os.fstat(folder).st_nlink, os.fstat(folder).st_ino) == (0, ino)
        os.fchmod(folder, 0o700)
        assert stat.S_IMODE(os.fstat(folder).st_mode) == 0o700
        os.fsync(folder)
        assert os.listdir(folder) == []
        assert errno_of(os.open, 'f', os.O_CREAT | os.O_WRONLY, dir_fd=folder) == 'ENOENT'
        os.close(folder)


def test_overwritten_by_rename_but_open(mnt):
    write_file(mnt / 'f', b'old')
    with open(mnt / 'f', 'rb') as old:
        write_file(mnt / 'f.tmp', b'newer')
        os.rename(mnt / 'f.tmp', mnt / 'f')
        assert read_file(mnt / 'f') == b'newer'
        assert old.read() == b'old'
        assert os.fstat(old.fileno()).st_nlink == 0


def test_symlinks(mnt, root):
    write_file(root / 'd/f', b'text')
    os.symlink('d/f', mnt / 'short')
    os.symlink('x' * 1000, mnt / 'long')  # xfs takes 1023
    os.symlink(mnt / 'd', mnt / 'absolute')
    os.symlink('/etc', mnt / 'outside')
    assert os.readlink(mnt / 'short') == 'd/f'
    assert os.readlink(mnt / 'long') == 'x' * 1000
    assert read_file(mnt / 'short') == read_file(mnt / 'absolute/f') == b'text'
    assert os.path.samefile(mnt / 'outside/passwd', '/etc/passwd')
    assert os.lstat(mnt / 'short').st_size == 3
    os.utime(mnt / 'short', ns=(11, 13), follow_symlinks=False)
    assert os.lstat(mnt / 'short').st_mtime_ns == 13
    os.unlink(mnt / 'short')
    assert read_file(mnt / 'd/f') == b'text'


def test_special_files(mnt):
    os.mkfifo(mnt / 'fifo', 0o600)
    assert stat.S_ISFIFO(os.stat(mnt / 'fifo').st_mode)
    heard = []

    def listen():
        with open(mnt / 'fifo', 'rb') as fifo:
            heard.append(fifo.read())

    thread = threading.Thread(target=listen)
    thread.start()
    with open(mnt / 'fifo', 'wb') as fifo:
        fifo.write(b'through')
    thread.join()
    assert heard == [b'through']
    server = socket.socket(socket.AF_UNIX)
    folder = os.open(mnt, os.O_RDONLY)
    server.bind(f'/proc/self/fd/{folder}/socket')
    assert stat.S_ISSOCK(os.lstat(mnt / 'socket').st_mode)
    server.close()
    os.close(folder)


def test_names_of_every_kind(mnt, root):
    for name in (b'a b', b'\xc3\xa4', b'\xff\xfe', b'new\nline', b'-rf', b'*', b'n' * 255):
        path = os.path.join(os.fsencode(mnt), name)
        os.mkdir(path)
        with open(os.path.join(path, name), 'wb') as file:
            file.write(name)
        assert read_file(os.path.join(os.fsencode(root), name, name)) == name
        assert os.listdir(path) == [name]
    assert errno_of(os.mkdir, mnt / ('n' * 256)) == 'ENAMETOOLONG'


def test_paths_longer_than_the_kernel_takes_at_once(mnt, root):
    """Reached step by step, as the disk allows."""
    step = '/'.join(['d' * 200] * 10)
    folders = [os.open(mnt, os.O_RDONLY | os.O_DIRECTORY)]
    try:
        for _ in range(3):
            os.makedirs(f'/proc/self/fd/{folders[-1]}/{step}')
            folders.append(os.open(step, os.O_RDONLY | os.O_DIRECTORY, dir_fd=folders[-1]))
        with open(os.open('f', os.O_CREAT | os.O_RDWR, dir_fd=folders[-1]), 'wb') as file:
            file.write(b'deep')
        os.chmod('f', 0o640, dir_fd=folders[-1])
        os.truncate(f'/proc/self/fd/{folders[-1]}/f', 3)
        os.link('f', 'g', src_dir_fd=folders[-1], dst_dir_fd=folders[-1])
        os.rename('g', 'h', src_dir_fd=folders[-1], dst_dir_fd=folders[0])
        assert read_file(root / 'h') == b'dee' and stat.S_IMODE(os.stat(mnt / 'h').st_mode) == 0o640
        assert os.listdir(folders[-1]) == ['f']
        with open(os.open('f', os.O_RDONLY, dir_fd=folders[-1]), 'rb') as file:
            assert file.read() == b'dee'
        os.unlink('f', dir_fd=folders[-1])
    finally:
        for folder in folders:
            os.close(folder)
    shutil.rmtree(mnt / ('d' * 200))
    assert not (root / ('d' * 200)).exists()


def test_sitefs_own_folder_is_not_there(mnt, root):
    (root / '.sitefs').mkdir(exist_ok=True)
    assert '.sitefs' not in os.listdir(mnt)
    assert errno_of(os.stat, mnt / '.sitefs') == 'ENOENT'
    assert errno_of(os.mkdir, mnt / '.sitefs') == 'EACCES'
    assert errno_of(write_file, mnt / '.sitefs', b'') == 'EACCES'
    write_file(mnt / 'f', b'')
    assert errno_of(os.rename, mnt / 'f', mnt / '.sitefs') == 'EACCES'
    assert errno_of(os.link, mnt / 'f', mnt / '.sitefs') == 'EACCES'
    assert errno_of(os.symlink, 'f', mnt / '.sitefs') == 'EACCES'
    # below the top the name is anybody's
    (mnt / 'd/.sitefs').mkdir(parents=True)
    assert tree(mnt / 'd') == ['.sitefs/']


# ---- bytes ----

def test_append(mnt, root):
    """Each write goes to the end, also where another writer moves it, and a mapping still goes where it belongs."""
    write_file(mnt / 'f', b'')
    one = os.open(mnt / 'f', os.O_RDWR | os.O_APPEND)
    two = os.open(mnt / 'f', os.O_WRONLY | os.O_APPEND)
    for i in range(50):
        os.write(one, b'1%02d' % i)
        os.write(two, b'2%02d' % i)
    expected = b''.join(b'1%02d2%02d' % (i, i) for i in range(50))
    assert read_file(mnt / 'f') == expected
    with open(root / 'f', 'ab') as behind:
        behind.write(b'behind')
    os.write(one, b'!')
    assert read_file(root / 'f') == expected + b'behind!'
    with mmap.mmap(one, len(expected)) as mapping:
        mapping[0:3] = b'MAP'
        mapping.flush()
    assert read_file(root / 'f') == b'MAP' + expected[3:] + b'behind!'
    flags = fcntl.fcntl(one, fcntl.F_GETFL)
    fcntl.fcntl(one, fcntl.F_SETFL, flags & ~os.O_APPEND)
    os.pwrite(one, b'no longer', 0)
    assert read_file(root / 'f').startswith(b'no longer')
    os.close(one)
    os.close(two)


def test_exclusive_create(mnt):
    assert errno_of(os.open, mnt / 'missing/f', os.O_CREAT | os.O_WRONLY) == 'ENOENT'
    os.close(os.open(mnt / 'f', os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    assert errno_of(os.open, mnt / 'f', os.O_CREAT | os.O_EXCL | os.O_WRONLY) == 'EEXIST'
    won = []

    def race(i):
        try:
            os.close(os.open(mnt / 'race', os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            won.append(i)
        except FileExistsError:
            pass

    threads = [threading.Thread(target=race, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_truncate(mnt, root):
    data = random_bytes(3, 100_000)
    write_file(mnt / 'f', data)
    os.truncate(mnt / 'f', 10)
    assert read_file(mnt / 'f') == data[:10]
    os.truncate(mnt / 'f', 5000)
    assert read_file(mnt / 'f') == data[:10] + bytes(4990)
    os.chmod(mnt / 'f', 0o400)
    with open(mnt / 'f', 'rb') as file:
        assert len(file.read()) == 5000
    os.chmod(mnt / 'f', 0o600)
    with open(mnt / 'f', 'wb') as file:
        assert os.fstat(file.fileno()).st_size == os.stat(root / 'f').st_size == 0
        file.write(b'again')
    assert read_file(root / 'f') == b'again'


def test_mappings(mnt, root):
    data = random_bytes(4, 3 << 20)
    write_file(mnt / 'f', data)
    with open(mnt / 'f', 'r+b') as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as private:
            assert private[:] == data
        with mmap.mmap(file.fileno(), 0) as shared:
            shared[1_000_000:1_000_005] = b'HELLO'
            shared.flush()
        assert read_file(mnt / 'f')[1_000_000:1_000_005] == b'HELLO'
    assert read_file(root / 'f')[1_000_000:1_000_005] == b'HELLO'


def test_random_writes_and_reads(mnt, root):
    """The same calls on the mount and on a file beside it leave the same bytes."""
    rng = random.Random(7)
    with open(mnt / 'f', 'w+b', buffering=0) as ours, open(root / 'copy', 'w+b', buffering=0) as theirs:
        for _ in range(400):
            offset, size = rng.randrange(300_000), rng.randrange(1, 70_000)
            if rng.random() < 0.5:
                data = rng.randbytes(size)
                assert os.pwrite(ours.fileno(), data, offset) == os.pwrite(theirs.fileno(), data, offset)
            elif rng.random() < 0.1:
                os.ftruncate(ours.fileno(), offset)
                os.ftruncate(theirs.fileno(), offset)
            else:
                assert os.pread(ours.fileno(), size, offset) == os.pread(theirs.fileno(), size, offset)
    assert read_file(root / 'f') == read_file(root / 'copy')


def test_sparse_files(mnt, root):
    with open(mnt / 'f', 'w+b') as file:
        os.pwrite(file.fileno(), b'x' * 4096, 1 << 20)
        os.ftruncate(file.fileno(), 2 << 20)
        os.fsync(file.fileno())
        ours = [os.lseek(file.fileno(), 0, os.SEEK_DATA), os.lseek(file.fileno(), 1 << 20, os.SEEK_HOLE)]
        with open(root / 'f', 'rb') as below:
            assert ours == [os.lseek(below.fileno(), 0, os.SEEK_DATA), os.lseek(below.fileno(), 1 << 20, os.SEEK_HOLE)]
        os.posix_fallocate(file.fileno(), 0, 3 << 20)
        assert os.fstat(file.fileno()).st_size == 3 << 20
    assert os.stat(mnt / 'f').st_blocks == os.stat(root / 'f').st_blocks


def test_copy_file_range(mnt):
    data = random_bytes(5, 1_000_000)
    write_file(mnt / 'from', data)
    with open(mnt / 'from', 'rb') as source, open(mnt / 'to', 'wb') as target:
        done = 0
        while done < len(data):
            n = os.copy_file_range(source.fileno(), target.fileno(), len(data) - done)
            assert n > 0
            done += n
    assert read_file(mnt / 'to') == data


def test_locks_are_seen_by_others(mnt):
    write_file(mnt / 'f', b'')
    with open(mnt / 'f', 'r+b') as file:
        for lock, try_lock in ((lambda: fcntl.flock(file, fcntl.LOCK_EX), 'flock'),
                               (lambda: fcntl.lockf(file, fcntl.LOCK_EX), 'lockf')):
            lock()
            script = f'import fcntl, sys; f = open(sys.argv[1], "r+b"); fcntl.{try_lock}(f, fcntl.LOCK_EX | fcntl.LOCK_NB)'
            other = subprocess.run(['/usr/bin/python3', '-c', script, mnt / 'f'], capture_output=True, check=False)
            assert b'BlockingIOError' in other.stderr
            fcntl.flock(file, fcntl.LOCK_UN)
            fcntl.lockf(file, fcntl.LOCK_UN)


@pytest.mark.parametrize('kind', ('flock', 'fcntl', 'of open files'))
def test_who_waits_for_a_lock_stops_nobody(mnt, kind):
    """... however many wait: all else goes on, and they get it in the end."""
    write_file(mnt / 'f', b'')
    lock = {'flock': lambda file, how: fcntl.flock(file, how),
            'fcntl': lambda file, how: fcntl.lockf(file, how),
            'of open files': lambda file, how: lock_of_open_file(
                file, {fcntl.LOCK_EX: fcntl.F_WRLCK, fcntl.LOCK_UN: fcntl.F_UNLCK}[how], wait=True)}[kind]
    with open(mnt / 'f', 'r+b') as held:
        lock(held, fcntl.LOCK_EX)
        waiting = []
        for _ in range(16):
            child = os.fork()
            if child == 0:
                file = os.open(mnt / 'f', os.O_RDWR)
                lock(file, fcntl.LOCK_EX)
                os._exit(0)
            waiting.append(child)
        for i in range(50):
            write_file(mnt / f'd/{i}', b'x')
            assert read_file(mnt / f'd/{i}') == b'x'
        assert len(os.listdir(mnt / 'd')) == 50
        assert all(os.waitpid(child, os.WNOHANG) == (0, 0) for child in waiting)
        lock(held, fcntl.LOCK_UN)
        assert [os.waitpid(child, 0)[1] for child in waiting] == [0] * 16


def test_locks_of_open_files(mnt):
    """Two openings by one process are two owners, and one that is closed lets go."""
    write_file(mnt / 'f', b'')
    one, other = os.open(mnt / 'f', os.O_RDWR), os.open(mnt / 'f', os.O_RDWR)
    lock_of_open_file(one, fcntl.F_WRLCK)
    assert errno_of(lock_of_open_file, other, fcntl.F_RDLCK) == 'EAGAIN'
    os.close(one)
    lock_of_open_file(other, fcntl.F_WRLCK)
    os.close(other)


def test_allocating_and_punching(mnt, root):
    """fallocate(2) in each mode, beside the same on the disk."""
    libc = ctypes.CDLL(None, use_errno=True)
    keep_size, punch_hole, zero_range = 1, 2, 16
    data = random_bytes(7, 100_000)
    found = []
    for folder in (root / 'twin', mnt):
        write_file(folder / 'f', data)
        done = []
        with open(folder / 'f', 'r+b', buffering=0) as file:
            for mode, offset, size in ((0, 90_000, 50_000), (keep_size, 0, 300_000), (keep_size | punch_hole, 5000, 9000),
                                       (zero_range, 20_000, 3000), (zero_range | keep_size, 1000, 10), (0, 0, 0),
                                       (punch_hole, 0, 4096)):
                r = libc.fallocate(file.fileno(), mode, ctypes.c_long(offset), ctypes.c_long(size))
                done.append((r, ctypes.get_errno() if r else 0, os.fstat(file.fileno()).st_size))
        found.append((done, read_file(folder / 'f')))
    assert found[0] == found[1]
    assert read_file(root / 'f') == found[0][1]


def test_direct_io(mnt, root):
    buffer = mmap.mmap(-1, 8192)
    buffer.write(random_bytes(6, 8192))
    file = os.open(mnt / 'f', os.O_CREAT | os.O_RDWR | os.O_DIRECT)
    assert os.writev(file, [buffer]) == 8192
    assert read_file(root / 'f') == bytes(buffer)
    again = mmap.mmap(-1, 8192)
    os.lseek(file, 0, os.SEEK_SET)
    assert os.readv(file, [again]) == 8192
    assert bytes(again) == bytes(buffer)
    os.close(file)


def test_unnamed_temporary_files_are_refused_cleanly(mnt):
    assert errno_of(os.open, mnt, os.O_TMPFILE | os.O_RDWR) == 'ENOTSUP'


# ---- attributes ----

def test_attributes_are_those_of_the_disk(mnt, root):
    write_file(mnt / 'd/f', b'x' * 12345)
    os.symlink('f', mnt / 'd/link')
    os.chmod(mnt / 'd/f', 0o4751)
    os.utime(mnt / 'd/f', ns=(1_234_567_890_123_456_789, 987_654_321_987_654_321))
    os.chmod(mnt / 'd', 0o2775)
    for name in ('d', 'd/f', 'd/link'):
        assert same_stat(os.lstat(mnt / name), os.lstat(root / name)), name
    assert os.stat(mnt / 'd/f').st_mtime_ns == 987_654_321_987_654_321
    assert os.statvfs(mnt).f_blocks == os.statvfs(root).f_blocks


def test_umask_and_set_group_folders(mnt, root):
    for mask in (0o022, 0o077, 0o002, 0):
        old = os.umask(mask)
        try:
            os.mkdir(mnt / f'd{mask}', 0o777)
            os.close(os.open(mnt / f'f{mask}', os.O_CREAT | os.O_WRONLY, 0o666))
        finally:
            os.umask(old)
        assert stat.S_IMODE(os.stat(root / f'd{mask}').st_mode) == 0o777 & ~mask
        assert stat.S_IMODE(os.stat(root / f'f{mask}').st_mode) == 0o666 & ~mask
    (mnt / 'set').mkdir()
    os.chmod(mnt / 'set', 0o2775)
    (mnt / 'set/below').mkdir()
    assert os.stat(root / 'set/below').st_mode & stat.S_ISGID


def test_set_user_bits_go_with_a_write(mnt):
    write_file(mnt / 'f', b'x')
    os.chmod(mnt / 'f', 0o6755)
    # root keeps them, as on the disk
    expected = 0o6755 if os.geteuid() == 0 else 0o755
    with open(mnt / 'f', 'r+b') as file:
        file.write(b'y')
    assert stat.S_IMODE(os.stat(mnt / 'f').st_mode) == expected


def test_xattrs_pass_through(mnt, root):
    write_file(mnt / 'f', b'')
    os.setxattr(mnt / 'f', 'user.ours', b'value')
    assert os.getxattr(root / 'f', 'user.ours') == b'value'
    assert os.listxattr(mnt / 'f') == ['user.ours']
    assert errno_of(os.getxattr, mnt / 'f', 'user.other') == 'ENODATA'
    assert os.getxattr(mnt / 'f', 'user.sitefs.state') == b'local'
    assert errno_of(os.getxattr, mnt / 'f', 'user.sitefs.repre') == 'ENODATA'
    assert errno_of(os.getxattr, mnt / 'f', 'security.selinux') == 'ENODATA'
    assert errno_of(os.setxattr, mnt / 'f', 'user.sitefs.state', b'local') == 'EPERM'
    assert errno_of(os.setxattr, mnt / 'f', 'user.ours', b'', os.XATTR_CREATE) == 'EEXIST'
    os.removexattr(mnt / 'f', 'user.ours')
    assert os.listxattr(root / 'f') == []
    (mnt / 'd').mkdir()
    os.setxattr(mnt / 'd', 'user.folder', b'x' * 1000)
    assert os.getxattr(mnt / 'd', 'user.folder') == b'x' * 1000


def test_access_lists_are_those_of_the_disk(mnt, root):
    """Set, inherited instead of the umask, changed by chmod: each as on the disk."""
    owner, user, owning_group, group, mask, other = 1, 2, 4, 8, 16, 32
    default = acl((owner, 7), (user, 6, 12345), (owning_group, 5), (group, 7, 54321), (mask, 7), (other, 0))
    access = acl((owner, 6), (user, 4, 12345), (owning_group, 4), (mask, 4), (other, 4))

    def lists(path):
        return [errno_of(os.getxattr, path, f'system.posix_acl_{kind}') or os.getxattr(path, f'system.posix_acl_{kind}')
                for kind in ('access', 'default')]

    found = []
    for folder in (root / 'twin', mnt):
        (folder / 'd').mkdir(parents=True)
        said = [errno_of(os.setxattr, folder / 'd', 'system.posix_acl_default', default)]
        old = os.umask(0o077)
        try:
            os.close(os.open(folder / 'd/f', os.O_CREAT | os.O_WRONLY, 0o666))
            os.mkdir(folder / 'd/e', 0o777)
            os.mkfifo(folder / 'd/p', 0o666)
        finally:
            os.umask(old)
        names = [folder / 'd', *(folder / 'd' / name for name in 'fep')]
        said += [(lists(path), os.stat(path).st_mode) for path in names]
        said.append(errno_of(os.setxattr, folder / 'd/f', 'system.posix_acl_access', access))
        os.chmod(folder / 'd/e', 0o2751)
        said += [(lists(path), os.stat(path).st_mode) for path in names]
        said.append(errno_of(os.removexattr, folder / 'd/f', 'system.posix_acl_access'))
        said += [(lists(path), os.stat(path).st_mode) for path in names]
        found.append(said)
    assert found[0] == found[1]
    assert [lists(root / 'd' / name) for name in 'fep'] == [lists(mnt / 'd' / name) for name in 'fep']


# ---- folders ----

def test_reading_a_folder_while_it_changes(mnt, root):
    """Names that stay are read exactly once, whatever comes and goes between two reads."""
    folder = root / 'd'
    folder.mkdir()
    for i in range(5000):
        (folder / f'stays{i:05}').touch()
        (folder / f'goes{i:05}').touch()
    seen = []
    with os.scandir(mnt / 'd') as entries:
        for n, entry in enumerate(entries):
            seen.append(entry.name)
            if n % 10 == 0 and n < 5000:
                os.unlink(mnt / f'd/goes{n:05}')
                (mnt / f'd/new{n:05}').touch()
    stayed = [name for name in seen if name.startswith('stays')]
    assert len(stayed) == len(set(stayed)) == 5000
    assert len(seen) == len(set(seen))
    assert sorted(os.listdir(mnt / 'd')) == sorted(os.listdir(root / 'd'))


def test_rewind_reads_anew(mnt):
    (mnt / 'd').mkdir()
    folder = os.open(mnt / 'd', os.O_RDONLY)
    assert os.listdir(folder) == []
    (mnt / 'd/f').touch()
    assert os.listdir(folder) == ['f']
    os.unlink(mnt / 'd/f')
    assert os.listdir(folder) == []
    os.close(folder)


def test_deleting_a_tree(mnt, root):
    for i in range(30):
        for j in range(30):
            write_file(root / f'd/{i}/{j}/f', b'')
    assert errno_of(os.rmdir, mnt / 'd') == 'ENOTEMPTY'
    subprocess.run(['rm', '-r', mnt / 'd'], check=True)
    assert not (root / 'd').exists()


def test_what_is_done_to_the_disk_is_seen(mnt, root):
    write_file(root / 'f', b'one')
    assert read_file(mnt / 'f') == b'one'
    write_file(root / 'f.new', b'second')
    os.rename(root / 'f.new', root / 'f')
    wait_until(lambda: os.stat(mnt / 'f').st_size == 6, 'the replaced file')
    assert read_file(mnt / 'f') == b'second'
    os.unlink(root / 'f')
    wait_until(lambda: not (mnt / 'f').exists(), 'that it is gone')
    (root / 'd').mkdir()
    wait_until((mnt / 'd').is_dir, 'the new folder')


def test_names_that_others_change_are_seen(mnt, root):
    """Behind the mount's back, whatever the kernel remembers: names held as there, as missing, as a folder."""
    write_file(root / 'd/f', b'one')
    assert (mnt / 'd/f').exists() and not (mnt / 'd/new').exists() and not (mnt / 'other').exists()
    os.unlink(root / 'd/f')
    wait_until(lambda: errno_of(make_exclusive, mnt / 'd/f') is None, 'a removed name is free')
    write_file(root / 'd/new', b'new')
    wait_until((mnt / 'd/new').exists, 'a name that was missing')
    os.rename(root / 'd', root / 'e')
    wait_until(lambda: not (mnt / 'd').exists() and (mnt / 'e/new').exists(), 'the folder under its new name')
    write_file(root / 'd/f', b'another folder')
    wait_until(lambda: (mnt / 'd/f').exists() and read_file(mnt / 'd/f') == b'another folder', 'the new folder')
    os.rename(root / 'e/new', root / 'e/newer')
    wait_until(lambda: sorted(os.listdir(mnt / 'e')) == ['f', 'newer'], 'the renamed file')
    os.chmod(root / 'e', 0o700)
    wait_until(lambda: stat.S_IMODE(os.stat(mnt / 'e').st_mode) == 0o700, 'the mode of a folder')
    os.chmod(root / 'e/newer', 0o600)
    wait_until(lambda: stat.S_IMODE(os.stat(mnt / 'e/newer').st_mode) == 0o600, 'the mode of a file')
    os.symlink('newer', root / 'e/link')
    wait_until(lambda: (mnt / 'e/link').is_symlink(), 'the new symlink')
    wait_until(lambda: os.stat(mnt / 'e').st_mtime_ns == os.stat(root / 'e').st_mtime_ns, 'the time of the folder')


def make_exclusive(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))


def test_a_file_that_others_write_is_seen_growing(mnt, root):
    write_file(root / 'log', b'')
    os.utime(root / 'log', (1, 1))
    assert os.stat(mnt / 'log').st_size == 0
    with open(mnt / 'log', 'rb', buffering=0) as reading, open(root / 'log', 'ab', buffering=0) as writing:
        for i in range(3):
            writing.write(b'line\n')
            wait_until(lambda: reading.read(100) == b'line\n', 'the next line')
    wait_until(lambda: os.stat(mnt / 'log').st_size == 15, 'the size')
