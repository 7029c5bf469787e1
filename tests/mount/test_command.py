"""The manners of mount and umount: what returns when, and what is left behind."""

import json
import os
import pathlib
import signal
import subprocess

from harness import SITEFS, STORY_DEADLINE, mounts, read_file, wait_until, write_file


def mount_in_background(site, *args, check=True):
    """`sitefs mount` without -f: returns when the mount answers."""
    result = site.run('mount', site.mnt, *args)
    assert not check or result.code == 0, result
    return result


def pid_of(site):
    return site.status()['pid']


def is_gone(pid):
    """Ended; whoever adopted it may not have heard yet."""
    try:
        return read_file(f'/proc/{pid}/stat').rpartition(b')')[2].split()[0] == b'Z'
    except OSError:
        return True


def publish_frames(site, n=3, size=10_000):
    frames = {f'shot/v001/b.{1001 + i}.exr': site.write(f'shot/v001/b.{1001 + i}.exr', seed=i, size=size)
              for i in range(n)}
    site.publish('shot/v001')
    return frames


def test_mount_returns_when_the_mount_answers(studio, home):
    frames = publish_frames(studio)
    studio.sync_once()
    result = mount_in_background(home)
    assert (result.out, result.err) == ('', '')
    for rel, data in frames.items():
        assert home.read(rel) == data
    pid = pid_of(home)
    assert home.status()['mounts'] == [str(home.mnt)]
    # nothing of the caller's is held: working folder, terminal, session
    assert os.readlink(f'/proc/{pid}/cwd') == '/'
    assert os.getsid(pid) == pid
    assert os.readlink(f'/proc/{pid}/fd/2') == str(home.dir / 'state/log')
    assert 'is mounted at' in (home.dir / 'state/log').read_text()
    home.sitefs('umount', home.mnt)
    assert is_gone(pid) and not home.is_mounted()
    assert home.run('status').code == 6
    # and again, at once
    mount_in_background(home)
    home.sitefs('umount', home.mnt)


def test_failures_are_told_to_whoever_waits(studio, home):
    publish_frames(studio)
    home.mount()
    result = mount_in_background(home, check=False)
    assert result.code == 2 and 'mounted already' in result.err, result
    other = home.dir / 'mnt2'
    other.mkdir()
    result = home.run('mount', other)
    assert result.code == 1 and str(home.dir / 'state') in result.err and result.err.count('\n') == 1, result
    assert str(other) not in mounts()


def test_umount_of_a_mount_in_use(studio, home):
    frames = publish_frames(studio)
    studio.sync_once()
    mount_in_background(home)
    pid = pid_of(home)
    with open(home.mnt / next(iter(frames)), 'rb') as file:
        result = home.run('umount', home.mnt)
        assert result.code == 1 and 'in use' in result.err, result
        assert home.is_mounted() and not is_gone(pid)
        assert file.read() == next(iter(frames.values()))
    home.sitefs('umount', home.mnt)
    assert is_gone(pid)


def test_umount_drains(world, studio):
    studio.write('first.txt')
    studio.publish('first.txt')
    mount_in_background(studio)
    frames = publish_frames(studio, n=20)
    studio.sitefs('umount', studio.mnt, '--drain')
    for rel, data in frames.items():
        assert read_file(world.remote_root() / rel) == data
        assert world.is_recorded(rel, 'nas')


def test_drain_says_why_it_cannot(world, studio):
    publish_frames(studio)
    world.remote.rename(world.dir / 'away')
    mount_in_background(studio)
    wait_until(lambda: studio.status()['remote']['last_error'], 'the remote is missed')
    result = studio.run('umount', studio.mnt, '--drain')
    assert result.code == 1 and studio.is_mounted(), result
    assert str(world.remote) in result.err
    studio.sitefs('umount', studio.mnt)


def test_dead_mount_is_replaced(studio, home):
    frames = publish_frames(studio)
    studio.sync_once()
    mount_in_background(home)
    pid = pid_of(home)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_gone(pid), 'it is dead')
    assert home.is_mounted()
    assert home.run('status').code == 6
    mount_in_background(home)
    assert home.read('shot/v001/b.1001.exr') == frames['shot/v001/b.1001.exr']
    # or taken away
    pid = pid_of(home)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_gone(pid), 'it is dead')
    home.sitefs('umount', home.mnt)
    assert not home.is_mounted()


def test_interrupt_of_the_waiting_command(studio, home):
    """Ctrl-C while the first reading goes on ends both, the command with 130."""
    publish_frames(studio)
    for _ in range(5):
        with subprocess.Popen([SITEFS, 'mount', home.mnt], env=home.env, stderr=subprocess.PIPE) as process:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=STORY_DEADLINE)
            assert process.returncode in (0, 130, -signal.SIGINT)
        if process.returncode == 0:
            home.sitefs('umount', home.mnt)
        wait_until(lambda: not list((home.runtime / 'sitefs').glob('*.sock')), 'the daemon has ended')
    assert not home.is_mounted()


