#!/usr/bin/env python3
"""
Gate: sizes that a reader can hold. Files of 700 lines, functions of 80, five parameters, control statements four
deep. It leans on the format that the format gate keeps: a function's braces stand in the first column, and one level
is one tab.

Two parameters that are one thing count once: a path as `int root, const char *rel`, a callback and its context, an
offset and a length, data and its length (given, or as a result). A signature that something else dictates says so in the comment above the function, with the word
"parameters".
"""

import re

import tree

FILE_LINES, FUNCTION_LINES, PARAMETERS, NESTING = 700, 80, 5, 4
CONTROL = re.compile(r'^(\t+)(?:\} )?(?:if|else|for|while|switch|do)\b')
ONE_THING = (
    r'int root, const char \*\w+',
    r'\w+ \*\w+, void \*\w*context',
    r'[^,]*\(\*\w+\)\([^()]*\), void \*\w*context',
    r'u?int64_t off\w*, u?int64_t len\w*',
    r'\w+_t off\w*, size_t len\w*',
    r'(const )?\w+ \*(const )?\*?\w+, size_t (n|len|size|n_\w+)\b',
    r'(struct )?\w+ \*\*ret\w*, size_t \*ret_n\w*',
)


def count_parameters(signature):
    inner = re.sub(r'\s+', ' ', signature[signature.index('(') + 1:signature.rindex(')')])
    for pattern in ONE_THING:
        inner = re.sub(pattern, 'one', inner)
    while re.search(r'\([^()]*\)', inner):
        inner = re.sub(r'\([^()]*\)', '', inner)
    return 0 if inner.strip() in ('', 'void') else inner.count(',') + 1


def faults_of(path):
    text = tree.read(path)
    lines = text.split('\n')
    code = tree.blank(text).split('\n')
    if len(lines) - 1 > FILE_LINES:
        yield f'{path}:1: {len(lines) - 1} lines, {FILE_LINES} at most: split it by noun'
    start = None
    for i, line in enumerate(code):
        nested = CONTROL.match(line)
        if nested and len(nested.group(1)) > NESTING:
            yield f'{path}:{i + 1}: nested {len(nested.group(1))} deep, {NESTING} at most'
        if line == '{':
            start = i
        elif line == '}' and start is not None:
            yield from faults_of_function(path, lines, code, start, i)
            start = None


def faults_of_function(path, lines, code, start, end):
    first = start
    while first > 0 and code[first - 1].strip() and not code[first - 1].startswith(('}', '#')):
        first -= 1
    signature = '\n'.join(code[first:start])
    if '(' not in signature:
        return
    where = f'{path}:{first + 1}: {signature.split("(")[0].split()[-1].lstrip("*")}()'
    if end - start - 1 > FUNCTION_LINES:
        yield f'{where}: {end - start - 1} lines, {FUNCTION_LINES} at most'
    count = count_parameters(signature)
    above = first
    while above > 0 and lines[above - 1].strip() and not code[above - 1].strip():
        above -= 1
    if count > PARAMETERS and 'parameters' not in '\n'.join(lines[above:first]):
        yield f'{where}: {count} parameters, {PARAMETERS} at most: pass a struct'


tree.report('bounds', [fault for path in tree.files('.c', '.h', '.py', '.sh') for fault in faults_of(path)],
            'Why: README, "Style"; what counts as what: tests/style/bounds.py.')
