"""The operations of aerospike_py's modules are rows of the native table, and their dicts say what the rows take."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from aerospike_py import bit_operations, hll_operations, list_operations, map_operations
from aerospike_py._operations.bits_and_hll import OPERATION_DICTS as BLOBS
from aerospike_py._operations.lists_and_maps import OPERATION_DICTS as COLLECTIONS
from aerospike_py._operations.operation_dicts import OperationDict
from trio_aerospike._wire.bit_ops import BITS
from trio_aerospike._wire.cdt_ops import LISTS, MAPS
from trio_aerospike._wire.hll_ops import HLLS
from trio_aerospike._wire.operation_rows import POLICIES, RETURNS, Call

FAMILIES: dict[str, tuple[Any, dict[str, Call]]] = {
    "list": (list_operations, LISTS),
    "map": (map_operations, MAPS),
    "bit": (bit_operations, BITS),
    "hll": (hll_operations, HLLS),
}
FORMS = [*COLLECTIONS.values(), *BLOBS.values()]
#: Rows that aerospike_py 0.14.4 has no function for.
MISSING = {
    "list": {"create", "get_by_value_rank_range_relative", "remove_by_value_rank_range_relative"},
    "map": {
        "create",
        *(f"{verb}_by_{what}_range_relative" for verb in ("get", "remove") for what in ("key_index", "value_rank")),
    },
    "bit": set(),
    "hll": {"refresh_count", "may_contain"},
}


def row_of(form: OperationDict) -> Call:
    family, _, name = form.name.partition("_")
    table = FAMILIES[family][1]
    return table.get(name) or table[f"{name}_"]


@pytest.mark.parametrize("family", FAMILIES)
def test_each_function_has_a_form_and_each_row_a_function(family: str) -> None:
    module, table = FAMILIES[family]
    names = {name.partition("_")[2] for name in module.__all__ if name != "Operation"}
    assert names == {form.name.partition("_")[2] for form in FORMS if form.name.startswith(f"{family}_")}
    assert names | MISSING[family] == {row.name.rstrip("_") for row in table.values() if row.operation}
    assert not names & MISSING[family]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_form_has_an_entry_for_each_parameter_of_its_row(form: OperationDict) -> None:
    row = row_of(form)
    expected: set[str] = set()
    for parameter in row.parameters:
        if parameter.kind in RETURNS:
            expected.add("return_type")
        elif parameter.kind in POLICIES or (parameter.name == "flags" and row.flags):
            expected.add("policy")
        else:
            expected |= {"action": {"action", "signed"}, "sketches": {"values"}}.get(parameter.name, {parameter.name})
    expected -= {"policy"} if form.name == "list_set" else set()  # aerospike_py has none
    assert {parameter for parameter, _ in form.entries} == expected


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_function_makes_a_dict_with_the_keys_of_its_form(form: OperationDict) -> None:
    module = FAMILIES[form.name.partition("_")[0]][0]
    function = getattr(module, form.name)
    made = function(**dict.fromkeys(inspect.signature(function).parameters, 1))
    codes = {number for table in (COLLECTIONS, BLOBS) for number, one in table.items() if one is form}
    assert codes == {made["op"]}
    assert set(made) == {"op", "bin", *(entry.key for _, entry in form.entries)}
