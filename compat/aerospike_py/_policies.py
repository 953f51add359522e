"""Policies and metas as aerospike_py writes them, turned into those of trio_aerospike.

The dicts hold milliseconds (0: no limit) and the POLICY_ and TTL_ constants. What aerospike_py 0.14.4 leaves open or
ignores is settled here:

* A key that does not exist is an error that names the nearest right one; so is a value of a wrong type.
* Where a policy and a meta both set a field (``ttl``, ``key``, ``exists``, ``commit_level``, ``durable_delete``) the
  policy's value counts, as in aerospike_py.
* ``gen`` of a meta is the generation that the record must have; ``gen`` of a policy is how it is compared, and without
  one the generations must be equal.
* ``timeout_delay`` is checked and has no effect: it delays the closing of connections after a timeout, and here a late
  answer never costs a connection.
* The fields of a BatchPolicy that concern writes are checked and have no effect on a batch that reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from trio_aerospike.policies import (
    TTL_DONT_UPDATE,
    TTL_MAX,
    AdminPolicy,
    BatchConcurrency,
    BatchPolicy,
    CommitLevel,
    Exists,
    GenerationCheck,
    InfoPolicy,
    ReadModeAP,
    ReadPolicy,
    Replica,
    WritePolicy,
)
from trio_aerospike.validation import checked_int, refused, unknown_name

from . import _constants as constants

P = TypeVar("P")

#: Turns the value of one field; gets the field's full name for its refusals.
Converter = Callable[[str, Any], Any]
#: A field's name in trio_aerospike (None: it has no effect) and its converter.
Fields = Mapping[str, tuple[str | None, Converter]]

#: The largest number of milliseconds that a timeout may be: eleven days.
MILLISECONDS_MAX: Final = 1_000_000_000


def _limit(where: str, value: Any) -> float | None:
    checked_int(where, value, 0, MILLISECONDS_MAX, " in milliseconds, 0 for no limit")
    return value / 1000.0 if value else None


def _milliseconds(where: str, value: Any) -> float:
    return checked_int(where, value, 0, MILLISECONDS_MAX, " in milliseconds") / 1000.0


def _count(where: str, value: Any) -> int:
    return checked_int(where, value, 0)


def _percent(where: str, value: Any) -> int:
    return checked_int(where, value, -1, 100, ", or a READ_TOUCH_TTL_PERCENT_ constant")


def _flag(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise refused(where, value, "True or False")
    return value


def _filter(where: str, value: Any) -> bytes | None:
    if value is None or (isinstance(value, bytes) and value):
        return value
    from ._expressions import packed_filter  # most programs have no filter, and all of them wait for imports

    return packed_filter(where, value)


def _ttl(where: str, value: Any) -> int | None:
    if value == constants.TTL_CLIENT_DEFAULT and type(value) is int:
        return None  # the client's default is the namespace's
    note = " in seconds, or a TTL_ constant"
    return checked_int(where, value, TTL_DONT_UPDATE, TTL_MAX, note) or None


def _generation(where: str, value: Any) -> int:
    return checked_int(where, value, 0, 0xFFFF)


def _choice(prefix: str, members: Mapping[int, Any]) -> Converter:
    names = {name: getattr(constants, name) for name in constants.__all__ if name.startswith(prefix)}
    allowed = ", ".join(f"{name} ({number})" for name, number in sorted(names.items(), key=lambda item: item[1]))

    def convert(where: str, value: Any) -> Any:
        if type(value) is bool or not isinstance(value, int) or value not in members:
            raise refused(where, value, allowed)
        return members[value]

    return convert


_KEY = _choice("POLICY_KEY_", {constants.POLICY_KEY_DIGEST: False, constants.POLICY_KEY_SEND: True})
# POLICY_EXISTS_UPDATE and POLICY_EXISTS_UPDATE_ONLY are one number, and it means "only if the record exists".
_EXISTS = _choice(
    "POLICY_EXISTS_",
    {
        constants.POLICY_EXISTS_IGNORE: Exists.UPDATE,
        constants.POLICY_EXISTS_UPDATE_ONLY: Exists.UPDATE_ONLY,
        constants.POLICY_EXISTS_REPLACE: Exists.REPLACE,
        constants.POLICY_EXISTS_REPLACE_ONLY: Exists.REPLACE_ONLY,
        constants.POLICY_EXISTS_CREATE_ONLY: Exists.CREATE_ONLY,
    },
)
_GENERATION_CHECK = _choice(
    "POLICY_GEN_",
    {
        constants.POLICY_GEN_IGNORE: GenerationCheck.IGNORE,
        constants.POLICY_GEN_EQ: GenerationCheck.EQUAL,
        constants.POLICY_GEN_GT: GenerationCheck.GREATER,
    },
)
_COMMIT = _choice(
    "POLICY_COMMIT_LEVEL_",
    {
        constants.POLICY_COMMIT_LEVEL_ALL: CommitLevel.ALL,
        constants.POLICY_COMMIT_LEVEL_MASTER: CommitLevel.MASTER,
    },
)
_REPLICA = _choice(
    "POLICY_REPLICA_",
    {
        constants.POLICY_REPLICA_MASTER: Replica.MASTER,
        constants.POLICY_REPLICA_SEQUENCE: Replica.SEQUENCE,
        constants.POLICY_REPLICA_PREFER_RACK: Replica.PREFER_RACK,
    },
)
_READ_MODE = _choice(
    "POLICY_READ_MODE_AP_",
    {constants.POLICY_READ_MODE_AP_ONE: ReadModeAP.ONE, constants.POLICY_READ_MODE_AP_ALL: ReadModeAP.ALL},
)
_CONCURRENCY = _choice(
    "BATCH_CONCURRENCY_",
    {
        constants.BATCH_CONCURRENCY_SEQUENTIAL: BatchConcurrency.SEQUENTIAL,
        constants.BATCH_CONCURRENCY_PARALLEL: BatchConcurrency.PARALLEL,
    },
)

_BASE: Final[Fields] = {
    "socket_timeout": ("socket_timeout", _limit),
    "total_timeout": ("total_timeout", _limit),
    "max_retries": ("max_retries", _count),
    "sleep_between_retries": ("sleep_between_retries", _milliseconds),
    "timeout_delay": (None, _milliseconds),
    "filter_expression": ("filter_expression", _filter),
    "replica": ("replica", _REPLICA),
    "read_mode_ap": ("read_mode_ap", _READ_MODE),
    "read_touch_ttl_percent": ("read_touch_ttl_percent", _percent),
}
_WRITING: Final[Fields] = {
    "key": ("send_key", _KEY),
    "exists": ("exists", _EXISTS),
    "gen": ("generation_check", _GENERATION_CHECK),
    "commit_level": ("commit_level", _COMMIT),
    "durable_delete": ("durable_delete", _flag),
    "ttl": ("ttl", _ttl),
}
_READ_FIELDS: Final[Fields] = _BASE
_WRITE_FIELDS: Final[Fields] = {**_BASE, **_WRITING}
_META_FIELDS: Final[Fields] = {**_WRITING, "gen": ("generation", _generation)}
_BATCH_FIELDS: Final[Fields] = {
    **_BASE,
    "allow_inline": ("allow_inline", _flag),
    "allow_inline_ssd": ("allow_inline_ssd", _flag),
    "respond_all_keys": ("respond_all_keys", _flag),
    "concurrency": ("concurrency", _CONCURRENCY),
    **{name: (None, converter) for name, (_, converter) in _WRITING.items()},
}
_INFO_FIELDS: Final[Fields] = {"timeout": ("timeout", _limit)}


def _converted(owner: str, given: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise refused(owner, given, f"a dict of {', '.join(fields)}")
    result: dict[str, Any] = {}
    for name, value in given.items():
        field = fields.get(name)
        if field is None:
            raise unknown_name(owner, name, tuple(fields))
        native, converter = field
        converted = converter(f"{owner}[{name!r}]", value)
        if native is not None:
            result[native] = converted
    return result


# Programs use a handful of policies, and mostly as literals in the call: the same content gives the same object. The
# types are part of the key, for 1, 1.0 and True are equal and not all of them right.
_known: dict[tuple[object, ...], Any] = {}
_KNOWN_MAX = 512


def _remembered(
    build: Callable[[Mapping[str, Any], Mapping[str, Any], int], P],
    policy: Mapping[str, Any],
    meta: Mapping[str, Any] = {},
    ttl: int = 0,
) -> P:
    try:
        key = (
            build,
            tuple(policy.items()),
            tuple(map(type, policy.values())),
            tuple(meta.items()),
            tuple(map(type, meta.values())),
            ttl,
            type(ttl),
        )
        found: P | None = _known.get(key)
    except (AttributeError, TypeError):
        return build(policy, meta, ttl)  # no dict, or something in it that cannot be a key: let it be refused
    if found is None:
        found = build(policy, meta, ttl)
        if len(_known) >= _KNOWN_MAX:
            _known.clear()
        _known[key] = found
    return found


def _build_read(policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int) -> ReadPolicy:
    return ReadPolicy(**_converted("policy", policy, _READ_FIELDS))


def _build_batch(policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int) -> BatchPolicy:
    return BatchPolicy(**_converted("policy", policy, _BATCH_FIELDS))


def _build_info(policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int) -> InfoPolicy:
    return InfoPolicy(**_converted("policy", policy, _INFO_FIELDS))


def _build_admin(policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int) -> AdminPolicy:
    return AdminPolicy(**_converted("policy", policy, _INFO_FIELDS))


def _build_write(policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int) -> WritePolicy:
    fields = _converted("meta", meta, _META_FIELDS)
    if "generation" in fields:
        fields["generation_check"] = GenerationCheck.EQUAL
    fields.update(_converted("policy", policy, _WRITE_FIELDS))
    if ttl:
        fields["ttl"] = _ttl("val", ttl)
    return WritePolicy(**fields)


def read_policy(policy: Mapping[str, Any] | None) -> ReadPolicy | None:
    """The policy of a read; None where nothing is set.

    Raises:
        InvalidArgError: An unknown key, or a value that is not allowed.
    """
    return None if policy is None else _remembered(_build_read, policy)


def write_policy(
    policy: Mapping[str, Any] | None, meta: Mapping[str, Any] | None = None, *, ttl: int = 0
) -> WritePolicy | None:
    """The policy of a write, with what its meta sets; None where nothing is set.

    Args:
        policy: A WritePolicy.
        meta: A WriteMeta.
        ttl: A time to live given as an argument, which counts before the others; 0 when it was not.

    Raises:
        InvalidArgError: An unknown key, or a value that is not allowed.
    """
    if policy is None and meta is None and ttl == 0 and type(ttl) is int:
        return None
    return _remembered(_build_write, {} if policy is None else policy, {} if meta is None else meta, ttl)


def batch_policy(policy: Mapping[str, Any] | None) -> BatchPolicy | None:
    """The policy of a batch, but for how its rows are written; None where nothing is set.

    Raises:
        InvalidArgError: An unknown key, or a value that is not allowed.
    """
    return None if policy is None else _remembered(_build_batch, policy)


def info_policy(policy: Mapping[str, Any] | None) -> InfoPolicy | None:
    """The policy of an info command; None where nothing is set.

    Raises:
        InvalidArgError: An unknown key, or a value that is not allowed.
    """
    return None if policy is None else _remembered(_build_info, policy)


def admin_policy(policy: Mapping[str, Any] | None) -> AdminPolicy | None:
    """The policy of a command on users and roles; None where nothing is set.

    Raises:
        InvalidArgError: An unknown key, or a value that is not allowed.
    """
    return None if policy is None else _remembered(_build_admin, policy)
