"""A connected client of trio_aerospike, and the task that owns its connections.

The task runs in the portal's thread for asyncio and synchronous programs, or in the nursery of a trio-asyncio loop for
programs that run Trio themselves. It owns the connections, not the call that connected: they outlive that call until
the session is closed.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio

import trio_aerospike
from trio_aerospike.config import ClientConfig
from trio_aerospike.errors import ClientError
from trio_aerospike.validation import Uncopyable

logger = logging.getLogger("aerospike_py")

T = TypeVar("T")

#: Seconds that commands under way have to finish when their client is closed; their own timeouts apply as well.
FINISHING = 5.0
#: The shortest and the longest delay between two checks whether they have finished.
_CHECK, _CHECK_MAX = 0.001, 0.05


class Session(Uncopyable):
    """One connected client and its task, all in one Trio run.

    Args:
        config: The client's configuration.
        on_connected: Called in the task with the connected client.
    """

    _instead_of_copy = "connect another client"

    def __init__(self, config: ClientConfig, on_connected: Callable[[trio_aerospike.Client], object]) -> None:
        self.native: trio_aerospike.Client | None = None
        self._config = config
        self._on_connected = on_connected
        self._scope = trio.CancelScope()
        self._settled = trio.Event()
        self._closing = trio.Event()
        self._closed = trio.Event()
        self._begun = False
        self._failure: BaseException | None = None
        #: Calls from other threads or loops that are running here.
        self._calls = 0

    async def run(self) -> None:
        """Connect, and keep the client open until ``close``. Raises nothing but Cancelled."""
        if self._closed.is_set():
            return  # closed before it began
        self._begun = True
        try:
            with self._scope:
                async with trio_aerospike.open_client(self._config) as native:
                    self._on_connected(native)
                    self.native = native
                    self._settled.set()
                    await self._closing.wait()
                    await self._finish(native)
        except (trio.Cancelled, GeneratorExit):
            raise
        except BaseException as error:
            # A group may hold Cancelled, which the next checkpoint raises again; any other error is this client's own,
            # and must not end the nursery in which the other clients live.
            problem = error.split(trio.Cancelled)[1] if isinstance(error, BaseExceptionGroup) else error
            if self.native is None:
                self._failure = problem
            elif problem is not None:
                logger.error("a connected client has failed", exc_info=problem)
        finally:
            self._settled.set()
            self._closed.set()

    async def connected(self) -> None:
        """Wait until the client is connected; if cancelled, stop connecting.

        Raises:
            AerospikeError: Why the client could not connect.
        """
        try:
            await self._settled.wait()
        except trio.Cancelled:
            self._scope.cancel()
            raise
        if self._failure is not None:
            raise self._failure
        if self.native is None:
            raise ClientError("the client was closed while it was connecting")

    async def run_call(self, function: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        """Call ``function`` as a command under way, for which ``close`` waits."""
        self._calls += 1
        try:
            return await function(*args, **kwargs)
        finally:
            self._calls -= 1

    async def _finish(self, native: trio_aerospike.Client) -> None:
        """Wait for commands under way, up to ``FINISHING`` seconds. New ones are refused already."""
        delay = _CHECK
        with trio.move_on_after(FINISHING) as scope:
            while self._calls or native.has_commands_under_way():
                await trio.sleep(delay)
                delay = min(2 * delay, _CHECK_MAX)
        if scope.cancelled_caught:
            logger.warning("a client is closed with commands under way, which had %g s to finish", FINISHING)

    @property
    def closed(self) -> bool:
        """Whether the client's task has ended."""
        return self._closed.is_set()

    async def close(self) -> None:
        """Close the client once commands under way have finished or timed out, and wait until it is closed."""
        self._closing.set()
        if not self._begun:
            self._settled.set()
            self._closed.set()
        elif self.native is None:
            self._scope.cancel()
        await self._closed.wait()

    def close_inherited(self) -> None:
        """Close the parent's sockets in a forked child, without a message to the servers."""
        if self.native is not None:
            self.native.close_inherited()
