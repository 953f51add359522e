"""Check the bins of writes, and take a copy of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trio_aerospike.validation import refused


def copy_bins(bins: Mapping[str, Any]) -> Mapping[str, Any]:
    """Copy the bins: they are encoded in another thread while the program may change its dict."""
    if type(bins) is dict:
        return bins.copy()
    check_bins("bins", bins)
    return bins


def check_bins(where: str, bins: Any) -> None:
    """Check that bins are a dict, or another mapping.

    Raises:
        InvalidArgError: They are not.
    """
    if not isinstance(bins, Mapping):
        raise refused(where, bins, "names and values: it must be a dict")
