"""Operations as dicts become operations, and slips are refused with their place in the list."""

from __future__ import annotations

import re
from typing import Any

import pytest

import aerospike_py as aerospike
from aerospike_py._operations.conversion import to_operations
from trio_aerospike import operations


def test_every_scalar_operation():
    converted = to_operations(
        [
            {"op": aerospike.OPERATOR_READ, "bin": "a"},
            {"op": aerospike.OPERATOR_READ, "bin": "a", "val": None},
            {"op": aerospike.OPERATOR_READ},
            {"op": aerospike.OPERATOR_WRITE, "bin": "a", "val": [1]},
            {"op": aerospike.OPERATOR_WRITE, "bin": "a", "val": None},
            {"op": aerospike.OPERATOR_INCR, "bin": "a", "val": 2.5},
            {"op": aerospike.OPERATOR_APPEND, "bin": "a", "val": "x"},
            {"op": aerospike.OPERATOR_PREPEND, "bin": "a", "val": b"x"},
            {"op": aerospike.OPERATOR_TOUCH},
            {"op": aerospike.OPERATOR_TOUCH, "bin": "", "val": 0},
            {"op": aerospike.OPERATOR_DELETE},
        ]
    )
    assert converted == [
        operations.read("a"),
        operations.read("a"),
        operations.read_all(),
        operations.write("a", [1]),
        operations.write("a", None),
        operations.increment("a", 2.5),
        operations.append("a", "x"),
        operations.prepend("a", b"x"),
        operations.touch(),
        operations.touch(),
        operations.delete(),
    ]


def test_a_tuple_of_operations_does_as_well():
    assert to_operations(({"op": aerospike.OPERATOR_READ, "bin": "a"},)) == [operations.read("a")]


@pytest.mark.parametrize(
    "ops,message",
    [
        ([], r"ops: got \[\], allowed: at least one operation"),
        ("read", r"ops: got 'read', allowed: a list of operations"),
        ({"op": 1}, r"ops: got .*allowed: a list of operations"),
        (5, r"ops: got 5"),
        ([("a",)], r"ops\[0\]: got \('a',\), allowed: a dict of op, bin and val"),
        ([{"op": 1}, {"bin": "a"}], r"ops\[1\]: got .*must have 'op' key, OPERATOR_READ \(1\)"),
        ([{"op": 77, "bin": "a"}], r"ops\[0\]\['op'\]: got 77, allowed: .*OPERATOR_DELETE \(12\)"),
        ([{"op": 2, "bin": "a"}], r"ops\[0\]: got .*'val'"),
        ([{"op": 2, "val": 1}], r"ops\[0\]\['bin'\]: got None"),
        ([{"op": 2, "bin": "a", "value": 1}], r"ops\[0\]: unknown field 'value', did you mean 'val'\?"),
        ([{"op": 1, "bin": "a" * 16}], r"aaaaaaaaaaaaaaaa"),
        ([{"op": 5, "bin": "a", "val": "x"}], r"got 'x'"),
        ([{"op": 5, "bin": "a", "val": True}], r"got True"),
        ([{"op": 2, "bin": "a", "val": {1, 2}}], r"set"),
        ([{"op": 2, "bin": "a", "val": 2**64}], r"18446744073709551616"),
    ],
)
def test_slips_are_refused_with_what_is_allowed(ops: Any, message: str):
    with pytest.raises(aerospike.InvalidArgError) as caught:
        to_operations(ops)
    assert re.search(message, str(caught.value)), str(caught.value)


def test_none_stands_for_the_default(client: Any):
    key = ("test", "operations", "none")
    client.put(key, {"l": [1], "m": {"a": 1}})
    steps = [
        {"op": 1029, "bin": "l", "index": 0, "val": None},
        {"op": 2004, "bin": "m", "map_key": "a", "val": None},
    ]
    assert client.operate(key, steps).bins == {"l": 2, "m": 2}
    for op in ({"op": 1030, "bin": "l"}, {"op": 1031, "bin": "l"}, {"op": 2001, "bin": "m"}):
        assert client.operate(key, [{**op, "val": None}]).bins == client.operate(key, [op]).bins
