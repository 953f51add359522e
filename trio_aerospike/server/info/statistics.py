"""Format the statistics of nodes, namespaces and sets, with the server's names and order (`statistics_tables`)."""

from __future__ import annotations

from collections.abc import Mapping

from ..sindex.node_indexes import INDEX_SIZE
from ..store import NamespaceStore
from .protocols import NodeView
from .statistics_tables import STRIPES, namespace_statistics, node_statistics

STORED_MULTIPLE = 16
"""The size of every stored record is a multiple of these bytes."""
_INDEX_ENTRY = 64
"""Bytes of a record in the primary index."""


def joined(pairs: Mapping[str, object], between: str = ";") -> str:
    """Format names and values as `name=value`."""
    return between.join(
        f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in pairs.items()
    )


def namespace_text(node: NodeView, store: NamespaceStore) -> str:
    """The answer to namespace/<name>: statistics, then configuration."""
    node.sweep(store)
    table = node.cluster.tables[store.config.name]
    counts = store.all_counts().values()
    objects = sum(count.objects for count in counts)
    size = sum(count.size for count in counts)
    masters, proles, others = _by_role(node, store, objects)
    migrating = len(table.pending())
    total = store.settings.number("storage-engine.data-size")
    statistics = namespace_statistics()
    blocks = size // STORED_MULTIPLE
    for stripe in range(STRIPES):
        # All stripes have the same size, as records are spread by their digests.
        used = STORED_MULTIPLE * (blocks // STRIPES + (stripe < blocks % STRIPES))
        statistics[f"storage-engine.stripe[{stripe}].used_bytes"] = used
    value_indexes = node.cluster.indexes.count(store.config.name)
    statistics.update(
        {
            "ns_cluster_size": len(node.cluster.members),
            "effective_replication_factor": table.columns,
            "objects": objects,
            "master_objects": masters,
            "prole_objects": proles,
            "non_replica_objects": others,
            "current_time": store.clock.seconds(),
            "non_expirable_objects": objects - sum(count.expirable for count in counts),
            "expired_objects": store.expired,
            "truncate_lut": store.config.truncation.namespace,
            "index_used_bytes": _INDEX_ENTRY * objects,
            "sindex_used_bytes": INDEX_SIZE * value_indexes,
            "data_total_bytes": total,
            "data_used_bytes": size,
            "data_used_pct": 100 * size // total,
            "data_avail_pct": 100 - 100 * size // total,
            "migrate_rx_partitions_remaining": migrating,
            "migrate_tx_partitions_remaining": migrating,
        }
    )
    statistics.update(node.counters)
    return f"{joined(statistics)};{joined(store.settings.values_with())}"


def _by_role(node: NodeView, store: NamespaceStore, objects: int) -> tuple[int, int, int]:
    """The numbers of records in partitions of which the node is master, another replica, or neither.

    While truncated or expired records wait for their removal, each role counts its share of the live records.
    """
    table = node.cluster.tables[store.config.name]
    masters = proles = held = 0
    for number, tree in enumerate(store.trees):
        if not tree:
            continue
        held += len(tree)
        if table.master(number) == node.name:
            masters += len(tree)
        elif table.serves_reads(node.name, number):
            proles += len(tree)
    if held != objects:
        masters, proles = masters * objects // held, proles * objects // held
    return masters, proles, objects - masters - proles


def node_text(node: NodeView) -> str:
    """The answer to statistics."""
    cluster = node.cluster
    principal = max(cluster.members, default=node.name)
    now = cluster.clock.unix()
    statistics = node_statistics()
    statistics.update(
        {
            "cluster_size": len(cluster.members) if node.joined else 1,
            "cluster_key": cluster.cluster_key,
            "cluster_generation": cluster.cluster_generation,
            "cluster_principal": principal,
            "cluster_integrity": node.joined,
            "cluster_is_member": node.joined,
            "uptime": int(now - node.started_at),
            "objects": sum(store.objects() for store in node.stores.values()),
            "client_connections": node.stats.connections_open,
            "client_connections_opened": node.stats.connections_total,
            "client_connections_closed": node.stats.connections_total - node.stats.connections_open,
            "info_complete": node.stats.requests["info"],
            "demarshal_error": node.demarshal_errors,
            "long_queries_active": len(node.queries.active),
            "batch_index_initiate": node.batches,
            "batch_index_complete": node.batches,
            "paxos_principal": principal,
            "time_since_rebalance": int(now - node.rebalanced_at),
            "migrate_allowed": node.joined,
            "migrate_partitions_remaining": sum(len(table.pending()) for table in cluster.tables.values()),
        }
    )
    return joined(statistics)
