"""Operations on whole bins and on the record."""

from __future__ import annotations

from typing import Any

import attrs

from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.commands import encode_op
from trio_aerospike._wire.value_types import HyperLogLog
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.validation import checked_bin_name, refused

# Codes that read (server: as/include/base/proto.h, OP_IS_READ); all others write.
_READS = frozenset((wire.OP_READ, wire.OP_CDT_READ, wire.OP_EXP_READ, wire.OP_BITS_READ, wire.OP_HLL_READ))
# Operations that are answered even without a result, so that results can be matched to them (C client:
# aerospike_key.c). Those on maps are as well; those on lists, of the same codes, are not.
_ANSWERED = frozenset(
    (wire.OP_EXP_READ, wire.OP_EXP_MODIFY, wire.OP_BITS_READ, wire.OP_BITS_MODIFY, wire.OP_HLL_READ, wire.OP_HLL_MODIFY)
)
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 63) - 1


@attrs.frozen(eq=False)
class Operation:
    """One step of an ``operate``. Use the functions of this package to make one.

    It is checked and encoded when it is made: a value that the database cannot hold is an error there, changing a list
    or dict afterwards does not change the operation, and an operation can be used any number of times.

    Raises:
        InvalidArgError: The database cannot hold the value.
    """

    op: int
    """The operation's code on the wire."""
    bin_name: str
    """``""`` where the operation is on the whole record."""
    value: Any = None
    info1: int = attrs.field(default=0, repr=False, kw_only=True)
    """Bits of the request's first byte that this operation needs."""
    info2: int = attrs.field(default=0, repr=False, kw_only=True)
    """The same, of the request's second byte."""
    is_write: bool = attrs.field(init=False, repr=False)
    """Whether it changes the record."""
    _encoded: bytes = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "is_write", self.op not in _READS)
        if self.op in _ANSWERED:
            object.__setattr__(self, "info2", self.info2 | wire.INFO2_RESPOND_ALL_OPS)
        object.__setattr__(self, "_encoded", encode_op(self.op, self.bin_name, self.value))

    def encode(self) -> bytes:
        """The operation as the request carries it."""
        return self._encoded

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Operation):
            return NotImplemented
        return self._encoded == other._encoded and self.info1 == other.info1

    def __hash__(self) -> int:
        return hash(self._encoded)


def read(bin_name: str) -> Operation:
    """Read a bin.

    Args:
        bin_name: Its name, 1 to 15 bytes in UTF-8. A bin that does not exist gives no result.

    Raises:
        InvalidArgError: ``bin_name`` is not a valid bin name.
    """
    return Operation(wire.OP_READ, checked_bin_name(bin_name, "read.bin_name"), info1=wire.INFO1_READ)


def read_all() -> Operation:
    """Read all bins of the record."""
    # The server accepts a read without a name together with GET_ALL (rw_utils.h).
    return Operation(wire.OP_READ, "", info1=wire.INFO1_READ | wire.INFO1_GET_ALL)


def write(bin_name: str, value: Any) -> Operation:
    """Set a bin.

    Args:
        bin_name: Its name.
        value: An int of 64 bits, float, str, bytes, bool, list, dict, GeoJSON or HyperLogLog; None deletes the bin.

    Raises:
        InvalidArgError: ``bin_name`` is not a valid bin name, or the database cannot hold the value.
    """
    return _valued(wire.OP_WRITE, "write", checked_bin_name(bin_name, "write.bin_name"), value)


def append(bin_name: str, value: str | bytes) -> Operation:
    """Add to the end of a str or bytes; a missing bin is created.

    Args:
        bin_name: Its name.
        value: What to add, of the type that the bin holds.

    Raises:
        InvalidArgError: ``bin_name`` is not a valid bin name, or ``value`` is neither str nor bytes.
    """
    return _affix(wire.OP_APPEND, "append", bin_name, value)


def prepend(bin_name: str, value: str | bytes) -> Operation:
    """Insert before the beginning of a str or bytes; a missing bin is created.

    Args:
        bin_name: Its name.
        value: What to insert, of the type that the bin holds.

    Raises:
        InvalidArgError: ``bin_name`` is not a valid bin name, or ``value`` is neither str nor bytes.
    """
    return _affix(wire.OP_PREPEND, "prepend", bin_name, value)


def _affix(op: int, what: str, bin_name: str, value: str | bytes) -> Operation:
    name = checked_bin_name(bin_name, f"{what}.bin_name")
    if not isinstance(value, (str, bytes, bytearray, memoryview)) or isinstance(value, HyperLogLog):
        raise refused(f"{what}.value", value, "a str or bytes")
    return _valued(op, what, name, value)


def _valued(op: int, what: str, name: str, value: Any) -> Operation:
    try:
        return Operation(op, name, value)
    except InvalidArgError as error:
        raise InvalidArgError(f"{what}.value: {error}") from None


def increment(bin_name: str, offset: int | float) -> Operation:
    """Add a number to a bin; a missing one counts as 0.

    Args:
        bin_name: Its name.
        offset: What to add, negative to subtract: an int of 64 bits where the bin holds an int, a float where it holds
            a float.

    Raises:
        InvalidArgError: ``bin_name`` is not a valid bin name, or ``offset`` is not such a number.
    """
    name = checked_bin_name(bin_name, "increment.bin_name")
    is_int = isinstance(offset, int) and not isinstance(offset, bool)
    if not (isinstance(offset, float) or (is_int and _INT_MIN <= offset <= _INT_MAX)):
        raise refused("increment.offset", offset, "an int of 64 bits or a float")
    return Operation(wire.OP_INCR, name, offset)


def touch() -> Operation:
    """Reset the record's time to live and increment its generation."""
    return Operation(wire.OP_TOUCH, "")


def delete() -> Operation:
    """Delete the record: all bins that it has at this point of the operations."""
    return Operation(wire.OP_DELETE, "")
