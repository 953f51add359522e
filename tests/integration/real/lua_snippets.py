"""What a server's Lua does, piece by piece: bodies of functions that are called with a record and three arguments.

Nothing here does what a real server does not survive, or what depends on what its memory holds by chance.
"""

from __future__ import annotations

STATES: dict[str, dict[str, object] | None] = {
    "absent": None,
    "present": {"n": 5, "f": 2.5, "s": "text", "b": b"\x01\xff", "t": True, "l": [3, 1, "x"], "m": {"k": 1, "a": [2]}},
}
"""What the record is before each snippet of `ON_RECORDS`."""

LISTS = """
local l = list() return l
return list{1, 2, 3}
return list{5, "a", 2.5, true, list{1}, map{a = 1}}
return list({[1] = 1, [3] = 3, x = 9})
return list({{}, 1})
return list(5)
return list(1, 2)
return list.new(3)
return list.create(3, 5)
return list.create(-1)
return list.create()
return list.create(1, -1)
local l = list.create(1, 0) list.append(l, 1) list.append(l, 2) return l
local l = list.create(0, 0) list.append(l, 1) l[1] = 5 list.concat(l, list{1}) return l
local l = list{1} list.append(l, nil) return l
local l = list{1} list.append(l) return l
local l = list{1} list.append(l, {}) return l
local l = list{1} list.append(l, print) return l
local l = list{1} list.append(l, r) return l
local l = list{1} list.prepend(l, 0) return l
local l = list{1, 3} list.insert(l, 2, 2) return l
local l = list{1} list.insert(l, 4, 2) return l
local l = list{1} list.insert(l, 0, 2) return l
local l = list{1} list.insert(l, -1, 2) return l
local l = list{1} list.insert(l, "1", 2) return l
local l = list{1} list.insert(l, 1.0, 2) return l
local l = list{1} list.insert(l, 1.5, 2) return l
local l = list{1} list.insert(l, "x", 2) return l
local l = list{1} list.insert(l, true, 2) return l
local l = list{1, 2, 3} list.remove(l, 2) return l
local l = list{1, 2, 3} list.remove(l, 4) return l
local l = list{1, 2, 3} list.remove(l, 0) return l
local l = list{1, 2, 3} list.remove(l) return l
local l = list{1, 2, 3} list.trim(l, 2) return l
local l = list{1, 2, 3} list.trim(l, 9) return l
local l = list{1, 2, 3} list.trim(l, 0) return l
return list.take(list{1, 2, 3}, 2)
return list.take(list{1, 2, 3}, 9)
return list.take(list{1, 2, 3}, 0)
return list.take(list{1, 2, 3}, -1)
return list.drop(list{1, 2, 3}, 1)
return list.drop(list{1, 2, 3}, 9)
return list.drop(list{1, 2, 3}, 0)
local l = list{1} list.concat(l, list{2, 3}) return l
local l = list{1} return list.concat(l, 5)
return list.merge(list{1}, list{2})
return list.clone(list{1, list{2}})
local l = list{1} local c = list.clone(l) list.append(c, 2) return l
return list.size(list{1, 2})
return #list{1, 2}
return list.size()
return list.size(map())
return list.size(bytes())
return list.size({})
return list.size(nil)
return list.size("x")
local size = list.size return size(5)
return list.nbytes(list{1, "abc", list{1.5, true, nil}, map{a = 1}})
return list.nbytes(list())
local s = 0 for v in list.iterator(list{1, 2, 3}) do s = s + v end return s
local s = 0 for v in list.iterator(list{1, nil, 3}) do s = s + v end return s
local l = list{1, 2, 3} local s = 0 for v in list.iterator(l) do s = s + v
  if s < 10 then list.append(l, 1) end end return s
local f, i = list.iterator(list{7, 8}) return f(i)
local f, i = list.iterator(list{7, 8}) return iterator.next(i)
local f, i = list.iterator(list{7}) iterator.next(i) return iterator.has_next(i)
local f, i = list.iterator(list{7}) return iterator.has_next(i)
local l = list{1, 2} return l[1]
local l = list{1, 2} return l[3]
local l = list{1, 2} return l[0]
local l = list{1, 2} return l[-1]
local l = list{1, 2} return l["2"]
local l = list{1, 2} return l["x"]
local l = list{1, 2} return l.size
local l = list{1, 2} return l[1.5]
local l = list{1, 2} return l[nil]
local l = list{1, 2} l[1] = 9 return l
local l = list{1, 2} l[4] = 9 return l
local l = list{1, 2} l[0] = 9 return l
local l = list{1, 2} l[1] = nil return l
local l = list{1, 2} l[1] = {} return l
local l = list{1, 2} l.x = 1 return l
local l = list{1, 2} local s = 0 for i, v in ipairs(l) do s = s + i * v end return s
local l = list{1, 2} for k, v in pairs(l) do end
return tostring(list{1, "a", 2.5, true, nil, list{}, map{}, bytes(), geojson('{"type":"Point"}')})
return list.tostring(list{1.0, 1e300, -0.0, 0.1, 1/0, -1/0, 100000000000000000000})
return tostring(list{'say "so"', ''})
return list{1} == list{1}
local l = list{1} return l == l
return list{1} + 1
return list{1} .. "x"
return list{1} < list{2}
return -list{1}
return list{1}()
local l = list{l} list.append(l, "a\\0b") return l
return list{"a\\0b"}
return list{'\\xff\\xfe'}
"""

