"""Sending what a query has found, to a client that may not read."""

from __future__ import annotations

import abc
import ssl
from typing import TYPE_CHECKING

import trio

from ..._wire import constants as wire
from ..._wire.frames import encode_frame
from ..._wire.query_answers import encode_query_end
from ...errors import ResultCode
from ..store import NamespaceStore
from .jobs import RESPONSE_ERROR, RESPONSE_TIMEOUT, QueryJob
from .request import QueryRequest

if TYPE_CHECKING:
    from ..connection import Connection
    from ..node import EmbeddedNode
    from ..sindex.registry import IndexSearch

FRAME_SIZE = 128 * 1024
"""Bytes after which what has gathered is sent."""
_ENDS = {0: "complete", ResultCode.QUERY_ABORTED: "abort", ResultCode.TIMEOUT: "timeout"}


class StreamedAnswer(abc.ABC):
    """A query whose answer is a stream, in the task of the connection that asked for it.

    Args:
        node: which answers.
        connection: where to.
        request: what is asked.
        search: the index to find records through; None for all.
        job: stands for it among the node's queries.
        kind: of query, as statistics call it.
    """

    def __init__(
        self,
        node: EmbeddedNode,
        connection: Connection,
        request: QueryRequest,
        search: IndexSearch | None,
        job: QueryJob,
        kind: str,
    ) -> None:
        self._node = node
        self._connection = connection
        self._request = request
        self._search = search
        self._store: NamespaceStore = node.stores[request.namespace]
        self._held: list[bytes] = []
        self._size = 0
        self._sent = 0
        self._counter = f"{'pi' if search is None else 'si'}_query_{kind}"
        self.job = job
        job.details = self._details
        if search is not None and not request.short:
            job.index_name = search.name

    def _details(self) -> str:
        """What `query-show` tells of it besides."""
        timeout = int((self._request.socket_timeout or 0) * 1000)
        return f":net-io-bytes={self._sent}:net-io-time=0:socket-timeout={timeout}"

    def abandon(self) -> None:
        """End the query before anything of it was sent: the client has gone."""
        self.job.abandoned = RESPONSE_ERROR
        self._node.queries.finish(self.job)
        self._node.counters[f"{self._counter}_error"] += 1

    async def serve(self) -> None:
        """Send the answer.

        Raises:
            OSError, trio.BrokenResourceError: the client has gone.
        """
        job, node = self.job, self._node
        try:
            await self._serve_partitions()
            job.partition = wire.N_PARTITIONS
            self._hold(encode_query_end(job.abandoned))
            await self._flush()
        except (OSError, ssl.SSLError, trio.BrokenResourceError, trio.ClosedResourceError):
            job.abandoned = job.abandoned or RESPONSE_ERROR
            raise
        except Exception:
            job.abandoned = job.abandoned or ResultCode.SERVER
            raise
        finally:
            node.queries.finish(job)
            node.counters[f"{self._counter}_{_ENDS.get(job.abandoned, 'error')}"] += 1
            if self._request.short and not job.abandoned:
                now = trio.current_time()
                kind = "pi-query" if self._search is None else "si-query"
                node.latencies.count(f"{{{self._request.namespace}}}-{kind}", now - job.started, now)

    @abc.abstractmethod
    async def _serve_partitions(self) -> None:
        """Hold what there is to be sent, flush it when it has grown; end early where the job is given up."""

    def _hold(self, body: bytes) -> None:
        self._held.append(body)
        self._size += len(body)

    async def _flush(self) -> None:
        frame = encode_frame(wire.PROTO_MESSAGE, b"".join(self._held))
        self._held.clear()
        self._size = 0
        await send_frame(self._connection, self.job, frame, self._request.socket_timeout)
        self._sent += len(frame)


async def send_frame(connection: Connection, job: QueryJob, frame: bytes, timeout: float | None) -> None:
    """Send a part of an answer.

    Args:
        connection: where to.
        job: given up where the client does not read.
        frame: the part.
        timeout: seconds; None for no end.

    Raises:
        OSError, trio.BrokenResourceError: the client has gone, or does not read.
    """
    with trio.CancelScope() as scope:
        if timeout is not None:
            scope.deadline = trio.current_time() + timeout
        await connection.stream.send_all(frame)
    if scope.cancelled_caught:
        # Part of the frame may have gone out: the connection is of no use any more.
        job.abandoned = RESPONSE_TIMEOUT
        connection.stream.abort()
        raise trio.BrokenResourceError("the client does not read")
