"""Lua modules as the server runs them: for the embedded server, and for the last step of an aggregation in the client.

Needs lupa (the extra ``server-udf``), which is imported when the first module is loaded.
"""

from .runtime import (
    CompileError as CompileError,
    FunctionFailed as FunctionFailed,
    LuaModule as LuaModule,
    is_available as is_available,
)
from .values import from_lua as from_lua, to_lua as to_lua

__all__ = ["CompileError", "FunctionFailed", "LuaModule", "from_lua", "is_available", "to_lua"]
