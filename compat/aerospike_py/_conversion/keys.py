"""Convert the key tuples of aerospike_py, which hashes a user key of bytes as text."""

from __future__ import annotations

from typing import Any

from trio_aerospike.keys import Key, as_key
from trio_aerospike.validation import refused

_ALLOWED = "a tuple (namespace, set, user key) or (namespace, set, user key, digest); a key must be a tuple"
_BYTES = (bytes, bytearray, memoryview)
_NO_KEYS = (bool, float, list, dict, tuple)


def to_key(key: Any) -> Key:
    """Convert a key tuple into a Key.

    A user key of bytes gets the digest of text, as in aerospike_py 0.14.4 and unlike ``trio_aerospike.Key``. A Key of
    trio_aerospike is taken as it is, which is how a program reaches a record that was hashed as a blob.

    Args:
        key: A tuple of namespace, set and user key, with or without a digest, such as an AerospikeKey.

    Raises:
        InvalidArgError: It is not a key, or a part of it is not allowed.
    """
    if not isinstance(key, tuple):
        if isinstance(key, Key):
            return key
        raise refused("key", key, _ALLOWED)
    size = len(key)
    if size == 3:
        namespace, set_name, user_key = key
        kind = type(user_key)
        if kind is not str and kind is not int:
            if isinstance(user_key, _BYTES):
                return Key.with_text_digest(namespace, set_name, bytes(user_key))
            if user_key is None or isinstance(user_key, _NO_KEYS):
                allowed = "an int of 64 bits, a str or bytes; other data is not supported as Key value"
                raise refused("Key.user_key", user_key, allowed)
        return Key(namespace, set_name, user_key)
    if size < 3:
        raise refused("key", key, f"{_ALLOWED} and must have at least 3 elements")
    if size > 4:
        raise refused("key", key, f"{_ALLOWED} and must have 3 or 4 elements")
    digest = key[3]
    if digest is None:
        return to_key(key[:3])
    if isinstance(digest, (bytes, bytearray)) and len(digest) != 20:
        raise refused("Key.digest", digest, f"20 bytes: it must be exactly 20 bytes, got {len(digest)}")
    return as_key(key)
