"""Classify how an attempt ended, report failures to the cluster, and wait before a retry."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

import trio

from ...errors import AerospikeError, ProtocolError, ResultCode, error_from_code
from ..connections.loop_clock import loop_clock
from ..connections.request import Failure
from .retry_rules import Action, Cause, Outcome, RetryDecision, RetryState

if TYPE_CHECKING:
    from ..connections.request import Request
    from ..tend.cluster import Cluster
    from ..tend.node import Node

#: Offset of the result code in the body of a message.
RESULT_CODE: Final = 5

_CAUSES: Final = {
    Failure.EXPIRED: Cause.TIMEOUT,
    Failure.BROKEN: Cause.CONNECTION,
    Failure.NO_ROOM: Cause.POOL_FULL,
    Failure.NO_PROGRESS: Cause.TIMEOUT,
    Failure.UNREADABLE: Cause.BAD_DATA,
    Failure.UNREACHABLE: Cause.CONNECTION,
    Failure.REJECTED: Cause.LOGIN_REFUSED,
}


def outcome_of(pending: Request) -> Outcome:
    """Return how a request ended: the result code of its reply, or why no reply came."""
    if pending.reply is not None:
        return pending.reply[RESULT_CODE]
    assert pending.failure is not None
    cause = _CAUSES[pending.failure]
    if cause is Cause.CONNECTION and isinstance(pending.error, ProtocolError):
        return Cause.PROTOCOL
    if cause is Cause.LOGIN_REFUSED and not isinstance(pending.error, AerospikeError):
        return Cause.CONNECTION
    return cause


def report(cluster: Cluster, node: Node, pending: Request, outcome: Outcome) -> None:
    """Report a failed attempt to the cluster: an early tend round for a failed node or a stale map, a new login."""
    if outcome in (Cause.CONNECTION, Cause.PROTOCOL):
        cluster.report_failure(node)
    elif outcome == ResultCode.PARTITION_UNAVAILABLE:
        cluster.hurry()
    elif outcome == ResultCode.EXPIRED_SESSION and (pending.holder is None or not pending.holder.retired):
        node.session_expired()  # which has not been done since the request was sent


def refused_login(pending: Request) -> AerospikeError:
    """Return the error of a refused login, as a copy: other requests raise the same error."""
    assert isinstance(pending.error, AerospikeError)
    error = copy.copy(pending.error)
    error.__cause__ = pending.error
    return error


def undecodable(pending: Request) -> str:
    """Return the message for an answer that raised an unexpected error while it was decoded."""
    error = pending.error
    return f"the answer could not be decoded: {type(error).__name__}{f': {error}' if str(error) else ''}"


def query_error_text(code: int) -> str:
    """Explain a query's result code, and what to do about it."""
    text = error_from_code(code).message
    if code == ResultCode.FAIL_FORBIDDEN:
        return (
            f"{text}: all of the node's query threads are in use (query-threads-limit, 128 by default; a query takes "
            "up to single-query-threads of them, 4 by default); run fewer queries at a time, or raise the limit"
        )
    return text


def no_connection_text(node: Node, pending: Request) -> str:
    """Explain why no connection took a request: how long the node has been silent, and what to change."""
    silence = loop_clock().now() - max(pending.arrived, node.progress_at)
    return not_sent(node, pending.failure is Failure.NO_ROOM, silence, node.waiting)


def not_sent(node: Node, full: bool, silence: float, waiting: int) -> str:
    """Explain why a request was not sent, and what to change.

    Args:
        node: the node that it was for.
        full: whether all connections that the node may have are in use.
        silence: seconds since the node last answered, or since the request began to wait.
        waiting: how many more requests wait for the node.
    """
    most = sum(pool.limit for pool in node.pools)
    where = f"all {most} connections of max_conns_per_node={most} are in use" if full else "no connection came free"
    others = f"{waiting} more requests wait" if waiting != 1 else "1 more request waits"
    return (
        f"the request was not sent: {where}, the node has answered nothing for {silence:.3f} s, and {others} for it; "
        "raise total_timeout or max_conns_per_node, limit commands with max_concurrent_operations, or use get_many / "
        "put_many"
    )


async def wait_for_retry(decision: RetryDecision, state: RetryState, cluster: Cluster) -> bool:
    """Wait as long as a decision says.

    Returns:
        False if the time for retries ended first.
    """
    if decision.action is Action.WAIT_FOR_TEND:
        return await cluster.wait_for_tend(state.patience_end)
    await trio.sleep(decision.delay)
    return True
