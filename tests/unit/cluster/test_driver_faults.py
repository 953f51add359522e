"""The same scripted faults over every driver: the requests end alike, and the connection is usable or not alike."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import attrs
import pytest

from tests.unit.cluster.drivers import DRIVERS, Driver, Outcome, PipelinedDriver
from tests.unit.wire.pipelined import message_frame, number_of
from trio_aerospike._wire.frames import compress_frame, encode_frame
from trio_aerospike._wire.info import encode_info_response

D = TypeVar("D", bound=Driver)
#: What a server does with one request, which it has read.
Action = Callable[[socket.socket, int], None]
#: Seconds for a request that is never answered, and for the others.
SHORT, LONG = 0.1, 10.0


class Server:
    """The other end of a connection: one action for each request that it reads, whole, unless told otherwise."""

    def __init__(self, sock: socket.socket, scenario: Scenario) -> None:
        self._sock = sock
        self._scenario = scenario
        self.idle = threading.Event()
        self.acted = threading.Event()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        with self._sock, contextlib.suppress(OSError):
            for action in self._scenario.actions:
                if self._scenario.reads:
                    action(self._sock, self._read())
            self.idle.wait()
            self._scenario.when_idle(self._sock)
            self.acted.set()
            self.over.wait()

    def _read(self) -> int:
        header = self._sock.recv(8, socket.MSG_WAITALL)
        body = self._sock.recv(int.from_bytes(header[2:8], "big"), socket.MSG_WAITALL)
        return number_of(body)


def send(*parts: Callable[[int], bytes]) -> Action:
    """Send parts one after the other; each is made of the request's number."""

    def act(sock: socket.socket, number: int) -> None:
        for part in parts:
            sock.sendall(part(number))

    return act


def cut_at(size: int) -> Action:
    """Answer in two parts."""
    return send(lambda number: message_frame(number)[:size], lambda number: message_frame(number)[size:])


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def then(first: Action, second: Callable[[socket.socket], None]) -> Action:
    def act(sock: socket.socket, number: int) -> None:
        first(sock, number)
        second(sock)

    return act


def byte_by_byte(sock: socket.socket, number: int) -> None:
    for byte in message_frame(number):
        sock.sendall(bytes((byte,)))


def silence(sock: socket.socket, number: int) -> None:
    """Answer nothing."""


def close(sock: socket.socket) -> None:
    sock.close()


def rest(sock: socket.socket) -> None:
    """Do nothing."""


answer = send(message_frame)
half = send(lambda number: message_frame(number)[:15])


@attrs.frozen
class Scenario:
    """What a server does with requests that come one at a time, and how they end.

    Attributes:
        actions: one for each request.
        ends: how each request ends.
        usable: whether the connection is usable after them.
        when_idle: done once they have ended.
        size: bytes by which requests are longer than they have to be.
        reads: whether the server reads anything.
    """

    actions: list[Action]
    ends: list[str]
    usable: bool
    when_idle: Callable[[socket.socket], None] = rest
    size: int = 0
    reads: bool = True


