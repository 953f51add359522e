# mypy: ignore-errors
# (for the published client of that name, which this environment does not have)

"""Drive a cluster with the published `aerospike-py` client, blocking and under asyncio; see test_server.py.

Usage: asyncio_client.py PORT N_NODES [USER PASSWORD]
"""

import asyncio
import sys
import time

import aerospike_py as aerospike

port, n_nodes = int(sys.argv[1]), int(sys.argv[2])
credentials = sys.argv[3:5]
config = {"hosts": [("127.0.0.1", port)], "cluster_name": "docker"}
client = aerospike.client(config).connect(*credentials)
deadline = time.monotonic() + 10
while len(client.get_node_names()) < n_nodes:
    assert time.monotonic() < deadline, "the nodes were not found"
    time.sleep(0.1)

keys = [("test", "peer", number) for number in range(100)]
for key in keys:
    client.put(key, {"n": key[2], "s": "text", "l": [1, {"k": 2.5}]}, meta={"ttl": 1000})
for key in keys:
    record = client.get(key)
    assert record.bins == {"n": key[2], "s": "text", "l": [1, {"k": 2.5}]} and record.meta.gen == 1, record
key, missing = keys[7], ("test", "peer", "missing")
assert client.exists(key).meta.gen == 1 and client.exists(missing).meta is None
for call in (client.get, client.remove):
    try:
        call(missing)
    except aerospike.RecordNotFound:
        continue
    raise AssertionError("a missing record was found")
client.increment(key, "n", 3)
client.append(key, "s", "!")
record = client.operate(
    key,
    [
        {"op": aerospike.OPERATOR_INCR, "bin": "n", "val": 5},
        {"op": aerospike.OPERATOR_READ, "bin": "n", "val": None},
    ],
)
assert record.bins == {"n": 15} and record.meta.gen == 4, record
found = client.batch_read([*keys, missing])
assert len(found) >= 100
answers = client.info_all("namespaces")
assert sorted(answer.response.strip() for answer in answers) == ["test"] * n_nodes, answers
assert client.is_connected()
client.remove(keys[0])
assert client.exists(keys[0]).meta is None


async def under_asyncio() -> None:
    async_client = aerospike.AsyncClient(config)
    await async_client.connect(*credentials)
    await asyncio.gather(*(async_client.put(key, {"n": -key[2]}) for key in keys))
    records = await asyncio.gather(*(async_client.get(key) for key in keys))
    assert [record.bins["n"] for record in records] == [-key[2] for key in keys]
    await async_client.close()


asyncio.run(under_asyncio())
if credentials:
    try:
        aerospike.client(config).connect(credentials[0], "wrong")
    except aerospike.AerospikeError:
        pass
    else:
        raise AssertionError("a wrong password was taken")
time.sleep(0.01)
client.truncate("test", "peer", 0)
assert all(client.exists(key).meta is None for key in keys)
client.close()
print("done")
