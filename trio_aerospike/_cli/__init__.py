"""The ``trio-aerospike`` command line: one module for each command, named after it."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Callable, Sequence

__all__ = ["main"]

#: If this variable is set, an internal error shows its traceback.
_SHOW_TRACEBACK = "TRIO_AEROSPIKE_TRACEBACK"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status.

    Ctrl-C ends the process at once, without a traceback, except if a command has to clean up.

    Args:
        arguments: in place of those of the process.
    """
    handler = signal.getsignal(signal.SIGINT)
    # Python's own handler raises KeyboardInterrupt anywhere. A handler of the caller, or SIG_IGN, is kept.
    replaced = handler is signal.default_int_handler and threading.current_thread() is threading.main_thread()
    if replaced:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return _main(arguments)
    finally:
        if replaced and arguments is not None:
            signal.signal(signal.SIGINT, handler)


def _main(arguments: Sequence[str] | None) -> int:
    # Imported here, where Ctrl-C is handled.
    from .connection import INTERNAL_ERROR, INTERRUPTED, NO_OUTPUT
    from .terminal import OutputError, complain, finish_output, hold_descriptors

    if arguments is None:
        hold_descriptors()
    try:
        try:
            options = _parser().parse_args(arguments)
        except SystemExit:
            finish_output()  # writes the help
            raise
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except OutputError as error:
        if error.args:
            complain(error)
        return NO_OUTPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if os.environ.get(_SHOW_TRACEBACK):
            raise
        kind = type(error).__name__
        complain(f"internal error: {kind}: {error} ({_SHOW_TRACEBACK}=1 in the environment shows where)")
        return INTERNAL_ERROR


def _parser() -> argparse.ArgumentParser:
    from .bench import add_bench
    from .get import add_get
    from .info import add_info
    from .load import add_load
    from .nodes import add_nodes
    from .put import add_put
    from .scan import add_scan
    from .serve import add_serve

    parser = argparse.ArgumentParser(
        prog="trio-aerospike",
        description="Inspect an Aerospike cluster, export and import records, or run an embedded server.",
        epilog="`trio-aerospike COMMAND --help` describes a command.",
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (add_nodes, add_info, add_get, add_put, add_scan, add_load, add_bench, add_serve):
        add(commands)
    return parser


def _version() -> str:
    from .. import __speedups__
    from .._version import __version__

    return f"trio-aerospike {__version__} ({'compiled' if __speedups__ else 'plain Python'})"
