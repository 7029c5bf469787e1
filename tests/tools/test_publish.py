"""sitefs publish: what is registered, and what is refused."""

import os

import pytest


@pytest.fixture
def studio(home):
    """A site with a root, a remote, and frames in the root."""
    home.root = home.path / 'work'
    home.ok('init', '--root', f'work={home.root}', '--remote', 'nas', '--remote-root', f'work={home.path}/nas')
    folder = home.root / 'show/sh010/v001'
    folder.mkdir(parents=True)
    for frame in range(1001, 1006):
        (folder / f'beauty.{frame}.exr').write_bytes(b'x' * frame)
    (folder / 'beauty.1001.exr.tmp').write_bytes(b'')
    home.folder = folder
    return home


def representations(home):
    return [doc for doc in home.ok('export', '--project', 'show', '--json').json if doc['type'] == 'representation']


def test_a_sequence(studio):
    result = studio.ok('publish', '--project', 'show', *sorted(studio.folder.glob('*.exr')), '--json').json
    assert result['schema'] == 1 and result['project'] == 'show'
    assert (result['files'], result['bytes'], result['version'], result['refused']) == (5, 5015, 1, [])
    doc, = representations(studio)
    assert doc['_id']['$oid'] == result['representation']
    assert [file['path'] for file in doc['files']] == [
        f'{{root[work]}}/show/sh010/v001/beauty.{frame}.exr' for frame in range(1001, 1006)]
    for file in doc['files']:
        ours, remote = file['sites']
        assert ours['name'] == 'studio' and ours['created_dt'] and remote == {'name': 'nas'}


def test_what_it_says(studio):
    out = studio.ok('publish', '--project', 'show', studio.folder).out
    assert 'published pub:show/' in out and '5 files, 4.9 KiB' in out
    repre = out.split('\n')[1]
    assert repre == f'repre:{representations(studio)[0]["_id"]["$oid"]}'
    assert studio.ok('publish', '--project', 'show', studio.folder, '-q').out == ''
    # what it prints names the files again
    assert studio.ok('add-site', 'vendor', out.split()[1].rstrip(':'), '--json').json['changed'] == 5
    assert studio.ok('add-site', 'vendor', repre, '--json').json['changed'] == 0


@pytest.mark.parametrize('path, n', [
    ('beauty.####.exr', 5), ('beauty.%04d.exr', 5), ('beauty.[1002-1004].exr', 3), ('beauty.1001-1005x2#.exr', 3),
    ('.', 5), ('', 5), ('beauty.1001.exr', 1)])
def test_paths(studio, path, n):
    where = path if path else str(studio.folder)
    assert studio.ok('publish', '--project', 'show', where, '--json', cwd=studio.folder).json['files'] == n


def test_frames(studio):
    result = studio.ok('publish', '--project', 'show', studio.folder / 'beauty.####.exr', '--frames', '1001-1005x4',
                       '--json').json
    assert result['files'] == 2


def test_versions(studio):
    def publish(*args):
        return studio.sitefs('publish', '--project', 'show', '--name', 'beauty', *args, studio.folder, '--json')

    assert publish().json['version'] == 1
    assert publish('--version', '7').json['version'] == 7
    assert publish().json['version'] == 8
    result = publish('--version', 'v7')
    assert result.code == 1 and result.out == '' and result.err.count('\n') == 1, result
    assert publish('--version', '0').code == 2
    assert publish('--version', 'seven').code == 2
    assert len(representations(studio)) == 3


def test_outside_of_the_roots(studio):
    (studio.path / 'elsewhere').write_text('x')
    for path in ('elsewhere', '/etc/passwd', studio.path):
        result = studio.sitefs('publish', '--project', 'show', path)
        assert result.code == 3 and result.err.count('\n') == 1, result
    # one bad path: nothing is registered
    assert studio.sitefs('publish', '--project', 'show', studio.folder, 'elsewhere').code == 3
    assert studio.sitefs('export', '--project', 'show', '--json').code in (3, 10)


def test_single_files_that_cannot_be_registered(studio):
    os.symlink('beauty.1001.exr', studio.folder / 'link.exr')
    named = studio.folder / 'beauty.1001.exr', studio.folder / 'link.exr'
    result = studio.sitefs('publish', '--project', 'show', *named, '--json')
    assert result.code == 4, result
    assert result.json['files'] == 1
    assert [entry['path'] for entry in result.json['refused']] == [str(studio.folder / 'link.exr')]
    assert result.err.count('\n') == 1 and 'link.exr' in result.err
    # a name that nothing has is a slip of the pen: all or nothing
    result = studio.sitefs('publish', '--project', 'show', *named, studio.folder / 'missing.exr')
    assert result.code == 1 and 'missing.exr' in result.err
    assert len(representations(studio)) == 1


@pytest.mark.parametrize('args', [('x',), ('--project', 'show'), ('--project', 'show', 'pub:show/a'),
                                  ('--project', '', '.'), ('--project', 'show', 'repre:1')])
def test_usage(studio, args):
    result = studio.sitefs('publish', *args, cwd=studio.folder)
    assert result.code == 2 and result.err.count('\n') == 1, result


def test_root_reached_by_a_link(studio):
    (studio.path / 'shortcut').symlink_to(studio.root)
    assert studio.ok('publish', '--project', 'show', 'shortcut/show/sh010/v001', '--json').json['files'] == 5
