"""Operations on the bits of bytes: each function returns the dict that ``operate`` and its relatives take.

The dicts are those of aerospike_py 0.14.4, key by key. Their values are checked when they are used. Bits are counted
from the left; a negative offset counts from the end. ``policy`` is a sum of BIT_WRITE_ constants.
"""

from __future__ import annotations

from typing import Final

from ._operations.types import Operation, build as _build

__all__ = [
    "Operation",
    "bit_add",
    "bit_and",
    "bit_count",
    "bit_get",
    "bit_get_int",
    "bit_insert",
    "bit_lscan",
    "bit_lshift",
    "bit_not",
    "bit_or",
    "bit_remove",
    "bit_resize",
    "bit_rscan",
    "bit_rshift",
    "bit_set",
    "bit_set_int",
    "bit_subtract",
    "bit_xor",
]

_OP_BIT_RESIZE: Final = 4001
_OP_BIT_INSERT: Final = 4002
_OP_BIT_REMOVE: Final = 4003
_OP_BIT_SET: Final = 4004
_OP_BIT_OR: Final = 4005
_OP_BIT_XOR: Final = 4006
_OP_BIT_AND: Final = 4007
_OP_BIT_NOT: Final = 4008
_OP_BIT_LSHIFT: Final = 4009
_OP_BIT_RSHIFT: Final = 4010
_OP_BIT_ADD: Final = 4011
_OP_BIT_SUBTRACT: Final = 4012
_OP_BIT_SET_INT: Final = 4013
_OP_BIT_GET: Final = 4050
_OP_BIT_COUNT: Final = 4051
_OP_BIT_LSCAN: Final = 4052
_OP_BIT_RSCAN: Final = 4053
_OP_BIT_GET_INT: Final = 4054


def bit_resize(bin: str, byte_size: int, resize_flags: int = 0, policy: int | None = None) -> Operation:
    """Resize a blob to ``byte_size`` bytes; ``resize_flags`` is a BIT_RESIZE_ constant."""
    operation: Operation = {"op": _OP_BIT_RESIZE, "bin": bin, "byte_size": byte_size}
    if resize_flags != 0:
        operation["resize_flags"] = resize_flags
    return _build(operation, bit_policy=policy)


def bit_insert(bin: str, byte_offset: int, value: bytes | bytearray, policy: int | None = None) -> Operation:
    """Insert bytes into a blob at ``byte_offset``."""
    return _build({"op": _OP_BIT_INSERT, "bin": bin, "byte_offset": byte_offset, "val": value}, bit_policy=policy)


def bit_remove(bin: str, byte_offset: int, byte_size: int, policy: int | None = None) -> Operation:
    """Remove ``byte_size`` bytes from ``byte_offset`` on."""
    return _build(
        {"op": _OP_BIT_REMOVE, "bin": bin, "byte_offset": byte_offset, "byte_size": byte_size}, bit_policy=policy
    )


def bit_set(bin: str, bit_offset: int, bit_size: int, value: bytes | bytearray, policy: int | None = None) -> Operation:
    """Overwrite ``bit_size`` bits from ``bit_offset`` on."""
    return _build(
        {"op": _OP_BIT_SET, "bin": bin, "bit_offset": bit_offset, "bit_size": bit_size, "val": value},
        bit_policy=policy,
    )


def bit_or(bin: str, bit_offset: int, bit_size: int, value: bytes | bytearray, policy: int | None = None) -> Operation:
    """Combine ``bit_size`` bits from ``bit_offset`` on with ``value`` by or."""
    return _build(
        {"op": _OP_BIT_OR, "bin": bin, "bit_offset": bit_offset, "bit_size": bit_size, "val": value},
        bit_policy=policy,
    )


def bit_xor(bin: str, bit_offset: int, bit_size: int, value: bytes | bytearray, policy: int | None = None) -> Operation:
    """Combine ``bit_size`` bits from ``bit_offset`` on with ``value`` by exclusive or."""
    return _build(
        {"op": _OP_BIT_XOR, "bin": bin, "bit_offset": bit_offset, "bit_size": bit_size, "val": value},
        bit_policy=policy,
    )


def bit_and(bin: str, bit_offset: int, bit_size: int, value: bytes | bytearray, policy: int | None = None) -> Operation:
    """Combine ``bit_size`` bits from ``bit_offset`` on with ``value`` by and."""
    return _build(
        {"op": _OP_BIT_AND, "bin": bin, "bit_offset": bit_offset, "bit_size": bit_size, "val": value},
        bit_policy=policy,
    )


