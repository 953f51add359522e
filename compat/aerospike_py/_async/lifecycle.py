"""Connect and close an asyncio client; ask nodes for information."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from .._client_base import ClientBase
from .._conversion import results
from .._runtime.backends import AsyncBackend, async_backend
from ..types import InfoNodeResult


class AsyncLifecycle(ClientBase):
    """Connect, close, and ask the nodes."""

    _backend: AsyncBackend

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> Literal[False]:
        await self.close()
        return False

    async def connect(self, username: str | None = None, password: str | None = None) -> Self:
        """Connect to the cluster.

        Args:
            username: The user who logs in, instead of the configuration's ``user``.
            password: The password; required with a user name.

        Returns:
            The client itself.

        Raises:
            InvalidArgError: The configuration has a value that is not allowed or, in strict mode, an unknown field.
            ClusterError: No seed answers, or the cluster has another name; the message has the reason for each seed.
            ClientError: The client is connected already; or an AsyncClient connects without a running event loop.
        """
        session = self._new_session(username, password)
        backend = async_backend()
        try:
            self._begin_connecting(session)
            backend.start(session)
            await backend.call(session.connected)
            self._finish_connecting(backend, session)
        except BaseException:
            self._fail_connecting(backend, session)
            raise
        return self

    async def close(self) -> None:
        """Close the connections. A client that is not connected stays as it is.

        Commands under way in other threads and tasks have five seconds to finish; new ones are refused at once.

        Raises:
            ClientError: The client is connecting.
        """
        session = self._session
        try:
            session = self._detach_session() or session
            if session is not None and not session.closed:
                await self._backend.close(session)
        except BaseException:
            if session is not None:
                self._backend.release(session)  # interrupted or cancelled, perhaps before the close was requested
            raise

    async def ping(self) -> bool:
        """Return whether a node answers; False as well if the client is not connected."""
        native = self._native
        return native is not None and await self._backend.call(native.ping)

    async def info_all(self, command: str, policy: Mapping[str, Any] | None = None) -> list[InfoNodeResult]:
        """Send an info command, such as ``"namespaces"``, to every node.

        Returns:
            One result for each node: its name, an error code (0: no error) and the answer.
        """
        native = self._native or self._refuse("info_all", locals())
        info_policy = self._policies.info(policy)
        return results.info_results(await self._backend.call(native.info_all, command, policy=info_policy))

    async def info_random_node(self, command: str, policy: Mapping[str, Any] | None = None) -> str:
        """Send an info command, such as ``"build"``, to one node, and return the answer."""
        native = self._native or self._refuse("info_random_node", locals())
        return await self._backend.call(native.info_random_node, command, policy=self._policies.info(policy))
