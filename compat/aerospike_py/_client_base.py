"""The base of both clients: configuration, connection state, and what happens to them in a forked child."""

from __future__ import annotations

import enum
import logging
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn, TypeVar

import trio_aerospike
from trio_aerospike.config import ClientConfig
from trio_aerospike.errors import ClientClosed, ClientError, InvalidArgError
from trio_aerospike.validation import Uncopyable, refused

from ._argument_checks import check_arguments
from ._commands.lazy_batch import LazyBatchRecords
from ._commands.usage_hints import UsageHints
from ._conversion.configuration import client_config, reader_of, warn_of_unknown_fields
from ._observability import metrics
from ._runtime.backends import Backend
from ._runtime.forking import install_fork_hook, reset_in_child
from ._runtime.session import Session

T = TypeVar("T")

logger = logging.getLogger("aerospike_py")
#: The logger of the published package for warnings; programs may have configured it.
warnings_logger = logging.getLogger("_aerospike::client")


class State(enum.Enum):
    """Why a client has no session; the value is the message of the error that commands raise."""

    NEW = "Client is not connected. Call connect() first."
    CLOSED = "Client is not connected, as it was closed. Call connect() first."
    INHERITED = (
        "Client is not connected: it was connected before the process forked, and its connections belong to the parent "
        "process. Call connect() first, on a client of the child's own."
    )


