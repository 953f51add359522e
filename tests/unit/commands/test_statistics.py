"""Statistics of nodes are parsed into objects, and those of several nodes are added up."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime

import attrs
import pytest

from trio_aerospike._commands import statistics_parsing as statistics
from trio_aerospike.errors import InvalidArgError, ProtocolError

NODE = (
    "cluster_size=3;cluster_key=100000000000;uptime=4446;heap_efficiency_pct=99;objects=54806;tombstones=2;"
    "client_connections=8;batch_index_queue=0:0,0:0;batch_index_proto_compression_ratio=1.000;migrate_allowed=true;"
    "migrate_partitions_remaining=7"
)
NAMESPACE = (
    "ns_cluster_size=3;effective_replication_factor=2;objects=54806;tombstones=3;master_objects=27322;"
    "master_tombstones=1;prole_objects=27484;prole_tombstones=2;non_replica_objects=0;dead_partitions=4;"
    "unavailable_partitions=5;stop_writes=false;truncate_lut=533077250623;data_used_bytes=5302704;"
    "migrate_tx_partitions_remaining=10;migrate_rx_partitions_remaining=20;client_read_success=7271;"
    "record_proto_compression_ratio=1.500;default-ttl=0;strong-consistency=false;storage-engine=memory;"
    "storage-engine.data-size=1073741824"
)


def test_a_node_tells_numbers_and_all_else_by_name() -> None:
    node = statistics.node_statistics("A1", "8.1.2.0", "Aerospike Community Edition", NODE)
    assert (node.node, node.build, node.edition) == ("A1", "8.1.2.0", "Aerospike Community Edition")
    assert (node.cluster_size, node.cluster_key, node.uptime) == (3, "100000000000", 4446)
    assert (node.objects, node.tombstones, node.client_connections, node.migrations) == (54806, 2, 8, 7)
    assert node.values["heap_efficiency_pct"] == 99
    assert node.values["migrate_allowed"] is True
    assert node.values["batch_index_queue"] == "0:0,0:0"


def test_nodes_that_see_different_clusters_do_not_agree() -> None:
    one = statistics.node_statistics("A1", "", "", NODE)
    other = statistics.node_statistics("A2", "", "", NODE.replace("cluster_size=3", "cluster_size=2"))
    third = statistics.node_statistics("A3", "", "", NODE.replace("cluster_key=1", "cluster_key=F"))
    both = statistics.cluster_statistics({"A1": one, "A2": other})
    assert both.agreed
    assert (both.cluster_size, both.copies, both.client_connections, both.migrations) == (3, 2 * 54806, 16, 14)
    assert not statistics.cluster_statistics({"A1": one, "A3": third}).agreed


def test_a_namespace_counts_each_record_at_its_master() -> None:
    one = statistics.namespace_on_node("test", "A1", NAMESPACE)
    assert (one.master_objects, one.prole_objects, one.objects, one.migrations) == (27322, 27484, 54806, 30)
    assert one.truncated_before == datetime(2026, 11, 22, 21, 0, 50, 623000, UTC)
    assert (one.default_ttl, one.strong_consistency, one.storage, one.stop_writes) == (0, False, "memory", False)
    other = statistics.namespace_on_node(
        "test", "A2", NAMESPACE.replace("stop_writes=false", "stop_writes=true").replace("lut=533077250623", "lut=0")
    )
    assert other.truncated_before is None
    both = statistics.namespace_info("test", {"A1": one, "A2": other})
    assert (both.objects, both.copies, both.tombstones, both.replication_factor) == (2 * 27322, 2 * 54806, 2, 2)
    assert (both.data_used_bytes, both.stop_writes, both.migrations) == (2 * 5302704, True, 60)
    assert (both.dead_partitions, both.unavailable_partitions) == (4, 5)
    assert both.truncated_before == one.truncated_before
    assert both.by_node == {"A1": one, "A2": other}


def test_of_times_to_live_that_differ_the_longest_is_reported() -> None:
    nodes = {
        name: statistics.namespace_on_node("test", name, NAMESPACE.replace("default-ttl=0", f"default-ttl={ttl}"))
        for name, ttl in (("A1", 10), ("A2", 20), ("A3", 0))
    }
    assert statistics.namespace_info("test", nodes).default_ttl == 0
    del nodes["A3"]
    assert statistics.namespace_info("test", nodes).default_ttl == 20


def test_servers_that_do_not_tell_bytes_have_none() -> None:
    old = statistics.namespace_on_node("test", "A1", NAMESPACE.replace("data_used_bytes", "memory_used_bytes"))
    new = statistics.namespace_on_node("test", "A2", NAMESPACE)
    assert old.data_used_bytes is None
    assert statistics.namespace_info("test", {"A1": old, "A2": new}).data_used_bytes is None
    assert old.values["memory_used_bytes"] == 5302704


@pytest.mark.parametrize(
    ("copies", "factor", "objects"), [((3, 3, 2), 2, 4), ((1, 0, 0), 2, 1), ((5,), 1, 5), ((0, 0), 2, 0), ((7,), 0, 7)]
)
def test_records_of_a_set_are_its_copies_over_their_number(copies: tuple[int, ...], factor: int, objects: int) -> None:
    nodes = {
        f"A{number}": statistics.set_on_node(
            "test", "users", f"A{number}", {"objects": str(count), "tombstones": "1", "truncate_lut": "0"}
        )
        for number, count in enumerate(copies)
    }
    found = statistics.set_info("test", "users", factor, nodes)
    assert (found.objects, found.copies, found.tombstones) == (objects, sum(copies), len(copies))
    assert found.data_used_bytes is None


def test_an_index_is_loaded_as_far_as_on_its_last_node() -> None:
    text = (
        "entries=140;used_bytes=16777216;entries_per_bval=1;entries_per_rec=1;load_pct=100;load_time=0;stat_gc_recs=0"
    )
    one = statistics.index_on_node("test", "n", "A1", text)
    other = statistics.index_on_node("test", "n", "A2", text.replace("load_pct=100", "load_pct=42"))
    both = statistics.index_statistics("test", "n", {"A1": one, "A2": other})
    assert (both.entries, both.used_bytes, both.loaded_percent) == (280, 2 * 16777216, 42)


def test_totals_are_of_numbers_that_somebody_tells() -> None:
    one = statistics.namespace_on_node("test", "A1", NAMESPACE)
    other = statistics.namespace_on_node("test", "A2", NAMESPACE.replace("client_read_success", "something_else"))
    info = statistics.namespace_info("test", {"A1": one, "A2": other})
    assert info.total("master_objects") == 2 * 27322
    assert info.total("client_read_success") == 7271
    assert info.total("record_proto_compression_ratio") == 3.0
    for name in ("nothing", "stop_writes", "storage-engine", 5):
        with pytest.raises(InvalidArgError, match=r"NamespaceInfo\.total\.name: got .*a number"):
            info.total(name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("master_objects=27322;", "", "master_objects is missing"),
        ("master_objects=27322", "master_objects=many", "master_objects of unknown form: 'many'"),
        ("stop_writes=false", "stop_writes=0", "stop_writes of unknown form"),
        ("stop_writes=false", "dead_partitions=true", "stop_writes is missing"),
        ("storage-engine=memory;", "", "storage-engine is missing"),
        ("truncate_lut=533077250623", "truncate_lut=9999999999999999999", "no calendar"),
    ],
)
def test_what_a_node_lacks_is_a_protocol_error_that_names_it(old: str, new: str, problem: str) -> None:
    assert old in NAMESPACE
    with pytest.raises(ProtocolError, match=problem):
        statistics.namespace_on_node("test", "A1", NAMESPACE.replace(old, new))


def test_statistics_are_values() -> None:
    one = statistics.namespace_on_node("test", "A1", NAMESPACE)
    info = statistics.namespace_info("test", {"A1": one})
    for value in (one, info):
        assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
        assert hash(value) == hash(copy.deepcopy(value))
        assert len(repr(value)) < 600
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        info.objects = 5  # type: ignore[misc]
