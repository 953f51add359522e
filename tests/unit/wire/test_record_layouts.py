"""Decoders that learn the layout of a set's records: results are those of the general decoder."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.wire.strategies import bin_names, same, u32, values
from trio_aerospike._wire import record_layouts
from trio_aerospike._wire.layouts import Layout
from trio_aerospike._wire.messages import Message, Op, encode_message
from trio_aerospike._wire.particles import encode_value
from trio_aerospike._wire.record_layouts import RecordDecoder
from trio_aerospike._wire.records import decode_record
from trio_aerospike.errors import ProtocolError


def answer(bins: dict[str, Any], generation: int = 1, void_time: int = 0) -> bytes:
    ops = [Op(1, *encode_value(value)[:1], name, encode_value(value)[1]) for name, value in bins.items()]
    return encode_message(Message(ops=tuple(ops), generation=generation, record_ttl=void_time))


def decode(decoder: RecordDecoder, body: bytes) -> tuple[int, int, dict[str, Any]]:
    return decoder.quick(body) or decoder.slow(body)


BINS = st.dictionaries(bin_names, values, max_size=6)
SCALARS = st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.floats(allow_nan=False), st.text(), st.binary())


@settings(deadline=None)
@given(st.lists(st.tuples(BINS, u32, u32), max_size=30), st.lists(st.integers(0, 29), max_size=60))
def test_answers_of_any_layouts_in_any_order_decode_as_by_the_general_decoder(
    records: list[tuple[dict[str, Any], int, int]], order: list[int]
) -> None:
    decoder = RecordDecoder()
    for number in order:
        if number < len(records):
            body = answer(*records[number])
            _, *wanted = decode_record(body)
            generation, void_time, bins = decode(decoder, body)
            assert [generation, void_time] == wanted[:2]
            assert same(bins, wanted[2])


@settings(deadline=None)
@given(st.data())
def test_a_damaged_answer_is_never_decoded_to_something_else(data: st.DataObject) -> None:
    names = data.draw(st.lists(bin_names, min_size=1, max_size=4, unique=True))
    decoder = RecordDecoder()
    bins = {name: data.draw(SCALARS) for name in names}
    decode(decoder, answer(bins))
    body = bytearray(answer(bins))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] = data.draw(st.integers(0, 255))
    damaged = bytes(body[: data.draw(st.integers(0, len(body)))] if data.draw(st.booleans()) else body)
    try:
        _, generation, void_time, wanted = decode_record(damaged)
    except ProtocolError:
        with pytest.raises(ProtocolError):
            decode(decoder, damaged)
    else:
        found = decode(decoder, damaged)
        assert found[:2] == (generation, void_time)
        assert same(found[2], wanted)


def test_records_of_one_layout_are_decoded_by_it_from_the_second_on() -> None:
    decoder = RecordDecoder()
    assert decoder.quick(answer({"a": 1, "b": "text", "c": 0.5})) is None
    decode(decoder, answer({"a": 1, "b": "text", "c": 0.5}))
    for number in range(3):
        found = decoder.quick(answer({"a": number, "b": "x" * number, "c": -1.0}, generation=7, void_time=9))
        assert found == (7, 9, {"a": number, "b": "x" * number, "c": -1.0})


def test_bins_that_the_layout_does_not_have_are_not_missed() -> None:
    decoder = RecordDecoder()
    decode(decoder, answer({"a": 1}))
    for other in ({"a": 1, "b": 2}, {"b": 1}, {"a": "1"}, {}, {"a": True}, {"a": [1]}):
        assert decoder.quick(answer(other)) is None
        assert decode(decoder, answer(other)) == (1, 0, other)


def test_a_set_that_has_changed_is_learnt_anew() -> None:
    decoder = RecordDecoder()
    decode(decoder, answer({"a": 1}))
    for _ in range(record_layouts._FORGET):
        assert decoder.quick(answer({"b": 1})) is None
        decode(decoder, answer({"b": 1}))
    assert decoder.quick(answer({"b": 2})) == (1, 0, {"b": 2})


def test_a_set_without_a_common_layout_does_not_make_a_function_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    decoder_of = record_layouts.decoder_of

    def counted(layout: Layout) -> record_layouts.LayoutDecoder:
        made.append(layout)
        return decoder_of(layout)

    monkeypatch.setattr(record_layouts, "decoder_of", counted)
    decoder = RecordDecoder()
    for number in range(2000):
        decode(decoder, answer({f"bin{number}": number}))
    assert 1 <= len(made) <= record_layouts._TRIES


def test_a_failed_command_has_no_layout() -> None:
    body = encode_message(Message(result_code=2, ops=(Op(1, 1, "a", bytes(8)),)))
    decoder = RecordDecoder()
    assert decoder.slow(body) == (0, 0, {"a": 0})
    assert decoder.quick(body) is None
