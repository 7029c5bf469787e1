"""Files that the kernel reads by itself: never an error because two ways met, nothing kept longer than it should be."""

import errno
import fcntl
import mmap
import os
import random
import subprocess
import threading
import time

import pytest

from harness import as_nobody, errno_of, random_bytes, read_file, wait_until, write_file


def said(fake):
    """Whether it is on, and why not; once the kernel has been asked."""
    os.listdir(fake.mnt)
    word, _, reason = wait_until(lambda: fake.say('passthrough')[0] != '0 ' and fake.say('passthrough')[0],
                                 'the answer').partition(' ')
    return word == '1', reason


@pytest.fixture
def kernel(fake):
    """A mount that has it."""
    if not said(fake)[0]:
        pytest.skip(f'no passthrough here: {said(fake)[1]}')
    return fake


def is_by_kernel(fake, path):
    """Opened now, it is still readable with the daemon dead, as only what the kernel reads is. Ends the mount."""
    with open(path, 'rb', buffering=0) as file:
        fake.process.kill()
        fake.process.wait()
        try:
            return len(os.pread(file.fileno(), 10, 0)) > 0
        except OSError as error:
            print(error, fake.stderr(), sep='\n')
            return False


def held(fake, path):
    """Descriptors of the daemon that lead to a file of that name, deleted or not."""
    found = []
    folder = f'/proc/{fake.process.pid}/fd'
    for fd in os.listdir(folder):
        try:
            found += [os.readlink(f'{folder}/{fd}')]
        except FileNotFoundError:
            pass
    return [name for name in found if name.startswith(str(path))]


# ---- which way ----

def test_local_files_are_read_by_the_kernel(kernel):
    write_file(kernel.root / 'f', b'0123456789')
    assert is_by_kernel(kernel, kernel.mnt / 'f')


def test_files_made_here_are_read_by_the_kernel(kernel):
    write_file(kernel.mnt / 'f', b'0123456789')
    assert is_by_kernel(kernel, kernel.mnt / 'f')


def test_completed_files_are_opened_anew(kernel):
    """... while somebody still has the streaming handle, which goes on."""
    data = kernel.put('f')
    with open(kernel.mnt / 'f', 'rb', buffering=0) as streaming:
        assert streaming.read(1000) == data[:1000]
        ino = os.stat(kernel.mnt / 'f').st_ino
        kernel.say('complete', 0, 'f')
        with open(kernel.mnt / 'f', 'rb') as complete:
            assert complete.read() == data
            assert os.fstat(complete.fileno()).st_ino == ino
        assert streaming.read(1000) == data[1000:2000]


@pytest.mark.parametrize('option, why', (('-p', 'switched off'), ('-c', 'refuses')))
def test_without_it_bytes_come_from_the_daemon(make_fake, option, why):
    fake = make_fake()
    fake.mount(option)
    data = random_bytes(1, 300_000)
    write_file(fake.root / 'f', data)
    assert read_file(fake.mnt / 'f') == data
    is_on, reason = said(fake)
    assert not is_on and why in reason
    write_file(fake.mnt / 'g', data)
    assert read_file(fake.root / 'g') == data
    assert not is_by_kernel(fake, fake.mnt / 'g')


def test_without_it_what_was_read_is_kept(make_fake):
    """The second reader asks the daemon for nothing but the opening: it can be dead. So soon after the writing, too."""
    fake = make_fake()
    fake.mount('-p')
    data = random_bytes(1, 300_000)
    write_file(fake.root / 'f', data)
    wait_until(lambda: os.stat(fake.root / 'f').st_ctime < time.time() - 0.1, 'a tick of the clock')
    assert read_file(fake.mnt / 'f') == data
    with open(fake.mnt / 'f', 'rb', buffering=0) as file:
        fake.process.kill()
        fake.process.wait()
        assert os.pread(file.fileno(), len(data), 0) == data


def test_without_it_what_others_write_is_read(make_fake):
    """... and not what was kept."""
    fake = make_fake()
    fake.mount('-p')
    for i in range(30):
        data = random_bytes(i + 1, 10_000)
        write_file(fake.root / 'f', data)
        assert read_file(fake.mnt / 'f') == data
        assert read_file(fake.mnt / 'f') == data


def test_stacked_file_systems_go_through_the_daemon(make_fake, tmp_path):
    fake = make_fake()
    if os.geteuid() != 0:
        pytest.skip('only root can mount an overlay')
    for name in ('lower', 'upper', 'work'):
        (tmp_path / name).mkdir()
    layers = ','.join(f'{name}dir={tmp_path / name}' for name in ('lower', 'upper', 'work'))
    if subprocess.run(['mount', '-t', 'overlay', 'overlay', '-o', layers, fake.root], check=False).returncode:
        pytest.skip('no overlay here')
    try:
        fake.mount()
        data = random_bytes(2, 200_000)
        write_file(fake.mnt / 'd/f', data)
        assert read_file(fake.mnt / 'd/f') == read_file(fake.root / 'd/f') == data
        is_on, reason = said(fake)
        assert 'stacked' in reason if is_on else reason
    finally:
        fake.stop()
        subprocess.run(['umount', fake.root], check=True)


