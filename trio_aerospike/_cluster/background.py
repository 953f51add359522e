"""Starting a job on every node: each works on its own records, and says no more than that it has begun."""

from __future__ import annotations

import copy
import math
from functools import partial
from typing import TYPE_CHECKING

import trio

from .._wire.constants import PROTO_MESSAGE
from ..errors import (
    AerospikeError,
    AerospikeTimeoutError,
    ClientClosed,
    ClusterError,
    ConnectionFailed,
    NoMoreConnections,
    error_from_code,
)
from .answers import EXPIRED_SESSION, RESULT_CODE, renew_session
from .pending import Failure, Pending
from .together import together

if TYPE_CHECKING:
    from ..policies import WritePolicy
    from .cluster import Cluster
    from .commands import Executor
    from .node import Node

_NOT_FOUND = 2


async def start_on_all(
    cluster: Cluster, executor: Executor, what: str, namespace: str, frame: bytes, policy: WritePolicy, trid: int
) -> list[str]:
    """Send a background query to every node, which counts as one operation.

    Args:
        cluster: where to.
        executor: counts it among ``max_concurrent_operations``.
        what: the command, for messages.
        namespace: of the records.
        frame: the request, the same for all.
        policy: its timeouts count.
        trid: the number of the job, for messages.

    Returns:
        The names of the nodes that have begun; one that does not know of the set has nothing to do.

    Raises:
        RecordNotFound: no node knows of the set.
        AerospikeError: a node refused or could not be asked; others may have begun.
    """
    if executor.limiter is None:
        return await _Start(cluster, what, namespace, frame, policy, trid).run()
    slot = await executor.acquire_slot()
    try:
        return await _Start(cluster, what, namespace, frame, policy, trid).run()
    finally:
        executor.release_slot(slot)


class _Start:
    """One job on its way to the nodes."""

    def __init__(
        self, cluster: Cluster, what: str, namespace: str, frame: bytes, policy: WritePolicy, trid: int
    ) -> None:
        self._cluster = cluster
        self._what = what
        self._namespace = namespace
        self._frame = frame
        self._policy = policy
        self._trid = trid
        self._began = trio.current_time()
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
        await together([partial(self._start, node) for node in nodes])
        if not self._started and self._unknown is not None:
            raise self._unknown
        return sorted(self._started)

    async def _start(self, node: Node) -> None:
        patience = self._limit if self._limit < math.inf else self._began + self._cluster.patience
        while True:
            now = trio.current_time()
            silence = math.inf if self._policy.socket_timeout is None else self._policy.socket_timeout
            pending = Pending(self._frame, PROTO_MESSAGE, min(self._limit, now + silence), self._limit, silence, True)
            node.submit(pending)
            await pending.wait()
            error = self._judge(node, pending)
            if error is None:
                return
            if pending.sent and pending.reply is None:
                error.in_doubt = True
            if (pending.sent and error.result_code != EXPIRED_SESSION) or trio.current_time() >= patience:
                raise error
            # Nothing was begun there: see whether the node is still one of the cluster's.
            if not await self._cluster.wait_for_tend(patience):
                raise error
            if not node.active:
                return

    def _judge(self, node: Node, pending: Pending) -> AerospikeError | None:
        """What came of an attempt; None where the job has begun, or has nothing to do."""
        if pending.reply is not None:
            code = pending.reply[RESULT_CODE]
            if not code:
                self._started.append(node.name)
                return None
            error = self._error(node, error_from_code(code), error_from_code(code).message)
            if code == _NOT_FOUND:
                self._unknown = error
                return None
            if code == EXPIRED_SESSION:
                renew_session(node, pending)
            return error
        if pending.failure is Failure.REJECTED and isinstance(pending.error, AerospikeError):
            return copy.copy(pending.error)
        if pending.failure is Failure.NO_ROOM:
            return self._error(node, NoMoreConnections(), "no connection came free (max_conns_per_node)")
        if pending.failure is Failure.EXPIRED:
            return self._error(node, AerospikeTimeoutError(), "no answer in time")
        self._cluster.report_failure(node)
        return self._error(node, ConnectionFailed(), self._cluster.cause(node, pending.error))

    def _error(self, node: Node, error: AerospikeError, text: str) -> AerospikeError:
        error.args = (f"{self._what}: node {node.name} at {node.address}: {text} (job {self._trid})",)
        error.node = node.name
        error.attempts = 1
        return error
