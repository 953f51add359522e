"""The info protocol: one handler per command, in a registry that also says what each is for.

Shapes and error texts are those of a Community Edition 8.1.2 (server: as/src/base/thr_info.c; recorded answers in
tests/data). Commands that need what this server does not have answer `ERROR:16:...`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import attrs

from ..._wire import info as wire_info, info_cluster
from ..._wire.constants import CITRUSLEAF_EPOCH, N_PARTITIONS
from ...errors import ResultCode
from . import statistics

if TYPE_CHECKING:
    from ..connection import Connection
    from ..node import EmbeddedNode
    from ..store import NamespaceStore

BUILD = "8.1.2.0"
EDITION = "Aerospike Community Edition"
FEATURES = (
    "batch-any;batch-index;blob-bits;cdt-index;cdt-list;cdt-map;cluster-stable;float;geo;sindex-exists;peers;"
    "pipelining;pquery;pscans;query-show;relaxed-sc;replicas;replicas-all;replicas-master;replicas-max;"
    "truncate-namespace;udf"
)
SUMMARY = (
    "features", "node", "compatibility-id", "edition", "build_ee_sha", "build_sha", "build_arch", "build_time",
    "build_os", "build", "version", "statistics", "services-alumni", "services", "partition-generation",
)  # fmt: skip
"""What a request that asks for nothing is answered with."""
MAX_INFO_NAMESPACE = 32
MAX_INFO_SET = 64
_NAMESPACE_VALUE_SIZE = 100


@attrs.frozen(eq=False)
class InfoRequest:
    """One command: what stands behind its name, and who asks whom."""

    node: EmbeddedNode
    connection: Connection
    command: str
    params: str

    def param(self, *names: str) -> str | None:
        """The value of the first of the names that is there: `name=value` between semicolons."""
        given = [part.partition("=") for part in self.params.split(";")]
        for wanted in names:
            for name, separator, value in given:
                if separator and name == wanted:
                    return value
        return None

    def required(self, name: str, limit: int, *aliases: str) -> str:
        """A parameter that must be there, shorter than `limit` bytes.

        Raises:
            InfoError: it is missing, empty or too long.
        """
        value = self.optional(name, limit, *aliases)
        if value is None:
            raise InfoError(_missing_code(name), f"missing '{name}'")
        return value

    def optional(self, name: str, limit: int, *aliases: str) -> str | None:
        """A parameter that may be left out; raises `InfoError` when it is empty or too long."""
        value = self.param(name, *aliases)
        if value is None:
            return None
        if not value:
            raise InfoError(_missing_code(name), f"missing '{name}' value")
        if len(value) >= limit:
            raise InfoError(_missing_code(name), f"'{name}' value too long")
        return value


class InfoError(Exception):
    """A command is answered with `ERROR:code:message`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code: int = int(code)


def error_text(error: InfoError) -> str:
    """The error in place of an answer; one that the server has no code for is told without."""
    if error.code == ResultCode.SERVER:
        return f"ERROR::{error}"
    return wire_info.format_error(error.code, str(error))


_Handler = Callable[[InfoRequest], str]


_LongHandler = Callable[[InfoRequest], Iterator[str]]


@attrs.frozen
class _Command:
    handler: _Handler
    permission: str | None
    lines: _LongHandler | None = None
    """Of a command whose answer takes long to make: makes it bit by bit."""


_COMMANDS: dict[str, _Command] = {}


def info_command(*names: str, permission: str | None = None) -> Callable[[_Handler], _Handler]:
    def register(handler: _Handler) -> _Handler:
        for name in names:
            _COMMANDS[name] = _Command(handler, permission)
        return handler

    return register


def long_info_command(name: str) -> Callable[[_LongHandler], _LongHandler]:
    """Register a command whose answer is made line by line, as it takes too long to make at one go."""

    def register(lines: _LongHandler) -> _LongHandler:
        _COMMANDS[name] = _Command(lambda request: ";".join(lines(request)), None, lines)
        return lines

    return register


def _name_of(command: str) -> str:
    cuts = [place for place in map(command.find, "/:;") if place >= 0]
    return command[: min(cuts, default=len(command))]


def is_long(command: str) -> bool:
    """Whether the answer takes long to make: `info_lines` makes it bit by bit."""
    known = _COMMANDS.get(_name_of(command))
    return known is not None and known.lines is not None


