"""Report results: tables, comparison with the targets, a plot, and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs

from benchmarks.driver import Cell, Results


def duration(seconds: float | None) -> str:
    """Format a latency in a suitable unit."""
    if seconds is None:
        return "-"
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.{2 if seconds < 0.01 else 1}f} ms"


def table(results: Results) -> str:
    """Format operations per second and latencies, medians of the rounds, a block for each cell."""
    width = max(len(name) for name in results.names())
    lines = []
    for cell in results.cells():
        unit = "records/s" if cell.kind.startswith("batch") else "ops/s"
        lines.append(f"\n{cell}")
        lines.append(f"  {'':{width}} {unit:>10} {'p50':>10} {'p99':>10} {'CPU/op':>10}   spread")
        for name in results.names():
            rates = [answer["rate"] for answer in results.rounds.get((name, cell), ())]
            if not rates:
                continue
            figures = [results.median(name, cell, figure) for figure in ("p50", "p99", "cpu_per_op")]
            p50, p99, cpu = map(duration, figures)
            rate = results.median(name, cell, "rate") or 0.0
            errors = "".join(f"  !! {count} x {text}" for text, count in results.errors(name, cell).items())
            lines.append(
                f"  {name:{width}} {rate:>10,.0f} {p50:>10} {p99:>10} {cpu:>10}   "
                f"{min(rates):,.0f} to {max(rates):,.0f}{errors}"
            )
    return "\n".join(lines)


@attrs.frozen
class Aim:
    """A target ratio.

    Attributes:
        ours: The contender that should be fast.
        theirs: The one it is compared with.
        kinds: The operations it is for.
        depths: The numbers in flight it is for.
        bound: The least ratio, or the greatest if `at_most` is set.
        figure: What is compared.
        at_most: Whether less is better.
    """

    ours: str
    theirs: str
    kinds: tuple[str, ...]
    depths: tuple[int, ...]
    bound: float
    figure: str = "rate"
    at_most: bool = False


#: Against one real node.
SINGLE_NODE_AIMS = (
    Aim("trio_aerospike", "aerospike_native", ("get",), (64, 256), 2.5),
    Aim("trio_aerospike", "aerospike_native", ("get",), (1024,), 2.0),
    Aim("trio_aerospike", "bare wide", ("get",), (64, 256), 0.75),
    Aim("trio_aerospike", "aerospike_native", ("put",), (64, 256, 1024), 1.5),
    Aim("trio_aerospike", "aerospike_native", ("get", "put"), (1,), 1.2),
    Aim("compat sync", "aerospike", ("get", "put"), (1,), 1.0),
    Aim("compat asyncio", "aerospike-py asyncio", ("get",), (64, 256, 1024, 4096), 6.0),
    Aim("compat asyncio", "aerospike-py asyncio", ("get", "put"), (1,), 0.7),
    Aim("trio_aerospike", "aerospike-py sync", ("batch", "batch 10000"), (1,), 1.3),
    Aim("compat sync", "aerospike-py sync", ("batch", "batch 10000"), (1,), 1.3),
    Aim("compat asyncio", "aerospike-py asyncio", ("batch", "batch 10000"), (1,), 1.3),
)
#: Records of a list and a map of 100 elements each.
NESTED_AIMS = (Aim("trio_aerospike", "aerospike", ("get", "put"), (1,), 1.3),)
#: Against three real nodes that keep two copies: slow requests must not queue.
CLUSTER_AIMS = (
    Aim("trio_aerospike", "aerospike_native", ("put",), (64, 256), 1.0),
    Aim("trio_aerospike", "aerospike_native", ("put",), (64, 256), 1.0, figure="p99", at_most=True),
)
#: Against an embedded server that holds every request for 2 ms.
HOLD_AIMS = (Aim("trio_aerospike", "bare 256", ("get",), (1000,), 0.8),)


def comparison(results: Results, aims: tuple[Aim, ...]) -> str:
    """Format a line for every target that the measured cells cover."""
    lines = []
    for aim in aims:
        for kind in aim.kinds:
            for depth in aim.depths:
                cell = Cell(kind, depth)
                ratio = results.ratio(aim.ours, aim.theirs, cell, aim.figure)
                if ratio is None:
                    continue
                reached = ratio <= aim.bound if aim.at_most else ratio >= aim.bound
                relation = "at most" if aim.at_most else "at least"
                lines.append(
                    f"  {'ok  ' if reached else 'MISS'} {aim.ours} / {aim.theirs}, {cell}, {aim.figure}: "
                    f"{ratio:.2f} (aim: {relation} {aim.bound})"
                )
    return "\n".join(lines)


def save(results: Results, path: Path, title: str) -> None:
    """Write all measurements as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {
        "title": title,
        "versions": results.versions,
        "rounds": [
            {"contender": name, "kind": cell.kind, "depth": cell.depth, "answers": answers}
            for (name, cell), answers in results.rounds.items()
        ],
    }
    path.write_text(json.dumps(content, indent=1))


def plot(results: Results, path: Path, title: str) -> bool:
    """Draw rate, p50 and p99 over the operations in flight, a row for gets and one for puts.

    Returns:
        False if matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    kinds = [kind for kind in ("get", "put") if any(cell.kind == kind for cell in results.cells())]
    if not kinds:
        return False
    panels = (("rate", "operations per second", 1.0), ("p50", "p50 in ms", 1e3), ("p99", "p99 in ms", 1e3))
    figure, axes = pyplot.subplots(len(kinds), 3, figsize=(16, 4.6 * len(kinds)), squeeze=False)
    for row, kind in enumerate(kinds):
        depths = sorted(cell.depth for cell in results.cells() if cell.kind == kind)
        for column, (name_of_figure, label, scale) in enumerate(panels):
            panel = axes[row][column]
            for name in results.names():
                points = [(depth, results.median(name, Cell(kind, depth), name_of_figure)) for depth in depths]
                known = [(depth, value * scale) for depth, value in points if value is not None]
                if known:
                    style = ":" if name.startswith("bare") else "-"
                    ours = name == "trio_aerospike" or name.startswith("compat")
                    panel.plot(*zip(*known, strict=True), style, marker="o" if ours else ".", label=name)
            panel.set_xscale("log", base=2)
            if name_of_figure != "rate":
                panel.set_yscale("log")
            panel.set_xticks(depths, [str(depth) for depth in depths])
            panel.set_title(f"{kind}s: {label}")
            panel.set_xlabel("in flight")
            panel.grid(alpha=0.3)
    axes[0][0].legend(fontsize="small")
    figure.suptitle(title)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return True
