"""Types of values and their operations: lists, maps, bits, HyperLogLog sketches, GeoJSON, expressions.

    python examples/data_model.py

Each change is done on the servers, in one command on one record, all or nothing; only results are sent. AEROSPIKE_HOSTS
("host:port,host:port") names servers; without it an embedded one is started.
"""

from __future__ import annotations

import trio

import trio_aerospike as aero
from trio_aerospike import bits, ctx, exp, hll, lists, maps
from trio_aerospike.testing import open_servers

NAMESPACE, SET = "test", "data_model"


async def show_lists(client: aero.Client) -> None:
    """A list of the last events, and an ordered one of scores."""
    print("Lists")
    key = aero.Key(NAMESPACE, SET, "ann")
    await client.put(key, {"events": ["login", "search"]})
    record = await client.operate(
        key,
        [
            lists.append_items("events", ["open", "buy", "logout"]),
            lists.trim("events", -3, 3),
            aero.read("events"),
        ],
    )
    print("  three more came in, and only the last three are kept:", record["events"])

    scores = [88, 95, 78, 92, 85]
    policy = lists.ListPolicy(order=lists.ListOrder.ORDERED)
    results = await client.operate_ordered(
        key,
        [
            lists.append_items("scores", scores, policy=policy),
            lists.get_by_rank_range("scores", -3, 3),
            lists.get_by_value_range("scores", 0, 90, return_type=lists.ListReturn.COUNT),
            lists.get_by_value("scores", 92, return_type=lists.ListReturn.REVERSE_RANK),
        ],
    )
    _, best, below, (place,) = [value for _, value in results.ordered]
    print(f"  of {scores} the best three are {best}; {below} are below 90; 92 is in place {place + 1}")

    once = lists.ListPolicy(write_flags=lists.ListWrite.ADD_UNIQUE | lists.ListWrite.NO_FAIL | lists.ListWrite.PARTIAL)
    record = await client.operate(key, [lists.append_items("tags", [*"abacb"], policy=once), aero.read("tags")])
    print("  as a set: of a, b, a, c, b the server kept", record["tags"])


async def show_maps(client: aero.Client) -> None:
    """A map of counters, and elements of nested maps."""
    print("Maps")
    key = aero.Key(NAMESPACE, SET, "shop")
    await client.put(key, {"stock": {"apple": 7, "pear": 2, "plum": 40}})
    results = await client.operate_ordered(
        key,
        [
            maps.decrement("stock", "apple", 3),
            maps.increment("stock", "fig", 5),
            maps.get_by_value_range("stock", 0, 5, return_type=maps.MapReturn.KEY),
            maps.get_by_rank("stock", -1, return_type=maps.MapReturn.KEY_VALUE),
        ],
    )
    apples, figs, scarce, most = [value for _, value in results.ordered]
    print(f"  three apples sold, {apples} left, {figs} figs came; below 5: {sorted(scarce)}; most: {dict(most)}")

    order = {"lines": [{"sku": "A1", "count": 2}, {"sku": "B7", "count": 1}], "to": {"city": "Graz"}}
    await client.put(key, {"order": order})
    second = [ctx.map_key("lines"), ctx.list_index(1)]
    record = await client.operate(
        key,
        [
            maps.put("order", "zip", "8010", ctx=[ctx.map_key("to")]),
            maps.increment("order", "count", 4, ctx=second),
        ],
    )
    print(f"  deep inside an order: the second line now asks for {record['order']}, and the address has a zip")
    record = await client.get(key)
    print("  the order:", record["order"])


async def show_bits(client: aero.Client) -> None:
    """Presence during a day, a bit for each minute: 180 bytes."""
    print("Bits")
    key = aero.Key(NAMESPACE, SET, "sensor")
    await client.operate(key, [bits.resize("minutes", 180)])
    results = await client.operate_ordered(
        key,
        [
            bits.set("minutes", 11 * 60 + 40, 40, b"\xff" * 5),
            bits.set("minutes", 13 * 60 + 5, 24, b"\xff" * 3),
            bits.count("minutes", 0, 1440),
            bits.lscan("minutes", 0, 1440, True),
            bits.rscan("minutes", 0, 1440, True),
            bits.count("minutes", 12 * 60, 60),
        ],
    )
    present, first, last, noon = [value for _, value in results.ordered if value is not None]
    print(f"  present for {present} minutes, from {clock(first)} to {clock(last)}, between 12 and 13 for {noon}")


