"""The fields of all policies and metas of aerospike_py: their names, conversion and names in trio_aerospike.

A field is described once and belongs to the tables of the policies that have it; ``types`` declares its type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from trio_aerospike.errors import InvalidArgError
from trio_aerospike.policies import (
    TTL_DONT_UPDATE,
    TTL_MAX,
    TTL_NEVER_EXPIRE,
    BatchConcurrency,
    CommitLevel,
    Exists,
    GenerationCheck,
    ReadModeAP,
    Replica,
)
from trio_aerospike.query import QueryDuration
from trio_aerospike.validation import checked_int, refused, shown

from .. import _constants as constants
from .partitions import native_partitions

#: Converts the value of one field; gets the field's full name, for error messages.
Converter = Callable[[str, Any], Any]


class Field(NamedTuple):
    """A field of a policy.

    Attributes:
        native: Its name in trio_aerospike; None: it has no effect.
        convert: Converts its value.
        number: Whether True and False stand for 1 and 0, as they do where Python takes an int.
        checked: Whether its value is validated outside of strict mode.
    """

    native: str | None
    convert: Converter
    number: bool = True
    checked: bool = True


#: The fields of a policy by name.
Fields = Mapping[str, Field]

#: The largest number of milliseconds that a timeout may be, as in aerospike_py: 49 days.
MILLISECONDS_MAX: Final = 0xFFFFFFFF


def _limit(where: str, value: Any) -> float | None:
    checked_int(where, value, 0, MILLISECONDS_MAX, " in milliseconds, 0 for no limit")
    return value / 1000.0 if value else None


def _milliseconds(where: str, value: Any) -> float:
    return checked_int(where, value, 0, MILLISECONDS_MAX, " in milliseconds") / 1000.0


def checked_count(where: str, value: Any) -> int:
    """Check that a value is an int from 0 on."""
    return checked_int(where, value, 0)


def _percent(where: str, value: Any) -> int:
    if type(value) is int and not -1 <= value <= 100:
        raise InvalidArgError(
            f"{where}: read_touch_ttl_percent out of range: got {shown(value)}, allowed: an int from -1 to 100, or a "
            "READ_TOUCH_TTL_PERCENT_ constant"
        )
    return checked_int(where, value, -1, 100, ", or a READ_TOUCH_TTL_PERCENT_ constant")


def checked_flag(where: str, value: Any) -> bool:
    """Check that a value is a bool."""
    if not isinstance(value, bool):
        raise refused(where, value, "True or False")
    return value


def _filter(where: str, value: Any) -> bytes | None:
    if value is None or (isinstance(value, bytes) and value):
        return value
    from .expressions import packed_filter  # loaded by the first filter: most programs have none

    return packed_filter(where, value)


def checked_ttl(where: str, value: Any) -> int | None:
    if value == constants.TTL_CLIENT_DEFAULT and type(value) is int:
        return None  # the client's default is the namespace's
    if type(value) is int:
        value = _TTL_UNSIGNED.get(value, value)
        if not TTL_DONT_UPDATE <= value <= TTL_MAX:
            raise InvalidArgError(f"{where}: ttl out of range: got {shown(value)}, allowed: {_TTL_ALLOWED}")
    return checked_int(where, value, TTL_DONT_UPDATE, TTL_MAX, " in seconds, or a TTL_ constant") or None


_TTL_ALLOWED: Final = f"an int from {TTL_DONT_UPDATE} to {TTL_MAX} in seconds, or a TTL_ constant"
#: Times to live as they travel; a record that never expires is read with the first.
_TTL_UNSIGNED: Final = {0xFFFFFFFF: TTL_NEVER_EXPIRE, 0xFFFFFFFE: TTL_DONT_UPDATE}


def _generation(where: str, value: Any) -> int:
    return checked_int(where, value, 0, 0xFFFF)


def choice(prefix: str, members: Mapping[int, Any]) -> Converter:
    """Make the converter of a field that takes one of several constants.

    Args:
        prefix: The beginning of the constants' names.
        members: The values of trio_aerospike by constant.
    """
    names = {name: getattr(constants, name) for name in constants.__all__ if name.startswith(prefix)}
    names = {name: number for name, number in names.items() if number in members}
    allowed = ", ".join(f"{name} ({number})" for name, number in sorted(names.items(), key=lambda item: item[1]))

    def convert(where: str, value: Any) -> Any:
        if type(value) is bool or not isinstance(value, int) or value not in members:
            raise refused(where, value, allowed)
        return members[value]

    return convert


_KEY = choice("POLICY_KEY_", {constants.POLICY_KEY_DIGEST: False, constants.POLICY_KEY_SEND: True})
# POLICY_EXISTS_UPDATE and POLICY_EXISTS_UPDATE_ONLY are one number, and it means "only if the record exists".
_EXISTS = choice(
    "POLICY_EXISTS_",
    {
        constants.POLICY_EXISTS_IGNORE: Exists.UPDATE,
        constants.POLICY_EXISTS_UPDATE_ONLY: Exists.UPDATE_ONLY,
        constants.POLICY_EXISTS_REPLACE: Exists.REPLACE,
        constants.POLICY_EXISTS_REPLACE_ONLY: Exists.REPLACE_ONLY,
        constants.POLICY_EXISTS_CREATE_ONLY: Exists.CREATE_ONLY,
    },
)
_GENERATION_CHECK = choice(
    "POLICY_GEN_",
    {
        constants.POLICY_GEN_IGNORE: GenerationCheck.IGNORE,
        constants.POLICY_GEN_EQ: GenerationCheck.EQUAL,
        constants.POLICY_GEN_GT: GenerationCheck.GREATER,
    },
)
_COMMIT = choice(
    "POLICY_COMMIT_LEVEL_",
    {
        constants.POLICY_COMMIT_LEVEL_ALL: CommitLevel.ALL,
        constants.POLICY_COMMIT_LEVEL_MASTER: CommitLevel.MASTER,
    },
)
_replica_number = choice(
    "POLICY_REPLICA_",
    {constants.POLICY_REPLICA_MASTER: Replica.MASTER, constants.POLICY_REPLICA_SEQUENCE: Replica.SEQUENCE},
)


def _replica(where: str, value: Any) -> Any:
    if type(value) is int and value == constants.POLICY_REPLICA_PREFER_RACK:
        raise InvalidArgError(
            f"{where}: got POLICY_REPLICA_PREFER_RACK (2) without configuring racks, which the client's configuration "
            "has no field for; allowed: POLICY_REPLICA_MASTER (0), POLICY_REPLICA_SEQUENCE (1)"
        )
    return _replica_number(where, value)


_READ_MODE = choice(
    "POLICY_READ_MODE_AP_",
    {constants.POLICY_READ_MODE_AP_ONE: ReadModeAP.ONE, constants.POLICY_READ_MODE_AP_ALL: ReadModeAP.ALL},
)
_CONCURRENCY = choice(
    "BATCH_CONCURRENCY_",
    {
        constants.BATCH_CONCURRENCY_SEQUENTIAL: BatchConcurrency.SEQUENTIAL,
        constants.BATCH_CONCURRENCY_PARALLEL: BatchConcurrency.PARALLEL,
    },
)

BASE_FIELDS: Final[Fields] = {
    "socket_timeout": Field("socket_timeout", _limit),
    "total_timeout": Field("total_timeout", _limit),
    "max_retries": Field("max_retries", checked_count),
    "sleep_between_retries": Field("sleep_between_retries", _milliseconds),
    "timeout_delay": Field(None, _milliseconds),
    "filter_expression": Field("filter_expression", _filter, number=False),
    "replica": Field("replica", _replica),
    "read_mode_ap": Field("read_mode_ap", _READ_MODE),
    "read_touch_ttl_percent": Field("read_touch_ttl_percent", _percent),
}
WRITE_ONLY_FIELDS: Final[Fields] = {
    "key": Field("send_key", _KEY),
    "exists": Field("exists", _EXISTS),
    "gen": Field("generation_check", _GENERATION_CHECK),
    "commit_level": Field("commit_level", _COMMIT),
    "durable_delete": Field("durable_delete", checked_flag, number=False),
    "ttl": Field("ttl", checked_ttl),
}


def without_effect(fields: Fields) -> Fields:
    """Return the fields as those of a policy in which they have no effect."""
    return {name: field._replace(native=None, checked=False) for name, field in fields.items()}


READ_FIELDS: Final[Fields] = BASE_FIELDS
WRITE_FIELDS: Final[Fields] = {
    **BASE_FIELDS,
    **without_effect({"replica": BASE_FIELDS["replica"]}),
    **WRITE_ONLY_FIELDS,
}
META_FIELDS: Final[Fields] = {**WRITE_ONLY_FIELDS, "gen": Field("generation", _generation)}
BATCH_FIELDS: Final[Fields] = {
    **BASE_FIELDS,
    "allow_inline": Field("allow_inline", checked_flag, number=False),
    "allow_inline_ssd": Field("allow_inline_ssd", checked_flag, number=False),
    "respond_all_keys": Field("respond_all_keys", checked_flag, number=False),
    "concurrency": Field("concurrency", _CONCURRENCY),
    **without_effect(WRITE_ONLY_FIELDS),
}
INFO_FIELDS: Final[Fields] = {"timeout": Field("timeout", _limit)}
QUERY_FIELDS: Final[Fields] = {
    **{name: BASE_FIELDS[name] for name in ("socket_timeout", "total_timeout", "max_retries", "sleep_between_retries")},
    "replica": BASE_FIELDS["replica"],
    "expected_duration": Field(
        "expected_duration",
        choice(
            "QUERY_DURATION_",
            {
                constants.QUERY_DURATION_LONG: QueryDuration.LONG,
                constants.QUERY_DURATION_SHORT: QueryDuration.SHORT,
                constants.QUERY_DURATION_LONG_RELAX_AP: QueryDuration.LONG_RELAX_AP,
            },
        ),
    ),
    "filter_expression": BASE_FIELDS["filter_expression"],
    "max_records": Field("max_records", checked_count),
    "records_per_second": Field("records_per_second", checked_count),
    "partition_filter": Field("partitions", native_partitions, number=False),
    "include_bin_data": Field("include_bin_data", checked_flag, number=False),
    # These have no effect: queries read, from masters, from all nodes at once, with back-pressure of their own.
    "timeout_delay": BASE_FIELDS["timeout_delay"],
    "read_mode_ap": BASE_FIELDS["read_mode_ap"]._replace(native=None),
    "read_touch_ttl_percent": BASE_FIELDS["read_touch_ttl_percent"]._replace(native=None),
    "max_concurrent_nodes": Field(None, checked_count),
    "record_queue_size": Field(None, checked_count),
    **without_effect({name: WRITE_ONLY_FIELDS[name] for name in ("durable_delete", "ttl")}),
}
_REMOVE_NAMES: Final = ("gen", "key", "commit_level", "durable_delete")
_APPLY_NAMES: Final = ("ttl", "key", "commit_level", "durable_delete")
REMOVE_FIELDS: Final[Fields] = {name: WRITE_ONLY_FIELDS[name] for name in _REMOVE_NAMES}
REMOVE_META_FIELDS: Final[Fields] = {**REMOVE_FIELDS, "gen": META_FIELDS["gen"]}
APPLY_FIELDS: Final[Fields] = {name: WRITE_ONLY_FIELDS[name] for name in _APPLY_NAMES}
#: Fields in the meta of a row of ``batch_apply`` that name the function and its arguments.
CALL_FIELDS: Final = ("module", "function", "args")
APPLY_META_FIELDS: Final[Fields] = {
    **APPLY_FIELDS,
    **{name: Field(None, lambda where, value: value, checked=False) for name in CALL_FIELDS},
}
#: The names of all fields of all policies.
ALL_NAMES: Final = frozenset((*WRITE_FIELDS, *BATCH_FIELDS, *INFO_FIELDS, *QUERY_FIELDS))
