"""Connections leased to threads and event loops outside Trio, so that a record costs no hop between threads.

A node opens the connections and logs in; they count against ``max_conns_per_node`` and are closed when they have been
idle for too long, or when commands in Trio need the room. A thread leases one for one exchange
(:class:`~.blocking.BlockingConnection`); an event loop keeps those that it leases.

Threads share nothing here but lists and dicts, of which each use is one atomic step. A thread may be interrupted (by
KeyboardInterrupt) at any of these steps; so nothing is counted that could not be counted again, and a connection that
nobody refers to any more is closed when it is collected.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final, Protocol

from ...validation import Uncopyable
from .blocking_connection import BlockingConnection

#: Maximum connections leased per node; threads beyond that go through Trio, where their requests share connections.
MAX_LEASED = 16
#: Seconds past its time after which an exchange is ended from outside. A thread that handles signals all the time needs
#: that: its wait begins anew after each of them (PEP 475), and with it the kernel's timeout.
_OVERDUE = 0.1
#: Whether connections can be leased: Windows has neither this flag nor timeouts as a ``struct timeval``. Commands of
#: threads and event loops run in Trio there.
CAN_LEASE: Final = hasattr(socket, "MSG_DONTWAIT")


class LeaseOwner(Protocol):
    """An event loop that keeps a leased connection. Called in Trio's thread."""

    def close_if_idle_since(self, oldest: float) -> None:
        """Discard the connection if nothing has been asked on it since ``oldest``, on the monotonic clock."""

    def give_back(self) -> None:
        """Discard the connection as soon as what is under way is answered: somebody needs the room."""

    def close(self) -> None:
        """Discard the connection now: the client closes or drops the node."""

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for an answer on it."""


class ConnectionLeases(Uncopyable):
    """The leased connections of one node: idle ones for threads, and those that event loops keep.

    Args:
        on_return: called, in any thread, when a leased connection has been closed.

    Attributes:
        opening: connections that are being opened; counted by whoever opens them.
        closed: whether it leases nothing any more.
    """

    def __init__(self, on_return: Callable[[], None]) -> None:
        self._on_return = on_return
        #: Every leased connection with its socket, which is closed once the connection is collected.
        self._sockets: dict[weakref.ref[BlockingConnection], socket.socket] = {}
        #: Idle connections.
        self._resting: list[BlockingConnection] = []
        #: What event loops keep.
        self._held: dict[BlockingConnection, LeaseOwner] = {}
        # Held to close a socket, and to use one that another thread might be closing: its number might be reused.
        # Reentrant, since a connection may be collected anywhere.
        self._closing = threading.RLock()
        self._wanted_back = False
        self.opening = 0
        self.closed: bool = False
        _all.add(self)

    def __repr__(self) -> str:
        state = ", closed" if self.closed else ", wanted back" if self._wanted_back else ""
        return (
            f"<ConnectionLeases {len(self._sockets)} leased, {len(self._resting)} of them idle, "
            f"{len(self._held)} in loops{state}>"
        )

    @property
    def lent(self) -> int:
        """How many connections are leased or being opened."""
        return len(self._sockets) + self.opening

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for an answer on a leased connection."""
        for ref in self._sockets.copy():
            connection = ref()
            holder = None if connection is None else self._held.get(connection)
            if connection is not None and (connection not in self._resting if holder is None else holder.awaited):
                return True
        return False

    def admit(self, sock: socket.socket) -> None:
        """Add a connection that has been opened for leasing; it is idle."""
        try:
            connection = BlockingConnection(sock)
            self._sockets[weakref.ref(connection, self._end)] = sock
        except BaseException:
            sock.close()
            raise
        self.give_back(connection)

    def borrow(self) -> BlockingConnection | None:
        """Lease an idle connection; None where there is none that can be used."""
        while True:
            try:
                connection = self._resting.pop()
            except IndexError:
                return None
            if connection.fresh():
                return connection
            self.discard(connection)

    def give_back(self, connection: BlockingConnection) -> None:
        """Return a connection whose answer has been read."""
        connection.rested_since = time.monotonic()
        self._resting.append(connection)
        if self._wanted_back:
            self._give_up_resting()

    def hold(self, connection: BlockingConnection, holder: LeaseOwner) -> None:
        """Let an event loop keep a connection until it is told to give it up."""
        self._held[connection] = holder
        if self.closed:
            holder.close()
        elif self._wanted_back:
            holder.give_back()

    def discard(self, connection: BlockingConnection) -> None:
        """Close a connection that broke, or that owes an answer. Does nothing the second time."""
        self._held.pop(connection, None)
        self._end(weakref.ref(connection))

    def reap(self, idle_timeout: float) -> None:
        """Close what has been idle for ``idle_timeout`` seconds, and interrupt exchanges that are overdue."""
        now = time.monotonic()
        oldest = now - idle_timeout
        while True:
            try:
                if self._resting[0].rested_since > oldest:
                    break
                connection = self._resting.pop(0)
            except IndexError:
                break
            if connection.rested_since > oldest:  # it was used in between
                self._resting.append(connection)
                if self._wanted_back:
                    self._give_up_resting()
                break
            self.discard(connection)
        for holder in self._held.copy().values():
            holder.close_if_idle_since(oldest)
        for ref, sock in self._sockets.copy().items():
            leased = ref()
            if leased is None:
                self._end(ref)
            elif leased.until < now - _OVERDUE and leased not in self._held:
                self._interrupt(sock)

    def recall(self) -> None:
        """Make room for commands in Trio: close what is idle now, and the others as they are given back."""
        self._wanted_back = True
        self._give_up_resting()
        for holder in self._held.copy().values():
            holder.give_back()

    def resume(self) -> None:
        """Lease again: nobody needs the room any more."""
        self._wanted_back = self.closed

    def close(self) -> None:
        """Close everything: a thread that waits for an answer finds its connection broken."""
        self.closed = True
        self._wanted_back = True
        for holder in self._held.copy().values():
            holder.close()
        self._give_up_resting()
        for ref, sock in self._sockets.copy().items():
            if ref() not in self._held:
                self._interrupt(sock)

    def close_inherited(self) -> None:
        """In a forked child: release every descriptor, and notify nobody; the counts are the parent's."""
        self.closed = self._wanted_back = True
        self._on_return = _nothing
        self._closing = threading.RLock()  # another thread of the parent may have had it
        self._resting.clear()
        self._held.clear()
        for ref in self._sockets.copy():
            self._end(ref)

    def _give_up_resting(self) -> None:
        while True:
            try:
                connection = self._resting.pop()
            except IndexError:
                return
            self.discard(connection)

    def _end(self, ref: weakref.ref[BlockingConnection]) -> None:
        """Close a connection; called once more, by its collection, for one whose thread was interrupted."""
        sock = self._sockets.get(ref)
        if sock is not None:
            with self._closing:
                sock.close()
            self._sockets.pop(ref, None)
            self._on_return()

    def _interrupt(self, sock: socket.socket) -> None:
        """Wake the thread that waits on the socket: it finds the connection closed, and discards it."""
        with self._closing:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is closed, or was never connected


def _nothing() -> None:
    pass


_all: weakref.WeakSet[ConnectionLeases] = weakref.WeakSet()


def _close_all_inherited() -> None:
    """Two processes on one connection would read each other's answers: a child has none of them from the first."""
    for leases in list(_all):
        leases.close_inherited()


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_close_all_inherited)
