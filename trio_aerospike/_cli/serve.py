"""``trio-aerospike serve``: run an embedded server until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import errno
import os
import signal

import trio

from ..validation import shown
from .terminal import OutputError, complain, reason, say


def add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    serve = commands.add_parser(
        "serve",
        help="run an embedded server until Ctrl-C or SIGTERM",
        description=(
            "Run a server of the Aerospike protocol in memory, on 127.0.0.1, until Ctrl-C or SIGTERM: "
            "cluster name docker, namespace test."
        ),
    )
    serve.add_argument("--nodes", type=_node_count, default=1, metavar="N", help="how many nodes (default: 1)")
    serve.add_argument(
        "--port",
        type=_port,
        default=3000,
        help="port of the first node (default: 3000, 0 for a free one); the others take free ports",
    )
    serve.add_argument(
        "--user",
        type=_user,
        metavar="NAME:PASSWORD",
        help="switch security on, with this user as administrator with all rights",
    )
    serve.set_defaults(run=_serve)


def _node_count(text: str) -> int:
    count = int(text) if text.isdecimal() and len(text) < 9 else 0
    if not 1 <= count <= 128:
        raise argparse.ArgumentTypeError(f"got {shown(text)}, allowed: 1 to 128 nodes")
    return count


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() and len(text) < 9 else -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"got {shown(text)}, allowed: a port from 0 to 65535")
    return port


def _user(text: str) -> tuple[str, str]:
    name, separator, password = text.partition(":")
    if not separator or not name or not password:
        raise argparse.ArgumentTypeError(f"{name!r} is not NAME:PASSWORD: give both, with a colon between")
    size = len(os.fsencode(name))
    if size > 63:
        raise argparse.ArgumentTypeError(f"a user name has at most 63 bytes; this one has {size}")
    return name, password


def _serve(options: argparse.Namespace) -> int:
    return trio.run(_serve_until_told, options)


async def _tell(line: str) -> None:
    """Print a status line. The server runs on if it cannot be written."""
    try:
        await say(line)
    except OutputError:
        pass


async def _serve_until_told(options: argparse.Namespace) -> int:
    from ..server import open_embedded_cluster

    users = None if options.user is None else dict([options.user])
    ports = [options.port] + [0] * (options.nodes - 1)
    # The handlers are set before the first line is printed: its reader may send a signal at once.
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        try:
            async with open_embedded_cluster(options.nodes, ports=ports, users=users) as cluster:
                addresses = ", ".join(f"{node.name} at {node.host}:{node.port}" for node in cluster.nodes)
                await _tell(f"Serving namespace test of cluster docker: {addresses}")
                if users is not None:
                    await _tell(f"Security is on: log in as {options.user[0]}")
                await _tell("Everything is kept in memory. Ctrl-C stops the server.")
                async for _ in signals:
                    break
        except OSError as error:
            words = "it is in use" if error.errno == errno.EADDRINUSE else reason(error)
            complain(f"cannot listen on 127.0.0.1:{options.port}: {words}")
            return 1
    await _tell("Stopped.")
    return 0
