"""Map operations in expressions.

::

    from trio_aerospike import exp

    exp.maps.size("prices") > 10
    exp.maps.get_by_key("prices", "tea", exp.ExpType.FLOAT) < 4.5
    exp.maps.put("prices", "tea", 4.0)           # gives the map with the change; the bin stays as it is

The first argument is the map: an expression, a value, or the name of a bin. Other arguments are values or expressions,
unless their type says otherwise. Functions named ``get``, and ``size``, give what they find; all others give the whole
value with the change made, which is the outermost list or map where there is a context. These arguments are common to
them:

- ``ctx``: the context of a map inside others (:mod:`trio_aerospike.ctx`). In a function that changes the map, its steps
  may create missing elements.
- ``policy``: how to write; None leaves order and flags to the server.
- ``return_type``: what to give of what was found (MapReturn; VALUE by default). It decides the type: a
  single key or value is of ``value_type``, several are a list or a map.
- ``inverted``: select all entries but those that were named.

The result is unknown, which is false for a filter, where the map does not exist or is of another type. All functions
raise InvalidArgError where an argument is invalid or has the wrong type.
"""

from __future__ import annotations

from trio_aerospike._cdt.lists_and_maps import (
    MapOrder as MapOrder,
    MapPolicy as MapPolicy,
    MapReturn as MapReturn,
    MapWrite as MapWrite,
)
from trio_aerospike._wire.cdt_ops import MAPS
from trio_aerospike.ctx import ContextLike
from trio_aerospike.exp._expression import Expression, Operand
from trio_aerospike.exp._operation_calls import apply
from trio_aerospike.exp._types import ExpType


def set_order(map_: Operand, order: MapOrder, *, ctx: ContextLike = ()) -> Expression:
    """Change the order in which the map is kept.

    Args:
        order: by key, by key with an index of the values, or none.
    """
    return apply(MAPS["set_order"], map_, ctx, order)


