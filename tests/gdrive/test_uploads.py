"""Uploads: what a session keeps and answers, and what the service refuses of each kind."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from gdrive.bare import ANN, wait_until

GRAIN = 256 << 10
DATA = os.urandom(3 * GRAIN + 100)
SIZE = len(DATA)


@pytest.fixture
def session(bot, drive_id):
    return bot.open_session('a', drive_id, SIZE)


def kept(answer):
    """What a 308 says, in bytes."""
    assert answer.status == 308, answer
    return int(answer.headers['Range'].removeprefix('bytes=0-')) + 1 if 'Range' in answer.headers else 0


def is_right(answer, data=DATA):
    return answer.status == 200 and answer.json['size'] == str(len(data)) and \
        answer.json['md5Checksum'] == hashlib.md5(data).hexdigest()


def test_one_put(bot, session):
    assert is_right(bot.put(session, DATA))


def test_nothing_is_there_before_the_last_byte(server, bot, session):
    assert kept(bot.put(session, DATA[:GRAIN], f'0-{GRAIN - 1}/{SIZE}')) == GRAIN
    assert server.seed.listing('Show') == {}
    assert is_right(bot.put(session, DATA[GRAIN:], f'{GRAIN}-{SIZE - 1}/{SIZE}'))
    assert list(server.seed.listing('Show')) == ['a']


def test_chunks_are_kept_in_multiples(bot, session):
    assert kept(bot.put(session, DATA[:GRAIN + 5], f'0-{GRAIN + 4}/{SIZE}')) == GRAIN
    assert kept(bot.put(session, DATA[GRAIN:GRAIN + 100], f'{GRAIN}-{GRAIN + 99}/{SIZE}')) == GRAIN
    assert kept(bot.put(session, b'', f'*/{SIZE}')) == GRAIN


def test_first_status_has_no_range(bot, session):
    assert kept(bot.put(session, b'', f'*/{SIZE}')) == 0
    assert kept(bot.put(session, b'', '*/*')) == 0


def test_overlap_is_ignored_and_gaps_are_refused(server, bot, session):
    bot.put(session, DATA[:2 * GRAIN], f'0-{2 * GRAIN - 1}/{SIZE}')
    gap = bot.put(session, DATA[3 * GRAIN:], f'{3 * GRAIN}-{SIZE - 1}/{SIZE}')
    assert gap.status == 503 and b'exceeds already uploaded size' in gap.data
    server.set(session_gap_status=400)
    assert bot.put(session, DATA[3 * GRAIN:], f'{3 * GRAIN}-{SIZE - 1}/{SIZE}').status == 400
    wrong = b'x' * GRAIN + DATA[GRAIN:]
    assert is_right(bot.put(session, wrong, f'0-{SIZE - 1}/{SIZE}'))


def test_the_answer_is_repeated(bot, session):
    first = bot.put(session, DATA)
    assert bot.put(session, b'', f'*/{SIZE}').json == first.json
    assert bot.put(session, DATA).json == first.json


def test_unknown_total(bot, drive_id):
    session = bot.open_session('a', drive_id)
    assert kept(bot.put(session, DATA[:GRAIN], f'0-{GRAIN - 1}/*')) == GRAIN
    assert is_right(bot.put(session, DATA[GRAIN:], f'{GRAIN}-{SIZE - 1}/{SIZE}'))
    session = bot.open_session('b', drive_id)
    assert kept(bot.put(session, DATA[:GRAIN], f'0-{GRAIN - 1}/*')) == GRAIN
    assert is_right(bot.put(session, b'', f'*/{GRAIN}'), DATA[:GRAIN])


def test_chunked_body(bot, session):
    bot.connection.request('POST', session, iter([DATA[:70_000], DATA[70_000:]]), encode_chunked=True,
                           headers={'Transfer-Encoding': 'chunked'})
    answer = bot.connection.getresponse()
    assert answer.status == 200 and b'"name": "a"' in answer.read()


@pytest.mark.parametrize('span', ['0-1/2/3', 'x', '5-4/10', '0-99/50', f'0-100/{SIZE}', '*/0'])
def test_bad_ranges(bot, session, span):
    data = b'' if '*' in span else b'x' * 100
    assert bot.put(session, data, span).status == 400


def test_another_total(bot, session):
    assert bot.put(session, b'', f'*/{SIZE + 1}').status == 400


def test_empty_file(bot, drive_id):
    session = bot.open_session('empty', drive_id, 0)
    assert bot.put(session, b'', '*/0').status == 400
    assert is_right(bot.put(session, b''), b'')


def test_sessions_end(server, bot, drive_id, session):
    assert bot.call('DELETE', session).status == 499
    assert bot.put(session, DATA).status == 404
    session = bot.open_session('a', drive_id, SIZE)
    server.world.skew = 6 * 86_400
    assert kept(bot.put(session, b'', f'*/{SIZE}')) == 0
    server.world.skew = 14 * 86_400
    assert bot.put(session, b'', f'*/{SIZE}').status == 404
    server.world.skew = 0
    session = bot.open_session('a', drive_id, SIZE)
    assert bot.call('POST', '/control/sessions', data={'lose': 410}).json == {'lost': 1}
    assert bot.put(session, DATA).status == 410
    assert bot.put('/upload/drive/v3/files?uploadType=resumable&upload_id=nonsense', DATA).status == 404


def test_update_through_a_session(server, bot, drive_id):
    old = bot.create('a', b'old', drive_id).json
    session = bot.open_session('a', None, SIZE, old['id'], modifiedTime='2020-01-01T00:00:00.001Z')
    new = bot.put(session, DATA)
    assert is_right(new) and new.json['id'] == old['id'] and new.json['headRevisionId'] != old['headRevisionId']
    assert new.json['modifiedTime'] == '2020-01-01T00:00:00.001Z' and int(new.json['version']) > int(old['version'])


def test_the_parent_goes_while_bytes_come(server, bot, drive_id):
    folder = bot.create('folder', parent=drive_id).json['id']
    session = bot.open_session('a', folder, SIZE)
    bot.call('POST', '/control/edit', data={'path': 'Show/folder', 'do': 'delete'})
    assert bot.put(session, DATA).reason == 'notFound'
    assert bot.put(session, DATA).status == 404


def test_ids(bot, drive_id):
    first, second = bot.get('/files/generateIds', count=2).json['ids']
    sessions = [bot.open_session('a', drive_id, SIZE, id=first) for _ in range(2)]
    assert is_right(bot.put(sessions[0], DATA))
    assert bot.put(sessions[1], DATA).reason == 'fileIdInUse'
    assert bot.create('a', b'x', drive_id, id=first).status == 409
    assert bot.create('folder', parent=drive_id, id=second).json['id'] == second
    assert bot.create('a', b'x', drive_id, id='1' * 33).status == 400
    assert bot.get('/files/generateIds', count=1001).status == 400


def test_an_id_of_a_deleted_file_stays_used(studio, bot, drive_id):
    file_id = bot.get('/files/generateIds', count=1).json['ids'][0]
    bot.create('a', b'x', drive_id, id=file_id)
    studio.bare(ANN).call('DELETE', f'/files/{file_id}?supportsAllDrives=true')
    assert bot.create('a', b'x', drive_id, id=file_id).status == 409


@pytest.mark.parametrize('body', [b'', b'nonsense', b'--cut\r\n\r\nx\r\n--cut--',
                                  b'--cut\r\nContent-Type: application/json\r\n\r\n{]\r\n--cut\r\n\r\nx\r\n--cut--'])
def test_bad_multipart(bot, body):
    answer = bot.call('POST', '/upload/drive/v3/files?uploadType=multipart', data=body,
                      Content_Type='multipart/related; boundary=cut')
    assert answer.status == 400


@pytest.mark.parametrize('data', [b'', b'\r\n', b'-- cut', b'\r\n--cu\r\n', b'x\r', b'\n\n'])
def test_multipart_keeps_every_byte(bot, drive_id, data):
    assert is_right(bot.create('a', data, drive_id), data)


def test_simple_upload(bot, ann):
    answer = ann.call('POST', '/upload/drive/v3/files?uploadType=media&fields=*', data=DATA, Content_Type='image/x-exr')
    assert is_right(answer) and answer.json['mimeType'] == 'image/x-exr' and answer.json['name'] == 'Untitled'
    assert bot.call('POST', '/upload/drive/v3/files?uploadType=nonsense', data=b'').status == 400


def test_a_length_is_needed(server, bot):
    bot.connection.putrequest('POST', '/drive/v3/files')
    bot.connection.endheaders()
    assert bot.connection.getresponse().status == 411


def test_a_newer_request_ends_one_that_hangs(server, studio, bot, session):
    server.faults.add({'match': {'kind': 'session.chunk'}, 'do': {'stall': True, 'stall_request': GRAIN + 1}})
    bot.connection.putrequest('PUT', session)
    bot.connection.putheader('Content-Length', str(SIZE))
    bot.connection.endheaders(DATA)
    sessions = server.service.uploads.sessions.values()
    wait_until(lambda: next(iter(sessions)).kept == GRAIN)
    other = studio.bare()
    assert kept(other.put(session, b'', f'*/{SIZE}')) == GRAIN
    assert is_right(other.put(session, DATA[GRAIN:], f'{GRAIN}-{SIZE - 1}/{SIZE}'))


def test_one_of_many_creates_with_one_id(studio, bot, drive_id):
    file_id = bot.get('/files/generateIds', count=1).json['ids'][0]
    clients = [studio.bare() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda client: client.create('a', DATA, drive_id, id=file_id).status, clients))
    assert sorted(statuses) == [200] + [409] * 7


def test_the_session_needs_no_token(bot, session):
    bot.server.service.tokens.revoke_all()
    assert is_right(bot.put(session, DATA))
