"""Methods of single files: who may do what, one parent, times, trash, copies, revisions, downloads."""

import pytest

from gdrive.bare import ANN, BOT

FOLDER = 'application/vnd.google-apps.folder'
EVE = 'eve@studio.test'


@pytest.fixture
def eve(server, studio):
    server.add_user(EVE)
    return studio.bare(EVE)


def child(client, parent, name='a', data=b'x'):
    return client.create(name, data, parent).json['id']


def test_default_fields(bot, drive_id):
    answer = bot.call('POST', '/files?supportsAllDrives=true', data={'name': 'a', 'parents': [drive_id]})
    assert set(answer.json) == {'kind', 'id', 'name', 'mimeType'}


def test_numbers_are_strings_and_folders_have_no_size(bot, drive_id):
    file, folder = bot.create('a', b'12345', drive_id).json, bot.create('b', parent=drive_id).json
    assert (file['size'], file['quotaBytesUsed']) == ('5', '5') and isinstance(file['version'], str)
    assert not {'size', 'md5Checksum', 'headRevisionId'} & set(folder)


@pytest.mark.parametrize('fields, names', [
    ('id', {'id'}), ('id,name', {'id', 'name'}), ('id, capabilities/canEdit', {'id', 'capabilities'}),
    ('capabilities(canEdit,canTrash)', {'capabilities'}), ('', {'kind', 'id', 'name', 'mimeType'})])
def test_masks(bot, drive_id, fields, names):
    answer = bot.get(f'/files/{child(bot, drive_id)}', fields=fields)
    assert set(answer.json) == names
    if 'canTrash' in fields:
        assert answer.json['capabilities'] == {'canEdit': True, 'canTrash': True}


@pytest.mark.parametrize('fields', ['nonsense', 'id,nonsense', 'id(name)', 'id,', '(', 'capabilities(nonsense)', 'id)'])
def test_bad_masks(bot, drive_id, fields):
    assert bot.get(f'/files/{drive_id}', fields=fields).reason == 'invalidParameter'


def test_shared_drives_need_the_parameter_except_for_media(bot, drive_id):
    file = child(bot, drive_id)
    assert bot.call('GET', f'/files/{file}').reason == 'notFound'
    assert bot.call('PATCH', f'/files/{file}', data={'name': 'b'}).reason == 'notFound'
    assert bot.call('POST', '/files', data={'name': 'a', 'parents': [drive_id]}).reason == 'notFound'
    assert bot.call('GET', f'/files/{file}?alt=media').data == b'x'


def test_root_is_an_alias(ann):
    root = ann.get('/files/root', fields='id,name,parents').json
    assert root['name'] == 'My Drive' and 'parents' not in root
    assert ann.create('a', b'x').json['parents'] == [root['id']]


def test_twins_are_legal(bot, drive_id):
    assert child(bot, drive_id) != child(bot, drive_id)


@pytest.mark.parametrize('parents, reason', [(['nothing'], 'notFound'), (['FILE'], 'parentNotAFolder'),
                                             (['DRIVE', 'DRIVE'], 'cannotAddParent')])
def test_bad_parents(bot, drive_id, parents, reason):
    names = {'FILE': child(bot, drive_id), 'DRIVE': drive_id}
    body = {'name': 'a', 'parents': [names.get(each, each) for each in parents]}
    assert bot.call('POST', '/files?supportsAllDrives=true', data=body).reason == reason


@pytest.mark.parametrize('body', [{'nonsense': 1}, {'name': 5}, {'parents': 'x'}, {'trashed': 'yes'}, [1],
                                  {'modifiedTime': 'yesterday'}, {'properties': {'k': 'v' * 124}}])
def test_bad_metadata(bot, drive_id, body):
    assert bot.call('POST', '/files', data=body).status == 400
    assert bot.call('POST', '/files', data=b'{', Content_Type='application/json').reason == 'parseError'
    assert bot.call('POST', '/files', data=b'{}', Content_Type='text/plain').reason == 'badContent'


@pytest.mark.parametrize('body', [{'parents': ['x']}, {'size': '5'}, {'md5Checksum': 'x'}, {'id': 'x'}])
def test_fields_that_cannot_be_written(bot, drive_id, body):
    assert bot.patch(child(bot, drive_id), body).reason == 'fieldNotWritable'