MAPS = """
return map()
return map{a = 1, b = "x", c = map{d = list{1}}}
return map({a = 1}, 5)
return map({a = 1}, 0)
return map({a = 1}, "x")
return map{[1] = 1, [2.5] = 2, [true] = 3, x = {}, y = print}
return map.create(5)
return map.create(0)
return map.create()
return map.create(1, 2)
return map.new(1)
local m = map() m.a = 1 m[1] = 2 m["1"] = 3 return m
local m = map() m[1.0] = 2 m[1] = 3 return m
local m = map() m[1.5] = 2 return m
local m = map() m[true] = 2 return m
local m = map() m[nil] = 2 return m
local m = map() m[list{1}] = 2 return m
local m = map() m[{}] = 2 return m
local b = bytes() bytes.append_byte(b, 1) local m = map() m[b] = 2 return m
local b = bytes() bytes.append_byte(b, 1) bytes.set_type(b, 7) local m = map() m[b] = 2 return m
local b = bytes() bytes.append_byte(b, 1) local c = bytes() bytes.append_byte(c, 1) local m = map() m[b] = 2 return m[c]
local m = map{a = 1} m.a = nil return m
local m = map{a = 1} m.a = nil return map.size(m)
local m = map{a = 1} m.a = {} return m
local m = map{a = 1} m.b = r return m
local m = map{a = 1} m["a\\0b"] = 5 return m
local m = map{a = 1} return m.a
local m = map{a = 1} return m.b
local m = map{a = 1} return m[nil]
local m = map{[1] = 1} return m[1.0]
local m = map{[1] = 1} return m[true]
local m = map{a = 1} return m[{}]
local m = map{a = 1, b = 2} map.remove(m, "a") return m
local m = map{a = 1, b = 2} map.remove(m, "x") return m
local m = map{a = 1, b = 2} map.remove(m, nil) return m
local m = map{a = 1, b = 2} map.remove(m, {}) return m
return map.size(map{a = 1})
return #map{a = 1}
return map.size(list())
return map.size()
return map.nbytes(map{a = 1, [2] = "x"})
local s = "" for k, v in map.pairs(map{b = 1, a = 2, [5] = 3, [-1] = 4}) do s = s .. k .. "=" .. v .. " " end return s
local s = "" for k, v in map.iterator(map{b = 1, a = 2}) do s = s .. k .. "=" .. v .. " " end return s
local s = "" for k in map.keys(map{b = 1, a = 2}) do s = s .. k end return s
local s = 0 for v in map.values(map{b = 1, a = 2}) do s = s * 10 + v end return s
local m = map{a = 1, b = 2, c = 3} local s = "" for k in map.keys(m) do s = s .. k m.d = 4 end return s
local s = 0 for v in map.values(map{a = 1, b = nil}) do s = s + v end return s
local m = map() m.a = nil m.b = 1 local s = "" for k, v in map.pairs(m) do s = s .. k .. tostring(v) end return s
local m = map() m.a = nil m.b = 1 local s = 0 for v in map.values(m) do s = s + 1 end return s
return map.pairs(5)
return tostring(map{b = 1, a = "x", [1] = 2.5, c = true})
local m = map() m.a = nil return tostring(m)
local m = map{a = 1, c = 3} m.b = bytes() return tostring(m)
return map.tostring(map())
return map.merge(map{a = 1, b = 2}, map{b = 3, c = 4})
return map.merge(map{a = 1, b = 2}, map{b = 3, c = 4}, math.sum)
return map.merge(map{a = 1, b = 2}, map{b = 3, c = 4}, function(x, y) return false end)
return map.merge(map{a = false}, map{a = 3}, function(x, y) return 9 end)
return map.merge(map{a = 1}, map{a = 3}, 5)
return map.merge(map{a = 1}, 5)
return map.merge(map{a = list{1}}, map{a = list{2}}, list.merge)
return map.diff(map{a = 1, b = 2}, map{b = 3, c = 4})
return map.diff(map{a = 1, b = false}, map{b = 3, c = 4})
return map.clone(map{a = 1})
local m = map{a = 1} local c = map.clone(m) c.b = 2 return m
for k, v in pairs(map{a = 1}) do end
return map{a = 1}.a
return map{zz = 1, z = 2, y = 3, [10] = 1, [9] = 2}
"""

