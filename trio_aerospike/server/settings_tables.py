"""Tables of configuration parameters of nodes, networks, namespaces and sets, in the order of `get-config`.

Defaults are the server's (as/src/base/cfg.c), with a storage in memory.
"""

from __future__ import annotations

from .settings import (
    NEVER,
    Setting,
    Settings,
    c_int,
    c_seconds,
    flag,
    loose,
    name_of,
    number,
    one_of,
    seconds,
    unsigned,
)

TTL_MAX = 10 * 365 * 24 * 60 * 60
_INTERVAL_MIN, _INTERVAL_MAX = 50, 600_000
_TIMEOUT_MIN = 3
_PERCENT = number(0, 100)


def _nonzero(text: str, settings: Settings) -> int:
    value = c_int(text)
    if not value:
        raise ValueError(text)
    return value & 0xFFFF_FFFF


def _may_expire(settings: Settings) -> bool:
    """Whether records may expire: nsup removes them, or that is not required."""
    return settings.number("nsup-period") != 0 or settings.flag("allow-ttl-without-nsup")


def _default_ttl(text: str, settings: Settings) -> int:
    value = c_seconds(text)
    if value > TTL_MAX or (value and not _may_expire(settings)):
        raise ValueError(text)
    return value


def _set_default_ttl(text: str, settings: Settings) -> int:
    value = c_seconds(text)
    if value != NEVER and (value > TTL_MAX or not _may_expire(settings.above or settings)):
        raise ValueError(text)
    return value


def _connect_timeout(text: str, settings: Settings) -> int:
    value = c_int(text)
    if not _INTERVAL_MIN <= value <= settings.number("heartbeat.interval") * settings.number("heartbeat.timeout") // 3:
        raise ValueError(text)
    return value


def _interval(text: str, settings: Settings) -> int:
    value = c_int(text)
    longest = value * settings.number("heartbeat.timeout") // 3
    if not _INTERVAL_MIN <= value <= _INTERVAL_MAX or settings.number("heartbeat.connect-timeout-ms") > longest:
        raise ValueError(text)
    return value


def _timeout(text: str, settings: Settings) -> int:
    value = c_int(text)
    longest = settings.number("heartbeat.interval") * value // 3
    if value < _TIMEOUT_MIN or settings.number("heartbeat.connect-timeout-ms") > longest:
        raise ValueError(text)
    return value


SERVICE = (
    Setting("advertise-ipv6", False, flag),
    Setting("auto-pin", "none"),
    Setting("batch-index-threads", 4, number(0, 256)),
    Setting("batch-max-buffers-per-queue", 255, number()),
    Setting("batch-max-requests", 0, number()),
    Setting("batch-max-unused-buffers", 256, number()),
    Setting("cgroup-mem-tracking", False, flag),
    Setting("cluster-name", "docker", name_of(64)),
    Setting("debug-allocations", False),
    Setting("disable-udf-execution", False),
    Setting("enable-benchmarks-fabric", False, flag),
    Setting("enable-health-check", False, flag),
    Setting("enable-hist-info", False, flag),
    Setting("enforce-best-practices", False),
    Setting("indent-allocations", False),
    Setting("info-max-ms", 10_000, number(500, 10_000)),
    Setting("info-threads", 16, number(1, 256)),
    Setting("keep-caps-ssd-health", False),
    Setting("log-local-time", False),
    Setting("log-millis", False),
    Setting("microsecond-histograms", False, flag),
    Setting("migrate-fill-delay", 0),
    Setting("migrate-max-num-incoming", 4, number(0, 256)),
    Setting("migrate-threads", 1, number(0, 100)),
    Setting("min-cluster-size", 1, number(0)),
    Setting("node-id", ""),
    Setting("node-id-interface", "null"),
    Setting("os-group-perms", False),
    Setting("pidfile", "null"),
    Setting("poison-allocations", False),
    Setting("proto-fd-idle-ms", 0, number(0)),
    Setting("proto-fd-max", 15_000, number(1024)),
    Setting("quarantine-allocations", 0),
    Setting("query-max-done", 100, number(0, 10_000)),
    Setting("query-threads-limit", 128, number(1, 1024)),
    Setting("run-as-daemon", True),
    Setting("secrets-address-port", "null"),
    Setting("secrets-tls-context", "null"),
    Setting("secrets-uds-path", "null"),
    Setting("service-threads", 4, number(1, 4096)),
    Setting("sindex-builder-threads", 4, number(-1 << 31, 32)),
    Setting("sindex-gc-period", 10, number()),
    Setting("stay-quiesced", False),
    Setting("ticker-interval", 10, number()),
    Setting("tls-refresh-period", 0),
    Setting("transaction-max-ms", 1000, number()),
    Setting("transaction-retry-ms", 1002, _nonzero),
    Setting("vault-ca", "null"),
    Setting("vault-namespace", "null"),
    Setting("vault-path", "null"),
    Setting("vault-token-file", "null"),
    Setting("vault-url", "null"),
    Setting("work-directory", "/opt/aerospike"),
)
"""Parameters of the node."""

