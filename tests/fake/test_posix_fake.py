"""The stories of tests/mount/test_posix.py over the scripted engine, in each way that bytes can go."""

import pytest

from test_posix import *  # noqa: F401,F403


@pytest.fixture(params=('as it comes', '-p'), ids=('kernel', 'daemon'))
def fake(request, make_fake):
    fake = make_fake()
    fake.mount(*(request.param,) if request.param.startswith('-') else ())
    return fake


@pytest.fixture
def root(fake):
    return fake.root


@pytest.fixture
def mnt(fake):
    return fake.mnt
