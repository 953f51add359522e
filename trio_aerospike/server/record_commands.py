"""Commands on a single record: read, write, delete.

The checks are in the server's order, so that a request that fails several of them gets the same result code (server:
as/src/transaction/read.c, write.c, delete.c and rw_utils_ce.c).
"""

from __future__ import annotations

import attrs

from .._wire import constants as wire
from ..errors import ResultCode
from .exceptions import Refused
from .expressions import Metadata, Scope
from .filters import check_filter
from .operations import Bins, apply
from .record import StoredRecord
from .record_requests import Request, Response
from .store import NamespaceStore, Tree
from .values import Particle

MAX_OPS = 32 * 1024
MAX_BINS = 32 * 1024
MAX_TTL = 10 * 365 * 24 * 60 * 60
NEVER_TOUCH = 0xFFFF_FFFF
UNWRITTEN_SIZE = 16
_SC_READ_BITS = wire.INFO3_SC_READ_TYPE | wire.INFO3_SC_READ_RELAX

_MODIFIES = {wire.OP_INCR, wire.OP_APPEND, wire.OP_PREPEND}
READS = {wire.OP_READ, wire.OP_CDT_READ, wire.OP_BITS_READ, wire.OP_HLL_READ, wire.OP_EXP_READ}
_NOT_IN_A_REPLACE = {
    wire.OP_TOUCH,
    wire.OP_DELETE,
    wire.OP_CDT_MODIFY,
    wire.OP_BITS_MODIFY,
    wire.OP_HLL_MODIFY,
    *_MODIFIES,
}
_ANSWERS_A_BIN = {wire.OP_CDT_MODIFY, wire.OP_HLL_MODIFY, *READS}


@attrs.frozen(eq=False)
class Change:
    """The new version of a record, for all its copies; None if it was deleted."""

    record: StoredRecord | None


@attrs.frozen(eq=False)
class CommandResult:
    """The response to a command, and its change to the record."""

    response: Response
    change: Change | None = None


# Reading ------------------------------------------------------------------------------------------------------


def read(store: NamespaceStore, tree: Tree, request: Request) -> CommandResult:
    """Read a record, its metadata, or some of its bins.

    Raises:
        Refused: the record does not exist, or a check fails.
    """
    if request.info3 & _SC_READ_BITS == wire.INFO3_SC_READ_TYPE:
        # A linearized read, which the Community Edition refuses first (server: replica_ping_ce.c).
        raise Refused(ResultCode.ENTERPRISE_ONLY)
    refuse_transaction(request)
    record = store.find(tree, request.digest)
    if record is None:
        raise Refused(ResultCode.RECORD_NOT_FOUND)
    fail = Failure(record)
    if request.set_name and request.set_name != record.set_name:
        raise fail(ResultCode.PARAM)
    if store.is_doomed(record):
        raise fail(ResultCode.RECORD_NOT_FOUND)
    touched = _read_touch(store, record, request)
    change = None if touched is None else Change(touched)
    check_record_filter(store, request, record, fail)
    if request.key is not None and record.key is not None and request.key != record.key:
        raise fail(ResultCode.KEY_MISMATCH)
    metadata = (ResultCode.OK, record.generation, record.void_time)
    if request.info1 & wire.INFO1_GET_NO_BINS:
        return CommandResult(Response(*metadata), change)
    if len(request.ops) > MAX_OPS:
        raise fail(ResultCode.PARAM)
    if request.info1 & wire.INFO1_GET_ALL:
        return CommandResult(Response(*metadata, whole=record), change)
    if not request.ops:
        raise fail(ResultCode.PARAM)
    bins = Bins(
        record.bins,
        bool(request.info2 & wire.INFO2_RESPOND_ALL_OPS),
        scope=Scope.of_record(record, request.digest, store.clock),
    )
    for op in request.ops:
        if not is_bin_name(op.name):
            raise fail(ResultCode.BIN_NAME)
        if op.op not in READS:
            raise fail(ResultCode.PARAM)
        try:
            apply(bins, op)
        except Refused as error:
            raise fail(error.result) from error
    return CommandResult(Response(*metadata, bins.answers), change)


def _read_touch(store: NamespaceStore, record: StoredRecord, request: Request) -> StoredRecord | None:
    """The record with its time to live renewed, if the read is late enough in it (server: as_read_touch_check)."""
    percent = request.record_ttl
    if not record.void_time or percent == NEVER_TOUCH:
        return None
    if percent == 0:
        percent = store.default_read_touch(record.set_name)
        if percent == 0:
            return None
    if percent > 100:
        raise Refused(ResultCode.PARAM, record.generation, record.void_time)
    written_ttl = record.void_time - record.last_update // 1000
    now = store.clock.seconds()
    if now < record.void_time - written_ttl * percent // 100:
        return None
    return record.with_times(
        void_time=now + written_ttl, last_update=max(record.last_update, store.clock.milliseconds())
    )


# Writing ------------------------------------------------------------------------------------------------------


