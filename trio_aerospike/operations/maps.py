"""Operations on maps, for ``operate``, ``operate_ordered`` and batches.

::

    from trio_aerospike import maps

    record = await client.operate(key, [
        maps.increment("clicks", "home"),
        maps.get_by_rank_range("clicks", -10, return_type=maps.MapReturn.KEY_VALUE),
    ])

Functions named ``get``, and ``size``, read; all others write. These arguments are common to them:

- ``bin_name``: the bin. A write that adds something creates a missing bin; a removal leaves it missing; a read gives
  no result.
- ``key``: an int of 64 bits, a str or bytes.
- ``index``: the entry's position if the map were sorted by key: 0 for the least key, negative from the greatest: -1 for
  the greatest.
- ``rank``: its position if the map were sorted by value: 0 for the least value, negative from the greatest: -1 for the
  greatest.
- ``count``: how many, 0 or more; None for all that follow.
- ``policy``: what a write may do, and the order of a map that it creates; None for the defaults.
- ``return_type``: what the result holds of the entries (MapReturn). A read gives the values and a removal nothing by
  default. Several entries with keys and values are a dict: an OrderedMap with KEY_VALUE and ORDERED_MAP, a plain one
  with UNORDERED_MAP. Iterating over it gives the order of the answer.
- ``inverted``: select all entries but those that were named.
- ``ctx``: the context of a map inside others, see :mod:`trio_aerospike.ctx`; empty for the bin's own map.

Arguments are checked and encoded when the operation is made: every function raises InvalidArgError for an invalid one.
What the server refuses is an error of the command: an index out of bounds, or an operation that does not fit, is
ServerError with result code 26 (OP_NOT_APPLICABLE), a key that must be new and is not has code 24 (ELEMENT_EXISTS), one
that must exist and does not has 23 (ELEMENT_NOT_FOUND), a bin of another type is BinTypeError. All of an ``operate``
happens, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trio_aerospike._cdt.lists_and_maps import (
    MapOrder as MapOrder,
    MapPolicy as MapPolicy,
    MapReturn as MapReturn,
    MapWrite as MapWrite,
)
from trio_aerospike._wire.cdt_ops import MAPS
from trio_aerospike.ctx import ContextLike, map_create_flag
from trio_aerospike.operations import _from_tables
from trio_aerospike.operations._from_tables import operation
from trio_aerospike.operations._scalar import Operation
from trio_aerospike.validation import checked_enum


def create(
    bin_name: str,
    order: MapOrder = MapOrder.UNORDERED,
    *,
    persist_index: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Create an empty map, or give an existing one its order. It has no result.

    Args:
        order: the map's order.
        persist_index: without ``ctx``: store the map's index as well.
        ctx: where the map goes; the last step, by index of a list or by key of a map, is its place. A missing map
            around it is created with the same order.
    """
    order = checked_enum("maps.create.order", order, MapOrder)
    return _from_tables.set_order(MAPS["create"], bin_name, ctx, order, persist_index, create=map_create_flag(order))


def set_order(bin_name: str, order: MapOrder, *, persist_index: bool = False, ctx: ContextLike = ()) -> Operation:
    """Give a map its order. It has no result.

    Args:
        order: the order; a missing bin becomes an empty map.
        persist_index: without ``ctx``: store the map's index as well.
    """
    order = checked_enum("maps.set_order.order", order, MapOrder)
    return _from_tables.set_order(MAPS["set_order"], bin_name, ctx, order, persist_index)


def put(
    bin_name: str, key: int | str | bytes, value: Any, *, policy: MapPolicy | None = None, ctx: ContextLike = ()
) -> Operation:
    """Set the value of a key. The result is the new size."""
    return operation(MAPS["put"], bin_name, ctx, key, value, policy=policy)


def put_items(
    bin_name: str,
    items: Mapping[int | str | bytes, Any] | Mapping[str, Any] | Mapping[int, Any] | Mapping[bytes, Any],
    *,
    policy: MapPolicy | None = None,
    ctx: ContextLike = (),
) -> Operation:
    """Set the values of several keys. The result is the new size."""
    return operation(MAPS["put_items"], bin_name, ctx, items, policy=policy)


def increment(
    bin_name: str,
    key: int | str | bytes,
    value: int | float = 1,
    *,
    policy: MapPolicy | None = None,
    ctx: ContextLike = (),
) -> Operation:
    """Add a number to the value of a key; a missing one counts as 0. The result is the new value.

    Args:
        policy: without write flags, as an increment may always create and change.
    """
    return operation(MAPS["increment"], bin_name, ctx, key, value, policy=policy)


