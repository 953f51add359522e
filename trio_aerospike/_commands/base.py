"""The base of all families of a client's commands: what they work with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .._lazy import LazyModule
from .._observers import RunCommand
from ..config import ClientConfig

if TYPE_CHECKING:
    from .._cluster.execution import single
    from .._cluster.tend import cluster as tend
else:
    single = LazyModule("trio_aerospike._cluster.execution.single")
    tend = LazyModule("trio_aerospike._cluster.tend.cluster")

__all__ = ["CommandFamily", "CommandRunner"]


class CommandRunner(Protocol):
    """Sends requests of commands on one record."""

    @property
    def run(self) -> RunCommand:
        """Sends a request, retries it if that is allowed, and returns the body of the answer; see ``Executor.run``."""


class CommandFamily:
    """A family of a client's commands, complete by itself: what it uses is set here or by itself.

    A :class:`~trio_aerospike.Client` has all families as bases, and so one configuration, one cluster and one executor.

    Args:
        config: the client's configuration, with the policies of calls that give none.
        cluster: the nodes, and which of them serves a record.
        executor: sends requests to them.
    """

    def __init__(self, config: ClientConfig, cluster: tend.Cluster, executor: single.Executor) -> None:
        self._config = config
        self._cluster = cluster
        self._executor = executor
