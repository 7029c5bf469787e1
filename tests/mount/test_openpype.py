"""A studio whose roots and sites stand in OpenPype's settings only: no preset says anything."""

import os

import pytest

from harness import REMOTE, TIMING, wait_until

pytestmark = pytest.mark.mongodb('replica_set')

ARTIST = 'brave-red-fox'


def platforms(path):
    return {'windows': 'C:/projects', 'darwin': '', 'linux': str(path)}


def versioned(kind, data, **more):
    return {'type': f'{kind}_versioned', 'version': '3.15.4', 'data': data, **more}


def project_settings(sync_server, project=None):
    owner = {'is_default': False, 'project_name': project} if project else {'is_default': True}
    return versioned('project_settings', {'global': {'sync_server': sync_server}}, **owner)


def machine(name, **projects):
    return {'type': 'local_settings', 'site_id': name, 'data': {'projects': projects, 'general': {'secret': 'x'}}}


def settings_of(world):
    """The collection past sitefs, in the order of insertion."""
    found = world.hand.send({'find': 'settings'}, database=f'op_{world.database}')
    return found['cursor']['firstBatch']


@pytest.fixture
def settings(world):
    """What OpenPype has saved: site sync from studio to nas, but not of project "other"; an artist works at home."""
    docs = [
        versioned('system_settings', {'modules': {'sync_server': {
            'enabled': True, 'sites': {REMOTE: {'provider': 'local_drive', 'alternative_sites': []},
                                       'SFTP': {'provider': 'sftp', 'alternative_sites': ['studio']}}}}}),
        project_settings({'enabled': True, '__overriden_keys__': ['enabled'],
                          'config': {'retry_cnt': '3', 'loop_delay': '60', 'always_accessible_on': ['backup'],
                                     'active_site': 'studio', 'remote_site': REMOTE},
                          'sites': {REMOTE: {'enabled': True, 'root': {'work': str(world.remote / 'work')}},
                                    'SFTP': {'enabled': True, 'sftp_host': 'nowhere'}}}),
        project_settings({'enabled': False}, 'other'),
        machine(ARTIST, __default_project__={'active_site': 'local', 'remote_site': REMOTE,
                                             'local': {'work': str(world.dir / ARTIST / 'work')}}),
    ]
    world.hand.send({'insert': 'settings', 'documents': docs}, database=f'op_{world.database}')
    for project in ('demo', 'other'):
        doc = {'type': 'project', 'name': project, 'schema': 'openpype:project-3.0', 'data': {'active': True},
               'config': {'roots': {'work': platforms(world.dir / 'studio' / 'work')}}}
        world.hand.send({'insert': project, 'documents': [doc]})
    return docs


def seat(world, name, local_id):
    """A machine that knows the store and its own id, as OpenPype starts its programs, and nothing else."""
    site = world.site(name)
    for key in ('SITEFS_CONFIG', 'SITEFS_ACTIVE_SITE', 'SITEFS_STORE'):
        del site.env[key]
    site.env |= {'OPENPYPE_MONGO': world.store, 'OPENPYPE_DATABASE_NAME': f'op_{world.database}',
                 'OPENPYPE_LOCAL_ID': local_id}
    site.env |= {f'SITEFS_TIMING_{key.upper()}': value for key, value in TIMING.items()}
    return site


def test_published_file_is_opened_at_home(world, settings):
    before = settings_of(world)
    studio, home = seat(world, 'studio', 'studio'), seat(world, ARTIST, ARTIST)
    keys = home.sitefs('config', 'show', '--json').json['keys']
    assert keys['active_site'] == {'value': ARTIST, 'origin': f'OpenPype\'s local_settings of "{ARTIST}"'}
    assert keys[f'site.{REMOTE}.root.work']['origin'] == 'OpenPype\'s project_settings 3.15.4'
    studio.sync()
    home.mount()
    frame = studio.write('shot/v001/a.1001.exr', size=300_000)
    studio.publish('shot/v001/a.1001.exr')
    studio.write('other/b.exr')
    studio.publish('other/b.exr', project='other')
    wait_until(lambda: os.path.exists(home.mnt / 'shot/v001/a.1001.exr'), 'it is listed at home')
    assert home.read('shot/v001/a.1001.exr') == frame
    wait_until(lambda: world.is_recorded('a.1001.exr', ARTIST), 'recorded at home')
    # as OpenPype's integrator: an alias has the state of its site, and what is always asked for is
    entries = {entry['name']: 'created_dt' in entry for entry in world.file_of('a.1001.exr')['sites']}
    assert entries == {'studio': True, REMOTE: True, 'SFTP': True, 'backup': False, ARTIST: True}
    assert 'switched off for it in OpenPype\'s settings' in studio.explain('other/b.exr')
    assert not world.remote_file('other/b.exr').exists()
    assert settings_of(world) == before


def test_changed_settings_are_told(world, settings):
    """Roots and sites are not changed under a mount; `init` leaves them where they stand."""
    studio = seat(world, 'studio', 'studio')
    del studio.env['OPENPYPE_MONGO']
    said = studio.sitefs('init', studio.dir / 'presets', '--store', world.store).out
    assert str(world.remote / 'work') in said and os.listdir(studio.dir / 'presets') == ['sitefs.json']
    studio.env['SITEFS_CONFIG'] = str(studio.dir / 'presets')
    daemon = studio.sync()
    update = {'q': {'is_default': True}, 'u': {'$set': {'data.global.sync_server.config.remote_site': 'SFTP'}}}
    world.hand.send({'update': 'settings', 'updates': [update]}, database=f'op_{world.database}')
    wait_until(lambda: 'OpenPype\'s settings have changed' in daemon.read_log(), 'the daemon says so')
    daemon.end()
    result = studio.run('sync', '--once')
    assert result.code == 2 and 'provider "sftp" is none that sitefs has' in result.err, result


def test_workstation_moves_nothing(world, settings):
    """OpenPype's rule: its active site is studio, but it is none of the pair."""
    bob = seat(world, 'studio', 'bob')
    bob.write('shot/a.exr')
    bob.publish('shot/a.exr')
    bob.sync_once()
    assert not world.is_recorded('a.exr', REMOTE) and not world.remote_file('shot/a.exr').exists()
    assert 'this machine is "bob"' in bob.sitefs('config', 'check').out
    bob.env['OPENPYPE_LOCAL_ID'] = 'studio'
    bob.sync_once()
    assert world.is_recorded('a.exr', REMOTE) and world.remote_file('shot/a.exr').exists()


def test_starts_while_the_store_is_away(world, settings):
    """A mount whose roots stand in the store only."""
    studio, home = seat(world, 'studio', 'studio'), seat(world, ARTIST, ARTIST)
    frame = studio.write('shot/a.exr')
    studio.publish('shot/a.exr')
    studio.sync_once()
    home.mount()
    wait_until(lambda: os.path.exists(home.mnt / 'shot/a.exr'), 'it is listed at home')
    home.umount()
    world.mongod.kill()
    try:
        daemon = home.mount()
        assert home.read('shot/a.exr') == frame
        assert 'count as they were the last time' in daemon.read_log()
        # a machine that was never there before has nothing to go by
        new = seat(world, 'new', 'new')
        result = new.run('config', 'check')
        assert result.code == 10 and 'OpenPype\'s settings were not read' in result.err, result
    finally:
        world.mongod.start()
        world.mongod.wait_writable()
    wait_until(lambda: world.is_recorded('a.exr', ARTIST), 'recorded when it is back')
