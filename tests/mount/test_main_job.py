"""The main job: what one site publishes is opened by another through its mount."""

import os

import harness
from harness import REMOTE, wait_until

SEQUENCE = [f'shots/sh010/publish/render/v001/beauty.{frame}.exr' for frame in range(1001, 1009)]


def test_a_published_sequence_is_read_through_another_sites_mount(world, studio, home):
    frames = world.publish(*SEQUENCE, size=300_000)
    home.mount()
    folder = os.path.dirname(SEQUENCE[0])
    assert os.listdir(home.mnt / folder) == sorted(map(os.path.basename, SEQUENCE))
    for rel in SEQUENCE:
        there, here = os.stat(studio.root / rel), os.stat(home.mnt / rel)
        assert (there.st_size, there.st_mtime_ns) == (here.st_size, here.st_mtime_ns)
        assert home.on_disk(rel) is None
    assert [home.read(rel) for rel in SEQUENCE] == frames


def test_what_was_read_is_kept_whole_and_recorded(world, home):
    frames = world.publish(*SEQUENCE, size=300_000)
    home.mount()
    before = os.stat(home.mnt / SEQUENCE[0])
    for rel in SEQUENCE:
        home.read(rel)
    for rel, frame in zip(SEQUENCE, frames):
        home.wait_state(rel, 'local')
        assert home.on_disk(rel) == frame
        wait_until(lambda rel=rel: world.is_recorded(rel, 'local_0'), f'{rel} is recorded at local_0')
    after, on_disk = os.stat(home.mnt / SEQUENCE[0]), os.stat(home.root / SEQUENCE[0])
    for now in (after, on_disk):
        assert (now.st_size, now.st_mtime_ns, now.st_mode) == (before.st_size, before.st_mtime_ns, before.st_mode)
    assert before.st_ino == after.st_ino


def test_sizes_from_nothing_to_many_chunks(world, studio, home):
    sizes = (0, 1, 4095, 4096, 4097, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 20_000_003)
    rels = [f'sizes/{size}.bin' for size in sizes]
    contents = [studio.write(rel, size=size) for rel, size in zip(rels, sizes)]
    studio.publish(*rels, name='bin')
    studio.sync_once()
    home.mount()
    for rel, content in zip(rels, contents):
        assert os.stat(home.mnt / rel).st_size == len(content)
        assert home.read(rel) == content, rel


def test_names_that_people_use(world, studio, home):
    names = ['with space.exr', ' lead', 'trail ', 'ünïcödé-日本語.exr', '{root}.exr', '{root[work]}', "quo'te\".exr",
             '%04d.exr', '####.exr', 'a\\b.exr', '-dash', '.hidden', 'tab\there', 'new\nline', 'CON', 'x' * 200,
             'a[1-2].exr', '~', '$HOME', '*?.exr']
    rels = [f'odd/{name}' for name in names]
    contents = {rel: studio.write(rel) for rel in rels}
    result = studio.run('publish', '--project', harness.PROJECT, '--name', 'exr',
                        *(studio.root / rel for rel in rels))
    assert result.code == 4, result
    studio.sync_once()
    home.mount()
    shown = set(os.listdir(home.mnt / 'odd'))
    refused = {name for name in names if name not in shown}
    # Back-slashes are separators in the studio's documents (C2); everything else can be said there.
    assert refused == {'a\\b.exr'}
    for name in shown:
        assert home.read(f'odd/{name}') == contents[f'odd/{name}']


def test_a_publish_appears_on_a_running_mount(world, studio, home):
    studio.sync()
    home.mount()
    assert home.shown() == []
    data = studio.write('late/a.exr', size=50_000)
    studio.publish('late/a.exr')
    wait_until(lambda: os.path.exists(home.mnt / 'late/a.exr'), 'the publish appears')
    assert home.read('late/a.exr') == data


def test_listing_fetches_nothing(world, home):
    world.publish(*SEQUENCE)
    home.mount()
    assert len(home.shown()) == len(SEQUENCE) + 5
    world.wait_seen(home)
    for rel in SEQUENCE:
        assert home.state(rel) == 'remote'
        assert home.on_disk(rel) is None


def test_reading_a_header_fetches_a_part(world, studio, home):
    size = 96 << 20
    harness.write_large(studio.root / 'big.mov', size)
    studio.publish('big.mov', name='mov')
    studio.sync_once()
    home.mount()
    with open(home.mnt / 'big.mov', 'rb', buffering=0) as file:
        assert file.read(4096) == harness.large_block(0, 0)[:4096]
        file.seek(80 << 20)
        assert file.read(4096) == harness.large_block(0, 80)[:4096]
    present = sum(end - start for start, end in ranges(home.info('big.mov')))
    assert 8192 <= present < size // 2
    assert home.on_disk('big.mov') is None
    with open(home.mnt / 'big.mov', 'rb') as file:
        for index in range(size >> 20):
            assert file.read(1 << 20) == harness.large_block(0, index), index


def ranges(info):
    return [(start, end) if end > start else (start, start + end) for start, end in info['present']]


def test_asked_for_by_add_site_it_comes_unread(world, studio, home):
    data = world.publish('asked/a.exr')
    home.sync()
    studio.add_site('local_0', 'asked/a.exr')
    wait_until(lambda: home.on_disk('asked/a.exr') == data, 'the file comes')
    wait_until(lambda: world.is_recorded('asked/a.exr', 'local_0'), 'it is recorded')
    assert world.entry('asked/a.exr', 'local_0')['id'] == 'a.exr'


def test_several_roots_are_folders_of_the_mount(world):
    world.configure(roots=('work', 'renders'))
    studio, home = world.site('studio'), world.site('local_0')
    for name in ('work', 'renders'):
        harness.write_file(studio.roots[name] / 'a.exr', name.encode())
    studio.sitefs('publish', '--project', harness.PROJECT, '--name', 'exr',
                  *(studio.roots[name] / 'a.exr' for name in ('work', 'renders')))
    studio.sync_once()
    home.mount()
    assert sorted(os.listdir(home.mnt)) == ['renders', 'work']
    for name in ('work', 'renders'):
        assert home.read(f'{name}/a.exr') == name.encode()
    home.umount()
    home.mount('root=renders')
    assert os.listdir(home.mnt) == ['a.exr']


def test_mount_returns_when_it_answers(world, home):
    data = world.publish('a.exr')
    home.sitefs('mount', home.mnt)
    try:
        assert home.read('a.exr') == data
        assert home.status()['mounts']
    finally:
        home.sitefs('umount', home.mnt)
    wait_until(lambda: home.run('status').code == 6, 'the daemon is gone')


def test_offline_store_and_remote_again(world, studio, home):
    """A mount starts from its index with nothing else in reach."""
    data = world.publish('a.exr', 'b.exr')
    home.mount()
    home.read('a.exr')
    home.wait_state('a.exr', 'local')
    home.umount()
    world.remote.rename(world.dir / 'away')
    world.store_path.parent.rename(world.dir / 'store-away')
    home.mount()
    assert home.shown() == ['a.exr', 'b.exr']
    assert home.read('a.exr') == data[0]
    assert harness.errno_of(home.read, 'b.exr') in ('EIO', 'ETIMEDOUT')
    (world.dir / 'away').rename(world.remote)
    (world.dir / 'store-away').rename(world.store_path.parent)
    wait_until(lambda: harness.errno_of(home.read, 'b.exr') is None, 'b.exr is readable again')
    assert home.read('b.exr') == data[1]
    assert REMOTE in home.sitefs('status').out
