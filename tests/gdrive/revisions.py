"""
Revisions of a file's content: listed, shown, downloaded, kept. Its methods have no `supportsAllDrives`.
"""

from . import files, listing, mask, media, refusal, resource
from .resource import stamp

SCHEMA = dict.fromkeys(('kind', 'id', 'mimeType', 'modifiedTime', 'keepForever', 'published', 'publishedLink',
                        'publishAuto', 'publishedOutsideDomain', 'originalFilename', 'md5Checksum', 'size',
                        'exportLinks'))
SCHEMA['lastModifyingUser'] = resource.USER
LIST = {'kind': None, 'nextPageToken': None, 'revisions': SCHEMA}
BRIEF = {name: {} for name in ('kind', 'id', 'mimeType', 'modifiedTime')}
KEPT = 200


def find(call):
    entry = call.entry(any_drive=True)
    files.purge_revisions(call.world, entry)
    if not resource.capabilities(entry, call.world, call.user)['canReadRevisions']:
        raise refusal.common('insufficientFilePermissions')
    wanted = call.args['revision']
    revision = next((each for each in entry.revisions if wanted in (each.id, 'head')), None)
    if wanted == 'head' and entry.revisions:
        revision = entry.revisions[-1]
    if revision is None:
        raise refusal.Refusal(404, 'notFound', f'Revision not found: {wanted}.', 'revisionId')
    return entry, revision


def shown(call, revision):
    return {'kind': 'drive#revision', 'id': revision.id, 'mimeType': revision.mime,
            'modifiedTime': stamp(revision.modified), 'keepForever': revision.keep, 'published': False,
            'lastModifyingUser': resource.person(call.world, revision.by, call.user),
            'originalFilename': revision.filename, 'md5Checksum': revision.content.digests.md5,
            'size': str(revision.content.size)}


def list_revisions(call):
    entry = call.entry(any_drive=True)
    files.purge_revisions(call.world, entry)
    if not resource.capabilities(entry, call.world, call.user)['canReadRevisions']:
        raise refusal.common('insufficientFilePermissions')
    tree = listing.fields(call, LIST, {'kind': {}, 'nextPageToken': {}, 'revisions': BRIEF})
    return mask.apply(tree, {'kind': 'drive#revisionList', 'revisions': [shown(call, r) for r in entry.revisions]})


def get(call):
    return mask.apply(listing.fields(call, SCHEMA, BRIEF), shown(call, find(call)[1]))


def update(call):
    entry, revision = find(call)
    files.may(call, entry, 'canEdit')
    if 'keepForever' in call.body:
        if call.body['keepForever'] and sum(each.keep for each in entry.revisions) >= KEPT:
            raise refusal.Refusal(403, 'revisionLimitExceeded', 'Too many revisions are kept.')
        revision.keep = bool(call.body['keepForever'])
    return mask.apply(listing.fields(call, SCHEMA, BRIEF), shown(call, revision))


def delete(call):
    entry, revision = find(call)
    files.may(call, entry, 'canEdit')
    if len(entry.revisions) == 1 or revision is entry.revisions[-1]:
        raise refusal.Refusal(403, 'revisionDeletionNotSupported', 'The latest revision cannot be deleted.')
    entry.revisions.remove(revision)
    if entry.owner:
        call.world.users[entry.owner].used -= revision.content.size


def media_of(call):
    with call.world.lock:
        entry, revision = find(call)
        media.check(call, entry)
    return media.send(call.request, revision.content, revision.mime)
