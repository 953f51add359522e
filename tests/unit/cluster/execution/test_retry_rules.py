"""The retry engine: its table, the count of retries, back-off, doubt and the record of attempts, without any I/O."""

from __future__ import annotations

import ast
import math
from pathlib import Path
from typing import Any

import pytest

from trio_aerospike import errors
from trio_aerospike._cluster.execution import retry_rules as retry
from trio_aerospike._cluster.execution.retry_rules import (
    TABLE,
    Action,
    Cause,
    Outcome,
    RetryDecision,
    RetryState,
    rule_for,
)
from trio_aerospike.errors import (
    AerospikeError,
    BackpressureError,
    NoMoreConnections,
    ResultCode,
    error_from_code,
)

RAISE, NOW, AFTER = Action.RAISE, Action.RETRY_NOW, Action.RETRY_AFTER
REPLICA, TEND = Action.RETRY_REPLICA, Action.WAIT_FOR_TEND


pytestmark = pytest.mark.usefixtures("mean_delays")


def state(max_retries: int = 5, sleep: float = 0.0, limit: float = 100.0, **fields: Any) -> RetryState:
    return RetryState(max_retries, sleep, began=0.0, limit=limit, patience=10.0, **fields)


# -- the table ---------------------------------------------------------------------------------------------------------

# (outcome, sent): what follows for a read, what for a write, whether it counts, whether a write is in doubt
EXPECTED: dict[tuple[Outcome, bool], tuple[Action, Action, bool, bool]] = {
    (Cause.NO_OWNER, False): (TEND, TEND, False, False),
    (Cause.POOL_FULL, False): (NOW, NOW, False, False),
    (Cause.LOGIN_REFUSED, False): (RAISE, RAISE, False, False),
    (Cause.TIMEOUT, False): (REPLICA, TEND, False, False),
    (Cause.CONNECTION, False): (REPLICA, TEND, False, False),
    (Cause.PROTOCOL, False): (REPLICA, TEND, False, False),
    (Cause.TIMEOUT, True): (REPLICA, AFTER, True, True),
    (Cause.CONNECTION, True): (REPLICA, REPLICA, True, True),
    (Cause.PROTOCOL, True): (REPLICA, REPLICA, True, True),
    (Cause.BAD_DATA, True): (RAISE, RAISE, False, True),
    (9, True): (REPLICA, AFTER, True, True),
    (11, True): (REPLICA, TEND, False, False),
    (66, True): (NOW, NOW, False, False),
    (8, True): (AFTER, AFTER, True, False),
    (14, True): (AFTER, AFTER, True, False),
    (18, True): (REPLICA, AFTER, True, False),
    (32, True): (AFTER, AFTER, True, False),
    (120, True): (AFTER, AFTER, True, False),
    (152, True): (REPLICA, AFTER, True, False),
}


@pytest.mark.parametrize(("outcome", "sent"), EXPECTED, ids=str)
def test_what_follows_an_outcome(outcome: Outcome, sent: bool) -> None:
    read, write, counts, doubt = EXPECTED[outcome, sent]
    for is_write, action in ((False, read), (True, write)):
        tried = state()
        decision = tried.failed(outcome, sent=sent, write=is_write, now=1.0, node="A1", replicas=2)
        assert decision.action is action
        assert tried.retries == counts
        assert tried.in_doubt == (doubt and is_write)
        assert tried.attempts == sent


def test_the_table_has_no_other_rows() -> None:
    while_an_index_spreads = {(201, True), (203, True)}
    assert set(TABLE) == set(EXPECTED) | while_an_index_spreads


@pytest.mark.parametrize("code", [code for code in ResultCode if code > 0 and (code, True) not in TABLE])
def test_any_other_result_code_is_raised_and_leaves_no_doubt(code: int) -> None:
    for write in (False, True):
        tried = state()
        assert tried.failed(code, sent=True, write=write, now=1.0).action is RAISE
        assert not tried.in_doubt and tried.attempts == 1


