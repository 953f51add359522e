"""A small web service with FastAPI, on the asyncio side of `aerospike_py`.

    pip install fastapi uvicorn
    python examples/fastapi_app.py
    curl -X PUT 'http://127.0.0.1:8000/users/ann?age=41'
    curl http://127.0.0.1:8000/users/ann

AEROSPIKE_HOSTS ("host:port,host:port") names the servers; without it the service starts an embedded one for itself.
One client serves the whole application: it is connected when the application starts and closed when it stops.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from sys import executable
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request

import aerospike_py as aerospike
from aerospike_py.exception import RecordNotFound
from aerospike_py.types import ClientConfig

NAMESPACE, SET = "test", "users"


@asynccontextmanager
async def servers() -> AsyncIterator[str]:
    """The seeds as text: those of AEROSPIKE_HOSTS, or of an embedded server in a process of its own."""
    named = os.environ.get("AEROSPIKE_HOSTS", "")
    if named:
        yield named
        return
    command = Path(executable).with_name("trio-aerospike")
    process = await asyncio.create_subprocess_exec(command, "serve", "--port", "0", stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        first_line = (await process.stdout.readline()).decode()
        yield ",".join(re.findall(r"[\d.]+:\d+", first_line))
    finally:
        if process.returncode is None:  # a Ctrl-C at the terminal has reached the server, too
            process.terminate()
        await process.wait()


def config(seeds: str) -> ClientConfig:
    """No more than 256 commands are in flight at a time; the others wait for up to two seconds."""
    hosts = []
    for seed in seeds.split(","):
        host, _, port = seed.strip().rpartition(":")
        hosts.append((host, int(port)))
    return {"hosts": hosts, "max_concurrent_operations": 256, "operation_queue_timeout_ms": 2000}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect for as long as the application runs."""
    async with servers() as seeds, aerospike.AsyncClient(config(seeds)) as client:
        await client.connect()
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.put("/users/{name}")
async def put_user(request: Request, name: str, age: int) -> dict[str, Any]:
    """Store a user."""
    await request.app.state.client.put((NAMESPACE, SET, name), {"name": name, "age": age})
    return {"stored": name}


@app.get("/users/{name}")
async def get_user(request: Request, name: str) -> dict[str, Any]:
    """Look a user up."""
    try:
        record = await request.app.state.client.get((NAMESPACE, SET, name))
    except RecordNotFound:
        raise HTTPException(404, f"there is no user {name}") from None
    return {"user": record.bins, "generation": record.meta.gen}


@app.get("/health")
async def health(request: Request) -> dict[str, Any]:
    """Whether the database answers."""
    return {"connected": await request.app.state.client.ping()}


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
