"""An embedded cluster in a process of its own, as something to measure against.

Usage: python -m benchmarks.server [--nodes N] [--hold SECONDS]

Prints one line of JSON with the nodes' addresses once all are up, and stops when its stdin is closed.
"""

from __future__ import annotations

import argparse
import json
import sys

import trio

from trio_aerospike.testing import open_embedded_cluster


async def serve(nodes: int, hold: float) -> None:
    """Run the cluster until stdin ends."""
    async with open_embedded_cluster(nodes=nodes) as cluster:
        for node in cluster.nodes:
            node.delay = hold
        print(json.dumps([[host, port] for host, port in cluster.hosts]), flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--hold", type=float, default=0.0, help="seconds that a node works on each request")
    arguments = parser.parse_args()
    trio.run(serve, arguments.nodes, arguments.hold)


if __name__ == "__main__":
    main()
