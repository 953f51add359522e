"""Estimate cardinality, union, intersection and similarity of HyperLogLog sketches.

The counts follow Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (arXiv 1702.01284, algorithm
6), the similarities Yu and Weber, "HyperMinHash" (arXiv 1710.08436). The order of every operation on floats is the
server's, so that the results agree to the last bit (server: as/src/base/particle_hll.c).
"""

from __future__ import annotations

import math
from collections import Counter

from ..._wire.hll_ops import ZEROS_BITS
from .sketch import Sketch, folded, template, union

_ZEROS_MAX = 1 << ZEROS_BITS
_UINT64_MAX = 0xFFFF_FFFF_FFFF_FFFF
_TOO_LARGE = 1 << 63
_ALPHAS = {4: 0.673, 5: 0.697, 6: 0.709}
# 0/0 on x86 is a NaN with its sign bit set; Python keeps it.
_NAN_OF_DIVISION = -math.nan


def count(sketch: Sketch) -> int:
    """The cardinality of a sketch: the cached count, or else an estimate."""
    if sketch.cache:
        return sketch.cache
    n = 1 << sketch.index_bits
    having = Counter(sketch.zeros())
    z = n * _tau(having[_ZEROS_MAX] / n)
    for zeros in range(_ZEROS_MAX, 0, -1):
        z = 0.5 * (z + having[zeros])
    z += n * _sigma(having[0] / n)
    return _rounded(_alpha(sketch.index_bits) * n * n / z)


def _alpha(index_bits: int) -> float:
    return _ALPHAS.get(index_bits) or 0.7213 / (1.0 + 1.079 / (1 << index_bits))


def _sigma(value: float) -> float:
    if value == 1.0:
        return math.inf
    y, z, before = 1.0, value, -1.0
    while before != z:
        value *= value
        before = z
        z += value * y
        y += y
    return z


def _tau(value: float) -> float:
    if value in (0.0, 1.0):
        return 0.0
    y, z, before = 1.0, 1 - value, -1.0
    while before != z:
        value = math.sqrt(value)
        before = z
        y *= 0.5
        z -= (1 - value) * (1 - value) * y
    return z / 3


def _rounded(value: float) -> int:
    """The nearest integer, halves away from zero; if it does not fit in 64 bits, the least integer (llround)."""
    if not value < _TOO_LARGE:
        return _TOO_LARGE
    whole = math.floor(value)
    return whole + 1 if value - whole >= 0.5 else whole


def union_count(sketches: list[Sketch]) -> int:
    """The cardinality of the union."""
    return count(union(sketches, *template(sketches)))


def intersect_count(sketches: list[Sketch]) -> int:
    """The cardinality of the intersection.

    Without a common min-hash, at most three sketches are allowed; the caller checks that.
    """
    if template(sketches)[1] == 0:
        return _intersect_count_by_sums(sketches)
    alike = similarity(sketches)
    return 0 if math.isnan(alike) else _rounded(union_count(sketches) * alike)


def _intersect_count_by_sums(sketches: list[Sketch]) -> int:
    """The intersection by inclusion and exclusion."""
    of_union = union_count(sketches)
    # The server ends its sum at the first overflow.
    total = min(sum(map(count, sketches)), _UINT64_MAX)
    if len(sketches) == 2:
        return max(total - of_union, 0)
    first, second, third = sketches
    pairs = sum(intersect_count(pair) for pair in ([first, second], [second, third], [first, third]))
    result = (of_union - total + pairs) & _UINT64_MAX
    return 0 if result >> 63 else result


def similarity(sketches: list[Sketch]) -> float:
    """The Jaccard similarity of the sketches, from 0 to 1; NaN if all are empty."""
    index_bits, minhash_bits = template(sketches)
    if minhash_bits == 0:
        return _quotient(_intersect_count_by_sums(sketches), union_count(sketches))
    have_data = [sketch.has_data() for sketch in sketches]
    if not all(have_data):
        return 0.0 if any(have_data) else math.nan
    n_registers = 1 << index_bits
    n_union = sum(1 for value in union(sketches, index_bits, minhash_bits).registers() if value)
    common = folded(sketches[0].registers(), n_registers)
    for sketch in sketches[1:]:
        registers = sketch.registers()
        for start in range(0, len(registers), n_registers):
            block = registers[start : start + n_registers]
            common = [a if a == b else 0 for a, b in zip(common, block, strict=True)]
    n_common = sum(1 for value in common if value)
    collisions = 0.0
    if len(sketches) == 2:
        collisions = _collisions(index_bits, minhash_bits, count(sketches[0]), count(sketches[1]))
    return max((n_common - collisions) / n_union, 0.0)


def _quotient(numerator: int, denominator: int) -> float:
    if denominator:
        return numerator / float(denominator)
    return math.inf if numerator else _NAN_OF_DIVISION


def _collisions(index_bits: int, minhash_bits: int, count0: int, count1: int) -> float:
    """The expected number of registers that are equal by chance."""
    n_registers = 1 << index_bits
    probability = 0.0
    for zeros in range(1, _ZEROS_MAX + 1):
        b1 = (2.0**-zeros if zeros != _ZEROS_MAX else 0.0) / n_registers
        b2 = 2.0 ** (1 - zeros) / n_registers
        x = math.pow(1 - b1, float(count0)) - math.pow(1 - b2, float(count0))
        y = math.pow(1 - b1, float(count1)) - math.pow(1 - b2, float(count1))
        probability += x * y
    return probability * n_registers / 2.0**minhash_bits
