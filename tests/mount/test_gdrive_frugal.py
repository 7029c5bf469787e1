"""What Drive is asked, counted at the server: requests are what its quota is spent on."""

import collections

import harness
import pytest
from drive import drive  # noqa: F401


@pytest.fixture(autouse=True)
def as_studios_have_it(world):
    """Other stories ask each second what has changed."""
    world.configure(loop_delay=60)


def asked(drive, since=0):  # noqa: F811
    """Requests by kind since event SINCE."""
    return collections.Counter(event['kind'] for event in drive.server.journal.since(since))


def test_a_thousand_small_files_are_little_more_than_a_thousand_requests(world, drive, studio):  # noqa: F811
    rels = [f'shots/sh010/publish/v001/beauty.{frame}.exr' for frame in range(1001, 2001)]
    for rel in rels:
        studio.write(rel, size=100 << 10)
    studio.publish(*rels)
    studio.sync_once()
    assert drive.files() == dict.fromkeys(rels, 100 << 10)
    kinds = asked(drive)
    assert kinds['files.create.multipart'] == 1000
    assert sum(kinds.values()) <= 1050 + 4, kinds


def test_a_folder_is_compared_by_its_listing(world, drive, studio):  # noqa: F811
    """All of them there already, put by another program: nothing is sent, and each is recorded."""
    n = 1500
    drive.server.seed.many('Show/work/sim', files=n)
    data = drive.server.seed.find('Show/work/sim/file.00000').content.read(0, 100)
    rels = [f'sim/file.{number:05}' for number in range(n)]
    for rel in rels:
        harness.write_file(studio.root / rel, data)
    world.import_docs(*[harness.make_document(rel, {'studio': harness.recorded(), 'gdrive': {}}, 100) for rel in rels])
    studio.sync_once()
    kinds = asked(drive)
    assert not kinds['files.create.multipart']
    assert sum(kinds.values()) <= 15, kinds
    assert all('created_dt' in entry for doc in world.representations() for entry in doc['files'][0]['sites'])


def test_a_large_file_is_few_requests_up_and_down(world, drive, studio):  # noqa: F811
    """At most one for 64 MiB of 1 GiB and one more, with the start of the daemon, and no more for a smaller one."""
    rel, size = 'sim/cache.vdb', harness.LARGE
    harness.write_large(studio.root / rel, size)
    studio.publish(rel, name='vdb')
    studio.sync_once()
    kinds = asked(drive)
    assert sum(kinds.values()) <= 17, kinds
    since = drive.server.journal.since(0)[-1]['n']
    home = world.site('local_0')
    # the remote as a whole is compared when it was quiet for that long
    world.configure(settings={'timing': {**world.settings['timing'], 'settled': '20s'}})
    home.mount()
    with open(home.mnt / rel, 'rb') as file:
        for index in range(size >> 20):
            assert file.read(1 << 20) == harness.large_block(0, index)
    home.wait_state(rel, 'local')
    kinds = asked(drive, since)
    looks = max(0, kinds['files.get'] - 2)  # which revision it still is, asked by the clock
    assert sum(kinds.values()) - looks <= 17, kinds


def test_20000_files_are_compared_with_25_requests(world, drive, studio):  # noqa: F811
    drive.server.seed.many('Show/work/big', files=20_000)
    doc = harness.make_document('big/file.00000', {'gdrive': harness.recorded()})
    doc['files'] = [{**doc['files'][0], '_id': {'$oid': f'{i:024x}'}, 'path': f'{{root[work]}}/big/file.{i:05}'}
                    for i in range(20_000)]
    home = world.site('local_0')
    world.import_docs(doc)
    daemon = home.sync()
    harness.wait_until(lambda: len(drive.requests('files.list')) >= 21, 'it is compared in the background')
    drive.server.journal.clear()
    result = home.sitefs('verify', '--remote', '--json', home.root / 'big').json
    assert (result['checked'], result['bad'], result['findings']) == (20_000, 0, [])
    kinds = [event['kind'] for event in drive.requests('*') if not event['kind'].startswith('changes')]
    assert len(kinds) <= 25, kinds
    daemon.end()
