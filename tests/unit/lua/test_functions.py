"""The Lua of functions: what a module cannot reach, how long it may take, how much it may hold, and its streams."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from trio_aerospike._lua import CompileError, FunctionFailed, LuaModule, Unusable, from_particle, to_particle, unpack
from trio_aerospike._lua.packing import pack
from trio_aerospike._lua.values import LuaBytes, LuaList, LuaMap
from trio_aerospike._wire import constants as wire
from trio_aerospike._wire.particles import decode_value, encode_value

pytest.importorskip("lupa.lua54")


def run(body: str, *arguments: Any, deadline: float | None = None) -> Any:
    module = LuaModule("m.lua", f"function f(record, ...) {body} end".encode())
    return module.apply("f", None, arguments, deadline)


# The sandbox ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "io", "python", "dofile", "loadfile", "package", "collectgarbage", "os.exit", "os.execute", "os.remove",
        "os.rename", "os.getenv", "os.tmpname", "os.setlocale",
    ],
)  # fmt: skip
def test_nothing_of_the_process_is_within_reach(name: str) -> None:
    assert run(f"return {name} == nil")


def test_the_library_that_looks_into_lua_is_not_there() -> None:
    assert run("return type(debug) == 'function'")
    with pytest.raises(FunctionFailed):
        run("return debug.sethook()")


def test_compiled_code_is_not_loaded() -> None:
    assert run("return load(string.dump(function() return 5 end)) == nil")
    assert run("return load(string.dump(function() return 5 end), 'x', 'b') == nil")
    assert run("return load('return x', 'name', 't', {x = 5})()") == 5


@pytest.mark.parametrize("thing", ["list()", "map()", "bytes()", "geojson('x')", "list.append", "aerospike", "list"])
@pytest.mark.parametrize("attribute", ["__class__", "__init__", "__globals__", "items", "memory", "text", "put"])
def test_attributes_of_python_objects_cannot_be_read_or_set(thing: str, attribute: str) -> None:
    read = f"local ok, found = pcall(function() return ({thing})['{attribute}'] end) return not ok or found == nil"
    assert run(read)
    assert run(f"local x = {thing} pcall(function() x['{attribute}'] = 5 end) return true")


def test_objects_of_one_module_are_not_those_of_another() -> None:
    LuaModule("a.lua", b"list.append = nil string.rep = nil x = 5")
    assert run("return x == nil and type(list.append) .. type(string.rep)") == b"functionfunction"


def test_an_error_of_python_in_a_function_of_ours_is_an_error_of_lua_that_can_be_caught() -> None:
    assert run("local ok, text = pcall(list.append, 5) return type(text)") == b"string"


def test_what_ends_the_program_is_not_caught_by_a_module() -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    module = LuaModule(
        "m.lua", b"function f(r) while true do pcall(record.interrupt) end end", record={"interrupt": interrupt}
    )
    with pytest.raises(KeyboardInterrupt):
        module.apply("f", None, [])


# Time -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "while true do end",
        "local function f() return f() end f()",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "coroutine.wrap(function() while true do end end)()",
        "local c = coroutine.create(function() while true do end end) while true do coroutine.resume(c) end",
        "while true do coroutine.wrap(function() pcall(function() while true do end end) end)() end",
        "local l = list() while true do list.append(l, 1) list.remove(l, 1) end",
        "for v in function() return 1 end do end",
    ],
)
def test_an_endless_function_ends_soon_after_its_deadline(body: str) -> None:
    began = time.monotonic()
    with pytest.raises(FunctionFailed, match="UDF Execution Timeout"):
        run(body, deadline=began + 0.1)
    assert time.monotonic() - began < 10


def test_a_module_that_never_finishes_loading_ends_with_its_deadline() -> None:
    with pytest.raises(CompileError, match="UDF Execution Timeout"):
        LuaModule("m.lua", b"while true do end", deadline=time.monotonic() + 0.1)


def test_a_function_after_a_late_one_has_its_own_time() -> None:
    module = LuaModule("m.lua", b"function endless(r) while true do end end function quick(r) return 1 end")
    with pytest.raises(FunctionFailed):
        module.apply("endless", None, [], time.monotonic() + 0.05)
    assert module.apply("quick", None, [], time.monotonic() + 30) == 1


def test_a_deadline_names_the_place_that_called_the_endless_function() -> None:
    with pytest.raises(FunctionFailed, match=r"^m\.lua:1: UDF Execution Timeout$"):
        run("local function g() while true do end end g()", deadline=time.monotonic() + 0.05)


# Memory ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = string.rep('x', 1000000) .. #t end",
        "local l = list{1} while true do list.concat(l, l) end",
        "local l = list() l[1000000000] = 1",
        "local b = bytes(4000000000)",
        "local b = bytes() bytes.set_byte(b, 4000000000, 1)",
        "local l = list() list.insert(l, 1000000000, 1)",
    ],
)
def test_a_function_cannot_take_all_memory(body: str) -> None:
    with pytest.raises(FunctionFailed, match="not enough memory"):
        run(body, deadline=time.monotonic() + 60)


def test_memory_of_a_failed_call_is_free_again() -> None:
    module = LuaModule(
        "m.lua", b"function grow(r) local s = 'x' while true do s = s .. s end end function f(r) return 1 end"
    )
    for _ in range(3):
        with pytest.raises(FunctionFailed):
            module.apply("grow", None, [], time.monotonic() + 60)
        assert module.apply("f", None, []) == 1


def test_a_call_too_deep_is_an_error() -> None:
    with pytest.raises(FunctionFailed, match="stack overflow"):
        run("local function f() return 1 + f() end return f()")


# Modules --------------------------------------------------------------------------------------------------------------


def test_a_module_that_does_not_compile_says_where() -> None:
    with pytest.raises(CompileError) as caught:
        LuaModule("m.lua", b"x = 1\ny = = 2")
    assert (caught.value.line, caught.value.message) == (2, "unexpected symbol near '='")


def test_globals_of_a_module_last_from_call_to_call() -> None:
    module = LuaModule("m.lua", b"n = 0 function f(r) n = n + 1 return n end")
    assert [module.apply("f", None, []) for _ in range(3)] == [1, 2, 3]


def test_modules_are_loaded_by_others_once() -> None:
    sources = {"lib": b"loads = (loads or 0) + 1 return {n = loads}", "bad": b"x = = 1"}
    module = LuaModule(
        "m.lua",
        b"function f(r, name) return require(name).n + require(name).n end function g(r) return require('m2') end",
        source_of=sources.get,
    )
    assert module.apply("f", None, [b"lib"]) == 2
    for name in (b"none", b"bad"):
        with pytest.raises(FunctionFailed, match=f"module '{name.decode()}'"):
            module.apply("f", None, [name])


# Streams --------------------------------------------------------------------------------------------------------------

STREAMS = b"""
function totals(s, least)
  return s:filter(function(v) return v >= least end):map(function(v) return v * 2 end)
          :aggregate(map{n = 0, sum = 0}, function(m, v) m.n = m.n + 1 m.sum = m.sum + v return m end)
          :reduce(function(a, b) return map.merge(a, b, math.sum) end):map(function(m) return m.sum / m.n end)
