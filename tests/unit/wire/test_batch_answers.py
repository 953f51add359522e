"""Answers to batches: plain rows, decoded without an object for each, give what the general decoder gives."""

from __future__ import annotations

import struct
from typing import Any
from unittest import mock

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from tests.effort import examples
from tests.unit.wire.strategies import bin_names
from trio_aerospike._wire import batch_answers
from trio_aerospike._wire.batch_answers import BatchAnswerReader, BatchRow, decode_batch_response
from trio_aerospike._wire.batch_messages import encode_batch_end, encode_batch_row
from trio_aerospike._wire.messages import Op
from trio_aerospike._wire.object_maker import Maker
from trio_aerospike._wire.particles import encode_value
from trio_aerospike.errors import ProtocolError

Row = tuple[int, int, int, dict[str, Any]]

#: Records whose last value has a size of its own, or has not, or has one behind it that has.
SHAPES: tuple[dict[str, Any], ...] = (
    {"i": 1},
    {"i": 1, "f": 0.5},
    {"s": "text"},
    {"i": 1, "s": "text", "b": b"blob"},
    {"i": 1, "s": "text", "f": 0.5},
    {"s": "text", "m": {"a": 1}, "i": 1, "j": 2, "t": True},
)


def ops_of(bins: dict[str, Any]) -> list[Op]:
    ops = []
    for name, value in bins.items():
        particle, data = encode_value(value)
        ops.append(Op(1, particle, name, data))
    return ops


def row_of(index: int, bins: dict[str, Any], generation: int = 1, void_time: int = 0) -> bytes:
    return encode_batch_row(index, 0, generation, void_time, ops_of(bins))


@attrs.define
class Record:
    """As the client's, as far as the reader knows it."""

    key: int
    bins: dict[str, Any]
    generation: int
    void_time: int


@attrs.define
class Result:
    """As the client's: what the reader does not set has its default."""

    key: int
    result_code: int
    record: Record | None
    ordered: object = None
    doubt: bool = False
    fault: object = None


MAKE_RESULT = Maker(Result, ("key", "result_code", "record", "ordered"), {"doubt": False, "fault": None}, Result)
MAKE_RECORD = Maker(Record, ("key", "bins", "generation", "void_time"), {}, Record)


def read_all(bodies: list[bytes], count: int) -> tuple[list[Any], list[BatchRow], int | None]:
    """What the reader makes of frames: results by index, the rows that it left to others, the end."""
    results: list[Any] = [None] * count
    others: list[BatchRow] = []

    def other(row: BatchRow) -> None:
        others.append(row)
        results[row.index] = (row.result_code, row.generation, row.void_time, row.bins)

    reader = BatchAnswerReader(range(count), results, MAKE_RESULT, MAKE_RECORD)
    end = None
    for body in bodies:
        end = reader.read(body, other)
    return [plain_form(index, result) for index, result in enumerate(results)], others, end


def plain_form(index: int, result: Any) -> Any:
    """A result that the reader made as the tuple that others make of it."""
    if not isinstance(result, Result):
        return result
    record = result.record
    if record is None:
        assert (result.key, result.doubt) == (index, False)
        return result.result_code, 0, 0, {}
    assert (result.key, record.key, result.doubt, result.fault, result.ordered) == (index, index, False, None, None)
    return result.result_code, record.generation, record.void_time, record.bins


def plainly(bodies: list[bytes], count: int) -> list[Any]:
    """The same by the general decoder."""
    results: list[Any] = [None] * count
    for body in bodies:
        for row in decode_batch_response(body)[0]:
            missing = row.result_code in (2, 27) and not row.bins and row.error is None
            numbers = (0, 0) if missing else (row.generation, row.void_time)
            results[row.index] = (row.result_code, *numbers, row.bins)
    return results


values = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),
    st.booleans(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.lists(st.integers(0, 300), max_size=4),
    st.dictionaries(st.integers(0, 9), st.text(max_size=3), max_size=3),
)


