"""Instruments: objects that a client notifies of every operation.

``open_client(..., instruments=[MyInstrument()])`` or ``client.add_instrument``. Without instruments a
client does nothing of this. :mod:`trio_aerospike.metrics` and :mod:`trio_aerospike.tracing` have instruments for
Prometheus and OpenTelemetry.
"""

from __future__ import annotations

import attrs

from trio_aerospike.errors import AerospikeError

__all__ = ["Instrument", "Observation"]


@attrs.define(eq=False)
class Observation:
    """One operation: what is known when it starts, and the rest when it is over."""

    operation: str
    """The client's method: ``"get"``, ``"batch_read"``, ``"query"``, ``"truncate"``..."""
    namespace: str
    """The namespace; of a batch, that of the first record; empty where the operation has none."""
    set_name: str
    size: int = 1
    """How many records it is about: rows of a batch; 1 for a query, where the number is not known."""
    started: float = 0.0
    """When it began, on the clock of ``time.perf_counter``."""
    duration: float = 0.0
    """Seconds that it took. That of a stream ends with its block."""
    node: str | None = None
    """The name of the node that answered, or that failed last; None where there were several, or none."""
    address: tuple[str, int] | None = None
    """Where that node is: host and port."""
    attempts: int = 1
    """How many requests were sent for it."""
    result_code: int | None = 0
    """0, or the code of the error; None where the operation was cancelled, or failed with an error of the program's."""
    error: BaseException | None = None
    """What it raised: an error of the tree; Cancelled; or what the body of a stream raised."""

    @property
    def error_type(self) -> str:
        """The class of what it raised, as a name; empty where it raised nothing."""
        return "" if self.error is None else type(self.error).__name__

    @property
    def in_doubt(self) -> bool:
        """Whether a write may have been applied all the same."""
        return isinstance(self.error, AerospikeError) and self.error.in_doubt


class Instrument:
    """Base class of instruments: override the methods that you need.

    The methods are called by the task, or the thread, that called the client, and must neither wait nor take long. An
    instrument that raises is removed from its client, and the error is logged. A client that several threads use, as
    with ``aerospike_py``, calls its instruments from each of them.
    """

    def operation_started(self, observation: Observation) -> object:
        """An operation begins; called in the context of its caller.

        Returns:
            Anything; :meth:`operation_finished` gets it back.
        """
        return None

    def operation_finished(self, observation: Observation, token: object) -> None:
        """An operation is over, however it ended.

        Args:
            observation: the same object as at the start, complete now.
            token: what :meth:`operation_started` returned; None where it had not been called yet.
        """

    def operation_took(
        self, operation: str, namespace: str, set_name: str, seconds: float, error: BaseException | None
    ) -> None:
        """An operation is over: the short form, which needs no :class:`Observation`.

        Where no instrument overrides the two methods above, no observation is made, which is half of what instruments
        cost a command on one record.

        Args:
            operation, namespace, set_name: as in an observation.
            seconds: that it took.
            error: what it raised.
        """

    def stage_finished(self, operation: str, stage: str, seconds: float) -> None:
        """A part of an operation is over: ``"key_parse"``, ``"limiter_wait"``, ``"io"``, ``"decode"``...

        Stages are measured only where an instrument overrides this method.
        """
