"""Rows found by whole arrays are the rows that the general decoder finds, whatever the values look like."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.wire.strategies import bin_names
from trio_aerospike._arrays.vectorized_rows import LAYOUTS_MAX, Rows, find_rows
from trio_aerospike._wire.batch_answers import decode_batch_response
from trio_aerospike._wire.batch_messages import encode_batch_end, encode_batch_row
from trio_aerospike._wire.messages import Op
from trio_aerospike._wire.particles import decode_value, encode_value
from trio_aerospike.errors import ProtocolError

Found = dict[int, tuple[int, int, int, dict[str, Any]]]


def ops_of(bins: dict[str, Any]) -> list[Op]:
    return [Op(1, particle, name, data) for name, (particle, data) in ((n, encode_value(v)) for n, v in bins.items())]


def taken_apart(rows: Rows) -> Found:
    """The rows by index: result code, generation, void time, bins."""
    found: Found = {}
    for group in rows.groups:
        for place, index in enumerate(group.indexes.tolist()):
            bins = {}
            for name, column in group.columns.items():
                size = column.sizes if isinstance(column.sizes, int) else int(column.sizes[place])
                position = int(column.positions[place])
                bins[name] = decode_value(column.particle, rows.data[position : position + size])
            found[index] = (0, int(group.generations[place]), int(group.void_times[place]), bins)
    for index, code, generation, void_time in zip(*(part.tolist() for part in rows.empty), strict=True):
        found[index] = (code, generation, void_time, {})
    for row in rows.others:
        found[row.index] = (row.result_code, row.generation, row.void_time, row.bins)
    return found


def expected(data: bytes) -> tuple[Found, int | None]:
    rows, end = decode_batch_response(data)
    return {row.index: (row.result_code, row.generation, row.void_time, row.bins) for row in rows}, end


# What looks like the head of a row, the beginnings of one, and what is in heads.
HEADS = [
    encode_batch_row(3, 0, 1, 0, ops_of({"a": 22})),
    encode_batch_row(5, 2, 0, 0),
    encode_batch_end(),
    b"\x16" * 30,
]
VALUES = st.one_of(
    st.sampled_from([22, 0x1600_0000_0000, -1, 1.5, True, "", "x" * 22, b"", *HEADS]),
    st.text(st.characters(codec="ascii"), max_size=5),
    st.lists(st.integers(-9, 9), max_size=2),
)
BINS = st.dictionaries(bin_names.filter(bool), VALUES, min_size=1, max_size=4)


@given(st.data(), st.lists(BINS, min_size=1, max_size=3), st.booleans())
@settings(deadline=None)
def test_the_same_rows_are_found_as_by_the_general_decoder(
    data: st.DataObject, shapes: list[dict[str, Any]], end: bool
):
    rows = []
    for index in range(data.draw(st.integers(0, 12))):
        kind = data.draw(st.sampled_from(["same", "other values", "missing", "no bins"]))
        shape = data.draw(st.sampled_from(shapes))
        generation, void_time = data.draw(st.sampled_from([(1, 0), (22, 22), (0xFFFF, 0xFFFFFFFF)]))
        if kind == "missing":
            rows.append(encode_batch_row(index, 2, 0, 0))
        elif kind == "no bins":
            rows.append(encode_batch_row(index, 0, generation, void_time))
        else:
            bins = shape if kind == "same" else {name: data.draw(VALUES) for name in shape}
            rows.append(encode_batch_row(index, 0, generation, void_time, ops_of(bins)))
    answer = b"".join(rows) + (encode_batch_end(9) if end else b"")
    found = find_rows(answer)
    assert (taken_apart(found), found.result) == expected(answer)


@given(st.data())
@settings(deadline=None)
def test_a_damaged_answer_is_refused_exactly_where_the_general_decoder_refuses_it(data: st.DataObject):
    whole = b"".join(encode_batch_row(n, 0, 1, 0, ops_of({"id": n, "name": f"n{n}"})) for n in range(4))
    answer = bytearray(whole + encode_batch_row(4, 2, 0, 0) + encode_batch_end())
    for place in data.draw(st.lists(st.integers(0, len(answer) - 1), max_size=3)):
        answer[place] = data.draw(st.integers(0, 255))
    broken = bytes(answer[: data.draw(st.integers(0, len(answer)))])
    try:
        wanted = expected(broken)
    except ProtocolError:
        with pytest.raises(ProtocolError):
            find_rows(broken)
        return
    found = find_rows(broken)
    assert found.result == wanted[1]
    assert taken_apart(found) == wanted[0]


def test_rows_of_one_layout_are_one_group_even_where_texts_differ_in_length():
    answer = b"".join(encode_batch_row(n, 0, 1, 0, ops_of({"id": n, "name": "x" * (n % 7)})) for n in range(500))
    found = find_rows(answer)
    assert [len(group.indexes) for group in found.groups] == [500]
    assert not found.others


def test_more_layouts_than_are_kept_are_decoded_one_by_one():
    count = LAYOUTS_MAX + 10
    answer = b"".join(encode_batch_row(n, 0, 1, 0, ops_of({f"bin{n}": n})) for n in range(count))
    found = find_rows(answer)
    assert len(found.groups) == LAYOUTS_MAX
    assert len(found.others) == 10
    assert taken_apart(found) == expected(answer)[0]


def test_a_bin_with_a_last_update_time_has_no_layout_and_is_found_all_the_same():
    plain = encode_batch_row(0, 0, 1, 0, ops_of({"a": 1}))
    name = b"a"
    # Flags say that eight bytes of time stand before the value (proto.h: has_lut).
    op = struct.pack(">IBBBB", 4 + len(name) + 8 + 8, 1, 1, 1, len(name)) + name + bytes(8) + struct.pack(">q", 7)
    timed = bytearray(encode_batch_row(1, 0, 1, 0))
    timed[20:22] = (1).to_bytes(2, "big")
    found = find_rows(plain + bytes(timed) + op)
    assert taken_apart(found) == {0: (0, 1, 0, {"a": 1}), 1: (0, 1, 0, {"a": 7})}


def test_positions_are_where_the_values_are():
    answer = b"".join(encode_batch_row(n, 0, 1, 0, ops_of({"v": bytes([n] * 4)})) for n in range(3))
    [group] = find_rows(answer).groups
    column = group.columns["v"]
    assert isinstance(column.sizes, np.ndarray)
    assert column.sizes.tolist() == [4, 4, 4]
    assert [answer[at : at + 4] for at in column.positions.tolist()] == [bytes([n] * 4) for n in range(3)]
