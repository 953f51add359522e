"""Write expressions as Python source, which builds the same expressions.

Names in it are those of :mod:`trio_aerospike` (``exp``, ``ctx``, ``GeoJSON``, ...). It uses an operator where that
builds the same tree, and a function where an operator would merge two chains, or swap the sides of a comparison.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from trio_aerospike._cdt.lists_and_maps import PERSIST_INDEX, ListPolicy, ListReturn, MapPolicy, MapReturn, PathSelect
from trio_aerospike._wire import cdt_ops as cdt, exp_ops as ops
from trio_aerospike._wire.cdt import unpack_value
from trio_aerospike._wire.operation_rows import POLICIES, RETURNS, STATIC, Call, Parameter
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.exp._argument_checks import check_literals
from trio_aerospike.exp._call_types import BY_NUMBER, KINDS, MODIFY, RANGES, allowed_numbers, answer_kind, operand_kind
from trio_aerospike.exp._context import Steps, context_source, outermost
from trio_aerospike.exp._literals import literal_source
from trio_aerospike.exp._node import VALUE, Node
from trio_aerospike.exp._type_rules import PLAIN
from trio_aerospike.exp._types import ExpType, Kind, RegexFlag

_BINS: Final = {
    Kind.BOOL: "bool_bin",
    Kind.INT: "int_bin",
    Kind.FLOAT: "float_bin",
    Kind.STRING: "str_bin",
    Kind.BLOB: "blob_bin",
    Kind.LIST: "list_bin",
    Kind.MAP: "map_bin",
    Kind.GEO: "geo_bin",
    Kind.HLL: "hll_bin",
}
_LOOP: Final = {ops.BUILTIN_KEY: "loop_key", ops.BUILTIN_VALUE: "loop_value", ops.BUILTIN_INDEX: "loop_index"}


def source(node: Node) -> str:
    """The Python source of an expression, as an expression of its own."""
    if node._code == VALUE:
        text = literal_source(node._static[1])
        return text if text.startswith("exp.from_bytes") else f"exp.val({text})"
    return node_source(node._code, node._static, node._children)


def node_source(code: int, static: tuple[Any, ...], children: tuple[Node, ...]) -> str:
    """The Python source of a node, valid or not."""
    plain = PLAIN.get(code)
    if plain is not None:
        if code in (ops.NOT, ops.INT_NOT) and children and _reads_inverted(code, children[0]):
            return f"~{_operand(children[0])}"
        if plain.symbol and _reads_with_operator(code, children):
            return f" {plain.symbol} ".join([_operand(child) for child in children])
        return f"exp.{plain.name}({_listed(children)})"
    if code == VALUE:
        return literal_source(static[1])
    if code == ops.CALL:
        return _call_source(static, children)
    if code == ops.BIN:
        return f"exp.{_BINS[static[0]]}({static[1]!r})"
    if code == ops.BIN_TYPE:
        return f"exp.bin_type({static[0]!r})"
    if code == ops.VAR:
        return f"exp.var({static[0]!r})"
    if code == ops.LET:
        defined = [f"exp.def_({name!r}, {_argument(child)})" for name, child in zip(static[0], children, strict=False)]
        return f"exp.let_({', '.join([*defined, _argument(children[-1])])})"
    if code == ops.CMP_REGEX:
        return f"exp.regex_compare({static[1]!r}, {_regex_flags(static[0])}, {_argument(children[0])})"
    if code == ops.META_DIGEST_MOD:
        return f"exp.digest_modulo({static[0]})"
    if code == ops.REC_KEY:
        return f"exp.key({_type_source(static[0])})"
    kind, part = static
    return f"exp.{_LOOP[part]}({'' if part == ops.BUILTIN_INDEX else _type_source(kind)})"


def _type_source(kind: int) -> str:
    return f"exp.ExpType.{ExpType(kind).name}"


def _regex_flags(flags: int) -> str:
    names = [f"exp.RegexFlag.{flag.name}" for flag in RegexFlag if flag and flags & flag]
    return " | ".join(names) if flags and sum([flag for flag in RegexFlag if flags & flag]) == flags else str(flags)


def _reads_with_operator(code: int, children: tuple[Node, ...]) -> bool:
    """Whether the operator builds exactly this node."""
    if len(children) < 2 or children[0]._code == VALUE:
        return False
    plain = PLAIN[code]
    if len(children) > 2 and not plain.chains:
        return False
    if any(child._code == code for child in children) and (plain.chains or plain.symbol == "^"):
        return False
    if plain.symbol in ("&", "|", "^"):
        # The operator decides between logic and bits by the first pair.
        kinds = [child._kind for child in children[:2]]
        wanted = Kind.INT if code in (ops.INT_AND, ops.INT_OR, ops.INT_XOR) else Kind.BOOL
        return any(kind is wanted or (kind is Kind.UNKNOWN and wanted is Kind.BOOL) for kind in kinds)
    return True


def _reads_inverted(code: int, child: Node) -> bool:
    """Whether ``~`` builds exactly this node."""
    if child._code == VALUE or child._kind is None:
        return False
    return (child._kind is Kind.INT) == (code == ops.INT_NOT)


def _operand(node: Node) -> str:
    text = _argument(node)
    plain = PLAIN.get(node._code)
    if plain is not None and plain.symbol and _reads_with_operator(node._code, node._children):
        return f"({text})"
    return text


def _argument(node: Node) -> str:
    """The source as an argument, where values become expressions."""
    return node_source(node._code, node._static, node._children)


def _listed(children: tuple[Node, ...]) -> str:
    return ", ".join([_argument(child) for child in children])


# -- calls -----------------------------------------------------------------------------------------------------------


def _call_source(static: tuple[Any, ...], children: tuple[Node, ...]) -> str:
    kind, system, opcode, steps, flags, modifier = static
    operand, arguments = children[-1], children[:-1]
    if opcode == cdt.SELECT:
        return _path_source(kind, steps, flags, modifier, operand)
    inside = f", ctx={context_source(steps)}" if steps else ""
    call = BY_NUMBER.get((system, opcode))
    if call is not None:
        texts = _texts(call, kind, arguments, operand, steps)
        if texts is not None:
            return f"exp.{call.where}({', '.join([_argument(operand), *texts])}{inside})"
    changes = ", modify=True" if system & MODIFY else ""
    listed = f"[{_listed(arguments)}]"
    number = f"exp.CallSystem({system & ~MODIFY})"
    return f"exp.call({number}, {opcode}, {listed}, {_argument(operand)}, {_type_source(kind)}{changes}{inside})"


def _path_source(kind: int, steps: Steps, flags: int, modifier: Node | None, operand: Node) -> str:
    texts = [_argument(operand), context_source(steps)]
    if modifier is not None:
        name = "modify_by_path"
        texts.append(_argument(modifier))
    else:
        name = "select_by_path"
        if flags & ~cdt.SELECT_NO_FAIL:
            texts.append(f"exp.PathSelect.{PathSelect(flags & ~cdt.SELECT_NO_FAIL).name}")
    if path_kind(modifier is not None or not flags & 3, operand._kind, steps) != kind:
        texts.append(f"value_type={_type_source(kind)}")
    if flags & cdt.SELECT_NO_FAIL:
        texts.append("no_fail=True")
    return f"exp.{name}({', '.join(texts)})"


def path_kind(keeps: bool, operand: Kind | None, steps: Steps) -> Kind | None:
    """The type of a path expression: a list, or where it keeps the tree that of the operand; None where unknown."""
    if not keeps:
        return Kind.LIST
    return operand if operand in (Kind.LIST, Kind.MAP) else outermost(steps)


class _OtherArguments(Exception):
    """The arguments are not those that the operation's function would send."""


