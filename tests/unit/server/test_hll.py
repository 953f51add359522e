"""Sketches in the embedded server: what a real server made of the same values, to the last bit.

More is compared with a real server (tests/integration/real/test_bits.py); here is what must not be lost
without one.
"""

from __future__ import annotations

import hashlib
import math
import struct
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from trio_aerospike import HyperLogLog
from trio_aerospike._wire import constants as wire, hll_ops
from trio_aerospike._wire.cdt import pack_value
from trio_aerospike._wire.cdt_calls import Packed, encode_cdt_call
from trio_aerospike._wire.particles import decode_value, encode_value
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import hll
from trio_aerospike.server.exceptions import Refused
from trio_aerospike.server.hll.hashing import murmur3
from trio_aerospike.server.hll.sketch import Sketch

CREATE_ONLY, UPDATE_ONLY = hll_ops.FLAG_CREATE_ONLY, hll_ops.FLAG_UPDATE_ONLY
NO_FAIL, ALLOW_FOLD = hll_ops.FLAG_NO_FAIL, hll_ops.FLAG_ALLOW_FOLD


def modified(value: Any, number: int, *args: Any) -> tuple[Any, Any]:
    """What a sketch (None: no bin) becomes, and the answer."""
    made, answer = hll.modify(None if value is None else encode_value(value), encode_cdt_call(number, args))
    return (
        None if made is None else decode_value(*made),
        None if answer is None else decode_value(*answer),
    )


def read(value: Any, number: int, *args: Any) -> Any:
    answer = hll.read(encode_value(value), encode_cdt_call(number, args))
    assert answer is not None
    return decode_value(*answer)


def refusal(value: Any, number: int, *args: Any) -> ResultCode:
    work = hll.read if number >= hll_ops.COUNT else hll.modify
    with pytest.raises(Refused) as caught:
        work(None if value is None else encode_value(value), encode_cdt_call(number, args))
    return caught.value.result


def sketch(values: list[Any], index_bits: int = 8, minhash_bits: int = 0) -> HyperLogLog:
    made, _ = modified(None, hll_ops.ADD, values, index_bits, minhash_bits, 0)
    assert isinstance(made, HyperLogLog)
    return made


def empty(index_bits: int = 8, minhash_bits: int = 0) -> HyperLogLog:
    made, _ = modified(None, hll_ops.INIT, index_bits, minhash_bits)
    assert isinstance(made, HyperLogLog)
    return made


def elements(start: int, end: int) -> list[Any]:
    return [number if number % 2 else f"element {number}" for number in range(start, end)]


# Widths, the beginning of the sketch's SHA-256, count, count of union, of intersection, and similarity: what server
# 8.1.2 answered for elements(0, 3000) and elements(2000, 5000).
REAL = [
    (4, 0, "33683ea946b16041", 3591, 6218, 1985, "0x1.46e56756b4a85p-2"),
    (5, 4, "cc46735627f8fc92", 3366, 5439, 1132, "0x1.aa3f40c3e1784p-3"),
    (6, 51, "248d17f54726d85b", 3469, 5159, 967, "0x1.7fffffffffffdp-3"),
    (8, 0, "6b46c78b0c54edf7", 3126, 5496, 929, "0x1.5a2d76200becap-3"),
    (8, 20, "a4c2e5188b7300ae", 3126, 5496, 1009, "0x1.77ffea42b6cdfp-3"),
    (10, 51, "a26f40f56938402e", 2971, 5224, 1041, "0x1.97fdfd7cdc12ep-3"),
    (12, 4, "1acf975d7dcf7d58", 3036, 5040, 979, "0x1.8e02c86e5ea79p-3"),
    (13, 51, "964c9cf138ae06a8", 3006, 5030, 1004, "0x1.989e35bc9fd8ap-3"),
    (14, 50, "e3e8646e411d4540", 3005, 5021, 1009, "0x1.9baf39f97c6acp-3"),
    (16, 0, "e3cab906084afb2e", 2998, 4990, 1008, "0x1.9db44700b7de6p-3"),
    (16, 48, "f4ec0dc72f78151c", 2998, 4990, 994, "0x1.97e525e16b244p-3"),
]


