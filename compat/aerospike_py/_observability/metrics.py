"""Metrics of all clients of the process under the names of aerospike_py, and the instruments that record them.

Connected clients are registered here, so that metrics and tracing can be switched while they run: what is off costs a
client nothing.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from trio_aerospike.errors import (
    AerospikeError,
    AerospikeTimeoutError,
    ClusterError,
    ConnectionFailed,
    NoMoreConnections,
    ResultCode,
)
from trio_aerospike.instruments import Instrument
from trio_aerospike.metrics import Metrics, prometheus_text, stage_histogram

from .._runtime.forking import install_fork_hook, reset_in_child

if TYPE_CHECKING:
    import trio_aerospike

#: Operations that the published package counts, and ``apply``.
COUNTED: Final = frozenset(
    (
        *("get", "select", "exists", "put", "append", "prepend", "increment", "touch", "remove_bin", "delete"),
        *("operate", "operate_ordered", "apply", "query"),
        *("batch_read", "batch_write", "batch_write_numpy", "batch_operate", "batch_remove", "batch_apply"),
    )
)
#: Names of results in the published package; other results have the name of their code.
_NAMES: Final[dict[int, str]] = {
    ResultCode.SERVER: "ServerError",
    ResultCode.RECORD_NOT_FOUND: "KeyNotFoundError",
    ResultCode.RECORD_GENERATION: "GenerationError",
    ResultCode.PARAM: "ParameterError",
    ResultCode.RECORD_EXISTS: "KeyExistsError",
    ResultCode.BIN_EXISTS: "BinExistsError",
    ResultCode.SERVER_MEM: "ServerMemError",
    ResultCode.BIN_TYPE: "BinTypeError",
    ResultCode.BIN_NAME: "BinNameTooLong",
    ResultCode.UDF: "UdfBadResponse",
    ResultCode.BATCH_MAX_REQUESTS: "BatchMaxRequestsExceeded",
    ResultCode.XDR_KEY_BUSY: "XDRKeyBusy",
}
_CLASSES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (AerospikeTimeoutError, "Timeout"),
    (NoMoreConnections, "NoMoreConnections"),
    (ConnectionFailed, "Connection"),
    (ClusterError, "InvalidNode"),
)

#: The name of the running operation where the native client carries it out under another.
_named: ContextVar[str | None] = ContextVar("aerospike_py_operation", default=None)


@contextlib.contextmanager
def named(operation: str) -> Iterator[None]:
    """Record what the native client does in the block under this name."""
    token = _named.set(operation)
    try:
        yield
    finally:
        _named.reset(token)


def error_type(operation: str, error: BaseException) -> str:
    """Return the label ``error_type`` of an operation that failed."""
    for kind, name in _CLASSES:
        if isinstance(error, kind):
            return name
    code = error.result_code if isinstance(error, AerospikeError) else -1
    if code < 0:
        return type(error).__name__
    if operation == "delete" and code == ResultCode.RECORD_NOT_FOUND:
        return ""  # as in the published package, which counts this as a success
    name = _NAMES.get(code, "")
    if name:
        return name
    try:
        return "".join(part.capitalize() for part in ResultCode(code).name.split("_"))
    except ValueError:
        return f"Unknown{code}"


class ProcessMetrics(Metrics):
    """Counts operations under their names in aerospike_py."""

    def operation_took(
        self, operation: str, namespace: str, set_name: str, seconds: float, error: BaseException | None
    ) -> None:
        """Count an operation."""
        name = name_of(operation)
        if error is None and name in COUNTED:  # the hot path, as metrics are on by default
            self.operations.observe(("aerospike", namespace, set_name, name, ""), seconds)
        else:
            super().operation_took(name, namespace, set_name, seconds, error)


def name_of(operation: str) -> str:
    """Return the name in aerospike_py of an operation of the native client."""
    name = _named.get()
    if name is not None:
        return name
    return "delete" if operation == "remove" else operation


class Stages(Instrument):
    """Measures those stages of batch reads that only the native client can measure."""

    _NAMES: Final = {"limiter_wait": "limiter_wait", "io": "io", "decode": "into_pyobject"}

    def stage_finished(self, operation: str, stage: str, seconds: float) -> None:
        """Count a stage."""
        name = self._NAMES.get(stage)
        if name is not None and operation == "batch_read":
            _stage_seconds.observe((name, operation), seconds)


_metrics: Final = ProcessMetrics(error_type=error_type, only=COUNTED)
_stages: Final = Stages()
_stage_seconds: Final = stage_histogram()


class _Switches:
    """Which instruments are on, and the clients that use them."""

    def __init__(self) -> None:
        self.metrics = True
        self.stages = os.environ.get("AEROSPIKE_PY_INTERNAL_METRICS", "").lower() in ("1", "true", "yes", "on")
        #: Makes the instrument that creates a client's spans; and the instruments that it has made.
        self.tracing: Callable[[trio_aerospike.Client], Instrument] | None = None
        self.spans: weakref.WeakKeyDictionary[trio_aerospike.Client, Instrument] = weakref.WeakKeyDictionary()
        self.lock = threading.Lock()
        self.clients: weakref.WeakSet[trio_aerospike.Client] = weakref.WeakSet()

    def instruments_of(self, client: trio_aerospike.Client) -> list[Instrument]:
        """Return the instruments that a client should have."""
        wanted: list[Instrument] = []
        if self.metrics:
            wanted.append(_metrics)
        if self.stages:
            wanted.append(_stages)
        if self.tracing is not None:
            if client not in self.spans:
                self.spans[client] = self.tracing(client)
            wanted.append(self.spans[client])
        return wanted


_switches = _Switches()


def attach(client: trio_aerospike.Client) -> None:
    """Register a client that has been connected."""
    with _switches.lock:
        _switches.clients.add(client)
        _update(client)


def switch(*, metrics: bool | None = None, stages: bool | None = None) -> None:
    """Switch something on or off for all clients, present and future."""
    install_fork_hook()
    with _switches.lock:
        if metrics is not None:
            _switches.metrics = metrics
        if stages is not None:
            _switches.stages = stages
        _update_all()


def trace(tracing: Callable[[trio_aerospike.Client], Instrument] | None) -> None:
    """Create spans with an instrument that ``tracing`` makes for each client; None: create none."""
    with _switches.lock:
        _switches.tracing = tracing
        _switches.spans.clear()
        _update_all()


def _update_all() -> None:
    for client in list(_switches.clients):
        _update(client)


def _update(client: trio_aerospike.Client) -> None:
    wanted = _switches.instruments_of(client)
    for instrument in client.instruments:
        if instrument not in wanted:
            client.remove_instrument(instrument)
    for instrument in wanted:
        client.add_instrument(instrument)


def metrics_on() -> bool:
    """Return whether operations are counted."""
    return _switches.metrics


def stages_on() -> bool:
    """Return whether stages are measured."""
    return _switches.stages


def tracing() -> bool:
    """Return whether spans are created."""
    return _switches.tracing is not None


def stage_clock() -> float:
    """Return the time if stages are measured, else 0."""
    return time.perf_counter() if _switches.stages else 0.0


def stage_done(stage: str, began: float) -> float:
    """Record a stage of a batch read that began at ``began``, unless that is 0. Returns the start of the next stage."""
    if not began:
        return stage_clock()
    now = time.perf_counter()
    _stage_seconds.observe((stage, "batch_read"), now - began)
    return now


def text() -> str:
    """Return all metrics so far in the text format of Prometheus."""
    return prometheus_text((_metrics.operations, _stage_seconds))


@reset_in_child
def _renew() -> None:
    # A lock that another thread held when the process forked would never be released.
    _switches.lock = threading.Lock()
    _switches.clients = weakref.WeakSet()
    for histogram in (_metrics.operations, _stage_seconds):
        histogram.renew()
