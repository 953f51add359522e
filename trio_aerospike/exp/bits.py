"""Operations on the bits of a blob, in expressions.

::

    from trio_aerospike import exp

    exp.bits.count("flags", 0, 64) >= 3
    exp.bits.set("flags", 8, 1, b"\\x80")           # gives the blob with the change; the bin stays as it is

The first argument is the blob: an expression, a value, or the name of a bin. Offsets and sizes are in bits, or in bytes
where their names begin with ``byte``, from the first bit of the first byte, negative from the end; they and other
arguments are values or expressions. Reads give what they find, all others the whole blob with the change made. The
result is unknown, which is false for a filter, where the blob does not exist or is of another type.

All functions raise InvalidArgError where an argument is invalid or has the wrong type.
"""

from __future__ import annotations

from trio_aerospike._cdt.bits_and_hll import (
    BitOverflow as BitOverflow,
    BitPolicy as BitPolicy,
    BitResize as BitResize,
    BitWrite as BitWrite,
)
from trio_aerospike._wire.bit_ops import BITS
from trio_aerospike.exp._expression import Expression, Operand
from trio_aerospike.exp._operation_calls import apply
from trio_aerospike.validation import checked_enum, refused


def resize(
    blob: Operand,
    byte_size: Operand,
    resize_flags: BitResize = BitResize.DEFAULT,
    *,
    policy: BitPolicy | None = None,
) -> Expression:
    """Set the size of the blob.

    Args:
        resize_flags: at which end, and whether only to grow or only to shrink.
        policy: allows CREATE_ONLY, UPDATE_ONLY and NO_FAIL.
    """
    return apply(BITS["resize"], blob, (), byte_size, resize_flags, policy=policy)


def insert(blob: Operand, byte_offset: Operand, value: Operand, *, policy: BitPolicy | None = None) -> Expression:
    """Insert bytes before an offset; ``policy`` allows CREATE_ONLY, UPDATE_ONLY and NO_FAIL."""
    return apply(BITS["insert"], blob, (), byte_offset, value, policy=policy)


def remove(blob: Operand, byte_offset: Operand, byte_size: Operand, *, policy: BitPolicy | None = None) -> Expression:
    """Remove bytes from an offset on."""
    return apply(BITS["remove"], blob, (), byte_offset, byte_size, policy=policy)


def set(
    blob: Operand, bit_offset: Operand, bit_size: Operand, value: Operand, *, policy: BitPolicy | None = None
) -> Expression:
    """Replace bits by the first bits of ``value``, which is bytes."""
    return apply(BITS["set"], blob, (), bit_offset, bit_size, value, policy=policy)


def or_(
    blob: Operand, bit_offset: Operand, bit_size: Operand, value: Operand, *, policy: BitPolicy | None = None
) -> Expression:
    """Set the bits that ``value``, which is bytes, has set."""
    return apply(BITS["or_"], blob, (), bit_offset, bit_size, value, policy=policy)


def xor(
    blob: Operand, bit_offset: Operand, bit_size: Operand, value: Operand, *, policy: BitPolicy | None = None
) -> Expression:
    """Invert the bits that ``value``, which is bytes, has set."""
    return apply(BITS["xor"], blob, (), bit_offset, bit_size, value, policy=policy)


def and_(
    blob: Operand, bit_offset: Operand, bit_size: Operand, value: Operand, *, policy: BitPolicy | None = None
) -> Expression:
    """Clear the bits that ``value``, which is bytes, does not have set."""
    return apply(BITS["and_"], blob, (), bit_offset, bit_size, value, policy=policy)


def not_(blob: Operand, bit_offset: Operand, bit_size: Operand, *, policy: BitPolicy | None = None) -> Expression:
    """Invert bits."""
    return apply(BITS["not_"], blob, (), bit_offset, bit_size, policy=policy)


