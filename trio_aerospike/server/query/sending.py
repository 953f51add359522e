"""Stream the result of a query, with a timeout for clients that do not read."""

from __future__ import annotations

import abc
import ssl

import trio

from ..._wire import constants as wire
from ..._wire.frames import encode_frame
from ..._wire.query_answers import encode_query_end
from ...errors import ResultCode
from ..sindex.node_indexes import IndexSearch
from ..store import NamespaceStore
from .jobs import RESPONSE_ERROR, RESPONSE_TIMEOUT, QueryJob
from .protocols import QueryClient, QueryHost
from .request import QueryRequest

FRAME_SIZE = 128 * 1024
"""Buffered bytes from which on a frame is sent."""
_ENDS = {0: "complete", ResultCode.QUERY_ABORTED: "abort", ResultCode.TIMEOUT: "timeout"}


class QueryStream(abc.ABC):
    """A query whose result is streamed, in the task of the connection that asked.

    Args:
        host: the node.
        client: the connection.
        request: the query.
        search: the index to find records through; None for all records.
        job: its entry among the node's queries.
        kind: the kind of query in statistics.
    """

    def __init__(
        self,
        host: QueryHost,
        client: QueryClient,
        request: QueryRequest,
        search: IndexSearch | None,
        job: QueryJob,
        kind: str,
    ) -> None:
        self._host = host
        self._client = client
        self._request = request
        self._search = search
        self._store: NamespaceStore = host.stores[request.namespace]
        self._buffer: list[bytes] = []
        self._size = 0
        self._sent = 0
        self._counter = f"{'pi' if search is None else 'si'}_query_{kind}"
        self.job = job
        job.details = self._details
        if search is not None and not request.short:
            job.index_name = search.name

    def _details(self) -> str:
        """More text for `query-show`."""
        timeout = int((self._request.socket_timeout or 0) * 1000)
        return f":net-io-bytes={self._sent}:net-io-time=0:socket-timeout={timeout}"

    def abandon(self) -> None:
        """End the query before anything was sent, as the client has gone."""
        self.job.abandoned = RESPONSE_ERROR
        self._host.queries.finish(self.job)
        self._host.counters[f"{self._counter}_error"] += 1

    async def serve(self) -> None:
        """Send the result.

        Raises:
            OSError, trio.BrokenResourceError: the client has gone.
        """
        job, host = self.job, self._host
        try:
            await self._serve_partitions()
            job.partition = wire.N_PARTITIONS
            self._add(encode_query_end(job.abandoned))
            await self._flush()
        except (OSError, ssl.SSLError, trio.BrokenResourceError, trio.ClosedResourceError):
            job.abandoned = job.abandoned or RESPONSE_ERROR
            raise
        except Exception:
            job.abandoned = job.abandoned or ResultCode.SERVER
            raise
        finally:
            host.queries.finish(job)
            host.counters[f"{self._counter}_{_ENDS.get(job.abandoned, 'error')}"] += 1
            if self._request.short and not job.abandoned:
                now = trio.current_time()
                kind = "pi-query" if self._search is None else "si-query"
                host.latencies.count(f"{{{self._request.namespace}}}-{kind}", now - job.started, now)

    @abc.abstractmethod
    async def _serve_partitions(self) -> None:
        """Buffer the result, flush the buffer when it is large; return early when the job is abandoned."""

    def _add(self, body: bytes) -> None:
        self._buffer.append(body)
        self._size += len(body)

    async def _flush(self) -> None:
        frame = encode_frame(wire.PROTO_MESSAGE, b"".join(self._buffer))
        self._buffer.clear()
        self._size = 0
        await send_frame(self._client, self.job, frame, self._request.socket_timeout)
        self._sent += len(frame)


async def send_frame(client: QueryClient, job: QueryJob, frame: bytes, timeout: float | None) -> None:
    """Send one frame of a result.

    Args:
        client: the connection.
        job: abandoned if the client does not read.
        frame: to send.
        timeout: seconds; None for no limit.

    Raises:
        OSError, trio.BrokenResourceError: the client has gone, or does not read.
    """
    with trio.CancelScope() as scope:
        if timeout is not None:
            scope.deadline = trio.current_time() + timeout
        await client.stream.send_all(frame)
    if scope.cancelled_caught:
        # Part of the frame may have been sent: the connection cannot be used any more.
        job.abandoned = RESPONSE_TIMEOUT
        client.stream.abort()
        raise trio.BrokenResourceError("the client does not read")
