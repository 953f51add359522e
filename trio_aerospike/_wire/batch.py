"""Encode batch requests.

Facts: ``as_batch_queue_task`` and the flags in the server's ``as/src/base/batch.c``; the C client's
``aerospike_batch.c``. A request is a message with one field: a count, flags, and rows; a row that differs from the
previous one only in its digest is sent as a repetition. ``batch_answers`` decodes answers; ``batch_messages`` has the
general form.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from ..errors import InvalidArgError
from .commands import encode_command, encode_field, op_name_only
from .constants import (
    BATCH_INLINE,
    BATCH_REPORT_ERROR_RECORD,
    BATCH_RESPOND_ALL,
    BATCH_ROW_GENERATION,
    BATCH_ROW_INFO,
    BATCH_ROW_REPEAT,
    BATCH_ROW_TTL,
    FIELD_BATCH_INDEX,
    FIELD_FILTER,
    FIELD_NAMESPACE,
    FIELD_SET,
    INFO1_BATCH,
    INFO1_GET_ALL,
    INFO1_GET_NO_BINS,
    INFO1_READ,
    OP_READ,
    PROTO_SIZE_MAX,
)

_pack_index = struct.Struct(">I").pack
_pack_counts = struct.Struct(">HH").pack
_pack_count = struct.Struct(">IB").pack
_pack_u16 = struct.Struct(">H").pack
_pack_head = struct.Struct(">I20s").pack
_pack_row = struct.Struct(">I20sB").pack

# The headers of message, field and row, namespace and set, and room for a filter of the whole batch.
_ROOM_FOR_HEADS = 1024 * 1024


def encode_batch(
    rows: Iterable[bytes],
    count: int,
    *,
    flags: int = BATCH_INLINE | BATCH_RESPOND_ALL | BATCH_REPORT_ERROR_RECORD,
    info1: int = 0,
    info3: int = 0,
    transaction_ttl: int = 0,
    filter_expression: bytes | None = None,
) -> bytes:
    """Encode the frame of a batch of encoded rows.

    Args:
        rows: pieces that joined are the ``count`` rows.
        flags: ``BATCH_*``.
        info1: bits besides INFO1_BATCH (INFO1_COMPRESS_RESPONSE).
        info3: the read modes for strong consistency, for rows without their own.
        transaction_ttl: milliseconds.
        filter_expression: excludes the records for which it is not true.

    Raises:
        InvalidArgError: larger than the server accepts.
    """
    fields = encode_field(FIELD_BATCH_INDEX, b"".join((_pack_count(count, flags), *rows)))
    n_fields = 1
    if filter_expression is not None:
        fields = encode_field(FIELD_FILTER, filter_expression) + fields
        n_fields = 2
    return encode_command(INFO1_BATCH | info1, 0, info3, 0, 0, 0, transaction_ttl, fields, n_fields, b"", 0)


def encode_batch_read(
    keys: Sequence[tuple[int, str, str | None, bytes]],
    bins: Sequence[str] | None = None,
    *,
    flags: int = BATCH_INLINE | BATCH_RESPOND_ALL | BATCH_REPORT_ERROR_RECORD,
    row_info1: int = 0,
    row_info3: int = 0,
    read_touch_ttl: int = 0,
    info1: int = 0,
    transaction_ttl: int = 0,
    filter_expression: bytes | None = None,
) -> bytes:
    """Encode the frame of a batch that reads ``keys``.

    Args:
        keys: (index, namespace, set, digest) each; the answer has the index of each row.
        bins: the bins to read; None for all, an empty sequence for no bins (only metadata).
        row_info1: read modes of the rows (INFO1_CONSISTENCY_LEVEL_ALL).
        row_info3: read modes of the rows (INFO3_SC_*).
        read_touch_ttl: the effect of a read on the record's ttl, as in a read command.

    Other arguments: :func:`encode_batch`.

    Raises:
        InvalidArgError: larger than the server accepts, or a bin's name is too long.
    """
    infos, ops, n_ops = read_row(bins, row_info1, row_info3)
    row_payloads: dict[tuple[str, str | None], bytes] = {}
    parts: list[bytes] = []
    previous: bytes | None = None
    for index, namespace, set_name, digest in keys:
        rest = row_payloads.get((namespace, set_name))
        if rest is None:
            rest = row_payloads[namespace, set_name] = encode_row_payload(
                namespace, set_name, infos, record_ttl=read_touch_ttl, ops=ops, n_ops=n_ops
            )
        if rest is previous:
            parts.append(_pack_row(index, digest, BATCH_ROW_REPEAT))
        else:
            parts += (_pack_head(index, digest), rest)
            previous = rest
    return encode_batch(
        parts,
        len(keys),
        flags=flags,
        info1=info1,
        transaction_ttl=transaction_ttl,
        filter_expression=filter_expression,
    )


def read_row(bins: Sequence[str] | None, info1: int, info3: int) -> tuple[tuple[int, int, int], bytes, int]:
    """Encode the read of bins for a row: info1 to info3, the operations, and their number.

    Args:
        bins: their names; None for all, an empty sequence for no bins (only metadata).
        info1, info3: read modes.

    Raises:
        InvalidArgError: a bin's name is too long.
    """
    info1 |= INFO1_READ
    if bins is None:
        return (info1 | INFO1_GET_ALL, 0, info3), b"", 0
    if not bins:
        return (info1 | INFO1_GET_NO_BINS, 0, info3), b"", 0
    return (info1, 0, info3), b"".join([op_name_only(OP_READ, name) for name in bins]), len(bins)


def encode_row_payload(
    namespace: str,
    set_name: str | None,
    infos: tuple[int, int, int],
    *,
    record_ttl: int = 0,
    generation: int | None = None,
    fields: bytes = b"",
    n_fields: int = 0,
    ops: bytes = b"",
    n_ops: int = 0,
) -> bytes:
    """Encode the part of a row behind its digest, which starts with the flags.

    Args:
        namespace, set_name: of the record.
        infos: info1 to info3.
        record_ttl: of the message header.
        generation: omitted for None, as in rows that read; else two bytes here, four in a message.
        fields: further encoded fields; n_fields: their number.
        ops: encoded operations; n_ops: their number.

    Raises:
        InvalidArgError: more operations than a row can have, or more bytes than a request.
    """
    if n_ops > 0xFFFF:
        raise InvalidArgError(f"{n_ops} operations are too many for a record of a batch: at most 65535 are allowed")
    if generation is None:
        head = bytes((BATCH_ROW_INFO | BATCH_ROW_TTL, *infos))
    else:
        head = bytes((BATCH_ROW_INFO | BATCH_ROW_GENERATION | BATCH_ROW_TTL, *infos)) + _pack_u16(generation)
    place = place_fields(namespace, set_name)
    size = len(fields) + len(ops)
    if size > PROTO_SIZE_MAX - _ROOM_FOR_HEADS:
        raise InvalidArgError(f"a record of {size} bytes is too large: a request has at most {PROTO_SIZE_MAX}")
    return b"".join((head, _pack_index(record_ttl), _pack_counts(2 + n_fields, n_ops), place, fields, ops))


def encode_indexed(
    indexes: Sequence[int], digests: Sequence[bytes], row_payloads: Sequence[bytes], *, alike: bool = False
) -> list[bytes]:
    """Encode rows of a batch, as pieces for :func:`encode_batch`.

    Args:
        indexes: of the rows; the answer has the index of each row.
        digests: of all rows of the batch.
        row_payloads: of all rows, the bytes behind the digest (:func:`encode_row_payload`). If two consecutive rows
            share one object, the second is sent as a repetition; the server does not allow that for rows with a user
            key, so these must not share theirs.
        alike: whether all of ``row_payloads`` are known to be one object.
    """
    if not alike:
        payloads = _these(row_payloads, indexes)
        if not all_same(payloads):
            return _encode_different(indexes, digests, payloads)
    # All payloads are the same: encoding by columns takes a fifth of the time of row by row.
    pieces = [_REPEAT] * (3 * len(indexes))
    pieces[0::3] = _packed(indexes)
    pieces[1::3] = _these(digests, indexes)
    pieces[2] = row_payloads[indexes[0]]
    return pieces


def all_same(row_payloads: Sequence[bytes]) -> bool:
    """Whether all items are the same object."""
    first = row_payloads[0]
    for rest in row_payloads:  # noqa: SIM110 - all() takes three times as long
        if rest is not first:
            return False
    return True


def _encode_different(indexes: Sequence[int], digests: Sequence[bytes], row_payloads: Sequence[bytes]) -> list[bytes]:
    parts: list[bytes] = []
    append = parts.append
    previous: bytes | None = None
    for index, rest in zip(indexes, row_payloads, strict=True):
        if rest is previous:
            append(_pack_row(index, digests[index], BATCH_ROW_REPEAT))
        else:
            append(_pack_head(index, digests[index]))
            append(rest)
            previous = rest
    return parts


def _these(items: Sequence[bytes], indexes: Sequence[int]) -> Sequence[bytes]:
    """Return the items with these indexes."""
    if isinstance(indexes, range) and indexes.step == 1:
        return items[indexes.start : indexes.stop]
    return [items[index] for index in indexes]


_REPEAT = bytes((BATCH_ROW_REPEAT,))
#: Packed indexes, which are the same in every batch: as many as a batch has needed, up to a bound. Replaced rather than
#: extended, as there may be clients in several threads.
_packed_indexes: list[bytes] = []
_PACKED_MAX = 1 << 14


def _packed(indexes: Sequence[int]) -> Sequence[bytes]:
    global _packed_indexes
    end = max(indexes[0], indexes[-1]) + 1
    if end > _PACKED_MAX:
        return [_pack_index(index) for index in indexes]
    packed = _packed_indexes
    if len(packed) < end:
        _packed_indexes = packed = [_pack_index(index) for index in range(1 << (end - 1).bit_length())]
    return _these(packed, indexes)


#: Encoded pairs of fields: a program has a few, and every row needs one.
_places: dict[tuple[str, str | None], bytes] = {}
_PLACES_MAX = 4096


def place_fields(namespace: str, set_name: str | None) -> bytes:
    """Encode the namespace and set fields of a row."""
    fields = _places.get((namespace, set_name))
    if fields is None:
        if len(_places) >= _PLACES_MAX:
            _places.clear()
        group = set_name.encode() if set_name else b""
        fields = encode_field(FIELD_NAMESPACE, namespace.encode()) + encode_field(FIELD_SET, group)
        _places[namespace, set_name] = fields
    return fields
