"""Representations of many frames: their document is written once a second at most, with all that came."""

import time

import pytest

from harness import wait_until

pytestmark = pytest.mark.mongodb('replica_set')


def count_writes(world):
    """Updates of documents of the project, since profile() began to note them."""
    found = world.hand.send({'count': 'system.profile', 'query': {'op': 'update', 'ns': f'{world.database}.demo'}})
    return int(found['n']['$numberInt'])


def profile(world):
    world.hand.send({'create': 'system.profile', 'capped': True, 'size': 32 << 20})
    world.hand.send({'profile': 2})


def test_a_document_is_written_once_a_second(world, studio, home):
    """Files that come one by one, each with an entry that asks for it."""
    files = [f'frames/f.{frame:03d}.exr' for frame in range(60)]
    world.publish(*files, size=2000)
    studio.add_site('local_0', *files)
    profile(world)
    started = time.monotonic()
    home.sync()
    wait_until(lambda: all('created_dt' in entry for doc in world.hand.docs() if doc['type'] == 'representation'
                           for file in doc['files'] for entry in file['sites']), 'all is recorded')
    seconds = time.monotonic() - started
    print(f'{len(files)} files recorded in {seconds:.1f} s by {count_writes(world)} writes')
    assert 1 <= count_writes(world) <= seconds + 2
