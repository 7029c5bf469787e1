"""
Shared drives, and what an account says about itself.
"""

from . import listing, mask, refusal, resource
from .resource import stamp

DRIVE = dict.fromkeys(('kind', 'id', 'name', 'createdTime', 'hidden', 'colorRgb', 'themeId', 'orgUnitId',
                       'backgroundImageLink', 'backgroundImageFile', 'capabilities', 'restrictions'))
DRIVE['capabilities'] = DRIVE['restrictions'] = {}
LIST = {'kind': None, 'nextPageToken': None, 'drives': DRIVE}
ABOUT = {
    'kind': None, 'user': resource.USER, 'appInstalled': None, 'maxUploadSize': None, 'importFormats': None,
    'exportFormats': None, 'canCreateDrives': None, 'canCreateTeamDrives': None, 'driveThemes': None,
    'teamDriveThemes': None, 'maxImportSizes': None, 'folderColorPalette': None,
    'storageQuota': dict.fromkeys(('limit', 'usage', 'usageInDrive', 'usageInDriveTrash')),
}


def find(call, drive_id=None):
    drive = call.world.drives.get(drive_id or call.args['id'])
    if drive is None or call.user.email not in drive.members:
        raise refusal.Refusal(404, 'notFound', f'Shared drive not found: {drive_id or call.args["id"]}', 'driveId')
    return drive


def shown(call, drive):
    root = call.world.entries[drive.id]
    may = resource.capabilities(root, call.world, call.user)
    organises = drive.members[call.user.email] == 'organizer'
    return {'kind': 'drive#drive', 'id': drive.id, 'name': drive.name, 'colorRgb': '#136ad5',
            'createdTime': stamp(drive.created), 'hidden': drive.hidden, 'themeId': 'blue',
            'restrictions': dict.fromkeys(('adminManagedRestrictions', 'copyRequiresWriterPermission',
                                           'domainUsersOnly', 'driveMembersOnly',
                                           'sharingFoldersRequiresOrganizerPermission'), False),
            'capabilities': {**{name: may[name] for name in ('canAddChildren', 'canComment', 'canCopy',
                                                             'canDownload', 'canEdit', 'canListChildren',
                                                             'canReadRevisions', 'canDeleteChildren',
                                                             'canTrashChildren', 'canShare')},
                             'canRename': organises, 'canRenameDrive': organises, 'canDeleteDrive': organises,
                             'canManageMembers': organises}}


def masked(call, value, default=('kind', 'id', 'name')):
    tree = listing.fields(call, DRIVE, dict.fromkeys(default, {}))
    return mask.apply(tree, value)


def get(call):
    return masked(call, shown(call, find(call)))


def list_drives(call):
    tree = listing.fields(call, LIST, {'kind': {}, 'nextPageToken': {}, 'drives': {'kind': {}, 'id': {}, 'name': {}}})
    size = call.number('pageSize', 10, 1, 100, is_strict=True)
    text = call.params.get('q')
    wanted = None
    if text:
        field, _, quoted = text.partition('=')
        if field.strip() != 'name' or not quoted.strip().startswith("'"):
            raise refusal.invalid('q')
        wanted = quoted.strip()[1:-1].replace("\\'", "'").replace('\\\\', '\\')
    mine = sorted((drive for drive in call.world.drives.values() if call.user.email in drive.members
                   and (wanted is None or drive.name == wanted)), key=lambda drive: drive.name.casefold())
    token = call.params.get('pageToken')
    if token and not (token.startswith('drives-') and token[7:].isdigit()):
        raise refusal.invalid_parameter('pageToken', 'Invalid Value')
    at = int(token[7:]) if token else 0
    answer = {'kind': 'drive#driveList', 'drives': [shown(call, drive) for drive in mine[at:at + size]]}
    if at + size < len(mine):
        answer['nextPageToken'] = f'drives-{at + size}'
    return mask.apply(tree, answer)


def create(call):
    if not call.params.get('requestId'):
        raise refusal.Refusal(400, 'required', 'Required parameter: requestId', 'requestId')
    if call.user.is_service and not call.user.limit:
        raise refusal.Refusal(403, 'userCannotCreateTeamDrives', 'The user cannot create shared drives.')
    return masked(call, shown(call, call.world.add_drive(call.body.get('name', ''), {call.user.email: 'organizer'})))


def must_organise(call):
    drive = find(call)
    if drive.members[call.user.email] != 'organizer':
        raise refusal.common('insufficientFilePermissions')
    return drive


def update(call):
    drive = must_organise(call)
    drive.name = call.body.get('name', drive.name)
    return masked(call, shown(call, drive))


def delete(call):
    drive = must_organise(call)
    if call.world.children.get(drive.id):
        raise refusal.Refusal(403, 'cannotDeleteDriveWithChildren', 'A shared drive with items cannot be deleted.')
    del call.world.drives[drive.id], call.world.entries[drive.id]


def about(call):
    text = call.params.get('fields')
    if text is None:
        raise refusal.Refusal(400, 'required', "The 'fields' parameter is required for this method.", 'fields')
    user = call.user
    trash = sum(entry.content.size for entry in call.world.entries.values()
                if entry.owner == user.email and entry.trashed_at is not None and entry.content)
    storage = {'usage': str(user.used), 'usageInDrive': str(user.used), 'usageInDriveTrash': str(trash)}
    if user.limit is not None:
        storage['limit'] = str(user.limit)
    tree = mask.parse(text)
    mask.check(tree, ABOUT)
    return mask.apply(tree, {
        'kind': 'drive#about', 'user': resource.person(call.world, user.email, user), 'storageQuota': storage,
        'importFormats': {}, 'exportFormats': {}, 'maxImportSizes': {}, 'maxUploadSize': str(5 << 40),
        'appInstalled': False, 'canCreateDrives': not user.is_service, 'canCreateTeamDrives': not user.is_service,
        'folderColorPalette': []})
