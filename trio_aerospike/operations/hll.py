"""Operations on HyperLogLog sketches, for ``operate``, ``operate_ordered`` and batches.

::

    from trio_aerospike import hll

    await client.operate(key, [hll.add("visitors", ["ann", "bob"], 12)])
    record = await client.operate(key, [hll.get_count("visitors")])

A sketch counts the different values that were added to it, in little room and not exactly: with ``index_bit_count``
bits of index it has two to the power of them registers, and its counts are off by about ``1.04 / sqrt(registers)``.
With bits of min-hash, the counts of what several sketches have in common are better, and of more than three of them can
be had at all. Sketches come from the server as :class:`HyperLogLog`, and go to it as such.

The bin is always one that holds a sketch itself: on sketches within lists and maps the server has no such operations.
Every function checks its arguments and raises InvalidArgError for what the server could only refuse.
"""

from __future__ import annotations

from typing import Any

from trio_aerospike._cdt.arguments import as_list, packed_value
from trio_aerospike._cdt.blobs import HLLPolicy as HLLPolicy, HLLWrite as HLLWrite, flags_of
from trio_aerospike._wire import hll_ops
from trio_aerospike._wire.cdt_calls import Packed, list_header
from trio_aerospike._wire.hll_ops import HLLS
from trio_aerospike._wire.values import HyperLogLog
from trio_aerospike.operations._cdt import encoded
from trio_aerospike.operations._scalar import Operation
from trio_aerospike.validation import checked_int, refused

_INDEX_MIN, _INDEX_MAX = hll_ops.INDEX_BITS[0], hll_ops.INDEX_BITS[-1]
_MINHASH_MIN, _MINHASH_MAX = hll_ops.MINHASH_BITS[0], hll_ops.MINHASH_BITS[-1]
_UNSET = -1


# -- writes ------------------------------------------------------------------------------------------------------------


def init(
    bin_name: str,
    index_bit_count: int | None = None,
    minhash_bit_count: int | None = None,
    *,
    policy: HLLPolicy | None = None,
) -> Operation:
    """Create an empty sketch, or empty the one that is there.

    Args:
        bin_name: the bin.
        index_bit_count: bits of index, 4 to 16; None for those of the sketch that is there.
        minhash_bit_count: bits of min-hash, 4 to 51, or 0 for none; None for those of the sketch that is there, or else
            0. With those of the index at most 64.
        policy: takes CREATE_ONLY, UPDATE_ONLY and NO_FAIL.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    bits = _bits("init", index_bit_count, minhash_bit_count)
    return _operation("init", bin_name, *bits, _flags("init", policy))


def add(
    bin_name: str,
    values: Any,
    index_bit_count: int | None = None,
    minhash_bit_count: int | None = None,
    *,
    policy: HLLPolicy | None = None,
) -> Operation:
    """Add values to a sketch; the answer is how many of them changed it.

    Args:
        bin_name: the bin. One that does not exist is created, where ``index_bit_count`` is given.
        values: a list of values, at least one; anything that can be stored but lists and maps. Equal values of
            different types are different ones (1 and 1.0).
        index_bit_count: bits of index of a sketch that is created, 4 to 16.
        minhash_bit_count: bits of min-hash of a sketch that is created, 4 to 51, or 0 for none; None means 0. With
            those of the index at most 64.
        policy: takes CREATE_ONLY and NO_FAIL.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    elements = _elements("add", values)
    bits = _bits("add", index_bit_count, minhash_bit_count)
    return _operation("add", bin_name, elements, *bits, _flags("add", policy))


def set_union(bin_name: str, values: Any, *, policy: HLLPolicy | None = None) -> Operation:
    """Take into a sketch what others have seen; a bin that does not exist is created.

    Without ALLOW_FOLD the others must have at least as many bits of index, and the same min-hash unless the sketch has
    none.

    Args:
        bin_name: the bin.
        values: a list of sketches, at least one.
        policy: takes all flags.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    sketches = _sketches("set_union", values)
    return _operation("set_union", bin_name, sketches, _flags("set_union", policy))


def refresh_count(bin_name: str) -> Operation:
    """Estimate the count of a sketch, store it with the sketch, and answer it.

    Args:
        bin_name: the bin.

    Raises:
        InvalidArgError: no bin can be called so.
    """
    return _operation("refresh_count", bin_name)


def fold(bin_name: str, index_bit_count: int) -> Operation:
    """Make a sketch without min-hash smaller.

    Args:
        bin_name: the bin.
        index_bit_count: the new bits of index, 4 to 16, not more than it has.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    bits = checked_int("hll.fold.index_bit_count", index_bit_count, _INDEX_MIN, _INDEX_MAX)
    return _operation("fold", bin_name, bits)


# -- reads -------------------------------------------------------------------------------------------------------------


