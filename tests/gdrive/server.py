"""
The stand-in as a Python object: start it in a fixture, seed it, set faults, read its log, close it. README.md shows
one of each.
"""

import os
import shutil
import tempfile

from . import keys
from .front import Front, context_of
from .seed import Seeder
from .service import Service
from .tokens import DRIVE


class Server:
    """Listens on loopback from the moment it is made: plain HTTP, HTTPS, and as a CONNECT proxy on the plain port.
    FOLDER (made and removed where not given) gets ca.pem and what write_key() writes."""

    def __init__(self, folder=None, port=0, tls_port=0, seed=None):
        self.is_own_folder = folder is None
        self.folder = str(folder or tempfile.mkdtemp(prefix='gdrive-'))
        os.makedirs(self.folder, exist_ok=True)
        if not os.path.exists(f'{self.folder}/server.pem'):
            keys.put_certificates(self.folder)
        self.service = Service(seed)
        self.front = Front(self.service, self.folder)
        self.front.make_key = self.make_key
        self.port = self.front.listen(port)
        self.tls_port = self.front.listen(tls_port, self.front.context)

    @property
    def world(self):
        return self.service.world

    @property
    def faults(self):
        return self.service.faults

    @property
    def journal(self):
        return self.service.journal

    @property
    def seed(self):
        return Seeder(self.service)

    @property
    def url(self):
        """Base of everything over plain HTTP; also the proxy's address."""
        return f'http://127.0.0.1:{self.port}'

    @property
    def tls_url(self):
        return f'https://localhost:{self.tls_port}'

    @property
    def token_uri(self):
        return f'{self.url}/token'

    @property
    def ca(self):
        return f'{self.folder}/ca.pem'

    def set(self, **values):
        """Settings, by their names in settings.py."""
        self.service.settings = self.service.settings.changed(values)

    def add_user(self, email, **more):
        with self.world.lock:
            return self.world.add_user(email, **more)

    def add_account(self, email, token_uri=None, delegated=False, limit=0):
        """A service account; the contents of its key file. DELEGATED: it may act as others."""
        with self.world.lock:
            if email not in self.world.users:
                self.world.add_user(email, is_service=True).limit = limit
        return self.make_key(email, token_uri, (DRIVE,) if delegated else ())

    def make_key(self, email, token_uri=None, delegated=(), number=0):
        """One more key for an account; keys of one NUMBER have the same private half, to save time."""
        key = keys.make_account_key(email, token_uri or self.token_uri, number)
        tokens = self.service.tokens
        tokens.add_key(email, key['private_key_id'], keys.PublicKey.from_private_pem(key['private_key']))
        tokens.accounts[email].delegated |= set(DRIVE if delegated is True else delegated)
        return key

    def write_key(self, key, name='key.json'):
        path = os.path.join(self.folder, name)
        keys.write_account_key(path, key)
        return path

    def add_drive(self, name, members):
        with self.world.lock:
            return self.world.add_drive(name, members)

    def listen_as(self, name):
        """HTTPS on one more port, with a certificate of our CA that is for NAME only; its base URL."""
        path = os.path.join(self.folder, name)
        keys.make_certificate(keys.certificates(), path, [f'DNS:{name}'])
        return f'https://localhost:{self.front.listen(0, context_of(path))}'

    def proxy_environment(self):
        """Variables that send a client's requests to Google here instead."""
        return {'HTTPS_PROXY': self.url, 'https_proxy': self.url, 'NO_PROXY': '', 'no_proxy': '',
                'SSL_CERT_FILE': self.ca, 'NODE_EXTRA_CA_CERTS': self.ca, 'REQUESTS_CA_BUNDLE': self.ca}

    def close(self):
        self.front.close()
        if self.is_own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