SCENARIOS = {
    "answered": Scenario([answer] * 3, ["answered"] * 3, True),
    "answered byte by byte": Scenario([byte_by_byte] * 2, ["answered"] * 2, True),
    "answered in parts": Scenario(
        [cut_at(size) for size in (1, 8, 9, 29)],
        ["answered"] * 4,
        True,
    ),
    "answered with a large frame": Scenario([send(lambda n: message_frame(n, 1 << 20))], ["answered"], True),
    "answered in a compressed frame": Scenario(
        [send(lambda n: compress_frame(message_frame(n, 500)))] * 2, ["answered"] * 2, True
    ),
    "large requests": Scenario([answer] * 2, ["answered"] * 2, True, size=8 << 20),
    "answered twice": Scenario([send(lambda n: message_frame(n) * 2)], ["protocol"], False),
    "a part of an answer too many": Scenario([send(lambda n: message_frame(n) + b"\x02")], ["answered"], False),
    "garbage behind an answer": Scenario([send(lambda n: message_frame(n) + b"HTTP/1.1 400")], ["answered"], False),
    "garbage": Scenario([send(lambda n: b"HTTP/1.1 400 Bad Request\r\n\r\n")], ["protocol"], False),
    "an impossible size": Scenario([send(lambda n: b"\x02\x03" + b"\xff" * 6)], ["protocol"], False),
    "another type of frame": Scenario([send(lambda n: encode_info_response({"a": "b"}))], ["protocol"], False),
    "shorter than a header": Scenario([send(lambda n: encode_frame(3, bytes(21)))], ["protocol"], False),
    "compressed garbage": Scenario([send(lambda n: encode_frame(4, b"no zlib" * 9))], ["protocol"], False),
    "closed instead of an answer": Scenario([answer, then(silence, close)], ["answered", "broken"], False),
    "closed within an answer": Scenario([answer, then(half, close)], ["answered", "broken"], False),
    "reset instead of an answer": Scenario([answer, then(silence, reset)], ["answered", "broken"], False),
    "silent": Scenario([answer, silence], ["answered", "timeout"], False),
    "silent within an answer": Scenario([half], ["timeout"], False),
    "a request that is not read": Scenario([silence], ["timeout"], False, size=32 << 20, reads=False),
    "closed while idle": Scenario([answer], ["answered"], False, when_idle=close),
    "reset while idle": Scenario([answer], ["answered"], False, when_idle=reset),
    "unsolicited answer while idle": Scenario(
        [answer], ["answered"], False, when_idle=lambda sock: sock.sendall(message_frame(666))
    ),
    "unsolicited byte while idle": Scenario(
        [answer], ["answered"], False, when_idle=lambda sock: sock.sendall(b"\x02")
    ),
}


