"""Types of calls in expressions: what list, map, bit and HyperLogLog operations take and give.

The operations are the rows of :mod:`trio_aerospike._wire.operation_rows`; the types of answers are those of the C
client (as_exp.c).
"""

from __future__ import annotations

from typing import Any, Final

from trio_aerospike._wire import cdt_ops as cdt, exp_ops
from trio_aerospike._wire.operation_rows import INDEX_RANGES, POLICIES, RANK_RANGES, Call
from trio_aerospike._wire.operation_tables import ROWS
from trio_aerospike.exp._type_rules import Kinds, demand, demand_value
from trio_aerospike.exp._types import Kind

MODIFY: Final = exp_ops.CALL_MODIFY_LOCAL
_SYSTEM_MASK: Final = ~MODIFY

CALL_ARGUMENTS_MAX: Final = 8
"""No operation has more than five. The server ends itself over more than eight expressions (OP_CALL_MAX_VEC_IDX)."""

KINDS: Final = {
    "int": Kind.INT,
    "bool": Kind.BOOL,
    "list": Kind.LIST,
    "map": Kind.MAP,
    "blob": Kind.BLOB,
    "float": Kind.FLOAT,
    "hll": Kind.HLL,
}
"""What an operation gives, by the word in its row."""

_ARGUMENTS: Final[dict[str, Kind | None]] = {
    **dict.fromkeys(("static", "return", "returns", "int", "count"), Kind.INT),
    **dict.fromkeys(("stored", "compared", "number", "stored_key", "key", "bound", "key_bound")),
    **dict.fromkeys(("stored_list", "compared_list", "keys", "list"), Kind.LIST),
    "stored_map": Kind.MAP,
    "blob": Kind.BLOB,
    "bool": Kind.BOOL,
}
"""What an argument has to be, by the kind of its parameter; None for any value."""

RANGES: Final = INDEX_RANGES | RANK_RANGES
_SINGLE_INT: Final = (cdt.RETURN_INDEX, cdt.RETURN_REVINDEX, cdt.RETURN_RANK, cdt.RETURN_REVRANK)
_WHOLE_MAPS: Final = (cdt.RETURN_KEY_VALUE_MAP, cdt.RETURN_UNORDERED_MAP, cdt.RETURN_ORDERED_MAP)


def system_of(call: Call) -> int:
    """The number of an operation's family, and whether it gives the changed value."""
    return call.family.system | MODIFY * call.writes


def operand_kind(call: Call) -> Kind:
    """What an operation works on, where there is no context."""
    return KINDS[call.family.operand]


BY_NUMBER: Final = {(system_of(call), call.code): call for call in ROWS if call.expression}
_SYSTEM_OPERANDS: Final = {
    system: sorted({operand_kind(call) for call in ROWS if call.family.system == system})
    for system in {call.family.system for call in ROWS}
}
"""What the operations of a family's number work on, in any context."""


def answer_kind(call: Call, return_type: int, value_kind: Kind | None) -> Kind | None:
    """What a read with that return type gives (C client: as_exp_get_list_type, as_exp_get_map_type).

    Args:
        call: the read.
        return_type: what it answers.
        value_kind: the type of a single element, where that is the answer.

    Returns:
        The kind; None where it is an element's and ``value_kind`` is not given, or where there is no such return type.
    """
    plain = return_type & ~cdt.RETURN_INVERTED
    many = call.answer == "many"
    on_map = call.family.name == "maps"
    if plain in _SINGLE_INT:
        return Kind.LIST if many else Kind.INT
    if plain == cdt.RETURN_COUNT:
        return Kind.INT
    if plain == cdt.RETURN_EXISTS:
        return Kind.BOOL
    if plain in RANGES:
        return Kind.LIST
    if plain == cdt.RETURN_VALUE or (plain == cdt.RETURN_KEY and on_map):
        return Kind.LIST if many else value_kind
    if plain in _WHOLE_MAPS and on_map:
        return Kind.MAP
    return None


_STATIC: Final[dict[str, frozenset[int]]] = {
    "lists.order": frozenset((0, 1)),
    "lists.flags": frozenset(range(4)),
    "maps.order": frozenset((0, 1, 3)),
    "bits.resize_flags": frozenset(range(6)),
    "bits.action": frozenset(range(6)),
    "bits.signed": frozenset((0, 1)),
    "hll.index_bit_count": frozenset((-1, *range(4, 17))),
    "hll.fold.index_bit_count": frozenset(range(4, 17)),
    "hll.minhash_bit_count": frozenset((-1, 0, *range(4, 52))),
}
"""Values of the parameters that are not expressions, but for write flags, which are in the row."""


def allowed_numbers(call: Call, name: str) -> frozenset[int]:
    """The values of a parameter that is not an expression."""
    if name == "flags" and call.flags:
        # The first two, create only and update only, exclude each other.
        return frozenset([flags for flags in range(16) if not flags & ~call.flags and flags & 3 != 3])
    own = _STATIC.get(f"{call.where}.{name}")
    return _STATIC[f"{call.family.name}.{name}"] if own is None else own


def call_kind(static: tuple[Any, ...], kinds: Kinds) -> Kind | None:
    """The kind of a call whose arguments have the types that it takes.

    Raises:
        Mismatch: one has another type.
    """
    kind, system, opcode, steps, _, _ = static
    operand = kinds[-1]
    call = BY_NUMBER.get((system, opcode))
    # Not nil: the server takes what a call makes of it for nil as well, and does not survive it when that is compared.
    by_operation = call is not None and call.family.contexts and not steps
    allowed = (operand_kind(call),) if call is not None and by_operation else _SYSTEM_OPERANDS[system & _SYSTEM_MASK]
    demand(operand, len(kinds) - 1, *allowed)
    checked = _argument_kinds(call) if call is not None else []
    for index, argument in enumerate(kinds[:-1]):
        wanted = checked[index] if index < len(checked) else None
        demand_value(argument, index)
        if wanted is not None:
            demand(argument, index, wanted)
    return Kind(kind)


def _argument_kinds(call: Call) -> list[Kind | None]:
    kinds: list[Kind | None] = []
    for parameter in call.parameters:
        numbers = POLICIES.get(parameter.kind)
        kinds += [_ARGUMENTS[parameter.kind]] if numbers is None else [Kind.INT] * len(numbers)
    return kinds
