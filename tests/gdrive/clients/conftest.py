"""The clients that tools/get-drive-clients installed; without one its suite is skipped, in CI failed."""

import glob
import os
import shutil
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PLACE = os.environ.get('SITEFS_DRIVE_CLIENTS') or os.path.join(ROOT, 'build', 'drive-clients')
IS_STRICT = os.environ.get('SITEFS_REQUIRE', '') not in ('', '0')
VERSIONS = []


def need(found, what):
    if found:
        return
    text = f'{what} is missing: run tools/get-drive-clients'
    if IS_STRICT:
        pytest.fail(text)
    pytest.skip(text)


def pytest_terminal_summary(terminalreporter):
    for version in VERSIONS:
        terminalreporter.write_line(f'client: {version}')


def told(version):
    if version not in VERSIONS:
        VERSIONS.append(version)


@pytest.fixture(scope='session')
def rclone_program():
    program = shutil.which('rclone')
    need(program, 'rclone')
    told(subprocess.run([program, 'version'], capture_output=True, text=True, check=True).stdout.split('\n')[0])
    return program


@pytest.fixture(scope='session')
def google_python():
    """Makes Google's Python client importable."""
    folders = glob.glob(os.path.join(PLACE, 'python', 'lib', 'python3*', 'site-packages', 'googleapiclient'))
    need(folders, "Google's Python client")
    sys.path.insert(0, os.path.dirname(folders[0]))
    from importlib.metadata import version
    told(' '.join(f'{name} {version(name)}' for name in ('google-api-python-client', 'google-auth')))


@pytest.fixture(scope='session')
def google_node():
    """The folder with Google's Node client in its node_modules."""
    folder, program = os.path.join(PLACE, 'node'), shutil.which('node')
    need(program and os.path.isdir(os.path.join(folder, 'node_modules', '@googleapis', 'drive')),
         "Google's Node client")
    return folder
