"""Policies of commands: timeouts, retries, replicas, conditions on writes.

Policies are frozen and validated on construction; ``replace`` returns a changed copy. Times are seconds, None means no
limit. Build them once and reuse them: their form on the wire is computed on construction, so that a command need not.

The numbers of the enums are those of aerospike_py's ``POLICY_*`` constants, and a plain number is accepted for a
member. Wire facts: server, as/include/base/proto.h; C client, as_command.c.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, TypeVar

import attrs

from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.commands import transaction_ttl_of
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.exp._decode import from_bytes
from trio_aerospike.exp._expression import Expression
from trio_aerospike.exp._types import ExpType, Kind
from trio_aerospike.validation import (
    boolean,
    checked_int,
    field_names,
    integer,
    member,
    named_arguments,
    refused,
    seconds,
    settle_enum,
    unknown_name,
    with_article,
)

__all__ = [
    "TTL_DONT_UPDATE",
    "TTL_MAX",
    "TTL_NAMESPACE_DEFAULT",
    "TTL_NEVER_EXPIRE",
    "AdminPolicy",
    "BatchConcurrency",
    "BatchPolicy",
    "CommitLevel",
    "Exists",
    "GenerationCheck",
    "InfoPolicy",
    "ReadModeAP",
    "ReadModeSC",
    "ReadPolicy",
    "Replica",
    "WritePolicy",
]

TTL_NAMESPACE_DEFAULT: Final = 0
"""The default time to live of the namespace or set; None means the same."""
TTL_NEVER_EXPIRE: Final = -1
"""The record never expires."""
TTL_DONT_UPDATE: Final = -2
"""The write leaves the record's expiry as it is."""
TTL_MAX: Final = 10 * 365 * 24 * 3600
"""Ten years, in seconds: the longest time to live that a server accepts (datamodel.h, MAX_ALLOWED_TTL)."""

GENERATION_MAX: Final = 0xFFFF
"""The highest generation: 16 bits in the server; after it, generations start at 1 again."""


class Replica(IntEnum):
    """Which replica of a record is asked first."""

    MASTER = 0
    """Always the master."""
    SEQUENCE = 1
    """The master; on each retry the next replica."""
    PREFER_RACK = 2
    """A replica in the client's own rack. A client has no rack yet, so this is the same as SEQUENCE."""


class ReadModeAP(IntEnum):
    """How many replicas a read consults in an available (AP) namespace during migrations."""

    ONE = 0
    """One replica."""
    ALL = 1
    """All replicas; the newest version wins."""


class ReadModeSC(IntEnum):
    """How consistent a read is in a strongly consistent (SC) namespace."""

    SESSION = 0
    """Session consistency: this client sees its own writes, and never an older version than before."""
    LINEARIZE = 1
    """Linearizable: all clients see the same order of writes."""
    ALLOW_REPLICA = 2
    """A replica other than the master may answer."""
    ALLOW_UNAVAILABLE = 3
    """A replica may answer even while the partition is unavailable."""


class Exists(IntEnum):
    """What a write does depending on whether the record exists."""

    UPDATE = 0
    """Create the record, or write the given bins into it."""
    UPDATE_ONLY = 1
    """Write into an existing record, else RecordNotFound."""
    REPLACE = 2
    """Create the record, or replace all of its bins."""
    REPLACE_ONLY = 3
    """Replace all bins of an existing record, else RecordNotFound."""
    CREATE_ONLY = 4
    """Create the record, else RecordExistsError."""


class GenerationCheck(IntEnum):
    """The condition of a write on the record's generation, else RecordGenerationError."""

    IGNORE = 0
    """No condition."""
    EQUAL = 1
    """The generation is the given one: the record has not been written since it was read."""
    GREATER = 2
    """The given generation is greater: what is written is newer (restoring a backup)."""


class CommitLevel(IntEnum):
    """When a write is acknowledged."""

    ALL = 0
    """After all replicas are written."""
    MASTER = 1
    """After the master is written."""


class BatchConcurrency(IntEnum):
    """Whether the nodes of a batch are asked one after the other or concurrently."""

    SEQUENTIAL = 0
    """One node after the other."""
    PARALLEL = 1
    """All nodes at once."""


