"""Operations on the bits of a blob, for ``operate``, ``operate_ordered`` and batches.

::

    from trio_aerospike import bits

    record = await client.operate(key, [
        bits.resize("flags", 16),
        bits.add("flags", 0, 32, 1, action=bits.BitOverflow.SATURATE),
        bits.count("flags", 0, 128),
    ])

Bits are numbered from the most significant bit of the first byte; a negative offset counts from the end of the blob
(-8 is the last byte). A field is the bits from ``bit_offset`` on, ``bit_size`` of them. The server refuses a field that
is not within the blob with result code 26 (OP_NOT_APPLICABLE) unless the policy allows it, a missing bin with 17
(BIN_NOT_FOUND) and a bin of another type with 12 (BIN_TYPE). Blobs within lists and maps have no such operations.

Every function checks its arguments and raises InvalidArgError for an invalid one.
"""

from __future__ import annotations

from typing import Any

from trio_aerospike._cdt.bits_and_hll import (
    BitOverflow as BitOverflow,
    BitPolicy as BitPolicy,
    BitResize as BitResize,
    BitWrite as BitWrite,
    flags_of,
)
from trio_aerospike._cdt.lists_and_maps import checked_flags
from trio_aerospike._wire import bit_ops, constants as wire
from trio_aerospike._wire.bit_ops import BITS
from trio_aerospike._wire.cdt_calls import Packed
from trio_aerospike.operations._from_tables import encoded
from trio_aerospike.operations._scalar import Operation
from trio_aerospike.validation import checked_enum, checked_int, refused

_BYTES_MAX = wire.PROTO_SIZE_MAX
_BITS_MAX = wire.PROTO_SIZE_MAX * 8
_MASK = 0xFFFF_FFFF_FFFF_FFFF


# -- writes ------------------------------------------------------------------------------------------------------------


def resize(
    bin_name: str, byte_size: int, resize_flags: BitResize = BitResize.DEFAULT, policy: BitPolicy | None = None
) -> Operation:
    """Set the size of a blob, with zeros where it grows; a missing bin is created.

    Args:
        bin_name: the bin.
        byte_size: the new size, in bytes.
        resize_flags: at which end, and whether only to grow or only to shrink.
        policy: allows CREATE_ONLY, UPDATE_ONLY and NO_FAIL.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    size = checked_int("bits.resize.byte_size", byte_size, 0, _BYTES_MAX - 1)
    how = checked_flags("bits.resize.resize_flags", resize_flags, BitResize)
    both = BitResize.GROW_ONLY | BitResize.SHRINK_ONLY
    if how & both == both:
        raise refused("bits.resize.resize_flags", how, "GROW_ONLY or SHRINK_ONLY, not both")
    flags = _flags("resize", policy)
    return _operation("resize", bin_name, size, flags, int(how))


def insert(bin_name: str, byte_offset: int, value: bytes | bytearray, policy: BitPolicy | None = None) -> Operation:
    """Insert bytes into a blob; one that is too short is padded with zeros, a missing bin is created.

    Args:
        bin_name: the bin.
        byte_offset: the byte to insert before; negative from the end.
        value: the bytes, at least one.
        policy: allows CREATE_ONLY, UPDATE_ONLY and NO_FAIL.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    offset = _byte_offset("insert", byte_offset)
    content = _content("insert", value)
    return _operation("insert", bin_name, offset, content, _flags("insert", policy))


def remove(bin_name: str, byte_offset: int, byte_size: int, policy: BitPolicy | None = None) -> Operation:
    """Remove bytes from a blob.

    Args:
        bin_name: the bin.
        byte_offset: the first of them; negative from the end.
        byte_size: how many.
        policy: allows UPDATE_ONLY, NO_FAIL and PARTIAL.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    offset = _byte_offset("remove", byte_offset)
    size = checked_int("bits.remove.byte_size", byte_size, 1, _BYTES_MAX)
    return _operation("remove", bin_name, offset, size, _flags("remove", policy))


def set(
    bin_name: str, bit_offset: int, bit_size: int, value: bytes | bytearray, policy: BitPolicy | None = None
) -> Operation:
    """Overwrite a field with the first bits of ``value``.

    Args:
        bin_name: the bin.
        bit_offset: where the field begins; negative from the end.
        bit_size: how many bits it has.
        value: at least as many bits.
        policy: allows UPDATE_ONLY, NO_FAIL and PARTIAL.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    return _with_value("set", bin_name, bit_offset, bit_size, value, policy)


def or_(
    bin_name: str, bit_offset: int, bit_size: int, value: bytes | bytearray, policy: BitPolicy | None = None
) -> Operation:
    """Set the bits of a field that are set in ``value``; arguments as in :func:`set`."""
    return _with_value("or_", bin_name, bit_offset, bit_size, value, policy)


