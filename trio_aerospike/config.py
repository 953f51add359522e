"""Client configuration: seeds, login, TLS, connection pools, limits and default policies."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any, TypeAlias, TypedDict

import attrs

from trio_aerospike.errors import InvalidArgError
from trio_aerospike.policies import AdminPolicy, BatchPolicy, InfoPolicy, ReadPolicy, WritePolicy
from trio_aerospike.query import QueryPolicy
from trio_aerospike.validation import (
    SECONDS_MAX,
    boolean,
    checked_enum,
    checked_int,
    checked_text,
    field_names,
    instance_of,
    integer,
    kind_of,
    member,
    named_arguments,
    refused,
    seconds,
    settle_enum,
    shown,
    text,
    unknown_name,
)

__all__ = ["DEFAULT_PORT", "AuthMode", "ClientConfig", "ClientFields", "Host", "HostsLike", "parse_hosts"]

DEFAULT_PORT = 3000


class AuthMode(IntEnum):
    """How a user is authenticated; the numbers are those of aerospike_py's ``AUTH_*`` constants."""

    INTERNAL = 0
    """By the server; the password is sent hashed."""
    EXTERNAL = 1
    """By a directory (LDAP) that the server asks; the password is sent in clear text, so use TLS."""
    PKI = 2
    """By the client's TLS certificate, which names the user; there is no password."""


@attrs.frozen
class Host:
    """The address of a node.

    Args:
        name: Host name, IPv4 or IPv6 address (without brackets).
        port: 1 to 65,535.
        tls_name: The name in the node's certificate, if it is not ``name``.
    """

    name: str = attrs.field()
    port: int = attrs.field(default=DEFAULT_PORT, validator=integer(1, 65535))
    tls_name: str | None = attrs.field(default=None)

    @name.validator
    def _valid_name(self, _: attrs.Attribute[str], value: object) -> None:
        if not _is_host_name(value):
            raise refused("Host.name", value, _NAME_ALLOWED)

    @tls_name.validator
    def _valid_tls_name(self, _: attrs.Attribute[str], value: object) -> None:
        if value is not None:
            checked_text("Host.tls_name", value, 1)

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


HostLike: TypeAlias = Host | str | Sequence[Any]
HostsLike: TypeAlias = HostLike | Iterable[HostLike]
"""``"host:port"`` (more than one with commas between), ``"[::1]:3000"``, ``("host", port)``, ``("host", port,
tls_name)``, a Host, or a list of these. The port is 3000 if a text leaves it out."""

_NAME_ALLOWED = "a host name, an IPv4 or an IPv6 address"
_HOSTS_ALLOWED = '"host:port", ("host", port) or a list of such'
_HOSTS_EMPTY = f"{_HOSTS_ALLOWED}, at least one: the hosts list must not be empty"
_HOST_ALLOWED = '"host:port" or ("host", port), with a port from 1 to 65535'
# Lenient: underscores and non-ASCII names do occur. Refused are mistakes: URLs, spaces, bare ports.
_HOST_NAME = re.compile(r"(?!\d+\Z)[^\s/@:,;\[\]\0]{1,253}\Z")


def _is_host_name(value: object) -> bool:
    if not isinstance(value, str):
        return False
    if _HOST_NAME.match(value):
        return True
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return True


def _refused_host(where: str, given: object, allowed: str = _HOST_ALLOWED) -> InvalidArgError:
    """Return the error for an invalid host, with a suggestion."""
    hint = ""
    text = str(given) if isinstance(given, (int, str)) and not isinstance(given, bool) else ""
    if text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536:
        hint = f'; {text} alone is a port: write ("127.0.0.1", {text}) for a server on this machine'
    elif "://" in text:
        hint = f"; write it without {shown(text.partition('://')[0] + '://')}"
    elif text.count(":") > 1 and not text.startswith("["):
        hint = '; put an IPv6 address with a port in brackets: "[::1]:3000"'
    elif isinstance(given, Mapping) and "hosts" in given:
        hint = "; a whole configuration in milliseconds goes to ClientConfig.from_milliseconds"
    elif isinstance(given, (tuple, list)) and len(given) > 1 and isinstance(given[1], str) and given[1].isdigit():
        hint = "; the port is an int"
    elif isinstance(given, (bytes, bytearray)):
        hint = "; a host name is a str"
    return refused(where, given, f"{allowed}{hint}")


