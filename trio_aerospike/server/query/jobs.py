"""The table of a node's queries, active and ended, as `query-show` lists them.

Facts: as/src/query/query_manager.c and query_job.c of the server.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count

import attrs
import trio

from ..._wire.constants import N_PARTITIONS
from ...errors import ResultCode
from ..exceptions import Refused
from .request import Kind, QueryRequest

KEPT = 100
"""Ended queries that are kept (server: query-max-done)."""
SLEEP_MIN = 0.001
SLEEP_MAX = 0.01
"""Seconds that a query ahead of its rate sleeps at a time (server: SLEEP_MIN, SLEEP_CAP)."""

RESPONSE_ERROR = -1
RESPONSE_TIMEOUT = -2
_RESULTS = {
    0: "ok",
    ResultCode.SERVER: "abandoned-unknown",
    ResultCode.QUERY_ABORTED: "user-aborted",
    RESPONSE_ERROR: "abandoned-response-error",
    RESPONSE_TIMEOUT: "abandoned-response-timeout",
}


def _no_details() -> str:
    return ""


@attrs.define(eq=False)
class QueryJob:
    """A query that runs or has ended.

    Attributes:
        trid: its id.
        abandoned: the result code with which it ended early; 0 if it did not.
        details: the text for `query-show` that is particular to its kind.
        threads: how many of the node's query threads it would take on a real server.
    """

    trid: int
    kind: str
    request: QueryRequest
    client: str
    index_name: str = ""
    records_per_second: int = 0
    started: float = attrs.Factory(trio.current_time)
    finished: float | None = None
    abandoned: int = 0
    partition: int = -1
    throttled: int = 0
    filtered_meta: int = 0
    filtered_bins: int = 0
    succeeded: int = 0
    failed: int = 0
    details: Callable[[], str] = _no_details
    threads: int = 0

    def pace(self) -> float:
        """Seconds to sleep before the next record to keep the rate limit."""
        if not self.records_per_second:
            return 0.0
        self.throttled += 1
        ahead = self.throttled / self.records_per_second - (trio.current_time() - self.started)
        return min(ahead, SLEEP_MAX) if ahead > SLEEP_MIN else 0.0

    def text(self) -> str:
        """Its entry in `query-show`."""
        request, now = self.request, trio.current_time()
        parts: dict[str, object] = {"trid": self.trid, "ns": request.namespace}
        if request.set_name:
            parts["set"] = request.set_name
        if self.index_name:
            parts["sindex-name"] = self.index_name
        if request.partitions:
            parts["n-pids-requested"] = len(request.partitions)
            parts["n-keyds-requested"] = sum(start is not None for start in request.partitions.values())
        ended = now if self.finished is None else self.finished
        progress = 100 * min(self.partition + 1, N_PARTITIONS) / N_PARTITIONS
        parts |= {
            "rps": self.records_per_second,
            "active-threads": self.threads,
            "status": f"{'active' if self.finished is None else 'done'}({_RESULTS.get(self.abandoned, 'abandoned-?')})",
            "job-progress": f"{progress:.2f}",
            "run-time": int((ended - self.started) * 1000),
            "time-since-done": 0 if self.finished is None else int((now - self.finished) * 1000),
            "recs-throttled": self.throttled,
            "recs-filtered-meta": self.filtered_meta,
            "recs-filtered-bins": self.filtered_bins,
            "recs-succeeded": self.succeeded,
            "recs-failed": self.failed,
            "from": self.client.replace(":", "+"),
            "job-type": self.kind,
        }
        return ":".join(f"{name}={value}" for name, value in parts.items()) + self.details()


@attrs.frozen
class QueryLimits:
    """Limits of query threads.

    Args:
        all_queries: for all queries of the node together (server: query-threads-limit).
        one_query: for one query (server: single-query-threads); 0 for one that takes none.
    """

    all_queries: int
    one_query: int


class QueryJobs:
    """The queries of one node."""

    def __init__(self) -> None:
        self.active: dict[int, QueryJob] = {}
        self.ended: deque[QueryJob] = deque(maxlen=KEPT)
        self.threads: int = 0
        """Query threads in use."""
        self._numbers = count(1)

    def keep(self, count: int) -> None:
        """Keep this many ended queries (server: query-max-done)."""
        self.ended = deque(self.ended, maxlen=count)

    def start(self, kind: str, request: QueryRequest, client: str, limits: QueryLimits) -> QueryJob:
        """Register a query; a short one is not listed.

        The threads that it may have are counted as long as it runs, although it runs in one task here.

        Raises:
            Refused: FAIL_FORBIDDEN, all threads are in use; PARAM, its id is in use or was.
        """
        left = limits.all_queries - self.threads
        if left <= 0 and limits.one_query:
            raise Refused(ResultCode.FAIL_FORBIDDEN)
        trid = request.trid or next(self._numbers)
        job = QueryJob(trid, kind, request, client, records_per_second=request.records_per_second)
        if not request.short:
            if self.find(trid) is not None:
                raise Refused(ResultCode.PARAM)
            self.active[trid] = job
        threads = limits.one_query
        if request.short or request.records_per_second or kind in (Kind.BACKGROUND_UDF, Kind.BACKGROUND_OPS):
            threads = min(threads, 1)
        elif request.partitions is not None:
            threads = min(threads, len(request.partitions))
        job.threads = min(threads, left)
        self.threads += job.threads
        return job

    def finish(self, job: QueryJob) -> None:
        """Note that a query has ended."""
        job.finished = trio.current_time()
        self.threads -= job.threads
        job.threads = 0
        if self.active.pop(job.trid, None) is job:
            self.ended.append(job)

    def find(self, trid: int) -> QueryJob | None:
        """A query by its id, active or ended."""
        found = self.active.get(trid)
        return found or next((job for job in self.ended if job.trid == trid), None)

    def abort(self, trid: int) -> bool:
        """Abort an active query; returns whether there is one of that id."""
        job = self.active.get(trid)
        if job is None:
            return False
        job.abandoned = ResultCode.QUERY_ABORTED
        return True

    def abort_all(self) -> int:
        """Abort all active queries; returns how many."""
        for job in self.active.values():
            job.abandoned = ResultCode.QUERY_ABORTED
        return len(self.active)

    def text(self) -> str:
        """The answer to `query-show`: all queries, the latest first."""
        return ";".join(job.text() for job in [*reversed(self.active.values()), *reversed(self.ended)])
