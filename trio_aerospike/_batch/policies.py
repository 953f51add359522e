"""How the single records of a batch are read, written, removed or worked on.

What concerns the batch as a whole (time, retries, where it is sent) is said by its :class:`BatchPolicy`.
"""

from __future__ import annotations

import attrs

from ..exp import Expression as Expression  # named in the annotations that attrs takes from packed_filter
from ..policies import (
    GENERATION_MAX,
    CommitLevel,
    Exists,
    GenerationCheck,
    ReadModeAP,
    ReadModeSC,
    ReadPolicy,
    WritePolicy,
    _flag,
    _Policy,
    _valid_filter,
    _valid_ttl,
    packed_filter,
    shown_filter,
)
from ..validation import boolean, integer, member, named_arguments, settle_enum


@named_arguments
@attrs.frozen(kw_only=True)
class BatchReadPolicy(_Policy):
    """How a record of a batch is read, where that is not said by the batch's policy.

    Args:
        read_mode_ap: How many copies are consulted in an available namespace.
        read_mode_sc: How consistent the read is in a strongly consistent namespace.
        read_touch_ttl_percent: As in ReadPolicy.
        filter_expression: An expression, or its bytes; where it is false for the record, its
            result is FilteredOut. It stands in place of the batch's.
    """

    read_mode_ap: ReadModeAP = attrs.field(default=ReadModeAP.ONE, validator=member(ReadModeAP))
    read_mode_sc: ReadModeSC = attrs.field(default=ReadModeSC.SESSION, validator=member(ReadModeSC))
    read_touch_ttl_percent: int = attrs.field(default=0, validator=integer(-1, 100))
    filter_expression: bytes | None = attrs.field(
        default=None, converter=packed_filter, validator=_valid_filter, repr=shown_filter
    )

    _info1: int = _flag()
    _info3: int = _flag()
    _wire_ttl: int = _flag()

    def __attrs_post_init__(self) -> None:
        settle_enum(self, "read_mode_ap", ReadModeAP)
        settle_enum(self, "read_mode_sc", ReadModeSC)
        same = ReadPolicy(
            read_mode_ap=self.read_mode_ap,
            read_mode_sc=self.read_mode_sc,
            read_touch_ttl_percent=self.read_touch_ttl_percent,
        )
        _take_over(self, same, "_info1", "_info3", "_wire_ttl")


@named_arguments
@attrs.frozen(kw_only=True)
class BatchWritePolicy(_Policy):
    """How a record of a batch is written.

    Args:
        exists: What happens depending on whether the record exists.
        generation_check: What is demanded of the record's generation.
        generation: The generation that ``generation_check`` compares with.
        ttl: Seconds until the record expires; None (or 0) for the namespace's default, TTL_NEVER_EXPIRE,
            TTL_DONT_UPDATE.
        commit_level: When the write is acknowledged.
        durable_delete: Leave a tombstone where the record is deleted (Enterprise Edition).
        send_key: Store the key itself with the record.
        filter_expression: An expression, or its bytes; where it is false for the record, its
            result is FilteredOut. It stands in place of the batch's.
    """

    exists: Exists = attrs.field(default=Exists.UPDATE, validator=member(Exists))
    generation_check: GenerationCheck = attrs.field(default=GenerationCheck.IGNORE, validator=member(GenerationCheck))
    generation: int = attrs.field(default=0, validator=integer(0, GENERATION_MAX))
    ttl: int | None = attrs.field(default=None, validator=_valid_ttl)
    commit_level: CommitLevel = attrs.field(default=CommitLevel.ALL, validator=member(CommitLevel))
    durable_delete: bool = attrs.field(default=False, validator=boolean)
    send_key: bool = attrs.field(default=False, validator=boolean)
    filter_expression: bytes | None = attrs.field(
        default=None, converter=packed_filter, validator=_valid_filter, repr=shown_filter
    )

    _info2: int = _flag()
    _info3: int = _flag()
    _generation: int = _flag()
    _wire_ttl: int = _flag()

    def __attrs_post_init__(self) -> None:
        settle_enum(self, "exists", Exists)
        settle_enum(self, "generation_check", GenerationCheck)
        settle_enum(self, "commit_level", CommitLevel)
        same = WritePolicy(
            exists=self.exists,
            generation_check=self.generation_check,
            generation=self.generation,
            ttl=self.ttl,
            commit_level=self.commit_level,
            durable_delete=self.durable_delete,
        )
        _take_over(self, same, "_info2", "_info3", "_generation", "_wire_ttl")


@named_arguments
@attrs.frozen(kw_only=True)
class BatchRemovePolicy(_Policy):
    """How a record of a batch is removed.

    Args:
        generation_check: What is demanded of the record's generation.
        generation: The generation that ``generation_check`` compares with.
        commit_level: When the removal is acknowledged.
        durable_delete: Leave a tombstone (Enterprise Edition).
        send_key: Send the key itself beside its digest, for the server to compare.
        filter_expression: As for BatchWritePolicy.
    """

    generation_check: GenerationCheck = attrs.field(default=GenerationCheck.IGNORE, validator=member(GenerationCheck))
    generation: int = attrs.field(default=0, validator=integer(0, GENERATION_MAX))
    commit_level: CommitLevel = attrs.field(default=CommitLevel.ALL, validator=member(CommitLevel))
    durable_delete: bool = attrs.field(default=False, validator=boolean)
    send_key: bool = attrs.field(default=False, validator=boolean)
    filter_expression: bytes | None = attrs.field(
        default=None, converter=packed_filter, validator=_valid_filter, repr=shown_filter
    )

    _info2: int = _flag()
    _info3: int = _flag()
    _generation: int = _flag()

    def __attrs_post_init__(self) -> None:
        settle_enum(self, "generation_check", GenerationCheck)
        settle_enum(self, "commit_level", CommitLevel)
        same = WritePolicy(
            generation_check=self.generation_check,
            generation=self.generation,
            commit_level=self.commit_level,
            durable_delete=self.durable_delete,
        )
        _take_over(self, same, "_info2", "_info3", "_generation")


@named_arguments
@attrs.frozen(kw_only=True)
class BatchApplyPolicy(_Policy):
    """How a user-defined function is run on a record of a batch.

    Args:
        ttl: Seconds until the record expires that the function writes, as for BatchWritePolicy.
        commit_level: When what the function writes is acknowledged.
        durable_delete: Leave a tombstone where the function deletes the record (Enterprise Edition).
        send_key: Store the key itself with the record.
        filter_expression: As for BatchWritePolicy.
    """

    ttl: int | None = attrs.field(default=None, validator=_valid_ttl)
    commit_level: CommitLevel = attrs.field(default=CommitLevel.ALL, validator=member(CommitLevel))
    durable_delete: bool = attrs.field(default=False, validator=boolean)
    send_key: bool = attrs.field(default=False, validator=boolean)
    filter_expression: bytes | None = attrs.field(
        default=None, converter=packed_filter, validator=_valid_filter, repr=shown_filter
    )

    _info2: int = _flag()
    _info3: int = _flag()
    _wire_ttl: int = _flag()

    def __attrs_post_init__(self) -> None:
        settle_enum(self, "commit_level", CommitLevel)
        same = WritePolicy(commit_level=self.commit_level, durable_delete=self.durable_delete, ttl=self.ttl)
        _take_over(self, same, "_info2", "_info3", "_wire_ttl")


def _take_over(policy: object, same: object, *names: str) -> None:
    """What the fields mean on the wire is the same as for a command on one record."""
    for name in names:
        object.__setattr__(policy, name, getattr(same, name))
