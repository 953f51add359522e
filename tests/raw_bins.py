"""Write bins without checks of their text, as some clients do."""

from __future__ import annotations

import struct

from trio_aerospike import Client, Key
from trio_aerospike._wire import constants as wire


async def write_raw(client: Client, key: Key, name: bytes, particle: int, data: bytes) -> None:
    """Write one bin with exactly these bytes."""
    policy = client.config.write_policy
    bin = struct.pack(">I4B", 4 + len(name) + len(data), wire.OP_WRITE, particle, 0, len(name)) + name + data
    frame = client._request(key, policy, 0, wire.INFO2_WRITE, 0, 0, 0, bin, 1)
    await client._executor.run("put", key, frame, policy, True)
