"""rclone against the stand-in, through its CONNECT proxy, as rclone talks to Google."""

import json
import os
import random
import shutil
import subprocess

import pytest

from gdrive.bare import wait_until
from gdrive.clients.installed import need
from gdrive.server import Server

ANN, BOT = 'ann@studio.test', 'bot@stand-in.iam.gserviceaccount.com'
NAMES = ['plain.exr', 'no extension', "quote ' and \\ backslash", 'ünïcödé 漢字.jpg', '.dotted', 'two  blanks',
         'percent %41.txt', 'plus+and&more=?.txt', 'UPPER.Exr']


class Rclone:
    """Runs it with a configuration of its own; hosts are Google's, the way there is our proxy."""

    def __init__(self, program, server, folder, options):
        self.program, self.server, self.folder = program, server, folder
        self.config = folder / 'rclone.conf'
        key = server.write_key({**server.key, 'token_uri': 'https://oauth2.googleapis.com/token'})
        text = {'type': 'drive', 'scope': 'drive', 'service_account_file': key, **options}
        self.config.write_text('[d]\n' + ''.join(f'{name} = {value}\n' for name, value in text.items()))

    def start(self, *arguments, tries=1):
        env = {'PATH': os.environ['PATH'], 'HOME': str(self.folder), **self.server.proxy_environment()}
        return subprocess.Popen(
            [self.program, '--config', str(self.config), '--cache-dir', str(self.folder / 'cache'), '--ca-cert',
             self.server.ca, '--drive-pacer-min-sleep', '1ms', '--drive-pacer-burst', '1000', '--retries', str(tries),
             '--retries-sleep', '0', *arguments],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)

    def run(self, *arguments, tries=1):
        with self.start(*arguments, tries=tries) as program:
            try:
                out, err = program.communicate(timeout=60)
            except BaseException:
                program.kill()
                raise
        return subprocess.CompletedProcess(arguments, program.returncode, out, err)

    def ok(self, *arguments):
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


@pytest.fixture(params=['shared drive', 'My Drive of a subject'])
def rclone(request, rclone_program, tmp_path):
    with Server(seed=2) as server:
        server.add_user(ANN)
        server.key = server.add_account(BOT, delegated=True)
        drive = server.add_drive('Show', {ANN: 'organizer', BOT: 'fileOrganizer'})
        options = {'team_drive': drive.id} if request.param == 'shared drive' else {'impersonate': ANN}
        made = Rclone(rclone_program, server, tmp_path, options)
        made.root = 'Show/' if request.param == 'shared drive' else f'{ANN}:'
        yield made


@pytest.fixture
def source(tmp_path):
    """A tree with files on both sides of the limit for resumable uploads, and names that hurt."""
    source, dice = tmp_path / 'source', random.Random(3)
    for path, size in {**{name: 1000 + i for i, name in enumerate(NAMES)}, 'seq/v001/a.1001.exr': 300_000,
                       'seq/v001/large.exr': 20_000_003, 'seq/v002/exact.exr': 8 << 20, 'seq/empty': 0}.items():
        file = source / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(dice.randbytes(size))
    return source


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_tree_goes_up_and_comes_down_byte_for_byte(rclone, source, tmp_path):
    rclone.ok('copy', str(source), 'd:job')
    there = rclone.server.seed.listing(f'{rclone.root}job')
    entries = {path: each[0] for path, each in there.items() if not each[0]['folder']}
    assert {path: each['size'] for path, each in entries.items()} == {
        path: len(data) for path, data in files_of(source).items()}
    assert all(len(each) == 1 for each in there.values())
    rclone.ok('check', '--download', str(source), 'd:job')
    rclone.ok('copy', 'd:job', str(tmp_path / 'back'))
    assert files_of(tmp_path / 'back') == files_of(source)
    kinds = rclone.server.journal.report()
    assert kinds['session.chunk']['status 308'] >= 2 and kinds['files.create.multipart']['requests'] >= 9


