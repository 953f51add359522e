"""Convert the policies and metas of a batch's rows: how each is written, removed or given to a function.

The fields of a BatchPolicy that concern writes apply to all rows; the meta of a row takes precedence over them.
Commands on single records have it the other way round. Both are as in aerospike_py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trio_aerospike.batch import BatchApplyPolicy, BatchRemovePolicy, BatchWritePolicy
from trio_aerospike.policies import GenerationCheck
from trio_aerospike.validation import refused

from .policies import PolicyReader, argument_ttl
from .policy_fields import (
    APPLY_FIELDS,
    APPLY_META_FIELDS,
    BATCH_FIELDS,
    META_FIELDS,
    REMOVE_FIELDS,
    REMOVE_META_FIELDS,
    WRITE_ONLY_FIELDS,
    Fields,
)


def _of_batch(reader: PolicyReader, policy: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """Convert the fields of a BatchPolicy that concern rows; the others are checked with the batch's own policy."""
    if not isinstance(policy, Mapping):
        raise refused("policy", policy, f"a dict of {', '.join(BATCH_FIELDS)}")
    return reader.converted("policy", {name: value for name, value in policy.items() if name in fields}, fields)


def _with_meta(reader: PolicyReader, fields: dict[str, Any], meta: Mapping[str, Any], names: Fields) -> dict[str, Any]:
    own = reader.converted("meta", meta, names)
    if "generation" in own:
        own["generation_check"] = GenerationCheck.EQUAL
    return fields | own


def _build_write(
    reader: PolicyReader, policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int
) -> BatchWritePolicy:
    fields = _with_meta(reader, _of_batch(reader, policy, WRITE_ONLY_FIELDS), meta, META_FIELDS)
    if ttl != 0 or type(ttl) is not int:
        fields["ttl"] = argument_ttl("val", ttl, reader.strict)
    return BatchWritePolicy(**fields)


def _build_remove(
    reader: PolicyReader, policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int
) -> BatchRemovePolicy:
    return BatchRemovePolicy(**_with_meta(reader, _of_batch(reader, policy, REMOVE_FIELDS), meta, REMOVE_META_FIELDS))


def _build_apply(
    reader: PolicyReader, policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int
) -> BatchApplyPolicy:
    return BatchApplyPolicy(**_with_meta(reader, _of_batch(reader, policy, APPLY_FIELDS), meta, APPLY_META_FIELDS))


def row_write_policy(
    reader: PolicyReader,
    policy: Mapping[str, Any] | None,
    meta: Mapping[str, Any] | None = None,
    *,
    ttl: int = 0,
) -> BatchWritePolicy:
    """Convert the policy and meta of a row that is written.

    Args:
        reader: The client's policy reader.
        policy: The batch's BatchPolicy.
        meta: The row's WriteMeta.
        ttl: The time to live that an operation sets, which takes precedence over both; 0 if no operation sets one.

    Raises:
        InvalidArgError: A value is not allowed; in strict mode, a field does not exist.
    """
    return reader.remembered(_build_write, policy or {}, meta or {}, ttl)


def row_remove_policy(
    reader: PolicyReader,
    policy: Mapping[str, Any] | None,
    meta: Mapping[str, Any] | None = None,
) -> BatchRemovePolicy:
    """Convert the policy and meta of a row that is removed.

    Args:
        reader: The client's policy reader.
        policy: The batch's BatchPolicy, or BatchDeletePolicy.
        meta: The row's BatchDeleteMeta.

    Raises:
        InvalidArgError: A value is not allowed; in strict mode, a field does not exist.
    """
    return reader.remembered(_build_remove, policy or {}, meta or {})


def row_apply_policy(
    reader: PolicyReader,
    policy: Mapping[str, Any] | None,
    meta: Mapping[str, Any] | None = None,
) -> BatchApplyPolicy:
    """Convert the policy and meta of a row that a function runs on.

    Args:
        reader: The client's policy reader.
        policy: The batch's BatchPolicy, or BatchUDFPolicy.
        meta: The row's BatchUDFMeta, without the fields that name the function and its arguments.

    Raises:
        InvalidArgError: A value is not allowed; in strict mode, a field does not exist.
    """
    return reader.remembered(_build_apply, policy or {}, meta or {})
