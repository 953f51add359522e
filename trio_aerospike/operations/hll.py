"""Operations on HyperLogLog sketches, for ``operate``, ``operate_ordered`` and batches.

::

    from trio_aerospike import hll

    await client.operate(key, [hll.add("visitors", ["ann", "bob"], 12)])
    record = await client.operate(key, [hll.get_count("visitors")])

A sketch estimates the number of distinct values that were added to it, in little memory: with ``index_bit_count`` bits
of index it has ``2 ** index_bit_count`` registers and a relative error of about ``1.04 / sqrt(registers)``. Bits of
min-hash make intersections more accurate, and are required for those of more than three sketches. Sketches are read and
sent as :class:`HyperLogLog`.

Sketches within lists and maps have no such operations. Every function checks its arguments and raises
InvalidArgError for an invalid one.
"""

from __future__ import annotations

from typing import Any

from trio_aerospike._cdt.arguments import as_list, packed_value
from trio_aerospike._cdt.bits_and_hll import HLLPolicy as HLLPolicy, HLLWrite as HLLWrite, flags_of
from trio_aerospike._wire import hll_ops
from trio_aerospike._wire.cdt_calls import Packed, list_header
from trio_aerospike._wire.hll_ops import HLLS
from trio_aerospike._wire.value_types import HyperLogLog
from trio_aerospike.operations._from_tables import encoded
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
    """Create an empty sketch, or empty an existing one.

    Args:
        bin_name: the bin.
        index_bit_count: bits of index, 4 to 16; None for those of the existing sketch.
        minhash_bit_count: bits of min-hash, 4 to 51, or 0 for none; None for those of the existing sketch, or else 0.
            Together with those of the index at most 64.
        policy: allows CREATE_ONLY, UPDATE_ONLY and NO_FAIL.

    Raises:
        InvalidArgError: an argument is invalid.
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
    """Add values to a sketch. The result is the number of values that changed it.

    Args:
        bin_name: the bin. A missing one is created, where ``index_bit_count`` is given.
        values: a list of values, at least one, of any type but lists and maps. Equal values of different types
            are distinct (1 and 1.0).
        index_bit_count: bits of index of a created sketch, 4 to 16.
        minhash_bit_count: bits of min-hash of a created sketch, 4 to 51, or 0 for none; None means 0. Together with
            those of the index at most 64.
        policy: allows CREATE_ONLY and NO_FAIL.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    elements = _elements("add", values)
    bits = _bits("add", index_bit_count, minhash_bit_count)
    return _operation("add", bin_name, elements, *bits, _flags("add", policy))


def set_union(bin_name: str, values: Any, *, policy: HLLPolicy | None = None) -> Operation:
    """Merge other sketches into a sketch; a missing bin is created.

    Without ALLOW_FOLD the others must have at least as many bits of index, and the same min-hash unless the sketch has
    none.

    Args:
        bin_name: the bin.
        values: a list of sketches, at least one.
        policy: allows all flags.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    sketches = _sketches("set_union", values)
    return _operation("set_union", bin_name, sketches, _flags("set_union", policy))


def refresh_count(bin_name: str) -> Operation:
    """Estimate the count of a sketch, and store it with the sketch. The result is the count.

    Args:
        bin_name: the bin.

    Raises:
        InvalidArgError: ``bin_name`` is not a valid bin name.
    """
    return _operation("refresh_count", bin_name)


def fold(bin_name: str, index_bit_count: int) -> Operation:
    """Reduce the bits of index of a sketch without min-hash.

    Args:
        bin_name: the bin.
        index_bit_count: the new bits of index, 4 to 16, at most those that it has.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    bits = checked_int("hll.fold.index_bit_count", index_bit_count, _INDEX_MIN, _INDEX_MAX)
    return _operation("fold", bin_name, bits)


# -- reads -------------------------------------------------------------------------------------------------------------


def get_count(bin_name: str) -> Operation:
    """Estimate the number of distinct values.

    Args:
        bin_name: the bin.

    Raises:
        InvalidArgError: ``bin_name`` is not a valid bin name.
    """
    return _operation("get_count", bin_name)


def get_union(bin_name: str, values: Any) -> Operation:
    """Read the union of this sketch and others, as :class:`HyperLogLog`.

    Args:
        bin_name: the bin.
        values: a list of other sketches, at least one.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    return _operation("get_union", bin_name, _sketches("get_union", values))


def get_union_count(bin_name: str, values: Any) -> Operation:
    """Estimate the number of distinct values in the union with other sketches; arguments as in :func:`get_union`."""
    return _operation("get_union_count", bin_name, _sketches("get_union_count", values))


def get_intersect_count(bin_name: str, values: Any) -> Operation:
    """Estimate the number of distinct values in the intersection of this sketch and others.

    Args:
        bin_name: the bin.
        values: a list of other sketches: one or two, or more if all have the same bits of min-hash, at least 4.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    sketches = _sketches("get_intersect_count", values, combined=True)
    return _operation("get_intersect_count", bin_name, sketches)


def get_similarity(bin_name: str, values: Any) -> Operation:
    """Estimate the similarity of this sketch and others: intersection by union, from 0.0 to 1.0.

    It is NaN where all sketches are empty. Arguments as in :func:`get_intersect_count`.
    """
    sketches = _sketches("get_similarity", values, combined=True)
    return _operation("get_similarity", bin_name, sketches)


def describe(bin_name: str) -> Operation:
    """Read the bits of index and of min-hash of a sketch, as a list of two.

    Args:
        bin_name: the bin.

    Raises:
        InvalidArgError: ``bin_name`` is not a valid bin name.
    """
    return _operation("describe", bin_name)


def may_contain(bin_name: str, values: Any) -> Operation:
    """Whether all values may have been added: 1, or 0 where at least one was not.

    Args:
        bin_name: the bin.
        values: a list of values, as in :func:`add`.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    return _operation("may_contain", bin_name, _elements("may_contain", values))


# -- checks and encoding ----------------------------------------------------------------------------------------------


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


def _sketches(what: str, values: object, *, combined: bool = False) -> list[Any]:
    listed = _not_empty(what, values, "HyperLogLog")
    for place, value in enumerate(listed):
        if not (isinstance(value, HyperLogLog) and hll_ops.is_sketch(value.data)):
            raise refused(f"hll.{what}.values[{place}]", value, "a HyperLogLog as the server makes it")
    minhashes = {value.data[2] for value in listed}
    if combined and len(listed) > 2 and (len(minhashes) > 1 or minhashes == {0}):
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
