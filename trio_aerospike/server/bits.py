"""Operations on the bits of a blob, as the server carries them out.

Bits are numbered from the most significant one of the first byte on. An operation works on a field of bits, which here
is one Python integer; everything around the field stays as it is. The order of the checks is the server's, and so are
a few answers that one would not expect (server: as/src/base/particle_blob.c). There are no contexts for these
operations: the server knows no call that would carry one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import attrs

from .._wire import bit_ops, constants as wire
from ..errors import ResultCode
from .arguments import Arguments
from .refused import Refused
from .values import Particle

_MAX_BYTES = wire.PROTO_SIZE_MAX
_MAX_BITS = wire.PROTO_SIZE_MAX * 8
_ALL_64 = 0xFFFF_FFFF_FFFF_FFFF

_CREATES = bit_ops.FLAG_CREATE_ONLY | bit_ops.FLAG_UPDATE_ONLY | bit_ops.FLAG_NO_FAIL
_CHANGES = bit_ops.FLAG_UPDATE_ONLY | bit_ops.FLAG_NO_FAIL | bit_ops.FLAG_PARTIAL
_COUNTS = bit_ops.FLAG_UPDATE_ONLY | bit_ops.FLAG_NO_FAIL


@attrs.define(eq=False)
class _Call:
    """An operation with its arguments, filled in as they are read."""

    flags_allowed: int = 0
    offset: int = 0
    """In bits, from the end of the blob where it is negative."""
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
        """End the operation: as a refusal, or without effect where it must not fail."""
        if not self.no_fail:
            raise Refused(result)
        raise _NoEffect


class _NoEffect(Exception):
    """The operation ends without having changed anything, and without an error."""


# Arguments ----------------------------------------------------------------------------------------------------

_Read = Callable[[Arguments, _Call], None]


def _checked_offset(args: Arguments, unit: int) -> int:
    offset = args.signed()
    # The server's labs leaves the least integer negative, and its low 32 bits are zero.
    if offset == -(1 << 63):
        return 0
    if abs(offset) * unit > _MAX_BITS:
        raise Refused(ResultCode.PARAM)
    return offset * unit


def _byte_offset(args: Arguments, call: _Call) -> None:
    call.offset = _checked_offset(args, 8)


def _bit_offset(args: Arguments, call: _Call) -> None:
    call.offset = _checked_offset(args, 1)


def _size(low: int, high: int, unit: int) -> _Read:
    def read(args: Arguments, call: _Call) -> None:
        size = args.unsigned()
        if not low <= size <= high:
            raise Refused(ResultCode.PARAM)
        call.size = size * unit

    return read


_new_byte_size = _size(0, _MAX_BYTES, 8)
_byte_size = _size(1, _MAX_BYTES, 8)
_bit_size = _size(1, _MAX_BITS, 1)
_integer_size = _size(1, 64, 1)


def _boolean(args: Arguments, call: _Call) -> None:
    call.value = int(args.boolean())


def _integer(args: Arguments, call: _Call) -> None:
    call.value = args.unsigned()


def _shift(args: Arguments, call: _Call) -> None:
    _integer(args, call)
    if call.value > _MAX_BITS:
        raise Refused(ResultCode.PARAM)


def _buffer(args: Arguments, call: _Call) -> None:
    content = args.blob()
    if len(content) == 1:
        raise Refused(ResultCode.PARAM)
    # An empty one has 32 bits of minus eight, which is too much for every blob.
    size = (len(content) - 1) * 8 & 0xFFFF_FFFF
    if call.size == 0:
        call.size = size
    elif not content or size < call.size:
        # Of an empty one the server would read whatever stands behind it in memory.
        raise Refused(ResultCode.PARAM)
    call.buffer = content[1:]


def _flags(args: Arguments, call: _Call) -> None:
    call.flags = args.flags(call.flags_allowed, bit_ops.FLAG_CREATE_ONLY | bit_ops.FLAG_UPDATE_ONLY)


def _subflags(allowed: int, exclusive: int) -> _Read:
    def read(args: Arguments, call: _Call) -> None:
        call.subflags = args.flags(allowed, exclusive)

    return read


_GROW_OR_SHRINK = bit_ops.RESIZE_GROW_ONLY | bit_ops.RESIZE_SHRINK_ONLY
_SATURATE_OR_WRAP = bit_ops.INT_SATURATE | bit_ops.INT_WRAP
_resize_flags = _subflags(bit_ops.RESIZE_FROM_FRONT | _GROW_OR_SHRINK, _GROW_OR_SHRINK)
_arithmetic_flags = _subflags(bit_ops.INT_SIGNED | _SATURATE_OR_WRAP, _SATURATE_OR_WRAP)
_sign_flag = _subflags(bit_ops.INT_SIGNED, 0)


# Fields -------------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class _Field:
    """The bits that an operation works on, within the bytes that hold them."""

    blob: bytes
    first: int
    """The first byte."""
    last: int
    """The byte behind the last one."""
    offset: int
    """The bits of the first byte before the field."""
    size: int
    """The bits of the field."""

    def window(self) -> int:
        """The bytes up to the field's last bit, as an integer."""
        whole = int.from_bytes(self.blob[self.first : self.last], "big")
        return whole >> ((self.last - self.first) * 8 - self.offset - self.size)

    def get(self) -> int:
        """The field."""
        return self.window() & ((1 << self.size) - 1)

    def replaced(self, value: int) -> bytes:
        """The blob with another value in the field."""
        n_bytes = self.last - self.first
        tail = n_bytes * 8 - self.offset - self.size
        mask = ((1 << self.size) - 1) << tail
        whole = int.from_bytes(self.blob[self.first : self.last], "big")
        changed = (whole & ~mask) | ((value << tail) & mask)
        return self.blob[: self.first] + changed.to_bytes(n_bytes, "big") + self.blob[self.last :]


