"""
The changes feeds: one per user, one per shared drive. Each file stands in them once, where it changed last.
"""

from . import listing, mask, refusal, resource
from .resource import stamp

CHANGE = {**dict.fromkeys(('kind', 'type', 'changeType', 'time', 'removed', 'fileId', 'teamDriveId', 'driveId')),
          'file': resource.SCHEMA, 'drive': {}, 'teamDrive': {}}
SCHEMA = {'kind': None, 'nextPageToken': None, 'newStartPageToken': None, 'changes': CHANGE}
DEFAULT = {'kind': {}, 'nextPageToken': {}, 'newStartPageToken': {},
           'changes': {'kind': {}, 'type': {}, 'changeType': {}, 'time': {}, 'removed': {}, 'fileId': {},
                       'file': resource.DEFAULT}}


def check_drive(call):
    drive_id = call.params.get('driveId') or call.params.get('teamDriveId')
    if drive_id:
        call.world.find(call.user, drive_id)
        if not call.knows_drives:
            raise refusal.not_found(drive_id)
    return drive_id


def start(call):
    check_drive(call)
    return {'kind': 'drive#startPageToken', 'startPageToken': str(call.world.sequence + 1)}


def since(call, token, drive_id):
    """(sequence, id, time, entry or None) of what this feed shows, oldest first."""
    world, user, seen = call.world, call.user, set()
    with_drives = (call.flag('includeItemsFromAllDrives') or call.flag('includeTeamDriveItems')) and call.knows_drives
    with_removed, found = call.flag('includeRemoved', True), []
    for (file_id, in_drive), (sequence, at, readers) in reversed(world.changes.items()):
        if sequence < token:
            break
        if in_drive != drive_id if drive_id else in_drive and not with_drives:
            continue
        entry = world.entries.get(file_id)
        is_there = entry is not None and entry.drive == in_drive and world.role(user, entry)
        saw = user.email in readers if readers is not None else file_id in world.lost_sight.get(user.email, ())
        # A feed of everything shows a file once, where it is now.
        if file_id not in seen and (is_there or saw and with_removed):
            seen.add(file_id)
            found.append((sequence, file_id, at, entry if is_there else None))
    return found[::-1]


def list_changes(call):
    tree = listing.fields(call, SCHEMA, DEFAULT)
    token = call.params.get('pageToken')
    if token is None:
        raise refusal.Refusal(400, 'required', 'Required parameter: pageToken', 'pageToken')
    if not token.isdigit() or int(token) > call.world.sequence + 1:
        raise refusal.invalid_parameter('pageToken', 'Invalid Value')
    drive_id = check_drive(call)
    size = min(call.number('pageSize', 100, 1, 1000), call.settings.page_cap)
    size = min(size, call.faults.get('short_page', size))
    found = since(call, int(token), drive_id)
    answer = {'kind': 'drive#changeList', 'changes': [shown(call, *each, tree) for each in found[:size]]}
    if len(found) > size:
        answer['nextPageToken'] = str(found[size][0])
    else:
        answer['newStartPageToken'] = str(call.world.sequence + 1)
    return mask.apply(tree, answer)


def shown(call, sequence, file_id, at, entry, tree):
    change = {'kind': 'drive#change', 'type': 'file', 'changeType': 'file', 'time': stamp(at),
              'removed': entry is None, 'fileId': file_id}
    if entry:
        below = (tree.get('changes') or tree.get('*') or {}).get('file')
        wanted = below if below else {'*': {}}
        change['file'] = resource.file(entry, call.world, call.user, wanted)
        if entry.drive:
            change['driveId'] = change['teamDriveId'] = entry.drive
    return change
