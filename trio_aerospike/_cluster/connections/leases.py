"""Connections lent to threads: a blocking socket that one thread has for itself while it waits for one answer.

A thread that asks Trio for a record pays two hops between threads. On a lent connection it sends and receives by
itself, and only what goes wrong is left to Trio. The connections are opened (and logged in) by the node's own task,
count against ``max_conns_per_node``, and are closed by it when they have been idle for too long.

Threads share nothing here but lists and dicts, of which each use is one atomic step. A thread may be interrupted (by
KeyboardInterrupt) at any of these steps; so nothing is counted that could not be counted again, and a connection that
nobody holds any more is closed when it is collected.
"""

from __future__ import annotations

import math
import os
import socket
import struct
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final, Protocol

from ..._wire.constants import MESSAGE_HEADER_SIZE, PROTO_HEADER_SIZE, PROTO_MESSAGE
from ..._wire.frames import FrameReader
from ...errors import ProtocolError
from ...validation import Uncopyable
from .transport import unread

#: Connections lent per node at the most; threads beyond that go through Trio, where their requests share connections.
MAX_LENT = 16
#: The longest timeout that is set in the kernel, in seconds; a longer wait begins anew after it.
_LONGEST = 3600.0
#: Part of a timeout by which a wait may be longer, so that the kernel is told only when the timeout changes.
_TOLERANCE = 0.02
#: Seconds past its time after which an exchange is ended from outside. Whoever takes signals all the time is one who
#: needs that: the wait for an answer begins anew after each of them (PEP 475), and with it the kernel's timeout.
_OVERDUE = 0.1
#: ``struct timeval``. Where its microseconds have 32 bits (macOS), the rest is padding that nobody reads.
_TIMEVAL = struct.Struct("@ll")
_MSG_DONTWAIT: int = getattr(socket, "MSG_DONTWAIT", 0)
#: Whether connections can be lent: Windows has neither this flag nor timeouts as a ``struct timeval``. Commands of
#: threads and loops are run in Trio there.
CAN_LEND: Final = _MSG_DONTWAIT != 0
_RECEIVE = 65536
_SEND = 65536
_SMALLEST_FRAME = PROTO_HEADER_SIZE + MESSAGE_HEADER_SIZE


