"""Rules of faults: what they match, how often they hit, and what each of them does to a request."""

import hashlib
import http.client
import os
import time
from threading import Thread

import pytest

GRAIN = 256 << 10
DATA = os.urandom(3 * GRAIN)
GONE = (ConnectionError, http.client.HTTPException, OSError)


@pytest.fixture
def file(server):
    return server.seed.file('Show/a', DATA)


def media(bot, file, **headers):
    return bot.call('GET', f'/files/{file.id}?alt=media', **headers)


def test_match_skip_times(server, bot, drive_id, file):
    rule = server.faults.add({'match': {'kind': 'files.get', 'id': file.id[:9]}, 'skip': 1, 'times': 2,
                              'do': {'status': 503}})
    assert [bot.get(f'/files/{file.id}').status for _ in range(5)] == [200, 503, 503, 200, 200]
    assert bot.get(f'/files/{drive_id}').status == 200 and (rule.seen, rule.hits) == (5, 2)


@pytest.mark.parametrize('match, hits', [
    ({'kind': 'files.*'}, 2), ({'kind': ['files.media', 'x']}, 1), ({'method': 'POST'}, 0), ({'name': '[ab]'}, 2),
    ({'name': 'b'}, 0), ({'query': 'alt=media'}, 1), ({'range': '^bytes=5-'}, 1), ({'user': '^bot@'}, 2),
    ({'path': '/files/1'}, 2)])
def test_what_rules_look_at(server, bot, file, match, hits):
    rule = server.faults.add({'match': match, 'times': 0, 'do': {'delay': 0}})
    bot.get(f'/files/{file.id}')
    media(bot, file, Range='bytes=5-9')
    assert rule.hits == hits


def test_names_of_what_is_created(server, bot, drive_id):
    rule = server.faults.add({'match': {'name': 'b "é*'}, 'times': 0, 'do': {'status': 503}})
    assert bot.create('a', b'x', drive_id).status == bot.create('a', parent=drive_id).status == 200
    assert bot.create('b "é.exr', b'x', drive_id).status == bot.create('b "é', parent=drive_id).status == 503
    session = bot.open_session('c', drive_id, 4)
    assert bot.put(session, b'data').status == 200 and rule.hits == 2
    assert [event['name'] for event in server.journal.since(0)] == ['a', 'a', 'b "é.exr', 'b "é', 'c', 'c']


def test_probability_is_repeatable(server, bot, drive_id):
    server.faults.add({'probability': 0.5, 'times': 0, 'do': {'status': 503}})
    statuses = [bot.get(f'/files/{drive_id}').status for _ in range(40)]
    assert 8 < statuses.count(503) < 32


@pytest.mark.parametrize('rule', [{}, {'do': {'nonsense': 1}}, {'match': {'nonsense': 1}, 'do': {'status': 500}},
                                  {'do': {'status': 500}, 'nonsense': 1}, {'do': {'reset': 'sometimes'}}])
def test_bad_rules(server, bot, rule):
    with pytest.raises(ValueError):
        server.faults.add(rule)
    assert bot.call('POST', '/control/faults', data=rule).status == 400


REASONS = {'rateLimitExceeded': 403, 'userRateLimitExceeded': 403, 'dailyLimitExceeded': 403, 'quotaExceeded': 403,
           'storageQuotaExceeded': 403, 'teamDriveFileLimitExceeded': 403, 'domainPolicy': 403, 'authError': 401,
           'notFound': 404, 'backendError': 500, 'fileIdInUse': 409, 'appNotAuthorizedToFile': 403,
           'sharingRateLimitExceeded': 403, 'teamDriveMembershipRequired': 403, 'accessNotConfigured': 403,
           'insufficientFilePermissions': 403, 'activeItemCreationLimitExceeded': 403}


