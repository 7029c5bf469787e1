"""
Who may do what with a file, as far as clients ask for it: list, give, change and take a role of one user.
"""

from . import files, listing, mask, refusal, resource
from .tree import ROLES

LIST = {'kind': None, 'nextPageToken': None, 'permissions': resource.PERMISSION}
BRIEF = {name: {} for name in ('kind', 'id', 'type', 'role')}


def roles(call, entry):
    return resource.effective_permissions(entry, call.world)


def email_of(call, entry):
    wanted = call.args['permission']
    for email in roles(call, entry):
        if resource.permission_id(call.world, email) == wanted:
            return email
    raise refusal.Refusal(404, 'notFound', f'Permission not found: {wanted}.', 'permissionId')


def own(call, entry):
    """Where the entry's own roles are kept: on the drive for its root."""
    return call.world.drives[entry.id].members if entry.id in call.world.drives else entry.permissions


def shown(call, email, role):
    return mask.apply(listing.fields(call, resource.PERMISSION, BRIEF), resource.permission(call.world, email, role))


def list_permissions(call):
    entry = call.entry()
    tree = listing.fields(call, LIST, {'kind': {}, 'nextPageToken': {}, 'permissions': BRIEF})
    return mask.apply(tree, {'kind': 'drive#permissionList',
                             'permissions': [resource.permission(call.world, email, role)
                                             for email, role in roles(call, entry).items()]})


def get(call):
    entry = call.entry()
    email = email_of(call, entry)
    return shown(call, email, roles(call, entry)[email])


def create(call):
    entry = call.entry()
    files.may(call, entry, 'canShare')
    role, kind, email = (call.body.get(name) for name in ('role', 'type', 'emailAddress'))
    if role not in ROLES or role == 'owner' or kind not in ('user', 'group', 'anyone'):
        raise refusal.invalid('permission.role' if role not in ROLES else 'permission.type')
    email = 'anyone' if kind == 'anyone' else email
    if not email:
        raise refusal.Refusal(400, 'required', 'The emailAddress is required.', 'permission.emailAddress')
    give(call, entry, email, role)
    return shown(call, email, role)


def give(call, entry, email, role):
    own(call, entry)[email] = role
    if not entry.drive:
        entry.shared_at.setdefault(email, call.world.now())
    call.world.note(entry)


def update(call):
    entry = call.entry()
    files.may(call, entry, 'canShare')
    email = email_of(call, entry)
    if call.body.get('role') not in ROLES:
        raise refusal.invalid('permission.role')
    give(call, entry, email, call.body['role'])
    return shown(call, email, call.body['role'])


def delete(call):
    entry = call.entry()
    files.may(call, entry, 'canShare')
    email = email_of(call, entry)
    if own(call, entry).get(email) in (None, 'owner'):
        raise refusal.Refusal(403, 'cannotDeletePermission', 'An inherited permission or the owner cannot be removed.')
    call.world.unshare(entry, email)
