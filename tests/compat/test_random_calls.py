"""Random calls end with this package as they do with aerospike-py, but for what docs/differences.md has.

``aerospike_py-calls.jsonl`` is what ``programs/calls.py`` printed with aerospike-py 0.14.4 on a server of version
8.1.2. Made anew by::

    .venv-peers/bin/python tests/compat/programs/calls.py PORT 1 1000 brief > tests/data/aerospike_py-calls.jsonl
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.compat.background import BackgroundCluster

PROGRAM = Path(__file__).parent / "programs" / "calls.py"
RECORDED = Path(__file__).parent.parent / "data" / "aerospike_py-calls.jsonl"
PEERS = Path(os.environ.get("PEERS_PYTHON") or Path(__file__).parents[2] / ".venv-peers" / "bin" / "python")
HAS_LUA = importlib.util.find_spec("lupa") is not None

#: ``[number, name of the call, outcome, description]``; an outcome of ``["!", classes, code]`` is an error.
Line = list[Any]


def failed(outcome: Any) -> bool:
    return isinstance(outcome, list) and outcome[:1] == ["!"]


def described(line: Line) -> str:
    return " ".join(line[3])


#: Slips that the original ignores, takes for the default, or finds in the rows of a batch.
IGNORED_THERE = (
    "allowed: POLICY_", "allowed: BATCH_CONCURRENCY_", "allowed: QUERY_DURATION_", "allowed: an expression",
    "index_bit_count: got 99", "bin name must not be empty", "exceeds the 15-byte limit", "at least one operation",
    "info_all.command: got ''", "before_nanos: got -1", "meta['gen']: got",
)  # fmt: skip
#: Slips that the server finds there.
REFUSED_BY_THE_SERVER_THERE = (
    *IGNORED_THERE, "bins: got {}", "without checks of existence and generation", "ttl out of range", "allowed: an int",
    "allowed: a name of 1 to", "allowed: a str", "ClientConfig.",
)  # fmt: skip


def refused_here(theirs: Line, ours: Line) -> bool:
    """An invalid value is an InvalidArgError here."""
    if not failed(ours[2]) or "InvalidArgError" not in ours[2][1]:
        return False
    slips = REFUSED_BY_THE_SERVER_THERE if failed(theirs[2]) else IGNORED_THERE
    return any(slip in described(ours) for slip in slips)


def names_a_bin_twice(theirs: Line, ours: Line) -> bool:
    return theirs[1] in ("select", "batch_read") and not failed(theirs[2]) and not failed(ours[2])


def keeps_the_order_of_operations(theirs: Line, ours: Line) -> bool:
    if theirs[1] != "operate_ordered" or failed(theirs[2]) or failed(ours[2]):
        return False
    return theirs[2][:3] == ours[2][:3]


def has_the_servers_code(theirs: Line, ours: Line) -> bool:
    """Errors of the server that the original has as ClientError with code -1."""
    return failed(theirs[2]) and failed(ours[2]) and theirs[2][1][0] == "ClientError" and "ClientError" in ours[2][1]


def takes_more(theirs: Line, ours: Line) -> bool:
    """What the original refuses by itself and this package takes: None as a value, as a set's name; tuples."""
    return failed(theirs[2]) and theirs[2][1][0] in ("TypeError", "ValueError") and not refused_here(theirs, ours)


def reads_all_bins_beside_a_write(theirs: Line, ours: Line) -> bool:
    return theirs[1] in ("operate", "operate_ordered", "batch_operate") and "'bin': None" in described(theirs)


def puts_none_into_a_map(theirs: Line, ours: Line) -> bool:
    return "'op': 2002" in described(theirs) and "'val': None" in described(theirs)


def connects(theirs: Line, ours: Line) -> bool:
    """A configuration with a time of a millisecond, or a user on a server without users."""
    return theirs[1] == "configuration" and any(text in described(theirs) for text in ("'timeout': ", "'user': "))


#: What docs/differences.md says, a rule for each of its rows that such calls meet.
DOCUMENTED: list[Callable[[Line, Line], bool]] = [
    refused_here,
    names_a_bin_twice,
    keeps_the_order_of_operations,
    has_the_servers_code,
    takes_more,
    reads_all_bins_beside_a_write,
    puts_none_into_a_map,
    connects,
]


def same(theirs: Any, ours: Any) -> bool:
    """Equal results; or errors of which ours is of the original's class and has its code, where that has one."""
    if failed(theirs) and failed(ours):
        return theirs[1][0] in ours[1] and theirs[2] in (None, ours[2])
    return bool(theirs == ours)


def differences(theirs: list[Line], ours: list[Line]) -> list[tuple[Line, Line]]:
    assert [line[:2] for line in theirs] == [line[:2] for line in ours]
    return [
        (one, other)
        for one, other in zip(theirs, ours, strict=True)
        if not same(one[2], other[2]) and not any(rule(one, other) for rule in DOCUMENTED)
    ]


def lines(text: str) -> list[Line]:
    found = [json.loads(line) for line in text.splitlines()]
    assert found[-1:] == ["done"], found[-1:]
    return found[:-1]


def run(python: str | Path, port: int, seed: int, count: int, kind: str) -> list[Line]:
    left_out = [] if HAS_LUA else ["functions"]
    done = subprocess.run(
        [str(python), str(PROGRAM), str(port), str(seed), str(count), kind, *left_out],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONWARNINGS": "", "RUST_BACKTRACE": "0"},
    )
    assert done.stdout.rstrip().endswith('"done"'), done.stderr[-4000:]
    return lines(done.stdout)


@pytest.mark.parametrize("kind", ["sync", "asyncio"])
def test_random_calls_end_as_the_originals_did_on_a_real_server(start_cluster: Any, kind: str):
    cluster: BackgroundCluster = start_cluster(nodes=1)
    recorded = lines(RECORDED.read_text(encoding="utf-8"))
    found = run(sys.executable, cluster.hosts[0][1], 1, len(recorded), kind)
    for line, own in zip(recorded, found, strict=True):
        line.append(own[3])  # the record has no descriptions
        if own[2] == "left out":
            line[2] = own[2]
    assert differences(recorded, found) == []


@pytest.mark.peers
@pytest.mark.skipif(not PEERS.exists(), reason=f"no {PEERS}: make .venv-peers installs the published clients")
@pytest.mark.parametrize("seed", [101])
@pytest.mark.parametrize("kind", ["sync", "asyncio"])
def test_random_calls_end_alike_on_one_server(start_cluster: Any, seed: int, kind: str):
    cluster: BackgroundCluster = start_cluster(nodes=1)
    port = cluster.hosts[0][1]
    theirs = run(PEERS, port, seed, 300, kind)
    assert differences(theirs, run(sys.executable, port, seed, 300, kind)) == []


def test_few_calls_are_excused():
    """The rules are for what is documented, not for everything."""
    recorded = lines(RECORDED.read_text(encoding="utf-8"))
    good = [line for line in recorded if not failed(line[2])]
    assert len(good) > len(recorded) / 2
    for line in good[:200]:
        changed = [*line[:2], ["another result"], [""]]
        assert differences([[*line, [""]]], [changed]) or line[1] in ("select", "batch_read")
