"""Verbs that ask a daemon, where there is none; and hostile socket input as far as it needs no daemon."""

import contextlib
import json
import socket
import threading

import pytest

ASKING = [('status',), ('ls',), ('info', 'x'), ('explain', 'x'), ('watch',), ('retry', 'x'), ('retry', '--failed'),
          ('restore', 'x'), ('scan', 'x'), ('verify',), ('verify', '--remote', '--fix', 'x')]


@pytest.mark.parametrize('args', ASKING)
def test_no_daemon(home, args):
    result = home.sitefs(*args)
    assert result.code == 6 and result.out == '', result
    assert 'no daemon' in result.err and result.err.count('\n') == 1


def test_umount_of_no_mount(home):
    result = home.sitefs('umount', home.path)
    assert result.code == 3 and 'no mount of sitefs' in result.err


@pytest.mark.parametrize('path', ['repre:', 'pub:', 'pub:a//b', ''])
def test_bad_path_arguments(home, path):
    assert home.sitefs('info', path).code == 2


def test_bad_frames(home):
    assert home.sitefs('info', 'a.####.exr', '--frames', '9-1').code == 2
    assert home.sitefs('info', 'a.exr', '--frames', '1-9').code == 2


def test_retry_wants_one_of_both(home):
    assert home.sitefs('retry').code == 2
    assert home.sitefs('retry', '--failed', 'x').code == 2


BOTH = {'name': 'both', 'path': '/srv/both'}


class FakeDaemon:
    """Publishes itself as a daemon does and answers each request with fixed bytes."""

    def __init__(self, home, answer, name='fake', **facts):
        self.answer, self.requests = answer, []
        folder = home.path / 'run' / 'sitefs'
        folder.mkdir(mode=0o700, exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / f'{name}.sock'))
        self.listener.listen()
        facts = {'schema': 1, 'pid': 1, 'state_dir': str(home.path / name), 'mountpoint': None,
                 'active_site': 'studio', 'roots': [], **facts}
        (folder / f'{name}.json').write_text(json.dumps(facts))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile('rb') as lines:
                # a look whether somebody listens ends without a line
                line = lines.readline()
                if line:
                    self.requests.append(json.loads(line))
                    connection.sendall(self.answer)

    def close(self):
        # closing alone would not end an accept() in another thread
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


@pytest.fixture
def fake(home):
    daemons = []

    def start(answer, **kwargs):
        daemons.append(FakeDaemon(home, answer, **kwargs))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.close()


@pytest.mark.parametrize('answer', [b'', b'garbage\n', b'{"exit":', b'\xff\xfe\n', b'[1]\n', b'{"a":1}\n', b'[' * 9999])
def test_broken_answers(home, fake, answer):
    fake(answer)
    result = home.sitefs('status', '--json')
    assert result.code == 6 and result.out == '', result
    assert result.err.count('\n') == 1


@pytest.mark.parametrize('verb', ['status', 'info', 'ls', 'explain', 'scan', 'watch'])
def test_answers_that_lack_everything(home, fake, verb):
    fake(b'{}\n{"present":7,"sites":[3],"explanation":{"a":1},"files":[]}\n{"exit":0}\n')
    args = ['x'] if verb in ('info', 'explain', 'scan') else []
    for option in ([], ['--json']):
        assert home.sitefs(verb, *args, *option).code == 0


def test_errors_of_the_daemon_are_handed_on(home, fake):
    fake(b'{"exit":3,"error":"x is neither"}\n')
    result = home.sitefs('info', 'x')
    assert (result.code, result.out, result.err) == (3, '', 'sitefs info: x is neither\n')


def test_request_is_absolute(home, fake):
    daemon = fake(b'{"exit":0}\n')
    (home.path / 'real').mkdir()
    (home.path / 'link').symlink_to('real')
    home.ok('ls', 'link/.//b', 'real/../c.####.exr', 'pub:show/sh010', '.', '--awaited')
    request, = daemon.requests
    assert request['verb'] == 'ls' and request['awaited'] is True
    assert request['paths'] == [f'{home.path}/real/b', f'{home.path}/c.####.exr', 'pub:show/sh010', str(home.path)]
    # what ".." means below a folder that does not exist is not guessed
    assert home.sitefs('ls', 'missing/../b').code == 3


def test_ls_folds_sequences(home, fake):
    lines = [{'path': f'{home.path}/beauty.{frame}.exr', 'state': 'remote', 'size': 1024} for frame in range(1001, 1101)]
    lines.append({'path': f'{home.path}/esc\x1b[31m.ma', 'state': 'local', 'size': -1})
    fake(b''.join(json.dumps(line).encode() + b'\n' for line in lines) + b'{"exit":0}\n')
    out = home.ok('ls').out
    assert out == ('STATE   FILES     SIZE  NAME\n'
                   'remote    100  100 KiB  beauty.[1001-1100].exr\n'
                   'local       1        ?  esc?[31m.ma\n')
    assert home.ok('ls', '--bytes').out.count('102400') == 1
    assert len(home.ok('ls', '-l').out.splitlines()) == 102
    assert len(home.ok('ls', '--json').json['files']) == 101


def test_names_that_are_no_utf8(home, fake):
    fake(b'{"path":"/m/\xff.exr","state":"local","size":1}\n{"exit":0}\n')
    result = home.ok('info', 'x', '--json')
    assert result.json['path'] == '/m/\udcff.exr'
    assert home.ok('info', 'x').out.startswith('path            /m/?.exr\n')


def test_several_daemons(home, fake):
    fake(b'{"exit":0,"active_site":"a"}\n', name='a', mountpoint=f'{home.path}/a/mnt', roots=[BOTH])
    b = fake(b'{"exit":0,"active_site":"b"}\n', name='b', roots=[BOTH, {'name': 'b', 'path': f'{home.path}/b'}])
    result = home.sitefs('status')
    assert result.code == 2 and f'--state {home.path}/a' in result.err and f'--state {home.path}/b' in result.err
    assert home.ok('status', '--json', '--state', home.path / 'a').json['active_site'] == 'a'
    assert home.ok('status', '--json', env={'SITEFS_STATE': str(home.path / 'b')}).json['active_site'] == 'b'
    (home.path / 'a' / 'mnt').mkdir(parents=True)
    (home.path / 'b').mkdir()
    assert home.ok('status', '--json', home.path / 'a/mnt/x').json['active_site'] == 'a'
    assert home.ok('status', '--json', 'b/x').json['active_site'] == 'b'
    (home.path / 'shortcut').symlink_to(home.path / 'b')
    assert home.ok('status', '--json', 'shortcut').json['active_site'] == 'b'
    assert b.requests[-1]['paths'] == [f'{home.path}/b']
    assert home.sitefs('status', '/srv/both/x').code == 2
    assert home.sitefs('status', '--state', home.path / 'c').code == 6
    assert home.sitefs('status', env={'SITEFS_STATE': str(home.path / 'c')}).code == 6, 'nor is another one asked'
    assert home.ok('status', '--json', 'b/x', env={'SITEFS_STATE': str(home.path / 'c')}).json['active_site'] == 'b'


def test_stale_entries_are_removed(home, fake):
    daemon = fake(b'{"exit":0}\n')
    folder = home.path / 'run' / 'sitefs'
    home.ok('status')
    daemon.close()
    assert home.sitefs('status').code == 6
    assert list(folder.iterdir()) == []
