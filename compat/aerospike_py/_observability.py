"""Logging, metrics and tracing, as functions of the package."""

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

from . import _metrics, _portal, _tracing
from ._policies import _flag

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger("aerospike_py")

#: The level of LOG_LEVEL_TRACE, which Python's logging has no name for.
_TRACE: Final = 5
logging.addLevelName(_TRACE, "TRACE")

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
    """Say how much the clients of this process log (to the loggers ``aerospike_py`` and ``trio_aerospike``).

    Args:
        level: A LOG_LEVEL_ constant, from LOG_LEVEL_OFF to LOG_LEVEL_TRACE.

    Raises:
        ValueError: It is none of them.
    """
    if level not in _LEVELS:
        allowed = "LOG_LEVEL_OFF (-1), _ERROR (0), _WARN (1), _INFO (2), _DEBUG (3) or _TRACE (4)"
        raise ValueError(f"Invalid log level: {shown(level)}, allowed: {allowed}")
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(_LEVELS[level])


def dropped_log_count() -> int:
    """How many log messages were lost: none, always. (The published package loses some while the interpreter exits.)"""
    return 0


def get_metrics() -> str:
    """The metrics of all clients of this process so far, in the text format of Prometheus."""
    return _metrics.text()


def set_metrics_enabled(enabled: bool) -> None:
    """Count operations (as it is at first), or do not. What was counted stays.

    Raises:
        InvalidArgError: It is no bool.
    """
    _metrics.switch(metrics=_flag("set_metrics_enabled.enabled", enabled))


def is_metrics_enabled() -> bool:
    """Whether operations are counted."""
    return _metrics.metrics_on()


def set_internal_stage_metrics_enabled(enabled: bool) -> None:
    """Measure the stages of ``batch_read`` as well (``db_client_internal_stage_seconds``), or do not.

    Off at first, unless the environment has ``AEROSPIKE_PY_INTERNAL_METRICS=1``.

    Raises:
        InvalidArgError: It is no bool.
    """
    _metrics.switch(stages=_flag("set_internal_stage_metrics_enabled.enabled", enabled))


def is_internal_stage_metrics_enabled() -> bool:
    """Whether stages are measured."""
    return _metrics.stages_on()


@contextlib.contextmanager
def internal_stage_profiling() -> Iterator[None]:
    """Measure stages inside the block; afterwards it is as it was before."""
    before = _metrics.stages_on()
    _metrics.switch(stages=True)
    try:
        yield
    finally:
        _metrics.switch(stages=before)


_server: MetricsServer | None = None
_server_lock = threading.Lock()


def start_metrics_server(port: int = 9464) -> None:
    """Serve ``get_metrics()`` over HTTP under ``/metrics``, from a thread of its own.

    There is one server: where one runs already it is closed, once the new one listens.

    Args:
        port: Where to listen, on all addresses.

    Raises:
        OSError: Another program has the port; the server that was running goes on.
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
    """Stop the server, if one runs."""
    global _server
    with _server_lock:
        server, _server = _server, None
        if server is not None:
            server.close()


#: Seconds that the last spans have to reach their collector.
_EXPORTING: Final = 1.0
#: What ``init_tracing`` set up, to be shut down again.
_provider: TracerProvider | None = None


def init_tracing() -> None:
    """Make spans of operations, for the clients there are and those to come.

    Spans go to the program's own tracer provider of OpenTelemetry, where it has set one. Otherwise one is made, if
    opentelemetry-sdk and the OTLP exporter are installed; it follows the ``OTEL_`` variables of the environment, with
    ``aerospike-py`` as the name of the service unless they say another. ``OTEL_SDK_DISABLED=true`` leaves all off.
    """
    global _provider
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    try:
        if _provider is None:
            _provider = _tracing.make_provider()
            if _provider is not None:
                atexit.register(shutdown_tracing)
        _metrics.trace(functools.partial(_tracing.Spans, provider=_provider))
    except ImportError as error:
        logger.warning(
            "there will be no spans, as opentelemetry-api is not installed (pip install 'trio-aerospike[otel]'): %s",
            error,
        )
        return
    _portal.carry = _carrying


def shutdown_tracing() -> None:
    """Make no more spans, and export those that have not been, if that takes no more than a second."""
    global _provider
    atexit.unregister(shutdown_tracing)
    _portal.carry = None
    _metrics.trace(None)
    provider, _provider = _provider, None
    if provider is not None:
        # An exporter tries again and again for longer than anybody waits who wants to stop.
        exporting = threading.Thread(target=provider.shutdown, name="aerospike_py tracing", daemon=True)
        try:
            exporting.start()
        except RuntimeError:
            provider.shutdown()  # the interpreter is exiting, and Python 3.12 starts no more threads then
        else:
            exporting.join(_EXPORTING)


def _carrying(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A function that runs in another thread as if it ran here, as far as spans are concerned."""
    from opentelemetry import context

    here = context.get_current()

    async def run(*args: Any, **kwargs: Any) -> Any:
        token = context.attach(here)
        try:
            return await function(*args, **kwargs)
        finally:
            context.detach(token)

    return run
