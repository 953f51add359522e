"""Functions over queries: on each record in the background, and on the stream of all records.

Facts: udf_bg_query_job_* and aggr_query_job_* in the server's as/src/query/query.c, and aggr.c. An aggregation runs
for each partition of which the node is master and that has records: what comes out of its stream is sent value by
value, each as a message with one bin, SUCCESS. One that fails says why in a bin FAILURE, and the whole is an error.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import trio

from ..._lua import FunctionFailed, LuaModule, Unusable, to_particle
from ..._lua.values import NOTHING, held
from ..._wire import constants as wire
from ..._wire.messages import Message
from ...errors import ResultCode
from ...fairness import TimeSlice
from ..requests import Answer, Call, call_of
from ..results import Refused
from ..store import Particle, StoredRecord
from ..udf.call import given_arguments
from ..udf.record import StreamRecord
from .background import parse_background, start_job
from .jobs import QueryJob
from .records import found_in, is_wanted
from .request import Kind, QueryRequest, parse_query
from .sending import FRAME_SIZE, StreamedAnswer

if TYPE_CHECKING:
    from ..connection import Connection
    from ..node import EmbeddedNode
    from ..sindex.registry import IndexSearch

STEP_TIME = 5.0
"""Seconds that the stream of one partition may take for a value; the real server sets no limit."""


def start_background_udf(node: EmbeddedNode, connection: Connection, message: Message) -> bytes:
    """Start a job that calls a function on records; returns the frame that says that it has begun.

    Raises:
        Refused: it has not.
    """
    request = parse_background(node, message)
    search = node.indexes.search(request)
    call = _whole_call(message)

    def work(digest: bytes, record: StoredRecord) -> None:
        answer = node.execute_internal(
            request.namespace,
            digest,
            record,
            info2=wire.INFO2_WRITE | message.info2 & wire.INFO2_DURABLE_DELETE,
            info3=0,
            record_ttl=message.record_ttl,
            origin="udf_sub",
            call=call,
        )
        if answer.result:
            raise Refused(ResultCode(answer.result))

    def details() -> str:
        return f":udf-filename={call.module}:udf-function={call.function}:udf-active=0"

    # A function may take its time, so that others have their turn after each record.
    return start_job(node, connection, Kind.BACKGROUND_UDF, request, search, work, details, rests_after=1)


def start_aggregation(node: EmbeddedNode, connection: Connection, message: Message) -> Aggregation:
    """An aggregation that has been checked, and is among the node's queries.

    Raises:
        Refused: it cannot be served.
    """
    if message.info1 & wire.INFO1_SHORT_QUERY:
        raise Refused(ResultCode.PARAM)
    if message.field(wire.FIELD_FILTER) is not None:
        raise Refused(ResultCode.UNSUPPORTED_FEATURE)
    request = parse_query(message, with_partitions=False)
    if request.set_name and not node.cluster.knows_set(request.namespace, request.set_name):
        raise Refused(ResultCode.RECORD_NOT_FOUND)
    search = node.indexes.search(request)
    call = _whole_call(message)
    job = node.start_query(Kind.AGGREGATION, request, connection.peer)
    return Aggregation(node, connection, request, search, call, job)


def _whole_call(message: Message) -> Call:
    call = call_of(message.field, 0)
    if call is None or not call.is_whole:
        raise Refused(ResultCode.PARAM)
    return call


class Aggregation(StreamedAnswer):
    """One aggregation under way."""

    def __init__(
        self,
        node: EmbeddedNode,
        connection: Connection,
        request: QueryRequest,
        search: IndexSearch | None,
        call: Call,
        job: QueryJob,
    ) -> None:
        super().__init__(node, connection, request, search, job, "aggr")
        self._call = call
        self._module: LuaModule | None = None

    async def _serve_partitions(self) -> None:
        job, node = self.job, self._node
        table = node.cluster.tables[self._request.namespace]
        time_slice = TimeSlice()
        for partition in range(wire.N_PARTITIONS):
            await time_slice.give_way()
            job.partition = partition
            if table.master(partition) == node.name and self._store.trees[partition]:
                await self._serve_partition(partition)
            if job.abandoned:
                break

    async def _serve_partition(self, partition: int) -> None:
        found = []
        tree = self._store.trees[partition]
        for digest, _ in found_in(tree, partition, self._search):
            record = tree.get(digest)
            if not is_wanted(record, self._request, self._store):
                continue
            found.append((digest, record))
            self.job.succeeded += 1
            if seconds := self.job.pace():
                await trio.sleep(seconds)
        if found:
            await self._reduce(found)
            await trio.lowlevel.checkpoint()

    async def _reduce(self, found: list[tuple[bytes, StoredRecord]]) -> None:
        """Have the function work on some records, and send what comes of them."""
        try:
            if self._module is None:
                self._module = self._node.cluster.modules.for_streams(self._call.module)
        except FunctionFailed as error:
            self._fail(str(error))
            return
        arguments = given_arguments(self._call)
        deadline = time.monotonic() + STEP_TIME
        values = self._module.stream(
            self._call.function, self._records(found), arguments, on_client=False, deadline=deadline
        )
        try:
            for value in values:
                kept = held(value)
                if kept is not NOTHING:
                    self._hold_value("SUCCESS", to_particle(kept))
                if self._size > FRAME_SIZE:
                    await self._flush()
                if self.job.abandoned:
                    break
        except Unusable:
            self._fail("UDF: Execution Error 1")
        except FunctionFailed as error:
            self._fail(f"UDF: Execution Error 2 : {error}")

    def _records(self, found: list[tuple[bytes, StoredRecord]]) -> Iterator[Any]:
        for digest, record in found:
            yield StreamRecord(self._store, digest, record.set_name, record, record.key)

    def _fail(self, text: str) -> None:
        self._hold_value("FAILURE", (wire.PARTICLE_STRING, text.encode("utf-8", "surrogateescape")))
        self.job.abandoned = ResultCode.SERVER

    def _hold_value(self, name: str, value: Particle) -> None:
        self._hold(Answer(ops=[(wire.OP_READ, value[0], name, value[1])]).body())
