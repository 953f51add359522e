"""Query policies, partition filters and cursors.

A query without a predicate reads all records of a set (a scan); one with a predicate finds them through a secondary
index, see :mod:`trio_aerospike.predicates`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Any

import attrs

from trio_aerospike._wire.cdt import pack_value, unpack_value
from trio_aerospike._wire.constants import DIGEST_SIZE, N_PARTITIONS
from trio_aerospike.errors import ProtocolError
from trio_aerospike.keys import KeyLike, as_key
from trio_aerospike.policies import Replica, _Policy
from trio_aerospike.validation import checked_int, integer, member, named_arguments, refused, seconds, settle_enum

__all__ = ["Cursor", "PartitionFilter", "QueryDuration", "QueryPolicy"]


class QueryDuration(IntEnum):
    """The expected duration of a query; the server schedules it accordingly."""

    LONG = 0
    """More than about a hundred records for each node."""
    SHORT = 1
    """Fewer: the server runs it like a single-record command, without a job; records_per_second is not allowed."""
    LONG_RELAX_AP = 2
    """As LONG; in an available (AP) namespace, nodes whose partitions still lack records may answer."""


@named_arguments
@attrs.frozen(kw_only=True)
class QueryPolicy(_Policy):
    """Policy of queries and scans.

    Args:
        total_timeout: Seconds for the whole query, including the time that the program spends on its records.
        socket_timeout: Seconds without data from a node, while the client reads, after which other nodes are asked for
            its partitions.
        max_retries: How often that is done, if nodes are lost or stay silent. Requests that were not sent are always
            retried on other nodes.
        sleep_between_retries: Seconds before the first retry, on average; as in ReadPolicy.
        replica: Whether replicas other than the master may be asked on a retry.
        expected_duration: The expected duration, for the server.
    """

    total_timeout: float | None = attrs.field(default=None, validator=seconds(none="no limit"))
    socket_timeout: float | None = attrs.field(default=30.0, validator=seconds(none="no limit"))
    max_retries: int = attrs.field(default=5, validator=integer(0))
    sleep_between_retries: float = attrs.field(default=0.0, validator=seconds(zero=True))
    replica: Replica = attrs.field(default=Replica.SEQUENCE, validator=member(Replica))
    expected_duration: QueryDuration = attrs.field(default=QueryDuration.LONG, validator=member(QueryDuration))

    def __attrs_post_init__(self) -> None:
        settle_enum(self, "replica", Replica)
        settle_enum(self, "expected_duration", QueryDuration)


@attrs.frozen
class PartitionFilter:
    """Which of the 4096 partitions of a namespace a query reads.

    Made by :meth:`all`, :meth:`by_id`, :meth:`by_range` and :meth:`after`.
    """

    begin: int
    count: int
    digest: bytes | None = None

    @classmethod
    def all(cls) -> PartitionFilter:
        """All partitions."""
        return cls(0, N_PARTITIONS)

    @classmethod
    def by_id(cls, partition: int) -> PartitionFilter:
        """One partition, 0 to 4095.

        Raises:
            InvalidArgError: the number is not from 0 to 4095.
        """
        return cls(checked_int("PartitionFilter.by_id.partition", partition, 0, N_PARTITIONS - 1), 1)

    @classmethod
    def by_range(cls, begin: int, count: int) -> PartitionFilter:
        """``count`` partitions from ``begin`` on.

        Raises:
            InvalidArgError: they reach beyond 4095.
        """
        first = checked_int("PartitionFilter.by_range.begin", begin, 0, N_PARTITIONS - 1)
        return cls(first, checked_int("PartitionFilter.by_range.count", count, 1, N_PARTITIONS - first))

    @classmethod
    def after(cls, key: KeyLike | bytes) -> PartitionFilter:
        """The rest of one partition: the records after a key, in the order of digests.

        Args:
            key: a key, or a digest of 20 bytes. Only for queries without a predicate.

        Raises:
            InvalidArgError: it is neither.
        """
        if isinstance(key, (bytes, bytearray)):
            if len(key) != DIGEST_SIZE:
                raise refused("PartitionFilter.after.key", key, f"a key, or a digest of {DIGEST_SIZE} bytes")
            digest = bytes(key)
        else:
            digest = as_key(key).digest
        return cls((digest[0] | digest[1] << 8) & (N_PARTITIONS - 1), 1, digest)

    def __attrs_post_init__(self) -> None:
        first = checked_int("PartitionFilter.begin", self.begin, 0, N_PARTITIONS - 1)
        checked_int("PartitionFilter.count", self.count, 1, N_PARTITIONS - first)


@attrs.frozen(repr=False)
class Cursor:
    """The position of a query: pass it to the same query, also in another process, to read the rest.

    It can be pickled, and serialized with :meth:`to_bytes`. It holds positions in partitions, nothing of the query
    itself: pass the same predicate and filter again. Returned by ``records.cursor``.
    """

    namespace: str
    set_name: str
    cluster: str
    """The cluster's name; ``""`` if it has none."""
    nodes: frozenset[str]
    """Names of the cluster's nodes."""
    predicate: bytes
    """A fingerprint of the predicate; empty without one."""
    places: tuple[tuple[int, bytes | None, int], ...]
    """For each partition that may have more records: its number, the digest of the last record, the index value."""
    seen: frozenset[bytes] = frozenset()
    """Digests of delivered records that a query for elements of collections may find again."""

    @property
    def done(self) -> bool:
        """Whether the query is complete."""
        return not self.places

    def to_bytes(self) -> bytes:
        """Serialize the cursor, for :meth:`from_bytes`."""
        fields = [
            _FORMAT,
            self.namespace,
            self.set_name,
            self.cluster,
            sorted(self.nodes),
            self.predicate,
            [list(place) for place in self.places],
            sorted(self.seen),
        ]
        return pack_value(fields)

    @classmethod
    def from_bytes(cls, data: bytes) -> Cursor:
        """Restore a cursor from :meth:`to_bytes`.

        Raises:
            InvalidArgError: the bytes are not a cursor.
        """
        try:
            version, namespace, set_name, cluster, nodes, predicate, places, seen = unpack_value(bytes(data))
            if version != _FORMAT:
                raise ValueError(f"format {version!r}")
            found = tuple((number, digest, value) for number, digest, value in places)
            return cls(namespace, set_name, cluster, frozenset(nodes), predicate, found, frozenset(seen))
        except (ValueError, TypeError, ProtocolError) as error:
            raise refused("Cursor.from_bytes.data", data, f"bytes from Cursor.to_bytes ({error})") from None

    def check(self, namespace: str, set_name: str, cluster: str, nodes: Iterable[str], predicate: bytes) -> None:
        """Refuse a cursor of another query.

        Many clusters have the same name (the default of a server's image), so a node of the cluster must be known to
        the cursor as well.

        Raises:
            InvalidArgError: it comes from another cluster, namespace or set, or from a query for something else.
        """
        mine: dict[str, tuple[Any, Any]] = {
            "namespace": (self.namespace, namespace),
            "set": (self.set_name, set_name),
            "predicate": (self.predicate, predicate),
        }
        if self.cluster and cluster and self.cluster != cluster:
            mine["cluster"] = (self.cluster, cluster)
        elif (here := set(nodes)) and not self.nodes & here:
            mine["cluster"] = (sorted(self.nodes), sorted(here))
        for what, (theirs, ours) in mine.items():
            if theirs != ours:
                shown = (theirs, ours) if what != "predicate" else ("one", "another")
                raise refused("query.cursor", self, f"a cursor of this {what}: it is of {shown[0]!r}, not {shown[1]!r}")

    def __repr__(self) -> str:
        left = f"{len(self.places)} partitions left" if self.places else "done"
        return f"<Cursor of {self.namespace!r}, set {self.set_name!r}: {left}>"


_FORMAT = 1
