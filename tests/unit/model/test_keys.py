"""Keys: digests, equality, the forms a key may be given in."""

from __future__ import annotations

import copy
import enum
import hashlib
import pickle
import struct
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from tests.naming import stable_repr
from trio_aerospike import keys
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.keys import Key, as_key

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def ripemd160(data: bytes) -> bytes:
    return hashlib.new("ripemd160", data).digest()


@pytest.mark.parametrize(
    ("user_key", "particle"),
    [("ann", b"\x03ann"), (b"ann", b"\x04ann"), (7, b"\x01" + struct.pack(">q", 7)), (-1, b"\x01" + b"\xff" * 8)],
)
def test_digest_covers_set_type_and_user_key(user_key, particle):
    assert Key("test", "users", user_key).digest == ripemd160(b"users" + particle)


@given(st.one_of(INT64, TEXT, st.binary()))
def test_any_user_key_of_the_allowed_types_has_a_digest_of_20_bytes(user_key):
    key = Key("test", "users", user_key)
    assert len(key.digest) == 20
    assert key.user_key == user_key
    assert type(key.user_key) is type(user_key)


def test_type_of_the_user_key_is_part_of_the_identity():
    assert len({Key("test", "s", 1), Key("test", "s", "1"), Key("test", "s", b"1")}) == 3


@pytest.mark.parametrize("none", ["", None])
def test_no_set_is_an_empty_one(none):
    key = Key("test", none, 1)
    assert key.set_name == ""
    assert key == Key("test", "", 1)
    assert key.digest == ripemd160(b"\x01" + struct.pack(">q", 1))


def test_equality_and_hash_go_by_namespace_and_digest():
    key = Key("test", "users", "ann")
    twin = Key.from_digest("test", "users", key.digest)
    assert key == twin
    assert hash(key) == hash(twin)
    assert key != Key("other", "users", "ann")
    assert key != Key("test", "users", "bob")
    assert key != ("test", "users", "ann")


def test_a_key_is_frozen():
    key = Key("test", "users", "ann")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        key.namespace = "other"  # type: ignore[misc]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda k: pickle.loads(pickle.dumps(k))])
def test_copies_and_pickles_keep_all_parts(duplicate):
    key = Key("test", "users", "ann")
    twin = duplicate(key)
    assert (twin.namespace, twin.set_name, twin.user_key, twin.digest) == ("test", "users", "ann", key.digest)


def test_repr_shows_how_to_make_the_key():
    key = Key("test", "users", "ann")
    assert repr(key) == "Key('test', 'users', 'ann')"
    by_digest = Key.from_digest("test", "users", key.digest)
    assert eval(repr(by_digest), {"Key": Key}) == key


class Number(enum.IntEnum):
    SEVEN = 7


class Name(str):
    pass


class Indexed:
    """As numpy's integers: no int, but good for one."""

    def __index__(self) -> int:
        return 7


@pytest.mark.parametrize(
    ("given_as", "plain"),
    [
        (Number.SEVEN, 7),
        (Indexed(), 7),
        (Name("ann"), "ann"),
        (bytearray(b"ann"), b"ann"),
        (memoryview(b"ann"), b"ann"),
    ],
)
def test_other_forms_of_the_allowed_types_become_plain(given_as, plain):
    key, twin = Key("test", "users", given_as), Key("test", "users", plain)
    assert type(key.user_key) is type(plain)
    assert key.user_key == plain
    assert key == twin


def test_as_key_takes_keys_and_tuples():
    key = Key("test", "users", "ann")
    assert as_key(key) is key
    assert as_key(("test", "users", "ann")) == key
    assert as_key(("test", None, "ann")) == Key("test", "", "ann")
    assert as_key(("test", "users", "ann", None)) == key


def test_as_key_takes_the_digest_of_a_tuple_as_it_is():
    digest = bytes(range(20))
    by_digest = as_key(("test", "users", None, digest))
    assert (by_digest.digest, by_digest.user_key) == (digest, None)
    with_both = as_key(("test", "users", "ann", bytearray(digest)))  # type: ignore[arg-type]
    assert (with_both.digest, with_both.user_key) == (digest, "ann")
    assert type(with_both.digest) is bytes


def test_the_longest_names_pass():
    key = Key("n" * 31, "s" * 63, "k")
    assert (len(key.namespace), len(key.set_name)) == (31, 63)
    # 31 bytes, not characters.
    assert Key("ä" * 15, "s", 1).namespace == "ä" * 15


def test_a_program_that_makes_up_sets_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(keys, "_places", {})
    monkeypatch.setattr(keys, "_PLACES_KEPT", 3)
    for i in range(10):
        assert Key("test", f"set-{i}", 1).set_name == f"set-{i}"
    assert len(keys._places) == 3


def test_a_refused_name_is_refused_again():
    for _ in range(2):
        with pytest.raises(InvalidArgError, match="namespace"):
            Key("n" * 32, "s", 1)


@pytest.mark.parametrize("user_key", [b"ann", bytearray(b"ann"), memoryview(b"ann")], ids=stable_repr)
def test_bytes_hashed_as_text_have_the_digest_of_text_and_stay_bytes(user_key: Any):
    key = Key.with_text_digest("test", "users", user_key)
    assert key.user_key == b"ann" and type(key.user_key) is bytes
    assert key == Key("test", "users", "ann")
    assert key.digest != Key("test", "users", b"ann").digest
    assert repr(key) == "Key.with_text_digest('test', 'users', b'ann')"
    assert eval(repr(key)).digest == key.digest


def test_bytes_that_are_no_text_are_hashed_whole():
    keys = {Key.with_text_digest("test", None, data).digest for data in (b"", b"\0", b"\0\xff", b"\0\xff\0")}
    assert len(keys) == 4


@pytest.mark.parametrize("user_key", ["ann", 5])
def test_other_user_keys_have_one_digest(user_key: Any):
    assert Key.with_text_digest("test", "users", user_key) == Key("test", "users", user_key)
    assert Key.variants("test", "users", user_key) == (Key("test", "users", user_key),)


def test_bytes_have_two_variants():
    blob, text = Key.variants("test", "users", b"ann")
    assert blob == Key("test", "users", b"ann") and text == Key("test", "users", "ann")


@pytest.mark.parametrize("parts", [("", "users", b"x"), ("test", "s" * 64, b"x"), ("test", "users", 1.5)])
def test_parts_of_a_key_with_a_text_digest_are_checked(parts: Any):
    with pytest.raises(InvalidArgError, match="Key"):
        Key.with_text_digest(*parts)
