"""tools/quickstart, as a reader runs it, without the installing and building."""

import os
import pathlib
import subprocess

import pytest

import harness

QUICKSTART = pathlib.Path(__file__).resolve().parents[2] / 'tools/quickstart'


@pytest.fixture
def quickstart(world):
    demo = world.dir / 'demo folder'
    env = {'PATH': os.environ['PATH'], 'HOME': str(world.dir), 'LC_ALL': 'C.UTF-8', 'XDG_RUNTIME_DIR': str(world.short),
           **{key: f'{os.environ.get(key, "")}:log_path={world.dir}/sanitiser.{key}'.lstrip(':')
              for key in harness.SANITISERS}}

    def run(*args):
        return subprocess.run([QUICKSTART, '--no-install', '--program', harness.SITEFS, '--demo', demo, *args],
                              env=env, capture_output=True, text=True, errors='replace',
                              timeout=harness.STORY_DEADLINE, check=False, cwd=world.dir)

    run.demo = demo
    yield run
    run('--remove')
    assert not demo.exists()
    assert str(demo / 'mnt') not in harness.mounts()


def check(done, n_files):
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'{n_files} files are byte-identical' in done.stdout
    assert done.stderr == ''


def test_the_demo_twice(quickstart):
    for _ in range(2):
        done = quickstart()
        check(done, 25)
        assert 'studio$ sitefs publish' in done.stdout
        assert 'local_0$ sitefs mount' in done.stdout
        assert harness.read_file(quickstart.demo / 'local_0/work/shots/sh010/publish/render/v001/beauty.1001.ppm') == \
            harness.read_file(quickstart.demo / 'studio/work/shots/sh010/publish/render/v001/beauty.1001.ppm')


def test_a_folder_with_odd_names(quickstart, world):
    folder = world.dir / 'my folder'
    names = ['plain.txt', 'with space.txt', '-dash', 'new\nline', 'ünïcödé', "quo'te", 'deep/er/file', 'empty', '.dot']
    for name in names:
        harness.write_file(folder / name, b'' if name == 'empty' else name.encode())
    (folder / 'nothing in it').mkdir()
    (folder / 'link').symlink_to('plain.txt')
    before = harness.tree(folder)
    check(quickstart(folder), len(names))
    assert harness.tree(folder) == before, 'the folder itself is only read'


def test_names_that_cannot_be_published_do_not_stop_the_rest(quickstart, world):
    folder = world.dir / 'my folder'
    harness.write_file(folder / 'plain.txt', b'plain')
    harness.write_file(os.fsencode(folder) + b'/latin-\xe9', b'no UTF-8')
    done = quickstart(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '1 files are byte-identical' in done.stdout
    assert 'latin-' in done.stdout + done.stderr


def test_wrong_arguments(quickstart, world):
    assert quickstart(world.dir / 'missing').returncode == 2
    assert quickstart('--no-such-option').returncode == 2
    assert quickstart('a', 'b').returncode == 2
    (world.dir / 'nothing').mkdir()
    assert quickstart(world.dir / 'nothing').returncode == 1
    assert quickstart('--help').stdout.startswith('Usage: ')


def test_a_folder_that_it_did_not_make_is_left_alone(quickstart):
    harness.write_file(quickstart.demo / 'precious', b'mine')
    assert quickstart().returncode == 1
    assert quickstart('--remove').returncode == 1
    assert harness.read_file(quickstart.demo / 'precious') == b'mine'
    os.unlink(quickstart.demo / 'precious')
    os.rmdir(quickstart.demo)


def test_the_program_is_where_readers_are_sent(world):
    """The demo above is given its program; without that, it and the README name where the build puts one."""
    built = pathlib.Path(harness.SITEFS)
    build = next(folder for folder in built.parents if (folder / 'build.ninja').exists())
    program = f'build/release/{built.relative_to(build)}'
    assert f'program=$top/{program}' in QUICKSTART.read_text()
    assert f'{program} mount' in (QUICKSTART.parents[1] / 'README.md').read_text()
