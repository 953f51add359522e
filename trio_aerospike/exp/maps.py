"""Map operations in expressions.

::

    from trio_aerospike import exp

    exp.maps.size("prices") > 10
    exp.maps.get_by_key("prices", "tea", exp.ExpType.FLOAT) < 4.5
    exp.maps.put("prices", "tea", 4.0)           # gives the map with the change; the bin stays as it is

The first argument is the map: an expression, a value, or the name of a bin. Other arguments are values or expressions,
unless their type says otherwise. ``ctx`` is the way to a map inside others (:mod:`trio_aerospike.ctx`); steps of it may
create what is missing where the map is changed. Functions named ``get``, and ``size``, give what they find; all others
give the whole value with the change made, the outermost list or map where there is a context.

``return_type`` is what is given of what was found (MapReturn; VALUE if not said), and decides the type: a single key or
value is what ``value_type`` says, several are a list or a map. ``inverted`` turns the choice around: all entries but
those named. Where the map does not exist or is none the result is unknown, which a filter takes for false.

All functions raise InvalidArgError where an argument is none of these or has the wrong type.
"""

from __future__ import annotations

from trio_aerospike._cdt.types import (
    MapOrder as MapOrder,
    MapPolicy as MapPolicy,
    MapReturn as MapReturn,
    MapWrite as MapWrite,
)
from trio_aerospike._wire.values import INFINITY
from trio_aerospike.ctx import ContextLike
from trio_aerospike.exp._apply import (
    checked_static,
    counted,
    map_order,
    map_policy,
    modify,
    read,
    read_elements,
    removal,
)
from trio_aerospike.exp._calls import MAPS
from trio_aerospike.exp._expression import Expression, Operand
from trio_aerospike.exp._types import ExpType


def set_order(map_: Operand, order: MapOrder, *, ctx: ContextLike = ()) -> Expression:
    """Keep the map in another order.

    Args:
        order: by key, by key with an index of the values, or none.
    """
    call = MAPS["set_order"]
    return modify(call, map_, [checked_static(call, "order", order)], ctx)


