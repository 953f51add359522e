"""What commands return."""

from __future__ import annotations

import time

import pytest

from trio_aerospike.errors import RecordNotFound, error_from_code
from trio_aerospike.keys import Key
from trio_aerospike.records import (
    BatchResult,
    InfoResult,
    Metadata,
    NodeInfo,
    OrderedResult,
    Record,
    seconds_left,
)

KEY = Key("test", "users", "ann")
EPOCH_2010 = 1262304000


@pytest.fixture
def now(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: EPOCH_2010 + 1000.75)


def test_a_record_behaves_as_its_bins():
    record = Record(KEY, {"name": "Ann", "age": 41}, 3, 0)
    assert record["name"] == "Ann"
    assert record.get("age") == 41
    assert record.get("none") is None
    assert record.get("none", 5) == 5
    assert "name" in record and "none" not in record
    assert list(record) == list(record.keys()) == ["name", "age"]
    assert list(record.values()) == ["Ann", 41]
    assert dict(record.items()) == dict(record) == record.bins
    assert len(record) == 2
    with pytest.raises(KeyError):
        record["none"]


def test_a_record_without_bins_is_still_true():
    assert Record(KEY, {}, 1, 0)


def test_records_compare_by_all_they_hold():
    record = Record(KEY, {"a": 1}, 3, 0)
    assert record == Record(KEY, {"a": 1}, 3, 0)
    assert record != Record(KEY, {"a": 2}, 3, 0)
    assert record != Record(KEY, {"a": 1}, 4, 0)
    assert record != Record(KEY, {"a": 1}, 3, 9)


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize(
    ("void_time", "ttl"),
    [
        (0, None),
        (1100, 100),
        (1001, 1),
        # Expired by this clock, but the server has just answered for it.
        (1000, 1),
        (5, 1),
        (0xFFFFFFFF, 0xFFFFFFFF - 1000),
    ],
)
def test_ttl_counts_from_now_and_none_means_never(void_time, ttl):
    assert seconds_left(void_time) == ttl
    assert Record(KEY, {}, 1, void_time).ttl == ttl
    assert Metadata(KEY, 1, void_time).ttl == ttl
    assert OrderedResult(KEY, 1, void_time, []).ttl == ttl


@pytest.mark.usefixtures("now")
def test_reprs_show_the_ttl_and_not_the_void_time():
    assert repr(Record(KEY, {"a": 1}, 3, 1100)) == f"Record({KEY!r}, {{'a': 1}}, generation=3, ttl=100)"
    assert repr(Metadata(KEY, 3, 0)) == f"Metadata({KEY!r}, generation=3, ttl=None)"
    assert repr(OrderedResult(KEY, 3, 0, [("a", 1)])) == (f"OrderedResult({KEY!r}, [('a', 1)], generation=3, ttl=None)")


def test_a_batch_result_gives_its_record_or_raises_why_there_is_none():
    record = Record(KEY, {}, 1, 0)
    good = BatchResult(KEY, 0, record)
    assert good.ok and good.unwrap() is record
    error = error_from_code(2, node="A1")
    bad = BatchResult(KEY, 2, None, error)
    assert not bad.ok
    with pytest.raises(RecordNotFound) as caught:
        bad.unwrap()
    assert caught.value is error


def test_the_address_of_a_node_brackets_ipv6():
    assert NodeInfo("A1", "127.0.0.1", 3000).address == "127.0.0.1:3000"
    assert NodeInfo("A1", "::1", 3000).address == "[::1]:3000"


def test_info_results_are_values():
    assert InfoResult("A1", 0, "x") == InfoResult("A1", 0, "x")
