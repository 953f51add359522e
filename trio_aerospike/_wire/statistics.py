"""Parse statistics in info answers: names and values, and convert the values to their types.

Facts: the server's ``as/src/base/thr_info.c`` (``namespace/...``, ``statistics``), ``namespace.c`` (``sets/...``) and
``sindex.c`` (``sindex-stat``).
"""

from __future__ import annotations

import re
from typing import TypeAlias

from ..errors import ProtocolError

Value: TypeAlias = bool | int | float | str
"""The type of a statistic or configuration value."""

# Hexadecimal numbers and names: one that has only digits is still not a number.
_NAMES = frozenset(
    {
        "cluster-name",
        "cluster_clock_skew_outliers",
        "cluster_duplicate_nodes",
        "cluster_key",
        "cluster_principal",
        "node-id",
        "paxos_principal",
    }
)
_INTEGER = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_DECIMAL = re.compile(r"-?[0-9]{1,20}\.[0-9]{1,20}", re.ASCII)
_WORDS = {"true": True, "false": False}


def parse_pairs(text: str, separator: str = ";") -> dict[str, str]:
    """Parse ``name=value;name=value`` into texts.

    Raises:
        ProtocolError: an entry has no name or no value.
    """
    pairs = {}
    for entry in text.split(separator):
        if not entry:
            continue
        name, equals, value = entry.partition("=")
        if not name or not equals:
            raise ProtocolError(f"a statistic of unknown form: {entry[:80]!r}")
        pairs[name] = value
    return pairs


def parse_sets(namespace: str, text: str) -> dict[str, dict[str, str]]:
    """Parse a ``sets/<namespace>`` answer into texts, by set.

    The name of a set may contain any character, so only the text that the server writes around it ends the name.

    Raises:
        ProtocolError: it is of another form.
    """
    head = f"ns={namespace}:set="
    if not text:
        return {}
    if not text.startswith(head):
        raise ProtocolError(f"sets of unknown form: {text[:80]!r}")
    found = {}
    for entry in text.removesuffix(";")[len(head) :].split(f";{head}"):
        name, colon, rest = entry.partition(":objects=")
        if not colon:
            raise ProtocolError(f"a set of unknown form: {entry[:80]!r}")
        found[name] = parse_pairs(f"objects={rest}", ":")
    return found


def typed(pairs: dict[str, str]) -> dict[str, Value]:
    """Convert values to their types: true and false, integers, decimal fractions; all others stay text."""
    return {name: value if name in _NAMES else _value(value) for name, value in pairs.items()}


def _value(text: str) -> Value:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text
