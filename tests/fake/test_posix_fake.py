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


@pytest.fixture
def root(fake):
    return fake.root


@pytest.fixture
def mnt(fake):
    return fake.mnt
