"""Google's Node client against the stand-in: google_node.js has the checks, each of which is a case here."""

import json
import os
import re
import subprocess

import pytest

from gdrive.clients.installed import tell
from gdrive.server import Server

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, 'google_node.js')
ANN, BOT = 'ann@studio.test', 'bot@stand-in.iam.gserviceaccount.com'
with open(SCRIPT, encoding='utf-8') as text:
    NAMES = re.findall(r"^  async '(.*)'\(\) \{$", text.read(), re.MULTILINE)


@pytest.fixture(scope='module')
def results(google_node):
    """Name -> 'ok' or what was wrong; one run for all."""
    with open(os.path.join(google_node, 'node_modules/@googleapis/drive/package.json'), encoding='utf-8') as file:
        version = json.load(file)['version']
    node = subprocess.run(['node', '--version'], capture_output=True, text=True, check=True).stdout.strip()
    tell(f'@googleapis/drive {version} (node {node})')
    with Server(seed=6) as server:
        server.add_user(ANN)
        key = {**server.add_account(BOT, delegated=True), 'token_uri': 'https://oauth2.googleapis.com/token'}
        drive = server.add_drive('Show', {ANN: 'organizer', BOT: 'fileOrganizer'})
        server.seed.many('Show/many', files=250)
        state = {'key': key, 'drive': drive.id, 'owner': ANN, 'many': server.seed.find('Show/many').id,
                 'url': server.url}
        done = subprocess.run(
            ['node', SCRIPT], capture_output=True, text=True, timeout=100, check=False,
            env={'PATH': os.environ['PATH'], 'CLIENT_FOLDER': google_node, 'STATE': json.dumps(state),
                 'GOOGLE_SDK_NODE_LOGGING': '', **server.proxy_environment()})
    lines = re.findall(r'^(ok|not ok) ([^:\n]*)(?:: (.*))?$', done.stdout, re.MULTILINE)
    return {name: 'ok' if word == 'ok' else why for word, name, why in lines} or {'': done.stderr}


@pytest.mark.parametrize('name', NAMES)
def test_node(results, name):
    assert results.get(name, results) == 'ok'
