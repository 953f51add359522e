"""Modules of functions, and calls of them on records, through the client: on embedded clusters and on real servers."""

from __future__ import annotations

import math
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from trio_aerospike import (
    AerospikeError,
    AerospikeTimeoutError,
    Client,
    Exists,
    FilteredOut,
    GenerationCheck,
    GeoJSON,
    InvalidArgError,
    Key,
    RecordNotFound,
    WritePolicy,
    exp,
)
from trio_aerospike.errors import ResultCode, UDFError
from trio_aerospike.server import Fault

from .conftest import Keys, Target

SOURCE = b"""
local calls = 0

function echo(rec, value)
  return value
end

function count(rec, ...)
  return select("#", ...)
end

function add(rec, name, amount)
  rec[name] = (rec[name] or 0) + amount
  if aerospike:exists(rec) then
    aerospike:update(rec)
  else
    aerospike:create(rec)
  end
  return rec[name]
end

function put(rec, name, value)
  rec[name] = value
  return aerospike:exists(rec) and aerospike:update(rec) or aerospike:create(rec)
end

function live(rec, seconds)
  record.set_ttl(rec, seconds)
  rec.a = 1
  return aerospike:create(rec)
end

function remove(rec)
  return aerospike:remove(rec)
end

function facts(rec)
  return map{gen = record.gen(rec), set = record.setname(rec), key = record.key(rec), digest = record.digest(rec),
             bins = list(record.bin_names(rec)), there = aerospike:exists(rec)}
end

function fail(rec)
  local x = nil
  return x.y
end

function fail_with(rec, text)
  error(text)
end

function endless(rec)
  while true do end
end

function endless_and_deaf(rec)
  while true do
    pcall(function() while true do end end)
  end
end

function endless_elsewhere(rec)
  return coroutine.wrap(function() while true do end end)()
end
"""


@pytest.fixture
async def name(client: Client) -> AsyncIterator[Callable[[], str]]:
    """Names for modules that nobody else has; they are removed in the end."""
    made = []

    def make() -> str:
        made.append(f"t{secrets.token_hex(5)}.lua")
        return made[-1]

    yield make
    with trio.CancelScope(shield=True, deadline=trio.current_time() + 30):
        for one in made:
            await client.udf_remove(one, wait=None)


@pytest.fixture
async def module(client: Client, name: Callable[[], str]) -> str:
    """The name of a registered module, as calls give it."""
    made = await client.udf_put(SOURCE, name=name(), wait=30)
    return made.name.removesuffix(".lua")


# Modules --------------------------------------------------------------------------------------------------------------


async def test_a_module_of_bytes_is_on_all_nodes_is_listed_and_comes_back_as_it_was(
    client: Client, name: Callable[[], str]
) -> None:
    put = await client.udf_put(SOURCE, name=name(), wait=30)
    assert put.language == "LUA" and len(put.hash) == 40
    assert put in await client.udf_list()
    for answer in await client.info_all("udf-list"):
        assert f"filename={put.name},hash={put.hash},type=LUA;" in answer.response
    assert await client.udf_get(put.name) == SOURCE


async def test_a_module_is_read_from_a_file_and_called_like_it(
    client: Client, name: Callable[[], str], tmp_path: Path
) -> None:
    path = tmp_path / name()
    path.write_bytes(SOURCE)
    put = await client.udf_put(path, wait=30)
    assert put.name == path.name
    other = await client.udf_put(str(path), name=name(), wait=30)
    assert other.name != path.name
    assert await client.udf_get(other.name) == SOURCE


async def test_a_module_put_again_replaces_the_older_one(client: Client, name: Callable[[], str], key: Key) -> None:
    made = name()
    for version in (1, 2):
        put = await client.udf_put(f"function version(rec) return {version} end".encode(), name=made, wait=30)
        assert [one.hash for one in await client.udf_list() if one.name == made] == [put.hash]
        assert await client.apply(key, made.removesuffix(".lua"), "version") == version


async def test_the_hash_of_a_module_is_the_servers(client: Client, name: Callable[[], str], target: Target) -> None:
    made = name()
    source = b"function one(rec) return 1 end\n"
    put = await client.udf_put(source, name=made, wait=30)
    again = await client.udf_put(source, name=made, wait=30)
    assert put == again


async def test_a_removed_module_is_gone_from_all_nodes_and_removing_it_again_is_no_error(
    client: Client, name: Callable[[], str]
) -> None:
    made = name()
    await client.udf_put(SOURCE, name=made, wait=30)
    await client.udf_remove(made, wait=30)
    assert made not in [one.name for one in await client.udf_list()]
    for answer in await client.info_all("udf-list"):
        assert made not in answer.response
    await client.udf_remove(made, wait=30)
    with pytest.raises(UDFError, match=r"udf_get of .*not found"):
        await client.udf_get(made)


