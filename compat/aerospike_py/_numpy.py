"""NumPy, loaded when it is first used: it is an extra, and annotations that name its types must not need it."""

from __future__ import annotations

import importlib
from typing import Any


class _LazyNumPy:
    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("numpy"), name)


np = _LazyNumPy()
