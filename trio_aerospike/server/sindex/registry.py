"""Secondary index definitions, which all nodes of a cluster share.

An index is identified by what it indexes, not by its name: creating the same index again under another name renames it
(server: as/src/sindex/sindex_manager.c).
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from ..._wire import constants as wire
from ..._wire.index_ranges import INDEX_DEFAULT, INDEX_LIST, INDEX_MAP_KEYS, INDEX_MAP_VALUES

MAX_INDEXES = 256
"""Indexes of one namespace (server: MAX_N_SINDEXES)."""
KINDS = {"default": INDEX_DEFAULT, "list": INDEX_LIST, "mapkeys": INDEX_MAP_KEYS, "mapvalues": INDEX_MAP_VALUES}
TYPES = {
    "numeric": wire.PARTICLE_INTEGER,
    "string": wire.PARTICLE_STRING,
    "blob": wire.PARTICLE_BLOB,
    "geo2dsphere": wire.PARTICLE_GEOJSON,
}


@attrs.frozen
class IndexDefinition:
    """What an index covers.

    Args:
        namespace: of the records.
        set_name: "" for all sets.
        bin_name: "" with an expression.
        type: the particle type of the values.
        kind: INDEX_*.
        context: packed, or None.
        expression: packed, or None.
        is_of_set: a set index, which has no values.
    """

    namespace: str
    set_name: str = ""
    bin_name: str = ""
    type: int = wire.PARTICLE_NULL
    kind: int = INDEX_DEFAULT
    context: bytes | None = None
    expression: bytes | None = None
    is_of_set: bool = False


class IndexRegistry:
    """The indexes of a cluster by definition, with their names."""

    def __init__(self) -> None:
        self._names: dict[IndexDefinition, str] = {}

    def named(self, namespace: str, name: str) -> list[IndexDefinition]:
        """The indexes with a name; there may be several."""
        return [known for known, given in self._names.items() if known.namespace == namespace and given == name]

    def of(self, namespace: str) -> Iterator[tuple[IndexDefinition, str]]:
        """The indexes of a namespace with their names, in the order of creation."""
        return ((known, name) for known, name in list(self._names.items()) if known.namespace == namespace)

    def all(self) -> list[tuple[IndexDefinition, str]]:
        """All indexes with their names, also those in namespaces that do not exist."""
        return list(self._names.items())

    def name_of(self, definition: IndexDefinition) -> str | None:
        """The name of an index; None if it does not exist."""
        return self._names.get(definition)

    def count(self, namespace: str) -> int:
        """The number of indexes of values, without set indexes."""
        return sum(known.namespace == namespace and not known.is_of_set for known in self._names)

    def put(self, definition: IndexDefinition, name: str) -> None:
        """Add or rename an index."""
        self._names[definition] = name

    def remove(self, definition: IndexDefinition) -> None:
        """Remove an index."""
        self._names.pop(definition, None)

    def names_set(self, namespace: str, set_name: str) -> bool:
        """Whether there is an index on a set."""
        return any(known.namespace == namespace and known.set_name == set_name for known in self._names)
