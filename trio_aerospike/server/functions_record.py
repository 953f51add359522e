"""A record in the hands of a function: what `rec[...]`, `record` and `aerospike` do in Lua.

Facts: the server's udf_record.c and udf_aerospike.c. Bins that are set are remembered, `aerospike:create` and
`aerospike:update` write them, and the record itself changes when the function has returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._lua import from_lua, to_lua
from .._lua.values import LuaBytes, LuaList, Unsupported, usable
from .._wire import constants as wire
from .._wire.particles import decode_value, encode_value
from ..errors import InvalidArgError, ResultCode
from .particles import stored
from .requests import Request
from .results import Refused
from .store import NamespaceStore, Particle, StoredRecord

BINS_MAX = 512
"""Bins of a record that functions work on (server: UDF_BIN_LIMIT)."""
_EXISTS = 1
_FAILED = -1
_NOT_OPEN = -2


class LuaRecord:
    """A record that is there, or may be created.

    Attributes:
        bins: those that the record will have.
        is_open: whether it is there, or has been created.
        has_updates: whether there is something to write.
        result: what went wrong with a write.
        ttl: seconds to live that the function asked for; None where it did not.
        drops_key: whether the stored key is to go.
    """

    def __init__(self, store: NamespaceStore, request: Request, record: StoredRecord | None) -> None:
        self._store = store
        self._request = request
        self._record = record
        self._cached: dict[str, Any] = {}
        self._dirty: set[str] = set()
        self.bins: dict[str, Particle] = {} if record is None else dict(record.bins)
        self.is_open = record is not None
        self.has_updates = False
        self.result = ResultCode.OK
        self.ttl: int | None = None
        self.drops_key = False

    def __getitem__(self, name: Any) -> Any:
        bin_name = _bin_name(name)
        if bin_name is None:
            return None
        if bin_name not in self._cached:
            found = self.bins.get(bin_name)
            if found is None:
                return None
            self._cached[bin_name] = to_lua(decode_value(*found))
        return self._cached[bin_name]

    def __setitem__(self, name: Any, value: Any) -> None:
        bin_name = _bin_name(name)
        try:
            kept = usable(value)
        except Unsupported:
            raise TypeError(f"can't set bin {_text(name)} to unsupported type") from None
        if bin_name is not None:  # a name that is too long is passed over, as in the server
            self._cached[bin_name] = kept
            self._dirty.add(bin_name)

    # -- aerospike -----------------------------------------------------------------------------------------------

    def create(self) -> int:
        """`aerospike:create(rec)`."""
        if self.is_open and self.bins:
            return _EXISTS
        self.is_open = True
        return self._update()

    def update(self) -> int:
        """`aerospike:update(rec)`."""
        return self._update() if self.is_open else _NOT_OPEN

    def remove(self) -> int:
        """`aerospike:remove(rec)`."""
        if not self.is_open:
            return _EXISTS
        self._cached = dict.fromkeys(self.bins)
        self._dirty = set(self.bins)
        return self._update()

    def _update(self) -> int:
        bins = dict(self.bins)
        for name in [name for name in self._cached if name in self._dirty]:
            value = self._cached[name]
            if value is None:
                bins.pop(name, None)
                del self._cached[name]
                continue
            try:
                bins[name] = stored(*encode_value(from_lua(value)))
            except (Unsupported, InvalidArgError, Refused):
                return self._fail(ResultCode.BIN_TYPE)
            if len(bins) > BINS_MAX:
                return self._fail(ResultCode.BIN_NAME)
        self.bins = bins
        self._dirty.clear()
        self.result = ResultCode.OK
        self.has_updates = True
        return 0

    def _fail(self, result: ResultCode) -> int:
        self.bins = {} if self._record is None else dict(self._record.bins)
        self._cached.clear()
        self._dirty.clear()
        self.result, self.has_updates = result, False
        return _FAILED

    # -- record --------------------------------------------------------------------------------------------------

    def ttl_left(self) -> int:
        """Seconds."""
        if self._record is None:
            return 0
        return max(0, self._record.void_time - self._store.clock.seconds())

    def last_update_time(self) -> int:
        """Milliseconds since the Citrusleaf epoch."""
        return 0 if self._record is None else self._record.last_update

    def generation(self) -> int:
        """0 for one that is not written yet."""
        return 0 if self._record is None else self._record.generation

    def size(self) -> int:
        """Bytes in storage."""
        return 0 if self._record is None else self._record.size()

    def key(self) -> Any:
        """The user key, where it is stored."""
        key = None if self._record is None else self._record.key
        if key is None or key[0] not in (wire.PARTICLE_INTEGER, wire.PARTICLE_STRING, wire.PARTICLE_BLOB):
            return None
        return to_lua(decode_value(key[0], key[1:]))

    def setname(self) -> bytes | None:
        """The set, nil for none."""
        name = self._request.set_name if self._record is None else self._record.set_name
        return name.encode() if name and self.is_open else None

    def digest(self) -> LuaBytes:
        """The key's."""
        return LuaBytes(self._request.digest)

    def bin_names(self) -> list[bytes]:
        """Those of the bins that are written."""
        return [name.encode() for name in self.bins]


def _bin_name(name: Any) -> str | None:
    if not isinstance(name, bytes) or len(name) > wire.BIN_NAME_MAX:
        return None
    return _text(name)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _of_record(call: Callable[..., Any]) -> Callable[..., Any]:
    def checked(record: Any = None, *arguments: Any) -> Any:
        if not isinstance(record, LuaRecord):
            raise TypeError("bad argument #1 (Record expected)")
        return call(record, *arguments)

    return checked


def _set_ttl(record: LuaRecord, ttl: Any = 0) -> None:
    record.ttl = int(ttl or 0) & 0xFFFF_FFFF


def _drop_key(record: LuaRecord) -> None:
    record.drops_key = True


def _bin_names(record: LuaRecord) -> LuaList:
    if not record.is_open:
        raise TypeError("can't get bin names")
    return LuaList(list(record.bin_names()))


RECORD: Mapping[str, Callable[..., Any]] = {
    "ttl": _of_record(LuaRecord.ttl_left),
    "last_update_time": _of_record(LuaRecord.last_update_time),
    "gen": _of_record(LuaRecord.generation),
    "size": _of_record(LuaRecord.size),
    "memory_size": _of_record(LuaRecord.size),
    "device_size": _of_record(lambda record: 0),  # the namespaces of this server are in memory
    "key": _of_record(LuaRecord.key),
    "setname": _of_record(LuaRecord.setname),
    "digest": _of_record(LuaRecord.digest),
    "numbins": _of_record(lambda record: len(record.bins)),
    "set_ttl": _of_record(_set_ttl),
    "drop_key": _of_record(_drop_key),
    "bin_names": _of_record(_bin_names),
}

AEROSPIKE: Mapping[str, Callable[..., Any]] = {
    "create": _of_record(LuaRecord.create),
    "update": _of_record(LuaRecord.update),
    "exists": _of_record(lambda record: record.is_open),
    "remove": _of_record(LuaRecord.remove),
}
