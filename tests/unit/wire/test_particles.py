"""Values of bins: types, bytes, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.wire.strategies import same, values
from trio_aerospike._wire.particles import decode_value, encode_value
from trio_aerospike._wire.value_types import INFINITY, GeoJSON, HyperLogLog, OrderedList, OrderedMap, TypedBlob
from trio_aerospike.errors import InvalidArgError, ProtocolError

BOTH_WAYS: list[tuple[Any, int, str]] = [
    (None, 0, ""),
    (42, 1, "000000000000002a"),
    (-1, 1, "ffffffffffffffff"),
    (-(1 << 63), 1, "8000000000000000"),
    ((1 << 63) - 1, 1, "7fffffffffffffff"),
    (1.5, 2, "3ff8000000000000"),
    (math.nan, 2, "7ff8000000000000"),
    (-math.inf, 2, "fff0000000000000"),
    ("héllo", 3, "68c3a96c6c6f"),
    ("", 3, ""),
    ("a\x00b", 3, "610062"),
    (b"\x00\xff", 4, "00ff"),
    (b"", 4, ""),
    (True, 17, "01"),
    (False, 17, "00"),
    (HyperLogLog(b"\x08\x00"), 18, "0800"),
    ({"a": 1}, 19, "81a2036101"),
    (OrderedMap({"a": 1}), 19, "82c70001c0a2036101"),
    ([1, 2], 20, "920102"),
    (OrderedList([1]), 20, "92c7000101"),
    (GeoJSON("{}"), 23, "0000007b7d"),
    *[(TypedBlob(kind, b"x"), kind, "78") for kind in range(7, 13)],
]


@pytest.mark.parametrize(("value", "particle", "data"), BOTH_WAYS, ids=[repr(value) for value, *_ in BOTH_WAYS])
def test_a_value_has_the_servers_particle_and_comes_back(value: Any, particle: int, data: str) -> None:
    assert encode_value(value) == (particle, bytes.fromhex(data))
    assert same(decode_value(particle, bytes.fromhex(data)), value)


@settings(deadline=None)
@given(values)
def test_any_value_comes_back_as_it_was(value: Any) -> None:
    assert same(decode_value(*encode_value(value)), value)


@settings(deadline=None)
@given(st.integers(0, 255), st.binary(max_size=60))
def test_arbitrary_bytes_of_any_type_are_a_value_or_a_protocol_error(particle: int, data: bytes) -> None:
    try:
        decode_value(particle, data)
    except ProtocolError:
        pass


def test_types_from_servers_newer_than_this_client_come_out_as_blobs() -> None:
    assert decode_value(16, b"v") == TypedBlob(16, b"v")
    assert decode_value(99, b"") == TypedBlob(99, b"")


def test_cells_of_a_geojson_are_skipped() -> None:
    # As recorded from the server: flags 0, one cell.
    data = bytes.fromhex("000001" + "808fb8a247954393") + b'{"type": "Point"}'
    assert decode_value(23, data) == GeoJSON('{"type": "Point"}')


@pytest.mark.parametrize("size", [1, 2, 4])
def test_integers_of_fewer_bytes_decode_as_the_server_reads_them(size: int) -> None:
    assert decode_value(1, b"\xff" * size) == (1 << 8 * size) - 1


@pytest.mark.parametrize(
    ("particle", "data"),
    [
        (1, ""),
        (1, "000000"),
        (1, "00" * 9),
        (2, "00" * 7),
        (3, "ff"),
        (17, ""),
        (17, "0001"),
        (19, ""),
        (19, "90"),
        (19, "01"),
        (20, "80"),
        (20, "a20361"),
        (23, "0000"),
        (23, "0000017b7d"),
        (23, "000000ff"),
    ],
)
def test_malformed_particles_are_protocol_errors(particle: int, data: str) -> None:
    with pytest.raises(ProtocolError):
        decode_value(particle, bytes.fromhex(data))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({1, 2}, r"\{1, 2\} is a set: allowed are"),
        (frozenset(), "frozenset"),
        (1 << 63, "9223372036854775808 does not fit: integers are 64 bits"),
        (-(1 << 63) - 1, "does not fit"),
        (10**5000, "does not fit"),
        ("\ud800", "lone surrogate"),
        (GeoJSON("\udfff"), "lone surrogate"),
        (TypedBlob(6, b""), "type 6 cannot be written"),
        (1j, "complex"),
        (object(), "is an object"),
        (range(3), "is a range"),
        (INFINITY, "exists only in comparisons"),
        ({"a": {1}}, r"value at \['a'\]: \{1\} is a set"),
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) else "int",
)
def test_what_the_database_cannot_hold_is_refused(value: Any, words: str) -> None:
    with pytest.raises(InvalidArgError, match=words):
        encode_value(value)


def test_subclasses_go_as_their_base() -> None:
    class Name(str):
        def __str__(self) -> str:
            return "not this"

    class Amount(float):
        pass

    class Count(int):
        pass

    assert encode_value(Name("n")) == (3, b"n")
    assert encode_value(Amount(1.5))[0] == 2
    assert encode_value(Count(7)) == encode_value(7)
    assert encode_value(bytearray(b"b")) == encode_value(memoryview(b"b")) == (4, b"b")
    assert encode_value((1, 2)) == encode_value([1, 2])
