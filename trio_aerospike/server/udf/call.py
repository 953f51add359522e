"""Apply a UDF to a record (server: as/src/transaction/udf.c)."""

from __future__ import annotations

import time
from typing import Any

from ..._lua import FunctionFailed, Unusable, from_particle, to_particle
from ..._lua.values import LuaList, held
from ..._wire import constants as wire
from ...errors import ResultCode
from ..exceptions import Refused
from ..record import StoredRecord
from ..record_commands import (
    Change,
    CommandResult,
    Failure,
    check_record_filter,
    key_to_store,
    new_version,
    refuse_transaction,
    void_time_after,
)
from ..record_requests import Call, Request, Response
from ..store import NamespaceStore, Tree
from ..values import Particle
from .modules import Modules
from .record import LuaRecord

_FORBIDDEN_2 = wire.INFO2_GENERATION | wire.INFO2_GENERATION_GT | wire.INFO2_CREATE_ONLY
_FORBIDDEN_3 = wire.INFO3_UPDATE_ONLY | wire.INFO3_CREATE_OR_REPLACE | wire.INFO3_REPLACE_ONLY
#: Seconds that a call may take if the request has no limit.
_TIME_MAX = 1.0


def call_function(store: NamespaceStore, tree: Tree, request: Request, modules: Modules) -> CommandResult:
    """Call a function with a record, which it may create, change or delete.

    Returns:
        The response, with the function's result or error, and the change to the record.

    Raises:
        Refused: the function was not called, or its write is invalid.
    """
    call = request.call
    assert call is not None
    if store.settings.flag("reject-non-xdr-writes"):
        raise Refused(ResultCode.FAIL_FORBIDDEN)
    if request.info2 & _FORBIDDEN_2 or request.info3 & _FORBIDDEN_3:
        raise Refused(ResultCode.PARAM)
    if not call.is_whole:
        raise Refused(ResultCode.PARAM)
    refuse_transaction(request)
    record = store.find(tree, request.digest)
    if record is not None and store.is_doomed(record):
        record = None
    fail = Failure(record)
    if record is not None:
        if request.set_name != record.set_name:
            raise fail(ResultCode.PARAM)
        check_record_filter(store, request, record, fail)
    in_lua = LuaRecord(store, request.digest, request.set_name, record, key_to_store(request, record, fail))
    try:
        result = _called(modules, call, in_lua)
    except FunctionFailed as error:
        text = str(error).encode("utf-8", "surrogateescape")
        return CommandResult(_answer(record, "FAILURE", (wire.PARTICLE_STRING, text), ResultCode.UDF))
    if in_lua.result != ResultCode.OK:
        raise fail(in_lua.result)
    if not in_lua.has_updates:
        return CommandResult(_answer(record, "SUCCESS", result))
    return _written(store, request, record, in_lua, fail, result)


def given_arguments(call: Call) -> list[Any]:
    """The arguments of a call; empty if they are invalid (server: udf_def_init_from_msg)."""
    if not call.arguments:
        return []
    try:
        found = from_particle(wire.PARTICLE_LIST, call.arguments)
    except Unusable:
        return []
    return found.items if isinstance(found, LuaList) else []


def _called(modules: Modules, call: Call, record: LuaRecord) -> Particle:
    """Call the function; returns its result as a particle, nil if it cannot be one."""
    module = modules.loaded(call.module)
    deadline = time.monotonic() + (call.seconds or _TIME_MAX)
    result = module.apply(call.function, record, given_arguments(call), deadline)
    try:
        return to_particle(held(result))
    except Unusable:
        return wire.PARTICLE_NULL, b""


def _written(
    store: NamespaceStore,
    request: Request,
    record: StoredRecord | None,
    in_lua: LuaRecord,
    fail: Failure,
    result: Particle,
) -> CommandResult:
    if in_lua.ttl is not None:
        request.record_ttl = in_lua.ttl
    void_time = void_time_after(store, request, record, fail)
    if not in_lua.bins:
        if record is None or not record.bins:
            raise fail(ResultCode.RECORD_NOT_FOUND)
        if request.info2 & wire.INFO2_DURABLE_DELETE:
            raise fail(ResultCode.ENTERPRISE_ONLY)
        # Unlike a delete, the response has the metadata of the version that is deleted.
        generation = record.generation + 1 if record.generation < 0xFFFF else 1
        return CommandResult(Response(ResultCode.OK, generation, void_time, [_op("SUCCESS", result)]), Change(None))
    changed = new_version(store, request, record, in_lua.bins, in_lua.key, void_time, fail)
    return CommandResult(_answer(changed, "SUCCESS", result), Change(changed))


def _op(name: str, value: Particle) -> tuple[int, int, str, bytes]:
    return wire.OP_READ, value[0], name, value[1]


def _answer(record: StoredRecord | None, name: str, value: Particle, result: ResultCode = ResultCode.OK) -> Response:
    generation, void_time = (0, 0) if record is None else (record.generation, record.void_time)
    return Response(result, generation, void_time, [_op(name, value)])
