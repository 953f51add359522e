"""Records as NumPy arrays, through a client and servers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import trio_aerospike as aero
from tests.integration.conftest import Keys, Target
from trio_aerospike import BatchPolicy, BatchWritePolicy, Client, Key, exp, open_client
from trio_aerospike._wire.batch_messages import decode_batch_request, encode_batch_row
from trio_aerospike._wire.frames import encode_frame
from trio_aerospike._wire.messages import Op
from trio_aerospike.errors import InvalidArgError, RecordNotFound
from trio_aerospike.server.faults import Fault, Reply

DTYPE = np.dtype([("id", "i8"), ("score", "f8"), ("age", "u1"), ("name", "S8"), ("vector", "f4", (4,))])
LIMIT = BatchPolicy(total_timeout=60.0)


def rows_for(keys: list[Key]) -> Any:
    """An array to write, with the keys' user keys as bytes."""
    assert all(isinstance(key.user_key, bytes) for key in keys)
    width = max(len(key.user_key) for key in keys if isinstance(key.user_key, bytes))
    data = np.zeros(len(keys), [("_key", f"S{width}"), *((name, DTYPE[name]) for name in DTYPE.names or ())])
    data["_key"] = [key.user_key for key in keys]
    data["id"] = np.arange(len(keys)) - 5
    data["score"] = data["id"] / 4
    data["age"] = np.arange(len(keys)) % 256
    data["name"] = [f"n{number}" for number in range(len(keys))]
    data["vector"] = np.arange(4 * len(keys)).reshape(-1, 4)
    return data


def byte_keys(keys: Keys, count: int) -> list[Key]:
    return [keys.adopt(Key("test", keys.set_name, f"{keys.prefix}-{number}".encode())) for number in range(count)]


async def test_what_an_array_writes_an_array_reads(client: Client, keys: Keys) -> None:
    wanted = byte_keys(keys, 3001)  # more than a part of a batch holds
    data = rows_for(wanted)
    results = await client.batch_write_numpy(data, "test", keys.set_name, policy=LIMIT)
    assert [result.key for result in results] == wanted
    assert results.ok
    arrays = await client.batch_read_numpy(wanted, DTYPE, policy=LIMIT)
    assert arrays.found.all()
    for name in DTYPE.names or ():
        assert arrays[name].tolist() == data[name].tolist()
    record = await client.get(wanted[7])
    assert record.bins == {
        "id": 2,
        "score": 0.5,
        "age": 7,
        "name": b"n7" + bytes(6),
        "vector": data["vector"][7].tobytes(),
    }


async def test_records_of_all_kinds_in_one_batch(client: Client, keys: Keys) -> None:
    whole, other, bare, none, late = (keys() for _ in range(5))
    await client.put(whole, {"id": 1, "score": 2.5, "name": "ann", "vector": np.arange(4, dtype="f4").tobytes()})
    await client.put(other, {"extra": [1], "vector": [1, 2.5, 3, 4], "score": 7, "id": True})
    await client.put(bare, {"unasked": "x"}, ttl=1000)
    await client.put(late, {"id": 4})
    asked = [whole, none, other, bare, whole, late]
    for arrays in (
        await client.batch_read_numpy(asked, DTYPE),
        (await client.batch_read_lazy(asked)).to_numpy(DTYPE),
        (await client.batch_read_lazy(asked, decode=False)).to_numpy(DTYPE),
        (await client.batch_read(asked)).to_numpy(DTYPE),
    ):
        assert arrays.result_codes.tolist() == [0, 2, 0, 0, 0, 0]
        assert arrays["id"].tolist() == [1, 0, 1, 0, 1, 4]
        assert arrays["score"].tolist() == [2.5, 0, 7, 0, 2.5, 0]
        assert arrays["name"].tolist() == [b"ann", b"", b"", b"", b"ann", b""]
        assert arrays["vector"].tolist() == [[0, 1, 2, 3], [0] * 4, [1, 2.5, 3, 4], [0] * 4, [0, 1, 2, 3], [0] * 4]
        assert list(arrays.keys) == asked
        assert arrays.generations.tolist() == [1, 0, 1, 1, 1, 1]
        assert arrays.ttls[1] == -1 or arrays.void_times[1] == 0
        assert 900 < arrays.ttls[3] <= 1001
        assert arrays.row(late)["id"] == 4


async def test_a_lazy_batch_gives_the_results_of_batch_read(client: Client, keys: Keys) -> None:
    asked = [keys() for _ in range(40)]
    for number, key in enumerate(asked[::2]):
        bins = {"n": number, "s": "x" * number} if number % 3 else {"m": {"a": [number]}, "f": 1.5}
        await client.put(key, bins)
    expected = await client.batch_read(asked)
    for decode in (True, False):
        lazy = await client.batch_read_lazy(asked, decode=decode)
        assert lazy.found_count == 20
        assert lazy.decoded is decode
        assert lazy.results() == expected
        assert lazy.decoded
        assert lazy.found_count == 20
        assert lazy.to_numpy(np.dtype([("n", "i4")]))["n"].tolist() == [
            0 if result.record is None else result.record.get("n", 0) for result in expected
        ]


