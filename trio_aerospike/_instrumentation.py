"""How instruments are told. Nothing of this is called for a client that has none."""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import trio

from .errors import AerospikeError, RecordNotFound
from .instruments import Instrument, Observation

if TYPE_CHECKING:
    from ._cluster.execution.batch import Batch
    from ._cluster.execution.single import RunCommand
    from ._cluster.tend.cluster import Cluster
    from ._cluster.tend.node import Node
    from .keys import Key
    from .policies import ReadPolicy, WritePolicy
    from .records import BatchResult

logger = logging.getLogger("trio_aerospike")

#: Whether a method that is told of has called another one, which is a part of it.
_inside: ContextVar[bool] = ContextVar("trio_aerospike_inside", default=False)


class Seen:
    """An operation under way, and what its instruments gave for it."""

    __slots__ = ("observation", "tokens")

    observation: Observation
    tokens: list[object]

    def __init__(self, observation: Observation, tokens: list[object]) -> None:
        self.observation = observation
        self.tokens = tokens


def _overrides(instrument: Instrument, method: str) -> bool:
    return getattr(type(instrument), method) is not getattr(Instrument, method)


class Observers:
    """The instruments of one client, as they are now: a client that gets or loses one has new observers.

    Attributes:
        instruments: which.
        staged: whether one of them wants to hear of stages.
    """

    def __init__(
        self, cluster: Cluster, instruments: tuple[Instrument, ...], drop: Callable[[Instrument], None]
    ) -> None:
        self._cluster = cluster
        self._drop = drop
        self.instruments = instruments
        self._starters = [
            instrument if _overrides(instrument, "operation_started") else None for instrument in instruments
        ]
        self._takers = [instrument for instrument in instruments if _overrides(instrument, "operation_took")]
        self._finishers = [_overrides(instrument, "operation_finished") for instrument in instruments]
        #: Whether nobody wants more than the short form.
        self._short = not any(self._starters) and not any(self._finishers)
        self._stagers = [instrument for instrument in instruments if _overrides(instrument, "stage_finished")]
        self.staged: bool = bool(self._stagers)

    def started(self, operation: str, namespace: str, set_name: str, size: int = 1) -> Seen:
        """An operation begins; to be called where the program's context is."""
        observation = Observation(operation, namespace, set_name, size, time.perf_counter())
        tokens: list[object] = []
        for instrument in self._starters:
            token: object = None
            if instrument is not None:
                try:
                    token = instrument.operation_started(observation)
                except Exception:
                    self._failed(instrument)
            tokens.append(token)
        return Seen(observation, tokens)

    def finished(self, seen: Seen, error: BaseException | None = None) -> None:
        """It is over."""
        observation = seen.observation
        observation.duration = time.perf_counter() - observation.started
        if error is not None:
            # That there is no record is what ``exists`` is asked for.
            if not (observation.operation == "exists" and isinstance(error, RecordNotFound)):
                observation.error = error
            if isinstance(error, AerospikeError):
                observation.result_code = int(error.result_code)
                observation.attempts = error.attempts
                if error.node is not None:
                    self._came_from(observation, error.node)
            else:
                observation.result_code = None
        for instrument, finishes, token in zip(self.instruments, self._finishers, seen.tokens, strict=True):
            if finishes:
                try:
                    instrument.operation_finished(observation, token)
                except Exception:
                    self._failed(instrument)
        if self._takers:
            self._took(
                observation.operation,
                observation.namespace,
                observation.set_name,
                observation.duration,
                observation.error,
            )

    def _took(self, operation: str, namespace: str, set_name: str, seconds: float, error: BaseException | None) -> None:
        for instrument in self._takers:
            try:
                instrument.operation_took(operation, namespace, set_name, seconds, error)
            except Exception:
                self._failed(instrument)

    def stage(self, operation: str, stage: str, since: float) -> float:
        """A stage that began at ``since`` (``time.perf_counter``) is over; returns the time now."""
        now = time.perf_counter()
        self.stage_took(operation, stage, now - since)
        return now

    def stage_took(self, operation: str, stage: str, seconds: float) -> None:
        """A stage is over that took so long."""
        for instrument in self._stagers:
            try:
                instrument.stage_finished(operation, stage, seconds)
            except Exception:
                self._failed(instrument)

    def runner(self, run: RunCommand, notes: dict[Key, tuple[Node | None, int]]) -> RunCommand:
        """What runs commands on one record and tells of them.

        Args:
            run: what runs them; see ``Executor.run``.
            notes: where ``run`` leaves which node answered after how many attempts, if not the first, by key.
        """
        if self._short:
            return self._short_runner(run, notes)

        async def run_and_tell(
            what: str, key: Key, frame: bytes, policy: ReadPolicy | WritePolicy, write: bool
        ) -> bytes:
            seen = self.started(what, key.namespace, key.set_name)
            digest = key.digest
            table = self._cluster.partitions.tables.get(key.namespace)
            node = None if table is None else table.masters[(digest[0] | digest[1] << 8) & 4095]
            if node is not None:
                seen.observation.node = node.name
                seen.observation.address = (node.host, node.port)
            try:
                body = await run(what, key, frame, policy, write)
            except BaseException as error:
                self.finished(seen, error)
                raise
            if notes:
                noted = notes.pop(key, None)
                if noted is not None:
                    node, seen.observation.attempts = noted
                    if node is not None:
                        seen.observation.node = node.name
                        seen.observation.address = (node.host, node.port)
            self.finished(seen)
            return body

        return run_and_tell

    def _short_runner(self, run: RunCommand, notes: dict[Key, tuple[Node | None, int]]) -> RunCommand:
        clock = time.perf_counter
        took = self._took if len(self._takers) != 1 else self._takers[0].operation_took

        # Nothing is looked up here that need not be: by default programs for aerospike_py are told of each command.
        async def run_and_tell(
            what: str, key: Key, frame: bytes, policy: ReadPolicy | WritePolicy, write: bool
        ) -> bytes:
            began = clock()
            try:
                body = await run(what, key, frame, policy, write)
            except BaseException as error:
                missing = what == "exists" and isinstance(error, RecordNotFound)
                self._took(what, key.namespace, key.set_name, clock() - began, None if missing else error)
                raise
            try:
                took(what, key.namespace, key.set_name, clock() - began, None)
            except Exception:
                self._failed(self._takers[0])
            if notes:
                notes.pop(key, None)
            return body

        return run_and_tell

    async def around_batch(
        self,
        run: Callable[[Batch], Awaitable[tuple[list[BatchResult], AerospikeError | None]]],
        batch: Batch,
    ) -> tuple[list[BatchResult], AerospikeError | None]:
        """Run a batch, as ``Executor.run_batch``."""
        first = batch.keys[0]
        seen = self.started(batch.what, first.namespace, first.set_name, len(batch.keys))
        try:
            results, fault = await run(batch)
        except BaseException as error:
            self.finished(seen, error)
            raise
        self.finished(seen, fault)
        return results, fault

    def stream_started(self, operation: str, namespace: str, set_name: str) -> Callable[[BaseException | None], None]:
        """The block of a stream is entered; returns what is to be called when it is left, with what it raised."""
        seen = self.started(operation, namespace, set_name)

        def left(error: BaseException | None) -> None:
            # What the program raises by itself is no failure of the stream.
            known = error if isinstance(error, (AerospikeError, trio.Cancelled)) else None
            self.finished(seen, known)

        return left

    def _came_from(self, observation: Observation, name: str) -> None:
        if name != observation.node:
            observation.node = name
            node = self._cluster.node_named(name)
            observation.address = None if node is None else (node.host, node.port)

    def _failed(self, instrument: Instrument) -> None:
        logger.exception("the instrument %r raised an error and is no longer notified", instrument)
        self._drop(instrument)


def observed(observers: Callable[[], Observers | None], method: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """A client's method, told of as an operation: for those that are neither commands on records nor batches."""
    signature = inspect.signature(method)
    name = method.__name__

    @functools.wraps(method)
    async def call(*args: Any, **kwargs: Any) -> Any:
        now = observers()
        if now is None or _inside.get():
            return await method(*args, **kwargs)
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:
            return await method(*args, **kwargs)  # which says what is wrong
        namespace, set_name = given.get("namespace"), given.get("set_name")
        seen = now.started(name, str(namespace or ""), str(set_name or ""))
        inside = _inside.set(True)
        try:
            result = await method(*args, **kwargs)
        except BaseException as error:
            now.finished(seen, error)
            raise
        finally:
            _inside.reset(inside)
        now.finished(seen)
        return result

    return call
