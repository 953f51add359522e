"""Expressions where they are used: in the policies of all commands, and in operations."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import attrs
import pytest

import trio_aerospike
from trio_aerospike import exp, operations
from trio_aerospike._wire import constants as wire
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.exp import ExpType
from trio_aerospike.operations import ExpRead, ExpWrite, read_expression, write_expression

POLICIES: list[Any] = [
    getattr(trio_aerospike, name)
    for name in dir(trio_aerospike)
    if name.endswith("Policy")
    and any(f.name == "filter_expression" for f in attrs.fields(getattr(trio_aerospike, name)))
]
ADULT = exp.int_bin("age") >= 18


def test_all_policies_of_commands_on_records_have_a_filter():
    names = {policy.__name__ for policy in POLICIES}
    assert {"ReadPolicy", "WritePolicy", "BatchPolicy", "BatchWritePolicy", "BatchRemovePolicy"} <= names


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_keeps_a_filter_as_its_bytes_and_shows_it_as_the_expression(policy):
    made = policy(filter_expression=ADULT)
    assert made.filter_expression == ADULT.encode()
    assert type(made.filter_expression) is bytes
    assert made == policy(filter_expression=ADULT.encode())
    assert "filter_expression=exp.int_bin('age') >= 18" in repr(made)
    assert "filter_expression=b'no expression'" in repr(policy(filter_expression=b"no expression"))
    assert "filter_expression=None" in repr(policy())
    assert made.replace(filter_expression=None) == policy()
    assert policy().replace(filter_expression=ADULT) == made


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (exp.int_bin("age"), "gives a bool; this one gives an int"),
        (exp.val("x"), "this one gives a str"),
        (exp.nil(), "this one gives a nil"),
        (exp.var("x"), "nothing in this one binds x"),
        (exp.var("x") & exp.bool_bin("t"), "nothing in this one binds x"),
        (exp.infinity(), "an exp.Expression that gives a bool"),
        (exp.remove_result(), "an exp.Expression that gives a bool"),
        (True, "an exp.Expression that gives a bool"),
        ("x", "an exp.Expression that gives a bool"),
    ],
)
def test_a_policy_refuses_what_can_be_no_filter(policy, wrong, reason):
    with pytest.raises(InvalidArgError) as error:
        policy(filter_expression=wrong)
    assert f"{policy.__name__}.filter_expression: got" in str(error.value)
    assert reason in str(error.value)


def test_a_filter_that_is_unknown_is_one_all_the_same():
    unknown = exp.unknown()
    assert trio_aerospike.ReadPolicy(filter_expression=unknown).filter_expression == unknown.encode()


def test_operations_read_and_write_what_an_expression_gives():
    read = read_expression("total", exp.int_bin("a") + 1)
    assert (read.op, read.bin_name, read.is_write, read.info1) == (wire.OP_EXP_READ, "total", False, wire.INFO1_READ)
    write = write_expression("total", exp.int_bin("a") + 1, ExpWrite.CREATE_ONLY | ExpWrite.EVAL_NO_FAIL)
    assert (write.op, write.bin_name, write.is_write) == (wire.OP_EXP_MODIFY, "total", True)
    packed = (exp.int_bin("a") + 1).encode()
    assert read == read_expression("total", packed)
    assert read.value == b"\x92" + packed + b"\x00"
    assert write.value == b"\x92" + packed + b"\x11"
    assert write_expression("a", 5).value == b"\x92\x05\x00"
    assert write_expression("a", [1]).value == b"\x92\x92\x7e\x91\x01\x00"
    assert write_expression("a", None, ExpWrite.ALLOW_DELETE).value == b"\x92\xc0\x04"
    assert trio_aerospike.read_expression is operations.read_expression
    assert trio_aerospike.write_expression is operations.write_expression


@pytest.mark.parametrize("function", [read_expression, write_expression])
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("", ADULT), "bin_name"),
        (("x" * 16, ADULT), "bin_name"),
        ((5, ADULT), "bin_name"),
        (("a", exp.var("x")), "nothing in it binds x"),
        (("a", exp.infinity()), "an expression that gives a value"),
        (("a", exp.remove_result()), "remove_result is for modify_by_path"),
        (("a", b""), "or the bytes of one"),
        (("a", b"\x93\x01"), "or the bytes of one"),
        (("a", object()), ".expression: got"),
        (("a", exp.def_("x", 1)), ".expression: got"),
        (("a", ADULT, 32), ".flags: got 32"),
        (("a", ADULT, -1), ".flags: got -1"),
        (("a", ADULT, True), ".flags: got True"),
        (("a", ADULT, "x"), ".flags: got 'x'"),
    ],
)
def test_operations_refuse_what_the_server_would(function, arguments, reason):
    with pytest.raises(InvalidArgError) as error:
        function(*arguments)
    assert str(error.value).startswith(f"{function.__name__}.")
    assert reason.replace("bin_name", "name" if function is read_expression else "bin_name") in str(error.value)


def test_flags_are_those_of_the_operation():
    with pytest.raises(InvalidArgError, match=r"read_expression\.flags: got 1, allowed: ExpRead\.DEFAULT"):
        read_expression("a", ADULT, ExpRead(1) if 1 in list(ExpRead) else 1)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgError, match="CREATE_ONLY or UPDATE_ONLY, not both"):
        write_expression("a", ADULT, ExpWrite.CREATE_ONLY | ExpWrite.UPDATE_ONLY)


@pytest.mark.parametrize(
    "module", ["exp", "exp.lists", "policies", "operations.expressions", "ctx", "operations.lists"]
)
def test_every_module_can_be_the_first_that_is_imported(module):
    run = subprocess.run([sys.executable, "-c", f"import trio_aerospike.{module}"], capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()


NAMES_OF_AEROSPIKE_PY = """
int_val float_val string_val bool_val blob_val list_val map_val geo_val nil infinity wildcard
int_bin float_bin string_bin bool_bin blob_bin list_bin map_bin geo_bin hll_bin bin_exists bin_type
key key_exists set_name record_size last_update since_update void_time ttl is_tombstone digest_modulo
eq ne gt ge lt le and_ or_ not_ xor_ num_add num_sub num_mul num_div num_mod num_pow num_log num_abs
num_floor num_ceil to_int to_float min_ max_ int_and int_or int_xor int_not int_lshift int_rshift
int_arshift int_count int_lscan int_rscan regex_compare geo_compare cond var def_ let_
"""


def test_every_name_of_aerospike_py_has_a_function_of_the_same_meaning():
    for name in NAMES_OF_AEROSPIKE_PY.split():
        assert callable(getattr(exp, name)), name
    assert (ExpType.NIL, ExpType.BOOL, ExpType.INT, ExpType.STRING, ExpType.LIST) == (0, 1, 2, 3, 4)
    assert (ExpType.MAP, ExpType.BLOB, ExpType.FLOAT, ExpType.GEO, ExpType.HLL) == (5, 6, 7, 8, 9)
