"""Batches: many records in one request, rows of answers in any order.

Facts: ``as_batch_queue_task`` and the flags in the server's ``as/src/base/batch.c``; the C client's
``aerospike_batch.c``. A request is a message with one field: a count, flags, and rows; a row that differs from the one
before it only in its record says "repeat". How the client reads answers is in ``batch_answers``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from ..errors import InvalidArgError, ProtocolError
from .batch_answers import BatchRow as BatchRow, decode_batch_response as decode_batch_response
from .commands import encode_field, op_name_only
from .constants import (
    BATCH_INLINE,
    BATCH_REPORT_ERROR_RECORD,
    BATCH_RESPOND_ALL,
    BATCH_ROW_GENERATION,
    BATCH_ROW_INFO,
    BATCH_ROW_INFO4,
    BATCH_ROW_REPEAT,
    BATCH_ROW_TTL,
    FIELD_BATCH_INDEX,
    FIELD_BATCH_WITH_SET,
    FIELD_FILTER,
    FIELD_KEY,
    FIELD_NAMESPACE,
    FIELD_SET,
    INFO1_BATCH,
    INFO1_GET_ALL,
    INFO1_GET_NO_BINS,
    INFO1_READ,
    INFO3_LAST,
    INFO3_SC_READ_RELAX,
    INFO3_SC_READ_TYPE,
    OP_READ,
    PROTO_MESSAGE,
    PROTO_SIZE_MAX,
)
from .frames import encode_frame
from .messages import (
    Field,
    Message,
    Op,
    decode_fields,
    decode_ops,
    encode_message,
    encode_raw_op,
)
from .particles import decode_value

_pack_index = struct.Struct(">I").pack
_pack_counts = struct.Struct(">HH").pack
_pack_count = struct.Struct(">IB").pack
_pack_u16 = struct.Struct(">H").pack
_pack_head = struct.Struct(">I20s").pack
_pack_row = struct.Struct(">I20sB").pack
_read_u16 = struct.Struct(">H").unpack_from
_read_u32 = struct.Struct(">I").unpack_from

ROW_SIZE_MIN = 25  # index, digest, flags
# The heads of message, field and row, namespace and set, and more than a filter of the whole batch has.
_ROOM_FOR_HEADS = 1024 * 1024


# --- requests --------------------------------------------------------------------------------------------------------


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
    """The frame of a batch of encoded rows.

    Args:
        rows: pieces whose bytes in a row are the rows, ``count`` of them.
        flags: ``BATCH_*``.
        info1: bits besides INFO1_BATCH (INFO1_COMPRESS_RESPONSE).
        info3: the read modes for strong consistency, for rows without their own.
        transaction_ttl: milliseconds.
        filter_expression: leaves out the records it is not true of.

    Raises:
        InvalidArgError: larger than the server accepts.
    """
    fields = [Field(FIELD_BATCH_INDEX, _pack_count(count, flags) + b"".join(rows))]
    if filter_expression is not None:
        fields.insert(0, Field(FIELD_FILTER, filter_expression))
    message = Message(info1=INFO1_BATCH | info1, info3=info3, transaction_ttl=transaction_ttl, fields=tuple(fields))
    return encode_frame(PROTO_MESSAGE, encode_message(message))


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
    """The frame that reads the records of ``keys``.

    Args:
        keys: (index, namespace, set, digest) each; the index comes back with the row.
        bins: the bins to read; None for all, an empty sequence for none (does it exist?).
        row_info1: read modes of the rows (INFO1_CONSISTENCY_LEVEL_ALL).
        row_info3: read modes of the rows (INFO3_SC_*).
        read_touch_ttl: what a read does to the record's ttl, as the record ttl of a read command.

    Other arguments: :func:`encode_batch`.

    Raises:
        InvalidArgError: larger than the server accepts, or a bin's name is too long.
    """
    infos, ops, n_ops = read_row(bins, row_info1, row_info3)
    rests: dict[tuple[str, str | None], bytes] = {}
    parts: list[bytes] = []
    previous: bytes | None = None
    for index, namespace, set_name, digest in keys:
        rest = rests.get((namespace, set_name))
        if rest is None:
            rest = rests[namespace, set_name] = encode_rest(
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
    """What a row that reads some bins says: info1 to info3, its operations, and how many they are.

    Args:
        bins: their names; None for all, an empty sequence for none (does the record exist?).
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


