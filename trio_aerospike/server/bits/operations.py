"""Bit operations by function: resize a blob, modify a field of bits, read a field."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ..._wire import bit_ops, constants as wire
from ...errors import ResultCode
from ..exceptions import Refused
from ..values import Particle
from .calls import MAX_BYTES, Call, NoEffect

_ALL_64 = 0xFFFF_FFFF_FFFF_FFFF

# Fields -------------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class Field:
    """The bits that an operation works on, and the bytes that hold them."""

    blob: bytes
    first: int
    """The first byte."""
    last: int
    """The byte after the last one."""
    offset: int
    """The bits of the first byte before the field."""
    size: int
    """The number of bits."""

    def window(self) -> int:
        """The bytes up to the field's last bit, as an integer."""
        whole = int.from_bytes(self.blob[self.first : self.last], "big")
        return whole >> ((self.last - self.first) * 8 - self.offset - self.size)

    def get(self) -> int:
        """The value of the field."""
        return self.window() & ((1 << self.size) - 1)

    def replaced(self, value: int) -> bytes:
        """The blob with a new value in the field."""
        n_bytes = self.last - self.first
        tail = n_bytes * 8 - self.offset - self.size
        mask = ((1 << self.size) - 1) << tail
        whole = int.from_bytes(self.blob[self.first : self.last], "big")
        changed = (whole & ~mask) | ((value << tail) & mask)
        return self.blob[: self.first] + changed.to_bytes(n_bytes, "big") + self.blob[self.last :]


def first_byte(call: Call, size: int) -> int:
    """The first byte of the operation; the call's offset becomes the bits within that byte.

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


def field_of(call: Call, blob: bytes) -> Field:
    """The field of a call, within the blob, or truncated if the call allows that."""
    first = first_byte(call, len(blob))
    if first >= len(blob):
        call.fails(ResultCode.OP_NOT_APPLICABLE)
    last = first + (call.offset + call.size + 7) // 8
    size = call.size
    if last > len(blob):
        if not call.flags & bit_ops.FLAG_PARTIAL:
            call.fails(ResultCode.OP_NOT_APPLICABLE)
        last = len(blob)
        size = (last - first) * 8 - call.offset
        # As in the server, a shift uses this size, which ignores that the field begins at ``first``
        # (bits_prepare_modify_op).
        call.size = last * 8 - call.offset
    return Field(blob, first, last, call.offset, size)


# Operations that change the size ------------------------------------------------------------------------------


def resize(call: Call, blob: bytes) -> bytes:
    first_byte(call, len(blob))
    size, old = call.size // 8, len(blob)
    if size == old:
        raise NoEffect
    if call.subflags & (bit_ops.RESIZE_GROW_ONLY if size < old else bit_ops.RESIZE_SHRINK_ONLY):
        call.fails(ResultCode.PARAM)
    _check_new_size(size)
    from_front = call.subflags & bit_ops.RESIZE_FROM_FRONT
    if size < old:
        return blob[old - size :] if from_front else blob[:size]
    return blob.rjust(size, b"\0") if from_front else blob.ljust(size, b"\0")


def insert(call: Call, blob: bytes) -> bytes:
    first = first_byte(call, len(blob))
    _check_new_size(max(first, len(blob)) + call.size // 8)
    return blob[:first].ljust(first, b"\0") + call.buffer + blob[first:]


def remove(call: Call, blob: bytes) -> bytes:
    first = first_byte(call, len(blob))
    if first >= len(blob):
        call.fails(ResultCode.PARAM)
    last = first + call.size // 8
    if last > len(blob) and not call.flags & bit_ops.FLAG_PARTIAL:
        call.fails(ResultCode.PARAM)
    return blob[:first] + blob[last:]


def _check_new_size(size: int) -> None:
    if size >= MAX_BYTES:
        raise Refused(ResultCode.PARAM)


# Operations on a field ----------------------------------------------------------------------------------------


def _given(call: Call, field: Field) -> int:
    """The first bits of the buffer, as many as the field has."""
    n_bytes = (field.size + 7) // 8
    return int.from_bytes(call.buffer[:n_bytes], "big") >> (n_bytes * 8 - field.size)


def changing(change: Callable[[Call, Field], int]) -> Callable[[Call, bytes], bytes]:
    def apply(call: Call, blob: bytes) -> bytes:
        field = field_of(call, blob)
        return field.replaced(change(call, field))

    return apply


def set_bits(call: Call, field: Field) -> int:
    return _given(call, field)


def or_bits(call: Call, field: Field) -> int:
    return field.get() | _given(call, field)


def xor_bits(call: Call, field: Field) -> int:
    return field.get() ^ _given(call, field)


def and_bits(call: Call, field: Field) -> int:
    return field.get() & _given(call, field)


def not_bits(call: Call, field: Field) -> int:
    return ~field.get()


def lshift(call: Call, field: Field) -> int:
    shift = call.value
    if shift < field.size:
        return field.get() << shift
    n_bytes = field.last - field.first
    if shift < call.size and shift % 8 and shift // 8 >= n_bytes:
        # A truncated field, shifted by more than its size but less than the server assumes: the last byte, shifted,
        # stays in the first position (lshift in particle_blob.c).
        stray = field.blob[field.last - 1] << shift % 8 & 0xFF
        return stray << (n_bytes - 1) * 8
    return 0


def rshift(call: Call, field: Field) -> int:
    return field.get() >> call.value if call.value < field.size else 0


def set_int(call: Call, field: Field) -> int:
    return call.value


def add(call: Call, field: Field) -> int:
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


def subtract(call: Call, field: Field) -> int:
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


def _within_signed(call: Call, size: int, load: int, value: int, result: int) -> int:
    """The sum, checked for overflow; as in the server, a sum of zero never overflows (handle_signed_overflow)."""
    a, b, total = _signed(load, size), _signed(value, size), _signed(result, size)
    if a < 0 and b < 0 and total > 0:
        return _overflow(call, 1 << (size - 1))
    if a > 0 and b > 0 and total < 0:
        return _overflow(call, (1 << (size - 1)) - 1)
    return result


def _overflow(call: Call, limit: int) -> int:
    if not call.subflags & bit_ops.INT_SATURATE:
        call.fails(ResultCode.OP_NOT_APPLICABLE)
    return limit


# Reads --------------------------------------------------------------------------------------------------------


def get_bits(call: Call, field: Field) -> Particle:
    n_bytes = (field.size + 7) // 8
    return wire.PARTICLE_BLOB, (field.get() << (n_bytes * 8 - field.size)).to_bytes(n_bytes, "big")


def _number(value: int) -> Particle:
    return wire.PARTICLE_INTEGER, (value & _ALL_64).to_bytes(8, "big")


def count_bits(call: Call, field: Field) -> Particle:
    return _number(field.get().bit_count())


def lscan(call: Call, field: Field) -> Particle:
    bits = field.get() if call.value else ~field.get() & ((1 << field.size) - 1)
    return _number(field.size - bits.bit_length() if bits else -1)


def rscan(call: Call, field: Field) -> Particle:
    # The server searches down to the start of the field's first byte, and returns what it finds there.
    reach = field.offset + field.size
    bits = field.window() & ((1 << reach) - 1)
    if not call.value:
        bits ^= (1 << reach) - 1
    lowest = (bits & -bits).bit_length() - 1
    return _number(field.size - 1 - lowest if bits else -1)


def get_int(call: Call, field: Field) -> Particle:
    value = field.get()
    return _number(_signed(value, field.size) if call.subflags & bit_ops.INT_SIGNED else value)
