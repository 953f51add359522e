# mypy: ignore-errors
# (for the published client of that name, which this environment does not have)

"""Drive a cluster with the published `aerospike` client; run in its own environment by test_server.py.

Usage: official.py PORT N_NODES [USER PASSWORD]
"""

import sys
import time

import aerospike
from aerospike import exception
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


def fails(error, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except error:
        return
    raise AssertionError(f"{call.__name__} did not raise {error.__name__}")


def connect(user, password):
    return aerospike.client({**config, "user": user, "password": password}).connect(user, password)


keys = [("test", "peer", number) for number in range(200)]
bins = {"n": 1, "f": 1.5, "s": "text", "b": b"\x00\xff", "t": True, "l": [1, "a", [2.5]], "m": {"k": {"n": None}}}
for key in keys:
    client.put(key, {**bins, "n": key[2]}, meta={"ttl": 1000})
for key in keys:
    _, meta, found = client.get(key)
    assert found == {**bins, "n": key[2]} and meta["gen"] == 1 and 990 <= meta["ttl"] <= 1000, (meta, found)

key = keys[7]
assert client.select(key, ["n", "s"])[2] == {"n": 7, "s": "text"}
assert client.exists(key)[1]["gen"] == 1
missing = ("test", "peer", "missing")
assert client.exists(missing)[1] is None
fails(exception.RecordNotFound, client.get, missing)
fails(exception.RecordNotFound, client.remove, missing)
fails(exception.RecordExistsError, client.put, key, {"n": 1}, policy={"exists": aerospike.POLICY_EXISTS_CREATE})
fails(
    exception.RecordGenerationError,
    client.put, key, {"n": 1}, meta={"gen": 9}, policy={"gen": aerospike.POLICY_GEN_EQ},
)  # fmt: skip
fails(exception.BinIncompatibleType, client.increment, key, "s", 1)
fails(exception.NamespaceNotFound, client.put, ("nope", "peer", 1), {"n": 1})

client.increment(key, "n", 3)
client.append(key, "s", "!")
client.prepend(key, "s", "?")
client.touch(key, 50)
client.remove_bin(key, ["f"])
_, meta, found = client.get(key)
assert (found["n"], found["s"], meta["gen"]) == (10, "?text!", 6) and "f" not in found

_, meta, found = client.operate(
    key, [operations.increment("n", 5), operations.write("w", "x"), operations.read("n"), operations.read("w")]
)
assert found == {"n": 15, "w": "x"} and meta["gen"] == 7
_, _, ordered = client.operate_ordered(key, [operations.read("n"), operations.increment("n", 1), operations.read("n")])
assert ordered == [("n", 15), ("n", 16)], ordered
assert client.operate(key, [list_operations.list_append("l", 5)])[2] == {"l": 4}

batch = client.batch_read([*keys, missing])
assert [record.result for record in batch.batch_records] == [0] * 200 + [2]
assert batch.batch_records[3].record[2]["n"] == 3
batch = client.batch_operate(keys[:3], [operations.increment("n", 10), operations.read("n")])
assert [record.record[2]["n"] for record in batch.batch_records] == [10, 11, 12]
batch = client.batch_remove([*keys[:3], missing])
assert [record.result for record in batch.batch_records] == [0, 0, 0, 2]

sent = ("test", "peer", "sent")
client.put(sent, {"n": 1}, policy={"key": aerospike.POLICY_KEY_SEND})
client.remove(sent)

answers = client.info_all("namespaces")
assert len(answers) == n_nodes and all(answer == (None, "test\n") for answer in answers.values()), answers
assert "8.1.2" in client.info_random_node("build")

if credentials:
    client.admin_create_user("bob", "pw", ["read"])
    bob = connect("bob", "pw")
    assert bob.get(key)[2]["n"] == 16
    fails(exception.RoleViolation, bob.put, key, {"n": 1})
    bob.close()
    assert client.admin_query_user_info("bob")["roles"] == ["read"]
    client.admin_drop_user("bob")
    fails(exception.InvalidUser, connect, "bob", "pw")
    fails(exception.InvalidCredential, connect, credentials[0], "wrong")

time.sleep(0.01)
client.truncate("test", "peer", 0)
assert all(client.exists(key)[1] is None for key in keys)
client.close()
print("done")
