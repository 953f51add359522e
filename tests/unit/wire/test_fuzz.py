"""A short run of the fuzz target, the same inputs each time."""

from __future__ import annotations

import pytest

from tests.fuzz import fuzz_wire


def test_mutated_exchanges_give_values_or_protocol_errors() -> None:
    assert fuzz_wire.run(iterations=1500, seed=20) == 1500


def test_mutated_exchanges_do_no_harm_to_the_decoders_that_are_compiled() -> None:
    assert fuzz_wire.run(2000, 21, fuzz_wire.check_hot) == 2000


def test_the_target_runs_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz_wire.main(["--iterations", "20", "--seed", "1"]) == 0
    assert "20 inputs of seed 1" in capsys.readouterr().out


def test_a_finding_carries_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> None:
        raise IndexError("index out of range")

    monkeypatch.setattr(fuzz_wire, "check", broken)
    with pytest.raises(IndexError) as caught:
        fuzz_wire.run(iterations=1, seed=3)
    assert "input 0 of seed 3" in caught.value.__notes__[0]
