"""What goes to people: lines, tables, errors and progress."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence


def say(line: str) -> None:
    """A line for people; nobody may be left to read the last one."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer must not raise again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: object) -> None:
    """A line on what went wrong, to the error output."""
    print(f"trio-aerospike: {text}", file=sys.stderr)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows under a head, in columns as wide as they have to be."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


@contextlib.contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A progress bar on the error output while it is a terminal; nothing where it is not.

    Args:
        what: is being done.
        total: how many there are, where that is known.

    Yields:
        To be called with how many are done.
    """
    if not sys.stderr.isatty():
        yield _unseen
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    except ImportError:
        complain("no progress is shown: pip install 'trio-aerospike[cli]' brings what it needs")
        yield _unseen
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # Leaving the block gives the terminal its cursor back, whatever ended it.
    with Progress(*columns, console=Console(stderr=True), transient=False) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def _unseen(done: int) -> None:
    pass
