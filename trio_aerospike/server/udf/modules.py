"""The Lua modules of a cluster: their sources, and their loaded states.

Facts: the server's as/src/base/udf_cask.c. All nodes share them here; real ones exchange them.
"""

from __future__ import annotations

import base64
import hashlib
import time

from ..._lua import CompileError, FunctionFailed, LuaModule
from ..._lua.runtime import Functions
from . import record as in_lua

SOURCE_MAX = 1024 * 1024
"""The largest source in bytes (server: MAX_UDF_CONTENT_LENGTH)."""
EXTENSION = ".lua"
DIRECTORY = "/opt/aerospike/usr/udf/lua/"
"""The default directory of modules on a server (mod-lua user-path), which error texts include."""
_ESCAPES = {
    **{number: f"\\u{number:04X}" for number in range(32)},
    **{ord(char): f"\\{escape}" for char, escape in zip('"\\\b\f\n\r\t', '"\\bfnrt', strict=True)},
}
"""Characters of a name that the server's JSON library (jansson) escapes."""
_LOAD_TIME = 5.0
"""Seconds that top-level code may take."""


class Modules:
    """The UDF modules of a cluster."""

    def __init__(self) -> None:
        self._sources: dict[str, bytes] = {}
        self._loaded: dict[str, LuaModule] = {}

    def put(self, name: str, source: bytes) -> None:
        """Register a module under its file name; replaces an older one.

        Raises:
            CompileError: it does not compile, or its top-level code fails.
            ImportError: lupa is not installed.
        """
        self._loaded[name] = self._load(name, source)
        self._sources[name] = source

    def remove(self, name: str) -> None:
        """Remove a module, if it exists."""
        self._sources.pop(name, None)
        self._loaded.pop(name, None)

    def unload(self) -> None:
        """Drop the states of all modules: the next calls load them anew."""
        self._loaded.clear()

    def source(self, name: str) -> bytes | None:
        """The source of a module; None if it does not exist."""
        return self._sources.get(name)

    def described(self) -> list[tuple[str, str]]:
        """Name and hash of each module, by name: SHA-1 of the JSON in which nodes exchange it."""
        exchanged = self.exchanged()
        return [(name, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()) for name, text in exchanged]

    def exchanged(self) -> list[tuple[str, str]]:
        """Name of each module and the JSON in which nodes exchange it, by name."""
        return [(name, _json(name, source)) for name, source in sorted(self._sources.items())]

    def loaded(self, name: str) -> LuaModule:
        """Load a module, if it is not loaded yet.

        Args:
            name: its name in calls, without extension.

        Raises:
            FunctionFailed: the module does not exist or cannot be loaded, with the server's text.
        """
        file = name + EXTENSION
        module = self._loaded.get(file)
        if module is None:
            source = self._sources.get(file)
            if source is None:
                # The text of mod_lua.c for any module that it cannot load.
                raise FunctionFailed("UDF: Execution Error 1")
            try:
                module = self._loaded[file] = self._load(file, source)
            except CompileError:
                raise FunctionFailed("UDF: Execution Error 1") from None
        return module

    def for_streams(self, name: str) -> LuaModule:
        """Load a module for one aggregation, in a state of its own.

        Raises:
            FunctionFailed: the module does not exist or cannot be loaded.
        """
        self.loaded(name)
        file = name + EXTENSION
        return self._load(file, self._sources[file], in_lua.AEROSPIKE_OF_STREAMS)

    def _load(self, name: str, source: bytes, aerospike: Functions = in_lua.AEROSPIKE) -> LuaModule:
        return LuaModule(
            name,
            source,
            record=in_lua.RECORD,
            aerospike=aerospike,
            source_of=lambda other: self._sources.get(other + EXTENSION),
            deadline=time.monotonic() + _LOAD_TIME,
            directory=DIRECTORY,
        )


def _json(name: str, source: bytes) -> str:
    content = base64.b64encode(source).decode()
    return f'{{"content64": "{content}", "type": "LUA", "name": "{name.translate(_ESCAPES)}"}}'
