"""Convert a ClientConfig of aerospike_py into one of trio_aerospike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trio_aerospike.config import ClientConfig, parse_hosts
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.validation import refused, shown

from ..types import ClientConfig as ConfigDict
from .policies import STRICT_KEY, PolicyReader, reader_for, warn_of_unknown

_NAMES: Final = tuple(ConfigDict.__annotations__)


def reader_of(given: Any) -> PolicyReader:
    """Return the policy reader for a client with this configuration, which may ask for strict mode."""
    strict = given.get(STRICT_KEY) if isinstance(given, Mapping) else None
    return reader_for(strict if isinstance(strict, bool) else None)


def client_config(given: Any, reader: PolicyReader) -> ClientConfig:
    """Convert a dict into a client configuration.

    Unknown fields are ignored, except in strict mode. Only this package has the field ``strict``.

    Args:
        given: A ClientConfig of aerospike_py.
        reader: The client's policy reader, which knows whether the mode is strict.

    Raises:
        InvalidArgError: A value is not allowed; in strict mode, a field does not exist.
    """
    if not isinstance(given, Mapping):
        return ClientConfig.from_milliseconds(given)
    fields = dict(given)
    strict = fields.pop(STRICT_KEY, None)
    if strict is not None and not isinstance(strict, bool):
        raise refused(f"ClientConfig.{STRICT_KEY}", strict, "True, False, or None for the environment's choice")
    if not reader.strict:
        fields = {name: _number(name, value) for name, value in fields.items() if name in _NAMES}
        if fields.get("tend_interval") == 0:
            del fields["tend_interval"]  # in aerospike_py: as often as it can; here: the default
    try:
        return ClientConfig.from_milliseconds(fields)
    except InvalidArgError as error:
        raise InvalidArgError(f"{error}{_host_fault(fields.get('hosts'))}") from None


def _host_fault(hosts: Any) -> str:
    """Describe the first invalid host of a list in the words of aerospike_py; empty if all hosts are valid."""
    if not isinstance(hosts, (list, tuple)):
        return ""
    for host in hosts:
        try:
            parse_hosts([host])
        except InvalidArgError:
            if isinstance(host, str):
                return f"; Invalid port in host string {shown(host)}" if ":" in host else ""
            if not isinstance(host, (tuple, list)):
                return "; each must be a (host, port) tuple or a string"
            return "" if host else "; a tuple must contain at least a host address"
    return ""


def _number(name: str, value: Any) -> Any:
    """``value``, where True and False stand for 1 and 0, as they do where Python takes an int."""
    return int(value) if type(value) is bool and name != "use_services_alternate" else value


def warn_of_unknown_fields(given: Mapping[str, Any]) -> None:
    """Warn about unknown fields, once per name."""
    for name in given:
        if name not in _NAMES and name != STRICT_KEY:
            warn_of_unknown("ClientConfig", name, _NAMES)
