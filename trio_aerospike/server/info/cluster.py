"""Info commands about the cluster: its name, key and stability, and the metadata that its nodes share (SMD)."""

from __future__ import annotations

import base64

from ...errors import ResultCode
from ..settings import c_int
from ..sindex.registry import KINDS, TYPES, IndexDefinition
from .registry import MAX_INFO_NAMESPACE, InfoError, InfoRequest, bad_parameter, info_command

_KIND_LETTERS = {KINDS["default"]: ".", KINDS["list"]: "L", KINDS["mapkeys"]: "K", KINDS["mapvalues"]: "V"}
_TYPE_LETTERS = {TYPES["numeric"]: "I", TYPES["string"]: "S", TYPES["blob"]: "B", TYPES["geo2dsphere"]: "G"}


@info_command("cluster-name")
def _cluster_name(request: InfoRequest) -> str:
    return request.node.cluster.cluster_name


@info_command("cluster-stable")
def _cluster_stable(request: InfoRequest) -> str:
    node, cluster = request.node, request.node.cluster
    if not node.joined or cluster.losing:
        raise InfoError(ResultCode.CLUSTER_KEY_MISMATCH, "unstable cluster")
    if (size := request.optional("size", 4)) is not None:
        if not size.isdigit():
            raise bad_parameter("bad size")
        if int(size) != len(cluster.members):
            raise InfoError(ResultCode.CLUSTER_KEY_MISMATCH, "cluster not specified size")
    ignore = request.optional("ignore-migrations", 6)
    if ignore not in (None, "true", "false"):
        raise bad_parameter("bad ignore migrations")
    if (namespace := request.optional("namespace", MAX_INFO_NAMESPACE)) is not None and namespace not in node.stores:
        raise InfoError(ResultCode.INVALID_NAMESPACE, "namespace not found on node")
    if ignore != "true" and cluster.migrating:
        raise InfoError(ResultCode.CLUSTER_KEY_MISMATCH, "unstable cluster")
    return cluster.cluster_key


@info_command("recluster", permission="service-ctrl")
def _recluster(request: InfoRequest) -> str:
    cluster = request.node.cluster
    if request.node.name != max(cluster.members, default=request.node.name):
        return "ignored-by-non-principal"
    cluster.recluster()
    return "ok"


@info_command("mcast")
def _mcast(request: InfoRequest) -> str:
    # As in the server, the message names the mode that was asked for, not the actual one.
    raise bad_parameter("heartbeat is in multicast mode")


@info_command("tip", permission="service-ctrl")
def _tip(request: InfoRequest) -> str:
    """Add a seed node; it is only stored, as embedded nodes know each other."""
    host, port = request.required("host", 1024), request.required("port", 50)
    tls = request.optional("tls", 50)
    try:
        number = c_int(port)
    except ValueError as error:
        raise bad_parameter("'port' must be an integer") from error
    if tls not in (None, "true", "false"):
        raise bad_parameter("'tls' must be either 'true' or 'false'")
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


# System metadata ----------------------------------------------------------------------------------------------


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
        raise bad_parameter("unknown 'module'")
    return ";".join(_known(request, module)) or "<empty>"


def _known(request: InfoRequest, module: str) -> list[str]:
    """The keys and values of a module of the shared metadata."""
    cluster = request.node.cluster
    if module == "evict":
        return [f"{namespace}={void_time}" for namespace, void_time in cluster.evictions.items()]
    if module == "sindex":
        return [f"{_index_key(definition)}={name}" for definition, name in cluster.indexes.all()]
    if module == "truncate":
        return [f"{place}={threshold}" for place, threshold in cluster.truncations.items()]
    return [f"{name}={text}" for name, text in cluster.modules.exchanged()]


def _index_key(definition: IndexDefinition) -> str:
    if definition.is_of_set:
        return f"{definition.namespace}|{definition.set_name}|S"
    parts = [definition.namespace, definition.set_name, definition.bin_name]
    for letter, data in (("c", definition.context), ("e", definition.expression)):
        if data is not None:
            parts.append(letter + base64.b64encode(data).decode())
    return "|".join([*parts, _KIND_LETTERS[definition.kind], _TYPE_LETTERS[definition.type]])
