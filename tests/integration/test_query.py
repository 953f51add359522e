"""Queries and scans, the same on embedded clusters and real ones."""

from __future__ import annotations

import pickle
import secrets
from collections.abc import AsyncIterator

import attrs
import pytest
import trio

from trio_aerospike import (
    Client,
    InvalidArgError,
    Key,
    ReadPolicy,
    Record,
    ServerError,
    WritePolicy,
    exp,
    open_client,
    operations,
)
from trio_aerospike._wire.constants import N_PARTITIONS
from trio_aerospike.query import Cursor, PartitionFilter, QueryDuration, QueryPolicy
from trio_aerospike.server import open_embedded_cluster

from .conftest import NAMESPACE, SET_NAMES, Keys, Target

pytestmark = pytest.mark.shared_cluster

COUNT = 400


@attrs.frozen
class Filled:
    """A set with records of which the test knows everything; other tests may write to the same set."""

    client: Client
    set_name: str
    mark: str

    @property
    def mine(self) -> exp.Expression:
        return exp.str_bin("mark") == self.mark

    def numbers(self, records: list[Record]) -> list[int]:
        return sorted(record["n"] for record in records if record.get("mark") == self.mark)


@pytest.fixture
async def filled(client: Client) -> AsyncIterator[Filled]:
    keys = Keys(secrets.choice(SET_NAMES), secrets.token_hex(6))
    made = [keys(number) for number in range(COUNT)]

    async def put(numbers: range) -> None:
        for n in numbers:
            bins = {"n": n, "mark": keys.prefix, "name": f"name-{n}", "half": n / 2, "list": [n, n + 1]}
            await client.put(made[n], bins, policy=WritePolicy(send_key=n % 2 == 0, total_timeout=10.0))

    async def remove(numbers: range) -> None:
        for n in numbers:
            await client.remove(made[n], policy=WritePolicy(total_timeout=10.0))

    for work in (put, remove):
        if work is remove:
            yield Filled(client, keys.set_name, keys.prefix)
        with trio.CancelScope(shield=work is remove):
            async with trio.open_nursery() as nursery:
                for start in range(8):
                    nursery.start_soon(work, range(start, COUNT, 8))


# -- what comes ------------------------------------------------------------------------------------------------------


async def test_a_scan_has_every_record_of_the_set_once_with_its_bins(filled: Filled) -> None:
    found = []
    async with filled.client.query(NAMESPACE, filled.set_name) as records:
        async for record in records:
            if record.get("mark") == filled.mark:
                found.append(record)
    assert filled.numbers(found) == list(range(COUNT))
    for record in found:
        n = record["n"]
        assert record.bins == {"n": n, "mark": filled.mark, "name": f"name-{n}", "half": n / 2, "list": [n, n + 1]}
        assert record.generation == 1 and record.key.set_name == filled.set_name
        assert record.key.user_key == (f"{filled.mark}-{n}" if n % 2 == 0 else None)
        assert record.key == Key(NAMESPACE, filled.set_name, f"{filled.mark}-{n}")


async def test_without_a_set_records_of_all_sets_come(filled: Filled) -> None:
    records = await filled.client.query(NAMESPACE, filter=filled.mine).results()
    assert filled.numbers(records) == list(range(COUNT))
    assert {record.key.set_name for record in records} == {filled.set_name}


async def test_a_set_that_does_not_exist_is_empty(client: Client) -> None:
    assert await client.query(NAMESPACE, "no-such-set").results() == []


@pytest.mark.parametrize("duration", list(QueryDuration))
async def test_whatever_is_expected_of_a_query_its_records_are_the_same(
    filled: Filled, duration: QueryDuration
) -> None:
    policy = QueryPolicy(expected_duration=duration)
    records = await filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine, policy=policy).results()
    assert filled.numbers(records) == list(range(COUNT))


async def test_a_filter_is_worked_out_by_the_servers(filled: Filled) -> None:
    few = filled.mine & (exp.int_bin("n") >= 100) & (exp.int_bin("n") < 110)
    for condition in (few, few.encode()):
        records = await filled.client.query(NAMESPACE, filled.set_name, filter=condition).results()
        assert [record["n"] for record in sorted(records, key=lambda record: record["n"])] == list(range(100, 110))


async def test_bins_are_selected_and_records_without_them_do_not_come(filled: Filled, keys: Keys) -> None:
    query = filled.client.query
    records = await query(NAMESPACE, filled.set_name, filter=filled.mine, bins=["n", "name"]).results()
    assert sorted(record["n"] for record in records) == list(range(COUNT))
    assert {tuple(sorted(record)) for record in records} == {("n", "name")}
    assert await query(NAMESPACE, filled.set_name, filter=filled.mine, bins=["nope"]).results() == []


