"""The official client sends the same bytes for operations on lists and maps that the recording does not have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import trio

from trio_aerospike import INFINITY, WILDCARD, ctx, exp, lists, maps
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.commands import encode_op
from trio_aerospike._wire.particles import decode_value
from trio_aerospike.operations import PathSelect, modify_by_path, select_by_path
from trio_aerospike.operations.lists import ListPolicy, ListReturn
from trio_aerospike.operations.maps import MapOrder, MapPolicy, MapReturn, MapWrite
from trio_aerospike.server import open_embedded_cluster

SCRIPT = Path(__file__).parent / "nested_operations.py"
PYTHON = Path(os.environ.get("PEERS_PYTHON") or Path(__file__).parents[3] / ".venv-peers" / "bin" / "python")

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(not PYTHON.exists(), reason=f"no {PYTHON}: make peers installs the published clients"),
]

L, M = ListReturn.VALUE, MapReturn.VALUE
STEPS = [ctx.map_key("a"), ctx.list_index(-1)]
ORDERED = ListPolicy(lists.ListOrder.ORDERED, lists.ListWrite.ADD_UNIQUE)
PERSISTED = MapPolicy(MapOrder.KEY_VALUE_ORDERED, persist_index=True)
UPDATE = MapPolicy(MapOrder.KEY_ORDERED, MapWrite.UPDATE_ONLY)
MORE = exp.int_bin("n") > 5
MIXED: dict[Any, Any] = {"z": 1, 5: 2, b"y": 3}

# By the name of the bin; the peer's rows have the same names.
ROWS = [
    lists.create("l create pad", pad=True, ctx=ctx.list_index(3)),
    lists.create("l create order", lists.ListOrder.ORDERED, ctx=STEPS),
    lists.create("l create keep", lists.ListOrder.ORDERED, persist_index=True),
    lists.set_order("l order ctx", lists.ListOrder.ORDERED, ctx=STEPS),
    lists.append("l append", {"b": 1, "a": [b"x", None, True]}, policy=ORDERED, ctx=STEPS),
    lists.append_items("l append items", [300, -40, 2**40, 1.5], policy=ORDERED),
    lists.insert("l insert ctx", -1, "x", policy=ListPolicy(write_flags=lists.ListWrite(3)), ctx=STEPS),
    lists.increment("l increment", 0, 1.5, policy=ORDERED),
    lists.sort("l sort ctx", lists.ListSort(1), ctx=STEPS),
    lists.trim("l trim ctx", 70000, 300, ctx=STEPS),
    lists.get_by_rank_range("l rank to end", -1, return_type=L),
    lists.get_by_index_range("l index to end", 1, return_type=L, inverted=True, ctx=STEPS),
    lists.get_by_value_rank_range_relative("l relative", "v", -2, return_type=L),
    lists.get_by_value_rank_range_relative("l relative 2", 5, 1, 300, return_type=L, inverted=True, ctx=STEPS),
    lists.get_by_value("l value", [1, WILDCARD], return_type=L, inverted=True),
    lists.get_by_value_list("l values", [[1, WILDCARD], "a"], return_type=L, inverted=True, ctx=STEPS),
    lists.get_by_value_range("l range", [1, None], [1, INFINITY], return_type=L),
    lists.get_by_value_range("l below", end=9, return_type=L, inverted=True),
    lists.remove_by_value_range("r l range", 3, return_type=L),
    lists.remove_by_rank_range("r l rank", 1, return_type=L, inverted=True),
    lists.remove_by_value_rank_range_relative("r l relative", 5, 0, 3, return_type=L),
    lists.size("c rank value", ctx=[ctx.list_rank(-1), ctx.list_value([2])]),
    lists.append(
        "c create", 1, ctx=[ctx.list_index_create(9, pad=True), ctx.list_index_create(0, lists.ListOrder.ORDERED)]
    ),
    maps.create("m create", MapOrder.KEY_ORDERED, ctx=STEPS),
    maps.create("m create kv", MapOrder.KEY_VALUE_ORDERED, ctx=STEPS[:1]),
    maps.create("m create keep", MapOrder.KEY_ORDERED, persist_index=True),
    maps.set_order("m policy keep", MapOrder.KEY_VALUE_ORDERED, persist_index=True),
    maps.set_order("m policy ctx", MapOrder.KEY_ORDERED, ctx=STEPS),
    maps.put("m put", b"k", MIXED, policy=UPDATE, ctx=STEPS),
    maps.put("m put keep", -7, "v", policy=PERSISTED),
    maps.put_items("m put items", {"z": 1, "a": {"c": 1, "b": 2}}, policy=UPDATE),
    maps.increment("m increment", "k", 2.5, policy=MapPolicy(MapOrder.KEY_ORDERED), ctx=STEPS),
    maps.get_by_key_index_range_relative("m relative", "k", -2, return_type=M),
    maps.get_by_value_rank_range_relative("m relative 2", 5, 1, 300, return_type=M, inverted=True, ctx=STEPS),
    maps.get_by_key_list("m keys", ["k", 1, b"b"], return_type=M, inverted=True, ctx=STEPS),
    maps.get_by_value_range("m range", [1, WILDCARD], [2, INFINITY], return_type=M, inverted=True),
    maps.remove_by_key_index_range_relative("r m key", "k", 1, 2, return_type=M, inverted=True),
    maps.remove_by_value_rank_range_relative("r m value", 5, 1, return_type=M),
    maps.remove_by_key_range("r m keys", "a", "b", return_type=M, inverted=True, ctx=STEPS),
    maps.size("c map", ctx=[ctx.map_rank(0), ctx.map_value({"b": 1, "a": 2})]),
    maps.put("c map create", 1, 2, ctx=ctx.map_key_create("k", MapOrder.KEY_VALUE_ORDERED)),
    select_by_path("p tree", [ctx.all_children(), *STEPS]),
    select_by_path("p keys", [ctx.map_keys(["b", "a"]), ctx.all_children()], PathSelect.MAP_KEY_VALUE, no_fail=True),
    select_by_path("p filter", [STEPS[0], ctx.and_where(MORE), ctx.all_children_where(MORE)], PathSelect.VALUE),
    modify_by_path("p modify", ctx.all_children(), exp.int_bin("n") + 1, no_fail=True),
]


async def test_the_official_client_sends_the_same_operations() -> None:
    seen: dict[str, tuple[bytes, int]] = {}

    async def note(kind: str, request: Any) -> None:
        if kind == "message" and request.ops:
            (op,) = request.ops
            data = encode_op(op.op, op.name, decode_value(op.particle, op.data))
            seen[op.name] = data, request.info2 & wire.INFO2_RESPOND_ALL_OPS

    async with open_embedded_cluster() as cluster:
        cluster.nodes[0].on_request = note
        command = [str(PYTHON), str(SCRIPT), str(cluster.nodes[0].port)]
        with trio.fail_after(120):
            result = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    assert result.returncode == 0, result.stderr.decode()
    assert result.stdout.decode().splitlines()[-1] == "done"
    assert seen == {operation.bin_name: (operation.encode(), operation.info2) for operation in ROWS}