def info_lines(node: EmbeddedNode, connection: Connection, command: str) -> Iterator[str]:
    """The answer to one command, errors included, in parts that belong together with `;` in between."""
    name = _name_of(command)
    known = _COMMANDS.get(name)
    if known is None or known.lines is None:
        yield answer_info(node, connection, command)
    else:
        yield from known.lines(InfoRequest(node, connection, name, command[len(name) + 1 :]))


def answer_info(node: EmbeddedNode, connection: Connection, command: str) -> str:
    """The answer to one command, errors included."""
    name = _name_of(command)
    known = _COMMANDS.get(name)
    if known is None:
        return wire_info.format_error(ResultCode.PARAM, "unrecognized command")
    if known.permission is not None and not connection.may(known.permission):
        return wire_info.format_error(
            ResultCode.ROLE_VIOLATION, f"role violation - requires permission '{known.permission}'"
        )
    try:
        return known.handler(InfoRequest(node, connection, name, command[len(name) + 1 :]))
    except InfoError as error:
        return error_text(error)


def namespace_store(request: InfoRequest, *aliases: str) -> NamespaceStore:
    """The store of the namespace that a request has to name.

    Raises:
        InfoError: it does not, or there is none.
    """
    store = request.node.stores.get(request.required("namespace", _NAMESPACE_VALUE_SIZE, *aliases))
    if store is None:
        raise InfoError(ResultCode.INVALID_NAMESPACE, "namespace not found on node")
    return store


def _missing_code(name: str) -> int:
    return ResultCode.INVALID_NAMESPACE if name == "namespace" else ResultCode.PARAM


def _constant(name: str, value: str) -> None:
    info_command(name)(lambda request: value)


_constant("build", BUILD)
_constant("edition", EDITION)
_constant("version", f"{EDITION} build {BUILD}")
_constant("features", FEATURES)
_constant("status", "ok")
_constant("partitions", str(N_PARTITIONS))
_constant("release", f"edition={EDITION};version={BUILD};os=any;arch=any;sha=")
_constant("digests", "RIPEMD160")
_constant("connection", "admin=false")
_constant("best-practices", "failed_best_practices=none")
_constant("health-stats", "")
_constant("health-outliers", "")
_constant("compatibility-id", "15")
_constant("admin-clear-std", "")
_constant("admin-tls-std", "")
for _name in ("build_ee_sha", "build_sha", "build_time"):
    _constant(_name, "")
for _name in ("build_arch", "build_os"):
    _constant(_name, "any")


def _enterprise_only(request: InfoRequest) -> str:
    raise InfoError(ResultCode.ENTERPRISE_ONLY, "enterprise only")


for _name in (
    "feature-key", "masking", "masking-show", "quiesce", "quiesce-undo", "rack-ids", "racks", "revive", "roster",
    "roster-set", "xdr-dc-state", "xdr-get-filter", "xdr-set-filter",
):  # fmt: skip
    info_command(_name)(_enterprise_only)


def _unsupported(request: InfoRequest) -> str:
    raise InfoError(ResultCode.UNSUPPORTED_FEATURE, "not supported by the embedded server")


for _name in ("debug-record", "debug-record-meta"):
    info_command(_name)(_unsupported)


@info_command("physical-devices")
def _physical_devices(request: InfoRequest) -> str:
    request.required("path", 1024)
    return _unsupported(request)


@info_command("get-stats")
def _get_stats(request: InfoRequest) -> str:
    if request.required("context", 1024) != "xdr":
        raise InfoError(ResultCode.PARAM, "unknown context")
    return ""


# The node and its cluster -------------------------------------------------------------------------------------


@info_command("node", "name", "get-sl")
def _node(request: InfoRequest) -> str:
    return request.node.name


@info_command("cluster-name")
def _cluster_name(request: InfoRequest) -> str:
    return request.node.cluster.cluster_name


@info_command("peers-generation")
def _peers_generation(request: InfoRequest) -> str:
    return str(request.node.peers_generation)


@info_command("partition-generation")
def _partition_generation(request: InfoRequest) -> str:
    return str(request.node.partition_generation)


