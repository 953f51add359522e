"""An embedded cluster in a process of its own, for measurements.

Usage: python -m benchmarks.server [--nodes N] [--hold SECONDS] [--records N]

Prints one line of JSON with the nodes' addresses once all are up, and stops when its stdin is closed.
"""

from __future__ import annotations

import argparse
import json
import sys

import trio

import trio_aerospike as aero
from benchmarks.workers.common import NAMESPACE, bins_of
from trio_aerospike._wire.digests import partition_id
from trio_aerospike._wire.particles import encode_value
from trio_aerospike.server import EmbeddedCluster
from trio_aerospike.server.record import StoredRecord
from trio_aerospike.testing import open_embedded_cluster

EMBEDDED_SET = "embedded"
"""The set of the preloaded records."""


def fill(cluster: EmbeddedCluster, count: int) -> None:
    """Write records to all replicas, as a client's puts would."""
    for number in range(count):
        bins = {name: encode_value(value) for name, value in bins_of(number).items()}
        digest = aero.Key(NAMESPACE, EMBEDDED_SET, number).digest
        record = StoredRecord(EMBEDDED_SET, bins, 1, 0, cluster.clock.milliseconds())
        cluster.replicate(NAMESPACE, partition_id(digest), digest, record)


async def serve(nodes: int, hold: float, records: int) -> None:
    """Run the cluster until stdin ends."""
    async with open_embedded_cluster(nodes=nodes) as cluster:
        fill(cluster, records)
        for node in cluster.nodes:
            node.delay = hold
        print(json.dumps([[host, port] for host, port in cluster.hosts]), flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--hold", type=float, default=0.0, help="seconds that a node works on each request")
    parser.add_argument("--records", type=int, default=0, help="that are there from the start")
    arguments = parser.parse_args()
    trio.run(serve, arguments.nodes, arguments.hold, arguments.records)


if __name__ == "__main__":
    main()
