"""One connection behind the same plain face, whichever driver carries it: Trio, asyncio or blocking.

Another driver is added to :data:`DRIVERS`: a class that takes a connected socket and can exchange one request.
"""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import attrs
import trio

from trio_aerospike import Key, WritePolicy
from trio_aerospike._cluster.connections.blocking_connection import BlockingConnection
from trio_aerospike._cluster.connections.connection import Connection
from trio_aerospike._cluster.connections.loop_clock import loop_clock
from trio_aerospike._cluster.connections.request import Failure, Request
from trio_aerospike._cluster.connections.transport import SocketTransport
from trio_aerospike._drivers.loop_connection import LoopConnection
from trio_aerospike._drivers.loop_request import LoopRequest, Unsent
from trio_aerospike._drivers.stall_clock import StallClock
from trio_aerospike._wire.constants import PROTO_MESSAGE
from trio_aerospike.errors import ProtocolError


@attrs.frozen
class Outcome:
    """How a request ended.

    Attributes:
        what: "answered", "timeout", "broken", "protocol" (the server sent what is no answer), or "refused": the
            connection was found unusable before the request was sent.
        body: the answer.
        sent: whether the server may have received any of it.
    """

    what: str
    body: bytes = b""
    sent: bool = True


class Driver(Protocol):
    """One connection. The methods block, and may be called from one thread."""

    def __init__(self, sock: socket.socket) -> None: ...

    @property
    def usable(self) -> bool:
        """Whether another request would be sent."""

    def exchange(self, frame: bytes, seconds: float) -> Outcome:
        """Send a request and wait for its end."""

    def close(self) -> None:
        """Close the connection."""


class PipelinedDriver(Driver, Protocol):
    """A driver that sends requests before those ahead of them are answered."""

    def exchange_all(self, requests: list[tuple[bytes, float]], ended: Callable[[int], None]) -> list[Outcome]:
        """Submit requests in order and wait for their ends.

        Args:
            requests: the bytes of each, and the seconds that it may take.
            ended: called with the position of each request that has ended, while the others go on.
        """


