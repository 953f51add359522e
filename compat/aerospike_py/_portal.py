"""The portal: one private thread runs Trio for every client of the process, asyncio and synchronous alike.

A call crosses into the thread through an inbox and comes back through its own reply. Crossings cost wake-ups, so they
are gathered: Trio is woken once, however much is put into the inbox before it looks, and the replies to an event loop
leave together when Trio has nothing left to run (``Replies``).

A KeyboardInterrupt may be raised between any two bytecodes of the main thread. So no thread announces a wake-up that it
has yet to send: the record of a wake-up is made after it, and an interrupt costs a spurious wake-up at the worst.

The calls run in worker tasks that are used again, which is cheaper than a task for each call. A worker has one cancel
scope for its whole life: cancelling a call ends its worker, and nobody pays for a scope that is not used.
"""

from __future__ import annotations

import _thread
import asyncio
import atexit
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sized
from functools import partial
from typing import Any, TypeVar

import trio
from trio.abc import Instrument

from trio_aerospike.errors import ClientError
from trio_aerospike.fairness import yield_thread_with
from trio_aerospike.validation import Uncopyable

from ._slices import PAUSE, Turn

logger = logging.getLogger("aerospike_py")

T = TypeVar("T")

#: Workers kept for later calls; more exist while more calls are under way.
IDLE_WORKERS = 1024
#: Wraps what crosses, so that the caller's context comes along; set while spans are made.
carry: Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]] | None = None
#: Seconds that the interpreter's exit waits for connections to be closed.
EXIT_GRACE = 2.0


