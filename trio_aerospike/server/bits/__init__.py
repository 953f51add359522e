"""Bit operations on blobs.

Bits are numbered from the most significant one of the first byte on. An operation works on a field of bits, which here
is one Python integer; everything around the field stays as it is. The order of the checks is the server's, and so are
a few unexpected results (server: as/src/base/particle_blob.c). These operations take no contexts: the server has no
call with one.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ..._wire import bit_ops, constants as wire
from ...errors import ResultCode
from ..blob_arguments import Arguments
from ..exceptions import Refused
from ..values import Particle
from . import calls, operations
from .calls import Call, NoEffect

_CREATES = bit_ops.FLAG_CREATE_ONLY | bit_ops.FLAG_UPDATE_ONLY | bit_ops.FLAG_NO_FAIL
_CHANGES = bit_ops.FLAG_UPDATE_ONLY | bit_ops.FLAG_NO_FAIL | bit_ops.FLAG_PARTIAL
_COUNTS = bit_ops.FLAG_UPDATE_ONLY | bit_ops.FLAG_NO_FAIL


@attrs.frozen(eq=False)
class _Modify:
    apply: Callable[[Call, bytes], bytes]
    flags_allowed: int
    required: int
    arguments: tuple[calls.ReadArgument, ...]
    creates: bool = False


@attrs.frozen(eq=False)
class _Reading:
    apply: Callable[[Call, operations.Field], Particle]
    required: int
    arguments: tuple[calls.ReadArgument, ...]


_WITH_BUFFER = (calls.bit_offset, calls.bit_size, calls.read_buffer, calls.read_flags)
_WITH_SHIFT = (calls.bit_offset, calls.bit_size, calls.read_shift, calls.read_flags)
_ARITHMETIC = (calls.bit_offset, calls.integer_size, calls.read_integer, calls.read_flags, calls.arithmetic_flags)
_WITH_BOOLEAN = (calls.bit_offset, calls.bit_size, calls.read_boolean)

_MODIFIES = {
    bit_ops.RESIZE: _Modify(
        operations.resize, _CREATES, 1, (calls.new_byte_size, calls.read_flags, calls.resize_flags), creates=True
    ),
    bit_ops.INSERT: _Modify(
        operations.insert, _CREATES, 2, (calls.byte_offset, calls.read_buffer, calls.read_flags), creates=True
    ),
    bit_ops.REMOVE: _Modify(operations.remove, _CHANGES, 2, (calls.byte_offset, calls.byte_size, calls.read_flags)),
    bit_ops.SET: _Modify(operations.changing(operations.set_bits), _CHANGES, 3, _WITH_BUFFER),
    bit_ops.OR: _Modify(operations.changing(operations.or_bits), _CHANGES, 3, _WITH_BUFFER),
    bit_ops.XOR: _Modify(operations.changing(operations.xor_bits), _CHANGES, 3, _WITH_BUFFER),
    bit_ops.AND: _Modify(operations.changing(operations.and_bits), _CHANGES, 3, _WITH_BUFFER),
    bit_ops.NOT: _Modify(
        operations.changing(operations.not_bits), _CHANGES, 2, (calls.bit_offset, calls.bit_size, calls.read_flags)
    ),
    bit_ops.LSHIFT: _Modify(operations.changing(operations.lshift), _CHANGES, 3, _WITH_SHIFT),
    bit_ops.RSHIFT: _Modify(operations.changing(operations.rshift), _CHANGES, 3, _WITH_SHIFT),
    bit_ops.ADD: _Modify(operations.changing(operations.add), _COUNTS, 3, _ARITHMETIC),
    bit_ops.SUBTRACT: _Modify(operations.changing(operations.subtract), _COUNTS, 3, _ARITHMETIC),
    bit_ops.SET_INT: _Modify(
        operations.changing(operations.set_int),
        _COUNTS,
        3,
        (calls.bit_offset, calls.integer_size, calls.read_integer, calls.read_flags),
    ),
}
_READS = {
    bit_ops.GET: _Reading(operations.get_bits, 2, (calls.bit_offset, calls.bit_size)),
    bit_ops.COUNT: _Reading(operations.count_bits, 2, (calls.bit_offset, calls.bit_size)),
    bit_ops.LSCAN: _Reading(operations.lscan, 3, _WITH_BOOLEAN),
    bit_ops.RSCAN: _Reading(operations.rscan, 3, _WITH_BOOLEAN),
    bit_ops.GET_INT: _Reading(operations.get_int, 2, (calls.bit_offset, calls.integer_size, calls.sign_flag)),
}


def read(value: Particle | None, payload: bytes) -> Particle | None:
    """Carry out an operation that reads.

    Args:
        value: the bin's value; None if there is no bin, for which the result is None, whatever the call.
        payload: the call.

    Raises:
        Refused: the call is malformed, the value is not a blob, or the field is not within it.
    """
    if value is None:
        return None
    args = Arguments(payload)
    operation = _READS.get(args.number)
    if operation is None:
        raise Refused(ResultCode.PARAM)
    call = args.fill(Call(), operation.required, operation.arguments)
    return operation.apply(call, operations.field_of(call, _blob(value)))


def modify(value: Particle | None, payload: bytes) -> tuple[Particle | None, Particle | None]:
    """Carry out an operation that changes a blob, or creates one.

    Args:
        value: the bin's value; None if there is no bin.
        payload: the call.

    Returns:
        The new value, None if the bin still does not exist; and the result, which is always None.

    Raises:
        Refused: the call is malformed, or not applicable to the value.
    """
    args = Arguments(payload)
    operation = _MODIFIES.get(args.number)
    if operation is None:
        raise Refused(ResultCode.PARAM)
    call = args.fill(Call(operation.flags_allowed), operation.required, operation.arguments)
    try:
        blob = _old_blob(value, call, operation)
        if value is None and call.offset < 0:
            raise Refused(ResultCode.PARAM)
        return (wire.PARTICLE_BLOB, operation.apply(call, blob)), None
    except NoEffect:
        return value, None


def _old_blob(value: Particle | None, call: Call, operation: _Modify) -> bytes:
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