BYTES = """
return bytes()
return bytes(5)
return bytes("2")
return bytes("x")
return bytes(1, 2)
local b = bytes() bytes.append_byte(b, 1) bytes.append_byte(b, 255) return b
local b = bytes() return bytes.append_byte(b, 256)
local b = bytes() return bytes.append_byte(b, -1)
local b = bytes() return bytes.append_byte(b)
local b = bytes() return bytes.append_byte(b, 1, 2)
local b = bytes() return bytes.append_byte(b, "7") and b
local b = bytes() return bytes.append_byte(b, "x")
local b = bytes() return bytes.append_byte(b, nil) and b
local b = bytes() bytes.append_int16(b, 258) bytes.append_int16_le(b, 258) bytes.append_int16_be(b, -2) return b
local b = bytes() bytes.append_int32(b, 16909060) bytes.append_int32_le(b, 16909060) return b
local b = bytes() bytes.append_int64(b, 72623859790382856) bytes.append_int64_le(b, -1) return b
local b = bytes() return bytes.append_int16(b, 32768)
local b = bytes() return bytes.append_int32(b, 2147483648)
local b = bytes() bytes.append_string(b, "abc") return b
local b = bytes() return bytes.append_string(b, "")
local b = bytes() return bytes.append_string(b, nil)
local b = bytes() bytes.append_string(b, 12) return b
local b = bytes() bytes.append_string(b, "a\\0b") return b
local b = bytes() bytes.append_string(b, "abc") local c = bytes() bytes.append_bytes(c, b, 2) return c
local b = bytes() bytes.append_string(b, "abc") local c = bytes() bytes.append_bytes(c, b, 9) return c
local b = bytes() return bytes.append_bytes(b, "x", 1)
local b = bytes() return bytes.append_bytes(b, b, -1)
local b = bytes() return bytes.append_var_int(b, 300)
local b = bytes() bytes.append_var_int(b, 300) return b
local b = bytes() bytes.append_var_int(b, 300) return bytes.size(b)
local b = bytes() bytes.append_var_int(b, 300) local v, n = bytes.get_var_int(b, 1) return v * 10 + n
local b = bytes(10) bytes.set_var_int(b, 1, 5) return bytes.get_var_int(b, 1)
local b = bytes() return bytes.append_var_int(b, -1)
local b = bytes() bytes.set_byte(b, 1, 7) return b
local b = bytes() bytes.append_string(b, "abc") bytes.set_byte(b, 2, 122) return b
local b = bytes() bytes.append_string(b, "abc") b[2] = 122 return b
local b = bytes() bytes.append_string(b, "abc") b[4] = 122 return b
local b = bytes() bytes.append_string(b, "abc") b[0] = 122 return b
local b = bytes() bytes.append_string(b, "abc") b[1] = 300 return b
local b = bytes() bytes.append_string(b, "abc") b.x = 3 return b
local b = bytes() return bytes.set_byte(b, 0, 1)
local b = bytes() bytes.append_string(b, "abcdef") bytes.set_int16(b, 2, 258) return b
local b = bytes() bytes.append_string(b, "abcdef") bytes.set_int32_le(b, 2, 258) return b
local b = bytes() bytes.append_string(b, "abcdefgh") bytes.set_int64(b, 1, 258) return b
local b = bytes() bytes.append_string(b, "abcdef") bytes.set_string(b, 5, "xyz") return b
local b = bytes() bytes.append_string(b, "abcdef") return bytes.set_string(b, 5)
local b = bytes() bytes.append_string(b, "abcdef") local c = bytes() bytes.append_string(c, "xyz")
  bytes.set_bytes(b, 2, c, 2) return b
local b = bytes() bytes.append_string(b, "abcdef") local c = bytes() bytes.append_string(c, "xyz")
  bytes.set_bytes(b, 6, c, 3) return b
local b = bytes() bytes.append_string(b, "abc") return bytes.get_byte(b, 2)
local b = bytes() bytes.append_string(b, "abc") return b[2]
local b = bytes() bytes.append_string(b, "abc") return b[4]
local b = bytes() bytes.append_string(b, "abc") return b[0]
local b = bytes() bytes.append_string(b, "abc") return b["x"]
local b = bytes() bytes.append_string(b, "abc") return bytes.get_byte(b)
local b = bytes() bytes.append_string(b, "abc") return bytes.get_byte(5, 1)
local b = bytes() bytes.append_string(b, "abc") return #b
local b = bytes() bytes.append_string(b, "abc") return bytes.size(b)
return bytes.size()
return bytes.size(list())
local b = bytes() bytes.append_string(b, "\\xff\\xfe\\x01\\x02\\x03\\x04\\x05\\x06") return bytes.get_int16(b, 1)
local b = bytes() bytes.append_string(b, "\\xff\\xfe\\x01\\x02\\x03\\x04\\x05\\x06") return bytes.get_int16_le(b, 1)
local b = bytes() bytes.append_string(b, "\\xff\\xfe\\x01\\x02\\x03\\x04\\x05\\x06") return bytes.get_int32(b, 1)
local b = bytes() bytes.append_string(b, "\\xff\\xfe\\x01\\x02\\x03\\x04\\x05\\x06") return bytes.get_int32_le(b, 3)
local b = bytes() bytes.append_string(b, "\\xff\\xfe\\x01\\x02\\x03\\x04\\x05\\x06") return bytes.get_int64(b, 1)
local b = bytes() bytes.append_string(b, "\\xff\\xfe\\x01\\x02\\x03\\x04\\x05\\x06") return bytes.get_int64_le(b, 1)
local b = bytes() bytes.append_string(b, "\\xff\\xfe\\x01\\x02\\x03\\x04\\x05\\x06") return bytes.get_int64(b, 2)
local b = bytes() bytes.append_string(b, "abc") return bytes.get_string(b, 2, 2)
local b = bytes() bytes.append_string(b, "abc") return bytes.get_string(b, 0, 2)
local b = bytes() bytes.append_string(b, "abc") return bytes.get_string(b, 1, 0)
local b = bytes() bytes.append_string(b, "abc") return bytes.get_string(b, 1)
local b = bytes() bytes.append_string(b, "abc") return bytes.get_bytes(b, 2, 2)
local b = bytes() bytes.append_string(b, "abc") return bytes.get_bytes(b, 1, -1)
local b = bytes() return bytes.get_type(b)
local b = bytes() return bytes.set_type(b, 7)
local b = bytes() bytes.set_type(b, 7) return bytes.get_type(b)
local b = bytes() return bytes.set_type(b, 0)
local b = bytes(3) return bytes.set_size(b, 3)
local b = bytes(3) return bytes.set_size(b, 4)
local b = bytes(3) bytes.set_size(b, 3) return b
local b = bytes() bytes.append_string(b, "abc") bytes.set_type(b, 18) return b
local b = bytes() bytes.append_string(b, "abc") return list{b}
local b = bytes() bytes.append_string(b, "abc") bytes.set_type(b, 9) return list{b}
local b = bytes() bytes.append_string(b, "\\x01\\xab") return tostring(b)
return tostring(bytes())
return bytes.tostring
return bytes() == bytes()
"""

