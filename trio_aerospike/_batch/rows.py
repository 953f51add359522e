"""Encode the rows of a batch: reads, writes, removals and calls of functions.

An encoder checks and encodes when it is made, before anything is sent, and serves any number of keys.

Facts: ``as_batch_attr_read_row``, ``as_batch_attr_write``, ``as_batch_attr_apply``, ``as_batch_attr_remove`` in the C
client's ``aerospike_batch.c``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, TypeAlias

from .._wire import constants as wire
from .._wire.batch import all_same, encode_row_payload, read_row
from .._wire.commands import encode_field, encode_op, user_key_field
from ..errors import InvalidArgError
from ..keys import Key, of_one_place
from ..operations import Operation
from ..policies import BatchPolicy, checked_generation, chosen, wire_ttl
from ..validation import checked_bin_name, checked_bins, refused
from .policies import BatchApplyPolicy, BatchReadPolicy, BatchRemovePolicy, BatchWritePolicy
from .udf_call import udf_fields

_READ: Final = BatchReadPolicy()
_WRITE: Final = BatchWritePolicy()
_REMOVE: Final = BatchRemovePolicy()
_APPLY: Final = BatchApplyPolicy()
_place = attrgetter("namespace", "set_name")


class ReadEncoder:
    """Encode reads, for any key.

    Args:
        where: the call, for messages.
        bins: names of the bins; None for all, none for no bins at all.
        operations: reads in place of ``bins``.
        policy: how; None for what the whole batch says.
    """

    __slots__ = ("_bins", "_filter", "_ops", "_policy", "sends_key", "writes")

    def __init__(
        self,
        where: str,
        bins: Iterable[str] | None,
        operations: Iterable[Operation] | Ops | None,
        policy: BatchReadPolicy | None,
    ) -> None:
        if bins is not None and operations is not None:
            raise InvalidArgError(f"{where}: got bins and operations, allowed: one of them")
        self.writes = self.sends_key = False
        self._policy = None if policy is None else chosen(policy, _READ, BatchReadPolicy)
        self._bins = None if bins is None else _names(bins, f"{where}.bins")
        self._ops = operations if operations is None or isinstance(operations, Ops) else Ops(operations, where)
        if self._ops is not None and self._ops.writes:
            raise InvalidArgError(f"{where}.operations: got one that writes, allowed: reads, as from read or lists.get")

    def payload(self, key: Key, batch: BatchPolicy) -> bytes:
        """The payload of a row: its bytes behind the digest."""
        policy: BatchReadPolicy | BatchPolicy = batch if self._policy is None else self._policy
        info1 = policy._info1 & ~wire.INFO1_COMPRESS_RESPONSE
        if self._ops is None:
            infos, ops, count = read_row(self._bins, info1, policy._info3)
        else:
            ops, count = self._ops.data, self._ops.count
            infos = (info1 | self._ops.info1, 0, policy._info3)
        # The whole batch's filter stands in its head.
        fields, n_fields = _fields(None if self._policy is None else self._policy.filter_expression, None)
        return encode_row_payload(
            key.namespace,
            key.set_name,
            infos,
            record_ttl=policy._wire_ttl,
            fields=fields,
            n_fields=n_fields,
            ops=ops,
            n_ops=count,
        )


class WriteEncoder:
    """Encode writes, for any key.

    Args:
        where: the call, for messages.
        operations: at least one of which writes; None where each key comes with its own (:meth:`payload_with`).
        ttl, generation: in place of the policy's, where they are not None.
        policy: how.
    """

    __slots__ = ("_generation", "_info2", "_ops", "_policy", "_ttl", "sends_key", "writes")

    def __init__(
        self,
        operations: Ops | None,
        ttl: int | None,
        generation: int | None,
        policy: BatchWritePolicy | None,
        where: str,
    ) -> None:
        self.writes = True
        self._ops = operations = operations or Ops.none()
        self._policy = policy = chosen(policy, _WRITE, BatchWritePolicy)
        self.sends_key = policy.send_key
        # As the C client: a result for each operation, unless all bins are read, which the server takes only alone.
        respond_all = 0 if operations.info1 & wire.INFO1_GET_ALL else wire.INFO2_RESPOND_ALL_OPS
        self._info2, self._generation = _expected(policy._info2, policy._generation, generation, f"{where}.generation")
        self._info2 |= wire.INFO2_WRITE | respond_all
        self._ttl = policy._wire_ttl if ttl is None else wire_ttl(ttl, f"{where}.ttl")

    def payload(self, key: Key, batch: BatchPolicy) -> bytes:
        """The payload of a row: its bytes behind the digest."""
        return self.payload_with(key, self._ops.data, self._ops.count)

    def payload_with(self, key: Key, ops: bytes, count: int) -> bytes:
        """The payload with other operations, which only write."""
        policy = self._policy
        fields, n_fields = _fields(policy.filter_expression, key if policy.send_key else None)
        return encode_row_payload(
            key.namespace,
            key.set_name,
            (self._ops.info1, self._info2, policy._info3),
            record_ttl=self._ttl,
            generation=self._generation,
            fields=fields,
            n_fields=n_fields,
            ops=ops,
            n_ops=count,
        )


class RemoveEncoder:
    """Encode removals, for any key."""

    __slots__ = ("_generation", "_info2", "_policy", "sends_key", "writes")

    def __init__(self, generation: int | None, policy: BatchRemovePolicy | None, where: str) -> None:
        self.writes = True
        self._policy = policy = chosen(policy, _REMOVE, BatchRemovePolicy)
        self.sends_key = policy.send_key
        self._info2, self._generation = _expected(policy._info2, policy._generation, generation, f"{where}.generation")
        self._info2 |= wire.INFO2_WRITE | wire.INFO2_DELETE | wire.INFO2_RESPOND_ALL_OPS

    def payload(self, key: Key, batch: BatchPolicy) -> bytes:
        """The payload of a row: its bytes behind the digest."""
        policy = self._policy
        fields, n_fields = _fields(policy.filter_expression, key if policy.send_key else None)
        return encode_row_payload(
            key.namespace,
            key.set_name,
            (0, self._info2, policy._info3),
            generation=self._generation,
            fields=fields,
            n_fields=n_fields,
        )


class ApplyEncoder:
    """Encode calls of a user-defined function, for any key."""

    __slots__ = ("_call", "_policy", "sends_key", "writes")

    def __init__(
        self, module: str, function: str, arguments: Iterable[Any], policy: BatchApplyPolicy | None, where: str
    ) -> None:
        self.writes = True
        self._policy = policy = chosen(policy, _APPLY, BatchApplyPolicy)
        self.sends_key = policy.send_key
        self._call = udf_fields(where, module, function, arguments)

    def payload(self, key: Key, batch: BatchPolicy) -> bytes:
        """The payload of a row: its bytes behind the digest."""
        policy = self._policy
        fields, n_fields = _fields(policy.filter_expression, key if policy.send_key else None)
        return encode_row_payload(
            key.namespace,
            key.set_name,
            (0, policy._info2 | wire.INFO2_WRITE, policy._info3),
            record_ttl=policy._wire_ttl,
            generation=0,
            fields=fields + self._call,
            n_fields=n_fields + 3,
        )


RowEncoder: TypeAlias = ReadEncoder | WriteEncoder | RemoveEncoder | ApplyEncoder


class Ops:
    """Operations on one record, encoded."""

    __slots__ = ("count", "data", "info1", "writes")

    def __init__(self, operations: Iterable[Operation], where: str) -> None:
        if not isinstance(operations, Iterable):
            raise refused(f"{where}.operations", operations, "a list of operations")
        self.info1 = 0
        self.writes = False
        encoded = []
        listed: list[Any] = list(operations)
        for index, operation in enumerate(listed):
            if not isinstance(operation, Operation):
                allowed = "an operation made by trio_aerospike.operations"
                raise refused(f"{where}.operations[{index}]", operation, allowed)
            self.info1 |= operation.info1
            self.writes = self.writes or operation.is_write
            encoded.append(operation.encode())
        if not encoded:
            raise InvalidArgError(f"{where}.operations: got none, allowed: one or more")
        self.data = b"".join(encoded)
        self.count = len(encoded)

    @classmethod
    def of_bins(cls, bins: Mapping[str, Any]) -> Ops:
        """Writes of some bins."""
        ops = cls.none()
        ops.data, ops.count = writes_of(bins), len(bins)
        return ops

    @classmethod
    def none(cls) -> Ops:
        """No operations yet: each key comes with writes of its own."""
        ops = cls.__new__(cls)
        ops.info1 = ops.count = 0
        ops.writes = True
        ops.data = b""
        return ops


def writes_of(bins: Mapping[str, Any]) -> bytes:
    """The operations that write some bins.

    Raises:
        InvalidArgError: a bin name is invalid, or the database cannot hold a value.
    """
    checked_bins(bins)
    return b"".join([encode_op(wire.OP_WRITE, name, value) for name, value in bins.items()])


def encoder_of_operations(
    operations: Iterable[Operation], ttl: int | None, policy: BatchWritePolicy | None, where: str
) -> RowEncoder:
    """The encoder of operations: of reads, or of writes where one of them writes.

    Raises:
        InvalidArgError: an operation is invalid, or there is a ttl or a policy for writes and nothing writes.
    """
    ops = Ops(operations, where)
    if ops.writes:
        return WriteEncoder(ops, ttl, None, policy, where)
    for name, value in (("ttl", ttl), ("write_policy", policy)):
        if value is not None:
            raise refused(f"{where}.{name}", value, "None, as nothing here writes")
    return ReadEncoder(where, None, ops, None)


def _expected(info2: int, generation: int, given: int | None, where: str) -> tuple[int, int]:
    """What a record's own generation makes of its policy's check: info2 and generation of the row."""
    if given is None:
        return info2, generation
    return info2 & ~wire.INFO2_GENERATION_GT | wire.INFO2_GENERATION, checked_generation(given, where)


def _fields(filter_expression: bytes | None, key: Key | None) -> tuple[bytes, int]:
    """The fields behind namespace and set, and how many."""
    fields = b""
    count = 0
    if filter_expression is not None:
        fields += encode_field(wire.FIELD_FILTER, filter_expression)
        count += 1
    if key is not None:
        if key.user_key is None:
            raise InvalidArgError(f"send_key: got a key without a user key ({key!r}), allowed: keys that have one")
        fields += user_key_field(key.user_key)
        count += 1
    return fields, count


def _names(bins: Iterable[str], where: str) -> list[str]:
    if isinstance(bins, (str, bytes)) or not isinstance(bins, Iterable):
        raise refused(where, bins, "a list of bin names, or None for all")
    return [checked_bin_name(name, where) for name in bins]


class Rows:
    """The rows of a batch while they are gathered: keys, payloads, and which of them write."""

    __slots__ = ("_batch", "_last", "_some_write", "_uniform", "_writes", "keys", "row_payloads")

    def __init__(self, batch: BatchPolicy) -> None:
        self._batch = batch
        self._last = b""
        self._some_write = False
        #: Whether all keys were added at once and are of one namespace and set; None where they were not.
        self._uniform: bool | None = None
        self._writes: list[bool] = []
        self.keys: list[Key] = []
        self.row_payloads: list[bytes] = []

    @property
    def writes(self) -> list[bool] | None:
        """For each row whether it changes its record; None where none does."""
        return self._writes if self._some_write else None

    @property
    def uniform(self) -> bool:
        """Whether all keys are of one namespace and set."""
        return of_one_place(self.keys) if self._uniform is None else self._uniform

    @property
    def alike(self) -> bool:
        """Whether all of ``row_payloads`` are one object."""
        return self._uniform or all_same(self.row_payloads)

    def add(self, key: Key, encoder: RowEncoder, payload: bytes | None = None) -> None:
        """Append a row; ``payload`` is its bytes, where they have been encoded already."""
        if payload is None:
            payload = encoder.payload(key, self._batch)
        # Rows that share an object are sent as repetitions, which the server refuses where there is a user key.
        if payload == self._last and not encoder.sends_key:
            payload = self._last
        self._last = payload
        self._uniform = None
        self.keys.append(key)
        self.row_payloads.append(payload)
        self._writes.append(encoder.writes)
        self._some_write = self._some_write or encoder.writes

    def add_all(self, keys: Sequence[Key], encoder: RowEncoder) -> None:
        """Append rows with the same encoder."""
        if encoder.sends_key:
            for key in keys:
                self.add(key, encoder)
            return
        uniform = of_one_place(keys)
        self._uniform = None if self.keys else uniform
        self.keys += keys
        if uniform:
            self.row_payloads += [encoder.payload(key, self._batch) for key in keys[:1]] * len(keys)
        else:
            one_of_each = dict(zip(map(_place, keys), keys, strict=True))
            places = {place: encoder.payload(key, self._batch) for place, key in one_of_each.items()}
            self.row_payloads += [places[place] for place in map(_place, keys)]
        self._writes += [encoder.writes] * len(keys)
        self._some_write = self._some_write or encoder.writes

    @classmethod
    def of(cls, parts: Iterable[Rows], batch: BatchPolicy) -> Rows:
        """Rows that were made one by one, as one batch."""
        rows = cls(batch)
        for row in parts:
            rows.keys += row.keys
            rows.row_payloads += row.row_payloads
            rows._writes += row._writes
            rows._some_write = rows._some_write or row._some_write
        return rows
