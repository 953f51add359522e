"""to_numpy and batch_write_numpy, as programs for aerospike_py use them."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import numpy as np
import pytest

import aerospike_py as aerospike
from aerospike_py import numpy_batch
from aerospike_py._commands.usage_hints import UsageHint, UsageHints
from tests.compat.background import BackgroundCluster
from tests.compat.test_keys import text_digest
from trio_aerospike.errors import ResultCode
from trio_aerospike.keys import Key

DTYPE = np.dtype([("age", "i4"), ("score", "f8"), ("name", "S6"), ("vector", "f4", (3,))])
VECTOR = np.arange(3, dtype="f4").tobytes()
NEVER = 0xFFFFFFFF


@pytest.fixture
def set_name() -> str:
    return f"numpy-{uuid.uuid4().hex[:8]}"


def people(set_name: str, count: int) -> Any:
    data = np.zeros(count, [("_key", "i8"), *((name, DTYPE[name]) for name in DTYPE.names or ())])
    data["_key"] = np.arange(count)
    data["age"] = data["_key"] % 90
    data["score"] = data["_key"] / 2
    data["name"] = [f"n{number}" for number in range(count)]
    data["vector"] = np.arange(3)
    return data


def test_records_become_rows_in_the_order_of_the_keys(client: Any, set_name: str):
    client.put(("test", set_name, "ann"), {"age": 41, "score": 1.5, "name": "Ann", "vector": VECTOR})
    client.put(("test", set_name, "bob"), {"age": 7, "more": [1]}, policy={"ttl": 1000})
    keys = [("test", set_name, name) for name in ("bob", "nobody", "ann")]
    records = client.batch_read(keys)
    found = records.to_numpy(DTYPE)
    assert type(found) is aerospike.NumpyBatchRecords is numpy_batch.NumpyBatchRecords
    assert found.batch_records.dtype == DTYPE
    assert found.batch_records["age"].tolist() == [7, 0, 41]
    assert found.batch_records["name"].tolist() == [b"", b"", b"Ann"]
    assert found.batch_records["vector"].tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 2]]
    assert found.result_codes.tolist() == [0, 2, 0]
    assert found.result_codes.dtype == np.int32
    assert found.meta.dtype == np.dtype([("gen", "u4"), ("ttl", "u4")])
    assert found.meta["gen"].tolist() == [1, 0, 1]
    assert found.meta["ttl"].tolist()[1:] == [0, NEVER]
    assert 900 < found.meta["ttl"][0] <= 1001
    assert found.get("ann")["age"] == 41
    assert "bob" in found
    assert "nobody" in found
    assert "carl" not in found
    with pytest.raises(KeyError, match="'carl'"):
        found.get("carl")
    assert len(found) == 3
    assert [int(row["age"]) for row in found] == [7, 0, 41]
    assert repr(found) == "NumpyBatchRecords(count=3, ok=2, fields=['age', 'score', 'name', 'vector'])"
    # The same answer as dicts.
    assert records.to_dict()["bob"] == {"age": 7, "more": [1]}
    assert records.to_numpy(DTYPE).batch_records["age"].tolist() == [7, 0, 41]


def test_keys_without_a_user_key_have_a_made_up_name_and_the_last_of_several_counts(client: Any, set_name: str):
    key = ("test", set_name, 1)
    client.put(key, {"age": 5})
    digest = Key(*key).digest
    found = client.batch_read([key, ("test", set_name, None, digest), key]).to_numpy(np.dtype([("age", "i4")]))
    assert found._map == {1: 2, "__no_user_key_1__": 1}
    assert found.batch_records["age"].tolist() == [5, 5, 5]


def test_values_that_do_not_fit_and_dtypes_that_cannot_be_are_refused(client: Any, set_name: str):
    key = ("test", set_name, 1)
    client.put(key, {"n": 300, "s": "text"})
    records = client.batch_read([key])
    with pytest.raises(OverflowError, match="got 300"):
        records.to_numpy(np.dtype([("n", "i1")]))
    with pytest.raises(TypeError, match="got a string"):
        records.to_numpy(np.dtype([("s", "i4")]))
    with pytest.raises(TypeError, match="must be numeric"):
        records.to_numpy(np.dtype([("s", "U4")]))
    with pytest.raises(TypeError):
        records.to_numpy(None)


def test_an_array_is_written_and_read_back(client: Any, set_name: str):
    data = people(set_name, 500)
    result = client.batch_write_numpy(data, "test", set_name, data.dtype, policy={"total_timeout": 60_000})
    assert type(result) is aerospike.BatchWriteResult
    assert {row.result for row in result.batch_records} == {0}
    assert [row.key and row.key[2] for row in result.batch_records] == list(range(500))
    assert result.retry == aerospike.BatchRetryInfo(1, 1, False, 0)
    found = client.batch_read([("test", set_name, number) for number in range(500)]).to_numpy(DTYPE)
    for name in DTYPE.names or ():
        assert found.batch_records[name].tolist() == data[name].tolist()


def test_the_fields_of_an_array_say_what_is_written(client: Any, set_name: str):
    data = np.array([(b"k1", 5, 7)], [("id", "S4"), ("a", "u2"), ("_note", "i4")])
    result = client.batch_write_numpy(data, "test", set_name, data.dtype, key_field="id", policy={"ttl": 500}, retry=3)
    assert result.retry == aerospike.BatchRetryInfo(1, 4, False, 0)
    record = client.get(("test", set_name, "k1"))
    assert record.bins == {"a": 5}
    assert 400 < record.meta.ttl <= 501


@pytest.mark.parametrize("kind", ["S8", "V8"])
def test_keys_of_bytes_are_hashed_as_text_and_come_back_as_bytes(client: Any, set_name: str, kind: str):
    keys = [b"alice", "b\u00e9".encode(), b"", b"\xff\xfe"]
    data = np.array([(key.ljust(8, b"\0"), 5) for key in keys], [("_key", kind), ("a", "i4")])
    rows = client.batch_write_numpy(data, "test", set_name, data.dtype).batch_records
    assert [(row.key[2], row.result) for row in rows] == [(key, 0) for key in keys]
    assert [row.key.digest for row in rows] == [text_digest(set_name, key) for key in keys]
    assert list(client.batch_read([("test", set_name, key) for key in keys]).to_dict()) == keys
    assert client.get(("test", set_name, "alice")).bins == {"a": 5}


def test_rows_that_are_refused_have_their_code(client: Any, set_name: str):
    client.put(("test", set_name, 1), {"a": 1})
    data = np.array([(1, 5), (2, 6)], [("_key", "i4"), ("a", "i4")])
    policy = {"exists": aerospike.POLICY_EXISTS_CREATE_ONLY}
    result = client.batch_write_numpy(data, "test", set_name, data.dtype, policy=policy, retry=2)
    assert [row.result for row in result.batch_records] == [aerospike.AEROSPIKE_ERR_RECORD_EXISTS, 0]


def test_rows_that_fail_in_passing_are_written_again(start_cluster: Any, make_client: Any, set_name: str):
    cluster = start_cluster(nodes=1)
    client = make_client(hosts=cluster.hosts).connect()
    faults = [ResultCode.DEVICE_OVERLOAD, ResultCode.DEVICE_OVERLOAD]

    async def hook(kind: str, request: object) -> ResultCode | None:
        return faults.pop() if kind == "message" and faults else None

    cluster.set(on_request=hook)
    data = people(set_name, 3)
    policy = {"total_timeout": 60_000, "socket_timeout": 60_000}
    result = client.batch_write_numpy(data, "test", set_name, data.dtype, "_key", policy, 5)
    assert [row.result for row in result.batch_records] == [0, 0, 0]
    assert result.retry == aerospike.BatchRetryInfo(3, 6, False, 0)
    assert client.get(("test", set_name, 2)).bins["age"] == 2


def test_an_array_that_cannot_be_written_is_refused(client: Any, set_name: str):
    data = people(set_name, 2)

    def refused(kind: type[Exception], *arguments: Any, **options: Any) -> None:
        with pytest.raises(kind):
            client.batch_write_numpy(*arguments, **options)

    refused(ValueError, data, "test", set_name, data.dtype, key_field="id")
    refused(ValueError, data.reshape(1, 2), "test", set_name, data.dtype)
    refused(TypeError, [(1, 2)], "test", set_name, data.dtype)
    refused(aerospike.InvalidArgError, data, "test", set_name, data.dtype, retry=-1)
    # Taken for another, its bytes would be written as other values.
    refused(TypeError, data, "test", set_name, np.dtype([("_key", "i8"), ("age", "f4")]))


def test_usage_hints_spare_records_where_only_arrays_are_made(client: Any, set_name: str):
    keys = [("test", set_name, number) for number in range(3)]
    client.put(keys[0], {"age": 1})
    dtype = np.dtype([("age", "i4")])
    first = client.batch_read(keys, ["age"])
    assert first._lazy.decoded
    assert first.to_numpy(dtype).batch_records["age"].tolist() == [1, 0, 0]
    second = client.batch_read(keys, ["age"])
    assert not second._lazy.decoded
    assert second.found_count() == 1
    assert second.all_user_keys() == [0, 1, 2]
    assert second.to_numpy(dtype).batch_records["age"].tolist() == [1, 0, 0]
    assert not second._lazy.decoded
    # One that is asked for dicts after all gives them, and none of its kind is left undecoded again.
    assert second.to_dict() == {0: {"age": 1}}
    assert client.batch_read(keys, ["age"])._lazy.decoded


def test_usage_hints_are_kept_by_set_and_bins():
    usage_hints = UsageHints(for_loop=False)
    key = Key("test", "s", 1)
    hint = usage_hints.of([key], ["a"])
    assert usage_hints.of([key, key], ["a"]) is hint
    assert usage_hints.of([key], None) is not hint
    assert usage_hints.of([Key("test", "t", 1)], ["a"]) is not hint
    assert isinstance(usage_hints.of([], None), UsageHint)


def test_arrays_of_many_records_do_not_hold_up_an_event_loop(shared_cluster: BackgroundCluster, set_name: str):
    """Only what grows with the records is measured: conversion is a small part of what making the records takes."""
    count = 6_000

    async def main() -> tuple[float, float]:
        async with aerospike.AsyncClient({"hosts": shared_cluster.hosts, "cluster_name": "docker"}) as client:
            await client.connect()
            patient = {"total_timeout": 120_000, "socket_timeout": 120_000}
            data = people(set_name, count)
            await client.batch_write_numpy(data, "test", set_name, data.dtype, policy=patient)
            keys = [("test", set_name, number) for number in range(count)]
            records = await client.batch_read(keys, policy=patient)
            records.to_numpy(DTYPE)
            arrays, dicts = [], []
            for _ in range(5):
                lazy = await client.batch_read(keys, policy=patient)
                assert not lazy._lazy.decoded
                began = time.thread_time()
                found = lazy.to_numpy(DTYPE)
                arrays.append(time.thread_time() - began)
                assert found.batch_records["age"][77] == 77
            lazy = await client.batch_read(keys, policy=patient)
            began = time.thread_time()
            lazy.to_dict()
            dicts.append(time.thread_time() - began)
            return min(arrays), min(dicts)

    arrays, dicts = asyncio.run(main())
    assert arrays * 2 < dicts
