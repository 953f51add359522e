"""``trio-aerospike load``: write records from lines of JSON."""

from __future__ import annotations

import argparse
import os
import selectors
import stat
import sys
from collections import deque
from typing import Any, TypeAlias

import attrs
import trio

from .._client import Client
from ..errors import AerospikeError, InvalidArgError
from ..keys import Key
from ..policies import TTL_NEVER_EXPIRE
from ..validation import shown
from .connection import OK, WRONG, add_options, exit_code
from .jsonl import record_from_json
from .terminal import Show, complain, counted, progress, reason, say, wait_until_ready

_READ_SIZE = 256 * 1024
#: Longest line in bytes: the server accepts records of up to 8 MiB, which are several times as long in JSON.
_LINE_MAX = 64 * 1024 * 1024
_IN_FLIGHT_MAX = 65_536
#: Lines that may wait for an earlier line of the same key, for each write that may be in flight.
_AHEAD = 16
_BOM = b"\xef\xbb\xbf"

_Write: TypeAlias = tuple[int, Key, dict[str, Any], int]
"""Line number, key, bins and seconds to live."""


def add_load(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "load",
        help="write records from lines of JSON",
        description=(
            "Write the records of a file, or of the standard input, one JSON object a line as `get` and `scan` print "
            "them. Lines of one key are written in their order. Stops at the first invalid line; records written "
            "before it stay. Bins of a record that a line does not name stay, too."
        ),
    )
    parser.add_argument("file", nargs="?", default="-", help="the file; - for the standard input")
    parser.add_argument("--namespace", help="overrides that of the lines")
    parser.add_argument("--set", help="overrides that of the lines")
    parser.add_argument("--in-flight", type=in_flight, default=256, metavar="N", help="writes at a time (default: 256)")
    parser.add_argument("--no-ttl", action="store_true", help="write records that never expire, whatever the lines say")
    add_options(parser, _load)


def positive(text: str) -> int:
    """Parse a count, for argparse."""
    # Limits the digits first, as Python refuses to parse thousands of them.
    number = int(text) if text.isdecimal() and len(text) <= 9 else 0
    if not 1 <= number <= 100_000_000:
        raise argparse.ArgumentTypeError(f"got {shown(text)}, allowed: a number from 1 to 100,000,000")
    return number


def in_flight(text: str) -> int:
    """Parse a number of commands in flight, for argparse."""
    number = positive(text)
    if number > _IN_FLIGHT_MAX:
        raise argparse.ArgumentTypeError(f"got {number} commands at a time, allowed: 1 to {_IN_FLIGHT_MAX:,}")
    return number


async def _load(client: Client, options: argparse.Namespace) -> int:
    try:
        source, size = await trio.to_thread.run_sync(_open, options.file, abandon_on_cancel=True)
    except OSError as error:
        complain(f"{_name_of(options.file)}: {reason(error)}")
        return WRONG
    typed = os.isatty(source)
    if typed:
        complain("reading records from the terminal, one a line; Ctrl-D ends them")
    loader = _Loader(client, options)
    with progress("record", size, hidden=typed) as show:
        await loader.run(source, show)
    problem = loader.problem
    if problem is not None:
        # First, because writing the output may fail.
        complain(problem if loader.problem_line is None else f"line {loader.problem_line}: {problem}")
    await say(f"{counted(loader.written, 'record')} written")
    return OK if problem is None else exit_code(problem)


def _name_of(path: str) -> str:
    return "the standard input" if path == "-" else path


def _open(path: str) -> tuple[int, int | None]:
    """Open the input: a descriptor, and its size if it is known."""
    if path != "-":
        source = os.open(path, os.O_RDONLY)
    elif sys.stdin is None:
        raise OSError("it is closed")
    else:
        source = sys.stdin.fileno()
    found = os.fstat(source)
    return source, found.st_size if stat.S_ISREG(found.st_mode) else None