@settings(max_examples=examples(40))
@given(
    st.dictionaries(bin_names, st.lists(values, min_size=4, max_size=4), min_size=1, max_size=5),
    st.lists(st.integers(0, 3), min_size=1, max_size=30),
    st.booleans(),
    st.sampled_from((1, 30, 100, 1000)),
)
def test_whatever_the_bins_and_stretches_rows_come_out_as_the_general_decoder_has_them(
    columns: dict[str, list[Any]], picks: list[int], in_one_frame: bool, stretch: int
) -> None:
    rows = [
        row_of(index, {name: column[pick] for name, column in columns.items()}, index, pick)
        for index, pick in enumerate(picks)
    ]
    bodies = [b"".join(rows) + encode_batch_end()] if in_one_frame else [*rows, encode_batch_end()]
    with mock.patch.object(batch_answers, "_STRETCH", stretch):
        results, _, end = read_all(bodies, len(rows))
    assert end == 0
    assert results == plainly(bodies, len(rows))


def test_rows_are_plain_whatever_the_sizes_of_their_values() -> None:
    rows = [row_of(index, {"i": index, "s": "x" * index, "f": index / 2, "b": bool(index % 2)}) for index in range(40)]
    results, others, _ = read_all([b"".join(rows)], 40)
    assert results[17] == (0, 1, 0, {"i": 17, "s": "x" * 17, "f": 8.5, "b": True})
    assert others == []


@pytest.mark.parametrize("rows", ["alike", "all different", "without bins"])
def test_other_tasks_run_while_a_large_frame_is_decoded(rows: str) -> None:
    make = {
        "alike": lambda index: row_of(index, {"i": index, "s": "text"}),
        "all different": lambda index: row_of(index, {f"n{index:04}": index}),
        "without bins": lambda index: encode_batch_row(index, 2, 0, 0),
    }[rows]
    count = 4000
    body = b"".join(map(make, range(count)))
    results: list[Any] = [None] * count
    answered: list[int] = []

    def pause() -> None:
        answered.append(sum(result is not None for result in results))

    def other(row: BatchRow) -> None:
        results[row.index] = row

    reader = BatchAnswerReader(range(count), results, MAKE_RESULT, MAKE_RECORD, pause)
    reader.read(body, other)
    assert all(results)
    assert len(answered) == len(body) // batch_answers._STRETCH
    steps = [after - before for before, after in zip([0, *answered], [*answered, count], strict=True)]
    assert max(steps) <= batch_answers._STRETCH / (len(body) / count) + 2


@pytest.mark.parametrize("bins", SHAPES, ids=lambda bins: "".join(bins))
@pytest.mark.parametrize("behind", [b"", encode_batch_end(), encode_batch_row(2, 2, 0, 0) + encode_batch_end()])
def test_rows_end_where_the_answer_does_whatever_stands_last(bins: dict[str, Any], behind: bytes) -> None:
    rows = [row_of(index, bins, 7 + index, 9) for index in range(2)]
    results, others, end = read_all([rows[0], rows[1] + behind], 3)
    assert results[:2] == [(0, 7, 9, bins), (0, 8, 9, bins)]
    assert results[2] == ((2, 0, 0, {}) if len(behind) > 22 else None)
    assert others == []
    assert end == (0 if behind else None)


def test_rows_of_writes_keep_the_names_of_their_operations() -> None:
    """The same bin may be written twice, and rows with values, of other operations, are left to others."""
    nil = [Op(1, 0, "a", b""), Op(1, 0, "b", b""), Op(1, 0, "a", b"")]
    rows = [encode_batch_row(index, 0, 7, index, nil) for index in range(30)]
    rows[9] = encode_batch_row(9, 0, 1, 0, [Op(1, 0, "a", b""), *ops_of({"n": 5})])
    rows[20] = encode_batch_row(20, 22, 0, 0)
    results: list[Any] = [None] * 30
    others: list[int] = []

    def other(row: BatchRow) -> None:
        others.append(row.index)

    reader = BatchAnswerReader(range(30), results, MAKE_RESULT, MAKE_RECORD, writes=True)
    assert reader.read(b"".join(rows) + encode_batch_end(), other) == 0
    assert others == [9, 20]
    for index in set(range(30)) - set(others):
        pairs = (("a", None), ("b", None), ("a", None))
        assert results[index] == Result(index, 0, Record(index, {}, 7, index), pairs)


def test_bins_without_values_are_left_to_others_where_not_all_rows_write() -> None:
    rows = [encode_batch_row(index, 0, 7, 0, [Op(1, 0, "a", b"")]) for index in range(5)]
    _, others, _ = read_all([b"".join(rows)], 5)
    assert [row.index for row in others] == list(range(5))