def bit_not(bin: str, bit_offset: int, bit_size: int, policy: int | None = None) -> Operation:
    """Invert ``bit_size`` bits from ``bit_offset`` on."""
    return _build({"op": _OP_BIT_NOT, "bin": bin, "bit_offset": bit_offset, "bit_size": bit_size}, bit_policy=policy)


def bit_lshift(bin: str, bit_offset: int, bit_size: int, shift: int, policy: int | None = None) -> Operation:
    """Shift ``bit_size`` bits from ``bit_offset`` on to the left."""
    return _build(
        {"op": _OP_BIT_LSHIFT, "bin": bin, "bit_offset": bit_offset, "bit_size": bit_size, "shift": shift},
        bit_policy=policy,
    )


def bit_rshift(bin: str, bit_offset: int, bit_size: int, shift: int, policy: int | None = None) -> Operation:
    """Shift ``bit_size`` bits from ``bit_offset`` on to the right."""
    return _build(
        {"op": _OP_BIT_RSHIFT, "bin": bin, "bit_offset": bit_offset, "bit_size": bit_size, "shift": shift},
        bit_policy=policy,
    )


def bit_add(
    bin: str,
    bit_offset: int,
    bit_size: int,
    value: int,
    signed: bool = False,
    action: int = 0,
    policy: int | None = None,
) -> Operation:
    """Add to the integer of ``bit_size`` bits at ``bit_offset``; ``action`` is a BIT_OVERFLOW_ constant."""
    return _build(
        {
            "op": _OP_BIT_ADD,
            "bin": bin,
            "bit_offset": bit_offset,
            "bit_size": bit_size,
            "val": value,
            "signed": signed,
            "action": action,
        },
        bit_policy=policy,
    )


def bit_subtract(
    bin: str,
    bit_offset: int,
    bit_size: int,
    value: int,
    signed: bool = False,
    action: int = 0,
    policy: int | None = None,
) -> Operation:
    """Subtract from the integer of ``bit_size`` bits at ``bit_offset``; ``action`` is a BIT_OVERFLOW_ constant."""
    return _build(
        {
            "op": _OP_BIT_SUBTRACT,
            "bin": bin,
            "bit_offset": bit_offset,
            "bit_size": bit_size,
            "val": value,
            "signed": signed,
            "action": action,
        },
        bit_policy=policy,
    )


def bit_set_int(bin: str, bit_offset: int, bit_size: int, value: int, policy: int | None = None) -> Operation:
    """Overwrite the integer of ``bit_size`` bits at ``bit_offset``."""
    return _build(
        {"op": _OP_BIT_SET_INT, "bin": bin, "bit_offset": bit_offset, "bit_size": bit_size, "val": value},
        bit_policy=policy,
    )


def bit_get(bin: str, bit_offset: int, bit_size: int) -> Operation:
    """Read ``bit_size`` bits from ``bit_offset`` on as bytes, left-aligned."""
    return {"op": _OP_BIT_GET, "bin": bin, "bit_offset": bit_offset, "bit_size": bit_size}


def bit_count(bin: str, bit_offset: int, bit_size: int) -> Operation:
    """Read the number of bits that are set in ``bit_size`` bits from ``bit_offset`` on."""
    return {"op": _OP_BIT_COUNT, "bin": bin, "bit_offset": bit_offset, "bit_size": bit_size}


def bit_lscan(bin: str, bit_offset: int, bit_size: int, value: bool) -> Operation:
    """Read the position of the first bit that is ``value`` in ``bit_size`` bits from ``bit_offset`` on; -1 for none."""
    return {"op": _OP_BIT_LSCAN, "bin": bin, "bit_offset": bit_offset, "bit_size": bit_size, "val": value}


def bit_rscan(bin: str, bit_offset: int, bit_size: int, value: bool) -> Operation:
    """Read the position of the last bit that is ``value`` in ``bit_size`` bits from ``bit_offset`` on; -1 for none."""
    return {"op": _OP_BIT_RSCAN, "bin": bin, "bit_offset": bit_offset, "bit_size": bit_size, "val": value}


def bit_get_int(bin: str, bit_offset: int, bit_size: int, signed: bool = False) -> Operation:
    """Read the integer of ``bit_size`` bits at ``bit_offset``."""
    return {"op": _OP_BIT_GET_INT, "bin": bin, "bit_offset": bit_offset, "bit_size": bit_size, "signed": signed}
