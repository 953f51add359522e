"""Prometheus metrics of clients: histograms of how long operations take, by operation, set and error.

::

    metrics = Metrics()
    async with open_client("127.0.0.1:3000", instruments=[metrics]) as client:
        with serve_metrics(metrics, port=9464):
            ...

``metrics.text()`` is what a scrape gets, written by ``prometheus-client`` where that is installed
(``pip install "trio-aerospike[metrics]"``). ``metrics.register()`` adds them to a program's other metrics there. Any
number of clients may share one ``Metrics``.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from trio_aerospike._lazy import LazyModule
from trio_aerospike.instruments import Instrument

if TYPE_CHECKING:
    import prometheus_client
    from prometheus_client import core as prometheus_core
else:
    prometheus_client = LazyModule("prometheus_client")
    prometheus_core = LazyModule("prometheus_client.core")

__all__ = [
    "Histogram",
    "Metrics",
    "MetricsServer",
    "StageMetrics",
    "prometheus_text",
    "serve_metrics",
    "stage_histogram",
]

_logger = logging.getLogger("trio_aerospike")

#: Seconds: upper bounds of the histogram of operations, and of the one of their stages.
OPERATION_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
STAGE_BUCKETS: Final = (
    *(0.000001, 0.000005, 0.00001, 0.00005, 0.0001, 0.0005),
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0),
)
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
#: Series of one histogram at the most, as OpenTelemetry limits them: a program that uses sets of random names must not
#: run out of memory, nor make scrapes of many megabytes. Further ones are counted under OTHER.
SERIES_MAX: Final = 2_000
#: Series at the most in which some labels are OTHER, besides.
_OVERFLOW_MAX: Final = 500
#: The overflow label, under which further values are counted together.
OTHER: Final = "(other)"


class Histogram:
    """A histogram with labels, for any number of threads.

    Args:
        name, text: as Prometheus shows them.
        labels: names of the labels.
        bounds: upper bounds of the buckets, in seconds.
        unbounded: labels that programs may give any number of values: those of them that come when there are SERIES_MAX
            series are counted as OTHER, with the other labels as they are. None for all labels.
    """

    def __init__(
        self,
        name: str,
        text: str,
        labels: tuple[str, ...],
        bounds: tuple[float, ...],
        unbounded: tuple[str, ...] | None = None,
    ) -> None:
        self.name = name
        self.text = text
        self.labels = labels
        self.bounds = bounds
        self._unbounded = labels if unbounded is None else unbounded
        self._lock = threading.Lock()
        #: For each combination of labels: the sum, and the count for each bucket, +Inf last.
        self._series: dict[tuple[str, ...], list[float]] = {}

    def observe(self, values: tuple[str, ...], seconds: float) -> None:
        """Count one observation that took ``seconds``."""
        series = self._series.get(values)
        if series is None:
            series = self._new_series(values)
        place = 1 + bisect_left(self.bounds, seconds)
        with self._lock:
            series[0] += seconds
            series[place] += 1

    def _new_series(self, values: tuple[str, ...]) -> list[float]:
        with self._lock:
            if len(self._series) >= SERIES_MAX:
                values = tuple(
                    OTHER if label in self._unbounded else value
                    for label, value in zip(self.labels, values, strict=True)
                )
                if values not in self._series and len(self._series) >= SERIES_MAX + _OVERFLOW_MAX:
                    values = (OTHER,) * len(values)
            return self._series.setdefault(values, [0.0] * (len(self.bounds) + 2))

    def clear(self) -> None:
        """Drop all series."""
        with self._lock:
            self._series.clear()

    def renew(self) -> None:
        """Start empty in a forked child, with a lock that no thread of the parent holds."""
        self._lock = threading.Lock()
        self._series = {}

    def series(self) -> list[tuple[tuple[str, ...], float, list[tuple[str, int]]]]:
        """For each combination of labels: the sum, and how many took no longer than each bound."""
        with self._lock:
            copies = [(values, list(series)) for values, series in self._series.items()]
        found = []
        names = [*map(_decimal, self.bounds), "+Inf"]
        for values, (total, *counts) in copies:
            so_far = 0
            buckets = []
            for name, count in zip(names, counts, strict=True):
                so_far += int(count)
                buckets.append((name, so_far))
            found.append((values, total, buckets))
        return found

    def lines(self) -> Iterator[str]:
        """The histogram in the text format of Prometheus, line by line as ``prometheus-client`` writes it."""
        yield f"# HELP {self.name} {self.text}"
        yield f"# TYPE {self.name} histogram"
        for values, total, buckets in self.series():
            labels = dict(zip(self.labels, values, strict=True))
            for bound, count in buckets:
                yield f"{self.name}_bucket{_label_text({**labels, 'le': bound})} {_number_text(count)}"
            yield f"{self.name}_count{_label_text(labels)} {_number_text(buckets[-1][1])}"
            yield f"{self.name}_sum{_label_text(labels)} {_number_text(total)}"


def _label_text(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items())) + "}"


def _number_text(value: float) -> str:
    """Write a number as Go does, with an exponent from a million on."""
    text = repr(float(value))
    point = text.find(".")
    if value > 0 and point > 6:
        digits = f"{text[0]}.{text[1:point]}{text[point + 1 :]}".rstrip("0.")
        return f"{digits}e+0{point - 1}"
    return text


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _decimal(bound: float) -> str:
    """A bound without an exponent."""
    text = f"{bound:.9f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


class Metrics(Instrument):
    """Counts operations and how long they take: ``db_client_operation_duration_seconds``.

    Its labels follow OpenTelemetry's conventions for databases: ``db_system_name``, ``db_namespace``,
    ``db_collection_name`` (the set), ``db_operation_name`` (the client's method) and ``error_type``, which is empty
    where the operation was served.

    There are at most 2,000 series. After that, a set that has not been seen before is counted with the namespace and
    the set ``(other)``, under its operation and error.

    Args:
        error_type: says what ``error_type`` is for an operation, by its name, that raised something; None for the
            name of the error's class.
        only: names of the operations that are counted; None for all.
    """

    def __init__(
        self,
        *,
        error_type: Callable[[str, BaseException], str] | None = None,
        only: Iterable[str] | None = None,
    ) -> None:
        self._error_type = error_type
        self._only = None if only is None else frozenset(only)
        self.operations: Histogram = Histogram(
            "db_client_operation_duration_seconds",
            "Duration of database client operations.",
            ("db_system_name", "db_namespace", "db_collection_name", "db_operation_name", "error_type"),
            OPERATION_BUCKETS,
            unbounded=("db_namespace", "db_collection_name"),
        )

    def operation_took(
        self, operation: str, namespace: str, set_name: str, seconds: float, error: BaseException | None
    ) -> None:
        """Count the operation."""
        if self._only is not None and operation not in self._only:
            return
        name = ""
        if error is not None:
            name = type(error).__name__ if self._error_type is None else self._error_type(operation, error)
        self.operations.observe(("aerospike", namespace, set_name, operation, name), seconds)

    def histograms(self) -> tuple[Histogram, ...]:
        """The histograms that are exported."""
        return (self.operations,)

    def text(self) -> str:
        """Everything so far, in the text format of Prometheus."""
        return prometheus_text(self.histograms())

    def clear(self) -> None:
        """Drop everything counted so far."""
        for histogram in self.histograms():
            histogram.clear()

    def collect(self) -> Iterator[Any]:
        """The metrics as ``prometheus-client`` asks for them."""
        return map(_family, self.histograms())

    def register(self, registry: prometheus_client.CollectorRegistry | None = None) -> None:
        """Register the metrics with ``prometheus-client``.

        Args:
            registry: the registry; None for the library's default.

        Raises:
            ImportError: prometheus-client is not installed.
        """
        try:
            chosen = prometheus_client.REGISTRY if registry is None else registry
        except ImportError as error:
            raise ImportError(
                "Metrics.register needs prometheus-client, an extra: pip install 'trio-aerospike[metrics]'"
            ) from error
        chosen.register(self)


def prometheus_text(histograms: Iterable[Histogram]) -> str:
    """Write histograms in the text format of Prometheus, with ``prometheus-client`` where that is installed.

    Args:
        histograms: which; several with different names.
    """
    families: Any = _Families(histograms)
    try:
        text = prometheus_client.generate_latest(families).decode()
    except ImportError:
        text = "".join(f"{line}\n" for histogram in families.histograms for line in histogram.lines())
    return f"{text}# EOF\n"


class _Families:
    """The histograms as ``prometheus-client`` asks for them."""

    def __init__(self, histograms: Iterable[Histogram]) -> None:
        self.histograms = list(histograms)

    def collect(self) -> Iterator[Any]:
        return map(_family, self.histograms)


def _family(histogram: Histogram) -> prometheus_core.HistogramMetricFamily:
    """A histogram as a metric family of ``prometheus-client``."""
    family = prometheus_core.HistogramMetricFamily(
        histogram.name.removesuffix("_seconds"), histogram.text, labels=histogram.labels, unit="seconds"
    )
    for values, total, buckets in histogram.series():
        family.add_metric(values, buckets, sum_value=total)
    return family


class StageMetrics(Metrics):
    """As :class:`Metrics`, and how long the stages of operations take: ``db_client_internal_stage_seconds``.

    Measuring stages costs a little; exchange the instruments of a client to turn it on and off.
    """

    def __init__(
        self,
        *,
        error_type: Callable[[str, BaseException], str] | None = None,
        only: Iterable[str] | None = None,
    ) -> None:
        super().__init__(error_type=error_type, only=only)
        self.stages: Histogram = stage_histogram()

    def stage_finished(self, operation: str, stage: str, seconds: float) -> None:
        """Count the operation."""
        self.stages.observe((stage, operation), seconds)

    def histograms(self) -> tuple[Histogram, ...]:
        """The histograms that are exported."""
        return (self.operations, self.stages)


def stage_histogram() -> Histogram:
    """An empty histogram of stages."""
    return Histogram(
        "db_client_internal_stage_seconds",
        "Duration of the stages within database client operations (key_parse, limiter_wait, io, decode, ...).",
        ("stage", "db_operation_name"),
        STAGE_BUCKETS,
    )


class MetricsServer:
    """Serves metrics over HTTP under ``/metrics``, in a thread of its own.

    Args:
        text: makes what a scrape gets.
        port: where to listen; 0 for any free port.
        host: the address; empty for all.
        exact: a request for ``/metrics`` with a query is one for something else, which is not there.

    Raises:
        OSError: the port is taken, or cannot be had.
    """

    def __init__(self, text: Callable[[], str], port: int = 9464, host: str = "", *, exact: bool = False) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if (self.path if exact else self.path.partition("?")[0]) != "/metrics":
                    self.send_response(404)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                body = text().encode()
                self.send_response(200)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                _logger.debug(f"metrics: {format}", *args)

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="trio_aerospike metrics", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening; scrapes under way are not waited for."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@contextlib.contextmanager
def serve_metrics(metrics: Metrics, port: int = 9464, host: str = "") -> Iterator[MetricsServer]:
    """Serve metrics over HTTP, under ``/metrics``, for as long as the block lasts.

    Args: see :class:`MetricsServer`.

    Raises:
        OSError: the port is taken, or cannot be had.
    """
    server = MetricsServer(metrics.text, port, host)
    try:
        yield server
    finally:
        server.close()
