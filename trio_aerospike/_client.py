"""The client, and ``open_client``, the only way to open one."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Unpack

import trio

from ._async_with import entered_with
from ._commands.aggregate import AggregateCommands
from ._commands.arrays import ArrayCommands
from ._commands.background import BackgroundCommands
from ._commands.indexes import IndexCommands
from ._commands.info import InfoCommands
from ._commands.query import QueryCommands
from ._commands.records import RecordCommands
from ._commands.security import SecurityCommands
from ._commands.statistics import StatisticsCommands
from ._commands.udf import UDFCommands
from ._lazy import LazyModule
from ._nursery_errors import any_cancelled, without_cancelled
from ._observers import Observers
from ._trio_guard import require_trio
from .config import AuthMode, ClientConfig, ClientFields, HostsLike
from .errors import InvalidArgError
from .instruments import Instrument
from .validation import Uncopyable, refused

if TYPE_CHECKING:
    from ._cluster.connections import transport
    from ._cluster.execution import single
    from ._cluster.tend import cluster as tend
else:
    # What runs a cluster is loaded with the first one: some programs import this package for its values alone.
    single = LazyModule("trio_aerospike._cluster.execution.single")
    tend = LazyModule("trio_aerospike._cluster.tend.cluster")
    transport = LazyModule("trio_aerospike._cluster.connections.transport")

__all__ = ["Client", "open_client"]

logger = logging.getLogger("trio_aerospike")


class Client(
    RecordCommands,
    ArrayCommands,
    QueryCommands,
    AggregateCommands,
    BackgroundCommands,
    UDFCommands,
    IndexCommands,
    StatisticsCommands,
    SecurityCommands,
    InfoCommands,
    Uncopyable,
):
    """A connected client. Only :func:`open_client` makes one, as it runs the tasks that the client needs.

    Any number of tasks of the same Trio run may use one client at a time.
    """

    _instead_of_copy = "share the client, or open another with open_client; another process opens its own"

    # Python checks the arguments of __init__ only afterwards, with an error of its own about them.
    if not TYPE_CHECKING:

        def __new__(cls, *_: object, _made_by_open_client: bool = False, **__: object) -> Client:
            if not _made_by_open_client:
                raise TypeError(
                    "a Client is not made by calling the class: use "
                    '`async with trio_aerospike.open_client("127.0.0.1:3000") as client:`'
                )
            return super().__new__(cls)

    def __init__(
        self,
        config: ClientConfig,
        cluster: tend.Cluster,
        executor: single.Executor,
        *,
        _made_by_open_client: bool = False,
    ) -> None:
        super().__init__(config, cluster, executor)

    def __repr__(self) -> str:
        return f"<Client {self._cluster!r}>"

    @property
    def config(self) -> ClientConfig:
        """The configuration that the client was opened with."""
        return self._config

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The instruments that are notified of the client's operations; without any, that costs nothing."""
        observers = self._cluster.observers
        return () if observers is None else observers.instruments

    def add_instrument(self, instrument: Instrument) -> None:
        """Notify an instrument of all operations from now on; one that is notified already stays as it is."""
        if not isinstance(instrument, Instrument):
            raise refused("add_instrument.instrument", instrument, "an Instrument")
        if instrument not in self.instruments:
            self._observe((*self.instruments, instrument))

    def remove_instrument(self, instrument: Instrument) -> None:
        """Notify an instrument of nothing more; operations under way still end with it."""
        self._observe(tuple(one for one in self.instruments if one is not instrument))

    def _observe(self, instruments: tuple[Instrument, ...]) -> None:
        self._cluster.observers = Observers(self._cluster, instruments, self.remove_instrument) if instruments else None
        self._executor.observe()

    def close(self) -> None:
        """Close the client now, as leaving the block does: commands under way and later ones fail with ClientClosed.

        Raises:
            ClientError: it was called outside of the Trio run in which the client was opened.
        """
        if not self._cluster.closed:
            self._cluster.trio_run.check("Client.close")
            self._cluster.close()

    def has_commands_under_way(self) -> bool:
        """Whether any task, thread or event loop waits for an answer of a node."""
        return any(node.awaited for node in self._cluster.active_nodes())

    def close_inherited(self) -> None:
        """In a forked child, close the sockets inherited from the parent without a message to the servers."""
        self._cluster.close_inherited()


@entered_with('async with trio_aerospike.open_client("127.0.0.1:3000") as client:')
async def open_client(
    hosts: HostsLike | ClientConfig,
    *,
    connector: transport.Connector | None = None,
    instruments: Iterable[Instrument] = (),
    **fields: Unpack[ClientFields],
) -> AsyncIterator[Client]:
    """Connect to a cluster, and own everything that runs for the client until the block is left.

    Use it as ``async with open_client("127.0.0.1:3000") as client:``. All nodes are discovered from any seed that
    answers. An error raised in the block comes out as it is. A block that is cancelled keeps its client until it has
    been left: what it still does in a shielded scope is carried out.

    Args:
        hosts: seeds: ``"host:port"``, ``("host", port)`` or several of these; or a whole :class:`ClientConfig`.
        connector: opens connections instead of TCP and TLS; an embedded cluster in memory offers one.
        instruments: are notified of operations; see :mod:`trio_aerospike.instruments`.
        **fields: other fields of :class:`ClientConfig`; beside a whole config, changes to it.

    Yields:
        The connected client.

    Raises:
        InvalidArgError: a field does not exist or cannot have its value.
        ClusterError: no seed answers, or the cluster has another name; says why for each seed.
        AdminError: the servers refuse the user or the password.
        ClientError: no Trio runs here; the message names what to use in asyncio and in programs without an event loop.
    """
    require_trio("open_client")
    if isinstance(hosts, ClientConfig):
        config = hosts.replace(**fields) if fields else hosts
    else:
        config = ClientConfig(hosts=hosts, **fields)
    _check_login(config)
    cluster = tend.Cluster(config, connector or transport.tcp_connector(config.tls), resolve=connector is None)
    raised: BaseException | None = None
    crash: BaseException | None = None
    guard = trio.CancelScope()

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        with guard:
            await cluster.run(task_status=task_status)

    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            # From here on it is the end of the block that ends the client: a block that is cancelled may have something
            # to write while it closes, in a shielded scope, and what runs the client must not be gone before.
            guard.shield = True
            try:
                await trio.lowlevel.checkpoint_if_cancelled()
                executor = single.Executor(cluster, config.max_concurrent_operations, config.operation_queue_timeout)
                client = Client(config, cluster, executor, _made_by_open_client=True)
                for instrument in instruments:
                    client.add_instrument(instrument)
                yield client
            except GeneratorExit:
                raise
            except BaseException as error:
                # Carried past our own nursery, which would wrap it in a group.
                raised = error
            finally:
                guard.cancel()
            cluster.close()
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        crash = without_cancelled(group)
        if crash is None and raised is None:
            raised = any_cancelled(group)
    if crash is not None:
        if raised is None or without_cancelled(raised) is None:
            raise crash
        logger.error("the client failed while its block ended with another error", exc_info=crash)
    if raised is not None:
        raise raised


def _check_login(config: ClientConfig) -> None:
    """Refuse a password or an authentication mode without a user, which would be ignored."""
    if config.user or config.auth_mode is AuthMode.PKI:
        return
    if config.password:
        raise InvalidArgError("ClientConfig.user: got '', allowed: a name, as there is a password")
    if config.auth_mode is AuthMode.EXTERNAL:
        raise InvalidArgError("ClientConfig.user: got '', allowed: a name, as auth_mode is EXTERNAL")
