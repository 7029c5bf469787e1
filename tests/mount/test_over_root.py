"""Mounted over the root itself, so that the path that everybody has configured stays; and how mounts end badly."""

import json
import os
import signal
import subprocess

import pytest

from harness import DEADLINE, errno_of, mounts, read_file, wait_until, write_file

REL = 'shot/v001/a.exr'


@pytest.fixture
def over(home):
    """This site; its mount point is its root."""
    home.mnt = home.root
    return home


def test_the_path_stays_as_it_is(world, over):
    """What others published lies beside what is here, under one path; without the mount what is here lies there."""
    data = world.publish(REL)
    write_file(over.root / 'work/scene.ma', b'scene')
    over.mount()
    assert sorted(os.listdir(over.root)) == ['shot', 'work']
    assert read_file(over.root / REL) == data
    write_file(over.root / 'shot/v002/a.exr', b'new')
    os.rename(over.root / 'work/scene.ma', over.root / 'work/scene_v2.ma')
    wait_until(lambda: over.info(REL)['state'] != 'remote', 'what was read is kept')
    over.umount()
    assert sorted(os.listdir(over.root / 'work')) == ['scene_v2.ma']
    assert read_file(over.root / REL) == data and read_file(over.root / 'shot/v002/a.exr') == b'new'


def test_doctor_looks_below_its_own_mount(world, over):
    """... by asking the daemon: the path of the root leads into the mount."""
    world.publish(REL)

    def says():
        result = over.run('doctor', '--json')
        return [(one['finding'], one['text']) for one in json.loads(result.out)['findings'] if one['check'] == 'roots']

    over.mount()
    read_file(over.root / REL)
    (finding, text), = says()
    assert finding == 'good' and 'identity' in text and 'not used yet' not in text
    root, = over.status()['roots']
    assert root['identity'] in text and root['path'] == str(over.root) and root['writable']
    over.umount()
    (finding, text), = says()
    assert finding == 'good' and root['identity'] in text


def test_a_publish_does_not_run_on_into_a_bare_folder(world, home):
    """After a crash the path answers nothing, until it is mounted again: by a restart, which needs no help."""
    data = world.publish(REL)
    daemon = home.mount()
    os.stat(home.mnt)  # which the kernel remembers
    daemon.kill()
    assert errno_of(os.listdir, home.mnt) == 'ENOTCONN'
    assert errno_of(os.mkdir, home.mnt / 'shot2') == 'ENOTCONN'
    assert errno_of(os.stat, home.mnt / REL) == 'ENOTCONN'
    home.mount()
    assert read_file(home.mnt / REL) == data
    home.umount()
    assert str(home.mnt) not in mounts()


def test_the_root_itself_is_there_again_after_a_crash(world, over):
    """... as it is on the disk, for whoever works there; what only the mount shows comes with the next one."""
    data = world.publish(REL)
    write_file(over.root / 'work/scene.ma', b'scene')
    for options in ((), ('ro',)):
        daemon = over.mount(*options)
        held = os.open(over.root / 'work/scene.ma', os.O_RDONLY)
        daemon.kill()
        wait_until(lambda: str(over.root) not in mounts(), 'the dead mount is taken away')
        os.close(held)
        assert read_file(over.root / 'work/scene.ma') == b'scene'
        assert not (over.root / REL).exists() and (over.root / '.sitefs').is_dir()
        write_file(over.root / 'work/scene_v2.ma', b'saved meanwhile')
    over.mount()
    assert read_file(over.root / REL) == data
    assert read_file(over.root / 'work/scene_v2.ma') == b'saved meanwhile'
    over.umount()
    assert str(over.root) not in mounts()


def test_nobody_stays_when_the_daemon_hangs(world, home):
    """Whoever waits for a daemon that does nothing more ends with it, killed or not."""
    data = world.publish(REL)
    write_file(home.root / 'here', b'local')
    daemon = home.mount()
    with open(home.mnt / 'here', 'rb', buffering=0) as held:
        assert held.read() == b'local'
        os.kill(daemon.process.pid, signal.SIGSTOP)
        waiting = [subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for args in
                   (['cat', home.mnt / REL], ['ls', home.mnt / 'shot'], ['touch', home.mnt / 'new'],
                    ['stat', home.mnt / 'missing'])]
        waiting[1].kill()
        waiting[3].kill()
        daemon.kill()
        for process in waiting:
            assert process.wait(DEADLINE) != 0
    home.mount()
    assert home.read(REL) == data


def test_who_asks_a_stopped_daemon_is_told_at_once(world, home):
    """... of paths in its mount too, which nobody can look at meanwhile."""
    world.publish(REL)
    daemon = home.mount()
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        for words in (('status',), ('info', home.mnt / REL), ('ls', home.mnt), ('watch', home.mnt), ('pause',)):
            result = home.run(*words)
            assert result.code == 5 and f'kill -CONT {daemon.process.pid}' in result.err, (words, result)
        result = home.run('doctor')
        assert result.code == 1 and f'kill -CONT {daemon.process.pid}' in result.out and not result.err, result
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)
    assert home.state(REL) == 'remote'
    assert home.run('doctor').code == 0
