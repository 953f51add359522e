"""The synchronous client's commands on single records."""

# Generated from _async/records.py by tools/make_sync.py: change that file, then run the script.

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trio_aerospike.keys import KeyLike

from .._client_base import ClientBase
from .._commands import administration
from .._conversion import results
from .._conversion.bins import copy_bins
from .._conversion.keys import to_key
from .._observability.metrics import named
from .._operations.conversion import with_ttl
from .._runtime.backends import BlockingBackend
from ..types import ExistsResult, OperateOrderedResult, Record


class RecordCommands(ClientBase):
    """Commands on single records."""

    _backend: BlockingBackend

    def put(
        self,
        key: KeyLike,
        bins: Mapping[str, Any],
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Write bins of a record, which is created if it does not exist. A value of None removes the bin.

        Args:
            key: ``(namespace, set, user key)``.
            bins: Values by name.
            meta: A WriteMeta: the expected generation, the time to live.
            policy: A WritePolicy.

        Raises:
            RecordGenerationError: The record has another generation than the expected one.
            RecordExistsError, RecordNotFound: The policy's ``exists`` forbids the write.
        """
        commands = self._record_commands() or self._refuse("put", locals())
        self._backend.run(commands.put(to_key(key), copy_bins(bins), policy=self._policies.write(policy, meta)))

    def get(self, key: KeyLike, policy: Mapping[str, Any] | None = None) -> Record:
        """Read a record with all its bins.

        Raises:
            RecordNotFound: The record does not exist.
        """
        commands = self._record_commands() or self._refuse("get", locals())
        found = self._backend.run(commands.get(to_key(key), policy=self._policies.read(policy)))
        return results.record(found)

    def select(self, key: KeyLike, bins: Sequence[str], policy: Mapping[str, Any] | None = None) -> Record:
        """Read some bins of a record. Bins that it does not have are left out.

        Raises:
            RecordNotFound: The record does not exist.
        """
        commands = self._record_commands() or self._refuse("select", locals())
        found = self._backend.run(commands.select(to_key(key), bins, policy=self._policies.read(policy)))
        return results.record(found)

    def exists(self, key: KeyLike, policy: Mapping[str, Any] | None = None) -> ExistsResult:
        """Check whether a record exists: ``meta`` of the result is None if it does not."""
        commands = self._record_commands() or self._refuse("exists", locals())
        key = to_key(key)
        found = self._backend.run(commands.exists(key, policy=self._policies.read(policy)))
        return results.exists_result(key, found)

    def remove(
        self,
        key: KeyLike,
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Remove a record.

        Raises:
            RecordNotFound: The record does not exist.
            RecordGenerationError: The record has another generation than the expected one.
        """
        commands = self._record_commands() or self._refuse("remove", locals())
        self._backend.run(commands.remove(to_key(key), policy=self._policies.write(policy, meta)))

    def touch(
        self,
        key: KeyLike,
        val: int = 0,
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Reset a record's time to live.

        Args:
            key: ``(namespace, set, user key)``.
            val: Seconds, or a TTL_ constant; 0: the value in ``policy`` or ``meta``.
            meta: A WriteMeta.
            policy: A WritePolicy.

        Raises:
            RecordNotFound: The record does not exist.
        """
        commands = self._record_commands() or self._refuse("touch", locals())
        self._backend.run(commands.touch(to_key(key), policy=self._policies.write(policy, meta, ttl=val)))

    def append(
        self,
        key: KeyLike,
        bin: str,
        val: Any,
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Append text or bytes to the value of a bin.

        Raises:
            BinTypeError: The bin's value has another type.
        """
        commands = self._record_commands() or self._refuse("append", locals())
        self._backend.run(commands.append(to_key(key), bin, val, policy=self._policies.write(policy, meta)))

    def prepend(
        self,
        key: KeyLike,
        bin: str,
        val: Any,
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Prepend text or bytes to the value of a bin.

        Raises:
            BinTypeError: The bin's value has another type.
        """
        commands = self._record_commands() or self._refuse("prepend", locals())
        self._backend.run(commands.prepend(to_key(key), bin, val, policy=self._policies.write(policy, meta)))

    def increment(
        self,
        key: KeyLike,
        bin: str,
        offset: int | float,
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Add ``offset`` to the number in a bin.

        Raises:
            BinTypeError: The bin's value is not a number, or an integer where ``offset`` is a float or vice versa.
        """
        commands = self._record_commands() or self._refuse("increment", locals())
        write_policy = self._policies.write(policy, meta)
        self._backend.run(commands.increment(to_key(key), bin, offset, policy=write_policy))

    def remove_bin(
        self,
        key: KeyLike,
        bin_names: Sequence[str],
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Remove bins of a record. A record without bins is removed.

        Raises:
            RecordNotFound: The record does not exist.
        """
        commands = self._record_commands() or self._refuse("remove_bin", locals())
        write_policy = self._policies.write(policy, meta)
        self._backend.run(commands.remove_bin(to_key(key), bin_names, policy=write_policy))

    def operate(
        self,
        key: KeyLike,
        ops: Iterable[Mapping[str, Any]],
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> Record:
        """Carry out several operations on one record, atomically.

        Args:
            key: ``(namespace, set, user key)``.
            ops: Dicts of ``op`` (an OPERATOR_ constant), ``bin`` and ``val``. The ``val`` of OPERATOR_TOUCH is a time
                to live, as for :meth:`touch`.
            meta: A WriteMeta.
            policy: A WritePolicy.

        Returns:
            The results by bin; a list of them where several operations on the same bin gave one.
        """
        commands = self._record_commands() or self._refuse("operate", locals())
        with named("operate"):
            operations, ttl = with_ttl(ops)
            write_policy = self._policies.write(policy, meta, ttl=ttl)
            found = self._backend.run(commands.operate_ordered(to_key(key), operations, policy=write_policy))
        return results.operate_record(found)

    def operate_ordered(
        self,
        key: KeyLike,
        ops: Iterable[Mapping[str, Any]],
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> OperateOrderedResult:
        """Carry out several operations on one record, atomically, and return the results in their order."""
        commands = self._record_commands() or self._refuse("operate_ordered", locals())
        operations, ttl = with_ttl(ops)
        write_policy = self._policies.write(policy, meta, ttl=ttl)
        found = self._backend.run(commands.operate_ordered(to_key(key), operations, policy=write_policy))
        return results.ordered_result(found)

    def apply(
        self,
        key: KeyLike,
        module: str,
        function: str,
        args: Sequence[Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a user-defined function on a record.

        Args:
            key: ``(namespace, set, user key)``.
            module: The name of the function's module, without ``.lua``.
            function: The name of the function.
            args: Its arguments after the record.
            policy: A WritePolicy.

        Returns:
            The result of the function.

        Raises:
            UDFError: The function failed, with its message, or does not exist.
        """
        native = self._native or self._refuse("apply", locals())
        return self._backend.call(
            administration.apply, native, self._policies, key, module, function, args, policy
        )
