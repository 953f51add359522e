"""Spans: their names and attributes are those of aerospike-py 0.14.4, and they leave the process over OTLP.

What is expected here was received from the published package, over OTLP, for the same steps with a real server.
"""

from __future__ import annotations

import functools
import gzip
import http.server
import json
import os
import subprocess
import sys
import textwrap
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import aerospike_py as aerospike
from aerospike_py._observability import controls, metrics, tracing
from aerospike_py._runtime import portal
from tests.compat.background import BackgroundCluster
from tests.timing import stopwatch
from trio_aerospike.server import Fault


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    metrics.trace(functools.partial(tracing.Spans, provider=provider))
    portal.carry_context = controls._carry_context
    yield exporter
    aerospike.shutdown_tracing()


@pytest.fixture
def key() -> tuple[str, str, str]:
    return ("test", f"spans{uuid.uuid4().hex[:6]}", "k")


def only(exporter: InMemorySpanExporter) -> tuple[ReadableSpan, dict[str, Any]]:
    [span] = exporter.get_finished_spans()
    exporter.clear()
    return span, dict(span.attributes or {})


READ = {"op": aerospike.OPERATOR_READ, "bin": "a"}


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("PUT", lambda client, key: client.put(key, {"a": 1})),
        ("GET", lambda client, key: client.get(key)),
        ("EXISTS", lambda client, key: client.exists((*key[:2], "missing"))),
        ("SELECT", lambda client, key: client.select(key, ["a"])),
        ("TOUCH", lambda client, key: client.touch(key)),
        ("INCREMENT", lambda client, key: client.increment(key, "a", 1)),
        ("APPEND", lambda client, key: client.append(key, "s", "x")),
        ("PREPEND", lambda client, key: client.prepend(key, "s", "x")),
        ("OPERATE", lambda client, key: client.operate(key, [READ])),
        ("OPERATE_ORDERED", lambda client, key: client.operate_ordered(key, [READ])),
        ("REMOVE_BIN", lambda client, key: client.remove_bin(key, ["s"])),
        ("BATCH_READ", lambda client, key: client.batch_read([key])),
        ("BATCH_WRITE", lambda client, key: client.batch_write([(key, {"a": 1})])),
        ("BATCH_OPERATE", lambda client, key: client.batch_operate([key], [READ])),
        ("QUERY", lambda client, key: client.query(*key[:2]).results()),
        ("BATCH_REMOVE", lambda client, key: client.batch_remove([key])),
        ("DELETE", lambda client, key: client.remove(key)),
    ],
)
def test_operations_have_the_names_and_attributes_of_the_published_package(
    make_client: Callable[..., Any],
    shared_cluster: BackgroundCluster,
    exporter: InMemorySpanExporter,
    key: Any,
    name: str,
    command: Callable[[Any, Any], Any],
):
    client = make_client(hosts=shared_cluster.hosts, cluster_name="docker").connect()
    client.put(key, {"a": 1, "s": "x"})
    exporter.clear()
    command(client, key)
    span, attributes = only(exporter)
    host, port = attributes.pop("server.address"), attributes.pop("server.port")
    assert (host, port) in shared_cluster.hosts
    assert attributes == {
        "db.system.name": "aerospike",
        "db.namespace": "test",
        "db.collection.name": key[1],
        "db.operation.name": name,
        "db.aerospike.cluster_name": "docker",
    }
    assert (span.name, span.kind, span.status.status_code) == (
        f"{name} test.{key[1]}",
        SpanKind.CLIENT,
        StatusCode.UNSET,
    )
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "aerospike-py"


@pytest.mark.parametrize(
    ("command", "kind", "by_the_server"),
    [
        (lambda client, key: client.get((*key[:2], "missing")), "KeyNotFoundError", True),
        (lambda client, key: client.put(key, {"a": 1}, None, {"exists": 4}), "KeyExistsError", True),
        (lambda client, key: client.append(key, "a", "x"), "BinTypeError", True),
        (lambda client, key: client.get(key, {"total_timeout": 100}), "Timeout", False),
    ],
)
def test_an_error_has_its_name_and_only_a_servers_is_a_status_code(
    make_client: Callable[..., Any],
    start_cluster: Callable[..., BackgroundCluster],
    exporter: InMemorySpanExporter,
    key: Any,
    command: Callable[[Any, Any], Any],
    kind: str,
    by_the_server: bool,
):
    cluster = start_cluster()
    client = make_client(hosts=cluster.hosts).connect()
    client.put(key, {"a": 1})
    exporter.clear()

    async def silent(request_kind: str, request: object) -> Fault | None:
        return Fault.SILENCE if request_kind == "message" and not by_the_server else None

    cluster.set(on_request=silent)
    with pytest.raises(aerospike.AerospikeError) as caught:
        command(client, key)
    span, attributes = only(exporter)
    assert attributes["error.type"] == kind
    assert attributes.get("db.response.status_code") == (kind if by_the_server else None)
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, str(caught.value))


