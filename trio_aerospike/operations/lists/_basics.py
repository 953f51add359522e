"""Operations that write a list, and those that work by index alone.

``policy`` says what a write may do, and in which order a list is that the write creates; ``ctx`` is the way to a list
inside others, see :mod:`trio_aerospike.ctx`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trio_aerospike._cdt.arguments import as_list
from trio_aerospike._cdt.types import (
    PERSIST_INDEX,
    ListOrder,
    ListPolicy,
    ListSort,
    checked_flags,
    checked_policy,
)
from trio_aerospike._wire import cdt_ops as ops
from trio_aerospike.ctx import ContextLike, list_create_flag, require_creatable
from trio_aerospike.operations._cdt import is_empty, list_call
from trio_aerospike.operations._scalar import Operation
from trio_aerospike.validation import checked_enum, refused

_APPEND = list_call("append", ops.LIST_APPEND, writes=True)
_APPEND_ITEMS = list_call("append_items", ops.LIST_APPEND_ITEMS, writes=True)
_INSERT = list_call("insert", ops.LIST_INSERT, writes=True)
_INSERT_ITEMS = list_call("insert_items", ops.LIST_INSERT_ITEMS, writes=True)
_SET = list_call("set", ops.LIST_SET, writes=True)
_INCREMENT = list_call("increment", ops.LIST_INCREMENT, writes=True)
_CREATE = list_call("create", ops.LIST_SET_TYPE, writes=True)
_SET_ORDER = list_call("set_order", ops.LIST_SET_TYPE, writes=True)
_SORT = list_call("sort", ops.LIST_SORT, writes=True)
_CLEAR = list_call("clear", ops.LIST_CLEAR, writes=True)
_POP = list_call("pop", ops.LIST_POP, writes=True)
_POP_RANGE = list_call("pop_range", ops.LIST_POP_RANGE, writes=True)
_REMOVE = list_call("remove", ops.LIST_REMOVE, writes=True)
_REMOVE_RANGE = list_call("remove_range", ops.LIST_REMOVE_RANGE, writes=True)
_TRIM = list_call("trim", ops.LIST_TRIM, writes=True)
_SIZE = list_call("size", ops.LIST_SIZE)
_GET = list_call("get", ops.LIST_GET)
_GET_RANGE = list_call("get_range", ops.LIST_GET_RANGE)


def create(
    bin_name: str,
    order: ListOrder = ListOrder.UNORDERED,
    *,
    pad: bool = False,
    persist_index: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Create an empty list, or give one that exists its order. It gives back nothing.

    Args:
        bin_name: the bin.
        order: the list's order.
        pad: with ``ctx``: an index beyond the end of the list around it is taken, and the room between filled with
            None.
        persist_index: without ``ctx``: store the list's index along with it.
        ctx: the way to the place of the list; its last step, by index of a list or by key of a map, is the place
            itself. A list around it that is missing, too, is made with the same order.

    Raises:
        InvalidArgError: an argument is none of these, or they do not go together.
    """
    order = checked_enum("lists.create.order", order, ListOrder)
    flag = list_create_flag("lists.create", order, pad)
    if is_empty(ctx):
        if pad:
            raise refused("lists.create.pad", pad, "False without ctx: there is no list around the new one")
        return _CREATE.operation(bin_name, (_with_index("lists.create", order, persist_index, ()),), ())
    require_creatable("lists.create.ctx", ctx)
    args = (_with_index("lists.create", order, persist_index, ctx),)
    return _CREATE.operation(bin_name, args, ctx, create=flag)


def set_order(bin_name: str, order: ListOrder, *, persist_index: bool = False, ctx: ContextLike = ()) -> Operation:
    """Give a list its order, and sort it where that is ORDERED. It gives back nothing.

    Args:
        bin_name: the bin; one that does not exist becomes an empty list.
        order: the order.
        persist_index: without ``ctx``: store the list's index along with it.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these, or they do not go together.
    """
    order = checked_enum("lists.set_order.order", order, ListOrder)
    return _SET_ORDER.operation(bin_name, (_with_index("lists.set_order", order, persist_index, ctx),), ctx)


