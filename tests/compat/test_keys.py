"""User keys of bytes: hashed as text in every call, as in aerospike-py, and found again by the native client."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import trio

import aerospike_py as aerospike
import trio_aerospike
from tests.compat.background import BackgroundCluster
from trio_aerospike import Key

SET = "keys"
numbers = itertools.count()


def text_digest(set_name: str, user_key: bytes) -> bytes:
    """The digest of text with these bytes: set name, particle type 3, bytes."""
    data = set_name.encode() + b"\x03" + user_key
    return hashlib.new("ripemd160", data, usedforsecurity=False).digest()


@pytest.fixture(params=[b"ann", b"\xff\x00\xfe", b"\0", b"", bytearray(b"array")], ids=repr)
def key(request: pytest.FixtureRequest) -> Any:
    return ("test", f"{SET}{next(numbers)}", request.param)


SEND = {"key": aerospike.POLICY_KEY_SEND}
NOOP = "function nothing(rec) return 7 end"
#: Calls that give back the key: on a record that exists under it.
CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "get": lambda client, key: client.get(key).key,
    "select": lambda client, key: client.select(key, ["a"]).key,
    "exists": lambda client, key: client.exists(key).key,
    "operate": lambda client, key: client.operate(key, [{"op": aerospike.OPERATOR_READ, "bin": "a"}]).key,
    "operate_ordered": lambda client, key: client.operate_ordered(
        key, [{"op": aerospike.OPERATOR_READ, "bin": "a"}]
    ).key,
    "batch_read": lambda client, key: client.batch_read([key]).batch_records[0].key,
    "batch_read of several": lambda client, key: client.batch_read([(*key[:2], 1), key]).batch_records[1].key,
    "batch_write": lambda client, key: client.batch_write([(key, {"b": 1})]).batch_records[0].key,
    "batch_write with retries": lambda client, key: client.batch_write([(key, {"b": 1})], retry=1).batch_records[0].key,
    "batch_operate": lambda client, key: client.batch_operate(
        [key], [{"op": aerospike.OPERATOR_READ, "bin": "a"}]
    ).batch_records[0].key,
    "batch_remove": lambda client, key: client.batch_remove([key]).batch_records[0].key,
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_bytes_are_hashed_as_text_in_every_call_that_gives_back_the_key(client: Any, key: Any, name: str):
    namespace, set_name, user_key = key
    client.put(key, {"a": 1}, policy=SEND)
    assert CALLS[name](client, key) == (namespace, set_name, bytes(user_key), text_digest(set_name, user_key))


def test_bytes_are_hashed_as_text_in_calls_that_give_back_nothing(client: Any, key: Any):
    client.put(key, {"a": 1, "s": "x"})
    by_digest = (*key[:2], None, text_digest(key[1], key[2]))
    client.append(key, "s", "y")
    client.prepend(key, "s", "w")
    client.increment(key, "a", 2)
    client.touch(key, 100)
    assert client.get(by_digest).bins == {"a": 3, "s": "wxy"}
    assert 90 < client.exists(by_digest).meta.ttl <= 100
    client.remove_bin(key, ["s"])
    assert client.get(by_digest).bins == {"a": 3}
    client.remove(key)
    assert client.exists(by_digest).meta is None


def test_a_key_without_a_digest_in_its_place_is_hashed_as_text(client: Any, key: Any):
    client.put((*key, None), {"a": 1})
    assert client.exists((*key, None)).key.digest == text_digest(key[1], key[2])


def test_bytes_and_text_of_the_same_bytes_are_one_record(client: Any):
    client.put(("test", SET, b"same"), {"a": 1})
    assert client.get(("test", SET, "same")).bins == {"a": 1}


def test_a_stored_key_of_bytes_is_a_blob_and_comes_back(client: Any, key: Any, shared_cluster: BackgroundCluster):
    namespace, set_name, user_key = key
    client.put(key, {"a": 1}, policy=SEND)
    (found,) = client.query(namespace, set_name).results()
    assert found.key == (namespace, set_name, bytes(user_key), text_digest(set_name, user_key))
    assert client.get(found.key).bins == {"a": 1}
    assert client.batch_read([found.key]).to_dict() == {bytes(user_key): {"a": 1}}
    # With POLICY_KEY_SEND the server compares stored keys: text is another.
    if bytes(user_key).isascii():
        with pytest.raises(aerospike.ServerError) as caught:
            client.put((namespace, set_name, bytes(user_key).decode()), {"a": 2}, policy=SEND)
        assert caught.value.result_code == aerospike.AEROSPIKE_ERR_KEY_MISMATCH


def test_the_native_client_hashes_blobs_and_tells_which_key_finds_a_record(
    client: Any, shared_cluster: BackgroundCluster
):
    place = ("test", f"{SET}{next(numbers)}")
    client.put((*place, b"text"), {"a": 1})
    client.put(Key(*place, b"blob"), {"a": 2})  # a native Key is taken as it is
    assert client.get(Key(*place, b"blob")).bins == {"a": 2}
    with pytest.raises(aerospike.RecordNotFound):
        client.get((*place, b"blob"))

    async def main() -> None:
        async with trio_aerospike.open_client(shared_cluster.hosts) as native:
            with pytest.raises(aerospike.RecordNotFound):
                await native.get((*place, b"text"))
            assert (await native.get(Key.with_text_digest(*place, b"text"))).bins == {"a": 1}
            found = await native.find_key(*place, b"text")
            assert found is not None and (await native.get(found)).bins == {"a": 1}
            found = await native.find_key(*place, b"blob")
            assert found is not None and (await native.get(found)).bins == {"a": 2}
            assert await native.find_key(*place, b"neither") is None
            assert await native.find_key(*place, "text") == Key.with_text_digest(*place, b"text")

    trio.run(main)


@pytest.mark.parametrize(
    "key,phrases",
    [
        (5, ["must be a tuple"]),
        (["test", "s", 1], ["must be a tuple"]),
        (("test", "s"), ["at least 3 elements"]),
        (("test", "s", 1, None, 5), ["3 or 4 elements"]),
        (("test", "s", 1.5), ["1.5"]),
        (("test", "s", None), ["None"]),
    ],
)
def test_what_is_not_a_key_is_refused_in_the_originals_words(client: Any, key: Any, phrases: list[str]):
    calls = client.get, client.exists, lambda key: client.put(key, {"a": 1}), lambda key: client.batch_read([key])
    for call in calls:
        with pytest.raises(aerospike.InvalidArgError) as caught:
            call(key)
        assert all(phrase in str(caught.value) for phrase in phrases), str(caught.value)