@info_command("rebalance-generation")
def _rebalance_generation(request: InfoRequest) -> str:
    return str(request.node.rebalance_generation)


def _about(
    kind: str, handler: Callable[[InfoRequest], str], empty: Callable[[InfoRequest], str]
) -> Callable[[InfoRequest], str]:
    """An answer about clear or about TLS addresses: a node here has either, and TLS is an Enterprise Edition's."""

    def answer(request: InfoRequest) -> str:
        over_tls = request.node.cluster.tls is not None
        if kind == "tls" and not over_tls:
            raise InfoError(ResultCode.ENTERPRISE_ONLY, "enterprise only")
        if kind == "clear" and over_tls:
            return empty(request)
        return handler(request)

    return answer


def _service(request: InfoRequest) -> str:
    return ",".join(map(address_text, request.node.addresses))


def _service_alternate(request: InfoRequest) -> str:
    return ",".join(map(address_text, request.node.alternate_addresses))


def _services(request: InfoRequest) -> str:
    return ";".join(address_text(peer.addresses[0]) for peer in request.node.peers)


def _services_alternate(request: InfoRequest) -> str:
    return ";".join(address_text(address) for peer in request.node.peers for address in peer.alternate_addresses[:1])


def _peers(request: InfoRequest) -> str:
    return _peers_text(request.node, request.node.peers, alternate=False)


def _peers_alternate(request: InfoRequest) -> str:
    return _peers_text(request.node, request.node.peers, alternate=True)


def _alumni(request: InfoRequest) -> str:
    return _peers_text(request.node, request.node.alumni, alternate=False)


def _alumni_alternate(request: InfoRequest) -> str:
    return _peers_text(request.node, request.node.alumni, alternate=True)


def _nowhere(request: InfoRequest) -> str:
    return ""


def _nobody(request: InfoRequest) -> str:
    return _peers_text(request.node, [], alternate=False)


info_command("service")(_about("clear", _service, _nowhere))
info_command("services")(_about("clear", _services, _nowhere))
info_command("services-alternate")(_about("clear", _services_alternate, _nowhere))
for _kind in ("clear", "tls"):
    for _suffix, _own, _others, _past in (
        ("std", _service, _peers, _alumni),
        ("alt", _service_alternate, _peers_alternate, _alumni_alternate),
    ):
        info_command(f"service-{_kind}-{_suffix}")(_about(_kind, _own, _nowhere))
        info_command(f"peers-{_kind}-{_suffix}")(_about(_kind, _others, _nobody))
        info_command(f"alumni-{_kind}-{_suffix}")(_about(_kind, _past, _nobody))


def address_text(address: tuple[str, int]) -> str:
    """host:port, an IPv6 address in brackets."""
    return info_cluster.format_host(*address)


def _peers_text(node: EmbeddedNode, peers: list[EmbeddedNode], *, alternate: bool) -> str:
    known = [
        info_cluster.Peer(
            peer.name, node.cluster.tls_name, tuple(peer.alternate_addresses if alternate else peer.addresses)
        )
        for peer in peers
    ]
    return info_cluster.format_peers(node.peers_generation, 3000, known)


@info_command("replicas", "replicas-all")
def _replicas(request: InfoRequest) -> str:
    limit = 0
    if (text := request.optional("max", 4)) is not None:
        if not text.isdigit():
            raise InfoError(ResultCode.PARAM, "bad max")
        limit = int(text)
    shown = {name: bitmaps[: limit or None] for name, bitmaps in request.node.bitmaps().items()}
    if request.command == "replicas":
        regimes = request.node.stores
        return info_cluster.format_replicas({name: (regimes[name].config.regime, maps) for name, maps in shown.items()})
    return ";".join(f"{name}:{len(maps)}," + ",".join(map(_base64, maps)) for name, maps in shown.items())


@info_command("replicas-master")
def _replicas_master(request: InfoRequest) -> str:
    return ";".join(f"{name}:{_base64(bitmaps[0])}" for name, bitmaps in request.node.bitmaps().items())


