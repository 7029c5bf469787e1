"""
Methods of the files collection that change or show one file: create, get, update, copy, delete, trash, generateIds.
Bytes arrive through uploads.py and leave through media.py; lists are in listing.py.
"""

from . import query, refusal, resource
from .content import Bytes
from .tree import FOLDER, GOOGLE, SHORTCUT, Entry, Revision

EMPTY = Bytes(b'')
COPY_LIMIT = 750 * 10 ** 9
REVISIONS, REVISION_LIFE = 100, 30 * 86_400_000  # how many are kept without being told to, and for how long (ms)


def may(call, entry, what, reason='insufficientFilePermissions'):
    if not resource.capabilities(entry, call.world, call.user)[what]:
        raise refusal.common(reason)


def when(body, name, default):
    return query_time(body[name], name) if body.get(name) is not None else default


def query_time(text, name):
    try:
        return query.parse_time(text)
    except refusal.Refusal:
        raise refusal.invalid(name, f'Invalid value for: Invalid format: "{text}"') from None


# What create, copy and the end of an upload share

def parent_for(call, body):
    """The folder that a new entry goes into, checked."""
    parents = body.get('parents') or ['root']
    if len(parents) > 1:
        raise refusal.Refusal(403, 'cannotAddParent', 'Increasing the number of parents is not allowed')
    parent = call.world.find(call.user, parents[0])
    if parent.drive and not call.knows_drives:
        raise refusal.not_found(parents[0])
    if not parent.is_folder:
        raise refusal.Refusal(403, 'parentNotAFolder', 'The specified parent is not a folder.')
    may(call, parent, 'canAddChildren', 'insufficientParentPermissions')
    check_room(call, parent, 1)
    return parent


def check_room(call, parent, levels):
    world, settings = call.world, call.settings
    is_own_root = parent.parent is None and not parent.drive
    if not is_own_root and len(world.children.get(parent.id, ())) >= settings.folder_items:
        raise refusal.common('numChildrenInNonRootLimitExceeded')
    if parent.drive and len(world.entries) > settings.drive_items \
            and world.count_in_drive(parent.drive) >= settings.drive_items:
        raise refusal.common('teamDriveFileLimitExceeded')
    if world.depth(parent) + levels > settings.depth:
        raise refusal.common('teamDriveHierarchyTooDeep' if parent.drive else 'myDriveHierarchyDepthLimitExceeded')


def new_id(call, body, mime):
    """The id that the caller brings, if it is one that we issued and that is free; else a fresh one."""
    file_id = body.get('id')
    if file_id is None:
        return call.world.new_id()
    if mime.startswith(GOOGLE) and mime != FOLDER:
        raise refusal.Refusal(400, 'invalid', 'Generated IDs are not supported for Docs Editors formats.', 'file.id')
    if file_id in call.world.entries or file_id in call.world.gone:
        raise refusal.Refusal(409, 'fileIdInUse', 'A file already exists with the provided ID.', 'file.id')
    if file_id not in call.world.issued:
        raise refusal.Refusal(400, 'invalid', 'The provided file ID is not usable.', 'file.id')
    return file_id


def check_storage(call, owner, size):
    """Only My Drive counts; SIZE is None for what has no content."""
    if owner is None or size is None:
        return
    user = call.world.users[owner]
    if user.is_service and not user.limit:
        raise refusal.Refusal(403, 'storageQuotaExceeded',
                              'Service Accounts do not have storage quota. Leverage shared drives '
                              '(https://developers.google.com/workspace/drive/api/guides/about-shareddrives), or use '
                              'OAuth delegation (http://support.google.com/a/answer/7281227) instead.')
    if user.limit is not None and user.used + size > user.limit:
        raise refusal.common('storageQuotaExceeded')


def check_new(call, body, mime, size):
    """Everything that can be refused before the bytes come; the parent."""
    parent = parent_for(call, body)
    new_id(call, body, mime)
    check_properties(body)
    for name in ('createdTime', 'modifiedTime'):
        when(body, name, None)
    owner = None if parent.drive else call.user.email
    if size is not None:
        call.meter.check_day(call.user)
    check_storage(call, owner, size)
    return parent


def check_properties(body):
    for name in ('properties', 'appProperties'):
        pairs = body.get(name)
        if pairs is None:
            continue
        if not isinstance(pairs, dict):
            raise refusal.invalid(name, f'Invalid value for: {name}')
        for key, value in pairs.items():
            if value is not None and len((key + str(value)).encode()) > 124:
                raise refusal.Refusal(400, 'propertyTooLong', 'The combined length of the property key and value '
                                                              'must not exceed 124 bytes.')