def test_times(bot, drive_id):
    file = bot.create('a', b'x', drive_id, modifiedTime='2020-01-02T03:04:05.678901+01:00').json
    assert file['modifiedTime'] == '2020-01-02T02:04:05.678Z'
    assert bot.patch(file['id'], {'name': 'b'}).json['modifiedTime'] == file['modifiedTime']
    assert bot.patch(file['id'], {'modifiedTime': '2021-01-01T00:00:00Z'}).json['modifiedTime'] == \
        '2021-01-01T00:00:00.000Z'


def test_version_rises_and_revision_only_with_content(bot, drive_id):
    file = bot.create('a', b'x', drive_id).json
    renamed = bot.patch(file['id'], {'name': 'b'}).json
    assert int(renamed['version']) > int(file['version']) and renamed['headRevisionId'] == file['headRevisionId']


def test_move(bot, drive_id):
    one, two = bot.create('one', parent=drive_id).json['id'], bot.create('two', parent=drive_id).json['id']
    file = child(bot, one)
    assert bot.patch(file, {}, addParents=two).reason == 'teamDrivesParentLimit'
    assert bot.patch(file, {}, removeParents=one).reason == 'cannotRemoveParent'
    assert bot.patch(file, {'name': 'b'}, addParents=two, removeParents=one).json['parents'] == [two]
    assert bot.patch(two, {}, addParents=file, removeParents=drive_id).reason == 'parentNotAFolder'
    assert bot.patch(one, {}, addParents=one, removeParents=drive_id).status == 400


def test_adding_a_parent_in_my_drive(ann):
    folder = ann.create('folder').json['id']
    assert ann.patch(child(ann, None), {}, addParents=folder).reason == 'cannotAddParent'


def test_between_drives(server, ann, drive_id):
    folder, file = ann.create('folder').json['id'], ann.create('a', b'x' * 100).json
    assert ann.patch(folder, {}, addParents=drive_id, removeParents='root').reason == \
        'teamDrivesFolderMoveInNotSupported'
    moved = ann.patch(file['id'], {}, addParents=drive_id, removeParents='root').json
    assert moved['driveId'] == drive_id and 'owners' not in moved and server.world.users[ANN].used == 0
    below = ann.create('below', parent=ann.create('top', parent=drive_id).json['id']).json
    back = ann.patch(below['parents'][0], {}, addParents='root', removeParents=drive_id).json
    assert 'driveId' not in back and 'driveId' not in ann.get(f'/files/{below["id"]}', fields='*').json


def test_trash_goes_down(bot, ann, drive_id):
    folder = bot.create('folder', parent=drive_id).json['id']
    file = child(bot, folder)
    bot.patch(folder, {'trashed': True})
    seen = [bot.get(f'/files/{each}', fields='*').json for each in (folder, file)]
    assert [(each['trashed'], each['explicitlyTrashed']) for each in seen] == [(True, True), (True, False)]
    assert seen[0]['trashingUser']['emailAddress'] == BOT and 'trashedTime' in seen[0]
    bot.patch(folder, {'trashed': False})
    assert not bot.get(f'/files/{file}', fields='*').json['trashed']
    bot.patch(file, {'trashed': True})
    assert bot.call('DELETE', f'/files/trash?driveId={drive_id}').reason == 'insufficientFilePermissions'
    assert ann.call('DELETE', f'/files/trash?driveId={drive_id}').status == 204
    assert bot.get(f'/files/{file}').status == 404 and bot.get(f'/files/{folder}').status == 200


RIGHTS = {  # role on a shared drive -> what it may: add, edit, trash, move, delete
    'reader': '',
    'commenter': '',
    'writer': 'add edit',
    'fileOrganizer': 'add edit trash move',
    'organizer': 'add edit trash move delete',
}


@pytest.mark.parametrize('role', RIGHTS)
def test_roles(server, studio, bot, eve, drive_id, role):
    studio.drive.members[EVE] = role
    one, two = bot.create('one', parent=drive_id).json['id'], bot.create('two', parent=drive_id).json['id']
    file, rights = child(bot, one), RIGHTS[role].split()
    answers = {
        'add': eve.create('b', b'x', one),
        'edit': eve.patch(file, {'name': 'c'}),
        'move': eve.patch(file, {}, addParents=two, removeParents=one),
        'trash': eve.patch(file, {'trashed': True}),
        'delete': eve.call('DELETE', f'/files/{two}?supportsAllDrives=true'),
    }
    assert [what for what, answer in answers.items() if answer.status in (200, 204)] == sorted(
        rights, key=list(answers).index)
    for what, answer in answers.items():
        if what not in rights:
            assert answer.reason == ('insufficientParentPermissions' if what == 'add' else
                                     'insufficientFilePermissions')


