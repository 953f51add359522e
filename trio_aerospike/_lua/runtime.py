"""Load a Lua module in a sandboxed state, and call its functions with time limits."""

from __future__ import annotations

import functools
import importlib.resources
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from .._lazy import LazyModule
from . import library, library_bytes
from .values import (
    Fault,
    Function,
    LuaBytes,
    LuaList,
    LuaMap,
    Table,
    Userdata,
    bytes_of,
    integer_at,
    object_at,
    string_at,
    text_of,
)

if TYPE_CHECKING:
    from lupa import lua54
else:
    lua54 = LazyModule("lupa.lua54")

logger = logging.getLogger("trio_aerospike.lua")
_LEVELS = {1: logging.WARNING, 2: logging.INFO, 3: logging.DEBUG, 4: logging.DEBUG}
#: Memory limit of a module's own values, in bytes.
_MEMORY_MAX = 256 * 1024 * 1024
#: Steps of Lua's own libraries between checks of the time: about a tenth of a second.
_STEPS = 20_000_000
_PLACE = re.compile(r"[^\n]*?\.[^\n.]*?:(\d+): (.*)$", re.DOTALL)

Functions = Mapping[str, Function]


@functools.cache
def _text(name: str) -> bytes:
    """Lua that stands beside this module."""
    return importlib.resources.files(__package__).joinpath(name).read_bytes()


