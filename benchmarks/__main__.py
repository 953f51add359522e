"""`make bench`: compare with the published clients, side by side in one run.

Measures against the server in AEROSPIKE_HOSTS ("host:port,host:port"), or an embedded one in another process. Each
contender runs in its own process, one after the other in every round. Writes a table to stdout, and a plot and all
figures to benchmarks/results/. The scenario `embedded` measures the embedded server by number of records.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from benchmarks import report
from benchmarks.contenders import BY_NAME, CONTENDERS, OURS, ROOT, Contender
from benchmarks.driver import Cell, Host, Results, available, compare
from benchmarks.workers.bare import owners

DEFAULT_SCENARIOS = ("main", "batch", "fanout", "nested", "scan", "numpy", "hold", "memory", "import", "embedded")
SCENARIOS = (*DEFAULT_SCENARIOS, "latency", "loop")
NESTED_RECORDS = 200
RESULTS = ROOT / "benchmarks" / "results"


@contextlib.contextmanager
def helper(module: str, *arguments: str) -> Iterator[list[Host]]:
    """Run a server or proxy, which prints its addresses and stops when its stdin is closed."""
    process = subprocess.Popen(
        [str(OURS), "-m", f"benchmarks.{module}", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"benchmarks.{module} did not start (status {process.wait()})")
        yield [(host, port) for host, port in json.loads(line)]
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def target(nodes: int) -> Iterator[tuple[list[Host], str]]:
    """Yield the server to measure against, and its description."""
    named = os.environ.get("AEROSPIKE_HOSTS", "").replace(";", ",")
    if named.strip():
        hosts = []
        for part in named.split(","):
            host, colon, port = part.strip().rpartition(":")
            hosts.append((host.strip("[]"), int(port)) if colon else (port, 3000))
        yield hosts, f"the server at {named}"
    else:
        with helper("server", "--nodes", str(nodes)) as hosts:
            yield hosts, f"an embedded cluster of {nodes} in another process"


def numbers(text: str) -> list[int]:
    """Parse a comma-separated list of positive integers."""
    values = [int(part) for part in text.split(",")]
    if any(value < 1 for value in values):
        raise argparse.ArgumentTypeError("numbers above 0 are wanted")
    return values


def parse() -> argparse.Namespace:
    """Parse the command line."""
    names = ", ".join(repr(name) for name in BY_NAME)
    parser = argparse.ArgumentParser(prog="make bench BENCH_ARGS=...", description=__doc__)
    parser.add_argument("--scenarios", default=",".join(DEFAULT_SCENARIOS), help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--contenders", help=f"comma-separated, of {names}; all that are installed by default")
    parser.add_argument("--kinds", default="get,put", help="of get, put")
    parser.add_argument("--depths", type=numbers, default=[1, 16, 64, 256, 1024, 4096], help="operations in flight")
    parser.add_argument("--rounds", type=int, default=5, help="medians are taken over these")
    parser.add_argument("--seconds", type=float, default=0.5, help="of one contender's round at one point")
    parser.add_argument("--records", type=int, default=20_000, help="different keys")
    parser.add_argument("--max-conns", type=int, default=256, help="connections a client may open to a node")
    parser.add_argument("--nodes", type=int, default=1, help="of the embedded cluster")
    parser.add_argument("--latency", type=float, default=1.0, help="milliseconds each way, for scenario latency")
    parser.add_argument("--hold", type=float, default=2.0, help="milliseconds per request, for scenario hold")
    parser.add_argument("--tasks", type=int, default=100_000, help="concurrent gets, for scenario memory")
    parser.add_argument("--fanout", type=int, default=20_000, help="operations started at once, for scenario fanout")
    parser.add_argument("--scanned", type=int, default=200_000, help="records, for scenario scan")
    parser.add_argument(
        "--sizes", type=numbers, default=[1_000, 10_000, 100_000, 1_000_000], help="records, for scenario embedded"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="directory for the plot and the figures")
    arguments = parser.parse_args()
    arguments.scenarios = [name.strip() for name in arguments.scenarios.split(",")]
    for name in arguments.scenarios:
        if name not in SCENARIOS:
            parser.error(f"unknown scenario {name!r}: allowed are {', '.join(SCENARIOS)}")
    if arguments.contenders:
        wanted = [name.strip() for name in arguments.contenders.split(",")]
        for name in wanted:
            if name not in BY_NAME:
                parser.error(f"unknown contender {name!r}: allowed are {names}")
        arguments.contenders = [BY_NAME[name] for name in wanted]
    else:
        arguments.contenders = list(CONTENDERS)
    return arguments


def present(contenders: list[Contender]) -> list[Contender]:
    """Return the installed contenders, and report the others."""
    here = []
    for contender in contenders:
        if available(contender):
            here.append(contender)
        else:
            print(f"!!! {contender.name} is left out: {contender.needs} cannot be imported in its environment")
    return here


def measure(
    title: str,
    stem: str,
    contenders: list[Contender],
    hosts: list[Host],
    cells: list[Cell],
    arguments: argparse.Namespace,
    aims: tuple[report.Aim, ...],
    shape: str = "flat",
) -> Results:
    """Run one scenario and print its results."""
    print(f"\n== {title}")
    results = compare(
        contenders,
        hosts,
        cells,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        records=arguments.records if shape == "flat" else NESTED_RECORDS,
        max_conns=arguments.max_conns,
        shape=shape,
    )
    print("  " + ", ".join(f"{name} ({version})" for name, version in results.versions.items()))
    print(report.table(results))
    compared = report.comparison(results, aims)
    if compared:
        print(f"\nwhat is aimed at, for a real server and two cores:\n{compared}")
    report.save(results, arguments.output / f"{stem}.json", title)
    if report.plot(results, arguments.output / f"{stem}.png", title):
        print(f"\nplot: {(arguments.output / f'{stem}.png').resolve()}")
    return results


def measure_nested(contenders: list[Contender], hosts: list[Host], arguments: argparse.Namespace) -> None:
    """Measure records with lists and maps: whole gets and puts of all contenders, and our codec alone."""
    from benchmarks import nested

    title = "records of a list and a map of 100 elements each, nested"
    clients = [contender for contender in contenders if contender.module != "bare"]
    cells = [Cell("get", 1), Cell("put", 1)]
    results = measure(title, "nested", clients, hosts, cells, arguments, report.NESTED_AIMS, "nested")
    times = nested.code(arguments.seconds)
    print(f"\n  our code alone: decoding {times.decode * 1e6:.0f} us, encoding {times.encode * 1e6:.0f} us")
    whole = results.median("aerospike", cells[0], "p50")
    if whole is not None:
        ratio = times.decode / whole
        reached = "ok  " if ratio <= nested.DECODE_AIM else "MISS"
        print(
            f"  {reached} our decoding / a whole get of aerospike: {ratio:.2f} (aim: at most {nested.DECODE_AIM:g}, "
            "against a real server)"
        )


def main() -> None:
    """Run the requested scenarios."""
    arguments = parse()
    began = time.monotonic()
    contenders = present(arguments.contenders)
    singles = [Cell(kind, depth) for kind in arguments.kinds.split(",") for depth in arguments.depths]
    ours = [contender for contender in contenders if contender.name == "trio_aerospike"]
    with target(arguments.nodes) as (hosts, where):
        print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {where}")
        print(f"{arguments.rounds} interleaved rounds of {arguments.seconds} s; figures are medians")
        nodes, _ = owners([[host, port] for host, port in hosts])
        aims = report.SINGLE_NODE_AIMS if len(nodes) == 1 else report.CLUSTER_AIMS
        if "main" in arguments.scenarios:
            measure(f"gets and puts, {where}", "main", contenders, hosts, singles, arguments, aims)
        if "batch" in arguments.scenarios:
            readers = [contender for contender in contenders if contender.batch]
            cells = [Cell("batch", 1), Cell("batch 10000", 1)]
            measure(
                "batch_read of 1,000 and of 10,000 keys into dicts", "batch", readers, hosts, cells, arguments, aims
            )
        if "fanout" in arguments.scenarios:
            from benchmarks import fanout

            print(f"\n== {arguments.fanout:,} puts, then gets, started at once, {where}")
            rows = fanout.measure(
                contenders, hosts, arguments.fanout, arguments.rounds, arguments.seconds, arguments.max_conns
            )
            print("\n".join(fanout.lines(rows, arguments.fanout)))
        if "nested" in arguments.scenarios:
            measure_nested(contenders, hosts, arguments)
        if "scan" in arguments.scenarios:
            from benchmarks import scan

            print(f"\n== scans of {arguments.scanned:,} records, {where} (the aims are for a real server)")
            scan.show(scan.measure(hosts, arguments.scanned, arguments.rounds), arguments.scanned)
        if "loop" in arguments.scenarios:
            from benchmarks import loop_delay

            print(
                f"\n== longest iteration of an asyncio loop, {arguments.scanned:,} records by a query, batches of reads"
            )
            loop_delay.show(loop_delay.measure(hosts, arguments.scanned, arguments.rounds))
        if "numpy" in arguments.scenarios:
            from benchmarks import arrays

            print(f"\n== batches of {arrays.KEYS:,} records into arrays, {where} (the aims are for a real server)")
            arrays.show(arrays.measure(hosts, arguments.rounds))
        if "latency" in arguments.scenarios:
            addresses = [f"{host}:{port}" for host, port in nodes]
            with helper("proxy", "--delay", str(arguments.latency / 1000), *addresses) as proxied:
                title = f"through a proxy that adds {arguments.latency:g} ms each way"
                measure(title, "latency", contenders, proxied, singles, arguments, aims)
        if "memory" in arguments.scenarios:
            from benchmarks import memory

            gets, idle = memory.weigh(hosts, arguments.tasks)
            print(
                f"\n== memory: {arguments.tasks:,} concurrent gets in one nursery peak at {gets / 1e6:.0f} MB, idle "
                f"tasks at {idle / 1e6:.0f} MB: {(gets - idle) / 1e6:.0f} MB more (aim: under 120)"
            )
    if "hold" in arguments.scenarios:
        wide = attrs.evolve(BY_NAME["bare"], name="bare 256", connections=256)
        with helper("server", "--hold", str(arguments.hold / 1000)) as hosts:
            title = f"1,000 gets in flight, an embedded server that holds each request for {arguments.hold:g} ms"
            measure(title, "hold", [*ours, wide], hosts, [Cell("get", 1000)], arguments, report.HOLD_AIMS)
    if "embedded" in arguments.scenarios:
        from benchmarks import embedded

        print("\n== the embedded server by number of records, each size in a process of its own")
        with contextlib.ExitStack() as stack:
            servers = [
                (size, stack.enter_context(helper("server", "--records", str(size)))) for size in arguments.sizes
            ]
            embedded.show(embedded.measure(servers, arguments.rounds))
    if "import" in arguments.scenarios:
        from benchmarks import memory

        print(f"\n== import trio_aerospike adds {memory.import_time() * 1e3:.0f} ms to import trio (aim: under 60)")
    print(f"\n{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
