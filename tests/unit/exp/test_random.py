"""Properties of random expressions: encoding, repr, types, copies and damaged bytes."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, settings, strategies as st

from tests.effort import examples
from tests.unit.exp.evaluated import evaluated
from tests.unit.exp.strategies import TYPES, Expressions, expressions
from trio_aerospike import ctx, exp
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.policies import ReadPolicy

SETTINGS = settings(max_examples=examples(80))


@SETTINGS
@given(expressions())
def test_what_is_encoded_decodes_and_encodes_to_the_same_bytes_and_type(expression):
    data = expression.encode()
    read = exp.from_bytes(data)
    assert read.encode() == data
    assert read.type == expression.type
    assert exp.from_base64(expression.to_base64()).same_as(expression)


@SETTINGS
@given(expressions())
def test_the_repr_is_python_that_builds_the_same_expression(expression):
    again = evaluated(repr(expression))
    assert again.same_as(expression), repr(expression)
    assert repr(again) == repr(expression)
    assert again.type == expression.type


@SETTINGS
@given(st.data())
def test_an_expression_gives_the_type_it_was_built_to_give(data):
    kind = data.draw(TYPES)
    assert Expressions(data.draw).expression(kind).type is kind


@SETTINGS
@given(expressions(exp.ExpType.BOOL))
def test_every_boolean_expression_can_be_a_filter_which_is_its_bytes(expression):
    policy = ReadPolicy(filter_expression=expression)
    data = policy.filter_expression
    assert data is not None
    assert data == expression.encode()
    assert evaluated(repr(exp.from_bytes(data))).same_as(expression)


@settings(max_examples=examples(30))
@given(expressions())
def test_copies_and_pickles_are_the_same_expression(expression):
    assert copy.copy(expression) is expression
    assert copy.deepcopy(expression) is expression
    assert pickle.loads(pickle.dumps(expression)).same_as(expression)


@SETTINGS
@given(st.binary(min_size=1, max_size=60))
def test_random_bytes_are_an_expression_or_are_refused(data):
    try:
        read = exp.from_bytes(data)
    except InvalidArgError as error:
        assert str(error)
    else:
        assert exp.from_bytes(read.encode()).same_as(read)
        assert evaluated(repr(read)).same_as(read)


@SETTINGS
@given(expressions(), st.data())
def test_damaged_bytes_are_an_expression_or_are_refused(expression, data):
    damaged = bytearray(expression.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        if data.draw(st.booleans()):
            damaged[place] = data.draw(st.integers(0, 255))
        else:
            del damaged[place]
            damaged.append(data.draw(st.integers(0, 255)))
    try:
        read = exp.from_bytes(bytes(damaged))
    except InvalidArgError as error:
        assert str(error)
    else:
        assert exp.from_bytes(read.encode()).same_as(read)
        assert evaluated(repr(read)).same_as(read)


def test_a_damaged_condition_in_a_path_is_refused_when_it_is_read():
    condition = exp.loop_value(exp.ExpType.FLOAT) > 0.0
    path = exp.select_by_path(exp.list_bin("l"), [ctx.all_children_where(condition)], exp.PathSelect.VALUE)
    assert evaluated(repr(exp.from_bytes(path.encode()))).same_as(path)
    inner = condition.encode()
    damaged = path.encode().replace(inner, bytes((inner[0], 0)) + inner[2:])
    assert damaged != path.encode()
    with pytest.raises(InvalidArgError):
        exp.from_bytes(damaged)
