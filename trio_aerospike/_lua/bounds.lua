-- Time limits for functions of Lua's own libraries, which run in C, where no hook checks the time.
-- Called before anything else; returns nothing. Arguments: a function that tells whether a call's time is over, and the
-- number of steps that C may take between two checks.
--
-- A pattern may take exponential time, and so may moving the elements of a table that claims a length of 2^62. Calls that
-- are known to be quick are left to C. All others are executed here, step by step, with checks of the time. Patterns have
-- the semantics of lstrlib.c of Lua 5.4, which is also called for classes and sets. Errors are those of C, with one
-- exception: for a wrong call in tail position, `return string.rep(nil)`, the line is unknown.
--
local is_over, STEPS = ...

local find, match, gmatch, gsub, rep = string.find, string.match, string.gmatch, string.gsub, string.rep
local byte, sub, char, format = string.byte, string.sub, string.char, string.format
local move, insert, remove, concat, unpack = table.move, table.insert, table.remove, table.concat, table.unpack
local type_of, fail, getinfo, to_integer, to_number = type, error, debug.getinfo, math.tointeger, tonumber
local select, ipairs, rawlen, rawget, rawset, setmetatable_of_c = select, ipairs, rawlen, rawget, rawset, setmetatable
local protected, metatable_of = pcall, debug.getmetatable
local LARGEST, math_min = math.maxinteger, math.min

-- The most elements that C may move at a time.
local MOVES = STEPS // 20
local TOO_LATE = "UDF Execution Timeout"
local spent = 0

-- Whether a number of steps is small enough for C.
local function affordable(steps)
  if steps > STEPS then return false end
  spent = spent + steps
  if spent > STEPS then
    spent = 0
    if is_over() then fail(TOO_LATE, 3) end
  end
  return true
end

-- Arguments -----------------------------------------------------------------------------------------------------------

-- Raise the error that C would raise, from a function in its place (lauxlib: luaL_argerror). In tail position the
-- caller is not on the stack any more and cannot be named, as it would be for a C function.
-- `depth`: the number of nested functions of this file.
local function wrong(name, place, text, depth)
  depth = depth or 0
  local called = getinfo(2 + depth, "nt") or {}
  if called.istailcall then name = match(name, "[^.]+$") end
  if called.namewhat == "method" then
    place = place - 1
    if place == 0 then fail(format("calling '%s' on bad self (%s)", called.name, text), 3 + depth) end
  end
  fail(format("bad argument #%d to '%s' (%s)", place, called.name or name, text), 3 + depth)
end

local function is_text(value)
  local kind = type_of(value)
  return kind == "string" or kind == "number"
end

local function expected(what, place, ...)
  local got = place > select("#", ...) and "no value" or type_of((select(place, ...)))
  return what .. " expected, got " .. got
end

-- An integer, or nil and the error.
local function integer(default, place, ...)
  local value = (select(place, ...))
  if value == nil then return default end
  local found = to_integer(value) or type_of(value) == "string" and to_integer(to_number(value)) or nil
  if found then return found end
  if type_of(value) == "number" or type_of(value) == "string" and to_number(value) then
    return nil, "number has no integer representation"
  end
  return nil, expected("number", place, ...)
end

-- Parsing patterns ----------------------------------------------------------------------------------------------------

local CAPTURES, DEPTH = 32, 200
local PERCENT, OPEN, CLOSE, DOLLAR, BRACKET, CARET = 37, 40, 41, 36, 91, 94
local QUANTIFIERS = {[42] = "*", [43] = "+", [45] = "-", [63] = "?"}
local SPECIALS = "[%^%$%*%+%?%.%(%[%%%-]"

-- The position after a class; nil and the error if it is malformed.
local function class_end(pattern, place)
  local first = byte(pattern, place)
  if first == PERCENT then
    if place == #pattern then return nil, "malformed pattern (ends with '%')" end
    return place + 2
  elseif first == BRACKET then
    local at = place + 1
    if byte(pattern, at) == CARET then at = at + 1 end
    repeat
      local one = byte(pattern, at)
      if one == nil then return nil, "malformed pattern (missing ']')" end
      at = at + (one == PERCENT and 2 or 1)
    until sub(pattern, at, at) == "]"
    return at + 1
  end
  return place + 1
end

-- The bytes of a class or set, as C matches them.
local function members(class)
  local found, wanted = {}, "^" .. class
  for code = 0, 255 do
    if find(char(code), wanted) then found[code] = true end
  end
  return found
end

