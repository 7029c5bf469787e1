"""
Paths to methods: what each costs, what it needs, and how its answer or refusal looks.
"""

import gzip
import json
import re

from . import batch, changes, drives, files, listing, media, permissions, refusal, resource, revisions, uploads
from .quota import UNITS
from .service import Call
from .tokens import check_scopes
from .wire import Response

JSON_LIMIT = 4 << 20
PEEK = 16 << 10
NAME = re.compile(rb'"name"\s*:\s*("(?:\\.|[^"\\])*")')


class Route:
    """KIND is the name in faults and the log; COST a kind of units; HANDLER(call) gives the answer."""

    def __init__(self, kind, method, path, cost, handler, is_free=False):
        self.kind, self.method, self.cost, self.handler, self.is_free = kind, method, cost, handler, is_free
        self.path = re.compile(re.sub(r'\{(\w+)\}', r'(?P<\1>[^/]+)', path) + '$')


def with_body(method):
    """A handler whose method takes the JSON of the body, under the lock, and gives an entry."""
    def handle(call):
        tree = resource.file_tree(call.params)
        body = uploads.parse_json(call.request.body.read(JSON_LIMIT), call.request.headers.get('content-type'))
        with call.world.lock:
            return show(call, method(call, body), tree)
    return handle


def show(call, entry, tree):
    response = Response.json(resource.file(entry, call.world, call.user, tree))
    response.file_id = entry.id
    return response


def of_file(method):
    def handle(call):
        tree = resource.file_tree(call.params)
        with call.world.lock:
            return show(call, method(call), tree)
    return handle


def of_json(method):
    """A handler whose method gives JSON, or None for 204."""
    def handle(call):
        body = call.request.body.read(JSON_LIMIT)
        with call.world.lock:
            call.body = uploads.parse_json(body)
            value = method(call)
        return Response(204) if value is None else Response.json(value)
    return handle


def upload(call):
    kind = call.params.get('uploadType') or call.params.get('upload_type')
    if kind == 'resumable':
        return call.service.uploads.start(call)
    if kind not in ('media', 'multipart'):
        raise refusal.Refusal(400, 'badRequest', f'Unknown upload type: {kind}')
    tree = resource.file_tree(call.params)
    entry = (uploads.multipart if kind == 'multipart' else uploads.media)(call)
    with call.world.lock:
        return show(call, entry, tree)


V3 = '/drive/v3'
UP = '(?:/resumable)?/upload/drive/v3'
ROUTES = [
    Route('files.generateIds', 'GET', V3 + '/files/generateIds', 'other', of_json(files.generate_ids)),
    Route('files.emptyTrash', 'DELETE', V3 + '/files/trash', 'edit', of_json(files.empty_trash)),
    Route('files.list', 'GET', V3 + '/files', 'list', of_json(listing.list_files)),
    Route('files.create', 'POST', V3 + '/files', 'edit', with_body(files.create)),
    Route('files.media', 'GET', V3 + '/files/{id}', 'media', media.of_file),
    Route('files.get', 'GET', V3 + '/files/{id}', 'get', of_file(files.get)),
    Route('files.update', 'PATCH', V3 + '/files/{id}', 'edit', with_body(files.update)),
    Route('files.delete', 'DELETE', V3 + '/files/{id}', 'edit', of_json(files.delete)),
    Route('files.copy', 'POST', V3 + '/files/{id}/copy', 'edit', with_body(files.copy)),
    Route('files.create', 'POST', UP + '/files', 'edit', upload),
    Route('files.update', 'PATCH', UP + '/files/{id}', 'edit', upload),
    Route('revisions.list', 'GET', V3 + '/files/{id}/revisions', 'list', of_json(revisions.list_revisions)),
    Route('revisions.media', 'GET', V3 + '/files/{id}/revisions/{revision}', 'media', revisions.media_of),
    Route('revisions.get', 'GET', V3 + '/files/{id}/revisions/{revision}', 'get', of_json(revisions.get)),
    Route('revisions.update', 'PATCH', V3 + '/files/{id}/revisions/{revision}', 'edit', of_json(revisions.update)),
    Route('revisions.delete', 'DELETE', V3 + '/files/{id}/revisions/{revision}', 'edit', of_json(revisions.delete)),
    Route('permissions.list', 'GET', V3 + '/files/{id}/permissions', 'list', of_json(permissions.list_permissions)),
    Route('permissions.create', 'POST', V3 + '/files/{id}/permissions', 'edit', of_json(permissions.create)),
    Route('permissions.get', 'GET', V3 + '/files/{id}/permissions/{permission}', 'get', of_json(permissions.get)),
    Route('permissions.update', 'PATCH', V3 + '/files/{id}/permissions/{permission}', 'edit',
          of_json(permissions.update)),
    Route('permissions.delete', 'DELETE', V3 + '/files/{id}/permissions/{permission}', 'edit',
          of_json(permissions.delete)),
    Route('changes.start', 'GET', V3 + '/changes/startPageToken', 'other', of_json(changes.start)),
    Route('changes.list', 'GET', V3 + '/changes', 'list', of_json(changes.list_changes)),
    Route('about.get', 'GET', V3 + '/about', 'get', of_json(drives.about)),
    Route('drives.list', 'GET', V3 + '/drives', 'list', of_json(drives.list_drives)),
    Route('drives.create', 'POST', V3 + '/drives', 'edit', of_json(drives.create)),
    Route('drives.get', 'GET', V3 + '/drives/{id}', 'get', of_json(drives.get)),
    Route('drives.update', 'PATCH', V3 + '/drives/{id}', 'edit', of_json(drives.update)),
    Route('drives.delete', 'DELETE', V3 + '/drives/{id}', 'edit', of_json(drives.delete)),
    Route('batch', 'POST', '/batch/drive/v3', 'none', None),
    Route('token', 'POST', '/token|/oauth2/v4/token|/o/oauth2/token', 'none', None, is_free=True),
]
WRITING = ('create', 'update', 'delete', 'copy', 'emptyTrash')


