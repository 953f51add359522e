"""Info commands that get and set the configuration of a node (server: as/src/base/cfg_info.c)."""

from __future__ import annotations

from ...errors import ResultCode
from ..settings import Settings, Value
from ..settings_tables import SET
from ..store import NamespaceStore
from . import statistics
from .protocols import NodeView
from .registry import MAX_INFO_SET, InfoError, InfoRequest, bad_parameter, info_command, namespace_store

_CONTEXT_SIZE = 1024
_BENCHMARKS = (
    "enable-benchmarks-batch-sub",
    "enable-benchmarks-ops-sub",
    "enable-benchmarks-read",
    "enable-benchmarks-udf",
    "enable-benchmarks-udf-sub",
    "enable-benchmarks-write",
)


# get-config ---------------------------------------------------------------------------------------------------


@info_command("get-config", "config-get")
def _get_config(request: InfoRequest) -> str:
    node = request.node
    if not request.params:
        return f"{_service_text(node)};{_network_text(node)}"
    context = request.required("context", _CONTEXT_SIZE)
    if context == "service":
        return _service_text(node)
    if context == "network":
        return _network_text(node)
    if context == "namespace":
        return statistics.joined(namespace_store(request, "id").settings.values_with())
    if context in ("security", "xdr"):
        return ""
    raise bad_parameter("invalid context")


def _service_text(node: NodeView) -> str:
    known: dict[str, Value | None] = {"cluster-name": node.cluster.cluster_name, "node-id": node.name}
    return statistics.joined(node.settings.values_with(known))


def _network_text(node: NodeView) -> str:
    alternate = node.alternate_addresses[0] if node.alternate_addresses else None
    access = node.addresses[0] if node.addresses[0] != node.listen_address else None
    known: dict[str, Value | None] = {
        "service.port": node.port,
        "service.address": node.host,
        "service.access-port": 0 if access is None or access[1] == node.port else access[1],
        "service.access-address": None if access is None else access[0],
        "service.alternate-access-port": 0 if alternate is None or alternate[1] == node.port else alternate[1],
        "service.alternate-access-address": None if alternate is None else alternate[0],
        "heartbeat.address": node.host,
        "fabric.address": node.host,
    }
    return statistics.joined(node.network_settings.values_with(known))


# set-config ---------------------------------------------------------------------------------------------------


@info_command("set-config", "config-set", permission="set-config")
def _set_config(request: InfoRequest) -> str:
    context = request.required("context", _CONTEXT_SIZE)
    try:
        if context == "service":
            _set_service(request)
        elif context == "network":
            request.node.network_settings.change(request.param)
        elif context == "namespace":
            _set_namespace(request, namespace_store(request, "id"))
        elif context in ("security", "xdr"):
            raise InfoError(ResultCode.ENTERPRISE_ONLY, "enterprise only")
        else:
            raise bad_parameter("invalid context")
    except ValueError as error:
        raise bad_parameter("invalid set-config parameter") from error
    return "ok"


def _set_service(request: InfoRequest) -> None:
    node = request.node
    if request.param("microsecond-histograms") is not None and _is_benchmarked(node):
        raise ValueError("benchmarks are on")
    size = request.param("min-cluster-size")
    if size is not None and size.isdigit() and int(size) > len(node.cluster.members):
        raise ValueError("the cluster is smaller")
    name = node.settings.change(request.param)
    if name == "cluster-name":
        node.cluster.cluster_name = str(node.settings.values[name])
    elif name == "query-max-done":
        node.queries.keep(node.settings.number(name))


def _is_benchmarked(node: NodeView) -> bool:
    return node.settings.flag("enable-benchmarks-fabric") or any(
        store.settings.flag(name) for store in node.stores.values() for name in _BENCHMARKS
    )


def _set_namespace(request: InfoRequest, store: NamespaceStore) -> None:
    set_name = request.param("set")
    if set_name is None:
        store.settings.change(request.param)
        return
    if not 0 < len(set_name.encode()) < MAX_INFO_SET:
        raise ValueError("invalid name of a set")
    # The set exists from now on, even if the parameter is invalid.
    store.sets[set_name] = None
    own = store.set_settings.get(set_name) or Settings(SET, above=store.settings)
    own.change(request.param)
    store.set_settings[set_name] = own