def _texts(call: Call, kind: int, arguments: tuple[Node, ...], operand: Node, steps: Steps) -> list[str] | None:
    """The arguments of the operation's function; None where it would send others."""
    left = iter(arguments)
    texts: list[str] = []
    try:
        check_literals(call, _literals(call, arguments))
        given: int | None = None
        for parameter in call.parameters:
            if parameter.kind in RETURNS and not call.writes:
                given = _number(next(left, None))
            else:
                texts += _parameter_texts(call, parameter, left)
        if next(left, None) is not None:
            return None
        if given is not None:
            texts += _return_texts(call, given, Kind(kind))
        elif not _is_answer(call, kind, operand, steps):
            return None
    except (_OtherArguments, InvalidArgError):  # the latter: numbers that the function would refuse
        return None
    return texts


def _literals(call: Call, arguments: tuple[Node, ...]) -> dict[str, object]:
    """The arguments that are literals in the source, by name."""
    return {
        parameter.name: unpack_value(node._static[1])
        for parameter, node in zip(call.parameters, arguments, strict=False)
        if node._code == VALUE and node._static[0] in (Kind.INT, Kind.BLOB)
    }


def _is_answer(call: Call, kind: int, operand: Node, steps: Steps) -> bool:
    return KINDS.get(call.answer, modified_kind(call, operand._kind, steps)) == kind


