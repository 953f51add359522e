"""Request pipeline of one connection, sans-I/O: requests leave in order, and answers complete them in the same order.

The server works on one request of a connection at a time and answers in order (``as/src/base/service.c``), so answers
carry no correlation id: the oldest request that was sent owns the next answer. There is no socket, no clock and no task
here. A driver (Trio, asyncio, a blocking thread) moves bytes and times in, and settles the requests that come out::

    pipeline.submit(request)
    data = pipeline.data_to_send(now)
    pipeline.bytes_sent(sock.send(data))
    for request, body in pipeline.receive_data(sock.recv(65536)):
        ...  # body is b"" where nobody waits for the answer any more
    if pipeline.error is not None:
        ...  # close the connection: pipeline.close() returns the requests that are left

A request moves through four states. "." changes nothing, "-" is a mistake of the driver; expire acts on requests whose
deadline has passed.

=================  ==================  ================  ================  =======================
call               UNSENT              OFFERED           SENT              ABANDONED
=================  ==================  ================  ================  =======================
submit             (a new request)     -                 -                 -
data_to_send       OFFERED             .                 .                 .
bytes_sent(0)      .                   UNSENT or SENT    .                 .
bytes_sent(n > 0)  .                   SENT              .                 .
receive_data       .                   completed         completed         completed, body dropped
complete           -                   -                 completed         completed
withdraw           removed             -                 -                 -
abandon            -                   ABANDONED         ABANDONED         .
expire             removed, reported   ABANDONED         ABANDONED         reported again
take_unsent        removed, returned   .                 .                 .
close              returned as unsent  returned as sent  returned as sent  returned as sent
=================  ==================  ================  ================  =======================

``request.sent`` is true in all states but UNSENT. An OFFERED request counts as sent, since nobody knows what a send
that was interrupted has delivered; only ``bytes_sent(0)`` says that nothing left, and is believed where none of that
send has been abandoned, or answered in whole or in part (all of it is SENT otherwise). An ABANDONED request is a
tombstone: it keeps its place until its answer has been read and dropped.

The pipeline itself has two states: sound, and failed, which is final. It fails when the server sends what no request is
owed (an answer too many, or a part of one after the last) or what is no answer: then nothing tells which answer belongs
to which request. Answers that were whole before the fault are still handed out where their owners are certain.
"""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from ..errors import ProtocolError
from . import constants as wire, reading
from .commands import transaction_ttl_of
from .frames import FrameReader

#: Bytes gathered for one send; requests behind them can still be withdrawn.
SEND_SIZE: Final = 128 * 1024
#: Unsent bytes past which a driver submits nothing more.
UNSENT_LIMIT: Final = 1024 * 1024
#: Seconds for which an abandoned request may delay those behind it and keep its slot, where its deadline is later.
ABANDONED_SECONDS: Final = 1.0

#: Size of the smallest frame that holds a message.
_SMALLEST: Final = wire.PROTO_HEADER_SIZE + wire.MESSAGE_HEADER_SIZE
#: The header of a frame that is one message (version 2, type 3), as a number, less the size of the frame.
_MESSAGE_OF: Final = 0x0203_0000_0000_0000 - 8

_pack_ttl = struct.Struct(">I").pack


def restamped(frame: bytes, expires: float, now: float) -> bytes:
    """Return a request with its remaining time as transaction ttl: whole milliseconds, at least 1.

    A frame that is no message, or whose command has no time limit, is returned as it is.
    """
    if frame[1] != wire.PROTO_MESSAGE or expires == math.inf:
        return frame
    ttl = _pack_ttl(transaction_ttl_of(expires - now))
    return frame[: wire.TRANSACTION_TTL_OFFSET] + ttl + frame[wire.TRANSACTION_TTL_OFFSET + 4 :]


