"""The synchronous client: the calling thread does commands on one record itself, all else crosses into the portal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import trio_aerospike
from trio_aerospike.keys import KeyLike
from trio_aerospike.threads import ThreadCommands

from . import _admin_calls as admin, _results as results
from ._batch import LazyBatchRecords
from ._handle import copied, warnings_logger
from ._keys import to_key
from ._metrics import named, stage_clock
from ._more_commands import MoreCommands
from ._numpy_calls import batch_read
from ._operations import with_ttl
from ._portal import get_portal
from ._session import PortalHome, Session
from .types import ExistsResult, InfoNodeResult, OperateOrderedResult, Record


class Client(MoreCommands):
    """A client for programs without an event loop; any number of threads may use it at once.

    Use it as ``with aerospike_py.client(config).connect() as client:``. Every command may raise AerospikeTimeoutError,
    ClusterError, NoMoreConnections, BackpressureError, InvalidArgError (before anything is sent), ClientError when the
    client is not connected, and an error of the tree for what the server answered. A KeyboardInterrupt cancels the
    command under way.

    ``policy`` and ``meta`` are the dicts of :mod:`aerospike_py.types`, in milliseconds; a policy's value counts before
    the same field of a meta.
    """

    _commands: ThreadCommands | None = None

    def _attach(self, client: trio_aerospike.Client | None) -> None:
        super()._attach(client)
        self._commands = None if client is None else ThreadCommands(client, self._home.call_blocking)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> Literal[False]:
        self.close()
        return False

    def connect(self, username: str | None = None, password: str | None = None) -> Client:
        """Connect to the cluster.

        Args:
            username: Who logs in, instead of the configuration's ``user``.
            password: The password; required with a user name.

        Returns:
            The client itself.

        Raises:
            InvalidArgError: The configuration has a key that does not exist (the nearest right one is suggested), or
                a value that is not allowed.
            ClusterError: No seed answers, or the cluster has another name; the message says why for each seed.
            ClientError: The client is connected already.
        """
        config = self._login_config(username, password)
        home = PortalHome(get_portal())
        session = Session(config)
        try:
            self._begin(session)
            home.start(session)
            home.call_blocking(session.connected)
            self._connected(home, session)
        except BaseException:
            self._failed(home, session)
            raise
        return self

    def close(self) -> None:
        """Close the connections; a client that is not connected stays as it is.

        Commands that other threads have under way are finished first, if that takes no more than five seconds; new ones
        are refused at once.

        Raises:
            ClientError: The client is connecting.
        """
        session = self._session
        try:
            session = self._detach() or session
            if session is not None and not session.closed:
                self._home.close_blocking(session)
        except BaseException:
            if session is not None:
                self._home.release(session)  # interrupted, perhaps before the close was requested
            raise

    def ping(self) -> bool:
        """Ask a node whether it answers. False too when the client is not connected."""
        native = self._native
        return native is not None and self._home.call_blocking(native.ping)

    def info_all(self, command: str, policy: Mapping[str, Any] | None = None) -> list[InfoNodeResult]:
        """Ask every node an info command, such as ``"namespaces"``.

        Returns:
            One result for each node, its name, an error code (0 for none) and the answer.
        """
        native = self._native or self._refuse("info_all", locals())
        return results.info_results(
            self._home.call_blocking(native.info_all, command, policy=self._policies.info(policy))
        )

    def info_random_node(self, command: str, policy: Mapping[str, Any] | None = None) -> str:
        """Ask any node an info command, such as ``"build"``, and return the answer."""
        native = self._native or self._refuse("info_random_node", locals())
        return self._home.call_blocking(native.info_random_node, command, policy=self._policies.info(policy))

    def truncate(self, namespace: str, set_name: str, nanos: int = 0, policy: Mapping[str, Any] | None = None) -> None:
        """Remove all records of a set at once.

        Args:
            namespace: The namespace.
            set_name: The set; ``""`` for the whole namespace.
            nanos: Only records last written before this time, in nanoseconds since 1970; 0 for all there are now.
            policy: An AdminPolicy.
        """
        warnings_logger.warning("Truncating: ns=%s set=%s", namespace, set_name)
        native = self._native or self._refuse("truncate", locals())
        self._home.call_blocking(admin.truncate, native, self._policies, namespace, set_name, nanos, policy)

    def put(
        self,
        key: KeyLike,
        bins: Mapping[str, Any],
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Write bins into a record, which is created if need be; a value of None removes the bin.

        Args:
            key: ``(namespace, set, user key)``.
            bins: Values by name.
            meta: A WriteMeta: the generation expected, the time to live.
            policy: A WritePolicy.

        Raises:
            RecordGenerationError: The generation is another than the one expected.
            RecordExistsError, RecordNotFound: As the policy's ``exists`` demands.
        """
        commands = self._commands or self._refuse("put", locals())
        commands.wait(commands.put(to_key(key), copied(bins), policy=self._policies.write(policy, meta)))

    def get(self, key: KeyLike, policy: Mapping[str, Any] | None = None) -> Record:
        """Read a record with all its bins.

        Raises:
            RecordNotFound: There is none.
        """
        commands = self._commands or self._refuse("get", locals())
        return results.record(commands.wait(commands.get(to_key(key), policy=self._policies.read(policy))))

    def select(self, key: KeyLike, bins: Sequence[str], policy: Mapping[str, Any] | None = None) -> Record:
        """Read some bins of a record; one that it does not have is left out.

        Raises:
            RecordNotFound: There is no such record.
        """
        commands = self._commands or self._refuse("select", locals())
        return results.record(commands.wait(commands.select(to_key(key), bins, policy=self._policies.read(policy))))

    def exists(self, key: KeyLike, policy: Mapping[str, Any] | None = None) -> ExistsResult:
        """Look whether a record exists: ``meta`` of the result is None when it does not."""
        commands = self._commands or self._refuse("exists", locals())
        key = to_key(key)
        return results.exists_result(key, commands.wait(commands.exists(key, policy=self._policies.read(policy))))

    def remove(
        self,
        key: KeyLike,
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Remove a record.

        Raises:
            RecordNotFound: There is none.
            RecordGenerationError: The generation is another than the one expected.
        """
        commands = self._commands or self._refuse("remove", locals())
        commands.wait(commands.remove(to_key(key), policy=self._policies.write(policy, meta)))

    def touch(
        self,
        key: KeyLike,
        val: int = 0,
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Start a record's time to live anew.

        Args:
            key: ``(namespace, set, user key)``.
            val: Seconds, or a TTL_ constant; 0 for what ``policy`` or ``meta`` say.
            meta: A WriteMeta.
            policy: A WritePolicy.

        Raises:
            RecordNotFound: There is no such record.
        """
        commands = self._commands or self._refuse("touch", locals())
        commands.wait(commands.touch(to_key(key), policy=self._policies.write(policy, meta, ttl=val)))

    def append(
        self,
        key: KeyLike,
        bin: str,
        val: Any,
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Put text or bytes behind what a bin holds.

        Raises:
            BinTypeError: The bin holds something else.
        """
        commands = self._commands or self._refuse("append", locals())
        commands.wait(commands.append(to_key(key), bin, val, policy=self._policies.write(policy, meta)))

    def prepend(
        self,
        key: KeyLike,
        bin: str,
        val: Any,
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Put text or bytes before what a bin holds.

        Raises:
            BinTypeError: The bin holds something else.
        """
        commands = self._commands or self._refuse("prepend", locals())
        commands.wait(commands.prepend(to_key(key), bin, val, policy=self._policies.write(policy, meta)))

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
            BinTypeError: The bin holds no number, or one of the other kind.
        """
        commands = self._commands or self._refuse("increment", locals())
        commands.wait(commands.increment(to_key(key), bin, offset, policy=self._policies.write(policy, meta)))

    def remove_bin(
        self,
        key: KeyLike,
        bin_names: Sequence[str],
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Remove bins from a record; with its last bin the record goes.

        Raises:
            RecordNotFound: There is no such record.
        """
        commands = self._commands or self._refuse("remove_bin", locals())
        commands.wait(commands.remove_bin(to_key(key), bin_names, policy=self._policies.write(policy, meta)))

    def operate(
        self,
        key: KeyLike,
        ops: Iterable[Mapping[str, Any]],
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> Record:
        """Carry out several operations on one record, all or none.

        Args:
            key: ``(namespace, set, user key)``.
            ops: Dicts of ``op`` (an OPERATOR_ constant), ``bin`` and ``val``. The ``val`` of OPERATOR_TOUCH is a time
                to live, as for :meth:`touch`.
            meta: A WriteMeta.
            policy: A WritePolicy.

        Returns:
            The results by bin; where several operations gave one for the same bin, a list of them.
        """
        commands = self._commands or self._refuse("operate", locals())
        with named("operate"):
            operations, ttl = with_ttl(ops)
            found = commands.wait(
                commands.operate_ordered(to_key(key), operations, policy=self._policies.write(policy, meta, ttl=ttl))
            )
        return results.operate_record(found)

    def operate_ordered(
        self,
        key: KeyLike,
        ops: Iterable[Mapping[str, Any]],
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> OperateOrderedResult:
        """Carry out several operations on one record, all or none, and return the results in their order."""
        commands = self._commands or self._refuse("operate_ordered", locals())
        operations, ttl = with_ttl(ops)
        found = commands.operate_ordered(to_key(key), operations, policy=self._policies.write(policy, meta, ttl=ttl))
        return results.ordered_result(commands.wait(found))

    def batch_read(
        self,
        keys: Sequence[KeyLike],
        bins: Sequence[str] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> LazyBatchRecords:
        """Read many records at once.

        Args:
            keys: Which, in any namespaces and sets.
            bins: The bins to read; None for all, none of them (``[]``) to learn only which records exist.
            policy: A BatchPolicy.

        Returns:
            A row for each key, in the order of the keys.
        """
        native = self._native or self._refuse("batch_read", locals())
        called = stage_clock()
        return self._home.call_blocking(
            batch_read, native, keys, bins, self._policies.batch(policy), self._habits, called
        )
