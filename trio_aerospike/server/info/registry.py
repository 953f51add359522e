"""The registry of info commands, and the protocol between it and their handlers.

A handler is registered with `@info_command(name, ..., permission=...)` in the module of its family; it takes an
`InfoRequest` and returns the text of the answer or raises `InfoError`. Formats and error texts are those of a Community
Edition 8.1.2 (server: as/src/base/thr_info.c; recorded answers in tests/data).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from ..._wire import info as wire_info
from ...errors import ResultCode
from ..store import NamespaceStore
from .protocols import ClientView, NodeView

SUMMARY = (
    "features", "node", "compatibility-id", "edition", "build_ee_sha", "build_sha", "build_arch", "build_time",
    "build_os", "build", "version", "statistics", "services-alumni", "services", "partition-generation",
)  # fmt: skip
"""The commands that an empty request stands for."""
MAX_INFO_NAMESPACE = 32
MAX_INFO_SET = 64
_NAMESPACE_VALUE_SIZE = 100


@attrs.frozen(eq=False)
class InfoRequest:
    """One info command and its parameters, with the node that answers and the client that asks."""

    node: NodeView
    client: ClientView
    command: str
    params: str

    def param(self, *names: str) -> str | None:
        """The value of the first of these names that is given, as `name=value` between semicolons."""
        given = [part.partition("=") for part in self.params.split(";")]
        for wanted in names:
            for name, separator, value in given:
                if separator and name == wanted:
                    return value
        return None

    def required(self, name: str, limit: int, *aliases: str) -> str:
        """A required parameter, shorter than `limit` bytes. Raises `InfoError`: it is missing, empty or too long."""
        value = self.optional(name, limit, *aliases)
        if value is None:
            raise InfoError(_parameter_error_code(name), f"missing '{name}'")
        return value

    def optional(self, name: str, limit: int, *aliases: str) -> str | None:
        """An optional parameter; raises `InfoError` if it is empty or too long."""
        value = self.param(name, *aliases)
        if value is None:
            return None
        if not value:
            raise InfoError(_parameter_error_code(name), f"missing '{name}' value")
        if len(value) >= limit:
            raise InfoError(_parameter_error_code(name), f"'{name}' value too long")
        return value


class InfoError(Exception):
    """Answers a command with `ERROR:code:message`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code: int = int(code)


def error_text(error: InfoError) -> str:
    """The text of an error; the server gives no code for a general failure."""
    if error.code == ResultCode.SERVER:
        return f"ERROR::{error}"
    return wire_info.format_error(error.code, str(error))


def bad_parameter(message: str) -> InfoError:
    """The error for an invalid parameter."""
    return InfoError(ResultCode.PARAM, message)


_Handler = Callable[[InfoRequest], str]
_StreamingHandler = Callable[[InfoRequest], Iterator[str]]


@attrs.frozen
class _Command:
    handler: _Handler
    permission: str | None
    lines: _StreamingHandler | None = None
    """Makes a long answer line by line."""


_COMMANDS: dict[str, _Command] = {}


def info_command(*names: str, permission: str | None = None) -> Callable[[_Handler], _Handler]:
    """Register the handler of a command, under all its names."""

    def register(handler: _Handler) -> _Handler:
        for name in names:
            _COMMANDS[name] = _Command(handler, permission)
        return handler

    return register


def streaming_info_command(name: str) -> Callable[[_StreamingHandler], _StreamingHandler]:
    """Register a handler that makes a long answer line by line, in time slices."""

    def register(lines: _StreamingHandler) -> _StreamingHandler:
        _COMMANDS[name] = _Command(lambda request: ";".join(lines(request)), None, lines)
        return lines

    return register


def _split_name(command: str) -> tuple[str, str]:
    """The name of a command and its parameters."""
    cuts = [place for place in map(command.find, "/:;") if place >= 0]
    name = command[: min(cuts, default=len(command))]
    return name, command[len(name) + 1 :]


def is_streaming(command: str) -> bool:
    """Whether the answer is long: `info_lines` makes it line by line."""
    known = _COMMANDS.get(_split_name(command)[0])
    return known is not None and known.lines is not None


def info_lines(node: NodeView, client: ClientView, command: str) -> Iterator[str]:
    """The answer to a command, errors included, in parts to be joined with `;`."""
    name, params = _split_name(command)
    known = _COMMANDS.get(name)
    if known is None or known.lines is None:
        yield answer_info(node, client, command)
    else:
        yield from known.lines(InfoRequest(node, client, name, params))


def answer_info(node: NodeView, client: ClientView, command: str) -> str:
    """The answer to a command, errors included."""
    name, params = _split_name(command)
    known = _COMMANDS.get(name)
    if known is None:
        return wire_info.format_error(ResultCode.PARAM, "unrecognized command")
    if known.permission is not None and not client.may(known.permission):
        return wire_info.format_error(
            ResultCode.ROLE_VIOLATION, f"role violation - requires permission '{known.permission}'"
        )
    try:
        return known.handler(InfoRequest(node, client, name, params))
    except InfoError as error:
        return error_text(error)


def namespace_store(request: InfoRequest, *aliases: str) -> NamespaceStore:
    """The store of the namespace that a request must name.

    Raises:
        InfoError: it names no namespace, or one that does not exist.
    """
    store = request.node.stores.get(request.required("namespace", _NAMESPACE_VALUE_SIZE, *aliases))
    if store is None:
        raise InfoError(ResultCode.INVALID_NAMESPACE, "namespace not found on node")
    return store


def _parameter_error_code(name: str) -> int:
    return ResultCode.INVALID_NAMESPACE if name == "namespace" else ResultCode.PARAM


def c_number(text: str) -> int:
    """Parse a number in C notation as strtoul does; 0 if it is invalid."""
    try:
        if text[:2] in ("0x", "0X"):
            return int(text, 16)
        return int(text, 8 if text.startswith("0") and len(text) > 1 else 10)
    except ValueError:
        return 0
