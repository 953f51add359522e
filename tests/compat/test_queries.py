"""Queries and scans with both clients: what they find, how they end, and what is refused."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest

import aerospike_py as aerospike
from aerospike_py import predicates
from aerospike_py._conversion.predicates import to_predicate
from aerospike_py._conversion.results import query_records
from aerospike_py.types import AerospikeKey, Record, RecordMetadata
from tests.compat.background import BackgroundCluster
from trio_aerospike import GeoJSON, Key, predicates as native
from trio_aerospike.errors import ProtocolError
from trio_aerospike.indexes import Collection
from trio_aerospike.records import Record as NativeRecord

COUNT = 300


def about_places(make: Callable[..., Any], *arguments: Any) -> Any:
    """A predicate about places, and the warning that comes with it."""
    with pytest.warns(FutureWarning, match="Geo filters are not yet supported by aerospike-py"):
        return make(*arguments)


@pytest.fixture
def filled(client: Any) -> tuple[Any, str]:
    """A client, and a set of records of its own."""
    set_name = f"q{uuid.uuid4().hex[:12]}"
    records = [(("test", set_name, i), {"i": i, "s": f"s{i % 3}"}, {"key": 1}) for i in range(COUNT)]
    client.batch_write(records, {"total_timeout": 60_000})
    return client, set_name


def test_a_scan_gives_every_record_as_named_tuples(filled: Any):
    client, set_name = filled
    records = client.query("test", set_name).results()
    assert {type(record) for record in records} == {Record}
    assert {type(record.key) for record in records} == {AerospikeKey}
    assert {record.meta for record in records} == {RecordMetadata(1, 4294967295)}
    assert sorted(record.bins["i"] for record in records) == list(range(COUNT))
    assert all(record.key.user_key == record.bins["i"] for record in records)


def test_select_adds_up_and_include_bin_data_leaves_bins_out(filled: Any):
    client, set_name = filled
    query = client.query("test", set_name)
    assert query.select("i") is None
    query.select("i", "zz")
    assert {tuple(record.bins) for record in query.results()} == {("i",)}
    bare = client.query("test", set_name).results({"include_bin_data": False})
    assert [record.bins for record in bare] == [{}] * COUNT


def test_policies_reach_the_servers(filled: Any):
    client, set_name = filled
    query = client.query("test", set_name)
    assert len(query.results({"max_records": 7})) == 7
    assert len(query.results({"max_records": 0, "records_per_second": 0})) == COUNT
    parts = [aerospike.partition_filter_by_range(0, 1000), aerospike.partition_filter_by_range(1000, 3096)]
    found = [query.results({"partition_filter": part}) for part in parts]
    assert len(found[0]) + len(found[1]) == COUNT
    assert found[0]
    assert found[1]
    short = {"expected_duration": aerospike.QUERY_DURATION_SHORT, "total_timeout": 60_000, "max_retries": 1}
    assert len(query.results(short)) == COUNT
    everything = {
        "socket_timeout": 30_000,
        "sleep_between_retries": 1,
        "timeout_delay": 0,
        "replica": aerospike.POLICY_REPLICA_MASTER,
        "read_mode_ap": aerospike.POLICY_READ_MODE_AP_ALL,
        "read_touch_ttl_percent": 0,
        "max_concurrent_nodes": 1,
        "record_queue_size": 10,
        "durable_delete": False,
        "ttl": 0,
    }
    assert len(query.results(everything)) == COUNT


def test_foreach_ends_where_the_callback_says_so_or_raises(filled: Any):
    client, set_name = filled
    seen: list[Record] = []
    assert client.query("test", set_name).foreach(seen.append) is None
    assert len(seen) == COUNT
    assert {type(record) for record in seen} == {Record}
    calls = 0

    def third(record: Record) -> bool | None:
        nonlocal calls
        calls += 1
        return False if calls == 3 else None

    client.query("test", set_name).foreach(third)
    assert calls == 3

    def fails(record: Record) -> None:
        raise KeyError("the callback's own")

    with pytest.raises(KeyError, match="the callback's own"):
        client.query("test", set_name).foreach(fails)
    # 0 is not False, as with the original.
    zeros = 0

    def zero(record: Record) -> int:
        nonlocal zeros
        zeros += 1
        return 0

    client.query("test", set_name).foreach(zero)
    assert zeros == COUNT


def test_predicates_about_places_are_served(client: Any):
    set_name = f"g{uuid.uuid4().hex[:12]}"
    index = f"i{set_name}"
    for number, place in enumerate([(-122.0, 37.5), (-121.0, 37.5), (13.4, 52.5)]):
        point = GeoJSON({"type": "Point", "coordinates": list(place)})
        client.put(("test", set_name, number), {"g": point, "n": number})
    client.index_geo2dsphere_create("test", set_name, "g", index)

    def found(predicate: Any) -> list[int]:
        query = client.query("test", set_name)
        query.where(predicate)
        return sorted(record.bins["n"] for record in query.results())

    assert found(about_places(predicates.geo_within_radius, "g", 37.5, -122.0, 1000.0)) == [0]
    assert found(about_places(predicates.geo_within_radius, "g", 37.5, -121.5, 60_000)) == [0, 1]
    box = '{"type": "Polygon", "coordinates": [[[13, 52], [14, 52], [14, 53], [13, 53], [13, 52]]]}'
    assert found(about_places(predicates.geo_within_geojson_region, "g", box)) == [2]
    client.index_remove("test", index)


@pytest.mark.parametrize(
    "given,expected",
    [
        (predicates.equals("b", b"x"), native.equals("b", b"x")),
        (predicates.between("b", -1, 5), native.between("b", -1, 5)),
        (predicates.contains("b", aerospike.INDEX_TYPE_DEFAULT, "x"), native.equals("b", "x")),
        (predicates.contains("b", aerospike.INDEX_TYPE_LIST, 1), native.contains("b", Collection.LIST, 1)),
        (predicates.contains("b", aerospike.INDEX_TYPE_MAPKEYS, 1), native.contains("b", Collection.MAP_KEYS, 1)),
        (predicates.contains("b", aerospike.INDEX_TYPE_MAPVALUES, 1), native.contains("b", Collection.MAP_VALUES, 1)),
        (
            about_places(predicates.geo_contains_geojson_point, "b", '{"type": "Point"}'),
            native.with_point("b", '{"type": "Point"}'),
        ),
    ],
    ids=lambda one: str(one)[:40],
)
def test_predicates_are_those_of_trio_aerospike(given: Any, expected: native.Predicate):
    assert to_predicate(given) == expected


@pytest.mark.parametrize(
    "given,message",
    [
        (("zzz", "b", 1), r"where\.predicate: got .*allowed: .*equals, between"),
        (("equals", "b"), r"at least 3 elements"),
        ("equals", r"a predicate made by"),
        (("equals", 5, 1), r"where\.predicate: the bin: got 5"),
        (predicates.equals("b", 1.5), r"equals\.value: got 1\.5"),
        (predicates.equals("b", True), r"got True"),
        (predicates.between("b", "a", "b"), r"between\.begin: got 'a'"),
        (predicates.between("b", 5, 3), r"between\.high: got 3"),
        (predicates.contains("b", 9, 1), r"index_type: got 9, allowed: INDEX_TYPE_DEFAULT \(0\)"),
        (about_places(predicates.geo_within_radius, "b", 91, 0, 1), r"lat: got 91, allowed: a number from -90 to 90"),
        (about_places(predicates.geo_within_radius, "b", 0, 0, -1), r"radius: got -1"),
        (about_places(predicates.geo_within_radius, "b", 0, float("nan"), 1), r"lng: got nan"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_predicates_that_cannot_be_are_refused(given: Any, message: str):
    with pytest.raises(aerospike.InvalidArgError) as caught:
        to_predicate(given)
    assert re.search(message, str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    "policy,message",
    [
        ({"partition_filter": 5}, r"partition_filter'\]: got 5, allowed: what partition_filter_all"),
        ({"expected_duration": 9}, r"got 9, allowed: QUERY_DURATION_LONG \(0\)"),
        ({"include_bin_data": 1}, r"got 1, allowed: True or False"),
        ({"max_concurrent_nodes": -1}, r"max_concurrent_nodes'\]: got -1"),
        ({"filter_expression": 5}, r"filter_expression'\]: got 5"),
        (5, r"policy: got 5"),
    ],
)
def test_policies_that_cannot_be_are_refused(client: Any, policy: Any, message: str):
    with pytest.raises(aerospike.InvalidArgError, match=message):
        client.query("test", "s").results(policy)


def test_a_query_takes_one_predicate_and_names_of_its_own_kind(client: Any):
    query = client.query("test", "s")
    query.where(predicates.equals("a", 1))
    query.where(predicates.equals("b", 1))
    with pytest.raises(aerospike.InvalidArgError, match=r"got 2 predicates"):
        query.results()
    with pytest.raises(aerospike.InvalidArgError, match=r"select\.bins"):
        query.select("b" * 16)
    with pytest.raises(aerospike.InvalidArgError, match=r"query\.namespace: got 5"):
        client.query(5, "s")
    with pytest.raises(aerospike.IndexNotFound):
        missing = client.query("test", "s")
        missing.where(predicates.equals("a", 1))
        missing.results()


def test_partition_filters():
    assert repr(aerospike.partition_filter_all()) == "PartitionFilter(begin=0, count=4096)"
    assert aerospike.partition_filter_by_id(3) == aerospike.partition_filter_by_range(3, 1)
    for call in (
        lambda: aerospike.partition_filter_by_id(4096),
        lambda: aerospike.partition_filter_by_range(4095, 2),
        lambda: aerospike.partition_filter_by_id(-1),
    ):
        with pytest.raises(aerospike.InvalidArgError):
            call()
    with pytest.raises(TypeError):
        aerospike.PartitionFilter(0, 1)


def test_one_record_that_cannot_be_decoded_has_no_bins_and_the_others_come(caplog: pytest.LogCaptureFixture):
    class Unreadable:
        address = ("test", "s", 1, b"d" * 20)
        generation = 3
        void_time = 0

        @property
        def bins(self) -> Any:
            raise ProtocolError("a value of type 99")

    good = NativeRecord(Key("test", "s", 2), {"a": 1}, 3, 0)
    record, other = query_records([Unreadable(), good])  # type: ignore[list-item]
    assert (record.key and record.key.user_key, record.meta, record.bins) == (1, RecordMetadata(3, 4294967295), None)
    assert other == Record(AerospikeKey(*good.address), RecordMetadata(3, 4294967295), {"a": 1})
    assert (type(other), type(other.key), type(other.meta)) == (Record, AerospikeKey, RecordMetadata)
    assert "a value of type 99" in caplog.text


def test_a_client_that_is_not_connected_says_so(make_client: Callable[..., Any]):
    with pytest.raises(aerospike.ClientError, match=r"not connected"):
        make_client(hosts=[("127.0.0.1", 3000)]).query("test", "s")


def test_a_query_of_a_client_that_was_closed_says_so(
    make_client: Callable[..., Any], shared_cluster: BackgroundCluster
):
    client = make_client(hosts=shared_cluster.hosts).connect()
    query = client.query("test", "s")
    client.close()
    with pytest.raises(aerospike.ClientError, match=r"not connected"):
        query.results()


def test_callbacks_of_asyncio_may_be_coroutines(shared_cluster: BackgroundCluster):
    async def main() -> None:
        async with aerospike.AsyncClient({"hosts": shared_cluster.hosts}) as client:
            await client.connect()
            keys = [("test", "awaited", i) for i in range(20)]
            await client.batch_write([(key, {"i": key[2]}) for key in keys])
            seen = []

            async def tenth(record: Record) -> bool:
                await asyncio.sleep(0)
                seen.append(record)
                return len(seen) < 10

            await client.query("test", "awaited").foreach(tenth)  # type: ignore[arg-type]
            assert len(seen) == 10

    asyncio.run(main())


def test_cancelling_the_task_ends_the_query(start_cluster: Callable[..., BackgroundCluster]):
    cluster = start_cluster(nodes=1)

    async def main() -> None:
        async with aerospike.AsyncClient({"hosts": cluster.hosts}) as client:
            await client.connect()
            cluster.set(delay=120.0)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.query("test", "s").results()
            cluster.set(delay=0.0)
            assert await client.query("test", "s").results() == []

    asyncio.run(main())


@pytest.mark.parametrize(
    "predicate,call",
    [
        (predicates.equals("missing", 1), "client.index_integer_create('test', 's', 'missing', 'idx_missing')"),
        (predicates.equals("missing", "x"), "client.index_string_create('test', 's', 'missing', 'idx_missing')"),
        (predicates.equals("missing", b"x"), "an index of bytes"),
        (predicates.contains("missing", aerospike.INDEX_TYPE_LIST, 1), "an index of a list or map"),
    ],
)
@pytest.mark.parametrize("each", [False, True], ids=["results", "foreach"])
def test_a_missing_index_is_made_by_a_call_of_this_client(
    client: Any, request: pytest.FixtureRequest, predicate: Any, call: str, each: bool
):
    query = client.query("test", "s")
    query.where(predicate)
    with pytest.raises(aerospike.IndexNotFound) as caught:
        query.foreach(print) if each else query.results()
    message = str(caught.value)
    assert call in message and "create_index" not in message
    is_asyncio = "asyncio" in request.node.callspec.id
    assert ("await client" in message) is (is_asyncio and call.startswith("client"))


def test_a_query_of_no_partitions_is_refused_when_it_is_carried_out(client: Any):
    nothing = aerospike.partition_filter_by_range(0, 0)
    assert repr(nothing) == "PartitionFilter(begin=0, count=0)"
    assert nothing == aerospike.partition_filter_by_range(0, 0) != aerospike.partition_filter_by_id(0)
    with pytest.raises(aerospike.InvalidArgError, match="Invalid partition count 0"):
        client.query("test", "s").results({"partition_filter": nothing})
