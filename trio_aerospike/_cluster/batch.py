"""Carrying out a batch: split by node, one connection a part, the records left over tried again elsewhere."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from functools import partial

import trio

from .._wire.batch import BatchRow, decode_batch_response
from .._wire.constants import PROTO_MESSAGE
from ..errors import (
    AerospikeError,
    AerospikeTimeoutError,
    ClientClosed,
    ClusterError,
    ConnectionFailed,
    NoMoreConnections,
    ProtocolError,
    error_from_code,
)
from ..keys import Key
from ..policies import BatchConcurrency, BatchPolicy
from .answers import EXPIRED_SESSION, renew_session
from .cluster import Cluster
from .connection import ttl_milliseconds
from .node import Node
from .pending import Failure, Pending
from .together import together

#: Rows in one request at the most: what one part of a batch costs in memory is bounded by it.
PART_SIZE = 5000
#: A row's answers that say that nothing was done and another node may serve it.
_MOVED = 11

#: Makes the frame for rows: (index, key) each, and the transaction ttl in milliseconds.
Encoder = Callable[[Sequence[tuple[int, Key]], int], bytes]


class _Part:
    """One request: the rows that one node is asked for, and what has come back of them."""

    __slots__ = ("fault", "node", "rows", "sent")

    def __init__(self, node: Node, rows: list[tuple[int, Key]]) -> None:
        self.node = node
        self.rows = rows
        self.sent = False
        self.fault: AerospikeError | None = None


class BatchRun:
    """One batch on its way.

    Args:
        cluster: where to.
        what: the command's name, for messages.
        keys: the records; a row's index is its key's place here.
        policy: how.
        encode: makes a request of some rows.
    """

    def __init__(self, cluster: Cluster, what: str, keys: Sequence[Key], policy: BatchPolicy, encode: Encoder) -> None:
        self._cluster = cluster
        self._what = what
        self._keys = keys
        self._policy = policy
        self._encode = encode
        self._began = trio.current_time()
        self._limit = math.inf if policy.total_timeout is None else self._began + policy.total_timeout
        self._counted = 0
        self._free = 0
        self.answers: list[BatchRow | None] = [None] * len(keys)
        self.faults: dict[int, AerospikeError] = {}
        self._abandoned: list[Pending] = []

    async def run(self) -> None:
        """Ask for everything, and again for what was left over, until it is there or the policy says that it is enough.

        Afterwards every index has an answer in ``answers`` or an error in ``faults``.

        Raises:
            ClientClosed: the client is closed.
            ServerError: there is no such namespace.
        """
        scope_deadline = trio.current_effective_deadline()
        if scope_deadline <= self._began:
            await trio.lowlevel.checkpoint()
        left = list(range(len(self._keys)))
        sequence = 0
        while True:
            parts, homeless = self._split(left, sequence)
            for index in homeless:
                self.faults[index] = self._error(
                    ClusterError, f"no node serves the partition; known nodes: {self._cluster.describe()}", None
                )
            expires = min(self._limit, scope_deadline)
            if len(parts) == 1 or self._policy.concurrency is BatchConcurrency.SEQUENTIAL:
                for part in parts:
                    await self._ask(part, expires)
            elif parts:
                await together([partial(self._ask, part, expires) for part in parts])
            if self._cluster.closed:
                raise ClientClosed(f"{self._what}: the client is closed")
            left = [index for index in left if self._left_over(index)]
            if not left or not await self._again(parts, bool(homeless)):
                return
            sequence += 1

    def when_answered(self, done: Callable[[], None]) -> None:
        """Call ``done`` once nothing of the batch is on its way any more: now, or after the end of a cancelled part."""
        left = [pending for pending in self._abandoned if pending.failure is None]
        if not left:
            done()
            return
        count = len(left)

        def one_less() -> None:
            nonlocal count
            count -= 1
            if not count:
                done()

        for pending in left:
            pending.on_done = one_less

    def _left_over(self, index: int) -> bool:
        row = self.answers[index]
        return row is None or row.result_code == _MOVED

    def _split(self, indexes: Sequence[int], sequence: int) -> tuple[list[_Part], list[int]]:
        """The rows by the node that serves them, in parts of a bounded size; and those that nobody serves."""
        by_node: dict[Node, list[tuple[int, Key]]] = {}
        homeless: list[int] = []
        owner = self._cluster.owner
        replica = self._policy.replica
        keys = self._keys
        for index in indexes:
            key = keys[index]
            digest = key.digest
            node = owner(key.namespace, (digest[0] | digest[1] << 8) & 4095, sequence, replica)
            if node is None:
                self._cluster.check_namespace(key.namespace)
                homeless.append(index)
            elif node in by_node:
                by_node[node].append((index, key))
            else:
                by_node[node] = [(index, key)]
        parts = [
            _Part(node, rows[start : start + PART_SIZE])
            for node, rows in by_node.items()
            for start in range(0, len(rows), PART_SIZE)
        ]
        return parts, homeless

    async def _ask(self, part: _Part, expires: float) -> None:
        """Send one part and collect its rows; what goes wrong is left in the part and its rows."""
        now = trio.current_time()
        socket_timeout = math.inf if self._policy.socket_timeout is None else self._policy.socket_timeout
        answers = self.answers
        failed = 0

        def consume(body: bytes) -> bool:
            nonlocal failed
            rows, result = decode_batch_response(body)
            for row in rows:
                if row.index >= len(answers):
                    raise ProtocolError(f"a batch of {len(answers)} rows was answered with row {row.index}")
                answers[row.index] = row
            if result is None:
                return False
            failed = result
            return True

        frame = self._encode(part.rows, ttl_milliseconds(expires, now))
        pending = Pending(
            frame, PROTO_MESSAGE, min(self._limit, now + socket_timeout), expires, socket_timeout, False, consume
        )
        part.node.submit(pending)
        try:
            await pending.wait()
        except trio.Cancelled:
            if pending.sent:
                self._abandoned.append(pending)
            raise
        part.sent = pending.sent
        if pending.reply is not None:
            if failed:
                if failed == EXPIRED_SESSION:
                    renew_session(part.node, pending)
                text = error_from_code(failed).message
                part.fault = error_from_code(failed, f"{self._what}: {text}", node=part.node.name, attempts=1)
        else:
            part.fault = self._fault_of(part.node, pending)
        unanswered = [index for index, _ in part.rows if answers[index] is None]
        if unanswered and part.fault is None:
            part.fault = self._error(ProtocolError, "the node did not answer for this key", part.node)
        if part.fault is not None:
            self.faults.update(dict.fromkeys(unanswered, part.fault))

    def _fault_of(self, node: Node, pending: Pending) -> AerospikeError:
        if pending.failure is Failure.NO_ROOM:
            return self._error(NoMoreConnections, "no connection came free (max_conns_per_node)", node)
        if pending.failure is Failure.REJECTED and isinstance(pending.error, AerospikeError):
            return copy.copy(pending.error)  # others get the same failure: each has an error of its own
        if pending.failure is Failure.EXPIRED:
            name = "total_timeout" if trio.current_time() >= self._limit else "socket_timeout"
            return self._error(
                AerospikeTimeoutError, f"no whole answer within {name}={getattr(self._policy, name)} s", node
            )
        self._cluster.report_failure(node)
        kind = ProtocolError if isinstance(pending.error, ProtocolError) else ConnectionFailed
        return self._error(kind, f"{pending.error or 'removed'}", node)

    def _error(self, kind: type[AerospikeError], text: str, node: Node | None) -> AerospikeError:
        place = f"node {node.name} at {node.address}: " if node is not None else ""
        name = None if node is None else node.name
        return kind(f"{self._what}: {place}{text}", node=name, attempts=self._counted + 1)

    async def _again(self, parts: Sequence[_Part], homeless: bool) -> bool:
        """Whether what is left over is tried again; waits as long as that is to take."""
        patience = self._limit if self._limit < math.inf else self._began + self._cluster.patience
        failed = [part for part in parts if part.fault is not None]
        if any(isinstance(part.fault, (ProtocolError, NoMoreConnections)) for part in failed):
            return False
        failed = [part for part in failed if not _is_logged_out(part)]
        if not all(isinstance(part.fault, (AerospikeTimeoutError, ClusterError)) for part in failed):
            return False
        if any(part.sent for part in failed):
            if self._counted >= self._policy.max_retries:
                return False
            self._counted += 1
            if self._policy.sleep_between_retries:
                until = trio.current_time() + self._policy.sleep_between_retries
                if until >= self._limit:
                    return False
                await trio.sleep_until(until)
        # What was not sent, or not done where it arrived, is no retry of the policy's: only time limits it.
        await trio.lowlevel.checkpoint()
        if trio.current_time() >= patience:
            return False
        moved = any(row is not None and row.result_code == _MOVED for row in self.answers)
        if homeless or moved or any(isinstance(part.fault, ClusterError) for part in failed):
            return await self._cluster.wait_for_tend(patience)
        return True


def _is_logged_out(part: _Part) -> bool:
    """Whether nothing was done because the session has ended; the next connection logs in."""
    return part.fault is not None and part.fault.result_code == EXPIRED_SESSION
