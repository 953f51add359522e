"""Backends of a client: run its session and its calls in the portal's thread, or in a trio-asyncio loop."""

from __future__ import annotations

import asyncio
import functools
import sys
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

import sniffio

import trio_aerospike
from trio_aerospike.errors import ClientError
from trio_aerospike.loops import LoopCommands
from trio_aerospike.threads import ThreadCommands
from trio_aerospike.validation import Uncopyable

from .portal import Portal, get_portal
from .session import Session

T = TypeVar("T")


class Backend(Protocol):
    """What every client needs of its backend."""

    def start(self, session: Session) -> None:
        """Start the session's task."""

    def release(self, session: Session) -> bool:
        """Close the session in the background, from any thread; never waits and never raises.

        Returns:
            False if the session has been closed already, because its Trio run has ended.
        """

    def detach(self, function: Callable[..., Coroutine[Any, Any, object]], /, *args: Any) -> bool:
        """Run ``function`` in the background, from any thread; never waits and never raises."""


class AsyncBackend(Backend, Protocol):
    """The backend of an asynchronous client."""

    def call(self, function: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> Awaitable[T]:
        """Run ``function`` in the session's Trio run."""

    def record_commands(self, client: trio_aerospike.Client) -> Any:
        """The client's single-record commands, for the running task."""

    def run(self, command: Awaitable[T]) -> Awaitable[T]:
        """Run one of the ``record_commands``."""

    def close(self, session: Session) -> Awaitable[None]:
        """Close the session, and wait until it is closed."""


class _PortalBackend(Uncopyable):
    """One session in the portal's thread."""

    __slots__ = ("_portal", "_session")

    _session: Session

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def start(self, session: Session) -> None:
        """Start the session's task."""
        self._session = session
        self._portal.detach(self._start, session)

    async def _start(self, session: Session) -> None:
        self._portal.nursery.start_soon(session.run)

    def release(self, session: Session) -> bool:
        """Close the session in the background, from any thread; never waits and never raises."""
        return self.detach(session.close)

    def detach(self, function: Callable[..., Coroutine[Any, Any, object]], /, *args: Any) -> bool:
        """Run ``function`` in the background, from any thread; never waits and never raises."""
        try:
            self._portal.detach(function, *args)
        except ClientError:
            return False  # the thread has stopped, and has closed every session
        return True


class BlockingBackend(_PortalBackend):
    """The backend of a synchronous client: its calls block the calling thread."""

    __slots__ = ("_commands",)

    def __init__(self, portal: Portal) -> None:
        super().__init__(portal)
        self._commands: ThreadCommands | None = None

    def call(self, function: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        """Run ``function`` in the portal's thread, and block until it has finished."""
        done: T = self._portal.call(self._session.run_call, function, *args, **kwargs)
        return done

    def record_commands(self, client: trio_aerospike.Client) -> ThreadCommands:
        """The single-record commands that the calling thread runs itself, on connections leased from the client."""
        commands = self._commands
        if commands is None:
            commands = self._commands = ThreadCommands(client, self.call)
        return commands

    run = staticmethod(ThreadCommands.wait)

    def close(self, session: Session) -> None:
        """Close the session, and block until it is closed."""
        self._portal.call(session.close)


class AsyncPortalBackend(_PortalBackend):
    """The backend of an asynchronous client outside of trio-asyncio, for any number of event loops."""

    __slots__ = ("_commands", "_latest")

    def __init__(self, portal: Portal) -> None:
        super().__init__(portal)
        self._latest: LoopCommands | None = None
        # LoopCommands hold their loop weakly, so that a closed one is collected, and its entry with it.
        self._commands: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopCommands] = weakref.WeakKeyDictionary()

    def call(self, function: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> Awaitable[T]:
        """Run ``function`` in the portal's thread."""
        done: Awaitable[T] = self._portal.call_async(self._session.run_call, function, *args, **kwargs)
        return done

    def record_commands(self, client: trio_aerospike.Client) -> LoopCommands:
        """The single-record commands that the running loop runs itself, on connections leased from the client."""
        loop = _running_loop()
        commands = self._latest  # there is mostly one loop
        if commands is None or commands.loop() is not loop:
            commands = self._commands.get(loop)
            if commands is None:
                commands = self._commands[loop] = LoopCommands(client, self.call, loop)
            self._latest = commands
        return commands

    @staticmethod
    def run(command: Awaitable[T]) -> Awaitable[T]:
        """Run one of the ``record_commands``."""
        return command

    def close(self, session: Session) -> Awaitable[None]:
        """Close the session, and wait until it is closed."""
        return self._portal.call_async(session.close)


class TrioAsyncioBackend(Uncopyable):
    """The Trio run of a trio-asyncio loop: for callers from its asyncio side and from its Trio side."""

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
        """Run ``function``: directly for a caller in Trio, through trio-asyncio for one in asyncio."""
        result: T = await self._bridge(self._session.run_call, function, *args, **kwargs)
        return result

    @staticmethod
    def run(command: Awaitable[T]) -> Awaitable[T]:
        """Run one of the ``record_commands``."""
        return command

    async def close(self, session: Session) -> None:
        """Close the session, and wait until it is closed."""
        await self._bridge(session.close)

    async def _bridge(self, function: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        loop = self._loop()
        if loop is None or _running_loop() is not loop:
            raise ClientError("this client was connected inside a trio-asyncio loop and works in that loop only")
        if sniffio.current_async_library() == "trio":
            return await function(*args, **kwargs)
        result: T = await loop.trio_as_future(functools.partial(function, *args, **kwargs))
        return result

    def record_commands(self, client: trio_aerospike.Client) -> Any:
        """The client itself for a caller in Trio, bridged commands for one in asyncio."""
        if _running_loop() is self._loop() and sniffio.current_async_library() == "trio":
            return client
        return _BridgedCommands(self, client)

    def release(self, session: Session) -> bool:
        """Close the session in the background, from any thread; never waits and never raises."""
        return self.detach(session.close)

    def detach(self, function: Callable[..., Coroutine[Any, Any, object]], /, *args: Any) -> bool:
        """Run ``function`` in the background, from any thread; never waits and never raises."""
        loop = self._loop()
        if loop is None:
            return False
        try:
            loop.call_soon_threadsafe(loop.trio_as_future, functools.partial(function, *args))
        except RuntimeError:
            return False  # the loop is closed, and the session with it
        return True


class _BridgedCommands:
    """A client's commands for the asyncio side of a trio-asyncio loop."""

    __slots__ = ("_backend", "_client")

    def __init__(self, backend: TrioAsyncioBackend, client: trio_aerospike.Client) -> None:
        self._backend = backend
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        return functools.partial(self._backend.call, getattr(self._client, name))


def _running_loop() -> Any:
    """The running event loop.

    Raises:
        ClientError: No event loop is running.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ClientError(
            "AsyncClient needs a running asyncio loop; a Trio program uses trio_aerospike.open_client"
        ) from None


def async_backend() -> AsyncBackend:
    """Make the backend of a client that connects now, in the running event loop.

    Raises:
        ClientError: No event loop is running.
    """
    loop = _running_loop()
    # A loop of trio_asyncio can run only once that has been imported. Its SyncTrioEventLoop uses the portal as well: it
    # runs Trio only while a caller waits in it, and the client's tasks have to run all the time.
    trio_asyncio = sys.modules.get("trio_asyncio")
    if trio_asyncio is not None and isinstance(loop, trio_asyncio.TrioEventLoop):
        return TrioAsyncioBackend(loop)
    return AsyncPortalBackend(get_portal())


def blocking_backend() -> BlockingBackend:
    """Make the backend of a synchronous client that connects now."""
    return BlockingBackend(get_portal())
