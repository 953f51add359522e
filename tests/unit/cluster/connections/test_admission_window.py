"""The admission window: when it grows, when it shrinks, and by how much."""

import pytest

from trio_aerospike._cluster.connections.admission_window import (
    GROWTH,
    SHRINK,
    TARGET_DELAY,
    WINDOW_MIN,
    WINDOW_START,
    AdmissionWindow,
)

QUICK, SLOW = TARGET_DELAY / 2 - 0.001, TARGET_DELAY + 0.001


def test_every_connection_may_have_a_request():
    assert AdmissionWindow(10).size == WINDOW_START
    assert AdmissionWindow(1000).size == 1000


def test_it_grows_by_a_request_for_each_quick_answer_while_more_wait():
    window = AdmissionWindow(1)
    window.replied(10, QUICK, 0.0, 0.0, wanted=True)
    assert window.size == WINDOW_START + 10
    window.replied(10, QUICK, 0.0, 0.0, wanted=False)
    assert window.size == WINDOW_START + 10
    for _ in range(1000):
        window.replied(10, QUICK, 0.0, 0.0, wanted=True)
    assert window.size == GROWTH * WINDOW_START


def test_between_quick_and_slow_it_stays():
    window = AdmissionWindow(1)
    window.replied(10, TARGET_DELAY * 0.75, 0.0, 0.0, wanted=True)
    assert window.size == WINDOW_START


def test_the_round_trip_is_no_delay():
    window = AdmissionWindow(1)
    window.replied(1, 0.3 + QUICK, 0.3, 0.0, wanted=True)
    assert window.size == WINDOW_START + 1


def test_it_shrinks_once_for_all_that_was_sent_before():
    window = AdmissionWindow(1)
    window.replied(10, SLOW, 0.0, 100.0, wanted=True)
    window.replied(10, SLOW, 0.0, 100.0 + SLOW / 2, wanted=True)
    assert window.size == WINDOW_START * SHRINK
    window.replied(10, SLOW, 0.0, 100.0 + SLOW, wanted=True)
    assert window.size == WINDOW_START * SHRINK**2


@pytest.mark.parametrize(("connections", "least"), [(1, WINDOW_MIN), (100, 100)])
def test_it_does_not_shrink_below_its_minimum(connections, least):
    window = AdmissionWindow(connections)
    for number in range(100):
        window.replied(1, SLOW, 0.0, float(number), wanted=True)
    assert window.size == least


def test_the_delay_follows_what_answers_take_and_one_stall_counts_for_a_second():
    window = AdmissionWindow(1)
    for _ in range(50):
        window.replied(1, 0.01, 0.0, 0.0, wanted=False)
    assert window.delay == pytest.approx(0.01, rel=0.01)
    window.replied(1, 60.0, 0.0, 0.0, wanted=False)
    assert window.delay < 0.3
