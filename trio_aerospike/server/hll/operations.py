"""HyperLogLog (HLL) operations by function: create, add to, unite, fold and read sketches.

The order of the checks is the server's (as/src/base/particle_hll.c). These operations take no contexts: the server
has no call with one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import attrs

from ..._wire import constants as wire, hll_ops
from ...errors import ResultCode
from ..blob_arguments import Arguments
from ..exceptions import Refused
from ..values import Particle
from . import estimates
from .sketch import Sketch, template, union

_ALL_64 = 0xFFFF_FFFF_FFFF_FFFF
_UNSET = -1
_CREATES = hll_ops.FLAG_CREATE_ONLY | hll_ops.FLAG_NO_FAIL
_INITS = _CREATES | hll_ops.FLAG_UPDATE_ONLY
_UNITES = _INITS | hll_ops.FLAG_ALLOW_FOLD
# More sketches than these, without the record's own, can only be intersected if all have min-hashes.
_WITHOUT_MINHASH_MAX = 2


@attrs.define(eq=False)
class _Call:
    """The call of an operation, filled in as its arguments are read."""

    flags_allowed: int = 0
    elements: list[bytes] = attrs.Factory(list)
    sketches: list[Sketch] = attrs.Factory(list)
    index_bits: int = _UNSET
    minhash_bits: int = _UNSET
    flags: int = 0


# Arguments ----------------------------------------------------------------------------------------------------

_Read = Callable[[Arguments, _Call], None]


def _index_bits(args: Arguments, call: _Call) -> None:
    call.index_bits = args.signed()
    if call.index_bits != _UNSET and call.index_bits not in hll_ops.INDEX_BITS:
        raise Refused(ResultCode.PARAM)


def _minhash_bits(args: Arguments, call: _Call) -> None:
    call.minhash_bits = args.signed()
    if call.minhash_bits == _UNSET:
        return
    if not hll_ops.is_minhash_width(call.minhash_bits):
        raise Refused(ResultCode.PARAM)
    if call.index_bits != _UNSET and not hll_ops.are_widths(call.index_bits, call.minhash_bits):
        raise Refused(ResultCode.PARAM)


def _flags(args: Arguments, call: _Call) -> None:
    call.flags = args.flags(call.flags_allowed, hll_ops.FLAG_CREATE_ONLY | hll_ops.FLAG_UPDATE_ONLY)


def _elements(args: Arguments, call: _Call) -> None:
    n_elements = args.list_header()
    if n_elements == 0:
        raise Refused(ResultCode.PARAM)
    for _ in range(n_elements):
        call.elements.append(args.scalar())


def _sketches(args: Arguments, call: _Call) -> None:
    n_sketches = args.list_header() if args.at_list() else 1
    if n_sketches == 0:
        raise Refused(ResultCode.PARAM)
    for _ in range(n_sketches):
        # Blobs of any kind are accepted.
        content = args.blob()[1:]
        if not hll_ops.is_sketch(content):
            raise Refused(ResultCode.PARAM)
        call.sketches.append(Sketch.decode(content))


def _sketches_to_intersect(args: Arguments, call: _Call) -> None:
    _sketches(args, call)
    if len(call.sketches) > _WITHOUT_MINHASH_MAX and template(call.sketches)[1] == 0:
        raise Refused(ResultCode.PARAM)


# Changes ------------------------------------------------------------------------------------------------------

_Change = Callable[[_Call, Sketch | None], tuple[Sketch, int | None]]


def _new_bits(call: _Call, sketch: Sketch | None) -> tuple[int, int]:
    """The bits of the new sketch; those of the old one if the call gives none."""
    if sketch is None:
        if call.index_bits == _UNSET:
            raise Refused(ResultCode.OP_NOT_APPLICABLE)
        return call.index_bits, max(call.minhash_bits, 0)
    index_bits = sketch.index_bits if call.index_bits == _UNSET else call.index_bits
    minhash_bits = sketch.minhash_bits if call.minhash_bits == _UNSET else call.minhash_bits
    if not hll_ops.are_widths(index_bits, minhash_bits):
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    return index_bits, minhash_bits


def _init(call: _Call, sketch: Sketch | None) -> tuple[Sketch, int | None]:
    return Sketch.empty(*_new_bits(call, sketch)), None


def _add(call: _Call, sketch: Sketch | None) -> tuple[Sketch, int | None]:
    if sketch is None:
        sketch = Sketch.empty(*_new_bits(call, None))
    return sketch, sum(map(sketch.add, call.elements))


def _union(call: _Call, sketch: Sketch | None) -> tuple[Sketch, int | None]:
    sketches = call.sketches
    if sketch is not None:
        index_bits, minhash_bits = template(sketches)
        if not call.flags & hll_ops.FLAG_ALLOW_FOLD and (
            sketch.index_bits > index_bits or sketch.minhash_bits not in (0, minhash_bits)
        ):
            raise Refused(ResultCode.OP_NOT_APPLICABLE)
        sketches = [*sketches, sketch]
    return union(sketches, *template(sketches)), None


def _refresh_count(call: _Call, sketch: Sketch | None) -> tuple[Sketch, int | None]:
    if sketch is None:
        raise Refused(ResultCode.BIN_NOT_FOUND)
    sketch.cache = estimates.count(sketch)
    return sketch, sketch.cache


def _fold(call: _Call, sketch: Sketch | None) -> tuple[Sketch, int | None]:
    if sketch is None:
        raise Refused(ResultCode.BIN_NOT_FOUND)
    index_bits = call.index_bits & 0xFF
    if sketch.minhash_bits or sketch.index_bits < index_bits:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    if sketch.index_bits == index_bits:
        return sketch, None
    return union([sketch], index_bits, 0), None


# Reads --------------------------------------------------------------------------------------------------------

_Answer = Callable[[_Call, Sketch], Particle]


def _number(value: int) -> Particle:
    return wire.PARTICLE_INTEGER, (value & _ALL_64).to_bytes(8, "big")


def _get_count(call: _Call, sketch: Sketch) -> Particle:
    return _number(estimates.count(sketch))


def _get_union(call: _Call, sketch: Sketch) -> Particle:
    sketches = [*call.sketches, sketch]
    return wire.PARTICLE_HLL, union(sketches, *template(sketches)).encode()


def _get_union_count(call: _Call, sketch: Sketch) -> Particle:
    return _number(estimates.union_count([*call.sketches, sketch]))


def _get_intersect_count(call: _Call, sketch: Sketch) -> Particle:
    return _number(estimates.intersect_count(_all_to_intersect(call, sketch)))


def _get_similarity(call: _Call, sketch: Sketch) -> Particle:
    return wire.PARTICLE_FLOAT, struct.pack(">d", estimates.similarity(_all_to_intersect(call, sketch)))


def _all_to_intersect(call: _Call, sketch: Sketch) -> list[Sketch]:
    sketches = [*call.sketches, sketch]
    if len(call.sketches) > _WITHOUT_MINHASH_MAX and template(sketches)[1] == 0:
        raise Refused(ResultCode.OP_NOT_APPLICABLE)
    return sketches


def _describe(call: _Call, sketch: Sketch) -> Particle:
    return wire.PARTICLE_LIST, bytes((0x92, sketch.index_bits, sketch.minhash_bits))


def _may_contain(call: _Call, sketch: Sketch) -> Particle:
    return _number(int(all(map(sketch.may_contain, call.elements))))


# Tables -------------------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class _Modify:
    apply: _Change
    flags_allowed: int
    required: int
    arguments: tuple[_Read, ...]


_MODIFIES = {
    hll_ops.INIT: _Modify(_init, _INITS, 0, (_index_bits, _minhash_bits, _flags)),
    hll_ops.ADD: _Modify(_add, _CREATES, 1, (_elements, _index_bits, _minhash_bits, _flags)),
    hll_ops.UNION: _Modify(_union, _UNITES, 1, (_sketches, _flags)),
    hll_ops.UPDATE_COUNT: _Modify(_refresh_count, 0, 0, ()),
    hll_ops.FOLD: _Modify(_fold, 0, 1, (_index_bits,)),
}
_READS: dict[int, tuple[_Answer, tuple[_Read, ...]]] = {
    hll_ops.COUNT: (_get_count, ()),
    hll_ops.GET_UNION: (_get_union, (_sketches,)),
    hll_ops.UNION_COUNT: (_get_union_count, (_sketches,)),
    hll_ops.INTERSECT_COUNT: (_get_intersect_count, (_sketches_to_intersect,)),
    hll_ops.SIMILARITY: (_get_similarity, (_sketches_to_intersect,)),
    hll_ops.DESCRIBE: (_describe, ()),
    hll_ops.MAY_CONTAIN: (_may_contain, (_elements,)),
}


def _stored_sketch(value: Particle) -> Sketch:
    kind, data = value
    if kind != wire.PARTICLE_HLL:
        raise Refused(ResultCode.BIN_TYPE)
    if not hll_ops.is_sketch(data) or not hll_ops.are_widths(data[1], data[2]):
        # Unions and literals in expressions accept invalid sketches, on which all operations fail.
        raise Refused(ResultCode.SERVER)
    return Sketch.decode(data)


def read(value: Particle | None, payload: bytes) -> Particle | None:
    """Carry out an operation that reads.

    Args:
        value: the bin's value; None if there is no bin, for which the result is None, whatever the call.
        payload: the call.

    Raises:
        Refused: the call is malformed, the value is not a sketch, or the sketches are incompatible.
    """
    if value is None:
        return None
    args = Arguments(payload)
    if args.number not in _READS:
        raise Refused(ResultCode.PARAM)
    answer, arguments = _READS[args.number]
    sketch = _stored_sketch(value)
    return answer(args.fill(_Call(), len(arguments), arguments), sketch)


def modify(value: Particle | None, payload: bytes) -> tuple[Particle | None, Particle | None]:
    """Carry out an operation that changes a sketch, or creates one.

    Args:
        value: the bin's value; None if there is no bin.
        payload: the call.

    Returns:
        The new value, None if the bin still does not exist; and the result, None if there is none.

    Raises:
        Refused: the call is malformed, or not applicable to the value.
    """
    args = Arguments(payload)
    operation = _MODIFIES.get(args.number)
    if operation is None:
        raise Refused(ResultCode.PARAM)
    sketch = None if value is None else _stored_sketch(value)
    call = args.fill(_Call(operation.flags_allowed), operation.required, operation.arguments)
    wrong, result = (
        (hll_ops.FLAG_UPDATE_ONLY, ResultCode.BIN_NOT_FOUND)
        if sketch is None
        else (hll_ops.FLAG_CREATE_ONLY, ResultCode.BIN_EXISTS)
    )
    if call.flags & wrong:
        if call.flags & hll_ops.FLAG_NO_FAIL:
            return value, None
        raise Refused(result)
    changed, answer = operation.apply(call, sketch)
    return (wire.PARTICLE_HLL, changed.encode()), None if answer is None else _number(answer)
