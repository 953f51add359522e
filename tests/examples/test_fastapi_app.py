"""The web service in a process of its own, asked as its users would."""

from __future__ import annotations

import contextlib
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.compat.background import BackgroundCluster
from tests.examples.running import PATIENCE, REAL_HOSTS, ROOT, environment


@contextlib.contextmanager
def web_service(hosts: str) -> Iterator[httpx.Client]:
    """The service on a free port; in the end it has to stop cleanly."""
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "examples.fastapi_app:app", "--port", "0"],
        cwd=ROOT,
        env=environment(hosts),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = ""
    try:
        for line in process.stderr:
            said += line
            address = re.search(r"running on (http://[\d.]+:\d+)", line)
            if address:
                break
        else:
            pytest.fail(f"the service did not start: {said}")
        with httpx.Client(base_url=address[1], timeout=PATIENCE) as client:
            yield client
        process.send_signal(signal.SIGINT)
        said += process.stderr.read()
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert "Application shutdown complete" in said
    assert "Traceback" not in said


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("", id="embedded"),
        pytest.param(
            REAL_HOSTS, id="real", marks=pytest.mark.skipif(not REAL_HOSTS, reason="AEROSPIKE_HOSTS is not set")
        ),
    ],
)
def http(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    with web_service(request.param) as client:
        yield client


@pytest.fixture
def name() -> str:
    """A user that nobody else has heard of."""
    return f"ann-{secrets.token_hex(6)}"


def test_a_user_is_stored_found_and_removed(http: httpx.Client, name: str) -> None:
    assert http.put(f"/users/{name}", json={"age": 41}).json() == {"stored": name}
    answer = http.get(f"/users/{name}")
    assert answer.json() == {"user": {"name": name, "age": 41}, "generation": 1}
    assert answer.headers["ETag"] == '"1"'
    assert http.put(f"/users/{name}", json={"age": 42, "city": "Graz"}).headers["ETag"] == '"2"'
    assert http.get(f"/users/{name}").json()["user"] == {"name": name, "age": 42, "city": "Graz"}
    assert http.delete(f"/users/{name}").status_code == 204
    for answer in (http.get(f"/users/{name}"), http.delete(f"/users/{name}")):
        assert (answer.status_code, answer.json()) == (404, {"detail": "there is no such user"})


def test_a_user_is_created_once(http: httpx.Client, name: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(http.post, f"/users/{name}", json={"age": age}) for age in range(8)]
        statuses = sorted(answer.result().status_code for answer in answers)
    assert statuses == [201] + [409] * 7


def test_a_change_is_refused_when_somebody_else_was_quicker(http: httpx.Client, name: str) -> None:
    http.put(f"/users/{name}", json={"age": 41})
    seen = http.get(f"/users/{name}").headers["ETag"]
    assert http.patch(f"/users/{name}", json={"age": 42}, headers={"If-Match": seen}).status_code == 200
    late = http.patch(f"/users/{name}", json={"age": 99}, headers={"If-Match": seen})
    assert (late.status_code, late.json()) == (412, {"detail": "somebody else has changed the user meanwhile"})
    assert http.patch(f"/users/{name}", json={"age": 99}, headers={"If-Match": "x"}).status_code == 400
    assert http.get(f"/users/{name}").json()["user"]["age"] == 42


def test_the_last_ten_events_are_kept(http: httpx.Client, name: str) -> None:
    assert http.post(f"/users/{name}/events", params={"event": "nobody's"}).status_code == 404
    http.put(f"/users/{name}", json={"age": 41})
    for number in range(12):
        answer = http.post(f"/users/{name}/events", params={"event": f"event {number}"})
        assert answer.status_code == 200
    assert answer.json() == {"events": [f"event {number}" for number in range(2, 12)]}
    assert http.get(f"/users/{name}").json()["user"]["events"] == answer.json()["events"]


def test_many_users_at_once(http: httpx.Client, name: str) -> None:
    users = {f"{name}-{number}": {"age": number} for number in range(100)}
    assert http.post("/users", json=users).json() == {"stored": 100, "failed": {}}
    names = [f"{name}-7", f"{name}-99", f"{name}-100"]
    assert http.get("/users", params={"name": names}).json() == {
        "users": {f"{name}-{number}": {"name": f"{name}-{number}", "age": number} for number in (7, 99)},
        "missing": [f"{name}-100"],
    }


def test_what_is_no_user_is_refused_before_the_database_hears_of_it(http: httpx.Client, name: str) -> None:
    assert http.put(f"/users/{name}", json={"age": -1}).status_code == 422
    assert http.put(f"/users/{name}", json={"age": "old"}).status_code == 422
    http.put(f"/users/{name}", json={"age": 41})
    wrong = http.patch(f"/users/{name}", json={"a name of a bin that is too long": 1}, headers={"If-Match": '"1"'})
    assert (wrong.status_code, wrong.json()) == (400, {"detail": "the database cannot hold that"})


def test_health_and_metrics(http: httpx.Client, name: str) -> None:
    answer = http.get("/health").json()
    assert answer["connected"] is True
    assert answer["nodes"] >= 1

    def gets() -> float:
        text = http.get("/metrics").text
        counts = re.findall(r'db_client_operation_duration_seconds_count\{[^}]*"get"[^}]*\} (\d+)', text)
        return sum(map(float, counts))

    http.put(f"/users/{name}", json={"age": 41})
    before = gets()
    for _ in range(5):
        http.get(f"/users/{name}")
    assert gets() == before + 5


def test_while_the_database_is_away_the_service_says_so_and_then_goes_on(name: str) -> None:
    with BackgroundCluster(nodes=1) as cluster:
        hosts = ",".join(f"{host}:{port}" for host, port in cluster.hosts)
        with web_service(hosts) as http:
            http.put(f"/users/{name}", json={"age": 41})
            cluster.run(cluster.cluster.stop_node, 0)
            assert http.get(f"/users/{name}").status_code in (503, 504)
            assert http.get("/health").status_code == 503
            cluster.run(cluster.cluster.start_node, 0)
            for _ in range(100):
                answer = http.get(f"/users/{name}")  # takes up to a second where there is nobody to ask
                if answer.status_code == 200:
                    break
            assert answer.json()["user"]["age"] == 41
            assert http.get("/health").json() == {"connected": True, "nodes": 1}
