"""Expression operations: return an expression's value, or write it to a bin (server: as/src/base/expop.c)."""

from __future__ import annotations

from typing import Final

from ..._wire import exp_ops
from ...errors import ResultCode
from ..cdt.elements import Malformed
from ..exceptions import Refused
from ..values import Particle
from . import REMOVED, UNKNOWN, Expression, Scope, compile_expression
from .packing import particle_of
from .validation import Reader
from .values import Extension

_READ_FLAGS: Final = exp_ops.FLAG_EVAL_NO_FAIL
_MODIFY_FLAGS: Final = (
    exp_ops.FLAG_CREATE_ONLY
    | exp_ops.FLAG_UPDATE_ONLY
    | exp_ops.FLAG_ALLOW_DELETE
    | exp_ops.FLAG_POLICY_NO_FAIL
    | exp_ops.FLAG_EVAL_NO_FAIL
)


def read(scope: Scope, payload: bytes) -> Particle | None:
    """Evaluate the expression of a read operation; None for nil.

    Args:
        scope: the record for the expression.
        payload: the operation's data: a list of the expression and flags.

    Raises:
        Refused: PARAM, the operation is invalid; OP_NOT_APPLICABLE, the value is unknown.
    """
    expression, flags = _parsed(payload, _READ_FLAGS)
    value = _evaluated(expression, scope)
    if isinstance(value, Unevaluated):
        _check_evaluation(flags)
        return None
    return value


def modify(scope: Scope, old: Particle | None, payload: bytes) -> Particle | None:
    """Evaluate the expression of a write operation: the bin's new value; None to delete the bin.

    Args:
        scope: the record for the expression.
        old: the bin's value.
        payload: the operation's data: a list of the expression and flags.

    Raises:
        Refused: the bin stays unchanged.
    """
    expression, flags = _parsed(payload, _MODIFY_FLAGS)
    forbidden, result = (
        (exp_ops.FLAG_UPDATE_ONLY, ResultCode.BIN_NOT_FOUND)
        if old is None
        else (exp_ops.FLAG_CREATE_ONLY, ResultCode.BIN_EXISTS)
    )
    if flags & forbidden:
        if flags & exp_ops.FLAG_POLICY_NO_FAIL:
            return old
        raise Refused(result)
    value = _evaluated(expression, scope)
    if isinstance(value, Unevaluated):
        _check_evaluation(flags)
        return old
    if value is None and old is not None and not flags & exp_ops.FLAG_ALLOW_DELETE:
        if flags:
            # A fault of the server: with any flag this does not fail.
            return old
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    return value


class Unevaluated:
    """In place of a value: it is unknown, or a bin cannot have it."""


_UNEVALUATED = Unevaluated()


def _evaluated(expression: Expression, scope: Scope) -> Particle | Unevaluated | None:
    value = expression.evaluate(scope)
    if value is UNKNOWN or value is REMOVED or isinstance(value, Extension):
        return _UNEVALUATED
    try:
        return particle_of(value)
    except Refused:
        return _UNEVALUATED


def _check_evaluation(flags: int) -> None:
    if not flags & exp_ops.FLAG_EVAL_NO_FAIL:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)


def _parsed(payload: bytes, allowed: int) -> tuple[Expression, int]:
    reader = Reader(payload)
    try:
        count = reader.list_count()
        if not 1 <= count <= 2:
            raise Malformed
        packed = reader.take()
    except (Malformed, IndexError) as error:
        raise Refused(ResultCode.PARAM) from error
    # Flags that are not an integer count as 0.
    try:
        flags = reader.unsigned()
    except (Malformed, IndexError):
        flags = 0
    if flags & ~allowed:
        raise Refused(ResultCode.PARAM)
    return compile_expression(packed), flags
