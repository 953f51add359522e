"""Protocols for what queries need of the node, the cluster and the connection that serve them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol

from ..latencies import Latencies
from ..partitions import PartitionTable
from ..record_requests import Request, Response
from ..settings import Settings
from ..sindex.node_indexes import IndexSearch, NodeIndexes
from ..store import NamespaceStore
from ..transport import ServerStream
from ..udf.modules import Modules
from .jobs import QueryJob, QueryJobs, QueryLimits
from .request import QueryRequest


class QueryCluster(Protocol):
    """What queries need of the cluster."""

    tables: dict[str, PartitionTable]
    modules: Modules

    def knows_set(self, namespace: str, set_name: str) -> bool:
        """Whether the set has or had records, or is named by an index."""


class RecordWriter(Protocol):
    """Executes the writes of background queries."""

    def execute_internal(self, request: Request, origin: str) -> Response:
        """Execute a write; raises `Refused`."""


class QueryHost(Protocol):
    """What queries need of their node."""

    name: str
    stores: dict[str, NamespaceStore]
    joined: bool
    settings: Settings
    indexes: NodeIndexes
    queries: QueryJobs
    counters: Counter[str]
    latencies: Latencies

    @property
    def cluster(self) -> QueryCluster: ...

    @property
    def executor(self) -> RecordWriter: ...

    @property
    def paused(self) -> bool: ...

    async def wait_resumed(self) -> None:
        """Wait while the node is paused."""

    def start_task(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Run something for as long as the node runs."""


class QueryClient(Protocol):
    """What queries need of the connection that asked."""

    stream: ServerStream

    @property
    def peer(self) -> str: ...

    def may(self, permission: str, namespace: str = "", set_name: str = "") -> bool:
        """Whether the client has a right."""


def find_index(host: QueryHost, request: QueryRequest) -> IndexSearch | None:
    """The search of a query in its index; None for a query without a predicate. Raises `Refused`."""
    return host.indexes.search(request.namespace, request.set_name, request.predicate)


def start_query(host: QueryHost, kind: str, request: QueryRequest, client: str) -> QueryJob:
    """Register a query that begins to run.

    Raises:
        Refused: FAIL_FORBIDDEN, there are no query threads left; PARAM, its id is in use.
    """
    settings = host.stores[request.namespace].settings
    is_inline = request.short and settings.flag("inline-short-queries")
    one_query = 0 if is_inline else settings.number("single-query-threads")
    limits = QueryLimits(host.settings.number("query-threads-limit"), one_query)
    return host.queries.start(kind, request, client, limits)
