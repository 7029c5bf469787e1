#!/usr/bin/env python3
"""
Gate: the code map in README.md. Every path in it exists, and every source file is in it: `name.{h,c}` stands for
both, a folder with a slash at its end for all that is in it. For a file that is missing it prints the row to add,
with the first sentence of the file's opening comment.
"""

import os
import re

import tree

HEADING = '## Code map'
UNMAPPED = ('meson.build', 'README.md')


def entries(text):
    """Paths in back-quotes at the start of the map's table rows."""
    section = text.partition(HEADING + '\n')[2].partition('\n## ')[0]
    for cell in re.findall(r'^\| ([^|]*) \|', section, re.MULTILINE):
        for path in re.findall(r'`([^`]+)`', cell):
            braces = re.fullmatch(r'(.*)\{(.*)\}(.*)', path)
            for middle in braces.group(2).split(',') if braces else ('',):
                yield braces.group(1) + middle + braces.group(3) if braces else path


def row(paths):
    """The row to add for files that differ in their suffix only."""
    stem, suffixes = paths[0].rpartition('.')[0], [path.rpartition('.')[2] for path in paths]
    name = f'{stem}.{{{",".join(reversed(suffixes))}}}' if len(paths) > 1 else paths[0]
    opening = re.match(r'\s*(?:/\*|"""|(?:#[^\n]*\n)*?# )(.*?)(?:\*/|"""|\n\n|$)', tree.read(paths[-1]), re.DOTALL)
    words = ' '.join(opening.group(1).replace('\n *', ' ').replace('\n#', ' ').split()) if opening else ''
    return f'| `{name}` | {re.split(r"(?<=[a-z)])[.:;] ", words)[0].rstrip(".")} |'


def faults():
    mapped = set(entries(tree.read('README.md')))
    if not mapped:
        yield f'README.md:1: no table under "{HEADING}"'
    for path in sorted(mapped):
        if not os.path.exists(os.path.join(tree.ROOT, path)):
            yield f'README.md: `{path}` is in the code map and not in the tree'
    folders = tuple(path for path in mapped if path.endswith('/'))
    missing = {}
    for path in tree.files(''):
        if path not in mapped and not path.startswith(folders) and os.path.basename(path) not in UNMAPPED:
            missing.setdefault(path.rpartition('.')[0] or path, []).append(path)
    for paths in missing.values():
        yield f'not in the code map: add, in your words: {row(paths)}'


tree.report('codemap', list(faults()), 'One line per file, in the section "Code map".')
