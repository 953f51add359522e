"""The cluster as the client sees it: nodes, partition map, and the tend loop that keeps both up to date.

:mod:`membership` and :mod:`partitions` decide what to do, without an await; this module carries it out.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVarTuple

import trio

from ..._trio_guard import TrioRun
from ..._wire.info import is_error, parse_error
from ..._wire.info_cluster import parse_peers, parse_replicas
from ...config import AuthMode, ClientConfig, Host
from ...errors import AdminError, AerospikeError, ClusterError, ProtocolError, error_from_code
from ...policies import Replica
from ...validation import Uncopyable
from ..connections.login import Credentials
from ..connections.loop_clock import loop_clock, running_loop_clock
from ..connections.pool import no_slot_to_release
from ..connections.transport import Connector, Transport
from .backoff import TendBackoff
from .membership import (
    STATUS_NAMES,
    Action,
    Add,
    Address,
    Ask,
    Claims,
    Dial,
    Drop,
    Fetch,
    Reason,
    Reject,
    Replicas,
    Seed,
    Status,
    TendState,
)
from .node import Node, NodeLeftError
from .partition_map import PartitionMap
from .probe import Found, NodeProbe, close_transport

if TYPE_CHECKING:
    from ..._observers import Observers

logger = logging.getLogger("trio_aerospike")
Args = TypeVarTuple("Args")

#: Nodes or seeds that a message lists.
_LISTED = 8
#: Tend rounds that a command without a time limit waits for while its partition has no reachable owner.
_PATIENCE_ROUNDS = 10


class _Tasks:
    """The tasks of one round of the tend loop; a later round does not wait for those of an earlier one."""

    def __init__(self) -> None:
        self.running = 0
        self.done = trio.Event()


@trio.lowlevel.enable_ki_protection
async def _protected(function: Callable[[*Args], Coroutine[Any, Any, None]], *args: *Args) -> None:
    """Run a background task that no KeyboardInterrupt ends: the main task gets it, which may survive it."""
    await function(*args)


class Cluster(Uncopyable):
    """Nodes, partition map and tend loop of one client.

    Args:
        config: the client's configuration.
        connector: opens transports.
        resolve: whether host names are resolved here, so that each address stands for one node.
    """

    def __init__(self, config: ClientConfig, connector: Connector, *, resolve: bool) -> None:
        self.config = config
        #: The only Trio run in which the cluster may be used.
        self.trio_run: TrioRun = TrioRun()
        self._resolve = resolve
        self._timeout = math.inf if config.timeout is None else config.timeout
        self._state = TendState(config.cluster_name)
        self._nodes: dict[str, Node] = {}
        #: The instruments; None if there are none.
        self.observers: Observers | None = None
        #: How many batches are in flight.
        self.batches: int = 0
        #: Takes a slot of ``max_concurrent_operations`` for a second attempt; set by the executor, which counts slots.
        self.spare_slot: Callable[[], Callable[[], None] | None] = lambda: no_slot_to_release
        self.partitions: PartitionMap[Node] = PartitionMap()
        kind = "tls" if config.tls is not None else "clear"
        form = "alt" if config.use_services_alternate else "std"
        self._peers_command = f"peers-{kind}-{form}"
        self._connector = connector
        self._probe = NodeProbe(config, connector, f"service-{kind}-{form}")
        self._found: dict[Address, Found] = {}
        self._causes: dict[str, BaseException | str] = {}
        #: The latest failure to reach a node or a seed, as text.
        self._last_failure = ""
        #: Whether no node answered in the latest round.
        self._out = False
        self._nursery: trio.Nursery | None = None
        self._backoff = TendBackoff(config.tend_interval)
        #: Where the tend loop sleeps until its next round.
        self._rest_scope = trio.CancelScope()
        self._round_over = trio.Event()
        self._rounds = 0
        self._tasks = _Tasks()
        self._in_round = False
        self._round_scope = trio.CancelScope()
        self._round_began = 0.0
        #: The cluster's name, "" if it has none; None while it is not known.
        self.name: str | None = config.cluster_name or None
        self.closed: bool = False

    def __repr__(self) -> str:
        state = "closed" if self.closed else "connected" if self.is_connected() else "not connected"
        return f"<Cluster {state}: {', '.join(map(repr, self._nodes.values())) or 'no nodes'}>"

    @property
    def credentials(self) -> Credentials | None:
        """The client's credentials; None if it does not log in."""
        return self._probe.credentials

    # -- routing -----------------------------------------------------------------------------------------------------

    def owner(self, namespace: str, partition: int, sequence: int, replica: Replica) -> Node | None:
        """Return the node to send a command to.

        Args:
            namespace, partition: of the record.
            sequence: how many attempts on other replicas failed before.
            replica: whether replicas other than the master may be asked.

        Returns:
            The node; None if no node is known to serve the partition.
        """
        table = self.partitions.tables.get(namespace)
        if table is None:
            return None
        if sequence and replica is not Replica.MASTER:
            columns = table.replicas
            count = len(columns)
            for step in range(count):
                node = columns[(sequence + step) % count][partition]
                if node is not None and node.active:
                    return node
        return table.masters[partition]

    def masters(self, namespace: str) -> list[Node | None]:
        """Return the master of each partition, as far as known; nothing for an unknown namespace."""
        table = self.partitions.tables.get(namespace)
        return [] if table is None else list(table.masters)

    def serves_all(self, namespace: str) -> bool:
        """Whether each partition has a master that answered the tend loop when it was last asked."""
        table = self.partitions.tables.get(namespace)
        if table is None or not table.all_claimed:
            return False
        return all(node is not None and node.active and node.answering for node in set(table.masters))

    def replicas_of(self, namespace: str) -> int:
        """Return the number of copies of the namespace's records, as far as known; at least 1."""
        table = self.partitions.tables.get(namespace)
        return 1 if table is None else len(table.replicas)

    def check_namespace(self, namespace: str) -> None:
        """Refuse a namespace that no node of a connected cluster has.

        Raises:
            ServerError: with the server's code for it (20).
        """
        tables = self.partitions.tables
        if tables and namespace not in tables and self.is_connected():
            known = ", ".join(sorted(tables))
            raise error_from_code(20, f"no namespace {namespace!r} in the cluster, which has: {known}")

    async def learn_name(self) -> None:
        """Ask a node for the cluster's name, once; raises nothing."""
        for node in self.active_nodes():
            if self.name is not None:
                return
            try:
                answer = (await node.info("cluster-name")).get("cluster-name", "")
            except AerospikeError:
                continue
            # A server without a name reports "null".
            self.name = "" if answer == "null" or parse_error(answer) is not None else answer

    def node_named(self, name: str) -> Node | None:
        """Return the node of that name; None if the cluster has none now."""
        return self._nodes.get(name)

    def active_nodes(self) -> list[Node]:
        """Return the nodes that are part of the cluster."""
        return [] if self.closed else [node for node in self._nodes.values() if node.active]

    def is_connected(self) -> bool:
        """Whether at least one node answered the tend loop when it was last asked, and has not failed since."""
        return not self.closed and any(node.active and node.answering for node in self._nodes.values())

    def describe(self) -> str:
        """List the nodes, for messages."""
        nodes = _listed([f"{node.name} at {node.address}" for node in self.active_nodes()])
        if nodes and self.config.use_services_alternate:
            return f"{nodes} (use_services_alternate is set: a node without an alternate-access-address is not found)"
        return nodes or f"none; {self.outage()}"

    def outage(self) -> str:
        """Describe that no node can be reached, with the seeds and the last error; for messages."""
        seeds = _listed([str(host) for host in self.config.hosts])
        last = f"; last error: {self._last_failure}" if self._last_failure else ""
        return f"no node of the cluster can be reached; seeds: {seeds}{last}"

    def cause(self, node: Node, error: BaseException | None) -> str:
        """Describe why a request to a node failed, for messages.

        Args:
            node: the node.
            error: the error that broke the connection; None if the node left the cluster.
        """
        text = "" if error is None or isinstance(error, NodeLeftError) else _words(error)
        if not self._state.connected:
            return f"{text}; {self.outage()}" if text else self.outage()
        return text or f"the node has left the cluster{f': {node.left}' if node.left else ''}"

    @property
    def patience(self) -> float:
        """Seconds that a command without a limit of its own waits for its partition to be served again."""
        return _PATIENCE_ROUNDS * self.config.tend_interval

    # -- failure reports ---------------------------------------------------------------------------------------------

    def report_failure(self, node: Node) -> None:
        """Report that a connection to the node broke or could not be opened: start a tend round soon."""
        node.answering = False
        self.hurry(node.name)

    def hurry(self, cause: str = "") -> None:
        """Begin the next round of the tend loop early, without waiting for a node that stalls.

        Args:
            cause: the node that failed; "" for a stale partition map. Each cause has a back-off of its own.
        """
        self._backoff.ask(cause, trio.current_time())
        soon = self._next_round()
        self._rest_scope.deadline = min(self._rest_scope.deadline, soon)
        if self._in_round and self._rounds:
            self._round_scope.deadline = min(self._round_scope.deadline, soon)

    def _next_round(self) -> float:
        """Return when the next round begins, as far as known now."""
        early = max(self._round_began + self._backoff.first_delay, self._backoff.due)
        return min(self._round_began + self.config.tend_interval, early)

    async def wait_for_tend(self, deadline: float) -> bool:
        """Request a tend round, and wait until a round that began after this call has ended.

        Args:
            deadline: on the loop clock.

        Returns:
            False if the deadline came first.
        """
        clock = loop_clock()
        wanted = self._rounds + (2 if self._in_round else 1)
        self.hurry()
        while self._rounds < wanted and not self.closed:
            with trio.CancelScope(deadline=clock.to_trio(deadline)) as scope:
                await self._round_over.wait()
            if scope.cancelled_caught and clock.now() >= deadline:
                return False
        await trio.lowlevel.checkpoint()
        return True

    # -- life cycle --------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Connect, then tend until cancelled.

        Raises:
            ClusterError: no seed can be used; says why for each.
            AdminError: the servers refuse the user or password.
        """
        self._warn_of_clear_password()
        try:
            with running_loop_clock():
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    await self._round()
                    if not self._nodes:
                        raise self._no_seed()
                    await self._wait_for_minimum()
                    task_status.started()
                    await self._tend()
        except BaseExceptionGroup as group:
            rest = group.split(trio.Cancelled)[1]
            if rest is not None and len(rest.exceptions) == 1:
                raise rest.exceptions[0] from rest.exceptions[0].__cause__
            raise
        finally:
            self.close()
            self._nursery = None  # its context may refer to an event loop
            for found in self._found.values():
                found.transport.close_now()

    def close(self) -> None:
        """Close it: every command in flight fails, and later ones raise ClientClosed."""
        self.closed = True
        for node in self._nodes.values():
            node.remove()
        self.partitions = PartitionMap()
        self._round_over.set()
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    def in_background(self, function: Callable[[*Args], Coroutine[Any, Any, None]], *args: *Args) -> None:
        """Start a background task that ends with the client; the function must not raise."""
        if self._nursery is not None and not self.closed:
            self._nursery.start_soon(_protected, function, *args)

    def close_inherited(self) -> None:
        """In a forked child: close every descriptor without sending anything to the servers."""
        self.closed = True
        for node in self._nodes.values():
            node.close_inherited()
        for found in self._found.values():
            found.transport.close_now()
        self._probe.close_inherited()

    async def _tend(self) -> None:
        """Run a round in every interval, counted from the start of a round to the start of the next."""
        while True:
            with trio.CancelScope(deadline=self._next_round()) as self._rest_scope:
                await trio.sleep_forever()
            await self._round()

    async def _round(self) -> None:
        """Run one tend round: ask every node, carry out the actions, drop nodes that have left.

        A node that does not answer delays the round by one interval at the most, and not at all if a command asked for
        an early round; a late answer still counts.
        """
        self._round_began = trio.current_time()
        self._in_round = True
        self._backoff.round_began(self._round_began)
        tasks = self._tasks = _Tasks()
        interval = self.config.tend_interval if self._rounds else self._timeout
        with loop_clock().move_on_after(interval) as self._round_scope:
            self._perform(self._state.begin_round())
            while tasks.running:
                tasks.done = trio.Event()
                await tasks.done.wait()
        self._in_round = False
        self._perform(self._state.end_round(self._owns))
        self._rounds += 1
        self._note_outage()
        over, self._round_over = self._round_over, trio.Event()
        over.set()

    def _note_outage(self) -> None:
        """Log once that no node answers any more, and once that a node answers again."""
        out = not self._state.connected and not self.closed
        if out and not self._out and self._rounds > 1:
            logger.warning("%s; commands fail until a node answers again", self.outage())
        elif self._out and not out:
            logger.warning("the cluster answers again: %s", self.describe())
        self._out = out

    def _owns(self, name: str) -> bool:
        node = self._nodes.get(name)
        return node is not None and self.partitions.owns(node)

    def _perform(self, actions: Iterable[Action]) -> None:
        """Carry out actions: those without I/O now, in order; the others in tasks of their own."""
        for action in actions:
            match action:
                case Ask(name=name):
                    self._start(self._ask, name)
                case Fetch():
                    self._start(self._fetch, action)
                case Dial():
                    self._start(self._dial, action)
                case Seed():
                    self._start_seeds()
                case Claims(name=name, generation=generation, replicas=replicas):
                    node = self._nodes.get(name)
                    if node is not None:
                        self._claim(node, replicas, generation)
                case Add():
                    self._add(action)
                case Drop(name=name, reason=reason):
                    self._drop(name, reason)
                case Reject():
                    raise AssertionError("Reject belongs to the task that dialled")

    def _claim(self, node: Node, replicas: Replicas, generation: int) -> None:
        try:
            change = self.partitions.update(node, replicas, generation)
        except ProtocolError as error:
            text = "node %s at %s: its partitions are left as they were: %s"
            logger.warning(text, node.name, node.address, _words(error))
            return
        self._backoff.changed("")
        self._state.displaced(lost.name for lost in change.displaced)

    def _start(self, function: Callable[[*Args], Coroutine[Any, Any, None]], *args: *Args) -> None:
        assert self._nursery is not None
        tasks = self._tasks
        tasks.running += 1
        self._nursery.start_soon(self._counted, tasks, function, *args)

    @staticmethod
    @trio.lowlevel.enable_ki_protection
    async def _counted(tasks: _Tasks, function: Callable[[*Args], Coroutine[Any, Any, None]], *args: *Args) -> None:
        try:
            await function(*args)
        finally:
            tasks.running -= 1
            if not tasks.running:
                tasks.done.set()

    # -- actions -----------------------------------------------------------------------------------------------------

    async def _ask(self, name: str) -> None:
        node = self._nodes.get(name)
        if node is None:
            return
        connections = node.tend_connections
        try:
            status = Status.from_answers(await node.tend_info(*STATUS_NAMES, probe=True))
            if node.session.due:
                await self._renew(node)
        except AerospikeError as error:
            node.answering = False
            self._note_failure(node, error)
            self._perform(self._state.failed(name))
            return
        node.answering = True
        self._backoff.answered(name, trio.current_time())
        # The first connection is the one on which the node was found. On a later one, a restarted node may answer.
        reconnected = connections > 0 and node.tend_connections != connections
        self._perform(self._state.status(name, status, reconnected=reconnected))

    def _note_failure(self, node: Node, error: AerospikeError) -> None:
        place = f"node {node.name} at {node.address}"
        text = _words(error)
        self._last_failure = text if text.startswith(place) else f"{place}: {text}"
        logger.info("no answer to the tend loop: %s", self._last_failure)

    async def _renew(self, node: Node) -> None:
        """Log in again on a connection of its own, well before the session expires."""
        try:
            with loop_clock().fail_after(self._timeout):
                transport = await self._connector(node.host, node.port, node.tls_name)
                try:
                    await node.session.renew(transport)
                finally:
                    await close_transport(transport)
        except (OSError, trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            text = "node %s at %s: the session could not be renewed yet: %s"
            logger.warning(text, node.name, node.address, _words(error))
        except AdminError as error:
            text = "node %s at %s: the session could not be renewed: %s"
            logger.warning(text, node.name, node.address, _words(error))

    async def _fetch(self, fetch: Fetch) -> None:
        node = self._nodes.get(fetch.name)
        if node is None:
            return
        # A node that restarted, perhaps as another version, has something to fetch.
        names = ["build"]
        if fetch.peers:
            names.append(self._peers_command)
        if fetch.partitions:
            names += ["partition-generation", "replicas"]
        try:
            answers = await node.tend_info(*names)
            build = answers.get("build", "")
            node.build = "" if is_error(build) else build
            peers = partitions = None
            if fetch.peers:
                generation, _, entries = parse_peers(_value(answers, self._peers_command, node))
                peers = (generation, entries)
            if fetch.partitions:
                partitions = (
                    _whole_number(answers, "partition-generation", node),
                    parse_replicas(_value(answers, "replicas", node)),
                )
        except AerospikeError as error:
            self._note_failure(node, error)
            self._perform(self._state.failed(fetch.name))
            return
        self._perform(self._state.fetched(fetch.name, peers=peers, partitions=partitions))

    async def _dial(self, dial: Dial) -> None:
        for address in dial.addresses:
            try:
                found, status = await self._probe.look(address, dial.tls_name)
            except (AerospikeError, OSError) as error:
                logger.info("no node at %s:%d: %s", *address, _words(error))
                continue
            if self._take(dial, found, status) is None:
                return
        self._perform(self._state.unreachable(dial))

    def _take(self, dial: Dial, found: Found, status: Status) -> Reason | None:
        """Pass a found node to the state machine; return the reason if it is rejected."""
        actions = self._state.found(dial, found.address, status)
        if actions and isinstance(actions[0], Reject):
            self._discard(found.transport)
            return actions[0].reason
        self._found[found.address] = found
        self._perform(actions)
        return None

    def _discard(self, transport: Transport) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(close_transport, transport)

    def _add(self, action: Add) -> None:
        assert self._nursery is not None
        found = self._found.pop(action.address)
        config = self.config

        async def open_transport() -> Transport:
            return await self._probe.open(found.address, found.tls_name, found.session)

        node = Node(
            action.name,
            *found.address,
            tls_name=found.tls_name,
            session=found.session,
            open_transport=open_transport,
            tend_transport=found.transport,
            latency=found.latency,
            on_failure=self.report_failure,
            timeout=self._timeout,
            idle_timeout=math.inf if config.idle_timeout is None else config.idle_timeout,
            max_connections=config.max_conns_per_node,
            min_connections=config.min_conns_per_node,
            pools=config.conn_pools_per_node,
            pipelined=config.tls is None,
            lends=config.tls is None,
            spare_slot=lambda: self.spare_slot(),
        )
        self._nodes[node.name] = node
        self._backoff.changed(node.name)
        self._nursery.start_soon(node.run)
        logger.info("node %s at %s joined", node.name, node.address)

    def _drop(self, name: str, reason: Reason) -> None:
        node = self._nodes.pop(name, None)
        if node is not None:
            logger.info("node %s at %s dropped: %s", node.name, node.address, reason.value)
            self.partitions.remove_node(node)
            node.left = reason.value
            self._backoff.changed(name)
            self._backoff.changed("")
            node.remove()

    # -- seeds -------------------------------------------------------------------------------------------------------

    def _start_seeds(self) -> None:
        for host in self.config.hosts:
            self._start(self._seed, host)

    async def _seed(self, host: Host) -> None:
        """Look for nodes at all addresses of a configured host, concurrently."""
        try:
            addresses = await self._probe.resolve(host) if self._resolve else [(host.name, host.port)]
        except OSError as error:
            self._note_cause(host, error)
            return
        causes: dict[Address, BaseException | str] = {}

        async def look(address: Address) -> None:
            dial = Dial(None, (address,), host.tls_name or (host.name if self.config.tls is not None else None))
            try:
                found, status = await self._probe.look(address, dial.tls_name)
                self._prolong_first_round()
                try:
                    found = await self._probe.advertised(found, status)
                except BaseException:
                    await close_transport(found.transport)
                    raise
            except (AerospikeError, OSError) as error:
                causes[address] = error
                return
            reason = self._take(dial, found, status)
            if reason is Reason.OTHER_CLUSTER:
                causes[address] = (
                    f"the cluster's name is {status.cluster_name!r}, not {self.config.cluster_name!r} (cluster_name)"
                )
            elif reason is not None and reason is not Reason.KNOWN:
                causes[address] = reason.value

        async with trio.open_nursery() as nursery:
            for address in addresses:
                nursery.start_soon(look, address)
        if len(causes) == 1:
            self._note_cause(host, next(iter(causes.values())))
        elif causes:
            text = _listed([f"{address[0]}: {_words(cause)}" for address, cause in causes.items()])
            errors = [cause for cause in causes.values() if isinstance(cause, AdminError)]
            self._note_cause(host, errors[0] if errors else text)

    def _note_cause(self, host: Host, cause: BaseException | str) -> None:
        self._causes[str(host)] = cause
        self._last_failure = f"{host}: {_words(cause)}"

    def _prolong_first_round(self) -> None:
        """After a seed's answer: allow time to try the address that it advertises, and its peers."""
        if not self._rounds:
            scope = self._round_scope
            scope.deadline = max(scope.deadline, trio.current_time() + 2 * self._timeout)

    def _no_seed(self) -> AerospikeError:
        for cause in self._causes.values():
            if isinstance(cause, AdminError):
                return cause
        silence = f"no answer within {self._timeout} s"
        text = "; ".join(f"{host}: {_words(self._causes.get(str(host), silence))}" for host in self.config.hosts)
        return ClusterError(f"no seed can be used: {text}")

    async def _wait_for_minimum(self) -> None:
        with loop_clock().move_on_after(self._timeout):
            for node in list(self._nodes.values()):
                await node.wait_minimum()

    def _warn_of_clear_password(self) -> None:
        if self.config.auth_mode is AuthMode.EXTERNAL and self.config.tls is None and self.config.user:
            warnings.warn(
                f"auth_mode EXTERNAL without tls: the password of {self.config.user!r} travels in clear",
                UserWarning,
                stacklevel=2,
            )


def _words(cause: BaseException | str) -> str:
    if isinstance(cause, str):
        return cause
    # The notes of our own errors repeat what the message says.
    text = cause.message if isinstance(cause, AerospikeError) else str(cause)
    return text or type(cause).__name__


def _listed(texts: Sequence[str]) -> str:
    """Join texts for a message, the first few of them."""
    more = f" and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return ", ".join(texts[:_LISTED]) + more


def _value(answers: dict[str, str], name: str, node: Node) -> str:
    value = answers.get(name, "")
    error = parse_error(value)
    if error is not None:
        raise error_from_code(error.code, f"node {node.name} at {node.address}: info {name}: {error.message}")
    return value


def _whole_number(answers: dict[str, str], name: str, node: Node) -> int:
    value = _value(answers, name, node)
    try:
        return int(value)
    except ValueError:
        place = f"node {node.name} at {node.address}"
        raise ProtocolError(f"{place}: info {name}: got {value[:60]!r}, expected a number") from None
