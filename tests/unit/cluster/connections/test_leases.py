"""Connections leased to threads: exchanges in pieces, deadlines, and which thread holds which."""

from __future__ import annotations

import contextlib
import errno
import gc
import math
import os
import random
import socket
import struct
import threading
import time
import weakref

import pytest

from tests.timing import Stopwatch, stopwatch
from trio_aerospike import ProtocolError
from trio_aerospike._cluster.connections.blocking_connection import BlockingConnection, _Request
from trio_aerospike._cluster.connections.leases import ConnectionLeases
from trio_aerospike._wire.constants import PROTO_INFO, PROTO_MESSAGE
from trio_aerospike._wire.frames import compress_frame, encode_frame
from trio_aerospike._wire.messages import Message, encode_message

BODY = encode_message(Message(generation=7)) + b"the rest of it"
ANSWER = encode_frame(PROTO_MESSAGE, BODY)
REQUEST = encode_frame(PROTO_MESSAGE, encode_message(Message(info1=3)))


class ScriptedSocket:
    """Receives what it is told, piece by piece; an exception among the pieces is raised."""

    def __init__(self, *pieces: bytes | Exception, sends: tuple[int | Exception, ...] = ()) -> None:
        self._pieces = list(pieces)
        self._sends = list(sends)
        self.sent = b""

    def setblocking(self, flag: bool) -> None: ...

    def setsockopt(self, *args: object) -> None: ...

    def shutdown(self, how: int) -> None: ...

    def close(self) -> None: ...

    def send(self, data: bytes) -> int:
        step = self._sends.pop(0) if self._sends else len(data)
        if isinstance(step, Exception):
            raise step
        self.sent += bytes(data[:step])
        return min(step, len(data))

    def recv(self, size: int, flags: int = 0) -> bytes:
        piece = self._pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece


def exchanged(*pieces: bytes | Exception, seconds: float = 5.0, sends: tuple[int | Exception, ...] = ()) -> bytes:
    sock = ScriptedSocket(*pieces, sends=sends)
    body = BlockingConnection(sock).exchange(REQUEST, time.monotonic() + seconds)  # type: ignore[arg-type]
    assert sock.sent == REQUEST
    return body


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        mine = socket.create_connection(server.getsockname())
        return mine, server.accept()[0]


@pytest.fixture
def pair():
    mine, theirs = tcp_pair()
    with mine, theirs:
        yield mine, theirs


class Returns:
    """Counts what a leases tells."""

    def __init__(self) -> None:
        self.count = 0
        self.leases = ConnectionLeases(self.returned)
        self.peers: list[socket.socket] = []

    def returned(self) -> None:
        self.count += 1

    def admit(self) -> None:
        mine, theirs = tcp_pair()
        self.leases.admit(mine)
        self.peers.append(theirs)


@pytest.fixture
def returns():
    returns = Returns()
    yield returns
    returns.leases.close()
    for peer in returns.peers:
        peer.close()


# -- an exchange -------------------------------------------------------------------------------------------------------


def test_an_answer_in_one_piece_in_two_and_byte_by_byte():
    assert exchanged(ANSWER) == BODY
    for cut in range(1, len(ANSWER)):
        assert exchanged(ANSWER[:cut], ANSWER[cut:]) == BODY
    assert exchanged(*(bytes([byte]) for byte in ANSWER)) == BODY


def test_an_answer_that_is_packed_is_unpacked_in_any_pieces():
    packed = compress_frame(ANSWER)
    for cut in range(1, len(packed)):
        assert exchanged(packed[:cut], packed[cut:]) == BODY
    assert exchanged(packed) == BODY


