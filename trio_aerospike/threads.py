"""Single-record commands for threads: blocking calls on a client that runs in Trio elsewhere.

A program whose client lives in a Trio thread, as the synchronous half of the ``aerospike_py`` package has it, gets
records here without a detour through that thread where it can be had: the calling thread borrows a connection and waits
by itself. Whatever needs more (no connection to be had, another attempt, a limit on concurrent operations) crosses into
Trio as before.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

import trio

from ._client import Client
from ._cluster.tend.node import Node
from ._commands.records import RecordCommands
from ._drivers.attempt import LOGGED_OUT, RESULT_CODE, BorrowingExecutor, Policy
from .errors import ClientClosed, ProtocolError
from .keys import Key
from .validation import Uncopyable

__all__ = ["ThreadCommands"]

T = TypeVar("T")


class Cross(Protocol):
    """Runs an async function in the client's Trio and blocks the calling thread until it is done."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Any: ...


class ThreadCommands(RecordCommands, Uncopyable):
    """The single-record commands of a client, for threads.

    The methods are those of the client, coroutines by form; :meth:`wait` runs one to its end in the calling thread::

        commands = ThreadCommands(client, trio.from_thread.run)
        record = commands.wait(commands.get(key))

    Any number of threads may use one object at a time. What they get, and the errors they see, is what the client
    itself would give: policies, retries and doubt included. Connections borrowed count against ``max_conns_per_node``,
    are given up when commands in Trio need the room, and close with the client, which ends commands under way with
    ClientClosed. Over TLS, with a connector of the user's own or under ``max_concurrent_operations`` nothing is
    borrowed: every command crosses. A process forked from this one has none of the connections.

    Args:
        client: a connected client of another thread's Trio run.
        cross: how to get there; ``trio.from_thread.run`` in a thread that Trio started.
    """

    _instead_of_copy = "share the object, or make another from the client"

    def __init__(self, client: Client, cross: Cross) -> None:
        super().__init__(client.config, client._cluster, client._executor, runner=_ThreadExecutor(client, cross))

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


class _ThreadExecutor(BorrowingExecutor):
    """What it runs never suspends."""

    def __init__(self, client: Client, cross: Cross) -> None:
        super().__init__(client)
        self._cross = cross
        self._limited = client._executor.limiter is not None

    async def _run(self, what: str, key: Key, frame: bytes, policy: Policy, write: bool) -> bytes:
        began = time.monotonic()
        digest = key.digest
        table = self._cluster.partitions.tables.get(key.namespace)
        node = None if table is None else table.masters[(digest[0] | digest[1] << 8) & 4095]
        link = None if node is None or self._limited else node.lender.borrow()
        if node is None or link is None:
            return self._in_trio(self._run_and_lend, node, what, key, frame, policy, write)
        limit = math.inf if policy.total_timeout is None else began + policy.total_timeout
        deadline = limit if policy.socket_timeout is None else min(limit, began + policy.socket_timeout)
        try:
            body = link.exchange(frame, deadline)
        except (OSError, ProtocolError) as error:
            node.lender.discard(link)
            attempt = self._first_attempt(what, key, policy, write, node, began)
            if self._cluster.closed:
                raise attempt.closed(sent=link.sent) from error
            if not isinstance(error, TimeoutError):
                node.lent_connection_broke()
            if link.sent:
                attempt.broken(error)
            else:
                attempt.unsent()
        except BaseException:
            # Interrupted: the answer is still to come, so nobody else may have this connection.
            node.lender.discard(link)
            raise
        else:
            code = body[RESULT_CODE]
            if code in LOGGED_OUT:
                node.lender.discard(link)  # a new session is for new connections
            else:
                node.lender.give_back(link)
            if not code:
                return body
            attempt = self._first_attempt(what, key, policy, write, node, began)
            attempt.refused(code, frame)
        return self._in_trio(
            self._inner.go_on, what, key, frame, policy, write, attempt.state, attempt.decision, attempt.error
        )

    async def _run_and_lend(
        self, node: Node | None, what: str, key: Key, frame: bytes, policy: Policy, write: bool
    ) -> bytes:
        """In Trio: the command, which does not wait for the connection that the next one may borrow."""
        if node is not None and node.may_lend and not self._limited:
            node.lend_soon()
        return await self._inner.plain_run(what, key, frame, policy, write)

    def _in_trio(self, function: Callable[..., Coroutine[Any, Any, bytes]], *args: Any) -> bytes:
        try:
            body: bytes = self._cross(function, *args)
        except trio.RunFinishedError as error:
            raise ClientClosed("the client is closed: the Trio run that it was part of is over") from error
        return body
