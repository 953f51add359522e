"""Values while an expression is worked out, and what an expression can see of the record that it is asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, TypeAlias

import attrs

from ..._wire import constants as wire
from ..clock import ServerClock
from ..record import StoredRecord
from ..values import Particle


class Special(Enum):
    """Answers that are no values."""

    UNKNOWN = "unknown"
    """It cannot be told: a bin is missing or of another type, a division by zero, a call that failed."""
    REMOVED = "removed"
    """What a path expression modifies is to be removed."""


NO_CELLS: Final = b"\0\0\0"
UNKNOWN: Final = Special.UNKNOWN
REMOVED: Final = Special.REMOVED


@attrs.frozen
class Extension:
    """A literal MessagePack extension (a wildcard, infinity): compared and passed on, nothing else."""

    packed: bytes


Value: TypeAlias = bool | int | float | Particle | Extension | Special | None
"""None, a bool, an integer and a float stand for themselves; all else is a particle, in the form in which it is stored:
strings, blobs, sketches, lists and maps as MessagePack, GeoJSON with flags and cells."""


@attrs.frozen(eq=False)
class Metadata:
    """What the index tells of a record; times as in StoredRecord."""

    digest: bytes
    set_name: str
    last_update: int
    void_time: int
    key_is_stored: bool
    stored_size: int
    """Bytes that the record takes in storage; those of the version before, in operations of a write."""


@attrs.frozen(eq=False)
class Scope:
    """What an expression can see.

    The server works filters out in two phases: first by metadata alone (bins and key are unknown), then, if that did
    not decide, with the record. Expressions within contexts of lists and maps see elements only.

    Args:
        clock: for what depends on the time.
        metadata: None leaves it unknown.
        bins: None leaves them unknown.
        key: the stored key, particle type byte first; None for none.
        builtins: key, value and index of the element that the expression is asked about, as MessagePack; None leaves
            one unknown.
    """

    clock: ServerClock | None = None
    metadata: Metadata | None = None
    bins: Mapping[str, Particle] | None = None
    key: bytes | None = None
    builtins: tuple[bytes | None, bytes | None, bytes | None] = (None, None, None)

    @classmethod
    def of_record(cls, record: StoredRecord, digest: bytes, clock: ServerClock, *, with_bins: bool = True) -> Scope:
        """What there is to see of a stored record; only its metadata with `with_bins` false."""
        metadata = Metadata(
            digest, record.set_name, record.last_update, record.void_time, record.key is not None, record.size()
        )
        if not with_bins:
            return cls(clock, metadata)
        return cls(clock, metadata, record.bins, record.key)

    @classmethod
    def of_element(cls, key: bytes | None, value: bytes | None, index: bytes | None) -> Scope:
        """What the server lets an expression within a context see: the element and nothing of the record."""
        return cls(builtins=(key, value, index))


Evaluation: TypeAlias = "Callable[[Frame], Value]"
"""A compiled expression: what it is worth in a scope."""


class Frame:
    """One evaluation: the scope, and the variables that are defined by now."""

    __slots__ = ("scope", "variables")

    scope: Scope

    def __init__(self, scope: Scope, n_variables: int) -> None:
        self.scope = scope
        self.variables: list[Value] = [UNKNOWN] * n_variables


def without_cells(text: bytes) -> Particle:
    """A GeoJSON value that no bin has: cells are only found for what is stored."""
    return wire.PARTICLE_GEOJSON, NO_CELLS + text


def text_value(data: bytes) -> Particle:
    """A string."""
    return wire.PARTICLE_STRING, data