class PipelinedRequest(Protocol):
    """What the pipeline reads and writes of a request. A driver's requests hold more.

    Attributes:
        frame: the bytes of the request.
        kind: protocol type of the answer.
        deadline: when the attempt is given up, on the driver's clock.
        sent: whether the server may have received any of it.
        sent_at: when it was last handed to the socket.
        abandoned: nobody waits for the answer any more.
        consume: None for an answer of one frame. Otherwise called with each frame of the answer; returns whether that
            was the last. It may return False always where the driver calls :meth:`RequestPipeline.complete`. What it
            raises comes out of :meth:`RequestPipeline.receive_data`; the connection has to be closed then.
    """

    frame: bytes
    deadline: float
    sent: bool
    sent_at: float
    abandoned: bool
    consume: Callable[[bytes], bool] | None

    @property
    def kind(self) -> int: ...

    def expires_at(self, now: float, /) -> float:
        """When the whole command is given up: what is left until then is its transaction ttl."""


R = TypeVar("R", bound=PipelinedRequest)

if TYPE_CHECKING:

    class _Parameterised(Generic[R]):
        pass
else:

    class _Parameterised:
        """What a compiled class can have in the place of Generic as a base."""

        __slots__ = ()

        def __class_getitem__(cls, parameter):
            return cls


class _Base:
    """The first base of a compiled class must be one as well."""

    __slots__ = ()


