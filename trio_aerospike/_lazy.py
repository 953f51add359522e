"""Modules that are loaded when something of them is first asked for: every program pays for what an import loads.

A single use imports inside its function. Where a whole module of commands goes by another, which few programs need, it
has it so, beside the import that type checkers read::

    if TYPE_CHECKING:
        from . import security
    else:
        security = LateModule("trio_aerospike.security")
"""

from __future__ import annotations

import importlib
from typing import Any


class LateModule:
    """Stands for a module until it is needed, and afterwards. Any thread may be the first.

    Args:
        name: the module's whole name.
    """

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __repr__(self) -> str:
        return f"<LateModule {self.__name__!r}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # whoever copies or pickles this asks for those before it has a name
        return getattr(importlib.import_module(self.__name__), name)
