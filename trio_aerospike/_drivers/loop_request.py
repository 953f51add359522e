"""Request of an asyncio task: a command's first attempt, the future that its task awaits, and where it is queued."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from .._cluster.connections.slot_leases import Slot
from .._wire.constants import PROTO_MESSAGE
from ..keys import Key
from .first_attempt import FirstAttempt, Policy


class Unsent(Exception):
    """The connection ended before the request was sent."""


class Stalled(Exception):
    """The request was sent behind one that the node takes long for: another attempt may be answered sooner."""


class Delegated(Exception):
    """No connection of the loop takes the request: the client's Trio run executes it."""


class NoProgress(Exception):
    """The node answered nothing for as long as the request may wait."""

    def __init__(self, silence: float, waiting: int, full: bool) -> None:
        super().__init__(silence, waiting, full)
        self.silence = silence
        self.waiting = waiting
        self.full = full


class Admission(Protocol):
    """Where a request is submitted: the loop's connections to its node."""

    def submit(self, request: LoopRequest, now: float, loop: asyncio.AbstractEventLoop, /) -> None: ...

    def reschedule(self) -> None: ...

    def relieve(self) -> None: ...

    def interrupted(self, *others: LoopRequest) -> None: ...


class Carrier(Protocol):
    """The connection that has taken a request."""

    def retire(self) -> None: ...

    def abandoned(self, request: LoopRequest, /) -> None: ...


class LoopRequest(FirstAttempt):
    """A first attempt of an asyncio task, and a request of the pipeline.

    Attributes:
        frame: the bytes of the request.
        answer: settled with the body of the answer, or with an exception that says how the attempt ended.
        admission: where it is submitted.
        slot: its slot of ``max_concurrent_operations``, while it has one.
        holder: the admission queue while it waits there.
        connection: the connection that has taken it.
        sent, sent_at, abandoned, consume: as for :class:`PipelinedRequest`.
        ended: the server owes no answer any more.
        rerouted: whether a second attempt has been made at a read that was sent behind a slow request.
        on_done: called when the answer of a request whose task has ended has arrived, or is given up.
    """

    __slots__ = (
        "abandoned",
        "admission",
        "answer",
        "connection",
        "consume",
        "ended",
        "frame",
        "holder",
        "on_done",
        "rerouted",
        "sent",
        "sent_at",
        "slot",
    )

    kind: Final = PROTO_MESSAGE

    frame: bytes
    answer: asyncio.Future[bytes]
    admission: Admission
    slot: Slot | None
    holder: Any
    connection: Carrier | None
    sent: bool
    sent_at: float
    abandoned: bool
    consume: Callable[[bytes], bool] | None
    ended: bool
    rerouted: bool
    on_done: Callable[[], None] | None

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.slot = self.holder = self.connection = self.consume = self.on_done = None
        self.sent = self.abandoned = self.ended = self.rerouted = False

    @property
    def command(self) -> tuple[str, Key, bytes, Policy, bool]:
        """The command as an executor takes it: name, key, request, policy, and whether it writes."""
        return self._what, self._key, self.frame, self._policy, self._write

    @property
    def in_flight(self) -> bool:
        """Whether the server may be executing the request, and owes the answer."""
        return self.sent and not self.ended

    def reroute(self) -> None:
        """Have the task make a second attempt, if this is a read whose answer it awaits, and the first of the kind."""
        if not (self._write or self.rerouted or self.answer.done()):
            self.rerouted = True
            self.answer.set_exception(Stalled())

    def expires_at(self, now: float) -> float:
        """When the whole command is given up."""
        return self.limit

    def settle(self, body: bytes) -> None:
        """End the request with the body of its answer."""
        if self.answer.done():
            self.finish()
        else:
            self.ended = True
            self.answer.set_result(body)

    def fail(self, error: Exception) -> None:
        """End the request, unless it has ended already; nobody waits for its answer from now on."""
        if self.answer.done():
            self.finish()
        else:
            self.answer.set_exception(error)

    def finish(self) -> None:
        """Note that the server owes no answer any more, or that it is given up."""
        self.ended = True
        if self.on_done is not None:
            done, self.on_done = self.on_done, None
            done()
