"""The general form of messages: header, fields, operations.

Symmetric and exact: :func:`encode_message` writes what :func:`decode_message` reads back to the same bytes. For the
server and the tests; the client's hot path has its own encoders (``commands``) and decoders (``records``).

Facts: ``as_msg``, ``as_msg_field`` and ``as_msg_op`` in the server's ``as/include/base/proto.h``.
"""

from __future__ import annotations

import struct

import attrs

from ..errors import ProtocolError
from .commands import encode_field
from .constants import MESSAGE_HEADER_SIZE, OP_FLAG_HAS_LUT

_header = struct.Struct(">6BIIIHH")
_field_header = struct.Struct(">IB")
_op_header = struct.Struct(">I4B")


@attrs.frozen(slots=True)
class Field:
    """A field of a message: its id (``FIELD_*``) and its bytes."""

    kind: int
    data: bytes


@attrs.frozen(slots=True)
class Op:
    """An operation of a message, or a bin of an answer.

    ``data`` is the value's particle; with bit 0 of ``flags`` set, eight bytes of last-update time precede it (see
    :attr:`value`).
    """

    op: int
    particle: int
    name: str
    data: bytes
    flags: int = 0

    @property
    def value(self) -> bytes:
        """The particle without the last-update time that may precede it."""
        return self.data[8:] if self.flags & OP_FLAG_HAS_LUT else self.data


@attrs.frozen(slots=True, kw_only=True)
class Message:
    """A request or an answer.

    In answers ``record_ttl`` is the record's void time (seconds since 2010), and in answers to a batch
    ``transaction_ttl`` is the index of the row.
    """

    info1: int = 0
    info2: int = 0
    info3: int = 0
    info4: int = 0
    result_code: int = 0
    generation: int = 0
    record_ttl: int = 0
    transaction_ttl: int = 0
    fields: tuple[Field, ...] = ()
    ops: tuple[Op, ...] = ()

    def field(self, kind: int) -> bytes | None:
        """Return the bytes of the first field of that id, or None."""
        for field in self.fields:
            if field.kind == kind:
                return field.data
        return None


def encode_raw_op(op: Op) -> bytes:
    """Encode an operation."""
    name = op.name.encode()
    return _op_header.pack(4 + len(name) + len(op.data), op.op, op.particle, op.flags, len(name)) + name + op.data


def encode_message(message: Message) -> bytes:
    """Encode the body of a frame of type 3."""
    parts = [
        _header.pack(
            MESSAGE_HEADER_SIZE,
            message.info1,
            message.info2,
            message.info3,
            message.info4,
            message.result_code,
            message.generation,
            message.record_ttl,
            message.transaction_ttl,
            len(message.fields),
            len(message.ops),
        )
    ]
    parts.extend(encode_field(field.kind, field.data) for field in message.fields)
    parts.extend(encode_raw_op(op) for op in message.ops)
    return b"".join(parts)


def decode_fields(body: bytes, position: int, count: int) -> tuple[tuple[Field, ...], int]:
    """Decode ``count`` fields from ``position`` on; return them and their end.

    Raises:
        ProtocolError: they do not fit the body.
    """
    fields = []
    total = len(body)
    for _ in range(count):
        start = position + 5
        if start > total:
            raise ProtocolError(f"a message ends within a field's header at byte {position}")
        size, kind = _field_header.unpack_from(body, position)
        position += 4 + size
        if size == 0 or position > total:
            raise ProtocolError(f"a field of id {kind} and size {size} does not fit its message")
        fields.append(Field(kind, body[start:position]))
    return tuple(fields), position


def decode_ops(body: bytes, position: int, count: int) -> tuple[tuple[Op, ...], int]:
    """Decode ``count`` operations from ``position`` on; return them and their end.

    Raises:
        ProtocolError: they do not fit the body, or a bin name is not UTF-8.
    """
    ops = []
    total = len(body)
    for _ in range(count):
        start = position + 8
        if start > total:
            raise ProtocolError(f"a message ends within an operation's header at byte {position}")
        size, op, particle, flags, name_size = _op_header.unpack_from(body, position)
        value = start + name_size
        position += 4 + size
        if value + (8 if flags & OP_FLAG_HAS_LUT else 0) > position or position > total:
            raise ProtocolError(f"operation {op} of size {size} does not fit its message")
        try:
            name = body[start:value].decode()
        except UnicodeDecodeError:
            raise ProtocolError(f"a bin name is not UTF-8: {body[start:value]!r}") from None
        ops.append(Op(op, particle, name, body[value:position], flags))
    return tuple(ops), position


def decode_message(body: bytes, offset: int = 0) -> tuple[Message, int]:
    """Decode one message from ``offset`` on; return it and its end (a frame of a batch or query answer holds several).

    Raises:
        ProtocolError: it is malformed.
    """
    left = len(body) - offset
    if left < MESSAGE_HEADER_SIZE:
        raise ProtocolError(f"a message of {left} bytes is shorter than its header of {MESSAGE_HEADER_SIZE}")
    (header_size, info1, info2, info3, info4, result_code, generation, record_ttl, transaction_ttl, n_fields, n_ops) = (
        _header.unpack_from(body, offset)
    )
    if header_size != MESSAGE_HEADER_SIZE:
        raise ProtocolError(f"a message header of {header_size} bytes, expected {MESSAGE_HEADER_SIZE}")
    fields, position = decode_fields(body, offset + MESSAGE_HEADER_SIZE, n_fields)
    ops, position = decode_ops(body, position, n_ops)
    message = Message(
        info1=info1,
        info2=info2,
        info3=info3,
        info4=info4,
        result_code=result_code,
        generation=generation,
        record_ttl=record_ttl,
        transaction_ttl=transaction_ttl,
        fields=fields,
        ops=ops,
    )
    return message, position


def decode_only_message(body: bytes) -> Message:
    """Decode the only message of a frame's body, which must end with it.

    Raises:
        ProtocolError: it is malformed, or is followed by other bytes.
    """
    message, end = decode_message(body)
    if end != len(body):
        raise ProtocolError(f"{len(body) - end} bytes follow a message")
    return message


def decode_messages(body: bytes) -> list[Message]:
    """Decode all messages of a frame's body.

    Raises:
        ProtocolError: one of them is malformed.
    """
    messages = []
    position = 0
    while position < len(body):
        message, position = decode_message(body, position)
        messages.append(message)
    return messages
