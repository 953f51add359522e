"""The store of a namespace on one node: records by partition, counters, expiry, truncation, conflict resolution.

A tree holds each record as one `bytes` object. Python's cyclic garbage collector does not traverse `bytes`, nor a dict
that holds nothing else, so that its passes take as long with a million records as with none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Protocol

import attrs

from .._wire.constants import N_PARTITIONS
from .clock import ServerClock
from .record import StoredRecord, row_metadata
from .set_counts import SetCounts
from .settings import NEVER, Settings
from .settings_tables import NAMESPACE


@attrs.define
class Truncation:
    """Truncation thresholds in milliseconds since the Citrusleaf epoch: records updated before them are removed."""

    namespace: int = 0
    sets: dict[str, int] = attrs.Factory(dict)

    def threshold(self, set_name: str) -> int:
        """The threshold for records of the set ("" for none)."""
        return max(self.namespace, self.sets.get(set_name, 0)) if set_name else self.namespace


@attrs.define(eq=False)
class NamespaceConfig:
    """The initial configuration of a namespace on all nodes, and its truncation, which they share."""

    name: str
    replication_factor: int = 2
    default_ttl: int = 0
    max_record_size: int = 1024 * 1024
    default_read_touch_ttl_percent: int = 0
    regime: int = 0
    """Sent to clients with the replicas; always 0 in namespaces without strong consistency."""
    truncation: Truncation = attrs.Factory(Truncation)


class Watcher(Protocol):
    """An observer of the changes of a node's records, such as an index."""

    def changed(self, partition: int, digest: bytes, before: StoredRecord | None, after: StoredRecord | None) -> None:
        """A record was written or removed: its versions before and after, None for no record."""

    def cleared(self) -> None:
        """All records were removed."""


class Tree(MutableMapping[bytes, StoredRecord]):
    """The records of one partition on one node, by digest. Changes update counters and indexes."""

    __slots__ = ("_partition", "_rows", "_store")

    def __init__(self, store: NamespaceStore, partition: int) -> None:
        self._store = store
        self._partition = partition
        self._rows: dict[bytes, bytes] = {}

    def __repr__(self) -> str:
        return f"<Tree of partition {self._partition}, {len(self)} records>"

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._rows)

    def __contains__(self, digest: object) -> bool:
        return digest in self._rows

    def __getitem__(self, digest: bytes) -> StoredRecord:
        return StoredRecord.of_row(self._rows[digest])

    def get(self, digest: bytes, default: object = None) -> StoredRecord | None:  # type: ignore[override]
        """The record, or None."""
        row = self._rows.get(digest)
        return None if row is None else StoredRecord.of_row(row)

    def __setitem__(self, digest: bytes, record: StoredRecord) -> None:
        before = self._rows.get(digest)
        self._rows[digest] = record.row
        self._store.note_change(self._partition, digest, before, record)

    def __delitem__(self, digest: bytes) -> None:
        self._store.note_change(self._partition, digest, self._rows.pop(digest), None)

    def forget(self) -> None:
        """Remove all records from counters and indexes; the tree itself stays readable."""
        for digest, row in self._rows.items():
            self._store.note_change(self._partition, digest, row, None)