def set_properties(call, entry, body):
    for name, have in (('properties', entry.properties),
                       ('appProperties', entry.app_properties.setdefault(call.user.project, {}))):
        for key, value in (body.get(name) or {}).items():
            if value is None:
                have.pop(key, None)
            else:
                have[key] = str(value)
        if len(have) > 30:
            raise refusal.Refusal(400, 'tooManyProperties', 'A file can have 30 properties of a kind at most.')


def make(call, body, content, mime):
    """A new entry; CONTENT is None for folders and shortcuts. World.lock is held."""
    world, user, now = call.world, call.user, call.world.now()
    parent = check_new(call, body, mime, content.size if content is not None else None)
    entry = Entry(new_id(call, body, mime), body.get('name') or 'Untitled', mime, parent.id, parent.drive,
                  None if parent.drive else user.email, when(body, 'createdTime', now),
                  when(body, 'modifiedTime', now), user.email, content=content,
                  description=body.get('description'))
    if mime == SHORTCUT:
        entry.target = (body.get('shortcutDetails') or {}).get('targetId')
        if not entry.target:
            raise refusal.Refusal(400, 'required', 'A shortcut needs a target.', 'shortcutDetails.targetId')
    if not parent.drive:
        entry.permissions[user.email] = 'owner'
    set_properties(call, entry, body)
    if body.get('starred'):
        entry.starred_by.add(user.email)
    if content is not None:
        add_revision(call, entry, content)
    world.put(entry)
    world.note(entry)
    return entry


def add_revision(call, entry, content):
    entry.content = content
    entry.revisions.append(Revision(call.world.new_id() + 'Mzk', content, entry.modified, call.user.email,
                                    call.flag('keepRevisionForever'), entry.mime, entry.name, call.world.now()))
    if entry.owner:
        call.world.users[entry.owner].used += content.size
    purge_revisions(call.world, entry)
    call.meter.count_day(call.user, content.size)


def purge_revisions(world, entry):
    """Drops what is too old or too much; not the head, not what is kept forever."""
    spare = [each for each in entry.revisions[:-1] if not each.keep]
    old = [each for each in spare if each.stored < world.now() - REVISION_LIFE]
    for each in old or spare[:max(len(entry.revisions) - REVISIONS, 0)]:
        entry.revisions.remove(each)
        if entry.owner:
            world.users[entry.owner].used -= each.content.size


def replace_content(call, entry, body, content, mime=None):
    """The end of an upload to an existing file."""
    may(call, entry, 'canModifyContent')
    call.meter.check_day(call.user)
    check_storage(call, entry.owner, content.size)
    call.world.remember(entry)
    now = call.world.touch(entry, call.user, is_content=True)
    entry.modified = now
    if mime and not body.get('mimeType'):
        entry.mime = mime
    change(call, entry, body)
    add_revision(call, entry, content)


# Methods

def create(call, body):
    """Metadata only: a folder, a shortcut, or a file without bytes."""
    body = resource.new_metadata(body)
    mime = body.get('mimeType') or 'application/octet-stream'
    return make(call, body, None if mime.startswith(GOOGLE) else EMPTY, mime)


def get(call):
    return call.entry()


def update(call, body):
    entry = call.entry()
    change(call, entry, resource.new_metadata(body))
    return entry


READ_ONLY = ('id', 'size', 'md5Checksum', 'sha1Checksum', 'sha256Checksum', 'headRevisionId', 'version', 'driveId',
             'kind', 'owners', 'capabilities', 'explicitlyTrashed')


def change(call, entry, body):
    """Metadata and parents of an existing entry; noted once."""
    world = call.world
    if body.get('parents') is not None:
        raise refusal.Refusal(403, 'fieldNotWritable', 'The parents field is not directly writable in update '
                                                       'requests. Use the addParents and removeParents parameters '
                                                       'instead.')
    wrong = next((name for name in READ_ONLY if name in body and name != 'kind'), None)
    if wrong:
        raise refusal.Refusal(403, 'fieldNotWritable', 'The resource body includes fields which are not directly '
                                                       'writable.')
    check_properties(body)
    world.remember(entry)
    moves_to = new_parent(call, entry)
    if body.get('trashed') is not None:
        trash(call, entry, body['trashed'])
    editing = set(body) - {'trashed', 'starred', 'kind'}
    if editing:
        may(call, entry, 'canEdit')
    if body.get('name') is not None and body['name'] != entry.name:
        may(call, entry, 'canRename')
        entry.name = body['name']
    entry.mime = body.get('mimeType') or entry.mime
    entry.description = body.get('description', entry.description)
    entry.created = when(body, 'createdTime', entry.created)
    entry.modified = when(body, 'modifiedTime', world.now() if editing - {'modifiedTime', 'properties',
                                                                          'appProperties', 'name'} else entry.modified)
    set_properties(call, entry, body)
    if body.get('starred') is not None:
        (entry.starred_by.add if body['starred'] else entry.starred_by.discard)(call.user.email)
    if moves_to:
        world.move(entry, moves_to)
    if editing or moves_to or 'trashed' in body or 'starred' in body:
        world.touch(entry, call.user)


