"""What ``operate`` does to a record: several operations, one after the other, in one request.

Whole values of bins and the record itself are here; each family of operations on what a value holds is a module of
its own.
"""

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

__all__ = [
    "Operation",
    "append",
    "delete",
    "increment",
    "prepend",
    "read",
    "read_all",
    "touch",
    "write",
]
