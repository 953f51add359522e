"""Conditions, variables, and calls of operations by number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import attrs

from trio_aerospike._wire import cdt_ops as cdt, exp_ops as ops
from trio_aerospike.ctx import ContextLike
from trio_aerospike.exp._call_types import CALL_ARGUMENTS_MAX, MODIFY
from trio_aerospike.exp._context import call_steps
from trio_aerospike.exp._expression import Expression, Operand, bind, build, make, value
from trio_aerospike.exp._types import ExpType, Kind
from trio_aerospike.validation import checked_enum, checked_int, refused

# The server's rule (exp.c, build_let), in which letters are those of ASCII.
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def unknown() -> Expression:
    """The unknown result. An operation with it fails; for a filter it is false."""
    return build(ops.UNK)


def cond(*exprs: Operand) -> Expression:
    """The result of the first condition that is true, else the default.

    Args:
        exprs: condition, result, condition, result, ..., default. Results have one type, or are :func:`unknown`.

    Raises:
        InvalidArgError: there are fewer than three arguments, an even number of them, or incompatible types.
    """
    return build(ops.COND, *exprs)


@attrs.frozen(eq=False)
class Definition:
    """A variable of a :func:`let_` and its value. Use :func:`def_` to make one."""

    name: str
    value: Expression

    def __repr__(self) -> str:
        return f"exp.def_({self.name!r}, {self.value!r})"


def def_(name: str, value_: Operand) -> Definition:
    """Define a variable, for :func:`let_`.

    Args:
        name: ASCII letters, digits and ``_``, not beginning with a digit.
        value_: its value, which can use variables defined before.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    return Definition(_checked_name("exp.def_", name), value(value_, "exp.def_"))


def var(name: str) -> Expression:
    """The value of a variable. Its type is known when :func:`let_` binds it, and is checked then.

    Args:
        name: its name in :func:`def_`.

    Raises:
        InvalidArgError: ``name`` is not a valid name of a variable.
    """
    return make(ops.VAR, (_checked_name("exp.var", name),), ())


def let_(*exprs: Definition | Operand) -> Expression:
    """An expression with variables, each evaluated once.

    Args:
        exprs: one or more of :func:`def_`, then the expression.

    Raises:
        InvalidArgError: there is no definition, or no expression after them; a variable is bound twice or used where
            it is not bound; or types are incompatible.
    """
    *definitions, body = exprs or (None,)
    if not definitions or not all(isinstance(one, Definition) for one in definitions):
        raise refused("exp.let_", exprs, "one or more of def_, then an expression")
    if isinstance(body, Definition):
        raise refused("exp.let_", body, "an expression after the last def_")
    bound = [one for one in definitions if isinstance(one, Definition)]
    return bind(tuple([one.name for one in bound]), (*[one.value for one in bound], value(body, "exp.let_")))


def _checked_name(where: str, name: object) -> str:
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise refused(where, name, "a name of letters of ASCII, digits and _, with no digit in front")


class CallSystem(IntEnum):
    """A family of operations for :func:`call`."""

    CDT = ops.CALL_CDT
    """Lists and maps."""
    BITS = ops.CALL_BITS
    """Bits of blobs."""
    HLL = ops.CALL_HLL
    """HyperLogLog sketches."""


def call(
    system: CallSystem,
    opcode: int,
    args: Sequence[Operand],
    operand: Operand,
    value_type: ExpType,
    *,
    modify: bool = False,
    ctx: ContextLike = (),
) -> Expression:
    """Call an operation by its number, where ``exp.lists``, ``maps``, ``bits`` and ``hll`` have no function for it.

    The source code of expressions from other clients uses it where their arguments differ from those of the functions.

    Args:
        system: the family.
        opcode: the operation's number on the wire.
        args: its arguments in the order of the wire.
        operand: what it is applied to.
        value_type: the type of its result.
        modify: whether its result is the changed value.
        ctx: the context of a list or map inside others.

    Raises:
        InvalidArgError: an argument is invalid or has the wrong type.
    """
    family = checked_enum("exp.call.system", system, CallSystem)
    number = checked_int("exp.call.opcode", opcode, 0, cdt.SELECT - 1)
    if isinstance(args, (str, bytes)) or not isinstance(args, Sequence):
        raise refused("exp.call.args", args, "a list of arguments")
    if not isinstance(modify, bool):
        raise refused("exp.call.modify", modify, "True or False")
    kind = Kind(checked_enum("exp.call.value_type", value_type, ExpType))
    steps = call_steps("exp.call.ctx", ctx, creates=modify)
    if steps and family is not CallSystem.CDT:
        raise refused("exp.call.ctx", ctx, "none, as only lists and maps have others inside")
    children = [value(arg, f"exp.call, argument {place}") for place, arg in enumerate(args, 1)]
    if len(children) > CALL_ARGUMENTS_MAX:
        raise refused("exp.call.args", args, f"at most {CALL_ARGUMENTS_MAX} arguments")
    static = (kind, family | MODIFY * modify, number, steps, None, None)
    return make(ops.CALL, static, (*children, value(operand, "exp.call.operand")))


__all__ = ["CallSystem", "Definition", "call", "cond", "def_", "let_", "unknown", "var"]
