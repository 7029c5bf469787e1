"""
One row per fault that Drive, or the way to it, can show: after each there is exactly one right object and the record
says so, or the file is reported with the true reason.
"""

import harness
import pytest
from drive import drive  # noqa: F401
from harness import errno_of, read_file, wait_until

SMALL, LARGE = 300_000, 12 << 20
CREATE = 'files.create.multipart'
OPEN, CHUNK = 'files.create.resumable', 'session.chunk'
SENDING = [CREATE, OPEN, CHUNK]


def rule(kind, times=1, skip=0, **do):
    return {'match': {'kind': kind}, 'times': times, 'skip': skip, 'do': do}


UPLOAD = {
    'stored, but answered 503': [rule(CREATE, status=503, when='after'), rule(CHUNK, skip=1, status=503, when='after')],
    'stored, but the answer is lost': [rule(CREATE, reset='after'), rule(CHUNK, skip=1, reset='after')],
    'reset before': [rule(CREATE, reset='before'), rule(OPEN, reset='before'), rule(CHUNK, reset='before')],
    'reset in the middle': [rule(CREATE, reset='during', reset_after=100_000),
                            rule(CHUNK, reset='during', reset_after=5_000_000)],
    'reset of the answer': [rule(CREATE, reset='answer', reset_after=20), rule(OPEN, reset='after'),
                            rule(CHUNK, skip=1, reset='answer', reset_after=20)],
    'a chunk is kept in part': [rule(CHUNK, keep=1_000_000)],
    'nothing of a chunk is kept': [rule(CHUNK, keep=0)],
    'the session is lost': [rule(CHUNK, lose_session=True), rule(CHUNK, skip=1, lose_session=410)],
    'the token ends': [rule(SENDING, times=2, expire_token=True)],
    'userRateLimitExceeded': [rule(SENDING, times=2, reason='userRateLimitExceeded', retry_after=0)],
    'rateLimitExceeded': [rule(SENDING, times=1, reason='rateLimitExceeded', retry_after=0)],
    '429': [rule(SENDING, times=2, status=429, retry_after=1)],
    '500': [rule(SENDING, times=3, status=500)],
    'HTML 502': [rule(SENDING, times=3, status=502, html=True)],
    '503 that says when': [rule(SENDING, times=1, status=503, retry_after=1)],
    '503 everywhere': [rule('*', times=6, status=503)],
    'an answer that is cut': [rule(CREATE, cut=10), rule(CHUNK, skip=1, cut=10)],
    'an answer that is garbled': [rule(CREATE, flip=0), rule(CHUNK, skip=1, flip=0)],
    'an answer of the wrong length': [rule(CREATE, content_length=5)],
    'no Location': [rule(OPEN, strip=['Location'])],
    'the login fails for a moment': [rule('token', status=503), rule('token', reset='before')],
    'no ids': [rule('files.generateIds', status=500)],
    'a folder stored, but 503': [rule('files.create', status=503, when='after')],
    'short pages': [rule('files.list', times=0, short_page=1)],
    'incompleteSearch': [rule('files.list', times=3, incomplete=True)],
    'stands still': [rule(CREATE, stall=0.5), rule(CHUNK, stall=0.5, stall_request=1_000_000)],
}


def send(drive, studio, rules):
    small, large = studio.write('a/b/small', size=SMALL), studio.write('a/b/large', size=LARGE)
    studio.publish('a/b/small', 'a/b/large', name='any')
    for each in rules:
        drive.server.faults.add(each)
    daemon = studio.sync()
    wait_until(lambda: drive.is_recorded('a/b/small') and drive.is_recorded('a/b/large'), 'both are at Drive')
    daemon.end()
    return small, large


