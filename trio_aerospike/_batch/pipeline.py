"""Pipeline of ``get_many`` and ``put_many``: from a source of keys, through batches by node, to a stream of results.

Measured against a real server, a batch costs the client a fifth of the time of single requests for the same records. So
keys are buffered by node and sent as batches: full ones while the source keeps up, smaller ones when it pauses.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import logging
import warnings
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sized
from typing import Any, Generic, TypeAlias, TypeVar

import trio

from .._async_with import entered_with
from .._cluster.execution.batch import Batch
from .._cluster.execution.single import Executor
from .._cluster.tend.cluster import Cluster
from .._cluster.tend.node import Node
from .._nursery_errors import any_cancelled, without_cancelled
from ..errors import AerospikeError, ClientClosed, UnwrittenRecordsWarning
from ..keys import Key
from ..policies import BatchPolicy, Replica
from ..records import BatchResult
from .rows import Rows
from .streams import BatchStream

#: Records in one request at the most; more make it no quicker, and the first of them wait for the last.
CHUNK = 256
#: Requests of one stream to one node at the same time.
REQUESTS_AT_ONCE = 2

_READ_ALL = (
    "Read the results to their end or call `await results.drain()`; to stop on purpose, raise an error or filter "
    "this warning."
)

logger = logging.getLogger("trio_aerospike")

T = TypeVar("T")
#: A source of any length.
Source: TypeAlias = Iterable[T] | AsyncIterable[T]


class _NodeBuffer(Generic[T]):
    """Items buffered for one node, and how many requests to it are in flight."""

    __slots__ = ("running", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[T] = deque()
        self.running = 0


class _BatchPipeline(Generic[T]):
    """Moves keys from the source to the nodes and results into the stream.

    Args:
        what: the command's name, for messages.
        source: where the items come from.
        key_of: makes of an item its key and what is kept of it until it is sent; called once for each.
        rows_of: makes rows of what was kept.
        policy: how each batch is carried out.
        stream: takes the results.
    """

    def __init__(
        self,
        what: str,
        source: Source[Any],
        key_of: Callable[[Any], tuple[Key, T]],
        rows_of: Callable[[list[T]], Rows],
        policy: BatchPolicy,
        stream: BatchStream,
        cluster: Cluster,
        executor: Executor,
    ) -> None:
        self._what = what
        self._source = source
        self._key_of = key_of
        self._rows_of = rows_of
        self._policy = policy
        self._stream = stream
        self._cluster = cluster
        self._executor = executor
        self._buffers: dict[Node | None, _NodeBuffer[T]] = {}
        #: Items of which a request was made.
        self._sent = 0
        self._chunk = max(1, min(CHUNK, stream._limit // REQUESTS_AT_ONCE))
        self._gathered = trio.Event()
        self._feeding = trio.CancelScope()
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Work until the source is exhausted and everything is answered; never raises anything but Cancelled."""
        await trio.lowlevel.checkpoint_if_cancelled()  # take nothing for a block that has been left already
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._send_when_source_pauses)
            try:
                with self._feeding:
                    await self._feed()
            except Exception as error:
                self._stream._fail(error)
            self._stream._end()
            self._gathered.set()

    async def _feed(self) -> None:
        source = self._source
        if isinstance(source, AsyncIterable):
            async with contextlib.AsyncExitStack() as stack:
                if inspect.isasyncgen(source):
                    await stack.enter_async_context(contextlib.aclosing(source))
                async for item in source:
                    self._take(item)
                    if not self._stream._free:
                        await self._wait_for_room()
        else:
            for item in source:
                self._take(item)
                if not self._stream._free:
                    await self._wait_for_room()

    def _take(self, item: Any) -> None:
        key, kept = self._key_of(item)
        digest = key.digest
        node = self._cluster.owner(key.namespace, (digest[0] | digest[1] << 8) & 4095, 0, Replica.MASTER)
        buffer = self._buffers.get(node)
        if buffer is None:
            buffer = self._buffers[node] = _NodeBuffer()
        buffer.waiting.append(kept)
        self._stream.taken += 1
        self._stream._free -= 1
        if not buffer.running:
            self._gathered.set()
        elif len(buffer.waiting) >= self._chunk:
            self._send(buffer)

    async def _wait_for_room(self) -> None:
        stream = self._stream
        while not stream._free:
            stream._room = trio.Event()
            await stream._room.wait()

    async def _send_when_source_pauses(self) -> None:
        """Send what is buffered to idle nodes when the source pauses, which is when this task runs."""
        stream = self._stream
        while not stream._exhausted:
            await self._gathered.wait()
            self._gathered = trio.Event()
            for buffer in self._buffers.values():
                self._send(buffer)
        for buffer in self._buffers.values():
            self._send(buffer)

    def _send(self, buffer: _NodeBuffer[T]) -> None:
        """Send buffered items to a node: full batches while it has room, any batch when it is idle."""
        assert self._nursery is not None
        while buffer.waiting and (
            not buffer.running or (buffer.running < REQUESTS_AT_ONCE and len(buffer.waiting) >= self._chunk)
        ):
            items = [buffer.waiting.popleft() for _ in range(min(len(buffer.waiting), self._chunk))]
            buffer.running += 1
            self._nursery.start_soon(self._send_batch, buffer, items)

    async def _send_batch(self, buffer: _NodeBuffer[T], items: list[T]) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._sent += len(items)
        rows = self._rows_of(items)
        stream = self._stream
        try:
            batch = Batch(
                self._what,
                rows.keys,
                rows.row_payloads,
                self._policy,
                rows.writes,
                uniform=rows.uniform,
                alike=rows.alike,
            )
            results, _ = await self._executor.run_batch(batch)
        except ClientClosed as error:
            self._give_up(error)
            return
        except AerospikeError as error:
            results = [_failed(key, error) for key in rows.keys]
        buffer.running -= 1
        stream._deliver(results)
        try:
            stream._report()
        except Exception as error:
            self._give_up(error)
        self._send(buffer)

    def _give_up(self, error: Exception) -> None:
        """Take nothing more from the source; the program gets the error after the results of what was sent."""
        self._stream._fail(error)
        self._feeding.cancel()

    def unwritten(self) -> str:
        """Describe the unwritten records of ``put_many`` that the program has not read the results of.

        Returns:
            A description; "" where everything was written or the program has seen why not.
        """
        stream = self._stream
        if not stream._writes or stream._end_seen:
            return ""
        unsent = stream.taken - self._sent
        unanswered = self._sent - stream.answered
        failed = sum(not result.ok for result in stream._ready)
        if isinstance(self._source, Sized):
            unsent += max(0, len(self._source) - stream.taken)
        found = [
            f"records not sent: {unsent}" if unsent else "",
            "" if stream._exhausted or isinstance(self._source, Sized) else "the source was not read to its end",
            f"records sent but not answered, which may have been written: {unanswered}" if unanswered else "",
            f"unread results of writes that failed: {failed}" if failed else "",
            f"unread error of the stream: {stream._failure.error!r}" if stream._failure is not None else "",
        ]
        return "; ".join([part for part in found if part])


