"""What the server's own cases use: a client of bare HTTP, and signed assertions for the token endpoint."""

import base64
import json
import threading
import time
from http.client import HTTPConnection
from urllib.parse import urlencode

from . import keys

BOT, ANN = 'bot@stand-in.iam.gserviceaccount.com', 'ann@studio.test'
SCOPE = 'https://www.googleapis.com/auth/drive'


def assertion(key, claims=None, head=None):
    """A signed JWT for the token endpoint; CLAIMS and HEAD replace parts of a right one."""
    def encode(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b'=')

    now = int(time.time())
    claims = {'iss': key['client_email'], 'scope': SCOPE, 'aud': key['token_uri'], 'iat': now, 'exp': now + 3600,
              **(claims or {})}
    text = encode({'alg': 'RS256', 'typ': 'JWT', 'kid': key['private_key_id'], **(head or {})}) + b'.' + encode(claims)
    signature = keys.PublicKey.from_private_pem(key['private_key']).sign(text)
    return (text + b'.' + base64.urlsafe_b64encode(signature).rstrip(b'=')).decode()


def wait_until(is_so):
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


class Answer:
    def __init__(self, status, headers, data):
        self.status, self.headers, self.data = status, headers, data

    @property
    def json(self):
        return json.loads(self.data)

    @property
    def reason(self):
        """Of the error in it."""
        return self.json['error']['errors'][0]['reason']

    def __repr__(self):
        return f'{self.status} {self.data[:300]!r}'


class Bare:
    """Requests as one writes them, over a connection that is kept; as USER of the server."""

    def __init__(self, server, user):
        self.server, self.user = server, user
        self.renew()
        self.connection = HTTPConnection('127.0.0.1', server.port, timeout=20)

    def renew(self):
        """A fresh token."""
        self.token = self.server.service.tokens.issue(self.user, 'stand-in', {SCOPE}, 3600)

    def call(self, method, path, query=None, data=None, **headers):
        """Query as a dict; DATA as JSON unless it is bytes."""
        text = path if path.startswith(('/token', '/control', '/upload', '/batch')) else f'/drive/v3{path}'
        if query:
            text += ('&' if '?' in text else '?') + urlencode(query)
        if data is not None and not isinstance(data, bytes):
            data = json.dumps(data).encode()
            headers.setdefault('Content_Type', 'application/json')
        headers = {name.replace('_', '-'): value for name, value in headers.items() if value is not None}
        headers.setdefault('Authorization', f'Bearer {self.token}')
        self.connection.request(method, text, data, headers)
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def get(self, path, **query):
        return self.call('GET', path, {'supportsAllDrives': 'true', **query})

    def create(self, name, data=None, parent=None, **body):
        """A folder without DATA, else a file by multipart."""
        body = {'name': name, **({'parents': [parent]} if parent else {}), **body}
        query = {'supportsAllDrives': 'true', 'fields': '*'}
        if data is None:
            return self.call('POST', '/files', query, {'mimeType': 'application/vnd.google-apps.folder', **body})
        text = (b'--cut\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n' + json.dumps(body).encode()
                + b'\r\n--cut\r\nContent-Type: application/octet-stream\r\n\r\n' + data + b'\r\n--cut--\r\n')
        return self.call('POST', '/upload/drive/v3/files?uploadType=multipart', query, text,
                         Content_Type='multipart/related; boundary=cut')

    def patch(self, file_id, body, **query):
        return self.call('PATCH', f'/files/{file_id}', {'supportsAllDrives': 'true', 'fields': '*', **query}, body)

    def open_session(self, name, parent, total=None, file_id=None, **body):
        """Path and query of a fresh resumable session."""
        path = '/upload/drive/v3/files' + (f'/{file_id}' if file_id else '')
        body = {'name': name, **body} if file_id else {'name': name, 'parents': [parent], **body}
        answer = self.call('PATCH' if file_id else 'POST', path,
                           {'uploadType': 'resumable', 'supportsAllDrives': 'true', 'fields': '*'}, body,
                           X_Upload_Content_Length=None if total is None else str(total))
        assert answer.status == 200, answer
        return answer.headers['Location'].partition(f':{self.server.port}')[2]

    def put(self, session, data=b'', span=None, **headers):
        return self.call('PUT', session, None, data, Content_Range=span and f'bytes {span}', Authorization='none',
                         **headers)

    def close(self):
        self.connection.close()


class Studio:
    """A server with a shared drive of two, and My Drive of one of them."""

    def __init__(self, server):
        self.server = server
        server.add_user(ANN)
        self.key = server.add_account(BOT, delegated=True)
        self.drive = server.add_drive('Show', {ANN: 'organizer', BOT: 'fileOrganizer'})
        self.clients = []

    def bare(self, user=BOT):
        self.clients.append(Bare(self.server, user))
        return self.clients[-1]
