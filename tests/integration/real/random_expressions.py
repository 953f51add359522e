"""Random expressions as they stand on the wire: well typed ones over the bins of a record, ill typed ones, broken ones.

What the real server does not survive is left out: the least integer divided by -1, comparisons of what is nil only when
types are checked, removed results as arguments, more than eight expressions in a call.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from trio_aerospike._wire import bit_ops, cdt_ops, constants as wire, exp_ops as codes, hll_ops
from trio_aerospike._wire.cdt_calls import list_header
from trio_aerospike._wire.cdt_pack import pack_value
from trio_aerospike._wire.messages import Op
from trio_aerospike._wire.particles import encode_value
from trio_aerospike._wire.value_types import GeoJSON, HyperLogLog, OrderedList, OrderedMap

INTEGERS = (0, 1, 2, 3, 7, -1, -3, 63, 64, 65, -64, 100, 2**31, -(2**31), 2**40 + 5, 2**63 - 1, -(2**63), 12345)
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.5, 1e10, 1e300, -1e300, 1e-300, 3.75, float("inf"), float("-inf"))
STRINGS = ("", "a", "b", "abc", "ABC", "a.c", "Hello World", "x1y2", "äö", "foo-bar_9", "zz z", "[a]", "a*b")
BLOBS = (b"", b"\0", b"\xff\x01", b"abcdef", b"\x12\x34\x56\x78\x9a", bytes(20))
PATTERNS = (
    "a", "^a", "c$", "a.c", "^[a-c]+$", "[[:digit:]]", "[[:upper:]]", "x.y", "(a|b)c", "^(.)\\1", "z{2}", "z\\{2\\}",
    "^$", "a\\*b", "\\[a\\]", "[^a-z]", "(", "a**", "*", "[z-a]", "\\<W", "o\\b", "\\w+-\\w+", "a|b", "a\\|b", "^.*$",
    "[[:foo:]]", "\\(a", "l+o", "l\\+o", "a{1,0}", "[a", "\\", "()", "(x)\\2", "HELLO", "[]a]", "[a-]", "^*a",
)  # fmt: skip
POINTS = (
    (0.0, 0.0), (10.0, 10.0), (-122.0, 37.5), (5.0, 5.0), (179.9, -16.0), (-179.9, 65.0), (0.0, 90.0), (45.0, 45.0),
    (1.0, 1.0), (-60.0, -60.0), (90.0, 0.0), (2.5, 2.5),
)  # fmt: skip
LITERAL_LISTS: tuple[list[Any], ...] = (
    [],
    [1],
    [1, 2, 3],
    ["a", 1, 2.5],
    [None, True],
    [[1], [2]],
    [1, {"a": 2}],
    [b"x"],
    [3, 2, 1],
    [2, 3],
)
LITERAL_MAPS: tuple[dict[Any, Any], ...] = ({}, {"a": 1}, {"a": 1, "b": 2}, {1: "x"}, {"k": [1, 2]}, {"b": 2, "a": 1})

BIN_NAMES = {
    codes.TYPE_INT: ("i0", "i1", "i2"),
    codes.TYPE_FLOAT: ("f0", "f1"),
    codes.TYPE_STR: ("s0", "s1"),
    codes.TYPE_BLOB: ("b0", "b1"),
    codes.TYPE_BOOL: ("t0", "t1"),
    codes.TYPE_LIST: ("l0", "l1"),
    codes.TYPE_MAP: ("m0", "m1", "m2"),
    codes.TYPE_GEOJSON: ("g0", "g1"),
    codes.TYPE_HLL: ("h0",),
}
TYPES = tuple(BIN_NAMES)
COMPARABLE = tuple(kind for kind in TYPES if kind not in (codes.TYPE_GEOJSON, codes.TYPE_HLL))
COMPARISONS = (codes.CMP_EQ, codes.CMP_NE, codes.CMP_GT, codes.CMP_GE, codes.CMP_LT, codes.CMP_LE)


_NOTABLE = b"\x00\x01\x02\x10\x51\x7b\x7c\x7d\x7e\x7f\x90\x91\x92\x93\xc0\xc2\xc3"
"""Bytes that stand for something in expressions."""


def polygon(*positions: tuple[float, float]) -> str:
    ring = ",".join(f"[{x},{y}]" for x, y in (*positions, positions[0]))
    return f'{{"type":"Polygon","coordinates":[[{ring}]]}}'


REGIONS = (
    polygon((0, 0), (10, 0), (10, 10), (0, 10)),
    polygon((0, 0), (0, 10), (10, 10), (10, 0)),
    polygon((-130, 30), (-110, 30), (-110, 45), (-130, 45)),
    polygon((170, -20), (-170, -20), (-170, 70), (170, 70)),
    '{"type":"Polygon","coordinates":[[[0,0],[20,0],[20,20],[0,20],[0,0]],[[1,1],[1,4],[4,4],[4,1],[1,1]]]}',
    '{"type":"AeroCircle","coordinates":[[0.0,0.0],200000]}',
    '{"type":"AeroCircle","coordinates":[[-122.0,37.5],1]}',
    '{"type":"MultiPolygon","coordinates":[[[[0,0],[6,0],[6,6],[0,6],[0,0]]],[[[40,40],[50,40],[50,50],[40,50],[40,40]]]]}',
    '{"type":"Feature","geometry":{"type":"Point","coordinates":[5,5]},"properties":{}}',
    polygon((-10, 80), (110, 80), (-130, 80)),
)


def point(position: tuple[float, float]) -> str:
    return f'{{"type":"Point","coordinates":[{position[0]},{position[1]}]}}'


class RandomExpressions:
    """Makes expressions; the same seed gives the same ones.

    Args:
        seed: any number.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.variables: list[tuple[str, int]] = []
        self._makers: dict[int, list[Callable[[int], bytes]]] = {
            codes.TYPE_BOOL: [
                self._comparison, self._comparison, self._comparison, self._logic, self._logic, self._not, self._regex,
                self._geo, self._in_list, self._flag, self._unknown, self._exists,
            ],
            codes.TYPE_INT: [
                self._arithmetic, self._arithmetic, self._bits, self._bits, self._shift, self._scan, self._modulo,
                self._to_int, self._bin_type, self._metadata, self._list_number, self._map_number, self._blob_number,
                self._sketch_number, self._digest,
            ],
            codes.TYPE_FLOAT: [self._float_arithmetic, self._float_arithmetic, self._power, self._rounding,
                               self._to_float],
            codes.TYPE_STR: [self._set_name, self._key, self._list_string],
            codes.TYPE_BLOB: [self._blob_change],
            codes.TYPE_LIST: [self._list_change, self._list_change, self._map_half, self._list_range],
            codes.TYPE_MAP: [self._map_change],
            codes.TYPE_GEOJSON: [],
            codes.TYPE_HLL: [self._sketch_change],
        }  # fmt: skip

    # Records --------------------------------------------------------------------------------------------------------

    def record(self) -> list[Op]:
        """Writes that make a record: of each bin, mostly its own type."""
        ops = []
        for kind, names in BIN_NAMES.items():
            for name in names:
                if self.chance(12):
                    continue
                chosen = self.random.choice(TYPES) if self.chance(6) else kind
                particle, data = encode_value(self.value(chosen))
                ops.append(Op(wire.OP_WRITE, particle, name, data))
        return ops or [Op(wire.OP_WRITE, wire.PARTICLE_INTEGER, "i0", bytes(8))]

    def value(self, kind: int) -> object:
        """A value of a type, as clients store it."""
        pick = self.random.choice
        if kind == codes.TYPE_INT:
            return pick(INTEGERS)
        if kind == codes.TYPE_FLOAT:
            return pick(FLOATS)
        if kind == codes.TYPE_STR:
            return pick(STRINGS)
        if kind == codes.TYPE_BLOB:
            return pick(BLOBS)
        if kind == codes.TYPE_BOOL:
            return self.chance(50)
        if kind == codes.TYPE_LIST:
            chosen = pick(LITERAL_LISTS)
            return OrderedList(sorted(chosen), 1) if chosen in ([1], [1, 2, 3], [3, 2, 1], [2, 3]) else chosen
        if kind == codes.TYPE_MAP:
            return OrderedMap(dict(sorted(pick(LITERAL_MAPS).items(), key=repr)), pick((0, 1, 3)))
        if kind == codes.TYPE_GEOJSON:
            return GeoJSON(point(pick(POINTS)) if self.chance(50) else pick(REGIONS))
        return HyperLogLog(bytes((0, 4, 0)) + bytes(8) + bytes(12))

    # Expressions ----------------------------------------------------------------------------------------------------

    def chance(self, percent: float) -> bool:
        return self.random.random() * 100 < percent

    def instruction(self, code: int, *arguments: bytes) -> bytes:
        return list_header(1 + len(arguments)) + pack_value(code) + b"".join(arguments)

    def of_type(self, kind: int, depth: int) -> bytes:
        """An expression of a type; now and then one of another."""
        if self.chance(0.7):
            kind = self.random.choice(TYPES)
        makers = self._makers[kind]
        if depth <= 0 or not makers or self.chance(15):
            return self._leaf(kind)
        if self.chance(8):
            return self._cond(kind, depth)
        if self.chance(8):
            return self._let(kind, depth)
        return self.random.choice(makers)(depth - 1)

    def _leaf(self, kind: int) -> bytes:
        known = [name for name, of in self.variables if of == kind]
        if known and self.chance(50):
            return self.instruction(codes.VAR, self._raw(self.random.choice(known).encode()))
        return self._bin(kind) if self.chance(55) else self.literal(kind)

    def _bin(self, kind: int) -> bytes:
        name = self.random.choice(BIN_NAMES[kind]) if self.chance(95) else "none"
        return self.instruction(codes.BIN, pack_value(kind), self._raw(name.encode()))

    def _raw(self, data: bytes) -> bytes:
        assert len(data) < 32
        return bytes((0xA0 | len(data),)) + data

    def literal(self, kind: int) -> bytes:
        """A value as it stands in expressions."""
        value = self.value(kind)
        if kind == codes.TYPE_LIST:
            return self.instruction(codes.QUOTE, pack_value(value))
        if kind == codes.TYPE_MAP and self.chance(50):
            # Clients leave maps in the order in which programs made them.
            items = [*self.random.choice(LITERAL_MAPS).items(), ("e", 5), ("c", 3)]
            self.random.shuffle(items)
            return bytes((0x80 | len(items),)) + b"".join(pack_value(part) for pair in items for part in pair)
        return pack_value(value)

    def _literal_int(self, *values: int) -> bytes:
        return pack_value(self.random.choice(values))

    def _cond(self, kind: int, depth: int) -> bytes:
        parts = []
        for _ in range(self.random.choice((1, 1, 2))):
            parts += [self.of_type(codes.TYPE_BOOL, depth - 1), self._branch(kind, depth)]
        return self.instruction(codes.COND, *parts, self._branch(kind, depth))

    def _branch(self, kind: int, depth: int) -> bytes:
        return self._unknown(0) if self.chance(10) else self.of_type(kind, depth - 1)

    def _let(self, kind: int, depth: int) -> bytes:
        parts = []
        known = len(self.variables)
        for _ in range(self.random.choice((1, 1, 2))):
            name = self.random.choice(("x", "y", "z1", "_w", "1bad" if self.chance(3) else "v"))
            of = self.random.choice(COMPARABLE)
            parts += [self._raw(name.encode()), self.of_type(of, depth - 2)]
            self.variables.append((name, of))
        body = self.of_type(kind, depth - 1)
        del self.variables[known:]
        return self.instruction(codes.LET, *parts, body)

    # Booleans -------------------------------------------------------------------------------------------------------

    def _comparison(self, depth: int) -> bytes:
        kind = self.random.choice(COMPARABLE)
        code = self.random.choice(COMPARISONS)
        return self.instruction(code, self.of_type(kind, depth), self.of_type(kind, depth))

    def _logic(self, depth: int) -> bytes:
        code = self.random.choice((codes.AND, codes.OR, codes.EXCLUSIVE))
        count = self.random.choice((1, 2, 2, 2, 3, 4)) if self.chance(20) else 2
        return self.instruction(code, *(self.of_type(codes.TYPE_BOOL, depth) for _ in range(count)))

    def _not(self, depth: int) -> bytes:
        return self.instruction(codes.NOT, self.of_type(codes.TYPE_BOOL, depth))

    def _regex(self, depth: int) -> bytes:
        pattern = self.random.choice(PATTERNS).encode()
        flags = pack_value(self.random.randrange(16))
        return self.instruction(codes.CMP_REGEX, flags, self._raw(pattern), self.of_type(codes.TYPE_STR, depth))

    def _geo(self, _depth: int) -> bytes:
        return self.instruction(codes.CMP_GEO, self._leaf(codes.TYPE_GEOJSON), self._leaf(codes.TYPE_GEOJSON))

    def _in_list(self, depth: int) -> bytes:
        kind = self.random.choice(TYPES)
        return self.instruction(codes.IN_LIST, self.of_type(kind, depth), self.of_type(codes.TYPE_LIST, depth))

    def _flag(self, _depth: int) -> bytes:
        return self.instruction(self.random.choice((codes.META_KEY_EXISTS, codes.META_IS_TOMBSTONE)))

    def _unknown(self, _depth: int) -> bytes:
        return self.instruction(codes.UNK)

    def _exists(self, _depth: int) -> bytes:
        return self.instruction(codes.CMP_NE, self._bin_type(0), pack_value(0))

    # Numbers --------------------------------------------------------------------------------------------------------

    def _many(self, kind: int, depth: int) -> list[bytes]:
        return [self.of_type(kind, depth) for _ in range(self.random.choice((1, 2, 2, 2, 3)))]

    def _arithmetic(self, depth: int) -> bytes:
        if self.chance(25):
            divisors = [self._literal_int(1, 2, 3, 7, 10, 0, -2, 64) for _ in range(self.random.choice((0, 1, 1, 2)))]
            return self.instruction(codes.DIV, self.of_type(codes.TYPE_INT, depth), *divisors)
        if self.chance(10):
            return self.instruction(codes.ABS, self.of_type(codes.TYPE_INT, depth))
        code = self.random.choice((codes.ADD, codes.SUB, codes.MUL, codes.MIN, codes.MAX))
        return self.instruction(code, *self._many(codes.TYPE_INT, depth))

    def _bits(self, depth: int) -> bytes:
        if self.chance(30):
            code = self.random.choice((codes.INT_NOT, codes.INT_COUNT))
            return self.instruction(code, self.of_type(codes.TYPE_INT, depth))
        code = self.random.choice((codes.INT_AND, codes.INT_OR, codes.INT_XOR))
        return self.instruction(code, *self._many(codes.TYPE_INT, depth))

    def _shift(self, depth: int) -> bytes:
        code = self.random.choice((codes.INT_LSHIFT, codes.INT_RSHIFT, codes.INT_ARSHIFT))
        return self.instruction(code, self.of_type(codes.TYPE_INT, depth), self.of_type(codes.TYPE_INT, depth))

    def _scan(self, depth: int) -> bytes:
        code = self.random.choice((codes.INT_LSCAN, codes.INT_RSCAN))
        return self.instruction(code, self.of_type(codes.TYPE_INT, depth), self.of_type(codes.TYPE_BOOL, depth))

    def _modulo(self, depth: int) -> bytes:
        return self.instruction(codes.MOD, self.of_type(codes.TYPE_INT, depth), self._literal_int(1, 2, 3, 7, -3, 0))

    def _to_int(self, depth: int) -> bytes:
        return self.instruction(codes.TO_INT, self.of_type(codes.TYPE_FLOAT, depth))

    def _bin_type(self, _depth: int) -> bytes:
        name = self.random.choice(BIN_NAMES[self.random.choice(TYPES)])
        return self.instruction(codes.BIN_TYPE, self._raw(name.encode()))

    def _metadata(self, _depth: int) -> bytes:
        size = (codes.META_DEVICE_SIZE, codes.META_MEMORY_SIZE, codes.META_RECORD_SIZE)
        return self.instruction(self.random.choice(size))

    def _digest(self, _depth: int) -> bytes:
        return self.instruction(codes.META_DIGEST_MOD, self._literal_int(1, 2, 3, 10, 4096, -7, 2**32, 2**31, 0))

    def _float_arithmetic(self, depth: int) -> bytes:
        if self.chance(10):
            return self.instruction(codes.ABS, self.of_type(codes.TYPE_FLOAT, depth))
        code = self.random.choice((codes.ADD, codes.SUB, codes.MUL, codes.DIV, codes.MIN, codes.MAX))
        return self.instruction(code, *self._many(codes.TYPE_FLOAT, depth))

    def _power(self, depth: int) -> bytes:
        code = self.random.choice((codes.POW, codes.LOG))
        return self.instruction(code, self.of_type(codes.TYPE_FLOAT, depth), self.of_type(codes.TYPE_FLOAT, depth))

    def _rounding(self, depth: int) -> bytes:
        return self.instruction(self.random.choice((codes.FLOOR, codes.CEIL)), self.of_type(codes.TYPE_FLOAT, depth))

    def _to_float(self, depth: int) -> bytes:
        return self.instruction(codes.TO_FLOAT, self.of_type(codes.TYPE_INT, depth))

    # Strings --------------------------------------------------------------------------------------------------------

    def _set_name(self, _depth: int) -> bytes:
        return self.instruction(codes.META_SET_NAME)

    def _key(self, _depth: int) -> bytes:
        return self.instruction(codes.REC_KEY, pack_value(codes.TYPE_STR))

    # Calls ----------------------------------------------------------------------------------------------------------

    def _call(self, result: int, system: int, number: int, subject: bytes, *arguments: bytes) -> bytes:
        call = list_header(1 + len(arguments)) + pack_value(number) + b"".join(arguments)
        return self.instruction(codes.CALL, pack_value(result), pack_value(system), call, subject)

    def _argument(self, depth: int) -> bytes:
        """A value for a call: lists have to be quoted there, too."""
        return self.of_type(self.random.choice(TYPES), depth - 1)

    def _list_number(self, depth: int) -> bytes:
        subject = self.of_type(codes.TYPE_LIST, depth)
        if self.chance(40):
            return self._call(codes.TYPE_INT, codes.CALL_CDT, cdt_ops.LIST_SIZE, subject)
        if self.chance(50):
            what = self._literal_int(cdt_ops.RETURN_COUNT, cdt_ops.RETURN_COUNT, cdt_ops.RETURN_INDEX)
            return self._call(
                codes.TYPE_INT, codes.CALL_CDT, cdt_ops.LIST_GET_ALL_BY_VALUE, subject, what, self._argument(depth)
            )
        what = self._literal_int(cdt_ops.RETURN_VALUE, cdt_ops.RETURN_RANK, cdt_ops.RETURN_NONE)
        index = self.of_type(codes.TYPE_INT, depth - 1) if self.chance(30) else self._literal_int(0, 1, -1, 2, 5)
        return self._call(codes.TYPE_INT, codes.CALL_CDT, cdt_ops.LIST_GET_BY_INDEX, subject, what, index)

    def _list_string(self, depth: int) -> bytes:
        subject = self.of_type(codes.TYPE_LIST, depth)
        what = pack_value(cdt_ops.RETURN_VALUE)
        return self._call(
            codes.TYPE_STR, codes.CALL_CDT, cdt_ops.LIST_GET_BY_RANK, subject, what, self._literal_int(0, 1, -1)
        )

    def _list_range(self, depth: int) -> bytes:
        subject = self.of_type(codes.TYPE_LIST, depth)
        what = pack_value(cdt_ops.RETURN_VALUE)
        return self._call(
            codes.TYPE_LIST, codes.CALL_CDT, cdt_ops.LIST_GET_BY_INDEX_RANGE, subject, what,
            self._literal_int(0, 1, -2), self._literal_int(1, 2, 3),
        )  # fmt: skip

    def _list_change(self, depth: int) -> bytes:
        subject = self.of_type(codes.TYPE_LIST, depth) if self.chance(95) else b"\xc0"
        modify = codes.CALL_CDT | codes.CALL_MODIFY_LOCAL
        number, arguments = self.random.choice(
            [
                (cdt_ops.LIST_APPEND, [self._argument(depth)]),
                (cdt_ops.LIST_APPEND_ITEMS, [self.of_type(codes.TYPE_LIST, depth - 1)]),
                (cdt_ops.LIST_INSERT, [self._literal_int(0, 1, -1, 9), self._argument(depth)]),
                (cdt_ops.LIST_SORT, [self._literal_int(0, 1, 2)]),
                (cdt_ops.LIST_CLEAR, []),
                (cdt_ops.LIST_INCREMENT, [self._literal_int(0, 1), self.of_type(codes.TYPE_INT, depth - 1)]),
            ]
        )
        return self._call(codes.TYPE_LIST, modify, number, subject, *arguments)

    def _map_number(self, depth: int) -> bytes:
        subject = self.of_type(codes.TYPE_MAP, depth)
        if self.chance(40):
            return self._call(codes.TYPE_INT, codes.CALL_CDT, cdt_ops.MAP_SIZE, subject)
        what = self._literal_int(cdt_ops.RETURN_VALUE, cdt_ops.RETURN_INDEX, cdt_ops.RETURN_RANK)
        if self.chance(40):
            number = self.random.choice((cdt_ops.MAP_GET_BY_INDEX, cdt_ops.MAP_GET_BY_RANK))
            return self._call(codes.TYPE_INT, codes.CALL_CDT, number, subject, what, self._literal_int(0, 1, -1))
        key = pack_value(self.random.choice("abcek"))
        return self._call(codes.TYPE_INT, codes.CALL_CDT, cdt_ops.MAP_GET_BY_KEY, subject, what, key)

    def _map_half(self, depth: int) -> bytes:
        of = codes.TYPE_MAP if self.chance(95) else self.random.choice(TYPES)
        return self.instruction(self.random.choice((codes.MAP_KEYS, codes.MAP_VALUES)), self.of_type(of, depth))

    def _map_change(self, depth: int) -> bytes:
        subject = self.of_type(codes.TYPE_MAP, depth) if self.chance(95) else b"\xc0"
        modify = codes.CALL_CDT | codes.CALL_MODIFY_LOCAL
        key = pack_value(self.random.choice("abcd"))
        if self.chance(60):
            return self._call(
                codes.TYPE_MAP, modify, cdt_ops.MAP_PUT, subject, key, self._argument(depth), self._literal_int(0, 1, 3)
            )
        if self.chance(50):
            return self._call(codes.TYPE_MAP, modify, cdt_ops.MAP_REMOVE_BY_KEY, subject, pack_value(0), key)
        return self._call(codes.TYPE_MAP, modify, cdt_ops.MAP_CLEAR, subject)

    def _blob_number(self, depth: int) -> bytes:
        subject = self.of_type(codes.TYPE_BLOB, depth)
        number = self.random.choice((bit_ops.COUNT, bit_ops.GET_INT))
        place = [
            self._literal_int(0, 3, -8, 100),
            self.of_type(codes.TYPE_INT, 0) if self.chance(20) else pack_value(8),
        ]
        return self._call(codes.TYPE_INT, codes.CALL_BITS, number, subject, *place)

    def _blob_change(self, depth: int) -> bytes:
        subject = self.of_type(codes.TYPE_BLOB, depth)
        if self.chance(40):
            return self._call(
                codes.TYPE_BLOB,
                codes.CALL_BITS,
                bit_ops.GET,
                subject,
                self._literal_int(0, 5),
                self._literal_int(8, 12),
            )
        modify = codes.CALL_BITS | codes.CALL_MODIFY_LOCAL
        arguments = pack_value(0), pack_value(8), self.of_type(codes.TYPE_BLOB, 0), pack_value(0)
        return self._call(codes.TYPE_BLOB, modify, bit_ops.OR, subject, *arguments)

    def _sketch_number(self, depth: int) -> bytes:
        return self._call(codes.TYPE_INT, codes.CALL_HLL, hll_ops.COUNT, self.of_type(codes.TYPE_HLL, depth))

    def _sketch_change(self, depth: int) -> bytes:
        modify = codes.CALL_HLL | codes.CALL_MODIFY_LOCAL
        return self._call(
            codes.TYPE_HLL, modify, hll_ops.ADD, self.of_type(codes.TYPE_HLL, 0),
            self.of_type(codes.TYPE_LIST, depth - 1), pack_value(8), pack_value(-1), pack_value(0),
        )  # fmt: skip

    # Not expressions ------------------------------------------------------------------------------------------------

    def mutated(self, data: bytes) -> bytes:
        """The bytes with something changed: seldom an expression any more."""
        changed = bytearray(data)
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            place = self.random.randrange(len(changed))
            how = self.random.randrange(6)
            if how == 0:
                changed[place] = self.random.randrange(256)
            elif how == 1:
                changed[place] = self.random.choice(
                    b"\x00\x01\x02\x10\x51\x7b\x7c\x7d\x7e\x7f\x90\x91\x92\x93\xc0\xc2\xc3"
                )
            elif how == 2 and len(changed) > 2:
                del changed[place]
            elif how == 3:
                changed.insert(place, self.random.randrange(128))
            elif how == 4:
                changed[place] = (changed[place] + self.random.choice((1, 255))) & 0xFF
            else:
                del changed[place + 1 :]
        return bytes(changed)
