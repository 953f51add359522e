"""First attempt of a command outside Trio: interpret its outcome and decide what is left for Trio to do.

Blocking threads and asyncio loops send a single-record command on a connection that they have leased. That is one
attempt; routing again, waiting for the cluster and further attempts are the executor's, in Trio. The retry engine
decides what follows the attempt, and its state is passed to the executor.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from .._cluster.execution.attempts import RESULT_CODE as RESULT_CODE, not_sent
from .._cluster.execution.retry_rules import Action, Cause, Outcome, RetryDecision, RetryState
from .._cluster.execution.single import Executor
from .._cluster.tend.cluster import Cluster
from .._cluster.tend.node import Node
from .._wire.error_details import request_detail
from ..config import ClientConfig
from ..errors import (
    AerospikeError,
    AerospikeTimeoutError,
    ClientClosed,
    ConnectionFailed,
    NoMoreConnections,
    ProtocolError,
    ResultCode,
    error_from_code,
)
from ..keys import Key
from ..policies import ReadPolicy, WritePolicy

if TYPE_CHECKING:
    from .._observers import Observers, RunCommand

Policy: TypeAlias = ReadPolicy | WritePolicy

#: Answers that say that the connection's login is of no use any more.
LOGGED_OUT = frozenset((ResultCode.EXPIRED_SESSION, ResultCode.NOT_AUTHENTICATED))

_RETRY_NOW = RetryDecision(Action.RETRY_NOW)


class ConnectedClient(Protocol):
    """What the drivers use of a :class:`trio_aerospike.Client`."""

    _cluster: Cluster
    _executor: Executor

    @property
    def config(self) -> ClientConfig:
        """What the client was opened with."""


class LeasingExecutor(ABC):
    """Replaces the client's executor: first attempt on a leased connection, everything else in Trio."""

    limiter = None

    def __init__(self, client: ConnectedClient) -> None:
        self._cluster = client._cluster
        self._inner = client._executor
        #: The observers of commands, and the wrapper that notifies them.
        self._instrumented: tuple[Observers, RunCommand] | None = None

    def run(self, what: str, key: Key, frame: bytes, policy: Policy, write: bool) -> Coroutine[Any, Any, bytes]:
        """As ``Executor.run``."""
        observers = self._cluster.observers
        if observers is None:
            return self._run(what, key, frame, policy, write)
        instrumented = self._instrumented
        if instrumented is None or instrumented[0] is not observers:
            instrumented = self._instrumented = observers, observers.runner(self._run, self._inner.notes)
        return instrumented[1](what, key, frame, policy, write)

    def _first_attempt(
        self, what: str, key: Key, policy: Policy, write: bool, node: Node, began: float
    ) -> FirstAttempt:
        attempt = FirstAttempt(what, key, policy, write, node, began, self._cluster.patience)
        attempt.admit(began)
        return attempt

    @abstractmethod
    async def _run(self, what: str, key: Key, frame: bytes, policy: Policy, write: bool) -> bytes: ...


