"""The tree of errors and its table of result codes."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest

from trio_aerospike import errors
from trio_aerospike.errors import AerospikeError, ResultCode, error_from_code

SPEC = json.loads((Path(__file__).parents[2] / "data" / "aerospike_py-0.14.4.json").read_text())
# Names with an underscore are aliases.
PUBLISHED_BASES = {n: b for n, b in SPEC["exception_bases"].items() if not n.startswith("_")}
PUBLISHED_CODES = {
    name.removeprefix("AEROSPIKE_ERR_").removeprefix("AEROSPIKE_"): code
    for name, code in SPEC["constants"].items()
    if name.startswith("AEROSPIKE_")
}


def test_the_spec_has_what_the_following_tests_need():
    assert len(PUBLISHED_BASES) >= 25
    assert len(PUBLISHED_CODES) >= 44


@pytest.mark.parametrize(("name", "bases"), PUBLISHED_BASES.items())
def test_names_and_bases_are_those_of_aerospike_py(name, bases):
    cls = getattr(errors, name)
    assert [c.__name__ for c in cls.__mro__[1:-1]] == bases


@pytest.mark.parametrize(("name", "code"), PUBLISHED_CODES.items())
def test_result_codes_are_those_of_aerospike_py(name, code):
    assert ResultCode[name] == code


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        (1, errors.ServerError),
        (2, errors.RecordNotFound),
        (3, errors.RecordGenerationError),
        (4, errors.ServerError),
        (5, errors.RecordExistsError),
        (6, errors.BinExistsError),
        (9, errors.AerospikeTimeoutError),
        (11, errors.ServerError),
        (12, errors.BinTypeError),
        (13, errors.RecordTooBig),
        (14, errors.KeyBusy),
        (15, errors.QueryAbortedError),
        (17, errors.BinNotFound),
        (18, errors.DeviceOverload),
        (21, errors.BinNameError),
        (23, errors.RecordError),
        (24, errors.RecordError),
        (27, errors.FilteredOut),
        (29, errors.InvalidEncoding),
        (51, errors.AdminError),
        (60, errors.AdminError),
        (80, errors.AdminError),
        (81, errors.AdminError),
        (100, errors.UDFError),
        (120, errors.TransactionBlocked),
        (121, errors.TransactionVersionMismatch),
        (122, errors.TransactionExpired),
        (123, errors.TransactionTooManyWrites),
        (124, errors.TransactionCommitted),
        (125, errors.TransactionAborted),
        (126, errors.TransactionAlreadyLocked),
        (127, errors.TransactionMonitorExists),
        (150, errors.ServerError),
        (200, errors.IndexFoundError),
        (201, errors.IndexNotFound),
        (203, errors.AerospikeIndexError),
        (210, errors.QueryAbortedError),
        (212, errors.QueryError),
        (-1, errors.ClientError),
        (-4, errors.ClusterError),
        (-7, errors.NoMoreConnections),
        (-10, errors.ConnectionFailed),
        (-11, errors.ClusterError),
    ],
)
def test_each_code_has_its_class(code, cls):
    error = error_from_code(code)
    assert type(error) is cls
    assert error.result_code == code


@pytest.mark.parametrize("code", [c for c in ResultCode if c not in (ResultCode.OK, ResultCode.QUERY_END)])
def test_every_known_code_is_registered_and_has_words(code):
    assert code in errors._registry
    assert error_from_code(code).message == code.text != ""


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        (30, errors.ServerError),
        (57, errors.AdminError),
        (99, errors.AdminError),
        (101, errors.UDFError),
        (128, errors.TransactionError),
        (140, errors.ServerError),
        (209, errors.AerospikeIndexError),
        (219, errors.QueryError),
        (255, errors.ServerError),
        (-99, errors.ClientError),
    ],
)
def test_an_unknown_code_falls_back_to_its_family(code, cls):
    error = error_from_code(code)
    assert type(error) is cls
    assert error.result_code == code
    assert str(code) in str(error)


def test_success_is_no_error():
    with pytest.raises(ValueError, match="success"):
        error_from_code(0)


def test_two_classes_for_one_code_are_a_type_error_and_leave_the_table_as_it_was():
    before = dict(errors._registry)
    with pytest.raises(TypeError, match="result code 2 of Another belongs to RecordNotFound already"):
        type("Another", (AerospikeError,), {}, codes=(9999, 2))
    assert errors._registry == before


@pytest.mark.parametrize(
    ("cls", "code"),
    [
        (errors.AerospikeError, -1),
        (errors.ClientClosed, -1),
        (errors.BackpressureError, -1),
        (errors.ProtocolError, -1),
        (errors.NoMoreConnections, -7),
        (errors.ConnectionFailed, -1),
        (errors.ClusterError, -1),
        (errors.InvalidArgError, -1),
        (errors.AerospikeTimeoutError, -1),
        (errors.RecordNotFound, -1),
        (errors.RecordError, -1),
        (errors.AdminError, -1),
        (errors.IndexNotFound, -1),
    ],
)
def test_default_code_of_a_class(cls, code):
    assert cls("x").result_code == code


def test_arguments_are_kept_as_any_exception_keeps_them():
    assert AerospikeError().args == ()
    assert str(AerospikeError()) == ""
    two = errors.RecordNotFound("gone", 2)
    assert (two.args, str(two), two.message, two.result_code) == (("gone", 2), "('gone', 2)", "gone", -1)


@pytest.mark.parametrize("kind", [ValueError, TypeError, OverflowError, errors.ClientError])
def test_a_wrong_argument_is_what_python_calls_it(kind):
    with pytest.raises(kind, match="bin name"):
        raise errors.InvalidArgError("bin name: got 5")
    assert errors.InvalidArgError.__bases__ == (AerospikeError,)
    assert not issubclass(errors.ServerError, kind)


def test_client_errors_of_our_own_have_the_documented_bases():
    assert issubclass(errors.ProtocolError, errors.ClientError)
    assert issubclass(errors.ClientClosed, errors.ClientError)
    assert issubclass(errors.ConnectionFailed, errors.ClusterError)
    # aerospike_py raises a ClusterError where connections run out, the page calls it a client's.
    assert issubclass(errors.NoMoreConnections, errors.ClientError)
    assert issubclass(errors.NoMoreConnections, errors.ClusterError)


ALL_CLASSES = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, AerospikeError)]


def test_every_class_is_public():
    others = {"Attempt", "ResultCode", "UnwrittenRecordsWarning", "error_from_code"}
    assert {c.__name__ for c in ALL_CLASSES} | others == set(errors.__all__)


@pytest.mark.parametrize("cls", ALL_CLASSES)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_pickling_and_copying_keep_every_attribute(cls, duplicate):
    error = cls("what happened", result_code=77, node="A1", in_doubt=True, attempts=3)
    error.add_note("a note")
    twin = duplicate(error)
    assert type(twin) is type(error)
    assert type(twin).__name__ == cls.__name__
    assert (twin.message, twin.result_code, twin.node, twin.in_doubt, twin.attempts) == (
        "what happened",
        77,
        "A1",
        True,
        3,
    )
    assert twin.__notes__ == ["a note"]
    assert str(twin) == str(error)


def test_text_says_where_how_often_and_whether_in_doubt():
    error = error_from_code(9, node="BB9", in_doubt=True, attempts=2)
    assert str(error) == "timed out [code 9, node BB9, 2 attempts, in doubt]"
    assert str(error_from_code(2, "no ann", node="BB9", attempts=1)) == "no ann [code 2, node BB9]"
    assert str(errors.InvalidArgError("bins: got {}")) == "bins: got {}"
    assert repr(errors.RecordNotFound("gone")) == "RecordNotFound('gone')"


def test_an_error_made_of_anothers_text_says_code_and_node_once() -> None:
    inner = error_from_code(2, "get: record not found", node="A1", attempts=1)
    assert str(inner) == "get: record not found [code 2, node A1]"
    outer = error_from_code(2, f"line 7: {inner}", node="A1", attempts=1)
    assert str(outer) == "line 7: get: record not found [code 2, node A1]"
    inner.args = (f"line 8: {inner}",)
    assert str(inner) == "line 8: get: record not found [code 2, node A1]"
    other = error_from_code(2, f"retry: {inner}", node="A2", attempts=1)
    assert str(other).endswith("[code 2, node A1] [code 2, node A2]")


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (errors.AerospikeTimeoutError("slow"), True),
        (errors.ConnectionFailed("broken"), True),
        (errors.ClusterError("nobody"), True),
        (errors.NoMoreConnections("full"), True),
        (errors.BackpressureError("full"), True),
        (errors.ClientClosed("closed"), False),
        (errors.ProtocolError("garbage"), False),
        (errors.InvalidArgError("wrong"), False),
        (errors.RecordNotFound("none", result_code=2), False),
        (error_from_code(14), True),
        (error_from_code(18), True),
        (error_from_code(66), True),
        (error_from_code(120), True),
        (error_from_code(122), False),
        (error_from_code(4), False),
    ],
    ids=repr,
)
def test_an_error_knows_whether_a_repetition_may_help(error, retryable):
    assert error.retryable is retryable


def test_the_history_of_attempts_is_copied_and_pickled():
    error = errors.KeyBusy("busy", result_code=14, attempts=2)
    assert error.history == ()
    error.history = (errors.Attempt("A1", "code 14", 0.25), errors.Attempt(None, "no node serves the partition", 1.0))
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert twin.history == error.history
    assert "[code 14, 2 attempts, tried A1: code 14 after 0.250 s; no node: " in str(error)
