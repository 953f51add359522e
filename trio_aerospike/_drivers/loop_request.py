"""Request of an asyncio task: a command's first attempt, the future that its task awaits, and where it is queued."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from .._cluster.connections.slot_leases import Slot
from ..keys import Key
from .attempt import FirstAttempt, Policy


class Unsent(Exception):
    """The connection ended before the request was sent."""


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

    def flush_again(self) -> None: ...

    def interrupted(self, *others: LoopRequest) -> None: ...


class Carrier(Protocol):
    """The connection that has taken a request."""

    def retire(self) -> None: ...

    def abandoned(self, request: LoopRequest, /) -> None: ...


class LoopRequest(FirstAttempt):
    """A first attempt of an asyncio task.

    Attributes:
        frame: the bytes of the request.
        answer: settled with the body of the answer, or with an exception that says how the attempt ended.
        admission: where it is submitted.
        slot: its slot of ``max_concurrent_operations``, while it has one.
        holder: the admission queue while it waits there.
        connection: the connection that has taken it.
        in_flight: the server may have it, and owes the answer.
        on_done: called when the answer of a request whose task has ended has arrived, or is given up.
    """

    __slots__ = ("admission", "answer", "connection", "frame", "holder", "in_flight", "on_done", "slot")

    frame: bytes
    answer: asyncio.Future[bytes]
    admission: Admission
    slot: Slot | None
    holder: Any
    connection: Carrier | None
    in_flight: bool
    on_done: Callable[[], None] | None

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.slot = self.holder = self.connection = self.on_done = None
        self.in_flight = False

    @property
    def command(self) -> tuple[str, Key, bytes, Policy, bool]:
        """The command as an executor takes it: name, key, request, policy, and whether it writes."""
        return self._what, self._key, self.frame, self._policy, self._write

    def finish(self) -> None:
        """Note that the server owes no answer any more."""
        self.in_flight = False
        if self.on_done is not None:
            done, self.on_done = self.on_done, None
            done()
