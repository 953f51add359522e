"""List operations in expressions.

::

    from trio_aerospike import exp

    exp.lists.size("visits") > 10
    exp.lists.get_by_rank("scores", -1, exp.ExpType.INT) >= 90
    exp.lists.append("visits", exp.str_bin("page"))           # gives the list with one more; the bin stays as it is

The first argument is the list: an expression, a value, or the name of a bin. Other arguments are values or expressions,
unless their type says otherwise. Functions named ``get``, and ``size``, give what they find; all others give the whole
value with the change made, which is the outermost list or map where there is a context. These arguments are common to
them:

- ``ctx``: the context of a list inside others (:mod:`trio_aerospike.ctx`). In a function that changes the list, its
  steps may create missing elements.
- ``policy``: how to write; None leaves order and flags to the server.
- ``return_type``: what to give of what was found (ListReturn; VALUE by default). It decides the type:
  a single value is of ``value_type``, several are a list.
- ``inverted``: select all elements but those that were named.

The result is unknown, which is false for a filter, where the list does not exist or is of another type. All functions
raise InvalidArgError where an argument is invalid or has the wrong type.
"""

from __future__ import annotations

from trio_aerospike._cdt.lists_and_maps import (
    ListOrder as ListOrder,
    ListPolicy as ListPolicy,
    ListReturn as ListReturn,
    ListSort as ListSort,
    ListWrite as ListWrite,
)
from trio_aerospike._wire.cdt_ops import LISTS
from trio_aerospike.ctx import ContextLike
from trio_aerospike.exp._expression import Expression, Operand
from trio_aerospike.exp._operation_calls import apply
from trio_aerospike.exp._types import ExpType


def set_order(list_: Operand, order: ListOrder, *, ctx: ContextLike = ()) -> Expression:
    """Change the order in which the list is kept.

    Args:
        order: sorted by value, or in the order of the writes.
    """
    return apply(LISTS["set_order"], list_, ctx, order)


def append(list_: Operand, value: Operand, *, policy: ListPolicy | None = None, ctx: ContextLike = ()) -> Expression:
    """Add an element: at the end, or in its place in an ordered list."""
    return apply(LISTS["append"], list_, ctx, value, policy=policy)


def append_items(
    list_: Operand, values: Operand, *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Add several elements.

    Args:
        values: a list of them.
    """
    return apply(LISTS["append_items"], list_, ctx, values, policy=policy)


def insert(
    list_: Operand, index: Operand, value: Operand, *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Insert an element before an index of an unordered list.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
    """
    return apply(LISTS["insert"], list_, ctx, index, value, policy=policy)


def insert_items(
    list_: Operand, index: Operand, values: Operand, *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Insert several elements before an index of an unordered list.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
        values: a list of them.
    """
    return apply(LISTS["insert_items"], list_, ctx, index, values, policy=policy)


def set(
    list_: Operand, index: Operand, value: Operand, *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Replace the element at an index of an unordered list.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
    """
    return apply(LISTS["set"], list_, ctx, index, value, policy=policy)


def trim(list_: Operand, index: Operand, count: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove all but a number of elements from an index on.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
        count: how many stay.
    """
    return apply(LISTS["trim"], list_, ctx, index, count)


def clear(list_: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove all elements."""
    return apply(LISTS["clear"], list_, ctx)


def increment(
    list_: Operand, index: Operand, value: Operand, *, policy: ListPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Add a number to the element at an index.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
        value: an int or float, as the element is.
    """
    return apply(LISTS["increment"], list_, ctx, index, value, policy=policy)


def sort(list_: Operand, flags: ListSort = ListSort.DEFAULT, *, ctx: ContextLike = ()) -> Expression:
    """Sort the list once; its order stays what it is.

    Args:
        flags: DESCENDING, DROP_DUPLICATES, or DEFAULT. With both, servers up to 8.1 give an unknown result where there
            is anything to sort.
    """
    return apply(LISTS["sort"], list_, ctx, flags)


def remove_by_index(list_: Operand, index: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove the element at an index.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
    """
    return apply(LISTS["remove_by_index"], list_, ctx, index)


def remove_by_index_range(
    list_: Operand, index: Operand, count: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove a number of elements from an index on.

    Args:
        index: 0 for the first, negative from the end: -1 for the last.
        count: how many; None for all that follow.
    """
    return apply(LISTS["remove_by_index_range"], list_, ctx, index, count, inverted=inverted)


def remove_by_rank(list_: Operand, rank: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove the element at a rank.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
    """
    return apply(LISTS["remove_by_rank"], list_, ctx, rank)


def remove_by_rank_range(
    list_: Operand, rank: Operand, count: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove a number of elements from a rank on.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    return apply(LISTS["remove_by_rank_range"], list_, ctx, rank, count, inverted=inverted)


def remove_by_value(list_: Operand, value: Operand, *, inverted: bool = False, ctx: ContextLike = ()) -> Expression:
    """Remove all elements with a value."""
    return apply(LISTS["remove_by_value"], list_, ctx, value, inverted=inverted)


def remove_by_value_list(
    list_: Operand, values: Operand, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove all elements with one of several values.

    Args:
        values: a list of them.
    """
    return apply(LISTS["remove_by_value_list"], list_, ctx, values, inverted=inverted)


def remove_by_value_range(
    list_: Operand, begin: Operand = None, end: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove all elements with a value from ``begin`` to ``end``.

    Args:
        begin: the least one, itself included; None for no bound.
        end: the bound above, itself excluded; None for no bound.
    """
    return apply(LISTS["remove_by_value_range"], list_, ctx, begin, end, inverted=inverted)


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
    return apply(LISTS["remove_by_value_rank_range_relative"], list_, ctx, value, rank, count, inverted=inverted)


def size(list_: Operand, *, ctx: ContextLike = ()) -> Expression:
    """The number of elements."""
    return apply(LISTS["size"], list_, ctx)


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
        value_type: the type of the result, where ``return_type`` asks for a single value.
    """
    return apply(LISTS["get_by_index"], list_, ctx, index, return_type=return_type, value_type=value_type)


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
    return apply(LISTS["get_by_index_range"], list_, ctx, index, count, return_type=return_type, inverted=inverted)


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
        value_type: the type of the result, where ``return_type`` asks for a single value.
    """
    return apply(LISTS["get_by_rank"], list_, ctx, rank, return_type=return_type, value_type=value_type)


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
    return apply(LISTS["get_by_rank_range"], list_, ctx, rank, count, return_type=return_type, inverted=inverted)


def get_by_value(
    list_: Operand,
    value: Operand,
    *,
    return_type: ListReturn = ListReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """All elements with a value."""
    return apply(LISTS["get_by_value"], list_, ctx, value, return_type=return_type, inverted=inverted)


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
    return apply(LISTS["get_by_value_list"], list_, ctx, values, return_type=return_type, inverted=inverted)


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
        begin: the least one, itself included; None for no bound.
        end: the bound above, itself excluded; None for no bound.
    """
    return apply(LISTS["get_by_value_range"], list_, ctx, begin, end, return_type=return_type, inverted=inverted)


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
    return apply(
        LISTS["get_by_value_rank_range_relative"],
        list_,
        ctx,
        value,
        rank,
        count,
        return_type=return_type,
        inverted=inverted,
    )
