"""Call a program's callback, and await its result in an event loop."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


async def call_async(callback: Callable[..., Any], *args: Any) -> Any:
    """Call ``callback``, and await its result if that is awaitable."""
    result = callback(*args)
    if result is None or type(result) is bool or not inspect.isawaitable(result):
        return result
    return await result


def call_blocking(callback: Callable[..., Any], *args: Any) -> Any:
    """Call ``callback``."""
    return callback(*args)
