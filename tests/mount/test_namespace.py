"""Names that go away or move through the mount, where the remote holds them too."""

import os
import shutil
import subprocess

from harness import REMOTE, errno_of, random_bytes, stays, tree, wait_until

HERO = 'asset/publish/hero'
FILES = [f'{HERO}/a.ma', f'{HERO}/b.abc', f'{HERO}/tex/c.tx']


def test_rm_rf_of_a_folder_that_the_remote_holds(world, studio, home):
    data = world.publish(*FILES)
    home.mount()
    home.read(FILES[0])
    home.wait_state(FILES[0], 'local')
    subprocess.run(['rm', '-rf', home.mnt / HERO], check=True)
    assert os.listdir(home.mnt / 'asset/publish') == []
    assert tree(home.root / 'asset') in (['publish/'], [])
    world.wait_seen(home)
    assert 'hero' not in os.listdir(home.mnt / 'asset/publish')
    assert tree(world.remote_file(HERO)) == ['a.ma', 'b.abc', 'tex/', 'tex/c.tx'], 'nothing goes at the remote'
    home.umount()
    home.mount()
    assert not os.path.exists(home.mnt / HERO)
    home.sitefs('restore', home.root / HERO)
    wait_until(lambda: os.path.exists(home.mnt / FILES[2]), 'restore brings the names back')
    assert [home.read(rel) for rel in FILES] == data


def test_rm_rf_of_everything_on_a_cold_mount(world, home):
    world.publish(*FILES)
    home.mount()
    subprocess.run(f'rm -rf {home.mnt}/*', shell=True, check=True)
    assert os.listdir(home.mnt) == []
    world.wait_seen(home)
    assert 'asset' not in os.listdir(home.mnt)
    assert len(tree(world.remote_file('asset'))) == 6


def test_a_new_folder_of_that_name_is_empty(world, home):
    world.publish(*FILES)
    home.mount()
    shutil.rmtree(home.mnt / HERO)
    os.mkdir(home.mnt / HERO)
    assert os.listdir(home.mnt / HERO) == []
    (home.mnt / HERO / 'a.ma').write_bytes(b'mine')
    world.wait_seen(home)
    assert home.shown(HERO) == ['a.ma']
    assert home.read(FILES[0]) == b'mine'


def test_pypes_hero_step_on_a_cold_mount(world, studio, home):
    """The hero folder is renamed to a backup, written anew, and the backup removed."""
    old = world.publish(*FILES, size=5000)
    home.mount()
    backup = home.mnt / 'asset/publish/hero.BACKUP'
    os.rename(home.mnt / HERO, backup)
    assert not os.path.exists(home.mnt / HERO)
    assert tree(backup) == ['a.ma', 'b.abc', 'tex/', 'tex/c.tx']
    assert (backup / 'a.ma').read_bytes() == old[0]  # an alias is read like what it stands for
    os.makedirs(home.mnt / HERO / 'tex')
    new = [random_bytes(f'new{rel}', 6000) for rel in FILES]
    for rel, data in zip(FILES, new):
        with open(home.mnt / f'{rel}.tmp', 'wb') as file:
            file.write(data)
        os.rename(home.mnt / f'{rel}.tmp', home.mnt / rel)
    shutil.rmtree(backup)
    assert os.listdir(home.mnt / 'asset/publish') == ['hero']
    assert [home.read(rel) for rel in FILES] == new == [home.on_disk(rel) for rel in FILES]
    world.wait_seen(home)
    assert [home.read(rel) for rel in FILES] == new
    assert all(world.is_recorded(rel, REMOTE) for rel in FILES), 'nobody elses record is touched'


def test_removing_an_alias_touches_no_record(world, home):
    world.publish(*FILES)
    for rel in FILES:
        world.hand.set_entry(rel, 'local_0', {'priority': 7})
    world.remote.rename(world.dir / 'away')  # so that nothing comes by itself
    home.mount()
    before = world.representations()
    os.rename(home.mnt / HERO, home.mnt / 'asset/moved')
    os.unlink(home.mnt / 'asset/moved/a.ma')
    assert home.shown('asset/moved') == ['b.abc', 'tex/', 'tex/c.tx']
    (world.dir / 'away').rename(world.remote)
    assert world.representations() == before