async def test_not_waiting_for_all_nodes_returns_when_one_has_taken_the_module(
    client: Client, name: Callable[[], str]
) -> None:
    put = await client.udf_put(SOURCE, name=name(), wait=None)
    assert put.name.endswith(".lua")
    with trio.fail_after(30):
        while put.name not in [one.name for one in await client.udf_list()]:
            await trio.sleep(0.05)


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        (b"function f(rec)\n  return = 1\nend", 2, "unexpected symbol near '='"),
        (b"function f(rec)\n\n  if x then\nend", 4, "'end' expected"),
        (b"x = 'never closed", 1, "unfinished string"),
        (b"\n\nerror('on loading')", 3, "on loading"),
        (b"\nlocal x = nil\nlocal y = x.z", 3, "attempt to index a nil value"),
    ],
)
async def test_a_module_that_does_not_load_is_refused_with_the_compilers_words_and_the_line(
    client: Client, name: Callable[[], str], source: bytes, line: int, words: str
) -> None:
    made = name()
    with pytest.raises(UDFError) as caught:
        await client.udf_put(source, name=made)
    assert f"{made}:{line}: " in str(caught.value)
    assert words in str(caught.value)
    assert made not in [one.name for one in await client.udf_list()]


async def test_modules_use_each_other(client: Client, name: Callable[[], str], key: Key) -> None:
    lib, user = name(), name()
    await client.udf_put(b"local lib = {} function lib.double(x) return 2 * x end return lib", name=lib, wait=30)
    stem = lib.removesuffix(".lua")
    source = f"local lib = require('{stem}') function f(rec, x) return lib.double(x) end"
    await client.udf_put(source.encode(), name=user, wait=30)
    assert await client.apply(key, user.removesuffix(".lua"), "f", [21]) == 42


# Calls ----------------------------------------------------------------------------------------------------------------


VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    1.5,
    -0.0,
    math.inf,
    "",
    "text",
    "größer ✓",
    b"",
    b"\x00\xff",
    [],
    [1, "a", 2.5, None, True, b"\x01", [2], {"k": 1}],
    {},
    {"a": 1, 5: "five", b"\x01": [1]},
    {"deep": {"deeper": [{"deepest": None}]}},
    GeoJSON('{"type":"Point","coordinates":[1.0,2.0]}'),
    [GeoJSON('{"type":"Point","coordinates":[1.0,2.0]}')],
    "x" * 100_000,
    list(range(10_000)),
]


async def test_values_of_every_kind_come_back_from_a_function_as_they_went(
    client: Client, module: str, key: Key
) -> None:
    for value in VALUES:
        result = await client.apply(key, module, "echo", [value])
        assert result == value and type(result) is type(value), value


async def test_values_of_every_kind_are_stored_by_a_function(client: Client, module: str, keys: Keys) -> None:
    for number, value in enumerate(VALUES):
        if value is None:
            continue
        key = keys(number)
        assert await client.apply(key, module, "put", ["bin", value]) == 0
        assert (await client.get(key))["bin"] == value


async def test_arguments_may_be_any_iterable_of_any_number(client: Client, module: str, key: Key) -> None:
    assert await client.apply(key, module, "count") == 0
    assert await client.apply(key, module, "count", []) == 0
    assert await client.apply(key, module, "count", (1, None)) == 2
    assert await client.apply(key, module, "count", (number for number in range(100))) == 100


async def test_a_function_creates_updates_and_removes_records(client: Client, module: str, key: Key) -> None:
    assert await client.apply(key, module, "add", ["visits", 2]) == 2
    assert await client.apply(key, module, "add", ["visits", 3]) == 5
    record = await client.get(key)
    assert record.bins == {"visits": 5} and record.generation == 2
    assert await client.apply(key, module, "remove") == 0
    with pytest.raises(RecordNotFound):
        await client.get(key)
    assert await client.apply(key, module, "remove") == 1


async def test_a_function_knows_the_record_it_works_on(client: Client, module: str, key: Key) -> None:
    await client.put(key, {"b": 1, "a": 2}, policy=WritePolicy(send_key=True))
    facts = await client.apply(key, module, "facts")
    assert facts == {
        "gen": 1,
        "set": key.set_name,
        "key": key.user_key,
        "digest": key.digest,
        "bins": ["b", "a"],
        "there": True,
    }


async def test_the_key_is_stored_where_the_policy_says_so(client: Client, module: str, keys: Keys) -> None:
    for sends in (False, True):
        key = keys(sends)
        await client.apply(key, module, "put", ["a", 1], policy=WritePolicy(send_key=sends))
        assert (await client.apply(key, module, "facts")).get("key") == (key.user_key if sends else None)


