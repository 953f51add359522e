"""Bins, the user key and metadata of a record, and literals: expressions without operands."""

from __future__ import annotations

from typing import Any

from trio_aerospike._wire import exp_ops as ops
from trio_aerospike._wire.value_types import INFINITY, WILDCARD, GeoJSON, HyperLogLog
from trio_aerospike.exp import _expression as core
from trio_aerospike.exp._expression import Expression, build, make
from trio_aerospike.exp._types import ExpType, Kind
from trio_aerospike.validation import checked_bin_name, checked_enum, refused

# -- values ------------------------------------------------------------------------------------------------------------


def val(value: Any) -> Expression:
    """A literal. Functions and operators make one of each value.

    Args:
        value: an int of 64 bits, float, str, bytes, bool, None, list, dict, GeoJSON, HyperLogLog, INFINITY or WILDCARD.

    Raises:
        InvalidArgError: the database cannot hold the value.
    """
    return core.value(value, "exp.val")


def _typed(function: str, value: object, types: type | tuple[type, ...], allowed: str) -> Expression:
    if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
        raise refused(f"exp.{function}", value, allowed)
    return core.value(value, f"exp.{function}")


def int_val(value: int) -> Expression:
    """An int of 64 bits."""
    return _typed("int_val", value, int, "an int of 64 bits")


def float_val(value: float) -> Expression:
    """A float; an int becomes one."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 1 << 53:
        value = float(value)
    return _typed("float_val", value, float, "a float, or an int that a float can hold")


def str_val(value: str) -> Expression:
    """A str."""
    return _typed("str_val", value, str, "a str")


def bool_val(value: bool) -> Expression:
    """True or False."""
    return _typed("bool_val", value, bool, "True or False")


def blob_val(value: bytes) -> Expression:
    """Bytes."""
    return _typed("blob_val", value, (bytes, bytearray, memoryview), "bytes")


def list_val(value: list[Any]) -> Expression:
    """A list."""
    return _typed("list_val", value, (list, tuple), "a list")


def map_val(value: dict[Any, Any]) -> Expression:
    """A dict.

    The server compares maps only where both are ordered: an OrderedMap, and a bin whose map is kept in order. With
    others the result of a comparison is unknown.
    """
    return _typed("map_val", value, dict, "a dict")


def geo_val(value: str | GeoJSON) -> Expression:
    """A GeoJSON point or region, as text or as a GeoJSON."""
    if isinstance(value, str):
        value = GeoJSON(value)
    return _typed("geo_val", value, GeoJSON, "GeoJSON, or its text")


def hll_val(value: bytes | HyperLogLog) -> Expression:
    """A HyperLogLog sketch, as the server gave it or as its bytes."""
    if isinstance(value, bytes):
        value = HyperLogLog(value)
    return _typed("hll_val", value, HyperLogLog, "a HyperLogLog, or its bytes")


def nil() -> Expression:
    """None."""
    return core.value(None)


def infinity() -> Expression:
    """A value greater than all others: the open end of a range."""
    return core.value(INFINITY)


def wildcard() -> Expression:
    """A value equal to all others, within a list that values are compared with."""
    return core.value(WILDCARD)


# -- bins --------------------------------------------------------------------------------------------------------------


def _bin(function: str, kind: Kind, name: str) -> Expression:
    return make(ops.BIN, (kind, checked_bin_name(name, f"exp.{function}")), ())


def int_bin(name: str) -> Expression:
    """A bin that holds an int. The result is unknown where it does not; the same holds for all bins."""
    return _bin("int_bin", Kind.INT, name)


def float_bin(name: str) -> Expression:
    """A bin that holds a float."""
    return _bin("float_bin", Kind.FLOAT, name)


def str_bin(name: str) -> Expression:
    """A bin that holds a str."""
    return _bin("str_bin", Kind.STRING, name)


def bool_bin(name: str) -> Expression:
    """A bin that holds True or False."""
    return _bin("bool_bin", Kind.BOOL, name)


def blob_bin(name: str) -> Expression:
    """A bin that holds bytes."""
    return _bin("blob_bin", Kind.BLOB, name)


def list_bin(name: str) -> Expression:
    """A bin that holds a list."""
    return _bin("list_bin", Kind.LIST, name)


def map_bin(name: str) -> Expression:
    """A bin that holds a dict."""
    return _bin("map_bin", Kind.MAP, name)


def geo_bin(name: str) -> Expression:
    """A bin that holds GeoJSON."""
    return _bin("geo_bin", Kind.GEO, name)


def hll_bin(name: str) -> Expression:
    """A bin that holds a HyperLogLog sketch."""
    return _bin("hll_bin", Kind.HLL, name)


def bin_type(name: str) -> Expression:
    """The type of a bin's value, as a number of BinType; 0 for a missing bin."""
    return make(ops.BIN_TYPE, (checked_bin_name(name, "exp.bin_type"),), ())


