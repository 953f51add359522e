"""Operations that remove elements of a list.

Common to them are these arguments. ``return_type`` is what is given back (ListReturn; if not said, NONE, nothing).
``inverted`` turns the choice around: all elements but those that were named. ``ctx`` is the way to a list inside
others, see :mod:`trio_aerospike.ctx`.

They give back of what they removed the same as their twins that read. A bin that does not exist is left so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trio_aerospike._cdt.types import ListReturn
from trio_aerospike._wire import cdt_ops as ops
from trio_aerospike.ctx import ContextLike
from trio_aerospike.operations._cdt import list_call
from trio_aerospike.operations._scalar import Operation

_REMOVE_BY_INDEX = list_call("remove_by_index", ops.LIST_REMOVE_BY_INDEX, writes=True)
_REMOVE_BY_INDEX_RANGE = list_call("remove_by_index_range", ops.LIST_REMOVE_BY_INDEX_RANGE, writes=True, ranges=True)
_REMOVE_BY_RANK = list_call("remove_by_rank", ops.LIST_REMOVE_BY_RANK, writes=True)
_REMOVE_BY_RANK_RANGE = list_call("remove_by_rank_range", ops.LIST_REMOVE_BY_RANK_RANGE, writes=True, ranges=True)
_REMOVE_BY_VALUE = list_call("remove_by_value", ops.LIST_REMOVE_ALL_BY_VALUE, writes=True, ranges=True)
_REMOVE_BY_VALUE_LIST = list_call("remove_by_value_list", ops.LIST_REMOVE_ALL_BY_VALUE_LIST, writes=True)
_REMOVE_BY_VALUE_RANGE = list_call("remove_by_value_range", ops.LIST_REMOVE_BY_VALUE_INTERVAL, writes=True, ranges=True)
_REMOVE_BY_VALUE_RANK_RANGE_RELATIVE = list_call(
    "remove_by_value_rank_range_relative", ops.LIST_REMOVE_BY_VALUE_REL_RANK_RANGE, writes=True, ranges=True
)


def remove_by_index(
    bin_name: str, index: int, *, return_type: ListReturn = ListReturn.NONE, ctx: ContextLike = ()
) -> Operation:
    """Remove the element at an index.

    Args:
        bin_name: the bin.
        index: 0 for the first, negative from the end: -1 for the last.
        return_type, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _REMOVE_BY_INDEX.one(bin_name, "index", index, return_type, ctx)


def remove_by_index_range(
    bin_name: str,
    index: int,
    count: int | None = None,
    *,
    return_type: ListReturn = ListReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove a number of elements from an index on.

    Args:
        bin_name: the bin.
        index: 0 for the first, negative from the end: -1 for the last.
        count: how many, 0 or more; None for all that follow.
        return_type, inverted, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _REMOVE_BY_INDEX_RANGE.span(bin_name, "index", index, count, return_type, inverted, ctx)


def remove_by_rank(
    bin_name: str, rank: int, *, return_type: ListReturn = ListReturn.NONE, ctx: ContextLike = ()
) -> Operation:
    """Remove the element at a rank.

    Args:
        bin_name: the bin.
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        return_type, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _REMOVE_BY_RANK.one(bin_name, "rank", rank, return_type, ctx)


def remove_by_rank_range(
    bin_name: str,
    rank: int,
    count: int | None = None,
    *,
    return_type: ListReturn = ListReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove a number of elements from a rank on.

    Args:
        bin_name: the bin.
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        count: how many, 0 or more; None for all that follow.
        return_type, inverted, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _REMOVE_BY_RANK_RANGE.span(bin_name, "rank", rank, count, return_type, inverted, ctx)


def remove_by_value(
    bin_name: str,
    value: Any,
    *,
    return_type: ListReturn = ListReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove all elements with a value.

    Args:
        bin_name: the bin.
        value: the value; INFINITY and WILDCARD may be in it.
        return_type, inverted, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _REMOVE_BY_VALUE.by_value(bin_name, value, return_type, inverted, ctx)


def remove_by_value_list(
    bin_name: str,
    values: Iterable[Any],
    *,
    return_type: ListReturn = ListReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove all elements with any of several values.

    Args:
        bin_name: the bin.
        values: the values; INFINITY and WILDCARD may be in them.
        return_type, inverted, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _REMOVE_BY_VALUE_LIST.by_value_list(bin_name, values, return_type, inverted, ctx)


def remove_by_value_range(
    bin_name: str,
    begin: Any = None,
    end: Any = None,
    *,
    return_type: ListReturn = ListReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove all elements with a value from ``begin`` to ``end``.

    Values of different types have an order, too: None, bool, int, str, list, dict, bytes, float, GeoJSON.

    Args:
        bin_name: the bin.
        begin: the least value, itself included; None is less than every other.
        end: the bound above, itself excluded; None for no bound.
        return_type, inverted, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _REMOVE_BY_VALUE_RANGE.by_value_range(bin_name, begin, end, return_type, inverted, ctx)


def remove_by_value_rank_range_relative(
    bin_name: str,
    value: Any,
    rank: int,
    count: int | None = None,
    *,
    return_type: ListReturn = ListReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove a number of elements by rank, counted from where a value is or would be.

    With the values 0, 5 and 9 and the value 5, rank 0 is 5 and -1 is 0; with the value 3, rank 0 is 5, too.

    Args:
        bin_name: the bin.
        value: the value; it need not be there.
        rank: how far from the value it begins, negative before it.
        count: how many, 0 or more; None for all that follow.
        return_type, inverted, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _REMOVE_BY_VALUE_RANK_RANGE_RELATIVE.by_value_relative(
        bin_name, value, rank, count, return_type, inverted, ctx
    )
