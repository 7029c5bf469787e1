"""
HTTP/1.1 on one socket: requests with bodies of any size, answers in one write, and everything that can go wrong on
the way when a fault says so: resets, stalls, cut and flipped bytes, slow lines.
"""

import json
import re
import select
import socket
import struct
import threading
import time
from urllib.parse import parse_qsl, unquote, urlsplit

PIECE = 1 << 20
HEAD_LIMIT = 64 << 10
REASONS = {200: 'OK', 204: 'No Content', 206: 'Partial Content', 308: 'Resume Incomplete', 400: 'Bad Request',
           401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed', 409: 'Conflict',
           410: 'Gone', 411: 'Length Required', 413: 'Payload Too Large', 416: 'Requested Range Not Satisfiable',
           429: 'Too Many Requests', 499: 'Client Closed Request', 500: 'Internal Server Error', 502: 'Bad Gateway',
           503: 'Service Unavailable', 504: 'Gateway Timeout'}


class PeerGone(Exception):
    """The other side closed or reset the connection, or a fault did."""


class Response:
    """BODY is bytes; or CONTENT yields LENGTH bytes."""

    def __init__(self, status, headers=(), body=b'', content=None, length=None):
        self.status, self.headers, self.body = status, list(headers), body
        self.content, self.length = content, length
        self.reason = None       # of the error in it, for the log
        self.is_chunked = False
        self.file_id = None
        self.sent = 0            # bytes of body that went out

    @classmethod
    def json(cls, value, status=200):
        text = json.dumps(value, indent=1, ensure_ascii=False).encode('utf-8', 'surrogatepass')
        return cls(status, [('Content-Type', 'application/json; charset=UTF-8')], text)

    @classmethod
    def text(cls, status, text, kind='text/plain; charset=utf-8'):
        return cls(status, [('Content-Type', kind)], text.encode())

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Throttle:
    """A line of so many bytes a second, shared by whoever uses it."""

    def __init__(self, rate):
        self.rate = rate
        self.lock = threading.Lock()
        self.free_at = time.monotonic()

    def take(self, n):
        """How long to wait for N bytes."""
        with self.lock:
            now = time.monotonic()
            self.free_at = max(self.free_at, now) + n / self.rate
            return self.free_at - now


class Peer:
    """One connection. PAUSE(seconds) waits, and returns early when the server stops."""

    def __init__(self, sock, number, pause):
        self.sock, self.number, self.pause = sock, number, pause
        self.scheme, self.tunnel = 'http', None
        self.buffer = bytearray()
        self.throttles = []

    def receive(self, n=PIECE):
        if self.buffer:
            piece = bytes(self.buffer[:n])
            del self.buffer[:n]
            return piece
        try:
            return self.sock.recv(n)
        except (OSError, ValueError) as error:
            raise PeerGone from error

    def read_until(self, mark, limit):
        """Bytes up to and with MARK; None where the connection ends before the first byte."""
        while mark not in self.buffer:
            if len(self.buffer) > limit:
                raise PeerGone
            try:
                more = self.sock.recv(HEAD_LIMIT)
            except (OSError, ValueError) as error:
                raise PeerGone from error
            if not more:
                if self.buffer:
                    raise PeerGone
                return None
            self.buffer += more
        at = self.buffer.index(mark) + len(mark)
        taken = bytes(self.buffer[:at])
        del self.buffer[:at]
        return taken

    def send(self, data):
        for throttle in self.throttles:
            self.pause(throttle.take(len(data)))
        try:
            self.sock.sendall(data)
        except (OSError, ValueError) as error:
            raise PeerGone from error

    def abort(self):
        """Ends the connection from another thread; whoever serves it sees it gone."""
        try:
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # not of the TLS layer, which is in use
        except OSError:
            pass

    def reset(self):
        """Closes with RST instead of FIN."""
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            self.sock.close()
        except OSError:
            pass
        raise PeerGone

    def stall(self, seconds, is_over):
        """Does nothing for so long, or until is_over() or the peer hangs up; then resets."""
        poll = select.poll()
        poll.register(self.sock.fileno(), select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not is_over():
            if poll.poll(20):
                break
        self.reset()


class Body:
    """A request's body, read once. LENGTH is None when it is chunked."""

    def __init__(self, peer, length, expects):
        self.peer, self.length, self.expects = peer, length, expects
        self.left = length
        self.received = 0
        self.limit = None        # (bytes, function): called when so many came
        self.corrupt = None      # offset of a byte that arrives wrong
        self.is_done = length == 0

    def _next(self):
        if self.expects:
            self.expects = False
            self.peer.send(b'HTTP/1.1 100 Continue\r\n\r\n')
        if self.length is None:
            if not self.left:
                self.left = int(self.peer.read_until(b'\r\n', 1024).split(b';')[0], 16)
                if not self.left:
                    while self.peer.read_until(b'\r\n', HEAD_LIMIT) not in (b'\r\n', None):
                        pass
                    return b''
            piece = self._take()
            if not self.left:
                self.peer.read_until(b'\r\n', 1024)
            return piece
        return self._take() if self.left else b''

    def _take(self):
        n = min(self.left, PIECE)
        if self.limit:
            n = max(min(n, self.limit[0] - self.received), 1)
        piece = self.peer.receive(n)
        if not piece:
            raise PeerGone
        self.left -= len(piece)
        return piece

    def pieces(self):
        while not self.is_done:
            if self.limit and self.received >= self.limit[0]:
                self.limit[1]()
            piece = self._next()
            if not piece:
                self.is_done = True
                return
            for throttle in self.peer.throttles:
                self.peer.pause(throttle.take(len(piece)))
            if self.corrupt is not None and 0 <= self.corrupt - self.received < len(piece):
                at = self.corrupt - self.received
                piece = piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1:]
            self.received += len(piece)
            if self.length is not None and not self.left:
                self.is_done = True
            yield piece

    def peek(self, n):
        """Up to N bytes of the beginning, which stay to be read; nothing of a chunked body."""
        n = min(self.left or 0, n)
        if self.length is None or self.expects or not n:
            return b''
        data = b''
        while len(data) < n:
            piece = self.peer.receive(n - len(data))
            if not piece:
                raise PeerGone
            data += piece
        self.peer.buffer[:0] = data
        return data

    def read(self, limit):
        data = bytearray()
        for piece in self.pieces():
            data += piece
            if len(data) > limit:
                raise PeerGone
        return bytes(data)

    def drain(self):
        for _ in self.pieces():
            pass


