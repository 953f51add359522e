"""``trio-aerospike nodes``: list the nodes of the cluster."""

from __future__ import annotations

import argparse

import trio

from .._client import Client
from ..errors import AerospikeError
from ..statistics import NodeStatistics
from .connection import FAILED, OK, add_options
from .terminal import complain, table


def add_nodes(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "nodes", help="list the nodes of the cluster", description="List the nodes of the cluster, one a line."
    )
    add_options(parser, _nodes)


async def _nodes(client: Client, options: argparse.Namespace) -> int:
    nodes = client.nodes()
    statistics: dict[str, NodeStatistics] = {}

    async def ask(name: str) -> None:
        try:
            statistics[name] = await client.node_statistics(name)
        except AerospikeError as error:
            complain(f"node {name}: {error}")

    async with trio.open_nursery() as nursery:
        for node in nodes:
            nursery.start_soon(ask, node.name)
    rows: list[tuple[object, ...]] = []
    for node in nodes:
        found = statistics.get(node.name)
        copies = "?" if found is None else found.objects
        rows.append((node.name, node.address, node.build or "?", copies, "no" if found is None else "yes"))
    await table(("NODE", "ADDRESS", "BUILD", "RECORDS", "ANSWERS"), rows)
    return OK if len(statistics) == len(nodes) else FAILED