def assert_right(drive, small, large):
    """One object each, of these bytes, and no try counted."""
    assert drive.files() == {'a/b/small': len(small), 'a/b/large': len(large)}
    for rel, data in (('a/b/small', small), ('a/b/large', large)):
        entry = drive.server.seed.find(f'Show/work/{rel}')
        assert entry.content.read(0, len(data)) == data
        record = drive.world.entry(rel, 'gdrive')
        assert record['id'] == entry.id and not record.get('tries') and not record.get('error')
    folders = [path for path, entries in drive.server.seed.listing('Show/work').items() if entries[0]['folder']]
    assert sorted(folders) == ['a', 'a/b']


@pytest.mark.parametrize('name', UPLOAD)
def test_upload(drive, studio, name):  # noqa: F811
    assert_right(drive, *send(drive, studio, UPLOAD[name]))


@pytest.mark.parametrize('lag', ['name_lag', 'list_lag'])
def test_upload_while_the_index_lags(drive, studio, lag):  # noqa: F811
    drive.server.set(**{lag: 3600})
    small, large = send(drive, studio, [rule(CREATE, status=503, when='after'),
                                        rule(CHUNK, skip=1, reset='after')])
    # and once more, as by another run that knows nothing
    studio.sync_once()
    assert_right(drive, small, large)


def test_upload_that_arrives_damaged(drive, studio):  # noqa: F811
    """Taken away again and reported; the next try brings it."""
    data = studio.write('a/b', size=SMALL)
    studio.publish('a/b', name='any')
    drive.server.faults.add(rule(CREATE, corrupt=100_000))
    result = studio.run('sync', '--once')
    if result.code:
        assert result.code == 4
        assert 'damaged' in studio.explain('a/b') and drive.files() == {}
        studio.sync_once()
    assert drive.server.seed.find('Show/work/a/b').content.read(0, SMALL) == data
    assert drive.files() == {'a/b': SMALL} and drive.is_recorded('a/b')


def test_upload_goes_on_after_a_kill(drive, studio):  # noqa: F811
    size = 40 << 20
    harness.write_large(studio.root / 'a/large', size)
    studio.publish('a/large', name='any')
    held = drive.server.faults.add(rule(CHUNK, stall=True, stall_request=30 << 20))
    daemon = studio.sync()
    wait_until(lambda: held.hits, 'the upload is under way')
    wait_until(lambda: any(each.kept > 20 << 20 for each in drive.server.service.uploads.sessions.values()),
               'more than half has come')
    daemon.kill()
    drive.server.front.release()
    n = len(drive.requests(OPEN))
    studio.sync_once()
    assert drive.files() == {'a/large': size} and len(drive.requests(OPEN)) == n
    assert drive.requests(CHUNK)[-1]['status'] == 200
    sent = sum(event['bytes_in'] for event in drive.requests(CHUNK))
    assert sent < size + (16 << 20), f'{sent} bytes were sent'


DOWNLOAD = {
    'cut': [rule('files.media', times=2, cut=100_000)],
    'reset': [rule('files.media', times=2, reset='answer', reset_after=100_000), rule('files.get', reset='before')],
    '503': [rule('files.media', times=2, status=503)],
    'HTML 502': [rule('files.media', times=2, status=502, html=True)],
    'userRateLimitExceeded': [rule('files.media', times=2, reason='userRateLimitExceeded', retry_after=0)],
    '429': [rule('files.media', status=429, retry_after=1)],
    'the token ends': [rule('files.media', expire_token=True)],
    'wrong length': [rule('files.media', content_length=7), rule('files.media', content_length=-7)],
    'stands still': [rule('files.media', stall=0.5, stall_after=50_000)],
    'no Content-Range': [rule('files.media', strip=['Content-Range'])],
    'index lag': [rule('files.list', status=500)],
}


@pytest.mark.parametrize('name', DOWNLOAD)
def test_download(world, drive, name):  # noqa: F811
    data = world.publish('a/b', size=2 << 20, name='any')
    home = world.site('local_0')
    home.mount()
    for each in DOWNLOAD[name]:
        drive.server.faults.add(each)
    assert home.read('a/b') == data
    home.wait_state('a/b', 'local')
    assert read_file(home.root / 'a/b') == data


