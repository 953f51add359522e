"""What ``import trio_aerospike`` loads: every program pays for that, also one that wants names only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

import pytest

import trio_aerospike


def loaded_by(program: str) -> set[str]:
    """The modules that are there at the end of a program, in an interpreter of its own."""
    run = [sys.executable, "-c", f"{program}; import sys; print(*sys.modules)"]
    return set(subprocess.run(run, capture_output=True, text=True, check=True).stdout.split())


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    return loaded_by("import trio_aerospike")


def within(package: str, names: Iterable[str]) -> set[str]:
    return {f"{package}.{name}" for name in names}


def test_what_runs_a_cluster_is_not_loaded_before_there_is_one_to_run(loaded: set[str]) -> None:
    assert "trio_aerospike.keys" in loaded
    unwanted = {
        "trio_aerospike._cluster.tend.cluster",
        "trio_aerospike._cluster.execution.batch",
        "trio_aerospike.server",
    }
    assert not unwanted & loaded


def test_what_few_programs_use_is_not_loaded(loaded: set[str]) -> None:
    assert not {"numpy", "lupa", "asyncio", "opentelemetry", "prometheus_client", "difflib"} & loaded
    few = ("arrays", "instruments", "jobs", "security", "statistics", "metrics", "tracing", "threads", "loops")
    assert not within("trio_aerospike", few) & loaded


def test_what_the_server_and_the_tests_decode_into_is_not_loaded(loaded: set[str]) -> None:
    assert not within("trio_aerospike._wire", ("messages", "batch_messages", "admin_messages", "info_cluster")) & loaded


def test_requests_and_answers_that_a_program_may_never_have_are_not_loaded(loaded: set[str]) -> None:
    few = ("admin", "query", "query_answers", "batch_answers", "row_columns", "statistics")
    assert not within("trio_aerospike._wire", few) & loaded


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("security", "security"),
        ("jobs", "jobs"),
        ("arrays", "arrays"),
        ("instruments", "instruments"),
        ("IndexJob", "jobs"),
        ("BackgroundJob", "jobs"),
    ],
)
def test_a_name_of_the_package_loads_its_module(name: str, module: str) -> None:
    program = f"import trio_aerospike as aero; assert aero.{name} is aero.{name}"
    assert f"trio_aerospike.{module}" in loaded_by(program)


def test_every_name_is_told_and_star_imported_whether_it_is_loaded_or_not() -> None:
    names = {"security", "IndexJob", "Client", "exp"}
    assert names <= set(dir(trio_aerospike))
    loaded_by(f"from trio_aerospike import *; assert {names} <= set(globals())")


def test_a_name_that_the_package_does_not_have_is_refused() -> None:
    with pytest.raises(AttributeError, match="'trio_aerospike' has no attribute 'securities'"):
        trio_aerospike.securities  # type: ignore[attr-defined]  # noqa: B018


def test_many_threads_may_be_the_first_to_need_a_module() -> None:
    program = """
import sys, threading
import trio_aerospike
from trio_aerospike._lazy import LateModule
sys.setswitchinterval(1e-6)
late = LateModule("trio_aerospike.security")
together = threading.Barrier(8)
found = []
def use(number):
    together.wait()
    found.append((late if number % 2 else trio_aerospike.security).Usage)
threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(found) == 8 and len(set(found)) == 1, found
"""
    assert "trio_aerospike.security" in loaded_by(program.strip() + "\nfinished = True")
