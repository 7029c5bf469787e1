"""The stories of tests/mount/test_posix.py over the scripted engine."""

import pytest

from test_posix import *  # noqa: F401,F403


@pytest.fixture
def root(fake):  # noqa: F811
    return fake.root


@pytest.fixture
def mnt(fake):  # noqa: F811
    return fake.mnt
