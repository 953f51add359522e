"""Operations that evaluate an expression on the record, for ``operate``, ``operate_ordered`` and batches.

::

    from trio_aerospike import exp, operations

    total = exp.int_bin("price") * exp.int_bin("count")
    record = await client.operate(key, [operations.read_expression("total", total)])
    record["total"]

The expression sees the effect of earlier operations of the same call.
"""

from __future__ import annotations

from enum import IntFlag
from typing import Any

from trio_aerospike._cdt.lists_and_maps import checked_flags
from trio_aerospike._wire import constants as wire, exp_ops
from trio_aerospike._wire.cdt import pack_value
from trio_aerospike._wire.cdt_calls import list_header, value_end
from trio_aerospike.errors import ProtocolError
from trio_aerospike.exp._expression import Operand, value
from trio_aerospike.exp._types import Kind
from trio_aerospike.operations._scalar import Operation
from trio_aerospike.validation import checked_bin_name, refused

__all__ = ["ExpRead", "ExpWrite", "read_expression", "write_expression"]


class ExpRead(IntFlag):
    """Flags of :func:`read_expression`."""

    DEFAULT = 0
    """Fail where its result is unknown."""
    EVAL_NO_FAIL = exp_ops.FLAG_EVAL_NO_FAIL
    """Return nothing where its result is unknown."""


class ExpWrite(IntFlag):
    """Flags of :func:`write_expression`."""

    DEFAULT = 0
    """Write the bin whether it exists or not; fail where the result is unknown, or None."""
    CREATE_ONLY = exp_ops.FLAG_CREATE_ONLY
    """Only create the bin."""
    UPDATE_ONLY = exp_ops.FLAG_UPDATE_ONLY
    """Only change a bin that exists."""
    ALLOW_DELETE = exp_ops.FLAG_ALLOW_DELETE
    """Delete the bin where the result is None."""
    POLICY_NO_FAIL = exp_ops.FLAG_POLICY_NO_FAIL
    """Leave the bin as it is, without an error, where one of the flags above denies the write."""
    EVAL_NO_FAIL = exp_ops.FLAG_EVAL_NO_FAIL
    """Leave the bin as it is, without an error, where the result is unknown."""


def read_expression(name: str, expression: Operand, flags: ExpRead = ExpRead.DEFAULT) -> Operation:
    """Read the value of an expression.

    Args:
        name: the name of the result in the record. It need not be a bin's, but follows the same rules.
        expression: of :mod:`trio_aerospike.exp`, of any type, or its bytes.
        flags: whether an unknown result is an error.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    where = "read_expression"
    payload = _payload(where, expression, checked_flags(f"{where}.flags", flags, ExpRead))
    return Operation(wire.OP_EXP_READ, checked_bin_name(name, f"{where}.name"), payload, info1=wire.INFO1_READ)


def write_expression(bin_name: str, expression: Operand, flags: ExpWrite = ExpWrite.DEFAULT) -> Operation:
    """Set a bin to the value of an expression.

    Args:
        bin_name: the bin.
        expression: of :mod:`trio_aerospike.exp`, of any type, or its bytes.
        flags: what the write may do.

    Raises:
        InvalidArgError: an argument is invalid, or CREATE_ONLY and UPDATE_ONLY exclude each other.
    """
    where = "write_expression"
    chosen = checked_flags(f"{where}.flags", flags, ExpWrite)
    both = ExpWrite.CREATE_ONLY | ExpWrite.UPDATE_ONLY
    if chosen & both == both:
        raise refused(f"{where}.flags", chosen, "CREATE_ONLY or UPDATE_ONLY, not both")
    return Operation(
        wire.OP_EXP_MODIFY, checked_bin_name(bin_name, f"{where}.bin_name"), _payload(where, expression, chosen)
    )


def _payload(where: str, expression: Any, flags: int) -> bytes:
    """The operation's value: the expression and its flags (server: expop.c)."""
    return list_header(2) + _packed(f"{where}.expression", expression) + pack_value(int(flags))


def _packed(where: str, expression: Any) -> bytes:
    if isinstance(expression, bytes):
        # As in policies, bytes are a packed expression; exp.blob_val makes one of a blob.
        try:
            if expression and value_end(expression, 0) == len(expression):
                return expression
        except ProtocolError:
            pass
        raise refused(where, expression, "an expression of trio_aerospike.exp, or the bytes of one")
    made = value(expression, where)
    made._check_complete(where)
    if made._kind is Kind.REMOVE:
        raise refused(where, made, "an expression of a value; remove_result is for modify_by_path")
    return made.encode()
