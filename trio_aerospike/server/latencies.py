"""Latency histograms for the info command `latencies`.

Facts: histogram_dump and histogram_get_latencies in the server's cf/src/hist.c; which commands count is in
as/src/transaction/read.c, write.c, udf.c, as/src/base/batch.c and as/src/query/query.c. A server computes its
histograms every 10 s (ticker-interval), shows the latest whole interval, and shows nothing in the first one.
"""

from __future__ import annotations

import functools

import attrs

TICKER_INTERVAL = 10.0
"""Seconds of one interval."""
COLUMNS = 17
"""Thresholds shown: 1 ms, 2 ms, 4 ms and so on."""


@attrs.define(eq=False)
class _Histogram:
    """Commands of the current interval by latency: bucket 0 is below 1 ms, bucket n from 2**(n-1) ms on."""

    counts: list[int] = attrs.Factory(lambda: [0] * (COLUMNS + 1))
    ticks: int = 0
    shown: str = ""

    def tick(self, intervals: int) -> None:
        """End the current interval, and then as many more without any commands."""
        if intervals > 1:
            self.counts = [0] * (COLUMNS + 1)
        self.ticks += intervals
        if self.ticks > 1:
            self.shown = self._text()
        self.counts = [0] * (COLUMNS + 1)

    def _text(self) -> str:
        total = sum(self.counts)
        percentages = [100 * sum(self.counts[column + 1 :]) / total if total else 0.0 for column in range(COLUMNS)]
        return ",".join(["msec", f"{total / TICKER_INTERVAL:.1f}", *(f"{share:.2f}" for share in percentages)])


@functools.lru_cache(1024)
def histogram_name(namespace: str, origin: str, kind: str) -> str:
    """The name of the histogram of commands on records.

    Args:
        namespace: of the records.
        origin: "client" or "batch_sub", as in statistics.
        kind: "read", "write" or "udf".
    """
    return f"{{{namespace}}}-{'batch-sub-' if origin == 'batch_sub' else ''}{kind}"


class Latencies:
    """The histograms of one node by name, created with their first command."""

    def __init__(self) -> None:
        self._histograms: dict[str, _Histogram] = {}
        self._next_tick: float | None = None

    def count(self, name: str, seconds: float, now: float) -> None:
        """Count a command.

        Args:
            name: of the histogram.
            seconds: how long the command took.
            now: the time, in seconds of Trio's clock.
        """
        if self._next_tick is None or now >= self._next_tick:
            self._tick(now)
        histogram = self._histograms.get(name)
        if histogram is None:
            histogram = self._histograms[name] = _Histogram()
        histogram.counts[min(int(seconds * 1000).bit_length(), COLUMNS) if seconds >= 0.001 else 0] += 1

    def text(self, name: str, now: float) -> str:
        """Unit, commands per second, and the percentages slower than each threshold; "" before any was counted."""
        self._tick(now)
        histogram = self._histograms.get(name)
        return "" if histogram is None else histogram.shown

    def _tick(self, now: float) -> None:
        if self._next_tick is None:
            self._next_tick = now + TICKER_INTERVAL
        if now < self._next_tick:
            return
        intervals = 1 + int((now - self._next_tick) // TICKER_INTERVAL)
        self._next_tick += intervals * TICKER_INTERVAL
        for histogram in self._histograms.values():
            histogram.tick(intervals)
