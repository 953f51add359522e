"""All tables of operations on parts of values."""

from __future__ import annotations

from typing import Final

from .bit_ops import BITS
from .cdt_ops import LISTS, MAPS
from .hll_ops import HLLS
from .operation_rows import Call

TABLES: Final[tuple[dict[str, Call], ...]] = (LISTS, MAPS, BITS, HLLS)
ROWS: Final = tuple([row for table in TABLES for row in table.values()])