@pytest.mark.parametrize("size", [65535, 65536, 65537, 1 << 20])
def test_an_answer_larger_than_one_receive(pair, size):
    mine, theirs = pair
    body = BODY[:22] + random.Random(size).randbytes(size - 30)
    frame = encode_frame(PROTO_MESSAGE, body)
    thread = threading.Thread(target=theirs.sendall, args=(frame,))
    thread.start()
    assert BlockingConnection(mine).exchange(REQUEST, time.monotonic() + 5) == body
    thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3,
        b"\x02\x03" + (1 << 40).to_bytes(6, "big"),
        encode_frame(PROTO_MESSAGE, b""),
        encode_frame(PROTO_MESSAGE, BODY[:21]),
        encode_frame(PROTO_INFO, b"node\tA1\n" * 4),
        compress_frame(encode_frame(PROTO_INFO, b"node\tA1\n" * 4)),
        encode_frame(4, b"no zlib" * 9),
        ANSWER + ANSWER,
    ],
    ids=[
        "other",
        "huge",
        "empty",
        "short",
        "info",
        "packed-info",
        "not-packed",
        "two",
    ],
)
def test_what_is_no_answer_is_a_protocol_error_in_any_pieces(answer):
    with pytest.raises(ProtocolError):
        exchanged(answer)
    for cut in range(1, min(len(answer), 60)):
        if not answer[:cut].startswith(ANSWER):  # what follows a whole answer makes the connection unusable: see below
            with pytest.raises(ProtocolError):
                exchanged(answer[:cut], answer[cut:])


@pytest.mark.parametrize("more", [b"\x02", ANSWER[:20], b"garbage that follows"], ids=["byte", "part", "garbage"])
def test_what_follows_an_answer_in_one_burst_makes_the_connection_unusable(more):
    connection = BlockingConnection(ScriptedSocket(ANSWER + more))  # type: ignore[arg-type]
    assert connection.exchange(REQUEST, time.monotonic() + 5) == BODY
    assert not connection.fresh()
    with pytest.raises(ProtocolError):
        connection.exchange(REQUEST, time.monotonic() + 5)


def test_a_connection_that_owes_an_answer_is_not_fresh(pair):
    connection = BlockingConnection(pair[0])
    assert connection.fresh()
    with pytest.raises(TimeoutError):
        connection.exchange(REQUEST, time.monotonic() + 0.01)
    assert not connection.fresh()


def test_an_idle_connection_keeps_neither_the_request_nor_the_answer():
    connection = BlockingConnection(ScriptedSocket(ANSWER))  # type: ignore[arg-type]
    body = connection.exchange(REQUEST, time.monotonic() + 5)
    assert not [held for held in gc.get_referrers(body) if isinstance(held, list | tuple | _Request)]
    assert connection._request.frame == b""


def test_an_answer_that_is_cut_off_is_a_broken_connection():
    for cut in range(len(ANSWER)):
        with pytest.raises(ConnectionResetError):
            exchanged(*([ANSWER[:cut]] if cut else []), b"")


def test_a_wait_that_the_kernel_ends_early_goes_on():
    assert exchanged(BlockingIOError(), ANSWER[:9], BlockingIOError(), BlockingIOError(), ANSWER[9:]) == BODY
    assert exchanged(ANSWER, sends=(BlockingIOError(), 10, BlockingIOError(), 1)) == BODY


def test_the_kernels_own_timeout_is_a_broken_connection_and_not_the_end_of_the_requests_time():
    gone = TimeoutError(errno.ETIMEDOUT, "Connection timed out")
    with pytest.raises(ConnectionError, match="timed out"):
        exchanged(gone)
    with pytest.raises(ConnectionError, match="timed out"):
        exchanged(ANSWER[:5], gone)


def test_without_a_deadline_the_wait_goes_on_after_the_longest_timeout():
    assert exchanged(BlockingIOError(), BlockingIOError(), ANSWER, seconds=math.inf) == BODY


