"""Record every write with its outcome, and every read with the values that are allowed for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs
import trio

from trio_aerospike import (
    AerospikeError,
    Client,
    Key,
    ReadPolicy,
    Record,
    RecordNotFound,
    WritePolicy,
    increment,
    write as write_bin,
)

from .network import tag

NAMESPACE = "test"
#: The server's code for a command that it gave up for time.
_TIMEOUT = 9


def bins_of(name: str, number: int) -> dict[str, Any]:
    """What a version of a record holds: enough to tell whose it is and which."""
    return {"name": name, "number": number, "tag": tag(name, number)}


@attrs.define
class Entry:
    """One record that one task at a time writes.

    Attributes:
        issued: number of the last write; they count from 1.
        acknowledged: number of the last write that was acknowledged, 0 for none.
        doubtful: writes of unknown outcome: after one of these the record is not written any more.
        refused: writes that certainly were not applied.
    """

    issued: int = 0
    acknowledged: int = 0
    doubtful: set[int] = attrs.Factory(set)
    refused: set[int] = attrs.Factory(set)

    def may_show(self, floor: int) -> set[int]:
        """The numbers that a read may come back with, given what was acknowledged when it began; 0 is no record."""
        return set(range(floor, self.issued + 1)) - self.refused


@attrs.define
class Counting:
    """One record that many tasks count up."""

    issued: int = 0
    acknowledged: int = 0
    refused: int = 0


class Ledger:
    """Carries out commands and holds every answer against what can be true.

    Args:
        sends: how often each marked write left the client.
        applied: how often each was applied; None where no server can tell.
        set_name: the set in which all this happens.
        prefix: of all keys.
        strict: whether a read may not come back older than what was acknowledged before it began.

    Attributes:
        problems: what was found wrong, in words.
        failed_reads: errors of reads, by their text.
        failed_writes: errors of writes that were certainly not applied.
        doubts: number of writes of unknown outcome, the cancelled ones included.
        acknowledged, read: number of commands that did what they were asked to.
    """

    def __init__(
        self,
        sends: Counter[str] | None,
        applied: Counter[str] | None,
        *,
        set_name: str = "simulation",
        prefix: str = "",
        strict: bool = True,
    ) -> None:
        self._sends = sends
        self._applied = applied
        self._strict = strict
        self.set_name = set_name
        self._prefix = prefix
        self.entries: dict[str, Entry] = {}
        self.counters: dict[str, Counting] = {}
        self._lives: Counter[str] = Counter()
        self.problems: list[str] = []
        self.failed_reads: list[str] = []
        self.failed_writes: list[str] = []
        self.doubts = 0
        self.acknowledged = 0
        self.read_count = 0

    def __repr__(self) -> str:
        return (
            f"<Ledger {self.acknowledged} writes acknowledged, {self.doubts} in doubt, {len(self.failed_writes)} "
            f"refused, {self.read_count} reads, {len(self.failed_reads)} failed, {len(self.problems)} problems>"
        )

    def key(self, name: str) -> Key:
        """The key of a record."""
        return Key(NAMESPACE, self.set_name, self._prefix + name)

    # -- commands ----------------------------------------------------------------------------------------------------

    async def write(self, client: Client, name: str, policy: WritePolicy | None = None) -> None:
        """Write the next version of a record; one with a write in doubt is left alone from then on, for a new one."""
        current = f"{name}.{self._lives[name]}"
        entry = self.entries.setdefault(current, Entry())
        if entry.doubtful:
            self._lives[name] += 1
            current = f"{name}.{self._lives[name]}"
            entry = self.entries.setdefault(current, Entry())
        entry.issued += 1
        number = entry.issued
        mark = tag(current, number)
        try:
            await client.put(self.key(current), bins_of(current, number), policy=policy)
        except AerospikeError as error:
            if self._judge(mark, error):
                entry.doubtful.add(number)
            else:
                entry.refused.add(number)
        except trio.Cancelled:
            if self._was_never_sent(mark):
                entry.refused.add(number)
            else:
                self.doubts += 1
                entry.doubtful.add(number)
            raise
        else:
            self.acknowledged += 1
            entry.acknowledged = number
        self._check_single(mark)

    async def count(self, client: Client, name: str, policy: WritePolicy | None = None) -> None:
        """Add one to a record that many tasks count up."""
        counter = self.counters.setdefault(name, Counting())
        counter.issued += 1
        mark = tag(name, counter.issued)
        try:
            await client.operate(self.key(name), [increment("count", 1), write_bin("tag", mark)], policy=policy)
        except AerospikeError as error:
            if not self._judge(mark, error):
                counter.refused += 1
        except trio.Cancelled:
            if self._was_never_sent(mark):
                counter.refused += 1
            else:
                self.doubts += 1
            raise
        else:
            self.acknowledged += 1
            counter.acknowledged += 1
        self._check_single(mark)

    async def read(self, client: Client, name: str, policy: ReadPolicy | None = None) -> None:
        """Read the present version of a record."""
        current = f"{name}.{self._lives[name]}"
        entry = self.entries.setdefault(current, Entry())
        floor = entry.acknowledged
        try:
            record = await client.get(self.key(current), policy=policy)
        except RecordNotFound:
            self._check_read(current, entry, floor, 0)
        except AerospikeError as error:
            self.failed_reads.append(f"{type(error).__name__}: {error}")
            if error.in_doubt:
                self.problems.append(f"a read of {current} is said to be in doubt: {error}")
        else:
            self.check_record(current, floor, record)

    async def batch_read(self, client: Client, names: list[str]) -> None:
        """Read several records at once."""
        currents = [f"{name}.{self._lives[name]}" for name in names]
        floors = [self.entries.setdefault(current, Entry()).acknowledged for current in currents]
        try:
            results = await client.batch_read([self.key(current) for current in currents])
        except AerospikeError as error:
            self.failed_reads.append(f"{type(error).__name__}: {error}")
            return
        for current, floor, result in zip(currents, floors, results, strict=True):
            if result.record is not None:
                self.check_record(current, floor, result.record)
            elif isinstance(result.error, RecordNotFound) or result.result_code == 2:
                self._check_read(current, self.entries[current], floor, 0)
            else:
                self.failed_reads.append(f"batch: {result.error}")

    def check_record(self, current: str, floor: int, record: Record) -> None:
        """Hold a record that was read against what it may be."""
        number = record.bins.get("number")
        if not isinstance(number, int) or record.bins != bins_of(current, number):
            self.problems.append(f"asked for {current}, got {record.bins!r}")
            return
        self._check_read(current, self.entries[current], floor, number)

    def _check_read(self, current: str, entry: Entry, floor: int, number: int) -> None:
        self.read_count += 1
        if number not in entry.may_show(floor if self._strict else 0):
            self.problems.append(f"{current} showed version {number}, which is impossible: {entry}, floor {floor}")

    # -- judging -----------------------------------------------------------------------------------------------------

    def _judge(self, mark: str, error: AerospikeError) -> bool:
        """Whether a failed write may have been applied; notes where the client says otherwise."""
        unsent = self._was_never_sent(mark)
        if error.in_doubt:
            self.doubts += 1
            if unsent:
                self.problems.append(f"{mark} never left the client and is said to be in doubt: {error!r}")
            return True
        self.failed_writes.append(f"{mark} {type(error).__name__}: {error}")
        code = int(error.result_code)
        if unsent is False and (code < 0 or code == _TIMEOUT):
            self.problems.append(f"{mark} was sent, was not answered, and is not said to be in doubt: {error!r}")
        return False

    def _was_never_sent(self, mark: str) -> bool | None:
        return None if self._sends is None else self._sends[mark] <= 0

    def _check_single(self, mark: str) -> None:
        if self._sends is not None and self._sends[mark] > 1:
            self.problems.append(f"{mark} was sent {self._sends[mark]} times")

    # -- the end -----------------------------------------------------------------------------------------------------

    async def verify(self, client: Client, *, parallel: int = 16) -> None:
        """Read everything back, now that the cluster is whole, and raise AssertionError for whatever is wrong."""
        failed_before = len(self.failed_reads)
        work: list[Callable[[], object]] = [lambda n=n: self._verify_entry(client, n) for n in self.entries]  # type: ignore[misc]
        work += [lambda n=n: self._verify_counter(client, n) for n in self.counters]  # type: ignore[misc]
        left = iter(work)

        async def drain() -> None:
            for job in left:
                await job()  # type: ignore[misc]

        async with trio.open_nursery() as nursery:
            for _ in range(parallel):
                nursery.start_soon(drain)
        for mark, times in (self._applied or {}).items():
            if times > 1:
                self.problems.append(f"{mark} was applied {times} times")
        for name, entry in self.entries.items():
            for number in entry.refused:
                if self._applied is not None and self._applied[tag(name, number)]:
                    self.problems.append(f"{tag(name, number)} was applied though it failed for certain")
            for number in range(1, entry.acknowledged + 1):
                certain = number not in entry.refused and number not in entry.doubtful
                if certain and self._applied is not None and not self._applied[tag(name, number)]:
                    self.problems.append(f"{tag(name, number)} was acknowledged and never applied")
        assert not self.problems, "\n".join([repr(self), *self.problems[:20]])
        assert len(self.failed_reads) == failed_before, self.failed_reads[failed_before:][:5]

    async def _verify_entry(self, client: Client, name: str) -> None:
        entry = self.entries[name]
        number = 0
        try:
            record = await client.get(self.key(name))
        except RecordNotFound:
            pass
        else:
            self.check_record(name, entry.acknowledged, record)
            number = record.bins["number"]
        allowed = {entry.acknowledged, *(n for n in entry.doubtful if n > entry.acknowledged)}
        if number not in allowed:
            self.problems.append(f"{name} ended as version {number}: {entry}")

    async def _verify_counter(self, client: Client, name: str) -> None:
        counter = self.counters[name]
        value = 0
        try:
            value = (await client.get(self.key(name))).bins["count"]
        except RecordNotFound:
            pass
        if not counter.acknowledged <= value <= counter.issued - counter.refused:
            self.problems.append(f"{name} counted {value}: {counter}")