def write(store: NamespaceStore, tree: Tree, request: Request) -> CommandResult:
    """Write a record by operations on its bins, which may also read; without bins it is deleted.

    Raises:
        Refused: nothing was changed.
    """
    settings = store.settings
    if settings.flag("reject-non-xdr-writes"):
        raise Refused(ResultCode.FAIL_FORBIDDEN)
    if not request.set_name and settings.flag("disallow-null-setname"):
        raise Refused(ResultCode.PARAM)
    must_exist, replaces = _policies(request)
    refuse_transaction(request)
    record = store.find(tree, request.digest)
    if must_exist and record is None:
        raise Refused(ResultCode.RECORD_NOT_FOUND)
    fail = Failure(record)
    if record is not None and store.is_doomed(record):
        if must_exist:
            raise fail(ResultCode.RECORD_NOT_FOUND)
        record = None
        fail = Failure(None)
    if record is not None and request.info2 & wire.INFO2_CREATE_ONLY:
        raise fail(ResultCode.RECORD_EXISTS)
    if not _generation_fits(request, record):
        raise fail(ResultCode.RECORD_GENERATION)
    if record is None:
        if store.set_settings and not store.takes_more(request.set_name):
            raise fail(ResultCode.FAIL_FORBIDDEN)
        if store.clock.milliseconds() < store.config.truncation.threshold(request.set_name):
            raise fail(ResultCode.FAIL_FORBIDDEN)
    elif request.set_name != record.set_name:
        raise fail(ResultCode.PARAM)
    if store.set_settings and not store.takes_writes(request.set_name):
        raise fail(ResultCode.FAIL_FORBIDDEN)
    if record is not None:
        check_record_filter(store, request, record, fail)
    key = key_to_store(request, record, fail)
    void_time = void_time_after(store, request, record, fail)
    bins = Bins(
        {} if record is None or replaces else record.bins.copy(),
        bool(request.info2 & wire.INFO2_RESPOND_ALL_OPS),
        bool(request.info1 & wire.INFO1_GET_ALL),
        is_write=True,
        scope=_scope_of_write(store, request, record, void_time, replaces=replaces),
    )
    had_bins = bool(bins.bins)
    try:
        for op in request.ops:
            apply(bins, op)
    except Refused as error:
        raise fail(error.result) from error
    if not bins.bins:
        if not had_bins:
            raise fail(ResultCode.RECORD_NOT_FOUND)
        if request.info2 & wire.INFO2_DURABLE_DELETE:
            raise fail(ResultCode.ENTERPRISE_ONLY)
        return CommandResult(Response(ResultCode.OK, ops=bins.answers), Change(None))
    changed = new_version(store, request, record, bins.bins, key, void_time, fail)
    return CommandResult(Response(ResultCode.OK, changed.generation, changed.void_time, bins.answers), Change(changed))


def delete(store: NamespaceStore, tree: Tree, request: Request) -> CommandResult:
    """Delete a record; responses to deletes have no metadata. Transaction fields are ignored.

    An expired record can still be deleted until it is swept, as in the Community Edition (server: delete_master in
    delete_ce.c, nsup.c).

    Raises:
        Refused: it was not deleted.
    """
    if store.settings.flag("reject-non-xdr-writes"):
        raise Refused(ResultCode.FAIL_FORBIDDEN)
    if request.info2 & wire.INFO2_DURABLE_DELETE:
        raise Refused(ResultCode.ENTERPRISE_ONLY)
    record = store.find(tree, request.digest)
    if record is None or store.is_swept(record):
        raise Refused(ResultCode.RECORD_NOT_FOUND)
    if request.set_name and request.set_name != record.set_name:
        raise Refused(ResultCode.PARAM)
    if not _generation_fits(request, record):
        raise Refused(ResultCode.RECORD_GENERATION)
    check_filter(request.filter, store, record, request.digest)
    if request.key is not None and record.key is not None and request.key != record.key:
        raise Refused(ResultCode.KEY_MISMATCH)
    return CommandResult(Response(), Change(None))


# Helpers ------------------------------------------------------------------------------------------------------


def refuse_transaction(request: Request) -> None:
    """Refuse transactions, which need an Enterprise Edition, before the record is read (mrt_utils_ce.c)."""
    if request.in_transaction:
        raise Refused(ResultCode.ENTERPRISE_ONLY)


class Failure:
    """Makes `Refused` errors with the record's metadata."""

    def __init__(self, record: StoredRecord | None) -> None:
        self._metadata = (0, 0) if record is None else (record.generation, record.void_time)

    def __call__(self, result: ResultCode) -> Refused:
        return Refused(result, *self._metadata)


def is_bin_name(name: str) -> bool:
    return len(name.encode()) <= wire.BIN_NAME_MAX and "\0" not in name


def check_record_filter(store: NamespaceStore, request: Request, record: StoredRecord, fail: Failure) -> None:
    """Refuse a record that does not pass the request's filter."""
    try:
        check_filter(request.filter, store, record, request.digest)
    except Refused as error:
        raise fail(error.result) from error


