"""What the published documentation shows in code, written anew as programs: ours print what the published package does.

The programs are in ``guides``; ``guides/run.py`` runs one of them in whatever environment it is started. What stands in
``guides/expected`` is what aerospike-py 0.14.4 printed with a real server of version 8.1.2 (with users, the embedded
one: a Community Edition has none), written by its synchronous client:

    .venv-peers/bin/python tests/compat/guides/run.py reading sync 127.0.0.1:3000 > tests/compat/guides/expected/...

With AEROSPIKE_HOSTS set, both packages run on that server as well.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.background import BackgroundCluster
from trio_aerospike.testing import UserSpec

GUIDES = Path(__file__).parent / "guides"
PEERS = Path(os.environ.get("PEERS_PYTHON") or Path(__file__).parents[2] / ".venv-peers" / "bin" / "python")
REAL_HOSTS = os.environ.get("AEROSPIKE_HOSTS", "")
PROGRAMS = sorted(path.stem for path in (GUIDES / "expected").glob("*.txt"))
ADMIN = ("admin", "secret")

#: Where we do otherwise on purpose: what ours prints, and why.
OURS = {
    # The published operate_ordered gathers results by bin, in the order of a hash table.
    ("lists", "in order"): "[('list', 5), ('list', 85), ('list', 5)]",
    ("writing", "in order"): "[('counter', 2), ('name', 'Bobby')]",
    # Its documentation says UDFError, and IndexFoundError; it raises its error for what it has no other for.
    ("functions", "fails"): "UDFError (100)",
    ("functions", "no such function"): "UDFError (100)",
    ("functions", "no such module"): "UDFError (100)",
    (
        "queries",
        "an index of another type",
    ): "IndexFoundError (200)",
    # It raises ValueError and TypeError of Python's own for some arguments, beside InvalidArgError for others.
    ("errors", "name of a bin too long"): "InvalidArgError (-1)",
    ("errors", "invalid key"): "InvalidArgError (-1)",
    ("observability", "and so is this"): "InvalidArgError (-1)",
    # It tries until the time is up.
    ("errors", "no such namespace"): "ServerError (20)",
    # It leaves out what a user reads and writes.
    ("administration", "fields of a user"): "['conns_in_use', 'read_info', 'roles', 'user', 'write_info']",
}


@pytest.fixture(scope="module")
def secured_cluster() -> Iterator[BackgroundCluster]:
    """Two nodes with users."""
    roles = ("user-admin", "sys-admin", "data-admin", "read-write")
    with BackgroundCluster(nodes=2, users={ADMIN[0]: UserSpec(ADMIN[1], roles=roles)}) as cluster:
        yield cluster


def printed(python: Path | str, name: str, kind: str, address: str, *login: str) -> list[str]:
    """What a program prints, with the package of some environment."""
    command = [str(python), str(GUIDES / "run.py"), name, kind, address, *login]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL)
    lines = done.stdout.splitlines()
    assert lines and lines[-1] == "done", done.stdout[-2000:] + done.stderr[-2000:]
    if str(python) == sys.executable:
        # Truncating is warned of, as in the original.
        said = [
            line for line in done.stderr.splitlines() if not line.lower().removeprefix("async ").startswith("trunc")
        ]
        assert (done.returncode, said) == (0, [])
    return lines


def told(name: str, lines: list[str]) -> list[str]:
    """Lines without those in which the packages differ."""
    return [line for line in lines if (name, line.partition(": ")[0]) not in OURS]


def expected(name: str) -> list[str]:
    return (GUIDES / "expected" / f"{name}.txt").read_text().splitlines()


def where(name: str, cluster: BackgroundCluster, secured: BackgroundCluster) -> list[str]:
    """The arguments that lead to the server of a program."""
    host, port = (secured if name == "administration" else cluster).hosts[0]
    return [f"{host}:{port}", *(ADMIN if name == "administration" else ())]


def kinds(name: str) -> list[str]:
    return ["asyncio"] if name == "coroutines" else ["sync", "asyncio"]


RUNS = [pytest.param(name, kind, id=f"{name}-{kind}") for name in PROGRAMS for kind in kinds(name)]
needs_peers = [
    pytest.mark.peers,
    pytest.mark.skipif(not PEERS.exists(), reason=f"no {PEERS}: make peers installs the published clients"),
]
needs_real = pytest.mark.skipif(not REAL_HOSTS, reason="AEROSPIKE_HOSTS is not set")


def check_ours(name: str, lines: list[str]) -> None:
    assert told(name, lines) == told(name, expected(name))
    ours = {(name, line.partition(": ")[0]): line.partition(": ")[2] for line in lines}
    assert {key: ours.get(key) for key in OURS if key[0] == name} == {
        key: text for key, text in OURS.items() if key[0] == name
    }


def skip_what_cannot_be(name: str, python: Path | str = sys.executable) -> None:
    if name == "functions" and importlib.util.find_spec("lupa") is None:
        pytest.skip("the embedded server runs Lua with lupa")
    if name == "arrays" and subprocess.run([str(python), "-c", "import numpy"], capture_output=True).returncode:
        pytest.skip(f"{python} has no NumPy")


@pytest.mark.parametrize(("name", "kind"), RUNS)
def test_ours_prints_what_the_published_package_printed_with_a_real_server(
    name: str, kind: str, shared_cluster: BackgroundCluster, secured_cluster: BackgroundCluster
) -> None:
    skip_what_cannot_be(name)
    check_ours(name, printed(sys.executable, name, kind, *where(name, shared_cluster, secured_cluster)))


@pytest.mark.parametrize(("name", "kind"), [pytest.param(*run.values, id=run.id, marks=needs_peers) for run in RUNS])
def test_the_published_package_prints_it_with_the_embedded_server_too(
    name: str, kind: str, shared_cluster: BackgroundCluster, secured_cluster: BackgroundCluster
) -> None:
    skip_what_cannot_be(name, PEERS)
    lines = printed(PEERS, name, kind, *where(name, shared_cluster, secured_cluster))
    assert told(name, lines) == told(name, expected(name))


@needs_real
@pytest.mark.parametrize("python", [sys.executable, pytest.param(PEERS, marks=needs_peers)], ids=["ours", "published"])
@pytest.mark.parametrize(("name", "kind"), [run for run in RUNS if run.values[0] != "administration"])
def test_both_print_it_with_a_real_server(name: str, kind: str, python: Path | str) -> None:
    skip_what_cannot_be(name, python)
    lines = printed(python, name, kind, REAL_HOSTS.split(",")[0])
    assert told(name, lines) == told(name, expected(name))


def test_every_program_has_been_run_by_the_published_package() -> None:
    programs = {path.stem for path in GUIDES.glob("*.py")} - {"run"}
    assert programs == set(PROGRAMS)
    labels = {(name, line.partition(": ")[0]) for name in PROGRAMS for line in expected(name)}
    assert set(OURS) <= labels
