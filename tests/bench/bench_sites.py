#!/usr/bin/env python3
"""
What changing a site's entries in bulk costs: files a second of add-site, priority, pause, reset and remove-site, by the
command itself, on the embedded store and on a replica set.

    bench_sites.py --build DIR [--repres 20000] [--files 3] [--long 10000] [--store sqlite|mongodb]
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'mongod'))

VERBS = (('add-site', 'gdrive'), ('priority', '70'), ('pause',), ('resume',), ('reset', '--site', 'studio'),
         ('retry',), ('remove-site', 'gdrive'))


def representation(number, n_files):
    files = [{'_id': {'$oid': f'{number:012x}{i:012x}'}, 'path': f'{{root[work]}}/show/r{number}/b.{i:05d}.exr',
              'size': {'$numberLong': '1000'}, 'hash': f'b,{i:05d},exr|1600000000,1|1000',
              'sites': [{'name': 'studio', 'created_dt': {'$date': {'$numberLong': '1600000000000'}}}]}
             for i in range(n_files)]
    return {'_id': {'$oid': f'{number:024x}'}, 'type': 'representation', 'name': 'exr', 'parent': {'$oid': '0' * 24},
            'context': {'asset': f'sh{number % 100:03d}', 'subset': 'beauty', 'version': {'$numberInt': '1'}},
            'data': {'path': f'/srv/show/r{number}', 'template': '{root[work]}/{asset}/{subset}'}, 'files': files}


def measure(sitefs, folder, store, args):
    env = {**os.environ, 'HOME': str(folder), 'XDG_CONFIG_HOME': str(folder / 'config'), 'SITEFS_STORE': store,
           'XDG_RUNTIME_DIR': str(folder), 'XDG_STATE_HOME': str(folder / 'state'), 'AVALON_DB': 'bench'}

    def run(*words):
        started = time.monotonic()
        done = subprocess.run([sitefs, *words], env=env, text=True, capture_output=True, check=False)
        if done.returncode:
            sys.exit(f'{" ".join(words)}: {done.stderr}')
        return time.monotonic() - started, done.stdout

    run('init', '--active', 'studio', '--root', f'work={folder}/work', '--store', store)
    for project, n_repres, n_files in (('many', args.repres, args.files), ('long', 1, args.long)):
        path = folder / f'{project}.json'
        with open(path, 'w', encoding='utf-8') as file:
            for number in range(1, n_repres + 1):
                file.write(json.dumps(representation(number, n_files)) + '\n')
        run('import', '--project', project, str(path))
        print(f'\n{store.partition(":")[0]}: {n_repres} representations of {n_files} files')
        for verb in VERBS:
            seconds, out = run(*verb, '--project', project, '--all', '--json')
            n = json.loads(out)['files']
            print(f'  {verb[0]:12} {n / seconds:9.0f} files/s  ({json.loads(out)["changed"]} entries, {seconds:.2f} s)')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', required=True)
    parser.add_argument('--repres', type=int, default=20000)
    parser.add_argument('--files', type=int, default=3)
    parser.add_argument('--long', type=int, default=10000)
    parser.add_argument('--store', choices=('sqlite', 'mongodb'))
    args = parser.parse_args()
    sitefs = os.path.join(args.build, 'tools/sitefs')
    os.environ.setdefault('SITEFS_MONGO_COMMAND', os.path.join(args.build, 'tests/mongod/mongo-command'))
    import mongod  # reads the environment
    if args.store != 'mongodb':
        with tempfile.TemporaryDirectory() as folder:
            measure(sitefs, pathlib.Path(folder), f'sqlite:{folder}/store.sqlite', args)
    if args.store != 'sqlite':
        with tempfile.TemporaryDirectory() as folder:
            server = mongod.Mongod()
            try:
                measure(sitefs, pathlib.Path(folder), server.uri, args)
            finally:
                server.end()


if __name__ == '__main__':
    main()
