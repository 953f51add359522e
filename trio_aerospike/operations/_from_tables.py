"""Make operations from the tables: check the arguments of a call, encode them, and put bin and context around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

from trio_aerospike import ctx as contexts
from trio_aerospike._cdt.arguments import as_list, packed_key, packed_keys, packed_value
from trio_aerospike._cdt.lists_and_maps import (
    PERSIST_INDEX,
    ListOrder,
    ListPolicy,
    ListReturn,
    MapPolicy,
    MapReturn,
    checked_policy,
)
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.cdt import INT_MAX, INT_MIN
from trio_aerospike._wire.cdt_calls import encode_cdt_call
from trio_aerospike._wire.cdt_ops import RETURN_INVERTED
from trio_aerospike._wire.operation_rows import INDEX_RANGES, POLICIES, RANK_RANGES, RETURNS, Call, Parameter
from trio_aerospike.operations._scalar import Operation
from trio_aerospike.validation import checked_bin_name, checked_enum, checked_int, refused

_RANGES: Final = INDEX_RANGES | RANK_RANGES
_RETURN_TYPES: Final[dict[str, type[IntEnum]]] = {"lists": ListReturn, "maps": MapReturn}


def operation(
    call: Call,
    bin_name: str,
    ctx: contexts.ContextLike,
    *given: object,
    return_type: object = None,
    inverted: object = False,
    policy: object = None,
) -> Operation:
    """An operation on a list or map.

    Args:
        call: its row.
        bin_name: the bin.
        ctx: the context; empty for the bin's own value.
        given: an argument for each parameter of the row in its order, but for return types and policies.
        return_type, inverted, policy: where the row has these.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    args: list[Any] = []
    left = iter(given)
    for parameter in call.parameters:
        kind = parameter.kind
        if kind in RETURNS:
            args.append(_return_type(call, parameter, return_type, inverted))
        elif kind in POLICIES:
            args += _policy(parameter, policy, ctx)
        else:
            value = next(left)
            if value is not None or not (parameter.optional and kind in _OMITTED):
                args.append(_CHECKS[kind](parameter, value))
    return encoded(call, bin_name, args, ctx)


def encoded(
    call: Call, bin_name: str, args: Sequence[Any], ctx: contexts.ContextLike = (), *, create: int = 0
) -> Operation:
    """The operation with arguments that are checked; ``create`` is added to the number of the context's last step."""
    name = checked_bin_name(bin_name, f"{call.where}.bin_name")
    steps = () if is_empty(ctx) else _steps(call, ctx)
    payload = encode_cdt_call(call.code, args, contexts.encode_steps(steps, create))
    # As the C client: each operation on a map is answered, also one without a result (aerospike_key.c).
    info2 = wire.INFO2_RESPOND_ALL_OPS if call.family.answers_all else 0
    if call.writes:
        return Operation(call.family.modify_op, name, payload, info2=info2)
    return Operation(call.family.read_op, name, payload, info1=wire.INFO1_READ, info2=info2)


def set_order(
    call: Call,
    bin_name: str,
    ctx: contexts.ContextLike,
    order: int,
    persist_index: object,
    *,
    create: int = 0,
) -> Operation:
    """The operation that gives a list or map its order, or creates it.

    Args:
        call: its row.
        bin_name: the bin.
        ctx: the context.
        order: a member of ListOrder or MapOrder.
        persist_index: whether the index is stored as well, which only a bin's own value can have.
        create: what makes the last step of the context create.

    Raises:
        InvalidArgError: the arguments do not go together.
    """
    if not isinstance(persist_index, bool):
        raise refused(f"{call.where}.persist_index", persist_index, "True or False")
    if persist_index and not is_empty(ctx):
        raise refused(f"{call.where}.persist_index", persist_index, "False with ctx: only a whole bin keeps its index")
    args = (order | PERSIST_INDEX * persist_index,)
    if not call.creates or is_empty(ctx):
        return encoded(call, bin_name, args, ctx)
    contexts.require_creatable(f"{call.where}.ctx", ctx)
    return encoded(call, bin_name, args, ctx, create=create)


def is_empty(ctx: object) -> bool:
    """Whether a context is for the bin's own value. By its type: other objects may not compare with True or False."""
    return isinstance(ctx, (tuple, list)) and not ctx