def test_strangers_see_nothing(eve, bot, drive_id):
    assert eve.get(f'/files/{child(bot, drive_id)}').reason == 'notFound'
    assert eve.get(f'/drives/{drive_id}').status == 404


def test_sharing_in_my_drive(server, ann, bot):
    folder = ann.create('Projects').json['id']
    file = child(ann, folder)
    server.seed.share(f'{ANN}:Projects', BOT, 'writer')
    seen = bot.get(f'/files/{folder}', fields='*').json
    assert seen['name'] == 'Projects' and 'parents' not in seen and not seen['ownedByMe']
    for q in ("sharedWithMe and name = 'Projects'", "sharedWithMe = true and name = 'Projects'"):
        assert [each['id'] for each in bot.get('/files', q=q).json['files']] == [folder]
    assert bot.create('a', b'x', folder).reason == 'storageQuotaExceeded'
    assert bot.create('sub', parent=folder).status == 200
    assert bot.call('PATCH', f'/upload/drive/v3/files/{file}?uploadType=media', data=b'new').status == 200
    assert bot.patch(file, {'trashed': True}).reason == 'insufficientFilePermissions'


def test_copy(server, bot, ann, drive_id):
    file = bot.create('a', b'bytes', drive_id, modifiedTime='2020-01-01T00:00:00Z').json
    copy = bot.call('POST', f'/files/{file["id"]}/copy', {'supportsAllDrives': 'true', 'fields': '*'}, {}).json
    assert copy['name'] == 'a' and copy['parents'] == [drive_id] and copy['modifiedTime'] == file['modifiedTime']
    folder = bot.create('b', parent=drive_id).json['id']
    assert bot.call('POST', f'/files/{folder}/copy?supportsAllDrives=true', data={}).reason == 'cannotCopyFile'


def test_revisions(bot, drive_id):
    file = child(bot, drive_id, data=b'one')
    bot.call('PATCH', f'/upload/drive/v3/files/{file}?uploadType=media&supportsAllDrives=true', data=b'three')
    old, new = bot.get(f'/files/{file}/revisions', fields='revisions(id,size,md5Checksum)').json['revisions']
    assert (old['size'], new['size']) == ('3', '5')
    assert bot.get(f'/files/{file}/revisions/{old["id"]}', alt='media').data == b'one'
    assert bot.call('DELETE', f'/files/{file}/revisions/{new["id"]}').reason == 'revisionDeletionNotSupported'
    assert bot.call('DELETE', f'/files/{file}/revisions/{old["id"]}').status == 204
    assert bot.get(f'/files/{file}/revisions/{old["id"]}').status == 404


def test_old_revisions_go(server, bot, drive_id):
    file = child(bot, drive_id, data=b'0')
    path = f'/upload/drive/v3/files/{file}?uploadType=media&supportsAllDrives=true'
    for i in range(3):
        bot.call('PATCH', path + ('&keepRevisionForever=true' if i == 0 else ''), data=b'x' * (i + 1))

    def sizes():
        answer = bot.get(f'/files/{file}/revisions', fields='revisions(size)').json['revisions']
        return [int(each['size']) for each in answer]

    assert sizes() == [1, 1, 2, 3]
    server.world.skew += 31 * 86_400
    bot.renew()
    assert sizes() == [1, 3]
    for _ in range(101):
        bot.call('PATCH', path, data=b'y')
    assert len(sizes()) == 100 and sizes()[0] == 1


RANGES = {'bytes=0-9': (206, '0-9'), 'bytes=90-': (206, '90-99'), 'bytes=-5': (206, '95-99'),
          'bytes=50-5000': (206, '50-99'), 'bytes=100-': (416, '*'), 'bytes=9-3': (416, '*'), 'lines=1-2': (200, None)}


