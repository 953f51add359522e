"""User-defined functions: a Lua module that the servers run on records.

    pip install 'trio-aerospike[udf]'     (lupa: runs Lua in the embedded server, and the last step in the client)
    python examples/udf.py

AEROSPIKE_HOSTS ("host:port,host:port") names servers; without it an embedded cluster of two nodes is started.
"""

from __future__ import annotations

import trio

import trio_aerospike as aero
from trio_aerospike import exp
from trio_aerospike.errors import UDFError
from trio_aerospike.testing import open_servers

NAMESPACE, SET = "test", "accounts"
MODULE = "account.lua"

ACCOUNTS = b"""
-- Adds to the balance and keeps the last three amounts. Creates the account if need be.
function book(rec, amount)
  if not aerospike:exists(rec) then
    rec["balance"] = 0
    rec["last"] = list()
    aerospike:create(rec)
  end
  if rec["balance"] + amount < 0 then
    error("there are only " .. rec["balance"])
  end
  local last = rec["last"]
  list.append(last, amount)
  if list.size(last) > 3 then
    list.remove(last, 1)
  end
  rec["balance"] = rec["balance"] + amount
  rec["last"] = last
  aerospike:update(rec)
  return rec["balance"]
end

-- What the account looks like after so many years at so many percent, without writing anything.
function project(rec, years, percent)
  local result = map()
  local balance = rec["balance"]
  for year = 1, years do
    balance = math.floor(balance * (100 + percent) / 100)
    result[year] = balance
  end
  return result
end

-- What all accounts hold together: each server adds up its own, the client what the servers send.
function total(stream)
  local function balance(rec) return rec["balance"] end
  return stream:map(balance):reduce(math.sum)
end
"""


async def main() -> None:
    """Run all parts."""
    async with open_servers(nodes=2) as seeds, aero.open_client(seeds) as client:
        await client.truncate(NAMESPACE, SET)
        module = await client.udf_put(ACCOUNTS, name=MODULE)
        print(f"registered {module.name} on all {len(client.nodes())} node(s): {module.hash[:8]}...")

        ann = aero.Key(NAMESPACE, SET, "ann")
        for amount in (100, 25, -40, 15):
            balance = await client.apply(ann, "account", "book", [amount])
            print(f"  ann books {amount:+}: {balance}")
        print("  the record:", dict(sorted((await client.get(ann)).items())))

        try:
            await client.apply(ann, "account", "book", [-500])
        except UDFError as error:
            print(f"  ann books -500: {error.message.rpartition(': ')[2]} (result code {error.result_code:d})")
        print("  after three years at 5 percent:", await client.apply(ann, "account", "project", [3, 5]))

        others = [aero.Key(NAMESPACE, SET, f"customer {number}") for number in range(500)]
        results = await client.batch_apply(others, "account", "book", [10])
        print(
            f"booked 10 on {len(results)} accounts with one call, {sum(result.ok for result in results)} of them well"
        )

        job = await client.query_apply(NAMESPACE, SET, "account", "book", [5])
        print(f"booked 5 on all accounts in the background: {(await job.wait(30)).succeeded}")
        [total] = await client.aggregate(NAMESPACE, SET, "account", "total").results()
        print(f"together they hold {total}")

        rich = aero.WritePolicy(filter_expression=exp.int_bin("balance") > 50)
        try:
            await client.apply(others[0], "account", "book", [1], policy=rich)
        except aero.FilteredOut:
            print("a filter keeps a function from records that do not meet it")

        await client.udf_remove(MODULE)
        try:
            await client.apply(ann, "account", "book", [1])
        except UDFError as error:
            print(f"the module is gone: {type(error).__name__}")
        await client.truncate(NAMESPACE, SET)


if __name__ == "__main__":
    trio.run(main)
