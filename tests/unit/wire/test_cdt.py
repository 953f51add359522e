"""Lists and maps: the C client's bytes, both decoders, refusals with their place, limits."""

from __future__ import annotations

import enum
import math
import tracemalloc
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.wire.strategies import elements, same
from trio_aerospike import __speedups__
from trio_aerospike._wire import cdt_unpack
from trio_aerospike._wire.cdt import pack_value, unpack_value
from trio_aerospike._wire.cdt_unpack import unpack_exactly
from trio_aerospike._wire.value_types import (
    INFINITY,
    WILDCARD,
    GeoJSON,
    HyperLogLog,
    OrderedList,
    OrderedMap,
    TypedBlob,
)
from trio_aerospike.errors import InvalidArgError, ProtocolError

# Worked out from pack_* of aerospike-common's as_msgpack.c.
BOTH_WAYS: list[tuple[Any, str]] = [
    (None, "c0"),
    (False, "c2"),
    (True, "c3"),
    (0, "00"),
    (127, "7f"),
    (128, "cc80"),
    (255, "ccff"),
    (256, "cd0100"),
    (65535, "cdffff"),
    (65536, "ce00010000"),
    (0xFFFFFFFF, "ceffffffff"),
    (0x100000000, "cf0000000100000000"),
    ((1 << 63) - 1, "cf7fffffffffffffff"),
    (-1, "ff"),
    (-32, "e0"),
    (-33, "d0df"),
    (-128, "d080"),
    (-129, "d1ff7f"),
    (-32768, "d18000"),
    (-32769, "d2ffff7fff"),
    (-0x80000000, "d280000000"),
    (-0x80000001, "d3ffffffff7fffffff"),
    (-(1 << 63), "d38000000000000000"),
    (1.5, "cb3ff8000000000000"),
    (math.inf, "cb7ff0000000000000"),
    (math.nan, "cb7ff8000000000000"),
    (-0.0, "cb8000000000000000"),
    ("", "a103"),
    ("a", "a20361"),
    ("é☃", "a603c3a9e29883"),
    ("x" * 30, "bf03" + "78" * 30),
    ("x" * 31, "d92003" + "78" * 31),
    ("x" * 254, "d9ff03" + "78" * 254),
    ("x" * 255, "da010003" + "78" * 255),
    ("x" * 65534, "daffff03" + "78" * 65534),
    ("x" * 65535, "db0001000003" + "78" * 65535),
    (b"", "a104"),
    (b"\x00\xff", "a30400ff"),
    (GeoJSON('{"type":1}'), "ab17" + b'{"type":1}'.hex()),
    (HyperLogLog(b"\x01\x02"), "a3120102"),
    (TypedBlob(7, b"j"), "a2076a"),
    (TypedBlob(12, b"e"), "a20c65"),
    ([], "90"),
    ([1, "a", [2]], "9301a203619102"),
    ([0] * 15, "9f" + "00" * 15),
    ([0] * 16, "dc0010" + "00" * 16),
    ([0] * 65535, "dcffff" + "00" * 65535),
    ([0] * 65536, "dd00010000" + "00" * 65536),
    ({}, "80"),
    ({"a": 1}, "81a2036101"),
    ({1: "i", "s": 2, b"b": 3}, "8301a20369a2037302a2046203"),
    (dict.fromkeys(range(16), 0), "de0010" + "".join(f"{i:02x}00" for i in range(16))),
    (OrderedList([1, 2]), "93c700010102"),
    (OrderedList([]), "91c70001"),
    (OrderedMap({"a": 1}), "82c70001c0a2036101"),
    (OrderedMap({"a": 1}, 3), "82c70003c0a2036101"),
    (OrderedMap({"h": 9, "a": 14}, 8), "83c70008c0a2036809a203610e"),
    (OrderedMap({}), "81c70001c0"),
    ([OrderedMap({1: OrderedList([2])})], "9182c70001c00192c7000102"),
]


