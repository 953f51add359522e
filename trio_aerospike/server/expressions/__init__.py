"""Compile and evaluate expressions: filters, expression operations, path expressions.

Facts: the server's as/src/base/exp.c. `compile_expression` refuses what the server refuses to build; an `Expression` is
evaluated in a `Scope`. An undetermined value is `UNKNOWN`, never an error.
"""

from .compiler import (
    Expression as Expression,
    compile_expression as compile_expression,
    compile_filter as compile_filter,
)
from .values import (
    REMOVED as REMOVED,
    UNKNOWN as UNKNOWN,
    Metadata as Metadata,
    Scope as Scope,
    Value as Value,
)
