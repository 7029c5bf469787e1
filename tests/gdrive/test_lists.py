"""files.list: the q language, corpora, order, pages; drives.list and about."""

import pytest

from gdrive.bare import ANN, BOT

BOTH = {'includeItemsFromAllDrives': 'true'}


@pytest.fixture
def names(server, bot):
    """A function from a query to the sorted names that it finds."""
    server.seed.folder('Show/seq')
    for name, mime in (('Hello World.exr', 'image/x-exr'), ('hello', 'text/plain'), ("it's", 'text/plain'),
                       ('back\\slash', 'text/plain')):
        server.seed.file(f'Show/seq/{name}', b'x', mime=mime, modified='2020-06-01T12:00:00')
    server.seed.file('Show/top', b'x')
    server.seed.file(f'{ANN}:private', b'x')

    def find(q, **more):
        answer = bot.get('/files', q=q, **{**BOTH, **more})
        assert answer.status == 200, answer
        return sorted(file['name'] for file in answer.json['files'])
    return find


QUERIES = {
    "name = 'hello'": ['hello'],
    "name='HELLO'": ['hello'],
    "name = 'it\\'s'": ["it's"],
    "name = 'back\\\\slash'": ['back\\slash'],
    "name contains 'hel'": ['Hello World.exr', 'hello'],
    "name contains 'wor'": ['Hello World.exr'],
    "name contains 'ello'": [],
    "name != 'hello' and mimeType = 'text/plain'": ['back\\slash', "it's"],
    "mimeType contains 'image/'": ['Hello World.exr'],
    "mimeType = 'application/vnd.google-apps.folder'": ['seq'],
    "not mimeType contains 'text' and not name = 'seq'": ['Hello World.exr', 'top'],
    "trashed = true": [],
    "modifiedTime < '2020-06-01T12:00:01'": ['Hello World.exr', 'back\\slash', 'hello', "it's"],
    "modifiedTime <= '2020-06-01T14:00:00+02:00' and name = 'hello'": ['hello'],
    # left to right: (top or hello) and text
    "name = 'top' or name = 'hello' and mimeType = 'text/plain'": ['hello'],
    "name = 'top' or (name = 'hello' and mimeType = 'text/plain')": ['hello', 'top'],
    "'bot@stand-in.iam.gserviceaccount.com' in writers and name = 'top'": ['top'],
    "'me' in owners": [],
}
BAD = ['nonsense', 'name', "name = 'a", "name = hello", "name ~ 'a'", "name = 'a' and", "size > '5'", "'a' in b",
       "name = 'a' name = 'b'", '(', "(name = 'a'", "trashed = 'true'", "name > 'a'", "modifiedTime > 'soon'",
       "properties has 'x'", "name = 'a\\n'", "name = 'a')"]


@pytest.mark.parametrize('q', QUERIES)
def test_query(names, q):
    assert names(q) == QUERIES[q]


@pytest.mark.parametrize('q', BAD)
def test_bad_query(bot, q):
    answer = bot.get('/files', q=q)
    assert answer.status == 400 and answer.json['error']['errors'][0]['location'] == 'q'


def test_parents(server, names, drive_id):
    seq = server.seed.find('Show/seq').id
    assert names(f"'{drive_id}' in parents") == ['seq', 'top']
    assert names(f"'{seq}' in parents and name contains 'hello'") == ['Hello World.exr', 'hello']
    assert len(names(f"'{seq}' in parents or '{drive_id}' in parents")) == 6
    assert names(f"'{seq}' in parents", corpora='drive', driveId=drive_id)[0] == 'Hello World.exr'


def test_an_unknown_parent(bot):
    assert bot.get('/files', q="'nothing' in parents").status == 404
    assert bot.get('/files', q="'nothing' in parents or 'nothing' in parents and trashed = true").status == 404


def test_a_parent_of_others(server, bot, ann, drive_id):
    private = ann.create('private').json['id']
    assert bot.get('/files', q=f"'{private}' in parents").status == 404
    assert ann.call('GET', '/files', {'q': f"'{drive_id}' in parents"}).status == 404
    assert ann.get('/files', q=f"'{drive_id}' in parents").json['files'] == []