def find(request):
    """The route of a request and what its path names."""
    if request.query.get('upload_id') and '/upload/' in request.path:
        is_query = request.headers.get('content-range', '').startswith('bytes */')
        kind = 'session.cancel' if request.method == 'DELETE' else 'session.query' if is_query else 'session.chunk'
        return Route(kind, request.method, '', 'none', None, is_free=True), {}
    is_media = request.query.get('alt') == 'media'
    for route in ROUTES:
        match = route.path.match(request.path)
        if match and route.method == request.method and ('.media' not in route.kind or is_media):
            return route, match.groupdict()
    return None, {}


def kind_of(route, request):
    """The route's kind with how an upload comes: files.create.multipart."""
    if route is None:
        return 'unknown'
    if '/upload/' in request.path and not route.kind.startswith('session'):
        return f'{route.kind}.{request.query.get("uploadType", "unknown")}'
    return route.kind


def name_of_new(route, request):
    """The name in the metadata that a create begins with."""
    if route is None or route.kind != 'files.create' or request.query.get('uploadType') == 'media':
        return None
    found = NAME.search(request.body.peek(PEEK))
    try:
        return json.loads(found.group(1)) if found else None
    except ValueError:
        return None


def subject_of(service, route, args, request):
    """What fault rules look at."""
    session = service.uploads.sessions.get(request.query.get('upload_id', ''))
    entry = service.world.entries.get(args.get('id') or (session.call.args.get('id') if session else None) or '')
    name = session.name if session and session.name else entry.name if entry else name_of_new(route, request)
    email = service.tokens.valid.get(request.headers.get('authorization', '').partition(' ')[2], ('',))[0]
    return {'kind': kind_of(route, request), 'method': request.method, 'path': request.path, 'host': request.host,
            'query': request.raw_query, 'name': name, 'id': args.get('id'),
            'user': email or (session.call.user.email if session else ''),
            'range': request.headers.get('range'), 'content_range': request.headers.get('content-range')}


def answer(service, route, args, request):
    """The response to a routed request; refusals are responses too."""
    try:
        if route is None:
            raise refusal.Refusal(404, 'notFound', 'Not Found')
        if request.lacks_length:
            return Response.text(411, 'Length Required')
        if route.kind.startswith('session'):
            return service.uploads.handle(request, request.query['upload_id'])
        if route.kind == 'token':
            own = [f'{request.origin}{request.path}']
            return Response.json(service.tokens.handle(request.body.read(JSON_LIMIT), own))
        if route.kind == 'batch':
            return batch.handle(service, request)
        return call_api(service, route, args, request)
    except refusal.Refusal as error:
        return refused(error)
    except refusal.TokenRefusal as error:
        response = Response(error.status, [('Content-Type', 'application/json; charset=utf-8')],
                            error.body().encode())
        response.reason = error.error
        return response


def refused(error):
    headers = [('Content-Type', 'application/json; charset=UTF-8')]
    if error.retry_after is not None:
        headers.append(('Retry-After', str(error.retry_after)))
    if error.status == 401:
        headers.append(('WWW-Authenticate', 'Bearer realm="https://accounts.google.com/", error="invalid_token"'))
    response = Response(error.status, headers, error.body().encode())
    response.reason = error.reason
    return response


def call_api(service, route, args, request):
    call = Call(service, request, request.query, args)
    token = request.query.get('access_token')
    header = request.headers.get('authorization') or (f'Bearer {token}' if token else None)
    call.user, scopes = service.tokens.user_of(header, request.fault)
    check_scopes(scopes, any(word in route.kind for word in WRITING), 'media' in route.kind)
    service.meter.spend(call.user, route.cost)
    if request.query.get('alt') not in (None, 'json', 'media'):
        raise refusal.invalid_parameter('alt', 'Invalid value')
    response = route.handler(call)
    if response.content is None and response.body:
        response.is_chunked = 'upload' not in request.path
        compress(request, response)
    return response


def compress(request, response):
    """Only for clients that ask for it and whose name says gzip."""
    if 'gzip' in request.headers.get('accept-encoding', '') and 'gzip' in request.headers.get('user-agent', '') \
            and len(response.body) > 200 and response.content is None:
        response.body = gzip.compress(response.body, 1)
        response.headers += [('Content-Encoding', 'gzip'), ('Vary', 'Accept-Encoding')]


def units_of(route):
    return 0 if route is None else UNITS[route.cost]
