"""Run the `trio-aerospike` command as a shell does."""

from __future__ import annotations

import os
import shlex
import sys

import attrs
import trio

from tests.integration.conftest import Target

COMMAND = [sys.executable, "-c", "import sys; from trio_aerospike._cli import main; sys.exit(main())"]


@attrs.frozen
class Result:
    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """The environment without what would change the command's behaviour."""
    unwanted = ("AEROSPIKE", "PYTHONUNBUFFERED", "PYTHONIOENCODING", "LC_", "LANG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**kept, **more}


def hosts_of(target: Target) -> str:
    if isinstance(target.hosts, str):
        return target.hosts
    return ",".join(f"{host}:{port}" for host, port in target.hosts)


async def run(target: Target, *arguments: str, stdin: bytes = b"", **variables: str) -> Result:
    """Run the command."""
    return await _run([*COMMAND, *arguments], target, stdin, variables)


async def shell(target: Target, line: str, *, stdin: bytes = b"", **variables: str) -> Result:
    """Run a line of bash, in which `$T` is the command."""
    command = " ".join(map(shlex.quote, COMMAND))
    return await _run(["bash", "-c", line.replace("$T", command)], target, stdin, variables)


async def _run(command: list[str], target: Target, stdin: bytes, variables: dict[str, str]) -> Result:
    variables.setdefault("AEROSPIKE_HOSTS", hosts_of(target))
    with trio.fail_after(60):
        done = await trio.run_process(
            command,
            stdin=stdin,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env=environment(**variables),
        )
    result = Result(done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace"))
    assert "Traceback" not in result.err and "internal error" not in result.err, result
    return result
