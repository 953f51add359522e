"""Encode requests of queries and scans; decode their fields, for the server.

A query asks a node for partitions: whole ones (their numbers), and partly read ones (the digest of the last record,
with the index value under which it was found). Facts: the C client's ``as_query_command_init`` in aerospike_query.c,
and ``get_query_*`` in the server's as/src/query/query.c. The predicate is in ``index_ranges``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from ..errors import ProtocolError
from .commands import encode_command, encode_field
from .constants import (
    DIGEST_SIZE,
    FIELD_BVAL_ARRAY,
    FIELD_DIGEST_ARRAY,
    FIELD_FILTER,
    FIELD_INDEX_CONTEXT,
    FIELD_INDEX_EXPRESSION,
    FIELD_INDEX_NAME,
    FIELD_INDEX_RANGE,
    FIELD_INDEX_TYPE,
    FIELD_NAMESPACE,
    FIELD_PID_ARRAY,
    FIELD_RECORDS_PER_SECOND,
    FIELD_SAMPLE_MAX,
    FIELD_SET,
    FIELD_SOCKET_TIMEOUT,
    FIELD_TRID,
    FIELD_UDF_ARGLIST,
    FIELD_UDF_FILENAME,
    FIELD_UDF_FUNCTION,
    FIELD_UDF_OP,
    INFO1_GET_NO_BINS,
    INFO1_READ,
    INFO1_SHORT_QUERY,
    INFO2_RELAX_AP_LONG_QUERY,
    INFO2_WRITE,
    INFO3_PARTITION_DONE,
    N_PARTITIONS,
)
from .index_ranges import INDEX_DEFAULT, Range, encode_range

_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")

UDF_OP_AGGREGATE: Final = 1
UDF_OP_BACKGROUND: Final = 2


@attrs.frozen(slots=True, kw_only=True)
class QueryHead:
    """The part of a query's requests that is the same for all nodes.

    Args:
        namespace, set_name: of the records; "" for all sets.
        trid: the number of the query, by which the server lists and aborts it.
        short: few records are expected; the server runs it like a single-record command.
        relax: in an available namespace, partitions that still lack records may answer.
        no_bins: metadata only.
        respond_all: return a result for every operation, also one that finds nothing.
        records_per_second: for each node; 0 for no limit.
        socket_timeout: milliseconds for which the server keeps trying to send; 0 for no limit.
        where: the predicate; None for all records.
        index_type: ``INDEX_*``.
        index_name: the name of the index, or None.
        index_context: the packed context of the index, or None.
        index_expression: the packed expression of the index, or None.
        filter_expression: a packed expression, or None.
        ops: encoded read operations for each record; empty for all bins.
        n_ops: their number.
    """

    namespace: str
    set_name: str = ""
    trid: int = 0
    short: bool = False
    relax: bool = False
    no_bins: bool = False
    respond_all: bool = False
    records_per_second: int = 0
    socket_timeout: int = 0
    where: Range | None = None
    index_type: int = INDEX_DEFAULT
    index_name: str | None = None
    index_context: bytes | None = None
    index_expression: bytes | None = None
    filter_expression: bytes | None = None
    ops: bytes = b""
    n_ops: int = 0

    def fields(self) -> list[bytes]:
        """Encode the fields, in the order of the C client."""
        fields = [encode_field(FIELD_NAMESPACE, self.namespace.encode())]
        if self.set_name:
            fields.append(encode_field(FIELD_SET, self.set_name.encode()))
        if self.records_per_second:
            fields.append(encode_field(FIELD_RECORDS_PER_SECOND, _U32.pack(self.records_per_second)))
        fields.append(encode_field(FIELD_SOCKET_TIMEOUT, _U32.pack(self.socket_timeout)))
        fields.append(encode_field(FIELD_TRID, _U64.pack(self.trid)))
        if self.where is not None:
            if self.index_type != INDEX_DEFAULT:
                fields.append(encode_field(FIELD_INDEX_TYPE, bytes((self.index_type,))))
            fields.append(encode_field(FIELD_INDEX_RANGE, encode_range(self.where)))
            if self.index_context is not None:
                fields.append(encode_field(FIELD_INDEX_CONTEXT, self.index_context))
            if self.index_name is not None:
                fields.append(encode_field(FIELD_INDEX_NAME, self.index_name.encode()))
            if self.index_expression is not None:
                fields.append(encode_field(FIELD_INDEX_EXPRESSION, self.index_expression))
        if self.filter_expression is not None:
            fields.append(encode_field(FIELD_FILTER, self.filter_expression))
        return fields


#: A partly read partition: the digest of the last record, and its index value.
Resumed = tuple[bytes, int]


def encode_query(
    head: QueryHead, whole: Sequence[int], resumed: Sequence[Resumed], *, record_max: int = 0, transaction_ttl: int = 0
) -> bytes:
    """Encode the frame that asks one node for records.

    Args:
        head: the part that is the same for all nodes.
        whole: the partitions to read from the start.
        resumed: where to resume in the others.
        record_max: the most records to return; 0 for all.
        transaction_ttl: milliseconds; the server uses it for short queries only, and takes 0 for a second.

    Raises:
        InvalidArgError: the request is larger than the server accepts.
    """
    info1 = INFO1_READ | (INFO1_GET_NO_BINS if head.no_bins else 0) | (INFO1_SHORT_QUERY if head.short else 0)
    info2 = (INFO2_RELAX_AP_LONG_QUERY if head.relax else 0) | (0x80 if head.respond_all else 0)
    fields = head.fields()
    if whole:
        fields.append(encode_field(FIELD_PID_ARRAY, struct.pack(f"<{len(whole)}H", *whole)))
    if resumed:
        fields.append(encode_field(FIELD_DIGEST_ARRAY, b"".join([digest for digest, _ in resumed])))
        if head.where is not None:
            values = struct.pack(f"<{len(resumed)}q", *[value for _, value in resumed])
            fields.append(encode_field(FIELD_BVAL_ARRAY, values))
    if record_max:
        fields.append(encode_field(FIELD_SAMPLE_MAX, _U64.pack(record_max)))
    data = b"".join(fields)
    # The record ttl of a read: do not reset the time to live.
    no_touch = 0xFFFFFFFF
    return encode_command(
        info1,
        info2,
        INFO3_PARTITION_DONE,
        0,
        0,
        no_touch,
        transaction_ttl,
        data,
        len(fields),
        head.ops,
        head.n_ops,
    )


def encode_background_query(
    head: QueryHead,
    *,
    info2: int,
    info3: int,
    record_ttl: int,
    udf: tuple[str, str, bytes] | None = None,
    transaction_ttl: int = 0,
) -> bytes:
    """Encode the frame that starts a background query on one node.

    Args:
        head: the records, and the operations on each.
        info2, info3: the bits of the write policy.
        record_ttl: the time to live of written records, as in the header.
        udf: module, function and packed arguments, in place of operations.
        transaction_ttl: milliseconds for the request itself.

    Raises:
        InvalidArgError: the request is larger than the server accepts.
    """
    fields = head.fields()
    if udf is not None:
        fields += _udf_fields(UDF_OP_BACKGROUND, udf)
    return encode_command(
        0,
        info2 | INFO2_WRITE,
        info3,
        0,
        0,
        record_ttl,
        transaction_ttl,
        b"".join(fields),
        len(fields),
        head.ops,
        head.n_ops,
    )


def encode_aggregation(head: QueryHead, udf: tuple[str, str, bytes], *, transaction_ttl: int = 0) -> bytes:
    """Encode the frame that starts an aggregation on one node: a stream function over its records.

    Args:
        head: the records.
        udf: module, function and packed arguments.
        transaction_ttl: milliseconds for the request itself.

    Raises:
        InvalidArgError: the request is larger than the server accepts.
    """
    fields = head.fields() + _udf_fields(UDF_OP_AGGREGATE, udf)
    return encode_command(INFO1_READ, 0, 0, 0, 0, 0, transaction_ttl, b"".join(fields), len(fields), b"", 0)


def _udf_fields(operation: int, udf: tuple[str, str, bytes]) -> list[bytes]:
    module, function, arguments = udf
    return [
        encode_field(FIELD_UDF_OP, bytes((operation,))),
        encode_field(FIELD_UDF_FILENAME, module.encode()),
        encode_field(FIELD_UDF_FUNCTION, function.encode()),
        encode_field(FIELD_UDF_ARGLIST, arguments),
    ]


# --- decoding, for the server -----------------------------------------------------------------------------------------


def decode_partitions(
    pids: bytes | None, digests: bytes | None, values: bytes | None, *, has_where: bool
) -> dict[int, Resumed | None] | None:
    """Decode the requested partitions, ascending, each with the place to resume at (None: from the start).

    Args:
        pids, digests, values: the data of the three array fields; None for one that is absent.
        has_where: whether there is a predicate; only then values are needed.

    Returns:
        None if there are no partition fields.

    Raises:
        ProtocolError: ``get_query_pids`` in the server would refuse it.
    """
    if pids is None and digests is None:
        return None
    found: dict[int, Resumed | None] = {}
    if pids is not None:
        count = len(pids) // 2
        if not 0 < count <= N_PARTITIONS:
            raise ProtocolError("pid array empty or too big")
        for pid in struct.unpack_from(f"<{count}H", pids):
            if pid >= N_PARTITIONS or pid in found:
                raise ProtocolError(f"bad or duplicate pid {pid}")
            found[pid] = None
    if digests is not None:
        _add_resumed(found, digests, values if has_where else None, has_where=has_where)
    elif values is not None:
        raise ProtocolError("got bval array but no digests")
    return dict(sorted(found.items()))


def _add_resumed(found: dict[int, Resumed | None], digests: bytes, values: bytes | None, *, has_where: bool) -> None:
    count = len(digests) // DIGEST_SIZE
    if not 0 < count <= N_PARTITIONS:
        raise ProtocolError("digest array empty or too big")
    numbers: Iterable[int] = [0] * count
    if has_where:
        if values is None:
            raise ProtocolError("got digests but no bval array")
        if len(values) // 8 != count:
            raise ProtocolError(f"n_bvals {len(values) // 8} != n_digests {count}")
        numbers = struct.unpack_from(f"<{count}q", values)
    for index, value in enumerate(numbers):
        digest = digests[index * DIGEST_SIZE : (index + 1) * DIGEST_SIZE]
        pid = (digest[0] | digest[1] << 8) & (N_PARTITIONS - 1)
        if pid in found:
            raise ProtocolError(f"bad or duplicate digest pid {pid}")
        found[pid] = (digest, value)
