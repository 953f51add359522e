"""Queries and scans, synchronous and asynchronous."""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from trio_aerospike import predicates
from trio_aerospike.errors import IndexNotFound, InvalidArgError
from trio_aerospike.indexes import Collection, IndexType
from trio_aerospike.query import QueryDuration, QueryPolicy
from trio_aerospike.validation import checked_bin_name, refused, shown

from . import _collector, _constants as constants, _results as results
from ._partitions import native_partitions
from ._policies import _BASE, _WRITING, Field, Fields, PolicyReader, _choice, _count, _flag, without_effect
from ._slices import OBJECTS, Turn
from .types import Record

if TYPE_CHECKING:
    from trio_aerospike import Client as NativeClient

    from ._session import Home, PortalHome

_COLLECTIONS: Final = {
    constants.INDEX_TYPE_DEFAULT: None,
    constants.INDEX_TYPE_LIST: Collection.LIST,
    constants.INDEX_TYPE_MAPKEYS: Collection.MAP_KEYS,
    constants.INDEX_TYPE_MAPVALUES: Collection.MAP_VALUES,
}


#: The calls that make indexes.
_INDEX_CALLS: Final = {
    IndexType.NUMERIC: "index_integer_create",
    IndexType.STRING: "index_string_create",
    IndexType.GEO2DSPHERE: "index_geo2dsphere_create",
}
#: Half the way around the earth, in meters, and a little.
_RADIUS_MAX: Final = 20_100_000.0


def _equals(bin_name: str, value: Any) -> predicates.Predicate:
    return _of_value("equals", predicates.equals, bin_name, value)


def _of_value(kind: str, make: Callable[..., predicates.Predicate], *args: Any) -> predicates.Predicate:
    """A predicate for a value, which may be of a type that no index holds."""
    try:
        return make(*args)
    except InvalidArgError as error:
        if isinstance(args[-1], (int, str, bytes)) and not isinstance(args[-1], bool):
            raise
        raise InvalidArgError(f"{error}. Predicate {kind!r} value has an unsupported type") from None


def _between(bin_name: str, low: Any, high: Any) -> predicates.Predicate:
    for name, bound in (("begin", low), ("end", high)):
        if not isinstance(bound, int) or isinstance(bound, bool):
            allowed = "an int of 64 bits: Predicate 'between' requires integer bounds"
            raise refused(f"between.{name}", bound, allowed)
    return predicates.between(bin_name, low, high)


def _contains(bin_name: str, index_type: Any, value: Any) -> predicates.Predicate:
    if type(index_type) is not int or index_type not in _COLLECTIONS:
        allowed = ", ".join(f"{name} ({getattr(constants, name)})" for name in _INDEX_TYPES)
        text = f"{allowed}: Predicate 'contains' index_type {shown(index_type)} is invalid"
        raise refused("contains.index_type", index_type, text)
    collection = _COLLECTIONS[index_type]
    if collection is None:
        return _of_value("contains", predicates.equals, bin_name, value)
    return _of_value("contains", predicates.contains, bin_name, collection, value)


_INDEX_TYPES: Final = ("INDEX_TYPE_DEFAULT", "INDEX_TYPE_LIST", "INDEX_TYPE_MAPKEYS", "INDEX_TYPE_MAPVALUES")


def _within_radius(bin_name: str, latitude: Any, longitude: Any, radius: Any) -> predicates.Predicate:
    for name, value, low, high in (
        ("lat", latitude, -90.0, 90.0),
        ("lng", longitude, -180.0, 180.0),
        ("radius", radius, 0.0, _RADIUS_MAX),
    ):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (is_number and low <= value <= high):
            raise refused(f"geo_within_radius.{name}", value, f"a number from {low:g} to {high:g}")
    circle = {"type": "AeroCircle", "coordinates": [[longitude, latitude], radius]}
    return predicates.within_region(bin_name, json.dumps(circle))


_KINDS: Final[Mapping[str, tuple[Callable[..., predicates.Predicate], int]]] = {
    "equals": (_equals, 1),
    "between": (_between, 2),
    "contains": (_contains, 2),
    "geo_within_geojson_region": (predicates.within_region, 1),
    "geo_within_radius": (_within_radius, 3),
    "geo_contains_geojson_point": (predicates.with_point, 1),
}


def to_predicate(given: Any) -> predicates.Predicate:
    """The predicate that a tuple describes.

    Raises:
        InvalidArgError: it is none, or looks for what no index can find.
    """
    allowed = "a predicate made by aerospike_py.predicates"
    if not isinstance(given, (tuple, list)):
        raise refused("where.predicate", given, allowed)
    if len(given) < 3:
        raise refused("where.predicate", given, f"{allowed}: a tuple, which must have at least 3 elements")
    kind = _KINDS.get(given[0]) if isinstance(given[0], str) else None
    if kind is None:
        text = f"{allowed}: {', '.join(_KINDS)}. Unknown predicate type: {shown(given[0])}"
        raise refused("where.predicate", given, text)
    make, count = kind
    if len(given) < count + 2:
        raise refused("where.predicate", given, f"a tuple: {given[0]!r} requires at least {count + 2} elements")
    checked_bin_name(given[1], "where.predicate: the bin")
    return make(*given[1 : count + 2])


