"""What people ask of files at sites, while daemons run: add-site, remove-site, reset, priority, pause, resume, retry."""

import socket

import pytest

from drive import drive  # noqa: F401
from harness import REMOTE, TIMING, make_document, recorded, wait_until, write_file

CREATE = 'files.create.multipart'


def is_paused(site, rel):
    return site.state(rel) == 'paused'


def made(drive):  # noqa: F811
    """Names of what was made at Drive, in order."""
    return [event['name'] for event in drive.requests(CREATE) if event['status'] == 200]


def test_the_queue_is_ordered_by_what_people_say(drive, world, studio):  # noqa: F811
    """One worker is held by a plug; behind it wait old files that somebody asked for at Drive, and a later publish. The
    plug is paused while it is being sent: that cuts it short, and the queue goes in its order."""
    world.configure(settings={'pools': {'workers': 1}})
    plug = drive.server.faults.add({'match': {'kind': CREATE, 'name': 'plug'}, 'do': {'stall': True}})
    old = [f'old/{n}' for n in range(5)]
    for rel in old:
        studio.write(rel, size=1000)
    world.import_docs(*(make_document(rel, {'studio': recorded()}) for rel in old))
    studio.write('plug', size=1000)
    studio.publish('plug', name='plug')
    daemon = studio.sync()
    wait_until(lambda: plug.hits, 'the plug is being sent')
    studio.sitefs('add-site', 'gdrive', studio.root / 'old')
    studio.write('new', size=1000)
    studio.publish('new', name='new')
    wait_until(lambda: studio.status()['queue']['upload']['files'] == 7, 'all wait')
    studio.sitefs('priority', '60', studio.root / 'old/3')
    wait_until(lambda: studio.info('old/3')['sites'][0].get('priority') == 60, 'the daemon has heard of it')
    assert made(drive) == []
    studio.sitefs('pause', studio.root / 'plug')
    wait_until(lambda: all(drive.is_recorded(rel) for rel in [*old, 'new']), 'all but the plug are recorded')
    order = made(drive)
    assert order[:2] == ['3', 'new'] and sorted(order[2:]) == ['0', '1', '2', '4'], order
    assert is_paused(studio, 'plug') and not world.entry('plug', 'gdrive').get('tries')
    studio.sitefs('resume', studio.root / 'plug')
    wait_until(lambda: drive.is_recorded('plug'), 'the plug is sent in the end')
    daemon.end()


def test_progress_stands_in_the_document_while_it_is_sent(drive, world, studio):  # noqa: F811
    """As Pype's queue reads it: a part of 1 while it goes on, no key once it is done or held."""
    world.configure(settings={'timing': {**TIMING, 'progress': '100ms'}})
    stalled = drive.server.faults.add({'match': {'kind': 'session.chunk'}, 'skip': 1, 'do': {'stall': True}})
    studio.write('large', size=12 << 20)
    studio.publish('large')
    studio.sync()
    wait_until(lambda: stalled.hits, 'it stalls')
    wait_until(lambda: 'progress' in world.entry('large', 'gdrive'), 'progress is written')
    part = float(world.entry('large', 'gdrive')['progress']['$numberDouble'])
    assert 0 < part < 1
    assert 'progress' not in world.entry('large', 'studio')
    studio.sitefs('pause')
    wait_until(lambda: 'progress' not in world.entry('large', 'gdrive'), 'a held one is not under way')
    studio.sitefs('resume')
    wait_until(lambda: drive.is_recorded('large'), 'it goes on')
    assert 'progress' not in world.entry('large', 'gdrive')


def test_all_is_held_back_over_a_restart(world, studio):
    daemon = studio.sync()
    assert studio.sitefs('pause', '--uploads', '--json').json == {'schema': 1, 'paused': 1, 'until': None}
    studio.write('a')
    studio.publish('a')
    wait_until(lambda: is_paused(studio, 'a'), 'it is paused')
    daemon.end()
    daemon = studio.sync()
    wait_until(lambda: is_paused(studio, 'a'), 'it is still paused')
    assert studio.status()['pauses'] == [{'uploads': True, 'downloads': False, 'until': None}]
    assert 'paused    uploads\n' in studio.sitefs('status').out
    assert 'sitefs resume' in studio.explain('a')
    assert studio.sitefs('resume', '--downloads', '--json').json['ended'] == 0
    assert is_paused(studio, 'a')
    assert studio.sitefs('resume', '--json').json['ended'] == 1
    wait_until(lambda: world.is_recorded('a', REMOTE), 'it goes on')
    assert not world.entry('a', REMOTE).get('tries')
    assert studio.status()['pauses'] == []


