"""Jobs in the background on a mock clock: nodes that are lost, cut off or started anew before they are done."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from trio_aerospike import BackgroundJob, ClusterError, write

from .scene import Scene
from .test_queries import SET, filled

COUNT = 3000


async def started(scene: Scene, seconds: float) -> BackgroundJob:
    """A job that takes each node so long, about, and is under way."""
    job = await scene.client.query_operate("test", SET, [write("a", 1)], records_per_second=int(COUNT / 3 / seconds))
    await trio.sleep(1)
    assert not (await job.poll()).done
    return job


async def written(scene: Scene) -> int:
    return len([r for r in await scene.client.query("test", SET, bins=["a"]).results() if r["a"] == 1])


async def test_a_job_says_that_a_node_was_lost_and_waits_for_the_others(autojump_clock: MockClock) -> None:
    async with filled(data=b"") as scene:
        job = await started(scene, 20)
        lost = scene.cluster.nodes[1]
        await scene.cluster.stop_node(lost)
        with pytest.raises(ClusterError, match=rf"lost before they were done.*{lost.name} at \d+%") as caught:
            await job.wait()
        assert trio.current_time() > 15, "the others have been waited for"
        assert caught.value.node == lost.name and caught.value.in_doubt
        progress = job.progress
        assert progress.lost == (lost.name,) and not progress.done and progress.percent < 100
        assert [node.node_name for node in progress.nodes if node.done] == [
            node.name for node in scene.cluster.nodes if node is not lost
        ]
        assert lost.name in repr(job)
        assert await written(scene) < COUNT


async def test_a_node_that_was_started_anew_is_not_taken_for_done(autojump_clock: MockClock) -> None:
    async with filled(data=b"") as scene:
        job = await started(scene, 20)
        lost = scene.cluster.nodes[1]
        await scene.cluster.stop_node(lost)
        await trio.sleep(3)
        await scene.cluster.start_node(lost)
        with pytest.raises(ClusterError, match=lost.name):
            await job.wait()
        assert job.progress.lost == (lost.name,)


async def test_a_node_that_was_done_before_it_was_lost_stays_done(autojump_clock: MockClock) -> None:
    async with filled(data=b"") as scene:
        job = await scene.client.query_operate("test", SET, [write("a", 1)])
        await trio.sleep(30)
        assert (await job.poll()).done
        await scene.cluster.stop_node(scene.cluster.nodes[1])
        await trio.sleep(10)
        assert (await job.wait()).succeeded == COUNT
        assert await written(scene) == COUNT


async def test_a_job_that_servers_have_forgotten_is_done(autojump_clock: MockClock) -> None:
    async with filled(data=b"") as scene:
        job = await scene.client.query_operate("test", SET, [write("a", 1)])
        await trio.sleep(30)
        for node in scene.cluster.nodes:
            node.queries.ended.clear()
        assert (await job.wait()).done
        assert await written(scene) == COUNT
