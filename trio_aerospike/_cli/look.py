"""``trio-aerospike info`` and ``trio-aerospike nodes``: what the nodes say of themselves."""

from __future__ import annotations

import argparse

import trio

from .._client import Client
from ..errors import AerospikeError
from ..statistics import NodeStatistics
from ..validation import shown
from .connecting import FAILED, OK, WRONG, add_options
from .terminal import complain, say, table


def add_info(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Make the command known."""
    parser = commands.add_parser(
        "info",
        help="ask the nodes an info command",
        description="Ask every node an info command, such as namespaces, statistics, sets/test or sindex-list.",
    )
    parser.add_argument("command", help="the info command")
    parser.add_argument("--node", metavar="NAME", help="ask this node only")
    parser.add_argument("--raw", action="store_true", help="as the server gave it, not a line for each entry")
    add_options(parser, _info)


async def _info(client: Client, options: argparse.Namespace) -> int:
    if options.node is not None:
        names = client.node_names()
        if options.node not in names:
            complain(f"--node: no node is named {shown(options.node)}; the cluster has {', '.join(names)}")
            return WRONG
        answers = [(options.node, await client.info_node(options.node, options.command))]
        failed = False
    else:
        results = await client.info_all(options.command)
        answers = [(result.node_name, result.response) for result in results if not result.error_code]
        for result in results:
            if result.error_code:
                complain(f"node {result.node_name}: {result.response}")
        failed = len(answers) < len(results)
    for name, answer in answers:
        if len(answers) > 1:
            await say(f"# {name}")
        await say(answer if options.raw else answer.replace(";", "\n"))
    return FAILED if failed else OK


def add_nodes(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Make the command known."""
    parser = commands.add_parser(
        "nodes", help="list the nodes of the cluster", description="List the nodes of the cluster, one a line."
    )
    add_options(parser, _nodes)


async def _nodes(client: Client, options: argparse.Namespace) -> int:
    nodes = client.nodes()
    told: dict[str, NodeStatistics] = {}

    async def ask(name: str) -> None:
        try:
            told[name] = await client.node_statistics(name)
        except AerospikeError as error:
            complain(f"node {name}: {error}")

    async with trio.open_nursery() as nursery:
        for node in nodes:
            nursery.start_soon(ask, node.name)
    rows: list[tuple[object, ...]] = []
    for node in nodes:
        found = told.get(node.name)
        copies = "?" if found is None else found.objects
        rows.append((node.name, node.address, node.build or "?", copies, "no" if found is None else "yes"))
    await table(("NODE", "ADDRESS", "BUILD", "RECORDS", "ANSWERS"), rows)
    return OK if len(told) == len(nodes) else FAILED
