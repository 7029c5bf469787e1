"""
The `fields` parameter: text to a tree of names, checked against what the resource has, and applied. A tree is a dict
of name to tree; {} below a name means all of it.
"""

from . import refusal

ALL = {'*': {}}


def bad(text):
    return refusal.invalid_parameter('fields', f'Invalid field selection {text}')


def parse(text):
    """`a,b(c,d/e),f/*`"""
    tree, rest = _list(text.replace(' ', ''), text)
    if rest:
        raise bad(text)
    return tree


def _name(text, whole):
    n = 0
    while n < len(text) and (text[n].isalnum() or text[n] in '*_-'):
        n += 1
    if not n:
        raise bad(whole)
    return text[:n], text[n:]


def _list(text, whole):
    tree = {}
    while True:
        name, text = _name(text, whole)
        node = tree.setdefault(name, {})
        is_new = not node
        while text.startswith('/'):
            name, text = _name(text[1:], whole)
            node = node.setdefault(name, {})
        if text.startswith('('):
            inner, text = _list(text[1:], whole)
            if not text.startswith(')'):
                raise bad(whole)
            text = text[1:]
            if is_new or node:
                node.update(inner)
        if not text.startswith(','):
            return tree, text
        text = text[1:]


def check(tree, schema):
    """Refuses names that SCHEMA (name -> schema, or None where nothing is below) has not."""
    for name, below in tree.items():
        if name == '*':
            continue
        if name not in schema:
            raise bad(name)
        if below:
            if schema[name] is None:
                raise bad(next(iter(below)))
            check(below, schema[name])


def apply(tree, value):
    """What TREE leaves of a JSON value."""
    if not tree or '*' in tree and not tree['*']:
        return value
    if isinstance(value, list):
        return [apply(tree, item) for item in value]
    if not isinstance(value, dict):
        return value
    if '*' in tree:
        return {name: apply({**tree['*'], **tree.get(name, {})}, item) for name, item in value.items()}
    return {name: apply(tree[name], item) for name, item in value.items() if name in tree}
