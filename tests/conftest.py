"""Settings that all tests share: hypothesis profiles, and what the garbage collector looks through."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

import trio_aerospike
from tests.effort import PROFILES

for _name, _profile in PROFILES.items():
    settings.register_profile(_name, max_examples=_profile.examples, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_configure() -> None:
    """Stop where the compiled modules are not those of the sources."""
    folder = Path(trio_aerospike._wire.__file__).parent
    for compiled in (folder / "_compiled").glob("*.*") if trio_aerospike.__speedups__ else ():
        name = compiled.name.partition(".")[0]
        for source in (folder / f"{name}.py", *folder.glob("*.pxd")):
            if source.stat().st_mtime > compiled.stat().st_mtime:
                pytest.exit(
                    f"{source.name} is newer than its compiled module: run `make unit`, or set TRIO_AEROSPIKE_PURE=1", 3
                )


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
