"""Instruments are notified of every operation, in the context of its caller, and of nothing once they are removed."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any

import pytest
import trio
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import trio_aerospike as aero
from tests.integration.conftest import Keys, Target
from trio_aerospike import BatchPolicy, Client, Key, ReadPolicy, RecordNotFound, open_client
from trio_aerospike.errors import ConnectionFailed, InvalidArgError
from trio_aerospike.instruments import Instrument, Observation
from trio_aerospike.metrics import Metrics, StageMetrics
from trio_aerospike.server.faults import Fault
from trio_aerospike.tracing import Tracing


class Heard(Instrument):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.finished: list[Observation] = []

    def operation_started(self, observation: Observation) -> object:
        self.started.append(observation.operation)
        return observation

    def operation_finished(self, observation: Observation, token: object) -> None:
        assert token is observation
        self.finished.append(observation)

    @property
    def names(self) -> list[str]:
        assert [one.operation for one in self.finished] == self.started
        return self.started


@pytest.fixture
def heard() -> Heard:
    return Heard()


async def test_each_operation_is_reported_once_with_its_attributes(client: Client, heard: Heard, keys: Keys) -> None:
    key, other = keys(), keys()
    client.add_instrument(heard)
    await client.put(key, {"a": 1})
    await client.get(key)
    assert await client.exists(other) is None
    await client.operate(key, [aero.read("a")])
    await client.batch_read([key, other])
    async with client.get_many([key, other]) as stream:
        async for _ in stream:
            pass
    async with client.query("test", keys.set_name) as records:
        await records.results()
    await client.ping()
    await client.info_random_node("build")
    assert heard.names == [
        *("put", "get", "exists", "operate", "batch_read"),
        *(["get_many"] * heard.names.count("get_many")),
        *("query", "ping", "info_random_node"),
    ]
    assert heard.names.count("get_many") >= 1
    put, get, exists, _, batch = heard.finished[:5]
    assert (put.namespace, put.set_name, put.size, put.attempts, put.result_code) == ("test", keys.set_name, 1, 1, 0)
    assert put.error is None
    assert put.duration > 0
    nodes = {node.name: (node.host, node.port) for node in client.nodes()}
    assert get.node is not None
    assert nodes[get.node] == get.address
    assert exists.error is None  # that there is none is an answer
    assert exists.result_code == aero.ResultCode.RECORD_NOT_FOUND
    assert batch.size == 2
    query = heard.finished[-3]
    assert (query.namespace, query.set_name) == ("test", keys.set_name)
    assert heard.finished[-1].namespace == ""


async def test_an_error_is_reported_with_its_code(client: Client, heard: Heard, key: Key) -> None:
    client.add_instrument(heard)
    with pytest.raises(RecordNotFound) as info:
        await client.get(key)
    [seen] = heard.finished
    assert seen.error is info.value
    assert seen.error_type == "RecordNotFound"
    assert seen.result_code == aero.ResultCode.RECORD_NOT_FOUND
    assert seen.node == info.value.node
    assert not seen.in_doubt


async def test_what_is_refused_before_it_is_sent_is_no_operation(client: Client, heard: Heard, key: Key) -> None:
    client.add_instrument(heard)
    with pytest.raises(InvalidArgError):
        await client.put(key, {"a_name_too_long_": 1})
    with pytest.raises(TypeError):
        await client.truncate()  # type: ignore[call-arg]
    assert heard.names == []


async def test_attempts_are_counted_where_one_succeeds_in_the_end(target: Target, heard: Heard, keys: Keys) -> None:
    if target.embedded is None:
        pytest.skip("the server cannot be told to fail")
    key = keys()
    async with open_client(target.hosts, timeout=10.0, instruments=[heard]) as client:
        await client.put(key, {"a": 1})
        failures = 2

        async def fail_twice(kind: str, request: object) -> Fault | None:
            nonlocal failures
            if kind == "message" and failures:
                failures -= 1
                return Fault.RESET
            return None

        for node in target.embedded.nodes:
            node.on_request = fail_twice
        await client.get(key, policy=ReadPolicy(total_timeout=60.0, socket_timeout=30.0, max_retries=5))
        assert [one.attempts for one in heard.finished] == [1, 3]
        assert heard.finished[1].error is None

        failures = 1
        with pytest.raises(ConnectionFailed):
            await client.get(key, policy=ReadPolicy(total_timeout=60.0, socket_timeout=30.0, max_retries=0))
        assert heard.finished[2].attempts == 1
        assert heard.finished[2].error_type == "ConnectionFailed"


async def test_a_cancelled_operation_is_reported_as_cancelled(client: Client, heard: Heard, key: Key) -> None:
    client.add_instrument(heard)
    with trio.CancelScope() as scope:
        scope.cancel()
        await client.get(key)
    [seen] = heard.finished
    assert isinstance(seen.error, trio.Cancelled)
    assert seen.result_code is None


async def test_what_the_body_of_a_query_raises_is_no_failure_of_the_query(
    client: Client, heard: Heard, keys: Keys
) -> None:
    client.add_instrument(heard)
    with pytest.raises(KeyError):
        async with client.query("test", keys.set_name):
            raise KeyError("mine")
    assert [one.error for one in heard.finished] == [None]


async def test_an_operation_that_consists_of_others_is_reported_once(
    client: Client, heard: Heard, keys: Keys, tmp_path: Path
) -> None:
    if importlib.util.find_spec("lupa") is None:
        pytest.skip("functions are Lua: needs lupa")
    await client.put(keys(), {"a": 2})
    path = tmp_path / "told_sums.lua"
    path.write_text(
        "local function value(r) return r['a'] end\nlocal function add(x, y) return x + y end\n"
        "function total(s) return s : map(value) : reduce(add) end\n"
    )
    client.add_instrument(heard)
    await client.udf_put(path)
    await client.statistics()
    await client.namespaces()
    async with client.aggregate("test", keys.set_name, "told_sums", "total") as values:
        async for value in values:
            assert value >= 2
    await client.udf_remove("told_sums.lua")
    told = [name for name in heard.names if name != "udf_get"]  # the module that an aggregation wants as well
    assert told == ["udf_put", "statistics", "namespaces", "aggregate", "udf_remove"]
    assert heard.finished[-2].set_name == keys.set_name


async def test_a_client_without_instruments_is_as_it_was(client: Client, heard: Heard, key: Key) -> None:
    run, attributes = client._executor.run, set(vars(client))
    client.add_instrument(heard)
    client.add_instrument(heard)
    assert list(client.instruments) == [heard]
    await client.put(key, {"a": 1})
    client.remove_instrument(heard)
    assert not list(client.instruments)
    await client.get(key)
    await client.ping()
    assert heard.names == ["put"]
    assert client._executor.run == run
    assert set(vars(client)) == attributes


async def test_an_instrument_that_fails_is_dropped_and_disturbs_nobody(
    client: Client, heard: Heard, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Instrument):
        def operation_took(self, *args: Any) -> None:
            raise ZeroDivisionError("mine")

    client.add_instrument(Broken())
    client.add_instrument(heard)
    with caplog.at_level(logging.ERROR, "trio_aerospike"):
        await client.put(key, {"a": 1})
        await client.get(key)
    assert client.instruments == (heard,)
    assert heard.names == ["put", "get"]
    assert "Broken" in caplog.text
    assert caplog.text.count("ZeroDivisionError: mine") == 1


async def test_what_is_no_instrument_is_refused(client: Client) -> None:
    with pytest.raises(InvalidArgError, match="an Instrument"):
        client.add_instrument(print)  # type: ignore[arg-type]


async def test_metrics_count_the_operations_of_a_client(target: Target, keys: Keys) -> None:
    key = keys()
    metrics = Metrics()
    async with open_client(target.hosts, timeout=10.0, instruments=[metrics]) as client:
        with pytest.raises(RecordNotFound):
            await client.get(key)
        await client.put(key, {"a": 1})
        await client.get(key)
        await client.get(key)
        await client.batch_read([key])
    counts = {values[3:]: buckets[-1][1] for values, _, buckets in metrics.operations.series()}
    assert counts == {
        ("get", "RecordNotFound"): 1,
        ("put", ""): 1,
        ("get", ""): 2,
        ("batch_read", ""): 1,
    }


async def test_stages_of_batches_are_measured_only_where_somebody_listens(client: Client, keys: Keys) -> None:
    wanted = [keys() for _ in range(5)]
    await client.put(wanted[0], {"a": 1})
    metrics = StageMetrics()
    client.add_instrument(metrics)
    await client.batch_read(wanted)
    await client.batch_read_lazy(wanted, decode=False)
    stages = {values: buckets[-1][1] for values, _, buckets in metrics.stages.series()}
    assert stages == {(name, "batch_read"): 2 for name in ("key_parse", "limiter_wait", "io", "decode")}
    client.remove_instrument(metrics)
    client.add_instrument(Metrics())
    observers = client._cluster.observers
    assert observers is not None
    assert not observers.staged


def spans_of(exporter: InMemorySpanExporter) -> list[Any]:
    return list(exporter.get_finished_spans())


async def test_spans_are_children_of_the_callers_and_follow_the_conventions(target: Target, keys: Keys) -> None:
    key, other = keys(), keys()
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    tracing = Tracing(provider, cluster_name="docker")
    async with open_client(target.hosts, timeout=10.0, instruments=[tracing]) as client:

        async def work(name: str, own: Key) -> None:
            with tracer.start_as_current_span(name):
                await client.put(own, {"a": 1})
                await client.batch_read([own, own])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, "one", key)
            nursery.start_soon(work, "two", other)
        await client.remove(key)
        with pytest.raises(RecordNotFound):
            await client.remove(key)
    spans = spans_of(exporter)
    parents = {span.context.span_id: span.name for span in spans}
    place = f"test.{keys.set_name}"
    tree = sorted((parents.get(span.parent.span_id), span.name) for span in spans if span.parent is not None)
    assert tree == [(name, f"{what} {place}") for name in ("one", "two") for what in ("BATCH_READ", "PUT")]
    put = next(span for span in spans if span.name == f"PUT {place}")
    assert put.kind is trace.SpanKind.CLIENT
    assert put.status.is_unset
    address, port = put.attributes["server.address"], put.attributes["server.port"]
    assert isinstance(address, str)
    assert isinstance(port, int)
    assert {name: value for name, value in put.attributes.items() if not name.startswith("server.")} == {
        "db.system.name": "aerospike",
        "db.namespace": "test",
        "db.collection.name": keys.set_name,
        "db.operation.name": "put",
        "db.aerospike.cluster_name": "docker",
    }
    batch = next(span for span in spans if span.name == f"BATCH_READ {place}")
    assert batch.attributes["db.operation.batch.size"] == 2
    failed = [span for span in spans if span.name == f"REMOVE {place}"][1]
    assert failed.attributes["error.type"] == "RecordNotFound"
    assert failed.attributes["db.response.status_code"] == "2"
    assert failed.status.status_code is trace.StatusCode.ERROR


async def test_a_batch_without_an_answer_is_reported_as_the_error_that_it_raises(target: Target, heard: Heard) -> None:
    if target.embedded is None:
        pytest.skip("the server cannot be told to fail")
    async with open_client(target.hosts, timeout=10.0, instruments=[heard]) as client:

        async def never(kind: str, request: object) -> Fault | None:
            return Fault.RESET if kind == "message" else None

        for node in target.embedded.nodes:
            node.on_request = never
        with pytest.raises(ConnectionFailed):
            await client.batch_read([("test", "s", 1)], policy=BatchPolicy(total_timeout=30.0, max_retries=0))
        assert [one.error_type for one in heard.finished] == ["ConnectionFailed"]
