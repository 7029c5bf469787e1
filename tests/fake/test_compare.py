"""
The same random operations on the mount and on a folder of the disk: each result, each errno and what is left at the
end are equal. Beside them remote files are streamed, completed, evicted and published anew. SITEFS_SEED repeats a run,
SITEFS_COMPARE_SECONDS makes it longer than its few thousand operations.
"""

import contextlib
import errno
import os
import random
import shutil
import stat
import subprocess
import threading
import time

import pytest

from harness import random_bytes, read_file

SECONDS = float(os.environ.get('SITEFS_COMPARE_SECONDS', '0'))
OPERATIONS = 3000
NAMES = 'abcd'


class Walk:
    """Operations by one hand; what they do depends on the random numbers only."""

    def __init__(self, top, seed):
        self.top, self.rng = top, random.Random(seed)

    def path(self):
        return self.top / '/'.join(self.rng.choice(NAMES) for _ in range(self.rng.choice((1, 1, 2, 2, 3))))

    def write(self):
        flags = self.rng.choice((os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_WRONLY | os.O_APPEND,
                                 os.O_RDWR | os.O_CREAT | os.O_TRUNC, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        path, offset, data = self.path(), self.rng.randrange(70_000), self.rng.randbytes(self.rng.randrange(9000))
        file = os.open(path, flags, 0o640)
        try:
            done = [os.pwrite(file, data, offset), os.fstat(file).st_size]
            if self.rng.random() < 0.2:
                os.ftruncate(file, offset // 2)
            return [*done, os.fstat(file).st_size, os.lseek(file, 0, os.SEEK_END)]
        finally:
            os.close(file)

    def read(self):
        path, offset = self.path(), self.rng.randrange(70_000)
        file = os.open(path, os.O_RDONLY)
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

    def step(self):
        """The operation's name, and what came of it."""
        what = self.rng.choice((self.write, self.write, self.read, self.look, self.list, self.mkdir, self.mkdir,
                                self.rmdir, self.unlink, self.rename, self.link, self.symlink, self.truncate,
                                self.chmod, self.utime, self.xattr))
        state = self.rng.getrandbits(64)
        self.rng = random.Random(state)
        try:
            result = what()
        except OSError as error:
            result = errno.errorcode[error.errno]
        # however far it came, the next one begins with the same numbers
        self.rng = random.Random(state + 1)
        return what.__name__, result


def describe(path):
    st = os.lstat(path)
    size = st.st_size if not stat.S_ISDIR(st.st_mode) else 0
    times = st.st_mtime_ns if st.st_mtime_ns < 10**18 else 0  # what was set; now is never twice the same
    return st.st_mode, st.st_nlink, st.st_uid, st.st_gid, size, times


def describe_all(top, without=None):
    found = {}
    for folder, folders, names in os.walk(top):
        if without in folders:
            folders.remove(without)
        for name in (*folders, *names):
            path = os.path.join(folder, name)
            content = read_file(path) if os.path.isfile(path) and not os.path.islink(path) else None
            target = os.readlink(path) if os.path.islink(path) else None
            found[os.path.relpath(path, top)] = (describe(path), content, target)
    return found


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
            except OSError as error:
                self.faults.append(repr(error))
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
        assert self.n_turns and not self.faults, self.faults[:5]


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
            one, other = ours.step(), theirs.step()
            assert one == other, f'operation {n} of seed {seed}'
            n += 1
    print(f'{n} operations, {beside.n_turns} turns beside them')
    assert describe_all(fake.mnt, beside.folder) == describe_all(tmp_path / 'twin')


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
                 '--verify=crc32c', '--verify_fatal=1', '--numjobs=2', '--fallocate=none', *engine.split(),
                 *(('--time_based', f'--runtime={SECONDS / 3:.0f}') if SECONDS else ())],
                text=True, capture_output=True, check=False)
            assert done.returncode == 0 and 'verify:' not in done.stderr, done.stdout + done.stderr
            for path in fake.mnt.glob('verify*'):
                os.unlink(path)
