"""List operations in expressions.

::

    from trio_aerospike import exp

    exp.lists.size("visits") > 10
    exp.lists.get_by_rank("scores", -1, exp.ExpType.INT) >= 90
    exp.lists.append("visits", exp.str_bin("page"))           # gives the list with one more; the bin stays as it is

The first argument is the list: an expression, a value, or the name of a bin. Other arguments are values or expressions,
unless their type says otherwise. ``ctx`` is the way to a list inside others (:mod:`trio_aerospike.ctx`); steps of it
may create what is missing where the list is changed. Functions named ``get``, and ``size``, give what they find; all
others give the whole value with the change made, the outermost list or map where there is a context.

``return_type`` is what is given of what was found (ListReturn; VALUE if not said), and decides the type: a single value
is what ``value_type`` says, several are a list. ``inverted`` turns the choice around: all elements but those named.
Where the list does not exist or is none the result is unknown, which a filter takes for false.

All functions raise InvalidArgError where an argument is none of these or has the wrong type.
"""

from __future__ import annotations

from trio_aerospike._cdt.types import (
    ListOrder as ListOrder,
    ListPolicy as ListPolicy,
    ListReturn as ListReturn,
    ListSort as ListSort,
    ListWrite as ListWrite,
)
from trio_aerospike._wire.values import INFINITY
from trio_aerospike.ctx import ContextLike
from trio_aerospike.exp._apply import (
    checked_static,
    counted,
    list_flags,
    list_policy,
    modify,
    read,
    read_elements,
    removal,
)
from trio_aerospike.exp._calls import LISTS
from trio_aerospike.exp._expression import Expression, Operand
from trio_aerospike.exp._types import ExpType


def set_order(list_: Operand, order: ListOrder, *, ctx: ContextLike = ()) -> Expression:
    """Keep the list in another order.

    Args:
        order: sorted by value, or in the order of the writes.
    """
    call = LISTS["set_order"]
    return modify(call, list_, [checked_static(call, "order", order)], ctx)


def append(list_: Operand, value: Operand, *, policy: ListPolicy | None = None, ctx: ContextLike = ()) -> Expression:
    """Add an element: at the end, or where an ordered list has its place.

    Args:
        policy: how; None leaves order and flags to the server.
    """
    call = LISTS["append"]
    return modify(call, list_, [value, *list_policy(call, policy)], ctx)


