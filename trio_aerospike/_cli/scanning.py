"""``trio-aerospike scan``: the records of a set, as lines of JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import IO

import trio

from .._client import Client
from ..errors import AerospikeError
from ..exp import from_base64
from ..query import PartitionFilter
from .connecting import FAILED, OK, WRONG, add_options
from .jsonl import record_to_json
from .terminal import complain, progress
from .transfer import positive

_SHOW_EVERY = 500
_LINES_AT_A_TIME = 200


def add_scan(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Make the command known."""
    parser = commands.add_parser(
        "scan",
        help="read all records of a set or namespace",
        description=(
            "Read all records of a set or namespace and print each as a line of JSON, which `load` reads. The order is "
            "that of no key. Records are known by their digest where no key was stored with them."
        ),
    )
    parser.add_argument("namespace")
    parser.add_argument("set", nargs="?", help="the set; all of the namespace without it")
    parser.add_argument(
        "--bins", metavar="NAME,...", help="these bins only; records that have none of them are left out"
    )
    parser.add_argument("--no-bins", action="store_true", help="keys and metadata only")
    parser.add_argument("--filter", metavar="BASE64", help="an expression that records have to meet, in base64")
    parser.add_argument("--max", type=positive, metavar="N", help="this many records at the most")
    parser.add_argument("--rate", type=positive, metavar="N", help="records a second that each server may look at")
    parser.add_argument("--partitions", metavar="FIRST[:COUNT]", help="a part of the 4096 partitions")
    parser.add_argument("--output", metavar="FILE", help="write to this file, in place of the standard output")
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
    try:
        file: IO[str] = sys.stdout if options.output is None else open(options.output, "w", encoding="utf-8")  # noqa: ASYNC230, SIM115
    except OSError as error:
        complain(f"--output: {options.output}: {os.strerror(error.errno or 0)}")
        return WRONG
    count = 0
    try:
        with progress("records", options.max) as show:
            async with query as records:
                lines: list[str] = []
                async for record in records:
                    lines.append(json.dumps(record_to_json(record), ensure_ascii=False))
                    count += 1
                    if len(lines) == _LINES_AT_A_TIME:
                        # Whoever reads may be slow: nothing else of the program has to wait for that.
                        await _write(file, lines)
                    if count % _SHOW_EVERY == 0:
                        show(count)
                await _write(file, lines)
                show(count)
    except AerospikeError as error:
        complain(f"after {count} records: {error}")
        return FAILED
    finally:
        if file is not sys.stdout:
            file.close()
    return OK


async def _write(file: IO[str], lines: list[str]) -> None:
    if lines:
        text = "\n".join(lines) + "\n"
        lines.clear()
        await trio.to_thread.run_sync(_write_now, file, text, abandon_on_cancel=True)


def _write_now(file: IO[str], text: str) -> None:
    file.write(text)
    file.flush()


def _partitions(text: str | None) -> PartitionFilter | None:
    if text is None:
        return None
    first, _, count = text.partition(":")
    try:
        begin, number = int(first), int(count or 1)
    except ValueError:
        begin, number = -1, 0
    return PartitionFilter.by_range(begin, number)