async def test_without_bins_only_metadata_come(filled: Filled) -> None:
    records = await filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine, bins=[]).results()
    assert len(records) == COUNT
    assert {(tuple(record.bins), record.generation, record.ttl) for record in records} == {((), 1, None)}


async def test_operations_read_what_is_wanted_of_each_record(filled: Filled) -> None:
    ops = [operations.read("n"), operations.lists.get_by_index("list", 1)]
    records = await filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine, operations=ops).results()
    assert sorted((record["n"], record["list"]) for record in records) == [(n, n + 1) for n in range(COUNT)]


async def test_expired_records_and_those_of_other_sets_do_not_come(filled: Filled) -> None:
    other = next(name for name in SET_NAMES if name != filled.set_name)
    assert await filled.client.query(NAMESPACE, other, filter=filled.mine).results() == []


# -- partitions ------------------------------------------------------------------------------------------------------


async def test_partitions_taken_together_have_every_record_once(filled: Filled) -> None:
    found: list[Record] = []
    for begin in range(0, N_PARTITIONS, 1024):
        part = PartitionFilter.by_range(begin, 1024)
        found += await filled.client.query(NAMESPACE, filled.set_name, partitions=part, filter=filled.mine).results()
    assert filled.numbers(found) == list(range(COUNT))


async def test_a_single_partition_has_its_records_and_what_comes_after_a_key_there(filled: Filled) -> None:
    key = Key(NAMESPACE, filled.set_name, f"{filled.mark}-7")
    partition = (key.digest[0] | key.digest[1] << 8) & 4095
    query = filled.client.query
    whole = await query(NAMESPACE, filled.set_name, partitions=PartitionFilter.by_id(partition)).results()
    digests = [record.key.digest for record in whole]
    assert key.digest in digests
    assert digests == sorted(digests, reverse=True), "the server goes from the largest digest to the smallest"
    for start in (key, key.digest):
        rest = await query(NAMESPACE, filled.set_name, partitions=PartitionFilter.after(start)).results()
        assert [record.key.digest for record in rest] == [digest for digest in digests if digest < key.digest]


# -- how many, and from where ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bins", [None, ["n", "mark"]])
@pytest.mark.parametrize("wanted", [1, 2, 50, COUNT, COUNT + 1000])
async def test_no_more_records_come_than_are_wanted(filled: Filled, wanted: int, bins: list[str] | None) -> None:
    query = filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine, max_records=wanted, bins=bins)
    records = await query.results()
    assert len(records) == len({record.key for record in records}) == min(wanted, COUNT)


@pytest.mark.parametrize("bins", [None, ["n", "mark"]])
async def test_pages_have_every_record_once_wherever_they_are_read(
    filled: Filled, target: Target, bins: list[str] | None
) -> None:
    found: list[Record] = []
    cursor: Cursor | None = None
    pages = 0
    while cursor is None or not cursor.done:
        # As another process would: nothing but the cursor's bytes is kept from page to page.
        async with open_client(target.hosts, timeout=10.0) as client:
            query = client.query(
                NAMESPACE, filled.set_name, filter=filled.mine, max_records=90, cursor=cursor, bins=bins
            )
            async with query as records:
                page = [record async for record in records]
                assert len(page) <= 90
                found += page
                kept = pickle.dumps(records.cursor) if pages % 2 else records.cursor.to_bytes()
        cursor = pickle.loads(kept) if pages % 2 else Cursor.from_bytes(kept)
        pages += 1
        assert pages < 20
    assert pages >= 5
    assert filled.numbers(found) == list(range(COUNT))


@pytest.mark.parametrize("read", [0, 1, 77])
async def test_what_is_left_after_leaving_early_is_read_with_the_cursor(filled: Filled, read: int) -> None:
    found: list[Record] = []
    async with filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine) as records:
        while len(found) < read:
            found.append(await anext(records))
    assert not records.cursor.done
    rest = await filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine, cursor=records.cursor).results()
    assert len(rest) == COUNT - read
    assert filled.numbers(found + rest) == list(range(COUNT))


async def test_a_cursor_at_the_end_has_nothing_left(filled: Filled) -> None:
    async with filled.client.query(NAMESPACE, filled.set_name) as records:
        async for _ in records:
            pass
    assert records.cursor.done
    assert await filled.client.query(NAMESPACE, filled.set_name, cursor=records.cursor).results() == []


# -- results and foreach ---------------------------------------------------------------------------------------------


