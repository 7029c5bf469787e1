#!/usr/bin/env python3
"""
sitefs on a MongoDB server with many representations: the first index, what a quiet minute costs, and what one publish
costs, as commands and processor time of mongod; what it costs to name files of them; beside it, on the same data, the
query that the stock Sync Server sends in each of its loops.

    bench_store.py [--representations N] [--standalone] [--minute SECONDS] --build BUILD
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / 'mount'), str(TESTS / 'mongod')]
STOCK_TRIES = [0, 1, 2, None]
DAY = {'$date': {'$numberLong': '1604484000000'}}


def oid(number):
    return {'$oid': f'5fa2cf00{number:016x}'}


def folder_of(number):
    return f'show/sh{number // 1000:04}/publish/render/v{number % 1000:03}'


def make_files(world, numbers):
    """Of these documents, at the remote; of their size, without bytes."""
    for number in numbers:
        folder = world.remote_file(folder_of(number))
        folder.mkdir(parents=True)
        for i in range(3):
            fd = os.open(folder / f'f.{i:04}.exr', os.O_CREAT | os.O_WRONLY)
            os.ftruncate(fd, 4822)
            os.close(fd)


def document(number):
    """Three files, all at both sites: what a studio has most of."""
    sites = [{'name': 'studio', 'created_dt': DAY}, {'name': 'nas', 'created_dt': DAY, 'id': 'f.exr'}]
    folder = f'{{root[work]}}/{folder_of(number)}'
    return {'_id': oid(number * 8), 'schema': 'openpype:representation-2.0', 'type': 'representation', 'name': 'exr',
            'parent': oid(number * 8 + 1), 'dependencies': [], 'data': {'path': folder, 'template': '{root[work]}/…'},
            'context': {'asset': f'sh{number // 1000:04}', 'subset': 'render', 'version': number % 1000,
                        'project': {'name': 'demo', 'code': 'demo'}, 'username': 'somebody'},
            'files': [{'_id': oid(number * 8 + 2 + i), 'path': f'{folder}/f.{i:04}.exr', 'size': 4822,
                       'hash': f'f,{i:04},exr|1592468963,24|4822', 'sites': sites} for i in range(3)]}


def stock_query():
    """As Pype's sync server asks it, for every collection and loop (openpype: the same, then unwound and sorted)."""
    def side(name, exists):
        entry = {'name': name, 'created_dt': {'$exists': exists}}
        if not exists:
            entry['tries'] = {'$in': STOCK_TRIES}
        return {'files.sites': {'$elemMatch': entry}}
    return {'type': 'representation', '$or': [{'$and': [side('studio', True), side('nas', False)]},
                                              {'$and': [side('nas', True), side('studio', False)]}]}


def seconds(pid):
    """Processor time of a process."""
    with open(f'/proc/{pid}/stat', encoding='ascii') as file:
        fields = file.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class Meter:
    """Commands and processor time of mongod between two moments."""

    KINDS = ('query', 'getmore', 'command', 'insert', 'update', 'delete')

    def __init__(self, server):
        self.server = server
        self.start()

    def read(self):
        counters = self.server.run('admin', {'serverStatus': 1})[0]['opcounters']
        number = {kind: int(counters[kind]['$numberLong'] if isinstance(counters[kind], dict) else counters[kind])
                  for kind in self.KINDS}
        return number, seconds(self.server.process.pid), time.monotonic()

    def start(self):
        self.before = self.read()

    def stop(self):
        after = self.read()
        self.counts = {kind: after[0][kind] - self.before[0][kind] for kind in self.KINDS}
        self.cpu, self.seconds = after[1] - self.before[1], after[2] - self.before[2]
        return self

    def said(self):
        # One serverStatus, and what the shell of it needs, are the meter's own.
        counts = ', '.join(f'{n} {kind}' for kind, n in self.counts.items() if n)
        return f'{self.seconds:7.2f} s   mongod {self.cpu:6.2f} s of CPU   {counts}'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--representations', type=int, default=100_000)
    parser.add_argument('--standalone', action='store_true')
    parser.add_argument('--minute', type=float, default=60)
    parser.add_argument('--build', required=True)
    args = parser.parse_args()
    build = pathlib.Path(args.build).absolute()
    os.environ.update(SITEFS_BIN=str(build / 'tools/sitefs'), SITEFS_STORETOOL=str(build / 'tests/mount/storetool'),
                      SITEFS_MONGO_COMMAND=str(next(build.glob('**/mongo-command'))), SITEFS_DEADLINE='900',
                      SITEFS_STORY_DEADLINE='3600')
    import harness
    import mongod
    server = mongod.Mongod(not args.standalone)
    with tempfile.TemporaryDirectory(prefix='bench-store-') as folder:
        short = pathlib.Path(tempfile.mkdtemp(prefix='sitefs-'))
        world = harness.World(pathlib.Path(folder) / 'world', short, server)
        try:
            run(world, server, args)
        finally:
            faults = world.end()
            server.end()
            print('\n'.join(faults), file=sys.stderr)


