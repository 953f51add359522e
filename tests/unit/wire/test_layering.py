"""The wire layer does no I/O and knows nothing above itself."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import trio_aerospike._wire

WIRE = Path(trio_aerospike._wire.__file__).parent
#: What the wire layer stands on.
GROUND = {"trio_aerospike._lazy", "trio_aerospike.errors"}
ALLOWED = {"attrs", "bcrypt", "msgpack"}
# Of the standard library, what would be I/O or a clock.
FORBIDDEN = {"asyncio", "select", "selectors", "socket", "ssl", "subprocess", "threading", "time"}
PACKAGE = ["trio_aerospike", "_wire"]
MODULES = sorted(WIRE.glob("*.py"))


def imported_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = PACKAGE[: len(PACKAGE) + 1 - node.level] if node.level else []
            module = [*package, *([node.module] if node.module else [])]
            # `from .. import policies` imports a module as well as `from ..policies import ReadPolicy` does.
            names.update([".".join(module)] if node.module else [".".join([*module, a.name]) for a in node.names])
    return names


def test_there_are_modules_to_look_at() -> None:
    assert len(MODULES) > 10


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_only_what_the_wire_layer_may(path: Path) -> None:
    for name in imported_names(path):
        top = name.partition(".")[0]
        if top == "trio_aerospike":
            assert name in GROUND or name.startswith("trio_aerospike._wire"), name
        else:
            assert top in ALLOWED or (top in sys.stdlib_module_names and top not in FORBIDDEN), name
