#!/usr/bin/env python3
"""
What Drive is asked: 1,000 files of 100 KiB up, one file of 1 GiB up and down, a folder of 20,000 files compared; by
sitefs and by rclone, each against a stand-in server of its own (tests/gdrive). Requests are what the quota is spent on;
the times are those of this machine and of a server in Python.

    bench_gdrive.py [--quick] --build BUILD
"""

import argparse
import collections
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
for folder in (TESTS, TESTS / 'mount'):
    sys.path.insert(0, str(folder))
FULL = {'small': 1000, 'large': 1 << 30, 'folder': 20_000}
QUICK = {'small': 200, 'large': 256 << 20, 'folder': 2000}


class Row:
    """One piece of work: how often the server was asked, and how long it took."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        self.first, self.start = (self.server.journal.since(0) or [{'n': 0}])[-1]['n'], time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.start
        self.kinds = collections.Counter(event['kind'] for event in self.server.journal.since(self.first))

    def show(self, who, what, n):
        asked = sum(self.kinds.values())
        kinds = ', '.join(f'{kind} {count}' for kind, count in self.kinds.most_common())
        print(f'{what:28} {who:7} {asked:6} requests {asked / n:8.3f} each {self.seconds:7.1f} s   {kinds}', flush=True)


def make_sources(folder, sizes):
    import harness

    for number in range(sizes['small']):
        harness.write_file(folder / f'small/frame.{number:04}.exr', harness.random_bytes(number + 1, 100 << 10))
    harness.write_large(folder / 'large/cache.vdb', sizes['large'])


@contextlib.contextmanager
def make_world(folder):
    """A studio and a server of its own, so that no piece of work pays for what another one left in the feed."""
    import harness
    from drive import Drive
    from gdrive.server import Server

    folder.mkdir()
    world = harness.World(folder, pathlib.Path(tempfile.mkdtemp(prefix='bench-')))
    world.timer.cancel()
    # as a studio has it: stories ask each second what has changed, and compare everything 0.2 s after the last transfer
    world.config['loop_delay'] = 60
    world.settings['timing']['settled'] = '2s'
    try:
        with Server(seed=1) as server:
            studio = world.site('studio')
            Drive(world, server)
            yield server, world, studio
    finally:
        world.end()


def publish(studio, sources, part):
    shutil.copytree(sources / part, studio.root / part)
    studio.publish(*(path.relative_to(studio.root) for path in sorted((studio.root / part).iterdir())), name=part)


def bench_small(folder, sources, n):
    with make_world(folder / 'small') as (server, _, studio):
        publish(studio, sources, 'small')
        with Row(server) as row:
            studio.sync_once()
        row.show('sitefs', 'small up', n)


def bench_large(folder, sources):
    with make_world(folder / 'large') as (server, world, studio):
        publish(studio, sources, 'large')
        with Row(server) as row:
            studio.sync_once()
        row.show('sitefs', 'large up', 1)
        home = world.site('local_0')
        with Row(server) as row:
            home.mount()
            with open(home.mnt / 'large/cache.vdb', 'rb') as file:
                while file.read(1 << 20):
                    pass
            home.wait_state('large/cache.vdb', 'local')
        row.show('sitefs', 'large down', 1)
        home.umount()


def bench_sitefs(folder, sources, sizes):
    bench_small(folder, sources, sizes['small'])
    bench_large(folder, sources)
    with make_world(folder / 'folder') as (server, world, studio):
        compare_folder(server, world, studio, sizes['folder'])


def compare_folder(server, world, studio, n):
    import harness

    server.seed.many('Show/work/sim', files=n)
    data = server.seed.find('Show/work/sim/file.00000').content.read(0, 100)
    rels = [f'sim/file.{number:05}' for number in range(n)]
    for rel in rels:
        harness.write_file(studio.root / rel, data)
    world.import_docs(*[harness.make_document(rel, {'studio': harness.recorded(), 'gdrive': {}}, 100) for rel in rels])
    harness.STORY_DEADLINE = 3600
    with Row(server) as row:
        studio.sync_once()
    row.show('sitefs', 'folder compared', 1)


def bench_rclone(folder, sources, sizes):
    from gdrive.clients.test_rclone import BOT, Rclone
    from gdrive.server import Server

    program = shutil.which('rclone')
    if not program:
        print('rclone is not installed: left out')
        return
    version = subprocess.run([program, 'version'], capture_output=True, text=True, check=True).stdout.split('\n')[0]
    with Server(seed=1) as server:
        server.key = server.add_account(BOT)
        drive = server.add_drive('Show', {BOT: 'fileOrganizer'})
        client = Rclone(program, server, folder, {'team_drive': drive.id})

        def run(*arguments):
            with client.start(*arguments) as process:
                _, err = process.communicate()
            assert process.returncode == 0, err.decode()

        for part in ('small', 'large'):
            with Row(server) as row:
                run('copy', str(sources / part), f'd:{part}')
            row.show('rclone', f'{part} up', sizes['small'] if part == 'small' else 1)
        with Row(server) as row:
            run('copy', 'd:large', str(folder / 'back'))
        row.show('rclone', 'large down', 1)
        server.seed.many('Show/sim', files=sizes['folder'])
        data = server.seed.find('Show/sim/file.00000').content.read(0, 100)
        (folder / 'sim').mkdir()
        for number in range(sizes['folder']):
            (folder / f'sim/file.{number:05}').write_bytes(data)
        with Row(server) as row:
            run('check', str(folder / 'sim'), 'd:sim')
        row.show('rclone', 'folder compared', 1)
    print(f'{version}; its pacer is opened')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', required=True)
    parser.add_argument('--quick', action='store_true', help='a fifth of it')
    args = parser.parse_args()
    build = pathlib.Path(args.build).absolute()
    os.environ['SITEFS_BIN'] = str(build / 'tools/sitefs')
    os.environ['SITEFS_STORETOOL'] = str(build / 'tests/mount/storetool')
    sizes = QUICK if args.quick else FULL
    with tempfile.TemporaryDirectory(prefix='bench-gdrive-') as name:
        folder = pathlib.Path(name)
        for part in ('sources', 'sitefs', 'rclone'):
            (folder / part).mkdir()
        make_sources(folder / 'sources', sizes)
        bench_sitefs(folder / 'sitefs', folder / 'sources', sizes)
        bench_rclone(folder / 'rclone', folder / 'sources', sizes)


if __name__ == '__main__':
    main()
