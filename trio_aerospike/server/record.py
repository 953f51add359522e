"""Stored records: metadata and bins, and their packed form, the row of bytes in a tree.

Records are never changed in place. A write makes a new one and puts it into the trees of the master and of its
replicas, which therefore share it; readers of any copy see whole records only.
"""

from __future__ import annotations

import struct

from .._wire.constants import OP_READ, PARTICLE_BOOL, PARTICLE_FLOAT, PARTICLE_INTEGER, PARTICLE_LIST, PARTICLE_MAP
from .values import Particle

_HEAD = struct.Struct("<HIqI?HIi")
"""The start of a row: generation, void-time, last update, size in storage, whether lists and maps are sent as they are
stored, number of bins, bytes of the set name, bytes of the key (-1 without a key). Set name, key and bins follow."""
_BIN = struct.Struct(">IBBBB")
"""The start of a bin, the same as in a response: size, operation, particle type, version, bytes of the name."""
_HEAD_SIZE = _HEAD.size
_BIN_SIZE = _BIN.size
_NO_KEY = -1


class StoredRecord:
    """One version of a record, immutable.

    Args:
        set_name: "" for a record without a set.
        bins: values by name, in their order.
        generation: 1 to 65535.
        void_time: seconds since the Citrusleaf epoch, 0 for a record that never expires.
        last_update: milliseconds since the Citrusleaf epoch.
        key: the user key as the client sent it (particle type byte first); None if it was never sent.
    """

    __slots__ = ("_bins", "_row", "_size", "generation", "key", "last_update", "set_name", "void_time")

    def __init__(
        self,
        set_name: str,
        bins: dict[str, Particle],
        generation: int,
        void_time: int,
        last_update: int,
        key: bytes | None = None,
    ) -> None:
        self.set_name: str = set_name
        self.generation: int = generation
        self.void_time: int = void_time
        self.last_update: int = last_update
        self.key: bytes | None = key
        self._bins: dict[str, Particle] | None = bins
        self._row: bytes | None = None
        self._size = 0

    def __repr__(self) -> str:
        return f"<StoredRecord of set {self.set_name!r}, generation {self.generation}, bins {list(self.bins)}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredRecord) and self.row == other.row

    def __hash__(self) -> int:
        return hash(self.row)

    @classmethod
    def of_row(cls, row: bytes) -> StoredRecord:
        """Unpack a row; the bins are decoded on demand."""
        record = cls.__new__(cls)
        head = _HEAD.unpack_from(row)
        record.generation, record.void_time, record.last_update, record._size, _, _, set_size, key_size = head
        end = _HEAD_SIZE + set_size
        record.set_name = row[_HEAD_SIZE:end].decode()
        record.key = None if key_size == _NO_KEY else row[end : end + key_size]
        record._bins = None
        record._row = row
        return record

    @property
    def row(self) -> bytes:
        """The packed form for a tree."""
        if self._row is None:
            self._row = self._packed()
        return self._row

    @property
    def bins(self) -> dict[str, Particle]:
        """Values by name."""
        if self._bins is None:
            row, bins = self.row, {}
            pos, end, unpack = self._bins_start, len(row), _BIN.unpack_from
            while pos < end:
                size, _, kind, _, name_size = unpack(row, pos)
                start = pos + _BIN_SIZE + name_size
                pos += 4 + size
                bins[row[start - name_size : start].decode()] = kind, row[start:pos]
            self._bins = bins
        return self._bins

    def bin(self, name: str) -> Particle | None:
        """The value of one bin, without decoding the others; None if it does not exist."""
        if self._bins is not None:
            return self._bins.get(name)
        row, wanted = self.row, name.encode()
        pos = self._bins_start
        while pos < len(row):
            size, _, kind, _, name_size = _BIN.unpack_from(row, pos)
            start = pos + _BIN_SIZE + name_size
            pos += 4 + size
            if row[start - name_size : start] == wanted:
                return kind, row[start:pos]
        return None

    @property
    def _bins_start(self) -> int:
        _, _, _, _, _, _, set_size, key_size = _HEAD.unpack_from(self.row)
        return _start_of_bins(set_size, key_size)

    def read_response(self) -> tuple[int, bytes] | None:
        """The number of bins and their encoded operations for a full read; None if one is not sent as stored."""
        row = self.row
        _, _, _, _, is_sent_as_stored, n_bins, set_size, key_size = _HEAD.unpack_from(row)
        if not is_sent_as_stored:
            return None
        return n_bins, row[_start_of_bins(set_size, key_size) :]

    def size(self) -> int:
        """The bytes that the record takes in the real server's storage (server: as/src/storage/flat.c)."""
        if self._row is None:
            self._row = self._packed()
        return self._size

    def with_times(self, *, void_time: int, last_update: int) -> StoredRecord:
        """A copy with another void-time and last update."""
        return StoredRecord(self.set_name, self.bins, self.generation, void_time, last_update, self.key)

    def _packed(self) -> bytes:
        set_name, key, bins = self.set_name.encode(), self.key, self.bins
        size = _RECORD_SIZE + _END_MARK_SIZE
        if self.void_time:
            size += 4
        if set_name:
            size += 1 + len(set_name)
        if key is not None:
            size += _varint_size(len(key)) + len(key)
        if bins:
            size += _varint_size(len(bins))
        is_sent_as_stored = True
        parts = [b"", set_name, key or b""]
        for name, (kind, data) in bins.items():
            raw = name.encode()
            size += 1 + len(raw) + _stored_size(kind, data)
            parts += (_BIN.pack(4 + len(raw) + len(data), OP_READ, kind, 0, len(raw)), raw, data)
            if kind in _CONTAINERS and _may_differ_when_sent(data):
                is_sent_as_stored = False
        self._size = (size + 15) & ~15
        parts[0] = _HEAD.pack(
            self.generation, self.void_time, self.last_update, self._size, is_sent_as_stored, len(bins),
            len(set_name), _NO_KEY if key is None else len(key),
        )  # fmt: skip
        return b"".join(parts)


