"""A first attempt outside Trio: what its outcome means, and what is left for Trio to do.

Threads and asyncio loops may send a single-record command on a connection that they have borrowed. That is one attempt;
routing anew, waiting for the cluster and trying again are the executor's, in Trio. The rules of retry and doubt are the
executor's too.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

from ._cluster.answers import NOT_DONE, RESULT_CODE as RESULT_CODE, RETRYABLE
from ._cluster.connection import restamped
from ._cluster.node import Node
from ._wire.request_details import request_detail
from .errors import (
    AerospikeError,
    AerospikeTimeoutError,
    ConnectionFailed,
    ProtocolError,
    ResultCode,
    error_from_code,
)
from .keys import Key
from .policies import ReadPolicy, WritePolicy

if TYPE_CHECKING:
    from ._client import Client
    from ._cluster.commands import Run
    from ._observed import Observers

Policy: TypeAlias = ReadPolicy | WritePolicy

#: Answers that say that the connection's login is of no use any more.
LOGGED_OUT = frozenset((ResultCode.EXPIRED_SESSION, ResultCode.NOT_AUTHENTICATED))


class BorrowingExecutor(ABC):
    """Stands in for the client's executor: one attempt on a borrowed connection, everything else in Trio."""

    limiter = None

    def __init__(self, client: Client) -> None:
        self._cluster = client._cluster
        self._inner = client._executor
        #: Who is told of commands now, and what tells them.
        self._told: tuple[Observers, Run] | None = None

    def run(self, what: str, key: Key, frame: bytes, policy: Policy, write: bool) -> Coroutine[Any, Any, bytes]:
        """As ``Executor.run``."""
        observers = self._cluster.observers
        if observers is None:
            return self._run(what, key, frame, policy, write)
        told = self._told
        if told is None or told[0] is not observers:
            told = self._told = observers, observers.runner(self._run, self._inner.notes)
        return told[1](what, key, frame, policy, write)

    @abstractmethod
    async def _run(self, what: str, key: Key, frame: bytes, policy: Policy, write: bool) -> bytes: ...


class Attempt:
    """One command's first attempt, on a borrowed connection. Times are on the monotonic clock.

    Attributes:
        limit: when the command is given up.
        deadline: when this attempt is.
        pause: seconds to rest before Trio goes on, once it is known that it may.
        sequence: how many copies of the record have been tried in vain by then.
    """

    __slots__ = ("_began", "_key", "_node", "_policy", "_what", "_write", "deadline", "limit", "pause", "sequence")

    def __init__(self, what: str, key: Key, policy: Policy, write: bool, node: Node, began: float) -> None:
        self._what = what
        self._key = key
        self._policy = policy
        self._write = write
        self._node = node
        self._began = began
        self.pause = 0.0
        self.sequence = 0
        self.limit = math.inf if policy.total_timeout is None else began + policy.total_timeout
        socket_timeout = policy.socket_timeout
        self.deadline = self.limit if socket_timeout is None else min(self.limit, began + socket_timeout)

    def stamped(self, frame: bytes) -> bytes:
        """The request with what is left of the command's time as its transaction ttl, for another attempt."""
        return restamped(frame, self.limit, time.monotonic())

    def refused(self, code: int, frame: bytes) -> Policy:
        """The server answered with a result code other than 0.

        Args:
            code: the result code.
            frame: the request.

        Returns:
            The policy under which Trio is to go on.

        Raises:
            AerospikeError: there is nothing to go on with.
        """
        text = f"{self._what} {self._key!r}: {error_from_code(code).message}{request_detail(code, frame)}"
        doubt = self._write and code == ResultCode.TIMEOUT
        failure = error_from_code(code, text, node=self._node.name, attempts=1, in_doubt=doubt)
        if code not in RETRYABLE:
            raise failure
        return self._next_policy(failure, certain=code in NOT_DONE)

    def broken(self, error: Exception) -> Policy:
        """The request was sent, and there was no answer.

        Args:
            error: TimeoutError when the attempt's time was over, else what broke the connection.

        Returns:
            The policy under which Trio is to go on.

        Raises:
            AerospikeError: there is nothing to go on with.
        """
        place = f"{self._what} {self._key!r}: node {self._node.name} at {self._node.address}"
        kind: type[AerospikeError]
        if isinstance(error, TimeoutError):
            passed = time.monotonic() - self._began
            total = self._policy.total_timeout
            name = "total_timeout" if total is not None and passed >= total else "socket_timeout"
            text = f"{place} did not answer within {name}={getattr(self._policy, name)} s ({passed:.3f} s passed)"
            kind = AerospikeTimeoutError
        else:
            kind = ProtocolError if isinstance(error, ProtocolError) else ConnectionFailed
            text = f"{place}: {error}"
        failure = kind(text, node=self._node.name, attempts=1, in_doubt=self._write)
        failure.__cause__ = error
        return self._next_policy(failure, certain=False)

    def unsent(self) -> Policy:
        """The request never left.

        Returns:
            The policy under which Trio is to go on.

        Raises:
            AerospikeTimeoutError: the time is over.
        """
        left = self.limit - time.monotonic()
        if left <= 0:
            place = f"{self._what} {self._key!r}: node {self._node.name} at {self._node.address}"
            raise AerospikeTimeoutError(
                f"{place} took nothing within total_timeout={self._policy.total_timeout} s", node=self._node.name
            )
        return self._policy if left == math.inf else self._policy.replace(total_timeout=left)

    def also(self, error: AerospikeError) -> AerospikeError:
        """What came of going on in Trio, with this attempt counted in: a write has been sent before."""
        if self.sequence:
            error.in_doubt = error.in_doubt or self._write
        error.attempts += 1
        return error

    def _next_policy(self, failure: AerospikeError, *, certain: bool) -> Policy:
        policy = self._policy
        if not certain:
            self.pause = policy.sleep_between_retries
            self.sequence = 1
        left = self.limit - time.monotonic() - self.pause
        if left <= 0 or not (certain or policy.max_retries):
            raise failure
        if left < math.inf:
            policy = policy.replace(total_timeout=left)
        return policy if certain else policy.replace(max_retries=policy.max_retries - 1)
