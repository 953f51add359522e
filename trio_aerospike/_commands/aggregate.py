"""Aggregate records with functions of registered modules: on the servers, and a last time in the client."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Never

import trio

from .._async_with import NeedsAsyncWith
from .._batch.udf_call import checked_call
from .._cluster.connections.loop_clock import loop_clock
from .._lazy import LazyModule
from .._nursery_errors import any_cancelled, without_cancelled
from .._stream_failure import StreamFailure
from .._trio_guard import TrioRun
from .._wire.constants import PARTICLE_LIST
from .._wire.particles import decode_value
from .._wire.query import QueryHead, encode_aggregation
from ..errors import AerospikeError, AerospikeTimeoutError, ClientError, UDFError
from ..policies import chosen
from ..predicates import Predicate
from ..query import QueryDuration, QueryPolicy
from ..validation import Uncopyable, checked_int, refused, unknown_argument
from .query import predicate_fields, query_scope
from .udf import UDFCommands

if TYPE_CHECKING:
    from .. import _lua as lua
    from .._cluster.execution import aggregate as execution
else:
    execution = LazyModule("trio_aerospike._cluster.execution.aggregate")
    lua = LazyModule("trio_aerospike._lua")

__all__ = ["AggregateCommands", "Values"]

_U32_MAX = 0xFFFF_FFFF
#: Values that are fetched from the thread that runs Lua at a time, and seconds that they may gather there.
_AT_ONCE, _GATHER = 256, 0.1


class Values(NeedsAsyncWith, AsyncIterator[Any], Uncopyable):
    """Results of an aggregation: ``async with client.aggregate(...) as values: async for value in values``.

    Nothing is asked of the servers before the first value is wanted. What they make of their records is reduced here,
    by the same function, in a thread: Trio's loop goes on meanwhile. Leaving the block early ends the servers' work.

    Any number of tasks may read: each value goes to one of them. A reader that is cancelled while it waits loses
    nothing. An error ends the aggregation for every reader, those that come later too. Readers that still wait when the
    block is left get ``trio.ClosedResourceError``.
    """

    _usage = "async with client.aggregate(...) as values: async for value in values:"
    _instead_of_copy = "make another aggregation"

    def __init__(
        self,
        what: str,
        make_stream: Callable[[], execution.ValueStream],
        fetch: Callable[[str], Awaitable[bytes]],
        udf: tuple[str, str, bytes],
        source: bytes | None,
        start_span: Callable[[], Callable[[BaseException | None], None] | None],
        trio_run: TrioRun,
    ) -> None:
        self._trio_run = trio_run
        self._what = what
        self._make_stream = make_stream
        self._fetch = fetch
        self._udf = udf
        self._source = source
        #: Begins the span as the block is entered, and returns what ends it.
        self._start_span = start_span
        self._finish_span: Callable[[BaseException | None], None] | None = None
        self._stream: execution.ValueStream | None = None
        self._lua: Iterator[Any] | None = None
        self._ready: list[Any] = []
        self._index = 0
        self._over = False
        self._left = False
        self._failure: StreamFailure | None = None
        #: Values are made in a task of the block, so that no reader's cancellation ends the work.
        self._block = contextlib.AsyncExitStack()
        self._nursery: trio.Nursery | None = None
        self._working = False
        self._readers = trio.lowlevel.ParkingLot()

    def __repr__(self) -> str:
        state = "left" if self._left else "read to the end" if self._over else "open" if self._stream else "not entered"
        return f"<Values of {self._what}, {state}>"

    async def __aenter__(self) -> Values:
        self._trio_run.check(self._what)
        if self._stream is not None:
            raise RuntimeError(f"{self._what}: the values of an aggregation can be had once; make another")
        self._stream = self._make_stream()
        if self._source is None:
            self._source = await self._fetch(f"{self._udf[0]}.lua")
        self._nursery = await self._block.enter_async_context(trio.open_nursery())
        self._finish_span = self._start_span()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._trio_run.check(self._what)
        self._left = True
        self._ready, self._index = [], 0
        self._readers.unpark_all()
        if self._stream is not None:
            self._stream.close()
        if self._finish_span is not None:
            self._finish_span(error)
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()
        try:
            await self._block.aclose()
        except BaseException as crash:
            # What the block raised comes first, unless a KeyboardInterrupt in our task has cancelled it.
            found = without_cancelled(crash)
            if error is None or (found is not None and without_cancelled(error) is None):
                raise found or any_cancelled(crash) from None

    def __aiter__(self) -> Values:
        self._trio_run.check(self._what)
        return self

    async def __anext__(self) -> Any:
        """The next value.

        Raises:
            UDFError: the function failed, on a node or here, with its message and line; there is no such module.
            AerospikeTimeoutError: ``total_timeout`` passed, or a node stayed silent.
            AerospikeError: what a node refused, or why one could not be asked.
            trio.ClosedResourceError: the block of the aggregation has been left.
        """
        if self._index == len(self._ready):
            await self._wait()
        # No checkpoint from here on: a value that is taken is returned.
        self._index += 1
        return self._ready[self._index - 1]

    async def _wait(self) -> None:
        """Wait for values, and start the task that computes them unless it runs already.

        Raises:
            StopAsyncIteration: there are no more.
        """
        self._trio_run.check(self._what)
        if self._stream is None or self._nursery is None:
            raise RuntimeError(f"{self._what}: the block has not been entered: use `{self._usage}`")
        await trio.lowlevel.checkpoint()
        while self._index == len(self._ready):
            if self._left:
                raise trio.ClosedResourceError(f"{self._what}: the block of the aggregation has been left")
            if self._failure is not None:
                raise self._failure.for_reader()
            if self._over:
                raise StopAsyncIteration
            if not self._working:
                self._working = True
                self._nursery.start_soon(self._gather, self._stream)
            await self._readers.park()

    async def _gather(self, stream: execution.ValueStream) -> None:
        """Compute the next values for the readers that wait."""
        try:
            values = await self._work(stream)
        except Exception as error:
            stream.close()
            self._failure = StreamFailure(error)
        else:
            if values:
                self._ready, self._index = values, 0
                stream.handed_on = True
            else:
                self._over = True
        finally:
            self._working = False
            # Wake all readers: one that finds nothing left starts the next computation without waiting for the others.
            self._readers.unpark_all()

    async def _work(self, stream: execution.ValueStream) -> list[Any]:
        """Compute values in the thread; restart the aggregation where that is possible and helps."""
        while True:
            left = stream.limit - loop_clock().now()
            deadline = None if left == math.inf else time.monotonic() + left
            try:
                # Cancelling reaches the thread whenever it asks for more, and now and then while Lua runs.
                return await trio.to_thread.run_sync(self._run, deadline)
            except AerospikeError:
                stream.close()
                if not await stream.restart():
                    raise
                self._lua = None

    async def results(self) -> list[Any]:
        """All values that are left. Enters and leaves the block by itself where that has not been done.

        Raises:
            AerospikeError: as for reading them one by one.
        """
        if self._stream is None:
            async with self:
                return await self.results()
        return [value async for value in self]

    # -- in a thread -------------------------------------------------------------------------------------------------

    def _run(self, deadline: float | None) -> list[Any]:
        """Compute some values in Lua."""
        found: list[Any] = []
        until = time.monotonic() + _GATHER
        try:
            if self._lua is None:
                self._lua = self._start(deadline)
            for value in self._lua:
                found.append(decode_value(*lua.to_particle(value)))
                if len(found) >= _AT_ONCE or time.monotonic() >= until:
                    break
        except lua.FunctionFailed as error:
            if deadline is not None and time.monotonic() >= deadline:
                raise AerospikeTimeoutError(
                    f"{self._what}: total_timeout passed in the client's part: {error}"
                ) from None
            raise UDFError(f"{self._what}: in the client's part: {error}") from None
        except lua.Unusable as error:
            raise UDFError(f"{self._what}: a result is nothing that the database can hold: {error}") from None
        return found

    def _start(self, deadline: float | None) -> Iterator[Any]:
        module, function, packed = self._udf
        try:
            loaded = lua.LuaModule(
                f"{module}.lua", self._source or b"", source_of=self._other_source, deadline=deadline
            )
        except lua.CompileError as error:
            raise UDFError(f"{self._what}: {module}.lua:{error.line}: {error.message}") from None
        arguments = lua.from_particle(PARTICLE_LIST, packed).items
        return loaded.stream(
            function, self._from_servers(), arguments, on_client=True, deadline=deadline, is_over=_check_cancelled
        )

    def _from_servers(self) -> Iterator[Any]:
        assert self._stream is not None
        while (values := trio.from_thread.run(self._stream.next_values)) is not None:
            for value in values:
                yield lua.from_particle(*value)

    def _other_source(self, name: str) -> bytes | None:
        try:
            return trio.from_thread.run(self._fetch, f"{name}.lua")
        except AerospikeError:
            return None


def _check_cancelled() -> bool:
    trio.from_thread.check_cancelled()
    return False


class AggregateCommands(UDFCommands):
    """The part of the client that aggregates records with user-defined functions."""

    def aggregate(
        self,
        namespace: str,
        set_name: str | None,
        module: str,
        function: str,
        arguments: Iterable[Any] = (),
        *,
        where: Predicate | None = None,
        records_per_second: int | None = None,
        source: bytes | None = None,
        policy: QueryPolicy | None = None,
        **unknown: Never,
    ) -> Values:
        """Aggregate the records that a query finds, with a user-defined stream function.

        The function gets a stream, and says what is to be done with it: ``s:filter(f)``, ``s:map(f)``,
        ``s:aggregate(start, f)``, ``s:groupby(f)``, ``s:reduce(f)``. The servers do that with their records up to the
        first reduction; that, and what stands behind it, is done here with what they send, by the same module.

        ``async with client.aggregate(...) as values: async for value in values: ...``, or for what ends in a reduction
        ``[value] = await client.aggregate(...).results()``.

        A node works on all partitions of which it is the master, and does not say which, so that what one node has not
        answered cannot be asked of others. Where a node is lost or stays silent before the program has been given
        anything, the whole is done again, once every partition has a master that answers; so it is where partitions
        are seen to have moved meanwhile. For what ends in a reduction that is always possible. Once values have been
        handed on, a node that is lost is an error, and records may be missing, or count twice, where partitions move.

        Args:
            namespace, set_name, where: which records, as for :meth:`query`; there are no filters here, as the server
                has none.
            module: name of the registered module, without ``.lua``.
            function: its function; it gets the stream and then the arguments.
            arguments: values that the database can hold.
            records_per_second: how many each server may look at in a second.
            source: the module's text; None to ask the cluster for it.
            policy: ``total_timeout``, ``socket_timeout``, ``max_retries`` (how often the whole is done again) and
                ``sleep_between_retries`` count; None for the client's query policy.

        Returns:
            The values; nothing has been sent yet.

        Raises:
            InvalidArgError: an argument is invalid.
            ClientError: lupa is not installed, without which there is no Lua here.
        """
        if unknown:
            raise unknown_argument(self, "aggregate", unknown)
        policy = chosen(policy, self._config.query_policy, QueryPolicy)
        if policy.expected_duration is QueryDuration.SHORT:
            raise refused("aggregate.policy", policy, "an expected_duration of LONG: the server has no short ones")
        if source is not None and not isinstance(source, (bytes, bytearray)):
            raise refused("aggregate.source", source, "the text of the module as bytes, or None")
        name, group = query_scope("aggregate", namespace, set_name)
        rate = 0
        if records_per_second is not None:
            rate = checked_int("aggregate.records_per_second", records_per_second, 1, _U32_MAX)
        udf = checked_call("aggregate", module, function, arguments)
        fields = predicate_fields("aggregate", where)
        _check_lua()
        what = f"aggregate {module}.{function} on {name!r}" + (f", set {group!r}" if group else "")
        if where is not None:
            what += f", where {where}"

        def make_frame(trid: int) -> bytes:
            head = QueryHead(namespace=name, set_name=group, trid=trid, records_per_second=rate, **fields)
            return encode_aggregation(head, udf)

        def make_stream() -> execution.ValueStream:
            return execution.ValueStream(self._cluster, self._executor, what, name, make_frame, policy)

        def start_span() -> Callable[[BaseException | None], None] | None:
            observers = self._cluster.observers
            return None if observers is None else observers.stream_started("aggregate", name, group)

        text = None if source is None else bytes(source)
        return Values(what, make_stream, self.udf_get, udf, text, start_span, self._cluster.trio_run)


def _check_lua() -> None:
    if not lua.is_available():
        raise ClientError("aggregate needs lupa, which runs Lua here: pip install 'trio-aerospike[udf]'")
