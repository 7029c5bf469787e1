"""The studio's own MongoDB as the store: two sites on one server, a running Pype's documents, a server that goes away."""

import json
import os
import time

import pytest

import bsonbytes
from harness import DEADLINE, IS_SANITISED, REMOTE, make_document, read_file, recorded, tree, wait_until, write_file
from test_fixture import FIXTURES, files_of

N_FILES = 200 if IS_SANITISED else 1000
FILES = [f'frames/f.{frame:04d}.exr' for frame in range(N_FILES)]

on_replica_set = pytest.mark.mongodb('replica_set')
on_standalone = pytest.mark.mongodb('standalone')


def entries(world, site):
    """The entries of a site, by path, past sitefs."""
    found = {}
    for file in files_of(world.hand.docs()):
        assert file['path'] not in found
        found[file['path']] = [entry for entry in file['sites'] if entry['name'] == site]
    return found


def are_recorded(world, site, n):
    return [len(found) == 1 and 'created_dt' in found[0] for found in entries(world, site).values()] == [True] * n


# ---- the main job ----

@on_replica_set
def test_published_file_is_opened_elsewhere(world, studio, home):
    studio.sync()
    home.mount()
    frame = studio.write('shot/v001/a.1001.exr', size=300_000)
    studio.publish('shot/v001/a.1001.exr')
    # A folder's names are its own: nobody looks at it before it is there.
    wait_until(lambda: os.path.exists(home.mnt / 'shot/v001/a.1001.exr'), 'it is listed at home')
    assert home.read('shot/v001/a.1001.exr') == frame
    wait_until(lambda: world.is_recorded('a.1001.exr', 'local_0'), 'recorded at home')
    assert are_recorded(world, REMOTE, 1) and are_recorded(world, 'studio', 1)


@on_replica_set
def test_time_from_insert_to_listing(world, studio, home):
    """What a change stream is for. The time is printed, not judged: the machine may be busy."""
    world.publish('shot/first.exr')
    home.mount()
    wait_until(lambda: os.path.exists(home.mnt / 'shot/first.exr'), 'it is listed at home')
    data = os.urandom(1000)
    os.makedirs(world.remote_root() / 'shot', exist_ok=True)
    (world.remote_root() / 'shot/second.exr').write_bytes(data)
    doc = json.loads(json.dumps(world.hand.docs()[-1]).replace('first.exr', 'second.exr'))
    for old, new in (('_id', 'a'), ('parent', 'b')):
        doc[old] = {'$oid': new * 24}
    doc['files'][0]['_id'] = {'$oid': 'c' * 24}
    started = time.monotonic()
    world.hand.send({'insert': 'demo', 'documents': [doc]})
    wait_until(lambda: 'second.exr' in os.listdir(home.mnt / 'shot'), 'listed')
    print(f'from insert to ls: {time.monotonic() - started:.3f} s')
    assert home.read('shot/second.exr') == data


@on_standalone
def test_standalone_is_looked_at(world, studio, home):
    """Without a change stream: within loop_delay, one second here."""
    studio.sync()
    home.mount()
    frame = studio.write('shot/v001/a.1001.exr', size=300_000)
    studio.publish('shot/v001/a.1001.exr')
    wait_until(lambda: os.path.exists(home.mnt / 'shot/v001/a.1001.exr'), 'it is listed at home')
    assert home.read('shot/v001/a.1001.exr') == frame
    wait_until(lambda: world.is_recorded('a.1001.exr', 'local_0'), 'recorded at home')


@on_standalone
def test_standalone_sees_another_program_publish(world, studio, home):
    """A new document of Pype's, which tells nobody."""
    home.mount()
    data = b'of pype'
    (world.remote_root() / 'pype.exr').write_bytes(data)
    now = {'$oid': f'{int(time.time()):08x}' + '0' * 16}
    world.hand.send({'insert': 'demo', 'documents': [
        {'_id': now, 'schema': 'pype:representation-2.0', 'type': 'representation', 'name': 'exr', 'parent': now,
         'data': {}, 'context': {}, 'files': [
             {'_id': now, 'path': '{root[work]}/pype.exr', 'size': len(data), 'sites': [
                 {'name': 'studio', 'created_dt': {'$date': {'$numberLong': '1'}}},
                 {'name': REMOTE, 'created_dt': {'$date': {'$numberLong': '1'}}}]}]}]})
    wait_until(lambda: os.path.exists(home.mnt / 'pype.exr'), 'it is listed at home')
    assert home.read('pype.exr') == data


N_OLD = 500
BOTH = {'studio': {}, REMOTE: {}}


