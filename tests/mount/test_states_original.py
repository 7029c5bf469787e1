"""STATES.md, rows 21 to 38: an original lies on the disk (of the studio, or of local_0), or a name is hidden."""

import os
import shutil

import pytest

from harness import REMOTE, errno_of, random_bytes, read_file, recorded, stays, wait_until

REL = 'row/a.exr'


@pytest.fixture
def uploaded(world, studio):
    """A mount at the studio with a file that it has sent; its bytes."""
    data = world.publish(REL)
    studio.mount()
    studio.wait_state(REL, 'local')
    return data


def damage(world, how):
    path = world.remote_file(REL)
    if how == 'M':
        path.unlink()
    elif how == 'D':
        path.write_bytes(random_bytes('other', path.stat().st_size))


def is_as_was(site, data, inode):
    return site.on_disk(REL) == data and os.stat(site.root / REL).st_ino == inode


def kept_at_remote(world, data):
    """The replaced content can still be had: somewhere at the remote, under another name."""
    return any(read_file(os.path.join(top, name)) == data
               for top, _, names in os.walk(world.remote) for name in names)


def test_row_21_no_document(world, studio, uploaded):
    inode = os.stat(studio.root / REL).st_ino
    world.hand.drop(*world.representations())
    wait_until(lambda: not studio.info(REL).get('representation'), 'it is unpublished')
    stays(lambda: is_as_was(studio, uploaded, inode), 'the file stays', 3)
    assert studio.read(REL) == uploaded
    assert studio.state(REL) == 'local'


def test_row_22_entry_removed(world, studio, uploaded):
    world.hand.set_entry(REL, 'studio', None)
    world.wait_seen(studio)
    stays(lambda: world.entry(REL, 'studio') is None, 'not added again', 2)
    assert studio.read(REL) == uploaded
    studio.sitefs('scan', studio.root / REL)
    wait_until(lambda: world.is_recorded(REL, 'studio'), 'scan records it')


def test_row_23_wanted_and_equal(world, studio, uploaded):
    inode = os.stat(studio.root / REL).st_ino
    world.hand.set_entry(REL, 'studio', {})
    wait_until(lambda: world.is_recorded(REL, 'studio'), 'it is recorded')
    assert is_as_was(studio, uploaded, inode)


def test_row_23_wanted_and_edited(world, studio, uploaded):
    edited = b'edited' + uploaded[6:]
    with open(studio.root / REL, 'r+b') as file:
        file.write(b'edited')
    world.hand.set_entry(REL, 'studio', {})
    studio.wait_state(REL, 'modified')
    world.wait_seen(studio)
    assert studio.on_disk(REL) == edited, 'never fetched over it'
    assert not world.is_recorded(REL, 'studio')


@pytest.mark.parametrize('remote', ['P', 'M', 'D'])
def test_row_24_remote_was_reset(world, studio, uploaded, remote):
    damage(world, remote)
    before = read_file(world.remote_file(REL)) if remote != 'M' else None
    inode = world.remote_file(REL).stat().st_ino if remote == 'P' else None
    world.hand.set_entry(REL, REMOTE, {})
    wait_until(lambda: world.is_recorded(REL, REMOTE), 'it is recorded')
    assert read_file(world.remote_file(REL)) == uploaded
    if remote == 'P':
        assert world.remote_file(REL).stat().st_ino == inode, 'nothing was sent'
    if remote == 'D':
        assert kept_at_remote(world, before)


def test_row_25_as_recorded(world, studio, uploaded):
    world.wait_seen(studio)
    assert studio.state(REL) == 'local'
    assert studio.read(REL) == uploaded


@pytest.mark.parametrize('remote', ['M', 'D'])
@pytest.mark.parametrize('verb', ['reset', 'retry'])
def test_row_26_damaged_at_the_remote(world, studio, uploaded, remote, verb):
    damage(world, remote)
    world.wait_seen(studio)
    stays(lambda: not world.remote_file(REL).exists() or read_file(world.remote_file(REL)) != uploaded,
          'nothing is sent', 2)
    assert studio.read(REL) == uploaded
    if verb == 'retry':
        studio.sitefs('retry', studio.root / REL)
    else:  # what `reset --site` writes
        world.hand.set_entry(REL, REMOTE, {})
    wait_until(lambda: world.remote_file(REL).exists() and read_file(world.remote_file(REL)) == uploaded,
               'it is sent')


