"""`sindex-list` tells contexts and expressions in words: the same words on embedded clusters and on real ones."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from trio_aerospike import Client, GeoJSON, ctx, exp
from trio_aerospike.ctx import Context
from trio_aerospike.exp import Expression, ExpType, bits, hll, lists, maps
from trio_aerospike.indexes import IndexType

from .conftest import NAMESPACE

pytestmark = pytest.mark.shared_cluster

SET = "index-in-words"
n, m, items = exp.int_bin("n"), exp.map_bin("m"), exp.list_bin("l")


def number(condition: Expression) -> Expression:
    return exp.cond(condition, 1, 0)


CONTEXTS: list[tuple[list[Context], str]] = [
    ([ctx.list_index(-1)], "list_index(-1)"),
    ([ctx.list_index(1), ctx.list_rank(2)], "list_index(1), list_rank(2)"),
    ([ctx.list_value("abc"), ctx.map_index(0)], "list_value(<string#3>), map_index(0)"),
    ([ctx.map_key("key"), ctx.map_key(5), ctx.map_key(b"\1\2")], "map_key(<string#3>), map_key(5), map_key(<blob#2>)"),
    ([ctx.map_value([1, "a", {"k": None}]), ctx.map_rank(-2)], "map_value(<list#3>), map_rank(-2)"),
    (
        [ctx.list_value(1.5), ctx.list_value(True), ctx.list_value(None)],
        "list_value(1.500000), list_value(true), list_value(nil)",
    ),
]
EXPRESSIONS: list[tuple[Expression, str]] = [
    (n, 'bin_int("n")'),
    (n + -5, 'add(bin_int("n"), -5)'),
    (n & 6, 'int_and(bin_int("n"), 6)'),
    (exp.cond(n > 5, 1, n == 2, 2, 3), 'cond(gt(bin_int("n"), 5), 1, eq(bin_int("n"), 2), 2, 3)'),
    (
        number((n > 5) & (n < 7) | ~(n == 1)),
        'cond(or(and(gt(bin_int("n"), 5), lt(bin_int("n"), 7)), not(eq(bin_int("n"), 1))), 1, 0)',
    ),
    (number(exp.str_bin("s") == "hello"), 'cond(eq(bin_str("s"), <string#5>), 1, 0)'),
    (
        number(exp.regex_compare("a.*b", 0, exp.str_bin("s"))),
        'cond(cmp_regex(<string#4>, 0, bin_str("s")), 1, 0)',
    ),
    (number(items == [1, 2, 3]), 'cond(eq(bin_list("l"), <list#3>), 1, 0)'),
    (number(m == {"a": 1}), 'cond(eq(bin_map("m"), <map#1>), 1, 0)'),
    (number(exp.float_bin("f") > 1.5), 'cond(gt(bin_float("f"), 1.500000), 1, 0)'),
    (number(exp.blob_bin("b") == b"xyz"), 'cond(eq(bin_blob("b"), <blob#3>), 1, 0)'),
    (number(exp.bool_bin("t") == True), 'cond(eq(bin_bool("t"), true), 1, 0)'),  # noqa: E712
    (
        number(exp.geo_compare(exp.geo_bin("g"), GeoJSON('{"type":"Point","coordinates":[1,2]}'))),
        'cond(cmp_geo(bin_geojson("g"), <geojson#36>), 1, 0)',
    ),
    (exp.digest_modulo(7), "digest_modulo(7)"),
    (exp.bin_type("n"), 'bin_type("n")'),
    (
        exp.let_(
            exp.def_("x", exp.let_(exp.def_("y", n), exp.var("y") + 1)),
            exp.def_("z", exp.var("x")),
            exp.var("z") * 2 + exp.var("x"),
        ),
        (
            'let(def(var_0, let(def(var_1, bin_int("n")), add(var("var_1"), 1))), def(var_1, var("var_0")), '
            'add(mul(var("var_1"), 2), var("var_0")))'
        ),
    ),
    (
        lists.get_by_rank(items, -1, ExpType.INT, ctx=[ctx.list_index(0)]),
        'list_get_by_rank([list_index(0)], 7, -1, bin_list("l"))',
    ),
    (lists.size(lists.append(items, n + 1)), 'list_size(NULL, list_append(NULL, add(bin_int("n"), 1), bin_list("l")))'),
    (
        lists.size(lists.append_items(items, [1, "x"])),
        'list_size(NULL, list_append_items(NULL, <list#2>, bin_list("l")))',
    ),
    (
        lists.size(lists.get_by_value_range(items, 1, exp.str_bin("s"))),
        'list_size(NULL, list_get_by_value_range(NULL, 7, 1, bin_str("s"), bin_list("l")))',
    ),
    (maps.get_by_key(m, "k", ExpType.INT), 'map_get_by_key(NULL, 7, <string#1>, bin_map("m"))'),
    (lists.size(exp.map_keys(m)), 'list_size(NULL, map_keys(bin_map("m")))'),
    (bits.get_int(exp.blob_bin("b"), 0, 8), 'bit_get_int(0, 8, 0, bin_blob("b"))'),
    (hll.get_count(exp.hll_bin("h")), 'hll_get_count(bin_hll("h"))'),
]


@asynccontextmanager
async def listed(
    client: Client, source: str | Expression, context: list[Context] | None
) -> AsyncIterator[dict[str, str]]:
    """The entry of an index in `sindex-list`; the index exists while the block runs."""
    name = f"words-{secrets.token_hex(6)}"
    job = await client.create_index(NAMESPACE, SET, source, name, IndexType.NUMERIC, ctx=context)
    try:
        await job.wait(60)
        for answer in await client.info_all(f"sindex-list:namespace={NAMESPACE}"):
            for line in answer.response.split(";"):
                if f":indexname={name}:" in line:
                    rest = line.partition(":context=")[2]
                    shown, _, state = rest.rpartition(":state=")
                    told_context, _, expression = shown.partition(":exp=")
                    yield {"context": told_context, "expression": expression, "state": state}
                    return
        raise AssertionError(f"{name} is not listed")
    finally:
        await client.drop_index(NAMESPACE, name)


@pytest.mark.parametrize(("context", "words"), CONTEXTS, ids=[words for _, words in CONTEXTS])
async def test_a_context_in_words(client: Client, context: list[Context], words: str) -> None:
    async with listed(client, "n", context) as told:
        assert (told["context"], told["expression"]) == (f"[{words}]", "null")


@pytest.mark.parametrize(("expression", "words"), EXPRESSIONS, ids=[words for _, words in EXPRESSIONS])
async def test_an_expression_in_words(client: Client, expression: Expression, words: str) -> None:
    async with listed(client, expression, None) as told:
        assert (told["context"], told["expression"]) == ("null", words)