@pytest.mark.parametrize(("value", "packed"), BOTH_WAYS, ids=[repr(value)[:30] for value, _ in BOTH_WAYS])
def test_a_value_packs_to_the_c_clients_bytes_and_unpacks_by_both_decoders(value: Any, packed: str) -> None:
    data = bytes.fromhex(packed)
    assert pack_value(value) == data
    assert same(unpack_value(data), value)
    assert same(unpack_exactly(data), value)


@settings(deadline=None)
@given(elements)
def test_any_value_comes_back_as_it_was_by_both_decoders(value: Any) -> None:
    data = pack_value(value)
    assert same(unpack_value(data), unpack_exactly(data))
    assert pack_value(unpack_value(data)) == data
    assert pack_value(unpack_value(data), keep_order=True) == data
    data = pack_value(value, keep_order=True)
    assert same(unpack_value(data), value)
    assert same(unpack_exactly(data), value)


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_a_value_or_a_protocol_error_to_both_decoders_alike(data: bytes) -> None:
    try:
        value = unpack_value(data)
    except ProtocolError:
        with pytest.raises(ProtocolError):
            unpack_exactly(data)
    else:
        assert same(unpack_exactly(data), value)


@settings(deadline=None)
@given(elements, st.data())
def test_a_value_with_bytes_changed_or_cut_is_a_value_or_a_protocol_error(value: Any, data: st.DataObject) -> None:
    packed = bytearray(pack_value(value))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    for candidate in (bytes(packed), bytes(packed[:-1])):
        try:
            unpack_value(candidate)
        except ProtocolError:
            pass


def test_maps_are_sorted_when_packed_so_that_equal_maps_are_equal_bytes() -> None:
    one = {"b": 1, "a": {"d": 1, "c": 2}, 7: 0, b"x": 0, -1: 0}
    other = {b"x": 0, -1: 0, "a": {"c": 2, "d": 1}, "b": 1, 7: 0}
    assert pack_value(one) == pack_value(other)
    assert list(unpack_value(pack_value(one))) == [-1, 7, "a", "b", b"x"]
    assert list(unpack_value(pack_value(one))["a"]) == ["c", "d"]


def test_an_ordered_list_goes_out_sorted_as_the_server_sorts_values() -> None:
    # Types in the server's order, values within a type in theirs.
    in_order: list[Any] = [
        *[None, False, True, -3, 7, "", "a", "aa", "b"],
        *[[], [1], [1, 2], ["a"], {}, {9: 9}, {1: 1, 2: 2}],
        *[b"", b"a", TypedBlob(7, b""), HyperLogLog(b""), -1.5, 2.0, GeoJSON("{}")],
    ]
    shuffled = OrderedList(in_order[::2] + in_order[1::2][::-1])
    assert unpack_value(pack_value(shuffled)) == in_order
    assert list(unpack_value(pack_value(shuffled, keep_order=True))) == list(shuffled)
    with pytest.raises(InvalidArgError, match=r"value at \[1\]: \{1\} is a set"):
        pack_value(OrderedList([2, {1}]))
    with pytest.raises(InvalidArgError, match="deeper than the 64"):
        pack_value(OrderedList([NESTED]))


def test_text_keys_sort_as_their_bytes_do() -> None:
    keys = ["￿", "\U00010000", "é", "z", "", "aa", "a"]
    assert list(unpack_value(pack_value(dict.fromkeys(keys)))) == sorted(keys, key=str.encode)


def test_a_map_keeps_its_order_when_that_is_its_meaning_or_is_asked_for() -> None:
    assert list(unpack_value(pack_value(OrderedMap({"b": 1, "a": 2}, 8)))) == ["b", "a"]
    assert list(unpack_value(pack_value(OrderedMap({"b": 1, "a": 2}, 1)))) == ["a", "b"]
    assert list(unpack_value(pack_value({"b": 1, "a": 2}, keep_order=True))) == ["b", "a"]


