"""
The same random operations on the mount and on a folder of the disk: each result, each errno and what is left at the
end are equal. Beside them remote files are streamed, completed, evicted and published anew. SITEFS_SEED repeats a run,
SITEFS_COMPARE_SECONDS makes it longer than its few thousand operations.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import random
import shutil
import stat
import subprocess
import threading
import time
import traceback

import pytest

from harness import random_bytes, read_file

SECONDS = float(os.environ.get('SITEFS_COMPARE_SECONDS', '0'))
OPERATIONS = 3000  # at least; after as many the trees are compared, and begun anew: folders renamed into each other get deep
NAMES = 'abcd'
HELD_MAX = 6
ARRIVING = '.fake.new'  # a file of the fake engine that is about to get its name
LIBC = ctypes.CDLL(None, use_errno=True)
NOREPLACE, EXCHANGE = 1, 2  # renameat2(2)
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16  # fallocate(2)


class Walk:
    """Operations by one hand; what they do depends on the random numbers only."""

    def __init__(self, top, seed):
        self.top, self.rng, self.held = top, random.Random(seed), []

    def path(self):
        return self.top / '/'.join(self.rng.choice(NAMES) for _ in range(self.rng.choice((1, 1, 2, 2, 3))))

    def write(self):
        flags = self.rng.choice((os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_WRONLY | os.O_APPEND,
                                 os.O_RDWR | os.O_CREAT | os.O_TRUNC, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        path, offset, data = self.path(), self.rng.randrange(70_000), self.rng.randbytes(self.rng.randrange(9000))
        file = os.open(path, flags | os.O_NONBLOCK, 0o640)
        try:
            done = [os.pwrite(file, data, offset), os.fstat(file).st_size]
            if self.rng.random() < 0.2:
                os.ftruncate(file, offset // 2)
            return [*done, os.fstat(file).st_size, os.lseek(file, 0, os.SEEK_END)]
        finally:
            os.close(file)

    def read(self):
        path, offset = self.path(), self.rng.randrange(70_000)
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            return os.pread(file, 5000, offset)
        finally:
            os.close(file)

    def look(self):
        return describe(self.path())

    def list(self):
        return sorted(os.listdir(self.path()))

    def mkdir(self):
        os.mkdir(self.path(), 0o750)

    def rmdir(self):
        os.rmdir(self.path())

    def unlink(self):
        os.unlink(self.path())

    def rename(self):
        os.rename(self.path(), self.path())

    def link(self):
        os.link(self.path(), self.path(), follow_symlinks=False)

    def symlink(self):
        os.symlink(self.rng.choice(NAMES), self.path())

    def truncate(self):
        os.truncate(self.path(), self.rng.randrange(90_000))

    def chmod(self):
        os.chmod(self.path(), self.rng.choice((0o700, 0o755, 0o644, 0o4755, 0o2750)))

    def utime(self):
        os.utime(self.path(), ns=(self.rng.randrange(10**18), self.rng.randrange(10**18)), follow_symlinks=False)

    def xattr(self):
        path, name = self.path(), f'user.{self.rng.choice(NAMES)}'
        if self.rng.random() < 0.6:
            os.setxattr(path, name, self.rng.randbytes(20))
        return sorted(os.listxattr(path)), os.getxattr(path, name)

    def chown(self):
        os.chown(self.path(), -1, self.rng.choice((0, 1)), follow_symlinks=False)

    def rename_with_flags(self):
        old, new, flags = self.path(), self.path(), self.rng.choice((NOREPLACE, EXCHANGE))
        call('renameat2', -100, os.fsencode(old), -100, os.fsencode(new), flags)

    def fifo(self):
        os.mkfifo(self.path(), 0o600)

    def types(self):
        with os.scandir(self.path()) as entries:
            return sorted((entry.name, entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in entries)

    def copy_range(self):
        with contextlib.ExitStack() as stack:
            source = os.open(self.path(), os.O_RDONLY | os.O_NONBLOCK)
            stack.callback(os.close, source)
            target = os.open(self.path(), os.O_WRONLY | os.O_NONBLOCK)
            stack.callback(os.close, target)
            return os.copy_file_range(source, target, self.rng.randrange(1, 30_000), self.rng.randrange(40_000),
                                      self.rng.randrange(40_000))

    def direct(self):
        file = os.open(self.path(), os.O_RDWR | os.O_DIRECT | os.O_NONBLOCK)
        try:
            with mmap.mmap(-1, 8192) as buffer:
                done = [os.preadv(file, [buffer], self.rng.randrange(10) * 4096), bytes(buffer)]
                buffer[:] = self.rng.randbytes(8192)
                return [*done, os.pwritev(file, [buffer], self.rng.randrange(10) * 4096)]
        finally:
            os.close(file)

    # ---- files and folders that stay open while their names come and go ----

    def hold(self):
        flags = self.rng.choice((os.O_RDONLY, os.O_RDWR, os.O_RDWR, os.O_RDWR | os.O_APPEND, os.O_RDWR | os.O_TRUNC))
        file = os.open(self.path(), flags | os.O_NONBLOCK)
        if stat.S_ISFIFO(os.fstat(file).st_mode):  # the daemon never hears that one is open
            os.close(file)
            return
        if len(self.held) == HELD_MAX:
            os.close(self.held.pop(self.rng.randrange(HELD_MAX)))
        self.held.append(file)

    def held_one(self):
        if not self.held:
            raise OSError(errno.EBADF, 'none is held')
        return self.rng.choice(self.held)

    def held_look(self):
        return describe(self.held_one())

    def held_read(self):
        return os.pread(self.held_one(), self.rng.randrange(9000), self.rng.randrange(70_000))

    def held_write(self):
        file = self.held_one()
        done = os.pwrite(file, self.rng.randbytes(self.rng.randrange(9000)), self.rng.randrange(70_000))
        return done, os.fstat(file).st_size

    def held_map(self):
        file = self.held_one()
        size = os.fstat(file).st_size
        with mmap.mmap(file, 0) as mapping:
            offset = self.rng.randrange(size)
            before = mapping[offset:offset + 3000]
            mapping[offset:offset + len(before)] = self.rng.randbytes(len(before))
            mapping.flush()
        return before, os.pread(file, 5000, offset)

    def held_truncate(self):
        file = self.held_one()
        os.ftruncate(file, self.rng.randrange(90_000))
        return os.fstat(file).st_size

    def held_allocate(self):
        file = self.held_one()
        mode = self.rng.choice((0, KEEP_SIZE, KEEP_SIZE | PUNCH_HOLE, ZERO_RANGE))
        call('fallocate', file, mode, ctypes.c_long(self.rng.randrange(60_000)), ctypes.c_long(self.rng.randrange(20_000)))
        return os.fstat(file).st_size

    def held_change(self):
        file = self.held_one()
        os.fchmod(file, self.rng.choice((0o700, 0o640, 0o777)))
        os.utime(file, ns=(self.rng.randrange(10**18), self.rng.randrange(10**18)))
        os.fsync(file)

    def held_list(self):
        return sorted(os.listdir(self.held_one()))

    def drop(self):
        file = self.held_one()
        self.held.remove(file)
        os.close(file)

    def drop_all(self):
        while self.held:
            os.close(self.held.pop())

    def step(self):
        """The operation's name, and what came of it."""
        what = self.rng.choice((self.write, self.write, self.read, self.look, self.list, self.mkdir, self.mkdir,
                                self.rmdir, self.unlink, self.rename, self.link, self.symlink, self.truncate,
                                self.chmod, self.utime, self.xattr, self.chown, self.rename_with_flags, self.fifo,
                                self.types, self.copy_range, self.direct, self.hold, self.hold, self.held_look,
                                self.held_read, self.held_write, self.held_map, self.held_truncate, self.held_allocate,
                                self.held_change, self.held_list, self.drop))
        state = self.rng.getrandbits(64)
        self.rng = random.Random(state)
        try:
            result = what()
        except OSError as error:
            result = errno.errorcode[error.errno]
        except ValueError as error:
            result = str(error)  # mmap.mmap() of an empty file, and the like
        # however far it came, the next one begins with the same numbers
        self.rng = random.Random(state + 1)
        return what.__name__, result


