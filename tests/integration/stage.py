"""A client with an embedded cluster, in a thread that runs Trio, for commands that others give outside of it."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import trio

import trio_aerospike as aero
from trio_aerospike import Client
from trio_aerospike._cluster.connections import leases as connection_leases
from trio_aerospike._cluster.tend.node import Node
from trio_aerospike._wire.constants import PROTO_MESSAGE
from trio_aerospike._wire.frames import encode_frame
from trio_aerospike._wire.messages import Message, encode_message
from trio_aerospike.errors import ResultCode
from trio_aerospike.server import EmbeddedCluster, Fault, Reply, open_embedded_cluster

KEY = aero.Key("test", "threads", "one")


class Stage:
    """An embedded cluster and a client, in a thread that runs Trio for them."""

    client: Client
    cluster: EmbeddedCluster

    def __init__(self, **options: Any) -> None:
        self._cluster_options: dict[str, Any] = {
            name: options.pop(name) for name in ("nodes", "users", "memory", "server_tls") if name in options
        }
        if "server_tls" in self._cluster_options:
            self._cluster_options["tls"] = self._cluster_options.pop("server_tls")
        self._client_options = options
        self.crossings = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._main,))
        self._thread.start()
        assert self._ready.wait(10)

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._stop = trio.Event()
        async with open_embedded_cluster(**self._cluster_options) as self.cluster:
            connector = self.cluster.connector if self._cluster_options.get("memory") else None
            if self.cluster.first_user is not None:
                user, password = self.cluster.first_user
                self._client_options |= {"user": user, "password": password}
            async with aero.open_client(self.cluster.hosts, connector=connector, **self._client_options) as self.client:
                self._ready.set()
                await self._stop.wait()

    def in_trio(self, function: Callable[..., Any], *args: Any) -> Any:
        return trio.from_thread.run(function, *args, trio_token=self._token)

    def now_in_trio(self, function: Callable[..., Any], *args: Any) -> Any:
        return trio.from_thread.run_sync(function, *args, trio_token=self._token)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait, in Trio, until something has come about."""

        async def look() -> None:
            with trio.fail_after(5):
                while not condition():
                    await trio.sleep(0.001)

        self.in_trio(look)

    def end(self) -> None:
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._stop.set)
        self._thread.join()

    # -- what tests do with it -----------------------------------------------------------------------------------------

    @property
    def node(self) -> Node:
        """The client's view of the node that is master of KEY's partition."""
        table = self.client._cluster.partitions.tables["test"]
        node = table.masters[(KEY.digest[0] | KEY.digest[1] << 8) & 4095]
        assert node is not None
        return node

    @property
    def leases(self) -> connection_leases.ConnectionLeases:
        return self.node.leases

    def warm_up(self, connections: int = 1) -> None:
        """Have connections lent that rest."""
        self.in_trio(self.client.put, KEY, {"a": 1})
        while self.leases.lent < connections:
            self.in_trio(self.node.lend)
        self.until(lambda: len(self.leases._resting) == self.leases.lent)
        self.crossings = 0

    def send_unasked(self) -> None:
        """Have the server send an unsolicited answer on each connection for commands."""
        leftover = encode_frame(PROTO_MESSAGE, encode_message(Message(generation=666)))

        async def send() -> None:
            for node in self.cluster.nodes:
                for connection in list(node.connections):
                    if connection.is_command:
                        await connection.stream.send_all(leftover)

        self.in_trio(send)

    def script(self, *verdicts: Any, then: Any = None) -> list[Message]:
        """Answer the next messages so, and all others as ``then`` says; returns the list of those that come."""
        seen: list[Message] = []
        left = list(verdicts)

        async def react(kind: str, request: Any) -> Any:
            if kind != "message":
                return None
            seen.append(request)
            return left.pop(0) if left else then

        for node in self.cluster.nodes:
            node.on_request = react
        return seen

    def check_counts(self) -> None:
        """What is lent rests, and is what pools and server count."""
        gc.collect()
        node = self.node
        self.until(lambda: sum(pool.lent for pool in node.pools) == node.leases.lent == len(node.leases._resting))


BAD = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
SCENARIOS: dict[str, list[Any]] = {
    "reset": [Fault.RESET],
    "closed": [Fault.CLOSE],
    "silent": [Fault.SILENCE],
    "garbage": [Reply(BAD)],
    "reset, then not found": [Fault.RESET, ResultCode.RECORD_NOT_FOUND],
    "reset twice": [Fault.RESET, Fault.RESET],
    "reset thrice": [Fault.RESET] * 3,
    "timeout of the server": [ResultCode.TIMEOUT],
    "timeouts of the server": [ResultCode.TIMEOUT] * 2,
    "timeout, then not found": [ResultCode.TIMEOUT, ResultCode.RECORD_NOT_FOUND],
    "overload": [ResultCode.DEVICE_OVERLOAD],
    "overload, then reset": [ResultCode.DEVICE_OVERLOAD, Fault.RESET],
    "overload twice": [ResultCode.DEVICE_OVERLOAD] * 2,
    "hot key": [ResultCode.KEY_BUSY],
    "hot key, then overload": [ResultCode.KEY_BUSY, ResultCode.DEVICE_OVERLOAD],
    "hot key, then reset": [ResultCode.KEY_BUSY, Fault.RESET],
    "refused": [ResultCode.RECORD_TOO_BIG],
    "unavailable": [ResultCode.PARTITION_UNAVAILABLE],
    "unavailable, then not found": [ResultCode.PARTITION_UNAVAILABLE, ResultCode.RECORD_NOT_FOUND],
    "unavailable, then reset": [ResultCode.PARTITION_UNAVAILABLE, Fault.RESET],
    "session over": [ResultCode.EXPIRED_SESSION],
}


def outcome(run: Callable[[], object]) -> tuple[object, ...]:
    try:
        run()
    except aero.AerospikeError as error:
        tried = [(attempt.node, attempt.cause) for attempt in error.history]
        return type(error), int(error.result_code), error.in_doubt, error.attempts, error.node, tried
    return ("done",)


def descriptors() -> int:
    """How many this process has open."""
    gc.collect()
    return len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))
