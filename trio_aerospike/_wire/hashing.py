"""Compute RIPEMD-160, the hash of keys (server: ``as/src/base/key.c`` hashes on behalf of old clients in the same way).

Modules that are compiled use the function of the same name in ``hashing.pxd``: OpenSSL takes most of its time for a few
bytes to set up a hash.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from typing import Any, Protocol


class HashState(Protocol):
    """A hash state that can be copied and updated."""

    def copy(self) -> HashState: ...
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


def _find_ripemd160() -> Callable[[], HashState]:
    """Return the function that creates an empty hash: a copy of one takes a third of the time of a lookup by name."""
    # OpenSSL 3 moved RIPEMD-160 into its legacy provider; some builds do not have it at all.
    try:
        return hashlib.new("ripemd160", usedforsecurity=False).copy
    except ValueError:
        pass
    try:
        module: Any = importlib.import_module("Crypto.Hash.RIPEMD160")
    except ImportError:

        def missing() -> HashState:
            raise RuntimeError(
                "keys are hashed with RIPEMD-160, which this Python's OpenSSL does not offer: install trio-aerospike "
                "where a C compiler is, enable OpenSSL's legacy provider, or install pycryptodome"
            )

        return missing
    empty: HashState = module.new()
    return empty.copy


new_state = _find_ripemd160()


def ripemd160(data: bytes) -> bytes:
    """Return the hash of some bytes: 20 bytes."""
    state = new_state()
    state.update(data)
    return state.digest()