@pytest.mark.parametrize('reason', REASONS)
def test_errors_by_reason(server, bot, drive_id, reason):
    server.faults.add({'do': {'reason': reason, 'retry_after': 3}})
    answer = bot.get(f'/files/{drive_id}')
    error = answer.json['error']
    assert (answer.status, answer.reason, error['code']) == (REASONS[reason], reason, REASONS[reason])
    assert error['message'] and answer.headers['Retry-After'] == '3'
    usage = 'ateLimit' in reason or reason in ('dailyLimitExceeded', 'quotaExceeded',
                                                                      'accessNotConfigured')
    assert error['errors'][0]['domain'] == ('usageLimits' if usage else 'global')


def test_html_and_text(server, bot, drive_id):
    server.faults.add({'do': {'status': 502, 'html': True}})
    server.faults.add({'skip': 1, 'do': {'status': 500, 'text': 'Internal Error'}})
    html, text = bot.get(f'/files/{drive_id}'), bot.get(f'/files/{drive_id}')
    assert html.status == 502 and html.data.startswith(b'<!DOCTYPE html>')
    assert text.status == 500 and text.data == b'Internal Error'


def test_stored_but_refused(server, bot, drive_id):
    server.faults.add({'do': {'status': 503, 'when': 'after'}})
    assert bot.create('b', b'x', drive_id).status == 503
    assert list(server.seed.listing('Show')) == ['b']


@pytest.mark.parametrize('reset, stored', [('before', False), ('during', False), ('after', True), ('answer', True)])
def test_resets(server, bot, drive_id, reset, stored):
    server.faults.add({'match': {'kind': 'files.create.*'}, 'do': {'reset': reset, 'reset_after': 10}})
    with pytest.raises(GONE):
        bot.create('b', DATA, drive_id)
    server.journal.wait_for('files.create', 1, 10)
    assert ('b' in server.seed.listing('Show')) is stored
    bot.close()
    assert bot.get(f'/files/{drive_id}').status == 200


def test_a_reset_keeps_whole_grains(server, bot, drive_id):
    session = bot.open_session('b', drive_id, len(DATA))
    server.faults.add({'match': {'kind': 'session.chunk'}, 'do': {'reset': 'during', 'reset_after': 2 * GRAIN + 5}})
    with pytest.raises(GONE):
        bot.put(session, DATA)
    bot.close()
    server.journal.wait_for('session.chunk', 1, 10)
    assert bot.put(session, b'', f'*/{len(DATA)}').headers['Range'] == f'bytes=0-{2 * GRAIN - 1}'


@pytest.mark.parametrize('keep, kept', [(0, 0), (GRAIN - 1, 0), (GRAIN, GRAIN), (2 * GRAIN + 9, 2 * GRAIN),
                                        (9 * GRAIN, 3 * GRAIN)])
def test_partial_keep(server, bot, drive_id, keep, kept):
    session = bot.open_session('b', drive_id, len(DATA))
    server.faults.add({'match': {'kind': 'session.chunk'}, 'do': {'keep': keep}})
    answer = bot.put(session, DATA)
    assert answer.status == 308
    assert answer.headers.get('Range') == (f'bytes=0-{kept - 1}' if kept else None)
    rest = bot.put(session, DATA[kept:], f'{kept}-{len(DATA) - 1}/{len(DATA)}') if kept < len(DATA) else \
        bot.put(session, b'', f'*/{len(DATA)}')
    assert rest.json['md5Checksum'] == hashlib.md5(DATA).hexdigest()


@pytest.mark.parametrize('status', [True, 404, 410])
def test_lost_session(server, bot, drive_id, status):
    session = bot.open_session('b', drive_id, len(DATA))
    server.faults.add({'match': {'kind': 'session.*'}, 'do': {'lose_session': status}})
    wanted = 404 if status is True else status
    assert [bot.put(session, DATA).status, bot.put(session, b'', '*/*').status] == [wanted, wanted]


