"""
Entries, drives and users as the JSON that the API shows: every field of the file resource that clients ask for, with
64-bit numbers as strings and absent where the real service leaves them out.
"""

from datetime import datetime, timezone
from functools import lru_cache

from . import mask, refusal
from .tree import GOOGLE, ROLES

USER = dict.fromkeys(('kind', 'displayName', 'photoLink', 'me', 'permissionId', 'emailAddress'))
PERMISSION = dict.fromkeys((
    'kind', 'id', 'type', 'emailAddress', 'domain', 'role', 'displayName', 'photoLink', 'deleted', 'pendingOwner',
    'allowFileDiscovery', 'expirationTime', 'view', 'permissionDetails', 'inheritedPermissionsDisabled',
    'teamDrivePermissionDetails'))
CAPABILITIES = (
    'canAcceptOwnership', 'canAddChildren', 'canAddFolderFromAnotherDrive', 'canAddMyDriveParent',
    'canChangeCopyRequiresWriterPermission', 'canChangeSecurityUpdateEnabled', 'canComment', 'canCopy', 'canDelete',
    'canDeleteChildren', 'canDownload', 'canEdit', 'canListChildren', 'canModifyContent', 'canModifyLabels',
    'canMoveChildrenOutOfDrive', 'canMoveChildrenOutOfTeamDrive', 'canMoveChildrenWithinDrive',
    'canMoveChildrenWithinTeamDrive', 'canMoveItemIntoTeamDrive', 'canMoveItemOutOfDrive',
    'canMoveItemOutOfTeamDrive', 'canMoveItemWithinDrive', 'canMoveItemWithinTeamDrive', 'canReadDrive',
    'canReadLabels', 'canReadRevisions', 'canReadTeamDrive', 'canRemoveChildren', 'canRename', 'canShare', 'canTrash',
    'canTrashChildren', 'canUntrash')
UNSUPPORTED = (  # fields of the resource that this server never fills
    'iconLink', 'thumbnailLink', 'folderColorRgb', 'exportLinks', 'contentHints', 'imageMediaMetadata',
    'videoMediaMetadata', 'contentRestrictions', 'linkShareMetadata', 'labelInfo', 'resourceKey', 'sharingUser',
    'viewedByMeTime', 'fullFileExtension', 'inheritedPermissionsDisabled', 'downloadRestrictions',
    'hasAugmentedPermissions', 'permissionIds', 'clientEncryptionDetails')


