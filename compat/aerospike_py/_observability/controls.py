"""Switch logging, metrics and tracing: the functions of the package."""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from trio_aerospike.metrics import MetricsServer
from trio_aerospike.validation import shown

from .._conversion.policy_fields import checked_flag
from .._runtime import portal
from . import metrics, tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger("aerospike_py")

#: The level of LOG_LEVEL_TRACE, for which Python's logging has no name.
_TRACE: Final = 5

_LEVELS: Final = {
    -1: logging.CRITICAL + 1,
    0: logging.ERROR,
    1: logging.WARNING,
    2: logging.INFO,
    3: logging.DEBUG,
    4: _TRACE,
}
#: This package's, the native client's, and those whose names programs may have configured for the published package.
_LOGGERS: Final = ("aerospike_py", "trio_aerospike", "_aerospike", "_aerospike::client", "aerospike_core", "aerospike")


def set_log_level(level: int) -> None:
    """Set the level of the loggers of this package and of ``trio_aerospike``.

    Args:
        level: A LOG_LEVEL_ constant, from LOG_LEVEL_OFF to LOG_LEVEL_TRACE.

    Raises:
        ValueError: The level is unknown.
    """
    if level not in _LEVELS:
        allowed = "LOG_LEVEL_OFF (-1), _ERROR (0), _WARN (1), _INFO (2), _DEBUG (3) or _TRACE (4)"
        raise ValueError(f"Invalid log level: {shown(level)}, allowed: {allowed}")
    logging.addLevelName(_TRACE, "TRACE")
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(_LEVELS[level])


def dropped_log_count() -> int:
    """Return 0: no log message is lost. (The published package loses some while the interpreter exits.)"""
    return 0


def get_metrics() -> str:
    """Return the metrics of all clients of this process in the text format of Prometheus."""
    return metrics.text()


def set_metrics_enabled(enabled: bool) -> None:
    """Count operations, which is the default, or stop counting. Counts are kept.

    Raises:
        InvalidArgError: ``enabled`` is not a bool.
    """
    metrics.switch(metrics=checked_flag("set_metrics_enabled.enabled", enabled))


def is_metrics_enabled() -> bool:
    """Return whether operations are counted."""
    return metrics.metrics_on()


def set_internal_stage_metrics_enabled(enabled: bool) -> None:
    """Measure the stages of ``batch_read`` (``db_client_internal_stage_seconds``), or stop measuring them.

    The default is off, unless the environment has ``AEROSPIKE_PY_INTERNAL_METRICS=1``.

    Raises:
        InvalidArgError: ``enabled`` is not a bool.
    """
    metrics.switch(stages=checked_flag("set_internal_stage_metrics_enabled.enabled", enabled))


def is_internal_stage_metrics_enabled() -> bool:
    """Return whether stages are measured."""
    return metrics.stages_on()


@contextlib.contextmanager
def internal_stage_profiling() -> Iterator[None]:
    """Measure stages inside the block, and restore the setting afterwards."""
    before = metrics.stages_on()
    metrics.switch(stages=True)
    try:
        yield
    finally:
        metrics.switch(stages=before)


_server: MetricsServer | None = None
_server_lock = threading.Lock()


def start_metrics_server(port: int = 9464) -> None:
    """Serve ``get_metrics()`` over HTTP at ``/metrics``, in a thread of its own.

    There is one server per process: a running one is closed once the new one listens.

    Args:
        port: The port, on all addresses.

    Raises:
        OSError: The port is in use by another program; the running server is kept.
    """
    global _server
    with _server_lock:
        old = _server
        if old is not None and old.port == port:
            _server = None
            old.close()
            old = None
        _server = MetricsServer(get_metrics, port, exact=True)
        if old is not None:
            old.close()


def stop_metrics_server() -> None:
    """Stop the server if one is running."""
    global _server
    with _server_lock:
        server, _server = _server, None
        if server is not None:
            server.close()


#: Seconds in which the last spans must reach their collector.
_EXPORTING: Final = 1.0
#: The provider that ``init_tracing`` made, if it made one.
_provider: TracerProvider | None = None


def init_tracing() -> None:
    """Create spans for the operations of all clients, present and future.

    Spans go to the program's own OpenTelemetry tracer provider if it has set one. Otherwise one is made, if
    opentelemetry-sdk and an OTLP exporter are installed; it follows the ``OTEL_`` variables of the environment, with
    ``aerospike-py`` as the default service name. ``OTEL_SDK_DISABLED=true`` disables tracing.
    """
    global _provider
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    try:
        if _provider is None:
            _provider = tracing.make_provider()
            if _provider is not None:
                atexit.register(shutdown_tracing)
        metrics.trace(functools.partial(tracing.Spans, provider=_provider))
    except ImportError as error:
        logger.warning(
            "there will be no spans, as opentelemetry-api is not installed (pip install 'trio-aerospike[otel]'): %s",
            error,
        )
        return
    portal.carry_context = _carry_context


def shutdown_tracing() -> None:
    """Stop creating spans, and export the remaining ones within a second."""
    global _provider
    atexit.unregister(shutdown_tracing)
    portal.carry_context = None
    metrics.trace(None)
    provider, _provider = _provider, None
    if provider is not None:
        # An exporter retries for longer than a program that stops should wait.
        exporting = threading.Thread(target=provider.shutdown, name="aerospike_py tracing", daemon=True)
        try:
            exporting.start()
        except RuntimeError:
            provider.shutdown()  # the interpreter is exiting, and Python 3.12 starts no more threads then
        else:
            exporting.join(_EXPORTING)


def _carry_context(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Wrap a function that runs in another thread so that its spans are children of the caller's span."""
    from opentelemetry import context

    here = context.get_current()

    async def run(*args: Any, **kwargs: Any) -> Any:
        token = context.attach(here)
        try:
            return await function(*args, **kwargs)
        finally:
            context.detach(token)

    return run
