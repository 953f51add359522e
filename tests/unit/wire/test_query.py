"""Requests and answers of queries, against recorded ones and each other."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.effort import examples
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.commands import encode_particle_op
from trio_aerospike._wire.constants import PROTO_HEADER_SIZE
from trio_aerospike._wire.index_ranges import Range, decode_range, encode_range
from trio_aerospike._wire.messages import Message, decode_messages, decode_only_message, encode_message
from trio_aerospike._wire.object_maker import Maker
from trio_aerospike._wire.query import QueryHead, decode_partitions, encode_background_query, encode_query
from trio_aerospike._wire.query_answers import (
    AnswerDecoder,
    encode_partition_done,
    encode_query_end,
    encode_record,
    is_end,
    record_fields,
    user_key_of,
)
from trio_aerospike.errors import ProtocolError

from .exchanges import frames_of, load_exchanges

Made = tuple[str, str, Any, bytes, Any, int, int]
ALL = range(wire.N_PARTITIONS)


def make(place: tuple[str, str, Any, bytes], bins: Any, generation: int, void_time: int) -> Made:
    return *place, bins, generation, void_time


def decoded(body: bytes, count: int = 1000) -> tuple[list[Made], list[int], list[tuple[int, int]], int | None]:
    """Everything of a frame, so many records at a time."""
    decoder = AnswerDecoder(Maker.calling(make), make)
    records: list[Made] = []
    values: list[int] = []
    unavailable: list[tuple[int, int]] = []
    position, result = 0, None
    while position < len(body):
        found = decoder.decode(body, position, count)
        assert found.position > position
        position = found.position
        records += found.records
        values += found.values
        unavailable += found.unavailable
        result = found.result if found.result is not None else result
    return records, values, unavailable, result


# --- requests --------------------------------------------------------------------------------------------------------


def recorded_queries() -> list[tuple[str, bytes]]:
    found = []
    for exchange in load_exchanges():
        for kind, body in frames_of(exchange.request):
            if kind == wire.PROTO_MESSAGE and decode_messages(body)[0].field(wire.FIELD_PID_ARRAY) is not None:
                found.append((str(exchange), exchange.request))
    return found


@pytest.mark.parametrize(("label", "frame"), recorded_queries())
def test_a_recorded_query_is_encoded_to_the_same_bytes(label: str, frame: bytes) -> None:
    message = decode_only_message(frame[PROTO_HEADER_SIZE:])
    pids = message.field(wire.FIELD_PID_ARRAY) or b""
    data = message.field(wire.FIELD_INDEX_RANGE)
    kind = message.field(wire.FIELD_INDEX_TYPE)
    head = QueryHead(
        namespace="test",
        set_name="wire",
        trid=int.from_bytes(message.field(wire.FIELD_TRID) or b"", "big"),
        socket_timeout=int.from_bytes(message.field(wire.FIELD_SOCKET_TIMEOUT) or b"", "big"),
        where=None if data is None else decode_range(data),
        index_type=0 if kind is None else kind[0],
        filter_expression=message.field(wire.FIELD_FILTER),
        ops=b"".join(encode_particle_op(op.op, op.name, op.particle, op.data) for op in message.ops),
        n_ops=len(message.ops),
    )
    whole = struct.unpack(f"<{len(pids) // 2}H", pids)
    assert sorted_fields(encode_query(head, whole, [])) == sorted_fields(frame)


def sorted_fields(frame: bytes) -> tuple[bytes, Any]:
    """A request with its fields in one order: where a filter stands, the C client has it behind the partitions."""
    message = decode_only_message(frame[PROTO_HEADER_SIZE:])
    fields = sorted(message.fields, key=lambda field: field.kind)
    return frame[:PROTO_HEADER_SIZE], (
        message.info1,
        message.info2,
        message.info3,
        message.record_ttl,
        fields,
        message.ops,
    )


def test_where_to_go_on_travels_with_the_values_of_the_index() -> None:
    where = Range("age", wire.PARTICLE_INTEGER, bytes(8), bytes(7) + b"\x09")
    places = [(bytes([1, 0]) + bytes(18), -3), (bytes([2, 0]) + bytes(18), 7)]
    message = decode_only_message(
        encode_query(QueryHead(namespace="n", where=where), [5, 6], places, record_max=9)[PROTO_HEADER_SIZE:]
    )
    found = decode_partitions(
        message.field(wire.FIELD_PID_ARRAY),
        message.field(wire.FIELD_DIGEST_ARRAY),
        message.field(wire.FIELD_BVAL_ARRAY),
        has_where=True,
    )
    assert found == {1: places[0], 2: places[1], 5: None, 6: None}
    assert message.field(wire.FIELD_SAMPLE_MAX) == bytes(7) + b"\x09"


def test_without_a_predicate_no_values_travel() -> None:
    message = decode_only_message(encode_query(QueryHead(namespace="n"), [], [(bytes(20), 0)])[PROTO_HEADER_SIZE:])
    assert message.field(wire.FIELD_BVAL_ARRAY) is None
    assert message.field(wire.FIELD_DIGEST_ARRAY) == bytes(20)


@pytest.mark.parametrize(
    ("head", "info1", "info2"),
    [
        (QueryHead(namespace="n"), wire.INFO1_READ, 0),
        (QueryHead(namespace="n", short=True), wire.INFO1_READ | wire.INFO1_SHORT_QUERY, 0),
        (QueryHead(namespace="n", relax=True), wire.INFO1_READ, wire.INFO2_RELAX_AP_LONG_QUERY),
        (QueryHead(namespace="n", no_bins=True), wire.INFO1_READ | wire.INFO1_GET_NO_BINS, 0),
        (QueryHead(namespace="n", respond_all=True), wire.INFO1_READ, wire.INFO2_RESPOND_ALL_OPS),
    ],
)
def test_what_is_expected_of_a_query_is_said_in_its_header(head: QueryHead, info1: int, info2: int) -> None:
    message = decode_only_message(encode_query(head, [0], [])[PROTO_HEADER_SIZE:])
    assert (message.info1, message.info2, message.info3) == (info1, info2, wire.INFO3_PARTITION_DONE)


def test_a_background_query_names_its_udf() -> None:
    frame = encode_background_query(
        QueryHead(namespace="n", set_name="s", trid=3), info2=0, info3=0, record_ttl=5, udf=("m", "f", b"\x90")
    )
    message = decode_only_message(frame[PROTO_HEADER_SIZE:])
    kinds = (wire.FIELD_UDF_OP, wire.FIELD_UDF_FILENAME, wire.FIELD_UDF_FUNCTION, wire.FIELD_UDF_ARGLIST)
    assert [message.field(kind) for kind in kinds] == [b"\x02", b"m", b"f", b"\x90"]
    assert message.info2 == wire.INFO2_WRITE and message.record_ttl == 5


@given(st.text(max_size=3), st.sampled_from([3, 4, 23]), st.binary(max_size=40))
def test_a_range_of_strings_comes_back(name: str, particle: int, value: bytes) -> None:
    wanted = Range(name, particle, value, value)
    assert decode_range(encode_range(wanted)) == wanted


def test_a_range_of_integers_comes_back() -> None:
    wanted = Range("abcdefghijklmno", wire.PARTICLE_INTEGER, struct.pack(">q", -5), struct.pack(">q", 5))
    assert decode_range(encode_range(wanted)) == wanted


@pytest.mark.parametrize(
    "data",
    [b"", b"\1", b"\2\1a\1", b"\1\5a", b"\1\1a\3\0\0\0\5ab", b"\1\1a\1\0\0\0\4abcd\0\0\0\4abcd", b"\1\1\xff\3\0\0\0\0"],
)
def test_a_range_that_the_server_could_not_parse_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_range(data)


@pytest.mark.parametrize(
    ("pids", "digests", "values", "has_where"),
    [
        (b"", None, None, False),
        (b"\x00\x10", None, None, False),
        (b"\1\0\1\0", None, None, False),
        (None, b"short", None, False),
        (b"\0\0", bytes(20), None, False),
        (None, bytes(20), None, True),
        (None, bytes(20), bytes(16), True),
        (b"\1\0", None, bytes(8), True),
    ],
)
def test_partitions_that_the_server_refuses_are_refused(
    pids: bytes | None, digests: bytes | None, values: bytes | None, has_where: bool
) -> None:
    with pytest.raises(ProtocolError):
        decode_partitions(pids, digests, values, has_where=has_where)


# --- answers ---------------------------------------------------------------------------------------------------------


def recorded_answers() -> list[tuple[str, bytes]]:
    found = []
    for exchange in load_exchanges():
        for kind, body in frames_of(exchange.response):
            if kind == wire.PROTO_MESSAGE and decode_messages(body)[0].field(wire.FIELD_DIGEST) is not None:
                found.append((str(exchange), body))
    return found


@pytest.mark.parametrize(("label", "body"), recorded_answers())
@pytest.mark.parametrize("count", [1, 3, 1000])
def test_a_recorded_answer_has_the_records_of_its_messages(label: str, body: bytes, count: int) -> None:
    records, values, _, result = decoded(body, count)
    messages = [message for message in decode_messages(body) if message.field(wire.FIELD_DIGEST) is not None]
    assert [(record[3], record[5], record[6]) for record in records] == [
        (message.field(wire.FIELD_DIGEST), message.generation, message.record_ttl) for message in messages
    ]
    assert [list(record[4]) for record in records] == [[op.name for op in message.ops] for message in messages]
    expected = [message.field(wire.FIELD_BVAL_ARRAY) for message in messages]
    assert values == [struct.unpack("<q", value)[0] for value in expected if value is not None]
    assert is_end(body) == (result is not None)


FIELDS = record_fields("test", "users")
PARTICLES = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(lambda number: (wire.PARTICLE_INTEGER, struct.pack(">q", number), number)),
    st.floats(allow_nan=False).map(lambda number: (wire.PARTICLE_FLOAT, struct.pack(">d", number), number)),
    st.text(max_size=6).map(lambda text: (wire.PARTICLE_STRING, text.encode(), text)),
    st.binary(max_size=6).map(lambda data: (wire.PARTICLE_BLOB, data, data)),
    st.booleans().map(lambda truth: (wire.PARTICLE_BOOL, bytes([truth]), truth)),
    st.just((wire.PARTICLE_LIST, b"\x92\x01\x02", [1, 2])),
)
KEYS = st.sampled_from([None, b"\x03user", b"\x01" + struct.pack(">q", -7), b"\x04\x00\x01"])
RECORDS = st.lists(
    st.tuples(
        st.binary(min_size=20, max_size=20),
        KEYS,
        st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        st.integers(1, 0xFFFF),
        st.dictionaries(st.sampled_from(["a", "bb", "ccc"]), PARTICLES, max_size=3),
    ),
    max_size=12,
)


@settings(max_examples=examples(40))
@given(RECORDS, st.integers(1, 5), st.booleans())
def test_whatever_records_look_like_they_come_back_a_few_at_a_time(
    records: list[Any], count: int, with_values: bool
) -> None:
    body = b"".join(
        encode_record(
            FIELDS,
            digest,
            key,
            value if with_values else None,
            generation,
            0,
            b"".join(encode_particle_op(1, name, kind, data) for name, (kind, data, _) in bins.items()),
            len(bins),
        )
        for digest, key, value, generation, bins in records
    )
    found, values, _, result = decoded(body + encode_query_end(), count)
    assert result == 0
    assert found == [
        ("test", "users", None if key is None else user_key_of(key), digest, plain(bins), generation, 0)
        for digest, key, _, generation, bins in records
    ]
    if with_values:
        assert values == [value for _, _, value, _, _ in records if value is not None]
    else:
        assert values == []


def plain(bins: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, (_, _, value) in bins.items()}


def test_partitions_that_a_node_does_not_serve_are_distinguished_from_records() -> None:
    body = encode_partition_done(77, 11) + encode_partition_done(78, 0) + encode_query_end(210)
    assert decoded(body) == ([], [], [(77, 11)], 210)


def record(value: bytes, particle: int = wire.PARTICLE_STRING) -> bytes:
    return encode_record(FIELDS, bytes(20), None, None, 1, 0, encode_particle_op(1, "a", particle, value), 1)


def test_a_value_that_cannot_be_decoded_concerns_its_record_alone() -> None:
    body = record(b"x") + record(b"x") + record(b"\xff\xff") + record(b"\xc1", wire.PARTICLE_LIST) + record(b"y")
    found, _, _, _ = decoded(body)
    assert [made[4] if isinstance(made[4], dict) else type(made[4]) for made in found] == [
        {"a": "x"},
        {"a": "x"},
        ProtocolError,
        ProtocolError,
        {"a": "y"},
    ]


@pytest.mark.parametrize("cut", range(1, len(record(b"xyz"))))
def test_a_frame_that_is_cut_off_is_refused_wherever_it_is_cut(cut: int) -> None:
    whole = record(b"xyz")
    with pytest.raises(ProtocolError):
        decoded(whole + whole[:-cut])


def test_bytes_behind_the_end_are_refused() -> None:
    with pytest.raises(ProtocolError, match="follow the end"):
        decoded(encode_query_end() + record(b"x"))


def test_a_record_without_a_digest_is_refused() -> None:
    with pytest.raises(ProtocolError, match="digest of 0 bytes"):
        decoded(encode_message(Message()))


@pytest.mark.parametrize("result", [0, 9, 210])
def test_the_end_is_found_behind_records_and_alone(result: int) -> None:
    assert is_end(encode_query_end(result))
    assert is_end(record(b"x") * 3 + encode_query_end(result))
    assert not is_end(record(b"x") * 3)
    assert not is_end(encode_partition_done(1, 11))
    assert is_end(record(b"x") + encode_partition_done(1, 11) + encode_query_end(result))


def test_a_refusal_is_an_end() -> None:
    refusal = bytearray(encode_query_end(201))
    refusal[3] = 0
    assert is_end(bytes(refusal))
    assert decoded(bytes(refusal))[3] == 201


def test_a_value_that_looks_like_an_end_is_a_value() -> None:
    assert not is_end(record(b"abc" + encode_query_end(), wire.PARTICLE_BLOB))
    assert not is_end(record(encode_query_end(), wire.PARTICLE_BLOB))


def test_a_key_of_a_type_that_no_key_has_is_left_out() -> None:
    assert user_key_of(b"\x02" + bytes(8)) is None
    assert user_key_of(b"") is None
    assert user_key_of(b"\x03\xff") is None
    assert user_key_of(b"\x01" + bytes(7) + b"\x05") == 5


def test_a_record_is_not_taken_for_one_with_the_fields_of_the_latest() -> None:
    other = record_fields("test", "others")
    key = b"\x03name"
    first, second, third = bytes(20), b"\x01" * 20, b"\x02" * 20
    ops = encode_particle_op(1, "a", wire.PARTICLE_INTEGER, bytes(8))
    body = b"".join(
        encode_record(fields, digest, user_key, value, 1, 0, ops, 1)
        for fields, digest, user_key, value in (
            (FIELDS, first, None, None),
            (FIELDS, second, None, None),
            (other, first, None, None),
            (other, second, key, None),
            (other, third, None, 7),
            (FIELDS, third, None, None),
            (record_fields("test", ""), third, None, None),
            (FIELDS, first, None, None),
        )
    )
    records, values, _, _ = decoded(body)
    assert [(made[1], made[2], made[3]) for made in records] == [
        ("users", None, first),
        ("users", None, second),
        ("others", None, first),
        ("others", "name", second),
        ("others", None, third),
        ("users", None, third),
        ("", None, third),
        ("users", None, first),
    ]
    assert values == [7]
