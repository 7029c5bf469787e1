"""sitefs init and sitefs config: a configuration to start from, and what it says."""

import json
import os

import pytest


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_init_with_nothing_said(home):
    out = home.ok('init').out
    folder = home.path / 'config' / 'sitefs'
    assert files(folder) == ['config.json', 'local_drive.json', 'sitefs.json']
    assert str(folder) in out
    config = json.loads((folder / 'config.json').read_text())
    assert config == {'local_id': 'local_0', 'retry_cnt': 3, 'loop_delay': 60, 'active_site': 'studio',
                      'remote_site': ''}
    sites = json.loads((folder / 'local_drive.json').read_text())
    assert sites == {'studio': {'root': {'work': f'{home.path}/data/sitefs/work'}}}
    assert os.path.isdir(sites['studio']['root']['work'])
    store = json.loads((folder / 'sitefs.json').read_text())['store']
    assert store == f'sqlite:{home.path}/data/sitefs/store.sqlite'
    assert os.path.isfile(store.removeprefix('sqlite:'))
    # outside of any state folder, and good enough to start with
    assert not store.startswith(f'sqlite:{home.path}/state')
    assert home.ok('config', 'check').out == f'the configuration in {folder} is fine\n'


def test_init_with_everything_said(home):
    result = home.ok('init', 'presets', '--store', 'sqlite:db/s.sqlite', '--active', 'local_0', '--root', 'work=w',
                     '--root', 'tex=t', '--remote', 'nas', '--remote-root', f'work={home.path}/nas/w',
                     '--remote-root', 'tex=nas/t', '--json')
    presets = home.path / 'presets'
    assert result.json == {
        'schema': 1, 'config_dir': str(presets), 'store': f'sqlite:{home.path}/db/s.sqlite',
        'active_site': 'local_0', 'remote_site': 'nas',
        'sites': {'local_0': {'root': {'work': f'{home.path}/w', 'tex': f'{home.path}/t'}},
                  'nas': {'root': {'work': f'{home.path}/nas/w', 'tex': f'{home.path}/nas/t'}}}}
    assert json.loads((presets / 'local_drive.json').read_text()) == result.json['sites']
    assert json.loads((presets / 'config.json').read_text())['local_id'] == 'local_0'
    # a missing root is made, a remote's never
    assert (home.path / 'w').is_dir() and not (home.path / 'nas').exists()
    home.ok('config', 'check', '--config', presets)


def test_unnamed_root(home):
    home.ok('init', 'p', '--root', 'w', '--remote', 'nas', '--remote-root', '/mnt/nas')
    assert json.loads((home.path / 'p/local_drive.json').read_text()) == {
        'studio': {'root': f'{home.path}/w'}, 'nas': {'root': '/mnt/nas'}}


def test_a_remote_that_is_described_later(home):
    out = home.ok('init', 'p', '--root', 'w', '--remote', 'gdrive').out
    assert 'gdrive.json' in out and 'local_drive.json' in out
    assert json.loads((home.path / 'p/config.json').read_text())['remote_site'] == 'gdrive'
    assert json.loads((home.path / 'p/local_drive.json').read_text()) == {'studio': {'root': f'{home.path}/w'}}
    result = home.sitefs('config', 'check', '--config', 'p')
    assert result.code == 2 and 'add it to one' in result.err
    (home.path / 'p/local_drive.json').write_text(json.dumps(
        {'studio': {'root': f'{home.path}/w'}, 'gdrive': {'root': f'{home.path}/g'}}))
    home.ok('config', 'check', '--config', 'p')


def test_google_drive(home):
    (home.path / 'key.json').write_text('{}')
    (home.path / 'other.json').write_text('{}')
    out = home.ok('init', 'p', '--root', 'w', '--remote', 'gdrive', '--remote-root', 'work=/My Drive/work',
                  '--credentials', 'key.json').out
    assert '/My Drive/work' in out
    assert json.loads((home.path / 'p/gdrive.json').read_text()) == {
        'gdrive': {'root': {'work': '/My Drive/work'}, 'credentials_url': f'{home.path}/key.json'}}
    assert json.loads((home.path / 'p/local_drive.json').read_text()) == {'studio': {'root': f'{home.path}/w'}}
    result = home.ok('init', 'q', '--root', 'w', '--remote', 'gdrive', '--remote-root', '/Show/work',
                     '--credentials', 'key.json', '--credentials', 'other.json', '--json')
    assert result.json['sites']['gdrive'] == {
        'root': '/Show/work', 'credentials_url': [f'{home.path}/key.json', f'{home.path}/other.json']}
    for wrong in (('--remote-root', 'work=work', '--credentials', 'key.json'),
                  ('--remote-root', '/My Drive/work', '--credentials', 'no.json')):
        result = home.sitefs('init', 'r', '--remote', 'gdrive', *wrong)
        assert result.code == 2 and result.err.count('\n') == 1, result
        assert not (home.path / 'r').exists()


@pytest.mark.parametrize('name', ['config.json', 'local_drive.json', 'gdrive.json', 'sitefs.json'])
def test_nothing_is_overwritten(home, name):
    (home.path / 'p').mkdir()
    (home.path / 'p' / name).write_text('mine')
    result = home.sitefs('init', 'p')
    assert result.code == 1 and name in result.err
    assert files(home.path / 'p') == [name]
    assert (home.path / 'p' / name).read_text() == 'mine'