@contextlib.contextmanager
def connected(kind: type[D], scenario: Scenario) -> Iterator[tuple[D, Server]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mine = socket.create_connection(listener.getsockname())
        theirs = listener.accept()[0]
    for sock in (mine, theirs):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    driver = kind(mine)
    server = Server(theirs, scenario)
    try:
        yield driver, server
    finally:
        server.idle.set()
        server.over.set()
        driver.close()
        server.thread.join()


@pytest.mark.parametrize("kind", DRIVERS.values(), ids=DRIVERS)
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_requests_end_alike_over_every_driver(kind: type[Driver], scenario: Scenario) -> None:
    with connected(kind, scenario) as (driver, server):
        for number, end in enumerate(scenario.ends):
            seconds = SHORT if end == "timeout" else LONG
            outcome = driver.exchange(message_frame(number, scenario.size), seconds)
            assert (outcome.what, outcome.sent) == (end, True)
            if end == "answered":
                assert number_of(outcome.body) == number
        server.idle.set()
        if scenario.ends[-1] == "answered":
            assert server.acted.wait(LONG)
        assert driver.usable == scenario.usable
        if not scenario.usable:
            # Nothing is sent on it any more, so that a write is in no doubt.
            assert driver.exchange(message_frame(99), LONG) == Outcome("refused", sent=False)


@pytest.mark.parametrize("kind", DRIVERS.values(), ids=DRIVERS)
def test_a_request_that_has_no_time_left_is_not_answered_with_the_answer_of_another(kind: type[Driver]) -> None:
    """The late answer of a request that timed out is never handed to the next one."""
    late = threading.Event()

    def answer_late(sock: socket.socket, number: int) -> None:
        late.wait()
        answer(sock, number)

    with connected(kind, Scenario([answer_late, answer], [], True)) as (driver, _):
        assert driver.exchange(message_frame(1), SHORT).what == "timeout"
        late.set()
        for number in range(2, 5):
            outcome = driver.exchange(message_frame(number), SHORT)
            if outcome.what == "answered":
                assert number_of(outcome.body) == number


# -- several requests in flight --------------------------------------------------------------------------------------


def after_all(count: int, last: Action) -> list[Action]:
    """Read that many requests, and then act once."""
    return [silence] * (count - 1) + [last]


def answers(*numbers: int) -> bytes:
    return b"".join(map(message_frame, numbers))


def send_in_pieces(data: bytes, size: int) -> Action:
    def act(sock: socket.socket, number: int) -> None:
        for start in range(0, len(data), size):
            sock.sendall(data[start : start + size])

    return act


def send_bytes(data: bytes) -> Action:
    return send_in_pieces(data, len(data))


PIPELINED = {
    "answered one by one": Scenario([answer] * 4, ["answered"] * 4, True),
    "answered in one burst": Scenario(after_all(4, send_bytes(answers(0, 1, 2, 3))), ["answered"] * 4, True),
    "answered byte by byte": Scenario(
        after_all(2, send_in_pieces(answers(0, 1), 1)),
        ["answered"] * 2,
        True,
    ),
    "answered with frames that end in the middle of a send": Scenario(
        after_all(3, send_in_pieces(answers(0, 1, 2), 40)),
        ["answered"] * 3,
        True,
    ),
    "large requests": Scenario([answer] * 3, ["answered"] * 3, True, size=4 << 20),
    "one answer too many in a burst": Scenario(after_all(2, send_bytes(answers(0, 1, 2))), ["protocol"] * 2, False),
    "garbage behind the first answer": Scenario(
        after_all(3, send_bytes(answers(0) + b"HTTP/1.1 400 Bad Request")), ["answered", "protocol", "protocol"], False
    ),
    "another type of frame for the second": Scenario(
        after_all(2, send_bytes(answers(0) + encode_info_response({"a": "b"}))), ["answered", "protocol"], False
    ),
    "closed behind the first answer": Scenario(
        after_all(3, then(send_bytes(answers(0)), close)), ["answered", "broken", "broken"], False
    ),
    "closed within the second answer": Scenario(
        after_all(3, then(send_bytes(answers(0, 1)[:45]), close)), ["answered", "broken", "broken"], False
    ),
    "silent behind the first answer": Scenario(
        after_all(3, send_bytes(answers(0))), ["answered", "timeout", "timeout"], False
    ),
    "silent": Scenario([silence] * 3, ["timeout"] * 3, False),
}

each_pipelined_driver = pytest.mark.parametrize(
    "kind",
    [
        DRIVERS["trio"],
        DRIVERS["asyncio"],
        pytest.param(DRIVERS["blocking"], marks=pytest.mark.skip("a thread has one request in flight")),
    ],
    ids=["trio", "asyncio", "blocking"],
)


@each_pipelined_driver
@pytest.mark.parametrize("scenario", PIPELINED.values(), ids=PIPELINED)
def test_requests_in_flight_end_alike_over_every_driver(kind: type[PipelinedDriver], scenario: Scenario) -> None:
    seconds = SHORT if "timeout" in scenario.ends else LONG
    frames = [message_frame(number, scenario.size) for number in range(len(scenario.ends))]
    with connected(kind, scenario) as (driver, _):
        outcomes = driver.exchange_all([(frame, seconds) for frame in frames], lambda position: None)
        assert [(outcome.what, outcome.sent) for outcome in outcomes] == [(end, True) for end in scenario.ends]
        for number, outcome in enumerate(outcomes):
            if outcome.what == "answered":
                assert number_of(outcome.body) == number
        assert driver.usable == scenario.usable
        if not scenario.usable:
            assert driver.exchange(message_frame(99), LONG) == Outcome("refused", sent=False)


@each_pipelined_driver
@pytest.mark.parametrize("late", range(3))
def test_the_late_answer_of_one_request_is_dropped_and_the_others_get_theirs(
    kind: type[PipelinedDriver], late: int
) -> None:
    timed_out = threading.Event()

    def answer_all(sock: socket.socket, number: int) -> None:
        assert timed_out.wait(LONG)
        sock.sendall(answers(0, 1, 2))

    def ended(position: int) -> None:
        if position == late:
            timed_out.set()

    with connected(kind, Scenario(after_all(3, answer_all), [], True)) as (driver, _):
        requests = [(message_frame(number), SHORT if number == late else LONG) for number in range(3)]
        outcomes = driver.exchange_all(requests, ended)
        assert [outcome.what for outcome in outcomes] == ["timeout" if n == late else "answered" for n in range(3)]
        assert [number_of(outcome.body) for outcome in outcomes if outcome.body] == [n for n in range(3) if n != late]
        assert driver.usable
