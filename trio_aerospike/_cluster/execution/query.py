"""Execute a query: ask all nodes at once, buffer their frames up to a bound, resume failed partitions on other nodes.

There is no background task. Each request has a connection of its own; frames that arrive are buffered, and decoded
piece by piece when the reader asks for more. While the buffer is full the connections are not read, which stops the
servers; that may last an hour, as the servers are told to keep trying. Progress in a partition is recorded when the
reader gets its records (see :mod:`query_plan`), so that a query resumes behind the last record delivered.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import trio

from ..._wire.commands import transaction_ttl_of
from ..._wire.query import QueryHead, encode_query
from ..._wire.query_answers import AnswerDecoder, Decoded
from ...errors import (
    AerospikeError,
    AerospikeTimeoutError,
    ClientClosed,
    ClusterError,
    ConnectionFailed,
    NoMoreConnections,
    ProtocolError,
    ResultCode,
    error_from_code,
)
from ...validation import Uncopyable
from ..connections.loop_clock import loop_clock
from ..tend.node import Node
from .attempts import outcome_of, query_error_text, refused_login, report, undecodable, wait_for_retry
from .frame_buffer import FrameBuffer, NodeAnswer
from .query_plan import NodePart, QueryPlan
from .retry_rules import Action, Cause, Outcome, RetryDecision, RetryState, gravest, rule_for

if TYPE_CHECKING:
    from ...query import QueryPolicy
    from ..tend.cluster import Cluster
    from .single import Executor

#: Records that are decoded at a time, without a checkpoint in between.
CHUNK_SIZE = 256


@attrs.define(slots=True, eq=False)
class Chunk:
    """Records for the reader, their digests, and for a query through an index the index value of each."""

    records: list[Any]
    digests: list[bytes]
    values: list[int]


class _NodeAnswer(NodeAnswer):
    """One node's answer while it is received."""

    __slots__ = ("began", "part", "result")

    def __init__(self, part: NodePart[Node]) -> None:
        super().__init__(part.node)
        self.began = loop_clock().now()
        self.part = part
        self.result = 0