def call(function, *args):
    """Of the C library; its errno is raised."""
    if getattr(LIBC, function)(*args) < 0:
        raise OSError(ctypes.get_errno(), function)


def describe(path):
    st = os.fstat(path) if isinstance(path, int) else os.lstat(path)
    size = st.st_size if not stat.S_ISDIR(st.st_mode) else 0
    times = st.st_mtime_ns if st.st_mtime_ns < 10**18 else 0  # what was set; now is never twice the same
    return st.st_mode, st.st_nlink, st.st_uid, st.st_gid, size, times


def describe_all(top, without=None):
    found = {}
    for folder, folders, names in os.walk(top):
        if without in folders:
            folders.remove(without)
        for name in (*folders, *names):
            if name == ARRIVING:
                continue
            path = os.path.join(folder, name)
            content = read_file(path) if os.path.isfile(path) and not os.path.islink(path) else None
            target = os.readlink(path) if os.path.islink(path) else None
            found[os.path.relpath(path, top)] = (describe(path), content, target)
    return found


def clear(top, without):
    for entry in os.scandir(top):
        if entry.name in (without, ARRIVING):
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry)
        else:
            os.unlink(entry)


class Beside:
    """A site at work in a folder of its own: what is read of it is always whole, and of one publish or another."""

    def __init__(self, fake, seed):
        self.fake, self.rng = fake, random.Random(seed)
        self.folder, self.n_turns, self.faults, self.is_over = 'site', 0, [], threading.Event()
        self.names = [f'{self.folder}/r{i}' for i in range(4)]
        self.is_here = dict.fromkeys(self.names, False)
        self.data = {name: fake.put(name, n=60_000) for name in self.names}
        self.threads = [threading.Thread(target=self.run, args=(what,)) for what in (self.turn, self.publish)]

    def turn(self):
        """One file reaches its next state, and is read."""
        name = self.rng.choice(self.names)
        self.fake.say('evict' if self.is_here[name] else 'complete', 0, name)
        self.is_here[name] = not self.is_here[name]
        self.look_at(name)

    def look_at(self, name):
        with contextlib.suppress(FileNotFoundError):
            if read_file(self.fake.mnt / name) != self.data[name]:
                self.faults.append(f'{name}: other bytes')

    def publish(self):
        """As integrators do: beside, then over the name."""
        data = random_bytes(self.n_turns + 1, 30_000)
        folder = self.fake.mnt / self.folder
        with open(folder / 'v.tmp', 'wb') as file:
            file.write(data)
        os.rename(folder / 'v.tmp', folder / 'v')
        if read_file(folder / 'v') != data:
            self.faults.append('what was published is something else')

    def run(self, what):
        while not self.is_over.is_set():
            try:
                what()
            except OSError:
                self.faults.append(traceback.format_exc())
            self.n_turns += 1
            self.is_over.wait(0.001)  # the operations are the story

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        assert self.n_turns and not self.faults, '\n'.join(self.faults[:5])


