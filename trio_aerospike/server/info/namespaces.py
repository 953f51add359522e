"""Info commands about namespaces, sets and their records: statistics, truncation, eviction."""

from __future__ import annotations

from ..._wire.constants import CITRUSLEAF_EPOCH
from ..record_commands import MAX_TTL
from ..settings import Settings
from ..settings_tables import SET
from ..store import NamespaceStore
from . import statistics
from .protocols import NodeView
from .registry import MAX_INFO_NAMESPACE, MAX_INFO_SET, InfoRequest, bad_parameter, c_number, info_command


@info_command("namespaces")
def _namespaces(request: InfoRequest) -> str:
    return ";".join(request.node.stores)


@info_command("namespace")
def _namespace(request: InfoRequest) -> str:
    store = request.node.stores.get(request.params)
    return "type=unknown" if store is None else statistics.namespace_text(request.node, store)


@info_command("sets")
def _sets(request: InfoRequest) -> str:
    name, separator, set_name = request.params.partition("/")
    if name and name not in request.node.stores:
        return "ns_type=unknown"
    stores = [request.node.stores[name]] if name else list(request.node.stores.values())
    return "".join(_sets_text(request.node, store, set_name if separator else None) for store in stores)


def _sets_text(node: NodeView, store: NamespaceStore, set_name: str | None) -> str:
    """The answer to sets, sets/<namespace> or sets/<namespace>/<set>, for one namespace."""
    node.sweep(store)
    counts = dict.fromkeys(store.sets, (0, 0))
    counts.update({name: (count.objects, count.size) for name, count in store.all_counts().items() if name})
    namespace = store.config.name
    indexed = [definition.set_name for definition, _ in node.cluster.indexes.of(namespace) if not definition.is_of_set]
    text = ""
    for name, (objects, size) in counts.items():
        if set_name is not None and name != set_name:
            continue
        counters: dict[str, object] = {"ns": namespace, "set": name} if set_name is None else {}
        counters |= {
            "objects": objects,
            "tombstones": 0,
            "data_used_bytes": size,
            "truncate_lut": store.config.truncation.sets.get(name, 0),
            "sindexes": indexed.count(name),
            "index_populating": False,
            "truncating": False,
        }
        counters |= (store.set_settings.get(name) or Settings(SET)).values_with()
        text += statistics.joined(counters, ":") + ";"
    return text


@info_command("objects")
def _objects(request: InfoRequest) -> str:
    return str(sum(store.objects() for store in request.node.stores.values()))


# Truncation and eviction --------------------------------------------------------------------------------------


@info_command("truncate", permission="truncate")
def _truncate(request: InfoRequest) -> str:
    namespace = request.required("namespace", MAX_INFO_NAMESPACE)
    set_name = request.required("set", MAX_INFO_SET)
    return _set_threshold(request, namespace, set_name)


@info_command("truncate-namespace", permission="truncate")
def _truncate_namespace(request: InfoRequest) -> str:
    namespace = request.required("namespace", MAX_INFO_NAMESPACE)
    if request.param("set") is not None:
        raise bad_parameter("unexpected set name")
    return _set_threshold(request, namespace, None)


@info_command("truncate-undo", permission="truncate")
def _truncate_undo(request: InfoRequest) -> str:
    namespace = request.required("namespace", MAX_INFO_NAMESPACE)
    set_name = request.required("set", MAX_INFO_SET)
    request.node.cluster.truncations.pop(f"{namespace}|{set_name}", None)
    config = request.node.cluster.namespaces.get(namespace)
    if config is not None:
        config.truncation.sets.pop(set_name, None)
    return "ok"


@info_command("truncate-namespace-undo", permission="truncate")
def _truncate_namespace_undo(request: InfoRequest) -> str:
    namespace = request.required("namespace", MAX_INFO_NAMESPACE)
    if request.param("set") is not None:
        raise bad_parameter("unexpected set name")
    request.node.cluster.truncations.pop(namespace, None)
    config = request.node.cluster.namespaces.get(namespace)
    if config is not None:
        config.truncation.namespace = 0
    return "ok"


def _set_threshold(request: InfoRequest, namespace: str, set_name: str | None) -> str:
    """Set a truncation threshold on all nodes."""
    now = request.node.cluster.clock.milliseconds()
    threshold = now
    if (text := request.optional("lut", 24)) is not None:
        threshold = max(c_number(text) // 1_000_000 - CITRUSLEAF_EPOCH * 1000, 0)
        if threshold == 0:
            raise bad_parameter("would truncate to 0")
        if threshold > now:
            raise bad_parameter("would truncate in the future")
    truncations = request.node.cluster.truncations
    place = namespace if set_name is None else f"{namespace}|{set_name}"
    truncations[place] = max(truncations.get(place, 0), threshold)
    known = namespace in request.node.cluster.namespaces
    if set_name is None or (known and request.node.cluster.knows_set(namespace, set_name)):
        # A set that does not exist gets no threshold (server: truncate.c).
        request.node.cluster.truncate(namespace, set_name, threshold)
    return "ok"


@info_command("eviction-reset", permission="evict-admin")
def _eviction_reset(request: InfoRequest) -> str:
    """Remove the records that expire within a ttl; without a ttl, reset the eviction."""
    namespace = request.required("namespace", MAX_INFO_NAMESPACE)
    text = request.optional("ttl", 12)
    cluster = request.node.cluster
    if text is None:
        cluster.evictions.pop(namespace, None)
        return "ok"
    if (ttl := c_number(text)) > MAX_TTL:
        raise bad_parameter("ttl too big")
    cluster.evict(namespace, cluster.clock.seconds() + ttl)
    return "ok"
