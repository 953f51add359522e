"""Convert results of trio_aerospike into the named tuples of aerospike_py."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from trio_aerospike import OrderedMap
from trio_aerospike.errors import ProtocolError, ResultCode
from trio_aerospike.records import seconds_left

from .. import _constants as constants
from ..types import (
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

#: The bin in which the server returns the error message of a user-defined function.
UDF_FAILURE = "FAILURE"
#: The order of a map that stands for key-value pairs, in the order of the answer.
PAIRS = 8
#: The ``ttl`` of a record that never expires.
NEVER_EXPIRES = 0xFFFFFFFF

#: Makes a named tuple from a tuple, without a Python call.
_new: Final[Any] = tuple.__new__


def aerospike_key(key: Key) -> AerospikeKey:
    """Convert a key, with its digest."""
    return AerospikeKey(key.namespace, key.set_name, key.user_key, key.digest)


class RowMetadata(RecordMetadata):
    """The metadata of a row of ``batch_read``, which can be used like the dict that it is in aerospike_py 0.14.4."""

    __slots__ = ()

    def __getitem__(self, place: Any) -> Any:
        """A field by its name, or an item by its index."""
        if isinstance(place, str):
            if place not in self._fields:
                raise KeyError(place)
            return getattr(self, place)
        return tuple.__getitem__(self, place)

    def __contains__(self, item: object) -> bool:
        return item in self._fields or tuple.__contains__(self, item)

    def get(self, name: str, default: Any = None) -> Any:
        """A field by its name; ``default`` if there is no field of that name."""
        return getattr(self, name) if name in self._fields else default

    def keys(self) -> tuple[str, ...]:
        """The names of the fields."""
        return self._fields


def _metadata(generation: int, ttl: int | None) -> RecordMetadata:
    return RecordMetadata(generation, NEVER_EXPIRES if ttl is None else ttl)


def record(found: native.Record) -> Record:
    """Convert a record."""
    return Record(aerospike_key(found.key), _metadata(found.generation, found.ttl), found.bins)


def exists_result(key: Key, found: native.Metadata | None) -> ExistsResult:
    """Convert the metadata of the record with ``key``; None: it does not exist."""
    return ExistsResult(aerospike_key(key), None if found is None else _metadata(found.generation, found.ttl))


def operation_map(value: OrderedMap[Any, Any]) -> Any:
    """Convert a map that an operation returned: a list of pairs if MAP_RETURN_KEY_VALUE asked for them."""
    return list(value.items()) if value.order == PAIRS else value


def operate_record(found: native.OrderedResult) -> Record:
    """Convert the results of operations, by bin; operations without a result are left out, as in aerospike_py."""
    bins = _by_bin((name, value) for name, value in found.ordered if value is not None)
    return Record(aerospike_key(found.key), _metadata(found.generation, found.ttl), bins)


def _by_bin(ordered: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Collect results by bin: a list where one bin has several."""
    bins: dict[str, Any] = {}
    repeated: set[str] = set()
    for name, value in ordered:
        if type(value) is OrderedMap:
            value = operation_map(value)
        if name not in bins:
            bins[name] = value
        elif name in repeated:
            bins[name].append(value)
        else:
            bins[name] = [bins[name], value]
            repeated.add(name)
    return bins


def ordered_result(found: native.OrderedResult) -> OperateOrderedResult:
    """Convert the results of operations, in their order."""
    bins = [
        BinTuple(name, operation_map(value) if type(value) is OrderedMap else value)
        for name, value in found.ordered
        if value is not None
    ]
    return OperateOrderedResult(aerospike_key(found.key), _metadata(found.generation, found.ttl), bins)


def batch_rows(columns: RecordColumns, begin: int = 0, end: int | None = None) -> list[BatchRecord]:
    """Convert the rows of a batch read from ``begin`` to ``end``.

    They are made by whole columns: making the four named tuples of each row one by one takes four times as long.
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
        part = keys[begin:end]
        namespaces, set_names = [key.namespace for key in part], [key.set_name for key in part]
    parts = zip(namespaces, set_names, keys.user_keys[begin:end], keys.digests[begin:end], strict=False)
    addresses = [*map(_new, repeat(AerospikeKey), parts)]
    metas = _metadata_of(columns.generations[begin:end], columns.void_times[begin:end], RowMetadata)
    found: Iterable[Any] = map(_new, repeat(Record), zip(addresses, metas, bins, strict=True))
    if not all(bins):  # true as well of a record without bins, which is rare
        found = [None if had is None else record for had, record in zip(bins, found, strict=True)]
    rows = zip(addresses, columns.result_codes[begin:end], found, repeat(False))
    return [*map(_new, repeat(BatchRecord), rows)]


def _metadata_of(
    generations: Sequence[int], void_times: Sequence[int], kind: type[RecordMetadata] = RecordMetadata
) -> Iterator[RecordMetadata]:
    """Make the metadata of many records; equal metadata is one object."""
    pairs = [*zip(generations, void_times, strict=True)]
    made = {pair: kind(*_metadata(pair[0], seconds_left(pair[1]))) for pair in set(pairs)}
    return map(made.__getitem__, pairs)


def written_row(row: native.BatchResult) -> BatchRecord:
    """Convert one row of a batch that writes: its record has a result for each operation, None for one without.

    The error message of a user-defined function is in the bin ``FAILURE``.
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
    """Convert the records that a query found, by whole columns."""
    try:
        bins = [record.bins for record in found]
    except ProtocolError:
        bins = [_readable_bins(record) for record in found]  # type: ignore[misc]
    addresses = map(_new, repeat(AerospikeKey), [record.address for record in found])
    metas = _metadata_of([record.generation for record in found], [record.void_time for record in found])
    return [*map(_new, repeat(Record), zip(addresses, metas, bins, strict=True))]


def _readable_bins(found: native.Record) -> dict[str, Any] | None:
    """A record's bins; None if a value cannot be decoded, which is logged."""
    try:
        return found.bins
    except ProtocolError as error:
        logger.warning("a record that a query found cannot be decoded: %s", error.message)
        return None


def user_info(user: User) -> dict[str, Any]:
    """Convert a user into a UserInfo with its usage, as ``admin_query_user_info`` returns it."""
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
    """Convert a role into a RoleInfo, as ``admin_query_role`` returns it."""
    return {
        "name": role.name,
        "privileges": [_privilege(privilege) for privilege in role.privileges],
        "allowlist": list(role.allowlist),
        "read_quota": role.read_quota,
        "write_quota": role.write_quota,
    }


def _privilege(privilege: Any) -> dict[str, Any]:
    # A privilege with an unknown code has another class, with the same fields for namespace and set.
    shown: dict[str, Any] = {"code": int(privilege.code)}
    if shown["code"] >= constants.PRIV_READ:
        shown["ns"] = privilege.namespace
        shown["set"] = privilege.set_name
    return shown


def info_results(answers: Iterable[native.InfoResult]) -> list[InfoNodeResult]:
    """Convert the nodes' answers to an info command."""
    return [InfoNodeResult(answer.node_name, answer.error_code, answer.response) for answer in answers]
