"""What the service as a whole limits: units, writes, bytes a day, items, depth, storage."""

import pytest

from gdrive.bare import ANN, BOT
from gdrive.content import Pattern


def test_units_per_minute(server, bot, drive_id):
    server.set(units_per_minute_user=100, retry_after=7)
    answers = [bot.get(f'/files/{drive_id}') for _ in range(21)]
    assert [answer.status for answer in answers] == [200] * 20 + [403]
    assert answers[-1].reason == 'userRateLimitExceeded' and answers[-1].headers['Retry-After'] == '7'
    assert answers[-1].json['error']['errors'][0]['domain'] == 'usageLimits'
    server.world.skew += 60
    assert bot.get(f'/files/{drive_id}').status == 200


def test_units_of_the_project_are_for_all(server, bot, ann, drive_id):
    server.set(units_per_minute_project=10, throttle_status=429, throttle_reason='rateLimitExceeded')
    assert [bot.get(f'/files/{drive_id}').status, ann.get(f'/files/{drive_id}').status] == [200, 200]
    assert ann.get(f'/files/{drive_id}').status == 429


def test_what_things_cost(server, bot, drive_id):
    def cost(path, **query):
        before = server.service.meter.report()['units'].get(BOT, 0)
        bot.get(path, **query)
        return server.service.meter.report()['units'][BOT] - before

    file = bot.create('a', b'x', drive_id).json['id']
    assert cost(f'/files/{file}') == 5 and cost(f'/files/{file}', alt='media') == 200 and cost('/files') == 100
    assert cost('/files/generateIds') == 5


def test_writes_per_second(server, bot, drive_id):
    server.set(writes_per_second=0.001, writes_burst=3)
    answers = [bot.create(f'a{i}', parent=drive_id) for i in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 403]
    assert answers[-1].reason == 'userRateLimitExceeded'
    assert bot.get(f'/files/{drive_id}').status == 200
    server.world.skew += 1000
    assert bot.create('b', parent=drive_id).status == 200


@pytest.mark.parametrize('message', ['User rate limit exceeded.', 'User Rate Limit Exceeded'])
def test_bytes_a_day(server, bot, ann, drive_id, message):
    server.set(bytes_per_day=1000, bytes_per_day_message=message)
    assert bot.create('a', b'x' * 999, drive_id).status == 200
    assert bot.create('b', b'x' * 999, drive_id).status == 200, 'what crosses the line completes'
    last = bot.create('c', b'x', drive_id)
    assert last.reason == 'userRateLimitExceeded' and last.json['error']['message'] == message
    file = server.seed.find('Show/a').id
    assert bot.call('POST', f'/files/{file}/copy?supportsAllDrives=true', data={}).status == 403
    assert bot.create('folder', parent=drive_id).status == 200
    assert ann.create('d', b'x', drive_id).status == 200, 'the line is per identity'
    server.world.skew += 86_400
    bot.renew()
    assert bot.create('c', b'x', drive_id).status == 200


def test_items_and_depth(server, bot, ann, drive_id):
    folder = bot.create('one', parent=drive_id).json['id']
    server.set(folder_items=1)
    bot.create('a', b'x', folder)
    assert bot.create('b', b'x', folder).reason == 'numChildrenInNonRootLimitExceeded'
    assert ann.create('a', b'x').status == ann.create('b', b'x').status == 200, "not My Drive's root"
    server.set(folder_items=100, drive_items=2)
    assert bot.create('b', b'x', folder).reason == 'teamDriveFileLimitExceeded'
    server.set(drive_items=100, depth=2)
    deep = bot.create('two', parent=folder)
    assert deep.status == 200
    assert bot.create('three', parent=deep.json['id']).reason == 'teamDriveHierarchyTooDeep'
    mine = ann.create('two', parent=ann.create('one').json['id']).json['id']
    assert ann.create('three', parent=mine).reason == 'myDriveHierarchyDepthLimitExceeded'
    assert bot.patch(folder, {}, addParents=deep.json['id'], removeParents=drive_id).status == 400


def test_trash_counts_as_items(server, bot, drive_id):
    server.set(drive_items=1)
    bot.patch(bot.create('a', b'x', drive_id).json['id'], {'trashed': True})
    assert bot.create('b', b'x', drive_id).reason == 'teamDriveFileLimitExceeded'


def test_storage(server, ann):
    server.world.users[ANN].limit = 100
    file = ann.create('a', b'x' * 60).json['id']
    assert ann.create('b', b'x' * 60).reason == 'storageQuotaExceeded'
    answer = ann.call('POST', '/upload/drive/v3/files?uploadType=resumable', data={'name': 'b'},
                      X_Upload_Content_Length='60')
    assert answer.reason == 'storageQuotaExceeded'
    ann.call('DELETE', f'/files/{file}')
    assert ann.create('b', b'x' * 60).status == 200


def test_a_terabyte_by_ranges(server, bot):
    size = 3 << 40
    file = server.seed.file('Show/large', size=size, seed=4)
    shown = bot.get(f'/files/{file.id}', fields='size,md5Checksum').json
    assert shown['size'] == str(size) and len(shown['md5Checksum']) == 32
    for start in (0, 1 << 40, size - 1000):
        answer = bot.call('GET', f'/files/{file.id}?alt=media', Range=f'bytes={start}-{start + 999}')
        assert answer.status == 206 and answer.data == Pattern(size, 4).read(start, start + 1000)


def test_digests_may_be_given(server, bot):
    digests = {'md5': 'a' * 32, 'sha1': 'b' * 40, 'sha256': 'c' * 64}
    file = server.seed.file('Show/large', size=1 << 40, digests=digests)
    shown = bot.get(f'/files/{file.id}', fields='md5Checksum,sha1Checksum,sha256Checksum').json
    assert list(shown.values()) == list(digests.values())
