"""The asyncio client: the event loop does commands on one record itself, and all else crosses into the portal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from trio_aerospike.keys import KeyLike

from . import _admin_calls as admin, _results as results
from ._batch import LazyBatchRecords
from ._handle import copied, warnings_logger
from ._keys import to_key
from ._metrics import named, stage_clock, stage_done
from ._more_async_commands import AsyncMoreCommands
from ._numpy_calls import batch_read
from ._operations import with_ttl
from ._session import Session, find_home
from .types import ExistsResult, InfoNodeResult, OperateOrderedResult, Record


class AsyncClient(AsyncMoreCommands):
    """A client for asyncio programs, in any number of event loops and tasks at once.

    Use it as ``async with AsyncClient(config) as client: await client.connect()``, or connect and close it by hand.
    Cancelling the task that awaits a command cancels the command; a write that was sent may have been applied all the
    same. Every command may raise AerospikeTimeoutError, ClusterError, NoMoreConnections, BackpressureError,
    InvalidArgError (before anything is sent), ClientError when the client is not connected, and an error of the tree
    for what the server answered.

    Inside a trio-asyncio loop the client uses the Trio that runs: it may then be called from both sides of that loop,
    and only there. Elsewhere it lives in a thread of its own, and the event loop borrows connections of it.

    ``policy`` and ``meta`` are the dicts of :mod:`aerospike_py.types`, in milliseconds; a policy's value counts before
    the same field of a meta.
    """

    _for_loop = True

    def _connected_commands(self) -> Any:
        """The commands on one record for whoever runs now; None without a connection."""
        client = self._native
        return None if client is None else self._home.commands(client)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> Literal[False]:
        await self.close()
        return False

    async def connect(self, username: str | None = None, password: str | None = None) -> AsyncClient:
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
            ClientError: The client is connected already, or no event loop is running.
        """
        config = self._login_config(username, password)
        home = find_home()
        session = Session(config)
        try:
            self._begin(session)
            home.start(session)
            await home.call(session.connected)
            self._connected(home, session)
        except BaseException:
            self._failed(home, session)
            raise
        return self

    async def close(self) -> None:
        """Close the connections; a client that is not connected stays as it is.

        Commands of other tasks that are under way are finished first, if that takes no more than five seconds; new ones
        are refused at once.

        Raises:
            ClientError: The client is connecting.
        """
        session = self._session
        try:
            session = self._detach() or session
            if session is not None and not session.closed:
                await self._home.close(session)
        except BaseException:
            if session is not None:
                self._home.release(session)  # cancelled, perhaps before the close was requested
            raise

    async def ping(self) -> bool:
        """Ask a node whether it answers. False too when the client is not connected."""
        native = self._native
        return native is not None and await self._home.call(native.ping)

    async def info_all(self, command: str, policy: Mapping[str, Any] | None = None) -> list[InfoNodeResult]:
        """Ask every node an info command, such as ``"namespaces"``.

        Returns:
            One result for each node, its name, an error code (0 for none) and the answer.
        """
        native = self._native or self._refuse("info_all", locals())
        return results.info_results(await self._home.call(native.info_all, command, policy=self._policies.info(policy)))

    async def info_random_node(self, command: str, policy: Mapping[str, Any] | None = None) -> str:
        """Ask any node an info command, such as ``"build"``, and return the answer."""
        native = self._native or self._refuse("info_random_node", locals())
        return await self._home.call(native.info_random_node, command, policy=self._policies.info(policy))

    async def truncate(
        self, namespace: str, set_name: str, nanos: int = 0, policy: Mapping[str, Any] | None = None
    ) -> None:
        """Remove all records of a set at once.

        Args:
            namespace: The namespace.
            set_name: The set; ``""`` for the whole namespace.
            nanos: Only records last written before this time, in nanoseconds since 1970; 0 for all there are now.
            policy: An AdminPolicy.
        """
        warnings_logger.warning("Async truncating: ns=%s set=%s", namespace, set_name)
        native = self._native or self._refuse("truncate", locals())
        await self._home.call(admin.truncate, native, self._policies, namespace, set_name, nanos, policy)

    async def put(
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
        commands = self._connected_commands() or self._refuse("put", locals())
        await commands.put(to_key(key), copied(bins), policy=self._policies.write(policy, meta))

    async def get(self, key: KeyLike, policy: Mapping[str, Any] | None = None) -> Record:
        """Read a record with all its bins.

        Raises:
            RecordNotFound: There is none.
        """
        commands = self._connected_commands() or self._refuse("get", locals())
        return results.record(await commands.get(to_key(key), policy=self._policies.read(policy)))

    async def select(self, key: KeyLike, bins: Sequence[str], policy: Mapping[str, Any] | None = None) -> Record:
        """Read some bins of a record; one that it does not have is left out.

        Raises:
            RecordNotFound: There is no such record.
        """
        commands = self._connected_commands() or self._refuse("select", locals())
        return results.record(await commands.select(to_key(key), bins, policy=self._policies.read(policy)))

    async def exists(self, key: KeyLike, policy: Mapping[str, Any] | None = None) -> ExistsResult:
        """Look whether a record exists: ``meta`` of the result is None when it does not."""
        commands = self._connected_commands() or self._refuse("exists", locals())
        key = to_key(key)
        return results.exists_result(key, await commands.exists(key, policy=self._policies.read(policy)))

    async def remove(
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
        commands = self._connected_commands() or self._refuse("remove", locals())
        await commands.remove(to_key(key), policy=self._policies.write(policy, meta))

    async def touch(
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
        commands = self._connected_commands() or self._refuse("touch", locals())
        await commands.touch(to_key(key), policy=self._policies.write(policy, meta, ttl=val))

    async def append(
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
        commands = self._connected_commands() or self._refuse("append", locals())
        await commands.append(to_key(key), bin, val, policy=self._policies.write(policy, meta))

    async def prepend(
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
        commands = self._connected_commands() or self._refuse("prepend", locals())
        await commands.prepend(to_key(key), bin, val, policy=self._policies.write(policy, meta))

    async def increment(
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
        commands = self._connected_commands() or self._refuse("increment", locals())
        await commands.increment(to_key(key), bin, offset, policy=self._policies.write(policy, meta))

    async def remove_bin(
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
        commands = self._connected_commands() or self._refuse("remove_bin", locals())
        await commands.remove_bin(to_key(key), bin_names, policy=self._policies.write(policy, meta))

    async def operate(
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
        commands = self._connected_commands() or self._refuse("operate", locals())
        with named("operate"):
            operations, ttl = with_ttl(ops)
            write_policy = self._policies.write(policy, meta, ttl=ttl)
            found = await commands.operate_ordered(to_key(key), operations, policy=write_policy)
        return results.operate_record(found)

    async def operate_ordered(
        self,
        key: KeyLike,
        ops: Iterable[Mapping[str, Any]],
        meta: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> OperateOrderedResult:
        """Carry out several operations on one record, all or none, and return the results in their order."""
        commands = self._connected_commands() or self._refuse("operate_ordered", locals())
        operations, ttl = with_ttl(ops)
        write_policy = self._policies.write(policy, meta, ttl=ttl)
        return results.ordered_result(await commands.operate_ordered(to_key(key), operations, policy=write_policy))

    async def batch_read(
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
        found = await self._home.call(
            batch_read, native, keys, bins, self._policies.batch(policy), self._habits, called
        )
        stage_done("event_loop_resume_delay", found._finished)
        return found
