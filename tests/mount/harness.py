"""
The vocabulary of the stories: a world of sites that share one store and one remote folder, each site with its own
disk, state, mount and daemon. A story reads as a person would tell it:

    studio, home = world.site('studio'), world.site('local_0')
    frame = studio.write('shot/v001/beauty.1001.exr', seed=1, size=100_000)
    studio.publish('shot/v001/beauty.1001.exr')
    studio.sync_once()
    home.mount()
    assert home.read('shot/v001/beauty.1001.exr') == frame

Nothing here sleeps for a time that is hoped to be enough: wait_until() polls a condition up to a deadline. Whatever a
story starts is ended with it, also where it fails, and what a sanitiser reported of any process fails the story.
"""

import base64
import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import os
import random
import shutil
import signal
import stat
import struct
import subprocess
import threading
import time

import bsonbytes

SITEFS = os.environ.get('SITEFS_BIN', 'sitefs')
STORETOOL = os.environ.get('SITEFS_STORETOOL', 'storetool')
IS_STRICT = os.environ.get('SITEFS_REQUIRE', '') not in ('', '0')
PROJECT = 'demo'
REMOTE = 'nas'
# Long enough that only something broken meets it, sanitised and on a busy machine.
DEADLINE = float(os.environ.get('SITEFS_DEADLINE', '60'))
STORY_DEADLINE = float(os.environ.get('SITEFS_STORY_DEADLINE', '240'))
# Of the files that are called large: 1 GiB, less where a sanitiser makes each byte ten times as slow.
LARGE = int(os.environ.get('SITEFS_LARGE', 1 << 30))
IS_SANITISED = 'SITEFS_SANITISED' in os.environ
SANITISERS = ('ASAN_OPTIONS', 'LSAN_OPTIONS', 'TSAN_OPTIONS', 'UBSAN_OPTIONS')

# Times of `sitefs.json` that a person would have to wait for, short enough for a test.
TIMING = {'settled': '200ms', 'young': '1500ms', 'pull': '1500ms', 'gone': '1500ms', 'retry_min': '50ms',
          'retry_max': '500ms', 'probe': '200ms', 'sweep': '1s'}


def wait_until(condition, what, seconds=DEADLINE):
    """Polls CONDITION until it is true, and returns its value. AssertionError with WHAT and the last value."""
    end = time.monotonic() + seconds
    pause = 0.01
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'not within {seconds:.0f} s: {what} (last: {value!r})')
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def stays(condition, what, seconds):
    """CONDITION holds all the time: for what must not happen. As long as the time that the rule speaks of."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), f'no longer: {what}'
        time.sleep(0.05)


def random_bytes(seed, size):
    return random.Random(seed).randbytes(size)


def write_file(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(data)
    return data


def write_large(path, size, seed=0):
    """A file of random blocks of 1 MiB, block I made from (seed, I), so that each can be checked by itself."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        for start in range(0, size, 1 << 20):
            file.write(large_block(seed, start >> 20, min(1 << 20, size - start)))


def large_block(seed, index, size=1 << 20):
    return random_bytes(seed * 1_000_003 + index, 1 << 20)[:size]


def read_file(path):
    with open(path, 'rb') as file:
        return file.read()


def tree(path):
    """Every name below PATH, relative and sorted; folders with a slash at the end."""
    found = []
    for top, folders, names in os.walk(path):
        where = os.path.relpath(top, path)
        found += [os.path.normpath(os.path.join(where, name)) + '/' for name in folders]
        found += [os.path.normpath(os.path.join(where, name)) for name in names]
    return sorted(found)


def mounts():
    """Mount points of this namespace."""
    with open('/proc/self/mountinfo', encoding='utf-8', errors='surrogateescape') as file:
        return {line.split(' ')[4].replace('\\040', ' ') for line in file}


def errno_of(function, *args, **kwargs):
    """The name of the errno that the call fails with ('EIO'), or None where it works."""
    try:
        function(*args, **kwargs)
    except OSError as error:
        return errno.errorcode[error.errno]
    return None


