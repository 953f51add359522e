"""The synchronous client's commands beyond those on one record.

Batches that write, queries, indexes, functions, users: each is a function that runs where the client lives
(``_batch_calls``, ``_admin_calls``, or the client's own) and a way there and back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trio_aerospike.keys import KeyLike

from . import _admin_calls as admin, _batch_calls as batches, _numpy_calls as arrays
from ._handle import Handle
from ._query import Query, checked_query
from ._session import PortalHome
from .types import BatchWriteResult, Privilege

if TYPE_CHECKING:
    import numpy as np


class MoreCommands(Handle):
    """Commands on many records, and those that administer; see the class that derives from this."""

    _home: PortalHome

    def query(self, namespace: str, set_name: str) -> Query:
        """A query or scan of a set: say what with its ``select`` and ``where``, then have its ``results``.

        Args:
            namespace: The namespace.
            set_name: The set; ``""`` for all sets.

        Raises:
            ClientError: The client is not connected.
        """
        query: Query = checked_query(Query, self, namespace, set_name)
        return query

    def batch_write(
        self, records: Iterable[Any], policy: Mapping[str, Any] | None = None, retry: int = 0
    ) -> BatchWriteResult:
        """Write many records, each with bins of its own.

        Args:
            records: ``(key, bins)``, or ``(key, bins, meta)`` with a WriteMeta, which counts before the policy.
            policy: A BatchPolicy; its fields for writes hold for all records.
            retry: How often records that failed for a passing reason (timeout, overload, a busy key, a lost
                connection) are written again, instead of the policy's ``max_retries``: after a random delay that grows
                to a second, and within ``total_timeout``, which is one second if it is not set. A record that may have
                been written is written again only where twice is the same as once: without ``gen`` and
                POLICY_EXISTS_CREATE_ONLY.

        Returns:
            A row for each record, in their order, and what became of the retries. Look at each row's ``result``.

        Raises:
            AerospikeError: Why no record at all was answered.
        """
        native = self._native or self._refuse("batch_write", locals())
        found: BatchWriteResult = self._home.call_blocking(
            batches.batch_write, native, self._policies, records, policy, retry
        )
        return found

    def batch_write_numpy(
        self,
        data: np.ndarray[Any, Any],
        namespace: str,
        set_name: str,
        _dtype: np.dtype[Any],
        key_field: str = "_key",
        policy: Mapping[str, Any] | None = None,
        retry: int = 0,
    ) -> BatchWriteResult:
        """Write many records, the rows of a structured array.

        Integers become integers, floats doubles, bytes and sub-arrays blobs of the field's whole width.

        Args:
            data: A field for the user keys (integers, or bytes as ``S`` or ``V``, without trailing zeros), and fields
                for bins; those with ``_`` first are not.
            namespace: Where the records live.
            set_name: The set.
            _dtype: The array's own dtype.
            key_field: The field with the user keys.
            policy: A BatchPolicy; its fields for writes hold for all records.
            retry: As for :meth:`batch_write`.

        Returns:
            A row for each record, in their order.

        Raises:
            TypeError, ValueError, OverflowError: The array cannot be; nothing was sent.
            AerospikeError: Why no record at all was answered.
        """
        native = self._native or self._refuse("batch_write_numpy", locals())
        found: BatchWriteResult = self._home.call_blocking(
            arrays.batch_write_numpy,
            native,
            self._policies,
            data,
            namespace,
            set_name,
            _dtype,
            key_field,
            policy,
            retry,
        )
        return found

    def batch_operate(
        self, keys: Sequence[KeyLike], ops: Iterable[Mapping[str, Any]], policy: Mapping[str, Any] | None = None
    ) -> BatchWriteResult:
        """Carry out the same operations on many records.

        Args:
            keys: Which.
            ops: As for :meth:`operate`.
            policy: A BatchPolicy; its fields for writes hold where an operation writes.

        Returns:
            A row for each key, in their order. ``record.bins`` holds for each bin the result of the operation on it,
            None where it has none, and a list of them where there were several.
        """
        native = self._native or self._refuse("batch_operate", locals())
        found: BatchWriteResult = self._home.call_blocking(
            batches.batch_operate, native, self._policies, keys, ops, policy
        )
        return found

    def batch_remove(self, keys: Sequence[Any], policy: Mapping[str, Any] | None = None) -> BatchWriteResult:
        """Remove many records.

        Args:
            keys: Which; or pairs of a key and a BatchDeleteMeta, which counts before the policy.
            policy: A BatchPolicy, with the fields of a BatchDeletePolicy for all records.

        Returns:
            A row for each key, in their order; ``result`` is 2 for a record that was not there.
        """
        native = self._native or self._refuse("batch_remove", locals())
        found: BatchWriteResult = self._home.call_blocking(batches.batch_remove, native, self._policies, keys, policy)
        return found

    def batch_apply(
        self,
        keys: Sequence[Any],
        module: str,
        function: str,
        args: Sequence[Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> BatchWriteResult:
        """Call a function of a registered module on many records.

        Args:
            keys: Which; or pairs of a key and a BatchUDFMeta, which counts before the other arguments and the policy.
            module: The module's name, without ``.lua``.
            function: The function.
            args: What it gets besides the record.
            policy: A BatchPolicy, with the fields of a BatchUDFPolicy for all records.

        Returns:
            A row for each key, in their order; ``record.bins`` holds what the function returned under ``"SUCCESS"``,
            and under ``"FAILURE"`` why it failed (``result`` is then 100).
        """
        native = self._native or self._refuse("batch_apply", locals())
        found: BatchWriteResult = self._home.call_blocking(
            batches.batch_apply, native, self._policies, keys, module, function, args, policy
        )
        return found

    def index_integer_create(
        self, namespace: str, set_name: str, bin_name: str, index_name: str, policy: Mapping[str, Any] | None = None
    ) -> None:
        """Make a secondary index of the integers in a bin, and wait until all nodes have filled it.

        Args:
            namespace: The namespace.
            set_name: The set; ``""`` for all sets.
            bin_name: The bin.
            index_name: What to call the index.
            policy: An AdminPolicy.

        Raises:
            IndexFoundError: There is an index of that name for something else.
        """
        native = self._native or self._refuse("index_integer_create", locals())
        self._home.call_blocking(
            admin.index_create,
            native,
            self._policies,
            admin.INTEGER,
            namespace,
            set_name,
            bin_name,
            index_name,
            policy,
        )

    def index_string_create(
        self, namespace: str, set_name: str, bin_name: str, index_name: str, policy: Mapping[str, Any] | None = None
    ) -> None:
        """Make a secondary index of the text in a bin, and wait until all nodes have filled it.

        Args:
            namespace: The namespace.
            set_name: The set; ``""`` for all sets.
            bin_name: The bin.
            index_name: What to call the index.
            policy: An AdminPolicy.

        Raises:
            IndexFoundError: There is an index of that name for something else.
        """
        native = self._native or self._refuse("index_string_create", locals())
        self._home.call_blocking(
            admin.index_create,
            native,
            self._policies,
            admin.STRING,
            namespace,
            set_name,
            bin_name,
            index_name,
            policy,
        )

    def index_geo2dsphere_create(
        self, namespace: str, set_name: str, bin_name: str, index_name: str, policy: Mapping[str, Any] | None = None
    ) -> None:
        """Make a secondary index of the places, which are GeoJSON in a bin, and wait until all nodes have filled it.

        Args:
            namespace: The namespace.
            set_name: The set; ``""`` for all sets.
            bin_name: The bin.
            index_name: What to call the index.
            policy: An AdminPolicy.

        Raises:
            IndexFoundError: There is an index of that name for something else.
        """
        native = self._native or self._refuse("index_geo2dsphere_create", locals())
        self._home.call_blocking(
            admin.index_create, native, self._policies, admin.GEO, namespace, set_name, bin_name, index_name, policy
        )

    def index_remove(self, namespace: str, index_name: str, policy: Mapping[str, Any] | None = None) -> None:
        """Drop a secondary index, and wait until no node has it; one that is not there is no error.

        Args:
            namespace: The namespace.
            index_name: The index.
            policy: An AdminPolicy.
        """
        native = self._native or self._refuse("index_remove", locals())
        self._home.call_blocking(admin.index_remove, native, self._policies, namespace, index_name, policy)

    def udf_put(self, filename: str, udf_type: int = 0, policy: Mapping[str, Any] | None = None) -> None:
        """Register a module of Lua functions, and wait until all nodes have it.

        Args:
            filename: Path of its file, which is also what it is called.
            udf_type: 0, for Lua.
            policy: An AdminPolicy.

        Raises:
            UDFError: It does not compile; says where.
            InvalidArgError: The file cannot be read.
        """
        native = self._native or self._refuse("udf_put", locals())
        self._home.call_blocking(admin.udf_put, native, self._policies, filename, udf_type, policy)

    def udf_remove(self, module: str, policy: Mapping[str, Any] | None = None) -> None:
        """Remove a module, and wait until no node has it; one that is not there is no error.

        Args:
            module: Its name, with or without ``.lua``.
            policy: An AdminPolicy.
        """
        native = self._native or self._refuse("udf_remove", locals())
        self._home.call_blocking(admin.udf_remove, native, self._policies, module, policy)

    def apply(
        self,
        key: KeyLike,
        module: str,
        function: str,
        args: Sequence[Any] | None = None,
        policy: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of a registered module on a record.

        Args:
            key: ``(namespace, set, user key)``.
            module: The module's name, without ``.lua``.
            function: The function.
            args: What it gets besides the record.
            policy: A WritePolicy.

        Returns:
            What the function returned.

        Raises:
            UDFError: The function failed, with its message, or there is none.
        """
        native = self._native or self._refuse("apply", locals())
        return self._home.call_blocking(admin.apply, native, self._policies, key, module, function, args, policy)

    def admin_create_user(
        self, username: str, password: str, roles: Sequence[str], policy: Mapping[str, Any] | None = None
    ) -> None:
        """Create a user with some roles."""
        native = self._native or self._refuse("admin_create_user", locals())
        self._home.call_blocking(
            native.admin_create_user, username, password, roles, policy=self._policies.admin(policy)
        )

    def admin_drop_user(self, username: str, policy: Mapping[str, Any] | None = None) -> None:
        """Remove a user."""
        native = self._native or self._refuse("admin_drop_user", locals())
        self._home.call_blocking(native.admin_drop_user, username, policy=self._policies.admin(policy))

    def admin_change_password(self, username: str, password: str, policy: Mapping[str, Any] | None = None) -> None:
        """Give a user another password; the user that is logged in may change its own."""
        native = self._native or self._refuse("admin_change_password", locals())
        self._home.call_blocking(native.admin_change_password, username, password, policy=self._policies.admin(policy))

    def admin_grant_roles(self, username: str, roles: Sequence[str], policy: Mapping[str, Any] | None = None) -> None:
        """Give a user more roles."""
        native = self._native or self._refuse("admin_grant_roles", locals())
        self._home.call_blocking(native.admin_grant_roles, username, roles, policy=self._policies.admin(policy))

    def admin_revoke_roles(self, username: str, roles: Sequence[str], policy: Mapping[str, Any] | None = None) -> None:
        """Take roles from a user."""
        native = self._native or self._refuse("admin_revoke_roles", locals())
        self._home.call_blocking(native.admin_revoke_roles, username, roles, policy=self._policies.admin(policy))

    def admin_query_user_info(self, username: str, policy: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask for a user: a UserInfo, with ``read_info`` and ``write_info`` besides."""
        native = self._native or self._refuse("admin_query_user_info", locals())
        found: dict[str, Any] = self._home.call_blocking(admin.user_info, native, self._policies, username, policy)
        return found

    def admin_query_users_info(self, policy: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Ask for all users."""
        native = self._native or self._refuse("admin_query_users_info", locals())
        found: list[dict[str, Any]] = self._home.call_blocking(admin.users_info, native, self._policies, policy)
        return found

    def admin_create_role(
        self,
        role: str,
        privileges: Sequence[Privilege],
        policy: Mapping[str, Any] | None = None,
        whitelist: Sequence[str] | None = None,
        read_quota: int = 0,
        write_quota: int = 0,
    ) -> None:
        """Create a role.

        Args:
            role: Its name.
            privileges: Dicts of ``code`` (a PRIV_ constant or its name) and, where it is limited, ``ns`` and ``set``.
            policy: An AdminPolicy.
            whitelist: Addresses and networks from which it may be used; None for all.
            read_quota: Records per second that each of its users may read; 0 for no limit.
            write_quota: Records per second that each of its users may write; 0 for no limit.
        """
        native = self._native or self._refuse("admin_create_role", locals())
        self._home.call_blocking(
            native.admin_create_role,
            role,
            admin.to_privileges(privileges),
            allowlist=() if whitelist is None else whitelist,
            read_quota=read_quota,
            write_quota=write_quota,
            policy=self._policies.admin(policy),
        )

    def admin_drop_role(self, role: str, policy: Mapping[str, Any] | None = None) -> None:
        """Remove a role."""
        native = self._native or self._refuse("admin_drop_role", locals())
        self._home.call_blocking(native.admin_drop_role, role, policy=self._policies.admin(policy))

    def admin_grant_privileges(
        self, role: str, privileges: Sequence[Privilege], policy: Mapping[str, Any] | None = None
    ) -> None:
        """Give a role more privileges."""
        native = self._native or self._refuse("admin_grant_privileges", locals())
        self._home.call_blocking(
            native.admin_grant_privileges,
            role,
            admin.to_privileges(privileges),
            policy=self._policies.admin(policy),
        )

    def admin_revoke_privileges(
        self, role: str, privileges: Sequence[Privilege], policy: Mapping[str, Any] | None = None
    ) -> None:
        """Take privileges from a role."""
        native = self._native or self._refuse("admin_revoke_privileges", locals())
        self._home.call_blocking(
            native.admin_revoke_privileges,
            role,
            admin.to_privileges(privileges),
            policy=self._policies.admin(policy),
        )

    def admin_query_role(self, role: str, policy: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask for a role: a RoleInfo."""
        native = self._native or self._refuse("admin_query_role", locals())
        found: dict[str, Any] = self._home.call_blocking(admin.role, native, self._policies, role, policy)
        return found

    def admin_query_roles(self, policy: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Ask for all roles."""
        native = self._native or self._refuse("admin_query_roles", locals())
        found: list[dict[str, Any]] = self._home.call_blocking(admin.roles, native, self._policies, policy)
        return found

    def admin_set_whitelist(self, role: str, whitelist: Sequence[str], policy: Mapping[str, Any] | None = None) -> None:
        """Say from which addresses and networks a role may be used; none lifts the limit."""
        native = self._native or self._refuse("admin_set_whitelist", locals())
        self._home.call_blocking(native.admin_set_allowlist, role, whitelist, policy=self._policies.admin(policy))

    def admin_set_quotas(
        self, role: str, read_quota: int = 0, write_quota: int = 0, policy: Mapping[str, Any] | None = None
    ) -> None:
        """Limit the records per second that each user with a role may read and write; 0 lifts the limit."""
        native = self._native or self._refuse("admin_set_quotas", locals())
        self._home.call_blocking(
            native.admin_set_quotas,
            role,
            read_quota=read_quota,
            write_quota=write_quota,
            policy=self._policies.admin(policy),
        )