def test_an_error_is_retryable_where_the_table_retries_its_code() -> None:
    retried = {code for (code, _), rule in TABLE.items() if isinstance(code, int) and rule.read is not RAISE}
    # A missing index is only worth a retry where other nodes have it already.
    assert {code for code in ResultCode if code > 0 and error_from_code(code).retryable} == retried - {201}


@pytest.mark.parametrize("code", [201, 203])
def test_a_missing_index_is_retried_only_where_another_node_has_it(code: int) -> None:
    assert state().failed(code, sent=True, write=False, now=1.0).action is RAISE
    assert state().failed(code, sent=True, write=False, now=1.0, partly=True).action is REPLICA
    assert state().failed(code, sent=True, write=True, now=1.0, partly=True).action is RAISE


# -- how often ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retries", [0, 1, 5])
@pytest.mark.parametrize("outcome", [Cause.TIMEOUT, Cause.CONNECTION, 9, 14, 18])
def test_what_was_sent_is_retried_as_often_as_the_policy_says(outcome: Outcome, retries: int) -> None:
    for write in (False, True):
        tried = state(retries)
        actions = [tried.failed(outcome, sent=True, write=write, now=0.1).action for _ in range(retries + 1)]
        assert RAISE not in actions[:-1] and actions[-1] is RAISE
        assert tried.attempts == retries + 1


@pytest.mark.parametrize("outcome", [Cause.TIMEOUT, Cause.CONNECTION, Cause.NO_OWNER, Cause.POOL_FULL])
def test_what_was_not_sent_is_retried_until_the_time_is_over(outcome: Outcome) -> None:
    for write in (False, True):
        tried = state(0, limit=2.0)
        assert all(
            tried.failed(outcome, sent=False, write=write, now=second / 10).action is not RAISE for second in range(20)
        )
        assert tried.failed(outcome, sent=False, write=write, now=2.0).action is RAISE
        assert tried.attempts == 0 and not tried.in_doubt


def test_without_a_limit_patience_ends_the_retries_and_progress_prolongs_it() -> None:
    tried = state(0, limit=math.inf)
    assert tried.failed(11, sent=True, write=False, now=9.9).action is TEND
    tried.progress(9.9)
    assert tried.patience_end == 19.9
    assert tried.failed(11, sent=True, write=False, now=19.8).action is TEND
    assert tried.failed(11, sent=True, write=False, now=19.9).action is RAISE


def test_a_full_pool_is_not_waited_for_without_a_limit() -> None:
    assert state(limit=math.inf).failed(Cause.POOL_FULL, sent=False, write=False, now=1.0).action is RAISE


def test_an_attempt_that_brought_part_of_the_answer_does_not_count() -> None:
    tried = state(1)
    for _ in range(10):
        assert tried.failed(Cause.CONNECTION, sent=True, write=False, now=1.0, progress=True).action is REPLICA
    assert tried.retries == 0
    assert tried.failed(Cause.CONNECTION, sent=True, write=False, now=1.0).action is REPLICA
    assert tried.failed(Cause.CONNECTION, sent=True, write=False, now=1.0).action is RAISE


def test_a_session_is_renewed_at_once_and_only_once_without_a_look_at_the_cluster() -> None:
    tried = state(0)
    actions = [tried.failed(66, sent=True, write=True, now=1.0).action for _ in range(3)]
    assert actions == [NOW, TEND, TEND]


# -- where to ----------------------------------------------------------------------------------------------------------


def test_a_read_goes_from_replica_to_replica_and_looks_at_the_cluster_after_all_of_them() -> None:
    tried = state(0)
    actions = [tried.failed(Cause.CONNECTION, sent=False, write=False, now=1.0, replicas=3).action for _ in range(6)]
    assert actions == [REPLICA, REPLICA, TEND] * 2
    assert tried.sequence(write=False) == 6