def test_subclasses_of_python_types_go_as_their_base() -> None:
    class Colour(enum.IntEnum):
        RED = 3

    class Name(str):
        pass

    point = namedtuple("point", "x y")
    value = [Colour.RED, Name("n"), point(1, 2), defaultdict(int, {Colour.RED: 1}), OrderedDict(a=1), bytearray(b"b")]
    assert unpack_value(pack_value(value)) == [3, "n", [1, 2], {3: 1}, {"a": 1}, b"b"]
    assert unpack_value(pack_value((1, memoryview(b"m")))) == [1, b"m"]


def test_values_of_comparisons_pack_only_where_something_is_compared() -> None:
    assert pack_value([1, INFINITY, WILDCARD], comparison=True).hex() == "9301d4ff01d4ff00"
    assert unpack_value(bytes.fromhex("9301d4ff01d4ff00")) == [1, INFINITY, WILDCARD]
    with pytest.raises(InvalidArgError, match=r"value at \[1\]: INFINITY exists only in comparisons"):
        pack_value([1, INFINITY])


NESTED: list[Any] = []
for _ in range(70):
    NESTED = [NESTED]
CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, {2}], r"value at \[1\]: \{2\} is a set: allowed are"),
        ({"a": [0, {"b": object}]}, r"value at \['a'\]\[1\]\['b'\]: <class 'object'> is a type"),
        ([1 << 63], r"value at \[0\]: 9223372036854775808 does not fit: integers are 64 bits"),
        ([-(1 << 63) - 1], "does not fit"),
        ({"a": 1 << 64}, r"value at \['a'\]"),
        ({1.5: 1}, "value: map key 1.5 is a float: allowed are int, str and bytes"),
        ({True: 1}, "map key True is a bool"),
        ({None: 1}, "map key None is a NoneType"),
        ([{(1, 2): 1}], r"value at \[0\]: map key \(1, 2\) is a tuple"),
        ({1 << 63: 1, 2: 3}, "map key 9223372036854775808 does not fit"),
        ({1.5: 1, "a": 2}, "map key 1.5 is a float"),
        ({"\ud800": 1}, "map key '.*' is not valid text"),
        (["\ud800"], r"value at \[0\]: '.*' is not valid text: it holds a lone surrogate"),
        ([GeoJSON("\ud800")], "not valid text"),
        ([TypedBlob(16, b"")], "type 16 cannot be written: allowed are 7 to 12"),
        ([OrderedList([], 256)], "order 256 is unknown to the server"),
        ([OrderedMap({}, "k")], "order 'k' is unknown to the server"),  # type: ignore[arg-type]
        (NESTED, "deeper than the 64 levels"),
        (CYCLE, "deeper than the 64 levels"),
        ({"x": 1j}, r"value at \['x'\]: 1j is a complex"),
    ],
)
def test_what_the_database_cannot_hold_is_refused_with_its_place(value: Any, words: str) -> None:
    with pytest.raises(InvalidArgError, match=words):
        pack_value(value)


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(InvalidArgError) as caught:
        pack_value([set(range(1000))])
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("c4026103", b"\x03"),  # a string in MessagePack's newer binary form, of an unknown type
        ("c40203" + "61", "a"),
        ("c5000203" + "61", "a"),
        ("c60000000203" + "61", "a"),
        ("a0", b""),
        ("ca3fc00000", 1.5),
        ("cfffffffffffffffff", (1 << 64) - 1),
        ("8190" + "01", {(): 1}),
        ("819101" + "01", {(1,): 1}),
        ("8181a2036101" + "01", {(("a", 1),): 1}),
        ("81c0" + "01", {None: 1}),
        ("81c3" + "01", {True: 1}),
        ("81cb3ff8000000000000" + "01", {1.5: 1}),
        ("92d4010001", OrderedList([1])),  # the order's extension may have content
        ("92c70000" + "01", [1]),
        ("82c70000c0" + "0101", {1: 1}),
        ("91c70010", OrderedList([], 0x10)),
    ],
)
def test_unusual_forms_of_other_clients_and_old_servers_decode(data: str, value: Any) -> None:
    decoded = unpack_value(bytes.fromhex(data))
    if isinstance(decoded, TypedBlob):
        decoded = decoded.data
    assert same(decoded, value)


