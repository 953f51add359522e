"""What the functions for calls have in common: operands, return types, policies, contexts."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final

from trio_aerospike._cdt.arguments import KEYS_ALLOWED, packed_keys
from trio_aerospike._cdt.types import ListOrder, ListPolicy, ListReturn, MapPolicy, MapReturn, MapWrite, checked_policy
from trio_aerospike._wire import cdt_ops as cdt, exp_ops as ops
from trio_aerospike.ctx import ContextLike
from trio_aerospike.exp._bounds import check_literals
from trio_aerospike.exp._calls import Call, allowed_numbers, allowed_ranges, answer_kind
from trio_aerospike.exp._context import Steps, call_steps, outermost
from trio_aerospike.exp._expression import Expression, make, value
from trio_aerospike.exp._source import modified_kind
from trio_aerospike.exp._types import ExpType, Kind
from trio_aerospike.validation import checked_bin_name, checked_enum, refused, with_article

_KEY_KINDS: Final = (Kind.INT, Kind.STRING, Kind.BLOB, Kind.UNKNOWN, None)
_BOUND_KINDS: Final = (*_KEY_KINDS, Kind.NIL, Kind.EXTREME)
_FAMILY: Final = {"lists": Kind.LIST, "maps": Kind.MAP, "bits": Kind.BLOB, "hll": Kind.HLL}


def as_operand(where: str, given: object, kind: Kind) -> Expression:
    """What a call is applied to: an expression, a value, or the name of a bin that holds ``kind``.

    Raises:
        InvalidArgError: it is none of these.
    """
    if isinstance(given, str):
        return make(ops.BIN, (kind, checked_bin_name(given, f"{where} as the name of a bin")), ())
    return value(given, where)


def modify(call: Call, operand: object, arguments: Sequence[object], ctx: ContextLike = ()) -> Expression:
    """A call that gives the changed value.

    Raises:
        InvalidArgError: an argument is none, or has the wrong type.
    """
    where = f"exp.{call.module}.{call.name}"
    steps = call_steps(f"{where}.ctx", ctx, creates=True)
    applied = as_operand(where, operand, outermost(steps) or _FAMILY[call.module])
    kind = modified_kind(call.module, applied._kind, steps) if call.answer == "same" else call.answer
    return _made(call, kind, steps, arguments, applied)


def read(call: Call, operand: object, arguments: Sequence[object] = (), ctx: ContextLike = ()) -> Expression:
    """A call that reads, and always gives the same type.

    Raises:
        InvalidArgError: an argument is none, or has the wrong type.
    """
    where = f"exp.{call.module}.{call.name}"
    steps = call_steps(f"{where}.ctx", ctx, creates=False)
    applied = as_operand(where, operand, outermost(steps) or _FAMILY[call.module])
    return _made(call, call.answer, steps, arguments, applied)


def read_elements(
    call: Call,
    operand: object,
    arguments: Sequence[object],
    return_type: object,
    ctx: ContextLike,
    *,
    inverted: object = False,
    value_type: object = None,
) -> Expression:
    """A call that reads what its return type says.

    Raises:
        InvalidArgError: an argument is none, or has the wrong type; ``value_type`` is missing, or is given where the
            return type decides.
    """
    where = f"exp.{call.module}.{call.name}"
    number = _return_number(call, where, return_type, inverted)
    kind = answer_kind(call, number, None)
    if kind is None:
        element = checked_enum(f"{where}.value_type", value_type, ExpType)
        kind = Kind(element)
    elif value_type is not None and value_type != kind:
        made = with_article(kind.label)
        raise refused(f"{where}.value_type", value_type, f"None, as the return type makes it {made}")
    steps = call_steps(f"{where}.ctx", ctx, creates=False)
    applied = as_operand(where, operand, outermost(steps) or _FAMILY[call.module])
    return _made(call, kind, steps, [number, *arguments], applied)


def _return_number(call: Call, where: str, return_type: object, inverted: object) -> int:
    kinds: type[IntEnum] = ListReturn if call.module == "lists" else MapReturn
    chosen = checked_enum(f"{where}.return_type", return_type, kinds)
    ranges = allowed_ranges(call)
    is_range = cdt.RETURN_INDEX_RANGE <= chosen <= cdt.RETURN_REVRANK_RANGE
    if chosen == cdt.RETURN_NONE or (is_range and chosen not in ranges):
        allowed = [one.name for one in kinds if one and not (9 <= one <= 12 and one not in ranges)]
        raise refused(f"{where}.return_type", chosen, ", ".join(allowed))
    if not isinstance(inverted, bool):
        raise refused(f"{where}.inverted", inverted, "True or False")
    if inverted and is_range:
        raise refused(f"{where}.return_type", chosen, "another return type: with inverted the selection is not a range")
    return chosen | cdt.RETURN_INVERTED * inverted


def removal(call: Call, inverted: object = False) -> int:
    """What a removal gives back: nothing, and the flag that turns the choice around.

    Raises:
        InvalidArgError: ``inverted`` is no bool.
    """
    if not isinstance(inverted, bool):
        raise refused(f"exp.{call.module}.{call.name}.inverted", inverted, "True or False")
    return cdt.RETURN_NONE | cdt.RETURN_INVERTED * inverted


def _made(call: Call, kind: Kind | str, steps: Steps, arguments: Sequence[object], applied: Expression) -> Expression:
    where = f"exp.{call.module}.{call.name}, argument"
    children = [value(argument, f"{where} {place}") for place, argument in enumerate(arguments, 1)]
    names = [word.partition(":")[0] for word in call.shape]  # policies stand behind these
    known = {name: given for name, given in zip(names, arguments, strict=False) if not isinstance(given, Expression)}
    check_literals(call, known)
    if call.module == "maps":
        _check_keys(call, arguments, children)
    return make(ops.CALL, (kind, call.system, call.opcode, steps, None, None), (*children, applied))


def _check_keys(call: Call, arguments: Sequence[object], children: Sequence[Expression]) -> None:
    """Refuse what can be no key of a map, where that is known. The server would only say that the result is unknown."""
    for word, argument, child in zip(call.shape, arguments, children, strict=False):  # policies stand behind these
        name = word.partition(":")[0]
        is_bound = name in ("begin", "end") and "_by_key_" in call.name
        if name == "key" or is_bound:
            if child._kind not in (_BOUND_KINDS if is_bound else _KEY_KINDS):
                raise refused(f"exp.maps.{call.name}.{name}", argument, f"{KEYS_ALLOWED}, or an expression of one")
        elif name == "keys" and isinstance(argument, (list, tuple)):
            packed_keys(f"exp.maps.{call.name}.keys", argument)


def counted(count: object) -> list[Any]:
    """How many: one argument, or none where None leaves it to the end."""
    return [] if count is None else [count]


def checked_static(call: Call, name: str, number: object) -> int:
    """A number that is no expression, where the operation may have it.

    Raises:
        InvalidArgError: it may not.
    """
    allowed = allowed_numbers(call, name)
    if isinstance(number, int) and not isinstance(number, bool) and number in allowed:
        return int(number)
    listed = ", ".join(map(str, sorted(allowed)))
    raise refused(f"exp.{call.module}.{call.name}.{name}", number, listed)


def write_flags(call: Call, policy: object, kind: type[Any]) -> int:
    """The flags of a write to bits or to a sketch.

    Args:
        call: the write.
        policy: a policy of that kind, or None for its defaults.
        kind: BitPolicy or HLLPolicy.

    Raises:
        InvalidArgError: it is no such policy, or has flags that the operation does not take.
    """
    if policy is None:
        return 0
    if not isinstance(policy, kind):
        raise refused(f"exp.{call.module}.{call.name}.policy", policy, f"a {kind.__name__} or None")
    return checked_static(call, "flags", policy.write_flags)


def list_policy(call: Call, policy: ListPolicy | None) -> list[int]:
    """Order and flags of a write to a list; nothing for None, which leaves both to the server."""
    if policy is None:
        return []
    checked = checked_policy(f"exp.lists.{call.name}.policy", policy, ListPolicy)
    return [int(checked.order), int(checked.write_flags)]


def list_flags(call: Call, policy: ListPolicy | None) -> list[int]:
    """Flags of a write that does not create a list."""
    numbers = list_policy(call, policy)
    if numbers and numbers[0] != ListOrder.UNORDERED:
        allowed = "UNORDERED, as an ordered list chooses places itself"
        raise refused(f"exp.lists.{call.name}.policy.order", ListOrder(numbers[0]), allowed)
    return numbers[1:]


def map_policy(call: Call, policy: MapPolicy | None) -> list[int]:
    """Order and flags of a write to a map; nothing for None."""
    if policy is None:
        return []
    checked = checked_policy(f"exp.maps.{call.name}.policy", policy, MapPolicy)
    return [int(checked._attributes), int(checked.write_flags)]


def map_order(call: Call, policy: MapPolicy | None) -> list[int]:
    """The order of a map that an increment creates."""
    numbers = map_policy(call, policy)
    if numbers and numbers[1]:
        allowed = "DEFAULT, as this always may create and change"
        raise refused(f"exp.maps.{call.name}.policy.write_flags", MapWrite(numbers[1]), allowed)
    return numbers[:1]
