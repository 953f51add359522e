"""OpenTelemetry spans of a client's operations.

``open_client(..., instruments=[Tracing()])``: each operation is a span, a child of the one in which it was called, with
the attributes that OpenTelemetry's conventions have for databases. Needs ``opentelemetry-api`` (``pip install
"trio-aerospike[otel]"``); what becomes of the spans is up to the program's tracer provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trio_aerospike._lazy import LazyModule
from trio_aerospike._version import __version__
from trio_aerospike.instruments import Instrument, Observation

if TYPE_CHECKING:
    from opentelemetry import trace
else:
    trace = LazyModule("opentelemetry.trace")

__all__ = ["Tracing"]


class Tracing(Instrument):
    """Makes a span of each operation, with the name ``GET test.users``.

    Attributes of a span: ``db.system.name``, ``db.namespace``, ``db.collection.name``, ``db.operation.name``,
    ``db.operation.batch.size`` of a batch, ``server.address`` and ``server.port`` of the node that answered,
    ``db.aerospike.cluster_name``, ``db.aerospike.attempts`` where there were several, and for one that failed
    ``error.type`` and ``db.response.status_code``.

    Args:
        tracer_provider: makes the spans; None for the program's own, as it is when an operation starts.
        cluster_name: is added to all spans, unless it is empty.

    Raises:
        ImportError: opentelemetry-api is not installed.
    """

    def __init__(self, tracer_provider: trace.TracerProvider | None = None, *, cluster_name: str = "") -> None:
        try:
            get_tracer = trace.get_tracer
        except ImportError as error:
            raise ImportError(
                "Tracing needs opentelemetry-api, an extra: pip install 'trio-aerospike[otel]'"
            ) from error
        self._tracer = get_tracer("trio_aerospike", __version__, tracer_provider)
        self._kind = trace.SpanKind.CLIENT
        self._error = trace.StatusCode.ERROR
        self._cluster_name = cluster_name

    def operation_started(self, observation: Observation) -> object:
        """Start a span, in the context of the caller."""
        operation = observation.operation
        place = ".".join(filter(None, (observation.namespace, observation.set_name)))
        attributes: dict[str, str | int] = {"db.system.name": "aerospike", "db.operation.name": operation}
        if observation.namespace:
            attributes["db.namespace"] = observation.namespace
        if observation.set_name:
            attributes["db.collection.name"] = observation.set_name
        if observation.size > 1:
            attributes["db.operation.batch.size"] = observation.size
        if self._cluster_name:
            attributes["db.aerospike.cluster_name"] = self._cluster_name
        return self._tracer.start_span(f"{operation.upper()} {place}".rstrip(), kind=self._kind, attributes=attributes)

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
            if observation.error is not None:
                token.set_attribute("error.type", observation.error_type)
                if observation.result_code is not None:
                    token.set_attribute("db.response.status_code", str(observation.result_code))
                token.set_status(self._error, str(observation.error))
        token.end()