def test_a_write_stays_with_the_master_until_a_new_map_has_not_helped() -> None:
    tried = state(0)
    for _ in range(retry.PATIENT_WRITES):
        assert tried.failed(Cause.CONNECTION, sent=False, write=True, now=1.0, replicas=2).action is TEND
        assert tried.sequence(write=True) == 0
    assert tried.failed(Cause.CONNECTION, sent=False, write=True, now=1.0, replicas=2).action is TEND
    assert tried.sequence(write=True) == 1


@pytest.mark.parametrize(("outcome", "moves"), [(Cause.TIMEOUT, 0), (9, 0), (18, 0), (14, 0), (Cause.CONNECTION, 1)])
def test_a_write_that_was_sent_changes_its_node_only_where_the_connection_broke(outcome: Outcome, moves: int) -> None:
    tried = state()
    tried.failed(outcome, sent=True, write=True, now=1.0, replicas=2)
    assert tried.sequence(write=True) == moves


# -- when --------------------------------------------------------------------------------------------------------------


def delays(tried: RetryState, outcome: Outcome, count: int, write: bool = False) -> list[float]:
    return [tried.failed(outcome, sent=True, write=write, now=0.1).delay for _ in range(count)]


@pytest.mark.parametrize("outcome", [Cause.TIMEOUT, Cause.CONNECTION, Cause.PROTOCOL, 9])
def test_sleep_between_retries_of_zero_means_no_delay(outcome: Outcome) -> None:
    assert delays(state(5, 0.0), outcome, 5) == [0.0] * 5


def test_the_mean_of_the_delay_doubles_from_sleep_between_retries_on() -> None:
    assert delays(state(9, 0.05), Cause.TIMEOUT, 7) == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.5, 0.5, 0.5])


def test_a_sleep_between_retries_above_the_longest_delay_does_not_double() -> None:
    assert delays(state(9, 3.0), Cause.TIMEOUT, 3) == pytest.approx([3.0, 3.0, 3.0])


@pytest.mark.parametrize("code", [8, 14, 18, 32, 120, 152])
@pytest.mark.parametrize("write", [False, True])
def test_an_overloaded_server_is_given_time(code: int, write: bool) -> None:
    assert delays(state(9), code, 4, write) == pytest.approx([0.02, 0.03, 0.05, 0.09])
    assert delays(state(9, 0.1), code, 2, write) == pytest.approx([0.11, 0.21])


@pytest.mark.parametrize(("fraction", "least", "most"), [(0.0, 0.0, 0.0), (0.999, 0.09, 0.1)])
def test_jitter_is_full(monkeypatch: pytest.MonkeyPatch, fraction: float, least: float, most: float) -> None:
    monkeypatch.setattr(retry, "_random", lambda: fraction)
    [delay] = delays(state(9, 0.05), Cause.TIMEOUT, 1)
    assert least <= delay <= most
    [delay] = delays(state(9), 18, 1)
    assert delay >= retry.OVERLOAD_FLOOR


def test_many_retries_do_not_overflow() -> None:
    assert delays(state(5000, 0.05), Cause.TIMEOUT, 3000)[-1] == 0.5


def test_a_delay_that_the_limit_does_not_leave_is_not_taken() -> None:
    tried = state(5, 0.5, limit=1.0)
    assert tried.failed(Cause.TIMEOUT, sent=True, write=False, now=0.49) == RetryDecision(REPLICA, 0.5)
    assert tried.failed(Cause.TIMEOUT, sent=True, write=False, now=0.5).action is RAISE
    assert state(5, 0.0, limit=1.0).failed(Cause.TIMEOUT, sent=True, write=False, now=1.0).action is RAISE


