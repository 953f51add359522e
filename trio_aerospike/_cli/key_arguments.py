"""The arguments that name a record, shared by ``get`` and ``put``."""

from __future__ import annotations

import argparse

from ..errors import InvalidArgError
from ..keys import Key, UserKey
from ..validation import shown


def add_key(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a record."""
    parser.add_argument("namespace")
    parser.add_argument("set", help="its set; an empty one for none")
    parser.add_argument("key", help="its user key: text, unless --key-type says otherwise")
    parser.add_argument(
        "--key-type", choices=["str", "int", "bytes", "digest"], default="str", help="bytes and digest in hexadecimal"
    )


def key_of(options: argparse.Namespace) -> Key:
    """Build the key from the arguments.

    Raises:
        InvalidArgError: they do not name a valid key.
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
