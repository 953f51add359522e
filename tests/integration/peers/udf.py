# mypy: ignore-errors
# (for the published clients, which this environment does not have)

"""Functions with the published `aerospike` and `aerospike-py` clients, in their own environment.

Usage: udf.py PORT N_NODES [USER PASSWORD]
"""

import os
import sys
import tempfile
import time

import aerospike
from aerospike import exception, predicates

import aerospike_py

port, n_nodes = int(sys.argv[1]), int(sys.argv[2])
credentials = sys.argv[3:5]
folder = tempfile.mkdtemp()
config = {
    "hosts": [("127.0.0.1", port)],
    "policies": {"total_timeout": 5000},
    # Where the client looks for the modules of aggregations, of which it does the last step.
    "lua": {"user_path": folder, "system_path": folder},
}
if credentials:
    config["user"], config["password"] = credentials
client = aerospike.client(config)
if credentials:
    client.connect(*credentials)
deadline = time.monotonic() + 10
while len(client.get_node_names()) < n_nodes:
    assert time.monotonic() < deadline, "the nodes were not found"
    time.sleep(0.1)

NS, SET, COUNT = "test", "called", 200
SOURCE = """
function echo(rec, value) return value end
function add(rec, name, amount)
  rec[name] = (rec[name] or 0) + amount
  if aerospike:exists(rec) then aerospike:update(rec) else aerospike:create(rec) end
  return rec[name]
end
function boom(rec) error("boom") end
function total(stream, name)
  return stream:map(function(rec) return rec[name] or 0 end):reduce(function(a, b) return a + b end)
end
function kinds(stream)
  local function count(counts, rec) counts[rec.kind] = (counts[rec.kind] or 0) + 1 return counts end
  return stream:aggregate(map(), count):reduce(function(a, b) return map.merge(a, b, math.sum) end)
end
"""
PATH = os.path.join(folder, "peer.lua")
with open(PATH, "w") as file:
    file.write(SOURCE)


def fails(error, words, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except error as raised:
        assert words in str(raised), raised
        return
    raise AssertionError(f"{call} did not raise {error.__name__}")


def wait_for(there):
    until = time.monotonic() + 20
    while not there():
        assert time.monotonic() < until
        time.sleep(0.05)


# Modules.
assert client.udf_put(PATH) == 0
wait_for(lambda: any(one["name"] == "peer.lua" for one in client.udf_list()))
[module] = client.udf_list()
assert module["name"] == "peer.lua" and module["type"] == aerospike.UDF_TYPE_LUA
assert client.udf_get("peer.lua") == SOURCE
broken = os.path.join(folder, "broken.lua")
with open(broken, "w") as file:
    file.write("function f(rec)\n  return = 1\nend\n")
fails(exception.AerospikeError, "", client.udf_put, broken)
assert [one["name"] for one in client.udf_list()] == ["peer.lua"]

# Calls.
key = (NS, SET, "one")
for value in (5, 2.5, "text", True, bytearray(b"\x00\x01"), [1, [2]], {"a": {"b": [1]}}):
    assert client.apply(key, "peer", "echo", [value]) == value, value
assert client.apply(key, "peer", "add", ["n", 2]) == 2
assert client.apply(key, "peer", "add", ["n", 3]) == 5
assert client.get(key)[2] == {"n": 5}
fails(exception.UDFError, "boom", client.apply, key, "peer", "boom", [])
fails(exception.UDFError, "function not found", client.apply, key, "peer", "nothing", [])
fails(exception.UDFError, "", client.apply, key, "nothing", "echo", [])
client.remove(key)

# Batches.
keys = [(NS, SET, n) for n in range(COUNT)]
for n in range(COUNT):
    client.put(keys[n], {"n": n, "kind": "even" if n % 2 == 0 else "odd"})
rows = client.batch_apply(keys, "peer", "add", ["n", 1000])
assert [row.record[2]["SUCCESS"] for row in rows.batch_records] == [n + 1000 for n in range(COUNT)]
rows = client.batch_apply(keys[:3], "peer", "boom", [])
assert [row.result for row in rows.batch_records] == [100] * 3

# In the background.
scan = client.scan(NS, SET)
scan.apply("peer", "add", ["n", -1000])
job = scan.execute_background()
wait_for(lambda: client.job_info(job, aerospike.JOB_SCAN)["status"] != aerospike.JOB_STATUS_INPROGRESS)
assert sorted(bins["n"] for _, _, bins in client.scan(NS, SET).results()) == list(range(COUNT))
client.index_single_value_create(NS, SET, "n", aerospike.INDEX_NUMERIC, "called_n")
query = client.query(NS, SET)
query.where(predicates.between("n", 0, 9))
query.apply("peer", "add", ["marked", 1])
job = query.execute_background()
wait_for(lambda: client.job_info(job, aerospike.JOB_QUERY)["status"] != aerospike.JOB_STATUS_INPROGRESS)
marked = [bins["n"] for _, _, bins in client.scan(NS, SET).results() if "marked" in bins]
assert sorted(marked) == list(range(10))

# Aggregations.
query = client.query(NS, SET)
query.apply("peer", "total", ["n"])
assert query.results() == [sum(range(COUNT))]
query = client.query(NS, SET)
query.where(predicates.between("n", 0, 9))
query.apply("peer", "total", ["n"])
assert query.results() == [45]
query = client.query(NS, SET)
query.apply("peer", "kinds", [])
assert query.results() == [{"even": COUNT / 2, "odd": COUNT / 2}]
query = client.query(NS, SET)
query.apply("peer", "nothing", [])
fails(exception.AerospikeError, "", query.results)
client.index_remove(NS, "called_n")

# The client of the other package.
other = aerospike_py.client({"hosts": [("127.0.0.1", port)], "cluster_name": "docker"})
other.connect(*credentials)
second = os.path.join(folder, "second.lua")
with open(second, "w") as file:
    file.write(SOURCE)
other.udf_put(second)
wait_for(lambda: any(one["name"] == "second.lua" for one in client.udf_list()))
assert other.apply(key, "second", "add", ["n", 2]) == 2
assert other.apply(key, "second", "echo", [{"a": [1, 2.5, "x"]}]) == {"a": [1, 2.5, "x"]}
fails(aerospike_py.AerospikeError, "", other.apply, key, "second", "boom", [])
other.udf_remove("second.lua")
wait_for(lambda: all(one["name"] != "second.lua" for one in client.udf_list()))
other.close()

client.udf_remove("peer.lua")
wait_for(lambda: client.udf_list() == [])
client.close()
print("done")
