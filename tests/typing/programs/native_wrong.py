"""Wrong uses of trio_aerospike: each of them is flagged, or mypy would call its `type: ignore` unused."""

from __future__ import annotations

import trio_aerospike as aero


async def records(client: aero.Client) -> None:
    key = aero.Key("test", "users", "ann")
    aero.Key("test", "users", 1.5)  # type: ignore[arg-type]
    aero.Key("test", "users")  # type: ignore[call-arg]
    await client.get("ann")  # type: ignore[arg-type]
    await client.get(("test", "users"))  # type: ignore[arg-type]
    await client.get(key, aero.ReadPolicy())  # type: ignore[call-arg]
    await client.get(key, policy=aero.WritePolicy())  # type: ignore[arg-type]
    await client.get(key, timeout=1)  # type: ignore[arg-type]
    await client.put(key, [("name", "Ann")])  # type: ignore[arg-type]
    await client.put(key, {1: "Ann"})  # type: ignore[dict-item]
    await client.put(key, {"name": "Ann"}, ttl="3600")  # type: ignore[arg-type]
    await client.put(key, {"name": "Ann"}, tll=3600)  # type: ignore[arg-type]
    await client.increment(key, "age", "1")  # type: ignore[arg-type]
    await client.operate(key, ["age"])  # type: ignore[list-item]
    await client.batch_read(key)  # type: ignore[arg-type]
    await client.fetch(key)  # type: ignore[attr-defined]
    print((await client.exists(key)).generation)  # type: ignore[union-attr]
    print((await client.get(key)).genration)  # type: ignore[attr-defined]


def policies_and_configuration() -> None:
    aero.ReadPolicy(total_timeout="1 s")  # type: ignore[arg-type]
    aero.ReadPolicy(total_timeot=1.0)  # type: ignore[call-arg]
    aero.WritePolicy(exists="create")  # type: ignore[arg-type]
    aero.ClientConfig()  # type: ignore[call-arg]
    aero.ClientConfig(hosts="127.0.0.1", user=b"ann")  # type: ignore[arg-type]
    aero.ReadPolicy().max_retries = 5  # type: ignore[misc]
    aero.no_such_name  # type: ignore[attr-defined]  # noqa: B018


async def clients() -> None:
    await aero.open_client("127.0.0.1:3000")  # type: ignore[misc]
    with aero.open_client("127.0.0.1:3000"):  # type: ignore[attr-defined]
        pass
    aero.Client()  # type: ignore[call-arg]
