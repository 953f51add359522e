"""Carrying out a query: all nodes at once, frames waiting for the reader in a bounded store, failures asked for anew.

There is no task here. Requests stand in the lines of connections of their own; what arrives is put aside, and decoded
piece by piece when the reader asks for more. When too much has gathered the connections are left unread, which stops
the servers; that may last an hour, as the servers are told to keep trying. All decisions about partitions are taken in
the order in which the reader has the records (see :mod:`query_plan`), so that what broke off is asked for from the very
place.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import trio

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
from ..connections.connection import ttl_milliseconds
from ..connections.loop_clock import loop_clock
from ..tend.node import Node
from .attempts import outcome_of, query_error_text, refused_login, report, undecodable, wait_for_retry
from .frame_buffer import FrameBuffer, NodeAnswer
from .query_plan import NodePart, QueryPlan
from .retry import Action, Cause, Outcome, RetryDecision, RetryState, gravest, rule_for

if TYPE_CHECKING:
    from ...query import QueryPolicy
    from ..tend.cluster import Cluster
    from .single import Executor

#: Records that are decoded at a time: the rest of the program waits that long.
CHUNK_SIZE = 256


@attrs.define(slots=True, eq=False)
class Chunk:
    """Records for the reader, with the value of the index for each where there is one."""

    records: list[Any]
    values: list[int]


class _Run(NodeAnswer):
    """One node's answer on its way."""

    __slots__ = ("began", "part", "result")

    def __init__(self, part: NodePart[Node]) -> None:
        super().__init__(part.node)
        self.began = loop_clock().now()
        self.part = part
        self.result = 0