def modified_kind(call: Call, operand: Kind | None, steps: Steps) -> Kind:
    """The type of a changed value: that of the operand; where it is unknown, that of the context or the operation.

    The C client uses the first step of the context alone (as_exp_get_ctx_type).
    """
    if operand is Kind.LIST or operand is Kind.MAP:
        return operand
    return outermost(steps) or operand_kind(call)


def _return_texts(call: Call, given: int, kind: Kind) -> list[str]:
    inverted = bool(given & cdt.RETURN_INVERTED)
    plain = given & ~cdt.RETURN_INVERTED
    if answer_kind(call, given, kind) is not kind or (inverted and call.answer == "one"):
        raise _OtherArguments
    if plain in RANGES and (inverted or plain not in call.ranges):
        raise _OtherArguments
    texts = []
    if answer_kind(call, given, None) is None:
        texts.append(f"value_type={_type_source(kind)}")
    try:
        member = ListReturn(plain) if call.family.name == "lists" else MapReturn(plain)
    except ValueError:
        raise _OtherArguments from None
    if plain != cdt.RETURN_VALUE:
        texts.append(f"return_type=exp.{type(member).__name__}.{member.name}")
    return texts + ["inverted=True"] * inverted


def _parameter_texts(call: Call, parameter: Parameter, left: Iterator[Node]) -> list[str]:
    """The source of a parameter, from the remaining arguments."""
    if parameter.kind == STATIC:
        return _static_texts(call, parameter, left)
    if parameter.kind in RETURNS:
        number = _number(next(left, None))
        if number and (parameter.kind == "return" or number != cdt.RETURN_INVERTED):
            raise _OtherArguments
        return ["inverted=True"] if number else []
    if parameter.kind in POLICIES:
        return _policy_texts(parameter.kind, left)
    argument = next(left, None)
    if argument is not None:
        return [f"{parameter.name}={_argument(argument)}"]
    if parameter.kind == "count" and parameter.optional:
        return []
    raise _OtherArguments


def _static_texts(call: Call, parameter: Parameter, left: Iterator[Node]) -> list[str]:
    name = parameter.name
    number = _number(next(left, None))
    if number not in allowed_numbers(call, name):
        raise _OtherArguments
    default = -1 if name.endswith("_bit_count") else 0
    if name == "flags" and call.family.name in ("bits", "hll"):
        policy = "BitPolicy" if call.family.name == "bits" else "HLLPolicy"
        return [f"policy=exp.{policy}(write_flags={number})"] if number else []
    if name == "signed":
        return ["signed=True"] if number else []
    if name == "action":
        action = [f"action={number & ~1}"] if number & ~1 else []
        return action + ["signed=True"] * (number & 1)
    if parameter.optional and number == default:
        return []
    return [f"{name}={number}"]


def _policy_texts(kind: str, left: Iterator[Node]) -> list[str]:
    first = next(left, None)
    if first is None:
        return []
    numbers = {"order": 0, "flags": 0}
    for place, name in enumerate(POLICIES[kind]):
        numbers[name] = _number(next(left, None) if place else first)
    order, flags = numbers["order"], numbers["flags"]
    fields = []
    if kind.startswith("map"):
        if order & PERSIST_INDEX:
            fields.append("persist_index=True")
        order &= ~PERSIST_INDEX
    if order:
        fields.insert(0, f"order={order}")
    if flags:
        fields.append(f"write_flags={flags}")
    policy = ListPolicy if kind.startswith("list") else MapPolicy
    try:
        policy(order=order, write_flags=flags)  # type: ignore[arg-type]
    except InvalidArgError:
        raise _OtherArguments from None
    return [f"policy=exp.{policy.__name__}({', '.join(fields)})"]


def _number(node: Node | None) -> int:
    """The number of an argument that is not an expression to the function."""
    if node is None or node._code != VALUE or node._static[0] is not Kind.INT:
        raise _OtherArguments
    return int(unpack_value(node._static[1]))
