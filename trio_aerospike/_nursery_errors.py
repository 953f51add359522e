"""Take what went wrong out of the exception groups that nurseries raise."""

from __future__ import annotations

import trio


def without_cancelled(error: BaseException) -> BaseException | None:
    """Return the error that a nursery raised besides Cancelled, without groups of one; None where there is none."""
    if isinstance(error, trio.Cancelled):
        return None
    rest = error.split(trio.Cancelled)[1] if isinstance(error, BaseExceptionGroup) else error
    while isinstance(rest, BaseExceptionGroup) and len(rest.exceptions) == 1:
        rest = rest.exceptions[0]
    return rest


def any_cancelled(error: BaseException) -> BaseException:
    """Return one of the Cancelled that an error holds which is nothing else."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
