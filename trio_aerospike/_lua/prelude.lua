-- What a module finds around it: the types of the database, the stream of an aggregation, logging.
-- Called with the functions that Python provides; returns what the runtime calls.
local host = ...

-- A call of a Lua function by Python never raises: it answers with success and result.
local protected = pcall

-- Nothing of the process that runs the module.
os.exit, os.remove, os.rename, os.execute, os.setlocale, os.tmpname, os.getenv = nil, nil, nil, nil, nil, nil, nil
io, python, dofile, loadfile, require, package = nil, nil, nil, nil, nil, nil

local function library(functions, constructor)
  local found = {}
  for name, call in host.each(functions) do
    found[name:match("^[%w_]+$")] = call
  end
  return setmetatable(found, {__call = function(_, ...) return constructor(...) end})
end

list = library(host.list, host.make_list)
map = library(host.map, host.make_map)
bytes = library(host.bytes, host.make_bytes)
geojson = library(host.geojson, host.make_geojson)
record = library(host.record, function() end)
List, Map, Bytes, GeoJSON, Record = {}, {}, {}, {}, {}

local classes = {List = List, Map = Map, Bytes = Bytes, GeoJSON = GeoJSON, Record = Record}
local plain_getmetatable, plain_tostring = getmetatable, tostring

function getmetatable(value)
  if type(value) == "userdata" then
    return classes[host.kind_of(value)]
  end
  return plain_getmetatable(value)
end

function tostring(value)
  if type(value) == "userdata" then
    return host.shown(value)
  end
  return plain_tostring(value)
end

-- All objects of Python share one metatable, which knows no lengths.
local shared = debug.getmetatable(host.make_list())
shared.__len = host.length
shared.__tostring = host.shown

function math.sum(a, b) return a + b end
function math.product(a, b) return a * b end

aerospike = {}
for name, call in host.each(host.aerospike) do
  aerospike[name] = function(_, ...) return call(...) end
end

local function log(level)
  return function(text, ...)
    return host.log(level, string.format(text, ...))
  end
end
warn, info, debug_log, trace = log(1), log(2), log(3), log(4)

-- Streams: what a function asks for is noted first, and then done for as many values as there are. --------------------

-- Where each step runs: on the servers, or, from the first reduce on, once more where the servers' results meet.
local SERVERS, EITHER, BOTH = "servers", "either", "both"
local steps = {}
local Stream = {__index = steps}

local function noting(name, place)
  steps[name] = function(self, ...)
    self[#self + 1] = {name = name, place = place, arguments = table.pack(...)}
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

-- A fresh copy of the value that an aggregation begins with: it begins more than once.
local function copied(value)
  if type(value) == "table" then
    local copy = {}
    for key, item in pairs(value) do copy[key] = item end
    return copy
  elseif type(value) == "userdata" then
    return host.copied(value)
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
      -- The server hands a large number on and begins anew (mod-lua: stream operations).
      if type(sum) == "number" and sum >= 1000 then return sum end
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
  local values = function() return read() end
  for _, step in ipairs(chosen(wanted(setmetatable({}, Stream), ...), on_client)) do
    values = doing[step.name](values, table.unpack(step.arguments, 1, step.arguments.n))
  end
  return values
end

-- Before the debug library goes: the time that a call may take.
local sethook = debug.sethook
debug = setmetatable({}, {__call = function(_, ...) return debug_log(...) end})

local function timed(check, call, ...)
  sethook(function() check() end, "", 10000)
  local answer = table.pack(protected(call, ...))
  sethook()
  return table.unpack(answer, 1, answer.n)
end

local function compiled(source, name)
  return load(source, "@" .. name, "t")
end

local function global(name)
  local value = rawget(_G, name)
  return type(value) == "function" and value or nil
end

return compiled, timed, stream, global
