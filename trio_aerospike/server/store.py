"""Records in memory: what a node stores, and nothing about the protocol that asks for them.

Records are never changed in place. A write makes a new one and puts it into the trees of the master and of its
replicas, which therefore share it; readers of any copy see whole records only.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from .._wire.constants import N_PARTITIONS, PARTICLE_BOOL, PARTICLE_FLOAT, PARTICLE_INTEGER
from .clock import ServerClock
from .settings import NEVER, Settings
from .settings_tables import NAMESPACE

Particle = tuple[int, bytes]
"""A bin's value as it is stored and sent: particle type and data."""

Tree = dict[bytes, "StoredRecord"]
"""The records of one partition on one node, by digest."""


@attrs.frozen(eq=False)
class StoredRecord:
    """One version of a record.

    `void_time` is in seconds since the Citrusleaf epoch, 0 for a record that never expires; `last_update` is in
    milliseconds since then. `key` is the user key as the client sent it (particle type byte first), None when it
    was never sent.
    """

    set_name: str
    bins: dict[str, Particle]
    generation: int
    void_time: int
    last_update: int
    key: bytes | None = None
    whole_answer: list[bytes] = attrs.field(factory=list, repr=False)
    """The frame that answers a read of all bins, kept once it was made."""

    def size(self) -> int:
        """The bytes that the record takes in the real server's storage (server: as/src/storage/flat.c)."""
        total = _RECORD_SIZE + _END_MARK_SIZE
        if self.void_time:
            total += 4
        if self.set_name:
            total += 1 + len(self.set_name.encode())
        if self.key is not None:
            total += _varint_size(len(self.key)) + len(self.key)
        if self.bins:
            total += _varint_size(len(self.bins))
        for name, (kind, data) in self.bins.items():
            total += 1 + len(name.encode()) + _stored_size(kind, data)
        return (total + 15) & ~15


_RECORD_SIZE = 35
_END_MARK_SIZE = 4


