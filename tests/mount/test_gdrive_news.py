"""What others do at Drive is noticed, named, and shown as STATES.md says."""

import hashlib
import os

import pytest

from drive import ANN, BOT, drive  # noqa: F401
from harness import errno_of, make_document, random_bytes, recorded, wait_until

A, B = 'shot/a.exr', 'shot/b.exr'


def by_hand(drive, rel, do, **more):  # noqa: F811
    """As ann does on the web page."""
    with drive.server.world.lock:
        entry = drive.server.seed.find(f'Show/work/{rel}')
        drive.server.world.remember(entry)
        if do == 'trash':
            entry.trashed_at, entry.trashed_by = drive.server.world.now(), ANN
        elif do == 'delete':
            drive.server.world.remove(entry)
            return
        elif do == 'edit':
            drive.server.seed.replace(entry, drive.server.seed.content(more['data'], 0, 1, None), ANN)
            return
        drive.server.world.note(entry)


def wait_explained(site, rel, *words):
    return wait_until(lambda: all(word in site.explain(rel) for word in words), f'{rel}: {words}')


@pytest.fixture
def home(world, drive):  # noqa: F811
    """A site that looks on, and follows the feed."""
    home = world.site('local_0')
    world.publish(A, B)
    since = drive.server.journal.since(0)[-1]['n']  # the studio has asked as well
    home.mount()
    home.wait_state(A, 'remote')
    wait_until(lambda: drive.requests('changes.list', since), 'the feed is followed')
    return home


@pytest.mark.parametrize('do, words', [
    ('trash', ['missing; trashed by ann', ANN]),
    ('delete', ['missing; removed at 20']),
    ('edit', ['changed', 'edited by ann']),
])
def test_by_whom_and_when(drive, home, do, words):  # noqa: F811
    """Without anybody reading the file."""
    by_hand(drive, A, do, data=b'other')
    wait_explained(home, A, *words)
    assert home.state(A) == 'failed' and home.state(B) == 'remote'
    assert errno_of(home.read, A) == 'EIO'
    assert not drive.requests('files.media')


def named(site):
    """What status names: path below the root -> the rest."""
    changed = site.status()['changed_at_remote']
    assert changed['files'] == len(changed['named'])
    return {os.path.relpath(each['path'], site.mnt): each for each in changed['named']}


def test_status_names_them_and_who_still_has_them(drive, home, studio):  # noqa: F811
    assert named(home) == {}
    assert home.read(B)
    wait_until(lambda: home.world.is_recorded(B, 'local_0') or home.on_disk(B), 'b is here')
    by_hand(drive, A, 'trash')
    by_hand(drive, B, 'edit', data=b'other')
    wait_until(lambda: len(named(home)) == 2, 'both are named')
    found = named(home)
    assert found[A]['object'] == 'missing' and found[A]['change'] == 'trashed'
    assert found[B]['object'] == 'different' and found[B]['change'] == 'edited'
    assert ANN in found[A]['by'] and ANN in found[B]['by'] and found[A]['at'] and found[B]['at']
    assert found[A]['sites'] == ['studio']
    said = home.sitefs('status').out
    assert '2 files are missing or different' in said and ANN in said and 'still at studio' in said
    assert 'still at: studio' in home.explain(A)
    # and gone from the list once it is right again
    entry = drive.server.seed.find(f'Show/work/{A}')
    with drive.server.world.lock:
        entry.trashed_at = entry.trashed_by = None
        drive.server.world.note(entry)
    wait_until(lambda: A not in named(home), 'what is right again is not named')
    assert home.state(A) == 'remote' and home.read(A)


def test_a_folder_that_was_trashed(drive, home):  # noqa: F811
    by_hand(drive, 'shot', 'trash')
    wait_until(lambda: len(named(home)) == 2, 'all in it are named')
    assert all(each['change'] == 'trashed' and ANN in each['by'] for each in named(home).values())


def test_another_file_takes_the_name(drive, home):  # noqa: F811
    by_hand(drive, A, 'trash')
    drive.server.seed.file(f'Show/work/{A}.new', b'something else')
    with drive.server.world.lock:
        entry = drive.server.seed.find(f'Show/work/{A}.new')
        entry.name = os.path.basename(A)
        drive.server.world.note(entry)
    wait_explained(home, A, 'changed', 'trashed by ann')
    assert home.state(A) == 'failed'


