"""HyperLogLog operations in expressions.

::

    from trio_aerospike import exp

    exp.hll.get_count("visitors") > 1_000_000
    exp.hll.add("visitors", [exp.str_bin("name")])      # no: a list holds values, not expressions
    exp.hll.add("visitors", exp.list_bin("names"))      # gives the sketch with more in it; the bin stays as it is

The first argument is the sketch: an expression, a value, or the name of a bin. Values to count and sketches to go
together are lists, as values or expressions. ``flags`` are those of writes: 1 create only, 2 update only, 4 no fail,
8 allow fold. Where the sketch does not exist or is none the result is unknown, which a filter takes for false.

All functions raise InvalidArgError where an argument is none of these or has the wrong type.
"""

from __future__ import annotations

from trio_aerospike.exp._apply import checked_static, modify, read
from trio_aerospike.exp._calls import HLLS, Call
from trio_aerospike.exp._expression import Expression, Operand
from trio_aerospike.validation import checked_int, refused

_COMBINED_BITS_MAX = 64


def init(sketch: Operand, index_bits: int = -1, minhash_bits: int = -1, *, flags: int = 0) -> Expression:
    """An empty sketch.

    Args:
        index_bits: 4 to 16: more are more exact and larger; -1 as the sketch has.
        minhash_bits: 0 for none, or 4 to 51, for similarity and intersections; -1 as the sketch has.
    """
    call = HLLS["init"]
    return modify(call, sketch, _bits(call, index_bits, minhash_bits, flags))


def add(
    sketch: Operand, values: Operand, index_bits: int = -1, minhash_bits: int = -1, *, flags: int = 0
) -> Expression:
    """Count values.

    Args:
        values: a list of them.
        index_bits, minhash_bits: of a sketch that is made, as for :func:`init`.
    """
    call = HLLS["add"]
    return modify(call, sketch, [values, *_bits(call, index_bits, minhash_bits, flags)])


def set_union(sketch: Operand, sketches: Operand, *, flags: int = 0) -> Expression:
    """The sketch with all that others have counted, written into it.

    Args:
        sketches: a list of them.
    """
    call = HLLS["set_union"]
    return modify(call, sketch, [sketches, checked_static(call, "flags", flags)])


def refresh_count(sketch: Operand) -> Expression:
    """The sketch with its count worked out, where it was not."""
    return modify(HLLS["refresh_count"], sketch, [])


def fold(sketch: Operand, index_bits: int) -> Expression:
    """The sketch with fewer index bits; it must not have minhash bits.

    Args:
        index_bits: 4 to 16, fewer than it has.
    """
    return modify(HLLS["fold"], sketch, [checked_int("exp.hll.fold.index_bits", index_bits, 4, 16)])


def get_count(sketch: Operand) -> Expression:
    """How many different values it has counted, about."""
    return read(HLLS["get_count"], sketch)


def get_union(sketch: Operand, sketches: Operand) -> Expression:
    """A sketch of all that it and others have counted."""
    return read(HLLS["get_union"], sketch, [sketches])


def get_union_count(sketch: Operand, sketches: Operand) -> Expression:
    """How many different values it and others have counted together, about."""
    return read(HLLS["get_union_count"], sketch, [sketches])


def get_intersect_count(sketch: Operand, sketches: Operand) -> Expression:
    """How many different values it and all of the others have counted, about."""
    return read(HLLS["get_intersect_count"], sketch, [sketches])


def get_similarity(sketch: Operand, sketches: Operand) -> Expression:
    """How alike it and the others are: the share that all have of what any has, a float from 0 to 1."""
    return read(HLLS["get_similarity"], sketch, [sketches])


def describe(sketch: Operand) -> Expression:
    """Its index bits and minhash bits, as a list of two."""
    return read(HLLS["describe"], sketch)


def may_contain(sketch: Operand, values: Operand) -> Expression:
    """1 where it may have counted all of the values, 0 where it has not."""
    return read(HLLS["may_contain"], sketch, [values])


def _bits(call: Call, index_bits: object, minhash_bits: object, flags: object) -> list[int]:
    index = checked_static(call, "index_bits", index_bits)
    minhash = checked_static(call, "minhash_bits", minhash_bits)
    if index + minhash > _COMBINED_BITS_MAX:
        raise refused(
            f"exp.hll.{call.name}.minhash_bits", minhash, f"{_COMBINED_BITS_MAX - index} with {index} before it"
        )
    return [index, minhash, checked_static(call, "flags", flags)]
