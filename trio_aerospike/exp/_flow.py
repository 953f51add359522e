"""Conditions, variables, and calls that have no function of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import attrs

from trio_aerospike._wire import cdt_ops as cdt, exp_ops as ops
from trio_aerospike.ctx import ContextLike
from trio_aerospike.exp._calls import CALL_ARGUMENTS_MAX, MODIFY
from trio_aerospike.exp._context import call_steps
from trio_aerospike.exp._expression import Expression, Operand, bind, build, make, value
from trio_aerospike.exp._types import ExpType, Kind
from trio_aerospike.validation import checked_enum, checked_int, refused

# The server's rule (exp.c, build_let), in which letters are those of ASCII.
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def unknown() -> Expression:
    """The result that is neither true nor false. An operation that ends in it fails; a filter takes it for false."""
    return build(ops.UNK)


def cond(*exprs: Operand) -> Expression:
    """The result of the first condition that is true, else the default.

    Args:
        exprs: condition, result, condition, result, ..., default. Results have one type, or are :func:`unknown`.

    Raises:
        InvalidArgError: there are not three or more, or the types do not go together.
    """
    return build(ops.COND, *exprs)


@attrs.frozen(eq=False)
class Definition:
    """A variable of a :func:`let_` and its value. Made by :func:`def_`."""

    name: str
    value: Expression

    def __repr__(self) -> str:
        return f"exp.def_({self.name!r}, {self.value!r})"


def def_(name: str, value_: Operand) -> Definition:
    """A variable, for :func:`let_`.

    Args:
        name: letters of ASCII, digits and ``_``, with no digit in front.
        value_: its value, in which variables before it can be used.

    Raises:
        InvalidArgError: an argument is none of these.
    """
    return Definition(_checked_name("exp.def_", name), value(value_, "exp.def_"))


def var(name: str) -> Expression:
    """The value of a variable. Its type is known when :func:`let_` binds it, and is checked then.

    Args:
        name: what :func:`def_` has called it.

    Raises:
        InvalidArgError: no variable can be called so.
    """
    return make(ops.VAR, (_checked_name("exp.var", name),), ())


def let_(*exprs: Definition | Operand) -> Expression:
    """An expression in which variables stand for values that are worked out once.

    Args:
        exprs: one or more of :func:`def_`, then the expression.

    Raises:
        InvalidArgError: the order is another, a variable is bound twice or used where it is not bound, or the types do
            not go together.
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
    """A family of operations that :func:`call` calls."""

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
    """An operation by its number, for what ``exp.lists``, ``maps``, ``bits`` and ``hll`` have no function for.

    Expressions of other clients read so where they write an operation in another way than this library would.

    Args:
        system: the family.
        opcode: the operation's number on the wire.
        args: its arguments in the order of the wire.
        operand: what it is applied to.
        value_type: what it gives.
        modify: whether it gives the changed value.
        ctx: the way to a list or map inside others.

    Raises:
        InvalidArgError: an argument is none of these, or has the wrong type.
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
