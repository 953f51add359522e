"""The shared outcome is used where Trio takes it, and tasks are woken without it where Trio does not."""

import outcome
import pytest

from tests.unit.cluster.connections.one_connection import connected, reply, request, settle, submit
from trio_aerospike._cluster.connections import woken


def test_this_version_of_trio_takes_it():
    assert woken.shared_outcome() is not None


@pytest.mark.parametrize("broken", [None, object()], ids=["None", "object"])
def test_what_trio_does_not_take_is_found_out(broken):
    assert not woken._is_taken(broken)


def test_an_outcome_that_serves_once_is_found_out():
    assert not woken._is_taken(outcome.Value(None))


async def test_tasks_are_woken_without_it_too(monkeypatch, autojump_clock):
    monkeypatch.setattr("trio_aerospike._cluster.connections.connection.shared_outcome", lambda: None)
    async with connected() as (connection, wire, _, nursery):
        results: dict[int, int] = {}
        for number in range(3):
            submit(connection, nursery, request(number), results, number)
        await settle()
        wire.reply(*map(reply, range(3)))
        await settle()
        assert results == {0: 0, 1: 1, 2: 2}