_FIELDS: Final[Fields] = {
    **{name: _BASE[name] for name in ("socket_timeout", "total_timeout", "max_retries", "sleep_between_retries")},
    "replica": _BASE["replica"],
    "expected_duration": Field(
        "expected_duration",
        _choice(
            "QUERY_DURATION_",
            {
                constants.QUERY_DURATION_LONG: QueryDuration.LONG,
                constants.QUERY_DURATION_SHORT: QueryDuration.SHORT,
                constants.QUERY_DURATION_LONG_RELAX_AP: QueryDuration.LONG_RELAX_AP,
            },
        ),
    ),
    "filter_expression": _BASE["filter_expression"],
    "max_records": Field("max_records", _count),
    "records_per_second": Field("records_per_second", _count),
    "partition_filter": Field("partitions", native_partitions, number=False),
    "include_bin_data": Field("include_bin_data", _flag, number=False),
    # These have no effect: queries go to masters, to all nodes at once, and stop by themselves when the program does
    # not keep up; they read.
    "timeout_delay": _BASE["timeout_delay"],
    "read_mode_ap": _BASE["read_mode_ap"]._replace(native=None),
    "read_touch_ttl_percent": _BASE["read_touch_ttl_percent"]._replace(native=None),
    "max_concurrent_nodes": Field(None, _count),
    "record_queue_size": Field(None, _count),
    **without_effect({name: _WRITING[name] for name in ("durable_delete", "ttl")}),
}
#: What is said of the query rather than of its policy.
_ARGUMENTS: Final = {
    "filter_expression": "filter",
    "max_records": "max_records",
    "records_per_second": "records_per_second",
    "partitions": "partitions",
}


@attrs.frozen
class Question:
    """What a query asks, as it was when it was carried out."""

    namespace: str
    set_name: str
    bins: tuple[str, ...]
    predicates: tuple[predicates.Predicate, ...]
    reader: PolicyReader
    for_loop: bool

    @contextlib.contextmanager
    def hinting(self) -> Iterator[None]:
        """Have an error for want of an index name the call of this package that makes one."""
        try:
            yield
        except IndexNotFound as error:
            (predicate,) = self.predicates
            hint = predicate.hint(self.namespace, self.set_name)
            error.args = (str(error.args[0]).replace(hint, _index_hint(predicate, self)), *error.args[1:])
            raise

    def ask(self, native: NativeClient, policy: Mapping[str, Any] | None) -> Any:
        """The records, of which none has been asked for yet.

        Raises:
            InvalidArgError: the policy cannot be so, or there is more than one predicate.
        """
        fields = {} if policy is None else self.reader.converted("policy", policy, _FIELDS)
        if len(self.predicates) > 1:
            found = ", ".join(map(str, self.predicates))
            raise InvalidArgError(
                f"where: got {len(self.predicates)} predicates ({found}), allowed: one. Too many filter expressions"
            )
        arguments = {}
        for field, name in _ARGUMENTS.items():
            value = fields.pop(field, None)
            if value:  # 0 says "no limit"
                arguments[name] = value
        with_bins = fields.pop("include_bin_data", True)
        return native.query(
            self.namespace,
            self.set_name or None,
            where=self.predicates[0] if self.predicates else None,
            bins=(list(self.bins) or None) if with_bins else [],
            policy=QueryPolicy(**fields) if fields else None,
            **arguments,
        )


def _index_hint(predicate: predicates.Predicate, question: Question) -> str:
    """The call that makes the index that a predicate needs."""
    kind = _INDEX_CALLS.get(predicate.type)
    if kind is None or predicate.collection is not Collection.NONE:
        kept = "a list or map" if predicate.collection is not Collection.NONE else "bytes"
        return f"aerospike_py has no call that makes an index of {kept}: asadm and trio_aerospike have"
    bin_name = predicate.range.bin_name
    arguments = ", ".join(map(repr, (question.namespace, question.set_name, bin_name, f"idx_{bin_name}")))
    return f"make one: {'await ' if question.for_loop else ''}client.{kind}({arguments})"


class _Builder:
    """What both kinds of queries have in common: what is asked."""

    def __init__(self, owner: Any, namespace: str, set_name: str) -> None:
        self._owner = owner
        self._namespace = namespace
        self._set_name = set_name
        self._bins: list[str] = []
        self._predicates: list[predicates.Predicate] = []

    def __repr__(self) -> str:
        where = "".join(f", where {predicate}" for predicate in self._predicates)
        return f"<{type(self).__name__} of {self._namespace!r}, set {self._set_name!r}{where}>"

    def select(self, *bins: str) -> None:
        """Read only these bins; more of them with every call.

        Raises:
            InvalidArgError: No bin can be called so.
        """
        for name in bins:
            checked_bin_name(name, "select.bins")
        self._bins += [name for name in dict.fromkeys(bins) if name not in self._bins]

    def where(self, predicate: tuple[Any, ...]) -> None:
        """Look through a secondary index for what a predicate says; without one all records are looked at.

        Args:
            predicate: Made by :mod:`aerospike_py.predicates`. A query takes one.

        Raises:
            InvalidArgError: It is no predicate, or looks for what no index can find.
        """
        self._predicates.append(to_predicate(predicate))

    def _question(self) -> Question:
        bins, where = tuple(self._bins), tuple(self._predicates)
        owner = self._owner
        return Question(self._namespace, self._set_name, bins, where, owner._policies, owner._for_loop)


