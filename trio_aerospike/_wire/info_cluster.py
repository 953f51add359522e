"""Parse and format info answers about the cluster: peers, addresses, partition ownership.

Facts: the formats of ``peers-*`` and ``replicas`` from the server's ``as/src/fabric/exchange.c`` and ``partition.c``
(recorded answers are in ``tests/data``).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence

import attrs

from ..errors import ProtocolError
from .constants import N_PARTITIONS

BITMAP_SIZE = N_PARTITIONS // 8

# --- peers -----------------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True)
class Peer:
    """A peer of a node: its name, its TLS name ("" for none) and its addresses."""

    name: str
    tls_name: str
    hosts: tuple[tuple[str, int], ...]


def parse_peers(text: str) -> tuple[int, int, list[Peer]]:
    """Parse a ``peers-*`` answer: generation, default port (0 if omitted) and peers.

    The form is ``generation,port,[[name,tls-name,[host:port,...]],...]``; IPv6 addresses are in brackets, and a host
    without a port has the default one.

    Raises:
        ProtocolError: it is not of that form (an error of the server among them).
    """
    head = text.split(",", 2)
    if len(head) != 3:
        raise ProtocolError(f"peers of unknown form: {text[:80]!r}")
    generation = _number(head[0], text)
    port = _number(head[1], text) if head[1] else 0
    peers = []
    for entry in _split_list(head[2], text):
        parts = _split_list(entry, text)
        if len(parts) != 3 or not parts[0]:
            raise ProtocolError(f"peers of unknown form: {text[:80]!r}")
        hosts = tuple(_parse_host(host, port, text) for host in _split_list(parts[2], text))
        peers.append(Peer(parts[0], parts[1], hosts))
    return generation, port, peers


def format_peers(generation: int, default_port: int, peers: Iterable[Peer]) -> str:
    """Format the answer; the inverse of :func:`parse_peers`."""
    entries = []
    for peer in peers:
        hosts = ",".join([format_host(host, port) for host, port in peer.hosts])
        entries.append(f"[{peer.name},{peer.tls_name},[{hosts}]]")
    return f"{generation},{default_port or ''},[{','.join(entries)}]"


def format_host(host: str, port: int) -> str:
    """Format ``host:port``, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_services(text: str, default_port: int = 0) -> list[tuple[str, int]]:
    """Parse a ``service-*`` answer: addresses ``host:port``, separated by commas (in old forms by semicolons).

    Raises:
        ProtocolError: it is not of that form.
    """
    return [_parse_host(host, default_port, text) for host in text.replace(";", ",").split(",") if host]


def _number(digits: str, text: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise ProtocolError(f"{digits[:20]!r} is not a number, in {text[:80]!r}")
    return int(digits)


def _split_list(entry: str, text: str) -> list[str]:
    """Split ``[a,b,[c,d]]`` into its elements, without splitting inner lists."""
    if len(entry) < 2 or entry[0] != "[" or entry[-1] != "]":
        raise ProtocolError(f"peers of unknown form: {text[:80]!r}")
    elements = []
    depth = 0
    start = 1
    for position in range(1, len(entry) - 1):
        character = entry[position]
        if character == "[":
            depth += 1
        elif character == "]":
            depth -= 1
            if depth < 0:
                raise ProtocolError(f"peers of unknown form: {text[:80]!r}")
        elif character == "," and depth == 0:
            elements.append(entry[start:position])
            start = position + 1
    if depth:
        raise ProtocolError(f"peers of unknown form: {text[:80]!r}")
    if len(entry) > 2:
        elements.append(entry[start:-1])
    return elements


def _parse_host(address: str, default_port: int, text: str) -> tuple[str, int]:
    if address.startswith("["):
        host, bracket, rest = address[1:].partition("]")
        if not bracket or (rest and rest[0] != ":"):
            raise ProtocolError(f"address {address[:60]!r} of unknown form in {text[:80]!r}")
        digits = rest[1:]
    elif address.count(":") > 1:
        host, digits = address, ""
    else:
        host, _, digits = address.partition(":")
    port = _number(digits, text) if digits else default_port
    if not host or not 0 < port < 65536:
        raise ProtocolError(f"address {address[:60]!r} of unknown form in {text[:80]!r}")
    return host, port


# --- the partition map -----------------------------------------------------------------------------------------------


def parse_replicas(text: str) -> dict[str, tuple[int, list[bytes]]]:
    """Parse a ``replicas`` answer: per namespace the regime and a bitmap of owned partitions per replica, master first.

    The form is ``namespace:regime,count,bitmap,...;...``. A bitmap has 512 bytes; partition ``p`` is bit
    ``0x80 >> (p & 7)`` of byte ``p >> 3``.

    Raises:
        ProtocolError: it is not of that form (an error of the server among them).
    """
    namespaces: dict[str, tuple[int, list[bytes]]] = {}
    for entry in text.split(";"):
        if not entry:
            continue
        name, _, rest = entry.rpartition(":")
        parts = rest.split(",")
        if not name or len(parts) < 2:
            raise ProtocolError(f"replicas of unknown form: {entry[:80]!r}")
        regime, count = _number(parts[0], entry), _number(parts[1], entry)
        if count != len(parts) - 2:
            raise ProtocolError(f"replicas of namespace {name!r} announce {count} bitmaps and hold {len(parts) - 2}")
        namespaces[name] = (regime, [_bitmap(bitmap, name) for bitmap in parts[2:]])
    return namespaces


def format_replicas(namespaces: Mapping[str, tuple[int, Sequence[bytes]]]) -> str:
    """Format the answer; the inverse of :func:`parse_replicas`."""
    entries = []
    for name, (regime, bitmaps) in namespaces.items():
        encoded = "".join(["," + base64.b64encode(bitmap).decode() for bitmap in bitmaps])
        entries.append(f"{name}:{regime},{len(bitmaps)}{encoded}")
    return ";".join(entries)


def _bitmap(text: str, namespace: str) -> bytes:
    try:
        bitmap = binascii.a2b_base64(text.encode(), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ProtocolError(f"a bitmap of namespace {namespace!r} is not base64") from None
    if len(bitmap) != BITMAP_SIZE:
        raise ProtocolError(f"a bitmap of namespace {namespace!r} has {len(bitmap)} bytes, expected {BITMAP_SIZE}")
    return bitmap
