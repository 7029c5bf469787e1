/*
 * Google's Node client against the stand-in: run by test_google_node.py with the proxy in the environment. Prints
 * "ok NAME" or "not ok NAME" and why, one line per check.
 */
'use strict';

const crypto = require('crypto');
const path = require('path');
const stream = require('stream');
const { createRequire } = require('module');

const load = createRequire(path.join(process.env.CLIENT_FOLDER, 'package.json'));
const google = load('@googleapis/drive');
const state = JSON.parse(process.env.STATE);
const FOLDER = 'application/vnd.google-apps.folder';
const ALL = { supportsAllDrives: true, fields: '*' };

function connect(subject) {
  const auth = new google.auth.JWT({
    email: state.key.client_email, key: state.key.private_key, keyId: state.key.private_key_id,
    scopes: ['https://www.googleapis.com/auth/drive'], subject,
  });
  return google.drive({ version: 'v3', auth, retryConfig: { retryDelay: 10, retryDelayMultiplier: 1 } });
}

const drive = connect();
const parent = state.drive;
const md5 = (data) => crypto.createHash('md5').update(data).digest('hex');

async function upload(name, data, more = {}) {
  const answer = await drive.files.create({
    ...ALL, requestBody: { name, parents: [parent], ...more },
    media: { mimeType: 'application/octet-stream', body: stream.Readable.from([data]) },
  });
  return answer.data;
}

async function folder(name, inside = parent) {
  const answer = await drive.files.create({ ...ALL, requestBody: { name, mimeType: FOLDER, parents: [inside] } });
  return answer.data.id;
}

async function download(fileId, headers = {}) {
  const answer = await drive.files.get({ fileId, alt: 'media', supportsAllDrives: true },
    { responseType: 'arraybuffer', headers });
  return [answer.status, Buffer.from(answer.data)];
}

function equal(got, wanted) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b)
    throw new Error(`got ${a}, wanted ${b}`);
}

async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    const body = error.response ? error.response.data : {};
    const parsed = Buffer.isBuffer(body) || body instanceof ArrayBuffer ? JSON.parse(Buffer.from(body)) : body;
    return [error.status || error.code, parsed.error && parsed.error.errors[0].reason];
  }
  throw new Error('was not refused');
}

