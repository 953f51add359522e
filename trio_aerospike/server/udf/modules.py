"""The Lua modules of a cluster: their texts, and the states in which they are loaded.

Facts: the server's as/src/base/udf_cask.c. All nodes share them here, where the real ones tell each other.
"""

from __future__ import annotations

import base64
import hashlib
import time

from ..._lua import CompileError, FunctionFailed, LuaModule
from ..._lua.runtime import Functions
from . import record as in_lua

SOURCE_MAX = 1024 * 1024
"""Bytes of a module (server: MAX_UDF_CONTENT_LENGTH)."""
EXTENSION = ".lua"
DIRECTORY = "/opt/aerospike/usr/udf/lua/"
"""Where a server keeps modules by default (mod-lua user-path); its error texts carry it."""
_ESCAPES = {
    **{number: f"\\u{number:04X}" for number in range(32)},
    **{ord(char): f"\\{escape}" for char, escape in zip('"\\\b\f\n\r\t', '"\\bfnrt', strict=True)},
}
"""How the server's JSON library (jansson) writes characters of a name; all others stand as they are, in UTF-8."""
_LOAD_TIME = 5.0
"""Seconds that what stands outside of functions may take."""


class Modules:
    """What functions there are to be called."""

    def __init__(self) -> None:
        self._sources: dict[str, bytes] = {}
        self._loaded: dict[str, LuaModule] = {}

    def put(self, name: str, source: bytes) -> None:
        """Keep a module under its file name, in place of an older one.

        Raises:
            CompileError: it is not Lua, or what stands outside of functions fails.
            ImportError: there is no Lua here.
        """
        self._loaded[name] = self._load(name, source)
        self._sources[name] = source

    def remove(self, name: str) -> None:
        """Forget a module, if it is there."""
        self._sources.pop(name, None)
        self._loaded.pop(name, None)

    def unload(self) -> None:
        """Forget the states of all modules: the next calls load them anew."""
        self._loaded.clear()

    def source(self, name: str) -> bytes | None:
        """The text of a module."""
        return self._sources.get(name)

    def described(self) -> list[tuple[str, str]]:
        """Name and hash of each module, by name: SHA-1 of the JSON in which nodes exchange it."""
        exchanged = self.exchanged()
        return [(name, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()) for name, text in exchanged]

    def exchanged(self) -> list[tuple[str, str]]:
        """Name of each module and the JSON in which nodes exchange it, by name."""
        return [(name, _json(name, source)) for name, source in sorted(self._sources.items())]

    def loaded(self, name: str) -> LuaModule:
        """A module, ready to be called.

        Args:
            name: as calls name it, without extension.

        Raises:
            FunctionFailed: there is no such module, or it cannot be loaded; in the server's words.
        """
        file = name + EXTENSION
        module = self._loaded.get(file)
        if module is None:
            source = self._sources.get(file)
            if source is None:
                # mod_lua.c says no more of a module that it cannot load.
                raise FunctionFailed("UDF: Execution Error 1")
            try:
                module = self._loaded[file] = self._load(file, source)
            except CompileError:
                raise FunctionFailed("UDF: Execution Error 1") from None
        return module

    def for_streams(self, name: str) -> LuaModule:
        """A module for one aggregation, in a state that nobody else uses.

        Raises:
            FunctionFailed: there is no such module, or it cannot be loaded.
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