def put(
    map_: Operand, key: Operand, value: Operand, *, policy: MapPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Set the value of a key."""
    return apply(MAPS["put"], map_, ctx, key, value, policy=policy)


def put_items(map_: Operand, items: Operand, *, policy: MapPolicy | None = None, ctx: ContextLike = ()) -> Expression:
    """Set the values of several keys.

    Args:
        items: a map of them.
    """
    return apply(MAPS["put_items"], map_, ctx, items, policy=policy)


def increment(
    map_: Operand, key: Operand, value: Operand, *, policy: MapPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Add a number to the value of a key; a missing one counts as 0.

    Args:
        value: an int or float, as the value is.
    """
    return apply(MAPS["increment"], map_, ctx, key, value, policy=policy)


def decrement(
    map_: Operand, key: Operand, value: Operand, *, policy: MapPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Subtract a number from the value of a key; a missing one counts as 0.

    Args:
        value: an int or float, as the value is.
    """
    return apply(MAPS["decrement"], map_, ctx, key, value, policy=policy)


def clear(map_: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove all entries."""
    return apply(MAPS["clear"], map_, ctx)


def remove_by_key(map_: Operand, key: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove the entry with a key."""
    return apply(MAPS["remove_by_key"], map_, ctx, key)


def remove_by_key_list(map_: Operand, keys: Operand, *, inverted: bool = False, ctx: ContextLike = ()) -> Expression:
    """Remove the entries with one of several keys.

    Args:
        keys: a list of them.
    """
    return apply(MAPS["remove_by_key_list"], map_, ctx, keys, inverted=inverted)


def remove_by_key_range(
    map_: Operand, begin: Operand = None, end: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove the entries with a key from ``begin`` to ``end``.

    Args:
        begin: the least one, itself included; None for no bound.
        end: the bound above, itself excluded; None for no bound.
    """
    return apply(MAPS["remove_by_key_range"], map_, ctx, begin, end, inverted=inverted)


def remove_by_key_index_range_relative(
    map_: Operand, key: Operand, index: Operand, count: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove a number of entries by index, counted from where a key is or would be.

    Args:
        index: 0 for the least key, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    return apply(MAPS["remove_by_key_index_range_relative"], map_, ctx, key, index, count, inverted=inverted)


def remove_by_value(map_: Operand, value: Operand, *, inverted: bool = False, ctx: ContextLike = ()) -> Expression:
    """Remove the entries with a value."""
    return apply(MAPS["remove_by_value"], map_, ctx, value, inverted=inverted)


def remove_by_value_list(
    map_: Operand, values: Operand, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove the entries with one of several values.

    Args:
        values: a list of them.
    """
    return apply(MAPS["remove_by_value_list"], map_, ctx, values, inverted=inverted)


def remove_by_value_range(
    map_: Operand, begin: Operand = None, end: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove the entries with a value from ``begin`` to ``end``.

    Args:
        begin: the least one, itself included; None for no bound.
        end: the bound above, itself excluded; None for no bound.
    """
    return apply(MAPS["remove_by_value_range"], map_, ctx, begin, end, inverted=inverted)


def remove_by_value_rank_range_relative(
    map_: Operand,
    value: Operand,
    rank: Operand,
    count: Operand = None,
    *,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """Remove a number of entries by rank, counted from where a value is or would be.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    return apply(MAPS["remove_by_value_rank_range_relative"], map_, ctx, value, rank, count, inverted=inverted)


def remove_by_index(map_: Operand, index: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove the entry at an index.

    Args:
        index: 0 for the least key, negative from the greatest: -1 for the greatest.
    """
    return apply(MAPS["remove_by_index"], map_, ctx, index)


def remove_by_index_range(
    map_: Operand, index: Operand, count: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove a number of entries from an index on.

    Args:
        index: 0 for the least key, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    return apply(MAPS["remove_by_index_range"], map_, ctx, index, count, inverted=inverted)


def remove_by_rank(map_: Operand, rank: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove the entry at a rank.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
    """
    return apply(MAPS["remove_by_rank"], map_, ctx, rank)


def remove_by_rank_range(
    map_: Operand, rank: Operand, count: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove a number of entries from a rank on.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    return apply(MAPS["remove_by_rank_range"], map_, ctx, rank, count, inverted=inverted)


def size(map_: Operand, *, ctx: ContextLike = ()) -> Expression:
    """The number of entries."""
    return apply(MAPS["size"], map_, ctx)


def get_by_key(
    map_: Operand,
    key: Operand,
    value_type: ExpType | None = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    ctx: ContextLike = (),
) -> Expression:
    """The value of a key.

    Args:
        value_type: the type of the result, where ``return_type`` asks for a single key or value.
    """
    return apply(MAPS["get_by_key"], map_, ctx, key, return_type=return_type, value_type=value_type)


def get_by_key_list(
    map_: Operand,
    keys: Operand,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """The entries with one of several keys.

    Args:
        keys: a list of them.
    """
    return apply(MAPS["get_by_key_list"], map_, ctx, keys, return_type=return_type, inverted=inverted)


def get_by_key_range(
    map_: Operand,
    begin: Operand = None,
    end: Operand = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """The entries with a key from ``begin`` to ``end``.

    Args:
        begin: the least one, itself included; None for no bound.
        end: the bound above, itself excluded; None for no bound.
    """
    return apply(MAPS["get_by_key_range"], map_, ctx, begin, end, return_type=return_type, inverted=inverted)


def get_by_key_index_range_relative(
    map_: Operand,
    key: Operand,
    index: Operand,
    count: Operand = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """A number of entries by index, counted from where a key is or would be.

    Args:
        index: 0 for the least key, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    return apply(
        MAPS["get_by_key_index_range_relative"],
        map_,
        ctx,
        key,
        index,
        count,
        return_type=return_type,
        inverted=inverted,
    )


def get_by_value(
    map_: Operand,
    value: Operand,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """The entries with a value."""
    return apply(MAPS["get_by_value"], map_, ctx, value, return_type=return_type, inverted=inverted)


def get_by_value_list(
    map_: Operand,
    values: Operand,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """The entries with one of several values.

    Args:
        values: a list of them.
    """
    return apply(MAPS["get_by_value_list"], map_, ctx, values, return_type=return_type, inverted=inverted)


def get_by_value_range(
    map_: Operand,
    begin: Operand = None,
    end: Operand = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """The entries with a value from ``begin`` to ``end``.

    Args:
        begin: the least one, itself included; None for no bound.
        end: the bound above, itself excluded; None for no bound.
    """
    return apply(MAPS["get_by_value_range"], map_, ctx, begin, end, return_type=return_type, inverted=inverted)


def get_by_value_rank_range_relative(
    map_: Operand,
    value: Operand,
    rank: Operand,
    count: Operand = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """A number of entries by rank, counted from where a value is or would be.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    return apply(
        MAPS["get_by_value_rank_range_relative"],
        map_,
        ctx,
        value,
        rank,
        count,
        return_type=return_type,
        inverted=inverted,
    )


def get_by_index(
    map_: Operand,
    index: Operand,
    value_type: ExpType | None = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    ctx: ContextLike = (),
) -> Expression:
    """The value at an index.

    Args:
        index: 0 for the least key, negative from the greatest: -1 for the greatest.
        value_type: the type of the result, where ``return_type`` asks for a single key or value.
    """
    return apply(MAPS["get_by_index"], map_, ctx, index, return_type=return_type, value_type=value_type)


def get_by_index_range(
    map_: Operand,
    index: Operand,
    count: Operand = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """A number of entries from an index on.

    Args:
        index: 0 for the least key, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    return apply(MAPS["get_by_index_range"], map_, ctx, index, count, return_type=return_type, inverted=inverted)


def get_by_rank(
    map_: Operand,
    rank: Operand,
    value_type: ExpType | None = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    ctx: ContextLike = (),
) -> Expression:
    """The value at a rank.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        value_type: the type of the result, where ``return_type`` asks for a single key or value.
    """
    return apply(MAPS["get_by_rank"], map_, ctx, rank, return_type=return_type, value_type=value_type)


def get_by_rank_range(
    map_: Operand,
    rank: Operand,
    count: Operand = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """A number of entries from a rank on.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    return apply(MAPS["get_by_rank_range"], map_, ctx, rank, count, return_type=return_type, inverted=inverted)
