"""Records and results: what commands return."""

from __future__ import annotations

import time
from collections.abc import Callable, ItemsView, Iterator, KeysView, Sequence, ValuesView
from typing import TYPE_CHECKING, Any, Final

import attrs

from trio_aerospike._lazy import LazyModule
from trio_aerospike._wire.constants import CITRUSLEAF_EPOCH
from trio_aerospike._wire.object_maker import Maker
from trio_aerospike.errors import AerospikeError, ProtocolError, error_from_code
from trio_aerospike.keys import Key, KeyLike, UserKey, as_key
from trio_aerospike.validation import checked_bins as checked_bins

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    np = LazyModule("numpy")
    npt = LazyModule("numpy.typing")

__all__ = [
    "BatchResult",
    "BatchResults",
    "InfoResult",
    "Metadata",
    "NodeInfo",
    "OrderedResult",
    "Record",
    "RecordArrays",
    "seconds_left",
]

#: Makes arrays of the results of a batch; :mod:`trio_aerospike.arrays`, which builds on this module, registers it.
_make_arrays: Callable[[Sequence[BatchResult], np.dtype[Any]], RecordArrays] | None = None


def register_array_maker(make_arrays: Callable[[Sequence[BatchResult], np.dtype[Any]], RecordArrays]) -> None:
    """Have ``BatchResults.to_numpy`` make its arrays with a function.

    Args:
        make_arrays: makes the arrays of some results, with a dtype.
    """
    global _make_arrays
    _make_arrays = make_arrays


UDF_SUCCESS: Final = "SUCCESS"
"""The bin in which the server answers what a user-defined function returned (server: udf.c)."""


def seconds_left(void_time: int) -> int | None:
    """The time to live that a void time stands for, by this machine's clock.

    Args:
        void_time: When the record expires, in seconds since 2010-01-01 UTC, as the server sends it; 0 for never.

    Returns:
        Seconds, at least 1: that the server still answers for a record means that it has not expired there, whatever
        the two clocks say (so does the C client). None for a record that never expires.
    """
    if void_time == 0:
        return None
    return max(1, void_time + CITRUSLEAF_EPOCH - int(time.time()))


class _Expiring:
    __slots__ = ()

    void_time: int

    @property
    def ttl(self) -> int | None:
        """Seconds until the record expires, counted from now; None where it never does."""
        return seconds_left(self.void_time)


