"""Refuse calls from outside Trio, and from outside the Trio run that a client belongs to.

Trio's primitives belong to one run: used from another one, a client would park tasks that are never woken, and
wake tasks of a loop that runs in another thread.
"""

from __future__ import annotations

import _thread

import sniffio
import trio

from .errors import ClientError

_COMPAT = "of aerospike_py (package trio-aerospike-compat)"


def require_trio(what: str) -> None:
    """Refuse a call outside of Trio.

    Args:
        what: what was called, for the message.

    Raises:
        ClientError: no task of Trio is running; says what runs instead, and what to do.
    """
    library = _library()
    if library != "trio":
        raise ClientError(f"{what} {_advice(library)}")


class TrioRun:
    """The Trio run in which this object was made.

    Attributes:
        thread: the thread that it runs in. Two runs may not be in one thread, so that comparing this with
            ``_thread.get_ident()`` is the cheapest check (0.02 microseconds) for another run.
    """

    __slots__ = ("_token", "thread")

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self.thread: int = _thread.get_ident()

    def check(self, what: str = "the client") -> None:
        """Refuse a call from elsewhere: another Trio run or thread, an asyncio loop, or no event loop at all.

        Raises:
            ClientError: the call comes from elsewhere; says what to do instead.
        """
        try:
            trio.lowlevel.current_task()
            if trio.lowlevel.current_trio_token() is self._token:
                return
        except RuntimeError:
            pass
        raise self.refusal(what)

    def refusal(self, what: str = "the client") -> ClientError:
        """The error to raise for a call from elsewhere."""
        library = _library()
        if library == "trio":
            return ClientError(
                f"{what} belongs to another Trio run, the one in which open_client was entered: call it from a thread "
                f"of that run with trio.from_thread.run, open another client here, or use a client {_COMPAT}, which "
                "works in any thread"
            )
        return ClientError(f"{what} {_advice(library)}")


def _advice(library: str) -> str:
    if not library:
        return (
            "works in Trio, and no event loop is running here: run the program with trio.run, call the client with "
            f"trio.from_thread.run in a thread that Trio started, or use aerospike_py.client {_COMPAT}, which blocks"
        )
    return (
        f"works in Trio, and this is {library}: use aerospike_py.AsyncClient {_COMPAT}, or run the program in Trio "
        '(with anyio: anyio.run(main, backend="trio"))'
    )


def _library() -> str:
    """The name of the async library that runs the caller; "" outside of any."""
    try:
        library: str = sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        return ""
    if library == "trio":
        try:
            trio.lowlevel.current_task()
        except RuntimeError:
            return ""
    return library