_EXISTS_INFO2: Final = {Exists.CREATE_ONLY: wire.INFO2_CREATE_ONLY}
_EXISTS_INFO3: Final = {
    Exists.UPDATE_ONLY: wire.INFO3_UPDATE_ONLY,
    Exists.REPLACE: wire.INFO3_CREATE_OR_REPLACE,
    Exists.REPLACE_ONLY: wire.INFO3_REPLACE_ONLY,
}
_GENERATION_INFO2: Final = {
    GenerationCheck.IGNORE: 0,
    GenerationCheck.EQUAL: wire.INFO2_GENERATION,
    GenerationCheck.GREATER: wire.INFO2_GENERATION_GT,
}
_SC_INFO3: Final = {
    ReadModeSC.SESSION: 0,
    ReadModeSC.LINEARIZE: wire.INFO3_SC_READ_TYPE,
    ReadModeSC.ALLOW_REPLICA: wire.INFO3_SC_READ_RELAX,
    ReadModeSC.ALLOW_UNAVAILABLE: wire.INFO3_SC_READ_TYPE | wire.INFO3_SC_READ_RELAX,
}

_TTL_ALLOWED = (
    f"1 to {TTL_MAX} seconds (ten years), None or 0 for the namespace's default, -1 (TTL_NEVER_EXPIRE), "
    "-2 (TTL_DONT_UPDATE)"
)


def wire_ttl(ttl: int | None, where: str = "ttl") -> int:
    """Convert the time to live of a write to its value in the message header (server: rw_utils.h, is_valid_ttl).

    Raises:
        InvalidArgError: It is not a time to live that a server accepts.
    """
    if ttl is None:
        return 0
    is_int = type(ttl) is not bool and isinstance(ttl, int)
    if is_int and TTL_DONT_UPDATE <= ttl <= TTL_MAX:
        return ttl & 0xFFFFFFFF
    raise refused(where, ttl, _TTL_ALLOWED)


def checked_generation(generation: int, where: str = "generation") -> int:
    """Return ``generation`` if it is valid.

    Raises:
        InvalidArgError: It is not an int from 0 to 65,535.
    """
    return checked_int(where, generation, 0, GENERATION_MAX)


