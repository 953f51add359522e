"""The values of operations and contexts, expressions and operations stand in layers, without a circle of imports."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import trio_aerospike

PACKAGE = Path(trio_aerospike.__file__).parent
#: From the ground up: a module imports from its own layer and those before it.
LAYERS = ("_cdt", "ctx", "exp", "operations")


def modules() -> dict[str, Path]:
    found = {}
    for layer in LAYERS:
        for path in [PACKAGE / f"{layer}.py", *sorted((PACKAGE / layer).rglob("*.py"))]:
            if path.exists():
                parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
                found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imported(path: Path) -> set[str]:
    """Every module that a file imports, within functions and for type checkers as well."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            names.add(str(node.module))
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def test_no_module_imports_from_a_layer_above_it() -> None:
    for name, path in modules().items():
        layer = LAYERS.index(name.split(".")[1])
        above = tuple(f"trio_aerospike.{one}" for one in LAYERS[layer + 1 :])
        wrong = {one for one in imported(path) if above and f"{one}.".startswith(tuple(f"{a}." for a in above))}
        assert not wrong, f"{name} imports {wrong}"


def test_there_is_no_circle_of_imports() -> None:
    found = modules()
    assert len(found) > 30
    graph = {name: (imported(path) & set(found)) - {name} for name, path in found.items()}
    # A submodule does not wait for the end of its package's own imports: a package imports its submodules.
    for name, needs in graph.items():
        needs.difference_update(one for one in list(needs) if name.startswith(f"{one}."))
    TopologicalSorter(graph).prepare()  # raises CycleError
