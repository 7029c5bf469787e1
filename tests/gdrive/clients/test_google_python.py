"""
Google's Python client against the stand-in, through its CONNECT proxy: the one independent implementation of the
resumable protocol, with status queries and recovery.
"""

import hashlib
import io
import json
import random

import pytest

from gdrive.content import Pattern
from gdrive.server import Server

ANN, BOT = 'ann@studio.test', 'bot@stand-in.iam.gserviceaccount.com'
FOLDER = 'application/vnd.google-apps.folder'
MIB = 1 << 20
ALL = {'supportsAllDrives': True, 'fields': '*'}


class Google:
    """Their service object, and what our tests do with it again and again."""

    def __init__(self, server, subject=None):
        import google_auth_httplib2
        import httplib2
        from google.oauth2 import service_account
        from googleapiclient.discovery import build
        http = httplib2.Http(timeout=20)
        http.redirect_codes = set(http.redirect_codes) - {308}
        key = {**server.key, 'token_uri': 'https://oauth2.googleapis.com/token'}
        credentials = service_account.Credentials.from_service_account_info(
            key, scopes=['https://www.googleapis.com/auth/drive'], subject=subject)
        self.http = google_auth_httplib2.AuthorizedHttp(credentials, http=http)
        self.api = build('drive', 'v3', http=self.http, cache_discovery=False)
        self.files = self.api.files()

    def upload(self, data, body, chunk=None, file_id=None):
        """The request of an upload; resumable when CHUNK is given."""
        from googleapiclient.http import MediaIoBaseUpload
        media = MediaIoBaseUpload(io.BytesIO(data), 'application/octet-stream', chunksize=chunk or -1,
                                  resumable=chunk is not None)
        if file_id:
            return self.files.update(fileId=file_id, body=body, media_body=media, **ALL)
        return self.files.create(body=body, media_body=media, **ALL)

    def download(self, file_id, chunk):
        from googleapiclient.http import MediaIoBaseDownload
        got, done = io.BytesIO(), False
        loader = MediaIoBaseDownload(got, self.files.get_media(fileId=file_id, supportsAllDrives=True), chunk)
        while not done:
            _, done = loader.next_chunk()
        return got.getvalue()

    def query(self, **more):
        return self.files.list(includeItemsFromAllDrives=True, supportsAllDrives=True, **more)


@pytest.fixture
def server(monkeypatch, google_python):
    import httplib2
    with Server(seed=5) as server:
        for name, value in server.proxy_environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(httplib2, 'CA_CERTS', server.ca)
        server.add_user(ANN)
        server.key = server.add_account(BOT, delegated=True)
        server.drive = server.add_drive('Show', {ANN: 'organizer', BOT: 'fileOrganizer'})
        yield server


@pytest.fixture
def google(server):
    made = Google(server)
    yield made
    made.http.close()


@pytest.fixture
def parent(server):
    return server.drive.id


def finish(request, tries=6):
    """Calls next_chunk() until the file is there; again after an error, as its documentation says. The file and the
    errors on the way."""
    from googleapiclient.errors import HttpError
    errors = []
    while len(errors) < tries:
        try:
            _, file = request.next_chunk()
            if file:
                return file, errors
        except (HttpError, OSError) as error:
            errors.append(error)
    raise AssertionError(errors)


def reason(error):
    return json.loads(error.content)['error']['errors'][0]['reason']


def right(file, data):
    return (file['size'], file['md5Checksum'], file['sha256Checksum']) == (
        str(len(data)), hashlib.md5(data).hexdigest(), hashlib.sha256(data).hexdigest())


def test_simple_and_resumable_uploads(google, parent):
    data = random.Random(1).randbytes(3 * MIB + 17)
    for chunk in (None, 256 << 10, MIB, 64 * MIB):
        body = {'name': f'a {chunk}', 'parents': [parent], 'modifiedTime': '2021-02-03T04:05:06.789Z'}
        request = google.upload(data, body, chunk)
        file = request.execute()
        assert right(file, data) and file['modifiedTime'] == body['modifiedTime'] and file['parents'] == [parent]
        assert google.download(file['id'], 700_001) == data


def test_empty_file(google, parent):
    file = google.upload(b'', {'name': 'empty', 'parents': [parent]}, MIB).execute()
    assert right(file, b'') and google.download(file['id'], MIB) == b''


