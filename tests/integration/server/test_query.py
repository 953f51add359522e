"""What the embedded server does with queries beyond what a client shows: fairness, aborts, jobs, refusals, loading."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio

from tests.integration.server_peer import Peer, connected, message_frame
from trio_aerospike import AerospikeError, Key, exp, open_client, predicates, write
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.index_ranges import Range, integer_end
from trio_aerospike._wire.messages import Field, Message, decode_messages
from trio_aerospike._wire.query import QueryHead, encode_background_query, encode_query
from trio_aerospike.indexes import IndexType
from trio_aerospike.server import EmbeddedCluster, UserSpec, open_embedded_cluster
from trio_aerospike.server.record import StoredRecord
from trio_aerospike.server.sindex import node_indexes as sindex

SET = "many"
ALL = range(wire.N_PARTITIONS)
WHERE = Range("n", wire.PARTICLE_INTEGER, integer_end(0), integer_end(9))


def fill(cluster: EmbeddedCluster, count: int, data: bytes = b"x") -> None:
    """Put records into all copies."""
    for number in range(count):
        digest = Key("test", SET, number).digest
        bins = {"n": (wire.PARTICLE_INTEGER, number.to_bytes(8, "big")), "data": (wire.PARTICLE_BLOB, data)}
        record = StoredRecord(SET, bins, 1, 0, cluster.clock.milliseconds())
        cluster.replicate("test", (digest[0] | digest[1] << 8) & 4095, digest, record)


async def answers(peer: Peer, frame: bytes) -> list[Message]:
    """All messages that answer a query."""
    await peer.send(frame)
    found: list[Message] = []
    while True:
        found += decode_messages((await peer.receive())[1])
        last = found[-1]
        if last.info3 & wire.INFO3_LAST or (last.result_code and not last.info3):
            return found


async def result(peer: Peer, frame: bytes) -> int:
    return (await answers(peer, frame))[-1].result_code


def query(partitions: Any = ALL, record_max: int = 0, **head: Any) -> bytes:
    return encode_query(
        QueryHead(**{"namespace": "test", "set_name": SET, **head}), partitions, [], record_max=record_max
    )


# -- other connections -----------------------------------------------------------------------------------------------


async def test_a_large_scan_does_not_keep_other_connections_waiting() -> None:
    async with open_embedded_cluster(1) as cluster:
        fill(cluster, 20_000)
        async with open_client(cluster.hosts, timeout=10.0) as client:
            await client.get(("test", SET, 1))
            turns = 0
            over = False

            async def read() -> None:
                nonlocal turns
                while not over:
                    await client.get(("test", SET, turns % 100))
                    turns += 1

            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                records = await client.query("test", SET).results()
                over = True
            assert len(records) == 20_000
            # The server yields every hundred records: a get runs at each yield.
            assert turns > 20


async def test_a_client_that_does_not_read_holds_nobody_else_up() -> None:
    async with (
        open_embedded_cluster(1, memory=True) as cluster,
        connected(cluster) as slow,
        connected(cluster) as other,
    ):
        fill(cluster, 3000, b"x" * 1000)
        await slow.send(query())
        await trio.testing.wait_all_tasks_blocked()
        assert len(await answers(other, query())) == 3001
        assert await other.put(1, a=1) == 0


# -- the ends of queries ---------------------------------------------------------------------------------------------


async def test_a_query_ends_when_its_client_has_gone(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        fill(cluster, 3000, b"x" * 1000)
        async with connected(cluster) as peer:
            await peer.send(query(trid=7))
            await trio.testing.wait_all_tasks_blocked()
            assert 7 in cluster.nodes[0].queries.active
        await trio.sleep(1)
        assert not cluster.nodes[0].queries.active
        assert "abandoned-response-error" in cluster.nodes[0].queries.text()


async def test_the_server_gives_a_client_up_that_does_not_read_for_its_socket_timeout(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        fill(cluster, 3000, b"x" * 1000)
        began = trio.current_time()
        await peer.send(query(trid=7, socket_timeout=4000))
        await trio.testing.wait_all_tasks_blocked()
        while cluster.nodes[0].queries.active:
            await trio.sleep(0.5)
        assert 3.9 < trio.current_time() - began < 5
        assert "abandoned-response-timeout" in cluster.nodes[0].queries.text()


async def test_a_query_is_aborted_by_its_number(autojump_clock: trio.testing.MockClock) -> None:
    async with (
        open_embedded_cluster(1, memory=True) as cluster,
        connected(cluster) as peer,
        connected(cluster) as other,
    ):
        fill(cluster, 500)
        async with trio.open_nursery() as nursery:
            found: list[int] = []

            async def run() -> None:
                found.append(await result(peer, query(trid=9, records_per_second=10)))

            nursery.start_soon(run)
            await trio.sleep(1)
            shown = await other.info_one("query-show:trid=9")
            assert shown.startswith("trid=9:ns=test:set=many:n-pids-requested=4096:n-keyds-requested=0:rps=10:")
            assert ":status=active(ok):" in shown and ":job-type=basic:" in shown
            assert await other.info_one("query-abort:id=9") == "ok"
        assert found == [210]
        assert ":status=done(user-aborted):" in await other.info_one("query-show:id=9")
        assert await other.info_one("query-abort:id=9") == "ERROR:2:id not active"


async def test_a_number_is_for_one_query(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        assert await result(peer, query(trid=5)) == 0
        assert await result(peer, query(trid=5)) == 4
        assert await result(peer, query(trid=5, short=True)) == 0, "short ones are not listed"


# -- refusals --------------------------------------------------------------------------------------------------------


def refusals() -> Iterator[tuple[str, bytes, int]]:
    head = QueryHead(namespace="test", set_name=SET)
    yield "another namespace", query(namespace="nope"), 20
    yield "no partitions", encode_query(head, [], []), 16
    yield "no index", query(where=WHERE), 201
    yield "no index of that name", query(where=Range("", 1, integer_end(0), integer_end(9)), index_name="x"), 201
    yield "an empty range", query(where=Range("n", 1, integer_end(5), integer_end(4))), 4
    yield "bin and name", query(where=WHERE, index_name="x"), 4
    yield "neither", query(where=Range("", 1, integer_end(0), integer_end(9))), 4
    yield "another type", query(where=Range("n", wire.PARTICLE_FLOAT, bytes(8), bytes(8))), 4
    yield "no region", query(where=Range("n", wire.PARTICLE_GEOJSON, b"{}", b"{}")), 4
    yield "an empty context", query(where=WHERE, index_context=b"\x90"), 4
    yield "half a step", query(where=WHERE, index_context=b"\x91\x22"), 4
    yield "a context that creates", query(where=WHERE, index_context=b"\x92\xcc\xa2\xa2\x03a"), 4
    yield "a context of several", query(where=WHERE, index_context=b"\x92\x04\xc3"), 4
    yield "a context longer than it has to be", query(where=WHERE, index_context=b"\x92\x22\xd1\x00\x01"), 4
    yield "a context without an index", query(where=WHERE, index_context=b"\x92\x22\xa2\x03a"), 201
    yield "no filter", query(filter_expression=b"\x93\x01"), 4
    yield "a filter of another type", query(filter_expression=exp.int_bin("a").encode()), 4
    yield "an operation that writes", query(ops=write("a", 1).encode(), n_ops=1), 4
    yield "a rate for a short query", query(short=True, records_per_second=5), 4
    yield "a name that is too long", query(set_name="s" * 64), 4
    read = QueryHead(namespace="test", set_name=SET, ops=b"\0\0\0\x05\x01\0\0\x01a", n_ops=1)
    yield "a background read", encode_background_query(read, info2=0, info3=0, record_ttl=0), 4
    nothing = QueryHead(namespace="test", set_name=SET)
    yield "nothing in the background", encode_background_query(nothing, info2=0, info3=0, record_ttl=0), 4
    fast = QueryHead(namespace="test", set_name=SET, ops=write("a", 1).encode(), n_ops=1, records_per_second=10_001)
    yield "too fast", encode_background_query(fast, info2=0, info3=0, record_ttl=0), 4
    unknown = QueryHead(namespace="test", set_name="unknown", ops=write("a", 1).encode(), n_ops=1)
    yield "an unknown set in the background", encode_background_query(unknown, info2=0, info3=0, record_ttl=0), 2


@pytest.mark.parametrize(("what", "frame", "code"), list(refusals()), ids=[what for what, _, _ in refusals()])
async def test_what_cannot_be_served_is_refused_with_the_servers_code(what: str, frame: bytes, code: int) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        fill(cluster, 5)
        assert await result(peer, frame) == code
        assert len(await answers(peer, query())) == 6, "the connection goes on"


async def test_a_query_from_before_partitions_is_unsupported() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        old = Message(info1=wire.INFO1_READ, fields=(Field(wire.FIELD_NAMESPACE, b"test"),))
        assert await result(peer, message_frame(old)) == 16


async def test_partitions_of_other_nodes_are_named_and_the_rest_is_served() -> None:
    async with open_embedded_cluster(3, replication_factor=1, memory=True) as cluster, connected(cluster) as peer:
        fill(cluster, 300)
        table = cluster.tables["test"]
        mine = {number for number in ALL if table.master(number) == cluster.nodes[0].name}
        found = await answers(peer, query())
        gone = {
            message.generation: message.result_code for message in found if message.info3 & wire.INFO3_PARTITION_DONE
        }
        assert gone == {number: 11 for number in ALL if number not in mine}
        assert found[-1].result_code == 0
        digests = [message.field(wire.FIELD_DIGEST) for message in found if message.fields]
        assert digests and all((d[0] | d[1] << 8) & 4095 in mine for d in digests if d is not None)


async def test_no_more_records_come_than_the_client_lets_the_node_send() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        fill(cluster, 300)
        assert len(await answers(peer, query(record_max=17))) == 18
        # Records without any of the bins that are read count, but do not come: so it is with the real server.
        none = await answers(peer, query(record_max=17, ops=b"\0\0\0\x08\x01\0\0\x04nope", n_ops=1))
        assert len(none) == 1


# -- indexes ---------------------------------------------------------------------------------------------------------


async def test_an_index_over_many_records_is_filled_in_the_background_and_refuses_until_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sindex, "CHECKPOINT_EVERY", 1)
    async with open_embedded_cluster(3, memory=True) as cluster, connected(cluster) as peer:
        fill(cluster, 300)
        assert await peer.info_one("sindex-create:ns=test;set=many;indexname=i;bin=n;type=numeric") == "ok"
        assert ":state=WO" in await peer.info_one("sindex-list:ns=test")
        assert await result(peer, query(where=WHERE)) == 203
        async with open_client(cluster.hosts, connector=cluster.connector) as client:
            job = await client.create_index("test", SET, "n", "i", IndexType.NUMERIC)
            assert (await job.wait(30)).percent == 100
            found = await client.query("test", SET, where=predicates.between("n", 0, 9)).results()
            assert sorted(record["n"] for record in found) == list(range(10))
        assert ":state=RW" in await peer.info_one("sindex-list:ns=test")


async def test_an_index_is_there_on_nodes_that_come_later_or_come_back(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(2, memory=True) as cluster:
        fill(cluster, 200)
        async with open_client(cluster.hosts, connector=cluster.connector, tend_interval=0.2) as client:
            await (await client.create_index("test", SET, "n", "i", IndexType.NUMERIC)).wait(30)
            where = predicates.between("n", 0, 99)
            await cluster.add_node()
            await cluster.wait_stable()
            assert len(await client.query("test", SET, where=where).results()) == 100
            await cluster.stop_node(0, lose_data=True)
            assert len(await client.query("test", SET, where=where).results()) == 100
            await cluster.start_node(0)
            await cluster.wait_stable()
            assert len(await client.query("test", SET, where=where).results()) == 100


async def test_entries_values_and_records_of_an_index_are_counted(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        for key, numbers in enumerate([[1, 2], [2, 3], [3], []]):
            await peer.put(key, l=numbers)
        assert await peer.info_one("sindex-create:ns=test;indexname=i;bin=l;type=numeric;indextype=list") == "ok"
        await trio.sleep(2 * sindex.BUILD_TIME)
        stat = await peer.info_one("sindex-stat:ns=test;indexname=i")
        assert stat.startswith("entries=5;") and ";entries_per_bval=2;entries_per_rec=2;load_pct=100;" in stat


async def test_a_query_that_fails_inside_the_server_ends_with_its_connection_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object) -> bool:
        raise ZeroDivisionError

    async with open_embedded_cluster(1, memory=True) as cluster:
        fill(cluster, 10)
        with monkeypatch.context() as broken:
            broken.setattr("trio_aerospike.server.query.basic.is_wanted", fail)
            broken.setattr("trio_aerospike.server.query.background.is_wanted", fail)
            async with connected(cluster) as peer:
                with pytest.raises(EOFError):
                    await answers(peer, query(trid=7))
            async with open_client(cluster.hosts, connector=cluster.connector) as client:
                job = await client.query_operate("test", SET, [write("done", 1)])
                with trio.fail_after(30):
                    while cluster.nodes[0].queries.active:
                        await trio.sleep(0.01)
        assert "a query from" in caplog.text and "a task of its own failed" in caplog.text
        text = cluster.nodes[0].queries.text()
        assert text.count("abandoned-unknown") == 2 and f"trid={job.trid}:" in text
        async with connected(cluster) as peer:
            assert len(await answers(peer, query())) == 11


# -- in the background -----------------------------------------------------------------------------------------------


async def test_a_job_in_the_background_outlives_the_connection_that_began_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_embedded_cluster(3, memory=True) as cluster:
        fill(cluster, 300)
        async with open_client(cluster.hosts, connector=cluster.connector) as client:
            job = await client.query_operate("test", SET, [write("done", 1)], filter=exp.int_bin("n") < 100)
        async with open_client(cluster.hosts, connector=cluster.connector) as client:
            while any(node.queries.active for node in cluster.nodes):
                await trio.sleep(0.1)
            found = await client.query("test", SET, filter=exp.bin_exists("done")).results()
            assert sorted(record["n"] for record in found) == list(range(100))
            assert {record.generation for record in found} == {2}
        shown = [node.queries.find(job.trid) for node in cluster.nodes]
        assert sum(job.succeeded for job in shown if job) == 100
        assert sum(job.filtered_bins for job in shown if job) == 200


async def test_what_metadata_filter_out_does_not_count_for_the_rate(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        fill(cluster, 100)
        async with open_client(cluster.hosts, connector=cluster.connector) as client:
            by_bins = await client.query_operate("test", SET, [write("a", 1)], filter=exp.int_bin("n") < 10)
            by_metadata = await client.query_operate("test", SET, [write("a", 1)], filter=exp.ttl() > 0)
            while cluster.nodes[0].queries.active:
                await trio.sleep(0.1)
        found = [cluster.nodes[0].queries.find(job.trid) for job in (by_bins, by_metadata)]
        assert [(job.throttled, job.succeeded) for job in found if job] == [(100, 10), (0, 0)]


async def test_who_may_only_read_queries_and_writes_nothing_in_the_background() -> None:
    users: dict[str, str | UserSpec] = {"root": "pw", "ann": UserSpec("pw", roles=("read",))}
    async with open_embedded_cluster(1, users=users) as cluster:
        fill(cluster, 10)
        async with open_client(cluster.hosts, user="ann", password="pw") as client:
            assert len(await client.query("test", SET).results()) == 10
            with pytest.raises(AerospikeError) as caught:
                await client.query_operate("test", SET, [write("a", 1)])
            assert caught.value.result_code == 81
