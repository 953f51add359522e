"""The synchronous client's commands on sets, secondary indexes, user-defined functions, users and roles."""

# Generated from _async/administration.py by tools/make_sync.py: change that file, then run the script.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._client_base import ClientBase
from .._commands import administration as admin
from .._runtime.backends import BlockingBackend
from ..types import Privilege


class Administration(ClientBase):
    """Commands on sets, secondary indexes, user-defined functions, users and roles."""

    _backend: BlockingBackend

    def truncate(
        self, namespace: str, set_name: str, nanos: int = 0, policy: Mapping[str, Any] | None = None
    ) -> None:
        """Remove all records of a set.

        Args:
            namespace: The namespace.
            set_name: The set; ``""`` for the whole namespace.
            nanos: Remove only records last written before this time, in nanoseconds since 1970; 0: all that exist now.
            policy: An AdminPolicy.
        """
        self._warn_of_truncation(namespace, set_name)
        native = self._native or self._refuse("truncate", locals())
        self._backend.call(admin.truncate, native, self._policies, namespace, set_name, nanos, policy)

    def index_integer_create(
        self, namespace: str, set_name: str, bin_name: str, index_name: str, policy: Mapping[str, Any] | None = None
    ) -> None:
        """Create a secondary index on the integers in a bin, and wait until all nodes have built it.

        Args:
            namespace: The namespace.
            set_name: The set; ``""`` for all sets.
            bin_name: The bin.
            index_name: The name of the index.
            policy: An AdminPolicy.

        Raises:
            IndexFoundError: Another index has that name.
        """
        native = self._native or self._refuse("index_integer_create", locals())
        self._backend.call(
            admin.index_create, native, self._policies, admin.INTEGER, namespace, set_name, bin_name, index_name, policy
        )

    def index_string_create(
        self, namespace: str, set_name: str, bin_name: str, index_name: str, policy: Mapping[str, Any] | None = None
    ) -> None:
        """Create a secondary index on the strings in a bin, and wait until all nodes have built it.

        Args:
            namespace: The namespace.
            set_name: The set; ``""`` for all sets.
            bin_name: The bin.
            index_name: The name of the index.
            policy: An AdminPolicy.

        Raises:
            IndexFoundError: Another index has that name.
        """
        native = self._native or self._refuse("index_string_create", locals())
        self._backend.call(
            admin.index_create, native, self._policies, admin.STRING, namespace, set_name, bin_name, index_name, policy
        )

    def index_geo2dsphere_create(
        self, namespace: str, set_name: str, bin_name: str, index_name: str, policy: Mapping[str, Any] | None = None
    ) -> None:
        """Create a secondary index on the GeoJSON values in a bin, and wait until all nodes have built it.

        Args:
            namespace: The namespace.
            set_name: The set; ``""`` for all sets.
            bin_name: The bin.
            index_name: The name of the index.
            policy: An AdminPolicy.

        Raises:
            IndexFoundError: Another index has that name.
        """
        native = self._native or self._refuse("index_geo2dsphere_create", locals())
        self._backend.call(
            admin.index_create, native, self._policies, admin.GEO, namespace, set_name, bin_name, index_name, policy
        )

    def index_remove(self, namespace: str, index_name: str, policy: Mapping[str, Any] | None = None) -> None:
        """Drop a secondary index, and wait until all nodes have dropped it. It need not exist.

        Args:
            namespace: The namespace.
            index_name: The index.
            policy: An AdminPolicy.
        """
        native = self._native or self._refuse("index_remove", locals())
        self._backend.call(admin.index_remove, native, self._policies, namespace, index_name, policy)

    def udf_put(self, filename: str, udf_type: int = 0, policy: Mapping[str, Any] | None = None) -> None:
        """Register a module of Lua functions, and wait until all nodes have it.

        Args:
            filename: The path of its file; the last part is the module's name.
            udf_type: 0, for Lua.
            policy: An AdminPolicy.

        Raises:
            UDFError: The module does not compile; the message has the line.
            InvalidArgError: The file cannot be read.
        """
        native = self._native or self._refuse("udf_put", locals())
        self._backend.call(admin.udf_put, native, self._policies, filename, udf_type, policy)

    def udf_remove(self, module: str, policy: Mapping[str, Any] | None = None) -> None:
        """Remove a module of functions, and wait until all nodes have removed it. It need not exist.

        Args:
            module: The module's name, with or without ``.lua``.
            policy: An AdminPolicy.
        """
        native = self._native or self._refuse("udf_remove", locals())
        self._backend.call(admin.udf_remove, native, self._policies, module, policy)

    def admin_create_user(
        self, username: str, password: str, roles: Sequence[str], policy: Mapping[str, Any] | None = None
    ) -> None:
        """Create a user with roles."""
        native = self._native or self._refuse("admin_create_user", locals())
        self._backend.call(
            native.admin_create_user, username, password, roles, policy=self._policies.admin(policy)
        )

    def admin_drop_user(self, username: str, policy: Mapping[str, Any] | None = None) -> None:
        """Remove a user."""
        native = self._native or self._refuse("admin_drop_user", locals())
        self._backend.call(native.admin_drop_user, username, policy=self._policies.admin(policy))

    def admin_change_password(
        self, username: str, password: str, policy: Mapping[str, Any] | None = None
    ) -> None:
        """Change a user's password. A logged-in user may change its own."""
        native = self._native or self._refuse("admin_change_password", locals())
        self._backend.call(native.admin_change_password, username, password, policy=self._policies.admin(policy))

    def admin_grant_roles(
        self, username: str, roles: Sequence[str], policy: Mapping[str, Any] | None = None
    ) -> None:
        """Grant roles to a user."""
        native = self._native or self._refuse("admin_grant_roles", locals())
        self._backend.call(native.admin_grant_roles, username, roles, policy=self._policies.admin(policy))

    def admin_revoke_roles(
        self, username: str, roles: Sequence[str], policy: Mapping[str, Any] | None = None
    ) -> None:
        """Revoke roles from a user."""
        native = self._native or self._refuse("admin_revoke_roles", locals())
        self._backend.call(native.admin_revoke_roles, username, roles, policy=self._policies.admin(policy))

    def admin_query_user_info(self, username: str, policy: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return a user: a UserInfo, with ``read_info`` and ``write_info``."""
        native = self._native or self._refuse("admin_query_user_info", locals())
        found: dict[str, Any] = self._backend.call(admin.user_info, native, self._policies, username, policy)
        return found

    def admin_query_users_info(self, policy: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return all users."""
        native = self._native or self._refuse("admin_query_users_info", locals())
        found: list[dict[str, Any]] = self._backend.call(admin.users_info, native, self._policies, policy)
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
            role: The name of the role.
            privileges: Dicts of ``code`` (a PRIV_ constant or its name) and, if limited, ``ns`` and ``set``.
            policy: An AdminPolicy.
            whitelist: Addresses and networks from which the role may be used; None: all.
            read_quota: Records per second that each of its users may read; 0: no limit.
            write_quota: Records per second that each of its users may write; 0: no limit.
        """
        native = self._native or self._refuse("admin_create_role", locals())
        self._backend.call(
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
        self._backend.call(native.admin_drop_role, role, policy=self._policies.admin(policy))

    def admin_grant_privileges(
        self, role: str, privileges: Sequence[Privilege], policy: Mapping[str, Any] | None = None
    ) -> None:
        """Grant privileges to a role."""
        native = self._native or self._refuse("admin_grant_privileges", locals())
        self._backend.call(
            native.admin_grant_privileges, role, admin.to_privileges(privileges), policy=self._policies.admin(policy)
        )

    def admin_revoke_privileges(
        self, role: str, privileges: Sequence[Privilege], policy: Mapping[str, Any] | None = None
    ) -> None:
        """Revoke privileges from a role."""
        native = self._native or self._refuse("admin_revoke_privileges", locals())
        self._backend.call(
            native.admin_revoke_privileges, role, admin.to_privileges(privileges), policy=self._policies.admin(policy)
        )

    def admin_query_role(self, role: str, policy: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return a role: a RoleInfo."""
        native = self._native or self._refuse("admin_query_role", locals())
        found: dict[str, Any] = self._backend.call(admin.role, native, self._policies, role, policy)
        return found

    def admin_query_roles(self, policy: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return all roles."""
        native = self._native or self._refuse("admin_query_roles", locals())
        found: list[dict[str, Any]] = self._backend.call(admin.roles, native, self._policies, policy)
        return found

    def admin_set_whitelist(
        self, role: str, whitelist: Sequence[str], policy: Mapping[str, Any] | None = None
    ) -> None:
        """Set the addresses and networks from which a role may be used; an empty list allows all."""
        native = self._native or self._refuse("admin_set_whitelist", locals())
        self._backend.call(native.admin_set_allowlist, role, whitelist, policy=self._policies.admin(policy))

    def admin_set_quotas(
        self, role: str, read_quota: int = 0, write_quota: int = 0, policy: Mapping[str, Any] | None = None
    ) -> None:
        """Limit the records per second that each user with a role may read and write; 0 removes the limit."""
        native = self._native or self._refuse("admin_set_quotas", locals())
        self._backend.call(
            native.admin_set_quotas,
            role,
            read_quota=read_quota,
            write_quota=write_quota,
            policy=self._policies.admin(policy),
        )
