"""``trio-aerospike info``: send an info command to the nodes."""

from __future__ import annotations

import argparse

from .._client import Client
from ..validation import shown
from .connection import FAILED, OK, WRONG, add_options
from .terminal import complain, say


def add_info(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "info",
        help="send an info command to the nodes",
        description="Send an info command to every node, such as namespaces, statistics, sets/test or sindex-list.",
    )
    parser.add_argument("command", help="the info command")
    parser.add_argument("--node", metavar="NAME", help="ask this node only")
    parser.add_argument("--raw", action="store_true", help="print the answer as it is, not one entry a line")
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