def test_rows_without_bins_are_results_and_those_with_other_codes_are_left_to_others() -> None:
    rows = [encode_batch_row(0, 0, 7, 9), encode_batch_row(1, 27, 0, 0), encode_batch_row(2, 14, 0, 0)]
    results, others, end = read_all([b"".join(rows) + encode_batch_end(5)], 3)
    assert results == [(0, 7, 9, {}), (27, 0, 0, {}), (14, 0, 0, {})]
    assert [row.index for row in others] == [2]
    assert end == 5


@pytest.mark.parametrize("bad", [Op(1, 3, "s", b"\xff"), Op(1, 20, "s", b"\x91"), Op(1, 3, "s", b"\xc3")])
def test_a_value_that_cannot_be_decoded_is_its_rows_error_alone(bad: Op) -> None:
    like = {3: "text", 20: [1]}[bad.particle]
    rows = [row_of(index, {"i": index, "s": like, "j": 1}) for index in range(9)]
    rows[5] = encode_batch_row(5, 0, 1, 0, [*ops_of({"i": 5}), bad, *ops_of({"j": 1})])
    results, others, end = read_all([b"".join(rows) + encode_batch_end()], 9)
    assert end == 0
    assert [row.index for row in others if row.error is not None] == [5]
    assert [results[index][3]["i"] for index in range(9) if index != 5] == [0, 1, 2, 3, 4, 6, 7, 8]


def test_an_index_that_was_not_asked_for_breaks_the_protocol() -> None:
    for rows in ([5], [0, 1, 5], [0, 1, 0xFFFFFFFF]):
        with pytest.raises(ProtocolError, match=f"row {rows[-1]}"):
            read_all([b"".join(row_of(index, {"i": 1}) for index in rows)], 3)


@pytest.mark.parametrize("bins", SHAPES, ids=lambda bins: "".join(bins))
def test_an_answer_cut_at_any_byte_is_a_protocol_error_or_fewer_rows(bins: dict[str, Any]) -> None:
    row = len(row_of(0, bins))
    body = b"".join(row_of(index, bins) for index in range(4))
    for cut in range(len(body)):
        if cut % row == 0:
            assert sum(result is not None for result in read_all([body[:cut]], 4)[0]) == cut // row
        else:
            with pytest.raises(ProtocolError):
                read_all([body[:cut]], 4)


@settings(max_examples=examples(40))
@given(st.sampled_from(SHAPES), st.data())
def test_damage_gives_what_the_general_decoder_gives(bins: dict[str, Any], data: st.DataObject) -> None:
    whole = b"".join(row_of(index, bins) for index in range(5))
    body = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    outcomes = []
    for decode in (lambda: read_all([bytes(body)], 5)[0], lambda: plainly([bytes(body)], 5)):
        try:
            outcomes.append(repr(decode()))
        except (ProtocolError, IndexError):
            outcomes.append("fault")
    assert outcomes[0] == outcomes[1]


def test_names_from_a_server_are_names_and_nothing_else() -> None:
    for name in ("'", '"', "\\", "{x}", "a\nb", "}: 0}", "'+f()+'", "\u2028"):
        rows = [row_of(index, {name: index, "n": "x"}) for index in range(3)]
        assert [result[3] for result in read_all([b"".join(rows)], 3)[0]] == [{name: i, "n": "x"} for i in range(3)]


@pytest.mark.parametrize(
    "ops",
    [
        [Op(1, 0, "n", b"")],
        [Op(1, 1, "n", struct.pack(">q", 1)), Op(1, 1, "n", struct.pack(">q", 2))],
        [Op(1, 1, "n", bytes(8) + struct.pack(">q", 1), 1)],
    ],
    ids=["nil", "one bin twice", "a time of update"],
)
def test_rows_with_other_operations_decode_as_by_the_general_decoder(ops: list[Op]) -> None:
    bodies = [encode_batch_row(0, 0, 1, 0, ops) + encode_batch_row(1, 0, 1, 0, ops)]
    assert read_all(bodies, 2)[0] == plainly(bodies, 2)


@pytest.mark.parametrize("function", [Result, lambda *fields: Result(*fields)], ids=["slots", "a call"])
def test_objects_are_made_from_four_fields_and_have_the_other_values(function: Any) -> None:
    maker = Maker.calling(function) if function is not Result else MAKE_RESULT
    made = [maker.make(place, 0, None, "o") for place in range(3)]
    assert made == [Result(place, 0, None, "o") for place in range(3)]
    made[0].fault = "changed"
    assert maker.make(7, 0, None, None).fault is None
