"""The exceptions of aerospike_py: the classes of ``trio_aerospike.errors``.

An ``except`` clause therefore catches an error by the name in either package. Every error has ``result_code`` and,
beyond aerospike_py 0.14.4, ``node``, ``in_doubt`` and ``attempts``.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from trio_aerospike.errors import (
    AdminError,
    AerospikeError,
    AerospikeIndexError,
    AerospikeTimeoutError,
    BackpressureError,
    BinExistsError,
    BinNameError,
    BinNotFound,
    BinTypeError,
    ClientError,
    ClusterError,
    FilteredOut,
    IndexFoundError,
    IndexNotFound,
    InvalidArgError,
    QueryAbortedError,
    QueryError,
    RecordError,
    RecordExistsError,
    RecordGenerationError,
    RecordNotFound,
    RecordTooBig,
    RustPanicError,
    ServerError,
    UDFError,
)

if TYPE_CHECKING:
    TimeoutError = AerospikeTimeoutError
    IndexError = AerospikeIndexError

__all__ = [
    "AdminError",
    "AerospikeError",
    "AerospikeIndexError",
    "AerospikeTimeoutError",
    "BackpressureError",
    "BinExistsError",
    "BinNameError",
    "BinNotFound",
    "BinTypeError",
    "ClientError",
    "ClusterError",
    "FilteredOut",
    "IndexFoundError",
    "IndexNotFound",
    "InvalidArgError",
    "QueryAbortedError",
    "QueryError",
    "RecordError",
    "RecordExistsError",
    "RecordGenerationError",
    "RecordNotFound",
    "RecordTooBig",
    "RustPanicError",
    "ServerError",
    "UDFError",
]

# Names that hide builtins: aerospike_py has them until 1.0, with a warning.
_ALIASES: dict[str, type[AerospikeError]] = {
    "TimeoutError": AerospikeTimeoutError,
    "IndexError": AerospikeIndexError,
}


def __getattr__(name: str) -> Any:
    alias = _ALIASES.get(name)
    if alias is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"{__name__}.{name}, which hides a builtin, is deprecated and will be removed in v1.0.0; "
        f"use {alias.__name__} instead",
        DeprecationWarning,
        stacklevel=2,
    )
    return alias