def _host_of_text(where: str, given: str) -> Host:
    value = given.strip()
    name, port = value, ""
    if value.startswith("["):
        name, bracket, rest = value[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _refused_host(where, given)
        port = rest[1:]
        separated = bool(rest)
    elif value.count(":") == 1:
        name, _, port = value.partition(":")
        separated = True
    else:
        separated = False
    if separated and not (port.isascii() and port.isdigit() and len(port) <= 5):
        raise _refused_host(where, given)
    return _host_of_parts(where, given, name, int(port) if separated else DEFAULT_PORT, None)


def _host_of_parts(where: str, given: object, name: object, port: object, tls_name: object) -> Host:
    is_port = isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536
    if not (_is_host_name(name) and is_port and (tls_name is None or isinstance(tls_name, str))):
        raise _refused_host(where, given)
    return Host(name, port, tls_name)  # type: ignore[arg-type]


def _is_parts(value: object) -> bool:
    """Whether ``value`` is a tuple for one host rather than a list of hosts."""
    if not isinstance(value, (tuple, list)) or len(value) not in (2, 3):
        return False
    return isinstance(value[0], str) and not isinstance(value[1], (str, Host, tuple, list))


def _one_host(where: str, value: object) -> list[Host]:
    if isinstance(value, Host):
        return [value]
    if isinstance(value, str):
        return [_host_of_text(where, part) for part in value.split(",")]
    if isinstance(value, (tuple, list)) and value and len(value) <= 3:
        parts = [*value, None, None]
        port = DEFAULT_PORT if len(value) == 1 else parts[1]
        return [_host_of_parts(where, value, parts[0], port, parts[2])]
    raise _refused_host(where, value)


def parse_hosts(hosts: HostsLike) -> tuple[Host, ...]:
    """Parse ``hosts`` into addresses, in order, without duplicates.

    Raises:
        InvalidArgError: There is no address, or one of them is invalid.
    """
    where = "ClientConfig.hosts"
    given: object = hosts
    found: list[Host] = []
    if isinstance(given, (Host, str)) or _is_parts(given):
        found = _one_host(where, given)
    elif isinstance(given, Iterable) and not isinstance(given, (bytes, bytearray, Mapping)):
        for i, host in enumerate(given):
            found += _one_host(f"{where}[{i}]", host)
    else:
        raise _refused_host(where, given, _HOSTS_ALLOWED)
    if not found:
        raise refused(where, hosts, _HOSTS_EMPTY)
    return tuple(dict.fromkeys(found))


def _hidden(password: str) -> str:
    return "'***'" if password else "''"


class ClientFields(TypedDict, total=False):
    """The fields of :class:`ClientConfig` besides hosts, as keyword arguments."""

    cluster_name: str
    auth_mode: AuthMode
    user: str
    password: str
    timeout: float | None
    idle_timeout: float | None
    max_conns_per_node: int
    min_conns_per_node: int
    conn_pools_per_node: int
    tend_interval: float
    use_services_alternate: bool
    max_concurrent_operations: int
    operation_queue_timeout: float | None
    tls: ssl.SSLContext | None
    read_policy: ReadPolicy
    write_policy: WritePolicy
    batch_policy: BatchPolicy
    query_policy: QueryPolicy
    info_policy: InfoPolicy
    admin_policy: AdminPolicy


@named_arguments
@attrs.frozen
class ClientConfig:
    """The configuration of a client. Times are seconds; None means no limit.

    Args:
        hosts: The seeds: all nodes of the cluster are discovered from any one that answers. See HostsLike.
        cluster_name: The name that the cluster must have; ``""`` accepts any.
        auth_mode: How the user is authenticated.
        user: ``""`` for no login.
        password: Never shown by ``repr``.
        timeout: For opening a connection, for a login, and for each request of the tend loop.
        idle_timeout: An idle connection is closed after this time; None keeps it. Stay below the server's own
            proto-fd-idle-ms (60 s by default).
        max_conns_per_node: Connections for commands to one node, at most; the tend loop has one of its own.
        min_conns_per_node: Connections that are opened up front and kept.
        conn_pools_per_node: The number of pools that a node's connections are divided into.
        tend_interval: Seconds between two rounds of the tend loop, which asks the nodes about the cluster.
        use_services_alternate: Use the alternate addresses that nodes advertise (Docker, NAT), not the standard ones.
        max_concurrent_operations: Operations of this client in flight at one time, at most; 0 for no limit.
        operation_queue_timeout: How long an operation waits for a slot before BackpressureError; None for no limit.
        tls: The context for TLS connections; None for plain TCP.
        read_policy, write_policy, batch_policy, query_policy, info_policy, admin_policy: The default policies of reads
            of one record, writes, batches, queries and aggregations, info commands (with indexes, modules and
            truncation), users and roles.

    Raises:
        InvalidArgError: A field does not exist or its value is invalid; the message says what is allowed.
    """

    hosts: tuple[Host, ...] = attrs.field(converter=parse_hosts)
    cluster_name: str = attrs.field(default="", kw_only=True, validator=text())
    auth_mode: AuthMode = attrs.field(default=AuthMode.INTERNAL, kw_only=True, validator=member(AuthMode))
    user: str = attrs.field(default="", kw_only=True, validator=text())
    password: str = attrs.field(default="", kw_only=True, repr=_hidden)
    timeout: float | None = attrs.field(default=1.0, kw_only=True, validator=seconds(none="no limit"))
    idle_timeout: float | None = attrs.field(default=55.0, kw_only=True, validator=seconds(none="never"))
    max_conns_per_node: int = attrs.field(default=256, kw_only=True, validator=integer(1))
    min_conns_per_node: int = attrs.field(default=0, kw_only=True, validator=integer(0))
    conn_pools_per_node: int = attrs.field(default=1, kw_only=True, validator=integer(1))
    tend_interval: float = attrs.field(default=1.0, kw_only=True, validator=seconds())
    use_services_alternate: bool = attrs.field(default=False, kw_only=True, validator=boolean)
    max_concurrent_operations: int = attrs.field(
        default=0, kw_only=True, validator=integer(0, note=" (0 for no limit)")
    )
    operation_queue_timeout: float | None = attrs.field(default=None, kw_only=True, validator=seconds(none="no limit"))
    tls: ssl.SSLContext | None = attrs.field(
        default=None, kw_only=True, validator=instance_of(ssl.SSLContext, "an ssl.SSLContext", none=True)
    )
    read_policy: ReadPolicy = attrs.field(
        default=ReadPolicy(), kw_only=True, validator=instance_of(ReadPolicy, "a ReadPolicy")
    )
    write_policy: WritePolicy = attrs.field(
        default=WritePolicy(), kw_only=True, validator=instance_of(WritePolicy, "a WritePolicy")
    )
    batch_policy: BatchPolicy = attrs.field(
        default=BatchPolicy(), kw_only=True, validator=instance_of(BatchPolicy, "a BatchPolicy")
    )
    query_policy: QueryPolicy = attrs.field(
        default=QueryPolicy(), kw_only=True, validator=instance_of(QueryPolicy, "a QueryPolicy")
    )
    info_policy: InfoPolicy = attrs.field(
        default=InfoPolicy(), kw_only=True, validator=instance_of(InfoPolicy, "an InfoPolicy")
    )
    admin_policy: AdminPolicy = attrs.field(
        default=AdminPolicy(), kw_only=True, validator=instance_of(AdminPolicy, "an AdminPolicy")
    )

    @password.validator
    def _valid_password(self, _: attrs.Attribute[str], value: object) -> None:
        if not isinstance(value, str) or "\0" in value:
            # The value may be a secret: the message shows only its type.
            raise InvalidArgError(f"ClientConfig.password: got {kind_of(value)}, allowed: a str without NUL")

    def __attrs_post_init__(self) -> None:
        settle_enum(self, "auth_mode", AuthMode)
        most = self.max_conns_per_node
        for field, low in (("min_conns_per_node", 0), ("conn_pools_per_node", 1)):
            value = getattr(self, field)
            if value > most:
                raise refused(f"ClientConfig.{field}", value, f"{low} to max_conns_per_node, which is {most}")
        if self.auth_mode is AuthMode.PKI and self.tls is None:
            raise refused("ClientConfig.auth_mode", self.auth_mode, "PKI only with tls, INTERNAL, EXTERNAL")

    def replace(self, **changes: Any) -> ClientConfig:
        """Return a copy with some fields changed.

        Raises:
            InvalidArgError: A field does not exist (the nearest right name is suggested) or cannot have the value.
        """
        names = field_names(type(self))
        for name in changes:
            if name not in names:
                raise unknown_name("ClientConfig", name, names)
        return attrs.evolve(self, **changes)

    @classmethod
    def from_milliseconds(cls, config: Mapping[str, Any]) -> ClientConfig:
        """Convert a dict of the client configuration page.

        Keys and units are the page's: ``timeout``, ``tend_interval`` and ``operation_queue_timeout_ms`` are
        milliseconds, ``idle_timeout`` is seconds, 0 means no limit. None for ``cluster_name``, ``user`` or
        ``password`` is the same as omitting it.

        Raises:
            InvalidArgError: A key does not exist (the nearest right one is suggested), ``hosts`` is missing, or a value
                is of the wrong type or size.
        """
        if not isinstance(config, Mapping):
            raise refused("ClientConfig", config, "a dict with at least hosts")
        for key in config:
            if key not in _PAGE_KEYS:
                raise unknown_name("ClientConfig", key, _PAGE_KEYS)
        if "hosts" not in config:
            raise InvalidArgError(f"ClientConfig.hosts: missing: it must contain 'hosts', allowed: {_HOSTS_EMPTY}")
        fields: dict[str, Any] = {}
        for key, value in config.items():
            if key in _PAGE_TIMES:
                field, unit, per_second, low, high = _PAGE_TIMES[key]
                note = f" ({unit}{'' if low else ', 0 for no limit'})"
                number = checked_int(f"ClientConfig.{key}", value, low, high, note)
                # A very long time, such as an idle_timeout of 4294967295, means no limit.
                fields[field] = number / per_second if 0 < number <= SECONDS_MAX * per_second else None
            elif value is None and key in _PAGE_NONE_IS_EMPTY:
                fields[key] = ""
            else:
                fields[key] = value
        if "auth_mode" in fields:
            fields["auth_mode"] = checked_enum("ClientConfig.auth_mode", fields["auth_mode"], AuthMode)
        return cls(**fields)


_U32_MAX = 0xFFFFFFFF
_U64_MAX = 0xFFFFFFFFFFFFFFFF
# Key of the page: our field, the page's unit, how many of them make a second, the least and the most allowed.
_PAGE_TIMES: dict[str, tuple[str, str, int, int, int]] = {
    "timeout": ("timeout", "milliseconds", 1000, 0, _U32_MAX),
    "idle_timeout": ("idle_timeout", "seconds", 1, 0, _U32_MAX),
    "tend_interval": ("tend_interval", "milliseconds", 1000, 1, _U32_MAX),
    "operation_queue_timeout_ms": ("operation_queue_timeout", "milliseconds", 1000, 0, _U64_MAX),
}
_PAGE_NONE_IS_EMPTY = frozenset(("cluster_name", "user", "password"))
_PAGE_KEYS = (
    "hosts",
    "cluster_name",
    "auth_mode",
    "user",
    "password",
    "timeout",
    "idle_timeout",
    "max_conns_per_node",
    "min_conns_per_node",
    "conn_pools_per_node",
    "tend_interval",
    "use_services_alternate",
    "max_concurrent_operations",
    "operation_queue_timeout_ms",
)
