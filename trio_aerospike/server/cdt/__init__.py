"""List and map operations (collection data types, CDT) on stored bytes (server: as/src/base/cdt.c).

Values stay MessagePack, as clients send them; nothing is decoded into Python values.
"""

from __future__ import annotations

from ..._wire import cdt_ops as ops, constants as wire
from ...errors import ResultCode
from ..exceptions import Refused
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
        value: the bin's value; None if there is no bin.
        payload: the operation's data.
        compile_expression: compiles the expressions of a path.

    Returns:
        The result; None if there is none.

    Raises:
        Refused: the operation is invalid, or not applicable to the value.
    """
    call = Call.parse(payload)
    if call.op == ops.SELECT:
        return _for_client(select(value, call, compile_expression, changes=False)[1])
    if call.op == ops.CONTEXT_EVAL:
        if call.n_arguments != 2:
            raise Refused(ResultCode.PARAM)
        data = dig(_container(value), call.reader, creates=False).target.data
        call = Call.inner(call.reader)
        if data is None or kind_of(data) != _expected_kind(call):
            raise Refused(ResultCode.BIN_TYPE)
    elif value is None or _KINDS.get(value[0]) != _expected_kind(call):
        raise Refused(ResultCode.BIN_TYPE)
    else:
        data = value[1]
    if call.is_on_list:
        return _for_client(lists.read(data, call))
    return _for_client(maps.read(data if unsorted_keys(data) is None else sorted_map(data), call))


def modify(
    value: Particle | None, payload: bytes, compile_expression: CompileExpression
) -> tuple[Particle | None, Particle | None]:
    """Change a list or map.

    Args:
        value: the bin's value; None if there is no bin.
        payload: the operation's data.
        compile_expression: compiles the expressions of a path.

    Returns:
        The bin's new value and the result, each None if there is none.

    Raises:
        Refused: nothing has changed.
    """
    call = Call.parse(payload)
    if call.op == ops.SELECT:
        value, result = select(value, call, compile_expression, changes=True)
        return value, _for_client(result)
    if call.op == ops.CONTEXT_EVAL:
        return _modify_inside(value, call)
    if value is not None and _KINDS.get(value[0]) != _expected_kind(call):
        raise Refused(ResultCode.BIN_TYPE)
    target = Target(None if value is None else value[1], has_bin=value is not None)
    result = _modify(target, call)
    return _changed(value, target.result), _for_client(result)


def _modify_inside(value: Particle | None, call: Call) -> tuple[Particle | None, Particle | None]:
    if call.n_arguments != 2:
        raise Refused(ResultCode.PARAM)
    path = dig(None if value is None else _container(value), call.reader, creates=True)
    call = Call.inner(call.reader)
    target = path.target
    if target.data is not None and kind_of(target.data) != _expected_kind(call):
        raise Refused(ResultCode.BIN_TYPE)
    result = _modify(target, call)
    return _changed(value, path.whole()), _for_client(result)


def _modify(target: Target, call: Call) -> Particle | None:
    if call.is_on_list:
        return lists.modify(target, call)
    keys = None if target.data is None else unsorted_keys(target.data)
    if target.data is None or keys is None:
        return maps.modify(target, call)
    target.data = sorted_map(target.data)
    result = maps.modify(target, call)
    if target.result is not None:
        target.result = as_it_was(keys, target.result, call.op)
    return result


def _container(value: Particle | None) -> bytes:
    """The bin's value; raises `Refused` if a context cannot apply to it."""
    if value is None or value[0] not in _KINDS:
        raise Refused(ResultCode.PARAM)
    return value[1]


def _expected_kind(call: Call) -> int:
    return LIST if call.is_on_list else MAP


def _changed(value: Particle | None, data: bytes | None) -> Particle | None:
    return value if data is None else (_PARTICLES[kind_of(data)], data)


def _for_client(result: Particle | None) -> Particle | None:
    """The result in the form that clients get."""
    return None if result is None else (result[0], to_wire(*result))
