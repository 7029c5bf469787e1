"""
The control endpoint, /control/…: what Python tests do by calls, for tests in other languages. JSON in and out, never
logged, never subject to faults.
"""

import json

from . import hands
from .content import Bytes, Pattern
from .seed import Seeder
from .wire import Response

LIMIT = 64 << 20


def answer(front, request):
    name = request.path.removeprefix('/control/')
    data = request.body.read(LIMIT)
    try:
        if name == 'hand':
            return hands.answer(front, request, data)
        body = json.loads(data) if data.strip() else {}
        handler = HANDLERS.get((request.method, name.split('/')[0]))
        if handler is None:
            return Response.json({'error': f'no such control: {request.method} {request.path}'}, 404)
        return Response.json(handler(front, request, body))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Response.json({'error': f'{type(error).__name__}: {error}'}, 400)


def get_log(front, request, body):
    query = request.query
    return {'events': front.service.journal.since(int(query.get('since', 0)), query.get('kind'))}


def wait_log(front, request, body):
    return {'came': front.service.journal.wait_for(body.get('kind', ''), body['count'], body.get('seconds', 10))}


def get_counters(front, request, body):
    return {'kinds': front.service.journal.report(), **front.service.meter.report()}


def clear_log(front, request, body):
    front.service.journal.clear()
    return {}


def get_faults(front, request, body):
    return {'rules': front.service.faults.shown()}


def add_faults(front, request, body):
    return {'numbers': [front.service.faults.add(rule).number
                        for rule in (body if isinstance(body, list) else [body])]}


def clear_faults(front, request, body):
    number = request.path.rpartition('/')[2]
    front.service.faults.clear(int(number) if number.isdigit() else None)
    return {}


def get_settings(front, request, body):
    return front.service.settings.as_dict()


def set_settings(front, request, body):
    front.service.settings = front.service.settings.changed(body)
    return front.service.settings.as_dict()


def set_clock(front, request, body):
    """{"advance": seconds} moves the service's clock."""
    world = front.service.world
    world.skew += body.get('advance', 0)
    if 'skew' in body:
        world.skew = body['skew']
    return {'skew': world.skew}


def release(front, request, body):
    front.release()
    return {}


def drop(front, request, body):
    return {'connections': front.drop_connections()}


def sessions(front, request, body):
    """{"lose": 404} forgets all open upload sessions."""
    return {'lost': front.service.uploads.lose(body.get('lose', 404))}


def revoke(front, request, body):
    """{} makes all access tokens invalid; {"account": email} disables a key, {"refresh": token} a grant."""
    tokens = front.service.tokens
    if 'account' in body:
        tokens.accounts[body['account']].is_disabled = body.get('disabled', True)
    if 'refresh' in body:
        tokens.refresh.pop(body['refresh'])
    return {'revoked': tokens.revoke_all()}


def secrets_of(front, request, body):
    """Everything that must be in no log of a client."""
    return {'tokens': front.service.tokens.issued, 'sessions': list(front.service.uploads.sessions),
            'uris': front.service.uploads.uris}


def users(front, request, body):
    """{"email", "service": false, "limit": bytes or null}; for a service account the key file as well."""
    world = front.service.world
    with world.lock:
        user = world.users.get(body['email']) or world.add_user(body['email'], body.get('service', False),
                                                                body.get('limit', 15 << 30))
        if 'limit' in body:
            user.limit = body['limit']
    if user.is_service:
        return {'root': user.root, 'key': front.make_key(user.email, body.get('token_uri'),
                                                         body.get('delegated', ()))}
    return {'root': user.root, 'refresh': front.service.tokens.add_refresh(user.email)}


def drives(front, request, body):
    """{"name", "members": {email: role}, "rename"}; an existing drive gets the members and the new name."""
    world = front.service.world
    with world.lock:
        drive = next((each for each in world.drives.values() if each.name == body['name']), None)
        drive = drive or world.add_drive(body['name'], body['members'])
        drive.members = dict(body.get('members', drive.members))
        drive.name = body.get('rename', drive.name)
        return {'id': drive.id}