def test_the_socket_timeout_of_the_kernel_is_set_only_when_it_changes(pair):
    mine, theirs = pair
    link = BlockingConnection(mine)
    theirs.sendall(ANSWER)
    link.exchange(REQUEST, time.monotonic() + 30)
    seconds, microseconds = struct.unpack("@ll", mine.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16))
    assert 29 <= seconds + microseconds / 1e6 <= 30.1
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 77, 0))
    theirs.sendall(ANSWER)
    link.exchange(REQUEST, time.monotonic() + 30)
    assert struct.unpack("@ll", mine.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16))[0] == 77
    theirs.sendall(ANSWER)
    link.exchange(REQUEST, time.monotonic() + 20)
    assert struct.unpack("@ll", mine.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16))[0] < 21


def test_every_timeout_is_one_that_the_kernel_takes(pair):
    link = BlockingConnection(pair[0])
    for seconds in (0.0001, 0.99999999, 1.0, 1.9999999999, 5.0, 3599.9999999, 3600.0, 1e9, math.inf):
        link._least = math.nan
        link._limit(time.monotonic() + seconds)
    for power in range(-20, 30):
        for nudge in (-1e-6, -1e-9, 0, 1e-9, 1e-6):
            link._least = math.nan
            with contextlib.suppress(TimeoutError):
                link._limit(time.monotonic() + 2.0**power + nudge)


# -- against the clock -------------------------------------------------------------------------------------------------


def timed_out(sock: socket.socket, seconds: float, frame: bytes = REQUEST) -> Stopwatch:
    with stopwatch() as took, pytest.raises(TimeoutError) as caught:
        BlockingConnection(sock).exchange(frame, time.monotonic() + seconds)
    assert caught.value.errno is None
    return took


def test_silence_ends_at_the_deadline(pair):
    assert timed_out(pair[0], 0.2).within(0.2, 0.3)


def test_an_answer_that_trickles_ends_at_the_deadline(pair):
    mine, theirs = pair
    stop = threading.Event()

    def trickle() -> None:
        for byte in ANSWER:
            if stop.wait(0.03):
                return
            theirs.send(bytes([byte]))

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        assert timed_out(mine, 0.2).within(0.2, 0.3)
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("reads", [False, True], ids=["reads nothing", "reads slowly"])
def test_a_request_that_is_not_taken_ends_at_the_deadline(pair, reads):
    mine, theirs = pair
    stop = threading.Event()

    def read_slowly() -> None:
        theirs.setblocking(False)
        while not stop.wait(0.03):
            with contextlib.suppress(BlockingIOError):
                theirs.recv(100_000)

    thread = threading.Thread(target=read_slowly if reads else stop.wait)
    thread.start()
    try:
        assert timed_out(mine, 0.2, encode_frame(PROTO_MESSAGE, bytes(16 << 20))).within(0.2, 0.32)
    finally:
        stop.set()
        thread.join()


def test_time_spent_on_sending_is_not_given_again_for_the_answer(pair):
    mine, theirs = pair
    size = 4 << 20

    def read_late() -> None:
        time.sleep(0.12)
        left = size + 8
        while left:
            left -= len(theirs.recv(left))

    thread = threading.Thread(target=read_late)
    thread.start()
    assert timed_out(mine, 0.2, encode_frame(PROTO_MESSAGE, bytes(size))).within(0.2, 0.3)
    thread.join()


def test_no_time_at_all_sends_nothing(pair):
    mine, theirs = pair
    assert timed_out(mine, 0.0).within(0.0, 0.05)
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(1)


@pytest.mark.parametrize(
    "sends, answers, seconds, sent",
    [
        ((BrokenPipeError(),), (), 5.0, False),
        ((BlockingIOError(), BrokenPipeError()), (), 5.0, False),
        ((), (), 0.0, False),
        ((1, BrokenPipeError()), (), 5.0, True),
        ((), (ConnectionResetError(),), 5.0, True),
        ((), (b"",), 5.0, True),
    ],
)
def test_it_is_known_whether_anything_of_a_request_has_left(sends, answers, seconds, sent):
    link = BlockingConnection(ScriptedSocket(*answers, sends=sends))  # type: ignore[arg-type]
    with pytest.raises(OSError):
        link.exchange(REQUEST, time.monotonic() + seconds)
    assert link.sent == sent


