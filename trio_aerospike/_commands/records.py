"""Commands on one record: get, put, operate and the like."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Never

from .._lazy import LazyModule
from .._wire import constants as wire
from .._wire.commands import encode_command, encode_field, encode_op, key_fields, op_name_only
from .._wire.records import decode_header, decode_ordered, decode_record
from .._wire.value_types import HyperLogLog
from ..config import ClientConfig
from ..errors import InvalidArgError, ProtocolError, RecordNotFound
from ..keys import Key, KeyLike, UserKey, as_key
from ..operations import Operation
from ..policies import ReadPolicy, WritePolicy, checked_generation, chosen, wire_ttl
from ..records import Metadata, OrderedResult, Record, checked_bins
from ..validation import checked_bin_name, checked_bin_names, refused, shown, unknown_argument
from .base import CommandFamily, CommandRunner

if TYPE_CHECKING:
    from .._cluster.execution import single
    from .._cluster.tend import cluster as tend
else:
    single = LazyModule("trio_aerospike._cluster.execution.single")
    tend = LazyModule("trio_aerospike._cluster.tend.cluster")

_GET_ALL = wire.INFO1_READ | wire.INFO1_GET_ALL
_NO_BINS = wire.INFO1_READ | wire.INFO1_GET_NO_BINS
#: Plain reads kept per client; sets are few, and who makes them up without end starts over now and then.
_READS_MAX = 1024


class RecordCommands(CommandFamily):
    """The part of the client that works on one record at a time.

    Every method takes a key as a :class:`Key` or as a tuple ``(namespace, set, user_key)``, and an optional policy;
    without one the client's default counts. A command that is entered in a cancelled scope sends nothing. A write that
    is cancelled after it was sent may or may not have been applied.

    All of them raise, besides what their own text says: AerospikeTimeoutError when the policy's time is over,
    ClusterError and ConnectionFailed when no node can be reached, NoMoreConnections, BackpressureError, InvalidArgError
    before anything is sent, ClientClosed, and ServerError or another class of the tree for what the server answered.
    """

    def __init__(
        self,
        config: ClientConfig,
        cluster: tend.Cluster,
        executor: single.Executor,
        *,
        runner: CommandRunner | None = None,
    ) -> None:
        super().__init__(config, cluster, executor)
        #: Sends the requests of this family: the executor, or what a thread or an event loop has in its place.
        self._runner: CommandRunner = executor if runner is None else runner
        self._read_policy = config.read_policy
        self._write_policy = config.write_policy
        # By what the policy asks, namespace and set: the request but for the digest that ends it.
        self._reads: dict[tuple[int, str, str], bytes] = {}

    # -- reads -------------------------------------------------------------------------------------------------------

    async def get(self, key: KeyLike, *, policy: ReadPolicy | None = None, **unknown: Never) -> Record:
        """Read a record with all its bins.

        Args:
            key: the record.
            policy: how; None for the client's read policy.

        Returns:
            The record.

        Raises:
            RecordNotFound: there is no such record.
        """
        if unknown:
            raise unknown_argument(self, "get", unknown)
        if type(key) is not Key:
            key = as_key(key)
        policy = self._read_policy if policy is None else chosen(policy, self._read_policy, ReadPolicy)
        if policy._plain:
            # No name for what is looked up: 100,000 gets that wait would keep as many tuples.
            head = self._reads.get((policy._head, key.namespace, key.set_name)) or self._new_read(key, policy)
            frame = head + key.digest
        else:
            frame = self._request(key, policy, _GET_ALL | policy._info1, 0, policy._info3, 0, policy._wire_ttl)
        body = await self._runner.run("get", key, frame, policy, False)
        try:
            _, generation, void_time, bins = decode_record(body)
        except ProtocolError as error:
            raise undecodable("get", key, error) from None
        return Record(key, bins, generation, void_time)

    async def select(
        self, key: KeyLike, bins: Iterable[str], *, policy: ReadPolicy | None = None, **unknown: Never
    ) -> Record:
        """Read some bins of a record.

        Args:
            key: the record.
            bins: names of the bins; one that the record does not have is left out of the answer.
            policy: how; None for the client's read policy.

        Returns:
            The record with those bins.

        Raises:
            RecordNotFound: there is no such record.
        """
        if unknown:
            raise unknown_argument(self, "select", unknown)
        key = as_key(key)
        policy = chosen(policy, self._read_policy, ReadPolicy)
        names = checked_bin_names(bins, "select.bins")
        ops = b"".join([op_name_only(wire.OP_READ, name) for name in names])
        frame = self._request(
            key, policy, wire.INFO1_READ | policy._info1, 0, policy._info3, 0, policy._wire_ttl, ops, len(names)
        )
        body = await self._runner.run("select", key, frame, policy, False)
        try:
            _, generation, void_time, found = decode_record(body)
        except ProtocolError as error:
            raise undecodable("select", key, error) from None
        return Record(key, found, generation, void_time)

    async def find_key(
        self,
        namespace: str,
        set_name: str | None,
        user_key: UserKey,
        *,
        policy: ReadPolicy | None = None,
        **unknown: Never,
    ) -> Key | None:
        """Find the key under which a record was written: clients hash a user key of bytes in two ways.

        aerospike-py and the official Python client hash bytes as text, this client and the other official ones as a
        blob. See ``Key.variants``.

        Args:
            namespace, set_name: where the record lives.
            user_key: what the program that wrote it called it.
            policy: how to read; None for the client's read policy.

        Returns:
            The key of the record, the one hashed as a blob if there are two records; None if there is no record.
        """
        if unknown:
            raise unknown_argument(self, "find_key", unknown)
        for key in Key.variants(namespace, set_name, user_key):
            if await self.exists(key, policy=policy) is not None:
                return key
        return None

    async def exists(self, key: KeyLike, *, policy: ReadPolicy | None = None, **unknown: Never) -> Metadata | None:
        """Look whether a record exists, without reading it.

        Args:
            key: the record.
            policy: how; None for the client's read policy.

        Returns:
            Its generation and time to live; None when there is no such record.
        """
        if unknown:
            raise unknown_argument(self, "exists", unknown)
        key = as_key(key)
        policy = chosen(policy, self._read_policy, ReadPolicy)
        frame = self._request(key, policy, _NO_BINS | policy._info1, 0, policy._info3, 0, policy._wire_ttl)
        try:
            body = await self._runner.run("exists", key, frame, policy, False)
        except RecordNotFound:
            return None
        try:
            _, generation, void_time = decode_header(body)
        except ProtocolError as error:
            raise undecodable("exists", key, error) from None
        return Metadata(key, generation, void_time)

    # -- writes ------------------------------------------------------------------------------------------------------

    async def put(
        self,
        key: KeyLike,
        bins: Mapping[str, Any],
        *,
        ttl: int | None = None,
        generation: int | None = None,
        policy: WritePolicy | None = None,
        **unknown: Never,
    ) -> None:
        """Write bins into a record, which is created if need be (see ``WritePolicy.exists``).

        Args:
            key: the record.
            bins: values by bin name; None removes the bin.
            ttl: seconds until the record expires, TTL_NEVER_EXPIRE or TTL_DONT_UPDATE; None for the policy's.
            generation: write only if the record's generation is this one; None for the policy's check.
            policy: how; None for the client's write policy.

        Raises:
            RecordGenerationError: the generation is another.
            RecordExistsError: the policy creates only, and the record is there.
            RecordNotFound: the policy updates only, and the record is not there.
        """
        if unknown:
            raise unknown_argument(self, "put", unknown)
        if type(key) is not Key:
            key = as_key(key)
        checked_bins(bins)
        # No name for the operations: 100,000 puts that wait would keep them beside the frame that they are part of.
        await self._write("put", key, policy, _write_ops(bins), len(bins), ttl, generation)

    async def append(
        self,
        key: KeyLike,
        bin: str,
        value: str | bytes,
        *,
        ttl: int | None = None,
        generation: int | None = None,
        policy: WritePolicy | None = None,
        **unknown: Never,
    ) -> None:
        """Put text or bytes behind the value of a bin; a missing bin or record is created.

        Args:
            key: the record.
            bin: name of the bin.
            value: what to add, of the type that the bin holds.
            ttl, generation, policy: as for :meth:`put`.

        Raises:
            BinTypeError: the bin holds a value of another type.
        """
        if unknown:
            raise unknown_argument(self, "append", unknown)
        await self._affix("append", wire.OP_APPEND, key, bin, value, ttl, generation, policy)

    async def prepend(
        self,
        key: KeyLike,
        bin: str,
        value: str | bytes,
        *,
        ttl: int | None = None,
        generation: int | None = None,
        policy: WritePolicy | None = None,
        **unknown: Never,
    ) -> None:
        """Put text or bytes before the value of a bin; a missing bin or record is created.

        Args:
            key: the record.
            bin: name of the bin.
            value: what to add, of the type that the bin holds.
            ttl, generation, policy: as for :meth:`put`.

        Raises:
            BinTypeError: the bin holds a value of another type.
        """
        if unknown:
            raise unknown_argument(self, "prepend", unknown)
        await self._affix("prepend", wire.OP_PREPEND, key, bin, value, ttl, generation, policy)

    async def increment(
        self,
        key: KeyLike,
        bin: str,
        offset: int | float = 1,
        *,
        ttl: int | None = None,
        generation: int | None = None,
        policy: WritePolicy | None = None,
        **unknown: Never,
    ) -> None:
        """Add a number to the number in a bin; a missing bin or record starts from zero.

        Args:
            key: the record.
            bin: name of the bin.
            offset: what to add; an int for a bin of integers, a float for one of doubles.
            ttl, generation, policy: as for :meth:`put`.

        Raises:
            BinTypeError: the bin holds something else than such a number.
        """
        if unknown:
            raise unknown_argument(self, "increment", unknown)
        if isinstance(offset, bool) or not isinstance(offset, (int, float)):
            raise refused("increment.offset", offset, "an int of 64 bits or a float")
        key = as_key(key)
        ops = encode_op(wire.OP_INCR, checked_bin_name(bin, "increment.bin"), offset)
        await self._write("increment", key, policy, ops, 1, ttl, generation)

    async def touch(
        self, key: KeyLike, *, ttl: int | None = None, policy: WritePolicy | None = None, **unknown: Never
    ) -> None:
        """Start a record's time to live anew and raise its generation.

        Args:
            key: the record.
            ttl: seconds, as for :meth:`put`.
            policy: how; None for the client's write policy.

        Raises:
            RecordNotFound: there is no such record.
        """
        if unknown:
            raise unknown_argument(self, "touch", unknown)
        key = as_key(key)
        await self._write("touch", key, policy, op_name_only(wire.OP_TOUCH, ""), 1, ttl, None)

    async def remove_bin(
        self,
        key: KeyLike,
        bins: Iterable[str],
        *,
        ttl: int | None = None,
        generation: int | None = None,
        policy: WritePolicy | None = None,
        **unknown: Never,
    ) -> None:
        """Remove bins from a record; one that is not there is passed over, and the last one takes the record along.

        Args:
            key: the record.
            bins: names of the bins.
            ttl, generation, policy: as for :meth:`put`.

        Raises:
            RecordGenerationError: the generation is another.
        """
        if unknown:
            raise unknown_argument(self, "remove_bin", unknown)
        key = as_key(key)
        names = checked_bin_names(bins, "remove_bin.bins")
        ops = b"".join([op_name_only(wire.OP_WRITE, name) for name in names])
        await self._write("remove_bin", key, policy, ops, len(names), ttl, generation)

    async def remove(
        self, key: KeyLike, *, generation: int | None = None, policy: WritePolicy | None = None, **unknown: Never
    ) -> None:
        """Remove a record.

        Args:
            key: the record.
            generation: remove only if the record's generation is this one; None for the policy's check.
            policy: how; None for the client's write policy.

        Raises:
            RecordNotFound: there is no such record.
            RecordGenerationError: the generation is another.
        """
        if unknown:
            raise unknown_argument(self, "remove", unknown)
        key = as_key(key)
        policy = chosen(policy, self._write_policy, WritePolicy)
        info2 = policy._info2
        expected = policy._generation
        if generation is not None:
            expected = checked_generation(generation)
            info2 = info2 & ~wire.INFO2_GENERATION_GT | wire.INFO2_GENERATION
        # A delete says nothing of creating or replacing: the server refuses those bits beside it.
        info2 = info2 & ~wire.INFO2_CREATE_ONLY | wire.INFO2_WRITE | wire.INFO2_DELETE
        info3 = policy._info3 & wire.INFO3_COMMIT_LEVEL_MASTER
        frame = self._request(key, policy, 0, info2, info3, expected, 0)
        await self._runner.run("remove", key, frame, policy, True)

    # -- several operations at once ----------------------------------------------------------------------------------

    async def operate(
        self,
        key: KeyLike,
        operations: Iterable[Operation],
        *,
        ttl: int | None = None,
        generation: int | None = None,
        policy: WritePolicy | None = None,
        **unknown: Never,
    ) -> Record:
        """Carry out several operations on one record, all or none, in their order.

        Args:
            key: the record.
            operations: reads and writes from :mod:`trio_aerospike.operations`.
            ttl, generation: as for :meth:`put`, where there is a write among the operations.
            policy: how; None for the client's write policy.

        Returns:
            The record with the bins that were read; of several results for one bin the last counts. Operations on
            maps, bits and sketches and those with expressions are answered always: with None where there is nothing
            to say. Others are left out then.

        Raises:
            RecordNotFound: there is no such record, and nothing creates it.
            RecordGenerationError: the generation is another.
            BinTypeError: a bin holds a value that its operation cannot work on.
        """
        if unknown:
            raise unknown_argument(self, "operate", unknown)
        key, body = await self._operate("operate", key, operations, ttl, generation, policy)
        try:
            _, new_generation, void_time, bins = decode_record(body)
        except ProtocolError as error:
            raise undecodable("operate", key, error, done=True) from None
        return Record(key, bins, new_generation, void_time)

    async def operate_ordered(
        self,
        key: KeyLike,
        operations: Iterable[Operation],
        *,
        ttl: int | None = None,
        generation: int | None = None,
        policy: WritePolicy | None = None,
        **unknown: Never,
    ) -> OrderedResult:
        """As :meth:`operate`, with every result in the order of the operations.

        Args:
            key, operations, ttl, generation, policy: as for :meth:`operate`.

        Returns:
            Key, generation, time to live and a list of ``(bin name, value)``.
        """
        if unknown:
            raise unknown_argument(self, "operate_ordered", unknown)
        key, body = await self._operate("operate_ordered", key, operations, ttl, generation, policy)
        try:
            _, new_generation, void_time, results = decode_ordered(body)
        except ProtocolError as error:
            raise undecodable("operate_ordered", key, error, done=True) from None
        return OrderedResult(key, new_generation, void_time, results)

    # -- what they share ---------------------------------------------------------------------------------------------

    async def _operate(
        self,
        what: str,
        key: KeyLike,
        operations: Iterable[Operation],
        ttl: int | None,
        generation: int | None,
        policy: WritePolicy | None,
    ) -> tuple[Key, bytes]:
        key = as_key(key)
        policy = chosen(policy, self._write_policy, WritePolicy)
        if not isinstance(operations, Iterable):
            raise refused(f"{what}.operations", operations, "a list of operations")
        listed = list(operations)
        if not listed:
            raise InvalidArgError(f"{what}.operations: got none, allowed: one or more")
        info1 = info2 = 0
        writes = False
        encoded = []
        for index, operation in enumerate(listed):
            if not isinstance(operation, Operation):
                raise refused(
                    f"{what}.operations[{index}]", operation, "an operation made by trio_aerospike.operations"
                )
            info1 |= operation.info1
            info2 |= operation.info2
            writes = writes or operation.is_write
            encoded.append(operation.encode())
        ops = b"".join(encoded)
        if info1 & wire.INFO1_GET_ALL:
            # The server does not take both: with all bins read there is nothing to tell apart (aerospike_key.c of the
            # C client).
            info2 = 0
        elif writes and policy.respond_all_ops:
            info2 |= wire.INFO2_RESPOND_ALL_OPS
        if not writes:
            if ttl is not None or generation is not None:
                name, value = ("ttl", ttl) if ttl is not None else ("generation", generation)
                raise InvalidArgError(f"{what}.{name}: got {shown(value)}, allowed: None, as nothing here writes")
            info1 |= policy._read_info1
            frame = self._request(
                key, policy, info1, info2, policy._read_info3, 0, policy._read_wire_ttl, ops, len(encoded)
            )
        else:
            if info1:
                info1 |= policy._read_info1
            info2 |= policy._info2 | wire.INFO2_WRITE
            info2, expected, record_ttl = _conditions(policy, info2, ttl, generation)
            info3 = policy._info3 | (policy._read_info3 if info1 else 0)
            frame = self._request(key, policy, info1, info2, info3, expected, record_ttl, ops, len(encoded))
        return key, await self._runner.run(what, key, frame, policy, writes)

    async def _affix(
        self,
        what: str,
        op: int,
        key: KeyLike,
        bin: str,
        value: str | bytes,
        ttl: int | None,
        generation: int | None,
        policy: WritePolicy | None,
    ) -> None:
        if not isinstance(value, (str, bytes, bytearray, memoryview)) or isinstance(value, HyperLogLog):
            raise refused(f"{what}.value", value, "str or bytes")
        key = as_key(key)
        await self._write(
            what, key, policy, encode_op(op, checked_bin_name(bin, f"{what}.bin"), value), 1, ttl, generation
        )

    def _write(
        self,
        what: str,
        key: Key,
        policy: WritePolicy | None,
        ops: bytes,
        count: int,
        ttl: int | None,
        generation: int | None,
    ) -> Coroutine[Any, Any, bytes]:
        """Make the request now and return what sends it: a coroutine less for each write that waits."""
        policy = chosen(policy, self._write_policy, WritePolicy)
        info2, expected, record_ttl = _conditions(policy, policy._info2 | wire.INFO2_WRITE, ttl, generation)
        frame = self._request(key, policy, 0, info2, policy._info3, expected, record_ttl, ops, count)
        return self._runner.run(what, key, frame, policy, True)

    def _new_read(self, key: Key, policy: ReadPolicy) -> bytes:
        """The head of the request that all plain reads share in the namespace and set of ``key``."""
        if len(self._reads) >= _READS_MAX:
            self._reads.clear()
        frame = self._request(key, policy, _GET_ALL | policy._info1, 0, policy._info3, 0, policy._wire_ttl)
        head = self._reads[policy._head, key.namespace, key.set_name] = frame[: -wire.DIGEST_SIZE]
        return head

    def _request(
        self,
        key: Key,
        policy: ReadPolicy | WritePolicy,
        info1: int,
        info2: int,
        info3: int,
        generation: int,
        record_ttl: int,
        ops: bytes = b"",
        count: int = 0,
    ) -> bytes:
        """The frame of a request; its transaction ttl is the policy's total timeout."""
        user_key = None
        if policy.send_key:
            user_key = key.user_key
            if user_key is None:
                raise InvalidArgError(f"send_key: got a key without a user key ({key!r}), allowed: keys that have one")
        fields, n_fields = key_fields(key.namespace, key.set_name, key.digest, user_key)
        if policy.filter_expression is not None:
            fields += encode_field(wire.FIELD_FILTER, policy.filter_expression)
            n_fields += 1
        limit = policy._transaction_ttl
        return encode_command(info1, info2, info3, 0, generation, record_ttl, limit, fields, n_fields, ops, count)


def _write_ops(bins: Mapping[str, Any]) -> bytes:
    return b"".join([encode_op(wire.OP_WRITE, name, value) for name, value in bins.items()])


def _conditions(policy: WritePolicy, info2: int, ttl: int | None, generation: int | None) -> tuple[int, int, int]:
    """Combine a call's ttl and generation with the policy's: info2, generation and ttl of the header."""
    expected = policy._generation
    if generation is not None:
        expected = checked_generation(generation)
        info2 = info2 & ~wire.INFO2_GENERATION_GT | wire.INFO2_GENERATION
    record_ttl = policy._wire_ttl if ttl is None else wire_ttl(ttl)
    return info2, expected, record_ttl


def undecodable(what: str, key: Key, error: ProtocolError, *, done: bool = False) -> ProtocolError:
    """Return the error for an answer that cannot be decoded: the call, the key, and what the decoder said.

    Args:
        what: The call.
        key: The record.
        error: What the decoder said.
        done: Whether the request may have changed the record, which the server has done then.
    """
    note = " (the server has carried out the request)" if done else ""
    return ProtocolError(f"{what} {key!r}: {error.message}{note}", attempts=1)
