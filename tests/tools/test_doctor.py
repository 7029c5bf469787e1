"""sitefs doctor: what is found, what is offered, what --fix does, and what the command ends with."""

import json
import os
import shutil
import subprocess

import pytest

from conftest import SITEFS
from test_documents import docs, file, representation

OLD_FORMS = [
    representation(10, {**file(100, '{root[work]}/show/a.exr'), 'sites': ['studio', 'nas']},
                   file(101, '{root[work]}/show/b.exr', 'studio')),
    representation(20, {**file(200, '{root[work]}/show/c.exr'), 'sites': {'studio': {}}}, name='ma'),
]


@pytest.fixture
def show(home):
    """A site in order, with a folder as its remote and documents in the forms of 2020."""
    for name in ('work', 'nas'):
        (home.path / name).mkdir()
    home.ok('init', '--root', f'work={home.path}/work', '--remote', 'nas', '--remote-root', f'work={home.path}/nas')
    (home.path / 'docs.json').write_text(json.dumps(OLD_FORMS))
    home.ok('import', '--project', 'show', 'docs.json')
    return home


def found(result, check):
    """Kinds of findings of a check."""
    return [finding['finding'] for finding in result.json['findings'] if finding['check'] == check]


def without_sites(documents):
    return [{**doc, 'files': [{**file, 'sites': None} for file in doc['files']]} for doc in documents]


def test_all_is_well(show):
    show.ok('doctor', '--fix')
    result = show.ok('doctor', '--json')
    assert result.json['faults'] == result.json['offers'] == 0
    for check in ('roots', 'store', 'forms', 'remote'):
        assert found(result, check) == ['good'], check
    assert show.ok('doctor', '-q').out == ''


def test_old_forms_are_offered_and_fixed(show):
    before = docs(show)
    assert found(show.ok('doctor', '--json'), 'forms') == ['--fix']
    assert found(show.ok('doctor', '--fix', '--dry-run', '--json'), 'forms') == ['would']
    assert docs(show) == before
    result = show.ok('doctor', '--fix')
    assert 'in 2 files' in result.out and 'fixed' in result.out
    after = docs(show)
    (texts, untouched), (by_site,) = [doc['files'] for doc in after]
    assert [site['name'] for site in texts['sites']] == ['studio', 'nas']
    assert all('created_dt' in site for site in texts['sites']), 'a text said that it is there'
    assert untouched == before[0]['files'][1]
    assert by_site['sites'] == [{'name': 'studio'}]
    assert without_sites(before) == without_sites(after)
    assert found(show.ok('doctor', '--fix', '--json'), 'forms') == ['good']


def test_what_is_missing_is_a_fault(show):
    (show.path / 'work').rmdir()
    (show.path / 'nas').rmdir()
    result = show.sitefs('doctor', '--json')
    assert result.code == 1
    assert found(result, 'roots') == found(result, 'remote') == ['fault']
    assert found(result, 'store') == ['good']
    line = show.sitefs('doctor', '-q').out.splitlines()[0]
    assert str(show.path / 'work') in line and 'roots' in line


def test_a_store_that_is_away(show):
    result = show.sitefs('doctor', '--store', 'mongodb://u:secret@127.0.0.1:1/', '--json',
                         env={'AVALON_TIMEOUT': '200'})
    assert result.code == 10
    assert found(result, 'store') == ['fault'] and found(result, 'remote') == ['good']
    assert 'secret' not in result.out + result.err


def test_no_store_is_named(home):
    home.ok('init', '--root', f'work={home.path}/work', '--remote', 'nas', '--remote-root', f'work={home.path}/nas')
    settings = home.path / 'config/sitefs/sitefs.json'
    settings.write_text('{}')
    assert home.sitefs('doctor').code == 2


def test_how_local_files_are_read(show):
    """By the kernel for root on a machine that can; else why not, and what would help."""
    finding, = [one for one in show.ok('doctor', '--json').json['findings'] if one['check'] == 'mount']
    if finding['finding'] == 'good':
        assert os.geteuid() == 0 and 'kernel itself' in finding['text']
    else:
        assert any(why in finding['text'] for why in ('/dev/fuse', 'CAP_SYS_ADMIN', '6.9', 'overlay')), finding
    if os.geteuid() != 0 or not shutil.which('setpriv'):
        pytest.skip('only root can give up what it may')
    weak = subprocess.run(['setpriv', '--bounding-set', '-sys_admin', SITEFS, 'doctor', '--json'], env=show.env, text=True,
                          cwd=show.path, capture_output=True, check=True)
    finding, = [one for one in json.loads(weak.stdout)['findings'] if one['check'] == 'mount']
    assert finding['finding'] == 'note' and ('CAP_SYS_ADMIN' in finding['text'] or '/dev/fuse' in finding['text'])
