"""Retry engine: decide what follows a failed attempt, whether a write is in doubt, and how long to back off.

Sans-I/O: no trio, no sockets, and no clock besides the times that callers pass in. Every kind of command asks the same
:data:`TABLE`: single records, parts of batches, queries, aggregations, background jobs, threads and asyncio loops.

How an attempt ended is an *outcome*: a result code of the server, or a :class:`Cause` where there was no answer. The
table gives a rule for an outcome of a request that was sent and of one that never left, for reads and for writes:

- Retries of what was sent count against ``max_retries``, except where the server answered that it did nothing because
  the partition has moved (11) or the session has ended (66).
- Retries of what never left are always safe, so that only time limits them.
- A write is *in doubt* once any of its attempts was sent and had an unknown outcome: no answer, or the server's own
  timeout. Sending it again may apply it twice, so it is raised where the command must not be repeated
  (``repeat_in_doubt=False``: rows of batches, background jobs) and else retried as often as ``max_retries`` says, which
  is 0 for writes by default.
- Back-off is exponential with full jitter: before the n-th retry a random time between 0 and
  ``sleep_between_retries * 2**n``, at most :data:`MAX_DELAY`, so that the first delay is ``sleep_between_retries`` on
  average. With 0 there is none. A server that is overloaded is given at least :data:`OVERLOAD_FLOOR`.

Checked against the sources of the server (8.1.2: write.c, udf.c, rw_request_hash.c), which gives 8, 14, 18 and 120
before it changes a record, of the C client (as_command.c, as_error.h, as_partition_tracker.c, of July 2026), the Java
client (SyncCommand.java, of March 2025) and the Go client (command.go, of January 2024):

- All retry timeouts and broken connections; C and Java retry DEVICE_OVERLOAD, C retries PARTITION_UNAVAILABLE. So does
  this table. KEY_BUSY, SERVER_MEM, XDR_KEY_BUSY, MRT_BLOCKED and BATCH_QUEUES_FULL are raised there at once. They pass
  as overload does, and the server has done nothing, so here they are retried if the policy allows it.
- C counts unsent attempts and PARTITION_UNAVAILABLE against ``max_retries``; here only time limits those.
- C and Java send a retry of a read to the next replica. C keeps the node for a write that timed out, as here, and
  changes it for other failures of a write. Here it stays the same after DEVICE_OVERLOAD too: the replica would
  only pass the write on to the overloaded master.
- C calls a write in doubt that was sent more than once, whatever was answered (``as_error_set_in_doubt``). Here each
  answer counts for itself: a write that was refused twice is not in doubt.
- C and Java sleep for a constant time (C not before the first retry on another node), Go multiplies it; no jitter.
- Queries: C retries on 201 and 203 (no index, or not readable yet). Here that needs another node that has the index.
"""

from __future__ import annotations

import copy
import enum
import math
import random
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeVar

from ...errors import (
    AerospikeError,
    AerospikeTimeoutError,
    Attempt,
    BackpressureError,
    NoMoreConnections,
    ProtocolError,
    ResultCode,
)

E = TypeVar("E", bound=AerospikeError)

__all__ = [
    "TABLE",
    "Action",
    "Cause",
    "Outcome",
    "RetryDecision",
    "RetryState",
    "Rule",
    "gravest",
    "outcome_of",
    "rule_for",
]

#: Seconds of back-off at the least where the server is overloaded; also the base of it where the policy has none.
OVERLOAD_FLOOR: Final = 0.01
#: Seconds of back-off at the most, beyond OVERLOAD_FLOOR, unless twice ``sleep_between_retries`` is more.
MAX_DELAY: Final = 1.0
#: Seconds that a program without a tend loop of its own waits in its place.
TEND_WAIT: Final = 0.1
#: How often a write that was not sent waits for a new partition map before a replica is asked to pass it on.
PATIENT_WRITES: Final = 5
#: Attempts that an error remembers: the first ones and the last ones, half of each.
HISTORY_MAX: Final = 8

_random = random.random


class Cause(enum.Enum):
    """Why an attempt ended without an answer from the server."""

    NO_OWNER = "no node serves the partition"
    POOL_FULL = "no connection came free"
    LOGIN_REFUSED = "login refused"
    TIMEOUT = "timed out"
    CONNECTION = "connection failed"
    PROTOCOL = "invalid frame"
    BAD_DATA = "invalid answer"


Outcome = Cause | int
"""A cause, or a result code."""


