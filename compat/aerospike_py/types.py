"""The types of the interface: named tuples for results, typed dicts for arguments.

Fields, their order and their types are those of aerospike_py 0.14.4. Times in policies and in the configuration are
milliseconds unless a field says otherwise; 0 means no limit.
"""

from typing import Any, NamedTuple, TypeAlias, TypedDict

#: The bins of a record, by name.
Bins: TypeAlias = dict[str, Any]
#: The key of a record within its set.
UserKey: TypeAlias = str | int
#: A record as plain bins.
AerospikeRecord: TypeAlias = dict[str, Any]
#: Many records, by user key.
BatchRecords: TypeAlias = dict[UserKey, AerospikeRecord]


class AerospikeKey(NamedTuple):
    """The key of a record. ``user_key`` is None if only the digest is known."""

    namespace: str
    set_name: str
    user_key: str | int | bytes | None
    digest: bytes


class RecordMetadata(NamedTuple):
    """Generation (the number of writes) and time to live in seconds; 4294967295 for a record that never expires."""

    gen: int
    ttl: int


class Record(NamedTuple):
    """A record that was read."""

    key: AerospikeKey | None
    meta: RecordMetadata | None
    bins: Bins | None


class ExistsResult(NamedTuple):
    """Whether a record exists: ``meta`` is None if it does not."""

    key: AerospikeKey | None
    meta: RecordMetadata | None


class InfoNodeResult(NamedTuple):
    """One node's answer to an info command."""

    node_name: str
    error_code: int
    response: str


class BinTuple(NamedTuple):
    """One result of an operation: the bin and its value."""

    name: str
    value: Any


class OperateOrderedResult(NamedTuple):
    """The results of several operations, in the order in which the operations were given."""

    key: AerospikeKey | None
    meta: RecordMetadata | None
    ordered_bins: list[BinTuple]


class BatchRecord(NamedTuple):
    """One row of a batch: ``result`` is a result code; ``record`` is set if that is 0."""

    key: AerospikeKey | None
    result: int
    record: Record | None
    in_doubt: bool = False


class BatchRetryInfo(NamedTuple):
    """A summary of the retries of a batch write. The defaults are those of a call with one attempt.

    ``unresolved`` is the number of failed rows that another attempt might have written; ``truncated_by_timeout`` is
    True if the policy's ``total_timeout`` did not allow that attempt.
    """

    attempts: int = 1
    max_attempts: int = 1
    truncated_by_timeout: bool = False
    unresolved: int = 0


class BatchWriteResult(NamedTuple):
    """The rows of a batch write, and a summary of its retries."""

    batch_records: list[BatchRecord]
    retry: BatchRetryInfo = BatchRetryInfo()


class ReadPolicy(TypedDict, total=False):
    """How a record is read."""

    socket_timeout: int
    total_timeout: int
    max_retries: int
    sleep_between_retries: int
    timeout_delay: int
    filter_expression: Any
    replica: int
    read_mode_ap: int
    read_touch_ttl_percent: int


class WritePolicy(TypedDict, total=False):
    """How a record is written. ``ttl`` is in seconds, or one of the TTL_ constants."""

    socket_timeout: int
    total_timeout: int
    max_retries: int
    sleep_between_retries: int
    timeout_delay: int
    durable_delete: bool
    key: int
    exists: int
    gen: int
    commit_level: int
    ttl: int
    filter_expression: Any
    read_mode_ap: int
    read_touch_ttl_percent: int


class BatchPolicy(TypedDict, total=False):
    """How a batch runs; the fields of writes have no effect on a batch that reads."""

    socket_timeout: int
    total_timeout: int
    max_retries: int
    sleep_between_retries: int
    timeout_delay: int
    filter_expression: Any
    allow_inline: bool
    allow_inline_ssd: bool
    respond_all_keys: bool
    replica: int
    read_mode_ap: int
    read_touch_ttl_percent: int
    concurrency: int
    key: int
    exists: int
    gen: int
    commit_level: int
    durable_delete: bool
    ttl: int


class BatchReadPolicy(TypedDict, total=False):
    """How one row of a batch is read."""

    read_touch_ttl_percent: int
    filter_expression: Any


class BatchDeletePolicy(TypedDict, total=False):
    """How the rows of a batch delete are removed."""

    gen: int
    key: int
    commit_level: int
    durable_delete: bool
    filter_expression: Any


class BatchDeleteMeta(TypedDict, total=False):
    """How one row of a batch is removed."""

    gen: int
    key: int
    commit_level: int
    durable_delete: bool


class BatchUDFPolicy(TypedDict, total=False):
    """How the rows of a batch of UDF calls run."""

    commit_level: int
    ttl: int
    key: int
    durable_delete: bool
    filter_expression: Any


class BatchUDFMeta(TypedDict, total=False):
    """How one row of a batch of UDF calls runs."""

    module: str
    function: str
    args: list[Any]
    ttl: int
    commit_level: int
    key: int
    durable_delete: bool


class AdminPolicy(TypedDict, total=False):
    """The timeout of an info command or an administrative command."""

    timeout: int


class QueryPolicy(TypedDict, total=False):
    """How a query runs."""

    socket_timeout: int
    total_timeout: int
    max_retries: int
    sleep_between_retries: int
    timeout_delay: int
    max_records: int
    records_per_second: int
    filter_expression: Any
    replica: int
    read_mode_ap: int
    read_touch_ttl_percent: int
    max_concurrent_nodes: int
    record_queue_size: int
    expected_duration: int
    include_bin_data: bool
    partition_filter: Any


class ScanPolicy(TypedDict, total=False):
    """How a scan runs."""

    socket_timeout: int
    total_timeout: int
    max_retries: int
    sleep_between_retries: int
    timeout_delay: int
    filter_expression: Any
    replica: int
    read_mode_ap: int
    records_per_second: int
    max_records: int
    durable_delete: bool
    ttl: int
    partition_filter: Any


class WriteMeta(TypedDict, total=False):
    """The settings of one write: ``gen`` is the expected generation, ``ttl`` is in seconds."""

    gen: int
    ttl: int
    key: int
    exists: int
    commit_level: int
    durable_delete: bool


class ClientConfig(TypedDict, total=False):
    """The configuration of a client; ``hosts`` is required, ``idle_timeout`` is in seconds."""

    hosts: list[tuple[str, int]]
    cluster_name: str | None
    auth_mode: int
    user: str
    password: str
    timeout: int
    idle_timeout: int
    max_conns_per_node: int
    min_conns_per_node: int
    conn_pools_per_node: int
    tend_interval: int
    use_services_alternate: bool
    max_concurrent_operations: int
    operation_queue_timeout_ms: int


class Privilege(TypedDict, total=False):
    """A privilege: one of the PRIV_ constants, for the cluster, a namespace or a set."""

    code: int | str
    ns: str
    set: str


class UserInfo(TypedDict):
    """A user of the cluster."""

    user: str
    roles: list[str]
    conns_in_use: int


class RoleInfo(TypedDict):
    """A role of the cluster."""

    name: str
    privileges: list[Privilege]
    allowlist: list[str]
    read_quota: int
    write_quota: int
