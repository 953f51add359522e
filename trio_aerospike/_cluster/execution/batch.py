"""Execute a batch: split it by node into parts, one connection for each, and retry the rows that failed.

A part is one request: rows that one node serves, a bounded number of them, so that a batch of any length costs little
more memory than its results. Each part is retried by itself: its remaining rows after a failure are split again over
the nodes that serve them now, with retries and patience of their own, while the other parts go on.
"""

from __future__ import annotations

import copy
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeAlias

import attrs
import trio

from ..._wire.batch import all_same, encode_batch, encode_indexed
from ..._wire.batch_answers import BatchAnswerReader, BatchRow, is_batch_end
from ..._wire.commands import transaction_ttl_of
from ..._wire.constants import INFO1_COMPRESS_RESPONSE, PROTO_MESSAGE
from ..._wire.digests import partition_ids
from ..._wire.error_details import DETAILED, row_detail
from ..._wire.error_text import clipped
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
from ...fairness import TimeSlice
from ...keys import Key, of_one_place
from ...policies import BatchConcurrency, BatchPolicy
from ...records import RECORD_MAKER, RESULT_MAKER, BatchResult, Record
from ..connections.loop_clock import loop_clock
from ..connections.request import Request
from ..run_all import run_all
from ..tend.cluster import Cluster
from ..tend.node import Node
from .attempts import no_connection_text, outcome_of, refused_login, report, undecodable, wait_for_retry
from .frame_buffer import AnswerFrames
from .retry_rules import TABLE, Action, Cause, Outcome, RetryState, gravest, rule_for

#: Rows in one request at the most. (Servers before 8 took no more than 5,000: batch-max-requests.)
PART_SIZE = 4000
#: Rows that are worth a request of their own: the server works on several requests at once, and while it works on one
#: the answers to another are decoded. A request costs as much as decoding a hundred rows.
PART_SIZE_MIN = 500
#: Bytes of rows in one request after which the next one begins.
PART_BYTES = 1024 * 1024
#: Requests of one batch to one node at the same time.
PARTS_AT_ONCE = 3

# Results of a whole batch that the server returns before it looks at any row.
_REFUSED = frozenset(
    (
        ResultCode.EXPIRED_SESSION,
        ResultCode.NOT_AUTHENTICATED,
        ResultCode.BATCH_DISABLED,
        ResultCode.BATCH_MAX_REQUESTS,
        ResultCode.BATCH_QUEUES_FULL,
    )
)


class Reader(Protocol):
    """Decode the answer to one part, frame by frame, as ``BatchAnswerReader`` does."""

    def read(self, body: bytes) -> int | None:
        """Decode one frame; return the result of the part after the last one, else None."""


MakeReader: TypeAlias = Callable[
    [Sequence[Key], list[BatchResult | None], Callable[[BatchRow], None], Callable[[], None]], Reader
]


@attrs.frozen(eq=False)
class Batch:
    """A batch to execute.

    Args:
        what: the command's name, for messages.
        keys: the records; a row's index is its key's place here.
        row_payloads: the bytes behind the digest of each row (``_wire.batch.encode_row_payload``); consecutive rows
            that share one object are sent as repetitions.
        policy: the policy of the batch.
        writes: for each row whether it changes its record; None if no row does.
        make_reader: makes the decoder of a part's answer, in place of the general one: called with the keys, the
            results to fill in, a callback for rows that need the general decoder, and a callback for use while a frame
            is decoded, which lets other threads run.
        digests: of the keys, if they are known already; then ``keys`` may create its items on access.
        uniform: whether all keys share one namespace and set.
        alike: whether all of ``row_payloads`` are one object.
    """

    what: str
    keys: Sequence[Key]
    row_payloads: Sequence[bytes]
    policy: BatchPolicy
    writes: Sequence[bool] | None = None
    make_reader: MakeReader | None = None
    digests: Sequence[bytes] = attrs.Factory(lambda self: [key.digest for key in self.keys], takes_self=True)
    uniform: bool = attrs.Factory(lambda self: of_one_place(self.keys), takes_self=True)
    alike: bool = attrs.Factory(lambda self: all_same(self.row_payloads), takes_self=True)

    def encode(self, indexes: Sequence[int], transaction_ttl: int) -> bytes:
        """Encode the request for some rows."""
        policy = self.policy
        return encode_batch(
            encode_indexed(indexes, self.digests, self.row_payloads, alike=self.alike),
            len(indexes),
            flags=policy._batch_flags,
            info1=policy._info1 & INFO1_COMPRESS_RESPONSE,
            transaction_ttl=transaction_ttl,
            filter_expression=policy.filter_expression,
        )


