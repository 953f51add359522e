"""Operations on maps, for ``operate``, ``operate_ordered`` and batches.

::

    from trio_aerospike import maps

    record = await client.operate(key, [
        maps.increment("clicks", "home"),
        maps.get_by_rank_range("clicks", -10, return_type=maps.MapReturn.KEY_VALUE),
    ])

An entry is named by its key, by its index (its place if the map were sorted by key), by its rank (its place if it were
sorted by value) or by its value. Keys are ints of 64 bits, text or bytes. Functions named ``get`` read, all others
write. Arguments are checked and encoded when the operation is made; what the server says of the map itself comes as
an error of the command: an index out of bounds or an operation that does not fit as ServerError with result code 26
(OP_NOT_APPLICABLE), a key that must be new and is not with 24 (ELEMENT_EXISTS), one that must be there and is not with
23 (ELEMENT_NOT_FOUND), a bin that is no map as BinTypeError. All of an ``operate`` happens, or nothing.

Several entries with keys and values come as a dict: as an OrderedMap with KEY_VALUE and ORDERED_MAP, as a plain one
with UNORDERED_MAP. Iterating over it gives the order of the answer.
"""

from trio_aerospike._cdt.types import (
    MapOrder as MapOrder,
    MapPolicy as MapPolicy,
    MapReturn as MapReturn,
    MapWrite as MapWrite,
)
from trio_aerospike.operations.maps._basics import (
    clear as clear,
    create as create,
    decrement as decrement,
    increment as increment,
    put as put,
    put_items as put_items,
    set_order as set_order,
    size as size,
)
from trio_aerospike.operations.maps._reads import (
    get_by_index as get_by_index,
    get_by_index_range as get_by_index_range,
    get_by_key as get_by_key,
    get_by_key_index_range_relative as get_by_key_index_range_relative,
    get_by_key_list as get_by_key_list,
    get_by_key_range as get_by_key_range,
    get_by_rank as get_by_rank,
    get_by_rank_range as get_by_rank_range,
    get_by_value as get_by_value,
    get_by_value_list as get_by_value_list,
    get_by_value_range as get_by_value_range,
    get_by_value_rank_range_relative as get_by_value_rank_range_relative,
)
from trio_aerospike.operations.maps._removals import (
    remove_by_index as remove_by_index,
    remove_by_index_range as remove_by_index_range,
    remove_by_key as remove_by_key,
    remove_by_key_index_range_relative as remove_by_key_index_range_relative,
    remove_by_key_list as remove_by_key_list,
    remove_by_key_range as remove_by_key_range,
    remove_by_rank as remove_by_rank,
    remove_by_rank_range as remove_by_rank_range,
    remove_by_value as remove_by_value,
    remove_by_value_list as remove_by_value_list,
    remove_by_value_range as remove_by_value_range,
    remove_by_value_rank_range_relative as remove_by_value_rank_range_relative,
)

__all__ = [
    "MapOrder",
    "MapPolicy",
    "MapReturn",
    "MapWrite",
    "clear",
    "create",
    "decrement",
    "get_by_index",
    "get_by_index_range",
    "get_by_key",
    "get_by_key_index_range_relative",
    "get_by_key_list",
    "get_by_key_range",
    "get_by_rank",
    "get_by_rank_range",
    "get_by_value",
    "get_by_value_list",
    "get_by_value_range",
    "get_by_value_rank_range_relative",
    "increment",
    "put",
    "put_items",
    "remove_by_index",
    "remove_by_index_range",
    "remove_by_key",
    "remove_by_key_index_range_relative",
    "remove_by_key_list",
    "remove_by_key_range",
    "remove_by_rank",
    "remove_by_rank_range",
    "remove_by_value",
    "remove_by_value_list",
    "remove_by_value_range",
    "remove_by_value_rank_range_relative",
    "set_order",
    "size",
]
