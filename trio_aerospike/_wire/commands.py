"""Encode requests of single-record commands: the client's hot path from values to a whole frame.

Plain functions over bytes; parts that many requests share (a set's fields, a bin's header) are kept in bounded caches.
``messages`` has the general form.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from typing import Any

from ..errors import InvalidArgError
from . import writing
from .constants import (
    BIN_NAME_MAX,
    FIELD_DIGEST,
    FIELD_KEY,
    FIELD_NAMESPACE,
    FIELD_SET,
    PARTICLE_BLOB,
    PARTICLE_NULL,
    PARTICLE_STRING,
    PROTO_MESSAGE,
    PROTO_SIZE_MAX,
    PROTO_VERSION,
    TRANSACTION_TTL_NO_LIMIT,
    TRANSACTION_TTL_OFFSET as TRANSACTION_TTL_OFFSET,
)
from .error_text import kind_of, shown
from .particles import encode_value
from .value_faults import scalar_fault

_pack_header = struct.Struct(">Q6BIIIHH").pack
_pack_size = struct.Struct(">I").pack
_pack_field = struct.Struct(">IB").pack
_pack_int = struct.Struct(">q").pack
_MESSAGE_FRAME = PROTO_VERSION << 56 | PROTO_MESSAGE << 48
_SCALARS = frozenset((int, str, float))


def transaction_ttl_of(seconds: float | None) -> int:
    """Convert a timeout to a transaction ttl: whole milliseconds, at least 1; never 0, the server's default.

    Args:
        seconds: None, or infinity, for no limit.
    """
    if seconds is None or seconds == math.inf:
        return TRANSACTION_TTL_NO_LIMIT
    return min(max(int(seconds * 1000.0), 1), TRANSACTION_TTL_NO_LIMIT)


# Applications have few sets and bins. If one creates them without end, the cache is emptied now and then.
_CACHE_MAX = 4096
_key_prefixes: dict[tuple[str, str | None], bytes] = {}
_tails: dict[tuple[int, int, str], tuple[int, bytes]] = {}


def encode_field(kind: int, data: bytes) -> bytes:
    """Encode a field: its size including the id, the id, the data."""
    return _pack_field(len(data) + 1, kind) + data


def _key_prefix(namespace: str, set_name: str | None) -> bytes:
    if len(_key_prefixes) >= _CACHE_MAX:
        _key_prefixes.clear()
    name = namespace.encode()
    group = set_name.encode() if set_name else b""
    # No set is sent as an empty one, as the C client does.
    prefix = encode_field(FIELD_NAMESPACE, name) + encode_field(FIELD_SET, group) + _pack_field(21, FIELD_DIGEST)
    _key_prefixes[namespace, set_name] = prefix
    return prefix


def key_fields(
    namespace: str, set_name: str | None, digest: bytes, user_key: int | str | bytes | None = None
) -> tuple[bytes, int]:
    """Encode the fields of a record's key; return them and their number.

    Args:
        namespace: its namespace.
        set_name: its set, "" or None for none.
        digest: its 20-byte digest.
        user_key: if given, it is sent, and the server stores it with the record.
    """
    prefix = _key_prefixes.get((namespace, set_name))
    if prefix is None:
        prefix = _key_prefix(namespace, set_name)
    if user_key is None:
        return prefix + digest, 3
    return prefix + digest + user_key_field(user_key), 4


def user_key_field(user_key: int | str | bytes) -> bytes:
    """Encode the field of a user key: a particle type byte and the particle."""
    if isinstance(user_key, int):
        try:
            return b"\x00\x00\x00\x0a\x02\x01" + _pack_int(user_key)
        except struct.error:
            raise InvalidArgError(f"user key {scalar_fault(user_key)}") from None
    if isinstance(user_key, str):
        return encode_field(FIELD_KEY, b"%c%b" % (PARTICLE_STRING, user_key.encode()))
    return encode_field(FIELD_KEY, b"%c%b" % (PARTICLE_BLOB, user_key))


def _bin_name(name: str) -> bytes:
    if not isinstance(name, str):
        raise InvalidArgError(f"bin name: got {kind_of(name)} {shown(name)}, allowed: a str")
    try:
        data = name.encode()
    except UnicodeEncodeError:
        raise InvalidArgError(f"bin name {shown(name)} is not valid text: it holds a lone surrogate") from None
    if len(data) > BIN_NAME_MAX:
        raise InvalidArgError(f"bin name {shown(name)} has {len(data)} bytes: at most {BIN_NAME_MAX} are allowed")
    return data


def _tail(op: int, particle: int, name: str) -> tuple[int, bytes]:
    """Return the bytes between the size and the value of an operation, and their length."""
    data = _bin_name(name)
    if len(_tails) >= _CACHE_MAX:
        _tails.clear()
    tail = bytes((op, particle, 0, len(data))) + data
    _tails[op, particle, name] = found = (len(tail), tail)
    return found


def encode_op(op: int, name: str, value: Any) -> bytes:
    """Encode an operation: code, bin name, value; None for no value.

    Raises:
        InvalidArgError: the name is too long, or the database cannot hold the value.
    """
    encoded = writing.scalar_op(op, name, value)
    if encoded is not None:
        return encoded
    try:
        particle, data = encode_value(value)
    except InvalidArgError as error:
        text = str(error)
        if type(value) in _SCALARS:
            text = text.replace("value: ", "value ", 1)
        raise InvalidArgError(f"bin {shown(name)}: {text}") from None
    return encode_particle_op(op, name, particle, data)


def encode_particle_op(op: int, name: str, particle: int, data: bytes) -> bytes:
    """Encode an operation with an encoded particle (list, map, bit and expression operations; answers)."""
    tail = _tails.get((op, particle, name))
    if tail is None:
        tail = _tail(op, particle, name)
    return _pack_size(tail[0] + len(data)) + tail[1] + data


def op_name_only(op: int, name: str) -> bytes:
    """Encode an operation without a value: read a bin, touch, delete (the latter two with an empty name)."""
    return encode_particle_op(op, name, PARTICLE_NULL, b"")


def encode_ops(ops: Iterable[tuple[int, str, Any]]) -> bytes:
    """Encode several operations, each (code, bin name, value); None for no value."""
    return b"".join([encode_op(op, name, value) for op, name, value in ops])


def encode_command(
    info1: int,
    info2: int,
    info3: int,
    info4: int,
    generation: int,
    record_ttl: int,
    transaction_ttl: int,
    fields: bytes,
    n_fields: int,
    ops: bytes,
    n_ops: int,
) -> bytes:
    """Encode the whole frame of a request.

    The transaction ttl (milliseconds) is at :data:`TRANSACTION_TTL_OFFSET` of the frame, and can be changed there.

    Raises:
        InvalidArgError: the request is larger than the server accepts (128 MiB), or has over 65,535 operations.
    """
    size = 22 + len(fields) + len(ops)
    if size > PROTO_SIZE_MAX or n_ops > 0xFFFF:
        raise InvalidArgError(
            f"a request of {size} bytes and {n_ops} operations is too large: the server takes at most {PROTO_SIZE_MAX} "
            "bytes and 65535 operations"
        )
    return (
        _pack_header(
            _MESSAGE_FRAME | size,
            22,
            info1,
            info2,
            info3,
            info4,
            0,
            generation,
            record_ttl,
            transaction_ttl,
            n_fields,
            n_ops,
        )
        + fields
        + ops
    )
