"""What the database holds comes back as it was; what it cannot hold is refused before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import trio_aerospike as aero
from trio_aerospike import Client, GeoJSON, HyperLogLog, Key, OrderedList, OrderedMap, TypedBlob, operations as op

from .conftest import Keys

pytestmark = pytest.mark.shared_cluster

NOTHING = object()


def nested(depth: int, value: Any = None) -> Any:
    """Lists within lists, `depth` levels of them."""
    for _ in range(depth):
        value = [] if value is None else [value]
    return value


def nested_maps(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth - 1):
        value = {"k": value}
    return value


# Flags, bits of index, bits of min-hash, a count not known yet, and registers for 16 times 6 (or 26) bits.
EMPTY_SKETCH = bytes([0, 4, 0]) + bytes(8) + bytes(12)
EMPTY_MINHASH_SKETCH = bytes([0, 4, 20]) + bytes(8) + bytes(52)
POINT = '{"type": "Point", "coordinates": [13.4, 52.5]}'
CIRCLE = '{"type": "AeroCircle", "coordinates": [[13.4, 52.5], 1000.0]}'
POLYGON = '{"type": "Polygon", "coordinates": [[[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 0.0]]]}'

SCALARS = [
    0,
    1,
    -1,
    2**63 - 1,
    -(2**63),
    0.0,
    -0.0,
    1.5,
    -2.25e-300,
    1.7976931348623157e308,
    5e-324,
    math.inf,
    -math.inf,
    "",
    "text",
    "äöü €",
    "\U0001f680",
    "a\0b",
    b"",
    b"\x00\xff",
    bytes(range(256)),
    True,
    False,
]


def identical(value: Any, expected: Any) -> None:
    """Equal, and of the same types all the way down: 1, 1.0 and True are three values."""
    assert type(value) is type(expected), (value, expected)
    if isinstance(expected, dict):
        assert value.keys() == expected.keys()
        for key in expected:
            assert {type(key)} == {type(other) for other in value if other == key}
            identical(value[key], expected[key])
    elif isinstance(expected, list):
        assert len(value) == len(expected)
        for mine, theirs in zip(value, expected, strict=True):
            identical(mine, theirs)
    elif isinstance(expected, float):
        assert math.copysign(1, value) == math.copysign(1, expected)
        assert value == expected or (math.isnan(value) and math.isnan(expected))
    else:
        assert value == expected
    if isinstance(expected, (OrderedMap, OrderedList)):
        assert value.order == expected.order


async def round_trip(client: Client, key: Key, value: Any, expected: Any = NOTHING) -> None:
    """The value survives put and get, and as well operate and a batch."""
    expected = value if expected is NOTHING else expected
    await client.put(key, {"v": value})
    identical((await client.get(key))["v"], expected)
    identical((await client.operate(key, [op.write("v", value), op.read("v")]))["v"], expected)
    [result] = await client.batch_read([key])
    identical(result.unwrap()["v"], expected)


@pytest.mark.parametrize("value", SCALARS, ids=lambda value: repr(value)[:24])
async def test_a_scalar_comes_back_as_it_was(client: Client, key: Key, value: Any) -> None:
    await round_trip(client, key, value)


async def test_not_a_number_comes_back_as_such(client: Client, key: Key) -> None:
    await round_trip(client, key, math.nan)
    await round_trip(client, key, [math.nan, math.inf, -math.inf])


@pytest.mark.parametrize(
    ("given", "held"),
    [
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        ((1, "two"), [1, "two"]),
        ([(1,), bytearray(b"x")], [[1], b"x"]),
    ],
    ids=["bytearray", "memoryview", "tuple", "within a list"],
)
async def test_kindred_types_come_back_as_what_they_stand_for(client: Client, key: Key, given: Any, held: Any) -> None:
    await round_trip(client, key, given, held)


@pytest.mark.parametrize(
    "value",
    [
        [],
        [1, "two", b"three", 4.0, True, False, None],
        [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1],
        [-1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -(2**63)],
        ["", "x" * 30, "x" * 31, "x" * 254, "x" * 255, "x" * 65534, "x" * 65535],
        [b"", b"x" * 30, b"x" * 31, b"x" * 254, b"x" * 255, b"x" * 65534, b"x" * 65535],
        [[], [[], [[]]], {}],
        list(range(15)),
        list(range(16)),
        list(range(70000)),
        {},
        {"a": 1, "b": [1, 2, {"c": None}], "d": {"e": {}}},
        {1: "int", "1": "str", b"1": "bytes"},
        {-1: "x", 2**63 - 1: "y", -(2**63): "z"},
        {f"k{number:05}": number for number in range(15)},
        {f"k{number:05}": number for number in range(16)},
        {number: [number] for number in range(3000)},
        [GeoJSON(POINT), {"where": GeoJSON(POINT)}],
    ],
    ids=lambda value: repr(value)[:32],
)
async def test_lists_and_maps_come_back_as_they_were(client: Client, key: Key, value: Any) -> None:
    await round_trip(client, key, value)


@pytest.mark.parametrize(
    "value",
    [
        OrderedList([1, 2, 3]),
        OrderedList([]),
        OrderedMap({"a": 1, "b": 2}),
        OrderedMap({"a": 2, "b": 1}, order=3),
        OrderedMap({}),
        OrderedMap({}, order=3),
        [OrderedList([1, 2]), OrderedMap([("x", OrderedList([True]))])],
        OrderedMap({1: OrderedMap({2: [OrderedList([3])]})}),
    ],
    ids=repr,
)
async def test_the_order_that_a_list_or_map_is_kept_in_comes_back(client: Client, key: Key, value: Any) -> None:
    await round_trip(client, key, value)


async def test_an_ordered_map_comes_back_in_the_order_of_its_keys(client: Client, key: Key) -> None:
    await client.put(key, {"m": OrderedMap({"b": 1, "a": 2, 7: 3, b"z": 4})})
    value = (await client.get(key))["m"]
    assert isinstance(value, OrderedMap)
    assert list(value.items()) == [(7, 3), ("a", 2), ("b", 1), (b"z", 4)]


@pytest.mark.parametrize("text", [POINT, CIRCLE, POLYGON], ids=["point", "circle", "polygon"])
async def test_geojson_comes_back_with_its_text(client: Client, key: Key, text: str) -> None:
    await round_trip(client, key, GeoJSON(text))


@pytest.mark.parametrize(
    "text",
    ["", "no json", "{}", '{"type": "Point"}', '{"type": "Point", "coordinates": [500.0, 100.0]}'],
    ids=repr,
)
async def test_what_is_no_geojson_is_refused_by_the_server(client: Client, key: Key, text: str) -> None:
    with pytest.raises(aero.ServerError) as info:
        await client.put(key, {"where": GeoJSON(text)})
    assert info.value.result_code == aero.ResultCode.GEO_INVALID_GEOJSON
    assert await client.exists(key) is None


@pytest.mark.parametrize("particle", range(7, 13), ids=["java", "csharp", "python", "ruby", "php", "erlang"])
@pytest.mark.parametrize("data", [b"", b"\x80\x04N."], ids=["empty", "some"])
async def test_a_blob_of_an_old_client_comes_back_with_its_type(
    client: Client, key: Key, particle: int, data: bytes
) -> None:
    await round_trip(client, key, TypedBlob(particle, data))


@pytest.mark.parametrize("data", [EMPTY_SKETCH, EMPTY_MINHASH_SKETCH], ids=["plain", "min-hash"])
async def test_a_sketch_comes_back_as_it_was(client: Client, key: Key, data: bytes) -> None:
    await round_trip(client, key, HyperLogLog(data))


@pytest.mark.parametrize(
    "data",
    [b"", EMPTY_SKETCH[:-1], EMPTY_SKETCH + b"\0", b"\1" + EMPTY_SKETCH[1:], bytes([0, 3, 0]) + bytes(8) + bytes(6)],
    ids=["empty", "short", "long", "flags", "too few bits"],
)
async def test_what_is_no_sketch_is_refused_by_the_server(client: Client, key: Key, data: bytes) -> None:
    with pytest.raises(aero.ServerError) as info:
        await client.put(key, {"h": HyperLogLog(data)})
    assert info.value.result_code == aero.ResultCode.PARAM
    assert await client.exists(key) is None


async def test_all_types_live_side_by_side_in_one_record(client: Client, key: Key) -> None:
    bins: dict[str, Any] = {
        "int": -5,
        "float": 1.25,
        "str": "text",
        "bytes": b"raw",
        "bool": True,
        "list": [1, [2]],
        "map": {"a": {"b": 1}},
        "geo": GeoJSON(POINT),
        "blob": TypedBlob(9, b"pickled"),
    }
    await client.put(key, bins)
    identical((await client.get(key)).bins, bins)


async def test_lists_may_be_sixty_four_deep(client: Client, key: Key) -> None:
    await round_trip(client, key, nested(64))
    await round_trip(client, key, nested_maps(64))


async def test_what_is_put_into_the_deepest_list_can_be_read(client: Client, key: Key) -> None:
    # The server goes on where the client does not send more: 64 levels, and 64 more in the innermost of them.
    await client.put(key, {"deep": nested(64)})
    await client.operate(key, [op.lists.append("deep", nested(64), ctx=[aero.ctx.list_index(0)] * 63)])
    found: Any = (await client.get(key))["deep"]
    for _ in range(63):
        [found] = found
    assert found == [nested(64)]


# Refused --------------------------------------------------------------------------------------------------------

REFUSED = {
    "an int above 64 bits": 2**63,
    "an int below 64 bits": -(2**63) - 1,
    "a large int in a list": [1, 2**64],
    "a large int in a map": {"a": {"b": -(2**63) - 1}},
    "a large int as a map key": {2**63: 1},
    "a set": {1, 2},
    "a frozenset": frozenset([1]),
    "a set in a list": [[{1}]],
    "a complex number": 1j,
    "an object": object(),
    "a class": int,
    "a function": nested,
    "an iterator": iter([1]),
    "a range": range(3),
    "a float as a map key": {1.5: 1},
    "a bool as a map key": {True: 1},
    "None as a map key": {None: 1},
    "a tuple as a map key": {(1, 2): 3},
    "a float as a key deep down": [{"a": [{1.5: 1}]}],
    "a lone surrogate": "a\ud800",
    "a lone surrogate in a list": ["\udfff"],
    "a lone surrogate as a map key": {"\ud800": 1},
    "65 levels of lists": nested(65),
    "65 levels of maps": nested_maps(65),
    "a value in the 65th level": nested(65, 1),
    "a blob of no known type": TypedBlob(99, b""),
}


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED.keys())
async def test_what_the_database_cannot_hold_is_never_sent(
    client: Client, key: Key, nothing_sent: Callable[[], None], value: Any
) -> None:
    with pytest.raises(aero.InvalidArgError) as info:
        await client.put(key, {"fine": 1, "bad": value})
    assert "bad" in str(info.value), "the message names the bin"
    with pytest.raises(aero.InvalidArgError):
        await client.operate(key, [op.read("fine"), op.write("bad", value)])
    nothing_sent()
    assert await client.exists(key) is None


async def test_a_list_that_holds_itself_is_never_sent(
    client: Client, key: Key, nothing_sent: Callable[[], None]
) -> None:
    endless: list[Any] = [1]
    endless.append(endless)
    with pytest.raises(aero.InvalidArgError):
        await client.put(key, {"bad": endless})
    nothing_sent()


@pytest.mark.parametrize("name", ["x" * 16, "ä" * 8, "", "nul\0", "\ud800", 1, b"bytes", None], ids=repr)
async def test_what_is_no_name_of_a_bin_is_never_sent(
    client: Client, key: Key, nothing_sent: Callable[[], None], name: Any
) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: client.put(key, {name: 1}),
        lambda: client.select(key, [name]),
        lambda: client.append(key, name, "x"),
        lambda: client.prepend(key, name, "x"),
        lambda: client.increment(key, name, 1),
        lambda: client.remove_bin(key, [name]),
        lambda: client.batch_read([key], [name]),
    ]
    for call in calls:
        with pytest.raises(aero.InvalidArgError):
            await call()
    nothing_sent()


async def test_wrong_arguments_of_the_commands_are_never_sent(
    client: Client, key: Key, nothing_sent: Callable[[], None]
) -> None:
    anything: Any = client
    calls: list[Callable[[], Any]] = [
        lambda: anything.put(key, {}),
        lambda: anything.put(key, [("a", 1)]),
        lambda: anything.put(key, None),
        lambda: anything.put("key", {"a": 1}),
        lambda: anything.put(("test", "set"), {"a": 1}),
        lambda: anything.put(("test", "set", 1.5), {"a": 1}),
        lambda: anything.put(("test", "set", 2**63), {"a": 1}),
        lambda: anything.put(("n" * 32, "set", 1), {"a": 1}),
        lambda: anything.put(key, {"a": 1}, ttl=-3),
        lambda: anything.put(key, {"a": 1}, ttl=1.5),
        lambda: anything.put(key, {"a": 1}, generation=65536),
        lambda: anything.put(key, {"a": 1}, generation=-1),
        lambda: anything.select(key, []),
        lambda: anything.select(key, "name"),
        lambda: anything.append(key, "a", 1),
        lambda: anything.prepend(key, "a", None),
        lambda: anything.increment(key, "a", "1"),
        lambda: anything.increment(key, "a", True),
        lambda: anything.increment(key, "a", 2**63),
        lambda: anything.remove_bin(key, []),
        lambda: anything.remove(key, generation="1"),
        lambda: anything.operate(key, []),
        lambda: anything.operate(key, ["read"]),
        lambda: anything.operate(key, [op.read("a")], ttl=10),
        lambda: anything.operate(key, [op.read("a")], generation=1),
        lambda: anything.batch_read([key, 5]),
        lambda: anything.batch_read([key], "name"),
    ]
    for number, call in enumerate(calls):
        with pytest.raises(aero.InvalidArgError):
            await call()
            pytest.fail(f"call {number} was let through")
    nothing_sent()
    assert await client.exists(key) is None


async def test_the_keys_of_a_batch_are_checked_before_any_is_sent(
    client: Client, keys: Keys, nothing_sent: Callable[[], None]
) -> None:
    with pytest.raises(aero.InvalidArgError):
        await client.batch_read([keys(), ("test", "set", None)])  # type: ignore[list-item]
    nothing_sent()