async def _all(native: NativeClient, question: Question, policy: Mapping[str, Any] | None) -> list[Record]:
    """All records, converted where the client lives and in slices."""
    found: list[Record] = []
    turn = Turn()
    with question.hinting():
        async with question.ask(native, policy) as records:
            while some := await records.read_available():
                few = len(found) < _collector.MANY
                found += results.query_records(some)
                if few:
                    _collector.begin()
                else:
                    _collector.promote(OBJECTS * len(some))
                await turn.give_way()
    return found


async def _some(records: Any, question: Question) -> list[Record]:
    """The next records, none when there are no more."""
    with question.hinting():
        return results.query_records(await records.read_available())


async def _opened(native: NativeClient, question: Question, policy: Mapping[str, Any] | None) -> Any:
    return await question.ask(native, policy).__aenter__()


async def _closed(records: Any) -> None:
    await records.__aexit__(None, None, None)


class Query(_Builder):
    """A query or scan, made by ``client.query(namespace, set_name)``; it may be carried out more than once."""

    _owner: Any

    @property
    def _call(self) -> Callable[..., Any]:
        home: PortalHome = self._owner._home
        return home.call_blocking

    def results(self, policy: Mapping[str, Any] | None = None) -> list[Record]:
        """The records.

        Args:
            policy: A QueryPolicy.

        Raises:
            IndexNotFound: There is no index for the predicate.
            InvalidArgError: The policy cannot be so; nothing is sent.
            AerospikeError: The records cannot be had; says which partitions are missing.
        """
        native = self._owner._connected_native()
        found: list[Record] = self._call(_all, native, self._question(), policy)
        return found

    def foreach(self, callback: Callable[[Record], bool | None], policy: Mapping[str, Any] | None = None) -> None:
        """Call a function with each record, as they come.

        Args:
            callback: Called in this thread. Returning False ends the query; so does what it raises, which comes out.
            policy: A QueryPolicy.

        Raises:
            AerospikeError: As for :meth:`results`.
        """
        native = self._owner._connected_native()
        question = self._question()
        records = self._call(_opened, native, question, policy)
        try:
            while found := self._call(_some, records, question):
                for record in found:
                    if callback(record) is False:
                        return
        finally:
            try:
                self._call(_closed, records)
            except BaseException:
                self._owner._home.detach(_closed, records)  # interrupted again, perhaps before the close was requested
                raise


class AsyncQuery(_Builder):
    """A query or scan, made by ``client.query(namespace, set_name)``; it may be carried out more than once."""

    _owner: Any

    @property
    def _call(self) -> Callable[..., Awaitable[Any]]:
        home: Home = self._owner._home
        return home.call

    async def results(self, policy: Mapping[str, Any] | None = None) -> list[Record]:
        """The records.

        Args:
            policy: A QueryPolicy.

        Raises:
            IndexNotFound: There is no index for the predicate.
            InvalidArgError: The policy cannot be so; nothing is sent.
            AerospikeError: The records cannot be had; says which partitions are missing.
        """
        native = self._owner._connected_native()
        found: list[Record] = await self._call(_all, native, self._question(), policy)
        return found

    async def foreach(self, callback: Callable[[Record], bool | None], policy: Mapping[str, Any] | None = None) -> None:
        """Call a function with each record, as they come.

        Args:
            callback: Called in the event loop; what it returns is awaited where it can be. Returning False ends the
                query; so does what it raises, which comes out.
            policy: A QueryPolicy.

        Raises:
            AerospikeError: As for :meth:`results`.
        """
        native = self._owner._connected_native()
        question = self._question()
        records = await self._call(_opened, native, question, policy)
        try:
            while found := await self._call(_some, records, question):
                for record in found:
                    answer: Any = callback(record)
                    if inspect.isawaitable(answer):
                        answer = await answer
                    if answer is False:
                        return
        finally:
            try:
                await self._call(_closed, records)
            except BaseException:
                self._owner._home.detach(_closed, records)  # cancelled again, perhaps before the close was requested
                raise


def checked_query(kind: type[Any], owner: Any, namespace: str, set_name: str) -> Any:
    """A query of that kind.

    Raises:
        InvalidArgError: namespace or set cannot be so.
        ClientError: the client is not connected.
    """
    for name, value in (("namespace", namespace), ("set_name", set_name)):
        if not isinstance(value, str):
            raise refused(f"query.{name}", value, "a str")
    owner._connected_native()
    return kind(owner, namespace, set_name)