def _failed(key: Key, error: AerospikeError) -> BatchResult:
    own = copy.copy(error)
    return BatchResult(key, int(own.result_code), None, own, own.in_doubt)


async def _open_stream(
    what: str,
    source: Source[Any],
    key_of: Callable[[Any], tuple[Key, T]],
    rows_of: Callable[[list[T]], Rows],
    policy: BatchPolicy,
    in_flight: int,
    writes: bool,
    on_progress: Callable[[BatchStream], object] | None,
    cluster: Cluster,
    executor: Executor,
) -> AsyncIterator[BatchStream]:
    """A stream that runs for as long as the block; leaving it ends the work.

    Args: see :class:`_BatchPipeline`; ``in_flight``: keys that are taken from the source and not used up yet, at the
        most; ``writes``: warn where the block is left with records that were not written; ``on_progress``: called with
        the stream whenever results have arrived, and with the final counts.
    """
    cluster.trio_run.check(what)
    stream = BatchStream(what, in_flight, writes, on_progress, cluster.trio_run)
    pipeline = _BatchPipeline(what, source, key_of, rows_of, policy, stream, cluster, executor)
    raised: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pipeline.run)
            try:
                yield stream
            except GeneratorExit:
                raise
            except BaseException as error:
                raised = error  # carried past our own nursery, which would wrap it in a group
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # A KeyboardInterrupt, perhaps, in the source or in a task of ours: it has cancelled the block.
        crash = without_cancelled(group)
        if raised is None or (crash is not None and without_cancelled(raised) is None):
            raised = crash or any_cancelled(group)
    finally:
        unwritten = pipeline.unwritten()
        stream._leave()
    if stream.counts != stream._reported:
        try:
            stream._report()
        except Exception as error:
            if raised is None:
                raise
            logger.warning("%s: on_progress failed when the block was left by another error: %r", what, error)
    if raised is not None:
        raise raised
    if unwritten:
        # Nothing is masked: an error or a cancellation has been raised already. The frame three above is the program's.
        warnings.warn(UnwrittenRecordsWarning(f"{what}: {unwritten}. {_READ_ALL}"), stacklevel=4)


#: Open the stream of ``get_many`` and of ``put_many``.
open_reads = entered_with("async with client.get_many(keys) as results: async for result in results:")(_open_stream)
open_writes = entered_with("async with client.put_many(records) as results: async for result in results:")(_open_stream)
