"""status, ls and info --site: how files stand at a site that is not this machine's, by the store alone."""

import json

import pytest


def oid(number):
    return {'$oid': f'{number:024x}'}


def site(name, is_there=False, **more):
    entry = {'name': name, **more}
    if is_there:
        entry.update(id='x', created_dt={'$date': '2026-01-02T03:04:05Z'})
    return entry


def file(number, path, *sites):
    return {'_id': oid(number), 'path': f'{{root[work]}}/show/{path}', 'size': {'$numberInt': '10'}, 'sites': list(sites)}


def representation(number, *files):
    return {'_id': oid(number), 'type': 'representation', 'parent': oid(1), 'name': 'exr', 'files': list(files),
            'context': {'asset': 'sh010', 'subset': 'beauty', 'version': {'$numberInt': '3'}}}


STUDIO, DRIVE = site('studio', True), site('gdrive', True)
DOCS = [
    representation(10, file(100, 'there.exr', STUDIO, DRIVE, site('vendor', True))),
    representation(20, file(200, 'openable.exr', STUDIO, DRIVE)),
    representation(30, file(300, 'coming.exr', STUDIO, DRIVE, site('vendor'))),
    representation(40, file(400, 'awaited.exr', STUDIO, site('gdrive'), site('vendor'))),
    representation(50, file(500, 'failed.exr', STUDIO, DRIVE, site('vendor', tries={'$numberInt': '3'}, error='disk full'))),
    representation(60, file(600, 'paused.exr', STUDIO, DRIVE, site('vendor', paused=True))),
    representation(70, file(700, 'half.1.exr', STUDIO, DRIVE), file(701, 'half.2.exr', STUDIO, site('gdrive'))),
]
STATES = {'there.exr': 'local', 'openable.exr': 'remote', 'coming.exr': 'queued', 'awaited.exr': 'awaited',
          'failed.exr': 'failed', 'paused.exr': 'paused', 'half.1.exr': 'awaited', 'half.2.exr': 'awaited'}


@pytest.fixture
def show(home):
    home.ok('init', '--root', f'work={home.path}/work', '--active', 'studio', '--remote', 'gdrive', '--remote-root', f'work={home.path}/remote')
    (home.path / 'docs.json').write_text(json.dumps(DOCS))
    home.ok('import', '--project', 'show', 'docs.json')
    return home


def test_ls_tells_every_state(show):
    result = show.sitefs('ls', '--site', 'vendor', '--json')
    assert result.code == 4, result
    found = {item['path']: item['state'] for item in result.json['files']}
    assert found == {f'{show.path}/work/show/{name}': state for name, state in STATES.items()}
    text = show.sitefs('ls', '--site', 'vendor').out
    assert 'failed' in text and 'coming.exr' in text
    awaited = show.sitefs('ls', '--site', 'vendor', '--awaited', '--json').json['files']
    assert {item['state'] for item in awaited} == {'awaited'} and len(awaited) == 3


def test_status_counts_them(show):
    result = show.sitefs('status', '--site', 'vendor', '--json')
    assert result.code == 4
    assert result.json['schema'] == 1 and result.json['site'] == 'vendor' and result.json['bytes'] == 80
    assert {state: n for state, n in result.json['files'].items() if n} == {
        'local': 1, 'remote': 1, 'queued': 1, 'awaited': 3, 'failed': 1, 'paused': 1}
    assert result.json['last_seen'] is None and result.json['hosts'] == []
    text = show.sitefs('status', '--site', 'vendor').out
    assert '1 local' in text and 'no daemon of the site was ever seen' in text


def test_it_ends_0_only_where_all_are_there(show):
    there, other = show.path / 'work/show/there.exr', show.path / 'work/show/openable.exr'
    assert show.ok('status', '--site', 'vendor', there, '--json').json['files']['local'] == 1
    assert show.sitefs('status', '--site', 'vendor', there, other).code == 4
    assert show.ok('ls', '--site', 'vendor', f'repre:{10:024x}').out.count('there.exr') == 1
    assert show.ok('status', '--site', 'studio').code == 0


def test_the_remote_itself_has_no_files_to_open(show):
    """What is not at the remote is awaited there, wherever else it is."""
    files = show.sitefs('status', '--site', 'gdrive', '--json').json['files']
    assert files['local'] == 6 and files['awaited'] == 2


def test_info_shows_the_record(show):
    result = show.sitefs('info', '--site', 'vendor', show.path / 'work/show/failed.exr', '--json')
    assert result.code == 4
    assert result.json['state'] == 'failed' and result.json['representation'] == f'{50:024x}'
    assert result.json['sites'][2] == {'name': 'vendor', 'tries': 3, 'error': 'disk full'}
    text = show.sitefs('info', '--site', 'vendor', show.path / 'work/show/failed.exr').out
    assert 'disk full' in text and '10 B here' not in text


def test_wrong_words(show):
    result = show.sitefs('status', '--site', 'vandor')
    assert result.code == 3 and "'vandor'" in result.err
    result = show.sitefs('ls', '--site', 'vendor', show.path / 'work/nothing')
    assert result.code == 3 and 'meant' in result.err
    assert show.sitefs('ls', '--site', 'vendor', '/tmp').code == 3
