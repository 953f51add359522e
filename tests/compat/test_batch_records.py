"""LazyBatchRecords: rows in the order of the keys, and a dict of those that were found."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from aerospike_py import BatchRecord, LazyBatchRecords, Record, RecordMetadata
from trio_aerospike.arrays import LazyBatch
from trio_aerospike.errors import InvalidArgError, RecordNotFound
from trio_aerospike.keys import Key
from trio_aerospike.records import BatchResult, Record as NativeRecord


def _found(key: Key, **bins: object) -> BatchResult:
    return BatchResult(key, 0, NativeRecord(key, dict(bins), 3, 0))


ANN, BOB, CLEO = Key("test", "users", "ann"), Key("test", "users", "bob"), Key("test", "users", 3)
DIGEST_ONLY = Key.from_digest("test", "users", b"d" * 20)


@pytest.fixture
def batch() -> LazyBatchRecords:
    return LazyBatchRecords(
        LazyBatch.of(
            [
                _found(CLEO, age=3),
                BatchResult(BOB, 2, None, RecordNotFound("none")),
                _found(ANN, age=1),
                _found(DIGEST_ONLY, age=4),
                _found(ANN, age=1),
            ]
        )
    )


def test_rows_are_in_the_order_of_the_keys(batch: LazyBatchRecords):
    assert batch.to_list() == [{"age": 3}, None, {"age": 1}, {"age": 4}, {"age": 1}]
    assert batch.all_user_keys() == [3, "bob", "ann", None, "ann"]
    assert batch.found_count() == 4
    assert len(batch) == 3  # what is known by its digest only is in no dict


def test_a_batch_is_no_sequence_that_can_be_reversed(batch: LazyBatchRecords):
    with pytest.raises(TypeError, match="not reversible"):
        reversed(batch)


@pytest.mark.parametrize("handles", [[5], 5, None])
def test_only_batches_are_merged(handles: Any):
    with pytest.raises(InvalidArgError, match=r"merge_to_dict\.handles"):
        LazyBatchRecords.merge_to_dict(handles)


def test_batch_records_tell_key_code_and_record(batch: LazyBatchRecords):
    rows = batch.batch_records
    assert all(type(row) is BatchRecord for row in rows)
    assert [row.result for row in rows] == [0, 2, 0, 0, 0]
    assert rows[1].record is None
    assert rows[1].key == ("test", "users", "bob", BOB.digest)
    assert type(rows[0].record) is Record
    assert rows[0].record.meta == RecordMetadata(gen=3, ttl=4294967295)
    meta: Any
    _, meta, bins = rows[0].record  # as with aerospike-py, where meta is a dict
    assert bins == rows[0].record.bins
    assert (meta["gen"], meta.get("ttl"), meta[0], meta[-1]) == (3, 4294967295, 3, 4294967295)
    assert dict(meta) == {"gen": 3, "ttl": 4294967295}
    assert "gen" in meta
    assert 3 in meta
    assert "generation" not in meta
    assert meta.get("generation", 7) == 7
    with pytest.raises(KeyError):
        meta["generation"]
    assert isinstance(meta, RecordMetadata)
    assert pickle.loads(pickle.dumps(meta)) == meta
    assert rows[0].in_doubt is False
    assert list(batch.iter_records()) == rows
    assert batch.batch_records is rows


def test_the_dict_holds_what_was_found_by_user_key(batch: LazyBatchRecords):
    expected = {3: {"age": 3}, "ann": {"age": 1}}
    assert batch.to_dict() == expected
    assert dict(batch.items()) == expected
    assert list(batch.keys()) == list(batch) == [3, "ann"]
    assert list(batch.values()) == [{"age": 3}, {"age": 1}]
    assert batch["ann"] == {"age": 1}
    assert batch.get("ann") == {"age": 1}
    assert batch.get("bob") is None
    assert batch.get("bob", 7) == 7
    assert 3 in batch
    assert "bob" not in batch


def test_a_missing_key_is_a_key_error_that_names_it(batch: LazyBatchRecords):
    with pytest.raises(KeyError, match="bob"):
        batch["bob"]


def test_what_was_cached_can_be_released_and_made_again(batch: LazyBatchRecords):
    rows, view = batch.batch_records, batch.keys()
    batch.release_cache()
    assert batch.batch_records == rows
    assert batch.batch_records is not rows
    assert list(batch.keys()) == list(view)


def test_to_dict_is_the_callers_own(batch: LazyBatchRecords):
    batch.to_dict().clear()
    assert "ann" in batch


def test_a_dict_that_was_ready_goes_to_one_caller(batch: LazyBatchRecords):
    batch._ready.append(batch._lazy.columns().to_dict())
    first, second = batch.to_dict(), batch.to_dict()
    assert first == second == dict(batch.items())
    first.clear()
    assert batch.to_dict() == second
    batch._ready.append({})
    batch.release_cache()
    assert batch.to_dict() == second


def test_merge_to_dict_takes_each_result_by_itself(batch: LazyBatchRecords):
    empty = LazyBatchRecords(LazyBatch.of([]))
    assert LazyBatchRecords.merge_to_dict([batch, empty]) == [batch.to_dict(), {}]


def test_an_empty_batch():
    empty = LazyBatchRecords(LazyBatch.of([]))
    assert (len(empty), list(empty), empty.to_list(), empty.batch_records) == (0, [], [], [])
