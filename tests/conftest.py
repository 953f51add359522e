"""What all tests share: those that run in real time may run again.

Unit tests and simulations run on a mock clock and are exact. The others talk over real sockets, beside threads and
other processes, on machines that may be busy with something else for seconds; there a single miss says little. Such a
test runs up to twice more before it counts as failed, and every rerun is named in the summary of the run, so that one
that comes back is seen and mended.
"""

from __future__ import annotations

from pathlib import Path

import pytest

_REAL_TIME = {"compat", "examples", "integration", "packaging"}
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("reruns") is not None:
        return  # who says how often on the command line (--reruns 0) is right
    for item in items:
        folder = item.path.relative_to(_HERE).parts[0] if item.path.is_relative_to(_HERE) else ""
        if folder in _REAL_TIME:
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))


@pytest.fixture
def mean_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every random delay before a retry is its mean."""
    monkeypatch.setattr("trio_aerospike._cluster.execution.retry._random", lambda: 0.5)
