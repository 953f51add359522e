"""What may be said of queries and indexes: predicates, partitions, cursors, answers about indexes; and what may not."""

from __future__ import annotations

import pickle
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from trio_aerospike import GeoJSON, InvalidArgError, Key, ProtocolError, ctx, exp, predicates
from trio_aerospike.indexes import Collection, IndexState, IndexType, parse_index_list
from trio_aerospike.predicates import Predicate
from trio_aerospike.query import Cursor, PartitionFilter, QueryPolicy

POINT = GeoJSON({"type": "Point", "coordinates": [0, 0]})

GOOD: list[tuple[Predicate, str]] = [
    (predicates.equals("age", 41), "equals('age', 41)"),
    (predicates.equals("name", "ann"), "equals('name', 'ann')"),
    (predicates.equals("raw", b"x"), "equals('raw', b'x')"),
    (predicates.equals(None, 5, index="by-age"), "equals(index='by-age', 5)"),
    (predicates.between("age", -1, 1), "between('age', -1, 1)"),
    (predicates.contains("tags", Collection.LIST, "a"), "contains('tags', Collection.LIST, 'a')"),
    (
        predicates.contains_between("m", Collection.MAP_VALUES, 1, 2),
        "contains_between('m', Collection.MAP_VALUES, 1, 2)",
    ),
]


@pytest.mark.parametrize(("predicate", "text"), GOOD)
def test_a_predicate_reads_as_it_was_written(predicate: Predicate, text: str) -> None:
    assert str(predicate) == text


REFUSED: dict[str, Any] = {
    "equals.value": lambda: predicates.equals("a", 1.5),  # type: ignore[arg-type]
    "equals.value: got True": lambda: predicates.equals("a", True),
    "equals.value: got 922": lambda: predicates.equals("a", 2**63),
    "equals.value: got 'x": lambda: predicates.equals("a", "x" * 2048),
    "equals.source": lambda: predicates.equals("a" * 16, 1),
    "equals.source: got None": lambda: predicates.equals(None, 1),
    "equals.index": lambda: predicates.equals(None, 1, index="x" * 64),
    "an index by name beside": lambda: predicates.equals("a", 1, index="x"),
    "equals.ctx": lambda: predicates.equals(exp.int_bin("a"), 1, ctx=[ctx.list_index(0)]),
    "between.low": lambda: predicates.between("a", "1", 2),  # type: ignore[arg-type]
    "between.high: got 1, allowed: an int of 2": lambda: predicates.between("a", 2, 1),
    "contains.collection": lambda: predicates.contains("a", Collection.NONE, 1),
    "contains.collection: got 9": lambda: predicates.contains("a", 9, 1),  # type: ignore[arg-type]
    "within_region: the shape": lambda: predicates.within_region("a", 5),  # type: ignore[arg-type]
    "with_point.collection": lambda: predicates.with_point("a", POINT, collection=Collection.MAP_KEYS),
    "PartitionFilter.by_id.partition": lambda: PartitionFilter.by_id(4096),
    "PartitionFilter.by_range.count": lambda: PartitionFilter.by_range(4095, 2),
    "PartitionFilter.after.key": lambda: PartitionFilter.after(b"short"),
    "QueryPolicy.max_retries": lambda: QueryPolicy(max_retries=-1),
    "QueryPolicy.expected_duration": lambda: QueryPolicy(expected_duration=7),  # type: ignore[arg-type]
    "Cursor.from_bytes.data": lambda: Cursor.from_bytes(b"nonsense"),
}


@pytest.mark.parametrize("where", REFUSED)
def test_what_cannot_be_is_refused_by_its_name(where: str) -> None:
    with pytest.raises(InvalidArgError) as caught:
        REFUSED[where]()
    assert where in str(caught.value)


def test_a_predicate_says_how_to_make_its_index() -> None:
    where = predicates.contains("tags", Collection.LIST, "a", ctx=[ctx.map_key("k")])
    assert where.hint("test", "users") == (
        "make one: await (await client.create_index('test', 'users', 'tags', 'idx_tags', IndexType.STRING, "
        "collection=Collection.LIST, ctx=<the same context>)).wait()"
    )


def test_predicates_for_other_things_are_told_apart() -> None:
    assert len({predicate.identity() for predicate, _ in GOOD}) == len(GOOD)
    again = predicates.equals("age", 41)
    assert again.identity() == GOOD[0][0].identity() and again == GOOD[0][0]