class _Loader:
    """Reads lines and writes their records, with a bounded number of writes in flight.

    A line whose key is being written waits for that write, so that the lines of a key are written in order; lines with
    other keys overtake it. ``in_flight`` times ``_AHEAD`` lines may wait in this way.

    Attributes:
        written: records written.
        problem: the error that ended it early.
    """

    def __init__(self, client: Client, options: argparse.Namespace) -> None:
        self._client = client
        self._options = options
        # User keys are stored with the records, so that a scan can return them.
        self._with_key = attrs.evolve(client.config.write_policy, send_key=True)
        self._digest_only = client.config.write_policy
        self._room = trio.Semaphore(options.in_flight * _AHEAD)
        self._workers = 0
        #: The waiting lines, by the digest of the key that is being written.
        self._waiting: dict[bytes, deque[_Write]] = {}
        self._reading = trio.CancelScope()
        self._line = 0
        self._consumed = 0
        self._failed = False
        self._wrong_line = sys.maxsize
        self.written = 0
        self.problem: AerospikeError | None = None
        self.problem_line: int | None = None

    async def run(self, source: int, show: Show) -> None:
        """Write all records of the input.

        After an invalid line, no later line is written. After an error of the cluster, no more writes start. Writes in
        flight are awaited.

        Args:
            source: a descriptor to read from.
            show: called with the number of bytes consumed.
        """
        self._show = show
        self._send, self._receive = trio.open_memory_channel[_Write](0)
        async with trio.open_nursery() as nursery, self._send:
            with self._reading:
                await self._read(source, nursery)

    async def _read(self, source: int, nursery: trio.Nursery) -> None:
        """Pass all lines to the workers."""
        pieces: list[bytes] = []  # of a line whose end has not been read
        while True:
            try:
                # A pipe may be silent for long. Ctrl-C does not wait for it, and neither does the interpreter's end
                # where the descriptor itself is read: a buffered file would be locked by the thread left behind.
                data = await trio.to_thread.run_sync(_read_some, source, abandon_on_cancel=True)
            except OSError as error:
                self._stop(None, InvalidArgError(f"{_name_of(self._options.file)}: {reason(error)}"))
                return
            *lines, last = data.split(b"\n")
            if lines:
                lines[0] = b"".join([*pieces, lines[0]])
                pieces = []
            pieces.append(last)
            if not data:
                lines = [b"".join(pieces)]
            for line in lines:
                await self._take(line, nursery)
            if not data:
                return
            if sum(map(len, pieces)) > _LINE_MAX:
                self._stop(self._line + 1, InvalidArgError(f"longer than {_LINE_MAX >> 20} MiB"))
                return

    async def _take(self, line: bytes, nursery: trio.Nursery) -> None:
        self._line += 1
        self._consumed += len(line) + 1
        if self._line == 1:
            line = line.removeprefix(_BOM)
        if not line.strip():
            return
        try:
            key, bins, ttl = record_from_json(_text(line), self._options.namespace, self._options.set)
        except InvalidArgError as error:
            self._stop(self._line, error)
            await trio.lowlevel.checkpoint()  # which ends the reading
            return
        write = self._line, key, bins, TTL_NEVER_EXPIRE if ttl is None or self._options.no_ttl else ttl
        waiting = self._waiting.get(key.digest)
        if waiting is not None:
            waiting.append(write)
            await self._room.acquire()
            return
        self._waiting[key.digest] = deque()
        if self._workers < self._options.in_flight and not self._send.statistics().tasks_waiting_receive:
            self._workers += 1
            nursery.start_soon(self._work)
        await self._send.send(write)

    async def _work(self) -> None:
        async for number, key, bins, ttl in self._receive:
            await self._write(number, key, bins, ttl)
            waiting = self._waiting[key.digest]
            while waiting:
                await self._write(*waiting.popleft())
                self._room.release()
            del self._waiting[key.digest]

    async def _write(self, number: int, key: Key, bins: dict[str, Any], ttl: int) -> None:
        if self._failed or number > self._wrong_line:
            return
        policy = self._digest_only if key.user_key is None else self._with_key
        try:
            await self._client.put(key, bins, ttl=ttl, policy=policy)
        except AerospikeError as error:
            self._stop(number, error)
        else:
            self.written += 1
            self._show(self._consumed, self.written)

    def _stop(self, number: int | None, error: AerospikeError) -> None:
        """Stop writing: from this line on if the line is invalid, at once for any other error."""
        if isinstance(error, InvalidArgError) and number is not None:
            earlier = number < self._wrong_line
            self._wrong_line = min(number, self._wrong_line)
        else:
            earlier = not self._failed
            self._failed = True
        if self.problem is None or earlier:
            self.problem, self.problem_line = error, number
        self._reading.cancel()


def _read_some(source: int) -> bytes:
    while True:
        try:
            return os.read(source, _READ_SIZE)
        except BlockingIOError:
            # Another process that shares the descriptor has made it non-blocking.
            wait_until_ready(source, selectors.EVENT_READ)


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgError(f"not UTF-8: byte {line[error.start]:#04x} at {error.start}") from None