def as_nobody(folder, code):
    """What the code says, run there by somebody without rights."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chdir(folder)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            names = {'os': os}
            exec(code, names)  # pylint: disable=exec-used
            os.write(writing, names['said'].encode())
        except BaseException as error:  # pylint: disable=broad-except
            os.write(writing, repr(error).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding='utf-8') as file:
        said = file.read()
    os.waitpid(child, 0)
    return said


def lock_of_open_file(file, kind, wait=False):
    """F_OFD_SETLK of all of it, fcntl(2)."""
    fcntl.fcntl(file, fcntl.F_OFD_SETLKW if wait else fcntl.F_OFD_SETLK, struct.pack('hhqqi', kind, 0, 0, 0, 0))


def acl(*entries):
    """As the kernel has it in an xattr: (tag of linux/posix_acl.h, permissions, id)."""
    return struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *(*entry, 0xffffffff)[:3]) for entry in entries)


class Result:
    """How a command ended."""

    def __init__(self, args, done):
        self.args, self.code, self.out, self.err = args, done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f'{" ".join(map(str, self.args))}: exit {self.code}\n{self.out}{self.err}'


class Daemon:
    """A process that runs until the story ends it."""

    def __init__(self, site, args):
        self.site, self.args = site, args
        self.log = site.dir / f'log.{len(site.daemons)}'
        self.is_killed = False
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen([site.program, *map(str, args)], env=site.env, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd=site.dir)
        site.daemons.append(self)

    @property
    def is_running(self):
        return self.process.poll() is None

    def read_log(self):
        return self.log.read_text(errors='replace')

    def kill(self):
        """As the power cord: SIGKILL."""
        self.is_killed = True
        self.process.kill()
        self.process.wait()

    def end(self):
        """A clean end by SIGTERM; what does not end is killed, and that is a fault."""
        if self.is_running:
            self.process.terminate()
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise AssertionError(f'did not end after SIGTERM: {self}') from error

    def check(self):
        assert self.is_killed or self.process.returncode in (0, 143, -signal.SIGTERM), f'ended badly: {self}'
        # UBSan beside ASan writes to stderr, whatever log_path says
        assert 'runtime error: ' not in self.read_log(), f'undefined behaviour: {self}'

    def __repr__(self):
        state = 'running' if self.is_running else f'exit {self.process.returncode}'
        return f'sitefs {" ".join(map(str, self.args))} [{state}]'


class Site:
    """One machine: the active site, its roots, its state, its mount."""

    def __init__(self, world, name, roots, host=None):
        self.world, self.name = world, name
        self.program = SITEFS  # of its daemons
        self.dir = world.dir / (host or name)
        self.roots = {root: self.dir / (root or 'root') for root in roots}
        self.root = next(iter(self.roots.values()))
        self.mnt = self.dir / 'mnt'
        self.runtime = world.short / (host or name)
        self.daemons = []
        for path in (*self.roots.values(), self.mnt, self.dir / 'state', self.dir / 'home', self.runtime):
            path.mkdir(parents=True, exist_ok=True)
        self.runtime.chmod(0o700)
        self.env = {
            'PATH': os.environ['PATH'], 'HOME': str(self.dir / 'home'), 'LC_ALL': 'C.UTF-8',
            'SITEFS_CONFIG': str(world.presets), 'SITEFS_STATE': str(self.dir / 'state'),
            'SITEFS_STORE': world.store, 'AVALON_DB': world.database, 'SITEFS_ACTIVE_SITE': name, 'XDG_RUNTIME_DIR': str(self.runtime),
            **{key: f'{os.environ.get(key, "")}:log_path={world.dir}/sanitiser.{key}'.lstrip(':')
               for key in SANITISERS},
        }

    # ---- commands ----

    def run(self, *args, **kwargs):
        """`sitefs ARGS`, whatever its exit code."""
        done = subprocess.run([SITEFS, *map(str, args)], env={**self.env, **kwargs.pop('env', {})}, text=True,
                              errors='surrogateescape', capture_output=True, stdin=subprocess.DEVNULL, cwd=self.dir,
                              timeout=STORY_DEADLINE, check=False, **kwargs)
        result = Result(('sitefs', *args), done)
        self.world.said.append(result.out + result.err)
        return result

    def sitefs(self, *args, **kwargs):
        """`sitefs ARGS`, which must work."""
        result = self.run(*args, **kwargs)
        assert result.code == 0, result
        return result

    def publish(self, *paths, name='exr', version=None, project=PROJECT):
        """Registers files below the root as one representation."""
        extra = ('--version', version) if version else ()
        return self.sitefs('publish', '--project', project, '--name', name, *extra,
                           *(self.root / path for path in paths))

    def sync_once(self, *args):
        return self.sitefs('sync', '--once', *args)

    def sync(self, *args):
        """The daemon without a mount."""
        daemon = Daemon(self, ('sync', *args))
        wait_until(lambda: not daemon.is_running or self.run('status', '--json').code == 0, f'{daemon} answers')
        assert daemon.is_running, daemon.read_log()
        return daemon

    def mount(self, *options, args=()):
        """Mounts at self.mnt, and returns when the mount answers."""
        extra = ('-o', ','.join(options)) if options else ()
        daemon = Daemon(self, ('mount', self.mnt, '-f', *extra, *args))
        # A mount that a crash left behind is in the table of mounts as well, but answers nothing.
        wait_until(lambda: not daemon.is_running or self.is_mounted() and errno_of(os.listdir, self.mnt) is None,
                   f'{daemon} mounts')
        assert daemon.is_running, daemon.read_log()
        return daemon

    def umount(self):
        self.sitefs('umount', self.mnt)
        wait_until(lambda: not self.is_mounted(), f'{self.mnt} is unmounted')
        for daemon in self.daemons:
            if daemon.args[0] == 'mount':
                daemon.process.wait(DEADLINE)

    def is_mounted(self):
        return str(self.mnt) in mounts()

    def add_site(self, name, *paths):
        """Asks for files, by their paths below this site's root, at a site."""
        return self.sitefs('add-site', name, *(self.root / path for path in paths))

    # ---- what it holds ----

    def write(self, rel, data=None, seed=0, size=1000):
        """A file in the root, behind the mount's back."""
        return write_file(self.root / rel, random_bytes(seed or rel, size) if data is None else data)

    def read(self, rel):
        """Through the mount."""
        return read_file(self.mnt / rel)

    def tries_to_read(self, rel):
        """The same; None where it meets an error, as it may at the moment at which the name becomes another file."""
        with contextlib.suppress(OSError):
            return self.read(rel)
        return None

    def on_disk(self, rel):
        """Bytes in the root, or None."""
        path = self.root / rel
        return read_file(path) if path.is_file() else None

    def shown(self, rel=''):
        """Names below a folder of the mount."""
        return tree(self.mnt / rel)

    def status(self):
        return self.sitefs('status', '--json').json

    def is_lost(self):
        """The daemon says that a root is lost."""
        return bool(self.status()['lost_root'])

    def info(self, rel):
        return self.sitefs('info', '--json', self.root / rel).json

    def state(self, rel):
        """The word of INTERFACE for the file's state, None where it is not known at all."""
        result = self.run('info', '--json', self.root / rel)
        if result.code == 3:
            return None
        assert result.code == 0, result
        return result.json['state']

    def wait_state(self, rel, *states):
        return wait_until(lambda: self.state(rel) in states, f'{rel} at {self.name} is {" or ".join(states)}')

    def explain(self, rel):
        return self.sitefs('explain', self.root / rel).out

    # ---- its end ----

    def end(self):
        """Ends mount and daemons. Faults are collected, not raised, so that everything is ended."""
        faults = []
        for daemon in self.daemons:
            try:
                daemon.end()
                daemon.check()
            except AssertionError as fault:
                faults.append(str(fault))
        if self.is_mounted():
            subprocess.run(['fusermount3', '-u', '-z', '-q', self.mnt], check=False)
            faults += [f'{self.mnt} was still mounted'] if not any(d.is_killed for d in self.daemons) else []
        return faults


