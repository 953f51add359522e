"""The portal: one private thread runs Trio for every client of the process, asyncio and synchronous alike.

A call is put into the portal's inbox and returns through its own reply. Waking a thread is what costs, so wake-ups are
shared: Trio is woken once, however many calls are put into the inbox before it looks, and the replies to an event loop
leave together when Trio has nothing left to run (:class:`ReplyFlusher`).

A KeyboardInterrupt may be raised between any two bytecodes of the main thread. So no thread records a wake-up before it
has sent it: the record is made afterwards, and an interrupt costs one needless wake-up at most.

The calls run in worker tasks that are reused, which costs less than a task for each call. A worker has one cancel scope
for its whole life: cancelling a call ends its worker, and a call that is not cancelled pays for no scope.
"""

from __future__ import annotations

import _thread
import asyncio
import atexit
import logging
import threading
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import trio

from trio_aerospike.errors import ClientError
from trio_aerospike.fairness import yield_thread_with
from trio_aerospike.validation import Uncopyable

from .calls import BlockingCall, Call, DetachedCall, FutureCall, Replies, ReplyFlusher
from .forking import install_fork_hook, reset_in_child
from .time_slices import GilYielder, yield_gil

logger = logging.getLogger("aerospike_py")

T = TypeVar("T")

#: Workers kept for later calls; more exist while more calls are under way.
IDLE_WORKERS = 1024
#: Wraps each function that is called, so that the caller's context is set while it runs; None unless spans are made.
carry_context: Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]] | None = None
#: Seconds that the interpreter's exit waits for connections to be closed.
EXIT_GRACE = 2.0


class Worker:
    """A task of the portal that runs calls one after the other, in one cancel scope."""

    __slots__ = ("_idle", "call", "scope", "task")

    def __init__(self, idle: list[Worker]) -> None:
        self._idle = idle
        self.scope = trio.CancelScope()
        self.call: Call | None = None
        self.task: trio.lowlevel.Task | None = None

    def cancel(self, call: Call) -> None:
        """Cancel ``call``, unless the worker runs another by now."""
        if self.call is call:
            self.scope.cancel()

    def leave(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        """Trio's abort function of an idle worker: the portal stops, so the worker must get no more calls."""
        self._idle.remove(self)
        return trio.lowlevel.Abort.SUCCEEDED


class Portal(Uncopyable):
    """A thread that runs Trio, and calls into it. Calls posted before :meth:`start` run once it has been started.

    Attributes:
        nursery: Owns the workers and the clients; for use in the portal's thread.
        started: Whether its thread has been started.
    """

    def __init__(self) -> None:
        self.nursery: trio.Nursery
        self._inbox: deque[Call] = deque()
        # How often the portal's thread has begun to empty the inbox. A thread that wakes it records the number that it
        # saw before: while the two are equal, the look that this wake-up causes is still to come.
        self._looks = 0
        self._woken_at = -1
        self._token: trio.lowlevel.TrioToken | None = None
        self._idle: list[Worker] = []
        self._flusher = ReplyFlusher()
        self._yields = False
        self._replies: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Replies] = weakref.WeakKeyDictionary()
        # There is mostly one loop, and comparing it is cheaper than looking it up.
        self._latest: Replies | None = None
        self._stop: trio.Event
        self._closed = False
        self._claim = _thread.allocate_lock()
        self._thread = threading.Thread(target=self._run, name="aerospike_py", daemon=True)
        self.started = False

    # -- any thread ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread. The caller holds a lock, and calls this again after an interrupt."""
        # An interrupt may leave an unrecorded thread behind: the first thread to claim the portal runs it, and any
        # other ends at once.
        thread = threading.Thread(target=self._run, name="aerospike_py", daemon=True)
        if not self._claim.locked():
            self._thread = thread
        thread.start()
        self.started = True

    @property
    def closed(self) -> bool:
        """Whether calls are refused because the interpreter is exiting."""
        return self._closed

    def call(self, function: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Run ``function`` in the portal, and block until it has finished.

        Raises:
            KeyboardInterrupt: The call is cancelled.
            ClientError: The portal has stopped, or the caller is in its thread.
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
        """Run ``function`` in the portal without blocking the running event loop.

        Raises:
            asyncio.CancelledError: The call is cancelled.
            ClientError: The portal has stopped.
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
            self.detach(self._yield_to_loops)
        self._latest = replies
        return replies

    async def _yield_to_loops(self) -> None:
        if not self._yields:
            self._yields = True
            trio.lowlevel.add_instrument(GilYielder(self._replies))

    def detach(self, function: Callable[..., Coroutine[Any, Any, object]], *args: Any) -> None:
        """Run ``function`` in the portal without waiting for it; its error is logged."""
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
        if carry_context is not None and not call.abandoned:
            call.function = carry_context(call.function)
        self._inbox.append(call)
        if self._woken_at != self._looks:
            self._wake()

    def _wake(self) -> None:
        token = self._token
        if token is None:
            return  # the thread empties the inbox when it starts
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
                pass  # the portal is stopping, and cancels every call

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
        yield_thread_with(yield_gil)
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
                if call.runner is not None:
                    call.runner.cancel(call)
            elif self._closed:
                call.error = ClientError("the client's thread has stopped")
                call.finish(self._flusher)
            elif self._idle:
                worker = self._idle.pop()
                assert worker.task is not None
                worker.call = call
                call.runner = worker
                trio.lowlevel.reschedule(worker.task)
            else:
                worker = Worker(self._idle)
                worker.call = call
                call.runner = worker
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
                    # The next checkpoint raises Cancelled again if it is due; the caller gets the other errors.
                    cancelled, rest = group.split(trio.Cancelled)
                    if cancelled is None:
                        call.error = group
                    else:
                        call.error = ClientError("the client's thread has stopped") if rest is None else rest
                except BaseException as error:
                    call.error = error  # SystemExit and the like are the caller's, and must not end the other clients
                finally:
                    worker.call = None
                    call.runner = None
                    call.finish(flusher)
                del call
                if len(idle) >= IDLE_WORKERS or worker.scope.cancel_called:
                    return
                idle.append(worker)
                await trio.lowlevel.wait_task_rescheduled(worker.leave)


_portal: Portal | None = None
_starting = _thread.allocate_lock()
#: Portals of the parent process, kept in a forked child so that none of their objects is ever finalized there.
_inherited: list[Portal] = []


def get_portal() -> Portal:
    """Return the portal of this process, which is started on first use."""
    global _portal
    portal = _portal
    if portal is None or not portal.started:
        with _starting:
            portal = _portal
            if portal is None:
                install_fork_hook()
                portal = _portal = Portal()
            if not portal.started:
                atexit.unregister(portal.stop)
                atexit.register(portal.stop, EXIT_GRACE)
                portal.start()
    return portal


@reset_in_child
def _forget_portal() -> None:
    global _portal, _starting
    _starting = _thread.allocate_lock()
    if _portal is not None:
        atexit.unregister(_portal.stop)
        _inherited.append(_portal)
        _portal = None
