"""Source of expressions, evaluated as users would have it in front of them."""

from __future__ import annotations

from typing import Any

import trio_aerospike
from trio_aerospike import exp

_VALUES = ("GeoJSON", "HyperLogLog", "OrderedList", "OrderedMap", "TypedBlob", "INFINITY", "WILDCARD")
NAMES: dict[str, Any] = {name: getattr(trio_aerospike, name) for name in ("exp", "ctx", *_VALUES)}


def evaluated(source: str) -> exp.Expression:
    """The expression that ``source`` builds."""
    made = eval(source, dict(NAMES))
    assert isinstance(made, exp.Expression)
    return made
