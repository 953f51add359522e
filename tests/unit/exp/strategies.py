"""Random expressions that are well typed, by the type they give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from trio_aerospike import GeoJSON, HyperLogLog, OrderedList, OrderedMap, ctx, exp
from trio_aerospike.exp import Expression, ExpType
from trio_aerospike.operations import PathSelect

INTS = st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-40, 300))
FLOATS = st.floats()
TEXTS = st.text(max_size=40)
BLOBS = st.binary(max_size=40)
KEYS = st.one_of(INTS, TEXTS, BLOBS)
SKETCHES = st.builds(HyperLogLog, BLOBS)
PLACES = st.builds(GeoJSON, TEXTS)
SCALARS: SearchStrategy[Any] = st.one_of(INTS, FLOATS, TEXTS, BLOBS, st.booleans(), st.none(), SKETCHES, PLACES)
VALUES: SearchStrategy[Any] = st.recursive(
    SCALARS | st.sampled_from([exp.INFINITY, exp.WILDCARD]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4),
        st.builds(OrderedMap, st.dictionaries(KEYS, inner, max_size=4), st.sampled_from([1, 3])),
    ),
    max_leaves=6,
)
LISTS = st.one_of(st.lists(VALUES, max_size=4), st.builds(OrderedList, st.lists(INTS, max_size=4)))
MAPS = st.one_of(
    st.dictionaries(KEYS, VALUES, max_size=4), st.builds(OrderedMap, st.dictionaries(KEYS, INTS, max_size=3))
)
PATTERNS = st.text("ab.*[]é", max_size=40)
NAMES = st.text("abcxyz_é", min_size=1, max_size=7)
TYPES = st.sampled_from(ExpType)

_LITERALS: dict[ExpType, SearchStrategy[Any]] = {
    ExpType.NIL: st.none(),
    ExpType.BOOL: st.booleans(),
    ExpType.INT: INTS,
    ExpType.STRING: TEXTS,
    ExpType.LIST: LISTS,
    ExpType.MAP: MAPS,
    ExpType.BLOB: BLOBS,
    ExpType.FLOAT: FLOATS,
    ExpType.GEO: PLACES,
    ExpType.HLL: SKETCHES,
}
_BINS: dict[ExpType, Callable[[str], Expression]] = {
    ExpType.BOOL: exp.bool_bin,
    ExpType.INT: exp.int_bin,
    ExpType.STRING: exp.str_bin,
    ExpType.LIST: exp.list_bin,
    ExpType.MAP: exp.map_bin,
    ExpType.BLOB: exp.blob_bin,
    ExpType.FLOAT: exp.float_bin,
    ExpType.GEO: exp.geo_bin,
    ExpType.HLL: exp.hll_bin,
}
_ORDERED = st.sampled_from([kind for kind in ExpType if kind not in (ExpType.GEO, ExpType.HLL)])
_PAIR = {ExpType.INT: exp.MapReturn.COUNT, ExpType.BOOL: exp.MapReturn.EXISTS, ExpType.MAP: exp.MapReturn.ORDERED_MAP}


def contexts() -> SearchStrategy[list[ctx.Context]]:
    """Ways to one element."""
    steps = [
        st.builds(ctx.list_index, INTS),
        st.builds(ctx.list_rank, INTS),
        st.builds(ctx.list_value, VALUES),
        st.builds(ctx.map_key, KEYS),
        st.builds(ctx.map_index, INTS),
        st.builds(ctx.map_rank, INTS),
        st.builds(ctx.map_value, SCALARS),
    ]
    return st.lists(st.one_of(steps), max_size=3)


class Expressions:
    """Draws expressions. Variables are used where they are known."""

    def __init__(
        self,
        draw: Callable[[SearchStrategy[Any]], Any],
        places: SearchStrategy[GeoJSON] = PLACES,
        patterns: SearchStrategy[str] = PATTERNS,
    ) -> None:
        self.draw = draw
        self.patterns = patterns
        self.literals = {**_LITERALS, ExpType.GEO: places}
        self.variables: list[tuple[str, ExpType]] = []
        self.bound = 0
        self.left = 12

    def make(self, kind: ExpType) -> Any:
        """An expression of that type, or a value that becomes one."""
        self.left -= 1
        known = [name for name, of in self.variables if of is kind]
        if known and self.draw(st.booleans()):
            return exp.var(self.draw(st.sampled_from(known)))
        if self.left <= 0 or kind not in _BINS:
            return self.draw(self.literals[kind])
        makers = [self.bin, self.bin, self.literal, self.cond, self.let, self.element, *self.particular(kind)]
        return self.draw(st.sampled_from(makers))(kind)

    def expression(self, kind: ExpType) -> Expression:
        return exp.val(self.make(kind))

    def bin(self, kind: ExpType) -> Expression:
        return _BINS[kind](self.draw(NAMES))

    def literal(self, kind: ExpType) -> Any:
        return self.draw(self.literals[kind])

    def cond(self, kind: ExpType) -> Expression:
        last = exp.unknown() if self.draw(st.booleans()) else self.expression(kind)
        return exp.cond(self.expression(ExpType.BOOL), self.expression(kind), last)

    def let(self, kind: ExpType) -> Expression:
        definitions = []
        outer = list(self.variables)
        for _ in range(self.draw(st.integers(1, 2))):
            of = self.draw(TYPES)
            value = self.expression(of)
            self.bound += 1
            definitions.append(exp.def_(f"v{self.bound}", value))
            self.variables.append((f"v{self.bound}", of))
        body = self.expression(kind)
        self.variables = outer
        return exp.let_(*definitions, body)

    def element(self, kind: ExpType) -> Expression:
        """One element of a list or map."""
        where = self.draw(contexts())
        if self.draw(st.booleans()):
            list_ = self.container(ExpType.LIST, where)
            return exp.lists.get_by_index(list_, self.expression(ExpType.INT), kind, ctx=where)
        if kind in _PAIR:
            return exp.maps.get_by_value(
                self.container(ExpType.MAP, where),
                self.expression(self.draw(TYPES)),
                return_type=_PAIR[kind],
                ctx=where,
            )
        return exp.maps.get_by_key(self.container(ExpType.MAP, where), self.draw(KEYS), kind, ctx=where)

    def container(self, kind: ExpType, where: list[ctx.Context]) -> Expression:
        return self.expression(self.draw(st.sampled_from([ExpType.LIST, ExpType.MAP])) if where else kind)

    def particular(self, kind: ExpType) -> list[Callable[[ExpType], Expression]]:
        makers: dict[ExpType, list[Callable[[ExpType], Expression]]] = {
            ExpType.BOOL: [self.comparison, self.logic, self.logic, self.question],
            ExpType.INT: [self.arithmetic, self.bits, self.number],
            ExpType.FLOAT: [self.arithmetic, self.power],
            ExpType.LIST: [self.changed_list, self.path],
            ExpType.MAP: [self.changed_map],
            ExpType.BLOB: [self.changed_blob],
            ExpType.HLL: [self.changed_sketch],
            ExpType.STRING: [lambda _: exp.set_name(), lambda _: exp.key(ExpType.STRING)],
        }
        return makers.get(kind, [])

    def comparison(self, _: ExpType) -> Expression:
        kind = self.draw(_ORDERED)
        function = self.draw(st.sampled_from([exp.eq, exp.ne, exp.gt, exp.ge, exp.lt, exp.le]))
        return function(self.expression(kind), self.expression(kind))

    def logic(self, _: ExpType) -> Expression:
        function = self.draw(st.sampled_from([exp.and_, exp.or_, exp.xor_, exp.not_]))
        count = 1 if function is exp.not_ else self.draw(st.integers(2, 3))
        return function(*[self.expression(ExpType.BOOL) for _ in range(count)])

    def question(self, _: ExpType) -> Expression:
        choice = self.draw(st.integers(0, 4))
        if choice == 0:
            return exp.regex_compare(self.draw(self.patterns), self.draw(st.integers(0, 15)), self.make(ExpType.STRING))
        if choice == 1:
            return exp.geo_compare(self.expression(ExpType.GEO), self.expression(ExpType.GEO))
        if choice == 2:
            return exp.in_list(self.expression(self.draw(TYPES)), self.expression(ExpType.LIST))
        return exp.bin_exists(self.draw(NAMES)) if choice == 3 else exp.is_tombstone()

    def arithmetic(self, kind: ExpType) -> Expression:
        parts = [self.expression(kind) for _ in range(self.draw(st.integers(1, 3)))]
        functions = [exp.num_add, exp.num_sub, exp.num_mul, exp.num_div, exp.min_, exp.max_]
        return self.draw(st.sampled_from(functions))(*parts)

    def power(self, kind: ExpType) -> Expression:
        return self.draw(st.sampled_from([exp.num_pow, exp.num_log]))(self.expression(kind), self.expression(kind))

    def bits(self, kind: ExpType) -> Expression:
        parts = [self.expression(kind) for _ in range(2)]
        functions = [exp.int_and, exp.int_or, exp.int_xor, exp.int_lshift, exp.int_rshift, exp.int_arshift, exp.num_mod]
        if self.draw(st.booleans()):
            return exp.int_not(parts[0])
        return self.draw(st.sampled_from(functions))(*parts)

    def number(self, _: ExpType) -> Expression:
        leaves = [
            lambda: exp.ttl(),
            lambda: exp.last_update(),
            lambda: exp.record_size(),
            lambda: exp.digest_modulo(7),
            lambda: exp.bin_type("b"),
            lambda: exp.loop_index(),
            lambda: exp.loop_value(ExpType.INT),
            lambda: exp.lists.size(self.expression(ExpType.LIST)),
            lambda: exp.maps.size(self.expression(ExpType.MAP)),
            lambda: exp.bits.get_int(self.expression(ExpType.BLOB), 1, self.expression(ExpType.INT), signed=True),
            lambda: exp.hll.get_count(self.expression(ExpType.HLL)),
            lambda: exp.to_int(self.expression(ExpType.FLOAT)),
        ]
        return self.draw(st.sampled_from(leaves))()

    def changed_list(self, _: ExpType) -> Expression:
        list_, lists = self.expression(ExpType.LIST), exp.lists
        policy = self.draw(
            st.none()
            | st.builds(exp.ListPolicy, st.sampled_from(exp.ListOrder), st.builds(exp.ListWrite, st.integers(0, 15)))
        )
        inverted = self.draw(st.booleans())
        made = [
            lambda: lists.append(list_, self.make(self.draw(TYPES)), policy=policy),
            lambda: lists.append(
                list_, 1, ctx=[ctx.list_index_create(0), ctx.map_key_create("k", exp.MapOrder.KEY_ORDERED)]
            ),
            lambda: lists.append_items(list_, self.expression(ExpType.LIST), policy=policy),
            lambda: lists.insert(
                list_, self.expression(ExpType.INT), 1, policy=exp.ListPolicy(write_flags=exp.ListWrite.NO_FAIL)
            ),
            lambda: lists.increment(list_, 0, self.expression(ExpType.INT), policy=policy),
            lambda: lists.sort(list_, exp.ListSort(self.draw(st.integers(0, 3)))),
            lambda: lists.remove_by_value_range(list_, self.draw(VALUES), self.draw(VALUES), inverted=inverted),
            lambda: lists.remove_by_index_range(list_, 1, self.draw(COUNTS), inverted=inverted),
            lambda: lists.remove_by_rank(list_, -1),
            lambda: lists.get_by_value_rank_range_relative(list_, self.draw(VALUES), 1, inverted=inverted),
            lambda: lists.set_order(list_, exp.ListOrder.ORDERED),
            lambda: exp.map_keys(self.expression(ExpType.MAP)),
        ]
        return self.draw(st.sampled_from(made))()

    def changed_map(self, _: ExpType) -> Expression:
        map_, maps = self.expression(ExpType.MAP), exp.maps
        flags = st.builds(exp.MapWrite, st.sampled_from([0, 1, 2, 4, 5, 6, 12]))
        policy = self.draw(st.none() | st.builds(exp.MapPolicy, st.sampled_from(exp.MapOrder), flags, st.booleans()))
        made = [
            lambda: maps.put(map_, self.draw(KEYS), self.make(self.draw(TYPES)), policy=policy),
            lambda: maps.put_items(map_, self.expression(ExpType.MAP), policy=policy),
            lambda: maps.increment(
                map_, "k", self.expression(ExpType.FLOAT), policy=exp.MapPolicy(exp.MapOrder.KEY_VALUE_ORDERED)
            ),
            lambda: maps.remove_by_key_range(map_, "a", inverted=self.draw(st.booleans())),
            lambda: maps.remove_by_value_rank_range_relative(map_, self.draw(VALUES), 1, 2),
            lambda: maps.get_by_key_range(map_, "a", return_type=exp.MapReturn.KEY_VALUE),
            lambda: exp.modify_by_path(
                map_, ctx.all_children(), exp.loop_value(ExpType.INT) + 1, value_type=ExpType.MAP
            ),
        ]
        return self.draw(st.sampled_from(made))()

    def path(self, _: ExpType) -> Expression:
        where = exp.loop_value(ExpType.FLOAT) > self.draw(FLOATS)
        steps = [*self.draw(contexts()), ctx.all_children_where(where)]
        select = self.draw(st.sampled_from([PathSelect.VALUE, PathSelect.MAP_KEY, PathSelect.MAP_KEY_VALUE]))
        return exp.select_by_path(self.expression(ExpType.LIST), steps, select, no_fail=self.draw(st.booleans()))

    def changed_blob(self, _: ExpType) -> Expression:
        blob, bits = self.expression(ExpType.BLOB), exp.bits
        offset = self.expression(ExpType.INT)
        made = [
            lambda: bits.resize(blob, offset, exp.BitResize.GROW_ONLY),
            lambda: bits.insert(blob, offset, self.expression(ExpType.BLOB), policy=self.draw(CREATES)),
            lambda: bits.xor(blob, offset, 8, b"\xff"),
            lambda: bits.add(blob, offset, 8, 1, signed=self.draw(st.booleans()), action=exp.BitOverflow.SATURATE),
            lambda: bits.get(blob, 0, offset),
        ]
        return self.draw(st.sampled_from(made))()

    def changed_sketch(self, _: ExpType) -> Expression:
        sketch, hll = self.expression(ExpType.HLL), exp.hll
        made = [
            lambda: hll.init(sketch, 12, self.draw(st.sampled_from([None, 0, 4, 51]))),
            lambda: hll.add(sketch, self.expression(ExpType.LIST), policy=exp.HLLPolicy(exp.HLLWrite.NO_FAIL)),
            lambda: hll.fold(sketch, 4),
            lambda: hll.get_union(sketch, [self.draw(SKETCHES)]),
        ]
        return self.draw(st.sampled_from(made))()


CREATES = st.sampled_from([None, exp.BitPolicy(exp.BitWrite.CREATE_ONLY)])
#: As numbers only those that a call takes; as expressions all.
COUNTS = st.none() | st.integers(0, 2**63 - 1) | INTS.map(exp.val)


@st.composite
def expressions(
    draw: Callable[[SearchStrategy[Any]], Any],
    kind: ExpType | None = None,
    places: SearchStrategy[GeoJSON] = PLACES,
    patterns: SearchStrategy[str] = PATTERNS,
) -> Expression:
    """A random expression.

    Args:
        kind: its type; None for any.
        places, patterns: what stands for GeoJSON and regular expressions by themselves, which a server looks into.
    """
    return Expressions(draw, places, patterns).expression(kind if kind is not None else draw(TYPES))
