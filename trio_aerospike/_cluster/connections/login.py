"""Log in to a node, keep the session, and authenticate connections with it."""

from __future__ import annotations

import math
from collections.abc import Callable

import trio

from ..._wire.admin import (
    LoginAnswer,
    decode_login_response,
    decode_result,
    encode_authenticate,
    encode_login,
    encode_login_pki,
    hash_password,
)
from ..._wire.constants import PROTO_ADMIN
from ..._wire.frames import FrameReader
from ...config import AuthMode
from ...errors import ProtocolError, ResultCode, error_from_code
from .transport import Transport

#: A session is renewed when less than this part of its life is left, and at the latest a minute before its end.
_RENEW_PART = 0.2
_RENEW_SECONDS = 60.0
#: Answers that say: this server asks for no login (C client: ``as_admin.c``).
_NO_LOGIN = (ResultCode.SECURITY_NOT_ENABLED, ResultCode.SECURITY_NOT_SUPPORTED)
#: Answers to a session token that a new login may cure.
_STALE = (ResultCode.EXPIRED_SESSION, ResultCode.INVALID_CREDENTIAL, ResultCode.NOT_AUTHENTICATED)


async def exchange(transport: Transport, frame: bytes, kind: int) -> bytes:
    """Send one request on a transport that nobody else uses and wait for its answer.

    Returns:
        The body of the answer.

    Raises:
        ConnectionResetError: the peer closed the connection instead.
        ProtocolError: the answer is malformed, or of another type.
    """
    await transport.send_all(frame)
    reader = FrameReader()
    while True:
        data = await transport.receive_some(65536)
        if not data:
            raise ConnectionResetError("the server closed the connection before it answered")
        frames = reader.feed(data)
        if frames:
            got, body = frames[0]
            if got != kind or len(frames) > 1:
                raise ProtocolError(f"the server answered a request of type {kind} with {len(frames)} of type {got}")
            if reader.error is not None:
                raise reader.error
            if reader.pending:
                raise ProtocolError(f"the server sent {reader.pending} bytes after its answer, without a request")
            return body
        if reader.error is not None:
            raise reader.error


class Credentials:
    """User and password of a client; the password's hash is worked out once, in a thread, since it takes a while."""

    def __init__(self, user: str, password: str, auth_mode: AuthMode) -> None:
        self.user = user
        self.auth_mode = auth_mode
        self._password = password
        self._hash: bytes | None = None
        self._lock = trio.Lock()

    def __repr__(self) -> str:
        return f"<Credentials of {self.user!r}, {self.auth_mode.name}>"

    async def login_frame(self) -> bytes:
        """The request that logs in."""
        if self.auth_mode is AuthMode.PKI:
            return encode_login_pki()
        hashed = await self.password_hash()
        clear = self._password if self.auth_mode is AuthMode.EXTERNAL else None
        return encode_login(self.user, hashed, clear)

    async def password_hash(self) -> bytes:
        """The hash of the password."""
        async with self._lock:
            if self._hash is None:
                self._hash = await trio.to_thread.run_sync(hash_password, self._password)
            return self._hash

    def change(self, password: str, password_hash: bytes) -> None:
        """The user has another password from now on: later logins use it."""
        self._password, self._hash = password, password_hash

    def authenticate_frame(self, token: bytes) -> bytes:
        """The request that uses a session on a connection."""
        return encode_authenticate(None if self.auth_mode is AuthMode.PKI else self.user, token)


class Session:
    """The client's session on one node, shared by the connections to it.

    Args:
        credentials: None where the client logs in nowhere.
        clock: tells the time; sessions end by it.
    """

    def __init__(self, credentials: Credentials | None, clock: Callable[[], float] = trio.current_time) -> None:
        self._credentials = credentials
        self._clock = clock
        self._token: bytes | None = None
        self._renew_at = math.inf
        self._expires = math.inf
        self._lock = trio.Lock()

    @property
    def due(self) -> bool:
        """Whether it is time to log in again, so that no connection is ever opened with a session about to end."""
        return self._credentials is not None and self._clock() >= self._renew_at

    def invalidate(self) -> None:
        """The server says that the session has ended: the next connection logs in."""
        self._token = None

    async def authenticate(self, transport: Transport) -> None:
        """Make a fresh transport one that the server takes commands on.

        Raises:
            AdminError: the server refuses user or password.
            OSError, trio.BrokenResourceError, ProtocolError: the exchange failed.
        """
        credentials = self._credentials
        if credentials is None:
            return
        while True:
            token = self._usable_token()
            if token is not None:
                code = decode_result(await exchange(transport, credentials.authenticate_frame(token), PROTO_ADMIN))
                if code == ResultCode.OK or code in _NO_LOGIN:
                    return
                if code not in _STALE:
                    raise self._refused(code)
                if self._token is token:
                    self._token = None
            async with self._lock:
                if self._usable_token() is None:
                    await self._log_in(credentials, transport)
                    return
            # While this connection waited, another one logged in: its session is for all.

    async def renew(self, transport: Transport) -> None:
        """Log in again, unless that has been done since it was :attr:`due`; as :meth:`authenticate` otherwise."""
        async with self._lock:
            if self._credentials is not None and self.due:
                await self._log_in(self._credentials, transport)

    async def _log_in(self, credentials: Credentials, transport: Transport) -> None:
        """Log in and remember the session. The caller holds the lock."""
        answer = decode_login_response(await exchange(transport, await credentials.login_frame(), PROTO_ADMIN))
        if answer.result_code in _NO_LOGIN:
            self._renew_at = math.inf
            return
        if answer.result_code != ResultCode.OK:
            raise self._refused(answer.result_code)
        self._remember(answer)

    def _usable_token(self) -> bytes | None:
        return self._token if self._clock() < self._expires else None

    def _remember(self, answer: LoginAnswer) -> None:
        self._token = answer.token
        if answer.ttl is None:
            self._renew_at = self._expires = math.inf
        else:
            now = self._clock()
            self._expires = now + answer.ttl
            self._renew_at = max(now + answer.ttl * (1 - _RENEW_PART), self._expires - _RENEW_SECONDS)

    def _refused(self, code: int) -> Exception:
        assert self._credentials is not None
        error = error_from_code(code)
        return error_from_code(code, f"login of {self._credentials.user!r} refused: {error.message}")
