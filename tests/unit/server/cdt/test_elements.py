"""Elements of lists and maps as raw MessagePack: sizes, kinds, order, and the form in which they are stored."""

from __future__ import annotations

import math
import random

import pytest

from trio_aerospike._wire import constants as wire
from trio_aerospike.errors import ResultCode
from trio_aerospike.server.cdt.elements import (
    EXT,
    INFINITE,
    INTEGER,
    LIST,
    NEGATIVE,
    STRING,
    WILDCARD,
    Malformed,
    end_of,
    has_nonstorage,
    kind_of,
    list_of,
    map_of,
    opened,
    packed_double,
    packed_int,
    particle_of,
    signed,
    split,
    to_wire,
    unsigned,
)
from trio_aerospike.server.cdt.normalization import checked, stored_value
from trio_aerospike.server.cdt.order import (
    Key,
    by_rank,
    by_rank_range,
    compare,
    duplicates,
    key_of,
    search,
    sorted_indexes,
    value_range,
)
from trio_aerospike.server.exceptions import Refused

ANY, INFINITY, NIL = b"\xd4\xff\x00", b"\xd4\xff\x01", b"\xc0"
NAN = packed_double(math.nan)


def text(content: bytes, kind: int = wire.PARTICLE_STRING) -> bytes:
    return bytes([0xA1 + len(content), kind]) + content


IN_ORDER = [
    NIL,
    b"\xc2",
    b"\xc3",
    packed_int(-(2**63)),
    packed_int(-200),
    packed_int(-1),
    packed_int(0),
    packed_int(127),
    packed_int(70000),
    packed_int(2**63 - 1),
    packed_int(2**64 - 1),
    text(b""),
    text(b"a"),
    text(b"ab"),
    text(b"b"),
    list_of([]),
    list_of([NIL]),
    list_of([packed_int(1)]),
    list_of([packed_int(1), packed_int(1)]),
    list_of([packed_int(1), packed_int(2)]),
    list_of([packed_int(2)]),
    map_of([]),
    map_of([(packed_int(9), packed_int(9))]),
    map_of([(packed_int(1), packed_int(1)), (packed_int(2), packed_int(1))]),
    map_of([(packed_int(1), packed_int(1)), (packed_int(2), packed_int(2))]),
    text(b"", wire.PARTICLE_BLOB),
    text(b"\0", wire.PARTICLE_BLOB),
    text(b"java", wire.PARTICLE_JAVA_BLOB),
    packed_double(-math.inf),
    packed_double(-1.5),
    packed_double(0.0),
    packed_double(1.0),
    text(b"{}", wire.PARTICLE_GEOJSON),
    b"\xd6\x05abcd",
    INFINITY,
]


def keys(*found: bytes) -> list[Key]:
    return [key_of(element) for element in found]


@pytest.mark.parametrize("place", range(len(IN_ORDER)))
def test_kinds_and_values_sort_as_the_server_sorts_them(place: int) -> None:
    mine = key_of(IN_ORDER[place])
    assert compare(mine, key_of(IN_ORDER[place])) == 0
    for element in IN_ORDER[:place]:
        assert compare(key_of(element), mine) == -1
        assert compare(mine, key_of(element)) == 1


def test_an_integer_never_equals_a_float() -> None:
    assert compare(key_of(packed_int(1)), key_of(packed_double(1.0))) != 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (packed_double(0.0), packed_double(-0.0)),
        (packed_double(1.5), b"\xca\x3f\xc0\x00\x00"),
        (b"\xcd\x00\x05", b"\x05"),
        (b"\xd9\x02\x03a", text(b"a")),
        (list_of([b"\x01"], 1), list_of([b"\x01"])),
        (map_of([(b"\x01", b"\x01")], 3), map_of([(b"\x01", b"\x01")])),
        (NAN, packed_double(7.0)),
        (list_of([NAN, b"\x01"]), list_of([packed_double(2.0), b"\x01"])),
    ],
)
def test_what_differs_in_form_only_is_equal(one: bytes, other: bytes) -> None:
    assert compare(key_of(one), key_of(other)) == 0
    assert compare(key_of(other), key_of(one)) == 0


