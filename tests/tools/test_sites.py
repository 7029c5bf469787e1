"""sitefs add-site, remove-site, reset, priority and retry: a site's entries changed in the store, without a daemon."""

import json

import pytest

from test_documents import docs, oid, representation

D = {'$date': {'$numberLong': '1600000000000'}}


def number(value):
    return {'$numberInt': str(value)}


def file(n, path, *sites, size=10):
    return {'_id': oid(n), 'path': path, 'size': number(size), 'sites': list(sites)}


STUDIO = {'name': 'studio', 'created_dt': D}
FAILED = {'name': 'nas', 'tries': number(3), 'error': 'no room', 'last_failed_dt': D}
SENT = {'name': 'nas', 'created_dt': D, 'id': 'b.1002.exr', 'priority': number(70)}

DOCS = [
    {'_id': oid(1), 'type': 'project', 'name': 'show'},
    representation(10, file(100, '{root[work]}/show/sh010/b.1001.exr', STUDIO, FAILED),
                   file(101, '{root[work]}/show/sh010/b.1002.exr', STUDIO, SENT)),
    # the same resource again, and a thumbnail that has no entry yet
    representation(20, file(200, '{root[work]}/show/sh020/c.ma', STUDIO, {'name': 'nas'}, size=700),
                   file(201, '{root[work]}/show/sh020/t.jpg', STUDIO, size=30), asset='sh020', name='ma'),
    representation(30, file(300, '{root[work]}/show/sh020/t.jpg', STUDIO, size=30), asset='sh020', name='jpg'),
]


@pytest.fixture
def show(home):
    home.ok('init', '--active', 'studio', '--root', f'work={home.path}/work', '--remote', 'nas',
            '--remote-root', f'work={home.path}/nas')
    (home.path / 'docs.json').write_text(json.dumps(DOCS))
    home.ok('import', '--project', 'show', 'docs.json')
    return home


def entries(show, site):
    """The entry of SITE in each file, by number of the file; None where it has none."""
    return {entry['_id']['$oid'].lstrip('0'): next((s for s in entry['sites'] if s['name'] == site), None)
            for doc in docs(show) for entry in doc.get('files', [])}


ALL = ('--project', 'show', '--all')


def test_what_add_site_asks_for_comes_after_later_publishes(show):
    assert show.ok('add-site', 'nas', *ALL, '--json').json == {
        'schema': 1, 'site': 'nas', 'representations': 3, 'files': 5, 'changed': 2, 'without_entry': 0, 'failed': 0,
        'dry_run': False}
    wanted = {'name': 'nas', 'priority': number(10)}
    assert entries(show, 'nas') == {'64': FAILED, '65': SENT, 'c8': {'name': 'nas'}, 'c9': wanted, '12c': wanted}


def test_what_adding_amounts_to(show):
    args = ('add-site', 'nas', *ALL, '--dry-run')
    told = show.ok(*args, '--json').json
    assert told == {'schema': 1, 'site': 'nas', 'representations': 3, 'files': 5, 'changed': 2, 'without_entry': 0,
                    'failed': 0, 'dry_run': True, 'bytes': 30, 'items': 3, 'folders': 2, 'unknown_size': 0,
                    'days': 30 / 750e9, 'there': 1, 'asked_for': 2}
    lines = show.ok(*args).out.splitlines()
    assert lines == [
        '5 files of 3 representations: would be 2 asked for',
        'to bring: 30 B in 1 file, in 2 folders: 3 items at a remote',
        'at Google Drive\'s daily limit of 750 GB: 0.0 days',
        'there already: 1 record, asked for already: 2',
    ]
    assert docs(show) == DOCS


def test_what_lies_there_already(show):
    """Beside what records say: the site itself is looked at, where this machine can."""
    args = ('add-site', 'nas', *ALL, '--dry-run')
    assert "what lies at site 'nas' already is not known" in show.ok(*args).err
    folder = show.path / 'nas/show/sh020'
    folder.mkdir(parents=True)
    for size, line, present in ((30, '1 file of the same size, 30 B', (1, 30, 0)),
                                (31, '0 files of the same size, 0 B; 1 file of another size', (0, 0, 1))):
        (folder / 't.jpg').write_bytes(b'x' * size)
        (folder / 'other.jpg').write_bytes(b'x' * 30)
        result = show.ok(*args)
        assert result.out.splitlines()[-1] == f"of what is to bring, site 'nas' holds {line}" and not result.err
        told = show.ok(*args, '--json').json
        assert (told['present'], told['present_bytes'], told['different']) == present
    assert docs(show) == DOCS
    assert 'present' not in show.ok('add-site', 'vendor', *ALL, '--dry-run', '--json').json, 'a site of others'


