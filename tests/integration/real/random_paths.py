"""Random path expressions on nested lists and maps, as they stand on the wire.

Left out is what a real server (8.1.2) does not survive: changing values that keep an index, or that have ordered lists
inside; changing an ordered list by index or rank; changing lists that get so short that their header does, too; an
empty list of keys; and a condition on what is taken out of a map by index or rank: when the condition has looked at key
or value, it forgets where they began.
"""

from __future__ import annotations

from tests.integration.real.random_lists import BIN, Generator, sort_key, text
from trio_aerospike._wire import cdt_ops as ops, constants as wire, exp_ops as exp
from trio_aerospike._wire.messages import Op
from trio_aerospike.server.cdt.elements import list_of, map_of, packed_double, packed_int

_COMPARISONS = (exp.CMP_EQ, exp.CMP_NE, exp.CMP_GT, exp.CMP_GE, exp.CMP_LT, exp.CMP_LE)
_STEPS = (
    *[ops.CONTEXT_EXP] * 6,
    *[ops.CONTEXT_INDEX, ops.CONTEXT_RANK, ops.CONTEXT_KEY, ops.CONTEXT_VALUE, ops.CONTEXT_KEY_LIST] * 2,
)
_KEYS = [*map(packed_int, range(-1, 4)), *map(text, (b"a", b"b", b"c")), text(b"a", wire.PARTICLE_BLOB)]


def call(*parts: int | bytes) -> bytes:
    """An instruction with its operands."""
    return list_of([part if isinstance(part, bytes) else packed_int(part) for part in parts])


def value_of(kind: int) -> bytes:
    """The value of the element that is looked at, where it is of that type."""
    return call(exp.VAR_BUILTIN, kind, exp.BUILTIN_VALUE)


