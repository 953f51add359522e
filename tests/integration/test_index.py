"""Secondary indexes and queries through them, the same on embedded clusters and real ones."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import attrs
import pytest
import trio

from trio_aerospike import (
    AerospikeError,
    AerospikeTimeoutError,
    Client,
    GeoJSON,
    InvalidArgError,
    Record,
    WritePolicy,
    ctx,
    exp,
    increment,
    predicates,
    write,
)
from trio_aerospike.errors import ResultCode
from trio_aerospike.indexes import Collection, IndexInfo, IndexState, IndexType
from trio_aerospike.predicates import Predicate

from .conftest import NAMESPACE, Keys

pytestmark = pytest.mark.shared_cluster

COUNT = 120
READY = 60.0
POLICY = WritePolicy(send_key=True, total_timeout=10.0)
DEEP = [ctx.map_key("inner"), ctx.map_key("deep")]
TENS = exp.int_bin("n") % 10
SQUARE = {"type": "Polygon", "coordinates": [[[0.015, 9], [0.1, 9], [0.1, 11], [0.015, 11], [0.015, 9]]]}


def bins_of(n: int) -> dict[str, Any]:
    return {
        "n": n,
        "text": f"t{n % 10}",
        "blob": b"b%d" % (n % 4),
        "list": [n % 10, n % 7],
        "texts": [f"e{n % 3}", f"e{n % 5}"],
        "map": {f"k{n % 3}": n % 5, "inner": {"deep": n % 6}},
        "place": GeoJSON({"type": "Point", "coordinates": [n * 0.01, 10]}),
        "region": GeoJSON({"type": "AeroCircle", "coordinates": [[n * 0.01, 20], 1500]}),
        "places": [GeoJSON({"type": "Point", "coordinates": [n * 0.01, 30]})],
    }


@attrs.define
class Indexed:
    """Records in a set of some, and indexes with names of their own."""

    client: Client
    set_name: str
    prefix: str
    names: list[str] = attrs.Factory(list)

    async def create(self, source: Any, type: IndexType, set_name: str | None = "", **options: Any) -> str:
        """Make an index and wait until it is ready."""
        name = f"{self.prefix}-{len(self.names)}"
        self.names.append(name)
        where = self.set_name if set_name == "" else set_name
        job = await self.client.create_index(NAMESPACE, where, source, name, type, **options)
        assert (await job.wait(READY)).done
        return name

    async def find(self, where: Predicate, set_name: str | None = "", **options: Any) -> list[int]:
        """The numbers of the records that a predicate finds."""
        group = self.set_name if set_name == "" else set_name
        records: list[Record] = await self.client.query(NAMESPACE, group, where=where, **options).results()
        mine = [str(record.key.user_key) for record in records]
        return sorted(int(key.rpartition("-")[2]) for key in mine if key.startswith(self.prefix))


@pytest.fixture
async def indexed(client: Client) -> AsyncIterator[Indexed]:
    # A set of its own: an index on a set that other tests use, too, would be theirs as well.
    keys = Keys("integration-indexes", f"i{secrets.token_hex(5)}")
    made = [keys(number) for number in range(COUNT)]
    found = Indexed(client, keys.set_name, keys.prefix)
    async with trio.open_nursery() as nursery:
        for n, key in enumerate(made):
            nursery.start_soon(partial(client.put, key, bins_of(n), policy=POLICY))
    try:
        yield found
    finally:
        with trio.CancelScope(shield=True):
            for name in found.names:
                await client.drop_index(NAMESPACE, name)
            async with trio.open_nursery() as nursery:
                for key in made:
                    nursery.start_soon(partial(client.remove, key, policy=POLICY))


def numbers(condition: Any) -> list[int]:
    return [n for n in range(COUNT) if condition(n)]


# -- what is found ---------------------------------------------------------------------------------------------------

CASES: dict[str, tuple[Any, IndexType, dict[str, Any], Predicate, Callable[[int], bool]]] = {
    "an integer": ("n", IndexType.NUMERIC, {}, predicates.equals("n", 7), lambda n: n == 7),
    "integers": ("n", IndexType.NUMERIC, {}, predicates.between("n", 5, 9), lambda n: 5 <= n <= 9),
    "a string": ("text", IndexType.STRING, {}, predicates.equals("text", "t3"), lambda n: n % 10 == 3),
    "bytes": ("blob", IndexType.BLOB, {}, predicates.equals("blob", b"b1"), lambda n: n % 4 == 1),
    "an element": (
        "list",
        IndexType.NUMERIC,
        {"collection": Collection.LIST},
        predicates.contains("list", Collection.LIST, 3),
        lambda n: 3 in (n % 10, n % 7),
    ),
    "elements": (
        "list",
        IndexType.NUMERIC,
        {"collection": Collection.LIST},
        predicates.contains_between("list", Collection.LIST, 3, 5),
        lambda n: 3 <= n % 10 <= 5 or 3 <= n % 7 <= 5,
    ),
    "a text among elements": (
        "texts",
        IndexType.STRING,
        {"collection": Collection.LIST},
        predicates.contains("texts", Collection.LIST, "e1"),
        lambda n: 1 in (n % 3, n % 5),
    ),
    "a key": (
        "map",
        IndexType.STRING,
        {"collection": Collection.MAP_KEYS},
        predicates.contains("map", Collection.MAP_KEYS, "k1"),
        lambda n: n % 3 == 1,
    ),
    "a value": (
        "map",
        IndexType.NUMERIC,
        {"collection": Collection.MAP_VALUES},
        predicates.contains("map", Collection.MAP_VALUES, 4),
        lambda n: n % 5 == 4,
    ),
    "a nested value": (
        "map",
        IndexType.NUMERIC,
        {"ctx": DEEP},
        predicates.equals("map", 4, ctx=DEEP),
        lambda n: n % 6 == 4,
    ),
    "an expression": (TENS, IndexType.NUMERIC, {}, predicates.equals(TENS, 3), lambda n: n % 10 == 3),
    "places in a circle": (
        "place",
        IndexType.GEO2DSPHERE,
        {},
        predicates.within_region("place", GeoJSON({"type": "AeroCircle", "coordinates": [[0.05, 10], 2500]})),
        lambda n: 3 <= n <= 7,
    ),
    "places in a polygon": (
        "place",
        IndexType.GEO2DSPHERE,
        {},
        predicates.within_region("place", GeoJSON(SQUARE)),
        lambda n: 2 <= n <= 9,
    ),
    "regions around a point": (
        "region",
        IndexType.GEO2DSPHERE,
        {},
        predicates.with_point("region", GeoJSON({"type": "Point", "coordinates": [0.05, 20]})),
        lambda n: 4 <= n <= 6,
    ),
    "places in a list": (
        "places",
        IndexType.GEO2DSPHERE,
        {"collection": Collection.LIST},
        predicates.within_region(
            "places",
            GeoJSON({"type": "AeroCircle", "coordinates": [[0.05, 30], 2500]}),
            collection=Collection.LIST,
        ),
        lambda n: 3 <= n <= 7,
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_predicate_finds_what_it_says_once(indexed: Indexed, case: str) -> None:
    source, type_, options, where, condition = CASES[case]
    await indexed.create(source, type_, **options)
    assert await indexed.find(where) == numbers(condition)


async def test_an_index_is_found_by_its_name_too(indexed: Indexed) -> None:
    name = await indexed.create("text", IndexType.STRING)
    assert await indexed.find(predicates.equals(None, "t3", index=name)) == numbers(lambda n: n % 10 == 3)


async def test_an_index_on_all_sets_serves_a_query_on_one(indexed: Indexed) -> None:
    await indexed.create("n", IndexType.NUMERIC, set_name=None)
    assert await indexed.find(predicates.between("n", 5, 9)) == numbers(lambda n: 5 <= n <= 9)
    assert await indexed.find(predicates.between("n", 5, 9), set_name=None) == numbers(lambda n: 5 <= n <= 9)
    assert await indexed.find(predicates.between("n", 5, 9), set_name="integration-00") == []


async def test_filter_and_bins_work_on_what_the_index_finds(indexed: Indexed) -> None:
    await indexed.create("n", IndexType.NUMERIC)
    where = predicates.between("n", 5, 20)
    found = await indexed.find(where, filter=exp.int_bin("n") > 12, bins=["n"])
    assert found == numbers(lambda n: 12 < n <= 20)


async def test_the_index_follows_writes_and_deletes(indexed: Indexed) -> None:
    await indexed.create("n", IndexType.NUMERIC)
    keys = Keys(indexed.set_name, indexed.prefix)
    client = indexed.client
    await client.put(keys(3), {"n": 1003}, policy=POLICY)
    await client.put(keys(4), {"n": "no integer any more"}, policy=POLICY)
    assert await indexed.find(predicates.between("n", 0, 5)) == [0, 1, 2, 5]
    assert await indexed.find(predicates.equals("n", 1003)) == [3]
    await client.remove(keys(3), policy=POLICY)
    assert await indexed.find(predicates.equals("n", 1003)) == []
    await client.put(keys(3), bins_of(3), policy=POLICY)


@pytest.mark.parametrize("case", ["integers", "elements", "a text among elements", "places in a polygon"])
async def test_pages_through_an_index_have_every_record_once(indexed: Indexed, case: str) -> None:
    source, type_, options, where, condition = CASES[case]
    await indexed.create(source, type_, **options)
    found: list[str] = []
    cursor = None
    for _ in range(COUNT):
        query = indexed.client.query(NAMESPACE, indexed.set_name, where=where, max_records=7, cursor=cursor)
        async with query as records:
            found += [str(record.key.user_key) async for record in records]
        cursor = records.cursor
        if cursor.done:
            break
    mine = sorted(int(key.rpartition("-")[2]) for key in found if key.startswith(indexed.prefix))
    assert mine == numbers(condition)


async def test_a_cursor_is_for_the_same_predicate(indexed: Indexed) -> None:
    await indexed.create("n", IndexType.NUMERIC)
    query = indexed.client.query(NAMESPACE, indexed.set_name, where=predicates.between("n", 0, 50))
    async with query as records:
        await anext(records)
    other = predicates.between("n", 0, 51)
    with pytest.raises(InvalidArgError, match="this predicate"):
        indexed.client.query(NAMESPACE, indexed.set_name, where=other, cursor=records.cursor)


# -- indexes ---------------------------------------------------------------------------------------------------------


async def test_indexes_are_listed_as_they_were_made(indexed: Indexed) -> None:
    plain = await indexed.create("n", IndexType.NUMERIC)
    nested = await indexed.create("map", IndexType.NUMERIC, ctx=DEEP)
    elements = await indexed.create("list", IndexType.NUMERIC, collection=Collection.LIST)
    derived = await indexed.create(TENS, IndexType.NUMERIC)
    for namespace in (NAMESPACE, None):
        known = {info.name: info for info in await indexed.client.list_indexes(namespace)}
        assert known[plain] == IndexInfo(
            NAMESPACE, plain, indexed.set_name, "n", IndexType.NUMERIC, Collection.NONE, None, None, IndexState.READY
        )
        assert known[elements].collection is Collection.LIST
        assert ctx.decode(known[nested].context or b"") == tuple(DEEP)
        assert TENS.same_as(exp.from_bytes(known[derived].expression or b""))


async def test_an_index_on_a_set_is_made_and_listed(indexed: Indexed) -> None:
    name = f"{indexed.prefix}-set"
    indexed.names.append(name)
    await (await indexed.client.create_set_index(NAMESPACE, indexed.set_name, name)).wait(READY)
    (info,) = [info for info in await indexed.client.list_indexes(NAMESPACE) if info.name == name]
    assert info.is_of_set and info.set_name == indexed.set_name and info.type is None
    records = await indexed.client.query(NAMESPACE, indexed.set_name).results()
    assert len([r for r in records if str(r.key.user_key).startswith(indexed.prefix)]) == COUNT


async def test_the_same_index_again_succeeds_and_another_of_its_name_does_not(indexed: Indexed) -> None:
    name = await indexed.create("n", IndexType.NUMERIC)
    await indexed.client.create_index(NAMESPACE, indexed.set_name, "n", name, IndexType.NUMERIC)
    with pytest.raises(AerospikeError) as caught:
        await indexed.client.create_index(NAMESPACE, indexed.set_name, "text", name, IndexType.STRING)
    assert caught.value.result_code == 200


async def test_another_name_for_the_same_index_renames_it(indexed: Indexed) -> None:
    first = await indexed.create("n", IndexType.NUMERIC)
    second = await indexed.create("n", IndexType.NUMERIC)
    names = {info.name for info in await indexed.client.list_indexes(NAMESPACE)}
    assert second in names and first not in names


async def test_a_dropped_index_is_gone_and_may_be_dropped_again(indexed: Indexed) -> None:
    name = await indexed.create("n", IndexType.NUMERIC)
    for _ in range(2):
        assert (await (await indexed.client.drop_index(NAMESPACE, name)).wait(READY)).done
    assert name not in {info.name for info in await indexed.client.list_indexes(NAMESPACE)}
    with pytest.raises(AerospikeError) as caught:
        await indexed.find(predicates.equals("n", 1))
    assert caught.value.result_code == 201


async def test_a_predicate_without_an_index_says_how_to_make_one(client: Client) -> None:
    where = predicates.contains("nobin", Collection.LIST, 5)
    with pytest.raises(
        AerospikeError, match=r"create_index\('test', 'users', 'nobin', 'idx_nobin', IndexType.NUMERIC"
    ) as caught:
        await client.query(NAMESPACE, "users", where=where).results()
    assert caught.value.result_code == 201


async def test_an_unknown_index_is_the_servers_error(client: Client) -> None:
    with pytest.raises(AerospikeError, match="no index 'never-made'") as caught:
        await client.query(NAMESPACE, "users", where=predicates.equals(None, 1, index="never-made")).results()
    assert caught.value.result_code == 201


async def test_waiting_for_what_never_comes_ends_with_the_nodes_that_are_not_done(indexed: Indexed) -> None:
    name = await indexed.create("n", IndexType.NUMERIC)
    job = await indexed.client.drop_index(NAMESPACE, name)
    await job.wait(READY)
    await indexed.create("n", IndexType.NUMERIC)
    again = await indexed.client.create_index(NAMESPACE, indexed.set_name, "n", name, IndexType.NUMERIC)
    await again.wait(READY)
    with pytest.raises(AerospikeTimeoutError, match=r"not done within 0\.2 s"):
        await job.wait(0.2)


# -- writing to what is found ----------------------------------------------------------------------------------------


async def test_operations_change_what_a_predicate_finds_and_nothing_else(indexed: Indexed) -> None:
    await indexed.create("n", IndexType.NUMERIC)
    job = await indexed.client.query_operate(
        NAMESPACE, indexed.set_name, [increment("n", 1000), write("was", "here")], where=predicates.between("n", 5, 9)
    )
    progress = await job.wait(READY)
    assert progress.done
    assert await indexed.find(predicates.between("n", 1000, 2000)) == [5, 6, 7, 8, 9]
    changed = await indexed.find(predicates.between("n", 0, 2000), filter=exp.bin_exists("was"))
    assert changed == [5, 6, 7, 8, 9]
    assert await job.cancel() is False


async def test_a_job_in_the_background_is_cancelled(indexed: Indexed) -> None:
    mine = exp.int_bin("n") >= 0
    job = await indexed.client.query_operate(
        NAMESPACE, indexed.set_name, [write("slow", 1)], filter=mine, records_per_second=2
    )
    assert not (await job.poll()).done
    assert await job.cancel()
    with pytest.raises(AerospikeError) as caught:
        await job.wait(READY)
    assert caught.value.result_code == 210


async def test_a_set_that_does_not_exist_is_not_worked_on(client: Client) -> None:
    with pytest.raises(AerospikeError) as caught:
        await client.query_operate(NAMESPACE, "no-such-set", [write("a", 1)])
    assert caught.value.result_code == 2


async def test_an_index_in_a_namespace_that_is_not_there_is_not_waited_for(client: Client) -> None:
    name = f"nowhere-{secrets.token_hex(4)}"
    with trio.fail_after(READY), pytest.raises(AerospikeError) as caught:
        job = await client.create_index("nowhere", None, "n", name, IndexType.NUMERIC)
        await job.wait()
    assert caught.value.result_code == ResultCode.INVALID_NAMESPACE
    with trio.fail_after(READY), pytest.raises(AerospikeError) as caught:
        await (await client.drop_index("nowhere", name)).wait()
    assert caught.value.result_code == ResultCode.INVALID_NAMESPACE
