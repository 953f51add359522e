"""Functions called on many records in one batch, on embedded and on real servers."""

from __future__ import annotations

import pytest

from trio_aerospike import (
    BatchApply,
    BatchApplyPolicy,
    BatchRead,
    BatchWrite,
    Client,
    InvalidArgError,
    exp,
)
from trio_aerospike.errors import ResultCode, UDFError

from .conftest import Keys
from .test_udf import module, name

__all__ = ["module", "name"]


async def test_a_function_is_called_on_every_record_with_its_result_in_place(
    client: Client, module: str, keys: Keys
) -> None:
    made = [keys(number) for number in range(300)]
    for amount in (2, 3):
        results = await client.batch_apply(made, module, "add", ["n", amount])
        assert [result.key for result in results] == made
    assert [result.value for result in results] == [5] * 300
    assert {result.record["n"] for result in await client.batch_read(made) if result.record is not None} == {5}


async def test_a_failed_row_carries_the_message_and_line_of_its_function_and_the_others_their_results(
    client: Client, module: str, keys: Keys
) -> None:
    rows = [
        BatchApply(keys(0), module, "echo", [["any", {"k": 1.5}]]),
        BatchApply(keys(1), module, "fail"),
        BatchApply(keys(2), module, "fail_with", ["own words"]),
        BatchApply(keys(3), "no_such_module", "echo"),
        BatchApply(keys(4), module, "no_such_function"),
        BatchApply(keys(5), module, "echo", [None]),
    ]
    results = await client.batch(rows)
    assert results[0].value == ["any", {"k": 1.5}] and results[5].value is None and results[5].ok
    said = {
        1: f"{module}.lua:44: attempt to index a nil value (local 'x')",
        2: f"{module}.lua:48: own words",
        3: "UDF: Execution Error 1",
        4: "function not found",
    }
    for place, words in said.items():
        assert results[place].result_code == ResultCode.UDF and results[place].record is None
        error = results[place].error
        assert isinstance(error, UDFError) and words in str(error), error
        assert repr(rows[place].key) in str(error)


async def test_functions_stand_beside_reads_and_writes(client: Client, module: str, keys: Keys) -> None:
    await client.put(keys("read"), {"a": 1})
    results = await client.batch(
        [
            BatchRead(keys("read")),
            BatchApply(keys("apply"), module, "add", ["n", 1]),
            BatchWrite(keys("write"), {"a": 2}),
        ]
    )
    assert [result.result_code for result in results] == [0, 0, 0]
    assert results[1].value == 1
    assert (await client.get(keys("write")))["a"] == 2


async def test_policies_of_rows_count(client: Client, module: str, keys: Keys) -> None:
    await client.put(keys("young"), {"age": 17})
    await client.put(keys("old"), {"age": 71})
    policy = BatchApplyPolicy(filter_expression=exp.int_bin("age") >= 18, ttl=1000)
    results = await client.batch_apply([keys("young"), keys("old")], module, "add", ["n", 1], apply_policy=policy)
    assert [result.result_code for result in results] == [ResultCode.FILTERED_OUT, 0]
    left = (await client.get(keys("old"))).ttl
    assert left is not None and 900 < left <= 1000


@pytest.mark.parametrize("arguments", ["text", {"a": 1}, 5, [object()]])
async def test_wrong_arguments_are_refused_by_name(client: Client, keys: Keys, arguments: object) -> None:
    with pytest.raises(InvalidArgError, match=r"batch_apply\.arguments"):
        await client.batch_apply([keys()], "m", "f", arguments)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgError, match=r"batch_apply\.function"):
        await client.batch_apply([keys()], "m", "x" * 128)
