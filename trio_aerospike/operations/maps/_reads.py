"""Operations that read entries of a map.

Common to them are these arguments. ``return_type`` is what is given back (MapReturn; if not said, VALUE, the values).
``inverted`` turns the choice around: all entries but those that were named. ``ctx`` is the way to a map inside
others, see :mod:`trio_aerospike.ctx`.

An operation on one entry gives back one result, one on several a list, a dict or a number of them. A bin that does
not exist gives no result.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trio_aerospike._cdt.types import MapReturn
from trio_aerospike._wire import cdt_ops as ops
from trio_aerospike.ctx import ContextLike
from trio_aerospike.operations._cdt import map_call
from trio_aerospike.operations._scalar import Operation

_GET_BY_KEY = map_call("get_by_key", ops.MAP_GET_BY_KEY)
_GET_BY_KEY_LIST = map_call("get_by_key_list", ops.MAP_GET_BY_KEY_LIST)
_GET_BY_KEY_RANGE = map_call("get_by_key_range", ops.MAP_GET_BY_KEY_INTERVAL, ranges="index")
_GET_BY_KEY_INDEX_RANGE_RELATIVE = map_call(
    "get_by_key_index_range_relative", ops.MAP_GET_BY_KEY_REL_INDEX_RANGE, ranges="index"
)
_GET_BY_INDEX = map_call("get_by_index", ops.MAP_GET_BY_INDEX)
_GET_BY_INDEX_RANGE = map_call("get_by_index_range", ops.MAP_GET_BY_INDEX_RANGE, ranges="index")
_GET_BY_RANK = map_call("get_by_rank", ops.MAP_GET_BY_RANK)
_GET_BY_RANK_RANGE = map_call("get_by_rank_range", ops.MAP_GET_BY_RANK_RANGE, ranges="rank")
_GET_BY_VALUE = map_call("get_by_value", ops.MAP_GET_ALL_BY_VALUE, ranges="rank")
_GET_BY_VALUE_LIST = map_call("get_by_value_list", ops.MAP_GET_BY_VALUE_LIST)
_GET_BY_VALUE_RANGE = map_call("get_by_value_range", ops.MAP_GET_BY_VALUE_INTERVAL, ranges="rank")
_GET_BY_VALUE_RANK_RANGE_RELATIVE = map_call(
    "get_by_value_rank_range_relative", ops.MAP_GET_BY_VALUE_REL_RANK_RANGE, ranges="rank"
)


def get_by_key(
    bin_name: str, key: int | str | bytes, *, return_type: MapReturn = MapReturn.VALUE, ctx: ContextLike = ()
) -> Operation:
    """Read the entry with a key.

    Args:
        bin_name: the bin.
        key: an int of 64 bits, a str or bytes.
        return_type, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _GET_BY_KEY.by_key(bin_name, key, return_type, ctx)


def get_by_key_list(
    bin_name: str,
    keys: Iterable[int | str | bytes],
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read the entries with any of several keys.

    Args:
        bin_name: the bin.
        keys: each an int of 64 bits, a str or bytes.
        return_type, inverted, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _GET_BY_KEY_LIST.by_key_list(bin_name, keys, return_type, inverted, ctx)


def get_by_key_range(
    bin_name: str,
    begin: int | str | bytes | None = None,
    end: int | str | bytes | None = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read the entries with a key from ``begin`` to ``end``.

    Args:
        bin_name: the bin.
        begin: the least key, itself included; None for no bound.
        end: the bound above, itself excluded; None for no bound.
        return_type, inverted, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _GET_BY_KEY_RANGE.by_key_range(bin_name, begin, end, return_type, inverted, ctx)


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
    """Read a number of entries by index, counted from where a key is or would be.

    With the keys 0, 5 and 9 and the key 5, index 0 is 5 and -1 is 0; with the key 3, index 0 is 5, too.

    Args:
        bin_name: the bin.
        key: an int of 64 bits, a str or bytes; it need not be there.
        index: how far from the key it begins, negative before it.
        count: how many, 0 or more; None for all that follow.
        return_type, inverted, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _GET_BY_KEY_INDEX_RANGE_RELATIVE.by_key_relative(bin_name, key, index, count, return_type, inverted, ctx)


def get_by_index(
    bin_name: str, index: int, *, return_type: MapReturn = MapReturn.VALUE, ctx: ContextLike = ()
) -> Operation:
    """Read the entry at an index.

    Args:
        bin_name: the bin.
        index: 0 for the least key, negative from the greatest: -1 for the greatest.
        return_type, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _GET_BY_INDEX.one(bin_name, "index", index, return_type, ctx)


def get_by_index_range(
    bin_name: str,
    index: int,
    count: int | None = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read a number of entries from an index on.

    Args:
        bin_name: the bin.
        index: 0 for the least key, negative from the greatest: -1 for the greatest.
        count: how many, 0 or more; None for all that follow.
        return_type, inverted, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _GET_BY_INDEX_RANGE.span(bin_name, "index", index, count, return_type, inverted, ctx)


def get_by_rank(
    bin_name: str, rank: int, *, return_type: MapReturn = MapReturn.VALUE, ctx: ContextLike = ()
) -> Operation:
    """Read the entry at a rank.

    Args:
        bin_name: the bin.
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        return_type, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _GET_BY_RANK.one(bin_name, "rank", rank, return_type, ctx)


def get_by_rank_range(
    bin_name: str,
    rank: int,
    count: int | None = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read a number of entries from a rank on.

    Args:
        bin_name: the bin.
        rank: 0 for the least value, negative from the greatest: -1 for the greatest.
        count: how many, 0 or more; None for all that follow.
        return_type, inverted, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _GET_BY_RANK_RANGE.span(bin_name, "rank", rank, count, return_type, inverted, ctx)


def get_by_value(
    bin_name: str,
    value: Any,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read all entries with a value.

    Args:
        bin_name: the bin.
        value: the value; INFINITY and WILDCARD may be in it.
        return_type, inverted, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _GET_BY_VALUE.by_value(bin_name, value, return_type, inverted, ctx)


def get_by_value_list(
    bin_name: str,
    values: Iterable[Any],
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read all entries with any of several values.

    Args:
        bin_name: the bin.
        values: the values; INFINITY and WILDCARD may be in them.
        return_type, inverted, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _GET_BY_VALUE_LIST.by_value_list(bin_name, values, return_type, inverted, ctx)


def get_by_value_range(
    bin_name: str,
    begin: Any = None,
    end: Any = None,
    *,
    return_type: MapReturn = MapReturn.VALUE,
    inverted: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Read all entries with a value from ``begin`` to ``end``.

    Values of different types have an order, too: None, bool, int, str, list, dict, bytes, float, GeoJSON.

    Args:
        bin_name: the bin.
        begin: the least value, itself included; None is less than every other.
        end: the bound above, itself excluded; None for no bound.
        return_type, inverted, ctx: see above.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _GET_BY_VALUE_RANGE.by_value_range(bin_name, begin, end, return_type, inverted, ctx)


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
    """Read a number of entries by rank, counted from where a value is or would be.

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
    return _GET_BY_VALUE_RANK_RANGE_RELATIVE.by_value_relative(bin_name, value, rank, count, return_type, inverted, ctx)