def test_remove_site(show):
    assert show.ok('remove-site', 'nas', 'work/show/sh010', '--dry-run', '--json').json['changed'] == 2
    assert docs(show) == DOCS
    assert show.ok('remove-site', 'nas', 'work/show/sh010', '--json').json['changed'] == 2
    assert entries(show, 'nas') == {'64': None, '65': None, 'c8': {'name': 'nas'}, 'c9': None, '12c': None}
    assert set(map(str, entries(show, 'studio').values())) == {str(STUDIO)}
    assert show.ok('remove-site', 'nas', 'work/show/sh010').out == \
        "2 files of 1 representation: 0 removed, 2 without an entry of site 'nas'\n"


def test_reset(show):
    assert show.ok('reset', 'pub:show/sh010', '--site', 'nas', '--json').json['changed'] == 2
    assert entries(show, 'nas') | {'c8': None} == {
        '64': {'name': 'nas'}, '65': {'name': 'nas', 'priority': number(70)}, 'c8': None, 'c9': None, '12c': None}
    assert show.ok('reset', 'pub:show/sh010', '--site', 'nas', '--json').json['changed'] == 0


def test_priority_is_of_the_active_site(show):
    assert show.ok('priority', '90', f'repre:{10:024x}', '--json').json == {
        'schema': 1, 'site': 'studio', 'representations': 1, 'files': 2, 'changed': 2, 'without_entry': 0, 'failed': 0,
        'dry_run': False}
    high = STUDIO | {'priority': number(90)}
    assert entries(show, 'studio') == {'64': high, '65': high, 'c8': STUDIO, 'c9': STUDIO, '12c': STUDIO}
    assert entries(show, 'nas')['65'] == SENT


def test_retry_of_records(show):
    args = ('retry', '--query', '{"context.asset": "sh010"}')
    assert show.ok(*args, '--dry-run', '--json').json['changed'] == 1
    assert docs(show) == DOCS
    assert show.ok(*args, '--json').json['changed'] == 1
    assert entries(show, 'nas')['64'] == {'name': 'nas'}
    assert entries(show, 'nas')['65'] == SENT


VERBS = [('add-site', 'vendor'), ('remove-site', 'nas'), ('reset', '--site', 'nas'), ('priority', '90')]


@pytest.mark.parametrize('verb', VERBS)
@pytest.mark.parametrize('args, code', [
    (('work/nothing',), 3), (('--query', '{"name": "nk"}'), 3), (('pub:show/sh999',), 3), (('repre:1',), 3),
    (('elsewhere/x',), 3), ((), 2), (('--all',), 2), (('work', *ALL), 2), (('--query', '[]'), 2),
    (('work', '--frames', '1-2'), 2)])
def test_nothing_is_meant(show, verb, args, code):
    result = show.sitefs(*verb, *args)
    assert result.code == code and result.out == '', result
    assert result.err.count('\n') == 1 or 'no preset describes' in result.err
    assert docs(show) == DOCS


@pytest.mark.parametrize('args', [
    ('reset', 'work'), ('priority', '0', 'work'), ('priority', '1001', 'work'), ('priority', 'high', 'work'),
    ('priority', '', 'work'), ('remove-site', '', 'work'), ('retry', '--failed', *ALL), ('retry', '--project', 'show'),
    ('retry', '--accept', '--query', '{}')])
def test_usage(show, args):
    result = show.sitefs(*args)
    assert result.code == 2 and result.out == '' and result.err.count('\n') == 1, result
    assert docs(show) == DOCS


@pytest.mark.parametrize('verb', [*VERBS, ('retry',)])
def test_no_database(show, verb):
    store = 'mongodb://127.0.0.1:1/'
    result = show.sitefs('--store', store, *verb, '--query', '{}', env={'AVALON_TIMEOUT': '200'})
    assert result.code == 10, result


def test_a_document_that_is_full(show):
    """What a document cannot hold is told, and the rest is changed. Three files are some 600 bytes, their new entries as
    many again."""
    full = representation(40, *(file(1000 + i, f'{{root[work]}}/show/full/{i}', STUDIO) for i in range(3)))
    full['ballast'] = 'x' * (16 * 1024 * 1024 + 16 * 1024 - 1200)
    (show.path / 'full.json').write_text(json.dumps(full))
    show.ok('import', '--project', 'show', 'full.json')
    result = show.sitefs('add-site', 'v' * 200, *ALL, '--json')
    assert result.code == 4, result.err
    assert result.json['changed'] == 5 and result.json['failed'] == 1
    assert '16 MB' in result.err
