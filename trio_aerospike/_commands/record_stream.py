"""The stream of a query's or a scan's records, and the records that it gives."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from .._async_with import NeedsAsyncWith
from .._lazy import LazyModule
from .._stream_failure import StreamFailure
from .._wire.object_maker import Maker
from .._wire.query_answers import Place
from ..errors import BackpressureError, ProtocolError
from ..keys import Key, known_key
from ..query import Cursor
from ..records import Record
from ..validation import Uncopyable

if TYPE_CHECKING:
    from .._cluster.execution import query as execution
    from .._cluster.tend import cluster as tend
else:
    execution = LazyModule("trio_aerospike._cluster.execution.query")
    tend = LazyModule("trio_aerospike._cluster.tend.cluster")

__all__ = ["SCANNED", "Records", "ScannedRecord", "UnreadableRecord"]


class ScannedRecord(Record):
    """A record of a query. Its key is made when it is first asked for: a scan makes many, and few are asked for it."""

    __slots__ = ("_place",)

    def __init__(self, place: Place, bins: dict[str, Any], generation: int, void_time: int) -> None:
        self._place: Place | Key = place
        self.bins = bins
        self.generation = generation
        self.void_time = void_time

    @property
    def key(self) -> Key:  # type: ignore[override]
        """The record's key; without what the program calls the record, where that was not stored with it."""
        place = self._place
        if type(place) is tuple:
            place = self._place = known_key(*place)
        return place  # type: ignore[return-value]

    @property
    def address(self) -> Place:
        """Namespace, set, user key and digest."""
        place = self._place
        return place if type(place) is tuple else super().address

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        mine = (self.key, self.bins, self.generation, self.void_time)
        return mine == (other.key, other.bins, other.generation, other.void_time)

    __hash__ = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Record, (self.key, self.bins, self.generation, self.void_time)


#: Makes the records of a query.
SCANNED: Final = Maker(ScannedRecord, ("_place", "bins", "generation", "void_time"), {}, ScannedRecord)


class UnreadableRecord(ScannedRecord):
    """A record with a value that cannot be decoded: access to its bins raises the error.

    It stands where the record would have stood, so that one of them does not end a query. Key, generation and time to
    live are sound.
    """

    __slots__ = ("error",)

    error: ProtocolError

    def __init__(self, place: Place, error: ProtocolError, generation: int, void_time: int) -> None:
        self._place = place
        self.error = error
        self.generation = generation
        self.void_time = void_time

    @property
    def bins(self) -> dict[str, Any]:  # type: ignore[override]
        """Not available.

        Raises:
            ProtocolError: always; says what could not be decoded.
        """
        raise ProtocolError(f"{self.key!r}: {self.error.message}") from self.error

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None

    def __reduce__(self) -> tuple[Any, ...]:
        return UnreadableRecord, (self.address, self.error, self.generation, self.void_time)

    def __repr__(self) -> str:
        return f"UnreadableRecord({self.key!r}, {self.error.message!r})"


