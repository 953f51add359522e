-- The environment of a module: the types of the database, the streams of aggregations, logging.
-- Called with functions from Python; returns the functions that the runtime calls.
local host = ...

local type_of, show, fail, load_text, getinfo, sethook = type, tostring, error, load, debug.getinfo, debug.sethook
local protected, metatable_of = xpcall, getmetatable
local format, pack, unpack = string.format, table.pack, table.unpack

-- No access to the process that runs the module.
os.exit, os.remove, os.rename, os.execute, os.setlocale, os.tmpname, os.getenv = nil, nil, nil, nil, nil, nil, nil
io, python, dofile, loadfile, package, collectgarbage = nil, nil, nil, nil, nil, nil

-- Source code only: bytecode could leave the sandbox.
function load(chunk, name, mode, ...)
  if select("#", ...) > 0 then return load_text(chunk, name, "t", (...)) end
  return load_text(chunk, name, "t")
end

-- Errors --------------------------------------------------------------------------------------------------------------

-- Convert a Python exception to the error that the server's library would have raised (lauxlib: luaL_argerror).
-- Runs before the stack is unwound: `level` is that of the function that raised it.
local function explained(problem, level)
  if type_of(problem) ~= "userdata" then return problem end
  local text, place = host.fault(problem)
  if text == nil then return problem end
  if place > 0 then
    local called = getinfo(level, "n") or {}
    local name = called.name or "?"
    if called.namewhat == "method" then place = place - 1 end
    if place > 0 then
      text = format("bad argument #%d to '%s' (%s)", place, name, text)
    else
      text = format("calling '%s' on bad self (%s)", name, text)
    end
  end
  local where = getinfo(level + 1, "Sl")
  if where and where.currentline > 0 then
    text = format("%s:%d: %s", where.short_src, where.currentline, text)
  end
  return text
end

-- Called in its place, so that levels are those of its caller.
local function handler(problem) return explained(problem, 2) end

-- The time limit of a call, which a module cannot evade by catching errors.
local EVERY = 5000
local TOO_LATE = "UDF Execution Timeout"

local function on_time()
  -- Like luaL_error in a hook, this names the position where the running function was called.
  if host.is_over() then fail(TOO_LATE, 3) end
end

local function kept_on_time(succeeded, ...)
  if not succeeded and host.was_over() then fail(TOO_LATE, 0) end
  return succeeded, ...
end

function pcall(...)
  if select("#", ...) == 0 then fail("bad argument #1 to 'pcall' (value expected)", 2) end
  return kept_on_time(protected((...), handler, select(2, ...)))
end

function xpcall(call, own, ...)
  local function both(problem)
    -- Errors of a hook are handled with hooks disabled: nothing could stop a handler.
    if host.was_over() then return problem end
    return own(explained(problem, 3))
  end
  return kept_on_time(protected(call, both, ...))
end

local create, resume = coroutine.create, coroutine.resume

function coroutine.create(call)
  local thread = create(call)
  sethook(thread, on_time, "", EVERY)
  return thread
end

function coroutine.resume(thread, ...)
  return kept_on_time(resume(thread, ...))
end

function coroutine.wrap(call)
  local thread = coroutine.create(call)
  return function(...)
    local answer = pack(coroutine.resume(thread, ...))
    if answer[1] then return unpack(answer, 2, answer.n) end
    fail(answer[2], type_of(answer[2]) == "string" and 2 or 0)
  end
end

-- Types ---------------------------------------------------------------------------------------------------------------

local function library(calls, constructor)
  local found = {}
  for name, call in host.each(calls) do
    found[name] = call
  end
  local meta = {__call = constructor}
  meta.__metatable = found
  return setmetatable(found, meta)
end

list = library(host.list, host.make_list)
map = library(host.map, host.make_map)
bytes = library(host.bytes, host.make_bytes)
geojson = library(host.geojson, host.make_geojson)
record = library(host.record)
iterator = library(host.iterator)
aerospike = host.aerospike

local classes = {}
for _, name in ipairs {"List", "Map", "Bytes", "GeoJSON", "Record", "Aerospike", "Iterator"} do
  classes[name] = {__name = name}
end
List, Map, Bytes, Aerospike, Iterator = classes.List, classes.Map, classes.Bytes, classes.Aerospike, classes.Iterator

function type(...)
  if select("#", ...) == 0 then fail("bad argument #1 to 'type' (value expected)", 2) end
  local name = type_of((...))
  -- Python functions are not Lua functions.
  if name == "userdata" and host.kind_of((...)) == nil then return "function" end
  return name
end

function getmetatable(...)
  if type_of((...)) == "userdata" then return classes[host.kind_of((...))] end
  return metatable_of(...)
end

-- All Python objects share one metatable, which has no length.
local shared = debug.getmetatable(list())
shared.__name = "userdata"
shared.__len = host.length
shared.__tostring = host.shown

function list.clone(one)
  local copy = list()
  list.concat(copy, one)
  return copy
end

function list.merge(one, other)
  local joined = list.clone(one)
  list.concat(joined, other)
  return joined
