"""``trio-aerospike get``: read a record and print it as JSON."""

from __future__ import annotations

import argparse

from .._client import Client
from ..errors import RecordNotFound
from .connection import FAILED, OK, add_options
from .jsonl import record_to_json, write_json
from .key_arguments import add_key, key_of
from .terminal import complain, say


def add_get(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "get",
        help="read a record",
        description="Read a record and print it as JSON: key, generation, seconds to live (null: no expiry) and bins.",
    )
    add_key(parser)
    parser.add_argument("--bins", metavar="NAME,...", help="these bins only")
    add_options(parser, _get)


async def _get(client: Client, options: argparse.Namespace) -> int:
    key = key_of(options)
    try:
        record = await (client.select(key, options.bins.split(",")) if options.bins else client.get(key))
    except RecordNotFound:
        hint = ""
        if isinstance(key.user_key, str) and key.user_key.removeprefix("-").isdecimal():
            hint = " (this key is a text: --key-type int means the number)"
        complain(f"there is no record {key}{hint}")
        return FAILED
    await say(write_json(record_to_json(record)))
    return OK
