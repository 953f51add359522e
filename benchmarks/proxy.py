"""A proxy that delays all data by a fixed time in each direction, like a network between client and server.

Usage: python -m benchmarks.proxy --delay 0.001 127.0.0.1:3100 127.0.0.1:3110

Listens on a port for each node, prints the ports as one line of JSON, and stops when its stdin is closed. The nodes
advertise their addresses to clients, so the proxy rewrites them: it uses ports with as many digits as the nodes', and
replaces these in all data from a server.

Since the delay is the same for all data, one queue in order of arrival is enough.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import select
import socket
import sys
import time

CHUNK = 256 * 1024


class End:
    """One of the two sockets of a proxied connection."""

    __slots__ = ("backlog", "closing", "from_server", "other", "sock")

    def __init__(self, sock: socket.socket, from_server: bool) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.from_server = from_server
        self.backlog = b""
        self.closing = False
        self.other: End


class Proxy:
    """The event loop of the proxy.

    Args:
        nodes: The servers.
        delay: Seconds that each byte is delayed.
    """

    def __init__(self, nodes: list[tuple[str, int]], delay: float) -> None:
        self.delay = delay
        self.poll = select.epoll()
        self.ends: dict[int, End] = {}
        self.listeners: dict[int, tuple[socket.socket, tuple[str, int]]] = {}
        self.under_way: collections.deque[tuple[float, End, bytes]] = collections.deque()
        self.renamed: list[tuple[bytes, bytes]] = []
        self.addresses: list[tuple[str, int]] = []
        for node in nodes:
            listener = self._listen(node[1])
            port = listener.getsockname()[1]
            self.listeners[listener.fileno()] = (listener, node)
            self.poll.register(listener.fileno(), select.EPOLLIN)
            self.renamed.append((f":{node[1]}".encode(), f":{port}".encode()))
            self.addresses.append(("127.0.0.1", port))

    def _listen(self, port: int) -> socket.socket:
        digits = len(str(port))
        first = max(1024, 10 ** (digits - 1))
        for offset in range(1, 10**digits - first):
            candidate = first + (port - first + 1000 + offset) % (10**digits - first)
            with contextlib.suppress(OSError):
                return socket.create_server(("127.0.0.1", min(candidate, 65535)), backlog=1024)
        raise SystemExit(f"no free port of {digits} digits")

    def run(self) -> None:
        """Forward bytes until stdin ends."""
        self.poll.register(sys.stdin.fileno(), select.EPOLLIN)
        while True:
            wait = None if not self.under_way else max(0.0, self.under_way[0][0] - time.monotonic())
            # select() on the epoll descriptor: epoll's own timeout is too coarse for this.
            select.select([self.poll], [], [], wait)
            for descriptor, events in self.poll.poll(0):
                if descriptor == sys.stdin.fileno():
                    return
                if descriptor in self.listeners:
                    self._accept(*self.listeners[descriptor])
                    continue
                end = self.ends.get(descriptor)
                if end is not None and events & select.EPOLLOUT:
                    self._write(end, b"")
                if end is not None and events & ~select.EPOLLOUT:
                    self._read(end)
            now = time.monotonic()
            while self.under_way and self.under_way[0][0] <= now:
                _, end, data = self.under_way.popleft()
                self._write(end, data)

    def _accept(self, listener: socket.socket, node: tuple[str, int]) -> None:
        client = End(listener.accept()[0], from_server=False)
        server = End(socket.create_connection(node), from_server=True)
        client.other, server.other = server, client
        for end in (client, server):
            self.ends[end.sock.fileno()] = end
            self.poll.register(end.sock.fileno(), select.EPOLLIN)

    def _read(self, end: End) -> None:
        try:
            data = end.sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.poll.modify(end.sock.fileno(), 0)
        elif end.from_server:
            for old, new in self.renamed:
                if old in data:
                    data = data.replace(old, new)
        self.under_way.append((time.monotonic() + self.delay, end.other, data))

    def _write(self, end: End, data: bytes) -> None:
        """Send to one end; no data and no backlog means that the other end has closed."""
        descriptor = end.sock.fileno()
        if descriptor < 0:
            return
        if not data and not end.backlog:
            self._close(end)
            return
        end.closing = end.closing or not data
        end.backlog += data
        try:
            sent = end.sock.send(end.backlog)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(end)
            return
        end.backlog = end.backlog[sent:]
        self.poll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if end.backlog else 0))

    def _close(self, end: End) -> None:
        for side in (end, end.other):
            if side.sock.fileno() >= 0:
                self.poll.unregister(side.sock.fileno())
                del self.ends[side.sock.fileno()]
                side.sock.close()


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delay", type=float, default=0.001, help="seconds, each way")
    parser.add_argument("nodes", nargs="+", help="host:port of every node")
    arguments = parser.parse_args()
    nodes = [(host, int(port)) for host, _, port in (node.rpartition(":") for node in arguments.nodes)]
    proxy = Proxy(nodes, arguments.delay)
    print(json.dumps(proxy.addresses), flush=True)
    proxy.run()


if __name__ == "__main__":
    main()
