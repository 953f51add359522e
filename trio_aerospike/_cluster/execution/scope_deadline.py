"""Read the effective deadline of a task's cancel scopes, faster than Trio's own function.

``trio.current_effective_deadline`` recurses through every scope and nursery around the task, which takes a tenth of the
time of a get. Here the same fields are read in one loop. They are private to Trio, so the loop is checked against
Trio's answer when a client opens, and not used if the two differ.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable
from typing import Any

import trio

__all__ = ["deadline_reader", "read_deadline"]


def read_deadline(task: Any) -> float:
    """Return the effective deadline of a task's cancel scopes, on Trio's clock.

    Args:
        task: a Trio task.

    Returns:
        The earliest deadline up to the first shield; infinity if there is none, minus infinity if one of the scopes is
        cancelled.

    Raises:
        AttributeError: this version of Trio stores its scopes differently.
    """
    status = task._cancel_status
    if status.effectively_cancelled:
        return -math.inf
    scope = status._scope
    deadline: float = scope._deadline
    while not scope._shield:
        status = status._parent
        if status is None:
            break
        scope = status._scope
        if scope._deadline < deadline:
            deadline = scope._deadline
    return deadline


def _ask_trio(_task: object) -> float:
    return trio.current_effective_deadline()


@functools.cache
def deadline_reader() -> Callable[[object], float]:
    """Choose the function that returns the deadline of the running task; to be called in a Trio run.

    Returns:
        :func:`read_deadline` if it agrees with Trio, else a function that asks Trio.
    """
    return read_deadline if _agrees() else _ask_trio


def _agrees() -> bool:
    """Whether both functions agree on a near and a far deadline, a shield and a cancelled scope."""
    task = trio.lowlevel.current_task()
    now = trio.current_time()
    scopes = [trio.CancelScope(deadline=now + 1000), trio.CancelScope(deadline=now + 2000)]
    scopes += [trio.CancelScope(shield=True), trio.CancelScope()]
    scopes[-1].cancel()
    with contextlib.ExitStack() as stack:
        for scope in scopes:
            stack.enter_context(scope)
            try:
                read = read_deadline(task)
            except AttributeError:
                return False
            if read != trio.current_effective_deadline():
                return False
    return True
