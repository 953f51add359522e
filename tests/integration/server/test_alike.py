"""Answers in which the embedded server once differed from a real one: each holds on both.

Expected values were recorded from a Community Edition 8.1.2.0.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing

import trio_aerospike as aero
from tests.integration.conftest import HOSTS, NAMESPACE, Keys, Target
from tests.integration.server_peer import Peer, connected, get_message, key_fields, message_frame, put_message
from trio_aerospike import Client, GeoJSON, IndexType, Key, QueryDuration, QueryPolicy, open_client, predicates
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.messages import Field, Message, Op, decode_messages
from trio_aerospike.errors import ResultCode, UDFError
from trio_aerospike.operations import touch
from trio_aerospike.server import open_embedded_cluster


@pytest.fixture
async def peer(target: Target) -> AsyncIterator[Peer]:
    if isinstance(target.hosts, str):
        host, _, port = target.hosts.split(",")[0].rpartition(":")
        address = host, int(port)
    else:
        address = target.hosts[0]
    stream = await trio.open_tcp_stream(*address)
    yield Peer(stream)
    await stream.aclose()


@pytest.fixture
def fields(key: Key) -> tuple[Field, ...]:
    assert key.user_key is not None
    return key_fields(key.user_key, key.set_name)


async def pairs(peer: Peer, command: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in (await peer.info_one(command)).split(";") if "=" in part)


# Values ---------------------------------------------------------------------------------------------------------

MODIFICATIONS = {"increment": wire.OP_INCR, "append": wire.OP_APPEND, "prepend": wire.OP_PREPEND}
STORED = [1, 1.5, "a", b"a", True, [1], {1: 2}, GeoJSON({"type": "Point", "coordinates": [1.0, 2.0]}), None]
NOT_STORED = [wire.PARTICLE_NULL, 5, 6, 13, 14, 15, 21, 22, 24, 25]


@pytest.mark.parametrize("number", MODIFICATIONS.values(), ids=MODIFICATIONS.keys())
@pytest.mark.parametrize("value", STORED, ids=lambda value: type(value).__name__)
async def test_modifying_by_null_or_by_an_unknown_type_is_a_wrong_parameter(
    peer: Peer, fields: tuple[Field, ...], number: int, value: Any
) -> None:
    """Whatever the bin holds: 4, where BIN_TYPE (12) and SERVER (1) were answered."""
    bins = {"other": 1} if value is None else {"b": value}
    assert (await peer.ask(put_message(0, bins, fields=fields))).result_code == ResultCode.OK
    for particle in NOT_STORED:
        for data in (b"", b"x", bytes(8)):
            op = Op(number, particle, "b", data)
            answer = await peer.ask(Message(info2=wire.INFO2_WRITE, fields=fields, ops=(op,)))
            assert answer.result_code == ResultCode.PARAM, (particle, data)
    [stored] = (await peer.ask(get_message(0, fields=fields))).ops
    assert (stored.name, stored.op) == (next(iter(bins)), wire.OP_READ)


async def test_values_of_the_vector_type_are_stored_as_bytes(peer: Peer, fields: tuple[Field, ...]) -> None:
    for number, data in ((wire.OP_WRITE, b"ab"), (wire.OP_APPEND, b"c"), (wire.OP_PREPEND, b"z")):
        op = Op(number, wire.PARTICLE_VECTOR, "v", data)
        answer = await peer.ask(Message(info2=wire.INFO2_WRITE, fields=fields, ops=(op,)))
        assert answer.result_code == ResultCode.OK
    [stored] = (await peer.ask(get_message(0, fields=fields))).ops
    assert (stored.particle, stored.data) == (wire.PARTICLE_VECTOR, b"zabc")


REFUSED_TEXTS = [r'"a":"\u0000"', r'"\u0000":1', r'"a":"\\\u0000"', r'"a":"\ud800"', r'"a":"\ud800\n"',
                 r'"a":"\udc00"', r'"a":"\ud83dx\ude00"', r'"a":"\ud83d\ud83d\ude00"', '"a":"\0"']  # fmt: skip
TAKEN_TEXTS = [r'"a":"\\u0000"', r'"a":"\ud83d\ude00"', r'"a":"\u00e9"', r'"a":"\\\\u0000"', r'"\/":"\u0001"']


@pytest.mark.parametrize("member", REFUSED_TEXTS + TAKEN_TEXTS)
async def test_geojson_with_nul_or_half_a_surrogate_pair_is_invalid(
    peer: Peer, fields: tuple[Field, ...], member: str
) -> None:
    text = f'{{"type":"Point","coordinates":[1.0,2.0],{member}}}'.encode()
    op = Op(wire.OP_WRITE, wire.PARTICLE_GEOJSON, "g", bytes(3) + text)
    answer = await peer.ask(Message(info2=wire.INFO2_WRITE, fields=fields, ops=(op,)))
    assert answer.result_code == (ResultCode.GEO_INVALID_GEOJSON if member in REFUSED_TEXTS else ResultCode.OK)


# Queries --------------------------------------------------------------------------------------------------------


async def rows_of(peer: Peer, message: Message) -> list[Message]:
    """The records that a query answers."""
    await peer.send(message_frame(message))
    rows: list[Message] = []
    while True:
        for part in decode_messages((await peer.receive())[1]):
            if part.info3 & wire.INFO3_LAST or part.result_code:
                assert part.result_code == ResultCode.OK
                return rows
            rows.append(part)


def query_message(set_name: str, **parts: Any) -> Message:
    partitions = b"".join(number.to_bytes(2, "little") for number in range(wire.N_PARTITIONS))
    fields = (
        Field(wire.FIELD_NAMESPACE, NAMESPACE.encode()),
        Field(wire.FIELD_SET, set_name.encode()),
        Field(wire.FIELD_PID_ARRAY, partitions),
        *parts.pop("fields", ()),
    )
    return Message(info3=wire.INFO3_PARTITION_DONE, fields=fields, transaction_ttl=1000, **parts)


@pytest.mark.parametrize("names", [["a"], ["absent"], ["absent", "a"]], ids=repr)
@pytest.mark.parametrize("listed", [False, True], ids=["ops", "bin list"])
async def test_a_query_with_selected_bins_and_without_bin_data_returns_its_records(
    client: Client, peer: Peer, keys: Keys, names: list[str], listed: bool
) -> None:
    written = [keys() for _ in range(5)]
    for key in written:
        await client.put(key, {"a": 1, "b": 2})
    if len(client.nodes()) > 1:
        pytest.skip("one node answers for its own partitions only")
    bin_list = bytes((len(names),)) + b"".join(bytes((len(name),)) + name.encode() for name in names)
    message = query_message(
        keys.set_name,
        info1=wire.INFO1_READ | wire.INFO1_GET_NO_BINS,
        ops=() if listed else tuple(Op(wire.OP_READ, 0, name, b"") for name in names),
        fields=(Field(wire.FIELD_QUERY_BINLIST, bin_list),) if listed else (),
    )
    rows = await rows_of(peer, message)
    assert {row.field(wire.FIELD_DIGEST) for row in rows} >= {key.digest for key in written}
    assert all(row.ops == () for row in rows)
    # With bin data, what has none of the bins is left out.
    message = query_message(keys.set_name, info1=wire.INFO1_READ, ops=(Op(wire.OP_READ, 0, "absent", b""),))
    assert await rows_of(peer, message) == []


async def test_a_query_right_after_its_index_was_made_finds_that_it_is_not_ready(
    client: Client, peer: Peer, keys: Keys
) -> None:
    """So that a test finds a `wait()` that was forgotten, however few records there are."""
    if HOSTS and len(client.nodes()) > 1:
        pytest.skip("a real cluster may have filled the index by the time that all nodes have heard of it")
    await client.put(keys(), {"n": 1})
    name = f"ready-{secrets.token_hex(4)}"
    key_range = b"\x01\x01n" + b"\x01" + (b"\x00\x00\x00\x08" + bytes(8)) * 2
    message = query_message(keys.set_name, info1=wire.INFO1_READ, fields=(Field(wire.FIELD_INDEX_RANGE, key_range),))
    made = await peer.info_one(f"sindex-create:ns={NAMESPACE};set={keys.set_name};indexname={name};bin=n;type=numeric")
    try:
        assert made == "ok"
        answer = await peer.ask(message)
        assert answer.result_code == ResultCode.INDEX_NOT_READABLE
        stat = await peer.info_one(f"sindex-stat:ns={NAMESPACE};indexname={name}")
        # A real node is filling the index meanwhile.
        assert int(stat.partition(";load_pct=")[2].partition(";")[0]) < 100
        job = await client.create_index(NAMESPACE, keys.set_name, "n", name, IndexType.NUMERIC)
        assert (await job.wait(30)).percent == 100
        found = await client.query(NAMESPACE, keys.set_name, where=predicates.equals("n", 1)).results()
        assert len(found) >= 1
    finally:
        await peer.info_one(f"sindex-delete:ns={NAMESPACE};indexname={name}")


async def test_queries_beyond_the_limit_of_query_threads_are_refused_with_the_reason(
    client: Client, keys: Keys
) -> None:
    """A query with a rate answers 100 records per second at least, so there are enough for it to last."""
    async with client.put_many([(keys(), {"a": 1}) for _ in range(1000)]) as written:
        assert all([result.result_code == ResultCode.OK async for result in written])
    slow = client.query(NAMESPACE, keys.set_name, records_per_second=1)
    await client.info_all("set-config:context=service;query-threads-limit=1")
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(slow.results)
            with trio.fail_after(10):
                while not all("active-threads=1" in answer.response for answer in await client.info_all("query-show:")):
                    await trio.sleep(0.001)
            for policy in (QueryPolicy(), QueryPolicy(expected_duration=QueryDuration.SHORT)):
                with pytest.raises(aero.AerospikeError, match="query-threads-limit") as info:
                    await client.query(NAMESPACE, keys.set_name, policy=policy).results()
                assert info.value.result_code == ResultCode.FAIL_FORBIDDEN
            with pytest.raises(aero.AerospikeError, match="query-threads-limit") as info:
                await client.query_operate(NAMESPACE, keys.set_name, [touch()])
            assert info.value.result_code == ResultCode.FAIL_FORBIDDEN
            nursery.cancel_scope.cancel()
    finally:
        await client.info_all("query-abort-all:")
        await client.info_all("set-config:context=service;query-threads-limit=128")
    assert len(await client.query(NAMESPACE, keys.set_name).results()) >= 1000


async def test_thirty_two_long_queries_take_all_query_threads_and_give_them_back() -> None:
    async with open_embedded_cluster(1) as cluster:
        node = cluster.nodes[0]
        async with open_client(cluster.hosts) as client:
            for number in range(10):
                await client.put(Key("test", "s", number), {"a": 1})
            node.pause()
            refused = []

            async def query() -> None:
                try:
                    await client.query("test", "s").results()
                except aero.AerospikeError as error:
                    refused.append(error.result_code)

            async with trio.open_nursery() as nursery:
                for _ in range(40):
                    nursery.start_soon(query)
                with trio.fail_after(10):
                    while node.stats.commands_in_flight < 40:
                        await trio.sleep(0.001)
                node.resume()
            assert refused == [ResultCode.FAIL_FORBIDDEN] * 8
            assert node.queries.threads == 0 and not node.queries.active


async def test_a_client_that_leaves_with_its_question_gives_query_threads_back() -> None:
    async with open_embedded_cluster(1, memory=True) as cluster:
        node = cluster.nodes[0]
        stream = await cluster.connector(*node.listen_address)
        frames = message_frame(get_message("k")) + message_frame(query_message("s", info1=wire.INFO1_READ))
        assert stream.try_send(frames) == len(frames)
        stream.close_now()
        await trio.testing.wait_all_tasks_blocked()
        assert node.stats.requests == {"message": 2}
        assert node.queries.threads == 0 and not node.queries.active
        assert len(node.queries.ended) == 1


# Indexes, sets, modules -----------------------------------------------------------------------------------------


async def test_an_index_in_a_namespace_that_does_not_exist_has_one_definition(peer: Peer) -> None:
    name = f"nowhere-{secrets.token_hex(4)}"
    create = f"sindex-create:namespace=nosuch;indexname={name};bin=a;type="
    different = "ERROR:200:'indexname' already exists with different definition"
    assert await peer.info_one(f"{create}numeric") == "ok"
    assert await peer.info_one(f"{create}numeric") == "ok"
    assert await peer.info_one(f"{create}string") == different
    assert await peer.info_one(f"sindex-exists:namespace=nosuch;indexname={name}") == (
        "ERROR:20:namespace not found on node"
    )
    assert name not in await peer.info_one("sindex-list:")
    assert await peer.info_one(f"sindex-delete:namespace=nosuch;indexname={name}") == "ok"
    assert await peer.info_one(f"{create}string") == "ok"
    assert await peer.info_one(f"sindex-delete:namespace=nosuch;indexname={name}") == "ok"


async def test_truncating_a_set_that_does_not_exist_sets_no_threshold() -> None:
    async with open_embedded_cluster(2) as cluster, connected(cluster) as peer:
        assert await peer.info_one("truncate:namespace=test;set=late") == "ok"
        assert await peer.info_one("sets/test/late") == ""
        await peer.ask(put_message("k", {"a": 1}, fields=key_fields("k", "late")))
        told = [text for text in [await peer.info_one("sets/test/late")] if text]
        assert all(":truncate_lut=0:" in text for text in told)
        assert cluster.namespaces["test"].truncation.sets == {}
        assert await peer.info_one("truncate:namespace=test;set=late") == "ok"
        assert list(cluster.namespaces["test"].truncation.sets) == ["late"]


SOURCE = b"function f(rec) return 1 end"
HASHES = {
    "größe.lua": "5fd9597b2b34c41c4f3f3c671c32f00766af5571",
    "日本語.lua": "01d776c0ff6e224d7b4927fd95077700b0a21dff",
    "😀.lua": "8655e68d979c80ac894d81c073051f4a888cf14d",
    "tab\x01\x1f\x7f.lua": "28b4b2fae2be9e570c1238494e11d65847b5253f",
    'quote".lua': "3e01705c1b9c9245a63335b9d58c074f427068f6",
}


async def put_module(peer: Peer, name: str, source: bytes) -> None:
    content = base64.b64encode(source).decode()
    assert await peer.info_one(f"udf-put:filename={name};content={content};content-len={len(content)}") == "ok"


@pytest.mark.parametrize("name", HASHES, ids=ascii)
async def test_the_hash_of_a_module_is_of_its_name_in_utf_8(peer: Peer, name: str) -> None:
    pytest.importorskip("lupa.lua54")
    await put_module(peer, name, SOURCE)
    try:
        with trio.fail_after(10):
            while f"filename={name}," not in (listed := await peer.info_one("udf-list")):
                await trio.sleep(0.01)
        assert f"filename={name},hash={HASHES[name]},type=LUA;" in listed
    finally:
        await peer.info_one(f"udf-remove:filename={name}")


FAILING = b"""
function raised(rec) error("my words") end
function indexed(rec) local t = nil; return t.x end
function elsewhere(rec) other_raised() end
function caught(rec) local _, text = pcall(function() error("inner") end); error(text, 0) end
function streamed(s) return s : map(function(rec) error("in map") end) end
function required(rec) require("nosuch_module") end
"""
WORDS = {
    "raised": r"/{module}\.lua:2: my words$",
    "indexed": r"/{module}\.lua:3: attempt to index a nil value \(local 't'\)$",
    "caught": r"/{module}\.lua:5: inner$",
    "required": r"/{module}\.lua:7: module 'nosuch_module' not found:[^$]*\n\tno file '/[^']*/nosuch_module\.lua'",
}


@pytest.mark.parametrize("function", WORDS)
async def test_the_error_texts_of_lua_carry_the_path(client: Client, peer: Peer, key: Key, function: str) -> None:
    pytest.importorskip("lupa.lua54")
    module = f"m{secrets.token_hex(3)}"
    await client.put(key, {"a": 1})
    await put_module(peer, f"{module}.lua", FAILING)
    try:
        with trio.fail_after(10):
            while len(await client.udf_list()) == 0:
                await trio.sleep(0.01)
        with pytest.raises(UDFError) as info:
            await client.apply(key, module, function, [])
        text = re.sub(r" \[code .*$", "", str(info.value))
        assert re.search(r"(^|: )/\S*" + WORDS[function].format(module=module), text), text
        with pytest.raises(UDFError, match=rf"/\S*/{module}\.lua:6: in map"):
            await client.aggregate(NAMESPACE, key.set_name, module, "streamed", []).results()
    finally:
        await peer.info_one(f"udf-remove:filename={module}.lua")


# Statistics -----------------------------------------------------------------------------------------------------


async def test_functions_are_counted_by_what_they_did(peer: Peer, fields: tuple[Field, ...]) -> None:
    pytest.importorskip("lupa.lua54")
    module = f"m{secrets.token_hex(3)}"
    source = b"""
    function reads(rec) return rec.a end
    function writes(rec) rec.a = 2; aerospike:update(rec) end
    function deletes(rec) aerospike:remove(rec) end
    function fails(rec) error("x") end
    """
    await put_module(peer, f"{module}.lua", source)
    names = [f"client_lang_{name}" for name in ("read_success", "write_success", "delete_success", "error")]
    before = await pairs(peer, f"namespace/{NAMESPACE}")
    await peer.ask(put_message(0, {"a": 1}, fields=fields))
    for function in ("reads", "reads", "writes", "deletes", "fails", "fails", "nosuch"):
        call = (
            Field(wire.FIELD_UDF_FILENAME, module.encode()),
            Field(wire.FIELD_UDF_FUNCTION, function.encode()),
            Field(wire.FIELD_UDF_ARGLIST, b"\x90"),
        )
        await peer.ask(Message(info2=wire.INFO2_WRITE, fields=(*fields, *call), transaction_ttl=1000))
    after = await pairs(peer, f"namespace/{NAMESPACE}")
    await peer.info_one(f"udf-remove:filename={module}.lua")
    if HOSTS:
        pytest.skip("other clients and nodes count as well")
    assert [int(after[name]) - int(before[name]) for name in names] == [2, 1, 1, 3]


async def test_memory_of_indexes_and_stripes_is_reported() -> None:
    async with open_embedded_cluster(1) as cluster, connected(cluster) as peer:
        told = await pairs(peer, "namespace/test")
        assert told["sindex_used_bytes"] == "0"
        for number in range(37):
            await peer.put(number, a="x" * number)
        for name in ("i1", "i2"):
            await peer.info_one(f"sindex-create:ns=test;indexname={name};bin={name};type=numeric")
        told = await pairs(peer, "namespace/test")
        assert int(told["sindex_used_bytes"]) == 2 * 16 * 1024 * 1024
        used = [int(value) for name, value in told.items() if re.fullmatch(r".*stripe\[\d\]\.used_bytes", name)]
        assert sum(used) == int(told["data_used_bytes"]) > 0 and min(used) > 0
        await peer.info_one("sindex-delete:ns=test;indexname=i1")
        assert int((await pairs(peer, "namespace/test"))["sindex_used_bytes"]) == 16 * 1024 * 1024


async def test_latencies_show_the_last_whole_interval(autojump_clock: trio.testing.MockClock) -> None:
    async with open_embedded_cluster(1, memory=True) as cluster, connected(cluster) as peer:
        node = cluster.nodes[0]
        assert await peer.info_one("latencies:hist={test}-read") == "{test}-read:"
        await peer.put("k", a=1)
        await peer.get("k")
        await trio.sleep(10)
        assert await peer.info_one("latencies:hist={test}-read") == "{test}-read:", "the first interval is not shown"
        for delay in (0, 0, 0.0015):
            node.delay = delay
            await peer.get("k")
        node.delay = 0.0015
        frames = message_frame(get_message("k")) + message_frame(get_message("k"))
        await peer.send(frames)  # one behind the other: each takes its own time
        for _ in range(2):
            await peer.receive()
        node.delay = 0
        assert len(await rows_of(peer, query_message("set", info1=wire.INFO1_READ | wire.INFO1_SHORT_QUERY))) == 1
        await trio.sleep(10)
        shown = dict(part.split(":") for part in (await peer.info_one("latencies:")).split(";"))
        assert shown["{test}-read"].split(",") == ["msec", "0.5", "60.00", *["0.00"] * 16]
        assert shown["{test}-write"].split(",") == ["msec", "0.0", *["0.00"] * 17]
        assert shown["{test}-pi-query"] == "", "it is in its first interval"
        assert shown["{test}-udf"] == shown["batch-index"] == ""
        await trio.sleep(35)
        assert (await peer.info_one("latencies:hist={test}-read")).split(",")[1] == "0.0"


async def test_what_nodes_have_in_common_includes_what_has_no_effect(peer: Peer) -> None:
    """Nodes exchange definitions and thresholds whether or not namespace and set exist."""
    name = f"x{secrets.token_hex(4)}"
    for command in (
        f"sindex-create:namespace=nosuch;indexname={name};bin={name};type=numeric",
        f"truncate:namespace={NAMESPACE};set={name}",
        f"truncate:namespace=nosuch;set={name}",
    ):
        assert await peer.info_one(command) == "ok"
    assert f"nosuch||{name}|.|I={name}" in (await peer.info_one("smd-show:module=sindex")).split(";")
    told = await peer.info_one("smd-show:module=truncate")
    assert f"{NAMESPACE}|{name}=" in told and f"nosuch|{name}=" in told
    for command in (
        f"sindex-delete:namespace=nosuch;indexname={name}",
        f"truncate-undo:namespace={NAMESPACE};set={name}",
        f"truncate-undo:namespace=nosuch;set={name}",
    ):
        assert await peer.info_one(command) == "ok"
    assert name not in await peer.info_one("smd-show:module=sindex")
    assert name not in await peer.info_one("smd-show:module=truncate")


@pytest.mark.parametrize("name", ["größe.lua", 'quote".lua'], ids=ascii)
async def test_nodes_tell_each_other_of_a_module_in_utf_8(peer: Peer, name: str) -> None:
    pytest.importorskip("lupa.lua54")
    await put_module(peer, name, SOURCE)
    text = f'"type": "LUA", "name": "{name}"}}'.replace('quote"', 'quote\\"')
    try:
        assert text in await peer.info_one("smd-show:module=udf")
    finally:
        await peer.info_one(f"udf-remove:filename={name}")
