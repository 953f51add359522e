"""Info commands about partitions: which node has which, and when that changed."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from ..._wire import constants as wire, info_cluster
from .registry import InfoRequest, bad_parameter, info_command, streaming_info_command

_PARTITION_HEAD = (
    "namespace:partition:state:n_replicas:replica:succession:n_dupl:working_master:proxy_dst:emigrates:"
    "lead_emigrates:immigrates:records:tombstones:regime:tree_id:version:final_version"
)


@info_command("partition-generation")
def _partition_generation(request: InfoRequest) -> str:
    return str(request.node.partition_generation)


@info_command("rebalance-generation")
def _rebalance_generation(request: InfoRequest) -> str:
    return str(request.node.rebalance_generation)


@info_command("replicas", "replicas-all")
def _replicas(request: InfoRequest) -> str:
    limit = 0
    if (text := request.optional("max", 4)) is not None:
        if not text.isdigit():
            raise bad_parameter("bad max")
        limit = int(text)
    shown = {name: bitmaps[: limit or None] for name, bitmaps in request.node.bitmaps().items()}
    if request.command == "replicas":
        regimes = request.node.stores
        return info_cluster.format_replicas({name: (regimes[name].config.regime, maps) for name, maps in shown.items()})
    return ";".join(f"{name}:{len(maps)}," + ",".join(map(_base64, maps)) for name, maps in shown.items())


@info_command("replicas-master")
def _replicas_master(request: InfoRequest) -> str:
    return ";".join(f"{name}:{_base64(bitmaps[0])}" for name, bitmaps in request.node.bitmaps().items())


def _base64(bitmap: bytes) -> str:
    return base64.b64encode(bitmap).decode("ascii")


@streaming_info_command("partition-info")
def _partition_info(request: InfoRequest) -> Iterator[str]:
    node = request.node
    yield _PARTITION_HEAD
    for name, store in node.stores.items():
        table = node.cluster.tables[name]
        for number in range(wire.N_PARTITIONS):
            replicas = table.replicas(number)
            master = table.master(number)
            place = replicas.index(node.name) if node.name in replicas else -1
            waits = place >= 0 and not table.serves_reads(node.name, number)
            has_records = table.has_records(node.name, number)
            state = ("D" if waits else "S") if place >= 0 else "Z" if has_records else "A"
            ordered = [*replicas, *sorted(set(node.cluster.members) - set(replicas))]
            succession = ordered.index(node.name) if node.name in ordered else -1
            suffix = f".0.{'m' if master == node.name else '-'}p-"
            final = f"{int(node.cluster.cluster_key, 16):012x}{suffix}"
            version = final if has_records else f"{0:012x}{suffix}"
            yield (
                f"{name}:{number}:{state}:{len(replicas)}:{place}:{succession}:0:"
                f"{node.name if master == node.name else 0}:{master}:0:0:{int(waits)}:"
                f"{len(store.trees[number])}:0:{store.config.regime}:{int(has_records)}:{version}:{final}"
            )
