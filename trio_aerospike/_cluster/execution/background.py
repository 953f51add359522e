"""Start a background query on every node; each node confirms the start and works on its own records."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import trio

from ..._wire.constants import PROTO_MESSAGE
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
from ..connections.loop_clock import loop_clock
from ..connections.request import Request
from ..run_all import run_all
from .attempts import outcome_of, query_error_text, refused_login, report, wait_for_retry
from .retry_rules import Action, Cause, Outcome, RetryState

if TYPE_CHECKING:
    from ...policies import WritePolicy
    from ..tend.cluster import Cluster
    from ..tend.node import Node
    from .single import Executor


@trio.lowlevel.enable_ki_protection
async def start_on_all(
    cluster: Cluster, executor: Executor, what: str, namespace: str, frame: bytes, policy: WritePolicy, trid: int
) -> list[str]:
    """Start a background query on every node; all of it counts as one operation.

    Args:
        cluster: the cluster.
        executor: limits it by ``max_concurrent_operations``.
        what: the command, for messages.
        namespace: of the records.
        frame: the request, the same for all.
        policy: its timeouts and retries count. A start of unknown outcome is never repeated.
        trid: the number of the job, for messages.

    Returns:
        The names of the nodes that have started; one that does not know the set has nothing to do.

    Raises:
        RecordNotFound: no node knows the set.
        AerospikeError: a node refused or could not be reached; others may have started.
    """
    if executor.limiter is None:
        return await _JobStart(cluster, what, namespace, frame, policy, trid).run()
    slot = await executor.acquire_slot()
    try:
        return await _JobStart(cluster, what, namespace, frame, policy, trid).run()
    finally:
        executor.release_slot(slot)


class _JobStart:
    """One background query that is being started."""

    def __init__(
        self, cluster: Cluster, what: str, namespace: str, frame: bytes, policy: WritePolicy, trid: int
    ) -> None:
        self._cluster = cluster
        self._what = what
        self._namespace = namespace
        self._frame = frame
        self._policy = policy
        self._trid = trid
        self._began = loop_clock().now()
        self._limit = math.inf if policy.total_timeout is None else self._began + policy.total_timeout
        self._started: list[str] = []
        self._unknown: AerospikeError | None = None

    async def run(self) -> list[str]:
        """Ask all nodes at once."""
        await trio.lowlevel.checkpoint()
        if self._cluster.closed:
            raise ClientClosed(f"{self._what}: the client is closed")
        self._cluster.check_namespace(self._namespace)
        nodes = self._cluster.active_nodes()
        if not nodes:
            raise ClusterError(f"{self._what}: {self._cluster.outage()}")
        await run_all([partial(self._start, node) for node in nodes])
        if not self._started and self._unknown is not None:
            raise self._unknown
        return sorted(self._started)

    async def _start(self, node: Node) -> None:
        policy = self._policy
        state = RetryState(
            policy.max_retries,
            policy.sleep_between_retries,
            began=self._began,
            limit=self._limit,
            patience=self._cluster.patience,
            repeat_in_doubt=False,
        )
        silence = math.inf if policy.socket_timeout is None else policy.socket_timeout
        while True:
            now = loop_clock().now()
            state.attempt_began(now)
            limit = state.limit
            pending = Request(
                self._frame,
                PROTO_MESSAGE,
                min(limit, now + silence),
                limit,
                silence,
                True,
                total=None if state.attempts else self._limit - self._began,
                arrived=self._began,
            )
            node.submit(pending)
            await pending.wait()
            state.limit = pending.expires
            outcome = outcome_of(pending)
            if outcome == ResultCode.OK:
                self._started.append(node.name)
                return
            now = loop_clock().now()
            report(self._cluster, node, pending, outcome)
            decision = state.failed(outcome, sent=pending.sent, write=True, now=now, node=node.name)
            error = state.annotate(self._error(outcome, node, pending), node.name)
            if outcome == ResultCode.RECORD_NOT_FOUND:
                self._unknown = error
                return
            if decision.action is Action.RAISE or not await wait_for_retry(decision, state, self._cluster):
                raise error
            if not node.active:
                return  # nothing was started there, and the node has left the cluster

    def _error(self, outcome: Outcome, node: Node, pending: Request) -> AerospikeError:
        error: AerospikeError
        if not isinstance(outcome, Cause):
            error = error_from_code(outcome)
            text = query_error_text(outcome)
        elif outcome is Cause.LOGIN_REFUSED:
            return refused_login(pending)
        elif outcome is Cause.POOL_FULL:
            error, text = NoMoreConnections(), "no connection came free (max_conns_per_node)"
        elif outcome is Cause.TIMEOUT:
            error, text = AerospikeTimeoutError(), "no answer in time"
        else:
            error = ProtocolError() if outcome is Cause.PROTOCOL else ConnectionFailed()
            text = self._cluster.cause(node, pending.error)
        error.args = (f"{self._what}: node {node.name} at {node.address}: {text} (job {self._trid})",)
        return error
