"""Prepared requests, pipelined over plain sockets without a client: the limit of this machine and server.

Requests are encoded before the clock starts, and replies are only split into frames, never decoded. The `depth`
requests in flight are spread over `conns` connections per node (by default one, more if the driver asks). Layout of
requests: server, as/include/base/proto.h.
"""

from __future__ import annotations

import base64
import collections
import hashlib
import itertools
import select
import socket
import struct
import time
from collections import Counter
from typing import Any

from benchmarks.workers.common import NAMESPACE, SET, Answer, Figures, Wire, bins_of, numbers, peak_memory, quiet_memory

READ_ALL = 0x01 | 0x02
WRITE = 0x01
RECEIVE = 256 * 1024
PREPARED = 16384


def _field(kind: int, data: bytes) -> bytes:
    return struct.pack(">IB", len(data) + 1, kind) + data


def _operation(name: str, value: Any) -> bytes:
    if isinstance(value, int):
        particle, data = 1, struct.pack(">q", value)
    elif isinstance(value, float):
        particle, data = 2, struct.pack(">d", value)
    else:
        particle, data = 3, str(value).encode()
    return struct.pack(">IBBBB", len(name) + len(data) + 4, 2, particle, 0, len(name)) + name.encode() + data


def digest_of(number: int) -> bytes:
    """The digest of an integer key."""
    return hashlib.new("ripemd160", SET.encode() + b"\x01" + struct.pack(">q", number)).digest()


def request(kind: str, number: int) -> bytes:
    """A whole frame: a get of all bins, or a put of the three bins."""
    fields = _field(0, NAMESPACE.encode()) + _field(1, SET.encode()) + _field(4, digest_of(number))
    operations = [_operation(name, value) for name, value in bins_of(number).items()] if kind == "put" else []
    info1, info2 = (0, WRITE) if kind == "put" else (READ_ALL, 0)
    header = struct.pack(">BBBBBBIIIHH", 22, info1, info2, 0, 0, 0, 0, 0, 1000, 3, len(operations))
    body = header + fields + b"".join(operations)
    return struct.pack(">Q", (2 << 56) | (3 << 48) | len(body)) + body


def info(address: tuple[str, int], *names: str) -> dict[str, str]:
    """Ask a node for info values."""
    with socket.create_connection(address, timeout=5) as sock:
        text = "".join(f"{name}\n" for name in names).encode()
        sock.sendall(struct.pack(">Q", (2 << 56) | (1 << 48) | len(text)) + text)
        length = struct.unpack(">Q", sock.recv(8, socket.MSG_WAITALL))[0] & 0xFFFFFFFFFFFF
        lines = sock.recv(length, socket.MSG_WAITALL).decode().splitlines()
    return {name: value for name, _, value in (line.partition("\t") for line in lines)}


def owners(seeds: list[list[Any]]) -> tuple[list[tuple[str, int]], list[int]]:
    """Return the nodes' addresses, and for each partition the index of its master."""
    address = (seeds[0][0], seeds[0][1])
    addresses = {address}
    for part in info(address, "peers-clear-std")["peers-clear-std"].split("[")[1:]:
        ends = part.split("]")[0].split(",")
        for end in ends:
            host, colon, port = end.rpartition(":")
            if colon and port.isdigit():
                addresses.add((host, int(port)))
    nodes = sorted(addresses, key=lambda item: item[1])
    masters = [0] * 4096
    for index, node in enumerate(nodes):
        for entry in info(node, "replicas")["replicas"].split(";"):
            name, _, rest = entry.partition(":")
            if name == NAMESPACE:
                bitmap = base64.b64decode(rest.split(",")[2])
                for partition in range(4096):
                    if bitmap[partition >> 3] & (0x80 >> (partition & 7)):
                        masters[partition] = index
    return nodes, masters


