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
from typing import Any, Final, TypeVar

from trio_aerospike.policies import (
    AdminPolicy,
    BatchPolicy,
    GenerationCheck,
    InfoPolicy,
    ReadPolicy,
    WritePolicy,
)
from trio_aerospike.validation import refused, shown, unknown_name

from .policy_fields import (
    ALL_NAMES,
    BATCH_FIELDS,
    INFO_FIELDS,
    META_FIELDS,
    READ_FIELDS,
    WRITE_FIELDS,
    Fields,
    checked_ttl,
)

P = TypeVar("P")

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
                if name not in ALL_NAMES:
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
    return ReadPolicy(**reader.converted("policy", policy, READ_FIELDS))


def _build_batch(reader: PolicyReader, policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int) -> BatchPolicy:
    return BatchPolicy(**reader.converted("policy", policy, BATCH_FIELDS))


def _build_info(reader: PolicyReader, policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int) -> InfoPolicy:
    return InfoPolicy(**reader.converted("policy", policy, INFO_FIELDS))


def _build_admin(reader: PolicyReader, policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int) -> AdminPolicy:
    return AdminPolicy(**reader.converted("policy", policy, INFO_FIELDS))


def _build_write(reader: PolicyReader, policy: Mapping[str, Any], meta: Mapping[str, Any], ttl: int) -> WritePolicy:
    fields = reader.converted("meta", meta, META_FIELDS)
    if "generation" in fields:
        fields["generation_check"] = GenerationCheck.EQUAL
    fields.update(reader.converted("policy", policy, WRITE_FIELDS))
    if ttl != 0 or type(ttl) is not int:
        fields["ttl"] = argument_ttl("val", ttl, reader.strict)
    return WritePolicy(**fields)


def argument_ttl(where: str, value: Any, strict: bool = False) -> int | None:
    """Check the argument for a time to live; None for the namespace's default.

    Raises:
        InvalidArgError: It is not allowed.
    """
    return checked_ttl(where, int(value) if type(value) is bool and not strict else value)
