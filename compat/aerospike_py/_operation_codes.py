"""Numbers of the operations on lists, maps, sketches and bits in aerospike_py's dicts, by name."""

from __future__ import annotations

from typing import Final


def _numbered(first: int, names: str) -> dict[str, int]:
    return {name: number for number, name in enumerate(names.split(), first)}


LISTS: Final = _numbered(
    1001,
    "append append_items insert insert_items pop pop_range remove remove_range set trim clear size get get_range "
    "get_by_value get_by_index get_by_index_range get_by_rank get_by_rank_range get_by_value_list get_by_value_range "
    "remove_by_value remove_by_value_list remove_by_value_range remove_by_index remove_by_index_range remove_by_rank "
    "remove_by_rank_range increment sort set_order",
)
MAPS: Final = _numbered(
    2001,
    "set_order put put_items increment decrement clear remove_by_key remove_by_key_list remove_by_key_range "
    "remove_by_value remove_by_value_list remove_by_value_range remove_by_index remove_by_index_range remove_by_rank "
    "remove_by_rank_range size get_by_key get_by_key_range get_by_value get_by_value_range get_by_index "
    "get_by_index_range get_by_rank get_by_rank_range get_by_key_list get_by_value_list",
)
SKETCHES: Final = _numbered(
    3001,
    "init add get_count get_union get_union_count get_intersect_count get_similarity describe fold set_union",
)
BITS: Final = {
    **_numbered(4001, "resize insert remove set or xor and not lshift rshift add subtract set_int"),
    **_numbered(4050, "get count lscan rscan get_int"),
}