class Line:
    """One connection and the requests that it sends cyclically."""

    def __init__(self, address: tuple[str, int], prepared: list[bytes]) -> None:
        self.sock = socket.create_connection(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.prepared = memoryview(b"".join(prepared))
        self.length = len(prepared[0])
        self.offset = 0
        self.times: collections.deque[float] = collections.deque()
        self.rest = b""

    def send(self, count: int, now: float) -> None:
        """Send the next `count` requests."""
        self.times.extend([now] * count)
        while count:
            chunk = self.prepared[self.offset : self.offset + count * self.length]
            self.sock.sendall(chunk)
            count -= len(chunk) // self.length
            self.offset = (self.offset + len(chunk)) % len(self.prepared)

    def receive(self, refused: Counter[str]) -> int:
        """Read once; return the number of completed replies. Result codes other than 0 are counted in `refused`."""
        data = self.rest + self.sock.recv(RECEIVE)
        size, at, replies = len(data), 0, 0
        while size - at >= 8:
            length = 8 + (int.from_bytes(data[at : at + 8], "big") & 0xFFFFFFFFFFFF)
            if size - at < length:
                break
            if data[at + 13] != 0:
                refused[f"result code {data[at + 13]}"] += 1
            at += length
            replies += 1
        self.rest = data[at:]
        if not data:
            raise RuntimeError("the server closed the connection")
        return replies


class Bare:
    """The loop over all connections."""

    def __init__(self, seeds: list[list[Any]]) -> None:
        self.nodes, self.masters = owners(seeds)
        self._requests: dict[tuple[str, int], list[list[bytes]]] = {}

    def prepare(self, kind: str, records: int) -> list[list[bytes]]:
        """Prepare the requests to each node's partitions."""
        if (kind, records) not in self._requests:
            stream = numbers(records)
            parts: list[list[bytes]] = [[] for _ in self.nodes]
            for number in itertools.islice(stream, min(PREPARED, records)):
                partition = int.from_bytes(digest_of(number)[:2], "little") & 4095
                parts[self.masters[partition]].append(request(kind, number))
            self._requests[kind, records] = parts
        return self._requests[kind, records]

    def round(self, kind: str, depth: int, seconds: float, records: int, conns: int) -> Answer:
        """One round with `depth` requests in flight over `conns` connections to each node."""
        prepared = self.prepare(kind, records)
        nodes = len(self.nodes)
        count = max(1, min(depth, conns * nodes))
        # Each connection has its own keys: the server refuses a second write to a key that waits for its replica.
        lines = [
            Line(self.nodes[i % nodes], prepared[i % nodes][i // nodes :: max(1, count // nodes)]) for i in range(count)
        ]
        poll = select.epoll()
        by_descriptor = {line.sock.fileno(): line for line in lines}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.EPOLLIN)
        figures = Figures(seconds)
        clock = time.perf_counter
        for index, line in enumerate(lines):
            line.send(depth // count + (index < depth % count), clock())
        flying = depth
        while flying:
            for descriptor, _ in poll.poll():
                line = by_descriptor[descriptor]
                replies = line.receive(figures.errors)
                now = clock()
                for _ in range(replies):
                    figures.add(line.times.popleft(), now)
                if now < figures.end:
                    line.send(replies, now)
                else:
                    flying -= replies
        figures.close()
        poll.close()
        for line in lines:
            line.sock.close()
        return figures.answer()


def main() -> None:
    """Serve the driver."""
    wire = Wire()
    bare: Bare | None = None
    while True:
        command = wire.receive()
        if command is None or command["cmd"] == "stop":
            wire.send({"ok": True, "peak_memory": peak_memory()})
            return
        if command["cmd"] == "start":
            bare = Bare(command["hosts"])
            wire.send({"ok": True, "version": f"{len(bare.nodes)} node(s)"})
        elif command["cmd"] == "load":
            assert bare is not None
            refused: Counter[str] = Counter()
            lines = [Line(node, [b""]) for node in bare.nodes]
            for number in range(command["records"]):
                partition = int.from_bytes(digest_of(number)[:2], "little") & 4095
                line = lines[bare.masters[partition]]
                line.sock.sendall(request("put", number))
                line.receive(refused)
            for line in lines:
                line.sock.close()
            wire.send({"ok": not refused})
        else:
            assert bare is not None
            quiet_memory()
            depth, conns = command["depth"], command.get("conns", 1)
            wire.send(bare.round(command["kind"], depth, command["seconds"], command["records"], conns))


if __name__ == "__main__":
    main()