def old_documents(world):
    """Representations of years ago, all that is wanted of them done, and their files at the remote."""
    docs = [make_document(f'old/{number}.txt', {site: recorded() for site in BOTH}, 5) for number in range(N_OLD)]
    for number, doc in enumerate(docs):
        doc['_id'] = {'$oid': f'5fa2cf00{number:016x}'}
        doc['context'] = {'asset': f'a{number}'}
        write_file(world.remote_file(f'old/{number}.txt'), b'bytes')
    world.hand.send({'insert': 'demo', 'documents': docs})


@on_standalone
def test_standalone_is_looked_at_before_a_drain_ends(world, studio):
    """What was published a moment ago is sent first, however seldom the store is looked at."""
    world.configure(loop_delay=3600)
    studio.mount()
    data = studio.write('shot/a.exr', size=300_000)
    studio.publish('shot/a.exr')
    studio.sitefs('umount', studio.mnt, '--drain')
    assert world.remote_file('shot/a.exr').read_bytes() == data and world.is_recorded('shot/a.exr', REMOTE)


def profiled(world, **filters):
    """What sitefs asked of the project's documents since profiling began."""
    return world.hand.send({'find': 'system.profile', 'batchSize': 100_000, 'filter': {
        'ns': f'{world.database}.demo', 'appName': 'sitefs', **filters}})['cursor']['firstBatch']


@on_standalone
def test_standalone_index_of_what_waits(world, studio):
    """Offered by doctor, made by --fix, and nothing else is changed."""
    world.hand.send({'insert': 'demo', 'documents': [make_document('a.txt', BOTH)]})
    before = world.hand.dump()

    def finding(*args):
        findings = studio.run('doctor', '--json', *args).json['findings']
        return [found['finding'] for found in findings if found['check'] == 'index']

    assert finding() == ['--fix']
    assert finding('--fix', '--dry-run') == ['would']
    assert finding('--fix') == ['fixed']
    assert finding() == finding('--fix') == ['good']
    assert world.hand.dump() == before
    world.hand.send({'insert': 'second', 'documents': [make_document('b.txt', BOTH)]})
    assert finding('--fix', '--dry-run') == ['would'], 'a project that came later'


@on_replica_set
def test_replica_set_needs_no_index(world, studio):
    world.hand.send({'insert': 'demo', 'documents': [make_document('a.txt', BOTH)]})
    assert 'index' not in [found['check'] for found in studio.run('doctor', '--json').json['findings']]


@on_standalone
def test_standalone_polls_by_indexes(world, studio, home):
    """Looking costs what waits and what is new, and sees what another program does to entries of any age."""
    old_documents(world)
    studio.sitefs('doctor', '--fix')
    home.mount()
    wait_until(lambda: len(home.shown('old')) == N_OLD, 'all is listed')

    def change(number, update):
        """By another program, which tells nobody."""
        world.hand.send({'update': 'demo', 'updates': [{'q': {'_id': {'$oid': f'5fa2cf00{number:016x}'}}, 'u': update}]})

    world.hand.send({'profile': 2})
    wait_until(lambda: len(profiled(world)) >= 9, 'it looked three times')
    assert sum(int(one['docsExamined']['$numberInt']) for one in profiled(world)) == 0
    # Asked for at home, as by a person in the stock Sync Server's window.
    change(7, {'$push': {'files.0.sites': {'name': 'local_0'}}})
    wait_until(lambda: home.on_disk('old/7.txt') == b'bytes', 'it came')
    # Brought anew to the remote: awaited until another program says that it is there.
    change(8, {'$unset': {'files.0.sites.1.created_dt': 1}})
    wait_until(lambda: '8.txt' not in home.shown('old'), 'it is not there yet')
    change(8, {'$set': {'files.0.sites.1': {'name': REMOTE, **recorded()}}})
    wait_until(lambda: '8.txt' in home.shown('old'), 'it is there again')
    world.hand.send({'profile': 0})
    assert {one['planSummary'].split()[0] for one in profiled(world, op='query')} == {'IDHACK', 'IXSCAN'}


@on_standalone
def test_a_project_is_read_for_names_once(world, studio):
    """The studio's collections have no index of names: a publish that asked for each document read all of it each time."""
    world.hand.send({'profile': 2})
    studio.write('shot/a.exr')
    studio.publish('shot/a.exr')
    world.hand.send({'profile': 0})
    assert len(profiled(world, **{'command.filter.$or': {'$exists': True}})) == 1
    assert len(files_of(world.hand.docs())) == 1


