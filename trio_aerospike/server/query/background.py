"""Operations on all records that a query finds, carried out in the background.

Facts: ops_bg_query_job_* in the server's as/src/query/query.c. The client hears that the job has begun, and no more;
each node works on the partitions of which it is the master.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from ..._wire import constants as wire
from ..._wire.frames import encode_frame
from ..._wire.messages import Message
from ..._wire.query_answers import encode_query_end
from ...errors import ResultCode
from ...fairness import TimeSlice
from ..expressions.compiler import compile_filter
from ..results import Refused
from ..store import StoredRecord
from .jobs import QueryJob
from .records import found_in, is_wanted, passes
from .request import Kind, QueryRequest, parse_query

if TYPE_CHECKING:
    from ..connection import Connection
    from ..node import EmbeddedNode
    from ..sindex.registry import IndexSearch

Work = Callable[[bytes, StoredRecord], None]

RECORDS_BETWEEN_RESTS = 25
_READS = {wire.OP_READ, wire.OP_CDT_READ, wire.OP_BITS_READ, wire.OP_HLL_READ, wire.OP_EXP_READ}


def start_background_ops(node: EmbeddedNode, connection: Connection, message: Message) -> bytes:
    """Start a job that carries operations out; returns the frame that says that it has begun.

    Raises:
        Refused: it has not.
    """
    request = parse_background(node, message)
    search = node.indexes.search(request)
    if message.info1 & wire.INFO1_READ or not message.ops or any(op.op in _READS for op in message.ops):
        raise Refused(ResultCode.PARAM)

    def work(digest: bytes, record: StoredRecord) -> None:
        node.execute_internal(
            request.namespace,
            digest,
            record,
            info2=wire.INFO2_WRITE | message.info2 & wire.INFO2_DURABLE_DELETE,
            info3=wire.INFO3_UPDATE_ONLY | message.info3 & wire.INFO3_REPLACE_ONLY,
            record_ttl=message.record_ttl,
            ops=message.ops,
            origin="ops_sub",
        )

    return start_job(node, connection, Kind.BACKGROUND_OPS, request, search, work, lambda: ":ops-active=0")


def parse_background(node: EmbeddedNode, message: Message) -> QueryRequest:
    """The request of a background query, with the checks that all kinds have in common.

    Raises:
        Refused: it cannot be served.
    """
    if message.info1 & wire.INFO1_SHORT_QUERY:
        raise Refused(ResultCode.PARAM)
    request = parse_query(message, with_partitions=False)
    if request.set_name and not node.cluster.knows_set(request.namespace, request.set_name):
        raise Refused(ResultCode.RECORD_NOT_FOUND)
    if request.records_per_second > _most(node, request):
        raise Refused(ResultCode.PARAM)
    return request


def _most(node: EmbeddedNode, request: QueryRequest) -> int:
    """Records a second of one background query."""
    return node.stores[request.namespace].settings.number("background-query-max-rps")


def start_job(
    node: EmbeddedNode,
    connection: Connection,
    kind: str,
    request: QueryRequest,
    search: IndexSearch | None,
    work: Work,
    details: Callable[[], str],
    rests_after: int = RECORDS_BETWEEN_RESTS,
) -> bytes:
    """Have `work` done on the records that a query finds, in a task of its own.

    Args:
        node: which works.
        connection: whose client asked for it.
        kind: what `query-show` calls it.
        request: which records.
        search: the index to find them through; None for all.
        work: called with a record and its digest; raises Refused where that fails.
        details: tells more for `query-show`.
        rests_after: records after which other connections have their turn.

    Returns:
        The frame that says that it has begun.

    Raises:
        Refused: it has not.
    """
    expression = None if request.filter_expression is None else compile_filter(request.filter_expression)
    job = node.start_query(kind, request, connection.peer)
    job.records_per_second = request.records_per_second or _most(node, request)
    job.index_name = "" if search is None else search.name
    job.details = lambda: f":net-io-bytes=30:socket-timeout=10000{details()}"

    async def run() -> None:
        time_slice = TimeSlice()
        try:
            for partition in range(wire.N_PARTITIONS):
                await time_slice.give_way()
                job.partition = partition
                if node.cluster.tables[request.namespace].master(partition) == node.name:
                    await serve_partition(partition)
                if job.abandoned:
                    break
            job.partition = wire.N_PARTITIONS
        except Exception:
            job.abandoned = job.abandoned or ResultCode.SERVER
            raise
        finally:
            node.queries.finish(job)
            end = "abort" if job.abandoned == ResultCode.QUERY_ABORTED else "error" if job.abandoned else "complete"
            short = "ops_bg" if kind == Kind.BACKGROUND_OPS else "udf_bg"
            node.counters[f"{'pi' if search is None else 'si'}_query_{short}_{end}"] += 1

    async def serve_partition(partition: int) -> None:
        store = node.stores[request.namespace]
        tree = store.trees[partition]
        for place, (digest, _) in enumerate(found_in(tree, partition, search)):
            if place % rests_after == 0:
                await trio.lowlevel.checkpoint()
            if job.abandoned:
                return
            record = tree.get(digest)
            if not is_wanted(record, request, store):
                continue
            filtered = job.filtered_meta
            passed = expression is None or passes(expression, record, digest, store, job)
            # What is told apart by its metadata does not count for the rate; what is read for it does.
            if job.filtered_meta == filtered and (seconds := job.pace()):
                await trio.sleep(seconds)
            if not passed:
                continue
            _work_on(job, work, digest, record)

    node.start_task(run)
    return encode_frame(wire.PROTO_MESSAGE, encode_query_end())


def _work_on(job: QueryJob, work: Work, digest: bytes, record: StoredRecord) -> None:
    try:
        work(digest, record)
    except Refused as refused:
        if refused.result == ResultCode.FILTERED_OUT:
            job.filtered_bins += 1
        elif refused.result != ResultCode.RECORD_NOT_FOUND:
            job.failed += 1
    else:
        job.succeeded += 1
