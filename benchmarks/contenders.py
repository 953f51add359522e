"""The contenders: for each its worker module and its environment."""

from __future__ import annotations

from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parent.parent
OURS = ROOT / ".venv" / "bin" / "python"
PEERS = ROOT / ".venv-peers" / "bin" / "python"


@attrs.frozen
class Contender:
    """A client under test.

    Attributes:
        name: Its name on the command line and in the table.
        module: The worker, run with `python -m`.
        python: The interpreter of its environment.
        needs: The import that must work there; otherwise the contender is left out, with a message.
        connections: For the bare loop, connections to each node.
        max_conns: Overrides the limit of connections to a node: a client that fails rather than waits when all are in
            use needs as many as there are operations in flight.
        batch: Whether it supports batches.
    """

    name: str
    module: str
    python: Path
    needs: str
    connections: int = 1
    max_conns: int | None = None
    batch: bool = True


CONTENDERS = (
    Contender("trio_aerospike", "native_trio", OURS, "trio_aerospike"),
    Contender("compat asyncio", "aerospike_py_async", OURS, "aerospike_py"),
    Contender("compat sync", "aerospike_py_sync", OURS, "aerospike_py"),
    Contender("aerospike", "aerospike_c", PEERS, "aerospike", max_conns=1100),
    Contender("aerospike-py asyncio", "aerospike_py_async", PEERS, "aerospike_py"),
    Contender("aerospike-py sync", "aerospike_py_sync", PEERS, "aerospike_py", max_conns=1100),
    Contender("aerospike_native", "native", PEERS, "aerospike_native"),
    Contender("bare", "bare", OURS, "json", batch=False),
    Contender("bare wide", "bare", OURS, "json", connections=8, batch=False),
)
BY_NAME = {contender.name: contender for contender in CONTENDERS}