@lru_cache(maxsize=4096)
def stamp(ms):
    """RFC 3339 with milliseconds."""
    moment = datetime.fromtimestamp(ms // 1000, timezone.utc)
    return moment.strftime('%Y-%m-%dT%H:%M:%S.') + f'{ms % 1000:03}Z'


def person(world, email, me):
    """A user as others see it. Deleted accounts keep their name only."""
    user = world.users.get(email)
    return {'kind': 'drive#user', 'displayName': email.partition('@')[0], 'me': email == me.email,
            'permissionId': user.number if user else '0', 'emailAddress': email}


def permission_id(world, email):
    return 'anyoneWithLink' if email == 'anyone' else world.users[email].number if email in world.users else email


def permission(world, email, role, inherited_from=None):
    shown = {'kind': 'drive#permission', 'id': permission_id(world, email), 'role': role,
             'type': 'anyone' if email == 'anyone' else 'user', 'deleted': False, 'pendingOwner': False}
    if email != 'anyone':
        shown.update(emailAddress=email, displayName=email.partition('@')[0])
    if inherited_from:
        shown['permissionDetails'] = [{'permissionType': 'member', 'role': role, 'inherited': True,
                                       'inheritedFrom': inherited_from}]
    return shown


def capabilities(entry, world, user):
    """What USER may do with ENTRY, by role; the table of the sharing guide."""
    role = world.role(user, entry)
    rank = ROLES.index(role) if role else -1
    in_drive, is_folder, is_root = bool(entry.drive), entry.is_folder, entry.parent is None
    edits = rank >= ROLES.index('writer')
    manages = rank >= ROLES.index('fileOrganizer')
    organises = rank >= ROLES.index('organizer')
    owns = role == 'owner'
    trashes = manages if in_drive else owns
    copies = rank >= 0 and not is_folder and 'no-download' not in entry.flags
    moves = (manages if in_drive else edits) and not is_root
    able = {
        'canAddChildren': edits and is_folder,
        'canAddFolderFromAnotherDrive': edits and is_folder and in_drive,
        'canChangeCopyRequiresWriterPermission': edits,
        'canComment': rank >= ROLES.index('commenter'),
        'canCopy': copies,
        'canDelete': (organises if in_drive else owns) and not is_root,
        'canDeleteChildren': is_folder and in_drive and organises,
        'canDownload': rank >= 0 and ('no-download' not in entry.flags or edits),
        'canEdit': edits,
        'canListChildren': rank >= 0 and is_folder,
        'canModifyContent': edits,
        'canModifyLabels': edits,
        'canMoveChildrenOutOfDrive': in_drive and organises and is_folder,
        'canMoveChildrenWithinDrive': (manages if in_drive else edits) and is_folder,
        'canMoveItemOutOfDrive': organises and in_drive and not is_root,
        'canMoveItemIntoTeamDrive': owns and not in_drive and not is_folder,
        'canMoveItemWithinDrive': moves,
        'canReadDrive': rank >= 0 and in_drive,
        'canReadRevisions': edits and not is_folder,
        'canRemoveChildren': is_folder and (manages if in_drive else edits),
        'canRename': edits and not (is_root and not in_drive),
        'canShare': (organises if in_drive else edits),
        'canTrash': trashes and not is_root,
        'canTrashChildren': is_folder and in_drive and manages,
        'canUntrash': trashes and not is_root,
    }
    for new, old in (('canMoveChildrenOutOfDrive', 'canMoveChildrenOutOfTeamDrive'),
                     ('canMoveChildrenWithinDrive', 'canMoveChildrenWithinTeamDrive'),
                     ('canMoveItemOutOfDrive', 'canMoveItemOutOfTeamDrive'),
                     ('canMoveItemWithinDrive', 'canMoveItemWithinTeamDrive'), ('canReadDrive', 'canReadTeamDrive')):
        able[old] = able[new]
    return {name: bool(able.get(name, False)) for name in CAPABILITIES}


def _digest(name):
    def show(entry, world, user):
        if entry.content is None or (name != 'md5' and 'no-sha' in entry.flags):
            return None
        return getattr(entry.content.digests, name)
    return show


def _parents(entry, world, user):
    above = world.entries.get(entry.parent)
    return [above.id] if above and world.role(user, above) else None


def _permissions(entry, world, user):
    if entry.drive or world.role(user, entry) not in ('writer', 'owner'):
        return None  # never filled on shared drives
    return [permission(world, email, role) for email, role in effective_permissions(entry, world).items()]


def effective_permissions(entry, world):
    found = {}
    for each in (entry, *world.above(entry)):
        for email, role in each.permissions.items():
            if email not in found or ROLES.index(role) > ROLES.index(found[email]):
                found[email] = role
    if entry.drive:
        found.update(world.drives[entry.drive].members)
    return found


def _target(entry, world, user):
    if entry.target is None:
        return None
    target = world.entries.get(entry.target)
    return {'targetId': entry.target, 'targetMimeType': target.mime if target else 'application/octet-stream'}


def _has_own_content(entry):
    return not entry.mime.startswith(GOOGLE)


def _extension(entry, world, user):
    return entry.name.rpartition('.')[2] if _has_own_content(entry) and '.' in entry.name else \
        '' if _has_own_content(entry) else None


# Field -> function of (entry, world, user); None leaves the field out.
FIELDS = {
    'kind': lambda e, w, u: 'drive#file',
    'id': lambda e, w, u: e.id,
    'name': lambda e, w, u: e.name,
    'mimeType': lambda e, w, u: e.mime,
    'description': lambda e, w, u: e.description,
    'starred': lambda e, w, u: u.email in e.starred_by,
    'trashed': lambda e, w, u: w.is_trashed(e),
    'explicitlyTrashed': lambda e, w, u: e.trashed_at is not None,
    'trashedTime': lambda e, w, u: stamp(e.trashed_at) if e.trashed_at is not None and e.drive else None,
    'trashingUser': lambda e, w, u: person(w, e.trashed_by, u) if e.trashed_by and e.drive else None,
    'parents': _parents,
    'properties': lambda e, w, u: e.properties or None,
    'appProperties': lambda e, w, u: e.app_properties.get(u.project) or None,
    'spaces': lambda e, w, u: ['drive'],
    'version': lambda e, w, u: str(e.version),
    'webContentLink': lambda e, w, u: f'https://drive.google.com/uc?id={e.id}&export=download' if e.content else None,
    'webViewLink': lambda e, w, u: f'https://drive.google.com/file/d/{e.id}/view?usp=drivesdk',
    'hasThumbnail': lambda e, w, u: False,
    'thumbnailVersion': lambda e, w, u: '0',
    'viewedByMe': lambda e, w, u: e.by == u.email,
    'createdTime': lambda e, w, u: stamp(e.created),
    'modifiedTime': lambda e, w, u: stamp(e.modified),
    'modifiedByMeTime': lambda e, w, u: stamp(e.modified) if e.by == u.email else None,
    'modifiedByMe': lambda e, w, u: e.by == u.email,
    'sharedWithMeTime': lambda e, w, u: stamp(e.shared_at[u.email]) if u.email in e.shared_at else None,
    'owners': lambda e, w, u: [person(w, e.owner, u)] if e.owner else None,
    'teamDriveId': lambda e, w, u: e.drive,
    'driveId': lambda e, w, u: e.drive,
    'lastModifyingUser': lambda e, w, u: person(w, e.by, u),
    'shared': lambda e, w, u: len(effective_permissions(e, w)) > 1,
    'ownedByMe': lambda e, w, u: e.owner == u.email if not e.drive else False,
    'capabilities': capabilities,
    'copyRequiresWriterPermission': lambda e, w, u: 'no-download' in e.flags,
    'viewersCanCopyContent': lambda e, w, u: 'no-download' not in e.flags,
    'writersCanShare': lambda e, w, u: True,
    'permissions': _permissions,
    'originalFilename': lambda e, w, u: e.name if e.content else None,
    'fileExtension': _extension,
    'md5Checksum': _digest('md5'),
    'sha1Checksum': _digest('sha1'),
    'sha256Checksum': _digest('sha256'),
    'size': lambda e, w, u: str(e.content.size) if e.content else None,
    'quotaBytesUsed': lambda e, w, u: str(sum(r.content.size for r in e.revisions) if e.owner else
                                          e.content.size if e.content else 0),
    'headRevisionId': lambda e, w, u: e.head,
    'isAppAuthorized': lambda e, w, u: True,
    'shortcutDetails': _target,
    **dict.fromkeys(UNSUPPORTED, lambda e, w, u: None),
}
SCHEMA = {
    **dict.fromkeys(FIELDS),
    'capabilities': dict.fromkeys(CAPABILITIES),
    'owners': USER, 'lastModifyingUser': USER, 'sharingUser': USER, 'trashingUser': USER,
    'permissions': PERMISSION,
    'shortcutDetails': dict.fromkeys(('targetId', 'targetMimeType', 'targetResourceKey')),
    # maps with keys of one's own, and parts that stay empty here
    'imageMediaMetadata': dict.fromkeys(('width', 'height', 'rotation', 'time')),
    'videoMediaMetadata': dict.fromkeys(('width', 'height', 'durationMillis')),
    'contentRestrictions': dict.fromkeys(('readOnly', 'reason', 'type')),
    'linkShareMetadata': dict.fromkeys(('securityUpdateEligible', 'securityUpdateEnabled')),
    'labelInfo': {'labels': dict.fromkeys(('id', 'revisionId', 'kind', 'fields'))},
}
DEFAULT = {'kind': {}, 'id': {}, 'name': {}, 'mimeType': {}}


def file(entry, world, user, tree):
    """The entry with the fields that TREE asks for."""
    shown = {}
    for name, show in FIELDS.items() if '*' in tree else ((name, FIELDS[name]) for name in tree):
        value = show(entry, world, user)
        if value is not None:
            below = tree.get(name) or tree.get('*')
            shown[name] = mask.apply(below, value) if below else value
    return shown


def file_tree(params):
    """The checked mask of a request that answers with one file."""
    text = params.get('fields')
    if not text:
        return DEFAULT
    tree = mask.parse(text)
    mask.check(tree, SCHEMA)
    return tree


def new_metadata(body):
    """Refuses what the metadata of create, copy and update may not hold; the body otherwise."""
    if not isinstance(body, dict):
        raise refusal.Refusal(400, 'parseError', 'Parse Error')
    for name in body:
        if name not in SCHEMA:
            raise refusal.Refusal(400, 'badRequest', f'Invalid JSON payload received. Unknown name "{name}": Cannot '
                                                     'find field.')
    for name in ('id', 'name', 'mimeType', 'description', 'modifiedTime', 'createdTime'):
        if name in body and body[name] is not None and not isinstance(body[name], str):
            raise refusal.invalid(name, f'Invalid value for: {name}')
    parents = body.get('parents')
    if parents is not None and (not isinstance(parents, list) or not all(isinstance(p, str) for p in parents)):
        raise refusal.invalid('parents', 'Invalid value for: parents')
    for name in ('trashed', 'starred'):
        if body.get(name) is not None and not isinstance(body[name], bool):
            raise refusal.invalid(name, f'Invalid value for: {name}')
    return body