async def test_foreach_calls_plain_and_async_functions_and_stops_when_told(filled: Filled) -> None:
    found: list[Record] = []

    async def later(record: Record) -> None:
        await trio.lowlevel.checkpoint()
        found.append(record)

    def query() -> object:
        return filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine)

    assert await filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine).foreach(later) == COUNT
    assert filled.numbers(found) == list(range(COUNT))
    plain: list[Record] = []
    assert await filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine).foreach(plain.append) == COUNT
    assert filled.numbers(plain) == list(range(COUNT))
    stopped = filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine)
    assert await stopped.foreach(lambda record: False) == 1


async def test_what_a_function_raises_comes_out_of_foreach(filled: Filled) -> None:
    def fail(record: Record) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine).foreach(fail)


async def test_a_part_read_one_by_one_and_the_rest_at_once_make_the_whole(filled: Filled) -> None:
    async with filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine) as records:
        first = [await anext(records) for _ in range(10)]
        assert filled.numbers(first + await records.results()) == list(range(COUNT))


# -- many at a time --------------------------------------------------------------------------------------------------


async def test_other_commands_go_on_inside_a_query(filled: Filled) -> None:
    async with filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine) as records:
        async for record in records:
            if record["n"] % 40 == 0:
                key = Key(NAMESPACE, filled.set_name, f"{filled.mark}-{record['n']}")
                assert (await filled.client.get(key, policy=ReadPolicy(total_timeout=10.0)))["n"] == record["n"]


async def test_with_a_single_slot_a_command_inside_a_query_gets_it(filled: Filled, target: Target) -> None:
    async with open_client(
        target.hosts, timeout=10.0, max_concurrent_operations=1, operation_queue_timeout=10.0
    ) as client:
        count = 0
        async with client.query(NAMESPACE, filled.set_name, filter=filled.mine) as records:
            async for record in records:
                if count % 100 == 0:
                    await client.get(Key(NAMESPACE, filled.set_name, f"{filled.mark}-{record['n']}"))
                count += 1
        assert count == COUNT


async def test_several_queries_at_once_have_all_their_records(filled: Filled) -> None:
    found: list[list[int]] = []

    async def scan() -> None:
        records = await filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine).results()
        found.append(filled.numbers(records))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(scan)
    assert found == [list(range(COUNT))] * 5


async def test_leaving_early_gives_the_connections_back_at_once(filled: Filled, target: Target) -> None:
    async with open_client(target.hosts, timeout=10.0, max_conns_per_node=1) as client:
        for _ in range(5):
            async with client.query(NAMESPACE, filled.set_name) as records:
                await anext(records)
            await client.get(Key(NAMESPACE, filled.set_name, f"{filled.mark}-1"), policy=ReadPolicy(total_timeout=10.0))


async def test_each_node_looks_at_no_more_records_a_second_than_it_was_told(filled: Filled) -> None:
    began = trio.current_time()
    query = filled.client.query(NAMESPACE, filled.set_name, filter=filled.mine, records_per_second=250)
    assert len(await query.results()) == COUNT
    # Three nodes at 250 a second each: a good half of a second at the least.
    assert trio.current_time() - began > 0.3


# -- what is refused -------------------------------------------------------------------------------------------------


async def test_an_unknown_namespace_is_the_servers_error(client: Client) -> None:
    with pytest.raises(ServerError) as caught:
        await client.query("nope", "set").results()
    assert caught.value.result_code == 20


async def test_an_invalid_filter_is_the_servers_error(client: Client) -> None:
    with pytest.raises(ServerError) as caught:
        await client.query(NAMESPACE, "set", filter=b"\x93\x01").results()
    assert caught.value.result_code == 4


async def test_a_cursor_of_another_query_is_refused_before_anything_is_sent(filled: Filled) -> None:
    async with filled.client.query(NAMESPACE, filled.set_name) as records:
        await anext(records)
    cursor = records.cursor
    with pytest.raises(InvalidArgError, match="this set"):
        filled.client.query(NAMESPACE, "another", cursor=cursor)
    with pytest.raises(InvalidArgError, match="this namespace"):
        filled.client.query("bar", filled.set_name, cursor=cursor)


async def test_a_cursor_of_another_cluster_is_refused(filled: Filled) -> None:
    async with filled.client.query(NAMESPACE, filled.set_name) as records:
        await anext(records)
    async with open_embedded_cluster(1, cluster_name="elsewhere") as other, open_client(other.hosts) as client:
        with pytest.raises(InvalidArgError, match="this cluster"):
            await client.query(NAMESPACE, filled.set_name, cursor=records.cursor).results()


async def test_records_are_for_one_block_and_one_reader(filled: Filled) -> None:
    query = filled.client.query(NAMESPACE, filled.set_name)
    with pytest.raises(RuntimeError, match="async with"):
        await anext(query)
    async with query as records:
        await anext(records)
    with pytest.raises(trio.ClosedResourceError):
        await anext(records)
    with pytest.raises(RuntimeError, match="once"):
        await query.__aenter__()
