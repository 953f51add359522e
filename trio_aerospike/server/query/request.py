"""Parse queries from messages, with the checks in the server's order.

Facts: the ``*_job_start`` and ``get_query_*`` functions of the server's as/src/query/query.c.
"""

from __future__ import annotations

import attrs

from ..._wire import constants as wire
from ..._wire.index_ranges import INDEX_DEFAULT, INDEX_VALUE_MAX, decode_range
from ..._wire.messages import Message, Op
from ..._wire.query import UDF_OP_AGGREGATE, UDF_OP_BACKGROUND, Resumed, decode_partitions
from ...errors import ProtocolError, ResultCode
from ..exceptions import Refused
from ..record_requests import text
from ..sindex.context import BadContext, check_context
from ..sindex.node_indexes import QueryPredicate

DEFAULT_SOCKET_TIMEOUT = 10.0
"""Seconds that the server tries to send when the client gives no timeout (server: CF_SOCKET_TIMEOUT)."""
_GEOJSON_MAX = 1024 * 1024
_NAME_MAX = 64
_KEY_PARTICLES = (wire.PARTICLE_INTEGER, wire.PARTICLE_STRING, wire.PARTICLE_BLOB, wire.PARTICLE_GEOJSON)


@attrs.frozen(eq=False, kw_only=True)
class QueryRequest:
    """A query of any kind."""

    message: Message
    namespace: str
    set_name: str
    trid: int
    short: bool
    relax: bool
    partitions: dict[int, Resumed | None] | None
    predicate: QueryPredicate | None
    records_per_second: int
    socket_timeout: float | None
    """Seconds; None for no limit."""
    record_max: int
    filter_expression: bytes | None

    @property
    def no_bins(self) -> bool:
        return bool(self.message.info1 & wire.INFO1_GET_NO_BINS)

    @property
    def respond_all(self) -> bool:
        return bool(self.message.info2 & wire.INFO2_RESPOND_ALL_OPS)

    @property
    def ops(self) -> tuple[Op, ...]:
        return self.message.ops


class Kind:
    """The kinds of queries, as `query-show` calls them."""

    BASIC = "basic"
    AGGREGATION = "aggregation"
    BACKGROUND_UDF = "background-udf"
    BACKGROUND_OPS = "background-ops"


def kind_of(message: Message) -> str:
    """The kind of query of a message. Raises `Refused`: PARAM, it names a UDF without its purpose."""
    is_udf = message.field(wire.FIELD_UDF_FILENAME) is not None
    if not is_udf:
        return Kind.BACKGROUND_OPS if message.info2 & wire.INFO2_WRITE else Kind.BASIC
    what = message.field(wire.FIELD_UDF_OP)
    if what == bytes((UDF_OP_AGGREGATE,)):
        return Kind.AGGREGATION
    if what == bytes((UDF_OP_BACKGROUND,)):
        return Kind.BACKGROUND_UDF
    raise Refused(ResultCode.PARAM)


def parse_query(message: Message, *, with_partitions: bool) -> QueryRequest:
    """Parse a query.

    Args:
        message: the request.
        with_partitions: parse its partitions, as for basic queries.

    Raises:
        Refused: PARAM, a field is invalid.
    """
    try:
        predicate = _predicate(message)
        partitions = None
        if with_partitions:
            partitions = decode_partitions(
                message.field(wire.FIELD_PID_ARRAY),
                message.field(wire.FIELD_DIGEST_ARRAY),
                message.field(wire.FIELD_BVAL_ARRAY),
                has_where=message.field(wire.FIELD_INDEX_RANGE) is not None,
            )
    except ProtocolError as error:
        raise Refused(ResultCode.PARAM) from error
    short = bool(message.info1 & wire.INFO1_SHORT_QUERY)
    rate = _number(message, wire.FIELD_RECORDS_PER_SECOND, 4)
    if short and rate is not None:
        raise Refused(ResultCode.PARAM)
    set_name = text(message.field(wire.FIELD_SET) or b"")
    if len(set_name.encode()) > wire.SET_NAME_MAX:
        raise Refused(ResultCode.PARAM)
    timeout = _number(message, wire.FIELD_SOCKET_TIMEOUT, 4)
    return QueryRequest(
        message=message,
        namespace=text(message.field(wire.FIELD_NAMESPACE) or b""),
        set_name=set_name,
        trid=_number(message, wire.FIELD_TRID, 8) or 0,
        short=short,
        relax=not short and bool(message.info2 & wire.INFO2_RELAX_AP_LONG_QUERY),
        partitions=partitions,
        predicate=predicate,
        records_per_second=rate or 0,
        socket_timeout=DEFAULT_SOCKET_TIMEOUT if timeout is None else timeout / 1000 or None,
        record_max=_number(message, wire.FIELD_SAMPLE_MAX, 8) or 0,
        filter_expression=message.field(wire.FIELD_FILTER),
    )


def _number(message: Message, field: int, size: int) -> int | None:
    data = message.field(field)
    if data is None:
        return None
    if len(data) != size:
        raise Refused(ResultCode.PARAM)
    return int.from_bytes(data, "big")


def _predicate(message: Message) -> QueryPredicate | None:
    data = message.field(wire.FIELD_INDEX_RANGE)
    if data is None:
        return None
    index_range = decode_range(data)
    name = message.field(wire.FIELD_INDEX_NAME)
    context = message.field(wire.FIELD_INDEX_CONTEXT)
    expression = message.field(wire.FIELD_INDEX_EXPRESSION)
    kind = message.field(wire.FIELD_INDEX_TYPE)
    named = name is not None or expression is not None
    if bool(index_range.bin_name) == named or index_range.particle not in _KEY_PARTICLES:
        raise ProtocolError("an index range with a bin and a name, with neither, or of another type")
    if kind == b"" or context == b"" or expression == b"" or (name is not None and not 0 < len(name) < _NAME_MAX):
        raise ProtocolError("an empty field about an index")
    if sum(field is not None for field in (name, context, expression)) > 1:
        raise ProtocolError("an index by more than one of name, context and expression")
    if context is not None:
        try:
            check_context(context)
        except BadContext as error:
            raise ProtocolError("a context that no index can have") from error
    limit = _GEOJSON_MAX if index_range.particle == wire.PARTICLE_GEOJSON else INDEX_VALUE_MAX + 1
    if len(index_range.begin) >= limit:
        raise ProtocolError("a value of an index range is too long")
    if index_range.particle == wire.PARTICLE_INTEGER and _signed(index_range.begin) > _signed(index_range.end):
        raise ProtocolError("an index range that ends before it begins")
    return QueryPredicate(
        range=index_range,
        kind=INDEX_DEFAULT if kind is None else kind[0],
        name=None if name is None else text(name),
        context=context,
        expression=expression,
    )


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)