def test_a_project_and_a_path_are_held_back_for_a_time(world, studio):
    studio.sync()
    studio.sitefs('pause', '--project', 'other')
    studio.sitefs('pause', '--for', '100h', studio.root / 'held')
    for rel, project in (('held/a', 'demo'), ('free/a', 'demo'), ('free/b', 'other')):
        studio.write(rel)
        studio.publish(rel, project=project)
    wait_until(lambda: world.is_recorded('free/a', REMOTE), 'what nobody holds is sent')
    wait_until(lambda: is_paused(studio, 'held/a') and is_paused(studio, 'free/b'), 'the others are paused')
    assert 'paused' not in world.entry('held/a', 'studio')
    # resuming a path ends what holds it, for a time or not, and nothing else
    studio.sitefs('resume', studio.root / 'held')
    wait_until(lambda: world.is_recorded('held/a', REMOTE), 'the path goes on')
    assert is_paused(studio, 'free/b')
    # and one ends by itself
    studio.sitefs('resume', '--project', 'other')
    studio.sitefs('pause', '--for', '1s')
    wait_until(lambda: world.is_recorded('free/b', REMOTE, project='other'), 'time is over')


def test_paused_in_the_document(world, studio, home):
    """For every machine of the site, and nobody else's entries change."""
    studio.write('a')
    studio.publish('a')
    assert studio.sitefs('pause', studio.root / 'a', '--json').json['changed'] == 1
    assert world.entry('a', 'studio')['paused'] is True and 'paused' not in world.entry('a', REMOTE)
    studio.sync()
    wait_until(lambda: is_paused(studio, 'a'), 'it is paused')
    world.wait_seen(studio)
    assert not world.is_recorded('a', REMOTE)
    # what is fetched here is not meant by that
    only = ('--downloads', '--project', 'demo', '--all')
    assert studio.run('resume', *only).code == 3 and is_paused(studio, 'a')
    assert studio.sitefs('resume', studio.root / 'a', '--json').json['changed'] == 1
    wait_until(lambda: world.is_recorded('a', REMOTE), 'it goes on')


def test_a_read_is_never_held_back(world, home):
    data = b'bytes'
    home.mount()
    home.sitefs('pause')
    write_file(world.remote_file('a'), data)
    world.import_docs(make_document('a', {REMOTE: recorded(), home.name: {}}, size=len(data)))
    wait_until(lambda: is_paused(home, 'a'), 'it is not fetched in the background')
    assert home.read('a') == data


def test_reset_looks_again_and_sends_nothing_twice(world, studio):
    world.publish('a')
    before = world.entry('a', REMOTE)
    inode = world.remote_file('a').stat().st_ino
    studio.sitefs('priority', '70', studio.root / 'a')
    studio.sitefs('reset', studio.root / 'a', '--site', REMOTE)
    assert world.entry('a', REMOTE) == {'name': REMOTE}
    studio.sync_once()
    after = world.entry('a', REMOTE)
    assert after['id'] == before['id'] and after['created_dt'] and world.remote_file('a').stat().st_ino == inode
    # the object is gone: it is sent anew
    world.remote_file('a').unlink()
    studio.sitefs('reset', '--query', '{}', '--site', REMOTE)
    studio.sync_once()
    assert world.is_recorded('a', REMOTE) and world.remote_file('a').read_bytes() == studio.on_disk('a')


def test_when_a_site_was_seen_last(world, studio, home):
    """By the store: by whoever asks, on whatever site."""
    world.publish('a')
    home.sync_once()
    for site, asked in ((studio, home), (home, studio)):
        result = asked.run('status', '--site', site.name, '--json').json
        host, = result['hosts']
        assert host['host'] == socket.gethostname() and host['last_seen'] == result['last_seen'] and result['last_seen']
        assert host['last_seen'] in asked.run('status', '--site', site.name).out
    assert home.run('status', '--site', REMOTE, '--json').json['last_seen'] is None