async def test_the_time_to_live_is_the_calls_or_what_the_function_says(
    client: Client, module: str, keys: Keys, target: Target
) -> None:
    by_call, by_policy, by_function = keys(), keys(), keys()
    await client.apply(by_call, module, "put", ["a", 1], ttl=1000)
    await client.apply(by_policy, module, "put", ["a", 1], policy=WritePolicy(ttl=2000))
    await client.apply(by_function, module, "live", [3000], ttl=1000)
    for key, seconds in ((by_call, 1000), (by_policy, 2000), (by_function, 3000)):
        left = (await client.get(key)).ttl
        assert left is not None and seconds - 60 <= left <= seconds


async def test_a_filter_keeps_a_function_from_a_record(client: Client, module: str, key: Key) -> None:
    await client.put(key, {"age": 17})
    grown_up = WritePolicy(filter_expression=exp.int_bin("age") >= 18)
    with pytest.raises(FilteredOut) as caught:
        await client.apply(key, module, "add", ["age", 1], policy=grown_up)
    assert not caught.value.in_doubt
    await client.put(key, {"age": 18})
    assert await client.apply(key, module, "add", ["age", 1], policy=grown_up) == 19


# What goes wrong ------------------------------------------------------------------------------------------------------


async def failure(call: Awaitable[Any]) -> UDFError:
    with pytest.raises(UDFError) as caught:
        await call
    return caught.value


async def test_an_error_in_a_function_has_its_message_and_line(client: Client, module: str, key: Key) -> None:
    error = await failure(client.apply(key, module, "fail"))
    assert f"{module}.lua:44: attempt to index a nil value (local 'x')" in str(error)
    assert error.result_code == ResultCode.UDF and error.node and not error.in_doubt
    error = await failure(client.apply(key, module, "fail_with", ["own words: größer"]))
    assert f"{module}.lua:48: own words: größer" in str(error)


async def test_an_error_that_is_not_text_has_the_servers_words(client: Client, module: str, key: Key) -> None:
    error = await failure(client.apply(key, module, "fail_with", [[1]]))
    assert "result value type unexpected" in str(error)


async def test_a_missing_function_or_module_is_named(client: Client, module: str, key: Key) -> None:
    error = await failure(client.apply(key, module, "no_such_function"))
    assert "function not found" in str(error)
    error = await failure(client.apply(key, "no_such_module", "echo"))
    assert "UDF: Execution Error 1" in str(error)


async def test_an_error_leaves_the_record_as_it_was(client: Client, name: Callable[[], str], key: Key) -> None:
    made = name()
    source = b"function f(rec) rec.a = 2 aerospike:update(rec) error('after the update') end"
    await client.udf_put(source, name=made, wait=30)
    await client.put(key, {"a": 1})
    await failure(client.apply(key, made.removesuffix(".lua"), "f"))
    record = await client.get(key)
    assert record.bins == {"a": 1} and record.generation == 1


@pytest.mark.parametrize("exists", [Exists.CREATE_ONLY, Exists.UPDATE_ONLY, Exists.REPLACE, Exists.REPLACE_ONLY])
async def test_policies_that_check_existence_are_refused_before_anything_is_sent(
    client: Client, module: str, key: Key, exists: Exists, nothing_sent: Callable[[], None]
) -> None:
    with pytest.raises(InvalidArgError, match=r"apply\.policy"):
        await client.apply(key, module, "echo", policy=WritePolicy(exists=exists))
    nothing_sent()


async def test_policies_that_check_generations_are_refused_before_anything_is_sent(
    client: Client, module: str, key: Key, nothing_sent: Callable[[], None]
) -> None:
    with pytest.raises(InvalidArgError, match=r"apply\.policy"):
        await client.apply(
            key, module, "echo", policy=WritePolicy(generation=1, generation_check=GenerationCheck.EQUAL)
        )
    nothing_sent()


WRONG_CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "module of another type": ({"module": 5}, r"apply\.module"),
    "no module": ({"module": ""}, r"apply\.module"),
    "a long module": ({"module": "x" * 128}, r"apply\.module"),
    "no function": ({"function": ""}, r"apply\.function"),
    "a long function": ({"function": "x" * 128}, r"apply\.function"),
    "arguments that are one text": ({"arguments": "text"}, r"apply\.arguments"),
    "arguments that are no list": ({"arguments": 5}, r"apply\.arguments"),
    "arguments by name": ({"arguments": {"a": 1}}, r"apply\.arguments"),
    "an argument that cannot be stored": ({"arguments": [1, object()]}, r"apply\.arguments.*\[1\]|apply\.arguments"),
    "an integer that is too large": ({"arguments": [2**64]}, r"apply\.arguments"),
    "a ttl that is too long": ({"ttl": 2**40}, r"apply\.ttl"),
    "a policy for reads": ({"policy": "fast"}, r"WritePolicy"),
}


