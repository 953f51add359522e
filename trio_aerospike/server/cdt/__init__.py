"""Operations on lists and maps, as the server executes them (server: as/src/base/cdt.c).

Values are kept and answered as the bytes that clients send; nothing is decoded into Python's values.
"""

from __future__ import annotations

from ..._wire import cdt_ops as ops, constants as wire
from ...errors import ResultCode
from ..refused import Refused
from ..values import Particle
from . import lists, maps
from .calls import Call, Target
from .context import dig
from .elements import LIST, MAP, kind_of, to_wire
from .maps_unsorted import as_it_was, sorted_map, unsorted_keys
from .paths import CompileExpression, select

_KINDS = {wire.PARTICLE_LIST: LIST, wire.PARTICLE_MAP: MAP}
_PARTICLES = {LIST: wire.PARTICLE_LIST, MAP: wire.PARTICLE_MAP}


def read(value: Particle | None, payload: bytes, compile_expression: CompileExpression) -> Particle | None:
    """Read from a list or map.

    Args:
        value: the bin's; None for a bin that has none.
        payload: the operation's data.
        compile_expression: compiles the expressions of a path.

    Returns:
        The answer; None for none.

    Raises:
        Refused: it cannot be answered.
    """
    call = Call.parse(payload)
    if call.op == ops.SELECT:
        return _shown(select(value, call, compile_expression, changes=False)[1])
    if call.op == ops.CONTEXT_EVAL:
        if call.n_arguments != 2:
            raise Refused(ResultCode.PARAM)
        data = dig(_container(value), call.reader, creates=False).target.data
        call = Call.inner(call.reader)
        if data is None or kind_of(data) != _wanted_kind(call):
            raise Refused(ResultCode.BIN_TYPE)
    elif value is None or _KINDS.get(value[0]) != _wanted_kind(call):
        raise Refused(ResultCode.BIN_TYPE)
    else:
        data = value[1]
    if call.is_on_list:
        return _shown(lists.read(data, call))
    return _shown(maps.read(data if unsorted_keys(data) is None else sorted_map(data), call))


def modify(
    value: Particle | None, payload: bytes, compile_expression: CompileExpression
) -> tuple[Particle | None, Particle | None]:
    """Change a list or map.

    Args:
        value: the bin's; None for a bin that has none.
        payload: the operation's data.
        compile_expression: compiles the expressions of a path.

    Returns:
        The bin's new value, None for none; and the answer, None for none.

    Raises:
        Refused: nothing has changed.
    """
    call = Call.parse(payload)
    if call.op == ops.SELECT:
        value, answer = select(value, call, compile_expression, changes=True)
        return value, _shown(answer)
    if call.op == ops.CONTEXT_EVAL:
        return _modify_inside(value, call)
    if value is not None and _KINDS.get(value[0]) != _wanted_kind(call):
        raise Refused(ResultCode.BIN_TYPE)
    target = Target(None if value is None else value[1], has_bin=value is not None)
    answer = _modify(target, call)
    return _changed(value, target.result), _shown(answer)


def _modify_inside(value: Particle | None, call: Call) -> tuple[Particle | None, Particle | None]:
    if call.n_arguments != 2:
        raise Refused(ResultCode.PARAM)
    way = dig(None if value is None else _container(value), call.reader, creates=True)
    call = Call.inner(call.reader)
    target = way.target
    if target.data is not None and kind_of(target.data) != _wanted_kind(call):
        raise Refused(ResultCode.BIN_TYPE)
    answer = _modify(target, call)
    return _changed(value, way.whole()), _shown(answer)


def _modify(target: Target, call: Call) -> Particle | None:
    if call.is_on_list:
        return lists.modify(target, call)
    keys = None if target.data is None else unsorted_keys(target.data)
    if target.data is None or keys is None:
        return maps.modify(target, call)
    target.data = sorted_map(target.data)
    answer = maps.modify(target, call)
    if target.result is not None:
        target.result = as_it_was(keys, target.result, call.op)
    return answer


def _container(value: Particle | None) -> bytes:
    """The bin's value, which a context leads into."""
    if value is None or value[0] not in _KINDS:
        raise Refused(ResultCode.PARAM)
    return value[1]


def _wanted_kind(call: Call) -> int:
    return LIST if call.is_on_list else MAP


def _changed(value: Particle | None, data: bytes | None) -> Particle | None:
    return value if data is None else (_PARTICLES[kind_of(data)], data)


def _shown(answer: Particle | None) -> Particle | None:
    """The answer as clients see it."""
    return None if answer is None else (answer[0], to_wire(*answer))
