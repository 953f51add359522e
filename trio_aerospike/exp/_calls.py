"""Calls of list, map, bit and HyperLogLog operations in expressions: what each takes and gives.

One line for each operation, read by the functions that build it, by the rules, and by what writes it as Python. The
shapes are the server's (cdt.c, particle_blob.c, particle_hll.c), the types of answers the C client's (as_exp.c).

A shape is a line of words in the order of the wire:

- ``name:kind`` an argument, with ``?`` where it can be left out, as all behind it; the kind ``any`` is any value;
- ``return`` what a read answers; ``inverted`` the same of a removal, which answers nothing and knows only whether it
  is everything else that goes; ``nothing`` a removal of one;
- ``list_policy map_policy`` an order and flags, ``list_flags map_order`` one of the two: left out where there is no
  policy;
- ``=name`` a number that is no expression, ``=name?`` one that is always sent and has a default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from trio_aerospike._wire import bit_ops, cdt_ops as cdt, exp_ops, hll_ops
from trio_aerospike.exp._context import Steps
from trio_aerospike.exp._rules import Kinds, Mismatch, demand, demand_value
from trio_aerospike.exp._types import Kind

MODIFY: Final = exp_ops.CALL_MODIFY_LOCAL
_SYSTEM_MASK: Final = ~MODIFY

CALL_ARGUMENTS_MAX: Final = 8
"""No operation has more than five. The server ends itself over more than eight expressions (OP_CALL_MAX_VEC_IDX)."""

_KINDS: Final = {
    "int": Kind.INT,
    "list": Kind.LIST,
    "map": Kind.MAP,
    "blob": Kind.BLOB,
    "bool": Kind.BOOL,
}


@attrs.frozen(eq=False)
class Call:
    """An operation on part of a value.

    Args:
        module: where in ``exp`` its function is.
        name: its function.
        opcode: its number.
        answer: what it gives: a kind; ``same`` as it is applied to; ``one`` or ``many`` as its return type says.
        shape: its arguments.
    """

    module: str
    name: str
    opcode: int
    answer: Kind | str
    shape: tuple[str, ...]

    @property
    def system(self) -> int:
        """The family it belongs to, and whether it changes what it is applied to."""
        family = {"bits": exp_ops.CALL_BITS, "hll": exp_ops.CALL_HLL}.get(self.module, exp_ops.CALL_CDT)
        return family | (MODIFY if self.modifies else 0)

    @property
    def modifies(self) -> bool:
        """Whether it gives the changed value: numbers below the reads, in each family."""
        first_read = {"lists": cdt.LIST_SIZE, "maps": cdt.MAP_SIZE, "bits": bit_ops.GET, "hll": hll_ops.COUNT}
        if self.module == "lists" and self.opcode >= cdt.LIST_REMOVE_BY_INDEX:
            return True
        return self.opcode < first_read[self.module]


def _table(module: str, lines: Sequence[tuple[str, int, Kind | str, str]]) -> dict[str, Call]:
    return {name: Call(module, name, opcode, answer, tuple(shape.split())) for name, opcode, answer, shape in lines}


LISTS: Final = _table(
    "lists",
    [
        ("set_order", cdt.LIST_SET_TYPE, "same", "=order"),
        ("append", cdt.LIST_APPEND, "same", "value:any list_policy"),
        ("append_items", cdt.LIST_APPEND_ITEMS, "same", "values:list list_policy"),
        ("insert", cdt.LIST_INSERT, "same", "index:int value:any list_flags"),
        ("insert_items", cdt.LIST_INSERT_ITEMS, "same", "index:int values:list list_flags"),
        ("set", cdt.LIST_SET, "same", "index:int value:any list_flags"),
        ("trim", cdt.LIST_TRIM, "same", "index:int count:int"),
        ("clear", cdt.LIST_CLEAR, "same", ""),
        ("increment", cdt.LIST_INCREMENT, "same", "index:int value:any list_policy"),
        ("sort", cdt.LIST_SORT, "same", "=flags"),
        ("remove_by_index", cdt.LIST_REMOVE_BY_INDEX, "same", "nothing index:int"),
        ("remove_by_index_range", cdt.LIST_REMOVE_BY_INDEX_RANGE, "same", "inverted index:int count:int?"),
        ("remove_by_rank", cdt.LIST_REMOVE_BY_RANK, "same", "nothing rank:int"),
        ("remove_by_rank_range", cdt.LIST_REMOVE_BY_RANK_RANGE, "same", "inverted rank:int count:int?"),
        ("remove_by_value", cdt.LIST_REMOVE_ALL_BY_VALUE, "same", "inverted value:any"),
        ("remove_by_value_list", cdt.LIST_REMOVE_ALL_BY_VALUE_LIST, "same", "inverted values:list"),
        ("remove_by_value_range", cdt.LIST_REMOVE_BY_VALUE_INTERVAL, "same", "inverted begin:any end:any"),
        (
            "remove_by_value_rank_range_relative",
            cdt.LIST_REMOVE_BY_VALUE_REL_RANK_RANGE,
            "same",
            "inverted value:any rank:int count:int?",
        ),
        ("size", cdt.LIST_SIZE, Kind.INT, ""),
        ("get_by_index", cdt.LIST_GET_BY_INDEX, "one", "return index:int"),
        ("get_by_index_range", cdt.LIST_GET_BY_INDEX_RANGE, "many", "return index:int count:int?"),
        ("get_by_rank", cdt.LIST_GET_BY_RANK, "one", "return rank:int"),
        ("get_by_rank_range", cdt.LIST_GET_BY_RANK_RANGE, "many", "return rank:int count:int?"),
        ("get_by_value", cdt.LIST_GET_ALL_BY_VALUE, "many", "return value:any"),
        ("get_by_value_list", cdt.LIST_GET_ALL_BY_VALUE_LIST, "many", "return values:list"),
        ("get_by_value_range", cdt.LIST_GET_BY_VALUE_INTERVAL, "many", "return begin:any end:any"),
        (
            "get_by_value_rank_range_relative",
            cdt.LIST_GET_BY_VALUE_REL_RANK_RANGE,
            "many",
            "return value:any rank:int count:int?",
        ),
    ],
)

MAPS: Final = _table(
    "maps",
    [
        ("set_order", cdt.MAP_SET_TYPE, "same", "=order"),
        ("put", cdt.MAP_PUT, "same", "key:any value:any map_policy"),
        ("put_items", cdt.MAP_PUT_ITEMS, "same", "items:map map_policy"),
        ("increment", cdt.MAP_INCREMENT, "same", "key:any value:any map_order"),
        ("decrement", cdt.MAP_DECREMENT, "same", "key:any value:any map_order"),
        ("clear", cdt.MAP_CLEAR, "same", ""),
        ("remove_by_key", cdt.MAP_REMOVE_BY_KEY, "same", "nothing key:any"),
        ("remove_by_key_list", cdt.MAP_REMOVE_BY_KEY_LIST, "same", "inverted keys:list"),
        ("remove_by_key_range", cdt.MAP_REMOVE_BY_KEY_INTERVAL, "same", "inverted begin:any end:any"),
        (
            "remove_by_key_index_range_relative",
            cdt.MAP_REMOVE_BY_KEY_REL_INDEX_RANGE,
            "same",
            "inverted key:any index:int count:int?",
        ),
        ("remove_by_value", cdt.MAP_REMOVE_ALL_BY_VALUE, "same", "inverted value:any"),
        ("remove_by_value_list", cdt.MAP_REMOVE_BY_VALUE_LIST, "same", "inverted values:list"),
        ("remove_by_value_range", cdt.MAP_REMOVE_BY_VALUE_INTERVAL, "same", "inverted begin:any end:any"),
        (
            "remove_by_value_rank_range_relative",
            cdt.MAP_REMOVE_BY_VALUE_REL_RANK_RANGE,
            "same",
            "inverted value:any rank:int count:int?",
        ),
        ("remove_by_index", cdt.MAP_REMOVE_BY_INDEX, "same", "nothing index:int"),
        ("remove_by_index_range", cdt.MAP_REMOVE_BY_INDEX_RANGE, "same", "inverted index:int count:int?"),
        ("remove_by_rank", cdt.MAP_REMOVE_BY_RANK, "same", "nothing rank:int"),
        ("remove_by_rank_range", cdt.MAP_REMOVE_BY_RANK_RANGE, "same", "inverted rank:int count:int?"),
        ("size", cdt.MAP_SIZE, Kind.INT, ""),
        ("get_by_key", cdt.MAP_GET_BY_KEY, "one", "return key:any"),
        ("get_by_key_list", cdt.MAP_GET_BY_KEY_LIST, "many", "return keys:list"),
        ("get_by_key_range", cdt.MAP_GET_BY_KEY_INTERVAL, "many", "return begin:any end:any"),
        (
            "get_by_key_index_range_relative",
            cdt.MAP_GET_BY_KEY_REL_INDEX_RANGE,
            "many",
            "return key:any index:int count:int?",
        ),
        ("get_by_value", cdt.MAP_GET_ALL_BY_VALUE, "many", "return value:any"),
        ("get_by_value_list", cdt.MAP_GET_BY_VALUE_LIST, "many", "return values:list"),
        ("get_by_value_range", cdt.MAP_GET_BY_VALUE_INTERVAL, "many", "return begin:any end:any"),
        (
            "get_by_value_rank_range_relative",
            cdt.MAP_GET_BY_VALUE_REL_RANK_RANGE,
            "many",
            "return value:any rank:int count:int?",
        ),
        ("get_by_index", cdt.MAP_GET_BY_INDEX, "one", "return index:int"),
        ("get_by_index_range", cdt.MAP_GET_BY_INDEX_RANGE, "many", "return index:int count:int?"),
        ("get_by_rank", cdt.MAP_GET_BY_RANK, "one", "return rank:int"),
        ("get_by_rank_range", cdt.MAP_GET_BY_RANK_RANGE, "many", "return rank:int count:int?"),
    ],
)

_BIT_RANGE: Final = "bit_offset:int bit_size:int"

BITS: Final = _table(
    "bits",
    [
        ("resize", bit_ops.RESIZE, Kind.BLOB, "byte_size:int =flags? =resize_flags?"),
        ("insert", bit_ops.INSERT, Kind.BLOB, "byte_offset:int value:blob =flags?"),
        ("remove", bit_ops.REMOVE, Kind.BLOB, "byte_offset:int byte_size:int =flags?"),
        ("set", bit_ops.SET, Kind.BLOB, f"{_BIT_RANGE} value:blob =flags?"),
        ("or_", bit_ops.OR, Kind.BLOB, f"{_BIT_RANGE} value:blob =flags?"),
        ("xor", bit_ops.XOR, Kind.BLOB, f"{_BIT_RANGE} value:blob =flags?"),
        ("and_", bit_ops.AND, Kind.BLOB, f"{_BIT_RANGE} value:blob =flags?"),
        ("not_", bit_ops.NOT, Kind.BLOB, f"{_BIT_RANGE} =flags?"),
        ("lshift", bit_ops.LSHIFT, Kind.BLOB, f"{_BIT_RANGE} shift:int =flags?"),
        ("rshift", bit_ops.RSHIFT, Kind.BLOB, f"{_BIT_RANGE} shift:int =flags?"),
        ("add", bit_ops.ADD, Kind.BLOB, f"{_BIT_RANGE} value:int =flags? =action?"),
        ("subtract", bit_ops.SUBTRACT, Kind.BLOB, f"{_BIT_RANGE} value:int =flags? =action?"),
        ("set_int", bit_ops.SET_INT, Kind.BLOB, f"{_BIT_RANGE} value:int =flags?"),
        ("get", bit_ops.GET, Kind.BLOB, _BIT_RANGE),
        ("count", bit_ops.COUNT, Kind.INT, _BIT_RANGE),
        ("lscan", bit_ops.LSCAN, Kind.INT, f"{_BIT_RANGE} value:bool"),
        ("rscan", bit_ops.RSCAN, Kind.INT, f"{_BIT_RANGE} value:bool"),
        ("get_int", bit_ops.GET_INT, Kind.INT, f"{_BIT_RANGE} =signed?"),
    ],
)

HLLS: Final = _table(
    "hll",
    [
        ("init", hll_ops.INIT, Kind.HLL, "=index_bit_count? =minhash_bit_count? =flags?"),
        ("add", hll_ops.ADD, Kind.HLL, "values:list =index_bit_count? =minhash_bit_count? =flags?"),
        ("set_union", hll_ops.UNION, Kind.HLL, "sketches:list =flags?"),
        ("refresh_count", hll_ops.UPDATE_COUNT, Kind.HLL, ""),
        ("fold", hll_ops.FOLD, Kind.HLL, "=index_bit_count"),
        ("get_count", hll_ops.COUNT, Kind.INT, ""),
        ("get_union", hll_ops.GET_UNION, Kind.HLL, "sketches:list"),
        ("get_union_count", hll_ops.UNION_COUNT, Kind.INT, "sketches:list"),
        ("get_intersect_count", hll_ops.INTERSECT_COUNT, Kind.INT, "sketches:list"),
        ("get_similarity", hll_ops.SIMILARITY, Kind.FLOAT, "sketches:list"),
        ("describe", hll_ops.DESCRIBE, Kind.LIST, ""),
        ("may_contain", hll_ops.MAY_CONTAIN, Kind.INT, "values:list"),
    ],
)

BY_NUMBER: Final = {(call.system, call.opcode): call for table in (LISTS, MAPS, BITS, HLLS) for call in table.values()}

_OPERANDS: Final = {
    exp_ops.CALL_CDT: (Kind.LIST, Kind.MAP),
    exp_ops.CALL_BITS: (Kind.BLOB,),
    exp_ops.CALL_HLL: (Kind.HLL,),
}

_SINGLE_INT: Final = (cdt.RETURN_INDEX, cdt.RETURN_REVINDEX, cdt.RETURN_RANK, cdt.RETURN_REVRANK)
_RANGES: Final = (
    cdt.RETURN_INDEX_RANGE,
    cdt.RETURN_REVINDEX_RANGE,
    cdt.RETURN_RANK_RANGE,
    cdt.RETURN_REVRANK_RANGE,
)
_WHOLE_MAPS: Final = (cdt.RETURN_KEY_VALUE_MAP, cdt.RETURN_UNORDERED_MAP, cdt.RETURN_ORDERED_MAP)


def answer_kind(call: Call, return_type: int, value_kind: Kind | None) -> Kind | None:
    """What a read with that return type gives (C client: as_exp_get_list_type, as_exp_get_map_type).

    Args:
        call: the read.
        return_type: what it answers.
        value_kind: the type of a single element, where that is the answer.

    Returns:
        The kind; None where it is an element's and ``value_kind`` is not given, or where there is no such answer.
    """
    plain = return_type & ~cdt.RETURN_INVERTED
    many = call.answer == "many"
    if plain in _SINGLE_INT:
        return Kind.LIST if many else Kind.INT
    if plain == cdt.RETURN_COUNT:
        return Kind.INT
    if plain == cdt.RETURN_EXISTS:
        return Kind.BOOL
    if plain in _RANGES:
        return Kind.LIST
    if plain == cdt.RETURN_VALUE or (plain == cdt.RETURN_KEY and call.module == "maps"):
        return Kind.LIST if many else value_kind
    if plain in _WHOLE_MAPS and call.module == "maps":
        return Kind.MAP
    return None


def allowed_ranges(call: Call) -> frozenset[int]:
    """The return types ``[first, count]`` that a read may be asked for: where what it finds stands side by side."""
    if call.answer != "many" or call.name.endswith("_list"):
        return frozenset()
    if call.module == "lists":
        return frozenset(_RANGES)
    return frozenset(_RANGES[:2] if "key" in call.name or "index" in call.name else _RANGES[2:])


def _flags(allowed: int) -> frozenset[int]:
    # The first two, create only and update only, exclude each other.
    return frozenset([flags for flags in range(16) if not flags & ~allowed and flags & 3 != 3])


STATIC: Final[dict[str, frozenset[int]]] = {
    "lists.order": frozenset((0, 1)),
    "lists.flags": frozenset(range(4)),
    "maps.order": frozenset((0, 1, 3)),
    "bits.flags": _flags(bit_ops.FLAG_UPDATE_ONLY | bit_ops.FLAG_NO_FAIL | bit_ops.FLAG_PARTIAL),
    "bits.resize.flags": _flags(bit_ops.FLAG_CREATE_ONLY | bit_ops.FLAG_UPDATE_ONLY | bit_ops.FLAG_NO_FAIL),
    "bits.insert.flags": _flags(bit_ops.FLAG_CREATE_ONLY | bit_ops.FLAG_UPDATE_ONLY | bit_ops.FLAG_NO_FAIL),
    "bits.add.flags": _flags(bit_ops.FLAG_UPDATE_ONLY | bit_ops.FLAG_NO_FAIL),
    "bits.subtract.flags": _flags(bit_ops.FLAG_UPDATE_ONLY | bit_ops.FLAG_NO_FAIL),
    "bits.set_int.flags": _flags(bit_ops.FLAG_UPDATE_ONLY | bit_ops.FLAG_NO_FAIL),
    "bits.resize_flags": frozenset(range(6)),
    "bits.action": frozenset(range(6)),
    "bits.signed": frozenset((0, 1)),
    "hll.init.flags": _flags(hll_ops.FLAG_CREATE_ONLY | hll_ops.FLAG_UPDATE_ONLY | hll_ops.FLAG_NO_FAIL),
    "hll.add.flags": _flags(hll_ops.FLAG_CREATE_ONLY | hll_ops.FLAG_NO_FAIL),
    "hll.flags": _flags(15),
    "hll.index_bit_count": frozenset((-1, *range(4, 17))),
    "hll.fold.index_bit_count": frozenset(range(4, 17)),
    "hll.minhash_bit_count": frozenset((-1, 0, *range(4, 52))),
}
"""Numbers that an operation is given besides expressions, and which it may have."""


def allowed_numbers(call: Call, name: str) -> frozenset[int]:
    """What STATIC allows for an operation's argument, by its own entry or by its module's."""
    own = STATIC.get(f"{call.module}.{call.name}.{name}")
    return STATIC[f"{call.module}.{name}"] if own is None else own


def call_kind(static: tuple[Any, ...], kinds: Kinds) -> Kind | None:
    """The kind of a call, and whether its arguments go with it.

    Raises:
        Mismatch: one does not.
    """
    kind, system, opcode, steps, _, _ = static
    operand = kinds[-1]
    call = BY_NUMBER.get((system, opcode))
    # Not nil: the server takes what a call makes of it for nil as well, and does not survive it when that is compared.
    demand(operand, len(kinds) - 1, *_operand_kinds(call, system, steps))
    checked = _checks(call, len(kinds) - 1) if call is not None else ()
    for index, argument in enumerate(kinds[:-1]):
        wanted = checked[index] if index < len(checked) else None
        demand_value(argument, index)
        if wanted is not None:
            demand(argument, index, wanted)
    return Kind(kind)


def _operand_kinds(call: Call | None, system: int, steps: Steps) -> tuple[Kind, ...]:
    if call is not None and call.module in ("lists", "maps") and not steps:
        return (Kind.LIST,) if call.module == "lists" else (Kind.MAP,)
    return _OPERANDS[system & _SYSTEM_MASK]


def _checks(call: Call, count: int) -> list[Kind | None]:
    checks: list[Kind | None] = []
    for word in call.shape:
        if ":" in word:
            checks.append(_KINDS.get(word.partition(":")[2].rstrip("?")))
        elif word.endswith("_policy"):
            checks += [Kind.INT, Kind.INT]
        else:
            checks.append(Kind.INT)
    return checks[:count]


__all__ = [
    "BITS",
    "BY_NUMBER",
    "CALL_ARGUMENTS_MAX",
    "HLLS",
    "LISTS",
    "MAPS",
    "MODIFY",
    "Call",
    "Mismatch",
    "allowed_numbers",
    "allowed_ranges",
    "answer_kind",
    "call_kind",
]