VALUES = """
return 1
return -1
return 9223372036854775807
return 9223372036854775807 + 1
return 2^53
return 1.0
return 1.5
return 10 / 2
return 10 // 2
return 7 // 2.0
return 0/0 ~= 0/0
return 1/0
return "text"
return ""
return "a\\0b"
return "\\xff\\xfe"
return true
return false
return nil
return
return 1, 2
return {}
return print
return r
return math
return coroutine.create(print)
return geojson('{"type": "Point", "coordinates": [1, 2]}')
return geojson("x")
return geojson(5)
return geojson()
return geojson(nil)
return geojson({})
return tostring(geojson('{"type": "Point"}'))
local g = geojson("x") return g[1]
local g = geojson("x") g[1] = 2
return #geojson("x")
return list{geojson("x")}
return type(1) .. type("") .. type(nil) .. type({}) .. type(print) .. type(list()) .. type(list.append) .. type(true)
return type(r) .. type(aerospike) .. type(list) .. type(record) .. type(record.ttl) .. type(aerospike.create)
local t = type() return t
return getmetatable(list()) == List
return getmetatable(map()) == Map
return getmetatable(bytes()) == Bytes
return getmetatable(map()) == List
return getmetatable(geojson("x")) == GeoJSON
return GeoJSON == nil
return Record == nil
return Aerospike == nil
return getmetatable(r) == Record
return type(getmetatable(r))
return type(getmetatable(geojson("x")))
return getmetatable(5)
return type(getmetatable("x"))
return getmetatable({})
return getmetatable(list) == list
return getmetatable(aerospike) == Aerospike
return math.sum(1, 2)
return math.product(3, 4)
return math.type(1) .. math.type(1.0)
return tostring(nil) .. tostring(true) .. tostring(12) .. tostring(1.5) .. tostring(1e100)
return tostring()
return string.format("%s %d %5.2f %q", list{1}, 3, 2.5, "x")
return string.format("%d", 2.5)
return string.rep("ab", 3)
return ("x"):upper()
return #"abc"
return select("#", ...)
return _VERSION
return debug == nil
return type(debug)
return type(trace) .. type(info) .. type(warn)
return info("said %d", 5)
return info("said %d")
return info()
return aerospike:log(2, "said")
return aerospike.log(2, "said")
return type(aerospike:get_current_time())
return aerospike:get_current_time() > 1600000000000
return aerospike:get_config(r, "x")
return aerospike:set_context(r, 1)
return aerospike.nothing
return aerospike[1]
return aerospike:nothing()
aerospike.x = 1
return require("string") == string
local m = require("no_such_module") return m
return load("return 5")()
return load("x = = 1")
return select(2, load("x = = 1", "=name"))
local t = {} for word in ("a b c"):gmatch("%a") do t[#t + 1] = word end return table.concat(t, ",")
local c = coroutine.wrap(function() coroutine.yield(1) coroutine.yield(2) end) c() return c()
local v = string.find() return v
local v = ("a"):find({}) return v
local v = string.find("a", "[") return v
local v = ("abc"):match("(b)(c") return v
local v = ("a"):rep("x") return v
local v = ("a"):gsub("a", true) return v
local v = ("a"):gsub("a", "%2") return v
local v = ("a"):gsub("a", function() return {} end) return v
return select(2, ("hello world from Lua"):gsub("(%w+) (%w+)", "%2 %1"))
return ("key = value"):match("^(%w+)%s*=%s*(%w+)$")
return string.find(("a"):rep(2000) .. "b c", ".-b%s*(%w)$")
return (("x, "):rep(3000):gsub("%s*(%w)%s*,", "%1"))
local v = table.insert({}, 5, 1) return v
local v = table.insert({}) return v
local v = table.remove({}, 9) return v
local v = table.move({}, 1) return v
local v = setmetatable(5, {}) return v
return #table.move({1, 2, 3}, 1, 3, 2)
return setmetatable({}, {__index = {a = 5}}).a
return pcall(string.find, {})
local v = string.find("a", "%f") return v
local v = string.match("a", "%1") return v
local c = coroutine.wrap(function() error("inside", 0) end) c()
return pcall(coroutine.wrap(function() error("inside") end))
return x
return y
return z
return list{x, y, z}
return tostring(x) .. tostring(y) .. tostring(z)
"""

