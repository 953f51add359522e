"""Functions over queries: in the background, and as aggregations; on embedded clusters and on real ones."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs
import pytest
import trio

from trio_aerospike import (
    AerospikeError,
    AerospikeTimeoutError,
    BatchPolicy,
    Client,
    ClientError,
    ConnectionFailed,
    Exists,
    InvalidArgError,
    Key,
    ReadPolicy,
    RecordNotFound,
    WritePolicy,
    exp,
    open_client,
    predicates,
)
from trio_aerospike.errors import ResultCode, UDFError
from trio_aerospike.indexes import IndexType
from trio_aerospike.query import QueryDuration, QueryPolicy
from trio_aerospike.server import Fault

from .conftest import NAMESPACE, Target
from .test_udf import name

__all__ = ["name"]

COUNT = 300
READY = 60.0
# A server never forgets the name of a set, and these tests need one of their own.
SETS = [f"udf-query-{number}" for number in range(8)]

SOURCE = b"""
function mark(rec, amount)
  rec.marked = (rec.marked or 0) + amount
  aerospike:update(rec)
  return rec.marked
end

function fail_odd(rec)
  if rec.n % 2 == 1 then error("odd") end
  rec.even = 1
  aerospike:update(rec)
end

function remove_over(rec, limit)
  if rec.n > limit then aerospike:remove(rec) end
end

local function mine(run)
  return function(rec) return rec.run == run end
end

function values(s, run)
  return s:filter(mine(run)):map(function(rec) return rec.n end)
end

function total(s, run)
  return s:filter(mine(run)):map(function(rec) return rec.n end):reduce(function(a, b) return a + b end)
end

function average(s, run, digits)
  return s:filter(mine(run))
    :aggregate(map{sum = 0, count = 0}, function(m, rec)
      m.sum = m.sum + rec.n
      m.count = m.count + 1
      return m
    end)
    :reduce(function(a, b) return map{sum = a.sum + b.sum, count = a.count + b.count} end)
    :map(function(m) return m.sum / m.count end)
end

function by_kind(s, run)
  return s:filter(mine(run)):map(function(rec) return map{kind = rec.kind, n = rec.n} end)
    :groupby(function(m) return m.kind end)
    :map(function(groups)
      local sizes = map()
      for kind, group in map.pairs(groups) do sizes[kind] = list.size(group) end
      return sizes
    end)
end

function facts(s, run)
  return s:filter(function(rec) return rec.run == run and rec.n == 5 end):map(function(rec)
    rec.n = 99
    return map{set = record.setname(rec), gen = record.gen(rec), n = rec.n, made = aerospike:create(rec),
               time = aerospike:get_current_time(), there = aerospike:exists(rec), digest = record.digest(rec)}
  end)
end

function arguments(s, run, ...)
  local given = list{...}
  return s:filter(mine(run)):map(function(rec) return given end):reduce(function(a, b) return a end)
end

function wide(s, run, size)
  return s:filter(mine(run)):map(function(rec) return string.rep("x", size) .. rec.n end)
end

function broken(s, run)
  return s:map(function(rec) return rec.nothing.more end)
end

function broken_here(s, run)
  return s:map(function(rec) return 1 end):reduce(function(a, b) return a end):map(function(v) return v.x.y end)
end

function endless_here(s, run)
  return s:map(function(rec) return 1 end):reduce(function(a, b) return a end):map(function(v) while true do end end)
end

function pattern_here(s, run)
  return s:map(function(rec) return 1 end):reduce(function(a, b) return a end)
    :map(function(v) return string.find(string.rep("a", 3000), string.rep(".-", 30) .. "b") end)
end

function table_here(s, run)
  return s:map(function(rec) return 1 end):reduce(function(a, b) return a end):map(function(v) return {} end)
