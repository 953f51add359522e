"""Operations of ``operate``: several on one record, one after the other, in one request.

Those on whole bins and on the record are here; those on parts of a value are in a module for each kind of value.
"""

from trio_aerospike.operations import bits as bits, hll as hll, lists as lists, maps as maps
from trio_aerospike.operations._paths import (
    PathSelect as PathSelect,
    modify_by_path as modify_by_path,
    select_by_path as select_by_path,
)
from trio_aerospike.operations._scalar import (
    Operation as Operation,
    append as append,
    delete as delete,
    increment as increment,
    prepend as prepend,
    read as read,
    read_all as read_all,
    touch as touch,
    write as write,
)
from trio_aerospike.operations.expressions import (
    ExpRead as ExpRead,
    ExpWrite as ExpWrite,
    read_expression as read_expression,
    write_expression as write_expression,
)

__all__ = [
    "ExpRead",
    "ExpWrite",
    "Operation",
    "PathSelect",
    "append",
    "bits",
    "delete",
    "hll",
    "increment",
    "lists",
    "maps",
    "modify_by_path",
    "prepend",
    "read",
    "read_all",
    "read_expression",
    "select_by_path",
    "touch",
    "write",
    "write_expression",
]