@on_standalone
def test_a_document_is_read_once_for_status(world, studio):
    world.configure(settings={'timing': {**world.settings['timing'], 'compare': '1s'}})
    rels = [f'shot/f.{number}.exr' for number in range(30)]
    world.publish(*rels)
    for rel in rels:
        os.unlink(world.remote_file(rel))
    studio.sync()
    wait_until(lambda: studio.status()['changed_at_remote']['files'] == len(rels), 'it is found out')
    world.hand.send({'profile': 2})
    named = studio.status()['changed_at_remote']['named']
    world.hand.send({'profile': 0})
    assert [file['sites'] for file in named] == [['studio']] * len(rels)
    assert len(profiled(world, planSummary='IDHACK')) == 1


@on_standalone
def test_verbs_are_given_what_is_meant(world, studio):
    """However large the project is: the server looks, and sends what a person named."""
    old_documents(world)
    world.hand.send({'profile': 2})
    for number, args in enumerate(((studio.root / 'old/7.txt',), (f'repre:5fa2cf00{7:016x}',), ('pub:demo/a7',),
                                   ('--query', '{"context.asset": "a7"}'))):
        assert studio.sitefs('add-site', 'vendor', *args, '--dry-run', '--json').json['files'] == 1
        assert sum(int(one['nreturned']['$numberInt']) for one in profiled(world, op='query')) == number + 1, args
    world.hand.send({'profile': 0})


# ---- a studio's documents ----

DUMPS = ['maya_publish/avalon_tests.test_project.json', 'site_sync/test_db.test_project.bson']


def restore(world, dump):
    """A dump of OpenPype's into the server, past sitefs. The documents, as bytes."""
    data = (FIXTURES / dump).read_bytes()
    if dump.endswith('.json'):
        world.hand.send({'insert': 'demo', 'documents': json.loads(data)})
    else:
        world.hand.restore(data)
        assert sorted(world.hand.dump()) == sorted(bsonbytes.split(data))
    return world.hand.dump()


def without(docs, *sites):
    return [bsonbytes.without_sites(doc, *sites) for doc in docs]


@on_replica_set
@pytest.mark.skipif(not FIXTURES.is_dir(), reason=f'fixtures missing: no folder {FIXTURES}')
@pytest.mark.parametrize('dump', DUMPS)
def test_only_our_entries_differ(world, studio, home, dump):
    """Restored, asked for at two sites, sent, fetched, dumped again: every other byte is as it was."""
    before = restore(world, dump)
    for file in files_of(world.hand.docs()):
        rel = os.path.normpath(file['path'].replace('{root[work]}/', '').replace('{root}/', ''))
        studio.write(rel)
    studio.sitefs('add-site', REMOTE, '--project', 'demo', '--all')
    studio.sitefs('add-site', 'local_0', '--project', 'demo', '--all')
    studio.sync_once()
    home.sync_once()
    after = world.hand.dump()
    assert before != after
    assert without(before, REMOTE, 'local_0') == without(after, REMOTE, 'local_0')
    assert without(before, REMOTE, 'local_0') == before, 'they were of other sites'
    for site in (REMOTE, 'local_0'):
        assert any('created_dt' in entry for file in files_of(world.hand.docs()) for entry in file['sites']
                   if entry['name'] == site)


@on_replica_set
def test_what_the_comparison_sees(world, studio):
    """Another hand's changes that a reader of values would pass over, and those of our entries, which it must."""
    doc = json.loads(json.dumps(make_document('a.exr', {'studio': {}, REMOTE: {}, 'vendor': {'progress': 1.0}})))
    doc['context'] = {'version': 7, 'frame': '1001'}
    world.hand.send({'insert': 'demo', 'documents': [doc]})
    before = without(world.hand.dump(), REMOTE)

    def after(update):
        world.hand.put(doc)
        world.hand.send({'update': 'demo', 'updates': [{'q': {}, 'u': update}]})
        return without(world.hand.dump(), REMOTE)

    for change in ({'context.version': {'$numberLong': '7'}}, {'context.version': {'$numberDouble': '7.0'}},
                   {'context': {'frame': '1001', 'version': 7}}, {'files.0.size': {'$numberLong': '0'}},
                   {'files.0.sites.2.progress': 1}, {'files.0.sites.0.error': None}, {'note': ''},
                   {'files.0.sites': [doc['files'][0]['sites'][i] for i in (2, 1, 0)]}):
        assert after({'$set': change}) != before, change
    for change in ({'files.0.sites.1.priority': 10}, {'files.0.sites.1': {'name': REMOTE, **recorded()}},
                   {'files.0.sites': [doc['files'][0]['sites'][i] for i in (1, 0, 2)]}):
        assert after({'$set': change}) == before, change
    assert after({'$pull': {'files.0.sites': {'name': REMOTE}}}) == before


# ---- a server that goes away ----

