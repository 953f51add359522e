"""Jobs that run in the servers: creating and dropping indexes, background queries that write.

A command that starts such work returns a job. ``await job.wait()`` waits until every node is done, ``await job.poll()``
asks for the progress once; a background query can be cancelled.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Awaitable, Callable, Sequence

import attrs
import trio

from trio_aerospike._trio_guard import TrioRun
from trio_aerospike._wire.info import parse_error
from trio_aerospike.errors import AerospikeTimeoutError, ClusterError, ProtocolError, ResultCode, error_from_code
from trio_aerospike.records import InfoResult
from trio_aerospike.validation import SECONDS_MAX, refused, shown

__all__ = ["BackgroundJob", "IndexJob", "Job", "JobProgress", "NodeProgress"]

#: Seconds between two polls of a job: the first pause, and the longest.
FIRST_PAUSE = 0.01
LONGEST_PAUSE = 0.5
#: Seconds that a node may be absent before it counts as lost: a node that was cut off continues, and may come back.
GIVE_UP_AFTER = 5.0

#: Permanent refusals: the job's progress cannot be read.
_FINAL_CODES = frozenset(
    (
        ResultCode.PARAM,
        ResultCode.ALWAYS_FORBIDDEN,
        ResultCode.UNSUPPORTED_FEATURE,
        ResultCode.ENTERPRISE_ONLY,
        ResultCode.ROLE_VIOLATION,
    )
)

AskAll = Callable[[str], Awaitable[list[InfoResult]]]


@attrs.frozen
class NodeProgress:
    """The progress of a job on one node."""

    node_name: str
    done: bool
    percent: float
    """Percent of its work that is done, 0 to 100."""
    succeeded: int = 0
    """Records that were processed."""
    failed: int = 0
    """Records that failed; the server does not say why."""
    filtered: int = 0
    """Records that the filter excluded."""
    error: int = 0
    """Result code of the error that ended it early, or with which the node could not be asked; 0 for none."""
    lost: bool = False
    """Whether the node left the cluster or restarted before it was done; no other node does the rest."""


@attrs.frozen
class JobProgress:
    """The progress of a job on all nodes."""

    nodes: tuple[NodeProgress, ...]

    @property
    def done(self) -> bool:
        """Whether every node is done; a lost node is not."""
        return all(node.done for node in self.nodes)

    @property
    def lost(self) -> tuple[str, ...]:
        """Names of the nodes that were lost before they were done."""
        return tuple(node.node_name for node in self.nodes if node.lost)

    @property
    def percent(self) -> float:
        """Percent of all the work, 0 to 100."""
        return sum(node.percent for node in self.nodes) / len(self.nodes) if self.nodes else 100.0

    @property
    def succeeded(self) -> int:
        """Records that were processed."""
        return sum(node.succeeded for node in self.nodes)

    @property
    def failed(self) -> int:
        """Records that failed."""
        return sum(node.failed for node in self.nodes)


class Job(abc.ABC):
    """A job that runs in the servers."""

    def __init__(self, what: str, ask_all: AskAll) -> None:
        self._what = what
        self._ask_all = ask_all
        self._trio_run = TrioRun()
        self._last = JobProgress(())

    def __repr__(self) -> str:
        last = self._last
        state = "not polled yet" if not last.nodes else "done" if last.done else "running"
        if last.lost:
            state += f", lost: {', '.join(last.lost)}"
        return f"<{type(self).__name__} {self._what}: {state}>"

    @property
    def progress(self) -> JobProgress:
        """The progress at the last poll; without any nodes before the first poll."""
        return self._last

    @abc.abstractmethod
    async def poll(self) -> JobProgress:
        """Ask all nodes for their progress once.

        Raises:
            AerospikeError: the work has failed, or the client is closed or knows no node.
        """

    async def wait(self, timeout: float | None = None) -> JobProgress:
        """Wait until every node is done. The job continues whether or not it is waited for, also after a timeout.

        Args:
            timeout: seconds; None for no limit.

        Returns:
            The progress when all nodes were done.

        Raises:
            AerospikeTimeoutError: it took longer; names the nodes that are not done.
            ClusterError: nodes were lost before they were done, and all others are done; the rest of the work was not
                done. ``progress`` has the details.
            AerospikeError: the work has failed.
        """
        self._trio_run.check(f"{type(self).__name__}.wait")
        if timeout is not None and not (isinstance(timeout, (int, float)) and 0 <= timeout <= SECONDS_MAX):
            raise refused(f"{type(self).__name__}.wait.timeout", timeout, "a number of seconds, or None for no limit")
        progress = self._last
        with trio.move_on_after(float("inf") if timeout is None else timeout) as scope:
            pause = FIRST_PAUSE
            since = math.inf
            while True:
                progress = self._last = await self.poll()
                if progress.done:
                    return progress
                if all(node.done or node.lost for node in progress.nodes):
                    since = min(since, trio.current_time())
                    if trio.current_time() - since >= GIVE_UP_AFTER:
                        raise self._lost(progress)
                else:
                    since = math.inf
                await trio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        assert scope.cancelled_caught
        waiting = [f"{node.node_name} at {node.percent:.0f}%" for node in progress.nodes if not node.done]
        left = f"; not done: {', '.join(waiting)}" if waiting else ""
        raise AerospikeTimeoutError(f"{self._what}: not done within {timeout} s{left}")

    def _check(self, result: InfoResult) -> None:
        """Raise errors that every later poll would raise again: a permanent refusal, or an invalid answer."""
        if isinstance(result.error, ProtocolError):
            raise result.error
        if result.error_code in _FINAL_CODES:
            failed = parse_error(result.response)
            text = result.response if failed is None else failed.message
            raise error_from_code(
                result.error_code,
                f"{self._what}: node {result.node_name} did not report its progress: {text}",
                node=result.node_name,
            )

    def _number(self, result: InfoResult, text: str | None) -> float:
        """Parse a number that a node reported."""
        try:
            return float(text or "")
        except ValueError:
            raise ProtocolError(
                f"{self._what}: node {result.node_name} did not report its progress: {shown(result.response)}",
                node=result.node_name,
            ) from None

    def _lost(self, progress: JobProgress) -> ClusterError:
        lost = [f"{node.node_name} at {node.percent:.0f}%" for node in progress.nodes if node.lost]
        return ClusterError(
            f"{self._what}: nodes were lost before they were done, and what they had left is undone: {', '.join(lost)}",
            node=progress.lost[0],
            in_doubt=True,
        )


class IndexJob(Job):
    """A secondary index that is being created or dropped."""

    def __init__(self, what: str, ask_all: AskAll, namespace: str, name: str, *, gone: bool) -> None:
        super().__init__(what, ask_all)
        self.namespace = namespace
        self.name = name
        self._gone = gone
        self._seen: set[str] = set()

    async def poll(self) -> JobProgress:
        """Ask all nodes once whether the index is ready, or dropped.

        Raises:
            IndexNotFound: an index that was being created has been dropped meanwhile.
            ServerError: there is no such namespace.
            AerospikeError: the client is closed or knows no node.
        """
        found = await self._ask_all(f"sindex-stat:namespace={self.namespace};indexname={self.name}")
        return JobProgress(tuple([self._of_node(result) for result in found]))

    def _of_node(self, result: InfoResult) -> NodeProgress:
        self._check(result)
        code = result.error_code
        if code == ResultCode.INVALID_NAMESPACE:
            # Servers accept the command all the same, and the index would never be created.
            raise error_from_code(code, f"{self._what}: there is no such namespace", node=result.node_name)
        if self._gone:
            gone = code == ResultCode.INDEX_NOT_FOUND
            return NodeProgress(result.node_name, gone, 100.0 if gone else 0.0, error=0 if gone else code)
        if code == ResultCode.INDEX_NOT_FOUND and result.node_name in self._seen:
            raise error_from_code(code, f"{self._what}: it has been dropped", node=result.node_name)
        if code:
            return NodeProgress(result.node_name, False, 0.0, error=code)
        self._seen.add(result.node_name)
        percent = self._number(result, _pairs(result.response, ";").get("load_pct"))
        return NodeProgress(result.node_name, percent >= 100, percent)


class BackgroundJob(Job):
    """A background query: each node writes to its own records that the query finds.

    Attributes:
        trid: its number in the servers.
        nodes: names of the nodes that started it.
    """

    def __init__(self, what: str, ask_all: AskAll, trid: int, nodes: Sequence[str]) -> None:
        super().__init__(what, ask_all)
        self.trid = trid
        self.nodes: tuple[str, ...] = tuple(nodes)
        self._started = trio.current_time()
        self._known: dict[str, NodeProgress] = {name: NodeProgress(name, False, 0.0) for name in self.nodes}

    async def poll(self) -> JobProgress:
        """Ask the nodes for their progress once.

        A node that no longer knows the job is done (servers keep the last hundred), unless it has restarted since. A
        node that was done stays done, even if it leaves the cluster.

        Raises:
            AerospikeError: the job was ended on some node, or the client is closed or knows no node.
        """
        known = self._known
        by_name = {result.node_name: result for result in await self._ask_all(f"query-show:trid={self.trid}")}
        forgetful = []
        for name in self.nodes:
            result = by_name.get(name)
            if known[name].done:
                continue
            if result is None:
                known[name] = attrs.evolve(known[name], lost=True)
            elif result.error_code == ResultCode.RECORD_NOT_FOUND:
                forgetful.append(name)
            elif result.error_code:
                self._check(result)
                known[name] = attrs.evolve(known[name], error=result.error_code)
            else:
                known[name] = self._of_node(result)
        if forgetful:
            anew = await self._started_anew()
            for name in forgetful:
                if anew.get(name, True):
                    known[name] = attrs.evolve(known[name], lost=name in anew)
                else:
                    known[name] = attrs.evolve(known[name], done=True, percent=100.0, error=0, lost=False)
        self._last = JobProgress(tuple(known.values()))
        return self._last

    async def _started_anew(self) -> dict[str, bool]:
        """Return for each node that reports its uptime whether it was started after the job."""
        found = {}
        for result in await self._ask_all("statistics"):
            uptime = _pairs(result.response, ";").get("uptime", "")
            known = self._known.get(result.node_name)
            if known is not None and not result.error_code and uptime.isdecimal():
                # Uptime is in whole seconds. Within that precision, a node that was absent counts as restarted.
                slack = 1 if known.lost or known.error else -1
                found[result.node_name] = int(uptime) < trio.current_time() - self._started + slack
        return found

    def _of_node(self, result: InfoResult) -> NodeProgress:
        fields = _pairs(result.response, ":")
        if "status" not in fields:
            raise ProtocolError(
                f"{self._what}: node {result.node_name} did not report its progress: {shown(result.response)}",
                node=result.node_name,
            )
        state, _, ended = fields["status"].partition("(")
        if state == "done" and ended.rstrip(")") != "ok":
            raise error_from_code(
                ResultCode.QUERY_ABORTED,
                f"{self._what}: it was ended on node {result.node_name}: {ended.rstrip(')')}",
                node=result.node_name,
            )
        done = state == "done"
        return NodeProgress(
            result.node_name,
            done,
            100.0 if done else float(fields.get("job-progress") or 0),
            int(fields.get("recs-succeeded") or 0),
            int(fields.get("recs-failed") or 0),
            int(fields.get("recs-filtered-meta") or 0) + int(fields.get("recs-filtered-bins") or 0),
        )

    async def cancel(self) -> bool:
        """Abort it on all nodes. What was written stays written.

        Returns:
            Whether it was still running on a node.

        Raises:
            AerospikeError: a node refused, or no node is known.
        """
        ended = False
        for result in await self._ask_all(f"query-abort:trid={self.trid}"):
            failed = parse_error(result.response)
            if not result.error_code:
                ended = True
            elif result.error_code != ResultCode.RECORD_NOT_FOUND and result.node_name in self.nodes:
                text = result.response if failed is None else failed.message
                raise error_from_code(result.error_code, f"cancel {self._what}: {text}", node=result.node_name)
        return ended


def _pairs(text: str, separator: str) -> dict[str, str]:
    return dict(pair.partition("=")[::2] for pair in text.split(separator))