@pytest.mark.parametrize(("index_bits", "minhash_bits", "digest", "count", "united", "common", "similarity"), REAL)
def test_registers_and_estimates_are_those_of_a_real_server(
    index_bits: int, minhash_bits: int, digest: str, count: int, united: int, common: int, similarity: str
) -> None:
    one = sketch(elements(0, 3000), index_bits, minhash_bits)
    other = sketch(elements(2000, 5000), index_bits, minhash_bits)
    assert hashlib.sha256(one.data).hexdigest()[:16] == digest
    assert read(one, hll_ops.COUNT) == count
    assert read(one, hll_ops.UNION_COUNT, [other]) == united
    assert read(one, hll_ops.INTERSECT_COUNT, [other]) == common
    assert read(one, hll_ops.SIMILARITY, [other]) == float.fromhex(similarity)


def test_the_hash_is_murmur3_of_128_bits() -> None:
    # Known values of MurmurHash3_x64_128 with seed 0.
    assert murmur3(b"") == (0, 0)
    assert murmur3(b"hello") == (0xCBD8A7B341BD9B02, 0x5B1E906A48AE1D19)
    assert murmur3(b"The quick brown fox jumps over the lazy dog") == (0xE34BBC7BBC071B6C, 0x7A433CA9C49A9347)


@given(st.integers(4, 8), st.sampled_from([0, 4, 13, 51]), st.data())
def test_registers_come_back_as_they_were(index_bits: int, minhash_bits: int, data: st.DataObject) -> None:
    register = st.integers(0, (1 << 6 + minhash_bits) - 1)
    values = data.draw(st.lists(register, min_size=1 << index_bits, max_size=1 << index_bits))
    made = Sketch.of_registers(index_bits, minhash_bits, values)
    assert made.registers() == values
    assert len(made.encode()) == hll_ops.sketch_size(index_bits, minhash_bits)
    assert Sketch.decode(made.encode()) is not made
    assert Sketch.decode(made.encode()).registers() == values


@given(st.sets(st.integers(-1000, 1000), min_size=1, max_size=40), st.sampled_from([(4, 0), (6, 7), (8, 51)]))
def test_what_was_added_may_be_contained_and_adding_it_again_changes_nothing(
    values: set[int], widths: tuple[int, int]
) -> None:
    made = sketch(sorted(values), *widths)
    assert read(made, hll_ops.MAY_CONTAIN, sorted(values)) == 1
    assert modified(made, hll_ops.ADD, sorted(values)) == (made, 0)


@given(st.lists(st.integers(0, 500), min_size=1), st.lists(st.integers(0, 500), min_size=1))
def test_a_union_is_the_sketch_of_all_values_at_the_lesser_width(left: list[int], right: list[int]) -> None:
    expected = sketch(left + right, 5, 4)
    assert read(sketch(left, 5, 4), hll_ops.GET_UNION, [sketch(right, 5, 4)]) == expected
    assert modified(sketch(left, 5, 4), hll_ops.UNION, [sketch(right, 5, 4)])[0] == expected
    without = sketch(left + right, 5)
    assert read(sketch(left, 5, 4), hll_ops.GET_UNION, [sketch(right, 5, 9)]) == without
    assert modified(sketch(left, 5, 4), hll_ops.UNION, [sketch(right, 5)], ALLOW_FOLD)[0] == without


def test_folding_keeps_the_greatest_of_the_registers_that_fall_together() -> None:
    values = elements(0, 300)
    folded, _ = modified(sketch(values, 9), hll_ops.FOLD, 6)
    zeros = Sketch.decode(sketch(values, 9).data).zeros()
    assert Sketch.decode(folded.data).zeros() == [max(zeros[start::64]) for start in range(64)]
    assert modified(folded, hll_ops.FOLD, 6)[0] == folded


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (pack_value(5), b"\xd3" + bytes(7) + b"\5"),
        (pack_value(200), b"\xce\0\0\0\xc8"),
        (pack_value(-1), b"\xd1\xff\xff"),
        (pack_value(-200), b"\xd2\xff\xff\xff\x38"),
        (pack_value("abc"), b"\xd9\4\3abc"),
        (pack_value(b"abc"), b"\xc4\4\4abc"),
        (pack_value("x" * 40), b"\xda\0\x29\3" + b"x" * 40),
        (b"\xd6\7abcd", b"\xc7\4\7abcd"),
        (b"\xc7\3\7abc", b"\xc8\0\3\7abc"),
    ],
)
def test_an_element_counts_in_its_shortest_form(short: bytes, long: bytes) -> None:
    def added(element: bytes) -> Any:
        return modified(None, hll_ops.ADD, Packed(b"\x91" + element), 8, 51)[0]

    assert added(short) == added(long)


