"""Random operations on random maps, as bytes: what no client would send, too.

What server 8.1.2 does not survive is left out:
- all elements but those of an empty list: it reads an index that it has not made;
- a single value that is not there, of a map whose values are indexed, as an ordered map: it reads behind the end;
- all indexes or ranks but those of a list with a wildcard: it counts below zero;
- a list or map inside of which the elements, counted in 32 bits, wrap around to 0;
- a context by a value above all others in a map whose values are indexed: it reads behind the end;
- a map inside another that is to have an index, which comes to be where the other is made for it in a bin without a
  value: what is put into it later is followed by whatever was in the memory;
- text that is too short for its type, as an answer; extensions of two bytes of length, and values that are no numbers
  (NaN), which have no order.
And of maps that are written whole it spoils those that are to have an index: the index of values may stay as the memory
was before, which it runs into later; and where elements are not in their shortest form, its size may be wrong. Such
maps get their index of values by an operation of their own.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

from trio_aerospike._wire import cdt_ops as ops, constants as wire
from trio_aerospike._wire.messages import Op

BIN = "m"
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
WILDCARD, INFINITY, NIL = b"\xd4\xff\x00", b"\xd4\xff\x01", b"\xc0"
KEY_ORDERED, VALUE_ORDERED, INDEXED = 1, 2, 16

VALUE_INDEXED = VALUE_ORDERED | INDEXED


# Elements -----------------------------------------------------------------------------------------------------


def packed_int(number: int) -> bytes:
    if 0 <= number < 128:
        return bytes([number])
    if -32 <= number < 0:
        return bytes([number + 256])
    for code, form in zip(b"\xcc\xcd\xce\xcf" if number > 0 else b"\xd0\xd1\xd2\xd3", "BHIQ", strict=True):
        try:
            return bytes([code]) + struct.pack(">" + (form if number > 0 else form.lower()), number)
        except struct.error:
            continue
    raise AssertionError(number)


def packed_text(content: bytes) -> bytes:
    if len(content) < 32:
        return bytes([0xA0 | len(content)]) + content
    if len(content) < 256:
        return bytes([0xD9, len(content)]) + content
    return b"\xda" + struct.pack(">H", len(content)) + content


def packed_list(elements: Sequence[bytes]) -> bytes:
    header = bytes([0x90 | len(elements)]) if len(elements) < 16 else b"\xdc" + struct.pack(">H", len(elements))
    return header + b"".join(elements)


def packed_map(pairs: Sequence[tuple[bytes, bytes]], flags: int = 0) -> bytes:
    count = len(pairs) + (1 if flags else 0)
    header = bytes([0x80 | count]) if count < 16 else b"\xde" + struct.pack(">H", count)
    return header + (bytes([0xC7, 0, flags, 0xC0]) if flags else b"") + b"".join(key + value for key, value in pairs)


STRING, BLOB, GEOJSON, SKETCH = (bytes([kind]) for kind in (3, 4, 23, 18))
KEYS = [
    *map(packed_int, (0, 1, 2, 3, 4, 5, 6, 7, 20, 127, 128, 300, 70000, 2**40, INT64_MAX, 2**64 - 1)),
    *map(packed_int, (-1, -2, -32, -33, -200, -40000, -(2**40), INT64_MIN)),
    *(packed_text(STRING + text) for text in (b"", b"a", b"b", b"ab", b"abc", b"zz", b"k" * 40, "é".encode())),
    *(packed_text(BLOB + blob) for blob in (b"", b"\0", b"a", b"ab", b"\xff" * 33)),
]
LONG_KEYS = [
    b"\xcc\x05",
    b"\xcd\x00\x05",
    b"\xd3" + bytes(8),
    b"\xd0\xff",
    b"\xd1\xff\xfe",
    b"\xd9\x02\x03a",
    b"\xc4\x02\x03b",
    b"\xc4\x02\x04a",
    b"\xda\x00\x02\x03a",
]
BAD_KEYS = [
    NIL,
    b"\xc2",
    b"\xc3",
    b"\xcb" + struct.pack(">d", 1.5),
    b"\xca" + struct.pack(">f", 1.5),
    b"\x90",
    b"\x80",
    packed_list([packed_int(1)]),
    packed_list([WILDCARD]),
    packed_map([(packed_int(1), packed_int(1))]),
    packed_text(GEOJSON + b'{"type":"Point","coordinates":[1,2]}'),
    packed_text(SKETCH + b"\0\4\0"),
    packed_text(b"\x07java"),
    b"\xa0",
    b"\xd6\x05abcd",
    WILDCARD,
    WILDCARD,
    INFINITY,
]
LEAVES = [
    *map(packed_int, (0, 1, 1, 2, 2, 3, 5, 9, 200, -1, -40, INT64_MAX, INT64_MIN, 2**64 - 1)),
    *(packed_text(STRING + text) for text in (b"", b"a", b"b", b"hello")),
    *(packed_text(BLOB + blob) for blob in (b"", b"a", b"xy" * 20)),
    *(b"\xcb" + struct.pack(">d", number) for number in (0.0, -0.0, 1.5, -2.5, 1e300, float("inf"))),
    b"\xca" + struct.pack(">f", 1.5),
    NIL,
    b"\xc2",
    b"\xc3",
    packed_text(GEOJSON + b'{"type":"Point","coordinates":[1,2]}'),
    packed_list([packed_int(1), packed_int(2)]),
    packed_map([(packed_int(1), packed_int(2))], KEY_ORDERED),
    b"\xcc\x01",
    b"\xd3" + bytes(7) + b"\x02",
    b"\xd9\x02\x03a",
    b"\xdc\x00\x00",
]
# Extensions and blobs that nobody knows; and what a list or map would take for its flags, if it came first there.
ODD_LEAVES = [
    b"\xd4\x05\x01",
    b"\xd5\x05ab",
    b"\xd6\x05abcd",
    b"\xc7\x03\x05abc",
    b"\xc7\x02\x05ab",
    b"\xd8\x07" + bytes(16),
    b"\xc4\x02\x05a",
    packed_text(SKETCH + b"a"),
    packed_text(b"\x07a"),
    packed_text(b"\x63a"),
]
SHORT_LEAVES = LEAVES[: LEAVES.index(b"\xcc\x01")]
MALFORMED = [b"\xc1", b"\xd9", b"\xa5a", b"\x92\x01", b"\xcf\x00", b"\xdc\x10\x00", b"\xdf\x00\x00\x10\x00"]


class Generator:
    """Random requests; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.indexes_values = self.chance(0.5)
        self.is_compact = False
        self.is_inside = False
        self.is_nested = self.chance(0.25)
        self.keys = KEYS[:6] if self.is_nested else KEYS

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def key(self, good: float = 0.95) -> bytes:
        if self.chance(good):
            return self.random.choice(self.keys if self.chance(0.92) else LONG_KEYS)
        return self.random.choice(BAD_KEYS)

    def value(self, depth: int = 0, comparing: float = 0.0) -> bytes:
        if self.chance(comparing):
            return self.random.choice([WILDCARD, INFINITY])
        kind = self.random.random()
        if self.is_nested and depth < 2 and kind < 0.6:
            return self.map(self.random.choice([0, 1, 2, 3, 6]), depth + 1)
        if self.is_compact:
            return self.random.choice(SHORT_LEAVES)
        if not depth and self.chance(0.03):
            return self.random.choice(ODD_LEAVES)
        if depth > 2 or kind < 0.75:
            return self.random.choice(LEAVES)
        if kind < 0.88:
            inside = [self.value(depth + 1, comparing) for _ in range(self.random.choice([0, 1, 2, 2, 3]))]
            if self.chance(0.2):
                inside.insert(0, bytes([0xC7, 0, self.random.choice([1, 1, 16, 17])]))
                if self.chance(0.9):
                    inside[1:] = sorted(map(packed_int, range(len(inside) - 1)))
            return packed_list(inside)
        return self.map(self.random.choice([0, 1, 2, 3]), depth + 1)

    def flags_of_map(self) -> int:
        return self.random.choice([0, 0, 0, 1, 1, 1, 3, 3, 2, 16, 17, 17])

    def map(self, size: int, depth: int = 0, flags: int | None = None) -> bytes:
        if flags is None:
            flags = self.flags_of_map()
        keys = self.random.sample(self.keys, min(size, len(self.keys)))
        keys += [packed_int(1000 + number) for number in range(size - len(keys))]
        if flags & KEY_ORDERED:
            keys.sort(key=_sort_key)
        if self.chance(0.01) and keys:
            keys[self.random.randrange(len(keys))] = self.random.choice(BAD_KEYS)
        if self.chance(0.01) and len(keys) > 1:
            self.random.shuffle(keys)
        if self.chance(0.01) and len(keys) > 1:
            keys[0] = keys[1]
        was_compact = self.is_compact
        if was_compact:
            flags &= ~INDEXED
        self.is_compact = was_compact or bool(flags & INDEXED)
        pairs = [(key, self.value(depth)) for key in keys]
        self.is_compact = was_compact
        return packed_map(pairs, flags)

    # Arguments ------------------------------------------------------------------------------------------------

    def number(self, numbers: Sequence[int], extreme: float = 0.1) -> bytes:
        if not self.chance(extreme):
            return packed_int(self.random.choice(numbers))
        if self.chance(0.7):
            return packed_int(
                self.random.choice(
                    [INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1, 2**64 - 1, 2**63, 2**32, 2**32 - 1, 2**31]
                )
            )
        return self.random.choice([NIL, b"\xc3", packed_text(STRING + b"1"), b"\x91\x01", b"\xcb" + bytes(8), WILDCARD])

    def index(self) -> bytes:
        return self.number([0, 0, 1, 2, 3, 5, 10, 30, -1, -2, -3, -7, -30])

    def count(self) -> bytes:
        return self.number([0, 1, 1, 2, 3, 5, 10, 100, -1])

    def result(self, *, inverted: float = 0.3, without: int | None = None) -> bytes:
        kind = self.random.choice([*range(14), *range(14), 16, 17, 16, 17])
        if kind == without:
            kind = 0
        if self.chance(0.03):
            kind = self.random.choice([14, 15, 18, 255, 0x100, 0x8000])
        if self.chance(inverted):
            kind |= ops.RETURN_INVERTED
        if self.chance(0.02):
            kind |= 0x20000
        return self.number([kind], 0.01 if inverted and without is None else 0)

    def flags_to_create(self) -> bytes:
        flags = self.random.choice([0, 1, 1, 3, 2, 16, 17, 18, 19] if self.indexes_values else [0, 1, 1, 3, 2, 16, 17])
        if self.is_inside:
            flags &= ~INDEXED
        if self.chance(0.05):
            flags = self.random.choice([4, 5, 8, 9, 32, 255, 256, 257, INT64_MIN])
        return self.number([flags], 0.02)

    def write_flags(self) -> bytes:
        return self.number([*range(16), *range(16), 16, 0xFF, 0x100], 0.02)

    def listed(self, one: Callable[[], bytes]) -> list[bytes]:
        """What is wanted of listed keys or values, and the list."""
        items = [one() for _ in range(self.random.choice([0, 1, 1, 2, 3, 5, 9]))]
        if items and self.chance(0.3):
            items.append(self.random.choice(items))
        if self.chance(0.05):
            items.insert(0, b"\xc7\x00\x01")
        fatal = not items or any(WILDCARD in item for item in items)
        result = self.result(inverted=0 if fatal else 0.3)
        if self.chance(0.03):
            return [result, self.random.choice([NIL, b"\x05", packed_map([])])]
        return [result, packed_list(items)]

    def probe_key(self) -> bytes:
        return self.key(0.88)

    def probe_value(self) -> bytes:
        return self.value(comparing=0.06)

    def arguments(self, number: int) -> list[bytes]:
        result = self.result()
        if number == ops.MAP_SET_TYPE:
            return [self.flags_to_create()]
        if number == ops.MAP_ADD:
            return [self.key(), self.value(comparing=0.01), self.flags_to_create()]
        if number == ops.MAP_PUT:
            return [self.key(), self.value(comparing=0.01), self.flags_to_create(), self.write_flags()]
        if number == ops.MAP_REPLACE:
            return [self.key(), self.value(comparing=0.01)]
        if number in (ops.MAP_ADD_ITEMS, ops.MAP_PUT_ITEMS, ops.MAP_REPLACE_ITEMS):
            items = self.map(self.random.choice([0, 1, 2, 3, 5, 10])) if self.chance(0.95) else self.value()
            more = {
                ops.MAP_ADD_ITEMS: [self.flags_to_create()],
                ops.MAP_PUT_ITEMS: [self.flags_to_create(), self.write_flags()],
                ops.MAP_REPLACE_ITEMS: [],
            }
            return [items, *more[number]]
        if number in (ops.MAP_INCREMENT, ops.MAP_DECREMENT):
            delta = self.number([0, 1, 2, -1, -5, 1000, INT64_MAX], 0.2)
            if self.chance(0.3):
                floats = [0.5, -1.5, 1e300, -1e300, 2.0**63, float("inf")]
                delta = b"\xcb" + struct.pack(">d", self.random.choice(floats))
            return [self.key(0.9), delta, self.flags_to_create()]
        if number in (ops.MAP_CLEAR, ops.MAP_SIZE):
            return []
        if number in (ops.MAP_GET_BY_KEY, ops.MAP_REMOVE_BY_KEY):
            return [result, self.probe_key()]
        if number in (ops.MAP_GET_BY_INDEX, ops.MAP_REMOVE_BY_INDEX, ops.MAP_GET_BY_RANK, ops.MAP_REMOVE_BY_RANK):
            return [result, self.index()]
        if number in (ops.MAP_GET_BY_VALUE, ops.MAP_REMOVE_BY_VALUE):
            fatal = ops.RETURN_ORDERED_MAP if self.indexes_values else None
            return [self.result(without=fatal), self.probe_value()]
        if number in (ops.MAP_GET_BY_KEY_LIST, ops.MAP_REMOVE_BY_KEY_LIST):
            return self.listed(self.probe_key)
        if number in (ops.MAP_GET_BY_VALUE_LIST, ops.MAP_REMOVE_BY_VALUE_LIST):
            return self.listed(self.probe_value)
        if number in (ops.MAP_GET_BY_KEY_INTERVAL, ops.MAP_REMOVE_BY_KEY_INTERVAL):
            return [result, self.probe_key(), self.probe_key()]
        if number in (ops.MAP_GET_BY_VALUE_INTERVAL, ops.MAP_REMOVE_BY_VALUE_INTERVAL):
            return [result, self.probe_value(), self.probe_value()]
        if number in BY_RANGE:
            return [result, self.index(), self.count()]
        if number in (ops.MAP_GET_BY_KEY_REL_INDEX_RANGE, ops.MAP_REMOVE_BY_KEY_REL_INDEX_RANGE):
            return [result, self.probe_key(), self.index(), self.count()]
        if number in (ops.MAP_GET_BY_VALUE_REL_RANK_RANGE, ops.MAP_REMOVE_BY_VALUE_REL_RANK_RANGE):
            return [result, self.probe_value(), self.index(), self.count()]
        return [result, self.value()]

    # Requests -------------------------------------------------------------------------------------------------

    def call(self) -> tuple[bool, bytes]:
        """Whether it is sent as a change, and an operation's data."""
        number = self.random.choice(READS if self.chance(0.5) else MODIFIES)
        self.is_inside = self.chance(0.6 if self.is_nested else 0.05)
        arguments = self.arguments(number)
        optional = OPTIONAL.get(number, 0)
        if optional and self.chance(0.2):
            arguments = arguments[: -self.random.randint(1, optional)]
        if self.chance(0.01):
            arguments = arguments[:-1]
        if self.chance(0.01):
            arguments = [*arguments, self.random.choice([NIL, b"\x01", self.value()])]
        if self.chance(0.005) and arguments:
            arguments[self.random.randrange(len(arguments))] = self.random.choice(MALFORMED)
        changes = number in MODIFIES
        if self.chance(0.005):
            number = self.random.choice([71, 72, 80, 90, 95, 101, 111, 127, 1000, 2**32 + 96, *HARMLESS])
        data = packed_list([packed_int(number), *arguments])
        if self.is_inside:
            data = packed_list([packed_int(ops.CONTEXT_EVAL), self.context(), data])
        if self.chance(0.005):
            data = data[: self.random.randint(1, len(data))]
        if self.chance(0.005):
            data += b"\x00"
        return changes, data

    def context(self) -> bytes:
        steps: list[bytes] = []
        for _ in range(self.random.choice([1, 1, 1, 2])):
            last = ops.CONTEXT_KEY if self.indexes_values else ops.CONTEXT_VALUE
            base = self.random.choice([ops.CONTEXT_INDEX, ops.CONTEXT_RANK, ops.CONTEXT_KEY, ops.CONTEXT_KEY, last])
            kind = ops.CONTEXT_MAP | base
            if base == ops.CONTEXT_KEY and self.chance(0.4):
                kind |= self.random.choice([0x40, 0x80, 0xC0, 0x180])
            steps.append(packed_int(kind))
            steps.append({0: self.index, 1: self.index, 2: self.context_key, 3: self.probe_value}[base]())
        return packed_list(steps)

    def context_key(self) -> bytes:
        # A context may create what is no key; text without a type is fatal as soon as it is answered.
        key = self.probe_key()
        return NIL if key == b"\xa0" else key

    def requests(self, length: int) -> list[Op]:
        """One history of a bin: what is written there, and what is done with it."""
        history = self.start()
        for _ in range(length):
            if self.chance(0.01):
                history += self.start()
            changes, data = self.call()
            history.append(Op(wire.OP_CDT_MODIFY if changes else wire.OP_CDT_READ, wire.PARTICLE_BLOB, BIN, data))
        return history

    def start(self) -> list[Op]:
        """A write of the whole bin, or its removal."""
        if self.chance(0.06):
            return [Op(wire.OP_WRITE, wire.PARTICLE_NULL, BIN, b"")]
        if self.chance(0.03):
            data = packed_list([self.value() for _ in range(3)])
            return [Op(wire.OP_WRITE, wire.PARTICLE_LIST, BIN, data)]
        if self.chance(0.01):
            return [Op(wire.OP_WRITE, wire.PARTICLE_INTEGER, BIN, bytes(8))]
        size = self.random.choice([0, 1, 2, 3, 3, 4, 5, 8, 13, 20, 33])
        if self.chance(0.02):
            size = self.random.choice([70, 130, 300])
        written = Op(wire.OP_WRITE, wire.PARTICLE_MAP, BIN, self.map(size))
        if not self.indexes_values or self.chance(0.5):
            return [written]
        order = packed_list([packed_int(ops.MAP_SET_TYPE), packed_int(self.random.choice([18, 19, 19]))])
        return [written, Op(wire.OP_CDT_MODIFY, wire.PARTICLE_BLOB, BIN, order)]


