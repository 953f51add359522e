"""Decode and encode answers to queries: frames of many messages, one for each record, and a last one.

Besides records there are messages about partitions that a node cannot serve (bit "partition done", with a result and
the partition's number in the place of the generation) and the end (bit "last", with the result of the query). A refusal
is one message that has a result and neither bit. Facts: the server's
as/src/base/proto.c (``as_msg_make_response_bufbuilder``, ``as_msg_pid_done_bufbuilder``, ``as_msg_fin_bufbuilder``).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from ..errors import ProtocolError
from .commands import encode_field
from .constants import (
    DIGEST_SIZE,
    FIELD_BVAL_ARRAY,
    FIELD_DIGEST,
    FIELD_KEY,
    FIELD_NAMESPACE,
    FIELD_SET,
    INFO1_GET_NO_BINS,
    INFO3_LAST,
    INFO3_PARTITION_DONE,
    MESSAGE_HEADER_SIZE,
    PARTICLE_BLOB,
    PARTICLE_INTEGER,
    PARTICLE_STRING,
)
from .error_text import not_utf8
from .particles import decode_value
from .query_layouts import MakeRecord, Place, RunDecoder, decoder_of, layout_of
from .records import bins_of, read_bins, skip_bins
from .undecodable import faulty_bin

_unpack_head = struct.Struct(">B2xBxBII4xHH").unpack_from
_unpack_counts = struct.Struct(">HH").unpack_from
_unpack_size = struct.Struct(">I").unpack_from
_unpack_field = struct.Struct(">IB").unpack_from
_unpack_value = struct.Struct("<q").unpack
_pack_value = struct.Struct("<q").pack
_pack_head = struct.Struct(">6BIIIHH").pack
_KEY_PARTICLES = frozenset((PARTICLE_INTEGER, PARTICLE_STRING, PARTICLE_BLOB))

#: Creates the stand-in for a record that cannot be decoded: (place, error, generation, void time).
MakeFaulty: TypeAlias = Callable[[Place, ProtocolError, int, int], Any]


@attrs.define(slots=True)
class Decoded:
    """The decoded part of an answer.

    Attributes:
        records: in their order.
        values: the index value of each record, if the query has a predicate; else empty.
        unavailable: the partitions that the node cannot serve, with the result for each.
        position: where to continue in the frame; its end if it is decoded.
        result: of the query, after its end; None before.
    """

    records: list[Any] = attrs.Factory(list)
    values: list[int] = attrs.Factory(list)
    unavailable: list[tuple[int, int]] = attrs.Factory(list)
    position: int = 0
    result: int | None = None


class AnswerDecoder:
    """Decodes the answers of one query, piece by piece.

    Args:
        make_record: (place, bins, generation, void time) -> a record.
        make_faulty: the same, with an error in place of the bins.
    """

    def __init__(self, make_record: MakeRecord, make_faulty: MakeFaulty) -> None:
        self._make_record = make_record
        self._make_faulty = make_faulty
        # The layout of the latest record, which the next ones most likely have too.
        self._run: RunDecoder | None = None

    def decode(self, body: bytes, position: int, count: int) -> Decoded:
        """Decode about ``count`` records from ``position`` on, or as many as there are.

        Raises:
            ProtocolError: the frame is malformed (a malformed value only makes a faulty record).
        """
        found = Decoded(position=position)
        records = found.records
        total = len(body)
        try:
            while found.position < total and len(records) < count and found.result is None:
                if self._run is not None:
                    before = found.position
                    found.position = self._run(body, before, count, records, found.values, self._make_record)
                    if found.position != before:
                        continue
                self._decode_one(body, found)
        except (struct.error, IndexError) as error:
            raise ProtocolError(f"an answer to a query is cut off within {total} bytes: {error}") from None
        except UnicodeDecodeError as error:
            raise ProtocolError(f"a namespace in an answer to a query {not_utf8(error)}") from None
        if found.position > total:
            raise ProtocolError(f"an answer to a query of {total} bytes is cut off")
        if found.result is not None and found.position != total:
            raise ProtocolError(f"{total - found.position} bytes follow the end of a query")
        return found

    def _decode_one(self, body: bytes, found: Decoded) -> None:
        start = found.position
        header_size, info3, result, generation, void_time, n_fields, n_ops = _unpack_head(body, start)
        if header_size != MESSAGE_HEADER_SIZE:
            raise ProtocolError(f"a message header of {header_size} bytes, expected {MESSAGE_HEADER_SIZE}")
        namespace = set_name = ""
        fault: ProtocolError | None = None
        digest = b""
        user_key: Any = None
        value: int | None = None
        position = start + MESSAGE_HEADER_SIZE
        for _ in range(n_fields):
            size, kind = _unpack_field(body, position)
            data = body[position + 5 : position + 4 + size]
            position += 4 + size
            if kind == FIELD_DIGEST:
                digest = data
            elif kind == FIELD_NAMESPACE:
                namespace = data.decode()
            elif kind == FIELD_SET:
                try:
                    set_name = data.decode()
                except UnicodeDecodeError as error:
                    # One record in a set with an invalid name must not end the query for all others.
                    set_name = data.decode(errors="backslashreplace")
                    text = f"the name of its set {not_utf8(error)}; read it with the client that wrote it"
                    fault = ProtocolError(text)
            elif kind == FIELD_KEY:
                user_key = user_key_of(data)
            elif kind == FIELD_BVAL_ARRAY:
                value = _unpack_value(data)[0]
        found.position = skip_bins(body, position, n_ops)
        if info3 & INFO3_PARTITION_DONE:
            # The partition's number is in the place of the generation.
            if result:
                found.unavailable.append((generation, result))
        elif info3 & INFO3_LAST or result:
            found.result = result
        else:
            if len(digest) != DIGEST_SIZE:
                raise ProtocolError(f"a record in an answer to a query has a digest of {len(digest)} bytes")
            place = (namespace, set_name, user_key, digest)
            results: list[tuple[str, Any]] = []
            try:
                if fault is None:
                    results, _ = read_bins(body, position, n_ops)
            except (ProtocolError, UnicodeDecodeError) as error:
                fault = faulty_bin(body, position, n_ops) or ProtocolError(str(error))
            if fault is not None:
                record = self._make_faulty(place, fault, generation, void_time)
            else:
                record = self._make_record(place, bins_of(results), generation, void_time)
                layout = layout_of(body, start)
                self._run = None if layout is None else decoder_of(layout)
            found.records.append(record)
            if value is not None:
                found.values.append(value)


def is_end(body: bytes) -> bool:
    """Whether a frame is the last of an answer: a refusal, or one that ends with the last message.

    The reader decodes the records; here a frame is only scanned if its last bytes look like the last message.
    """
    tail = len(body) - MESSAGE_HEADER_SIZE
    if tail < 0 or body[tail] != MESSAGE_HEADER_SIZE:
        return False
    if not tail:
        return bool(body[3] & INFO3_LAST) or (bool(body[5]) and not body[3] & INFO3_PARTITION_DONE)
    if not body[tail + 3] & INFO3_LAST or any(body[tail + 6 :]):
        return False
    position = 0
    try:
        while position < tail:
            n_fields, n_ops = _unpack_counts(body, position + 18)
            position += MESSAGE_HEADER_SIZE
            for _ in range(n_fields + n_ops):
                position += 4 + _unpack_size(body, position)[0]
    except struct.error:
        return False
    return position == tail


def user_key_of(data: bytes) -> Any:
    """Decode the user key that is stored with a record; None for one of a type that is not valid here."""
    if not data or data[0] not in _KEY_PARTICLES:
        return None
    try:
        return decode_value(data[0], data[1:])
    except (ProtocolError, UnicodeDecodeError):
        return None


# --- encoding, for the server -----------------------------------------------------------------------------------------


def record_fields(namespace: str, set_name: str) -> tuple[bytes, bytes]:
    """Encode the fields before and after the digest, which are the same for all records of a set."""
    before = encode_field(FIELD_NAMESPACE, namespace.encode()) + struct.pack(">IB", DIGEST_SIZE + 1, FIELD_DIGEST)
    return before, encode_field(FIELD_SET, set_name.encode()) if set_name else b""


def encode_record(
    fields: tuple[bytes, bytes],
    digest: bytes,
    key: bytes | None,
    value: int | None,
    generation: int,
    void_time: int,
    ops: bytes,
    n_ops: int,
    *,
    no_bins: bool = False,
) -> bytes:
    """Encode the message of a record.

    Args:
        fields: from :func:`record_fields`.
        digest: the record's digest.
        key: its user key, after the particle type; None if none is stored.
        value: the index value under which it was found; None without a predicate.
        generation, void_time: the record's metadata.
        ops: its encoded bins or results.
        n_ops: their number.
        no_bins: only metadata was asked for.
    """
    before, behind = fields
    n_fields = 2
    if behind:
        n_fields = 3
    if key is not None:
        behind += encode_field(FIELD_KEY, key)
        n_fields += 1
    if value is not None:
        behind += encode_field(FIELD_BVAL_ARRAY, _pack_value(value))
        n_fields += 1
    head = _pack_head(
        MESSAGE_HEADER_SIZE, INFO1_GET_NO_BINS if no_bins else 0, 0, 0, 0, 0, generation, void_time, 0, n_fields, n_ops
    )
    return b"".join((head, before, digest, behind, ops))


def encode_partition_done(partition: int, result: int) -> bytes:
    """Encode the message that a partition cannot be served."""
    return _pack_head(MESSAGE_HEADER_SIZE, 0, 0, INFO3_PARTITION_DONE, 0, result, partition, 0, 0, 0, 0)


def encode_query_end(result: int = 0) -> bytes:
    """Encode the message that ends an answer."""
    return _pack_head(MESSAGE_HEADER_SIZE, 0, 0, INFO3_LAST, 0, result, 0, 0, 0, 0, 0)
