"""Bytes of files: patterns without disk, and uploads that turn out to be one."""

import hashlib

import pytest

from gdrive.content import IN_MEMORY, Bytes, Disk, Pattern, Sink

MIB = 1 << 20


def sunk(data, step=300_000):
    sink = Sink()
    for at in range(0, len(data), step):
        sink.write(data[at:at + step])
    return sink.finish()


def is_right(content, data):
    digests = content.digests
    return (content.size, content.read(0, content.size), digests.md5, digests.sha1, digests.sha256) == (
        len(data), data, hashlib.md5(data).hexdigest(), hashlib.sha1(data).hexdigest(),
        hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize('size, kind', [(0, Bytes), (1, Bytes), (IN_MEMORY, Bytes), (IN_MEMORY + 1, Disk),
                                        (3 * MIB, Disk)])
def test_what_is_written_is_kept(size, kind):
    data = bytes(i * 7 % 251 for i in range(1000)) * (size // 1000 + 1)
    content = sunk(data[:size])
    assert isinstance(content, kind) and is_right(content, data[:size])


@pytest.mark.parametrize('start, end', [(0, 10), (MIB - 5, MIB + 5), (5 * MIB - 1, 5 * MIB), (77, 4 * MIB + 3)])
def test_any_range_of_a_pattern_is_the_same(start, end):
    pattern = Pattern(5 * MIB, 3)
    assert pattern.read(start, end) == pattern.read(0, 5 * MIB)[start:end]


def test_patterns_differ_by_seed_size_and_place():
    blocks = [Pattern(size, seed).block(n) for size, seed, n in ((4 * MIB, 1, 0), (4 * MIB, 1, 1), (4 * MIB, 2, 0),
                                                                 (5 * MIB, 1, 0))]
    assert len(set(blocks)) == 4


@pytest.mark.parametrize('is_known', [False, True])
def test_an_uploaded_pattern_is_not_stored(is_known):
    seed = 40 + is_known
    if is_known:
        assert Pattern(5 * MIB + 7, seed).digests
    data = Pattern(5 * MIB + 7, seed).read(0, 5 * MIB + 7)
    content = sunk(data)
    assert isinstance(content, Pattern) and is_right(content, data)


@pytest.mark.parametrize('is_known', [False, True])
@pytest.mark.parametrize('change', ['a byte', 'shorter', 'longer'])
def test_what_only_begins_as_a_pattern_is_stored(change, is_known):
    pattern = Pattern(5 * MIB, 50 + is_known)
    if is_known:
        assert pattern.digests
    data = bytearray(pattern.read(0, pattern.size))
    if change == 'a byte':
        data[4 * MIB] ^= 1
    data = bytes(data[:-1] if change == 'shorter' else data + b'x' if change == 'longer' else data)
    content = sunk(data)
    assert isinstance(content, Disk) and is_right(content, data)


def test_a_petabyte():
    pattern = Pattern(1 << 50, 1)
    assert len(pattern.read((1 << 50) - 100, 1 << 50)) == 100 and len(pattern.digests.sha256) == 64