def _sort_key(key: bytes) -> tuple[int, int | bytes]:
    first = key[0]
    if first < 0x80:
        return 1, first
    if first >= 0xE0:
        return 0, first - 256
    if 0xCC <= first <= 0xD3:
        number = int.from_bytes(key[1:], "big", signed=first >= 0xD0)
        return (1 if number >= 0 else 0), number
    content = key[2:] if first == 0xD9 else key[3:] if first == 0xDA else key[1:]
    return (2 if content[:1] == STRING else 3), content


READS = [number for number in range(ops.MAP_SIZE, ops.MAP_GET_BY_VALUE_REL_RANK_RANGE + 1) if number != 101]
MODIFIES = [
    *range(ops.MAP_SET_TYPE, ops.MAP_REMOVE_BY_VALUE_REL_RANK_RANGE + 1),
    *[ops.MAP_PUT, ops.MAP_PUT_ITEMS, ops.MAP_ADD_ITEMS, ops.MAP_INCREMENT] * 4,
]
MODIFIES = [number for number in MODIFIES if number not in (71, 72, 80)]
HARMLESS = [ops.MAP_SIZE, ops.MAP_CLEAR, ops.MAP_PUT, ops.MAP_ADD_ITEMS, ops.MAP_GET_BY_KEY, ops.MAP_GET_BY_INDEX_RANGE]
BY_RANGE = {
    ops.MAP_GET_BY_INDEX_RANGE,
    ops.MAP_REMOVE_BY_INDEX_RANGE,
    ops.MAP_GET_BY_RANK_RANGE,
    ops.MAP_REMOVE_BY_RANK_RANGE,
}
OPTIONAL = {
    ops.MAP_ADD: 1,
    ops.MAP_ADD_ITEMS: 1,
    ops.MAP_PUT: 2,
    ops.MAP_PUT_ITEMS: 2,
    ops.MAP_INCREMENT: 2,
    ops.MAP_DECREMENT: 2,
    **dict.fromkeys(BY_RANGE, 1),
    ops.MAP_GET_BY_KEY_INTERVAL: 1,
    ops.MAP_REMOVE_BY_KEY_INTERVAL: 1,
    ops.MAP_GET_BY_VALUE_INTERVAL: 1,
    ops.MAP_REMOVE_BY_VALUE_INTERVAL: 1,
    ops.MAP_GET_BY_KEY_REL_INDEX_RANGE: 1,
    ops.MAP_REMOVE_BY_KEY_REL_INDEX_RANGE: 1,
    ops.MAP_GET_BY_VALUE_REL_RANK_RANGE: 1,
    ops.MAP_REMOVE_BY_VALUE_REL_RANK_RANGE: 1,
}
