"""Commands, faults and time in any order, against the ledger: hypothesis looks for an order that breaks something.

The rules write a play, which is performed on the mock clock when it is complete. HYPOTHESIS_PROFILE=long tries
many more of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from functools import partial

import trio
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from trio.testing import MockClock

from tests.effort import examples

from .network import Ending, Script
from .scene import Scene, address_of, open_scene

NODES = 3

Act = Callable[["Stage"], Awaitable[None]]
node_numbers = st.integers(0, NODES - 1)
names = st.integers(0, 5).map(lambda number: f"name-{number}")
patience = st.none() | st.sampled_from([0.0, 0.001, 0.004, 0.1])


class Stage:
    """Where a play is performed: the scene, and the commands that are under way."""

    def __init__(self, scene: Scene, nursery: trio.Nursery) -> None:
        self.scene = scene
        self._nursery = nursery
        self._busy: set[str] = set()

    def begin(self, command: Callable[..., Awaitable[None]], name: str, seconds: float | None) -> None:
        """Start a command in the background; a record has one writer at a time."""
        if command == self.scene.ledger.write:
            if name in self._busy:
                return
            self._busy.add(name)
        self._nursery.start_soon(self._carry_out, command, name, seconds)

    async def _carry_out(self, command: Callable[..., Awaitable[None]], name: str, seconds: float | None) -> None:
        with trio.move_on_after(60.0 if seconds is None else seconds):
            await command(self.scene.client, name)
        if command == self.scene.ledger.write:
            self._busy.discard(name)


async def perform(acts: list[Act]) -> None:
    async with open_scene(NODES, max_conns_per_node=2, tend_interval=0.5) as scene:
        for node in scene.cluster.nodes:
            node.delay = 0.002
        async with trio.open_nursery() as nursery:
            stage = Stage(scene, nursery)
            for act in acts:
                await act(stage)
            scene.network.refused.clear()
            for node in scene.cluster.nodes:
                scene.cluster.resume_node(node)
                await scene.cluster.start_node(node)
        await scene.check()


async def _command(kind: str, name: str, seconds: float | None, stage: Stage) -> None:
    stage.begin(getattr(stage.scene.ledger, kind), name, seconds)


async def _batch(stage: Stage) -> None:
    async def read(client: object, name: str) -> None:
        await stage.scene.ledger.batch_read(stage.scene.client, [f"name-{number}" for number in range(6)])

    stage.begin(read, "batch", None)


async def _wait(seconds: float, stage: Stage) -> None:
    await trio.sleep(seconds)


async def _stop(number: int, stage: Stage) -> None:
    # Two copies outlive one loss at a time.
    await stage.scene.cluster.wait_stable()
    await stage.scene.cluster.stop_node(number)


async def _start(number: int, stage: Stage) -> None:
    await stage.scene.cluster.start_node(number)


async def _pause(number: int, stage: Stage) -> None:
    stage.scene.cluster.pause_node(number)


async def _resume(number: int, stage: Stage) -> None:
    stage.scene.cluster.resume_node(number)


async def _drop(number: int, stage: Stage) -> None:
    stage.scene.cluster.nodes[number].drop_connections()


async def _refuse(number: int, refuse: bool, stage: Stage) -> None:
    address = address_of(stage.scene.cluster.nodes[number])
    (stage.scene.network.refused.add if refuse else stage.scene.network.refused.discard)(address)


async def _script(limit: int | None, size: int, ending: Ending, stage: Stage) -> None:
    stage.scene.network.script = Script(limit=limit, ending=ending, sizes=itertools.repeat(size))


class ClusterUnderFaults(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.acts: list[Act] = []
        self.down: int | None = None
        self.paused: set[int] = set()

    @rule(kind=st.sampled_from(["write", "read", "count"]), name=names, seconds=patience)
    def command(self, kind: str, name: str, seconds: float | None) -> None:
        self.acts.append(partial(_command, kind, "counter" if kind == "count" else name, seconds))

    @rule(seconds=patience)
    def crowd(self, seconds: float | None) -> None:
        for number in range(6):
            self.acts += [partial(_command, kind, f"name-{number}", seconds) for kind in ("write", "read", "read")]
            self.acts.append(partial(_command, "count", "counter", seconds))

    @rule()
    def batch(self) -> None:
        self.acts.append(_batch)

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.003, 0.05, 0.2, 0.6, 1.5]))
    def wait(self, seconds: float) -> None:
        self.acts.append(partial(_wait, seconds))

    @precondition(lambda self: self.down is None)
    @rule(number=node_numbers)
    def stop(self, number: int) -> None:
        self.down = number
        self.paused.discard(number)
        self.acts.append(partial(_stop, number))

    @precondition(lambda self: self.down is not None)
    @rule()
    def start(self) -> None:
        assert self.down is not None
        self.acts.append(partial(_start, self.down))
        self.down = None

    @rule(number=node_numbers)
    def pause_or_resume(self, number: int) -> None:
        if number in self.paused:
            self.paused.discard(number)
            self.acts.append(partial(_resume, number))
        elif number != self.down:
            self.paused.add(number)
            self.acts.append(partial(_pause, number))

    @rule(number=node_numbers)
    def drop(self, number: int) -> None:
        self.acts.append(partial(_drop, number))

    @rule(number=node_numbers, refuse=st.booleans())
    def refuse(self, number: int, refuse: bool) -> None:
        self.acts.append(partial(_refuse, number, refuse))

    @rule(
        limit=st.none() | st.integers(0, 120),
        size=st.sampled_from([1, 7, 29, 1000]),
        ending=st.sampled_from(list(Ending)),
    )
    def script(self, limit: int | None, size: int, ending: Ending) -> None:
        self.acts.append(partial(_script, limit, size, ending))

    def teardown(self) -> None:
        trio.run(perform, self.acts, clock=MockClock(autojump_threshold=0))


ClusterUnderFaults.TestCase.settings = settings(
    max_examples=examples(10),
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestClusterUnderFaults = ClusterUnderFaults.TestCase
