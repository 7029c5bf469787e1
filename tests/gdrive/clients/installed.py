"""
Where tools/get-drive-clients put the clients, what to do where one is missing, and which versions took part. Without a
client its suite is skipped, in CI failed.
"""

import os

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PLACE = os.environ.get('SITEFS_DRIVE_CLIENTS') or os.path.join(ROOT, 'build', 'drive-clients')
IS_STRICT = os.environ.get('SITEFS_REQUIRE', '') not in ('', '0')
VERSIONS = []


def need(found, what, remedy='run tools/get-drive-clients'):
    if found:
        return
    text = f'{what} is missing: {remedy}'
    if IS_STRICT:
        pytest.fail(text)
    pytest.skip(text)


def tell(version):
    """Puts a version into the summary."""
    if version not in VERSIONS:
        VERSIONS.append(version)