def test_times_and_listing(rclone, source):
    os.utime(source / 'plain.exr', ns=(0, 1_600_000_000_123_456_789))
    rclone.ok('copy', str(source), 'd:job')
    listed = {each['Path']: each for each in json.loads(rclone.ok('lsjson', '-R', '--hash', 'd:job'))}
    assert listed['plain.exr']['ModTime'] == '2020-09-13T12:26:40.123Z'
    assert set(files_of(source)) == {path for path, each in listed.items() if not each['IsDir']}
    rclone.ok('touch', '-t', '2021-02-03T04:05:06.789', 'd:job/plain.exr')
    listed = json.loads(rclone.ok('lsjson', 'd:job/plain.exr'))
    assert listed[0]['ModTime'].startswith('2021-02-03T') and listed[0]['ModTime'].endswith('.789Z')


def test_move_and_copy_on_the_server(rclone, source):
    rclone.ok('copy', str(source), 'd:job')
    seed, journal = rclone.server.seed, rclone.server.journal
    before = seed.find(f'{rclone.root}job/seq/v001/large.exr').id
    journal.clear()
    rclone.ok('moveto', 'd:job/seq/v001/large.exr', 'd:job/other/renamed.exr')
    rclone.ok('copyto', 'd:job/other/renamed.exr', 'd:job/hero.exr')
    assert seed.find(f'{rclone.root}job/other/renamed.exr').id == before
    assert seed.find(f'{rclone.root}job/hero.exr').content.size == 20_000_003
    kinds = journal.report()
    assert kinds['files.copy']['requests'] == 1 and 'session.chunk' not in kinds and 'files.media' not in kinds
    rclone.ok('move', 'd:job/seq', 'd:job/moved', '--drive-server-side-across-configs')
    assert seed.find(f'{rclone.root}job/moved/v001/a.1001.exr')


def test_ranges_and_overwrite(rclone, source, tmp_path):
    rclone.ok('copy', str(source), 'd:job')
    data = (source / 'seq/v001/large.exr').read_bytes()
    for offset, count in ((0, 10), (123_456, 7_000_000), (20_000_000, 100)):
        part = rclone.ok('cat', '--offset', str(offset), '--count', str(count), 'd:job/seq/v001/large.exr')
        assert part == data[offset:offset + count]
    old = rclone.server.seed.find(f'{rclone.root}job/plain.exr')
    (source / 'plain.exr').write_bytes(b'again' * 3000)
    rclone.ok('copy', str(source), 'd:job')
    new = rclone.server.seed.find(f'{rclone.root}job/plain.exr')
    assert new.id == old.id and len(new.revisions) == 2
    assert rclone.ok('cat', 'd:job/plain.exr') == b'again' * 3000


def test_sync_deletes_into_the_trash_and_purge(rclone, source):
    rclone.ok('copy', str(source), 'd:job')
    (source / 'plain.exr').unlink()
    rclone.ok('sync', str(source), 'd:job')
    there = rclone.server.seed.listing(f'{rclone.root}job')
    assert there['plain.exr'][0]['trashed'] and not there['.dotted'][0]['trashed']
    rclone.ok('mkdir', 'd:job/new')
    rclone.ok('rmdir', 'd:job/new')
    rclone.ok('purge', 'd:job/seq')
    assert 'seq' not in rclone.ok('lsf', 'd:job').decode().replace('/', '').split('\n')
    rclone.ok('about', 'd:')


def test_a_folder_of_many_is_listed_whole(rclone):
    rclone.server.seed.many(f'{rclone.root}many', files=2345)
    rclone.server.set(page_cap=400)
    assert len(rclone.ok('lsf', 'd:many').split()) == 2345
    pages = [event for event in rclone.server.journal.since() if event['query'].get('pageToken')]
    assert len(pages) == 5


FAULTS = {
    'a short throttle': {'match': {'kind': 'files.create.*'}, 'do': {'reason': 'userRateLimitExceeded'}},
    '503 at a chunk': {'match': {'kind': 'session.chunk'}, 'skip': 1, 'do': {'status': 503}},
    'an HTML page': {'match': {'kind': 'files.create.resumable'}, 'do': {'status': 502, 'html': True}},
    'stored but 503 at the last chunk': {'match': {'kind': 'session.chunk', 'content_range': '-19999999/'},
                                         'do': {'status': 503, 'when': 'after'}},
    'reset in a chunk': {'match': {'kind': 'session.chunk'}, 'skip': 1,
                         'do': {'reset': 'during', 'reset_after': 3_000_000}},
}