@pytest.mark.parametrize('text', RANGES)
def test_ranges(bot, drive_id, text):
    data = bytes(range(100))
    status, span = RANGES[text]
    answer = bot.call('GET', f'/files/{child(bot, drive_id, data=data)}?alt=media', Range=text)
    assert answer.status == status and answer.headers.get('Content-Range') == (span and f'bytes {span}/100')
    if status == 206:
        first, last = map(int, span.split('-'))
        assert answer.data == data[first:last + 1]


def test_an_empty_file_has_no_ranges(bot, drive_id):
    file = child(bot, drive_id, data=b'')
    assert bot.call('GET', f'/files/{file}?alt=media').data == b''
    assert bot.call('GET', f'/files/{file}?alt=media', Range='bytes=0-').status == 416


def test_what_cannot_be_downloaded(server, bot, ann, drive_id):
    folder = bot.create('folder', parent=drive_id).json['id']
    assert bot.get(f'/files/{folder}', alt='media').reason == 'fileNotDownloadable'
    file = server.seed.file('Show/a', b'x', flags=['abusive'])
    assert bot.get(f'/files/{file.id}', alt='media').reason == 'cannotDownloadAbusiveFile'
    assert ann.get(f'/files/{file.id}', alt='media', acknowledgeAbuse='true').data == b'x'
    clean = child(bot, drive_id)
    assert ann.get(f'/files/{clean}', alt='media', acknowledgeAbuse='true').reason == 'invalidAbuseAcknowledgment'
    quota = server.seed.file('Show/b', b'x', flags=['download-quota'])
    assert bot.get(f'/files/{quota.id}', alt='media').reason == 'downloadQuotaExceeded'


def test_download_may_be_disabled(server, studio, eve):
    studio.drive.members[EVE] = 'reader'
    file = server.seed.file('Show/a', b'x', flags=['no-download'])
    assert eve.get(f'/files/{file.id}', fields='capabilities').json['capabilities']['canDownload'] is False
    assert eve.get(f'/files/{file.id}', alt='media').reason == 'cannotDownloadFile'


def test_missing_checksums(server, bot):
    file = server.seed.file('Show/a', b'x', flags=['no-sha'])
    shown = bot.get(f'/files/{file.id}', fields='*').json
    assert 'md5Checksum' in shown and not {'sha1Checksum', 'sha256Checksum'} & set(shown)


def test_shortcuts(bot, drive_id):
    file = child(bot, drive_id)
    shortcut = bot.create('s', None, drive_id, mimeType='application/vnd.google-apps.shortcut',
                          shortcutDetails={'targetId': file}).json
    assert shortcut['shortcutDetails']['targetId'] == file and 'size' not in shortcut
    assert bot.get(f'/files/{shortcut["id"]}', alt='media').reason == 'fileNotDownloadable'


def test_seeded_shortcuts_and_documents(server, bot):
    server.seed.file('Show/a', b'x')
    shortcut = server.seed.file('Show/s', target='Show/a')
    document = server.seed.file('Show/d', mime='application/vnd.google-apps.document')
    shown = [bot.get(f'/files/{each.id}', fields='*').json for each in (shortcut, document)]
    assert shown[0]['shortcutDetails']['targetId'] == server.seed.find('Show/a').id
    assert 'size' not in shown[1] and bot.get(f'/files/{document.id}', alt='media').reason == 'fileNotDownloadable'


def test_properties(bot, drive_id):
    file = bot.create('a', b'x', drive_id, appProperties={'sha': 'a' * 64}).json
    assert file['appProperties'] == {'sha': 'a' * 64}
    assert 'appProperties' not in bot.patch(file['id'], {'appProperties': {'sha': None}}).json
    assert bot.patch(file['id'], {'properties': {'k': 'v' * 124}}).status == 400


def test_gzip_only_for_who_says_so(bot, drive_id):
    path = f'/files/{drive_id}?fields=*&supportsAllDrives=true'
    plain = bot.call('GET', path, Accept_Encoding='gzip', User_Agent='client')
    packed = bot.call('GET', path, Accept_Encoding='gzip', User_Agent='client (gzip)')
    assert 'Content-Encoding' not in plain.headers and packed.headers['Content-Encoding'] == 'gzip'
    assert plain.headers['Transfer-Encoding'] == 'chunked'


def test_unknown_paths(bot):
    assert bot.get('/nonsense').status == 404 and bot.call('PUT', '/files', data={}).status == 404
