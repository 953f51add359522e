"""Background queries: operations or a UDF applied to every record that a query finds.

Facts: ops_bg_query_job_* in the server's as/src/query/query.c. The client is notified that the job has begun, and of
nothing else; each node works on the partitions of which it is the master.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from ..._wire import constants as wire
from ..._wire.frames import encode_frame
from ..._wire.messages import Message
from ..._wire.query_answers import encode_query_end
from ...errors import ResultCode
from ...fairness import TimeSlice
from ..exceptions import Refused
from ..expressions.compiler import compile_filter
from ..record import StoredRecord
from ..record_requests import Request
from ..sindex.node_indexes import IndexSearch
from .jobs import QueryJob
from .protocols import QueryClient, QueryHost, find_index, start_query
from .records import found_in, is_wanted, passes
from .request import Kind, QueryRequest, parse_query

Work = Callable[[bytes, StoredRecord], None]

CHECKPOINT_EVERY = 25
"""Records after which other tasks run."""
_READS = {wire.OP_READ, wire.OP_CDT_READ, wire.OP_BITS_READ, wire.OP_HLL_READ, wire.OP_EXP_READ}


def start_background_ops(host: QueryHost, client: QueryClient, message: Message) -> bytes:
    """Start a job that applies operations to records; returns the frame that reports its start. Raises `Refused`."""
    request = parse_background(host, message)
    search = find_index(host, request)
    if message.info1 & wire.INFO1_READ or not message.ops or any(op.op in _READS for op in message.ops):
        raise Refused(ResultCode.PARAM)

    def work(digest: bytes, record: StoredRecord) -> None:
        info2 = wire.INFO2_WRITE | message.info2 & wire.INFO2_DURABLE_DELETE
        info3 = wire.INFO3_UPDATE_ONLY | message.info3 & wire.INFO3_REPLACE_ONLY
        write = Request(
            request.namespace, record.set_name, digest, None, 0, info2, info3, 0, message.record_ttl, message.ops
        )
        host.executor.execute_internal(write, "ops_sub")

    return start_job(host, client, Kind.BACKGROUND_OPS, request, search, work, lambda: ":ops-active=0")


def parse_background(host: QueryHost, message: Message) -> QueryRequest:
    """Parse a background query, with the checks that all kinds have in common. Raises `Refused`."""
    if message.info1 & wire.INFO1_SHORT_QUERY:
        raise Refused(ResultCode.PARAM)
    request = parse_query(message, with_partitions=False)
    if request.set_name and not host.cluster.knows_set(request.namespace, request.set_name):
        raise Refused(ResultCode.RECORD_NOT_FOUND)
    if request.records_per_second > _max_rate(host, request):
        raise Refused(ResultCode.PARAM)
    return request


def _max_rate(host: QueryHost, request: QueryRequest) -> int:
    """The most records per second of one background query."""
    return host.stores[request.namespace].settings.number("background-query-max-rps")


def start_job(
    host: QueryHost,
    client: QueryClient,
    kind: str,
    request: QueryRequest,
    search: IndexSearch | None,
    work: Work,
    details: Callable[[], str],
    checkpoint_every: int = CHECKPOINT_EVERY,
) -> bytes:
    """Apply `work` to the records that a query finds, in a task of its own.

    Args:
        host: the node.
        client: the connection that asked.
        kind: its name in `query-show`.
        request: selects the records.
        search: the index to find them through; None for all records.
        work: called with a digest and its record; raises Refused if it fails.
        details: more text for `query-show`.
        checkpoint_every: records after which other tasks run.

    Returns:
        The frame that reports the job's start.

    Raises:
        Refused: the job did not start.
    """
    expression = None if request.filter_expression is None else compile_filter(request.filter_expression)
    job = start_query(host, kind, request, client.peer)
    job.records_per_second = request.records_per_second or _max_rate(host, request)
    job.index_name = "" if search is None else search.name
    job.details = lambda: f":net-io-bytes=30:socket-timeout=10000{details()}"

    async def run() -> None:
        time_slice = TimeSlice()
        try:
            for partition in range(wire.N_PARTITIONS):
                await time_slice.give_way()
                job.partition = partition
                if host.cluster.tables[request.namespace].master(partition) == host.name:
                    await serve_partition(partition)
                if job.abandoned:
                    break
            job.partition = wire.N_PARTITIONS
        except Exception:
            job.abandoned = job.abandoned or ResultCode.SERVER
            raise
        finally:
            host.queries.finish(job)
            end = "abort" if job.abandoned == ResultCode.QUERY_ABORTED else "error" if job.abandoned else "complete"
            short = "ops_bg" if kind == Kind.BACKGROUND_OPS else "udf_bg"
            host.counters[f"{'pi' if search is None else 'si'}_query_{short}_{end}"] += 1

    async def serve_partition(partition: int) -> None:
        store = host.stores[request.namespace]
        tree = store.trees[partition]
        for place, (digest, _) in enumerate(found_in(tree, partition, search)):
            if place % checkpoint_every == 0:
                await trio.lowlevel.checkpoint()
            if job.abandoned:
                return
            record = tree.get(digest)
            if not is_wanted(record, request, store):
                continue
            filtered = job.filtered_meta
            passed = expression is None or passes(expression, record, digest, store, job)
            # A record counts for the rate if it was read, not if its metadata decided the filter.
            if job.filtered_meta == filtered and (seconds := job.pace()):
                await trio.sleep(seconds)
            if not passed:
                continue
            _work_on(job, work, digest, record)

    host.start_task(run)
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