@pytest.mark.parametrize("decode", [True, False])
async def test_columns_say_of_each_key_what_its_result_does(client: Client, keys: Keys, decode: bool) -> None:
    asked: list[Any] = [keys() for _ in range(24)]
    for number, key in enumerate(asked[:16]):
        bins = ({"n": number}, {"n": number, "s": "x" * number}, {"m": {"a": [number]}}, {"f": 1.5, "n": -1})[
            number % 4
        ]
        await client.put(key, bins, ttl=1000 if number % 2 else None)
    await client.put(asked[0], {"n": 77})
    first = asked[0]
    elsewhere = keys.adopt(Key("test", f"{keys.set_name}-2", first.user_key))
    await client.put(elsewhere, {"n": 5})
    asked += [
        first,
        Key.from_digest("test", keys.set_name, asked[1].digest),
        (first.namespace, first.set_name, first.user_key),
        elsewhere,
    ]
    in_namespace = [key for key in asked if key is not elsewhere]
    n_is_77 = exp.eq(exp.int_bin("n"), 77)
    for wanted, names, policy in (
        (asked, None, LIMIT),
        (in_namespace, None, LIMIT),
        (in_namespace, ["n"], LIMIT),
        (in_namespace, [], LIMIT),
        (in_namespace, None, LIMIT.replace(filter_expression=n_is_77)),
    ):
        expected = await client.batch_read(wanted, names, policy=policy)
        lazy = await client.batch_read_lazy(wanted, names, decode=decode, policy=policy)
        columns = lazy.columns()
        assert len(columns) == len(lazy) == len(wanted)
        assert list(columns.keys) == [result.key for result in expected]
        assert columns.keys.user_keys == [result.key.user_key for result in expected]
        assert columns.result_codes == [result.result_code for result in expected]
        assert columns.bins == [result.record and result.record.bins for result in expected]
        assert columns.generations == [0 if not result.record else result.record.generation for result in expected]
        assert columns.void_times == [0 if not result.record else result.record.void_time for result in expected]
        found = {result.key.user_key: result.record.bins for result in expected if result.record is not None}
        found.pop(None, None)
        assert columns.to_dict() == found
        assert columns.found_count == sum(result.record is not None for result in expected)
        assert lazy.results() == expected
    assert columns.result_codes[:2] == [0, 27]


@pytest.mark.parametrize("decode", [True, False])
async def test_what_a_broken_attempt_brought_stays_and_the_rest_is_read_again(
    target: Target, keys: Keys, decode: bool
) -> None:
    if target.embedded is None:
        pytest.skip("the server cannot be told to fail")
    wanted = byte_keys(keys, 60)
    async with open_client(target.hosts, timeout=10.0) as client:
        await client.batch_write([(key, {"n": number}) for number, key in enumerate(wanted)])
        answered: list[set[int]] = []

        async def partly(kind: str, request: Any) -> Reply | None:
            if kind != "message":
                return None
            indexes = [row.index for row in decode_batch_request(request)[1]]
            answered.append(set(indexes))
            if len(answered) > 1:
                return None
            # Found, missing, found but strange, timed out, and nothing at all of the others.
            new = Op(1, 1, "n", (1000).to_bytes(8, "big"))
            rows = [encode_batch_row(index, 0, 5, 0, [new]) for index in indexes[:3]]
            rows.append(encode_batch_row(indexes[3], 2, 0, 0))
            rows.append(encode_batch_row(indexes[4], 0, 5, 0, [new, new]))
            rows.append(encode_batch_row(indexes[5], 9, 0, 0))
            return Reply(encode_frame(3, b"".join(rows)), close=True)

        for node in target.embedded.nodes:
            node.on_request = partly
        policy = BatchPolicy(total_timeout=30.0, max_retries=3)
        lazy = await client.batch_read_lazy(wanted, decode=decode, policy=policy)
        columns = lazy.columns()
        # Where nothing is decoded, rows are found once the answer is whole: the part is read again.
        broken = sorted(answered[0]) if decode else []
        for index in range(60):
            if index in broken[3:4]:
                assert (columns.result_codes[index], columns.bins[index]) == (2, None)
            elif index in broken[:5]:
                assert (columns.bins[index], columns.generations[index]) == ({"n": 1000}, 5)
            else:
                assert (columns.bins[index], columns.generations[index]) == ({"n": index}, 1)
        assert sum(code != 0 for code in columns.result_codes) == int(decode)
        assert {index for again in answered[1:] for index in again}.isdisjoint(broken[:5])
        assert lazy.to_numpy(np.dtype([("n", "i4")]))["n"].tolist() == [
            0 if bins is None else bins["n"] for bins in columns.bins
        ]


@pytest.mark.parametrize("decode", [True, False])
async def test_bins_that_are_not_wanted_are_not_read(client: Client, key: Key, decode: bool) -> None:
    await client.put(key, {"a": 1, "b": 2})
    lazy = await client.batch_read_lazy([key], ["a"], decode=decode)
    assert lazy.to_numpy(np.dtype([("a", "i1"), ("b", "i1")])).data.tolist() == [(1, 0)]
    assert lazy.results()[0].unwrap().bins == {"a": 1}