def _varint_size(number: int) -> int:
    return max(1, (number.bit_length() + 6) // 7)


def _stored_size(kind: int, data: bytes) -> int:
    """The bytes of a value with its type: of integers as few as hold it, of others a length of 4 bytes and the data."""
    if kind == PARTICLE_INTEGER:
        significant = len(data.lstrip(b"\0"))
        return 2 + (1 if significant <= 1 else 2 if significant == 2 else 4 if significant <= 4 else 8)
    if kind == PARTICLE_FLOAT:
        return 9
    if kind == PARTICLE_BOOL:
        return 2
    return 5 + len(data)


@attrs.define
class Truncation:
    """Thresholds in milliseconds since the Citrusleaf epoch: what was updated before them is gone."""

    namespace: int = 0
    sets: dict[str, int] = attrs.Factory(dict)

    def threshold(self, set_name: str) -> int:
        """The threshold for records of the set ("" for none)."""
        return max(self.namespace, self.sets.get(set_name, 0)) if set_name else self.namespace


@attrs.define(eq=False)
class NamespaceConfig:
    """What a configuration file would say of a namespace: all nodes begin with it, and share its truncation."""

    name: str
    replication_factor: int = 2
    default_ttl: int = 0
    max_record_size: int = 1024 * 1024
    default_read_touch_ttl_percent: int = 0
    regime: int = 0
    """What clients are told with the replicas; always 0 in namespaces that are not strongly consistent."""
    truncation: Truncation = attrs.Factory(Truncation)


class NamespaceStore:
    """One node's records of one namespace.

    Attributes:
        settings: what `set-config` changes, for this node alone and as long as it runs.
        set_settings: the same of sets, for those that have any.
        sets: the names of all sets that there ever were: the server forgets none.
    """

    def __init__(self, config: NamespaceConfig, clock: ServerClock) -> None:
        self.config = config
        self.clock = clock
        self.trees: list[Tree] = [{} for _ in range(N_PARTITIONS)]
        self.set_settings: dict[str, Settings] = {}
        self.sets: dict[str, None] = {}
        self.settings: Settings = self._new_settings()
        self.expired: int = 0
        self._sweeping_since = clock.seconds()

    def restart(self) -> None:
        """Begin anew, as a process that reads its configuration file."""
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
        """Seconds that a record of the set lives when a write does not say; 0 for ever."""
        return self._of_set(set_name, "default-ttl")

    def default_read_touch(self, set_name: str) -> int:
        """The percentage of a record's life from which on a read renews it; 0 for never."""
        return self._of_set(set_name, "default-read-touch-ttl-pct")

    def _of_set(self, set_name: str, name: str) -> int:
        value = 0
        if self.set_settings and (own := self.set_settings.get(set_name)) is not None:
            value = own.number(name)
        if value == NEVER:
            return 0
        return value or self.settings.number(name)

    def takes_more(self, set_name: str) -> bool:
        """Whether another record of the set may be made (server: stop-writes-count)."""
        own = self.set_settings.get(set_name) if set_name else None
        limit = 0 if own is None else own.number("stop-writes-count")
        return not limit or self._of_set_now(set_name)[0] < limit

    def takes_writes(self, set_name: str) -> bool:
        """Whether records of the set may be written (server: stop-writes-size)."""
        own = self.set_settings.get(set_name) if set_name else None
        limit = 0 if own is None else own.number("stop-writes-size")
        return not limit or self._of_set_now(set_name)[1] <= limit

    def _of_set_now(self, set_name: str) -> tuple[int, int]:
        """How many records of the set there are, and their bytes."""
        sizes = [record.size() for tree in self.trees for record in tree.values() if record.set_name == set_name]
        return len(sizes), sum(sizes)

    def may_expire(self, ttl: int) -> bool:
        """Whether a record may have that life: it may not where nothing would ever remove it."""
        settings = self.settings
        return not ttl or settings.number("nsup-period") != 0 or settings.flag("allow-ttl-without-nsup")

    # Records --------------------------------------------------------------------------------------------------

    def is_doomed(self, record: StoredRecord) -> bool:
        """Whether the record has expired or was truncated: it is there, but nobody may see it.

        A record is alive in the second of its void-time (server: as_record_is_expired).
        """
        if record.void_time and record.void_time < self.clock.seconds():
            return True
        truncation = self.config.truncation
        if not truncation.namespace and not truncation.sets:
            return False
        return record.last_update < truncation.threshold(record.set_name)

    def is_swept(self, record: StoredRecord) -> bool:
        """Whether the record has expired so long ago that the real server would have removed it (its nsup-period)."""
        period = self.settings.number("nsup-period")
        if not record.void_time or not period:
            return False
        now = self.clock.seconds()
        return record.void_time < now - (now - self._sweeping_since) % period

    def live(self, tree: Tree, digest: bytes) -> StoredRecord | None:
        """The record that a reader may see."""
        record = tree.get(digest)
        return None if record is None or self.is_doomed(record) else record

    def purge(self) -> None:
        """Forget everything that has expired or was truncated, as the real server's background tasks do."""
        for tree in self.trees:
            for digest in [digest for digest, record in tree.items() if self.is_doomed(record)]:
                self.expired += 0 < tree.pop(digest).void_time < self.clock.seconds()

    def evict(self, void_time: int) -> None:
        """Forget the records that end before that time, but for those of sets that are exempt (disable-eviction)."""
        exempt = {name for name, own in self.set_settings.items() if own.flag("disable-eviction")}
        for tree in self.trees:
            for digest, record in list(tree.items()):
                if 0 < record.void_time < void_time and record.set_name not in exempt:
                    del tree[digest]

    def clear(self) -> None:
        """Forget every record."""
        for tree in self.trees:
            tree.clear()

    def records(self, partitions: Iterator[int] | range = range(N_PARTITIONS)) -> Iterator[StoredRecord]:
        """The live records of the partitions."""
        for number in partitions:
            for record in self.trees[number].values():
                if not self.is_doomed(record):
                    yield record


def merge_trees(target: Tree, source: Tree, *, by_generation: bool) -> None:
    """Take over those records of the source that win over the target's own (server: conflict-resolution-policy).

    Args:
        target: the tree that takes.
        source: the tree to take from.
        by_generation: whether the record wins that was updated more often; else the one that was updated later.
    """

    def rank(record: StoredRecord) -> tuple[int, int]:
        order = (record.generation, record.last_update)
        return order if by_generation else order[::-1]

    for digest, theirs in source.items():
        mine = target.get(digest)
        if mine is None or rank(mine) < rank(theirs):
            target[digest] = theirs