class Records(NeedsAsyncWith, AsyncIterator[Record], Uncopyable):
    """The records of a query, as they come: ``async with client.query(...) as records: async for record in records``.

    Nothing is asked of the servers before the first record is wanted. They are all asked at once, and stopped when the
    program does not keep up; it may take its time, an hour if need be. Leaving the block early ends their work. A
    record is handed on once, whatever happens to nodes meanwhile; where some cannot be had, the error says which
    partitions they are in. Records come in no order.

    Any number of tasks may read: each record goes to one of them. A reader that is cancelled while it waits loses
    nothing. An error ends the query for every reader, those that come later too; a ``BackpressureError`` concerns only
    the reader that gets it. Readers that still wait when the block is left get ``trio.ClosedResourceError``.
    """

    _usage = "async with client.query(...) as records: async for record in records:"
    _instead_of_copy = "make another query; its cursor says where this one stands, and can be pickled"

    def __init__(
        self, cluster: tend.Cluster, make_stream: Callable[[Records], execution.QueryStream], what: str, place: Cursor
    ) -> None:
        self._cluster = cluster
        self._make_stream = make_stream
        self._what = what
        self._place = place
        self._stream: execution.QueryStream | None = None
        self._entered = False
        self._left = False
        #: One reader fetches; the others wait for what it gets.
        self._fetching = trio.Lock()
        self._fetch_scope: trio.CancelScope | None = None
        self._failure: StreamFailure | None = None
        self._records: list[ScannedRecord] = []
        self._digests: list[bytes] = []
        self._values: list[int] = []
        self._index = 0
        self._noted = 0
        self._over = False
        #: Set by who makes the query, once its partitions are known.
        self._note: Callable[[Sequence[bytes], Sequence[int]], None]
        self._open_places: Callable[[], tuple[tuple[int, bytes | None, int], ...]]
        self._seen: set[bytes] | None = None
        #: Ends the span of the query.
        self._finish_span: Callable[[BaseException | None], None] | None = None

    def __repr__(self) -> str:
        state = (
            "left" if self._left else "read to the end" if self._over else "open" if self._entered else "not entered"
        )
        return f"<Records of {self._what}, {state}>"

    async def __aenter__(self) -> Records:
        self._cluster.trio_run.check(self._what)
        if self._entered:
            raise RuntimeError(f"{self._what}: the records of a query can be had once; make another query")
        self._entered = True
        place = self._place
        if place.nodes:
            await self._cluster.learn_name()
            place.check(place.namespace, place.set_name, *self._here(), place.predicate)
        elif self._cluster.name is None:
            # For a cursor that may be asked for later; the query does not wait for it.
            self._cluster.in_background(self._cluster.learn_name)
        self._stream = self._make_stream(self)
        observers = self._cluster.observers
        if observers is not None:
            self._finish_span = observers.stream_started("query", place.namespace, place.set_name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._cluster.trio_run.check(self._what)
        self._left = True
        self._settle()
        if self._seen is not None:
            self._seen.difference_update(self._digests[self._index :])
        self._clear()
        if self._stream is not None:
            self._stream.close()
        if self._fetch_scope is not None:
            self._fetch_scope.cancel()
        if self._finish_span is not None:
            self._finish_span(error)

    def _here(self) -> tuple[str, frozenset[str]]:
        """What the cluster is known by."""
        return self._cluster.name or "", frozenset(node.name for node in self._cluster.active_nodes())

    # -- record by record --------------------------------------------------------------------------------------------

    def __aiter__(self) -> Records:
        self._cluster.trio_run.check(self._what)
        return self

    async def __anext__(self) -> Record:
        """The next record.

        Raises:
            BackpressureError: no slot of max_concurrent_operations came free in time.
            AerospikeTimeoutError: ``total_timeout`` passed, or a node stayed silent once too often.
            AerospikeError: the rest cannot be had; says why and which partitions are missing.
            trio.ClosedResourceError: the block of the query has been left.
        """
        if self._index == len(self._records):
            await self._fetch()
        # No checkpoint from here on: a record that is taken is returned.
        index = self._index
        self._index = index + 1
        return self._records[index]

    async def read_available(self) -> list[Record]:
        """Read the records that have arrived: at least one, and an empty list at the end.

        For work that is done for many records at once.

        Raises:
            AerospikeError: as for reading them one by one.
        """
        self._cluster.trio_run.check(self._what)
        if self._index == len(self._records):
            try:
                await self._fetch()
            except StopAsyncIteration:
                return []
        index, self._index = self._index, len(self._records)
        return self._records[index:]  # type: ignore[return-value]  # a list of its own

    async def _fetch(self) -> None:
        """Fetch the next records, at least one, or wait until another reader has.

        Raises:
            StopAsyncIteration: there are no more.
        """
        self._cluster.trio_run.check(self._what)
        if self._stream is None:
            raise RuntimeError(f"{self._what}: the block has not been entered: use `{self._usage}`")
        try:
            self._fetching.acquire_nowait()
        except trio.WouldBlock:
            await self._fetching.acquire()
        try:
            while self._index == len(self._records):
                await self._fetch_some(self._stream)
        finally:
            self._fetching.release()

    async def _fetch_some(self, stream: execution.QueryStream) -> None:
        """Fetch the next records; all of them may have been handed on already.

        Raises:
            StopAsyncIteration: there are no more.
        """
        if self._left:
            raise self._closed()
        if self._failure is not None:
            raise self._failure.for_reader()
        self._settle()
        self._clear()
        chunk = None
        if not self._over:
            try:
                with trio.CancelScope() as self._fetch_scope:
                    chunk = await stream.next_chunk()
            except BackpressureError:
                raise  # this reader's own: the query has not been touched
            except Exception as error:
                stream.close()
                self._failure = StreamFailure(error, raised=True)
                raise
            finally:
                self._fetch_scope = None
            if self._left:
                raise self._closed()
        if chunk is None:
            self._over = True
            raise StopAsyncIteration
        self._records, self._digests, self._values = chunk.records, chunk.digests, chunk.values
        if self._seen is not None:
            self._drop_seen(self._seen)

    def _clear(self) -> None:
        """Drop what has been handed on, and what has not."""
        self._records, self._digests, self._values, self._index, self._noted = [], [], [], 0, 0

    def _closed(self) -> trio.ClosedResourceError:
        return trio.ClosedResourceError(f"{self._what}: the block of the query has been left")

    def _drop_seen(self, seen: set[bytes]) -> None:
        """Leave out what was handed on under another value."""
        kept = []
        for index, (digest, _) in enumerate(zip(self._digests, self._values, strict=True)):
            if digest not in seen:
                seen.add(digest)
                kept.append(index)
        if not kept:
            self._note(self._digests, self._values)
        self._records = [self._records[index] for index in kept]
        self._digests = [self._digests[index] for index in kept]
        self._values = [self._values[index] for index in kept]

    def _settle(self) -> None:
        """Note how far the reader has come."""
        if self._noted < self._index:
            part = slice(self._noted, self._index)
            self._note(self._digests[part], self._values[part])
            self._noted = self._index

    # -- all at once -------------------------------------------------------------------------------------------------

    async def results(self) -> list[Record]:
        """All records that are left. Enters and leaves the block by itself where that has not been done.

        Raises:
            AerospikeError: as for reading them one by one.
        """
        if not self._entered:
            async with self:
                return await self.results()
        found: list[Record] = []
        while available := await self.read_available():
            found += available
        return found

    async def foreach(self, function: Callable[[Record], Awaitable[object] | object]) -> int:
        """Call a function with each record that is left, one after the other; an async one is awaited.

        Enters and leaves the block by itself where that has not been done.

        Args:
            function: what it raises ends the query and comes out of here. Returning False ends it as well.

        Returns:
            How many records it was called with.

        Raises:
            AerospikeError: as for reading them one by one.
        """
        if not self._entered:
            async with self:
                return await self.foreach(function)
        count = 0
        async for record in self:
            count += 1
            result = function(record)
            if inspect.isawaitable(result):
                result = await result
            if result is False:
                break
        return count

    # -- where it stands ---------------------------------------------------------------------------------------------

    @property
    def cursor(self) -> Cursor:
        """Where the reader is: behind the last record that it was given. For the same query later, or elsewhere."""
        if self._stream is None:
            return self._place
        self._settle()
        seen = frozenset(self._seen or ())
        if self._seen is not None:
            seen -= set(self._digests[self._index :])
        name, nodes = self._here()
        # A node that is away now belongs to the cluster all the same.
        nodes |= self._place.nodes
        return attrs.evolve(self._place, cluster=name, nodes=nodes, places=self._open_places(), seen=seen)
