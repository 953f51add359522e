"""Wake a task that is parked for a reply, without an Outcome made for each: one object serves all.

``trio.lowlevel.reschedule`` makes an ``outcome.Value(None)`` for each call, since an Outcome serves once; that is a
twentieth of the time of a get. What Trio does with it is private, so the object is tried in a Trio run of its own
before it is used, and not used where that fails.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, cast

import trio

if TYPE_CHECKING:
    import outcome

__all__ = ["shared_outcome"]


class _Woken:
    """The outcome that a woken task receives: none."""

    __slots__ = ()

    def unwrap(self) -> None:
        """As ``outcome.Value(None).unwrap``, any number of times."""


@functools.cache
def shared_outcome() -> outcome.Outcome[None] | None:
    """Return the object to pass to ``trio.lowlevel.reschedule``; None where this version of Trio does not take it."""
    woken = cast("outcome.Outcome[None]", _Woken())
    return woken if _is_taken(woken) else None


def _is_taken(woken: outcome.Outcome[None]) -> bool:
    """Whether tasks can be woken with an object, several times: tried in a thread, as a Trio run may be here."""
    taken: list[bool] = []

    def attempt() -> None:
        try:
            trio.run(_wake_twice, woken)
        except Exception:
            return  # whatever Trio says to it
        taken.append(True)

    thread = threading.Thread(target=attempt, name="trio_aerospike: try an outcome")
    thread.start()
    thread.join()
    return bool(taken)


async def _wake_twice(woken: outcome.Outcome[None]) -> None:
    def wake(task: trio.lowlevel.Task) -> None:
        trio.lowlevel.reschedule(task, woken)

    for _ in range(2):
        trio.lowlevel.current_trio_token().run_sync_soon(wake, trio.lowlevel.current_task())
        answer: object = await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
        if answer is not None:
            raise AssertionError("the task received something")
