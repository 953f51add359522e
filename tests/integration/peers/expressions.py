"""What the official client makes of expressions, as a table: ours as Python source, and theirs in base64, a line each.

Run by tests/integration/peers/test_expressions.py with the port of a server, in the published clients' environment.
"""

import json
import sys

import aerospike
from aerospike_helpers import cdt_ctx, expressions as e
from aerospike_helpers.expressions import arithmetic as ar, base, bitwise_operators as bo
from aerospike_helpers.expressions.resources import ResultType as T

geo = aerospike.GeoJSON
point = geo('{"type": "Point", "coordinates": [1.5, 2.5]}')
POINT = """'{"type": "Point", "coordinates": [1.5, 2.5]}'"""
inf = aerospike.CDTInfinite()
wild = aerospike.CDTWildcard()
lb, mb, bb, hb = e.ListBin("l"), e.MapBin("m"), e.BlobBin("b"), e.HLLBin("h")
i, f = e.IntBin("i"), e.FloatBin("f")
key_ctx = [cdt_ctx.cdt_ctx_map_key("k"), cdt_ctx.cdt_ctx_list_index(-1)]
KEY_CTX = "[ctx.map_key('k'), ctx.list_index(-1)]"
list_ctx = [cdt_ctx.cdt_ctx_list_rank(0), cdt_ctx.cdt_ctx_map_value([1, "x"])]
A_KEY = "exp.loop_key(exp.ExpType.STRING)"
A_NUMBER = "exp.loop_value(exp.ExpType.INT)"
LIST_CTX = "[ctx.list_rank(0), ctx.map_value([1, 'x'])]"

