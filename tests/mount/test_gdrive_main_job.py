"""
The main job with gdrive.json pointing to the stand-in server: publish at studio, upload, open at local_0. rclone, which
knows nothing of us, sees the same tree there, and one object for each name.
"""

import json
import os
import pathlib
import shutil

import harness
import pytest
from drive import ANN, drive  # noqa: F401
from gdrive.clients.installed import need
from gdrive.clients.test_rclone import Rclone
from harness import read_file

FRAMES = [f'shots/sh010/publish/render/v001/beauty.{frame}.exr' for frame in range(1001, 1007)]
ODD = ['shots/sh010/publish/render/v001/Makefile', "shots/sh010/publish.v2/it's a name", 'ünïcödé/.hidden']


@pytest.fixture
def rclone(drive, tmp_path):  # noqa: F811
    """rclone's configuration for a place on that server, by the options of its backend."""
    program = shutil.which('rclone')
    need(program, 'rclone')
    drive.server.key = json.loads(pathlib.Path(drive.key).read_text())
    # its own key file takes the place of ours
    drive.key = drive.server.write_key(drive.server.key, 'ours.json')
    drive.configure('/Show/work')
    return lambda **options: Rclone(program, drive.server, tmp_path, options)


def same_tree(client, place, folder):
    """rclone compares every byte both ways, and lists no name twice."""
    client.ok('check', '--download', str(folder), f'd:{place}')
    listed = [each['Path'] for each in json.loads(client.ok('lsjson', '-R', '--files-only', f'd:{place}'))]
    assert sorted(listed) == sorted(path for path in harness.tree(folder) if not path.endswith('/'))


def open_at_home(world, rels, contents):
    home = world.site('local_0')
    home.mount()
    for rel, data in zip(rels, contents):
        assert os.stat(home.mnt / rel).st_size == len(data) and home.read(rel) == data
        home.wait_state(rel, 'local')
        assert home.on_disk(rel) == data


def published(site):
    """What is to be there: the root without what is ours in it."""
    shutil.rmtree(site.root / '.sitefs', ignore_errors=True)
    return site.root


@pytest.mark.parametrize('place', ['shared drive', 'My Drive'])
def test_the_main_job(world, drive, studio, rclone, place):  # noqa: F811
    if place == 'My Drive':
        drive.server.seed.folder(f'{ANN}:Projects')
        drive.configure('/My Drive/Projects', subject=ANN)
        client, top = rclone(impersonate=ANN), 'Projects'
    else:
        shared = next(each for each in drive.server.world.drives.values() if each.name == 'Show')
        client, top = rclone(team_drive=shared.id), 'work'
    contents = world.publish(*FRAMES, *ODD, size=200_000)
    open_at_home(world, FRAMES + ODD, contents)
    same_tree(client, top, published(studio))


def test_two_roots(world, drive, rclone):  # noqa: F811
    """One on the shared drive, one in a person's My Drive; each file lies in its own."""
    drive.server.seed.folder('Show/textures')
    drive.configure('/Show/work')
    config = json.loads((world.presets / 'gdrive.json').read_text())
    config['gdrive']['root'] = {'work': '/Show/work', 'tex': '/Show/textures'}
    world.configure(roots=('work', 'tex'))
    (world.presets / 'gdrive.json').write_text(json.dumps(config))
    studio, home = world.site('studio', 'two'), world.site('local_0')
    frame = harness.write_file(studio.roots['work'] / 'sh/a.exr', b'frame' * 1000)
    wood = harness.write_file(studio.roots['tex'] / 'wood.tx', b'wood' * 1000)
    studio.sitefs('publish', '--project', harness.PROJECT, studio.roots['work'] / 'sh/a.exr')
    studio.sitefs('publish', '--project', harness.PROJECT, '--name', 'tx', studio.roots['tex'] / 'wood.tx')
    studio.sync_once()
    assert drive.files() == {'sh/a.exr': len(frame)} and drive.files('Show/textures') == {'wood.tx': len(wood)}
    home.mount()
    assert read_file(home.mnt / 'work/sh/a.exr') == frame and read_file(home.mnt / 'tex/wood.tx') == wood
    shared = next(each for each in drive.server.world.drives.values() if each.name == 'Show')
    assert rclone(team_drive=shared.id).ok('cat', 'd:textures/wood.tx') == wood


def test_the_layout_of_the_stock_server(world, drive, studio, rclone):  # noqa: F811
    """C9: what it (here: rclone) put there before is recorded where it lies; what we add lies beside it, under the same
    folders; nothing else comes into the tree."""
    shared = next(each for each in drive.server.world.drives.values() if each.name == 'Show')
    client = rclone(team_drive=shared.id)
    contents = [studio.write(rel, size=50_000) for rel in FRAMES + ODD]
    half = studio.dir / 'half'
    for rel in FRAMES[:3]:
        harness.write_file(half / rel, studio.on_disk(rel))
    client.ok('copy', str(half), 'd:work')
    ids = {rel: drive.server.seed.find(f'Show/work/{rel}').id for rel in FRAMES[:3]}
    studio.publish(*FRAMES, *ODD)
    studio.sync_once()
    for rel in FRAMES + ODD:
        entry = drive.server.seed.find(f'Show/work/{rel}')
        assert world.entry(rel, 'gdrive')['id'] == entry.id == ids.get(rel, entry.id)
    open_at_home(world, FRAMES + ODD, contents)
    entry = harness.wait_until(lambda: world.entry(FRAMES[0], 'local_0'), 'it is recorded at home')
    assert entry['id'] == os.path.basename(FRAMES[0])
    same_tree(client, 'work', published(studio))