def test_administration_has_no_spans_and_a_record_that_is_gone_is_no_error_of_remove(
    client: Any, exporter: InMemorySpanExporter, key: Any
):
    client.info_all("build")
    client.truncate("test", key[1])
    assert exporter.get_finished_spans() == ()
    with pytest.raises(aerospike.RecordNotFound):
        client.remove(key)
    span, attributes = only(exporter)
    assert span.status.status_code is StatusCode.UNSET
    assert "error.type" not in attributes


def test_the_size_of_a_batch_is_reported(client: Any, exporter: InMemorySpanExporter, key: Any):
    client.batch_read([key, (*key[:2], 2), (*key[:2], 3)])
    _, attributes = only(exporter)
    assert attributes["db.operation.batch.size"] == 3


# -- OTLP --------------------------------------------------------------------------------------------------------------


class Receiver(http.server.ThreadingHTTPServer):
    """Takes what is sent to it over OTLP by HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.taken: list[tuple[str, bytes]] = []
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def end(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Taking(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.taken.append((self.path, body))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.end()


PROGRAM = """
    import json, sys
    import aerospike_py as aerospike
    aerospike.init_tracing()
    with aerospike.client({"hosts": json.loads(sys.argv[1]), "cluster_name": "docker"}).connect() as client:
        client.put(("test", "otlp", "k"), {"a": 1})
        try:
            client.append(("test", "otlp", "k"), "a", "x")
        except aerospike.BinTypeError:
            pass
    aerospike.shutdown_tracing()
    client.connect().put(("test", "otlp", "k"), {"a": 1})       # nobody hears of this one
    client.close()
"""


def run(cluster: BackgroundCluster, program: str = PROGRAM, **environment: str) -> str:
    """Run a program in an environment of few variables; returns what it says on stderr."""
    command = [sys.executable, "-c", textwrap.dedent(program), json.dumps([list(host) for host in cluster.hosts])]
    paths = environment.get("PYTHONPATH"), os.environ.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_spans_are_exported_over_otlp_before_shutdown_returns(shared_cluster: BackgroundCluster, receiver: Receiver):
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    messages = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    said = run(shared_cluster, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
    assert said == ""
    assert {path for path, _ in receiver.taken} == {"/v1/traces"}
    spans: list[Any] = []
    for _, body in receiver.taken:
        for resource in messages.ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            assert named["service.name"] == "aerospike-py"
            spans += [span for scope in resource.scope_spans for span in scope.spans]
    assert [span.name for span in spans] == ["PUT test.otlp", "APPEND test.otlp"]
    told = {each.key: each.value.string_value or each.value.int_value for each in spans[1].attributes}
    assert told["error.type"] == told["db.response.status_code"] == "BinTypeError"
    assert told["server.port"] in {port for _, port in shared_cluster.hosts}


STOPPING = """
    import json, sys, time
    import aerospike_py as aerospike
    aerospike.init_tracing()
    with aerospike.client({"hosts": json.loads(sys.argv[1])}).connect() as client:
        client.put(("test", "otlp", "k"), {"a": 1})
    began = time.monotonic()
    aerospike.shutdown_tracing()
    assert time.monotonic() - began < 2
"""


def test_shutdown_does_not_wait_for_a_receiver_that_is_not_there(shared_cluster: BackgroundCluster):
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    with stopwatch() as took:
        run(
            shared_cluster,
            STOPPING,
            OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        )
    assert took.within(0.0, 5)  # nor does the interpreter's exit


def test_a_receiver_that_is_not_there_harms_no_command(shared_cluster: BackgroundCluster):
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    run(
        shared_cluster,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )


@pytest.mark.parametrize(
    ("missing", "protocol", "words"),
    [
        ("opentelemetry", "", "opentelemetry-api is not installed (pip install 'trio-aerospike[otel]')"),
        ("opentelemetry.sdk", "", "pip install 'trio-aerospike-compat[otel]', or opentelemetry-sdk"),
        ("opentelemetry.exporter", "", "pip install 'trio-aerospike-compat[otel]', or opentelemetry-sdk"),
        ("opentelemetry.exporter", "http/json", "'http/json', allowed: grpc, http/protobuf"),
    ],
)
def test_what_is_missing_is_said_and_commands_work(
    shared_cluster: BackgroundCluster, missing: str, protocol: str, words: str
):
    hidden = f"import logging, sys; logging.basicConfig(); sys.modules[{missing!r}] = None\n"
    said = run(shared_cluster, hidden + textwrap.dedent(PROGRAM), OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
    assert words in said
    assert said.count("\n") == 1
