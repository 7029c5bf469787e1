"""Fixtures of the stories: a world of its own for each, ended whatever happens, its logs in the report of a failure."""

import pathlib
import tempfile

import pytest

import harness


def pytest_collection_modifyitems(items):
    """Without FUSE there are no stories: said aloud, and a failure where everything is required."""
    if harness.is_fuse_there():
        return
    if harness.IS_STRICT:
        raise pytest.UsageError('/dev/fuse cannot be used, and SITEFS_REQUIRE is set')
    for item in items:
        item.add_marker(pytest.mark.skip(reason='/dev/fuse cannot be used'))


@pytest.fixture
def world(request, tmp_path):
    # Socket paths have at most 107 bytes: they get a short folder of their own.
    world = harness.World(tmp_path, pathlib.Path(tempfile.mkdtemp(prefix='sitefs-')))
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
