"""A web service with FastAPI and `aerospike_py` for asyncio: users, batches, health, metrics.

    pip install fastapi uvicorn
    python examples/fastapi_app.py

    curl -X PUT http://127.0.0.1:8000/users/ann -H 'Content-Type: application/json' -d '{"age": 41}'
    curl http://127.0.0.1:8000/users/ann
    curl 'http://127.0.0.1:8000/users?name=ann&name=bob'
    curl http://127.0.0.1:8000/metrics

AEROSPIKE_HOSTS ("host:port,host:port") names the servers; without it the service starts an embedded one.
One client serves the whole application: it is connected when the application starts and closed when it stops. Errors of
the database are converted to HTTP statuses in one place, not in each function.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from sys import executable
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, Field

import aerospike_py as aerospike
from aerospike_py import list_operations
from aerospike_py.types import ClientConfig

NAMESPACE, SET = "test", "users"
EVENTS_KEPT = 10


class User(BaseModel):
    """The data of a user."""

    age: int = Field(ge=0, le=150)
    city: str | None = None


@asynccontextmanager
async def servers() -> AsyncIterator[str]:
    """Return the seeds as text: AEROSPIKE_HOSTS, or an embedded server in another process."""
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
    """Build the configuration: at most 256 commands in flight; others wait for up to two seconds."""
    hosts = []
    for seed in seeds.split(","):
        host, _, port = seed.strip().rpartition(":")
        hosts.append((host, int(port)))
    return {"hosts": hosts, "max_concurrent_operations": 256, "operation_queue_timeout_ms": 2000}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect while the application runs."""
    async with servers() as seeds, aerospike.AsyncClient(config(seeds)) as client:
        await client.connect()
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


async def connected(request: Request) -> aerospike.AsyncClient:
    """Return the client of the application."""
    client: aerospike.AsyncClient = request.app.state.client
    return client


Client = Annotated[aerospike.AsyncClient, Depends(connected)]


def key_of(name: str) -> tuple[str, str, str]:
    """Return the key of a user."""
    return (NAMESPACE, SET, name)


# What the database has to say -----------------------------------------------------------------------------------

STATUS: dict[type[Exception], tuple[int, str]] = {
    aerospike.RecordNotFound: (404, "there is no such user"),
    aerospike.RecordExistsError: (409, "there is such a user already"),
    aerospike.RecordGenerationError: (412, "somebody else has changed the user meanwhile"),
    aerospike.InvalidArgError: (400, "the database cannot hold that"),
    aerospike.BackpressureError: (503, "too much to do; try again in a moment"),
    aerospike.ClusterError: (503, "the database cannot be reached"),
    aerospike.AerospikeTimeoutError: (504, "the database did not answer in time"),
}


@app.exception_handler(aerospike.AerospikeError)
async def tell(request: Request, error: Exception) -> JSONResponse:
    """Convert an error of the database to a response."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            status, detail = STATUS[kind]
            headers = {"Retry-After": "1"} if status == 503 else None
            return JSONResponse({"detail": detail}, status, headers)
    return JSONResponse({"detail": f"the database refuses: {type(error).__name__}"}, 500)


# One user -------------------------------------------------------------------------------------------------------


@app.put("/users/{name}")
async def put_user(client: Client, name: str, user: User, response: Response) -> dict[str, str]:
    """Store a user; the response has an ETag for a later PATCH."""
    await client.put(key_of(name), {"name": name, **user.model_dump()})
    found = await client.exists(key_of(name))
    if found.meta is not None:
        response.headers["ETag"] = f'"{found.meta.gen}"'
    return {"stored": name}


@app.post("/users/{name}", status_code=201)
async def create_user(client: Client, name: str, user: User) -> dict[str, str]:
    """Store a user that must not exist."""
    await client.put(
        key_of(name), {"name": name, **user.model_dump()}, policy={"exists": aerospike.POLICY_EXISTS_CREATE_ONLY}
    )
    return {"created": name}


@app.get("/users/{name}")
async def get_user(client: Client, name: str, response: Response) -> dict[str, Any]:
    """Look up a user."""
    record = await client.get(key_of(name))
    assert record.meta is not None  # as with every record that is there
    response.headers["ETag"] = f'"{record.meta.gen}"'
    return {"user": record.bins, "generation": record.meta.gen}


@app.patch("/users/{name}")
async def change_user(
    client: Client, name: str, changes: dict[str, int | str], if_match: Annotated[str, Header()]
) -> dict[str, str]:
    """Change a user, if it has not changed since it was read (If-Match is the ETag of that response)."""
    if not re.fullmatch(r'"\d+"', if_match):
        raise HTTPException(400, 'If-Match is the ETag of an earlier answer, such as "3"')
    await client.put(
        key_of(name), changes, meta={"gen": int(if_match.strip('"'))}, policy={"gen": aerospike.POLICY_GEN_EQ}
    )
    return {"changed": name}


@app.post("/users/{name}/events")
async def add_event(client: Client, name: str, event: Annotated[str, Query(max_length=100)]) -> dict[str, Any]:
    """Add an event; the last ten are kept. One atomic command on the server."""
    record = await client.operate(
        key_of(name),
        [
            list_operations.list_append("events", event),
            list_operations.list_trim("events", -EVENTS_KEPT, EVENTS_KEPT),
            {"op": aerospike.OPERATOR_READ, "bin": "events", "val": None},
        ],
        policy={"exists": aerospike.POLICY_EXISTS_UPDATE_ONLY},
    )
    # Three operations on one bin return three results: a length, a count, and the list.
    return {"events": (record.bins or {})["events"][-1]}


@app.delete("/users/{name}", status_code=204)
async def remove_user(client: Client, name: str) -> None:
    """Remove a user."""
    await client.remove(key_of(name))


# Many users -----------------------------------------------------------------------------------------------------


@app.post("/users")
async def put_users(client: Client, users: dict[str, User]) -> dict[str, Any]:
    """Store many users with one batch; the response lists failures with their result codes."""
    rows = [(key_of(name), {"name": name, **user.model_dump()}) for name, user in users.items()]
    result = await client.batch_write(rows, retry=3)
    failed = {row.key[2]: row.result for row in result.batch_records if row.key is not None and row.result}
    return {"stored": len(rows) - len(failed), "failed": failed}


@app.get("/users")
async def get_users(client: Client, name: Annotated[list[str], Query(max_length=1000)]) -> dict[str, Any]:
    """Look up many users with one batch."""
    found = (await client.batch_read([key_of(one) for one in name])).to_dict()
    return {"users": found, "missing": [one for one in name if one not in found]}


# The service itself ---------------------------------------------------------------------------------------------


@app.get("/health")
async def health(client: Client, response: Response) -> dict[str, Any]:
    """Report whether the database answers, and the number of nodes, for load balancers."""
    answers = await client.ping()
    response.status_code = 200 if answers else 503
    return {"connected": answers, "nodes": len(client.get_node_names()) if answers else 0}


@app.get("/metrics")
async def metrics() -> PlainTextResponse:
    """Return durations and results of commands, in the format of Prometheus."""
    return PlainTextResponse(aerospike.get_metrics(), media_type="text/plain; version=0.0.4")


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