def test_update_in_place(google, parent):
    old, new = b'old' * 100_000, b'new' * 200_000
    file = google.upload(old, {'name': 'a', 'parents': [parent]}).execute()
    again = google.upload(new, {}, 256 << 10, file['id']).execute()
    assert again['id'] == file['id'] and right(again, new) and again['headRevisionId'] != file['headRevisionId']
    revisions = google.api.revisions().list(fileId=file['id'], fields='*').execute()['revisions']
    assert [each['size'] for each in revisions] == ['300000', '600000']
    kept = google.api.revisions().get_media(fileId=file['id'], revisionId=revisions[0]['id']).execute()
    assert kept == old


RECOVERIES = {
    '503 before': {'do': {'status': 503}},
    '429': {'do': {'status': 429, 'reason': 'rateLimitExceeded'}},
    'html 502': {'do': {'status': 502, 'html': True}},
    'kept, but 503': {'do': {'status': 503, 'when': 'after'}},
    'reset before': {'do': {'reset': 'before'}},
    'reset in the chunk': {'do': {'reset': 'during', 'reset_after': 700_000}},
    'reset after': {'do': {'reset': 'after'}},
    'a part is kept': {'do': {'keep': 300_000}},
    'nothing is kept': {'do': {'keep': 0}},
    'last chunk stored, but 503': {'match': {'content_range': f'-{5 * MIB - 1}/'}, 'do': {'status': 503,
                                                                                         'when': 'after'}},
    'last chunk stored, but reset': {'match': {'content_range': f'-{5 * MIB - 1}/'}, 'do': {'reset': 'after'}},
}


@pytest.mark.parametrize('fault', RECOVERIES)
@pytest.mark.parametrize('skip', [0, 1])
def test_resumes(server, google, parent, fault, skip):
    data = random.Random(2).randbytes(5 * MIB)
    row = RECOVERIES[fault]
    match = {'kind': 'session.chunk', **row.get('match', {})}
    skip = 0 if 'match' in row else skip
    rule = server.faults.add({'match': match, 'do': row['do'], 'skip': skip})
    if 'reset' in row['do']:
        # httplib2 then sends the request again by itself, without the bytes that it has read already.
        server.faults.add({'match': match, 'do': {'reset': 'before'}, 'skip': skip + 1})
    file, errors = finish(google.upload(data, {'name': 'a', 'parents': [parent]}, MIB))
    assert rule.hits == 1 and right(file, data)
    assert [len(each) for each in server.seed.listing('Show').values()] == [1]
    assert bool(errors) == ('keep' not in row['do'])
    assert server.journal.report().get('session.query', {'requests': 0})['requests'] == len(errors)


def test_a_lost_session_is_told(server, google, parent):
    server.faults.add({'match': {'kind': 'session.chunk'}, 'skip': 1, 'do': {'lose_session': True}})
    request = google.upload(b'x' * (2 * MIB), {'name': 'a', 'parents': [parent]}, MIB)
    from googleapiclient.errors import HttpError
    request.next_chunk()
    with pytest.raises(HttpError) as error:
        request.next_chunk()
    assert error.value.resp.status == 404 and server.seed.listing('Show') == {}


def test_a_token_that_ends_is_renewed(server, google, parent):
    google.upload(b'one', {'name': 'a', 'parents': [parent]}).execute()
    server.service.tokens.revoke_all()
    google.upload(b'two', {'name': 'b', 'parents': [parent]}).execute()
    assert server.journal.report()['token']['requests'] == 2
    assert sum(event['status'] == 401 for event in server.journal.since()) == 1


def test_ids_make_creation_idempotent(google, parent):
    from googleapiclient.errors import HttpError
    ids = google.files.generateIds(count=3, space='drive', type='files').execute()['ids']
    body = {'name': 'a', 'parents': [parent], 'id': ids[0]}
    assert google.upload(b'bytes', body).execute()['id'] == ids[0]
    for again in (google.upload(b'bytes', body), google.upload(b'bytes', body, MIB), google.files.create(body=body, **ALL)):
        with pytest.raises(HttpError) as error:
            again.execute()
        assert error.value.resp.status == 409 and reason(error.value) == 'fileIdInUse'
    with pytest.raises(HttpError) as error:
        google.upload(b'bytes', {**body, 'id': '1' + 'x' * 32}).execute()
    assert error.value.resp.status == 400


def test_lists_have_pages(server, google, parent):
    server.seed.many('Show/many', files=2100)
    folder = server.seed.find('Show/many').id
    request = google.query(q=f"'{folder}' in parents and trashed = false", pageSize=1000, orderBy='name',
                           fields='nextPageToken,incompleteSearch,files(id,name,size,md5Checksum)')
    names, pages = [], 0
    while request is not None:
        answer = request.execute()
        names += [file['name'] for file in answer['files']]
        pages, request = pages + 1, google.files.list_next(request, answer)
    assert pages == 3 and names == [f'file.{i:05}' for i in range(2100)]