def _valid_ttl(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    wire_ttl(value, f"{type(instance).__name__}.{attribute.name}")


def packed_filter(expression: Expression | bytes | None) -> bytes | None:
    """Convert a filter to packed bytes; an invalid one is returned as it is, for the validator to refuse."""
    if isinstance(expression, Expression) and expression.type is ExpType.BOOL and not expression.free_variables:
        return expression.encode()
    return expression  # type: ignore[return-value]


def _valid_filter(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None or (isinstance(value, bytes) and value):
        return
    allowed = "a packed expression as bytes, not empty, or an exp.Expression that gives a bool, or None"
    if isinstance(value, Expression):
        if value.free_variables:
            names = ", ".join(sorted(value.free_variables))
            allowed = f"a complete exp.Expression; nothing in this one binds {names}"
        elif value.type is not None:
            allowed = f"an exp.Expression that gives a bool; this one gives {with_article(Kind(value.type).label)}"
    raise refused(f"{type(instance).__name__}.{attribute.name}", value, allowed)


def shown_filter(value: bytes | None) -> str:
    """Format a filter for a policy's repr: as an expression, if its bytes can be decoded."""
    if value is None:
        return "None"
    try:
        return repr(from_bytes(value))
    except InvalidArgError:
        return repr(value)


P = TypeVar("P", bound="_Policy")


def chosen(given: P | None, default: P, kind: type[P]) -> P:
    """Return the policy of a call: the given one, or the client's for None.

    Raises:
        InvalidArgError: the given policy is of another class.
    """
    if given is None:
        return default
    if not isinstance(given, kind):
        raise refused("policy", given, f"{'an' if kind.__name__[0] in 'AI' else 'a'} {kind.__name__}, or None")
    return given


@attrs.frozen(kw_only=True)
class _Policy:
    def replace(self: P, **changes: Any) -> P:
        """Return a copy with some fields changed.

        Raises:
            InvalidArgError: A field does not exist (the nearest right name is suggested) or cannot have the value.
        """
        names = field_names(type(self))
        for name in changes:
            if name not in names:
                raise unknown_name(type(self).__name__, name, names)
        return attrs.evolve(self, **changes)


def _flag() -> Any:
    # Computed on construction from the public fields, for the commands.
    return attrs.field(init=False, repr=False, eq=False, default=0)


@named_arguments
@attrs.frozen(kw_only=True)
class ReadPolicy(_Policy):
    """Policy of reads of one record.

    Args:
        total_timeout: Seconds for the whole command, including retries. The time starts when a connection takes the
            command; a command that waits for a connection fails once its node has answered nothing for that long. Time
            in which the program kept the event loop from reading answers does not count.
        socket_timeout: Seconds without an answer after which an attempt fails and, if ``max_retries`` allows, is
            retried.
        max_retries: How often the command is sent again after a timeout, a broken connection or a temporary refusal
            (overload, a hot key). Attempts that were not sent do not count; they are retried until ``total_timeout``.
        sleep_between_retries: Seconds before the first retry, on average: the base of an exponential back-off with
            jitter, doubled up to half a second on average. 0 for none; even then an overloaded server is given 20 ms
            or more.
        replica: Which replica is asked.
        read_mode_ap: How many replicas are consulted in an available namespace.
        read_mode_sc: How consistent the read is in a strongly consistent namespace.
        read_touch_ttl_percent: A read that finds less than this percentage of the time to live left resets it; 0 for
            the server's configuration, -1 for never.
        filter_expression: An expression (:mod:`trio_aerospike.exp`), or its packed bytes, which is how it is stored;
            if it is false or unknown, the command raises FilteredOut.
        send_key: Send the key itself beside its digest, for the server to compare.
        compress: Ask for a compressed answer (Enterprise Edition).
    """

    total_timeout: float | None = attrs.field(default=1.0, validator=seconds(none="no limit"))
    socket_timeout: float | None = attrs.field(default=30.0, validator=seconds(none="no limit"))
    max_retries: int = attrs.field(default=2, validator=integer(0))
    sleep_between_retries: float = attrs.field(default=0.0, validator=seconds(zero=True))
    replica: Replica = attrs.field(default=Replica.SEQUENCE, validator=member(Replica))
    read_mode_ap: ReadModeAP = attrs.field(default=ReadModeAP.ONE, validator=member(ReadModeAP))
    read_mode_sc: ReadModeSC = attrs.field(default=ReadModeSC.SESSION, validator=member(ReadModeSC))
    read_touch_ttl_percent: int = attrs.field(default=0, validator=integer(-1, 100))
    filter_expression: bytes | None = attrs.field(
        default=None, converter=packed_filter, validator=_valid_filter, repr=shown_filter
    )
    send_key: bool = attrs.field(default=False, validator=boolean)
    compress: bool = attrs.field(default=False, validator=boolean)

    # Bits to add to a read's own. _wire_ttl is the header's record ttl, _transaction_ttl the command's time in ms;
    # _head combines them in one number. A plain read has nothing else in its request but the key's digest.
    _info1: int = _flag()
    _info3: int = _flag()
    _wire_ttl: int = _flag()
    _transaction_ttl: int = _flag()
    _head: int = _flag()
    _plain: bool = _flag()

    def __attrs_post_init__(self) -> None:
        settle_enum(self, "replica", Replica)
        settle_enum(self, "read_mode_ap", ReadModeAP)
        settle_enum(self, "read_mode_sc", ReadModeSC)
        set_field = object.__setattr__
        set_field(self, "_info1", _read_info1(self.read_mode_ap, self.compress))
        set_field(self, "_info3", _SC_INFO3[self.read_mode_sc])
        set_field(self, "_wire_ttl", self.read_touch_ttl_percent & 0xFFFFFFFF)
        set_field(self, "_transaction_ttl", transaction_ttl_of(self.total_timeout))
        set_field(self, "_head", self._info1 | self._info3 << 8 | self._wire_ttl << 16 | self._transaction_ttl << 48)
        set_field(self, "_plain", self.filter_expression is None and not self.send_key)


def _read_info1(read_mode_ap: ReadModeAP, compress: bool) -> int:
    info1 = wire.INFO1_CONSISTENCY_LEVEL_ALL if read_mode_ap is ReadModeAP.ALL else 0
    return info1 | (wire.INFO1_COMPRESS_RESPONSE if compress else 0)


@named_arguments
@attrs.frozen(kw_only=True)
class WritePolicy(_Policy):
    """Policy of writes of one record, and of ``operate``.

    Writes are not retried unless ``max_retries`` says so: one that was sent and not answered may have been applied.

    Args:
        total_timeout: Seconds for the whole command, including retries. The time starts when a connection takes the
            command; a command that waits for a connection fails once its node has answered nothing for that long. Time
            in which the program kept the event loop from reading answers does not count.
        socket_timeout: Seconds without an answer after which an attempt fails.
        max_retries: How often the command is sent again after a timeout, a broken connection or a temporary refusal
            (overload, a hot key). Attempts that were not sent do not count; they are retried until ``total_timeout``.
        sleep_between_retries: As in ReadPolicy.
        exists: What the write does depending on whether the record exists.
        generation_check: The condition on the record's generation.
        generation: The generation that ``generation_check`` compares with.
        ttl: Seconds until the record expires; None (or 0) for the namespace's default, TTL_NEVER_EXPIRE,
            TTL_DONT_UPDATE.
        commit_level: When the write is acknowledged.
        durable_delete: Leave a tombstone when the record is deleted (Enterprise Edition).
        send_key: Store the user key with the record.
        replica: Which replica an ``operate`` that only reads asks. Writes go to the master, and with MASTER to no other
            node; else a retry may go to a replica, which proxies it.
        read_mode_ap, read_mode_sc, read_touch_ttl_percent: As in ReadPolicy, for the reads of ``operate``.
        filter_expression: An expression (:mod:`trio_aerospike.exp`), or its packed bytes, which is how it is stored;
            if it is false or unknown, the command raises FilteredOut.
        respond_all_ops: ``operate`` returns a result for every operation, also for those that return nothing.
        compress: Ask for a compressed answer if ``operate`` reads (Enterprise Edition); requests are not compressed.
    """

    total_timeout: float | None = attrs.field(default=1.0, validator=seconds(none="no limit"))
    socket_timeout: float | None = attrs.field(default=30.0, validator=seconds(none="no limit"))
    max_retries: int = attrs.field(default=0, validator=integer(0))
    sleep_between_retries: float = attrs.field(default=0.0, validator=seconds(zero=True))
    exists: Exists = attrs.field(default=Exists.UPDATE, validator=member(Exists))
    generation_check: GenerationCheck = attrs.field(default=GenerationCheck.IGNORE, validator=member(GenerationCheck))
    generation: int = attrs.field(default=0, validator=integer(0, GENERATION_MAX))
    ttl: int | None = attrs.field(default=None, validator=_valid_ttl)
    commit_level: CommitLevel = attrs.field(default=CommitLevel.ALL, validator=member(CommitLevel))
    durable_delete: bool = attrs.field(default=False, validator=boolean)
    send_key: bool = attrs.field(default=False, validator=boolean)
    replica: Replica = attrs.field(default=Replica.SEQUENCE, validator=member(Replica))
    read_mode_ap: ReadModeAP = attrs.field(default=ReadModeAP.ONE, validator=member(ReadModeAP))
    read_mode_sc: ReadModeSC = attrs.field(default=ReadModeSC.SESSION, validator=member(ReadModeSC))
    read_touch_ttl_percent: int = attrs.field(default=0, validator=integer(-1, 100))
    filter_expression: bytes | None = attrs.field(
        default=None, converter=packed_filter, validator=_valid_filter, repr=shown_filter
    )
    respond_all_ops: bool = attrs.field(default=False, validator=boolean)
    compress: bool = attrs.field(default=False, validator=boolean)

    # Bits to add to a write's own; _read_info1, _read_info3 and _read_wire_ttl are for the reads of operate.
    _info2: int = _flag()
    _info3: int = _flag()
    _generation: int = _flag()
    _wire_ttl: int = _flag()
    _transaction_ttl: int = _flag()
    _read_info1: int = _flag()
    _read_info3: int = _flag()
    _read_wire_ttl: int = _flag()

    def __attrs_post_init__(self) -> None:
        settle_enum(self, "exists", Exists)
        settle_enum(self, "generation_check", GenerationCheck)
        settle_enum(self, "commit_level", CommitLevel)
        settle_enum(self, "replica", Replica)
        settle_enum(self, "read_mode_ap", ReadModeAP)
        settle_enum(self, "read_mode_sc", ReadModeSC)
        info2 = _EXISTS_INFO2.get(self.exists, 0) | _GENERATION_INFO2[self.generation_check]
        if self.durable_delete:
            info2 |= wire.INFO2_DURABLE_DELETE
        info3 = _EXISTS_INFO3.get(self.exists, 0)
        if self.commit_level is CommitLevel.MASTER:
            info3 |= wire.INFO3_COMMIT_LEVEL_MASTER
        checks = self.generation_check is not GenerationCheck.IGNORE
        set_field = object.__setattr__
        set_field(self, "_info2", info2)
        set_field(self, "_info3", info3)
        set_field(self, "_generation", self.generation if checks else 0)
        set_field(self, "_wire_ttl", wire_ttl(self.ttl))
        set_field(self, "_transaction_ttl", transaction_ttl_of(self.total_timeout))
        set_field(self, "_read_info1", _read_info1(self.read_mode_ap, self.compress))
        set_field(self, "_read_info3", _SC_INFO3[self.read_mode_sc])
        set_field(self, "_read_wire_ttl", self.read_touch_ttl_percent & 0xFFFFFFFF)


@named_arguments
@attrs.frozen(kw_only=True)
class BatchPolicy(ReadPolicy):
    """Policy of batches: the fields of ReadPolicy, and those particular to batches.

    Args:
        allow_inline: The server may process the batch in its network threads if the data is in memory.
        allow_inline_ssd: The same if the data is on disk.
        respond_all_keys: Answer every key; else the server stops at the first error.
        concurrency: Whether the nodes are asked concurrently or one after the other.

    Of the fields of ReadPolicy, ``socket_timeout`` is for the whole answer of a node, and ``send_key`` is refused:
    batch reads go by digest alone.
    """

    allow_inline: bool = attrs.field(default=True, validator=boolean)
    allow_inline_ssd: bool = attrs.field(default=False, validator=boolean)
    respond_all_keys: bool = attrs.field(default=True, validator=boolean)
    concurrency: BatchConcurrency = attrs.field(default=BatchConcurrency.PARALLEL, validator=member(BatchConcurrency))

    # The flags byte at the head of the batch field.
    _batch_flags: int = _flag()

    def __attrs_post_init__(self) -> None:
        # attrs makes a slotted copy of the class, in which a bare super() still works.
        super().__attrs_post_init__()
        settle_enum(self, "concurrency", BatchConcurrency)
        flags = (
            (wire.BATCH_INLINE if self.allow_inline else 0)
            | (wire.BATCH_INLINE_SSD if self.allow_inline_ssd else 0)
            | (wire.BATCH_RESPOND_ALL if self.respond_all_keys else 0)
            # If the server stops at an error, it sends the record concerned as well.
            | wire.BATCH_REPORT_ERROR_RECORD
        )
        object.__setattr__(self, "_batch_flags", flags)


@named_arguments
@attrs.frozen(kw_only=True)
class InfoPolicy(_Policy):
    """Policy of info commands.

    Args:
        timeout: Seconds for one node's answer.
    """

    timeout: float | None = attrs.field(default=1.0, validator=seconds(none="no limit"))


@named_arguments
@attrs.frozen(kw_only=True)
class AdminPolicy(_Policy):
    """Policy of commands on users and roles.

    Args:
        timeout: Seconds for the command.
    """

    timeout: float | None = attrs.field(default=1.0, validator=seconds(none="no limit"))