class Link(Uncopyable):
    """A lent connection, in the hands of one thread at a time.

    Attributes:
        rested_since: on the monotonic clock, when its last answer was in.
        sent: whether anything of the last request has left.
        until: on the monotonic clock, when the exchange under way has to be over; infinity while there is none.
    """

    __slots__ = ("__weakref__", "_least", "_most", "_sock", "_unread", "rested_since", "sent", "until")

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        self._sock = sock
        self._unread: Callable[[], object] | None = None
        # The kernel's timeout is good for any wait between these two.
        self._least = self._most = math.nan
        self.rested_since: float = time.monotonic()
        self.sent: bool = False
        self.until: float = math.inf

    def fresh(self) -> bool:
        """Whether the server has neither closed the connection nor sent anything since its last answer.

        Looked at before each request: the protocol has no number by which a frame that nobody asked for could be told
        from the answer.
        """
        look = self._unread
        if look is None:
            look = self._unread = unread(self._sock)
        return not look()

    def for_loop(self) -> socket.socket:
        """The socket, for an event loop that is told when it is ready; the link stays with that loop for good."""
        self._sock.setblocking(False)
        return self._sock

    def exchange(self, frame: bytes, deadline: float) -> bytes:
        """Send a request and wait for its answer.

        After any exception the connection is of no use any more: it may still owe the answer, if the request was sent.

        Args:
            frame: the request.
            deadline: on the monotonic clock; infinity for none.

        Returns:
            The body of the answer.

        Raises:
            TimeoutError: no whole answer by then.
            OSError: the connection broke.
            ProtocolError: the answer is not one.
        """
        sock = self._sock
        self.sent = False
        self.until = deadline
        if not self._least <= deadline - time.monotonic() <= self._most:
            self._limit(deadline)
        try:
            try:
                sent = sock.send(frame) if len(frame) <= _SEND else 0
            except BlockingIOError:
                sent = 0
            self.sent = sent > 0
            if sent < len(frame):
                self._send_rest(frame, sent, deadline)
            try:
                data = sock.recv(_RECEIVE)
            except BlockingIOError:
                data = self._receive(deadline)
            size = len(data)
            if (
                size < _SMALLEST_FRAME
                or data[:2] != b"\x02\x03"
                or int.from_bytes(data[2:8], "big") != size - PROTO_HEADER_SIZE
            ):
                body = self._assemble(data, deadline)
            else:
                body = data[PROTO_HEADER_SIZE:]
        except TimeoutError as error:
            if error.errno is None:
                raise
            # The kernel's own (ETIMEDOUT): the peer's machine has vanished, whatever time the request still had.
            raise ConnectionAbortedError(error.errno, error.strerror) from error
        self.until = math.inf
        return body

    def _send_rest(self, frame: bytes, sent: int, deadline: float) -> None:
        """Send what may take a while; a piece at a time, since each may take the kernel's whole timeout."""
        view = memoryview(frame)[sent:]
        while view:
            self._limit(deadline)
            try:
                view = view[self._sock.send(view[:_SEND]) :]
            except BlockingIOError:
                continue
            self.sent = True
        self._limit(deadline)

    def _receive(self, deadline: float) -> bytes:
        while True:
            self._limit(deadline)
            try:
                return self._sock.recv(_RECEIVE)
            except BlockingIOError:
                continue

    def _assemble(self, data: bytes, deadline: float) -> bytes:
        """The body of an answer that came in pieces or packed; of anything else, why it is none."""
        reader = FrameReader()
        while True:
            if not data:
                if time.monotonic() >= deadline:
                    raise TimeoutError
                raise ConnectionResetError("the server closed the connection")
            frames = reader.feed(data)
            if reader.error is not None:
                raise reader.error
            if frames:
                break
            data = self._receive(deadline)
        kind, body = frames[0]
        if len(frames) > 1 or reader.pending:
            raise ProtocolError("a request was answered with more than one frame")
        if kind != PROTO_MESSAGE:
            raise ProtocolError(f"a request of type {PROTO_MESSAGE} was answered with type {kind}")
        if len(body) < MESSAGE_HEADER_SIZE:
            raise ProtocolError(f"a request was answered with {len(body)} bytes, less than the header of a message")
        return body

    def _limit(self, deadline: float) -> None:
        """Have the kernel wait no longer than until then, or a little."""
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


