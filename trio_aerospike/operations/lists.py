"""Operations on lists, for ``operate``, ``operate_ordered`` and batches.

::

    from trio_aerospike import lists

    record = await client.operate(key, [
        lists.append("visits", "home"),
        lists.get_by_rank_range("scores", -3, return_type=lists.ListReturn.VALUE),
    ])

Functions named ``get``, and ``size``, read; all others write. These arguments are common to them:

- ``bin_name``: the bin. A write that adds something creates a missing bin; a removal leaves it missing; a read gives
  no result.
- ``index``: the element's position: 0 for the first, negative from the end: -1 for the last.
- ``rank``: its position if the list were sorted: 0 for the least value, negative from the greatest, which is -1.
- ``count``: how many, 0 or more; None for all that follow.
- ``policy``: what a write may do, and the order of a list that it creates; None for the defaults.
- ``return_type``: what the result holds of the elements (ListReturn). A read gives the values and a removal nothing by
  default. Several elements give a list, a dict or a number.
- ``inverted``: select all elements but those that were named.
- ``ctx``: the context of a list inside others, see :mod:`trio_aerospike.ctx`; empty for the bin's own list.

Arguments are checked and encoded when the operation is made: every function raises InvalidArgError for an invalid one.
What the server refuses is an error of the command: an index out of bounds, or an operation that does not fit the list,
is ServerError with result code 26 (OP_NOT_APPLICABLE), a value that must be unique and is not has code 24
(ELEMENT_EXISTS), a bin of another type is BinTypeError. All of an ``operate`` happens, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trio_aerospike._cdt.lists_and_maps import (
    ListOrder as ListOrder,
    ListPolicy as ListPolicy,
    ListReturn as ListReturn,
    ListSort as ListSort,
    ListWrite as ListWrite,
    checked_flags,
)
from trio_aerospike._wire.cdt_ops import LISTS
from trio_aerospike.ctx import ContextLike, list_create_flag
from trio_aerospike.operations import _from_tables
from trio_aerospike.operations._from_tables import operation
from trio_aerospike.operations._scalar import Operation
from trio_aerospike.validation import checked_enum, refused


def create(
    bin_name: str,
    order: ListOrder = ListOrder.UNORDERED,
    *,
    pad: bool = False,
    persist_index: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Create an empty list, or give an existing one its order. It has no result.

    Args:
        order: the list's order.
        pad: with ``ctx``: an index beyond the end of the list around it is allowed, and the gap is filled with None.
        persist_index: without ``ctx``: store the list's index as well.
        ctx: where the list goes; the last step, by index of a list or by key of a map, is its place. A missing list
            around it is created with the same order.
    """
    order = checked_enum("lists.create.order", order, ListOrder)
    flag = list_create_flag("lists.create", order, pad)
    if pad and _from_tables.is_empty(ctx):
        raise refused("lists.create.pad", pad, "False without ctx: there is no list around the new one")
    return _from_tables.set_order(LISTS["create"], bin_name, ctx, order, persist_index, create=flag)


def set_order(bin_name: str, order: ListOrder, *, persist_index: bool = False, ctx: ContextLike = ()) -> Operation:
    """Give a list its order, and sort it where that is ORDERED. It has no result.

    Args:
        order: the order; a missing bin becomes an empty list.
        persist_index: without ``ctx``: store the list's index as well.
    """
    order = checked_enum("lists.set_order.order", order, ListOrder)
    return _from_tables.set_order(LISTS["set_order"], bin_name, ctx, order, persist_index)


def append(bin_name: str, value: Any, *, policy: ListPolicy | None = None, ctx: ContextLike = ()) -> Operation:
    """Add a value: at the end, or in its place in an ordered list. The result is the new size."""
    return operation(LISTS["append"], bin_name, ctx, value, policy=policy)