def test_download_that_arrives_damaged(world, drive):  # noqa: F811
    """What is small is verified before the first reply: an error, and then right."""
    data = world.publish('a/b', size=SMALL, name='any')
    home = world.site('local_0')
    home.mount()
    drive.server.faults.add(rule('files.media', flip=1000))
    assert errno_of(home.read, 'a/b') in (None, 'EIO')
    assert home.read('a/b') == data


@pytest.mark.parametrize('flag, words', [('abusive', 'malware'), ('no-download', 'may not be downloaded')])
def test_file_that_drive_does_not_give(world, drive, flag, words):  # noqa: F811
    world.publish('a/b', size=2 << 20, name='any')
    drive.server.seed.find('Show/work/a/b').flags.add(flag)
    drive.set_role('reader')
    home = world.site('local_0')
    home.mount()
    assert errno_of(home.read, 'a/b') == 'EIO'
    wait_until(lambda: words in home.explain('a/b'), 'it says why')


def change(drive, how):
    entry = drive.server.seed.find('Show/work/a/b')
    with drive.server.world.lock:
        if how == 'trashed':
            entry.trashed_at = drive.server.world.now()
        elif how == 'deleted':
            drive.server.world.remove(entry)
        else:
            drive.server.seed.file('Show/work/a/b', b'other', is_new=False)


@pytest.mark.parametrize('how', ['trashed', 'deleted', 'edited'])
def test_file_that_somebody_changed_there(world, drive, how):  # noqa: F811
    world.publish('a/b', size=2 << 20, name='any')
    home = world.site('local_0')
    home.mount()
    change(drive, how)
    assert errno_of(home.read, 'a/b') == 'EIO'
    home.wait_state('a/b', 'failed')
    assert home.on_disk('a/b') is None


def test_trouble_of_the_moment_at_the_start_is_no_fault_of_the_site(world, drive):  # noqa: F811
    """The first question is asked again; nobody reads "stands still" for one answer 500."""
    data = world.publish('a/b', size=100_000, name='any')
    drive.server.faults.add(rule('files.list', times=2, status=500))
    home = world.site('local_0')
    home.mount()
    wait_until(lambda: home.status()['remote']['reachable'], 'the remote answers')
    assert home.read('a/b') == data
    assert 'stands still' not in home.daemons[-1].read_log()


# What Drive refuses, by its reasons: the whole site stops and no try is counted, or it is about that one file

STORE_REFUSALS = {
    'storageQuotaExceeded': 8, 'teamDriveFileLimitExceeded': 8, 'activeItemCreationLimitExceeded': 8,
    'dailyLimitExceeded': 8, 'quotaExceeded': 8,
    'domainPolicy': 7, 'teamDriveMembershipRequired': 7, 'insufficientFilePermissions': 7, 'appNotAuthorizedToFile': 7,
    'numChildrenInNonRootLimitExceeded': 4, 'teamDriveHierarchyTooDeep': 4, 'myDriveHierarchyDepthLimitExceeded': 4,
}


@pytest.mark.parametrize('reason', STORE_REFUSALS)
def test_store_that_is_refused(drive, studio, reason):  # noqa: F811
    studio.write('a/b', size=SMALL)
    studio.publish('a/b', name='any')
    drive.server.faults.add(rule(CREATE, times=0, status=403, reason=reason))
    result = studio.run('sync', '--once')
    assert result.code == STORE_REFUSALS[reason], result
    assert drive.files() == {} and not drive.is_recorded('a/b')
    tries = (drive.world.entry('a/b', 'gdrive') or {}).get('tries')
    assert bool(tries) == (STORE_REFUSALS[reason] == 4)
    assert reason in result.err


@pytest.mark.parametrize('reason', ['sharingRateLimitExceeded', 'backendError', 'internalError'])
def test_store_that_is_refused_for_a_moment(drive, studio, reason):  # noqa: F811
    assert_right(drive, *send(drive, studio, [rule(SENDING, times=2, reason=reason, retry_after=0)]))