def _scope_of_write(
    store: NamespaceStore, request: Request, record: StoredRecord | None, void_time: int, *, replaces: bool
) -> Scope:
    """The scope for expressions of a write: times are new, key and size in storage are still the old ones."""
    now = store.clock.milliseconds()
    if record is None:
        metadata = Metadata(request.digest, request.set_name, now, void_time, False, UNWRITTEN_SIZE)
        return Scope(store.clock, metadata)
    metadata = Metadata(
        request.digest, record.set_name, max(now, record.last_update), void_time, record.key is not None, record.size()
    )
    # A record that is replaced is not read.
    return Scope(store.clock, metadata, key=None if replaces else record.key)


def _policies(request: Request) -> tuple[bool, bool]:
    """Whether the record must exist, and whether it is replaced (server: write_master_policies)."""
    ops = request.ops
    if not 0 < len(ops) <= MAX_OPS:
        raise Refused(ResultCode.PARAM)
    get_all = bool(request.info1 & wire.INFO1_GET_ALL)
    respond_all = bool(request.info2 & wire.INFO2_RESPOND_ALL_OPS)
    must_exist = bool(request.info3 & (wire.INFO3_UPDATE_ONLY | wire.INFO3_REPLACE_ONLY))
    replaces = bool(request.info3 & (wire.INFO3_CREATE_OR_REPLACE | wire.INFO3_REPLACE_ONLY))
    reads = answers_a_bin = False
    reads_all = 0
    for op in ops:
        number = op.op
        if replaces and number in _NOT_IN_A_REPLACE:
            raise Refused(ResultCode.PARAM)
        if number == wire.OP_TOUCH:
            must_exist = True
            continue
        if not is_bin_name(op.name):
            raise Refused(ResultCode.BIN_NAME)
        if number == wire.OP_WRITE:
            if replaces and op.particle == wire.PARTICLE_NULL:
                raise Refused(ResultCode.PARAM)
        elif number == wire.OP_READ and not op.name and get_all:
            reads = True
            reads_all += 1
        elif number in READS:
            reads = answers_a_bin = True
        elif number in _ANSWERS_A_BIN:
            answers_a_bin = True
    if reads_all > 1 or (reads_all and (respond_all or answers_a_bin)):
        raise Refused(ResultCode.PARAM)
    if reads and not request.is_read:
        raise Refused(ResultCode.PARAM)
    if get_all and not reads_all:
        raise Refused(ResultCode.PARAM)
    return must_exist, replaces


def _generation_fits(request: Request, record: StoredRecord | None) -> bool:
    generation = 0 if record is None else record.generation
    if request.info2 & wire.INFO2_GENERATION:
        return request.generation == generation
    if request.info2 & wire.INFO2_GENERATION_GT:
        return request.generation > generation
    return True


def key_to_store(request: Request, record: StoredRecord | None, fail: Failure) -> bytes | None:
    """The user key after the write: a stored key is kept (server: handle_msg_key)."""
    sent = request.key
    if record is not None and record.key is not None:
        if sent is not None and sent != record.key:
            raise fail(ResultCode.KEY_MISMATCH)
        return record.key
    if sent is not None and (not sent or (sent[0] == wire.PARTICLE_INTEGER and len(sent) != 9)):
        raise fail(ResultCode.UNSUPPORTED_FEATURE)
    return sent


def void_time_after(store: NamespaceStore, request: Request, record: StoredRecord | None, fail: Failure) -> int:
    """The void-time after the write, in seconds since the Citrusleaf epoch; 0 for never."""
    ttl = request.record_ttl
    if ttl == wire.TTL_DONT_UPDATE and record is not None:
        return record.void_time
    if ttl == wire.TTL_DONT_UPDATE or ttl == wire.TTL_NAMESPACE_DEFAULT:
        ttl = store.default_ttl(request.set_name if record is None else record.set_name)
    elif ttl == wire.TTL_NEVER_EXPIRE:
        ttl = 0
    elif ttl > MAX_TTL:
        raise fail(ResultCode.PARAM)
    if not store.may_expire(ttl):
        raise fail(ResultCode.FAIL_FORBIDDEN)
    void_time = store.clock.seconds() + ttl if ttl else 0
    if record is not None and not store.settings.flag("apply-ttl-reductions"):
        is_shorter = void_time != 0 if not record.void_time else void_time < record.void_time
        return record.void_time if is_shorter else void_time
    return void_time


def new_version(
    store: NamespaceStore,
    request: Request,
    record: StoredRecord | None,
    bins: dict[str, Particle],
    key: bytes | None,
    void_time: int,
    fail: Failure,
) -> StoredRecord:
    """The new version of a record after a write. Raises `Refused`: it is too large."""
    if len(bins) > MAX_BINS:
        raise fail(ResultCode.PARAM)
    now = store.clock.milliseconds()
    if record is None:
        changed = StoredRecord(request.set_name, bins, 1, void_time, now, key)
    else:
        # Generations have 16 bits, and 0 means that there is no record (server: as_record_increment_generation).
        generation = record.generation + 1 if record.generation < 0xFFFF else 1
        changed = StoredRecord(record.set_name, bins, generation, void_time, max(now, record.last_update), key)
    if changed.size() > store.settings.number("max-record-size"):
        raise fail(ResultCode.RECORD_TOO_BIG)
    return changed
