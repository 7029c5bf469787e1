"""
Bytes that come in: simple, multipart and resumable uploads, for new files and for existing ones. A session keeps what
arrived in multiples of 256 KiB and answers by what it kept, never by what was sent.
"""

import base64
import email.parser
import json
import re
import secrets
import threading

from . import files, refusal, resource
from .content import Bytes, Sink
from .tree import GOOGLE
from .wire import Response

GRAIN = 256 << 10
METADATA_LIMIT = 1 << 20
MULTIPART_LIMIT = 256 << 20
LARGEST = 5 << 40


def parse_json(data, content_type='application/json'):
    if not data.strip():
        return {}
    if not (content_type or '').lower().startswith('application/json'):
        raise refusal.Refusal(400, 'badContent', f'Unsupported content with type: {content_type}')
    try:
        return json.loads(data)
    except ValueError:
        raise refusal.Refusal(400, 'parseError', 'Parse Error') from None


# In one request

def split_multipart(content_type, data):
    """Metadata, type of the bytes, bytes. Lines may end with LF alone, as Google's Python client sends them."""
    match = re.search(r'boundary=("([^"]+)"|[^;\s]+)', content_type or '')
    if not match:
        raise refusal.Refusal(400, 'badRequest', 'Missing multipart boundary')
    boundary = b'--' + (match.group(2) or match.group(1)).encode()
    start = data.find(boundary)
    end_of_line = b'\r\n' if data[start + len(boundary):start + len(boundary) + 2] == b'\r\n' else b'\n'
    parts = data[start:].split(end_of_line + boundary)
    parts[0] = parts[0][len(boundary):]
    if start < 0 or len(parts) < 3 or not parts[-1].startswith(b'--'):
        raise refusal.Refusal(400, 'badRequest', 'Malformed multipart body.')
    found = []
    for part in parts[:-1]:
        head, _, body = part[len(end_of_line):].partition(end_of_line * 2)
        headers = email.parser.Parser().parsestr(head.decode('latin-1'))
        if headers.get('Content-Transfer-Encoding', '').lower() == 'base64':
            body = base64.b64decode(body)
        found.append((headers.get('Content-Type', ''), body))
    if len(found) != 2 or not found[0][0].lower().startswith('application/json'):
        raise refusal.Refusal(400, 'badRequest', 'Bad multipart body: a JSON part and a media part are expected.')
    return parse_json(found[0][1]), found[1][0], found[1][1]


def check_media(body, mime):
    if (body.get('mimeType') or mime).startswith(GOOGLE):
        raise refusal.Refusal(400, 'badRequest', 'Conversion of the uploaded content to the requested output type '
                                                 'is not supported.')


def store(call, body, mime, content):
    """Makes or replaces a file with the bytes that came; the entry."""
    with call.world.lock:
        if 'id' in call.args:
            entry = call.entry()
            if entry.content is None:
                raise refusal.Refusal(403, 'fileNotDownloadable', 'Content of this type cannot be replaced.')
            files.replace_content(call, entry, body, content, mime)
            return entry
        return files.make(call, body, content, body.get('mimeType') or mime or 'application/octet-stream')


def multipart(call):
    data = call.request.body.read(MULTIPART_LIMIT)
    body, mime, media = split_multipart(call.request.headers.get('content-type'), data)
    body = resource.new_metadata(body)
    check_media(body, mime)
    return store(call, body, mime, Bytes(media))


def media(call):
    sink = Sink()
    for piece in call.request.body.pieces():
        sink.write(piece)
    mime = call.request.headers.get('content-type') or 'application/octet-stream'
    check_media({}, mime)
    return store(call, {}, mime, sink.finish())


# Resumable

class Session:
    """Where an upload stands. Whoever has the id may write: no token is asked for."""

    def __init__(self, call, body, mime, total):
        self.id = 'ABg5' + secrets.token_urlsafe(90)
        self.call, self.body, self.mime, self.total = call, body, mime, total
        self.lock = threading.Lock()
        self.peer = None          # of the request that is being served
        self.sink = Sink()
        self.used = call.world.now()
        self.lost = None          # status of every later answer
        self.entry_id = None      # of the finished file

    @property
    def name(self):
        return self.body.get('name')

    @property
    def kept(self):
        return self.sink.size


