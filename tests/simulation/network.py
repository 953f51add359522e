"""Inject network faults: a connector around another one, and a record of what passed over each connection.

Every connection is listened to: which writes left the client, how often, and with what answer. So a test can tell a
write that was sent twice from one that was sent once, even where no server was left to count it.
"""

from __future__ import annotations

import enum
import re
from collections import Counter, deque
from collections.abc import Iterator

import attrs
import trio

from trio_aerospike import ProtocolError
from trio_aerospike._cluster.connections.transport import Connector, Transport
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.frames import FrameReader

Address = tuple[str, int]

#: Where the flags and the result code stand in the body of a message.
_INFO1, _INFO3, _RESULT = 1, 3, 5
_PARTITION_UNAVAILABLE = 11
#: The mark of a write, by which it is recognized anywhere between client and server: see `tag`.
_TAG = re.compile(rb"<[\w.-]{1,30}:\d{1,6}>")


def tag(name: str, number: int) -> str:
    """The mark that a write carries in a bin of its own."""
    return f"<{name}:{number}>"


def tags_in(data: bytes) -> list[str]:
    """The marks of all writes in some bytes."""
    return [found.decode() for found in _TAG.findall(data)]


class Ending(enum.Enum):
    """What comes of a connection behind the last byte that a script lets through."""

    RESET = "it is reset"
    CLOSE = "the server closes it in good order"
    STALL = "nothing comes any more, and it stays open"


@attrs.define
class Script:
    """How the bytes of an answer arrive.

    Attributes:
        limit: so many of the bytes arrive; None for all.
        ending: what happens behind them.
        sizes: of the pieces in which they arrive; when there are no more, the rest comes in one piece.
        pause: seconds before each piece.
        insert: bytes that nobody sent, which arrive before everything else.
    """

    limit: int | None = None
    ending: Ending = Ending.RESET
    sizes: Iterator[int] = attrs.field(factory=lambda: iter(()))
    pause: float = 0.0
    insert: bytes = b""