def test_what_we_do_ourselves_is_no_news(world, drive, home, studio):  # noqa: F811
    """One request a poll, and none for each file that was sent."""
    daemon = studio.sync()
    rels = [f'own/{i}.exr' for i in range(20)]
    for rel in rels:
        studio.write(rel)
    studio.publish(*rels, name='own')
    wait_until(lambda: all(drive.is_recorded(rel) for rel in rels), 'all are sent')
    home.wait_state(rels[-1], 'remote')
    n = len(drive.requests('changes.list'))
    wait_until(lambda: len(drive.requests('changes.list')) >= n + 5, 'the feed was asked again and again')
    assert named(home) == {} and studio.status()['changed_at_remote']['files'] == 0
    ids = [drive.server.seed.find(f'Show/work/{rel}').id for rel in rels]
    assert not [event['path'] for event in drive.requests('files.get') if event['path'].rpartition('/')[2] in ids]
    daemon.end()


def test_while_nobody_looked(drive, home, world):  # noqa: F811
    """The token is kept: what happened meanwhile is told at the next start."""
    home.umount()
    by_hand(drive, A, 'delete')
    drive.server.journal.clear()
    home.mount()
    wait_explained(home, A, 'missing; removed at 20')
    assert not drive.requests('changes.startPageToken')


def test_a_token_that_is_lost(drive, home):  # noqa: F811
    """Drive knows it no more: a new one, and everything is compared."""
    home.umount()
    by_hand(drive, A, 'trash')
    drive.server.faults.add({'match': {'kind': 'changes.list'}, 'times': 1, 'do': {'status': 400,
                                                                                'reason': 'invalidParameter'}})
    home.mount()
    wait_explained(home, A, 'missing; trashed by ann')
    assert 'everything is compared' in home.daemons[-1].read_log()


# verify

def test_verify_remote(drive, home):  # noqa: F811
    result = home.sitefs('verify', '--remote', '--json').json
    assert (result['checked'], result['bad'], result['findings']) == (2, 0, [])
    by_hand(drive, A, 'trash')
    by_hand(drive, B, 'edit', data=b'other')
    drive.server.seed.file('Show/work/shot/stray.exr', b'stray')
    drive.server.seed.file('Show/work/elsewhere/stray.txt', b'stray too')
    result = home.run('verify', '--remote', '--json')
    assert result.code == 1
    found = {os.path.relpath(each['path'], home.mnt): each for each in result.json['findings']}
    assert found.keys() == {A, B}
    assert found[A]['finding'] == 'missing' and found[A]['change'] == 'trashed' and ANN in found[A]['by']
    assert found[B]['finding'] == 'different' and found[B]['change'] == 'edited' and ANN in found[B]['by']
    assert 'out of the trash' in found[A]['fix'] and 'resets it' in found[B]['fix']
    result = home.run('verify', '--orphans', '--json', home.mnt)
    orphans = {os.path.relpath(each['path'], home.mnt): each for each in result.json['findings']
               if each['finding'] == 'orphan'}
    assert orphans.keys() == {'shot/stray.exr', 'elsewhere/stray.txt'} and result.json['orphans'] == 2
    assert orphans['shot/stray.exr']['remote_id'] and orphans['shot/stray.exr']['size'] == 5
    assert 'stray' in home.run('verify', '--orphans').out
    assert home.run('verify', '--remote', home.root / 'nowhere').code == 3


def test_verify_fix_takes_out_of_the_trash_and_resets(drive, home, studio, world):  # noqa: F811
    drive.set_role('organizer')
    data = {rel: studio.on_disk(rel) for rel in (A, B)}
    by_hand(drive, A, 'trash')
    by_hand(drive, B, 'delete')
    tried = home.run('verify', '--remote', '--fix', '--dry-run')
    assert tried.code == 1 and 'out of the trash' in tried.out
    assert drive.files() == {} and drive.is_recorded(B)
    result = home.sitefs('verify', '--remote', '--fix', '--json').json
    assert (result['bad'], result['fixed']) == (2, 2)
    assert drive.files() == {A: len(data[A])} and not drive.is_recorded(B)
    wait_explained(home, A, 'there and right')
    studio.sync_once()  # it holds B, and sends it again
    assert drive.files() == {A: len(data[A]), B: len(data[B])} and drive.is_recorded(B)
    wait_until(lambda: errno_of(home.read, B) is None, 'it can be read again')
    assert home.read(B) == data[B] and home.read(A) == data[A]
    assert home.sitefs('verify', '--remote').out.startswith('2 files checked, all right')


def test_verify_fix_resets_nothing_that_nobody_holds(drive, home, studio, world):  # noqa: F811
    world.hand.set_entry(A, 'studio', None)
    by_hand(drive, A, 'delete')
    result = home.run('verify', '--remote', '--fix', '--json', home.mnt / A)
    assert result.code == 1
    assert 'no site is known to hold it' in result.json['findings'][0]['fix']
    assert drive.is_recorded(A)