class Uploads:
    def __init__(self, world, settings):
        self.world, self.settings = world, settings
        self.lock = threading.Lock()
        self.sessions = {}
        self.uris = []

    def start(self, call):
        """The answer to the request that opens a session."""
        body = resource.new_metadata(parse_json(call.request.body.read(METADATA_LIMIT),
                                                    call.request.headers.get('content-type')))
        headers = call.request.headers
        mime = headers.get('x-upload-content-type') or 'application/octet-stream'
        total = headers.get('x-upload-content-length')
        if total is not None and not total.isdigit():
            raise refusal.Refusal(400, 'badRequest', 'Invalid X-Upload-Content-Length')
        total = int(total) if total is not None else None
        if (total or 0) > LARGEST:
            raise refusal.Refusal(413, 'uploadTooLarge', 'Request is too large.')
        check_media(body, mime)
        resource.file_tree(call.params)
        with call.world.lock:
            if 'id' in call.args:
                entry = call.entry()
                files.may(call, entry, 'canModifyContent')
                call.meter.check_day(call.user)
                files.check_storage(call, entry.owner, total or 0)
            else:
                files.check_new(call, body, body.get('mimeType') or mime, total or 0)
        session = Session(call, body, mime, total)
        with self.lock:
            self.sessions[session.id] = session
        query = f'{call.request.raw_query}&upload_id={session.id}' if call.request.raw_query else \
            f'upload_id={session.id}'
        uri = f'{call.request.origin}{call.request.path}?{query}'
        self.uris.append(uri)
        return Response(200, [('Location', uri), ('X-GUploader-UploadID', session.id),
                              ('Content-Type', 'text/html; charset=UTF-8')])

    def find(self, session_id):
        session = self.sessions.get(session_id)
        age = self.world.now() - session.used if session else 0
        if session and age > self.settings().session_life * 1000:
            session.lost = session.lost or 404
        return session

    def lose(self, status=404, session_id=None):
        """Forgets one session or all that are open, as a server that went down does; how many."""
        with self.lock:
            some = [each for each in self.sessions.values()
                    if each.entry_id is None and not each.lost and session_id in (None, each.id)]
        for session in some:
            session.lost = status
        return len(some)

    def handle(self, request, session_id):
        session = self.find(session_id)
        if 'lose_session' in request.fault and session:
            session.lost = request.fault['lose_session'] if request.fault['lose_session'] is not True else 404
        if session is None or session.lost:
            request.body.drain()
            return Response.text(session.lost if session else 404, 'Not Found' if not session or session.lost == 404
                                 else 'Gone')
        # A newer request ends one that hangs, as where the client gave up a connection that is still open here.
        hanging = session.peer
        if hanging is not None:
            hanging.abort()
        with session.lock:
            session.peer, session.used = request.peer, self.world.now()
            try:
                return self._serve(request, session)
            finally:
                session.peer = None

    def _serve(self, request, session):
        if request.method == 'DELETE':
            session.lost = 404
            return Response(499, [('Content-Length', '0')])
        span = Span.parse(request)
        if session.entry_id is not None:
            request.body.drain()
            return self._finished(session)
        if span.total is not None and session.total not in (None, span.total):
            request.body.drain()
            return Response.text(400, 'Invalid request. The total size differs from that of the session.')
        if span.is_query:
            request.body.drain()
            if span.total is not None and span.total == session.kept:
                return self._finish(session)
            return self._incomplete(session)
        if span.start > session.kept:
            request.body.drain()
            return Response.text(self.settings().session_gap_status,
                                 'Invalid request.  According to the Content-Range header, the upload offset is '
                                 f'{span.start} byte(s), which exceeds already uploaded size of {session.kept} '
                                 'byte(s).')
        total = span.total if span.total is not None else session.total
        is_whole = self._receive(request, session, span, total)
        return self._finish(session) if is_whole else self._incomplete(session)

    def _receive(self, request, session, span, total):
        """Keeps what comes; true when that is the whole file."""
        skip, tail = session.kept - span.start, bytearray()
        room = request.fault.get('keep')
        room = None if room is None else max(room - skip, 0) // GRAIN * GRAIN
        for piece in request.body.pieces():
            if skip:
                skip, piece = max(skip - len(piece), 0), piece[skip:]
            tail += piece
            whole = len(tail) // GRAIN * GRAIN
            if room is not None:
                whole = min(whole, room)
                room -= whole
            if whole:
                session.sink.write(bytes(tail[:whole]))
                del tail[:whole]
            if room == 0:
                tail.clear()
        is_last = total is None and span.is_open or total is not None and session.kept + len(tail) >= total
        if is_last and room is None:
            session.sink.write(bytes(tail))
        return is_last and room is None

    def _incomplete(self, session):
        headers = [('Content-Length', '0'), ('X-GUploader-UploadID', session.id)]
        if session.kept:
            headers.insert(0, ('Range', f'bytes=0-{session.kept - 1}'))
        return Response(308, headers)

    def _finish(self, session):
        try:
            entry = store(session.call, session.body, session.mime, session.sink.finish())
        except refusal.Refusal:
            session.lost = 404
            raise
        session.entry_id, session.sink = entry.id, None
        return self._finished(session)

    def _finished(self, session):
        call = session.call
        with call.world.lock:
            entry = call.world.entries.get(session.entry_id)
            if entry is None:
                return Response.text(410, 'Gone')
            return Response.json(resource.file(entry, call.world, call.user, resource.file_tree(call.params)))


class Span:
    """Content-Range of a request to a session."""

    def __init__(self, start=0, total=None, is_query=False, is_open=False):
        self.start, self.total, self.is_query, self.is_open = start, total, is_query, is_open

    @classmethod
    def parse(cls, request):
        text, length = request.headers.get('content-range'), request.body.length
        if text is None:
            return cls(0, length, is_open=length is None)
        match = re.fullmatch(r'bytes (?:\*|(\d+)-(\d+))/(\*|\d+)', text.strip())
        bad = refusal.Refusal(400, 'badRequest', 'Failed to parse Content-Range header.')
        if not match:
            raise bad
        total = None if match.group(3) == '*' else int(match.group(3))
        if match.group(1) is None:
            if total == 0 or length:
                raise bad
            return cls(total=total, is_query=True)
        start, last = int(match.group(1)), int(match.group(2))
        if last < start or (total is not None and last >= total) or (length is not None and length != last - start + 1):
            raise bad
        return cls(start, total)
