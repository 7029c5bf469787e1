"""What all suites here share: a server of its own for each test, with a studio in it."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from gdrive.bare import ANN, Studio  # noqa: E402
from gdrive.server import Server  # noqa: E402


@pytest.fixture
def studio():
    with Server(seed=1) as server:
        made = Studio(server)
        yield made
        for client in made.clients:
            client.close()


@pytest.fixture
def server(studio):
    return studio.server


@pytest.fixture
def bot(studio):
    return studio.bare()


@pytest.fixture
def ann(studio):
    return studio.bare(ANN)


@pytest.fixture
def drive_id(studio):
    return studio.drive.id