# Results are made by the thousand: plain slots, since a frozen class sets each of its fields the slow way.
@attrs.define(repr=False)
class Record(_Expiring):
    """A record as it was when it was read; its bins are at hand as those of a dict.

    ``record["name"]``, ``record.get("name")``, ``"name" in record``, ``for name in record``, ``record.items()``.
    """

    key: Key
    bins: dict[str, Any]
    """Values by name."""
    generation: int
    """How often the record was written, modulo 65,535; for GenerationCheck.EQUAL."""
    void_time: int
    """When it expires, in seconds since 2010-01-01 UTC; 0 for never. ``ttl`` says it relative to now."""

    @property
    def address(self) -> tuple[str, str, UserKey | None, bytes]:
        """Namespace, set, user key and digest: what ``key`` says. A record of a query has it before it has its key."""
        key = self.key
        return (key.namespace, key.set_name, key.user_key, key.digest)

    def __getitem__(self, name: str) -> Any:
        return self.bins[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a bin, or ``default`` where the record has no such bin."""
        return self.bins.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self.bins

    def __iter__(self) -> Iterator[str]:
        return iter(self.bins)

    def __len__(self) -> int:
        return len(self.bins)

    def __bool__(self) -> bool:
        # A record without bins is a record all the same.
        return True

    def keys(self) -> KeysView[str]:
        """The names of the bins."""
        return self.bins.keys()

    def values(self) -> ValuesView[Any]:
        """The values of the bins."""
        return self.bins.values()

    def items(self) -> ItemsView[str, Any]:
        """The bins, as pairs of name and value."""
        return self.bins.items()

    def __repr__(self) -> str:
        return f"Record({self.key!r}, {self.bins!r}, generation={self.generation}, ttl={self.ttl})"


@attrs.define(repr=False)
class Metadata(_Expiring):
    """A record without its bins: what ``exists`` returns."""

    key: Key
    generation: int
    void_time: int

    def __repr__(self) -> str:
        return f"Metadata({self.key!r}, generation={self.generation}, ttl={self.ttl})"


@attrs.define(repr=False)
class OrderedResult(_Expiring):
    """What ``operate_ordered`` returns: one pair of bin name and value per result, in the order of the operations."""

    key: Key
    generation: int
    void_time: int
    ordered: list[tuple[str, Any]]

    def __repr__(self) -> str:
        return f"OrderedResult({self.key!r}, {self.ordered!r}, generation={self.generation}, ttl={self.ttl})"


@attrs.define(repr=False)
class BatchResult:
    """The result of a batch for one key: a record, or the error."""

    key: Key
    result_code: int
    """0 where there is a record; else the server's code, or the client's own below zero."""
    record: Record | None = None
    _error: AerospikeError | None = attrs.field(default=None, eq=False)
    in_doubt: bool = False
    """True where a write may or may not have been applied."""
    _ordered: Sequence[tuple[str, Any]] | None = attrs.field(default=None, eq=False)

    @classmethod
    def undecodable(cls, what: str, key: Key, error: ProtocolError) -> BatchResult:
        """Return the result for a record with a value that cannot be decoded, which its error names.

        Args:
            what: The call, for the message.
            key: The record.
            error: What the decoder said.
        """
        named = ProtocolError(f"{what} {key!r}: {error.message}", attempts=1)
        return cls(key, named.result_code, None, named)

    @property
    def error(self) -> AerospikeError | None:
        """What a command on this key alone would have raised; None where it was served."""
        # Most errors of a large batch (records that are not there) are never looked at: made when they are.
        if self._error is None and self.result_code:
            text = error_from_code(self.result_code).message
            self._error = error_from_code(self.result_code, f"{self.key!r}: {text}", attempts=1, in_doubt=self.in_doubt)
        return self._error

    @property
    def ok(self) -> bool:
        """Whether the key was served."""
        return self.result_code == 0 and self._error is None

    @property
    def ordered(self) -> list[tuple[str, Any]]:
        """The results of operations in their order, one pair of bin name and value each; of a read its bins."""
        if self._ordered is not None:
            return list(self._ordered)
        return [] if self.record is None else list(self.record.items())

    @property
    def value(self) -> Any:
        """What a user-defined function returned (``batch_apply``); None where it returned nothing or did not run."""
        return None if self.record is None else self.record.get(UDF_SUCCESS)

    def unwrap(self) -> Record:
        """The record.

        Raises:
            AerospikeError: There is no record; ``error`` says why.
        """
        if self.record is None or self.result_code:
            raise self.error or AerospikeError("the server sent no record", result_code=self.result_code)
        return self.record

    def __repr__(self) -> str:
        doubt = ", in doubt" if self.in_doubt else ""
        return f"BatchResult({self.key!r}, {self.result_code}, {self.record or self.error!r}{doubt})"


def _batch_result(key: Key, code: int, record: Record | None, ordered: Sequence[tuple[str, Any]] | None) -> BatchResult:
    return BatchResult(key, code, record, None, False, ordered)


#: Makes the records of commands and batches.
RECORD_MAKER: Final = Maker(Record, ("key", "bins", "generation", "void_time"), {}, Record)
#: Makes the results of rows that were served, or of which the record does not exist.
RESULT_MAKER: Final = Maker(
    BatchResult, ("key", "result_code", "record", "_ordered"), {"_error": None, "in_doubt": False}, _batch_result
)


class BatchResults(list[BatchResult]):
    """The results of a batch: a list in the order of its keys, and by key as well."""

    __slots__ = ("_places",)

    _places: dict[Key, list[int]]

    def of(self, key: KeyLike) -> BatchResult:
        """The result for a key; the first, where the key stood in the batch more than once.

        Raises:
            KeyError: The batch had no such key.
        """
        return self[self._found(key)[0]]

    def all_of(self, key: KeyLike) -> list[BatchResult]:
        """All results for a key, as often as it stood in the batch.

        Raises:
            KeyError: The batch had no such key.
        """
        return [self[place] for place in self._found(key)]

    def _found(self, key: KeyLike) -> list[int]:
        try:
            places = self._places
        except AttributeError:
            places = self._places = {}
            for place, result in enumerate(self):
                places.setdefault(result.key, []).append(place)
        return places[as_key(key)]

    def to_numpy(self, dtype: np.dtype[Any]) -> RecordArrays:
        """The records as arrays: a row for each key, a field of ``dtype`` for each bin that is wanted.

        ``client.batch_read_numpy`` gets there sooner, as it makes no records on the way.

        Raises:
            ImportError: NumPy is not installed.
            TypeError, OverflowError, ValueError: As :meth:`trio_aerospike.arrays.LazyBatch.to_numpy`.
        """
        assert _make_arrays is not None
        return _make_arrays(self, dtype)

    @property
    def ok(self) -> bool:
        """Whether every key was served."""
        return all(result.ok for result in self)

    @property
    def failed(self) -> list[BatchResult]:
        """Those that were not served, in order."""
        return [result for result in self if not result.ok]

    @property
    def in_doubt(self) -> list[BatchResult]:
        """Those of writes that may or may not have been applied, in order."""
        return [result for result in self if result.in_doubt]


class RecordArrays:
    """Records as arrays: a row for each key of a batch, in the order of the keys.

    ``arrays["age"]`` is a column, ``arrays.row(key)`` a record. What was not read is zero: a row of which
    ``result_codes`` is not 0, and in other rows a bin that the record does not have.

    Attributes:
        keys: of the rows.
        data: the bins, with the dtype asked for.
        result_codes: 0 where there is a record, else the server's code (2: not found), or the client's below zero.
        generations: how often each record was written, modulo 65,535.
        void_times: when each expires, in seconds since 2010-01-01 UTC; 0 for never. ``ttls`` says it relative to now.
    """

    __slots__ = ("_places", "data", "generations", "keys", "result_codes", "void_times")

    keys: Sequence[Key]
    data: npt.NDArray[Any]
    result_codes: npt.NDArray[np.int32]
    generations: npt.NDArray[np.uint32]
    void_times: npt.NDArray[np.uint32]

    def __init__(
        self,
        keys: Sequence[Key],
        data: npt.NDArray[Any],
        result_codes: npt.NDArray[np.int32],
        generations: npt.NDArray[np.uint32],
        void_times: npt.NDArray[np.uint32],
    ) -> None:
        self.keys = keys
        self.data = data
        self.result_codes = result_codes
        self.generations = generations
        self.void_times = void_times
        self._places: dict[Key, int] | None = None

    def __repr__(self) -> str:
        fields = ", ".join(self.data.dtype.names or ())
        return f"<RecordArrays: {len(self)} rows, {int(self.found.sum())} found; {fields}>"

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[np.void]:
        return iter(self.data)

    def __getitem__(self, field: str) -> npt.NDArray[Any]:
        column: npt.NDArray[Any] = self.data[field]
        return column

    def row(self, key: KeyLike) -> np.void:
        """The bins of a record; of the first, where its key stood in the batch more than once.

        Raises:
            KeyError: The batch had no such key.
        """
        if self._places is None:
            count = len(self.keys)
            self._places = dict(zip(reversed(self.keys), range(count - 1, -1, -1), strict=True))
        row: np.void = self.data[self._places[as_key(key)]]
        return row

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """For each row whether there is a record."""
        found: npt.NDArray[np.bool_] = self.result_codes == 0
        return found

    @property
    def ttls(self) -> npt.NDArray[np.int64]:
        """Seconds until each record expires, counted from now, at least 1; -1 where it never does or is not there."""
        void_times = self.void_times.astype(np.int64)
        left = np.maximum(void_times + (CITRUSLEAF_EPOCH - int(time.time())), 1)
        return np.where(void_times == 0, -1, left)


@attrs.frozen
class InfoResult:
    """One node's answer to an info command."""

    node_name: str
    error_code: int
    """0, or the code of the error that the node reported or that asking it ended in."""
    response: str
    error: AerospikeError | None = attrs.field(default=None, eq=False, repr=False)
    """Why the node could not be asked, or gave no answer to the question; None where it answered."""


@attrs.frozen
class NodeInfo:
    """A node of the cluster as the client knows it."""

    name: str
    """What the node calls itself, e.g. ``"BB9020011AC4202"``."""
    host: str
    """Name or address under which the client reaches it."""
    port: int
    tls_name: str | None = None
    build: str = ""
    """The server's version, e.g. ``"8.1.2.0"``; empty where it is not known."""
    active: bool = True
    """Whether it answered when it was last asked."""
    connections: int = 0
    """Open connections of this client to it."""

    @property
    def address(self) -> str:
        """``host:port``, with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
