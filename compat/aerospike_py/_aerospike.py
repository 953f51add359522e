"""The names of aerospike_py's extension module, for programs that import from it.

Each name is the package's own object: ``Client`` here is ``aerospike_py.Client``. In the original, the names of this
module are classes written in Rust, from which the package derives its own.
"""

from __future__ import annotations

from . import _constants
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
    get_metrics as get_metrics_text,
    init_tracing as init_tracing,
    is_internal_stage_metrics_enabled as is_internal_stage_metrics_enabled,
    is_metrics_enabled as is_metrics_enabled,
    set_internal_stage_metrics_enabled as set_internal_stage_metrics_enabled,
    set_metrics_enabled as set_metrics_enabled,
    shutdown_tracing as shutdown_tracing,
)
from ._sync.query import Query as Query
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
from .types import BatchRecord as BatchRecord, BatchWriteResult as BatchRecords

__all__ = [
    "AdminError",
    "AerospikeError",
    "AerospikeIndexError",
    "AerospikeTimeoutError",
    "AsyncClient",
    "BackpressureError",
    "BatchRecord",
    "BatchRecords",
    "BinExistsError",
    "BinNameError",
    "BinNotFound",
    "BinTypeError",
    "Client",
    "ClientError",
    "ClusterError",
    "FilteredOut",
    "IndexError",
    "IndexFoundError",
    "IndexNotFound",
    "InvalidArgError",
    "LazyBatchRecords",
    "PartitionFilter",
    "Query",
    "QueryAbortedError",
    "QueryError",
    "RecordError",
    "RecordExistsError",
    "RecordGenerationError",
    "RecordNotFound",
    "RecordTooBig",
    "RustPanicError",
    "ServerError",
    "TimeoutError",
    "UDFError",
    "dropped_log_count",
    "get_metrics_text",
    "init_tracing",
    "is_internal_stage_metrics_enabled",
    "is_metrics_enabled",
    "partition_filter_all",
    "partition_filter_by_id",
    "partition_filter_by_range",
    "set_internal_stage_metrics_enabled",
    "set_metrics_enabled",
    "shutdown_tracing",
]
__all__ += _constants.__all__
