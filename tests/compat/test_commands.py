"""Every command, synchronous and asynchronous, against a cluster of three nodes."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

import aerospike_py as aerospike
from aerospike_py import hll_operations
from aerospike_py.types import AerospikeKey, ExistsResult, InfoNodeResult, OperateOrderedResult, Record, RecordMetadata
from tests.compat.background import BackgroundCluster
from tests.naming import stable_repr

NEVER = 4294967295
OPS = [
    {"op": aerospike.OPERATOR_INCR, "bin": "n", "val": 1},
    {"op": aerospike.OPERATOR_READ, "bin": "n"},
    {"op": aerospike.OPERATOR_INCR, "bin": "n", "val": 1},
    {"op": aerospike.OPERATOR_READ, "bin": "n"},
    {"op": aerospike.OPERATOR_READ, "bin": "s"},
]


@pytest.fixture
def key() -> tuple[str, str, str]:
    return ("test", "compat", uuid.uuid4().hex)


def test_put_and_get_give_named_tuples(client: Any, key: Any):
    bins = {"i": 1, "s": "x", "f": 1.5, "b": b"by", "t": True, "l": [1, "a", None], "m": {"k": 1, 2: b"x"}}
    assert client.put(key, bins) is None
    record = client.get(key)
    assert type(record) is Record
    assert type(record.key) is AerospikeKey
    assert record.key[:3] == key
    assert len(record.key.digest) == 20
    assert record.meta == RecordMetadata(gen=1, ttl=NEVER)
    assert record.bins == bins
    found_key, meta, found_bins = record
    assert (found_key, meta, found_bins) == (record.key, record.meta, record.bins)


def test_the_key_of_a_result_is_a_key_to_ask_with(client: Any, key: Any):
    client.put(key, {"a": 1})
    record = client.get(key)
    assert client.get(record.key) == record
    by_digest = client.get(("test", "compat", None, record.key.digest))
    assert by_digest.key.user_key is None
    assert by_digest.bins == {"a": 1}


@pytest.mark.parametrize("user_key", ["text", 5, -(2**63), b"bytes"])
def test_user_keys_of_every_type(client: Any, user_key: Any):
    client.put(("test", "compat", user_key), {"a": 1})
    assert client.get(("test", "compat", user_key)).key.user_key == user_key


def test_reading_what_is_not_there(client: Any, key: Any):
    for command in (
        lambda: client.get(key),
        lambda: client.select(key, ["a"]),
        lambda: client.touch(key, 10),
        lambda: client.remove(key),
        lambda: client.remove_bin(key, ["a"]),
        lambda: client.operate(key, [{"op": aerospike.OPERATOR_READ, "bin": "a"}]),
    ):
        with pytest.raises(aerospike.RecordNotFound) as caught:
            command()
        assert caught.value.result_code == aerospike.AEROSPIKE_ERR_RECORD_NOT_FOUND


def test_exists_tells_without_raising(client: Any, key: Any):
    missing = client.exists(key)
    assert type(missing) is ExistsResult
    assert missing.key is not None
    assert missing.key[:3] == key
    assert missing.meta is None
    client.put(key, {"a": 1}, {"ttl": 100})
    found = client.exists(key)
    assert found.meta.gen == 1
    assert 98 <= found.meta.ttl <= 100


def test_select_leaves_out_other_and_missing_bins(client: Any, key: Any):
    client.put(key, {"a": 1, "b": 2})
    assert client.select(key, ["a", "zz"]).bins == {"a": 1}


def test_remove(client: Any, key: Any):
    client.put(key, {"a": 1})
    with pytest.raises(aerospike.RecordGenerationError):
        client.remove(key, {"gen": 9})
    assert client.remove(key, {"gen": 1}) is None
    assert client.exists(key).meta is None


def test_touch_sets_the_time_to_live_by_argument_then_policy_then_meta(client: Any, key: Any):
    client.put(key, {"a": 1})
    for arguments, seconds in (
        ((200,), 200),
        ((0, {"ttl": 300}), 300),
        ((0, {"ttl": 300}, {"ttl": 400}), 400),
        ((500, {"ttl": 300}, {"ttl": 400}), 500),
    ):
        assert client.touch(key, *arguments) is None
        assert seconds - 2 <= client.exists(key).meta.ttl <= seconds
    client.touch(key, aerospike.TTL_NEVER_EXPIRE)
    assert client.exists(key).meta == RecordMetadata(gen=6, ttl=NEVER)


def test_append_prepend_increment_and_remove_bin(client: Any, key: Any):
    client.put(key, {"s": "b", "y": b"b", "i": 1, "f": 1.5, "x": 1})
    client.append(key, "s", "c")
    client.prepend(key, "s", "a")
    client.append(key, "y", b"c")
    client.increment(key, "i", 4)
    client.increment(key, "f", 0.25)
    client.increment(key, "new", 7)
    client.remove_bin(key, ["x", "zz"])
    assert client.get(key).bins == {"s": "abc", "y": b"bc", "i": 5, "f": 1.75, "new": 7}
    with pytest.raises(aerospike.BinTypeError):
        client.append(key, "i", "c")


def test_operate_gives_results_by_bin_and_lists_for_repeated_ones(client: Any, key: Any):
    client.put(key, {"n": 1, "s": "x"})
    record = client.operate(key, OPS)
    assert type(record) is Record
    assert record.bins == {"n": [2, 3], "s": "x"}
    assert record.meta == RecordMetadata(gen=2, ttl=NEVER)
    thrice = [{"op": aerospike.OPERATOR_READ, "bin": "n"}] * 3
    assert client.operate(key, thrice).bins == {"n": [3, 3, 3]}
    client.put(key, {"n": [1, 2]})
    assert client.operate(key, thrice).bins == {"n": [[1, 2], [1, 2], [1, 2]]}


def test_operate_ordered_gives_every_result_in_the_order_of_the_operations(client: Any, key: Any):
    client.put(key, {"n": 1, "s": "x"})
    result = client.operate_ordered(key, OPS)
    assert type(result) is OperateOrderedResult
    assert result.ordered_bins == [("n", 2), ("n", 3), ("s", "x")]
    assert result.ordered_bins[0].name == "n"
    assert result.meta == RecordMetadata(gen=2, ttl=NEVER)


def test_operate_deletes_and_touches(client: Any, key: Any):
    client.put(key, {"a": 1})
    touched = client.operate(key, [{"op": aerospike.OPERATOR_TOUCH}, {"op": aerospike.OPERATOR_READ}], {"ttl": 77})
    assert touched.bins == {"a": 1}
    assert 75 <= client.exists(key).meta.ttl <= 77
    client.operate(key, [{"op": aerospike.OPERATOR_READ, "bin": "a"}, {"op": aerospike.OPERATOR_DELETE}])
    assert client.exists(key).meta is None


def test_write_policies_and_metas_reach_the_server(client: Any, key: Any):
    with pytest.raises(aerospike.RecordNotFound):
        client.put(key, {"a": 1}, policy={"exists": aerospike.POLICY_EXISTS_UPDATE_ONLY})
    client.put(key, {"a": 1, "b": 2}, policy={"exists": aerospike.POLICY_EXISTS_CREATE_ONLY})
    with pytest.raises(aerospike.RecordExistsError):
        client.put(key, {"a": 1}, {"exists": aerospike.POLICY_EXISTS_CREATE_ONLY})
    client.put(key, {"c": 3}, policy={"exists": aerospike.POLICY_EXISTS_REPLACE})
    assert client.get(key).bins == {"c": 3}
    with pytest.raises(aerospike.RecordGenerationError):
        client.put(key, {"a": 1}, {"gen": 1})
    client.put(key, {"a": 1}, {"gen": 2, "ttl": 50})
    assert 48 <= client.exists(key).meta.ttl <= 50
    client.put(key, {"a": 2}, policy={"ttl": aerospike.TTL_DONT_UPDATE})
    assert 47 <= client.exists(key).meta.ttl <= 50
    client.put(key, {"a": 2}, policy={"ttl": aerospike.TTL_NEVER_EXPIRE, "key": aerospike.POLICY_KEY_SEND})
    assert client.exists(key).meta.ttl == NEVER


def test_batch_read(client: Any, key: Any):
    namespace, set_name, stem = key
    keys = [(namespace, set_name, f"{stem}-{i}") for i in range(200)]
    for i, each in enumerate(keys[::2]):
        client.put(each, {"i": i, "s": "x"})
    batch = client.batch_read(keys)
    assert type(batch) is aerospike.LazyBatchRecords
    assert batch.found_count() == len(batch) == 100
    assert [row.result for row in batch.batch_records] == [0, 2] * 100
    assert [row.key and row.key[:3] for row in batch.batch_records] == keys
    assert batch[keys[0][2]] == {"i": 0, "s": "x"}
    assert client.batch_read(keys, ["i"]).to_list()[:3] == [{"i": 0}, None, {"i": 1}]
    assert client.batch_read(keys, []).to_list()[:3] == [{}, None, {}]
    assert client.batch_read(keys, ["i"], {"total_timeout": 5000}).found_count() == 100
    assert client.batch_read([]).batch_records == []


def test_info_names_and_ping(client: Any, shared_cluster: BackgroundCluster):
    names = sorted(node.name for node in shared_cluster.nodes)
    assert sorted(client.get_node_names()) == names
    answers = client.info_all("namespaces")
    assert all(type(answer) is InfoNodeResult for answer in answers)
    assert sorted(answer.node_name for answer in answers) == names
    assert {(answer.error_code, answer.response) for answer in answers} == {(0, "test")}
    assert client.info_all("build", {"timeout": 5000})[0].response == client.info_random_node("build")
    assert client.ping() is True
    assert client.is_connected() is True


def test_truncate_removes_the_records_of_a_set(client: Any, key: Any):
    namespace, _, user_key = key
    mine, other = (namespace, f"t{user_key[:8]}", 1), (namespace, f"o{user_key[:8]}", 1)
    client.put(mine, {"a": 1})
    client.put(other, {"a": 1})
    assert client.truncate(namespace, mine[1]) is None
    assert client.exists(mine).meta is None
    assert client.exists(other).meta is not None


@pytest.mark.parametrize(
    "value", [{1, 2}, 2**63, -(2**63) - 1, object(), {"x": {1}}, {1.5: 1}, {None: 1}, "\ud800", 1j], ids=stable_repr
)
def test_values_that_the_database_cannot_hold_are_refused_before_sending(client: Any, key: Any, value: Any):
    with pytest.raises(aerospike.InvalidArgError, match="bin 'a'"):
        client.put(key, {"a": value})
    assert client.exists(key).meta is None


@pytest.mark.parametrize(
    "call,message",
    [
        (lambda c: c.put(("test", "s", 1), {"a" * 16: 1}), "aaaaaaaaaaaaaaaa.*15 bytes"),
        (lambda c: c.put(("test", "s", 1), {}), "bins"),
        (lambda c: c.put(("test", "s", 1), 5), "bins: got 5"),
        (lambda c: c.get(("n" * 32, "s", 1)), "namespace.*31 bytes"),
        (lambda c: c.get(("test", "s", 1.5)), r"user_key: got 1\.5"),
        (lambda c: c.get(("test", "s")), r"key: got \('test', 's'\)"),
        (lambda c: c.get("key"), "key: got 'key'"),
        (lambda c: c.select(("test", "s", 1), []), "select.bins"),
        (lambda c: c.increment(("test", "s", 1), "a", "x"), "increment.offset: got 'x'"),
        (lambda c: c.operate(("test", "s", 1), []), "ops"),
        (lambda c: c.info_all("a\nb"), "info_all.command"),
        (lambda c: c.truncate("test", "s", -1), "before_nanos: got -1"),
        (lambda c: c.batch_read([("test", "s", None)]), "user_key: got None"),
    ],
)
def test_slips_are_refused_before_anything_is_sent(client: Any, call: Any, message: str):
    with pytest.raises(aerospike.InvalidArgError, match=message):
        call(client)


def test_sketches_are_bytes_and_stay_sketches(client: Any, key: Any):
    client.operate(key, [hll_operations.hll_add("h", ["a", "b"], 8)])
    sketch = client.get(key).bins["h"]
    assert isinstance(sketch, bytes)
    client.put(key, {"copy": sketch, "blob": bytes(sketch)})
    assert client.operate(key, [hll_operations.hll_get_count("copy")]).bins == {"copy": 2}
    assert type(client.get(key).bins["blob"]) is bytes
    union = client.operate(key, [hll_operations.hll_get_union_count("h", [sketch, bytes(sketch)])])
    assert union.bins == {"h": 2}


def test_a_client_that_is_not_connected_has_nothing_to_ask_or_close(make_client: Any):
    client = make_client(hosts=[("127.0.0.1", 3000)])
    assert client.is_connected() is False
    assert client.ping() is False
    assert client.close() is None


def test_a_closed_client_says_so_and_can_be_connected_again(client: Any, key: Any):
    client.put(key, {"a": 1})
    with pytest.raises(aerospike.ClientError, match="already connected"):
        client.connect()
    client.close()
    client.close()
    assert client.is_connected() is False
    assert client.ping() is False
    with pytest.raises(aerospike.ClientError, match="closed"):
        client.get(key)
    assert client.connect() is client
    assert client.get(key).bins == {"a": 1}


def test_context_managers_close(make_client: Any, shared_cluster: BackgroundCluster):
    import asyncio

    config: dict[str, Any] = {"hosts": shared_cluster.hosts}
    with aerospike.client(config).connect() as sync:
        assert sync.ping()
    assert not sync.is_connected()
    with pytest.raises(KeyError), aerospike.client(config).connect() as sync:
        raise KeyError("the body's own")

    async def main() -> None:
        async with aerospike.AsyncClient(config) as client:
            assert not client.is_connected()
            await client.connect()
            assert await client.ping()
        assert not client.is_connected()
        async with await aerospike.async_client(config).connect() as client:
            assert await client.ping()

    asyncio.run(main())


def test_repr_tells_the_state(make_client: Any, shared_cluster: BackgroundCluster):
    with aerospike.client({"hosts": shared_cluster.hosts, "user": "ann", "password": "s3cret"}) as client:
        assert "new" in repr(client)
        client.connect()
        assert "connected" in repr(client)
        assert "s3cret" not in repr(client)
    assert "closed" in repr(client)
