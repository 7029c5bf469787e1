"""
A small model of the sync server that comes with Pype and OpenPype, for the stories in which it runs beside sitefs: what
it asks the database, which updates it sends, and what it does to files, in the order in which it does so. Written after
a description of its behaviour; where that is careless (it copies straight to the final name, never looks whether its
update matched), the model is as well.

    with StockServer(world, 'studio', 'studio', 'nas', {'studio': studio.root, 'nas': world.remote_root()}):
        ...
"""

import itertools
import os
import threading
import time

from harness import PROJECT

RETRY_CNT = 3
# Representations of one round.
LIMIT = 10
CHUNKS = 4


def now():
    return {'$date': {'$numberLong': str(int(time.time() * 1000))}}


def number(value):
    """Of canonical extended JSON."""
    return float(next(iter(value.values()))) if isinstance(value, dict) else value


class Killed(Exception):
    """The process ended: nothing is written any more."""


class StockServer:
    """One process, with the id MY_ID, for the pair of sites that its settings name."""

    def __init__(self, world, my_id, active, remote, roots, tick=0.1):
        self.world, self.my_id, self.active, self.remote, self.roots, self.tick = world, my_id, active, remote, roots, tick
        self.connection = world.mongod.connect(world.database)
        self.updates = []  # (kind, file id, site), as they are sent
        self.faults = []
        self.n_idle = 0  # rounds that found nothing to do
        self.refuses = lambda path: None  # the text of the error that a copy of that file meets
        self.is_stopping = threading.Event()
        self.may_copy = threading.Event()  # cleared: copies stand still, as over a slow line
        self.may_copy.set()
        self.is_killed = False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end()
        assert not self.faults, self.faults

    def end(self):
        self.is_stopping.set()
        self.may_copy.set()
        if self.thread.is_alive():
            self.thread.join()
        self.connection.end()

    def kill(self):
        """In the middle of whatever it does: entries and files stay as they are."""
        self.is_killed = True
        self.end()

    def run(self):
        try:
            while not self.is_stopping.is_set():
                self.round()
                self.is_stopping.wait(self.tick)
        except Killed:
            pass
        except Exception as fault:  # as the original: any surprise ends its loop
            self.faults.append(repr(fault))

    # ---- what is to be done ----

    def query(self):
        def has(site):
            return {'files.sites': {'$elemMatch': {
                'name': site, 'created_dt': {'$exists': True}, 'paused': {'$exists': False}}}}

        def lacks(site):
            return {'files.sites': {'$elemMatch': {
                'name': {'$in': [site]}, 'created_dt': {'$exists': False}, 'paused': {'$exists': False},
                'tries': {'$in': [*range(RETRY_CNT), None]}}}}

        return {'type': 'representation', '$or': [{'$and': [has(self.active), lacks(self.remote)]},
                                                  {'$and': [has(self.remote), lacks(self.active)]}]}

    def find(self):
        if self.my_id not in (self.active, self.remote):
            return []
        found = self.connection.run({'find': PROJECT, 'filter': self.query(), 'batchSize': 100_000})
        return found['cursor']['firstBatch']

    def judge(self, file):
        """'upload', 'download' or None."""
        def is_open(entry):
            return 'created_dt' not in entry and number(entry.get('tries', 0)) < RETRY_CNT

        entries = {entry['name']: entry for entry in file['sites']}
        remote, local = entries.get(self.remote), entries.get(self.active)
        if not remote:
            return None
        if 'created_dt' not in remote:
            return 'upload' if is_open(remote) else None
        return 'download' if local is None or is_open(local) else None

    def round(self):
        is_idle = True
        for doc in self.find()[:LIMIT]:
            for file in doc['files']:
                kind = self.judge(file)
                if kind:
                    is_idle = False
                    self.transfer(doc, file, kind)
        self.n_idle += is_idle

    # ---- doing it ----

    def update(self, kind, doc, file, site, update):
        if self.is_killed:
            raise Killed
        self.updates.append((kind, file['_id']['$oid'], site))
        self.connection.run({'update': PROJECT, 'updates': [{
            'q': {'_id': doc['_id']}, 'u': update, 'upsert': True,
            'arrayFilters': [{'s.name': site}, {'f._id': file['_id']}]}]})

    def transfer(self, doc, file, kind):
        source, target = (self.active, self.remote) if kind == 'upload' else (self.remote, self.active)
        rel = file['path'].split('}', 1)[1].lstrip('/')
        try:
            self.copy(self.roots[source] / rel, self.roots[target] / rel,
                      lambda part: self.update('progress', doc, file, target,
                                               {'$set': {'files.$[f].sites.$[s].progress': part}}))
        except OSError as error:
            self.fail(doc, file, target, str(error))
            return
        prefix = 'files.$[f].sites.$[s].'
        self.update('done', doc, file, target, {
            '$set': {prefix + 'id': os.path.basename(rel), prefix + 'created_dt': now()},
            '$unset': {prefix + key: '' for key in ('last_failed_dt', 'error', 'tries', 'progress')}})

    def fail(self, doc, file, target, text):
        entry = next((entry for entry in file['sites'] if entry['name'] == target), {})
        prefix = 'files.$[f].sites.$[s].'
        self.update('failed', doc, file, target, {'$set': {
            prefix + 'last_failed_dt': now(), prefix + 'error': text, prefix + 'progress': '',
            prefix + 'tries': int(number(entry.get('tries', 0))) + 1}})

    def copy(self, source, target, tell):
        """To the final name at once, whatever lies there."""
        text = self.refuses(source)
        if text:
            raise OSError(text)
        data = source.read_bytes()
        os.makedirs(target.parent, exist_ok=True)
        step = max(1, -(-len(data) // CHUNKS))
        with open(target, 'wb') as file:
            for start in range(0, len(data), step):
                if start:
                    tell(start / len(data))
                for count in itertools.count(1):
                    if self.may_copy.wait(self.tick):
                        break
                    tell((start + count) / len(data))
                if self.is_killed:
                    raise Killed
                file.write(data[start:start + step])
                file.flush()


def gui_status(doc, site):
    """What its window shows of a representation at a site: 'n/a', 'in progress', 'queued', 'failed', 'paused', 'ok'."""
    entries = [entry for file in doc['files'] for entry in file['sites'] if entry['name'] == site]
    if len(entries) < len(doc['files']):
        return 'n/a'
    if any('paused' in entry for entry in entries):
        return 'paused'
    if any('last_failed_dt' in entry for entry in entries) or sum(number(entry.get('tries', 0)) for entry in entries) >= 3:
        return 'failed'
    # An empty text after a failure adds nothing.
    parts = [number(entry['progress']) or 0 if 'progress' in entry else int('created_dt' in entry) for entry in entries]
    if sum(parts) == len(entries):
        return 'ok'
    return 'in progress' if sum(parts) else 'queued'
