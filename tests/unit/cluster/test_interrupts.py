"""A program that survives Ctrl-C has a client that works: every command gets its own answer, or an error."""

from __future__ import annotations

import itertools

import pytest
import trio
import trio.testing

from tests.interrupting import Interrupter
from tests.unit.cluster.scripted import Request, answer, pools_of, scripted_client
from trio_aerospike import AerospikeError, Client, Key, ReadPolicy, WritePolicy
from trio_aerospike._wire.constants import FIELD_DIGEST

NUMBERS = {Key("test", "interrupts", number).digest: number for number in range(100)}
COMMANDS = ("_commands/records.py", "execution/single.py", "execution/attempts.py")
CONNECTIONS = (
    "_wire/pipeline.py",
    "connections/balancing.py",
    "connections/connection.py",
    "connections/pool.py",
    "connections/request.py",
    "tend/node.py",
)


async def own_answer(request: Request) -> bytes:
    """Answer with the number of the record as its generation."""
    digest = request.message.field(FIELD_DIGEST)
    assert digest is not None
    return answer(0, generation=NUMBERS[digest])


async def command(client: Client, number: int) -> None:
    """Read a record, or write it; its own answer must come."""
    key = Key("test", "interrupts", number)
    if number % 3:
        record = await client.get(key, policy=ReadPolicy(total_timeout=1.0, max_retries=0))
        assert record.generation == number
    else:
        await client.put(key, {"a": 1}, policy=WritePolicy(total_timeout=1.0, max_retries=0))


async def interrupted(step: int, files: tuple[str, ...]) -> str | None:
    """Interrupt 40 commands at a step, then use the client again; returns where it was interrupted."""
    async with scripted_client(max_conns_per_node=2) as (client, cluster):
        cluster.node.default = own_answer
        await command(client, 1)
        with Interrupter(step, *files, as_trio=True) as interrupter:
            try:
                async with trio.open_nursery() as nursery:
                    for number in range(2, 42):
                        nursery.start_soon(command, client, number)
            except* KeyboardInterrupt:
                pass
        for number in range(50, 60):
            await command(client, number)
        assert all(not pool.in_flight and not pool.waiting for pool in pools_of(client))
    return interrupter.place


# Interrupted between the making of a coroutine and its first step.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("files", "stride"), [(COMMANDS, 13), (CONNECTIONS, 1)], ids=["commands", "connections"])
def test_a_client_works_after_an_interrupt_that_the_program_survives(files: tuple[str, ...], stride: int) -> None:
    for step in itertools.count(0, stride):
        clock = trio.testing.MockClock(autojump_threshold=0)
        try:
            place = trio.run(interrupted, step, files, clock=clock)
        except* AerospikeError as errors:
            raise AssertionError(f"step {step}") from errors
        if place is None:
            assert step or files is CONNECTIONS
            return