class QueryStream(Uncopyable):
    """One query on its way.

    Args:
        cluster: where to.
        executor: counts it among ``max_concurrent_operations`` while it waits.
        what: the query in words, for messages.
        head: what is asked for.
        plan: of which partitions, and how many records.
        policy: how.
        decoder: makes records of the answers.
        hint: what to do where there is no index, for messages.
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
        self._buffer: FrameBuffer[_Run] = FrameBuffer(cluster, self._limit, self._silence)
        self._open: tuple[_Run, bytes, int] | None = None
        self._began = False
        self._answered_once = False
        # Of this round: what went wrong last, how each failed attempt ended and whether it was sent, and what follows.
        self._fault: AerospikeError | None = None
        self._outcomes: list[tuple[Outcome, bool]] = []
        self._decision: RetryDecision | None = None
        self._retry_at = 0.0
        self._fatal: AerospikeError | None = None
        self.closed = False

    async def next_chunk(self) -> Chunk | None:
        """The next records, at least one; None when there are no more.

        Raises:
            BackpressureError: no slot came free in time.
            AerospikeTimeoutError: ``total_timeout`` has passed, or a node stayed silent once too often.
            AerospikeError: why the rest cannot be had; names the partitions that are missing.
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
        """Whether everything has been read that is wanted; False before the beginning."""
        if self._began and self._head.n_ops and self._plan.full:
            self.close()  # the nodes do not count, and would go on
        left = self._buffer.answers or self._buffer.frames or self._open is not None
        return self._began and not left and self._plan.over

    def close(self) -> None:
        """End it: connections of answers under way are closed, and the servers hear that they may stop."""
        self.closed = True
        self._open = None
        self._buffer.close(tell=not self._head.short)

    # -- what has arrived --------------------------------------------------------------------------------------------

    def _ready(self) -> Chunk | None:
        """Records of what has arrived, as far as there are any.

        Raises:
            AerospikeError: something went wrong that ends the query.
        """
        while True:
            if self._fatal is not None:
                self.close()
                raise self._fatal
            if self._open is None:
                if not self._buffer.frames:
                    return None
                run, body = self._buffer.frames.popleft()
                if body is None:
                    self._ended(run)
                    continue
                self._open = (run, body, 0)
            chunk = self._decoded(*self._open)
            if chunk is not None:
                self._state.progress(loop_clock().now())
                return chunk

    def _decoded(self, run: _Run, body: bytes, position: int) -> Chunk | None:
        """The next records of a frame, or None if it has none left that are wanted."""
        try:
            found = self._decoder.decode(body, position, CHUNK_SIZE)
        except ProtocolError as error:
            self._fatal = self._error(ProtocolError, error.message, run.part.node)
            return None
        if found.position >= len(body):
            self._open = None
            self._buffer.used(len(body))
        else:
            self._open = (run, body, found.position)
        return self._admitted(run, found)

    def _admitted(self, run: _Run, found: Decoded) -> Chunk | None:
        plan, part = self._plan, run.part
        for partition, _ in found.unavailable:
            plan.unavailable(part, partition)
        if found.result is not None:
            run.result = found.result
        count = plan.admit(part, len(found.records))
        if not count:
            return None
        del found.records[count:]
        return Chunk(found.records, found.values[:count])

    # -- the ends of answers -----------------------------------------------------------------------------------------

    def _ended(self, run: _Run) -> None:
        """The reader has come to the end of an answer: see what it was worth."""
        if run not in self._buffer.answers:
            return
        self._buffer.answers.discard(run)
        part = run.part
        if run.whole:
            self._judge_result(run)
            return
        pending = run.request
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
            self._note(run, outcome, self._error(AerospikeTimeoutError, text, part.node))
            if overdue:
                self._fatal = self._missing(self._fault)
        elif outcome is Cause.LOGIN_REFUSED:
            self._note(run, outcome, refused_login(pending))
        elif outcome is Cause.POOL_FULL:
            text = "no connection came free (max_conns_per_node)"
            self._note(run, outcome, self._error(NoMoreConnections, text, part.node))
        elif outcome is Cause.BAD_DATA:
            error = self._error(ProtocolError, undecodable(pending), part.node)
            error.__cause__ = pending.error
            self._note(run, outcome, error)
        else:
            kind = ProtocolError if outcome is Cause.PROTOCOL else ConnectionFailed
            text = self._cluster.cause(part.node, pending.error)
            self._note(run, outcome, self._error(kind, text, part.node))

    def _judge_result(self, run: _Run) -> None:
        code, part = run.result, run.part
        if code in (ResultCode.OK, ResultCode.RECORD_NOT_FOUND):
            self._answered_once = True
            self._plan.answered(part)
            if part.unavailable:
                text = f"does not serve {_partitions(sorted(part.unavailable))}"
                code = ResultCode.PARTITION_UNAVAILABLE
                self._cluster.hurry()
                self._note(run, code, self._of_code(code, part.node, text))
            return
        self._plan.failed(part)
        text = query_error_text(code)
        if code == ResultCode.INDEX_NOT_FOUND:
            text = f"{text}; {self._hint()}"
        assert run.request is not None
        report(self._cluster, part.node, run.request, code)
        self._note(run, code, self._of_code(code, part.node, text))

    def _note(self, run: _Run, outcome: Outcome, error: AerospikeError) -> None:
        """One node's share has failed; the decision is taken when the others have ended as well, unless it is final."""
        sent = run.request is not None and run.request.sent
        now = loop_clock().now()
        self._state.note(outcome, sent=sent, write=False, now=now, node=run.node.name, began=run.began)
        error.attempts = self._state.retries + sent
        error.history = self._state.history
        self._fault = error
        self._outcomes.append((outcome, sent))
        rule = rule_for(outcome, sent=sent)
        if rule.read is Action.RAISE or (rule.partly and not self._answered_once):
            self._fatal = error

    # -- rounds ------------------------------------------------------------------------------------------------------

    async def _next_round(self) -> None:
        """Ask for all partitions that are open, the first time or again.

        Raises:
            AerospikeError: the policy does not allow it, or no node can be had in time.
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
        """Wait as the retry engine says after a round that failed. A reader that is cancelled leaves it to the next."""
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
        run = _Run(part)
        frame = encode_query(
            attrs.evolve(self._head, trid=run.trid),
            part.whole(),
            part.resumed(),
            record_max=part.record_max,
            transaction_ttl=0 if self._limit == math.inf else ttl_milliseconds(self._limit, loop_clock().now()),
        )
        self._buffer.ask(run, frame)

    # -- errors ------------------------------------------------------------------------------------------------------

    def _error(self, kind: type[AerospikeError], text: str, node: Node | None) -> AerospikeError:
        place = f"node {node.name} at {node.address}: " if node is not None else ""
        name = None if node is None else node.name
        return kind(f"{self._what}: {place}{text}", node=name, attempts=self._state.retries)

    def _of_code(self, code: int, node: Node, text: str) -> AerospikeError:
        place = f"node {node.name} at {node.address}"
        return error_from_code(code, f"{self._what}: {place}: {text}", node=node.name)

    def _missing(self, fault: AerospikeError | None) -> AerospikeError:
        """The error that ends the query, with what was not read."""
        assert fault is not None
        missing = _partitions([state.number for state in self._plan.open])
        error = copy.copy(fault)
        error.args = (f"{fault.message}; not read to their ends: {missing}",)
        return error


def _partitions(numbers: Sequence[int]) -> str:
    """Partitions in words, runs of them from-to."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in runs[:8]]
    more = f" and {len(runs) - 8} more ranges" if len(runs) > 8 else ""
    return f"{len(numbers)} partitions ({', '.join(shown)}{more})"
