"""Values of expressions, and the scope in which they are evaluated: a record, or an element of a list or map."""

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
    """Results that are not values."""

    UNKNOWN = "unknown"
    """Undetermined: a bin is missing or of another type, a division by zero, a failed call."""
    REMOVED = "removed"
    """The element that a path expression modifies is to be removed."""


NO_CELLS: Final = b"\0\0\0"
UNKNOWN: Final = Special.UNKNOWN
REMOVED: Final = Special.REMOVED


@attrs.frozen
class Extension:
    """A literal MessagePack extension (wildcard, infinity), which can only be compared and passed on."""

    packed: bytes


Value: TypeAlias = bool | int | float | Particle | Extension | Special | None
"""None, bool, int and float are themselves; all else is a particle in stored form: strings, blobs, sketches, lists and
maps as MessagePack, GeoJSON with flags and cells."""


@attrs.frozen(eq=False)
class Metadata:
    """The metadata of a record; times as in StoredRecord."""

    digest: bytes
    set_name: str
    last_update: int
    void_time: int
    key_is_stored: bool
    stored_size: int
    """The record's size in storage; in operations of a write, that of the previous version."""


@attrs.frozen(eq=False)
class Scope:
    """The data that an expression can read.

    The server evaluates filters in two phases: by metadata alone (bins and key are unknown), then, if that did not
    decide, with the record. Path expressions read elements only.

    Args:
        clock: for instructions that depend on the time.
        metadata: None if unknown.
        bins: None if unknown.
        key: the stored key, particle type byte first; None if there is none.
        builtins: key, value and index of the current element, as MessagePack; each None if unknown.
    """

    clock: ServerClock | None = None
    metadata: Metadata | None = None
    bins: Mapping[str, Particle] | None = None
    key: bytes | None = None
    builtins: tuple[bytes | None, bytes | None, bytes | None] = (None, None, None)

    @classmethod
    def of_record(cls, record: StoredRecord, digest: bytes, clock: ServerClock, *, with_bins: bool = True) -> Scope:
        """The scope of a stored record; only its metadata with `with_bins` false."""
        metadata = Metadata(
            digest, record.set_name, record.last_update, record.void_time, record.key is not None, record.size()
        )
        if not with_bins:
            return cls(clock, metadata)
        return cls(clock, metadata, record.bins, record.key)

    @classmethod
    def of_element(cls, key: bytes | None, value: bytes | None, index: bytes | None) -> Scope:
        """The scope of a path expression: an element, and nothing of the record."""
        return cls(builtins=(key, value, index))


Evaluation: TypeAlias = "Callable[[Frame], Value]"
"""A compiled part of an expression: returns its value in a frame."""


class Frame:
    """One evaluation: the scope, and the variables defined so far."""

    __slots__ = ("scope", "variables")

    scope: Scope

    def __init__(self, scope: Scope, n_variables: int) -> None:
        self.scope = scope
        self.variables: list[Value] = [UNKNOWN] * n_variables


def without_cells(text: bytes) -> Particle:
    """A GeoJSON value without cells, which are computed only for stored values."""
    return wire.PARTICLE_GEOJSON, NO_CELLS + text


def text_value(data: bytes) -> Particle:
    """A string value."""
    return wire.PARTICLE_STRING, data
