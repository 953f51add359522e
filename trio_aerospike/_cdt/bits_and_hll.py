"""Flags and policies of operations on bits and HyperLogLog sketches (server: as/include/base/proto.h)."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any

import attrs

from trio_aerospike._cdt.lists_and_maps import checked_flags, checked_policy
from trio_aerospike._wire import bit_ops, hll_ops
from trio_aerospike.validation import Validator, named_arguments, refused


def write_flags(kind: type[IntFlag]) -> Validator:
    """A validator for flags of ``kind``, or their number, that do not exclude each other. It stores the flags."""
    both = kind["CREATE_ONLY"] | kind["UPDATE_ONLY"]

    def check(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        where = f"{type(instance).__name__}.{attribute.name}"
        flags = checked_flags(where, value, kind)
        if flags & both == both:
            raise refused(where, value, "CREATE_ONLY or UPDATE_ONLY, not both")
        object.__setattr__(instance, attribute.name, flags)

    return check


class BitWrite(IntFlag):
    """What an operation that writes bits may do."""

    DEFAULT = 0
    """Anything."""
    CREATE_ONLY = bit_ops.FLAG_CREATE_ONLY
    """Only create a bin (resize and insert)."""
    UPDATE_ONLY = bit_ops.FLAG_UPDATE_ONLY
    """Only change a bin that exists."""
    NO_FAIL = bit_ops.FLAG_NO_FAIL
    """Leave the blob as it is, without an error, where the operation fails."""
    PARTIAL = bit_ops.FLAG_PARTIAL
    """Work on the part of the field that is within the blob (remove, set, or_, xor, and_, not_ and the shifts)."""


class BitResize(IntFlag):
    """How to resize a blob."""

    DEFAULT = 0
    """Add and remove bytes at its end."""
    FROM_FRONT = bit_ops.RESIZE_FROM_FRONT
    """Add and remove bytes at its beginning."""
    GROW_ONLY = bit_ops.RESIZE_GROW_ONLY
    """Fail instead of making it smaller."""
    SHRINK_ONLY = bit_ops.RESIZE_SHRINK_ONLY
    """Fail instead of making it larger."""


class BitOverflow(IntEnum):
    """What to do with a result that does not fit into the field."""

    FAIL = 0
    """The operation fails, with result code 26 (OP_NOT_APPLICABLE)."""
    SATURATE = bit_ops.INT_SATURATE
    """Store the greatest or the least number of the field."""
    WRAP = bit_ops.INT_WRAP
    """Store its lowest bits."""


@named_arguments
@attrs.frozen
class BitPolicy:
    """How to write bits.

    Args:
        write_flags: what the operation may do.

    Raises:
        InvalidArgError: they are not flags, or exclude each other.
    """

    write_flags: BitWrite = attrs.field(default=BitWrite.DEFAULT, validator=write_flags(BitWrite))


class HLLWrite(IntFlag):
    """What an operation that writes a sketch may do."""

    DEFAULT = 0
    """Anything."""
    CREATE_ONLY = hll_ops.FLAG_CREATE_ONLY
    """Only create a bin."""
    UPDATE_ONLY = hll_ops.FLAG_UPDATE_ONLY
    """Only change a bin that exists (init and set_union)."""
    NO_FAIL = hll_ops.FLAG_NO_FAIL
    """Leave the bin as it is, without an error, where a flag denies the write."""
    ALLOW_FOLD = hll_ops.FLAG_ALLOW_FOLD
    """Make the sketch smaller where one of the others is, and drop its min-hash where theirs differs (set_union)."""


@named_arguments
@attrs.frozen
class HLLPolicy:
    """How to write a sketch.

    Args:
        write_flags: what the operation may do.

    Raises:
        InvalidArgError: they are not flags, or exclude each other.
    """

    write_flags: HLLWrite = attrs.field(default=HLLWrite.DEFAULT, validator=write_flags(HLLWrite))


def flags_of(where: str, policy: object, kind: type[Any], allowed: IntFlag) -> int:
    """The flags of a policy, where the operation allows them.

    Args:
        where: the argument, for error messages.
        policy: one of ``kind``, or None for its defaults.
        kind: the class of policies.
        allowed: the flags that the server allows for the operation.

    Raises:
        InvalidArgError: it is not a policy of ``kind``, or has other flags.
    """
    flags = checked_policy(where, policy, kind).write_flags
    if flags & ~allowed:
        members = ", ".join(str(member.name) for member in type(allowed) if member in allowed)
        raise refused(where, policy, f"write_flags of {members}")
    return int(flags)
