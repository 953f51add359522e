"""The streams of results of ``get_many`` and ``put_many``."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable

import attrs
import trio

from .._stream_failure import StreamFailure
from .._trio_guard import TrioRun
from ..errors import AerospikeError, ClientClosed, ResultCode
from ..records import BatchResult
from ..validation import Uncopyable, shown


@attrs.frozen
class StreamCounts:
    """How far a stream of ``get_many`` or ``put_many`` has come."""

    taken: int
    """Items taken from the source."""
    answered: int
    """Results that have arrived."""
    delivered: int
    """Results that readers have been given."""
    failed: int
    """Results among those that have arrived that are not ``ok``."""
    in_doubt: int
    """Results among those that have arrived that are in doubt: the write may or may not have been applied."""


class BatchStream(Uncopyable):
    """The results of ``get_many`` and ``put_many``: ``async for result in results``, in the order in which they arrive.

    Any number of tasks may read one stream; each result goes to one of them. A reader that is cancelled while it waits
    loses nothing: the result goes to another reader. At the end every reader stops; where the stream ends with an
    error, every reader gets it, those that come later too. Readers that still wait when the block is left get
    ``trio.ClosedResourceError``.

    Attributes:
        taken: how many keys have been taken from the source.
        answered: how many results have arrived.
        delivered: how many of them the program has been given.
        failed: how many of those that have arrived are not ``ok``.
        in_doubt: how many of those that have arrived are in doubt.
    """

    _instead_of_copy = "call get_many or put_many again"

    taken: int
    answered: int
    delivered: int
    failed: int
    in_doubt: int

    def __init__(
        self,
        what: str,
        in_flight: int,
        writes: bool,
        on_progress: Callable[[BatchStream], object] | None,
        trio_run: TrioRun | None = None,
    ) -> None:
        self._trio_run = TrioRun() if trio_run is None else trio_run
        self.taken = self.answered = self.delivered = self.failed = self.in_doubt = 0
        self._what = what
        self._writes = writes
        self._on_progress = on_progress
        self._reported: StreamCounts | None = None
        self._limit = in_flight
        # Room is given back a few results at a time: waking the source for each would cost more than the result.
        self._step = max(1, in_flight // 8)
        self._free = in_flight
        self._used_up = 0
        self._ready: deque[BatchResult] = deque()
        self._readers = trio.lowlevel.ParkingLot()
        self._room = trio.Event()
        self._exhausted = False
        self._failure: StreamFailure | None = None
        self._left = False
        #: Whether a reader has seen the end, good or bad.
        self._end_seen = False

    def __repr__(self) -> str:
        if self._left:
            state = "left"
        elif self._failure is not None:
            state = "failed"
        else:
            state = "finished" if self._is_finished else "under way"
        return f"<BatchStream {state}: {self.taken} taken, {self.in_flight} in flight, {self.delivered} delivered>"

    @property
    def in_flight(self) -> int:
        """How many keys have been taken from the source and not been answered yet."""
        return self.taken - self.answered

    @property
    def counts(self) -> StreamCounts:
        """All counts as they are now."""
        return StreamCounts(self.taken, self.answered, self.delivered, self.failed, self.in_doubt)

    @property
    def _all_answered(self) -> bool:
        return self._exhausted and self.answered == self.taken

    @property
    def _is_finished(self) -> bool:
        return self._all_answered and not self._ready

    def __aiter__(self) -> BatchStream:
        self._trio_run.check("a stream of results")
        return self

    async def __anext__(self) -> BatchResult:
        """The next result; waits where none has arrived.

        Raises:
            ClientClosed: the client was closed.
            trio.ClosedResourceError: the block of the stream has been left.
            BaseException: what the source or ``on_progress`` raised, once everything before it has been delivered.
        """
        ready = self._ready
        if not ready:
            await self._wait()
        # No checkpoint from here on: a result that is taken is returned.
        result = ready.popleft()
        self.delivered += 1
        self._used_up += 1
        if self._used_up >= self._step or not ready:
            self._free += self._used_up
            self._used_up = 0
            self._room.set()
        return result

    async def drain(self, *, raise_failed: bool = True) -> StreamCounts:
        """Read the stream to its end and drop the results: ``await results.drain()`` writes everything.

        Args:
            raise_failed: raise if any result that is read here failed. A missing record is not a failure of
                ``get_many``. False: return the counts only.

        Returns:
            The counts of the whole stream.

        Raises:
            AerospikeError: some failed; of the class and code of the first, with its key and how many failed.
                ``in_doubt`` is set where any of them is. Everything else has been written, or read, by then.
            BaseException: as for reading results one by one.
        """
        first: BatchResult | None = None
        read = failed = in_doubt = 0
        async for result in self:
            read += 1
            code = result.result_code
            if code and (self._writes or code != ResultCode.RECORD_NOT_FOUND):
                failed += 1
                in_doubt += result.in_doubt
                first = first or result
        if raise_failed and first is not None:
            raise self._summary(first, read, failed, in_doubt)
        return self.counts

    def _summary(self, first: BatchResult, read: int, failed: int, in_doubt: int) -> AerospikeError:
        error = copy.copy(first.error or AerospikeError("failed", result_code=first.result_code))
        doubt = f", {in_doubt} of them in doubt" if in_doubt else ""
        text = f"{self._what}: {failed} of {read} records failed{doubt}; the first was {shown(first.key)}"
        error.args = (f"{text}: {error.message}",)
        error.in_doubt = in_doubt > 0
        return error

    async def _wait(self) -> None:
        """Wait until there is a result. There is no checkpoint between seeing it and the return.

        Raises:
            StopAsyncIteration: there are no more.
            trio.ClosedResourceError: the block has been left.
            BaseException: what the source raised, once everything before it has been delivered; ClientClosed.
        """
        self._trio_run.check("a stream of results")
        await trio.lowlevel.checkpoint()
        while not self._ready:
            if self._left:
                raise trio.ClosedResourceError(f"{self._what}: the block of the stream has been left")
            if self._all_answered and self._failure is None:
                self._report_end()
            failure = self._failure
            if failure is not None and (self._all_answered or isinstance(failure.error, ClientClosed)):
                self._end_seen = True
                raise failure.for_reader()
            if self._all_answered:
                self._end_seen = True
                raise StopAsyncIteration
            await self._readers.park()

    # -- for the producer --------------------------------------------------------------------------------------------

    def _fail(self, error: BaseException) -> None:
        """The stream ends with this, after what has been asked for already."""
        if self._failure is None:
            self._failure = StreamFailure(error)
        self._end()

    def _end(self) -> None:
        """Nothing more is taken from the source."""
        self._exhausted = True
        self._readers.unpark_all()

    def _leave(self) -> None:
        """Close the stream because its block is left, and wake the readers that wait."""
        self._left = True
        self._ready.clear()
        self._readers.unpark_all()

    def _deliver(self, results: list[BatchResult]) -> None:
        self.answered += len(results)
        for result in results:
            if result.result_code:
                self.failed += 1
                self.in_doubt += result.in_doubt
        self._ready.extend(results)
        if self._all_answered:
            self._readers.unpark_all()
        else:
            self._readers.unpark(count=len(results))

    def _report(self) -> None:
        """Call ``on_progress``; it is not called again once it has raised.

        Raises:
            Exception: what it raised.
        """
        report, self._on_progress = self._on_progress, None
        if report is not None:
            self._reported = self.counts
            report(self)
            self._on_progress = report

    def _report_end(self) -> None:
        """Call ``on_progress`` with the final counts, where it has not been; what it raises ends the stream."""
        if self.counts != self._reported:
            try:
                self._report()
            except Exception as error:
                self._fail(error)
