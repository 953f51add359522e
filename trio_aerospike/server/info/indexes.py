"""Info commands about secondary indexes and queries.

The checks, their order and texts are those of a Community Edition 8.1.2 (server: as/src/sindex/sindex_manager.c,
as/src/base/thr_info.c).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator

from ..._wire import constants as wire, exp_ops
from ..._wire.index_ranges import INDEX_DEFAULT, INDEX_MAP_KEYS, INDEX_MAP_VALUES
from ...errors import ResultCode
from ..cdt.elements import LIST, kind_of, opened, split, unsigned
from ..exceptions import Refused
from ..expressions import Expression, compile_expression
from ..expressions.building import Type
from ..expressions.display import shown_context, shown_expression
from ..sindex.context import BadContext, NotNormal, check_context
from ..sindex.node_indexes import INDEX_SIZE
from ..sindex.registry import KINDS, MAX_INDEXES, TYPES, IndexDefinition
from .registry import (
    MAX_INFO_NAMESPACE,
    MAX_INFO_SET,
    InfoError,
    InfoRequest,
    bad_parameter,
    c_number,
    error_text,
    info_command,
    namespace_store,
)

_NAME_SIZE = 64
_CONTEXT_SIZE = 2048
_EXPRESSION_SIZE = 16 * 1024
_TRID_SIZE = 26
_CALL_PLACE = 3
_NOT_INDEXED = {*range(exp_ops.META_DEVICE_SIZE, exp_ops.META_RECORD_SIZE + 1), exp_ops.REC_KEY}
"""Metadata that changes without a write to the record, and cannot be indexed (server: build_meta_default)."""
_KIND_NAMES = {number: name for name, number in KINDS.items()}
_TYPE_NAMES = {number: name for name, number in TYPES.items()}
_TYPES_TEXT = "must be one of 'numeric', 'string', 'blob', 'geo2dsphere'"
_VALUE_TYPES = {
    wire.PARTICLE_INTEGER: Type.INT,
    wire.PARTICLE_STRING: Type.STR,
    wire.PARTICLE_BLOB: Type.BLOB,
    wire.PARTICLE_GEOJSON: Type.GEOJSON,
}
_EXPRESSION_NAMES = {
    Type.NIL: "null",
    Type.BOOL: "bool",
    Type.INT: "numeric",
    Type.STR: "string",
    Type.LIST: "list",
    Type.MAP: "map",
    Type.BLOB: "blob",
    Type.FLOAT: "float",
    Type.GEOJSON: "geojson",
    Type.HLL: "hyperloglog",
}


# Create and delete --------------------------------------------------------------------------------------------


@info_command("sindex-create", permission="sindex-admin")
def _sindex_create(request: InfoRequest) -> str:
    name = request.required("indexname", _NAME_SIZE)
    namespace = request.required("namespace", MAX_INFO_NAMESPACE, "ns")
    kind = request.param("indextype") or ""
    definition = _set_index(request, namespace) if kind.lower() == "set" else _value_index(request, namespace)
    cluster = request.node.cluster
    registry = cluster.indexes
    namesakes = registry.named(namespace, name)
    if namesakes == [definition]:
        return "ok"
    if len(namesakes) > 1:
        raise InfoError(ResultCode.INDEX_FOUND, "'indexname' already exists with multiple definitions")
    if namesakes:
        raise InfoError(ResultCode.INDEX_FOUND, "'indexname' already exists with different definition")
    is_known = registry.name_of(definition) is not None
    if not definition.is_of_set and not is_known and registry.count(namespace) >= MAX_INDEXES:
        raise InfoError(ResultCode.INDEX_MAX_COUNT, "already at sindex definition limit")
    registry.put(definition, name)
    # All nodes get the definition even if the namespace is unknown; then no node has entries for it.
    if not is_known and namespace in cluster.namespaces:
        for node in cluster.nodes:
            node.indexes.create(definition)
            if definition.set_name:
                node.stores[namespace].sets[definition.set_name] = None
    return "ok"


def _set_index(request: InfoRequest, namespace: str) -> IndexDefinition:
    for name in ("context", "indexdata", "type", "bin", "exp"):
        if request.param(name):
            raise bad_parameter(f"{name} parameter is not supported for set index")
    set_name = request.required("set", MAX_INFO_SET)
    if namespace not in request.node.stores:
        raise bad_parameter("namespace not found")
    return IndexDefinition(namespace, set_name, is_of_set=True)


def _value_index(request: InfoRequest, namespace: str) -> IndexDefinition:
    set_name = request.optional("set", MAX_INFO_SET) or ""
    context = _context(request)
    kind = INDEX_DEFAULT
    if (text := request.optional("indextype", 10)) is not None:
        if text.lower() not in KINDS:
            raise bad_parameter("bad 'indextype' - must be one of 'default', 'list', 'mapkeys', 'mapvalues'")
        kind = KINDS[text.lower()]
    data = request.optional("indexdata", wire.BIN_NAME_MAX + 13)
    type_name = request.optional("type", 12)
    if data is None and type_name is None:
        raise bad_parameter("both 'indexdata' and 'type' are missing")
    if data is not None and type_name is not None:
        raise bad_parameter("both 'indexdata' and 'type' are specified")
    expression = None
    if type_name is not None:
        if type_name.lower() not in TYPES:
            raise bad_parameter(f"bad 'type' - {_TYPES_TEXT}")
        value_type = TYPES[type_name.lower()]
        bin_name, expression = _source(request, context, kind, value_type)
    else:
        bin_name, value_type = _index_data(data or "")
    if kind == INDEX_MAP_KEYS and value_type == wire.PARTICLE_GEOJSON:
        raise bad_parameter(
            "bad 'indexdata' bin type for 'indextype' 'mapkeys' - must be one of 'numeric', 'string', 'blob'"
        )
    return IndexDefinition(namespace, set_name, bin_name, value_type, kind, context, expression)


def _source(request: InfoRequest, context: bytes | None, kind: int, value_type: int) -> tuple[str, bytes | None]:
    """The source of values: bin name or expression."""
    bin_name = request.optional("bin", wire.BIN_NAME_MAX + 1)
    packed = request.optional("exp", _EXPRESSION_SIZE)
    if bin_name is not None and packed is not None:
        raise bad_parameter("both 'bin' and 'exp' are specified")
    if bin_name is None and packed is None:
        raise bad_parameter("both 'bin' and 'exp' are missing")
    if packed is None:
        return bin_name or "", None
    if context is not None:
        raise bad_parameter("both 'context' and 'exp' are specified")
    data, expression = _expression(packed)
    wanted = _VALUE_TYPES[value_type]
    if kind != INDEX_DEFAULT:
        wanted = Type.MAP if kind in (INDEX_MAP_KEYS, INDEX_MAP_VALUES) else Type.LIST
    if expression.type is not wanted:
        raise bad_parameter(
            f"bad 'exp' - expression type '{_EXPRESSION_NAMES.get(expression.type, '?')}' does not match expected "
            f"type '{_EXPRESSION_NAMES[wanted]}'"
        )
    return "", data


def _expression(packed: str) -> tuple[bytes, Expression]:
    """Compile the expression of an index, which may depend only on bins or the digest."""
    try:
        data = base64.b64decode(packed, validate=True)
        expression = compile_expression(data)
    except (binascii.Error, Refused) as error:
        raise bad_parameter("bad 'exp'") from error
    called = set(_called(data))
    if called & _NOT_INDEXED or not (expression.bin_names or exp_ops.META_DIGEST_MOD in called):
        raise bad_parameter("bad 'exp'")
    return data, expression


def _called(data: bytes) -> Iterator[int]:
    """The instructions of a valid expression."""
    if kind_of(data) != LIST:
        return
    _, count, _, start = opened(data)
    elements = split(data, start, count)
    if not elements:
        return
    number = unsigned(elements[0])
    yield number
    if number == exp_ops.QUOTE:
        return
    for place, element in enumerate(elements[1:], 1):
        if number == exp_ops.CALL and place == _CALL_PLACE:
            # The call of an operation begins with the number of the operation.
            _, inner, _, inner_start = opened(element)
            for argument in split(element, inner_start, inner)[1:]:
                yield from _called(argument)
        else:
            yield from _called(element)


def _index_data(data: str) -> tuple[str, int]:
    """Parse bin name and type in the older form, separated by a comma."""
    bin_name, comma, type_name = data.partition(",")
    if not comma:
        raise bad_parameter("'indexdata' missing bin type")
    if not bin_name:
        raise bad_parameter("'indexdata' missing bin name")
    if len(bin_name) > wire.BIN_NAME_MAX:
        raise bad_parameter("'indexdata' bin name too long")
    if type_name.lower() not in TYPES:
        raise bad_parameter(f"bad 'indexdata' bin type - {_TYPES_TEXT}")
    return bin_name, TYPES[type_name.lower()]


def _context(request: InfoRequest) -> bytes | None:
    text = request.optional("context", _CONTEXT_SIZE)
    if text is None:
        return None
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise bad_parameter("'context' invalid base64") from error
    try:
        check_context(data)
    except NotNormal as error:
        raise bad_parameter("'context' not normalized msgpack") from error
    except BadContext as error:
        raise bad_parameter("'context' invalid cdt context") from error
    return data


def _of_index(request: InfoRequest, answer: Callable[[str], str]) -> str:
    """The answer about an index by name; if that is missing, the error and an answer, as from a real server."""
    try:
        name = request.required("indexname", _NAME_SIZE)
    except InfoError as error:
        try:
            more = answer("")
        except InfoError as second:
            more = error_text(second)
        raise InfoError(error.code, f"{error}{more}") from None
    return answer(name)


@info_command("sindex-delete", permission="sindex-admin")
def _sindex_delete(request: InfoRequest) -> str:
    """Delete an index; succeeds if it does not exist."""
    return _of_index(request, lambda name: _delete(request, name))


def _delete(request: InfoRequest, name: str) -> str:
    namespace = request.required("namespace", MAX_INFO_NAMESPACE, "ns")
    cluster = request.node.cluster
    namesakes = cluster.indexes.named(namespace, name)
    if len(namesakes) > 1:
        raise InfoError(ResultCode.INDEX_FOUND, "'indexname' is not unique")
    for definition in namesakes:
        cluster.indexes.remove(definition)
        for node in cluster.nodes:
            node.indexes.forget(definition)
    return "ok"


# List and statistics ------------------------------------------------------------------------------------------


@info_command("sindex-exists", permission="sindex-admin")
def _sindex_exists(request: InfoRequest) -> str:
    return _of_index(request, lambda name: _exists(request, name))


def _exists(request: InfoRequest, name: str) -> str:
    store = namespace_store(request, "ns")
    return "true" if request.node.cluster.indexes.named(store.config.name, name) else "false"


@info_command("sindex-list")
def _sindex_list(request: InfoRequest) -> str:
    try:
        namespace = request.optional("namespace", MAX_INFO_NAMESPACE, "ns")
        if namespace is not None and namespace not in request.node.stores:
            raise InfoError(ResultCode.INVALID_NAMESPACE, "namespace not found on node")
    except InfoError as error:
        # There are two lists, of value indexes and of set indexes: both report the error.
        raise InfoError(error.code, f"{error};ERROR:{error.code}:{error}") from None
    b64 = request.optional("b64", 6)
    if b64 not in (None, "true", "false"):
        raise bad_parameter("bad b64")
    return _listed(request, [namespace] if namespace is not None else list(request.node.stores), packed=b64 == "true")


def _listed(request: InfoRequest, namespaces: list[str], *, packed: bool) -> str:
    """List value indexes, then set indexes."""
    of_values, of_sets = [], []
    for namespace in namespaces:
        for definition, name in request.node.cluster.indexes.of(namespace):
            if definition.is_of_set:
                of_sets.append(f"ns={namespace}:indexname={name}:set={definition.set_name}:indextype=set")
            else:
                of_values.append(_line(request, definition, name, packed=packed))
    return ";".join([*of_values, *of_sets])


def _line(request: InfoRequest, definition: IndexDefinition, name: str, *, packed: bool) -> str:
    state = "RW" if request.node.indexes.entries(definition).is_readable else "WO"
    context, expression = definition.context, definition.expression
    if packed:
        shown = [None if data is None else base64.b64encode(data).decode() for data in (context, expression)]
    else:
        shown = [
            None if context is None else shown_context(context),
            None if expression is None else shown_expression(expression),
        ]
    return (
        f"ns={definition.namespace}:indexname={name}:set={definition.set_name or 'null'}:"
        f"bin={definition.bin_name or 'null'}:type={_TYPE_NAMES[definition.type]}:"
        f"indextype={_KIND_NAMES[definition.kind]}:context={shown[0] or 'null'}:"
        f"exp={shown[1] or 'null'}:state={state}"
    )


@info_command("sindex-stat")
def _sindex_stat(request: InfoRequest) -> str:
    return _of_index(request, lambda name: _stat(request, namespace_store(request, "ns").config.name, name))


def _stat(request: InfoRequest, namespace: str, name: str) -> str:
    namesakes = request.node.cluster.indexes.named(namespace, name)
    if not namesakes:
        raise InfoError(ResultCode.INDEX_NOT_FOUND, "no index")
    found = request.node.indexes.entries(namesakes[0])
    if namesakes[0].is_of_set:
        entries = request.node.stores[namespace].counts(namesakes[0].set_name).objects
        return f"entries={entries};used_bytes={16 * entries};load_pct=100"
    entries, values, records_found = found.count() if found.is_readable else (0, 0, 0)
    return (
        f"entries={entries};used_bytes={INDEX_SIZE};entries_per_bval={_ratio(entries, values)};"
        f"entries_per_rec={_ratio(entries, records_found)};load_pct={100 * found.populated // wire.N_PARTITIONS};"
        f"load_time={found.load_time};stat_gc_recs=0"
    )


def _ratio(entries: int, count: int) -> int:
    return round(entries / count) if count else 0


@info_command("sindex")
def _sindex(request: InfoRequest) -> str:
    """The older form: list all indexes, or those of a namespace, or show the statistics of one."""
    namespace, slash, name = request.params.partition("/")
    if namespace and namespace not in request.node.stores:
        return "ns_type=unknown"
    if slash:
        return _stat(request, namespace, name)
    return _listed(request, [namespace] if namespace else list(request.node.stores), packed=False)


# Queries ------------------------------------------------------------------------------------------------------


def _trid(text: str) -> int:
    number = c_number(text)
    if not number:
        raise bad_parameter("bad id")
    return number


@info_command("query-show")
def _query_show(request: InfoRequest) -> str:
    text = request.optional("id", _TRID_SIZE, "trid")
    if text is None:
        return request.node.queries.text()
    job = request.node.queries.find(_trid(text))
    if job is None:
        raise InfoError(ResultCode.RECORD_NOT_FOUND, "job not found")
    return job.text()


@info_command("query-abort", permission="query-admin")
def _query_abort(request: InfoRequest) -> str:
    if request.node.queries.abort(_trid(request.required("id", _TRID_SIZE, "trid"))):
        return "ok"
    raise InfoError(ResultCode.RECORD_NOT_FOUND, "id not active")


@info_command("query-abort-all", permission="query-admin")
def _query_abort_all(request: InfoRequest) -> str:
    return f"number-of-queries-killed:{request.node.queries.abort_all()}"
