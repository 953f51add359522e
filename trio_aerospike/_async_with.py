"""Explain a forgotten ``async with``: context managers whose errors show the right line of code."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


def entered_with(usage: str) -> Callable[[Callable[P, AsyncIterator[T]]], Callable[P, Entering[T]]]:
    """Decorate as ``contextlib.asynccontextmanager`` does; any other use than ``async with`` is a TypeError.

    Args:
        usage: how it is used, for the message: the line of code that the caller should have written.
    """

    def decorate(function: Callable[P, AsyncIterator[T]]) -> Callable[P, Entering[T]]:
        make = contextlib.asynccontextmanager(function)

        @functools.wraps(function)
        def open_it(*args: P.args, **kwargs: P.kwargs) -> Entering[T]:
            return Entering(make(*args, **kwargs), usage)

        return open_it

    return decorate


class NeedsAsyncWith:
    """Raise a TypeError that shows the right line of code where ``async with`` was forgotten.

    Attributes:
        _usage: that line.
    """

    __slots__ = ()

    _usage: str

    # For type checkers none of these exists, so that they flag the wrong uses as well.
    if not TYPE_CHECKING:

        def __await__(self) -> NoReturn:
            raise TypeError(f"it cannot be awaited: use `{self._usage}`")

        def __iter__(self) -> NoReturn:
            raise TypeError(f"it is not iterable: use `{self._usage}`")

        def __enter__(self) -> NoReturn:
            raise TypeError(f"`with` is not enough: use `{self._usage}`")

        def __exit__(self, *_: object) -> None: ...


class Entering(NeedsAsyncWith, contextlib.AbstractAsyncContextManager[T]):
    """A context manager that shows the right line of code when it is used before it is entered.

    Args:
        manager: the context manager to enter.
        usage: as for :func:`entered_with`.
    """

    __slots__ = ("_manager", "_usage")

    def __init__(self, manager: contextlib.AbstractAsyncContextManager[T], usage: str) -> None:
        self._manager = manager
        self._usage = usage

    def __repr__(self) -> str:
        return f"<not entered: use `{self._usage}`>"

    async def __aenter__(self) -> T:
        return await self._manager.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._manager.__aexit__(kind, error, traceback)

    if not TYPE_CHECKING:

        def __aiter__(self) -> NoReturn:
            raise TypeError(f"the block has not been entered: use `{self._usage}`")

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            raise AttributeError(f"no attribute {name!r} before the block is entered: use `{self._usage}`")
