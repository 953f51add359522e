"""``typing.get_type_hints`` works for every public class and function of both distributions."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import aerospike_py
import trio_aerospike
import trio_aerospike.server

DISTRIBUTIONS = {"trio_aerospike": trio_aerospike, "aerospike_py": aerospike_py}


def public_modules(package: ModuleType) -> Iterator[ModuleType]:
    """The package and its modules but for private ones. The server's public names are those of its ``__init__``."""
    yield package
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not info.name.rpartition(".")[2].startswith("_"):
            module = importlib.import_module(info.name)
            has_others = info.ispkg and module is not trio_aerospike.server
            yield from public_modules(module) if has_others else [module]


def public_names(module: ModuleType) -> list[str]:
    """What a module offers: ``__all__``, or what it defines; of a package without ``__all__`` what it exports."""
    names = getattr(module, "__all__", None)
    if names is not None:
        return list(names)
    is_package = hasattr(module, "__path__")
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (is_package or getattr(value, "__module__", None) == module.__name__)
        and str(getattr(value, "__module__", "")).partition(".")[0] in DISTRIBUTIONS
    ]


def public_objects() -> dict[str, Callable[..., Any]]:
    """Public classes and functions by their full names, methods and properties included."""
    found: dict[str, Callable[..., Any]] = {}
    for package in DISTRIBUTIONS.values():
        for module in public_modules(package):
            for name in public_names(module):
                value = getattr(module, name)
                if inspect.isclass(value):
                    found |= methods(value)
                elif inspect.isfunction(value):
                    found[f"{value.__module__}.{value.__qualname__}"] = value
    return found


def methods(cls: type) -> dict[str, Callable[..., Any]]:
    """A class and what it and its bases define; private and special methods excepted, ``__init__`` not."""
    found: dict[str, Callable[..., Any]] = {f"{cls.__module__}.{cls.__qualname__}": cls}
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] not in DISTRIBUTIONS:
            continue
        for name, value in vars(base).items():
            if name.startswith("_") and name != "__init__":
                continue
            if isinstance(value, property):
                value = value.fget
            elif isinstance(value, functools.cached_property):
                value = value.func
            elif isinstance(value, (staticmethod, classmethod)):
                value = value.__func__
            if inspect.isfunction(value):
                found[f"{base.__module__}.{base.__qualname__}.{name}"] = value
    return found


OBJECTS = public_objects()


def test_there_are_objects_to_look_at() -> None:
    assert {"trio_aerospike._client.Client", "trio_aerospike._commands.records.RecordCommands.put"} <= set(OBJECTS)
    assert len([name for name in OBJECTS if name.startswith("aerospike_py")]) > 100


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_type_hints_can_be_resolved(name: str) -> None:
    typing.get_type_hints(OBJECTS[name])


def test_a_command_keeps_its_signature_and_text() -> None:
    put, truncate = trio_aerospike.Client.put, trio_aerospike.Client.truncate
    assert list(inspect.signature(put).parameters) == ["self", "key", "bins", "ttl", "generation", "policy", "unknown"]
    assert list(inspect.signature(truncate).parameters)[:3] == ["self", "namespace", "set_name"]
    assert "Write bins into a record" in str(inspect.getdoc(put))
    assert "Remove all records" in str(inspect.getdoc(truncate))
    assert typing.get_type_hints(truncate)["policy"] == trio_aerospike.InfoPolicy | None
