"""Queries and scans: partition by partition, streamed to whoever asked.

Facts: basic_query_job_* in the server's as/src/query/query.c. Within a partition records come in the order of their
digests, the largest first; found through an index, in the order of the indexed value and then of the digest, smallest
first. Partitions that the node does not have are named with their result, then comes the end with that of the whole.
The real server works on several partitions at once and sends frames of a megabyte; here it is one after the other, in
smaller frames, with a rest for other connections after some records.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from ..._wire import constants as wire
from ..._wire.commands import encode_particle_op
from ..._wire.messages import Message
from ..._wire.query import Resumed
from ..._wire.query_answers import encode_partition_done, encode_record, record_fields
from ...errors import ResultCode
from ..cdt.elements import to_wire
from ..commands import MAX_OPS, READS, is_bin_name
from ..expressions.compiler import compile_filter
from ..operations import Bins, apply
from ..requests import Answer, text
from ..results import Refused
from ..store import StoredRecord
from .background import start_background_ops
from .records import found_in, is_wanted, passes
from .request import Kind, QueryRequest, kind_of, parse_query
from .sending import FRAME_SIZE, StreamedAnswer
from .udf import start_aggregation, start_background_udf

if TYPE_CHECKING:
    from ..connection import Connection
    from ..node import EmbeddedNode
    from ..sindex.registry import IndexSearch

RECORDS_BETWEEN_RESTS = 100
"""Records after which other connections have their turn."""
_PARTITIONS_A_RECORD = 10
"""Partitions that take as much time to pass over as a record does to answer."""
_DEFAULT_TTL = 1.0
"""Seconds that a short query may take where the client does not say."""


class Streamed(Exception):
    """A request is answered by a stream: `serve` sends it; `abandon` cleans up if it is never sent."""

    def __init__(self, serve: Callable[[], Awaitable[None]], abandon: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.serve = serve
        self.abandon = abandon


def answer_query(node: EmbeddedNode, connection: Connection, message: Message) -> bytes:
    """Answer a query: the frame of a refusal or of a background job's start.

    Raises:
        Streamed: the answer is a stream.
    """
    try:
        return _started(node, connection, message)
    except Refused as refused:
        return Answer(refused.result).frame()


def _started(node: EmbeddedNode, connection: Connection, message: Message) -> bytes:
    namespace = message.field(wire.FIELD_NAMESPACE)
    if namespace is None or text(namespace) not in node.stores:
        raise Refused(ResultCode.INVALID_NAMESPACE)
    if not node.joined:
        raise Refused(ResultCode.PARTITION_UNAVAILABLE)
    permission = "write" if message.info2 & wire.INFO2_WRITE else "read"
    if message.field(wire.FIELD_UDF_FILENAME) is not None:
        permission = "execute-udf"
    if not connection.may(permission, text(namespace), text(message.field(wire.FIELD_SET) or b"")):
        raise Refused(ResultCode.ROLE_VIOLATION)
    kind = kind_of(message)
    if kind == Kind.BACKGROUND_OPS:
        return start_background_ops(node, connection, message)
    if kind == Kind.BACKGROUND_UDF:
        return start_background_udf(node, connection, message)
    if kind == Kind.AGGREGATION:
        aggregation = start_aggregation(node, connection, message)
        raise Streamed(aggregation.serve, aggregation.abandon)
    if not message.info3 & wire.INFO3_PARTITION_DONE:
        raise Refused(ResultCode.UNSUPPORTED_FEATURE)
    request = parse_query(message, with_partitions=True)
    if request.partitions is None:
        raise Refused(ResultCode.UNSUPPORTED_FEATURE)
    search = node.indexes.search(request)
    query = _Query(node, connection, request, search)
    raise Streamed(query.serve, query.abandon)


class _Query(StreamedAnswer):
    """One basic query under way."""

    def __init__(
        self, node: EmbeddedNode, connection: Connection, request: QueryRequest, search: IndexSearch | None
    ) -> None:
        self._filter = None if request.filter_expression is None else compile_filter(request.filter_expression)
        self._wanted_bins = None if request.no_bins else _bin_list(request)
        if not request.no_bins:
            _check_ops(request)
        job = node.start_query(Kind.BASIC, request, connection.peer)
        super().__init__(node, connection, request, search, job, f"{'short' if request.short else 'long'}_basic")
        self._fields: dict[str, tuple[bytes, bytes]] = {}
        self._answered = 0
        self._table = node.cluster.tables[request.namespace]
        self._left = _PARTITIONS_A_RECORD * RECORDS_BETWEEN_RESTS
        ttl = request.message.transaction_ttl / 1000 or _DEFAULT_TTL
        self._deadline = trio.current_time() + ttl

    async def _serve_partitions(self) -> None:
        job = self.job
        singled_out = None if self._search is None else self._search.partitions()
        serves_reads, name = self._table.serves_reads, self._node.name
        for partition, start in (self._request.partitions or {}).items():
            if singled_out is not None and partition not in singled_out and serves_reads(name, partition):
                continue  # there is nothing to find
            job.partition = partition
            if self._is_served(partition):
                await self._serve_partition(partition, start)
            else:
                self._hold(encode_partition_done(partition, ResultCode.PARTITION_UNAVAILABLE))
            if job.abandoned or self._is_full:
                break
            self._left -= 1
            if self._left <= 0:
                await self._rest()

    def _is_served(self, partition: int) -> bool:
        """Whether the node has what the query wants of a partition."""
        table, name = self._table, self._node.name
        return table.serves_reads(name, partition) or (self._request.relax and table.has_records(name, partition))

    @property
    def _is_full(self) -> bool:
        return 0 < self._request.record_max <= self._answered

    async def _serve_partition(self, partition: int, start: Resumed | None) -> None:
        request, job = self._request, self.job
        if request.short and trio.current_time() > self._deadline:
            job.abandoned = ResultCode.TIMEOUT
            return
        # Should the node give the partition up meanwhile, this is still what it had.
        tree = self._store.trees[partition]
        for digest, value in found_in(tree, partition, self._search, start):
            self._left -= _PARTITIONS_A_RECORD
            if self._left <= 0:
                await self._rest()
            if job.abandoned:
                return
            record = tree.get(digest)
            if not is_wanted(record, request, self._store):
                continue
            if self._filter is not None and not passes(self._filter, record, digest, self._store, job):
                continue
            self._answer(digest, record, value)
            if self._is_full:
                return
            if not request.short and (seconds := job.pace()):
                await trio.sleep(seconds)
            if self._size > FRAME_SIZE:
                await self._flush()

    async def _rest(self) -> None:
        self._left = _PARTITIONS_A_RECORD * RECORDS_BETWEEN_RESTS
        await trio.lowlevel.checkpoint()
        if self._node.paused:
            await self._node.wait_resumed()

    def _answer(self, digest: bytes, record: StoredRecord, value: int | None) -> None:
        request = self._request
        ops, n_ops = b"", 0
        if not request.no_bins:
            whole = None if request.ops or self._wanted_bins is not None else record.answer_to_a_read()
            if whole is not None:
                n_ops, ops = whole
            else:
                try:
                    answers = self._read(record)
                except Refused:
                    self._answered += 1
                    self.job.failed += 1
                    return
                ops = b"".join([encode_particle_op(op, name, kind, data) for op, kind, name, data in answers])
                n_ops = len(answers)
        self._answered += 1
        self.job.succeeded += 1
        if not n_ops and not request.no_bins and (request.ops or self._wanted_bins is not None):
            return  # none of the bins that were asked for: no record
        fields = self._fields.get(record.set_name)
        if fields is None:
            fields = self._fields[record.set_name] = record_fields(request.namespace, record.set_name)
        self._hold(
            encode_record(
                fields, digest, record.key, value, record.generation, record.void_time, ops, n_ops,
                no_bins=request.no_bins,
            )
        )  # fmt: skip

    def _read(self, record: StoredRecord) -> list[tuple[int, int, str, bytes]]:
        """What the client gets of a record's bins."""
        if self._request.ops:
            bins = Bins(record.bins, self._request.respond_all)
            for op in self._request.ops:
                apply(bins, op)
            return bins.answers
        stored = record.bins
        names = stored if self._wanted_bins is None else self._wanted_bins
        return [(wire.OP_READ, stored[name][0], name, to_wire(*stored[name])) for name in names if name in stored]


def _bin_list(request: QueryRequest) -> list[str] | None:
    """The bins that an older client lists in a field of its own."""
    data = request.message.field(wire.FIELD_QUERY_BINLIST)
    if data is None:
        return None
    if request.ops or not data:
        raise Refused(ResultCode.PARAM)
    names = []
    position = 1
    for _ in range(data[0]):
        size = data[position] if position < len(data) else 0
        name = text(data[position + 1 : position + 1 + size])
        position += 1 + size
        if is_bin_name(name):
            names.append(name)
    return names


def _check_ops(request: QueryRequest) -> None:
    for op in request.ops:
        if not is_bin_name(op.name) or op.op not in READS:
            raise Refused(ResultCode.PARAM)
    if len(request.ops) > MAX_OPS:
        raise Refused(ResultCode.PARAM)
