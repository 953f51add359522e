"""Connect a command to a cluster: options, password, signals and exit codes."""

from __future__ import annotations

import argparse
import functools
import getpass
import os
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from .._client import Client, open_client
from ..config import AuthMode, ClientConfig
from ..errors import AdminError, AerospikeError, ClusterError, InvalidArgError
from .diagnosis import diagnose
from .terminal import OutputError, complain, reason

#: Exit codes; argparse itself ends with 2 for a wrong command line.
OK, FAILED, WRONG, UNREACHABLE, NO_OUTPUT, SKIPPED, INTERNAL_ERROR, INTERRUPTED = 0, 1, 2, 3, 4, 5, 70, 130

EXIT_CODES = (
    "exit codes: 0 done; 1 the database refused a command, or a record does not exist; 2 an invalid command line or "
    "invalid input; 3 no server can be reached; 4 the output cannot be written; 5 records that cannot be decoded were "
    "skipped; 70 an internal error; 130 ended by Ctrl-C"
)

Command = Callable[[Client, argparse.Namespace], Awaitable[int]]


def add_options(parser: argparse.ArgumentParser, command: Command) -> None:
    """Add the options that name the cluster and how to connect to it."""
    parser.epilog = EXIT_CODES
    group = parser.add_argument_group("cluster")
    group.add_argument(
        "--hosts",
        default=os.environ.get("AEROSPIKE_HOSTS") or "127.0.0.1:3000",
        metavar="HOST:PORT,...",
        help="seeds, any of which leads to all nodes (default: $AEROSPIKE_HOSTS, or 127.0.0.1:3000)",
    )
    group.add_argument("--cluster-name", default="", metavar="NAME", help="the name that the cluster must have")
    group.add_argument("--services-alternate", action="store_true", help="use the alternate addresses of the nodes")
    group.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="for each request (default: 10)")
    group = parser.add_argument_group("login")
    group.add_argument("--user", default="", metavar="NAME", help="log in as this user")
    group.add_argument(
        "--password-file",
        metavar="FILE",
        help="its first line is the password; default: $AEROSPIKE_PASSWORD, or a prompt",
    )
    group.add_argument("--auth", choices=["internal", "external", "pki"], default="internal", help="default: internal")
    group = parser.add_argument_group("TLS")
    group.add_argument("--tls", action="store_true", help="use TLS")
    group.add_argument("--tls-ca", metavar="FILE", help="the certificate authority of the servers")
    group.add_argument("--tls-cert", metavar="FILE", help="the client certificate, with its key")
    group.add_argument("--tls-key", metavar="FILE", help="its key, if it is in another file")
    parser.set_defaults(run=functools.partial(_start, command))


def exit_code(error: BaseException) -> int:
    """Return the exit code for an error."""
    if isinstance(error, InvalidArgError):
        return WRONG
    return UNREACHABLE if isinstance(error, ClusterError) else FAILED


def _start(command: Command, options: argparse.Namespace) -> int:
    try:
        # Before Trio runs, because it may read from the terminal or a named pipe, where Ctrl-C has to interrupt.
        config = _config(options)
    except InvalidArgError as error:
        complain(error)
        return WRONG
    return trio.run(_run, command, config, options)


async def _run(command: Command, config: ClientConfig, options: argparse.Namespace) -> int:
    """Connect and run the command; a signal cancels it."""
    ended: list[int] = []
    code = FAILED
    fault: Exception | None = None
    watching = trio.CancelScope(shield=True)
    async with trio.open_nursery() as nursery:

        async def watch(task_status: trio.TaskStatus[None]) -> None:
            with watching, trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                task_status.started()
                async for number in signals:
                    if ended:
                        # A clean-up may take long: a second signal ends the process at once.
                        signal.signal(number, signal.SIG_DFL)
                        os.kill(os.getpid(), number)
                    ended.append(number)
                    nursery.cancel_scope.cancel()

        await nursery.start(watch)
        try:
            code = await _carry_out(command, config, options)
        except Exception as error:
            # Raised below, as the nursery would wrap it in a group.
            fault = error
        finally:
            watching.cancel()
        nursery.cancel_scope.cancel()
    if ended:
        return 128 + ended[0]
    if fault is not None:
        raise fault
    return code


async def _carry_out(command: Command, config: ClientConfig, options: argparse.Namespace) -> int:
    connected = False
    try:
        async with open_client(config) as client:
            connected = True
            return await command(client, options)
    except (AerospikeError, OutputError, ExceptionGroup) as caught:
        error = _first(caught)
        if not isinstance(error, AerospikeError):
            raise error from None
        complain(error)
        if not connected and isinstance(error, ClusterError) and not isinstance(error, AdminError):
            for line in await diagnose(config.hosts, config.tls, options.timeout):
                complain(line)
        return exit_code(error)


def _first(error: Exception) -> Exception:
    """Return the first error of a group, or of the groups in it."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _config(options: argparse.Namespace) -> ClientConfig:
    """Build the client configuration from the options.

    Raises:
        InvalidArgError: an option is invalid, or a file it names cannot be read.
    """
    fields: dict[str, Any] = {
        "cluster_name": options.cluster_name,
        "timeout": options.timeout,
        "use_services_alternate": options.services_alternate,
        "auth_mode": AuthMode[options.auth.upper()],
    }
    if options.user:
        fields["user"] = options.user
        fields["password"] = _password(options)
    if options.tls or options.tls_ca or options.tls_cert:
        fields["tls"] = _tls(options)
    config = ClientConfig(options.hosts, **fields)
    limit = config.timeout
    return config.replace(
        read_policy=config.read_policy.replace(total_timeout=limit),
        write_policy=config.write_policy.replace(total_timeout=limit),
        info_policy=config.info_policy.replace(timeout=limit),
    )


def _password(options: argparse.Namespace) -> str:
    if options.password_file:
        try:
            with open(options.password_file, encoding="utf-8") as file:
                return file.readline().rstrip("\r\n")
        except OSError as error:
            raise InvalidArgError(f"--password-file: {options.password_file}: {reason(error)}") from None
        except UnicodeDecodeError:
            raise InvalidArgError(f"--password-file: {options.password_file}: not UTF-8") from None
    given = os.environ.get("AEROSPIKE_PASSWORD")
    if given is not None:
        return given
    if sys.stdin is None or not sys.stdin.isatty():
        raise InvalidArgError("there is no password: give --password-file, or AEROSPIKE_PASSWORD in the environment")
    # An interrupt has to raise here, so that getpass restores the terminal's echo.
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return getpass.getpass(f"Password of {options.user}: ")
    except KeyboardInterrupt:
        print(file=sys.stderr)  # ends the line of the prompt
        raise
    except (EOFError, UnicodeDecodeError):
        raise InvalidArgError(
            "password: nothing readable was entered; enter it again, or give --password-file, or AEROSPIKE_PASSWORD in "
            "the environment"
        ) from None
    finally:
        if before is signal.SIG_DFL:
            signal.signal(signal.SIGINT, before)


def _tls(options: argparse.Namespace) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.tls_ca)
        if options.tls_cert:
            context.load_cert_chain(options.tls_cert, options.tls_key)
    except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError
        words = reason(error) if isinstance(error, OSError) else error
        raise InvalidArgError(f"--tls-ca, --tls-cert, --tls-key: {words}") from None
    return context
