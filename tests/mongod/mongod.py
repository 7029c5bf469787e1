#!/usr/bin/env python3
"""
A real mongod for a test: one-node replica set or standalone, on loopback, with its data in a temporary folder, ended
by its pid. Without any mongod (tools/get-mongod) the test is skipped aloud; with SITEFS_REQUIRE it fails.

    mongod.py [--standalone] [--] COMMAND ARG...    runs the command with the server's URI as its last argument
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IS_STRICT = os.environ.get('SITEFS_REQUIRE', '') not in ('', '0')
COMMAND = os.environ.get('SITEFS_MONGO_COMMAND', 'mongo-command')
CACHE_GB = os.environ.get('SITEFS_MONGOD_CACHE_GB', '0.25')
DEADLINE = float(os.environ.get('SITEFS_DEADLINE', '60'))


def find():
    """The path of a mongod, or None."""
    found = subprocess.run([os.path.join(ROOT, 'tools/get-mongod'), '--find'], text=True, capture_output=True,
                           check=False)
    return found.stdout.strip() if found.returncode == 0 else None


class CommandFailed(Exception):
    pass


def run_commands(uri, database, *commands):
    """Replies to database commands; CommandFailed with the server's words."""
    done = subprocess.run([COMMAND, uri, database], text=True, capture_output=True, check=False,
                          input=''.join(json.dumps(command) + '\n' for command in commands))
    if done.returncode != 0:
        raise CommandFailed(done.stderr.strip())
    return [json.loads(line) for line in done.stdout.splitlines()]


def pass_documents(uri, database, verb, collection, data=b''):
    """A collection's documents as mongodump (verb dump: returned) and mongorestore (verb restore: DATA) have them."""
    done = subprocess.run([COMMAND, uri, database, verb, collection], capture_output=True, check=False, input=data)
    if done.returncode != 0:
        raise CommandFailed(done.stderr.decode().strip())
    return done.stdout


class Connection:
    """One connection for many commands."""

    def __init__(self, uri, database):
        self.process = subprocess.Popen([COMMAND, uri, database], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, command):
        """The reply; CommandFailed with the server's words, and the connection is over."""
        self.process.stdin.write(json.dumps(command) + '\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise CommandFailed(self.process.stderr.read().strip())
        reply = json.loads(line)
        if reply.get('writeErrors'):
            raise CommandFailed(reply['writeErrors'])
        return reply

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


class Mongod:
    """One server. Its data outlive kill() and start(), and go with end()."""

    def __init__(self, is_replica=True, is_alone=True):
        self.is_replica = is_replica
        self.folder = tempfile.mkdtemp(prefix='sitefs-mongod-')
        self.port = free_port()
        self.process = None
        self.uri = f'mongodb://127.0.0.1:{self.port}/' + ('?replicaSet=rs0' if is_replica else '')
        self.plain_uri = f'mongodb://127.0.0.1:{self.port}/?serverSelectionTimeoutMS=1000'
        try:
            self.start()
            if is_replica and is_alone:
                member = {'_id': 0, 'host': f'127.0.0.1:{self.port}'}
                self.run('admin', {'replSetInitiate': {'_id': 'rs0', 'members': [member]}})
                self.wait_writable()
        except BaseException:
            self.end()
            raise

    def start(self):
        data = os.path.join(self.folder, 'data')
        os.makedirs(data, exist_ok=True)
        extra = ['--replSet', 'rs0', '--oplogSize', '64'] if self.is_replica else []
        with open(os.path.join(self.folder, 'log'), 'ab') as log:
            self.process = subprocess.Popen(
                [find(), '--dbpath', data, '--port', str(self.port), '--bind_ip', '127.0.0.1', '--nounixsocket',
                 '--wiredTigerCacheSizeGB', CACHE_GB, '--setParameter', 'enableTestCommands=1',
                 '--setParameter', 'diagnosticDataCollectionEnabled=false', *extra],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.wait(lambda: self.run('admin', {'ping': 1}), 'answers')

    def wait(self, condition, what):
        end = time.monotonic() + DEADLINE
        while True:
            try:
                if condition():
                    return
            except CommandFailed:
                pass
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
            if self.process.returncode is not None or time.monotonic() > end:
                raise RuntimeError(f'mongod never {what}:\n{self.log()[-2000:]}')

    def wait_writable(self):
        self.wait(lambda: self.run('admin', {'hello': 1})[0]['isWritablePrimary'], 'becomes primary')

    def run(self, database, *commands):
        return run_commands(self.plain_uri, database, *commands)

    def dump(self, database, collection):
        """The documents by _id, BSON as it is."""
        return pass_documents(self.plain_uri, database, 'dump', collection)

    def restore(self, database, collection, data):
        pass_documents(self.plain_uri, database, 'restore', collection, data)

    def connect(self, database):
        return Connection(self.plain_uri, database)

    def log(self):
        with open(os.path.join(self.folder, 'log'), encoding='utf-8', errors='replace') as file:
            return file.read()

    def kill(self):
        """As the power cord."""
        self.process.kill()
        self.process.wait()

    def step_down(self):
        """Secondary, which takes no writes, until step_up()."""
        self.run('admin', {'replSetStepDown': 3600, 'secondaryCatchUpPeriodSecs': 0, 'force': True})

    def step_up(self):
        self.run('admin', {'replSetFreeze': 0})
        self.wait_writable()

    def stop(self):
        """Stands still: connections stay open, nobody answers."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Trio:
    """A replica set of three, for what happens to writes that a primary took and nobody else has."""

    def __init__(self):
        self.nodes = []
        try:
            self.nodes = [Mongod(True, is_alone=False) for _ in range(3)]
            members = [{'_id': number, 'host': f'127.0.0.1:{node.port}'} for number, node in enumerate(self.nodes)]
            self.nodes[0].run('admin', {'replSetInitiate': {
                '_id': 'rs0', 'members': members, 'settings': {'electionTimeoutMillis': 2000}}})
            self.nodes[0].wait(self.find_primary, 'elects a primary')
        except BaseException:
            self.end()
            raise
        self.uri = f'mongodb://{",".join(member["host"] for member in members)}/?replicaSet=rs0'

    def find_primary(self):
        """The node that takes writes, or None."""
        for node in self.nodes:
            try:
                if node.process.poll() is None and node.run('admin', {'hello': 1})[0]['isWritablePrimary']:
                    return node
            except CommandFailed:
                pass
        return None

    def set_replication(self, node, is_on):
        """Whether the others fetch what NODE has."""
        for other in self.nodes:
            if other is not node:
                other.run('admin', {'configureFailPoint': 'stopReplProducer', 'mode': 'off' if is_on else 'alwaysOn'})

    def run(self, database, *commands):
        return run_commands(self.uri, database, *commands)

    def connect(self, database):
        return Connection(self.uri, database)

    def end(self):
        for node in self.nodes:
            node.end()


def main():
    args = sys.argv[1:]
    is_replica = True
    while args and args[0] in ('--standalone', '--'):
        is_replica &= args[0] != '--standalone'
        if args.pop(0) == '--':
            break
    # A server that the caller has, for the tests that need no other.
    if is_replica and 'TEST_MONGODB_URI' in os.environ:
        return subprocess.run([*args, os.environ['TEST_MONGODB_URI']], check=False).returncode
    if not find():
        print('SKIP: no mongod (tools/get-mongod fetches one)', file=sys.stderr)
        return 1 if IS_STRICT else 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    server = Mongod(is_replica)
    try:
        return subprocess.run([*args, server.uri], check=False).returncode
    finally:
        server.end()


if __name__ == '__main__':
    sys.exit(main())
