"""Random lists, and random calls on them, as they stand on the wire: right ones, extreme ones and malformed ones.

Left out is what a real server (8.1.2) does not survive, or answers with what happens to be in its memory:

- elements to be added that hold a map with keys that are no keys or are there twice, or an ordered list out of order:
  it finds out late, adds nothing, and counts it all the same;
- where an index is to be kept: whole lists that are unordered or get shorter when they are stored, sorting without
  duplicates, more than 128 elements;
- lists that claim 2**32 - 1 elements: it counts to 0 then;
- extensions that are not infinity or the wildcard: at the start of a list they are taken for flags and an index;
- strings and blobs without their type in front, alone in an answer;
- indexes far behind the end, below 2**31: it fills up with that many nils, and ranks take it the square of that;
- steps of contexts that create an element before the beginning of a list.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

from trio_aerospike._wire import cdt_ops as ops, constants as wire
from trio_aerospike._wire.messages import Op
from trio_aerospike.server.cdt.elements import Malformed, has_nonstorage, list_of, map_of, packed_double, packed_int
from trio_aerospike.server.cdt.normalization import checked
from trio_aerospike.server.cdt.order import key_of

BIN = "l"
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
WILDCARD, INFINITY, NIL = b"\xd4\xff\x00", b"\xd4\xff\x01", b"\xc0"
POINT = b'{"type":"Point","coordinates":[1,2]}'


def text(content: bytes, kind: int = wire.PARTICLE_STRING) -> bytes:
    size = len(content) + 1
    header = bytes([0xA0 | size]) if size < 32 else bytes([0xD9, size]) if size < 256 else b"\xda" + size.to_bytes(2)
    return header + bytes([kind]) + content


def single(number: float) -> bytes:
    return b"\xca" + struct.pack(">f", number)


LEAVES = [
    *map(packed_int, (0, 1, 1, 2, 2, 3, 5, 9, 127, 128, 200, 70000, 2**40, INT64_MAX, 2**63, 2**64 - 1)),
    *map(packed_int, (-1, -1, -32, -33, -200, -40000, -(2**40), INT64_MIN)),
    *map(text, (b"", b"a", b"a", b"b", b"ab", b"hello", b"k" * 40, b"x" * 300, "é".encode())),
    *(text(blob, wire.PARTICLE_BLOB) for blob in (b"", b"\0", b"a", b"xy" * 20)),
    *map(packed_double, (0.0, -0.0, 1.0, 1.5, -2.5, 1e300, float("inf"), float("-inf"))),
    *map(single, (0.0, 1.5, -2.5)),
    NIL,
    NIL,
    b"\xc2",
    b"\xc3",
    text(POINT, wire.PARTICLE_GEOJSON),
    text(b"java", 7),
    text(b"csharp", 8),
    text(b"odd", 99),
    text(b"\0\4\0", wire.PARTICLE_HLL),
]
LONGER_FORMS = [
    b"\xcc\x05",
    b"\xcd\x00\x05",
    b"\xce\x00\x00\x00\x05",
    b"\xcf" + bytes(7) + b"\x05",
    b"\xd0\x05",
    b"\xd0\xff",
    b"\xd1\xff\xfe",
    b"\xd3" + bytes(7) + b"\x02",
    b"\xd9\x02\x03a",
    b"\xda\x00\x02\x03a",
    b"\xdb\x00\x00\x00\x02\x03a",
    b"\xc4\x02\x03b",
    b"\xc4\x02\x04a",
    b"\xc4\x28\x04" + bytes(39),
    b"\xc5\x00\x28\x04" + bytes(39),
    b"\xdc\x00\x00",
    b"\xdc\x00\x01\x01",
    b"\xdd\x00\x00\x00\x02\x01\x02",
    b"\xde\x00\x00",
    b"\xde\x00\x01\x01\x02",
]
NOT_STORED = [WILDCARD, INFINITY, b"\xc7\x01\xff\x00", b"\xc7\x01\xff\x01", b"\xd5\xff\0\0"]
MALFORMED = [
    b"\xc1",
    b"\xd9",
    b"\xa5a",
    b"\x92\x01",
    b"\xcf\x00",
    b"\xdd\x00\xff\xff\xff",
    b"\xdf\x00\xff\xff\xff",
    b"",
]
NO_NUMBER = [float("nan"), -float("nan")]

_WITH_INDEX = {
    ops.LIST_POP, ops.LIST_REMOVE, ops.LIST_GET,
}  # fmt: skip
_WITH_RANGE = {ops.LIST_POP_RANGE, ops.LIST_REMOVE_RANGE, ops.LIST_TRIM, ops.LIST_GET_RANGE}
_BY_INDEX = {ops.LIST_GET_BY_INDEX, ops.LIST_GET_BY_RANK, ops.LIST_REMOVE_BY_INDEX, ops.LIST_REMOVE_BY_RANK}
_BY_RANGE = {
    ops.LIST_GET_BY_INDEX_RANGE, ops.LIST_GET_BY_RANK_RANGE, ops.LIST_REMOVE_BY_INDEX_RANGE,
    ops.LIST_REMOVE_BY_RANK_RANGE,
}  # fmt: skip
_BY_VALUE = {
    ops.LIST_GET_BY_VALUE, ops.LIST_GET_ALL_BY_VALUE, ops.LIST_REMOVE_BY_VALUE, ops.LIST_REMOVE_ALL_BY_VALUE,
}  # fmt: skip
_BY_LIST = {ops.LIST_GET_ALL_BY_VALUE_LIST, ops.LIST_REMOVE_ALL_BY_VALUE_LIST}
_BY_INTERVAL = {ops.LIST_GET_BY_VALUE_INTERVAL, ops.LIST_REMOVE_BY_VALUE_INTERVAL}
_BY_RELATIVE = {ops.LIST_GET_BY_VALUE_REL_RANK_RANGE, ops.LIST_REMOVE_BY_VALUE_REL_RANK_RANGE}
_OPTIONAL = {
    ops.LIST_APPEND: 2, ops.LIST_APPEND_ITEMS: 2, ops.LIST_INSERT: 1, ops.LIST_INSERT_ITEMS: 1, ops.LIST_POP_RANGE: 1,
    ops.LIST_REMOVE_RANGE: 1, ops.LIST_SET: 1, ops.LIST_INCREMENT: 3, ops.LIST_SORT: 1, ops.LIST_GET_RANGE: 1,
    **dict.fromkeys(_BY_RANGE | _BY_INTERVAL | _BY_RELATIVE, 1),
}  # fmt: skip
READS = tuple(range(ops.LIST_SIZE, ops.LIST_GET_BY_VALUE_REL_RANK_RANGE + 1))
CHANGES = (*range(ops.LIST_SET_TYPE, ops.LIST_SORT + 1), *range(ops.LIST_APPEND, ops.LIST_INSERT_ITEMS + 1))
REMOVES = tuple(range(ops.LIST_REMOVE_BY_INDEX, ops.LIST_REMOVE_BY_VALUE_REL_RANK_RANGE + 1))


class Generator:
    """Makes histories of a bin; the same seed gives the same one."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._size = 5
        self._numbers_only = self.chance(0.3)
        self._with_nan = self.chance(0.1)
        self._indexed = self.chance(0.3)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    # Elements -------------------------------------------------------------------------------------------------

    def leaf(self) -> bytes:
        if self._numbers_only and self.chance(0.9):
            return packed_int(self.random.randrange(-3, 10))
        if self._with_nan and self.chance(0.3):
            return packed_double(self.random.choice(NO_NUMBER))
        return self.random.choice(LEAVES if self.chance(0.9) else LONGER_FORMS)

    def value(self, depth: int = 0) -> bytes:
        """Something that can be stored."""
        kind = self.random.random()
        if depth > 3 or kind < 0.72:
            return self.leaf()
        if kind < 0.88:
            return self.whole_list(self.random.choice([0, 1, 2, 2, 3, 5]), depth + 1)
        return self.whole_map(self.random.choice([0, 1, 2, 3]), depth + 1)

    def whole_list(self, size: int, depth: int = 0) -> bytes:
        elements = [self.value(depth + 1) for _ in range(size)]
        flags = (
            self.random.choice([0, 0, 0, 1, 1, 16, 17, 0xE4])
            if depth
            else self.random.choice([0, 0, 1, 1, 17 if self._indexed else 0])
        )
        if flags & 1 and self._with_nan and depth:
            # Such numbers have no order, and a list that is found out of order inside another is left out.
            flags &= ~1
        if flags & 1:
            elements.sort(key=sort_key)
        if not depth and flags & 16 and not _is_short(list_of(elements)):
            flags &= ~16
        return list_of(elements, flags) if flags != 0xE4 else list_of(elements)

    def whole_map(self, size: int, depth: int) -> bytes:
        keys = self.random.sample(
            [*map(packed_int, range(-3, 6)), *map(text, (b"a", b"b", b"ab")), text(b"a", 4)], size
        )
        flags = self.random.choice([0, 0, 1, 1, 3, 16, 17, 19])
        if flags & 1:
            keys.sort(key=sort_key)
        pairs = [(key, self.value(depth + 1)) for key in keys]
        if not depth and flags & 16 and not _is_short(map_of(pairs)):
            flags &= ~16
        return map_of(pairs, flags)

    def probe(self, depth: int = 0) -> bytes:
        """Something to compare with."""
        if self.chance(0.06):
            return self.random.choice(NOT_STORED)
        if depth < 2 and self.chance(0.06):
            return list_of([self.probe(depth + 1) for _ in range(self.random.randrange(4))])
        return self.value(depth)

    def stored(self) -> bytes:
        if self.chance(0.01):
            return self.random.choice(NOT_STORED)
        return self.value()

    # Arguments ------------------------------------------------------------------------------------------------

    def number(self, numbers: Sequence[int], odd: float = 0.06) -> bytes:
        if not self.chance(odd):
            return packed_int(self.random.choice(numbers))
        if self.chance(0.75):
            return packed_int(
                self.random.choice(
                    [INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1, 2**64 - 1, 2**63, 2**32, 2**32 - 1, 2**31,
                     -(2**31), -(2**32), -(2**32) + 1]
                )
            )  # fmt: skip
        return self.random.choice(
            [NIL, b"\xc3", text(b"1"), b"\x91\x01", packed_double(1.0), WILDCARD, b"\xd2\0\0\0\1"]
        )

    def index(self) -> bytes:
        size = self._size
        return self.number([0, 0, 1, 2, 3, size - 1, size, size + 1, size + 3, -1, -2, -size, -size - 1, -size - 4])

    def place(self) -> bytes:
        """Where something is to be put: never so far behind the end that a real server would have to fill gigabytes."""
        if self.chance(0.01) and not self._indexed:
            return packed_int(self.random.choice([100, 200, 300]))
        return self.index()

    def count(self) -> bytes:
        return self.number([0, 1, 1, 2, 3, self._size - 1, self._size, self._size + 2, 100, -1])

    def result(self) -> bytes:
        kind = self.random.choice([*range(14), *range(14), *range(8), 16, 17])
        if self.chance(0.03):
            kind = self.random.choice([14, 15, 18, 255, 0x100, 0x8000])
        if self.chance(0.3):
            kind |= ops.RETURN_INVERTED
        if self.chance(0.02):
            kind |= 0x20000
        return self.number([kind], 0.01)

    def create_flags(self) -> bytes:
        flags = self.random.choice([0, 0, 1, 1, 16, 17] if self._indexed else [0, 0, 1])
        if self.chance(0.05) and self._indexed:
            flags = self.random.choice([2, 3, 4, 8, 32, 255, 256, 257, 0x110])
        return self.number([flags], 0.02)

    def write_flags(self) -> bytes:
        return self.number([*range(16), *range(16), 16, 0xFF, 0x100], 0.02)

    def items(self, one: str) -> bytes:
        make = self.stored if one == "stored" else self.probe
        if self.chance(0.03):
            return self.random.choice([NIL, b"\x05", map_of([]), text(b"a")])
        elements = [make() for _ in range(self.random.choice([0, 1, 1, 2, 3, 5, 9]))]
        if elements and self.chance(0.3):
            elements.append(self.random.choice(elements))
        flags = self.random.choice([0] * 12 + [1, 16, 17])
        if flags & 1:
            elements = [element for element in elements if not has_nonstorage(element)]
            elements.sort(key=sort_key)
        return list_of(elements, flags)

    def delta(self) -> bytes:
        if self.chance(0.3):
            return packed_double(self.random.choice([0.5, -1.5, 1e300, -1e300, 2.0**63, -(2.0**63), 0.0, -0.0]))
        return self.number([0, 1, 2, -1, -5, 1000, INT64_MAX], 0.1)

    def arguments(self, number: int) -> list[bytes]:
        if number == ops.LIST_SET_TYPE:
            return [self.create_flags()]
        if number in (ops.LIST_APPEND, ops.LIST_APPEND_ITEMS):
            value = self.stored() if number == ops.LIST_APPEND else self.items("stored")
            return [value, self.create_flags(), self.write_flags()]
        if number in (ops.LIST_INSERT, ops.LIST_SET):
            return [self.place(), self.stored(), self.write_flags()]
        if number == ops.LIST_INSERT_ITEMS:
            return [self.place(), self.items("stored"), self.write_flags()]
        if number == ops.LIST_INCREMENT:
            return [self.place(), self.delta(), self.create_flags(), self.write_flags()]
        if number == ops.LIST_SORT:
            return [self.number([0, 0, 1] if self._indexed else [0, 0, 1, 2, 2, 3, 4], 0.0 if self._indexed else 0.05)]
        if number in _WITH_INDEX:
            return [self.index()]
        if number in _WITH_RANGE:
            return [self.index(), self.count()]
        if number in _BY_INDEX:
            return [self.result(), self.index()]
        if number in _BY_RANGE:
            return [self.result(), self.index(), self.count()]
        if number in _BY_VALUE:
            return [self.result(), self.probe()]
        if number in _BY_LIST:
            return [self.result(), self.items("probe")]
        if number in _BY_INTERVAL:
            return [self.result(), self.probe(), self.probe()]
        if number in _BY_RELATIVE:
            return [self.result(), self.probe(), self.index(), self.count()]
        return []

    # Calls ----------------------------------------------------------------------------------------------------

    def call(self) -> Op:
        """An operation on the bin; now and then without what may be left out, and rarely broken."""
        number = self.random.choice(READS if self.chance(0.5) else REMOVES if self.chance(0.35) else CHANGES)
        particle = wire.OP_CDT_READ if number in READS else wire.OP_CDT_MODIFY
        if self.chance(0.006):
            particle = self.random.choice([wire.OP_CDT_READ, wire.OP_CDT_MODIFY])
        arguments = self.arguments(number)
        optional = _OPTIONAL.get(number, 0)
        if optional and self.chance(0.25):
            arguments = arguments[: -self.random.randint(1, optional)]
        if self.chance(0.01):
            arguments = arguments[:-1]
        if self.chance(0.01):
            arguments = [*arguments, self.random.choice([NIL, b"\x01", self.value()])]
        if self.chance(0.006) and arguments:
            arguments[self.random.randrange(len(arguments))] = self.random.choice(MALFORMED)
        if self.chance(0.005):
            number = self.random.choice([14, 15, 28, 31, 41, 63, 64, 96, 111, 1000, 2**32 + 16, *READS, *CHANGES])
        data = list_of([packed_int(number), *arguments])
        if self.chance(0.02) and number < 256:
            data = bytes([0, number]) + (list_of(arguments) if arguments or self.chance(0.5) else b"")
        elif self.chance(0.15):
            parts = [packed_int(ops.CONTEXT_EVAL), self.context(), data]
            data = list_of(parts if self.chance(0.99) else [*parts, NIL] if self.chance(0.5) else parts[:2])
        if self.chance(0.005):
            data = data[: self.random.randint(1, len(data))]
        if self.chance(0.005):
            data += b"\x00"
        return Op(particle, wire.PARTICLE_BLOB, BIN, data)

    def context(self) -> bytes:
        if self.chance(0.01):
            return self.random.choice([b"\x90", b"\x91\x10", b"\x93\x10\x00\x10", NIL, b"\x05"])
        steps: list[bytes] = []
        for _ in range(self.random.choice([1, 1, 1, 1, 2, 2, 3])):
            steps += self.step()
        return list_of(steps)

    def step(self) -> tuple[bytes, bytes]:
        base = self.random.choice([ops.CONTEXT_INDEX] * 4 + [ops.CONTEXT_RANK, ops.CONTEXT_KEY, ops.CONTEXT_VALUE])
        kind = base | (ops.CONTEXT_MAP if base == ops.CONTEXT_KEY else ops.CONTEXT_LIST)
        if self.chance(0.1):
            kind = base | self.random.choice([0, ops.CONTEXT_MAP, ops.CONTEXT_LIST, 0x30])
        create = 0
        if base in (ops.CONTEXT_INDEX, ops.CONTEXT_KEY) and self.chance(0.45):
            create = self.random.choice(
                [0x40, 0x80, 0xC0, 0x140, 0x180, 0x1C0, 0x100] if self._indexed else [0x40, 0x80, 0xC0]
            )
        if self.chance(0.02):
            kind = self.random.choice([4, 8, 10, 0x14, 0x40, 0x200, 0x1000, -1, 2**32])
        if base == ops.CONTEXT_KEY:
            argument = self.random.choice([packed_int(self.random.randrange(-3, 6)), text(b"a"), self.probe()])
        elif base == ops.CONTEXT_VALUE:
            argument = self.probe()
        elif create & 0xC0 == 0x80:
            # The real server does not survive an unbound list that would begin before its beginning.
            argument = packed_int(
                self.random.choice([0, 1, 2, 5, self._size, self._size + 2, 9 if self._indexed else 200])
            )
        elif create:
            argument = packed_int(self.random.choice([-1, -1, 0, 0, 1, 2, self._size, self._size + 2]))
        else:
            argument = self.number([0, 0, 1, 1, 2, -1, -1, -2, self._size, self._size + 2], 0.05)
        return packed_int(kind | create if kind >= 0 else kind), argument

    # Histories ------------------------------------------------------------------------------------------------

    def history(self, length: int) -> list[Op]:
        """What is written into a bin, and what is done with it."""
        history = [self.start()]
        for _ in range(length):
            if self.chance(0.02):
                history.append(self.start())
            history.append(self.call())
        return history

    def start(self) -> Op:
        """A write of the whole bin, or its removal."""
        if self.chance(0.08):
            return Op(wire.OP_WRITE, wire.PARTICLE_NULL, BIN, b"")
        if self.chance(0.05):
            return Op(wire.OP_WRITE, wire.PARTICLE_MAP, BIN, self.whole_map(self.random.choice([0, 1, 3, 5]), 0))
        if self.chance(0.01):
            return Op(wire.OP_WRITE, wire.PARTICLE_INTEGER, BIN, bytes(8))
        size = self.random.choice([0, 1, 2, 3, 3, 4, 5, 8, 13, 20])
        if self.chance(0.03):
            size = self.random.choice([40, 100, 120] if self._indexed else [40, 130, 300])
        self._size = size
        data = self.whole_list(size)
        if self.chance(0.02):
            data = self.random.choice(
                [*MALFORMED[1:4], data + b"\0", data[:-1], list_of([WILDCARD]), b"\x92\xc7\0\1\xc1"]
            )
        return Op(wire.OP_WRITE, wire.PARTICLE_LIST, BIN, data)


def _is_short(element: bytes) -> bool:
    """Whether it is stored as it is."""
    try:
        return checked(element) == element
    except Malformed:
        return False


def sort_key(element: bytes) -> tuple[object, ...]:
    return key_of(element)
