"""
Two daemons of one site on one project: each file is sent once. Google Drive is the remote, whose log of requests tells
who asked for what; its answers to uploads are slow, so that both daemons have their hands full at the same time.
"""

import collections

import pytest
from drive import drive  # noqa: F401
from harness import IS_SANITISED, random_bytes, wait_until

CREATE = 'files.create.multipart'
N = 200 if IS_SANITISED else 1000

on_replica_set = pytest.mark.mongodb('replica_set')


def second_host(world, studio):
    """Another machine of the same site: the same folder, a state of its own."""
    other = world.site('studio', host='studio2')
    other.roots, other.root = studio.roots, studio.root
    world.write_presets()
    return other


def publish(studio, n):
    frames = [f'shots/sh{i % 7:03}/f.{i:04}.exr' for i in range(n)]
    contents = {rel: studio.write(rel, random_bytes(rel, 500)) for rel in frames}
    studio.publish(*frames)
    return contents


def slow(drive, times):
    drive.server.faults.add({'match': {'kind': CREATE}, 'times': times, 'do': {'delay': 0.5}})


def creates(drive):
    """How often each file was sent."""
    return collections.Counter(event['name'] for event in drive.requests(CREATE))


def are_recorded(world, n):
    found = [entry for doc in world.hand.docs() for file in doc.get('files', []) for entry in file['sites']
             if entry['name'] == 'gdrive']
    return len(found) == n and all('created_dt' in entry for entry in found)


def assert_right(drive, contents):
    assert drive.files() == {rel: len(data) for rel, data in contents.items()}
    for rel, data in contents.items():
        assert drive.server.seed.find(f'Show/work/{rel}').content.read(0, len(data)) == data


@on_replica_set
def test_each_file_is_sent_once(world, drive, studio):
    """Both begin at the same moment with the same file: without leases each of the first is sent by both."""
    other = second_host(world, studio)
    contents = publish(studio, N)
    slow(drive, 40)
    first, second = studio.sync(), other.sync()
    wait_until(lambda: are_recorded(world, N), 'all is recorded')
    assert first.is_running and second.is_running
    assert max(creates(drive).values()) == 1, creates(drive).most_common(5)
    assert_right(drive, contents)


@on_replica_set
def test_the_other_one_finishes(world, drive, studio):
    """One is killed with uploads on their way. What it held is free at once on this machine."""
    other = second_host(world, studio)
    contents = publish(studio, N)
    slow(drive, 40)
    first, second = studio.sync(), other.sync()
    wait_until(lambda: len(drive.requests(CREATE)) > 8, 'they are at it')
    first.kill()
    wait_until(lambda: are_recorded(world, N), 'the other one finishes')
    assert second.is_running
    assert_right(drive, contents)
