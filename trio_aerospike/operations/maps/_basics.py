"""Operations that write a map, and those on it as a whole.

``policy`` says what a write may do, and in which order a map is that the write creates; ``ctx`` is the way to a map
inside others, see :mod:`trio_aerospike.ctx`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trio_aerospike._cdt.arguments import packed_key
from trio_aerospike._cdt.types import PERSIST_INDEX, MapOrder, MapPolicy, MapWrite, checked_policy
from trio_aerospike._wire import cdt_ops as ops
from trio_aerospike.ctx import ContextLike, map_create_flag, require_creatable
from trio_aerospike.operations._cdt import Call, is_empty, map_call
from trio_aerospike.operations._scalar import Operation
from trio_aerospike.validation import checked_enum, refused

_CREATE = map_call("create", ops.MAP_SET_TYPE, writes=True)
_SET_ORDER = map_call("set_order", ops.MAP_SET_TYPE, writes=True)
_PUT = map_call("put", ops.MAP_PUT, writes=True)
_PUT_ITEMS = map_call("put_items", ops.MAP_PUT_ITEMS, writes=True)
_INCREMENT = map_call("increment", ops.MAP_INCREMENT, writes=True)
_DECREMENT = map_call("decrement", ops.MAP_DECREMENT, writes=True)
_CLEAR = map_call("clear", ops.MAP_CLEAR, writes=True)
_SIZE = map_call("size", ops.MAP_SIZE)


def create(
    bin_name: str,
    order: MapOrder = MapOrder.UNORDERED,
    *,
    persist_index: bool = False,
    ctx: ContextLike = (),
) -> Operation:
    """Create an empty map, or give one that exists its order. It gives back nothing.

    Args:
        bin_name: the bin.
        order: the map's order.
        persist_index: without ``ctx``: store the map's index along with it.
        ctx: the way to the place of the map; its last step, by index of a list or by key of a map, is the place
            itself. A map around it that is missing, too, is made with the same order.

    Raises:
        InvalidArgError: an argument is none of these, or they do not go together.
    """
    order = checked_enum("maps.create.order", order, MapOrder)
    args = (_with_index("maps.create", order, persist_index, ctx),)
    if is_empty(ctx):
        return _CREATE.operation(bin_name, args, ())
    require_creatable("maps.create.ctx", ctx)
    return _CREATE.operation(bin_name, args, ctx, create=map_create_flag(order))


def set_order(bin_name: str, order: MapOrder, *, persist_index: bool = False, ctx: ContextLike = ()) -> Operation:
    """Give a map its order. It gives back nothing.

    Args:
        bin_name: the bin; one that does not exist becomes an empty map.
        order: the order.
        persist_index: without ``ctx``: store the map's index along with it.
        ctx: the way to the map.

    Raises:
        InvalidArgError: an argument is none of these, or they do not go together.
    """
    order = checked_enum("maps.set_order.order", order, MapOrder)
    return _SET_ORDER.operation(bin_name, (_with_index("maps.set_order", order, persist_index, ctx),), ctx)


def put(
    bin_name: str, key: int | str | bytes, value: Any, *, policy: MapPolicy | None = None, ctx: ContextLike = ()
) -> Operation:
    """Set the value of a key. It gives back the map's new size.

    Args:
        bin_name: the bin; one that does not exist becomes a map.
        key: an int of 64 bits, a str or bytes.
        value: what to put there.
        policy: how; None for the defaults.
        ctx: the way to the map.

    Raises:
        InvalidArgError: an argument is none of these, or the database cannot hold the value.
    """
    written = (packed_key("maps.put.key", key), _PUT.value("value", value))
    return _PUT.operation(bin_name, (*written, *_put_arguments(_PUT, policy, ctx)), ctx)


def put_items(
    bin_name: str,
    items: Mapping[int | str | bytes, Any] | Mapping[str, Any] | Mapping[int, Any] | Mapping[bytes, Any],
    *,
    policy: MapPolicy | None = None,
    ctx: ContextLike = (),
) -> Operation:
    """Set the values of several keys. It gives back the map's new size.

    Args:
        bin_name: the bin; one that does not exist becomes a map.
        items: the values by their keys.
        policy: how; None for the defaults.
        ctx: the way to the map.

    Raises:
        InvalidArgError: an argument is none of these, or the database cannot hold a key or a value.
    """
    if not isinstance(items, Mapping):
        raise refused("maps.put_items.items", items, "a mapping of map keys to values")
    written = _PUT_ITEMS.value("items", items if isinstance(items, dict) else dict(items))
    return _PUT_ITEMS.operation(bin_name, (written, *_put_arguments(_PUT_ITEMS, policy, ctx)), ctx)


def increment(
    bin_name: str,
    key: int | str | bytes,
    value: int | float = 1,
    *,
    policy: MapPolicy | None = None,
    ctx: ContextLike = (),
) -> Operation:
    """Add a number to the value of a key; one that does not exist counts as 0. It gives back the new value.

    Args:
        bin_name: the bin; one that does not exist becomes a map.
        key: an int of 64 bits, a str or bytes.
        value: what to add.
        policy: how; None for the defaults. It cannot have flags: an increment always may create and change.
        ctx: the way to the map.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    args = (packed_key("maps.increment.key", key), _INCREMENT.addend(value), _attributes(_INCREMENT, policy, ctx))
    return _INCREMENT.operation(bin_name, args, ctx)