TABLE = [
    # values
    ("exp.eq(exp.int_bin('i'), 0)", e.Eq(i, 0)),
    *[
        (f"exp.int_bin('i') == {n}", e.Eq(i, n))
        for n in (127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1)
    ],
    *[(f"exp.int_bin('i') == {n}", e.Eq(i, n)) for n in (-1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**63))],
    ("exp.float_bin('f') == -1.25", e.Eq(f, -1.25)),
    ("exp.str_bin('s') == ''", e.Eq(e.StrBin("s"), "")),
    ("exp.str_bin('s') == 'é' * 15", e.Eq(e.StrBin("s"), "é" * 15)),
    ("exp.str_bin('s') == 'x' * 31", e.Eq(e.StrBin("s"), "x" * 31)),
    ("exp.str_bin('s') == 'x' * 300", e.Eq(e.StrBin("s"), "x" * 300)),
    ("exp.str_bin('s') == 'x' * 70000", e.Eq(e.StrBin("s"), "x" * 70000)),
    ("exp.blob_bin('b') == b'\\x00\\xff'", e.Eq(bb, b"\x00\xff")),
    ("exp.blob_bin('b') == bytes(40)", e.Eq(bb, bytes(40))),
    ("exp.bool_bin('t') == True", e.Eq(e.BoolBin("t"), True)),
    ("exp.list_bin('l') == [1, 'a', b'z', 2.5, None, True, [3]]", e.Eq(lb, [1, "a", b"z", 2.5, None, True, [3]])),
    ("exp.list_bin('l') == []", e.Eq(lb, [])),
    ("exp.list_bin('l') == list(range(20))", e.Eq(lb, list(range(20)))),
    ("exp.map_bin('m') == {}", e.Eq(mb, {})),
    ("exp.map_bin('m') == {'b': 1, 'a': [2], 3: {'n': None}}", e.Eq(mb, {"b": 1, "a": [2], 3: {"n": None}})),
    ("exp.geo_compare(exp.geo_bin('g'), exp.geo_val(" + POINT + "))", e.CmpGeo(e.GeoBin("g"), point)),
    ("exp.geo_compare(exp.geo_bin('g'), exp.geo_bin('h'))", e.CmpGeo(e.GeoBin("g"), e.GeoBin("h"))),
    # bins, key, metadata
    ("exp.bool_bin('t')", e.BoolBin("t")),
    ("exp.bin_exists('i')", e.BinExists("i")),
    ("exp.bin_type('i') == exp.BinType.STRING", e.Eq(e.BinType("i"), aerospike.AS_BYTES_STRING)),
    ("exp.key(exp.ExpType.INT) > 5", e.GT(e.KeyInt(), 5)),
    ("exp.key(exp.ExpType.STRING) >= 'a'", e.GE(e.KeyStr(), "a")),
    ("exp.key(exp.ExpType.BLOB) < b'a'", e.LT(e.KeyBlob(), b"a")),
    ("exp.key_exists()", e.KeyExists()),
    ("exp.set_name() == 'demo'", e.Eq(e.SetName(), "demo")),
    ("exp.record_size() > 100", e.GT(e.RecordSize(), 100)),
    ("exp.device_size() > 100", e.GT(e.DeviceSize(), 100)),
    ("exp.memory_size() > 100", e.GT(e.MemorySize(), 100)),
    ("exp.last_update() > 1", e.GT(e.LastUpdateTime(), 1)),
    ("exp.since_update() > 1", e.GT(e.SinceUpdateTime(), 1)),
    ("exp.void_time() != -1", e.NE(e.VoidTime(), -1)),
    ("exp.ttl() <= 60", e.LE(e.TTL(), 60)),
    ("~exp.is_tombstone()", e.Not(e.IsTombstone())),
    ("exp.digest_modulo(3) == 1", e.Eq(e.DigestMod(3), 1)),
    # comparison, logic, text
    ("exp.int_bin('i') == 1", e.Eq(i, 1)),
    ("exp.int_bin('i') != 1", e.NE(i, 1)),
    ("exp.int_bin('i') > 1", e.GT(i, 1)),
    ("exp.int_bin('i') >= 1", e.GE(i, 1)),
    ("exp.int_bin('i') < 1", e.LT(i, 1)),
    ("exp.int_bin('i') <= 1", e.LE(i, 1)),
    ("exp.lt(1, exp.int_bin('i'))", e.LT(1, i)),
    ("(exp.int_bin('i') > 1) & exp.bool_bin('t')", e.And(e.GT(i, 1), e.BoolBin("t"))),
    ("(exp.int_bin('i') > 1) & exp.bool_bin('t') & exp.key_exists()", e.And(e.GT(i, 1), e.BoolBin("t"), e.KeyExists())),
    ("exp.or_(exp.bool_bin('t'), exp.bool_bin('u'))", e.Or(e.BoolBin("t"), e.BoolBin("u"))),
    ("exp.bool_bin('t') ^ exp.bool_bin('u')", e.Exclusive(e.BoolBin("t"), e.BoolBin("u"))),
    ("exp.xor_(exp.bool_bin('t'), exp.bool_bin('u'), True)", e.Exclusive(e.BoolBin("t"), e.BoolBin("u"), True)),
    ("exp.regex_compare('^a.*', exp.RegexFlag.ICASE, exp.str_bin('s'))", e.CmpRegex(2, "^a.*", e.StrBin("s"))),
    ("exp.regex_compare('a' * 40, 5, exp.str_bin('s'))", e.CmpRegex(5, "a" * 40, e.StrBin("s"))),
    ("exp.in_list(exp.int_bin('i'), [1, 2])", e.InList(i, base.Val([1, 2]))) if hasattr(e, "InList") else None,
    ("exp.in_list('a', exp.list_bin('l'))", e.InList("a", lb)) if hasattr(e, "InList") else None,
    ("exp.in_list('a', exp.map_keys(exp.map_bin('m')))", e.InList("a", e.MapGetKeys("m")))
    if hasattr(e, "MapGetKeys")
    else None,
    ("exp.in_list(1, exp.map_values(exp.map_bin('m')))", e.InList(1, e.MapGetValues(mb)))
    if hasattr(e, "MapGetValues")
    else None,
    # arithmetic
    ("exp.int_bin('i') + 1 + 2", e.Add(i, 1, 2)),
    ("exp.int_bin('i') - 1", e.Sub(i, 1)),
    ("-exp.int_bin('i')", e.Sub(i)),
    ("exp.int_bin('i') * 2", e.Mul(i, 2)),
    ("exp.int_bin('i') / 2", e.Div(i, 2)),
    ("exp.num_div(exp.int_bin('i'), 2, 3)", e.Div(i, 2, 3)),
    ("exp.int_bin('i') % 2", e.Mod(i, 2)),
    ("exp.float_bin('f') ** 2", e.Pow(f, 2.0)),
    ("exp.num_log(exp.float_bin('f'), 2.0)", e.Log(f, 2.0)),
    ("abs(exp.int_bin('i'))", e.Abs(i)),
    ("exp.num_floor(exp.float_bin('f'))", e.Floor(f)),
    ("exp.num_ceil(exp.float_bin('f'))", e.Ceil(f)),
    ("exp.to_int(exp.float_bin('f'))", e.ToInt(f)),
    ("exp.to_float(exp.int_bin('i'))", e.ToFloat(i)),
    ("exp.min_(exp.int_bin('i'), 5)", ar.Min(i, 5)),
    ("exp.max_(exp.int_bin('i'), 5, 6)", ar.Max(i, 5, 6)),
    ("exp.int_bin('i') & 6", bo.IntAnd(i, 6)),
    ("exp.int_bin('i') | 6 | 8", bo.IntOr(i, 6, 8)),
    ("exp.int_bin('i') ^ 6", bo.IntXOr(i, 6)),
    ("~exp.int_bin('i')", bo.IntNot(i)),
    ("exp.int_bin('i') << 2", bo.IntLeftShift(i, 2)),
    ("exp.int_rshift(exp.int_bin('i'), 2)", bo.IntRightShift(i, 2)),
    ("exp.int_bin('i') >> 2", bo.IntArithmeticRightShift(i, 2)),
    ("exp.int_count(exp.int_bin('i'))", bo.IntCount(i)),
    ("exp.int_lscan(exp.int_bin('i'), True)", bo.IntLeftScan(i, True)),
    ("exp.int_rscan(exp.int_bin('i'), exp.bool_bin('t'))", bo.IntRightScan(i, e.BoolBin("t"))),
    # flow
    ("exp.cond(exp.int_bin('i') > 1, 'a', 'b')", e.Cond(e.GT(i, 1), "a", "b")),
    (
        "exp.cond(exp.int_bin('i') > 1, 1, exp.int_bin('i') > 0, 2, exp.unknown())",
        e.Cond(e.GT(i, 1), 1, e.GT(i, 0), 2, e.Unknown()),
    ),
    (
        "exp.let_(exp.def_('x', exp.int_bin('i')), exp.def_('y', exp.var('x') + 1), exp.var('y') * exp.var('x'))",
        e.Let(e.Def("x", i), e.Def("y", e.Add(e.Var("x"), 1)), e.Mul(e.Var("y"), e.Var("x"))),
    ),
    # lists
    ("exp.lists.append('l', 5)", e.ListAppend(None, None, 5, "l")),
    ("exp.lists.append('l', exp.int_bin('i'))", e.ListAppend(None, None, i, lb)),
    (
        "exp.lists.append('l', 5, policy=exp.ListPolicy(exp.ListOrder.ORDERED, exp.ListWrite.ADD_UNIQUE))",
        e.ListAppend(None, {"list_order": 1, "write_flags": 1}, 5, lb),
    ),
    (f"exp.lists.append(exp.map_bin('m'), 5, ctx={KEY_CTX})", e.ListAppend(key_ctx, None, 5, mb)),
    ("exp.lists.append_items('l', [1, 2])", e.ListAppendItems(None, None, [1, 2], lb)),
    ("exp.lists.append_items('l', exp.list_bin('k'))", e.ListAppendItems(None, None, e.ListBin("k"), lb)),
    ("exp.lists.insert('l', 0, 'a')", e.ListInsert(None, None, 0, "a", lb)),
    ("exp.lists.insert_items('l', -1, ['a'])", e.ListInsertItems(None, None, -1, ["a"], lb)),
    (
        "exp.lists.insert('l', 0, 'a', policy=exp.ListPolicy(write_flags=exp.ListWrite.NO_FAIL))",
        e.ListInsert(None, {"list_order": 0, "write_flags": 4}, 0, "a", lb),
    ),
    ("exp.lists.increment('l', 0, 2)", e.ListIncrement(None, None, 0, 2, lb)),
    (
        "exp.lists.increment('l', 0, 2, policy=exp.ListPolicy(1, 4))",
        e.ListIncrement(None, {"list_order": 1, "write_flags": 4}, 0, 2, lb),
    ),
    ("exp.lists.set('l', 0, 2)", e.ListSet(None, None, 0, 2, lb)),
    ("exp.lists.clear('l')", e.ListClear(None, lb)),
    ("exp.lists.sort('l', exp.ListSort.DROP_DUPLICATES)", e.ListSort(None, aerospike.LIST_SORT_DROP_DUPLICATES, lb)),
    ("exp.lists.remove_by_value('l', 5)", e.ListRemoveByValue(None, 5, lb)),
    ("exp.lists.remove_by_value('l', 5, inverted=True)", e.ListRemoveByValue(None, 5, lb, inverted=True)),
    ("exp.lists.remove_by_value_list('l', [5])", e.ListRemoveByValueList(None, [5], lb)),
    ("exp.lists.remove_by_value_range('l', 1, 5)", e.ListRemoveByValueRange(None, 1, 5, lb)),
    ("exp.lists.remove_by_value_range('l', 1)", e.ListRemoveByValueRange(None, 1, None, lb)),
    ("exp.lists.remove_by_value_rank_range_relative('l', 5, 0)", e.ListRemoveByValueRelRankToEnd(None, 5, 0, lb)),
    ("exp.lists.remove_by_value_rank_range_relative('l', 5, 0, 2)", e.ListRemoveByValueRelRankRange(None, 5, 0, 2, lb)),
    ("exp.lists.remove_by_index('l', 0)", e.ListRemoveByIndex(None, 0, lb)),
    ("exp.lists.remove_by_index_range('l', 0)", e.ListRemoveByIndexRangeToEnd(None, 0, lb)),
    (
        "exp.lists.remove_by_index_range('l', 0, 2, inverted=True)",
        e.ListRemoveByIndexRange(None, 0, 2, lb, inverted=True),
    ),
    ("exp.lists.remove_by_rank('l', 0)", e.ListRemoveByRank(None, 0, lb)),
    ("exp.lists.remove_by_rank_range('l', 0)", e.ListRemoveByRankRangeToEnd(None, 0, lb)),
    ("exp.lists.remove_by_rank_range('l', 0, 2)", e.ListRemoveByRankRange(None, 0, 2, lb)),
    ("exp.lists.size('l')", e.ListSize(None, lb)),
    (f"exp.lists.size(exp.list_bin('l'), ctx={LIST_CTX})", e.ListSize(list_ctx, lb)),
    *[
        (
            f"exp.lists.get_by_value('l', 5, return_type=exp.ListReturn({kind}))",
            e.ListGetByValue(None, kind, 5, lb),
        )
        for kind in (1, 2, 3, 4, 5, 7, 13)
    ],
    (
        "exp.lists.get_by_value('l', 5, inverted=True)",
        e.ListGetByValue(None, aerospike.LIST_RETURN_VALUE, 5, lb, inverted=True),
    ),
    (
        "exp.lists.get_by_value('l', [1, exp.WILDCARD])",
        e.ListGetByValue(None, aerospike.LIST_RETURN_VALUE, [1, wild], lb),
    ),
    ("exp.lists.get_by_value_range('l', 1, 5)", e.ListGetByValueRange(None, aerospike.LIST_RETURN_VALUE, 1, 5, lb)),
    ("exp.lists.get_by_value_range('l', 1)", e.ListGetByValueRange(None, aerospike.LIST_RETURN_VALUE, 1, inf, lb)),
    (
        "exp.lists.get_by_value_range('l', None, 5)",
        e.ListGetByValueRange(None, aerospike.LIST_RETURN_VALUE, None, 5, lb),
    ),
    ("exp.lists.get_by_value_list('l', [1, 2])", e.ListGetByValueList(None, aerospike.LIST_RETURN_VALUE, [1, 2], lb)),
    (
        "exp.lists.get_by_value_rank_range_relative('l', 5, -1, return_type=exp.ListReturn.COUNT)",
        e.ListGetByValueRelRankRangeToEnd(None, aerospike.LIST_RETURN_COUNT, 5, -1, lb),
    ),
    (
        "exp.lists.get_by_value_rank_range_relative('l', 5, -1, 2)",
        e.ListGetByValueRelRankRange(None, aerospike.LIST_RETURN_VALUE, 5, -1, 2, lb),
    ),
    *[
        (
            f"exp.lists.get_by_index('l', 0, exp.ExpType({kind}))",
            e.ListGetByIndex(None, aerospike.LIST_RETURN_VALUE, kind, 0, lb),
        )
        for kind in (T.BOOLEAN, T.INTEGER, T.STRING, T.LIST, T.MAP, T.BLOB, T.FLOAT, T.GEOJSON, T.HLL)
    ],
    (
        "exp.lists.get_by_index('l', 0, return_type=exp.ListReturn.RANK)",
        e.ListGetByIndex(None, aerospike.LIST_RETURN_RANK, T.INTEGER, 0, lb),
    ),
    ("exp.lists.get_by_index_range('l', 0)", e.ListGetByIndexRangeToEnd(None, aerospike.LIST_RETURN_VALUE, 0, lb)),
    ("exp.lists.get_by_index_range('l', 0, 2)", e.ListGetByIndexRange(None, aerospike.LIST_RETURN_VALUE, 0, 2, lb)),
    (
        "exp.lists.get_by_rank('l', -1, exp.ExpType.INT)",
        e.ListGetByRank(None, aerospike.LIST_RETURN_VALUE, T.INTEGER, -1, lb),
    ),
    ("exp.lists.get_by_rank_range('l', -3)", e.ListGetByRankRangeToEnd(None, aerospike.LIST_RETURN_VALUE, -3, lb)),
    (
        "exp.lists.get_by_rank_range('l', -3, 2, inverted=True)",
        e.ListGetByRankRange(None, aerospike.LIST_RETURN_VALUE, -3, 2, lb, inverted=True),
    ),
    # maps
    ("exp.maps.put('m', 'k', 5)", e.MapPut(None, None, "k", 5, "m")),
    (
        "exp.maps.put('m', 'k', 5, policy=exp.MapPolicy(exp.MapOrder.KEY_ORDERED, exp.MapWrite.CREATE_ONLY))",
        e.MapPut(None, {"map_order": 1, "map_write_flags": 1}, "k", 5, mb),
    ),
    ("exp.maps.put_items('m', {'k': 5})", e.MapPutItems(None, None, {"k": 5}, mb)),
    (
        "exp.maps.put_items('m', exp.map_bin('n'), policy=exp.MapPolicy(3))",
        e.MapPutItems(None, {"map_order": 3, "map_write_flags": 0}, e.MapBin("n"), mb),
    ),
    ("exp.maps.increment('m', 'k', 5)", e.MapIncrement(None, None, "k", 5, mb)),
    ("exp.maps.clear('m')", e.MapClear(None, mb)),
    ("exp.maps.remove_by_key('m', 'k')", e.MapRemoveByKey(None, "k", mb)),
    ("exp.maps.remove_by_key_list('m', ['k'])", e.MapRemoveByKeyList(None, ["k"], mb)),
    ("exp.maps.remove_by_key_range('m', 'a')", e.MapRemoveByKeyRange(None, "a", None, mb)),
    (
        "exp.maps.remove_by_key_range('m', 'a', 'b', inverted=True)",
        e.MapRemoveByKeyRange(None, "a", "b", mb, inverted=True),
    ),
    ("exp.maps.remove_by_key_index_range_relative('m', 'a', 0)", e.MapRemoveByKeyRelIndexRangeToEnd(None, "a", 0, mb)),
    ("exp.maps.remove_by_key_index_range_relative('m', 'a', 0, 1)", e.MapRemoveByKeyRelIndexRange(None, "a", 0, 1, mb)),
    ("exp.maps.remove_by_value('m', 5)", e.MapRemoveByValue(None, 5, mb)),
    ("exp.maps.remove_by_value_list('m', [5])", e.MapRemoveByValueList(None, [5], mb)),
    ("exp.maps.remove_by_value_range('m', 1, 5)", e.MapRemoveByValueRange(None, 1, 5, mb)),
    ("exp.maps.remove_by_value_rank_range_relative('m', 5, 0)", e.MapRemoveByValueRelRankRangeToEnd(None, 5, 0, mb)),
    ("exp.maps.remove_by_value_rank_range_relative('m', 5, 0, 1)", e.MapRemoveByValueRelRankRange(None, 5, 0, 1, mb)),
    ("exp.maps.remove_by_index('m', 0)", e.MapRemoveByIndex(None, 0, mb)),
    ("exp.maps.remove_by_index_range('m', 0)", e.MapRemoveByIndexRangeToEnd(None, 0, mb)),
    ("exp.maps.remove_by_index_range('m', 0, 1)", e.MapRemoveByIndexRange(None, 0, 1, mb)),
    ("exp.maps.remove_by_rank('m', 0)", e.MapRemoveByRank(None, 0, mb)),
    ("exp.maps.remove_by_rank_range('m', 0)", e.MapRemoveByRankRangeToEnd(None, 0, mb)),
    ("exp.maps.remove_by_rank_range('m', 0, 1)", e.MapRemoveByRankRange(None, 0, 1, mb)),
    ("exp.maps.size('m')", e.MapSize(None, mb)),
    (f"exp.maps.size(exp.map_bin('m'), ctx={KEY_CTX})", e.MapSize(key_ctx, mb)),
    (
        "exp.maps.get_by_key('m', 'k', exp.ExpType.STRING)",
        e.MapGetByKey(None, aerospike.MAP_RETURN_VALUE, T.STRING, "k", mb),
    ),
    (
        "exp.maps.get_by_key('m', exp.str_bin('s'), return_type=exp.MapReturn.EXISTS)",
        e.MapGetByKey(None, aerospike.MAP_RETURN_EXISTS, T.BOOLEAN, e.StrBin("s"), mb),
    ),
    (
        "exp.maps.get_by_key('m', 'k', return_type=exp.MapReturn.KEY_VALUE)",
        e.MapGetByKey(None, aerospike.MAP_RETURN_KEY_VALUE, T.MAP, "k", mb),
    ),
    ("exp.maps.get_by_key_range('m', 'a', 'b')", e.MapGetByKeyRange(None, aerospike.MAP_RETURN_VALUE, "a", "b", mb)),
    ("exp.maps.get_by_key_list('m', ['a'])", e.MapGetByKeyList(None, aerospike.MAP_RETURN_VALUE, ["a"], mb)),
    *[
        (
            f"exp.maps.get_by_value('m', 5, return_type=exp.MapReturn({kind}))",
            e.MapGetByValue(None, kind, 5, mb),
        )
        for kind in (1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 17)
    ],
    (
        "exp.maps.get_by_key_index_range_relative('m', 'a', 0)",
        e.MapGetByKeyRelIndexRangeToEnd(None, aerospike.MAP_RETURN_VALUE, "a", 0, mb),
    ),
    (
        "exp.maps.get_by_key_index_range_relative('m', 'a', 0, 1)",
        e.MapGetByKeyRelIndexRange(None, aerospike.MAP_RETURN_VALUE, "a", 0, 1, mb),
    ),
    ("exp.maps.get_by_value_range('m', 1, 5)", e.MapGetByValueRange(None, aerospike.MAP_RETURN_VALUE, 1, 5, mb)),
    ("exp.maps.get_by_value_range('m', 1)", e.MapGetByValueRange(None, aerospike.MAP_RETURN_VALUE, 1, None, mb)),
    ("exp.maps.get_by_value_list('m', [1])", e.MapGetByValueList(None, aerospike.MAP_RETURN_VALUE, [1], mb)),
    (
        "exp.maps.get_by_value_rank_range_relative('m', 5, 0)",
        e.MapGetByValueRelRankRangeToEnd(None, aerospike.MAP_RETURN_VALUE, 5, 0, mb),
    ),
    (
        "exp.maps.get_by_value_rank_range_relative('m', 5, 0, 1)",
        e.MapGetByValueRelRankRange(None, aerospike.MAP_RETURN_VALUE, 5, 0, 1, mb),
    ),
    (
        "exp.maps.get_by_index('m', 0, exp.ExpType.STRING, return_type=exp.MapReturn.KEY)",
        e.MapGetByIndex(None, aerospike.MAP_RETURN_KEY, T.STRING, 0, mb),
    ),
    ("exp.maps.get_by_index_range('m', 0)", e.MapGetByIndexRangeToEnd(None, aerospike.MAP_RETURN_VALUE, 0, mb)),
    ("exp.maps.get_by_index_range('m', 0, 1)", e.MapGetByIndexRange(None, aerospike.MAP_RETURN_VALUE, 0, 1, mb)),
    (
        "exp.maps.get_by_rank('m', 0, exp.ExpType.INT)",
        e.MapGetByRank(None, aerospike.MAP_RETURN_VALUE, T.INTEGER, 0, mb),
    ),
    ("exp.maps.get_by_rank_range('m', 0)", e.MapGetByRankRangeToEnd(None, aerospike.MAP_RETURN_VALUE, 0, mb)),
    ("exp.maps.get_by_rank_range('m', 0, 1)", e.MapGetByRankRange(None, aerospike.MAP_RETURN_VALUE, 0, 1, mb)),
    # bits
    ("exp.bits.resize('b', 10)", e.BitResize(None, 10, 0, "b")),
    (
        "exp.bits.resize('b', 10, exp.BitResize.FROM_FRONT, policy=exp.BitPolicy(exp.BitWrite.NO_FAIL))",
        e.BitResize({"bit_write_flags": 4}, 10, 1, bb),
    ),
    ("exp.bits.insert('b', 1, b'ab')", e.BitInsert(None, 1, b"ab", bb)),
    ("exp.bits.remove('b', 1, 2)", e.BitRemove(None, 1, 2, bb)),
    ("exp.bits.set('b', 1, 2, b'\\xff')", e.BitSet(None, 1, 2, b"\xff", bb)),
    ("exp.bits.or_('b', 1, 2, b'\\xff')", e.BitOr(None, 1, 2, b"\xff", bb)),
    ("exp.bits.xor('b', 1, 2, b'\\xff')", e.BitXor(None, 1, 2, b"\xff", bb)),
    ("exp.bits.and_('b', 1, 2, b'\\xff')", e.BitAnd(None, 1, 2, b"\xff", bb)),
    ("exp.bits.not_('b', 1, 2)", e.BitNot(None, 1, 2, bb)),
    ("exp.bits.lshift('b', 1, 8, 3)", e.BitLeftShift(None, 1, 8, 3, bb)),
    ("exp.bits.rshift('b', 1, 8, 3)", e.BitRightShift(None, 1, 8, 3, bb)),
    ("exp.bits.add('b', 1, 8, 3)", e.BitAdd(None, 1, 8, 3, aerospike.BIT_OVERFLOW_FAIL, bb)),
    (
        "exp.bits.subtract('b', 1, 8, 3, action=exp.BitOverflow.WRAP, policy=exp.BitPolicy(2))",
        e.BitSubtract({"bit_write_flags": 2}, 1, 8, 3, aerospike.BIT_OVERFLOW_WRAP, bb),
    ),
    ("exp.bits.set_int('b', 1, 8, 3)", e.BitSetInt(None, 1, 8, 3, bb)),
    ("exp.bits.get('b', 1, 8)", e.BitGet(1, 8, bb)),
    ("exp.bits.count('b', 1, 8)", e.BitCount(1, 8, bb)),
    ("exp.bits.lscan('b', 1, 8, True)", e.BitLeftScan(1, 8, True, bb)),
    ("exp.bits.rscan('b', 1, 8, False)", e.BitRightScan(1, 8, False, bb)),
    ("exp.bits.get_int('b', 1, 8, signed=True)", e.BitGetInt(1, 8, True, bb)),
    ("exp.bits.get_int('b', 1, 8)", e.BitGetInt(1, 8, False, bb)),
    # sketches
    ("exp.hll.init('h', 12, 8)", e.HLLInit(None, 12, 8, "h")),
    ("exp.hll.init('h', 12, policy=exp.HLLPolicy(1))", e.HLLInit({"flags": 1}, 12, None, hb)),
    ("exp.hll.add('h', ['a', 1], 12)", e.HLLAdd(None, ["a", 1], 12, None, hb)),
    ("exp.hll.add('h', exp.list_bin('l'))", e.HLLAdd(None, lb, None, None, hb)),
    ("exp.hll.get_count('h')", e.HLLGetCount(hb)),
    ("exp.hll.get_union('h', exp.list_bin('l'))", e.HLLGetUnion(lb, hb)),
    ("exp.hll.get_union_count('h', exp.list_bin('l'))", e.HLLGetUnionCount(lb, hb)),
    ("exp.hll.get_intersect_count('h', exp.list_bin('l'))", e.HLLGetIntersectCount(lb, hb)),
    ("exp.hll.get_similarity('h', exp.list_bin('l'))", e.HLLGetSimilarity(lb, hb)),
    ("exp.hll.describe('h')", e.HLLDescribe(hb)),
    ("exp.hll.may_contain('h', ['a'])", e.HLLMayContain(["a"], hb)),
]

