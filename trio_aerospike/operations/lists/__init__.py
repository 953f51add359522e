"""Operations on lists, for ``operate``, ``operate_ordered`` and batches.

::

    from trio_aerospike import lists

    record = await client.operate(key, [
        lists.append("visits", "home"),
        lists.get_by_rank_range("scores", -3, return_type=lists.ListReturn.VALUE),
    ])

An element is named by its index (its place), by its rank (its place if the list were sorted) or by its value. Functions
named ``get`` read, all others write. Arguments are checked and encoded when the operation is made; what the server
says of the list itself comes as an error of the command: an index out of bounds or an operation that does not fit the
list as ServerError with result code 26 (OP_NOT_APPLICABLE), a value that must be unique and is not with 24
(ELEMENT_EXISTS), a bin that is no list as BinTypeError. All of an ``operate`` happens, or nothing.
"""

from trio_aerospike._cdt.types import (
    ListOrder as ListOrder,
    ListPolicy as ListPolicy,
    ListReturn as ListReturn,
    ListSort as ListSort,
    ListWrite as ListWrite,
)
from trio_aerospike.operations.lists._basics import (
    append as append,
    append_items as append_items,
    clear as clear,
    create as create,
    get as get,
    get_range as get_range,
    increment as increment,
    insert as insert,
    insert_items as insert_items,
    pop as pop,
    pop_range as pop_range,
    remove as remove,
    remove_range as remove_range,
    set as set,
    set_order as set_order,
    size as size,
    sort as sort,
    trim as trim,
)
from trio_aerospike.operations.lists._reads import (
    get_by_index as get_by_index,
    get_by_index_range as get_by_index_range,
    get_by_rank as get_by_rank,
    get_by_rank_range as get_by_rank_range,
    get_by_value as get_by_value,
    get_by_value_list as get_by_value_list,
    get_by_value_range as get_by_value_range,
    get_by_value_rank_range_relative as get_by_value_rank_range_relative,
)
from trio_aerospike.operations.lists._removals import (
    remove_by_index as remove_by_index,
    remove_by_index_range as remove_by_index_range,
    remove_by_rank as remove_by_rank,
    remove_by_rank_range as remove_by_rank_range,
    remove_by_value as remove_by_value,
    remove_by_value_list as remove_by_value_list,
    remove_by_value_range as remove_by_value_range,
    remove_by_value_rank_range_relative as remove_by_value_rank_range_relative,
)

__all__ = [
    "ListOrder",
    "ListPolicy",
    "ListReturn",
    "ListSort",
    "ListWrite",
    "append",
    "append_items",
    "clear",
    "create",
    "get",
    "get_by_index",
    "get_by_index_range",
    "get_by_rank",
    "get_by_rank_range",
    "get_by_value",
    "get_by_value_list",
    "get_by_value_range",
    "get_by_value_rank_range_relative",
    "get_range",
    "increment",
    "insert",
    "insert_items",
    "pop",
    "pop_range",
    "remove",
    "remove_by_index",
    "remove_by_index_range",
    "remove_by_rank",
    "remove_by_rank_range",
    "remove_by_value",
    "remove_by_value_list",
    "remove_by_value_range",
    "remove_by_value_rank_range_relative",
    "remove_range",
    "set",
    "set_order",
    "size",
    "sort",
    "trim",
]
