"""
A document of very many frames, read and written within bounds. SITEFS_FRAMES=40000 SITEFS_MONGOD_CACHE_GB=2 makes it one
of 12 MB, near the most that MongoDB holds: with the cache that the stories give it a server stands still over that.
"""

import os
import time

import pytest

from harness import DEADLINE, REMOTE, make_document, recorded, wait_until
from test_many_frames import count_writes, profile

pytestmark = pytest.mark.mongodb('replica_set')
N_FRAMES = int(os.environ.get('SITEFS_FRAMES', '8000'))
MEMORY_MAX = 1 << 30


def memory_peak(daemon):
    with open(f'/proc/{daemon.process.pid}/status', encoding='ascii') as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith('VmHWM'))


def test_a_document_of_very_many_frames(world, studio):
    """A few of them are asked for at the remote. What is counted is printed."""
    doc = make_document('unused', {})
    name = 'hero_render_beauty_main_v0001'
    doc['files'] = [
        {'_id': {'$oid': f'{frame + 1:024x}'}, 'path': f'{{root[work]}}/frames/{name}.{frame:05d}.exr', 'size': 1000,
         'hash': f'{name}.{frame:05d},exr|1604483400,1234567|1000' + 'x' * 96,
         'sites': [{'name': 'studio', **recorded()}, *([{'name': REMOTE}] if frame % (N_FRAMES // 10) == 0 else [])]}
        for frame in range(N_FRAMES)]
    asked = range(0, N_FRAMES, N_FRAMES // 10)
    for frame in asked:
        studio.write(f'frames/{name}.{frame:05d}.exr')
    world.import_docs(doc)
    size, = world.hand.send({'aggregate': 'demo', 'pipeline': [{'$project': {'size': {'$bsonSize': '$$ROOT'}}}],
                             'cursor': {}})['cursor']['firstBatch']
    assert int(size['size']['$numberInt']) > 300 * N_FRAMES
    profile(world)
    started = time.monotonic()
    daemon = studio.sync()
    done = [{'$match': {'type': 'representation'}}, {'$unwind': '$files'}, {'$unwind': '$files.sites'},
            {'$match': {'files.sites.name': REMOTE, 'files.sites.created_dt': {'$exists': True}}}, {'$count': 'n'}]

    def count_done():
        found = world.hand.send({'aggregate': 'demo', 'pipeline': done, 'cursor': {}})['cursor']['firstBatch']
        return int(found[0]['n']['$numberInt']) if found else 0

    wait_until(lambda: count_done() == len(asked), 'all that was asked for is recorded', 3 * DEADLINE)
    seconds = time.monotonic() - started
    print(f'{len(asked)} of {N_FRAMES} files recorded in {seconds:.1f} s by {count_writes(world)} writes; '
          f'the daemon had {memory_peak(daemon) >> 20} MiB at most')
    assert count_writes(world) <= seconds + 2
    assert memory_peak(daemon) < MEMORY_MAX
