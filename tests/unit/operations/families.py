"""Every operation on lists and maps with arguments that are right, for tests that go through all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trio_aerospike import ctx, operations
from trio_aerospike.operations import Operation, lists, maps
from trio_aerospike.operations.lists import ListOrder
from trio_aerospike.operations.maps import MapOrder

Maker = Callable[..., Operation]

# The same for those who say wrong things to them: mypy would not let them.
any_lists: Any = lists
any_maps: Any = maps
any_ctx: Any = ctx
any_operations: Any = operations

ELEMENTS: dict[str, tuple[Any, ...]] = {
    "by_index": (0,),
    "by_index_range": (0, 2),
    "by_rank": (-1,),
    "by_rank_range": (-1, 2),
    "by_value": (5,),
    "by_value_list": ([5, 6],),
    "by_value_range": (1, 5),
    "by_value_rank_range_relative": (5, 0, 2),
}
ENTRIES: dict[str, tuple[Any, ...]] = {
    **ELEMENTS,
    "by_key": ("k",),
    "by_key_list": (["k", 1],),
    "by_key_range": ("a", "z"),
    "by_key_index_range_relative": ("k", 0, 2),
}
LIST_BASICS: dict[str, tuple[Any, ...]] = {
    "create": (ListOrder.ORDERED,),
    "set_order": (ListOrder.ORDERED,),
    "append": (1,),
    "append_items": ([1, 2],),
    "insert": (0, 1),
    "insert_items": (0, [1, 2]),
    "set": (0, 1),
    "increment": (0, 1),
    "sort": (),
    "clear": (),
    "pop": (0,),
    "pop_range": (0, 2),
    "remove": (0,),
    "remove_range": (0, 2),
    "trim": (0, 2),
    "size": (),
    "get": (0,),
    "get_range": (0, 2),
}
MAP_BASICS: dict[str, tuple[Any, ...]] = {
    "create": (MapOrder.KEY_ORDERED,),
    "set_order": (MapOrder.KEY_ORDERED,),
    "put": ("k", 1),
    "put_items": ({"k": 1},),
    "increment": ("k", 1),
    "decrement": ("k", 1),
    "clear": (),
    "size": (),
}


def _of(module: Any, names: dict[str, tuple[Any, ...]], prefix: str = "") -> dict[str, tuple[Maker, tuple[Any, ...]]]:
    family = module.__name__.rpartition(".")[2]
    return {f"{family}.{prefix}{name}": (getattr(module, prefix + name), args) for name, args in names.items()}


BASICS = _of(lists, LIST_BASICS) | _of(maps, MAP_BASICS)
READS = _of(lists, ELEMENTS, "get_") | _of(maps, ENTRIES, "get_")
REMOVALS = _of(lists, ELEMENTS, "remove_") | _of(maps, ENTRIES, "remove_")
SELECTIONS = READS | REMOVALS
ALL = BASICS | SELECTIONS
SINGLE = {name for name in SELECTIONS if name.endswith(("by_index", "by_rank", "by_key"))}
