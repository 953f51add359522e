"""UDFs over queries: background UDFs on every record, and aggregations on the stream of records.

Facts: udf_bg_query_job_* and aggr_query_job_* in the server's as/src/query/query.c, and aggr.c. An aggregation runs
for each partition of which the node is master and that has records: each value that its stream produces is sent as a
message with one bin, SUCCESS. One that fails sends the reason in a bin FAILURE, and the query ends with an error.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import trio

from ..._lua import FunctionFailed, LuaModule, Unusable, to_particle
from ..._lua.values import NOTHING, held
from ..._wire import constants as wire
from ..._wire.messages import Message
from ...errors import ResultCode
from ...fairness import TimeSlice
from ..exceptions import Refused
from ..record import StoredRecord
from ..record_requests import Call, Request, Response, call_of
from ..sindex.node_indexes import IndexSearch
from ..udf.call import given_arguments
from ..udf.record import StreamRecord
from ..values import Particle
from .background import parse_background, start_job
from .jobs import QueryJob
from .protocols import QueryClient, QueryHost, find_index, start_query
from .records import found_in, is_wanted
from .request import Kind, QueryRequest, parse_query
from .sending import FRAME_SIZE, QueryStream

STEP_TIME = 5.0
"""Seconds that the stream of one partition may take for a value; the real server sets no limit."""


def start_background_udf(host: QueryHost, client: QueryClient, message: Message) -> bytes:
    """Start a job that applies a UDF to records; returns the frame that reports its start. Raises `Refused`."""
    request = parse_background(host, message)
    search = find_index(host, request)
    call = _whole_call(message)

    def work(digest: bytes, record: StoredRecord) -> None:
        info2 = wire.INFO2_WRITE | message.info2 & wire.INFO2_DURABLE_DELETE
        write = Request(
            request.namespace, record.set_name, digest, None, 0, info2, 0, 0, message.record_ttl, (), call=call
        )
        response = host.executor.execute_internal(write, "udf_sub")
        if response.result:
            raise Refused(ResultCode(response.result))

    def details() -> str:
        return f":udf-filename={call.module}:udf-function={call.function}:udf-active=0"

    # A function may take long: other tasks run after each record.
    return start_job(host, client, Kind.BACKGROUND_UDF, request, search, work, details, checkpoint_every=1)


def start_aggregation(host: QueryHost, client: QueryClient, message: Message) -> Aggregation:
    """Check an aggregation and register it among the node's queries. Raises `Refused`."""
    if message.info1 & wire.INFO1_SHORT_QUERY:
        raise Refused(ResultCode.PARAM)
    if message.field(wire.FIELD_FILTER) is not None:
        raise Refused(ResultCode.UNSUPPORTED_FEATURE)
    request = parse_query(message, with_partitions=False)
    if request.set_name and not host.cluster.knows_set(request.namespace, request.set_name):
        raise Refused(ResultCode.RECORD_NOT_FOUND)
    search = find_index(host, request)
    call = _whole_call(message)
    job = start_query(host, Kind.AGGREGATION, request, client.peer)
    return Aggregation(host, client, request, search, call, job)


def _whole_call(message: Message) -> Call:
    call = call_of(message.field, 0)
    if call is None or not call.is_whole:
        raise Refused(ResultCode.PARAM)
    return call


class Aggregation(QueryStream):
    """An aggregation that runs."""

    def __init__(
        self,
        host: QueryHost,
        client: QueryClient,
        request: QueryRequest,
        search: IndexSearch | None,
        call: Call,
        job: QueryJob,
    ) -> None:
        super().__init__(host, client, request, search, job, "aggr")
        self._call = call
        self._module: LuaModule | None = None

    async def _serve_partitions(self) -> None:
        job, host = self.job, self._host
        table = host.cluster.tables[self._request.namespace]
        time_slice = TimeSlice()
        for partition in range(wire.N_PARTITIONS):
            await time_slice.give_way()
            job.partition = partition
            if table.master(partition) == host.name and self._store.trees[partition]:
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
        """Run the function on the stream of some records, and send the values that it produces."""
        try:
            if self._module is None:
                self._module = self._host.cluster.modules.for_streams(self._call.module)
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
                    self._add_value("SUCCESS", to_particle(kept))
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
        self._add_value("FAILURE", (wire.PARTICLE_STRING, text.encode("utf-8", "surrogateescape")))
        self.job.abandoned = ResultCode.SERVER

    def _add_value(self, name: str, value: Particle) -> None:
        self._add(Response(ops=[(wire.OP_READ, value[0], name, value[1])]).body())
