"""Single-record commands for blocking threads, on a client whose Trio run is in another thread.

A program whose client runs Trio in a thread of its own, as the synchronous half of the ``aerospike_py`` package does,
would pay two hops between threads for each record. Instead the calling thread leases a connection and waits on it
itself. What needs more (no connection to be had, another attempt, a limit on concurrent operations) is executed in
Trio.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

import trio

from .._cluster.tend.node import Node
from .._commands.records import RecordCommands
from ..errors import ClientClosed, ProtocolError
from ..keys import Key
from ..validation import Uncopyable
from .first_attempt import LOGGED_OUT, RESULT_CODE, ConnectedClient, LeasingExecutor, Policy

T = TypeVar("T")


class RunInTrio(Protocol):
    """Runs an async function in the client's Trio run and blocks the calling thread until it is done."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Any: ...


class ThreadCommands(RecordCommands, Uncopyable):
    """The single-record commands of a client, for threads.

    The methods are those of the client, coroutines by form; :meth:`wait` runs one to its end in the calling thread::

        commands = ThreadCommands(client, trio.from_thread.run)
        record = commands.wait(commands.get(key))

    Any number of threads may use one object at the same time. Results and errors are those of the client itself:
    policies, retries and doubt included. Leased connections count against ``max_conns_per_node``, are closed when
    commands in Trio need the room, and close with the client, which ends commands in flight with ClientClosed. Over
    TLS, with a custom connector or under ``max_concurrent_operations`` nothing is leased: Trio executes every command.
    A process forked from this one has none of the connections.

    Args:
        client: a connected client of another thread's Trio run.
        run_in_trio: runs an async function there; ``trio.from_thread.run`` in a thread that Trio started.
    """

    _instead_of_copy = "share the object, or make another from the client"

    def __init__(self, client: ConnectedClient, run_in_trio: RunInTrio) -> None:
        runner = BlockingExecutor(client, run_in_trio)
        super().__init__(client.config, client._cluster, client._executor, runner=runner)

    @staticmethod
    def wait(command: Coroutine[Any, Any, T]) -> T:
        """Run a command of this object in the calling thread.

        Returns:
            What the command returns.

        Raises:
            AerospikeError: what the command raises.
            KeyboardInterrupt: as it comes; a write under way may or may not have been applied.
        """
        try:
            command.send(None)
        except StopIteration as stop:
            value: T = stop.value
            return value
        command.close()
        raise RuntimeError("wait() runs only commands of the object it belongs to")


class BlockingExecutor(LeasingExecutor):
    """Executes single-record commands in the calling thread. Its coroutines never suspend."""

    def __init__(self, client: ConnectedClient, run_in_trio: RunInTrio) -> None:
        super().__init__(client)
        self._run_in_trio = run_in_trio
        self._limited = client._executor.limiter is not None

    async def _run(self, what: str, key: Key, frame: bytes, policy: Policy, write: bool) -> bytes:
        began = time.monotonic()
        digest = key.digest
        table = self._cluster.partitions.tables.get(key.namespace)
        node = None if table is None else table.masters[(digest[0] | digest[1] << 8) & 4095]
        connection = None if node is None or self._limited else node.leases.borrow()
        if node is None or connection is None:
            return self._in_trio(self._run_and_lend, node, what, key, frame, policy, write)
        limit = math.inf if policy.total_timeout is None else began + policy.total_timeout
        deadline = limit if policy.socket_timeout is None else min(limit, began + policy.socket_timeout)
        try:
            body = connection.exchange(frame, deadline)
        except (OSError, ProtocolError) as error:
            node.leases.discard(connection)
            attempt = self._first_attempt(what, key, policy, write, node, began)
            if self._cluster.closed:
                raise attempt.closed(sent=connection.sent) from error
            if not isinstance(error, TimeoutError):
                node.lent_connection_broke()
            if connection.sent:
                attempt.broken(error)
            else:
                attempt.unsent()
        except BaseException:
            # Interrupted: the answer is still owed, so no other thread may use this connection.
            node.leases.discard(connection)
            raise
        else:
            code = body[RESULT_CODE]
            if code in LOGGED_OUT:
                node.leases.discard(connection)  # a new session is for new connections
            else:
                node.leases.give_back(connection)
            if not code:
                return body
            attempt = self._first_attempt(what, key, policy, write, node, began)
            attempt.refused(code, frame)
        return self._in_trio(
            self._inner.resume, what, key, frame, policy, write, attempt.state, attempt.decision, attempt.error
        )

    async def _run_and_lend(
        self, node: Node | None, what: str, key: Key, frame: bytes, policy: Policy, write: bool
    ) -> bytes:
        """Run a command in Trio, and have a connection opened, not waited for, that the next command may lease."""
        if node is not None and node.may_lend and not self._limited:
            node.lend_soon()
        return await self._inner.plain_run(what, key, frame, policy, write)

    def _in_trio(self, function: Callable[..., Coroutine[Any, Any, bytes]], *args: Any) -> bytes:
        try:
            body: bytes = self._run_in_trio(function, *args)
        except trio.RunFinishedError as error:
            raise ClientClosed("the client is closed: the Trio run that it was part of is over") from error
        return body
