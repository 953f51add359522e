"""Bits in the embedded server: against a model of single bits, and where the server does what no model would.

The answers were compared with those of a real server (tests/integration/real/test_bits.py); here is what must
not be lost without one.
"""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from trio_aerospike._wire import bit_ops, constants as wire
from trio_aerospike._wire.cdt_calls import Packed, encode_cdt_call
from trio_aerospike._wire.particles import decode_value, encode_value
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import bits
from trio_aerospike.server.exceptions import Refused

UPDATE_ONLY, CREATE_ONLY = bit_ops.FLAG_UPDATE_ONLY, bit_ops.FLAG_CREATE_ONLY
NO_FAIL, PARTIAL = bit_ops.FLAG_NO_FAIL, bit_ops.FLAG_PARTIAL
SATURATE, WRAP, SIGNED = bit_ops.INT_SATURATE, bit_ops.INT_WRAP, bit_ops.INT_SIGNED


def modified(value: Any, number: int, *args: Any) -> Any:
    """What a blob (None: no bin) becomes."""
    particle, answer = bits.modify(None if value is None else encode_value(value), encode_cdt_call(number, args))
    assert answer is None
    return None if particle is None else decode_value(*particle)


def read(value: Any, number: int, *args: Any) -> Any:
    answer = bits.read(encode_value(value), encode_cdt_call(number, args))
    assert answer is not None
    return decode_value(*answer)


def refusal(value: Any, number: int, *args: Any) -> ResultCode:
    work = bits.read if number >= bit_ops.GET else bits.modify
    with pytest.raises(Refused) as caught:
        work(None if value is None else encode_value(value), encode_cdt_call(number, args))
    return caught.value.result


def text(blob: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in blob)


def blob_of(bit_text: str) -> bytes:
    padded = bit_text + "0" * (-len(bit_text) % 8)
    return bytes(int(padded[start : start + 8], 2) for start in range(0, len(padded), 8))


@st.composite
def fields(draw: st.DrawFn) -> tuple[bytes, int, int]:
    """A blob, and offset and size of a field in it."""
    blob = draw(st.binary(min_size=1, max_size=24))
    first = draw(st.integers(0, len(blob) * 8 - 1))
    return blob, first, draw(st.integers(1, len(blob) * 8 - first))


@given(fields(), st.data())
def test_a_field_is_read_as_a_model_of_single_bits_reads_it(field: tuple[bytes, int, int], data: st.DataObject) -> None:
    blob, first, size = field
    expected = text(blob)[first : first + size]
    offset = data.draw(st.sampled_from([first, first - len(blob) * 8]))
    wanted = data.draw(st.booleans())
    assert read(blob, bit_ops.GET, offset, size) == blob_of(expected)
    assert read(blob, bit_ops.COUNT, offset, size) == expected.count("1")
    assert read(blob, bit_ops.LSCAN, offset, size, wanted) == expected.find("01"[wanted])
    found = expected.rfind("01"[wanted])
    answer = read(blob, bit_ops.RSCAN, offset, size, wanted)
    assert answer == found if found >= 0 else -8 < answer < 0
    if size <= 64:
        unsigned = int(expected, 2)
        signed = unsigned - (1 << size) if expected[0] == "1" else unsigned
        assert read(blob, bit_ops.GET_INT, offset, size, SIGNED) == signed
        assert read(blob, bit_ops.GET_INT, offset, size) == (signed if size == 64 else unsigned)


