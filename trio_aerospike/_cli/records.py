"""``trio-aerospike get`` and ``trio-aerospike put``: one record, as JSON."""

from __future__ import annotations

import argparse

import attrs

from .._client import Client
from ..errors import InvalidArgError, RecordNotFound
from ..keys import Key, UserKey
from ..policies import TTL_NEVER_EXPIRE
from ..validation import shown
from .connecting import FAILED, OK, add_options
from .jsonl import NotJSON, bin_from_json, read_json, record_to_json, write_json
from .terminal import complain, say


def add_key(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a record."""
    parser.add_argument("namespace")
    parser.add_argument("set", help="its set; an empty one for none")
    parser.add_argument("key", help="its user key: text, unless --key-type says otherwise")
    parser.add_argument(
        "--key-type", choices=["str", "int", "bytes", "digest"], default="str", help="bytes and digest in hexadecimal"
    )


def key_of(options: argparse.Namespace) -> Key:
    """The key that the arguments name.

    Raises:
        InvalidArgError: they name none.
    """
    text: str = options.key
    try:
        if options.key_type == "digest":
            return Key.from_digest(options.namespace, options.set, bytes.fromhex(text))
        user_key: UserKey = text
        if options.key_type == "int":
            user_key = int(text)
        elif options.key_type == "bytes":
            user_key = bytes.fromhex(text)
    except InvalidArgError:
        raise
    except ValueError:
        raise InvalidArgError(f"key: got {shown(text)}, allowed: what --key-type {options.key_type} can read") from None
    return Key(options.namespace, options.set, user_key)


def add_get(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Make the command known."""
    parser = commands.add_parser(
        "get",
        help="read a record",
        description="Read a record and print it as JSON: key, generation, seconds to live (null for ever) and bins.",
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


def add_put(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Make the command known."""
    parser = commands.add_parser(
        "put",
        help="write bins into a record",
        description=(
            "Write bins into a record, which is created if need be. A value is JSON, or else text: age=41 "
            'tags=\'["a"]\' name=Ann. NaN and Infinity are text; as floats they are \'{"$float": "nan"}\'. null '
            "removes a bin."
        ),
    )
    add_key(parser)
    parser.add_argument("bins", nargs="+", metavar="BIN=VALUE")
    parser.add_argument(
        "--ttl", type=int, metavar="SECONDS", help="seconds to live, -1 for ever (default: the server's)"
    )
    add_options(parser, _put)


async def _put(client: Client, options: argparse.Namespace) -> int:
    bins: dict[str, object] = {}
    for text in options.bins:
        name, value = _bin(text)
        if name in bins:
            raise InvalidArgError(f"bins: {shown(name)} is given twice")
        bins[name] = value
    ttl = TTL_NEVER_EXPIRE if options.ttl == -1 else options.ttl
    # The key is kept with the record, so that a scan can tell it.
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
