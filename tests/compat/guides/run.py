"""Runs one of the programs beside it on whatever ``aerospike_py`` is installed here, and prints what it shows.

    python run.py PROGRAM sync|asyncio HOST:PORT [USER PASSWORD]

A program is a function ``program(client, show)`` written for the synchronous client. With ``asyncio`` the same calls
are made of an AsyncClient in an event loop, so that four runs (two packages, two clients) have to print the same. One
that is a coroutine function gets a configuration and makes AsyncClients itself.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aerospike_py as aerospike


class Shown:
    """Prints what a program has found, with a label, in a form that does not depend on the package."""

    def __call__(self, label: str, value: Any) -> None:
        """Print a value: named tuples as tuples, mappings by sorted key."""
        print(f"{label}: {_plain(value)!r}")

    def error(self, label: str, function: Callable[..., Any], *args: Any, **named: Any) -> None:
        """Print which exception a call ends in, and with which code."""
        try:
            result = function(*args, **named)
        except Exception as error:
            print(f"{label}: {type(error).__name__} ({getattr(error, 'result_code', 'no code')})")
        else:
            print(f"{label}: no error but {_plain(result)!r}")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        items = [(_plain(key), _plain(item)) for key, item in value.items()]
        return dict(sorted(items, key=repr))
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


class Blocking:
    """An object of the asyncio interface, called like one of the synchronous."""

    def __init__(self, target: Any, runner: asyncio.Runner) -> None:
        self._target = target
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*args: Any, **named: Any) -> Any:
            async def work() -> Any:
                result = found(*args, **named)
                return await result if inspect.isawaitable(result) else result

            result = self._runner.run(work())
            if result == ():  # where the synchronous client says None, as the stubs of both do
                return None
            return Blocking(result, self._runner) if type(result).__name__ == "AsyncQuery" else result

        return call


def main(name: str, kind: str, address: str, *login: str) -> None:
    """Run a program."""
    host, _, port = address.rpartition(":")
    config = {"hosts": [(host, int(port))]}
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if inspect.iscoroutinefunction(module.program):
        asyncio.run(module.program(config, Shown()))
    elif kind == "sync":
        with aerospike.client(config).connect(*login) as client:
            module.program(client, Shown())
    else:
        with asyncio.Runner() as runner:
            blocking = Blocking(aerospike.AsyncClient(config), runner)
            blocking.connect(*login)
            module.program(blocking, Shown())
            blocking.close()
    # The published package aborts now and then as the interpreter ends; that all was well is said by the last line.
    print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
