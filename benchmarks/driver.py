"""Run the contenders' workers through interleaved rounds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from benchmarks.contenders import ROOT, Contender

Answer = dict[str, Any]
Host = tuple[str, int]
#: More than any round needs; a worker that takes longer is stuck.
PATIENCE = 120.0


@attrs.frozen
class Cell:
    """One point of the table: the kind of operation, and the number in flight."""

    kind: str
    depth: int

    def __str__(self) -> str:
        return f"{self.kind} x{self.depth}"


class WorkerFailed(Exception):
    """A worker died or did not answer; its stderr has been printed."""


class Worker:
    """One contender's process.

    Args:
        contender: The contender. Its stderr is written to a file, whose end is printed if it fails.
        shape: The shape of its records, "nested" for lists and maps.
    """

    def __init__(self, contender: Contender, shape: str = "flat") -> None:
        self.contender = contender
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed in stop)
        self._process = subprocess.Popen(
            [str(contender.python), "-m", f"benchmarks.workers.{contender.module}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "BENCH_RECORDS": shape},
        )

    def ask(self, command: str, **arguments: Any) -> Answer:
        """Send a command and wait for its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"cmd": command, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerFailed(
                f"{self.contender.name}: the worker ended with status {self._process.wait()}\n{self._last_words()}"
            )
        answer: Answer = json.loads(line)
        return answer

    def start(self, hosts: Sequence[Host], max_conns: int, limit: int = 0) -> str:
        """Connect, with a limit of operations at a time (0: no limit); return the version of the client."""
        addresses = [list(host) for host in hosts]
        most = self.contender.max_conns or max_conns
        return str(self.ask("start", hosts=addresses, max_conns=most, limit=limit)["version"])

    def run(self, cell: Cell, seconds: float, records: int) -> Answer:
        """One round."""
        return self.ask(
            "run",
            kind=cell.kind,
            depth=cell.depth,
            seconds=seconds,
            records=records,
            conns=self.contender.connections,
        )

    def _last_words(self) -> str:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 2000))
        return self._log.read().decode(errors="replace")

    def stop(self) -> None:
        """Close the client and end the process."""
        try:
            if self._process.poll() is None:
                self.ask("stop")
                self._process.wait(timeout=PATIENCE)
        except (WorkerFailed, subprocess.TimeoutExpired) as error:
            print(f"  {self.contender.name} did not stop: {error}", file=sys.stderr)
        finally:
            self._process.kill()
            self._process.wait()
            self._log.close()


def available(contender: Contender) -> bool:
    """Whether the contender's client can be imported in its environment."""
    try:
        code = subprocess.call(
            [str(contender.python), "-c", f"import {contender.needs}"], cwd=ROOT, stderr=subprocess.DEVNULL
        )
    except OSError:
        return False
    return code == 0


@attrs.define
class Results:
    """All rounds of one scenario.

    Attributes:
        rounds: For each contender's name and cell the answers, one per round.
        versions: For each contender's name the version that it reported.
    """

    rounds: dict[tuple[str, Cell], list[Answer]] = attrs.Factory(dict)
    versions: dict[str, str] = attrs.Factory(dict)

    def cells(self) -> list[Cell]:
        """The cells that were measured, in order."""
        return list(dict.fromkeys(cell for _, cell in self.rounds))

    def names(self) -> list[str]:
        """The contenders that were measured, in order."""
        return list(dict.fromkeys(name for name, _ in self.rounds))

    def median(self, name: str, cell: Cell, figure: str) -> float | None:
        """Return the median over the rounds of one figure, or None."""
        values = sorted(
            answer[figure] for answer in self.rounds.get((name, cell), ()) if answer.get(figure) is not None
        )
        if not values:
            return None
        middle = len(values) // 2
        return float(values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2)

    def ratio(self, ours: str, theirs: str, cell: Cell, figure: str = "rate") -> float | None:
        """Return the ratio of our figure to the other's."""
        mine, other = self.median(ours, cell, figure), self.median(theirs, cell, figure)
        return mine / other if mine is not None and other else None

    def errors(self, name: str, cell: Cell) -> dict[str, int]:
        """Return the errors of all rounds."""
        total: dict[str, int] = {}
        for answer in self.rounds.get((name, cell), ()):
            for text, count in answer["errors"].items():
                total[text] = total.get(text, 0) + count
        return total


def compare(
    contenders: Iterable[Contender],
    hosts: Sequence[Host],
    cells: Sequence[Cell],
    *,
    rounds: int,
    seconds: float,
    records: int,
    max_conns: int,
    shape: str = "flat",
) -> Results:
    """Run every contender through every cell, round by round, so that other load affects all equally.

    Each round starts with another contender. One that fails is reported and left out from then on.
    """
    results = Results()
    contenders = list(contenders)
    workers: list[Worker] = []
    try:
        for contender in contenders:
            worker = Worker(contender, shape)
            workers.append(worker)
            try:
                results.versions[contender.name] = worker.start(hosts, max_conns)
            except WorkerFailed as error:
                print(f"!!! {error}", file=sys.stderr)
                worker.stop()
                workers.remove(worker)
        if not workers:
            raise SystemExit("no contender could be started")
        workers[0].ask("load", records=records)
        for number in range(rounds):
            for cell in cells:
                shift = (number + cells.index(cell)) % len(workers)
                for worker in [*workers[shift:], *workers[:shift]]:
                    if cell.kind.startswith("batch") and not worker.contender.batch:
                        continue
                    _show(f"round {number + 1}/{rounds}  {cell}  {worker.contender.name}")
                    try:
                        answer = worker.run(cell, seconds, records)
                    except WorkerFailed as error:
                        _show("")
                        print(f"!!! {error}", file=sys.stderr)
                        workers.remove(worker)
                        worker.stop()
                    else:
                        results.rounds.setdefault((worker.contender.name, cell), []).append(answer)
        _show("")
    finally:
        for worker in workers:
            worker.stop()
    order = {contender.name: position for position, contender in enumerate(contenders)}
    results.rounds = dict(
        sorted(results.rounds.items(), key=lambda item: (order[item[0][0]], list(cells).index(item[0][1])))
    )
    return results


def _show(text: str) -> None:
    """Show the progress line on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
