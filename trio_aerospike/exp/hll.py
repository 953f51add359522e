"""HyperLogLog operations in expressions.

::

    from trio_aerospike import exp

    exp.hll.get_count("visitors") > 1_000_000
    exp.hll.add("visitors", [exp.str_bin("name")])      # wrong: a list holds values, not expressions
    exp.hll.add("visitors", exp.list_bin("names"))      # gives the sketch with more in it; the bin stays as it is

The first argument is the sketch: an expression, a value, or the name of a bin. Values to count and other sketches are
lists, as values or expressions. The result is unknown, which is false for a filter, where the sketch does not exist or
is of another type.

All functions raise InvalidArgError where an argument is invalid or has the wrong type.
"""

from __future__ import annotations

from trio_aerospike._cdt.bits_and_hll import HLLPolicy as HLLPolicy, HLLWrite as HLLWrite
from trio_aerospike._wire.hll_ops import HLLS, INDEX_AND_MINHASH_BITS_MAX
from trio_aerospike.exp._expression import Expression, Operand
from trio_aerospike.exp._operation_calls import apply, checked_static
from trio_aerospike.validation import refused

_UNSET = -1


def init(
    sketch: Operand,
    index_bit_count: int | None = None,
    minhash_bit_count: int | None = None,
    *,
    policy: HLLPolicy | None = None,
) -> Expression:
    """An empty sketch.

    Args:
        index_bit_count: bits of index, 4 to 16; None for those that the sketch has.
        minhash_bit_count: bits of min-hash, 4 to 51, or 0 for none; None for those that the sketch has. Together with
            those of the index at most 64.
        policy: allows CREATE_ONLY, UPDATE_ONLY and NO_FAIL.
    """
    widths = _widths("init", index_bit_count, minhash_bit_count)
    return apply(HLLS["init"], sketch, (), *widths, policy=policy)


def add(
    sketch: Operand,
    values: Operand,
    index_bit_count: int | None = None,
    minhash_bit_count: int | None = None,
    *,
    policy: HLLPolicy | None = None,
) -> Expression:
    """Count values.

    Args:
        values: a list of them.
        index_bit_count, minhash_bit_count: of a created sketch, as for :func:`init`.
        policy: allows CREATE_ONLY and NO_FAIL.
    """
    widths = _widths("add", index_bit_count, minhash_bit_count)
    return apply(HLLS["add"], sketch, (), values, *widths, policy=policy)


def set_union(sketch: Operand, sketches: Operand, *, policy: HLLPolicy | None = None) -> Expression:
    """The union of the sketch and others.

    Args:
        sketches: a list of them.
    """
    return apply(HLLS["set_union"], sketch, (), sketches, policy=policy)


def refresh_count(sketch: Operand) -> Expression:
    """The sketch with its count estimated and stored."""
    return apply(HLLS["refresh_count"], sketch, ())


def fold(sketch: Operand, index_bit_count: int) -> Expression:
    """The sketch with fewer bits of index; it must have no bits of min-hash.

    Args:
        index_bit_count: 4 to 16, fewer than it has.
    """
    return apply(HLLS["fold"], sketch, (), index_bit_count)


def get_count(sketch: Operand) -> Expression:
    """The estimated number of distinct values."""
    return apply(HLLS["get_count"], sketch, ())


def get_union(sketch: Operand, sketches: Operand) -> Expression:
    """The union of the sketch and others, as a sketch."""
    return apply(HLLS["get_union"], sketch, (), sketches)


def get_union_count(sketch: Operand, sketches: Operand) -> Expression:
    """The estimated number of distinct values in the union of the sketch and others."""
    return apply(HLLS["get_union_count"], sketch, (), sketches)


def get_intersect_count(sketch: Operand, sketches: Operand) -> Expression:
    """The estimated number of distinct values in the intersection of the sketch and others."""
    return apply(HLLS["get_intersect_count"], sketch, (), sketches)


def get_similarity(sketch: Operand, sketches: Operand) -> Expression:
    """The estimated similarity of the sketch and others: intersection by union, from 0.0 to 1.0."""
    return apply(HLLS["get_similarity"], sketch, (), sketches)


def describe(sketch: Operand) -> Expression:
    """The bits of index and of min-hash, as a list of two."""
    return apply(HLLS["describe"], sketch, ())


def may_contain(sketch: Operand, values: Operand) -> Expression:
    """1 where all values may have been added, 0 where at least one was not."""
    return apply(HLLS["may_contain"], sketch, (), values)


def _widths(name: str, index_bits: object, minhash_bits: object) -> tuple[int, int]:
    index, minhash = (
        _UNSET if bits is None else checked_static(HLLS[name], parameter, bits)
        for parameter, bits in (("index_bit_count", index_bits), ("minhash_bit_count", minhash_bits))
    )
    most = INDEX_AND_MINHASH_BITS_MAX - index
    if minhash > most:
        raise refused(f"exp.hll.{name}.minhash_bit_count", minhash, f"at most {most} with {index} bits of index")
    return index, minhash
