"""``trio-aerospike bench``: measure rates and latencies of puts and gets."""

from __future__ import annotations

import argparse
import secrets
import time
from collections.abc import Callable

import trio

from .._client import Client
from ..errors import AerospikeError, RecordNotFound
from ..keys import Key
from ..policies import BatchPolicy
from .connection import FAILED, OK, add_options
from .load import in_flight, positive
from .terminal import Show, complain, progress, table

_AT_ONCE = 5_000


def add_bench(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "bench",
        help="measure puts and gets",
        description=(
            "Write records of three bins with a short ttl into a set of their own, read them, remove them, and print "
            "rates and latencies of each."
        ),
    )
    parser.add_argument("--records", type=positive, default=10_000, metavar="N", help="default: 10000")
    parser.add_argument("--in-flight", type=in_flight, default=64, metavar="N", help="commands at a time (default: 64)")
    parser.add_argument("--namespace", default="test", help="default: test")
    parser.add_argument("--set", default="trio-bench", help="default: trio-bench")
    add_options(parser, _bench)


async def _bench(client: Client, options: argparse.Namespace) -> int:
    run = secrets.token_hex(4)
    count = options.records

    def key_of(number: int) -> Key:
        return Key(options.namespace, options.set, f"{run}-{number}")

    key_of(0)  # refuses a namespace or set that is invalid
    written = _Measured(client, "put", key_of)
    rows = []
    failures = 0
    try:
        for measured in (written, _Measured(client, "get", key_of)):
            what = measured.what
            with progress(what, count) as show:
                seconds = await measured.run(count, options.in_flight, show)
            failures += measured.failures
            rows.append((what, f"{count / seconds:,.0f}", *measured.percentiles(), measured.failures))
            if measured.first_failure is not None:
                complain(f"{what}: {measured.first_failure}")
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 30):
            if written.begun > written.failures:
                await _remove(client, key_of, written.begun)
    await table(("COMMAND", "PER SECOND", "P50 MS", "P99 MS", "FAILED"), rows)
    return FAILED if failures else OK


async def _remove(client: Client, key_of: Callable[[int], Key], count: int) -> None:
    """Remove all records; if that fails, they expire soon."""
    try:
        for first in range(0, count, _AT_ONCE):
            keys = [key_of(number) for number in range(first, min(first + _AT_ONCE, count))]
            await client.batch_remove(keys, policy=BatchPolicy(total_timeout=10.0))
    except AerospikeError as error:
        complain(f"records could not be removed and expire in ten minutes: {error}")


class _Measured:
    """One command for many keys, a bounded number at a time.

    Args:
        client: runs the commands.
        what: the command.
        key_of: makes the keys.

    Attributes:
        what: the command.
        begun: the number of keys, from the first on, for which it was started.
        failures: the number of failures.
        first_failure: the first of them.
    """

    def __init__(self, client: Client, what: str, key_of: Callable[[int], Key]) -> None:
        self._client = client
        self._key_of = key_of
        self.what = what
        self.begun = 0
        self._stopped = False
        self._times: list[float] = []
        self.failures = 0
        self.first_failure: AerospikeError | None = None

    async def run(self, count: int, in_flight: int, show: Show) -> float:
        """Run the command for all keys; return the seconds."""

        async def work() -> None:
            while self.begun < count and not self._stopped:
                key = self._key_of(self.begun)
                self.begun += 1
                began = time.perf_counter()
                try:
                    await self._once(key)
                except RecordNotFound:
                    pass
                except AerospikeError as error:
                    self.failures += 1
                    self.first_failure = self.first_failure or error
                self._times.append(time.perf_counter() - began)
                show(len(self._times), len(self._times))

        done = trio.Event()

        async def all_work() -> None:
            # Started writes are completed: one that is abandoned may be applied after its record's removal.
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as nursery:
                    for _ in range(min(in_flight, count)):
                        nursery.start_soon(work)
            done.set()

        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(all_work)
            try:
                await done.wait()
            finally:
                self._stopped = True
        show(count, count)
        return max(time.perf_counter() - began, 1e-9)

    async def _once(self, key: Key) -> None:
        if self.what == "put":
            await self._client.put(key, {"i": 1, "s": "some text of moderate length", "f": 1.5}, ttl=600)
        else:
            await self._client.get(key)

    def percentiles(self) -> tuple[str, str]:
        """Return the 50th and the 99th percentile, in milliseconds."""
        times = sorted(self._times)
        middle, late = (times[min(len(times) - 1, len(times) * part // 100)] * 1000 for part in (50, 99))
        return f"{middle:.2f}", f"{late:.2f}"
