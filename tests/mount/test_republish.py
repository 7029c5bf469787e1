"""A version is published again by Pype over the same names, with new ids of its files, and another program than sitefs
sends it: what is given out at home then, and what is refused."""

import itertools
import os
import time

import pytest

from harness import REMOTE, errno_of, make_document, random_bytes, recorded, stays, wait_until, write_file

REL = 'shot/a.exr'
KEY = f'{{root[work]}}/{REL}'
numbers = itertools.count(1)


def publish_anew(world, data, docs=None, **fields):
    """As Pype writes it: the same document with another file id and fresh sites; the bytes lie at the studio. FIELDS:
    what it tells of the file."""
    path = world.site('studio').root / REL
    write_file(f'{path}.tmp', data)
    os.replace(f'{path}.tmp', path)
    docs = docs or [doc for doc in world.representations() if doc['files'][0]['path'] == KEY]
    for doc in docs:
        file, = doc['files']
        file.pop('hash', None)
        file.update({'size': 0, **fields}, sites=[{'name': 'studio', **recorded()}, {'name': REMOTE}])
        file['_id'] = {'$oid': f'65000000{next(numbers):016x}'}
    world.hand.put(*docs)
    return docs


def arrive(world, docs, data=None):
    """The other program has copied it over what was there, and says so."""
    if data is not None:
        write_file(world.remote_file(REL), data)
    for doc in docs:
        doc['files'][0]['sites'][1] = {'name': REMOTE, 'id': os.path.basename(REL), **recorded()}
    world.hand.put(*docs)


def wait_read(home, data):
    wait_until(lambda: home.tries_to_read(REL) == data, 'the new bytes are read')


@pytest.mark.parametrize('is_down', [False, True])
def test_new_bytes_come_by_themselves(world, home, is_down):
    """Nobody gives --accept; who has the old file open keeps its bytes. Once, and again."""
    old, new, newest = world.publish(REL), random_bytes('new', 4000), random_bytes('newest', 4000)
    home.mount()
    assert home.read(REL) == old
    home.wait_state(REL, 'local')
    if is_down:
        home.umount()
    with open((home.root if is_down else home.mnt) / REL, 'rb') as file:
        docs = publish_anew(world, new, size=len(new))
        if not is_down:
            wait_until(lambda: 'a.exr' not in home.shown('shot'), 'it is awaited')
        arrive(world, docs, new)
        if is_down:
            home.mount()
        wait_read(home, new)
        assert file.read() == old
    home.wait_state(REL, 'local')
    assert home.on_disk(REL) == new
    wait_until(lambda: world.hand.truths()[KEY]['size'] == len(new), 'the truth is recorded anew')
    # The same size, and the document tells nothing.
    arrive(world, publish_anew(world, newest), newest)
    wait_read(home, newest)
    home.wait_state(REL, 'local')


def test_one_of_two_representations_anew(world, home):
    """The further one that names the path goes on to do so."""
    old, new = world.publish(REL), random_bytes('new', 1000)
    further = make_document(REL, {REMOTE: {**recorded(), 'id': os.path.basename(REL)}})
    docs = world.representations()
    world.import_docs(further)
    home.mount()
    assert home.read(REL) == old
    home.wait_state(REL, 'local')
    publish_anew(world, new, docs)
    wait_until(lambda: home.on_disk(REL) is None, 'the copy of the old one is moved aside')
    assert home.read(REL) == old  # which is what lies at the remote
    assert home.on_disk(REL) is None
    arrive(world, docs, new)
    wait_read(home, new)
    wait_until(lambda: home.on_disk(REL) == new, 'it is kept')


@pytest.mark.mongodb('standalone')
def test_who_hears_of_the_truth_alone(world, studio, home):
    """Where the store does not tell of each change, an old document is known as it was before for long; a site that knows
    the newer one says what its bytes are."""
    old, new = studio.write(REL), random_bytes('new', 4000)
    doc = make_document(REL, {'studio': recorded(), REMOTE: {}})
    doc['_id'] = {'$oid': '5fa2cf00aabbccddeeff0001'}
    world.import_docs(doc)
    studio.sync_once()
    home.mount()
    assert home.read(REL) == old
    home.wait_state(REL, 'local')
    put, world.hand.put = world.hand.put, lambda *docs: None
    docs = publish_anew(world, new)
    world.hand.put = put
    arrive(world, docs, new)
    studio.sync()
    wait_read(home, new)
    home.wait_state(REL, 'local')
    assert home.on_disk(REL) == new


LATER = f'a,exr|{int(time.time()) + 86400},25|1000'


@pytest.mark.parametrize('fields', [{'size': 4000}, {'size': 1000, 'hash': LATER}])
def test_the_object_of_before_is_refused(world, home, fields):
    """The entry says that the remote has it, and there is what was there before: that the document contradicts, by size or
    by time. The right one is read without a person."""
    world.publish(REL)
    new = random_bytes('new', fields['size'])
    docs = publish_anew(world, new, **fields)
    arrive(world, docs)
    home.mount()
    wait_until(lambda: errno_of(home.read, REL) == 'EIO', 'the old bytes are not given out')
    home.wait_state(REL, 'failed')
    wait_until(lambda: 'published anew' in home.explain(REL), 'it is told why')
    assert 'of a publish before' in home.explain(REL) and '--accept' in home.explain(REL)
    stays(lambda: errno_of(home.read, REL) == 'EIO', 'nor later', 1)
    write_file(world.remote_file(REL), new)
    wait_read(home, new)


def test_what_nothing_contradicts_is_believed(world, home):
    """Neither size nor time are told: what lies there is what was published, as far as anybody knows. An edit after that is
    noticed."""
    old = world.publish(REL)
    arrive(world, publish_anew(world, old))
    home.mount()
    assert home.read(REL) == old
    home.wait_state(REL, 'local')
    wait_until(lambda: 'of a publish before' not in home.explain(REL), 'it is known again')
    home.umount()
    os.unlink(home.root / REL)
    world.remote_file(REL).write_bytes(bytes(reversed(old)))
    home.mount()
    wait_until(lambda: errno_of(home.read, REL) == 'EIO', 'a person changed it')
    wait_until(lambda: 'was changed' in home.explain(REL), 'it is told')
