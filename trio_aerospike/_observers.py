"""Notify instruments of operations. Nothing of this is called for a client that has none."""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import ContextVar
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import trio

from .errors import AerospikeError, RecordNotFound
from .instruments import Instrument, Observation
from .keys import Key
from .policies import ReadPolicy, Replica, WritePolicy

Method = TypeVar("Method", bound=Callable[..., Coroutine[Any, Any, Any]])
Results = TypeVar("Results")
Batch = TypeVar("Batch", bound="BatchOperation")

#: Runs a command on one record: its name, the key, the request, the policy, and whether it writes.
RunCommand: TypeAlias = Callable[[str, Key, bytes, ReadPolicy | WritePolicy, bool], Coroutine[Any, Any, bytes]]

logger = logging.getLogger("trio_aerospike")

#: Whether an instrumented method has called another one, which is a part of it.
_inside: ContextVar[bool] = ContextVar("trio_aerospike_inside", default=False)


class NodeAddress(Protocol):
    """What an observation says of a node."""

    @property
    def name(self) -> str: ...

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...


class NodeDirectory(Protocol):
    """Finds the nodes that observations name: a cluster."""

    def owner(self, namespace: str, partition: int, sequence: int, replica: Replica) -> NodeAddress | None: ...

    def node_named(self, name: str) -> NodeAddress | None: ...


class BatchOperation(Protocol):
    """What an observation says of a batch."""

    @property
    def what(self) -> str: ...

    @property
    def keys(self) -> Sequence[Key]: ...


class Span:
    """An operation under way, and what its instruments returned for it."""

    __slots__ = ("observation", "tokens")

    def __init__(self, observation: Observation, tokens: list[object]) -> None:
        self.observation: Observation = observation
        self.tokens: list[object] = tokens


def _overrides(instrument: Instrument, method: str) -> bool:
    return getattr(type(instrument), method) is not getattr(Instrument, method)