@given(fields(), st.data())
def test_a_field_is_changed_as_a_model_of_single_bits_changes_it(
    field: tuple[bytes, int, int], data: st.DataObject
) -> None:
    blob, first, size = field
    before = text(blob)
    old = before[first : first + size]
    given_bits = text(data.draw(st.binary(min_size=(size + 7) // 8, max_size=30)))
    other, shift = given_bits[:size], data.draw(st.integers(0, size + 9))
    buffer = blob_of(given_bits)
    cases: dict[int, tuple[str, tuple[Any, ...]]] = {
        bit_ops.SET: (other, (buffer,)),
        bit_ops.OR: ("".join("01"[a == "1" or b == "1"] for a, b in zip(old, other, strict=True)), (buffer,)),
        bit_ops.XOR: ("".join("01"[a != b] for a, b in zip(old, other, strict=True)), (buffer,)),
        bit_ops.AND: ("".join("01"[a == b == "1"] for a, b in zip(old, other, strict=True)), (buffer,)),
        bit_ops.NOT: ("".join("10"[a == "1"] for a in old), ()),
        bit_ops.LSHIFT: ((old + "0" * shift)[shift:][:size].rjust(size, "0"), (shift,)),
        bit_ops.RSHIFT: (("0" * shift + old)[:size], (shift,)),
    }
    for number, (new, args) in cases.items():
        expected = blob_of(before[:first] + new + before[first + size :])
        assert modified(blob, number, first, size, *args) == expected, number
        assert modified(blob, number, first - len(before), size, *args, NO_FAIL | UPDATE_ONLY) == expected, number


@given(fields(), st.integers(0, (1 << 64) - 1), st.sampled_from([0, SATURATE, WRAP]), st.booleans())
def test_arithmetic_is_that_of_integers_of_the_width_of_the_field(
    field: tuple[bytes, int, int], value: int, action: int, signed: bool
) -> None:
    blob, first, size = field
    size = min(size, 64)
    old, by = int(text(blob)[first : first + size], 2), value & (1 << size) - 1
    low, high = (-(1 << size - 1), (1 << size - 1) - 1) if signed else (0, (1 << size) - 1)
    if signed:
        old, by = ((n - (1 << size) if n >> size - 1 else n) for n in (old, by))
    packed = Packed(b"\xcf" + value.to_bytes(8, "big"))
    for number, total in ((bit_ops.ADD, old + by), (bit_ops.SUBTRACT, old - by)):
        if signed and (total & (1 << size) - 1 == 0 or by == low):
            continue  # The server's own ways, see below.
        args = (first, size, packed, 0, action | (SIGNED if signed else 0))
        if not low <= total <= high and not action:
            assert refusal(blob, number, *args) == ResultCode.OP_NOT_APPLICABLE
            assert modified(blob, number, *args[:3], NO_FAIL, args[4]) == blob
            continue
        if action == SATURATE:
            total = max(low, min(high, total))
        new = f"{total & (1 << size) - 1:0{size}b}"
        assert modified(blob, number, *args) == blob_of(text(blob)[:first] + new + text(blob)[first + size :])


def test_a_signed_sum_of_zero_never_overflows_in_the_server() -> None:
    assert modified(b"\x80", bit_ops.ADD, 0, 8, -128, 0, SIGNED) == b"\x00"
    assert modified(b"\x80", bit_ops.ADD, 0, 8, -127, 0, SIGNED | SATURATE) == b"\x80"


def test_a_scan_from_the_right_goes_on_to_the_beginning_of_the_first_byte() -> None:
    assert read(b"\x80\x00", bit_ops.RSCAN, 3, 13, True) == -3
    assert read(b"\x20\x00", bit_ops.RSCAN, 3, 13, True) == -1
    assert read(b"\x00\x00", bit_ops.RSCAN, 3, 13, True) == -1
    assert read(b"\x3f\xff", bit_ops.RSCAN, 3, 13, False) == -2
    assert read(b"\x80", bit_ops.RSCAN, 1, 7, True) == -1


def test_a_cut_field_is_shifted_as_if_it_began_with_the_blob() -> None:
    # Two bytes are left of the field; the server thinks that it has 32 bits, and leaves a byte behind.
    assert modified(b"\x01\x02\x03\x0f", bit_ops.LSHIFT, 16, 64, 20, PARTIAL) == b"\x01\x02\xf0\x00"
    assert modified(b"\x01\x02\x03\x0f", bit_ops.LSHIFT, 16, 64, 9, PARTIAL) == b"\x01\x02\x1e\x00"
    assert modified(b"\x01\x02\x03\x0f", bit_ops.LSHIFT, 16, 64, 33, PARTIAL) == b"\x01\x02\x00\x00"
    assert modified(b"\x01\x02\xff\xff", bit_ops.RSHIFT, 16, 64, 4, PARTIAL) == b"\x01\x02\x0f\xff"


@pytest.mark.parametrize(
    ("before", "number", "args", "after"),
    [
        (None, bit_ops.RESIZE, (3,), b"\0\0\0"),
        (None, bit_ops.RESIZE, (0,), None),
        (None, bit_ops.RESIZE, (3, UPDATE_ONLY | NO_FAIL), None),
        (b"ab", bit_ops.RESIZE, (0,), b""),
        (b"ab", bit_ops.RESIZE, (3,), b"ab\0"),
        (b"ab", bit_ops.RESIZE, (3, 0, bit_ops.RESIZE_FROM_FRONT), b"\0ab"),
        (b"ab", bit_ops.RESIZE, (1,), b"a"),
        (b"ab", bit_ops.RESIZE, (1, 0, bit_ops.RESIZE_FROM_FRONT), b"b"),
        (b"ab", bit_ops.RESIZE, (1, NO_FAIL, bit_ops.RESIZE_GROW_ONLY), b"ab"),
        (b"ab", bit_ops.RESIZE, (9, NO_FAIL, bit_ops.RESIZE_SHRINK_ONLY), b"ab"),
        (b"ab", bit_ops.RESIZE, (9, NO_FAIL | CREATE_ONLY), b"ab"),
        (None, bit_ops.INSERT, (2, b"x"), b"\0\0x"),
        (b"ab", bit_ops.INSERT, (1, b"x"), b"axb"),
        (b"ab", bit_ops.INSERT, (-2, b"x"), b"xab"),
        (b"ab", bit_ops.INSERT, (4, b"x"), b"ab\0\0x"),
        (b"abc", bit_ops.REMOVE, (1, 1), b"ac"),
        (b"abc", bit_ops.REMOVE, (-1, 1), b"ab"),
        (b"abc", bit_ops.REMOVE, (1, 9, PARTIAL), b"a"),
        (b"abc", bit_ops.REMOVE, (1, 9, NO_FAIL), b"abc"),
        (b"abc", bit_ops.REMOVE, (3, 1, NO_FAIL | PARTIAL), b"abc"),
        (b"ab", bit_ops.NOT, (12, 9, PARTIAL), b"am"),
        (b"ab", bit_ops.NOT, (12, 9, NO_FAIL), b"ab"),
        (b"ab", bit_ops.SET, (8, 64, b"12345678", PARTIAL), b"a1"),
        (b"ab", bit_ops.SET_INT, (8, 9, 1, NO_FAIL), b"ab"),
        (None, bit_ops.SET_INT, (0, 8, 1, NO_FAIL), None),
    ],
)
def test_the_size_changes_and_flags_are_heeded(before: Any, number: int, args: tuple[Any, ...], after: Any) -> None:
    assert modified(before, number, *args) == after


@pytest.mark.parametrize(
    ("value", "number", "args", "result"),
    [
        (None, bit_ops.SET, (0, 8, b"a"), ResultCode.BIN_NOT_FOUND),
        (None, bit_ops.RESIZE, (1, UPDATE_ONLY), ResultCode.BIN_NOT_FOUND),
        (None, bit_ops.INSERT, (-1, b"a"), ResultCode.PARAM),
        (b"ab", bit_ops.INSERT, (0, b"a", CREATE_ONLY), ResultCode.BIN_EXISTS),
        ("text", bit_ops.INSERT, (0, b"a", CREATE_ONLY), ResultCode.BIN_EXISTS),
        ("text", bit_ops.NOT, (0, 8), ResultCode.BIN_TYPE),
        ("text", bit_ops.GET, (0, 8), ResultCode.BIN_TYPE),
        ("text", bit_ops.GET, (0, 0), ResultCode.PARAM),
        (b"ab", bit_ops.GET, (16, 1), ResultCode.OP_NOT_APPLICABLE),
        (b"ab", bit_ops.GET, (8, 9), ResultCode.OP_NOT_APPLICABLE),
        (b"ab", bit_ops.GET, (-17, 1), ResultCode.PARAM),
        (b"ab", bit_ops.NOT, (-17, 1, NO_FAIL), ResultCode.PARAM),
        (b"ab", bit_ops.NOT, (16, 1), ResultCode.OP_NOT_APPLICABLE),
        (b"ab", bit_ops.REMOVE, (2, 1), ResultCode.PARAM),
        (b"ab", bit_ops.REMOVE, (1, 2), ResultCode.PARAM),
        (b"ab", bit_ops.RESIZE, (1, 0, bit_ops.RESIZE_GROW_ONLY), ResultCode.PARAM),
        (b"ab", bit_ops.RESIZE, (3, 0, bit_ops.RESIZE_SHRINK_ONLY), ResultCode.PARAM),
        (b"ab", bit_ops.RESIZE, (1 << 27,), ResultCode.PARAM),
        (b"ab", bit_ops.RESIZE, (1, 0, 6), ResultCode.PARAM),
        (b"ab", bit_ops.RESIZE, (1, CREATE_ONLY | UPDATE_ONLY), ResultCode.PARAM),
        (b"ab", bit_ops.RESIZE, (1, PARTIAL), ResultCode.PARAM),
        (b"ab", bit_ops.SET, (0, 8, b"x", CREATE_ONLY), ResultCode.PARAM),
        (b"ab", bit_ops.SET, (0, 9, b"x"), ResultCode.PARAM),
        (b"ab", bit_ops.SET, (0, 8, b""), ResultCode.PARAM),
        (b"ab", bit_ops.SET, (0, 8, 5), ResultCode.PARAM),
        (b"ab", bit_ops.ADD, (0, 65, 1), ResultCode.PARAM),
        (b"ab", bit_ops.ADD, (0, 8, 1, PARTIAL), ResultCode.PARAM),
        (b"ab", bit_ops.ADD, (0, 8, 1, 0, SATURATE | WRAP), ResultCode.PARAM),
        (b"ab", bit_ops.LSHIFT, (0, 8, -1), ResultCode.PARAM),
        (b"ab", bit_ops.LSCAN, (0, 8, 1), ResultCode.PARAM),
        (b"ab", bit_ops.GET_INT, (0, 8, WRAP), ResultCode.PARAM),
        (b"ab", bit_ops.GET, (0, 8, 0), ResultCode.PARAM),
        (b"ab", bit_ops.GET, (0,), ResultCode.PARAM),
        (b"ab", bit_ops.GET, (1.5, 8), ResultCode.PARAM),
        (b"ab", 13, (0, 8), ResultCode.PARAM),
        (b"ab", 55, (0, 8), ResultCode.PARAM),
    ],
)
def test_each_refusal_has_the_code_of_the_server(
    value: Any, number: int, args: tuple[Any, ...], result: ResultCode
) -> None:
    assert refusal(value, number, *args) == result


def test_a_call_within_a_context_is_unknown_to_the_server() -> None:
    context = encode_cdt_call(bit_ops.GET, (0, 8), b"\x92\x10\x00")
    with pytest.raises(Refused) as caught:
        bits.read((wire.PARTICLE_BLOB, b"ab"), context)
    assert caught.value.result == ResultCode.PARAM


@given(st.binary(max_size=12))
def test_no_payload_ends_in_anything_but_a_result(payload: bytes) -> None:
    for work in (bits.read, bits.modify):
        try:
            work((wire.PARTICLE_BLOB, b"abc"), payload)
        except Refused as error:
            assert error.result in (ResultCode.PARAM, ResultCode.OP_NOT_APPLICABLE, ResultCode.BIN_EXISTS)


def test_without_a_bin_a_read_answers_nothing_whatever_it_asks() -> None:
    assert bits.read(None, b"") is None


def test_the_least_offset_counts_as_none() -> None:
    assert read(b"ab", bit_ops.GET, -(1 << 63), 8) == b"a"
