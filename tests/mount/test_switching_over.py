"""The manual page sitefs-switching-over(7), as a TD follows it: its commands are run as they stand there, beside the
sync server that the studio had before."""

import os
import pathlib
import re
import subprocess

import pytest

from harness import PROJECT, REMOTE, SITEFS, TIMING, make_document, random_bytes, recorded, wait_until, write_file
from stock import StockServer, gui_status

PAGE = (pathlib.Path(__file__).parents[2] / 'tools/sitefs-switching-over.7.scd').read_text(encoding='utf-8')

pytestmark = pytest.mark.mongodb('replica_set')


def commands(heading):
    """Literal blocks of a section, in their order: lists of lines."""
    text = PAGE.partition(f'\n# {heading}\n')[2].partition('\n# ')[0]
    return [block.strip().splitlines() for block in re.findall(r'```\n(.*?)```', text, re.DOTALL)]


def follow(studio, lines, codes=(0,)):
    """Runs them, with this studio's names for the page's. What they said."""
    said = ''
    for line in lines:
        for name, ours in (('/mnt/show', studio.mnt), ('/srv/work', studio.root), ('myshow', PROJECT), ('gdrive', REMOTE)):
            line = line.replace(name, str(ours))
        done = subprocess.run(['sh', '-ec', line], env={**studio.env, 'PATH': f'{os.path.dirname(SITEFS)}:{os.environ["PATH"]}'},
                              text=True, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode in codes, f'{line}: exit {done.returncode}\n{done.stdout}{done.stderr}'
        said += done.stdout + done.stderr
    return said


def is_done(world, rel, *sites):
    doc, = [doc for doc in world.hand.docs() if doc['type'] == 'representation' and doc['files'][0]['path'].endswith(rel)]
    return all(gui_status(doc, site) == 'ok' for site in sites)


def test_over_and_back(world, studio):
    world.configure(settings={'timing': {**TIMING, 'takeover': '1s'}})
    files = {rel: random_bytes(rel, 30_000) for rel in ('sent', 'waiting', 'failed', 'old', 'elsewhere', 'later', 'again')}

    def publish(rel, sites):
        if 'studio' in sites and sites['studio']:
            write_file(studio.root / f'shot/{rel}', files[rel])
        world.import_docs(make_document(f'shot/{rel}', sites))

    def serve():
        return StockServer(world, 'studio', 'studio', REMOTE, {'studio': studio.root, REMOTE: world.remote_root()})

    # The studio as it was: one file sent, one given up, one from the time before, one of another site.
    publish('sent', {'studio': recorded(), REMOTE: {}})
    publish('failed', {'studio': recorded(), REMOTE: {'tries': 3, 'error': 'quota', 'last_failed_dt': recorded()['created_dt'],
                                                      'progress': ''}})
    publish('old', {'studio': recorded()})
    write_file(world.remote_file('shot/elsewhere'), files['elsewhere'])
    publish('elsewhere', {'local_0': recorded(), REMOTE: recorded()})
    with serve():
        wait_until(lambda: is_done(world, 'sent', 'studio', REMOTE), 'the stock server works')
    publish('waiting', {'studio': recorded(), REMOTE: {'progress': 0.25}})
    # Before, and over.
    checks, = commands('BEFORE')
    assert 'fault' not in follow(studio, checks)
    mount, failed, old, parts = commands('SWITCHING OVER')
    assert 'reachable' in follow(studio, mount)
    wait_until(lambda: is_done(world, 'waiting', 'studio', REMOTE), 'what waited goes on')
    assert 'failed' in follow(studio, failed)
    wait_until(lambda: is_done(world, 'failed', 'studio', REMOTE), 'what was given up is sent')
    assert '1 file' in follow(studio, old)
    wait_until(lambda: is_done(world, 'old', 'studio', REMOTE), 'what is old is sent')
    follow(studio, parts)
    assert studio.read('shot/elsewhere') == files['elsewhere']
    publish('later', {'studio': recorded(), REMOTE: {}})
    wait_until(lambda: is_done(world, 'later', 'studio', REMOTE), 'what is published is sent')
    # And back.
    wanted, unmount, tidy, again = commands('AND BACK')
    follow(studio, wanted)
    follow(studio, unmount)
    assert not studio.is_mounted()
    assert is_done(world, 'elsewhere', 'studio', REMOTE), 'it is here'
    follow(studio, tidy)
    assert not (studio.root / '.sitefs').exists()
    publish('again', {'studio': recorded(), REMOTE: {}})
    with serve() as stock:
        wait_until(lambda: is_done(world, 'again', 'studio', REMOTE), 'the stock server works as before')
        assert {site for _, _, site in stock.updates} == {REMOTE}
        assert len([kind for kind, *_ in stock.updates if kind == 'done']) == 1, 'all else was done'
    for rel, data in files.items():
        assert studio.on_disk(f'shot/{rel}') == world.remote_file(f'shot/{rel}').read_bytes() == data
    # Once more: a root without `.sitefs` is believed when it is said.
    follow(studio, again)
    assert studio.read('shot/again') == files['again']
    assert not studio.is_lost()
    studio.umount()