class Observers:
    """The instruments of one client, as they are now: a client that gets or loses one has new observers.

    Args:
        nodes: the cluster.
        instruments: which are notified.
        drop: takes an instrument that raised off the client.

    Attributes:
        instruments: which are notified.
        staged: whether one of them is notified of stages.
    """

    def __init__(
        self, nodes: NodeDirectory, instruments: tuple[Instrument, ...], drop: Callable[[Instrument], None]
    ) -> None:
        self._nodes = nodes
        self._drop = drop
        self.instruments: tuple[Instrument, ...] = instruments
        self._starters = [
            instrument if _overrides(instrument, "operation_started") else None for instrument in instruments
        ]
        self._takers = [instrument for instrument in instruments if _overrides(instrument, "operation_took")]
        self._finishers = [_overrides(instrument, "operation_finished") for instrument in instruments]
        #: Whether the short form, ``operation_took``, is all that any of them overrides.
        self._short = not any(self._starters) and not any(self._finishers)
        self._stagers = [instrument for instrument in instruments if _overrides(instrument, "stage_finished")]
        self.staged: bool = bool(self._stagers)

    def started(self, operation: str, namespace: str, set_name: str, size: int = 1) -> Span:
        """Begin the span of an operation; called in the context of the program that called the client."""
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
        return Span(observation, tokens)

    def finished(self, span: Span, error: BaseException | None = None) -> None:
        """End a span.

        Args:
            span: which.
            error: what the operation raised; None where it succeeded.
        """
        observation = span.observation
        observation.duration = time.perf_counter() - observation.started
        if error is not None:
            # For ``exists``, a missing record is an answer.
            if not (observation.operation == "exists" and isinstance(error, RecordNotFound)):
                observation.error = error
            if isinstance(error, AerospikeError):
                observation.result_code = int(error.result_code)
                observation.attempts = error.attempts
                if error.node is not None and error.node != observation.node:
                    observation.node, observation.address = error.node, None
                    node = self._nodes.node_named(error.node)
                    if node is not None:
                        _put_node(observation, node)
            else:
                observation.result_code = None
        for instrument, finishes, token in zip(self.instruments, self._finishers, span.tokens, strict=True):
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
        """End a stage that began at ``since`` (``time.perf_counter``); returns the time now."""
        now = time.perf_counter()
        self.stage_took(operation, stage, now - since)
        return now

    def stage_took(self, operation: str, stage: str, seconds: float) -> None:
        """Report a stage that took so long."""
        for instrument in self._stagers:
            try:
                instrument.stage_finished(operation, stage, seconds)
            except Exception:
                self._failed(instrument)

    def runner(self, run: RunCommand, notes: dict[Key, tuple[Any, int]]) -> RunCommand:
        """Return what runs commands on one record and notifies instruments.

        Args:
            run: what runs them; see ``Executor.run``.
            notes: where ``run`` leaves which node answered (a :class:`NodeAddress` or None) after how many attempts, if
                not the first, by key.
        """
        if self._short:
            return self._short_runner(run, notes)

        async def run_and_notify(
            what: str, key: Key, frame: bytes, policy: ReadPolicy | WritePolicy, write: bool
        ) -> bytes:
            span = self.started(what, key.namespace, key.set_name)
            digest = key.digest
            node = self._nodes.owner(key.namespace, (digest[0] | digest[1] << 8) & 4095, 0, Replica.MASTER)
            if node is not None:
                _put_node(span.observation, node)
            try:
                body = await run(what, key, frame, policy, write)
            except BaseException as error:
                self.finished(span, error)
                raise
            if notes:
                noted = notes.pop(key, None)
                if noted is not None:
                    node, span.observation.attempts = noted
                    if node is not None:
                        _put_node(span.observation, node)
            self.finished(span)
            return body

        return run_and_notify

    def _short_runner(self, run: RunCommand, notes: dict[Key, tuple[Any, int]]) -> RunCommand:
        clock = time.perf_counter
        took = self._took if len(self._takers) != 1 else self._takers[0].operation_took

        # The least that can be done: programs for aerospike_py have an instrument of this kind by default.
        async def run_and_notify(
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

        return run_and_notify

    async def around_batch(
        self,
        run: Callable[[Batch], Awaitable[tuple[Results, AerospikeError | None]]],
        batch: Batch,
    ) -> tuple[Results, AerospikeError | None]:
        """Run a batch, as ``Executor.run_batch``."""
        first = batch.keys[0]
        span = self.started(batch.what, first.namespace, first.set_name, len(batch.keys))
        try:
            results, fault = await run(batch)
        except BaseException as error:
            self.finished(span, error)
            raise
        self.finished(span, fault)
        return results, fault

    def stream_started(self, operation: str, namespace: str, set_name: str) -> Callable[[BaseException | None], None]:
        """Begin the span of a stream, as its block is entered.

        Returns:
            Ends the span; call it as the block is left, with what the block raised.
        """
        span = self.started(operation, namespace, set_name)

        def finish(error: BaseException | None) -> None:
            # An error of the program's own is no failure of the stream.
            self.finished(span, error if isinstance(error, (AerospikeError, trio.Cancelled)) else None)

        return finish

    def _failed(self, instrument: Instrument) -> None:
        logger.exception("the instrument %r raised an error and is no longer notified", instrument)
        self._drop(instrument)


def _put_node(observation: Observation, node: NodeAddress) -> None:
    observation.node = node.name
    observation.address = (node.host, node.port)


@functools.cache
def _signature(method: Callable[..., object]) -> inspect.Signature:
    return inspect.signature(method)


def instrumented(method: Method) -> Method:
    """Decorate a method of a family of commands that is an operation: instruments are notified of it, if there are any.

    For methods that are neither commands on one record nor batches, which the executor reports.
    """
    name = method.__name__

    @functools.wraps(method)
    async def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        observers: Observers | None = self._cluster.observers
        if observers is None or _inside.get():
            return await method(self, *args, **kwargs)
        try:
            given = _signature(method).bind(self, *args, **kwargs).arguments
        except TypeError:
            return await method(self, *args, **kwargs)  # raises a TypeError that says what is wrong
        span = observers.started(name, str(given.get("namespace") or ""), str(given.get("set_name") or ""))
        inside = _inside.set(True)
        try:
            result = await method(self, *args, **kwargs)
        except BaseException as error:
            observers.finished(span, error)
            raise
        finally:
            _inside.reset(inside)
        observers.finished(span)
        return result

    return cast(Method, call)