@pytest.mark.parametrize("what", WRONG_CALLS)
async def test_wrong_arguments_of_a_call_are_refused_by_name(
    client: Client, key: Key, what: str, nothing_sent: Callable[[], None]
) -> None:
    arguments, words = WRONG_CALLS[what]
    with pytest.raises(InvalidArgError, match=words):
        await client.apply(**{"key": key, "module": "m", "function": "f", **arguments})
    nothing_sent()


WRONG_PUTS: dict[str, tuple[dict[str, Any], str]] = {
    "no such file": ({"source": "/no/such/file.lua"}, r"udf_put\.source: got '/no/such/file\.lua', .*cannot be read"),
    "no text": ({"source": b"", "name": "a.lua"}, r"udf_put\.source: got 0 bytes"),
    "too long": ({"source": b"-" * (1024 * 1024 + 1), "name": "a.lua"}, r"udf_put\.source: got 1048577 bytes"),
    "no name": ({"source": b"x = 1"}, r"udf_put\.name"),
    "a name without extension": ({"source": b"x = 1", "name": "a"}, r"udf_put\.name"),
    "a name that is an extension": ({"source": b"x = 1", "name": ".lua"}, r"udf_put\.name"),
    "a name with a separator": ({"source": b"x = 1", "name": "a;b.lua"}, r"udf_put\.name"),
    "a name with a folder": ({"source": b"x = 1", "name": "a/b.lua"}, r"udf_put\.name"),
    "a long name": ({"source": b"x = 1", "name": "a" * 124 + ".lua"}, r"udf_put\.name"),
    "a name of another type": ({"source": b"x = 1", "name": 5}, r"udf_put\.name"),
    "a source of another type": ({"source": 5}, r"udf_put\.source"),
    "seconds of another type": ({"source": b"x = 1", "name": "a.lua", "wait": "long"}, r"wait"),
    "negative seconds": ({"source": b"x = 1", "name": "a.lua", "wait": -1}, r"wait"),
}


@pytest.mark.parametrize("what", WRONG_PUTS)
async def test_wrong_modules_are_refused_by_name_before_they_are_sent(client: Client, what: str) -> None:
    arguments, words = WRONG_PUTS[what]
    before = await client.udf_list()
    with pytest.raises(InvalidArgError, match=words):
        await client.udf_put(**arguments)
    assert "a.lua" not in {one.name for one in await client.udf_list()} - {one.name for one in before}


async def test_wrong_names_of_modules_are_refused_in_the_other_calls_as_well(client: Client) -> None:
    with pytest.raises(InvalidArgError, match=r"udf_get\.name"):
        await client.udf_get("nothing")
    with pytest.raises(InvalidArgError, match=r"udf_remove\.name"):
        await client.udf_remove("")


# Time -----------------------------------------------------------------------------------------------------------------


async def test_an_endless_function_ends_with_the_time_of_its_call(client: Client, module: str, key: Key) -> None:
    """With the error of the server where its answer comes in time, with our own timeout where it does not."""
    with pytest.raises((UDFError, AerospikeTimeoutError)) as caught:
        await client.apply(key, module, "endless", policy=WritePolicy(total_timeout=0.5, max_retries=0))
    if isinstance(caught.value, UDFError):
        assert "UDF Execution Timeout" in str(caught.value)
    else:
        assert caught.value.in_doubt
    assert await client.apply(key, module, "echo", [1]) == 1


@pytest.mark.parametrize("function", ["endless", "endless_and_deaf", "endless_elsewhere"])
async def test_the_embedded_server_serves_others_again_when_the_time_of_an_endless_call_is_over(
    client: Client, module: str, key: Key, target: Target, function: str
) -> None:
    """Also where the function catches errors, or loops in a coroutine, which a real server does not survive."""
    if target.embedded is None:
        pytest.skip("a real server would go on for ever")
    with trio.fail_after(20):
        with trio.move_on_after(0.3), pytest.raises(UDFError, match="UDF Execution Timeout"):
            await client.apply(key, module, function)
        await client.put(key, {"a": 1})


async def test_a_call_without_an_answer_is_in_doubt_and_not_sent_twice(
    client: Client, module: str, key: Key, target: Target
) -> None:
    if target.embedded is None:
        pytest.skip("only the embedded server can be made to close a connection")
    seen: list[Any] = []

    async def react(kind: str, request: object) -> Fault | None:
        if kind != "message":
            return None
        seen.append(request)
        return Fault.CLOSE

    for node in target.embedded.nodes:
        node.on_request = react
    with pytest.raises(AerospikeError) as caught:
        await client.apply(key, module, "add", ["n", 1])
    for node in target.embedded.nodes:
        node.on_request = None
    assert caught.value.in_doubt
    assert len(seen) == 1
