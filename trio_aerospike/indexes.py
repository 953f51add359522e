"""Secondary indexes: their types, state and description.

An index holds, for each record of a set, the value of a bin (or of an element that a context selects in it, or of an
expression), so that a query finds records by that value. ``client.create_index`` creates it, and each node builds it in
the background: ``await (await client.create_index(...)).wait()`` waits until queries can use it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from enum import IntEnum

import attrs

from trio_aerospike._wire.index_ranges import INDEX_DEFAULT, INDEX_LIST, INDEX_MAP_KEYS, INDEX_MAP_VALUES
from trio_aerospike.errors import ProtocolError

__all__ = ["Collection", "IndexInfo", "IndexState", "IndexType", "parse_index_list"]


class IndexType(IntEnum):
    """The type of an index's values."""

    NUMERIC = 0
    """Integers."""
    STRING = 1
    """Strings of up to 2048 bytes; equality only."""
    BLOB = 2
    """Blobs of up to 2048 bytes; equality only."""
    GEO2DSPHERE = 3
    """Points and regions in GeoJSON."""


class Collection(IntEnum):
    """Which elements of a list or map are indexed."""

    NONE = INDEX_DEFAULT
    """The value itself, which is not a collection."""
    LIST = INDEX_LIST
    """The elements of a list."""
    MAP_KEYS = INDEX_MAP_KEYS
    """The keys of a map."""
    MAP_VALUES = INDEX_MAP_VALUES
    """The values of a map."""


class IndexState(IntEnum):
    """The state of an index on one node."""

    LOADING = 0
    """Writes update it, but it is still being built: queries through it are refused."""
    READY = 1
    """Queries can use it."""
    FAILED = 2
    """It failed on the server."""


TYPE_NAMES = {
    IndexType.NUMERIC: "numeric",
    IndexType.STRING: "string",
    IndexType.BLOB: "blob",
    IndexType.GEO2DSPHERE: "geo2dsphere",
}
COLLECTION_NAMES = {
    Collection.NONE: "default",
    Collection.LIST: "list",
    Collection.MAP_KEYS: "mapkeys",
    Collection.MAP_VALUES: "mapvalues",
}
_TYPES = {name: member for member, name in TYPE_NAMES.items()}
# Other names of servers from 8.2 on (sindex.c, as_sindex_list_str).
_TYPES["integer"] = IndexType.NUMERIC
_COLLECTIONS = {name: member for member, name in COLLECTION_NAMES.items()}
_STATES = {"RW": IndexState.READY, "WO": IndexState.LOADING, "ERROR": IndexState.FAILED}


@attrs.frozen
class IndexInfo:
    """The description of an index."""

    namespace: str
    name: str
    set_name: str
    """``""`` for all sets."""
    bin_name: str
    """``""`` for an index on an expression, and for one on a set."""
    type: IndexType | str | None
    """None for an index on a set, which has no values; the server's name of a type that this client does not know."""
    collection: Collection | str
    """Which elements are indexed; the server's name if this client does not know it."""
    context: bytes | None = attrs.field(default=None, repr=False)
    """Packed; decode it with ``trio_aerospike.ctx.decode``."""
    expression: bytes | None = attrs.field(default=None, repr=False)
    """Packed; decode it with ``trio_aerospike.exp.from_bytes``."""
    state: IndexState | str = IndexState.READY
    """On the node that was asked, which does not report it for an index on a set; the server's name if unknown here."""
    raw: Mapping[str, str] = attrs.field(factory=dict, repr=False, eq=False)
    """All fields that the server reported, by name."""

    @property
    def is_of_set(self) -> bool:
        """Whether it is an index on a set, which makes scans of the set fast."""
        return self.type is None


def parse_index_list(text: str) -> list[IndexInfo]:
    """Parse a ``sindex-list`` answer (asked with ``b64=true``).

    Names that this client does not know, as a newer server may use them, are kept as they are.

    Raises:
        ProtocolError: a line has no namespace or no name.
    """
    found = []
    for line in text.split(";"):
        if not line:
            continue
        fields = dict(pair.partition("=")[::2] for pair in line.split(":"))
        try:
            found.append(_parsed(fields))
        except KeyError as error:
            raise ProtocolError(f"an index of unknown form, without {error}: {line[:200]!r}") from None
    return found


def _parsed(fields: dict[str, str]) -> IndexInfo:
    namespace, name, set_name = fields["ns"], fields["indexname"], _named(fields.get("set", "null"))
    collection, kind, state = fields.get("indextype", ""), fields.get("type", ""), fields.get("state", "")
    if collection == "set":
        return IndexInfo(namespace, name, set_name, "", None, Collection.NONE, raw=fields)
    return IndexInfo(
        namespace,
        name,
        set_name,
        _named(fields.get("bin", "null")),
        _TYPES.get(kind, kind),
        _COLLECTIONS.get(collection, collection),
        _packed(fields.get("context", "null")),
        _packed(fields.get("exp", "null")),
        _STATES.get(state, state),
        fields,
    )


def _named(text: str) -> str:
    return "" if text.lower() == "null" else text


def _packed(text: str) -> bytes | None:
    """Decode the bytes of a context or an expression; None if there is none, or its form is unknown."""
    if text.lower() == "null":
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
