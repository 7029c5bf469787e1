"""
The listening side: one thread per connection, plain HTTP and TLS on a port each, and CONNECT as a proxy that ends TLS
itself for Google's names and refuses every other, so that nothing of a test ever leaves the machine. Applies the
faults of a request around its answer, and logs it.
"""

import random
import socket
import ssl
import threading
import time
from email.utils import formatdate

from . import control, keys, refusal, router
from .wire import Peer, PeerGone, Response, Throttle, read_request, send_response

BACKLOG = 256


def context_of(path):
    """TLS with PATH.pem and PATH.key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f'{path}.pem', f'{path}.key')
    context.set_alpn_protocols(['http/1.1'])
    return context


class Front:
    def __init__(self, service, certificates):
        self.service = service
        self.stopping = threading.Event()
        self.release_count = 0
        self.lock = threading.Lock()
        self.sockets, self.listeners, self.numbers = set(), [], 0
        self.line = None
        self.context = context_of(f'{certificates}/server')

    # Listening

    def listen(self, port=0, context=None):
        """Serves that port of loopback, with TLS where there is a CONTEXT; the port."""
        listener = socket.create_server(('127.0.0.1', port), backlog=BACKLOG)
        self.listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, context), daemon=True).start()
        return listener.getsockname()[1]

    def _accept(self, listener, context):
        while not self.stopping.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.numbers += 1
                number = self.numbers
                self.sockets.add(sock)
            threading.Thread(target=self._connection, args=(sock, number, context), daemon=True).start()

    def close(self):
        self.stopping.set()
        for listener in self.listeners:
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()
        self.drop_connections()

    def drop_connections(self):
        """Closes all connections that are open now; how many."""
        with self.lock:
            some = list(self.sockets)
        for sock in some:
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                pass
        return len(some)

    def pause(self, seconds):
        if seconds > 0:
            self.stopping.wait(seconds)

    # Connections

    def _connection(self, sock, number, context):
        peer = Peer(sock, number, self.pause)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context:
                self._start_tls(peer, context)
            while self._serve_one(peer):
                pass
        except (PeerGone, OSError):
            pass
        finally:
            with self.lock:
                self.sockets.discard(sock)
                self.sockets.discard(peer.sock)
            try:
                peer.sock.close()
            except OSError:
                pass

    def _start_tls(self, peer, context):
        with self.lock:
            self.sockets.discard(peer.sock)
        peer.sock = context.wrap_socket(peer.sock, server_side=True)
        peer.scheme = 'https'
        with self.lock:
            self.sockets.add(peer.sock)

    def _serve_one(self, peer):
        """One request and its answer; whether another may follow."""
        request = read_request(peer)
        if request is None:
            return False
        if request.method == 'CONNECT':
            return self._connect(peer, request)
        if request.path.startswith('/control/'):
            response = control.answer(self, request)
            return send_response(peer, request, response, self.stopping.is_set)
        return self._serve_api(peer, request)

    def _connect(self, peer, request):
        name = request.target.rpartition(':')[0]
        if name not in (*keys.NAMES, '127.0.0.1') or peer.scheme == 'https':
            peer.send(b'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
            return False
        peer.send(b'HTTP/1.1 200 Connection established\r\n\r\n')
        self._start_tls(peer, self.context)
        return True

    def _serve_api(self, peer, request):
        service, started = self.service, time.monotonic()
        route, args = router.find(request)
        subject = router.subject_of(service, route, args, request)
        request.fault, request.fault_numbers = service.faults.take(subject)
        event = new_event(peer, request, subject, router.units_of(route))
        try:
            response = self._respond(peer, request, route, args)
        except (PeerGone, OSError):
            event.update(gone=True, bytes_in=request.body.received, seconds=seconds_since(started))
            service.journal.add(event)
            raise
        response.headers.append(('Date', formatdate(service.world.now() / 1000, usegmt=True)))
        length = response.length if response.content is not None else len(response.body)
        # Logged before it is sent, so that who has the answer finds it in the log.
        event.update(status=response.status, reason=response.reason, id=event['id'] or response.file_id,
                     answer_range=response.header('Range') or response.header('Content-Range'),
                     bytes_in=request.body.received, bytes_out=length, seconds=seconds_since(started))
        service.journal.add(event)
        try:
            return send_response(peer, request, response, self._release_mark())
        except (PeerGone, OSError):
            event['gone'] = True
            raise
        finally:
            if response.sent != length:
                service.journal.correct(event, response.sent)

    def _release_mark(self):
        """A function that tells whether stalls that began now are over."""
        mark = self.release_count
        return lambda: self.stopping.is_set() or self.release_count != mark

    def release(self):
        self.release_count += 1

    # Faults

    def _respond(self, peer, request, route, args):
        fault, settings = request.fault, self.service.settings
        self._slow_down(peer, fault, settings)
        if fault.get('reset') == 'before':
            peer.reset()
        if 'stall' in fault and not {'stall_after', 'stall_request'} & set(fault):
            self._stall(peer, fault)
        if fault.get('reset') == 'during':
            request.body.limit = (fault.get('reset_after', 0), peer.reset)
        elif 'stall_request' in fault:
            request.body.limit = (fault['stall_request'], lambda: self._stall(peer, fault))
        request.body.corrupt = fault.get('corrupt')
        is_error = 'status' in fault or 'reason' in fault
        if is_error and fault.get('when', 'before') == 'before':
            request.body.drain()
            return error_of(fault)
        response = router.answer(self.service, route, args, request)
        request.body.drain()
        if fault.get('reset') == 'after':
            peer.reset()
        return error_of(fault) if is_error else response

    def _slow_down(self, peer, fault, settings):
        wait = fault.get('delay', settings.latency) + random.random() * fault.get('jitter', settings.jitter)
        self.pause(wait)
        peer.throttles = []
        if 'bandwidth' in fault:
            peer.throttles.append(Throttle(fault['bandwidth']))
        if settings.bandwidth:
            with self.lock:
                if self.line is None or self.line.rate != settings.bandwidth:
                    self.line = Throttle(settings.bandwidth)
            peer.throttles.append(self.line)

    def _stall(self, peer, fault):
        seconds = fault.get('stall', 3600)
        peer.stall(3600 if seconds is True else seconds, self._release_mark())


def seconds_since(started):
    return round(time.monotonic() - started, 4)


def new_event(peer, request, subject, units):
    """What the log tells of a request before its answer."""
    query = {name: value for name, value in request.query.items() if name not in ('upload_id', 'access_token')}
    return {
        'time': round(time.time(), 4), 'connection': peer.number, 'scheme': peer.scheme, 'version': request.version,
        'host': request.host, 'method': request.method, 'path': request.path, 'query': query,
        'kind': subject['kind'], 'user': subject['user'], 'name': subject['name'], 'id': subject['id'],
        'range': subject['range'], 'content_range': subject['content_range'],
        'user_agent': request.headers.get('user-agent'), 'faults': request.fault_numbers, 'units': units,
        'status': None, 'bytes_out': 0,
    }


def error_of(fault):
    """The answer that a rule asks for: JSON of the service, HTML of the front end, or plain text."""
    usual, message = refusal.COMMON.get(fault.get('reason'), (500, None))
    status = fault.get('status', usual)
    if fault.get('html'):
        response = Response.text(status, refusal.html_page(status), 'text/html; charset=UTF-8')
    elif 'text' in fault:
        response = Response.text(status, fault['text'])
    else:
        reason = fault.get('reason') or {429: 'rateLimitExceeded', 401: 'authError', 404: 'notFound'}.get(
            status, 'backendError' if status >= 500 else 'badRequest')
        message = fault.get('message') or message or refusal.COMMON.get(reason, (0, 'Error'))[1]
        response = router.refused(refusal.Refusal(status, reason, message))
    if 'retry_after' in fault:
        response.headers.append(('Retry-After', str(fault['retry_after'])))
    response.reason = response.reason or 'fault'
    return response
