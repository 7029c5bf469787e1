"""
Faults by rule: which requests, from the nth on and how often, and what then goes wrong. Rules are plain dicts, so they
come over the control endpoint as they come from Python; README.md lists them.
"""

import fnmatch
import random
import re
import threading

MATCH = {'kind', 'method', 'path', 'query', 'name', 'id', 'user', 'host', 'range', 'content_range'}
DO = {
    'status', 'reason', 'message', 'retry_after', 'html', 'text', 'when', 'reset', 'reset_after', 'delay', 'jitter',
    'bandwidth', 'keep', 'lose_session', 'expire_token', 'cut', 'flip', 'stall', 'stall_after', 'stall_request',
    'content_length', 'short_page', 'incomplete', 'corrupt', 'strip', 'close',
}
RESETS = ('before', 'during', 'after', 'answer')
WHEN = ('before', 'after')


class Rule:
    def __init__(self, number, text):
        text = dict(text)
        self.number = number
        self.match = text.pop('match', {})
        self.skip = text.pop('skip', 0)                # matching requests that pass before
        self.times = text.pop('times', 1)              # 0: always
        self.probability = text.pop('probability', 1.0)
        self.do = text.pop('do', {})
        self.note = text.pop('note', None)
        unknown = [*text, *(set(self.match) - MATCH), *(set(self.do) - DO)]
        if unknown or not self.do:
            raise ValueError(f'unknown in a fault rule: {", ".join(unknown)}' if unknown else 'a rule needs "do"')
        if self.do.get('reset', 'before') not in RESETS or self.do.get('when', 'before') not in WHEN:
            raise ValueError(f'"reset" is one of {RESETS}, "when" one of {WHEN}')
        self.seen = self.hits = 0

    def fits(self, subject):
        for name, pattern in self.match.items():
            value = subject.get(name) or ''
            if name in ('kind', 'method', 'name'):
                if not any(fnmatch.fnmatchcase(value, each) for each in
                           (pattern if isinstance(pattern, list) else [pattern])):
                    return False
            elif not re.search(pattern, value):
                return False
        return True

    def as_dict(self):
        return {'number': self.number, 'match': self.match, 'skip': self.skip, 'times': self.times,
                'probability': self.probability, 'do': self.do, 'note': self.note, 'seen': self.seen,
                'hits': self.hits}


class Faults:
    def __init__(self, seed=None):
        self.lock = threading.Lock()
        self.random = random.Random(seed)
        self.rules, self.number = [], 0

    def add(self, rule):
        """Takes a rule; the Rule, whose hits tell later whether it was needed."""
        with self.lock:
            self.number += 1
            made = Rule(self.number, rule)
            self.rules.append(made)
            return made

    def clear(self, number=None):
        with self.lock:
            self.rules = [rule for rule in self.rules if number is not None and rule.number != number]

    def take(self, subject):
        """What goes wrong with this request: the rules that fit, merged, earlier ones first; and their numbers."""
        with self.lock:
            merged, numbers = {}, []
            for rule in self.rules:
                if not rule.fits(subject):
                    continue
                rule.seen += 1
                if rule.seen <= rule.skip or (rule.times and rule.hits >= rule.times):
                    continue
                if rule.probability < 1 and self.random.random() >= rule.probability:
                    continue
                rule.hits += 1
                merged = {**rule.do, **merged}
                numbers.append(rule.number)
            return merged, numbers

    def shown(self):
        with self.lock:
            return [rule.as_dict() for rule in self.rules]