# -- doubt -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "doubt"),
    [
        ([5], False),
        ([18, 18, 5], False),
        ([14, 18], False),
        ([11, 5], False),
        ([66, 5], False),
        ([9], True),
        ([Cause.TIMEOUT], True),
        ([Cause.CONNECTION], True),
        ([Cause.PROTOCOL], True),
        ([Cause.BAD_DATA], True),
        ([Cause.TIMEOUT, 5], True),
        ([18, Cause.CONNECTION], True),
        ([9, 11], True),
    ],
    ids=str,
)
def test_a_write_is_in_doubt_once_an_attempt_had_no_known_outcome(outcomes: list[Outcome], doubt: bool) -> None:
    for write in (True, False):
        tried = state()
        for outcome in outcomes:
            tried.failed(outcome, sent=True, write=write, now=1.0)
        assert tried.in_doubt == (doubt and write)


def test_what_was_not_sent_is_not_in_doubt() -> None:
    for cause in (Cause.TIMEOUT, Cause.CONNECTION, Cause.PROTOCOL):
        tried = state()
        tried.failed(cause, sent=False, write=True, now=1.0)
        assert not tried.in_doubt


@pytest.mark.parametrize("outcome", [Cause.TIMEOUT, Cause.CONNECTION, Cause.PROTOCOL, 9])
def test_a_write_in_doubt_is_repeated_only_where_that_is_allowed(outcome: Outcome) -> None:
    assert state().failed(outcome, sent=True, write=True, now=1.0).action is not RAISE
    strict = state(repeat_in_doubt=False)
    assert strict.failed(outcome, sent=True, write=True, now=1.0).action is RAISE
    assert strict.in_doubt
    assert state(repeat_in_doubt=False).failed(outcome, sent=True, write=False, now=1.0).action is REPLICA
    assert state(repeat_in_doubt=False).failed(18, sent=True, write=True, now=1.0).action is AFTER


# -- what the error tells ----------------------------------------------------------------------------------------------


def test_the_error_tells_every_attempt() -> None:
    tried = state()
    tried.failed(Cause.TIMEOUT, sent=True, write=True, now=0.25, node="A1")
    tried.attempt_began(0.3)
    tried.failed(18, sent=True, write=True, now=0.4, node="A2")
    tried.failed(Cause.CONNECTION, sent=False, write=True, now=0.45, node="A1")
    error = tried.annotate(error_from_code(18, "put"), "A2")
    assert [(one.node, one.cause, round(one.seconds, 3)) for one in error.history] == [
        ("A1", "timed out", 0.25),
        ("A2", "code 18", 0.1),
        ("A1", "connection failed, not sent", 0.05),
    ]
    assert (error.attempts, error.in_doubt, error.node) == (2, True, "A2")
    text = str(error)
    assert "A1: timed out after 0.250 s; A2: code 18 after 0.100 s; A1: connection failed, not sent" in text


def test_an_error_after_a_thousand_attempts_lists_the_first_and_the_last() -> None:
    tried = state(5000)
    for number in range(1000):
        tried.failed(18, sent=True, write=False, now=1.0, node=f"A{number}")
    error = tried.annotate(error_from_code(18), "A999")
    assert [one.node for one in error.history] == ["A0", "A1", "A2", "A3", "A996", "A997", "A998", "A999"]
    assert error.attempts == 1000
    assert len(str(error)) < 300
    assert "A0: " in str(error) and "A999: " in str(error) and "; ...; " in str(error)


def test_one_attempt_is_not_listed_twice() -> None:
    tried = state(0)
    tried.failed(18, sent=True, write=False, now=1.0, node="A1")
    assert "tried" not in str(tried.annotate(error_from_code(18, "get"), "A1"))


# -- parts and clocks --------------------------------------------------------------------------------------------------


def test_a_fork_goes_on_by_itself() -> None:
    tried = state(2)
    tried.failed(18, sent=True, write=False, now=1.0, node="A1")
    twin = tried.fork()
    twin.failed(18, sent=True, write=False, now=1.0, node="A2")
    assert (tried.retries, twin.retries) == (1, 2)
    assert [one.node for one in tried.history] == ["A1"]
    assert [one.node for one in twin.history] == ["A1", "A2"]