ERRORS = """
error("boom")
error("boom", 0)
error("boom", 1)
error("boom", 2)
error("boom", 3)
error({})
error({code = 5})
error(5)
error(5.5)
error()
error(nil)
error(true)
error(list{1})
error(r)
error("two\\nlines")
error("a\\0b")
local function deeper() error("boom") end deeper()
local function deeper() error("boom", 2) end deeper()
assert(false)
assert(false, "asserted")
assert(nil, {})
assert(false, list())
local x = nil + 1
local x = nil; return x.y
local x = {} return x.y.z
local x = 5 x()
undefined()
return #5
return 1 < "x"
return {} .. "x"
return ("x").y.z
string.rep()
string.rep("x", -1, 5)
("x"):rep({})
math.floor("x")
return pcall(error, "boom")
local ok, e = pcall(error, "boom") return e
local ok, e = pcall(error, {}) return type(e)
local ok, e = pcall(function() error("boom") end) return e
local ok, e = pcall(function() error() end) return tostring(e)
local ok, e = pcall(list.append, 5) return e
local ok, e = pcall(function() list.append(5) end) return e
local ok, e = pcall(function() return list.append(5) end) return e
local ok, e = pcall(function() r.x = {} end) return e
local ok, e = pcall() return e
local ok, e = xpcall(error, function(m) return m .. "!" end, "boom") return e
local ok, e = xpcall(function() list.append(5) end, function(m) return m .. "!" end) return e
local ok, e = pcall(nil) return e
local ok, e = pcall(aerospike.create, aerospike, 5) return e
list.append()
list:append(5)
local l = list() l:append(5)
map.pairs()
local function f() f() end f()
local function f() return 1 + f() end f()
record.ttl()
record.ttl(5)
record.ttl(list())
record.nothing(r)
aerospike.create(r)
aerospike:create()
aerospike:create(5)
aerospike:create(nil)
aerospike:create("x")
aerospike.create()
aerospike.create(5, r)
aerospike:update()
aerospike:remove(5)
aerospike:exists(5)
r()
return #r
return r + 1
return r .. "x"
for k, v in pairs(r) do end
r.x = {}
r.x = print
r[true] = 1
r[{}] = 1
return r[true]
return r[{}]
setmetatable(r, {})
setmetatable(list, {})
setmetatable(list(), {})
goto_nowhere = 1 return goto_nowhere
"""

