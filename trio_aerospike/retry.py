"""The client's retry engine, for programs with a retry loop of their own.

The client retries by itself as its policies say. A program that retries further, with the same rules and the same
back-off, uses a :class:`RetryState`::

    now = trio.current_time()
    state = RetryState(5, 0.05, began=now, limit=now + 10, patience=10)
    while True:
        try:
            return await client.get(key)
        except AerospikeError as error:
            outcome = outcome_of(error)
            decision = state.failed(outcome, sent=True, write=False, now=trio.current_time())
            if decision.action is Action.RAISE:
                raise
            await trio.sleep(decision.delay)
"""

from __future__ import annotations

from ._cluster.execution.retry_rules import (
    Action as Action,
    Cause as Cause,
    Outcome as Outcome,
    RetryDecision as RetryDecision,
    RetryState as RetryState,
    Rule as Rule,
    gravest as gravest,
    rule_for as rule_for,
)
from .errors import AerospikeError, AerospikeTimeoutError, ProtocolError

__all__ = ["Action", "Cause", "Outcome", "RetryDecision", "RetryState", "Rule", "gravest", "outcome_of", "rule_for"]


def outcome_of(error: AerospikeError) -> Outcome:
    """Return the outcome of a command that raised an error: the server's result code, or why there was no answer.

    Args:
        error: The error.

    Returns:
        The result code; if no server answered, a cause: one that is retried for a retryable error, else one that is
        raised.
    """
    if error.result_code >= 0:
        return error.result_code
    if not error.retryable:
        return Cause.PROTOCOL if isinstance(error, ProtocolError) else Cause.BAD_DATA
    return Cause.TIMEOUT if isinstance(error, AerospikeTimeoutError) else Cause.CONNECTION
