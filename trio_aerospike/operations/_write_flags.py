"""Flags of writes that say CREATE_ONLY and UPDATE_ONLY, as bits and sketches have them: how they are checked."""

from __future__ import annotations

from enum import IntFlag
from typing import Any

import attrs

from trio_aerospike._cdt_types import checked_flags, checked_policy
from trio_aerospike.validation import Validator, refused


def write_flags(kind: type[IntFlag]) -> Validator:
    """A validator: flags of ``kind``, or their number, that do not exclude each other; the flags are stored."""
    both = kind["CREATE_ONLY"] | kind["UPDATE_ONLY"]

    def check(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        where = f"{type(instance).__name__}.{attribute.name}"
        flags = checked_flags(where, value, kind)
        if flags & both == both:
            raise refused(where, value, "CREATE_ONLY or UPDATE_ONLY, not both")
        object.__setattr__(instance, attribute.name, flags)

    return check


def flags_of(where: str, policy: object, kind: type[Any], allowed: IntFlag) -> int:
    """The flags of a policy, where the operation takes them.

    Args:
        where: the argument, as refusals name it.
        policy: one of ``kind``, or None for its defaults.
        kind: the class of policies.
        allowed: the flags that the server takes for the operation.

    Raises:
        InvalidArgError: it is no such policy, or has other flags.
    """
    flags = checked_policy(where, policy, kind).write_flags
    if flags & ~allowed:
        members = ", ".join(str(member.name) for member in type(allowed) if member in allowed)
        raise refused(where, policy, f"write_flags of {members}")
    return int(flags)
