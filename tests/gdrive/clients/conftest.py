"""The clients as fixtures, and their versions in the summary."""

import glob
import os
import shutil
import subprocess
import sys
from importlib import metadata

import pytest

from gdrive.clients.installed import PLACE, VERSIONS, need, tell


def pytest_terminal_summary(terminalreporter):
    for version in VERSIONS:
        terminalreporter.write_line(f'client: {version}')


@pytest.fixture(scope='session')
def rclone_program():
    program = shutil.which('rclone')
    need(program, 'rclone')
    tell(subprocess.run([program, 'version'], capture_output=True, text=True, check=True).stdout.split('\n')[0])
    return program


@pytest.fixture(scope='session')
def google_python():
    """Makes Google's Python client importable."""
    folders = glob.glob(os.path.join(PLACE, 'python', 'lib', 'python3*', 'site-packages', 'googleapiclient'))
    need(folders, "Google's Python client")
    sys.path.insert(0, os.path.dirname(folders[0]))
    tell(' '.join(f'{name} {metadata.version(name)}' for name in ('google-api-python-client', 'google-auth')))


@pytest.fixture(scope='session')
def google_node():
    """The folder with Google's Node client in its node_modules."""
    folder, program = os.path.join(PLACE, 'node'), shutil.which('node')
    need(program and os.path.isdir(os.path.join(folder, 'node_modules', '@googleapis', 'drive')),
         "Google's Node client")
    return folder
