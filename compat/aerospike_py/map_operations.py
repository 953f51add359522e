"""Operations on maps: each function returns the dict that ``operate`` and its relatives take.

The dicts are those of aerospike_py 0.14.4, key by key, so they may be built, read and changed by hand. Their
values are checked when they are used. An index counts in the order of the keys, a rank in that of the values; negative
ones count from the end. ``return_type`` is a MAP_RETURN_ constant: what to return of the selected entries.
MAP_RETURN_KEY_VALUE gives a list of pairs.
"""

from __future__ import annotations

from typing import Any, Final

from ._operations.types import MapPolicy, Operation, build as _build

__all__ = [
    "Operation",
    "map_clear",
    "map_decrement",
    "map_get_by_index",
    "map_get_by_index_range",
    "map_get_by_key",
    "map_get_by_key_list",
    "map_get_by_key_range",
    "map_get_by_rank",
    "map_get_by_rank_range",
    "map_get_by_value",
    "map_get_by_value_list",
    "map_get_by_value_range",
    "map_increment",
    "map_put",
    "map_put_items",
    "map_remove_by_index",
    "map_remove_by_index_range",
    "map_remove_by_key",
    "map_remove_by_key_list",
    "map_remove_by_key_range",
    "map_remove_by_rank",
    "map_remove_by_rank_range",
    "map_remove_by_value",
    "map_remove_by_value_list",
    "map_remove_by_value_range",
    "map_set_order",
    "map_size",
]

_OP_MAP_SET_ORDER: Final = 2001
_OP_MAP_PUT: Final = 2002
_OP_MAP_PUT_ITEMS: Final = 2003
_OP_MAP_INCREMENT: Final = 2004
_OP_MAP_DECREMENT: Final = 2005
_OP_MAP_CLEAR: Final = 2006
_OP_MAP_REMOVE_BY_KEY: Final = 2007
_OP_MAP_REMOVE_BY_KEY_LIST: Final = 2008
_OP_MAP_REMOVE_BY_KEY_RANGE: Final = 2009
_OP_MAP_REMOVE_BY_VALUE: Final = 2010
_OP_MAP_REMOVE_BY_VALUE_LIST: Final = 2011
_OP_MAP_REMOVE_BY_VALUE_RANGE: Final = 2012
_OP_MAP_REMOVE_BY_INDEX: Final = 2013
_OP_MAP_REMOVE_BY_INDEX_RANGE: Final = 2014
_OP_MAP_REMOVE_BY_RANK: Final = 2015
_OP_MAP_REMOVE_BY_RANK_RANGE: Final = 2016
_OP_MAP_SIZE: Final = 2017
_OP_MAP_GET_BY_KEY: Final = 2018
_OP_MAP_GET_BY_KEY_RANGE: Final = 2019
_OP_MAP_GET_BY_VALUE: Final = 2020
_OP_MAP_GET_BY_VALUE_RANGE: Final = 2021
_OP_MAP_GET_BY_INDEX: Final = 2022
_OP_MAP_GET_BY_INDEX_RANGE: Final = 2023
_OP_MAP_GET_BY_RANK: Final = 2024
_OP_MAP_GET_BY_RANK_RANGE: Final = 2025
_OP_MAP_GET_BY_KEY_LIST: Final = 2026
_OP_MAP_GET_BY_VALUE_LIST: Final = 2027


def map_set_order(bin: str, map_order: int) -> Operation:
    """Make the server keep a map in an order, MAP_UNORDERED or one of the MAP_KEY_ ones. No result."""
    return {"op": _OP_MAP_SET_ORDER, "bin": bin, "val": map_order}


def map_put(bin: str, key: Any, val: Any, policy: MapPolicy | None = None) -> Operation:
    """Write a value under a key; returns the new size."""
    return _build({"op": _OP_MAP_PUT, "bin": bin, "map_key": key, "val": val}, map_policy=policy)


def map_put_items(bin: str, items: dict[Any, Any], policy: MapPolicy | None = None) -> Operation:
    """Write several values under their keys; returns the new size."""
    return _build({"op": _OP_MAP_PUT_ITEMS, "bin": bin, "val": items}, map_policy=policy)


def map_increment(bin: str, key: Any, incr: Any, policy: MapPolicy | None = None) -> Operation:
    """Add ``incr`` to the number under a key; returns the sum."""
    return _build({"op": _OP_MAP_INCREMENT, "bin": bin, "map_key": key, "val": incr}, map_policy=policy)


def map_decrement(bin: str, key: Any, decr: Any, policy: MapPolicy | None = None) -> Operation:
    """Subtract ``decr`` from the number under a key; returns the difference."""
    return _build({"op": _OP_MAP_DECREMENT, "bin": bin, "map_key": key, "val": decr}, map_policy=policy)


def map_clear(bin: str) -> Operation:
    """Remove all entries of a map; no result."""
    return {"op": _OP_MAP_CLEAR, "bin": bin}


def map_remove_by_key(bin: str, key: Any, return_type: int) -> Operation:
    """Remove the entry with ``key``."""
    return {"op": _OP_MAP_REMOVE_BY_KEY, "bin": bin, "map_key": key, "return_type": return_type}


def map_remove_by_key_list(bin: str, keys: list[Any], return_type: int) -> Operation:
    """Remove the entries with one of ``keys``."""
    return {"op": _OP_MAP_REMOVE_BY_KEY_LIST, "bin": bin, "val": keys, "return_type": return_type}