def run(world, server, args):
    from harness import wait_until
    world.configure({'timing': {}}, loop_delay=60)
    # A machine at home, with nothing of it on its disk: a root without what is recorded at its site is a lost one.
    home = world.site('local_0')
    batch = 2000
    for at in range(0, args.representations, batch):
        numbers = range(at, min(at + batch, args.representations))
        world.hand.send({'insert': 'demo', 'documents': [document(number) for number in numbers]})
        make_files(world, numbers)
    kind = 'standalone' if args.standalone else 'replica set'
    print(f'{args.representations} representations x 3 files, MongoDB as a {kind}', flush=True)
    meter = Meter(server)
    stock(world, meter)
    if args.standalone:
        meter.start()
        home.run('doctor', '--fix', '-q')
        print(f'index of what waits    {meter.stop().said()}', flush=True)
    meter.start()
    daemon = home.sync()
    wait_until(lambda: sum(home.status()['files'].values()) >= 3 * args.representations, 'the index is complete')
    print(f'first index            {meter.stop().said()}')
    said = memory(daemon)
    print(f'daemon                 {said["VmRSS"]}, at most {said["VmHWM"]}   {seconds(daemon.process.pid):.2f} s of CPU',
          flush=True)
    threading.Event().wait(5)
    meter.start()
    threading.Event().wait(args.minute)
    print(f'a quiet minute         {meter.stop().said()}', flush=True)
    meter.start()
    home.write('show/new/a.exr')
    home.publish('show/new/a.exr')
    # By what the daemon says: asking the server would be measured too.
    sent = world.remote_root() / 'show/new/a.exr'
    wait_until(lambda: sent.exists() and home.status()['outbox'] == 0, 'it is recorded', 300)
    print(f'one publish, recorded  {meter.stop().said()}', flush=True)
    for what, which in (('one path', [home.root / folder_of(args.representations // 2)]),
                        ('a query', ['--query', '{"context.asset": "sh0000"}']),
                        ('everything', ['--project', 'demo', '--all'])):
        meter.start()
        home.sitefs('add-site', 'vendor', *which, '--dry-run')
        print(f'add-site {what:13} {meter.stop().said()}', flush=True)
    if args.standalone:
        stock(world, meter)


def memory(daemon):
    with open(f'/proc/{daemon.process.pid}/status', encoding='ascii') as file:
        return {name: value.strip() for name, value in (line.split(':', 1) for line in file)}


def stock(world, meter):
    meter.start()
    reply = world.hand.send({'explain': {'find': 'demo', 'filter': stock_query()}, 'verbosity': 'executionStats'})
    stats = reply['executionStats']
    print(f'stock query, a loop    {meter.stop().said()}')
    print(f'                       looks at {number(stats["totalDocsExamined"])} documents, finds '
          f'{number(stats["nReturned"])}', flush=True)


def number(value):
    return next(iter(value.values())) if isinstance(value, dict) else value


if __name__ == '__main__':
    main()