class Call:
    """One call on its way through the portal, and what becomes of it.

    Attributes:
        abandoned: nobody waits for it any more.
        worker: the worker that runs it, while one does.
    """

    __slots__ = ("abandoned", "args", "error", "function", "kwargs", "value", "worker")

    def __init__(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.value: Any = None
        self.error: BaseException | None = None
        self.worker: Worker | None = None
        self.abandoned = False

    def finish(self, flusher: Flusher) -> None:
        """Have whoever waits told that ``value`` or ``error`` is there. Runs in the portal's thread, never raises."""
        raise AssertionError("a call knows how to reply")


class BlockingCall(Call):
    """A call that a thread waits for."""

    __slots__ = ("_done",)

    def __init__(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(function, args, kwargs)
        # A bare lock is the cheapest thing a thread can wait for, and a signal interrupts the wait.
        self._done = _thread.allocate_lock()
        self._done.acquire()

    def finish(self, flusher: Flusher) -> None:
        flusher.waiting.append(self)

    def flush(self) -> None:
        """Let the thread go on."""
        self._done.release()

    def wait(self) -> None:
        """Block until the call has finished."""
        self._done.acquire()


class FutureCall(Call):
    """A call that a task of an asyncio loop waits for."""

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
        """Whether the portal's reply has arrived."""
        return self.future.done() and not self.future.cancelled()

    def finish(self, flusher: Flusher) -> None:
        finished = self.replies.finished
        if not finished:
            flusher.waiting.append(self.replies)
        finished.append(self)


class DetachedCall(Call):
    """A call that nobody waits for."""

    __slots__ = ()

    def finish(self, flusher: Flusher) -> None:
        if self.error is not None:
            logger.debug("%r failed", self.function, exc_info=self.error)


class Replies:
    """The finished calls on their way back to one event loop, which is woken once for all of them."""

    __slots__ = ("__weakref__", "_arrived", "finished", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = weakref.ref(loop)
        self.finished: list[FutureCall] = []
        #: Those that the loop has been woken for, until their futures are settled.
        self._arrived: deque[FutureCall] = deque()

    def flush(self) -> None:
        """Wake the loop; runs in the portal's thread."""
        finished, self.finished = self.finished, []
        self._arrived.extend(finished)
        try:
            finished[0].future.get_loop().call_soon_threadsafe(self._settle)
        except RuntimeError:
            # The loop was closed with calls under way: their futures have gone with it.
            logger.debug("%d results were dropped: their event loop is closed", len(finished))
            self._arrived.clear()

    def drop_if_closed(self) -> None:
        """Forget what a loop that is closed by now has not settled."""
        loop = self.loop()
        if loop is None or loop.is_closed():
            self._arrived.clear()

    def _settle(self) -> None:
        """Settle the futures of the calls that have arrived; runs in the loop."""
        arrived = self._arrived
        try:
            while arrived:
                call = arrived[0]
                future = call.future
                if not future.done():
                    if call.error is None:
                        future.set_result(call.value)
                    elif isinstance(call.error, StopIteration):
                        future.set_exception(RuntimeError(f"the call raised {call.error!r}"))  # no future takes it
                    else:
                        future.set_exception(call.error)
                arrived.popleft()
        except BaseException:
            # A KeyboardInterrupt ends this callback. A program that runs the loop again gets the other results then.
            asyncio.get_running_loop().call_soon(self._settle)
            raise


class Flusher(Instrument):
    """Sends the gathered replies off when Trio is about to wait.

    Not earlier: a thread that is woken wants the interpreter lock, which the portal gives up when it waits. Before that
    the two would fight for it, with the portal in the middle of its bunch.
    """

    def __init__(self) -> None:
        self.waiting: list[Replies | BlockingCall] = []

    def before_io_wait(self, timeout: float) -> None:
        if self.waiting:
            waiting, self.waiting = self.waiting, []
            for replies in waiting:
                replies.flush()


class Rests(Instrument):
    """Has the portal's thread rest now and then while it works on and on, so that event loops have their turn.

    Python makes a thread give way only after 5 ms, and a loop that was waiting takes the interpreter twice for a turn:
    to look at its clock and its sockets, and for what is due then. Giving the interpreter up for a moment, as each call
    of the system does, is not enough: the other thread has not woken up by then.

    Args:
        loops: the event loops that use the portal.
    """

    def __init__(self, loops: Sized) -> None:
        self._turn = Turn()
        self._idle_since = 0.0
        self._loops = loops

    def before_io_wait(self, timeout: float) -> None:
        """Trio's hook: nothing can run."""
        self._idle_since = time.perf_counter()

    def after_io_wait(self, timeout: float) -> None:
        """Trio's hook: where it has waited, others have had their turn."""
        if time.perf_counter() - self._idle_since >= PAUSE:
            self._turn.begin()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Trio's hook: a task waits for something, or has given way."""
        if self._loops:
            self._turn.pause()


class Worker:
    """A task of the portal that runs calls, one after the other, in one cancel scope."""

    __slots__ = ("_idle", "call", "scope", "task")

    def __init__(self, idle: list[Worker]) -> None:
        self._idle = idle
        self.scope = trio.CancelScope()
        self.call: Call | None = None
        self.task: trio.lowlevel.Task | None = None

    def cancel(self, call: Call) -> None:
        """Cancel ``call``, unless the worker has gone on to another."""
        if self.call is call:
            self.scope.cancel()

    def leave(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        """Cancelled while idle, since the portal stops: no call may be given to it any more."""
        self._idle.remove(self)
        return trio.lowlevel.Abort.SUCCEEDED


class Portal(Uncopyable):
    """A thread that runs Trio, and the way into it. Calls posted before :meth:`start` are carried out after it.

    Attributes:
        nursery: owns the workers and the clients; for use in the portal's thread.
        started: whether its thread has been started.
    """

    def __init__(self) -> None:
        self.nursery: trio.Nursery
        self._inbox: deque[Call] = deque()
        # How often the portal's thread has begun to empty the inbox. A thread that wakes it notes the number that it
        # saw before: as long as the two are equal, the look that this wake-up causes is still to come.
        self._looks = 0
        self._woken_at = -1
        self._token: trio.lowlevel.TrioToken | None = None
        self._idle: list[Worker] = []
        self._flusher = Flusher()
        self._rests = False
        self._replies: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Replies] = weakref.WeakKeyDictionary()
        # Mostly there is one loop, and finding it again is cheaper than looking it up.
        self._latest: Replies | None = None
        self._stop: trio.Event
        self._closed = False
        self._claim = _thread.allocate_lock()
        self._thread = threading.Thread(target=self._run, name="aerospike_py", daemon=True)
        self.started = False

    # -- any thread ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread. Callers exclude each other; after an interrupt it is called again."""
        # An interrupt may leave a thread behind that is not known to run: the first one to claim the portal runs it,
        # and any other ends at once.
        thread = threading.Thread(target=self._run, name="aerospike_py", daemon=True)
        if not self._claim.locked():
            self._thread = thread
        thread.start()
        self.started = True

    @property
    def closed(self) -> bool:
        """Whether it takes no calls any more: the interpreter is exiting."""
        return self._closed

    def call(self, function: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Run ``function`` in the portal and block until it is done.

        Raises:
            KeyboardInterrupt: as it comes; the call is cancelled.
            ClientError: the portal has stopped.
        """
        if _thread.get_ident() == self._thread.ident:
            raise ClientError("a blocking call from the thread that would have to answer it")
        call = BlockingCall(function, args, kwargs)
        try:
            self._post(call)
            call.wait()
        except BaseException:
            self._abandon(call)
            raise
        if call.error is not None:
            try:
                raise call.error
            finally:
                call.error = None  # the traceback leads back to this frame
        value: T = call.value
        return value

    async def call_async(self, function: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Run ``function`` in the portal while the running event loop goes on.

        Raises:
            asyncio.CancelledError: as it comes; the call is cancelled.
            ClientError: the portal has stopped.
        """
        loop = asyncio.get_running_loop()
        replies = self._latest
        if replies is None or replies.loop() is not loop:
            replies = self._replies_to(loop)
        call = FutureCall(function, args, kwargs, loop.create_future(), replies)
        try:
            self._post(call)
            value: T = await call.future
        except BaseException:
            if not call.settled:
                self._abandon(call)
            raise
        return value

    def _replies_to(self, loop: asyncio.AbstractEventLoop) -> Replies:
        replies = self._replies.get(loop)
        if replies is None:
            if self._latest is not None:
                self._latest.drop_if_closed()
            replies = self._replies.setdefault(loop, Replies(loop))
            self.detach(self._rest)
        self._latest = replies
        return replies

    async def _rest(self) -> None:
        if not self._rests:
            self._rests = True
            trio.lowlevel.add_instrument(Rests(self._replies))

    def detach(self, function: Callable[..., Coroutine[Any, Any, object]], *args: Any) -> None:
        """Run ``function`` in the portal without waiting for it; what it raises is logged."""
        self._post(DetachedCall(function, args, {}))

    def stop(self, grace: float) -> None:
        """Close every client and end the thread, within ``grace`` seconds."""
        self._closed = True
        if self._token is not None:
            try:
                self._token.run_sync_soon(self._request_stop)
            except trio.RunFinishedError:
                return
        if self.started:
            self._thread.join(grace)

    def _post(self, call: Call) -> None:
        if self._closed:
            raise ClientError("the client's thread has stopped: the interpreter is exiting")
        if carry is not None and not call.abandoned:
            call.function = carry(call.function)
        self._inbox.append(call)
        if self._woken_at != self._looks:
            self._wake()

    def _wake(self) -> None:
        token = self._token
        if token is None:
            return  # the thread looks when it starts
        looks = self._looks
        try:
            token.run_sync_soon(self._look)
        except trio.RunFinishedError:
            raise ClientError("the client's thread has stopped") from None
        self._woken_at = looks

    def _abandon(self, call: Call) -> None:
        call.abandoned = True
        if not self._closed:
            try:
                self._post(call)
            except ClientError:
                pass  # it stops anyway, and cancels everything

    # -- the portal's thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        if not self._claim.acquire(blocking=False):
            return
        self._thread = threading.current_thread()
        try:
            trio.run(self._main, instruments=[self._flusher])
        except BaseException:
            logger.exception("the thread that runs the clients has failed")
        finally:
            self._closed = True
            self._look()
            self._flusher.before_io_wait(0.0)

    async def _main(self) -> None:
        self._stop = trio.Event()
        yield_thread_with(partial(time.sleep, PAUSE))
        async with trio.open_nursery() as nursery:
            self.nursery = nursery
            self._token = trio.lowlevel.current_trio_token()
            self._look()
            if not self._closed:
                await self._stop.wait()
            nursery.cancel_scope.cancel()

    def _request_stop(self) -> None:
        self._stop.set()

    def _look(self) -> None:
        self._looks += 1
        inbox = self._inbox
        while inbox:
            call = inbox.popleft()
            if call.abandoned:
                if call.worker is not None:
                    call.worker.cancel(call)
            elif self._closed:
                call.error = ClientError("the client's thread has stopped")
                call.finish(self._flusher)
            elif self._idle:
                worker = self._idle.pop()
                assert worker.task is not None
                worker.call = call
                call.worker = worker
                trio.lowlevel.reschedule(worker.task)
            else:
                worker = Worker(self._idle)
                worker.call = call
                call.worker = worker
                self.nursery.start_soon(self._work, worker)

    async def _work(self, worker: Worker) -> None:
        worker.task = trio.lowlevel.current_task()
        idle = self._idle
        flusher = self._flusher
        with worker.scope:
            while True:
                call = worker.call
                assert call is not None
                try:
                    call.value = await call.function(*call.args, **call.kwargs)
                except (trio.Cancelled, GeneratorExit):
                    call.error = ClientError("the client's thread has stopped")
                    raise
                except BaseExceptionGroup as group:
                    # The next checkpoint raises Cancelled again where it is due; the caller gets the other errors.
                    cancelled, rest = group.split(trio.Cancelled)
                    if cancelled is None:
                        call.error = group
                    else:
                        call.error = ClientError("the client's thread has stopped") if rest is None else rest
                except BaseException as error:
                    call.error = error  # SystemExit and the like go to the caller and do not end the other clients
                finally:
                    worker.call = None
                    call.worker = None
                    call.finish(flusher)
                del call
                if len(idle) >= IDLE_WORKERS or worker.scope.cancel_called:
                    return
                idle.append(worker)
                await trio.lowlevel.wait_task_rescheduled(worker.leave)


_portal: Portal | None = None
_starting = _thread.allocate_lock()
#: Portals of the parent process, kept in a forked child so that nothing of theirs is ever finalized there.
_inherited: list[Portal] = []


def get_portal() -> Portal:
    """The portal of this process, started on first use."""
    global _portal
    portal = _portal
    if portal is None or not portal.started:
        with _starting:
            portal = _portal
            if portal is None:
                portal = _portal = Portal()
            if not portal.started:
                atexit.unregister(portal.stop)
                atexit.register(portal.stop, EXIT_GRACE)
                portal.start()
    return portal


def _forget_in_child() -> None:
    global _portal, _starting
    _starting = _thread.allocate_lock()
    if _portal is not None:
        atexit.unregister(_portal.stop)
        _inherited.append(_portal)
        _portal = None


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_forget_in_child)