@info_command("cluster-stable")
def _cluster_stable(request: InfoRequest) -> str:
    node, cluster = request.node, request.node.cluster
    if not node.joined or cluster.losing:
        raise InfoError(ResultCode.CLUSTER_KEY_MISMATCH, "unstable cluster")
    if (size := request.optional("size", 4)) is not None:
        if not size.isdigit():
            raise InfoError(ResultCode.PARAM, "bad size")
        if int(size) != len(cluster.members):
            raise InfoError(ResultCode.CLUSTER_KEY_MISMATCH, "cluster not specified size")
    ignore = request.optional("ignore-migrations", 6)
    if ignore not in (None, "true", "false"):
        raise InfoError(ResultCode.PARAM, "bad ignore migrations")
    if (namespace := request.optional("namespace", MAX_INFO_NAMESPACE)) is not None and namespace not in node.stores:
        raise InfoError(ResultCode.INVALID_NAMESPACE, "namespace not found on node")
    if ignore != "true" and cluster.migrating:
        raise InfoError(ResultCode.CLUSTER_KEY_MISMATCH, "unstable cluster")
    return cluster.cluster_key


@info_command("user-agent-set")
def _user_agent_set(request: InfoRequest) -> str:
    if request.connection.user_agent:
        raise InfoError(ResultCode.PARAM, "already set")
    value = request.required("value", 256)
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise InfoError(ResultCode.PARAM, "'value' invalid base64") from error
    request.connection.user_agent = value
    return "ok"


@info_command("user-agents")
def _user_agents(request: InfoRequest) -> str:
    counts: dict[str, int] = {}
    for connection in request.node.connections:
        if connection.user_agent:
            counts[connection.user_agent] = counts.get(connection.user_agent, 0) + 1
    return "".join(f"user-agent={agent}:count={count};" for agent, count in counts.items())


def _base64(bitmap: bytes) -> str:
    return base64.b64encode(bitmap).decode("ascii")


# Namespaces and their records ---------------------------------------------------------------------------------


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
    return "".join(statistics.sets_text(request.node, store, set_name if separator else None) for store in stores)


@info_command("objects")
def _objects(request: InfoRequest) -> str:
    return str(sum(store.objects() for store in request.node.stores.values()))


@info_command("statistics")
def _statistics(request: InfoRequest) -> str:
    return statistics.node_text(request.node)


@info_command("truncate", permission="truncate")
def _truncate(request: InfoRequest) -> str:
    namespace = request.required("namespace", MAX_INFO_NAMESPACE)
    set_name = request.required("set", MAX_INFO_SET)
    return _cut(request, namespace, set_name)


@info_command("truncate-namespace", permission="truncate")
def _truncate_namespace(request: InfoRequest) -> str:
    namespace = request.required("namespace", MAX_INFO_NAMESPACE)
    if request.param("set") is not None:
        raise InfoError(ResultCode.PARAM, "unexpected set name")
    return _cut(request, namespace, None)


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
        raise InfoError(ResultCode.PARAM, "unexpected set name")
    request.node.cluster.truncations.pop(namespace, None)
    config = request.node.cluster.namespaces.get(namespace)
    if config is not None:
        config.truncation.namespace = 0
    return "ok"


def _cut(request: InfoRequest, namespace: str, set_name: str | None) -> str:
    """Set a threshold on every node."""
    now = request.node.cluster.clock.milliseconds()
    threshold = now
    if (text := request.optional("lut", 24)) is not None:
        threshold = max(c_number(text) // 1_000_000 - CITRUSLEAF_EPOCH * 1000, 0)
        if threshold == 0:
            raise InfoError(ResultCode.PARAM, "would truncate to 0")
        if threshold > now:
            raise InfoError(ResultCode.PARAM, "would truncate in the future")
    truncations = request.node.cluster.truncations
    place = namespace if set_name is None else f"{namespace}|{set_name}"
    truncations[place] = max(truncations.get(place, 0), threshold)
    known = namespace in request.node.cluster.namespaces
    if set_name is None or (known and request.node.cluster.knows_set(namespace, set_name)):
        # A set that does not exist gets no threshold: there is nothing to truncate (server: truncate.c).
        request.node.cluster.truncate(namespace, set_name, threshold)
    return "ok"


def c_number(text: str) -> int:
    """A number in the format of C constants, as strtoul reads it; 0 where there is none."""
    try:
        if text[:2] in ("0x", "0X"):
            return int(text, 16)
        return int(text, 8 if text.startswith("0") and len(text) > 1 else 10)
    except ValueError:
        return 0
