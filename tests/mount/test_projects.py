"""Projects: they appear by themselves, are inactive for a while, are dropped or emptied by accident and brought back."""

import os

import pytest

from harness import REMOTE, make_document, recorded, stays, wait_until, write_file

FILES = ['shot/a.exr', 'shot/b.exr']
LATER = 'shot/later.exr'

on_replica_set, on_standalone = pytest.mark.mongodb('replica_set'), pytest.mark.mongodb('standalone')


def set_active(world, is_active):
    projects = [doc for doc in world.docs() if doc['type'] == 'project']
    assert projects, 'publish made a project document'
    projects[0].setdefault('data', {})['active'] = is_active
    world.hand.put(*projects)


def remove_all(world, project='demo'):
    """By a slip of the hand. What was there."""
    docs = world.docs(project)
    if world.mongod:
        world.hand.send({'delete': project, 'deletes': [{'q': {}, 'limit': 0}]})
    else:
        world.hand.drop(*docs, project=project)
    return docs


# ---- appearing ----

@pytest.mark.parametrize('store', ['embedded', pytest.param('standalone', marks=on_standalone)])
def test_new_projects_appear_by_themselves(world, studio, home, store):
    home.mount()
    studio.sync()
    data = studio.write('second/a.exr')
    studio.publish('second/a.exr', project='second')
    wait_until(lambda: os.path.exists(home.mnt / 'second/a.exr'), 'the new project is shown')
    assert home.read('second/a.exr') == data


# ---- inactive ----

def test_an_inactive_project_is_read_and_not_synced(world, studio, home):
    data = world.publish(FILES[0])
    set_active(world, False)
    studio.add_site('local_0', FILES[0])
    home.mount()
    stays(lambda: home.on_disk(FILES[0]) is None, 'no background transfer', 3)
    assert home.read(FILES[0]) == data


@on_replica_set
def test_a_project_becomes_inactive_and_active_again(world, studio):
    """While the daemon runs: what was queued stays here, what is published is not sent, and then all of it is."""
    world.publish(*FILES)
    studio.sync()
    set_active(world, False)
    studio.write(LATER)
    studio.publish(LATER, name='later')
    wait_until(lambda: 'inactive' in studio.explain(LATER), 'explain says why')
    world.hand.set_entry(FILES[0], REMOTE, {})
    studio.write('other/a.exr')
    studio.publish('other/a.exr', project='other')
    wait_until(lambda: world.is_recorded('other/a.exr', REMOTE, 'other'), 'other projects go on')
    assert world.entry(LATER, REMOTE) == world.entry(FILES[0], REMOTE) == {'name': REMOTE}
    assert not world.remote_file(LATER).exists()
    wait_until(lambda: studio.status()['queue']['upload']['files'] == 0, 'nothing is queued')
    set_active(world, True)
    wait_until(lambda: world.is_recorded(LATER, REMOTE) and world.is_recorded(FILES[0], REMOTE), 'active, it goes on')


# ---- dropped, emptied ----

def publish_and_read(world, home):
    """Files here and at the remote, one more that waits to be sent."""
    data = world.publish(*FILES)
    home.mount()
    for rel in FILES:
        home.read(rel)
        home.wait_state(rel, 'local')
    return data


def queue_one(world, studio):
    studio.sitefs('pause', '--uploads')
    studio.write(LATER)
    studio.publish(LATER, name='later')
    wait_until(lambda: studio.state(LATER) == 'paused', 'it waits')


