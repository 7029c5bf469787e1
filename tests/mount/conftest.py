"""Fixtures of the stories: a world of its own for each, ended whatever happens, its logs in the report of a failure."""

import os
import pathlib
import sys
import tempfile

import pytest

import harness

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'mongod'))
import mongod  # noqa: E402

# Every story on another store, by hand: SITEFS_TEST_SERVER=replica_set or standalone.
DEFAULT_SERVER = os.environ.get('SITEFS_TEST_SERVER')


def pytest_configure(config):
    config.addinivalue_line('markers', 'mongodb(server): the store is that server: replica_set or standalone')


def pytest_collection_modifyitems(items):
    """Without FUSE there are no stories: said aloud, and a failure where everything is required."""
    if harness.is_fuse_there():
        return
    if harness.IS_STRICT:
        raise pytest.UsageError('/dev/fuse cannot be used, and SITEFS_REQUIRE is set')
    for item in items:
        item.add_marker(pytest.mark.skip(reason='/dev/fuse cannot be used'))


def start_mongod(is_replica):
    if not mongod.find():
        if harness.IS_STRICT:
            pytest.fail('no mongod, and SITEFS_REQUIRE is set')
        pytest.skip('no mongod (tools/get-mongod fetches one)')
    return mongod.Mongod(is_replica)


@pytest.fixture(scope='module')
def replica_set():
    """A server with change streams, for all stories of a file."""
    server = start_mongod(True)
    yield server
    server.end()


@pytest.fixture(scope='module')
def standalone():
    server = start_mongod(False)
    yield server
    server.end()


@pytest.fixture
def world(request, tmp_path):
    # Socket paths have at most 107 bytes: they get a short folder of their own.
    kind = request.node.get_closest_marker('mongodb')
    server = request.getfixturevalue(kind.args[0] if kind else DEFAULT_SERVER) if kind or DEFAULT_SERVER else None
    world = harness.World(tmp_path, pathlib.Path(tempfile.mkdtemp(prefix='sitefs-')), server)
    request.node.world = world
    yield world
    faults = world.end()
    assert not faults, '\n\n'.join(faults)


@pytest.fixture
def studio(world):
    return world.site('studio')


@pytest.fixture
def home(world, studio):
    return world.site('local_0')


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    world = getattr(item, 'world', None)
    if report.failed and world:
        for title, text in world.logs():
            report.sections.append((title, text[-20000:]))
