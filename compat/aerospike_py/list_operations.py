"""Operations on lists: each function returns the dict that ``operate`` and its relatives take.

The dicts are those of aerospike_py 0.14.4, key by key, so they may be built, read and changed by hand. Their
values are checked when they are used. A negative index counts from the end. ``return_type`` is a
LIST_RETURN_ constant: what to return of the selected values.
"""

from __future__ import annotations

from typing import Any, Final

from ._operations.types import ListPolicy, Operation, build as _build

__all__ = [
    "Operation",
    "list_append",
    "list_append_items",
    "list_clear",
    "list_get",
    "list_get_by_index",
    "list_get_by_index_range",
    "list_get_by_rank",
    "list_get_by_rank_range",
    "list_get_by_value",
    "list_get_by_value_list",
    "list_get_by_value_range",
    "list_get_range",
    "list_increment",
    "list_insert",
    "list_insert_items",
    "list_pop",
    "list_pop_range",
    "list_remove",
    "list_remove_by_index",
    "list_remove_by_index_range",
    "list_remove_by_rank",
    "list_remove_by_rank_range",
    "list_remove_by_value",
    "list_remove_by_value_list",
    "list_remove_by_value_range",
    "list_remove_range",
    "list_set",
    "list_set_order",
    "list_size",
    "list_sort",
    "list_trim",
]

_OP_LIST_APPEND: Final = 1001
_OP_LIST_APPEND_ITEMS: Final = 1002
_OP_LIST_INSERT: Final = 1003
_OP_LIST_INSERT_ITEMS: Final = 1004
_OP_LIST_POP: Final = 1005
_OP_LIST_POP_RANGE: Final = 1006
_OP_LIST_REMOVE: Final = 1007
_OP_LIST_REMOVE_RANGE: Final = 1008
_OP_LIST_SET: Final = 1009
_OP_LIST_TRIM: Final = 1010
_OP_LIST_CLEAR: Final = 1011
_OP_LIST_SIZE: Final = 1012
_OP_LIST_GET: Final = 1013
_OP_LIST_GET_RANGE: Final = 1014
_OP_LIST_GET_BY_VALUE: Final = 1015
_OP_LIST_GET_BY_INDEX: Final = 1016
_OP_LIST_GET_BY_INDEX_RANGE: Final = 1017
_OP_LIST_GET_BY_RANK: Final = 1018
_OP_LIST_GET_BY_RANK_RANGE: Final = 1019
_OP_LIST_GET_BY_VALUE_LIST: Final = 1020
_OP_LIST_GET_BY_VALUE_RANGE: Final = 1021
_OP_LIST_REMOVE_BY_VALUE: Final = 1022
_OP_LIST_REMOVE_BY_VALUE_LIST: Final = 1023
_OP_LIST_REMOVE_BY_VALUE_RANGE: Final = 1024
_OP_LIST_REMOVE_BY_INDEX: Final = 1025
_OP_LIST_REMOVE_BY_INDEX_RANGE: Final = 1026
_OP_LIST_REMOVE_BY_RANK: Final = 1027
_OP_LIST_REMOVE_BY_RANK_RANGE: Final = 1028
_OP_LIST_INCREMENT: Final = 1029
_OP_LIST_SORT: Final = 1030
_OP_LIST_SET_ORDER: Final = 1031


def list_append(bin: str, val: Any, policy: ListPolicy | None = None) -> Operation:
    """Append a value to a list; returns the new size."""
    return _build({"op": _OP_LIST_APPEND, "bin": bin, "val": val}, list_policy=policy)


def list_append_items(bin: str, values: list[Any], policy: ListPolicy | None = None) -> Operation:
    """Append several values to a list; returns the new size."""
    return _build({"op": _OP_LIST_APPEND_ITEMS, "bin": bin, "val": values}, list_policy=policy)


def list_insert(bin: str, index: int, val: Any, policy: ListPolicy | None = None) -> Operation:
    """Insert a value before the one at ``index``; returns the new size."""
    return _build({"op": _OP_LIST_INSERT, "bin": bin, "index": index, "val": val}, list_policy=policy)


def list_insert_items(bin: str, index: int, values: list[Any], policy: ListPolicy | None = None) -> Operation:
    """Insert several values before the one at ``index``; returns the new size."""
    return _build({"op": _OP_LIST_INSERT_ITEMS, "bin": bin, "index": index, "val": values}, list_policy=policy)


def list_pop(bin: str, index: int) -> Operation:
    """Remove the value at ``index``; returns it."""
    return {"op": _OP_LIST_POP, "bin": bin, "index": index}


def list_pop_range(bin: str, index: int, count: int) -> Operation:
    """Remove ``count`` values from ``index`` on; returns them."""
    return {"op": _OP_LIST_POP_RANGE, "bin": bin, "index": index, "count": count}


def list_remove(bin: str, index: int) -> Operation:
    """Remove the value at ``index``; returns how many were removed."""
    return {"op": _OP_LIST_REMOVE, "bin": bin, "index": index}


def list_remove_range(bin: str, index: int, count: int) -> Operation:
    """Remove ``count`` values from ``index`` on; returns how many were removed."""
    return {"op": _OP_LIST_REMOVE_RANGE, "bin": bin, "index": index, "count": count}


def list_set(bin: str, index: int, val: Any) -> Operation:
    """Replace the value at ``index``; no result."""
    return {"op": _OP_LIST_SET, "bin": bin, "index": index, "val": val}


def list_trim(bin: str, index: int, count: int) -> Operation:
    """Keep ``count`` values from ``index`` on and remove the others; returns how many were removed."""
    return {"op": _OP_LIST_TRIM, "bin": bin, "index": index, "count": count}


