"""DESIGN, "What is moved, what is recorded": its bullets beyond the rows of STATES.md."""

import os

import pytest

from harness import REMOTE, TIMING, random_bytes, read_file, recorded, stays, wait_until

REL, OTHER = 'shot/a.exr', 'shot/b.exr'


# ---- tries, pauses, hand edits ----

def test_a_missing_source_is_waited_for_then_counted(world, studio):
    world.publish(OTHER)  # so that the root is not taken for a lost one
    studio.write(REL)
    studio.publish(REL)
    (studio.root / REL).unlink()
    studio.sync()
    wait_until(lambda: (world.entry(REL, REMOTE) or {}).get('error'), 'it is counted after its time')
    wait_until(lambda: number(world.entry(REL, REMOTE).get('tries')) == 3, 'up to retry_cnt')
    assert 'last_failed_dt' in world.entry(REL, REMOTE)
    stays(lambda: number(world.entry(REL, REMOTE).get('tries')) == 3, 'no further try', 2)
    data = studio.write(REL)
    world.hand.set_entry(REL, REMOTE, {})  # "do it again"
    wait_until(lambda: world.is_recorded(REL, REMOTE), 'a hand edit is honoured')
    assert read_file(world.remote_file(REL)) == data


def number(value):
    return int(value['$numberInt'] if isinstance(value, dict) and '$numberInt' in value else
               value['$numberLong'] if isinstance(value, dict) else value or 0)


def test_a_source_that_is_still_written_is_no_failure(world, studio):
    studio.write(f'{REL}.tmp')
    studio.write(REL)
    studio.publish(REL)
    (studio.root / REL).unlink()
    studio.sync()
    stays(lambda: not {'tries', 'error'} & set(world.entry(REL, REMOTE)), 'waited for', 4)
    os.rename(studio.root / f'{REL}.tmp', studio.root / REL)
    wait_until(lambda: world.is_recorded(REL, REMOTE), 'sent when it is there')


def test_success_leaves_only_what_it_says(world, studio):
    world.configure(settings={'timing': {**TIMING, 'takeover': '1s'}})  # nobody tells of that progress
    studio.write(REL)
    studio.publish(REL)
    world.hand.set_entry(REL, REMOTE, {'tries': 2, 'error': 'old', 'progress': 0.5, 'priority': 80,
                                       'last_failed_dt': {'$date': {'$numberLong': '0'}}})
    studio.sync_once()
    assert set(world.entry(REL, REMOTE)) == {'name', 'id', 'created_dt', 'priority'}


def test_a_paused_entry_waits(world, studio):
    studio.write(REL)
    studio.publish(REL)
    world.hand.set_entry(REL, REMOTE, {'paused': True})
    studio.sync()
    world.wait_seen(studio)
    assert not world.is_recorded(REL, REMOTE)
    assert studio.state(REL) == 'paused'
    world.hand.set_entry(REL, REMOTE, {})
    wait_until(lambda: world.is_recorded(REL, REMOTE), 'sent when the pause is lifted')


def test_the_daemon_acts_for_the_active_site(world, studio):
    world.configure(local_id='somebody_else')
    studio.write(REL)
    studio.publish(REL)
    studio.sync_once()
    assert world.is_recorded(REL, REMOTE)


# ---- over an existing remote file ----

@pytest.fixture
def uploaded(world, studio):
    """A file that the studio has sent, and its mount."""
    data = world.publish(REL)
    studio.mount()
    studio.wait_state(REL, 'local')
    return data


def replace(folder, data):
    """As programs save: a new file, moved over the old one."""
    (folder / 'new').write_bytes(data)
    os.rename(folder / 'new', folder / REL)


def is_kept(world, data):
    """The old content can still be had at the remote."""
    return any(read_file(os.path.join(top, name)) == data
               for top, _, names in os.walk(world.remote) for name in names)


def test_an_original_that_is_replaced_as_a_whole_is_sent(world, studio, uploaded):
    new = random_bytes('new', 2000)
    replace(studio.mnt, new)
    wait_until(lambda: read_file(world.remote_file(REL)) == new, 'the replacement is sent')
    assert is_kept(world, uploaded), 'the old one stays recoverable'
    wait_until(lambda: world.is_recorded(REL, REMOTE), 'still recorded')


