"""Executor of asyncio commands: first attempt on a connection of the loop, everything else in the client's Trio run."""

from __future__ import annotations

import asyncio
import functools
import math
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import trio

from .._cluster.connections.slot_leases import Slot
from .._cluster.tend.node import Node
from ..errors import AerospikeError, ClientClosed, ClientError, ProtocolError
from ..keys import Key
from .first_attempt import LOGGED_OUT, RESULT_CODE, ConnectedClient, LeasingExecutor, Policy
from .loop_node import NodeConnections
from .loop_request import Delegated, LoopRequest, NoProgress, Stalled, Unsent
from .loop_slots import SlotQueue
from .stall_clock import StallClock


class RunInTrio(Protocol):
    """Runs an async function in the client's Trio run while the calling loop continues."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Awaitable[Any]: ...


class LoopExecutor(LeasingExecutor):
    """Executes single-record commands for the tasks of one asyncio loop."""

    def __init__(self, client: ConnectedClient, run_in_trio: RunInTrio, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(client)
        self._run_in_trio = run_in_trio
        # Weak, so that a closed loop is collected: it owns the connections, which watch their sockets in it, and
        # everything else here refers to both weakly.
        self._loop = weakref.ref(loop)
        self._nodes: dict[Node, NodeConnections] = {}
        self._clock = StallClock(loop, self._check)
        self._now = self._clock.now
        self._slots = None if self._inner.limiter is None else SlotQueue(self._inner, self._clock, loop)

    def _check(self) -> bool:
        """Look after the commands of the loop from time to time; return whether any are in flight or wait.

        Runs again what a KeyboardInterrupt may have lost, and has reads sent again that are behind a slow request.
        """
        slots = self._slots
        needed = slots is not None and slots.has_waiters
        for node in self._nodes.values():
            if node.has_requests:
                needed = True
                node.reschedule()
                node.relieve()
        return needed

    async def _run(self, what: str, key: Key, frame: bytes, policy: Policy, write: bool) -> bytes:
        loop = asyncio.get_running_loop()
        if loop is not self._loop():
            text = f"{what} {key!r}: these commands belong to another event loop; make LoopCommands for this one"
            raise ClientError(text)
        digest = key.digest
        table = self._cluster.partitions.tables.get(key.namespace)
        node = None if table is None else table.masters[(digest[0] | digest[1] << 8) & 4095]
        if node is None:
            return await self._in_trio(self._inner.plain_run, what, key, frame, policy, write)
        connections = self._nodes.get(node) or self._connections_to(node)
        now = self._clock.start()
        request = LoopRequest(what, key, policy, write, node, now, self._cluster.patience, self._now)
        request.frame = frame
        request.answer = loop.create_future()
        request.admission = connections
        slots = self._slots
        try:
            try:
                if slots is None:
                    connections.submit(request, now, loop)
                else:
                    slots.submit(request, now, loop)
            except BaseException:
                request.answer.cancel()
                connections.interrupted()
                raise
            try:
                try:
                    body: bytes = await request.answer
                except Stalled:
                    body = await self._second_attempt(request, connections)
            except (asyncio.CancelledError, KeyboardInterrupt):
                self._abandon(request, connections)
                raise
            except Delegated:
                return await self._delegate(request, connections)
            except NoProgress as waited:
                request.waited_in_vain(waited.silence, waited.waiting, waited.full)
            except Unsent:
                request.unsent()
            except (OSError, ProtocolError) as error:
                if self._cluster.closed:
                    raise request.closed(sent=True) from error
                if not isinstance(error, TimeoutError):
                    node.lent_connection_broke()
                request.broken(error)
            else:
                code = body[RESULT_CODE]
                if not code:
                    return body
                if code in LOGGED_OUT and request.connection is not None:
                    request.connection.retire()  # a new session is for new connections
                request.refused(code, frame)
            return await self._resume(request)
        finally:
            if request.slot is not None:
                assert slots is not None
                slots.release(request.slot)

    def _abandon(self, request: LoopRequest, connections: NodeConnections) -> None:
        """Have the answer of a request dropped; its slot stays taken while the server may be executing it."""
        answer = request.answer
        stalled = answer.done() and not answer.cancelled() and isinstance(answer.exception(), Stalled)
        if request.slot is not None and request.in_flight and (answer.cancelled() or stalled):
            assert self._slots is not None
            request.on_done = functools.partial(self._slots.release, request.slot)
            request.slot = None
        connections.abandoned(request)

    async def _second_attempt(self, request: LoopRequest, connections: NodeConnections) -> bytes:
        """Have Trio send a read once more that was sent behind a slow request; the first answer counts."""
        body: bytes | None
        first: asyncio.Future[bytes]
        if request.ended:
            raise Unsent  # it was answered or has expired, or its connection has ended; a read can be executed again
        loop = asyncio.get_running_loop()
        first = request.answer = loop.create_future()
        second = asyncio.ensure_future(self._attempt_in_trio(request))
        try:
            await asyncio.wait((first, second), return_when=asyncio.FIRST_COMPLETED)
            if not first.done():
                body = second.result()
                if body is not None:
                    first.cancel()
                    self._abandon(request, connections)
                    return body
            body = await first
            return body
        finally:
            first.cancel()
            if not loop.is_closed():  # a task that was left pending ends when it is collected, and so does this one
                second.cancel()

    async def _attempt_in_trio(self, request: LoopRequest) -> bytes | None:
        """Make one attempt in Trio; returns None if it was not answered."""
        now = self._now()
        _, key, frame, policy, _ = request.command
        times = request.deadline - now, request.limit - now
        try:
            body: bytes | None = await self._run_in_trio(self._inner.second_attempt, key, frame, policy, *times)
            return body
        except (AerospikeError, trio.RunFinishedError):
            return None

    async def _delegate(self, request: LoopRequest, connections: NodeConnections) -> bytes:
        """Have Trio execute a command that has not been sent."""
        answered = False
        try:
            if request.limit < math.inf:
                if request.limit <= self._now():
                    request.waited_in_vain(*connections.wait_of(request))
                body = await self._resume(request)
            elif request.slot is None:
                # No limit, or an interrupt before the slot was noted: Trio acquires one where that is needed.
                body = await self._in_trio(self._inner.plain_run, *request.command)
            else:
                body = await self._with_slot(request, self._inner.run_leased, *request.command)
            answered = True
            return body
        finally:
            connections.delegation_ended(answered)

    async def _resume(self, request: LoopRequest) -> bytes:
        """Have Trio continue a command after its first attempt."""
        state = request.state
        state.shift(time.monotonic() - self._clock.now())
        return await self._with_slot(
            request, self._inner.resume, *request.command, state, request.decision, request.error
        )

    async def _with_slot(self, request: LoopRequest, function: Callable[..., Any], *args: Any) -> bytes:
        """Run a command in Trio, which takes its slot over or acquires one, unless the task is cancelled before."""
        if self._slots is None:
            return await self._in_trio(function, *args, None)
        # None where a first attempt that goes on has kept the slot, or its answer has released it.
        leased: list[Slot | None] = [request.slot]
        request.slot = None
        try:
            return await self._in_trio(function, *args, leased)
        finally:
            try:
                request.slot = leased.pop()
            except IndexError:
                pass  # Trio has it, and releases it

    async def _in_trio(self, function: Callable[..., Any], *args: Any) -> bytes:
        try:
            body: bytes = await self._run_in_trio(function, *args)
        except trio.RunFinishedError as error:
            raise ClientClosed("the client is closed: the Trio run that it was part of is over") from error
        return body

    def _connections_to(self, node: Node) -> NodeConnections:
        """Return the loop's connections to a node; forget those of nodes that have left the cluster."""
        connections = self._nodes.get(node)
        if connections is None:
            kept = {one: its for one, its in self._nodes.items() if one.active or its.has_requests or its.count}
            connections = kept[node] = NodeConnections(node, self._clock, self._slots, self._loop)
            self._nodes = kept
        return connections
