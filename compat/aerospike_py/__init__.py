"""The interface of aerospike-py 0.14.4, asynchronous and synchronous, on top of trio_aerospike.

``import aerospike_py as aerospike``, then ``aerospike.client(config).connect()`` or ``aerospike.AsyncClient(config)``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from . import _constants, exception as exception, types as types
from ._async_client import AsyncClient as AsyncClient
from ._batch import LazyBatchRecords as LazyBatchRecords
from ._client import Client as Client
from ._constants import *  # noqa: F403 - 171 numbers, listed there
from .exception import (
    AdminError as AdminError,
    AerospikeError as AerospikeError,
    AerospikeIndexError as AerospikeIndexError,
    AerospikeIndexError as IndexError,
    AerospikeTimeoutError as AerospikeTimeoutError,
    AerospikeTimeoutError as TimeoutError,
    BackpressureError as BackpressureError,
    BinExistsError as BinExistsError,
    BinNameError as BinNameError,
    BinNotFound as BinNotFound,
    BinTypeError as BinTypeError,
    ClientError as ClientError,
    ClusterError as ClusterError,
    FilteredOut as FilteredOut,
    IndexFoundError as IndexFoundError,
    IndexNotFound as IndexNotFound,
    InvalidArgError as InvalidArgError,
    QueryAbortedError as QueryAbortedError,
    QueryError as QueryError,
    RecordError as RecordError,
    RecordExistsError as RecordExistsError,
    RecordGenerationError as RecordGenerationError,
    RecordNotFound as RecordNotFound,
    RecordTooBig as RecordTooBig,
    RustPanicError as RustPanicError,
    ServerError as ServerError,
    UDFError as UDFError,
)
from .types import (
    AdminPolicy as AdminPolicy,
    AerospikeKey as AerospikeKey,
    AerospikeRecord as AerospikeRecord,
    BatchPolicy as BatchPolicy,
    BatchRecord as BatchRecord,
    BatchRecords as BatchRecords,
    Bins as Bins,
    BinTuple as BinTuple,
    ClientConfig as ClientConfig,
    ExistsResult as ExistsResult,
    InfoNodeResult as InfoNodeResult,
    OperateOrderedResult as OperateOrderedResult,
    ReadPolicy as ReadPolicy,
    Record as Record,
    RecordMetadata as RecordMetadata,
    UserKey as UserKey,
    WriteMeta as WriteMeta,
    WritePolicy as WritePolicy,
)

try:
    __version__ = version("trio-aerospike-compat")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"

logger: logging.Logger = logging.getLogger("aerospike_py")


def client(config: Mapping[str, Any]) -> Client:
    """A synchronous client; ``connect()`` connects it.

    Args:
        config: A ClientConfig; only ``hosts`` is required.

    Raises:
        InvalidArgError: A key does not exist (the nearest right one is suggested), or a value is not allowed.
    """
    return Client(config)


def async_client(config: Mapping[str, Any]) -> AsyncClient:
    """An asyncio client; ``await client.connect()`` connects it.

    Args:
        config: A ClientConfig; only ``hosts`` is required.

    Raises:
        InvalidArgError: A key does not exist (the nearest right one is suggested), or a value is not allowed.
    """
    return AsyncClient(config)


__all__ = [
    "AdminError",
    "AdminPolicy",
    "AerospikeError",
    "AerospikeIndexError",
    "AerospikeKey",
    "AerospikeRecord",
    "AerospikeTimeoutError",
    "AsyncClient",
    "BackpressureError",
    "BatchPolicy",
    "BatchRecord",
    "BatchRecords",
    "BinExistsError",
    "BinNameError",
    "BinNotFound",
    "BinTuple",
    "BinTypeError",
    "Bins",
    "Client",
    "ClientConfig",
    "ClientError",
    "ClusterError",
    "ExistsResult",
    "FilteredOut",
    "IndexError",
    "IndexFoundError",
    "IndexNotFound",
    "InfoNodeResult",
    "InvalidArgError",
    "LazyBatchRecords",
    "OperateOrderedResult",
    "QueryAbortedError",
    "QueryError",
    "ReadPolicy",
    "Record",
    "RecordError",
    "RecordExistsError",
    "RecordGenerationError",
    "RecordMetadata",
    "RecordNotFound",
    "RecordTooBig",
    "RustPanicError",
    "ServerError",
    "TimeoutError",
    "UDFError",
    "UserKey",
    "WriteMeta",
    "WritePolicy",
    "__version__",
    "async_client",
    "client",
    "exception",
    "types",
]
__all__ += _constants.__all__