NETWORK = (
    Setting("service.port", 0),
    Setting("service.address", "any"),
    Setting("service.access-port", 0),
    Setting("service.access-address", ""),
    Setting("service.alternate-access-port", 0),
    Setting("service.alternate-access-address", ""),
    Setting("service.tls-port", 0),
    Setting("service.tls-access-port", 0),
    Setting("service.tls-alternate-access-port", 0),
    Setting("service.tls-name", "null"),
    Setting("service.disable-localhost", False),
    Setting("admin.port", 0),
    Setting("admin.tls-port", 0),
    Setting("admin.tls-name", "null"),
    Setting("admin.disable-localhost", False),
    Setting("heartbeat.mode", "mesh"),
    Setting("heartbeat.address", "any"),
    Setting("heartbeat.port", 3002),
    Setting("heartbeat.tls-port", 0),
    Setting("heartbeat.tls-name", "null"),
    Setting("heartbeat.interval", 150, _interval),
    Setting("heartbeat.timeout", 10, _timeout),
    Setting("heartbeat.connect-timeout-ms", 500, _connect_timeout),
    Setting("heartbeat.mtu", 65_536, number()),
    Setting("heartbeat.protocol", "v3", one_of("v3", "reset", "none")),
    Setting("fabric.address", "any"),
    Setting("fabric.tls-port", 0),
    Setting("fabric.tls-name", "null"),
    Setting("fabric.channel-bulk-fds", 2),
    Setting("fabric.channel-bulk-recv-threads", 4, number(1, 128)),
    Setting("fabric.channel-ctrl-fds", 1),
    Setting("fabric.channel-ctrl-recv-threads", 4, number(1, 128)),
    Setting("fabric.channel-meta-fds", 1),
    Setting("fabric.channel-meta-recv-threads", 4, number(1, 128)),
    Setting("fabric.channel-rw-fds", 8),
    Setting("fabric.channel-rw-recv-pools", 1),
    Setting("fabric.channel-rw-recv-threads", 16, number(1, 128)),
    Setting("fabric.keepalive-enabled", True),
    Setting("fabric.keepalive-intvl", 1),
    Setting("fabric.keepalive-probes", 10),
    Setting("fabric.keepalive-time", 1),
    Setting("fabric.latency-max-ms", 5),
    Setting("fabric.port", 3001),
    Setting("fabric.recv-rearm-threshold", 1024, number(0, 1 << 20)),
    Setting("fabric.send-threads", 8),
)
"""Parameters of the node's network."""

