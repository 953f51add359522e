"""Server-side streams over TCP and TLS, behind one small protocol."""

from __future__ import annotations

import socket
import ssl
import struct
from typing import Protocol

import trio

_LINGER_RESET = struct.pack("ii", 1, 0)


class ServerStream(Protocol):
    """What the server needs of a stream."""

    async def receive_some(self, max_bytes: int) -> bytes:
        """Receive available data, at most `max_bytes`; b"" at the end of the stream."""
        ...

    async def send_all(self, data: bytes) -> None:
        """Send everything."""

    def abort(self) -> None:
        """Close at once with a reset; the peer loses what it has not read."""

    async def aclose(self) -> None:
        """Close in good order."""

    def certificate_name(self) -> str | None:
        """The common name of the peer's certificate; None if it has none."""


class TcpStream:
    """A plain socket, with as few checkpoints as fairness allows."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def receive_some(self, max_bytes: int) -> bytes:
        """Wait until data is available, which is a checkpoint, and receive it."""
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            try:
                return self._sock.recv(max_bytes)
            except (BlockingIOError, InterruptedError):
                continue

    async def send_all(self, data: bytes) -> None:
        """Send at once what the socket accepts, then wait for room for the rest."""
        sent = self._send(data)
        if sent == len(data):
            return
        view = memoryview(data)[sent:]
        while view:
            await trio.lowlevel.wait_writable(self._sock)
            view = view[self._send(view) :]

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0

    def abort(self) -> None:
        """Close with a reset."""
        if self._sock.fileno() < 0:
            return
        trio.lowlevel.notify_closing(self._sock)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        self._sock.close()

    async def aclose(self) -> None:
        """Close in good order."""
        if self._sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()
        await trio.lowlevel.checkpoint()

    def certificate_name(self) -> None:
        """None: there are no certificates without TLS."""


class TlsStream:
    """A TLS stream; the handshake happens with the first use."""

    def __init__(self, stream: trio.SocketStream, context: ssl.SSLContext) -> None:
        self._socket = stream.socket
        self._tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)

    async def receive_some(self, max_bytes: int) -> bytes:
        """Receive and decrypt data."""
        return bytes(await self._tls.receive_some(max_bytes))

    async def send_all(self, data: bytes) -> None:
        """Encrypt and send everything."""
        await self._tls.send_all(data)

    def abort(self) -> None:
        """Close with a reset, without TLS close_notify."""
        if self._socket.fileno() >= 0:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            self._socket.close()

    async def aclose(self) -> None:
        """Close in good order."""
        await self._tls.aclose()

    def certificate_name(self) -> str | None:
        """The common name of the peer's certificate; None if it was not requested."""
        certificate = self._tls.getpeercert() or {}
        for part in certificate.get("subject", ()):
            for name, value in part:
                if name == "commonName":
                    return str(value)
        return None


async def accepted_stream(stream: trio.SocketStream, context: ssl.SSLContext | None) -> ServerStream:
    """Wrap an accepted connection, with TLS if there is a context."""
    if context is not None:
        return TlsStream(stream, context)
    sock = socket.socket(fileno=stream.socket.detach())
    sock.setblocking(False)
    return TcpStream(sock)
