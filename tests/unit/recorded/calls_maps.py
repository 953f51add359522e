"""What each recorded step on maps is in our words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trio_aerospike import ctx, maps, read, write
from trio_aerospike.operations import Operation
from trio_aerospike.operations.maps import MapOrder, MapPolicy, MapReturn, MapWrite

STEPS = ("map*",)

_NOFAIL = MapPolicy(write_flags=MapWrite.CREATE_ONLY | MapWrite.NO_FAIL)
_PARTIAL = MapPolicy(write_flags=MapWrite.CREATE_ONLY | MapWrite.NO_FAIL | MapWrite.PARTIAL)

CALLS: dict[str, list[Operation]] = {
    "map put": [
        write("m", {"a": 5, "b": 2, "c": 8, "d": 2}),
        write("n", {"x": {"y": {"z": 1}}}),
        write("mix", {1: "i", "s": 2, b"b": 3}),
    ],
    "map_put": [maps.put("m", "e", 1)],
    "map_put create only dup": [maps.put("m", "e", 2, policy=MapPolicy(write_flags=MapWrite.CREATE_ONLY))],
    "map_put create only nofail": [maps.put("m", "e", 2, policy=_NOFAIL)],
    "map_put update only missing": [maps.put("m", "zz", 2, policy=MapPolicy(write_flags=MapWrite.UPDATE_ONLY))],
    "map_put_items": [maps.put_items("m", {"g": 7, "f": 6})],
    "map_put_items partial": [maps.put_items("m", {"f": 60, "h": 9}, policy=_PARTIAL)],
    "map_increment": [maps.increment("m", "a", 10)],
    "map_increment new": [maps.increment("m", "i", 3)],
    "map_decrement": [maps.decrement("m", "a")],
    "map_size": [maps.size("m")],
    "map_get_by_key missing": [maps.get_by_key("m", "zzz")],
    "map_get_by_index out": [maps.get_by_index("m", 99)],
    "map inverted": [maps.get_by_key_range("m", "b", "e", return_type=MapReturn.KEY, inverted=True)],
    "map_set_policy": [maps.set_order("m", MapOrder.KEY_ORDERED)],
    "map read ordered": [read("m")],
    "map_set_policy kv": [maps.set_order("m", MapOrder.KEY_VALUE_ORDERED)],
    "map read kv": [read("m")],
    "map_create": [maps.create("fresh", MapOrder.KEY_ORDERED)],
    "map mix read": [read("mix")],
    "map mix order": [maps.set_order("mix", MapOrder.KEY_ORDERED), read("mix")],
    "map ctx put": [maps.put("n", "w", 5, ctx=[ctx.map_key("x"), ctx.map_key("y")])],
    "map ctx create": [maps.put("n", "q", 5, ctx=ctx.map_key_create("new", MapOrder.KEY_ORDERED))],
    "map ctx index": [maps.size("n", ctx=ctx.map_index(0))],
    "map ctx rank": [maps.size("n", ctx=ctx.map_rank(-1))],
    "map ctx value": [maps.size("n", ctx=ctx.map_value({"q": 5}))],
    "map ctx missing": [maps.put("n", "w", 5, ctx=ctx.map_key("nope"))],
    "map read nested": [read("n")],
    "map_remove_by_key": [maps.remove_by_key("m", "a", return_type=MapReturn.VALUE)],
    "map_remove_by_key_list": [maps.remove_by_key_list("m", ["b", "zz"], return_type=MapReturn.KEY)],
    "map_remove_by_key_range": [maps.remove_by_key_range("m", "c", "d", return_type=MapReturn.KEY_VALUE)],
    "map_remove_by_value": [maps.remove_by_value("m", 1, return_type=MapReturn.KEY)],
    "map_remove_by_value_range": [maps.remove_by_value_range("m", 6, 7, return_type=MapReturn.KEY)],
    "map_remove_by_value_list": [maps.remove_by_value_list("m", [7], return_type=MapReturn.COUNT)],
    "map_remove_by_index": [maps.remove_by_index("m", 0, return_type=MapReturn.KEY)],
    "map_remove_by_rank": [maps.remove_by_rank("m", 0, return_type=MapReturn.KEY)],
    "map_remove_by_index_range": [maps.remove_by_index_range("m", 0, 1, return_type=MapReturn.KEY)],
    "map_remove_by_rank_range": [maps.remove_by_rank_range("m", 0, 1, return_type=MapReturn.KEY)],
    "map read left": [read("m")],
    "map_clear": [maps.clear("m")],
}

_GETS: dict[str, tuple[Callable[..., Operation], tuple[Any, ...]]] = {
    "map_get_by_key": (maps.get_by_key, ("c",)),
    "map_get_by_key_range": (maps.get_by_key_range, ("b", "e")),
    "map_get_by_key_list": (maps.get_by_key_list, (["a", "zz", "c"],)),
    "map_get_by_value": (maps.get_by_value, (2,)),
    "map_get_by_value_range": (maps.get_by_value_range, (2, 7)),
    "map_get_by_value_list": (maps.get_by_value_list, ([2, 8],)),
    "map_get_by_index": (maps.get_by_index, (1,)),
    "map_get_by_index_range": (maps.get_by_index_range, (1, 2)),
    "map_get_by_rank": (maps.get_by_rank, (-1,)),
    "map_get_by_rank_range": (maps.get_by_rank_range, (-2, 2)),
    "map_get_by_key_index_range_relative": (maps.get_by_key_index_range_relative, ("c", -1, 3)),
    "map_get_by_value_rank_range_relative": (maps.get_by_value_rank_range_relative, (5, -1, 3)),
}

for _step, (_get, _args) in _GETS.items():
    for _kind in MapReturn:
        if "RANGE" not in _kind.name:
            CALLS[f"{_step} {_kind.name}"] = [_get("m", *_args, return_type=_kind)]
