"""How much work random tests do: a profile for every day, and one for a long run.

    HYPOTHESIS_PROFILE=long make test

A test that needs another number of examples than its profile gives asks `examples` for it, so that it grows with the
profile, too.
"""

from __future__ import annotations

import os

import attrs


@attrs.frozen
class Profile:
    examples: int
    """Of a test that does not say how many."""
    factor: float
    """By which the examples of all other tests are multiplied."""


PROFILES = {"quick": Profile(examples=40, factor=1), "long": Profile(examples=2000, factor=50)}


def examples(quick: int) -> int:
    """The number of examples under the profile that is in use.

    Args:
        quick: the number of an everyday run.
    """
    return round(quick * PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "quick")].factor)
