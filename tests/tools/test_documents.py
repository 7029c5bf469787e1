"""sitefs import, export and add-site: documents in and out, and a further site in their records."""

import json
import struct
import subprocess

import pytest

from conftest import SITEFS


def oid(number):
    return {'$oid': f'{number:024x}'}


def file(number, path, *sites):
    return {'_id': oid(number), 'path': path, 'size': {'$numberInt': '10'}, 'sites': [{'name': site} for site in sites]}


def representation(number, *files, asset='sh010', version=3, name='exr'):
    return {'_id': oid(number), 'type': 'representation', 'parent': oid(number + 1), 'name': name,
            'context': {'asset': asset, 'subset': 'beauty', 'version': {'$numberInt': str(version)}},
            'files': list(files)}


DOCS = [
    {'_id': oid(1), 'type': 'project', 'name': 'show'},
    representation(10, file(100, '{root[work]}/show/sh010/b.1001.exr', 'studio'),
                   file(101, '{root[work]}/show/sh010/b.1002.exr', 'studio', 'nas')),
    representation(20, file(200, '{root[work]}/show/sh020/c.ma', 'studio'), asset='sh020', version=12, name='ma'),
]


@pytest.fixture
def show(home):
    """A home with a store that holds DOCS."""
    home.ok('init', '--root', f'work={home.path}/work')
    (home.path / 'docs.json').write_text(json.dumps(DOCS))
    home.ok('import', '--project', 'show', 'docs.json')
    return home


def docs(home):
    return home.ok('export', '--project', 'show', '--json').json


def sites(home):
    """file id -> names of sites"""
    return {f['_id']['$oid'].lstrip('0'): [site['name'] for site in f['sites']]
            for doc in docs(home) for f in doc.get('files', [])}


def test_import_counts(show):
    result = show.ok('import', '--project', 'show', 'docs.json', '--json')
    assert result.json == {'schema': 1, 'project': 'show', 'inserted': 0, 'skipped': 3, 'refused': 0}
    assert '3 skipped' in show.ok('import', '--project', 'show', 'docs.json').out
    assert show.ok('import', '--project', 'other', 'docs.json').out.startswith('3 documents inserted into')


def test_round_trip(show):
    assert docs(show) == DOCS
    raw = show.path / 'show.bson'
    with open(raw, 'wb') as out:
        subprocess.run([SITEFS, 'export', '--project', 'show'], env=show.env, stdout=out, check=True)
    show.ok('import', '--project', 'copy', raw)
    assert show.ok('export', '--project', 'copy', '--json').json == DOCS


def test_import_keeps_what_came_before_the_damage(show):
    empty = struct.pack('<i', 5) + b'\0'
    with_id = bytes([2]) + b'_id\0' + struct.pack('<i', 2) + b'x\0'
    doc = struct.pack('<i', len(with_id) + 5) + with_id + b'\0'
    assert len(empty) == 5
    (show.path / 'torn.bson').write_bytes(doc + doc[:-3])
    result = show.sitefs('import', '--project', 'torn', 'torn.bson')
    assert result.code == 4, result
    assert 'torn.bson' in result.err and str(len(doc)) in result.err
    (show.path / 'text').write_text('hello')
    assert show.sitefs('import', '--project', 'torn', 'text').code == 1
    assert show.sitefs('import', '--project', 'torn', 'missing').code == 1


def test_import_usage(show):
    assert show.sitefs('import', 'docs.json').code == 2
    assert show.sitefs('import', '--project', 'show').code == 2
    assert show.sitefs('import', '--project', '', 'docs.json').code == 2


def test_export_of_nothing(show):
    result = show.sitefs('export', '--project', 'missing', '--json')
    assert result.code == 3 and result.out == ''
    assert show.sitefs('export', '--json').code == 2
    assert show.sitefs('export', '--project', 'show', '--store', f'sqlite:{show.path}/no.sqlite', '--json').code == 10
    assert not (show.path / 'no.sqlite').exists()


def test_add_site_to_all(show):
    result = show.ok('add-site', 'nas', '--project', 'show', '--all', '--dry-run', '--json')
    assert result.json['changed'] == 2 and result.json['dry_run'] is True
    assert docs(show) == DOCS
    result = show.ok('add-site', 'nas', '--project', 'show', '--all', '--json')
    assert result.json['changed'] == 2
    assert sites(show) == {'64': ['studio', 'nas'], '65': ['studio', 'nas'], 'c8': ['studio', 'nas']}
    assert show.ok('add-site', 'nas', '--project', 'show', '--all', '--json').json['changed'] == 0
    # nothing but these entries is other than before
    for doc, old in zip(docs(show), DOCS):
        for entry, before in zip(doc.get('files', []), old.get('files', [])):
            entry['sites'] = before['sites']
        assert doc == old


@pytest.mark.parametrize('args, changed', [
    (('work/show/sh010/b.1001.exr',), ['64']),
    (('work/show/sh010',), ['64', '65']),
    (('work',), ['64', '65', 'c8']),
    (('work/show/sh010/b.####.exr',), ['64', '65']),
    (('work/show/sh010/b.####.exr', '--frames', '1002-1100'), ['65']),
    (('pub:show/sh020',), ['c8']),
    (('pub:show/sh010/beauty/v003/exr',), ['64', '65']),
    (('repre:' + f'{20:024x}',), ['c8']),
    (('--query', '{"context.asset": "sh010"}'), ['64', '65']),
    (('--query', '{"context.version": 12}'), ['c8']),
    (('--query', '{"name": "ma", "context.asset": "sh020"}'), ['c8']),
    (('--query', '{"files.sites.name": "nas"}'), ['64', '65']),
    (('--query', '{}', '--project', 'show'), ['64', '65', 'c8']),
])
def test_add_site_to(show, args, changed):
    show.ok('add-site', 'vendor', *args)
    assert sorted(number for number, names in sites(show).items() if 'vendor' in names) == changed


def test_add_site_relative_to_the_root(show):
    (show.path / 'work/show').mkdir(parents=True)
    show.ok('add-site', 'vendor', 'sh010/b.[1001-1002].exr', cwd=show.path / 'work/show')
    assert 'vendor' in sites(show)['64']


@pytest.mark.parametrize('args, code', [
    (('work/nothing',), 3), (('--query', '{"name": "nk"}'), 3), (('pub:show/sh999',), 3), (('repre:1',), 3),
    (('elsewhere/x',), 3), (('/',), 3), ((), 2), (('--all',), 2), (('work', '--project', 'show', '--all'), 2),
    (('--query', 'asset=sh010'), 2), (('--query', '[]'), 2), (('work', '--frames', '1-2'), 2),
    (('--files', 'work'), 2)])
def test_add_site_to_nothing(show, args, code):
    result = show.sitefs('add-site', 'vendor', *args)
    assert result.code == code and result.out == '', result
    assert docs(show) == DOCS
