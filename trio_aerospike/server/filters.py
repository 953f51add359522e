"""Apply filter expressions to records."""

from __future__ import annotations

from ..errors import ResultCode
from .exceptions import Refused
from .expressions import UNKNOWN, Expression, Scope, compile_filter
from .record import StoredRecord
from .store import NamespaceStore


def check_filter(
    condition: bytes | Expression | None, store: NamespaceStore, record: StoredRecord, digest: bytes
) -> None:
    """Refuse a record that does not pass a filter.

    The filter is evaluated on metadata first, and with the bins only if that does not decide; a record does not pass if
    the result is unknown (server: handle_meta_filter, read_and_filter_bins in as/src/transaction/rw_utils.c).

    Args:
        condition: the filter, encoded or compiled; None for no filter.
        store: the store of the record.
        record: the record.
        digest: the digest of the record.

    Raises:
        Refused: FILTERED_OUT; PARAM, the filter is invalid.
    """
    if condition is None:
        return
    expression = compile_filter(condition) if isinstance(condition, bytes) else condition
    known = expression.matches(Scope.of_record(record, digest, store.clock, with_bins=False))
    if known is UNKNOWN:
        known = expression.matches(Scope.of_record(record, digest, store.clock))
    if known is not True:
        raise Refused(ResultCode.FILTERED_OUT)
