"""Logging, metrics and tracing under the names of aerospike_py."""

from __future__ import annotations

import asyncio
import functools
import logging
import multiprocessing
import os
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

import aerospike_py as aerospike
from aerospike_py._observability import controls, metrics, tracing
from aerospike_py._runtime import portal
from tests.compat.background import BackgroundCluster
from trio_aerospike.errors import AerospikeError, ResultCode, error_from_code


@pytest.fixture
def set_name() -> str:
    """A name that no other test counts under."""
    return f"metrics-{uuid.uuid4().hex[:8]}"


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    yield
    aerospike.set_metrics_enabled(True)
    aerospike.set_internal_stage_metrics_enabled(False)
    aerospike.stop_metrics_server()
    aerospike.shutdown_tracing()


def counts(set_name: str) -> dict[tuple[str, str], float]:
    """Of each operation on a set, with each outcome, how many were counted."""
    return {
        (sample.labels["db_operation_name"], sample.labels["error_type"]): sample.value
        for family in text_string_to_metric_families(aerospike.get_metrics().replace("# EOF\n", ""))
        for sample in family.samples
        if sample.name == "db_client_operation_duration_seconds_count"
        and sample.labels["db_collection_name"] == set_name
        and sample.labels["db_system_name"] == "aerospike"
        and sample.labels["db_namespace"] == "test"
    }


def stages() -> dict[str, float]:
    return {
        sample.labels["stage"]: sample.value
        for family in text_string_to_metric_families(aerospike.get_metrics().replace("# EOF\n", ""))
        for sample in family.samples
        if sample.name == "db_client_internal_stage_seconds_count"
        and sample.labels["db_operation_name"] == "batch_read"
    }


def test_operations_are_counted_under_the_names_of_the_published_package(client: Any, set_name: str):
    key, other = ("test", set_name, 1), ("test", set_name, 2)
    assert aerospike.is_metrics_enabled()
    client.put(key, {"a": 1, "s": "x"})
    for _ in range(3):
        client.get(key)
    with pytest.raises(aerospike.RecordNotFound):
        client.get(other)
    with pytest.raises(aerospike.RecordExistsError):
        client.put(key, {"a": 1}, policy={"exists": aerospike.POLICY_EXISTS_CREATE_ONLY})
    with pytest.raises(aerospike.RecordGenerationError):
        client.put(key, {"a": 1}, meta={"gen": 77})
    with pytest.raises(aerospike.BinTypeError):
        client.append(key, "a", "x")
    client.exists(other)
    client.select(key, ["a"])
    client.increment(key, "a", 1)
    client.append(key, "s", "y")
    client.prepend(key, "s", "y")
    client.touch(key)
    client.operate(key, [{"op": aerospike.OPERATOR_READ, "bin": "a"}])
    client.operate_ordered(key, [{"op": aerospike.OPERATOR_READ, "bin": "a"}])
    client.remove_bin(key, ["s"])
    client.batch_read([key, other])
    client.batch_write([(key, {"a": 2})])
    client.batch_operate([key], [{"op": aerospike.OPERATOR_READ, "bin": "a"}])
    client.batch_remove([other])
    client.remove(key)
    with pytest.raises(aerospike.RecordNotFound):
        client.remove(key)
    client.ping()
    assert counts(set_name) == {
        ("put", ""): 1,
        ("get", ""): 3,
        ("get", "KeyNotFoundError"): 1,
        ("put", "KeyExistsError"): 1,
        ("put", "GenerationError"): 1,
        ("append", "BinTypeError"): 1,
        ("exists", ""): 1,
        ("select", ""): 1,
        ("increment", ""): 1,
        ("append", ""): 1,
        ("prepend", ""): 1,
        ("touch", ""): 1,
        ("operate", ""): 1,
        ("operate_ordered", ""): 1,
        ("remove_bin", ""): 1,
        ("batch_read", ""): 1,
        ("batch_write", ""): 1,
        ("batch_operate", ""): 1,
        ("batch_remove", ""): 1,
        ("delete", ""): 2,
    }


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (ResultCode.TIMEOUT, "Timeout"),
        (ResultCode.NO_MORE_CONNECTIONS, "NoMoreConnections"),
        (ResultCode.CONNECTION, "Connection"),
        (ResultCode.CLUSTER, "InvalidNode"),
        (ResultCode.FILTERED_OUT, "FilteredOut"),
        (ResultCode.PARTITION_UNAVAILABLE, "PartitionUnavailable"),
        (ResultCode.PARAM, "ParameterError"),
        (ResultCode.BIN_NAME, "BinNameTooLong"),
        (9999, "Unknown9999"),
    ],
)
def test_errors_have_the_names_of_the_published_package(code: int, name: str):
    assert metrics.error_type("get", error_from_code(code)) == name


def test_an_error_of_the_client_s_own_is_named_by_its_class():
    assert metrics.error_type("get", AerospikeError("x", result_code=-1)) == "AerospikeError"
    assert metrics.error_type("get", KeyError("x")) == "KeyError"


