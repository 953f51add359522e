"""Info as objects: what the nodes tell of themselves, of namespaces, sets and indexes.

The classes of these objects are loaded when one is asked for: every program pays for imports, and most ask for none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Never, TypeVar

from .._cluster.run_all import together
from .._wire.constants import NAMESPACE_MAX, SET_NAME_MAX
from .._wire.index_ranges import INDEX_NAME_MAX
from .._wire.info import parse_error
from ..errors import AerospikeError, InvalidArgError, ResultCode, error_from_code
from ..validation import checked_info_name, shown, unknown_argument

if TYPE_CHECKING:
    from .._cluster.tend.node import Node
    from ..policies import InfoPolicy
    from ..statistics import (
        ClusterStatistics,
        IndexStatistics,
        NamespaceInfo,
        NamespaceOnNode,
        NodeStatistics,
        SetInfo,
        SetOnNode,
    )

__all__ = ["StatisticsCommands"]

T = TypeVar("T")

_NODE = ("statistics", "build", "edition")
#: What servers answer about a namespace that they do not have.
_NO_NAMESPACE = ("type=unknown", "ns_type=unknown")


class StatisticsCommands:
    """The part of the client that asks nodes for numbers.

    All nodes are asked, since a sum that lacks one says nothing: that one cannot be asked is an error. For what those
    say that can be reached, whatever became of the others, there is ``info_all``.
    """

    _known_nodes: Callable[[], list[Node]]
    _info_timeout: Callable[[InfoPolicy | None], float]
    node_names: Callable[[], list[str]]

    async def statistics(self, *, policy: InfoPolicy | None = None, **unknown: Never) -> ClusterStatistics:
        """What the nodes tell of themselves (server: info command ``statistics``), and the sums over them.

        Args:
            policy: how; None for the client's info policy.

        Raises:
            ClientClosed: the client is closed.
            ClusterError: no node is known.
            AerospikeError: a node cannot be asked.
        """
        if unknown:
            raise unknown_argument(self, "statistics", unknown)
        from .statistics_parsing import cluster_statistics

        told = await self._told("statistics", self._known_nodes(), _NODE, self._info_timeout(policy))
        return cluster_statistics({name: _node(name, answers) for name, answers in told.items()})

    async def node_statistics(
        self, node_name: str, *, policy: InfoPolicy | None = None, **unknown: Never
    ) -> NodeStatistics:
        """What one node tells of itself (server: info command ``statistics``).

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
        told = await self._told("node_statistics", nodes, _NODE, timeout)
        return _node(node_name, told[node_name])

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
        told = await self._told("namespaces", self._known_nodes(), ("namespaces",), self._info_timeout(policy))
        return sorted({name for answers in told.values() for name in answers["namespaces"].split(";") if name})

    async def namespace_info(
        self, namespace: str, *, policy: InfoPolicy | None = None, **unknown: Never
    ) -> NamespaceInfo:
        """What the nodes tell of a namespace (server: info command ``namespace``), and the sums over them.

        Args:
            namespace: the namespace.
            policy: how; None for the client's info policy.

        Raises:
            InvalidArgError: no namespace can be called so.
            ServerError: INVALID_NAMESPACE, no node has it.
            ClientClosed: the client is closed.
            AerospikeError: a node cannot be asked.
        """
        if unknown:
            raise unknown_argument(self, "namespace_info", unknown)
        from .statistics_parsing import namespace_info

        name = checked_info_name("namespace_info.namespace", namespace, NAMESPACE_MAX, also="/")
        command = f"namespace/{name}"
        told = await self._told("namespace_info", self._known_nodes(), (command,), self._info_timeout(policy))
        return namespace_info(name, _on_nodes("namespace_info", name, command, told))

    async def sets(self, namespace: str, *, policy: InfoPolicy | None = None, **unknown: Never) -> list[SetInfo]:
        """The sets of a namespace, sorted by name, with what the nodes tell of them (server: info command ``sets``).

        A server never forgets a set: those whose records are all gone are listed, too.

        Args:
            namespace: the namespace.
            policy: how; None for the client's info policy.

        Raises:
            InvalidArgError: no namespace can be called so.
            ServerError: INVALID_NAMESPACE, no node has it.
            ClientClosed: the client is closed.
            AerospikeError: a node cannot be asked.
        """
        if unknown:
            raise unknown_argument(self, "sets", unknown)
        from .._wire.statistics import parse_sets

        name = checked_info_name("sets.namespace", namespace, NAMESPACE_MAX, also="/")
        return await self._sets("sets", name, f"sets/{name}", partial(parse_sets, name), policy)

    async def set_info(
        self, namespace: str, set_name: str, *, policy: InfoPolicy | None = None, **unknown: Never
    ) -> SetInfo | None:
        """What the nodes tell of one set; None where none of them has ever had a record of it.

        Args:
            namespace: the namespace.
            set_name: the set.
            policy: how; None for the client's info policy.

        Raises:
            InvalidArgError: no namespace or set can be called so.
            ServerError: INVALID_NAMESPACE, no node has it.
            ClientClosed: the client is closed.
            AerospikeError: a node cannot be asked.
        """
        if unknown:
            raise unknown_argument(self, "set_info", unknown)
        from .._wire.statistics import parse_pairs

        name = checked_info_name("set_info.namespace", namespace, NAMESPACE_MAX, also="/")
        wanted = checked_info_name("set_info.set_name", set_name, SET_NAME_MAX)

        def parse(text: str) -> dict[str, dict[str, str]]:
            return {wanted: parse_pairs(text.removesuffix(";"), ":")} if text else {}

        found = await self._sets("set_info", name, f"sets/{name}/{wanted}", parse, policy)
        return found[0] if found else None

    async def _sets(
        self,
        what: str,
        namespace: str,
        command: str,
        parse: Callable[[str], dict[str, dict[str, str]]],
        policy: InfoPolicy | None,
    ) -> list[SetInfo]:
        from .statistics_parsing import namespace_info, set_info, set_on_node

        of_namespace = f"namespace/{namespace}"
        told = await self._told(what, self._known_nodes(), (of_namespace, command), self._info_timeout(policy))
        info = namespace_info(namespace, _on_nodes(what, namespace, of_namespace, told))
        found: dict[str, dict[str, SetOnNode]] = {}
        for node in info.by_node:
            for name, pairs in parse(told[node][command]).items():
                found.setdefault(name, {})[node] = set_on_node(namespace, name, node, pairs)
        return [set_info(namespace, name, info.replication_factor, found[name]) for name in sorted(found)]

    async def index_statistics(
        self, namespace: str, name: str, *, policy: InfoPolicy | None = None, **unknown: Never
    ) -> IndexStatistics:
        """What the nodes tell of a secondary index (server: info command ``sindex-stat``), and the sums over them.

        Args:
            namespace: the namespace.
            name: the index.
            policy: how; None for the client's info policy.

        Raises:
            InvalidArgError: no namespace or index can be called so.
            IndexNotFound: there is none of that name.
            ClientClosed: the client is closed.
            AerospikeError: a node cannot be asked.
        """
        if unknown:
            raise unknown_argument(self, "index_statistics", unknown)
        from .statistics_parsing import index_on_node, index_statistics

        where = checked_info_name("index_statistics.namespace", namespace, NAMESPACE_MAX)
        index = checked_info_name("index_statistics.name", name, INDEX_NAME_MAX)
        command = f"sindex-stat:namespace={where};indexname={index}"
        told = await self._told("index_statistics", self._known_nodes(), (command,), self._info_timeout(policy))
        nodes = {node: index_on_node(where, index, node, answers[command]) for node, answers in told.items()}
        return index_statistics(where, index, nodes)

    async def _told(
        self, what: str, nodes: list[Node], commands: tuple[str, ...], timeout: float
    ) -> dict[str, dict[str, str]]:
        """What each node answers to some info commands, by their names in order. An error of any of them is raised."""
        told: dict[str, dict[str, str]] = {}
        problems: dict[str, AerospikeError] = {}

        async def ask(node: Node) -> None:
            try:
                answers = await node.info(*commands, timeout=timeout)
            except AerospikeError as error:
                problems[node.name] = error
                return
            told[node.name] = answers

        await together([partial(ask, node) for node in nodes])
        if problems:
            raise problems[min(problems)]
        for name, answers in sorted(told.items()):
            for answer in answers.values():
                failed = parse_error(answer)
                if failed is not None:
                    raise error_from_code(failed.code, f"{what}: {failed.message}", node=name)
        return dict(sorted(told.items()))


def _node(name: str, answers: Mapping[str, str]) -> NodeStatistics:
    from .statistics_parsing import node_statistics

    return node_statistics(name, answers["build"], answers["edition"], answers["statistics"])


def _on_nodes(
    what: str, namespace: str, command: str, told: Mapping[str, Mapping[str, str]]
) -> dict[str, NamespaceOnNode]:
    """What those nodes tell of a namespace that have it: not all need to."""
    from .statistics_parsing import namespace_on_node

    found = {
        node: namespace_on_node(namespace, node, answers[command])
        for node, answers in told.items()
        if answers[command] not in _NO_NAMESPACE
    }
    if not found:
        raise error_from_code(ResultCode.INVALID_NAMESPACE, f"{what}: no node has a namespace {namespace!r}")
    return found