@pytest.mark.parametrize('rclone', ['shared drive'], indirect=True)
@pytest.mark.parametrize('fault', FAULTS)
def test_it_gets_over(rclone, tmp_path, fault):
    source = tmp_path / 'one'
    source.mkdir()
    (source / 'large.exr').write_bytes(random.Random(4).randbytes(20_000_000))
    (source / 'small.exr').write_bytes(b'small')
    rule = rclone.server.faults.add(FAULTS[fault])
    done = rclone.run('copy', str(source), 'd:job', tries=3)
    assert done.returncode == 0, done.stderr.decode()
    assert rule.hits == 1
    there = rclone.server.seed.listing('Show/job')
    assert {path: [each['size'] for each in entries] for path, entries in there.items()} == {
        'large.exr': [20_000_000], 'small.exr': [5]}
    rclone.ok('check', '--download', str(source), 'd:job')


@pytest.mark.parametrize('rclone', ['shared drive'], indirect=True)
def test_a_flipped_byte_is_noticed(rclone, tmp_path):
    rclone.server.seed.file('Show/a.exr', b'x' * 100_000)
    rclone.server.faults.add({'match': {'kind': 'files.media'}, 'times': 0, 'do': {'flip': 70_000}})
    done = rclone.run('copy', 'd:a.exr', str(tmp_path / 'back'))
    assert done.returncode != 0 and b'corrupted on transfer' in done.stderr


@pytest.mark.parametrize('rclone', ['shared drive'], indirect=True)
def test_a_lagging_index_lets_it_make_twins(rclone, tmp_path):
    """What happens with the real service: a create that was stored but answered 503 is looked up by name."""
    (tmp_path / 'a.exr').write_bytes(b'bytes')
    rclone.server.seed.folder('Show/job')
    rclone.server.set(list_lag=3600)
    rclone.server.faults.add({'match': {'kind': 'files.create.multipart'}, 'do': {'status': 503, 'when': 'after'}})
    rclone.run('copy', str(tmp_path / 'a.exr'), 'd:job', tries=2)
    assert len(rclone.server.seed.listing('Show/job')['a.exr']) == 2


@pytest.fixture
def mounted(rclone, tmp_path):
    """rclone's own mount of the drive, which polls the changes feed every second."""
    need(os.path.exists('/dev/fuse') and shutil.which('fusermount3'), 'FUSE', 'the kernel module and package fuse3')
    place = tmp_path / 'mount'
    place.mkdir()
    program = rclone.start('mount', 'd:', str(place), '--vfs-cache-mode', 'writes', '--vfs-write-back', '0',
                           '--poll-interval', '1s', '--dir-cache-time', '1h')
    try:
        wait_until(lambda: os.path.ismount(place) or program.poll() is not None)
        assert program.poll() is None, program.stderr.read().decode()
        yield place
    finally:
        subprocess.run(['fusermount3', '-u', str(place)], check=False)
        program.terminate()
        program.communicate(timeout=20)


@pytest.mark.parametrize('rclone', ['shared drive'], indirect=True)
def test_mount(rclone, mounted):
    seed = rclone.server.seed
    seed.file('Show/seq/a.exr', b'bytes' * 50_000)
    wait_until(lambda: (mounted / 'seq').exists())  # by the feed
    assert (mounted / 'seq' / 'a.exr').read_bytes() == b'bytes' * 50_000
    (mounted / 'seq' / 'b.exr').write_bytes(b'written' * 1000)
    wait_until(lambda: seed.find('Show/seq/b.exr') and seed.find('Show/seq/b.exr').content.size == 7000)
    os.rename(mounted / 'seq' / 'b.exr', mounted / 'c.exr')
    assert seed.find('Show/c.exr') and not seed.find('Show/seq/b.exr')
    assert sorted(os.listdir(mounted)) == ['c.exr', 'seq']
    os.unlink(mounted / 'c.exr')
    assert seed.listing('Show')['c.exr'][0]['trashed']
