"""The client's retry engine, for programs with a retry loop of their own.

The client retries by itself as its policies say. A program that retries further, with the same rules and the same
back-off, uses a :class:`RetryState`::

    now = trio.current_time()
    state = RetryState(5, 0.05, began=now, limit=now + 10, patience=10)
    while True:
        try:
            return await client.get(key)
        except AerospikeError as error:
            decision = state.failed_with(error, write=False, now=trio.current_time())
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
    outcome_of as outcome_of,
    rule_for as rule_for,
)

__all__ = ["Action", "Cause", "Outcome", "RetryDecision", "RetryState", "Rule", "gravest", "outcome_of", "rule_for"]