def test_a_rename_survives_a_restart_and_can_be_undone(world, home):
    data = world.publish(*FILES)
    home.mount()
    os.rename(home.mnt / HERO, home.mnt / 'asset/moved')
    home.umount()
    home.mount()
    assert not os.path.exists(home.mnt / HERO)
    assert home.shown('asset/moved') == ['a.ma', 'b.abc', 'tex/', 'tex/c.tx']
    os.rename(home.mnt / 'asset/moved', home.mnt / HERO)
    assert [home.read(rel) for rel in FILES] == data
    assert home.shown('asset') == ['publish/', 'publish/hero/', *(f'publish/hero/{name}' for name in
                                                                  ('a.ma', 'b.abc', 'tex/', 'tex/c.tx'))]


def test_a_folder_partly_here_is_renamed_whole(world, home):
    data = world.publish(*FILES)
    home.mount()
    home.read(FILES[1])
    home.wait_state(FILES[1], 'local')
    (home.mnt / HERO / 'mine.txt').write_bytes(b'mine')
    os.rename(home.mnt / HERO, home.mnt / 'moved')
    assert home.shown('moved') == ['a.ma', 'b.abc', 'mine.txt', 'tex/', 'tex/c.tx']
    assert tree(home.root / 'moved') == ['b.abc', 'mine.txt']
    assert [home.read(rel.replace(HERO, 'moved')) for rel in FILES] == data


def test_entries_are_removed_only_when_the_names_stay_free(world, studio, home):
    world.publish(*FILES)
    home.mount()
    for rel in FILES:
        home.read(rel)
    wait_until(lambda: all(world.is_recorded(rel, 'local_0') for rel in FILES), 'recorded')
    os.rename(home.mnt / HERO, home.mnt / 'asset/moved')
    os.rename(home.mnt / 'asset/moved', home.mnt / HERO)
    stays(lambda: all(world.is_recorded(rel, 'local_0') for rel in FILES), 'back in time: nothing is removed', 4)
    os.rename(home.mnt / HERO, home.mnt / 'asset/moved')
    wait_until(lambda: not any(world.entry(rel, 'local_0') for rel in FILES), 'free for long enough: removed')


def test_a_fresh_publish_over_a_name_that_is_being_completed_keeps_the_publish(world, studio, home):
    old = world.publish('shot/a.bin', size=40 << 20)
    home.mount()
    with open(home.mnt / 'shot/a.bin', 'rb') as file:
        file.read(1 << 20)  # the download is under way
        mine = random_bytes('mine', 1000)
        (home.mnt / 'shot/a.bin.tmp').write_bytes(mine)
        os.rename(home.mnt / 'shot/a.bin.tmp', home.mnt / 'shot/a.bin')
        assert home.read('shot/a.bin') == mine
        assert errno_of(file.read) in (None, 'EIO', 'ESTALE')
    world.wait_seen(home)
    stays(lambda: home.on_disk('shot/a.bin') == mine, 'the publish is kept', 2)
    assert home.read('shot/a.bin') == mine
    assert len(old) == os.stat(world.remote_file('shot/a.bin')).st_size


def test_a_file_over_a_remote_only_name(world, home):
    world.publish(*FILES)
    home.mount()
    (home.mnt / 'new').write_bytes(b'new')
    os.rename(home.mnt / 'new', home.mnt / FILES[0])
    assert home.read(FILES[0]) == b'new'
    assert errno_of(os.rmdir, home.mnt / HERO) == 'ENOTEMPTY'
    assert errno_of(os.mkdir, home.mnt / HERO) == 'EEXIST'
    assert errno_of(lambda: os.close(os.open(home.mnt / FILES[1], os.O_CREAT | os.O_EXCL | os.O_WRONLY))) == 'EEXIST'
    assert errno_of(os.mkdir, home.mnt / FILES[1]) == 'EEXIST'
    assert errno_of(os.mkdir, home.mnt / FILES[1] / 'x') == 'ENOTDIR'
