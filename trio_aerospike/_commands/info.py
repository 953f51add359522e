"""Info commands, truncate, and the client's view of the cluster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Never

import trio

from .._cluster.run_all import run_all
from .._observers import instrumented
from .._wire.constants import NAMESPACE_MAX, SET_NAME_MAX
from .._wire.info import parse_error
from ..errors import AerospikeError, InvalidArgError, ProtocolError, error_from_code
from ..policies import InfoPolicy
from ..records import InfoResult, NodeInfo
from ..validation import checked_info_name, checked_text, refused, shown, unknown_argument
from .node_requests import NodeRequests

if TYPE_CHECKING:
    from .._cluster.tend.node import Node

_EPOCH = datetime.fromtimestamp(0, UTC)


class InfoCommands(NodeRequests):
    """The part of the client that sends info commands and shows the state of the cluster."""

    def is_connected(self) -> bool:
        """Whether at least one node answers now: the last look of the tend loop at it succeeded and no connection has
        failed since. False once the client is closed."""
        return self._cluster.is_connected()

    def node_names(self) -> list[str]:
        """Names of the nodes of the cluster, sorted."""
        return sorted(node.name for node in self._cluster.active_nodes())

    def nodes(self) -> list[NodeInfo]:
        """The nodes of the cluster with the addresses under which this client reaches them, sorted by name."""
        nodes = sorted(self._cluster.active_nodes(), key=lambda node: node.name)
        return [
            NodeInfo(
                node.name,
                node.host,
                node.port,
                tls_name=node.tls_name,
                build=node.build,
                active=node.answering,
                connections=sum(len(pool.connections) for pool in node.pools),
            )
            for node in nodes
        ]

    @instrumented
    async def ping(self, *, policy: InfoPolicy | None = None, **unknown: Never) -> bool:
        """Ask a node whether it answers.

        Args:
            policy: how; None for the client's info policy. Its timeout is for each node that is asked.

        Returns:
            True as soon as one node has answered, False when none does.
        """
        if unknown:
            raise unknown_argument(self, "ping", unknown)
        timeout = self._info_timeout(policy)
        for node in self._shuffled():
            try:
                await node.info("status", timeout=timeout)
            except AerospikeError:
                continue
            return True
        await trio.lowlevel.checkpoint()
        return False

    @instrumented
    async def info_all(self, command: str, *, policy: InfoPolicy | None = None, **unknown: Never) -> list[InfoResult]:
        """Ask every node an info command.

        Args:
            command: one command, such as ``"namespaces"`` or ``"statistics"``.
            policy: how; None for the client's info policy.

        Returns:
            One result a node, sorted by its name: the answer, or the code of what went wrong with its text. A node that
            cannot be reached is a result as well.

        Raises:
            ClientClosed: the client is closed.
            ClusterError: no node is known.
        """
        if unknown:
            raise unknown_argument(self, "info_all", unknown)
        command = _checked_command("info_all", command)
        nodes = sorted(self._known_nodes(), key=lambda node: node.name)
        results: dict[str, InfoResult] = {}
        timeout = self._info_timeout(policy)

        async def ask(node: Node) -> None:
            try:
                answer = (await node.info(command, timeout=timeout))[command]
            except AerospikeError as error:
                results[node.name] = InfoResult(node.name, int(error.result_code), str(error), error)
            else:
                failed = parse_error(answer)
                results[node.name] = InfoResult(node.name, failed.code if failed else 0, answer)

        await run_all([partial(ask, node) for node in nodes])
        return [results[node.name] for node in nodes]

    @instrumented
    async def info_random_node(self, command: str, *, policy: InfoPolicy | None = None, **unknown: Never) -> str:
        """Ask any node an info command; when one cannot be reached another is asked.

        Args:
            command: one command, such as ``"build"``.
            policy: how; None for the client's info policy. Its timeout is for each node that is asked.

        Returns:
            The answer as the server gave it.

        Raises:
            ClientClosed: the client is closed.
            ClusterError: no node is known.
            AerospikeError: what the last node's failure was.
        """
        if unknown:
            raise unknown_argument(self, "info_random_node", unknown)
        command = _checked_command("info_random_node", command)
        timeout = self._info_timeout(policy)
        self._known_nodes()
        problem: AerospikeError | None = None
        for node in self._shuffled():
            try:
                return (await node.info(command, timeout=timeout))[command]
            except AerospikeError as error:
                problem = error
        assert problem is not None
        raise problem

    @instrumented
    async def info_node(
        self, node_name: str, command: str, *, policy: InfoPolicy | None = None, **unknown: Never
    ) -> str:
        """Ask one node an info command.

        Args:
            node_name: which, as :meth:`node_names` lists them.
            command: one command.
            policy: how; None for the client's info policy.

        Returns:
            The answer as the server gave it.

        Raises:
            InvalidArgError: there is no such node.
            ClientClosed: the client is closed.
            ClusterError: no node is known.
            AerospikeError: the node cannot be reached or does not answer in time.
        """
        if unknown:
            raise unknown_argument(self, "info_node", unknown)
        command = _checked_command("info_node", command)
        timeout = self._info_timeout(policy)
        for node in self._known_nodes():
            if node.name == node_name:
                return (await node.info(command, timeout=timeout))[command]
        raise InvalidArgError(f"info_node.node_name: got {shown(node_name)}, allowed: {', '.join(self.node_names())}")

    @instrumented
    async def truncate(
        self,
        namespace: str,
        set_name: str | None = None,
        *,
        before: datetime | None = None,
        before_nanos: int = 0,
        policy: InfoPolicy | None = None,
        **unknown: Never,
    ) -> None:
        """Remove all records of a set or of a namespace at once (server: info command ``truncate``).

        Args:
            namespace: the namespace.
            set_name: the set; None or "" for the whole namespace.
            before: remove what was last written before this time, which has a time zone; None for now. Servers keep
                times in milliseconds.
            before_nanos: the same in nanoseconds since 1970; 0 for now. One of the two at most.
            policy: how; None for the client's info policy.

        Raises:
            InvalidArgError: an argument is invalid.
            ServerError: PARAM, the time is in the future by the server's clock, or before 2010.
            ClientClosed: the client is closed.
            AerospikeError: what the server refused, or why no node could be asked.
        """
        if unknown:
            raise unknown_argument(self, "truncate", unknown)
        namespace = checked_info_name("truncate.namespace", namespace, NAMESPACE_MAX)
        if isinstance(before_nanos, bool) or not isinstance(before_nanos, int) or before_nanos < 0:
            raise refused("truncate.before_nanos", before_nanos, "nanoseconds since 1970, or 0 for now")
        if before is not None:
            if before_nanos:
                raise refused("truncate.before_nanos", before_nanos, "0 beside before, which says the same")
            # 1970 itself must not read as none at all: the server refuses it like all that is before 2010.
            before_nanos = _nanoseconds(before) or 1
        if set_name:
            set_name = checked_info_name("truncate.set_name", set_name, SET_NAME_MAX)
            command = f"truncate:namespace={namespace};set={set_name}"
        else:
            command = f"truncate-namespace:namespace={namespace}"
        if before_nanos:
            command += f";lut={before_nanos}"
        answer = await self._change_on_one_node(command, policy)
        place = f"{namespace!r}, set {set_name!r}" if set_name else repr(namespace)
        check_done(f"truncate of {place}", answer)


def check_done(what: str, answer: str) -> None:
    """Check the answer to an info command that changes something: servers answer "ok".

    Raises:
        AerospikeError: what the server refused.
        ProtocolError: it is not an answer to such a command.
    """
    failed = parse_error(answer)
    if failed is not None:
        raise error_from_code(failed.code, f"{what}: {failed.message}")
    if answer.lower() != "ok":
        raise ProtocolError(f"{what}: expected the answer 'ok', got {shown(answer)}", in_doubt=True)


def _checked_command(what: str, command: str) -> str:
    where = f"{what}.command"
    if "\n" in checked_text(where, command, 1):
        raise refused(where, command, "one info command, such as 'namespaces', without a line break, which ends it")
    return command


def _nanoseconds(before: datetime) -> int:
    """Nanoseconds since 1970. The server refuses times that round to its epoch, 2010, or before."""
    if not isinstance(before, datetime) or before.utcoffset() is None or before < _EPOCH:
        raise refused("truncate.before", before, "a datetime since 1970 with a time zone, or None")
    return (before - _EPOCH) // timedelta(microseconds=1) * 1000
