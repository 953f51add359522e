"""Carrying out one single-record command: routing, deadlines, retries, and what is known about a write that failed.

The common path holds no cancel scope, no deadline object and no nested coroutine: a request, a park, a reply.
"""

from __future__ import annotations

import copy
import math
import time
from typing import TYPE_CHECKING

import trio

from .._wire.constants import PROTO_MESSAGE
from .._wire.records import decode_failure
from .._wire.request_details import request_detail
from ..errors import (
    AerospikeError,
    AerospikeTimeoutError,
    BackpressureError,
    ClientClosed,
    ClusterError,
    ConnectionFailed,
    NoMoreConnections,
    ProtocolError,
    error_from_code,
)
from .answers import EXPIRED_SESSION, NOT_DONE, RESULT_CODE, RETRYABLE, TIMEOUT, UDF, renew_session
from .batch import Batch, BatchRun
from .connection import restamped
from .deadlines import deadline_reader
from .pending import Failure, Pending

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, TypeAlias

    from ..keys import Key
    from ..policies import ReadPolicy, WritePolicy
    from ..records import BatchResult
    from .cluster import Cluster
    from .node import Node

    Run: TypeAlias = Callable[[str, Key, bytes, ReadPolicy | WritePolicy, bool], Coroutine[Any, Any, bytes]]

#: How often a write that could not be sent waits for a new map before a copy is asked to pass it on.
_PATIENT_WRITES = 5

#: Seconds before the end of the caller's scope in which the server's timeout is taken for that end. One that comes
#: earlier is the server's own.
_ABOUT_NOW = 1.0

__all__ = ["Executor"]


