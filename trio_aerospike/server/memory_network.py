"""In-memory connections: pairs of streams, and a network that connects clients to listeners.

They behave like sockets where it matters to a client: a full buffer blocks the writer, a close is the end of the stream
for the peer, a reset breaks both directions and loses buffered data. They need only Trio's clock and scheduler, so they
work under `trio.testing.MockClock`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

BUFFER_SIZE = 256 * 1024
"""Bytes that one direction buffers before its writer has to wait."""


class _Direction:
    """The buffer of one direction."""

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
    """One end of an in-memory connection."""

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
        """Send as many bytes as fit now, without waiting.

        Returns:
            The number of bytes sent, possibly 0.

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
        """None: there are no certificates without TLS."""

    async def aclose(self) -> None:
        """Close; the same as `close_now`, and a checkpoint."""
        self.close_now()
        await trio.lowlevel.checkpoint()

    def abort(self) -> None:
        """Reset the connection: both ends break, buffered data is lost."""
        self._closed = True
        for direction in (self._outgoing, self._incoming):
            direction.broken = True
            direction.chunks.clear()
            direction.held = 0
            direction.wake()


def memory_stream_pair(buffer_size: int = BUFFER_SIZE) -> tuple[MemoryStream, MemoryStream]:
    """The two ends of a new connection; each direction buffers `buffer_size` bytes."""
    there, back = _Direction(buffer_size), _Direction(buffer_size)
    return MemoryStream(there, back), MemoryStream(back, there)


class MemoryNetwork:
    """The listeners of an in-memory network by (host, port)."""

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
