"""Make calls in expressions from the tables: operands, return types, policies, contexts."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final

from trio_aerospike._cdt.arguments import KEYS_ALLOWED, packed_keys
from trio_aerospike._cdt.bits_and_hll import BitPolicy, HLLPolicy
from trio_aerospike._cdt.lists_and_maps import (
    ListOrder,
    ListPolicy,
    ListReturn,
    MapPolicy,
    MapReturn,
    MapWrite,
    checked_policy,
)
from trio_aerospike._wire import cdt_ops as cdt, exp_ops as ops
from trio_aerospike._wire.operation_rows import POLICIES, RETURNS, STATIC, Call
from trio_aerospike._wire.value_types import INFINITY
from trio_aerospike.ctx import ContextLike
from trio_aerospike.exp._argument_checks import check_literals
from trio_aerospike.exp._call_types import KINDS, RANGES, allowed_numbers, answer_kind, operand_kind, system_of
from trio_aerospike.exp._context import Steps, call_steps, outermost
from trio_aerospike.exp._expression import Expression, make, value
from trio_aerospike.exp._source import modified_kind
from trio_aerospike.exp._types import ExpType, Kind
from trio_aerospike.validation import checked_bin_name, checked_enum, refused, with_article

_KEY_KINDS: Final = (Kind.INT, Kind.STRING, Kind.BLOB, Kind.UNKNOWN, None)
_BOUND_KINDS: Final = (*_KEY_KINDS, Kind.NIL, Kind.EXTREME)
_WRITE_POLICIES: Final[dict[str, type[Any]]] = {"bits": BitPolicy, "hll": HLLPolicy}


def as_operand(where: str, given: object, kind: Kind) -> Expression:
    """What a call is applied to: an expression, a value, or the name of a bin that holds ``kind``.

    Raises:
        InvalidArgError: it is something else.
    """
    if isinstance(given, str):
        return make(ops.BIN, (kind, checked_bin_name(given, f"{where} as the name of a bin")), ())
    return value(given, where)


def apply(
    call: Call,
    operand: object,
    ctx: ContextLike,
    *given: object,
    return_type: object = None,
    value_type: object = None,
    inverted: object = False,
    policy: object = None,
) -> Expression:
    """A call of an operation.

    Args:
        call: its row.
        operand: what it is applied to.
        ctx: the context; empty for the operand itself.
        given: an argument for each parameter of the row in its order, but for return types, policies and write flags.
        return_type, value_type, inverted, policy: where the row has these.

    Raises:
        InvalidArgError: an argument is invalid or has the wrong type; ``value_type`` is missing, or is given where the
            return type decides.
    """
    where = f"exp.{call.where}"
    arguments: list[object] = []
    left = iter(given)
    for parameter in call.parameters:
        if parameter.kind in RETURNS:
            # A removal gives the changed value, so that its return type is NONE.
            removal = call.writes
            number = _inverted(where, inverted) if removal else _return_number(call, where, return_type, inverted)
            arguments.append(number)
        elif parameter.kind in POLICIES:
            arguments += _policy_numbers(parameter.kind, where, policy)
        elif parameter.kind == STATIC:
            from_policy = parameter.name == "flags" and call.family.name in _WRITE_POLICIES
            static = _write_flags(call, where, policy) if from_policy else next(left)
            arguments.append(checked_static(call, parameter.name, static))
        else:
            argument = next(left)
            if argument is None and parameter.name == "end":
                argument = INFINITY
            if argument is not None or not (parameter.kind == "count" and parameter.optional):
                arguments.append(argument)
    kind = KINDS.get(call.answer)
    if kind is None and not call.writes:
        kind = _read_kind(call, where, arguments[0], value_type)
    steps = call_steps(f"{where}.ctx", ctx, creates=call.writes)
    applied = as_operand(where, operand, outermost(steps) or operand_kind(call))
    if kind is None:
        kind = modified_kind(call, applied._kind, steps)
    return _made(call, kind, steps, arguments, applied)


def _read_kind(call: Call, where: str, number: object, value_type: object) -> Kind:
    assert isinstance(number, int)
    kind = answer_kind(call, number, None)
    if kind is None:
        return Kind(checked_enum(f"{where}.value_type", value_type, ExpType))
    if value_type is not None and value_type != kind:
        made = with_article(kind.label)
        raise refused(f"{where}.value_type", value_type, f"None, as the return type makes it {made}")
    return kind


def _return_number(call: Call, where: str, return_type: object, inverted: object) -> int:
    kinds: type[IntEnum] = ListReturn if call.family.name == "lists" else MapReturn
    chosen = checked_enum(f"{where}.return_type", return_type, kinds)
    if chosen == cdt.RETURN_NONE or chosen in RANGES - call.ranges:
        allowed = [one.name for one in kinds if one and one not in RANGES - call.ranges]
        raise refused(f"{where}.return_type", chosen, ", ".join(allowed))
    flag = _inverted(where, inverted)
    if flag and chosen in RANGES:
        raise refused(f"{where}.return_type", chosen, "another return type: with inverted the selection is not a range")
    return chosen | flag


def _inverted(where: str, inverted: object) -> int:
    """The flag that selects all but what was named."""
    if not isinstance(inverted, bool):
        raise refused(f"{where}.inverted", inverted, "True or False")
    return cdt.RETURN_INVERTED * inverted


def _made(call: Call, kind: Kind, steps: Steps, arguments: Sequence[object], applied: Expression) -> Expression:
    where = f"exp.{call.where}, argument"
    children = [value(argument, f"{where} {place}") for place, argument in enumerate(arguments, 1)]
    # Policies are behind the named ones.
    named = zip(call.parameters, arguments, strict=False)
    check_literals(call, {one.name: given for one, given in named if not isinstance(given, Expression)})
    if call.family.name == "maps":
        _check_keys(call, arguments, children)
    return make(ops.CALL, (kind, system_of(call), call.code, steps, None, None), (*children, applied))


def _check_keys(call: Call, arguments: Sequence[object], children: Sequence[Expression]) -> None:
    """Refuse what cannot be a map key, where that is known. The server would only say that the result is unknown."""
    for parameter, argument, child in zip(call.parameters, arguments, children, strict=False):
        if parameter.kind in ("key", "stored_key", "key_bound"):
            kinds = _BOUND_KINDS if parameter.kind == "key_bound" else _KEY_KINDS
            if child._kind not in kinds:
                raise refused(f"exp.{parameter.where}", argument, f"{KEYS_ALLOWED}, or an expression of one")
        elif parameter.kind == "keys" and isinstance(argument, (list, tuple)):
            packed_keys(f"exp.{parameter.where}", argument)


def checked_static(call: Call, name: str, number: object) -> int:
    """A number that is not an expression, where the operation allows it.

    Raises:
        InvalidArgError: it does not.
    """
    allowed = allowed_numbers(call, name)
    if isinstance(number, int) and not isinstance(number, bool) and number in allowed:
        return int(number)
    listed = ", ".join(map(str, sorted(allowed)))
    raise refused(f"exp.{call.where}.{name}", number, listed)


def _write_flags(call: Call, where: str, policy: object) -> object:
    """The flags of a write to bits or to a sketch; without a policy the defaults."""
    kind = _WRITE_POLICIES[call.family.name]
    if policy is None:
        return 0
    if not isinstance(policy, kind):
        raise refused(f"{where}.policy", policy, f"a {kind.__name__} or None")
    return policy.write_flags


def _policy_numbers(kind: str, where: str, policy: object) -> list[int]:
    """Order and flags of a write to a list or map; none without a policy, which leaves both to the server."""
    if policy is None:
        return []
    if kind.startswith("list"):
        on_list = checked_policy(f"{where}.policy", policy, ListPolicy)
        if kind == "list_policy":
            return [int(on_list.order), int(on_list.write_flags)]
        if on_list.order != ListOrder.UNORDERED:
            allowed = "UNORDERED, as an ordered list chooses places itself"
            raise refused(f"{where}.policy.order", on_list.order, allowed)
        return [int(on_list.write_flags)]
    on_map = checked_policy(f"{where}.policy", policy, MapPolicy)
    if kind == "map_policy":
        return [int(on_map._attributes), int(on_map.write_flags)]
    if on_map.write_flags:
        allowed = "DEFAULT, as this always may create and change"
        raise refused(f"{where}.policy.write_flags", MapWrite(on_map.write_flags), allowed)
    return [int(on_map._attributes)]
