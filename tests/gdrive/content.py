"""
Bytes of files. Small ones live in memory, larger ones in an unlinked temporary file, and synthetic ones nowhere: a
pattern tells every byte from its seed and position, so a file of a terabyte needs no disk. What is uploaded and turns
out to be a pattern is kept as one.
"""

import hashlib
import random
import struct
import tempfile
import threading

PIECE = 1 << 20
IN_MEMORY = 1 << 20
HASH_UP_TO = 4 << 30  # patterns beyond this size get digests that are made up unless told
MAGIC = b'PATTERN\0'
HEADER = struct.Struct('>8sQQQ')  # magic, seed, size of the file, number of the block


def new_hashes():
    return [hashlib.md5(), hashlib.sha1(), hashlib.sha256()]


class Digests:
    """The three checksums of some bytes, as hex."""

    def __init__(self, md5, sha1, sha256):
        self.md5, self.sha1, self.sha256 = md5, sha1, sha256

    @classmethod
    def of(cls, pieces):
        hashes = new_hashes()
        for piece in pieces:
            for each in hashes:
                each.update(piece)
        return cls(*(each.hexdigest() for each in hashes))

    @classmethod
    def made_up(cls, words):
        """Digests of the right form that are a function of WORDS: for content that nobody can read to its end."""
        seed = repr(words).encode()
        return cls(hashlib.md5(seed).hexdigest(), hashlib.sha1(seed).hexdigest(), hashlib.sha256(seed).hexdigest())


class Content:
    """SIZE and digests, and pieces() of any range. Immutable, shared by copies and revisions."""

    size = 0

    def __deepcopy__(self, memo):
        return self

    def read(self, start, end):
        return b''.join(self.pieces(start, end))

    @property
    def digests(self):
        raise NotImplementedError


class Bytes(Content):
    def __init__(self, data):
        self.data, self.size, self._digests = data, len(data), None

    def pieces(self, start=0, end=None):
        yield self.data[start:self.size if end is None else end]

    @property
    def digests(self):
        if self._digests is None:
            self._digests = Digests.of([self.data])
        return self._digests


class Disk(Content):
    def __init__(self, file, size, digests):
        self.file, self.size, self._digests = file, size, digests
        self.lock = threading.Lock()

    def pieces(self, start=0, end=None):
        end = self.size if end is None else end
        while start < end:
            with self.lock:
                self.file.seek(start)
                piece = self.file.read(min(PIECE, end - start))
            start += len(piece)
            yield piece

    @property
    def digests(self):
        return self._digests


class Pattern(Content):
    """Blocks of 1 MiB: 32 bytes that tell seed, size and block number, then bytes that the seed alone tells."""

    BASES = {}  # seed -> the block's bytes behind its header
    KNOWN = {}  # (seed, size) -> Digests

    def __init__(self, size, seed=1, digests=None):
        self.size, self.seed, self._digests = size, seed, digests
        if seed not in self.BASES:
            if len(self.BASES) > 64:
                self.BASES.clear()
            self.BASES[seed] = random.Random(seed).randbytes(PIECE - HEADER.size)
        self.base = self.BASES[seed]

    def block(self, number):
        return HEADER.pack(MAGIC, self.seed, self.size, number) + self.base

    def pieces(self, start=0, end=None):
        end = self.size if end is None else end
        while start < end:
            number, skip = divmod(start, PIECE)
            n = min(PIECE - skip, end - start)
            block = self.block(number)
            yield block if n == PIECE else block[skip:skip + n]
            start += n

    @property
    def digests(self):
        if self._digests is None:
            key = self.seed, self.size
            if key not in self.KNOWN:
                self.KNOWN[key] = Digests.of(self.pieces()) if self.size <= HASH_UP_TO else Digests.made_up(key)
            self._digests = self.KNOWN[key]
        return self._digests


class Sink:
    """Takes bytes from the first to the last; finish() makes them content. Not for two threads at once."""

    def __init__(self):
        self.size = 0
        self.hashes = new_hashes()
        self.head = bytearray()  # bytes while they are few
        self.file = None
        self.pattern = None

    def write(self, data):
        if self.pattern and not self._continues(data):
            self._leave_pattern()
        for each in self.hashes:
            each.update(data)
        if self.pattern is None:
            self._keep(data)
        self.size += len(data)

    def _continues(self, data):
        return (self.size + len(data) <= self.pattern.size
                and self.pattern.read(self.size, self.size + len(data)) == bytes(data))

    def _keep(self, data):
        if self.file:
            self.file.write(data)
            return
        self.head += data
        if len(self.head) <= IN_MEMORY:
            return
        self.pattern = self._recognise()
        if self.pattern is None:
            self._spill([self.head])
        elif (self.pattern.seed, self.pattern.size) in Pattern.KNOWN:
            self.hashes = []  # hashing is what an upload costs
        self.head = bytearray()

    def _leave_pattern(self):
        """What came so far was the beginning of a pattern, and is not any more."""
        pattern, self.pattern = self.pattern, None
        if not self.hashes:
            self.hashes = new_hashes()
            for piece in pattern.pieces(0, self.size):
                for each in self.hashes:
                    each.update(piece)
        self._spill(pattern.pieces(0, self.size))

    def _recognise(self):
        magic, seed, size, number = HEADER.unpack_from(self.head)
        if magic != MAGIC or number != 0:
            return None
        pattern = Pattern(size, seed)
        n = len(self.head)
        return pattern if n <= size and pattern.read(0, n) == bytes(self.head) else None

    def _spill(self, pieces):
        self.file = tempfile.TemporaryFile(prefix='gdrive-')
        for piece in pieces:
            self.file.write(piece)

    def finish(self):
        if self.pattern and self.pattern.size == self.size:
            if self.hashes:
                Pattern.KNOWN[(self.pattern.seed, self.size)] = self._digests()
            return self.pattern
        if self.pattern:
            self._leave_pattern()
        digests = self._digests()
        if self.file:
            self.file.flush()
            return Disk(self.file, self.size, digests)
        return Bytes(bytes(self.head))

    def _digests(self):
        return Digests(*(each.hexdigest() for each in self.hashes))