async def test_an_empty_batch_and_an_empty_array(client: Client) -> None:
    arrays = await client.batch_read_numpy([], DTYPE)
    assert arrays.data.shape == (0,)
    assert arrays.data.dtype == DTYPE
    assert list(await client.batch_write_numpy(np.zeros(0, [("_key", "i4"), ("a", "i4")]), "test", "s")) == []


async def test_a_value_that_does_not_fit_names_the_record(client: Client, keys: Keys) -> None:
    small, large = keys(), keys()
    await client.put(small, {"n": 1})
    await client.put(large, {"n": 300})
    with pytest.raises(OverflowError, match=rf"dtype field 'n' \(int8\), bin of Key.*{large.user_key!r}.*got 300"):
        await client.batch_read_numpy([small, large], np.dtype([("n", "i1")]))


async def test_policies_of_writes_hold_for_the_rows_of_an_array(client: Client, keys: Keys) -> None:
    [key] = wanted = byte_keys(keys, 1)
    data = np.array([(key.user_key, 1, 9)], [("_key", "S64"), ("a", "i4"), ("_left_out", "i4")])
    policy = BatchWritePolicy(exists=aero.Exists.CREATE_ONLY, send_key=True)
    first = await client.batch_write_numpy(data, "test", keys.set_name, ttl=500, write_policy=policy)
    second = await client.batch_write_numpy(data, "test", keys.set_name, write_policy=policy)
    assert first.ok
    assert second[0].result_code == aero.ResultCode.RECORD_EXISTS
    record = await client.get(wanted[0])
    assert record.bins == {"a": 1}
    assert record.ttl is not None
    assert 400 < record.ttl <= 501


async def test_integers_are_keys_and_another_field_may_hold_them(client: Client, keys: Keys) -> None:
    number = int(keys.prefix[:8], 16)
    key = keys.adopt(Key("test", keys.set_name, number))
    await client.batch_write_numpy(
        np.array([(number, 1.5)], [("id", "i8"), ("a", "f4")]), "test", keys.set_name, key_field="id"
    )
    assert (await client.get(key)).bins == {"a": 1.5}


async def test_a_refused_argument_sends_nothing(client: Client, key: Key, nothing_sent: Any) -> None:
    for dtype in (np.dtype([("a", "U3")]), np.dtype("i4")):
        with pytest.raises(TypeError):
            await client.batch_read_numpy([key], dtype)
    with pytest.raises(InvalidArgError):
        await client.batch_read_numpy([key], np.dtype([("a_name_too_long_", "i4")]))
    with pytest.raises(TypeError):
        await client.batch_write_numpy([(1, 2)], "test", "s")  # type: ignore[arg-type]
    nothing_sent()


async def test_a_part_whose_answer_breaks_off_is_read_again(target: Target, keys: Keys) -> None:
    if target.embedded is None:
        pytest.skip("the server cannot be told to fail")
    wanted = byte_keys(keys, 50)
    async with open_client(target.hosts, timeout=10.0) as client:
        await client.batch_write_numpy(rows_for(wanted), "test", keys.set_name)
        failed = 0

        async def once(kind: str, request: object) -> Fault | None:
            nonlocal failed
            if kind == "message" and not failed:
                failed = 1
                return Fault.RESET
            return None

        for node in target.embedded.nodes:
            node.on_request = once
        arrays = await client.batch_read_numpy(wanted, DTYPE, policy=BatchPolicy(total_timeout=30.0, max_retries=3))
        assert failed
        assert arrays.found.all()
        assert arrays["id"].tolist() == list(range(-5, 45))


async def test_keys_that_nobody_answers_have_the_code_of_the_failure(target: Target, keys: Keys) -> None:
    if target.embedded is None or len(target.embedded.nodes) == 1:
        pytest.skip("takes several nodes that can be told to fail")
    wanted = byte_keys(keys, 60)
    async with open_client(target.hosts, timeout=10.0) as client:
        await client.batch_write_numpy(rows_for(wanted), "test", keys.set_name)

        async def never(kind: str, request: object) -> Fault | None:
            return Fault.RESET if kind == "message" else None

        target.embedded.nodes[0].on_request = never
        policy = BatchPolicy(total_timeout=30.0, max_retries=0)
        arrays = await client.batch_read_numpy(wanted, DTYPE, policy=policy)
        assert 0 < arrays.found.sum() < 60
        assert set(arrays.result_codes[~arrays.found].tolist()) == {int(aero.ResultCode.CLIENT)}
        assert not arrays["vector"][~arrays.found].any()


async def test_one_key_that_is_missing_is_no_error(client: Client, key: Key) -> None:
    arrays = await client.batch_read_numpy([key], DTYPE)
    assert arrays.result_codes.tolist() == [2]
    with pytest.raises(RecordNotFound):
        await client.get(key)