def test_counting_is_turned_off_and_on_for_clients_that_are_connected(client: Any, set_name: str):
    key = ("test", set_name, 1)
    client.put(key, {"a": 1})
    aerospike.set_metrics_enabled(False)
    assert not aerospike.is_metrics_enabled()
    assert client._native.instruments == ()  # costs nothing
    client.get(key)
    client.batch_read([key])
    aerospike.set_metrics_enabled(True)
    client.get(key)
    assert counts(set_name) == {("put", ""): 1, ("get", ""): 1}


@pytest.mark.parametrize("switch", [aerospike.set_metrics_enabled, aerospike.set_internal_stage_metrics_enabled])
@pytest.mark.parametrize("value", [1, 0, None, "x"])
def test_what_is_no_bool_turns_nothing_on_or_off(switch: Any, value: Any):
    with pytest.raises(aerospike.InvalidArgError, match="enabled: got"):
        switch(value)
    assert aerospike.is_metrics_enabled()
    assert not aerospike.is_internal_stage_metrics_enabled()


def test_connecting_closing_and_truncating_are_logged(
    make_client: Any, shared_cluster: BackgroundCluster, set_name: str, caplog: pytest.LogCaptureFixture
):
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("aerospike_py").handlers)
    caplog.set_level(logging.DEBUG, "aerospike_py")
    client = make_client(hosts=shared_cluster.hosts).connect()
    client.truncate("test", set_name)
    client.close()
    said = [(name, level, text) for name, level, text in caplog.record_tuples if "trio" not in name]
    assert [(name, level) for name, level, _ in said] == [
        ("aerospike_py", logging.INFO),
        ("aerospike_py", logging.INFO),
        ("_aerospike::client", logging.WARNING),
        ("aerospike_py", logging.DEBUG),
    ]
    for text, (_, _, found) in zip(
        ("connecting to", "connected to", f"ns=test set={set_name}", "closing"), said, strict=True
    ):
        assert text in found


def test_stages_of_batches_are_measured_inside_the_block(client: Any, set_name: str):
    key = ("test", set_name, 1)
    client.put(key, {"a": 1})
    before = stages()
    client.batch_read([key]).to_dict()
    assert stages() == before
    assert not aerospike.is_internal_stage_metrics_enabled()
    with pytest.raises(ZeroDivisionError):
        with aerospike.internal_stage_profiling():
            assert aerospike.is_internal_stage_metrics_enabled()
            records = client.batch_read([key])
            records.to_dict()
            aerospike.LazyBatchRecords.merge_to_dict([records])
            raise ZeroDivisionError
    assert not aerospike.is_internal_stage_metrics_enabled()
    new = {name: count - before.get(name, 0) for name, count in stages().items()}
    resumed = new.pop("event_loop_resume_delay", 0)
    assert resumed == (1 if hasattr(client, "runner") else 0)
    assert {name: count for name, count in new.items() if count} == {
        "tokio_schedule_delay": 1,
        "key_parse": 1,
        "limiter_wait": 1,
        "io": 1,
        "into_pyobject": 1,
        "to_dict": 2,
        "merge_to_dict": 1,
    }


def test_stages_are_on_from_the_start_where_the_environment_says_so():
    code = "import aerospike_py as a; print(a.is_internal_stage_metrics_enabled(), a.is_metrics_enabled())"
    for value, expected in (("1", "True True"), ("", "False True")):
        environment = {**os.environ, "AEROSPIKE_PY_INTERNAL_METRICS": value}
        said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert said.stdout.split() == expected.split()


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text: str = answer.read().decode()
        return text


