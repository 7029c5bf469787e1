#!/usr/bin/env python3
"""
Gate: the code map in README.md. Every path in it exists, and every source file is in it: `name.{h,c}` stands for
both, a folder with a slash at its end for all that is in it.
"""

import os
import re

import tree

HEADING = '## Code map'


def entries(text):
    """Paths in back-quotes at the start of the map's table rows."""
    section = text.partition(HEADING + '\n')[2].partition('\n## ')[0]
    for cell in re.findall(r'^\| ([^|]*) \|', section, re.MULTILINE):
        for path in re.findall(r'`([^`]+)`', cell):
            braces = re.fullmatch(r'(.*)\{(.*)\}(.*)', path)
            for middle in braces.group(2).split(',') if braces else ('',):
                yield braces.group(1) + middle + braces.group(3) if braces else path


def faults():
    mapped = set(entries(tree.read('README.md')))
    if not mapped:
        yield f'README.md:1: no table under "{HEADING}"'
    for path in sorted(mapped):
        if not os.path.exists(os.path.join(tree.ROOT, path)):
            yield f'README.md: `{path}` is in the code map and not in the tree'
    folders = tuple(path for path in mapped if path.endswith('/'))
    for path in tree.files(''):
        name = os.path.basename(path)
        if path not in mapped and not path.startswith(folders) and name not in ('meson.build', 'README.md'):
            yield f'{path}: not in the code map of README.md: add "| `{path}` | what it is |"'


tree.report('codemap', list(faults()), 'One line per file, in the section "Code map".')
