"""A single-record command whose first attempt has failed: what follows, and the error that says what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from ..._wire.error_details import request_detail
from ..._wire.records import decode_failure
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
from .attempts import no_connection_text, outcome_of, refused_login, report, wait_for_retry
from .retry_rules import Action, Cause, Outcome, RetryState

if TYPE_CHECKING:
    from ...keys import Key
    from ...policies import ReadPolicy, WritePolicy
    from ..tend.cluster import Cluster
    from ..tend.node import Node

#: Seconds before the deadline of the caller's scope within which a timeout of the server counts as that deadline: it is
#: sent in whole milliseconds, and the answer takes a moment. An earlier one is the server's own.
_ABOUT_NOW = 0.05


class RetriedCommand:
    """A command whose first attempt has failed: its retry state, and the errors of its attempts.

    Args:
        what: the command's name, for messages.
        key: the record.
        frame: the request, for messages.
        policy: timeouts, for messages.
        write: whether the command may change the record.
        cluster: the cluster.
        state: the attempts so far.
    """

    __slots__ = ("_cluster", "_frame", "_key", "_policy", "_what", "_write", "state")

    def __init__(
        self,
        what: str,
        key: Key,
        frame: bytes,
        policy: ReadPolicy | WritePolicy,
        write: bool,
        cluster: Cluster,
        state: RetryState,
    ) -> None:
        self._what = what
        self._key = key
        self._frame = frame
        self._policy = policy
        self._write = write
        self._cluster = cluster
        self.state = state

    async def after(self, node: Node | None, pending: Request | None, scope_deadline: float) -> bytes | None:
        """Ask the retry engine what follows an attempt, and wait if it says so.

        Args:
            node: the node that was asked; None if no node serves the partition.
            pending: the request; None if there was no node.
            scope_deadline: the deadline of the caller's cancel scope.

        Returns:
            The body of the answer, or None if the command is to be retried.

        Raises:
            AerospikeError: the error for the caller.
        """
        cluster, state = self._cluster, self.state
        name = None if node is None else node.name
        outcome: Outcome = Cause.NO_OWNER
        if node is not None and pending is not None:
            outcome = outcome_of(pending)
            if outcome == ResultCode.OK:
                return pending.reply
            if not cluster.closed:
                report(cluster, node, pending, outcome)
        now = loop_clock().now()
        sent = pending is not None and pending.sent
        replicas = cluster.replicas_of(self._key.namespace)
        decision = state.failed(outcome, sent=sent, write=self._write, now=now, node=name, replicas=replicas)
        if cluster.closed and isinstance(outcome, Cause):
            raise state.annotate(ClientClosed(f"{self._what} {self._key!r}: the client is closed"), name)
        error = state.annotate(self._error(outcome, node, pending), name)
        scope_left = scope_deadline - trio.current_time()
        if outcome == ResultCode.TIMEOUT and scope_left <= state.limit - now and scope_left < _ABOUT_NOW:
            # The server was given the time until the caller's deadline, so this is that deadline, slightly early.
            await trio.sleep_until(scope_deadline)
            await trio.lowlevel.checkpoint_if_cancelled()
        if decision.action is Action.RAISE:
            raise error
        if decision.action is Action.WAIT_FOR_TEND:
            try:
                cluster.check_namespace(self._key.namespace)
            except AerospikeError as missing:
                raise state.annotate(missing, name) from None
        if not await wait_for_retry(decision, state, cluster):
            raise error
        return None

    def _error(self, outcome: Outcome, node: Node | None, pending: Request | None) -> AerospikeError:
        if node is None or pending is None:
            return self._no_owner()
        if outcome is Cause.POOL_FULL:
            return NoMoreConnections(
                f"{self._what} {self._key!r}: node {node.name} at {node.address}: {no_connection_text(node, pending)}"
            )
        if outcome is Cause.LOGIN_REFUSED:
            return refused_login(pending)
        if outcome is Cause.TIMEOUT:
            return self._timed_out(node, pending)
        if isinstance(outcome, Cause):
            return self._broken(node, pending)
        text = error_from_code(outcome).message
        if outcome == ResultCode.UDF and pending.reply is not None:
            text = decode_failure(pending.reply) or text
        text += request_detail(outcome, self._frame)
        return error_from_code(outcome, f"{self._what} {self._key!r}: {text}")

    def _no_owner(self) -> AerospikeError:
        return ClusterError(
            f"{self._what} {self._key!r}: no node serves its partition; known nodes: {self._cluster.describe()}"
        )

    def _timed_out(self, node: Node, pending: Request) -> AerospikeError:
        now = loop_clock().now()
        name = "total_timeout" if now >= self.state.limit else "socket_timeout"
        place = f"{self._what} {self._key!r}: node {node.name} at {node.address}"
        within = f"within {name}={getattr(self._policy, name)} s"
        if not pending.sent:
            return AerospikeTimeoutError(f"{place} took no request {within}: {no_connection_text(node, pending)}")
        return AerospikeTimeoutError(f"{place} did not answer {within} ({now - self.state.began:.3f} s passed)")

    def _broken(self, node: Node, pending: Request) -> AerospikeError:
        cause = self._cluster.cause(node, pending.error)
        text = f"{self._what} {self._key!r}: node {node.name} at {node.address}: {cause}"
        if isinstance(pending.error, ProtocolError):
            return ProtocolError(text)
        error = ConnectionFailed(text)
        error.__cause__ = pending.error
        return error
