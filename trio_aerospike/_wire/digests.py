"""Compute digests of keys, and the partitions of digests."""

from __future__ import annotations

import hashlib
import importlib
import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from ..errors import InvalidArgError
from .constants import DIGEST_SIZE, N_PARTITIONS
from .error_text import kind_of, shown

#: The hashed form of an integer: its particle type, 1, and 8 bytes, big endian.
pack_int_key = struct.Struct(">Bq").pack
_PARTITION_MASK = N_PARTITIONS - 1


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
                "keys are hashed with RIPEMD-160, which this Python's OpenSSL does not offer: enable OpenSSL's legacy "
                "provider or install pycryptodome"
            )

        return missing
    empty: HashState = module.new()
    return empty.copy


_ripemd160 = _find_ripemd160()


def set_state(set_name: str | None) -> HashState:
    """Return the hash state that the digests of a set's keys start from.

    A copy of it is updated with a byte of particle type and the key, and gives the record's digest; see
    :func:`compute_digest`.

    Args:
        set_name: the set, None or "" for none.
    """
    state = _ripemd160()
    if set_name:
        state.update(set_name.encode())
    return state


def compute_digest(set_name: str | None, user_key: int | str | bytes | bytearray | memoryview) -> bytes:
    """Compute the digest: the 20 bytes that identify a record within its namespace.

    RIPEMD-160 over set name, particle type byte of the key, and key (integers as 8 bytes, big endian). C client:
    ``as_key.c``.

    Args:
        set_name: the set, None or "" for none.
        user_key: the application's key, a 64-bit integer, text or bytes.

    Raises:
        InvalidArgError: the key is of another type or does not fit.
    """
    prefix = set_name.encode() if set_name else b""
    kind = type(user_key)
    try:
        if kind is str:
            data = prefix + b"\x03" + user_key.encode()  # type: ignore[union-attr]
        elif kind is int:
            data = prefix + pack_int_key(1, user_key)
        elif isinstance(user_key, (bytes, bytearray, memoryview)):
            data = prefix + b"\x04" + bytes(user_key)
        elif isinstance(user_key, str):
            data = prefix + b"\x03" + str.__str__(user_key).encode()
        elif kind is not bool and isinstance(user_key, int):
            data = prefix + pack_int_key(1, user_key)
        else:
            raise InvalidArgError(
                f"user key: got {kind_of(user_key)} {shown(user_key)}, allowed: a 64-bit int, str or bytes"
            )
    except struct.error:
        raise InvalidArgError(f"user key {shown(user_key)} does not fit: integers are 64 bits, signed") from None
    except UnicodeEncodeError:
        raise InvalidArgError(f"user key {shown(user_key)} is not valid text: it holds a lone surrogate") from None
    state = _ripemd160()
    state.update(data)
    return state.digest()


def partition_id(digest: bytes) -> int:
    """Return the partition (0 to 4095) of a digest: its first two bytes, little endian, modulo 4096."""
    return (digest[0] | digest[1] << 8) & _PARTITION_MASK


#: Maps a byte to its lower half.
_LOWER_HALF = bytes(byte & 15 for byte in range(256))


def partition_ids(digests: Iterable[bytes]) -> Sequence[int]:
    """Return the partitions of many digests, by columns: an eighth of the time of one by one."""
    joined = b"".join(digests)
    size = DIGEST_SIZE
    columns = bytearray(len(joined) // size * 2)
    columns[0::2] = joined[0::size]
    columns[1::2] = joined[1::size].translate(_LOWER_HALF)
    found = array("H", bytes(columns))
    if sys.byteorder == "big":
        found.byteswap()
    return found
