"""
BSON documents taken apart to the bytes of each value and put together again, for comparisons byte for byte: order of
keys, types of numbers and what no reader of ours knows count as well. No decoder: a value stays the bytes it was.
"""

import struct

DOCUMENT, ARRAY, STRING = 3, 4, 2
# Bytes of a value by its type; the others tell their length.
FIXED = {1: 8, 6: 0, 7: 12, 8: 1, 9: 8, 10: 0, 16: 4, 17: 8, 18: 8, 19: 16, 127: 0, 255: 0}


def split(data):
    """The documents of a dump, one after the other, as mongodump writes them."""
    docs, at = [], 0
    while at < len(data):
        length = int32(data, at)
        docs.append(data[at:at + length])
        at += length
    return docs


def int32(data, at):
    return struct.unpack_from('<i', data, at)[0]


def value_end(data, kind, at):
    if kind in FIXED:
        return at + FIXED[kind]
    if kind in (DOCUMENT, ARRAY, 15):
        return at + int32(data, at)
    if kind in (STRING, 13, 14):
        return at + 4 + int32(data, at)
    if kind == 5:  # binary: with its subtype
        return at + 5 + int32(data, at)
    if kind == 11:  # regular expression: two texts
        return data.index(b'\0', data.index(b'\0', at) + 1) + 1
    if kind == 12:  # a text and an id
        return at + 4 + int32(data, at) + 12
    raise ValueError(f'a value of type {kind}')


def elements(data):
    """(type, key, bytes of the value) of each element."""
    found, at = [], 4
    assert int32(data, 0) == len(data) and data[-1] == 0, 'no document'
    while at < len(data) - 1:
        kind, key_end = data[at], data.index(b'\0', at + 1)
        end = value_end(data, kind, key_end + 1)
        found.append((kind, data[at + 1:key_end], data[key_end + 1:end]))
        at = end
    assert at == len(data) - 1, 'a value ends beyond its document'
    return found


def join(list_of_elements):
    body = b''.join(bytes([kind]) + key + b'\0' + value for kind, key, value in list_of_elements)
    return struct.pack('<i', len(body) + 5) + body + b'\0'


def text_of(data, key):
    return next((value[4:-1].decode() for kind, name, value in elements(data) if name == key and kind == STRING), None)


def change(data, key, kind, function):
    """The document with FUNCTION's result in place of the value of KEY, if it is of that type."""
    return join([(of, name, function(value) if name == key and of == kind else value)
                 for of, name, value in elements(data)])


def each(data, function):
    """The array with FUNCTION's result in place of each document in it; where that is None it is left out."""
    changed = [(kind, function(value) if kind == DOCUMENT else value) for kind, _, value in elements(data)]
    kept = [(kind, value) for kind, value in changed if value is not None]
    return join([(kind, str(number).encode(), value) for number, (kind, value) in enumerate(kept)])


def without_sites(doc, *names):
    """The document without the entries of those sites, every other byte as it is."""
    def of_file(file):
        return change(file, b'sites', ARRAY, lambda sites: each(
            sites, lambda entry: None if text_of(entry, b'name') in names else entry))
    return change(doc, b'files', ARRAY, lambda files: each(files, of_file))
