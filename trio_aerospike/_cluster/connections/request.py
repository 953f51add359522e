"""One request of the client: the task that waits for it, what has it now, and how it ended."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Protocol

import trio


class Failure(enum.Enum):
    """Why a request ended without a reply. :attr:`Request.sent` tells whether it had been sent."""

    EXPIRED = "no reply in time"
    BROKEN = "the connection broke"
    NO_ROOM = "all connections stayed full"
    NO_PROGRESS = "the node answered nothing while the request waited for room"
    UNREADABLE = "the answer could not be decoded"
    UNREACHABLE = "the node cannot be reached"
    REJECTED = "the node refused the login"


class RequestHolder(Protocol):
    """What has a request that is under way: a connection, or the pool where it waits for one."""

    @property
    def retired(self) -> bool:
        """Whether it takes nothing new any more."""

    def withdraw(self, request: Request, /) -> None:
        """Forget an unsent request that nobody waits for any more."""

    def abandon(self, request: Request, /) -> None:
        """Drop the answer of a sent request when it comes."""

    def prolong(self, request: Request, deadline: float, /) -> None:
        """Give a request another deadline."""

    def complete(self, request: Request, left_over: int, /) -> None:
        """End an answer of several frames whose last frame the request's task has found.

        Args:
            request: the request.
            left_over: frames that came behind the last one; they were unsolicited.
        """

    def discard(self, request: Request, error: BaseException | None, /) -> None:
        """End a request at once. Where its answer is owed or cannot be understood, its connection is closed."""


class Request:
    """A request and the task that is parked for its reply. Made once per attempt, so it is small.

    After the task has been woken, ``reply`` or ``failure`` is set, or frames of an answer of several have arrived.
    Times are on the loop clock.

    Attributes:
        task: the parked task; None before it parks and once it has been woken or cancelled.
        frame: the bytes of the request; empty once they are sent and cannot be needed again.
        kind: the protocol type that the reply must have.
        deadline: when the attempt is given up.
        expires: when the whole command is given up.
        scope_deadline: when the caller's cancel scope ends, on Trio's clock.
        socket_timeout: seconds that a connection may owe the reply before it is closed.
        total: seconds that the command may take once it is admitted to a connection; None where its time is running
            already.
        arrived: when the command began: the order in which requests that wait are served.
        write: whether the server is asked to change something.
        exclusive: whether the request takes a connection for itself (its answer is unbounded).
        consume: takes each frame of a reply of several; returns whether that was the last.
        attended: whether a task waits for this request; False for frames that are stored for a later reader, and for a
            second attempt.
        cost: seconds that the request is expected to keep its connection occupied.
        sent: whether the server may have received any of it.
        sent_at: when it was handed to the socket.
        abandoned: nobody waits for the answer any more: the request is a tombstone, whose reply is read and dropped.
        on_done: called once a tombstone is answered or given up.
        hold: while it is there and not set, the rest of a reply of several frames is left unread.
        original: where this is a second attempt at a read that is queued behind a slow request: that read.
        rerouted: how many such second attempts a read has had.
    """

    __slots__ = (
        "abandoned",
        "arrived",
        "attended",
        "consume",
        "cost",
        "deadline",
        "error",
        "exclusive",
        "expires",
        "failure",
        "frame",
        "hold",
        "holder",
        "kind",
        "on_done",
        "original",
        "reply",
        "rerouted",
        "scope_deadline",
        "sent",
        "sent_at",
        "socket_timeout",
        "task",
        "total",
        "write",
    )

    def __init__(
        self,
        frame: bytes,
        kind: int,
        deadline: float,
        expires: float,
        socket_timeout: float,
        write: bool,
        consume: Callable[[bytes], bool] | None = None,
        scope_deadline: float = math.inf,
        total: float | None = None,
        arrived: float = -math.inf,
    ) -> None:
        self.task: trio.lowlevel.Task | None = None
        self.frame: bytes = frame
        self.kind: int = kind
        self.deadline: float = deadline
        self.expires: float = expires
        self.scope_deadline: float = scope_deadline
        self.total: float | None = total
        self.arrived: float = arrived
        self.socket_timeout: float = socket_timeout
        self.write: bool = write
        self.consume: Callable[[bytes], bool] | None = consume
        self.exclusive: bool = consume is not None
        self.attended: bool = True
        self.cost: float = 0.0
        self.sent: bool = False
        self.sent_at: float = 0.0
        self.abandoned: bool = False
        self.reply: bytes | None = None
        self.failure: Failure | None = None
        self.error: BaseException | None = None
        self.holder: RequestHolder | None = None
        self.on_done: Callable[[], None] | None = None
        self.hold: trio.Event | None = None
        self.original: Request | None = None
        self.rerouted: int = 0

    @property
    def patience(self) -> float:
        """Seconds without progress of the node after which an attempt that waits for room is given up."""
        return self.socket_timeout if self.total is None else min(self.total, self.socket_timeout)

    @property
    def time_runs(self) -> bool:
        """Whether the command's time is running: it was admitted to a connection before."""
        return self.total is None

    def waits_until(self, progress_at: float) -> float:
        """When an attempt that waits for room is given up, if the node has made no progress since ``progress_at``."""
        return self.deadline if self.total is None else max(self.deadline, progress_at + self.patience)

    @property
    def awaited(self) -> bool:
        """Whether a task waits for the answer, or is about to decode it."""
        return self.attended and not self.abandoned

    @property
    def superseded(self) -> bool:
        """Whether this is a second attempt at a read that has ended meanwhile."""
        return self.original is not None and self.original.task is None

    def expires_at(self, now: float, /) -> float:
        """When the command ends, by its own limit or that of the caller's scope; sets its transaction ttl."""
        if self.scope_deadline < math.inf:
            return min(self.expires, now + self.scope_deadline - trio.current_time())
        return self.expires

    def admit(self, now: float) -> None:
        """Give the request to a connection for the first time: from now on the command's time runs."""
        total = self.total
        if total is not None:
            self.total = None
            self.expires = now + total
            self.deadline = now + min(total, self.socket_timeout)

    def reroute(self) -> Request:
        """Make a second attempt at a read, which is answered by whichever attempt is answered first."""
        assert self.frame and not self.write
        twin = Request(
            self.frame,
            self.kind,
            self.deadline,
            self.expires,
            self.socket_timeout,
            False,
            scope_deadline=self.scope_deadline,
            arrived=self.arrived,
        )
        twin.original = self
        twin.attended = False
        self.rerouted += 1
        return twin

    def wake(self) -> None:
        """Wake the task, if it is parked."""
        task = self.task
        if task is not None:
            self.task = None
            trio.lowlevel.reschedule(task)

    def answer(self, body: bytes) -> None:
        """Take the reply, and wake the task: that of the read where this is a second attempt at one."""
        answered = self if self.original is None else self.original
        if answered.task is not None:
            answered.reply = body
            answered.wake()
            if answered is not self:
                # The read itself is still under way, and its command's slot is given back now: it keeps this one.
                answered.abandoned = True
                answered.on_done, self.on_done = self.on_done, None
        else:
            self.fail(Failure.EXPIRED)  # a tombstone: notifies the owner of its slot that it has ended

    def abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        """Trio's abort function: an unsent request is withdrawn, a sent one leaves its tombstone."""
        self.task = None
        if self.holder is not None:
            if self.sent:
                self.holder.abandon(self)
            else:
                self.holder.withdraw(self)
        return trio.lowlevel.Abort.SUCCEEDED

    def fail(self, failure: Failure, error: BaseException | None = None) -> None:
        """End the request with a failure, and wake its task if that is parked already. What ended first counts."""
        if self.failure is None and self.reply is None:
            self.failure = failure
            self.error = error
        self.wake()
        self.finish()

    @trio.lowlevel.enable_ki_protection
    async def wait(self) -> None:
        """Park until there is a reply, a failure or a frame. (The hot path has these lines in place.)"""
        if self.failure is None:
            self.task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self.abort)

    def finish(self) -> None:
        """Tell whoever keeps something for this request that nothing more will come of it."""
        if not self.sent:
            self.consume = None  # it often refers to the request, in a circle
        if self.on_done is not None:
            done, self.on_done = self.on_done, None
            done()
