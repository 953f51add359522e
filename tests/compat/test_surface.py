"""The names, values, fields, bases and signatures of aerospike_py 0.14.4, against the list taken from the original."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import json
import typing
import warnings
from pathlib import Path
from typing import Any

import pytest

import aerospike_py
import trio_aerospike.errors
from aerospike_py import exception, types
from tests.compat.background import BackgroundCluster

SPEC: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "data" / "aerospike_py-0.14.4.json").read_text(encoding="utf-8")
)
MODULES = SPEC["modules"]

PACKAGE = Path(aerospike_py.__file__).parent


#: The modules of the package, parsed.
TREES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}
#: Private by their names and public by their documentation: of named tuples, and of enums.
DOCUMENTED = {"_fields", "_replace", "_asdict", "_field_defaults"}


def own_private_names() -> set[str]:
    """The private names that the package itself defines: functions, classes, variables and attributes."""
    names: set[str] = set()
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.attr)
    return names


@pytest.mark.parametrize("module", sorted(TREES))
def test_a_module_knows_the_native_package_by_its_public_modules_and_names(module: str) -> None:
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            assert parts[0] != "trio_aerospike" or not any(part.startswith("_") for part in parts), name


def test_no_module_uses_a_private_attribute_that_the_package_does_not_define() -> None:
    own = own_private_names()
    used = {
        (module, node.attr)
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
    }
    assert {(module, name) for module, name in used if name not in own | DOCUMENTED} == set()


@pytest.mark.parametrize("module", sorted(TREES))
def test_a_module_fits_on_a_few_screens(module: str) -> None:
    if module != "_constants.py":  # a table
        assert len((PACKAGE / module).read_text("utf-8").splitlines()) <= 500


CLASSES = MODULES["aerospike_py"]["classes"]
#: Every method of every class, and every function: a case each.
METHODS = [
    (owner, name)
    for owner, spec in sorted(CLASSES.items())
    for name in spec["methods"]
    if name != "__init__" or owner in ("Client", "AsyncClient")
]
FUNCTIONS = [(module, name) for module, spec in sorted(MODULES.items()) for name in spec["functions"]]


def check_signature(ours: Any, spec: dict[str, Any]) -> None:
    """The same parameters, in the same order, of the same kinds, with the same defaults."""
    theirs: list[tuple[str, str | None, bool]] = []
    keyword_only = False
    for argument in spec["args"]:
        if argument == "*":
            keyword_only = True
            continue
        name, _, rest = argument.partition(":")
        theirs.append((name.strip(), rest.partition("=")[2].strip() or None, keyword_only))
    found = [
        (
            f"*{parameter.name}" if parameter.kind is parameter.VAR_POSITIONAL else parameter.name,
            None if parameter.default is parameter.empty else repr(parameter.default),
            parameter.kind is parameter.KEYWORD_ONLY,
        )
        for parameter in inspect.signature(ours).parameters.values()
    ]
    assert [(name, default and default.replace('"', "'"), only) for name, default, only in theirs] == found
    assert inspect.iscoroutinefunction(ours) == spec["async"]


#: What the original has without listing it in its ``__all__``.
UNLISTED = {"PackageNotFoundError", "logger", "logging", "numpy_batch", "types"}


def test_what_the_original_exports_is_exported_and_nothing_else():
    assert len(aerospike_py.__all__) == len(set(aerospike_py.__all__))
    assert set(aerospike_py.__all__) == set(SPEC["exported"]) - UNLISTED | {"__version__"}
    assert all(hasattr(aerospike_py, name) for name in UNLISTED)


def test_every_public_attribute_of_the_package_is_a_name_of_the_original():
    public = {name for name in dir(aerospike_py) if not name.startswith("_")}
    assert public == set(aerospike_py.__all__) - {"__version__"} | UNLISTED


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_of_the_original_can_be_imported(module: str):
    importlib.import_module(module)


@pytest.mark.parametrize("module,name", FUNCTIONS)
def test_function_has_the_signature_of_the_original(module: str, name: str):
    check_signature(getattr(importlib.import_module(module), name), MODULES[module]["functions"][name])


@pytest.mark.parametrize("owner,name", METHODS)
def test_method_has_the_signature_of_the_original(owner: str, name: str):
    spec = CLASSES[owner]["methods"][name]
    ours = inspect.getattr_static(getattr(aerospike_py, owner), name)
    decorators = spec.get("decorators", [])
    assert isinstance(ours, property) == ("property" in decorators)
    assert isinstance(ours, staticmethod) == ("staticmethod" in decorators)
    if isinstance(ours, property):
        assert ours.fget is not None
        ours = ours.fget
    elif isinstance(ours, staticmethod):
        ours = ours.__func__
    check_signature(ours, spec)


@pytest.mark.parametrize(
    "module,name",
    [(f"aerospike_py.{module}", name) for module, names in SPEC["module_constants"].items() for name in names],
)
def test_constant_of_a_module_has_the_value_of_the_original(module: str, name: str):
    value = SPEC["module_constants"][module.rpartition(".")[2]][name]
    assert getattr(importlib.import_module(module), name) == value


def test_numpy_records_have_the_fields_and_methods_of_the_original():
    pytest.importorskip("numpy")
    spec = MODULES["aerospike_py.numpy_batch"]["classes"]["NumpyBatchRecords"]
    ours = importlib.import_module("aerospike_py.numpy_batch").NumpyBatchRecords
    for name, method in spec["methods"].items():
        check_signature(getattr(ours, name), method)
    made = inspect.signature(ours).parameters
    assert list(made)[: len(spec["fields"])] == list(spec["fields"])


@pytest.mark.parametrize("name", ["BatchRecord", "BatchRetryInfo", "BatchWriteResult"])
def test_named_tuples_have_the_defaults_of_the_original(name: str):
    defaults = {
        "BatchRecord": {"in_doubt": False},
        "BatchRetryInfo": {"attempts": 1, "max_attempts": 1, "truncated_by_timeout": False, "unresolved": 0},
        "BatchWriteResult": {"retry": types.BatchRetryInfo(1, 1, False, 0)},
    }
    assert getattr(types, name)._field_defaults == defaults[name]


@pytest.mark.parametrize("name", sorted(SPEC["constants"]))
def test_constant_has_the_value_of_the_original(name: str):
    assert getattr(aerospike_py, name) == SPEC["constants"][name]
    assert name in aerospike_py.__all__


def test_the_names_of_the_extension_module_can_be_imported():
    from aerospike_py import _aerospike

    assert {*SPEC["constants"], *SPEC["exception_bases"]} - {"_IndexError", "_TimeoutError"} <= {*_aerospike.__all__}
    for name in _aerospike.__all__:
        ours = {"get_metrics_text": "get_metrics", "BatchRecords": "BatchWriteResult"}.get(name, name)
        assert getattr(_aerospike, name) is getattr(aerospike_py, ours), name


def test_everything_exported_exists():
    for name in aerospike_py.__all__:
        assert hasattr(aerospike_py, name), name


@pytest.mark.parametrize("name", sorted(MODULES["aerospike_py.types"]["classes"]))
def test_type_has_the_fields_of_the_original(name: str):
    spec = MODULES["aerospike_py.types"]["classes"][name]
    ours = getattr(types, name)
    assert list(ours.__annotations__) == list(spec["fields"])
    if spec["bases"] == ["NamedTuple"]:
        assert issubclass(ours, tuple)
        assert list(ours._fields) == list(spec["fields"])
    else:
        assert typing.is_typeddict(ours)
    # Not texts: the original evaluates them.
    assert ours.__annotations__ == {field: eval(written, vars(types)) for field, written in spec["fields"].items()}


@pytest.mark.parametrize("name", sorted(SPEC["exception_bases"]))
def test_exception_has_the_bases_of_the_original_and_is_the_native_class(name: str):
    aliases = {"_IndexError": "AerospikeIndexError", "_TimeoutError": "AerospikeTimeoutError"}
    ours = getattr(exception, aliases.get(name, name))
    assert [base.__name__ for base in ours.__mro__[1:-1]] == SPEC["exception_bases"][name]
    assert ours is getattr(trio_aerospike.errors, aliases.get(name, name))
    assert ours is getattr(aerospike_py, aliases.get(name, name))


def test_names_that_hide_builtins_are_aliases_and_warn_in_the_exception_module():
    assert aerospike_py.TimeoutError is aerospike_py.AerospikeTimeoutError
    assert aerospike_py.IndexError is aerospike_py.AerospikeIndexError
    with pytest.warns(DeprecationWarning, match="AerospikeTimeoutError"):
        assert exception.TimeoutError is aerospike_py.AerospikeTimeoutError
    with pytest.warns(DeprecationWarning, match="AerospikeIndexError"):
        assert exception.IndexError is aerospike_py.AerospikeIndexError
    with warnings.catch_warnings(), pytest.raises(AttributeError):
        warnings.simplefilter("error")
        _ = exception.NoSuchError


#: What errors have besides, being the native classes: of the class, and of each error.
NATIVE_ERRORS = {"default_code", "history", "message", "retryable"}, {"attempts", "in_doubt", "node"}
#: The public classes of the original, with the modules that have them.
PUBLIC_CLASSES = [
    (module, name)
    for module in ("aerospike_py", "aerospike_py.numpy_batch", "aerospike_py.types")
    for name in sorted(MODULES[module]["classes"])
]


def public(value: object) -> set[str]:
    """What ``dir()`` shows of it, private and special names excepted."""
    return {name for name in dir(value) if not name.startswith("_")}


def public_in_original(module: str, name: str) -> set[str]:
    """The public methods and fields of a class of the original, those that it inherits included."""
    spec = MODULES[module]["classes"][name]
    names = {member for member in (*spec["methods"], *spec["fields"]) if not member.startswith("_")}
    for base in spec["bases"]:
        if base == "TypedDict":
            return public(dict)  # fields are keys
        names |= (
            public_in_original(module, base)
            if base in MODULES[module]["classes"]
            else public({"NamedTuple": tuple, "Exception": Exception}[base])
        )
    return names


@pytest.mark.parametrize(("module", "name"), PUBLIC_CLASSES)
def test_a_public_class_shows_the_names_of_the_original_and_no_other(module: str, name: str):
    if module.endswith("numpy_batch"):
        pytest.importorskip("numpy")
    ours = getattr(importlib.import_module(module), name)
    of_errors = NATIVE_ERRORS[0] if issubclass(ours, Exception) else set()
    assert public(ours) == public_in_original(module, name) | of_errors


def test_objects_show_the_names_of_their_classes_and_no_other(shared_cluster: BackgroundCluster):
    numpy = pytest.importorskip("numpy")
    config = {"hosts": shared_cluster.hosts}
    key = ("test", "surface", 1)

    async def main() -> list[Any]:
        async with aerospike_py.AsyncClient(config) as client:
            await client.connect()
            await client.put(key, {"a": 1})
            return [client, client.query("test", "surface"), await client.batch_read([key])]

    objects = asyncio.run(main())
    with aerospike_py.client(config).connect() as client:
        lazy = client.batch_read([key])
        lazy.to_dict()  # which it may keep
        objects += [client, client.query("test", "surface"), lazy, lazy.to_numpy(numpy.dtype([("a", "i4")]))]
        objects += [aerospike_py.partition_filter_all(), client.get(key), client.batch_write([(key, {"a": 2})])]
        with pytest.raises(aerospike_py.RecordNotFound) as caught:
            client.get(("test", "surface", "none"))
        assert public(caught.value) - public(aerospike_py.RecordNotFound) == NATIVE_ERRORS[1]
        assert len({type(shown) for shown in objects}) >= 9
        for shown in objects:
            assert public(shown) == public(type(shown)), shown


def test_factories_take_a_config():
    for name in ("client", "async_client"):
        assert list(inspect.signature(getattr(aerospike_py, name)).parameters) == ["config"]
    assert isinstance(aerospike_py.client({"hosts": [("127.0.0.1", 3000)]}), aerospike_py.Client)
    assert isinstance(aerospike_py.async_client({"hosts": [("127.0.0.1", 3000)]}), aerospike_py.AsyncClient)


def public_functions() -> dict[str, Any]:
    """The public classes, functions, methods and properties of the package and its public modules, by name."""
    found: dict[str, Any] = {}
    for module in MODULES:
        for name, value in vars(importlib.import_module(module)).items():
            if name.startswith("_") or not getattr(value, "__module__", "").startswith("aerospike_py"):
                continue
            if inspect.isfunction(value) or inspect.isclass(value):
                found[f"{module}.{name}"] = value
            if inspect.isclass(value):
                for attribute, member in inspect.getmembers(value):
                    function = member.fget if isinstance(member, property) else member
                    if inspect.isfunction(function) and not attribute.startswith("_"):
                        found[f"{module}.{name}.{attribute}"] = function
    return found


@pytest.mark.parametrize("name", sorted(public_functions()))
def test_the_types_of_every_public_name_can_be_evaluated(name: str):
    pytest.importorskip("numpy")
    typing.get_type_hints(public_functions()[name])