def test_a_listing_is_kept(fake):
    """... by the kernel, which asks for it once; until a name comes or goes."""
    names = [f'f{i}' for i in range(300)]
    for name in names:
        write_file(fake.root / 'd' / name, b'')
    wait_until(lambda: os.stat(fake.root / 'd').st_ctime < time.time() - 0.1, 'a tick of the clock')
    assert sorted(os.listdir(fake.mnt / 'd')) == sorted(names)
    fake.put('d/remote')
    wait_until(lambda: 'remote' in os.listdir(fake.mnt / 'd'), 'one that the view has is listed')
    os.unlink(fake.root / 'd/f7')
    wait_until(lambda: 'f7' not in os.listdir(fake.mnt / 'd'), 'one that others take away goes')
    (fake.mnt / 'd/new').touch()
    assert 'new' in os.listdir(fake.mnt / 'd')
    os.unlink(fake.mnt / 'd/remote')
    assert 'remote' not in os.listdir(fake.mnt / 'd')
    names = sorted({*names, 'new'} - {'f7'})
    # the kernel also wants to know the folder's times, of one that is no longer young seldom
    wait_until(lambda: sorted(os.listdir(fake.mnt / 'd')) == names and
               os.stat(fake.root / 'd').st_ctime < time.time() - 7, 'it is quiet')
    folder = os.open(fake.mnt / 'd', os.O_RDONLY)
    fake.process.kill()
    fake.process.wait()
    assert sorted(os.listdir(folder)) == names
    os.close(folder)


@pytest.mark.parametrize('who', ('through the mount', 'in the view', 'on the disk'))
def test_a_listing_is_kept_after_one_that_was_broken_off(fake, who):
    """The kernel would never again keep one of which it lost the beginning while it had no end (Linux 6.18)."""
    names = sorted(f'f{i}' for i in range(600))
    for name in names:
        write_file(fake.root / 'd' / name, b'')
    wait_until(lambda: os.stat(fake.root / 'd').st_ctime < time.time() - 0.1, 'a tick of the clock')
    with os.scandir(fake.mnt / 'd') as entries:
        next(entries)
    if who == 'through the mount':
        (fake.mnt / 'd/new').touch()
    elif who == 'in the view':
        fake.put('d/new')
    else:
        write_file(fake.root / 'd/new', b'')
    names = sorted({*names, 'new'})
    wait_until(lambda: sorted(os.listdir(fake.mnt / 'd')) == names and
               os.stat(fake.root / 'd').st_ctime < time.time() - 0.1, 'the new one is listed')
    assert sorted(os.listdir(fake.mnt / 'd')) == sorted(os.listdir(fake.mnt / 'd')) == names
    folder = os.open(fake.mnt / 'd', os.O_RDONLY)
    fake.process.kill()
    fake.process.wait()
    assert sorted(os.listdir(folder)) == names
    os.close(folder)


def test_an_open_folder_goes_on_telling(fake):
    """Who reads it again and again without opening it anew sees what the view has got meanwhile."""
    fake.put('d/one')
    folder = os.open(fake.mnt / 'd', os.O_RDONLY)
    assert os.listdir(folder) == os.listdir(folder) == ['one']
    fake.put('d/two')
    wait_until(lambda: sorted(os.listdir(folder)) == ['one', 'two'], 'the new one is listed')
    fake.say('drop', 0, 'd/one')
    wait_until(lambda: os.listdir(folder) == ['two'], 'the old one is not')
    os.close(folder)


# ---- ways do not meet ----

