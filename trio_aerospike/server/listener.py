"""Listening sockets: bind them, and accept all connections that wait."""

from __future__ import annotations

import socket
import ssl
import sys

import trio

Address = tuple[str, int]

#: Connections accepted in one go.
ACCEPT_BURST = 64


async def bind_socket(address: Address) -> tuple[trio.socket.SocketType, Address]:
    """Bind a socket, without listening yet; returns it and its address, in which a port of 0 became a free one.

    Raises:
        OSError: the address is in use, or not this machine's.
    """
    host, port = address
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, target = found[0]
    sock = trio.socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # where it would let two servers share a port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        await sock.bind(target)
    except BaseException:
        sock.close()
        raise
    return sock, (host, sock.getsockname()[1])


def accept_waiting(sock: trio.socket.SocketType) -> list[trio.SocketStream]:
    """Accept up to :data:`ACCEPT_BURST` connections that wait on a listening socket, without waiting for more."""
    streams: list[trio.SocketStream] = []
    listener = socket.socket(fileno=sock.fileno())
    try:
        listener.setblocking(False)
        for _ in range(ACCEPT_BURST):
            streams.append(trio.SocketStream(trio.socket.from_stdlib_socket(listener.accept()[0])))
    except OSError:
        pass  # none waits, or an error that the next call of Trio's own accept raises again
    finally:
        listener.detach()
    return streams


def check_server_context(context: ssl.SSLContext | None) -> None:
    """Refuse an SSL context that cannot be used by servers. Raises `ValueError`: it was made for clients."""
    if context is not None and context.protocol == ssl.PROTOCOL_TLS_CLIENT:
        raise ValueError("tls needs an SSLContext for servers: ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)")