def test_another_clock_may_take_over() -> None:
    tried = state(2, limit=5.0)
    tried.failed(Cause.TIMEOUT, sent=True, write=True, now=1.0, node="A1")
    tried.shift(1000.0)
    assert (tried.began, tried.limit) == (1000.0, 1005.0)
    tried.failed(Cause.TIMEOUT, sent=True, write=True, now=1003.0, node="A1")
    assert tried.history[-1].seconds == 2.0
    assert tried.failed(Cause.CONNECTION, sent=False, write=True, now=1005.0).action is RAISE
    endless = state(limit=math.inf)
    endless.shift(1000.0)
    assert endless.limit == math.inf and endless.patience_end == 1010.0


@pytest.mark.parametrize(
    ("outcomes", "decides"),
    [
        ([(11, True), (18, True), (9, True)], (18, True)),
        ([(Cause.NO_OWNER, False), (Cause.CONNECTION, True)], (Cause.CONNECTION, True)),
        ([(Cause.CONNECTION, False), (11, True)], (Cause.CONNECTION, False)),
        ([(9, True)], (9, True)),
    ],
)
def test_of_several_outcomes_one_that_counts_decides(
    outcomes: list[tuple[Outcome, bool]], decides: tuple[Outcome, bool]
) -> None:
    assert retry.gravest(outcomes) == decides


def test_the_engine_does_no_io() -> None:
    tree = ast.parse(Path(retry.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"__future__", "collections.abc", "copy", "enum", "math", "random", "typing", "errors"}
    assert not any(isinstance(node, (ast.AsyncFunctionDef, ast.Await)) for node in ast.walk(tree))


def test_rules_are_found_by_plain_numbers_too() -> None:
    assert rule_for(18, sent=True) is rule_for(ResultCode.DEVICE_OVERLOAD, sent=True)
    assert isinstance(error_from_code(18), errors.DeviceOverload)


def state_of(**options: Any) -> retry.RetryState:
    return retry.RetryState(3, 0.05, began=0.0, limit=10.0, patience=10.0, **options)


def test_an_error_in_doubt_is_not_repeated_where_that_is_forbidden() -> None:
    error = error_from_code(ResultCode.KEY_BUSY)
    error.in_doubt = True
    state = state_of(repeat_in_doubt=False)
    assert state.failed_with(error, write=True, now=0.1).action is Action.RAISE
    assert state.in_doubt
    assert state_of().failed_with(error, write=True, now=0.1).action is Action.RETRY_AFTER
    assert state_of(repeat_in_doubt=False).failed_with(error, write=False, now=0.1).action is Action.RETRY_AFTER


def test_an_earlier_attempt_in_doubt_counts_for_later_ones() -> None:
    state = state_of(repeat_in_doubt=False)
    state.note(Cause.CONNECTION, sent=True, write=True, now=0.1, node="A")
    assert state.decide(ResultCode.KEY_BUSY, sent=True, write=True, now=0.2).action is Action.RAISE


@pytest.mark.parametrize("error", [BackpressureError("full"), NoMoreConnections("full")])
def test_a_command_that_found_no_room_was_not_sent(error: AerospikeError) -> None:
    state = state_of()
    assert state.failed_with(error, write=True, now=0.1).action is Action.RETRY_NOW
    assert not state.in_doubt and state.attempts == 0 and state.retries == 0


def test_an_outcome_that_is_raised_decides() -> None:
    assert retry.gravest([(Cause.TIMEOUT, True), (Cause.BAD_DATA, True)]) == (Cause.BAD_DATA, True)


def test_a_program_without_a_tend_loop_is_told_how_long_to_wait() -> None:
    decision = state_of().failed(ResultCode.PARTITION_UNAVAILABLE, sent=True, write=True, now=0.1)
    assert decision == (Action.WAIT_FOR_TEND, retry.TEND_WAIT)
    assert decision.delay > 0
