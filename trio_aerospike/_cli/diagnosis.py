"""Diagnose seeds that the client cannot use: find out what listens at their addresses."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable

import trio

from .._wire.info import encode_info_request
from ..config import Host
from .terminal import reason

_SECONDS = 2.0
_INFO_FRAME = b"\x02\x01"
_TLS_ALERT = b"\x15\x03"
_NOT_AEROSPIKE = "it is not the service port of an Aerospike server (3000 by default)"


async def diagnose(hosts: Iterable[Host], tls: ssl.SSLContext | None, timeout: float) -> list[str]:
    """Probe addresses that the client could not use.

    Args:
        hosts: the seeds.
        tls: the TLS context of the client; None for plain TCP.
        timeout: seconds that the client was given; a probe takes two at the most.

    Returns:
        A sentence for each seed with a finding.
    """
    hosts = list(hosts)
    found: dict[int, str] = {}

    async def look(place: int, host: Host) -> None:
        with trio.move_on_after(min(timeout, _SECONDS)):
            words = await _look(host, tls)
            if words:
                found[place] = f"{host} {words}"

    async with trio.open_nursery() as nursery:
        for place, host in enumerate(hosts):
            nursery.start_soon(look, place, host)
    return [found[place] for place in sorted(found)]


async def _look(host: Host, tls: ssl.SSLContext | None) -> str:
    try:
        answer = await _plain_answer(host)
        if answer.startswith(_INFO_FRAME):
            return "does not speak TLS: leave the TLS options out" if tls else ""
        if b"HTTP/" in answer or b"<html" in answer.lower() or b"<!doctype" in answer.lower():
            return f"is a web server (HTTP): {_NOT_AEROSPIKE}"
        if answer and not answer.startswith(_TLS_ALERT):
            return f"answers {answer[:24]!r}: {_NOT_AEROSPIKE}"
        if tls is not None and await _handshake(host, tls):
            return ""
        if await _handshake(host, _trusting()):
            if tls is not None:
                return "has a certificate that is not accepted: --tls-ca FILE names the authority that issued it"
            return "speaks TLS: give --tls, and --tls-ca FILE for the authority of its certificate"
        return f"closes connections without an answer: {_NOT_AEROSPIKE}, or of other TLS settings"
    except OSError as error:
        return _words(host, error)
    except UnicodeError:
        return "is not a valid host name"


def _words(host: Host, error: OSError) -> str:
    causes: list[BaseException | None] = [error]
    while causes:
        cause = causes.pop()
        if isinstance(cause, BaseExceptionGroup):
            causes += cause.exceptions
        elif isinstance(cause, socket.gaierror):
            return f"cannot be found: the name {host.name!r} is not known ({reason(cause)})"
        elif isinstance(cause, ConnectionRefusedError):
            return "refuses connections: is the server running, and is this its address and service port?"
        elif cause is not None:
            causes.append(cause.__cause__)
    return ""


async def _plain_answer(host: Host) -> bytes:
    """Return the first bytes of the answer to an info request; b"" if the connection is closed instead."""
    async with await trio.open_tcp_stream(host.name, host.port) as stream:
        try:
            await stream.send_all(encode_info_request("build"))
            return bytes(await stream.receive_some(64))
        except trio.BrokenResourceError:
            return b""


def _trusting() -> ssl.SSLContext:
    # Nothing is sent over it, so the server need not be authenticated.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _handshake(host: Host, context: ssl.SSLContext) -> bool:
    """Whether a TLS handshake succeeds."""
    stream = trio.SSLStream(
        await trio.open_tcp_stream(host.name, host.port), context, server_hostname=host.tls_name or host.name
    )
    try:
        await stream.do_handshake()
    except trio.BrokenResourceError:
        return False
    finally:
        await trio.aclose_forcefully(stream)
    return True