class FaultyNetwork:
    """A connector; pass it to `open_client`.

    Attributes:
        sends: how often each marked write left the client, answers that say "not done, ask another node" taken off.
        dials: connections that were asked for, by address.
        refused: addresses that refuse.
        silent: addresses that do not even refuse: a connection to them comes about never.
        plugged: nothing that is sent leaves, as when no peer reads.
        script: applies to the next answer to a command, on whatever connection; taken by it.
        connections: the open ones.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self.sends: Counter[str] = Counter()
        self.dials: Counter[Address] = Counter()
        self.refused: set[Address] = set()
        self.silent: set[Address] = set()
        self.plugged = False
        self.script: Script | None = None
        self.connections: set[FaultyTransport] = set()

    async def __call__(self, host: str, port: int, tls_name: str | None) -> Transport:
        address = host, port
        self.dials[address] += 1
        if address in self.silent:
            await trio.sleep_forever()
        if address in self.refused:
            await trio.lowlevel.checkpoint()
            raise ConnectionRefusedError(f"{host}:{port} refuses by script")
        inner = await self._connector(host, port, tls_name)
        return FaultyTransport(self, inner, address)

    def swallow(self, address: Address) -> None:
        """From now on the address is a black hole, as a machine without power: connections stay, nothing passes."""
        self.silent.add(address)
        for connection in self.at(address):
            connection.swallow()

    def reset(self, address: Address) -> None:
        """Break all connections to the address."""
        for connection in self.at(address):
            connection.reset()

    def at(self, address: Address) -> list[FaultyTransport]:
        """The open connections to an address."""
        return [connection for connection in self.connections if connection.address == address]


class _Tap:
    """Listens to one connection: pairs its answers with its requests."""

    def __init__(self, sends: Counter[str]) -> None:
        self._sends = sends
        self._requests = FrameReader()
        self._answers = FrameReader()
        self._waiting: deque[tuple[bool, list[str]]] = deque()
        self._tail = b""
        self.commands = 0

    def sent(self, data: bytes) -> None:
        # Marks are looked for in the bytes themselves: a request that left in part counts.
        text = self._tail + data
        end = 0
        for found in _TAG.finditer(text):
            self._sends[found.group().decode()] += 1
            end = found.end()
        self._tail = text[end:][-48:]
        for kind, body in self._requests.feed(data):
            is_batch = kind == wire.PROTO_MESSAGE and bool(body[_INFO1] & wire.INFO1_BATCH)
            self._waiting.append((is_batch, tags_in(body)))
            self.commands += kind == wire.PROTO_MESSAGE

    def received(self, data: bytes) -> None:
        try:
            frames = self._answers.feed(data)
        except ProtocolError:
            return
        for kind, body in frames:
            if not self._waiting:
                return
            is_batch, tags = self._waiting[0]
            if is_batch and not body[_INFO3] & wire.INFO3_LAST:
                continue
            self._waiting.popleft()
            if kind == wire.PROTO_MESSAGE and body[_RESULT] == _PARTITION_UNAVAILABLE:
                self._sends.subtract(tags)


class FaultyTransport:
    """One connection, under the network's control."""

    def __init__(self, network: FaultyNetwork, inner: Transport, address: Address) -> None:
        self._network = network
        self._inner = inner
        self.address = address
        self._tap = _Tap(network.sends)
        self._script: Script | None = None
        self._received = b""
        self._swallowed = False
        self._broken = False
        self._receiving: trio.CancelScope | None = None
        network.connections.add(self)

    def __repr__(self) -> str:
        return f"<FaultyTransport to {self.address}, {self._tap.commands} commands sent>"

    @property
    def for_commands(self) -> bool:
        """Whether a command was sent over it."""
        return bool(self._tap.commands)

    def swallow(self) -> None:
        """Nothing passes any more, in either direction; sending seems to work."""
        self._swallowed = True
        self._interrupt()

    def reset(self) -> None:
        """Break it for the client; the bytes in flight to it are lost."""
        self._broken = True
        self._received = b""
        self._inner.close_now()
        self._interrupt()

    def interject(self, data: bytes) -> None:
        """Let the client receive bytes that nobody sent, now."""
        self._script = Script(insert=data)
        self._interrupt()

    def _interrupt(self) -> None:
        if self._receiving is not None:
            self._receiving.cancel()

    def _check(self) -> None:
        if self._broken:
            raise trio.BrokenResourceError("reset by script")

    def try_send(self, data: bytes, /) -> int:
        self._check()
        if self._network.plugged:
            return 0
        taken = len(data) if self._swallowed else self._inner.try_send(data)
        self._note_sent(bytes(data[:taken]))
        return taken

    async def send_all(self, data: bytes, /) -> None:
        view = memoryview(data)
        while view:
            self._check()
            taken = self.try_send(bytes(view))
            view = view[taken:]
            if view:
                await trio.sleep(0.001)
            else:
                await trio.lowlevel.checkpoint()

    def _note_sent(self, data: bytes) -> None:
        before = self._tap.commands
        self._tap.sent(data)
        if self._tap.commands > before and self._network.script is not None:
            self._script, self._network.script = self._network.script, None

    async def receive_some(self, max_bytes: int, /) -> bytes:
        while True:
            self._check()
            if self._swallowed:
                await trio.sleep_forever()
            script = self._script
            if script is not None and script.insert:
                data, script.insert = script.insert, b""
                return data
            if script is not None and script.limit == 0:
                return await self._end(script.ending)
            if not self._received:
                with trio.CancelScope() as self._receiving:
                    self._received = await self._inner.receive_some(max_bytes)
                    if not self._received:
                        return b""
                self._receiving = None
                continue  # the script may have come while this waited
            return await self._deliver(script, max_bytes)

    async def _deliver(self, script: Script | None, max_bytes: int) -> bytes:
        size = max_bytes
        if script is not None:
            size = min(size, next(script.sizes, size))
            if script.limit is not None:
                size = min(size, script.limit)
            if script.pause:
                await trio.sleep(script.pause)
        data, self._received = self._received[:size], self._received[size:]
        if script is not None and script.limit is not None:
            script.limit -= len(data)
        self._tap.received(data)
        return data

    async def _end(self, ending: Ending) -> bytes:
        if ending is Ending.STALL:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        if ending is Ending.CLOSE:
            return b""
        self.reset()
        raise trio.BrokenResourceError("reset by script")

    async def aclose(self) -> None:
        self._network.connections.discard(self)
        await self._inner.aclose()

    def close_now(self) -> None:
        self._network.connections.discard(self)
        self._inner.close_now()