def append(bin_name: str, value: Any, *, policy: ListPolicy | None = None, ctx: ContextLike = ()) -> Operation:
    """Add a value: to the end, or where it belongs in an ordered list. It gives back the list's new size.

    Args:
        bin_name: the bin; one that does not exist becomes a list.
        value: what to add.
        policy: how; None for the defaults.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these, or the database cannot hold the value.
    """
    args = (_APPEND.value("value", value), *_order_and_flags("lists.append", policy))
    return _APPEND.operation(bin_name, args, ctx)


def append_items(
    bin_name: str, values: Iterable[Any], *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Operation:
    """Add several values, as :func:`append` adds one. It gives back the list's new size.

    Args:
        bin_name: the bin; one that does not exist becomes a list.
        values: what to add.
        policy: how; None for the defaults.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these, or the database cannot hold a value.
    """
    listed = _APPEND_ITEMS.value("values", as_list("lists.append_items.values", values, "values"))
    return _APPEND_ITEMS.operation(bin_name, (listed, *_order_and_flags("lists.append_items", policy)), ctx)


def insert(
    bin_name: str, index: int, value: Any, *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Operation:
    """Put a value before the element at an index of an unordered list. It gives back the list's new size.

    Args:
        bin_name: the bin; one that does not exist becomes a list.
        index: 0 for the first, negative from the end. Beyond the end, the room between is filled with None.
        value: what to put there.
        policy: how; None for the defaults. It cannot ask for an ordered list, which takes no insert.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these, or the database cannot hold the value.
    """
    args = (_INSERT.number("index", index), _INSERT.value("value", value), *_flags("lists.insert", policy))
    return _INSERT.operation(bin_name, args, ctx)


def insert_items(
    bin_name: str, index: int, values: Iterable[Any], *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Operation:
    """Put several values before the element at an index of an unordered list. It gives back the list's new size.

    Args:
        bin_name: the bin; one that does not exist becomes a list.
        index: as for :func:`insert`.
        values: what to put there.
        policy: how; None for the defaults. It cannot ask for an ordered list, which takes no insert.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these, or the database cannot hold a value.
    """
    listed = _INSERT_ITEMS.value("values", as_list("lists.insert_items.values", values, "values"))
    args = (_INSERT_ITEMS.number("index", index), listed, *_flags("lists.insert_items", policy))
    return _INSERT_ITEMS.operation(bin_name, args, ctx)


def set(bin_name: str, index: int, value: Any, *, policy: ListPolicy | None = None, ctx: ContextLike = ()) -> Operation:
    """Replace the element at an index of an unordered list. It gives back nothing.

    Args:
        bin_name: the bin; one that does not exist becomes a list.
        index: as for :func:`insert`.
        value: what to put there.
        policy: how; None for the defaults. It cannot ask for an ordered list, which takes no set.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these, or the database cannot hold the value.
    """
    args = (_SET.number("index", index), _SET.value("value", value), *_flags("lists.set", policy))
    return _SET.operation(bin_name, args, ctx)


def increment(
    bin_name: str,
    index: int,
    value: int | float = 1,
    *,
    policy: ListPolicy | None = None,
    ctx: ContextLike = (),
) -> Operation:
    """Add a number to the element at an index. It gives back the element's new value.

    Args:
        bin_name: the bin; one that does not exist becomes a list.
        index: 0 for the first, negative from the end.
        value: what to add, negative to subtract.
        policy: how; None for the defaults.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    number = _INCREMENT.number("index", index)
    args = (number, _INCREMENT.addend(value), *_order_and_flags("lists.increment", policy))
    return _INCREMENT.operation(bin_name, args, ctx)


def sort(bin_name: str, flags: ListSort = ListSort.DEFAULT, *, ctx: ContextLike = ()) -> Operation:
    """Sort a list once; its order as such stays what it is. It gives back nothing.

    Args:
        bin_name: the bin.
        flags: DESCENDING, DROP_DUPLICATES, or DEFAULT. Not both: servers up to 8.1 refuse that where there is
            anything to sort.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    chosen = checked_flags("lists.sort.flags", flags, ListSort)
    if chosen == ListSort.DESCENDING | ListSort.DROP_DUPLICATES:
        raise refused("lists.sort.flags", chosen, "DESCENDING or DROP_DUPLICATES, not both: servers refuse it")
    return _SORT.operation(bin_name, (chosen,), ctx)


def clear(bin_name: str, *, ctx: ContextLike = ()) -> Operation:
    """Remove all elements. It gives back nothing.

    Args:
        bin_name: the bin.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _CLEAR.operation(bin_name, (), ctx)


def pop(bin_name: str, index: int, *, ctx: ContextLike = ()) -> Operation:
    """Remove the element at an index, and give it back.

    Args:
        bin_name: the bin.
        index: 0 for the first, negative from the end.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _POP.operation(bin_name, (_POP.number("index", index),), ctx)


def pop_range(bin_name: str, index: int, count: int | None = None, *, ctx: ContextLike = ()) -> Operation:
    """Remove a number of elements from an index on, and give them back as a list.

    Args:
        bin_name: the bin.
        index: 0 for the first, negative from the end.
        count: how many, 0 or more; None for all that follow.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _POP_RANGE.operation(bin_name, (_POP_RANGE.number("index", index), *_POP_RANGE.count(count)), ctx)


def remove(bin_name: str, index: int, *, ctx: ContextLike = ()) -> Operation:
    """Remove the element at an index. It gives back how many were removed: 1.

    Args:
        bin_name: the bin.
        index: 0 for the first, negative from the end.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _REMOVE.operation(bin_name, (_REMOVE.number("index", index),), ctx)


def remove_range(bin_name: str, index: int, count: int | None = None, *, ctx: ContextLike = ()) -> Operation:
    """Remove a number of elements from an index on. It gives back how many were removed.

    Args:
        bin_name: the bin.
        index: 0 for the first, negative from the end.
        count: how many, 0 or more; None for all that follow.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    args = (_REMOVE_RANGE.number("index", index), *_REMOVE_RANGE.count(count))
    return _REMOVE_RANGE.operation(bin_name, args, ctx)


def trim(bin_name: str, index: int, count: int, *, ctx: ContextLike = ()) -> Operation:
    """Remove all but a number of elements from an index on. It gives back how many were removed.

    Args:
        bin_name: the bin.
        index: 0 for the first, negative from the end.
        count: how many stay, 0 or more.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    if count is None:
        raise refused("lists.trim.count", count, "an int of 0 or more")
    return _TRIM.operation(bin_name, (_TRIM.number("index", index), *_TRIM.count(count)), ctx)


def size(bin_name: str, *, ctx: ContextLike = ()) -> Operation:
    """Read how many elements a list has.

    Args:
        bin_name: the bin.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _SIZE.operation(bin_name, (), ctx)


def get(bin_name: str, index: int, *, ctx: ContextLike = ()) -> Operation:
    """Read the element at an index.

    Args:
        bin_name: the bin.
        index: 0 for the first, negative from the end.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _GET.operation(bin_name, (_GET.number("index", index),), ctx)


def get_range(bin_name: str, index: int, count: int | None = None, *, ctx: ContextLike = ()) -> Operation:
    """Read a number of elements from an index on, as a list.

    Args:
        bin_name: the bin.
        index: 0 for the first, negative from the end.
        count: how many, 0 or more; None for all that follow.
        ctx: the way to the list.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _GET_RANGE.operation(bin_name, (_GET_RANGE.number("index", index), *_GET_RANGE.count(count)), ctx)


def _with_index(what: str, order: ListOrder, persist_index: object, ctx: object) -> int:
    if not isinstance(persist_index, bool):
        raise refused(f"{what}.persist_index", persist_index, "True or False")
    if persist_index and not is_empty(ctx):
        raise refused(f"{what}.persist_index", persist_index, "False with ctx: only a whole bin keeps its index")
    return order | PERSIST_INDEX * persist_index


def _order_and_flags(what: str, policy: object) -> tuple[int, ...]:
    """A policy as arguments of a call; none where there is none, as the C client sends it."""
    if policy is None:
        return ()
    checked = checked_policy(f"{what}.policy", policy, ListPolicy)
    return int(checked.order), int(checked.write_flags)


def _flags(what: str, policy: object) -> tuple[int, ...]:
    """The same of calls that take flags only: what they do, they do to unordered lists."""
    if policy is None:
        return ()
    checked = checked_policy(f"{what}.policy", policy, ListPolicy)
    if checked.order is ListOrder.ORDERED:
        raise refused(f"{what}.policy.order", checked.order, "UNORDERED, as an ordered list chooses places itself")
    return (int(checked.write_flags),)
