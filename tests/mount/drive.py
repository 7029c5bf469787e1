"""Google Drive as the world's remote, played by the stand-in server (tests/gdrive) in this process."""

import json
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from gdrive.server import Server  # noqa: E402

BOT, ANN = 'bot@stand-in.iam.gserviceaccount.com', 'ann@studio.test'


class Drive:
    """The server, and the world's remote on it."""

    def __init__(self, world, server):
        self.world, self.server = world, server
        server.add_user(ANN)
        self.key = server.write_key(server.add_account(BOT, delegated=True))
        self.set_role('writer')
        server.seed.folder('Show/work')
        world.configure(remote_site='gdrive')
        self.configure('/Show/work')

    def set_role(self, role):
        drives = [each for each in self.server.world.drives.values() if each.name == 'Show']
        members = {ANN: 'organizer', BOT: role}
        if drives:
            drives[0].members = members
        else:
            self.server.add_drive('Show', members)

    def configure(self, root, **more):
        site = {'credentials_url': self.key, 'endpoint': self.server.url, 'root': {'work': root}, **more}
        (self.world.presets / 'gdrive.json').write_text(json.dumps({'gdrive': site}))

    def files(self, top='Show/work'):
        """Path -> size of what is there; a path that stands for two is a fault."""
        found = {}
        for path, entries in self.server.seed.listing(top).items():
            entries = [entry for entry in entries if not entry['trashed']]
            assert len(entries) <= 1, f'{len(entries)} at Drive: {path}'
            found.update({path: entry['size'] for entry in entries if not entry['folder']})
        return found

    def requests(self, kind, since=0):
        return [event for event in self.server.journal.since(since, kind)]

    def is_recorded(self, rel):
        return self.world.is_recorded(rel, 'gdrive')


def readable_secrets(world, server):
    """Files of the stories that hold a token or a session and that others may read."""
    secrets = [str(each).encode() for each in (*server.service.tokens.issued, *server.service.uploads.sessions)]
    for site in world.sites.values():
        for path in [*(site.dir / 'state').rglob('*'), *site.runtime.rglob('*')]:
            if path.is_file() and path.stat().st_mode & 0o077 and path.parent.stat().st_mode & 0o077:
                data = path.read_bytes()
                if any(secret in data for secret in secrets):
                    yield path


@pytest.fixture
def drive(world, studio):
    with Server(seed=1) as server:
        drive = Drive(world, server)
        server_key = drive.key
        yield drive
        # law 10: nothing secret in what anybody wrote
        said = ''.join(text for _, text in world.logs()) + ''.join(world.said)
        key = json.loads(open(server_key, encoding='utf-8').read())['private_key'].split('\n')[1]
        for secret in (*server.service.tokens.issued, *server.service.uploads.sessions, 'PRIVATE KEY', key):
            assert str(secret) not in said
        assert not list(readable_secrets(world, server))