class Request:
    def __init__(self, peer, method, target, version, headers):
        self.peer, self.method, self.version, self.headers = peer, method, version, headers
        self.target = target
        parts = urlsplit(target if '://' in target else 'http://host' + target)
        self.path, self.raw_query = unquote(parts.path), parts.query
        self.host = parts.netloc if '://' in target else headers.get('host', '')
        self.origin = f'{peer.scheme}://{self.host}'
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.fault, self.fault_numbers = {}, []
        self.lacks_length = method in ('POST', 'PUT', 'PATCH') and not {'content-length',
                                                                        'transfer-encoding'} & set(headers)
        chunked = headers.get('transfer-encoding', '').lower() == 'chunked'
        length = None if chunked else int(headers.get('content-length') or 0)
        self.body = Body(peer, length, headers.get('expect', '').lower() == '100-continue')

    @property
    def keeps_alive(self):
        words = self.headers.get('connection', '').lower()
        return 'close' not in words and (self.version == 'HTTP/1.1' or 'keep-alive' in words)


def read_request(peer):
    """The next request; None where the peer has no more."""
    head = peer.read_until(b'\r\n\r\n', HEAD_LIMIT)
    if head is None:
        return None
    lines = head.decode('latin-1').split('\r\n')
    match = re.fullmatch(r'([A-Z]+) (\S+) (HTTP/1\.[01])', lines[0])
    if not match:
        raise PeerGone
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(':')
        if name:
            headers[name.strip().lower()] = value.strip()
    return Request(peer, *match.groups(), headers)


def head_of(response, extra=()):
    lines = [f'HTTP/1.1 {response.status} {REASONS.get(response.status, "Status")}']
    lines += [f'{name}: {value}' for name, value in (*response.headers, *extra)]
    return ('\r\n'.join(lines) + '\r\n\r\n').encode('latin-1')


def chunks_of(body):
    """BODY in two chunks, so that clients cannot count on one."""
    middle = len(body) // 2
    parts = [part for part in (body[:middle], body[middle:]) if part]
    return b''.join(b'%x\r\n%s\r\n' % (len(part), part) for part in parts) + b'0\r\n\r\n'


def flipped(pieces, offset):
    at = 0
    for piece in pieces:
        if at <= offset < at + len(piece):
            i = offset - at
            piece = piece[:i] + bytes([piece[i] ^ 1]) + piece[i + 1:]
        at += len(piece)
        yield piece


def send_response(peer, request, response, is_over):
    """Writes the answer with what the request's fault does to it; whether the connection can go on."""
    fault = request.fault
    response.sent = 0
    length = response.length if response.content is not None else len(response.body)
    has_body = response.status != 204 and request.method != 'HEAD'
    pieces = response.content if response.content is not None else [response.body]
    if 'flip' in fault:
        pieces = flipped(pieces, fault['flip'])
    cut = next((fault[name] for name in ('cut', 'stall_after') if name in fault), None)
    if fault.get('reset') == 'answer':
        cut = fault.get('reset_after', 0)
    claimed = length + fault.get('content_length', 0)
    headers = [pair for pair in response.headers if pair[0].lower() not in map(str.lower, fault.get('strip', ()))
               and pair[0].lower() != 'content-length']
    plain = Response(response.status, headers)
    keeps = request.keeps_alive
    extra = [('Connection', 'keep-alive' if keeps else 'close')]
    keeps = keeps and 'close' not in fault
    if response.is_chunked and not {'cut', 'content_length', 'stall_after'} & set(fault) and fault.get(
            'reset') != 'answer':
        peer.send(head_of(plain, (*extra, ('Transfer-Encoding', 'chunked'))) + chunks_of(b''.join(pieces)))
        response.sent = length
        return keeps
    if response.status != 204:
        extra.append(('Content-Length', str(claimed)))
    pending = head_of(plain, extra)
    stop = min(claimed, length if cut is None else cut)
    for piece in pieces if has_body else ():
        piece = piece[:stop - response.sent]
        peer.send(pending + piece if len(piece) < PIECE else pending)
        if len(piece) >= PIECE:
            peer.send(piece)
        pending, response.sent = b'', response.sent + len(piece)
        if response.sent >= stop:
            break
    if pending:
        peer.send(pending)
    if fault.get('reset') == 'answer':
        peer.reset()
    if 'stall_after' in fault:
        peer.stall(fault.get('stall', 3600), is_over)
    return keeps and (not has_body or response.sent == claimed)
