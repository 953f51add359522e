"""Execute single-record commands: routing, deadlines, retries, and whether a failed write is in doubt.

The common path has no cancel scope, no deadline object and no nested coroutine: submit a request, park, take the reply.
"""

from __future__ import annotations

import math
import time
from _thread import get_ident
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

import trio

from ..._wire.constants import PROTO_MESSAGE
from ..._wire.pipeline import restamped
from ...errors import AerospikeError, BackpressureError, ClientError
from ...validation import Uncopyable
from ..connections.loop_clock import loop_clock
from ..connections.pool import no_slot_to_release
from ..connections.request import Request
from .attempts import RESULT_CODE, wait_for_retry
from .batch import Batch, BatchExecution
from .retried_command import RetriedCommand
from .retry_rules import RetryDecision, RetryState
from .scope_deadline import deadline_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from ..._observers import RunCommand
    from ...keys import Key
    from ...policies import ReadPolicy, WritePolicy
    from ...records import BatchResult
    from ..connections.slot_leases import Slot, SlotLease
    from ..tend.cluster import Cluster
    from ..tend.node import Node

#: Commands that lease a connection: a script may run for long, and requests behind it would wait.
_ALONE = frozenset({"apply"})

__all__ = ["Executor"]


class Executor(Uncopyable):
    """Send single-record commands to the nodes of a cluster, with retries.

    Args:
        cluster: knows which node serves a partition; failed nodes are reported to it.
        max_concurrent_operations: the most operations in flight; 0 for no limit, at no cost.
        operation_queue_timeout: seconds to wait for a slot; None to wait without limit.
    """

    def __init__(self, cluster: Cluster, max_concurrent_operations: int, operation_queue_timeout: float | None) -> None:
        self._cluster = cluster
        self._thread = cluster.trio_run.thread
        self._clock = loop_clock()
        self._now = self._clock.now
        self._trio_now = self._clock.trio_time
        self._deadline_of = deadline_reader()
        self.limiter: trio.CapacityLimiter | None = None
        if max_concurrent_operations:
            self.limiter = trio.CapacityLimiter(max_concurrent_operations)
            cluster.spare_slot = self._spare_slot
        #: Sends a command without instruments; chosen once, so that a limit that is off costs nothing.
        self.plain_run: RunCommand = self._run if self.limiter is None else self._run_limited
        #: Sends a command.
        self.run: RunCommand = self.plain_run
        #: Of instrumented commands with more than one attempt: the node that answered, and the number of attempts.
        self.notes: dict[Key, tuple[Node | None, int]] = {}
        #: Cancel scopes of operations that wait for a slot, with their deadlines, in order of arrival.
        self._queued: OrderedDict[object, tuple[float, trio.CancelScope]] = OrderedDict()
        self._expiring = False
        self.queue_timeout: float = math.inf if operation_queue_timeout is None else operation_queue_timeout
        #: How many operations wait for a slot; a waiting lease counts once.
        self.slots_awaited: int = 0
        self.leases: set[SlotLease] = set()
        self.call_soon: Callable[[Callable[[], object]], None] = trio.lowlevel.current_trio_token().run_sync_soon

    def observe(self) -> None:
        """Switch to the cluster's present instruments, or to none."""
        observers = self._cluster.observers
        if observers is None:
            self.run = self.plain_run
        else:
            self.run = observers.runner(self.plain_run, self.notes)
        self.notes.clear()

    @trio.lowlevel.enable_ki_protection
    async def acquire_slot(self) -> object:
        """Acquire one of the ``max_concurrent_operations`` slots on behalf of an operation, not of the task.

        Returns:
            The slot, for :meth:`release_slot`.

        Raises:
            BackpressureError: no slot came free within ``operation_queue_timeout``.
        """
        limiter = self.limiter
        assert limiter is not None
        operation = object()
        try:
            limiter.acquire_on_behalf_of_nowait(operation)
        except trio.WouldBlock:
            any(lease.reclaim() for lease in self.leases)
            self.slots_awaited += 1
            try:
                with trio.CancelScope() as scope:
                    if self.queue_timeout < math.inf:
                        self._queued[operation] = (self._now() + self.queue_timeout, scope)
                        if not self._expiring and not self._cluster.closed:
                            self._expiring = True
                            self._cluster.in_background(self._expire_queued)
                    await limiter.acquire_on_behalf_of(operation)
            finally:
                self.slots_awaited -= 1
                self._queued.pop(operation, None)
            if scope.cancelled_caught:
                raise self.no_slot_came_free(limiter.statistics().tasks_waiting) from None
        return operation

    async def _expire_queued(self) -> None:
        """Expire overdue waits for a slot. All have the same timeout, so they expire in order."""
        clock, queued = self._clock, self._queued
        try:
            while queued:
                deadline, scope = next(iter(queued.values()))
                if clock.now() >= deadline:
                    queued.popitem(last=False)
                    scope.cancel()
                else:
                    await trio.sleep_until(clock.to_trio(deadline))
        finally:
            self._expiring = False

    def no_slot_came_free(self, others: int) -> BackpressureError:
        """Return the error for an operation that waited for a slot for ``operation_queue_timeout``.

        Args:
            others: how many more operations wait.
        """
        assert self.limiter is not None
        return BackpressureError(
            f"all {self.limiter.total_tokens:.0f} slots of max_concurrent_operations stayed taken for "
            f"operation_queue_timeout={self.queue_timeout} s; {others} more are waiting"
        )

    @property
    def in_background(self) -> Callable[[Callable[[], Coroutine[Any, Any, None]]], None] | None:
        """Starts a background task that runs while the client is open; None once it is closed."""
        return None if self._cluster.closed else self._cluster.in_background

    def release_slot(self, operation: object) -> None:
        """Give a slot back."""
        assert self.limiter is not None
        self.limiter.release_on_behalf_of(operation)

    def _spare_slot(self) -> Callable[[], None] | None:
        """Take a free slot that no operation waits for; return the callable that releases it, or None."""
        assert self.limiter is not None
        operation = object()
        try:
            self.limiter.acquire_on_behalf_of_nowait(operation)
        except trio.WouldBlock:
            return None
        return partial(self.release_slot, operation)

    @trio.lowlevel.enable_ki_protection
    async def run_batch(self, batch: Batch) -> tuple[list[BatchResult], AerospikeError | None]:
        """Execute a batch, which counts as one operation.

        Returns:
            A result for each key, and the error if no key at all was answered.

        Raises:
            BackpressureError: no slot came free in time.
            AerospikeError: what :meth:`BatchExecution.run` raises.
        """
        self._cluster.trio_run.check(batch.what)
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
        run = BatchExecution(self._cluster, batch)
        try:
            return await run.run(), run.fault
        finally:
            if slot is not None:
                run.when_answered(lambda: self.release_slot(slot))
            if observers is not None:
                observers.stage(batch.what, "io", began)
                observers.stage_took(batch.what, "decode", run.decoding)

    @trio.lowlevel.enable_ki_protection
    async def _run_limited(
        self, what: str, key: Key, frame: bytes, policy: ReadPolicy | WritePolicy, write: bool
    ) -> bytes:
        """As :meth:`_run`, holding a slot; also raises BackpressureError if no slot comes free in time."""
        self._cluster.trio_run.check(what)
        await trio.lowlevel.checkpoint_if_cancelled()
        slots = [await self.acquire_slot()]
        try:
            return await self._run(what, key, frame, policy, write, slots)
        finally:
            if slots:
                self.release_slot(slots.pop())

    # A KeyboardInterrupt goes to the main task instead: here it could come between a request and its task.
    @trio.lowlevel.enable_ki_protection
    async def _run(
        self,
        what: str,
        key: Key,
        frame: bytes,
        policy: ReadPolicy | WritePolicy,
        write: bool,
        slots: list[object] | None = None,
        state: RetryState | None = None,
    ) -> bytes:
        """Send a command to the node that serves its key and return the body of the answer.

        Args:
            what: the command's name, for messages.
            key: the record.
            frame: the request, with the policy's total timeout as its transaction ttl; an earlier deadline of the
                caller's scope is set here.
            policy: timeouts, retries and replica.
            write: whether the command may change the record: decides on retries and doubt.
            slots: the operation's slot of ``max_concurrent_operations``; removed from the list if another task
                releases it.
            state: attempts that were made outside Trio; on the loop clock.

        Raises:
            AerospikeTimeoutError: the policy's total or socket timeout passed.
            ConnectionFailed: the connection broke, and no retry was allowed or left.
            NoMoreConnections: the in-flight queue of each connection to the node stayed full.
            ClusterError: no node serves the partition.
            ClientError: the caller is not in the client's Trio run.
            AerospikeError: the server refused the command.
        """
        if get_ident() != self._thread:
            raise self._cluster.trio_run.refusal(what)
        trio_now = self._trio_now()
        now = self._clock.charged(trio_now)
        total: float | None = None
        if state is not None:
            limit = state.limit
        else:
            total = math.inf if policy.total_timeout is None else policy.total_timeout
            limit = now + total
        try:
            task = trio.lowlevel.current_task()
        except RuntimeError:
            raise self._cluster.trio_run.refusal(what) from None
        scope_deadline = self._deadline_of(task)
        if scope_deadline <= trio_now:
            # Nothing is sent for a caller that has been cancelled.
            await trio.lowlevel.checkpoint()
        socket_timeout = math.inf if policy.socket_timeout is None else policy.socket_timeout
        if scope_deadline - trio_now < limit - now:
            frame = restamped(frame, scope_deadline, trio_now)
        digest = key.digest
        partition = (digest[0] | digest[1] << 8) & 4095
        cluster = self._cluster
        execution: RetriedCommand | None = None
        if state is not None:
            execution = RetriedCommand(what, key, frame, policy, write, cluster, state)
            state.attempt_began(now)
        began = now if state is None else state.began
        while True:
            if execution is None:
                table = cluster.partitions.tables.get(key.namespace)
                node = None if table is None else table.masters[partition]
            else:
                sequence = execution.state.sequence(write=write)
                node = cluster.owner(key.namespace, partition, sequence, policy.replica)
            if node is not None:
                attempt_limit = now + socket_timeout
                pending = Request(
                    frame,
                    PROTO_MESSAGE,
                    attempt_limit if attempt_limit < limit else limit,
                    limit,
                    socket_timeout,
                    write,
                    None,
                    scope_deadline,
                    total,
                    began,
                )
                if what in _ALONE:
                    pending.exclusive = True
                node.submit(pending)
                if pending.failure is None:
                    pending.task = task
                    if slots is None:
                        await trio.lowlevel.wait_task_rescheduled(pending.abort)
                    else:
                        await self._wait_with_slot(pending, slots)
                body = pending.reply
                if body is not None and not body[RESULT_CODE] and execution is None:
                    return body
            else:
                pending = None
            if pending is not None:
                limit = pending.expires  # the time that a command waited for a connection does not count
                total = None if pending.sent else pending.total
            if execution is None:
                state = RetryState(
                    policy.max_retries,
                    policy.sleep_between_retries,
                    began=began,
                    limit=limit,
                    patience=cluster.patience,
                )
                execution = RetriedCommand(what, key, frame, policy, write, cluster, state)
            execution.state.limit = limit
            done = await execution.after(node, pending, scope_deadline)
            if done is not None:
                if cluster.observers is not None:
                    self.notes[key] = (node, execution.state.attempts + 1)
                return done
            now = self._now()
            execution.state.attempt_began(now)
            trio_now = self._trio_now()
            frame = restamped(frame, min(limit, now + scope_deadline - trio_now), now)

    async def run_leased(
        self,
        what: str,
        key: Key,
        frame: bytes,
        policy: ReadPolicy | WritePolicy,
        write: bool,
        leased: list[Slot | None] | None,
        state: RetryState | None = None,
    ) -> bytes:
        """As :meth:`_run`, for an asyncio loop, which may have leased a slot.

        Args:
            what, key, frame, policy, write, state: As for :meth:`_run`.
            leased: the slot, which is removed from the list: from then on it is released here. It holds None where
                the command has no slot any more, and another is acquired. Empty if the loop has taken it back, because
                the command was cancelled; None without a limit.
        """
        if leased is None:
            return await self._run(what, key, frame, policy, write, None, state)
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            slot = leased.pop()
        except IndexError:
            raise ClientError(f"{what} {key!r}: the command was cancelled") from None
        operation = None if slot is None else slot.lease.transfer(slot)
        slots: list[object] = [operation or await self.acquire_slot()]
        try:
            return await self._run(what, key, frame, policy, write, slots, state)
        finally:
            if slots:
                self.release_slot(slots.pop())

    @trio.lowlevel.enable_ki_protection
    async def second_attempt(
        self, key: Key, frame: bytes, policy: ReadPolicy | WritePolicy, attempt_left: float, command_left: float
    ) -> bytes | None:
        """Send a read once more that an event loop has sent behind a slow request, if there is a slot to spare.

        Args:
            key, frame, policy: as for :meth:`run`.
            attempt_left: seconds that this attempt may take.
            command_left: seconds that the whole command may take.

        Returns:
            The body of the answer, whatever its result code; None if it was not sent, or not answered.
        """
        cluster = self._cluster
        digest = key.digest
        node = cluster.owner(key.namespace, (digest[0] | digest[1] << 8) & 4095, 0, policy.replica)
        release = cluster.spare_slot()
        if release is None:
            return None
        try:
            if node is None:
                return None
            now = self._now()
            expires = now + command_left
            frame = restamped(frame, expires, now)
            deadline = now + attempt_left
            pending = Request(frame, PROTO_MESSAGE, deadline, expires, attempt_left, False, arrived=now)
            node.submit(pending)
            try:
                await pending.wait()
            except trio.Cancelled:
                if pending.sent and pending.failure is None:
                    pending.on_done, release = release, no_slot_to_release
                raise
            return pending.reply
        finally:
            release()

    async def resume(
        self,
        what: str,
        key: Key,
        frame: bytes,
        policy: ReadPolicy | WritePolicy,
        write: bool,
        state: RetryState,
        decision: RetryDecision,
        error: AerospikeError | None,
        leased: list[Slot | None] | None = None,
    ) -> bytes:
        """As :meth:`run` without a limit, for a command whose first attempt was made outside Trio.

        Args:
            what, key, frame, policy, write: As for :meth:`run`.
            state: that attempt, on the clock of ``time.monotonic``.
            decision: the decision after it.
            error: the error to raise if there is no time for a retry; None if nothing has failed yet.
            leased: the slot of ``max_concurrent_operations``, as for :meth:`run_leased`; None without a limit.
        """
        state.shift(self._now() - time.monotonic())
        if not await wait_for_retry(decision, state, self._cluster) and error is not None:
            raise error
        frame = restamped(frame, state.limit, self._now())
        return await self.run_leased(what, key, frame, policy, write, leased, state)

    async def _wait_with_slot(self, pending: Request, slots: list[object]) -> None:
        """Park; if the caller is cancelled once the request was sent, hold the slot until the answer has arrived."""
        try:
            await trio.lowlevel.wait_task_rescheduled(pending.abort)
        except trio.Cancelled:
            # The answer, or the end of the connection, may have arrived at the moment of the cancellation.
            if pending.sent and pending.failure is None:
                slot = slots.pop()
                pending.on_done = lambda: self.release_slot(slot)
            raise