def put(
    map_: Operand, key: Operand, value: Operand, *, policy: MapPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Set the value of a key.

    Args:
        policy: how; None leaves order and flags to the server.
    """
    call = MAPS["put"]
    return modify(call, map_, [key, value, *map_policy(call, policy)], ctx)


def put_items(map_: Operand, items: Operand, *, policy: MapPolicy | None = None, ctx: ContextLike = ()) -> Expression:
    """Set the values of several keys.

    Args:
        items: a map of them.
        policy: how; None leaves order and flags to the server.
    """
    call = MAPS["put_items"]
    return modify(call, map_, [items, *map_policy(call, policy)], ctx)


def increment(
    map_: Operand, key: Operand, value: Operand, *, policy: MapPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Add a number to the value of a key; one that does not exist counts as 0.

    Args:
        value: an int or float, as the value is.
        policy: how; None leaves order and flags to the server.
    """
    call = MAPS["increment"]
    return modify(call, map_, [key, value, *map_order(call, policy)], ctx)


def decrement(
    map_: Operand, key: Operand, value: Operand, *, policy: MapPolicy | None = None, ctx: ContextLike = ()
) -> Expression:
    """Subtract a number from the value of a key; one that does not exist counts as 0.

    Args:
        value: an int or float, as the value is.
        policy: how; None leaves order and flags to the server.
    """
    call = MAPS["decrement"]
    return modify(call, map_, [key, value, *map_order(call, policy)], ctx)


def clear(map_: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove all entries."""
    return modify(MAPS["clear"], map_, [], ctx)


def remove_by_key(map_: Operand, key: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove the entry with a key."""
    call = MAPS["remove_by_key"]
    return modify(call, map_, [removal(call), key], ctx)


def remove_by_key_list(map_: Operand, keys: Operand, *, inverted: bool = False, ctx: ContextLike = ()) -> Expression:
    """Remove the entries with one of several keys.

    Args:
        keys: a list of them.
    """
    call = MAPS["remove_by_key_list"]
    return modify(call, map_, [removal(call, inverted), keys], ctx)


def remove_by_key_range(
    map_: Operand, begin: Operand = None, end: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove the entries with a key from ``begin`` to ``end``.

    Args:
        begin: the least that counts; None for no bound.
        end: what comes after the greatest that counts; None for no bound.
    """
    call = MAPS["remove_by_key_range"]
    return modify(call, map_, [removal(call, inverted), begin, INFINITY if end is None else end], ctx)


def remove_by_key_index_range_relative(
    map_: Operand, key: Operand, index: Operand, count: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove a number of entries by index, counted from where a key is or would be.

    Args:
        index: 0 for the least key, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    call = MAPS["remove_by_key_index_range_relative"]
    return modify(call, map_, [removal(call, inverted), key, index, *counted(count)], ctx)


def remove_by_value(map_: Operand, value: Operand, *, inverted: bool = False, ctx: ContextLike = ()) -> Expression:
    """Remove the entries with a value."""
    call = MAPS["remove_by_value"]
    return modify(call, map_, [removal(call, inverted), value], ctx)


def remove_by_value_list(
    map_: Operand, values: Operand, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove the entries with one of several values.

    Args:
        values: a list of them.
    """
    call = MAPS["remove_by_value_list"]
    return modify(call, map_, [removal(call, inverted), values], ctx)


def remove_by_value_range(
    map_: Operand, begin: Operand = None, end: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove the entries with a value from ``begin`` to ``end``.

    Args:
        begin: the least that counts; None for no bound.
        end: what comes after the greatest that counts; None for no bound.
    """
    call = MAPS["remove_by_value_range"]
    return modify(call, map_, [removal(call, inverted), begin, INFINITY if end is None else end], ctx)


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
    call = MAPS["remove_by_value_rank_range_relative"]
    return modify(call, map_, [removal(call, inverted), value, rank, *counted(count)], ctx)


def remove_by_index(map_: Operand, index: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove the entry at an index.

    Args:
        index: 0 for the least key, negative from the greatest: -1 for the greatest.
    """
    call = MAPS["remove_by_index"]
    return modify(call, map_, [removal(call), index], ctx)


def remove_by_index_range(
    map_: Operand, index: Operand, count: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove a number of entries from an index on.

    Args:
        index: 0 for the least key, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    call = MAPS["remove_by_index_range"]
    return modify(call, map_, [removal(call, inverted), index, *counted(count)], ctx)


def remove_by_rank(map_: Operand, rank: Operand, *, ctx: ContextLike = ()) -> Expression:
    """Remove the entry at a rank.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
    """
    call = MAPS["remove_by_rank"]
    return modify(call, map_, [removal(call), rank], ctx)


def remove_by_rank_range(
    map_: Operand, rank: Operand, count: Operand = None, *, inverted: bool = False, ctx: ContextLike = ()
) -> Expression:
    """Remove a number of entries from a rank on.

    Args:
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        count: how many; None for all that follow.
    """
    call = MAPS["remove_by_rank_range"]
    return modify(call, map_, [removal(call, inverted), rank, *counted(count)], ctx)


def size(map_: Operand, *, ctx: ContextLike = ()) -> Expression:
    """How many entries the map has."""
    return read(MAPS["size"], map_, [], ctx)


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
        value_type: the type of the answer, where ``return_type`` is a single key or value.
    """
    return read_elements(MAPS["get_by_key"], map_, [key], return_type, ctx, value_type=value_type)


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
    return read_elements(MAPS["get_by_key_list"], map_, [keys], return_type, ctx, inverted=inverted)


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
        begin: the least that counts; None for no bound.
        end: what comes after the greatest that counts; None for no bound.
    """
    return read_elements(
        MAPS["get_by_key_range"], map_, [begin, INFINITY if end is None else end], return_type, ctx, inverted=inverted
    )


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
    return read_elements(
        MAPS["get_by_key_index_range_relative"],
        map_,
        [key, index, *counted(count)],
        return_type,
        ctx,
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
    return read_elements(MAPS["get_by_value"], map_, [value], return_type, ctx, inverted=inverted)


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
    return read_elements(MAPS["get_by_value_list"], map_, [values], return_type, ctx, inverted=inverted)


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
        begin: the least that counts; None for no bound.
        end: what comes after the greatest that counts; None for no bound.
    """
    return read_elements(
        MAPS["get_by_value_range"], map_, [begin, INFINITY if end is None else end], return_type, ctx, inverted=inverted
    )


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
    return read_elements(
        MAPS["get_by_value_rank_range_relative"],
        map_,
        [value, rank, *counted(count)],
        return_type,
        ctx,
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
        value_type: the type of the answer, where ``return_type`` is a single key or value.
    """
    return read_elements(MAPS["get_by_index"], map_, [index], return_type, ctx, value_type=value_type)


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
    return read_elements(
        MAPS["get_by_index_range"], map_, [index, *counted(count)], return_type, ctx, inverted=inverted
    )


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
        value_type: the type of the answer, where ``return_type`` is a single key or value.
    """
    return read_elements(MAPS["get_by_rank"], map_, [rank], return_type, ctx, value_type=value_type)


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
    return read_elements(MAPS["get_by_rank_range"], map_, [rank, *counted(count)], return_type, ctx, inverted=inverted)
