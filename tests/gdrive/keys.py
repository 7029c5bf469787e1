"""
Keys and certificates: service-account key files for clients, RSA signatures checked without any library, and a CA
with one server certificate for Google's names and loopback, made by the openssl command.
"""

import atexit
import base64
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from functools import lru_cache

# Names that clients ask for. Tests connect to loopback, or through CONNECT to Google's names.
NAMES = ('www.googleapis.com', 'oauth2.googleapis.com', 'accounts.google.com', 'drive.googleapis.com',
         'content.googleapis.com', 'localhost')
# DER of AlgorithmIdentifier sha256 with the head of an OCTET STRING of 32 bytes (RFC 8017, 9.2, note 1).
SHA256_PREFIX = bytes.fromhex('3031300d060960864801650304020105000420')


def run_openssl(*arguments, data=None):
    done = subprocess.run(['openssl', *arguments], input=data, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f'openssl {arguments[0]}: {done.stderr.decode(errors="replace").strip()}')
    return done.stdout


def der_items(data):
    """Tag and value of each item of a DER sequence's inside."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            n = length & 0x7f
            length = int.from_bytes(data[at:at + n], 'big')
            at += n
        yield tag, data[at:at + length]
        at += length


class PublicKey:
    """n and e, and D of the private half where it is ours (tests sign with it)."""

    def __init__(self, n, e, d=None):
        self.n, self.e, self.d = n, e, d
        self.size = (n.bit_length() + 7) // 8

    @classmethod
    def from_private_pem(cls, pem):
        """Of PKCS #8, as in service-account key files."""
        body = ''.join(line for line in pem.strip().splitlines() if not line.startswith('-----'))
        outer = list(der_items(next(der_items(base64.b64decode(body)))[1]))
        inner = list(der_items(next(der_items(outer[2][1]))[1]))
        n, e, d = (int.from_bytes(value, 'big') for _, value in inner[1:4])
        return cls(n, e, d)

    def _padded(self, message):
        digest = SHA256_PREFIX + hashlib.sha256(message).digest()
        return b'\0\1' + b'\xff' * (self.size - len(digest) - 3) + b'\0' + digest

    def verifies(self, message, signature):
        """RSASSA-PKCS1-v1_5 with SHA-256 (JWT's RS256)."""
        if len(signature) != self.size:
            return False
        number = int.from_bytes(signature, 'big')
        return number < self.n and pow(number, self.e, self.n).to_bytes(self.size, 'big') == self._padded(message)

    def sign(self, message):
        return pow(int.from_bytes(self._padded(message), 'big'), self.d, self.n).to_bytes(self.size, 'big')


@lru_cache
def private_pem(number):
    """An RSA key as PEM, the same for the same number in this process: making one takes a while."""
    return run_openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-outform', 'PEM').decode()


def make_account_key(email, token_uri, number=0, project='stand-in'):
    """The contents of a service-account key file, as the console would let one download it."""
    pem = private_pem(number)
    return {
        'type': 'service_account',
        'project_id': project,
        'private_key_id': secrets.token_hex(20),
        'private_key': pem,
        'client_email': email,
        'client_id': str(10 ** 20 + secrets.randbelow(10 ** 20)),
        'auth_uri': 'https://accounts.google.com/o/oauth2/auth',
        'token_uri': token_uri,
        'auth_provider_x509_cert_url': 'https://www.googleapis.com/oauth2/v1/certs',
        'client_x509_cert_url': f'https://www.googleapis.com/robot/v1/metadata/x509/{email.replace("@", "%40")}',
        'universe_domain': 'googleapis.com',
    }


def write_private(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w', encoding='utf-8') as file:
        file.write(text)


CERTIFICATES = ('ca.pem', 'server.pem', 'server.key')


@lru_cache
def certificates():
    """A folder with a CA and a certificate, made once in this process."""
    folder = tempfile.mkdtemp(prefix='gdrive-ca-')
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_certificates(folder)
    return folder


def put_certificates(folder):
    """Writes CERTIFICATES below FOLDER."""
    for name in CERTIFICATES:
        shutil.copy(os.path.join(certificates(), name), folder)


def make_key(path):
    key = run_openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256')
    write_private(path, key.decode())


def make_certificates(folder):
    ca = os.path.join(folder, 'ca')
    make_key(f'{ca}.key')
    run_openssl('req', '-x509', '-new', '-key', f'{ca}.key', '-out', f'{ca}.pem', '-days', '30', '-subj',
                '/CN=stand-in test CA', '-addext', 'keyUsage=critical,keyCertSign,cRLSign')
    make_certificate(folder, os.path.join(folder, 'server'), [f'DNS:{name}' for name in NAMES]
                     + ['IP:127.0.0.1', 'IP:::1'])


def make_certificate(ca_folder, path, names):
    """PATH.pem and PATH.key for NAMES, by the CA in CA_FOLDER."""
    ca = os.path.join(ca_folder, 'ca')
    make_key(f'{path}.key')
    request = run_openssl('req', '-new', '-key', f'{path}.key', '-subj', f'/CN={names[0].partition(":")[2]}')
    with open(f'{path}.ext', 'w', encoding='utf-8') as file:
        file.write(f'subjectAltName={",".join(names)}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n'
                   'keyUsage=critical,digitalSignature\n')
    run_openssl('x509', '-req', '-CA', f'{ca}.pem', '-CAkey', f'{ca}.key', '-set_serial', str(secrets.randbits(64)),
                '-days', '30', '-extfile', f'{path}.ext', '-out', f'{path}.pem', data=request)


def write_account_key(path, key):
    write_private(path, json.dumps(key, indent=2) + '\n')
