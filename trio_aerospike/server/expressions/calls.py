"""Calls of list, map, bit and HyperLogLog operations on values within an expression.

A call that fails leaves the expression's value unknown. Facts: parse_op_call and eval_call in the server's
as/src/base/exp.c.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..._wire import constants as wire, exp_ops as codes
from ..._wire.cdt_ops import CONTEXT_EVAL, SELECT
from .. import bits, cdt, hll
from ..cdt import elements
from ..cdt.elements import Malformed
from ..cdt.paths import CompileExpression
from ..exceptions import Refused
from ..geo.geojson import geojson_particle, geojson_text
from ..values import Particle
from .bins import value_of
from .building import N_INPUT_TYPES, PARTICLES, Builder, Part, Type, builds
from .packing import packed
from .validation import Reader, call_start
from .values import UNKNOWN, Evaluation, Frame, Value

# The most pieces of a call: each expression is one, the bytes between two expressions are one.
_MAX_PIECES = 18

_Call = Callable[[Particle | None, bytes, CompileExpression], Particle | None]
_Read = Callable[[Particle | None, bytes], Particle | None]
_Modify = Callable[[Particle | None, bytes], tuple[Particle | None, Particle | None]]


def _modified_container(
    value: Particle | None, payload: bytes, compile_expression: CompileExpression
) -> Particle | None:
    return cdt.modify(value, payload, compile_expression)[0]


def _read(read: _Read) -> _Call:
    return lambda value, payload, _: read(value, payload)


def _modified(modify: _Modify) -> _Call:
    """A call of which the new value counts, not what the operation returns."""
    return lambda value, payload, _: modify(value, payload)[0]


_SYSTEMS: dict[int, tuple[tuple[Type, ...], _Call]] = {
    codes.CALL_CDT: ((Type.LIST, Type.MAP), cdt.read),
    codes.CALL_CDT | codes.CALL_MODIFY_LOCAL: ((Type.LIST, Type.MAP), _modified_container),
    codes.CALL_BITS: ((Type.BLOB,), _read(bits.read)),
    codes.CALL_BITS | codes.CALL_MODIFY_LOCAL: ((Type.BLOB,), _modified(bits.modify)),
    codes.CALL_HLL: ((Type.HLL,), _read(hll.read)),
    codes.CALL_HLL | codes.CALL_MODIFY_LOCAL: ((Type.HLL,), _modified(hll.modify)),
}
"""Per number of a system: the types of values that it works on, and the call."""


@builds(codes.CALL, n_arguments=4)
def _call(builder: Builder, _count: int) -> Part:
    number = builder.reader.unsigned()
    if number >= N_INPUT_TYPES:
        raise Malformed
    kind = Type(number)
    system = builder.reader.unsigned() & 0xFFFF_FFFF
    pieces = _pieces(builder)
    subject = builder.next()
    allowed, carry_out = _SYSTEMS.get(system, ((), _refuse))
    evaluate = _evaluation(pieces, subject.evaluate, carry_out, kind, builder.compile_expression)
    if subject.type is Type.NIL:
        # For type checks, a call on nil has type nil, whatever its result.
        return Part(Type.NIL, evaluate)
    if subject.type not in allowed:
        raise Malformed
    return Part(kind, evaluate)


def _refuse(_value: Particle | None, _payload: bytes, _compile: CompileExpression) -> Particle | None:
    """An unknown system; on nil the server builds such calls (and then crashes)."""
    raise Malformed


def _pieces(builder: Builder) -> list[bytes | Evaluation]:
    """The call's bytes, with the expressions among its arguments at their positions."""
    reader = builder.reader
    start = reader.at
    _check_context(reader)
    count, number = call_start(reader)
    if number == SELECT:
        return [reader.data[start : reader.at]]
    pieces: list[bytes | Evaluation] = []
    raw = reader.data[start : reader.at]
    for _ in range(count - 1):
        if reader.kind() != elements.LIST:
            raw += reader.take()
            continue
        if raw:
            pieces.append(raw)
            raw = b""
        pieces.append(builder.next().evaluate)
        if len(pieces) >= _MAX_PIECES:
            raise Malformed
    return [*pieces, raw] if raw else pieces


def _check_context(reader: Reader) -> None:
    """Refuse a path expression within a context, which the server's two passes parse differently."""
    ahead = Reader(reader.data)
    ahead.at = reader.at
    if ahead.list_count() == 3 and ahead.unsigned() == CONTEXT_EVAL:
        ahead.take()
        ahead.list_count()
        if ahead.unsigned() == SELECT:
            raise Malformed


def _evaluation(
    pieces: Sequence[bytes | Evaluation],
    subject: Evaluation,
    carry_out: _Call,
    kind: Type,
    compile_expression: CompileExpression,
) -> Evaluation:
    expected = PARTICLES[kind]

    def evaluate(frame: Frame) -> Value:
        payload = b""
        for piece in pieces:
            part = piece if isinstance(piece, bytes) else packed(piece(frame))
            if part is None:
                return UNKNOWN
            payload += part
        value = subject(frame)
        if value is not None and not isinstance(value, tuple):
            return UNKNOWN
        try:
            result = carry_out(value, payload, compile_expression)
            return _result(result, expected)
        except (Refused, Malformed):
            return UNKNOWN

    return evaluate


def _result(result: Particle | None, expected: int) -> Value:
    if (wire.PARTICLE_NULL if result is None else result[0]) != expected:
        return UNKNOWN
    if result is not None and result[0] == wire.PARTICLE_GEOJSON:
        # Elements have no cells.
        result = wire.PARTICLE_GEOJSON, geojson_particle(b"\0\0\0" + geojson_text(result[1]))
    return value_of(result)
