"""Sizes in documents are hints and often wrong: whoever reads gets the true bytes, or looks again, never a guess."""

import mmap
import os
import subprocess

import pytest

from harness import read_file, wait_until

REL = 'shot/a.exr'
TRUE = 40_000
HINTS = {'too small': TRUE - 1000, 'too large': TRUE + 5000, 'zero': 0, 'negative': -1, 'missing': None,
         'right': TRUE}


def forget_truth(world, hint):
    """As published by the seed: the remote has the file, the document says what it says, no truth is recorded."""
    def change(file):
        file.pop('size', None)
        if hint is not None:
            file['size'] = hint
    world.hand.edit(REL, change)
    world.hand.drop_truths()


def cat(path):
    done = subprocess.run(['cat', path], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def cp(path):
    target = path.parent.parent.parent / 'copied'
    subprocess.run(['cp', path, target], check=True)
    return read_file(target)


def map_shared(path):
    with open(path, 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return bytes(mapped)


def read_as_fstat_says(path):
    """A reader of exactly st_size, as fstat gives it after open."""
    fd = os.open(path, os.O_RDONLY)
    try:
        size, data = os.fstat(fd).st_size, b''
        while len(data) < size:
            more = os.read(fd, size - len(data))
            if not more:
                break
            data += more
        assert os.read(fd, 1) == b''
        return data
    finally:
        os.close(fd)


@pytest.mark.parametrize('reader', [cat, cp, map_shared, read_as_fstat_says])
@pytest.mark.parametrize('hint', HINTS.values(), ids=HINTS)
def test_the_true_bytes_whatever_the_document_says(world, home, hint, reader):
    data = world.publish(REL, size=TRUE)
    forget_truth(world, hint)
    home.mount()
    assert reader(home.mnt / REL) == data


def test_sizes_are_learnt_in_the_background(world, home):
    world.publish(REL, size=TRUE)
    forget_truth(world, 7)
    home.mount()
    wait_until(lambda: os.stat(home.mnt / REL).st_size == TRUE, 'the size is learnt by looking')
    assert home.on_disk(REL) is None


def test_who_reads_first_verifies_for_all(world, home):
    """Without a truth record the first whole reading writes one."""
    world.publish(REL, size=TRUE)
    forget_truth(world, 7)
    home.mount()
    home.read(REL)
    wait_until(lambda: f'{{root[work]}}/{REL}' in world.hand.truths(), 'the truth is recorded')
    assert world.hand.truths()[f'{{root[work]}}/{REL}']['size'] == TRUE


@pytest.mark.parametrize('size', [0, 100, 5 << 20])
def test_copying_tools_that_look_for_holes(world, home, size):
    data = world.publish('shot/a.bin', size=size)
    home.mount()
    subprocess.run(['cp', '--sparse=always', home.mnt / 'shot/a.bin', home.dir / 'sparse'], check=True)
    assert read_file(home.dir / 'sparse') == data
    archive = home.dir / 'a.tar'
    subprocess.run(['tar', '-S', '-cf', archive, '-C', home.mnt / 'shot', 'a.bin'], check=True)
    subprocess.run(['tar', '-xf', archive, '-C', home.dir], check=True)
    assert read_file(home.dir / 'a.bin') == data


def test_cp_sparse_of_a_cold_large_file(world, home):
    """Cold: the first thing that looks at the file is cp --sparse=auto."""
    data = world.publish('shot/a.bin', size=9 << 20)
    home.mount()
    subprocess.run(['cp', '--sparse=auto', home.mnt / 'shot/a.bin', home.dir / 'auto'], check=True)
    assert read_file(home.dir / 'auto') == data


def test_mmap_of_a_cold_large_file(world, home):
    data = world.publish('shot/a.bin', size=9 << 20)
    home.mount()
    with open(home.mnt / 'shot/a.bin', 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped[8 << 20:(8 << 20) + 100] == data[8 << 20:(8 << 20) + 100]
        assert bytes(mapped) == data


def test_an_empty_file_arrives_when_it_is_opened(world, home):
    """No read ever asks for its bytes."""
    world.publish(REL, size=0)
    home.mount()
    assert home.state(REL) == 'remote' and home.read(REL) == b''
    home.wait_state(REL, 'local')
    assert home.on_disk(REL) == b''
    wait_until(lambda: world.is_recorded(REL, 'local_0'), 'it is recorded')