# -- at rest -----------------------------------------------------------------------------------------------------------


def test_a_rested_connection_is_fresh_until_its_server_closes_it_or_speaks(pair):
    mine, theirs = pair
    link = BlockingConnection(mine)
    assert link.fresh()
    theirs.send(b"x")
    assert not link.fresh()
    mine.recv(1)
    assert link.fresh()
    theirs.close()
    assert not link.fresh()
    mine.close()
    assert not link.fresh()


def test_the_one_that_rested_last_is_borrowed_first(returns):
    for _ in range(3):
        returns.admit()
    leases = returns.leases
    first, second = leases.borrow(), leases.borrow()
    leases.give_back(first)
    assert leases.borrow() is first
    assert second is not first and leases.lent == 3


def test_one_that_its_server_has_closed_is_passed_over(returns):
    returns.admit()
    returns.admit()
    returns.peers[1].close()
    taken = returns.leases.borrow()
    assert taken is not None and returns.leases.borrow() is None
    assert returns.leases.lent == returns.count == 1


def test_a_frame_left_over_at_once_after_the_answer_is_not_the_next_answer(returns):
    returns.admit()
    link = returns.leases.borrow()
    peer = returns.peers[0]
    peer.sendall(ANSWER)
    assert link.exchange(REQUEST, time.monotonic() + 5.0) == BODY
    returns.leases.give_back(link)
    peer.sendall(encode_frame(PROTO_MESSAGE, encode_message(Message(generation=8))))
    assert returns.leases.borrow() is None
    assert returns.leases.lent == 0 and returns.count == 1


def test_discarding_twice_counts_once(returns):
    returns.admit()
    link = returns.leases.borrow()
    returns.leases.discard(link)
    returns.leases.discard(link)
    assert returns.count == 1 and returns.leases.lent == 0
    assert returns.peers[0].recv(1) == b""


def test_one_that_its_borrower_has_lost_is_closed_and_counted(returns):
    returns.admit()
    link = returns.leases.borrow()
    watch = weakref.ref(link)
    del link
    gc.collect()
    assert watch() is None
    assert returns.count == 1 and returns.leases.lent == 0
    assert returns.peers[0].recv(1) == b""


def test_idle_ones_are_reaped_and_only_these(returns):
    for _ in range(3):
        returns.admit()
    leases = returns.leases
    old = leases._resting[0]
    old.rested_since -= 60.0
    leases.reap(55.0)
    assert leases.lent == 2 and old not in leases._resting
    taken = leases.borrow()
    leases.reap(0.0)
    assert leases.lent == 1
    leases.give_back(taken)
    assert leases.borrow() is taken


def test_wanted_back_means_that_nothing_rests_until_that_is_over(returns):
    for _ in range(3):
        returns.admit()
    leases = returns.leases
    taken = leases.borrow()
    leases.recall()
    assert leases.lent == 1 and leases.borrow() is None
    leases.give_back(taken)
    assert leases.lent == 0 and returns.count == 3
    leases.resume()
    returns.admit()
    assert leases.borrow() is not None


def waiting(
    leases: ConnectionLeases, link: BlockingConnection, seconds: float = math.inf
) -> tuple[threading.Thread, list[BaseException]]:
    """A thread that waits for an answer."""
    caught: list[BaseException] = []

    def exchange() -> None:
        try:
            link.exchange(REQUEST, time.monotonic() + seconds)
        except BaseException as error:
            caught.append(error)
            leases.discard(link)

    thread = threading.Thread(target=exchange)
    thread.start()
    return thread, caught


def test_closing_wakes_waiting_threads_and_takes_back_all_leases(returns):
    returns.admit()
    returns.admit()
    leases = returns.leases
    thread, caught = waiting(leases, leases.borrow())
    assert returns.peers[1].recv(100) == REQUEST
    leases.close()
    thread.join(5)
    assert isinstance(caught[0], ConnectionResetError)
    assert leases.lent == 0 and returns.count == 2
    assert "closed" in repr(leases)
    returns.admit()
    leases.resume()
    assert leases.borrow() is None and leases.lent == 0


