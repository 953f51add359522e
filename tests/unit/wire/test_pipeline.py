"""The request pipeline: one table of exchanges fed in every split, and what becomes of requests that end otherwise."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator

import attrs
import pytest

from tests.interrupting import Interrupter
from tests.unit.wire.pipelined import Request, message_frame, number_of, ttl_of
from trio_aerospike import __speedups__
from trio_aerospike._wire.constants import PROTO_INFO, PROTO_MESSAGE, TRANSACTION_TTL_NO_LIMIT
from trio_aerospike._wire.frames import compress_frame, encode_frame
from trio_aerospike._wire.info import encode_info_response
from trio_aerospike._wire.pipeline import ABANDONED_SECONDS, SEND_SIZE, RequestPipeline
from trio_aerospike.errors import ProtocolError

INFO = encode_info_response({"status": "ok"})
NO_ANSWER = encode_frame(PROTO_MESSAGE, bytes(21))


def until(number: int) -> Callable[[bytes], bool]:
    """An answer of several frames that ends with the one of that number."""
    return lambda body: number_of(body) == number


@attrs.frozen
class Exchange:
    """What a server sends, and what is to come of it.

    Attributes:
        requests: those that were sent.
        stream: the bytes of the server.
        completed: numbers of the requests that are completed however the stream is split.
        fault: words of the error, if the pipeline fails.
        held_back: numbers completed unless the whole stream comes in one burst.
    """

    requests: Callable[[], list[Request]]
    stream: bytes
    completed: list[int]
    fault: str = ""
    held_back: list[int] = attrs.Factory(list)


def singles(*numbers: int) -> Callable[[], list[Request]]:
    return lambda: [Request(number) for number in numbers]


EXCHANGES = {
    "one answer": Exchange(singles(1), message_frame(1), [1]),
    "three answers": Exchange(singles(1, 2, 3), message_frame(1) + message_frame(2) + message_frame(3), [1, 2, 3]),
    "fewer answers than requests": Exchange(singles(1, 2), message_frame(1), [1]),
    "an answer in parts": Exchange(singles(1), message_frame(1, 5000), [1]),
    "a compressed answer": Exchange(singles(1), compress_frame(message_frame(1, 5000)), [1]),
    "info and a message": Exchange(lambda: [Request(7, kind=PROTO_INFO), Request(2)], INFO + message_frame(2), [7, 2]),
    "an answer of three frames": Exchange(
        lambda: [Request(1, consume=until(3))], message_frame(1) + message_frame(2) + message_frame(3), [1]
    ),
    "an answer of two frames, then another": Exchange(
        lambda: [Request(1, consume=until(2)), Request(9)],
        message_frame(1) + message_frame(2) + message_frame(9),
        [1, 9],
    ),
    "one answer, then one of two frames": Exchange(
        lambda: [Request(1), Request(2, consume=until(3))],
        message_frame(1) + message_frame(2) + message_frame(3),
        [1, 2],
    ),
    "one answer too many": Exchange(
        singles(1), message_frame(1) + message_frame(2), [], "reply without a request", held_back=[1]
    ),
    "no request at all": Exchange(singles(), message_frame(1), [], "reply without a request: 1 answers to 0"),
    "a part of an answer too many": Exchange(singles(1), message_frame(1) + b"\x02", [1], "1 bytes after its last"),
    "a frame after an answer of several": Exchange(
        lambda: [Request(1, consume=until(2))],
        message_frame(1) + message_frame(2) + message_frame(3),
        [1],
        "reply without a request",
    ),
    "another type": Exchange(singles(1, 2), message_frame(1) + INFO, [1], "request of type 3 with type 1"),
    "a message in place of info": Exchange(
        lambda: [Request(1, kind=PROTO_INFO), Request(2)], message_frame(1), [], "request of type 1 with type 3"
    ),
    "shorter than a header": Exchange(singles(1, 2), message_frame(1) + NO_ANSWER, [1], "21 bytes, shorter than"),
    "another protocol": Exchange(singles(1, 2), message_frame(1) + b"HTTP/1.1 400 Bad", [1], "protocol version 2"),
    "an impossible size": Exchange(singles(1), b"\x02\x03" + b"\xff" * 6, [], "larger than"),
}

each_exchange = pytest.mark.parametrize("exchange", EXCHANGES.values(), ids=EXCHANGES)


def pipeline_with(requests: list[Request]) -> RequestPipeline[Request]:
    """A pipeline with requests that have been sent."""
    pipeline: RequestPipeline[Request] = RequestPipeline("A1")
    for request in requests:
        pipeline.submit(request)
    if requests:
        pipeline.bytes_sent(len(pipeline.data_to_send(0.0)))
    return pipeline


def feed(pipeline: RequestPipeline[Request], pieces: Iterator[bytes] | list[bytes]) -> list[int]:
    """Feed pieces until there is a fault; returns the numbers of the completed requests."""
    completed: list[int] = []
    for piece in pieces:
        if pipeline.error is None:
            completed += [request.number for request, _ in pipeline.receive_data(piece)]
    return completed


def check(exchange: Exchange, pipeline: RequestPipeline[Request], completed: list[int], *, burst: bool) -> None:
    assert completed == exchange.completed + ([] if burst else exchange.held_back)
    if exchange.fault:
        assert exchange.fault in str(pipeline.error) or not burst
        assert pipeline.error is not None
        for call in (lambda: pipeline.receive_data(b""), lambda: pipeline.submit(Request())):
            with pytest.raises(ProtocolError) as caught:
                call()
            assert caught.value is pipeline.error
        assert pipeline.data_to_send(0.0) == b""
    else:
        assert pipeline.error is None
    sent, unsent = pipeline.close()
    everything = [request.number for request in exchange.requests()]
    assert (completed + [request.number for request in sent], unsent) == (everything, [])


@each_exchange
def test_a_stream_that_comes_whole(exchange: Exchange) -> None:
    pipeline = pipeline_with(exchange.requests())
    check(exchange, pipeline, feed(pipeline, [exchange.stream]), burst=True)


@each_exchange
def test_a_stream_that_comes_byte_by_byte(exchange: Exchange) -> None:
    pipeline = pipeline_with(exchange.requests())
    pieces = [bytes((byte,)) for byte in exchange.stream]
    check(exchange, pipeline, feed(pipeline, pieces), burst=False)


@each_exchange
def test_a_stream_that_is_split_at_any_byte(exchange: Exchange) -> None:
    for split in range(0, len(exchange.stream), max(1, len(exchange.stream) // 200)):
        pipeline = pipeline_with(exchange.requests())
        completed = feed(pipeline, [exchange.stream[:split], exchange.stream[split:]])
        assert completed in (exchange.completed, exchange.completed + exchange.held_back)
        assert (pipeline.error is not None) == bool(exchange.fault)


@each_exchange
def test_a_stream_with_the_next_answer_behind_it(exchange: Exchange) -> None:
    if exchange.fault:
        return  # what stands behind a fault is not looked at, which the machine in test_pipeline_machine checks
    follower = message_frame(99)
    for length in (0, 1, 7, 8, 9, len(follower) - 1, len(follower)):
        pipeline = pipeline_with([*exchange.requests(), Request(98), Request(99)])
        late = [request.number for request in exchange.requests()]
        stream = (
            exchange.stream + b"".join(message_frame(n) for n in late[len(exchange.completed) :]) + message_frame(98)
        )
        assert feed(pipeline, [stream + follower[:length]])[: len(late) + 1] == [*late, 98]
        feed(pipeline, [follower[length:]])
        assert (pipeline.error, pipeline.depth) == (None, 0)


def test_the_body_of_each_answer_goes_to_the_request_that_owns_it() -> None:
    requests = [Request(number) for number in (4, 5)]
    pipeline = pipeline_with(requests)
    [(first, one), (second, two)] = pipeline.receive_data(message_frame(40) + message_frame(50))
    assert [first, second] == requests
    assert (number_of(one), number_of(two)) == (40, 50)


def test_the_rest_of_an_answer_that_looks_like_a_whole_one_is_its_rest() -> None:
    inner = message_frame(7)
    answer = encode_frame(PROTO_MESSAGE, message_frame(1)[8:] + inner)
    request, other = Request(1), Request(2)
    pipeline = pipeline_with([request, other])
    assert pipeline.receive_data(answer[: -len(inner)]) == []
    assert pipeline.receive_data(inner) == [(request, answer[8:])]
    assert list(pipeline.sent) == [other]


# -- sending ---------------------------------------------------------------------------------------------------------


def test_a_single_request_is_sent_as_it_is_and_several_in_one_piece() -> None:
    pipeline: RequestPipeline[Request] = RequestPipeline("A1")
    first, second, third = Request(1), Request(2), Request(3)
    pipeline.submit(first)
    assert not first.sent
    assert pipeline.data_to_send(5.0) is first.frame
    assert (first.sent, first.sent_at) == (True, 5.0)
    pipeline.submit(second)
    pipeline.submit(third)
    assert pipeline.data_to_send(6.0) == b""  # nothing is known yet of the first
    pipeline.bytes_sent(len(first.frame))
    assert pipeline.data_to_send(6.0) == second.frame + third.frame
    assert (pipeline.depth, pipeline.unsent_bytes) == (3, 0)


def test_a_send_is_continued_where_the_socket_stopped() -> None:
    pipeline: RequestPipeline[Request] = RequestPipeline("A1")
    requests = [Request(number) for number in range(3)]
    for request in requests:
        pipeline.submit(request)
    sent = b""
    sizes = [10, 0, 1, len(requests[0].frame), 0]
    while data := pipeline.data_to_send(0.0):
        size = sizes.pop(0) if sizes else len(data)
        sent += data[:size]
        pipeline.bytes_sent(size)
    assert sent == b"".join(request.frame for request in requests)


def test_a_send_of_which_nothing_left_puts_its_requests_in_no_doubt() -> None:
    requests = [Request(number) for number in range(4)]
    pipeline = pipeline_with(requests[:1])
    for request in requests[1:3]:
        pipeline.submit(request)
    assert pipeline.data_to_send(0.0)
    pipeline.submit(requests[3])
    pipeline.bytes_sent(0)
    assert [request.sent for request in requests] == [True, False, False, False]
    assert pipeline.take_unsent() == requests[1:]
    assert (pipeline.depth, pipeline.unsent_bytes, pipeline.data_to_send(0.0)) == (1, 0, b"")


def abandon_first(pipeline: RequestPipeline[Request]) -> None:
    pipeline.abandon(pipeline.sent[0], 0.0)


def receive(data: bytes) -> Callable[[RequestPipeline[Request]], object]:
    return lambda pipeline: pipeline.receive_data(data)


TOUCHED = {
    "answered": receive(message_frame(0)),
    "answered in part": receive(message_frame(0)[:9]),
    "begun to be answered": receive(message_frame(7)),
    "abandoned": abandon_first,
}


@pytest.mark.parametrize("touch", TOUCHED.values(), ids=TOUCHED)
def test_a_send_stays_under_way_once_one_of_its_requests_was_answered_or_abandoned(
    touch: Callable[[RequestPipeline[Request]], object],
) -> None:
    pipeline: RequestPipeline[Request] = RequestPipeline("A1")
    requests = [Request(0, consume=until(0)), Request(1)]
    for request in requests:
        pipeline.submit(request)
    data = pipeline.data_to_send(0.0)
    touch(pipeline)
    pipeline.bytes_sent(0)
    assert requests[1].sent
    assert pipeline.data_to_send(0.0) == data


@pytest.mark.parametrize("part", [message_frame(7), message_frame(0)[:9], message_frame(7) + b"\x02"])
def test_what_arrives_for_a_request_of_an_earlier_send_puts_those_of_the_next_in_no_doubt(part: bytes) -> None:
    first, second, third = requests = [Request(0, consume=until(0)), Request(1), Request(2)]
    pipeline = pipeline_with([first])
    for request in requests[1:]:
        pipeline.submit(request)
    assert pipeline.data_to_send(0.0)
    pipeline.receive_data(part)
    pipeline.bytes_sent(0)
    assert [request.sent for request in requests] == [True, False, False]
    assert pipeline.unsent_bytes == len(second.frame) + len(third.frame)
    assert pipeline.data_to_send(0.0) == second.frame + third.frame


def test_a_send_is_bounded_so_that_what_stands_behind_can_be_withdrawn() -> None:
    pipeline: RequestPipeline[Request] = RequestPipeline("A1")
    requests = [Request(number, size=SEND_SIZE // 2) for number in range(4)]
    for request in requests:
        pipeline.submit(request)
    assert len(pipeline.data_to_send(0.0)) < 2 * SEND_SIZE
    assert [request.sent for request in requests] == [True, True, False, False]
    pipeline.withdraw(requests[2])
    with pytest.raises(ValueError):
        pipeline.withdraw(requests[0])
    pipeline.bytes_sent(2 * len(requests[0].frame))
    assert pipeline.data_to_send(0.0) is requests[3].frame
    assert pipeline.unsent_bytes == 0


def test_a_request_that_fills_a_send_is_sent_alone() -> None:
    pipeline: RequestPipeline[Request] = RequestPipeline("A1")
    full, behind = Request(0, size=SEND_SIZE - len(message_frame(0))), Request(1)
    pipeline.submit(full)
    pipeline.submit(behind)
    assert pipeline.data_to_send(0.0) == full.frame
    assert (full.sent, behind.sent) == (True, False)


def test_what_waited_for_the_socket_carries_the_time_that_is_left() -> None:
    pipeline = pipeline_with([Request(0, deadline=10.0)])
    for number, deadline in ((1, 10.0), (2, math.inf), (3, 4.0)):
        pipeline.submit(Request(number, deadline=deadline))
    pipeline.blocked = True
    size = len(message_frame(0))
    data = pipeline.data_to_send(5.0)
    ttls = [ttl_of(data[start : start + size]) for start in range(0, len(data), size)]
    # No limit stays no limit; what is overdue says 1, since 0 would be the server's default.
    assert ttls == [5000, TRANSACTION_TTL_NO_LIMIT, 1]
    pipeline.bytes_sent(len(data))
    pipeline.submit(Request(4, deadline=10.0))
    assert ttl_of(pipeline.data_to_send(5.0)) == TRANSACTION_TTL_NO_LIMIT  # nothing has waited since


def test_a_request_that_is_no_message_has_no_time_to_restamp() -> None:
    pipeline: RequestPipeline[Request] = RequestPipeline("A1")
    request = Request(1, kind=PROTO_INFO, deadline=1.0)
    request.frame = INFO
    pipeline.submit(request)
    pipeline.blocked = True
    assert pipeline.data_to_send(5.0) == INFO


# -- requests that end otherwise -------------------------------------------------------------------------------------


@pytest.mark.parametrize("victim", range(3))
def test_the_answer_of_an_abandoned_request_is_dropped_and_its_neighbours_get_theirs(victim: int) -> None:
    requests = [Request(number) for number in range(3)]
    pipeline = pipeline_with(requests)
    pipeline.abandon(requests[victim], 1.0)
    assert pipeline.awaited and pipeline.depth == 3
    assert requests[victim].deadline == 1.0 + ABANDONED_SECONDS
    completed = pipeline.receive_data(b"".join(message_frame(number) for number in range(3)))
    assert [request for request, _ in completed] == requests
    assert [number for number, (_, body) in enumerate(completed) if body] == [n for n in range(3) if n != victim]


def test_a_tombstone_of_several_frames_ends_with_its_last_frame() -> None:
    requests = [Request(1, consume=until(3)), Request(4)]
    pipeline = pipeline_with(requests)
    assert pipeline.receive_data(message_frame(1)) == []
    pipeline.abandon(requests[0], 0.0)
    [(first, body), (second, four)] = pipeline.receive_data(b"".join(message_frame(n) for n in (2, 3, 4)))
    assert ([first, second], body, number_of(four)) == (requests, b"", 4)


@pytest.mark.parametrize("deadline", [1.0, 1.5, 1.0 + ABANDONED_SECONDS, 9.0, math.inf])
def test_an_abandoned_request_keeps_its_deadline_unless_that_is_late(deadline: float) -> None:
    request = Request(deadline=deadline)
    pipeline = pipeline_with([request])
    pipeline.abandon(request, 1.0)
    assert request.deadline == min(deadline, 1.0 + ABANDONED_SECONDS)
    assert not pipeline.awaited


def test_what_is_overdue_leaves_if_it_was_not_sent_and_becomes_a_tombstone_if_it_was() -> None:
    requests = [Request(number, deadline=deadline) for number, deadline in enumerate((3.0, 9.0, 4.0, 2.0, 8.0))]
    pipeline = pipeline_with(requests[:2])
    for request in requests[2:]:
        pipeline.submit(request)
    assert pipeline.expire(1.0) == ([], 2.0)
    overdue, due = pipeline.expire(5.0)
    assert (overdue, due) == ([requests[0], requests[2], requests[3]], 8.0)
    assert [request.abandoned for request in overdue] == [True, False, False]
    assert pipeline.take_unsent() == [requests[4]]
    assert pipeline.expire(6.0) == ([requests[0]], 9.0)
    [(late, body)] = pipeline.receive_data(message_frame(0))
    assert (late, body) == (requests[0], b"")
    assert pipeline.expire(6.0) == ([], 9.0)


def test_a_request_is_overdue_at_its_deadline() -> None:
    sent, unsent, later = Request(0, deadline=5.0), Request(1, deadline=5.0), Request(2, deadline=6.0)
    pipeline = pipeline_with([sent])
    pipeline.submit(unsent)
    pipeline.submit(later)
    assert pipeline.expire(5.0) == ([sent, unsent], 6.0)
    assert pipeline.expired == [sent, unsent]
    assert (list(pipeline.sent), list(pipeline.unsent)) == ([sent], [later])
    assert pipeline.unsent_bytes == len(later.frame)


def test_an_answer_of_several_frames_may_be_ended_by_its_owner() -> None:
    frames: list[bytes] = []

    def take(body: bytes) -> bool:
        frames.append(body)
        return False

    requests = [Request(1, consume=take), Request(2)]
    pipeline = pipeline_with(requests[:1])
    assert pipeline.receive_data(message_frame(5) + message_frame(6)) == []
    assert [number_of(body) for body in frames] == [5, 6]
    pipeline.complete(requests[0])
    assert (pipeline.depth, pipeline.error, requests[0].consume) == (0, None, None)
    pipeline.submit(requests[1])
    assert pipeline.data_to_send(0.0)
    pipeline.bytes_sent(0)
    assert not requests[1].sent  # the answer that was begun has ended
    pipeline.bytes_sent(len(pipeline.data_to_send(0.0)))
    assert [request for request, _ in pipeline.receive_data(message_frame(2))] == requests[1:]


def test_only_the_oldest_answer_of_several_frames_may_be_ended() -> None:
    requests = [Request(number, consume=lambda body: False) for number in range(2)]
    pipeline = pipeline_with(requests)
    with pytest.raises(AssertionError):
        pipeline.complete(requests[1])
    assert list(pipeline.sent) == requests


def test_what_stands_behind_an_answer_that_its_owner_has_ended_is_the_next_answer() -> None:
    first, second = Request(1, consume=lambda body: False), Request(2)
    pipeline = pipeline_with([first, second])
    assert pipeline.receive_data(message_frame(1) + message_frame(2)[:9]) == []
    pipeline.complete(first)
    assert pipeline.error is None
    assert [request for request, _ in pipeline.receive_data(message_frame(2)[9:])] == [second]


@pytest.mark.parametrize(("left_over", "partial"), [(1, b""), (0, b"\x02\x03")])
def test_what_stands_behind_an_answer_that_its_owner_has_ended_is_a_fault(left_over: int, partial: bytes) -> None:
    request = Request(1, consume=lambda body: False)
    pipeline = pipeline_with([request])
    pipeline.receive_data(message_frame(1) + partial)
    pipeline.complete(request, left_over)
    assert "reply without a request" in str(pipeline.error)


def test_the_end_of_a_connection_returns_what_is_in_doubt_and_what_is_not() -> None:
    requests = [Request(number, consume=until(9) if not number else None) for number in range(4)]
    pipeline = pipeline_with(requests[:2])
    for request in requests[2:]:
        pipeline.submit(request)
    pipeline.abandon(requests[1], 0.0)
    assert pipeline.close() == (requests[:2], requests[2:])
    assert requests[0].consume is None  # it may refer to the request
    assert (pipeline.depth, pipeline.unsent_bytes, pipeline.data_to_send(0.0)) == (0, 0, b"")
    with pytest.raises(ProtocolError, match="closed"):
        pipeline.submit(Request())
    with pytest.raises(ProtocolError, match="closed"):
        pipeline.receive_data(message_frame(0))


def test_a_closed_pipeline_keeps_the_first_error() -> None:
    ended = ProtocolError("ended by the test")
    pipeline = pipeline_with([Request(0)])
    pipeline.close(ended)
    pipeline.close(ProtocolError("later"))
    assert pipeline.error is ended
    failed = pipeline_with([Request(0)])
    failed.receive_data(NO_ANSWER)
    own = failed.error
    failed.close(ended)
    assert own is not None and failed.error is own


def submitted(*requests: Request, sent: int = 0) -> RequestPipeline[Request]:
    """A pipeline with requests, of which the first ones have been sent."""
    pipeline = pipeline_with(list(requests[:sent]))
    for request in requests[sent:]:
        pipeline.submit(request)
    return pipeline


def offered(*requests: Request) -> RequestPipeline[Request]:
    pipeline = submitted(*requests)
    pipeline.data_to_send(0.0)
    return pipeline


def blocked(*requests: Request) -> RequestPipeline[Request]:
    pipeline = submitted(*requests)
    pipeline.blocked = True
    return pipeline


def two() -> list[Request]:
    return [Request(0, deadline=5.0), Request(1, deadline=5.0)]


#: Calls that move requests, each with how its pipeline is made.
MOVES: dict[str, tuple[Callable[[], RequestPipeline[Request]], Callable[[RequestPipeline[Request]], object]]] = {
    "one is offered": (lambda: submitted(Request(0)), lambda pipeline: pipeline.data_to_send(0.0)),
    "two are offered": (lambda: submitted(*two()), lambda pipeline: pipeline.data_to_send(0.0)),
    "two are offered late": (lambda: blocked(*two()), lambda pipeline: pipeline.data_to_send(0.0)),
    "two are taken back": (lambda: offered(*two()), lambda pipeline: pipeline.bytes_sent(0)),
    "one is answered": (lambda: submitted(*two(), sent=2), receive(message_frame(0))),
    "two are answered": (lambda: submitted(*two(), sent=2), receive(message_frame(0) + message_frame(1))),
    "one is answered with two frames": (
        lambda: submitted(Request(0, consume=until(1)), sent=1),
        receive(message_frame(0) + message_frame(1)),
    ),
    "one of two expires": (
        lambda: submitted(*two(), Request(2, deadline=9.0), sent=1),
        lambda pipeline: pipeline.expire(5.0),
    ),
}


@pytest.mark.skipif(__speedups__, reason="an interrupt is handled between two bytecodes, and compiled code has none")
@pytest.mark.parametrize(("make", "move"), MOVES.values(), ids=MOVES)
def test_an_interrupt_anywhere_loses_no_request(
    make: Callable[[], RequestPipeline[Request]], move: Callable[[RequestPipeline[Request]], object]
) -> None:
    for step in itertools.count():
        pipeline = make()
        requests = {*pipeline.sent, *pipeline.unsent}
        with Interrupter(step, "_wire/pipeline.py") as interrupter:
            with contextlib.suppress(KeyboardInterrupt):
                move(pipeline)
        completed = {request for request, _ in pipeline.completed}
        assert {*pipeline.sent, *pipeline.unsent, *completed, *pipeline.expired} == requests, interrupter.place
        if interrupter.place is None:
            assert step > 10
            return


def test_it_shows_its_state() -> None:
    pipeline = pipeline_with([Request(1), Request(2)])
    pipeline.submit(Request(3))
    assert repr(pipeline) == "<RequestPipeline A1 sound, 2 sent, 1 unsent>"
    pipeline.receive_data(NO_ANSWER)
    assert "failed: A1 sent a message of 21 bytes" in repr(pipeline)


def test_all_that_waited_for_the_socket_get_their_remaining_time() -> None:
    requests = [Request(number, deadline=1.0, size=70_000) for number in range(6)]
    pipeline: RequestPipeline[Request] = RequestPipeline("A1")
    pipeline.submit(requests[0])
    pipeline.data_to_send(0.0)
    pipeline.bytes_sent(1000)
    pipeline.blocked = True
    for request in requests[1:]:
        pipeline.submit(request)
    while data := pipeline.data_to_send(0.8):
        pipeline.bytes_sent(len(data))
    assert [ttl_of(request.frame) for request in requests[1:]] == [199] * 5
    assert not pipeline.blocked


@pytest.mark.parametrize("before", [0, 1])
def test_a_request_of_which_only_a_part_was_sent_is_owed_no_answer(before: int) -> None:
    pipeline: RequestPipeline[Request] = RequestPipeline("A1")
    for number in range(before):
        pipeline.submit(Request(number))
        pipeline.bytes_sent(len(pipeline.data_to_send(0.0)))
    pipeline.submit(Request(before, size=5000))
    pipeline.data_to_send(0.0)
    pipeline.bytes_sent(10)
    answers = [message_frame(number) for number in range(before + 1)]
    completed = [pair for answer in answers for pair in pipeline.receive_data(answer)]
    assert [request.number for request, _ in completed] == list(range(before))
    assert pipeline.error is not None and len(pipeline.sent) == 1
