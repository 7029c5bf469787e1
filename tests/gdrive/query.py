"""
The q language of files.list: text to a predicate over entries. As documented, `and` and `or` bind alike and are taken
from left to right. What the service refuses (unknown fields, operators that a field has not, bad quoting) is 400.
"""

import re
from datetime import datetime, timedelta, timezone

from . import refusal

TOKEN = re.compile(r"""\s*(?:(?P<string>'(?:\\.|[^'\\])*')|(?P<op><=|>=|!=|=|<|>)|(?P<punct>[(){}])
                           |(?P<word>[A-Za-z]\w*))""", re.VERBOSE | re.DOTALL)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
EQUALS, ORDER = ('=', '!='), ('<=', '<', '=', '!=', '>', '>=')
# Field -> operators and the type of its value. Fields before `in` and `has` are handled by their words.
FIELDS = {
    'name': ((*EQUALS, 'contains'), 'string'),
    'fullText': (('contains',), 'string'),
    'mimeType': ((*EQUALS, 'contains'), 'string'),
    'modifiedTime': (ORDER, 'time'),
    'createdTime': (ORDER, 'time'),
    'viewedByMeTime': (ORDER, 'time'),
    'sharedWithMeTime': (ORDER, 'time'),
    'trashed': (EQUALS, 'bool'),
    'starred': (EQUALS, 'bool'),
    'sharedWithMe': (EQUALS, 'bool'),
    'visibility': (EQUALS, 'string'),
    'shortcutDetails.targetId': (EQUALS, 'string'),
}
COLLECTIONS = ('parents', 'owners', 'writers', 'readers')
DEPTH = 60


class Term:
    """One comparison."""

    def __init__(self, field, op, value):
        self.field, self.op, self.value = field, op, value

    def matches(self, entry, view):
        return view.compare(entry, self.field, self.op, self.value)

    def parents(self):
        """Ids of the only folders whose children can match; None where that is not known."""
        return {self.value} if self.field == 'parents' else None


class Both:
    def __init__(self, left, right):
        self.left, self.right = left, right

    def matches(self, entry, view):
        return self.left.matches(entry, view) and self.right.matches(entry, view)

    def parents(self):
        left = self.left.parents()
        return left if left is not None else self.right.parents()


class Either(Both):
    def matches(self, entry, view):
        return self.left.matches(entry, view) or self.right.matches(entry, view)

    def parents(self):
        left, right = self.left.parents(), self.right.parents()
        return None if left is None or right is None else left | right


class Negation:
    def __init__(self, inner):
        self.inner = inner

    def matches(self, entry, view):
        return not self.inner.matches(entry, view)

    def parents(self):
        return None


class Everything(Negation):
    def __init__(self):
        super().__init__(None)

    def matches(self, entry, view):
        return True


def bad():
    return refusal.invalid('q')


def tokens(text):
    at, found = 0, []
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if not match:
            raise bad()
        kind = match.lastgroup
        value = match.group(kind)
        if kind == 'string':
            value = unescape(value[1:-1])
        found.append((kind, value))
        at = match.end()
    return found


def unescape(text):
    if re.search(r"\\[^'\\]", text.replace('\\\\', '')):
        raise bad()
    return re.sub(r"\\(['\\])", r'\1', text)


def parse_time(text):
    """RFC 3339, UTC where it names no zone; milliseconds since 1970."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise bad() from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return (moment - EPOCH) // timedelta(milliseconds=1)


class Parser:
    def __init__(self, text):
        self.tokens, self.at = tokens(text), 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else (None, None)

    def take(self, kind=None, value=None):
        token = self.peek()
        if token[0] is None or (kind and token[0] != kind) or (value and token[1] != value):
            raise bad()
        self.at += 1
        return token

    def whole(self):
        node = self.expression(0)
        if self.peek()[0] is not None:
            raise bad()
        return node

    def expression(self, depth):
        if depth > DEPTH:
            raise bad()
        left = self.operand(depth)
        while self.peek() in (('word', 'and'), ('word', 'or')):
            _, word = self.take()
            right = self.operand(depth)
            left = Both(left, right) if word == 'and' else Either(left, right)
        return left

    def operand(self, depth):
        kind, value = self.peek()
        if (kind, value) == ('word', 'not'):
            self.take()
            return Negation(self.operand(depth + 1))
        if (kind, value) == ('punct', '('):
            self.take()
            node = self.expression(depth + 1)
            self.take('punct', ')')
            return node
        if kind == 'string':
            return self.membership()
        return self.comparison()

    def membership(self):
        _, value = self.take('string')
        self.take('word', 'in')
        _, collection = self.take('word')
        if collection not in COLLECTIONS:
            raise bad()
        return Term(collection, 'in', value)

    def comparison(self):
        _, field = self.take('word')
        if field in ('properties', 'appProperties'):
            return self.property_pair(field)
        if field == 'shortcutDetails' and self.peek()[0] is None:
            raise bad()
        if field not in FIELDS:
            raise bad()
        operators, kind = FIELDS[field]
        if field == 'sharedWithMe' and self.peek()[0] != 'op':
            return Term(field, '=', True)
        token_kind, op = self.take()
        if op not in operators or token_kind == 'string':
            raise bad()
        return Term(field, op, self.value(kind))

    def value(self, kind):
        token_kind, text = self.take()
        if kind == 'bool':
            if token_kind != 'word' or text not in ('true', 'false'):
                raise bad()
            return text == 'true'
        if token_kind != 'string':
            raise bad()
        return parse_time(text) if kind == 'time' else text

    def property_pair(self, field):
        self.take('word', 'has')
        self.take('punct', '{')
        pair = {}
        for i, name in enumerate(('key', 'value')):
            if i:
                self.take('word', 'and')
            self.take('word', name)
            self.take('op', '=')
            pair[name] = self.take('string')[1]
        self.take('punct', '}')
        return Term(field, 'has', (pair['key'], pair['value']))


def parse(text):
    """A node with matches(entry, view) and parents()."""
    if text is None or not text.strip():
        return Everything()
    if len(text) > 1 << 16:
        raise bad()
    return Parser(text).whole()


COMPARE = {
    '=': lambda a, b: a == b, '!=': lambda a, b: a != b, '<': lambda a, b: a < b, '<=': lambda a, b: a <= b,
    '>': lambda a, b: a > b, '>=': lambda a, b: a >= b,
}


def has_prefix_word(text, prefix):
    """What `name contains` does: PREFIX begins the name or one of its words, without regard to case."""
    text, prefix = text.casefold(), prefix.casefold()
    return any(text.startswith(prefix, match.start()) for match in re.finditer(r'\b\w|^', text))