@pytest.mark.parametrize('args', [
    ('--remote-root', 'work=/x'), ('--credentials', 'k'), ('--remote', 'g', '--credentials', '/dev/null'), ('--root', '=x'), ('--root', 'a='), ('--root', 'x', '--root', 'y'),
    ('--root', 'a=x', '--root', 'y'), ('--active', 'a', '--remote', 'a', '--remote-root', 'x'), ('a', 'b')])
def test_usage(home, args):
    result = home.sitefs('init', *args)
    assert result.code == 2 and result.err.count('\n') == 1, result
    assert files(home.path) == ['run']


def test_config_show(home):
    home.ok('init', 'p')
    shown = home.ok('config', 'show', '--json', '--config', 'p', env={'SITEFS_ACTIVE_SITE': 'studio'}).json
    assert shown['schema'] == 1 and shown['config_dir'] == f'{home.path}/p'
    assert shown['keys']['active_site'] == {'value': 'studio', 'origin': '$SITEFS_ACTIVE_SITE'}
    assert shown['keys']['retry_cnt']['value'] == 3
    assert shown['keys']['store']['origin'].startswith(f'{home.path}/p/sitefs.json')
    out = home.ok('config', 'show', '--config', 'p').out
    assert out.startswith('KEY ')
    for key in shown['keys']:
        assert f'\n{key} ' in out
        told = home.ok('config', 'explain', key, '--config', 'p')
        assert told.out.startswith(f'{key} = ')
        assert all(len(line) <= 80 for line in told.out.split('\n') if str(home.path) not in line)
    assert home.ok('config', 'explain', 'store', '--json', '--config', 'p').json['help']


def test_secrets_are_not_shown(home):
    home.ok('init', 'p')
    secret = 'mongodb://tommy:hunter2@db/?authSource=admin'
    for args in (('show',), ('show', '--json'), ('explain', 'store')):
        result = home.ok('config', *args, '--config', 'p', '--store', secret)
        assert 'hunter2' not in result.out + result.err and 'mongodb://' in result.out


def test_password_of_a_store(home):
    """Read by its owner only, and not shown."""
    result = home.ok('init', 'p', '--store', 'mongodb://tommy:hunter2@127.0.0.1:1/', '--active', 'studio')
    assert 'hunter2' not in result.out and 'mongodb://***@127.0.0.1:1' in result.out
    assert 'hunter2' not in home.ok('init', 'q', '--store', 'mongodb://tommy:hunter2@127.0.0.1:1/', '--active', 'studio',
                                    '--json').out
    assert 'hunter2' in (home.path / 'p/sitefs.json').read_text()
    assert (home.path / 'p/sitefs.json').stat().st_mode & 0o077 == 0


def test_init_with_a_store_that_is_away(home):
    """Its settings might name the sites: nothing is guessed."""
    result = home.sitefs('init', 'p', '--store', 'mongodb://127.0.0.1:1/')
    assert result.code == 10 and '--active' in result.err and result.err.count('\n') == 1, result
    assert not list((home.path / 'p').iterdir())


@pytest.mark.parametrize('args', [('nonsense',), ('explain',), ('show', 'retry_cnt'), ('explain', 'no.such.key'), ()])
def test_config_usage(home, args):
    home.ok('init')
    result = home.sitefs('config', *args)
    assert result.code == 2 and result.err.count('\n') == 1, result


def test_check_finds_faults(home):
    home.ok('init', 'p')
    (home.path / 'p/config.json').write_text('{"active_site": "studio", -- the site\n "remote_site": ""}')
    result = home.sitefs('config', 'check', '--config', 'p')
    assert result.code == 2 and result.out == ''
    assert 'config.json:1' in result.err and result.err.count('\n') == 1


def test_no_presets(home):
    result = home.sitefs('config', 'check')
    assert result.code == 2 and 'sitefs init' in result.err


def test_no_store_is_named(home):
    home.ok('init')
    (home.path / 'config/sitefs/sitefs.json').write_text('{}')
    for args in (('config', 'check'), ('mount', 'm'), ('sync',), ('publish', '--project', 'P', 'x'),
                 ('import', '--project', 'P', 'x'), ('export', '--project', 'P', '--json'),
                 ('add-site', 'nas', '--project', 'P', '--all')):
        result = home.sitefs(*args)
        assert result.code == 2, result
        for place in ('--store', 'SITEFS_STORE', 'sitefs.json', 'OPENPYPE_MONGO', 'AVALON_MONGO'):
            assert place in result.err, result


def test_mongodb_is_away(home):
    home.ok('init')
    (home.path / 'x').write_text('')
    for args in (('mount', 'm'), ('sync',), ('export', '--project', 'P', '--json'),
                 ('import', '--project', 'P', 'x')):
        result = home.sitefs(*args, '--store', 'mongodb://u:pw@127.0.0.1:1/x')
        assert result.code == 10 and '127.0.0.1:1' in result.err and 'pw' not in result.err, result
        assert result.err.count('\n') == 1, result
