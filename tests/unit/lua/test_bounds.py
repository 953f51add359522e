"""Lua's libraries within bounds: nothing that they do outlives a call's time; it all means what it means in C."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest

from trio_aerospike._lua import FunctionFailed, LuaModule

lua54 = pytest.importorskip("lupa.lua54")

BOUNDS = resources.files("trio_aerospike._lua").joinpath("bounds.lua").read_bytes()

# What a function of a pattern gives, in words; the errors of C and of what stands in its place name the same line.
SHOWN = b"""
local function called(what, ...) local a, b, c, d, e, f = string[what](...) return a, b, c, d, e, f end
local function all(...)
  local found = {}
  for a, b, c in string.gmatch(...) do
    found[#found + 1] = table.concat({tostring(a), tostring(b), tostring(c)}, "|")
  end
  return table.concat(found, ";")
end
return function(what, ...)
  local given = table.pack(...)
  local result = table.pack(pcall(function()
    if what == "gmatch" then return all(table.unpack(given, 1, given.n)) end
    return called(what, table.unpack(given, 1, given.n))
  end))
  for i = 1, result.n do result[i] = (math.type(result[i]) or "") .. tostring(result[i]) end
  return table.concat(result, ", ")
end
"""

Shown = Callable[..., bytes]


def lua(steps: int | None) -> Shown:
    """Pattern functions: C's own for None, else what stands in their place, with so many steps left to C."""
    runtime = lua54.LuaRuntime(encoding=None)
    if steps is not None:
        runtime.execute(BOUNDS, lambda: False, steps)
    shown: Shown = runtime.execute(SHOWN)
    return shown


PARTS = [
    b"a", b"b", b".", b"%a", b"%d", b"[ab]", b"[^a]", b"[%w_]", b"[a-c]", b"[]]", b"[^]]", b"%%", b"(", b")", b"()",
    b"%1", b"%2", b"%b()", b"%baa", b"%f[a]", b"%f[%w]", b"$", b"^", b"*", b"+", b"-", b"?", b"%", b"[", b"%0", b"\0",
    b"(a*)", b"(.-)", b"%s*", b"-", b"*", b"%b", b"%f",
]  # fmt: skip
LETTERS = [b"a", b"b", b"c", b"(", b")", b"1", b" ", b"\0", b"]"]
REPLACEMENTS: list[Any] = [b"x", b"<%0>", b"%1", b"%2", b"%%", b"%", b"%a", b"", 5, 1.5]
BEGINNINGS: list[Any] = [0, 1, 2, -1, -3, 5, 100, -100, 1.0, b"2", 1.5, b"x", b""]


def calls(seed: int, count: int) -> list[tuple[Any, ...]]:
    rnd = random.Random(seed)
    found: list[tuple[Any, ...]] = []
    for _ in range(count):
        text = b"".join(rnd.choices(LETTERS, k=rnd.randrange(12)))
        pattern = b"".join(rnd.choices(PARTS, k=rnd.randrange(7)))
        what = rnd.choice([b"find", b"match", b"gmatch", b"gsub"])
        more: list[Any] = [rnd.choice(REPLACEMENTS)] if what == b"gsub" else []
        if rnd.random() < 0.4:
            more.append(rnd.choice(BEGINNINGS))
        if what == b"find" and rnd.random() < 0.2:
            more = [rnd.choice(BEGINNINGS), True]
        found.append((what, text, pattern, *more))
    return found


def test_what_is_left_to_c_is_what_c_gives() -> None:
    of_c, ours = lua(None), lua(20_000_000)
    for call in calls(1, 4000):
        assert ours(*call) == of_c(*call), call


def test_what_is_not_left_to_c_means_the_same() -> None:
    of_c, ours = lua(None), lua(0)
    problems = 0
    for call in calls(2, 4000):
        theirs, found = of_c(*call), ours(*call)
        if found.startswith(b"false"):
            # What is wrong with a pattern is said at once here, where C may not come so far.
            problems += 1
            if not theirs.startswith(b"false") or call[0] in (b"gmatch", b"gsub"):
                continue
        assert found == theirs, call
    assert problems < 3000


CALLS_IN_WORDS = [
    "string.find()", "string.find('a')", "string.find({}, 'a')", "string.find('a', 'a', {})", "('a'):find({})",
    "('a'):find('a', 1.5)", "('a'):find('a', 'x')", "string.match(nil, 'a')", "('a'):match()", "string.gmatch('a')",
    "string.gmatch(true, 'a')", "string.gsub('a', 'a')", "('a'):gsub('a', true)", "('a'):gsub('a', 'b', {})",
    "('a'):gsub('a', function() return {} end)", "('a'):gsub('a', {a = true})", "('a'):gsub('(', {})",
    "('a'):gsub('a', '%2')", "('a'):gsub('a', '%x')", "('aXb'):gsub('%u', {X = 5})", "('abc'):gsub('%w', '%0%0', 2)",
    "('abc'):gsub('', '-')", "('hello world'):gsub('o', string.upper)", "('abc'):gsub('()', function(n) return n end)",
    "(5):rep(2)", "string.rep()", "string.rep('x')", "string.rep('x', {})", "string.rep('x', 2, {})",
    "string.rep('x', 2.5)", "string.rep('xy', 1e18)", "string.rep('ab', 3, ',')", "string.rep('', 3)",
    "string.rep('x', -1)", "string.rep('x', '3')", "table.insert()", "table.insert({})", "table.insert('x', 1)",
    "table.insert({}, 1, 2, 3)", "table.insert({}, 5, 1)", "table.insert({}, 'x', 1)", "table.insert({}, nil, 1)",
    "table.remove()", "table.remove({}, 7)", "table.remove({1, 2, 3}, 1)", "table.remove({1, 2, 3})",
    "table.remove({}, 'x')", "#table.move({1, 2, 3}, 2, 3, 1)", "table.move({1, 2, 3}, 1, 3, 2)[4]", "table.move()",
    "table.move({}, 1)", "table.move({}, 1, 2)", "table.move(5, 1, 2, 3)", "table.move({}, 1, 2, 3, 5)",
    "table.move({}, 0, math.maxinteger, 1)", "table.move({}, 1, 2, math.maxinteger)", "setmetatable()",
    "setmetatable({})", "setmetatable(5, {})", "setmetatable({}, 5)", "#setmetatable({}, nil)",
    "setmetatable(setmetatable({}, {__metatable = 5}), {})", "setmetatable({}, {__index = {a = 5}}).a",
    "setmetatable({}, {__gc = print, __len = function() return 3 end}) ~= nil",
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS_IN_WORDS)
def test_errors_are_those_of_c(call: str) -> None:
    program = f"""
        local ok, found, more = pcall(function()
          local a, b = {call}
          return a, b
        end)
        return tostring(ok) .. tostring(found) .. tostring(more)
    """.encode()
    of_c, ours = lua54.LuaRuntime(encoding=None), lua54.LuaRuntime(encoding=None)
    ours.execute(BOUNDS, lambda: False, 20_000_000)
    assert ours.execute(program) == of_c.execute(program)


FOREVER = {
    "find": "return string.find(('a'):rep(5000), ('.-'):rep(30) .. 'b')",
    "match, anchored": "return string.match(('a'):rep(5000), '^' .. ('a*'):rep(30) .. 'b')",
    "gmatch": "for _ in string.gmatch(('a'):rep(5000), ('a-'):rep(30) .. 'b') do end",
    "gsub": "return string.gsub(('a'):rep(5000), ('a?'):rep(60) .. ('a*'):rep(9) .. 'b', '')",
    "gsub, a function": "return string.gsub(('a'):rep(5000), ('(a-)'):rep(30) .. 'b', function(a) return a end)",
    "a balance": "return string.find(('('):rep(100000), ('.-'):rep(4) .. '%b()')",
    "a capture again": "return string.find(('a'):rep(50000), '(.-)(.-)%1%2b')",
    "plain text": "local a = ('a'):rep(10000000) return string.find(a, ('a'):rep(5000000) .. 'b', 1, true)",
    "one after the other": "local a = ('a'):rep(2000) while true do string.find(a, 'a*b') end",
    "caught": "while true do pcall(string.find, ('a'):rep(5000), ('.-'):rep(30) .. 'b') end",
    "nothing, often": "return string.rep('', 1 << 60)",
    "move": "return table.move({}, 1, 1 << 60, 2)",
    "move, a number with a point": "return table.move({}, 1, 1e18, 2)",
    "insert": "table.insert(setmetatable({}, {__len = function() return 1 << 60 end}), 1, 5)",
    "remove": "table.remove(setmetatable({}, {__len = function() return 1 << 60 end}), 1)",
    "collected": """
        for _ = 1, 1000 do setmetatable({}, {__gc = function() while true do end end}) end
        for i = 1, 1e9 do local t = {i} end
    """,
    "in a coroutine": "return coroutine.wrap(string.find)(('a'):rep(5000), ('.-'):rep(30) .. 'b')",
}


@pytest.mark.parametrize("body", FOREVER.values(), ids=FOREVER.keys())
def test_nothing_in_c_outlives_a_calls_time(body: str) -> None:
    module = LuaModule("m.lua", f"function f(record) {body} end".encode())
    began = time.monotonic()
    if "rep('', " in body:
        assert module.apply("f", None, ()) == b""
    else:
        with pytest.raises(FunctionFailed, match="UDF Execution Timeout"):
            module.apply("f", None, (), began + 0.2)
    # A slow machine may take its time; what is not bounded takes for ever.
    assert time.monotonic() - began < 30


def test_a_pattern_that_is_slow_at_worst_is_not_slow_where_it_need_not_be() -> None:
    body = "return select(2, string.gsub(('key=value, '):rep(2000), '%s*(%w+)%s*=%s*(%w+)%s*,', '%2'))"
    assert LuaModule("m.lua", f"function f(record) {body} end".encode()).apply("f", None, (), time.monotonic() + 20)
