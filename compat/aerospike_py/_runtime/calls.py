"""Calls into the portal's thread, and how each one's caller is notified once it has finished."""

from __future__ import annotations

import _thread
import asyncio
import logging
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from trio.abc import Instrument

logger = logging.getLogger("aerospike_py")


class Runner(Protocol):
    """A task of the portal that runs calls."""

    def cancel(self, call: Call, /) -> None:
        """Cancel ``call``, unless another is running by now."""


class Call(ABC):
    """A call into the portal's thread, and its result.

    Attributes:
        abandoned: Whether the caller has stopped waiting.
        runner: Runs the call; None before and afterwards.
    """

    __slots__ = ("abandoned", "args", "error", "function", "kwargs", "runner", "value")

    def __init__(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.value: Any = None
        self.error: BaseException | None = None
        self.runner: Runner | None = None
        self.abandoned = False

    @abstractmethod
    def finish(self, flusher: ReplyFlusher) -> None:
        """Notify the caller that ``value`` or ``error`` is set. Runs in the portal's thread, never raises."""


class BlockingCall(Call):
    """A call for which a thread waits."""

    __slots__ = ("_done",)

    def __init__(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(function, args, kwargs)
        # A bare lock is the cheapest thing a thread can wait for, and a signal interrupts the wait.
        self._done = _thread.allocate_lock()
        self._done.acquire()

    def finish(self, flusher: ReplyFlusher) -> None:
        flusher.waiting.append(self)

    def flush(self) -> None:
        """Wake the thread."""
        self._done.release()

    def wait(self) -> None:
        """Block until the call has finished."""
        self._done.acquire()


class FutureCall(Call):
    """A call for which a task of an asyncio loop waits."""

    __slots__ = ("future", "replies")

    def __init__(
        self,
        function: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        future: asyncio.Future[Any],
        replies: Replies,
    ) -> None:
        super().__init__(function, args, kwargs)
        self.future = future
        self.replies = replies

    @property
    def settled(self) -> bool:
        """Whether the portal's reply has arrived in the loop."""
        return self.future.done() and not self.future.cancelled()

    def finish(self, flusher: ReplyFlusher) -> None:
        finished = self.replies.finished
        if not finished:
            flusher.waiting.append(self.replies)
        finished.append(self)


class DetachedCall(Call):
    """A call for which no caller waits; its error is logged."""

    __slots__ = ()

    def finish(self, flusher: ReplyFlusher) -> None:
        if self.error is not None:
            logger.debug("%r failed", self.function, exc_info=self.error)


class Replies:
    """Finished calls of one event loop, which is woken once for all of them."""

    __slots__ = ("__weakref__", "_arrived", "finished", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = weakref.ref(loop)
        self.finished: list[FutureCall] = []
        #: Calls for which the loop has been woken, until their futures are settled.
        self._arrived: deque[FutureCall] = deque()

    def flush(self) -> None:
        """Wake the loop; runs in the portal's thread."""
        finished, self.finished = self.finished, []
        self._arrived.extend(finished)
        try:
            finished[0].future.get_loop().call_soon_threadsafe(self._settle)
        except RuntimeError:
            # The loop was closed with calls under way, and their futures with it.
            logger.debug("%d results were dropped: their event loop is closed", len(finished))
            self._arrived.clear()

    def drop_if_closed(self) -> None:
        """Drop the calls of a loop that is closed by now."""
        loop = self.loop()
        if loop is None or loop.is_closed():
            self._arrived.clear()

    def _settle(self) -> None:
        """Settle the futures of the finished calls; runs in the loop."""
        arrived = self._arrived
        try:
            while arrived:
                call = arrived[0]
                future = call.future
                if not future.done():
                    if call.error is None:
                        future.set_result(call.value)
                    elif isinstance(call.error, StopIteration):
                        # A future refuses a StopIteration.
                        future.set_exception(RuntimeError(f"the call raised {call.error!r}"))
                    else:
                        future.set_exception(call.error)
                arrived.popleft()
        except BaseException:
            # A KeyboardInterrupt ends this callback. If the program runs the loop again, it settles the other futures.
            asyncio.get_running_loop().call_soon(self._settle)
            raise


class ReplyFlusher(Instrument):
    """Sends the collected replies when Trio is about to wait.

    Not earlier: a woken thread asks for the interpreter lock, which the portal's thread releases when it waits. Before
    that the two would compete for it.
    """

    def __init__(self) -> None:
        self.waiting: list[Replies | BlockingCall] = []

    def before_io_wait(self, timeout: float) -> None:
        """Send the replies: no task can run."""
        if self.waiting:
            waiting, self.waiting = self.waiting, []
            for replies in waiting:
                replies.flush()