class CompileError(Exception):
    """The source of a module does not compile, or its top-level code fails.

    Attributes:
        line: the line of the error; 0 if unknown.
        message: Lua's message, without file and line.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message


class FunctionFailed(Exception):
    """A function of a module raised an error, is missing, or took too long.

    The text is Lua's; for an error that is not a text, the server's.
    """


@functools.cache
def is_available() -> bool:
    """Whether lupa is installed, with the Lua of the server."""
    try:
        _ = lua54.LuaRuntime
    except ImportError:
        return False
    return True


class Aerospike(Userdata):
    """The object ``aerospike`` of Lua programs."""

    __slots__ = ("_functions",)
    NAME: ClassVar[str] = "Aerospike"

    def __init__(self, functions: Functions) -> None:
        self._functions = {
            name.encode(): functools.partial(_of_aerospike, call)
            for name, call in {
                "get_current_time": lambda *_: int(time.time() * 1000),
                "set_context": lambda *_: 2,
                "get_config": lambda *_: 0,
                **functions,
            }.items()
        }

    def __getitem__(self, key: Any) -> Any:
        return self._functions.get(key)


def _of_aerospike(call: Function, *arguments: Any) -> Any:
    object_at(Aerospike, arguments, 1)
    return call(*arguments)


class LuaModule:
    """A module in a Lua state of its own, whose globals persist from call to call, as in the server.

    Args:
        name: its file name, for errors.
        source: its source code.
        record: functions of the library ``record``, by name; the first argument of each is the record.
        aerospike: methods of ``aerospike``, by name; the first argument of each is ``aerospike``.
        source_of: returns the source of another module by its name without extension, for ``require``; None if there
            is no such module.
        deadline: for top-level code, on the monotonic clock; None for no limit.
        directory: the directory of modules, with a slash at the end, which errors show before file names.

    Raises:
        CompileError: the source does not compile, or its top-level code failed.
        ImportError: lupa is not installed.
    """

    def __init__(
        self,
        name: str,
        source: bytes,
        *,
        record: Functions | None = None,
        aerospike: Functions | None = None,
        source_of: Callable[[str], bytes | None] | None = None,
        deadline: float | None = None,
        directory: str = "",
    ) -> None:
        self.name = name
        self._lua = lua = lua54.LuaRuntime(
            encoding=None,
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            attribute_filter=_no_attributes,
            max_memory=_MEMORY_MAX,
        )
        self._ended_by: BaseException | None = None
        self._is_over: Callable[[], bool] = _never
        self._was_over = False
        self._source_of = source_of
        host = {
            "each": lambda functions: iter_of([(key.encode(), self._exposed(call)) for key, call in functions.items()]),
            "list": library.LIST,
            "map": library.MAP,
            "bytes": library_bytes.BYTES,
            "iterator": library.ITERATOR,
            "geojson": {},
            "record": dict(record or {}),
            "aerospike": Aerospike({"log": functools.partial(_log, name), **(aerospike or {})}),
            "make_list": library.make_list,
            "make_map": library.make_map,
            "make_bytes": library_bytes.make_bytes,
            "make_geojson": library.make_geojson,
            "kind_of": lambda value: value.NAME.encode() if isinstance(value, Userdata) else None,
            "length": _length,
            "shown": lambda value, *_: bytes_of(str(value)),
            "fault": self._fault,
            "is_over": self._look,
            "was_over": lambda: self._was_over,
            "log": lambda level, text: _log(name, None, level, text),
            "source": self._other,
            "directory": directory.encode(),
        }
        lua.execute(_text("bounds.lua"), self._look, _STEPS, name=b"aerospike.lua")
        table = lua.table_from({key.encode(): value for key, value in host.items()})
        self._compiled, self._timed, self._global, self._stream = lua.execute(
            _text("prelude.lua"), table, name=b"aerospike.lua"
        )
        self._load(source, deadline)

    def _load(self, source: bytes, deadline: float | None) -> None:
        chunk = self._compiled(source, self.name.encode())
        if isinstance(chunk, tuple):
            problem = text_of(chunk[1])
        else:
            try:
                self._call(chunk, (), deadline)
                return
            except FunctionFailed as error:
                problem = str(error)
        match = _PLACE.match(problem)
        raise CompileError(int(match[1]), match[2]) if match else CompileError(0, problem)

    def apply(self, function: str, record: Any, arguments: Sequence[Any], deadline: float | None = None) -> Any:
        """Call a function with a record and arguments that are Lua values.

        Args:
            function: its name.
            record: its first argument.
            arguments: the others.
            deadline: on the monotonic clock; None for no limit.

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
        is_over: Callable[[], bool] | None = None,
    ) -> Iterator[Any]:
        """Run an aggregation: a function that sets up the operations on a stream of values.

        Args:
            function: its name; it gets the stream and the arguments.
            values: the stream, Lua values or records. An exception of it ends the stream and is raised here.
            arguments: Lua values.
            on_client: run the part of the client, which reduces the results of the servers, not that of a server.
            deadline: on the monotonic clock; None for no limit.
            is_over: called now and then: whether to stop; its exceptions are raised here.

        Yields:
            The results, as Lua values.

        Raises:
            FunctionFailed: it raised an error, is missing, or took too long.
        """
        wanted = self._function(function)
        step = self._call(
            self._stream, (wanted, on_client, lambda *_: next(values, None), *arguments), deadline, is_over
        )
        while True:
            value = self._call(step, (), deadline, is_over)
            if value is None:
                return
            yield value

    def _function(self, name: str) -> Any:
        found = self._global(name.encode())
        if found is None:
            raise FunctionFailed("function not found")
        return found

    def _call(
        self,
        function: Any,
        arguments: Sequence[Any],
        deadline: float | None,
        is_over: Callable[[], bool] | None = None,
    ) -> Any:
        def over() -> bool:
            return (deadline is not None and time.monotonic() >= deadline) or (is_over is not None and is_over())

        self._is_over, self._was_over, self._ended_by = over, False, None
        try:
            answer = self._timed(function, *arguments)
        except MemoryError:
            raise FunctionFailed("not enough memory") from None
        finally:
            self._is_over = _never
        if self._ended_by is not None:
            raise self._ended_by
        if not isinstance(answer, tuple):
            return None  # success without a result
        succeeded, *results = answer
        if succeeded:
            return results[0] if results else None
        problem = results[0] if results else None
        if not isinstance(problem, bytes):
            raise FunctionFailed("result value type unexpected")
        raise FunctionFailed(text_of(problem.partition(b"\0")[0]))

    def _exposed(self, call: Function) -> Function:
        """Wrap a function for Lua: it may return a table of its own."""

        def exposed(*arguments: Any) -> Any:
            found = call(*arguments)
            return self._lua.table_from(found) if isinstance(found, Table) else found

        return exposed

    def _look(self) -> bool:
        """Whether the call has to end; called while it runs."""
        try:
            self._was_over = self._was_over or self._ended_by is not None or self._is_over()
        except BaseException as error:
            self._ended_by, self._was_over = error, True
        return self._was_over

    def _fault(self, problem: Any) -> Any:
        """Text and argument number of an exception of our functions; an unexpected one ends the call."""
        if isinstance(problem, Fault):
            return bytes_of(problem.text), problem.place
        if not isinstance(problem, BaseException):
            return None
        if isinstance(problem, TypeError):
            return b"attempt to call a userdata value", 0
        if not isinstance(problem, (AttributeError, MemoryError)):
            self._ended_by, self._was_over = problem, True
        return bytes_of(str(problem)), 0

    def _other(self, name: Any) -> bytes | None:
        return self._source_of(text_of(name)) if self._source_of is not None and isinstance(name, bytes) else None


def iter_of(items: Sequence[Any]) -> Callable[..., Any]:
    """The step function of a generic ``for`` of Lua: nil ends it."""
    left = iter(items)
    return lambda *_: next(left, None)


def _never() -> bool:
    return False


def _no_attributes(obj: object, name: object, is_setting: bool) -> object:
    """Modules may use the items of Python objects only: attributes lead out of the sandbox."""
    shown = text_of(name) if isinstance(name, bytes) else str(name)
    raise AttributeError(f"attempt to index a userdata value (field '{shown}')")


def _length(value: Any, *_: Any) -> int:
    if isinstance(value, (LuaList, LuaMap)):
        return len(value)
    if isinstance(value, LuaBytes):
        return 0  # Lua passes the operand of # twice, one argument more than the server's function takes
    raise Fault("attempt to get length of a userdata value")


def _log(name: str, *arguments: Any) -> None:
    level, text = integer_at(arguments, 2), string_at(arguments, 3)
    logger.log(_LEVELS.get(level, logging.DEBUG), "%s: %s", name, text_of(text or b""))