CORPORA = [({}, 200), ({'corpora': 'drive'}, 400), ({'corpora': 'user', 'driveId': 'DRIVE'}, 400), ({'driveId': 'DRIVE', **BOTH}, 400),
           ({'corpora': 'drive', 'driveId': 'DRIVE', **BOTH}, 200), ({'corpora': 'drive', 'driveId': 'DRIVE'}, 403),
           ({'corpora': 'drive', 'driveId': 'nothing', **BOTH}, 404), ({'corpora': 'nonsense'}, 400),
           ({'corpora': 'allDrives', **BOTH}, 200), ({'supportsAllDrives': 'false', **BOTH}, 403),
           ({'orderBy': 'nonsense'}, 400), ({'pageSize': '0'}, 400), ({'pageSize': 'x'}, 400), ({'spaces': 'x'}, 400),
           ({'pageSize': '5000'}, 200), ({'includeItemsFromAllDrives': 'maybe'}, 400)]


@pytest.mark.parametrize('query, status', CORPORA)
def test_parameters(bot, drive_id, query, status):
    query = {name: drive_id if value == 'DRIVE' else value for name, value in query.items()}
    assert bot.get('/files', **query).status == status


def test_without_the_parameter_only_my_drive(server, bot, ann, names):
    files = ann.get('/files').json['files']
    assert [file['name'] for file in files] == ['private']


def test_order(server, bot, drive_id):
    for name in ('b10', 'b9', 'A'):
        server.seed.file(f'Show/{name}', b'x' * len(name))
    server.seed.folder('Show/z')

    def listed(order):
        answer = bot.get('/files', q=f"'{drive_id}' in parents", orderBy=order, **BOTH)
        return [file['name'] for file in answer.json['files']]

    assert listed('name') == ['A', 'b10', 'b9', 'z']
    assert listed('name_natural') == ['A', 'b9', 'b10', 'z']
    assert listed('folder,name desc') == ['z', 'b9', 'b10', 'A']
    assert listed('quotaBytesUsed desc,name')[0] == 'b10'


def test_pages(server, bot, drive_id):
    server.seed.many('Show/many', files=25)
    query = {'q': f"'{server.seed.find('Show/many').id}' in parents", 'pageSize': '10', 'orderBy': 'name', **BOTH}
    seen, token = [], None
    while True:
        page = bot.get('/files', **query, **({'pageToken': token} if token else {})).json
        seen.append([file['name'] for file in page['files']])
        token = page.get('nextPageToken')
        if not token:
            break
        last = token
    assert [len(page) for page in seen] == [10, 10, 5] and sum(seen, []) == [f'file.{i:05}' for i in range(25)]
    other = {**query, 'q': "name = 'x'"}
    assert bot.get('/files', **other, pageToken=last).reason == 'invalidParameter'
    assert bot.get('/files', **query, pageToken='nonsense').status == 400
    server.set(page_token_life=60)
    fresh = bot.get('/files', **query).json['nextPageToken']
    assert bot.get('/files', **query, pageToken=fresh).status == 200
    server.world.skew += 61
    assert bot.get('/files', **query, pageToken=fresh).status == 400
    assert 'nextPageToken' not in bot.get('/files', **query, fields='files(id)').json


def test_short_pages_and_incomplete(server, bot, drive_id):
    server.seed.many('Show/many', files=5)
    server.faults.add({'match': {'kind': 'files.list'}, 'do': {'short_page': 2, 'incomplete': True}})
    query = {'q': f"'{server.seed.find('Show/many').id}' in parents", **BOTH}
    page = bot.get('/files', **query).json
    assert len(page['files']) == 2 and page['incompleteSearch']
    rest = bot.get('/files', **query, pageToken=page['nextPageToken']).json
    assert len(rest['files']) == 3 and not rest['incompleteSearch']


def test_name_index_lags(server, bot, drive_id):
    server.set(name_lag=60)
    file = bot.create('new', b'x', drive_id).json['id']

    def found(name):
        return len(bot.get('/files', q=f"name = '{name}' and '{drive_id}' in parents", **BOTH).json['files'])

    assert found('new') == 0 and len(bot.get('/files', q=f"'{drive_id}' in parents", **BOTH).json['files']) == 1
    server.world.skew += 61
    assert found('new') == 1
    bot.patch(file, {'name': 'other'})
    assert (found('new'), found('other')) == (1, 0)
    server.world.skew += 61
    assert (found('new'), found('other')) == (0, 1)


