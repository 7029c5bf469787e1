"""
Two daemons of one site on one project: each file is sent once. Google Drive is the remote, whose log of requests tells
who asked for what; its answers to uploads are slow, so that both daemons have their hands full at the same time.
"""

import collections
import os
import pathlib
import shutil
import signal
import subprocess

import harness
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


def elsewhere(world, studio):
    """The same on a machine of its own: with its own processes, so that nobody here can see whether it lives."""
    if subprocess.run(['unshare', '--pid', '--mount-proc', '--fork', 'true'], check=False).returncode != 0:
        pytest.skip('unshare(1) may not make a pid namespace')
    other = second_host(world, studio)
    script = world.dir / 'elsewhere'
    script.write_text(f'#!/bin/sh\nexec unshare --pid --mount-proc --fork --kill-child {harness.SITEFS} "$@"\n')
    script.chmod(0o755)
    other.program = str(script)
    return other


def processes(daemon):
    """The daemon itself, below unshare(1)."""
    children = pathlib.Path(f'/proc/{daemon.process.pid}/task/{daemon.process.pid}/children').read_text()
    return [int(pid) for pid in children.split()]


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


def entries(world):
    return [entry for doc in world.hand.docs() for file in doc.get('files', []) for entry in file['sites']
            if entry['name'] == 'gdrive']


def are_recorded(world, n):
    found = entries(world)
    return len(found) == n and all('created_dt' in entry for entry in found)


def assert_right(drive, contents):
    assert drive.files() == {rel: len(data) for rel, data in contents.items()}
    for rel, data in contents.items():
        assert drive.server.seed.find(f'Show/work/{rel}').content.read(0, len(data)) == data


# How long another machine is silent until what it held is taken over.
TAKEOVER = {'timing': {**harness.TIMING, 'takeover': '3s'}}


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


@on_replica_set
@pytest.mark.parametrize('size', [500, 6 << 20], ids=['one request', 'a session'])
def test_a_machine_that_slept(world, drive, studio, size):
    """A laptop closes its lid while it sends; another machine takes over and finishes; then the lid opens: what the
    late one brings is what is there. Its clock, and how long it slept, are nobody's business."""
    world.configure(TAKEOVER)
    sleeper = elsewhere(world, studio)
    contents = {rel: studio.write(rel, random_bytes(rel, size)) for rel in ('new/folder/a.exr', 'new/folder/b.exr')}
    studio.publish(*contents)
    # The folder is made, and the answer is on its way, when the lid closes.
    sending = drive.server.faults.add({'match': {'kind': 'files.create', 'name': 'folder'}, 'do': {'delay': 2}})
    first = sleeper.sync()
    wait_until(lambda: sending.hits, 'it makes the folder')
    pids = processes(first)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    second = studio.sync()
    wait_until(lambda: are_recorded(world, len(contents)), 'the other machine takes over')
    before = entries(world)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: sleeper.status()['outbox'] == 0 and not any(sleeper.status()['queue']['upload'].values()),
               'the late one has nothing left')
    assert_right(drive, contents)
    assert sorted(path for path, found in drive.server.seed.listing('Show/work').items() if found[0]['folder']) == \
        ['new', 'new/folder']
    assert entries(world) == before
    # No twin was made, not even one that was taken back.
    made = collections.Counter(event['name'] for event in drive.requests('files.create') if event['status'] == 200)
    assert made == {'new': 1, 'folder': 1, 'a.exr': 1, 'b.exr': 1} and not drive.requests('files.delete')
    assert 409 in [event['status'] for event in drive.requests('files.create')], 'the late one came to make it too'
    assert first.is_running and second.is_running
    for pid in pids:
        os.kill(pid, signal.SIGTERM)  # which unshare(1) keeps to itself
    first.process.wait(harness.DEADLINE)


@on_replica_set
def test_a_machine_that_died(world, drive, studio):
    """With its power gone nobody gives its leases back."""
    world.configure(TAKEOVER)
    other = elsewhere(world, studio)
    contents = publish(studio, 20)
    slow(drive, 8)
    first = other.sync()
    wait_until(lambda: len(drive.requests(CREATE)) >= 4, 'it is at it')
    for pid in processes(first):
        os.kill(pid, signal.SIGKILL)
    first.kill()
    studio.sync()
    wait_until(lambda: are_recorded(world, len(contents)), 'the other machine takes over')
    assert_right(drive, contents)


# A host under the site's name whose root is another one

@on_replica_set
def test_another_root_under_the_same_name_is_refused(world, studio):
    world.publish('shot/a.exr')
    common = (world.presets / 'local_drive.json').read_text()
    stranger = world.site('studio', host='studio2')  # a folder of its own, and presets that name it
    own = shutil.copytree(world.presets, world.dir / 'own')
    stranger.env['SITEFS_CONFIG'] = str(own)
    (world.presets / 'local_drive.json').write_text(common)
    stranger.write('shot/a.exr', b'of another project')
    for args in (('sync', '--once'), ('mount', '-f', stranger.mnt)):
        result = stranger.run(*args)
        assert result.code == 2, result
        assert str(stranger.root) in result.err and str(studio.root) in result.err
    doctor = stranger.run('doctor', '--json')
    assert doctor.code == 2 and 'is another one than on host' in doctor.out
    # Who records nothing is not compared.
    stranger.mount('ro')
    stranger.umount()
    stranger.mount('cache')
    stranger.umount()
    studio.sync_once()
    # A person's word makes it the site's; then the others are asked.
    stranger.sitefs('sync', '--once', '--adopt')
    assert studio.run('sync', '--once').code == 2
