"""Metadata waits for nobody: 100,000 remote-only files, listed with the remote away and the store locked."""

import os
import sqlite3
import subprocess

import harness
from harness import errno_of, wait_until

N_FOLDERS = 100 if harness.IS_SANITISED else 1000
N_FILES = 100


def make_documents():
    """Representations as another tool would have published them, all at the remote, none with a truth record."""
    now = {'$date': {'$numberLong': '1700000000000'}}
    for folder in range(N_FOLDERS):
        files = [{'_id': {'$oid': f'{folder:012x}{index:012x}'},
                  'path': f'{{root[work]}}/shots/sh{folder:04d}/beauty.{index:04d}.exr', 'size': 1000 + index,
                  'hash': f'beauty,{index:04d}|1700000000|{1000 + index}',
                  'sites': [{'name': 'studio', 'created_dt': now}, {'name': harness.REMOTE, 'created_dt': now}]}
                 for index in range(N_FILES)]
        yield {'_id': {'$oid': f'ffff{folder:020x}'}, 'type': 'representation', 'name': 'exr', 'files': files,
               'parent': {'$oid': f'eeee{folder:020x}'}, 'schema': 'openpype:representation-2.0',
               'context': {'asset': f'sh{folder:04d}', 'subset': 'beauty', 'version': 1, 'root': {'work': '/srv'}},
               'data': {}}


def test_listing_waits_for_nobody(world, home):
    (world.remote_root() / 'shots').mkdir()
    for folder in range(N_FOLDERS):
        path = world.remote_root() / f'shots/sh{folder:04d}'
        path.mkdir()
        for index in range(N_FILES):
            with open(path / f'beauty.{index:04d}.exr', 'wb') as file:
                file.truncate(1000 + index)
    world.import_docs(*make_documents())
    home.mount()
    wait_until(lambda: os.stat(home.mnt / 'shots/sh0000/beauty.0099.exr').st_size == 1099, 'sizes are learnt')

    away = world.dir / 'away'
    world.remote.rename(away)
    lock = sqlite3.connect(world.store_path, isolation_level=None)
    lock.execute('BEGIN EXCLUSIVE')
    try:
        listing = subprocess.run(['ls', '-lR', home.mnt], capture_output=True, check=True, text=True,
                                 timeout=harness.STORY_DEADLINE)
        assert sum(line.endswith('.exr') for line in listing.stdout.splitlines()) == N_FOLDERS * N_FILES
        assert not listing.stderr
        found = subprocess.run(['find', home.mnt, '-type', 'f', '-size', '-1000000c'], capture_output=True, check=True,
                               timeout=harness.STORY_DEADLINE)
        assert found.stdout.count(b'\n') == N_FOLDERS * N_FILES
        assert os.statvfs(home.mnt).f_blocks > 0
        assert os.getxattr(home.mnt / 'shots/sh0500'.replace('0500', f'{N_FOLDERS // 2:04d}') / 'beauty.0001.exr',
                           'user.sitefs.state') == b'remote'
        assert errno_of(home.read, 'shots/sh0001/beauty.0001.exr') in ('EIO', 'ETIMEDOUT', 'ESTALE')
    finally:
        lock.execute('ROLLBACK')
        lock.close()
        away.rename(world.remote)
    wait_until(lambda: errno_of(home.read, 'shots/sh0001/beauty.0001.exr') is None, 'readable again')


def test_opening_what_is_here_waits_for_nobody(world, home):
    data = world.publish('shot/a.exr')
    home.mount()
    home.read('shot/a.exr')
    home.wait_state('shot/a.exr', 'local')
    world.remote.rename(world.dir / 'away')
    lock = sqlite3.connect(world.store_path, isolation_level=None)
    lock.execute('BEGIN EXCLUSIVE')
    try:
        assert home.read('shot/a.exr') == data
        with open(home.mnt / 'shot/mine.exr', 'wb') as file:
            file.write(b'mine')
        os.rename(home.mnt / 'shot/mine.exr', home.mnt / 'shot/renamed.exr')
        os.unlink(home.mnt / 'shot/a.exr')
        assert os.listdir(home.mnt / 'shot') == ['renamed.exr']
    finally:
        lock.execute('ROLLBACK')
        lock.close()
        (world.dir / 'away').rename(world.remote)
    wait_until(lambda: world.entry('shot/a.exr', 'local_0') is None, 'recorded when the store is back')