def test_verify_remote_says_what_stops_it(drive, home):  # noqa: F811
    drive.server.service.tokens.accounts[BOT].is_disabled = True
    drive.server.service.tokens.revoke_all()
    result = home.run('verify', '--remote')
    assert result.code == 7 and result.err.count('\n') == 1, result


# twins: two objects of one name

def put_twin(drive, rel, data, folder=False):  # noqa: F811
    seed = drive.server.seed
    with drive.server.world.lock:
        above, _, name = f'Show/work/{rel}'.rpartition('/')
        parent = seed.folder(above)
        if folder:
            parent, name = seed.add(parent, name, 'application/vnd.google-apps.folder'), 'c.exr'
            parent.created += 1000
        seed.add(parent, name, content=seed.content(data, 0, 1, None)).created += 1000


def test_twins_are_told_of_and_put_right(drive, home, studio):  # noqa: F811
    drive.set_role('organizer')
    data = {rel: studio.on_disk(rel) for rel in (A, B)}
    put_twin(drive, A, data[A])
    put_twin(drive, B, b'somebody else put this')
    put_twin(drive, 'shot', b'in a twin of the folder', folder=True)
    wait_until(lambda: home.status()['twins'] == 2, 'status counts them')
    assert '2 names at the remote' in home.sitefs('status').out
    found = home.run('verify', '--remote', '--json')
    assert {each['finding'] for each in found.json['findings']} == {'twins'} and found.code == 1
    result = home.run('doctor', '--json')
    assert result.code == 1 and result.json['faults'] == 3, result
    assert home.run('doctor', '--fix', '--dry-run').code == 1
    assert len(drive.server.seed.listing('Show/work')['shot']) == 2
    fixed = home.sitefs('doctor', '--fix')
    assert '3 twins put right' in fixed.out
    files = drive.files()
    assert files.pop(A) == files.pop(B) == 1000 and files.pop('shot/c.exr') == 23
    (other, size), = files.items()
    assert other.startswith('shot/b.twin-') and other.endswith('.exr') and size == 22
    assert home.sitefs('doctor').code == 0 and home.sitefs('verify', '--remote').code == 0
    wait_until(lambda: home.status()['twins'] == 0, 'they are forgotten')
    assert home.read(A) == data[A] and home.read(B) == data[B]


def test_nobody_makes_twins_of_two(drive, studio, world):  # noqa: F811
    """Two hosts of a site send the same file at once."""
    other = world.site('studio', host='studio.2')
    os.rmdir(other.root)
    os.symlink(studio.root, other.root)
    studio.write(A)
    studio.publish(A)
    daemons = [studio.sync(), other.sync()]
    wait_until(lambda: drive.is_recorded(A), 'it is sent')
    for daemon in daemons:
        daemon.end()
    assert drive.files() == {A: 1000}


# What others uploaded, and how little is asked

def test_published_anew_by_the_stock_server(world, drive, home):  # noqa: F811
    """Over the objects of before: what it is now is learnt by listing; who edits it after that is named."""
    new = {A: random_bytes('new a', 2000), B: random_bytes('new b', 2000)}
    docs = world.representations()
    for number, file in enumerate(docs[0]['files']):
        by_hand(drive, (A, B)[number], 'edit', data=new[(A, B)[number]])
        file['_id'] = {'$oid': f'65000000{number:016x}'}
        file['size'] = 2000
        file['sites'] = [entry for entry in file['sites'] if entry['name'] != 'local_0']
    world.hand.put(*docs)
    wait_until(lambda: {truth['size'] for truth in world.hand.truths().values()} == {2000}, 'both are learnt')
    assert home.read(A) == new[A]
    by_hand(drive, B, 'edit', data=b'by ann')
    wait_explained(home, B, 'changed', 'ann')
    assert errno_of(home.read, B) == 'EIO'


def test_truth_of_what_others_uploaded(world, drive, studio):  # noqa: F811
    """Put there by the stock server: sizes and checksums are learnt by listing, and recorded for all."""
    data = b'bytes that nobody here has seen'
    entry = drive.server.seed.file('Show/work/other/a.exr', data)
    home = world.site('local_0')
    world.import_docs(make_document('other/a.exr', {'gdrive': {'id': entry.id, **recorded()}}, size=7))
    daemon = home.sync()
    wait_until(lambda: '{root[work]}/other/a.exr' in world.hand.truths(), 'a truth record is written')
    truth = world.hand.truths()['{root[work]}/other/a.exr']
    assert truth['size'] == len(data) and truth['sha256'] == hashlib.sha256(data).hexdigest()
    assert home.info('other/a.exr')['size'] == len(data)
    assert not drive.requests('files.media')
    daemon.end()
