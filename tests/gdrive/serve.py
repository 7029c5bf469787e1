#!/usr/bin/env python3
"""
Starts the stand-in of Google Drive as a program of its own and serves until it is ended or its standard input closes
(with --follow-stdin). Writes where it listens, and key files for a first studio, to the file that --state-file names.
"""

import argparse
import json
import os
import signal
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [os.path.dirname(HERE), *(path for path in sys.path if os.path.abspath(path or '.') != HERE)]

from gdrive.server import Server  # noqa: E402 pylint: disable=wrong-import-position

OWNER, ACCOUNT, DRIVE = 'ann@studio.test', 'sitefs@stand-in.iam.gserviceaccount.com', 'Show'


def lay(server):
    """The studio that most tests want: a person, a service account that may act as her, a drive of both."""
    server.add_user(OWNER)
    key = server.add_account(ACCOUNT, delegated=True)
    drive = server.add_drive(DRIVE, {OWNER: 'organizer', ACCOUNT: 'fileOrganizer'})
    folder = server.seed.folder(f'{OWNER}:Projects')
    server.seed.share(f'{OWNER}:Projects', ACCOUNT, 'writer')
    return {'owner': OWNER, 'account': ACCOUNT, 'key': server.write_key(key), 'drive': DRIVE, 'drive_id': drive.id,
            'my_drive_folder': 'Projects', 'my_drive_folder_id': folder.id,
            'refresh': server.service.tokens.add_refresh(OWNER)}


def write_state(path, state):
    text = json.dumps(state, indent=2) + '\n'
    if not path:
        print(text, end='', flush=True)
        return
    temporary = f'{path}.new'
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w', encoding='utf-8') as file:
        file.write(text)
    os.rename(temporary, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--port', type=int, default=0, help='of plain HTTP, the proxy and /control; 0: any')
    parser.add_argument('--tls-port', type=int, default=0, help='of HTTPS; 0: any')
    parser.add_argument('--folder', help='for ca.pem and key files; else a temporary one')
    parser.add_argument('--state-file', help='gets a JSON object when all is ready; else standard output')
    parser.add_argument('--seed', type=int, help='makes ids the same each time')
    parser.add_argument('--empty', action='store_true', help='no accounts and no drive')
    parser.add_argument('--follow-stdin', action='store_true', help='end when standard input closes')
    options = parser.parse_args()
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with Server(options.folder, options.port, options.tls_port, options.seed) as server:
        state = {'pid': os.getpid(), 'url': server.url, 'tls_url': server.tls_url, 'token_uri': server.token_uri,
                 'tls_token_uri': f'{server.tls_url}/token', 'control': f'{server.url}/control',
                 'proxy': server.url, 'ca': server.ca, 'wrong_name_url': server.listen_as('elsewhere.test')}
        if not options.empty:
            state.update(lay(server))
        write_state(options.state_file, state)
        if options.follow_stdin:
            threading.Thread(target=lambda: (sys.stdin.buffer.read(), over.set()), daemon=True).start()
        over.wait()


if __name__ == '__main__':
    main()
