"""The client, and the one way to get one."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Unpack

import trio

from ._commands.aggregate import AggregateCommands
from ._commands.arrays import ArrayCommands
from ._commands.background import BackgroundCommands
from ._commands.indexes import IndexCommands
from ._commands.info import ClusterCommands
from ._commands.query import QueryCommands
from ._commands.records import RecordCommands
from ._commands.security import SecurityCommands
from ._commands.statistics import StatisticsCommands
from ._commands.udf import UDFCommands
from ._entering import entered_with
from ._trio_run import require_trio
from .config import AuthMode, ClientConfig, ClientFields, HostsLike
from .errors import InvalidArgError
from .validation import Uncopyable, refused

if TYPE_CHECKING:
    from ._cluster.connections.transport import Connector
    from ._cluster.execution.single import Executor
    from ._cluster.tend.cluster import Cluster
    from .instruments import Instrument

__all__ = ["Client", "open_client"]

logger = logging.getLogger("trio_aerospike")


class Client(
    RecordCommands,
    ArrayCommands,
    QueryCommands,
    ClusterCommands,
    StatisticsCommands,
    IndexCommands,
    BackgroundCommands,
    SecurityCommands,
    UDFCommands,
    AggregateCommands,
    Uncopyable,
):
    """A connected client. Made by :func:`open_client` and by nothing else, so that there is always somebody to run it.

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
        self, config: ClientConfig, cluster: Cluster, executor: Executor, *, _made_by_open_client: bool = False
    ) -> None:
        self._config = config
        self._cluster = cluster
        self._executor = executor
        self._setup_records(config.read_policy, config.write_policy)
        self._batch_policy = config.batch_policy
        self._query_policy = config.query_policy
        self._info_policy = config.info_policy
        self._admin_policy = config.admin_policy

    def __repr__(self) -> str:
        return f"<Client {self._cluster!r}>"

    @property
    def config(self) -> ClientConfig:
        """What the client was opened with."""
        return self._config

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Who is told of what the client does; none of them, and it costs nothing."""
        observers = self._cluster.observers
        return () if observers is None else observers.instruments

    def add_instrument(self, instrument: Instrument) -> None:
        """Have an instrument told of all operations from now on; one that is told already stays as it is."""
        from .instruments import Instrument

        if not isinstance(instrument, Instrument):
            raise refused("add_instrument.instrument", instrument, "an Instrument")
        if instrument not in self.instruments:
            self._observe((*self.instruments, instrument))

    def remove_instrument(self, instrument: Instrument) -> None:
        """Tell an instrument of nothing more; operations under way still end with it."""
        self._observe(tuple(one for one in self.instruments if one is not instrument))

    def _observe(self, instruments: tuple[Instrument, ...]) -> None:
        from ._instrumentation import Observers, observed

        self._cluster.observers = Observers(self._cluster, instruments, self.remove_instrument) if instruments else None
        self._executor.observe()
        # Records, batches and queries tell by themselves. All else is told of by standing before the client's methods,
        # and only while somebody listens.
        for name in _told_by_method():
            if instruments:
                told = observed(lambda: self._cluster.observers, getattr(type(self), name).__get__(self))
                setattr(self, name, told)
            else:
                vars(self).pop(name, None)

    def close(self) -> None:
        """Close the client now, as leaving the block does: commands under way and later ones fail with ClientClosed.

        Raises:
            ClientError: it was called outside of the Trio run in which the client was opened.
        """
        if not self._cluster.closed:
            self._cluster.trio_run.check("Client.close")
            self._cluster.close()

    def has_commands_under_way(self) -> bool:
        """Whether anybody waits for an answer of a node: in this Trio run, in a thread or in an event loop."""
        return any(node.awaited for node in self._cluster.active_nodes())

    def close_inherited(self) -> None:
        """Close the parent's sockets in a forked child, without a message to the servers; it works no more."""
        self._cluster.close_inherited()


@functools.cache
def _told_by_method() -> list[str]:
    """The names of the methods that are operations and do not tell of themselves."""
    telling = {"apply", *(name for family in (RecordCommands, *ArrayCommands.__mro__) for name in vars(family))}
    return [
        name
        for name in dir(Client)
        if not name.startswith("_") and name not in telling and inspect.iscoroutinefunction(getattr(Client, name))
    ]


@entered_with('async with trio_aerospike.open_client("127.0.0.1:3000") as client:')
async def open_client(
    hosts: HostsLike | ClientConfig,
    *,
    connector: Connector | None = None,
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
        instruments: are told of what the client does; see :mod:`trio_aerospike.instruments`.
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
    # What runs a cluster is loaded when there is one to run: every program pays for imports, and some want names only.
    from ._cluster.connections.transport import tcp_connector
    from ._cluster.execution.single import Executor
    from ._cluster.tend.cluster import Cluster

    if isinstance(hosts, ClientConfig):
        config = hosts.replace(**fields) if fields else hosts
    else:
        config = ClientConfig(hosts=hosts, **fields)
    _check_login(config)
    cluster = Cluster(config, connector or tcp_connector(config.tls), resolve=connector is None)
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
            # to write on its way out, in a shielded scope, and what runs the client must not be gone before.
            guard.shield = True
            try:
                await trio.lowlevel.checkpoint_if_cancelled()
                executor = Executor(cluster, config.max_concurrent_operations, config.operation_queue_timeout)
                client = Client(config, cluster, executor, _made_by_open_client=True)
                for instrument in instruments:
                    client.add_instrument(instrument)
                yield client
            except GeneratorExit:
                raise
            except BaseException as error:
                # Carried past our own nursery, which would wrap it in a group that is none of the caller's business.
                raised = error
            finally:
                guard.cancel()
            cluster.close()
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        crash = _without_cancelled(group)
        if crash is None and raised is None:
            raised = _only_member(group)
    if crash is not None:
        if raised is None or isinstance(raised, trio.Cancelled):
            raise crash
        logger.error("the client failed while its block ended with another error", exc_info=crash)
    if raised is not None:
        raise raised


def _check_login(config: ClientConfig) -> None:
    """A login without a name is none, and what was given for it must not be passed over in silence."""
    if config.user or config.auth_mode is AuthMode.PKI:
        return
    if config.password:
        raise InvalidArgError("ClientConfig.user: got '', allowed: a name, as there is a password")
    if config.auth_mode is AuthMode.EXTERNAL:
        raise InvalidArgError("ClientConfig.user: got '', allowed: a name, as auth_mode is EXTERNAL")


def _without_cancelled(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """What went wrong in a nursery, its own layer taken off; None when it was only cancelled."""
    rest = group.split(trio.Cancelled)[1]
    return None if rest is None else _only_member(rest)


def _only_member(group: BaseExceptionGroup[BaseException]) -> BaseException:
    return group.exceptions[0] if len(group.exceptions) == 1 else group
