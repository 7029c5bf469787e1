"""A mount of fs over the scripted engine (mount_fake), for stories that need exact moments."""

import contextlib
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'mount'))
pytest.register_assert_rewrite('test_posix')
import harness  # noqa: E402

MOUNT_FAKE = os.environ.get('SITEFS_MOUNT_FAKE', 'mount_fake')
MTIME = 1_700_000_000 * 10**9


def pytest_collection_modifyitems(items):
    if harness.is_fuse_there():
        return
    if harness.IS_STRICT:
        raise pytest.UsageError('/dev/fuse cannot be used, and SITEFS_REQUIRE is set')
    for item in items:
        item.add_marker(pytest.mark.skip(reason='/dev/fuse cannot be used'))


class Fake:
    """One mount, its roots on the disk, its script."""

    def __init__(self, path, roots=('work',)):
        self.dir = path
        self.roots = [path / 'roots' / name for name in roots]
        self.root, self.mnt, self.sources = self.roots[0], path / 'mnt', path / 'sources'
        for folder in (*self.roots, self.mnt, self.sources):
            folder.mkdir(parents=True)
        self.process = None
        self.n_sources = 0

    def mount(self, *options, on_root=False):
        mountpoint = self.root if on_root else self.mnt
        self.process = subprocess.Popen(
            [MOUNT_FAKE, *options, mountpoint, *(f'{path.name}={path}' for path in self.roots)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.dir / 'stderr', 'a'))
        assert self.process.stdout.readline() == 'ok\n', (self.dir / 'stderr').read_text()
        return mountpoint

    def say(self, *words):
        """One command; its lines of answer."""
        self.process.stdin.write('\t'.join(map(str, words)) + '\n')
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()) != 'ok\n':
            assert line and not line.startswith('error'), f'{words}: {line or self.stderr()}'
            lines.append(line.rstrip('\n'))
        return lines

    def stderr(self):
        return (self.dir / 'stderr').read_text(errors='replace')

    def put(self, rel, data=None, size=None, mtime_ns=MTIME, seed=0, n=100_000, root=0):
        """A remote-only file; its bytes."""
        data = harness.random_bytes(seed or rel, n) if data is None else data
        self.n_sources += 1
        source = self.sources / str(self.n_sources)
        source.write_bytes(data)
        self.say('put', root, rel, len(data) if size is None else size, mtime_ns, source)
        return data

    def log(self):
        return self.say('log')

    def wait_waiting(self, n):
        harness.wait_until(lambda: int(self.say('waiting')[0]) >= n, f'{n} requests wait')

    def stop(self):
        if not self.process or self.process.poll() is not None:
            return
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write('stop\n')
            self.process.stdin.flush()
        assert self.process.wait(harness.DEADLINE) == 0, self.stderr()

    def end(self):
        """Ends the mount whatever happened; what a sanitiser said is a fault."""
        try:
            self.stop()
        finally:
            if self.process and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            for path in (self.mnt, *self.roots):
                if str(path) in harness.mounts():
                    subprocess.run(['fusermount3', '-u', '-z', '-q', path], check=False)
        text = self.stderr() if (self.dir / 'stderr').exists() else ''
        assert 'Sanitizer' not in text, text


@pytest.fixture
def make_fake(tmp_path):
    made = []

    def make(*roots, below=None):
        made.append(Fake((below or tmp_path) / f'fake{len(made)}', *([roots] if roots else [])))
        return made[-1]

    yield make
    for fake in made:
        fake.end()


@pytest.fixture
def fake(make_fake):
    """Mounted, one root."""
    fake = make_fake()
    fake.mount()
    return fake
