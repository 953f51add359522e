"""The options that all commands share which talk to a cluster, and what becomes of their errors."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import trio

from .._client import Client, open_client
from ..config import AuthMode, ClientConfig
from ..errors import AerospikeError, ClusterError, ConnectionFailed, InvalidArgError
from .terminal import complain

#: Exit codes; argparse itself ends with 2 for a wrong command line.
OK, FAILED, WRONG, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130

EXIT_CODES = (
    "exit codes: 0 done; 1 the database refused something, or a record is not there; 2 a wrong command line or wrong "
    "input; 3 no server can be reached; 130 ended by Ctrl-C"
)

Command = Callable[[Client, argparse.Namespace], Awaitable[int]]


def add_options(parser: argparse.ArgumentParser, command: Command) -> None:
    """The options that say which cluster, and how to reach it."""
    parser.epilog = EXIT_CODES
    group = parser.add_argument_group("cluster")
    group.add_argument(
        "--hosts",
        default=os.environ.get("AEROSPIKE_HOSTS") or "127.0.0.1:3000",
        metavar="HOST:PORT,...",
        help="seeds, any of which leads to all nodes (default: $AEROSPIKE_HOSTS, or 127.0.0.1:3000)",
    )
    group.add_argument("--cluster-name", default="", metavar="NAME", help="what the cluster has to call itself")
    group.add_argument("--services-alternate", action="store_true", help="use the alternate addresses of the nodes")
    group.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="for each step (default: 10)")
    group = parser.add_argument_group("login")
    group.add_argument("--user", default="", metavar="NAME", help="log in as this user")
    group.add_argument(
        "--password-file",
        metavar="FILE",
        help="its first line is the password; otherwise $AEROSPIKE_PASSWORD, or the terminal is asked",
    )
    group.add_argument("--auth", choices=["internal", "external", "pki"], default="internal", help="who knows the user")
    group = parser.add_argument_group("TLS")
    group.add_argument("--tls", action="store_true", help="speak TLS")
    group.add_argument("--tls-ca", metavar="FILE", help="the authority of the servers' certificates")
    group.add_argument("--tls-cert", metavar="FILE", help="our certificate, with its key")
    group.add_argument("--tls-key", metavar="FILE", help="its key, where that is in another file")
    parser.set_defaults(run=lambda options: trio.run(_run, command, options))


async def _run(command: Command, options: argparse.Namespace) -> int:
    """Connect and carry out the command; a signal ends it in good order."""
    ended: list[int] = []
    code = FAILED
    watching = trio.CancelScope(shield=True)
    async with trio.open_nursery() as nursery:

        async def watch(task_status: trio.TaskStatus[None]) -> None:
            with watching, trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                task_status.started()
                async for number in signals:
                    if ended:
                        # What is being tidied up may take too long for somebody: a second signal waits for nothing.
                        signal.signal(number, signal.SIG_DFL)
                        os.kill(os.getpid(), number)
                    ended.append(number)
                    nursery.cancel_scope.cancel()

        await nursery.start(watch)
        try:
            async with connected(options) as client:
                code = await command(client, options)
        except InvalidArgError as error:
            complain(error)
            code = WRONG
        except (ClusterError, ConnectionFailed) as error:
            complain(error)
            code = UNREACHABLE
        except AerospikeError as error:
            complain(error)
            code = FAILED
        except BrokenPipeError:
            # Whoever read the output has enough: as other tools do, end without a word.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = FAILED
        finally:
            watching.cancel()
        nursery.cancel_scope.cancel()
    return 128 + ended[0] if ended else code


@contextlib.asynccontextmanager
async def connected(options: argparse.Namespace) -> AsyncIterator[Client]:
    """A client of the cluster that the options name."""
    fields: dict[str, Any] = {
        "cluster_name": options.cluster_name,
        "timeout": options.timeout,
        "use_services_alternate": options.services_alternate,
        "auth_mode": AuthMode[options.auth.upper()],
    }
    if options.user:
        fields["user"] = options.user
        fields["password"] = await trio.to_thread.run_sync(_password, options)
    if options.tls or options.tls_ca or options.tls_cert:
        fields["tls"] = _tls(options)
    config = ClientConfig(options.hosts, **fields)
    limit = config.timeout
    config = config.replace(
        read_policy=config.read_policy.replace(total_timeout=limit),
        write_policy=config.write_policy.replace(total_timeout=limit),
        info_policy=config.info_policy.replace(timeout=limit),
    )
    async with open_client(config) as client:
        yield client


def _password(options: argparse.Namespace) -> str:
    if options.password_file:
        try:
            with open(options.password_file, encoding="utf-8") as file:
                return file.readline().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidArgError(f"--password-file: {error}") from None
    given = os.environ.get("AEROSPIKE_PASSWORD")
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise InvalidArgError("there is no password: give --password-file, or AEROSPIKE_PASSWORD in the environment")
    return getpass.getpass(f"Password of {options.user}: ")


def _tls(options: argparse.Namespace) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.tls_ca)
        if options.tls_cert:
            context.load_cert_chain(options.tls_cert, options.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise InvalidArgError(f"--tls-ca, --tls-cert, --tls-key: {error}") from None
    return context
