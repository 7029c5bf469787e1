"""The changes feeds: one place per file, per drive, removals and what is not shared any more."""

import pytest

from gdrive.bare import ANN, BOT

ALL = {'includeItemsFromAllDrives': 'true', 'fields': '*'}


def start(client, **more):
    return client.get('/changes/startPageToken', **more).json['startPageToken']


def changes(client, token, **more):
    answer = client.get('/changes', pageToken=token, **{**ALL, **more})
    assert answer.status == 200, answer
    return answer.json


def short(page):
    return [(each['fileId'], each['removed']) for each in page['changes']]


def test_edits_collapse_and_come_in_order(bot, drive_id):
    token = start(bot, driveId=drive_id)
    one, two = (bot.create(name, b'x', drive_id).json['id'] for name in ('one', 'two'))
    bot.patch(one, {'name': 'three'})
    page = changes(bot, token, driveId=drive_id)
    assert [(each['fileId'], each['file']['name']) for each in page['changes']] == [(two, 'two'), (one, 'three')]
    assert 'nextPageToken' not in page
    assert changes(bot, page['newStartPageToken'], driveId=drive_id)['changes'] == []


def test_removed_and_trashed(bot, ann, drive_id):
    one, two = (bot.create(name, b'x', drive_id).json['id'] for name in ('one', 'two'))
    token = start(bot)
    bot.patch(one, {'trashed': True})
    ann.call('DELETE', f'/files/{two}?supportsAllDrives=true')
    page = changes(bot, token)
    assert short(page) == [(one, False), (two, True)]
    assert page['changes'][0]['file']['trashed'] and 'file' not in page['changes'][1]
    assert page['changes'][0]['file']['trashingUser']['emailAddress'] == BOT
    assert short(changes(bot, token, includeRemoved='false')) == [(one, False)]


def test_a_feed_shows_what_its_user_sees(server, bot, ann, drive_id):
    tokens = start(bot), start(ann)
    own = ann.create('own', b'x').json['id']
    shared = bot.create('shared', b'x', drive_id).json['id']
    assert short(changes(bot, tokens[0])) == [(shared, False)]
    assert short(changes(ann, tokens[1])) == [(own, False), (shared, False)]
    assert short(changes(ann, tokens[1], includeItemsFromAllDrives='false')) == [(own, False)]
    assert short(changes(ann, tokens[1], driveId=drive_id)) == [(shared, False)]


def test_pages(server, bot, drive_id):
    token = start(bot)
    ids = [bot.create(f'a{i}', b'x', drive_id).json['id'] for i in range(5)]
    seen, page = [], {'nextPageToken': token}
    while 'nextPageToken' in page:
        page = changes(bot, page['nextPageToken'], pageSize='2')
        seen += short(page)
    assert seen == [(each, False) for each in ids] and 'newStartPageToken' in page


def test_unsharing(server, ann, bot):
    file = ann.create('a', b'x').json['id']
    server.seed.share(f'{ANN}:a', BOT, 'reader')
    token = start(bot)
    bot.call('POST', '/control/edit', data={'path': f'{ANN}:a', 'do': 'unshare', 'email': BOT})
    assert short(changes(bot, token)) == [(file, True)]


def test_moving_between_drives(server, ann, drive_id):
    file = ann.create('a', b'x', drive_id).json['id']
    token = start(ann)
    ann.patch(file, {}, addParents='root', removeParents=drive_id)
    assert short(changes(ann, token, driveId=drive_id)) == [(file, True)]
    assert short(changes(ann, token)) == [(file, False)]


@pytest.mark.parametrize('token', ['nonsense', '', '99999999', '-1'])
def test_bad_tokens(bot, token):
    assert bot.get('/changes', pageToken=token).status == 400


def test_somebody_else(server, bot, ann, drive_id):
    file = bot.create('a', b'x', drive_id).json['id']
    token = start(bot)
    bot.call('POST', '/control/edit', data={'path': 'Show/a', 'do': 'replace', 'text': 'other', 'by': ANN})
    page = changes(bot, token)
    assert short(page) == [(file, False)]
    assert page['changes'][0]['file']['lastModifyingUser']['emailAddress'] == ANN
