"""``trio-aerospike put``: write bins, given as JSON, into a record."""

from __future__ import annotations

import argparse

import attrs

from .._client import Client
from ..errors import InvalidArgError
from ..policies import TTL_NEVER_EXPIRE
from ..validation import shown
from .connection import OK, add_options
from .jsonl import NotJSON, bin_from_json, read_json
from .key_arguments import add_key, key_of


def add_put(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "put",
        help="write bins into a record",
        description=(
            "Write bins into a record, which is created if necessary. A value is JSON, or else text: age=41 "
            'tags=\'["a"]\' name=Ann. NaN and Infinity are text; as floats they are \'{"$float": "nan"}\'. null '
            "removes a bin."
        ),
    )
    add_key(parser)
    parser.add_argument("bins", nargs="+", metavar="BIN=VALUE")
    parser.add_argument(
        "--ttl", type=int, metavar="SECONDS", help="seconds to live, -1 for no expiry (default: the server's)"
    )
    add_options(parser, _put)


async def _put(client: Client, options: argparse.Namespace) -> int:
    bins: dict[str, object] = {}
    for text in options.bins:
        name, value = _bin(text)
        if name in bins:
            raise InvalidArgError(f"bins: got {shown(name)} twice, allowed: each bin once")
        bins[name] = value
    ttl = TTL_NEVER_EXPIRE if options.ttl == -1 else options.ttl
    # The user key is stored with the record, so that a scan can return it.
    await client.put(key_of(options), bins, ttl=ttl, policy=attrs.evolve(client.config.write_policy, send_key=True))
    return OK


def _bin(text: str) -> tuple[str, object]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise InvalidArgError(f"bins: got {shown(text)}, allowed: NAME=VALUE")
    try:
        document = read_json(value)
    except NotJSON:
        return name, value
    except InvalidArgError as error:
        raise InvalidArgError(f"bin {shown(name)}: {error}") from None
    return name, bin_from_json(name, document)