def _place(call: _Call, size: int) -> int:
    """The byte where the operation begins; of the call's offset only the bits within that byte stay.

    Raises:
        Refused: the offset lies before the blob.
    """
    if call.offset < 0:
        if -call.offset > size * 8:
            raise Refused(ResultCode.PARAM)
        call.offset += size * 8
    first = call.offset // 8
    call.offset %= 8
    return first


def _field(call: _Call, blob: bytes) -> _Field:
    """The field of a call that stays within the blob, or is cut where the call allows that."""
    first = _place(call, len(blob))
    if first >= len(blob):
        call.fails(ResultCode.OP_NOT_APPLICABLE)
    last = first + (call.offset + call.size + 7) // 8
    size = call.size
    if last > len(blob):
        if not call.flags & bit_ops.FLAG_PARTIAL:
            call.fails(ResultCode.OP_NOT_APPLICABLE)
        last = len(blob)
        size = (last - first) * 8 - call.offset
        # The server forgets that the field begins at ``first``: a shift sees this size (bits_prepare_modify_op).
        call.size = last * 8 - call.offset
    return _Field(blob, first, last, call.offset, size)


# Operations that change the size --------------------------------------------------------------------------------


def _resize(call: _Call, blob: bytes) -> bytes:
    _place(call, len(blob))
    size, old = call.size // 8, len(blob)
    if size == old:
        raise _NoEffect
    if call.subflags & (bit_ops.RESIZE_GROW_ONLY if size < old else bit_ops.RESIZE_SHRINK_ONLY):
        call.fails(ResultCode.PARAM)
    _check_new_size(size)
    from_front = call.subflags & bit_ops.RESIZE_FROM_FRONT
    if size < old:
        return blob[old - size :] if from_front else blob[:size]
    return blob.rjust(size, b"\0") if from_front else blob.ljust(size, b"\0")


