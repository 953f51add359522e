"""Run Lua modules (UDFs) as the server does: in the embedded server, and in the client for final reductions.

Needs lupa (the extra ``udf``), which is imported when the first module is loaded.
"""

from .packing import (
    Unusable as Unusable,
    from_particle as from_particle,
    to_particle as to_particle,
    unpack as unpack,
)
from .runtime import (
    CompileError as CompileError,
    FunctionFailed as FunctionFailed,
    LuaModule as LuaModule,
    is_available as is_available,
)

__all__ = [
    "CompileError",
    "FunctionFailed",
    "LuaModule",
    "Unusable",
    "from_particle",
    "is_available",
    "to_particle",
    "unpack",
]