class PathGenerator(Generator):
    """Makes histories of a bin with nested values, on which paths are tried."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._has_ordered_lists = self.chance(0.5)
        self._changes = False

    def leaf(self) -> bytes:
        if self.chance(0.7):
            return packed_int(self.random.randrange(-2, 8))
        if self.chance(0.5):
            return text(self.random.choice([b"a", b"b", b"cc", b""]))
        return self.random.choice([b"\xc0", b"\xc2", b"\xc3", packed_double(1.5), text(b"a", wire.PARTICLE_BLOB)])

    def nested(self, depth: int = 0) -> bytes:
        """A list or map of lists and maps."""
        inside = self.leaf if depth > 2 else lambda: self.leaf() if self.chance(0.4) else self.nested(depth + 1)
        size = self.random.choice([0, 1, 2, 3, 3, 4, 6])
        if self.chance(0.5):
            elements = [inside() for _ in range(size)]
            if self.chance(0.5) and (self._has_ordered_lists or not depth):
                return list_of(sorted(elements, key=sort_key), 1)
            return list_of(elements)
        keys = sorted(self.random.sample(_KEYS, size), key=sort_key)
        return map_of([(key, inside()) for key in keys], self.random.choice([0, 1, 1, 3]))

    # Expressions ----------------------------------------------------------------------------------------------

    def literal(self, kind: int) -> bytes:
        if kind == exp.TYPE_INT:
            return packed_int(self.random.randrange(-2, 8))
        if kind == exp.TYPE_STR:
            return text(self.random.choice([b"a", b"b", b"cc"]))
        if kind == exp.TYPE_FLOAT:
            return packed_double(self.random.choice([1.5, 0.0]))
        return list_of([packed_int(exp.QUOTE), self.random.choice([list_of([]), list_of([b"\x01", b"\x02"])])])

    def condition(self, depth: int = 0) -> bytes:
        kind = self.random.random()
        if not depth and kind < 0.25:
            return b"\xc3"
        if kind < 0.03 + 0.25:
            return self.random.choice(
                [b"\xc2", b"\x01", call(exp.UNK), call(99), call(exp.BIN, exp.TYPE_INT, text(b"l"))]
            )
        if depth < 2 and kind < 0.4:
            if self.chance(0.3):
                return call(exp.NOT, self.condition(depth + 1) if self.chance(0.9) else b"\xc3")
            both = [self.condition(depth + 1), self.condition(depth + 1)]
            return call(self.random.choice([exp.AND, exp.OR]), *both)
        if kind < 0.55:
            return call(
                self.random.choice(_COMPARISONS),
                call(exp.VAR_BUILTIN, exp.TYPE_INT, exp.BUILTIN_INDEX),
                self.literal(2),
            )
        what = self.random.choice([exp.TYPE_INT, exp.TYPE_INT, exp.TYPE_STR, exp.TYPE_FLOAT, exp.TYPE_LIST])
        builtin = exp.BUILTIN_KEY if kind < 0.75 and what in (exp.TYPE_INT, exp.TYPE_STR) else exp.BUILTIN_VALUE
        return call(self.random.choice(_COMPARISONS), call(exp.VAR_BUILTIN, what, builtin), self.literal(what))

    def change(self) -> bytes:
        """What is made of an element."""
        kind = self.random.randrange(9)
        if kind == 0:
            return call(exp.RESULT_REMOVE)
        if kind == 1:
            return call(exp.COND, self.condition(1), call(exp.RESULT_REMOVE), value_of(exp.TYPE_INT))
        if kind == 2:
            return self.literal(self.random.choice([exp.TYPE_INT, exp.TYPE_STR, exp.TYPE_FLOAT, exp.TYPE_LIST]))
        if kind == 3:
            return value_of(
                self.random.choice([exp.TYPE_LIST, exp.TYPE_MAP, exp.TYPE_STR, exp.TYPE_INT, exp.TYPE_BLOB])
            )
        if kind == 4:
            size = call(ops.LIST_SIZE)
            return call(exp.CALL, exp.TYPE_INT, exp.CALL_CDT, size, value_of(exp.TYPE_LIST))
        if kind == 5:
            added = call(ops.LIST_APPEND, self.leaf())
            return call(exp.CALL, exp.TYPE_LIST, exp.CALL_CDT | exp.CALL_MODIFY_LOCAL, added, value_of(exp.TYPE_LIST))
        if kind == 6:
            return self.random.choice([b"\xc0", b"\xd4\xff\x01", call(exp.UNK), call(99), b"\xc3"])
        operator = self.random.choice([exp.ADD, exp.SUB, exp.MUL, exp.MIN, exp.MAX])
        return call(operator, value_of(exp.TYPE_INT), self.literal(exp.TYPE_INT))

    # Paths ----------------------------------------------------------------------------------------------------

    def path_step(self) -> tuple[bytes, bytes]:
        base = self.random.choice(_STEPS)
        if self._changes and base in (ops.CONTEXT_INDEX, ops.CONTEXT_RANK) and self.chance(0.8):
            base = ops.CONTEXT_EXP
        kind = base
        if self.chance(0.3):
            kind |= self.random.choice([ops.CONTEXT_LIST, ops.CONTEXT_MAP])
        if self.chance(0.01):
            kind = self.random.choice([5, 8, 9, 11, 12, 0x40 | base, 0x80 | base, 0x30 | base])
        if base == ops.CONTEXT_EXP:
            return packed_int(kind), self.condition()
        if base in (ops.CONTEXT_INDEX, ops.CONTEXT_RANK):
            return packed_int(kind), self.number([0, 0, 1, 2, 3, 5, -1, -1, -2, -4], 0.03)
        if base == ops.CONTEXT_KEY_LIST:
            keys = [self.random.choice(_KEYS) for _ in range(self.random.randint(1, 4))]
            ordered = self.chance(0.3)
            if ordered and self.chance(0.8):
                keys.sort(key=sort_key)
            return packed_int(kind), list_of(keys, 1 if ordered else 0) if self.chance(0.97) else b"\x01"
        if base == ops.CONTEXT_KEY:
            return packed_int(kind), self.random.choice(_KEYS)
        return packed_int(kind), self.leaf() if self.chance(0.9) else self.probe()

    def path(self) -> bytes:
        steps: list[bytes] = []
        for _ in range(self.random.choice([1, 1, 2, 2, 3, 4])):
            base = len(steps)
            steps += self.path_step()
            by_place = steps[base][-1] & ops.CONTEXT_BASE_MASK in (ops.CONTEXT_INDEX, ops.CONTEXT_RANK)
            if self.chance(0.15) and not by_place:
                steps += (packed_int(ops.CONTEXT_AND | ops.CONTEXT_EXP), self.condition())
        if self.chance(0.01):
            steps = steps[:-1] if self.chance(0.5) else []
        return list_of(steps)

    def call(self) -> Op:
        """A path expression, for reading or changing."""
        if self.chance(0.15):
            return self.start()
        kind = self.random.choice([0, 0, 1, 1, 2, 3] if self._has_ordered_lists else [0, 1, 2, 3, 4, 4, 4])
        flags = kind | (0x10 if self.chance(0.4) else 0)
        if self.chance(0.02):
            flags = self.random.choice([5, 15, 0x20, 0x23, 256, 2**40 + 1, -1])
        self._changes = kind == 4 or flags & 0xF == 4
        parts = [packed_int(ops.SELECT), self.path(), packed_int(flags)]
        if kind == 4 and self.chance(0.98):
            parts.append(self.change())
        if self.chance(0.01):
            parts.append(b"\x01")
        number = wire.OP_CDT_MODIFY if kind == 4 or self.chance(0.1) else wire.OP_CDT_READ
        if self.chance(0.01):
            number = wire.OP_CDT_READ
        data = list_of(parts)
        if self.chance(0.005):
            data = data[: self.random.randint(1, len(data))]
        return Op(number, wire.PARTICLE_BLOB, BIN, data)

    def start(self) -> Op:
        if self.chance(0.03):
            return Op(wire.OP_WRITE, wire.PARTICLE_NULL, BIN, b"")
        if self.chance(0.03):
            return Op(wire.OP_WRITE, wire.PARTICLE_INTEGER, BIN, bytes(8))
        data = self.nested()
        kind = wire.PARTICLE_LIST if 0x90 <= data[0] <= 0x9F else wire.PARTICLE_MAP
        return Op(wire.OP_WRITE, kind, BIN, data)
