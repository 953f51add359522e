"""Convert policies and metas of aerospike_py into those of trio_aerospike.

The dicts hold milliseconds (0: no limit) and the POLICY_ and TTL_ constants. As in aerospike_py 0.14.4, one dict may be
passed to every call:

* A field that another kind of policy has is accepted and has no effect.
* A field that no policy has is accepted and has no effect; the first use of its name warns, with the nearest right
  name.
* In strict mode (see :func:`reader_for`) both are refused.
* A value of a wrong type or size is refused.
* Where a policy and a meta both set a field (``ttl``, ``key``, ``exists``, ``commit_level``, ``durable_delete``) the
  policy's value counts, as in aerospike_py.
* ``gen`` of a meta is the generation that the record must have; ``gen`` of a policy is how it is compared, and without
  one the generations must be equal.
* ``timeout_delay`` is checked and has no effect: it delays the closing of connections after a timeout, and here a late
  answer never costs a connection.
* The fields of a BatchPolicy that concern writes have no effect on a batch that reads.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from trio_aerospike.errors import InvalidArgError
from trio_aerospike.policies import (
    TTL_DONT_UPDATE,
    TTL_MAX,
    TTL_NEVER_EXPIRE,
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
from trio_aerospike.validation import checked_int, refused, shown, unknown_name

from .. import _constants as constants

P = TypeVar("P")

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


def _ttl(where: str, value: Any) -> int | None:
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
    "ttl": Field("ttl", _ttl),
}


def without_effect(fields: Fields) -> Fields:
    """Return the fields as those of a policy in which they have no effect."""
    return {name: field._replace(native=None, checked=False) for name, field in fields.items()}


_READ_FIELDS: Final[Fields] = BASE_FIELDS
_WRITE_FIELDS: Final[Fields] = {
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
_INFO_FIELDS: Final[Fields] = {"timeout": Field("timeout", _limit)}
#: The names of all fields of all policies: those above, and those of queries.
_NAMES: Final = frozenset((*_WRITE_FIELDS, *BATCH_FIELDS, *_INFO_FIELDS)).union(
    (
        *("expected_duration", "max_records", "records_per_second", "partition_filter", "include_bin_data"),
        *("max_concurrent_nodes", "record_queue_size"),
    )
)

# Unknown names that were warned about, each with its owner. The bound is for programs that generate names.
_warned: set[tuple[str, str]] = set()
_WARNED_MAX = 4096


def warn_of_unknown(owner: str, name: object, known: Collection[str]) -> None:
    """Warn, once per name, about an unknown field, which has no effect.

    Args:
        owner: The policy, meta or configuration that has the field.
        name: The field's name.
        known: The names of fields that exist.
    """
    # str() of a subclass could run the program's code.
    place = (owner, name if type(name) is str else shown(name))
    if place in _warned or len(_warned) >= _WARNED_MAX:
        return
    _warned.add(place)
    warnings.warn(
        f"{unknown_name(owner, name, known)}. It has no effect, as in aerospike-py; {STRICT_VARIABLE}=1 or "
        f"{STRICT_KEY!r} in the client's configuration refuses it",
        UserWarning,
        stacklevel=2,
    )


# Converted policies are cached by content: programs use few, mostly as literals in the call.
_KNOWN_MAX = 512


class PolicyReader:
    """Convert policies and metas into those of trio_aerospike.

    Args:
        strict: Refuse fields that have no effect, instead of ignoring them.
    """

    __slots__ = ("_known", "strict")

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self._known: dict[tuple[object, ...], Any] = {}

    def converted(self, owner: str, given: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
        """Convert the fields of a dict; the result has their names in trio_aerospike.

        Args:
            owner: What the dict is, for error messages.
            given: The dict.
            fields: The fields of the policy.

        Raises:
            InvalidArgError: A value is not allowed; in strict mode, a field does not exist.
        """
        if not isinstance(given, Mapping):
            raise refused(owner, given, f"a dict of {', '.join(fields)}")
        result: dict[str, Any] = {}
        strict = self.strict
        for name, value in given.items():
            field = fields.get(name)
            if field is None:
                if strict:
                    raise unknown_name(owner, name, tuple(fields))
                if name not in _NAMES:
                    warn_of_unknown(owner, name, tuple(fields))
                continue
            if not (field.checked or strict):
                continue
            if type(value) is bool and field.number and not strict:
                value = int(value)
            converted = field.convert(f"{owner}[{name!r}]", value)
            if field.native is not None:
                result[field.native] = converted
        return result

    def remembered(
        self,
        build: Callable[[PolicyReader, Mapping[str, Any], Mapping[str, Any], int], P],
        policy: Mapping[str, Any],
        meta: Mapping[str, Any] = {},
        ttl: int = 0,
    ) -> P:
        """Return what ``build`` makes of a policy and a meta, cached by their content."""
        try:
            # The types are part of the key because 1, 1.0 and True are equal, but not all of them valid.
            key = (
                build,
                tuple(policy.items()),
                tuple(map(type, policy.values())),
                tuple(meta.items()),
                tuple(map(type, meta.values())),
                ttl,
                type(ttl),
            )
            found: P | None = self._known.get(key)
        except (AttributeError, TypeError):
            return build(self, policy, meta, ttl)  # not a dict, or something in it is not hashable
        if found is None:
            found = build(self, policy, meta, ttl)
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[key] = found
        return found

    def read(self, policy: Mapping[str, Any] | None) -> ReadPolicy | None:
        """Convert the policy of a read; None if it sets nothing.

        Raises:
            InvalidArgError: A value is not allowed; in strict mode, a field does not exist.
        """
        return None if policy is None else self.remembered(_build_read, policy)

    def write(
        self, policy: Mapping[str, Any] | None, meta: Mapping[str, Any] | None = None, *, ttl: int = 0
    ) -> WritePolicy | None:
        """Convert the policy of a write, with what its meta sets; None if nothing is set.

        Args:
            policy: A WritePolicy.
            meta: A WriteMeta.
            ttl: The argument for the time to live, which takes precedence over both; 0 if it was not given.

        Raises:
            InvalidArgError: A value is not allowed; in strict mode, a field does not exist.
        """
        if policy is None and meta is None and ttl == 0 and type(ttl) is int:
            return None
        return self.remembered(_build_write, {} if policy is None else policy, {} if meta is None else meta, ttl)

    def batch(self, policy: Mapping[str, Any] | None) -> BatchPolicy | None:
        """Convert the policy of a batch, except for how its rows are written; None if it sets nothing.

        Raises:
            InvalidArgError: A value is not allowed; in strict mode, a field does not exist.
        """
        return None if policy is None else self.remembered(_build_batch, policy)

    def info(self, policy: Mapping[str, Any] | None) -> InfoPolicy | None:
        """Convert the policy of an info command; None if it sets nothing.

        Raises:
            InvalidArgError: A value is not allowed; in strict mode, a field does not exist.
        """
        return None if policy is None else self.remembered(_build_info, policy)

    def admin(self, policy: Mapping[str, Any] | None) -> AdminPolicy | None:
        """Convert the policy of a command on users and roles; None if it sets nothing.

        Raises:
            InvalidArgError: A value is not allowed; in strict mode, a field does not exist.
        """
        return None if policy is None else self.remembered(_build_admin, policy)


_TOLERANT: Final = PolicyReader(strict=False)
_STRICT: Final = PolicyReader(strict=True)
#: Switch strict mode on: the environment variable for every client, the configuration's field for one.
STRICT_VARIABLE: Final = "AEROSPIKE_PY_STRICT"
STRICT_KEY: Final = "strict"


def reader_for(strict: bool | None = None) -> PolicyReader:
    """Return the policy reader for a client.

    Args:
        strict: The setting in the client's configuration; None: that of the environment variable AEROSPIKE_PY_STRICT
            (``1``, ``true``, ``yes`` or ``on``).
    """
    if strict is None:
        strict = os.environ.get(STRICT_VARIABLE, "").strip().lower() in ("1", "true", "yes", "on")
    return _STRICT if strict else _TOLERANT


def _build_read(reader: PolicyReader, policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int) -> ReadPolicy:
    return ReadPolicy(**reader.converted("policy", policy, _READ_FIELDS))


def _build_batch(reader: PolicyReader, policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int) -> BatchPolicy:
    return BatchPolicy(**reader.converted("policy", policy, BATCH_FIELDS))


def _build_info(reader: PolicyReader, policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int) -> InfoPolicy:
    return InfoPolicy(**reader.converted("policy", policy, _INFO_FIELDS))


def _build_admin(reader: PolicyReader, policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int) -> AdminPolicy:
    return AdminPolicy(**reader.converted("policy", policy, _INFO_FIELDS))


def _build_write(reader: PolicyReader, policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int) -> WritePolicy:
    fields = reader.converted("meta", meta, META_FIELDS)
    if "generation" in fields:
        fields["generation_check"] = GenerationCheck.EQUAL
    fields.update(reader.converted("policy", policy, _WRITE_FIELDS))
    if ttl != 0 or type(ttl) is not int:
        fields["ttl"] = argument_ttl("val", ttl, reader.strict)
    return WritePolicy(**fields)


def argument_ttl(where: str, value: Any, strict: bool = False) -> int | None:
    """Check the argument for a time to live; None for the namespace's default.

    Raises:
        InvalidArgError: It is not allowed.
    """
    return _ttl(where, int(value) if type(value) is bool and not strict else value)
