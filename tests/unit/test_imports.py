"""What ``import trio_aerospike`` loads: every program pays for that, also one that wants names only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

import pytest

import trio_aerospike
from trio_aerospike._lazy import LazyModule


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
    assert not {"numpy", "lupa", "asyncio", "opentelemetry", "prometheus_client", "bcrypt"} & loaded
    few = ("security", "statistics", "metrics", "tracing", "threads", "loops", "_lua")
    assert not within("trio_aerospike", few) & loaded


def test_what_the_server_and_the_tests_decode_into_is_not_loaded(loaded: set[str]) -> None:
    assert not within("trio_aerospike._wire", ("messages", "batch_messages", "admin_messages", "info_cluster")) & loaded


def test_requests_of_few_programs_are_not_loaded(loaded: set[str]) -> None:
    assert not within("trio_aerospike._wire", ("admin", "statistics")) & loaded


def test_a_lazy_module_is_loaded_when_one_of_its_names_is_used() -> None:
    assert "trio_aerospike.security" not in loaded_by("import trio_aerospike as aero; aero.security")
    program = """
import inspect
import trio_aerospike as aero
lazy = aero.security
assert inspect.ismodule(lazy) and lazy.__name__ == "trio_aerospike.security"
assert "Privilege" in dir(lazy)
from trio_aerospike.security import Privilege
assert lazy.Privilege is aero.security.Privilege is Privilege
"""
    assert "trio_aerospike.security" in loaded_by(program.strip() + "\nfinished = True")


def test_a_lazy_module_without_the_name_or_that_is_not_there_says_so() -> None:
    with pytest.raises(AttributeError, match="securities"):
        _ = LazyModule("trio_aerospike.security").securities
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        _ = LazyModule("no_such_module").name
    with pytest.raises(AttributeError, match="__wrapped__"):
        _ = LazyModule("no_such_module").__wrapped__


def test_every_name_is_listed_and_star_imported_whether_it_is_loaded_or_not() -> None:
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
from trio_aerospike._lazy import LazyModule
sys.setswitchinterval(1e-6)
lazy = LazyModule("trio_aerospike.security")
together = threading.Barrier(8)
found = []
def use(number):
    together.wait()
    found.append((lazy if number % 2 else trio_aerospike.security).Usage)
threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(found) == 8 and len(set(found)) == 1, found
"""
    assert "trio_aerospike.security" in loaded_by(program.strip() + "\nfinished = True")