@pytest.mark.parametrize('ours', [None, {}])
@pytest.mark.parametrize('remote', [None, {}])
def test_row_27_nobody_is_recorded(world, studio, uploaded, ours, remote):
    damage(world, 'M')
    world.hand.set_entries(REL, {'studio': ours, REMOTE: remote})
    world.wait_seen(studio)
    stays(lambda: not world.remote_file(REL).exists(), 'nothing moves', 1)
    assert studio.read(REL) == uploaded
    studio.sitefs('scan', studio.root / REL)
    wait_until(lambda: world.is_recorded(REL, 'studio'), 'scan records it')


# ---- foreign originals, at local_0 ----

def put_by_hand(home, data):
    home.write(REL, data)
    return os.stat(home.root / REL).st_ino


@pytest.mark.parametrize('ours', [{}, 'recorded'])
def test_row_28_the_same_bytes_by_another_way(world, home, ours):
    data = world.publish(REL)
    inode = put_by_hand(home, data)
    world.hand.set_entry(REL, 'local_0', recorded() if ours == 'recorded' else ours)
    home.mount()
    wait_until(lambda: world.is_recorded(REL, 'local_0'), 'it is recorded')
    home.wait_state(REL, 'local')
    assert is_as_was(home, data, inode), 'nothing was transferred'


def test_row_29_the_same_bytes_unasked(world, home):
    data = world.publish(REL)
    inode = put_by_hand(home, data)
    home.mount()
    home.wait_state(REL, 'local')
    world.wait_seen(home)
    assert world.entry(REL, 'local_0') is None
    home.sitefs('scan', home.root / REL)
    wait_until(lambda: world.is_recorded(REL, 'local_0'), 'scan records it')
    assert is_as_was(home, data, inode)


@pytest.mark.parametrize('ours', [None, {}])
def test_row_30_other_bytes(world, home, ours):
    world.publish(REL)
    mine = random_bytes('mine', 1000)
    inode = put_by_hand(home, mine)
    world.hand.set_entry(REL, 'local_0', ours)
    home.mount()
    home.wait_state(REL, 'modified')
    world.wait_seen(home)
    assert is_as_was(home, mine, inode)
    assert home.read(REL) == mine
    assert not {'tries', 'created_dt', 'error'} & set(world.entry(REL, 'local_0') or {})


@pytest.mark.parametrize('ours', [None, {}, 'recorded'])
def test_row_31_object_missing(world, home, ours):
    data = world.publish(REL)
    damage(world, 'M')
    inode = put_by_hand(home, data)
    world.hand.set_entry(REL, 'local_0', recorded() if ours == 'recorded' else ours)
    home.mount()
    world.wait_seen(home)
    assert is_as_was(home, data, inode)
    assert home.read(REL) == data
    assert not world.remote_file(REL).exists()
    wait_until(lambda: 'remote' in home.explain(REL), 'it is reported')


@pytest.mark.parametrize('ours', [None, {}])
@pytest.mark.parametrize('remote', [None, {}])
def test_row_32_nobody_is_recorded(world, studio, home, ours, remote):
    data = studio.write(REL)
    studio.publish(REL)
    put_by_hand(home, data)
    world.hand.set_entries(REL, {'local_0': ours, REMOTE: remote, 'studio': None})
    home.mount()
    world.wait_seen(home)
    assert home.read(REL) == data
    assert not world.is_recorded(REL, 'local_0') and not world.is_recorded(REL, REMOTE)
    assert not world.remote_file(REL).exists()
    assert 'scan' in home.explain(REL)


def test_row_33_the_ordinary_publish(world, studio):
    studio.mount()
    data = studio.write(REL)
    studio.publish(REL)
    wait_until(lambda: world.is_recorded(REL, REMOTE), 'sent and recorded')
    assert read_file(world.remote_file(REL)) == data
    assert studio.state(REL) == 'local'
    assert world.is_recorded(REL, 'studio')
    assert f'{{root[work]}}/{REL}' in world.hand.truths()


