"""A server of the Aerospike protocol in this process: for development, tests and demonstrations.

It keeps everything in memory and answers as a Community Edition 8.1.2 does. `open_embedded_cluster` runs it;
`trio-aerospike serve` starts it from a shell, `trio_aerospike.testing` from tests.
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
from .opening import open_embedded_cluster as open_embedded_cluster
from .security import UserSpec as UserSpec
from .store import NamespaceConfig as NamespaceConfig
