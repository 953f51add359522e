"""``Client`` and ``AsyncClient`` are one interface: one source, the same names, signatures and documentation."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import aerospike_py as aerospike

GENERATOR = Path(__file__).parents[2] / "tools" / "make_sync.py"
#: Pairs of classes, each with the methods that are not coroutines in the asynchronous one.
PAIRS = {
    "client": (
        aerospike.AsyncClient,
        aerospike.Client,
        {"__init__", "__repr__", "__del__", "get_node_names", "is_connected", "query"},
    ),
    "query": (aerospike.AsyncQuery, aerospike.Query, {"__init__", "__repr__", "select", "where"}),
}
#: The special methods by which a client is entered and left.
SYNC_NAMES = {"__aenter__": "__enter__", "__aexit__": "__exit__"}


def methods(kind: type[Any]) -> dict[str, Any]:
    """The public and special methods of a class that the package defines."""
    return {
        name: function
        for name, function in inspect.getmembers(kind, inspect.isfunction)
        if function.__module__.startswith("aerospike_py.") and (not name.startswith("_") or name.startswith("__"))
    }


def test_the_blocking_modules_are_what_the_generator_makes_of_the_asynchronous_ones() -> None:
    done = subprocess.run([sys.executable, GENERATOR, "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), "run python tools/make_sync.py"


@pytest.mark.parametrize("pair", PAIRS)
def test_the_two_classes_have_the_same_methods(pair: str) -> None:
    asynchronous, blocking, _ = PAIRS[pair]
    assert {SYNC_NAMES.get(name, name) for name in methods(asynchronous)} == set(methods(blocking))


@pytest.mark.parametrize(
    ("pair", "name"), [(pair, name) for pair, (asynchronous, *_) in PAIRS.items() for name in methods(asynchronous)]
)
def test_a_method_has_one_signature_and_one_documentation(pair: str, name: str) -> None:
    asynchronous, blocking, not_coroutines = PAIRS[pair]
    ours, other = getattr(asynchronous, name), getattr(blocking, SYNC_NAMES.get(name, name))
    assert inspect.iscoroutinefunction(ours) == (name not in not_coroutines)
    assert not inspect.iscoroutinefunction(other)
    mine, theirs = inspect.signature(ours), inspect.signature(other)
    assert list(mine.parameters.values()) == list(theirs.parameters.values())
    assert str(mine.return_annotation).removeprefix("Async") == theirs.return_annotation
    assert ours.__doc__ == other.__doc__
    assert ours.__doc__ or name.startswith("__")


def test_the_two_clients_differ_in_their_own_documentation_only() -> None:
    assert aerospike.AsyncClient.__doc__ and aerospike.Client.__doc__
    own = {name for kind in (aerospike.AsyncClient, aerospike.Client) for name in vars(kind) if name[:2] != "__"}
    assert own <= {"_for_loop"}