def test_writes_a_second(drive, studio):  # noqa: F811
    """More of them than Drive takes: they come later, and none is a try."""
    drive.server.set(writes_per_second=4, writes_burst=2, retry_after=1)
    rels = [f'a/{number}' for number in range(8)]
    for rel in rels:
        studio.write(rel)
    studio.publish(*rels, name='any')
    studio.sync_once()
    assert drive.files() == dict.fromkeys(rels, 1000) and drive.server.service.meter.refused['writes']
    assert not any(drive.world.entry(rel, 'gdrive').get('tries') for rel in rels)


@pytest.mark.parametrize('whose', ['user', 'project'])
def test_units_a_minute(drive, studio, whose):  # noqa: F811
    """Others have used them up: it goes on when the minute is over, and none is a try."""
    rels = [f'a/{number}' for number in range(8)]
    for rel in rels:
        studio.write(rel)
    studio.publish(*rels, name='any')
    drive.server.set(**{f'units_per_minute_{whose}': 700}, retry_after=1)
    daemon = studio.sync()
    wait_until(lambda: drive.server.service.meter.refused['units'], 'it is refused')
    drive.server.set(**{f'units_per_minute_{whose}': None})
    wait_until(lambda: all(map(drive.is_recorded, rels)), 'it goes on')
    daemon.end()
    assert drive.files() == dict.fromkeys(rels, 1000)
    assert not any(drive.world.entry(rel, 'gdrive').get('tries') for rel in rels)


@pytest.mark.parametrize('message', ['User rate limit exceeded.', 'User Rate Limit Exceeded'])
def test_the_line_of_a_day_that_others_have_reached(drive, studio, message):  # noqa: F811
    """Another program has sent as the same account: we wait, say so, and go on when Drive takes more."""
    drive.server.set(bytes_per_day=SMALL, bytes_per_day_message=message, retry_after=1)
    drive.world.publish('a/first', size=SMALL, name='first')
    studio.write('a/second')
    studio.publish('a/second', name='second')
    daemon = studio.sync()
    wait_until(lambda: drive.server.service.meter.refused['day'], 'it is refused')
    drive.server.set(bytes_per_day=None)
    wait_until(lambda: drive.is_recorded('a/second'), 'it goes on')
    daemon.end()
    assert drive.files() == {'a/first': SMALL, 'a/second': 1000}
    assert not drive.world.entry('a/second', 'gdrive').get('tries')


@pytest.mark.parametrize('seconds', [-7200, 7200])
def test_a_clock_that_is_wrong(drive, studio, seconds):  # noqa: F811
    """Ours beside the one of Google: a login is made by theirs."""
    drive.server.world.skew += seconds
    assert_right(drive, *send(drive, studio, []))


def test_tokens_that_live_for_seconds(drive, studio):  # noqa: F811
    drive.server.set(token_life=1)
    assert_right(drive, *send(drive, studio, [rule(CHUNK, delay=1.5)]))


@pytest.mark.parametrize('limit', [{'drive_items': 3}, {'folder_items': 1}])
def test_a_drive_or_folder_that_is_full(drive, studio, limit):  # noqa: F811
    """What fits is there; of the rest the reason is told."""
    rels = ['a/1', 'a/2']
    for rel in rels:
        studio.write(rel)
    studio.publish(*rels, name='any')
    drive.server.set(**limit)
    result = studio.run('sync', '--once')
    assert result.code in (4, 8) and len(drive.files()) <= 1, result
    assert 'imit' in result.err


def test_a_download_quota_that_is_used_up(world, drive):  # noqa: F811
    """The file's own: no try, no spinning; the read fails at its deadline, and says why."""
    world.configure(settings={'read': {'deadline': '1s'}})
    world.publish('a/b', size=2 << 20, name='any')
    drive.server.seed.find('Show/work/a/b').flags.add('download-quota')
    home = world.site('local_0')
    home.mount()
    assert errno_of(home.read, 'a/b') in ('ETIMEDOUT', 'EIO')
    assert len(drive.requests('files.media')) <= 3
    assert not (world.entry('a/b', 'local_0') or {}).get('tries')
