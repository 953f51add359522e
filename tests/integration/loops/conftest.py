"""Stages for the tests of commands of asyncio loops."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.loop_stage import LoopStage


@pytest.fixture
def stages() -> Iterator[Callable[..., LoopStage]]:
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> LoopStage:
            made = LoopStage(**{"timeout": 5.0} | options)
            stack.callback(made.end)
            return made

        yield make


@pytest.fixture
def stage(stages: Callable[..., LoopStage]) -> LoopStage:
    return stages()


@pytest.fixture(autouse=True)
def no_noise(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """asyncio has nothing to say about tasks and futures left behind."""
    yield
    gc.collect()
    records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    assert [record.getMessage() for record in records if record.name == "asyncio"] == []
