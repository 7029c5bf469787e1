"""
The stories of tests/mount/test_posix.py over the scripted engine, in each way that bytes can go, and on each kind of
disk below: where the tests' own folder is none of these, root mounts one from a file.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from harness import as_nobody
from test_posix import *  # noqa: F401,F403

DISKS = {'ext4': ('mkfs.ext4', '-q', '-F'), 'xfs': ('mkfs.xfs', '-q', '-f'), 'tmpfs': ()}
IMAGE_SIZE = 400 << 20  # an xfs is no smaller than 300 MiB


def kind_of_disk(path):
    done = subprocess.run(['stat', '-f', '-c', '%T', path], text=True, capture_output=True, check=True)
    return done.stdout.strip().replace('ext2/ext3', 'ext4')


OTHERS = [kind for kind in DISKS if kind != kind_of_disk(tempfile.gettempdir())]


class Disks:
    """File systems of their own, each mounted when it is first asked for."""

    def __init__(self, path):
        self.dir, self.mounted = path, {}

    def mount(self, kind):
        tool, path = DISKS[kind], self.dir / kind
        path.mkdir()
        if os.geteuid() != 0 or tool and not shutil.which(tool[0], path=f'{os.environ["PATH"]}:/sbin:/usr/sbin'):
            return None
        if not tool:
            return path if self.run('mount', '-t', kind, kind, path) else None
        image = self.dir / f'{kind}.image'
        with open(image, 'wb') as file:
            file.truncate(IMAGE_SIZE)
        is_there = self.run(*tool, image) and self.run('mount', '-o', 'loop', image, path)
        return path if is_there else None

    def run(self, *args):
        env = {**os.environ, 'PATH': f'{os.environ["PATH"]}:/sbin:/usr/sbin'}
        return subprocess.run(args, env=env, stdout=subprocess.DEVNULL, check=False).returncode == 0

    def folder(self, kind):
        """An empty one on such a disk, or None."""
        if kind not in self.mounted:
            self.mounted[kind] = self.mount(kind)
        disk = self.mounted[kind]
        return pathlib.Path(tempfile.mkdtemp(dir=disk)) if disk else None

    def end(self):
        for path in filter(None, self.mounted.values()):
            subprocess.run(['umount', path], check=True)


@pytest.fixture(scope='session')
def disks(tmp_path_factory):
    disks = Disks(tmp_path_factory.mktemp('disks'))
    yield disks
    disks.end()


@pytest.fixture(params=('kernel', 'daemon', *OTHERS))
def fake(request, make_fake, disks):
    below = disks.folder(request.param) if request.param in DISKS else None
    if request.param in DISKS and not below:
        pytest.skip(f'no {request.param} can be made and mounted here')
    fake = make_fake(below=below)
    fake.mount(*(('-p',) if request.param == 'daemon' else ()))
    return fake


FORBIDDEN = """
import stat
tries = [
    lambda: open('secret').read(), lambda: open('open', 'a').write('x'), lambda: open('secret', 'a'),
    lambda: os.listdir('closed'), lambda: open('closed/f'), lambda: os.stat('closed/f'),
    lambda: os.mkdir('made'), lambda: os.unlink('open'), lambda: os.rename('open', 'renamed'),
    lambda: os.close(os.open('shared/new', os.O_CREAT | os.O_WRONLY, 0o640)), lambda: os.mkdir('shared/folder', 0o755),
    lambda: os.symlink('x', 'shared/link'), lambda: os.mkfifo('shared/fifo', 0o600), lambda: os.link('open', 'shared/hard'),
    lambda: os.link('secret', 'shared/hard2'), lambda: os.mkdir('set/folder', 0o755),
    lambda: os.close(os.open('set/new', os.O_CREAT | os.O_WRONLY, 0o666)),
    lambda: os.unlink('sticky/f'), lambda: os.rename('sticky/f', 'sticky/g'), lambda: os.rmdir('sticky/d'),
    lambda: os.rename('shared/new', 'sticky/f'), lambda: os.chmod('open', 0o777), lambda: os.chown('open', 65534, -1),
    lambda: os.utime('open'), lambda: os.utime('open', (1, 1)), lambda: os.truncate('secret', 0),
    lambda: os.chmod('shared/new', 0o6755), lambda: os.chown('shared/new', 0, 0), lambda: os.utime('shared/new', (1, 1)),
    lambda: os.setxattr('secret', 'user.x', b''), lambda: os.setxattr('shared/new', 'user.x', b''),
    lambda: os.getxattr('secret', 'user.x'), lambda: os.mknod('shared/device', stat.S_IFCHR | 0o600, os.makedev(1, 3)),
]
said = []
for i, attempt in enumerate(tries):
    try:
        attempt()
        said.append((i, 'done'))
    except OSError as error:
        said.append((i, error.errno))
for folder, _, names in sorted(os.walk('shared')) + sorted(os.walk('set')):
    for name in sorted(['.', *names]):
        st = os.lstat(os.path.join(folder, name))
        said.append((folder, name, oct(st.st_mode), st.st_uid, st.st_gid))
said = repr(said)
"""


@pytest.mark.parametrize('below', ('', *OTHERS))
def test_others_may_what_they_may_on_the_disk(make_fake, disks, below):
    """With allow_other: whose what they make is, folders that are closed, sticky or give their group, checked for each."""
    folder = disks.folder(below) if below else None
    if os.geteuid() != 0 or below and not folder:
        pytest.skip('only root can be somebody else, and mount a disk')
    fake = make_fake(below=folder)
    fake.mount('-a')
    said = []
    for top in (fake.root / 'twin', fake.mnt):
        for name, mode in (('closed', 0o700), ('shared', 0o777), ('sticky', 0o1777), ('sticky/d', 0o777), ('set', 0o2777)):
            (top / name).mkdir(parents=True)
            os.chmod(top / name, mode)
        os.chown(top / 'set', 0, 65533)
        for name, mode in (('secret', 0o600), ('open', 0o666), ('closed/f', 0o666), ('sticky/f', 0o666)):
            (top / name).write_bytes(b'text')
            os.chmod(top / name, mode)
        os.chmod(top, 0o755)
        said.append(as_nobody(top, FORBIDDEN))
    assert said[0] == said[1]
    assert "'done'" in said[0] and ', 13)' in said[0]


@pytest.fixture
def root(fake):
    return fake.root


@pytest.fixture
def mnt(fake):
    return fake.mnt
