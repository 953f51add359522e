"""Explain why a value cannot be stored, and where in its lists and maps it is."""

from __future__ import annotations

from typing import Any

from .constants import CDT_DEPTH_MAX
from .error_text import conversion_hint, kind_of, shown
from .value_types import GeoJSON, HyperLogLog, OrderedList, OrderedMap, Special, TypedBlob

INT_MIN = -(1 << 63)
INT_MAX = (1 << 63) - 1
#: Particle types of blobs of old clients, which can be written.
LEGACY_BLOBS = range(7, 13)
#: The flags of an ordered list or map, a byte.
ORDERS = range(256)

# Programs for aerospike-py match on its last words.
_ALLOWED = (
    "None, bool, 64-bit int, float, str, bytes, list, dict, GeoJSON, HyperLogLog. Unsupported type for Aerospike value"
)


def scalar_fault(value: Any) -> str | None:
    """Why a value other than a container cannot be stored; None when it can."""
    if isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            return f"{shown(value)} does not fit: integers are 64 bits, signed"
    elif isinstance(value, (str, GeoJSON)):
        try:
            (value.text if isinstance(value, GeoJSON) else value).encode()
        except UnicodeEncodeError:
            return f"{shown(value)} is not valid text: it holds a lone surrogate"
    elif isinstance(value, TypedBlob):
        if value.type not in LEGACY_BLOBS:
            return f"a TypedBlob of type {value.type} cannot be written: allowed are 7 to 12"
    elif isinstance(value, Special):
        return f"{value!r} exists only in comparisons"
    elif isinstance(value, (OrderedMap, OrderedList)):
        if value.order not in ORDERS:
            return f"order {shown(value.order)} is unknown to the server: allowed are numbers from 0 to 255"
    elif not isinstance(value, (type(None), float, bytes, bytearray, memoryview, list, tuple, dict, HyperLogLog)):
        return f"{shown(value)} is {kind_of(value)}: allowed are {_ALLOWED}{conversion_hint(value)}"
    return None


def _find_fault(value: Any, path: str, depth: int, comparison: bool) -> tuple[str, str] | None:
    if comparison and isinstance(value, Special):
        return None
    fault = scalar_fault(value)
    if fault:
        return path, fault
    if not isinstance(value, (list, tuple, dict)):
        return None
    if depth > CDT_DEPTH_MAX:
        return "", f"it is nested deeper than the {CDT_DEPTH_MAX} levels allowed"
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, (bool, HyperLogLog)) or not isinstance(key, (int, str, bytes)):
                hint = conversion_hint(key)
                return path, f"map key {shown(key)} is {kind_of(key)}: allowed are int, str and bytes{hint}"
            fault = scalar_fault(key)
            if fault:
                return path, f"map key {fault}"
            found = _find_fault(item, f"{path}[{shown(key)}]", depth + 1, comparison)
            if found:
                return found
        return None
    for index, item in enumerate(value):
        found = _find_fault(item, f"{path}[{index}]", depth + 1, comparison)
        if found:
            return found
    return None


def explained(value: Any, comparison: bool) -> str:
    """Return why a value cannot be packed, with its place in the lists and maps around it.

    Args:
        comparison: INFINITY and WILDCARD may be in it.
    """
    unknown = ("", f"{shown(value)} cannot be stored: allowed are {_ALLOWED}")
    path, fault = _find_fault(value, "", 1, comparison) or unknown
    return f"value at {path}: {fault}" if path else f"value: {fault}"
