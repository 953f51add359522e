"""Answers to batches decoded into columns hold what the general decoder finds, whatever stands in them."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from hypothesis import assume, given, settings, strategies as st

from tests.effort import examples
from tests.unit.wire.strategies import bin_names
from tests.unit.wire.test_batch_answers import SHAPES, ops_of, plainly, row_of, values
from trio_aerospike._wire import batch_answers
from trio_aerospike._wire.batch_answers import BatchRow, ColumnReader, Columns, decode_batch_response
from trio_aerospike._wire.batch_messages import encode_batch_end, encode_batch_row
from trio_aerospike._wire.messages import Op
from trio_aerospike.errors import ProtocolError


def read_all(bodies: list[bytes], count: int) -> tuple[list[Any], list[BatchRow], int | None]:
    """What the reader makes of frames: rows by index as the general decoder has them, those it left, and the end."""
    columns = Columns(count)
    results: list[Any] = [None] * count
    others: list[BatchRow] = []

    def other(row: BatchRow) -> None:
        others.append(row)
        results[row.index] = (row.result_code, row.generation, row.void_time, row.bins)

    reader = ColumnReader(columns, results, "columns", other)
    end = None
    for body in bodies:
        end = reader.read(body)
    for index, result in enumerate(results):
        if result == "columns":
            heads = (columns.codes[index], columns.generations[index], columns.void_times[index])
            results[index] = (*heads, columns.bins[index] or {})
            assert (columns.bins[index] is None) == bool(columns.codes[index])
        else:
            assert columns.bins[index] is None
    return results, others, end


@settings(max_examples=examples(40))
@given(
    st.dictionaries(bin_names, st.lists(values, min_size=4, max_size=4), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from((0, 0, 0, 2, 9, 11, 27))), min_size=1, max_size=30),
    st.booleans(),
    st.sampled_from((1, 30, 100, 1000)),
)
def test_whatever_the_codes_and_stretches_columns_hold_what_the_general_decoder_has(
    columns: dict[str, list[Any]], picks: list[tuple[int, int]], in_one_frame: bool, stretch: int
) -> None:
    rows = [
        encode_batch_row(index, code, 0, 0)
        if code
        else row_of(index, {name: column[pick] for name, column in columns.items()}, index, pick)
        for index, (pick, code) in enumerate(picks)
    ]
    bodies = [b"".join(rows) + encode_batch_end()] if in_one_frame else [*rows, encode_batch_end()]
    with mock.patch.object(batch_answers, "_STRETCH", stretch):
        results, _, end = read_all(bodies, len(rows))
    assert end == 0
    assert results == plainly(bodies, len(rows))


def test_records_without_bins_and_missing_ones_are_in_the_columns_and_other_codes_are_not() -> None:
    rows = [encode_batch_row(0, 0, 7, 9), encode_batch_row(1, 2, 0, 0), encode_batch_row(2, 14, 0, 0)]
    results, others, end = read_all([b"".join(rows) + encode_batch_end()], 3)
    assert results == [(0, 7, 9, {}), (2, 0, 0, {}), (14, 0, 0, {})]
    assert [row.index for row in others] == [2]
    assert end == 0


def test_a_value_that_cannot_be_decoded_is_its_rows_error_alone() -> None:
    rows = [row_of(index, {"i": index, "s": "text"}) for index in range(9)]
    rows[5] = encode_batch_row(5, 0, 1, 0, [*ops_of({"i": 5}), Op(1, 3, "s", b"\xff")])
    results, others, _ = read_all([b"".join(rows) + encode_batch_end()], 9)
    assert [row.index for row in others if row.error is not None] == [5]
    assert [results[index][3]["i"] for index in range(9) if index != 5] == [0, 1, 2, 3, 4, 6, 7, 8]


@pytest.mark.parametrize("code", [0, 2, 14])
def test_an_index_that_was_not_asked_for_breaks_the_protocol(code: int) -> None:
    for rows in ([5], [0, 1, 5], [0, 1, 0xFFFFFFFF]):
        body = b"".join(encode_batch_row(index, code, 1, 0, [] if code else ops_of({"i": 1})) for index in rows)
        with pytest.raises(ProtocolError, match=f"row {rows[-1]}"):
            read_all([body], 3)


@settings(max_examples=examples(40))
@given(st.sampled_from(SHAPES), st.data())
def test_damage_gives_what_the_general_decoder_gives(bins: dict[str, Any], data: st.DataObject) -> None:
    missing = encode_batch_row(4, 2, 0, 0)
    whole = b"".join(row_of(index, bins) for index in range(4)) + missing
    body = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 3)) if body else 0):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    outcomes = []
    for decode in (lambda: once_each(bytes(body), 5), lambda: read_all([bytes(body)], 5)[0]):
        try:
            outcomes.append(repr(decode()))
        except (ProtocolError, IndexError):
            outcomes.append("fault")
    assert outcomes[0] == outcomes[1]


def once_each(body: bytes, count: int) -> list[Any]:
    """What the general decoder has; no server answers for a row twice, and what comes of it is open."""
    indexes = [row.index for row in decode_batch_response(body)[0]]
    assume(len(set(indexes)) == len(indexes))
    return plainly([body], count)
