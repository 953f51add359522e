"""The page on lists: each operation, and the example at its end."""

from __future__ import annotations

from typing import Any

import aerospike_py as aerospike
from aerospike_py import list_operations as lists

KEY = ("test", "guide-lists", "player")
VALUE, COUNT, INDEX, RANK = (
    aerospike.LIST_RETURN_VALUE,
    aerospike.LIST_RETURN_COUNT,
    aerospike.LIST_RETURN_INDEX,
    aerospike.LIST_RETURN_RANK,
)


def program(client: Any, show: Any) -> None:
    """Everything the page does."""
    client.batch_remove([KEY])

    def do(label: str, *operations: Any, start: Any = None) -> None:
        if start is not None:
            client.put(KEY, {"list": start})
        _, _, bins = client.operate(KEY, [*operations])
        show(label, (bins, client.get(KEY).bins["list"]))

    def refuse(label: str, *operations: Any) -> None:
        show.error(label, client.operate, KEY, [*operations])

    colors = ["red", "green", "blue"]
    do("append", lists.list_append("list", "black"), start=colors)
    do("append and size", lists.list_append("list", "white"), lists.list_size("list"))
    do("append items", lists.list_append_items("list", ["grey", "pink"]), start=colors)
    do("insert", lists.list_insert("list", 0, "yellow"), start=colors)
    do("insert items", lists.list_insert_items("list", 1, ["cyan", "magenta"]), start=colors)
    do("set", lists.list_set("list", 0, "orange"), start=colors)
    do("increment", lists.list_increment("list", 1, 10), start=[1, 2, 3])
    do("get", lists.list_get("list", 0), start=colors)
    do("get from the end", lists.list_get("list", -1))
    do("get range", lists.list_get_range("list", 0, 2))
    do("size", lists.list_size("list"))
    do("remove", lists.list_remove("list", 0))
    do("remove range", lists.list_remove_range("list", 0, 1), start=colors)
    do("pop", lists.list_pop("list", 0), start=colors)
    do("pop range", lists.list_pop_range("list", 0, 2), start=colors)
    do("trim", lists.list_trim("list", 1, 2), start=colors)
    do("clear", lists.list_clear("list"), start=colors)
    do("sort", lists.list_sort("list"), start=[3, 1, 2, 3])
    do("sort and drop", lists.list_sort("list", aerospike.LIST_SORT_DROP_DUPLICATES), start=[3, 1, 2, 3])
    do("order", lists.list_set_order("list", aerospike.LIST_ORDERED), start=[3, 1, 2])

    scores = [85, 92, 78, 95, 88, 78]
    do("by value", lists.list_get_by_value("list", 78, INDEX), start=scores)
    do("by value, count", lists.list_get_by_value("list", 78, COUNT))
    do("by value, exists", lists.list_get_by_value("list", 78, aerospike.LIST_RETURN_EXISTS))
    do("by value list", lists.list_get_by_value_list("list", [92, 95, 7], RANK))
    do("by value range", lists.list_get_by_value_range("list", 80, 92, VALUE))
    do("by index", lists.list_get_by_index("list", 2, VALUE))
    do("by index range", lists.list_get_by_index_range("list", 2, VALUE, count=3))
    do("by index range to the end", lists.list_get_by_index_range("list", 2, VALUE))
    do("by rank", lists.list_get_by_rank("list", 0, VALUE))
    do("by rank range", lists.list_get_by_rank_range("list", -3, VALUE, count=3))
    do("remove by value", lists.list_remove_by_value("list", 78, COUNT), start=scores)
    do("remove by value list", lists.list_remove_by_value_list("list", [85, 88], VALUE), start=scores)
    do("remove by value range", lists.list_remove_by_value_range("list", 80, 90, COUNT), start=scores)
    do("remove by index", lists.list_remove_by_index("list", 0, VALUE), start=scores)
    do("remove by index range", lists.list_remove_by_index_range("list", 0, VALUE, count=2), start=scores)
    do("remove by rank", lists.list_remove_by_rank("list", 0, VALUE), start=scores)
    do("remove by rank range", lists.list_remove_by_rank_range("list", 0, VALUE, count=2), start=scores)

    refuse("an index beyond the end", lists.list_get("list", 50))
    client.put(KEY, {"list": colors, "text": "no list"})
    refuse("no list", lists.list_append("text", 1))
    unique: Any = {"flags": aerospike.LIST_WRITE_ADD_UNIQUE}
    refuse("not unique", lists.list_append("list", "red", unique))

    client.put(KEY, {"list": [85, 92, 78, 95, 88]})
    do("the best three", lists.list_sort("list"), lists.list_get_by_rank_range("list", -3, VALUE, count=3))
    do("none below 80", lists.list_remove_by_value_range("list", 0, 80, COUNT))
    do("one more", lists.list_append("list", 97), lists.list_size("list"))
    result = client.operate_ordered(KEY, [lists.list_size("list"), lists.list_get("list", 0), lists.list_size("list")])
    show("in order", [tuple(one) for one in result.ordered_bins])
    client.remove(KEY)
