"""Answers to single-record commands: the hot decoders against the general form, and against damage."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.wire.strategies import bin_names, messages, same, u8, u32, values
from trio_aerospike import __speedups__
from trio_aerospike._wire import records
from trio_aerospike._wire.messages import Field, Message, Op, decode_message, encode_message
from trio_aerospike._wire.particles import decode_value, encode_value
from trio_aerospike._wire.records import bins_of, decode_header, decode_ordered, decode_record
from trio_aerospike.errors import ProtocolError


def answer(results: list[tuple[str, Any]], result_code: int = 0, generation: int = 0, record_ttl: int = 0) -> Message:
    ops = []
    for name, value in results:
        particle, data = encode_value(value)
        ops.append(Op(1, particle, name, data))
    return Message(ops=tuple(ops), result_code=result_code, generation=generation, record_ttl=record_ttl)


@settings(deadline=None)
@given(st.lists(st.tuples(bin_names, values), max_size=8), u8, u32, u32)
def test_any_record_decodes_to_its_values(
    results: list[tuple[str, Any]], result_code: int, generation: int, void_time: int
) -> None:
    message = answer(results, result_code=result_code, generation=generation, record_ttl=void_time)
    body = encode_message(message)
    header = (result_code, generation, void_time)
    assert decode_header(body) == header
    *ordered_header, ordered = decode_ordered(body)
    assert tuple(ordered_header) == header
    assert same([list(pair) for pair in ordered], [list(pair) for pair in results])
    *record_header, bins = decode_record(body)
    assert tuple(record_header) == header
    assert same(bins, bins_of(results))


@settings(deadline=None)
@given(messages)
def test_any_message_decodes_by_the_hot_path_as_by_the_general_form(message: Message) -> None:
    body = encode_message(message)
    try:
        results = [(op.name, decode_value(op.particle, op.value)) for op in message.ops]
    except ProtocolError:
        with pytest.raises(ProtocolError):
            decode_ordered(body)
        with pytest.raises(ProtocolError):
            decode_record(body)
    else:
        assert same([list(pair) for pair in decode_ordered(body)[3]], [list(pair) for pair in results])
        assert same(decode_record(body)[3], bins_of(results))


@settings(deadline=None)
@given(st.binary(max_size=120), st.booleans())
def test_arbitrary_bytes_are_a_record_or_a_protocol_error(data: bytes, with_header: bool) -> None:
    if with_header:
        data = b"\x16" + bytes(17) + data
    outcomes = []
    for decode in (decode_record, decode_ordered, decode_header, decode_message):
        try:
            decode(data)
            outcomes.append(True)
        except ProtocolError:
            outcomes.append(False)
    # Both hot decoders draw the same line.
    assert outcomes[0] == outcomes[1]


@settings(deadline=None)
@given(st.lists(st.tuples(bin_names, values), min_size=1, max_size=3), st.data())
def test_a_damaged_record_is_a_record_or_a_protocol_error_to_both_decoders(
    results: list[tuple[str, Any]], data: st.DataObject
) -> None:
    body = bytearray(encode_message(answer(results)))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(body)
    try:
        ordered = decode_ordered(damaged)[3]
    except ProtocolError:
        with pytest.raises(ProtocolError):
            decode_record(damaged)
    else:
        assert same(decode_record(damaged)[3], bins_of(ordered))


RECORD = encode_message(answer([("i", 42), ("s", "Ann ☃"), ("f", 1.5), ("l", [1, "a"])], generation=1))


def test_a_record_cut_at_any_byte_or_with_one_too_many_is_a_protocol_error() -> None:
    for body in [RECORD[:cut] for cut in range(len(RECORD))] + [RECORD + b"\x00"]:
        with pytest.raises(ProtocolError):
            decode_record(body)
        with pytest.raises(ProtocolError):
            decode_ordered(body)


def test_fields_before_the_bins_are_skipped() -> None:
    message = Message(fields=(Field(3, b"1234567"), Field(45, b"")), ops=answer([("i", 1)]).ops)
    assert decode_record(encode_message(message))[3] == {"i": 1}
    assert decode_ordered(encode_message(message))[3] == [("i", 1)]


def test_a_last_update_time_between_name_and_value_is_skipped() -> None:
    op = Op(1, 1, "i", bytes(8) + (7).to_bytes(8, "big"), flags=1)
    body = encode_message(Message(ops=(op,)))
    assert op.value == (7).to_bytes(8, "big")
    assert decode_record(body)[3] == {"i": 7}
    assert decode_ordered(body)[3] == [("i", 7)]


def test_of_several_results_for_a_bin_the_last_that_is_not_nil_counts() -> None:
    results = [("n", 1), ("n", None), ("m", None), ("n", 2), ("m", 3), ("o", None), ("n", None)]
    body = encode_message(answer(results))
    assert decode_record(body)[3] == {"n": 2, "m": 3, "o": None}
    assert bins_of(results) == {"n": 2, "m": 3, "o": None}
    assert decode_ordered(body)[3] == results


@pytest.mark.parametrize(
    ("op", "why"),
    [
        (struct.pack(">I4B", 3, 1, 1, 0, 0), "a size that its own header does not fit"),
        (struct.pack(">I4B", 4, 1, 3, 0, 200), "a name longer than the bin"),
        (struct.pack(">I4B", 5, 1, 1, 1, 1) + b"i", "no room for the last-update time"),
        (struct.pack(">I4B", 5, 1, 3, 0, 1) + b"\xff", "a name that is not UTF-8"),
        (struct.pack(">I4B", 6, 1, 3, 0, 1) + b"s\xff", "text that is not UTF-8"),
        (struct.pack(">I4B", 8, 1, 1, 0, 1) + b"iabc", "an integer of three bytes"),
        (struct.pack(">I4B", 0xFFFFFFFF, 1, 1, 0, 1) + b"i", "a size past the end"),
    ],
)
def test_a_malformed_bin_is_a_protocol_error(op: bytes, why: str) -> None:
    body = encode_message(Message())[:20] + b"\x00\x01" + op
    for decode in (decode_record, decode_ordered):
        with pytest.raises(ProtocolError):
            decode(body)


def test_a_header_of_another_size_is_a_protocol_error() -> None:
    body = b"\x17" + RECORD[1:]
    for decode in (decode_record, decode_ordered, decode_header):
        with pytest.raises(ProtocolError):
            decode(body)


def test_bin_names_are_shared_between_records_and_their_cache_is_bounded() -> None:
    first, second = (next(iter(decode_record(encode_message(answer([("shared", 1)])))[3])) for _ in range(2))
    assert first is second
    for number in range(records._NAMES_MAX + 10):
        decode_record(encode_message(answer([(f"n{number}", 1)])))
    known = [text for text in records._texts if text] if __speedups__ else list(records._names)
    assert 0 < len(known) <= records._NAMES_MAX


@settings(deadline=None)
@given(messages, st.binary(max_size=10))
def test_any_message_comes_back_as_it_was_with_anything_behind_it(message: Message, behind: bytes) -> None:
    body = encode_message(message)
    decoded, end = decode_message(b"\xff" + body + behind, 1)
    assert end == 1 + len(body)
    assert decoded == message
