"""
files.list: corpora, q, orderBy, pages. A page token belongs to its query and remembers what is still to be shown.
"""

import hashlib

from . import mask, query, refusal, resource
from .view import View, order

SCHEMA = {'kind': None, 'nextPageToken': None, 'incompleteSearch': None, 'files': resource.SCHEMA}
DEFAULT = {'kind': {}, 'nextPageToken': {}, 'incompleteSearch': {}, 'files': resource.DEFAULT}
CURSORS = 10_000


def fields(call, schema, default):
    text = call.params.get('fields')
    if not text:
        return default
    tree = mask.parse(text)
    mask.check(tree, schema)
    return tree


def scope(call):
    """Which entries are asked for: a function of the entry."""
    params, user = call.params, call.user
    drive_id = params.get('driveId') or params.get('teamDriveId')
    corpora = params.get('corpora') or params.get('corpus') or 'user'
    with_drives = call.flag('includeItemsFromAllDrives') or call.flag('includeTeamDriveItems')
    if corpora not in ('user', 'drive', 'teamDrive', 'domain', 'allDrives', 'allTeamDrives'):
        raise refusal.invalid_parameter('corpora', f'Invalid value: {corpora}')
    if (drive_id is not None) != (corpora in ('drive', 'teamDrive')):
        raise refusal.Refusal(400, f'teamDriveId{"Required" if drive_id is None else "RequiresTeamDriveCorpora"}',
                              'The driveId parameter must be specified if and only if corpora is set to drive.',
                              'driveId')
    if corpora not in ('user', 'domain') and not (with_drives and call.knows_drives):
        raise refusal.Refusal(403, 'includeTeamDriveItemsRequired',
                              'The includeItemsFromAllDrives parameter must be set to true when driveId is specified '
                              'or corpora contains drive or allDrives.', 'includeItemsFromAllDrives')
    if with_drives and not call.knows_drives:
        raise refusal.Refusal(403, 'teamDrivesNotSupported',
                              'The supportsAllDrives parameter must be set to true.', 'supportsAllDrives')
    spaces = params.get('spaces', 'drive')
    if not set(spaces.split(',')) <= {'drive', 'appDataFolder'}:
        raise refusal.invalid_parameter('spaces', f'Invalid value: {spaces}')
    if drive_id is not None:
        call.world.find(user, drive_id)
        return lambda entry: entry.drive == drive_id
    if with_drives:
        return lambda entry: True
    return lambda entry: entry.drive is None


def view_of(call):
    settings = call.settings
    return View(call.world, call.user, {'name': settings.name_lag, 'list': settings.list_lag})


def pool_of(call, parents, lags):
    """The entries among which a query looks: the children of PARENTS, where it names them."""
    world, settings = call.world, call.settings
    if parents is None:
        return world.entries.values()
    parents = {call.user.root if parent == 'root' else parent for parent in parents}
    if len(parents) == 1:
        call.entry(*parents)
    elif settings.grouped_parents != 'whole':
        keep = 0 if settings.grouped_parents == 'nothing' else (len(parents) + 1) // 2
        parents = set(sorted(parents)[:keep])
    if lags:  # who was a child once may be anywhere
        return [entry for entry in world.entries.values()
                if entry.parent in parents or any(state['parent'] in parents for _, state in entry.past)]
    return [world.entries[child] for parent in parents for child in world.children.get(parent, ())]


def found(call, node):
    """All entries that the query matches, in its order."""
    view, in_scope = view_of(call), scope(call)
    pool = map(view.listed, pool_of(call, node.parents(), view.list_lag))
    return order([entry for entry in pool
                  if entry is not None and entry.parent is not None and in_scope(entry)
                  and node.matches(entry, view) and call.world.role(call.user, entry)],
                 call.params.get('orderBy'), call.user)


def identity(call):
    """What a page token is bound to."""
    names = ('q', 'orderBy', 'corpora', 'driveId', 'includeItemsFromAllDrives', 'spaces')
    return call.user.email, *(call.params.get(name) for name in names)


def list_files(call):
    tree = fields(call, SCHEMA, DEFAULT)
    size = min(call.number('pageSize', 100, 1, 1000), call.settings.page_cap)
    size = min(size, call.faults.get('short_page', size))
    node = query.parse(call.params.get('q'))
    token, cursors = call.params.get('pageToken'), call.service.cursors
    if token is None:
        ids, at = [entry.id for entry in found(call, node)], 0
    else:
        bound, ids, at, until = cursors.get(token, (None, None, None, 0))
        if bound != identity(call) or until < call.world.now():
            raise refusal.invalid_parameter('pageToken', 'Invalid Value')
    page = [call.world.entries[each] for each in ids[at:at + size] if each in call.world.entries]
    page = [entry for entry in map(view_of(call).listed, page) if entry]
    answer = {'kind': 'drive#fileList',
              'incompleteSearch': call.settings.incomplete_search or bool(call.faults.get('incomplete'))}
    if at + size < len(ids):
        answer['nextPageToken'] = token_for(call, ids, at + size)
    if '*' in tree or 'files' in tree:
        below = tree.get('files') or resource.DEFAULT if '*' not in tree else tree.get('files') or {'*': {}}
        if 'files' in tree and not tree['files']:
            below = {'*': {}}
        answer['files'] = [resource.file(entry, call.world, call.user, below) for entry in page]
    shown = answer if '*' in tree else {name: value for name, value in answer.items() if name in tree}
    return shown


def token_for(call, ids, at):
    cursors = call.service.cursors
    if len(cursors) > CURSORS:
        cursors.clear()
    text = f'{identity(call)} {id(ids)} {at} {call.world.random.random()}'
    token = '~!!~' + hashlib.sha256(text.encode()).hexdigest()
    cursors[token] = (identity(call), ids, at, call.world.now() + call.settings.page_token_life * 1000)
    return token
