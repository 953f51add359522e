"""Info commands about how a cluster is formed, and what its nodes have in common (server: as/src/base/thr_info.c)."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from ..._wire import constants as wire
from ...errors import ResultCode
from ..commands import MAX_TTL
from ..settings import c_int
from ..sindex.registry import KINDS, TYPES, Definition
from . import statistics
from .handlers import (
    MAX_INFO_NAMESPACE,
    InfoError,
    InfoRequest,
    address_text,
    c_number,
    info_command,
    long_info_command,
)

_KIND_LETTERS = {KINDS["default"]: ".", KINDS["list"]: "L", KINDS["mapkeys"]: "K", KINDS["mapvalues"]: "V"}
_TYPE_LETTERS = {TYPES["numeric"]: "I", TYPES["string"]: "S", TYPES["blob"]: "B", TYPES["geo2dsphere"]: "G"}
_PARTITION_HEAD = (
    "namespace:partition:state:n_replicas:replica:succession:n_dupl:working_master:proxy_dst:emigrates:"
    "lead_emigrates:immigrates:records:tombstones:regime:tree_id:version:final_version"
)


def _bad(message: str) -> InfoError:
    return InfoError(ResultCode.PARAM, message)


# Nodes --------------------------------------------------------------------------------------------------------


@info_command("recluster", permission="service-ctrl")
def _recluster(request: InfoRequest) -> str:
    cluster = request.node.cluster
    if request.node.name != max(cluster.members, default=request.node.name):
        return "ignored-by-non-principal"
    cluster.recluster()
    return "ok"


@info_command("services-alumni")
def _services_alumni(request: InfoRequest) -> str:
    return ";".join(address_text(peer.addresses[0]) for peer in request.node.alumni)


@info_command("services-alumni-reset", permission="service-ctrl")
def _services_alumni_reset(request: InfoRequest) -> str:
    node = request.node
    node.alumni = [peer for peer in node.alumni if peer in node.peers]
    return "ok"


@info_command("mesh")
def _mesh(request: InfoRequest) -> str:
    return f"{request.node.host}:{request.node.network_settings.number('heartbeat.port')}"


@info_command("mcast")
def _mcast(request: InfoRequest) -> str:
    # The mode that the server names is the one that was asked for.
    raise _bad("heartbeat is in multicast mode")


@info_command("tip", permission="service-ctrl")
def _tip(request: InfoRequest) -> str:
    """Another node to look for; those of an embedded cluster know each other, so that is only noted."""
    host, port = request.required("host", 1024), request.required("port", 50)
    tls = request.optional("tls", 50)
    try:
        number = c_int(port)
    except ValueError as error:
        raise _bad("'port' must be an integer") from error
    if tls not in (None, "true", "false"):
        raise _bad("'tls' must be either 'true' or 'false'")
    request.node.tips.add((host, number))
    return "ok"


@info_command("tip-clear", permission="service-ctrl")
def _tip_clear(request: InfoRequest) -> str:
    cleared = missing = 0
    for text in request.required("host-port-list", 3000).split(","):
        host, _, port = text.rpartition(":")
        try:
            seed = host.strip("[]"), c_int(port)
        except ValueError:
            break
        known = seed in request.node.tips
        request.node.tips.discard(seed)
        cleared += known
        missing += not known
    else:
        if not missing:
            return "ok"
    raise InfoError(ResultCode.SERVER, f"{cleared} cleared, {missing} not found")


@info_command("endpoints")
def _endpoints(request: InfoRequest) -> str:
    node = request.node
    access = node.addresses[0]
    alternate = node.alternate_addresses[0] if node.alternate_addresses else ("null", node.port)
    settings = node.network_settings
    told: dict[str, object] = {
        "service.port": node.port,
        "service.addresses": node.host,
        "service.access-port": access[1],
        "service.access-addresses": access[0],
        "service.alternate-access-port": alternate[1],
        "service.alternate-access-addresses": alternate[0],
    }
    for name in ("service.tls-", "service.tls-access-", "service.tls-alternate-access-", "admin.", "admin.tls-"):
        told |= {f"{name}port": 0, f"{name}addresses": "null"}
    for name in ("heartbeat", "fabric"):
        told |= {f"{name}.port": settings.number(f"{name}.port"), f"{name}.addresses": node.host}
        told |= {f"{name}.tls-port": 0, f"{name}.tls-addresses": "null"}
    return statistics.joined(told)


@long_info_command("partition-info")
def _partition_info(request: InfoRequest) -> Iterator[str]:
    node = request.node
    yield _PARTITION_HEAD
    for name, store in node.stores.items():
        table = node.cluster.tables[name]
        for number in range(wire.N_PARTITIONS):
            replicas = table.replicas(number)
            master = table.master(number)
            place = replicas.index(node.name) if node.name in replicas else -1
            waits = place >= 0 and not table.serves_reads(node.name, number)
            has_records = table.has_records(node.name, number)
            state = ("D" if waits else "S") if place >= 0 else "Z" if has_records else "A"
            ordered = [*replicas, *sorted(set(node.cluster.members) - set(replicas))]
            succession = ordered.index(node.name) if node.name in ordered else -1
            suffix = f".0.{'m' if master == node.name else '-'}p-"
            final = f"{int(node.cluster.cluster_key, 16):012x}{suffix}"
            version = final if has_records else f"{0:012x}{suffix}"
            yield (
                f"{name}:{number}:{state}:{len(replicas)}:{place}:{succession}:0:"
                f"{node.name if master == node.name else 0}:{master}:0:0:{int(waits)}:"
                f"{len(store.trees[number])}:0:{store.config.regime}:{int(has_records)}:{version}:{final}"
            )


# What all nodes know ------------------------------------------------------------------------------------------


@info_command("eviction-reset", permission="evict-admin")
def _eviction_reset(request: InfoRequest) -> str:
    """Have records end now that would soon end by themselves; without a ttl, no longer."""
    namespace = request.required("namespace", MAX_INFO_NAMESPACE)
    text = request.optional("ttl", 12)
    cluster = request.node.cluster
    if text is None:
        cluster.evictions.pop(namespace, None)
        return "ok"
    if (ttl := c_number(text)) > MAX_TTL:
        raise _bad("ttl too big")
    cluster.evict(namespace, cluster.clock.seconds() + ttl)
    return "ok"


@info_command("smd-info")
def _smd_info(request: InfoRequest) -> str:
    cluster = request.node.cluster
    key = cluster.cluster_key
    parts = [f"smd:n_pending_sets=0,n_events=0,n_nodes={len(cluster.members)},principal={max(cluster.members)}"]
    parts[0] += f",cluster_key={key}"
    for name in ("evict", "sindex", "truncate", "UDF"):
        count = len(_known(request, name))
        parts.append(f"{name}:committed_key={key},committed_tid={count},n_keys={count},state=pr")
    return "".join(f"{part};" for part in parts)


@info_command("smd-show")
def _smd_show(request: InfoRequest) -> str:
    module = request.required("module", 9).lower()
    if module in ("roster", "security", "xdr", "masking"):
        raise InfoError(ResultCode.ENTERPRISE_ONLY, "enterprise only")
    if module not in ("evict", "sindex", "truncate", "udf"):
        raise _bad("unknown 'module'")
    return ";".join(_known(request, module)) or "<empty>"


def _known(request: InfoRequest, module: str) -> list[str]:
    """The keys and values of what a cluster keeps in common."""
    cluster = request.node.cluster
    if module == "evict":
        return [f"{namespace}={void_time}" for namespace, void_time in cluster.evictions.items()]
    if module == "sindex":
        return [f"{_index_key(definition)}={name}" for definition, name in cluster.indexes.all()]
    if module == "truncate":
        return [f"{place}={threshold}" for place, threshold in cluster.truncations.items()]
    return [f"{name}={text}" for name, text in cluster.modules.exchanged()]


def _index_key(definition: Definition) -> str:
    if definition.is_of_set:
        return f"{definition.namespace}|{definition.set_name}|S"
    parts = [definition.namespace, definition.set_name, definition.bin_name]
    for letter, data in (("c", definition.context), ("e", definition.expression)):
        if data is not None:
            parts.append(letter + base64.b64encode(data).decode())
    return "|".join([*parts, _KIND_LETTERS[definition.kind], _TYPE_LETTERS[definition.type]])