all_children = getattr(cdt_ctx, "cdt_ctx_all_children", None)
if all_children is not None:
    where = cdt_ctx.cdt_ctx_all_children_with_filter
    V, K = aerospike.EXP_LOOPVAR_VALUE, aerospike.EXP_LOOPVAR_KEY
    big = e.GT(base.LoopVarInt(V), 5).compile()
    TABLE += [
        (
            "exp.select_by_path('m', [ctx.map_key('k'), ctx.all_children()], exp.PathSelect.VALUE)",
            base.SelectByPath([cdt_ctx.cdt_ctx_map_key("k"), all_children()], T.LIST, 1, mb),
        ),
        (
            f"exp.select_by_path(exp.list_bin('l'), [ctx.all_children_where({A_NUMBER} > 5)], no_fail=True)",
            base.SelectByPath([where(big)], T.LIST, 0x10, lb),
        ),
        (
            "exp.modify_by_path(exp.list_bin('l'), ctx.all_children(), exp.loop_value(exp.ExpType.INT) + 1)",
            base.ModifyByPath([all_children()], T.LIST, e.Add(base.LoopVarInt(V), 1).compile(), 0, lb),
        ),
        (
            f"exp.modify_by_path(exp.map_bin('m'), ctx.all_children_where({A_KEY} == 'a'), exp.remove_result())",
            base.ModifyByPath(
                [where(e.Eq(base.LoopVarStr(K), "a").compile())], T.MAP, base.RemoveResult().compile(), 0, mb
            ),
        ),
        *[
            (f"exp.loop_value(exp.ExpType({kind}))", var(V))
            for kind, var in (
                (0, base.LoopVarNil),
                (1, base.LoopVarBool),
                (2, base.LoopVarInt),
                (3, base.LoopVarStr),
                (4, base.LoopVarList),
                (5, base.LoopVarMap),
                (6, base.LoopVarBlob),
                (7, base.LoopVarFloat),
                (8, base.LoopVarGeoJson),
                (9, base.LoopVarHLL),
            )
        ],
        ("exp.loop_index() > 0", e.GT(base.LoopVarInt(aerospike.EXP_LOOPVAR_INDEX), 0)),
    ]

if __name__ == "__main__":
    client = aerospike.client({"hosts": [("127.0.0.1", int(sys.argv[1]))]})
    for row in TABLE:
        if row is not None:
            try:
                made = client.get_expression_base64(row[1].compile())
            except Exception as error:
                print(f"{row[0]}: {error!r}", file=sys.stderr)
                raise
            print(json.dumps([row[0], made]))
    client.close()
    print("done")
