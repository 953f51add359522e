"""Random calls on bits and sketches as they stand on the wire: right ones, extreme ones and malformed ones.

What would read or write beyond its memory in the real server is left out: it has no answer to compare with.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

from trio_aerospike._wire import bit_ops, hll_ops
from trio_aerospike._wire.cdt import pack_value
from trio_aerospike._wire.cdt_calls import list_header
from trio_aerospike._wire.value_types import GeoJSON

EXTREMES = (
    0, 1, -1, 7, 8, 9, 63, 64, 65, 255, 256, 2**27 - 1, 2**27, 2**27 + 1, -(2**27), -(2**27) - 1, 2**30, 2**30 + 1,
    -(2**30), -(2**30) - 1, 2**31 - 1, 2**31, -(2**31), 2**32 - 8, 2**32, 2**32 + 8, 2**63 - 1, -(2**63), 2**64 - 1,
)  # fmt: skip
ODD_VALUES = (
    b"\xc0", b"\xc1", b"\xc2", b"\xc3", b"\xca\x40\x00\x00\x00", b"\xcb" + bytes(8), b"\x90", b"\x91\x01", b"\x80",
    b"\xd4\xff\x00", b"\xd4\xff\x01", b"\xc7\x02\x05ab", b"\xa1\x03", b"\xa2\x04\xff", b"\xc4\x02\x04a",
    b"\xd9\x01\x03",
)  # fmt: skip
_SIGNED = {1: 0xD0, 2: 0xD1, 4: 0xD2, 8: 0xD3}
_UNSIGNED = {1: 0xCC, 2: 0xCD, 4: 0xCE, 8: 0xCF}
_WITH_BUFFER = (bit_ops.SET, bit_ops.OR, bit_ops.XOR, bit_ops.AND)
_MODIFIES = tuple(range(bit_ops.SET_INT + 1))
_READS = tuple(range(bit_ops.GET, bit_ops.GET_INT + 1))


class RandomCalls:
    """Makes calls; the same seed gives the same ones.

    Args:
        seed: any number.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.sketches: list[bytes] = []
        """Sketches that have been seen, to be united with others."""

    def chance(self, percent: float) -> bool:
        return self.random.random() * 100 < percent

    def integer(self, value: int) -> bytes:
        """An integer, now and then under a longer header than it needs."""
        if value > 2**63 - 1:
            return b"\xcf" + value.to_bytes(8, "big")
        if self.chance(90):
            return pack_value(value)
        width = self.random.choice([1, 2, 4, 8])
        try:
            if value >= 0 and self.chance(50):
                return bytes((_UNSIGNED[width],)) + value.to_bytes(width, "big")
            return bytes((_SIGNED[width],)) + value.to_bytes(width, "big", signed=True)
        except OverflowError:
            return pack_value(value)

    def blob(self, content: bytes, kind: int = 4) -> bytes:
        """A blob, now and then under a header of another form."""
        packed = bytes((kind,)) + content
        if self.chance(85):
            return self._string(packed)
        header = self.random.choice(
            [(0xC4, ">B"), (0xD9, ">B"), (0xC5, ">H"), (0xDA, ">H"), (0xC6, ">I"), (0xDB, ">I")]
        )
        try:
            return bytes((header[0],)) + struct.pack(header[1], len(packed)) + packed
        except struct.error:
            return self._string(packed)

    def _string(self, packed: bytes) -> bytes:
        if len(packed) < 32:
            return bytes((0xA0 | len(packed),)) + packed
        if len(packed) < 256:
            return bytes((0xD9, len(packed))) + packed
        if len(packed) < 65536:
            return b"\xda" + len(packed).to_bytes(2, "big") + packed
        return b"\xdb" + len(packed).to_bytes(4, "big") + packed

    def call(self, number: int, args: Sequence[bytes], required: int) -> bytes:
        """A call, now and then without what may be left out, and rarely broken."""
        given = list(args)
        while len(given) > required and self.chance(20):
            given.pop()
        count = len(given)
        payload_number = pack_value(number)
        if self.chance(4):
            return self._broken(number, given)
        return list_header(1 + count) + payload_number + b"".join(given)

    def _broken(self, number: int, args: list[bytes]) -> bytes:
        whole = list_header(1 + len(args)) + pack_value(number) + b"".join(args)
        how = self.random.randrange(7)
        if how == 0:
            return whole[: self.random.randrange(len(whole))]
        if how == 1:
            return list_header(self.random.choice([0, 1, 2 + len(args), 9])) + whole[1:]
        if how == 2:
            return whole + self.random.randbytes(self.random.randint(1, 4))
        if how == 3:
            # The form in which contexts come on lists and maps.
            return b"\x93\xcc\xff\x92\x10\x00" + whole
        if how == 4:
            odd = self.random.choice([5, 13, 49, 50, 55, 56, 57, 100, -1, 2**32 + 3, 2**32 + 50, 2**63])
            return list_header(1 + len(args)) + self.integer(odd) + b"".join(args)
        if how == 5:
            return b"\xdc" + (1 + len(args)).to_bytes(2, "big") + whole[1:]
        if args:
            place = self.random.randrange(len(args))
            args[place] = self.random.choice(ODD_VALUES)
        return list_header(1 + len(args)) + pack_value(number) + b"".join(args)

    # -- bits ----------------------------------------------------------------------------------------------------------

    def offset(self, size: int) -> bytes:
        if self.chance(3):
            return self.integer(self.random.choice(EXTREMES))
        return self.integer(self.random.randint(-size - 4, size + 4))

    def field(self, whole: int) -> tuple[bytes, bytes]:
        """Offset and size, mostly of something that is within so much."""
        if self.chance(85) and whole:
            first = self.random.randrange(whole)
            size = self.random.randint(1, whole - first)
            return self.integer(first - whole if self.chance(30) else first), self.integer(size)
        size = self.random.randint(1, whole + 20) if self.chance(85) else self.random.choice(EXTREMES)
        return self.offset(whole), self.integer(size)

    def flags(self, known: int) -> tuple[bytes, int]:
        flags = 0
        if self.chance(50):
            flags = self.random.randrange(16) & known
        elif self.chance(5):
            flags = self.random.choice(EXTREMES) if self.chance(50) else self.random.randrange(16)
        return self.integer(flags), flags

    def bits(self, size: int, *, reads: bool) -> bytes:
        """A call on a blob of about that many bytes."""
        if reads:
            return self._bits_read(self.random.choice(_READS), size * 8)
        number = self.random.choice(_MODIFIES)
        if number in (bit_ops.RESIZE, bit_ops.INSERT):
            flags, _ = self.flags(4 | self.random.choice([0, 1, 2]))
            if number == bit_ops.RESIZE:
                return self.call(number, [self._new_size(size), flags, self.integer(self.random.randrange(9))], 1)
            content = self.random.randbytes(self.random.randint(0, 12))
            offset = self.offset(size) if self.chance(97) else self.integer(self.random.randint(0, 4000))
            return self.call(number, [offset, self.blob(content), flags], 2)
        if number >= bit_ops.ADD:
            return self._arithmetic(number, size * 8)
        flags, plain = self.flags(2 | 4 | 8)
        if number == bit_ops.REMOVE:
            first, last = self.field(size)
            return self.call(number, [first, self.integer(self.random.randint(1, 3)) if size > 9 else last, flags], 2)
        if number in _WITH_BUFFER:
            return self._with_buffer(number, size * 8, flags)
        offset, length = self.field(size * 8)
        if number == bit_ops.NOT:
            return self.call(number, [offset, length, flags], 2)
        shift = self._shift(number, size * 8, bool(plain & bit_ops.FLAG_PARTIAL))
        return self.call(number, [offset, length, shift, flags], 3)

    def _bits_read(self, number: int, bits: int) -> bytes:
        offset, size = self.field(bits)
        if number == bit_ops.GET_INT:
            size = self.integer(self.random.randint(1, min(64, bits) or 1)) if self.chance(90) else size
            return self.call(number, [offset, size, self.integer(self.random.choice([0, 1, 1, 1, 2, 3]))], 2)
        if number in (bit_ops.LSCAN, bit_ops.RSCAN):
            return self.call(number, [offset, size, self.random.choice([b"\xc2", b"\xc3"])], 3)
        return self.call(number, [offset, size], 2)

    def _new_size(self, size: int) -> bytes:
        if self.chance(1):
            return self.integer(self.random.choice([2**21, 2**27 - 1, 2**27, 2**27 + 1, 2**40, -1]))
        return self.integer(
            self.random.choice([0, 1, size, size + 1, max(0, size - 1), self.random.randint(0, 2 * size)])
        )

    def _shift(self, number: int, bits: int, partial: bool) -> bytes:
        if not partial:
            return self.integer(self.random.choice(EXTREMES) if self.chance(3) else self.random.randint(0, bits + 9))
        # Of a field that is cut the server believes in too large a size: a shift between both sizes, to the right or
        # by whole bytes, makes it copy without end, and crashes it.
        if self.chance(10):
            return self.integer(2**20 + self.random.randrange(100))
        if number == bit_ops.RSHIFT or self.chance(50):
            return self.integer(self.random.randrange(8))
        shift = self.random.randint(0, bits + 9)
        return self.integer(shift + 1 if shift % 8 == 0 else shift)

    def _with_buffer(self, number: int, bits: int, flags: bytes) -> bytes:
        offset, size = self.field(bits)
        n_bytes = self.random.randint(1, bits // 8 + 2) if self.chance(10) else bits // 8 + 3
        content = self.blob(self.random.randbytes(n_bytes), self.random.choice([3, 4, 4, 0]))
        return self.call(number, [offset, size, content, flags], 3)

    def _arithmetic(self, number: int, bits: int) -> bytes:
        size = self.random.randint(1, min(64, bits) or 1)
        offset = self.integer(self.random.randint(0, max(0, bits - size)))
        if self.chance(10):
            offset, size = self.offset(bits), self.random.choice([1, 8, 63, 64, 0, 65, 2**32 + 8])
        near = self.random.choice([2 ** min(size, 64), 2 ** max(0, min(size - 1, 63)), 1, 0, 2**63])
        value = (near + self.random.randint(-2, 2)) % 2**64 if self.chance(60) else self.random.getrandbits(64)
        packed = self.integer(value if self.chance(70) or value < 2**63 else value - 2**64)
        args = [offset, self.integer(size), packed, self.flags(2 | 4)[0]]
        if number != bit_ops.SET_INT:
            args.append(self.integer(self.random.choice([0, 1, 2, 3, 4, 5] * 5 + [6, 7, 8])))
        return self.call(number, args, 3)

    # -- sketches ------------------------------------------------------------------------------------------------------

    def element(self) -> bytes:
        """Something to add: of every type, in every form of header."""
        choice = self.random.randrange(10)
        if choice < 4:
            return self.integer(self.random.choice(EXTREMES) if self.chance(20) else self.random.randrange(2000))
        if choice < 7:
            return self.blob(
                self.random.randbytes(self.random.choice([0, 1, 3, 15, 16, 17, 31, 40, 300])), 3 + choice % 2
            )
        if choice == 7:
            return pack_value(self.random.random())
        if choice == 8:
            return pack_value(GeoJSON('{"type":"Point","coordinates":[1.0,2.0]}'))
        if self.chance(95):
            kind = self.random.choice(
                [b"\xc0", b"\xc2", b"\xc3", b"\xca\x40\x00\x00\x00", b"\xd5\x07ab", b"\xc7\x02\x07ab"]
            )
            return kind if self.chance(70) else b"\xc8\x00\x04\x07abcd"
        return self.random.choice(ODD_VALUES)

    def elements(self, most: int) -> bytes:
        count = self.random.choice([1, 2, 5, self.random.randint(1, most)])
        if self.chance(1):
            return b"\x90"
        if self.chance(30):
            start = self.random.randrange(10000)
            return list_header(count) + b"".join(pack_value(start + n) for n in range(count))
        return list_header(count) + b"".join(self.element() for _ in range(count))

    def index_bits(self) -> int:
        if self.chance(3):
            return self.random.choice([-1, 0, 3, 17, -2, 255, 2**32 + 8])
        return self.random.choice([4, 4, 5, 6, 7, 8, 8, 9, 10]) if self.chance(97) else self.random.randint(11, 16)

    def minhash_bits(self) -> int:
        if self.chance(3):
            return self.random.choice([-2, 1, 3, 52, 60, 255])
        return self.random.choice([-1, 0, 0, 4, 8, 20, 51, self.random.randint(4, 51)])

    def made_up_sketch(self) -> bytes:
        """A sketch that no addition would give: any registers, any cached count."""
        index_bits, minhash_bits = self.random.randint(4, 8), self.random.choice([0, 0, 4, 20, 51])
        size = hll_ops.sketch_size(index_bits, minhash_bits) - 11
        registers = self.random.choice(
            [bytes(size), b"\xff" * size, self.random.randbytes(size), bytes(size - 1) + b"\1"]
        )
        cache = self.random.choice([0, 0, 1, 100, 2**63, 2**64 - 1])
        return bytes((0, index_bits, minhash_bits)) + cache.to_bytes(8, "little") + registers

    def a_sketch(self, *, intact: bool = False) -> bytes:
        if self.sketches and self.chance(80):
            sketch = self.random.choice(self.sketches)
        else:
            sketch = self.made_up_sketch()
        if not intact and self.chance(2):
            damage = self.random.randrange(4)
            if damage == 0:
                return sketch[:-1]
            if damage == 1:
                return b"\1" + sketch[1:]
            if damage == 2:
                return sketch[:1] + bytes((self.random.choice([3, 17, 5]),)) + sketch[2:]
            return sketch[:2] + bytes((self.random.choice([1, 3, 52, 9]),)) + sketch[3:]
        return sketch

    def sketch_list(self) -> bytes:
        if self.chance(5):
            return self.blob(self.a_sketch(), 18)
        count = self.random.choice([1, 1, 1, 2, 2, 3, 4]) if self.chance(99) else 0
        alike = self.a_sketch(intact=True)
        listed = [sketch for sketch in self.sketches if sketch[2] == alike[2]] if self.chance(50) else []
        chosen = [self.random.choice(listed) if listed else self.a_sketch() for _ in range(count)]
        return list_header(count) + b"".join(self.blob(sketch, self.random.choice([18, 18, 4])) for sketch in chosen)

    def hll(self, *, reads: bool) -> bytes:
        """A call on a sketch."""
        if reads:
            number = self.random.randint(hll_ops.COUNT, hll_ops.MAY_CONTAIN)
            if number in (hll_ops.COUNT, hll_ops.DESCRIBE):
                return self.call(number, [], 0)
            args = [self.elements(8) if number == hll_ops.MAY_CONTAIN else self.sketch_list()]
            return self.call(number, args, 1)
        number = self.random.choice(
            [hll_ops.INIT, *[hll_ops.ADD] * 6, *[hll_ops.UNION] * 3, hll_ops.UPDATE_COUNT, hll_ops.FOLD]
        )
        bits = [self.integer(self.index_bits()), self.integer(self.minhash_bits())]
        if number == hll_ops.INIT:
            return self.call(number, [*bits, self.flags(4 | self.random.choice([0, 1, 2]))[0]], 0)
        if number == hll_ops.ADD:
            return self.call(
                number, [self.elements(60), *bits, self.integer(self.random.choice([0, 0, 0, 1, 4, 5, 2]))], 1
            )
        if number == hll_ops.UNION:
            return self.call(number, [self.sketch_list(), self.flags(4 | 8 | self.random.choice([0, 1, 2]))[0]], 1)
        if number == hll_ops.FOLD:
            return self.call(number, [bits[0]], 1)
        return self.call(number, [], 0)

    def many_elements(self, count: int) -> bytes:
        """A list of that many different integers and strings."""
        start = self.random.randrange(1 << 39, 1 << 40)
        items = [pack_value(f"element {start + n}" if n % 2 else start + n) for n in range(count)]
        return list_header(count) + b"".join(items)