-- The parts of a pattern from a position on; an error is in `problem`, and ends the parts.
-- powers: the number of parts that multiply the steps by the length of the text; factor: a further factor.
local function taken_apart(pattern, place)
  local parts, powers, factor, depth = {}, 0, 1.0, 0
  local opened, closed, count = {}, {}, 0
  local problem
  while place <= #pattern do
    local first, second = byte(pattern, place, place + 1)
    local part
    if first == OPEN then
      count = count + 1
      if count > CAPTURES then problem = "too many captures" break end
      if second == CLOSE then
        part, place = {kind = "place", number = count}, place + 2
        closed[count] = true
      else
        part, place = {kind = "open", number = count}, place + 1
        opened[#opened + 1] = count
      end
      depth = depth + 1
    elseif first == CLOSE then
      local number = remove(opened)
      if number == nil then problem = "invalid pattern capture" break end
      closed[number] = true
      part, place, depth = {kind = "close", number = number}, place + 1, depth + 1
    elseif first == DOLLAR and place == #pattern then
      part, place = {kind = "end"}, place + 1
    elseif first == PERCENT and second == 98 then -- %bxy
      if place + 3 > #pattern then problem = "malformed pattern (missing arguments to '%b')" break end
      local from, to = byte(pattern, place + 2, place + 3)
      part, place, powers = {kind = "balance", from = from, to = to}, place + 4, powers + 1
    elseif first == PERCENT and second == 102 then -- %f[set]
      if byte(pattern, place + 2) ~= BRACKET then problem = "missing '[' after '%f' in pattern" break end
      local behind, text = class_end(pattern, place + 2)
      if behind == nil then problem = text break end
      part = {kind = "frontier", class = sub(pattern, place + 2, behind - 1)}
      place = behind
    elseif first == PERCENT and second and second >= 48 and second <= 57 then -- %1
      local number = second - 48
      if not closed[number] then
        problem = format("invalid capture index %%%d", number)
        break
      end
      part, place, powers = {kind = "again", number = number}, place + 2, powers + 1
    else
      local behind, text = class_end(pattern, place)
      if behind == nil then problem = text break end
      local quantifier = QUANTIFIERS[byte(pattern, behind)]
      part = {kind = quantifier or "one", class = sub(pattern, place, behind - 1)}
      factor = factor * (quantifier == "?" and 2 or 1)
      if quantifier then depth = depth + 1 end
      if quantifier and quantifier ~= "?" then powers = powers + 1 end
      place = quantifier and behind + 1 or behind
    end
    parts[#parts + 1] = part
  end
  if not problem and #opened > 0 then problem = "unfinished capture" end
  if not problem and depth >= DEPTH then problem = "pattern too complex" end
  return {parts = parts, captures = count, powers = powers, factor = factor * (#pattern + 1), problem = problem}
end

-- Cached by start, which is after an anchor, and by text.
local known, kept = {{}, {}}, 0

local function of_pattern(pattern, place)
  local found = known[place][pattern]
  if found == nil then
    if kept >= 100 then known, kept = {{}, {}}, 0 end
    found = taken_apart(pattern, place)
    known[place][pattern], kept = found, kept + 1
  end
  return found
end

local function is_cheap(text, apart, starts)
  return affordable(starts * (#text + 1.0) ^ apart.powers * apart.factor)
end

-- The results of C, or its error with the name of the caller's caller, which C would not find, as this function is in
-- the caller's place.
local function as_given(succeeded, ...)
  if not succeeded then fail((...), 2) end
  return ...
end

-- The sets of a pattern that is executed here. Raises its errors at the level of the caller's caller.
local function ready(apart)
  if apart.problem then fail(apart.problem, 4) end
  if not apart.ready then
    for _, part in ipairs(apart.parts) do
      if part.class then part.set = members(part.class) end
    end
    apart.ready = true
  end
  return apart.parts
end

-- Matching patterns ---------------------------------------------------------------------------------------------------

-- The end of a match of the parts from one on, at a position of the text; nil if they do not match.
-- Captures are written to `taken`: starts under their numbers, ends under the negative numbers; a position capture has end 0.
local function fits(text, at, parts, index, taken)
  while true do
    local part = parts[index]
    if part == nil then return at end
    local kind, set = part.kind, part.set
    if kind == "one" then
      if not set[byte(text, at)] then return nil end
      at = at + 1
    elseif kind == "?" then
      if set[byte(text, at)] then
        local found = fits(text, at + 1, parts, index + 1, taken)
        if found then return found end
      end
    elseif kind == "*" or kind == "+" then
      local behind = at
      while set[byte(text, behind)] do behind = behind + 1 end
      for place = behind, at + (kind == "+" and 1 or 0), -1 do
        local found = fits(text, place, parts, index + 1, taken)
        if found then return found end
      end
      return nil
    elseif kind == "-" then
      while true do
        local found = fits(text, at, parts, index + 1, taken)
        if found then return found end
        if not set[byte(text, at)] then return nil end
        at = at + 1
      end
    elseif kind == "open" or kind == "place" then
      taken[part.number], taken[-part.number] = at, kind == "place" and 0 or nil
    elseif kind == "close" then
      taken[-part.number] = at
    elseif kind == "end" then
      if at ~= #text + 1 then return nil end
    elseif kind == "balance" then
      if byte(text, at) ~= part.from then return nil end
      local depth = 1
      repeat
        at = at + 1
        local one = byte(text, at)
        if one == nil then return nil end
        if one == part.to then
          depth = depth - 1
        elseif one == part.from then
          depth = depth + 1
        end
      until depth == 0
      at = at + 1
    elseif kind == "frontier" then
      if set[at > 1 and byte(text, at - 1) or 0] or not set[byte(text, at) or 0] then return nil end
    elseif kind == "again" then
      local from, behind = taken[part.number], taken[-part.number]
      if behind == 0 then return nil end -- C compares with a length that no text has
      local again = sub(text, from, behind - 1)
      if sub(text, at, at + #again - 1) ~= again then return nil end
      at = at + #again
    end
    index = index + 1
  end
end

local function captured(text, taken, number)
  local from, behind = taken[number], taken[-number]
  if behind == 0 then return from end
  return sub(text, from, behind - 1)
end

-- The results of a match: its captures, or the whole match.
local function captures(text, taken, count, from, behind)
  if count == 0 then
    if from == nil then return end
    return sub(text, from, behind - 1)
  end
  local found = {}
  for number = 1, count do found[number] = captured(text, taken, number) end
  return unpack(found, 1, count)
end

-- The first match from a position on: its start, the position after it, and its captures.
local function first_match(text, parts, at, anchored)
  local taken = {}
  repeat
    local behind = fits(text, at, parts, 1, taken)
    if behind then return at, behind, taken end
    at = at + 1
  until at > #text + 1 or anchored
  return nil
end

-- Find plain text: C searches for a prefix that is quick to find, here the rest is compared.
local function find_plain(text, wanted, at)
  local part = sub(wanted, 1, STEPS // (#text + 1) + 1)
  while true do
    at = find(text, part, at, true)
    if at == nil then return nil end
    affordable(math_min(#wanted, STEPS))
    if sub(text, at, at + #wanted - 1) == wanted then return at, at + #wanted - 1 end
    at = at + 1
  end
end

-- Replacements for C ----------------------------------------------------------------------------------------------------

-- The start position; nil if it is past the end of the text.
local function beginning(init, length)
  if init > 0 then return init <= length + 1 and init or nil end
  if init == 0 or init < -length then return 1 end
  return length + init + 1
end

local function anchor_of(pattern)
  return byte(pattern) == CARET
end

-- The first arguments, common to all functions but gsub.
local function given(name, ...)
  local text, pattern, init = ...
  if not is_text(text) then wrong(name, 1, expected("string", 1, ...), 1) end
  if not is_text(pattern) then wrong(name, 2, expected("string", 2, ...), 1) end
  local from, problem = integer(1, 3, text, pattern, init)
  if from == nil then wrong(name, 3, problem, 1) end
  return text .. "", pattern .. "", from
end

-- The first match from the start position of a call, as `first_match` returns it.
local function searched(text, apart, from, anchored)
  local parts = ready(apart)
  from = beginning(from, #text)
  if from == nil then return nil end
  return first_match(text, parts, from, anchored)
end

function string.find(...)
  local text, pattern, from = given("string.find", ...)
  if (select(4, ...)) or not find(pattern, SPECIALS) then
    if affordable((#text + 1.0) * (#pattern + 1)) then return find(text, pattern, from, true) end
    from = beginning(from, #text)
    if from == nil then return nil end
    return find_plain(text, pattern, from)
  end
  local anchored = anchor_of(pattern)
  local apart = of_pattern(pattern, anchored and 2 or 1)
  if is_cheap(text, apart, anchored and 1 or #text + 1) then
    if apart.problem then return as_given(protected(find, text, pattern, from)) end
    return find(text, pattern, from)
  end
  local at, behind, taken = searched(text, apart, from, anchored)
  if at == nil then return nil end
  return at, behind - 1, captures(text, taken, apart.captures)
end

function string.match(...)
  local text, pattern, from = given("string.match", ...)
  local anchored = anchor_of(pattern)
  local apart = of_pattern(pattern, anchored and 2 or 1)
  if is_cheap(text, apart, anchored and 1 or #text + 1) then
    if apart.problem then return as_given(protected(match, text, pattern, from)) end
    return match(text, pattern, from)
  end
  local at, behind, taken = searched(text, apart, from, anchored)
  if at == nil then return nil end
  return captures(text, taken, apart.captures, at, behind)
end

-- A step of gmatch.
local function stepping(text, apart, at)
  local parts, last = ready(apart), nil
  at = beginning(at, #text) or #text + 2
  return function()
    while at <= #text + 1 do
      local from, behind, taken = first_match(text, parts, at)
      if from == nil then
        at = #text + 2
      elseif behind == last then
        at = from + 1
      else
        at, last = behind, behind
        return captures(text, taken, apart.captures, from, behind)
      end
    end
    return nil
  end
end

function string.gmatch(...)
  local text, pattern, from = given("string.gmatch", ...)
  -- Anchors have no meaning here.
  local apart = of_pattern(pattern, 1)
  if is_cheap(text, apart, #text + 1) then return gmatch(text, pattern, from) end
  local step = stepping(text, apart, from)
  return step
end

-- The replacement of a match, given as a text, a table or a function.
local function replacing(by)
  local kind = type_of(by)
  if kind == "table" then return function(first) return by[first] end end
  if kind ~= "string" and kind ~= "number" then return by end
  by = by .. ""
  return function(...)
    local found, all, count = {}, select(1, ...), select("#", ...)
    local at = 1
    while at <= #by do
      local percent = find(by, "%", at, true) or #by + 1
      found[#found + 1] = sub(by, at, percent - 1)
      if percent <= #by then
        local one = sub(by, percent + 1, percent + 1)
        if one == "%" then
          found[#found + 1] = one
        elseif find(one, "^%d$") then
          local number = to_number(one)
          if number > 1 and number >= count then
            fail(format("invalid capture index %%%d", number), 4)
          end
          -- The whole match comes first; without captures it is also the first capture.
          found[#found + 1] = number < count and select(number + 1, ...) or all
        else
          fail("invalid use of '%' in replacement string", 4)
        end
      end
      at = percent + 2
    end
    return concat(found)
  end
end

-- A table or function whose values are checked before C uses them.
local function checked(by)
  local is_table = type_of(by) == "table"
  return function(...)
    local value
    if is_table then value = by[(...)] else value = by(...) end
    if value and not is_text(value) then fail(format("invalid replacement value (a %s)", type_of(value)), 4) end
    return value
  end
end

-- The results of gsub.
local function replaced_in(text, apart, by, left, anchored)
  local parts, replaced, whole_first = ready(apart), replacing(by), is_text(by)
  local found, count, at, copied, last = {}, 0, 1, 1, nil
  while count < left and at <= #text + 1 do
    local from, behind, taken = first_match(text, parts, at, anchored)
    if from == nil then break end
    if behind == last then
      at = from + 1
    else
      count = count + 1
      local value
      if whole_first then
        if apart.captures == 0 then
          value = replaced(sub(text, from, behind - 1))
        else
          value = replaced(sub(text, from, behind - 1), captures(text, taken, apart.captures))
        end
      else
        value = replaced(captures(text, taken, apart.captures, from, behind))
      end
      if not value then
        value = sub(text, from, behind - 1)
      elseif not is_text(value) then
        fail(format("invalid replacement value (a %s)", type_of(value)), 3)
      end
      found[#found + 1] = sub(text, copied, from - 1)
      found[#found + 1] = value
      at, copied, last = behind, behind, behind
    end
    if anchored then break end
  end
  found[#found + 1] = sub(text, copied)
  return concat(found), count
end

function string.gsub(...)
  local text, pattern, by, most = ...
  if not is_text(text) then wrong("string.gsub", 1, expected("string", 1, ...)) end
  if not is_text(pattern) then wrong("string.gsub", 2, expected("string", 2, ...)) end
  text, pattern = text .. "", pattern .. ""
  local left, problem = integer(#text + 1, 4, text, pattern, by, most)
  if left == nil then wrong("string.gsub", 4, problem) end
  local kind = type_of(by)
  if not is_text(by) and kind ~= "table" and kind ~= "function" then
    wrong("string.gsub", 3, expected("string/function/table", 3, ...))
  end
  local anchored = anchor_of(pattern)
  local apart = of_pattern(pattern, anchored and 2 or 1)
  if is_cheap(text, apart, anchored and 1 or #text + 1) then
    if is_text(by) then
      if apart.problem or find(by, "%", 1, true) then return as_given(protected(gsub, text, pattern, by, most)) end
      return gsub(text, pattern, by, most)
    end
    if not apart.problem then return gsub(text, pattern, checked(by), most) end
    return as_given(protected(gsub, text, pattern, checked(by), most))
  end
  local result, count = replaced_in(text, apart, by, left, anchored)
  return result, count
end

function string.rep(...)
  local text, count, between = ...
  -- The empty string, any number of times.
  if text == "" and (between == nil or between == "") and type_of(count) == "number" and count > 0 then
    if to_integer(count) then return "" end
  end
  if not is_text(text) then wrong("string.rep", 1, expected("string", 1, ...)) end
  local times, problem = integer(nil, 2, ...)
  if times == nil then wrong("string.rep", 2, problem or expected("number", 2, ...)) end
  if between ~= nil and not is_text(between) then wrong("string.rep", 3, expected("string", 3, ...)) end
  local size = (#(text .. "") + #((between or "") .. "")) * (times + 0.0)
  -- Too large for C, which would not find the name of the caller.
  if size >= 1 << 30 then return as_given(protected(rep, text, times, between)) end
  return rep(text, times, between)
end

-- Tables ----------------------------------------------------------------------------------------------------------------

local function is_tabular(value)
  local kind = type_of(value)
  return kind == "table" or kind == "userdata"
end

function table.move(...)
  local numbers = {}
  for place = 2, 4 do
    local number, problem = integer(nil, place, ...)
    if number == nil then wrong("table.move", place, problem or expected("number", place, ...)) end
    numbers[place] = number
  end
  local first, last, place = numbers[2], numbers[3], numbers[4]
  local from, to = (...), (select(5, ...))
  if not is_tabular(from) then wrong("table.move", 1, expected("table", 1, ...)) end
  if to ~= nil and not is_tabular(to) then wrong("table.move", 5, expected("table", 5, ...)) end
  if to == nil then to = from end
  if last < first then return to end
  if first <= 0 and last >= LARGEST + first then wrong("table.move", 3, "too many elements to move") end
  if place > LARGEST - (last - first) then wrong("table.move", 4, "destination wrap around") end
  if last - first < MOVES then return move(from, first, last, place, to) end
  if place > last or place <= first or to ~= from then
    for step = 0, last - first do to[place + step] = from[first + step] end
  else
    for step = last - first, 0, -1 do to[place + step] = from[first + step] end
  end
  return to
end

-- A metatable may return any length.
local function has_false_length(value)
  return type_of(value) == "table" and #value > rawlen(value) + MOVES
end

function table.insert(...)
  local into, place = ...
  if not is_tabular(into) then wrong("table.insert", 1, expected("table", 1, ...)) end
  local count = select("#", ...)
  if count == 2 then return insert(into, place) end
  if count ~= 3 then fail("wrong number of arguments to 'insert'", 2) end
  local behind = #into + 1
  local found, problem = integer(nil, 2, ...)
  if found == nil then wrong("table.insert", 2, problem or expected("number", 2, ...)) end
  if found < 1 or found > behind then wrong("table.insert", 2, "position out of bounds") end
  if not has_false_length(into) then return insert(...) end
  for at = behind, found + 1, -1 do into[at] = into[at - 1] end
  into[found] = (select(3, ...))
end

function table.remove(...)
  local from, place = ...
  if not is_tabular(from) then wrong("table.remove", 1, expected("table", 1, ...)) end
  local last = #from
  local found, problem = integer(last, 2, from, place)
  if found == nil then wrong("table.remove", 2, problem) end
  if found ~= last and (found < 1 or found > last + 1) then wrong("table.remove", 2, "position out of bounds") end
  if not has_false_length(from) then return remove(...) end
  local removed = from[found]
  for at = found, last - 1 do from[at] = from[at + 1] end
  from[last] = nil
  return removed
end

-- Finalizers run where no hook checks the time, so they are disabled.
function setmetatable(...)
  local one, meta = ...
  if type_of(one) ~= "table" then wrong("setmetatable", 1, expected("table", 1, ...)) end
  if select("#", ...) < 2 or meta ~= nil and type_of(meta) ~= "table" then
    wrong("setmetatable", 2, expected("nil or table", 2, ...))
  end
  local present = metatable_of(one)
  if present and rawget(present, "__metatable") ~= nil then fail("cannot change a protected metatable", 2) end
  local last = meta and rawget(meta, "__gc")
  if last == nil then return setmetatable_of_c(one, meta) end
  rawset(meta, "__gc", nil)
  setmetatable_of_c(one, meta)
  rawset(meta, "__gc", last)
  return one
end
