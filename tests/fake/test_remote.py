"""Remote-only files over the scripted engine: listed, streamed, completed, replaced and hidden at exact moments."""

import contextlib
import mmap
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from conftest import MTIME
from harness import DEADLINE, errno_of, random_bytes, read_file, tree, wait_until, write_file

READER = 'import sys; sys.stdout.buffer.write(open(sys.argv[1], "rb").read())'


def start_reader(path, script=READER):
    """A process of its own, so that a wait can be ended by a signal."""
    return subprocess.Popen([sys.executable, '-c', script, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


# ---- shown ----

def test_attributes_of_a_remote_only_file(fake):
    os.chmod(fake.root, 0o750)
    if os.geteuid() == 0:
        os.chown(fake.root, 1234, 4321)
    data = fake.put('shot/v001/a.exr', n=100_001)
    file, folder, root = (os.stat(fake.mnt / name) for name in ('shot/v001/a.exr', 'shot/v001', ''))
    assert (file.st_size, file.st_mtime_ns, file.st_blocks) == (len(data), MTIME, (len(data) + 511) // 512)
    assert (file.st_mode, folder.st_mode) == (stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755)
    assert (file.st_nlink, folder.st_nlink) == (1, 2)
    for st in (file, folder):
        assert (st.st_uid, st.st_gid) == (root.st_uid, root.st_gid)
        assert st.st_ino >> 63 == 1
    assert read_file(fake.mnt / 'shot/v001/a.exr') == data
    assert not (fake.root / 'shot').exists()


def test_the_disk_wins(fake):
    fake.put('d/a')
    fake.put('d/b')
    fake.put('d/sub/c')
    write_file(fake.root / 'd/b', b'mine')
    write_file(fake.root / 'd/e', b'')
    os.symlink('b', fake.root / 'd/sub')
    assert sorted(os.listdir(fake.mnt / 'd')) == ['a', 'b', 'e', 'sub']
    assert read_file(fake.mnt / 'd/b') == b'mine'
    # a symlink where the records have a folder: what they have below is hidden
    assert os.readlink(fake.mnt / 'd/sub') == 'b'
    assert errno_of(os.stat, fake.mnt / 'd/sub/c') == 'ENOTDIR'


def test_types_and_numbers_of_a_listing(fake):
    fake.put('d/a')
    fake.put('d/sub/b')
    write_file(fake.root / 'd/here', b'')
    (fake.root / 'd/folder').mkdir()
    with os.scandir(fake.mnt / 'd') as entries:
        found = {entry.name: (entry.is_dir(), entry.inode()) for entry in entries}
    assert found == {name: (is_dir, os.stat(fake.mnt / 'd' / name).st_ino)
                     for name, is_dir in (('a', False), ('sub', True), ('here', False), ('folder', True))}


def test_failed_files_are_listed_and_unreadable(fake):
    fake.say('failed', 0, 'd/bad')
    assert os.listdir(fake.mnt / 'd') == ['bad']
    assert errno_of(read_file, fake.mnt / 'd/bad') == 'EIO'


def test_a_hundred_thousand_names(fake):
    """Listing asks the index once per folder, not once per name, and waits for nothing."""
    fake.say('hold')
    fake.say('generate', 0, 'many', 100_000)
    long = subprocess.run(['ls', '-l', fake.mnt / 'many'], stdout=subprocess.PIPE, check=True).stdout.splitlines()
    assert len(long) == 100_001
    assert sum(int(line.split()[4]) for line in long[1:]) == sum(range(100_000))
    found = subprocess.run(['find', fake.mnt / 'many', '-type', 'f'], stdout=subprocess.PIPE, check=True).stdout
    assert len(found.splitlines()) == 100_000
    fake.say('release')


# ---- read ----

def test_reads_of_every_kind(fake):
    data = fake.put('a', n=3_000_017)
    path = fake.mnt / 'a'
    with open(path, 'rb', buffering=0) as file:
        for offset, size in ((0, 1), (2_999_999, 4096), (len(data), 10), (len(data) + 5, 10), (12345, 1 << 20)):
            assert os.pread(file.fileno(), size, offset) == data[offset:offset + size]
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapping:
            assert mapping[1_500_000:1_600_000] == data[1_500_000:1_600_000]
            assert mapping[:] == data
    for command in (['cat', path], ['dd', f'if={path}', 'bs=7k', 'status=none'], ['cp', path, '/dev/stdout'],
                    ['dd', f'if={path}', 'bs=1M', 'iflag=direct', 'status=none']):
        assert subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout == data


def test_copies_have_no_holes(fake, tmp_path):
    """What is not here is no hole: cp and tar that look for holes copy every byte."""
    data = fake.put('d/a', n=500_000)
    path = fake.mnt / 'd/a'
    subprocess.run(['cp', '--sparse=always', path, tmp_path / 'sparse'], check=True)
    subprocess.run(['cp', '--reflink=auto', path, fake.mnt / 'd/copy'], check=True)
    subprocess.run(['tar', '-S', '-C', fake.mnt, '-cf', tmp_path / 't.tar', 'd/a'], check=True)
    subprocess.run(['tar', '-C', tmp_path, '-xf', tmp_path / 't.tar'], check=True)
    for copy in (tmp_path / 'sparse', fake.mnt / 'd/copy', tmp_path / 'd/a'):
        assert read_file(copy) == data
    file = os.open(path, os.O_RDONLY)
    assert (os.lseek(file, 5, os.SEEK_DATA), os.lseek(file, 5, os.SEEK_HOLE)) == (5, len(data))
    assert errno_of(os.lseek, file, len(data), os.SEEK_DATA) == 'ENXIO'
    os.close(file)


def test_nothing_else_waits_for_a_waiting_read(fake):
    """Forty readers wait: names, attributes and local files are answered, and so are other reads when they can be."""
    data = fake.put('slow', n=50_000)
    write_file(fake.root / 'here', b'local')
    fake.say('hold')
    readers = [start_reader(fake.mnt / 'slow') for _ in range(40)]
    fake.wait_waiting(1)
    assert read_file(fake.mnt / 'here') == b'local'
    assert sorted(os.listdir(fake.mnt)) == ['here', 'slow']
    os.close(os.open(fake.mnt / 'slow', os.O_RDONLY))
    write_file(fake.mnt / 'new', b'written')
    os.unlink(fake.mnt / 'new')
    fake.say('release')
    for reader in readers:
        assert reader.communicate()[0] == data


def test_many_files_wait(fake):
    """More waiting readers than the kernel's default of background requests and than we have threads."""
    data = [fake.put(f'f{i}', n=10_000) for i in range(60)]
    fake.say('hold')
    readers = [start_reader(fake.mnt / f'f{i}') for i in range(60)]
    fake.wait_waiting(60)
    assert len(os.listdir(fake.mnt)) == 60
    fake.say('release')
    assert [reader.communicate()[0] for reader in readers] == data


def test_a_waiting_reader_can_be_killed(fake):
    fake.put('a')
    fake.say('hold')
    reader = start_reader(fake.mnt / 'a')
    fake.wait_waiting(1)
    reader.kill()
    assert reader.wait() == -signal.SIGKILL
    fake.say('release')
    assert len(read_file(fake.mnt / 'a')) == 100_000


def test_interrupting_a_read_past_the_cache(fake):
    """O_DIRECT: a killed reader dies by our answer to INTERRUPT, not by the kernel's patience."""
    fake.put('a', n=1 << 20)
    fake.say('hold')
    reader = subprocess.Popen(['dd', f'if={fake.mnt}/a', 'of=/dev/null', 'bs=64k', 'iflag=direct'],
                              stderr=subprocess.DEVNULL)
    fake.wait_waiting(1)
    reader.send_signal(signal.SIGTERM)
    assert reader.wait() == -signal.SIGTERM
    wait_until(lambda: fake.say('waiting') == ['0'], 'the read is cancelled')
    fake.say('release')


def test_the_end_answers_who_waits(make_fake):
    fake = make_fake()
    fake.mount()
    fake.put('a')
    fake.say('hold')
    reader = start_reader(fake.mnt / 'a')
    fake.wait_waiting(1)
    fake.stop()
    assert reader.communicate()[0] == b''
    assert reader.returncode == 1


def test_what_is_read_again_is_not_asked_again(fake):
    data = fake.put('a')
    assert read_file(fake.mnt / 'a') == data
    fake.say('hold')
    assert read_file(fake.mnt / 'a') == data
    fake.say('release')


# ---- unknown sizes ----

def test_open_learns_an_unknown_size(fake):
    data = fake.put('d/a', size=-1, n=5000)
    assert os.stat(fake.mnt / 'd/a').st_size == 0
    assert 'later d' in fake.log()
    fake.say('hold')
    reader = start_reader(fake.mnt / 'd/a')
    fake.wait_waiting(1)
    # others look meanwhile and see the guess
    assert os.stat(fake.mnt / 'd/a').st_size == 0
    fake.say('release')
    assert reader.communicate()[0] == data
    assert os.stat(fake.mnt / 'd/a').st_size == 5000
    with open(fake.mnt / 'd/a', 'rb', buffering=0) as file:
        assert os.fstat(file.fileno()).st_size == 5000
        assert file.read(5000) == data


def test_a_reader_of_exactly_the_size_that_fstat_tells(fake):
    data = fake.put('a', size=-1, n=70_000)
    with open(fake.mnt / 'a', 'rb', buffering=0) as file:
        assert os.read(file.fileno(), os.fstat(file.fileno()).st_size) == data


def test_a_size_that_cannot_be_learnt(fake):
    fake.say('put', 0, 'a', -1, MTIME, '/does/not/exist')
    for _ in range(2):
        assert errno_of(read_file, fake.mnt / 'a') == 'EIO'


def test_an_open_that_waits_can_be_killed(fake):
    fake.put('a', size=-1)
    fake.say('hold')
    reader = start_reader(fake.mnt / 'a')
    fake.wait_waiting(1)
    reader.kill()
    assert reader.wait() == -signal.SIGKILL
    fake.say('release')


def test_a_size_learnt_in_the_background_is_told(fake):
    fake.put('a', size=-1, n=777)
    assert os.stat(fake.mnt / 'a').st_size == 0
    fake.say('learn', 0, 'a')
    wait_until(lambda: os.stat(fake.mnt / 'a').st_size == 777, 'the size is shown')


# ---- completed, evicted, replaced ----

def test_completed_while_open(fake):
    """The old handle reads on, the next open has the disk's file; number, size and time stay."""
    data = fake.put('shot/a', n=2_000_000)
    before = os.stat(fake.mnt / 'shot/a')
    folder = os.stat(fake.mnt / 'shot').st_ino
    with open(fake.mnt / 'shot/a', 'rb', buffering=0) as old:
        assert old.read(1000) == data[:1000]
        with mmap.mmap(old.fileno(), 0, access=mmap.ACCESS_READ) as mapping:
            assert mapping[5000:6000] == data[5000:6000]
            fake.log()
            fake.say('complete', 0, 'shot/a')
            with open(fake.mnt / 'shot/a', 'rb', buffering=0) as new:
                assert os.fstat(new.fileno()).st_ino == before.st_ino
                assert new.read() == data
            assert 'open shot/a' not in fake.log()
            assert mapping[:] == data
        assert old.read() == data[1000:]
        assert os.fstat(old.fileno()).st_ino == before.st_ino
    after = os.stat(fake.mnt / 'shot/a')
    fields = ('st_ino', 'st_size', 'st_mtime_ns', 'st_mode', 'st_uid', 'st_gid')
    assert [getattr(before, field) for field in fields] == [getattr(after, field) for field in fields]
    assert os.stat(fake.mnt / 'shot').st_ino == folder
    with os.scandir(fake.mnt / 'shot') as entries:
        assert [entry.inode() for entry in entries] == [before.st_ino]


def test_completing_under_load(fake):
    """Opens at every moment of a completion read the right bytes and see no error."""
    data = [fake.put(f'd/f{i}', n=20_000) for i in range(600)]
    faults, is_over, at = [], threading.Event(), 0

    def read_around(offset):
        while not is_over.is_set():
            i = (at + offset) % len(data)
            try:
                if read_file(fake.mnt / f'd/f{i}') != data[i]:
                    faults.append(f'f{i}: wrong bytes')
            except OSError as error:
                faults.append(f'f{i}: {error}')

    threads = [threading.Thread(target=read_around, args=(offset,)) for offset in (-1, 0, 1, 2)]
    for thread in threads:
        thread.start()
    try:
        for at in range(len(data)):
            fake.say('complete', 0, f'd/f{at}')
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert not faults, faults[:5]


def test_evicted_while_open(fake):
    data = fake.put('a')
    fake.say('complete', 0, 'a')
    with open(fake.mnt / 'a', 'rb', buffering=0) as old:
        ino = os.fstat(old.fileno()).st_ino
        fake.say('evict', 0, 'a')
        log = []

        def is_streamed():
            assert os.stat(fake.mnt / 'a').st_ino == ino
            assert read_file(fake.mnt / 'a') == data
            log.extend(fake.log())
            return 'open a' in log

        wait_until(is_streamed, 'it is streamed again')
        assert old.read() == data


def test_a_newer_publish_takes_the_name(fake):
    old_data = fake.put('a', n=5000, seed=1)
    with open(fake.mnt / 'a', 'rb', buffering=0) as old:
        assert old.read(100) == old_data[:100]
        fake.say('spoil', 0, 'a')
        new_data = fake.put('a', n=5000, seed=2)
        # the handle's pages are gone with its revision; nobody opens meanwhile, who might bring them back
        wait_until(lambda: errno_of(os.pread, old.fileno(), 100, 0) == 'EIO', 'the old handle is told')
    fake.say('spoil', 0, 'nothing')
    wait_until(lambda: read_file(fake.mnt / 'a') == new_data, 'the new bytes')


def test_names_appear_and_go(fake):
    """Also where a folder above was looked for and missed before."""
    for name in ('a', 'x', 'x/y/z.exr'):
        assert not (fake.mnt / name).exists()
    fake.put('a')
    fake.put('x/y/z.exr', n=10)
    wait_until((fake.mnt / 'a').exists, 'a')
    wait_until((fake.mnt / 'x/y/z.exr').exists, 'x/y/z.exr')
    assert tree(fake.mnt) == ['a', 'x/', 'x/y/', 'x/y/z.exr']
    fake.say('drop', 0, 'x/y/z.exr')
    wait_until(lambda: not (fake.mnt / 'x').exists(), 'the folders go with the last name')
    assert errno_of(os.listdir, fake.mnt / 'x') == 'ENOENT'


def test_put_on_the_disk_by_somebody(fake):
    """OPEN compares with the disk, whatever the kernel believes."""
    fake.put('d/a')
    os.stat(fake.mnt / 'd/a')
    write_file(fake.root / 'd/a', b'copied in')
    assert read_file(fake.mnt / 'd/a') == b'copied in'


# ---- written ----

def test_an_incomplete_file_is_not_opened_for_writing(fake):
    data = fake.put('a')
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND, os.O_RDWR | os.O_CREAT):
        assert errno_of(os.open, fake.mnt / 'a', flags) == 'EACCES'
    assert errno_of(os.truncate, fake.mnt / 'a', 10) == 'EACCES'
    assert fake.log().count('fetch a') == 5
    assert errno_of(os.chmod, fake.mnt / 'a', 0o600) == 'EPERM'
    assert errno_of(os.utime, fake.mnt / 'a') == 'EPERM'
    assert errno_of(os.setxattr, fake.mnt / 'a', 'user.x', b'') == 'EPERM'
    assert errno_of(os.open, fake.mnt / 'a', os.O_WRONLY | os.O_CREAT | os.O_EXCL) == 'EEXIST'
    assert read_file(fake.mnt / 'a') == data
    # here, it is as any file
    fake.say('complete', 0, 'a')
    with open(fake.mnt / 'a', 'r+b') as file:
        file.write(b'edit')
    assert read_file(fake.root / 'a') == b'edit' + data[4:]


@pytest.mark.parametrize('empty', ('open', 'create', 'truncate'))
def test_emptying_makes_a_local_file(fake, empty):
    fake.put('d/a')
    before = os.stat(fake.mnt / 'd/a')
    if empty == 'truncate':
        os.truncate(fake.mnt / 'd/a', 0)
    else:
        with open(fake.mnt / 'd/a', 'wb' if empty == 'create' else 'r+b',
                  opener=lambda path, flags: os.open(path, flags | os.O_TRUNC)) as file:
            file.write(b'new')
    assert os.stat(fake.root / 'd/a').st_size == (0 if empty == 'truncate' else 3)
    after = os.stat(fake.mnt / 'd/a')
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert 'touch d/a' in fake.log()


def test_making_names_in_a_folder_of_the_view(fake):
    fake.put('shot/v001/a')
    ino = os.stat(fake.mnt / 'shot/v001').st_ino
    write_file(fake.mnt / 'shot/v001/b', b'mine')
    assert read_file(fake.root / 'shot/v001/b') == b'mine'
    assert os.stat(fake.mnt / 'shot/v001').st_ino == ino
    assert sorted(os.listdir(fake.mnt / 'shot/v001')) == ['a', 'b']
    assert errno_of(os.mkdir, fake.mnt / 'shot/v001/a') == 'EEXIST'
    assert errno_of(os.link, fake.mnt / 'shot/v001/b', fake.mnt / 'shot/v001/a') == 'EEXIST'
    fake.put('other/c')
    os.chmod(fake.mnt / 'other', 0o700)
    assert stat.S_IMODE(os.stat(fake.root / 'other').st_mode) == 0o700


def test_publishing_over_a_remote_only_name(fake):
    """rename over it replaces it: no whiteout of the name, for it is published anew."""
    fake.put('d/a')
    os.stat(fake.mnt / 'd/a')
    write_file(fake.mnt / 'd/a.tmp', b'newer')
    fake.log()
    os.rename(fake.mnt / 'd/a.tmp', fake.mnt / 'd/a')
    assert read_file(fake.mnt / 'd/a') == b'newer'
    assert 'hide d/a' not in fake.log()
    assert os.listdir(fake.mnt / 'd') == ['a']


# ---- removed, renamed ----

def test_removing_is_hiding(fake):
    fake.put('d/a')
    fake.put('d/b')
    with open(fake.mnt / 'd/a', 'rb', buffering=0) as file:
        os.unlink(fake.mnt / 'd/a')
        assert len(file.read()) == 100_000
        assert os.fstat(file.fileno()).st_nlink == 0
    assert os.listdir(fake.mnt / 'd') == ['b']
    assert errno_of(os.unlink, fake.mnt / 'd/a') == 'ENOENT'
    assert errno_of(os.rmdir, fake.mnt / 'd') == 'ENOTEMPTY'
    assert errno_of(os.unlink, fake.mnt / 'd') == 'EISDIR'
    assert 'hide d/a' in fake.log()
    os.unlink(fake.mnt / 'd/b')
    os.rmdir(fake.mnt / 'd')
    assert not (fake.mnt / 'd').exists()
    assert fake.log()[-2:] == ['hide d', 'touch d']


def test_hidden_before_the_disk_changes(fake):
    fake.put('a')
    fake.say('complete', 0, 'a')
    fake.log()
    os.unlink(fake.mnt / 'a')
    assert fake.log() == ['hide a', 'touch a']
    assert not (fake.mnt / 'a').exists() and not (fake.root / 'a').exists()


def test_shown_again_where_the_disk_refuses(fake):
    fake.put('d/a')
    write_file(fake.root / 'd/.hidden/x', b'')
    os.unlink(fake.mnt / 'd/a')
    fake.log()
    assert errno_of(os.rmdir, fake.mnt / 'd') == 'ENOTEMPTY'
    assert fake.log() == ['hide d', 'unhide d']
    assert (fake.mnt / 'd').is_dir()


def test_deleting_a_tree_of_both(fake):
    for i in range(100):
        fake.put(f'd/{i % 10}/r{i}', n=10)
        write_file(fake.root / f'd/{i % 10}/l{i}', b'')
    subprocess.run(['rm', '-r', fake.mnt / 'd'], check=True)
    assert os.listdir(fake.mnt) == []
    assert not (fake.root / 'd').exists()


def test_a_single_incomplete_file_is_copied_not_moved(fake):
    data = fake.put('a')
    assert errno_of(os.rename, fake.mnt / 'a', fake.mnt / 'b') == 'EXDEV'
    assert errno_of(os.link, fake.mnt / 'a', fake.mnt / 'b') == 'EXDEV'
    subprocess.run(['mv', fake.mnt / 'a', fake.mnt / 'b'], check=True)
    assert os.listdir(fake.mnt) == ['b']
    assert read_file(fake.root / 'b') == data


def test_hero_on_a_cold_mount(fake):
    """Rename the folder, copy the new version in its place, remove the backup: nothing of it here before."""
    old = {f'hero/{name}': fake.put(f'hero/{name}', n=1000) for name in ('a', 'sub/b')}
    new = {f'hero/{name}': fake.put(f'v002/{name}', n=1000) for name in ('a', 'sub/b')}
    ino = os.stat(fake.mnt / 'hero').st_ino
    os.rename(fake.mnt / 'hero', fake.mnt / 'hero.backup')
    assert os.stat(fake.mnt / 'hero.backup').st_ino == ino
    assert not (fake.mnt / 'hero').exists()
    assert read_file(fake.mnt / 'hero.backup/sub/b') == old['hero/sub/b']
    subprocess.run(['cp', '-r', fake.mnt / 'v002', fake.mnt / 'hero'], check=True)
    subprocess.run(['rm', '-r', fake.mnt / 'hero.backup'], check=True)
    assert sorted(os.listdir(fake.mnt)) == ['hero', 'v002']
    for name, data in new.items():
        assert read_file(fake.root / name) == data


def test_renaming_a_folder_of_both(fake):
    data = fake.put('d/remote', n=1000)
    write_file(fake.root / 'd/local', b'here')
    with open(fake.mnt / 'd/remote', 'rb', buffering=0) as file:
        os.rename(fake.mnt / 'd', fake.mnt / 'e')
        assert sorted(os.listdir(fake.mnt / 'e')) == ['local', 'remote']
        assert read_file(fake.mnt / 'e/remote') == file.read() == data
    assert tree(fake.root) == ['e/', 'e/local']
    fake.put('full/x')
    assert errno_of(os.rename, fake.mnt / 'e', fake.mnt / 'full') == 'ENOTEMPTY'
    (fake.mnt / 'empty').mkdir()
    os.rename(fake.mnt / 'full', fake.mnt / 'empty')
    assert os.listdir(fake.mnt / 'empty') == ['x']


def test_folders_that_move_while_others_look(fake):
    """A path that is overtaken by a rename above it is looked up again, not missed."""
    for i in range(4):
        fake.put(f'top/a/b/r{i}', n=10)
        write_file(fake.root / f'top/a/b/l{i}', b'local')
    folder = os.open(fake.mnt / 'top/a/b', os.O_RDONLY)
    faults, is_over = [], threading.Event()

    def list_names():
        own = os.open('.', os.O_RDONLY, dir_fd=folder)  # a position of its own
        try:
            return os.listdir(own)
        finally:
            os.close(own)

    def look():
        while not is_over.is_set():
            for i in range(4):
                with contextlib.suppress(FileExistsError):
                    if errno_of(os.stat, f'r{i}', dir_fd=folder) or errno_of(os.stat, f'l{i}', dir_fd=folder):
                        faults.append(i)
            if len(list_names()) != 8:
                faults.append('list')

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(150):
        os.rename(fake.mnt / 'top', fake.mnt / 'other')
        os.rename(fake.mnt / 'other', fake.mnt / 'top')
    is_over.set()
    for thread in threads:
        thread.join()
    os.close(folder)
    assert not faults, faults[:5]


# ---- told ----

def test_xattrs_tell_the_state(fake):
    fake.put('a')
    assert os.getxattr(fake.mnt / 'a', 'user.sitefs.state') == b'remote'
    assert os.getxattr(fake.mnt / 'a', 'user.sitefs.remote_id') == b'id-of-a'
    names = os.listxattr(fake.mnt / 'a')
    assert {'user.sitefs.state', 'user.sitefs.pinned', 'user.sitefs.progress'} <= set(names)
    for name in names:
        os.getxattr(fake.mnt / 'a', name)
    assert errno_of(os.getxattr, fake.mnt / 'a', 'user.other') == 'ENODATA'
    assert errno_of(os.setxattr, fake.mnt / 'a', 'user.sitefs.pin', b'1') == 'ENOTSUP'
    fake.say('complete', 0, 'a')
    assert os.getxattr(fake.mnt / 'a', 'user.sitefs.state') == b'local'
    os.setxattr(fake.mnt / 'a', 'user.other', b'x')
    assert set(os.listxattr(fake.mnt / 'a')) == {*names, 'user.other'}


def are_stopped(pid):
    """Whether each thread of a process is: the signal comes to them one after the other."""
    return all(read_file(f'/proc/{pid}/task/{task}/stat').rpartition(b')')[2].split()[0] == b'T'
               for task in os.listdir(f'/proc/{pid}/task'))


def test_a_disk_that_hangs_holds_up_nobody_else(make_fake):
    """Whoever asks for what lies on it waits; the rest of the mount goes on."""
    hung, fake = make_fake(), make_fake('hung', 'work')
    write_file(hung.root / 'f', b'hung')
    hung.mount('-p')
    subprocess.run(['mount', '--bind', hung.mnt, fake.roots[0]], check=False)
    if not (fake.roots[0] / 'f').exists():
        pytest.skip('no bind mounts here')
    try:
        fake.mount()
        write_file(fake.mnt / 'work/f', b'fine')
        assert read_file(fake.mnt / 'hung/f') == b'hung'
        os.kill(hung.process.pid, signal.SIGSTOP)
        wait_until(lambda: are_stopped(hung.process.pid), 'none of its threads runs')
        waiting = [subprocess.Popen(['stat', fake.mnt / f'hung/none{i}'], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL) for i in range(5)]
        try:
            for i in range(20):
                write_file(fake.mnt / f'work/f{i}', b'fine')
                assert read_file(fake.mnt / f'work/f{i}') == b'fine'
            assert [process.poll() for process in waiting] == [None] * 5
        finally:
            os.kill(hung.process.pid, signal.SIGCONT)
            assert [process.wait(DEADLINE) for process in waiting] == [1] * 5
    finally:
        fake.stop()
        subprocess.run(['umount', fake.roots[0]], check=True)