def test_move_rename_trash_delete(server, google, parent):
    from googleapiclient.errors import HttpError
    one, two = (google.files.create(body={'name': name, 'mimeType': FOLDER, 'parents': [parent]}, **ALL).execute()['id']
                for name in ('one', 'two'))
    file = google.upload(b'x', {'name': 'a', 'parents': [one]}).execute()['id']
    moved = google.files.update(fileId=file, addParents=two, removeParents=one, body={'name': 'b'}, **ALL).execute()
    assert moved['parents'] == [two] and moved['name'] == 'b' and moved['id'] == file
    google.files.update(fileId=two, body={'trashed': True}, **ALL).execute()
    seen = google.files.get(fileId=file, **ALL).execute()
    assert seen['trashed'] and not seen['explicitlyTrashed']
    with pytest.raises(HttpError) as error:  # a content manager
        google.files.delete(fileId=two, supportsAllDrives=True).execute()
    assert reason(error.value) == 'insufficientFilePermissions'
    Google(server, ANN).files.delete(fileId=two, supportsAllDrives=True).execute()
    with pytest.raises(HttpError) as error:
        google.files.get(fileId=file, **ALL).execute()
    assert error.value.resp.status == 404 and reason(error.value) == 'notFound'


def test_copy(server, google, parent):
    file = google.upload(b'x' * 1000, {'name': 'a', 'parents': [parent]}).execute()
    copy = google.files.copy(fileId=file['id'], body={'name': 'b', 'parents': [parent]}, **ALL).execute()
    assert copy['id'] != file['id'] and copy['md5Checksum'] == file['md5Checksum'] and copy['name'] == 'b'


def test_changes(google, parent):
    changes, more = google.api.changes(), {'supportsAllDrives': True, 'includeItemsFromAllDrives': True,
                                           'fields': '*', 'driveId': parent}
    start = changes.getStartPageToken(driveId=parent, supportsAllDrives=True).execute()['startPageToken']
    file = google.upload(b'x', {'name': 'a', 'parents': [parent]}).execute()['id']
    google.files.update(fileId=file, body={'name': 'b'}, **ALL).execute()
    answer = changes.list(pageToken=start, **more).execute()
    assert [(each['fileId'], each['file']['name'], each['removed']) for each in answer['changes']] == [
        (file, 'b', False)]
    again = changes.list(pageToken=answer['newStartPageToken'], **more).execute()
    assert again['changes'] == [] and again['newStartPageToken'] == answer['newStartPageToken']


def test_batch(server, google, parent):
    for i in range(20):
        server.seed.file(f'Show/a.{i}', b'x')
    got = {}
    batch = google.api.new_batch_http_request(
        callback=lambda number, answer, error: got.update({number: error or answer['name']}))
    for name, entries in server.seed.listing('Show').items():
        batch.add(google.files.get(fileId=entries[0]['id'], **ALL), request_id=name)
    batch.add(google.files.get(fileId='nothing', **ALL), request_id='nothing')
    batch.execute()
    assert got.pop('nothing').resp.status == 404
    assert got == {f'a.{i}': f'a.{i}' for i in range(20)}


def test_subject_drives_about(server, google, parent):
    ann = Google(server, ANN)
    assert ann.api.about().get(fields='user,storageQuota').execute()['user']['emailAddress'] == ANN
    drives = google.api.drives().list(pageSize=100).execute()['drives']
    assert [(each['name'], each['id']) for each in drives] == [('Show', parent)]
    file = ann.upload(b'own', {'name': 'mine'}).execute()
    assert file['ownedByMe'] and file['parents'] == [ann.files.get(fileId='root').execute()['id']]
    ann.http.close()


def test_a_service_account_has_no_storage(google):
    from googleapiclient.errors import HttpError
    with pytest.raises(HttpError) as error:
        google.upload(b'x', {'name': 'a'}).execute()
    assert error.value.resp.status == 403 and reason(error.value) == 'storageQuotaExceeded'


def test_a_file_of_a_terabyte_by_ranges(server, google):
    file = server.seed.file('Show/large', size=1 << 40, seed=9)
    request = google.files.get_media(fileId=file.id)
    request.headers['range'] = f'bytes={(1 << 40) - 5000}-{(1 << 40) - 1}'
    assert request.execute() == Pattern(1 << 40, 9).read((1 << 40) - 5000, 1 << 40)
    assert google.files.get(fileId=file.id, **ALL).execute()['size'] == str(1 << 40)