class Holder(Protocol):
    """What keeps a lent connection for longer than one answer, in a thread of its own. Called in Trio's thread."""

    def close_if_idle_since(self, oldest: float) -> None:
        """Discard the connection if nothing has been asked on it since ``oldest``, on the monotonic clock."""

    def give_back(self) -> None:
        """Discard the connection as soon as what is under way is answered: somebody needs the room."""

    def close(self) -> None:
        """Discard the connection now: the client closes or drops the node."""

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for an answer on it."""


class Lender(Uncopyable):
    """The lent connections of one node, for threads and, held for good, for event loops.

    Args:
        on_return: called, in whatever thread, when a connection is given up for good.

    Attributes:
        opening: connections on their way; counted by who opens them.
        closed: whether it lends no more.
    """

    def __init__(self, on_return: Callable[[], None]) -> None:
        self._on_return = on_return
        #: Every connection that is lent, with its socket: what has lost its link is closed.
        self._links: dict[weakref.ref[Link], socket.socket] = {}
        self._resting: list[Link] = []
        #: What event loops hold.
        self._held: dict[Link, Holder] = {}
        # Held to close a socket, and to use one that another thread might be closing: its number might be reused.
        # Reentrant, since a link may be collected anywhere.
        self._closing = threading.RLock()
        self._wanted_back = False
        self.opening = 0
        self.closed: bool = False
        _lenders.add(self)

    def __repr__(self) -> str:
        return (
            f"<Lender {len(self._links)} lent, of these {len(self._resting)} resting and {len(self._held)} in loops"
            f"{', closed' if self.closed else ', wanted back' if self._wanted_back else ''}>"
        )

    @property
    def lent(self) -> int:
        """Connections that are lent, and those on their way."""
        return len(self._links) + self.opening

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for an answer on a lent connection."""
        for ref in self._links.copy():
            link = ref()
            holder = None if link is None else self._held.get(link)
            if link is not None and (link not in self._resting if holder is None else holder.awaited):
                return True
        return False

    def admit(self, sock: socket.socket) -> None:
        """A connection that has been opened for lending; it rests then."""
        try:
            link = Link(sock)
            self._links[weakref.ref(link, self._end)] = sock
        except BaseException:
            sock.close()
            raise
        self.give_back(link)

    def borrow(self) -> Link | None:
        """A connection that rests, if there is one fit for use."""
        while True:
            try:
                link = self._resting.pop()
            except IndexError:
                return None
            if link.fresh():
                return link
            self.discard(link)

    def give_back(self, link: Link) -> None:
        """A connection whose answer has been read."""
        link.rested_since = time.monotonic()
        self._resting.append(link)
        if self._wanted_back:
            self._give_up_resting()

    def hold(self, link: Link, holder: Holder) -> None:
        """A loop keeps a connection for itself, until it is told to give it up."""
        self._held[link] = holder
        if self.closed:
            holder.close()
        elif self._wanted_back:
            holder.give_back()

    def discard(self, link: Link) -> None:
        """A connection that broke, or that owes an answer. Does nothing the second time."""
        self._held.pop(link, None)
        self._end(weakref.ref(link))

    def reap(self, idle_timeout: float) -> None:
        """Close what has rested for longer than ``idle_timeout`` seconds, and end what should long be over."""
        now = time.monotonic()
        oldest = now - idle_timeout
        while True:
            try:
                if self._resting[0].rested_since > oldest:
                    break
                link = self._resting.pop(0)
            except IndexError:
                break
            if link.rested_since > oldest:  # it was used between the look and the grip
                self._resting.append(link)
                if self._wanted_back:
                    self._give_up_resting()
                break
            self.discard(link)
        for holder in self._held.copy().values():
            holder.close_if_idle_since(oldest)
        for ref, sock in self._links.copy().items():
            lent = ref()
            if lent is None:
                self._end(ref)
            elif lent.until < now - _OVERDUE and lent not in self._held:
                self._interrupt(sock)

    def recall(self) -> None:
        """Somebody needs the room: close what rests or is idle now, and the others as they are given back."""
        self._wanted_back = True
        self._give_up_resting()
        for holder in self._held.copy().values():
            holder.give_back()

    def resume(self) -> None:
        """Nobody needs the room any more."""
        self._wanted_back = self.closed

    def close(self) -> None:
        """Close everything: what a thread waits on ends as a broken connection does."""
        self.closed = True
        self._wanted_back = True
        for holder in self._held.copy().values():
            holder.close()
        self._give_up_resting()
        for ref, sock in self._links.copy().items():
            if ref() not in self._held:
                self._interrupt(sock)

    def close_inherited(self) -> None:
        """In a forked child: release every descriptor, and tell nobody; the counts are the parent's."""
        self.closed = self._wanted_back = True
        self._on_return = _nothing
        self._closing = threading.RLock()  # another thread of the parent may have had it
        self._resting.clear()
        self._held.clear()
        for ref in self._links.copy():
            self._end(ref)

    def _give_up_resting(self) -> None:
        while True:
            try:
                link = self._resting.pop()
            except IndexError:
                return
            self.discard(link)

    def _end(self, ref: weakref.ref[Link]) -> None:
        """Close a connection; called once more, by its collection, for one whose borrower was interrupted."""
        sock = self._links.get(ref)
        if sock is not None:
            with self._closing:
                sock.close()
            self._links.pop(ref, None)
            self._on_return()

    def _interrupt(self, sock: socket.socket) -> None:
        """Wake the thread that waits on the socket: it finds the connection closed, and discards it."""
        with self._closing:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is closed, or was never connected


def _nothing() -> None:
    pass


_lenders: weakref.WeakSet[Lender] = weakref.WeakSet()


def _close_all_inherited() -> None:
    """Two processes on one connection would read each other's answers: a child has none of them from the first."""
    for lender in list(_lenders):
        lender.close_inherited()


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_close_all_inherited)
