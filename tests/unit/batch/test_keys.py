"""The keys of a batch by columns are the keys that were given, and what is no key is refused as ever."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from trio_aerospike._batch.keys import KeyColumns, key_columns
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.keys import Key, as_key


class Text(str):
    __slots__ = ()


class Whole(int):
    __slots__ = ()


def parts(key: Key) -> tuple[Any, ...]:
    return key.namespace, key.set_name, key.user_key, type(key.user_key), key.digest


user_keys = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.text(),
    st.binary(),
    st.text().map(Text),
    st.integers(0, 99).map(Whole),
    st.binary().map(bytearray),
)
namespaces, sets = st.sampled_from(["test", "other"]), st.sampled_from(["", "people", None])
given_keys = st.one_of(
    st.tuples(namespaces, sets, user_keys),
    st.tuples(namespaces, sets, user_keys, st.none()),
    st.tuples(namespaces, sets, st.one_of(user_keys, st.none()), st.binary(min_size=20, max_size=20)),
    st.builds(Key, namespaces, sets, user_keys),
)


@given(st.lists(given_keys, max_size=8))
def test_each_key_is_the_one_that_was_given(given_ones: list[Any]) -> None:
    expected = [as_key(key) for key in given_ones]
    columns = KeyColumns(given_ones)
    assert [parts(key) for key in columns] == [parts(key) for key in expected]
    assert columns.digests == [key.digest for key in expected]
    assert columns.user_keys == [key.user_key for key in expected]
    assert columns.uniform == (len({(key.namespace, key.set_name) for key in expected}) <= 1)
    assert list(KeyColumns(columns)) == expected


def test_it_is_a_sequence() -> None:
    columns = KeyColumns([("test", "people", number) for number in range(5)])
    assert columns[1:4:2] == [Key("test", "people", 1), Key("test", "people", 3)]
    assert columns[-1] == Key("test", "people", 4)
    assert Key("test", "people", 2) in columns
    assert next(reversed(columns)) == columns[4]
    with pytest.raises(IndexError):
        columns[5]


def test_a_set_that_is_named_anew_for_each_key_is_one_set() -> None:
    name = "people"
    columns = KeyColumns([("test", name[:3] + name[3:], number) for number in range(5)])
    assert len({id(key[1]) for key in [("test", name[:3] + name[3:], number) for number in range(5)]}) > 1
    assert columns.uniform
    assert list(columns) == [Key("test", "people", number) for number in range(5)]


@pytest.mark.parametrize(
    "wrong",
    [
        ("test", "people", 1.5),
        ("test", "people", True),
        ("test", "people", None),
        ("test", "people", 1 << 63),
        ("test", "people", "\ud800"),
        ("test", "people"),
        ("", "people", 1),
        ("test", "s" * 64, 1),
        (["test"], "people", 1),
        ("test", "people", 1, b"short"),
        ["test", "people", 1],
        None,
    ],
    ids=repr,
)
def test_what_is_no_key_is_refused_wherever_it_stands(wrong: Any) -> None:
    with pytest.raises(InvalidArgError) as single:
        as_key(wrong)
    for before in ([], [("test", "people", 1)], [("test", "people", "a"), ("other", "people", "a")]):
        with pytest.raises(InvalidArgError) as among:
            KeyColumns([*before, wrong])
        assert str(among.value) == str(single.value)


@pytest.mark.parametrize("wrong", ["test", b"test", 7, Key("test", "people", 1)])
def test_what_holds_no_keys_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArgError, match=r"batch_read\.keys"):
        key_columns(wrong, "batch_read")