class Executor:
    """Sends single-record commands to the nodes of a cluster and sees them through.

    Args:
        cluster: tells which node serves a partition, and is told of nodes that fail.
        max_concurrent_operations: operations in flight at the most; 0 for no limit, at no cost.
        operation_queue_timeout: seconds to wait for a slot; None to wait for ever.
    """

    def __init__(self, cluster: Cluster, max_concurrent_operations: int, operation_queue_timeout: float | None) -> None:
        self._cluster = cluster
        # Trio's own current_time looks for the run's clock each time.
        self._now = trio.lowlevel.current_clock().current_time
        self._deadline_of = deadline_reader()
        self.limiter: trio.CapacityLimiter | None = None
        if max_concurrent_operations:
            self.limiter = trio.CapacityLimiter(max_concurrent_operations)
        #: Sends a command without telling anybody; chosen once, so that a limit that is off costs nothing.
        self.plain_run: Run = self._run if self.limiter is None else self._run_limited
        #: Sends a command.
        self.run: Run = self.plain_run
        #: Of observed commands that did not come through at the first attempt: which node answered, after how many.
        self.notes: dict[Key, tuple[Node | None, int]] = {}
        self._queue_timeout = math.inf if operation_queue_timeout is None else operation_queue_timeout

    def observe(self) -> None:
        """Take note that the cluster has other observers now, or none."""
        observers = self._cluster.observers
        if observers is None:
            self.run = self.plain_run
        else:
            self.run = observers.runner(self.plain_run, self.notes)
        self.notes.clear()

    async def acquire_slot(self) -> object:
        """Take one of the ``max_concurrent_operations`` slots on behalf of an operation, not of the task.

        Returns:
            What :meth:`release_slot` takes back.

        Raises:
            BackpressureError: no slot came free within ``operation_queue_timeout``.
        """
        limiter = self.limiter
        assert limiter is not None
        operation = object()
        try:
            limiter.acquire_on_behalf_of_nowait(operation)
        except trio.WouldBlock:
            deadline = trio.current_time() + self._queue_timeout
            with trio.CancelScope(deadline=deadline) as scope:
                await limiter.acquire_on_behalf_of(operation)
            if scope.cancelled_caught:
                others = limiter.statistics().tasks_waiting
                raise BackpressureError(
                    f"all {limiter.total_tokens:.0f} slots of max_concurrent_operations stayed taken for "
                    f"operation_queue_timeout={self._queue_timeout} s; {others} more are waiting"
                ) from None
        return operation

    def release_slot(self, operation: object) -> None:
        """Give a slot back."""
        assert self.limiter is not None
        self.limiter.release_on_behalf_of(operation)

    async def run_batch(self, batch: Batch) -> tuple[list[BatchResult], AerospikeError | None]:
        """Carry out a batch, which counts as one operation.

        Returns:
            A result for each key; and why no key at all was served, where that is so.

        Raises:
            BackpressureError: no slot came free in time.
            AerospikeError: what :meth:`BatchRun.run` raises.
        """
        observers = self._cluster.observers
        if observers is not None:
            return await observers.around_batch(self._run_batch, batch)
        return await self._run_batch(batch)

    async def _run_batch(self, batch: Batch) -> tuple[list[BatchResult], AerospikeError | None]:
        observers = self._cluster.observers
        if observers is not None and not observers.staged:
            observers = None
        began = 0.0 if observers is None else time.perf_counter()
        slot = None if self.limiter is None else await self.acquire_slot()
        if observers is not None:
            began = observers.stage(batch.what, "limiter_wait", began)
        run = BatchRun(self._cluster, batch)
        try:
            return await run.run(), run.fault
        finally:
            if slot is not None:
                run.when_answered(lambda: self.release_slot(slot))
            if observers is not None:
                observers.stage(batch.what, "io", began)
                observers.stage_took(batch.what, "decode", run.decoding)

    async def _run_limited(
        self, what: str, key: Key, frame: bytes, policy: ReadPolicy | WritePolicy, write: bool
    ) -> bytes:
        """As :meth:`_run`, holding a slot; also raises BackpressureError when no slot comes free in time."""
        await trio.lowlevel.checkpoint_if_cancelled()
        slots = [await self.acquire_slot()]
        try:
            return await self._run(what, key, frame, policy, write, slots)
        finally:
            if slots:
                self.release_slot(slots.pop())

    async def _run(
        self,
        what: str,
        key: Key,
        frame: bytes,
        policy: ReadPolicy | WritePolicy,
        write: bool,
        slots: list[object] | None = None,
        sequence: int = 0,
    ) -> bytes:
        """Send a command to the node that serves its key and return the body of the answer.

        Args:
            what: the command's name, for messages.
            key: the record.
            frame: the request, with the policy's total timeout as its transaction ttl; an earlier end of the caller's
                scope is set here.
            policy: timeouts, retries and replica.
            write: whether the server is asked to change something: decides on retries and doubt.
            slots: the operation's slot of ``max_concurrent_operations``; taken out where somebody else gives it back.
            sequence: how many of the record's copies somebody else has tried in vain.

        Raises:
            AerospikeTimeoutError: the policy's total or socket timeout passed.
            ConnectionFailed: the connection broke, and no retry was allowed or left.
            NoMoreConnections: every line of the node's connections stayed full.
            ClusterError: no node serves the partition.
            AerospikeError: what the server answered.
        """
        now = self._now()
        limit = math.inf if policy.total_timeout is None else now + policy.total_timeout
        task = trio.lowlevel.current_task()
        scope_deadline = self._deadline_of(task)
        if scope_deadline <= now:
            # Nothing is sent for a caller that is cancelled already.
            await trio.lowlevel.checkpoint()
        expires = limit if limit < scope_deadline else scope_deadline
        socket_timeout = math.inf if policy.socket_timeout is None else policy.socket_timeout
        if scope_deadline < limit:
            frame = restamped(frame, expires, now)
        digest = key.digest
        partition = (digest[0] | digest[1] << 8) & 4095
        cluster = self._cluster
        trouble: _Trouble | None = None
        if sequence:
            trouble = _Trouble(what, key, frame, policy, write, limit, now, cluster)
            trouble.sequence = sequence
        while True:
            if trouble is None:
                table = cluster.partitions.tables.get(key.namespace)
                node = None if table is None else table.masters[partition]
            else:
                node = cluster.owner(key.namespace, partition, trouble.sequence, policy.replica)
            if node is not None:
                attempt_limit = now + socket_timeout
                pending = Pending(
                    frame,
                    PROTO_MESSAGE,
                    attempt_limit if attempt_limit < limit else limit,
                    expires,
                    socket_timeout,
                    write,
                )
                node.submit(pending)
                if pending.failure is None:
                    pending.task = task
                    if slots is None:
                        await trio.lowlevel.wait_task_rescheduled(pending.abort)
                    else:
                        await self._wait_with_slot(pending, slots)
                body = pending.reply
                if body is not None and not body[RESULT_CODE] and trouble is None:
                    return body
            else:
                pending = None
            if trouble is None:
                trouble = _Trouble(what, key, frame, policy, write, limit, now, cluster)
            done = await trouble.after(node, pending, scope_deadline)
            if done is not None:
                if cluster.observers is not None:
                    self.notes[key] = (node, trouble.attempts)
                return done
            now = trio.current_time()
            frame = restamped(frame, expires, now)

    async def go_on(
        self,
        what: str,
        key: Key,
        frame: bytes,
        policy: ReadPolicy | WritePolicy,
        write: bool,
        sequence: int,
    ) -> bytes:
        """As :meth:`run` where nothing limits it, for a command whose first attempts were made elsewhere."""
        body = await self._run(what, key, frame, policy, write, None, sequence)
        if self._cluster.observers is not None:
            node, attempts = self.notes.get(key, (None, 1))
            self.notes[key] = (node, attempts + 1)
        return body

    async def _wait_with_slot(self, pending: Pending, slots: list[object]) -> None:
        """Park; when the caller is cancelled and the request is out, the slot stays taken until the answer is in."""
        try:
            await trio.lowlevel.wait_task_rescheduled(pending.abort)
        except trio.Cancelled:
            # The answer, or the end of the connection, may have come in the very moment of the cancellation.
            if pending.sent and pending.failure is None:
                slot = slots.pop()
                pending.on_done = lambda: self.release_slot(slot)
            raise


