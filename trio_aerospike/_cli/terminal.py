"""Terminal output: lines, tables, errors and progress.

Files and pipes get UTF-8, whatever the locale. A terminal gets the characters of its encoding; others, and control
characters, are written as JSON escapes (``\\u00e9``), so that a line of JSON stays valid. Writing waits in a thread, so
that a slow reader blocks neither Ctrl-C nor other tasks.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TextIO, TypeAlias

import trio

#: C0 and C1 but for newline and tab, marks that change the direction of text, line separators, lone surrogates.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHOW_INTERVAL = 0.1


class OutputError(Exception):
    """The output cannot be written; without arguments if the reader of a pipe has gone, which is not reported."""


class Output:
    """A descriptor to write results to.

    Args:
        descriptor: to write to; None for a standard output that is closed.
        name: for messages.
        encoding: of the terminal; None if the descriptor is not a terminal.
    """

    def __init__(self, descriptor: int | None, name: str, encoding: str | None) -> None:
        self._descriptor = descriptor
        self._name = name
        self._encoding = encoding

    @property
    def is_terminal(self) -> bool:
        """Whether the descriptor is a terminal."""
        return self._encoding is not None

    async def write(self, text: str) -> None:
        """Write a text.

        Raises:
            OutputError: it cannot be written.
        """
        if self._descriptor is None:
            raise OutputError(f"{self._name} is closed")
        data = encoded(text, self._encoding)
        try:
            await trio.to_thread.run_sync(_write_all, self._descriptor, data, abandon_on_cancel=True)
        except BrokenPipeError:
            raise OutputError from None
        except OSError as error:
            raise self.failed(error) from None

    def failed(self, error: OSError) -> OutputError:
        """Return the error to raise for an OSError."""
        return OutputError(f"{self._name} cannot be written: {reason(error)}")


def standard_output() -> Output:
    """The standard output."""
    name = "the standard output"
    if sys.stdout is None:
        return Output(None, name, None)
    return Output(sys.stdout.fileno(), name, sys.stdout.encoding if sys.stdout.isatty() else None)


@contextlib.asynccontextmanager
async def open_output(path: str | None) -> AsyncIterator[Output]:
    """A file to write to, or the standard output for None.

    Raises:
        OutputError: the last data cannot be stored.
        OSError: it cannot be opened.
    """
    if path is None:
        yield standard_output()
        return
    # Opening a named pipe waits for its reader.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    descriptor = await trio.to_thread.run_sync(os.open, path, flags, 0o666, abandon_on_cancel=True)
    output = Output(descriptor, path, None)
    yield output
    # Not after an exception: a thread may still be writing.
    try:
        os.close(descriptor)
    except OSError as error:
        raise output.failed(error) from None


def encoded(text: str, encoding: str | None) -> bytes:
    """Encode a text for the output.

    Args:
        text: the text.
        encoding: of the terminal; None for a file or pipe.
    """
    if encoding is None:
        return text.encode("utf-8", "backslashreplace")  # only lone surrogates, to what JSON calls them
    text = _CONTROLS.sub(_escape, text)
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return b"".join([_char(char, encoding) for char in text])


def _char(char: str, encoding: str) -> bytes:
    try:
        return char.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(char)[1:-1].encode(encoding)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            # Another process that shares the descriptor has made it non-blocking.
            wait_until_ready(descriptor, selectors.EVENT_WRITE)


def wait_until_ready(descriptor: int, event: int) -> None:
    """Block until a descriptor can be read or written (``selectors.EVENT_READ``, ``EVENT_WRITE``)."""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, event)
        selector.select()


def reason(error: OSError) -> str:
    """Return the operating system's text for an error."""
    return error.strerror or str(error) or type(error).__name__


def hold_descriptors() -> None:
    """Open standard descriptors that are closed, so that no socket or file gets their numbers."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def finish_output() -> None:
    """Write what argparse has left in the buffer of the standard output.

    Raises:
        OutputError: it cannot be written.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer must not raise again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise OutputError from None
        raise OutputError(f"the standard output cannot be written: {reason(error)}") from None


async def say(text: str) -> None:
    """Write a line to the standard output.

    Raises:
        OutputError: it cannot be written.
    """
    await standard_output().write(text + "\n")


def complain(text: object) -> None:
    """Write an error to the error output; nothing if that is closed or full."""
    error_output = sys.stderr
    if error_output is None:
        return
    line = f"trio-aerospike: {text}\n"
    with contextlib.suppress(OSError, ValueError):
        if error_output.isatty():
            # Through the stream, so that a progress bar makes room for the line.
            error_output.write(encoded(line, error_output.encoding).decode(error_output.encoding))
            error_output.flush()
        else:
            _write_all(error_output.fileno(), encoded(line, None))


def counted(count: int, what: str) -> str:
    """Format a count with its noun: ``"1 record"``, ``"2,000 records"``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


async def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write rows under a header, in columns of sufficient width.

    Raises:
        OutputError: the output cannot be written.
    """
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    await say("\n".join(texts))


Show: TypeAlias = Callable[[int, int], None]
"""Called with the progress: how much of the total is done, and the number of items."""


@contextlib.contextmanager
def progress(what: str, total: int | None = None, *, hidden: bool = False) -> Iterator[Show]:
    """Show progress on the error output if it is a terminal.

    Args:
        what: the counted items.
        total: the total, if it is known.
        hidden: show nothing, because the terminal is used for other output.

    Yields:
        A callback, which may be called any number of times.
    """
    if hidden or sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, count: None
        return
    latest = 0, 0
    drawn = -_SHOW_INTERVAL

    with _bar(counted(0, what), total, sys.stderr) as draw:

        def show(done: int, count: int) -> None:
            nonlocal drawn, latest
            latest = done, count
            if time.monotonic() - drawn >= _SHOW_INTERVAL:
                draw(done, counted(count, what))
                drawn = time.monotonic()

        try:
            yield show
        finally:
            draw(latest[0], counted(latest[1], what))


@contextlib.contextmanager
def _bar(text: str, total: int | None, terminal: TextIO) -> Iterator[Callable[[int, str], None]]:
    """A progress bar, or a plain line if rich is not installed; yields the function that draws it."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    except ImportError:
        with _plain_bar(total, terminal) as draw:
            yield draw
        return
    how_far = (BarColumn(), TaskProgressColumn()) if total else (SpinnerColumn("line"),)
    columns = (TextColumn("{task.description}", markup=False), *how_far, TimeElapsedColumn())
    # Leaving the block restores the terminal's cursor.
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False) as bar:
        task = bar.add_task(text, total=total)
        yield lambda done, text: bar.update(task, completed=done, description=text)


@contextlib.contextmanager
def _plain_bar(total: int | None, terminal: TextIO) -> Iterator[Callable[[int, str], None]]:
    """A progress line that is overwritten, if rich is not installed."""

    def draw(done: int, text: str) -> None:
        if total:
            text += f", {min(done, total) * 100 // total}%"
        columns = shutil.get_terminal_size().columns
        with contextlib.suppress(OSError):
            terminal.write("\r" + text[: columns - 1].ljust(columns - 1))
            terminal.flush()

    try:
        yield draw
    finally:
        with contextlib.suppress(OSError):
            terminal.write("\n")
            terminal.flush()
