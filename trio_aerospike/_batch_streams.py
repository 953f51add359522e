"""The results of many records as they arrive: what ``get_many`` and ``put_many`` give a program to iterate over."""

from __future__ import annotations

from collections import deque

import trio

from ._trio_run import TrioRun
from .errors import ClientClosed
from .records import BatchResult
from .validation import Uncopyable


class BatchStream(Uncopyable):
    """The results of ``get_many`` and ``put_many``: ``async for result in results``, in the order in which they arrive.

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

    def __init__(self, in_flight: int, trio_run: TrioRun | None = None) -> None:
        self._trio_run = TrioRun() if trio_run is None else trio_run
        self.taken = self.answered = self.delivered = self.failed = self.in_doubt = 0
        self._limit = in_flight
        # Room is given back a few results at a time: waking the source for each would cost more than the result.
        self._step = max(1, in_flight // 8)
        self._free = in_flight
        self._used_up = 0
        self._ready: deque[BatchResult] = deque()
        self._arrived = trio.Event()
        self._room = trio.Event()
        self._exhausted = False
        self._fault: BaseException | None = None

    def __repr__(self) -> str:
        state = "finished" if self._is_finished else "failed" if self._fault is not None else "under way"
        return f"<BatchStream {state}: {self.taken} taken, {self.in_flight} in flight, {self.delivered} delivered>"

    @property
    def in_flight(self) -> int:
        """How many keys have been taken from the source and not been answered yet."""
        return self.taken - self.answered

    @property
    def _is_finished(self) -> bool:
        return self._exhausted and self.answered == self.taken and not self._ready

    def __aiter__(self) -> BatchStream:
        self._trio_run.check("a stream of results")
        return self

    async def __anext__(self) -> BatchResult:
        """The next result; waits where none has arrived."""
        ready = self._ready
        if not ready:
            await self._wait()
        result = ready.popleft()
        self.delivered += 1
        self._used_up += 1
        if self._used_up >= self._step or not ready:
            self._free += self._used_up
            self._used_up = 0
            self._room.set()
        return result

    async def _wait(self) -> None:
        """Wait for a result.

        Raises:
            StopAsyncIteration: there are no more.
            BaseException: what the source raised, once everything before it has been delivered; ClientClosed.
        """
        self._trio_run.check("a stream of results")
        await trio.lowlevel.checkpoint()
        while not self._ready:
            if self._fault is not None and (self.answered == self.taken or isinstance(self._fault, ClientClosed)):
                raise self._fault
            if self._exhausted and self.answered == self.taken:
                raise StopAsyncIteration
            self._arrived = trio.Event()
            await self._arrived.wait()

    def _fail(self, fault: BaseException) -> None:
        """The stream ends with this, after what has been asked for already."""
        if self._fault is None:
            self._fault = fault
        self._end()

    def _end(self) -> None:
        """Nothing more is taken from the source."""
        self._exhausted = True
        self._arrived.set()

    def _deliver(self, results: list[BatchResult]) -> None:
        self.answered += len(results)
        for result in results:
            if result.result_code:
                self.failed += 1
                self.in_doubt += result.in_doubt
        self._ready.extend(results)
        self._arrived.set()