class _Trouble:
    """What has gone wrong so far with one command, and whether it may be tried again."""

    __slots__ = (
        "_began",
        "_cluster",
        "_counted",
        "_frame",
        "_free",
        "_key",
        "_limit",
        "_policy",
        "_sent",
        "_what",
        "_write",
        "attempts",
        "sequence",
    )

    def __init__(
        self,
        what: str,
        key: Key,
        frame: bytes,
        policy: ReadPolicy | WritePolicy,
        write: bool,
        limit: float,
        began: float,
        cluster: Cluster,
    ) -> None:
        self._what = what
        self._key = key
        self._frame = frame
        self._policy = policy
        self._write = write
        self._limit = limit
        self._began = began
        self._cluster = cluster
        self._sent = 0
        self.attempts = 0
        self._counted = 0
        self._free = 0
        self.sequence = 0

    async def after(self, node: Node | None, pending: Pending | None, scope_deadline: float) -> bytes | None:
        """Judge an attempt.

        Args:
            node: where it went; None when no node serves the partition.
            pending: how it ended; None when there was no node.
            scope_deadline: the deadline of the caller's cancel scope.

        Returns:
            The body of the answer, or None when the command is to be tried again.

        Raises:
            AerospikeError: what the caller gets to see.
        """
        if pending is not None and pending.sent:
            self._sent += 1
            self.attempts += 1
        if self._cluster.closed and (pending is None or pending.reply is None):
            raise self._finish(ClientClosed(f"{self._what} {self._key!r}: the client is closed"), node)
        if pending is None or node is None:
            await self._retry_unsent(None, self._nobody())
            return None
        if pending.reply is not None:
            code = pending.reply[RESULT_CODE]
            if not code:
                return pending.reply
            await self._after_code(node, pending, code, scope_deadline)
            return None
        failure = pending.failure
        if failure is Failure.NO_ROOM:
            if trio.current_time() < self._limit < math.inf:
                return None  # a socket timeout is for what was sent: wait on for room
            raise self._finish(
                NoMoreConnections(
                    f"{self._what} {self._key!r}: every line of every connection to node {node.name} stayed full for "
                    f"{trio.current_time() - self._began:.3f} s (max_conns_per_node)"
                ),
                node,
            )
        if failure is Failure.REJECTED and isinstance(pending.error, AerospikeError):
            # Others get the same failure: each raises an error of its own.
            raise self._finish(copy.copy(pending.error), node) from pending.error
        if failure is Failure.EXPIRED:
            if pending.sent:
                await self._retry_counted(self._timed_out(node, pending))
            else:
                await self._retry_unsent(node, self._timed_out(node, pending))
            return None
        self._cluster.report_failure(node)
        if not pending.sent:
            await self._retry_unsent(node, self._broken(node, pending))
        else:
            await self._retry_counted(self._broken(node, pending))
        return None

    async def _after_code(self, node: Node, pending: Pending, code: int, scope_deadline: float) -> None:
        text = error_from_code(code).message
        if code == UDF and pending.reply is not None:
            text = decode_failure(pending.reply) or text
        text += request_detail(code, self._frame)
        error = self._finish(error_from_code(code, f"{self._what} {self._key!r}: {text}"), node, code)
        if code == TIMEOUT and scope_deadline <= self._limit and scope_deadline - trio.current_time() < _ABOUT_NOW:
            # The server was told what was left of the caller's scope, so this is that scope's end, a little early.
            await trio.sleep_until(scope_deadline)
            await trio.lowlevel.checkpoint_if_cancelled()
        if code not in RETRYABLE:
            raise error
        if code == EXPIRED_SESSION:
            renew_session(node, pending)
        if code in NOT_DONE:
            self._sent -= 1
            self._cluster.hurry()
            await self._retry_unsent(node, error)
        else:
            await self._retry_counted(error)

    async def _retry_counted(self, error: AerospikeError) -> None:
        """Another attempt of a request that was sent: as often as the policy allows."""
        self._counted += 1
        if self._counted > self._policy.max_retries or trio.current_time() >= self._limit:
            raise error
        self.sequence += 1
        await self._pause(self._policy.sleep_between_retries, error)

    async def _retry_unsent(self, node: Node | None, error: AerospikeError) -> None:
        """Another attempt of a request that never left: always right, so only time limits it.

        The other replicas are tried at once; after them the command waits for the tend loop's next look at the cluster.
        """
        await trio.lowlevel.checkpoint()
        now = trio.current_time()
        patience = self._limit if self._limit < math.inf else self._began + self._cluster.patience
        if now >= patience:
            raise error
        self._free += 1
        # A copy would only pass a write on to the master: ask one when waiting for a new map has not helped.
        if not self._write or self._free > _PATIENT_WRITES:
            self.sequence += 1
        if self._write or node is None or self._free % self._cluster.replicas_of(self._key.namespace) == 0:
            self._cluster.check_namespace(self._key.namespace)
            if not await self._cluster.wait_for_tend(patience):
                raise error

    async def _pause(self, seconds: float, error: AerospikeError) -> None:
        if seconds <= 0:
            return
        until = trio.current_time() + seconds
        if until >= self._limit:
            raise error
        await trio.sleep_until(until)

    def _finish(self, error: AerospikeError, node: Node | None, code: int = 0) -> AerospikeError:
        """Add what is known: node, attempts, and doubt as the C client defines it (``as_error.h``)."""
        error.node = None if node is None else node.name
        error.attempts = self.attempts
        unanswered = self._sent == 1 and (not code or code == TIMEOUT)
        error.in_doubt = self._write and (self._sent > 1 or unanswered)
        return error

    def _nobody(self) -> AerospikeError:
        return self._finish(
            ClusterError(
                f"{self._what} {self._key!r}: no node serves its partition; known nodes: {self._cluster.describe()}"
            ),
            None,
        )

    def _timed_out(self, node: Node, pending: Pending) -> AerospikeError:
        now = trio.current_time()
        name = "total_timeout" if now >= self._limit else "socket_timeout"
        state = "did not answer" if pending.sent else "took no connection"
        return self._finish(
            AerospikeTimeoutError(
                f"{self._what} {self._key!r}: node {node.name} at {node.address} {state} within {name}="
                f"{getattr(self._policy, name)} s ({now - self._began:.3f} s passed)"
            ),
            node,
        )

    def _broken(self, node: Node, pending: Pending) -> AerospikeError:
        cause = self._cluster.cause(node, pending.error)
        text = f"{self._what} {self._key!r}: node {node.name} at {node.address}: {cause}"
        if isinstance(pending.error, ProtocolError):
            return self._finish(ProtocolError(text), node)
        error = self._finish(ConnectionFailed(text), node)
        error.__cause__ = pending.error
        return error
