"""``trio-aerospike scan``: print the records of a set or namespace as lines of JSON."""

from __future__ import annotations

import argparse

import trio

from .._client import Client
from .._commands.record_stream import Records, UnreadableRecord
from ..errors import AerospikeError, InvalidArgError, ProtocolError
from ..exp import from_base64
from ..query import PartitionFilter
from ..records import Record
from ..validation import shown
from .connection import OK, SKIPPED, WRONG, add_options, exit_code
from .jsonl import record_to_json, write_json
from .load import positive
from .terminal import Output, complain, counted, open_output, progress, reason

_LINES_AT_A_TIME = 200


def add_scan(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "scan",
        help="read all records of a set or namespace",
        description=(
            "Read all records of a set or namespace and print each as a line of JSON, which `load` reads. They are in "
            "no particular order. Records without a stored key are identified by their digest. A record that cannot "
            "be decoded is reported on the error output and skipped."
        ),
    )
    parser.add_argument("namespace")
    parser.add_argument("set", nargs="?", help="the set; default: the whole namespace")
    parser.add_argument("--bins", metavar="NAME,...", help="only these bins, and only records that have any of them")
    parser.add_argument("--no-bins", action="store_true", help="keys and metadata only")
    parser.add_argument("--filter", metavar="BASE64", help="a filter expression, in base64")
    parser.add_argument("--max", type=positive, metavar="N", help="at most this many records")
    parser.add_argument("--rate", type=positive, metavar="N", help="records per second that each server may read")
    parser.add_argument("--partitions", metavar="FIRST[:COUNT]", help="a part of the 4096 partitions")
    parser.add_argument("--output", metavar="FILE", help="write to this file instead of the standard output")
    add_options(parser, _scan)


async def _scan(client: Client, options: argparse.Namespace) -> int:
    query = client.query(
        options.namespace,
        options.set,
        filter=None if options.filter is None else from_base64(options.filter),
        bins=[] if options.no_bins else options.bins.split(",") if options.bins else None,
        max_records=options.max,
        records_per_second=options.rate,
        partitions=_partitions(options.partitions),
    )
    scanner = _Scanner(query, options.max)
    try:
        async with open_output(options.output) as output:
            await scanner.run(output)
    except OSError as error:
        complain(f"--output: {options.output}: {reason(error)}")
        return WRONG
    if scanner.problem is not None:
        after = f"after {counted(scanner.count, 'record')}: " if scanner.count else ""
        complain(f"{after}{scanner.problem}")
        return exit_code(scanner.problem)
    if scanner.skipped:
        complain(f"{counted(scanner.skipped, 'record')} could not be decoded")
        return SKIPPED
    return OK


class _Scanner:
    """Writes the records of a query as lines of JSON.

    Attributes:
        count: records written.
        skipped: records that could not be decoded.
        problem: the error that ended it early.
    """

    def __init__(self, query: Records, total: int | None) -> None:
        self._query = query
        self._total = total
        self._lines: list[str] = []
        self.count = 0
        self.skipped = 0
        self.problem: AerospikeError | None = None

    async def run(self, output: Output) -> None:
        """Write all records, or those before an error.

        Raises:
            OutputError: the output cannot be written.
        """
        with progress("record", self._total, hidden=output.is_terminal) as show:
            try:
                async with self._query as records:
                    async for record in records:
                        await self._take(record)
                        if len(self._lines) == _LINES_AT_A_TIME:
                            await self._write(output)
                            show(self.count, self.count)
            except AerospikeError as error:
                self.problem = error
            await self._write(output)
            show(self.count, self.count)

    async def _take(self, record: Record) -> None:
        try:
            if isinstance(record, UnreadableRecord):
                raise record.error
            self._lines.append(write_json(record_to_json(record)))
        except (ProtocolError, InvalidArgError, RecursionError) as error:
            self.skipped += 1
            text = f"{_name(record)} cannot be decoded: {error}"
            await trio.to_thread.run_sync(complain, text, abandon_on_cancel=True)

    async def _write(self, output: Output) -> None:
        if self._lines:
            await output.write("\n".join(self._lines) + "\n")
            self.count += len(self._lines)
            self._lines.clear()


def _name(record: Record) -> str:
    key = record.key
    named = "" if key.user_key is None else f", key {shown(key.user_key)}"
    return f"the record of namespace {key.namespace}, set {key.set_name!r}{named}, digest {key.digest.hex()}"


def _partitions(text: str | None) -> PartitionFilter | None:
    if text is None:
        return None
    first, _, count = text.partition(":")
    try:
        return PartitionFilter.by_range(int(first), int(count or 1))
    except ValueError as error:  # includes InvalidArgError
        words = f": {error}" if isinstance(error, InvalidArgError) else ""
        raise InvalidArgError(f"--partitions: got {shown(text)}, allowed: FIRST or FIRST:COUNT{words}") from None
