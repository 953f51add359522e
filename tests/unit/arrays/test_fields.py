"""What fits into a field of an array and what is refused; nothing is wrapped around."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest

from trio_aerospike import Key
from trio_aerospike._arrays.write_encoding import writes_of_array
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.records import BatchResult, BatchResults, Record

KEY = Key("test", "users", "ann")


def results_of(*values: Any) -> BatchResults:
    """A batch that read one bin ``x`` of several records; None for a record without the bin."""
    keys = [Key("test", "users", number) for number in range(len(values))]
    bins = [{} if value is None else {"x": value} for value in values]
    return BatchResults(BatchResult(k, 0, Record(k, b, 1, 0)) for k, b in zip(keys, bins, strict=True))


def column(dtype: Any, *values: Any) -> Any:
    """The values as a column of that dtype."""
    return results_of(*values).to_numpy(np.dtype([("x", *dtype) if isinstance(dtype, tuple) else ("x", dtype)]))["x"]


@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
def test_integers_of_all_widths_take_their_bounds_and_nothing_beyond(kind: str):
    bounds = np.iinfo(kind)
    low, high = int(bounds.min), min(int(bounds.max), 2**63 - 1)
    assert column(kind, low, high).tolist() == [low, high]
    if kind not in ("i8", "u8"):
        with pytest.raises(OverflowError, match=f"got {high + 1}, allowed: {low} to {high}"):
            column(kind, 0, high + 1)
    if low:
        if kind != "i8":
            with pytest.raises(OverflowError, match="field 'x'"):
                column(kind, low - 1)
    else:
        with pytest.raises(ValueError, match=r"row 1\): got -1, allowed: an int of 0 or more"):
            column(kind, 0, -1)


def test_floats_take_doubles_integers_and_booleans():
    assert column("f8", 1.5, 3, True).tolist() == [1.5, 3.0, 1.0]
    assert column("f4", 0.25).tolist() == [0.25]
    assert column("f2", 5, 0.5).tolist() == [5.0, 0.5]
    assert math.isnan(column("f4", math.nan)[0])
    assert column("f4", -math.inf).tolist() == [-math.inf]


@pytest.mark.parametrize(("kind", "value"), [("f4", 1e300), ("f2", 70000), ("f2", -1e30)])
def test_a_number_too_large_for_a_float_is_refused_and_not_made_infinite(kind: str, value: float):
    with pytest.raises(OverflowError, match="got"):
        column(kind, value)


def test_an_integer_field_takes_the_whole_part_of_a_double_that_fits():
    assert column("i4", 1.9, -1.9, 2.0).tolist() == [1, -1, 2]
    assert column("i8", -(2.0**63)).tolist() == [-(2**63)]
    assert column("u1", 255.9).tolist() == [255]
    for kind, value in [
        ("i4", math.nan),
        ("i4", 3e9),
        ("i8", 2.0**63),
        ("u4", -1.5),
        ("u8", 2.0**64),
        ("i1", math.inf),
    ]:
        with pytest.raises(ValueError, match="allowed"):
            column(kind, value)


def test_bytes_and_text_are_cut_and_filled_up():
    assert column("S3", "ab", b"abcdef", "é!!", b"").tolist() == [b"ab", b"abc", "é!".encode(), b""]
    assert column("V3", b"a", "abcd").tolist() == [b"a\0\0", b"abc"]


def test_sub_arrays_take_blobs_and_lists_of_numbers():
    vector = np.arange(4, dtype="f4")
    assert column(("f4", (4,)), vector.tobytes(), [4, 5.5, 6, 7], vector.tobytes()[:8]).tolist() == [
        [0, 1, 2, 3],
        [4, 5.5, 6, 7],
        [0, 1, 0, 0],
    ]
    assert column(("i2", (2, 2)), [[1, 2], [3, 4]], [5, 6, 7, 8]).tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert column(("S2", (2,)), b"abcd").tolist() == [[b"ab", b"cd"]]


@pytest.mark.parametrize(
    ("dtype", "value", "kind"),
    [
        (("i4", (3,)), [1, 2], ValueError),
        (("i4", (2, 2)), [[1, 2], [3]], ValueError),
        (("i1", (2,)), [1, 300], OverflowError),
        (("u1", (2,)), [1, -1], ValueError),
        (("i8", (1,)), [2**63], OverflowError),
        (("i4", (2,)), [1, "a"], TypeError),
        (("i4", (2,)), [1, None], TypeError),
        (("i4", (2,)), [True, 1], TypeError),
        (("i4", (2,)), "ab", TypeError),
        (("i4", (2,)), 5, TypeError),
        ("i4", [1], TypeError),
        ("i4", "5", TypeError),
        ("i4", b"5", TypeError),
        ("i4", {"a": 1}, TypeError),
        ("S3", 5, TypeError),
        ("S3", 5.5, TypeError),
        ("S3", True, TypeError),
        ("S3", [1], TypeError),
    ],
)
def test_what_does_not_fit_is_refused_and_the_message_names_field_and_record(
    dtype: Any, value: Any, kind: type[Exception]
):
    with pytest.raises(kind, match=r"dtype field 'x' .* bin of Key\('test', 'users', 1\) \(row 1\)"):
        column(dtype, None, value)


def test_records_without_the_bin_and_missing_records_are_zero():
    results = results_of(5, None, 7)
    results[2] = BatchResult(results[2].key, 2)
    arrays = results.to_numpy(np.dtype([("x", "i4"), ("y", "f4")]))
    assert arrays.data.tolist() == [(5, 0.0), (0, 0.0), (0, 0.0)]
    assert arrays.result_codes.tolist() == [0, 0, 2]
    assert arrays.found.tolist() == [True, True, False]
    assert arrays.ttls.tolist() == [-1, -1, -1]
    assert arrays.generations.tolist() == [1, 1, 0]
    assert arrays.row(("test", "users", 0))["x"] == 5
    with pytest.raises(KeyError):
        arrays.row(("test", "users", 99))


@pytest.mark.parametrize("kind", ["U3", "?", "O", "c8", "M8[s]"])
def test_a_dtype_of_another_kind_is_refused(kind: str):
    with pytest.raises(TypeError, match="dtype field 'x' must be numeric"):
        column(kind, 1)


@pytest.mark.parametrize("dtype", [np.dtype("i4"), "i4", None, [("x", "i4")]])
def test_what_is_no_structured_dtype_is_refused(dtype: Any):
    with pytest.raises(TypeError, match=r"allowed: a structured numpy\.dtype"):
        results_of(1).to_numpy(dtype)


def test_another_byte_order_than_the_machine_s_is_refused():
    other = ">" if sys.byteorder == "little" else "<"
    with pytest.raises(ValueError, match="byte order"):
        column(f"{other}i4", 1)


def test_arrays_to_write_are_checked_before_anything_is_made_of_them():
    good = np.zeros(2, [("_key", "i4"), ("a", "i4")])

    def refused(data: Any, key_field: str = "_key") -> Exception:
        with pytest.raises((TypeError, ValueError, OverflowError, InvalidArgError)) as info:
            writes_of_array(data, "test", "s", key_field)
        return info.value

    assert isinstance(refused([(1, 2)]), TypeError)
    assert isinstance(refused(np.zeros(2, "i4")), TypeError)
    assert isinstance(refused(good.reshape(2, 1)), ValueError)
    assert isinstance(refused(good, "id"), ValueError)
    assert isinstance(refused(np.ma.array(good)), TypeError)
    assert isinstance(refused(np.zeros(1, [("_key", "f8"), ("a", "i4")])), ValueError)
    assert isinstance(refused(np.zeros(1, [("_key", "i4")])), InvalidArgError)
    assert isinstance(refused(np.zeros(1, [("_key", "i4"), ("_note", "i4")])), InvalidArgError)
    assert isinstance(refused(np.zeros(1, [("_key", "i4"), ("a_name_too_long_", "i4")])), InvalidArgError)
    large = np.array([(1, 2**63)], [("_key", "i4"), ("a", "u8")])
    assert isinstance(refused(large), OverflowError)
    assert isinstance(refused(np.array([(2**63, 1)], [("_key", "u8"), ("a", "i4")])), OverflowError)


def test_without_numpy_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    results = results_of(1)
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ImportError, match=r"pip install 'trio-aerospike\[numpy\]'"):
        results.to_numpy(None)  # type: ignore[arg-type]