def test_a_long_blob_keeps_a_header_of_its_kind() -> None:
    content = b"\4" + bytes(50)
    as_blob = modified(None, hll_ops.ADD, Packed(b"\x91\xc4\x33" + content), 8, 51)[0]
    as_string = modified(None, hll_ops.ADD, Packed(b"\x91\xd9\x33" + content), 8, 51)[0]
    assert as_blob != as_string


def test_a_refreshed_count_is_kept_until_something_changes() -> None:
    made = sketch(elements(0, 100))
    refreshed, count = modified(made, hll_ops.UPDATE_COUNT)
    assert refreshed.data[3:11] == struct.pack("<Q", count)
    assert modified(refreshed, hll_ops.ADD, elements(0, 100))[0] == refreshed
    assert modified(refreshed, hll_ops.ADD, ["new", "newer"])[0].data[3:11] == bytes(8)
    lying = HyperLogLog(made.data[:3] + struct.pack("<Q", 77) + made.data[11:])
    assert read(lying, hll_ops.COUNT) == 77


def test_estimates_of_sketches_that_have_seen_nothing() -> None:
    assert read(empty(), hll_ops.COUNT) == 0
    assert read(empty(), hll_ops.INTERSECT_COUNT, [empty()]) == 0
    # Zero by zero in the one way, a constant in the other: their signs differ.
    particle = hll.read(encode_value(empty()), encode_cdt_call(hll_ops.SIMILARITY, ([empty()],)))
    assert particle == (wire.PARTICLE_FLOAT, bytes.fromhex("fff8000000000000"))
    particle = hll.read(encode_value(empty(8, 8)), encode_cdt_call(hll_ops.SIMILARITY, ([empty(8, 8)],)))
    assert particle == (wire.PARTICLE_FLOAT, bytes.fromhex("7ff8000000000000"))
    assert read(empty(8, 8), hll_ops.SIMILARITY, [sketch([1], 8, 8)]) == 0.0


def test_the_greatest_registers_count_more_than_an_integer_holds() -> None:
    size = hll_ops.sketch_size(8, 0)
    assert read(HyperLogLog(b"\0\x08\0".ljust(11, b"\0") + b"\xff" * (size - 11)), hll_ops.COUNT) == -(1 << 63)


def test_three_sketches_are_intersected_without_a_minhash() -> None:
    one, two, three = (sketch(elements(start, start + 3000), 12) for start in (0, 1000, 2000))
    assert 700 < read(one, hll_ops.INTERSECT_COUNT, [two, three]) < 1300
    alike = read(one, hll_ops.SIMILARITY, [two, three])
    assert math.isclose(alike, 1000 / 5000, abs_tol=0.06)


OTHER = sketch([1], 8, 8)


