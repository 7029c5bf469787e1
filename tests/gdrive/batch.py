"""
POST /batch/drive/v3: up to 100 calls in one multipart body. It saves round trips, not units. Lines of the parts may
end with LF alone.
"""

import re

from . import refusal, router
from .wire import REASONS, Request, Response

CALLS = 100
LIMIT = 8 << 20


class Inner:
    """Stands for the connection of a call inside a batch: its body is there already."""

    def __init__(self, outer, data):
        self.number, self.scheme, self.data = outer.number, outer.scheme, data
        self.throttles = []

    def receive(self, n):
        piece, self.data = self.data[:n], self.data[n:]
        return piece


def handle(service, request):
    match = re.search(r'boundary=("([^"]+)"|[^;\s]+)', request.headers.get('content-type', ''))
    if not match:
        raise refusal.Refusal(400, 'badRequest', 'Missing multipart boundary')
    data = request.body.read(LIMIT).replace(b'\r\n', b'\n')
    boundary = b'--' + (match.group(2) or match.group(1)).encode()
    parts = [part for part in data.split(boundary)[1:] if not part.startswith(b'--')]
    if len(parts) > CALLS:
        raise refusal.Refusal(400, 'badRequest', f'The batch is too large: {CALLS} calls at most.')
    answers = []
    for part in parts:
        outer, _, inner = part.strip(b'\n').partition(b'\n\n')
        found = re.search(rb'^content-id:\s*<?([^>\n]+)>?', outer, re.IGNORECASE | re.MULTILINE)
        answers.append((found.group(1).decode() if found else '', one(service, request, inner)))
    mark = 'batch_stand_in'
    lines = []
    for name, answer in answers:
        lines += [f'--{mark}', 'Content-Type: application/http', f'Content-ID: <response-{name}>', '',
                  f'HTTP/1.1 {answer.status} {REASONS.get(answer.status, "")}',
                  *(f'{key}: {value}' for key, value in answer.headers), f'Content-Length: {len(answer.body)}', '',
                  answer.body.decode()]
    text = '\r\n'.join([*lines, f'--{mark}--', ''])
    return Response(200, [('Content-Type', f'multipart/mixed; boundary={mark}')], text.encode())


def one(service, request, data):
    head, _, body = data.partition(b'\n\n')
    lines = head.decode('utf-8', 'replace').split('\n')
    match = re.match(r'([A-Z]+) (\S+)', lines[0])
    if not match:
        return router.refused(refusal.Refusal(400, 'badRequest', 'Malformed call in a batch.'))
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(':') for line in lines[1:])}
    headers.setdefault('authorization', request.headers.get('authorization', ''))
    headers.update(host=request.host)
    headers['content-length'] = str(len(body))
    headers.pop('accept-encoding', None)
    inner = Request(Inner(request.peer, body), match.group(1), match.group(2), 'HTTP/1.1', headers)
    route, args = router.find(inner)
    if route is None or '/upload/' in inner.path or 'media' in route.kind or route.handler is None:
        return router.refused(refusal.Refusal(400, 'badRequest', 'This call cannot be part of a batch.'))
    return router.answer(service, route, args, inner)
