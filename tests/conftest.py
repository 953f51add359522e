"""Settings that all tests share: hypothesis profiles, and what the garbage collector looks through."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import settings

from tests.effort import PROFILES

for _name, _profile in PROFILES.items():
    settings.register_profile(_name, max_examples=_profile.examples, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


# Fifteen thousand collected tests are a few million objects that live to the end. Looking through them again and again
# took a quarter of the collection, and a second whenever a test calls gc.collect().
def pytest_sessionstart() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.fixture
def mean_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every random delay before a retry is its mean."""
    monkeypatch.setattr("trio_aerospike._cluster.execution.retry_rules._random", lambda: 0.5)