def list_clear(bin: str) -> Operation:
    """Remove all values of a list; no result."""
    return {"op": _OP_LIST_CLEAR, "bin": bin}


def list_size(bin: str) -> Operation:
    """Read the number of values in a list."""
    return {"op": _OP_LIST_SIZE, "bin": bin}


def list_get(bin: str, index: int) -> Operation:
    """Read the value at ``index``."""
    return {"op": _OP_LIST_GET, "bin": bin, "index": index}


def list_get_range(bin: str, index: int, count: int) -> Operation:
    """Read ``count`` values from ``index`` on."""
    return {"op": _OP_LIST_GET_RANGE, "bin": bin, "index": index, "count": count}


def list_get_by_value(bin: str, val: Any, return_type: int) -> Operation:
    """Read the values that equal ``val``."""
    return {"op": _OP_LIST_GET_BY_VALUE, "bin": bin, "val": val, "return_type": return_type}


def list_get_by_index(bin: str, index: int, return_type: int) -> Operation:
    """Read the value at ``index``."""
    return {"op": _OP_LIST_GET_BY_INDEX, "bin": bin, "index": index, "return_type": return_type}


def list_get_by_index_range(bin: str, index: int, return_type: int, count: int | None = None) -> Operation:
    """Read ``count`` values from ``index`` on, or all that follow."""
    return _build(
        {"op": _OP_LIST_GET_BY_INDEX_RANGE, "bin": bin, "index": index, "return_type": return_type}, count=count
    )


def list_get_by_rank(bin: str, rank: int, return_type: int) -> Operation:
    """Read the value with ``rank``; 0 is the least, -1 the greatest."""
    return {"op": _OP_LIST_GET_BY_RANK, "bin": bin, "rank": rank, "return_type": return_type}


def list_get_by_rank_range(bin: str, rank: int, return_type: int, count: int | None = None) -> Operation:
    """Read ``count`` values from ``rank`` up, or all that are greater."""
    return _build({"op": _OP_LIST_GET_BY_RANK_RANGE, "bin": bin, "rank": rank, "return_type": return_type}, count=count)


def list_get_by_value_list(bin: str, values: list[Any], return_type: int) -> Operation:
    """Read the values that equal one of ``values``."""
    return {"op": _OP_LIST_GET_BY_VALUE_LIST, "bin": bin, "val": values, "return_type": return_type}


def list_get_by_value_range(bin: str, begin: Any, end: Any, return_type: int) -> Operation:
    """Read the values from ``begin`` on and before ``end``; None is an open end."""
    return {"op": _OP_LIST_GET_BY_VALUE_RANGE, "bin": bin, "val": begin, "val_end": end, "return_type": return_type}


def list_remove_by_value(bin: str, val: Any, return_type: int) -> Operation:
    """Remove the values that equal ``val``."""
    return {"op": _OP_LIST_REMOVE_BY_VALUE, "bin": bin, "val": val, "return_type": return_type}


def list_remove_by_value_list(bin: str, values: list[Any], return_type: int) -> Operation:
    """Remove the values that equal one of ``values``."""
    return {"op": _OP_LIST_REMOVE_BY_VALUE_LIST, "bin": bin, "val": values, "return_type": return_type}


def list_remove_by_value_range(bin: str, begin: Any, end: Any, return_type: int) -> Operation:
    """Remove the values from ``begin`` on and before ``end``."""
    return {"op": _OP_LIST_REMOVE_BY_VALUE_RANGE, "bin": bin, "val": begin, "val_end": end, "return_type": return_type}


def list_remove_by_index(bin: str, index: int, return_type: int) -> Operation:
    """Remove the value at ``index``."""
    return {"op": _OP_LIST_REMOVE_BY_INDEX, "bin": bin, "index": index, "return_type": return_type}


def list_remove_by_index_range(bin: str, index: int, return_type: int, count: int | None = None) -> Operation:
    """Remove ``count`` values from ``index`` on, or all that follow."""
    return _build(
        {"op": _OP_LIST_REMOVE_BY_INDEX_RANGE, "bin": bin, "index": index, "return_type": return_type}, count=count
    )


def list_remove_by_rank(bin: str, rank: int, return_type: int) -> Operation:
    """Remove the value with ``rank``."""
    return {"op": _OP_LIST_REMOVE_BY_RANK, "bin": bin, "rank": rank, "return_type": return_type}


def list_remove_by_rank_range(bin: str, rank: int, return_type: int, count: int | None = None) -> Operation:
    """Remove ``count`` values from ``rank`` up, or all that are greater."""
    return _build(
        {"op": _OP_LIST_REMOVE_BY_RANK_RANGE, "bin": bin, "rank": rank, "return_type": return_type}, count=count
    )


def list_increment(bin: str, index: int, val: int, policy: ListPolicy | None = None) -> Operation:
    """Add ``val`` to the number at ``index``; returns the sum."""
    return _build({"op": _OP_LIST_INCREMENT, "bin": bin, "index": index, "val": val}, list_policy=policy)


def list_sort(bin: str, sort_flags: int = 0) -> Operation:
    """Sort a list; ``sort_flags`` is a LIST_SORT_ constant. No result."""
    return {"op": _OP_LIST_SORT, "bin": bin, "val": sort_flags}


def list_set_order(bin: str, list_order: int = 0) -> Operation:
    """Make the server keep a list sorted or not; ``list_order`` is LIST_ORDERED or LIST_UNORDERED. No result."""
    return {"op": _OP_LIST_SET_ORDER, "bin": bin, "val": list_order}