def test_the_metrics_server_has_nothing_else():
    aerospike.start_metrics_server(0)
    assert controls._server is not None
    port = controls._server.port
    for other in ("/", "/metrics?x=1", "/metrics/"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{other}", timeout=30)
        with caught.value as refusal:
            assert (refusal.code, refusal.read()) == (404, b"")
    aerospike.stop_metrics_server()


def test_the_metrics_server_starts_moves_starts_again_and_stops():
    aerospike.start_metrics_server(0)
    assert controls._server is not None
    first = controls._server.port
    assert scrape(first).startswith("# HELP db_client_operation_duration_seconds")
    aerospike.start_metrics_server(first)
    assert "# EOF" in scrape(first)
    aerospike.start_metrics_server(0)
    second = controls._server.port
    assert second != first
    assert "# EOF" in scrape(second)
    with pytest.raises(urllib.error.URLError):
        scrape(first)
    aerospike.stop_metrics_server()
    aerospike.stop_metrics_server()
    with pytest.raises(urllib.error.URLError):
        scrape(second)


def test_log_levels_hold_for_all_loggers():
    names = ("aerospike_py", "trio_aerospike", "aerospike", "_aerospike", "aerospike_core")
    before = {name: logging.getLogger(name).level for name in names}
    try:
        for level, expected in (
            (aerospike.LOG_LEVEL_OFF, logging.CRITICAL + 1),
            (aerospike.LOG_LEVEL_ERROR, logging.ERROR),
            (aerospike.LOG_LEVEL_WARN, logging.WARNING),
            (aerospike.LOG_LEVEL_INFO, logging.INFO),
            (aerospike.LOG_LEVEL_DEBUG, logging.DEBUG),
            (aerospike.LOG_LEVEL_TRACE, 5),
        ):
            aerospike.set_log_level(level)
            assert {logging.getLogger(name).level for name in names} == {expected}
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
    assert logging.getLevelName(5) == "TRACE"
    with pytest.raises(ValueError, match="LOG_LEVEL_"):
        aerospike.set_log_level(9)
    assert aerospike.dropped_log_count() == 0
    assert aerospike.logger is logging.getLogger("aerospike_py")


@pytest.fixture
def spans() -> Iterator[tuple[trace.Tracer, InMemorySpanExporter]]:
    """Spans of clients, made by a provider of the test's own."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    metrics.trace(functools.partial(tracing.Spans, provider=provider))
    portal.carry_context = controls._carry_context
    yield provider.get_tracer("test"), exporter
    aerospike.shutdown_tracing()


def family(exporter: InMemorySpanExporter) -> list[tuple[str | None, str]]:
    """Each span's parent and name."""
    done = exporter.get_finished_spans()
    names = {span.context.span_id: span.name for span in done if span.context is not None}
    return sorted(
        [(None if span.parent is None else names[span.parent.span_id], span.name) for span in done],
        key=lambda pair: (str(pair[0]), pair[1]),
    )


def test_spans_of_threads_are_children_of_the_caller_s(
    spans: tuple[trace.Tracer, InMemorySpanExporter], shared_cluster: BackgroundCluster, set_name: str
):
    tracer, exporter = spans
    key = ("test", set_name, 1)
    client = aerospike.client({"hosts": shared_cluster.hosts, "cluster_name": "docker"}).connect()
    with tracer.start_as_current_span("request"):
        client.put(key, {"a": 1})  # in this thread
        client.batch_read([key])  # in the portal's
        client.remove(key)
    client.close()
    assert family(exporter) == [
        (None, "request"),
        ("request", f"BATCH_READ test.{set_name}"),
        ("request", f"DELETE test.{set_name}"),
        ("request", f"PUT test.{set_name}"),
    ]


def test_spans_of_tasks_are_children_of_each_task_s(
    spans: tuple[trace.Tracer, InMemorySpanExporter], shared_cluster: BackgroundCluster, set_name: str
):
    tracer, exporter = spans

    async def work(client: Any, name: str) -> None:
        key = ("test", set_name, name)
        with tracer.start_as_current_span(name):
            await client.put(key, {"a": 1})
            await client.batch_read([key])

    async def main() -> None:
        async with aerospike.AsyncClient({"hosts": shared_cluster.hosts, "cluster_name": "docker"}) as client:
            await client.connect()
            await asyncio.gather(*(work(client, name) for name in ("one", "two", "three")))

    asyncio.run(main())
    names = ("one", "three", "two")
    assert family(exporter) == [
        *((None, name) for name in names),
        *((name, f"{what} test.{set_name}") for name in names for what in ("BATCH_READ", "PUT")),
    ]


def test_tracing_is_set_up_and_shut_down(client: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    aerospike.init_tracing()
    assert not metrics.tracing()
    monkeypatch.delenv("OTEL_SDK_DISABLED")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    aerospike.init_tracing()
    assert metrics.tracing()
    assert [type(one).__name__ for one in client._native.instruments] == ["ProcessMetrics", "Spans"]
    client.ping()
    aerospike.shutdown_tracing()
    aerospike.shutdown_tracing()
    assert not metrics.tracing()
    assert [type(one).__name__ for one in client._native.instruments] == ["ProcessMetrics"]


def test_without_opentelemetry_there_is_a_warning_and_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with caplog.at_level(logging.WARNING, "aerospike_py"):
        aerospike.init_tracing()
    assert "pip install 'trio-aerospike[otel]'" in caplog.text
    assert not metrics.tracing()


def _in_child(hosts: Any, set_name: str, out: Any) -> None:
    inherited = counts(set_name)
    client = aerospike.client({"hosts": hosts, "cluster_name": "docker"}).connect()
    client.put(("test", set_name, 2), {"a": 1})
    out.put((inherited, counts(set_name)))
    client.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_counts_its_own(shared_cluster: BackgroundCluster, set_name: str):
    with aerospike.client({"hosts": shared_cluster.hosts, "cluster_name": "docker"}).connect() as client:
        client.put(("test", set_name, 1), {"a": 1})
        context = multiprocessing.get_context("fork")
        out = context.SimpleQueue()
        child = context.Process(target=_in_child, args=(shared_cluster.hosts, set_name, out))
        child.start()
        assert out.get() == ({}, {("put", ""): 1})
        child.join(60)
        assert child.exitcode == 0
    assert counts(set_name) == {("put", ""): 1}