class QueryStream(Uncopyable):
    """One running query.

    Args:
        cluster: the cluster.
        executor: limits it by ``max_concurrent_operations`` while it waits.
        what: the query in words, for messages.
        head: the part of the request that is the same for all nodes.
        plan: the partitions, and the number of records.
        policy: the query policy.
        decoder: decodes the answers into records.
        hint: what to do if there is no index, for messages.
    """

    def __init__(
        self,
        cluster: Cluster,
        executor: Executor,
        what: str,
        head: QueryHead,
        plan: QueryPlan[Node],
        policy: QueryPolicy,
        decoder: AnswerDecoder,
        hint: Callable[[], str],
    ) -> None:
        self._cluster = cluster
        self._executor = executor
        self._what = what
        self._head = head
        self._plan = plan
        self._policy = policy
        self._decoder = decoder
        self._hint = hint
        now = loop_clock().now()
        self._limit = math.inf if policy.total_timeout is None else now + policy.total_timeout
        self._silence = math.inf if policy.socket_timeout is None else policy.socket_timeout
        self._state = RetryState(
            policy.max_retries,
            policy.sleep_between_retries,
            began=now,
            limit=self._limit,
            patience=min(cluster.patience, self._silence),
        )
        self._buffer: FrameBuffer[_NodeAnswer] = FrameBuffer(cluster, self._limit, self._silence)
        self._open: tuple[_NodeAnswer, bytes, int] | None = None
        self._began = False
        self._answered_once = False
        # Of this round: the last error, how each failed attempt ended and whether it was sent, and the decision.
        self._fault: AerospikeError | None = None
        self._outcomes: list[tuple[Outcome, bool]] = []
        self._decision: RetryDecision | None = None
        self._retry_at = 0.0
        self._fatal: AerospikeError | None = None
        self.closed = False

    @trio.lowlevel.enable_ki_protection
    async def next_chunk(self) -> Chunk | None:
        """Return the next records, at least one; None at the end.

        Raises:
            BackpressureError: no slot came free in time.
            AerospikeTimeoutError: ``total_timeout`` has passed, or nodes stayed silent and no retry is left.
            AerospikeError: the rest cannot be read; names the partitions that are missing.
        """
        await trio.lowlevel.checkpoint()
        chunk = self._ready()
        if chunk is not None or self._is_over():
            return chunk
        if self._executor.limiter is None:
            return await self._read()
        slot = await self._executor.acquire_slot()
        try:
            return await self._read()
        finally:
            self._executor.release_slot(slot)

    async def _read(self) -> Chunk | None:
        while True:
            if self._buffer.answers:
                if not self._buffer.frames and self._open is None:
                    await self._buffer.wait()
            else:
                await self._next_round()
            chunk = self._ready()
            if chunk is not None or self._is_over():
                return chunk

    def _is_over(self) -> bool:
        """Whether all wanted records have been read; False before the start."""
        if self._began and self._head.n_ops and self._plan.full:
            self.close()  # the nodes do not count, and would go on
        left = self._buffer.answers or self._buffer.frames or self._open is not None
        return self._began and not left and self._plan.over

    def close(self) -> None:
        """End it: close the connections of unfinished answers, which stops the servers."""
        self.closed = True
        self._open = None
        self._buffer.close(tell=not self._head.short)

    # -- buffered frames ---------------------------------------------------------------------------------------------

    def _ready(self) -> Chunk | None:
        """Decode records of the buffered frames, if there are any.

        Raises:
            AerospikeError: an error that ends the query.
        """
        while True:
            if self._fatal is not None:
                self.close()
                raise self._fatal
            if self._open is None:
                if not self._buffer.frames:
                    return None
                answer, body = self._buffer.frames.popleft()
                if body is None:
                    self._ended(answer)
                    continue
                self._open = (answer, body, 0)
            chunk = self._decoded(*self._open)
            if chunk is not None:
                self._state.progress(loop_clock().now())
                return chunk

    def _decoded(self, answer: _NodeAnswer, body: bytes, position: int) -> Chunk | None:
        """Return the next records of a frame, or None if it has no more that are wanted."""
        try:
            found = self._decoder.decode(body, position, CHUNK_SIZE)
        except ProtocolError as error:
            self._fatal = self._error(ProtocolError, error.message, answer.part.node)
            return None
        if found.position >= len(body):
            self._open = None
            self._buffer.used(len(body))
        else:
            self._open = (answer, body, found.position)
        return self._admitted(answer, found)

    def _admitted(self, answer: _NodeAnswer, found: Decoded) -> Chunk | None:
        plan, part = self._plan, answer.part
        for partition, _ in found.unavailable:
            plan.unavailable(part, partition)
        if found.result is not None:
            answer.result = found.result
        count = plan.admit(part, len(found.records))
        if not count:
            return None
        del found.records[count:]
        del found.digests[count:]
        return Chunk(found.records, found.digests, found.values[:count])

    # -- the ends of answers -----------------------------------------------------------------------------------------

    def _ended(self, answer: _NodeAnswer) -> None:
        """Handle the end of one node's answer."""
        if answer not in self._buffer.answers:
            return
        self._buffer.answers.discard(answer)
        part = answer.part
        if answer.whole:
            self._judge_result(answer)
            return
        pending = answer.request
        assert pending is not None
        self._plan.failed(part)
        if self._cluster.closed:
            self._fatal = ClientClosed(f"{self._what}: the client is closed")
            return
        outcome = outcome_of(pending)
        report(self._cluster, part.node, pending, outcome)
        if outcome is Cause.TIMEOUT:
            overdue = loop_clock().now() >= self._limit
            name = "total_timeout" if overdue else "socket_timeout"
            text = f"no whole answer within {name}={getattr(self._policy, name)} s"
            self._note(answer, outcome, self._error(AerospikeTimeoutError, text, part.node))
            if overdue:
                self._fatal = self._missing(self._fault)
        elif outcome is Cause.LOGIN_REFUSED:
            self._note(answer, outcome, refused_login(pending))
        elif outcome is Cause.POOL_FULL:
            text = "no connection came free (max_conns_per_node)"
            self._note(answer, outcome, self._error(NoMoreConnections, text, part.node))
        elif outcome is Cause.BAD_DATA:
            error = self._error(ProtocolError, undecodable(pending), part.node)
            error.__cause__ = pending.error
            self._note(answer, outcome, error)
        else:
            kind = ProtocolError if outcome is Cause.PROTOCOL else ConnectionFailed
            text = self._cluster.cause(part.node, pending.error)
            self._note(answer, outcome, self._error(kind, text, part.node))

    def _judge_result(self, answer: _NodeAnswer) -> None:
        code, part = answer.result, answer.part
        if code in (ResultCode.OK, ResultCode.RECORD_NOT_FOUND):
            self._answered_once = True
            self._plan.answered(part)
            if part.unavailable:
                text = f"does not serve {_partitions(sorted(part.unavailable))}"
                code = ResultCode.PARTITION_UNAVAILABLE
                self._cluster.hurry()
                self._note(answer, code, self._of_code(code, part.node, text))
            return
        self._plan.failed(part)
        text = query_error_text(code)
        if code == ResultCode.INDEX_NOT_FOUND:
            text = f"{text}; {self._hint()}"
        assert answer.request is not None
        report(self._cluster, part.node, answer.request, code)
        self._note(answer, code, self._of_code(code, part.node, text))

    def _note(self, answer: _NodeAnswer, outcome: Outcome, error: AerospikeError) -> None:
        """Note that one node's share failed; unless the error is final, the decision waits for the other nodes."""
        sent = answer.request is not None and answer.request.sent
        now = loop_clock().now()
        self._state.note(outcome, sent=sent, write=False, now=now, node=answer.node.name, began=answer.began)
        error.attempts = self._state.retries + sent
        error.history = self._state.history
        self._fault = error
        self._outcomes.append((outcome, sent))
        rule = rule_for(outcome, sent=sent)
        if rule.after(write=False, partly=self._answered_once) is Action.RAISE:
            self._fatal = error

    # -- rounds ------------------------------------------------------------------------------------------------------

    async def _next_round(self) -> None:
        """Start a round: ask for all partitions that are still open.

        Raises:
            AerospikeError: the policy does not allow a retry, or no node is available in time.
        """
        while True:
            if self._cluster.closed:
                raise ClientClosed(f"{self._what}: the client is closed")
            if self._plan.over:
                self._began = True
                return
            if self._fault is not None:
                await self._prepare_retry()
            if loop_clock().now() >= self._limit:
                error = AerospikeTimeoutError(f"{self._what}: total_timeout={self._policy.total_timeout} s passed")
                raise self._missing(self._fault or error)
            self._began = True
            parts, homeless = self._plan.assign(self._owner)
            if homeless:
                self._cluster.check_namespace(self._head.namespace)
                text = f"no node serves {_partitions([state.number for state in homeless])}"
                self._state.note(Cause.NO_OWNER, sent=False, write=False, now=loop_clock().now(), node=None)
                self._outcomes.append((Cause.NO_OWNER, False))
                self._fault = self._error(ClusterError, f"{text}; known nodes: {self._cluster.describe()}", None)
            if parts:
                for part in parts:
                    self._ask(part)
                return

    def _owner(self, partition: int, sequence: int) -> Node | None:
        return self._cluster.owner(self._head.namespace, partition, sequence, self._policy.replica)

    async def _prepare_retry(self) -> None:
        """Wait as the retry engine says after a failed round. If the reader is cancelled, the next reader waits."""
        assert self._fault is not None
        now = loop_clock().now()
        if self._decision is None:
            outcome, sent = gravest(self._outcomes)
            self._decision = self._state.decide(
                outcome,
                sent=sent,
                write=False,
                now=now,
                replicas=self._cluster.replicas_of(self._head.namespace),
                partly=self._answered_once,
            )
            self._retry_at = now + self._decision.delay
        if self._decision.action is Action.RAISE:
            raise self._missing(self._fault)
        decision = self._decision._replace(delay=max(self._retry_at - now, 0.0))
        if not await wait_for_retry(decision, self._state, self._cluster):
            raise self._missing(self._fault)
        self._fault = self._decision = None
        self._outcomes.clear()

    def _ask(self, part: NodePart[Node]) -> None:
        answer = _NodeAnswer(part)
        frame = encode_query(
            attrs.evolve(self._head, trid=answer.trid),
            part.whole(),
            part.resumed(),
            record_max=part.record_max,
            transaction_ttl=0 if self._limit == math.inf else transaction_ttl_of(self._limit - loop_clock().now()),
        )
        self._buffer.ask(answer, frame)

    # -- errors ------------------------------------------------------------------------------------------------------

    def _error(self, kind: type[AerospikeError], text: str, node: Node | None) -> AerospikeError:
        place = f"node {node.name} at {node.address}: " if node is not None else ""
        name = None if node is None else node.name
        return kind(f"{self._what}: {place}{text}", node=name, attempts=self._state.retries)

    def _of_code(self, code: int, node: Node, text: str) -> AerospikeError:
        place = f"node {node.name} at {node.address}"
        return error_from_code(code, f"{self._what}: {place}: {text}", node=node.name)

    def _missing(self, fault: AerospikeError | None) -> AerospikeError:
        """Return the error that ends the query, with the partitions that were not read."""
        assert fault is not None
        missing = _partitions([state.number for state in self._plan.open])
        error = copy.copy(fault)
        error.args = (f"{fault.message}; not read to their ends: {missing}",)
        return error


def _partitions(numbers: Sequence[int]) -> str:
    """Format partition numbers for a message, consecutive ones as ranges."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in runs[:8]]
    more = f" and {len(runs) - 8} more ranges" if len(runs) > 8 else ""
    return f"{len(numbers)} partitions ({', '.join(shown)}{more})"