NAMESPACE = (
    Setting("active-rack", 0),
    Setting("allow-ttl-without-nsup", True, flag),
    Setting("apply-ttl-reductions", True, flag),
    Setting("auto-revive", False),
    Setting("background-query-max-rps", 10_000, number(1, 1_000_000)),
    Setting("conflict-resolution-policy", "generation", one_of("generation", "last-update-time")),
    Setting("conflict-resolve-writes", False),
    Setting("default-read-touch-ttl-pct", 0, number(0, 100)),
    Setting("default-ttl", 0, _default_ttl),
    Setting("disable-cold-start-eviction", False),
    Setting("disable-mrt-writes", False),
    Setting("disable-write-dup-res", False, flag),
    Setting("disallow-expunge", False),
    Setting("disallow-null-setname", False, flag),
    Setting("enable-benchmarks-batch-sub", False, flag),
    Setting("enable-benchmarks-ops-sub", False, flag),
    Setting("enable-benchmarks-read", False, flag),
    Setting("enable-benchmarks-udf", False, flag),
    Setting("enable-benchmarks-udf-sub", False, flag),
    Setting("enable-benchmarks-write", False, flag),
    Setting("enable-hist-proxy", False, flag),
    Setting("evict-hist-buckets", 10_000, number(100, 10_000_000)),
    Setting("evict-indexes-memory-pct", 0, _PERCENT),
    Setting("evict-tenths-pct", 5, loose(32)),
    Setting("force-long-queries", False, flag),
    Setting("ignore-migrate-fill-delay", False),
    Setting("index-stage-size", 1_073_741_824),
    Setting("indexes-memory-budget", 0, unsigned()),
    Setting("inline-short-queries", False, flag),
    Setting("max-record-size", 1_048_576, number(64, 8 << 20)),
    Setting("migrate-order", 5, number(1, 10)),
    Setting("migrate-retransmit-ms", 5000, number()),
    Setting("migrate-skip-unreadable", False, flag),
    Setting("migrate-sleep", 1, number()),
    Setting("mrt-duration", 0),
    Setting("nsup-hist-period", 3600, seconds()),
    Setting("nsup-period", 1, seconds()),
    Setting("nsup-threads", 1, number(1, 128)),
    Setting("partition-tree-sprigs", 256),
    Setting("prefer-uniform-balance", False),
    Setting("rack-id", 0),
    Setting("read-consistency-level-override", "off", one_of("all", "off", "one")),
    Setting("reject-non-xdr-writes", False, flag),
    Setting("reject-xdr-writes", False, flag),
    Setting("replication-factor", 2, number(1, 8)),
    Setting("sindex-stage-size", 1_073_741_824),
    Setting("single-query-threads", 4, number(1, 128)),
    Setting("stop-writes-sys-memory-pct", 90, _PERCENT),
    Setting("strong-consistency", False),
    Setting("strong-consistency-allow-expunge", False),
    Setting("tomb-raider-eligible-age", 86_400),
    Setting("tomb-raider-period", 86_400),
    Setting("tomb-raider-unmark-threads", 0),
    Setting("transaction-pending-limit", 20, number()),
    Setting("truncate-threads", 4, number(1, 128)),
    Setting("write-commit-level-override", "off", one_of("all", "master", "off")),
    Setting("xdr-bin-tombstone-ttl", 86_400),
    Setting("xdr-tomb-raider-period", 120),
    Setting("xdr-tomb-raider-threads", 1),
    Setting("geo2dsphere-within.strict", True),
    Setting("geo2dsphere-within.min-level", 1, number(0, 30)),
    Setting("geo2dsphere-within.max-level", 20, number(0, 30)),
    Setting("geo2dsphere-within.max-cells", 12, number(1, 256)),
    Setting("geo2dsphere-within.level-mod", 1),
    Setting("geo2dsphere-within.earth-radius-meters", 6_371_000),
    Setting("index-type", "mem"),
    Setting("sindex-type", "mem"),
    Setting("storage-engine", "memory"),
    Setting("storage-engine.stripe[0]", "stripe-0"),
    Setting("storage-engine.stripe[1]", "stripe-1"),
    Setting("storage-engine.stripe[2]", "stripe-2"),
    Setting("storage-engine.stripe[3]", "stripe-3"),
    Setting("storage-engine.stripe[4]", "stripe-4"),
    Setting("storage-engine.stripe[5]", "stripe-5"),
    Setting("storage-engine.stripe[6]", "stripe-6"),
    Setting("storage-engine.stripe[7]", "stripe-7"),
    Setting("storage-engine.commit-to-device", False),
    Setting("storage-engine.compression", "none"),
    Setting("storage-engine.compression-acceleration", 0),
    Setting("storage-engine.compression-level", 0),
    Setting("storage-engine.data-size", 2_147_483_648),
    Setting("storage-engine.defrag-lwm-pct", 50, number()),
    Setting("storage-engine.defrag-queue-min", 0, number()),
    Setting("storage-engine.defrag-sleep", 1000, number()),
    Setting("storage-engine.defrag-startup-minimum", 0),
    Setting("storage-engine.direct-files", False),
    Setting("storage-engine.disable-odsync", False),
    Setting("storage-engine.enable-benchmarks-storage", False, flag),
    Setting("storage-engine.encryption-key-file", "null"),
    Setting("storage-engine.encryption-old-key-file", "null"),
    Setting("storage-engine.evict-used-pct", 0, _PERCENT),
    Setting("storage-engine.filesize", 0),
    Setting("storage-engine.flush-max-ms", 1000, number()),
    Setting("storage-engine.max-write-cache", 67_108_864, unsigned(64 << 20)),
    Setting("storage-engine.stop-writes-avail-pct", 5, _PERCENT),
    Setting("storage-engine.stop-writes-used-pct", 70, _PERCENT),
    Setting("storage-engine.tomb-raider-sleep", 1000),
)
"""Parameters of a namespace on a node."""

SET = (
    Setting("default-read-touch-ttl-pct", 0, number(-1, 100)),
    Setting("default-ttl", 0, _set_default_ttl),
    Setting("disable-eviction", False, flag),
    Setting("enable-index", False, flag),
    Setting("stop-writes-count", 0, loose(64)),
    Setting("stop-writes-size", 0, unsigned()),
)
"""Parameters of a set on a node."""