def test_what_is_long_overdue_is_ended_from_outside(returns):
    returns.admit()
    leases = returns.leases
    link = leases.borrow()
    thread, caught = waiting(leases, link, 60.0)
    assert returns.peers[0].recv(100) == REQUEST
    leases.reap(55.0)
    assert thread.is_alive() and not caught
    link.until = time.monotonic() - 1.0
    leases.reap(55.0)
    thread.join(5)
    assert isinstance(caught[0], ConnectionResetError) and leases.lent == 0


class Told:
    """A holder that writes down what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.oldest = 0.0

    def close_if_idle_since(self, oldest: float) -> None:
        self.words.append("idle?")
        self.oldest = oldest

    def give_back(self) -> None:
        self.words.append("back")

    def close(self) -> None:
        self.words.append("close")


def test_what_a_loop_holds_is_told_to_close_and_never_cut_off(returns):
    returns.admit()
    returns.admit()
    leases = returns.leases
    link = leases.borrow()
    told = Told()
    leases.hold(link, told)
    leases.reap(55.0)
    assert time.monotonic() - 56.0 < told.oldest <= time.monotonic() - 55.0
    leases.recall()
    leases.close()
    assert told.words == ["idle?", "back", "close"]
    assert leases.lent == 1
    returns.peers[1].send(b"x")
    assert link.for_loop().recv(1) == b"x"
    leases.discard(link)
    assert leases.lent == 0 and not leases._held


@pytest.mark.parametrize(("then", "word"), [("close", "close"), ("recall", "back")])
def test_a_loop_that_takes_one_that_is_wanted_back_is_told_at_once(returns, then, word):
    returns.admit()
    link = returns.leases.borrow()
    getattr(returns.leases, then)()
    told = Told()
    returns.leases.hold(link, told)
    assert told.words == [word]
    returns.leases.discard(link)


def test_a_forked_child_has_nothing_left_and_the_parent_everything(returns):
    for _ in range(3):
        returns.admit()
    leases = returns.leases
    taken = leases.borrow()
    with leases._closing:  # as if another thread had it
        child = os.fork()
        if not child:
            try:
                assert leases.lent == 0 and leases.borrow() is None and taken._sock.fileno() == -1
                os._exit(0)
            finally:
                os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert leases.lent == 3 and returns.count == 0
    returns.peers[2].sendall(ANSWER)
    assert taken.exchange(REQUEST, time.monotonic() + 5) == BODY  # the child's end said nothing to the server


def test_no_two_threads_ever_have_the_same_connection(returns):
    """Threads borrow, use, give back, lose and discard at random, while others reap, recall and resume."""
    leases = returns.leases
    errors: list[BaseException] = []
    over = time.monotonic() + 1.0
    in_use: set[int] = set()

    def use(seed: int) -> None:
        choice = random.Random(seed)
        try:
            while time.monotonic() < over:
                link = leases.borrow()
                if link is None:
                    mine, theirs = socket.socketpair()
                    theirs.close()
                    leases.admit(mine)
                    continue
                assert id(link) not in in_use
                in_use.add(id(link))
                if choice.random() < 0.2:
                    time.sleep(0)
                in_use.discard(id(link))
                step = choice.random()
                if step < 0.9:
                    leases.give_back(link)
                elif step < 0.95:
                    leases.discard(link)
                del link
        except BaseException as error:
            errors.append(error)

    def manage() -> None:
        try:
            while time.monotonic() < over:
                leases.reap(random.choice((0.0, 0.0001, 1.0)))
                leases.recall()
                leases.resume()
                time.sleep(0.0005)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(6)]
    threads += [threading.Thread(target=manage) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    gc.collect()
    leases.resume()
    assert leases.lent == len(leases._resting)
    leases.close()
    assert leases.lent == 0