class Action(enum.Enum):
    """What to do after a failed attempt."""

    RAISE = "raise the error"
    RETRY_NOW = "retry now"
    RETRY_AFTER = "retry after a delay"
    RETRY_REPLICA = "retry on another replica, after a delay if there is one"
    WAIT_FOR_TEND = "wait for the tend loop, then retry"


class Rule(NamedTuple):
    """What follows an outcome.

    Attributes:
        read: what follows for a read.
        write: what follows for a write.
        counts: a retry counts against ``max_retries``.
        unknown: a write may have been applied.
        overload: back off for :data:`OVERLOAD_FLOOR` at least.
        partly: retry only where another node has answered the same command; else raise.
    """

    read: Action
    write: Action
    counts: bool = False
    unknown: bool = False
    overload: bool = False
    partly: bool = False

    def after(self, *, write: bool, partly: bool) -> Action:
        """What follows for a read or a write.

        Args:
            write: whether it is a write.
            partly: whether another node has answered the same command.
        """
        if self.partly and not partly:
            return Action.RAISE
        return self.write if write else self.read


_RAISE, _NOW, _AFTER = Action.RAISE, Action.RETRY_NOW, Action.RETRY_AFTER
_REPLICA, _TEND = Action.RETRY_REPLICA, Action.WAIT_FOR_TEND
_ANSWERED = Rule(_RAISE, _RAISE)
_OVERLOAD = Rule(_AFTER, _AFTER, counts=True, overload=True)

#: The rule for each outcome of a request that was sent (True) or not (False). Any other result code is raised.
TABLE: Final[dict[tuple[Outcome, bool], Rule]] = {
    # No answer, and nothing was sent:
    (Cause.NO_OWNER, False): Rule(_TEND, _TEND),
    (Cause.POOL_FULL, False): Rule(_NOW, _NOW),
    (Cause.LOGIN_REFUSED, False): _ANSWERED,
    (Cause.TIMEOUT, False): Rule(_REPLICA, _TEND),
    (Cause.CONNECTION, False): Rule(_REPLICA, _TEND),
    (Cause.PROTOCOL, False): Rule(_REPLICA, _TEND),
    # No answer to what was sent:
    (Cause.TIMEOUT, True): Rule(_REPLICA, _AFTER, counts=True, unknown=True),
    (Cause.CONNECTION, True): Rule(_REPLICA, _REPLICA, counts=True, unknown=True),
    (Cause.PROTOCOL, True): Rule(_REPLICA, _REPLICA, counts=True, unknown=True),
    (Cause.BAD_DATA, True): Rule(_RAISE, _RAISE, unknown=True),
    # The server answered, and does not know whether a write was applied:
    (ResultCode.TIMEOUT, True): Rule(_REPLICA, _AFTER, counts=True, unknown=True),
    # The server answered that it did nothing:
    (ResultCode.PARTITION_UNAVAILABLE, True): Rule(_REPLICA, _TEND),
    (ResultCode.EXPIRED_SESSION, True): Rule(_NOW, _NOW),
    (ResultCode.DEVICE_OVERLOAD, True): Rule(_REPLICA, _AFTER, counts=True, overload=True),
    (ResultCode.BATCH_QUEUES_FULL, True): Rule(_REPLICA, _AFTER, counts=True, overload=True),
    (ResultCode.KEY_BUSY, True): _OVERLOAD,
    (ResultCode.SERVER_MEM, True): _OVERLOAD,
    (ResultCode.XDR_KEY_BUSY, True): _OVERLOAD,
    (ResultCode.MRT_BLOCKED, True): _OVERLOAD,
    (ResultCode.INDEX_NOT_FOUND, True): Rule(_REPLICA, _RAISE, counts=True, overload=True, partly=True),
    (ResultCode.INDEX_NOT_READABLE, True): Rule(_REPLICA, _RAISE, counts=True, overload=True, partly=True),
}


def rule_for(outcome: Outcome, *, sent: bool) -> Rule:
    """Return the rule of :data:`TABLE` for an outcome; a result code that is not listed there is raised.

    Raises:
        KeyError: a cause that the table does not have.
    """
    return TABLE[outcome, sent] if isinstance(outcome, Cause) else TABLE.get((outcome, sent), _ANSWERED)


def outcome_of(error: AerospikeError) -> Outcome:
    """Return the outcome of a command that raised an error: the server's result code, or why there was no answer.

    Args:
        error: The error.

    Returns:
        The result code; if no server answered, a cause: one that is retried for a retryable error, else one that is
        raised.
    """
    if error.result_code >= 0:
        return error.result_code
    if not error.retryable:
        return Cause.PROTOCOL if isinstance(error, ProtocolError) else Cause.BAD_DATA
    return Cause.TIMEOUT if isinstance(error, AerospikeTimeoutError) else Cause.CONNECTION