def _insert(call: _Call, blob: bytes) -> bytes:
    first = _place(call, len(blob))
    _check_new_size(max(first, len(blob)) + call.size // 8)
    return blob[:first].ljust(first, b"\0") + call.buffer + blob[first:]


def _remove(call: _Call, blob: bytes) -> bytes:
    first = _place(call, len(blob))
    if first >= len(blob):
        call.fails(ResultCode.PARAM)
    last = first + call.size // 8
    if last > len(blob) and not call.flags & bit_ops.FLAG_PARTIAL:
        call.fails(ResultCode.PARAM)
    return blob[:first] + blob[last:]


def _check_new_size(size: int) -> None:
    if size >= _MAX_BYTES:
        raise Refused(ResultCode.PARAM)


# Operations on a field ------------------------------------------------------------------------------------------


def _given(call: _Call, field: _Field) -> int:
    """The first bits of the buffer, as many as the field has."""
    n_bytes = (field.size + 7) // 8
    return int.from_bytes(call.buffer[:n_bytes], "big") >> (n_bytes * 8 - field.size)


def _changes(change: Callable[[_Call, _Field], int]) -> Callable[[_Call, bytes], bytes]:
    def apply(call: _Call, blob: bytes) -> bytes:
        field = _field(call, blob)
        return field.replaced(change(call, field))

    return apply


def _set(call: _Call, field: _Field) -> int:
    return _given(call, field)


def _or(call: _Call, field: _Field) -> int:
    return field.get() | _given(call, field)


def _xor(call: _Call, field: _Field) -> int:
    return field.get() ^ _given(call, field)


def _and(call: _Call, field: _Field) -> int:
    return field.get() & _given(call, field)


def _not(call: _Call, field: _Field) -> int:
    return ~field.get()


def _lshift(call: _Call, field: _Field) -> int:
    shift = call.value
    if shift < field.size:
        return field.get() << shift
    n_bytes = field.last - field.first
    if shift < call.size and shift % 8 and shift // 8 >= n_bytes:
        # A cut field, shifted out of itself by less than the size that the server believes in: it leaves the last
        # byte, shifted, in the first place (lshift in particle_blob.c).
        stray = field.blob[field.last - 1] << shift % 8 & 0xFF
        return stray << (n_bytes - 1) * 8
    return 0


def _rshift(call: _Call, field: _Field) -> int:
    return field.get() >> call.value if call.value < field.size else 0


def _set_int(call: _Call, field: _Field) -> int:
    return call.value


def _add(call: _Call, field: _Field) -> int:
    mask = (1 << field.size) - 1
    load, value = field.get(), call.value & mask
    result = (load + value) & mask
    if call.subflags & bit_ops.INT_WRAP:
        return result
    if call.subflags & bit_ops.INT_SIGNED:
        return _within_signed(call, field.size, load, value, result)
    if result >= load:
        return result
    return _overflow(call, mask)


def _subtract(call: _Call, field: _Field) -> int:
    mask = (1 << field.size) - 1
    load, value = field.get(), call.value & mask
    result = (load - value) & mask
    if call.subflags & bit_ops.INT_WRAP:
        return result
    if call.subflags & bit_ops.INT_SIGNED:
        return _within_signed(call, field.size, load, -value & _ALL_64, result)
    if result <= load:
        return result
    return _overflow(call, 0)


def _signed(value: int, size: int) -> int:
    value &= (1 << size) - 1
    return value - (1 << size) if value >> (size - 1) else value


def _within_signed(call: _Call, size: int, load: int, value: int, result: int) -> int:
    """The sum, unless it overflows. As in the server, a sum of zero never does (handle_signed_overflow)."""
    a, b, total = _signed(load, size), _signed(value, size), _signed(result, size)
    if a < 0 and b < 0 and total > 0:
        return _overflow(call, 1 << (size - 1))
    if a > 0 and b > 0 and total < 0:
        return _overflow(call, (1 << (size - 1)) - 1)
    return result


def _overflow(call: _Call, limit: int) -> int:
    if not call.subflags & bit_ops.INT_SATURATE:
        call.fails(ResultCode.OP_NOT_APPLICABLE)
    return limit


# Reads ----------------------------------------------------------------------------------------------------------


def _get(call: _Call, field: _Field) -> Particle:
    n_bytes = (field.size + 7) // 8
    return wire.PARTICLE_BLOB, (field.get() << (n_bytes * 8 - field.size)).to_bytes(n_bytes, "big")


def _number(value: int) -> Particle:
    return wire.PARTICLE_INTEGER, (value & _ALL_64).to_bytes(8, "big")


def _count(call: _Call, field: _Field) -> Particle:
    return _number(field.get().bit_count())


def _lscan(call: _Call, field: _Field) -> Particle:
    bits = field.get() if call.value else ~field.get() & ((1 << field.size) - 1)
    return _number(field.size - bits.bit_length() if bits else -1)


def _rscan(call: _Call, field: _Field) -> Particle:
    # The server goes on to the beginning of the field's first byte, and answers with what it finds there.
    reach = field.offset + field.size
    bits = field.window() & ((1 << reach) - 1)
    if not call.value:
        bits ^= (1 << reach) - 1
    lowest = (bits & -bits).bit_length() - 1
    return _number(field.size - 1 - lowest if bits else -1)


def _get_int(call: _Call, field: _Field) -> Particle:
    value = field.get()
    return _number(_signed(value, field.size) if call.subflags & bit_ops.INT_SIGNED else value)


# Tables ---------------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class _Modify:
    apply: Callable[[_Call, bytes], bytes]
    flags_allowed: int
    required: int
    arguments: tuple[_Read, ...]
    creates: bool = False


@attrs.frozen(eq=False)
class _Reading:
    apply: Callable[[_Call, _Field], Particle]
    required: int
    arguments: tuple[_Read, ...]


_WITH_BUFFER = (_bit_offset, _bit_size, _buffer, _flags)
_WITH_SHIFT = (_bit_offset, _bit_size, _shift, _flags)
_ARITHMETIC = (_bit_offset, _integer_size, _integer, _flags, _arithmetic_flags)
_WITH_BOOLEAN = (_bit_offset, _bit_size, _boolean)

_MODIFIES = {
    bit_ops.RESIZE: _Modify(_resize, _CREATES, 1, (_new_byte_size, _flags, _resize_flags), creates=True),
    bit_ops.INSERT: _Modify(_insert, _CREATES, 2, (_byte_offset, _buffer, _flags), creates=True),
    bit_ops.REMOVE: _Modify(_remove, _CHANGES, 2, (_byte_offset, _byte_size, _flags)),
    bit_ops.SET: _Modify(_changes(_set), _CHANGES, 3, _WITH_BUFFER),
    bit_ops.OR: _Modify(_changes(_or), _CHANGES, 3, _WITH_BUFFER),
    bit_ops.XOR: _Modify(_changes(_xor), _CHANGES, 3, _WITH_BUFFER),
    bit_ops.AND: _Modify(_changes(_and), _CHANGES, 3, _WITH_BUFFER),
    bit_ops.NOT: _Modify(_changes(_not), _CHANGES, 2, (_bit_offset, _bit_size, _flags)),
    bit_ops.LSHIFT: _Modify(_changes(_lshift), _CHANGES, 3, _WITH_SHIFT),
    bit_ops.RSHIFT: _Modify(_changes(_rshift), _CHANGES, 3, _WITH_SHIFT),
    bit_ops.ADD: _Modify(_changes(_add), _COUNTS, 3, _ARITHMETIC),
    bit_ops.SUBTRACT: _Modify(_changes(_subtract), _COUNTS, 3, _ARITHMETIC),
    bit_ops.SET_INT: _Modify(_changes(_set_int), _COUNTS, 3, (_bit_offset, _integer_size, _integer, _flags)),
}
_READS = {
    bit_ops.GET: _Reading(_get, 2, (_bit_offset, _bit_size)),
    bit_ops.COUNT: _Reading(_count, 2, (_bit_offset, _bit_size)),
    bit_ops.LSCAN: _Reading(_lscan, 3, _WITH_BOOLEAN),
    bit_ops.RSCAN: _Reading(_rscan, 3, _WITH_BOOLEAN),
    bit_ops.GET_INT: _Reading(_get_int, 2, (_bit_offset, _integer_size, _sign_flag)),
}


def read(value: Particle | None, payload: bytes) -> Particle | None:
    """Carry out an operation that reads.

    Args:
        value: the bin's value, None where there is no such bin: that answers nothing, whatever the call is.
        payload: the call.

    Raises:
        Refused: the call is malformed, the value is no blob, or the field is not within it.
    """
    if value is None:
        return None
    args = Arguments(payload)
    operation = _READS.get(args.number)
    if operation is None:
        raise Refused(ResultCode.PARAM)
    call = args.fill(_Call(), operation.required, operation.arguments)
    return operation.apply(call, _field(call, _blob(value)))


def modify(value: Particle | None, payload: bytes) -> tuple[Particle | None, Particle | None]:
    """Carry out an operation that changes a blob, or creates one.

    Args:
        value: the bin's value, None where there is no such bin.
        payload: the call.

    Returns:
        The new value, None where the bin still does not exist; and the answer, which is always None.

    Raises:
        Refused: the call is malformed, or cannot be carried out on that value.
    """
    args = Arguments(payload)
    operation = _MODIFIES.get(args.number)
    if operation is None:
        raise Refused(ResultCode.PARAM)
    call = args.fill(_Call(operation.flags_allowed), operation.required, operation.arguments)
    try:
        blob = _old_blob(value, call, operation)
        if value is None and call.offset < 0:
            raise Refused(ResultCode.PARAM)
        return (wire.PARTICLE_BLOB, operation.apply(call, blob)), None
    except _NoEffect:
        return value, None


def _old_blob(value: Particle | None, call: _Call, operation: _Modify) -> bytes:
    if value is None:
        if not operation.creates or call.flags & bit_ops.FLAG_UPDATE_ONLY:
            call.fails(ResultCode.BIN_NOT_FOUND)
        return b""
    if call.flags & bit_ops.FLAG_CREATE_ONLY:
        call.fails(ResultCode.BIN_EXISTS)
    return _blob(value)


def _blob(value: Particle) -> bytes:
    kind, data = value
    if kind != wire.PARTICLE_BLOB:
        raise Refused(ResultCode.BIN_TYPE)
    return data