def test_open_in_every_way_while_names_change(kernel):
    """Threads open, read, map and write while files complete and are evicted: no EIO, whatever meets."""
    names = [f'f{i}' for i in range(3)]
    data = {name: kernel.put(name, n=50_000, seed=i + 1) for i, name in enumerate(names)}
    write_file(kernel.root / 'local', b'x' * 50_000)
    faults, is_over = [], threading.Event()

    def use(seed):
        rng = random.Random(seed)
        while not is_over.is_set():
            name = rng.choice(names)
            try:
                with open(kernel.mnt / name, 'rb', buffering=0) as file:
                    if rng.random() < 0.3:
                        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapping:
                            if mapping[:] != data[name]:
                                faults.append(f'{name}: mapped bytes')
                    elif file.read(60_000) != data[name]:
                        faults.append(f'{name}: read bytes')
            except OSError as error:
                # somebody completed and evicted it twice within one open
                if error.errno != 116:
                    faults.append(f'{name}: {error}')
            try:
                flags = rng.choice((os.O_RDONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND, os.O_RDWR | os.O_DIRECT))
                os.close(os.open(kernel.mnt / 'local', flags))
            except OSError as error:
                faults.append(f'local: {error}')

    threads = [threading.Thread(target=use, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for i in range(150):
        name = names[i % 3]
        kernel.say('complete' if i // 3 % 2 == 0 else 'evict', 0, name)
    is_over.set()
    for thread in threads:
        thread.join()
    assert not faults, faults[:5]


def test_kept_numbers_are_bounded_by_names(kernel):
    """What is open no more is still known, until its name goes: then the disk gets its space back at once."""
    for way in ('unlink', 'rename over', 'unlinked while open'):
        path = kernel.mnt / 'f'
        write_file(path, b'x' * 1000)
        assert held(kernel, kernel.root / 'f'), way
        if way == 'unlink':
            os.unlink(path)
        elif way == 'rename over':
            write_file(kernel.root / 'other', b'')
            os.rename(kernel.mnt / 'other', path)
        else:
            with open(path, 'rb') as file:
                os.unlink(path)
                assert os.fstat(file.fileno()).st_nlink == 0
                assert file.read() == b'x' * 1000
        wait_until(lambda: not held(kernel, f'{kernel.root}/f (deleted)'), f'{way}: the daemon lets go')


def test_an_evicted_file_is_let_go(kernel):
    kernel.put('f')
    kernel.say('complete', 0, 'f')
    read_file(kernel.mnt / 'f')
    wait_until(lambda: held(kernel, kernel.root / 'f'), 'known to the kernel')
    kernel.say('evict', 0, 'f')
    wait_until(lambda: not held(kernel, kernel.root / 'f'), 'the daemon lets go')


# ---- what the kernel does not do by itself ----

def test_flags_taken_back_count(kernel):
    """O_APPEND and O_DIRECT that fcntl(2) clears: the next write goes where it is told, of any size."""
    write_file(kernel.mnt / 'f', b'0123456789')
    file = os.open(kernel.mnt / 'f', os.O_WRONLY | os.O_APPEND)
    os.write(file, b'end')
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) & ~os.O_APPEND)
    os.pwrite(file, b'X', 0)
    os.close(file)
    assert read_file(kernel.root / 'f') == b'X123456789end'
    file = os.open(kernel.mnt / 'f', os.O_WRONLY | os.O_DIRECT)
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) & ~os.O_DIRECT)
    os.pwrite(file, b'Y', 1)
    os.close(file)
    assert read_file(kernel.root / 'f') == b'XY23456789end'


def test_sizes_and_times_are_those_of_the_disk(kernel):
    path = kernel.mnt / 'f'
    write_file(path, b'0123456789')
    os.stat(path)
    with open(path, 'r+b', buffering=0) as file:
        file.seek(0, os.SEEK_END)
        for size in (20, 5000, 100_000):
            file.write(b'x' * (size - file.tell()))
            assert os.fstat(file.fileno()).st_size == os.stat(path).st_size == size
            assert file.seek(0, os.SEEK_END) == size
        with mmap.mmap(file.fileno(), 0) as mapping:
            before = os.stat(path).st_mtime_ns
            mapping[0:1] = b'm'
            mapping.flush()
        assert os.stat(path).st_mtime_ns == os.stat(kernel.root / 'f').st_mtime_ns >= before
        file.truncate(7)
        assert os.stat(path).st_size == 7 and os.pread(file.fileno(), 100, 0) == b'm123456'
    assert os.stat(path).st_size == os.stat(kernel.root / 'f').st_size == 7


def test_the_engine_hears_of_writes(kernel):
    """Of what was written, at its close; not of what was only opened."""
    write_file(kernel.mnt / 'f', b'one')
    assert 'touch f' in kernel.log()
    with open(kernel.mnt / 'f', 'r+b', buffering=0) as file:
        file.write(b'two')
    assert 'touch f' in kernel.log()
    os.close(os.open(kernel.mnt / 'f', os.O_RDWR))
    assert 'touch f' not in kernel.log()


def test_a_running_program_cannot_be_written(kernel):
    """... and one that was written can be run at once: the daemon holds nothing open for writing."""
    write_file(kernel.mnt / 'run', b'#!/bin/sh\nexit 3\n')
    os.chmod(kernel.mnt / 'run', 0o755)
    assert subprocess.run([kernel.mnt / 'run'], check=False).returncode == 3
    subprocess.run(['cp', '/bin/sleep', kernel.mnt / 'sleep'], check=True)
    with subprocess.Popen([kernel.mnt / 'sleep', '100']) as process:
        assert errno_of(open, kernel.mnt / 'sleep', 'r+b') == 'ETXTBSY'
        process.kill()