def gravest(outcomes: Iterable[tuple[Outcome, bool]]) -> tuple[Outcome, bool]:
    """Return the outcome that decides for several, each with whether the request was sent.

    One that is raised goes before all others, one that counts before one that does not, and one that needs a delay
    before one that needs none.
    """

    def weight(one: tuple[Outcome, bool]) -> tuple[bool, bool, bool]:
        rule = rule_for(one[0], sent=one[1])
        return rule.read is rule.write is Action.RAISE, rule.counts, rule.overload

    return max(outcomes, key=weight)


class RetryDecision(NamedTuple):
    """The decision after a failed attempt.

    Attributes:
        action: what to do.
        delay: seconds to wait first; 0 for none. With WAIT_FOR_TEND, for a program that has no tend loop.
    """

    action: Action
    delay: float = 0.0


GIVE_UP: Final = RetryDecision(Action.RAISE)


class RetryState:
    """The attempts of one command so far, and what may follow them. Times are seconds on the caller's clock.

    Args:
        max_retries: how often a request that was sent may be sent again.
        sleep_between_retries: seconds, the base of the back-off.
        began: when the command started.
        limit: when its ``total_timeout`` ends; infinity for none.
        patience: seconds without progress after which a command without a limit stops retrying what was not sent.
        repeat_in_doubt: whether a write with an unknown outcome may be sent again.

    Attributes:
        attempts: how often the request was sent.
        in_doubt: whether it is a write that may have been applied.
        retries: how many retries counted against ``max_retries``.
    """

    __slots__ = (
        "_base",
        "_free",
        "_history",
        "_max_retries",
        "_patience",
        "_progress_at",
        "_read_sequence",
        "_renewed",
        "_repeat_in_doubt",
        "_since",
        "_write_sequence",
        "attempts",
        "began",
        "in_doubt",
        "limit",
        "retries",
    )

    def __init__(
        self,
        max_retries: int,
        sleep_between_retries: float,
        *,
        began: float,
        limit: float,
        patience: float,
        repeat_in_doubt: bool = True,
    ) -> None:
        self._max_retries = max_retries
        self._base = sleep_between_retries
        self._patience = patience
        self._repeat_in_doubt = repeat_in_doubt
        self._progress_at = self._since = began
        self._free = 0
        self._renewed = False
        self._read_sequence = self._write_sequence = 0
        self._history: list[Attempt] = []
        self.began: float = began
        self.limit: float = limit
        self.attempts: int = 0
        self.retries: int = 0
        self.in_doubt: bool = False

    def __repr__(self) -> str:
        doubt = ", in doubt" if self.in_doubt else ""
        return f"<RetryState: sent {self.attempts}x, {self.retries} of {self._max_retries} retries{doubt}>"

    # -- attempts so far ---------------------------------------------------------------------------------------------

    def sequence(self, *, write: bool) -> int:
        """How many of the record's replicas have failed."""
        return self._write_sequence if write else self._read_sequence

    @property
    def history(self) -> tuple[Attempt, ...]:
        """The failed attempts: all, or the first and the last ones of many."""
        return tuple(self._history)

    @property
    def patience_end(self) -> float:
        """Until when a request that was not sent is retried."""
        return self.limit if self.limit < math.inf else self._progress_at + self._patience

    def attempt_began(self, now: float) -> None:
        """Note the start of an attempt; without this call it started when the last one ended."""
        self._since = now

    def progress(self, now: float) -> None:
        """Note that part of the answer arrived, which restarts the patience of a command without a limit."""
        self._progress_at = now

    def note(
        self, outcome: Outcome, *, sent: bool, write: bool, now: float, node: str | None, began: float | None = None
    ) -> None:
        """Note a failed attempt without a decision: commands that ask several nodes at once decide once for all.

        Args:
            outcome, sent, write, now, node: As for :meth:`failed`.
            began: when the attempt started, if others were in flight at the same time.
        """
        if write and sent and rule_for(outcome, sent=sent).unknown:
            self.in_doubt = True
        seconds = now - (self._since if began is None else began)
        history = self._history
        if len(history) >= HISTORY_MAX:
            del history[HISTORY_MAX // 2]
        text = outcome.value if isinstance(outcome, Cause) else f"code {int(outcome)}"
        history.append(Attempt(node, text if sent else f"{text}, not sent", seconds))
        self._since = now

    # -- decisions ---------------------------------------------------------------------------------------------------

    def failed(
        self,
        outcome: Outcome,
        *,
        sent: bool,
        write: bool,
        now: float,
        node: str | None = None,
        replicas: int = 1,
        progress: bool = False,
        partly: bool = False,
    ) -> RetryDecision:
        """Note a failed attempt and decide what follows it.

        Args:
            outcome: how it ended.
            sent: whether the request was sent, at least in part.
            write: whether it may change a record.
            now: the current time.
            node: name of the node that was asked.
            replicas: how many copies of the record the cluster keeps.
            progress: part of the answer arrived, so that the retry does not count.
            partly: another node has answered the same command.
        """
        self.note(outcome, sent=sent, write=write, now=now, node=node)
        return self.decide(
            outcome, sent=sent, write=write, now=now, replicas=replicas, progress=progress, partly=partly
        )

    def failed_with(self, error: AerospikeError, *, write: bool, now: float) -> RetryDecision:
        """Note a command that raised an error and decide what follows it; doubt is taken from the error.

        Args:
            error: what the command raised.
            write: whether it may change a record.
            now: the current time.
        """
        self.in_doubt = self.in_doubt or (write and error.in_doubt)
        unsent = isinstance(error, (BackpressureError, NoMoreConnections)) and not error.in_doubt
        outcome = Cause.POOL_FULL if unsent else outcome_of(error)
        return self.failed(outcome, sent=not unsent, write=write, now=now, node=error.node)

    def decide(
        self,
        outcome: Outcome,
        *,
        sent: bool,
        write: bool,
        now: float,
        replicas: int = 1,
        progress: bool = False,
        partly: bool = False,
    ) -> RetryDecision:
        """As :meth:`failed`, for an attempt that was noted with :meth:`note`."""
        rule = rule_for(outcome, sent=sent)
        self.attempts += sent
        action = rule.after(write=write, partly=partly)
        if action is Action.RAISE:
            return GIVE_UP
        if write and not self._repeat_in_doubt and (self.in_doubt or (sent and rule.unknown)):
            return GIVE_UP
        if rule.counts:
            return self._counted(rule, action, now, progress)
        if now >= self.patience_end or (outcome is Cause.POOL_FULL and self.limit == math.inf):
            return GIVE_UP
        if action is Action.RETRY_NOW:
            if outcome == ResultCode.EXPIRED_SESSION and self._renewed:
                return RetryDecision(Action.WAIT_FOR_TEND, TEND_WAIT)  # a new login did not help
            self._renewed = self._renewed or outcome == ResultCode.EXPIRED_SESSION
            return RetryDecision(action)
        return self._free_of_charge(action, replicas)

    def _counted(self, rule: Rule, action: Action, now: float, progress: bool) -> RetryDecision:
        if not progress:
            if self.retries >= self._max_retries:
                return GIVE_UP
            self.retries += 1
        delay = self._delay(rule)
        if now + delay >= self.limit:
            return GIVE_UP
        self._read_sequence += rule.read is Action.RETRY_REPLICA
        self._write_sequence += rule.write is Action.RETRY_REPLICA
        return RetryDecision(action, delay)

    def _delay(self, rule: Rule) -> float:
        floor = OVERLOAD_FLOOR if rule.overload else 0.0
        base = max(self._base, floor)
        longest = min(base * 2.0 ** min(max(self.retries, 1), 60), max(2 * base, MAX_DELAY))
        return floor + longest * _random()

    def _free_of_charge(self, action: Action, replicas: int) -> RetryDecision:
        """Decide on a retry that does not count: replicas at once, then (for writes always) a tend round first."""
        self._free += 1
        self._read_sequence += 1
        # A replica only proxies a write to the master: ask one if waiting for a new partition map did not help.
        self._write_sequence += self._free > PATIENT_WRITES
        if action is Action.RETRY_REPLICA and self._free % replicas:
            return RetryDecision(action)
        return RetryDecision(Action.WAIT_FOR_TEND, TEND_WAIT)

    # -- context -----------------------------------------------------------------------------------------------------

    def annotate(self, error: E, node: str | None) -> E:
        """Add node, attempts, doubt and history to an error.

        Returns:
            The error.
        """
        error.node = node
        error.attempts = self.attempts
        error.in_doubt = self.in_doubt
        error.history = self.history
        return error

    def fork(self) -> RetryState:
        """Return a copy, for a part of the command that is retried by itself."""
        twin = copy.copy(self)
        twin._history = self._history.copy()
        return twin

    def shift(self, seconds: float) -> None:
        """Convert all times to a clock that is ahead by ``seconds``."""
        self.began += seconds
        self.limit += seconds
        self._progress_at += seconds
        self._since += seconds