def test_after_a_key_means_its_partition() -> None:
    key = Key("test", "set", 1)
    part = PartitionFilter.after(key)
    assert (part.begin, part.count, part.digest) == ((key.digest[0] | key.digest[1] << 8) & 4095, 1, key.digest)
    assert PartitionFilter.after(("test", "set", 1)) == part == PartitionFilter.after(key.digest)


CURSORS = st.builds(
    Cursor,
    st.text(min_size=1, max_size=5),
    st.text(max_size=5),
    st.text(max_size=5),
    st.frozensets(st.text(max_size=5), max_size=3),
    st.binary(max_size=9),
    st.lists(
        st.tuples(
            st.integers(0, 4095),
            st.one_of(st.none(), st.binary(min_size=20, max_size=20)),
            st.integers(-(2**63), 2**63 - 1),
        ),
        max_size=4,
    ).map(tuple),
    st.frozensets(st.binary(min_size=20, max_size=20), max_size=3),
)


@given(CURSORS)
def test_a_cursor_comes_back_from_its_bytes_and_from_a_pickle(cursor: Cursor) -> None:
    assert Cursor.from_bytes(cursor.to_bytes()) == cursor
    assert pickle.loads(pickle.dumps(cursor)) == cursor
    assert cursor.done is not bool(cursor.places)


def test_a_cursor_is_for_its_cluster_namespace_set_and_predicate() -> None:
    cursor = Cursor("test", "users", "prod", frozenset({"A", "B"}), b"p", ((1, None, 0),))
    cursor.check("test", "users", "prod", ["B", "C"], b"p")
    cursor.check("test", "users", "", ["B"], b"p")
    for arguments, what in (
        (("other", "users", "prod", ["A"], b"p"), "namespace"),
        (("test", "others", "prod", ["A"], b"p"), "set"),
        (("test", "users", "stage", ["A"], b"p"), "cluster"),
        (("test", "users", "prod", ["C"], b"p"), "cluster"),
        (("test", "users", "", ["C"], b"p"), "cluster"),
        (("test", "users", "prod", ["A"], b"q"), "predicate"),
    ):
        with pytest.raises(InvalidArgError, match=f"a cursor of this {what}"):
            cursor.check(*arguments)


def test_indexes_are_read_from_the_servers_list() -> None:
    text = (
        "ns=test:indexname=a:set=users:bin=age:type=numeric:indextype=default:context=null:exp=null:state=RW;"
        "ns=test:indexname=b:set=null:bin=null:type=blob:indextype=mapvalues:context=null:exp=kwMBAg==:state=WO;"
        "ns=test:indexname=c:set=users:indextype=set"
    )
    plain, derived, of_set = parse_index_list(text)
    assert (plain.name, plain.set_name, plain.bin_name, plain.type) == ("a", "users", "age", IndexType.NUMERIC)
    assert (derived.set_name, derived.bin_name, derived.collection) == ("", "", Collection.MAP_VALUES)
    assert derived.expression == b"\x93\x03\x01\x02" and derived.state is IndexState.LOADING
    assert of_set.is_of_set and not plain.is_of_set
    assert parse_index_list("") == []


@pytest.mark.parametrize("text", ["nonsense", "ns=test:set=s:bin=b:type=numeric:indextype=default:state=RW"])
def test_a_list_of_indexes_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match="an index of unknown form"):
        parse_index_list(text)


LINE = "ns=test:indexname=one:set=s:bin=b:type=numeric:indextype=default:context=null:exp=null:state=RW"


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        (LINE.replace("numeric", "integer"), {}),
        (LINE.replace("numeric", "vector"), {"type": "vector"}),
        (LINE.replace("default", "tree"), {"collection": "tree"}),
        (LINE.replace("=RW", "=SLEEPS"), {"state": "SLEEPS"}),
        (LINE.replace("context=null", "context=?"), {}),
        (LINE.replace(":context=null:exp=null", ":more=1"), {}),
        ("ns=test:indexname=one:set=s:bin=b:type=numeric:indextype=default", {"state": ""}),
    ],
)
def test_an_index_with_a_word_that_is_not_known_does_not_fail_the_list(line: str, changed: dict[str, Any]) -> None:
    found = parse_index_list(f"{LINE};{line};{LINE.replace('one', 'three')};")
    assert [index.name for index in found] == ["one", "one", "three"]
    assert found[1] == attrs.evolve(found[0], **changed)
    assert found[1].raw == dict(pair.split("=") for pair in line.split(":"))
    assert hash(found[1]) is not None


def test_a_line_without_a_name_is_another_form() -> None:
    with pytest.raises(ProtocolError, match="an index of unknown form, without 'indexname': 'ns=test'"):
        parse_index_list("ns=test")
