"""Stream the results of an aggregation from all nodes: frames of values in a bounded buffer, restarted as a whole.

Values belong to no partition: a node works on all partitions that it is the master of (server: query_job.c takes no
list of partitions here), so a part of the aggregation cannot be retried. The whole can be restarted until the first
value has been delivered to the program (`restart`). After that, the failure of one node ends the aggregation. As with
queries there is no background task, and connections are not read while the buffer is full.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from ..._wire.constants import INFO3_LAST
from ..._wire.error_text import clipped
from ..._wire.messages import Message, decode_messages
from ...errors import (
    AerospikeError,
    AerospikeTimeoutError,
    ClientClosed,
    ClusterError,
    ConnectionFailed,
    NoMoreConnections,
    ProtocolError,
    ResultCode,
    UDFError,
    error_from_code,
)
from ...validation import Uncopyable
from ..connections.loop_clock import loop_clock
from .attempts import outcome_of, query_error_text, refused_login, report, undecodable, wait_for_retry
from .frame_buffer import FrameBuffer, NodeAnswer
from .retry_rules import Action, Cause, Outcome, RetryState

if TYPE_CHECKING:
    from ...query import QueryPolicy
    from ..tend.cluster import Cluster
    from ..tend.node import Node
    from .single import Executor

Value = tuple[int, bytes]
"""Type and data of a particle."""


class ValueStream(Uncopyable):
    """One running aggregation.

    Args:
        cluster: the cluster that is asked.
        executor: limits it by ``max_concurrent_operations`` while it waits.
        what: the aggregation in words, for messages.
        namespace: of the records.
        make_frame: the request, with a number for the server.
        policy: its timeouts and retries count.

    Attributes:
        limit: deadline of the whole aggregation, on Trio's clock.
        handed_on: whether a value has been delivered to the program.
    """

    def __init__(
        self,
        cluster: Cluster,
        executor: Executor,
        what: str,
        namespace: str,
        make_frame: Callable[[int], bytes],
        policy: QueryPolicy,
    ) -> None:
        self._cluster = cluster
        self._executor = executor
        self._what = what
        self._namespace = namespace
        self._make_frame = make_frame
        self._policy = policy
        began = loop_clock().now()
        self.limit = math.inf if policy.total_timeout is None else began + policy.total_timeout
        silence = math.inf if policy.socket_timeout is None else policy.socket_timeout
        self._state = RetryState(
            policy.max_retries,
            policy.sleep_between_retries,
            began=began,
            limit=self.limit,
            patience=min(cluster.patience, silence),
        )
        self._buffer: FrameBuffer[NodeAnswer] = self._empty_buffer()
        self._began = False
        #: How the last attempt failed and whether it was sent; None where a retry cannot help.
        self._failure: tuple[Outcome, bool] | None = None
        self._answered_once = False
        #: How often partitions had moved by the time all nodes had answered.
        self._moves = 0
        #: The masters of all partitions, as known when the nodes were asked.
        self._masters: list[Node | None] = []
        self.handed_on = False

    def _empty_buffer(self) -> FrameBuffer[NodeAnswer]:
        silence = math.inf if self._policy.socket_timeout is None else self._policy.socket_timeout
        return FrameBuffer(self._cluster, self.limit, silence)

    @trio.lowlevel.enable_ki_protection
    async def next_values(self) -> list[Value] | None:
        """Return the next values, at least one; None at the end.

        Raises:
            BackpressureError: no slot came free in time.
            UDFError: the function failed on a node; with its message and line.
            AerospikeTimeoutError: ``total_timeout`` has passed, or a node stayed silent.
            AerospikeError: a node refused the request, or could not be reached.
        """
        await trio.lowlevel.checkpoint()
        slot = None if self._executor.limiter is None else await self._executor.acquire_slot()
        try:
            return await self._next()
        except BaseException:
            self.close()
            raise
        finally:
            if slot is not None:
                self._executor.release_slot(slot)

    async def _next(self) -> list[Value] | None:
        if not self._began:
            self._begin()
        while True:
            while self._buffer.frames:
                answer, body = self._buffer.frames.popleft()
                if body is None:
                    self._ended(answer)
                else:
                    values = self._read(answer, body)
                    if values:
                        return values
            if not self._buffer.answers:
                await self._check_masters()
                return None
            await self._buffer.wait()

    def _begin(self) -> None:
        self._began = True
        self._state.attempt_began(loop_clock().now())
        if self._cluster.closed:
            raise ClientClosed(f"{self._what}: the client is closed")
        self._cluster.check_namespace(self._namespace)
        nodes = self._cluster.active_nodes()
        if not nodes:
            error = ClusterError(f"{self._what}: {self._cluster.outage()}")
            raise self._noted(Cause.NO_OWNER, error, None, sent=False)
        self._masters = self._cluster.masters(self._namespace)
        for node in nodes:
            answer = NodeAnswer(node)
            self._buffer.ask(answer, self._make_frame(answer.trid))

    # -- restart -----------------------------------------------------------------------------------------------------

    async def restart(self) -> bool:
        """After an error: wait until every partition is served, and prepare to ask all nodes again.

        Returns:
            False if that cannot help, is not allowed, or would deliver values twice.
        """
        failure, self._failure = self._failure, None
        if failure is None or self.handed_on:
            return False
        outcome, sent = failure
        decision = self._state.decide(
            outcome,
            sent=sent,
            write=False,
            now=loop_clock().now(),
            replicas=self._cluster.replicas_of(self._namespace),
            partly=self._answered_once,
        )
        if decision.action is Action.RAISE or not await wait_for_retry(decision, self._state, self._cluster):
            return False
        while not self._cluster.serves_all(self._namespace):
            if not await self._cluster.wait_for_tend(self._state.patience_end) or self._cluster.closed:
                return False
        if self._cluster.closed or loop_clock().now() >= self.limit:
            return False
        self._buffer = self._empty_buffer()
        self._began = False
        return True

    async def _check_masters(self) -> None:
        """All nodes have answered: check that they were masters of all partitions all the time.

        Raises:
            ClusterError: partitions have moved, and a restart may help.
        """
        if self.handed_on or self._moves >= self._policy.max_retries:
            return
        if self._state.history:
            # The nodes may have been asked before they took over the partitions of another.
            await self._cluster.wait_for_tend(min(self.limit, loop_clock().now() + self._cluster.patience))
        if self._cluster.closed:
            raise ClientClosed(f"{self._what}: the client is closed")
        if self._cluster.masters(self._namespace) != self._masters:
            self._moves += 1
            error = ClusterError(f"{self._what}: partitions have moved to other nodes")
            raise self._noted(ResultCode.PARTITION_UNAVAILABLE, error, None, sent=True)

    def close(self) -> None:
        """End it: close the connections of unfinished answers, which stops the servers."""
        self._began = True
        self._buffer.close(tell=True)

    # -- receiving ---------------------------------------------------------------------------------------------------

    def _read(self, answer: NodeAnswer, body: bytes) -> list[Value]:
        self._buffer.used(len(body))
        try:
            messages = decode_messages(body)
        except ProtocolError as error:
            raise self._failed(answer, Cause.BAD_DATA, ProtocolError(), error.message) from None
        values: list[Value] = []
        for message in messages:
            if message.result_code or message.info3 & INFO3_LAST:
                self._check_end(answer, message)
            else:
                values += self._values(answer, message)
        return values

    def _values(self, answer: NodeAnswer, message: Message) -> list[Value]:
        values = []
        for op in message.ops:
            if op.name == "FAILURE":
                text = clipped(op.data.decode("utf-8", "replace"))
                raise self._failed(answer, ResultCode.UDF, UDFError(result_code=ResultCode.UDF), text)
            values.append((op.particle, op.data))
        return values

    def _check_end(self, answer: NodeAnswer, message: Message) -> None:
        code = message.result_code
        if code in (ResultCode.OK, ResultCode.RECORD_NOT_FOUND):
            self._answered_once = True
            return  # a node that does not know of the set has nothing to tell
        if answer.request is not None:
            report(self._cluster, answer.node, answer.request, code)
        error = error_from_code(code)
        raise self._failed(answer, code, error, query_error_text(code))

    def _ended(self, answer: NodeAnswer) -> None:
        """Handle the end of one node's answer."""
        self._buffer.answers.discard(answer)
        pending = answer.request
        if answer.whole or pending is None:
            return
        if self._cluster.closed:
            raise ClientClosed(f"{self._what}: the client is closed")
        outcome = outcome_of(pending)
        report(self._cluster, answer.node, pending, outcome)
        if outcome is Cause.LOGIN_REFUSED:
            raise self._noted(outcome, refused_login(pending), answer.node, sent=False)
        if outcome is Cause.POOL_FULL:
            text = "no connection came free (max_conns_per_node)"
            raise self._failed(answer, outcome, NoMoreConnections(), text)
        if outcome is Cause.TIMEOUT:
            name = "total_timeout" if loop_clock().now() >= self.limit else "socket_timeout"
            text = f"no whole answer within {name}={getattr(self._policy, name)} s"
            raise self._failed(answer, outcome, AerospikeTimeoutError(), text)
        if outcome is Cause.BAD_DATA:
            raise self._failed(answer, outcome, ProtocolError(), undecodable(pending)) from pending.error
        error = ProtocolError() if outcome is Cause.PROTOCOL else ConnectionFailed()
        raise self._failed(answer, outcome, error, self._cluster.cause(answer.node, pending.error))

    def _failed(self, answer: NodeAnswer, outcome: Outcome, error: AerospikeError, text: str) -> AerospikeError:
        """Return the error of one node's answer, which ends the attempt."""
        node = answer.node
        error.args = (f"{self._what}: node {node.name} at {node.address}: {text}",)
        return self._noted(outcome, error, node, sent=answer.request is not None and answer.request.sent)

    def _noted(self, outcome: Outcome, error: AerospikeError, node: Node | None, *, sent: bool) -> AerospikeError:
        """Note how an attempt ended, for :meth:`restart` and in its error message."""
        name = None if node is None else node.name
        self._state.note(outcome, sent=sent, write=False, now=loop_clock().now(), node=name)
        self._failure = outcome, sent
        error.node = name
        error.attempts = self._state.retries + sent
        error.history = self._state.history
        return error
