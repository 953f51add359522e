"""Connections without a network: pairs of streams in memory, and a registry of who listens where.

They behave as sockets do where it matters to a client: a full buffer blocks the writer, a close is the end of the
stream for the peer, a reset breaks both directions and loses what was on its way. Everything runs on Trio's clock and
scheduler alone, so it works under `trio.testing.MockClock`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

BUFFER_SIZE = 256 * 1024
"""Bytes that one direction holds before its writer has to wait."""


class _Direction:
    """Bytes on their way from one end to the other."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.held: int = 0
        self.chunks: deque[bytes] = deque()
        self.ended = False
        self.broken = False
        self.reader_gone = False
        self.readers: trio.lowlevel.ParkingLot = trio.lowlevel.ParkingLot()
        self.writers: trio.lowlevel.ParkingLot = trio.lowlevel.ParkingLot()

    def wake(self) -> None:
        self.readers.unpark_all()
        self.writers.unpark_all()

    def put(self, data: bytes | bytearray | memoryview) -> int:
        taken = min(len(data), self.size - self.held)
        if taken > 0:
            self.chunks.append(bytes(data[:taken]))
            self.held += taken
            self.readers.unpark_all()
        return max(taken, 0)

    def take(self, max_bytes: int) -> bytes:
        parts: list[bytes] = []
        wanted = max_bytes
        while self.chunks and wanted:
            chunk = self.chunks.popleft()
            if len(chunk) > wanted:
                self.chunks.appendleft(chunk[wanted:])
                chunk = chunk[:wanted]
            parts.append(chunk)
            wanted -= len(chunk)
        data = b"".join(parts)
        self.held -= len(data)
        self.writers.unpark_all()
        return data


class MemoryStream:
    """One end of a connection in memory."""

    def __init__(self, outgoing: _Direction, incoming: _Direction) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self._closed = False

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<MemoryStream {state}, {self._outgoing.held} bytes out, {self._incoming.held} bytes in>"

    def _check_writable(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this end of the connection was closed")
        if self._outgoing.broken or self._outgoing.reader_gone:
            raise trio.BrokenResourceError("the connection was reset by the peer")

    def try_send(self, data: bytes | bytearray | memoryview) -> int:
        """Take as many bytes as fit now, without waiting.

        Returns:
            How many bytes were taken, possibly none.

        Raises:
            trio.ClosedResourceError: this end was closed.
            trio.BrokenResourceError: the peer closed or reset the connection.
        """
        self._check_writable()
        return self._outgoing.put(data)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything, waiting for room; the exceptions are those of `try_send`."""
        view = memoryview(data)
        await trio.lowlevel.checkpoint()
        while True:
            view = view[self.try_send(view) :]
            if not view:
                return
            await self._outgoing.writers.park()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive what there is, at most `max_bytes`; b"" is the end of the stream.

        Raises:
            trio.ClosedResourceError: this end was closed.
            trio.BrokenResourceError: the connection was reset.
        """
        await trio.lowlevel.checkpoint()
        while True:
            if self._closed:
                raise trio.ClosedResourceError("this end of the connection was closed")
            if self._incoming.broken:
                raise trio.BrokenResourceError("the connection was reset by the peer")
            if self._incoming.chunks:
                return self._incoming.take(BUFFER_SIZE if max_bytes is None else max_bytes)
            if self._incoming.ended:
                return b""
            await self._incoming.readers.park()

    def close_now(self) -> None:
        """Close at once: the peer reads what was sent and then the end of the stream."""
        if self._closed:
            return
        self._closed = True
        self._outgoing.ended = True
        self._incoming.reader_gone = True
        self._outgoing.wake()
        self._incoming.wake()

    def certificate_name(self) -> None:
        """There are no certificates without TLS."""

    async def aclose(self) -> None:
        """Close; the same as `close_now`, and a checkpoint."""
        self.close_now()
        await trio.lowlevel.checkpoint()

    def abort(self) -> None:
        """Reset: both ends break, what was on its way is lost."""
        self._closed = True
        for direction in (self._outgoing, self._incoming):
            direction.broken = True
            direction.chunks.clear()
            direction.held = 0
            direction.wake()


def memory_stream_pair(buffer_size: int = BUFFER_SIZE) -> tuple[MemoryStream, MemoryStream]:
    """Two ends of one connection; each direction holds `buffer_size` bytes."""
    there, back = _Direction(buffer_size), _Direction(buffer_size)
    return MemoryStream(there, back), MemoryStream(back, there)


class MemoryNetwork:
    """Who listens at which (host, port), in place of an operating system."""

    def __init__(self) -> None:
        self._listeners: dict[tuple[str, int], Callable[[MemoryStream], None]] = {}

    def listen(self, address: tuple[str, int], accept: Callable[[MemoryStream], None]) -> None:
        """Call `accept` with the server's end of every connection to the address."""
        self._listeners[address] = accept

    def unlisten(self, address: tuple[str, int]) -> None:
        """Refuse connections to the address from now on."""
        self._listeners.pop(address, None)

    async def connect(self, host: str, port: int, tls_name: str | None = None) -> MemoryStream:
        """Open a connection: the connector to hand to `open_client`.

        Raises:
            ConnectionRefusedError: nobody listens there.
        """
        await trio.lowlevel.checkpoint()
        accept = self._listeners.get((host, port))
        if accept is None:
            raise ConnectionRefusedError(f"nobody listens at {host}:{port}")
        client, server = memory_stream_pair()
        accept(server)
        return client
