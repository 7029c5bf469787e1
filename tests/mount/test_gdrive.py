"""Google Drive as the remote, played by the stand-in server (tests/gdrive): the main job, and what goes wrong."""

import collections
import contextlib
import json
import os
import pathlib
import sqlite3

import harness
import pytest
from drive import ANN, BOT, drive  # noqa: F401
from harness import read_file, tree, wait_until

SEQUENCE = [f'shots/sh010/publish/render/v001/beauty.{frame}.exr' for frame in range(1001, 1009)]


def test_a_published_sequence_goes_by_drive(world, drive, studio):
    frames = world.publish(*SEQUENCE, size=300_000)
    assert drive.files() == dict.fromkeys(SEQUENCE, 300_000)
    entry = drive.server.seed.listing('Show/work')[SEQUENCE[0]][0]
    assert world.entry(SEQUENCE[0], 'gdrive')['id'] == entry['id']
    home = world.site('local_0')
    home.mount()
    assert os.listdir(home.mnt / os.path.dirname(SEQUENCE[0])) == sorted(map(os.path.basename, SEQUENCE))
    for rel, frame in zip(SEQUENCE, frames):
        there, here = os.stat(studio.root / rel), os.stat(home.mnt / rel)
        assert (there.st_size, there.st_mtime_ns // 10 ** 6) == (here.st_size, here.st_mtime_ns // 10 ** 6)
        assert home.read(rel) == frame
        home.wait_state(rel, 'local')
        assert home.on_disk(rel) == frame


def test_a_large_file_goes_up_and_comes_in_ranges(world, drive, studio):
    rel, size = 'sim/cache.vdb', 40 << 20
    harness.write_large(studio.root / rel, size)
    studio.publish(rel, name='vdb')
    studio.sync_once()
    assert drive.files() == {rel: size}
    assert len(drive.requests('session.chunk')) == 2
    home = world.site('local_0')
    home.mount()
    with open(home.mnt / rel, 'rb') as file:
        file.seek(30 << 20)
        assert file.read(1 << 20) == harness.large_block(0, 30)
    with open(home.mnt / rel, 'rb') as file:
        for index in range(size >> 20):
            assert file.read(1 << 20) == harness.large_block(0, index)
    wait_until(lambda: home.on_disk(rel) == read_file(studio.root / rel), 'it is here whole')


def test_a_root_in_my_drive_that_is_shared(world, drive, studio):
    drive.server.seed.folder(f'{ANN}:Projects')
    drive.configure('/My Drive/Projects', subject=ANN)
    world.publish('a/b.exr')
    assert drive.files(f'{ANN}:Projects') == {'a/b.exr': 1000}


def test_an_account_without_storage_says_so_at_once(world, drive, studio):
    drive.server.seed.folder(f'{ANN}:Projects')
    drive.server.seed.share(f'{ANN}:Projects', BOT, 'writer')
    drive.configure('/My Drive/Projects')
    studio.write('a/b.exr')
    studio.publish('a/b.exr')
    result = studio.run('sync', '--once')
    assert result.code == 8 and 'shared drive' in result.err, result
    assert not drive.requests('files.create')
    assert not (world.entry('a/b.exr', 'gdrive') or {}).get('tries')


def test_names_that_people_use(world, drive, studio):
    names = ['with space.exr', ' lead', 'trail ', 'ünïcödé-日本語.exr', "quo'te\".exr", '-dash', '.hidden', 'Makefile',
             'x' * 200, '%s?&=#+.exr', 'v1.2.3/file.tar.gz']
    rels = [f'odd/{name}' for name in names]
    contents = {rel: studio.write(rel) for rel in rels}
    studio.publish(*rels, name='odd')
    studio.sync_once()
    assert drive.files() == {rel: 1000 for rel in rels}
    home = world.site('local_0')
    home.mount()
    assert {rel: home.read(rel) for rel in rels} == contents


def test_what_is_there_already_is_recorded_not_sent(world, drive, studio):
    data = studio.write('a/b.exr', size=200_000)
    drive.server.seed.file('Show/work/a/b.exr', data)
    studio.publish('a/b.exr')
    studio.sync_once()
    assert drive.is_recorded('a/b.exr') and drive.files() == {'a/b.exr': 200_000}
    assert not drive.requests('files.create')


def test_what_drive_has_under_another_name_is_copied_there(world, drive, studio):
    """A hero version: one request, no byte of it; the truth says the same of both."""
    data = world.publish('a/v001.exr', size=3 << 20)
    studio.write('a/hero.exr', data)
    other = studio.write('a/other.exr', size=3 << 20)
    studio.publish('a/hero.exr', 'a/other.exr', name='hero')
    since = drive.server.journal.since(0)[-1]['n']
    studio.sync_once()
    assert drive.files() == dict.fromkeys(['a/v001.exr', 'a/hero.exr', 'a/other.exr'], 3 << 20)
    assert drive.server.seed.find('Show/work/a/hero.exr').content.read(0, 3 << 20) == data
    assert drive.server.seed.find('Show/work/a/other.exr').content.read(0, 3 << 20) == other
    assert [event['name'] for event in drive.requests('files.copy', since)] == ['v001.exr']
    assert [event['name'] for event in drive.requests('files.create.multipart', since)] == ['other.exr']
    assert drive.is_recorded('a/hero.exr') and drive.is_recorded('a/other.exr')
    truths = world.hand.truths()
    first, hero = (next(truth for key, truth in truths.items() if key.endswith(name)) for name in ('v001.exr', 'hero.exr'))
    assert first['sha256'] == hero['sha256']


def test_the_same_bytes_published_together_are_sent_once(world, drive, studio):
    """A version and its hero: whichever comes second waits for the first, and is copied there."""
    data = studio.write('a/v001.exr', size=3 << 20)
    studio.write('a/hero.exr', data)
    other = studio.write('a/other.exr', bytes(reversed(data)))
    studio.publish('a/v001.exr', name='v001')
    studio.publish('a/hero.exr', name='hero')
    studio.publish('a/other.exr', name='other')
    drive.server.faults.add({'match': {'kind': 'files.create.multipart'}, 'times': 0, 'do': {'delay': 0.3}})
    studio.sync_once()
    assert drive.files() == dict.fromkeys(['a/v001.exr', 'a/hero.exr', 'a/other.exr'], 3 << 20)
    for rel, content in (('a/v001.exr', data), ('a/hero.exr', data), ('a/other.exr', other)):
        assert drive.server.seed.find(f'Show/work/{rel}').content.read(0, 3 << 20) == content
        assert drive.is_recorded(rel) and not world.entry(rel, 'gdrive').get('tries')
    assert len(drive.requests('files.create.multipart')) == 2 and len(drive.requests('files.copy')) == 1


@pytest.mark.parametrize('fault', [{'status': 503, 'when': 'after'}, {'reset': 'after'},
                                   {'reason': 'cannotCopyFile', 'status': 403}, {'reason': 'userRateLimitExceeded', 'retry_after': 0}])
def test_a_copy_that_fails(world, drive, studio, fault):
    """One right object, whatever happened: by the copy that was made, by another one, or sent."""
    data = world.publish('a/v001.exr', size=2 << 20)
    studio.write('a/hero.exr', data)
    studio.publish('a/hero.exr', name='hero')
    rule = drive.server.faults.add({'match': {'kind': 'files.copy'}, 'do': fault})
    studio.sync_once()
    assert rule.hits == 1 and drive.files() == dict.fromkeys(['a/v001.exr', 'a/hero.exr'], 2 << 20)
    assert drive.server.seed.find('Show/work/a/hero.exr').content.read(0, 2 << 20) == data
    record = world.entry('a/hero.exr', 'gdrive')
    assert 'created_dt' in record and not record.get('tries')


def test_a_twin_that_somebody_edited_is_not_copied(world, drive, studio):
    data = world.publish('a/v001.exr', size=2 << 20)
    drive.server.seed.file('Show/work/a/v001.exr', b'x' * (2 << 20), is_new=False)
    studio.write('a/hero.exr', data)
    studio.publish('a/hero.exr', name='hero')
    studio.run('sync', '--once')  # it tells of the edit as well
    assert drive.server.seed.find('Show/work/a/hero.exr').content.read(0, 2 << 20) == data
    assert not drive.requests('files.copy')


# Faults of the whole site: nothing is harmed, no try is counted, and the exit code tells

def revoke_key(drive):
    drive.server.service.tokens.accounts[BOT].is_disabled = True
    drive.server.service.tokens.revoke_all()


def make_viewer(drive):
    drive.set_role('reader')


def rename_drive(drive):
    next(each for each in drive.server.world.drives.values() if each.name == 'Show').name = 'Other'


def trash_root(drive):
    drive.server.seed.find('Show/work').trashed_at = drive.server.world.now()


def rename_root(drive, name='old'):
    with drive.server.world.lock:
        entry = next(each for each in drive.server.world.entries.values() if each.name in ('work', 'old'))
        drive.server.world.remember(entry)
        entry.name = name
        drive.server.world.note(entry)


def move_root(drive):
    drive.server.world.move(drive.server.seed.find('Show/work'), drive.server.seed.folder('Show/shelf'))


def fill_storage(drive):
    drive.server.faults.add({'match': {'kind': ['files.create.multipart', 'files.create.resumable']}, 'times': 0,
                             'do': {'reason': 'storageQuotaExceeded'}})


@pytest.mark.parametrize('break_it, code, words', [
    (revoke_key, 7, 'is the key'),
    (make_viewer, 7, 'may only read'),
    (rename_drive, 1, 'no shared drive'),
    (trash_root, 1, 'is in the trash of Drive'),
    (rename_root, 1, 'was renamed at Drive'),
    (move_root, 1, 'lies elsewhere at Drive now'),
    (fill_storage, 8, 'storage'),
])
def test_a_fault_of_the_whole_site(world, drive, studio, break_it, code, words):
    world.publish('a/before.exr')
    studio.write('a/after.exr')
    studio.publish('a/after.exr')
    before = drive.files() if break_it is not rename_drive else None
    break_it(drive)
    result = studio.run('sync', '--once')
    assert result.code == code and words in result.err and result.err.count('\n') <= 3, result
    entry = world.entry('a/after.exr', 'gdrive') or {}
    assert 'created_dt' not in entry and not entry.get('tries') and not entry.get('error')
    if before and break_it in (revoke_key, make_viewer, fill_storage):
        assert drive.files() == before


def test_a_root_that_is_renamed_while_the_daemon_runs(world, drive, studio):
    """The site's queue stops, no try is counted, and it goes on by itself when the name is back."""
    world.publish('a/before.exr')
    since = drive.server.journal.since(0)[-1]['n']
    daemon = studio.sync()
    wait_until(lambda: drive.requests('changes.list', since), 'the feed is followed')
    rename_root(drive, 'old')
    wait_until(lambda: 'renamed' in (studio.status()['remote']['last_error'] or ''), 'it is noticed')
    probes = len(drive.requests('files.list'))
    wait_until(lambda: len(drive.requests('files.list')) > probes + 4, 'it is looked for')
    assert 'renamed' in studio.status()['remote']['last_error'], 'and the reason stays'
    studio.write('a/after.exr')
    studio.publish('a/after.exr')
    wait_until(lambda: studio.status()['queue']['upload']['files'] == 1, 'it waits')
    entry = world.entry('a/after.exr', 'gdrive') or {}
    assert 'created_dt' not in entry and not entry.get('tries') and not entry.get('error')
    assert set(drive.files('Show/old')) == {'a/before.exr'}
    rename_root(drive, 'work')
    wait_until(lambda: drive.is_recorded('a/after.exr'), 'it goes on')
    daemon.end()
    assert set(drive.files()) == {'a/before.exr', 'a/after.exr'}


def test_behind_a_proxy(world, drive, studio):
    """Google's own addresses, by the environment's proxy, which ends TLS itself as studios' do: its CA has to be named."""
    key = json.loads(pathlib.Path(drive.key).read_text(encoding='utf-8'))
    key['token_uri'] = 'https://oauth2.googleapis.com/token'
    pathlib.Path(drive.key).write_text(json.dumps(key), encoding='utf-8')
    site = {'credentials_url': drive.key, 'root': {'work': '/Show/work'}}
    (world.presets / 'gdrive.json').write_text(json.dumps({'gdrive': site}), encoding='utf-8')
    studio.write('a/b.exr')
    studio.publish('a/b.exr')
    proxy = drive.server.proxy_environment()
    untrusted = {name: proxy[name] for name in ('https_proxy', 'no_proxy')}
    result = studio.run('sync', '--once', env=untrusted)
    assert result.code and 'SSL_CERT_FILE' in result.err and not drive.files(), result
    studio.sitefs('sync', '--once', env={**untrusted, 'SSL_CERT_FILE': proxy['SSL_CERT_FILE']})
    assert drive.files() == {'a/b.exr': 1000}


def test_with_viewer_rights_the_site_is_read(world, drive, studio):
    data = world.publish('a/b.exr', size=100_000)
    drive.set_role('reader')
    home = world.site('local_0')
    home.mount()
    home.write('a/c.exr')
    home.publish('a/c.exr')
    wait_until(lambda: 'may only read' in home.daemons[0].read_log(), 'it says that it can only read')
    assert home.read('a/b.exr') == data
    home.wait_state('a/b.exr', 'local')
    assert drive.files() == {'a/b.exr': 100_000} and tree(home.mnt / 'a') == ['b.exr', 'c.exr']


# What may be sent in a day and by whom

def facts(site):
    """The journal's small facts, to be looked at and changed while nothing runs."""
    return contextlib.closing(sqlite3.connect(site.dir / 'state' / 'journal.db', isolation_level=None))


def test_what_was_sent_is_counted_over_restarts(world, drive, studio):
    """A day's line that an earlier process reached: nothing is sent, no try counted, and status says until when."""
    world.publish('a/before.exr', size=100_000)
    with facts(studio) as db:
        meter = db.execute("SELECT value FROM fact WHERE name='meter:gdrive'").fetchone()[0]
        name, hour = meter.split(':')[0], meter.split(':')[0].split(' ')[1]
        assert meter == f'{name}:100000\n' and hour.isdigit()
        db.execute("UPDATE fact SET value=? WHERE name='meter:gdrive'", (f'{name}:750000000000\n',))
    studio.write('a/after.exr')
    studio.publish('a/after.exr', name='after')
    result = studio.run('sync', '--once')
    assert result.code == 8 and '750 GB' in result.err, result
    assert drive.files() == {'a/before.exr': 100_000}
    assert not (world.entry('a/after.exr', 'gdrive') or {}).get('tries')
    studio.sync()
    quota = studio.status()['remote']['quota']
    assert quota['sent'] == 750 * 10 ** 9 == quota['limit'] and quota['opens'] > '2026'
    assert 'opens at' in studio.sitefs('status').out


def test_uploads_are_spread_over_identities(world, drive, studio):
    more = 'more@stand-in.iam.gserviceaccount.com'
    key = drive.server.write_key(drive.server.add_account(more, delegated=True), 'more.json')
    shared = next(each for each in drive.server.world.drives.values() if each.name == 'Show')
    shared.members[more] = 'writer'
    drive.configure('/Show/work', credentials_url=[drive.key, key])
    rels = [f'a/{number}.exr' for number in range(12)]
    world.publish(*rels, size=50_000)
    assert drive.files() == dict.fromkeys(rels, 50_000)
    senders = collections.Counter(event['user'] for event in drive.requests('files.create.multipart'))
    assert set(senders) == {BOT, more} and min(senders.values()) >= 3, senders


def test_nothing_secret_is_said_at_any_level(world, drive, studio):
    """The fixture looks for tokens, sessions and keys in all that was said; here all is said that can be."""
    harness.write_large(studio.root / 'a/large', 12 << 20)
    studio.write('a/small')
    studio.publish('a/large', 'a/small', name='any')
    for kind, do in (('session.chunk', {'reset': 'during', 'reset_after': 1 << 20}), ('session.chunk', {'status': 503}),
                     ('session.query', {'status': 500}), ('files.create.resumable', {'status': 502, 'html': True}),
                     ('files.create.multipart', {'status': 401, 'reason': 'authError'}), ('token', {'status': 400}),
                     ('session.chunk', {'lose_session': True})):
        drive.server.faults.add({'match': {'kind': kind}, 'do': do})
    daemon = studio.sync('-v', '-v')
    wait_until(lambda: drive.is_recorded('a/large') and drive.is_recorded('a/small'), 'both are at Drive')
    for verb in ('status', 'queue', 'doctor'):
        studio.run(verb, '--json')
    studio.run('info', '--json', studio.root / 'a/large')
    studio.explain('a/large')
    daemon.end()
    assert drive.server.service.tokens.issued and drive.server.service.uploads.sessions and world.said