@pytest.mark.parametrize(
    ("value", "number", "args", "result"),
    [
        (None, hll_ops.INIT, (), ResultCode.OP_NOT_APPLICABLE),
        (None, hll_ops.ADD, ([1],), ResultCode.OP_NOT_APPLICABLE),
        (None, hll_ops.INIT, (8, 0, UPDATE_ONLY), ResultCode.BIN_NOT_FOUND),
        (None, hll_ops.UPDATE_COUNT, (), ResultCode.BIN_NOT_FOUND),
        (None, hll_ops.FOLD, (4,), ResultCode.BIN_NOT_FOUND),
        (OTHER, hll_ops.ADD, ([1], 8, 8, CREATE_ONLY), ResultCode.BIN_EXISTS),
        ("text", hll_ops.ADD, ([],), ResultCode.BIN_TYPE),
        ("text", hll_ops.COUNT, (), ResultCode.BIN_TYPE),
        ("text", 7, (), ResultCode.PARAM),
        (OTHER, hll_ops.INIT, (3,), ResultCode.PARAM),
        (OTHER, hll_ops.INIT, (16, 49), ResultCode.PARAM),
        (sketch([1], 8, 51), hll_ops.INIT, (16,), ResultCode.OP_NOT_APPLICABLE),
        (OTHER, hll_ops.INIT, (8, 8, CREATE_ONLY | UPDATE_ONLY), ResultCode.PARAM),
        (OTHER, hll_ops.ADD, ([1], 8, 8, UPDATE_ONLY), ResultCode.PARAM),
        (OTHER, hll_ops.ADD, ([],), ResultCode.PARAM),
        (OTHER, hll_ops.ADD, ([[1]],), ResultCode.PARAM),
        (OTHER, hll_ops.ADD, (5,), ResultCode.PARAM),
        (OTHER, hll_ops.MAY_CONTAIN, ([{}],), ResultCode.PARAM),
        (OTHER, hll_ops.UNION, ([],), ResultCode.PARAM),
        (OTHER, hll_ops.UNION, (["x"],), ResultCode.PARAM),
        (OTHER, hll_ops.UNION, ([OTHER.data[:-1]],), ResultCode.PARAM),
        (OTHER, hll_ops.UNION, ([sketch([1], 7, 8)],), ResultCode.OP_NOT_APPLICABLE),
        (OTHER, hll_ops.UNION, ([sketch([1], 8, 9)],), ResultCode.OP_NOT_APPLICABLE),
        (OTHER, hll_ops.FOLD, (4,), ResultCode.OP_NOT_APPLICABLE),
        (sketch([1], 6), hll_ops.FOLD, (7,), ResultCode.OP_NOT_APPLICABLE),
        (OTHER, hll_ops.INTERSECT_COUNT, ([sketch([1])] * 3,), ResultCode.PARAM),
        (OTHER, hll_ops.SIMILARITY, ([OTHER, OTHER, sketch([1], 8, 9)],), ResultCode.PARAM),
        (sketch([1]), hll_ops.SIMILARITY, ([OTHER] * 3,), ResultCode.OP_NOT_APPLICABLE),
        (OTHER, hll_ops.COUNT, (1,), ResultCode.PARAM),
    ],
)
def test_each_refusal_has_the_code_of_the_server(
    value: Any, number: int, args: tuple[Any, ...], result: ResultCode
) -> None:
    assert refusal(value, number, *args) == result


def test_a_sketch_too_wide_gets_in_by_a_union_and_is_of_no_use_then() -> None:
    wide = HyperLogLog(b"\0\x10\x33".ljust(hll_ops.sketch_size(16, 51), b"\0"))
    made, _ = modified(None, hll_ops.UNION, [wide])
    assert made == wide
    assert refusal(made, hll_ops.COUNT) == ResultCode.SERVER


def test_flags_that_deny_a_write_leave_all_as_it_was_where_it_must_not_fail() -> None:
    assert modified(OTHER, hll_ops.INIT, 8, 8, CREATE_ONLY | NO_FAIL) == (OTHER, None)
    assert modified(None, hll_ops.INIT, 8, 8, UPDATE_ONLY | NO_FAIL) == (None, None)


def test_one_sketch_needs_no_list_around_it() -> None:
    assert read(empty(8, 8), hll_ops.GET_UNION, OTHER) == OTHER
    assert read(OTHER, hll_ops.DESCRIBE) == [8, 8]


@given(st.binary(max_size=12))
def test_no_payload_ends_in_anything_but_a_result(payload: bytes) -> None:
    for work in (hll.read, hll.modify):
        try:
            work((wire.PARTICLE_HLL, OTHER.data), payload)
        except Refused as error:
            assert error.result in (ResultCode.PARAM, ResultCode.OP_NOT_APPLICABLE, ResultCode.BIN_EXISTS)
