"""Start the query of a message: basic, aggregation, or a background job."""

from __future__ import annotations

from ..._wire import constants as wire
from ..._wire.messages import Message
from ...errors import ResultCode
from ..exceptions import Refused
from ..record_requests import Response, StreamingResponse, text
from .background import start_background_ops
from .basic import BasicQuery
from .protocols import QueryClient, QueryHost, find_index
from .request import Kind, kind_of, parse_query
from .udf import start_aggregation, start_background_udf


def answer_query(host: QueryHost, client: QueryClient, message: Message) -> bytes | StreamingResponse:
    """Start a query.

    Returns:
        The frame of a refusal or of a background job's start, or the stream of records.
    """
    try:
        return _start(host, client, message)
    except Refused as refused:
        return Response(refused.result).frame()


def _start(host: QueryHost, client: QueryClient, message: Message) -> bytes | StreamingResponse:
    namespace = message.field(wire.FIELD_NAMESPACE)
    if namespace is None or text(namespace) not in host.stores:
        raise Refused(ResultCode.INVALID_NAMESPACE)
    if not host.joined:
        raise Refused(ResultCode.PARTITION_UNAVAILABLE)
    permission = "write" if message.info2 & wire.INFO2_WRITE else "read"
    if message.field(wire.FIELD_UDF_FILENAME) is not None:
        permission = "execute-udf"
    if not client.may(permission, text(namespace), text(message.field(wire.FIELD_SET) or b"")):
        raise Refused(ResultCode.ROLE_VIOLATION)
    kind = kind_of(message)
    if kind == Kind.BACKGROUND_OPS:
        return start_background_ops(host, client, message)
    if kind == Kind.BACKGROUND_UDF:
        return start_background_udf(host, client, message)
    if kind == Kind.AGGREGATION:
        aggregation = start_aggregation(host, client, message)
        return StreamingResponse(aggregation.serve, aggregation.abandon)
    if not message.info3 & wire.INFO3_PARTITION_DONE:
        raise Refused(ResultCode.UNSUPPORTED_FEATURE)
    request = parse_query(message, with_partitions=True)
    if request.partitions is None:
        raise Refused(ResultCode.UNSUPPORTED_FEATURE)
    query = BasicQuery(host, client, request, find_index(host, request))
    return StreamingResponse(query.serve, query.abandon)