def test_lists_lag(server, bot, drive_id):
    old = bot.create('old', b'x', drive_id).json['id']
    folder = bot.create('folder', parent=drive_id).json['id']
    server.world.skew += 100
    server.set(list_lag=60)

    def listed(parent=drive_id):
        answer = bot.get('/files', q=f"'{parent}' in parents and trashed = false", orderBy='name',
                         fields='files(name,size)', **BOTH)
        return [tuple(file.values()) for file in answer.json['files']]

    bot.create('new', b'x', drive_id)
    bot.patch(old, {'name': 'moved'}, addParents=folder, removeParents=drive_id)
    bot.call('PATCH', f'/upload/drive/v3/files/{old}?uploadType=media&supportsAllDrives=true', data=b'longer')
    assert bot.get(f'/files/{old}', fields='size').json['size'] == '6'
    assert listed() == [('folder',), ('old', '1')] and listed(folder) == []
    server.world.skew += 61
    assert listed() == [('folder',), ('new', '1')] and listed(folder) == [('moved', '6')]
    bot.patch(old, {'trashed': True})
    assert listed(folder) == [('moved', '6')]
    server.world.skew += 61
    assert listed(folder) == []


@pytest.mark.parametrize('loss, count', [('whole', 4), ('part', 2), ('nothing', 0)])
def test_grouped_parents(server, bot, loss, count):
    for path in ('Show/one/a', 'Show/one/b', 'Show/two/a', 'Show/two/b'):
        server.seed.file(path, b'x')
    server.set(grouped_parents=loss)
    one, two = server.seed.find('Show/one').id, server.seed.find('Show/two').id
    answer = bot.get('/files', q=f"('{one}' in parents or '{two}' in parents) and trashed = false", **BOTH).json
    assert len(answer['files']) == count and not answer['incompleteSearch']
    assert len(bot.get('/files', q=f"'{one}' in parents", **BOTH).json['files']) == 2


def test_hundred_thousand_entries(server, bot, drive_id):
    assert server.seed.many('Show/large', folders=50, files=1999) == 100_000
    folder = server.seed.find('Show/large/folder.00007').id
    query = {'q': f"'{folder}' in parents", 'pageSize': '1000', 'fields': 'nextPageToken,files(id,size)', **BOTH}
    page = bot.get('/files', **query).json
    rest = bot.get('/files', **query, pageToken=page['nextPageToken']).json
    assert (len(page['files']), len(rest['files'])) == (1000, 999) and 'nextPageToken' not in rest
    query = {'corpora': 'drive', 'driveId': drive_id, 'pageSize': '1000', 'fields': 'nextPageToken,files(id)', **BOTH}
    page, count = bot.get('/files', **query).json, 0
    while 'nextPageToken' in page:
        count += len(page['files'])
        page = bot.get('/files', **query, pageToken=page['nextPageToken']).json
    assert count + len(page['files']) == 100_001


def test_drives(server, bot, ann, drive_id):
    for i in range(12):
        server.add_drive(f'More {i:02}', {BOT: 'reader'})
    first = bot.get('/drives').json
    rest = bot.get('/drives', pageToken=first['nextPageToken']).json
    assert len(first['drives']) == 10 and [each['name'] for each in rest['drives']] == ['More 11', 'Show'] or \
        len(first['drives']) + len(rest['drives']) == 13
    assert [each['id'] for each in bot.get('/drives', q="name = 'Show'").json['drives']] == [drive_id]
    assert bot.get('/drives', pageSize='101').status == 400
    assert bot.get(f'/drives/{drive_id}', fields='name').json == {'name': 'Show'}
    assert bot.call('PATCH', f'/drives/{drive_id}', data={'name': 'x'}).status == 403
    assert ann.call('PATCH', f'/drives/{drive_id}', data={'name': 'Renamed'}).json['name'] == 'Renamed'
    assert bot.call('POST', '/drives?requestId=1', data={'name': 'x'}).reason == 'userCannotCreateTeamDrives'


def test_about(bot, ann):
    assert bot.get('/about').reason == 'required'
    ann.create('a', b'x' * 100)
    storage = ann.get('/about', fields='storageQuota').json['storageQuota']
    assert storage['usage'] == '100' and storage['limit'] == str(15 << 30)
    assert bot.get('/about', fields='storageQuota').json['storageQuota']['limit'] == '0'
