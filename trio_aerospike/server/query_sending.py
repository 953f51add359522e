"""Sending what a query has found, to a client that may not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from .query_jobs import RESPONSE_TIMEOUT, QueryJob

if TYPE_CHECKING:
    from .connection import Connection


async def send_frame(connection: Connection, job: QueryJob, frame: bytes, timeout: float | None) -> None:
    """Send a part of an answer.

    Args:
        connection: where to.
        job: given up where the client does not read.
        frame: the part.
        timeout: seconds; None for no end.

    Raises:
        OSError, trio.BrokenResourceError: the client has gone, or does not read.
    """
    with trio.CancelScope() as scope:
        if timeout is not None:
            scope.deadline = trio.current_time() + timeout
        await connection.stream.send_all(frame)
    if scope.cancelled_caught:
        # Part of the frame may have gone out: the connection is of no use any more.
        job.abandoned = RESPONSE_TIMEOUT
        connection.stream.abort()
        raise trio.BrokenResourceError("the client does not read")