ON_RECORDS = """
return aerospike:exists(r)
return aerospike:create(r)
r.x = 1 return aerospike:create(r)
r.x = 1 local a = aerospike:create(r) local b = aerospike:create(r) return list{a, b}
r.x = 1 return aerospike:update(r)
r.x = 1
r.x = 1 aerospike:create(r) r.x = 2 aerospike:update(r) return r.x
r.x = 1 aerospike:create(r) r.x = 2 return r.x
r.x = 1 if aerospike:exists(r) then return aerospike:update(r) end return aerospike:create(r)
return aerospike:remove(r)
aerospike:remove(r) return aerospike:exists(r)
aerospike:remove(r) r.x = 1 return aerospike:create(r)
aerospike:remove(r) r.x = 1 return aerospike:update(r)
aerospike:remove(r) return aerospike:remove(r)
aerospike:remove(r) return r.n
aerospike:remove(r) return record.numbins(r)
r.x = 1 aerospike:create(r) aerospike:remove(r)
r.x = 1 aerospike:create(r) return aerospike:exists(r)
aerospike:update(r)
aerospike:create(r) r.x = 1 aerospike:update(r)
r.n = nil return aerospike:update(r)
r.n = nil return r.n
r.n = nil aerospike:update(r) return record.bin_names(r)[1]
r.n = nil aerospike:update(r) return list(record.bin_names(r))
r.n = nil aerospike:update(r) r.n = 1 aerospike:update(r) return list(record.bin_names(r))
r.zz = 1 aerospike:update(r) return list(record.bin_names(r))
r.n = nil r.f = nil r.s = nil r.b = nil r.t = nil r.l = nil r.m = nil return aerospike:update(r)
r.x = nil return aerospike:update(r)
r.x = nil return aerospike:create(r)
r.x = 1 r.x = nil return aerospike:update(r)
r.x = r return aerospike:update(r)
r.x = r return aerospike:create(r)
r.x = r aerospike:create(r) aerospike:update(r) r.x = nil r.y = 1 return aerospike:update(r)
r.y = 1 aerospike:create(r) aerospike:update(r) r.x = r aerospike:update(r) return 5
r.x = list{1, map{a = 2}} r.y = 1.5 r.z = true r.w = "t"
  r.g = geojson('{"type":"Point","coordinates":[1,2]}') aerospike:create(r) return aerospike:update(r)
local b = bytes() bytes.append_string(b, "abc") r.x = b aerospike:create(r) return aerospike:update(r)
local b = bytes() bytes.append_string(b, "abc")
  bytes.set_type(b, 9) r.x = b aerospike:create(r) return aerospike:update(r)
local b = bytes() r.x = b aerospike:create(r) return aerospike:update(r)
r.x = bytes(5) aerospike:create(r) return aerospike:update(r)
r.x = "a\\0b" aerospike:create(r) return aerospike:update(r)
r.x = "\\xff\\xfe" aerospike:create(r) return aerospike:update(r)
r.x = "" aerospike:create(r) return aerospike:update(r)
r.x = list() aerospike:create(r) return aerospike:update(r)
r.x = map() aerospike:create(r) return aerospike:update(r)
r.x = 1/0 aerospike:create(r) return aerospike:update(r)
r.abcdefghijklmno = 1 aerospike:create(r) return aerospike:update(r)
r.abcdefghijklmnop = 1 aerospike:create(r) return aerospike:update(r)
r.abcdefghijklmnop = 1 return r.abcdefghijklmnop
r[5] = 1 aerospike:create(r) return aerospike:update(r)
r[5.5] = 1 aerospike:create(r) return aerospike:update(r)
r[nil] = 1 aerospike:create(r) return aerospike:update(r)
r[5] = 1 return r["5"]
r["a\\0b"] = 1 aerospike:create(r) return aerospike:update(r)
r.x = 1 return r.x
return r.n
return r.f
return r.s
return r.b
return r.t
return r.l
return r.m
return r.nothing
return r[nil]
return r.l[1]
return r.m.a[1]
local l = r.l list.append(l, 9) return r.l
local l = r.l list.append(l, 9) aerospike:update(r) return r.l
local l = r.l list.append(l, 9) r.l = l aerospike:update(r) return r.l
local m = r.m m.z = 9 r.m = m aerospike:update(r) return r.m
r.n = r.n + 1 return aerospike:update(r)
r.s = r.s .. "!" return aerospike:update(r)
r.x = r.b return aerospike:update(r)
return tostring(r.l) .. tostring(r.m) .. tostring(r.b) .. tostring(r.f)
return bytes.get_type(r.b)
return record.ttl(r) > 0
return record.gen(r)
return record.numbins(r)
return list(record.bin_names(r))
return type(record.bin_names(r))
return record.setname(r)
return record.key(r)
return #record.digest(r)
return record.digest(r)
return record.last_update_time(r) > 0
return record.device_size(r)
return record.size(r) > 0
return record.memory_size(r) == record.size(r)
return record.set_ttl(r, 100)
return record.set_ttl(r)
return record.set_ttl(r, "x")
return record.drop_key(r)
record.set_ttl(r, 100) r.x = 1 aerospike:create(r) aerospike:update(r) return record.ttl(r)
record.set_ttl(r, -1) r.x = 1 aerospike:create(r) return aerospike:update(r)
record.set_ttl(r, -2) r.x = 1 aerospike:create(r) return aerospike:update(r)
record.set_ttl(r, 999999999) r.x = 1 aerospike:create(r) return aerospike:update(r)
record.drop_key(r) r.x = 1 aerospike:create(r) return aerospike:update(r)
r.x = 1 aerospike:create(r) return record.key(r)
r.x = 1 aerospike:create(r) return record.gen(r)
r.x = 1 aerospike:create(r) return record.numbins(r)
r.x = 1 aerospike:create(r) return list(record.bin_names(r))
r.x = 1 aerospike:create(r) return record.setname(r)
r.x = 1 aerospike:create(r) return record.size(r)
r.x = 1 aerospike:update(r) return record.gen(r)
r.x = 1 aerospike:update(r) return record.numbins(r)
r.x = 1 return record.numbins(r)
r.x = 1 aerospike:create(r) error("after")
r.x = 1 aerospike:update(r) error("after")
for i = 1, 600 do r["b" .. i] = i end aerospike:create(r) return aerospike:update(r)
for i = 1, 505 do r["b" .. i] = i end aerospike:create(r) return aerospike:update(r)
for i = 1, 506 do r["b" .. i] = i end aerospike:create(r) return aerospike:update(r)
for i = 1, 1200 do r["b" .. i] = nil end return aerospike:update(r)
for i = 1, 600 do local v = r["b" .. i] end r.x = 1 return aerospike:update(r)
r.x = 1 aerospike:create(r) r.x = {}
return getmetatable(r) == getmetatable(r)
return r == r
return tostring(r):sub(1, 7)
"""


def bodies(text: str) -> list[str]:
    """The snippets of a group, one a line; a line that is indented goes on with the one before."""
    return [line for line in text.replace("\n  ", " ").splitlines() if line]


VALUE_SNIPPETS = [body for group in (LISTS, MAPS, BYTES, VALUES, ERRORS) for body in bodies(group)]
RECORD_SNIPPETS = bodies(ON_RECORDS)


def module_of(snippets: list[str]) -> bytes:
    """A module with a function for each snippet, `s0` and so on, each on a line of its own."""
    return "\n".join(f"function s{number}(r, x, y, z, ...) {body} end" for number, body in enumerate(snippets)).encode()