end
"""


@attrs.frozen
class Filled:
    """A set with records of a run, and the module."""

    client: Client
    set_name: str
    run: str
    keys: list[Key]
    module: str

    @property
    def mine(self) -> exp.Expression:
        return exp.str_bin("run") == self.run

    async def marks(self) -> list[int | None]:
        results = await self.client.batch_read(self.keys)
        return [None if one.record is None else one.record.get("marked") for one in results]


@pytest.fixture
async def filled(client: Client, name: Callable[[], str]) -> AsyncIterator[Filled]:
    put = await client.udf_put(SOURCE, name=name(), wait=30)
    run, set_name = secrets.token_hex(6), secrets.choice(SETS)
    keys = [Key(NAMESPACE, set_name, f"{run}-{number}") for number in range(COUNT)]
    bins = [{"run": run, "n": n, "kind": ("a", "b", "c")[n % 3]} for n in range(COUNT)]
    policy = BatchPolicy(total_timeout=30.0)
    async with client.put_many(zip(keys, bins, strict=True), policy=policy) as written:
        assert all([result.ok async for result in written])
    yield Filled(client, set_name, run, keys, put.name.removesuffix(".lua"))
    with trio.CancelScope(shield=True, deadline=trio.current_time() + 30):
        await client.batch_remove(keys, policy=policy)


# In the background ----------------------------------------------------------------------------------------------------


async def test_a_function_works_on_every_record_that_is_found_and_on_no_other(filled: Filled) -> None:
    below = filled.mine & (exp.int_bin("n") < 100)
    job = await filled.client.query_apply(NAMESPACE, filled.set_name, filled.module, "mark", [7], filter=below)
    progress = await job.wait(READY)
    assert progress.done and progress.failed == 0 and progress.succeeded >= 100
    assert await filled.marks() == [7] * 100 + [None] * (COUNT - 100)


async def test_a_function_works_on_what_an_index_finds(filled: Filled) -> None:
    index = f"i{secrets.token_hex(6)}"
    job = await filled.client.create_index(NAMESPACE, filled.set_name, "n", index, IndexType.NUMERIC)
    await job.wait(READY)
    try:
        work = await filled.client.query_apply(
            NAMESPACE,
            filled.set_name,
            filled.module,
            "mark",
            [1],
            where=predicates.between("n", 10, 19),
            filter=filled.mine,
        )
        await work.wait(READY)
        assert [n for n, mark in enumerate(await filled.marks()) if mark] == list(range(10, 20))
    finally:
        await filled.client.drop_index(NAMESPACE, index)


async def test_calls_that_fail_are_counted_and_the_others_done(filled: Filled) -> None:
    job = await filled.client.query_apply(NAMESPACE, filled.set_name, filled.module, "fail_odd", filter=filled.mine)
    progress = await job.wait(READY)
    assert (progress.succeeded, progress.failed) == (COUNT // 2, COUNT // 2)
    job = await filled.client.query_apply(NAMESPACE, filled.set_name, filled.module, "no_such", filter=filled.mine)
    progress = await job.wait(READY)
    assert (progress.succeeded, progress.failed) == (0, COUNT)


async def test_a_function_in_the_background_removes_records(filled: Filled) -> None:
    job = await filled.client.query_apply(
        NAMESPACE, filled.set_name, filled.module, "remove_over", [9], filter=filled.mine
    )
    await job.wait(READY)
    results = await filled.client.batch_read(filled.keys)
    assert [result.record is not None for result in results] == [True] * 10 + [False] * (COUNT - 10)


async def test_the_time_to_live_of_a_background_call_is_its_policys(filled: Filled) -> None:
    job = await filled.client.query_apply(
        NAMESPACE,
        filled.set_name,
        filled.module,
        "mark",
        [1],
        filter=filled.mine,
        policy=WritePolicy(ttl=5000, total_timeout=10.0),
    )
    await job.wait(READY)
    left = (await filled.client.get(filled.keys[0], policy=ReadPolicy(total_timeout=10.0))).ttl
    assert left is not None and 4900 < left <= 5000


async def test_a_background_call_is_cancelled(filled: Filled) -> None:
    job = await filled.client.query_apply(
        NAMESPACE, filled.set_name, filled.module, "mark", [1], filter=filled.mine, records_per_second=2
    )
    assert not (await job.poll()).done
    assert await job.cancel()
    with pytest.raises(AerospikeError) as caught:
        await job.wait(READY)
    assert caught.value.result_code == ResultCode.QUERY_ABORTED
    assert (await filled.marks()).count(1) < COUNT


async def test_wrong_background_calls_are_refused_by_name(client: Client, nothing_sent: Callable[[], None]) -> None:
    for words, arguments in {
        r"query_apply\.namespace": ("", "set", "m", "f"),
        r"query_apply\.set_name": (NAMESPACE, "x" * 64, "m", "f"),
        r"query_apply\.module": (NAMESPACE, "set", "", "f"),
        r"query_apply\.function": (NAMESPACE, "set", "m", 5),
        r"query_apply\.arguments": (NAMESPACE, "set", "m", "f", "text"),
    }.items():
        with pytest.raises(InvalidArgError, match=words):
            await client.query_apply(*arguments)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgError, match=r"query_apply\.policy"):
        await client.query_apply(NAMESPACE, "set", "m", "f", policy=WritePolicy(exists=Exists.UPDATE_ONLY))
    with pytest.raises(InvalidArgError, match=r"query_apply\.records_per_second"):
        await client.query_apply(NAMESPACE, "set", "m", "f", records_per_second=0)
    nothing_sent()


async def test_background_calls_on_a_set_that_does_not_exist_are_refused(client: Client) -> None:
    with pytest.raises(RecordNotFound):
        await client.query_apply(NAMESPACE, "no-such-set", "m", "f")


# Aggregations ---------------------------------------------------------------------------------------------------------


async def test_a_reduction_makes_one_value_of_all_nodes_records(filled: Filled) -> None:
    values = filled.client.aggregate(NAMESPACE, filled.set_name, filled.module, "total", [filled.run])
    assert await values.results() == [sum(range(COUNT))]
    assert "read to the end" in repr(values) or "left" in repr(values)


async def test_what_stands_behind_the_reduction_is_done_once(filled: Filled) -> None:
    [average] = await filled.client.aggregate(
        NAMESPACE, filled.set_name, filled.module, "average", [filled.run]
    ).results()
    assert average == sum(range(COUNT)) / COUNT


async def test_groups_of_all_nodes_are_joined(filled: Filled) -> None:
    [sizes] = await filled.client.aggregate(
        NAMESPACE, filled.set_name, filled.module, "by_kind", [filled.run]
    ).results()
    assert sizes == {"a": COUNT / 3, "b": COUNT / 3, "c": COUNT / 3}


async def test_values_without_a_reduction_stream_one_by_one(filled: Filled) -> None:
    found = []
    async with filled.client.aggregate(NAMESPACE, filled.set_name, filled.module, "values", [filled.run]) as values:
        async for value in values:
            found.append(value)
    assert sorted(found) == list(range(COUNT))


async def test_an_aggregation_takes_its_records_from_an_index(filled: Filled) -> None:
    index = f"i{secrets.token_hex(6)}"
    job = await filled.client.create_index(NAMESPACE, filled.set_name, "n", index, IndexType.NUMERIC)
    await job.wait(READY)
    try:
        values = filled.client.aggregate(
            NAMESPACE, filled.set_name, filled.module, "total", [filled.run], where=predicates.between("n", 1, 4)
        )
        assert await values.results() == [10]
    finally:
        await filled.client.drop_index(NAMESPACE, index)


async def test_records_of_a_stream_are_read_and_not_changed(filled: Filled) -> None:
    [facts] = await filled.client.aggregate(NAMESPACE, filled.set_name, filled.module, "facts", [filled.run]).results()
    assert facts == {
        "set": filled.set_name,
        "gen": 1,
        "n": 5,
        "made": 1,
        "time": 0,
        "there": True,
        "digest": filled.keys[5].digest,
    }


async def test_arguments_reach_the_function_on_both_sides(filled: Filled) -> None:
    given = [1, "text", 2.5, {"a": [1, b"\x01"]}]
    [found] = await filled.client.aggregate(
        NAMESPACE, filled.set_name, filled.module, "arguments", [filled.run, *given]
    ).results()
    assert found == given


async def test_the_module_may_be_given_with_the_call(filled: Filled) -> None:
    source = SOURCE.replace(b"m.sum / m.count", b"-1")
    [average] = await filled.client.aggregate(
        NAMESPACE, filled.set_name, filled.module, "average", [filled.run], source=source
    ).results()
    assert average == -1


async def test_nothing_comes_of_no_records(filled: Filled) -> None:
    assert (
        await filled.client.aggregate(NAMESPACE, filled.set_name, filled.module, "total", ["nobody's"]).results() == []
    )
    assert await filled.client.aggregate(NAMESPACE, "no-such-set", filled.module, "total", [""]).results() == []


async def test_leaving_early_ends_the_work_and_the_client_goes_on(filled: Filled) -> None:
    for _ in range(5):
        async with filled.client.aggregate(NAMESPACE, filled.set_name, filled.module, "values", [filled.run]) as values:
            async for _value in values:
                break
        with pytest.raises(trio.ClosedResourceError):
            await anext(values)
    assert (await filled.client.get(filled.keys[0]))["n"] == 0


async def test_values_of_many_megabytes_wait_for_a_slow_reader_and_none_is_lost(filled: Filled) -> None:
    found = []
    async with filled.client.aggregate(
        NAMESPACE, filled.set_name, filled.module, "wide", [filled.run, 50_000]
    ) as values:
        async for value in values:
            assert value[:50_000] == "x" * 50_000
            found.append(int(value[50_000:]))
            if len(found) % 100 == 1:
                await trio.sleep(0.1)
    assert sorted(found) == list(range(COUNT))


@pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.RESET, Fault.SILENCE])
async def test_a_node_that_does_not_answer_ends_an_aggregation_with_an_error_that_names_it(
    filled: Filled, target: Target, fault: Fault
) -> None:
    if target.embedded is None:
        pytest.skip("only the embedded server can be made to fail")
    lost = target.embedded.nodes[-1]

    async def react(kind: str, request: Any) -> Fault | None:
        return fault if kind == "message" else None

    lost.on_request = react
    values = filled.client.aggregate(
        NAMESPACE,
        filled.set_name,
        filled.module,
        "total",
        [filled.run],
        policy=QueryPolicy(socket_timeout=3.0, max_retries=0),
    )
    with pytest.raises(AerospikeTimeoutError if fault is Fault.SILENCE else ConnectionFailed) as caught:
        await values.results()
    lost.on_request = None
    assert caught.value.node == lost.name and lost.name in str(caught.value)


@pytest.mark.parametrize("function", ["total", "values"])
@pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.RESET, Fault.SILENCE, ResultCode.PARTITION_UNAVAILABLE])
async def test_all_is_done_again_where_a_node_failed_before_anything_was_handed_on(
    filled: Filled, target: Target, fault: Fault | ResultCode, function: str
) -> None:
    if target.embedded is None:
        pytest.skip("only the embedded server can be made to fail")
    failing, faults = target.embedded.nodes[-1], [fault]

    async def react(kind: str, request: Any) -> Fault | ResultCode | None:
        return faults.pop() if kind == "message" and faults else None

    failing.on_request = react
    policy = QueryPolicy(socket_timeout=2.0, max_retries=1)
    found = await filled.client.aggregate(
        NAMESPACE, filled.set_name, filled.module, function, [filled.run], policy=policy
    ).results()
    assert sum(found) == sum(range(COUNT))
    assert len(found) == (1 if function == "total" else COUNT)
    assert not faults

    # No more often than the policy says; a partition that has moved costs no retry.
    faults += [fault] * 2
    if fault is ResultCode.PARTITION_UNAVAILABLE:
        again = filled.client.aggregate(
            NAMESPACE, filled.set_name, filled.module, function, [filled.run], policy=policy
        )
        assert sum(await again.results()) == sum(range(COUNT)) and not faults
        failing.on_request = None
        return
    with pytest.raises(AerospikeError) as caught:
        await filled.client.aggregate(
            NAMESPACE, filled.set_name, filled.module, function, [filled.run], policy=policy
        ).results()
    failing.on_request = None
    assert caught.value.attempts == 2 and caught.value.node == failing.name


async def test_a_node_that_is_lost_on_the_way_costs_a_reduction_nothing(filled: Filled, target: Target) -> None:
    if target.embedded is None or len(target.embedded.nodes) < 2:
        pytest.skip("nodes of others are not stopped")
    lost = target.embedded.nodes[-1]
    found: list[Any] = []
    asked = trio.Event()

    async def react(kind: str, request: Any) -> None:
        if kind == "message":
            asked.set()

    lost.on_request = react

    async def aggregate() -> None:
        found.extend(
            await filled.client.aggregate(
                NAMESPACE, filled.set_name, filled.module, "total", [filled.run], records_per_second=100
            ).results()
        )

    async with trio.open_nursery() as nursery:
        nursery.start_soon(aggregate)
        await asked.wait()
        await target.embedded.stop_node(lost)
    assert found == [sum(range(COUNT))]


async def test_what_has_been_handed_on_is_not_done_again(filled: Filled, target: Target) -> None:
    if target.embedded is None or len(target.embedded.nodes) < 2:
        pytest.skip("nodes of others are not stopped")
    lost = target.embedded.nodes[-1]
    found = []
    with pytest.raises(ConnectionFailed) as caught:
        async with filled.client.aggregate(
            NAMESPACE, filled.set_name, filled.module, "wide", [filled.run, 50_000], records_per_second=10
        ) as values:
            async for value in values:
                found.append(value)
                if len(found) == 1:
                    await target.embedded.stop_node(lost)
    assert caught.value.node == lost.name
    assert 1 <= len(found) < COUNT and len(set(found)) == len(found)


async def test_an_error_on_a_node_has_its_message_and_line(filled: Filled) -> None:
    with pytest.raises(UDFError) as caught:
        await filled.client.aggregate(NAMESPACE, filled.set_name, filled.module, "broken", [filled.run]).results()
    assert f"{filled.module}.lua:" in str(caught.value) and "attempt to index a nil value" in str(caught.value)
    assert caught.value.node


async def test_an_error_in_the_clients_part_has_its_message_and_line(filled: Filled) -> None:
    with pytest.raises(UDFError, match=rf"in the client's part: {filled.module}\.lua:\d+: attempt to index"):
        await filled.client.aggregate(NAMESPACE, filled.set_name, filled.module, "broken_here", [filled.run]).results()
    with pytest.raises(UDFError, match="nothing that the database can hold"):
        await filled.client.aggregate(NAMESPACE, filled.set_name, filled.module, "table_here", [filled.run]).results()


async def test_a_missing_function_or_module_is_an_error(filled: Filled) -> None:
    with pytest.raises(UDFError, match="function not found"):
        await filled.client.aggregate(NAMESPACE, filled.set_name, filled.module, "no_such", []).results()
    with pytest.raises(UDFError, match="not found"):
        await filled.client.aggregate(NAMESPACE, filled.set_name, "no_such_module", "f", []).results()
    with pytest.raises(UDFError, match="UDF: Execution Error 1"):
        await filled.client.aggregate(
            NAMESPACE, filled.set_name, "no_such_module", "total", [filled.run], source=SOURCE
        ).results()
    with pytest.raises(UDFError, match=rf"{filled.module}\.lua:1: "):
        await filled.client.aggregate(
            NAMESPACE, filled.set_name, filled.module, "total", [filled.run], source=b"x = = 1"
        ).results()


@pytest.mark.parametrize("function", ["endless_here", "pattern_here"])
async def test_an_endless_function_in_the_clients_part_ends_with_the_timeout_or_the_callers_scope(
    filled: Filled, function: str
) -> None:
    policy = QueryPolicy(total_timeout=2.0)
    with pytest.raises(AerospikeTimeoutError, match="total_timeout"):
        await filled.client.aggregate(
            NAMESPACE, filled.set_name, filled.module, function, [filled.run], policy=policy
        ).results()
    ticks = 0
    with trio.move_on_after(1.0) as scope:
        async with trio.open_nursery() as nursery:

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await trio.sleep(0.01)
                    ticks += 1

            nursery.start_soon(tick)
            await filled.client.aggregate(NAMESPACE, filled.set_name, filled.module, function, [filled.run]).results()
    assert scope.cancelled_caught
    assert ticks > 10  # Trio went on while Lua was busy


async def test_a_limit_of_one_operation_leaves_room_inside_an_aggregation(filled: Filled, target: Target) -> None:
    async with open_client(target.hosts, timeout=10.0, max_concurrent_operations=1) as client:
        seen = 0
        async with client.aggregate(NAMESPACE, filled.set_name, filled.module, "values", [filled.run]) as values:
            async for n in values:
                if n % 50 == 0:
                    assert (await client.get(filled.keys[n]))["n"] == n
                seen += 1
        assert seen == COUNT


async def test_wrong_aggregations_are_refused_by_name(client: Client, nothing_sent: Callable[[], None]) -> None:
    for words, arguments in {
        r"aggregate\.namespace": ("", "set", "m", "f"),
        r"aggregate\.set_name": (NAMESPACE, 5, "m", "f"),
        r"aggregate\.module": (NAMESPACE, "set", "", "f"),
        r"aggregate\.function": (NAMESPACE, "set", "m", "x" * 128),
        r"aggregate\.arguments": (NAMESPACE, "set", "m", "f", {"a": 1}),
    }.items():
        with pytest.raises(InvalidArgError, match=words):
            client.aggregate(*arguments)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgError, match=r"aggregate\.source"):
        client.aggregate(NAMESPACE, "set", "m", "f", source="text")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgError, match=r"aggregate\.where"):
        client.aggregate(NAMESPACE, "set", "m", "f", where="n = 5")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgError, match=r"aggregate\.records_per_second"):
        client.aggregate(NAMESPACE, "set", "m", "f", records_per_second=-1)
    with pytest.raises(InvalidArgError, match=r"aggregate\.policy"):
        client.aggregate(NAMESPACE, "set", "m", "f", policy=QueryPolicy(expected_duration=QueryDuration.SHORT))
    nothing_sent()


async def test_without_lupa_the_error_says_what_to_install(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trio_aerospike._lua.is_available", lambda: False)
    with pytest.raises(ClientError, match=r"pip install 'trio-aerospike\[udf\]'"):
        client.aggregate(NAMESPACE, "set", "m", "f")


async def test_values_are_had_once(filled: Filled) -> None:
    values = filled.client.aggregate(NAMESPACE, filled.set_name, filled.module, "total", [filled.run])
    with pytest.raises(RuntimeError, match="use `async with"):
        await anext(values)
    await values.results()
    with pytest.raises(RuntimeError, match="can be had once"):
        async with values:
            pass
