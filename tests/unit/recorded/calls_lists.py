"""What each recorded step on lists is in our words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trio_aerospike import ctx, lists, read, write
from trio_aerospike.operations import Operation
from trio_aerospike.operations.lists import ListOrder, ListPolicy, ListReturn, ListSort, ListWrite

STEPS = ("list*",)

# The recording has a policy with each write.
_DEFAULT = ListPolicy()
_NOFAIL = ListPolicy(write_flags=ListWrite.ADD_UNIQUE | ListWrite.NO_FAIL)
_PARTIAL = ListPolicy(write_flags=ListWrite.ADD_UNIQUE | ListWrite.NO_FAIL | ListWrite.PARTIAL)
_BOUNDED = ListPolicy(write_flags=ListWrite.INSERT_BOUNDED)

CALLS: dict[str, list[Operation]] = {
    "list put": [
        write("l", [5, 1, 4, 1, 3]),
        write("n", [[3, 1], [2]]),
        write("o", [3, 1, 2]),
        write("mix", [1, "a", 2.5, None, b"z", [1], {"a": 1}, True]),
    ],
    "list_append": [lists.append("l", 9, policy=_DEFAULT)],
    "list_append unique dup": [lists.append("l", 9, policy=ListPolicy(write_flags=ListWrite.ADD_UNIQUE))],
    "list_append unique nofail": [lists.append("l", 9, policy=_NOFAIL)],
    "list_append_items": [lists.append_items("l", [7, 8], policy=_DEFAULT)],
    "list_append_items partial": [lists.append_items("l", [7, 100], policy=_PARTIAL)],
    "list_insert": [lists.insert("l", 1, 77, policy=_DEFAULT)],
    "list_insert far": [lists.insert("l", 20, 77, policy=_DEFAULT)],
    "list_insert bounded": [lists.insert("l", 40, 77, policy=_BOUNDED)],
    "list_insert_items": [lists.insert_items("l", 0, [0, 0], policy=_DEFAULT)],
    "list_increment": [lists.increment("l", 0, 5, policy=_DEFAULT)],
    "list_increment str": [lists.increment("mix", 1, 5, policy=_DEFAULT)],
    "list_set": [lists.set("l", 2, 55, policy=_DEFAULT)],
    "list_size": [lists.size("l")],
    "list_get": [lists.get("l", 0)],
    "list_get neg": [lists.get("l", -1)],
    "list_get out": [lists.get("l", 99)],
    "list_get_range": [lists.get_range("l", 1, 3)],
    "list_get_range to end": [lists.get_range("l", 4, 1000)],
    "list_get_by_value inverted": [
        lists.get_by_value_range("l", 3, 60, return_type=ListReturn.VALUE, inverted=True),
    ],
    "list mix by rank all": [lists.get_by_rank_range("mix", 0, 20)],
    "list mix by value range str": [lists.get_by_value_range("mix", "a")],
    "list_sort": [lists.sort("l")],
    "list_sort dedup": [lists.sort("l", ListSort.DROP_DUPLICATES)],
    "list_set_order": [lists.set_order("o", ListOrder.ORDERED)],
    "list ordered append": [lists.append("o", 0, policy=ListPolicy(order=ListOrder.ORDERED))],
    "list ordered insert": [lists.insert("o", 0, 9, policy=_DEFAULT)],
    "list ordered get": [read("o")],
    "list_create": [lists.create("fresh", ListOrder.ORDERED)],
    "list ctx index append": [lists.append("n", 99, policy=_DEFAULT, ctx=ctx.list_index(0))],
    "list ctx rank append": [lists.append("n", 98, policy=_DEFAULT, ctx=[ctx.list_rank(-1)])],
    "list ctx value append": [lists.append("n", 97, policy=_DEFAULT, ctx=(ctx.list_value([2]),))],
    "list ctx create": [lists.append("n", 1, policy=_DEFAULT, ctx=ctx.list_index_create(2))],
    "list ctx missing": [lists.append("n", 1, policy=_DEFAULT, ctx=ctx.list_index(50))],
    "list ctx get": [read("n")],
    "list_pop": [lists.pop("l", 0)],
    "list_pop_range": [lists.pop_range("l", 0, 2)],
    "list_remove": [lists.remove("l", 0)],
    "list_remove_range": [lists.remove_range("l", 0, 1)],
    "list_remove_by_value": [lists.remove_by_value("l", 55, return_type=ListReturn.COUNT)],
    "list_remove_by_index": [lists.remove_by_index("l", 0, return_type=ListReturn.VALUE)],
    "list_remove_by_rank": [lists.remove_by_rank("l", 0, return_type=ListReturn.VALUE)],
    "list_remove_by_value_list": [lists.remove_by_value_list("l", [77, 100], return_type=ListReturn.VALUE)],
    "list_remove_by_index_range": [lists.remove_by_index_range("l", 0, 1, return_type=ListReturn.VALUE)],
    "list_trim": [lists.trim("l", 0, 1)],
    "list read": [read("l")],
    "list_clear": [lists.clear("l")],
    "list op on int bin": [write("i", 3), lists.append("i", 3, policy=_DEFAULT)],
}

_GETS: dict[str, tuple[Callable[..., Operation], tuple[Any, ...]]] = {
    "list_get_by_index": (lists.get_by_index, (2,)),
    "list_get_by_rank": (lists.get_by_rank, (-1,)),
    "list_get_by_value": (lists.get_by_value, (7,)),
    "list_get_by_value_range": (lists.get_by_value_range, (3, 60)),
    "list_get_by_value_list": (lists.get_by_value_list, ([7, 8, 1234],)),
    "list_get_by_index_range": (lists.get_by_index_range, (1, 2)),
    "list_get_by_rank_range": (lists.get_by_rank_range, (-3, 2)),
    "list_get_by_value_rank_range_relative": (lists.get_by_value_rank_range_relative, (7, -1, 3)),
}

for _step, (_get, _args) in _GETS.items():
    for _kind in ListReturn:
        if "RANGE" not in _kind.name:
            CALLS[f"{_step} {_kind.name}"] = [_get("l", *_args, return_type=_kind)]
