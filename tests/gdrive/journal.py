"""
The log of requests and the counters: the instrument by which tests tell how often, in what order and over how many
connections something was asked. Tokens and session ids are never in it.
"""

import collections
import threading
import time

LIMIT = 200_000


class Journal:
    def __init__(self):
        self.lock = threading.Condition()
        self.clear()

    def clear(self):
        with self.lock:
            self.events = collections.deque(maxlen=LIMIT)
            self.counters = {}
            self.number = 0

    def add(self, event):
        with self.lock:
            self.number += 1
            event['n'] = self.number
            self.events.append(event)
            counter = self.counters.setdefault(event['kind'], collections.Counter())
            counter['requests'] += 1
            counter['units'] += event.get('units', 0)
            counter['bytes_in'] += event.get('bytes_in', 0)
            counter['bytes_out'] += event.get('bytes_out', 0)
            counter[f'status {event.get("status")}'] += 1
            self.lock.notify_all()

    def correct(self, event, bytes_out):
        """An answer was cut short after it had been logged."""
        with self.lock:
            counter = self.counters.get(event['kind'])
            if counter:
                counter['bytes_out'] += bytes_out - event['bytes_out']
            event.update(bytes_out=bytes_out, cut=True)

    def since(self, number=0, kind=None):
        with self.lock:
            return [dict(event) for event in self.events
                    if event['n'] > number and (kind is None or event['kind'].startswith(kind))]

    def wait_for(self, kind, count, seconds):
        """Waits until COUNT events of KIND are there; whether they are."""
        deadline = time.monotonic() + seconds
        with self.lock:
            while sum(1 for event in self.events if event['kind'].startswith(kind)) < count:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self.lock.wait(left)
            return True

    def report(self):
        with self.lock:
            return {kind: dict(counter) for kind, counter in self.counters.items()}