def test_a_wildcard_equals_all_that_stands_from_its_place_on_but_not_a_list_that_has_ended() -> None:
    pattern = key_of(list_of([b"\x01", ANY]))
    assert compare(key_of(list_of([b"\x01", b"\x02", b"\x03"])), pattern) == 0
    assert compare(key_of(list_of([b"\x01"])), pattern) == -1
    assert compare(pattern, key_of(list_of([b"\x01"]))) == 1
    assert compare(key_of(list_of([b"\x02", b"\x02"])), pattern) == 1
    assert compare(key_of(ANY), key_of(NIL)) == 0


def test_no_depth_is_too_deep() -> None:
    deep = b"\x91" * 100_000 + b"\x01"
    assert end_of(deep) == len(deep)
    assert compare(key_of(deep), key_of(deep[:-1] + b"\x02")) == -1
    assert checked(deep) == deep


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xc1", b"\xd9", b"\xa2\x03", b"\x92\x01", b"\xdc\x00", b"\xdd\x00\xff\xff\xff", b"\x81\x01",
        b"\xc7\x05\x01", b"\xcf",
    ],
)  # fmt: skip
def test_what_is_cut_off_or_no_messagepack_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        end_of(data)
    with pytest.raises(Malformed):
        split(data, 0, 1)
    with pytest.raises(Malformed):
        checked(data)


@pytest.mark.parametrize(
    ("element", "kind"),
    [(b"\xd0\x05", INTEGER), (b"\xd0\xff", NEGATIVE), (text(b"a"), STRING), (b"\xdc\x00\x00", LIST), (ANY, WILDCARD),
     (b"\xc7\x01\xff\x01", INFINITE), (b"\xc7\x00\x01", EXT), (b"\xd5\x01ab", EXT)],
)  # fmt: skip
def test_kinds_are_recognized_by_the_first_bytes(element: bytes, kind: int) -> None:
    assert kind_of(element) == kind


def test_integers_have_64_bits() -> None:
    assert signed(packed_int(2**64 - 1)) == -1
    assert unsigned(packed_int(-1)) == 2**64 - 1
    for number in (0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, -1, -32, -33, -128, -129, -(2**31) - 1):
        assert signed(packed_int(number)) == number


def test_comparison_only_elements_are_found_at_any_depth() -> None:
    assert has_nonstorage(list_of([map_of([(b"\x01", list_of([ANY]))])]))
    assert has_nonstorage(INFINITY)
    assert not has_nonstorage(text(b"\xd4\xff\x00"[:2]))
    assert not has_nonstorage(list_of([b"\xff", b"\xd7\xff" + bytes(8)]))


# What comes in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"\xcd\x00\x05", b"\x05"),
        (b"\xd3" + bytes(7) + b"\x02", b"\x02"),
        (b"\xc4\x02\x04a", text(b"a", wire.PARTICLE_BLOB)),
        (b"\xdc\x00\x01\x01", b"\x91\x01"),
        (b"\xde\x00\x01\x01\x02", b"\x81\x01\x02"),
        (b"\x82\x02\x01\x01\x02", b"\x82\x01\x02\x02\x01"),
        (b"\x92\xc7\x00\x10\x01", b"\x91\x01"),
        (b"\x92\xc7\x00\x05\x01", b"\x92\xc7\x00\x01\x01"),
        (b"\x91\xc7\x00\x00", b"\x90"),
        (b"\x81\xc7\x00\x01\xc0", b"\x81\xc7\x00\x01\xc0"),
        (b"\x91\x92\xc7\x00\x11\x01", b"\x91\x92\xc7\x00\x01\x01"),
        (b"\xca\x3f\xc0\x00\x00", b"\xca\x3f\xc0\x00\x00"),
    ],
)
def test_values_are_stored_in_their_shortest_form_and_maps_by_key(sent: bytes, kept: bytes) -> None:
    assert checked(sent) == kept


@pytest.mark.parametrize(
    "sent",
    [
        b"\x93\xc7\x00\x01\x02\x01",
        b"\x82\x01\x01\x01\x02",
        b"\x83\x02\x01\x01\x02\x02\x01",
        b"\x83\xc7\x00\x01\xc0\x02\x01\x01\x02",
        b"\x81\xc0\x01",
        b"\x81\xcb" + bytes(8) + b"\x01",
        b"\x91\xd4\xff\x01",
        b"\x90\x00",
    ],
)
def test_unsorted_doubled_and_unfit_elements_are_not_stored(sent: bytes) -> None:
    with pytest.raises(Malformed):
        checked(sent)
    with pytest.raises(Refused) as caught:
        stored_value(wire.PARTICLE_LIST if sent[0] >= 0x90 else wire.PARTICLE_MAP, sent)
    assert caught.value.result == ResultCode.SERVER


