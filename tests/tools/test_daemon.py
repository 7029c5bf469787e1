"""
A running daemon (`sitefs sync`, which needs no mount) and the verbs that ask it: status, ls, info, explain, watch, retry,
scan; its socket with hostile clients; signals, service manager, and what is refused before a daemon is made.
"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from conftest import SITEFS

DEADLINE = 60


class Daemon:
    """`sitefs sync` of one set of presets, in the foreground."""

    def __init__(self, home, presets, *args, env=None):
        self.home = home
        self.env = {**home.env, 'SITEFS_CONFIG': str(home.path / presets),
                    'SITEFS_STATE': str(home.path / f'{presets}.state'), **(env or {})}
        self.log = home.path / f'{presets}.log'
        self.process = subprocess.Popen([SITEFS, 'sync', *args], env=self.env, cwd=home.path, text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log.open('w'))

    def wait(self, condition, what):
        end = time.monotonic() + DEADLINE
        while not (value := condition()):
            assert time.monotonic() < end, f'not in time: {what}\n{self.log.read_text()}'
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self.process.wait(0.02)
                raise AssertionError(f'exit {code} before: {what}\n{self.log.read_text()}')
        return value

    def facts(self):
        found = list((self.home.path / 'run/sitefs').glob('*.json'))
        facts = [json.loads(path.read_text()) for path in found]
        return next((one for one in facts if one['pid'] == self.process.pid), None)

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE)
        connection.connect(str(self.home.path / 'run/sitefs' / f'{self.facts()["name"]}.sock'))
        return connection

    def sitefs(self, *args, **kwargs):
        return self.home.sitefs(*args, env=self.env, **kwargs)

    def ok(self, *args, **kwargs):
        return self.home.ok(*args, env=self.env, **kwargs)

    def status(self):
        return self.ok('status', '--json').json

    def is_ready(self):
        status = self.facts() and self.sitefs('status', '--json')
        return status and status.code == 0 and status.json['ready']

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)


@pytest.fixture
def world(home):
    """Presets of two sites, `studio` with five frames and `away`, that share a store and a remote folder."""
    store = ('--store', f'sqlite:{home.path}/store.sqlite')
    remote = ('--remote', 'nas', '--remote-root', f'work={home.path}/nas')
    (home.path / 'nas').mkdir()
    home.ok('init', 'studio', *store, '--root', 'work=work', *remote)
    home.ok('init', 'away', *store, '--active', 'away', '--root', 'work=work2', *remote)
    for presets in ('studio', 'away'):
        settings = json.loads((home.path / presets / 'sitefs.json').read_text())
        settings['timing'] = {'settled': '0s', 'probe': '50ms', 'retry_min': '20ms', 'retry_max': '100ms'}
        (home.path / presets / 'sitefs.json').write_text(json.dumps(settings))
    home.frames = home.path / 'work/show/sh010'
    home.frames.mkdir(parents=True)
    for frame in range(1001, 1006):
        (home.frames / f'b.{frame}.exr').write_bytes(os.urandom(5000))
    home.daemons = []

    def start(presets, *args, **kwargs):
        daemon = Daemon(home, presets, *args, **kwargs)
        home.daemons.append(daemon)
        daemon.wait(daemon.is_ready, 'the daemon is ready')
        return daemon

    home.start = start
    yield home
    for daemon in home.daemons:
        if daemon.process.poll() is None:
            daemon.end()


def publish(world):
    world.ok('publish', '--project', 'show', world.frames, '--config', 'studio')


def test_sync_once_and_what_is_said_of_files(world):
    publish(world)
    once = world.ok('sync', '--once', '--config', 'studio', '--state', 'studio.state')
    assert (once.out, once.err) == ('', '')
    for frame in range(1001, 1006):
        name = f'show/sh010/b.{frame}.exr'
        assert (world.path / 'nas' / name).read_bytes() == (world.path / 'work' / name).read_bytes()
    away = world.start('away')
    status = away.status()
    assert status['schema'] == 1 and status['ready'] is True
    assert (status['active_site'], status['remote_site'], status['mounts']) == ('away', 'nas', [])
    assert status['store']['reachable'] is True and status['remote']['reachable'] is True
    assert status['files']['remote'] == 5 and sum(status['files'].values()) == 5
    assert status['queue']['upload']['files'] == status['outbox'] == 0
    assert 'away <-> nas, not mounted' in away.ok('status').out
    assert '5 remote' in away.ok('status', 'work2/show').out
    path = world.path / 'work2/show/sh010/b.1001.exr'
    info = away.ok('info', '--json', path).json
    assert (info['path'], info['state'], info['size'], info['present']) == (str(path), 'remote', 5000, [])
    assert (info['project'], info['pinned']) == ('show', False)
    assert [site['name'] for site in info['sites']] == ['studio', 'nas']
    assert info['sites'][1]['created_dt'].endswith('Z') and info['hash'].startswith('b,1001,exr|')
    assert away.ok('ls').out.splitlines()[1].split() == ['remote', '5', '24.4', 'KiB',
                                                         'work2/show/sh010/b.[1001-1005].exr']
    explained = away.ok('explain', path, '--json').json['files'][0]
    assert explained['path'] == str(path) and len(explained['explanation']) > 2
    assert len(away.ok('info', '--json', 'work2/show/sh010/b.[1001-1002].exr').json['files']) == 2
    assert away.ok('ls', '--json', f'repre:{info["representation"]}').json['files'][0]['state'] == 'remote'
    assert len(away.ok('ls', '--json', 'pub:show/sh010').json['files']) == 5
    folder = away.ok('info', '--json', 'work2/show').json
    assert (folder['state'], folder['size'], folder['files']) == ('remote', 25000, {'remote': 5})
    assert '5 remote' in away.ok('info', 'work2').out
    for missing in ('work2/show/none.exr', 'elsewhere', 'pub:show/none', 'repre:1', 'work2/show/sh010/c.####.exr'):
        result = away.sitefs('info', missing)
        assert result.code == 3 and result.err.count('\n') == 1, result
        for verb in ('ls', 'explain', 'status', 'scan', 'retry', 'restore'):
            assert away.sitefs(verb, missing).code == 3, (verb, missing)


def test_daemon_sends_and_watch_tells(world):
    studio = world.start('studio')
    watch = subprocess.Popen([SITEFS, 'watch', '--json', 'work'], env=studio.env, cwd=world.path, text=True,
                             stdout=subprocess.PIPE)
    with watch.stdout:
        assert json.loads(watch.stdout.readline())['event'] == 'watching'
        publish(world)
        seen, numbers = set(), set()
        while len(seen) < 5:
            event = json.loads(watch.stdout.readline())
            # several threads tell: two may come in another order than their numbers
            assert event['schema'] == 1 and event['seq'] not in numbers
            numbers.add(event['seq'])
            if event['event'] == 'recorded':
                seen.add(event['path'])
        assert seen == {str(path) for path in world.frames.iterdir()}
        studio.wait(lambda: studio.status()['files']['local'] == 5, 'all is sent')
        assert studio.end() == 0
        assert watch.wait(DEADLINE) == 6


def test_explicit_requests(world):
    publish(world)
    world.ok('sync', '--once', '--config', 'studio', '--state', 'studio.state')
    away = world.start('away')
    target = world.path / 'work2/show/sh010'
    target.mkdir(parents=True)
    for name in ('b.1001.exr', 'b.1002.exr'):
        (target / name).write_bytes((world.frames / name).read_bytes())
    (target / 'b.1003.exr').write_bytes(b'other')
    result = away.sitefs('scan', 'work2', '--json')
    assert result.json['done'] == 2, result
    away.wait(lambda: [site['name'] for site in away.ok('info', '--json', target / 'b.1001.exr').json['sites']]
              == ['studio', 'nas', 'away'], 'the record is there')
    assert away.ok('info', '--json', target / 'b.1003.exr').json['state'] == 'modified'
    assert away.ok('retry', '--failed').code == 0
    assert away.sitefs('retry', 'elsewhere').code == 3
    assert away.sitefs('restore', target / 'none.exr').code == 3


def ask(connection, data):
    connection.sendall(data)
    with connection.makefile('rb') as lines:
        return lines.readline()


@pytest.mark.parametrize('data', [
    b'\n', b'garbage\n', b'{}\n', b'[]\n', b'{"verb":"status"\n', b'{"verb":"no such verb"}\n', b'"\0"\n', b'\xff\xfe\n',
    b'{"verb":"info","paths":["relative"]}\n', b'{"verb":"info","paths":["/../../etc/passwd"]}\n',
    b'{"verb":"info","paths":["' + b'a' * 100000 + b'"]}\n', b'{"verb":"ls","paths":["pub:","repre:"]}\n',
    b'{"verb":"retry"}\n', b'{"verb":"scan","paths":[]}\n', b'{"verb":"ls","paths":["/x"],"frames":"1-2-3"}\n',
    b'{"verb":"ls","paths":["/a.%04d.exr"],"frames":"1-999999999999999"}\n', b'{"verb":"restore","paths":[""]}\n',
    b'{"verb":"ls","paths":[' + b'"/x",' * 10000 + b'"/x"]}\n'])
def test_hostile_requests(world, data):
    daemon = world.start('studio')
    with daemon.connect() as connection:
        answer = json.loads(ask(connection, data))
        assert answer['exit'] in (1, 2, 3) and answer['error'] and '\n' not in answer['error']
    assert daemon.ok('status').code == 0


def test_hostile_clients(world):
    daemon = world.start('studio')
    # half a line, never finished; a line without end; one that leaves in the middle; many at once
    clients = [daemon.connect() for _ in range(20)]
    for client in clients[:10]:
        client.sendall(b'{"verb":')
    with contextlib.suppress(OSError):
        for _ in range(64):
            clients[10].sendall(b'x' * 65536)
    for client in clients[11:]:
        client.sendall(b'{"verb":"watch"}\n')
        client.close()
    assert daemon.ok('status').code == 0
    # they do not keep it from ending
    assert daemon.end() == 0
    for client in clients:
        client.close()


def test_paths_outside_are_nobodys(world):
    daemon = world.start('studio')
    for path in ('/etc/passwd', f'{world.path}/work/../nas', f'{world.path}/workshop', '/', f'{world.path}/work/.sitefs'):
        with daemon.connect() as connection:
            request = json.dumps({'verb': 'info', 'paths': [path]}).encode() + b'\n'
            assert json.loads(ask(connection, request))['exit'] == 3, path


def test_socket_is_private(world):
    daemon = world.start('studio')
    folder = world.path / 'run/sitefs'
    assert folder.stat().st_mode & 0o777 == 0o700
    name = daemon.facts()['name']
    for path in (folder / f'{name}.sock', folder / f'{name}.json'):
        assert path.stat().st_mode & 0o077 == 0
    assert daemon.end() == 0
    assert list(folder.iterdir()) == []


def test_state_folder_is_locked(world):
    world.start('studio')
    result = world.sitefs('sync', '--config', 'studio', '--state', 'studio.state')
    assert result.code == 1 and 'studio.state' in result.err and result.err.count('\n') == 1, result


def test_kill_leaves_nothing_in_the_way(world):
    daemon = world.start('studio')
    daemon.process.kill()
    daemon.process.wait()
    assert daemon.sitefs('status').code == 6
    again = world.start('studio')
    assert again.status()['pid'] == again.process.pid


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_order(world, number):
    daemon = world.start('studio')
    daemon.process.send_signal(signal.SIGHUP)
    assert daemon.ok('status').code == 0
    assert daemon.end(number) == 0


def test_service_manager_hears(world):
    address = str(world.path / 'notify')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(DEADLINE)
        daemon = world.start('studio', env={'NOTIFY_SOCKET': address, 'WATCHDOG_USEC': '100000'})
        heard = [listener.recv(1000).decode()]
        assert heard == ['READY=1']
        while not any(text.startswith('STATUS=') for text in heard) or 'WATCHDOG=1' not in heard:
            heard.append(listener.recv(1000).decode())
        daemon.process.terminate()
        while heard[-1] != 'STOPPING=1':
            heard.append(listener.recv(1000).decode())
        assert daemon.process.wait(DEADLINE) == 0


def test_lost_root_ends_once_with_1(world):
    publish(world)
    (world.path / 'work').rename(world.path / 'elsewhere')
    result = world.sitefs('sync', '--once', '--config', 'studio', '--state', 'studio.state')
    assert result.code == 1 and '--adopt' in result.err and result.err.count('\n') == 1, result
    assert not list((world.path / 'nas').glob('show'))


def test_missing_remote_is_made_on_request_only(world):
    publish(world)
    (world.path / 'nas').rmdir()
    once = ('sync', '--once', '--config', 'studio', '--state', 'studio.state')
    result = world.sitefs(*once)
    assert result.code == 1 and f'{world.path}/nas' in result.err, result
    assert not (world.path / 'nas').exists()
    world.ok(*once, '--create-root')
    assert len(list((world.path / 'nas/show/sh010').iterdir())) == 5


def test_files_that_failed_end_once_with_4(world):
    publish(world)
    (world.frames / 'b.1003.exr').unlink()
    result = world.sitefs('sync', '--once', '--config', 'studio', '--state', 'studio.state',
                          env={'SITEFS_TIMING_YOUNG': '0s', 'SITEFS_RETRY_CNT': '1'})
    assert result.code == 4 and result.err.endswith('tries again\n'), result
    assert len(list((world.path / 'nas/show/sh010').iterdir())) == 4


@pytest.mark.parametrize('verb', [('sync', '--once'), ('mount', 'm')])
def test_refused_before_it_starts(world, verb):
    (world.path / 'm').mkdir()
    common = ('--config', 'studio', '--state', 'studio.state')

    def refused(*args, env=None):
        result = world.sitefs(*verb, *common, *args, env=env)
        assert result.code == 2 and result.out == '' and result.err.count('\n') == 1, result
        assert not (world.path / 'studio.state').exists()
        return result.err

    assert 'sitefs init' in refused('--store', f'sqlite:{world.path}/none.sqlite')
    assert 'none of MongoDB' in refused('--store', 'mongodb://u:pw@/')
    (world.path / 'studio/gdrive.json').write_text(json.dumps({'gdrive': {'root': {'work': '/My Drive/work'}}}))
    assert 'credentials_url' in refused(env={'SITEFS_REMOTE_SITE': 'gdrive'})


class TestMountPoint:
    """Where a mount is refused; none of these gets as far as mounting."""

    @pytest.fixture(autouse=True)
    def set_up(self, world):
        self.world = world

    def refused(self, place, *args):
        result = self.world.sitefs('mount', place, '--config', 'studio', '--state', 'studio.state', *args)
        assert result.code == 2 and result.err.count('\n') == 1, result
        return result.err

    def test_missing(self):
        assert 'create the folder' in self.refused('missing')

    def test_no_folder(self):
        (self.world.path / 'file').write_text('x')
        assert 'no folder' in self.refused('file')

    def test_not_empty(self):
        (self.world.path / 'full/x').mkdir(parents=True)
        assert 'not empty' in self.refused('full')

    @pytest.mark.parametrize('what, place', [
        ('state', 'studio.state/m'), ('state', '.'), ('remote', 'nas/m'), ('remote', 'nas'), ('root', 'work/m'),
        ('store', 'around')])
    def test_entangled(self, what, place):
        (self.world.path / place).mkdir(parents=True, exist_ok=True)
        args = ()
        if what == 'store':
            (self.world.path / 'around/db').mkdir()
            os.rename(self.world.path / 'store.sqlite', self.world.path / 'around/db/store.sqlite')
            args = ('--store', f'sqlite:{self.world.path}/around/db/store.sqlite')
        assert what in self.refused(place, *args)

    @pytest.mark.parametrize('option, word', [
        ('nonsense', 'nonsense'), ('deadline=soon', 'deadline'), ('root=none', 'none'), ('ro,,nofail,x', "'x'"),
        ('deadline=', 'deadline'), ('root', "'root'")])
    def test_options(self, option, word):
        pathlib.Path(self.world.path / 'm').mkdir()
        assert word in self.refused('m', '-o', option)


def test_a_user_without_a_runtime_folder(world):
    """As after `su`: no session manager has made one. Root tries it as nobody, who must reach the program for that."""
    user = 65534 if os.geteuid() == 0 else os.geteuid()
    env = {key: value for key, value in world.env.items() if key != 'XDG_RUNTIME_DIR'}
    with tempfile.TemporaryDirectory(prefix='sitefs-test-', dir='/tmp') as folder:
        os.chown(folder, user, -1)
        env['HOME'] = folder
        for key in ('XDG_CONFIG_HOME', 'XDG_STATE_HOME', 'XDG_DATA_HOME'):
            env.pop(key)

        def run(*args, code=0):
            done = subprocess.run([SITEFS, *args], user=user, env=env, cwd=folder, text=True, capture_output=True,
                                  stdin=subprocess.DEVNULL, timeout=60, check=False)
            assert done.returncode == code, done.stdout + done.stderr
            return done

        try:
            run('version')
        except PermissionError:
            return
        run('init', 'c', '--store', f'sqlite:{folder}/store.sqlite', '--root', f'work={folder}/work')
        daemon = subprocess.Popen([SITEFS, 'sync', '--config', 'c', '--state', 'state'], user=user, env=env, cwd=folder,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            end = time.monotonic() + DEADLINE
            while subprocess.run([SITEFS, 'status', '--state', 'state'], user=user, env=env, cwd=folder,
                                 capture_output=True, check=False).returncode:
                assert time.monotonic() < end, 'no daemon answers'
                with contextlib.suppress(subprocess.TimeoutExpired):
                    daemon.wait(0.02)
                    raise AssertionError(daemon.stderr.read())
        finally:
            daemon.terminate()
            daemon.communicate()
            with contextlib.suppress(OSError):
                os.rmdir(f'/tmp/sitefs-{user}')
