"""What trio_aerospike returns, as the named tuples of aerospike_py."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from trio_aerospike import OrderedMap
from trio_aerospike.errors import ProtocolError, ResultCode
from trio_aerospike.records import seconds_left

from . import _constants as constants
from .types import (
    AerospikeKey,
    BatchRecord,
    BinTuple,
    ExistsResult,
    InfoNodeResult,
    OperateOrderedResult,
    Record,
    RecordMetadata,
)

if TYPE_CHECKING:
    from trio_aerospike import records as native
    from trio_aerospike.arrays import RecordColumns
    from trio_aerospike.keys import Key
    from trio_aerospike.security import Role, Usage, User

logger = logging.getLogger("aerospike_py")

#: Where the server puts what a function that failed says.
UDF_FAILURE = "FAILURE"
#: The order of a map that stands for pairs of keys and values, in the order of the answer.
PAIRS = 8
#: The ``ttl`` of a record that never expires.
NEVER_EXPIRES = 0xFFFFFFFF

#: Makes a named tuple of a tuple, without a call of Python.
_new: Final[Any] = tuple.__new__


def aerospike_key(key: Key) -> AerospikeKey:
    """A key with its digest."""
    return AerospikeKey(key.namespace, key.set_name, key.user_key, key.digest)


class RowMetadata(RecordMetadata):
    """What a row of ``batch_read`` tells of its record: in aerospike_py 0.14.4 a dict, which this can be used like."""

    __slots__ = ()

    def __getitem__(self, place: Any) -> Any:
        """A field by its name, or as a tuple has it."""
        if isinstance(place, str):
            if place not in self._fields:
                raise KeyError(place)
            return getattr(self, place)
        return tuple.__getitem__(self, place)

    def __contains__(self, item: object) -> bool:
        return item in self._fields or tuple.__contains__(self, item)

    def get(self, name: str, default: Any = None) -> Any:
        """A field by its name; ``default`` where there is none of that name."""
        return getattr(self, name) if name in self._fields else default

    def keys(self) -> tuple[str, ...]:
        """The names of the fields."""
        return self._fields


def _metadata(generation: int, ttl: int | None) -> RecordMetadata:
    return RecordMetadata(generation, NEVER_EXPIRES if ttl is None else ttl)


def record(found: native.Record) -> Record:
    """A record that was read."""
    return Record(aerospike_key(found.key), _metadata(found.generation, found.ttl), found.bins)


def exists_result(key: Key, found: native.Metadata | None) -> ExistsResult:
    """Whether the record with ``key`` exists."""
    return ExistsResult(aerospike_key(key), None if found is None else _metadata(found.generation, found.ttl))


def shown_map(value: OrderedMap[Any, Any]) -> Any:
    """A map that is the result of an operation: pairs where MAP_RETURN_KEY_VALUE asked for them."""
    return list(value.items()) if value.order == PAIRS else value


def operate_record(found: native.OrderedResult) -> Record:
    """The results of operations by bin; those without one are left out, as in aerospike_py."""
    bins = _by_bin((name, value) for name, value in found.ordered if value is not None)
    return Record(aerospike_key(found.key), _metadata(found.generation, found.ttl), bins)


def _by_bin(ordered: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Results by bin: several for one bin come as a list of them."""
    bins: dict[str, Any] = {}
    repeated: set[str] = set()
    for name, value in ordered:
        if type(value) is OrderedMap:
            value = shown_map(value)
        if name not in bins:
            bins[name] = value
        elif name in repeated:
            bins[name].append(value)
        else:
            bins[name] = [bins[name], value]
            repeated.add(name)
    return bins


def ordered_result(found: native.OrderedResult) -> OperateOrderedResult:
    """The results of operations, one after the other."""
    bins = [
        BinTuple(name, shown_map(value) if type(value) is OrderedMap else value)
        for name, value in found.ordered
        if value is not None
    ]
    return OperateOrderedResult(aerospike_key(found.key), _metadata(found.generation, found.ttl), bins)


