"""Info: the server's text protocol, of names in and name-value lines out.

Facts: the server's ``as/src/base/thr_info.c``; the formats of ``peers-*`` and ``replicas`` from its
``as/src/fabric/exchange.c`` and ``partition.c`` answers (recorded ones are in ``tests/data``).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence

import attrs

from ..errors import InvalidArgError, ProtocolError
from .constants import N_PARTITIONS, PROTO_INFO
from .frames import encode_frame

BITMAP_SIZE = N_PARTITIONS // 8

# --- requests and answers --------------------------------------------------------------------------------------------


def encode_info_request(*names: str) -> bytes:
    """The frame that asks for these values or runs these commands; none asks for the server's default set.

    Raises:
        InvalidArgError: a name is empty or holds a line break, which ends a name.
    """
    for name in names:
        if not name or "\n" in name:
            raise InvalidArgError(f"info command {name!r:.60} is empty or holds a line break")
    return encode_frame(PROTO_INFO, "".join([name + "\n" for name in names]).encode())


def decode_info_request(body: bytes) -> list[str]:
    """The names a request asks for.

    Raises:
        ProtocolError: it is not UTF-8.
    """
    return [name for name in _text(body).split("\n") if name]


def encode_info_response(values: Mapping[str, str] | Iterable[tuple[str, str]]) -> bytes:
    """The frame that answers with these values, in their order."""
    pairs = values.items() if isinstance(values, Mapping) else values
    return encode_frame(PROTO_INFO, "".join([f"{name}\t{value}\n" for name, value in pairs]).encode())


def decode_info_response(body: bytes) -> dict[str, str]:
    """The answer to each name asked for; a value of none is "".

    Raises:
        ProtocolError: it is not UTF-8.
    """
    answers = {}
    for line in _text(body).split("\n"):
        if line:
            name, _, value = line.partition("\t")
            answers[name] = value
    return answers


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError(f"an info message is not UTF-8: {error.reason} at byte {error.start}") from None


@attrs.frozen(slots=True)
class InfoError:
    """An error in place of a value: the result code (1 when the server gave none) and its words."""

    code: int
    message: str


def parse_error(value: str) -> InfoError | None:
    """The error that a value stands for ("ERROR:4:bad", "FAIL:4:bad", "ERROR"), None when it is a value."""
    kind, _, rest = value.partition(":")
    if kind.upper() not in ("ERROR", "FAIL"):
        return None
    code, colon, message = rest.partition(":")
    if code.isascii() and code.isdigit() and len(code) < 10:
        return InfoError(int(code), message)
    return InfoError(1, message if colon and not code else rest)


def is_error(value: str) -> bool:
    """Whether a value is an error of the server (see :func:`parse_error`)."""
    return parse_error(value) is not None


def format_error(code: int, message: str = "") -> str:
    """An error as the server writes it in place of a value."""
    return f"ERROR:{code}:{message}"


# --- peers -----------------------------------------------------------------------------------------------------------


@attrs.frozen(slots=True)
class Peer:
    """Another node, as a node of the cluster knows it: its name, its TLS name ("" for none) and its addresses."""

    name: str
    tls_name: str
    hosts: tuple[tuple[str, int], ...]


def parse_peers(text: str) -> tuple[int, int, list[Peer]]:
    """Generation, default port (0 when left out) and peers of a ``peers-*`` answer.

    The form is ``generation,port,[[name,tls-name,[host:port,...]],...]``; IPv6 addresses stand in brackets, and a host
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
    """The answer that :func:`parse_peers` reads."""
    entries = []
    for peer in peers:
        hosts = ",".join([format_host(host, port) for host, port in peer.hosts])
        entries.append(f"[{peer.name},{peer.tls_name},[{hosts}]]")
    return f"{generation},{default_port or ''},[{','.join(entries)}]"


def format_host(host: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_services(text: str, default_port: int = 0) -> list[tuple[str, int]]:
    """The addresses of a ``service-*`` answer: ``host:port``, with commas (in old forms semicolons) between.

    Raises:
        ProtocolError: it is not of that form.
    """
    return [_parse_host(host, default_port, text) for host in text.replace(";", ",").split(",") if host]


def _number(digits: str, text: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise ProtocolError(f"{digits[:20]!r} stands where a number belongs in {text[:80]!r}")
    return int(digits)


def _split_list(entry: str, text: str) -> list[str]:
    """The elements of ``[a,b,[c,d]]``, lists among them whole."""
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
    """What a node owns, from its ``replicas`` answer: per namespace the regime and a bitmap per replica, master first.

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
    """The answer that :func:`parse_replicas` reads."""
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
        raise ProtocolError(f"a bitmap of namespace {namespace!r} has {len(bitmap)} bytes: it has {BITMAP_SIZE}")
    return bitmap