def _start_of_bins(set_size: int, key_size: int) -> int:
    return _HEAD_SIZE + set_size + max(key_size, 0)


_RECORD_SIZE = 35
_END_MARK_SIZE = 4
_CONTAINERS = (PARTICLE_LIST, PARTICLE_MAP)


def _may_differ_when_sent(data: bytes) -> bool:
    """Whether a list or map may begin with flags that clients do not get (`to_wire` decides, and removes them)."""
    first = data[0]
    place = 1 if first < 0xDC else 3 if first in (0xDC, 0xDE) else 5
    if data[place : place + 2] == b"\xc7\x00" and not data[place + 2] & 0x10:
        return False
    return place < len(data) and (0xC7 <= data[place] <= 0xC9 or 0xD4 <= data[place] <= 0xD8)


def _varint_size(number: int) -> int:
    return max(1, (number.bit_length() + 6) // 7)


def _stored_size(kind: int, data: bytes) -> int:
    """The size of a value with its type: integers take as few bytes as possible, others 4 bytes of length and data."""
    if kind == PARTICLE_INTEGER:
        significant = len(data.lstrip(b"\0"))
        return 2 + (1 if significant <= 1 else 2 if significant == 2 else 4 if significant <= 4 else 8)
    if kind == PARTICLE_FLOAT:
        return 9
    if kind == PARTICLE_BOOL:
        return 2
    return 5 + len(data)


def row_metadata(row: bytes) -> tuple[str, int, int, int]:
    """Set name, last update, void-time and size in storage of a row."""
    _, void_time, last_update, size, _, _, set_size, _ = _HEAD.unpack_from(row)
    return row[_HEAD_SIZE : _HEAD_SIZE + set_size].decode(), last_update, void_time, size