def new_parent(call, entry):
    """The folder that addParents and removeParents move the entry to; None where they do not."""
    added = [part for part in call.params.get('addParents', '').split(',') if part]
    removed = [part for part in call.params.get('removeParents', '').split(',') if part]
    removed = [call.user.root if part == 'root' else part for part in removed]
    if not added:
        if entry.parent in removed:
            raise refusal.Refusal(403, 'cannotRemoveParent', 'A file must have exactly one parent.')
        return None
    if len(added) > 1:
        raise refusal.Refusal(403, 'cannotAddParent', 'Increasing the number of parents is not allowed')
    target = call.entry(added[0])
    if target.id == entry.parent:
        return None
    if not target.is_folder:
        raise refusal.Refusal(403, 'parentNotAFolder', 'The specified parent is not a folder.')
    check_move(call, entry, target)
    if entry.parent not in removed:
        if target.drive or entry.drive:
            raise refusal.Refusal(403, 'teamDrivesParentLimit', 'A shared drive item must have exactly one parent.')
        raise refusal.Refusal(403, 'cannotAddParent', 'Increasing the number of parents is not allowed')
    return target


def check_move(call, entry, target):
    world = call.world
    if entry.parent is None:
        raise refusal.common('insufficientFilePermissions')
    if target is entry or any(each is entry for each in world.above(target)):
        raise refusal.Refusal(400, 'badRequest', 'A folder cannot be moved into itself or a folder below it.')
    if target.drive != entry.drive:
        if entry.is_folder and target.drive and not entry.drive:
            raise refusal.Refusal(403, 'teamDrivesFolderMoveInNotSupported',
                                  'Moving folders into shared drives is not supported.')
        may(call, entry, 'canMoveItemOutOfDrive' if entry.drive else 'canMoveItemIntoTeamDrive')
    else:
        may(call, entry, 'canMoveItemWithinDrive')
    may(call, target, 'canAddChildren', 'insufficientParentPermissions')
    deepest = max((world.depth(each) for each in world.subtree(entry)), default=0) if entry.is_folder else \
        world.depth(entry)
    check_room(call, target, deepest - world.depth(entry) + 1)


def trash(call, entry, is_trashed):
    if is_trashed == (entry.trashed_at is not None):
        return
    may(call, entry, 'canTrash' if is_trashed else 'canUntrash')
    if is_trashed:
        entry.trashed_at, entry.trashed_by = call.world.now(), call.user.email
    else:
        entry.trashed_at = entry.trashed_by = None


def copy(call, body):
    source = call.entry()
    body = resource.new_metadata(body)
    if source.is_folder:
        raise refusal.Refusal(403, 'cannotCopyFile', 'This file cannot be copied by the user.')
    may(call, source, 'canCopy')
    size = source.content.size if source.content else None
    if size is not None and size > COPY_LIMIT:
        raise refusal.Refusal(403, 'cannotCopyFile', 'This file is too large to copy.')
    if 'abusive' in source.flags:
        raise refusal.common('cannotDownloadAbusiveFile')
    above = call.world.entries[source.parent]
    is_open = resource.capabilities(above, call.world, call.user)['canAddChildren']
    body.setdefault('parents', [above.id if is_open else 'root'])
    body.setdefault('name', f'Copy of {source.name}' if source.mime.startswith(GOOGLE) else source.name)
    # Files with content keep their date unless the caller gives one; the copy's own is the creation.
    if source.content:
        body.setdefault('modifiedTime', resource.stamp(source.modified))
    entry = make(call, body, source.content, body.get('mimeType') or source.mime)
    entry.target = source.target
    entry.properties = {**source.properties, **entry.properties}
    return entry


def delete(call):
    entry = call.entry()
    may(call, entry, 'canDelete')
    call.world.remove(entry)


def empty_trash(call):
    world, drive_id = call.world, call.params.get('driveId')
    if drive_id:
        may(call, call.world.find(call.user, drive_id), 'canDeleteChildren')
    for entry in list(world.entries.values()):
        if entry.id in world.entries and entry.trashed_at is not None and \
                (entry.drive == drive_id if drive_id else entry.owner == call.user.email):
            world.remove(entry)


def generate_ids(call):
    count = call.number('count', 10, 1, 1000, is_strict=True)
    kind, space = call.params.get('type', 'files'), call.params.get('space', 'drive')
    if kind not in ('files', 'shortcuts'):
        raise refusal.invalid_parameter('type', f'Invalid value: {kind}')
    if space not in ('drive', 'appDataFolder'):
        raise refusal.invalid_parameter('space', f'Invalid value: {space}')
    ids = [call.world.new_id() for _ in range(count)]
    call.world.issued.update(ids)
    return {'kind': 'drive#generatedIds', 'space': space, 'ids': ids}
