"""Load a module on first use: for modules that few programs need and that cost more than 5 ms to import.

The only mechanism of its kind here: functions import nothing. Type checkers see a plain import::

    if TYPE_CHECKING:
        from . import security
    else:
        security = LazyModule("trio_aerospike.security")

Used for the client's engine (``_cluster``: 24 ms), for users and roles (7 ms), for statistics (6 ms), for Lua, and for
the extras: NumPy, OpenTelemetry, prometheus-client. The one exception is json (2 ms), which only GeoJSON values need.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


class LazyModule(ModuleType):
    """Stand for a module that is imported when one of its names is first used. Any thread may be the first.

    Args:
        name: the module's whole name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)

    def __repr__(self) -> str:
        return f"<LazyModule {self.__name__!r}>"

    def __dir__(self) -> list[str]:
        return dir(importlib.import_module(self.__name__))

    def __getattr__(self, name: str) -> Any:
        # Looking at a module's dunder names (its path, its file) is no use of it: copy, pickle and inspect do so.
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} before it is loaded")
        return getattr(importlib.import_module(self.__name__), name)
