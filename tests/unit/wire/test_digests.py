"""Digests and partitions of keys."""

from __future__ import annotations

import enum
import hashlib
import importlib
from typing import Any

import pytest
from hypothesis import given, strategies as st

from trio_aerospike._wire import hashing
from trio_aerospike._wire.digests import KeyHasher, compute_digest, partition_id, partition_ids
from trio_aerospike.errors import InvalidArgError


@pytest.mark.parametrize(
    ("set_name", "user_key", "digest"),
    [
        # As the official client sent them.
        ("wire", 7, "db3b9effe13c07ce0333610fb1b2557aea414615"),
        ("wire", b"\x01\x02", "6e9b774febc4385e1d04f88766599c8881a468ac"),
        ("wire", "sent", "69d068a5379753750bf8959fc33042fca49c7ab6"),
    ],
)
def test_digests_are_those_of_the_official_client(set_name: str, user_key: int | str | bytes, digest: str) -> None:
    assert compute_digest(set_name, user_key).hex() == digest


def test_no_set_and_an_empty_set_are_one() -> None:
    assert compute_digest(None, "k") == compute_digest("", "k")
    assert compute_digest(None, "k") == hashlib.new("ripemd160", b"\x03k").digest()


def test_keys_of_different_types_differ_and_types_that_are_the_same_do_not() -> None:
    class Key(enum.IntEnum):
        ONE = 1

    assert len({compute_digest("s", key) for key in (1, "1", b"1")}) == 3
    assert compute_digest("s", Key.ONE) == compute_digest("s", 1)
    assert compute_digest("s", bytearray(b"x")) == compute_digest("s", memoryview(b"x")) == compute_digest("s", b"x")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (True, "got a bool True"),
        (1.5, "user key: got a float 1.5, allowed: a 64-bit int, str or bytes"),
        (None, "got a NoneType None"),
        (1 << 63, "does not fit"),
        (-(1 << 63) - 1, "does not fit"),
        ("\ud800", "lone surrogate"),
        ([1], "got a list"),
    ],
)
def test_keys_the_database_does_not_take_are_refused(key: Any, words: str) -> None:
    with pytest.raises(InvalidArgError, match=words):
        compute_digest("s", key)


@pytest.mark.parametrize(
    ("start", "partition"), [("0000", 0), ("0100", 1), ("ff0f", 4095), ("0010", 0), ("0020", 0), ("3412", 0x234)]
)
def test_the_partition_is_twelve_bits_of_the_first_two_bytes_little_endian(start: str, partition: int) -> None:
    assert partition_id(bytes.fromhex(start) + bytes(18)) == partition


@given(st.lists(st.binary(min_size=20, max_size=20), max_size=50))
def test_partitions_of_many_digests_are_those_of_each(many: list[bytes]) -> None:
    assert list(partition_ids(many)) == [partition_id(digest) for digest in many]


def test_without_ripemd160_a_key_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*args: object, **kwargs: object) -> None:
        raise ValueError("unsupported hash type ripemd160")

    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(hashlib, "new", unsupported)
    monkeypatch.setattr(importlib, "import_module", absent)
    missing = hashing._find_ripemd160()
    with pytest.raises(RuntimeError, match="OpenSSL's legacy provider, or install pycryptodome"):
        missing()


def test_without_openssls_ripemd160_pycryptodomes_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    real = hashlib.new

    class Module:
        @staticmethod
        def new() -> Any:
            return real("ripemd160")

    def unsupported(*args: object, **kwargs: object) -> None:
        raise ValueError("unsupported hash type ripemd160")

    monkeypatch.setattr(hashlib, "new", unsupported)
    monkeypatch.setattr(importlib, "import_module", lambda name: Module)
    state = hashing._find_ripemd160()()
    state.update(b"abc")
    assert state.digest().hex() == "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"


@given(st.one_of(st.binary(max_size=300), st.integers(0, 300).map(bytes)))
def test_both_forms_hash_as_openssl_does(data: bytes) -> None:
    expected = hashlib.new("ripemd160", data).digest()
    assert hashing.ripemd160(data) == expected
    assert KeyHasher("").digest_of_text(data) == hashlib.new("ripemd160", b"\x03" + data).digest()


@pytest.mark.parametrize("key", [0, -1, 1 << 40, "", "text", "\u00e9" * 60, "x" * 500])
@pytest.mark.parametrize("set_name", ["", "users", "s" * 63])
def test_a_sets_hasher_computes_the_digests_of_its_keys(set_name: str, key: int | str) -> None:
    hasher = KeyHasher(set_name)
    assert hasher.digest(key) == hasher.digest(key) == compute_digest(set_name, key)
