"""The architecture: no import circles, every module in a layer, and what a family of commands may use.

Which layer may import which is said in pyproject.toml, and checked by ``lint-imports`` in ``make check``.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import trio_aerospike._commands
from trio_aerospike import Client

ROOT = Path(__file__).parents[2]
#: Folders with modules, and the folder that their names begin in.
SOURCES = {
    "trio_aerospike": ".",
    "compat/aerospike_py": "compat",
    "benchmarks": ".",
    "examples": ".",
    "tests": ".",
    "tools": ".",
}


def modules() -> dict[str, Path]:
    found = {}
    for folder, begin in SOURCES.items():
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT / begin).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported_names(name: str, path: Path) -> Iterator[tuple[str, str | None]]:
    """Module and name of each import, wherever it stands: in functions and under TYPE_CHECKING as well."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, None
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield module, alias.name


def import_graph(files: dict[str, Path]) -> dict[str, set[str]]:
    """For each module the modules that it imports.

    Importing a submodule runs the ``__init__`` of its packages as well. Those count as imported, except the packages
    that the importing module is in: they are being imported already, and it does not depend on what else they import.
    An ``__init__`` that imports nothing is in no circle.
    """
    packages = {name for name, path in files.items() if path.name == "__init__.py"}
    graph: dict[str, set[str]] = {}
    for name, path in files.items():
        targets = graph[name] = set()
        for module, attribute in imported_names(name, path):
            target = f"{module}.{attribute}" if f"{module}.{attribute}" in files else module
            if target not in files:
                continue
            targets.add(target)
            while "." in target:
                target = target.rpartition(".")[0]
                if target in packages and not f"{name}.".startswith(f"{target}."):
                    targets.add(target)
        targets.discard(name)
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The circles: the sets of modules that import each other, directly or not (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in graph[name]:
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            members = stack[stack.index(name) :]
            del stack[-len(members) :]
            if len(members) > 1:
                found.append(sorted(members))

    for name in graph:
        if name not in index:
            visit(name)
    return found


@pytest.fixture(scope="module")
def found_circles() -> list[list[str]]:
    return circles(import_graph(modules()))


def test_there_is_no_import_circle(found_circles: list[list[str]]) -> None:
    assert not found_circles


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"a": "import b", "b": "import c", "c": ""}, []),
        ({"a": "import b", "b": "import a"}, [["a", "b"]]),
        ({"a": "def f():\n    import b", "b": "if TYPE_CHECKING:\n    from a import A"}, [["a", "b"]]),
        ({"p/__init__": "from . import a", "p/a": "from . import b", "p/b": ""}, []),
        ({"p/__init__": "from .a import f", "p/a": "from . import f"}, [["p", "p.a"]]),
        ({"p/__init__": "from .a import f", "p/a": "import q", "p/b": "", "q": "import p.b"}, [["p", "p.a", "q"]]),
        ({"p/__init__": "", "p/a": "import q", "p/b": "", "q": "from p.b import f"}, []),
        (
            {"p/__init__": "", "p/q/__init__": "", "p/q/a": "from ..b import f", "p/b": "from .q import a"},
            [["p.b", "p.q.a"]],
        ),
    ],
)
def test_circles_are_found(tmp_path: Path, sources: dict[str, str], expected: list[list[str]]) -> None:
    files = {}
    for name, source in sources.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        files[name.removesuffix("/__init__").replace("/", ".")] = path
    assert circles(import_graph(files)) == expected


#: Whose functions still import; a name goes when its functions import nothing.
TO_IMPORT_AT_THE_TOP = ("_cli", "exp", "server")


def test_functions_import_nothing() -> None:
    """What is to be loaded late is a ``LazyModule``."""
    found = []
    for name, path in modules().items():
        parts = name.split(".")
        if parts[0] != "trio_aerospike" or (parts[1:2] and parts[1] in TO_IMPORT_AT_THE_TOP):
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                imports = [node for node in ast.walk(function) if isinstance(node, (ast.Import, ast.ImportFrom))]
                found += [f"{name}:{node.lineno}" for node in imports]
    assert not found


# -- layers ------------------------------------------------------------------------------------------------------------


def top_level_names() -> set[str]:
    paths = (ROOT / "trio_aerospike").iterdir()
    return {path.stem for path in paths if path.suffix == ".py" or (path / "__init__.py").exists()} - {"__init__"}


def contracts() -> list[dict[str, object]]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found: list[dict[str, object]] = config["tool"]["importlinter"]["contracts"]
    return found


def test_every_module_at_the_top_is_in_a_layer() -> None:
    [layers] = [contract["layers"] for contract in contracts() if contract["type"] == "layers"]
    named = {name.split(".")[1] for name in re.findall(r"trio_aerospike[\w.]+", str(layers))}
    assert named == top_level_names() - {"server"}, "the server has contracts of its own"


def test_aerospike_py_may_import_no_private_module() -> None:
    [forbidden] = [
        contract["forbidden_modules"] for contract in contracts() if contract.get("source_modules") == ["aerospike_py"]
    ]
    private = {f"trio_aerospike.{name}" for name in top_level_names() if name.startswith("_") and name != "__main__"}
    assert set(forbidden) == private  # type: ignore[call-overload]


def test_the_top_of_the_package_reads_as_a_table_of_contents() -> None:
    assert len([name for name in top_level_names() if name.startswith("_")]) <= 25


# -- the families of commands ------------------------------------------------------------------------------------------


def families() -> list[type]:
    folder = trio_aerospike._commands.__name__
    return [cls for cls in Client.__mro__ if cls.__module__.startswith(folder)]


def test_a_client_is_composed_of_families() -> None:
    assert len(families()) >= 10


@pytest.mark.parametrize("family", families(), ids=lambda cls: cls.__name__)
def test_a_family_uses_only_what_it_or_its_bases_set(family: type) -> None:
    """A family is complete by itself: what its methods use of ``self`` is theirs, or set by their own ``__init__``."""
    known: set[str] = set()
    used: set[str] = set()
    for cls in family.__mro__[:-1]:
        known |= set(vars(cls))
        [node] = [
            node
            for node in ast.walk(ast.parse(Path(modules()[cls.__module__]).read_text()))
            if isinstance(node, ast.ClassDef) and node.name == cls.__name__
        ]
        for attribute in ast.walk(node):
            if (
                isinstance(attribute, ast.Attribute)
                and isinstance(attribute.value, ast.Name)
                and attribute.value.id == "self"
            ):
                (known if isinstance(attribute.ctx, ast.Store) else used).add(attribute.attr)
        declared = [statement for statement in node.body if isinstance(statement, ast.AnnAssign)]
        assert all(statement.value is not None for statement in declared), "declared, and set elsewhere"
    assert used <= known