class Hand:
    """Another hand on the studio's documents: what a person with a database client does, or another program."""

    def __init__(self, world):
        self.world = world

    def run(self, *args, lines=()):
        done = subprocess.run([STORETOOL, str(self.world.store_path), *args], text=True, capture_output=True,
                              input=''.join(json.dumps(line) + '\n' for line in lines), check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def put(self, *docs, project=PROJECT):
        """Replaces documents that are there by these."""
        self.run('put', project, lines=docs)

    def drop(self, *docs, project=PROJECT):
        self.run('drop', project, lines=docs)

    def drop_truths(self):
        """As if nobody had recorded any: what another program published."""
        self.run('drop-truths')

    def truths(self):
        """Truth records by key."""
        return {truth['key']: truth for truth in map(json.loads, self.run('truth').splitlines())}

    def edit(self, rel, function, project=PROJECT):
        """Gives the element of files[] that is REL, in every document that names it, to FUNCTION to be changed."""
        docs = [doc for doc in self.world.representations(project)
                if any(file['path'].endswith(f'/{rel}') for file in doc['files'])]
        assert docs, f'no record of {rel}'
        for doc in docs:
            for file in doc['files']:
                if file['path'].endswith(f'/{rel}'):
                    function(file)
        self.put(*docs, project=project)

    def set_entry(self, rel, site, entry, project=PROJECT):
        """The entry of SITE becomes ENTRY (a dict without name), or goes where ENTRY is None."""
        self.set_entries(rel, {site: entry}, project)

    def set_entries(self, rel, entries, project=PROJECT):
        """The same for several sites at once, so that no daemon acts on a state between."""
        def change(file):
            file['sites'] = [old for old in file['sites'] if old['name'] not in entries]
            file['sites'] += [{'name': site, **entry} for site, entry in entries.items() if entry is not None]
        self.edit(rel, change, project)


class MongoHand(Hand):
    """The same in a MongoDB server."""

    def put(self, *docs, project=PROJECT):
        self.send({'update': project, 'updates': [{'q': {'_id': doc['_id']}, 'u': doc} for doc in docs]})

    def drop(self, *docs, project=PROJECT):
        self.send({'delete': project, 'deletes': [{'q': {'_id': doc['_id']}, 'limit': 1} for doc in docs]})

    def drop_truths(self):
        self.send({'delete': 'truth', 'deletes': [{'q': {}, 'limit': 0}]}, database=f'{self.world.database}_sitefs')

    def truths(self):
        found = self.send({'find': 'truth', 'batchSize': 100_000}, database=f'{self.world.database}_sitefs')
        return {doc['_id']['k']: truth_of(doc) for doc in found['cursor']['firstBatch']}

    def docs(self, project=PROJECT):
        """Every document as the server has it, past sitefs: canonical extended JSON, in the order of its keys."""
        found = self.send({'find': project, 'sort': {'_id': 1}, 'batchSize': 100_000})
        return found['cursor']['firstBatch']

    def dump(self, project=PROJECT):
        """Every document as bytes, by _id."""
        return bsonbytes.split(self.world.mongod.dump(self.world.database, project))

    def restore(self, data, project=PROJECT):
        """Documents of mongodump, as they are."""
        self.world.mongod.restore(self.world.database, project, data)

    def send(self, command, database=None):
        reply, = self.world.mongod.run(database or self.world.database, command)
        assert not reply.get('writeErrors'), reply
        return reply


def truth_of(doc):
    sha256 = base64.b64decode(doc['sha256']['$binary']['base64']).hex() if 'sha256' in doc else ''
    return {'project': doc['_id']['p'], 'key': doc['_id']['k'], 'size': int(doc['size']['$numberLong']),
            'mtime_ns': int(doc['mtime_ns']['$numberLong']), 'sha256': sha256,
            'remotes': ' '.join(remote['site'] for remote in doc['remotes'])}


def recorded():
    """The fields of an entry that has the file."""
    return {'created_dt': {'$date': {'$numberLong': str(int(time.time() * 1000))}}}


def make_document(rel, sites, size=0):
    """A representation of one file, as another program would have published it."""
    key = hashlib.sha256(rel.encode()).hexdigest()
    return {'_id': {'$oid': key[:24]}, 'schema': 'pype:representation-2.0', 'type': 'representation', 'name': 'txt',
            'parent': {'$oid': key[24:48]}, 'data': {}, 'context': {},
            'files': [{'_id': {'$oid': key[32:56]}, 'path': f'{{root[work]}}/{rel}', 'size': size,
                       'sites': [{'name': name, **entry} for name, entry in sites.items()]}]}


class World:
    """The studio's store, a folder as the remote, and sites."""

    def __init__(self, path, short, mongod=None):
        self.dir, self.short, self.mongod = path, short, mongod
        self.presets = path / 'presets'
        self.remote = path / REMOTE
        self.store_path = path / 'store' / 'studio.sqlite'
        self.store = mongod.uri if mongod else f'sqlite:{self.store_path}'
        # Stories may share a server.
        self.database = f'story_{short.name[-8:]}' if mongod else 'avalon'
        self.sites = {}
        self.said = []  # by every command
        self.hand = MongoHand(self) if mongod else Hand(self)
        self.n_sentinels = 0
        self.config = {'local_id': 'local_0', 'retry_cnt': 3, 'loop_delay': 1, 'active_site': 'studio',
                       'remote_site': REMOTE}
        self.settings = {'timing': dict(TIMING)}
        self.root_names = ('work',)
        for folder in (self.presets, self.remote, self.store_path.parent):
            folder.mkdir(parents=True)
        self.has_timed_out = False
        self.timer = threading.Timer(STORY_DEADLINE, self.give_up)
        self.timer.daemon = True
        self.timer.start()

    def configure(self, settings=None, roots=None, **config):
        """Changes the presets: for daemons that are started after this."""
        self.settings.update(settings or {})
        self.config.update(config)
        self.root_names = roots or self.root_names
        self.write_presets()

    def site(self, name, host=None):
        """The site of that name, on its one machine or on another host of it."""
        key = host or name
        if key not in self.sites:
            self.sites[key] = Site(self, name, self.root_names, host)
            self.write_presets()
            if not self.mongod and not self.store_path.exists():
                self.import_docs()  # of nothing: an empty store
        return self.sites[key]

    def remote_root(self, root=None):
        return self.remote / (root or self.root_names[0])

    def write_presets(self):
        def roots_of(paths):
            return str(paths['']) if list(paths) == [''] else {name: str(path) for name, path in paths.items()}

        sites = {site.name: {'root': roots_of(site.roots)} for site in self.sites.values()}
        sites[REMOTE] = {'root': roots_of({name: self.remote / name for name in self.root_names})}
        for name in self.root_names:
            (self.remote / name).mkdir(exist_ok=True)
        for name, content in (('config', self.config), ('local_drive', sites), ('sitefs', self.settings)):
            (self.presets / f'{name}.json').write_text(json.dumps(content, indent=2))

    # ---- the documents, as another hand sees and changes them ----

    def any_site(self):
        return next(iter(self.sites.values()))

    def docs(self, project=PROJECT):
        """Every document of the project."""
        return self.any_site().sitefs('export', '--project', project, '--json').json

    def representations(self, project=PROJECT):
        return [doc for doc in self.docs(project) if doc['type'] == 'representation']

    def import_docs(self, *docs, project=PROJECT):
        path = self.dir / 'import.json'
        path.write_text('\n'.join(map(json.dumps, docs)))
        return self.any_site().sitefs('import', '--project', project, path)

    def file_of(self, rel, project=PROJECT):
        """The element of files[] whose path ends so."""
        found = [file for doc in self.representations(project) for file in doc['files']
                 if file['path'].endswith(f'/{rel}')]
        assert len(found) == 1, f'{len(found)} records of {rel}'
        return found[0]

    def entry(self, rel, site, project=PROJECT):
        """The entry of the site for that file, or None."""
        entries = [entry for entry in self.file_of(rel, project)['sites'] if entry['name'] == site]
        return entries[0] if entries else None

    def is_recorded(self, rel, site, project=PROJECT):
        return 'created_dt' in (self.entry(rel, site, project) or {})

    # ---- steps that many stories share ----

    def publish(self, *rels, size=1000, name='exr'):
        """Files of the studio, published as one representation and sent to the remote. Their bytes."""
        studio = self.site('studio')
        contents = [studio.write(rel, size=size) for rel in rels]
        studio.publish(*rels, name=name)
        studio.sync_once()
        return contents[0] if len(rels) == 1 else contents

    def wait_seen(self, site):
        """Until the site's daemon has acted on all that was done before: a later publish has gone its way. No other
        site takes part in it."""
        self.n_sentinels += 1
        rel = f'sentinel/{self.n_sentinels}.txt'
        data = rel.encode()
        if site.name == 'studio':
            site.write(rel, data)
            site.publish(rel, name='txt')
            wait_until(lambda: self.is_recorded(rel, REMOTE), f'{rel} is sent by {site.name}')
        else:
            write_file(self.remote_file(rel), data)
            self.import_docs(make_document(rel, {REMOTE: recorded(), site.name: {}}))
            wait_until(lambda: site.on_disk(rel) == data, f'{rel} comes to {site.name}')

    def remote_file(self, rel):
        """Path of the object at the remote."""
        return self.remote_root() / rel

    # ---- its end ----

    def give_up(self):
        """A story that hangs: without its daemons every call into a mount fails and the story goes on to its end."""
        self.has_timed_out = True
        for site in self.sites.values():
            for daemon in site.daemons:
                with contextlib.suppress(OSError):
                    daemon.process.kill()
            if site.is_mounted():
                subprocess.run(['fusermount3', '-u', '-z', '-q', site.mnt], check=False)

    def end(self):
        """Ends everything; the list of faults."""
        self.timer.cancel()
        faults = [f'the story took longer than {STORY_DEADLINE:.0f} s'] if self.has_timed_out else []
        for site in self.sites.values():
            faults += site.end()
        for report in sorted(glob.glob(f'{self.dir}/sanitiser.*')):
            faults.append(f'{os.path.basename(report)}:\n{read_file(report).decode(errors="replace")}')
        shutil.rmtree(self.short, ignore_errors=True)
        return faults

    def logs(self):
        """What the daemons said, for the report of a failed story."""
        for site in self.sites.values():
            for daemon in site.daemons:
                yield f'{site.name}: {daemon}', daemon.read_log()


def is_fuse_there():
    try:
        return stat.S_ISCHR(os.stat('/dev/fuse').st_mode) and os.access('/dev/fuse', os.R_OK | os.W_OK)
    except OSError:
        return False