const checks = {
  async 'upload and download byte for byte'() {
    for (const size of [0, 1, 70000, 3000001]) {
      const data = crypto.randomBytes(size);
      const file = await upload(`size ${size}`, data);
      equal([file.size, file.md5Checksum], [String(size), md5(data)]);
      equal((await download(file.id))[1].equals(data), true);
    }
  },
  async 'ranges'() {
    const data = crypto.randomBytes(100000);
    const file = await upload('ranges', data);
    const [status, part] = await download(file.id, { Range: 'bytes=500-70000' });
    equal([status, part.equals(data.subarray(500, 70001))], [206, true]);
    equal((await refused(download(file.id, { Range: 'bytes=100000-' })))[0], 416);
  },
  async 'a stream comes whole'() {
    const data = crypto.randomBytes(5000000);
    const file = await upload('stream', data);
    const answer = await drive.files.get({ fileId: file.id, alt: 'media' }, { responseType: 'stream' });
    const hash = crypto.createHash('md5');
    for await (const piece of answer.data)
      hash.update(piece);
    equal(hash.digest('hex'), md5(data));
  },
  async 'times and properties'() {
    const file = await upload('times', Buffer.from('x'), {
      modifiedTime: '2021-02-03T04:05:06.789Z', properties: { a: '1' }, appProperties: { b: '2' },
    });
    equal([file.modifiedTime, file.properties, file.appProperties],
      ['2021-02-03T04:05:06.789Z', { a: '1' }, { b: '2' }]);
    const answer = await drive.files.update({ ...ALL, fileId: file.id, requestBody: { properties: { a: null } } });
    equal(answer.data.properties, undefined);
    const found = await drive.files.list({
      q: "appProperties has { key='b' and value='2' }", includeItemsFromAllDrives: true, supportsAllDrives: true,
    });
    equal(found.data.files.map((each) => each.id), [file.id]);
  },
  async 'default fields'() {
    const file = await upload('defaults', Buffer.from('x'));
    const answer = await drive.files.get({ fileId: file.id, supportsAllDrives: true });
    equal(Object.keys(answer.data).sort(), ['id', 'kind', 'mimeType', 'name']);
  },
  async 'names in queries'() {
    const inside = await folder('names');
    for (const name of ["it's", 'back\\slash', 'UPPER'])
      await drive.files.create({ ...ALL, requestBody: { name, parents: [inside], mimeType: FOLDER } });
    const find = async (text) => (await drive.files.list({
      q: `'${inside}' in parents and name = '${text}'`, includeItemsFromAllDrives: true, supportsAllDrives: true,
    })).data.files.map((each) => each.name);
    equal([await find("it\\'s"), await find('back\\\\slash'), await find('upper')],
      [["it's"], ['back\\slash'], ['UPPER']]);
  },
  async 'pages'() {
    const seen = new Set();
    let pageToken;
    do {
      const answer = await drive.files.list({
        q: `'${state.many}' in parents`, pageSize: 100, pageToken, includeItemsFromAllDrives: true,
        supportsAllDrives: true, fields: 'nextPageToken,files(id)', corpora: 'drive', driveId: parent,
      });
      answer.data.files.forEach((each) => seen.add(each.id));
      pageToken = answer.data.nextPageToken;
    } while (pageToken);
    equal(seen.size, 250);
  },
  async 'bad queries, fields and tokens'() {
    equal(await refused(drive.files.list({ q: 'nonsense' })), [400, 'invalid']);
    equal(await refused(drive.files.list({ fields: 'files(nonsense)' })), [400, 'invalidParameter']);
    equal(await refused(drive.files.list({ pageToken: 'nonsense' })), [400, 'invalidParameter']);
  },
  async 'shared drives are hidden from who does not ask'() {
    const file = await upload('hidden', Buffer.from('x'));
    equal(await refused(drive.files.get({ fileId: file.id })), [404, 'notFound']);
    equal((await drive.files.list({ q: "name = 'hidden'" })).data.files, []);
  },
  async 'update in place'() {
    const file = await upload('update', Buffer.from('old'));
    const answer = await drive.files.update({ ...ALL, fileId: file.id, media: { body: 'new content' } });
    equal([answer.data.id, answer.data.size], [file.id, '11']);
    equal((await download(file.id))[1].toString(), 'new content');
    const revisions = await drive.revisions.list({ fileId: file.id, fields: 'revisions(id,size)' });
    equal(revisions.data.revisions.map((each) => each.size), ['3', '11']);
  },
  async 'move and rename'() {
    const [one, two] = [await folder('one'), await folder('two')];
    const file = await upload('moves', Buffer.from('x'), { parents: [one] });
    const answer = await drive.files.update({
      ...ALL, fileId: file.id, addParents: two, removeParents: one, requestBody: { name: 'moved' },
    });
    equal([answer.data.parents, answer.data.name], [[two], 'moved']);
    equal(await refused(drive.files.update({ ...ALL, fileId: file.id, addParents: one })),
      [403, 'teamDrivesParentLimit']);
  },
  async 'a folder does not go below itself'() {
    const outer = await folder('outer');
    const inner = await folder('inner', outer);
    const move = drive.files.update({ ...ALL, fileId: outer, addParents: inner, removeParents: parent });
    equal((await refused(move))[0], 400);
  },
  async 'copy'() {
    const file = await upload('source', Buffer.from('copied'));
    const answer = await drive.files.copy({
      ...ALL, fileId: file.id, requestBody: { name: 'copy', parents: [parent] },
    });
    equal([answer.data.md5Checksum, answer.data.name], [file.md5Checksum, 'copy']);
  },
  async 'generated ids'() {
    const { ids } = (await drive.files.generateIds({ count: 2 })).data;
    const file = await upload('with id', Buffer.from('x'), { id: ids[0] });
    equal(file.id, ids[0]);
    equal(await refused(upload('with id', Buffer.from('x'), { id: ids[0] })), [409, 'fileIdInUse']);
  },
  async 'trash and delete'() {
    const inside = await folder('trash');
    const file = await upload('in trash', Buffer.from('x'), { parents: [inside] });
    await drive.files.update({ ...ALL, fileId: inside, requestBody: { trashed: true } });
    const seen = (await drive.files.get({ ...ALL, fileId: file.id })).data;
    equal([seen.trashed, seen.explicitlyTrashed], [true, false]);
    equal(await refused(drive.files.delete({ fileId: inside, supportsAllDrives: true })),
      [403, 'insufficientFilePermissions']);
    const answer = await connect(state.owner).files.delete({ fileId: inside, supportsAllDrives: true });
    equal(answer.status, 204);
    equal(await refused(drive.files.get({ ...ALL, fileId: file.id })), [404, 'notFound']);
  },
  async 'changes'() {
    const more = { driveId: parent, supportsAllDrives: true, includeItemsFromAllDrives: true };
    const start = (await drive.changes.getStartPageToken(more)).data.startPageToken;
    const file = await upload('changed', Buffer.from('x'));
    const answer = await drive.changes.list({ ...more, pageToken: start, fields: '*' });
    equal(answer.data.changes.map((each) => [each.fileId, each.removed, each.file.name]),
      [[file.id, false, 'changed']]);
    equal(typeof answer.data.newStartPageToken, 'string');
  },
  async 'drives'() {
    const all = (await drive.drives.list({ pageSize: 100 })).data.drives;
    equal(all.map((each) => [each.id, each.name]), [[parent, 'Show']]);
    equal((await drive.drives.get({ driveId: parent, fields: 'name,capabilities' })).data.capabilities.canRename,
      false);
  },
  async 'about'() {
    equal((await connect(state.owner).about.get({ fields: 'user' })).data.user.emailAddress, state.owner);
    equal((await refused(drive.about.get({})))[0], 400);
  },
  async 'permissions'() {
    const ann = connect(state.owner);
    const file = (await ann.files.create({ ...ALL, requestBody: { name: 'shared' }, media: { body: 'x' } })).data;
    equal(await refused(drive.files.get({ ...ALL, fileId: file.id })), [404, 'notFound']);
    const given = await ann.permissions.create({
      fileId: file.id, requestBody: { type: 'user', role: 'reader', emailAddress: state.key.client_email },
    });
    const seen = (await drive.files.get({ ...ALL, fileId: file.id })).data;
    equal([seen.capabilities.canEdit, seen.capabilities.canDownload], [false, true]);
    equal(await refused(drive.files.update({ fileId: file.id, requestBody: { name: 'mine' } })),
      [403, 'insufficientFilePermissions']);
    await ann.permissions.delete({ fileId: file.id, permissionId: given.data.id });
    equal(await refused(drive.files.get({ ...ALL, fileId: file.id })), [404, 'notFound']);
  },
  async 'no storage of its own'() {
    equal(await refused(upload('mine', Buffer.from('x'), { parents: ['root'] })), [403, 'storageQuotaExceeded']);
  },
  async 'a throttle is waited out'() {
    const file = await upload('throttled', Buffer.from('x'));
    await control('faults', { match: { kind: 'files.get' }, do: { status: 429, reason: 'rateLimitExceeded' } });
    equal((await drive.files.get({ ...ALL, fileId: file.id })).data.id, file.id);
  },
};

function control(name, body) {
  return fetch(`${state.url}/control/${name}`, { method: 'POST', body: JSON.stringify(body) });
}

(async () => {
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log(`ok ${name}`);
    } catch (error) {
      console.log(`not ok ${name}: ${String(error.stack).replace(/\n/g, ' | ')}`);
    }
  }
})();
