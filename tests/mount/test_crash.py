"""kill -9 in the middle, and again: everything is finished, no wrong byte has a final name, nothing starts over."""

import os
import subprocess

from harness import LARGE, REMOTE, large_block, read_file, tree, wait_until, write_large

FILES = [f'frames/f.{frame:04d}.exr' for frame in range(200)]


def inodes(path):
    """Inode -> size of every file with content below a folder."""
    found = {}
    for top, _, names in os.walk(path):
        for name in names:
            try:
                status = os.stat(os.path.join(top, name))
            except FileNotFoundError:
                continue  # moved into place meanwhile
            if status.st_size:
                found[status.st_ino] = status.st_size
    return found


def n_finished(world):
    folder = world.remote_file('frames')
    return sum(name in FILES for name in map('frames/{}'.format, os.listdir(folder))) if folder.exists() else 0


def test_killed_in_an_upload_of_200_files(world, studio):
    contents = {rel: studio.write(rel, size=300_000) for rel in FILES}
    studio.publish(*FILES)
    done = {}
    for wanted in (20, 90, 150):
        daemon = studio.sync()
        wait_until(lambda wanted=wanted: n_finished(world) >= wanted, f'{wanted} files are sent')
        daemon.kill()
        for rel in FILES:
            path = world.remote_file(rel)
            if path.exists():
                assert read_file(path) == contents[rel], 'whole under its final name'
                done[rel] = path.stat().st_ino
    assert 150 <= len(done)
    studio.sync_once()
    for rel in FILES:
        assert read_file(world.remote_file(rel)) == contents[rel]
        assert world.remote_file(rel).stat().st_ino == done.get(rel, world.remote_file(rel).stat().st_ino), 'not sent twice'
    files = [file for doc in world.representations() for file in doc['files']]
    assert len(files) == 200
    assert all('created_dt' in entry for file in files for entry in file['sites'])
    assert [name for name in tree(world.remote_root()) if not name.startswith(('frames', '.sitefs'))] == []


def test_killed_in_the_upload_of_a_large_file(world, studio):
    """The part that was sent is gone on with: the file at the remote is the one that was begun."""
    write_large(studio.root / 'big.mov', LARGE)
    studio.publish('big.mov', name='mov')
    daemon = studio.sync()
    part = wait_until(lambda: [inode for inode, size in inodes(world.remote).items() if size > LARGE // 4],
                      'a quarter is sent')
    assert not world.remote_file('big.mov').exists()
    daemon.kill()
    studio.sync_once()
    assert world.is_recorded('big.mov', REMOTE)
    assert world.remote_file('big.mov').stat().st_ino in part
    check_large(world.remote_file('big.mov'))


def check_large(path):
    with open(path, 'rb') as file:
        for index in range(LARGE >> 20):
            assert file.read(1 << 20) == large_block(0, index), f'MiB {index}'
        assert file.read(1) == b''


def staged(home):
    """Inode of the staged file, or None. Its size tells nothing: its room is reserved at the start."""
    folder = home.root / '.sitefs/staged'
    names = os.listdir(folder) if folder.exists() else []
    return os.stat(folder / names[0]).st_ino if names else None


def present(home):
    """Bytes that are here of a file that is being fetched."""
    return sum(length for _, length in home.info('big.mov')['present'])


def test_killed_in_a_large_download(world, studio, home):
    write_large(studio.root / 'big.mov', LARGE)
    studio.publish('big.mov', name='mov')
    studio.sync_once()
    studio.add_site('local_0', 'big.mov')
    daemon = home.sync()
    had = wait_until(lambda: present(home) > LARGE // 4 and present(home), 'a quarter is here')
    daemon.kill()
    assert home.on_disk('big.mov') is None
    inode = staged(home)
    # What is here is still here, told with the remote away, so that nothing can have come meanwhile.
    world.remote.rename(world.dir / 'away')
    daemon = home.sync()
    kept = wait_until(lambda: present(home), 'what was here is found again')
    assert kept >= had // 2
    daemon.end()
    (world.dir / 'away').rename(world.remote)
    home.sync_once()
    assert os.stat(home.root / 'big.mov').st_ino == inode, 'gone on with, not begun again'
    check_large(home.root / 'big.mov')
    assert world.is_recorded('big.mov', 'local_0')
    assert staged(home) is None


def test_killed_while_somebody_reads_through_the_mount(world, studio, home):
    write_large(studio.root / 'big.mov', LARGE)
    studio.publish('big.mov', name='mov')
    studio.sync_once()
    daemon = home.mount()
    with open(home.mnt / 'big.mov', 'rb') as file:
        for index in range(LARGE >> 22):
            assert file.read(1 << 20) == large_block(0, index)
        daemon.kill()
    subprocess.run(['fusermount3', '-u', '-z', home.mnt], check=True)
    assert home.on_disk('big.mov') is None
    home.mount()
    check_large(home.mnt / 'big.mov')
    home.wait_state('big.mov', 'local')
    check_large(home.root / 'big.mov')


def test_killed_at_any_moment_no_success_is_lost(world, studio, home):
    """A file that is under its final name is recorded sooner or later, whenever the process died."""
    world.publish(*FILES[:40], size=200_000)
    studio.add_site('local_0', *FILES[:40])
    for wanted in (1, 10, 20, 30):
        daemon = home.sync()
        wait_until(lambda wanted=wanted: len(tree(home.root / 'frames')) >= wanted, f'{wanted} are here')
        daemon.kill()
    home.sync_once()
    assert all(world.is_recorded(rel, 'local_0') for rel in FILES[:40])
    assert all(home.on_disk(rel) == studio.on_disk(rel) for rel in FILES[:40])