class RequestPipeline(_Base, _Parameterised[R]):
    """The requests of one connection, first in, first out; the module describes its states.

    A driver reads the attributes and changes none but ``blocked``.

    Whatever interrupts a call that returns no request (a KeyboardInterrupt in a callback of an event loop), and
    :meth:`receive_data` and :meth:`expire`, each request is then found in ``unsent``, ``sent``, ``completed`` or
    ``expired``, perhaps in two of them. Of an interrupted :meth:`withdraw`, :meth:`take_unsent` or :meth:`close` some
    may be in none: a driver settles them first, or is protected.

    Args:
        peer: names the server in errors.

    Attributes:
        unsent: requests that wait to be sent, in order.
        sent: requests that are owed an answer, in order, tombstones included.
        unsent_bytes: size of the frames in ``unsent``.
        blocked: the socket takes nothing at the moment. A driver sets it when it starts to wait for the socket; what
            goes out afterwards carries its remaining time as transaction ttl.
        error: why the pipeline has failed; None while it is sound.
        completed: what the last :meth:`receive_data` returned. A driver may clear it, to release the bodies.
        expired: what the last :meth:`expire` returned.
    """

    __slots__ = (
        "_begun",
        "_frames",
        "_offered",
        "_outgoing",
        "_partial",
        "_peer",
        "_rest",
        "blocked",
        "completed",
        "error",
        "expired",
        "sent",
        "unsent",
        "unsent_bytes",
    )

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._frames = FrameReader()
        self._partial = self._frames.partial
        self.unsent: deque[R] = deque()
        self.sent: deque[R] = deque()
        self.unsent_bytes: int = 0
        #: What the last :meth:`data_to_send` returned, until :meth:`bytes_sent` tells how much of it was sent.
        self._outgoing = b""
        #: How many requests it holds of which nothing was sent before.
        self._offered = 0
        #: The rest of what the socket did not take.
        self._rest = b""
        #: Frames have come of the answer to the oldest request, and not its last one.
        self._begun = False
        self.blocked: bool = False
        self.error: ProtocolError | None = None
        self.completed: list[tuple[R, bytes]] = []
        self.expired: list[R] = []

    def __repr__(self) -> str:
        state = "sound" if self.error is None else f"failed: {self.error}"
        return f"<RequestPipeline {self._peer} {state}, {len(self.sent)} sent, {len(self.unsent)} unsent>"

    @property
    def depth(self) -> int:
        """Requests that were submitted and are not answered, tombstones included."""
        return len(self.sent) + len(self.unsent)

    @property
    def awaited(self) -> bool:
        """Whether anybody waits for an answer."""
        return bool(self.unsent) or any(not request.abandoned for request in self.sent)

    @property
    def partial_bytes(self) -> int:
        """How many bytes have come of a frame that is not whole yet."""
        return len(self._partial)

    # -- sending -----------------------------------------------------------------------------------------------------

    def submit(self, request: R) -> None:
        """Put a request at the end of the queue.

        Raises:
            ProtocolError: the pipeline has failed.
        """
        if self.error is not None:
            raise self.error
        self.unsent.append(request)
        self.unsent_bytes += len(request.frame)

    def data_to_send(self, now: float) -> bytes:
        """Return the next bytes for the socket: the rest of those before, or whole requests, which count as sent now.

        A single request is not copied. :meth:`bytes_sent` has to follow; until then there is nothing more to send.

        Args:
            now: the driver's time.

        Returns:
            The bytes; ``b""`` where there is nothing to send.
        """
        if self._outgoing or self.error is not None:
            return b""
        if self._rest:
            data = self._outgoing = self._rest
            self._rest = b""
            self._offered = 0
            return data
        unsent = self.unsent
        if not unsent:
            return b""
        sent = self.sent
        restamp = self.blocked
        if len(unsent) == 1 and not restamp:
            request = unsent[0]
            data = request.frame
            request.sent = True
            request.sent_at = now
            self._offered = 1
            self._outgoing = data
            sent.append(request)
            unsent.popleft()
            self.unsent_bytes = 0
            return data
        size = 0
        frames: list[bytes] = []
        for request in unsent:
            frame = request.frame
            if restamp:
                frame = request.frame = restamped(frame, request.expires_at(now), now)
            frames.append(frame)
            size += len(frame)
            if size >= SEND_SIZE:
                break
        # All that can fail is done: from here on the requests count as sent.
        data = b"".join(frames)
        # Those behind have waited for the socket as well.
        self.blocked = restamp and len(frames) < len(unsent)
        self._offered = len(frames)
        self._outgoing = data
        for _ in frames:
            request = unsent[0]
            request.sent = True
            request.sent_at = now
            sent.append(request)
            unsent.popleft()
        self.unsent_bytes -= size
        return data

    def bytes_sent(self, count: int) -> None:
        """Note how many bytes of the last :meth:`data_to_send` the socket took.

        With 0 the requests that were offered are unsent again, in no doubt, unless one of them was abandoned, or
        answered in whole or in part, meanwhile.
        """
        data = self._outgoing
        self._outgoing = b""
        if count < len(data) and (count or not self._take_back()):
            self._rest = data[count:]

    def _take_back(self) -> bool:
        """Make the offered requests unsent again; returns whether that was possible."""
        sent, count = self.sent, self._offered
        if not count or count > len(sent) or any(sent[-place].abandoned for place in range(1, count + 1)):
            return False
        if count == len(sent) and (self._begun or self._partial):
            return False
        for _ in range(count):
            request = sent[-1]
            request.sent = False
            self.unsent.appendleft(request)
            sent.pop()
            self.unsent_bytes += len(request.frame)
        return True

    # -- receiving ---------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes | bytearray) -> list[tuple[R, bytes]]:
        """Take bytes from the socket and hand out the requests that they complete.

        Requests that were completed before a fault are still returned; :attr:`error` is set then. Of a burst with more
        answers than requests nothing is returned: which of them are the answers cannot be told.

        Returns:
            Completed requests, in order, with the body of their answer; ``b""`` in place of the body where the request
            was abandoned. An answer of several frames completes its request with the body of the last.

        Raises:
            ProtocolError: the pipeline had failed before.
        """
        if self.error is not None:
            raise self.error
        whole = data if type(data) is bytes else bytes(data)
        sent = self.sent
        size = len(whole)
        head = 0
        if sent and size >= _SMALLEST and not self._partial and not self._rest:
            (head,) = reading.unpack_u64(whole, 0)
        if head == _MESSAGE_OF + size:
            # One whole message and nothing else, the usual answer to one request at a time: half the work.
            request = sent[0]
            if request.consume is None and request.kind == wire.PROTO_MESSAGE:
                completed = self.completed = [(request, b"" if request.abandoned else whole[wire.PROTO_HEADER_SIZE :])]
                sent.popleft()
                return completed
        frames = self._frames.feed(whole)
        completed = self.completed = []
        if frames:
            # The last request is owed nothing while the socket has not taken all of it.
            last = 1 if self._rest else 0
            if len(sent) == last or (len(frames) > len(sent) - last and self._single_frames()):
                self._fail_unsolicited(f"{len(frames)} answers to {len(sent) - last} requests")
                return completed
            for kind, body in frames:
                if len(sent) == last:
                    self._fail_unsolicited("a frame after its last answer")
                    return completed
                request = sent[0]
                if kind != request.kind:
                    text = f"{self._peer} answered a request of type {request.kind} with type {kind}"
                    self.error = ProtocolError(text)
                    return completed
                if request.consume is not None:
                    if not request.consume(body):
                        self._begun = True
                        continue
                    self._begun = False
                    request.consume = None  # it often refers to the request, in a circle
                elif kind == wire.PROTO_MESSAGE and len(body) < wire.MESSAGE_HEADER_SIZE:
                    text = f"{self._peer} sent a message of {len(body)} bytes, shorter than its header"
                    self.error = ProtocolError(text)
                    return completed
                completed.append((request, b"" if request.abandoned else body))
                sent.popleft()
        if self._frames.error is not None:
            self.error = self._frames.error
        elif self._partial and not sent:
            self._fail_unsolicited(f"{len(self._partial)} bytes after its last answer")
        return completed

    def _single_frames(self) -> bool:
        """Whether each request in flight is owed one frame."""
        return all(request.consume is None for request in self.sent)

    def complete(self, request: R, left_over: int = 0) -> None:
        """End an answer of several frames whose last frame the driver has found, instead of ``consume``.

        Args:
            request: the oldest one that was sent.
            left_over: frames that ``consume`` has taken behind the last one: they were unsolicited.
        """
        assert self.sent[0] is request
        request.consume = None
        self._begun = False
        self.sent.popleft()
        if left_over or (self._partial and not self.sent):
            self._fail_unsolicited("a frame after its last answer")

    def _fail_unsolicited(self, what: str) -> None:
        self.error = ProtocolError(f"{self._peer} sent a reply without a request: {what}")

    # -- requests that end otherwise ---------------------------------------------------------------------------------

    def withdraw(self, request: R) -> None:
        """Remove an unsent request.

        Raises:
            ValueError: it is not unsent.
        """
        self.unsent.remove(request)
        self.unsent_bytes -= len(request.frame)

    def abandon(self, request: R, now: float) -> None:
        """Turn a sent request into a tombstone, whose answer is dropped.

        Its deadline is soon, whatever it was: those behind it have to go elsewhere if it is never answered.
        """
        assert request.sent
        request.abandoned = True
        request.deadline = min(request.deadline, now + ABANDONED_SECONDS)

    def expire(self, now: float) -> tuple[list[R], float]:
        """Give up requests whose deadline has passed: unsent ones are removed, sent ones become tombstones.

        Returns:
            The requests that are overdue (a sent one each time, until it is answered), and the earliest deadline of
            the others; infinity where there is none.
        """
        overdue: list[R] = []
        self.expired = overdue
        due = math.inf
        for request in self.sent:
            if request.deadline > now:
                due = min(due, request.deadline)
            else:
                request.abandoned = True
                overdue.append(request)
        late = 0
        for request in self.unsent:
            if request.deadline > now:
                due = min(due, request.deadline)
            else:
                late += 1
                overdue.append(request)
                self.unsent_bytes -= len(request.frame)
        if late:
            self.unsent = deque(request for request in self.unsent if request.deadline > now)
        return overdue, due

    def take_unsent(self) -> list[R]:
        """Remove and return the requests that were not sent, to go elsewhere."""
        taken = list(self.unsent)
        self.unsent.clear()
        self.unsent_bytes = 0
        return taken

    def close(self, error: ProtocolError | None = None) -> tuple[list[R], list[R]]:
        """Fail the pipeline because its connection has ended; nothing can be submitted or received any more.

        Args:
            error: what ended it, if that was not the pipeline's own error.

        Returns:
            The requests that were sent and will not be answered, tombstones included, and those that were not sent.
        """
        if self.error is None:
            self.error = error or ProtocolError(f"the connection to {self._peer} is closed")
        sent = list(self.sent)
        for request in sent:
            request.consume = None
        self.sent.clear()
        self._outgoing = self._rest = b""
        return sent, self.take_unsent()
