"""The queries of a node: those that run, and the latest that ended, as `query-show` tells of them.

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
from ..results import Refused
from .request import Kind, QueryRequest

KEPT = 100
"""Ended queries that are remembered (server: query-max-done)."""
SHORTEST_REST = 0.001
LONGEST_REST = 0.01
"""A query that is ahead of its rate rests for so many seconds at a time (server: SLEEP_MIN, SLEEP_CAP)."""

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
    """One query under way, or ended.

    Attributes:
        trid: its number.
        abandoned: why it ended early; 0 while it has not.
        details: tells what is particular to its kind, for `query-show`.
        threads: how many of the node's query threads a real server would have it take.
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
        """Seconds to rest before the next record, so that the rate is kept."""
        if not self.records_per_second:
            return 0.0
        self.throttled += 1
        ahead = self.throttled / self.records_per_second - (trio.current_time() - self.started)
        return min(ahead, LONGEST_REST) if ahead > SHORTEST_REST else 0.0

    def text(self) -> str:
        """What `query-show` tells."""
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
    """How many query threads there may be.

    Args:
        all_queries: of all queries of the node together (server: query-threads-limit).
        one_query: of one (server: single-query-threads); 0 for one that takes none.
    """

    all_queries: int
    one_query: int


class QueryJobs:
    """The table of one node."""

    def __init__(self) -> None:
        self.active: dict[int, QueryJob] = {}
        self.ended: deque[QueryJob] = deque(maxlen=KEPT)
        self.threads: int = 0
        """Query threads in use."""
        self._numbers = count(1)

    def keep(self, count: int) -> None:
        """Remember so many that have ended (server: query-max-done)."""
        self.ended = deque(self.ended, maxlen=count)

    def start(self, kind: str, request: QueryRequest, client: str, limits: QueryLimits) -> QueryJob:
        """Take a query in; a short one is not listed.

        As many threads as the query may have are counted for all of its time: one query runs on one task here.

        Raises:
            Refused: FAIL_FORBIDDEN, all threads are in use; PARAM, there is one of that number, or there was.
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
        """The query has ended."""
        job.finished = trio.current_time()
        self.threads -= job.threads
        job.threads = 0
        if self.active.pop(job.trid, None) is job:
            self.ended.append(job)

    def find(self, trid: int) -> QueryJob | None:
        """A query by its number, whether it runs or has ended."""
        found = self.active.get(trid)
        return found or next((job for job in self.ended if job.trid == trid), None)

    def abort(self, trid: int) -> bool:
        """End a query that runs; returns whether there is one of that number."""
        job = self.active.get(trid)
        if job is None:
            return False
        job.abandoned = ResultCode.QUERY_ABORTED
        return True

    def abort_all(self) -> int:
        """End all; returns how many these were."""
        for job in self.active.values():
            job.abandoned = ResultCode.QUERY_ABORTED
        return len(self.active)

    def text(self) -> str:
        """All queries, the latest first."""
        return ";".join(job.text() for job in [*reversed(self.active.values()), *reversed(self.ended)])


__all__ = ["RESPONSE_ERROR", "RESPONSE_TIMEOUT", "Kind", "QueryJob", "QueryJobs", "QueryLimits"]
