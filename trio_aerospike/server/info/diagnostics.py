"""Info commands for diagnostics: logs, dumps, threads, histograms (server: as/src/base/thr_info.c).

Only basic histograms have latencies; others are empty, as on a real server until they are enabled. Dumps go to the
logger `trio_aerospike.server`.
"""

from __future__ import annotations

import logging
import sys
import traceback

import trio

from ...errors import ResultCode
from ..settings import c_int
from .registry import MAX_INFO_SET, InfoError, InfoRequest, bad_parameter, info_command, namespace_store

logger: logging.Logger = logging.getLogger("trio_aerospike.server")

_LEVELS = {
    "CRITICAL": logging.CRITICAL,
    "WARNING": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
    "DETAIL": logging.DEBUG,
}
_CONTEXTS_TEXT = """
    misc alloc arenax hardware msg os secrets socket tls vault vmapx xmem aggr appeal as audit batch batch-sub bin
    config clustering deprecation drv-mem drv_pmem drv_ssd exchange exp fabric flat geo hb health hlc index info
    info-command key-busy migrate mrt-audit mrt-monitor namespace nsup particle partition proto proxy proxy-divert
    query record roster rw rw-client security service service-list sindex skew smd storage truncate tsvc udf xdr
    xdr-client masking
"""
_CONTEXTS = _CONTEXTS_TEXT.split()
_BASIC = ("read", "write", "udf", "batch-sub-read", "batch-sub-write", "batch-sub-udf", "pi-query", "si-query")
_STEPS = ("start", "restart", "dup-res", "master", "repl-write", "response")
_BENCHMARKS = {
    "benchmarks-read": ("start", "restart", "dup-res", "repl-ping", "local", "response"),
    "benchmarks-write": _STEPS,
    "benchmarks-udf": _STEPS,
    "benchmarks-batch-sub": (
        "prestart", "start", "restart", "dup-res", "repl-ping", "read-local", "write-master", "udf-master",
        "repl-write", "response",
    ),
    "benchmarks-udf-sub": _STEPS,
    "benchmarks-ops-sub": _STEPS,
}  # fmt: skip
_FABRIC = [
    f"fabric-{channel}-{step}"
    for channel in ("bulk", "ctrl", "meta", "rw")
    for step in ("send-init", "send-fragment", "recv-fragment", "recv-cb")
]
_HISTOGRAMS = ("ttl", "object-size", "object-size-linear")
_HELP_TEXT = """
    features node compatibility-id edition build_ee_sha build_sha build_arch build_time build_os build version
    statistics services-alumni services partition-generation best-practices cluster-name cluster-stable
    debug-record debug-record-meta dump-cluster dump-fabric dump-hb dump-hlc dump-migrates dump-rw dump-skew
    dump-wb-summary eviction-reset get-config get-sl get-stats health-outliers health-stats help histogram
    index-pressure jem-stats latencies log log-message log-set logs namespace namespaces peers-clear-alt
    peers-clear-std peers-generation physical-devices query-abort query-abort-all query-show recluster service
    services-alumni-reset set-config set-log sets sindex-create sindex-delete sindex-exists sindex-list
    sindex-stat status thread-traces tip tip-clear truncate truncate-namespace truncate-namespace-undo
    truncate-undo udf-get udf-list udf-put udf-remove
"""
_HELP = _HELP_TEXT.split()


@info_command("help")
def _help(request: InfoRequest) -> str:
    return ";".join(_HELP)


# The log ------------------------------------------------------------------------------------------------------


@info_command("logs")
def _logs(request: InfoRequest) -> str:
    return "0:stderr"


@info_command("log")
def _log(request: InfoRequest) -> str:
    """The log levels of the only sink, of all contexts or of one."""
    number, slash, context = request.params.partition("/")
    try:
        sink = c_int(number)
    except ValueError as error:
        raise bad_parameter("bad sink-id") from error
    if sink:
        raise InfoError(ResultCode.SERVER, "bad-id")
    levels = request.node.log_levels
    if not slash:
        return ";".join(f"{name}:{levels.get(name, 'INFO')}" for name in _CONTEXTS)
    if context not in _CONTEXTS:
        raise InfoError(ResultCode.SERVER, "bad-context")
    return f"{context}:{levels.get(context, 'INFO')}"


