"""Buffers between the task that reads a connection and the task that decodes what has arrived.

The reader of a connection hands frames over and decodes nothing. :class:`AnswerFrames` passes the frames of one answer
to the task that waits for it. :class:`FrameBuffer` stores those of several nodes for one reader, which may come much
later; when it is full, connections are left unread, which stops the servers.
"""

from __future__ import annotations

import math
import secrets
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

import trio

from ..._wire.constants import PROTO_MESSAGE
from ..._wire.query_answers import is_end
from ...errors import AerospikeError, ProtocolError
from ..connections.loop_clock import loop_clock
from ..connections.request import Failure, Request

if TYPE_CHECKING:
    from ..tend.cluster import Cluster
    from ..tend.node import Node

#: Bytes that may wait for the reader before connections are left unread. A frame of the server's has up to 1.75 MB.
BUFFER_SIZE = 2 * 1024 * 1024
#: Seconds that a server may take to be told that a query is no longer wanted.
ABORT_TIMEOUT = 5.0


class AnswerFrames:
    """The frames of one answer, for the task that waits for it and decodes them.

    It holds what one or two receives bring: the task is woken for each frame and takes all that have come, and the
    reader of the connection does not receive again before other tasks have run.

    Args:
        is_last: tells the last frame of an answer without decoding it; asked only when nobody waits any more, so that
            the connection can be used again behind the answer.

    Attributes:
        request: the request that is answered; set before it is submitted.
    """

    __slots__ = ("_frames", "_is_last", "request")

    request: Request

    def __init__(self, is_last: Callable[[bytes], bool]) -> None:
        self._frames: deque[bytes] = deque()
        self._is_last = is_last

    def take(self, body: bytes) -> bool:
        """Take a frame from the reader of the connection: the request's ``consume``."""
        request = self.request
        if request.abandoned:
            return self._is_last(body)
        self._frames.append(body)
        request.wake()
        return False

    async def next(self) -> bytes | None:
        """Wait for the next frame; None where the request has failed and all that came before has been read."""
        while not self._frames:
            if self.request.failure is not None:
                return None
            await self.request.wait()
        return self._frames.popleft()

    def complete(self, body: bytes) -> None:
        """End the answer: ``body`` was its last frame."""
        request = self.request
        request.reply = body
        if request.holder is not None:
            request.holder.complete(request, len(self._frames))

    def undecodable(self, error: Exception) -> None:
        """End the request, as a frame could not be decoded: nothing that follows is of use."""
        request = self.request
        if not isinstance(error, ProtocolError):
            request.fail(Failure.UNREADABLE, error)
        if request.holder is not None:
            request.holder.discard(request, error if isinstance(error, ProtocolError) else None)


class NodeAnswer:
    """One node's answer to a query, under way.

    Attributes:
        node: whose.
        trid: the number by which the server knows the query.
        request: the request, once it has been made.
        whole: the last frame has come.
        held: the rest is left unread for now.
    """

    __slots__ = ("held", "node", "request", "trid", "whole")

    def __init__(self, node: Node) -> None:
        self.node = node
        # The server knows a query by its number for a while: another request has another.
        self.trid = secrets.randbits(63) | 1
        self.request: Request | None = None
        self.whole = False
        self.held = False


A = TypeVar("A", bound=NodeAnswer)


class FrameBuffer(Generic[A]):
    """Frames of several nodes' answers, in the order in which they came. There is no task here.

    Args:
        cluster: whose nodes answer.
        limit: on the loop clock, when all is given up.
        silence: seconds without a frame from a node, while its connection is read, after which its answer is given up.

    Attributes:
        answers: the answers that have not been read to their ends.
        frames: frames in the order in which they came; None where an answer has ended, in good order or not.
        size: bytes of frames that the reader has not used up.
    """

    def __init__(self, cluster: Cluster, limit: float, silence: float) -> None:
        self._cluster = cluster
        self._began = loop_clock().now()
        self._limit = limit
        self._silence = silence
        self._arrived: trio.Event | None = None
        self.answers: set[A] = set()
        self.frames: deque[tuple[A, bytes | None]] = deque()
        self.size = 0

    def ask(self, answer: A, frame: bytes) -> None:
        """Send a request; its answer is among the others from now on."""
        request = answer.request = Request(
            frame,
            PROTO_MESSAGE,
            self._deadline(),
            self._limit,
            self._silence,
            False,
            lambda body: self._take(answer, body),
            total=math.inf if self._limit == math.inf else None,
            arrived=self._began,
        )
        request.attended = False
        request.on_done = lambda: self._ended(answer)
        self.answers.add(answer)
        answer.node.submit(request)

    async def wait(self) -> None:
        """Park until something comes."""
        self._arrived = trio.Event()
        await self._arrived.wait()

    def used(self, size: int) -> None:
        """Note that a frame has been used up: where there is room again, connections are read again."""
        self.size -= size
        if self.size > BUFFER_SIZE // 2:
            return
        deadline = self._deadline()
        for answer in self.answers:
            if answer.held:
                answer.held = False
                request = answer.request
                assert request is not None
                hold, request.hold = request.hold, None
                if request.holder is not None:
                    request.holder.prolong(request, deadline)
                if hold is not None:
                    hold.set()

    def close(self, *, tell: bool) -> None:
        """Give all answers up: their connections are closed, and come off the pools' counts at once.

        Args:
            tell: have the servers told that they may stop.
        """
        answers, self.answers = self.answers, set()
        self.frames.clear()
        for answer in answers:
            request = answer.request
            if request is None or answer.whole:
                continue
            request.on_done = None
            if request.holder is None or request.failure is not None:
                continue
            request.holder.discard(request, None)
            if tell and request.sent:
                self._cluster.in_background(_abort, answer.node, answer.trid)

    def _deadline(self) -> float:
        return min(self._limit, loop_clock().now() + self._silence)

    def _put(self, answer: A, body: bytes | None) -> None:
        self.frames.append((answer, body))
        if self._arrived is not None:
            self._arrived.set()

    def _take(self, answer: A, body: bytes) -> bool:
        """Take a frame from the reader of the connection; returns whether it is the last of its answer."""
        request = answer.request
        assert request is not None
        self._put(answer, body)
        self.size += len(body)
        if is_end(body):
            answer.whole = True
            self._put(answer, None)
            return True
        if self.size > BUFFER_SIZE:
            # The reader's pauses do not count against the server: its time stands still.
            answer.held = True
            request.hold = trio.Event()
            request.deadline = self._limit
        else:
            request.deadline = self._deadline()
        return False

    def _ended(self, answer: A) -> None:
        """Note that an answer has ended, in good order or not; called by the connection."""
        if answer.whole or answer not in self.answers:
            return
        self._put(answer, None)
        request = answer.request
        if request is not None and request.failure is Failure.EXPIRED and request.holder is not None and request.sent:
            # What may still come of it is of no use.
            request.holder.discard(request, None)


async def _abort(node: Node, trid: int) -> None:
    """Tell a node that a query is no longer wanted: it would only notice with its next frame, which may take long."""
    try:
        await node.info(f"query-abort:trid={trid}", timeout=ABORT_TIMEOUT)
    except AerospikeError:
        pass  # it has ended, or ends when it finds the connection closed
