"""The names, values, fields, bases and signatures of aerospike_py 0.14.4, against the list taken from the original."""

from __future__ import annotations

import ast
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

SPEC: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "data" / "aerospike_py-0.14.4.json").read_text(encoding="utf-8")
)
MODULES = SPEC["modules"]

PACKAGE = Path(aerospike_py.__file__).parent


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_a_module_knows_the_native_package_by_its_public_modules_and_names(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            assert parts[0] != "trio_aerospike" or not any(part.startswith("_") for part in parts), name


#: What has a client method here; the methods of later work are not there at all rather than there in vain.
METHODS = [
    "__init__",
    "connect",
    "is_connected",
    "ping",
    "close",
    "get_node_names",
    "info_all",
    "info_random_node",
    "put",
    "get",
    "select",
    "exists",
    "remove",
    "touch",
    "append",
    "prepend",
    "increment",
    "remove_bin",
    "operate",
    "operate_ordered",
    "batch_read",
    "truncate",
]


@pytest.mark.parametrize("name", sorted(SPEC["constants"]))
def test_constant_has_the_value_of_the_original(name: str):
    assert getattr(aerospike_py, name) == SPEC["constants"][name]
    assert name in aerospike_py.__all__


def test_nothing_is_exported_that_the_original_lacks():
    extra = set(aerospike_py.__all__) - set(SPEC["exported"]) - {"RecordMetadata", "__version__"}
    assert extra == set()


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
        written = {field: _plain(annotation.__forward_arg__) for field, annotation in ours.__annotations__.items()}
        assert written == {field: _plain(annotation) for field, annotation in spec["fields"].items()}


def _plain(annotation: str) -> str:
    return annotation.replace(" ", "").replace("'", "")


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


@pytest.mark.parametrize("client", ["Client", "AsyncClient"])
@pytest.mark.parametrize("method", METHODS)
def test_method_has_the_signature_of_the_original(client: str, method: str):
    spec = MODULES["aerospike_py"]["classes"][client]["methods"][method]
    ours = getattr(getattr(aerospike_py, client), method)
    assert inspect.iscoroutinefunction(ours) == spec["async"]
    theirs = [argument.partition(":")[::2] for argument in spec["args"]]
    names = [name.strip() for name, _ in theirs]
    defaults = [rest.partition("=")[2].strip() or None for _, rest in theirs]
    parameters = inspect.signature(ours).parameters.values()
    assert [p.name for p in parameters] == names
    assert [None if p.default is p.empty else repr(p.default) for p in parameters] == defaults


@pytest.mark.parametrize("client", ["Client", "AsyncClient"])
def test_client_has_no_public_method_that_the_original_lacks(client: str):
    public = {name for name in dir(getattr(aerospike_py, client)) if not name.startswith("_")}
    assert public <= set(MODULES["aerospike_py"]["classes"][client]["methods"])


def test_lazy_batch_records_has_the_methods_of_the_original_but_for_numpy():
    spec = set(MODULES["aerospike_py"]["classes"]["LazyBatchRecords"]["methods"]) - {"to_numpy"}
    assert spec <= set(dir(aerospike_py.LazyBatchRecords))


def test_factories_take_a_config():
    for name in ("client", "async_client"):
        assert list(inspect.signature(getattr(aerospike_py, name)).parameters) == ["config"]
    assert isinstance(aerospike_py.client({"hosts": [("127.0.0.1", 3000)]}), aerospike_py.Client)
    assert isinstance(aerospike_py.async_client({"hosts": [("127.0.0.1", 3000)]}), aerospike_py.AsyncClient)
