"""Requests to nodes rather than to records: which nodes there are, and how one of them is asked."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from ..errors import AerospikeError, ClientClosed, ClusterError
from ..policies import InfoPolicy, chosen
from .base import CommandFamily

if TYPE_CHECKING:
    from .._cluster.tend.node import Node

__all__ = ["NodeRequests"]


class NodeRequests(CommandFamily):
    """The base of the families that send requests to nodes rather than to records."""

    async def _change_on_one_node(self, command: str, policy: InfoPolicy | None) -> str:
        """Have any node carry out an info command that changes something.

        Another node is asked only where the first was not reached: the command is never sent twice.

        Args:
            command: the info command.
            policy: how; None for the client's info policy.

        Returns:
            The answer as the server gave it.

        Raises:
            ClientClosed: the client is closed.
            ClusterError: no node is known.
            AerospikeError: the last failure, in doubt where the command was sent.
        """
        timeout = self._info_timeout(policy)
        self._known_nodes()
        problem: AerospikeError | None = None
        for node in self._shuffled():
            try:
                return (await node.info(command, timeout=timeout))[command]
            except AerospikeError as error:
                error.in_doubt = error.attempts > 0
                problem = error
                if error.in_doubt:
                    break
        assert problem is not None
        raise problem

    def _info_timeout(self, policy: InfoPolicy | None) -> float:
        """Seconds for one info command.

        Raises:
            ClientError: the caller is not of the client's Trio run.
        """
        self._cluster.trio_run.check()
        timeout = chosen(policy, self._config.info_policy, InfoPolicy).timeout
        return math.inf if timeout is None else timeout

    def _known_nodes(self) -> list[Node]:
        """The nodes of the cluster, at least one.

        Raises:
            ClientClosed: the client is closed.
            ClusterError: no node is known.
        """
        self._cluster.trio_run.check()
        if self._cluster.closed:
            raise ClientClosed("the client is closed")
        nodes = self._cluster.active_nodes()
        if not nodes:
            raise ClusterError(self._cluster.outage())
        return nodes

    def _shuffled(self) -> list[Node]:
        """The nodes of the cluster in random order, so that all of them get their share of the requests."""
        nodes = self._cluster.active_nodes()
        random.shuffle(nodes)
        return nodes
