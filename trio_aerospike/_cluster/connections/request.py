"""One request on its way: who waits for it, where it stands, and what became of it."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast

import trio

if TYPE_CHECKING:
    import outcome

    from .connection import Connection


class _Woken:
    """What a parked task is sent: nothing. Trio's own is made anew for each, since it serves once."""

    __slots__ = ()

    def unwrap(self) -> None:
        """As ``outcome.Value(None).unwrap``."""


#: To be given to ``trio.lowlevel.reschedule``.
WOKEN = cast("outcome.Outcome[None]", _Woken())


class Failure(enum.Enum):
    """Why a request ended without a reply. Whether it had been sent is said by :attr:`Pending.sent`."""

    EXPIRED = "no reply in time"
    BROKEN = "the connection broke"
    NO_ROOM = "all connections stayed full"
    NO_PROGRESS = "the node answered nothing while the request waited for room"
    UNREADABLE = "the answer could not be decoded"
    UNREACHABLE = "the node cannot be reached"
    REJECTED = "the node refused the login"


class Holder(Protocol):
    """What a pending request stands in: a connection's line or a pool's queue for room."""

    def withdraw(self, pending: Pending, /) -> None: ...

    def abandoned(self, pending: Pending, /) -> None: ...


class Pending:
    """A request and the task parked for its reply. Made once per attempt, so it is small and has no behaviour to spare.

    After the task has been woken, exactly one of ``reply`` and ``failure`` is set. Times are on the loop clock.

    Attributes:
        task: the parked task; None before it parks and once it has been woken or cancelled. A sent request whose
            task is gone is a tombstone: its reply is read and dropped.
        frame: the bytes of the request; None once they have left, unless they may have to be sent again.
        kind: the protocol type that the reply must have.
        deadline: when the attempt is given up.
        expires: when the whole command is given up.
        scope_deadline: when the caller's cancel scope ends, on Trio's clock. The transaction ttl is what is left until
            then or until ``expires``.
        socket_timeout: seconds that a connection may owe the reply before it is closed.
        total: seconds that the command may take once it is admitted to a connection; None where its time is running
            already.
        arrived: when the command began: the order in which requests that wait are served.
        write: whether the server is asked to change something.
        exclusive: whether the request takes a connection for itself (its answer is unbounded).
        consume: called with each frame of a reply of several; returns whether that was the last.
        cost: seconds that the request is expected to keep its connection busy.
        on_done: called once a tombstone is answered or given up.
        hold: while it is there and not set, the rest of a reply of several frames is left unread.
        original: where this is a second attempt at a read that stands behind a slow request: that read.
        rerouted: how many such second attempts a read has had.
    """

    __slots__ = (
        "arrived",
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
        *,
        scope_deadline: float = math.inf,
        total: float | None = None,
        arrived: float = -math.inf,
    ) -> None:
        self.task: trio.lowlevel.Task | None = None
        self.frame: bytes | None = frame
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
        self.cost: float = 0.0
        self.sent: bool = False
        self.sent_at: float = 0.0
        self.reply: bytes | None = None
        self.failure: Failure | None = None
        self.error: BaseException | None = None
        self.holder: Holder | Connection | None = None
        self.on_done: Callable[[], None] | None = None
        self.hold: trio.Event | None = None
        self.original: Pending | None = None
        self.rerouted: int = 0

    @property
    def patience(self) -> float:
        """Seconds without progress of the node after which an attempt that waits for room is given up."""
        return self.socket_timeout if self.total is None else min(self.total, self.socket_timeout)

    @property
    def superseded(self) -> bool:
        """Whether this is a second attempt at a read that has ended meanwhile."""
        return self.original is not None and self.original.task is None

    def admit(self, now: float) -> None:
        """Give the request to a connection for the first time: from now on the command's time runs."""
        total = self.total
        if total is not None:
            self.total = None
            self.expires = now + total
            self.deadline = now + min(total, self.socket_timeout)

    def reroute(self) -> Pending:
        """Make a second attempt at a read, which is answered by whichever attempt is answered first."""
        frame = self.frame
        assert frame is not None and not self.write
        twin = Pending(
            frame,
            self.kind,
            self.deadline,
            self.expires,
            self.socket_timeout,
            False,
            scope_deadline=self.scope_deadline,
            arrived=self.arrived,
        )
        twin.original = self
        self.rerouted += 1
        return twin

    def answer(self, body: bytes) -> None:
        """Take the reply, and wake the task: that of the read where this is a second attempt at one."""
        answered = self if self.original is None else self.original
        task = answered.task
        if task is not None:
            answered.task = None
            answered.reply = body
            trio.lowlevel.reschedule(task, WOKEN)
            if answered is not self:
                # The read itself is still on its way, and its command's slot is given back now: it keeps this one.
                answered.on_done, self.on_done = self.on_done, None
        else:
            self.fail(Failure.EXPIRED)  # a tombstone: notifies the owner of its slot that it has ended

    def abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        """Trio's abort function: an unsent request is withdrawn, a sent one leaves its tombstone."""
        self.task = None
        if self.holder is not None:
            if self.sent:
                self.holder.abandoned(self)
            else:
                self.holder.withdraw(self)
        return trio.lowlevel.Abort.SUCCEEDED

    def fail(self, failure: Failure, error: BaseException | None = None) -> None:
        """End the request with a failure, and wake its task if that is parked already. What ended first counts."""
        if self.failure is None and self.reply is None:
            self.failure = failure
            self.error = error
        task = self.task
        if task is not None:
            self.task = None
            trio.lowlevel.reschedule(task, WOKEN)
        self.finish()

    async def wait(self) -> None:
        """Park until there is a reply or a failure. (The hot path has these lines in place.)"""
        if self.failure is None:
            self.task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self.abort)

    def finish(self) -> None:
        """Tell whoever keeps something for this request that nothing more will come of it."""
        if self.on_done is not None:
            done, self.on_done = self.on_done, None
            done()