def test_replaced_behind_our_back_it_is_sent_by_the_next_run(world, studio):
    old = world.publish(REL)
    new = random_bytes('new', 2000)
    replace(studio.root, new)
    studio.sync_once()
    assert read_file(world.remote_file(REL)) == new
    assert is_kept(world, old)


def test_a_replacement_waits_for_the_tmp_file_beside_it(world, studio, uploaded):
    (studio.mnt / f'{REL}.tmp').write_bytes(b'half')
    replace(studio.mnt, b'another')
    world.wait_seen(studio)
    stays(lambda: read_file(world.remote_file(REL)) == uploaded, 'nothing is sent', 2)
    os.rename(studio.mnt / f'{REL}.tmp', studio.mnt / REL)
    wait_until(lambda: read_file(world.remote_file(REL)) == b'half', 'the last one is sent')


@pytest.mark.parametrize('how', ['in place', 'emptied'])
def test_other_changes_are_modified_and_sent_by_retry_only(world, studio, uploaded, how):
    if how == 'in place':
        with open(studio.mnt / REL, 'r+b') as file:
            file.write(b'edited')
    else:
        replace(studio.mnt, b'')
    studio.wait_state(REL, 'modified')
    world.wait_seen(studio)
    stays(lambda: read_file(world.remote_file(REL)) == uploaded, 'nothing is sent', 2)
    if how == 'in place':
        studio.sitefs('retry', studio.root / REL)
        wait_until(lambda: read_file(world.remote_file(REL)) == studio.on_disk(REL), 'retry sends it')


def test_a_replaced_copy_is_modified(world, home):
    data = world.publish(REL)
    home.mount()
    home.read(REL)
    home.wait_state(REL, 'local')
    home.write('new', b'mine')
    os.rename(home.root / 'new', home.root / REL)
    home.wait_state(REL, 'modified')
    world.wait_seen(home)
    assert read_file(world.remote_file(REL)) == data
    assert home.read(REL) == b'mine'


# ---- pull on open ----

def test_entries_are_written_when_all_are_here_and_all_at_once(world, home):
    world.publish(REL, OTHER)
    home.mount()
    home.read(REL)
    home.wait_state(REL, 'local')
    world.wait_seen(home)
    assert world.entry(REL, 'local_0') is None
    home.read(OTHER)
    wait_until(lambda: world.is_recorded(REL, 'local_0') and world.is_recorded(OTHER, 'local_0'), 'both')


def test_files_that_have_our_entry_are_marked_one_by_one(world, studio, home):
    world.publish(REL, OTHER)
    world.remote_file(OTHER).rename(world.dir / 'away')
    studio.add_site('local_0', REL, OTHER)
    home.mount()
    wait_until(lambda: world.is_recorded(REL, 'local_0'), 'one')
    assert not world.is_recorded(OTHER, 'local_0')


def test_one_path_in_many_records_moves_once(world, studio, home):
    """C15: two representations name the same file."""
    data = studio.write(REL)
    studio.publish(REL, name='exr')
    studio.publish(REL, name='exr2', version=1)
    studio.sync_once()
    docs = [doc for doc in world.representations() if any(REL in file['path'] for file in doc['files'])]
    assert len(docs) == 2
    for doc in docs:
        assert all('created_dt' in site for file in doc['files'] for site in file['sites'])
    home.mount()
    assert home.read(REL) == data
    wait_until(lambda: all(any(site['name'] == 'local_0' and 'created_dt' in site
                               for file in doc['files'] for site in file['sites'])
                           for doc in world.representations()), 'recorded in both')


def test_hand_edit_of_every_precondition_wins(world, studio, home):
    """Law 7: where the store's entry differs at replay, the store wins, and the rest goes on."""
    data = world.publish(REL, OTHER)
    home.mount()
    world.store_path.parent.chmod(0o700)
    for rel in (REL, OTHER):
        home.read(rel)
    wait_until(lambda: world.is_recorded(REL, 'local_0'), 'recorded')
    world.hand.set_entry(REL, 'local_0', {**recorded(), 'id': 'of another hand'})
    world.wait_seen(home)
    assert world.entry(REL, 'local_0')['id'] == 'of another hand'
    assert home.read(REL) == data[0]
