"""The seam between connections and the network: one small protocol, and its TCP and TLS forms.

Everything above this module sees bytes through :class:`Transport` only, so that a test (or a user's test) can put a
scripted or an in-memory stream in its place and run under a mock clock.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import socket
import ssl
import sys
import weakref
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from ...validation import Uncopyable


class Transport(Protocol):
    """A connected, ordered stream of bytes.

    The errors it may raise are ``OSError``, ``trio.BrokenResourceError`` and ``trio.ClosedResourceError``; a
    connection turns them into ours.
    """

    def try_send(self, data: bytes, /) -> int:
        """Hand over what the stream takes at once, without blocking.

        Returns:
            The number of bytes taken; 0 when it would block or cannot send this way.
        """
        ...

    async def send_all(self, data: bytes, /) -> None:
        """Send all of ``data``; it is unknown how much went out when this is cancelled."""
        ...

    async def receive_some(self, max_bytes: int, /) -> bytes:
        """Wait for some bytes; ``b""`` when the peer has closed its side."""
        ...

    async def aclose(self) -> None:
        """Close the stream as its protocol wants it closed."""
        ...

    def close_now(self) -> None:
        """Release the descriptor at once and say nothing to the peer: for a forked child and for the last resort."""
        ...


def unread(sock: socket.socket) -> Callable[[], object]:
    """Return a function that checks, without blocking, whether the peer has sent unread bytes or closed the connection.

    A poll object takes 0.3 microseconds, a third of what peeking at the socket takes; Windows has no poll objects.
    """
    if sys.platform != "win32" and hasattr(select, "poll"):
        poller = select.poll()
        poller.register(sock, select.POLLIN)
        return functools.partial(poller.poll, 0)
    return lambda: select.select([sock], [], [], 0)[0]


#: Opens a transport to ``host``, ``port``; the third argument is the name that a TLS certificate has to carry.
Connector = Callable[[str, int, str | None], Awaitable[Transport]]


class SocketTransport(Uncopyable):
    """TCP without a buffer of its own: a non-blocking socket and Trio's readiness calls.

    Attributes:
        unread: whether the peer has sent anything that is not read yet, or has hung up.
    """

    __slots__ = ("__weakref__", "_closed", "_sock", "unread")

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._closed = False
        self.unread = unread(sock)
        _living.add(self)

    def try_send(self, data: bytes, /) -> int:
        try:
            return self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0

    async def send_all(self, data: bytes, /) -> None:
        view = memoryview(data)
        while view:
            sent = self.try_send(view)  # type: ignore[arg-type]
            if sent:
                view = view[sent:]
            else:
                await trio.lowlevel.wait_writable(self._sock)

    async def receive_some(self, max_bytes: int, /) -> bytes:
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            try:
                return self._sock.recv(max_bytes)
            except (BlockingIOError, InterruptedError):
                continue

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()

    def close_now(self) -> None:
        self._closed = True
        self._sock.close()

    @property
    def sock(self) -> socket.socket:
        """The socket, for its options."""
        return self._sock

    def detach(self) -> socket.socket:
        """Give the socket away, to be used and closed by somebody else."""
        self._closed = True
        return self._sock

    def __repr__(self) -> str:
        if self._closed:
            return "<SocketTransport closed>"
        return f"<SocketTransport fd={self._sock.fileno()}>"


class StreamTransport(Uncopyable):
    """Any Trio stream (TLS over TCP, a memory stream) as a transport: no sending without a checkpoint."""

    __slots__ = ("__weakref__", "_descriptor", "_stream")

    def __init__(self, stream: trio.abc.Stream, descriptor: trio.SocketStream | None = None) -> None:
        self._stream = stream
        self._descriptor = descriptor
        _living.add(self)

    def try_send(self, data: bytes, /) -> int:
        return 0

    async def send_all(self, data: bytes, /) -> None:
        await self._stream.send_all(data)

    async def receive_some(self, max_bytes: int, /) -> bytes:
        return bytes(await self._stream.receive_some(max_bytes))

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)

    def close_now(self) -> None:
        if self._descriptor is not None:
            number = self._descriptor.socket.detach()
            if number >= 0:
                socket.close(number)

    def __repr__(self) -> str:
        return f"<StreamTransport over {self._stream!r}>"


def tcp_connector(tls: ssl.SSLContext | None) -> Connector:
    """Make the connector of a client: TCP, with TLS over it when a context is given.

    A host name is resolved to all its addresses, IPv4 and IPv6, which are tried in Trio's happy-eyeballs fashion.

    Args:
        tls: the context of the TLS handshake, or None for plain TCP.

    Returns:
        The connector; it raises ``OSError`` (which includes ``ssl.SSLError``) when no connection can be made.
    """

    async def connect(host: str, port: int, tls_name: str | None) -> Transport:
        _refuse_reserved_name(host)
        try:
            transport = await _numeric(host, port)
            if transport is None:
                named = await trio.open_tcp_stream(host, port)
                transport = SocketTransport(socket.socket(fileno=named.socket.detach()))
        except OSError as error:
            raise _first_cause(error) from error
        except ValueError as error:
            raise _no_host_name(host, error) from error
        sock = transport.sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if tls is None:
            return transport
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        try:
            secure = trio.SSLStream(stream, tls, server_hostname=tls_name or host, https_compatible=True)
        except ValueError as error:
            await trio.aclose_forcefully(stream)
            raise _no_host_name(tls_name or host, error) from error
        try:
            await secure.do_handshake()
        except BaseException as error:
            await trio.aclose_forcefully(secure)
            if isinstance(error, trio.BrokenResourceError) and isinstance(error.__cause__, OSError):
                raise error.__cause__ from None
            raise
        return StreamTransport(secure, stream)

    return connect


async def _numeric(host: str, port: int) -> SocketTransport | None:
    """Connect to an address; None where ``host`` is a name.

    Nodes are known by their addresses, so this is the usual way. Trio's own does not show its socket before it is
    connected, and a process that forks at that moment would leave it open in the child.
    """
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, ValueError):
        return None
    family, kind, proto, _, address = entries[0]
    sock = socket.socket(family, kind, proto)
    transport = SocketTransport(sock)
    try:
        try:
            sock.connect(address)
        except BlockingIOError:
            await trio.lowlevel.wait_writable(sock)
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                raise OSError(number, f"Error connecting to {address!r}: {os.strerror(number)}") from None
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # not on Windows
            with contextlib.suppress(OSError):
                # As Trio: a socket is writable when little waits in it, so that what gathers goes out in one piece.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 2**14)
    except BaseException:
        transport.close_now()
        raise
    return transport


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, IPv4 and IPv6, each once, in the resolver's order.

    Raises:
        OSError: it has none, or cannot be a host's name at all.
    """
    _refuse_reserved_name(host)
    try:
        entries = await trio.socket.getaddrinfo(host, port, type=trio.socket.SOCK_STREAM)
    except ValueError as error:
        raise _no_host_name(host, error) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def _refuse_reserved_name(host: str) -> None:
    """Fail for a name under the top-level domain `invalid` without asking a resolver (RFC 6761, section 6.4).

    An embedded cluster in memory has such names, so that a client that was not given its connector reaches no server.

    Raises:
        OSError: the name is reserved.
    """
    if host.lower().rstrip(".").endswith(".invalid"):
        raise OSError(
            f"{host!r} cannot be dialled: no host has a name under .invalid. An embedded cluster with memory=True has "
            "such addresses: pass open_client(cluster.hosts, connector=cluster.connector), or open the cluster "
            "without memory=True"
        )


def _no_host_name(host: str, error: ValueError) -> OSError:
    """A name that no resolver is even asked for (an empty label, one over 63 bytes) is an address without a server."""
    return OSError(f"{host!r} cannot be a host name: {error}")


def _first_cause(error: OSError) -> OSError:
    """Why a connection could not be made: Trio tries several addresses, and says of each in a cause what went wrong."""
    cause = error.__cause__
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    return cause if isinstance(cause, OSError) else error


#: Every transport there is. Two processes on one connection would read each other's answers: a child has none.
_living: weakref.WeakSet[SocketTransport | StreamTransport] = weakref.WeakSet()


def _close_all_inherited() -> None:
    for transport in list(_living):
        transport.close_now()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_all_inherited)
