"""The answers of all nodes to an aggregation: frames of values, waiting for the reader in a bounded store.

Values belong to no partition, and a node works on all of which it is the master or on nothing (server: query_job.c asks
for no partitions here), so that no part of the whole can be asked for anew. As long as nothing of what was made of the
values has been handed on, the whole can: `restart`. After that, what goes wrong with one node ends it. As with queries
there is no task here, and connections are left unread when too much has gathered.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from .._wire.constants import INFO3_LAST
from .._wire.messages import Message, decode_messages
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
    UDFError,
    error_from_code,
)
from .answers import EXPIRED_SESSION, RETRYABLE, renew_session
from .arrivals import Arrivals, Run
from .pending import Failure

if TYPE_CHECKING:
    from ..query import QueryPolicy
    from .cluster import Cluster
    from .commands import Executor
    from .node import Node

Value = tuple[int, bytes]
"""Type and data of a particle."""


class ValueStream:
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
        self.limit = math.inf if policy.total_timeout is None else trio.current_time() + policy.total_timeout
        self._arrivals: Arrivals[Run] = self._no_arrivals()
        self._began = False
        self._retries = 0
        # What the last error was worth: whether the whole may succeed when it is asked for again, and whether that
        # counts as a retry of the policy's.
        self._passing = False
        self._counted = True
        self._logged_in = False
        self._answered_once = False
        #: Who is master of what, as far as was known when the nodes were asked.
        self._masters: list[Node | None] = []
        self.handed_on = False

    def _no_arrivals(self) -> Arrivals[Run]:
        silence = math.inf if self._policy.socket_timeout is None else self._policy.socket_timeout
        return Arrivals(self._cluster, self.limit, silence)

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
            while self._arrivals.store:
                run, body = self._arrivals.store.popleft()
                if body is None:
                    self._ended(run)
                else:
                    values = self._read(run, body)
                    if values:
                        return values
            if not self._arrivals.runs:
                await self._check_masters()
                return None
            await self._arrivals.wait()

    def _begin(self) -> None:
        self._began = True
        if self._cluster.closed:
            raise ClientClosed(f"{self._what}: the client is closed")
        self._cluster.check_namespace(self._namespace)
        nodes = self._cluster.active_nodes()
        if not nodes:
            raise ClusterError(f"{self._what}: {self._cluster.outage()}")
        self._masters = self._cluster.masters(self._namespace)
        for node in nodes:
            run = Run(node)
            self._arrivals.ask(run, self._make_frame(run.trid))

    # -- asking for all of it again ----------------------------------------------------------------------------------

    async def restart(self) -> bool:
        """After an error: wait until every partition is served, and be ready to ask for all values once more.

        Returns:
            False where that cannot help, is not allowed, or would repeat what has been handed on.
        """
        if not self._passing or self.handed_on or (self._counted and self._retries >= self._policy.max_retries):
            return False
        self._retries += self._counted
        self._passing, self._counted = False, True
        began = trio.current_time()
        await trio.sleep(self._policy.sleep_between_retries)
        silence = math.inf if self._policy.socket_timeout is None else self._policy.socket_timeout
        patience = min(self.limit, began + min(self._cluster.patience, silence))
        while await self._cluster.wait_for_tend(patience):
            if self._cluster.closed or trio.current_time() >= self.limit:
                return False
            if self._cluster.serves_all(self._namespace):
                self._arrivals = self._no_arrivals()
                self._began = False
                return True
        return False

    async def _check_masters(self) -> None:
        """All nodes have answered: see whether they were masters of all partitions meanwhile.

        Raises:
            ClusterError: partitions have moved, and there is still something to be done about it.
        """
        if self.handed_on or self._retries >= self._policy.max_retries:
            return
        if self._retries:
            # The nodes may have been asked before they took over what another has lost.
            await self._cluster.wait_for_tend(min(self.limit, trio.current_time() + self._cluster.patience))
        if self._cluster.closed:
            raise ClientClosed(f"{self._what}: the client is closed")
        if self._cluster.masters(self._namespace) != self._masters:
            self._passing = True
            raise ClusterError(f"{self._what}: partitions have moved to other nodes", attempts=self._retries + 1)

    def close(self) -> None:
        """End it: connections of answers under way are closed, and the servers hear that they may stop."""
        self._began = True
        self._arrivals.close(tell=True)

    # -- what arrives ------------------------------------------------------------------------------------------------

    def _read(self, run: Run, body: bytes) -> list[Value]:
        self._arrivals.used(len(body))
        try:
            messages = decode_messages(body)
        except ProtocolError as error:
            raise self._error(ProtocolError(), error.message, run.node) from None
        values: list[Value] = []
        for message in messages:
            if message.result_code or message.info3 & INFO3_LAST:
                self._check_end(run, message)
            else:
                values += self._values(run, message)
        return values

    def _values(self, run: Run, message: Message) -> list[Value]:
        values = []
        for op in message.ops:
            if op.name == "FAILURE":
                text = clipped(op.data.decode("utf-8", "replace"))
                raise self._error(UDFError(result_code=ResultCode.UDF), text, run.node)
            values.append((op.particle, op.data))
        return values

    def _check_end(self, run: Run, message: Message) -> None:
        code = message.result_code
        if code in (ResultCode.OK, ResultCode.RECORD_NOT_FOUND):
            self._answered_once = True
            return  # a node that does not know of the set has nothing to tell
        if code == EXPIRED_SESSION and run.pending is not None:
            renew_session(run.node, run.pending)
            # A session that has ended costs no retry; one is enough.
            self._counted, self._logged_in = self._logged_in, True
        not_there_yet = code in (ResultCode.INDEX_NOT_FOUND, ResultCode.INDEX_NOT_READABLE)
        self._passing = code in RETRYABLE or (not_there_yet and self._answered_once)
        error = error_from_code(code)
        raise self._error(error, error.message, run.node)

    def _ended(self, run: Run) -> None:
        """The reader has come to the end of an answer."""
        self._arrivals.runs.discard(run)
        pending = run.pending
        if run.whole or pending is None:
            return
        if self._cluster.closed:
            raise ClientClosed(f"{self._what}: the client is closed")
        if pending.failure is Failure.REJECTED and isinstance(pending.error, AerospikeError):
            raise copy.copy(pending.error)
        if pending.failure is Failure.NO_ROOM:
            raise self._error(NoMoreConnections(), "no connection came free (max_conns_per_node)", run.node)
        if pending.failure is Failure.EXPIRED:
            name = "total_timeout" if trio.current_time() >= self.limit else "socket_timeout"
            text = f"no whole answer within {name}={getattr(self._policy, name)} s"
            self._passing = True
            raise self._error(AerospikeTimeoutError(), text, run.node)
        if isinstance(pending.error, ProtocolError):
            raise self._error(ProtocolError(), pending.error.message, run.node)
        self._cluster.report_failure(run.node)
        self._passing = True
        raise self._error(ConnectionFailed(), self._cluster.cause(run.node, pending.error), run.node)

    def _error(self, error: AerospikeError, text: str, node: Node) -> AerospikeError:
        error.args = (f"{self._what}: node {node.name} at {node.address}: {text}",)
        error.node = node.name
        error.attempts = self._retries + 1
        return error
