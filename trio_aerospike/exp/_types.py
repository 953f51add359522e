"""Types of expressions, and how big an expression may be."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

from trio_aerospike._wire import constants as wire, exp_ops


class ExpType(IntEnum):
    """What an expression gives. The numbers are the server's, and those of aerospike_py's ``EXP_TYPE_*``."""

    NIL = exp_ops.TYPE_NIL
    """None."""
    BOOL = exp_ops.TYPE_BOOL
    """True or False, or unknown: what was asked does not exist or cannot be had."""
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
    """A type as the rules see it: the server's ten, and three that are not on the wire.

    ``None`` stands where a kind is expected and is not known: a variable before it is bound.
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
    """What remove_result gives."""
    EXTREME = 11
    """INFINITY or WILDCARD."""
    UNKNOWN = 12
    """What unknown gives: a bool, but in cond it goes with every type."""

    @property
    def label(self) -> str:
        """The type as messages name it."""
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
    """What :func:`bin_type` gives: the particle type of a bin (server: as/include/base/datamodel.h)."""

    NULL = wire.PARTICLE_NULL
    """There is no such bin."""
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
    """How :func:`regex_compare` reads its pattern: flags of regcomp(3), as the server's C library numbers them."""

    NONE = 0
    """A basic regular expression of POSIX."""
    EXTENDED = 1
    """An extended one, in which ``+ ? | ( ) { }`` have their meaning without a backslash."""
    ICASE = 2
    """Upper and lower case are the same."""
    NEWLINE = 4
    """``.`` and lists do not match a line break; ``^`` and ``$`` match at line breaks, too."""
    NOSUB = 8
    """What groups matched is not kept; nothing else is ever asked, so that this only saves work."""


SIZE_MAX: Final = 1024 * 1024
"""Bytes that an expression may take in the server's memory, not included (server: exp.c, EXP_MAX_SIZE)."""

DEPTH_MAX: Final = 200
"""Levels of nesting. The server has no limit but its stack, which a deep enough expression would overflow."""
