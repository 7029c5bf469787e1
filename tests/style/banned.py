#!/usr/bin/env python3
"""Gate: calls, comments and markers that do not stand in this tree."""

import re

import tree

# Pattern in code (comments and strings left out) -> what to do instead.
CODE = {
    r'\b(strcpy|strcat|sprintf|vsprintf|stpcpy)\s*\(': 'use snprintf into a sized array, or struct buf',
    r'\b(strtok|strtok_r|gets)\s*\(': 'split with strchr or strcspn',
    r'\b(atoi|atol|atoll|atof)\s*\(': 'use strtoll and check where it ended',
    r'\balloca\s*\(': 'allocate, or use a sized array',
    r'(?<![.>_\w])(sleep|usleep)\s*\(': 'wait for a condition with a deadline',
    r'\[\s*PATH_MAX\s*(\+\s*1\s*)?\]\s*;': 'a path is allocated: it has no largest size',
    r'\b(un)?setenv\s*\(|\bputenv\s*\(': 'the environment is read once, at start, and never written',
}
# Pattern in the whole text.
TEXT = {
    r'\b(TODO|FIXME|XXX)\b': 'do it, or open an issue',
}
PYTHON = {
    r'\btime\.sleep\s*\(': 'wait for a condition: harness.wait_until()',
    **TEXT,
}
# Where a rule does not hold: path and pattern of the line.
EXEMPT = (
    (r'tests/(unit|contract|fuzz)/.*', r'setenv'),  # a test sets the stage
    (r'tests/mount/harness\.py', r'time\.sleep'),   # the one place that waits
    (r'tests/style/banned\.py', r'.*'),
)


def is_exempt(path, line):
    return any(re.fullmatch(file, path) and re.search(pattern, line) for file, pattern in EXEMPT)


def find(path, text, table):
    lines = text.split('\n')
    for number, line in enumerate(lines, 1):
        for pattern, instead in table.items():
            match = re.search(pattern, line)
            if match and not is_exempt(path, line):
                yield f'{path}:{number}: {match.group().strip()}: {instead}'


def faults():
    for path in tree.files('.c', '.h'):
        text = tree.read(path)
        yield from find(path, tree.blank(text), CODE)
        yield from find(path, text, TEXT)
        yield from find(path, tree.blank(text, keep=['//']), {r'//.*': 'comments are /* */'})
    for path in tree.files('.py', '.sh', 'meson.build'):
        yield from find(path, tree.read(path), PYTHON if path.endswith('.py') else TEXT)


tree.report('banned', list(faults()), 'Why: README, "Style"; the table: tests/style/banned.py.')
