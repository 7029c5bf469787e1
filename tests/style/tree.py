"""What the style gates share: the source files of the tree, and C text without comments and strings."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ('fs', 'providers', 'sync', 'tests', 'tools')
SKIPPED = ('__pycache__', 'corpus')


def files(*suffixes, folders=FOLDERS):
    """Paths from the root of the tree, sorted, of the files with one of the suffixes ('' = any)."""
    found = []
    for folder in folders:
        for top, folders_below, names in os.walk(os.path.join(ROOT, folder)):
            folders_below[:] = [name for name in folders_below if name not in SKIPPED]
            found += [os.path.relpath(os.path.join(top, name), ROOT)
                      for name in names if name.endswith(suffixes)]
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding='utf-8') as file:
        return file.read()


TOKEN = re.compile(r'''/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' ''',
                   re.DOTALL | re.VERBOSE)


def blank(text, keep=()):
    """The C text with comments and strings replaced by spaces: lines and columns stay. Tokens that begin with one
    of KEEP stay too."""
    def hide(match):
        token = match.group()
        if token.startswith(tuple(keep)):
            return token
        return re.sub(r'[^\n]', ' ', token)
    return TOKEN.sub(hide, text)


def report(gate, faults, remedy):
    """Prints the faults, each "path:line: what", and ends the program with the gate's result."""
    for fault in faults:
        print(fault)
    if faults:
        print(f'{gate}: {len(faults)} fault(s). {remedy}')
    else:
        print(f'{gate}: ok')
    sys.exit(1 if faults else 0)
