"""The program and its control endpoint; proxy, TLS, log and counters."""

import http.client
import json
import os
import ssl
import subprocess
import sys

import pytest

from gdrive.bare import ANN, BOT, assertion

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture
def program(tmp_path):
    """What its state file says; it ends with its standard input."""
    started = subprocess.Popen(
        [sys.executable, os.path.join(HERE, 'serve.py'), '--folder', str(tmp_path), '--follow-stdin'],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    lines = []
    while '}\n' not in lines:
        lines.append(started.stdout.readline())
        assert lines[-1]
    yield json.loads(''.join(lines))
    started.stdin.close()
    assert started.wait(10) == 0
    started.stdout.close()


def ask(connection, method, path, data=None, **headers):
    connection.request(method, path, data if isinstance(data, (str, type(None))) else json.dumps(data), headers)
    return json.loads(connection.getresponse().read())


def test_the_program_serves_its_studio(program):
    with open(program['key'], encoding='utf-8') as file:
        key = json.load(file)
    assert key['token_uri'] == program['token_uri'] and os.stat(program['key']).st_mode & 0o77 == 0
    context = ssl.create_default_context(cafile=program['ca'])
    host, port = program['tls_url'].removeprefix('https://').split(':')
    for connection, uri in ((http.client.HTTPConnection(program['url'].removeprefix('http://')), 'token_uri'),
                            (http.client.HTTPSConnection(host, int(port), context=context), 'tls_token_uri')):
        form = ('grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion='
                + assertion(key, {'aud': program[uri]}))
        token = ask(connection, 'POST', '/token', form)['access_token']
        drive = ask(connection, 'GET', f'/drive/v3/drives/{program["drive_id"]}', Authorization=f'Bearer {token}')
        assert drive['name'] == program['drive']
        shared = ask(connection, 'GET', '/drive/v3/files?q=sharedWithMe%3Dtrue', Authorization=f'Bearer {token}')
        assert [each['id'] for each in shared['files']] == [program['my_drive_folder_id']]
        connection.close()


def test_certificates(program):
    def connect(url, **trust):
        host, port = url.removeprefix('https://').split(':')
        context = ssl.create_default_context(**trust)
        connection = http.client.HTTPSConnection(host, int(port), context=context)
        try:
            connection.connect()
        finally:
            connection.close()

    connect(program['tls_url'], cafile=program['ca'])
    connect(program['tls_url'].replace('localhost', '127.0.0.1'), cafile=program['ca'])
    with pytest.raises(ssl.SSLCertVerificationError, match='issuer'):
        connect(program['tls_url'])
    with pytest.raises(ssl.SSLCertVerificationError, match='[Hh]ostname'):
        connect(program['wrong_name_url'], cafile=program['ca'])


def through_proxy(server, host):
    connection = http.client.HTTPSConnection('127.0.0.1', server.port,
                                             context=ssl.create_default_context(cafile=server.ca))
    connection.set_tunnel(host, 443)
    return connection


def test_the_proxy_is_for_google_only(server, bot, drive_id):
    connection = through_proxy(server, 'www.googleapis.com')
    answer = ask(connection, 'GET', f'/drive/v3/drives/{drive_id}', Authorization=f'Bearer {bot.token}')
    assert answer['name'] == 'Show'
    connection.close()
    connection = through_proxy(server, 'example.test')
    with pytest.raises(OSError):
        connection.request('GET', '/')
    connection.close()


def test_sessions_live_where_they_were_opened(server, bot, drive_id):
    connection = through_proxy(server, 'www.googleapis.com')
    connection.request('POST', '/upload/drive/v3/files?uploadType=resumable&supportsAllDrives=true',
                       json.dumps({'name': 'a', 'parents': [drive_id]}),
                       {'Authorization': f'Bearer {bot.token}', 'Content-Type': 'application/json'})
    assert connection.getresponse().headers['Location'].startswith('https://www.googleapis.com/upload/')
    connection.close()


def test_the_log_tells_everything_but_secrets(server, bot, drive_id):
    session = bot.open_session('a', drive_id, 5)
    bot.put(session, b'12345', '0-4/5')
    file = server.seed.find('Show/a').id
    bot.call('GET', f'/files/{file}?alt=media', Range='bytes=1-2')
    events = bot.call('GET', '/control/log').json['events']
    opened, chunk, media = events
    assert [event['kind'] for event in events] == ['files.create.resumable', 'session.chunk', 'files.media']
    assert (chunk['content_range'], chunk['bytes_in'], chunk['status'], chunk['name']) == ('bytes 0-4/5', 5, 200, 'a')
    assert (media['range'], media['answer_range'], media['bytes_out']) == ('bytes=1-2', 'bytes 1-2/5', 2)
    assert {event['connection'] for event in events} == {1} and opened['user'] == BOT
    assert bot.call('GET', f'/control/log?since={chunk["n"]}&kind=files').json['events'] == [media]
    secrets = bot.call('GET', '/control/secrets').json
    assert bot.token in secrets['tokens'] and len(secrets['uris']) == 1
    text = json.dumps(events)
    assert not any(secret in text for secret in secrets['tokens'] + secrets['sessions'] + secrets['uris'])
    counters = bot.call('GET', '/control/counters').json
    assert counters['kinds']['session.chunk'] == {'requests': 1, 'units': 0, 'bytes_in': 5, 'bytes_out': counters[
        'kinds']['session.chunk']['bytes_out'], 'status 200': 1}
    assert counters['units'][BOT] == 250
    assert bot.call('POST', '/control/wait', data={'kind': 'files.media', 'count': 1}).json['came']
    bot.call('DELETE', '/control/log')
    assert bot.call('GET', '/control/log').json['events'] == []


def test_seeding_by_control(server, bot):
    def control(name, data):
        answer = bot.call('POST', f'/control/{name}', data=data)
        assert answer.status == 200, answer
        return answer.json

    made = control('users', {'email': 'new@x.iam.gserviceaccount.com', 'service': True, 'delegated': [
        'https://www.googleapis.com/auth/drive']})
    assert made['key']['client_email'] == 'new@x.iam.gserviceaccount.com'
    control('drives', {'name': 'Other', 'members': {BOT: 'writer'}})
    control('drives', {'name': 'Other', 'rename': 'Renamed'})
    ids = control('seed', {'folders': ['Renamed/x'], 'files': [{'path': 'Renamed/x/a', 'text': 'hello'},
                                                               {'path': 'Renamed/x/big', 'size': 1 << 41}],
                           'many': [{'path': 'Renamed/many', 'files': 3}],
                           'share': [{'path': f'{ANN}:', 'email': BOT, 'role': 'reader'}]})['ids']
    tree = bot.call('GET', '/control/tree?path=Renamed').json['entries']
    assert tree['x/a'][0]['id'] == ids['Renamed/x/a'] and tree['x/big'][0]['size'] == 1 << 41 and len(tree) == 7
    control('edit', {'path': 'Renamed/x/a', 'do': 'trash', 'by': ANN})
    control('edit', {'path': 'Renamed/x/a', 'do': 'rename', 'name': 'b'})
    control('edit', {'path': 'Renamed/x/b', 'do': 'move', 'to': 'Renamed/y'})
    control('edit', {'path': 'Renamed/y/b', 'do': 'flag', 'flag': 'abusive'})
    entry = server.seed.find('Renamed/y/b')
    assert entry.trashed_by == ANN and entry.flags == {'abusive'}
    assert bot.call('POST', '/control/edit', data={'path': 'Renamed/nothing', 'do': 'trash'}).status == 400
    assert bot.call('POST', '/control/nonsense', data={}).status == 404


def test_save_and_restore(server, bot, drive_id):
    file = bot.create('a', b'x', drive_id).json
    bot.call('POST', '/control/save', data={'name': 'one'})
    bot.patch(file['id'], {'name': 'b'})
    bot.create('c', b'x', drive_id)
    for _ in range(2):
        bot.call('POST', '/control/restore', data={'name': 'one'})
        assert bot.get(f'/files/{file["id"]}', fields='*').json == file
        assert list(server.seed.listing('Show')) == ['a']
    bot.call('POST', '/control/reset')
    assert server.world.users == {} and bot.get('/files').status == 401


def test_batch(bot, drive_id):
    files = [bot.create(f'a{i}', b'x', drive_id).json['id'] for i in range(3)]
    parts = [f'--b\r\nContent-Type: application/http\r\nContent-ID: <{i}>\r\n\r\n'
             f'GET /drive/v3/files/{file}?supportsAllDrives=true HTTP/1.1\r\n\r\n' for i, file in enumerate(files)]
    parts.append('--b\nContent-Type: application/http\n\nPOST /drive/v3/files HTTP/1.1\n'
                 'Content-Type: application/json\n\n{"name": "x"}\n')
    answer = bot.call('POST', '/batch/drive/v3', data=''.join([*parts, '--b--']).encode(),
                      Content_Type='multipart/mixed; boundary=b')
    assert answer.status == 200 and answer.data.count(b'HTTP/1.1 200 ') == 3
    assert answer.data.count(b'HTTP/1.1 403 ') == 1 and b'<response-2>' in answer.data
    many = ''.join(['--b\r\n\r\nGET /drive/v3/about HTTP/1.1\r\n\r\n'] * 101 + ['--b--']).encode()
    assert bot.call('POST', '/batch/drive/v3', data=many, Content_Type='multipart/mixed; boundary=b').status == 400


def test_connections_can_be_dropped(server, bot, drive_id):
    bot.get(f'/files/{drive_id}')
    other = http.client.HTTPConnection('127.0.0.1', server.port)
    assert ask(other, 'POST', '/control/settings', {}) == {'error': 'no such control: POST /control/settings'}
    assert server.front.drop_connections() == 2
    with pytest.raises((OSError, http.client.HTTPException)):
        bot.get(f'/files/{drive_id}')
    other.close()
