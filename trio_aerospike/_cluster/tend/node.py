"""One node of the cluster: connection pools, info connection, leases, and the tasks that maintain them."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable

import trio

from ...errors import AerospikeError, ProtocolError
from ...validation import Uncopyable
from ..connections.connection import Connection
from ..connections.info import InfoConnection
from ..connections.leases import CAN_LEASE, MAX_LEASED, ConnectionLeases
from ..connections.login import Session
from ..connections.loop_clock import loop_clock
from ..connections.pool import MAX_DEPTH, Pool, no_slot_to_release
from ..connections.request import Failure, Request
from ..connections.rerouting import STALL
from ..connections.transport import SocketTransport, Transport

logger = logging.getLogger("trio_aerospike")

#: Seconds to wait for a node's answer to the tend loop if the client's ``timeout`` sets no limit.
TEND_TIMEOUT = 10.0

#: Seconds before the next try after a connection to lease could not be opened.
LEND_AGAIN = 1.0
_NO_TRANSPORT = (OSError, AerospikeError, trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError)


class NodeLeftError(ConnectionError):
    """The node is no longer part of the cluster; :meth:`Cluster.cause` says why."""


class Node(Uncopyable):
    """A node of the cluster, at the address that reaches it.

    Attributes:
        name: the node's name, which identifies it whatever the address.
        host, port: the address to connect to.
        tls_name: the name in its certificate, if that is not the address.
        session: the client's session on it.
        active: False once the node has been taken out of the cluster.
        build: the server's version; "" while it is not known.
        answering: whether it answered the tend loop when it was last asked, and no connection has failed since.

    Args:
        open_transport: opens and authenticates a transport to it.
        tend_transport: an open transport for the tend loop's info commands.
        latency: round-trip time of an info command on it, in seconds.
        on_failure: called when a connection to it breaks or cannot be opened.
        timeout: seconds for opening a connection, and for an info command.
        idle_timeout: seconds after which an idle connection is closed.
        max_connections, min_connections: connections for commands, over all pools.
        pools: the number of pools that they are split into.
        pipelined: whether a connection may carry more than one request at a time.
        lends: whether its connections are plain sockets, which a thread can use by itself.
        spare_slot: as for :class:`~trio_aerospike._cluster.connections.pool.Pool`.
    """

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        *,
        tls_name: str | None,
        session: Session,
        open_transport: Callable[[], Awaitable[Transport]],
        tend_transport: Transport,
        latency: float,
        on_failure: Callable[[Node], None],
        timeout: float,
        idle_timeout: float,
        max_connections: int,
        min_connections: int,
        pools: int,
        pipelined: bool,
        lends: bool,
        spare_slot: Callable[[], Callable[[], None] | None] = lambda: no_slot_to_release,
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.tls_name = tls_name
        self.session = session
        self.active: bool = True
        self.answering = True
        #: Why the node is no longer part of the cluster, as text; empty while it is.
        self.left: str = ""
        self.build = ""
        self._on_failure = on_failure
        self.open_transport = open_transport
        self._timeout = timeout
        self._idle_timeout = idle_timeout
        self._tend_connection = self._make_info_connection(pipelined, tend_transport)
        self._tend_connection.latency = latency
        self._info_connection = self._make_info_connection(pipelined, None)
        self.lends: bool = lends and CAN_LEASE and isinstance(tend_transport, SocketTransport)
        self._lend_again = -math.inf
        self._trio = trio.lowlevel.current_trio_token()
        self.leases: ConnectionLeases = ConnectionLeases(self._lent_was_closed)
        self._clock = loop_clock()
        max_depth = MAX_DEPTH if pipelined else 1
        self.pools: list[Pool] = [
            Pool(
                max_connections // pools + (index < max_connections % pools),
                min_connections // pools + (index < min_connections % pools),
                open_one=self._start_opening,
                max_depth=max_depth,
                latency=lambda: self._tend_connection.latency,
                reclaim=self._reclaim,
                hurry=self._hurry,
                watch=self._watch,
                spare_slot=spare_slot,
                clock=self._clock,
            )
            for index in range(pools)
        ]
        self._turn = 0
        self._nursery: trio.Nursery | None = None
        self._due = math.inf
        self._sweep_scope: trio.CancelScope | None = None
        #: Set once requests are queued behind others.
        self._queued_behind = trio.Event()
        self._minimum_ready = trio.Event()
        self._started = trio.Event()

    def __repr__(self) -> str:
        return f"<Node {self.name} at {self.host}:{self.port}{'' if self.active else ', removed'}: {self.pools}>"

    @property
    def address(self) -> str:
        """Host and port, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def awaited(self) -> bool:
        """Whether a request is in flight on a connection of the pools or on a leased one."""
        return self.leases.awaited or any(pool.awaited for pool in self.pools)

    @property
    def waiting(self) -> int:
        """The number of requests that wait for a connection."""
        return sum(len(pool.waiting) for pool in self.pools)

    @property
    def progress_at(self) -> float:
        """When the node last answered a command, on the loop clock."""
        return max(pool.progress_at for pool in self.pools)

    # -- requests ----------------------------------------------------------------------------------------------------

    @trio.lowlevel.enable_ki_protection
    def submit(self, request: Request) -> None:
        """Accept a request: when this returns, a connection has it or it waits for one; a removed node fails it."""
        if not self.active or self._nursery is None:
            request.fail(Failure.UNREACHABLE)
            return
        pools = self.pools
        if len(pools) == 1:
            pools[0].submit(request)
        else:
            self._turn = turn = (self._turn + 1) % len(pools)
            pool = pools[turn]
            if not pool.has_room(request.exclusive):
                pool = next((other for other in pools if other.has_room(request.exclusive)), pool)
                if pool.held:
                    pool = next((other for other in pools if not other.held), pool)
            pool.submit(request)
        if request.deadline < self._due:
            self._hurry(request.deadline)

    async def info(self, *names: str, timeout: float | None = None) -> dict[str, str]:
        """Send info commands over the node's info connection, apart from the pools.

        Args:
            names: the commands; all are asked in one request.
            timeout: seconds; None for the client's ``timeout``.

        Returns:
            The answer of each command, as the server gave it.

        Raises:
            AerospikeTimeoutError: no answer in time.
            ConnectionFailed: the node cannot be reached or closed the connection.
            ProtocolError: the answer is malformed.
        """
        await self._started.wait()
        return await self._info_connection.ask(names, self._timeout if timeout is None else timeout, False)

    async def tend_info(self, *names: str, probe: bool = False) -> dict[str, str]:
        """As :meth:`info`, over the tend loop's own connection, which slow commands of the user do not delay.

        Args:
            names: the commands; all are asked in one request.
            probe: the commands are quick: take the time of the answer as a sample of the round-trip time.
        """
        await self._started.wait()
        return await self._tend_connection.ask(names, min(self._timeout, TEND_TIMEOUT), probe)

    @property
    def tend_connections(self) -> int:
        """How many connections to this node the tend loop has opened, including the present one."""
        return self._tend_connection.connections

    def _make_info_connection(self, pipelined: bool, transport: Transport | None) -> InfoConnection:
        return InfoConnection(
            f"node {self.name} at {self.address}",
            self.name,
            open_transport=self.open_transport,
            start=self._start_running,
            hurry=self._hurry,
            on_break=self._info_broke,
            pipelined=pipelined,
            transport=transport,
        )

    def _start_running(self, connection: Connection) -> None:
        if self._nursery is None or not self.active:
            connection.close(None)
            raise NodeLeftError("the node has left the cluster")
        self._nursery.start_soon(connection.run)

    # -- leased connections --------------------------------------------------------------------------------------------

    async def lend(self) -> None:
        """Open a connection for leases, if the pools have room; it is idle in :attr:`leases` then."""
        if self._reserve():
            await self._open_to_lend()

    def lend_soon(self) -> None:
        """As :meth:`lend`, in the background, unless one is being opened."""
        if self._nursery is not None and not self.leases.opening and self._reserve():
            self._nursery.start_soon(self._open_to_lend)

    def ask_to_lend(self) -> None:
        """As :meth:`lend_soon`; may be called from any thread."""
        self._tell(self.lend_soon)

    @property
    def may_lend(self) -> bool:
        """Whether another connection to lease may be available; may be called from any thread."""
        return self.lends and self.active and self.leases.lent < MAX_LEASED

    def _reserve(self) -> bool:
        """Reserve room for a leased connection in a pool that has some besides its minimum, and no waiting request."""
        pool = min(self.pools, key=lambda pool: pool.total)
        room = pool.limit - max(len(pool.connections) + pool.opening, pool.minimum) - pool.lent
        if not self.may_lend or room <= 0 or any(pool.waiting for pool in self.pools):
            return False
        if self._clock.now() < self._lend_again:
            return False
        pool.lent += 1
        self.leases.opening += 1
        self.leases.resume()
        return True

    @trio.lowlevel.enable_ki_protection
    async def _open_to_lend(self) -> None:
        try:
            with self._clock.fail_after(self._timeout):
                transport = await self.open_transport()
            if isinstance(transport, SocketTransport):
                self.leases.admit(transport.detach())
            else:
                self.lends = False
                await transport.aclose()
        except _NO_TRANSPORT as error:
            self._lend_again = self._clock.now() + LEND_AGAIN
            logger.debug("node %s at %s: no connection to lease: %s", self.name, self.address, error)
        finally:
            self.leases.opening -= 1
            self._take_back()

    def lent_connection_broke(self) -> None:
        """Report from a thread that a leased connection broke."""
        self._tell(self._info_broke)

    def _lent_was_closed(self) -> None:
        """Report from a thread that a leased connection was closed; the room is given back in Trio's thread."""
        self._tell(self._take_back)

    def _tell(self, function: Callable[[], None]) -> None:
        try:
            self._trio.run_sync_soon(function)
        except trio.RunFinishedError:
            pass  # Trio has ended

    def _take_back(self) -> None:
        """Give the room of closed leased connections back to the pools, first to those with waiting requests."""
        for _ in range(sum(pool.lent for pool in self.pools) - self.leases.lent):
            pool = max(self.pools, key=lambda pool: (pool.lent > 0, len(pool.waiting), pool.lent))
            pool.lent -= 1
            pool.room_came_up()
        if not any(pool.waiting for pool in self.pools):
            self.leases.resume()

    def _reclaim(self) -> None:
        """Revoke leases, as commands wait for room."""
        self.leases.recall()

    # -- tasks -------------------------------------------------------------------------------------------------------

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Own the connections until cancelled or :meth:`remove` is called."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._sweep)
                nursery.start_soon(self._relieve)
                if self._idle_timeout < math.inf or self.lends or any(pool.minimum for pool in self.pools):
                    nursery.start_soon(self._reap)
                for pool in self.pools:
                    pool.fill()
                self._started.set()
                try:
                    if self.active:
                        await trio.sleep_forever()
                    nursery.cancel_scope.cancel()
                finally:
                    # Before the nursery closes: no task may be started in it from now on.
                    self._stop(None)
        finally:
            self._stop(None)
            self._nursery = None
            self._started.set()
            self._minimum_ready.set()

    async def wait_minimum(self) -> None:
        """Wait until every pool has its minimum of connections, or failed to open them."""
        await self._started.wait()
        if any(pool.opening for pool in self.pools):
            await self._minimum_ready.wait()

    def remove(self) -> None:
        """Remove the node: requests in flight fail, to be retried on other nodes, and its tasks end."""
        self._stop(None)
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    def _stop(self, error: BaseException | None) -> None:
        self.active = False
        for pool in self.pools:
            pool.close(error)
        self._tend_connection.close(error)
        self._info_connection.close(error)
        self.leases.close()

    def session_expired(self) -> None:
        """Handle an expired session: log in again for the next connection, and retire those of the old session."""
        self.session.invalidate()
        self.leases.reap(0.0)
        for pool in self.pools:
            for connection in list(pool.connections):
                connection.retire()

    def _info_broke(self) -> None:
        if self.active:
            self._on_failure(self)

    def close_inherited(self) -> None:
        """In a forked child: close every descriptor without sending anything to the server."""
        for pool in self.pools:
            for connection in pool.connections:
                connection.close_inherited()
        self.leases.close_inherited()
        self._tend_connection.close_inherited()
        self._info_connection.close_inherited()

    def _start_opening(self, pool: Pool) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(self._open, pool)

    @trio.lowlevel.enable_ki_protection
    async def _open(self, pool: Pool) -> None:
        """Open a connection, add it to the pool and run it."""
        failure = Failure.UNREACHABLE
        problem: BaseException | None = None
        try:
            with self._clock.fail_after(self._timeout):
                transport = await self.open_transport()
        except trio.TooSlowError:
            problem = TimeoutError(f"no connection within {self._timeout} s")
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            problem = error
        except ProtocolError as error:
            problem = error
        except AerospikeError as error:
            failure, problem = Failure.REJECTED, error
        except trio.Cancelled:
            pool.open_failed(Failure.UNREACHABLE, NodeLeftError("the node has left the cluster"))
            raise
        except Exception as error:  # of a connector of the program: it may cost this connection, and not the client
            logger.exception("node %s at %s: opening a connection failed unexpectedly", self.name, self.address)
            problem = error
        if problem is not None:
            logger.debug("node %s at %s: no connection: %s", self.name, self.address, problem)
            if failure is Failure.UNREACHABLE and self.active:
                self._on_failure(self)
            pool.open_failed(failure, problem)
            self._note_minimum()
            return
        connection = Connection(
            transport, pool, max_depth=pool.max_depth, label=f"{self.name} #{len(pool.connections) + 1}"
        )
        pool.add(connection)
        self._note_minimum()
        await connection.run()

    def _note_minimum(self) -> None:
        if not any(pool.opening and len(pool.connections) < pool.minimum for pool in self.pools):
            self._minimum_ready.set()

    @trio.lowlevel.enable_ki_protection
    async def _sweep(self) -> None:
        """Expire overdue requests: sleep until the earliest known deadline, if there is one."""
        clock = self._clock
        while True:
            with trio.CancelScope(deadline=clock.to_trio(self._due)) as scope:
                self._sweep_scope = scope
                await trio.sleep_forever()
            self._sweep_scope = None
            if clock.now() < self._due:
                continue  # the loop was busy: that time does not count
            # What has arrived is read first, and answers of several frames are decoded: the readers run between the
            # second and the third line, and the tasks that they wake between the third and the fourth.
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            now = clock.now()
            self._due = math.inf
            due = math.inf
            for pool in self.pools:
                due = min(due, pool.expire(now))
            self._due = min(self._due, due, self._tend_connection.expire(now), self._info_connection.expire(now))

    def _hurry(self, deadline: float) -> None:
        if deadline >= self._due:
            return
        self._due = deadline
        if self._sweep_scope is not None:
            self._sweep_scope.deadline = self._clock.to_trio(deadline)

    def _watch(self) -> None:
        """Start to watch for slow requests, because requests are queued behind others."""
        self._queued_behind.set()

    @trio.lowlevel.enable_ki_protection
    async def _relieve(self) -> None:
        """Reroute requests that are queued behind slow ones, for as long as any are queued behind others."""
        while True:
            await self._queued_behind.wait()
            behind = True
            while behind:
                await trio.sleep(STALL / 2)
                await trio.lowlevel.checkpoint()  # read first what has arrived
                now = self._clock.now()
                behind = False
                for pool in self.pools:
                    behind = pool.relieve(now) or behind
            self._queued_behind = trio.Event()

    @trio.lowlevel.enable_ki_protection
    async def _reap(self) -> None:
        """Close connections that were idle for ``idle_timeout``, and keep the minimum open."""
        interval = min(max(self._idle_timeout / 8, 0.05), 1.0)
        while True:
            await trio.sleep(interval)
            now = self._clock.now()
            for pool in self.pools:
                pool.reap(now, self._idle_timeout)
            self._info_connection.reap(now, self._idle_timeout)
            self.leases.reap(self._idle_timeout)
            self._take_back()
