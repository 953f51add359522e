"""Answers of several nodes on their way: their frames wait for one reader in a store of a bounded size.

There is no task here. Requests stand in the lines of connections of their own, and what arrives is put aside. When too
much has gathered, connections are left unread, which stops the servers; a reader may take an hour for all they know.
"""

from __future__ import annotations

import math
import secrets
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

import trio

from ..._wire.constants import PROTO_MESSAGE
from ..._wire.query_answers import is_end
from ...errors import AerospikeError
from ..connections.connection import Connection
from ..connections.loop_clock import loop_clock
from ..connections.request import Failure, Pending

if TYPE_CHECKING:
    from ..tend.cluster import Cluster
    from ..tend.node import Node

#: Bytes that may wait for the reader before connections are left unread. A frame of the server's has up to 1.75 MB.
STORE_SIZE = 2 * 1024 * 1024
#: Seconds that a server may take to hear that a query is not wanted any more.
ABORT_TIMEOUT = 5.0


class Run:
    """One node's answer on its way.

    Attributes:
        node: whose.
        trid: the number by which the server knows the query.
        pending: the request, once it has been made.
        whole: the last frame has come.
        held: the rest is left unread for now.
    """

    __slots__ = ("held", "node", "pending", "trid", "whole")

    def __init__(self, node: Node) -> None:
        self.node = node
        # The server knows a query by its number for a while: another request has another.
        self.trid = secrets.randbits(63) | 1
        self.pending: Pending | None = None
        self.whole = False
        self.held = False


R = TypeVar("R", bound=Run)


class Arrivals(Generic[R]):
    """What has arrived of some answers.

    Args:
        cluster: whose nodes answer.
        limit: on the loop clock, when all is given up.
        silence: seconds without a word from a node, while it is listened to, after which its answer is given up.

    Attributes:
        runs: the answers that have not been read to their ends.
        store: frames in the order in which they came; None where an answer has ended, in good order or not.
        size: bytes of frames that the reader has not used up.
    """

    def __init__(self, cluster: Cluster, limit: float, silence: float) -> None:
        self._cluster = cluster
        self._began = loop_clock().now()
        self._limit = limit
        self._silence = silence
        self._arrived: trio.Event | None = None
        self.runs: set[R] = set()
        self.store: deque[tuple[R, bytes | None]] = deque()
        self.size = 0

    def ask(self, run: R, frame: bytes) -> None:
        """Send a request; its answer is among the others from now on."""
        pending = run.pending = Pending(
            frame,
            PROTO_MESSAGE,
            self._deadline(),
            self._limit,
            self._silence,
            False,
            lambda body: self._take(run, body),
            total=math.inf if self._limit == math.inf else None,
            arrived=self._began,
        )
        pending.on_done = lambda: self._broke_off(run)
        self.runs.add(run)
        run.node.submit(pending)

    async def wait(self) -> None:
        """Park until something comes."""
        self._arrived = trio.Event()
        await self._arrived.wait()

    def used(self, size: int) -> None:
        """A frame has been used up: where there is room again, go on reading."""
        self.size -= size
        if self.size > STORE_SIZE // 2:
            return
        deadline = self._deadline()
        for run in self.runs:
            if run.held:
                run.held = False
                pending = run.pending
                assert pending is not None
                hold, pending.hold = pending.hold, None
                if isinstance(pending.holder, Connection):
                    pending.holder.prolong(pending, deadline)
                if hold is not None:
                    hold.set()

    def close(self, *, tell: bool) -> None:
        """Give all answers up: their connections are closed, and come off the pools' counts at once.

        Args:
            tell: have the servers hear that they may stop.
        """
        runs, self.runs = self.runs, set()
        self.store.clear()
        for run in runs:
            pending = run.pending
            if pending is None or run.whole:
                continue
            pending.on_done = None
            holder = pending.holder
            if holder is None or pending.failure is not None:
                continue
            if not pending.sent:
                holder.withdraw(pending)
                continue
            if isinstance(holder, Connection):
                holder.close(None)
            if tell:
                self._cluster.in_background(_abort, run.node, run.trid)

    def _deadline(self) -> float:
        return min(self._limit, loop_clock().now() + self._silence)

    def _put(self, run: R, body: bytes | None) -> None:
        self.store.append((run, body))
        if self._arrived is not None:
            self._arrived.set()

    def _take(self, run: R, body: bytes) -> bool:
        """A frame has come; called by the connection."""
        pending = run.pending
        assert pending is not None
        self._put(run, body)
        self.size += len(body)
        if is_end(body):
            run.whole = True
            self._put(run, None)
            return True
        if self.size > STORE_SIZE:
            # The reader's pauses are none of the server's: its time stands still.
            run.held = True
            pending.hold = trio.Event()
            pending.deadline = self._limit
        else:
            pending.deadline = self._deadline()
        return False

    def _broke_off(self, run: R) -> None:
        """The answer has ended, in good order or not; called by the connection."""
        if run.whole or run not in self.runs:
            return
        self._put(run, None)
        pending = run.pending
        if pending is not None and pending.failure is Failure.EXPIRED and isinstance(pending.holder, Connection):
            # What may still come of it is of no use.
            pending.holder.close(None)


async def _abort(node: Node, trid: int) -> None:
    """Tell a node that a query is not wanted: it would only notice with its next frame, which may take long."""
    try:
        await node.info(f"query-abort:trid={trid}", timeout=ABORT_TIMEOUT)
    except AerospikeError:
        pass  # it has ended, or ends when it finds the connection closed