end
function parity(s) return s:groupby(function(v) return v % 2 end) end
function all(s) return s end
function broken(s) return s:map(function(v) return v.x.y end) end
function nothing(s) return s:filter(function(v) return false end) end
function large(s) return s:aggregate(0, function(a, v) return a + v end) end
function noise(s) return 5 end
"""


def stream(function: str, values: Iterator[Any], *arguments: Any, on_client: bool = False) -> list[Any]:
    return list(LuaModule("s.lua", STREAMS).stream(function, values, arguments, on_client=on_client))


def test_servers_do_what_stands_before_the_reduction_and_the_client_the_rest() -> None:
    parts = [stream("totals", iter(part), 3) for part in ([1, 2, 3], [4, 5], [])]
    assert [str(value) for part in parts for value in part] == [
        '{"n":1, "sum":6}',
        '{"n":2, "sum":18}',
        '{"n":0, "sum":0}',
    ]
    assert stream("totals", iter([value for part in parts for value in part]), 3, on_client=True) == [8.0]


def test_groups_are_joined() -> None:
    parts = [stream("parity", iter(part))[0] for part in ([1, 2], [3, 4])]
    assert str(stream("parity", iter(parts), on_client=True)[0]) == "{0:[2, 4], 1:[1, 3]}"


def test_a_stream_without_a_reduction_passes_the_client_as_it_is() -> None:
    assert stream("all", iter([1, 2])) == [1, 2]
    assert stream("totals", iter([]), 1, on_client=True) == []
    assert stream("all", iter([1, 2]), on_client=True) == [1, 2]
    assert stream("nothing", iter([1, 2])) == []


def test_large_sums_are_handed_on_in_parts() -> None:
    assert stream("large", iter([600, 600, 5])) == [1200, 5]


def test_an_error_in_a_stream_names_its_line() -> None:
    with pytest.raises(FunctionFailed, match=r"s\.lua:9: attempt to index a"):
        stream("broken", iter([5]))


def test_values_are_taken_only_as_they_are_needed() -> None:
    taken = []

    def values() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    found = LuaModule("s.lua", STREAMS).stream("all", values(), [], on_client=False)
    assert next(found) == 0 and len(taken) <= 1
    assert next(found) == 1


def test_what_the_source_of_values_raises_ends_the_stream() -> None:
    def values() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        stream("all", values())


def test_a_stream_can_be_given_up() -> None:
    began = time.monotonic()

    def forever() -> Iterator[int]:
        while True:
            yield 1

    module = LuaModule("s.lua", STREAMS)
    found = module.stream("nothing", forever(), [], on_client=False, is_over=lambda: time.monotonic() - began > 0.1)
    with pytest.raises(FunctionFailed, match="UDF Execution Timeout"):
        next(found)


# Values ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [None, True, 5, -5, 2.5, "text", b"\x00\xff", [1, [2, "x", None]], {"a": [1], 2: {"b": b"\x01"}}, "x" * 70_000],
)
def test_values_pass_through_lua_as_they_are(value: Any) -> None:
    kind, data = to_particle(run("return ...", from_particle(*encode_value(value))))
    assert decode_value(kind, data) == value


def test_the_order_of_lists_is_told_to_bins_alone_and_that_of_maps_to_both() -> None:
    ordered = bytes.fromhex("93c700010102")
    assert pack(unpack(ordered)) == bytes.fromhex("920102")
    assert pack(unpack(ordered), stored=True) == ordered
    by_key = bytes.fromhex("82c70001c00102")
    assert pack(unpack(by_key)) == pack(unpack(by_key), stored=True) == by_key


@pytest.mark.parametrize(
    "data", [b"", b"\xc1", b"\x92\x01", bytes.fromhex("81cb3ff800000000000001"), bytes.fromhex("91d4ff00")]
)
def test_what_lua_has_no_form_for_is_refused(data: bytes) -> None:
    with pytest.raises(Unusable):
        unpack(data)


def test_maps_are_sorted_and_hold_integers_text_and_bytes_as_keys_alone() -> None:
    found = LuaMap()
    keys = [b"b", 5, LuaBytes(b"\x01"), -1, b"a", 1.5, True, None, LuaList([]), LuaBytes(b"\x01", wire.PARTICLE_HLL)]
    assert [found.put(key, 0) for key in keys] == [True] * 5 + [False] * 5
    assert [key.data if isinstance(key, LuaBytes) else key for key, _ in found.pairs()] == [-1, 5, b"a", b"b", b"\x01"]


def test_nothing_is_left_in_the_environment_by_a_module() -> None:
    before = dict(os.environ)
    run("if os.getenv then os.getenv('PATH') end return os.time() > 0")
    assert dict(os.environ) == before