def test_remove_site_moves_nothing_more(world, studio):
    world.publish('a')
    studio.sync()
    studio.sitefs('remove-site', REMOTE, studio.root / 'a')
    world.wait_seen(studio)
    assert world.entry('a', REMOTE) is None and world.remote_file('a').exists() and studio.on_disk('a')
    assert studio.state('a') == 'local'
    studio.sitefs('add-site', REMOTE, studio.root / 'a')
    wait_until(lambda: world.is_recorded('a', REMOTE), 'it is found there again')
    assert world.entry('a', REMOTE)['priority'] == {'$numberInt': '10'}


def test_remove_site_with_files(world, studio, home):
    """Copies go, each verified at the remote; originals and what somebody writes stay; nothing goes elsewhere."""
    contents = dict(zip('abc', world.publish('a', 'b', 'c')))
    home.mount()
    assert all(home.read(name) == contents[name] for name in 'abc')
    wait_until(lambda: all(world.is_recorded(name, 'local_0') for name in 'abc'), 'recorded at home')
    home.write('own')
    home.publish('own')
    wait_until(lambda: world.is_recorded('own', REMOTE), 'sent from home')
    # one object is another now, and one is being written
    world.remote_file('b').write_bytes(b'other')
    with open(home.root / 'c', 'r+b'):
        result = home.run('remove-site', 'local_0', '--project', 'demo', '--all', '--files', '--json')
        assert result.code == 4 and result.err.count('\n') == 1, result
    assert result.json['released'] == 1 and result.json['kept'] == 1 and result.json['not_released'] == 2, result
    assert result.json['released_bytes'] == len(contents['a']) and result.json['changed'] == 4
    assert [name for name in [*'abc', 'own'] if home.on_disk(name) is not None] == ['b', 'c', 'own']
    assert all(world.entry(name, 'local_0') is None for name in [*'abc', 'own'])
    assert world.is_recorded('a', REMOTE) and studio.on_disk('a') == contents['a']
    home.wait_state('a', 'remote')
    assert home.read('a') == contents['a']


@pytest.mark.parametrize('args, code', [(('remove-site', REMOTE), 2), (('remove-site', 'studio'), 6)])
def test_files_of_whom(world, studio, args, code):
    world.publish('a')
    before = world.docs()
    result = studio.run(*args, studio.root / 'a', '--files')
    assert result.code == code and studio.on_disk('a') and world.docs() == before, result


def test_files_stay_where_the_remote_is_away(world, home):
    data, = [world.publish('a')]
    home.mount()
    assert home.read('a') == data
    wait_until(lambda: world.is_recorded('a', 'local_0'), 'recorded at home')
    world.remote.rename(world.dir / 'away')
    result = home.run('remove-site', 'local_0', home.root / 'a', '--files')
    assert result.code != 0 and home.on_disk('a') == data, result
    (world.dir / 'away').rename(world.remote)


def test_retry_by_project(world, studio):
    """Tries are used up, on either side; by project all of them start over, without a daemon being named."""
    studio.write('a')
    studio.publish('a')
    world.hand.set_entry('a', REMOTE, {'tries': 3, 'error': 'no room'})
    studio.sync()
    studio.wait_state('a', 'failed')
    result = studio.sitefs('retry', '--project', 'demo', '--all', '--json').json
    assert result['changed'] == 1 and result['files'] == 1
    wait_until(lambda: world.is_recorded('a', REMOTE), 'it is sent')


@pytest.mark.parametrize('args, code', [
    (('pause', '--for', 'soon'), 2), (('pause', '--for', '1h', '--query', '{}'), 2), (('pause',), 6), (('resume',), 6),
    (('pause', '/nowhere'), 3), (('resume', 'pub:demo/nothing'), 3)])
def test_what_cannot_be_paused(world, studio, args, code):
    world.publish('a')
    result = studio.run(*args)
    assert result.code == code and result.err.count('\n') == 1, result