class ClientBase(Uncopyable):
    """A client, connected or not. The methods that differ between the clients are in ``_async`` and ``_sync``."""

    _instead_of_copy = "share the client, or make another from its configuration; another process makes its own"

    #: Where the client's session lives; a subclass knows which kind. Set by the first ``connect``.
    _backend: Any
    #: Whether results are used in an event loop.
    _for_loop: ClassVar[bool] = False

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Take the configuration; nothing is connected yet.

        Args:
            config: A ClientConfig; only ``hosts`` is required. If it is invalid, ``connect`` raises.
        """
        self._given = dict(config) if isinstance(config, Mapping) else config
        self._config: ClientConfig | None
        self._policies = reader_of(self._given)
        try:
            self._config = client_config(self._given, self._policies)
        except InvalidArgError:
            self._config = None
        self._session: Session | None = None
        self._native: trio_aerospike.Client | None = None
        self._state = State.NEW
        self._hints = UsageHints(self._for_loop)
        #: Under "session", the one that is connecting. ``setdefault`` is atomic: an interrupt cannot fall between
        #: taking the place and recording the session that took it.
        self._connecting: dict[str, Session] = {}
        install_fork_hook()
        _clients.add(self)

    def __repr__(self) -> str:
        state = "connected" if self._native is not None else self._state.name.lower()
        return f"<{type(self).__name__} {self._seeds() or 'of a wrong configuration'}: {state}>"

    def __del__(self) -> None:
        session = getattr(self, "_session", None)
        if session is not None and self._backend.release(session):
            warnings.warn(f"{self!r} was never closed", ResourceWarning, stacklevel=2, source=self)

    def _login_config(self, username: str | None, password: str | None) -> ClientConfig:
        for name, value in (("username", username), ("password", password)):
            if value is not None and not isinstance(value, str):
                raise refused(f"connect.{name}", value if name == "username" else type(value), "a str or None")
        config = self._config
        if config is None:
            config = client_config(self._given, self._policies)  # raises InvalidArgError if it is invalid
        warn_of_unknown_fields(self._given)
        if username is None and password is None:
            return config
        if password is None:
            raise ClientError("connect: Password is required when username is provided")
        if username is None:
            username = config.user
        if not username:
            raise ClientError("connect: a user name is required with a password")
        return config.replace(user=username, password=password)

    def _new_session(self, username: str | None, password: str | None) -> Session:
        """Make the session for a connect with this login."""
        return Session(self._login_config(username, password), metrics.attach)

    def _begin_connecting(self, session: Session) -> None:
        """Enter the connecting state, which ``_finish_connecting`` or ``_fail_connecting`` ends."""
        if self._connecting.setdefault("session", session) is not session:
            raise ClientError("Cannot connect: client is already connecting. Close the client before reconnecting.")
        if self._session is not None:
            raise ClientError("Cannot connect: client is already connected. Close the client before reconnecting.")
        logger.info("connecting to %s", self._seeds())

    def _finish_connecting(self, backend: Backend, session: Session) -> None:
        self._backend = backend
        self._session = session
        self._native = session.native
        logger.info("connected to %s", self._seeds())
        self._connecting.pop("session", None)

    def _fail_connecting(self, backend: Backend, session: Session) -> None:
        """Clean up after a connect that failed, was cancelled, or was interrupted at any point."""
        if self._session is session:
            self._session = None
            self._native = None
        backend.release(session)
        if self._connecting.get("session") is session:
            del self._connecting["session"]

    def _seeds(self) -> str:
        return "" if self._config is None else ", ".join(map(str, self._config.hosts))

    def _detach_session(self) -> Session | None:
        """Leave the connected state.

        Returns:
            The session to close; None if there is none.

        Raises:
            ClientError: The client is connecting, so that it would not stay closed.
        """
        session = self._session
        if session is None and self._connecting:
            raise ClientError("Cannot close: client is currently connecting.")
        self._session = None
        self._native = None
        if session is not None:
            self._state = State.CLOSED
            logger.debug("closing the connections to %s", self._seeds())
        return session

    def _connected_native(self) -> trio_aerospike.Client:
        client = self._native
        if client is None:
            raise self._not_connected()
        return client

    def _refuse(self, method: str, given: Mapping[str, Any]) -> NoReturn:
        """Refuse a call because there is no connection; or because of an argument that is invalid in any case.

        Args:
            method: The method's name.
            given: Its arguments by name, and ``self``.
        """
        check_arguments(method, given, self._policies)
        raise self._not_connected()

    def _not_connected(self) -> ClientError:
        return (ClientClosed if self._state is State.CLOSED else ClientError)(self._state.value)

    def _record_commands(self) -> Any:
        """The commands on single records for the caller's thread or task; None if the client is not connected."""
        native = self._native
        return None if native is None else self._backend.record_commands(native)

    def _warn_of_truncation(self, namespace: str, set_name: str) -> None:
        text = "Async truncating: ns=%s set=%s" if self._for_loop else "Truncating: ns=%s set=%s"
        warnings_logger.warning(text, namespace, set_name)

    def _note_resumed(self, found: LazyBatchRecords) -> None:
        """Measure how long the event loop took to resume the caller of ``batch_read``."""
        if self._for_loop:
            metrics.stage_done("event_loop_resume_delay", found._finished)

    def is_connected(self) -> bool:
        """Return whether the client is connected and at least one node of the cluster answers."""
        client = self._native
        return client is not None and _read_state(client.is_connected)

    def get_node_names(self) -> list[str]:
        """Return the names of the cluster's nodes.

        Raises:
            ClientError: The client is not connected.
        """
        return _read_state(self._connected_native().node_names)

    def _become_inherited(self) -> None:
        session = self._session
        self._connecting = {}
        if session is not None:
            self._session = None
            self._native = None
            self._state = State.INHERITED
            _inherited.append(session)
            session.close_inherited()


def _read_state(read: Callable[[], T]) -> T:
    """Read the cluster's state from a thread that does not own it."""
    while True:
        try:
            return read()
        except RuntimeError:
            continue  # a collection has changed while it was iterated over: read it again


_clients: weakref.WeakSet[ClientBase] = weakref.WeakSet()
#: Sessions of the parent process, kept in a forked child so that none of their objects is ever finalized there.
_inherited: list[Session] = []


@reset_in_child
def _inherit_clients() -> None:
    for client in list(_clients):
        client._become_inherited()