def test_the_kernel_writes_without_asking(kernel):
    """Once it knows that there are no bits to take away, for which it would ask at each write(2)."""
    write_file(kernel.root / 'f', b'0123456789')
    file = os.open(kernel.mnt / 'f', os.O_RDWR)
    os.pwrite(file, b'a', 0)
    kernel.process.kill()
    kernel.process.wait()
    assert os.pwrite(file, b'b', 1) == 1
    assert read_file(kernel.root / 'f') == b'ab23456789'
    assert errno_of(os.close, file) == 'ENOTCONN'  # FLUSH has nobody to answer


WRITERS = {
    'write': 'os.write(os.open("f", os.O_WRONLY), b"x")',
    'append': 'os.write(os.open("f", os.O_WRONLY | os.O_APPEND), b"x")',
    'truncate': 'os.truncate("f", 1)',
    'ftruncate': 'os.ftruncate(os.open("f", os.O_RDWR), 1)',
    'open': 'os.open("f", os.O_WRONLY | os.O_TRUNC)',
    'fallocate': 'os.posix_fallocate(os.open("f", os.O_RDWR), 0, 9000)',
    'copy_file_range': 'os.copy_file_range(os.open("source", os.O_RDONLY), os.open("f", os.O_RDWR), 3)',
    'chown': 'os.chown("f", -1, os.getgid())',
}


@pytest.mark.parametrize('option', ('-a', '-ap'), ids=('kernel', 'daemon'))
def test_set_user_bits_go_with_what_others_write(make_fake, tmp_path, option):
    """As on the disk, whoever writes in whatever way; and whoever looks sees it at once."""
    if os.geteuid() != 0:
        pytest.skip('only root can be somebody else')
    fake = make_fake()
    fake.mount(option)
    disk = tmp_path / 'disk'
    disk.mkdir()
    for folder in (disk, fake.mnt):
        (folder / 'source').write_bytes(b'abc')
        os.chmod(folder / 'source', 0o644)
    for way, code in WRITERS.items():
        for mode in (0o4777, 0o2777, 0o6777, 0o2767, 0o4666):
            modes = []
            for folder in (disk, fake.mnt):
                (folder / 'f').write_bytes(b'0123456789')
                if way == 'chown':
                    os.chown(folder / 'f', 65534, 65533)
                os.chmod(folder / 'f', mode)
                assert os.stat(folder / 'f').st_mode & 0o7777 == mode
                modes.append((as_nobody(folder, f'{code}; said = oct(os.stat("f").st_mode)'),
                              oct(os.stat(folder / 'f').st_mode)))
                os.unlink(folder / 'f')
            assert modes[0] == modes[1], (way, oct(mode))


def synced(fake):
    """How often fsync(2) and fdatasync(2) were asked of the disk, and for which inode last."""
    return tuple(map(int, fake.say('synced')[0].split()))


@pytest.mark.parametrize('option', ('-a', '-ap'), ids=('kernel', 'daemon'))
def test_what_is_synced_is_asked_of_the_disk(make_fake, option):
    fake = make_fake()
    fake.mount(option)
    os.mkdir(fake.mnt / 'd')
    file, folder = os.open(fake.mnt / 'd/f', os.O_CREAT | os.O_RDWR), os.open(fake.mnt / 'd', os.O_RDONLY)
    ino = os.stat(fake.root / 'd/f').st_ino
    os.write(file, b'0123456789')
    for sync, counts in ((os.fsync, (1, 0)), (os.fdatasync, (1, 1))):
        sync(file)
        assert synced(fake) == (*counts, ino)
    with mmap.mmap(file, 10) as mapping:
        mapping[0] = ord('x')
        mapping.flush()
    # what is mapped by the kernel itself is the disk's own file
    n = sum(synced(fake)[:2])
    assert n == (3 if 'p' in option else 2)
    os.fsync(folder)
    assert sum(synced(fake)[:2]) == n + 1 and synced(fake)[2] == os.stat(fake.root / 'd').st_ino
    for sync in (os.fsync, os.fdatasync):
        fake.say('failsync', errno.EIO)
        assert errno_of(sync, file) == 'EIO', 'what the disk says is what the caller gets'
        assert errno_of(sync, file) is None
    fake.say('failsync', errno.ENOSPC)
    assert errno_of(os.fsync, folder) == 'ENOSPC'
    os.unlink(fake.mnt / 'd/f')
    os.fsync(file)
    assert synced(fake)[2] == ino, 'unlinked, it is still synced'
    os.close(file)
    os.close(folder)


def test_what_is_at_the_remote_needs_no_sync(fake):
    fake.put('f')
    with open(fake.mnt / 'f', 'rb') as file:
        os.fsync(file.fileno())
    assert synced(fake)[:2] == (0, 0)
