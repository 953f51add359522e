"""A node of a real cluster is killed under load and started again, and every caller's outcome is held to account.

    AEROSPIKE_HOSTS=10.0.0.1:3000,10.0.0.2:3000,10.0.0.3:3000 \\
    AEROSPIKE_CLUSTER_CONTROL=/path/to/script pytest tests/integration/real/test_cluster.py

The script is called as `script stop N` and `script start N` with the number of a node, 1 being the first, and returns
when that is done. The cluster has three nodes or more, nothing else of importance on it, and keeps two copies of each
record of the namespace `test`. AEROSPIKE_CLUSTER_NODE says which node is killed; 2 where it does not.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Sequence

import pytest
import trio

from tests.simulation.ledger import Ledger
from tests.simulation.network import FaultyNetwork
from tests.simulation.scene import busy_slots, run_load
from trio_aerospike import BatchPolicy, Client, ReadPolicy, RecordNotFound, WritePolicy, open_client
from trio_aerospike._cluster.connections.transport import tcp_connector
from trio_aerospike.config import ClientFields

HOSTS = os.environ.get("AEROSPIKE_HOSTS", "")
CONTROL = os.environ.get("AEROSPIKE_CLUSTER_CONTROL", "")
VICTIM = os.environ.get("AEROSPIKE_CLUSTER_NODE", "2")

pytestmark = [
    pytest.mark.skipif(
        not (HOSTS and CONTROL), reason="AEROSPIKE_HOSTS and AEROSPIKE_CLUSTER_CONTROL name no cluster that may be hurt"
    ),
    pytest.mark.slow,
]

#: Real nodes miss another after a second or two; until then nobody takes a write of its partitions.
WRITE_POLICY = WritePolicy(total_timeout=10.0, socket_timeout=10.0)
READ_POLICY = ReadPolicy(total_timeout=10.0, socket_timeout=2.0)
BATCH_POLICY = BatchPolicy(total_timeout=10.0, socket_timeout=2.0)


async def control(*arguments: str) -> None:
    await trio.run_process([CONTROL, *arguments], capture_stdout=True)


async def remove_all(client: Client, ledger: Ledger, names: Sequence[str]) -> None:
    for name in names:
        try:
            await client.remove(ledger.key(name))
        except RecordNotFound:
            continue


async def test_real_node_killed_under_load_loses_mixes_up_and_repeats_nothing() -> None:
    network = FaultyNetwork(tcp_connector(None))
    ledger = Ledger(
        network.sends, None, set_name=f"integration-{random.randrange(100):02}", prefix=secrets.token_hex(4)
    )
    policies: ClientFields = {
        "read_policy": READ_POLICY,
        "write_policy": WRITE_POLICY,
        "batch_policy": BATCH_POLICY,
        "timeout": 5.0,
    }
    started = False
    async with open_client(HOSTS, connector=network, **policies) as client:
        whole = client.node_names()
        assert len(whole) >= 3
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run_load, client, ledger, random.Random(1), 9.0)
                await trio.sleep(1.0)
                await control("stop", VICTIM)
                for _ in range(100):
                    if len(client.node_names()) == len(whole) - 1:
                        break
                    await trio.sleep(0.05)
                else:
                    pytest.fail("the dead node is still part of the client's cluster after 5 s")
                doubts = ledger.doubts
                # From now on the survivors serve everything.
                await trio.sleep(1.0)
                assert ledger.doubts == doubts
                await control("start", VICTIM)
                started = True
            with trio.fail_after(10.0):
                while client.node_names() != whole:
                    await trio.sleep(0.05)
            assert ledger.failed_reads == []
            assert ledger.failed_writes == []
            assert ledger.acknowledged > 200
            with trio.fail_after(5.0):
                while busy_slots(client):
                    await trio.sleep(0.05)
            await ledger.verify(client)
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 120):
                if not started:
                    await control("start", VICTIM)
                await remove_all(client, ledger, [*ledger.entries, *ledger.counters])
    assert not network.connections
