"""The interface of aerospike-py 0.14.4, asynchronous and synchronous, on top of trio_aerospike.

``import aerospike_py as aerospike``, then ``aerospike.client(config).connect()`` or ``aerospike.AsyncClient(config)``.
"""

import logging
from collections.abc import Mapping as _Mapping
from importlib.metadata import PackageNotFoundError as PackageNotFoundError
from typing import Any as _Any

from . import (
    _constants,
    bit_operations as bit_operations,
    exception as exception,
    exp as exp,
    hll_operations as hll_operations,
    list_operations as list_operations,
    map_operations as map_operations,
    numpy_batch as numpy_batch,
    predicates as predicates,
    types as types,
)
from ._async.query import AsyncQuery as AsyncQuery
from ._clients import AsyncClient as AsyncClient, Client as Client
from ._commands.lazy_batch import LazyBatchRecords as LazyBatchRecords
from ._constants import *  # noqa: F403 - 171 numbers, listed there
from ._conversion.partitions import (
    PartitionFilter as PartitionFilter,
    partition_filter_all as partition_filter_all,
    partition_filter_by_id as partition_filter_by_id,
    partition_filter_by_range as partition_filter_by_range,
)
from ._observability.controls import (
    dropped_log_count as dropped_log_count,
    get_metrics as get_metrics,
    init_tracing as init_tracing,
    internal_stage_profiling as internal_stage_profiling,
    is_internal_stage_metrics_enabled as is_internal_stage_metrics_enabled,
    is_metrics_enabled as is_metrics_enabled,
    set_internal_stage_metrics_enabled as set_internal_stage_metrics_enabled,
    set_log_level as set_log_level,
    set_metrics_enabled as set_metrics_enabled,
    shutdown_tracing as shutdown_tracing,
    start_metrics_server as start_metrics_server,
    stop_metrics_server as stop_metrics_server,
)
from ._operations.types import (
    HLLPolicy as HLLPolicy,
    ListPolicy as ListPolicy,
    MapPolicy as MapPolicy,
    Operation as Operation,
)
from ._sync.query import Query as Query
from ._version import __version__ as __version__
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
from .numpy_batch import NumpyBatchRecords as NumpyBatchRecords
from .types import (
    AdminPolicy as AdminPolicy,
    AerospikeKey as AerospikeKey,
    AerospikeRecord as AerospikeRecord,
    BatchDeleteMeta as BatchDeleteMeta,
    BatchDeletePolicy as BatchDeletePolicy,
    BatchPolicy as BatchPolicy,
    BatchReadPolicy as BatchReadPolicy,
    BatchRecord as BatchRecord,
    BatchRecords as BatchRecords,
    BatchRetryInfo as BatchRetryInfo,
    BatchUDFMeta as BatchUDFMeta,
    BatchUDFPolicy as BatchUDFPolicy,
    BatchWriteResult as BatchWriteResult,
    Bins as Bins,
    BinTuple as BinTuple,
    ClientConfig as ClientConfig,
    ExistsResult as ExistsResult,
    InfoNodeResult as InfoNodeResult,
    OperateOrderedResult as OperateOrderedResult,
    Privilege as Privilege,
    QueryPolicy as QueryPolicy,
    ReadPolicy as ReadPolicy,
    Record as Record,
    RecordMetadata as RecordMetadata,
    RoleInfo as RoleInfo,
    ScanPolicy as ScanPolicy,
    UserInfo as UserInfo,
    UserKey as UserKey,
    WriteMeta as WriteMeta,
    WritePolicy as WritePolicy,
)

logger: logging.Logger = logging.getLogger("aerospike_py")
# Programs add handlers; without one nothing is logged, as with the original.
logger.addHandler(logging.NullHandler())


def client(config: _Mapping[str, _Any]) -> Client:
    """Make a synchronous client; ``connect()`` connects it.

    Args:
        config: A ClientConfig; only ``hosts`` is required. If it is invalid, ``connect`` raises.
    """
    return Client(config)


def async_client(config: _Mapping[str, _Any]) -> AsyncClient:
    """Make an asyncio client; ``await client.connect()`` connects it.

    Args:
        config: A ClientConfig; only ``hosts`` is required. If it is invalid, ``connect`` raises.
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
    "AsyncQuery",
    "BackpressureError",
    "BatchDeleteMeta",
    "BatchDeletePolicy",
    "BatchPolicy",
    "BatchReadPolicy",
    "BatchRecord",
    "BatchRecords",
    "BatchRetryInfo",
    "BatchUDFMeta",
    "BatchUDFPolicy",
    "BatchWriteResult",
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
    "HLLPolicy",
    "IndexError",
    "IndexFoundError",
    "IndexNotFound",
    "InfoNodeResult",
    "InvalidArgError",
    "LazyBatchRecords",
    "ListPolicy",
    "MapPolicy",
    "NumpyBatchRecords",
    "OperateOrderedResult",
    "Operation",
    "PartitionFilter",
    "Privilege",
    "Query",
    "QueryAbortedError",
    "QueryError",
    "QueryPolicy",
    "ReadPolicy",
    "Record",
    "RecordError",
    "RecordExistsError",
    "RecordGenerationError",
    "RecordMetadata",
    "RecordNotFound",
    "RecordTooBig",
    "RoleInfo",
    "RustPanicError",
    "ScanPolicy",
    "ServerError",
    "TimeoutError",
    "UDFError",
    "UserInfo",
    "UserKey",
    "WriteMeta",
    "WritePolicy",
    "__version__",
    "async_client",
    "bit_operations",
    "client",
    "dropped_log_count",
    "exception",
    "exp",
    "get_metrics",
    "hll_operations",
    "init_tracing",
    "internal_stage_profiling",
    "is_internal_stage_metrics_enabled",
    "is_metrics_enabled",
    "list_operations",
    "map_operations",
    "partition_filter_all",
    "partition_filter_by_id",
    "partition_filter_by_range",
    "predicates",
    "set_internal_stage_metrics_enabled",
    "set_log_level",
    "set_metrics_enabled",
    "shutdown_tracing",
    "start_metrics_server",
    "stop_metrics_server",
]
__all__ += _constants.__all__
