"""Back-off of early rounds of the tend loop: plain state, driven by a table of times."""

from __future__ import annotations

import math

import pytest

from trio_aerospike._cluster.tend.backoff import TendBackoff


def rounds(pace: TendBackoff, name: str, count: int, now: float = 0.0) -> list[float]:
    """When early rounds begin for a cause that asks all the time."""
    began = []
    for _ in range(count):
        pace.ask(name, now)
        now = max(now, pace.due)
        pace.round_began(now)
        began.append(round(now, 6))
    return began


def test_the_delay_doubles_up_to_the_interval() -> None:
    began = rounds(TendBackoff(1.0), "A1", 9)
    assert began == pytest.approx([0.0, 0.05, 0.15, 0.35, 0.75, 1.55, 2.55, 3.55, 4.55])


def test_an_interval_below_the_first_delay_is_kept() -> None:
    assert rounds(TendBackoff(0.02), "A1", 4) == pytest.approx([0.0, 0.02, 0.04, 0.06])


def test_each_cause_has_a_delay_of_its_own() -> None:
    pace = TendBackoff(1.0)
    last = rounds(pace, "A1", 6)[-1]
    pace.ask("A1", last)
    assert pace.due == last + 1.0
    pace.ask("A2", last)
    assert pace.due <= last
    pace.round_began(last + 0.05)
    assert pace.due == math.inf


def test_an_answer_resets_the_delay_unless_commands_have_failed_meanwhile() -> None:
    pace = TendBackoff(1.0)
    last = rounds(pace, "A1", 4)[-1]  # the delay is 0.4 s
    pace.answered("A1", last + 0.1)  # failed a moment ago
    pace.ask("A1", last + 0.5)
    pace.answered("A1", last + 0.9)  # failed since the round
    assert pace.due == pytest.approx(last + 0.4)
    pace.round_began(last + 1.0)  # and the delay is 0.8 s
    pace.answered("A1", last + 1.0)
    pace.ask("A1", last + 1.0)
    assert pace.due == pytest.approx(last + 1.8)
    pace.round_began(last + 2.0)
    pace.answered("A1", last + 3.0)
    pace.ask("A1", last + 3.1)
    assert pace.due <= last + 3.1


def test_a_change_resets_the_delay() -> None:
    pace = TendBackoff(1.0)
    last = rounds(pace, "", 6)[-1]
    pace.changed("")
    pace.changed("unknown")
    pace.ask("", last)
    assert pace.due <= last


def test_a_map_that_nobody_complains_about_is_a_success() -> None:
    pace = TendBackoff(1.0)
    last = rounds(pace, "", 4)[-1]  # the delay is 0.4 s
    pace.round_began(last + 0.3)
    pace.ask("", last + 0.3)
    assert pace.due == pytest.approx(last + 0.4)
    pace.round_began(last + 0.4)  # and the delay is 0.8 s
    pace.round_began(last + 1.4)
    pace.ask("", last + 1.4)
    assert pace.due <= last + 1.4
