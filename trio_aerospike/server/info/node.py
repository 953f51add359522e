"""Info commands about the node itself: its build, name, clients and statistics; and those it does not support."""

from __future__ import annotations

import base64
import binascii
from collections import Counter

from ..._wire.constants import N_PARTITIONS
from ...errors import ResultCode
from . import statistics
from .registry import InfoError, InfoRequest, bad_parameter, info_command

BUILD = "8.1.2.0"
EDITION = "Aerospike Community Edition"
FEATURES = (
    "batch-any;batch-index;blob-bits;cdt-index;cdt-list;cdt-map;cluster-stable;float;geo;sindex-exists;peers;"
    "pipelining;pquery;pscans;query-show;relaxed-sc;replicas;replicas-all;replicas-master;replicas-max;"
    "truncate-namespace;udf"
)
_CONSTANTS = {
    "admin-clear-std": "",
    "admin-tls-std": "",
    "best-practices": "failed_best_practices=none",
    "build": BUILD,
    "build_arch": "any",
    "build_ee_sha": "",
    "build_os": "any",
    "build_sha": "",
    "build_time": "",
    "compatibility-id": "15",
    "connection": "admin=false",
    "digests": "RIPEMD160",
    "edition": EDITION,
    "features": FEATURES,
    "health-outliers": "",
    "health-stats": "",
    "partitions": str(N_PARTITIONS),
    "release": f"edition={EDITION};version={BUILD};os=any;arch=any;sha=",
    "status": "ok",
    "version": f"{EDITION} build {BUILD}",
}
_ENTERPRISE_ONLY = (
    "feature-key", "masking", "masking-show", "quiesce", "quiesce-undo", "rack-ids", "racks", "revive", "roster",
    "roster-set", "xdr-dc-state", "xdr-get-filter", "xdr-set-filter",
)  # fmt: skip


@info_command(*_CONSTANTS)
def _constant(request: InfoRequest) -> str:
    return _CONSTANTS[request.command]


@info_command(*_ENTERPRISE_ONLY)
def _enterprise_only(request: InfoRequest) -> str:
    raise InfoError(ResultCode.ENTERPRISE_ONLY, "enterprise only")


@info_command("debug-record", "debug-record-meta")
def _unsupported(request: InfoRequest) -> str:
    raise InfoError(ResultCode.UNSUPPORTED_FEATURE, "not supported by the embedded server")


@info_command("physical-devices")
def _physical_devices(request: InfoRequest) -> str:
    request.required("path", 1024)
    return _unsupported(request)


@info_command("get-stats")
def _get_stats(request: InfoRequest) -> str:
    if request.required("context", 1024) != "xdr":
        raise bad_parameter("unknown context")
    return ""


@info_command("node", "name", "get-sl")
def _node(request: InfoRequest) -> str:
    return request.node.name


@info_command("statistics")
def _statistics(request: InfoRequest) -> str:
    return statistics.node_text(request.node)


@info_command("user-agent-set")
def _user_agent_set(request: InfoRequest) -> str:
    if request.client.user_agent:
        raise bad_parameter("already set")
    value = request.required("value", 256)
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise bad_parameter("'value' invalid base64") from error
    request.client.user_agent = value
    return "ok"


@info_command("user-agents")
def _user_agents(request: InfoRequest) -> str:
    counts = Counter(client.user_agent for client in request.node.connections if client.user_agent)
    return "".join(f"user-agent={agent}:count={count};" for agent, count in counts.items())
