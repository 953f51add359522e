# mypy: ignore-errors
# (for the published client of that name, which this environment does not have)

"""Queries, scans and indexes with the published `aerospike` client, in its own environment.

Usage: official_query.py PORT N_NODES [USER PASSWORD]
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain

import aerospike
from aerospike import exception, predicates
from aerospike_helpers import cdt_ctx, expressions as exp
from aerospike_helpers.operations import list_operations, operations

port, n_nodes = int(sys.argv[1]), int(sys.argv[2])
credentials = sys.argv[3:5]
config = {"hosts": [("127.0.0.1", port)], "policies": {"total_timeout": 5000}}
if credentials:
    config["user"], config["password"] = credentials
client = aerospike.client(config)
if credentials:
    client.connect(*credentials)
deadline = time.monotonic() + 10
while len(client.get_node_names()) < n_nodes:
    assert time.monotonic() < deadline, "the nodes were not found"
    time.sleep(0.1)

NS, SET, COUNT = "test", "queried", 300


def numbers(records):
    return sorted(bins["n"] for _, _, bins in records)


def fails(error, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except error:
        return
    raise AssertionError(f"{call} did not raise {error.__name__}")


for n in range(COUNT):
    bins = {
        "n": n,
        "s": f"s{n % 10}",
        "b": b"b%d" % (n % 4),
        "l": [n % 10, n % 7],
        "m": {f"k{n % 3}": n % 5, "in": {"deep": n % 6}},
        "p": aerospike.GeoJSON({"type": "Point", "coordinates": [n * 0.01, 10.0]}),
    }
    client.put((NS, SET, n), bins, policy={"key": aerospike.POLICY_KEY_SEND if n % 2 else aerospike.POLICY_KEY_DIGEST})

# Scans.
everything = client.scan(NS, SET).results()
assert numbers(everything) == list(range(COUNT))
assert {key[2] for key, _, _ in everything} == {None, *range(1, COUNT, 2)}
assert numbers(client.query(NS, SET).results()) == list(range(COUNT))
scan = client.scan(NS, SET)
scan.select("n")
assert {tuple(bins) for _, _, bins in scan.results()} == {("n",)}
bare = []
client.scan(NS, SET).foreach(bare.append, {}, {"nobins": True})
assert len(bare) == COUNT and not any(record[2] for record in bare)
few = exp.And(exp.GE(exp.IntBin("n"), 10), exp.LT(exp.IntBin("n"), 20)).compile()
assert numbers(client.scan(NS, SET).results(policy={"expressions": few})) == list(range(10, 20))
half = {"begin": 0, "count": 2048}, {"begin": 2048, "count": 2048}
found = [client.scan(NS, SET).results(policy={"partition_filter": part}) for part in half]
assert numbers(found[0] + found[1]) == list(range(COUNT)) and all(found)
scan = client.scan(NS, SET)
scan.paginate()
pages = []
while not scan.is_done():
    pages.append(scan.results({"max_records": 70}))
assert max(map(len, pages)) <= 70 and numbers(chain(*pages)) == list(range(COUNT))
query = client.query(NS, SET)
query.add_ops([operations.read("n"), list_operations.list_size("l")])
assert {bins["l"] for _, _, bins in query.results()} == {2}

# Indexes.
deep = [cdt_ctx.cdt_ctx_map_key("in"), cdt_ctx.cdt_ctx_map_key("deep")]
single = client.index_single_value_create
wanted = [
    (single, "n", aerospike.INDEX_NUMERIC, "by-n"),
    (single, "s", aerospike.INDEX_STRING, "by-s"),
    (single, "b", aerospike.INDEX_BLOB, "by-b"),
    (single, "p", aerospike.INDEX_GEO2DSPHERE, "by-p"),
    (client.index_list_create, "l", aerospike.INDEX_NUMERIC, "by-l"),
    (client.index_map_keys_create, "m", aerospike.INDEX_STRING, "by-k"),
    (client.index_map_values_create, "m", aerospike.INDEX_NUMERIC, "by-v"),
    (partial(single, ctx=deep), "m", aerospike.INDEX_NUMERIC, "by-deep"),
]
# The client looks every other second whether an index is there.
with ThreadPoolExecutor(len(wanted)) as pool:
    for made in [pool.submit(create, NS, SET, *rest) for create, *rest in wanted]:
        made.result()
fails(exception.IndexFoundError, client.index_single_value_create, NS, SET, "x", aerospike.INDEX_NUMERIC, "by-n")


def where(predicate, ctx=None):
    query = client.query(NS, SET)
    query.where(predicate, ctx) if ctx else query.where(predicate)
    return numbers(query.results())


def those(condition):
    return [n for n in range(COUNT) if condition(n)]


circle = aerospike.GeoJSON({"type": "AeroCircle", "coordinates": [[0.05, 10.0], 2500]}).dumps()
assert where(predicates.equals("n", 7)) == [7]
assert where(predicates.between("n", 5, 25)) == list(range(5, 26))
assert where(predicates.equals("s", "s3")) == those(lambda n: n % 10 == 3)
assert where(predicates.equals("b", b"b1")) == those(lambda n: n % 4 == 1)
assert where(predicates.contains("l", aerospike.INDEX_TYPE_LIST, 8)) == those(lambda n: n % 10 == 8)
assert where(predicates.contains("m", aerospike.INDEX_TYPE_MAPKEYS, "k1")) == those(lambda n: n % 3 == 1)
assert where(predicates.contains("m", aerospike.INDEX_TYPE_MAPVALUES, 4)) == those(lambda n: n % 5 == 4)
assert where(predicates.geo_within_geojson_region("p", circle)) == [3, 4, 5, 6, 7]
assert where(predicates.equals("m", 4), deep) == those(lambda n: n % 6 == 4)
query = client.query(NS, SET)
query.where(predicates.between("n", 0, COUNT))
query.paginate()
query.max_records = 33
pages = []
while not query.is_done():
    pages.append(query.results())
assert max(map(len, pages)) <= 33 and numbers(chain(*pages)) == list(range(COUNT))

# Writing in the background.
query = client.query(NS, SET)
query.where(predicates.between("n", 5, 9))
query.add_ops([operations.increment("n", 1000)])
job = query.execute_background()
deadline = time.monotonic() + 10
while client.job_info(job, aerospike.JOB_QUERY)["status"] != aerospike.JOB_STATUS_COMPLETED:
    assert time.monotonic() < deadline, "the job goes on and on"
    time.sleep(0.05)
assert where(predicates.between("n", 1000, 2000)) == [1005, 1006, 1007, 1008, 1009]

for name in ("by-n", "by-s", "by-b", "by-p", "by-l", "by-k", "by-v", "by-deep", "never-made"):
    client.index_remove(NS, name)
query = client.query(NS, SET)
query.where(predicates.equals("n", 7))
fails(exception.IndexNotFound, query.results, policy={"max_retries": 0})
client.close()
print("done")
