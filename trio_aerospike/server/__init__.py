"""Embedded Aerospike server in this process, for development, tests and demonstrations.

It keeps all data in memory and answers like a Community Edition 8.1.2. `open_embedded_cluster` runs it;
`trio-aerospike serve` starts it from a shell, `trio_aerospike.testing` from tests.

Layers, each of which imports only from those below it, type annotations included:

- `opening`: `open_embedded_cluster`
- `cluster`: membership, partition map, replication, migrations
- `node`: one node: dispatch of requests, tasks, listening (`listener`)
- `command_executor`: rights, owner, statistics and replication of commands on records
- `connection`: requests and responses of one client, faults of tests
- `info`: info commands, in a registry (`info.registry`)
- `query`: basic queries, aggregations, background jobs
- `udf`, `batch`: calls of Lua functions on records; rows of batches
- `sindex`: secondary indexes
- `record_commands`, `operations`, `filters`, `record_requests`: commands on single records
- `expressions`: compiler and evaluation
- `store`, `record`, `set_counts`, `settings`, `partitions`, `clock`: records, their metadata, who owns them
- `particles`, and the types of values: `cdt` (lists, maps), `bits`, `hll`, `geo`; `security`: users, roles, sessions
- `values`, `exceptions`, `blob_arguments`, and modules on their own: `transport`, `memory_network`, `faults`,
  `latencies`, `time_slices`, `wyhash`

A layer that needs something from above gets it as a small protocol (`info.protocols`, `query.protocols`, `IndexHost`,
`ConnectionHost`, `ExecutionHost`, `NodeCluster`) or as a callable (`cdt.paths.CompileExpression`). Of the rest of the
package the server imports only `_wire`, `errors`, `_lua`, `fairness` and `_trio_guard`.
"""

from __future__ import annotations

from .._wire.admin_messages import AdminMessage as AdminMessage
from .._wire.messages import Message as Message
from .cluster import EmbeddedCluster as EmbeddedCluster
from .faults import (
    Fault as Fault,
    NodeStats as NodeStats,
    Reply as Reply,
    Request as Request,
    RequestHook as RequestHook,
    RequestKind as RequestKind,
    Verdict as Verdict,
)
from .node import EmbeddedNode as EmbeddedNode
from .open_cluster import open_embedded_cluster as open_embedded_cluster
from .security import UserSpec as UserSpec
from .store import NamespaceConfig as NamespaceConfig
