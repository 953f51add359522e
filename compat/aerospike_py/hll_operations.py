"""Operations on HyperLogLog sketches: each function returns the dict that ``operate`` and its relatives take.

The dicts are those of aerospike_py 0.14.4, key by key. Their values are checked when they are used.
"""

from __future__ import annotations

from typing import Any, Final

from ._operations.types import HLLPolicy, Operation, build as _build

__all__ = [
    "Operation",
    "hll_add",
    "hll_describe",
    "hll_fold",
    "hll_get_count",
    "hll_get_intersect_count",
    "hll_get_similarity",
    "hll_get_union",
    "hll_get_union_count",
    "hll_init",
    "hll_set_union",
]

_OP_HLL_INIT: Final = 3001
_OP_HLL_ADD: Final = 3002
_OP_HLL_GET_COUNT: Final = 3003
_OP_HLL_GET_UNION: Final = 3004
_OP_HLL_GET_UNION_COUNT: Final = 3005
_OP_HLL_GET_INTERSECT_COUNT: Final = 3006
_OP_HLL_GET_SIMILARITY: Final = 3007
_OP_HLL_DESCRIBE: Final = 3008
_OP_HLL_FOLD: Final = 3009
_OP_HLL_SET_UNION: Final = 3010


def hll_init(
    bin: str, index_bit_count: int, minhash_bit_count: int | None = None, *, policy: HLLPolicy | None = None
) -> Operation:
    """Create an empty sketch, or empty an existing one."""
    return _build(
        {"op": _OP_HLL_INIT, "bin": bin, "index_bit_count": index_bit_count},
        minhash_bit_count=minhash_bit_count,
        hll_policy=policy,
    )


def hll_add(
    bin: str,
    values: list[Any],
    index_bit_count: int | None = None,
    minhash_bit_count: int | None = None,
    *,
    policy: HLLPolicy | None = None,
) -> Operation:
    """Add values to a sketch, created with ``index_bit_count`` if missing; returns how many registers changed."""
    return _build(
        {"op": _OP_HLL_ADD, "bin": bin, "val": values},
        index_bit_count=index_bit_count,
        minhash_bit_count=minhash_bit_count,
        hll_policy=policy,
    )


def hll_get_count(bin: str) -> Operation:
    """Read the estimated number of values in a sketch."""
    return {"op": _OP_HLL_GET_COUNT, "bin": bin}


def hll_get_union(bin: str, values: list[Any]) -> Operation:
    """Read the union of a sketch with the sketches in ``values``, as a sketch."""
    return {"op": _OP_HLL_GET_UNION, "bin": bin, "val": values}


def hll_get_union_count(bin: str, values: list[Any]) -> Operation:
    """Read the estimated number of values in the union with the sketches in ``values``."""
    return {"op": _OP_HLL_GET_UNION_COUNT, "bin": bin, "val": values}


def hll_get_intersect_count(bin: str, values: list[Any]) -> Operation:
    """Read the estimated number of values that are in the bin's sketch and in those of ``values``."""
    return {"op": _OP_HLL_GET_INTERSECT_COUNT, "bin": bin, "val": values}


def hll_get_similarity(bin: str, values: list[Any]) -> Operation:
    """Read the estimated similarity of the bin's sketch and those of ``values``, from 0.0 to 1.0."""
    return {"op": _OP_HLL_GET_SIMILARITY, "bin": bin, "val": values}


def hll_describe(bin: str) -> Operation:
    """Read the two bit counts of a sketch, ``[index_bit_count, minhash_bit_count]``."""
    return {"op": _OP_HLL_DESCRIBE, "bin": bin}


def hll_fold(bin: str, index_bit_count: int) -> Operation:
    """Reduce the bits of index of a sketch to ``index_bit_count``."""
    return {"op": _OP_HLL_FOLD, "bin": bin, "index_bit_count": index_bit_count}


def hll_set_union(bin: str, values: list[Any], *, policy: HLLPolicy | None = None) -> Operation:
    """Write the union of the bin's sketch and those of ``values`` into the bin."""
    return _build({"op": _OP_HLL_SET_UNION, "bin": bin, "val": values}, hll_policy=policy)