def test_options_of_fstab(studio, home):
    publish_frames(studio)
    mount_in_background(home, '-o', 'ro,_netdev,nofail,x-systemd.automount,nodev,nosuid,relatime,deadline=2s')
    assert home.status()['read_only'] is True
    home.sitefs('umount', home.mnt)


def test_status_tells_how_local_files_are_read(studio, home):
    publish_frames(studio)
    mount_in_background(home)
    how = home.status()['passthrough']
    assert how['active'] is not (how['reason'] is not None)
    assert ('by the kernel itself' if how['active'] else how['reason']) in home.sitefs('status').out
    home.sitefs('umount', home.mnt)
    mount_in_background(home, '-o', 'nopassthrough')
    assert home.status()['passthrough'] == {'active': False, 'reason': 'switched off by nopassthrough'}
    assert 'through the daemon: switched off' in home.sitefs('status').out
    home.sitefs('umount', home.mnt)


def test_helper_of_mount(studio, home):
    """mount.sitefs, as mount(8) calls it."""
    publish_frames(studio)
    helper = pathlib.Path(__file__).parents[2] / 'tools/mount.sitefs'
    env = {**home.env, 'PATH': f'{os.path.dirname(SITEFS)}:{home.env["PATH"]}'}
    del env['SITEFS_CONFIG'], env['SITEFS_STATE'], env['SITEFS_STORE']
    options = (f'rw,_netdev,config={home.env["SITEFS_CONFIG"]},state={home.env["SITEFS_STATE"]},'
               f'store={home.env["SITEFS_STORE"]},deadline=5s')
    subprocess.run([helper, 'show', home.mnt, '-o', options], env=env, check=True)
    assert home.is_mounted()
    home.sitefs('umount', home.mnt)
    failed = subprocess.run([helper, 'show', home.dir / 'missing', '-o', options], env=env, capture_output=True,
                            text=True, check=False)
    assert failed.returncode == 32 and 'create the folder' in failed.stderr


def test_paths_in_the_mount_and_in_the_root(studio, home):
    publish_frames(studio)
    studio.sync_once()
    mount_in_background(home)
    for path in (home.mnt / 'shot/v001/b.1001.exr', home.root / 'shot/v001/b.1001.exr'):
        info = home.sitefs('info', '--json', path).json
        assert info['path'] == str(home.mnt / 'shot/v001/b.1001.exr')
        assert info['document_path'] == '{root[work]}/shot/v001/b.1001.exr'
    # verbs of the store take a path in the mount too
    added = home.sitefs('add-site', 'vendor', home.mnt / 'shot/v001/b.####.exr', '--json').json
    assert added['changed'] == 3
    work = home.mnt / 'mine.ma'
    work.write_bytes(b'scene')
    assert home.sitefs('publish', '--project', 'demo', work, '--json').json['files'] == 1
    home.sitefs('umount', home.mnt)


def test_several_roots_are_folders(world, studio):
    world.configure(roots=('work', 'tex'))
    both = world.site('both')
    both.root = both.roots['tex']
    data = both.write('wood.tx', seed=1)
    both.publish('wood.tx')
    both.mount()
    assert both.shown() == ['tex/', 'tex/wood.tx', 'work/']
    assert read_file(both.mnt / 'tex/wood.tx') == data
    assert both.info('wood.tx')['path'] == str(both.mnt / 'tex/wood.tx')
    both.umount()
    both.mount('root=tex')
    assert both.shown() == ['wood.tx']
    assert both.info('wood.tx')['path'] == str(both.mnt / 'wood.tx')


def test_publish_makes_no_store(world, studio):
    """One that is missing would be taken for the studio's."""
    studio.write('a.exr')
    missing = world.dir / 'elsewhere.db'
    result = studio.run('publish', '--store', f'sqlite:{missing}', '--project', 'demo', studio.root / 'a.exr')
    assert result.code == 10 and 'sitefs init' in result.err and not missing.exists(), result


def test_init_writes_one_key_file_once(world, studio):
    key, folder = world.dir / 'key.json', world.dir / 'fresh'
    write_file(key, b'{}')
    studio.sitefs('init', folder, '--active', 'studio', '--root', f'work={studio.root}', '--remote', 'gdrive',
                  '--remote-root', 'work=/My Drive/Show', '--credentials', key, '--store', world.store)
    pairs = json.loads((folder / 'gdrive.json').read_text(encoding='utf-8'), object_pairs_hook=list)
    assert pairs[0][1].count(('credentials_url', str(key))) == 1 and len(dict(pairs[0][1])) == len(pairs[0][1])
