"""Statistics of nodes, namespaces, sets and indexes as objects.

The classes of these objects are loaded when one is asked for: every program pays for imports, and most ask for none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Never, TypeVar

from .._cluster.run_all import run_all
from .._lazy import LazyModule
from .._observers import instrumented
from .._wire.constants import NAMESPACE_MAX, SET_NAME_MAX
from .._wire.index_ranges import INDEX_NAME_MAX
from .._wire.info import parse_error
from ..errors import AerospikeError, InvalidArgError, ResultCode, error_from_code
from ..policies import InfoPolicy
from ..validation import checked_info_name, shown, unknown_argument
from .info import InfoCommands

if TYPE_CHECKING:
    from .. import statistics as objects
    from .._cluster.tend.node import Node
    from .._wire import statistics as wire
    from . import statistics_parsing as parsing
else:
    objects = LazyModule("trio_aerospike.statistics")
    parsing = LazyModule("trio_aerospike._commands.statistics_parsing")
    wire = LazyModule("trio_aerospike._wire.statistics")

__all__ = ["StatisticsCommands"]

T = TypeVar("T")

_NODE = ("statistics", "build", "edition")
#: What servers answer about a namespace that they do not have.
_NO_NAMESPACE = ("type=unknown", "ns_type=unknown")


class StatisticsCommands(InfoCommands):
    """The part of the client that reads statistics.

    All nodes are asked, since a sum that lacks one says nothing: that one cannot be asked is an error. For what those
    say that can be reached, whatever became of the others, there is ``info_all``.
    """

    @instrumented
    async def statistics(self, *, policy: InfoPolicy | None = None, **unknown: Never) -> objects.ClusterStatistics:
        """Statistics of the nodes (server: info command ``statistics``), and the sums over them.

        Args:
            policy: how; None for the client's info policy.

        Raises:
            ClientClosed: the client is closed.
            ClusterError: no node is known.
            AerospikeError: a node cannot be asked.
        """
        if unknown:
            raise unknown_argument(self, "statistics", unknown)
        answers_of = await self._answers("statistics", self._known_nodes(), _NODE, self._info_timeout(policy))
        return parsing.cluster_statistics({name: _node(name, answers) for name, answers in answers_of.items()})

    @instrumented
    async def node_statistics(
        self, node_name: str, *, policy: InfoPolicy | None = None, **unknown: Never
    ) -> objects.NodeStatistics:
        """Statistics of one node (server: info command ``statistics``).

        Args:
            node_name: which, as ``node_names`` lists them.
            policy: how; None for the client's info policy.

        Raises:
            InvalidArgError: there is no such node.
            ClientClosed: the client is closed.
            AerospikeError: the node cannot be asked.
        """
        if unknown:
            raise unknown_argument(self, "node_statistics", unknown)
        timeout = self._info_timeout(policy)
        nodes = [node for node in self._known_nodes() if node.name == node_name]
        if not nodes:
            known = ", ".join(self.node_names())
            raise InvalidArgError(f"node_statistics.node_name: got {shown(node_name)}, allowed: {known}")
        answers_of = await self._answers("node_statistics", nodes, _NODE, timeout)
        return _node(node_name, answers_of[node_name])

    @instrumented
    async def namespaces(self, *, policy: InfoPolicy | None = None, **unknown: Never) -> list[str]:
        """The names of the cluster's namespaces, sorted: of all that any node has.

        Args:
            policy: how; None for the client's info policy.

        Raises:
            ClientClosed: the client is closed.
            ClusterError: no node is known.
            AerospikeError: a node cannot be asked.
        """
        if unknown:
            raise unknown_argument(self, "namespaces", unknown)
        answers_of = await self._answers("namespaces", self._known_nodes(), ("namespaces",), self._info_timeout(policy))
        return sorted({name for answers in answers_of.values() for name in answers["namespaces"].split(";") if name})

    @instrumented
    async def namespace_info(
        self, namespace: str, *, policy: InfoPolicy | None = None, **unknown: Never
    ) -> objects.NamespaceInfo:
        """Statistics of a namespace (server: info command ``namespace``), and the sums over them.

        Args:
            namespace: the namespace.
            policy: how; None for the client's info policy.

        Raises:
            InvalidArgError: the name is invalid.
            ServerError: INVALID_NAMESPACE, no node has it.
            ClientClosed: the client is closed.
            AerospikeError: a node cannot be asked.
        """
        if unknown:
            raise unknown_argument(self, "namespace_info", unknown)
        name = checked_info_name("namespace_info.namespace", namespace, NAMESPACE_MAX, also="/")
        command = f"namespace/{name}"
        answers_of = await self._answers("namespace_info", self._known_nodes(), (command,), self._info_timeout(policy))
        return parsing.namespace_info(name, _on_nodes("namespace_info", name, command, answers_of))

    @instrumented
    async def sets(
        self, namespace: str, *, policy: InfoPolicy | None = None, **unknown: Never
    ) -> list[objects.SetInfo]:
        """Statistics of the sets of a namespace, sorted by name (server: info command ``sets``).

        A server never forgets a set: those whose records are all gone are listed, too.

        Args:
            namespace: the namespace.
            policy: how; None for the client's info policy.

        Raises:
            InvalidArgError: the name is invalid.
            ServerError: INVALID_NAMESPACE, no node has it.
            ClientClosed: the client is closed.
            AerospikeError: a node cannot be asked.
        """
        if unknown:
            raise unknown_argument(self, "sets", unknown)
        name = checked_info_name("sets.namespace", namespace, NAMESPACE_MAX, also="/")
        return await self._sets("sets", name, f"sets/{name}", partial(wire.parse_sets, name), policy)

    @instrumented
    async def set_info(
        self, namespace: str, set_name: str, *, policy: InfoPolicy | None = None, **unknown: Never
    ) -> objects.SetInfo | None:
        """Statistics of one set; None where no node has ever had a record of it.

        Args:
            namespace: the namespace.
            set_name: the set.
            policy: how; None for the client's info policy.

        Raises:
            InvalidArgError: a name is invalid.
            ServerError: INVALID_NAMESPACE, no node has it.
            ClientClosed: the client is closed.
            AerospikeError: a node cannot be asked.
        """
        if unknown:
            raise unknown_argument(self, "set_info", unknown)
        name = checked_info_name("set_info.namespace", namespace, NAMESPACE_MAX, also="/")
        wanted = checked_info_name("set_info.set_name", set_name, SET_NAME_MAX)

        def parse(text: str) -> dict[str, dict[str, str]]:
            return {wanted: wire.parse_pairs(text.removesuffix(";"), ":")} if text else {}

        found = await self._sets("set_info", name, f"sets/{name}/{wanted}", parse, policy)
        return found[0] if found else None

    async def _sets(
        self,
        what: str,
        namespace: str,
        command: str,
        parse: Callable[[str], dict[str, dict[str, str]]],
        policy: InfoPolicy | None,
    ) -> list[objects.SetInfo]:
        of_namespace = f"namespace/{namespace}"
        answers_of = await self._answers(what, self._known_nodes(), (of_namespace, command), self._info_timeout(policy))
        info = parsing.namespace_info(namespace, _on_nodes(what, namespace, of_namespace, answers_of))
        found: dict[str, dict[str, objects.SetOnNode]] = {}
        for node in info.by_node:
            for name, pairs in parse(answers_of[node][command]).items():
                found.setdefault(name, {})[node] = parsing.set_on_node(namespace, name, node, pairs)
        return [parsing.set_info(namespace, name, info.replication_factor, found[name]) for name in sorted(found)]

    @instrumented
    async def index_statistics(
        self, namespace: str, name: str, *, policy: InfoPolicy | None = None, **unknown: Never
    ) -> objects.IndexStatistics:
        """Statistics of a secondary index (server: info command ``sindex-stat``), and the sums over them.

        Args:
            namespace: the namespace.
            name: the index.
            policy: how; None for the client's info policy.

        Raises:
            InvalidArgError: a name is invalid.
            IndexNotFound: there is no such index.
            ClientClosed: the client is closed.
            AerospikeError: a node cannot be asked.
        """
        if unknown:
            raise unknown_argument(self, "index_statistics", unknown)
        where = checked_info_name("index_statistics.namespace", namespace, NAMESPACE_MAX)
        index = checked_info_name("index_statistics.name", name, INDEX_NAME_MAX)
        command = f"sindex-stat:namespace={where};indexname={index}"
        answers_of = await self._answers(
            "index_statistics", self._known_nodes(), (command,), self._info_timeout(policy)
        )
        nodes = {
            node: parsing.index_on_node(where, index, node, answers[command]) for node, answers in answers_of.items()
        }
        return parsing.index_statistics(where, index, nodes)

    async def _answers(
        self, what: str, nodes: list[Node], commands: tuple[str, ...], timeout: float
    ) -> dict[str, dict[str, str]]:
        """Each node's answers to some info commands, sorted by node. Any error is raised."""
        answers_of: dict[str, dict[str, str]] = {}
        problems: dict[str, AerospikeError] = {}

        async def ask(node: Node) -> None:
            try:
                answers = await node.info(*commands, timeout=timeout)
            except AerospikeError as error:
                problems[node.name] = error
                return
            answers_of[node.name] = answers

        await run_all([partial(ask, node) for node in nodes])
        if problems:
            raise problems[min(problems)]
        for name, answers in sorted(answers_of.items()):
            for answer in answers.values():
                failed = parse_error(answer)
                if failed is not None:
                    raise error_from_code(failed.code, f"{what}: {failed.message}", node=name)
        return dict(sorted(answers_of.items()))


def _node(name: str, answers: Mapping[str, str]) -> objects.NodeStatistics:
    return parsing.node_statistics(name, answers["build"], answers["edition"], answers["statistics"])


def _on_nodes(
    what: str, namespace: str, command: str, answers_of: Mapping[str, Mapping[str, str]]
) -> dict[str, objects.NamespaceOnNode]:
    """Statistics of a namespace on the nodes that have it: not all need to."""
    found = {
        node: parsing.namespace_on_node(namespace, node, answers[command])
        for node, answers in answers_of.items()
        if answers[command] not in _NO_NAMESPACE
    }
    if not found:
        raise error_from_code(ResultCode.INVALID_NAMESPACE, f"{what}: no node has a namespace {namespace!r}")
    return found