def test_a_bin_may_keep_an_index_of_which_clients_hear_nothing() -> None:
    sent = list_of([b"\x01", b"\x02"], 0x11)
    kept = stored_value(wire.PARTICLE_LIST, sent)
    assert opened(kept)[2] == 0x11
    assert to_wire(wire.PARTICLE_LIST, kept) == list_of([b"\x01", b"\x02"], 1)
    assert to_wire(wire.PARTICLE_LIST, list_of([b"\x01"], 0x10)) == list_of([b"\x01"])
    assert to_wire(wire.PARTICLE_MAP, map_of([(b"\x01", b"\x02")], 0x13)) == map_of([(b"\x01", b"\x02")], 3)
    assert to_wire(wire.PARTICLE_BLOB, sent) == sent


@pytest.mark.parametrize(
    ("element", "particle"),
    [
        (NIL, None),
        (b"\xc3", (wire.PARTICLE_BOOL, b"\1")),
        (packed_int(-2), (wire.PARTICLE_INTEGER, b"\xff" * 7 + b"\xfe")),
        (b"\xca\x3f\xc0\x00\x00", (wire.PARTICLE_FLOAT, packed_double(1.5)[1:])),
        (text(b"ab"), (wire.PARTICLE_STRING, b"ab")),
        (text(b"ab", 7), (wire.PARTICLE_JAVA_BLOB, b"ab")),
        (text(b"ab", 99), (wire.PARTICLE_BLOB, b"ab")),
        (text(b"{}", wire.PARTICLE_GEOJSON), (wire.PARTICLE_GEOJSON, b"\0\0\0{}")),
        (b"\x91\x01", (wire.PARTICLE_LIST, b"\x91\x01")),
    ],
)
def test_a_single_element_answers_as_a_particle_of_its_type(element: bytes, particle: object) -> None:
    assert particle_of(element) == particle


# Ranks --------------------------------------------------------------------------------------------------------


def test_equal_elements_keep_their_places_when_sorted_in_either_direction() -> None:
    found = keys(packed_double(0.0), packed_double(1.0), packed_double(-0.0), packed_double(1.0))
    assert sorted_indexes(found) == [0, 2, 1, 3]
    assert sorted_indexes(found, descending=True) == [1, 3, 0, 2]
    assert duplicates(found, [0, 2, 1, 3]) == {2, 3}
    with pytest.raises(ValueError, match="not sorted"):
        duplicates(found, [1, 3, 0, 2])


@pytest.mark.parametrize("seed", range(30))
def test_ranges_of_ranks_hold_what_sorting_would_put_there(seed: int) -> None:
    numbers = random.Random(seed)
    found = keys(*(packed_int(numbers.randrange(8)) for _ in range(numbers.randrange(1, 40))))
    start = numbers.randrange(len(found))
    count = numbers.randrange(len(found) - start + 1)
    chosen = by_rank_range(found, start, count)
    by_value = sorted(found)
    assert len(set(chosen)) == count
    assert sorted(found[index] for index in chosen) == by_value[start : start + count]
    assert found[by_rank(found, start)] == by_value[start]


def test_the_lower_half_of_the_ranks_comes_descending_and_the_upper_ascending() -> None:
    found = keys(*map(packed_int, (5, 1, 4, 2, 3)))
    assert by_rank_range(found, 0, 2) == [3, 1]
    assert by_rank_range(found, 3, 2) == [2, 0]


def test_a_search_finds_the_first_of_equal_ones_or_where_it_would_be() -> None:
    found = keys(*map(packed_int, (1, 3, 3, 3, 5)))
    assert (search(key_of(b"\x03"), found).place, search(key_of(b"\x03"), found).there) == (1, True)
    assert (search(key_of(b"\x04"), found).place, search(key_of(b"\x04"), found).there) == (4, False)
    assert value_range(found, key_of(b"\x03"), multiple=True) == (1, 3)
    assert value_range(found, key_of(b"\x03"), multiple=False) == (1, 1)
    assert value_range(found, key_of(b"\x09"), multiple=True) == (5, 0)
    assert value_range([], key_of(b"\x09"), multiple=True) == (0, 0)
