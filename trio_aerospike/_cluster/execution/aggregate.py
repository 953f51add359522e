"""The answers of all nodes to an aggregation: frames of values, waiting for the reader in a bounded store.

Values belong to no partition, and a node works on all of which it is the master or on nothing (server: query_job.c asks
for no partitions here), so that no part of the whole can be asked for anew. As long as nothing of what was made of the
values has been handed on, the whole can: `restart`. After that, what goes wrong with one node ends it. As with queries
there is no task here, and connections are left unread when too much has gathered.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from ..._wire.constants import INFO3_LAST
from ..._wire.messages import Message, decode_messages
from ..._wire.shown import clipped
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
from .retry import Action, Cause, Outcome, RetryState

if TYPE_CHECKING:
    from ...query import QueryPolicy
    from ..tend.cluster import Cluster
    from ..tend.node import Node
    from .single import Executor

Value = tuple[int, bytes]
"""Type and data of a particle."""


class ValueStream(Uncopyable):
    """One aggregation on its way.

    Args:
        cluster: where to.
        executor: counts it among ``max_concurrent_operations`` while it waits.
        what: the aggregation in words, for messages.
        namespace: of the records.
        make_frame: the request, with a number for the server.
        policy: its timeouts and retries count.

    Attributes:
        limit: on Trio's clock, when all is given up.
        handed_on: whether the program has been given something that was made of the values.
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
        #: How the last attempt failed and whether it was sent; None where asking again cannot help.
        self._failure: tuple[Outcome, bool] | None = None
        self._answered_once = False
        #: How often partitions had moved when all nodes had answered.
        self._moves = 0
        #: Who is master of what, as far as was known when the nodes were asked.
        self._masters: list[Node | None] = []
        self.handed_on = False

    def _empty_buffer(self) -> FrameBuffer[NodeAnswer]:
        silence = math.inf if self._policy.socket_timeout is None else self._policy.socket_timeout
        return FrameBuffer(self._cluster, self.limit, silence)

    async def next_values(self) -> list[Value] | None:
        """The next values, at least one; None when there are no more.

        Raises:
            BackpressureError: no slot came free in time.
            UDFError: the function failed on a node; with its message and line.
            AerospikeTimeoutError: ``total_timeout`` has passed, or a node stayed silent.
            AerospikeError: what a node refused, or why one could not be asked.
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
                run, body = self._buffer.frames.popleft()
                if body is None:
                    self._ended(run)
                else:
                    values = self._read(run, body)
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
            run = NodeAnswer(node)
            self._buffer.ask(run, self._make_frame(run.trid))

    # -- asking for all of it again ----------------------------------------------------------------------------------

    async def restart(self) -> bool:
        """After an error: wait until every partition is served, and be ready to ask for all values once more.

        Returns:
            False where that cannot help, is not allowed, or would repeat what has been handed on.
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
        """All nodes have answered: see whether they were masters of all partitions meanwhile.

        Raises:
            ClusterError: partitions have moved, and there is still something to be done about it.
        """
        if self.handed_on or self._moves >= self._policy.max_retries:
            return
        if self._state.history:
            # The nodes may have been asked before they took over what another has lost.
            await self._cluster.wait_for_tend(min(self.limit, loop_clock().now() + self._cluster.patience))
        if self._cluster.closed:
            raise ClientClosed(f"{self._what}: the client is closed")
        if self._cluster.masters(self._namespace) != self._masters:
            self._moves += 1
            error = ClusterError(f"{self._what}: partitions have moved to other nodes")
            raise self._noted(ResultCode.PARTITION_UNAVAILABLE, error, None, sent=True)

    def close(self) -> None:
        """End it: connections of answers under way are closed, and the servers hear that they may stop."""
        self._began = True
        self._buffer.close(tell=True)

    # -- what arrives ------------------------------------------------------------------------------------------------

    def _read(self, run: NodeAnswer, body: bytes) -> list[Value]:
        self._buffer.used(len(body))
        try:
            messages = decode_messages(body)
        except ProtocolError as error:
            raise self._failed(run, Cause.BAD_DATA, ProtocolError(), error.message) from None
        values: list[Value] = []
        for message in messages:
            if message.result_code or message.info3 & INFO3_LAST:
                self._check_end(run, message)
            else:
                values += self._values(run, message)
        return values

    def _values(self, run: NodeAnswer, message: Message) -> list[Value]:
        values = []
        for op in message.ops:
            if op.name == "FAILURE":
                text = clipped(op.data.decode("utf-8", "replace"))
                raise self._failed(run, ResultCode.UDF, UDFError(result_code=ResultCode.UDF), text)
            values.append((op.particle, op.data))
        return values

    def _check_end(self, run: NodeAnswer, message: Message) -> None:
        code = message.result_code
        if code in (ResultCode.OK, ResultCode.RECORD_NOT_FOUND):
            self._answered_once = True
            return  # a node that does not know of the set has nothing to tell
        if run.request is not None:
            report(self._cluster, run.node, run.request, code)
        error = error_from_code(code)
        raise self._failed(run, code, error, query_error_text(code))

    def _ended(self, run: NodeAnswer) -> None:
        """The reader has come to the end of an answer."""
        self._buffer.answers.discard(run)
        pending = run.request
        if run.whole or pending is None:
            return
        if self._cluster.closed:
            raise ClientClosed(f"{self._what}: the client is closed")
        outcome = outcome_of(pending)
        report(self._cluster, run.node, pending, outcome)
        if outcome is Cause.LOGIN_REFUSED:
            raise self._noted(outcome, refused_login(pending), run.node, sent=False)
        if outcome is Cause.POOL_FULL:
            text = "no connection came free (max_conns_per_node)"
            raise self._failed(run, outcome, NoMoreConnections(), text)
        if outcome is Cause.TIMEOUT:
            name = "total_timeout" if loop_clock().now() >= self.limit else "socket_timeout"
            text = f"no whole answer within {name}={getattr(self._policy, name)} s"
            raise self._failed(run, outcome, AerospikeTimeoutError(), text)
        if outcome is Cause.BAD_DATA:
            raise self._failed(run, outcome, ProtocolError(), undecodable(pending)) from pending.error
        error = ProtocolError() if outcome is Cause.PROTOCOL else ConnectionFailed()
        raise self._failed(run, outcome, error, self._cluster.cause(run.node, pending.error))

    def _failed(self, run: NodeAnswer, outcome: Outcome, error: AerospikeError, text: str) -> AerospikeError:
        """The error of one node's answer, which ends the attempt."""
        node = run.node
        error.args = (f"{self._what}: node {node.name} at {node.address}: {text}",)
        return self._noted(outcome, error, node, sent=run.request is not None and run.request.sent)

    def _noted(self, outcome: Outcome, error: AerospikeError, node: Node | None, *, sent: bool) -> AerospikeError:
        """Note how an attempt ended, for :meth:`restart` and in its error."""
        name = None if node is None else node.name
        self._state.note(outcome, sent=sent, write=False, now=loop_clock().now(), node=name)
        self._failure = outcome, sent
        error.node = name
        error.attempts = self._state.retries + sent
        error.history = self._state.history
        return error
