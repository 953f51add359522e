"""One connection over a scripted wire, with an owner that notes what it is told."""

import math
from contextlib import asynccontextmanager

import trio
import trio.testing

from tests.unit.cluster.scripted import Wire, answer, message_frame
from trio_aerospike._cluster.connections.connection import Connection
from trio_aerospike._cluster.connections.request import Request
from trio_aerospike._wire.constants import PROTO_MESSAGE, TRANSACTION_TTL_NO_LIMIT
from trio_aerospike._wire.messages import Message, decode_message


class Owner:
    def __init__(self):
        self.in_flight = 0
        self.bursts = []
        self.closings = []
        self.dues = []

    def due(self, deadline):
        self.dues.append(deadline)

    def replied(self, connection, count, elapsed, fresh, age, cost, writes):
        self.bursts.append((count, elapsed, fresh, cost, writes))

    def closed(self, connection, unsent, error):
        self.closings.append((unsent, error))


def request(
    number=0, *, deadline=math.inf, expires=None, socket_timeout=30.0, consume=None, size=0, kind=PROTO_MESSAGE
):
    """A request that carries its number where a reply carries it too."""
    frame = message_frame(Message(generation=number, transaction_ttl=TRANSACTION_TTL_NO_LIMIT)) + b"\x00" * size
    expires = deadline if expires is None else expires
    return Request(frame, kind, deadline, expires, socket_timeout, False, consume)


def reply(number):
    return answer(0, generation=number)


def number_of(body):
    return decode_message(body)[0].generation


def numbers_sent(wire):
    """The numbers of the requests that went out, in their order."""
    data, size = wire.sent, len(reply(0))
    return [number_of(data[start + 8 : start + size]) for start in range(0, len(data), size)]


@asynccontextmanager
async def connected(max_depth=128, running=True):
    wire, owner = Wire(), Owner()
    connection = Connection(wire, owner, max_depth=max_depth, label="A1 #1")
    async with trio.open_nursery() as nursery:
        if running:
            nursery.start_soon(connection.run)
            await trio.testing.wait_all_tasks_blocked()
        yield connection, wire, owner, nursery
        connection.close(None)


async def settle():
    await trio.testing.wait_all_tasks_blocked()


def submit(connection, nursery, request, results=None, key=None):
    """Submit now and wait in a task; returns the scope that cancels the wait."""
    scope = trio.CancelScope()
    connection.submit(request)

    async def wait():
        with scope:
            await request.wait()
            if results is not None:
                results[key] = request.failure if request.reply is None else number_of(request.reply)
        if scope.cancelled_caught and results is not None:
            results[key] = "cancelled"

    nursery.start_soon(wait)
    return scope