def xor(
    bin_name: str, bit_offset: int, bit_size: int, value: bytes | bytearray, policy: BitPolicy | None = None
) -> Operation:
    """Invert the bits of a field that are set in ``value``; arguments as in :func:`set`."""
    return _with_value("xor", bin_name, bit_offset, bit_size, value, policy)


def and_(
    bin_name: str, bit_offset: int, bit_size: int, value: bytes | bytearray, policy: BitPolicy | None = None
) -> Operation:
    """Keep the bits of a field that are set in ``value``; arguments as in :func:`set`."""
    return _with_value("and_", bin_name, bit_offset, bit_size, value, policy)


def not_(bin_name: str, bit_offset: int, bit_size: int, policy: BitPolicy | None = None) -> Operation:
    """Invert all bits of a field; arguments as in :func:`set`."""
    field = _field("not_", bit_offset, bit_size)
    return _operation("not_", bin_name, *field, _flags("not_", policy))


def lshift(bin_name: str, bit_offset: int, bit_size: int, shift: int, policy: BitPolicy | None = None) -> Operation:
    """Shift a field to the left: its first bits are dropped, zeros follow.

    Args:
        bin_name: the bin.
        bit_offset: where the field begins; negative from the end.
        bit_size: how many bits it has.
        shift: by how many bits.
        policy: allows UPDATE_ONLY, NO_FAIL and PARTIAL.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    return _shifts("lshift", bin_name, bit_offset, bit_size, shift, policy)


def rshift(bin_name: str, bit_offset: int, bit_size: int, shift: int, policy: BitPolicy | None = None) -> Operation:
    """Shift a field to the right: its last bits are dropped, zeros come first; arguments as in :func:`lshift`."""
    return _shifts("rshift", bin_name, bit_offset, bit_size, shift, policy)


def add(
    bin_name: str,
    bit_offset: int,
    bit_size: int,
    value: int,
    signed: bool = False,
    action: BitOverflow = BitOverflow.FAIL,
    policy: BitPolicy | None = None,
) -> Operation:
    """Add to the integer that a field holds, its most significant bit first.

    Args:
        bin_name: the bin.
        bit_offset: where the field begins; negative from the end.
        bit_size: how many bits it has, 1 to 64.
        value: what to add; only its lowest ``bit_size`` bits are used.
        signed: the field holds a signed integer (two's complement), and ``value`` is one.
        action: what to do with a sum that does not fit into the field.
        policy: allows UPDATE_ONLY and NO_FAIL.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    return _arithmetic("add", bin_name, bit_offset, bit_size, value, signed, action, policy)


def subtract(
    bin_name: str,
    bit_offset: int,
    bit_size: int,
    value: int,
    signed: bool = False,
    action: BitOverflow = BitOverflow.FAIL,
    policy: BitPolicy | None = None,
) -> Operation:
    """Subtract from the integer that a field holds; arguments as in :func:`add`."""
    return _arithmetic("subtract", bin_name, bit_offset, bit_size, value, signed, action, policy)


def set_int(bin_name: str, bit_offset: int, bit_size: int, value: int, policy: BitPolicy | None = None) -> Operation:
    """Write an integer into a field, its most significant bit first.

    Args:
        bin_name: the bin.
        bit_offset: where the field begins; negative from the end.
        bit_size: how many bits it has, 1 to 64.
        value: the integer; only its lowest ``bit_size`` bits are used.
        policy: allows UPDATE_ONLY and NO_FAIL.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    field = _field("set_int", bit_offset, bit_size, 64)
    number = _integer("set_int", value)
    # The C client sends this one signed, and those of add and subtract unsigned.
    signed = number - (1 << 64) if number >> 63 else number
    return _operation("set_int", bin_name, *field, signed, _flags("set_int", policy))


# -- reads -------------------------------------------------------------------------------------------------------------


def get(bin_name: str, bit_offset: int, bit_size: int) -> Operation:
    """Read a field as bytes, left-aligned and padded with zeros.

    Args:
        bin_name: the bin.
        bit_offset: where the field begins; negative from the end.
        bit_size: how many bits it has.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    return _operation("get", bin_name, *_field("get", bit_offset, bit_size))


def count(bin_name: str, bit_offset: int, bit_size: int) -> Operation:
    """Count the bits of a field that are set; arguments as in :func:`get`."""
    return _operation("count", bin_name, *_field("count", bit_offset, bit_size))


def lscan(bin_name: str, bit_offset: int, bit_size: int, value: bool) -> Operation:
    """Find the first bit of a field that is set, or the first one that is not.

    The result is its position within the field, or -1.

    Args:
        bin_name: the bin.
        bit_offset: where the field begins; negative from the end.
        bit_size: how many bits it has.
        value: True to find one that is set.

    Raises:
        InvalidArgError: an argument is invalid.
    """
    field = _field("lscan", bit_offset, bit_size)
    return _operation("lscan", bin_name, *field, _boolean("lscan.value", value))


def rscan(bin_name: str, bit_offset: int, bit_size: int, value: bool) -> Operation:
    """Find the last bit of a field that is set, or the last one that is not; arguments as in :func:`lscan`.

    Where there is none, a field that begins within a byte may give another negative number than -1: the server searches
    on to the beginning of that byte.
    """
    field = _field("rscan", bit_offset, bit_size)
    return _operation("rscan", bin_name, *field, _boolean("rscan.value", value))


def get_int(bin_name: str, bit_offset: int, bit_size: int, signed: bool = False) -> Operation:
    """Read a field as an integer, its most significant bit first.

    Args:
        bin_name: the bin.
        bit_offset: where the field begins; negative from the end.
        bit_size: how many bits it has, 1 to 64; 64 bits are always a signed integer.
        signed: it is a signed integer (two's complement).

    Raises:
        InvalidArgError: an argument is invalid.
    """
    field = _field("get_int", bit_offset, bit_size, 64)
    sign = (bit_ops.INT_SIGNED,) if _boolean("get_int.signed", signed) else ()
    return _operation("get_int", bin_name, *field, *sign)


# -- checks and encoding ----------------------------------------------------------------------------------------------


def _operation(what: str, bin_name: str, *args: Any) -> Operation:
    return encoded(BITS[what], bin_name, args)


def _with_value(
    what: str, bin_name: str, bit_offset: int, bit_size: int, value: object, policy: BitPolicy | None
) -> Operation:
    offset, size = _field(what, bit_offset, bit_size)
    content = _content(what, value)
    if len(content) * 8 < size:
        raise refused(f"bits.{what}.value", value, f"at least the {size} bits of bit_size")
    return _operation(what, bin_name, offset, size, content, _flags(what, policy))


def _shifts(
    what: str, bin_name: str, bit_offset: int, bit_size: int, shift: int, policy: BitPolicy | None
) -> Operation:
    field = _field(what, bit_offset, bit_size)
    by = checked_int(f"bits.{what}.shift", shift, 0, _BITS_MAX)
    return _operation(what, bin_name, *field, by, _flags(what, policy))


def _arithmetic(
    what: str,
    bin_name: str,
    bit_offset: int,
    bit_size: int,
    value: int,
    signed: bool,
    action: BitOverflow,
    policy: BitPolicy | None,
) -> Operation:
    field = _field(what, bit_offset, bit_size, 64)
    number = _integer(what, value)
    sign = bit_ops.INT_SIGNED if _boolean(f"{what}.signed", signed) else 0
    overflow = checked_enum(f"bits.{what}.action", action, BitOverflow)
    flags = _flags(what, policy)
    # The packer refuses unsigned integers of 64 bits, as they cannot be stored.
    packed = Packed(b"\xcf" + number.to_bytes(8, "big")) if number >> 63 else number
    return _operation(what, bin_name, *field, packed, flags, sign | overflow)


def _flags(what: str, policy: BitPolicy | None) -> int:
    return flags_of(f"bits.{what}.policy", policy, BitPolicy, BitWrite(BITS[what].flags))


def _byte_offset(what: str, offset: object) -> int:
    return checked_int(f"bits.{what}.byte_offset", offset, -_BYTES_MAX, _BYTES_MAX)


def _field(what: str, offset: object, size: object, most: int = _BITS_MAX) -> tuple[int, int]:
    return (
        checked_int(f"bits.{what}.bit_offset", offset, -_BITS_MAX, _BITS_MAX),
        checked_int(f"bits.{what}.bit_size", size, 1, most),
    )


def _content(what: str, value: object) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)) and len(value):
        return bytes(value)
    raise refused(f"bits.{what}.value", value, "bytes, at least one")


def _integer(what: str, value: object) -> int:
    return checked_int(f"bits.{what}.value", value, -(1 << 63), _MASK) & _MASK


def _boolean(where: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise refused(f"bits.{where}", value, "True or False")


__all__ = [
    "BitOverflow",
    "BitPolicy",
    "BitResize",
    "BitWrite",
    "add",
    "and_",
    "count",
    "get",
    "get_int",
    "insert",
    "lscan",
    "lshift",
    "not_",
    "or_",
    "remove",
    "resize",
    "rscan",
    "rshift",
    "set",
    "set_int",
    "subtract",
    "xor",
]
