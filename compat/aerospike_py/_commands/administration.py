"""Manage indexes, user-defined functions, users and roles; truncate sets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import trio_aerospike
from trio_aerospike.errors import (
    AerospikeError,
    ClientError,
    IndexFoundError,
    InvalidArgError,
    ResultCode,
    ServerError,
    UDFError,
    error_from_code,
)
from trio_aerospike.indexes import IndexType
from trio_aerospike.jobs import IndexJob
from trio_aerospike.keys import KeyLike
from trio_aerospike.security import Privilege
from trio_aerospike.validation import refused, shown, unknown_name

from .._conversion import results
from .._conversion.keys import to_key
from .._conversion.policies import PolicyReader

Policy = Mapping[str, Any] | None
Native = trio_aerospike.Client

INTEGER, STRING, GEO = IndexType.NUMERIC, IndexType.STRING, IndexType.GEO2DSPHERE
_PRIVILEGE_KEYS = ("code", "ns", "set")


class _UDFClientError(UDFError, ClientError):
    """A UDFError that is also a ClientError, which aerospike-py raises."""

    def __reduce__(self) -> Any:
        return (_client_error, (UDFError, self.args, self.__dict__))


class _ServerClientError(ServerError, ClientError):
    """A ServerError that is also a ClientError, which aerospike-py raises."""

    def __reduce__(self) -> Any:
        return (_client_error, (ServerError, self.args, self.__dict__))


class _IndexClientError(IndexFoundError, ClientError):
    """An IndexFoundError that is also a ClientError, which aerospike-py raises."""

    def __reduce__(self) -> Any:
        return (_client_error, (IndexFoundError, self.args, self.__dict__))


#: Classes that are client errors as well, by the class of the server's error, whose name they bear.
_CLIENT_ERRORS: Final[Mapping[type[AerospikeError], type[ClientError]]] = {
    UDFError: _UDFClientError,
    ServerError: _ServerClientError,
    IndexFoundError: _IndexClientError,
}
for _kind, _both in _CLIENT_ERRORS.items():
    _both.__name__ = _both.__qualname__ = _kind.__name__


def _client_error(kind: type[AerospikeError], args: tuple[object, ...], fields: Mapping[str, Any]) -> ClientError:
    error = _CLIENT_ERRORS[kind](*args)
    error.__dict__.update(fields)
    return error


@contextlib.contextmanager
def _as_client_error(kind: type[AerospikeError] = UDFError, prefix: str = "") -> Iterator[None]:
    """Raise errors of a class as ones that are also a ClientError.

    Args:
        kind: The class, one of ``_CLIENT_ERRORS``.
        prefix: The beginning of the message.
    """
    try:
        yield
    except kind as error:
        text, *more = error.args
        raise _client_error(kind, (f"{prefix}{text}", *more), error.__dict__) from error


async def index_create(
    native: Native,
    reader: PolicyReader,
    kind: IndexType,
    namespace: str,
    set_name: str,
    bin_name: str,
    index_name: str,
    policy: Policy,
) -> None:
    """Create an index, and wait until all nodes have built it."""
    with _as_client_error(IndexFoundError):
        job = await native.create_index(namespace, set_name, bin_name, index_name, kind, policy=reader.info(policy))
    await _finished(job)


async def index_remove(native: Native, reader: PolicyReader, namespace: str, index_name: str, policy: Policy) -> None:
    """Drop an index, and wait until all nodes have dropped it."""
    job = await native.drop_index(namespace, index_name, policy=reader.info(policy))
    await _finished(job)


async def _finished(job: IndexJob) -> None:
    """Wait until an index job is done. A server accepts one for a namespace that it does not have, and never ends it.

    Raises:
        ServerError: The namespace does not exist.
    """
    for node in (await job.poll()).nodes:
        if node.error == ResultCode.INVALID_NAMESPACE:
            raise error_from_code(node.error, f"namespace {job.namespace!r} does not exist", node=node.node_name)
    await job.wait()


async def udf_put(native: Native, reader: PolicyReader, filename: str, udf_type: int, policy: Policy) -> None:
    """Register a module of functions, and wait until all nodes have it."""
    if type(udf_type) is not int or udf_type != 0:
        raise refused("udf_put.udf_type", udf_type, "0: modules are written in Lua")
    try:
        with _as_client_error():
            await native.udf_put(filename, policy=reader.info(policy))
    except InvalidArgError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        raise InvalidArgError(
            f"Failed to read UDF file {shown(filename)}, which cannot be read: {error.__cause__}"
        ) from error.__cause__


async def udf_remove(native: Native, reader: PolicyReader, module: str, policy: Policy) -> None:
    """Remove a module of functions, and wait until all nodes have removed it."""
    if isinstance(module, str) and not module.endswith(".lua"):
        module += ".lua"
    with _as_client_error():
        await native.udf_remove(module, policy=reader.info(policy))


async def apply(
    native: Native,
    reader: PolicyReader,
    key: KeyLike,
    module: str,
    function: str,
    args: Sequence[Any] | None,
    policy: Policy,
) -> Any:
    """Call a user-defined function on a record."""
    arguments = () if args is None else args
    with _as_client_error():
        return await native.apply(to_key(key), module, function, arguments, policy=reader.write(policy))


async def truncate(
    native: Native, reader: PolicyReader, namespace: str, set_name: str, nanos: int, policy: Policy
) -> None:
    """Remove all records of a set, or those last written before a time."""
    nanos = int(nanos) if isinstance(nanos, bool) else nanos
    with _as_client_error(ServerError, "Error truncating ns/set: "):
        await native.truncate(namespace, set_name, before_nanos=nanos, policy=reader.info(policy))


async def user_info(native: Native, reader: PolicyReader, username: str, policy: Policy) -> dict[str, Any]:
    """Return a user."""
    return results.user_info(await native.admin_query_user_info(username, policy=reader.admin(policy)))


async def users_info(native: Native, reader: PolicyReader, policy: Policy) -> list[dict[str, Any]]:
    """Return all users."""
    return [results.user_info(user) for user in await native.admin_query_users_info(policy=reader.admin(policy))]


async def role(native: Native, reader: PolicyReader, name: str, policy: Policy) -> dict[str, Any]:
    """Return a role."""
    return results.role_info(await native.admin_query_role(name, policy=reader.admin(policy)))


async def roles(native: Native, reader: PolicyReader, policy: Policy) -> list[dict[str, Any]]:
    """Return all roles."""
    return [results.role_info(found) for found in await native.admin_query_roles(policy=reader.admin(policy))]


def to_privileges(given: Any) -> list[Privilege]:
    """Convert privileges.

    Args:
        given: Dicts of ``code`` (a PRIV_ constant, or its name) and, for a limited privilege, ``ns`` and ``set``.

    Raises:
        InvalidArgError: An item is not a valid privilege.
    """
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Sequence):
        raise refused("privileges", given, "a list of privileges")
    found = []
    for number, one in enumerate(given):
        where = f"privileges[{number}]"
        if not isinstance(one, Mapping):
            raise refused(where, one, "a dict of code, ns and set")
        if "code" not in one:
            raise refused(where, one, "a dict of code, ns and set: it must have 'code' key")
        for name in one:
            if name not in _PRIVILEGE_KEYS:
                raise unknown_name(where, name, _PRIVILEGE_KEYS)
        namespace, set_name = one.get("ns"), one.get("set")
        code = one["code"]
        try:
            found.append(Privilege(code, "" if namespace is None else namespace, "" if set_name is None else set_name))
        except InvalidArgError as error:
            if not str(error).startswith("Privilege.code"):
                raise
            kind = "name" if isinstance(code, str) else "code"
            raise InvalidArgError(f"{where}: {error}. Unknown privilege {kind}: {shown(code)}") from None
    return found
