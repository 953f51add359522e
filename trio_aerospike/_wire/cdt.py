"""Lists and maps: MessagePack with the database's conventions.

Strings and blobs are MessagePack strings whose first byte is the particle type; a list or map that the server keeps
in order has an extension element at its front with its order (in a map, as the key of a pair whose value is nil). See
aerospike-common's ``as_msgpack.c``, whose bytes :func:`pack_value` produces.
"""

from .cdt_pack import pack_value as pack_value
from .cdt_unpack import unpack_value as unpack_value
from .value_faults import (
    INT_MAX as INT_MAX,
    INT_MIN as INT_MIN,
    LEGACY_BLOBS as LEGACY_BLOBS,
    scalar_fault as scalar_fault,
)
