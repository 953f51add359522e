"""Records in Lua: `rec[...]`, and the libraries `record` and `aerospike`.

Facts: the server's udf_record.c and udf_aerospike.c, mod_lua_record.c of mod-lua. Assigned bins are cached,
`aerospike:create` and `aerospike:update` write them, and the record itself changes when the function has returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..._lua import Unusable, from_particle, to_particle
from ..._lua.values import (
    NOTHING,
    Fault,
    LuaBytes,
    Record,
    Table,
    held,
    integer_at,
    object_at,
    record_at,
    string_at,
    text_of,
)
from ..._wire import constants as wire
from ...errors import ResultCode
from ..exceptions import Refused
from ..particles import stored
from ..record import StoredRecord
from ..record_commands import UNWRITTEN_SIZE
from ..store import NamespaceStore
from ..values import Particle

BINS_MAX = 512
"""The most bins of a record that UDFs work on (server: UDF_BIN_LIMIT)."""
UPDATES_MAX = 1024
"""The most bins that a UDF may read or set (server: UDF_UPDATE_LIMIT)."""
_EXISTS = 1
_FAILED = -1
_NOT_OPEN = -2
_KEYS = (wire.PARTICLE_INTEGER, wire.PARTICLE_STRING, wire.PARTICLE_BLOB)


class LuaRecord(Record):
    """A record that exists, or may be created.

    Attributes:
        bins: its bins after the call.
        key: its user key after the call, as stored.
        is_open: it exists, or has been created.
        has_updates: there are changes to write.
        result: the result code of the last write.
        ttl: time to live in seconds that the function has set; None if it has not.
    """

    __slots__ = (
        "_cached", "_digest", "_dirty", "_record", "_set_name", "_store", "_too_many", "bins", "has_updates",
        "is_open", "key", "result", "ttl",
    )  # fmt: skip

    def __init__(
        self, store: NamespaceStore, digest: bytes, set_name: str, record: StoredRecord | None, key: bytes | None
    ) -> None:
        self._store = store
        self._digest = digest
        self._set_name = set_name
        self._record = record
        self._cached: dict[str, Any] = {}
        self._dirty: set[str] = set()
        self._too_many = False
        self.bins: dict[str, Particle] = {} if record is None else dict(record.bins)
        self.key = key
        self.is_open: bool = record is not None
        self.has_updates: bool = False
        self.result: ResultCode = ResultCode.OK
        self.ttl: int | None = None

    def __getitem__(self, name: Any) -> Any:
        bin_name = _bin_name(name)
        if bin_name is None:
            return None
        if bin_name not in self._cached:
            found = self.bins.get(bin_name)
            if found is None:
                return None
            try:
                value = from_particle(*found)
            except Unusable:
                return None
            self._cache(bin_name, value)
            return value
        return self._cached[bin_name]

    def __setitem__(self, name: Any, value: Any) -> None:
        given = string_at((None, name), 2)
        if given is None:
            return
        kept = held(value)
        if kept is NOTHING:
            raise Fault(f"can't set bin {text_of(given)} to unsupported type")
        bin_name = _bin_name(given)
        if bin_name is not None and self._cache(bin_name, kept):
            self._dirty.add(bin_name)

    def _cache(self, name: str, value: Any) -> bool:
        """Cache the value of a bin; returns whether there is room."""
        if self._too_many:
            return False
        if name not in self._cached:
            inserts = sum(kept is not None for kept in self._cached.values())
            if len(self._cached) >= UPDATES_MAX or (value is not None and inserts >= BINS_MAX):
                self._too_many = True
                return False
        self._cached[name] = value
        return True

    # -- aerospike ---------------------------------------------------------------------------------------------

    def create(self) -> int:
        """`aerospike:create(rec)`."""
        if self.is_open:
            return _EXISTS if self.bins else self._update()
        is_truncated = self._store.clock.milliseconds() < self._store.config.truncation.threshold(self._set_name)
        if is_truncated or not self._store.takes_more(self._set_name):
            return 4
        failed = self._update()
        self.is_open = not failed
        return failed

    def update(self) -> int:
        """`aerospike:update(rec)`."""
        return self._update() if self.is_open else _NOT_OPEN

    def remove(self) -> int:
        """`aerospike:remove(rec)`."""
        if not self.is_open:
            return _EXISTS
        self._too_many = False
        self._cached = dict.fromkeys(self.bins)
        self._dirty = set(self.bins)
        return self._update()

    def _update(self) -> int:
        if not self._store.takes_writes(self._set_name):
            return self._fail(ResultCode.FAIL_FORBIDDEN)
        if self._too_many:
            return self._fail(ResultCode.BIN_NAME)
        bins = dict(self.bins)
        for name in [name for name in self._cached if name in self._dirty]:
            value = self._cached[name]
            if value is None:
                bins = _without(bins, name)
                del self._cached[name]
                continue
            if name not in bins and len(bins) == BINS_MAX:
                return self._fail(ResultCode.BIN_NAME)
            try:
                bins[name] = stored(*to_particle(value, stored=True))
            except (Unusable, Refused):
                return self._fail(ResultCode.BIN_TYPE)
        self.bins = bins
        self._dirty.clear()
        self.result = ResultCode.OK
        self.has_updates = True
        return 0

    def _fail(self, result: ResultCode) -> int:
        self.bins = {} if self._record is None else dict(self._record.bins)
        self._cached.clear()
        self._dirty.clear()
        self._too_many = False
        self.result, self.has_updates = result, False
        return _FAILED

    # -- record ------------------------------------------------------------------------------------------------

    def ttl_left(self) -> int:
        """Seconds to live."""
        if self._record is None:
            return 0
        return max(0, self._record.void_time - self._store.clock.seconds())

    def last_update_time(self) -> int:
        """The last update, in milliseconds since the Citrusleaf epoch."""
        return 0 if self._record is None else self._record.last_update

    def generation(self) -> int:
        """The generation; 0 for a record that is not written yet."""
        return 0 if self._record is None else self._record.generation

    def size(self) -> int:
        """The size in storage, in bytes."""
        if self._record is None:
            return UNWRITTEN_SIZE if self.is_open else 0
        return self._record.size()

    def user_key(self) -> Any:
        """The user key; None if it is not stored."""
        if not self.is_open or self.key is None or self.key[0] not in _KEYS:
            return None
        return from_particle(self.key[0], self.key[1:])

    def drop_key(self) -> None:
        """Remove the stored user key."""
        if self.is_open:
            self.key = None

    def setname(self) -> bytes | None:
        """The set; nil if there is none."""
        name = self._set_name if self._record is None else self._record.set_name
        return name.encode() if name and self.is_open else None

    def digest(self) -> LuaBytes:
        """The digest of the key."""
        return LuaBytes(self._digest)

    def bin_names(self) -> Table:
        """The names of the written bins."""
        if not self.is_open:
            raise Fault("can't get bin names")
        return Table([name.encode() for name in self.bins])


def _without(bins: dict[str, Particle], name: str) -> dict[str, Particle]:
    """The bins without one, whose position the last one takes (server: as_bin_remove)."""
    if name not in bins:
        return bins
    names = list(bins)
    last = names.pop()
    if last != name:
        names[names.index(name)] = last
    return {kept: bins[kept] for kept in names}


def _bin_name(name: Any) -> str | None:
    given = string_at((None, name), 2)
    if given is None:
        return None
    given = given.partition(b"\0")[0]
    return text_of(given) if len(given) <= wire.BIN_NAME_MAX else None


def _of_record(call: Callable[[LuaRecord], Any]) -> Callable[..., Any]:
    """Make a function of the library ``record``."""
    return lambda *arguments: call(object_at(LuaRecord, arguments, 1))


def _set_ttl(*arguments: Any) -> None:
    object_at(LuaRecord, arguments, 1).ttl = integer_at(arguments, 2) & 0xFFFF_FFFF


RECORD: Mapping[str, Callable[..., Any]] = {
    "ttl": _of_record(LuaRecord.ttl_left),
    "last_update_time": _of_record(LuaRecord.last_update_time),
    "gen": _of_record(LuaRecord.generation),
    "size": _of_record(LuaRecord.size),
    "memory_size": _of_record(LuaRecord.size),
    "device_size": _of_record(lambda record: 0),  # namespaces of this server are in memory
    "key": _of_record(LuaRecord.user_key),
    "setname": _of_record(LuaRecord.setname),
    "digest": _of_record(LuaRecord.digest),
    "numbins": _of_record(lambda record: len(record.bins)),
    "set_ttl": _set_ttl,
    "drop_key": _of_record(LuaRecord.drop_key),
    "bin_names": _of_record(LuaRecord.bin_names),
}


def _of_aerospike(call: Callable[[LuaRecord], Any]) -> Callable[..., Any]:
    """Make a method of ``aerospike``, which is the first argument."""
    return lambda *arguments: call(record_at(arguments, 2))


AEROSPIKE: Mapping[str, Callable[..., Any]] = {
    "create": _of_aerospike(lambda record: record.create()),
    "update": _of_aerospike(lambda record: record.update()),
    "exists": _of_aerospike(lambda record: record.is_open),
    "remove": _of_aerospike(lambda record: record.remove()),
}


class StreamRecord(LuaRecord):
    """A read-only record in the stream of an aggregation (server: as_aggr_record_hooks)."""

    __slots__ = ()

    def __setitem__(self, name: Any, value: Any) -> None:
        given = string_at((None, name), 2)
        if given is not None and held(value) is NOTHING:
            raise Fault(f"can't set bin {text_of(given)} to unsupported type")

    def create(self) -> int:
        """Do nothing."""
        return 1

    def update(self) -> int:
        """Do nothing."""
        return 1

    def remove(self) -> int:
        """Do nothing."""
        return 1

    def drop_key(self) -> None:
        """Do nothing."""


AEROSPIKE_OF_STREAMS: Mapping[str, Callable[..., Any]] = {**AEROSPIKE, "get_current_time": lambda *_: 0}