class _Part:
    """One request of a batch: rows for one node, the earlier attempts at them, and how it ended.

    Attributes:
        state: the attempts at these rows, and at the part that they remain from.
        outcome: how the request ended; 0 if every row was answered.
        refused: rows with a result code that a retry may change.
    """

    __slots__ = ("fault", "indexes", "node", "outcome", "refused", "sent", "state")

    def __init__(self, node: Node | None, indexes: Sequence[int], state: RetryState) -> None:
        self.node = node
        self.indexes = indexes
        self.state = state
        self.sent = False
        self.fault: AerospikeError | None = None
        self.outcome: Outcome = ResultCode.OK
        self.refused: dict[int, int] = {}


class BatchExecution:
    """One batch that is being executed.

    Args:
        cluster: the cluster.
        batch: the batch.
    """

    def __init__(self, cluster: Cluster, batch: Batch) -> None:
        self._cluster = cluster
        self._batch = batch
        self._policy = batch.policy
        self._began = loop_clock().now()
        total = batch.policy.total_timeout
        self._limit = math.inf if total is None else self._began + total
        self._total = math.inf if total is None else total
        self._scope_deadline = math.inf
        self._results: list[BatchResult | None] = [None] * len(batch.keys)
        self._time_slice = TimeSlice()
        writes = batch.writes is not None and all(batch.writes)
        self._plain = BatchAnswerReader(
            batch.keys, self._results, RESULT_MAKER, RECORD_MAKER, self._time_slice.pause, writes
        )
        self._part_size = PART_SIZE
        self._faults: dict[int, AerospikeError] = {}
        self._doubts: set[int] = set()
        self._abandoned: list[Request] = []
        self._heard = False
        #: Seconds spent on decoding, if instruments want to know.
        self.decoding = 0.0

    async def run(self) -> list[BatchResult]:
        """Send all parts, and retry remaining rows until all are answered or the policy allows no more.

        Returns:
            A result for each key, in order.

        Raises:
            ClientClosed: the client is closed.
            ServerError: there is no such namespace.
        """
        self._scope_deadline = trio.current_effective_deadline()
        if self._scope_deadline <= trio.current_time():
            await trio.lowlevel.checkpoint()
        self._part_size = self._best_part_size()
        self._cluster.batches += 1
        try:
            for indexes in self._rounds():
                await self._execute_parts(self._split(indexes, None))
        finally:
            self._cluster.batches -= 1
        results = self._results
        self._heard = self._heard or any(results)
        if not all(results):
            if self._cluster.closed:
                raise ClientClosed(f"{self._batch.what}: the client is closed")
            for index, result in enumerate(results):
                if result is None:
                    results[index] = self._failed(index)
        return results  # type: ignore[return-value]

    @property
    def fault(self) -> AerospikeError | None:
        """Return the error if no key at all was answered; else None."""
        if self._heard:
            return None
        fault = self._faults[0]
        fault.in_doubt = bool(self._doubts)
        return fault

    def when_answered(self, done: Callable[[], None]) -> None:
        """Call ``done`` once no request of the batch is in flight: now, or after the end of a cancelled part."""
        left = [pending for pending in self._abandoned if pending.failure is None]
        if not left:
            done()
            return
        count = len(left)

        def one_done() -> None:
            nonlocal count
            count -= 1
            if not count:
                done()

        for pending in left:
            pending.on_done = one_done

    def _failed(self, index: int) -> BatchResult:
        fault = copy.copy(self._faults[index])  # each row has its own, as raising one adds a traceback to it
        fault.in_doubt = index in self._doubts
        return BatchResult(self._batch.keys[index], int(fault.result_code), None, fault, fault.in_doubt)

    def _best_part_size(self) -> int:
        """Return the largest number of rows in a request that still gives each node several requests."""
        total = len(self._batch.keys)
        if self._cluster.batches or self._policy.concurrency is BatchConcurrency.SEQUENTIAL:
            return PART_SIZE  # other batches keep the nodes busy, or parts must not be sent at once
        return min(PART_SIZE, math.ceil(total / max(1, min(total // PART_SIZE_MIN, PARTS_AT_ONCE))))

    # -- parts -------------------------------------------------------------------------------------------------------

    def _rounds(self) -> list[Sequence[int]]:
        """Return the rows that may be in flight together: all of them, unless some write a key that others have, too.

        A node that replicates a write makes the next requests for the record wait, and does not keep their order. So a
        write waits for all earlier rows of its key, and a read for the writes among them.
        """
        everything = range(len(self._batch.keys))
        digests = self._batch.digests
        writes = self._batch.writes
        if writes is None or len(set(digests)) == len(digests):
            return [everything]
        rounds: list[list[int]] = []
        #: By record: the round of its last write, and its last round.
        last: dict[tuple[str, bytes], tuple[int, int]] = {}
        for index, key in enumerate(self._batch.keys):
            record = key.namespace, digests[index]
            written, latest = last.get(record, (-1, -1))
            number = 1 + (latest if writes[index] else written)
            last[record] = number if writes[index] else written, max(latest, number)
            if number == len(rounds):
                rounds.append([])
            rounds[number].append(index)
        return list(rounds)

    def _split(self, indexes: Sequence[int], before: RetryState | None) -> list[_Part]:
        """Split rows by node, in parts of bounded size; rows that no node serves are a part too."""
        by_node: Mapping[Node | None, Sequence[int]]
        keys = self._batch.keys
        if before is None and self._batch.uniform and len(indexes) == len(keys):
            namespace = keys[0].namespace
            table = self._cluster.partitions.tables.get(namespace)
            if table is None:
                self._cluster.check_namespace(namespace)
                by_node = {None: indexes}
            elif (only := table.only_master) is not None:
                by_node = {only: indexes}
            else:
                by_node = self._by_master(table.masters)
        else:
            by_node = self._by_owner(indexes, before)
        return [
            _Part(node, rows, self._new_state() if before is None else before.fork())
            for node, many in by_node.items()
            for rows in self._split_by_size(many)
        ]

    def _new_state(self) -> RetryState:
        # Writes in doubt are removed from a part before it is retried, so none is repeated.
        return RetryState(
            self._policy.max_retries,
            self._policy.sleep_between_retries,
            began=self._began,
            limit=self._limit,
            patience=self._cluster.patience,
        )

    def _by_master(self, masters: Sequence[Node | None]) -> dict[Node | None, list[int]]:
        """Group all rows by the masters of their partitions."""
        by_node: dict[Node | None, list[int]] = {}
        for index, node in enumerate(map(masters.__getitem__, partition_ids(self._batch.digests))):
            if node in by_node:
                by_node[node].append(index)
            else:
                by_node[node] = [index]
        return by_node

    def _by_owner(self, indexes: Iterable[int], before: RetryState | None) -> dict[Node | None, list[int]]:
        """Group rows by the nodes that serve them after the attempts ``before``."""
        by_node: dict[Node | None, list[int]] = {}
        cluster, writes = self._cluster, self._batch.writes
        keys, digests = self._batch.keys, self._batch.digests
        reads_from = 0 if before is None else before.sequence(write=False)
        writes_to = 0 if before is None else before.sequence(write=True)
        for index in indexes:
            namespace, digest = keys[index].namespace, digests[index]
            sequence = reads_from if writes is None or not writes[index] else writes_to
            node = cluster.owner(namespace, (digest[0] | digest[1] << 8) & 4095, sequence, self._policy.replica)
            if node is None and before is None:  # later, rows may have been answered already
                cluster.check_namespace(namespace)
            by_node.setdefault(node, []).append(index)
        return by_node

    def _split_by_size(self, indexes: Sequence[int]) -> list[Sequence[int]]:
        """Split rows into pieces that fit a request each."""
        limit = self._part_size
        if self._batch.alike:
            return [indexes[start : start + limit] for start in range(0, len(indexes), limit)]
        row_payloads = self._batch.row_payloads
        pieces: list[Sequence[int]] = []
        begin = size = 0
        previous: bytes | None = None
        for place, index in enumerate(indexes):
            payload = row_payloads[index]
            if payload is not previous:
                size += len(payload)
                previous = payload
            if place > begin and (size >= PART_BYTES or place - begin >= limit):
                pieces.append(indexes[begin:place])
                begin, size = place, len(payload)
        pieces.append(indexes[begin:])
        return pieces

    async def _execute_parts(self, parts: list[_Part]) -> None:
        """Execute parts: all nodes at once, a few parts of each, or one after the other, as the policy says."""
        if len(parts) == 1:
            await self._execute_part(parts[0])
        elif self._policy.concurrency is BatchConcurrency.SEQUENTIAL:
            for part in parts:
                await self._execute_part(part)
        else:
            waiting: dict[Node | None, deque[_Part]] = {}
            for part in parts:
                waiting.setdefault(part.node, deque()).append(part)
            await run_all(
                partial(self._execute_queue, queue)
                for queue in waiting.values()
                for _ in range(min(len(queue), PARTS_AT_ONCE))
            )

    async def _execute_queue(self, queue: deque[_Part]) -> None:
        while queue:
            await self._execute_part(queue.popleft())

    async def _execute_part(self, part: _Part) -> None:
        """Send a part, and retry its remaining rows, until none remain or no retry is allowed."""
        while True:
            part.state.attempt_began(loop_clock().now())
            if part.node is None:
                no_owner = f"no node serves the partition; known nodes: {self._cluster.describe()}"
                part.outcome = Cause.NO_OWNER
                part.fault = self._error(part, ClusterError, no_owner)
            else:
                await self._send_part(part, part.node)
            left = self._remaining_rows(part)
            if not left or self._cluster.closed or not await self._should_retry(part, left):
                return
            parts = self._split(left, part.state)
            if len(parts) > 1:
                await self._execute_parts(parts)
                return
            [part] = parts

    def _remaining_rows(self, part: _Part) -> list[int]:
        """Return the rows of a part that are to be retried; store the results of the others."""
        results = self._results
        indexes = part.indexes
        if isinstance(indexes, range) and all(results[indexes.start : indexes.stop]):
            return []
        left = [index for index in indexes if results[index] is None]
        if not left:
            return left
        if part.fault is None and len(left) > len(part.refused):
            part.outcome = Cause.BAD_DATA
            part.fault = self._error(part, ProtocolError, "the node did not answer for this key")
        writes = self._batch.writes
        doubtful: set[int] = set()
        if writes is not None and self._may_be_applied(part, left):
            # These writes may have been applied: they are never sent again.
            doubtful = {index for index in left if writes[index] and index not in part.refused}
            self._doubts |= doubtful
        state, now = part.state, loop_clock().now()
        name = None if part.node is None else part.node.name
        state.note(part.outcome, sent=part.sent, write=False, now=now, node=name)
        if part.fault is not None:
            part.fault.history = state.history
        for index in left:
            code = part.refused.get(index)
            if code is not None:
                self._faults[index] = self._refusal(index, code, part)
            else:
                assert part.fault is not None
                self._faults[index] = part.fault
        return [index for index in left if index not in doubtful]

    def _may_be_applied(self, part: _Part, left: Sequence[int]) -> bool:
        """Whether writes that were not answered may have been applied."""
        if not part.sent:
            return False
        outcome = part.outcome
        if isinstance(outcome, Cause):
            return rule_for(outcome, sent=True).unknown
        # A server with respond_all_keys refuses a batch as a whole or works on all of it.
        whole = self._policy.respond_all_keys and len(left) == len(part.indexes) and not part.refused
        rule = TABLE.get((outcome, True))
        refused = whole and rule is not None and not rule.unknown
        return outcome not in _REFUSED and not refused

    def _refusal(self, index: int, code: int, part: _Part) -> AerospikeError:
        text = f"{self._batch.what} {self._batch.keys[index]!r}: {error_from_code(code).message}"
        error = error_from_code(code, text, attempts=part.state.retries + 1)
        error.history = part.state.history
        return error

    # -- one request -------------------------------------------------------------------------------------------------

    async def _send_part(self, part: _Part, node: Node) -> None:
        """Send one part and collect its rows; an error is stored in the part."""
        now = loop_clock().now()
        socket_timeout = math.inf if self._policy.socket_timeout is None else self._policy.socket_timeout
        frames = AnswerFrames(is_batch_end)
        limit = part.state.limit
        expires = min(limit, now + self._scope_deadline - trio.current_time())
        frame = self._batch.encode(part.indexes, transaction_ttl_of(expires - now))
        pending = frames.request = Request(
            frame,
            PROTO_MESSAGE,
            min(limit, now + socket_timeout),
            limit,
            socket_timeout,
            self._batch.writes is not None,
            frames.take,
            scope_deadline=self._scope_deadline,
            total=None if part.state.attempts else self._total,
            arrived=self._began,
        )
        del frame
        node.submit(pending)
        try:
            result = await self._read_answer(part, frames)
        except trio.Cancelled:
            if pending.sent:
                self._abandoned.append(pending)
            raise
        part.state.limit = pending.expires  # a part that waited for a connection has its whole time from then on
        part.sent = pending.sent
        if pending.reply is None:
            part.outcome = outcome_of(pending)
            part.fault = self._failure(part, node, pending)
        elif result:
            part.outcome = result
            text = f"{self._batch.what}: {error_from_code(result).message}"
            part.fault = error_from_code(result, text, node=node.name, attempts=part.state.retries + 1)
        elif part.refused:
            part.outcome = gravest((code, True) for code in part.refused.values())[0]
        if part.outcome and not self._cluster.closed:
            report(self._cluster, node, pending, part.outcome)

    async def _read_answer(self, part: _Part, frames: AnswerFrames) -> int:
        """Decode the frames of a part's answer as they come; returns the result of the part, 0 where it failed."""
        read = self._reader(part)
        while (body := await frames.next()) is not None:
            try:
                result = read(body)
            except Exception as error:
                frames.undecodable(error)
                break
            if result is not None:
                frames.complete(body)
                return result
        return 0

    def _reader(self, part: _Part) -> Callable[[bytes], int | None]:
        """Return the decoder of a part's answer; see :class:`Reader`."""
        take = partial(self._take_row, part)
        read: Callable[[bytes], int | None]
        if self._batch.make_reader is not None:
            read = self._batch.make_reader(self._batch.keys, self._results, take, self._time_slice.pause).read
        else:
            read = partial(self._plain.read, other=take)
        observers = self._cluster.observers
        return read if observers is None or not observers.staged else partial(self._read_timed, read)

    def _read_timed(self, read: Callable[[bytes], int | None], body: bytes) -> int | None:
        """Decode a frame, and add the time to the decoding time of the batch."""
        began = time.perf_counter()
        try:
            return read(body)
        finally:
            self.decoding += time.perf_counter() - began

    def _take_row(self, part: _Part, row: BatchRow) -> None:
        """Store the result of a row that is not a plain record."""
        index, code = row.index, row.result_code
        batch = self._batch
        writes = batch.writes is not None and batch.writes[index]
        rule = rule_for(code, sent=True)
        if rule.after(write=writes, partly=True) is not Action.RAISE and not (writes and rule.unknown):
            part.refused[index] = code
            self._heard = True
            return
        key = batch.keys[index]
        if code:
            doubt = writes and rule.unknown
            record: Record | None = None
            error: AerospikeError | None = None
            if code == ResultCode.UDF and row.bins:
                # The bin holds the error text of the script (server: udf.c).
                text = clipped("; ".join(str(value) for value in row.bins.values()))
                error = error_from_code(code, f"{batch.what} {key!r}: {text}", attempts=1)
            elif code in DETAILED:
                text = error_from_code(code).message + row_detail(code, batch.row_payloads[index])
                error = error_from_code(code, f"{batch.what} {key!r}: {text}", attempts=1, in_doubt=doubt)
            self._results[index] = BatchResult(key, code, record, error, doubt)
        elif row.error is not None:
            self._results[index] = BatchResult.undecodable(batch.what, key, row.error)
        else:
            bins = row.bins
            if writes and None in bins.values():
                # Operations that only write return nil, so that results are in the order of the operations.
                bins = {name: value for name, value in bins.items() if value is not None}
            record = Record(key, bins, row.generation, row.void_time)
            self._results[index] = BatchResult(key, 0, record, None, False, row.results)

    def _failure(self, part: _Part, node: Node, pending: Request) -> AerospikeError:
        """Return the error for a part without a whole answer."""
        outcome = part.outcome
        if outcome is Cause.POOL_FULL:
            return self._error(part, NoMoreConnections, no_connection_text(node, pending))
        if outcome is Cause.LOGIN_REFUSED:
            return refused_login(pending)
        if outcome is Cause.TIMEOUT:
            name = "total_timeout" if loop_clock().now() >= part.state.limit else "socket_timeout"
            text = f"no whole answer within {name}={getattr(self._policy, name)} s"
            if not pending.sent:
                text = f"{text}: {no_connection_text(node, pending)}"
            return self._error(part, AerospikeTimeoutError, text)
        if outcome is Cause.BAD_DATA:
            error = self._error(part, ProtocolError, undecodable(pending))
            error.__cause__ = pending.error
            return error
        kind = ProtocolError if outcome is Cause.PROTOCOL else ConnectionFailed
        return self._error(part, kind, self._cluster.cause(node, pending.error))

    def _error(self, part: _Part, kind: type[AerospikeError], text: str) -> AerospikeError:
        node = part.node
        place = f"node {node.name} at {node.address}: " if node is not None else ""
        name = None if node is None else node.name
        attempts = part.state.retries + part.sent
        return kind(f"{self._batch.what}: {place}{text}", node=name, attempts=attempts)

    # -- retry ---------------------------------------------------------------------------------------------------------

    async def _should_retry(self, part: _Part, left: Sequence[int]) -> bool:
        """Whether the remaining rows of a part are retried; waits for the back-off."""
        writes = self._batch.writes
        namespace = self._batch.keys[part.indexes[0]].namespace
        decision = part.state.decide(
            part.outcome,
            sent=part.sent,
            write=writes is not None and any(writes[index] for index in left),
            now=loop_clock().now(),
            replicas=self._cluster.replicas_of(namespace),
            # An attempt that brought some rows made progress: fewer remain each time.
            progress=len(left) < len(part.indexes),
        )
        return decision.action is not Action.RAISE and await wait_for_retry(decision, part.state, self._cluster)
