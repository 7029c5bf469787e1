"""The token endpoint: which assertions it takes, and how it refuses the others."""

import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode

import pytest

from gdrive import keys
from gdrive.bare import ANN, BOT, assertion

JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
NOW = int(time.time())
REFUSED = {
    'of an unknown account': ({'iss': 'nobody@x.test'}, {}, 400, 'invalid_grant'),
    'for somebody else': ({'aud': 'https://example.test/token'}, {}, 400, 'invalid_grant'),
    'that ended': ({'iat': NOW - 7200, 'exp': NOW - 3600}, {}, 400, 'invalid_grant'),
    'of the future': ({'iat': NOW + 900, 'exp': NOW + 1800}, {}, 400, 'invalid_grant'),
    'for longer than an hour': ({'iat': NOW - 10, 'exp': NOW + 3700}, {}, 400, 'invalid_grant'),
    'without times': ({'iat': None}, {}, 400, 'invalid_grant'),
    'for no scope': ({'scope': ''}, {}, 400, 'invalid_scope'),
    'for an unknown scope': ({'scope': 'https://www.googleapis.com/auth/nonsense'}, {}, 400, 'invalid_scope'),
    'for nobody': ({'sub': 'nobody@studio.test'}, {}, 400, 'invalid_grant'),
    'by another method': ({}, {'alg': 'HS256'}, 400, 'invalid_grant'),
    'by an unknown key': ({}, {'kid': 'nonsense'}, 400, 'invalid_grant'),
}


def ask(client, text):
    return client.call('POST', '/token', data=urlencode({'grant_type': JWT_BEARER, 'assertion': text}).encode(),
                       Content_Type='application/x-www-form-urlencoded', Authorization=None)


@pytest.mark.parametrize('claims, who', [({}, BOT), ({'sub': ANN}, ANN), ({'aud': 'https://oauth2.googleapis.com/token'},
                                                                          BOT)])
def test_a_right_assertion(studio, bot, claims, who):
    answer = ask(bot, assertion(studio.key, claims))
    assert answer.status == 200 and answer.json['token_type'] == 'Bearer' and answer.json['expires_in'] == 3599
    bot.token = answer.json['access_token']
    assert bot.get('/about', fields='user').json['user']['emailAddress'] == who


@pytest.mark.parametrize('what', REFUSED)
def test_an_assertion(studio, bot, what):
    claims, head, status, error = REFUSED[what]
    answer = ask(bot, assertion(studio.key, claims, head))
    assert (answer.status, answer.json['error']) == (status, error)


def test_a_wrong_signature(studio, bot):
    text = assertion(studio.key)
    assert ask(bot, text[:-4] + 'AAAA').json['error_description'] == 'Invalid JWT Signature.'
    other = {**studio.key, 'private_key': keys.private_pem(1)}
    assert ask(bot, assertion(other)).json['error'] == 'invalid_grant'
    assert ask(bot, 'nonsense').json['error'] == 'invalid_grant'


def test_delegation_is_granted_or_not(server, bot):
    server.set()
    key = server.add_account('other@x.iam.gserviceaccount.com')
    answer = ask(bot, assertion(key, {'sub': ANN}))
    assert (answer.status, answer.json['error']) == (401, 'unauthorized_client')


def test_a_disabled_key(studio, server, bot):
    bot.call('POST', '/control/revoke', data={'account': BOT})
    assert ask(bot, assertion(studio.key)).json['error'] == 'invalid_grant'
    assert bot.get('/files').status == 401


def test_refresh_token(server, bot):
    grant = server.service.tokens.add_refresh(ANN)

    def renew(**more):
        form = {'grant_type': 'refresh_token', **grant, **more}
        return bot.call('POST', '/token', data=urlencode(form).encode(), Authorization=None)

    assert renew().status == 200
    assert renew(client_secret='x').json['error'] == 'invalid_client'
    bot.call('POST', '/control/revoke', data={'refresh': grant['refresh_token']})
    assert renew().json['error'] == 'invalid_grant'


def test_bearer_tokens(server, bot):
    assert bot.call('GET', '/files', Authorization='Bearer nonsense').reason == 'authError'
    assert bot.call('GET', '/files', Authorization='').status == 403
    bot.call('POST', '/control/clock', data={'advance': 3600})
    answer = bot.get('/files')
    assert answer.status == 401 and 'WWW-Authenticate' in answer.headers


def test_skew_of_the_clock(studio, server, bot):
    server.world.skew = -600
    told = parsedate_to_datetime(bot.get('/about').headers['Date']).timestamp()
    assert abs(told - (time.time() - 600)) < 60
    assert 'reasonable timeframe' in ask(bot, assertion(studio.key)).json['error_description']
    assert ask(bot, assertion(studio.key, {'iat': NOW - 700, 'exp': NOW + 2000})).status == 200


def test_scopes(server, bot, drive_id):
    readonly = 'https://www.googleapis.com/auth/drive.readonly'
    bot.token = server.service.tokens.issue(BOT, 'stand-in', {readonly}, 100)
    assert bot.get(f'/files/{drive_id}').status == 200
    assert bot.create('a', parent=drive_id).reason == 'insufficientPermissions'
