"""Info commands about the addresses of nodes: services, peers, alumni and endpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..._wire import info_cluster
from ...errors import ResultCode
from . import statistics
from .protocols import Address, PeerView
from .registry import InfoError, InfoRequest, info_command


@info_command("peers-generation")
def _peers_generation(request: InfoRequest) -> str:
    return str(request.node.peers_generation)


def _service(request: InfoRequest) -> str:
    return ",".join(map(_address_text, request.node.addresses))


def _service_alternate(request: InfoRequest) -> str:
    return ",".join(map(_address_text, request.node.alternate_addresses))


def _services(request: InfoRequest) -> str:
    return ";".join(_address_text(peer.addresses[0]) for peer in request.node.peers)


def _services_alternate(request: InfoRequest) -> str:
    return ";".join(_address_text(address) for peer in request.node.peers for address in peer.alternate_addresses[:1])


def _peers(request: InfoRequest) -> str:
    return _peers_text(request, request.node.peers)


def _peers_alternate(request: InfoRequest) -> str:
    return _peers_text(request, request.node.peers, alternate=True)


def _alumni(request: InfoRequest) -> str:
    return _peers_text(request, request.node.alumni)


def _alumni_alternate(request: InfoRequest) -> str:
    return _peers_text(request, request.node.alumni, alternate=True)


def _address_text(address: Address) -> str:
    """host:port, an IPv6 address in brackets."""
    return info_cluster.format_host(*address)


def _peers_text(request: InfoRequest, peers: Sequence[PeerView], *, alternate: bool = False) -> str:
    tls_name = request.node.cluster.tls_name
    known = [
        info_cluster.Peer(peer.name, tls_name, tuple(peer.alternate_addresses if alternate else peer.addresses))
        for peer in peers
    ]
    return info_cluster.format_peers(request.node.peers_generation, 3000, known)


_Handler = Callable[[InfoRequest], str]


def _register(name: str, handler: _Handler, *, over_tls: bool = False, empty: _Handler = lambda request: "") -> None:
    """Register a command about clear or TLS addresses: a node here has one kind; TLS needs an Enterprise Edition."""

    @info_command(name)
    def answer(request: InfoRequest) -> str:
        has_tls = request.node.cluster.tls is not None
        if over_tls and not has_tls:
            raise InfoError(ResultCode.ENTERPRISE_ONLY, "enterprise only")
        return handler(request) if over_tls == has_tls else empty(request)


def _no_peers(request: InfoRequest) -> str:
    return _peers_text(request, ())


_register("service", _service)
_register("services", _services)
_register("services-alternate", _services_alternate)
for _kind in ("clear", "tls"):
    for _suffix, _own, _others, _past in (
        ("std", _service, _peers, _alumni),
        ("alt", _service_alternate, _peers_alternate, _alumni_alternate),
    ):
        _register(f"service-{_kind}-{_suffix}", _own, over_tls=_kind == "tls")
        _register(f"peers-{_kind}-{_suffix}", _others, over_tls=_kind == "tls", empty=_no_peers)
        _register(f"alumni-{_kind}-{_suffix}", _past, over_tls=_kind == "tls", empty=_no_peers)


@info_command("services-alumni")
def _services_alumni(request: InfoRequest) -> str:
    return ";".join(_address_text(peer.addresses[0]) for peer in request.node.alumni)


@info_command("services-alumni-reset", permission="service-ctrl")
def _services_alumni_reset(request: InfoRequest) -> str:
    request.node.forget_alumni()
    return "ok"


@info_command("mesh")
def _mesh(request: InfoRequest) -> str:
    return f"{request.node.host}:{request.node.network_settings.number('heartbeat.port')}"


@info_command("endpoints")
def _endpoints(request: InfoRequest) -> str:
    node = request.node
    access = node.addresses[0]
    alternate = node.alternate_addresses[0] if node.alternate_addresses else ("null", node.port)
    settings = node.network_settings
    endpoints: dict[str, object] = {
        "service.port": node.port,
        "service.addresses": node.host,
        "service.access-port": access[1],
        "service.access-addresses": access[0],
        "service.alternate-access-port": alternate[1],
        "service.alternate-access-addresses": alternate[0],
    }
    for name in ("service.tls-", "service.tls-access-", "service.tls-alternate-access-", "admin.", "admin.tls-"):
        endpoints |= {f"{name}port": 0, f"{name}addresses": "null"}
    for name in ("heartbeat", "fabric"):
        endpoints |= {f"{name}.port": settings.number(f"{name}.port"), f"{name}.addresses": node.host}
        endpoints |= {f"{name}.tls-port": 0, f"{name}.tls-addresses": "null"}
    return statistics.joined(endpoints)