def clock(minute: int) -> str:
    """Format a minute of the day."""
    return f"{minute // 60:02}:{minute % 60:02}"


async def show_sketches(client: aero.Client) -> None:
    """Count distinct visitors, in a few kilobytes and to about a percent."""
    print("HyperLogLog")
    monday, tuesday = (aero.Key(NAMESPACE, SET, day) for day in ("monday", "tuesday"))
    for key, visitors in ((monday, range(6_000)), (tuesday, range(4_000, 9_000))):
        names = [f"visitor {number}" for number in visitors]
        await client.operate(key, [hll.init("seen", 12, 20), hll.add("seen", names)])
    other = (await client.get(tuesday))["seen"]
    results = await client.operate_ordered(
        monday,
        [
            hll.get_count("seen"),
            hll.get_union_count("seen", [other]),
            hll.get_intersect_count("seen", [other]),
            hll.get_similarity("seen", [other]),
        ],
    )
    there, either, both, alike = [value for _, value in results.ordered]
    print(f"  on Monday about {there:,} (6,000), on either day {either:,} (9,000), on both {both:,} (2,000);")
    print(f"  the days are {alike:.0%} alike (22%)")


async def show_places(client: aero.Client) -> None:
    """Which of some cities lie around a point: evaluated by the servers for each record."""
    print("Places")
    cities = {"Graz": (15.44, 47.07), "Linz": (14.29, 48.31), "Wien": (16.37, 48.21), "Brno": (16.61, 49.20)}
    for name, (longitude, latitude) in cities.items():
        point = aero.GeoJSON({"type": "Point", "coordinates": [longitude, latitude]})
        await client.put((NAMESPACE, SET, name), {"at": point, "name": name})
    circle = aero.GeoJSON({"type": "AeroCircle", "coordinates": [[16.37, 48.21], 130_000]})
    near = exp.geo_compare(exp.geo_bin("at"), exp.geo_val(circle))
    policy = aero.BatchPolicy(filter_expression=near)
    results = await client.batch_read([(NAMESPACE, SET, name) for name in cities], ["name"], policy=policy)
    print("  within 130 km of Wien:", ", ".join(result.unwrap()["name"] for result in results if result.ok))


async def show_expressions(client: aero.Client) -> None:
    """Expressions in Python operators that the servers evaluate: filters, values to read, values to write."""
    print("Expressions")
    key = aero.Key(NAMESPACE, SET, "cart")
    await client.put(key, {"price": 12.5, "count": 3, "tier": "gold", "age": 41})
    total = exp.float_bin("price") * exp.to_float(exp.int_bin("count"))
    price = exp.cond(exp.str_bin("tier") == "gold", total * 0.9, total)
    record = await client.operate(
        key,
        [
            aero.read_expression("total", total),
            aero.write_expression("to_pay", price),
            aero.read("to_pay"),
        ],
    )
    print(f"  a total of {record['total']} makes {record['to_pay']} to pay for a gold customer")

    adult = exp.int_bin("age") >= 18
    regular = exp.in_list(exp.str_bin("tier"), exp.list_val(["gold", "silver"]))
    await client.get(key, policy=aero.ReadPolicy(filter_expression=adult & regular))
    print("  a filter that is met reads the record:", adult & regular)
    try:
        await client.put(key, {"age": 12}, policy=aero.WritePolicy(filter_expression=~adult))
    except aero.FilteredOut as error:
        print(
            f"  and one that is not met leaves it as it is: {type(error).__name__}, result code {error.result_code:d}"
        )


async def main() -> None:
    """Run all parts."""
    async with open_servers() as seeds, aero.open_client(seeds) as client:
        names = ("ann", "shop", "sensor", "monday", "tuesday", "cart")
        keys = [aero.Key(NAMESPACE, SET, name) for name in names]
        await client.batch_remove(keys)
        for show in (show_lists, show_maps, show_bits, show_sketches, show_places, show_expressions):
            await show(client)
        await client.batch_remove(keys)


if __name__ == "__main__":
    trio.run(main)
