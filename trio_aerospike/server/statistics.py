"""What info commands tell of a node in numbers: the names are the server's, and only numbers that are kept appear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .store import NamespaceStore

if TYPE_CHECKING:
    from .node import EmbeddedNode


def _joined(pairs: dict[str, object]) -> str:
    return ";".join(
        f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in pairs.items()
    )


def namespace_text(node: EmbeddedNode, store: NamespaceStore) -> str:
    """The answer to namespace/<name>: statistics, then configuration."""
    store.purge()
    table = node.cluster.tables[store.config.name]
    masters = proles = others = never_expire = size = 0
    for number, tree in enumerate(store.trees):
        if not tree:
            continue
        if table.master(number) == node.name:
            masters += len(tree)
        elif table.serves_reads(node.name, number):
            proles += len(tree)
        else:
            others += len(tree)
        for record in tree.values():
            never_expire += not record.void_time
            size += record.size()
    migrating = len(table.pending())
    counts: dict[str, object] = {
        "ns_cluster_size": len(node.cluster.members),
        "effective_replication_factor": table.columns,
        "objects": masters + proles + others,
        "tombstones": 0,
        "master_objects": masters,
        "master_tombstones": 0,
        "prole_objects": proles,
        "prole_tombstones": 0,
        "non_replica_objects": others,
        "non_replica_tombstones": 0,
        "dead_partitions": 0,
        "unavailable_partitions": 0,
        "clock_skew_stop_writes": False,
        "stop_writes": False,
        "hwm_breached": False,
        "current_time": store.clock.seconds(),
        "non_expirable_objects": never_expire,
        "truncate_lut": store.config.truncation.namespace,
        "truncating": False,
        "data_used_bytes": size,
        "migrate_rx_partitions_remaining": migrating,
        "migrate_tx_partitions_remaining": migrating,
    }
    counts.update(node.counters)
    return f"{_joined(counts)};{namespace_config_text(store)}"


def namespace_config_text(store: NamespaceStore) -> str:
    """The configuration of a namespace, as far as it has one here."""
    config = store.config
    return _joined(
        {
            "allow-ttl-without-nsup": True,
            "apply-ttl-reductions": True,
            "conflict-resolution-policy": "last-update-time",
            "default-read-touch-ttl-pct": config.default_read_touch_ttl_percent,
            "default-ttl": config.default_ttl,
            "disallow-null-setname": False,
            "max-record-size": config.max_record_size,
            "nsup-period": 10,
            "rack-id": 0,
            "replication-factor": config.replication_factor,
            "strong-consistency": False,
            "index-type": "mem",
            "sindex-type": "mem",
            "storage-engine": "memory",
        }
    )


def service_config_text(node: EmbeddedNode) -> str:
    """The configuration of the service, as far as it has one here."""
    return _joined(
        {
            "cluster-name": node.cluster.cluster_name,
            "node-id": node.name,
            "proto-fd-idle-ms": 0,
            "proto-fd-max": 15000,
            "transaction-max-ms": 1000,
        }
    )


def sets_text(store: NamespaceStore, set_name: str | None) -> str:
    """The answer to sets, sets/<namespace> or sets/<namespace>/<set>, for one namespace."""
    store.purge()
    counts: dict[str, list[int]] = {}
    for record in store.records():
        if record.set_name:
            count = counts.setdefault(record.set_name, [0, 0])
            count[0] += 1
            count[1] += record.size()
    for name in store.config.truncation.sets:
        counts.setdefault(name, [0, 0])
    text = ""
    for name, (objects, size) in counts.items():
        if set_name is not None and name != set_name:
            continue
        prefix = f"ns={store.config.name}:set={name}:" if set_name is None else ""
        text += (
            f"{prefix}objects={objects}:tombstones=0:data_used_bytes={size}:"
            f"truncate_lut={store.config.truncation.sets.get(name, 0)}:sindexes=0:index_populating=false:"
            "truncating=false:default-read-touch-ttl-pct=0:default-ttl=0:disable-eviction=false:"
            "enable-index=false:stop-writes-count=0:stop-writes-size=0;"
        )
    return text


def node_text(node: EmbeddedNode) -> str:
    """The answer to statistics."""
    cluster = node.cluster
    objects = sum(1 for store in node.stores.values() for _ in store.records())
    principal = max(cluster.members, default=node.name)
    return _joined(
        {
            "cluster_size": len(cluster.members) if node.joined else 1,
            "cluster_key": cluster.cluster_key,
            "cluster_generation": cluster.cluster_generation,
            "cluster_principal": principal,
            "cluster_integrity": node.joined,
            "cluster_is_member": node.joined,
            "uptime": int(cluster.clock.unix() - node.started_at),
            "objects": objects,
            "tombstones": 0,
            "client_connections": node.stats.connections_open,
            "client_connections_opened": node.stats.connections_total,
            "client_connections_closed": node.stats.connections_total - node.stats.connections_open,
            "info_complete": node.stats.requests["info"],
            "migrate_allowed": node.joined,
            "migrate_partitions_remaining": sum(len(table.pending()) for table in cluster.tables.values()),
            "paxos_principal": principal,
        }
    )
