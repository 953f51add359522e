"""Blocking connection: a request pipeline over a blocking socket, for one thread at a time.

One request is under way at a time. The queues and what is done about unsolicited frames are those of
:class:`~trio_aerospike._wire.pipeline.RequestPipeline`; here are the socket and its timeouts, which the kernel keeps.
"""

from __future__ import annotations

import math
import socket
import struct
import time
from collections.abc import Callable
from typing import Final

from ..._wire.constants import PROTO_MESSAGE
from ..._wire.pipeline import RequestPipeline
from ...validation import Uncopyable
from .transport import unread

#: The longest timeout that is set in the kernel, in seconds; a longer wait begins anew after it.
_LONGEST: Final = 3600.0
#: Part of a timeout by which a wait may be longer, so that the kernel is told only when the timeout changes.
_TOLERANCE: Final = 0.02
#: ``struct timeval``. Where its microseconds have 32 bits (macOS), the rest is padding that nobody reads.
_TIMEVAL: Final = struct.Struct("@ll")
_RECEIVE: Final = 65536
#: Bytes of one call of ``send``: each may take the kernel's whole timeout.
_SEND: Final = 65536


class _Request:
    """The request under way; one object serves all of a connection's requests."""

    __slots__ = ("abandoned", "consume", "deadline", "frame", "kind", "sent", "sent_at")

    def __init__(self) -> None:
        self.frame = b""
        self.kind = PROTO_MESSAGE
        self.deadline = math.inf
        self.sent = False
        self.sent_at = 0.0
        self.abandoned = False
        self.consume: Callable[[bytes], bool] | None = None

    def expires_at(self, now: float, /) -> float:
        """Nothing waits for the socket here: a request is sent at once."""
        return math.inf


class BlockingConnection(Uncopyable):
    """A leased connection, used by one thread at a time.

    Attributes:
        rested_since: on the monotonic clock, when its last answer was in.
        until: on the monotonic clock, when the exchange under way has to be over; infinity while there is none.
    """

    __slots__ = ("__weakref__", "_least", "_most", "_pipeline", "_request", "_sock", "_unread", "rested_since", "until")

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        self._sock = sock
        self._pipeline: RequestPipeline[_Request] = RequestPipeline("the server")
        self._request = _Request()
        self._unread: Callable[[], object] | None = None
        # The kernel's timeout is good for any wait between these two.
        self._least = self._most = math.nan
        self.rested_since: float = time.monotonic()
        self.until: float = math.inf

    @property
    def sent(self) -> bool:
        """Whether the server may have received anything of the last request."""
        return self._request.sent

    def fresh(self) -> bool:
        """Whether the connection is idle: no answer is owed, and the server has neither closed it nor sent anything.

        Asked before each request: the protocol has no number that tells an unsolicited frame from the answer.
        """
        pipeline = self._pipeline
        if pipeline.sent or pipeline.unsent or pipeline.error is not None:
            return False
        look = self._unread
        if look is None:
            look = self._unread = unread(self._sock)
        return not look()

    def for_loop(self) -> socket.socket:
        """Return the socket, non-blocking, for an event loop that has the connection for good."""
        self._sock.setblocking(False)
        return self._sock

    def exchange(self, frame: bytes, deadline: float) -> bytes:
        """Send a request and wait for its answer.

        After any exception the connection is of no use any more: it may still owe the answer, if the request was sent.

        Args:
            frame: the request.
            deadline: on the monotonic clock; infinity for none.

        Returns:
            The body of the answer. Where the server has sent more than that, the connection is not fresh any more.

        Raises:
            TimeoutError: no whole answer by then.
            OSError: the connection broke.
            ProtocolError: the server sent something else than one answer.
        """
        sock, pipeline, request = self._sock, self._pipeline, self._request
        request.frame = frame
        request.sent = False
        self.until = deadline
        if not self._least <= deadline - time.monotonic() <= self._most:
            self._limit(deadline)
        pipeline.submit(request)
        data = pipeline.data_to_send(0.0)
        try:
            try:
                sent = sock.send(data) if len(data) <= _SEND else 0
            except BlockingIOError:
                sent = 0
            except OSError:
                pipeline.bytes_sent(0)
                raise
            if sent == len(data):
                pipeline.bytes_sent(sent)
            else:
                self._send_rest(data, sent, deadline)
            try:
                data = sock.recv(_RECEIVE)
            except BlockingIOError:
                data = self._receive(deadline)
            while True:
                if not data:
                    if time.monotonic() >= deadline:
                        raise TimeoutError
                    raise ConnectionResetError("the server closed the connection")
                completed = pipeline.receive_data(data)
                if completed:
                    body = completed[0][1]
                    # An idle connection keeps neither the request nor the answer.
                    completed.clear()
                    request.frame = b""
                    self.until = math.inf
                    return body
                if pipeline.error is not None:
                    raise pipeline.error
                data = self._receive(deadline)
        except TimeoutError as error:
            if error.errno is None:
                raise
            # The kernel's own (ETIMEDOUT): the peer's machine has vanished, whatever time the request still had.
            raise ConnectionAbortedError(error.errno, error.strerror) from error

    def _send_rest(self, data: bytes, sent: int, deadline: float) -> None:
        """Send what may take a while, a piece at a time."""
        view = memoryview(data)
        try:
            while sent < len(data):
                self._limit(deadline)
                try:
                    sent += self._sock.send(view[sent : sent + _SEND])
                except BlockingIOError:
                    continue
        finally:
            self._pipeline.bytes_sent(sent)
        self._limit(deadline)

    def _receive(self, deadline: float) -> bytes:
        while True:
            self._limit(deadline)
            try:
                return self._sock.recv(_RECEIVE)
            except BlockingIOError:
                continue

    def _limit(self, deadline: float) -> None:
        """Have the kernel end a wait at the deadline, or a little later.

        Raises:
            TimeoutError: the deadline has passed.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self._least <= left <= self._most:
            return
        # A timeout in the kernel costs nothing per call where the same one is wanted again and again.
        wait = min(left, _LONGEST)
        value = _TIMEVAL.pack(*divmod(int(wait * 1e6) + 1, 1_000_000))
        self._least = self._most = math.nan
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)
        # One that ends early is found out, and the wait goes on.
        self._most = left * (1 + _TOLERANCE) if left < _LONGEST else math.inf
        self._least = wait * (1 - _TOLERANCE)
