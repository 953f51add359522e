"""Parse the arguments of bit operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import attrs

from ..._wire import bit_ops, constants as wire
from ...errors import ResultCode
from ..blob_arguments import Arguments
from ..exceptions import Refused

MAX_BYTES = wire.PROTO_SIZE_MAX
MAX_BITS = wire.PROTO_SIZE_MAX * 8


@attrs.define(eq=False)
class Call:
    """The call of an operation, filled in as its arguments are read."""

    flags_allowed: int = 0
    offset: int = 0
    """In bits; from the end of the blob if negative."""
    size: int = 0
    """In bits."""
    value: int = 0
    buffer: bytes = b""
    flags: int = 0
    subflags: int = 0

    @property
    def no_fail(self) -> bool:
        return bool(self.flags & bit_ops.FLAG_NO_FAIL)

    def fails(self, result: ResultCode) -> NoReturn:
        """End the operation: with an error, or without effect if the flag NO_FAIL is set."""
        if not self.no_fail:
            raise Refused(result)
        raise NoEffect


class NoEffect(Exception):
    """Ends the operation without a change and without an error."""


# Arguments ----------------------------------------------------------------------------------------------------

ReadArgument = Callable[[Arguments, Call], None]


def _checked_offset(args: Arguments, unit: int) -> int:
    offset = args.signed()
    # The server's labs() leaves the least integer negative, and its low 32 bits are zero.
    if offset == -(1 << 63):
        return 0
    if abs(offset) * unit > MAX_BITS:
        raise Refused(ResultCode.PARAM)
    return offset * unit


def byte_offset(args: Arguments, call: Call) -> None:
    call.offset = _checked_offset(args, 8)


def bit_offset(args: Arguments, call: Call) -> None:
    call.offset = _checked_offset(args, 1)


def _size(low: int, high: int, unit: int) -> ReadArgument:
    def read(args: Arguments, call: Call) -> None:
        size = args.unsigned()
        if not low <= size <= high:
            raise Refused(ResultCode.PARAM)
        call.size = size * unit

    return read


new_byte_size: ReadArgument = _size(0, MAX_BYTES, 8)
byte_size: ReadArgument = _size(1, MAX_BYTES, 8)
bit_size: ReadArgument = _size(1, MAX_BITS, 1)
integer_size: ReadArgument = _size(1, 64, 1)


def read_boolean(args: Arguments, call: Call) -> None:
    call.value = int(args.boolean())


def read_integer(args: Arguments, call: Call) -> None:
    call.value = args.unsigned()


def read_shift(args: Arguments, call: Call) -> None:
    read_integer(args, call)
    if call.value > MAX_BITS:
        raise Refused(ResultCode.PARAM)


def read_buffer(args: Arguments, call: Call) -> None:
    content = args.blob()
    if len(content) == 1:
        raise Refused(ResultCode.PARAM)
    # For an empty buffer this is minus eight in 32 bits, which is too large for every blob.
    size = (len(content) - 1) * 8 & 0xFFFF_FFFF
    if call.size == 0:
        call.size = size
    elif not content or size < call.size:
        # For an empty one the server would read past its end in memory.
        raise Refused(ResultCode.PARAM)
    call.buffer = content[1:]


def read_flags(args: Arguments, call: Call) -> None:
    call.flags = args.flags(call.flags_allowed, bit_ops.FLAG_CREATE_ONLY | bit_ops.FLAG_UPDATE_ONLY)


def _subflags(allowed: int, exclusive: int) -> ReadArgument:
    def read(args: Arguments, call: Call) -> None:
        call.subflags = args.flags(allowed, exclusive)

    return read


_GROW_OR_SHRINK = bit_ops.RESIZE_GROW_ONLY | bit_ops.RESIZE_SHRINK_ONLY
_SATURATE_OR_WRAP = bit_ops.INT_SATURATE | bit_ops.INT_WRAP
resize_flags: ReadArgument = _subflags(bit_ops.RESIZE_FROM_FRONT | _GROW_OR_SHRINK, _GROW_OR_SHRINK)
arithmetic_flags: ReadArgument = _subflags(bit_ops.INT_SIGNED | _SATURATE_OR_WRAP, _SATURATE_OR_WRAP)
sign_flag: ReadArgument = _subflags(bit_ops.INT_SIGNED, 0)
