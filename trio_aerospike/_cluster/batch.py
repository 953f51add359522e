"""Carrying out a batch: split by node, one connection a part, the records left over tried again elsewhere.

A part is one request: rows that one node serves, a bounded number of them, so that a batch of any length costs little
more memory than its answers. Each part is seen through by itself: what is left of it after a failure is split anew over
the nodes that serve it now, with retries and patience of its own, while the other parts go on.
"""

from __future__ import annotations

import copy
import enum
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeAlias

import attrs
import trio

from .._turns import Turn
from .._wire.batch import all_same, encode_batch, encode_indexed
from .._wire.batch_answers import BatchAnswerReader, BatchRow, decode_batch_response
from .._wire.constants import INFO1_COMPRESS_RESPONSE, PROTO_MESSAGE
from .._wire.digests import partition_ids
from .._wire.request_details import DETAILED, row_detail
from .._wire.shown import clipped
from ..errors import (
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
from ..keys import Key, of_one_place
from ..policies import BatchConcurrency, BatchPolicy
from ..records import BatchResult, Record
from .answers import DEVICE_OVERLOAD, EXPIRED_SESSION, PARTITION_UNAVAILABLE, TIMEOUT, renew_session
from .cluster import Cluster
from .connection import ttl_milliseconds
from .node import Node
from .pending import Failure, Pending
from .together import together

#: Rows in one request at the most. (Servers before 8 took no more than 5,000: batch-max-requests.)
PART_SIZE = 4000
#: Rows for which a request of their own is worth while: the server works on several at once, and while it works on one
#: the answers to another are decoded. Each costs what decoding a hundred rows costs.
PART_SIZE_MIN = 500
#: Bytes of rows in one request after which the next one begins.
PART_BYTES = 1024 * 1024
#: Bytes of what rows are asked, up to which the layout of their answers is kept for the next batch that asks it.
KIND_MAX = 1024
#: Requests of one batch to one node at the same time.
PARTS_AT_ONCE = 3
#: How often a write that could not be sent waits for a new map before a copy is asked to pass it on.
PATIENT_WRITES = 5
#: Seconds before what was sent and not answered is asked for again, where the policy does not say; doubled each time.
FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.1

# Results of a whole batch that say that nothing of it was done.
_NOTHING_DONE = frozenset(
    (
        EXPIRED_SESSION,
        ResultCode.NOT_AUTHENTICATED,
        ResultCode.BATCH_DISABLED,
        ResultCode.BATCH_MAX_REQUESTS,
        ResultCode.BATCH_QUEUES_FULL,
    )
)
# Answers after which another attempt may help, as far as it does no harm.
_RETRYABLE = frozenset((TIMEOUT, DEVICE_OVERLOAD, ResultCode.BATCH_QUEUES_FULL))


class Reader(Protocol):
    """Reads the answer to one part: frame by frame, as ``BatchAnswerReader`` does."""

    def read(self, body: bytes) -> int | None:
        """Take one frame; the result of the part when that was the last, else None."""


MakeReader: TypeAlias = Callable[
    [Sequence[Key], list[BatchResult | None], Callable[[BatchRow], None], Callable[[], None]], Reader
]


@attrs.frozen(eq=False)
class Batch:
    """What a batch asks of its records.

    Args:
        what: the command's name, for messages.
        keys: the records; a row's index is its key's place here.
        rests: what each row says, behind its digest (``_wire.batch.encode_rest``); rows that share an object repeat.
        policy: how.
        writes: for each row whether it changes its record; None where none does.
        make_reader: makes what reads the answer to a part, in place of decoding it: called with the keys, the results
            to fill in, what takes the rows that are no plain ones, and what is called while a frame is decoded, so that
            other threads have their turn.
        digests: of the keys, where they are at hand; so ``keys`` may make its items when they are asked for.
        uniform: whether all keys are of one namespace and set.
        alike: whether all of ``rests`` are one object.
    """

    what: str
    keys: Sequence[Key]
    rests: Sequence[bytes]
    policy: BatchPolicy
    writes: Sequence[bool] | None = None
    make_reader: MakeReader | None = None
    digests: Sequence[bytes] = attrs.Factory(lambda self: [key.digest for key in self.keys], takes_self=True)
    uniform: bool = attrs.Factory(lambda self: of_one_place(self.keys), takes_self=True)
    alike: bool = attrs.Factory(lambda self: all_same(self.rests), takes_self=True)

    def encode(self, indexes: Sequence[int], transaction_ttl: int) -> bytes:
        """The request for some rows."""
        policy = self.policy
        return encode_batch(
            encode_indexed(indexes, self.digests, self.rests, alike=self.alike),
            len(indexes),
            flags=policy._batch_flags,
            info1=policy._info1 & INFO1_COMPRESS_RESPONSE,
            transaction_ttl=transaction_ttl,
            filter_expression=policy.filter_expression,
        )


class _Verdict(enum.Enum):
    """What an attempt at a part means for what is left of it."""

    FINAL = "another attempt does not help"
    COUNTED = "it was sent: as many more attempts as the policy allows"
    ELSEWHERE = "it was not sent: only time limits other attempts"
    LATER = "nobody serves it now: once the cluster has been looked at"
    AT_ONCE = "nothing is wrong but this attempt"


class _Part:
    """One request: the rows that one node is asked for, what was tried before for them, and how it ended."""

    __slots__ = ("counted", "fault", "free", "indexes", "node", "over", "refused", "sent", "sequence", "verdict")

    def __init__(self, node: Node | None, indexes: Sequence[int], before: _Part | None) -> None:
        self.node = node
        self.indexes = indexes
        self.sequence: int = 0 if before is None else before.sequence
        self.counted: int = 0 if before is None else before.counted
        self.free: int = 0 if before is None else before.free
        self.sent = False
        self.over = False
        self.fault: AerospikeError | None = None
        self.verdict = _Verdict.FINAL
        #: Rows that were answered with a code that another attempt may change.
        self.refused: dict[int, int] = {}


class BatchRun:
    """One batch on its way.

    Args:
        cluster: where to.
        batch: what.
    """

    def __init__(self, cluster: Cluster, batch: Batch) -> None:
        self._cluster = cluster
        self._batch = batch
        self._policy = batch.policy
        self._began = trio.current_time()
        total = batch.policy.total_timeout
        self._limit = math.inf if total is None else self._began + total
        self._expires = self._limit
        self._results: list[BatchResult | None] = [None] * len(batch.keys)
        rest = batch.rests[0] if batch.alike and batch.writes is None else b""
        kind = rest if 0 < len(rest) <= KIND_MAX else None
        self._turn = Turn()
        writes = batch.writes is not None and all(batch.writes)
        self._plain = BatchAnswerReader(batch.keys, self._results, BatchResult, Record, kind, self._turn.pause, writes)
        self._part_size = PART_SIZE
        self._faults: dict[int, AerospikeError] = {}
        self._doubts: set[int] = set()
        self._abandoned: list[Pending] = []
        self._heard = False
        #: Seconds spent on decoding, where somebody wants to know.
        self.decoding = 0.0

    async def run(self) -> list[BatchResult]:
        """Ask for everything, and again for what was left over, until it is there or the policy says that it is enough.

        Returns:
            A result for each key, in order.

        Raises:
            ClientClosed: the client is closed.
            ServerError: there is no such namespace.
        """
        scope_deadline = trio.current_effective_deadline()
        if scope_deadline <= self._began:
            await trio.lowlevel.checkpoint()
        self._expires = min(self._limit, scope_deadline)
        self._part_size = self._best_part_size()
        self._cluster.batches += 1
        try:
            await self._see_all_through(self._split(range(len(self._batch.keys)), None))
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
        """Why no key at all was answered, where that is so; else None."""
        if self._heard:
            return None
        fault = self._faults[0]
        fault.in_doubt = bool(self._doubts)
        return fault

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

    def _failed(self, index: int) -> BatchResult:
        fault = copy.copy(self._faults[index])  # what is raised gathers a traceback, each its own
        fault.in_doubt = index in self._doubts
        return BatchResult(self._batch.keys[index], int(fault.result_code), None, fault, fault.in_doubt)

    def _best_part_size(self) -> int:
        """Rows in a request at the most, so that there is enough to do at the same time."""
        total = len(self._batch.keys)
        if self._cluster.batches or self._policy.concurrency is BatchConcurrency.SEQUENTIAL:
            return PART_SIZE  # there is something else to do, or nothing is to be
        return min(PART_SIZE, math.ceil(total / max(1, min(total // PART_SIZE_MIN, PARTS_AT_ONCE))))

    # -- parts -------------------------------------------------------------------------------------------------------

    def _split(self, indexes: Sequence[int], before: _Part | None) -> list[_Part]:
        """The rows by the node that serves them, in parts of a bounded size; what nobody serves is a part too."""
        by_node: Mapping[Node | None, Sequence[int]]
        keys = self._batch.keys
        if before is None and self._batch.uniform:
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
        return [_Part(node, rows, before) for node, many in by_node.items() for rows in self._cut(many)]

    def _by_master(self, masters: Sequence[Node | None]) -> dict[Node | None, list[int]]:
        """All rows by the masters of their partitions."""
        by_node: dict[Node | None, list[int]] = {}
        for index, node in enumerate(map(masters.__getitem__, partition_ids(self._batch.digests))):
            if node in by_node:
                by_node[node].append(index)
            else:
                by_node[node] = [index]
        return by_node

    def _by_owner(self, indexes: Iterable[int], before: _Part | None) -> dict[Node | None, list[int]]:
        """Rows by the nodes that serve them after what was tried ``before``."""
        by_node: dict[Node | None, list[int]] = {}
        cluster, writes = self._cluster, self._batch.writes
        keys, digests = self._batch.keys, self._batch.digests
        reads_from = 0 if before is None else before.sequence
        writes_to = reads_from if before is not None and before.free > PATIENT_WRITES else 0
        for index in indexes:
            namespace, digest = keys[index].namespace, digests[index]
            sequence = reads_from if writes is None or not writes[index] else writes_to
            node = cluster.owner(namespace, (digest[0] | digest[1] << 8) & 4095, sequence, self._policy.replica)
            if node is None:
                cluster.check_namespace(namespace)
            by_node.setdefault(node, []).append(index)
        return by_node

    def _cut(self, indexes: Sequence[int]) -> list[Sequence[int]]:
        """Rows in pieces of which each fits a request."""
        limit = self._part_size
        if self._batch.alike:
            return [indexes[start : start + limit] for start in range(0, len(indexes), limit)]
        rests = self._batch.rests
        pieces: list[Sequence[int]] = []
        begin = size = 0
        previous: bytes | None = None
        for place, index in enumerate(indexes):
            rest = rests[index]
            if rest is not previous:
                size += len(rest)
                previous = rest
            if place > begin and (size >= PART_BYTES or place - begin >= limit):
                pieces.append(indexes[begin:place])
                begin, size = place, len(rest)
        pieces.append(indexes[begin:])
        return pieces

    async def _see_all_through(self, parts: list[_Part]) -> None:
        """See parts through: all nodes at once, a few parts of each, or one after the other, as the policy says."""
        if len(parts) == 1:
            await self._see_through(parts[0])
        elif self._policy.concurrency is BatchConcurrency.SEQUENTIAL:
            for part in parts:
                await self._see_through(part)
        else:
            waiting: dict[Node | None, deque[_Part]] = {}
            for part in parts:
                waiting.setdefault(part.node, deque()).append(part)
            await together(
                partial(self._see_some_through, queue)
                for queue in waiting.values()
                for _ in range(min(len(queue), PARTS_AT_ONCE))
            )

    async def _see_some_through(self, queue: deque[_Part]) -> None:
        while queue:
            await self._see_through(queue.popleft())

    async def _see_through(self, part: _Part) -> None:
        """Ask for a part, and for what is left of it, until nothing is or nothing more is to be done."""
        while True:
            if part.node is None:
                nobody = f"no node serves the partition; known nodes: {self._cluster.describe()}"
                part.fault = self._error(part, ClusterError, nobody)
                part.verdict = _Verdict.LATER
            else:
                await self._ask(part, part.node)
            left = self._left_of(part)
            if not left or self._cluster.closed or not await self._again(part, len(left)):
                return
            parts = self._split(left, part)
            if len(parts) > 1:
                await self._see_all_through(parts)
                return
            [part] = parts

    def _left_of(self, part: _Part) -> list[int]:
        """The rows of a part that are to be asked for again; what the others came to is noted."""
        results, writes = self._results, self._batch.writes
        indexes = part.indexes
        if isinstance(indexes, range) and all(results[indexes.start : indexes.stop]):
            return []
        left = [index for index in indexes if results[index] is None]
        if not left:
            return left
        for index, code in part.refused.items():
            self._faults[index] = self._refusal(index, code, part)
        unanswered = [index for index in left if index not in part.refused]
        if unanswered:
            if part.fault is None:
                part.fault = self._error(part, ProtocolError, "the node did not answer for this key")
                part.verdict = _Verdict.FINAL
            self._faults.update(dict.fromkeys(unanswered, part.fault))
            if writes is not None and part.sent and part.fault.result_code not in _NOTHING_DONE:
                # These may have been applied: they are never sent again.
                doubtful = {index for index in unanswered if writes[index]}
                self._doubts |= doubtful
                left = [index for index in left if index not in doubtful]
        return left

    def _refusal(self, index: int, code: int, part: _Part) -> AerospikeError:
        error = error_from_code(code)
        return error_from_code(
            code, f"{self._batch.what} {self._batch.keys[index]!r}: {error.message}", attempts=part.counted + 1
        )

    # -- one request -------------------------------------------------------------------------------------------------

    async def _ask(self, part: _Part, node: Node) -> None:
        """Send one part and collect its rows; what goes wrong is left in the part."""
        now = trio.current_time()
        socket_timeout = math.inf if self._policy.socket_timeout is None else self._policy.socket_timeout
        read = self._reader(part)
        result = 0

        def consume(body: bytes) -> bool:
            nonlocal result
            # What comes when nobody waits any more must not change results that have been handed out.
            end = decode_batch_response(body)[1] if part.over else read(body)
            if end is None:
                return False
            result = end
            return True

        frame = self._batch.encode(part.indexes, ttl_milliseconds(self._expires, now))
        pending = Pending(
            frame,
            PROTO_MESSAGE,
            min(self._limit, now + socket_timeout),
            self._expires,
            socket_timeout,
            self._batch.writes is not None,
            consume,
        )
        del frame
        node.submit(pending)
        try:
            await pending.wait()
        except trio.Cancelled:
            if pending.sent:
                self._abandoned.append(pending)
            raise
        finally:
            part.over = True
        part.sent = pending.sent
        if pending.reply is None:
            self._judge_failure(part, node, pending)
        elif result:
            self._judge_result(part, node, pending, result)
        elif any(code != PARTITION_UNAVAILABLE for code in part.refused.values()):
            part.verdict = _Verdict.COUNTED
        else:
            part.verdict = _Verdict.LATER

    def _reader(self, part: _Part) -> Callable[[bytes], int | None]:
        """What takes the frames of a part's answer; see :class:`Reader`."""
        take = partial(self._take, part)
        read: Callable[[bytes], int | None]
        if self._batch.make_reader is not None:
            read = self._batch.make_reader(self._batch.keys, self._results, take, self._turn.pause).read
        else:
            read = partial(self._plain.read, other=take)
        observers = self._cluster.observers
        return read if observers is None or not observers.staged else partial(self._read_timed, read)

    def _read_timed(self, read: Callable[[bytes], int | None], body: bytes) -> int | None:
        """Read a frame, and add the time that it takes to what the whole batch has spent on that."""
        began = time.perf_counter()
        try:
            return read(body)
        finally:
            self.decoding += time.perf_counter() - began

    def _take(self, part: _Part, row: BatchRow) -> None:
        """Note a row that is no plain record."""
        index, code = row.index, row.result_code
        batch = self._batch
        writes = batch.writes is not None and batch.writes[index]
        if code == PARTITION_UNAVAILABLE or (code in _RETRYABLE and not writes):
            part.refused[index] = code
            self._heard = True
            return
        key = batch.keys[index]
        if code:
            doubt = writes and code == TIMEOUT
            record: Record | None = None
            error: AerospikeError | None = None
            if code == ResultCode.UDF and row.bins:
                # The bin holds what went wrong in the script (server: udf.c).
                text = clipped("; ".join(str(value) for value in row.bins.values()))
                error = error_from_code(code, f"{batch.what} {key!r}: {text}", attempts=1)
            elif code in DETAILED:
                text = error_from_code(code).message + row_detail(code, batch.rests[index])
                error = error_from_code(code, f"{batch.what} {key!r}: {text}", attempts=1, in_doubt=doubt)
            self._results[index] = BatchResult(key, code, record, error, doubt)
        elif row.error is not None:
            self._results[index] = BatchResult.undecodable(batch.what, key, row.error)
        else:
            bins = row.bins
            if writes and None in bins.values():
                # Operations that only write answer with nil, so that results have the order of the operations.
                bins = {name: value for name, value in bins.items() if value is not None}
            record = Record(key, bins, row.generation, row.void_time)
            self._results[index] = BatchResult(key, 0, record, None, False, row.results)

    def _judge_result(self, part: _Part, node: Node, pending: Pending, code: int) -> None:
        """The node answered with a result for the batch as a whole."""
        part.fault = error_from_code(
            code,
            f"{self._batch.what}: {error_from_code(code).message}",
            node=node.name,
            attempts=part.counted + 1,
        )
        part.verdict = _Verdict.COUNTED if code in _RETRYABLE else _Verdict.FINAL
        if code == EXPIRED_SESSION:
            renew_session(node, pending)
            part.verdict = _Verdict.AT_ONCE

    def _judge_failure(self, part: _Part, node: Node, pending: Pending) -> None:
        """There was no whole answer."""
        failure = pending.failure
        if failure is Failure.NO_ROOM:
            part.fault = self._error(part, NoMoreConnections, "no connection came free (max_conns_per_node)")
            # A socket timeout is for what was sent: with time left the part waits on for room.
            waits = trio.current_time() < self._limit < math.inf
            part.verdict = _Verdict.AT_ONCE if waits else _Verdict.FINAL
        elif failure is Failure.REJECTED and isinstance(pending.error, AerospikeError):
            part.fault = copy.copy(pending.error)  # others get the same failure: each has an error of its own
            part.verdict = _Verdict.FINAL
        elif failure is Failure.EXPIRED:
            name = "total_timeout" if trio.current_time() >= self._limit else "socket_timeout"
            text = f"no whole answer within {name}={getattr(self._policy, name)} s"
            part.fault = self._error(part, AerospikeTimeoutError, text)
            part.verdict = _Verdict.COUNTED if part.sent else _Verdict.ELSEWHERE
        else:
            self._cluster.report_failure(node)
            broke = isinstance(pending.error, ProtocolError)
            kind = ProtocolError if broke else ConnectionFailed
            part.fault = self._error(part, kind, self._cluster.cause(node, pending.error))
            part.verdict = _Verdict.COUNTED if part.sent else _Verdict.ELSEWHERE
            if broke:
                part.verdict = _Verdict.FINAL

    def _error(self, part: _Part, kind: type[AerospikeError], text: str) -> AerospikeError:
        node = part.node
        place = f"node {node.name} at {node.address}: " if node is not None else ""
        name = None if node is None else node.name
        attempts = part.counted + part.sent
        return kind(f"{self._batch.what}: {place}{text}", node=name, attempts=attempts)

    # -- another attempt -----------------------------------------------------------------------------------------------

    async def _again(self, part: _Part, left: int) -> bool:
        """Whether what is left of a part is tried again; waits as long as that is to take."""
        if part.verdict is _Verdict.FINAL:
            return False
        if part.verdict is _Verdict.COUNTED:
            if left == len(part.indexes):
                # An attempt that brought some rows has not failed: there is ever less to ask for.
                part.counted += 1
                if part.counted > self._policy.max_retries:
                    return False
            part.sequence += 1
            return await self._pause(part)
        # What was not sent, or not done where it arrived, is no retry of the policy's: only time limits it.
        patience = self._limit if self._limit < math.inf else self._began + self._cluster.patience
        await trio.lowlevel.checkpoint()
        if trio.current_time() >= patience:
            return False
        if part.verdict is _Verdict.AT_ONCE:
            return True
        part.free += 1
        part.sequence += 1
        namespace = self._batch.keys[part.indexes[0]].namespace
        waits = part.verdict is _Verdict.LATER or self._batch.writes is not None
        if waits or part.free % self._cluster.replicas_of(namespace) == 0:
            return await self._cluster.wait_for_tend(patience)
        return True

    async def _pause(self, part: _Part) -> bool:
        """Rest before an attempt that counts; False when the time is over by then."""
        seconds = self._policy.sleep_between_retries
        if not seconds:
            # Whatever broke a long answer may go on for a moment, and breaks the next one sooner than a single reply.
            seconds = min(FIRST_PAUSE * 2 ** max(part.counted - 1, 0), LONGEST_PAUSE)
        until = trio.current_time() + seconds
        if until >= self._limit:
            return False
        await trio.sleep_until(until)
        return True
