"""Names of parametrized tests."""

from __future__ import annotations

import re


def stable_repr(value: object) -> str:
    """The repr without addresses in memory: every process that runs a part of the tests has to give the same name."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