def get_count(bin_name: str) -> Operation:
    """How many different values were added, estimated.

    Args:
        bin_name: the bin.

    Raises:
        InvalidArgError: no bin can be called so.
    """
    return _operation("get_count", bin_name)


def get_union(bin_name: str, values: Any) -> Operation:
    """The sketch of everything that this one or one of the others has seen, as :class:`HyperLogLog`.

    Args:
        bin_name: the bin.
        values: a list of other sketches, at least one.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _operation("get_union", bin_name, _sketches("get_union", values))


def get_union_count(bin_name: str, values: Any) -> Operation:
    """How many different values this sketch or one of the others has seen; arguments as in :func:`get_union`."""
    return _operation("get_union_count", bin_name, _sketches("get_union_count", values))


def get_intersect_count(bin_name: str, values: Any) -> Operation:
    """How many different values this sketch and all the others have seen.

    Args:
        bin_name: the bin.
        values: a list of other sketches: one or two, or more if all have the same min-hash, and not none.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    sketches = _sketches("get_intersect_count", values, together=True)
    return _operation("get_intersect_count", bin_name, sketches)


def get_similarity(bin_name: str, values: Any) -> Operation:
    """The part of all different values that this sketch and all the others have seen, from 0.0 to 1.0.

    It is NaN where no sketch has seen anything. Arguments as in :func:`get_intersect_count`.
    """
    sketches = _sketches("get_similarity", values, together=True)
    return _operation("get_similarity", bin_name, sketches)


def describe(bin_name: str) -> Operation:
    """The bits of a sketch: a list of those of the index and those of the min-hash.

    Args:
        bin_name: the bin.

    Raises:
        InvalidArgError: no bin can be called so.
    """
    return _operation("describe", bin_name)


def may_contain(bin_name: str, values: Any) -> Operation:
    """Whether all values may have been added: 1, or 0 where one of them certainly was not.

    Args:
        bin_name: the bin.
        values: a list of values, as in :func:`add`.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _operation("may_contain", bin_name, _elements("may_contain", values))


# -- how they are put together -----------------------------------------------------------------------------------------


def _operation(what: str, bin_name: str, *args: Any) -> Operation:
    return encoded(HLLS[what], bin_name, args)


def _bits(what: str, index_bits: object, minhash_bits: object) -> tuple[int, int]:
    index = _UNSET
    if index_bits is not None:
        index = checked_int(f"hll.{what}.index_bit_count", index_bits, _INDEX_MIN, _INDEX_MAX, ", or None")
    if minhash_bits is None:
        return index, _UNSET
    if type(minhash_bits) is int and minhash_bits == 0:
        return index, 0
    most = min(_MINHASH_MAX, hll_ops.INDEX_AND_MINHASH_BITS_MAX - max(index, 0))
    where = f"hll.{what}.minhash_bit_count"
    return index, checked_int(where, minhash_bits, _MINHASH_MIN, most, ", 0 for none, or None")


def _flags(what: str, policy: HLLPolicy | None) -> int:
    return flags_of(f"hll.{what}.policy", policy, HLLPolicy, HLLWrite(HLLS[what].flags))


def _not_empty(what: str, values: object, of: str) -> list[Any]:
    listed = as_list(f"hll.{what}.values", values, of)
    if not listed:
        raise refused(f"hll.{what}.values", values, f"a list of {of}, at least one")
    return listed


def _elements(what: str, values: object) -> Packed:
    listed = _not_empty(what, values, "values")
    parts = [list_header(len(listed))]
    for place, value in enumerate(listed):
        where = f"hll.{what}.values[{place}]"
        if isinstance(value, (list, tuple, dict)):
            raise refused(where, value, "a value other than a list or a map")
        parts.append(packed_value(where, value).data)
    return Packed(b"".join(parts))


def _sketches(what: str, values: object, *, together: bool = False) -> list[Any]:
    listed = _not_empty(what, values, "HyperLogLog")
    for place, value in enumerate(listed):
        if not (isinstance(value, HyperLogLog) and hll_ops.is_sketch(value.data)):
            raise refused(f"hll.{what}.values[{place}]", value, "a HyperLogLog as the server makes it")
    minhashes = {value.data[2] for value in listed}
    if together and len(listed) > 2 and (len(minhashes) > 1 or minhashes == {0}):
        counts = [value.data[2] for value in listed]
        raise refused(
            f"hll.{what}.values", f"min-hashes of {counts} bits", "one or two, or all with the same bits, not 0"
        )
    return listed


__all__ = [
    "HLLPolicy",
    "HLLWrite",
    "add",
    "describe",
    "fold",
    "get_count",
    "get_intersect_count",
    "get_similarity",
    "get_union",
    "get_union_count",
    "init",
    "may_contain",
    "refresh_count",
    "set_union",
]
