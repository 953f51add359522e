"""Execute commands on records: check rights, find the node that serves each, run it, count it, replicate its change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Protocol

import trio

from .._wire.constants import DIGEST_SIZE
from .._wire.digests import partition_id
from .._wire.messages import Message
from ..errors import ResultCode
from . import record_commands
from .batch import Batch, batch_error
from .connection import Connection, logger
from .exceptions import Refused, Unreachable
from .latencies import Latencies, histogram_name
from .partitions import PartitionTable
from .record import StoredRecord
from .record_requests import Request, Response, StreamingResponse, refusal
from .settings import Settings
from .store import NamespaceStore, Tree
from .time_slices import run_in_time_slices
from .udf.call import call_function
from .udf.modules import Modules

MAX_ROWS_AT_ONCE = 100
"""Rows of a batch up to which it is executed without a checkpoint."""

_COUNTED_FAILURES = {
    ResultCode.RECORD_GENERATION: "fail_generation",
    ResultCode.RECORD_TOO_BIG: "fail_record_too_big",
}


class RecordHost(Protocol):
    """A node that holds records."""

    stores: dict[str, NamespaceStore]
    running: bool

    @property
    def paused(self) -> bool: ...


class RecordCluster(Protocol):
    """What the execution of commands needs of the cluster."""

    tables: dict[str, PartitionTable]
    modules: Modules
    changed: trio.Event

    def node(self, which: str) -> RecordHost:
        """The node of that name."""

    def replicate(self, namespace: str, partition: int, digest: bytes, record: StoredRecord | None) -> None:
        """Put a new version of a record, or None to remove it, into all its copies."""


class ExecutionHost(RecordHost, Protocol):
    """What the execution of commands needs of its node."""

    name: str
    joined: bool
    settings: Settings
    counters: Counter[str]
    latencies: Latencies
    batches: int

    @property
    def cluster(self) -> RecordCluster: ...


class CommandExecutor:
    """Executes the commands that a node gets, on the node that has the record."""

    def __init__(self, host: ExecutionHost) -> None:
        self._host = host
        self._cluster = host.cluster
        self._name = host.name
        self._stores = host.stores
        self._counters = host.counters

    # Batches --------------------------------------------------------------------------------------------------

    def execute_batch(self, connection: Connection, message: Message) -> bytes | StreamingResponse:
        """Execute a batch; one of many rows in time slices."""
        host = self._host
        host.batches += 1
        try:
            batch = Batch(message, self._stores, host.settings.number("batch-max-requests"))
        except Refused as refused:
            frames = batch_error(refused.result)
        else:
            if batch.count > MAX_ROWS_AT_ONCE:
                ttl = (message.transaction_ttl or host.settings.number("transaction-max-ms")) / 1000
                return StreamingResponse(lambda: self._serve_batch(connection, batch, trio.current_time() + ttl))
            execute = batch.execute(lambda row: self._execute_row(connection, row))
            for _ in chain(batch.read(), self._check_reachable(batch.requests), execute):
                pass
            frames = batch.frames()
        connection.began = self._count_latency("batch-index", connection)
        return frames

    async def _serve_batch(self, connection: Connection, batch: Batch, deadline: float) -> None:
        try:
            frames = await self._execute_in_time_slices(connection, batch, deadline)
        except Exception:
            logger.exception("%s: a batch from %s failed", self._host.name, connection.peer)
            frames = batch_error(ResultCode.SERVER)
        await connection.stream.send_all(frames)
        self._count_latency("batch-index", connection)

    async def _execute_in_time_slices(self, connection: Connection, batch: Batch, deadline: float) -> bytes:
        await run_in_time_slices(batch.read())
        while True:
            changed = self._cluster.changed
            try:
                await run_in_time_slices(self._check_reachable(batch.requests))
                break
            except Unreachable:
                with trio.move_on_at(deadline) as scope:
                    await changed.wait()
                if scope.cancelled_caught:
                    return batch_error(ResultCode.TIMEOUT)
        await run_in_time_slices(batch.execute(lambda row: self._execute_row(connection, row)))
        return batch.frames()

    def _execute_row(self, connection: Connection, request: Request) -> Response:
        try:
            return self.execute(connection, request, "batch_sub")
        except Refused as refused:
            return refusal(refused)
        except Unreachable:
            # Its node has stopped since the rows were checked.
            return Response(ResultCode.TIMEOUT)

    def _check_reachable(self, requests: list[Request]) -> Iterator[None]:
        """Check for each row that its node is running; raises `Unreachable`."""
        for request in requests:
            if self._host.joined:
                self._owner(request, partition_id(request.digest))
            yield

    # Single commands ------------------------------------------------------------------------------------------

    def execute(self, connection: Connection, request: Request, origin: str = "client") -> Response:
        """Execute a client's command.

        Args:
            connection: the client's.
            request: the command.
            origin: its origin in statistics: "client", or "batch_sub" for a row of a batch.

        Raises:
            Refused: nothing was changed.
            Unreachable: nothing was changed.
        """
        if request.namespace not in self._stores:
            raise Refused(ResultCode.INVALID_NAMESPACE)
        if not self._host.joined:
            raise Refused(ResultCode.PARTITION_UNAVAILABLE)
        if len(request.digest) != DIGEST_SIZE:
            raise Refused(ResultCode.PARAM)
        is_write = request.is_write
        if not is_write and not request.is_read:
            raise Refused(ResultCode.PARAM)
        if connection.session is not None:
            self._check_rights(connection, request)
        try:
            return self._execute(request, origin)
        finally:
            if not request.is_delete or request.call is not None:
                kind = "udf" if request.call is not None else "write" if is_write else "read"
                now = self._count_latency(histogram_name(request.namespace, origin, kind), connection)
                if origin == "client":
                    connection.began = now

    def execute_internal(self, request: Request, origin: str) -> Response:
        """Execute a write of a background job of this node. Raises `Refused`."""
        return self._execute(request, origin)

    def _execute(self, request: Request, origin: str) -> Response:
        is_write = request.is_write
        partition = partition_id(request.digest)
        store = self._owner(request, partition).stores[request.namespace]
        tree = store.trees[partition]
        command: Callable[[NamespaceStore, Tree, Request], record_commands.CommandResult]
        if request.call is not None:
            command, counter = self._call_function, "udf"
        elif not is_write:
            command, counter = record_commands.read, "read"
        elif request.is_delete:
            command, counter = record_commands.delete, "delete"
        else:
            command, counter = record_commands.write, "write"
        try:
            result = command(store, tree, request)
        except Refused as refused:
            end = "error"
            if refused.result == ResultCode.FILTERED_OUT:
                end = "filtered_out"
            elif refused.result == ResultCode.RECORD_NOT_FOUND and counter != "write":
                end = "not_found"
            self._counters[f"{origin}_{counter}_{end}"] += 1
            if refused.result in _COUNTED_FAILURES:
                self._counters[_COUNTED_FAILURES[refused.result]] += 1
            raise
        if counter == "udf":
            self._count_function(origin, result)
        end = "complete" if counter == "udf" else "success"
        is_ok = result.response.result == ResultCode.OK
        self._counters[f"{origin}_{counter}_{end if is_ok else 'error'}"] += 1
        if result.change is not None:
            self._cluster.replicate(request.namespace, partition, request.digest, result.change.record)
        return result.response

    def _count_function(self, origin: str, result: record_commands.CommandResult) -> None:
        """Count a UDF by what it did to its record, or as failed in Lua (server: update_lua_success_stats)."""
        if result.response.result == ResultCode.UDF:
            self._counters[f"{origin}_lang_error"] += 1
        elif result.response.result == ResultCode.OK:
            change = result.change
            done = "read" if change is None else "delete" if change.record is None else "write"
            self._counters[f"{origin}_lang_{done}_success"] += 1

    def _call_function(self, store: NamespaceStore, tree: Tree, request: Request) -> record_commands.CommandResult:
        return call_function(store, tree, request, self._cluster.modules)

    def _owner(self, request: Request, partition: int) -> RecordHost:
        """The node that serves a command: this one if it can, else the master."""
        name = self._name
        table = self._cluster.tables[request.namespace]
        if not request.is_write and table.serves_reads(name, partition):
            return self._host
        master = table.master(partition)
        if master == name:
            return self._host
        owner = self._cluster.node(master)
        if not owner.running or owner.paused:
            raise Unreachable
        return owner

    def _check_rights(self, connection: Connection, request: Request) -> None:
        if request.call is not None:
            rights = ["execute-udf"]
        else:
            rights = [right for right, asked in (("write", request.is_write), ("read", request.is_read)) if asked]
        for right in rights:
            if not connection.may(right, request.namespace, request.set_name):
                raise Refused(ResultCode.ROLE_VIOLATION)
            if not connection.within_quota("write" if request.is_write else "read"):
                raise Refused(ResultCode.QUOTA_EXCEEDED)

    def _count_latency(self, name: str, connection: Connection) -> float:
        """Count the current request of a connection in a histogram, and return the time."""
        now = trio.current_time()
        self._host.latencies.count(name, now - connection.began, now)
        return now