def decrement(
    bin_name: str,
    key: int | str | bytes,
    value: int | float = 1,
    *,
    policy: MapPolicy | None = None,
    ctx: ContextLike = (),
) -> Operation:
    """Subtract a number from the value of a key; one that does not exist counts as 0. It gives back the new value.

    Args:
        bin_name: the bin; one that does not exist becomes a map.
        key: an int of 64 bits, a str or bytes.
        value: what to subtract.
        policy: how; None for the defaults. It cannot have flags: a decrement always may create and change.
        ctx: the way to the map.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    args = (packed_key("maps.decrement.key", key), _DECREMENT.addend(value), _attributes(_DECREMENT, policy, ctx))
    return _DECREMENT.operation(bin_name, args, ctx)


def clear(bin_name: str, *, ctx: ContextLike = ()) -> Operation:
    """Remove all entries. It gives back nothing.

    Args:
        bin_name: the bin.
        ctx: the way to the map.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _CLEAR.operation(bin_name, (), ctx)


def size(bin_name: str, *, ctx: ContextLike = ()) -> Operation:
    """Read how many entries a map has.

    Args:
        bin_name: the bin.
        ctx: the way to the map.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return _SIZE.operation(bin_name, (), ctx)


def _with_index(what: str, order: MapOrder, persist_index: object, ctx: object) -> int:
    if not isinstance(persist_index, bool):
        raise refused(f"{what}.persist_index", persist_index, "True or False")
    if persist_index and not is_empty(ctx):
        raise refused(f"{what}.persist_index", persist_index, "False with ctx: only a whole bin keeps its index")
    return order | PERSIST_INDEX * persist_index


def _checked(call: Call, policy: object, ctx: object) -> MapPolicy:
    checked = checked_policy(f"{call.what}.policy", policy, MapPolicy)
    if checked.persist_index and not is_empty(ctx):
        raise refused(f"{call.what}.policy.persist_index", True, "False with ctx: only a whole bin keeps its index")
    return checked


def _put_arguments(call: Call, policy: object, ctx: object) -> tuple[int, ...]:
    """A policy as arguments of a call. The C client sends flags only where they say something, and an order always."""
    if policy is None:
        return (0,)
    checked = _checked(call, policy, ctx)
    return (checked._attributes, int(checked.write_flags)) if checked.write_flags else (checked._attributes,)


def _attributes(call: Call, policy: object, ctx: object) -> int:
    """The same of calls that take no flags."""
    if policy is None:
        return 0
    checked = _checked(call, policy, ctx)
    if checked.write_flags is not MapWrite.DEFAULT:
        raise refused(f"{call.what}.policy.write_flags", checked.write_flags, "DEFAULT, as the server takes no others")
    return checked._attributes
