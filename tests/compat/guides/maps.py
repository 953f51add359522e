"""The page on maps: each operation, and the example at its end."""

from __future__ import annotations

from typing import Any

import aerospike_py as aerospike
from aerospike_py import map_operations as maps

KEY = ("test", "guide-maps", "player")
NAME, VALUE, PAIRS, COUNT, NONE = (
    aerospike.MAP_RETURN_KEY,
    aerospike.MAP_RETURN_VALUE,
    aerospike.MAP_RETURN_KEY_VALUE,
    aerospike.MAP_RETURN_COUNT,
    aerospike.MAP_RETURN_NONE,
)


def program(client: Any, show: Any) -> None:
    """Everything the page does."""
    client.batch_remove([KEY])

    def do(label: str, *operations: Any, start: Any = None) -> None:
        if start is not None:
            client.put(KEY, {"map": start})
        _, _, bins = client.operate(KEY, [*operations])
        show(label, (bins, client.get(KEY).bins["map"]))

    profile = {"name": "Alice", "email": "alice@example.com", "temp": 1}
    do("put", maps.map_put("map", "city", "Graz"), start=profile)
    do("put and size", maps.map_put("map", "zip", "8010"), maps.map_size("map"))
    do("put items", maps.map_put_items("map", {"a": 1, "b": 2}), start=profile)
    do("increment", maps.map_increment("map", "views", 2), start={"views": 5})
    do("decrement", maps.map_decrement("map", "views", 3))
    do("size", maps.map_size("map"))
    do("by key", maps.map_get_by_key("map", "name", VALUE), start=profile)
    do("by a key that is not there", maps.map_get_by_key("map", "nothing", VALUE))
    do("order", maps.map_set_order("map", aerospike.MAP_KEY_ORDERED))
    do("clear", maps.map_clear("map"))
    do("remove by key", maps.map_remove_by_key("map", "temp", NONE), start=profile)
    do("remove by key list", maps.map_remove_by_key_list("map", ["temp", "debug"], COUNT), start=profile)
    do("remove by key range", maps.map_remove_by_key_range("map", "a", "n", NAME), start=profile)

    scores = {"art": 95, "english": 75, "math": 92, "music": 75, "science": 88}
    do("remove by value", maps.map_remove_by_value("map", 75, NAME), start=scores)
    do("remove by value list", maps.map_remove_by_value_list("map", [75, 88], COUNT), start=scores)
    do("remove by value range", maps.map_remove_by_value_range("map", 0, 80, NAME), start=scores)
    do("by key range", maps.map_get_by_key_range("map", "a", "n", PAIRS), start=scores)
    do("by key list", maps.map_get_by_key_list("map", ["art", "math"], VALUE))
    do("by value", maps.map_get_by_value("map", 75, NAME))
    do("by value range", maps.map_get_by_value_range("map", 80, 93, PAIRS))
    do("by value list", maps.map_get_by_value_list("map", [95, 92], NAME))
    do("by index", maps.map_get_by_index("map", 0, PAIRS))
    do("by index range", maps.map_get_by_index_range("map", 0, PAIRS, count=3))
    do("by rank", maps.map_get_by_rank("map", 0, VALUE))
    do("by rank range", maps.map_get_by_rank_range("map", -2, PAIRS, count=2))
    for name in ("INDEX", "REVERSE_INDEX", "RANK", "REVERSE_RANK", "EXISTS"):
        return_type = getattr(aerospike, f"MAP_RETURN_{name}")
        do(f"by key, {name}", maps.map_get_by_key("map", "math", return_type))
    do("remove by index", maps.map_remove_by_index("map", 0, PAIRS), start=scores)
    do("remove by index range", maps.map_remove_by_index_range("map", 0, NAME, count=2), start=scores)
    do("remove by rank", maps.map_remove_by_rank("map", 0, VALUE), start=scores)
    do("remove by rank range", maps.map_remove_by_rank_range("map", 0, VALUE, count=2), start=scores)

    create: Any = {"write_mode": aerospike.MAP_CREATE_ONLY}
    show.error("only create", client.operate, KEY, [maps.map_put("map", "science", 1, create)])
    client.put(KEY, {"text": "no map"})
    show.error("not a map", client.operate, KEY, [maps.map_put("text", "a", 1)])

    do("the best two", maps.map_get_by_rank_range("map", -2, PAIRS, count=2), start=scores)
    do("none below 80", maps.map_remove_by_value_range("map", 0, 80, NAME))
    do(
        "one more",
        maps.map_put("map", "history", 90),
        maps.map_increment("map", "math", 5),
        maps.map_size("map"),
    )
    client.remove(KEY)