def append_items(
    bin_name: str, values: Iterable[Any], *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Operation:
    """Add several values, as :func:`append` adds one. The result is the new size."""
    return operation(LISTS["append_items"], bin_name, ctx, values, policy=policy)


def insert(
    bin_name: str, index: int, value: Any, *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Operation:
    """Insert a value before the element at an index of an unordered list. The result is the new size.

    Args:
        index: beyond the end, the gap is filled with None.
        policy: its order must be UNORDERED, as an ordered list takes no insert.
    """
    return operation(LISTS["insert"], bin_name, ctx, index, value, policy=policy)


def insert_items(
    bin_name: str, index: int, values: Iterable[Any], *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Operation:
    """Insert several values, as :func:`insert` inserts one. The result is the new size."""
    return operation(LISTS["insert_items"], bin_name, ctx, index, values, policy=policy)


def set(bin_name: str, index: int, value: Any, *, policy: ListPolicy | None = None, ctx: ContextLike = ()) -> Operation:
    """Replace the element at an index of an unordered list; index and policy as in :func:`insert`. It has no result."""
    return operation(LISTS["set"], bin_name, ctx, index, value, policy=policy)


def increment(
    bin_name: str,
    index: int,
    value: int | float = 1,
    *,
    policy: ListPolicy | None = None,
    ctx: ContextLike = (),
) -> Operation:
    """Add a number to the element at an index. The result is the element's new value."""
    return operation(LISTS["increment"], bin_name, ctx, index, value, policy=policy)


def sort(bin_name: str, flags: ListSort = ListSort.DEFAULT, *, ctx: ContextLike = ()) -> Operation:
    """Sort a list once; its order stays what it is. It has no result.

    Args:
        flags: DESCENDING, DROP_DUPLICATES, or DEFAULT. Not both: servers up to 8.1 refuse that where there is
            anything to sort.
    """
    chosen = checked_flags("lists.sort.flags", flags, ListSort)
    if chosen == ListSort.DESCENDING | ListSort.DROP_DUPLICATES:
        raise refused("lists.sort.flags", chosen, "DESCENDING or DROP_DUPLICATES, not both: servers refuse it")
    return operation(LISTS["sort"], bin_name, ctx, chosen)


def clear(bin_name: str, *, ctx: ContextLike = ()) -> Operation:
    """Remove all elements. It has no result."""
    return operation(LISTS["clear"], bin_name, ctx)


def pop(bin_name: str, index: int, *, ctx: ContextLike = ()) -> Operation:
    """Remove the element at an index. The result is the element."""
    return operation(LISTS["pop"], bin_name, ctx, index)


def pop_range(bin_name: str, index: int, count: int | None = None, *, ctx: ContextLike = ()) -> Operation:
    """Remove ``count`` elements from an index on, or all that follow. The result is a list of them."""
    return operation(LISTS["pop_range"], bin_name, ctx, index, count)


def remove(bin_name: str, index: int, *, ctx: ContextLike = ()) -> Operation:
    """Remove the element at an index. The result is the number of removed elements: 1."""
    return operation(LISTS["remove"], bin_name, ctx, index)


def remove_range(bin_name: str, index: int, count: int | None = None, *, ctx: ContextLike = ()) -> Operation:
    """Remove ``count`` elements from an index on, or all that follow. The result is their number."""
    return operation(LISTS["remove_range"], bin_name, ctx, index, count)


def trim(bin_name: str, index: int, count: int, *, ctx: ContextLike = ()) -> Operation:
    """Keep ``count`` elements from an index on, and remove all others. The result is the number of removed elements."""
    return operation(LISTS["trim"], bin_name, ctx, index, count)


def remove_by_index(
    bin_name: str, index: int, *, return_type: ListReturn = ListReturn.NONE, ctx: ContextLike = ()
) -> Operation:
    """Remove the element at an index: 0 is the first, -1 the last."""
    return operation(LISTS["remove_by_index"], bin_name, ctx, index, return_type=return_type)


def remove_by_index_range(
    bin_name: str,
    index: int,
    count: int | None = None,
    *,
    return_type: ListReturn = ListReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove ``count`` elements from an index on, or all that follow."""
    return operation(
        LISTS["remove_by_index_range"], bin_name, ctx, index, count, return_type=return_type, inverted=inverted
    )


def remove_by_rank(
    bin_name: str, rank: int, *, return_type: ListReturn = ListReturn.NONE, ctx: ContextLike = ()
) -> Operation:
    """Remove the element at a rank: 0 is the least value, -1 the greatest."""
    return operation(LISTS["remove_by_rank"], bin_name, ctx, rank, return_type=return_type)


def remove_by_rank_range(
    bin_name: str,
    rank: int,
    count: int | None = None,
    *,
    return_type: ListReturn = ListReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove ``count`` elements from a rank on, or all that follow."""
    return operation(
        LISTS["remove_by_rank_range"], bin_name, ctx, rank, count, return_type=return_type, inverted=inverted
    )


def remove_by_value(
    bin_name: str,
    value: Any,
    *,
    return_type: ListReturn = ListReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove all elements with a value; INFINITY and WILDCARD may be in it."""
    return operation(LISTS["remove_by_value"], bin_name, ctx, value, return_type=return_type, inverted=inverted)


def remove_by_value_list(
    bin_name: str,
    values: Iterable[Any],
    *,
    return_type: ListReturn = ListReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove all elements with any of several values; INFINITY and WILDCARD may be in them."""
    return operation(LISTS["remove_by_value_list"], bin_name, ctx, values, return_type=return_type, inverted=inverted)


def remove_by_value_range(
    bin_name: str,
    begin: Any = None,
    end: Any = None,
    *,
    return_type: ListReturn = ListReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove all elements with a value from ``begin`` to ``end``, the latter excluded.

    Values of different types have an order, too: None, bool, int, str, list, dict, bytes, float, GeoJSON.

    Args:
        begin: the least value; None is less than every other.
        end: the bound above; None for no bound.
    """
    return operation(
        LISTS["remove_by_value_range"], bin_name, ctx, begin, end, return_type=return_type, inverted=inverted
    )


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
    """Remove ``count`` elements by rank, counted from where a value is or would be, or all that follow.

    With the values 0, 5 and 9 and the value 5, rank 0 is 5 and -1 is 0; with the value 3, rank 0 is 5, too.
    """
    return operation(
        LISTS["remove_by_value_rank_range_relative"],
        bin_name,
        ctx,
        value,
        rank,
        count,
        return_type=return_type,
        inverted=inverted,
    )


def size(bin_name: str, *, ctx: ContextLike = ()) -> Operation:
    """Read the number of elements."""
    return operation(LISTS["size"], bin_name, ctx)


def get(bin_name: str, index: int, *, ctx: ContextLike = ()) -> Operation:
    """Read the element at an index."""
    return operation(LISTS["get"], bin_name, ctx, index)


def get_range(bin_name: str, index: int, count: int | None = None, *, ctx: ContextLike = ()) -> Operation:
    """Read ``count`` elements from an index on, or all that follow, as a list."""
    return operation(LISTS["get_range"], bin_name, ctx, index, count)


def get_by_index(
    bin_name: str, index: int, *, return_type: ListReturn = ListReturn.VALUE, ctx: ContextLike = ()
) -> Operation:
    """Read the element at an index: 0 is the first, -1 the last."""
    return operation(LISTS["get_by_index"], bin_name, ctx, index, return_type=return_type)


def get_by_index_range(
    bin_name: str,
    index: int,
    count: int | None = None,
    *,
    return_type: ListReturn = ListReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read ``count`` elements from an index on, or all that follow."""
    return operation(
        LISTS["get_by_index_range"], bin_name, ctx, index, count, return_type=return_type, inverted=inverted
    )


def get_by_rank(
    bin_name: str, rank: int, *, return_type: ListReturn = ListReturn.VALUE, ctx: ContextLike = ()
) -> Operation:
    """Read the element at a rank: 0 is the least value, -1 the greatest."""
    return operation(LISTS["get_by_rank"], bin_name, ctx, rank, return_type=return_type)


def get_by_rank_range(
    bin_name: str,
    rank: int,
    count: int | None = None,
    *,
    return_type: ListReturn = ListReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read ``count`` elements from a rank on, or all that follow."""
    return operation(LISTS["get_by_rank_range"], bin_name, ctx, rank, count, return_type=return_type, inverted=inverted)


def get_by_value(
    bin_name: str,
    value: Any,
    *,
    return_type: ListReturn = ListReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read all elements with a value; INFINITY and WILDCARD may be in it."""
    return operation(LISTS["get_by_value"], bin_name, ctx, value, return_type=return_type, inverted=inverted)


def get_by_value_list(
    bin_name: str,
    values: Iterable[Any],
    *,
    return_type: ListReturn = ListReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read all elements with any of several values; INFINITY and WILDCARD may be in them."""
    return operation(LISTS["get_by_value_list"], bin_name, ctx, values, return_type=return_type, inverted=inverted)


def get_by_value_range(
    bin_name: str,
    begin: Any = None,
    end: Any = None,
    *,
    return_type: ListReturn = ListReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read all elements with a value from ``begin`` to ``end``, the latter excluded.

    Values of different types have an order, too: None, bool, int, str, list, dict, bytes, float, GeoJSON.

    Args:
        begin: the least value; None is less than every other.
        end: the bound above; None for no bound.
    """
    return operation(LISTS["get_by_value_range"], bin_name, ctx, begin, end, return_type=return_type, inverted=inverted)


def get_by_value_rank_range_relative(
    bin_name: str,
    value: Any,
    rank: int,
    count: int | None = None,
    *,
    return_type: ListReturn = ListReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read ``count`` elements by rank, counted from where a value is or would be, or all that follow.

    With the values 0, 5 and 9 and the value 5, rank 0 is 5 and -1 is 0; with the value 3, rank 0 is 5, too.
    """
    return operation(
        LISTS["get_by_value_rank_range_relative"],
        bin_name,
        ctx,
        value,
        rank,
        count,
        return_type=return_type,
        inverted=inverted,
    )
