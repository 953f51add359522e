"""``trio-aerospike load``: many records from lines of JSON."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

import attrs
import trio

from .._client import Client
from ..errors import AerospikeError, InvalidArgError
from ..keys import Key
from ..policies import TTL_NEVER_EXPIRE
from .connecting import FAILED, OK, WRONG, add_options
from .jsonl import record_from_json
from .terminal import complain, progress, say

_READ_SIZE = 256 * 1024
_Write = tuple[int, Key, dict[str, Any], int]


def add_load(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Make the command known."""
    parser = commands.add_parser(
        "load",
        help="write records from lines of JSON",
        description=(
            "Write the records of a file, or of the standard input, one JSON object a line as `get` and `scan` print "
            "them. Stops at the first line that is wrong; what was written until then stays."
        ),
    )
    parser.add_argument("file", nargs="?", default="-", help="the file; - for the standard input")
    parser.add_argument("--namespace", help="in place of the lines' own")
    parser.add_argument("--set", help="in place of the lines' own")
    parser.add_argument("--in-flight", type=positive, default=256, metavar="N", help="writes at a time (default: 256)")
    parser.add_argument("--no-ttl", action="store_true", help="let the records live for ever, whatever the lines say")
    add_options(parser, _load)


def positive(text: str) -> int:
    """A number of things, for argparse."""
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 100_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return number


async def _load(client: Client, options: argparse.Namespace) -> int:
    try:
        size = None if options.file == "-" else os.stat(options.file).st_size
        source = sys.stdin.fileno() if size is None else os.open(options.file, os.O_RDONLY)
    except OSError as error:
        complain(f"{options.file}: {error.strerror}")
        return WRONG
    loader = _Loader(client, options)
    with progress("loading (bytes)", size) as show:
        await loader.run(source, show)
    say(f"{loader.written} records written")
    if loader.problem is None:
        return OK
    complain(loader.problem)
    return WRONG if isinstance(loader.problem, InvalidArgError) else FAILED


class _Loader:
    """Reads lines, and has a bounded number of writes under way.

    Attributes:
        written: how many records are.
        problem: why it stopped early.
    """

    def __init__(self, client: Client, options: argparse.Namespace) -> None:
        self._client = client
        self._options = options
        self._line = 0
        # Keys are kept with the records, so that a scan can tell them.
        self._policy = attrs.evolve(client.config.write_policy, send_key=True)
        self.written = 0
        self.problem: AerospikeError | None = None

    async def run(self, source: int, show: Callable[[int], None]) -> None:
        """Write what there is; after a problem nothing more is begun, and what is under way is waited for.

        Args:
            source: a descriptor to read from.
            show: told how many bytes have been read.
        """
        send, receive = trio.open_memory_channel[_Write](0)
        async with trio.open_nursery() as nursery:
            for _ in range(self._options.in_flight):
                nursery.start_soon(self._work, receive)
            async with send:
                read = 0
                rest = b""
                while self.problem is None:
                    # A pipe may be silent for long. Ctrl-C does not wait for it, and neither does the interpreter's end
                    # where the descriptor itself is read: a buffered file would be locked by the thread left behind.
                    data = await trio.to_thread.run_sync(os.read, source, _READ_SIZE, abandon_on_cancel=True)
                    *lines, rest = (rest + data).split(b"\n")
                    read += len(data)
                    await self._feed(lines if data else [*lines, rest], send)
                    show(read)
                    if not data:
                        break

    async def _feed(self, lines: list[bytes], send: trio.MemorySendChannel[_Write]) -> None:
        for line in lines:
            self._line += 1
            if not line.strip():
                continue
            try:
                key, bins, ttl = record_from_json(_text(line), self._options.namespace, self._options.set)
            except InvalidArgError as error:
                self._stop(self._line, error)
            if self.problem is not None:
                return
            await send.send((self._line, key, bins, TTL_NEVER_EXPIRE if ttl is None or self._options.no_ttl else ttl))

    async def _work(self, receive: trio.MemoryReceiveChannel[_Write]) -> None:
        async for number, key, bins, ttl in receive:
            try:
                await self._client.put(key, bins, ttl=ttl, policy=self._policy)
            except AerospikeError as error:
                self._stop(number, error)
            else:
                self.written += 1

    def _stop(self, number: int, error: AerospikeError) -> None:
        if self.problem is None:
            error.args = (f"line {number}: {error}",)
            self.problem = error


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgError(f"this is not UTF-8: {error}") from None