class FirstAttempt:
    """One command's first attempt, on a leased connection. Times are on the clock that ``now`` reads.

    Args:
        what: the command's name, for messages.
        key: the record.
        policy: timeouts and retries.
        write: whether the server is asked to change something.
        node: where it goes.
        arrived: when the command began.
        patience: seconds that a command waits for the cluster to learn who serves a record.
        now: the clock, in seconds.

    Attributes:
        arrived: when the command began.
        limit: when the command is given up; its time runs once it is admitted to a connection.
        deadline: when this attempt is.
        decision: what follows the attempt, once it has ended.
        error: what is raised where there is no time for that; None where nothing has failed.
    """

    __slots__ = (
        "_key",
        "_node",
        "_now",
        "_patience",
        "_policy",
        "_state",
        "_what",
        "_write",
        "arrived",
        "deadline",
        "decision",
        "error",
        "limit",
    )

    def __init__(
        self,
        what: str,
        key: Key,
        policy: Policy,
        write: bool,
        node: Node,
        arrived: float,
        patience: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._key = key
        self._policy = policy
        self._write = write
        self._node = node
        self._now = now
        self._patience = patience
        self._state: RetryState | None = None
        self.arrived: float = arrived
        self.decision = _RETRY_NOW
        self.error: AerospikeError | None = None
        self.limit: float = math.inf
        self.deadline: float = math.inf

    def admit(self, now: float) -> None:
        """Give the request to a connection: from now on the command's time runs."""
        policy = self._policy
        self.limit = math.inf if policy.total_timeout is None else now + policy.total_timeout
        socket_timeout = policy.socket_timeout
        self.deadline = self.limit if socket_timeout is None else min(self.limit, now + socket_timeout)

    @property
    def patience(self) -> float:
        """Seconds without progress of the node after which a request that waits is given up."""
        times = (self._policy.total_timeout, self._policy.socket_timeout)
        return min((time for time in times if time is not None), default=math.inf)

    @property
    def time_runs(self) -> bool:
        """Whether the command's time is running already; never while it waits for its first connection."""
        return False

    def waits_until(self, progress_at: float) -> float:
        """When a request that waits is given up, if the node has made no progress since ``progress_at``."""
        return max(self.arrived, progress_at) + self.patience

    @property
    def state(self) -> RetryState:
        """What the retry engine knows of the command: made when it is needed, which is rarely."""
        if self._state is None:
            policy = self._policy
            self._state = RetryState(
                policy.max_retries,
                policy.sleep_between_retries,
                began=self.arrived,
                limit=self.limit,
                patience=self._patience,
            )
        return self._state

    def refused(self, code: int, frame: bytes) -> None:
        """The server answered with a result code other than 0.

        Args:
            code: the result code.
            frame: the request.

        Raises:
            AerospikeError: the retry engine allows no further attempt.
        """
        text = f"{self._what} {self._key!r}: {error_from_code(code).message}{request_detail(code, frame)}"
        self._decide(code, error_from_code(code, text))

    def broken(self, error: Exception) -> None:
        """The request was sent, and there was no answer.

        Args:
            error: TimeoutError when the attempt's time was over, else what broke the connection.

        Raises:
            AerospikeError: the retry engine allows no further attempt.
        """
        place = f"{self._what} {self._key!r}: node {self._node.name} at {self._node.address}"
        failure: AerospikeError
        if isinstance(error, TimeoutError):
            now = self._now()
            name = "total_timeout" if now >= self.limit else "socket_timeout"
            passed = now - self.arrived
            cause = Cause.TIMEOUT
            failure = AerospikeTimeoutError(
                f"{place} did not answer within {name}={getattr(self._policy, name)} s ({passed:.3f} s passed)"
            )
        elif isinstance(error, ProtocolError):
            cause = Cause.PROTOCOL
            failure = ProtocolError(f"{place}: {error}")
        else:
            cause = Cause.CONNECTION
            failure = ConnectionFailed(f"{place}: {error}")
        failure.__cause__ = error
        self._decide(cause, failure)

    def unsent(self) -> None:
        """Note that the request was not sent: Trio continues as if nothing had been tried.

        Raises:
            AerospikeTimeoutError: the time is over.
        """
        if self._now() >= self.limit:
            place = f"{self._what} {self._key!r}: node {self._node.name} at {self._node.address}"
            raise AerospikeTimeoutError(
                f"{place} took nothing within total_timeout={self._policy.total_timeout} s", node=self._node.name
            )

    def closed(self, *, sent: bool) -> ClientClosed:
        """Return the error for a command that was under way when the client closed."""
        self.state.failed(Cause.CONNECTION, sent=sent, write=self._write, now=self._now(), node=self._node.name)
        error = ClientClosed(f"{self._what} {self._key!r}: the client is closed")
        return self.state.annotate(error, self._node.name)

    def waited_in_vain(self, silence: float, waiting: int, full: bool) -> None:
        """Give up a request that was not sent because the node has been silent for too long.

        Args:
            silence: seconds since the node last answered, or since the request began to wait.
            waiting: how many more requests of the event loop wait for the node.
            full: whether all connections that the node may have are in use.

        Raises:
            AerospikeError: the retry engine allows no further attempt.
        """
        place = f"{self._what} {self._key!r}: node {self._node.name} at {self._node.address}"
        text = not_sent(self._node, full, silence, waiting)
        if full:
            self._decide(Cause.POOL_FULL, NoMoreConnections(f"{place}: {text}"), sent=False)
            return
        name = "total_timeout" if self._now() >= self.limit else "socket_timeout"
        within = f"within {name}={getattr(self._policy, name)} s"
        self._decide(Cause.TIMEOUT, AerospikeTimeoutError(f"{place} took no request {within}: {text}"), sent=False)

    def _decide(self, outcome: Outcome, error: AerospikeError, *, sent: bool = True) -> None:
        now, name = self._now(), self._node.name
        self.decision = self.state.failed(outcome, sent=sent, write=self._write, now=now, node=name)
        self.error = self.state.annotate(error, name)
        if self.decision.action is Action.RAISE:
            raise error