def _steps(call: Call, ctx: contexts.ContextLike) -> tuple[contexts.Context, ...]:
    steps = contexts.checked_steps(f"{call.where}.ctx", ctx, paths=False)
    if not call.writes:
        for place, step in enumerate(steps):
            if step.creates:
                raise refused(f"{call.where}.ctx[{place}]", step, "steps that create nothing, as this only reads")
    return steps


# -- arguments ---------------------------------------------------------------------------------------------------------


def _number(parameter: Parameter, value: object) -> int:
    return checked_int(parameter.where, value, INT_MIN, INT_MAX)


def _count(parameter: Parameter, value: object) -> int:
    note = " or None for all that follow" if parameter.optional else ""
    return checked_int(parameter.where, value, 0, INT_MAX, note)


def _addend(parameter: Parameter, value: object) -> object:
    is_int = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(value, float) or (is_int and INT_MIN <= value <= INT_MAX):  # type: ignore[operator]
        return value
    raise refused(parameter.where, value, "an int of 64 bits or a float")


def _map(parameter: Parameter, value: object) -> object:
    if not isinstance(value, Mapping):
        raise refused(parameter.where, value, "a mapping of map keys to values")
    return packed_value(parameter.where, value if isinstance(value, dict) else dict(value))


_OMITTED: Final = frozenset(("count", "bound", "key_bound"))
"""Kinds of parameters for which None leaves the argument out, where the server takes a call without it."""

_CHECKS: Final[dict[str, Callable[[Parameter, Any], object]]] = {
    "static": lambda parameter, value: value,  # its function has checked it
    "int": _number,
    "count": _count,
    "number": _addend,
    "stored": lambda parameter, value: packed_value(parameter.where, value),
    "stored_list": lambda parameter, value: packed_value(parameter.where, as_list(parameter.where, value, "values")),
    "stored_map": _map,
    "stored_key": lambda parameter, value: packed_key(parameter.where, value),
    "compared": lambda parameter, value: packed_value(parameter.where, value, comparison=True),
    "compared_list": lambda parameter, value: packed_value(
        parameter.where, as_list(parameter.where, value, "values"), comparison=True
    ),
    "key": lambda parameter, value: packed_key(parameter.where, value),
    "keys": lambda parameter, value: packed_keys(parameter.where, value)[0],
    "bound": lambda parameter, value: packed_value(parameter.where, value, comparison=True),
    "key_bound": lambda parameter, value: None if value is None else packed_key(parameter.where, value),
}


def _return_type(call: Call, parameter: Parameter, return_type: object, inverted: object) -> int:
    kinds = _RETURN_TYPES[call.family.name]
    kind = checked_enum(parameter.where, return_type, kinds)
    if kind in _RANGES and kind not in call.ranges:
        raise refused(parameter.where, kind, _names(kinds, _RANGES - call.ranges))
    if inverted is False:
        return int(kind)
    if inverted is not True:
        raise refused(f"{call.where}.inverted", inverted, "True or False")
    if kind in _RANGES:
        raise refused(parameter.where, kind, f"{_names(kinds, _RANGES)}: with inverted the selection is not a range")
    return kind | RETURN_INVERTED


def _names(kinds: type[IntEnum], without: frozenset[int]) -> str:
    return ", ".join(member.name for member in kinds if member not in without)


def _policy(parameter: Parameter, policy: object, ctx: object) -> tuple[int, ...]:
    """A policy as arguments; without one the defaults of the server, as the C client sends them."""
    kind = parameter.kind
    if kind.startswith("map"):
        return _map_policy(parameter, policy, ctx)
    if policy is None:
        return ()
    checked = checked_policy(parameter.where, policy, ListPolicy)
    if kind == "list_policy":
        return int(checked.order), int(checked.write_flags)
    if checked.order is ListOrder.ORDERED:
        allowed = "UNORDERED, as an ordered list chooses places itself"
        raise refused(f"{parameter.where}.order", checked.order, allowed)
    return (int(checked.write_flags),)


def _map_policy(parameter: Parameter, policy: object, ctx: object) -> tuple[int, ...]:
    if policy is None:
        return (0,)
    checked = checked_policy(parameter.where, policy, MapPolicy)
    if checked.persist_index and not is_empty(ctx):
        raise refused(f"{parameter.where}.persist_index", True, "False with ctx: only a whole bin keeps its index")
    if not checked.write_flags:
        return (checked._attributes,)
    if parameter.kind == "map_order":
        allowed = "DEFAULT, as the server takes no others"
        raise refused(f"{parameter.where}.write_flags", checked.write_flags, allowed)
    return checked._attributes, int(checked.write_flags)
