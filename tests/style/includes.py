#!/usr/bin/env python3
"""
Gate: who may include whom. Every arrow points at sync, and sync points at nothing but itself; each foreign library
is known to few files (README, "Who may include whom").
"""

import os
import re

import tree

# Folder (the longest prefix counts) -> what its quoted includes may begin with.
LAYERS = {
    'sync/base/': ('sync/base/',),
    'sync/': ('sync/',),
    'providers/registry.c': ('sync/', 'providers/'),
    'providers/': ('sync/', 'providers/[^/]+$', '{folder}/'),
    'fs/': ('sync/', 'fs/'),
    'tools/': ('sync/', 'providers/', 'fs/', 'tools/'),
    'tests/': ('sync/', 'providers/', 'fs/', 'tools/', 'tests/'),
}

# Library header -> the files that may know it.
LIBRARIES = {
    r'(fuse|cuse)': r'fs/|tests/',
    r'bson': r'sync/(doc|bson|dump|store|publish)[^/]*$|tests/',
    r'mongoc': r'sync/store_mongo[^/]*$|tests/',
    r'cjson/': r'(sync|providers|providers/[^/]+|tools)/(json|wire)[^/]*$|tests/',
    r'sqlite3': r'sync/base/db\.c$|tests/',
    r'curl/': r'providers/http\.|tests/',
    r'openssl/': r'sync/base/digest\.c$|providers/[^/]+/auth\.c$|tests/',
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def allowed(path):
    prefix = max((layer for layer in LAYERS if path.startswith(layer)), key=len)
    folder = os.path.dirname(path)
    return [pattern.replace('{folder}', re.escape(folder)) for pattern in LAYERS[prefix]]


def faults_of(path):
    text = tree.blank(tree.read(path), keep='"')
    for match in INCLUDE.finditer(text):
        ours, library = match.groups()
        where = f'{path}:{text.count(chr(10), 0, match.start()) + 1}'
        if ours and not os.path.exists(os.path.join(tree.ROOT, ours)):
            yield f'{where}: "{ours}" is no path from the root of the tree'
        elif ours and not any(re.match(pattern, ours) for pattern in allowed(path)):
            yield f'{where}: must not include "{ours}"'
        for pattern, who in LIBRARIES.items():
            if library and re.match(pattern, library) and not re.match(who, path):
                yield f'{where}: must not include <{library}>'


tree.report('includes', [fault for path in tree.files('.c', '.h') for fault in faults_of(path)],
            'The rule: README, "Who may include whom"; the table: tests/style/includes.py.')