@pytest.mark.parametrize('option', ((), ('-p',)), ids=('kernel', 'daemon'))
def test_the_same_operations_do_the_same(make_fake, tmp_path, option):
    seed = int(os.environ.get('SITEFS_SEED', '1'))
    end = time.monotonic() + SECONDS
    fake = make_fake()
    fake.mount(*option)
    (tmp_path / 'twin').mkdir()
    ours, theirs = Walk(fake.mnt, seed), Walk(tmp_path / 'twin', seed)
    n = 0
    with Beside(fake, seed) as beside:
        while n < OPERATIONS or time.monotonic() < end:
            for _ in range(OPERATIONS):
                one, other = ours.step(), theirs.step()
                assert one == other, f'operation {n} of seed {seed}'
                n += 1
            assert describe_all(fake.mnt, beside.folder) == describe_all(tmp_path / 'twin'), f'after {n} of seed {seed}'
            for walk in (ours, theirs):
                walk.drop_all()
                clear(walk.top, beside.folder)
    print(f'{n} operations, {beside.n_turns} turns beside them')


@pytest.mark.skipif(not shutil.which('fio'), reason='there is no fio')
@pytest.mark.parametrize('option', ((), ('-p',)), ids=('kernel', 'daemon'))
def test_fio_reads_what_it_wrote(make_fake, option):
    """In each way that a program may: calls, mappings, past the cache."""
    fake = make_fake()
    fake.mount(*option)
    with Beside(fake, 1):
        for engine in ('--ioengine=psync', '--ioengine=mmap', '--ioengine=libaio --direct=1 --iodepth=8'):
            done = subprocess.run(
                ['fio', '--name=verify', f'--directory={fake.mnt}', '--rw=randrw', '--bsrange=4k-64k', '--size=4m',
                 '--verify=crc32c', '--verify_fatal=1', '--verify_state_save=0', '--numjobs=2', '--fallocate=none', *engine.split(),
                 *(('--time_based', f'--runtime={SECONDS / 3:.0f}') if SECONDS else ())],
                text=True, capture_output=True, check=False)
            assert done.returncode == 0 and 'verify:' not in done.stderr, done.stdout + done.stderr
            for path in fake.mnt.glob('verify*'):
                os.unlink(path)