def append_items(
    list_: Operand, values: Operand, *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Add several elements.

    Args:
        values: a list of them.
        policy: how; None leaves order and flags to the server.
    """
    call = LISTS["append_items"]
    return modify(call, list_, [values, *list_policy(call, policy)], ctx)


def insert(
    list_: Operand, index: Operand, value: Operand, *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Insert an element before an index of an unordered list.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
        policy: how; None leaves order and flags to the server.
    """
    call = LISTS["insert"]
    return modify(call, list_, [index, value, *list_flags(call, policy)], ctx)


def insert_items(
    list_: Operand, index: Operand, values: Operand, *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Insert several elements before an index of an unordered list.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
        values: a list of them.
        policy: how; None leaves order and flags to the server.
    """
    call = LISTS["insert_items"]
    return modify(call, list_, [index, values, *list_flags(call, policy)], ctx)


def set(
    list_: Operand, index: Operand, value: Operand, *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Replace the element at an index of an unordered list.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
        policy: how; None leaves order and flags to the server.
    """
    call = LISTS["set"]
    return modify(call, list_, [index, value, *list_flags(call, policy)], ctx)


def trim(list_: Operand, index: Operand, count: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove all but a number of elements from an index on.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
        count: how many stay.
    """
    return modify(LISTS["trim"], list_, [index, count], ctx)


def clear(list_: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove all elements."""
    return modify(LISTS["clear"], list_, [], ctx)


def increment(
    list_: Operand, index: Operand, value: Operand, *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Add a number to the element at an index.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
        value: an int or float, as the element is.
        policy: how; None leaves order and flags to the server.
    """
    call = LISTS["increment"]
    return modify(call, list_, [index, value, *list_policy(call, policy)], ctx)


def sort(list_: Operand, flags: ListSort = ListSort.DEFAULT, *, ctx: ContextLike = ()) -> Expression:
    """Sort the list once; its order as such stays what it is.

    Args:
        flags: DESCENDING, DROP_DUPLICATES, or DEFAULT. With both the result is unknown where there is anything to
            sort: servers up to 8.1 do not work it out.
    """
    call = LISTS["sort"]
    return modify(call, list_, [checked_static(call, "flags", flags)], ctx)


def remove_by_index(list_: Operand, index: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove the element at an index.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
    """
    call = LISTS["remove_by_index"]
    return modify(call, list_, [removal(call), index], ctx)


def remove_by_index_range(
    list_: Operand, index: Operand, count: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove a number of elements from an index on.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
        count: how many; None for all that follow.
    """
    call = LISTS["remove_by_index_range"]
    return modify(call, list_, [removal(call, inverted), index, *counted(count)], ctx)


def remove_by_rank(list_: Operand, rank: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove the element at a rank.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
    """
    call = LISTS["remove_by_rank"]
    return modify(call, list_, [removal(call), rank], ctx)


def remove_by_rank_range(
    list_: Operand, rank: Operand, count: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove a number of elements from a rank on.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    call = LISTS["remove_by_rank_range"]
    return modify(call, list_, [removal(call, inverted), rank, *counted(count)], ctx)


def remove_by_value(list_: Operand, value: Operand, *, inverted: bool = False, ctx: ContextLike = ()) -> Expression:
    """Remove all elements with a value."""
    call = LISTS["remove_by_value"]
    return modify(call, list_, [removal(call, inverted), value], ctx)


def remove_by_value_list(
    list_: Operand, values: Operand, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove all elements with one of several values.

    Args:
        values: a list of them.
    """
    call = LISTS["remove_by_value_list"]
    return modify(call, list_, [removal(call, inverted), values], ctx)


def remove_by_value_range(
    list_: Operand, begin: Operand = None, end: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove all elements with a value from ``begin`` to ``end``.

    Args:
        begin: the least that counts; None for no bound.
        end: what comes after the greatest that counts; None for no bound.
    """
    call = LISTS["remove_by_value_range"]
    return modify(call, list_, [removal(call, inverted), begin, INFINITY if end is None else end], ctx)


def remove_by_value_rank_range_relative(
    list_: Operand,
    value: Operand,
    rank: Operand,
    count: Operand = None,
    *,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """Remove a number of elements by rank, counted from where a value is or would be.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    call = LISTS["remove_by_value_rank_range_relative"]
    return modify(call, list_, [removal(call, inverted), value, rank, *counted(count)], ctx)


def size(list_: Operand, *, ctx: ContextLike = ()) -> Expression:
    """How many elements the list has."""
    return read(LISTS["size"], list_, [], ctx)


def get_by_index(
    list_: Operand,
    index: Operand,
    value_type: ExpType | None = None,
    *,
    return_type: ListReturn = ListReturn.VALUE,
    ctx: ContextLike = (),
) -> Expression:
    """The element at an index.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
        value_type: the type of the answer, where ``return_type`` is a single value.
    """
    return read_elements(LISTS["get_by_index"], list_, [index], return_type, ctx, value_type=value_type)


def get_by_index_range(
    list_: Operand,
    index: Operand,
    count: Operand = None,
    *,
    return_type: ListReturn = ListReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """A number of elements from an index on.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
        count: how many; None for all that follow.
    """
    return read_elements(
        LISTS["get_by_index_range"], list_, [index, *counted(count)], return_type, ctx, inverted=inverted
    )


def get_by_rank(
    list_: Operand,
    rank: Operand,
    value_type: ExpType | None = None,
    *,
    return_type: ListReturn = ListReturn.VALUE,
    ctx: ContextLike = (),
) -> Expression:
    """The element at a rank.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        value_type: the type of the answer, where ``return_type`` is a single value.
    """
    return read_elements(LISTS["get_by_rank"], list_, [rank], return_type, ctx, value_type=value_type)


def get_by_rank_range(
    list_: Operand,
    rank: Operand,
    count: Operand = None,
    *,
    return_type: ListReturn = ListReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """A number of elements from a rank on.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    return read_elements(
        LISTS["get_by_rank_range"], list_, [rank, *counted(count)], return_type, ctx, inverted=inverted
    )


def get_by_value(
    list_: Operand,
    value: Operand,
    *,
    return_type: ListReturn = ListReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """All elements with a value."""
    return read_elements(LISTS["get_by_value"], list_, [value], return_type, ctx, inverted=inverted)


def get_by_value_list(
    list_: Operand,
    values: Operand,
    *,
    return_type: ListReturn = ListReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """All elements with one of several values.

    Args:
        values: a list of them.
    """
    return read_elements(LISTS["get_by_value_list"], list_, [values], return_type, ctx, inverted=inverted)


def get_by_value_range(
    list_: Operand,
    begin: Operand = None,
    end: Operand = None,
    *,
    return_type: ListReturn = ListReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """All elements with a value from ``begin`` to ``end``.

    Args:
        begin: the least that counts; None for no bound.
        end: what comes after the greatest that counts; None for no bound.
    """
    return read_elements(
        LISTS["get_by_value_range"],
        list_,
        [begin, INFINITY if end is None else end],
        return_type,
        ctx,
        inverted=inverted,
    )


def get_by_value_rank_range_relative(
    list_: Operand,
    value: Operand,
    rank: Operand,
    count: Operand = None,
    *,
    return_type: ListReturn = ListReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """A number of elements by rank, counted from where a value is or would be.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    return read_elements(
        LISTS["get_by_value_rank_range_relative"],
        list_,
        [value, rank, *counted(count)],
        return_type,
        ctx,
        inverted=inverted,
    )