def test_row_34_the_object_is_there_already(world, studio):
    data = studio.write(REL)
    world.remote_file(REL).parent.mkdir()
    shutil.copy2(studio.root / REL, world.remote_file(REL))
    inode = world.remote_file(REL).stat().st_ino
    studio.publish(REL)
    studio.sync_once()
    assert world.is_recorded(REL, REMOTE)
    assert world.remote_file(REL).stat().st_ino == inode, 'nothing was sent'
    assert read_file(world.remote_file(REL)) == data


def test_row_34_another_object_is_there(world, studio):
    data = studio.write(REL)
    old = random_bytes('old', 500)
    world.remote_file(REL).parent.mkdir()
    world.remote_file(REL).write_bytes(old)
    studio.publish(REL)
    studio.sync_once()
    assert world.is_recorded(REL, REMOTE)
    assert read_file(world.remote_file(REL)) == data
    assert kept_at_remote(world, old)


@pytest.mark.parametrize('is_uploaded', [False, True])
def test_row_35_remote_not_asked_for(world, studio, is_uploaded):
    if is_uploaded:
        data = world.publish(REL)
        world.remote_file(REL).unlink()
    else:
        data = studio.write(REL)
        studio.publish(REL)
    world.hand.set_entry(REL, REMOTE, None)
    studio.mount()
    world.wait_seen(studio)
    assert studio.read(REL) == data
    assert not world.remote_file(REL).exists()
    assert world.entry(REL, REMOTE) is None


@pytest.mark.parametrize('kind', ['folder', 'symlink', 'file above'])
def test_row_36_the_disk_wins(world, home, kind):
    world.publish('row/deep/a.exr', 'row/other.exr')
    rel = 'row/deep/a.exr'
    if kind == 'folder':
        home.write(f'{rel}/inside', b'x')
    elif kind == 'symlink':
        (home.root / 'row/deep').mkdir(parents=True)
        (home.root / rel).symlink_to('/etc/hostname')
    else:
        home.write('row/deep', b'a file')
    home.mount()
    world.wait_seen(home)
    if kind == 'folder':
        assert os.listdir(home.mnt / rel) == ['inside']
    elif kind == 'symlink':
        assert os.readlink(home.mnt / rel) == '/etc/hostname'
    else:
        assert home.read('row/deep') == b'a file'
        assert errno_of(os.listdir, home.mnt / 'row/deep') == 'ENOTDIR'
    assert os.path.exists(home.mnt / 'row/other.exr')
    assert 'disk' in home.explain(rel)


def test_row_37_whiteout_and_a_file_again(world, home):
    data, _ = world.publish(REL, 'row/other.exr')
    home.mount()
    home.read('row/other.exr')
    home.wait_state('row/other.exr', 'local')  # so that the folder is on the disk
    os.unlink(home.mnt / REL)
    assert not os.path.exists(home.mnt / REL)
    home.wait_state(REL, 'hidden')
    mine = home.write(REL, b'mine')
    wait_until(lambda: os.path.exists(home.mnt / REL), 'the file is shown')
    assert home.read(REL) == mine
    world.wait_seen(home)
    os.unlink(home.root / REL)  # behind the mount's back
    wait_until(lambda: not os.path.exists(home.mnt / REL), 'the whiteout is still there')
    home.sitefs('restore', home.root / REL)
    wait_until(lambda: os.path.exists(home.mnt / REL), 'restore lifts it')
    assert home.read(REL) == data


def test_row_38_our_own_hand_is_not_another(world, home):
    world.publish(REL)
    home.mount()
    home.read(REL)
    wait_until(lambda: world.is_recorded(REL, 'local_0'), 'recorded')
    os.unlink(home.mnt / REL)
    wait_until(lambda: world.entry(REL, 'local_0') is None, 'our entry is removed')
    world.wait_seen(home)
    stays(lambda: not os.path.exists(home.mnt / REL), 'hidden', 2)


def test_row_38_another_hand_lifts_it(world, studio, home):
    data = world.publish(REL)
    home.mount()
    os.unlink(home.mnt / REL)
    world.wait_seen(home)
    assert not os.path.exists(home.mnt / REL)
    studio.add_site('local_0', REL)
    wait_until(lambda: os.path.exists(home.mnt / REL), 'asked for by another hand, it is shown again')
    assert home.read(REL) == data
