"""One Lua module, loaded and ready to be called."""

from __future__ import annotations

import functools
import importlib.resources
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from . import library
from .values import LuaBytes, LuaList, LuaMap, stepping

logger = logging.getLogger("trio_aerospike.lua")
_LEVELS = {1: logging.WARNING, 2: logging.INFO, 3: logging.DEBUG, 4: logging.DEBUG}
#: Bytes that a module and its values may take.
_MEMORY_MAX = 256 * 1024 * 1024
_LINE = re.compile(r"^(?:.*?):(\d+): (.*)$", re.DOTALL)

Functions = Mapping[str, Callable[..., Any]]


class CompileError(Exception):
    """The text of a module is not Lua.

    Attributes:
        line: where.
        message: the compiler's words, without file and line.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message


class FunctionFailed(Exception):
    """A function of a module raised an error, is missing, or took too long; the text is Lua's."""


@functools.cache
def is_available() -> bool:
    """Whether lupa is installed, with the Lua of the server."""
    try:
        import lupa.lua54  # noqa: F401
    except ImportError:
        return False
    return True


class LuaModule:
    """A module in a Lua state of its own, whose globals last from call to call, as in the server.

    Args:
        name: its file name, which errors show.
        source: its text.
        record: functions of the library ``record``, by name; the first argument of each is the record.
        aerospike: methods of ``aerospike``, by name.

    Raises:
        CompileError: the text is not Lua.
        FunctionFailed: what stands outside of its functions failed.
        ImportError: there is no lupa.
    """

    def __init__(
        self, name: str, source: bytes, *, record: Functions | None = None, aerospike: Functions | None = None
    ) -> None:
        # Imported here: few programs run Lua.
        from lupa.lua54 import LuaRuntime

        self.name = name
        lua = LuaRuntime(
            encoding=None,
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            attribute_filter=_no_attributes,
            max_memory=_MEMORY_MAX,
        )
        self._ended_by: BaseException | None = None
        host = lua.table_from(
            {
                b"each": _each,
                b"list": library.LIST,
                b"map": library.MAP,
                b"bytes": library.BYTES,
                b"geojson": {},
                b"record": dict(record or {}),
                b"aerospike": dict(aerospike or {}),
                b"make_list": library.make_list,
                b"make_map": library.make_map,
                b"make_bytes": library.make_bytes,
                b"make_geojson": library.make_geojson,
                b"kind_of": library.kind_of,
                b"length": lambda value, *_: len(value) if hasattr(value, "__len__") else 0,
                b"shown": lambda value: str(value).encode(),
                b"copied": _copied,
                b"log": functools.partial(_log, name),
            }
        )
        prelude = importlib.resources.files(__package__).joinpath("prelude.lua").read_bytes()
        self._compiled, self._timed, self._stream, self._global = lua.execute(prelude, host)
        chunk = self._compiled(source, name.encode())
        if isinstance(chunk, tuple):
            text = _text(chunk[1])
            match = _LINE.match(text)
            raise CompileError(int(match[1]), match[2]) if match else CompileError(0, text)
        self._call(chunk, (), None)

    def apply(self, function: str, record: Any, arguments: Sequence[Any], deadline: float | None = None) -> Any:
        """Call a function with a record and arguments that are Lua values.

        Args:
            function: its name.
            record: its first argument.
            arguments: the others.
            deadline: on the monotonic clock; None for none.

        Returns:
            A Lua value.

        Raises:
            FunctionFailed: it raised an error, is missing, or took too long.
        """
        return self._call(self._function(function), (record, *arguments), deadline)

    def stream(
        self,
        function: str,
        values: Iterator[Any],
        arguments: Sequence[Any],
        *,
        on_client: bool,
        deadline: float | None = None,
    ) -> Iterator[Any]:
        """Have a function say what is to be done with a stream of values, and do it.

        Args:
            function: its name; it gets the stream and the arguments.
            values: what the stream holds, Lua values or records.
            arguments: Lua values.
            on_client: do what is left to do where the servers' results meet, rather than what a server does.
            deadline: on the monotonic clock; None for none.

        Yields:
            The values that come out, as Lua values.

        Raises:
            FunctionFailed: it raised an error, is missing, or took too long.
        """
        call = self._function(function)
        step = self._call(self._stream, (call, on_client, stepping(values), *arguments), deadline)
        while True:
            value = self._call(step, (), deadline)
            if value is None:
                return
            yield value

    def _function(self, name: str) -> Any:
        found = self._global(name.encode())
        if found is None:
            raise FunctionFailed("function not found")
        return found

    def _call(self, function: Any, arguments: Sequence[Any], deadline: float | None) -> Any:
        def check() -> None:
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError("UDF timed out")

        try:
            answer = self._timed(check, function, *arguments)
        except MemoryError:
            raise FunctionFailed("not enough memory") from None
        if not isinstance(answer, tuple):
            return None  # success without a result
        succeeded, *results = answer
        if succeeded:
            return results[0] if results else None
        raise FunctionFailed(_text(results[0] if results else b"error"))


def _no_attributes(obj: object, name: object, is_setting: bool) -> object:
    """Python objects show a module their items and nothing else: attributes lead out of the sandbox."""
    raise AttributeError(f"no field {_text(name)!r}")


def _each(functions: Functions) -> Callable[..., Any]:
    return stepping(iter([(name.encode(), call) for name, call in functions.items()]))


def _copied(value: Any) -> Any:
    if isinstance(value, LuaMap):
        return LuaMap(dict(value.items))
    if isinstance(value, LuaList):
        return LuaList(list(value.items))
    return value if isinstance(value, LuaBytes) else None


def _log(name: str, level: int, text: bytes) -> int:
    logger.log(_LEVELS.get(level, logging.DEBUG), "%s: %s", name, _text(text))
    return 0


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