class BlockingDriver:
    """A leased connection in the calling thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._connection = BlockingConnection(sock)

    @property
    def usable(self) -> bool:
        return self._connection.fresh()

    def exchange(self, frame: bytes, seconds: float) -> Outcome:
        if not self.usable:
            return Outcome("refused", sent=False)
        try:
            return Outcome("answered", self._connection.exchange(frame, time.monotonic() + seconds))
        except TimeoutError:
            what = "timeout"
        except ProtocolError:
            what = "protocol"
        except OSError:
            what = "broken"
        return Outcome(what, sent=self._connection.sent)

    def close(self) -> None:
        self._sock.close()


class TrioDriver:
    """A connection in a Trio run of another thread."""

    in_flight = 0

    def __init__(self, sock: socket.socket) -> None:
        ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=trio.run, args=(self._run, sock, ready))
        self._thread.start()
        self._token: trio.lowlevel.TrioToken = ready.get()

    async def _run(self, sock: socket.socket, ready: queue.SimpleQueue[Any]) -> None:
        self._connection = Connection(SocketTransport(sock), self, max_depth=128, label="A1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._connection.run)
            await trio.testing.wait_all_tasks_blocked()
            self._end = trio.Event()
            ready.put(trio.lowlevel.current_trio_token())
            await self._end.wait()
            self._connection.close(None)

    def _in_trio(self, function: Any, *args: Any) -> Any:
        return trio.from_thread.run(function, *args, trio_token=self._token)

    @property
    def usable(self) -> bool:
        return bool(self._in_trio(self._usable))

    async def _usable(self) -> bool:
        await trio.testing.wait_all_tasks_blocked()  # the reader has seen what has arrived
        return self._connection.usable

    def exchange(self, frame: bytes, seconds: float) -> Outcome:
        outcome: Outcome = self._in_trio(self._exchange, frame, seconds)
        return outcome

    def exchange_all(self, requests: list[tuple[bytes, float]], ended: Callable[[int], None]) -> list[Outcome]:
        outcomes: list[Outcome] = self._in_trio(self._exchange_all, requests, ended)
        return outcomes

    async def _exchange_all(self, requests: list[tuple[bytes, float]], ended: Callable[[int], None]) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}

        async def exchange(position: int, *, task_status: trio.TaskStatus[None]) -> None:
            request = self._submit(*requests[position])
            task_status.started()  # no checkpoint: the task is parked before the answer comes
            outcomes[position] = await self._outcome(request)
            ended(position)

        async with trio.open_nursery() as nursery:
            for position in range(len(requests)):
                await nursery.start(exchange, position)
        return [outcome for _, outcome in sorted(outcomes.items())]

    async def _exchange(self, frame: bytes, seconds: float) -> Outcome:
        if not self._connection.usable:
            return Outcome("refused", sent=False)
        return await self._outcome(self._submit(frame, seconds))

    def _submit(self, frame: bytes, seconds: float) -> Request:
        now = loop_clock().now()
        request = Request(frame, PROTO_MESSAGE, now + seconds, now + seconds, seconds, True)
        self._connection.submit(request)
        return request

    async def _outcome(self, request: Request) -> Outcome:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._expire, request)
            await request.wait()
            nursery.cancel_scope.cancel()
        if request.reply is not None:
            return Outcome("answered", request.reply)
        if request.failure is Failure.EXPIRED:
            return Outcome("timeout", sent=request.sent)
        if not request.sent:
            return Outcome("refused", sent=False)
        return Outcome("protocol" if isinstance(request.error, ProtocolError) else "broken", sent=True)

    async def _expire(self, request: Request) -> None:
        clock = loop_clock()
        while clock.now() < request.deadline:
            await trio.sleep_until(clock.to_trio(request.deadline))
        self._connection.expire(clock.now())

    def close(self) -> None:
        trio.from_thread.run_sync(lambda: self._end.set(), trio_token=self._token)
        self._thread.join()

    # -- as the owner of the connection --------------------------------------------------------------------------------

    def replied(self, *args: object) -> None: ...

    def due(self, deadline: float) -> None: ...

    def closed(self, connection: Connection, unsent: list[Request], error: BaseException | None) -> None:
        for request in unsent:
            request.fail(Failure.BROKEN, error)


class LoopDriver:
    """A leased connection that an asyncio loop of another thread runs. It is its own owner, node and leases."""

    name, address, slots, has_waiters, queued, max_depth = "A1", "somewhere", None, False, 0, 128

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._in_loop(self._open)

    def _in_loop(self, function: Any, *args: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(function(*args), self._loop).result()

    async def _open(self) -> None:
        self.clock = StallClock(self._loop, lambda: False)
        leased = BlockingConnection(self._sock)
        self._connection = LoopConnection(leased, self, self._loop, self)  # type: ignore[arg-type]

    @property
    def usable(self) -> bool:
        return bool(self._in_loop(self._usable))

    async def _usable(self) -> bool:
        self._connection.read()  # what has arrived; the loop may not have noticed yet
        return self._connection.accepts_requests

    def exchange(self, frame: bytes, seconds: float) -> Outcome:
        outcome: Outcome = self._in_loop(self._exchange, frame, seconds)
        return outcome

    def exchange_all(self, requests: list[tuple[bytes, float]], ended: Callable[[int], None]) -> list[Outcome]:
        outcomes: list[Outcome] = self._in_loop(self._exchange_all, requests, ended)
        return outcomes

    async def _exchange_all(self, requests: list[tuple[bytes, float]], ended: Callable[[int], None]) -> list[Outcome]:
        async def wait(position: int, request: LoopRequest) -> Outcome:
            outcome = await self._outcome(request)
            ended(position)
            return outcome

        submitted = [self._submit(*request) for request in requests]
        return await asyncio.gather(*(wait(position, request) for position, request in enumerate(submitted)))

    async def _exchange(self, frame: bytes, seconds: float) -> Outcome:
        if not self._connection.accepts_requests:
            return Outcome("refused", sent=False)
        return await self._outcome(self._submit(frame, seconds))

    def _submit(self, frame: bytes, seconds: float) -> LoopRequest:
        now = self.clock.start()
        policy = WritePolicy(total_timeout=seconds, socket_timeout=seconds)
        request = LoopRequest("put", Key("test", "drivers", 1), policy, True, self, now, seconds, self.clock.now)
        request.frame = frame
        request.answer = self._loop.create_future()
        self._connection.submit(request, now)
        return request

    async def _outcome(self, request: LoopRequest) -> Outcome:
        try:
            return Outcome("answered", await request.answer)
        except TimeoutError:
            what = "timeout"
        except Unsent:
            what = "refused"
        except ProtocolError:
            what = "protocol"
        except OSError:
            what = "broken"
        return Outcome(what, sent=request.sent)

    def close(self) -> None:
        self._in_loop(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._connection.close(None)

    # -- as the leases of the node, and as the owner of the connection ----------------------------------------------

    @property
    def leases(self) -> LoopDriver:
        return self

    def hold(self, leased: BlockingConnection, owner: object) -> None: ...

    def discard(self, leased: BlockingConnection) -> None:
        self._sock.close()

    def serve(self) -> None: ...

    def refill(self, connection: LoopConnection) -> None: ...

    def replied(self, *args: object) -> None: ...

    def timed_out(self) -> None: ...

    def connection_closed(self, connection: LoopConnection) -> None: ...


DRIVERS: dict[str, type[Driver]] = {"trio": TrioDriver, "asyncio": LoopDriver, "blocking": BlockingDriver}