class NamespaceStore:
    """One node's records of one namespace.

    Attributes:
        settings: those of this node, as long as it runs.
        set_settings: the settings of sets that have any.
        sets: the names of all sets that ever existed.
        watchers: called with every change of a record.
        expired: the number of expired records that were counted.
        needs_sweep: some records have expired or were truncated, and use memory until `sweep` removes them.
    """

    def __init__(self, config: NamespaceConfig, clock: ServerClock) -> None:
        self.config = config
        self.clock = clock
        self.trees: list[Tree] = self._empty_trees()
        self.watchers: list[Watcher] = []
        self.set_settings: dict[str, Settings] = {}
        self.sets: dict[str, None] = {}
        self.settings: Settings = self._new_settings()
        self.expired: int = 0
        self.needs_sweep: bool = False
        self._counts: dict[str, SetCounts] = {}
        self._has_cuts = False
        self._sweep_again = False
        self._sweeping_since = clock.seconds()

    def restart(self) -> None:
        """Reset the settings, as a process that reads its configuration file."""
        self.settings = self._new_settings()
        self.set_settings.clear()
        self._sweeping_since = self.clock.seconds()

    def _new_settings(self) -> Settings:
        config = self.config
        return Settings(
            NAMESPACE,
            {
                "default-ttl": config.default_ttl,
                "default-read-touch-ttl-pct": config.default_read_touch_ttl_percent,
                "max-record-size": config.max_record_size,
                "replication-factor": config.replication_factor,
            },
        )

    # Settings that depend on the set --------------------------------------------------------------------------

    def default_ttl(self, set_name: str) -> int:
        """The time to live of records of the set for writes without one, in seconds; 0 for ever."""
        return self._of_set(set_name, "default-ttl")

    def default_read_touch(self, set_name: str) -> int:
        """The percentage of the time to live after which a read renews it; 0 for never."""
        return self._of_set(set_name, "default-read-touch-ttl-pct")

    def _of_set(self, set_name: str, name: str) -> int:
        value = 0
        if self.set_settings and (own := self.set_settings.get(set_name)) is not None:
            value = own.number(name)
        if value == NEVER:
            return 0
        return value or self.settings.number(name)

    def takes_more(self, set_name: str) -> bool:
        """Whether another record of the set may be created (server: stop-writes-count)."""
        own = self.set_settings.get(set_name) if set_name else None
        limit = 0 if own is None else own.number("stop-writes-count")
        return not limit or self.counts(set_name).objects < limit

    def takes_writes(self, set_name: str) -> bool:
        """Whether records of the set may be written (server: stop-writes-size)."""
        own = self.set_settings.get(set_name) if set_name else None
        limit = 0 if own is None else own.number("stop-writes-size")
        return not limit or self.counts(set_name).size <= limit

    def may_expire(self, ttl: int) -> bool:
        """Whether a record may have a time to live: only if nsup would remove it, or that is not required."""
        settings = self.settings
        return not ttl or settings.number("nsup-period") != 0 or settings.flag("allow-ttl-without-nsup")

    # Counts ---------------------------------------------------------------------------------------------------

    def counts(self, set_name: str) -> SetCounts:
        """The counters of a set's live records ("" for those without a set), as of now."""
        counts = self._counts.get(set_name)
        if counts is None:
            counts = self._counts[set_name] = SetCounts()
        self._update_counts(set_name, counts)
        return counts

    def all_counts(self) -> dict[str, SetCounts]:
        """The counters of all sets that have or had records, as of now."""
        for set_name, counts in self._counts.items():
            self._update_counts(set_name, counts)
        return self._counts

    def objects(self) -> int:
        """The number of live records."""
        return sum(counts.objects for counts in self.all_counts().values())

    def _update_counts(self, set_name: str, counts: SetCounts) -> None:
        """Subtract the records that have expired or were truncated since."""
        if expired := counts.expire(self.clock.seconds()):
            self.expired += expired
            self.needs_sweep = self._sweep_again = True
        if counts.truncate(self.config.truncation.threshold(set_name)):
            self.needs_sweep = self._sweep_again = self._has_cuts = True

    def note_change(self, partition: int, digest: bytes, before: bytes | None, after: StoredRecord | None) -> None:
        """Count a change of a record, given its former row, and notify the watchers; called by trees."""
        if before is not None:
            set_name, last_update, void_time, size = row_metadata(before)
            self._counts[set_name].remove(last_update, void_time, size)
        if after is not None:
            counts = self._counts.get(after.set_name)
            if counts is None:
                counts = self._counts[after.set_name] = SetCounts()
            counts.add(after.last_update, after.void_time, after.size())
        if self.watchers:
            old = None if before is None else StoredRecord.of_row(before)
            for watcher in self.watchers:
                watcher.changed(partition, digest, old, after)

    # Records --------------------------------------------------------------------------------------------------

    def is_doomed(self, record: StoredRecord) -> bool:
        """Whether the record has expired or was truncated, and is only waiting for its removal.

        A record is alive in the second of its void-time (server: as_record_is_expired).
        """
        if record.void_time and record.void_time < self.clock.seconds():
            return True
        return self._is_truncated(record)

    def _is_truncated(self, record: StoredRecord) -> bool:
        truncation = self.config.truncation
        if (truncation.namespace or truncation.sets) and record.last_update < truncation.threshold(record.set_name):
            return True
        # Undoing a truncation does not restore truncated records.
        if not self._has_cuts or (counts := self._counts.get(record.set_name)) is None:
            return False
        return record.last_update < counts.cut

    def is_swept(self, record: StoredRecord) -> bool:
        """Whether the record has expired so long ago that the real server would have removed it (its nsup-period)."""
        period = self.settings.number("nsup-period")
        if not record.void_time or not period:
            return False
        now = self.clock.seconds()
        return record.void_time < now - (now - self._sweeping_since) % period

    def find(self, tree: Tree, digest: bytes) -> StoredRecord | None:
        """The record for a command; None if it does not exist or was truncated. It may have expired."""
        record = tree.get(digest)
        return None if record is None or self._is_truncated(record) else record

    def sweep(self) -> Iterator[None]:
        """Remove expired and truncated records, one partition at each step."""
        self.all_counts()
        self._sweep_again = False
        for partition in range(N_PARTITIONS):
            tree = self.trees[partition]
            if not tree:
                continue
            for digest, record in list(tree.items()):
                if self.is_doomed(record):
                    del tree[digest]
            yield
        if not self._sweep_again:
            self.needs_sweep = self._has_cuts = False
            for counts in self._counts.values():
                counts.forget_cut()

    def purge(self) -> None:
        """Remove expired and truncated records at once."""
        for _ in self.sweep():
            pass

    def evict(self, void_time: int) -> Iterator[None]:
        """Remove the records that expire before a time, one partition at each step.

        Sets with disable-eviction are exempt.
        """
        exempt = {name for name, own in self.set_settings.items() if own.flag("disable-eviction")}
        for partition in range(N_PARTITIONS):
            tree = self.trees[partition]
            if not tree:
                continue
            for digest, record in list(tree.items()):
                if 0 < record.void_time < void_time and record.set_name not in exempt:
                    del tree[digest]
            yield

    def clear(self) -> Iterator[None]:
        """Remove all records in the first step; the following steps free their memory."""
        old, self.trees = self.trees, self._empty_trees()
        self._counts = {}
        self.needs_sweep = self._has_cuts = False
        for watcher in self.watchers:
            watcher.cleared()
        while old:
            old.pop()
            yield

    def _empty_trees(self) -> list[Tree]:
        return [Tree(self, partition) for partition in range(N_PARTITIONS)]

    def copy_partition(self, partition: int, source: Mapping[bytes, StoredRecord]) -> None:
        """Replace the records of a partition; running queries continue with the old ones."""
        old = self.trees[partition]
        tree = self.trees[partition] = Tree(self, partition)
        old.forget()
        for digest, record in source.items():
            if not self._is_truncated(record):
                tree[digest] = record

    def merge_partition(self, partition: int, source: Mapping[bytes, StoredRecord]) -> None:
        """Merge records into a partition by conflict resolution."""
        by_generation = self.settings.values["conflict-resolution-policy"] == "generation"
        arriving = {digest: record for digest, record in source.items() if not self._is_truncated(record)}
        merge_trees(self.trees[partition], arriving, by_generation=by_generation)

    def records(self) -> Iterator[StoredRecord]:
        """All live records, by a full scan: not for requests."""
        for tree in self.trees:
            for record in tree.values():
                if not self.is_doomed(record):
                    yield record


def merge_trees(
    target: MutableMapping[bytes, StoredRecord], source: Mapping[bytes, StoredRecord], *, by_generation: bool
) -> None:
    """Copy the records of the source that win over the target's (server: conflict-resolution-policy).

    Args:
        target: the tree to change.
        source: the records to copy.
        by_generation: the record with the higher generation wins; else the one with the later update.
    """

    def rank(record: StoredRecord) -> tuple[int, int]:
        order = (record.generation, record.last_update)
        return order if by_generation else order[::-1]

    for digest, theirs in source.items():
        mine = target.get(digest)
        if mine is None or rank(mine) < rank(theirs):
            target[digest] = theirs