def test_blobs_of_unknown_type_come_out_with_their_type() -> None:
    assert unpack_value(bytes.fromhex("92a2077aa2ff7a")) == [TypedBlob(7, b"z"), TypedBlob(255, b"z")]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "cut off"),
        ("91", "cut off"),
        ("9201", "cut off"),
        ("81", "cut off"),
        ("8101", "cut off"),
        ("cd01", "cut off"),
        ("a5036161", "cut off"),
        ("d9", "cut off"),
        ("0101", "1 bytes follow"),
        ("c1", "0xc1 starts no value"),
        ("a203ff", "not UTF-8"),
        ("a217ff", "not UTF-8"),
        ("92" + "01" + "c70001", "an extension of type 1 was found"),
        ("91d4ff02", "extension of type 255"),
        ("82" + "0101" + "c70001c0", "extension of type 1"),
        ("c7ff01", "within an extension"),
        ("82" + "c70001c0" * 2, "extension of type 1"),
        ("82" + "01a203ff" + "0101", "not UTF-8"),
        ("92" + "c70001" * 2, "extension of type 1"),
        ("82" + "c70000c0" * 2, "extension of type 0"),
        ("dd7fffffff", "2147483647 elements is cut off"),
        ("df7fffffff", "elements is cut off"),
        ("91" * 130 + "01", "deeper than 129 levels"),
        ("91" * 5000 + "01", "deeper than 129 levels"),
        ("8101" * 130 + "01", "deeper than 129 levels"),
    ],
)
def test_malformed_bytes_are_a_protocol_error_that_names_the_fault(data: str, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        unpack_value(bytes.fromhex(data))


def test_64_levels_go_out_and_65_do_not() -> None:
    value: Any = 1
    for _ in range(64):
        value = [value]
    assert unpack_value(pack_value(value)) == value
    with pytest.raises(InvalidArgError):
        pack_value([value])


@pytest.mark.parametrize("unpack", [unpack_value, unpack_exactly])
def test_what_operations_have_put_into_each_other_is_read_up_to_129_levels(unpack: Callable[[bytes], Any]) -> None:
    value: Any = 1
    for _ in range(129):
        value = [value]
    assert unpack(b"\x91" * 129 + b"\x01") == value
    with pytest.raises(ProtocolError):
        unpack(b"\x91" * 130 + b"\x01")


def test_headers_that_claim_many_elements_cost_no_memory() -> None:
    # Each header claims as many elements as there are bytes: sized by its word, 60 of them would take hundreds of MB.
    size = 1_000_000
    data = (b"\xdd" + size.to_bytes(4, "big")) * 60
    data += bytes(size - len(data))
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            unpack_value(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40_000_000


def test_large_data_full_of_header_bytes_decodes_as_well() -> None:
    value = [b"\xdd\xdf" * 30_000, {"k": "v"}, OrderedList([1])]
    assert same(unpack_value(pack_value(value)), value)


def test_keys_that_are_remembered_stay_few_and_small() -> None:
    long = "k" * 100
    for start in range(0, 3 * 4096, 64):
        value = {f"key {number}": number for number in range(start, start + 64)} | {long: 0}
        assert unpack_value(pack_value(value)) == value
        # The second time from memory, and the same.
        assert unpack_value(pack_value(value)) == value
    known = [text for text in cdt_unpack._texts if text] if __speedups__ else list(cdt_unpack._keys)
    assert 0 < len(known) <= 4096
    assert max(map(len, known)) <= 65


def test_text_beside_a_blob_that_is_no_text_decodes_as_ever() -> None:
    value = {"k": ["text", "\u00e9\u4e2d", b"\xff\xfe", b"ascii", b""], "\u00e9": b"\x80", b"\xff": ""}
    assert same(unpack_value(pack_value(value)), value)
    assert same(unpack_value(pack_value(["\u00e9", b"caf\xc3\xa9"])), ["\u00e9", b"caf\xc3\xa9"])
