"""HyperLogLog sketches in the server's stored form: a header of eleven bytes, then packed registers.

The header has flags (always 0), the bits of the index, the bits of the min-hash, and the last estimated count in 8
little-endian bytes, 0 for none. A register has six bits that count zeros, followed by the bits of the min-hash, if any;
all registers together are one string of bits (server: as/src/base/particle_hll.c).
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from ..._wire.hll_ops import HEADER_SIZE, ZEROS_BITS, sketch_size
from .hashing import murmur3

_HASH_MASK = 0xFFFF_FFFF_FFFF_FFFF


@attrs.define(eq=False)
class Sketch:
    """A sketch; `data` are the bytes of its registers."""

    index_bits: int
    minhash_bits: int
    cache: int
    data: bytearray

    @classmethod
    def empty(cls, index_bits: int, minhash_bits: int) -> Sketch:
        """An empty sketch."""
        return cls(index_bits, minhash_bits, 0, bytearray(sketch_size(index_bits, minhash_bits) - HEADER_SIZE))

    @classmethod
    def decode(cls, stored: bytes) -> Sketch:
        """Decode the bytes of a value, which have been validated before."""
        cache = int.from_bytes(stored[3:HEADER_SIZE], "little")
        return cls(stored[1], stored[2], cache, bytearray(stored[HEADER_SIZE:]))

    @classmethod
    def of_registers(cls, index_bits: int, minhash_bits: int, registers: Iterable[int]) -> Sketch:
        """A sketch with these registers."""
        values = list(registers)
        n_bits = ZEROS_BITS + minhash_bits
        data = bytearray()
        # Eight registers of n bits fill n bytes.
        for start in range(0, len(values), 8):
            packed = 0
            for value in values[start : start + 8]:
                packed = packed << n_bits | value
            data += packed.to_bytes(n_bits, "big")
        return cls(index_bits, minhash_bits, 0, data)

    def encode(self) -> bytes:
        """The stored form."""
        header = bytes((0, self.index_bits, self.minhash_bits)) + self.cache.to_bytes(8, "little")
        return header + self.data

    def registers(self) -> list[int]:
        """All registers, each with zeros and min-hash."""
        n_bits = ZEROS_BITS + self.minhash_bits
        mask = (1 << n_bits) - 1
        shifts = range(7 * n_bits, -1, -n_bits)
        data = self.data
        values: list[int] = []
        for start in range(0, len(data), n_bits):
            packed = int.from_bytes(data[start : start + n_bits], "big")
            values += [packed >> shift & mask for shift in shifts]
        return values

    def zeros(self) -> list[int]:
        """The counts of zeros."""
        if not self.minhash_bits:
            return self.registers()
        return [value >> self.minhash_bits for value in self.registers()]

    def has_data(self) -> bool:
        """Whether it has data, as far as the server checks: one byte per register, from the first byte on.

        Data in later registers only is not noticed (server: hmh_has_data).
        """
        return any(self.data[: 1 << self.index_bits])

    def _place(self, element: bytes) -> tuple[int, int, int]:
        """The register of an element (byte and shift), and the value that the element gives it."""
        low, high = murmur3(element)
        n_bits = ZEROS_BITS + self.minhash_bits
        first = (low & (1 << self.index_bits) - 1) * n_bits
        minhash = low >> self.index_bits & (1 << self.minhash_bits) - 1
        # The lowest set bit, counted from 1; only a hash of 63 zeros exceeds six bits.
        zeros = (high & -high).bit_length()
        value = (zeros << self.minhash_bits | minhash) & (1 << n_bits) - 1
        return first // 8, 64 - first % 8 - n_bits, value

    def _window(self, byte: int) -> int:
        return int.from_bytes(self.data[byte : byte + 8].ljust(8, b"\0"), "big")

    def add(self, element: bytes) -> bool:
        """Add an element, given as its shortest MessagePack; returns whether the sketch changed."""
        byte, shift, value = self._place(element)
        mask = (1 << ZEROS_BITS + self.minhash_bits) - 1 << shift
        window = self._window(byte)
        if window & mask >= value << shift:
            return False
        end = min(byte + 8, len(self.data))
        changed = (window & ~mask & _HASH_MASK) | value << shift
        self.data[byte:end] = changed.to_bytes(8, "big")[: end - byte]
        self.cache = 0
        return True

    def may_contain(self, element: bytes) -> bool:
        """Whether an element may have been added; False if it was not."""
        byte, shift, value = self._place(element)
        mask = (1 << ZEROS_BITS + self.minhash_bits) - 1
        return self._window(byte) >> shift & mask >= value


def folded(registers: list[int], n_registers: int) -> list[int]:
    """The registers folded to an index with fewer bits: the greatest of those that merge."""
    result = registers[:n_registers]
    for start in range(n_registers, len(registers), n_registers):
        result = list(map(max, result, registers[start : start + n_registers]))
    return result


def template(sketches: list[Sketch]) -> tuple[int, int]:
    """The bits of index and min-hash that sketches have in common; 0 for min-hashes that differ."""
    index_bits = min(sketch.index_bits for sketch in sketches)
    minhash_bits = {sketch.minhash_bits for sketch in sketches}
    return index_bits, minhash_bits.pop() if len(minhash_bits) == 1 else 0


def union(sketches: list[Sketch], index_bits: int, minhash_bits: int) -> Sketch:
    """The union of sketches, with at most their bits."""
    n_registers = 1 << index_bits
    result = [0] * n_registers
    for sketch in sketches:
        registers = sketch.registers() if minhash_bits else sketch.zeros()
        result = list(map(max, result, folded(registers, n_registers)))
    return Sketch.of_registers(index_bits, minhash_bits, result)
