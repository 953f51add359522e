"""Statistics: names, values and their types, as real servers (8.1.2) write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from trio_aerospike._wire.statistics import parse_pairs, parse_sets, typed
from trio_aerospike.errors import ProtocolError

SET = (
    "objects=13694:tombstones=0:data_used_bytes=1314624:truncate_lut=0:sindexes=0:index_populating=false:"
    "truncating=false:default-read-touch-ttl-pct=0:default-ttl=0:disable-eviction=false:enable-index=false:"
    "stop-writes-count=0:stop-writes-size=0"
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-1", -1),
        ("18446744073709551615", 2**64 - 1),
        ("0.00", 0.0),
        ("-1.500", -1.5),
        ("true", True),
        ("false", False),
        ("null", "null"),
        ("", ""),
        ("memory", "memory"),
        ("8.1.2.0", "8.1.2.0"),
        ("0:0,0:0", "0:0,0:0"),
        ("1e5", "1e5"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        (" 1", " 1"),
        ("٣", "٣"),
        ("nan", "nan"),
        ("True", "True"),
        ("9" * 5000, "9" * 5000),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_values_have_the_types_that_they_look_like_and_no_others(text: str, value: object) -> None:
    (found,) = typed({"some": text}).values()
    assert (type(found), found) == (type(value), value)


def test_a_key_of_the_cluster_that_has_only_digits_is_no_number() -> None:
    assert typed({"cluster_key": "100000000000", "cluster-name": "1.5", "node-id": "true"}) == {
        "cluster_key": "100000000000",
        "cluster-name": "1.5",
        "node-id": "true",
    }


def test_pairs_are_split_where_the_server_splits_them() -> None:
    assert parse_pairs("a=1;storage-engine.stripe[0]=stripe-0;b=;c=x=y;") == {
        "a": "1",
        "storage-engine.stripe[0]": "stripe-0",
        "b": "",
        "c": "x=y",
    }
    assert parse_pairs("") == {}
    assert parse_pairs("a=1:b=2", ":") == {"a": "1", "b": "2"}


@pytest.mark.parametrize("text", ["a", "a=1;b", "=1", "ERROR:4:bad"])
def test_pairs_of_another_form_are_a_protocol_error(text: str) -> None:
    with pytest.raises(ProtocolError, match="unknown form"):
        parse_pairs(text)


@pytest.mark.parametrize("name", ["users", "a:b", "a;b", "a=b", "ns=test:set=x", "objects", "ns", "ü"])
def test_sets_are_found_whatever_they_are_called(name: str) -> None:
    found = parse_sets("test", f"ns=test:set=first:{SET};ns=test:set={name}:{SET};ns=test:set=last:{SET};")
    assert list(found) == ["first", name, "last"]
    assert all(pairs == parse_pairs(SET, ":") for pairs in found.values())
    assert found[name]["objects"] == "13694"


def test_a_namespace_without_sets_has_none() -> None:
    assert parse_sets("test", "") == {}


@pytest.mark.parametrize("text", ["ns=other:set=a:objects=1;", "type=unknown", "ns=test:set=a", "ns=test:set=a:x=1;"])
def test_sets_of_another_form_are_a_protocol_error(text: str) -> None:
    with pytest.raises(ProtocolError, match="unknown form"):
        parse_sets("test", text)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=60), st.text(":;=ab1nstet", max_size=60)))
def test_arbitrary_text_is_pairs_or_a_protocol_error(text: str) -> None:
    for parse in (parse_pairs, lambda text: parse_sets("n", text), lambda text: parse_sets("n", f"ns=n:set={text}")):
        try:
            found = parse(text)
        except ProtocolError:
            continue
        assert isinstance(found, dict)
