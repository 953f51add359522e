"""Batches: many records in one request, rows of answers in any order.

Facts: ``as_batch_queue_task`` and the flags in the server's ``as/src/base/batch.c``; the C client's
``aerospike_batch.c``. A request is a message with one field: a count, flags, and rows; a row that differs from the one
before it only in its record says "repeat". An answer is messages of which each carries its row's index where a request
has its transaction ttl; the last has INFO3_LAST set and the result of the whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from ..errors import InvalidArgError, ProtocolError
from .commands import op_name_only
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
)
from .frames import encode_frame
from .messages import (
    Field,
    Message,
    Op,
    decode_fields,
    decode_ops,
    encode_field,
    encode_message,
    encode_raw_op,
)
from .particles import decode_value
from .records import bins_of, read_bins, skip_fields

_pack_index = struct.Struct(">I").pack
_pack_counts = struct.Struct(">HH").pack
_pack_count = struct.Struct(">IB").pack
_read_u16 = struct.Struct(">H").unpack_from
_read_u32 = struct.Struct(">I").unpack_from

ROW_SIZE_MIN = 25  # index, digest, flags

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
    ops = b""
    n_ops = 0
    row_info1 |= INFO1_READ
    if bins is None:
        row_info1 |= INFO1_GET_ALL
    elif not bins:
        row_info1 |= INFO1_GET_NO_BINS
    else:
        ops = b"".join([op_name_only(OP_READ, name) for name in bins])
        n_ops = len(bins)
    head = bytes((BATCH_ROW_INFO | BATCH_ROW_TTL, row_info1, 0, row_info3)) + _pack_index(read_touch_ttl)
    parts: list[bytes] = []
    append = parts.append
    index_of = _pack_index
    previous_namespace: str | None = None
    previous_set: str | None = None
    for index, namespace, set_name, digest in keys:
        if namespace == previous_namespace and set_name == previous_set:
            append(index_of(index) + digest + b"\x01")
            continue
        append(index_of(index) + digest + head + _pack_counts(2, n_ops) + _key_fields(namespace, set_name) + ops)
        previous_namespace, previous_set = namespace, set_name
    return encode_batch(
        parts,
        len(keys),
        flags=flags,
        info1=info1,
        transaction_ttl=transaction_ttl,
        filter_expression=filter_expression,
    )


def _key_fields(namespace: str, set_name: str | None) -> bytes:
    group = set_name.encode() if set_name else b""
    return encode_field(FIELD_NAMESPACE, namespace.encode()) + encode_field(FIELD_SET, group)


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
    data = message.field(FIELD_BATCH_INDEX)
    if data is None:
        data = message.field(FIELD_BATCH_WITH_SET)
    if data is None:
        raise ProtocolError("a batch without its field of rows")
    if len(data) < 5:
        raise ProtocolError(f"a batch field of {len(data)} bytes has no room for its count")
    count = _read_u32(data, 0)[0]
    if count * ROW_SIZE_MIN > len(data) - 5:
        raise ProtocolError(f"a batch of {count} rows does not fit its {len(data)} bytes")
    rows: list[BatchRequest] = []
    position = 5
    read_mode = message.info3 & (INFO3_SC_READ_RELAX | INFO3_SC_READ_TYPE)
    try:
        for _ in range(count):
            row, position = _decode_row(data, position, rows[-1] if rows else None, read_mode)
            rows.append(row)
    except (struct.error, IndexError):
        raise ProtocolError(f"a batch of {count} rows is cut off after {len(rows)}") from None
    except UnicodeDecodeError:
        raise ProtocolError("a namespace or set of a batch is not UTF-8") from None
    if position != len(data):
        raise ProtocolError(f"{len(data) - position} bytes stand behind the {count} rows of a batch")
    return data[4], rows


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

_unpack_answer = struct.Struct(">B2xBxBIIIHH").unpack_from
_unpack_op = struct.Struct(">IxBBB").unpack_from


@attrs.define(slots=True)
class BatchRow:
    """A row of an answer.

    ``bins`` is empty where the record is missing or no bins were asked for; ``results`` holds every result in order
    (operations may have several for a bin). ``error`` is set, and ``bins`` empty, where a value cannot be decoded.
    """

    index: int
    result_code: int
    generation: int
    void_time: int
    bins: dict[str, Any]
    error: ProtocolError | None = None
    results: Sequence[tuple[str, Any]] = ()


def decode_batch_response(body: bytes) -> tuple[list[BatchRow], int | None]:
    """The rows of one frame of an answer, and the result of the whole batch: None while more frames are to come.

    Raises:
        ProtocolError: the frame is malformed (a mere value that is, is its row's ``error``).
    """
    rows: list[BatchRow] = []
    position = 0
    total = len(body)
    try:
        while position < total:
            header_size, info3, result_code, generation, void_time, index, n_fields, n_ops = _unpack_answer(
                body, position
            )
            if header_size != 22:
                raise ProtocolError(f"a message header of {header_size} bytes: it has 22")
            position += 22
            if n_fields:
                position = skip_fields(body, position, n_fields)
            if info3 & INFO3_LAST:
                position = _ops_end(body, position, n_ops)
                if position != total:
                    raise ProtocolError(f"{total - position} bytes stand behind the end of a batch")
                return rows, result_code
            if not n_ops:
                rows.append(BatchRow(index, result_code, generation, void_time, {}))
                continue
            start = position
            try:
                results, position = read_bins(body, start, n_ops)
                row = BatchRow(index, result_code, generation, void_time, bins_of(results), None, results)
            except (ProtocolError, UnicodeDecodeError) as error:
                # The sizes tell where the row ends, whatever its values are; if they do not, the frame is broken.
                position = _ops_end(body, start, n_ops)
                fault = (
                    error if isinstance(error, ProtocolError) else ProtocolError(f"a bin name is not UTF-8: {error}")
                )
                row = BatchRow(index, result_code, generation, void_time, {}, fault)
            rows.append(row)
    except struct.error as error:
        raise ProtocolError(f"an answer to a batch is cut off within {total} bytes: {error}") from None
    if position != total:
        raise ProtocolError(f"an answer to a batch of {total} bytes is cut off")
    return rows, None


def _ops_end(body: bytes, position: int, count: int) -> int:
    for _ in range(count):
        size, _, flags, name_size = _unpack_op(body, position)
        if 4 + name_size + (8 if flags else 0) > size:
            raise ProtocolError(f"a bin of size {size} is shorter than its name")
        position += 4 + size
    if position > len(body):
        raise ProtocolError(f"an answer to a batch of {len(body)} bytes is cut off")
    return position


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