@info_command("log-set", "set-log", permission="logging-ctrl")
def _log_set(request: InfoRequest) -> str:
    name, _, rest = request.params.partition("=")
    if name != "id":
        raise bad_parameter("missing id")
    number, _, rest = rest.partition(";")
    if not (number.isascii() and number.isdigit()):
        raise bad_parameter("bad id")
    context, _, rest = rest.partition("=")
    if not context:
        raise bad_parameter("missing context")
    level = rest.partition(";")[0].upper()
    if not level:
        raise bad_parameter("bad level")
    if int(number) or level not in _LEVELS or context not in ("any", *_CONTEXTS):
        raise bad_parameter("bad parameter")
    request.node.log_levels.update(dict.fromkeys(_CONTEXTS if context == "any" else [context], level))
    return "ok"


@info_command("log-message", permission="logging-ctrl")
def _log_message(request: InfoRequest) -> str:
    who = request.optional("who", 128) or "unknown"
    logger.info("%s: %s: %s", request.node.name, who, request.required("message", 2048))
    return ""


# Dumps to the log ---------------------------------------------------------------------------------------------


def _dumped(request: InfoRequest) -> str:
    logger.info("%s: %r, %r", request.command, request.node, request.node.cluster)
    return "ok"


@info_command("dump-cluster", "dump-fabric", "dump-hb", "dump-hlc", "dump-migrates", permission="logging-ctrl")
def _dump(request: InfoRequest) -> str:
    if request.optional("verbose", 100) not in (None, "true", "false"):
        raise bad_parameter("'verbose' may be either 'true' or 'false'")
    return _dumped(request)


@info_command("dump-rw", "dump-skew", permission="logging-ctrl")
def _dump_plainly(request: InfoRequest) -> str:
    return _dumped(request)


@info_command("dump-wb-summary", permission="logging-ctrl")
def _dump_blocks(request: InfoRequest) -> str:
    """A fault of the real server: it checks the name of the namespace as the value of `verbose`."""
    if namespace_store(request, "ns").config.name not in ("true", "false"):
        raise bad_parameter("'verbose' may be either 'true' or 'false'")
    return _dumped(request)


@info_command("jem-stats", permission="logging-ctrl")
def _jem_stats(request: InfoRequest) -> str:
    """Write no memory statistics: there is no jemalloc, and no file is written on a client's request."""
    for name in ("file", "options", "sites"):
        request.optional(name, 100)
    return _dumped(request)


@info_command("thread-traces")
def _thread_traces(request: InfoRequest) -> str:
    parts = []
    for number, frame in sys._current_frames().items():
        parts.append(f"---------- {number} (0x{number:x}) ----------")
        parts += [f"{line.filename}:{line.lineno} {line.name}" for line in traceback.extract_stack(frame)]
    return ";".join(part.replace("\n", " ").replace("\t", " ") for part in parts)


# Histograms ---------------------------------------------------------------------------------------------------


@info_command("latencies")
def _latencies(request: InfoRequest) -> str:
    wanted = request.optional("hist", 100)
    if wanted is None:
        names = ["batch-index"]
        for namespace in request.node.stores:
            names += [f"{{{namespace}}}-{kind}" for kind in _BASIC]
    else:
        names = _histograms(request, wanted)
    now = trio.current_time()
    return ";".join(f"{name}:{request.node.latencies.text(name, now)}" for name in names)


def _histograms(request: InfoRequest, wanted: str) -> list[str]:
    if wanted in ("batch-index", "info"):
        return [wanted]
    if wanted == "benchmarks-fabric":
        return _FABRIC
    namespace, found, name = wanted.removeprefix("{").partition("}-")
    if not wanted.startswith("{") or not found or namespace not in request.node.stores:
        raise bad_parameter("bad hist name")
    if name in (*_BASIC, "read-touch", "re-repl", "proxy"):
        return [wanted]
    if name not in _BENCHMARKS:
        raise bad_parameter("bad hist name")
    return [f"{{{namespace}}}-{name.removeprefix('benchmarks-')}-{step}" for step in _BENCHMARKS[name]]


@info_command("histogram")
def _histogram(request: InfoRequest) -> str:
    store = namespace_store(request)
    name = request.required("type", 128)
    set_name = request.optional("set", MAX_INFO_SET)
    if set_name is not None and set_name not in store.sets:
        raise bad_parameter("unknown set name")
    if name not in _HISTOGRAMS:
        raise bad_parameter("unknown hist name")
    return "" if set_name is None else "hist-unavailable"


@info_command("index-pressure")
def _index_pressure(request: InfoRequest) -> str:
    return ";".join(f"{name}:0:0" for name in request.node.stores)