def decrement(
    bin_name: str,
    key: int | str | bytes,
    value: int | float = 1,
    *,
    policy: MapPolicy | None = None,
    ctx: ContextLike = (),
) -> Operation:
    """Subtract a number from the value of a key, as :func:`increment` adds one. The result is the new value."""
    return operation(MAPS["decrement"], bin_name, ctx, key, value, policy=policy)


def clear(bin_name: str, *, ctx: ContextLike = ()) -> Operation:
    """Remove all entries. It has no result."""
    return operation(MAPS["clear"], bin_name, ctx)


def remove_by_key(
    bin_name: str, key: int | str | bytes, *, return_type: MapReturn = MapReturn.NONE, ctx: ContextLike = ()
) -> Operation:
    """Remove the entry with a key."""
    return operation(MAPS["remove_by_key"], bin_name, ctx, key, return_type=return_type)


def remove_by_key_list(
    bin_name: str,
    keys: Iterable[int | str | bytes],
    *,
    return_type: MapReturn = MapReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove the entries with any of several keys."""
    return operation(MAPS["remove_by_key_list"], bin_name, ctx, keys, return_type=return_type, inverted=inverted)


def remove_by_key_range(
    bin_name: str,
    begin: int | str | bytes | None = None,
    end: int | str | bytes | None = None,
    *,
    return_type: MapReturn = MapReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove the entries with a key from ``begin`` to ``end``, the latter excluded; None is no bound."""
    return operation(MAPS["remove_by_key_range"], bin_name, ctx, begin, end, return_type=return_type, inverted=inverted)


def remove_by_key_index_range_relative(
    bin_name: str,
    key: int | str | bytes,
    index: int,
    count: int | None = None,
    *,
    return_type: MapReturn = MapReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove ``count`` entries by index, counted from where a key is or would be, or all that follow.

    With the keys 0, 5 and 9 and the key 5, index 0 is 5 and -1 is 0; with the key 3, index 0 is 5, too.
    """
    return operation(
        MAPS["remove_by_key_index_range_relative"],
        bin_name,
        ctx,
        key,
        index,
        count,
        return_type=return_type,
        inverted=inverted,
    )


def remove_by_index(
    bin_name: str, index: int, *, return_type: MapReturn = MapReturn.NONE, ctx: ContextLike = ()
) -> Operation:
    """Remove the entry at an index: 0 is the least key, -1 the greatest."""
    return operation(MAPS["remove_by_index"], bin_name, ctx, index, return_type=return_type)


def remove_by_index_range(
    bin_name: str,
    index: int,
    count: int | None = None,
    *,
    return_type: MapReturn = MapReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove ``count`` entries from an index on, or all that follow."""
    return operation(
        MAPS["remove_by_index_range"], bin_name, ctx, index, count, return_type=return_type, inverted=inverted
    )


def remove_by_rank(
    bin_name: str, rank: int, *, return_type: MapReturn = MapReturn.NONE, ctx: ContextLike = ()
) -> Operation:
    """Remove the entry at a rank: 0 is the least value, -1 the greatest."""
    return operation(MAPS["remove_by_rank"], bin_name, ctx, rank, return_type=return_type)


def remove_by_rank_range(
    bin_name: str,
    rank: int,
    count: int | None = None,
    *,
    return_type: MapReturn = MapReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove ``count`` entries from a rank on, or all that follow."""
    return operation(
        MAPS["remove_by_rank_range"], bin_name, ctx, rank, count, return_type=return_type, inverted=inverted
    )


def remove_by_value(
    bin_name: str, value: Any, *, return_type: MapReturn = MapReturn.NONE, inverted: bool = False, ctx: ContextLike = ()
) -> Operation:
    """Remove all entries with a value; INFINITY and WILDCARD may be in it."""
    return operation(MAPS["remove_by_value"], bin_name, ctx, value, return_type=return_type, inverted=inverted)


def remove_by_value_list(
    bin_name: str,
    values: Iterable[Any],
    *,
    return_type: MapReturn = MapReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove all entries with any of several values; INFINITY and WILDCARD may be in them."""
    return operation(MAPS["remove_by_value_list"], bin_name, ctx, values, return_type=return_type, inverted=inverted)


def remove_by_value_range(
    bin_name: str,
    begin: Any = None,
    end: Any = None,
    *,
    return_type: MapReturn = MapReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove all entries with a value from ``begin`` to ``end``, the latter excluded.

    Values of different types have an order, too: None, bool, int, str, list, dict, bytes, float, GeoJSON.

    Args:
        begin: the least value; None is less than every other.
        end: the bound above; None for no bound.
    """
    return operation(
        MAPS["remove_by_value_range"], bin_name, ctx, begin, end, return_type=return_type, inverted=inverted
    )


def remove_by_value_rank_range_relative(
    bin_name: str,
    value: Any,
    rank: int,
    count: int | None = None,
    *,
    return_type: MapReturn = MapReturn.NONE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Remove ``count`` entries by rank, counted from where a value is or would be, or all that follow.

    With the values 0, 5 and 9 and the value 5, rank 0 is 5 and -1 is 0; with the value 3, rank 0 is 5, too.
    """
    return operation(
        MAPS["remove_by_value_rank_range_relative"],
        bin_name,
        ctx,
        value,
        rank,
        count,
        return_type=return_type,
        inverted=inverted,
    )


def size(bin_name: str, *, ctx: ContextLike = ()) -> Operation:
    """Read the number of entries."""
    return operation(MAPS["size"], bin_name, ctx)


def get_by_key(
    bin_name: str, key: int | str | bytes, *, return_type: MapReturn = MapReturn.VALUE, ctx: ContextLike = ()
) -> Operation:
    """Read the entry with a key."""
    return operation(MAPS["get_by_key"], bin_name, ctx, key, return_type=return_type)


def get_by_key_list(
    bin_name: str,
    keys: Iterable[int | str | bytes],
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read the entries with any of several keys."""
    return operation(MAPS["get_by_key_list"], bin_name, ctx, keys, return_type=return_type, inverted=inverted)


def get_by_key_range(
    bin_name: str,
    begin: int | str | bytes | None = None,
    end: int | str | bytes | None = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read the entries with a key from ``begin`` to ``end``, the latter excluded; None is no bound."""
    return operation(MAPS["get_by_key_range"], bin_name, ctx, begin, end, return_type=return_type, inverted=inverted)


def get_by_key_index_range_relative(
    bin_name: str,
    key: int | str | bytes,
    index: int,
    count: int | None = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read ``count`` entries by index, counted from where a key is or would be, or all that follow.

    With the keys 0, 5 and 9 and the key 5, index 0 is 5 and -1 is 0; with the key 3, index 0 is 5, too.
    """
    return operation(
        MAPS["get_by_key_index_range_relative"],
        bin_name,
        ctx,
        key,
        index,
        count,
        return_type=return_type,
        inverted=inverted,
    )


def get_by_index(
    bin_name: str, index: int, *, return_type: MapReturn = MapReturn.VALUE, ctx: ContextLike = ()
) -> Operation:
    """Read the entry at an index: 0 is the least key, -1 the greatest."""
    return operation(MAPS["get_by_index"], bin_name, ctx, index, return_type=return_type)


def get_by_index_range(
    bin_name: str,
    index: int,
    count: int | None = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read ``count`` entries from an index on, or all that follow."""
    return operation(
        MAPS["get_by_index_range"], bin_name, ctx, index, count, return_type=return_type, inverted=inverted
    )


def get_by_rank(
    bin_name: str, rank: int, *, return_type: MapReturn = MapReturn.VALUE, ctx: ContextLike = ()
) -> Operation:
    """Read the entry at a rank: 0 is the least value, -1 the greatest."""
    return operation(MAPS["get_by_rank"], bin_name, ctx, rank, return_type=return_type)


def get_by_rank_range(
    bin_name: str,
    rank: int,
    count: int | None = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read ``count`` entries from a rank on, or all that follow."""
    return operation(MAPS["get_by_rank_range"], bin_name, ctx, rank, count, return_type=return_type, inverted=inverted)


def get_by_value(
    bin_name: str,
    value: Any,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read all entries with a value; INFINITY and WILDCARD may be in it."""
    return operation(MAPS["get_by_value"], bin_name, ctx, value, return_type=return_type, inverted=inverted)


def get_by_value_list(
    bin_name: str,
    values: Iterable[Any],
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read all entries with any of several values; INFINITY and WILDCARD may be in them."""
    return operation(MAPS["get_by_value_list"], bin_name, ctx, values, return_type=return_type, inverted=inverted)


def get_by_value_range(
    bin_name: str,
    begin: Any = None,
    end: Any = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read all entries with a value from ``begin`` to ``end``, the latter excluded.

    Values of different types have an order, too: None, bool, int, str, list, dict, bytes, float, GeoJSON.

    Args:
        begin: the least value; None is less than every other.
        end: the bound above; None for no bound.
    """
    return operation(MAPS["get_by_value_range"], bin_name, ctx, begin, end, return_type=return_type, inverted=inverted)


def get_by_value_rank_range_relative(
    bin_name: str,
    value: Any,
    rank: int,
    count: int | None = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read ``count`` entries by rank, counted from where a value is or would be, or all that follow.

    With the values 0, 5 and 9 and the value 5, rank 0 is 5 and -1 is 0; with the value 3, rank 0 is 5, too.
    """
    return operation(
        MAPS["get_by_value_rank_range_relative"],
        bin_name,
        ctx,
        value,
        rank,
        count,
        return_type=return_type,
        inverted=inverted,
    )
