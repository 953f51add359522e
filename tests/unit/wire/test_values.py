"""Values Python has no type for: equality, copies, pickles, words."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from trio_aerospike import exp
from trio_aerospike._wire.particles import decode_value, encode_value
from trio_aerospike._wire.value_types import (
    INFINITY,
    WILDCARD,
    GeoJSON,
    HyperLogLog,
    OrderedList,
    OrderedMap,
    TypedBlob,
)
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.operations import append, maps

VALUES: list[Any] = [
    GeoJSON("{}"),
    HyperLogLog(b"h"),
    TypedBlob(7, b"j"),
    OrderedMap({"a": [1]}, 3),
    OrderedList([1, [2]], 1),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_and_pickles_are_equal_and_keep_their_order(value: Any, duplicate: Any) -> None:
    again = duplicate(value)
    assert type(again) is type(value)
    assert again == value
    assert getattr(again, "order", None) == getattr(value, "order", None)


@pytest.mark.parametrize("special", [INFINITY, WILDCARD])
def test_specials_stay_the_one_instance(special: Any) -> None:
    assert copy.copy(special) is copy.deepcopy(special) is pickle.loads(pickle.dumps(special)) is special
    assert repr(special) in ("INFINITY", "WILDCARD")


def test_ordered_containers_equal_plain_ones_and_show_their_order() -> None:
    assert OrderedMap({"a": 1}) == {"a": 1}
    assert OrderedList([1]) == [1]
    assert repr(OrderedMap({"a": 1}, 3)) == "OrderedMap({'a': 1}, order=3)"
    assert repr(OrderedList([1])) == "OrderedList([1], order=1)"
    assert OrderedMap({"a": 1}, 3).copy().order == 3
    assert OrderedList([1], 0).copy().order == 0


def test_geojson_takes_text_or_a_mapping() -> None:
    point = {"type": "Point", "coordinates": [-122.0, 37.5]}
    geo = GeoJSON(point)
    assert geo.text == '{"type": "Point", "coordinates": [-122.0, 37.5]}'
    assert geo.data == point
    assert str(geo) == geo.text
    assert GeoJSON(geo.text) == geo
    with pytest.raises(TypeError, match="not int"):
        GeoJSON(7)


def test_blobs_are_bytes_on_request() -> None:
    assert bytes(HyperLogLog(b"h")) == b"h"
    assert (type(bytes(HyperLogLog(b"h"))), type(HyperLogLog(b"h").data)) == (bytes, bytes)
    assert bytes(TypedBlob(7, b"j")) == b"j"
    assert HyperLogLog(bytearray(b"h")) == HyperLogLog(b"h")


def test_a_sketch_is_bytes_that_stay_a_sketch():
    sketch, blob = HyperLogLog(b"h"), b"h"
    assert isinstance(sketch, bytes)
    assert len(sketch) == 1
    assert sketch[:1] == b"h"
    assert sketch != blob
    assert blob != sketch
    assert len({sketch, b"h", HyperLogLog(b"h")}) == 2
    assert str(sketch) == repr(sketch) == "HyperLogLog(data=b'h')"
    for value in (sketch, [sketch], {"k": [sketch]}):
        encoded = encode_value(value)
        assert encoded != encode_value(b"h")
        assert decode_value(*encoded) == value
    assert encode_value(sketch) == (18, b"h")
    assert exp.val(sketch).encode() == exp.hll_val(b"h").encode() != exp.val(b"h").encode()
    with pytest.raises(InvalidArgError, match="map key"):
        encode_value({sketch: 1})
    with pytest.raises(InvalidArgError):
        append("b", sketch)
    with pytest.raises(InvalidArgError):
        maps.get_by_key("b", sketch)
