"""Records as lines of JSON: what goes out comes back, and what cannot be read is said."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given, strategies as st

from trio_aerospike import GeoJSON, HyperLogLog, InvalidArgError, Key, OrderedList, OrderedMap, Record, TypedBlob
from trio_aerospike._cli.jsonl import from_json, read_json, record_from_json, record_to_json, to_json, write_json
from trio_aerospike._cli.terminal import encoded
from trio_aerospike.keys import as_key

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.builds(TypedBlob, st.integers(7, 12), st.binary()),
    st.builds(HyperLogLog, st.binary()),
    st.builds(GeoJSON, st.sampled_from(['{"type": "Point", "coordinates": [1.5, 2]}', '{"type":"Point"}', "rubbish"])),
)
keys = st.one_of(st.integers(-9, 9), st.sampled_from(["a", "$bytes", "$", "order", "$map"]), st.binary(max_size=2))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        st.builds(OrderedMap, st.dictionaries(keys, inner, max_size=4), st.sampled_from([1, 3])),
        st.builds(OrderedList, st.lists(inner, max_size=4), st.just(1)),
    ),
    max_leaves=12,
)


def shape(value: Any) -> Any:
    """What two values have to agree in: types and orders, too, which == does not look at."""
    if isinstance(value, dict):
        order = getattr(value, "order", 0)
        return type(value), order, [(shape(key), shape(item)) for key, item in value.items()]
    if isinstance(value, list):
        return type(value), getattr(value, "order", 0), [shape(item) for item in value]
    return type(value), value


@given(values)
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    assert shape(from_json(json.loads(json.dumps(to_json(value))))) == shape(value)


@pytest.mark.parametrize("number", [float("inf"), float("-inf")])
def test_what_json_has_no_number_for_comes_back(number: float) -> None:
    assert from_json(json.loads(json.dumps(to_json(number), allow_nan=False))) == number
    nan = from_json(json.loads(json.dumps(to_json(float("nan")), allow_nan=False)))
    assert nan != nan


@pytest.mark.parametrize("user_key", [1, "one", b"\x01\xff"])
def test_a_record_comes_back_with_its_key(user_key: Any) -> None:
    record = Record(Key("test", "people", user_key), {"a": [b"\0", 1]}, 7, 0)
    line = json.dumps(record_to_json(record))
    assert record_from_json(line, None, None) == (record.key, record.bins, None)
    moved, _, _ = record_from_json(line, "other", "")
    assert (moved.namespace, moved.set_name, moved.user_key) == ("other", "", user_key)


def test_a_record_whose_key_does_not_lead_to_it_comes_back_with_both() -> None:
    """Other clients may have hashed the key as another type."""
    record = Record(Key.from_digest("test", "people", bytes(range(20))), {"a": 1}, 1, 0)
    record.key = as_key(("test", "people", b"one", bytes(range(20))))
    line = json.dumps(record_to_json(record))
    key, _, _ = record_from_json(line, None, None)
    assert (key, key.user_key, key.digest) == (record.key, b"one", bytes(range(20)))
    with pytest.raises(InvalidArgError, match="stays in its set 'people'"):
        record_from_json(line, None, "other")


@pytest.mark.parametrize("bits", ["7ff8000000000001", "fff8000000000000", "7ff8000000000000", "7ff123456789abcd"])
def test_every_nan_comes_back_with_its_bits(bits: str) -> None:
    value = struct.unpack(">d", bytes.fromhex(bits))[0]
    assert struct.pack(">d", from_json(json.loads(json.dumps(to_json(value), allow_nan=False)))).hex() == bits


@pytest.mark.parametrize(
    "text",
    ['{"a": NaN}', '{"a": 1, "a": 2}', '{"a": "\\ud800"}', '{"a": %s}' % ("[" * 5000 + "]" * 5000), '{"a": 1e999}',
     '{"a": %s}' % ("9" * 5000), '{"a": [%s]}' % ("{" * 60 + "}" * 60)],
)  # fmt: skip
def test_geojson_comes_back_whatever_its_text_is(text: str) -> None:
    record = Record(Key("test", "people", 1), {"a": GeoJSON(text)}, 1, 0)
    line = write_json(record_to_json(record))
    assert "NaN," not in line and record_from_json(encoded(line, None).decode(), None, None)[1] == record.bins


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["$map", "$list", "$blob", "$float", "$hll", "$geojson", "$bytes", "order", "$", "a"]),
            inner,
            max_size=2,
        ),
        st.lists(st.lists(inner, min_size=2, max_size=2), max_size=3).map(lambda pairs: {"$map": pairs}),
    ),
    max_leaves=12,
)


@given(json_values)
def test_whatever_json_there_is_it_is_a_value_or_refused(document: Any) -> None:
    try:
        value = from_json(document)
    except InvalidArgError as error:
        assert len(str(error)) < 400
        return
    assert shape(from_json(json.loads(json.dumps(to_json(value))))) == shape(value) or "nan" in repr(value)


@given(st.text(alphabet='[]{}",:0123456789eE+-.NaInfityul \\\ud800\x00é', max_size=30))
def test_json_is_read_as_the_standard_has_it(text: str) -> None:
    try:
        document = read_json(text)
    except InvalidArgError:
        return
    json.loads(text, parse_constant=pytest.fail)
    assert document == json.loads(text)


@given(st.text(), st.sampled_from(["ascii", "latin-1", "utf-8"]))
def test_a_terminal_gets_json_that_means_the_same_and_no_controls(text: str, encoding: str) -> None:
    shown = encoded(write_json(text), encoding).decode(encoding)
    assert json.loads(shown) == text
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char in "\u202e\u2028" for char in shown)
    assert json.loads(encoded(write_json(text), None)) == text


def test_a_record_without_a_user_key_is_known_by_its_digest() -> None:
    record = Record(Key.from_digest("test", "people", bytes(range(20))), {"a": 1}, 1, 0)
    key, _, _ = record_from_json(json.dumps(record_to_json(record)), None, None)
    assert key == record.key and key.user_key is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not JSON"),
        ("[]", "a record is an object"),
        ('{"set": "s", "key": 1, "bins": {"a": 1}}', "no namespace"),
        ('{"namespace": "test", "bins": {"a": 1}}', "a key, or a digest, or both"),
        ('{"namespace": "test", "key": 1, "digest": "00", "bins": {"a": 1}}', "Key.digest"),
        ('{"namespace": "test", "digest": "00", "bins": {"a": 1}}', "Key.digest"),
        ('{"namespace": "test", "digest": "xx", "bins": {"a": 1}}', "40 hexadecimal digits"),
        ('{"namespace": "test", "key": 1.5, "bins": {"a": 1}}', "Key.user_key: got 1.5"),
        ('{"namespace": "test", "key": 1, "bins": {}}', "bins: got {}"),
        ('{"namespace": "test", "key": 1, "bins": {"a": 1}, "ttl": 0}', "ttl: got 0"),
        ('{"namespace": "test", "key": 1, "bins": {"a": {"$what": 1}}}', "$what"),
        ('{"namespace": "test", "key": 1, "bins": {"a": {"$bytes": "?"}}}', "$bytes"),
        ('{"namespace": "test", "key": 1, "bins": {"a": {"$bytes": "AA==", "x": 1}}}', "dollar"),
        ('{"namespace": "test", "key": 1, "bin": {"a": 1}}', "unknown field 'bin'"),
    ],
)
def test_a_line_that_is_no_record_is_refused_in_words(line: str, words: str) -> None:
    with pytest.raises(InvalidArgError) as caught:
        record_from_json(line, None, None)
    assert words in str(caught.value)
