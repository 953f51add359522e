"""Batches: rows of requests with repetitions, rows of answers, damage confined to a row."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.wire.strategies import bin_names, blobs, text, u8, u16, u32
from trio_aerospike._wire.batch import encode_batch, encode_batch_read, encode_indexed, encode_row_payload
from trio_aerospike._wire.batch_answers import BatchRow, decode_batch_response
from trio_aerospike._wire.batch_messages import (
    BatchRequest,
    decode_batch_request,
    encode_batch_end,
    encode_batch_row,
    encode_batch_rows,
    op_values,
)
from trio_aerospike._wire.commands import encode_op
from trio_aerospike._wire.frames import FrameReader
from trio_aerospike._wire.messages import Field, Message, Op, decode_only_message, encode_message
from trio_aerospike.errors import InvalidArgError, ProtocolError

DIGEST = bytes(range(20))
INT = (7).to_bytes(8, "big")


def message_of(frame: bytes) -> Message:
    [(kind, body)] = FrameReader().feed(frame)
    assert kind == 3
    return decode_only_message(body)


def optional(strategy: st.SearchStrategy[int]) -> st.SearchStrategy[int | None]:
    return st.one_of(st.none(), strategy)


rows = st.builds(
    BatchRequest,
    index=u32,
    digest=st.binary(min_size=20, max_size=20),
    namespace=text,
    set_name=text,
    info1=u8,
    info2=u8,
    info3=u8,
    info4=optional(u8),
    generation=optional(u16),
    record_ttl=optional(u32),
    fields=st.lists(st.builds(Field, st.integers(2, 255), blobs), max_size=3).map(tuple),
    ops=st.lists(st.builds(Op, u8, u8, bin_names, blobs), max_size=3).map(tuple),
)


@settings(deadline=None)
@given(st.lists(rows, max_size=5), u8, u32, st.one_of(st.none(), blobs))
def test_any_rows_come_back_as_they_were(
    requested: list[BatchRequest], flags: int, transaction_ttl: int, expression: bytes | None
) -> None:
    requested = [row for row in requested for _ in range(2)]  # each repeats once
    frame = encode_batch(
        encode_batch_rows(requested),
        len(requested),
        flags=flags,
        transaction_ttl=transaction_ttl,
        filter_expression=expression,
    )
    message = message_of(frame)
    assert decode_batch_request(message) == (flags, requested)
    assert message.info1 == 8
    assert message.transaction_ttl == transaction_ttl
    assert message.field(43) == expression


def test_repetitions_are_recognised_and_cost_25_bytes() -> None:
    keys = [(0, "test", "a", DIGEST), (1, "test", "a", DIGEST), (2, "test", "b", DIGEST), (3, "test", None, DIGEST)]
    _, decoded = decode_batch_request(message_of(encode_batch_read(keys)))
    assert [row.repeat for row in decoded] == [False, True, False, False]
    assert [row.set_name for row in decoded] == ["a", "a", "b", ""]
    one = len(encode_batch_read(keys[:1]))
    assert len(encode_batch_read(keys[:2])) == one + 25


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=12),
    st.one_of(st.integers(0, 5), st.integers((1 << 14) - 4, (1 << 14) + 4)),
    st.sampled_from([range, lambda start, stop: list(range(start, stop)), lambda start, stop: range(start, stop, 2)]),
)
def test_rows_by_index_are_those_that_stand_there_and_the_same_object_again_is_a_repetition(
    kinds: list[int], start: int, chosen: Any
) -> None:
    row_payloads = [encode_row_payload("test", f"set{kind}", (1, 0, 0)) for kind in range(3)]
    whole = [row_payloads[0]] * start + [row_payloads[kind] for kind in kinds]
    digests = [number.to_bytes(20, "big") for number in range(len(whole))]
    indexes = chosen(start, len(whole))
    pieces = encode_indexed(indexes, digests, whole)
    _, decoded = decode_batch_request(message_of(encode_batch(pieces, len(indexes))))
    assert [(row.index, row.digest) for row in decoded] == [(index, digests[index]) for index in indexes]
    assert [row.set_name for row in decoded] == [f"set{row_payloads.index(whole[index])}" for index in indexes]
    before = [None, *(whole[index] for index in indexes)]
    assert [row.repeat for row in decoded] == [whole[index] is before[place] for place, index in enumerate(indexes)]


def test_a_row_with_a_user_key_is_never_a_repetition() -> None:
    key = (Field(2, b"\x03k"),)
    twice = [BatchRequest(index=index, digest=DIGEST, namespace="test", fields=key) for index in range(2)]
    _, decoded = decode_batch_request(message_of(encode_batch(encode_batch_rows(twice), 2)))
    assert [row.repeat for row in decoded] == [False, False]


def test_a_read_asks_for_all_bins_some_or_none() -> None:
    keys = [(0, "test", "a", DIGEST)]
    read = {
        bins: decode_batch_request(message_of(encode_batch_read(keys, bins)))[1][0] for bins in (None, ("i", "s"), ())
    }
    assert read[None].info1 == 0x03
    assert read[()].info1 == 0x21
    assert read["i", "s"].info1 == 0x01
    assert [op.name for op in read["i", "s"].ops] == ["i", "s"]


def test_a_read_carries_its_policies() -> None:
    frame = encode_batch_read(
        [(0, "test", "a", DIGEST)],
        flags=1,
        row_info1=0x40,
        row_info3=0x80,
        read_touch_ttl=0xFFFFFFFF,
        info1=0x80,
        transaction_ttl=250,
    )
    message = message_of(frame)
    flags, [row] = decode_batch_request(message)
    assert (flags, message.info1, message.transaction_ttl) == (1, 0x88, 250)
    assert (row.info1, row.info3, row.record_ttl) == (0x43, 0x80, 0xFFFFFFFF)


def test_a_bin_name_too_long_is_refused() -> None:
    with pytest.raises(InvalidArgError, match="at most 15"):
        encode_batch_read([(0, "test", "a", DIGEST)], ["n" * 16])


def test_a_record_too_large_for_any_request_is_refused() -> None:
    with pytest.raises(InvalidArgError, match="too large: a request has at most 134217728"):
        encode_row_payload("test", "a", (0, 1, 0), generation=0, ops=bytes(128 * 1024 * 1024), n_ops=1)
    with pytest.raises(InvalidArgError, match="at most 65535"):
        encode_row_payload("test", "a", (0, 1, 0), generation=0, ops=b"", n_ops=65536)


def test_a_digest_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidArgError, match="19 bytes"):
        encode_batch_rows([BatchRequest(index=0, digest=DIGEST[:19], namespace="test")])


def test_rows_of_old_clients_decode() -> None:
    # Namespace only, no counted fields: the count says zero.
    row = struct.pack(">I", 3) + DIGEST + b"\x00" + b"\x03" + struct.pack(">HH", 0, 0) + b"\x00\x00\x00\x05\x00test"
    message = Message(fields=(Field(42, struct.pack(">IB", 1, 1) + row),))
    flags, [decoded] = decode_batch_request(message)
    assert (flags, decoded.index, decoded.namespace, decoded.set_name) == (1, 3, "test", None)
    assert (decoded.info1, decoded.info2, decoded.info3) == (3, None, None)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_an_arbitrary_batch_field_is_rows_or_a_protocol_error(data: bytes) -> None:
    for field in (data, b"\x00\x00\x00\x01\x01" + data):
        try:
            decode_batch_request(Message(fields=(Field(41, field),)))
        except ProtocolError:
            pass


@settings(deadline=None)
@given(st.lists(rows, min_size=1, max_size=3), st.data())
def test_damaged_rows_are_rows_or_a_protocol_error(requested: list[BatchRequest], data: st.DataObject) -> None:
    field = bytearray(struct.pack(">IB", len(requested), 0) + b"".join(encode_batch_rows(requested)))
    for _ in range(data.draw(st.integers(1, 4))):
        field[data.draw(st.integers(0, len(field) - 1))] = data.draw(st.integers(0, 255))
    for candidate in (bytes(field), bytes(field[:-1])):
        try:
            decode_batch_request(Message(fields=(Field(41, candidate),)))
        except ProtocolError:
            pass


def repeating_first() -> bytes:
    return struct.pack(">IBI", 1, 0, 0) + DIGEST + b"\x01"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ((), "without its field"),
        ((Field(41, b""),), "no room"),
        ((Field(41, struct.pack(">IB", 1 << 31, 0)),), "does not fit"),
        ((Field(41, repeating_first()),), "is a repetition"),
        ((Field(41, struct.pack(">IB", 0, 0) + b"x"),), "follow"),
    ],
)
def test_a_malformed_batch_is_a_protocol_error(fields: tuple[Field, ...], words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        decode_batch_request(Message(fields=fields))


# --- answers ---


def test_rows_come_in_any_order_and_the_end_has_the_result_of_the_whole() -> None:
    body = encode_batch_row(5, 0, 2, 9, [Op(1, 1, "i", INT)]) + encode_batch_row(1, 2, 0, 0) + encode_batch_end(9)
    assert decode_batch_response(body) == (
        [BatchRow(5, 0, 2, 9, {"i": 7}, None, [("i", 7)]), BatchRow(1, 2, 0, 0, {})],
        9,
    )
    assert decode_batch_response(b"") == ([], None)


def test_a_value_that_cannot_be_decoded_is_its_rows_error_and_the_others_are_whole() -> None:
    good = encode_batch_row(0, 0, 1, 0, [Op(1, 1, "i", INT)])
    for bad in (Op(1, 3, "s", b"\xff"), Op(1, 20, "l", b"\x91"), Op(1, 1, "i", b"abc"), Op(1, 2, "f", b"")):
        body = good + encode_batch_row(1, 0, 4, 0, [Op(1, 1, "j", INT), bad, Op(1, 1, "k", INT)]) + good
        rows, end = decode_batch_response(body + encode_batch_end())
        assert end == 0
        assert [row.bins for row in rows] == [{"i": 7}, {}, {"i": 7}]
        assert isinstance(rows[1].error, ProtocolError)
        assert (rows[1].index, rows[1].generation) == (1, 4)
        assert rows[0].error is rows[2].error is None


def test_a_name_that_is_not_utf8_is_its_rows_error() -> None:
    row = encode_message(Message(transaction_ttl=3))[:20] + b"\x00\x01" + struct.pack(">I4B", 5, 1, 0, 0, 1) + b"\xff"
    [decoded], _ = decode_batch_response(row)
    assert decoded.index == 3
    assert "not UTF-8" in str(decoded.error)


def test_sizes_that_do_not_fit_break_the_frame() -> None:
    head = encode_message(Message())[:20] + b"\x00\x01"
    for op in (
        struct.pack(">I4B", 3, 1, 1, 0, 0),
        struct.pack(">I4B", 99, 1, 1, 0, 0),
        struct.pack(">I4B", 4, 1, 3, 0, 9),
    ):
        with pytest.raises(ProtocolError):
            decode_batch_response(head + op)
    with pytest.raises(ProtocolError, match="follow the end"):
        decode_batch_response(encode_batch_end() + b"x")
    with pytest.raises(ProtocolError, match="header of 23"):
        decode_batch_response(b"\x17" + encode_batch_end()[1:])


def test_an_answer_cut_at_any_byte_is_a_protocol_error_or_fewer_rows() -> None:
    whole = [encode_batch_row(index, 0, 1, 0, [Op(1, 3, "s", b"text")]) for index in range(3)]
    body = b"".join(whole) + encode_batch_end()
    borders = {0, len(whole[0]), 2 * len(whole[0]), 3 * len(whole[0])}
    for cut in range(len(body)):
        if cut in borders:
            assert len(decode_batch_response(body[:cut])[0]) == cut // len(whole[0])
        else:
            with pytest.raises(ProtocolError):
                decode_batch_response(body[:cut])


@settings(deadline=None)
@given(st.binary(max_size=150), st.booleans())
def test_an_arbitrary_answer_is_rows_or_a_protocol_error(body: bytes, with_header: bool) -> None:
    if with_header:
        body = b"\x16" + bytes(17) + body
    try:
        decode_batch_response(body)
    except ProtocolError:
        pass


def test_values_of_operations_read_as_bins() -> None:
    ops = [Op(2, 1, "i", INT), Op(2, 3, "s", b"x")]
    assert op_values(ops) == {"i": 7, "s": "x"}
    assert encode_op(2, "i", 7)[8:] == b"i" + INT
