"""Basic queries and scans: partition by partition, streamed to the client.

Facts: basic_query_job_* in the server's as/src/query/query.c. Within a partition records come in the order of their
digests, the largest first; found through an index, in the order of the indexed value and then of the digest, smallest
first. Each partition that the node does not have is reported with its result code; the last message has that of the
whole query. The real server works on several partitions at once and sends frames of a megabyte; here it is one after
the other, in smaller frames, with a checkpoint after some records.
"""

from __future__ import annotations

import trio

from ..._wire import constants as wire
from ..._wire.commands import encode_particle_op
from ..._wire.query import Resumed
from ..._wire.query_answers import encode_partition_done, encode_record, record_fields
from ...errors import ResultCode
from ..cdt.elements import to_wire
from ..exceptions import Refused
from ..expressions.compiler import compile_filter
from ..operations import Bins, apply
from ..record import StoredRecord
from ..record_commands import MAX_OPS, READS, is_bin_name
from ..record_requests import text
from ..sindex.node_indexes import IndexSearch
from .protocols import QueryClient, QueryHost, start_query
from .records import found_in, is_wanted, passes
from .request import Kind, QueryRequest
from .sending import FRAME_SIZE, QueryStream

CHECKPOINT_EVERY = 100
"""Records after which other tasks run."""
_PARTITIONS_A_RECORD = 10
"""Partitions that take as much time to pass over as a record does to send."""
_DEFAULT_TTL = 1.0
"""Seconds that a short query may take without a limit of the client."""


class BasicQuery(QueryStream):
    """A basic query that runs."""

    def __init__(self, host: QueryHost, client: QueryClient, request: QueryRequest, search: IndexSearch | None) -> None:
        self._filter = None if request.filter_expression is None else compile_filter(request.filter_expression)
        self._wanted_bins = None if request.no_bins else _bin_list(request)
        if not request.no_bins:
            _check_ops(request)
        job = start_query(host, Kind.BASIC, request, client.peer)
        super().__init__(host, client, request, search, job, f"{'short' if request.short else 'long'}_basic")
        self._fields: dict[str, tuple[bytes, bytes]] = {}
        self._answered = 0
        self._table = host.cluster.tables[request.namespace]
        self._left = _PARTITIONS_A_RECORD * CHECKPOINT_EVERY
        ttl = request.message.transaction_ttl / 1000 or _DEFAULT_TTL
        self._deadline = trio.current_time() + ttl

    async def _serve_partitions(self) -> None:
        job = self.job
        singled_out = None if self._search is None else self._search.partitions()
        serves_reads, name = self._table.serves_reads, self._host.name
        for partition, start in (self._request.partitions or {}).items():
            if singled_out is not None and partition not in singled_out and serves_reads(name, partition):
                continue  # no matches there
            job.partition = partition
            if self._is_served(partition):
                await self._serve_partition(partition, start)
            else:
                self._add(encode_partition_done(partition, ResultCode.PARTITION_UNAVAILABLE))
            if job.abandoned or self._is_full:
                break
            self._left -= 1
            if self._left <= 0:
                await self._checkpoint()

    def _is_served(self, partition: int) -> bool:
        """Whether the node can serve the query's records of a partition."""
        table, name = self._table, self._host.name
        return table.serves_reads(name, partition) or (self._request.relax and table.has_records(name, partition))

    @property
    def _is_full(self) -> bool:
        return 0 < self._request.record_max <= self._answered

    async def _serve_partition(self, partition: int, start: Resumed | None) -> None:
        request, job = self._request, self.job
        if request.short and trio.current_time() > self._deadline:
            job.abandoned = ResultCode.TIMEOUT
            return
        # If the node gives up the partition meanwhile, this still holds the records that it had.
        tree = self._store.trees[partition]
        for digest, value in found_in(tree, partition, self._search, start):
            self._left -= _PARTITIONS_A_RECORD
            if self._left <= 0:
                await self._checkpoint()
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

    async def _checkpoint(self) -> None:
        self._left = _PARTITIONS_A_RECORD * CHECKPOINT_EVERY
        await trio.lowlevel.checkpoint()
        if self._host.paused:
            await self._host.wait_resumed()

    def _answer(self, digest: bytes, record: StoredRecord, value: int | None) -> None:
        request = self._request
        ops, n_ops = b"", 0
        if not request.no_bins:
            whole = None if request.ops or self._wanted_bins is not None else record.read_response()
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
            return  # the record has none of the bins that were asked for
        fields = self._fields.get(record.set_name)
        if fields is None:
            fields = self._fields[record.set_name] = record_fields(request.namespace, record.set_name)
        self._add(
            encode_record(
                fields, digest, record.key, value, record.generation, record.void_time, ops, n_ops,
                no_bins=request.no_bins,
            )
        )  # fmt: skip

    def _read(self, record: StoredRecord) -> list[tuple[int, int, str, bytes]]:
        """The bins, or the results of the operations, that the client gets of a record."""
        if self._request.ops:
            bins = Bins(record.bins, self._request.respond_all)
            for op in self._request.ops:
                apply(bins, op)
            return bins.answers
        stored = record.bins
        names = stored if self._wanted_bins is None else self._wanted_bins
        return [(wire.OP_READ, stored[name][0], name, to_wire(*stored[name])) for name in names if name in stored]


def _bin_list(request: QueryRequest) -> list[str] | None:
    """The names of bins that an older client lists in a field of their own."""
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
