"""Histograms, their text, and the server that shows it."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from trio_aerospike.errors import RecordNotFound
from trio_aerospike.metrics import (
    OTHER,
    SERIES_MAX,
    Histogram,
    Metrics,
    MetricsServer,
    StageMetrics,
    prometheus_text,
    serve_metrics,
)

LABELS = {
    "db_system_name": "aerospike",
    "db_namespace": "test",
    "db_collection_name": "users",
    "db_operation_name": "get",
    "error_type": "",
}


def samples(text: str, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """What a Prometheus server would store of one series."""
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def labelled(**more: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({**LABELS, **more}.items()))


def counted() -> Metrics:
    metrics = Metrics()
    for seconds in (0.0005, 0.001, 0.02, 20.0):
        metrics.operation_took("get", "test", "users", seconds, None)
    metrics.operation_took("get", "test", "users", 0.25, RecordNotFound("none"))
    return metrics


def test_the_text_is_a_histogram_for_prometheus():
    text = counted().text()
    name = "db_client_operation_duration_seconds"
    assert samples(text, f"{name}_count") == {labelled(): 4, labelled(error_type="RecordNotFound"): 1}
    assert samples(text, f"{name}_sum")[labelled()] == pytest.approx(20.0215)
    buckets = samples(text, f"{name}_bucket")
    # A bound belongs to its bucket, and each holds those below it as well.
    assert [buckets[labelled(le=bound)] for bound in ("0.001", "0.005", "0.05", "10.0", "+Inf")] == [2, 2, 3, 3, 4]


def test_prometheus_client_shows_the_same():
    metrics = counted()
    registry = CollectorRegistry()
    metrics.register(registry)
    text = generate_latest(registry).decode()
    for suffix in ("count", "sum", "bucket"):
        name = f"db_client_operation_duration_seconds_{suffix}"
        assert samples(text, name) == samples(metrics.text(), name)


def test_labels_are_escaped():
    metrics = Metrics()
    strange = 'a"b\\c\nd'
    metrics.operation_took("get", "test", strange, 0.1, None)
    counts = samples(metrics.text(), "db_client_operation_duration_seconds_count")
    assert counts == {labelled(db_collection_name=strange): 1}


def test_names_without_end_are_counted_together():
    histogram = Histogram("h", "text", ("set",), (1.0,))
    for number in range(SERIES_MAX + 50):
        histogram.observe((str(number),), 0.5)
    counts = {values: buckets[-1][1] for values, _, buckets in histogram.series()}
    assert len(counts) == SERIES_MAX + 1
    assert counts[("(other)",)] == 50


def test_sets_without_end_are_counted_together_by_operation_and_error():
    metrics = Metrics()
    for number in range(SERIES_MAX):
        metrics.operation_took("get", "test", f"set-{number}", 0.1, None)
    size = len(metrics.text())
    for number in range(SERIES_MAX):
        for operation in ("get", "put"):
            metrics.operation_took(operation, "test", f"random-{number}", 0.1, None)
        metrics.operation_took("get", f"namespace-{number}", "s", 0.1, RecordNotFound("none"))
        metrics.operation_took("get", "test", f"set-{number}", 0.1, None)  # one that is known is counted as before
    counts = samples(metrics.text(), "db_client_operation_duration_seconds_count")
    other = {"db_namespace": OTHER, "db_collection_name": OTHER}
    assert counts[labelled(**other)] == SERIES_MAX
    assert counts[labelled(**other, db_operation_name="put")] == SERIES_MAX
    assert counts[labelled(**other, error_type="RecordNotFound")] == SERIES_MAX
    assert counts[labelled(db_collection_name="set-7")] == 2
    assert len(counts) == SERIES_MAX + 3
    assert len(metrics.text()) < size * 1.01


def test_series_are_bounded_whatever_label_has_values_without_end():
    metrics = Metrics(error_type=lambda operation, error: str(error))
    for number in range(3 * SERIES_MAX):
        metrics.operation_took("get", "test", str(number), 0.1, ValueError(str(number)))
    series = metrics.operations.series()
    assert len(series) <= 1.5 * SERIES_MAX
    assert sum(buckets[-1][1] for _, _, buckets in series) == 3 * SERIES_MAX


def test_threads_lose_no_count():
    histogram = Histogram("h", "text", ("set",), (1.0,))

    def count() -> None:
        for _ in range(5000):
            histogram.observe(("s",), 0.5)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert histogram.series() == [(("s",), 10000.0, [("1.0", 20000), ("+Inf", 20000)])]


def test_only_some_operations_may_be_counted_and_errors_named():
    metrics = Metrics(error_type=lambda operation, error: f"{operation}!", only=["get"])
    metrics.operation_took("put", "test", "s", 0.1, None)
    metrics.operation_took("get", "test", "s", 0.1, RecordNotFound("none"))
    [(values, _, _)] = metrics.operations.series()
    assert values == ("aerospike", "test", "s", "get", "get!")
    metrics.clear()
    assert metrics.operations.series() == []


def test_stages_are_a_histogram_of_their_own():
    metrics = StageMetrics()
    metrics.stage_finished("batch_read", "io", 0.000002)
    text = metrics.text()
    key = {"stage": "io", "db_operation_name": "batch_read"}
    buckets = samples(text, "db_client_internal_stage_seconds_bucket")
    assert buckets[tuple(sorted({**key, "le": "0.000001"}.items()))] == 0
    assert buckets[tuple(sorted({**key, "le": "0.000005"}.items()))] == 1


def test_a_server_shows_the_metrics_under_one_path():
    metrics = counted()
    with serve_metrics(metrics, port=0, host="127.0.0.1") as server:
        base = f"http://127.0.0.1:{server.port}"
        with urllib.request.urlopen(f"{base}/metrics", timeout=30) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert answer.read().decode() == metrics.text()
        with pytest.raises(urllib.error.HTTPError) as info:
            urllib.request.urlopen(f"{base}/", timeout=30)
        assert info.value.code == 404
        info.value.close()
        with pytest.raises(OSError):
            MetricsServer(metrics.text, server.port, "127.0.0.1")
        port = server.port
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30)


@pytest.mark.parametrize("seconds", [0.0, 0.25, 12.5, 999_999.0, 1_000_000.0, 123_456_789.25])
def test_the_text_without_prometheus_client_is_the_same(seconds: float) -> None:
    histogram = Histogram("waits_seconds", "Seconds.", ("name", "error"), (0.1, 1.0))
    histogram.observe(('a "name"\\\n', ""), seconds)
    histogram.observe(("b", "E"), 0.5)
    assert prometheus_text([histogram]) == "".join(f"{line}\n" for line in histogram.lines()) + "# EOF\n"