def lshift(
    blob: Operand, bit_offset: Operand, bit_size: Operand, shift: Operand, *, policy: BitPolicy | None = None
) -> Expression:
    """Shift bits to the left; zeros follow."""
    return apply(BITS["lshift"], blob, (), bit_offset, bit_size, shift, policy=policy)


def rshift(
    blob: Operand, bit_offset: Operand, bit_size: Operand, shift: Operand, *, policy: BitPolicy | None = None
) -> Expression:
    """Shift bits to the right; zeros come first."""
    return apply(BITS["rshift"], blob, (), bit_offset, bit_size, shift, policy=policy)


def add(
    blob: Operand,
    bit_offset: Operand,
    bit_size: Operand,
    value: Operand,
    *,
    signed: bool = False,
    action: BitOverflow = BitOverflow.FAIL,
    policy: BitPolicy | None = None,
) -> Expression:
    """Add to the int that the bits hold.

    Args:
        bit_size: at most 64.
        signed: whether the highest bit is a sign.
        action: what to do with a result that does not fit.
        policy: allows UPDATE_ONLY and NO_FAIL.
    """
    how = _overflow("add", action) | _sign("add", signed)
    return apply(BITS["add"], blob, (), bit_offset, bit_size, value, how, policy=policy)


def subtract(
    blob: Operand,
    bit_offset: Operand,
    bit_size: Operand,
    value: Operand,
    *,
    signed: bool = False,
    action: BitOverflow = BitOverflow.FAIL,
    policy: BitPolicy | None = None,
) -> Expression:
    """Subtract from the int that the bits hold.

    Args:
        bit_size: at most 64.
        signed: whether the highest bit is a sign.
        action: what to do with a result that does not fit.
        policy: allows UPDATE_ONLY and NO_FAIL.
    """
    how = _overflow("subtract", action) | _sign("subtract", signed)
    return apply(BITS["subtract"], blob, (), bit_offset, bit_size, value, how, policy=policy)


def set_int(
    blob: Operand, bit_offset: Operand, bit_size: Operand, value: Operand, *, policy: BitPolicy | None = None
) -> Expression:
    """Replace bits, at most 64, by those of an int; ``policy`` allows UPDATE_ONLY and NO_FAIL."""
    return apply(BITS["set_int"], blob, (), bit_offset, bit_size, value, policy=policy)


def get(blob: Operand, bit_offset: Operand, bit_size: Operand) -> Expression:
    """Bits as a blob, padded with zeros."""
    return apply(BITS["get"], blob, (), bit_offset, bit_size)


def count(blob: Operand, bit_offset: Operand, bit_size: Operand) -> Expression:
    """The number of bits that are set."""
    return apply(BITS["count"], blob, (), bit_offset, bit_size)


def lscan(blob: Operand, bit_offset: Operand, bit_size: Operand, value: Operand) -> Expression:
    """The position of the first bit that equals ``value``, within the bits, or -1."""
    return apply(BITS["lscan"], blob, (), bit_offset, bit_size, value)


def rscan(blob: Operand, bit_offset: Operand, bit_size: Operand, value: Operand) -> Expression:
    """The position of the last bit that equals ``value``, within the bits, or -1."""
    return apply(BITS["rscan"], blob, (), bit_offset, bit_size, value)


def get_int(blob: Operand, bit_offset: Operand, bit_size: Operand, *, signed: bool = False) -> Expression:
    """The int that the bits hold.

    Args:
        bit_size: at most 64.
        signed: whether the highest bit is a sign.
    """
    return apply(BITS["get_int"], blob, (), bit_offset, bit_size, _sign("get_int", signed))


def _overflow(name: str, action: object) -> int:
    return checked_enum(f"exp.bits.{name}.action", action, BitOverflow)


def _sign(name: str, signed: object) -> int:
    if not isinstance(signed, bool):
        raise refused(f"exp.bits.{name}.signed", signed, "True or False")
    return int(signed)
