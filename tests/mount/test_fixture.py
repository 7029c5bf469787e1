"""A real OpenPype publish and a real dump (read from a folder beside the clone, see its README), end to end."""

import copy
import json
import os
import pathlib
import shutil

import pytest

from harness import REMOTE, read_file, stays, wait_until

FIXTURES = pathlib.Path(os.environ.get('SITEFS_FIXTURES') or
                        pathlib.Path(__file__).resolve().parents[3] / 'shared/fixtures') / 'openpype'
PROJECT = 'test_project'

# The only skip that stays one where everything is required: the fixtures are not ours to ship.
pytestmark = pytest.mark.skipif(not FIXTURES.is_dir(), reason=f'fixtures missing: no folder {FIXTURES}')


def files_of(docs):
    return [file for doc in docs if doc['type'] == 'representation' for file in doc['files']]


def rel_of(file):
    return os.path.normpath(file['path'].replace('{root[work]}/', ''))


def without_sites(docs, *names):
    """The documents without the entries of our sites: what must have survived as it was."""
    docs = copy.deepcopy(docs)
    for file in files_of(docs):
        file['sites'] = [site for site in file['sites'] if site['name'] not in names]
    return sorted(docs, key=lambda doc: json.dumps(doc['_id']))


def test_a_real_maya_publish(world, studio, home):
    dump = FIXTURES / 'maya_publish'
    shutil.copytree(dump / 'test_project', studio.root / 'test_project')
    studio.sitefs('import', '--project', PROJECT, dump / 'avalon_tests.test_project.json')
    imported = world.docs(PROJECT)
    studio.sitefs('add-site', REMOTE, '--project', PROJECT, '--all')
    studio.sync_once()
    rels = sorted({rel_of(file) for file in files_of(imported)})
    assert len(rels) == 5
    for rel in rels:
        assert read_file(world.remote_root() / rel) == studio.on_disk(rel)
        assert world.is_recorded(rel.rpartition('/')[2], REMOTE, PROJECT)
    home.mount()
    for rel in rels:
        data = studio.on_disk(rel)
        assert os.stat(home.mnt / rel).st_size == len(data)
        assert home.read(rel) == data
    # Sizes in the documents are those of another machine.
    assert any(int(number(file['size'])) != len(studio.on_disk(rel_of(file))) for file in files_of(imported))
    # Work files are nobody's publish: they stay where they are.
    assert not (world.remote_root() / 'test_project/test_asset/work').exists()
    wait_until(lambda: all(any(site['name'] == 'local_0' for site in file['sites'])
                           for file in files_of(world.docs(PROJECT))), 'recorded at local_0')
    assert without_sites(world.docs(PROJECT), REMOTE, 'local_0') == without_sites(imported, REMOTE, 'local_0')


def number(value):
    return next(iter(value.values())) if isinstance(value, dict) else value


def test_a_real_dump_none_of_whose_files_exist(world, studio):
    dump = FIXTURES / 'site_sync'
    studio.sitefs('import', '--project', PROJECT, dump / 'test_db.test_project.bson')
    imported = world.docs(PROJECT)
    studio.sitefs('add-site', REMOTE, '--project', PROJECT, '--all')
    wanted = world.docs(PROJECT)
    lost = studio.run('sync', '--once')
    assert lost.code == 1 and '--adopt' in lost.err, lost
    assert world.docs(PROJECT) == wanted, 'nothing is written while the root is lost'

    made_up = [rel_of(file) for file in files_of(imported) if file['path'].endswith(('.mov', '.png'))]
    for rel in made_up:
        studio.write(rel, size=5000)
    result = studio.run('sync', '--once', '--adopt')
    assert result.code in (1, 4), 'some are missing'
    for rel in made_up:
        assert read_file(world.remote_root() / rel) == studio.on_disk(rel)
        assert world.is_recorded(rel.rpartition('/')[2], REMOTE, PROJECT)
    missing = [file for file in files_of(world.docs(PROJECT)) if rel_of(file) not in made_up]
    assert missing
    for file in missing:
        assert not any('created_dt' in site for site in file['sites'] if site['name'] == REMOTE)
    studio.sync()
    for file in missing:
        assert studio.state(rel_of(file)) in ('failed', 'queued')
    assert without_sites(world.docs(PROJECT), REMOTE) == without_sites(imported, REMOTE)


def test_the_same_dump_by_a_daemon(world, studio, home):
    """The missing ones are reported and do not stop the rest, nor what is published later."""
    studio.sitefs('import', '--project', PROJECT, FIXTURES / 'site_sync/test_db.test_project.bson')
    studio.sitefs('add-site', REMOTE, '--project', PROJECT, '--all')
    studio.sync('--adopt')
    studio.write('later/a.exr')
    studio.publish('later/a.exr')
    wait_until(lambda: world.is_recorded('later/a.exr', REMOTE), 'a later publish goes its way')
    stays(lambda: not any('created_dt' in site for file in files_of(world.docs(PROJECT)) for site in file['sites']
                          if site['name'] == REMOTE), 'nothing that is missing is recorded', 3)
    home.mount()
    assert home.shown() == ['later/', 'later/a.exr']


def test_import_twice_and_export_are_lossless(world, studio):
    path = FIXTURES / 'maya_publish/avalon_tests.test_project.json'
    studio.sitefs('import', '--project', PROJECT, path)
    first = studio.sitefs('export', '--project', PROJECT, '--json').out
    again = studio.sitefs('import', '--project', PROJECT, path, '--json').json
    assert studio.sitefs('export', '--project', PROJECT, '--json').out == first
    assert again
    assert len(world.docs(PROJECT)) == len(json.loads(path.read_text()))
