"""What the two clients have in common: configuration, state, and what becomes of them in a forked child."""

from __future__ import annotations

import enum
import logging
import os
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

from trio_aerospike.errors import ClientClosed, ClientError, InvalidArgError
from trio_aerospike.validation import Uncopyable, refused

from ._configuration import client_config, reader_of, warn_of_unknown_fields
from ._habits import Habits

if TYPE_CHECKING:
    import trio_aerospike
    from trio_aerospike.config import ClientConfig

    from ._session import Home, Session

T = TypeVar("T")

logger = logging.getLogger("aerospike_py")
#: Where the published package logs what it warns of; programs may have configured it.
warnings_logger = logging.getLogger("_aerospike::client")


class State(enum.Enum):
    """Why a client has no session; the value is what it says to who calls a command."""

    NEW = "Client is not connected. Call connect() first."
    CLOSED = "Client is not connected, as it was closed. Call connect() first."
    INHERITED = (
        "Client is not connected: it was connected before the process forked, and its connections belong to the parent "
        "process. Call connect() first, on a client of the child's own."
    )


class Handle(Uncopyable):
    """A client as the program holds it, connected or not."""

    _instead_of_copy = "share the client, or make another from its configuration; another process makes its own"

    _home: Home
    #: Whether results are used in an event loop.
    _for_loop: ClassVar[bool] = False

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Take the configuration; nothing is connected yet.

        Args:
            config: A ClientConfig; only ``hosts`` is required. What is wrong with it ``connect`` says.
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
        self._habits = Habits(self._for_loop)
        #: Under "session", the one that is being connected. ``setdefault`` takes the place in one step, so that an
        #: interrupt cannot fall between taking it and noting by whom it was taken.
        self._connecting: dict[str, Session] = {}
        _handles.add(self)

    def __repr__(self) -> str:
        state = "connected" if self._native is not None else self._state.name.lower()
        return f"<{type(self).__name__} {self._seeds() or 'of a wrong configuration'}: {state}>"

    def __del__(self) -> None:
        session = getattr(self, "_session", None)
        if session is not None and self._home.release(session):
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

    def _begin(self, session: Session) -> None:
        """Enter the state of connecting, which ends with ``_connected`` or ``_failed``."""
        if self._connecting.setdefault("session", session) is not session:
            raise ClientError("Cannot connect: client is already connecting. Close the client before reconnecting.")
        if self._session is not None:
            raise ClientError("Cannot connect: client is already connected. Close the client before reconnecting.")
        logger.info("connecting to %s", self._seeds())

    def _connected(self, home: Home, session: Session) -> None:
        self._home = home
        self._session = session
        self._attach(session.native)
        logger.info("connected to %s", self._seeds())
        self._connecting.pop("session", None)

    def _failed(self, home: Home, session: Session) -> None:
        """Clean up after a connect that failed, was cancelled or was interrupted anywhere."""
        if self._session is session:
            self._session = None
            self._attach(None)
        home.release(session)
        if self._connecting.get("session") is session:
            del self._connecting["session"]

    def _seeds(self) -> str:
        return "" if self._config is None else ", ".join(map(str, self._config.hosts))

    def _detach(self) -> Session | None:
        """Leave the state of being connected.

        Returns:
            The session to close; None when there is none.

        Raises:
            ClientError: The client is about to be connected, so that it would not stay closed.
        """
        session = self._session
        if session is None and self._connecting:
            raise ClientError("Cannot close: client is currently connecting.")
        self._session = None
        self._attach(None)
        if session is not None:
            self._state = State.CLOSED
            logger.debug("closing the connections to %s", self._seeds())
        return session

    def _attach(self, client: trio_aerospike.Client | None) -> None:
        """Use ``client`` from now on; None: none."""
        self._native = client

    def _connected_native(self) -> trio_aerospike.Client:
        client = self._native
        if client is None:
            raise self._refusal()
        return client

    def _refuse(self, method: str, given: Mapping[str, Any]) -> NoReturn:
        """Refuse a call, as there is no connection; or for one of its arguments, where that cannot be at all.

        Args:
            method: Its name.
            given: Its arguments by name.
        """
        from ._arguments import check  # no program that does well gets here

        check(method, given)
        raise self._refusal()

    def _refusal(self) -> ClientError:
        return (ClientClosed if self._state is State.CLOSED else ClientError)(self._state.value)

    def is_connected(self) -> bool:
        """Whether the client is connected, and at least one node of the cluster answers."""
        client = self._native
        return client is not None and _look(client.is_connected)

    def get_node_names(self) -> list[str]:
        """The names of the cluster's nodes.

        Raises:
            ClientError: The client is not connected.
        """
        return _look(self._connected_native().node_names)

    def _become_inherited(self) -> None:
        session = self._session
        self._connecting = {}
        if session is not None:
            self._session = None
            self._attach(None)
            self._state = State.INHERITED
            _inherited.append(session)
            session.close_inherited()


def copied(bins: Mapping[str, Any]) -> Mapping[str, Any]:
    """The bins as they are now: the portal encodes them while the program may go on and change its dict."""
    if type(bins) is dict:
        return bins.copy()
    check_bins("bins", bins)
    return bins


def check_bins(where: str, bins: Any) -> None:
    """Check that bins are a dict, or another mapping.

    Raises:
        InvalidArgError: They are not.
    """
    if not isinstance(bins, Mapping):
        raise refused(where, bins, "names and values: it must be a dict")


def _look(look: Callable[[], T]) -> T:
    """Read the client's view of the cluster from a thread that does not own it."""
    while True:
        try:
            return look()
        except RuntimeError:
            continue  # what was being iterated over has changed; the next look comes later


_handles: weakref.WeakSet[Handle] = weakref.WeakSet()
#: Sessions of the parent process, kept in a forked child so that nothing of theirs is ever finalized there.
_inherited: list[Session] = []


def _inherit_in_child() -> None:
    for handle in list(_handles):
        handle._become_inherited()


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_inherit_in_child)