def map_remove_by_key_range(bin: str, begin: Any, end: Any, return_type: int) -> Operation:
    """Remove the entries with keys from ``begin`` on and before ``end``."""
    return {"op": _OP_MAP_REMOVE_BY_KEY_RANGE, "bin": bin, "val": begin, "val_end": end, "return_type": return_type}


def map_remove_by_value(bin: str, val: Any, return_type: int) -> Operation:
    """Remove the entries whose value equals ``val``."""
    return {"op": _OP_MAP_REMOVE_BY_VALUE, "bin": bin, "val": val, "return_type": return_type}


def map_remove_by_value_list(bin: str, values: list[Any], return_type: int) -> Operation:
    """Remove the entries whose value equals one of ``values``."""
    return {"op": _OP_MAP_REMOVE_BY_VALUE_LIST, "bin": bin, "val": values, "return_type": return_type}


def map_remove_by_value_range(bin: str, begin: Any, end: Any, return_type: int) -> Operation:
    """Remove the entries with values from ``begin`` on and before ``end``."""
    return {"op": _OP_MAP_REMOVE_BY_VALUE_RANGE, "bin": bin, "val": begin, "val_end": end, "return_type": return_type}


def map_remove_by_index(bin: str, index: int, return_type: int) -> Operation:
    """Remove the entry at ``index`` in the order of the keys."""
    return {"op": _OP_MAP_REMOVE_BY_INDEX, "bin": bin, "index": index, "return_type": return_type}


def map_remove_by_index_range(bin: str, index: int, return_type: int, count: int | None = None) -> Operation:
    """Remove ``count`` entries from ``index`` on, or all that follow."""
    return _build(
        {"op": _OP_MAP_REMOVE_BY_INDEX_RANGE, "bin": bin, "index": index, "return_type": return_type}, count=count
    )


def map_remove_by_rank(bin: str, rank: int, return_type: int) -> Operation:
    """Remove the entry whose value has ``rank``."""
    return {"op": _OP_MAP_REMOVE_BY_RANK, "bin": bin, "rank": rank, "return_type": return_type}


def map_remove_by_rank_range(bin: str, rank: int, return_type: int, count: int | None = None) -> Operation:
    """Remove ``count`` entries from ``rank`` up, or all that are greater."""
    return _build(
        {"op": _OP_MAP_REMOVE_BY_RANK_RANGE, "bin": bin, "rank": rank, "return_type": return_type}, count=count
    )


def map_size(bin: str) -> Operation:
    """Read the number of entries of a map."""
    return {"op": _OP_MAP_SIZE, "bin": bin}


def map_get_by_key(bin: str, key: Any, return_type: int) -> Operation:
    """Read the entry with ``key``."""
    return {"op": _OP_MAP_GET_BY_KEY, "bin": bin, "map_key": key, "return_type": return_type}


def map_get_by_key_range(bin: str, begin: Any, end: Any, return_type: int) -> Operation:
    """Read the entries with keys from ``begin`` on and before ``end``."""
    return {"op": _OP_MAP_GET_BY_KEY_RANGE, "bin": bin, "val": begin, "val_end": end, "return_type": return_type}


def map_get_by_value(bin: str, val: Any, return_type: int) -> Operation:
    """Read the entries whose value equals ``val``."""
    return {"op": _OP_MAP_GET_BY_VALUE, "bin": bin, "val": val, "return_type": return_type}


def map_get_by_value_range(bin: str, begin: Any, end: Any, return_type: int) -> Operation:
    """Read the entries with values from ``begin`` on and before ``end``."""
    return {"op": _OP_MAP_GET_BY_VALUE_RANGE, "bin": bin, "val": begin, "val_end": end, "return_type": return_type}


def map_get_by_index(bin: str, index: int, return_type: int) -> Operation:
    """Read the entry at ``index`` in the order of the keys."""
    return {"op": _OP_MAP_GET_BY_INDEX, "bin": bin, "index": index, "return_type": return_type}


def map_get_by_index_range(bin: str, index: int, return_type: int, count: int | None = None) -> Operation:
    """Read ``count`` entries from ``index`` on, or all that follow."""
    return _build(
        {"op": _OP_MAP_GET_BY_INDEX_RANGE, "bin": bin, "index": index, "return_type": return_type}, count=count
    )


def map_get_by_rank(bin: str, rank: int, return_type: int) -> Operation:
    """Read the entry whose value has ``rank``."""
    return {"op": _OP_MAP_GET_BY_RANK, "bin": bin, "rank": rank, "return_type": return_type}


def map_get_by_rank_range(bin: str, rank: int, return_type: int, count: int | None = None) -> Operation:
    """Read ``count`` entries from ``rank`` up, or all that are greater."""
    return _build({"op": _OP_MAP_GET_BY_RANK_RANGE, "bin": bin, "rank": rank, "return_type": return_type}, count=count)


def map_get_by_key_list(bin: str, keys: list[Any], return_type: int) -> Operation:
    """Read the entries with one of ``keys``."""
    return {"op": _OP_MAP_GET_BY_KEY_LIST, "bin": bin, "val": keys, "return_type": return_type}


def map_get_by_value_list(bin: str, values: list[Any], return_type: int) -> Operation:
    """Read the entries whose value equals one of ``values``."""
    return {"op": _OP_MAP_GET_BY_VALUE_LIST, "bin": bin, "val": values, "return_type": return_type}
