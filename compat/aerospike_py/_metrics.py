"""Metrics of all clients of the process, under the names that aerospike_py gives them, and the instruments for it.

Clients that are connected are known here, so that metrics and tracing can be turned on and off while they run: what is
off costs a client nothing.
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
from trio_aerospike.metrics import Metrics, stage_histogram

if TYPE_CHECKING:
    import trio_aerospike

#: What the published package counts, and ``apply``.
COUNTED: Final = frozenset(
    (
        *(
            "get",
            "select",
            "exists",
            "put",
            "append",
            "prepend",
            "increment",
            "touch",
            "remove_bin",
            "delete",
            "operate",
        ),
        *(
            "operate_ordered",
            "apply",
            "batch_read",
            "batch_write",
            "batch_write_numpy",
            "batch_operate",
            "batch_remove",
        ),
        *("batch_apply", "query"),
    )
)
#: Results as the published package calls them; others go by the name of their code.
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

#: What the call is known by, where it is carried out by another of the native client's.
_named: ContextVar[str | None] = ContextVar("aerospike_py_operation", default=None)


@contextlib.contextmanager
def named(operation: str) -> Iterator[None]:
    """What the native client does meanwhile is told of under this name."""
    token = _named.set(operation)
    try:
        yield
    finally:
        _named.reset(token)


def error_type(operation: str, error: BaseException) -> str:
    """What ``error_type`` is for an operation that failed."""
    for kind, name in _CLASSES:
        if isinstance(error, kind):
            return name
    code = error.result_code if isinstance(error, AerospikeError) else -1
    if code < 0:
        return type(error).__name__
    if operation == "delete" and code == ResultCode.RECORD_NOT_FOUND:
        return ""  # as in the published package, where that is a result like another
    name = _NAMES.get(code, "")
    if name:
        return name
    try:
        return "".join(part.capitalize() for part in ResultCode(code).name.split("_"))
    except ValueError:
        return f"Unknown{code}"


class ProcessMetrics(Metrics):
    """Counts operations under the names that they have in aerospike_py."""

    def operation_took(
        self, operation: str, namespace: str, set_name: str, seconds: float, error: BaseException | None
    ) -> None:
        """Count it."""
        name = name_of(operation)
        if error is None and name in COUNTED:  # the short way for what is on from the start
            self.operations.observe(("aerospike", namespace, set_name, name, ""), seconds)
        else:
            super().operation_took(name, namespace, set_name, seconds, error)


def name_of(operation: str) -> str:
    """What an operation of the native client is called in aerospike_py."""
    name = _named.get()
    if name is not None:
        return name
    return "delete" if operation == "remove" else operation


class Stages(Instrument):
    """Measures the stages of batches of reads that only the native client knows."""

    _NAMES: Final = {"limiter_wait": "limiter_wait", "io": "io", "decode": "into_pyobject"}

    def stage_finished(self, operation: str, stage: str, seconds: float) -> None:
        """Count it."""
        name = self._NAMES.get(stage)
        if name is not None and operation == "batch_read":
            _stage_seconds.observe((name, operation), seconds)


_metrics: Final = ProcessMetrics(error_type=error_type, only=COUNTED)
_stages: Final = Stages()
_stage_seconds: Final = stage_histogram()


class _Switches:
    """What is on, and the clients that have to know."""

    def __init__(self) -> None:
        self.metrics = True
        self.stages = os.environ.get("AEROSPIKE_PY_INTERNAL_METRICS", "").lower() in ("1", "true", "yes", "on")
        #: Makes what makes the spans of a client; and those that it has made.
        self.tracing: Callable[[trio_aerospike.Client], Instrument] | None = None
        self.spans: weakref.WeakKeyDictionary[trio_aerospike.Client, Instrument] = weakref.WeakKeyDictionary()
        self.lock = threading.Lock()
        self.clients: weakref.WeakSet[trio_aerospike.Client] = weakref.WeakSet()

    def wanted(self, client: trio_aerospike.Client) -> list[Instrument]:
        """What is to be told of what a client does."""
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
    """Take note of a client that has been connected."""
    with _switches.lock:
        _switches.clients.add(client)
        _settle(client)


def switch(*, metrics: bool | None = None, stages: bool | None = None) -> None:
    """Turn something on or off, for the clients there are and those to come."""
    with _switches.lock:
        if metrics is not None:
            _switches.metrics = metrics
        if stages is not None:
            _switches.stages = stages
        _settle_all()


def trace(tracing: Callable[[trio_aerospike.Client], Instrument] | None) -> None:
    """Have spans made by an instrument that this makes for each client, or none."""
    with _switches.lock:
        _switches.tracing = tracing
        _switches.spans.clear()
        _settle_all()


def _settle_all() -> None:
    for client in list(_switches.clients):
        _settle(client)


def _settle(client: trio_aerospike.Client) -> None:
    wanted = _switches.wanted(client)
    for instrument in client.instruments:
        if instrument not in wanted:
            client.remove_instrument(instrument)
    for instrument in wanted:
        client.add_instrument(instrument)


def metrics_on() -> bool:
    """Whether operations are counted."""
    return _switches.metrics


def stages_on() -> bool:
    """Whether stages are measured."""
    return _switches.stages


def tracing() -> bool:
    """Whether spans are made."""
    return _switches.tracing is not None


def stage_clock() -> float:
    """The time, where stages are measured; else 0."""
    return time.perf_counter() if _switches.stages else 0.0


def stage_done(stage: str, began: float) -> float:
    """A stage of a batch of reads is over, if it began while they were measured; returns the time now, as its start."""
    if not began:
        return stage_clock()
    now = time.perf_counter()
    _stage_seconds.observe((stage, "batch_read"), now - began)
    return now


def text() -> str:
    """Everything counted so far, in the text format of Prometheus."""
    lines = [*_metrics.operations.lines(), *_stage_seconds.lines(), "# EOF", ""]
    return "\n".join(lines)


def _renew_in_child() -> None:
    # A lock that another thread held when the process forked would stay taken.
    _switches.lock = threading.Lock()
    _switches.clients = weakref.WeakSet()
    for histogram in (_metrics.operations, _stage_seconds):
        histogram.renew()


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_renew_in_child)
