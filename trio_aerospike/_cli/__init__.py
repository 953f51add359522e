"""The `trio-aerospike` command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from .look import add_info, add_nodes
from .measuring import add_bench
from .records import add_get, add_put
from .scanning import add_scan
from .serve import add_serve
from .transfer import add_load

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    Args:
        arguments: in place of those of the process.
    """
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trio-aerospike",
        description="Look at an Aerospike cluster, move records in and out, or run a server of one's own.",
        epilog="`trio-aerospike COMMAND --help` tells more of each.",
    )
    parser.add_argument("--version", action="version", version=f"trio-aerospike {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (add_nodes, add_info, add_get, add_put, add_scan, add_load, add_bench, add_serve):
        add(commands)
    return parser


def _version() -> str:
    from .._version import __version__

    return __version__