def batch_rows(columns: RecordColumns, begin: int = 0, end: int | None = None) -> list[BatchRecord]:
    """Rows of a batch of reads, those from ``begin`` to ``end``.

    They are made by whole columns: four named tuples a row, called for one by one, take four times as long.
    """
    keys = columns.keys
    bins = columns.bins[begin:end]
    if not bins:
        return []
    namespaces: Iterable[str]
    set_names: Iterable[str]
    if keys.uniform:
        namespaces, set_names = repeat(keys[0].namespace), repeat(keys[0].set_name)
    else:
        some = keys[begin:end]
        namespaces, set_names = [key.namespace for key in some], [key.set_name for key in some]
    parts = zip(namespaces, set_names, keys.user_keys[begin:end], keys.digests[begin:end], strict=False)
    addresses = [*map(_new, repeat(AerospikeKey), parts)]
    metas = _metadata_of(columns.generations[begin:end], columns.void_times[begin:end], RowMetadata)
    found: Iterable[Any] = map(_new, repeat(Record), zip(addresses, metas, bins, strict=True))
    if not all(bins):  # which a record without bins is taken for as well
        found = [None if had is None else record for had, record in zip(bins, found, strict=True)]
    rows = zip(addresses, columns.result_codes[begin:end], found, repeat(False))
    return [*map(_new, repeat(BatchRecord), rows)]


def _metadata_of(
    generations: Sequence[int], void_times: Sequence[int], kind: type[RecordMetadata] = RecordMetadata
) -> Iterator[RecordMetadata]:
    """The metadata of many records; those that have the same share it."""
    pairs = [*zip(generations, void_times, strict=True)]
    made = {pair: kind(*_metadata(pair[0], seconds_left(pair[1]))) for pair in set(pairs)}
    return map(made.__getitem__, pairs)


def written_row(row: native.BatchResult) -> BatchRecord:
    """One row of a batch that writes: its record has a result for each operation, None for one that has nothing to say.

    What a user-defined function that failed says stands under ``FAILURE``.
    """
    key = aerospike_key(row.key)
    code = int(row.result_code)
    found = row.record
    if found is not None:
        written = Record(key, _metadata(found.generation, found.ttl), _by_bin(row.ordered))
        return BatchRecord(key, code, written, row.in_doubt)
    if code == ResultCode.UDF and row.error is not None:
        text = row.error.message.removeprefix(f"batch {row.key!r}: ")
        return BatchRecord(key, code, Record(key, None, {UDF_FAILURE: text}), row.in_doubt)
    return BatchRecord(key, code, None, row.in_doubt)


def query_records(found: Sequence[native.Record]) -> list[Record]:
    """Records that a query found, made by whole columns."""
    try:
        bins = [record.bins for record in found]
    except ProtocolError:
        bins = [_readable_bins(record) for record in found]  # type: ignore[misc]
    addresses = map(_new, repeat(AerospikeKey), [record.address for record in found])
    metas = _metadata_of([record.generation for record in found], [record.void_time for record in found])
    return [*map(_new, repeat(Record), zip(addresses, metas, bins, strict=True))]


def _readable_bins(found: native.Record) -> dict[str, Any] | None:
    """A record's bins; one of which a value cannot be decoded has none, and the log says why."""
    try:
        return found.bins
    except ProtocolError as error:
        logger.warning("a record that a query found cannot be decoded: %s", error.message)
        return None


def user_info(user: User) -> dict[str, Any]:
    """A user, as ``admin_query_user_info`` tells of it: a UserInfo, and what it reads and writes."""
    return {
        "user": user.name,
        "roles": list(user.roles),
        "conns_in_use": user.connections,
        "read_info": _usage(user.reads),
        "write_info": _usage(user.writes),
    }


def _usage(usage: Usage) -> list[int]:
    return [usage.quota, usage.single_record_rate, usage.query_rate, usage.unlimited_queries]


def role_info(role: Role) -> dict[str, Any]:
    """A role, as ``admin_query_role`` tells of it: a RoleInfo."""
    return {
        "name": role.name,
        "privileges": [_privilege(privilege) for privilege in role.privileges],
        "allowlist": list(role.allowlist),
        "read_quota": role.read_quota,
        "write_quota": role.write_quota,
    }


def _privilege(privilege: Any) -> dict[str, Any]:
    # One that is known to no client has another class, of the same two names where it holds.
    shown: dict[str, Any] = {"code": int(privilege.code)}
    if shown["code"] >= constants.PRIV_READ:
        shown["ns"] = privilege.namespace
        shown["set"] = privilege.set_name
    return shown


def info_results(answers: Iterable[native.InfoResult]) -> list[InfoNodeResult]:
    """What the nodes answered."""
    return [InfoNodeResult(answer.node_name, answer.error_code, answer.response) for answer in answers]