@pytest.mark.parametrize('how', ['emptied', pytest.param('dropped', marks=on_replica_set)])
def test_a_lost_project_stands_still_until_it_is_back(world, studio, home, how):
    """A slip of the hand in the database: what is here stays, is listed and read; nothing of the project moves or is
    recorded. Brought back, it goes on where it was."""
    data = publish_and_read(world, home)
    daemon = studio.sync()
    queue_one(world, studio)
    docs = world.docs()
    if how == 'dropped':
        world.hand.send({'drop': 'demo'})
    else:
        remove_all(world)
    for site in (home, studio):
        wait_until(site.is_lost, 'status says so')
        assert "'demo'" in site.status()['lost_root']
    assert 'demo' in studio.explain(LATER)
    studio.sitefs('resume')
    # Another project is synced by the same daemons.
    other = studio.write('other/a.exr')
    studio.publish('other/a.exr', project='other')
    wait_until(lambda: world.is_recorded('other/a.exr', REMOTE, 'other'), 'other projects go on')
    wait_until(lambda: os.path.exists(home.mnt / 'other/a.exr'), 'and are shown')
    assert home.read('other/a.exr') == other
    assert not world.remote_file(LATER).exists(), 'nothing of it is sent'
    stays(lambda: [home.on_disk(rel) for rel in FILES] == data, 'nothing is moved aside', 2)
    assert [home.read(rel) for rel in FILES] == data
    assert studio.on_disk(LATER) and studio.state(LATER) == 'paused'
    world.import_docs(*docs)
    wait_until(lambda: world.is_recorded(LATER, REMOTE), 'back, it goes on')
    for site in (home, studio):
        wait_until(lambda site=site: not site.is_lost(), 'status says so')
    assert daemon.is_running
    assert [home.on_disk(rel) for rel in FILES] == data
    assert all(world.is_recorded(rel, 'local_0') for rel in FILES), 'as it was recorded'


def many(world, n):
    """Representations of one file each, at the remote and read at home."""
    rels = [f'many/f.{number:03d}.exr' for number in range(n)]
    for rel in rels:
        write_file(world.remote_file(rel), rel.encode())
    docs = [make_document(rel, {'studio': recorded(), REMOTE: recorded()}, size=len(rel)) for rel in rels]
    world.import_docs(*docs)
    return rels, docs


@on_replica_set
def test_a_project_of_many_documents_is_emptied(world, home):
    """The first are heard to be gone while the last are still there: none is believed to be gone."""
    rels, docs = many(world, 300)
    home.mount()
    wait_until(lambda: len(home.shown('many')) == len(rels), 'all are listed')
    for rel in rels[:5] + rels[-5:]:
        home.read(rel)
    wait_until(lambda: all(home.state(rel) == 'local' for rel in rels[:5] + rels[-5:]), 'some are here')
    remove_all(world)
    wait_until(home.is_lost, 'status says so')
    assert len(home.shown('many')) == len(rels)
    stays(lambda: all(home.on_disk(rel) == rel.encode() for rel in rels[:5] + rels[-5:]), 'nothing is moved aside', 2)
    assert home.read(rels[100]) == rels[100].encode()
    # Restored in two parts, a pause between: what is not back yet is waited for.
    world.import_docs(*docs[:100])
    stays(lambda: len(home.shown('many')) == len(rels), 'what is not back yet is still listed', 1)
    world.import_docs(*docs[100:299])
    wait_until(lambda: not home.is_lost(), 'it is back')
    wait_until(lambda: not os.path.exists(home.mnt / rels[299]), 'what does not come back is gone in the end')
    assert len(home.shown('many')) == 299


@on_standalone
def test_a_lost_project_is_still_lost_at_the_next_start(world, studio, home):
    data = publish_and_read(world, home)
    studio.sync_once()
    home.umount()
    docs = remove_all(world)
    home.mount()
    wait_until(home.is_lost, 'status says so')
    home.umount()
    home.mount()
    assert home.is_lost()
    stays(lambda: [home.on_disk(rel) for rel in FILES] == data, 'nothing is moved aside', 2)
    result = studio.run('sync', '--once')
    assert result.code == 4 and "'demo'" in result.err and '--adopt' in result.err, result
    world.import_docs(*docs)
    wait_until(lambda: not home.is_lost(), 'it is back')
    studio.sync_once()
    assert [home.on_disk(rel) for rel in FILES] == data
    assert all(world.is_recorded(rel, 'local_0') for rel in FILES), 'as it was recorded'


def test_an_emptied_project_is_adopted(world, studio, home):
    """It was meant so: copies are moved aside, originals stay, as unpublished ones."""
    data = publish_and_read(world, home)
    home.umount()
    remove_all(world)
    home.mount()
    wait_until(home.is_lost, 'status says so')
    doctor = home.run('doctor')
    assert "'demo'" in doctor.out + doctor.err, doctor
    home.umount()
    home.mount(args=('--adopt',))
    wait_until(lambda: home.on_disk(FILES[0]) is None and home.on_disk(FILES[1]) is None, 'copies go aside')
    assert not home.is_lost()
    assert studio.run('sync', '--once', '--adopt').code == 0
    assert [studio.on_disk(rel) for rel in FILES] == data
