"""A primary takes what we record, shows it to everybody, and is lost before another one has it: rolled back there, it is
recorded again."""

import json

import pytest

from conftest import start_mongod
from harness import DEADLINE, wait_until
from mongod import CommandFailed, Trio

FILES = [f'frames/f.{frame:03d}.exr' for frame in range(10)]
FIND = {'find': 'demo', 'sort': {'_id': 1}, 'batchSize': 1000}


@pytest.fixture(scope='module')
def trio():
    start_mongod(False).end()  # or it is skipped aloud
    servers = Trio()
    yield servers
    servers.end()


def docs_of(world, node):
    try:
        return node.run(world.database, FIND)[0]['cursor']['firstBatch']
    except CommandFailed:
        return []


def is_recorded_everywhere(docs):
    entries = [[entry for entry in file['sites'] if entry['name'] == 'local_0']
               for doc in docs if doc['type'] == 'representation' for file in doc['files']]
    return bool(entries) and all(len(found) == 1 and 'created_dt' in found[0] for found in entries)


@pytest.mark.mongodb('trio')
def test_what_was_rolled_back_is_recorded_again(world, studio, home, trio):
    data = world.publish(*FILES)
    daemon = home.mount()
    wait_until(lambda: len(home.shown('frames')) == len(FILES), 'they are listed')
    primary = trio.find_primary()
    trio.set_replication(primary, False)
    assert [home.read(rel) for rel in FILES] == data
    wait_until(lambda: is_recorded_everywhere(docs_of(world, primary)), 'the primary has it')
    assert home.status()['outbox'] > 0, 'and nobody believes it'
    primary.kill()
    trio.set_replication(primary, True)
    wait_until(trio.find_primary, 'there is another primary')
    wait_until(lambda: is_recorded_everywhere(docs_of(world, trio.find_primary() or primary)), 'it is recorded there')
    wait_until(lambda: home.status()['outbox'] == 0, 'and acknowledged')
    assert daemon.is_running and [home.read(rel) for rel in FILES] == data
    primary.start()
    wait_until(lambda: '"newState":"ROLLBACK"' in primary.log(), 'the old one takes back what it had')
    wait_until(lambda: json.dumps(docs_of(world, primary)) == json.dumps(world.hand.docs()), 'and is as the others')
    assert is_recorded_everywhere(world.hand.docs())


@pytest.mark.mongodb('trio')
def test_a_daemon_starts_and_works_while_no_majority_follows(world, studio, home, trio):
    """Files are read and the primary is told; only what must outlive it waits for the others."""
    data = world.publish(*FILES)
    daemon = home.mount()
    wait_until(lambda: len(home.shown('frames')) == len(FILES), 'they are listed')
    daemon.end()
    primary = trio.find_primary()
    trio.set_replication(primary, False)
    daemon = home.mount()
    wait_until(lambda: len(home.shown('frames')) == len(FILES), 'they are listed again')
    assert [home.read(rel) for rel in FILES] == data
    wait_until(lambda: is_recorded_everywhere(docs_of(world, primary)), 'the primary has it, at once',
               DEADLINE / 2)
    daemon.end()
    trio.set_replication(primary, True)
    home.mount()
    wait_until(lambda: home.status()['outbox'] == 0, 'and it is acknowledged')
