"""Decode and encode answers to queries: frames of many messages, one for each record, and a last one.

Besides records there are messages about partitions that a node cannot serve (bit "partition done", with a result and
the partition's number in the place of the generation) and the end (bit "last", with the result of the query). A refusal
is one message that has a result and neither bit. Facts: the server's
as/src/base/proto.c (``as_msg_make_response_bufbuilder``, ``as_msg_pid_done_bufbuilder``, ``as_msg_fin_bufbuilder``).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs

from ..errors import ProtocolError
from . import constants as wire, object_maker, object_slots, particles, reading, records
from .commands import encode_field
from .error_text import not_utf8
from .undecodable import faulty_bin

_pack_value = struct.Struct("<q").pack
_pack_head = struct.Struct(">6BIIIHH").pack
_KEY_PARTICLES = frozenset((wire.PARTICLE_INTEGER, wire.PARTICLE_STRING, wire.PARTICLE_BLOB))
_FAULTS = (*reading.CUT_OFF, UnicodeDecodeError, ProtocolError)

#: Where a record is: namespace, set, user key and digest.
Place: TypeAlias = tuple[str, str, Any, bytes]
#: Creates the stand-in for a record that cannot be decoded: (place, error, generation, void time).
MakeFaulty: TypeAlias = Callable[[Place, ProtocolError, int, int], Any]


@attrs.define(slots=True)
class Decoded:
    """The decoded part of an answer.

    Attributes:
        records: in their order.
        digests: of the records.
        values: the index value of each record, if the query has a predicate; else empty.
        unavailable: the partitions that the node cannot serve, with the result for each.
        position: where to continue in the frame; its end if it is decoded.
        result: of the query, after its end; None before.
    """

    records: list[Any] = attrs.Factory(list)
    digests: list[bytes] = attrs.Factory(list)
    values: list[int] = attrs.Factory(list)
    unavailable: list[tuple[int, int]] = attrs.Factory(list)
    position: int = 0
    result: int | None = None


class AnswerDecoder:
    """Decodes the answers of one query, piece by piece.

    Args:
        make_record: makes a record of place, bins, generation and void time.
        make_faulty: the same, with an error in place of the bins.
    """

    def __init__(self, make_record: object_maker.Maker, make_faulty: MakeFaulty) -> None:
        self._record_maker = make_record
        self._make_faulty = make_faulty
        # The fields of the latest record, before and behind its digest: the next ones mostly have the same.
        self._n_fields = -1
        self._before = b""
        self._behind = b""
        self._namespace = ""
        self._set_name = ""

    def decode(self, body: bytes, position: int, count: int) -> Decoded:
        """Decode about ``count`` records from ``position`` on, or as many as there are.

        Raises:
            ProtocolError: the frame is malformed (a malformed value only makes a faulty record).
        """
        found = Decoded()
        made = found.records
        digests = found.digests
        values = found.values
        total = len(body)
        try:
            while position < total and len(made) < count:
                end = self._read_plain(body, position, made, digests, values)
                if end:
                    position = end
                    continue
                position = self._read_other(body, position, found)
                if found.result is not None:
                    break
        except reading.CUT_OFF:
            raise ProtocolError(f"an answer to a query is cut off within {total} bytes") from None
        except UnicodeDecodeError as error:
            raise ProtocolError(f"a namespace in an answer to a query {not_utf8(error)}") from None
        if position > total:
            raise ProtocolError(f"an answer to a query of {total} bytes is cut off")
        if found.result is not None and position != total:
            raise ProtocolError(f"{total - position} bytes follow the end of a query")
        found.position = position
        return found

    def _read_plain(self, body: bytes, position: int, made: list[Any], digests: list[bytes], values: list[int]) -> int:
        """Read a record that can be decoded and append it; returns its end, and 0 for any other message."""
        size, info3, code, generation, void_time, _ttl, n_fields, n_ops = reading.unpack_head(body, position)
        if size != wire.MESSAGE_HEADER_SIZE or code or info3 & (wire.INFO3_LAST | wire.INFO3_PARTITION_DONE):
            return 0
        position += wire.MESSAGE_HEADER_SIZE
        user_key: Any = None
        has_value = False
        bins: dict[str, Any] = {}
        try:
            start = position + len(self._before)
            end = start + wire.DIGEST_SIZE
            if (
                n_fields == self._n_fields
                and body.startswith(self._before, position)
                and body.startswith(self._behind, end)
            ):
                namespace, set_name = self._namespace, self._set_name
                digest = body[start:end]
                position = end + len(self._behind)
            else:
                namespace = set_name = ""
                digest = b""
                first = position
                digest_start = 0
                for _ in range(n_fields):
                    size, kind = reading.unpack_field(body, position)
                    start = position + 5
                    position += 4 + size
                    if position > len(body) or size < 1:
                        return 0
                    if kind == wire.FIELD_DIGEST:
                        digest = body[start:position]
                        digest_start = start
                    elif kind == wire.FIELD_NAMESPACE:
                        namespace = records.repeated_text(body, start, position)
                    elif kind == wire.FIELD_SET:
                        set_name = records.repeated_text(body, start, position)
                    elif kind == wire.FIELD_KEY:
                        user_key = user_key_of(body[start:position])
                    elif kind == wire.FIELD_BVAL_ARRAY:
                        (value,) = reading.unpack_index_value(body, start)
                        has_value = True
                if len(digest) == wire.DIGEST_SIZE and user_key is None and not has_value:
                    self._n_fields = n_fields
                    self._namespace, self._set_name = namespace, set_name
                    self._before = body[first:digest_start]
                    self._behind = body[digest_start + wire.DIGEST_SIZE : position]
            end = records.read_bins(body, position, n_ops, bins)
            if len(digest) != wire.DIGEST_SIZE or len(bins) != n_ops:
                return 0
        except _FAULTS:
            return 0
        place = object_slots.untracked((namespace, set_name, user_key, digest))
        made.append(self._record_maker.make(place, bins, generation, void_time))
        digests.append(digest)
        if has_value:
            values.append(value)
        return end

    def _read_other(self, body: bytes, position: int, found: Decoded) -> int:
        """Read any message, and return its end (may raise ``reading.CUT_OFF`` and UnicodeDecodeError)."""
        size, info3, result, generation, void_time, _ttl, n_fields, n_ops = reading.unpack_head(body, position)
        if size != wire.MESSAGE_HEADER_SIZE:
            raise ProtocolError(f"a message header of {size} bytes, expected {wire.MESSAGE_HEADER_SIZE}")
        namespace = set_name = ""
        fault: ProtocolError | None = None
        digest = b""
        user_key: Any = None
        value: int | None = None
        position += wire.MESSAGE_HEADER_SIZE
        for _ in range(n_fields):
            size, kind = reading.unpack_field(body, position)
            data = body[position + 5 : position + 4 + size]
            position += 4 + size
            if kind == wire.FIELD_DIGEST:
                digest = data
            elif kind == wire.FIELD_NAMESPACE:
                namespace = data.decode()
            elif kind == wire.FIELD_SET:
                try:
                    set_name = data.decode()
                except UnicodeDecodeError as error:
                    # One record in a set with an invalid name must not end the query for all others.
                    set_name = data.decode(errors="backslashreplace")
                    text = f"the name of its set {not_utf8(error)}; read it with the client that wrote it"
                    fault = ProtocolError(text)
            elif kind == wire.FIELD_KEY:
                user_key = user_key_of(data)
            elif kind == wire.FIELD_BVAL_ARRAY:
                (value,) = reading.unpack_index_value(data, 0)
        end = records.skip_bins(body, position, n_ops)
        if info3 & wire.INFO3_PARTITION_DONE:
            # The partition's number is in the place of the generation.
            if result:
                found.unavailable.append((generation, result))
            return end
        if info3 & wire.INFO3_LAST or result:
            found.result = result
            return end
        if len(digest) != wire.DIGEST_SIZE:
            raise ProtocolError(f"a record in an answer to a query has a digest of {len(digest)} bytes")
        place = (namespace, set_name, user_key, digest)
        results: list[tuple[str, Any]] = []
        try:
            if fault is None:
                records.read_bins(body, position, n_ops, {}, results)
        except (ProtocolError, UnicodeDecodeError) as error:
            fault = faulty_bin(body, position, n_ops) or ProtocolError(str(error))
        if fault is not None:
            record = self._make_faulty(place, fault, generation, void_time)
        else:
            record = self._record_maker.make(place, records.bins_of(results), generation, void_time)
        found.records.append(record)
        found.digests.append(digest)
        if value is not None:
            found.values.append(value)
        return end


def last_of_partitions(digests: Sequence[bytes]) -> list[int]:
    """Return the index of the last digest of each partition, in order."""
    last: dict[int, int] = {}
    for index in range(len(digests)):
        digest = digests[index]
        last[(digest[0] | digest[1] << 8) & wire.PARTITION_MASK] = index
    return sorted(last.values())


def is_end(body: bytes) -> bool:
    """Whether a frame is the last of an answer: a refusal, or one that ends with the last message.

    The reader decodes the records; here a frame is only scanned if its last bytes look like the last message.
    """
    tail = len(body) - wire.MESSAGE_HEADER_SIZE
    if tail < 0 or body[tail] != wire.MESSAGE_HEADER_SIZE:
        return False
    if not tail:
        return bool(body[3] & wire.INFO3_LAST) or (bool(body[5]) and not body[3] & wire.INFO3_PARTITION_DONE)
    if not body[tail + 3] & wire.INFO3_LAST or any(body[tail + 6 :]):
        return False
    position = 0
    try:
        while position < tail:
            _size, _info3, _code, _generation, _void_time, _ttl, n_fields, n_ops = reading.unpack_head(body, position)
            position = records.skip_fields(body, position + wire.MESSAGE_HEADER_SIZE, n_fields + n_ops)
    except reading.CUT_OFF:
        return False
    return position == tail


def user_key_of(data: bytes) -> Any:
    """Decode the user key that is stored with a record; None for one of a type that is not valid here."""
    if not data or data[0] not in _KEY_PARTICLES:
        return None
    try:
        return particles.decode_value(data[0], data[1:])
    except (ProtocolError, UnicodeDecodeError):
        return None


# --- encoding, for the server -----------------------------------------------------------------------------------------


def record_fields(namespace: str, set_name: str) -> tuple[bytes, bytes]:
    """Encode the fields before and after the digest, which are the same for all records of a set."""
    before = encode_field(wire.FIELD_NAMESPACE, namespace.encode()) + struct.pack(
        ">IB", wire.DIGEST_SIZE + 1, wire.FIELD_DIGEST
    )
    return before, encode_field(wire.FIELD_SET, set_name.encode()) if set_name else b""


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
        behind += encode_field(wire.FIELD_KEY, key)
        n_fields += 1
    if value is not None:
        behind += encode_field(wire.FIELD_BVAL_ARRAY, _pack_value(value))
        n_fields += 1
    head = _pack_head(
        wire.MESSAGE_HEADER_SIZE,
        wire.INFO1_GET_NO_BINS if no_bins else 0,
        0,
        0,
        0,
        0,
        generation,
        void_time,
        0,
        n_fields,
        n_ops,
    )
    return b"".join((head, before, digest, behind, ops))


def encode_partition_done(partition: int, result: int) -> bytes:
    """Encode the message that a partition cannot be served."""
    return _pack_head(wire.MESSAGE_HEADER_SIZE, 0, 0, wire.INFO3_PARTITION_DONE, 0, result, partition, 0, 0, 0, 0)


def encode_query_end(result: int = 0) -> bytes:
    """Encode the message that ends an answer."""
    return _pack_head(wire.MESSAGE_HEADER_SIZE, 0, 0, wire.INFO3_LAST, 0, result, 0, 0, 0, 0, 0)
