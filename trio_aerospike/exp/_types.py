"""Types of expressions, and their limits of size and depth."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

from trio_aerospike._wire import constants as wire, exp_ops


class ExpType(IntEnum):
    """The type of an expression's result. The numbers are the server's and those of aerospike_py's ``EXP_TYPE_*``."""

    NIL = exp_ops.TYPE_NIL
    """None."""
    BOOL = exp_ops.TYPE_BOOL
    """True or False, or unknown: a bin is missing, or has another type."""
    INT = exp_ops.TYPE_INT
    """An int of 64 bits."""
    STRING = exp_ops.TYPE_STR
    """A str."""
    LIST = exp_ops.TYPE_LIST
    """A list."""
    MAP = exp_ops.TYPE_MAP
    """A dict."""
    BLOB = exp_ops.TYPE_BLOB
    """Bytes."""
    FLOAT = exp_ops.TYPE_FLOAT
    """A float."""
    GEO = exp_ops.TYPE_GEOJSON
    """A GeoJSON point or region."""
    HLL = exp_ops.TYPE_HLL
    """A HyperLogLog sketch."""


class Kind(IntEnum):
    """A type in the rules of expressions: the server's ten, and three that are not on the wire.

    ``None`` in place of a kind means that it is not known: the kind of an unbound variable.
    """

    NIL = 0
    BOOL = 1
    INT = 2
    STRING = 3
    LIST = 4
    MAP = 5
    BLOB = 6
    FLOAT = 7
    GEO = 8
    HLL = 9
    REMOVE = 10
    """The type of remove_result."""
    EXTREME = 11
    """INFINITY or WILDCARD."""
    UNKNOWN = 12
    """The type of unknown: a bool, and in cond compatible with every type."""

    @property
    def label(self) -> str:
        """The type's name in messages."""
        return _LABELS[self]


_LABELS: Final = {
    Kind.NIL: "nil",
    Kind.BOOL: "bool",
    Kind.INT: "int",
    Kind.STRING: "str",
    Kind.LIST: "list",
    Kind.MAP: "map",
    Kind.BLOB: "blob",
    Kind.FLOAT: "float",
    Kind.GEO: "geojson",
    Kind.HLL: "hll",
    Kind.REMOVE: "remove_result",
    Kind.EXTREME: "infinity or wildcard",
    Kind.UNKNOWN: "unknown",
}


class BinType(IntEnum):
    """The result of :func:`bin_type`: the particle type of a bin (server: as/include/base/datamodel.h)."""

    NULL = wire.PARTICLE_NULL
    """The bin does not exist."""
    INTEGER = wire.PARTICLE_INTEGER
    FLOAT = wire.PARTICLE_FLOAT
    STRING = wire.PARTICLE_STRING
    BLOB = wire.PARTICLE_BLOB
    BOOL = wire.PARTICLE_BOOL
    HLL = wire.PARTICLE_HLL
    MAP = wire.PARTICLE_MAP
    LIST = wire.PARTICLE_LIST
    GEOJSON = wire.PARTICLE_GEOJSON


class RegexFlag(IntFlag):
    """Flags of :func:`regex_compare`: those of regcomp(3), with the numbers of the server's C library."""

    NONE = 0
    """A POSIX basic regular expression."""
    EXTENDED = 1
    """A POSIX extended one: ``+ ? | ( ) { }`` are special without a backslash."""
    ICASE = 2
    """Ignore case."""
    NEWLINE = 4
    """``.`` and lists do not match a line break; ``^`` and ``$`` match at line breaks, too."""
    NOSUB = 8
    """Do not record groups. Their matches are never used, so that this only saves work."""


SIZE_MAX: Final = 1024 * 1024
"""Limit of an expression's size in the server's memory, in bytes, exclusive (server: exp.c, EXP_MAX_SIZE)."""

DEPTH_MAX: Final = 200
"""Limit of nesting. The server's only limit is its stack, which a deep expression would overflow."""
