"""The request pipeline against a model: random calls in any order, bytes in any pieces, and faults."""

from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.wire.pipelined import Request, message_frame, number_of, ttl_of
from trio_aerospike._wire.constants import PROTO_MESSAGE, TRANSACTION_TTL_NO_LIMIT
from trio_aerospike._wire.frames import encode_frame
from trio_aerospike._wire.info import encode_info_response
from trio_aerospike._wire.pipeline import ABANDONED_SECONDS, SEND_SIZE, RequestPipeline

TOO_SHORT = encode_frame(PROTO_MESSAGE, bytes(21))
#: What a server may send that is no answer, whatever is owed.
GARBAGE = (b"HTTP/1.1 400 Bad Request", b"\x02\x03" + b"\xff" * 6, TOO_SHORT)


class Server:
    """Reads requests as the bytes arrive, and knows what it owes."""

    def __init__(self) -> None:
        self._received = b""
        self.numbers: list[int] = []

    def receive(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= 8:
            size = 8 + int.from_bytes(self._received[2:8], "big")
            if len(self._received) < size:
                break
            self.numbers.append(number_of(self._received[8:size]))
            self._received = self._received[size:]


class PipelineMachine(RuleBasedStateMachine):
    """The model: three lists of requests, the bytes that were offered, and the bytes in flight in each direction."""

    @initialize()
    def start(self) -> None:
        self.pipeline: RequestPipeline[Request] = RequestPipeline("A1")
        self.server = Server()
        self.now = 0.0
        self.submitted: list[Request] = []
        #: How many frames the answer to each has, by number.
        self.frames: list[int] = []
        #: Requests whose ttl was set anew.
        self.restamped: set[Request] = set()
        self.unsent: list[Request] = []
        self.sent: list[Request] = []
        self.done: list[Request] = []
        self.offered: bytes | None = None
        self.fresh: list[Request] = []
        #: Bytes from the server that the client has not received.
        self.incoming = b""
        self.rest = b""
        self.restamps = False

    @property
    def may_fail(self) -> bool:
        """Whether enough has happened before, for a fault is the end."""
        return self.sound and len(self.submitted) >= 12

    # -- what a driver does --------------------------------------------------------------------------------------------

    @property
    def sound(self) -> bool:
        return self.pipeline.error is None

    @precondition(lambda self: self.sound)
    @rule(
        seconds=st.sampled_from([0.5, 3.0, math.inf]),
        size=st.sampled_from([0, 0, 0, 10, SEND_SIZE // 2, SEND_SIZE + 1]),
        answers=st.lists(st.sampled_from([1, 1, 1, 2, 3]), min_size=1, max_size=5),
    )
    def submit(self, seconds: float, size: int, answers: list[int]) -> None:
        for frames in answers:
            request = Request(len(self.submitted), deadline=self.now + seconds, size=size)
            if frames > 1:
                request.consume = self.countdown(frames)
            self.frames.append(frames)
            self.pipeline.submit(request)
            self.submitted.append(request)
            self.unsent.append(request)

    @staticmethod
    def countdown(frames: int) -> Callable[[bytes], bool]:
        def consume(body: bytes) -> bool:
            nonlocal frames
            frames -= 1
            return not frames

        return consume

    @precondition(lambda self: self.offered is None and (self.unsent or self.rest))
    @rule()
    def offer(self) -> None:
        before = list(self.unsent)
        data = self.pipeline.data_to_send(self.now)
        if not self.sound:
            assert data == b""
            return
        self.fresh = []
        if self.rest:
            assert data == self.rest
        else:
            expected: list[bytes] = []
            while self.unsent and sum(map(len, expected)) < SEND_SIZE:
                request = self.unsent.pop(0)
                if self.restamps and request.deadline < math.inf:
                    assert ttl_of(request.frame) == max(1, int((request.deadline - self.now) * 1000))
                    self.restamped.add(request)
                elif request not in self.restamped:
                    assert ttl_of(request.frame) == TRANSACTION_TTL_NO_LIMIT
                assert request.sent and request.sent_at == self.now
                expected.append(request.frame)
                self.sent.append(request)
                self.fresh.append(request)
            assert data == b"".join(expected)
            if len(expected) == 1:
                assert data is expected[0]
            if expected:
                self.restamps = self.restamps and bool(self.unsent)
            assert before == self.fresh + self.unsent
        self.offered = data or None
        assert self.pipeline.data_to_send(self.now) == b""

    @precondition(lambda self: self.offered is not None)
    @rule(part=st.sampled_from([0.0, 0.0, 0.1, 0.5, 0.99, 1.0, 1.0]))
    def take_bytes(self, part: float) -> None:
        assert self.offered is not None
        count = int(len(self.offered) * part)
        self.pipeline.bytes_sent(count)
        self.server.receive(self.offered[:count])
        untouched = self.fresh and self.sent[-len(self.fresh) :] == self.fresh
        if not count and untouched and not any(request.abandoned for request in self.fresh):
            del self.sent[-len(self.fresh) :]
            self.unsent[:0] = self.fresh
            assert not any(request.sent for request in self.fresh)
            self.rest = b""
        else:
            self.rest = self.offered[count:]
        self.offered = None

    @precondition(lambda self: self.offered is None and (self.unsent or self.rest))
    @rule(part=st.sampled_from([0.5, 1.0, 1.0]))
    def offer_and_take(self, part: float) -> None:
        """As a driver does without a pause in between."""
        self.offer()
        if self.offered is not None:
            self.take_bytes(part)

    @rule()
    def wait_for_the_socket(self) -> None:
        self.pipeline.blocked = True
        self.restamps = True

    @precondition(lambda self: self.unsent)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.unsent))
        self.pipeline.withdraw(request)
        self.unsent.remove(request)
        self.done.append(request)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.sent))
        deadline = request.deadline
        self.pipeline.abandon(request, self.now)
        assert request.abandoned
        assert request.deadline == min(deadline, self.now + ABANDONED_SECONDS)

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0]))
    def expire(self, seconds: float) -> None:
        self.now += seconds
        overdue, due = self.pipeline.expire(self.now)
        assert overdue == [request for request in self.sent + self.unsent if request.deadline <= self.now]
        assert all(request.abandoned for request in overdue if request.sent)
        late = [request for request in self.unsent if request.deadline <= self.now]
        self.unsent = [request for request in self.unsent if request not in late]
        self.done += late
        assert due == min((r.deadline for r in self.sent + self.unsent if r.deadline > self.now), default=math.inf)

    @precondition(lambda self: self.unsent)
    @rule()
    def take_unsent(self) -> None:
        assert self.pipeline.take_unsent() == self.unsent
        self.done += self.unsent
        self.unsent = []

    # -- what a server does --------------------------------------------------------------------------------------------

    @precondition(lambda self: self.server.numbers and self.sound)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, len(self.server.numbers)))
        numbers, self.server.numbers = self.server.numbers[:count], self.server.numbers[count:]
        for number in numbers:
            self.incoming += message_frame(number) * self.frames[number]

    @precondition(lambda self: self.incoming and self.sound)
    @rule(part=st.sampled_from([0.01, 0.3, 0.6, 1.0, 1.0, 1.0]))
    def receive(self, part: float) -> None:
        size = max(1, int(len(self.incoming) * part))
        data, self.incoming = self.incoming[:size], self.incoming[size:]
        self.hand_over(data)

    @precondition(lambda self: self.server.numbers and self.sound)
    @rule(cut=st.integers(0, 100), data=st.data())
    def answer_and_receive(self, cut: int, data: st.DataObject) -> None:
        """In two pieces, as often as not one."""
        self.answer(data)
        stream, self.incoming = self.incoming, b""
        for piece in (stream[:cut], stream[cut:]):
            self.hand_over(piece)

    def hand_over(self, data: bytes) -> None:
        for request, body in self.pipeline.receive_data(data):
            assert request is self.sent.pop(0)
            assert request.consume is None
            assert (number_of(body) == request.number) if not request.abandoned else body == b""
            self.done.append(request)
        assert self.sound, self.pipeline.error

    @precondition(lambda self: self.may_fail and not self.incoming and self.pipeline.partial_bytes == 0)
    @rule(garbage=st.sampled_from(GARBAGE), behind=st.sampled_from([b"", message_frame(7)]))
    def send_garbage(self, garbage: bytes, behind: bytes) -> None:
        if garbage == TOO_SHORT and self.sent and self.sent[0].consume is not None:
            return  # a frame of an answer of several, which its owner has to decode
        assert self.pipeline.receive_data(garbage + behind) == []
        assert not self.sound

    @precondition(lambda self: self.may_fail and not self.sent and not self.incoming)
    @rule(size=st.sampled_from([1, 8, 29, 30, 60]), kind=st.sampled_from([message_frame(1), encode_info_response({})]))
    def send_what_nobody_asked_for(self, size: int, kind: bytes) -> None:
        assert self.pipeline.receive_data((kind * 2)[:size]) == []
        assert "reply without a request" in str(self.pipeline.error)

    @precondition(lambda self: self.may_fail and self.sent and not self.incoming)
    @rule()
    def send_one_answer_too_many(self) -> None:
        """In one burst, so that nothing tells which of them are the answers."""
        if self.pipeline.partial_bytes or any(request.consume is not None for request in self.sent):
            return
        assert self.pipeline.receive_data(message_frame(7) * (len(self.sent) + 1)) == []
        assert "reply without a request" in str(self.pipeline.error)

    # -- what holds always ---------------------------------------------------------------------------------------------

    @invariant()
    def the_model_and_the_pipeline_agree(self) -> None:
        if not hasattr(self, "pipeline"):
            return
        pipeline = self.pipeline
        assert (list(pipeline.sent), list(pipeline.unsent)) == (self.sent, self.unsent)
        assert pipeline.unsent_bytes == sum(len(request.frame) for request in self.unsent)
        assert pipeline.depth == len(self.sent) + len(self.unsent)
        assert all(request.sent for request in self.sent) and not any(request.sent for request in self.unsent)
        everything = self.done + self.sent + self.unsent
        assert sorted(request.number for request in everything) == list(range(len(self.submitted)))
        assert pipeline.awaited == (bool(self.unsent) or any(not request.abandoned for request in self.sent))

    def teardown(self) -> None:
        if hasattr(self, "pipeline"):
            assert self.pipeline.close() == (self.sent, self.unsent)
            assert self.pipeline.data_to_send(self.now) == b"" and self.pipeline.depth == 0


TestPipelineMachine = PipelineMachine.TestCase
TestPipelineMachine.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)
