"""A connected client of trio_aerospike, and the Trio in which it lives.

A session is run by a task: in the portal's thread for asyncio and synchronous programs, or in the nursery of a
trio-asyncio loop for programs that run Trio themselves. Either way the task, not the call that connected, owns the
connections, so they outlive that call until the session is closed.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import sniffio
import trio

import trio_aerospike
from trio_aerospike.errors import ClientError
from trio_aerospike.loops import LoopCommands
from trio_aerospike.validation import Uncopyable

from . import _metrics
from ._portal import Portal, get_portal

if TYPE_CHECKING:
    from trio_aerospike.config import ClientConfig

logger = logging.getLogger("aerospike_py")

T = TypeVar("T")

#: Seconds that commands under way have to finish when their client is closed; their own timeouts hold besides.
FINISHING = 5.0
#: The shortest rest between two looks whether they have, and the longest.
_LOOK, _LOOK_MAX = 0.001, 0.05


class Session(Uncopyable):
    """One connected client and the task that runs it. All of it happens in one Trio run."""

    _instead_of_copy = "connect another client"

    def __init__(self, config: ClientConfig) -> None:
        self.native: trio_aerospike.Client | None = None
        self._config = config
        self._scope = trio.CancelScope()
        self._settled = trio.Event()
        self._closing = trio.Event()
        self._closed = trio.Event()
        self._begun = False
        self._failure: BaseException | None = None
        #: How many calls from elsewhere are carried out here.
        self._calls = 0

    async def run(self) -> None:
        """Connect, and keep the client until ``close``. Raises nothing but Cancelled."""
        if self._closed.is_set():
            return  # it was closed before it began
        self._begun = True
        try:
            with self._scope:
                async with trio_aerospike.open_client(self._config) as native:
                    _metrics.attach(native)
                    self.native = native
                    self._settled.set()
                    await self._closing.wait()
                    await self._finish(native)
        except (trio.Cancelled, GeneratorExit):
            raise
        except BaseException as error:
            # A group may hold Cancelled, which the next checkpoint raises again; any other error is this client's own,
            # and must not end the task group in which the other clients live.
            problem = error.split(trio.Cancelled)[1] if isinstance(error, BaseExceptionGroup) else error
            if self.native is None:
                self._failure = problem
            elif problem is not None:
                logger.error("a connected client has failed", exc_info=problem)
        finally:
            self._settled.set()
            self._closed.set()

    async def connected(self) -> None:
        """Wait until the client is connected; cancelled, it gives up connecting.

        Raises:
            AerospikeError: what kept it from connecting.
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

    async def carry_out(self, function: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        """Call ``function``, as something that is under way when the client is closed meanwhile."""
        self._calls += 1
        try:
            return await function(*args, **kwargs)
        finally:
            self._calls -= 1

    async def _finish(self, native: trio_aerospike.Client) -> None:
        """Wait until nothing is under way, for a while. Whoever calls now has been refused already."""
        rest = _LOOK
        with trio.move_on_after(FINISHING) as scope:
            while self._calls or native.has_commands_under_way():
                await trio.sleep(rest)
                rest = min(2 * rest, _LOOK_MAX)
        if scope.cancelled_caught:
            logger.warning("a client is closed with commands under way, which had %g s to finish", FINISHING)

    @property
    def closed(self) -> bool:
        """Whether nothing runs for the client any more."""
        return self._closed.is_set()

    async def close(self) -> None:
        """Close the client, once what is under way has finished or has had the time for it, and wait until it is."""
        self._closing.set()
        if not self._begun:
            self._settled.set()
            self._closed.set()
        elif self.native is None:
            self._scope.cancel()
        await self._closed.wait()

    def close_inherited(self) -> None:
        """In a forked child: let go of the parent's sockets without a word to the servers."""
        if self.native is not None:
            self.native.close_inherited()


class Home(Protocol):
    """Where an asynchronous client's session lives, and the way there and back."""

    def start(self, session: Session) -> None:
        """Start the session's task."""

    def call(self, function: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> Awaitable[T]:
        """Run ``function`` where the session lives."""

    def commands(self, client: trio_aerospike.Client) -> Any:
        """The client's commands on single records, for the running task."""

    def close(self, session: Session) -> Awaitable[None]:
        """Close the session, and wait until it is closed."""

    def release(self, session: Session) -> bool:
        """Close the session some time soon, from any thread; never waits and never raises.

        Returns:
            False when it is closed without that, since its Trio run has ended.
        """

    def detach(self, function: Callable[..., Coroutine[Any, Any, object]], /, *args: Any) -> bool:
        """Run ``function`` in the background, as :meth:`release` closes the session."""


class PortalHome(Uncopyable):
    """The portal's thread, and one session in it."""

    __slots__ = ("_commands", "_latest", "_portal", "_session")

    _session: Session

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._latest: LoopCommands | None = None
        # LoopCommands hold their loop weakly, so that a closed one is collected, and its entry with it.
        self._commands: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopCommands] = weakref.WeakKeyDictionary()

    def call(self, function: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> Awaitable[T]:
        """Run ``function`` across the portal."""
        done: Awaitable[T] = self._portal.call_async(self._session.carry_out, function, *args, **kwargs)
        return done

    def call_blocking(self, function: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        """Run ``function`` across the portal, for a thread that waits for it."""
        done: T = self._portal.call(self._session.carry_out, function, *args, **kwargs)
        return done

    def commands(self, client: trio_aerospike.Client) -> Any:
        """Commands that the running loop does by itself, on connections borrowed from the client."""
        loop = running_loop()
        commands = self._latest  # mostly there is one loop
        if commands is None or commands.loop() is not loop:
            commands = self._commands.get(loop)
            if commands is None:
                commands = self._commands[loop] = LoopCommands(client, self.call, loop)
            self._latest = commands
        return commands

    def start(self, session: Session) -> None:
        """Start the session's task."""
        self._session = session
        self._portal.detach(self._start, session)

    async def _start(self, session: Session) -> None:
        self._portal.nursery.start_soon(session.run)

    def close(self, session: Session) -> Awaitable[None]:
        """Close the session, and wait until it is closed."""
        return self._portal.call_async(session.close)

    def close_blocking(self, session: Session) -> None:
        """Close the session; blocks until it is closed."""
        self._portal.call(session.close)

    def release(self, session: Session) -> bool:
        """Close the session some time soon, from any thread; never waits and never raises."""
        return self.detach(session.close)

    def detach(self, function: Callable[..., Coroutine[Any, Any, object]], /, *args: Any) -> bool:
        """Run ``function`` some time soon, from any thread; never waits and never raises."""
        try:
            self._portal.detach(function, *args)
        except ClientError:
            return False  # the thread has stopped, and has closed everything
        return True


class LoopHome(Uncopyable):
    """The Trio run of a trio-asyncio loop: callers from its asyncio side and from its Trio side alike."""

    __slots__ = ("_loop", "_session")

    _session: Session

    def __init__(self, loop: Any) -> None:
        self._loop: weakref.ref[Any] = weakref.ref(loop)  # a client may outlive its loop

    def start(self, session: Session) -> None:
        """Start the session's task, which ends with the loop at the latest."""
        self._session = session
        loop = self._loop()
        assert loop is not None
        loop.trio_as_future(session.run)

    async def call(self, function: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        """Run ``function``: directly for a caller in Trio, across the loop's bridge for one in asyncio."""
        result: T = await self._reach(self._session.carry_out, function, *args, **kwargs)
        return result

    async def close(self, session: Session) -> None:
        """Close the session, and wait until it is closed."""
        await self._reach(session.close)

    async def _reach(self, function: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        loop = self._loop()
        if loop is None or running_loop() is not loop:
            raise ClientError("this client was connected inside a trio-asyncio loop and works in that loop only")
        if sniffio.current_async_library() == "trio":
            return await function(*args, **kwargs)
        result: T = await loop.trio_as_future(functools.partial(function, *args, **kwargs))
        return result

    def commands(self, client: trio_aerospike.Client) -> Any:
        """The client's own commands for a caller in Trio, bridged ones for a caller in asyncio."""
        if running_loop() is self._loop() and sniffio.current_async_library() == "trio":
            return client
        return Bridged(self, client)

    def release(self, session: Session) -> bool:
        """Close the session some time soon, from any thread; never waits and never raises."""
        return self.detach(session.close)

    def detach(self, function: Callable[..., Coroutine[Any, Any, object]], /, *args: Any) -> bool:
        """Run ``function`` some time soon, from any thread; never waits and never raises."""
        loop = self._loop()
        if loop is None:
            return False
        try:
            loop.call_soon_threadsafe(loop.trio_as_future, functools.partial(function, *args))
        except RuntimeError:
            return False  # the loop is closed, and the session with it
        return True


class Bridged:
    """A client's commands for the asyncio side of a trio-asyncio loop."""

    __slots__ = ("_client", "_home")

    def __init__(self, home: LoopHome, client: trio_aerospike.Client) -> None:
        self._home = home
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        return functools.partial(self._home.call, getattr(self._client, name))


def running_loop() -> Any:
    """The running event loop.

    Raises:
        ClientError: There is none.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ClientError(
            "AsyncClient needs a running asyncio loop; a Trio program uses trio_aerospike.open_client"
        ) from None


def find_home() -> Home:
    """Where a client that is connected now, by asynchronous code, is to live.

    Raises:
        ClientError: No event loop is running.
    """
    loop = running_loop()
    # If nobody has imported trio_asyncio no loop of it can be running. Its SyncTrioEventLoop is meant for the portal:
    # that one runs Trio only while somebody waits in it, and the client's tasks have to run all the time.
    trio_asyncio = sys.modules.get("trio_asyncio")
    if trio_asyncio is not None and isinstance(loop, trio_asyncio.TrioEventLoop):
        return LoopHome(loop)
    return PortalHome(get_portal())