def encode_rest(
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
    """What stands behind the digest in a row, the flags first.

    Args:
        namespace, set_name: where the record lives.
        infos: info1 to info3.
        record_ttl: of the message header.
        generation: left out for None, as in rows that read; else two bytes here, four in a message.
        fields: further ones, encoded; n_fields: how many.
        ops: operations, encoded; n_ops: how many.

    Raises:
        InvalidArgError: more operations than a row can have, or more bytes than a request.
    """
    if n_ops > 0xFFFF:
        raise InvalidArgError(f"{n_ops} operations are too many for a record of a batch: at most 65535 are allowed")
    if generation is None:
        head = bytes((BATCH_ROW_INFO | BATCH_ROW_TTL, *infos))
    else:
        head = bytes((BATCH_ROW_INFO | BATCH_ROW_GENERATION | BATCH_ROW_TTL, *infos)) + _pack_u16(generation)
    place = _key_fields(namespace, set_name)
    size = len(fields) + len(ops)
    if size > PROTO_SIZE_MAX - _ROOM_FOR_HEADS:
        raise InvalidArgError(f"a record of {size} bytes is too large: a request has at most {PROTO_SIZE_MAX}")
    return b"".join((head, _pack_index(record_ttl), _pack_counts(2 + n_fields, n_ops), place, fields, ops))


def encode_indexed(
    indexes: Sequence[int], digests: Sequence[bytes], rests: Sequence[bytes], *, alike: bool = False
) -> list[bytes]:
    """Rows of a batch, as pieces for :func:`encode_batch`.

    Args:
        indexes: which; an index comes back with its row.
        digests: of all rows of the batch.
        rests: what stands behind the digest (:func:`encode_rest`), of all rows. Where two rows in a row have the very
            same object, the second goes as a repetition; so rows with a user key, which the server does not let
            repeat, must not share theirs.
        alike: whether it is known that all of ``rests`` are one object.
    """
    if not alike:
        some = _these(rests, indexes)
        if not all_same(some):
            return _encode_different(indexes, digests, some)
    # All say the same: put together by columns, which takes a fifth of the time that row by row takes.
    pieces = [_REPEAT] * (3 * len(indexes))
    pieces[0::3] = _packed(indexes)
    pieces[1::3] = _these(digests, indexes)
    pieces[2] = rests[indexes[0]]
    return pieces


def all_same(rests: Sequence[bytes]) -> bool:
    """Whether they are all the very same object."""
    first = rests[0]
    for rest in rests:  # noqa: SIM110 - all() takes three times as long
        if rest is not first:
            return False
    return True


def _encode_different(indexes: Sequence[int], digests: Sequence[bytes], rests: Sequence[bytes]) -> list[bytes]:
    parts: list[bytes] = []
    append = parts.append
    previous: bytes | None = None
    for index, rest in zip(indexes, rests, strict=True):
        if rest is previous:
            append(_pack_row(index, digests[index], BATCH_ROW_REPEAT))
        else:
            append(_pack_head(index, digests[index]))
            append(rest)
            previous = rest
    return parts


def _these(items: Sequence[bytes], indexes: Sequence[int]) -> Sequence[bytes]:
    """The items with these indexes."""
    if isinstance(indexes, range) and indexes.step == 1:
        return items[indexes.start : indexes.stop]
    return [items[index] for index in indexes]


_REPEAT = bytes((BATCH_ROW_REPEAT,))
#: Indexes as they stand in rows, which are the same in every batch: as many as a batch has needed, up to a bound. Made
#: anew rather than extended, as there may be clients in several threads.
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


#: Pairs of fields that have been encoded before: a program has a few, each row asks.
_places: dict[tuple[str, str | None], bytes] = {}
_PLACES_MAX = 4096


def _key_fields(namespace: str, set_name: str | None) -> bytes:
    fields = _places.get((namespace, set_name))
    if fields is None:
        if len(_places) >= _PLACES_MAX:
            _places.clear()
        group = set_name.encode() if set_name else b""
        fields = encode_field(FIELD_NAMESPACE, namespace.encode()) + encode_field(FIELD_SET, group)
        _places[namespace, set_name] = fields
    return fields


@attrs.frozen(slots=True, kw_only=True)
class BatchRequest:
    """A row of a request, in its general form.

    ``generation``, ``record_ttl`` and ``info4`` of None are left out of the row, as are info2 and info3 when
    ``info3`` is None (rows of old clients, which take their read mode from the whole batch). ``fields`` come behind
    namespace and set. ``repeat`` tells that the row stood as a repetition; encoding finds repetitions by itself.
    """

    index: int
    digest: bytes
    namespace: str
    set_name: str | None = ""
    info1: int = INFO1_READ
    info2: int | None = 0
    info3: int | None = 0
    info4: int | None = None
    generation: int | None = None
    record_ttl: int | None = None
    fields: tuple[Field, ...] = ()
    ops: tuple[Op, ...] = ()
    repeat: bool = attrs.field(default=False, eq=False)

    def field(self, kind: int) -> bytes | None:
        """The bytes of the first further field of that id, None when there is none."""
        for field in self.fields:
            if field.kind == kind:
                return field.data
        return None


def encode_batch_rows(rows: Iterable[BatchRequest]) -> list[bytes]:
    """The rows, each as bytes, repetitions recognised; for :func:`encode_batch`."""
    parts = []
    previous = b""
    for row in rows:
        if len(row.digest) != 20:
            raise InvalidArgError(f"digest {row.digest.hex()[:60]} has {len(row.digest)} bytes: it has 20")
        rest = _encode_row(row)
        head = _pack_index(row.index) + row.digest
        # The server refuses a repetition of a row that carries its user key.
        if rest == previous and row.field(FIELD_KEY) is None:
            parts.append(head + bytes((BATCH_ROW_REPEAT,)))
        else:
            parts.append(head + rest)
            previous = rest
    return parts


def _encode_row(row: BatchRequest) -> bytes:
    flags = 0
    parts = [bytes((row.info1,))]
    if row.info3 is not None:
        flags |= BATCH_ROW_INFO
        parts.append(bytes((row.info2 or 0, row.info3)))
    if row.info4 is not None:
        flags |= BATCH_ROW_INFO4
        parts.append(bytes((row.info4,)))
    if row.generation is not None:
        flags |= BATCH_ROW_GENERATION
        # Two bytes here, four in a message.
        parts.append((row.generation & 0xFFFF).to_bytes(2, "big"))
    if row.record_ttl is not None:
        flags |= BATCH_ROW_TTL
        parts.append(_pack_index(row.record_ttl))
    parts.append(_pack_counts(2 + len(row.fields), len(row.ops)))
    parts.append(_key_fields(row.namespace, row.set_name))
    parts.extend(encode_field(field.kind, field.data) for field in row.fields)
    parts.extend(encode_raw_op(op) for op in row.ops)
    return bytes((flags,)) + b"".join(parts)


def decode_batch_request(message: Message) -> tuple[int, list[BatchRequest]]:
    """Flags and rows of a batch request; a repetition comes out as the whole row it stands for.

    Raises:
        ProtocolError: it has no batch field, or the field is malformed.
    """
    flags, count, rows, fault = decode_batch_rows(message)
    if fault is not None:
        raise fault
    assert len(rows) == count
    return flags, rows


def decode_batch_rows(message: Message) -> tuple[int, int, list[BatchRequest], ProtocolError | None]:
    """As :func:`decode_batch_request`, for who carries out the rows before a fault, as a server does.

    Returns:
        The flags, how many rows are announced, those that are sound up to the first that is not, and what is wrong with
        that one or behind the last.

    Raises:
        ProtocolError: it has no batch field, or one without room for its count.
    """
    data = message.field(FIELD_BATCH_INDEX)
    if data is None:
        data = message.field(FIELD_BATCH_WITH_SET)
    if data is None:
        raise ProtocolError("a batch without its field of rows")
    if len(data) < 5:
        raise ProtocolError(f"a batch field of {len(data)} bytes has no room for its count")
    count = _read_u32(data, 0)[0]
    rows: list[BatchRequest] = []
    fault: ProtocolError | None = None
    position = 5
    read_mode = message.info3 & (INFO3_SC_READ_RELAX | INFO3_SC_READ_TYPE)
    try:
        while len(rows) < count:
            row, position = _decode_row(data, position, rows[-1] if rows else None, read_mode)
            rows.append(row)
        if position != len(data):
            fault = ProtocolError(f"{len(data) - position} bytes stand behind the {count} rows of a batch")
    except (struct.error, IndexError):
        what = "does not fit its bytes" if count * ROW_SIZE_MIN > len(data) - 5 else "is cut off"
        fault = ProtocolError(f"a batch of {count} rows {what}: {len(rows)} are there")
    except UnicodeDecodeError:
        fault = ProtocolError("a namespace or set of a batch is not UTF-8")
    except ProtocolError as error:
        fault = error
    return data[4], count, rows, fault


def _decode_row(data: bytes, position: int, previous: BatchRequest | None, read_mode: int) -> tuple[BatchRequest, int]:
    index = _read_u32(data, position)[0]
    digest = data[position + 4 : position + 24]
    flags = data[position + 24]
    position += 25
    if flags & BATCH_ROW_REPEAT:
        if previous is None:
            raise ProtocolError("the first row of a batch repeats nothing")
        return attrs.evolve(previous, index=index, digest=digest, repeat=True), position
    info1 = data[position]
    position += 1
    info2: int | None = None
    info3: int | None = None
    info4 = generation = record_ttl = None
    if flags & BATCH_ROW_INFO:
        info2, info3 = data[position], data[position + 1]
        position += 2
    if flags & BATCH_ROW_INFO4:
        info4 = data[position]
        position += 1
    if flags & BATCH_ROW_GENERATION:
        generation = _read_u16(data, position)[0]
        position += 2
    if flags & BATCH_ROW_TTL:
        record_ttl = _read_u32(data, position)[0]
        position += 4
    n_fields, n_ops = _read_u16(data, position)[0], _read_u16(data, position + 2)[0]
    # Old clients sent no count but always a namespace.
    fields, position = decode_fields(data, position + 4, n_fields or 1)
    ops, position = decode_ops(data, position, n_ops)
    if fields[0].kind != FIELD_NAMESPACE:
        raise ProtocolError(f"a row of a batch begins with a field of id {fields[0].kind}, not with its namespace")
    set_name = None
    further = fields[1:]
    if further and further[0].kind == FIELD_SET:
        set_name = further[0].data.decode()
        further = further[1:]
    row = BatchRequest(
        index=index,
        digest=digest,
        namespace=fields[0].data.decode(),
        set_name=set_name,
        info1=info1,
        info2=info2,
        info3=info3,
        info4=info4,
        generation=generation,
        record_ttl=record_ttl,
        fields=further,
        ops=ops,
    )
    return row, position


# --- answers ---------------------------------------------------------------------------------------------------------


def encode_batch_row(index: int, result_code: int, generation: int, void_time: int, ops: Sequence[Op] = ()) -> bytes:
    """A row of an answer: a message, of which a frame may hold many."""
    return encode_message(
        Message(
            result_code=result_code,
            generation=generation,
            record_ttl=void_time,
            transaction_ttl=index,
            ops=tuple(ops),
        )
    )


def encode_batch_end(result_code: int = 0) -> bytes:
    """The message that ends an answer, with the result of the whole batch."""
    return encode_message(Message(info3=INFO3_LAST, result_code=result_code))


def op_values(ops: Iterable[Op]) -> dict[str, Any]:
    """Bins and values of operations in their general form (what a server reads from a row or a request).

    Raises:
        ProtocolError: a value cannot be decoded.
    """
    return {op.name: decode_value(op.particle, op.value) for op in ops}
