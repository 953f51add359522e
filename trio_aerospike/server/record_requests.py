"""Commands on single records, decoded from messages and batch rows, and their responses."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Sequence

import attrs

from .._wire import constants as wire
from .._wire.batch_messages import BatchRequest
from .._wire.frames import encode_frame
from .._wire.messages import Message, Op
from ..errors import ResultCode
from .cdt.elements import to_wire
from .exceptions import Refused
from .expressions import Expression
from .record import StoredRecord

_PREFIX = struct.Struct(">BBBBBBIIIHH")
_OP = struct.Struct(">IBBBB")
_NAME_MAX = 127
"""Bytes of the name of a module, and of a function (server: UDF_MAX_STRING_SZ)."""


@attrs.frozen
class Call:
    """A function to be called on a record.

    Attributes:
        module: its name without extension.
        arguments: a MessagePack list, or nothing.
        seconds: how long it may take; 0 where the request does not say.
        is_whole: whether the request named all three.
    """

    module: str
    function: str
    arguments: bytes
    seconds: float = 0.0
    is_whole: bool = True


def call_of(field: Callable[[int], bytes | None], milliseconds: int) -> Call | None:
    """The call that a message or a row carries; None where it names no module."""
    module = field(wire.FIELD_UDF_FILENAME)
    if module is None:
        return None
    function, arguments = field(wire.FIELD_UDF_FUNCTION), field(wire.FIELD_UDF_ARGLIST)
    is_whole = function is not None and arguments is not None
    is_whole = is_whole and max(len(module), len(function or b"")) <= _NAME_MAX
    return Call(text(module), text(function or b""), arguments or b"", milliseconds / 1000, is_whole)


@attrs.define(eq=False)
class Request:
    """A command on one record.

    `ops` are the message's. `arrived` is the time at which the server read it, in seconds of Trio's clock.
    """

    namespace: str
    set_name: str
    digest: bytes
    key: bytes | None
    info1: int
    info2: int
    info3: int
    generation: int
    record_ttl: int
    ops: Sequence[Op]
    in_transaction: bool = False
    filter: bytes | Expression | None = None
    """What decides whether the record is looked at, as it travels or compiled."""
    call: Call | None = None
    """The function to call, in place of operations."""

    @property
    def is_write(self) -> bool:
        return bool(self.info2 & wire.INFO2_WRITE)

    @property
    def is_read(self) -> bool:
        return bool(self.info1 & wire.INFO1_READ)

    @property
    def is_delete(self) -> bool:
        return bool(self.info2 & wire.INFO2_DELETE)


@attrs.frozen
class Response:
    """The response to a command on one record; `void_time` in seconds since the Citrusleaf epoch."""

    result: int = 0
    generation: int = 0
    void_time: int = 0
    ops: Sequence[tuple[int, int, str, bytes]] = ()
    """Op, particle, bin name and data of each bin."""
    whole: StoredRecord | None = None
    """The record of which all bins are answered, in place of `ops`."""

    def body(self, index: int = 0, info3: int = 0) -> bytes:
        """The message without the frame's header; `index` is the row of a batch."""
        ops: Sequence[tuple[int, int, str, bytes]] = self.ops
        if self.whole is not None:
            stored = self.whole.read_response()
            if stored is not None:
                return self._prefix(index, info3, stored[0]) + stored[1]
            ops = [(wire.OP_READ, kind, name, to_wire(kind, data)) for name, (kind, data) in self.whole.bins.items()]
        parts = [self._prefix(index, info3, len(ops))]
        for op, particle, name, data in ops:
            raw = name.encode()
            parts += (_OP.pack(4 + len(raw) + len(data), op, particle, 0, len(raw)), raw, data)
        return b"".join(parts)

    def _prefix(self, index: int, info3: int, n_ops: int) -> bytes:
        return _PREFIX.pack(
            wire.MESSAGE_HEADER_SIZE, 0, 0, info3, 0, self.result, self.generation, self.void_time, index, 0, n_ops
        )

    def frame(self) -> bytes:
        """The whole frame."""
        return encode_frame(wire.PROTO_MESSAGE, self.body())


@attrs.frozen(eq=False)
class StreamingResponse:
    """A response that takes a while to send: `serve` sends it; `abandon` cleans up if it is never sent."""

    serve: Callable[[], Awaitable[None]]
    abandon: Callable[[], None] = lambda: None


def refusal(error: Refused) -> Response:
    """The response to a refused request."""
    return Response(error.result, error.generation, error.void_time)


def text(data: bytes) -> str:
    """A name as a client sent it; what is not UTF-8 is kept recognisable."""
    return data.decode("utf-8", "backslashreplace")


def request_from_message(message: Message) -> Request:
    """The command on a single record that a message carries.

    Raises:
        Refused: there is no namespace; there is no digest (the server takes such a message for a query, which is
            not supported here).
    """
    namespace = digest = key = condition = None
    set_name = ""
    in_transaction = False
    for field in message.fields:
        kind = field.kind
        if kind == wire.FIELD_NAMESPACE:
            namespace = text(field.data)
        elif kind == wire.FIELD_SET:
            set_name = text(field.data)
        elif kind == wire.FIELD_DIGEST:
            digest = field.data
        elif kind == wire.FIELD_KEY:
            key = field.data
        elif kind == wire.FIELD_FILTER:
            condition = field.data
        elif kind == wire.FIELD_MRT_ID:
            in_transaction = True
    if namespace is None:
        raise Refused(ResultCode.INVALID_NAMESPACE)
    if digest is None:
        raise Refused(ResultCode.UNSUPPORTED_FEATURE)
    return Request(
        namespace, set_name, digest, key, message.info1, message.info2, message.info3, message.generation,
        message.record_ttl, message.ops, in_transaction, condition, call_of(message.field, message.transaction_ttl),
    )  # fmt: skip


def request_from_row(row: BatchRequest, condition: Expression | None = None) -> Request:
    """The command on a single record that a row of a batch carries; `condition` is the whole batch's filter."""
    own = row.field(wire.FIELD_FILTER)
    return Request(
        row.namespace, row.set_name or "", row.digest, row.field(wire.FIELD_KEY), row.info1, row.info2 or 0,
        row.info3 or 0, row.generation or 0, row.record_ttl or 0, row.ops, row.field(wire.FIELD_MRT_ID) is not None,
        condition if own is None else own, call_of(row.field, 0),
    )  # fmt: skip
