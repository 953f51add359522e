"""Path expressions in expressions: several elements of a nested list or map at once, and their loop variables."""

from __future__ import annotations

from trio_aerospike._cdt.lists_and_maps import PathSelect
from trio_aerospike._wire import cdt_ops as cdt, exp_ops as ops
from trio_aerospike.ctx import ContextLike, path_steps
from trio_aerospike.exp._call_types import MODIFY
from trio_aerospike.exp._context import Steps, outermost
from trio_aerospike.exp._decode import readable_steps
from trio_aerospike.exp._expression import Expression, Operand, make, value
from trio_aerospike.exp._operation_calls import as_operand
from trio_aerospike.exp._source import path_kind
from trio_aerospike.exp._types import ExpType, Kind
from trio_aerospike.validation import checked_enum, refused

__all__ = ["loop_index", "loop_key", "loop_value", "modify_by_path", "remove_result", "select_by_path"]


def select_by_path(
    container: Operand,
    ctx: ContextLike,
    select: PathSelect = PathSelect.MATCHING_TREE,
    *,
    value_type: ExpType | None = None,
    no_fail: bool = False,
) -> Expression:
    """The elements that a path selects.

    Args:
        container: a list or map: an expression, a value, or the name of a bin where the first step looks into one of
            them.
        ctx: the path, one step or more; see :mod:`trio_aerospike.ctx`.
        select: what to return.
        value_type: LIST or MAP; None for the default: a list, but for MATCHING_TREE the type of ``container``.
        no_fail: skip elements for which an expression of the path is unknown, instead of failing.

    Raises:
        InvalidArgError: an argument is invalid or has the wrong type.
    """
    where = "exp.select_by_path"
    chosen = checked_enum(f"{where}.select", select, PathSelect)
    steps = path_steps(f"{where}.ctx", ctx)
    flags = int(chosen) | _no_fail(where, no_fail)
    keeps = chosen is PathSelect.MATCHING_TREE
    return _path(where, container, steps, flags, None, value_type, keeps)


def modify_by_path(
    container: Operand,
    ctx: ContextLike,
    expression: Operand,
    *,
    value_type: ExpType | None = None,
    no_fail: bool = False,
) -> Expression:
    """The list or map with each selected element replaced by the result of an expression.

    Args:
        container: a list or map: an expression, a value, or the name of a bin where the first step looks into one of
            them.
        ctx: the path, one step or more; see :mod:`trio_aerospike.ctx`.
        expression: the new value, with the loop variables, or :func:`remove_result`. It cannot use variables of a
            ``let_`` around it.
        value_type: LIST or MAP; None for the type of ``container``.
        no_fail: skip elements for which an expression of the path is unknown, instead of failing.

    Raises:
        InvalidArgError: an argument is invalid or has the wrong type.
    """
    where = "exp.modify_by_path"
    steps = path_steps(f"{where}.ctx", ctx)
    modifier = value(expression, f"{where}.expression")
    modifier._check_complete(f"{where}.expression")
    flags = cdt.SELECT_APPLY | _no_fail(where, no_fail)
    return _path(where, container, steps, flags, modifier, value_type, True)


def loop_key(kind: ExpType) -> Expression:
    """In a path expression: the key of the current element of a map.

    Args:
        kind: its type, INT, STRING or BLOB; the result is unknown where it has another.

    Raises:
        InvalidArgError: ``kind`` is not an ExpType.
    """
    return make(ops.VAR_BUILTIN, (Kind(checked_enum("exp.loop_key.kind", kind, ExpType)), ops.BUILTIN_KEY), ())


def loop_value(kind: ExpType) -> Expression:
    """In a path expression: the value of the current element.

    Args:
        kind: its type; the result is unknown where it has another.

    Raises:
        InvalidArgError: ``kind`` is not an ExpType.
    """
    return make(ops.VAR_BUILTIN, (Kind(checked_enum("exp.loop_value.kind", kind, ExpType)), ops.BUILTIN_VALUE), ())


def loop_index() -> Expression:
    """In a path expression: the index of the current element."""
    return make(ops.VAR_BUILTIN, (Kind.INT, ops.BUILTIN_INDEX), ())


def remove_result() -> Expression:
    """In :func:`modify_by_path`: remove the element."""
    return make(ops.RESULT_REMOVE, (), ())


def _path(
    where: str,
    container: object,
    steps: Steps,
    flags: int,
    modifier: Expression | None,
    value_type: object,
    keeps: bool,
) -> Expression:
    first = outermost(steps)
    if first is None and isinstance(container, str):
        raise refused(where, container, "exp.list_bin or exp.map_bin of it, as the first step does not say which it is")
    applied = as_operand(where, container, first or Kind.LIST)
    kind = path_kind(keeps, applied._kind, steps)
    if value_type is not None:
        kind = Kind(checked_enum(f"{where}.value_type", value_type, ExpType))
        if kind not in (Kind.LIST, Kind.MAP):
            raise refused(f"{where}.value_type", value_type, "LIST, MAP, or None")
    if kind is None and applied._kind is None:
        raise refused(f"{where}.value_type", None, "LIST or MAP, as neither the container nor the path says which")
    system = ops.CALL_CDT | (0 if modifier is None else MODIFY)
    return make(ops.CALL, (kind or Kind.LIST, system, cdt.SELECT, readable_steps(steps), flags, modifier), (applied,))


def _no_fail(where: str, no_fail: object) -> int:
    if not isinstance(no_fail, bool):
        raise refused(f"{where}.no_fail", no_fail, "True or False")
    return cdt.SELECT_NO_FAIL if no_fail else 0