def kill_and_restart(server, use_mount):
    server.kill()
    use_mount()
    server.start()
    server.wait_writable()


def step_down(server, use_mount):
    """Secondary: no writes. Of one node, so nobody else is elected and nothing is rolled back."""
    server.step_down()
    use_mount()
    server.step_up()


def cut_off(server, use_mount):
    """Every connection is closed at the first command, new ones too."""
    server.run('admin', {'configureFailPoint': 'failCommand', 'mode': 'alwaysOn', 'data': {
        'failCommands': ['find', 'getMore', 'aggregate', 'update', 'insert', 'delete', 'hello', 'isMaster'],
        'closeConnection': True, 'appName': 'sitefs'}})
    use_mount()
    server.run('admin', {'configureFailPoint': 'failCommand', 'mode': 'off'})


def silence(server, use_mount):
    server.stop()
    use_mount()
    server.resume()


@on_replica_set
def test_all_that_can_happen_to_a_server(world, studio, replica_set):
    """In one sync. Results wait in the outbox; the mount answers while the server does not (who waits for it would wait
    until it is back); in the end each file is recorded once, and no daemon ended."""
    for rel in FILES:
        studio.write(rel, size=20_000)
    studio.publish(*FILES)
    # Sooner noticed, so that the story is shorter.
    studio.env.update(SITEFS_STORE=f'{world.store}&socketTimeoutMS=2000', AVALON_TIMEOUT='500')
    daemon = studio.mount()

    def use_mount():
        assert len(os.listdir(studio.mnt / 'frames')) == N_FILES
        assert studio.read(FILES[0]) == studio.on_disk(FILES[0])
        studio.write('work/unpublished.ma')
        assert os.path.exists(studio.mnt / 'work/unpublished.ma')
        wait_until(lambda: not studio.status()['store']['reachable'], 'it is noticed')

    for number, happens in enumerate((kill_and_restart, step_down, cut_off, silence, kill_and_restart)):
        wanted = N_FILES * (number + 1) // 10
        wait_until(lambda wanted=wanted: len(tree(world.remote_root())) > wanted, f'{wanted} files are sent')
        happens(replica_set, use_mount)
    wait_until(lambda: are_recorded(world, REMOTE, N_FILES), 'all is recorded, once each')
    assert daemon.is_running
    assert all(read_file(world.remote_file(rel)) == studio.on_disk(rel) for rel in FILES)
    assert [name for name in tree(world.remote_root()) if name not in ('frames/', *FILES)
            and not name.startswith('.sitefs')] == []


@on_replica_set
def test_silent_server(world, studio, replica_set):
    """Connections stay open and nobody answers: listing and reading go on."""
    world.publish('shot/a.exr')
    studio.mount()
    replica_set.stop()
    try:
        started = time.monotonic()
        assert os.listdir(studio.mnt / 'shot') == ['a.exr']
        assert studio.read('shot/a.exr') == studio.on_disk('shot/a.exr')
        assert time.monotonic() - started < DEADLINE
    finally:
        replica_set.resume()
    studio.write('shot/b.exr')
    studio.publish('shot/b.exr')
    wait_until(lambda: world.is_recorded('b.exr', REMOTE), 'it goes on')


@on_replica_set
def test_server_is_away_at_the_start(world, studio, replica_set):
    frame = world.publish('shot/a.exr')
    replica_set.kill()
    try:
        studio.mount()
        assert studio.read('shot/a.exr') == frame
        assert not studio.status()['store']['reachable']
        result = studio.run('publish', '--project', 'demo', studio.root / 'shot/a.exr')
        assert result.code == 10 and result.err.count('\n') == 1, result
    finally:
        replica_set.start()
        replica_set.wait_writable()
    wait_until(lambda: studio.status()['store']['reachable'], 'it is found again')


@on_replica_set
def test_lost_position_is_read_anew(world, studio, home, replica_set):
    """A server that cannot go on from where we were (its history is gone): everything is read again."""
    world.publish('shot/a.exr')
    home.mount()
    wait_until(lambda: os.path.exists(home.mnt / 'shot/a.exr'), 'it is listed at home')
    replica_set.run('admin', {'configureFailPoint': 'failCommand', 'mode': {'times': 2},
                              'data': {'failCommands': ['getMore', 'aggregate'], 'errorCode': 286}})
    world.publish('shot/b.exr')
    wait_until(lambda: os.path.exists(home.mnt / 'shot/b.exr'), 'what came meanwhile is listed')
    replica_set.run('admin', {'configureFailPoint': 'failCommand', 'mode': 'off'})
    world.publish('shot/c.exr')
    wait_until(lambda: os.path.exists(home.mnt / 'shot/c.exr'), 'it follows again')