end

function map.clone(one)
  local copy = map()
  for key, value in map.pairs(one) do copy[key] = value end
  return copy
end

-- A false result of the function counts as none.
function map.merge(one, other, join)
  local joined = map.clone(one)
  for key, value in map.pairs(other) do
    if joined[key] and type_of(join) == "function" then
      joined[key] = join(one[key], other[key]) or value
    else
      joined[key] = value
    end
  end
  return joined
end

function map.diff(one, other)
  local found = map()
  for key, value in map.pairs(one) do
    if not other[key] then found[key] = value end
  end
  for key, value in map.pairs(other) do
    if not one[key] then found[key] = value end
  end
  return found
end

function math.sum(a, b) return a + b end
function math.product(a, b) return a * b end

local function logging(level)
  return function(text, ...) return host.log(level, format(text, ...)) end
end
warn, info, trace = logging(1), logging(2), logging(4)

-- Other modules -------------------------------------------------------------------------------------------------------

local loaded = {
  _G = _G, string = string, table = table, math = math, os = os, utf8 = utf8, coroutine = coroutine,
}

local function compiled(source, name)
  return load_text(source, "@" .. host.directory .. name, "t")
end

function require(name)
  local found = loaded[name]
  if found ~= nil then return found end
  local source = host.source(name)
  if source == nil then fail(format("module '%s' not found:\n\tno file '%s%s.lua'", show(name), host.directory, show(name)), 2) end
  local chunk, problem = compiled(source, name .. ".lua")
  if chunk == nil then fail(format("error loading module '%s':\n\t%s", name, problem), 2) end
  local result = chunk(name)
  if loaded[name] == nil then loaded[name] = result == nil and true or result end
  return loaded[name]
end

-- Streams: operations are recorded first, then applied to the values ---------------------------------------------------

-- Where each operation runs: on the servers, or from the first reduce on again on the client.
local SERVERS, EITHER, BOTH = "servers", "either", "both"
local steps = {}
local Stream = {__index = steps}

local function noting(name, place)
  steps[name] = function(self, ...)
    self[#self + 1] = {name = name, place = place, arguments = pack(...)}
    return self
  end
end
noting("filter", EITHER)
noting("map", EITHER)
noting("aggregate", SERVERS)
noting("reduce", BOTH)

function steps:groupby(key_of)
  local function gather(groups, value)
    local key = key_of and key_of(value) or nil
    local group = groups[key] or list()
    list.append(group, value)
    groups[key] = group
    return groups
  end
  local function join(one, other) return map.merge(one, other, list.merge) end
  return self:aggregate(map(), gather):reduce(join)
end

-- A copy of the initial value of an aggregation, which begins more than once.
local function copied(value)
  if type_of(value) == "table" then
    local copy = {}
    for key, item in pairs(value) do copy[key] = item end
    return copy
  elseif type_of(value) == "userdata" then
    local class = getmetatable(value)
    if class == Map then return map.clone(value) end
    if class == List then return list.clone(value) end
    return nil
  end
  return value
end

local doing = {}

function doing.filter(values, keep)
  return function()
    for value in values do
      if keep(value) then return value end
    end
  end
end

function doing.map(values, change)
  return function()
    local value = values()
    if value ~= nil then return change(value) end
  end
end

function doing.aggregate(values, start, add)
  local over = false
  return function()
    if over then return nil end
    local sum = copied(start)
    for value in values do
      sum = add(sum, value)
      -- After many values the server passes the aggregate on and begins anew (mod-lua: stream operations).
      if type_of(sum) == "number" and sum >= 1000 then return sum end
    end
    over = true
    return sum
  end
end

function doing.reduce(values, join)
  local over = false
  return function()
    if over then return nil end
    over = true
    local sum = values()
    if sum ~= nil then
      for value in values do sum = join(sum, value) end
    end
    return sum
  end
end

local function chosen(noted, on_client)
  local found, reduced = {}, false
  for _, step in ipairs(noted) do
    if on_client and (reduced or step.place == BOTH) or not on_client and not reduced then
      found[#found + 1] = step
    end
    reduced = reduced or step.place == BOTH
  end
  return found
end

local function stream(wanted, on_client, read, ...)
  local over = false
  local values = function()
    if over then return nil end
    local value = read()
    over = value == nil
    return value
  end
  local result = wanted(setmetatable({}, Stream), ...)
  -- A result that is not a stream fails here, with Lua's own message.
  local _ = result[1]
  for _, step in ipairs(chosen(result, on_client)) do
    values = doing[step.name](values, unpack(step.arguments, 1, step.arguments.n))
  end
  return values
end

-- Functions for the runtime --------------------------------------------------------------------------------------------

-- As in the server, `debug` writes to the log.
debug = logging(3)

local function timed(call, ...)
  sethook(on_time, "", EVERY)
  local answer = pack(protected(call, handler, ...))
  sethook()
  return unpack(answer, 1, answer.n)
end

local function global(name) return _G[name] end

return compiled, timed, global, stream
