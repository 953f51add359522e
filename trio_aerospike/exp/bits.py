"""Operations on the bits of a blob, in expressions.

::

    from trio_aerospike import exp

    exp.bits.count("flags", 0, 64) >= 3
    exp.bits.set("flags", 8, 1, b"\\x80")           # gives the blob with the change; the bin stays as it is

The first argument is the blob: an expression, a value, or the name of a bin. Offsets and sizes are counted in bits
where they are called so, from the first bit of the first byte, negative from the end; they and other arguments are
values or expressions. Reads give what
they find, all others the whole blob with the change made. Where the blob does not exist or is none the result is
unknown, which a filter takes for false.

All functions raise InvalidArgError where an argument is none of these or has the wrong type.
"""

from __future__ import annotations

from trio_aerospike._cdt.blobs import (
    BitOverflow as BitOverflow,
    BitPolicy as BitPolicy,
    BitResize as BitResize,
    BitWrite as BitWrite,
)
from trio_aerospike.exp._apply import checked_static, modify, read, write_flags
from trio_aerospike.exp._calls import BITS, Call
from trio_aerospike.exp._expression import Expression, Operand
from trio_aerospike.validation import checked_enum, refused


def resize(
    blob: Operand,
    byte_size: Operand,
    resize_flags: BitResize = BitResize.DEFAULT,
    *,
    policy: BitPolicy | None = None,
) -> Expression:
    """Give the blob another size: bytes come and go at its end.

    Args:
        resize_flags: at which end, and in which direction alone.
        policy: takes CREATE_ONLY, UPDATE_ONLY and NO_FAIL.
    """
    call = BITS["resize"]
    return modify(
        call,
        blob,
        [byte_size, write_flags(call, policy, BitPolicy), checked_static(call, "resize_flags", resize_flags)],
    )


def insert(blob: Operand, byte_offset: Operand, value: Operand, *, policy: BitPolicy | None = None) -> Expression:
    """Insert bytes before an offset; ``policy`` takes CREATE_ONLY, UPDATE_ONLY and NO_FAIL."""
    return _modified(BITS["insert"], blob, [byte_offset, value], policy)


def remove(blob: Operand, byte_offset: Operand, byte_size: Operand, *, policy: BitPolicy | None = None) -> Expression:
    """Remove bytes from an offset on."""
    return _modified(BITS["remove"], blob, [byte_offset, byte_size], policy)


def set(
    blob: Operand, bit_offset: Operand, bit_size: Operand, value: Operand, *, policy: BitPolicy | None = None
) -> Expression:
    """Replace bits by the first bits of ``value``, which is bytes."""
    return _modified(BITS["set"], blob, [bit_offset, bit_size, value], policy)


def or_(
    blob: Operand, bit_offset: Operand, bit_size: Operand, value: Operand, *, policy: BitPolicy | None = None
) -> Expression:
    """Set the bits that ``value``, which is bytes, has set."""
    return _modified(BITS["or_"], blob, [bit_offset, bit_size, value], policy)


def xor(
    blob: Operand, bit_offset: Operand, bit_size: Operand, value: Operand, *, policy: BitPolicy | None = None
) -> Expression:
    """Turn the bits around that ``value``, which is bytes, has set."""
    return _modified(BITS["xor"], blob, [bit_offset, bit_size, value], policy)


def and_(
    blob: Operand, bit_offset: Operand, bit_size: Operand, value: Operand, *, policy: BitPolicy | None = None
) -> Expression:
    """Clear the bits that ``value``, which is bytes, has not set."""
    return _modified(BITS["and_"], blob, [bit_offset, bit_size, value], policy)


def not_(blob: Operand, bit_offset: Operand, bit_size: Operand, *, policy: BitPolicy | None = None) -> Expression:
    """Turn bits around."""
    return _modified(BITS["not_"], blob, [bit_offset, bit_size], policy)


def lshift(
    blob: Operand, bit_offset: Operand, bit_size: Operand, shift: Operand, *, policy: BitPolicy | None = None
) -> Expression:
    """Shift bits towards the front, and fill up with 0."""
    return _modified(BITS["lshift"], blob, [bit_offset, bit_size, shift], policy)


def rshift(
    blob: Operand, bit_offset: Operand, bit_size: Operand, shift: Operand, *, policy: BitPolicy | None = None
) -> Expression:
    """Shift bits towards the end, and fill up with 0."""
    return _modified(BITS["rshift"], blob, [bit_offset, bit_size, shift], policy)


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
        action: what becomes of a result that has no room.
        policy: takes UPDATE_ONLY and NO_FAIL.
    """
    return _arithmetic(BITS["add"], blob, [bit_offset, bit_size, value], signed, action, policy)


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
        action: what becomes of a result that has no room.
        policy: takes UPDATE_ONLY and NO_FAIL.
    """
    return _arithmetic(BITS["subtract"], blob, [bit_offset, bit_size, value], signed, action, policy)


def set_int(
    blob: Operand, bit_offset: Operand, bit_size: Operand, value: Operand, *, policy: BitPolicy | None = None
) -> Expression:
    """Replace bits, at most 64, by those of an int; ``policy`` takes UPDATE_ONLY and NO_FAIL."""
    return _modified(BITS["set_int"], blob, [bit_offset, bit_size, value], policy)


def get(blob: Operand, bit_offset: Operand, bit_size: Operand) -> Expression:
    """Bits as a blob, filled up with 0."""
    return read(BITS["get"], blob, [bit_offset, bit_size])


def count(blob: Operand, bit_offset: Operand, bit_size: Operand) -> Expression:
    """How many bits are set."""
    return read(BITS["count"], blob, [bit_offset, bit_size])


def lscan(blob: Operand, bit_offset: Operand, bit_size: Operand, value: Operand) -> Expression:
    """Where the first bit is that is set, or is not where ``value`` is false: an offset within the bits, or -1."""
    return read(BITS["lscan"], blob, [bit_offset, bit_size, value])


def rscan(blob: Operand, bit_offset: Operand, bit_size: Operand, value: Operand) -> Expression:
    """Where the last bit is that is set, or is not where ``value`` is false: an offset within the bits, or -1."""
    return read(BITS["rscan"], blob, [bit_offset, bit_size, value])


def get_int(blob: Operand, bit_offset: Operand, bit_size: Operand, *, signed: bool = False) -> Expression:
    """The int that the bits hold.

    Args:
        bit_size: at most 64.
        signed: whether the highest bit is a sign.
    """
    return read(BITS["get_int"], blob, [bit_offset, bit_size, _sign(BITS["get_int"], signed)])


def _modified(call: Call, blob: object, arguments: list[object], policy: object) -> Expression:
    return modify(call, blob, [*arguments, write_flags(call, policy, BitPolicy)])


def _arithmetic(
    call: Call, blob: object, arguments: list[object], signed: object, action: object, policy: object
) -> Expression:
    overflow = checked_enum(f"exp.bits.{call.name}.action", action, BitOverflow)
    return modify(call, blob, [*arguments, write_flags(call, policy, BitPolicy), overflow | _sign(call, signed)])


def _sign(call: Call, signed: object) -> int:
    if not isinstance(signed, bool):
        raise refused(f"exp.bits.{call.name}.signed", signed, "True or False")
    return int(signed)
