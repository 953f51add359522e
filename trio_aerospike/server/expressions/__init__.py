"""Expressions as the server evaluates them: in filters, in operations, and within contexts of lists and maps.

Facts: the server's as/src/base/exp.c. `compile_expression` refuses what the server refuses to build; an `Expression` is
then asked about scopes. What cannot be told is `UNKNOWN`, never an error.
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
