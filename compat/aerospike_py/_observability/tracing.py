"""OpenTelemetry spans under the names of the published package, and the provider that exports them.

They are the spans of :mod:`trio_aerospike.tracing` with other names: the operations and errors that the metrics count,
in the scope ``aerospike-py``, for operations on records only.
"""

from __future__ import annotations

import importlib
import logging
import os
from typing import TYPE_CHECKING, Any, Final

from trio_aerospike.errors import AerospikeError
from trio_aerospike.instruments import Instrument, Observation

from .._version import __version__
from . import metrics

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

    import trio_aerospike

logger = logging.getLogger("aerospike_py")

#: Exporters by protocol of OTEL_EXPORTER_OTLP_PROTOCOL; without that variable, the first that is installed.
_EXPORTERS: Final = {
    "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
}


class Spans(Instrument):
    """Creates a span for each operation of one client.

    Args:
        client: The client; all spans have its ``cluster_name``, and its first seed where no single node answered.
        provider: Creates the spans; None for the program's own provider.

    Raises:
        ImportError: opentelemetry-api is not installed.
    """

    def __init__(self, client: trio_aerospike.Client, provider: TracerProvider | None) -> None:
        from opentelemetry import trace

        self._tracer = trace.get_tracer("aerospike-py", __version__, provider)
        self._kind = trace.SpanKind.CLIENT
        self._error = trace.StatusCode.ERROR
        seed = client.config.hosts[0]
        self._common: dict[str, str | int] = {
            "db.system.name": "aerospike",
            "db.aerospike.cluster_name": client.config.cluster_name,
            "server.address": seed.name,
            "server.port": seed.port,
        }

    def operation_started(self, observation: Observation) -> object:
        """Start a span in the caller's context."""
        operation = metrics.name_of(observation.operation)
        if operation not in metrics.COUNTED:
            return None
        attributes = self._common | {
            "db.operation.name": operation.upper(),
            "db.namespace": observation.namespace,
            "db.collection.name": observation.set_name,
        }
        if observation.size > 1:
            attributes["db.operation.batch.size"] = observation.size
        name = f"{operation.upper()} {observation.namespace}.{observation.set_name}"
        return self._tracer.start_span(name, kind=self._kind, attributes=attributes)

    def operation_finished(self, observation: Observation, token: Any) -> None:
        """End the span."""
        if token is None:
            return
        if token.is_recording():
            if observation.address is not None:
                token.set_attribute("server.address", observation.address[0])
                token.set_attribute("server.port", observation.address[1])
            if observation.attempts > 1:
                token.set_attribute("db.aerospike.attempts", observation.attempts)
            error = observation.error
            kind = "" if error is None else metrics.error_type(metrics.name_of(observation.operation), error)
            if kind:
                token.set_attribute("error.type", kind)
                if isinstance(error, AerospikeError) and error.result_code > 0:
                    token.set_attribute("db.response.status_code", kind)
                token.set_status(self._error, str(error))
        token.end()


def make_provider() -> TracerProvider | None:
    """Make a provider that exports spans; None if the program has its own, or no exporter is installed."""
    from opentelemetry import trace

    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none":
        return None
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporter = _make_exporter()
    except ImportError as error:
        logger.warning(
            "spans are made, and go nowhere: the program has set no tracer provider, and %s (pip install "
            "'trio-aerospike-compat[otel]', or opentelemetry-sdk opentelemetry-exporter-otlp)",
            error,
        )
        return None
    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME") or "aerospike-py"})
    # At exit, ``shutdown_tracing`` shuts it down within a time limit, whatever the collector does.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _make_exporter() -> SpanExporter:
    """Make the exporter for the protocol that the environment names.

    Raises:
        ImportError: No exporter for it is installed.
    """
    name = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
    protocol = os.environ.get(name) or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or ""
    if protocol and protocol not in _EXPORTERS:
        raise ImportError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}, allowed: {', '.join(_EXPORTERS)}")
    missing: ImportError | None = None
    for module in [_EXPORTERS[protocol]] if protocol else _EXPORTERS.values():
        try:
            exporter: SpanExporter = importlib.import_module(module).OTLPSpanExporter()
            return exporter
        except ImportError as error:
            missing = missing or error
    assert missing is not None
    raise missing
