"""Filters: expressions that decide whether a command looks at a record at all."""

from __future__ import annotations

from ..errors import ResultCode
from .expressions import UNKNOWN, Expression, Scope, compile_filter
from .record import StoredRecord
from .refused import Refused
from .store import NamespaceStore


def check_filter(
    condition: bytes | Expression | None, store: NamespaceStore, record: StoredRecord, digest: bytes
) -> None:
    """Refuse a command whose filter does not let the record through.

    Metadata is asked first, the record with its bins only where that does not decide; what is still unknown then does
    not pass (server: handle_meta_filter, read_and_filter_bins in as/src/transaction/rw_utils.c).

    Args:
        condition: the filter as it travels, or compiled; None lets everything through.
        store: what the record is in.
        record: it.
        digest: its.

    Raises:
        Refused: FILTERED_OUT; PARAM, the filter is none.
    """
    if condition is None:
        return
    expression = compile_filter(condition) if isinstance(condition, bytes) else condition
    known = expression.matches(Scope.of_record(record, digest, store.clock, with_bins=False))
    if known is UNKNOWN:
        known = expression.matches(Scope.of_record(record, digest, store.clock))
    if known is not True:
        raise Refused(ResultCode.FILTERED_OUT)