def test_corrupt_upload(server, bot, drive_id):
    session = bot.open_session('b', drive_id, len(DATA))
    server.faults.add({'match': {'kind': 'session.chunk'}, 'do': {'corrupt': GRAIN + 3}})
    answer = bot.put(session, DATA)
    assert answer.json['size'] == str(len(DATA)) and answer.json['md5Checksum'] != hashlib.md5(DATA).hexdigest()


def test_token_ends(server, bot, drive_id):
    server.faults.add({'match': {'kind': 'files.get'}, 'do': {'expire_token': True}})
    assert [bot.get(f'/files/{drive_id}').reason for _ in range(2)] == ['authError'] * 2


def test_cut_and_flipped_downloads(server, bot, file):
    server.faults.add({'do': {'flip': 2 * GRAIN}})
    data = media(bot, file).data
    assert [i for i in range(len(DATA)) if data[i] != DATA[i]] == [2 * GRAIN]
    server.faults.add({'do': {'cut': GRAIN + 1}})
    with pytest.raises(http.client.IncompleteRead) as error:
        media(bot, file)
    assert error.value.partial == DATA[:GRAIN + 1]


@pytest.mark.parametrize('delta', [-10, 10])
def test_wrong_length(server, bot, file, delta):
    server.faults.add({'do': {'content_length': delta}})
    if delta > 0:
        with pytest.raises(http.client.IncompleteRead):
            media(bot, file)
        return
    answer = media(bot, file)
    assert answer.headers['Content-Length'] == str(len(DATA) - 10) and answer.data == DATA[:-10]
    assert media(bot, file).data == DATA


def test_a_connection_that_ends_without_a_word(server, bot, file):
    server.faults.add({'do': {'close': True}})
    answer = media(bot, file)
    assert answer.data == DATA and answer.headers['Connection'] == 'keep-alive'
    with pytest.raises(GONE):
        media(bot, file)


def test_missing_headers(server, bot, file):
    server.faults.add({'do': {'strip': ['Content-Range', 'X-Nothing']}})
    answer = media(bot, file, Range='bytes=0-4')
    assert answer.status == 206 and 'Content-Range' not in answer.headers


@pytest.mark.parametrize('do, kind', [({'stall': True}, 'media'), ({'stall': True, 'stall_after': 100}, 'media'),
                                      ({'stall': True, 'stall_request': GRAIN}, 'upload')])
def test_stalls_until_released(server, bot, drive_id, file, do, kind):
    server.faults.add({'do': do})
    caught = []

    def ask():
        try:
            media(bot, file) if kind == 'media' else bot.create('b', DATA, drive_id)
        except GONE as error:
            caught.append(error)

    thread = Thread(target=ask)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    server.front.release()
    thread.join(10)
    assert not thread.is_alive() and caught


def test_a_stall_ends_when_the_client_goes(server, bot, file):
    server.faults.add({'do': {'stall': True}})
    bot.connection.timeout = 0.2
    with pytest.raises(TimeoutError):
        media(bot, file)
    bot.close()
    assert server.journal.wait_for('files.media', 1, 10)


def test_delay_and_bandwidth(server, bot, drive_id, file):
    for do, least in (({'delay': 0.3}, 0.3), ({'bandwidth': 4 * len(DATA)}, 0.2)):
        server.faults.add({'do': do})
        started = time.monotonic()
        assert media(bot, file).data == DATA
        assert time.monotonic() - started >= least


def test_faults_of_the_token_endpoint(server, bot):
    server.faults.add({'match': {'kind': 'token'}, 'do': {'status': 503, 'html': True}})
    assert bot.call('POST', '/token', data=b'').status == 503


def test_rules_end(server, bot, drive_id):
    number = bot.call('POST', '/control/faults', data=[{'times': 0, 'do': {'status': 500}}]).json['numbers'][0]
    assert bot.get(f'/files/{drive_id}').status == 500
    assert bot.call('GET', '/control/faults').json['rules'][0]['hits'] == 1
    bot.call('DELETE', f'/control/faults/{number}')
    assert bot.get(f'/files/{drive_id}').status == 200
