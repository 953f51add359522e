"""The clock of the embedded server: Trio's clock as Unix time.

All times of records (last update, void-time, truncation) follow Trio's clock, so that `trio.testing.MockClock` controls
expiry. The wall clock is read once, when the server starts, to map Trio's arbitrary zero to Unix time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

from .._wire.constants import CITRUSLEAF_EPOCH


class ServerClock:
    """Milliseconds and seconds since the Citrusleaf epoch.

    Args:
        unix_time: a function that returns Unix time in seconds; None follows Trio's clock from now on, which
            needs a running Trio.
    """

    __slots__ = ("_unix_time",)

    def __init__(self, unix_time: Callable[[], float] | None = None) -> None:
        if unix_time is None:
            offset = time.time() - trio.current_time()

            def follow_trio() -> float:
                return trio.current_time() + offset

            unix_time = follow_trio
        self._unix_time = unix_time

    def unix(self) -> float:
        """Unix time in seconds."""
        return self._unix_time()

    def milliseconds(self) -> int:
        """Milliseconds since the Citrusleaf epoch: the unit of last-update times and truncation thresholds."""
        return int((self._unix_time() - CITRUSLEAF_EPOCH) * 1000)

    def seconds(self) -> int:
        """Whole seconds since the Citrusleaf epoch: the unit of void-times."""
        return int(self._unix_time() - CITRUSLEAF_EPOCH)
