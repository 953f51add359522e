"""Trio-native client for the Aerospike database.

``async with trio_aerospike.open_client("127.0.0.1:3000") as client:`` is the way in; see :func:`open_client`.

The names here are those that a program needs every day. Modules hold the rest: :mod:`trio_aerospike.operations`,
:mod:`trio_aerospike.exp`, :mod:`trio_aerospike.errors`, :mod:`trio_aerospike.policies`, :mod:`trio_aerospike.testing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import (
    arrays as arrays,
    ctx as ctx,
    errors as errors,
    exp as exp,
    instruments as instruments,
    jobs as jobs,
    operations as operations,
    policies as policies,
    predicates as predicates,
)
from ._batch.policies import (
    BatchApplyPolicy as BatchApplyPolicy,
    BatchReadPolicy as BatchReadPolicy,
    BatchRemovePolicy as BatchRemovePolicy,
    BatchWritePolicy as BatchWritePolicy,
)
from ._client import Client as Client, open_client as open_client
from ._commands.record_stream import Records as Records, UnreadableRecord as UnreadableRecord
from ._version import __version__ as __version__
from ._wire.records import SPEEDUPS as _SPEEDUPS
from ._wire.value_types import (
    INFINITY as INFINITY,
    WILDCARD as WILDCARD,
    GeoJSON as GeoJSON,
    HyperLogLog as HyperLogLog,
    OrderedList as OrderedList,
    OrderedMap as OrderedMap,
    TypedBlob as TypedBlob,
)
from .batch import (
    BatchApply as BatchApply,
    BatchRead as BatchRead,
    BatchRemove as BatchRemove,
    BatchWrite as BatchWrite,
)
from .config import AuthMode as AuthMode, ClientConfig as ClientConfig, Host as Host
from .errors import (
    AdminError as AdminError,
    AerospikeError as AerospikeError,
    AerospikeTimeoutError as AerospikeTimeoutError,
    BackpressureError as BackpressureError,
    BinTypeError as BinTypeError,
    ClientClosed as ClientClosed,
    ClientError as ClientError,
    ClusterError as ClusterError,
    ConnectionFailed as ConnectionFailed,
    DeviceOverload as DeviceOverload,
    FilteredOut as FilteredOut,
    InvalidArgError as InvalidArgError,
    InvalidEncoding as InvalidEncoding,
    KeyBusy as KeyBusy,
    NoMoreConnections as NoMoreConnections,
    ProtocolError as ProtocolError,
    RecordError as RecordError,
    RecordExistsError as RecordExistsError,
    RecordGenerationError as RecordGenerationError,
    RecordNotFound as RecordNotFound,
    RecordTooBig as RecordTooBig,
    ResultCode as ResultCode,
    ServerError as ServerError,
    TransactionError as TransactionError,
    UnwrittenRecordsWarning as UnwrittenRecordsWarning,
)
from .indexes import Collection as Collection, IndexInfo as IndexInfo, IndexType as IndexType
from .jobs import BackgroundJob as BackgroundJob, IndexJob as IndexJob
from .keys import Key as Key
from .operations import (
    Operation as Operation,
    append as append,
    bits as bits,
    delete as delete,
    hll as hll,
    increment as increment,
    lists as lists,
    maps as maps,
    prepend as prepend,
    read as read,
    read_all as read_all,
    read_expression as read_expression,
    touch as touch,
    write as write,
    write_expression as write_expression,
)
from .policies import (
    TTL_DONT_UPDATE as TTL_DONT_UPDATE,
    TTL_NAMESPACE_DEFAULT as TTL_NAMESPACE_DEFAULT,
    TTL_NEVER_EXPIRE as TTL_NEVER_EXPIRE,
    AdminPolicy as AdminPolicy,
    BatchConcurrency as BatchConcurrency,
    BatchPolicy as BatchPolicy,
    CommitLevel as CommitLevel,
    Exists as Exists,
    GenerationCheck as GenerationCheck,
    InfoPolicy as InfoPolicy,
    ReadModeAP as ReadModeAP,
    ReadModeSC as ReadModeSC,
    ReadPolicy as ReadPolicy,
    Replica as Replica,
    WritePolicy as WritePolicy,
)
from .query import (
    Cursor as Cursor,
    PartitionFilter as PartitionFilter,
    QueryDuration as QueryDuration,
    QueryPolicy as QueryPolicy,
)
from .records import (
    BatchResult as BatchResult,
    BatchResults as BatchResults,
    InfoResult as InfoResult,
    Metadata as Metadata,
    NodeInfo as NodeInfo,
    OrderedResult as OrderedResult,
    Record as Record,
)

__speedups__: bool = _SPEEDUPS
"""Whether the hot modules run compiled. They do not if the environment variable TRIO_AEROSPIKE_PURE is 1."""

if TYPE_CHECKING:
    from . import security as security
else:
    from ._lazy import LazyModule as _LazyModule

    security = _LazyModule("trio_aerospike.security")
    __all__ = [name for name in dir() if not name.startswith("_") and name not in ("TYPE_CHECKING", "annotations")]