def seed(front, request, body):
    """{"folders": [path], "files": [{"path", "text" or "size" and "seed", …}], "many": [{"path", …}],
    "share": [{"path", "email", "role"}]}"""
    seeder, ids = Seeder(front.service), {}
    for path in body.get('folders', ()):
        ids[path] = seeder.folder(path).id
    for file in body.get('files', ()):
        file = dict(file)
        path, data = file.pop('path'), file.pop('text', None)
        ids[path] = seeder.file(path, data, **file).id
    count = sum(seeder.many(**each) for each in body.get('many', ()))
    for each in body.get('share', ()):
        ids[each['path']] = seeder.share(each['path'], each['email'], each['role']).id
    return {'ids': ids, 'many': count}


def edit(front, request, body):
    """What somebody does by hand: {"path" or "id", "do": "trash", "untrash", "delete", "rename", "replace", "move",
    "flag", "unflag", "unshare", "by": email, …}"""
    world, seeder = front.service.world, Seeder(front.service)
    with world.lock:
        entry = world.entries[body['id']] if 'id' in body else seeder.find(body['path'])
        if entry is None:
            raise KeyError(body['path'])
        world.remember(entry)
        EDITS[body['do']](world, seeder, entry, body)
        if body['do'] not in ('delete', 'unshare'):
            entry.by = body.get('by', entry.by)
            world.note(entry)
        return {'id': entry.id}


def edit_trash(world, seeder, entry, body):
    entry.trashed_at, entry.trashed_by = world.now(), body.get('by', entry.by)


def edit_untrash(world, seeder, entry, body):
    entry.trashed_at = entry.trashed_by = None


def edit_rename(world, seeder, entry, body):
    entry.name = body['name']
    entry.version += 1


def edit_replace(world, seeder, entry, body):
    content = Bytes(body['text'].encode()) if 'text' in body else Pattern(body['size'], body.get('seed', 2))
    seeder.replace(entry, content, body.get('by'))


def edit_flag(world, seeder, entry, body):
    entry.flags.add(body['flag'])


def edit_unflag(world, seeder, entry, body):
    entry.flags.discard(body['flag'])


EDITS = {
    'trash': edit_trash, 'untrash': edit_untrash, 'rename': edit_rename, 'replace': edit_replace,
    'flag': edit_flag, 'unflag': edit_unflag,
    'delete': lambda world, seeder, entry, body: world.remove(entry),
    'move': lambda world, seeder, entry, body: world.move(entry, seeder.folder(body['to'])),
    'unshare': lambda world, seeder, entry, body: world.unshare(entry, body['email']),
}


def tree(front, request, body):
    return {'entries': Seeder(front.service).listing(request.query['path'])}


def save(front, request, body):
    front.service.save(body.get('name', ''))
    return {}


def restore(front, request, body):
    front.service.restore(body.get('name', ''))
    return {}


def reset(front, request, body):
    front.service.reset()
    return {}


HANDLERS = {
    ('GET', 'log'): get_log, ('POST', 'wait'): wait_log, ('DELETE', 'log'): clear_log,
    ('GET', 'counters'): get_counters,
    ('GET', 'faults'): get_faults, ('POST', 'faults'): add_faults, ('DELETE', 'faults'): clear_faults,
    ('GET', 'settings'): get_settings, ('PATCH', 'settings'): set_settings, ('POST', 'clock'): set_clock,
    ('POST', 'release'): release, ('POST', 'drop'): drop, ('POST', 'sessions'): sessions,
    ('POST', 'revoke'): revoke, ('GET', 'secrets'): secrets_of,
    ('POST', 'users'): users, ('POST', 'drives'): drives, ('POST', 'seed'): seed, ('POST', 'edit'): edit,
    ('GET', 'tree'): tree, ('POST', 'save'): save, ('POST', 'restore'): restore, ('POST', 'reset'): reset,
}