def bin_exists(name: str) -> Expression:
    """Whether a bin exists."""
    return build(ops.CMP_NE, make(ops.BIN_TYPE, (checked_bin_name(name, "exp.bin_exists"),), ()), 0)


# -- the record --------------------------------------------------------------------------------------------------------


def key(exp_type: ExpType) -> Expression:
    """The user key, where it is stored with the record (``send_key``).

    Args:
        exp_type: INT, STRING or BLOB; the result is unknown where the key has another type.

    Raises:
        InvalidArgError: ``exp_type`` is something else.
    """
    chosen = checked_enum("exp.key.exp_type", exp_type, ExpType)
    if chosen not in (ExpType.INT, ExpType.STRING, ExpType.BLOB):
        raise refused("exp.key.exp_type", chosen, "INT, STRING, BLOB, as keys are")
    return make(ops.REC_KEY, (Kind(chosen),), ())


def key_exists() -> Expression:
    """Whether the user key is stored with the record."""
    return build(ops.META_KEY_EXISTS)


def set_name() -> Expression:
    """The name of the record's set, "" for none."""
    return build(ops.META_SET_NAME)


def record_size() -> Expression:
    """The record's size in bytes, in any kind of storage."""
    return build(ops.META_RECORD_SIZE)


def device_size() -> Expression:
    """The record's size on a device in bytes, 0 in memory. Since server 7.0 use :func:`record_size`."""
    return build(ops.META_DEVICE_SIZE)


def memory_size() -> Expression:
    """The record's size in memory in bytes, 0 on a device. Since server 7.0 use :func:`record_size`."""
    return build(ops.META_MEMORY_SIZE)


def last_update() -> Expression:
    """When the record was written: nanoseconds since 1970."""
    return build(ops.META_LAST_UPDATE)


def since_update() -> Expression:
    """How long ago the record was written, in milliseconds."""
    return build(ops.META_SINCE_UPDATE)


def void_time() -> Expression:
    """When the record expires: nanoseconds since 1970, -1 for never."""
    return build(ops.META_VOID_TIME)


def ttl() -> Expression:
    """Seconds until the record expires, -1 for never."""
    return build(ops.META_TTL)


def is_tombstone() -> Expression:
    """Whether the record has been deleted and left a tombstone (for write expressions and filters)."""
    return build(ops.META_IS_TOMBSTONE)


def digest_modulo(modulo: int) -> Expression:
    """The record's digest modulo a number, to divide records evenly.

    Args:
        modulo: an int of 32 bits, not 0.

    Raises:
        InvalidArgError: ``modulo`` is something else.
    """
    if not isinstance(modulo, int) or isinstance(modulo, bool) or not modulo or not -(1 << 31) <= modulo < 1 << 31:
        raise refused("exp.digest_modulo", modulo, "an int of 32 bits, not 0")
    return make(ops.META_DIGEST_MOD, (modulo,), ())
