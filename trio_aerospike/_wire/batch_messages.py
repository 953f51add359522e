"""The general form of batches, in both directions: rows of requests and of answers.

Exact like ``messages``, and likewise for the server and the tests. The client's encoders are in ``batch``, its decoders
in ``batch_answers``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

from ..errors import InvalidArgError, ProtocolError
from .batch import place_fields
from .commands import encode_field
from .constants import (
    BATCH_ROW_GENERATION,
    BATCH_ROW_INFO,
    BATCH_ROW_INFO4,
    BATCH_ROW_REPEAT,
    BATCH_ROW_TTL,
    FIELD_BATCH_INDEX,
    FIELD_BATCH_WITH_SET,
    FIELD_KEY,
    FIELD_NAMESPACE,
    FIELD_SET,
    INFO1_READ,
    INFO3_LAST,
    INFO3_SC_READ_RELAX,
    INFO3_SC_READ_TYPE,
)
from .messages import Field, Message, Op, decode_fields, decode_ops, encode_message, encode_raw_op
from .particles import decode_value

_pack_index = struct.Struct(">I").pack
_pack_counts = struct.Struct(">HH").pack
_read_u16 = struct.Struct(">H").unpack_from
_read_u32 = struct.Struct(">I").unpack_from

ROW_SIZE_MIN = 25  # index, digest, flags

# --- requests --------------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True, kw_only=True)
class BatchRequest:
    """A row of a request, in its general form.

    ``generation``, ``record_ttl`` and ``info4`` are omitted from the row if None, as are info2 and info3 if ``info3``
    is None (rows of old clients, which take their read mode from the whole batch). ``fields`` follow namespace and
    set. ``repeat`` says that the row was sent as a repetition; encoding finds repetitions by itself.
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
        """Return the bytes of the first further field of that id, or None."""
        for field in self.fields:
            if field.kind == kind:
                return field.data
        return None


def encode_batch_rows(rows: Iterable[BatchRequest]) -> list[bytes]:
    """Encode rows, each as bytes, equal ones as repetitions; for :func:`.batch.encode_batch`."""
    parts = []
    previous = b""
    for row in rows:
        if len(row.digest) != 20:
            raise InvalidArgError(f"digest {row.digest.hex()[:60]} has {len(row.digest)} bytes, expected 20")
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
    parts.append(place_fields(row.namespace, row.set_name))
    parts.extend(encode_field(field.kind, field.data) for field in row.fields)
    parts.extend(encode_raw_op(op) for op in row.ops)
    return bytes((flags,)) + b"".join(parts)


def decode_batch_request(message: Message) -> tuple[int, list[BatchRequest]]:
    """Decode flags and rows of a batch request; a repetition is returned as a whole row.

    Raises:
        ProtocolError: it has no batch field, or the field is malformed.
    """
    flags, count, rows, fault = decode_batch_rows(message)
    if fault is not None:
        raise fault
    assert len(rows) == count
    return flags, rows


def decode_batch_rows(message: Message) -> tuple[int, int, list[BatchRequest], ProtocolError | None]:
    """As :func:`decode_batch_request`, but return also the rows before a malformed one, which a server executes.

    Returns:
        The flags, the number of announced rows, the valid rows before the first malformed one, and the error of that
        row or of the bytes after the last.

    Raises:
        ProtocolError: it has no batch field, or one without room for its count.
    """
    reader = BatchRowReader(message)
    rows = list(reader)
    return reader.flags, reader.count, rows, reader.fault


class BatchRowReader(Iterator[BatchRequest]):
    """Iterates over the rows of a batch request, up to the first malformed one.

    Attributes:
        flags: of the batch.
        count: the number of announced rows.
        fault: the error of the malformed row, or of bytes after the last row; None without an error.

    Raises:
        ProtocolError: it has no batch field, or one without room for its count.
    """

    def __init__(self, message: Message) -> None:
        data = message.field(FIELD_BATCH_INDEX)
        if data is None:
            data = message.field(FIELD_BATCH_WITH_SET)
        if data is None:
            raise ProtocolError("a batch without its field of rows")
        if len(data) < 5:
            raise ProtocolError(f"a batch field of {len(data)} bytes has no room for its count")
        self.flags: int = data[4]
        self.count: int = _read_u32(data, 0)[0]
        self.fault: ProtocolError | None = None
        self._data = data
        self._position = 5
        self._read_mode = message.info3 & (INFO3_SC_READ_RELAX | INFO3_SC_READ_TYPE)
        self._read = 0
        self._previous: BatchRequest | None = None

    def __next__(self) -> BatchRequest:
        data, count = self._data, self.count
        if self.fault is not None:
            raise StopIteration
        if self._read == count:
            if self._position != len(data):
                behind = len(data) - self._position
                self.fault = ProtocolError(f"{behind} bytes follow the {count} rows of a batch")
            raise StopIteration
        try:
            row, self._position = _decode_row(data, self._position, self._previous, self._read_mode)
        except (struct.error, IndexError):
            what = "does not fit its bytes" if count * ROW_SIZE_MIN > len(data) - 5 else "is cut off"
            self.fault = ProtocolError(f"a batch of {count} rows {what}: {self._read} are there")
        except UnicodeDecodeError:
            self.fault = ProtocolError("a namespace or set of a batch is not UTF-8")
        except ProtocolError as error:
            self.fault = error
        else:
            self._previous = row
            self._read += 1
            return row
        raise StopIteration


def _decode_row(data: bytes, position: int, previous: BatchRequest | None, read_mode: int) -> tuple[BatchRequest, int]:
    index = _read_u32(data, position)[0]
    digest = data[position + 4 : position + 24]
    flags = data[position + 24]
    position += 25
    if flags & BATCH_ROW_REPEAT:
        if previous is None:
            raise ProtocolError("the first row of a batch is a repetition")
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
    # Old clients sent no count, but always a namespace.
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
    """Encode a row of an answer: a message, of which a frame may hold many."""
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
    """Encode the message that ends an answer, with the result of the whole batch."""
    return encode_message(Message(info3=INFO3_LAST, result_code=result_code))


def op_values(ops: Iterable[Op]) -> dict[str, Any]:
    """Decode bins and values of operations in their general form (from a row or a request).

    Raises:
        ProtocolError: a value cannot be decoded.
    """
    return {op.name: decode_value(op.particle, op.value) for op in ops}
