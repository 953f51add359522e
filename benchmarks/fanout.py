"""Scenario `fanout`: many operations started at once, in one nursery or by one `asyncio.gather`."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

import attrs

from benchmarks.contenders import BY_NAME, Contender
from benchmarks.driver import Cell, Host, Worker, WorkerFailed

#: The contenders, those that are asynchronous, and the limits of concurrent operations that each is measured with.
LIMITS = {
    "trio_aerospike": (0, 64, 1000),
    "compat asyncio": (0, 64),
    "aerospike-py asyncio": (0, 64),
    "aerospike_native": (0,),
}
#: Operations in flight of the steady rate that a fan-out is compared with.
STEADY = Cell("get", 256)


@attrs.define
class Row:
    """One contender with one limit.

    Attributes:
        rates: Successful operations per second in each round, by kind.
        failed: Failed operations in all rounds, by kind.
        steady: Gets per second at 256 in flight, of each round.
        fault: Why the contender could not be measured.
    """

    name: str
    limit: int
    rates: dict[str, list[float]] = attrs.Factory(lambda: {"put": [], "get": []})
    failed: dict[str, int] = attrs.Factory(lambda: {"put": 0, "get": 0})
    steady: list[float] = attrs.Factory(list)
    fault: str = ""


def measure(
    contenders: Sequence[Contender], hosts: Sequence[Host], count: int, rounds: int, seconds: float, max_conns: int
) -> list[Row]:
    """Start `count` puts and then gets at once, `rounds` times for each contender in turn."""
    rows = [Row(contender.name, limit) for contender in contenders for limit in LIMITS.get(contender.name, ())]
    for _ in range(rounds):
        for row in rows:
            if not row.fault:
                _one_round(row, hosts, count, seconds, max_conns)
    return rows


def _one_round(row: Row, hosts: Sequence[Host], count: int, seconds: float, max_conns: int) -> None:
    worker = Worker(BY_NAME[row.name])
    try:
        worker.start(hosts, max_conns, row.limit)
        for kind in ("put", "get"):
            answer = worker.ask("fanout", kind=kind, count=count)
            row.rates[kind].append(answer["rate"])
            row.failed[kind] += answer["error_count"]
        row.steady.append(worker.run(STEADY, seconds, min(count, 20_000))["rate"])
    except WorkerFailed as error:
        row.fault = str(error).splitlines()[0]
    finally:
        worker.stop()


def lines(rows: Sequence[Row], count: int) -> Iterator[str]:
    """Format the table and the targets."""
    yield f"{'':22} {'limit':>6} {'puts/s':>9} {'failed':>7} {'gets/s':>9} {'failed':>7} {'gets / x256':>12}"
    medians: dict[tuple[str, int], float] = {}
    for row in rows:
        if row.fault:
            yield f"{row.name:22} {row.limit:>6} {row.fault}"
            continue
        puts, gets, steady = (statistics.median(rates) for rates in (row.rates["put"], row.rates["get"], row.steady))
        medians[row.name, row.limit] = gets
        yield (
            f"{row.name:22} {row.limit or 'none':>6} {puts:>9,.0f} {row.failed['put']:>7,} {gets:>9,.0f} "
            f"{row.failed['get']:>7,} {gets / steady:>12.2f}"
        )
    yield "aims: no failure of ours; trio_aerospike without a limit at least 0.7 of its gets at 256 in flight;"
    yield f"compat asyncio at least 3 times aerospike-py (asked of {count:,} at once, with a limit of 64 and without):"
    for limit in (0, 64):
        ours, theirs = medians.get(("compat asyncio", limit)), medians.get(("aerospike-py asyncio", limit))
        if ours and theirs:
            yield f"  limit {limit or 'none'}: {ours / theirs:.1f} times"
