"""The `trio-aerospike` commands that talk to a cluster, as a shell runs them."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
import trio

from tests.integration.cli.command_line import COMMAND, environment, hosts_of, run
from tests.integration.conftest import HOSTS, Keys, Target
from trio_aerospike import Client, exp
from trio_aerospike.server import Fault, UserSpec, open_embedded_cluster
from trio_aerospike.server.faults import Request, Verdict


async def test_nodes_are_listed(target: Target, client: Client) -> None:
    result = await run(target, "nodes")
    assert result.code == 0, result.err
    head, *lines = result.out.splitlines()
    assert head.split() == ["NODE", "ADDRESS", "BUILD", "RECORDS", "ANSWERS"]
    assert [line.split()[0] for line in lines] == client.node_names()
    assert all(line.split()[-1] == "yes" for line in lines)


async def test_a_node_that_tells_nothing_is_listed_and_named() -> None:
    async with open_embedded_cluster(2) as cluster:
        mute, well = cluster.nodes

        async def hook(kind: str, request: Request) -> Verdict:
            return Fault.CLOSE if isinstance(request, list) and "statistics" in request else None

        mute.on_request = hook
        result = await run(Target(cluster.hosts, cluster), "nodes")
    assert result.code == 1 and f"node {mute.name}:" in result.err and "Traceback" not in result.err, result
    _, *lines = [line.split() for line in result.out.splitlines()]
    assert [(line[0], line[3], line[4]) for line in lines] == [(mute.name, "?", "no"), (well.name, "0", "yes")]


async def test_info_asks_all_nodes_or_one(target: Target, client: Client) -> None:
    result = await run(target, "info", "namespaces")
    assert result.code == 0 and "test" in result.out.splitlines(), result
    name = client.node_names()[0]
    result = await run(target, "info", "--raw", "--node", name, "node")
    assert (result.code, result.out) == (0, f"{name}\n")
    result = await run(target, "info", "--node", "nobody", "node")
    assert result.code == 2 and "nobody" in result.err


async def test_a_record_is_put_and_got(target: Target, keys: Keys) -> None:
    key = keys("ann")
    place = (key.namespace, key.set_name, str(key.user_key))
    result = await run(target, "put", *place, "name=Ann", "age=41", 'tags=["a", {"$bytes": "AAE="}]', "--ttl", "1000")
    assert (result.code, result.out, result.err) == (0, "", "")
    result = await run(target, "get", *place)
    document = json.loads(result.out)
    assert document.pop("ttl") in range(900, 1001)
    assert document == {
        "namespace": "test",
        "set": key.set_name,
        "key": key.user_key,
        "generation": 1,
        "bins": {"name": "Ann", "age": 41, "tags": ["a", {"$bytes": "AAE="}]},
    }
    result = await run(target, "get", *place[:2], key.digest.hex(), "--key-type", "digest", "--bins", "age")
    assert json.loads(result.out)["bins"] == {"age": 41}


async def test_a_record_that_is_not_there_is_exit_code_1(target: Target, keys: Keys) -> None:
    key = keys()
    result = await run(target, "get", key.namespace, key.set_name, str(key.user_key))
    assert result.code == 1 and result.out == "" and "there is no record" in result.err
    assert "--key-type" not in result.err
    result = await run(target, "get", key.namespace, key.set_name, "-17")
    assert result.code == 1 and "--key-type int" in result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("get", "test", "s", "x", "--key-type", "int"), "key: got 'x'"),
        (("get", "test", "s", "00", "--key-type", "digest"), "Key.digest"),
        (("put", "test", "s", "k", "novalue"), "bins: got 'novalue'"),
        (("put", "test", "s", "k", "a_bin_name_too_long=1"), "1 to 15 bytes"),
        (("put", "test", "s", "k", 'a={"$what": 1}'), "$what"),
        (("load", "/nowhere/at/all"), "/nowhere/at/all"),
        (("nodes", "--user", "ann"), "there is no password"),
        (("nodes", "--user", "ann", "--password-file", "/nowhere/at/all"), "--password-file"),
        (("nodes", "--tls-ca", "/nowhere/at/all"), "--tls-ca"),
        (("bench", "--records", "0"), "1 to 100,000,000"),
        (("scan", "test", "--filter", "rubbish"), "rubbish"),
        (("scan", "test", "--partitions", "4096"), "4096"),
        (("scan", "test", "--output", "/nowhere/at/all"), "/nowhere/at/all"),
        (("nodes", "--timeout", "-1"), "ClientConfig.timeout: got -1.0"),
    ],
)
async def test_wrong_input_is_exit_code_2_with_a_reason(arguments: tuple[str, ...], words: str) -> None:
    async with open_embedded_cluster(1) as cluster:
        result = await run(Target(cluster.hosts, cluster), *arguments)
    assert result.code == 2 and words in result.err, result
    assert "Traceback" not in result.err


async def test_no_server_is_exit_code_3() -> None:
    result = await run(Target("127.0.0.1:1", None), "nodes", "--timeout", "1")
    assert result.code == 3 and "127.0.0.1:1" in result.err and "Traceback" not in result.err


async def test_lines_are_loaded_until_one_is_wrong(target: Target, client: Client, keys: Keys, tmp_path: Path) -> None:
    made = [keys(number) for number in range(300)]
    lines = [json.dumps({"namespace": "test", "set": key.set_name, "key": key.user_key, "bins": {"n": number}})
             for number, key in enumerate(made)]  # fmt: skip
    file = tmp_path / "records.jsonl"
    file.write_text("\n\n".join(lines))
    result = await run(target, "load", str(file), "--in-flight", "32")
    assert (result.code, result.out, result.err) == (0, "300 records written\n", "")
    assert [found.unwrap()["n"] for found in await client.batch_read(made)] == list(range(300))

    moved = keys("moved")
    ours = json.dumps({"key": moved.user_key, "bins": {"n": 1}})
    text = f"{ours}\n\n{{}}\n{ours}\n".encode()
    result = await run(target, "load", "--namespace", "test", "--set", moved.set_name, stdin=text)
    assert (result.code, result.out) == (2, "1 record written\n")
    assert "line 3:" in result.err
    assert (await client.get(moved))["n"] == 1


async def test_a_scan_of_records_without_stored_keys_is_loaded_again(
    target: Target, client: Client, keys: Keys
) -> None:
    made = [keys(f"digest-{number}") for number in range(200)]
    async with trio.open_nursery() as nursery:
        for number, key in enumerate(made):
            nursery.start_soon(client.put, key, {"round_trip": number})
    scan = await run(target, "scan", "test", keys.set_name, "--bins", "round_trip")
    assert scan.code == 0 and all("digest" in json.loads(line) for line in scan.out.splitlines())
    async with trio.open_nursery() as nursery:
        for key in made:
            nursery.start_soon(client.remove, key)
    lines = len(scan.out.splitlines())
    result = await run(target, "load", stdin=scan.out.encode())
    assert (result.code, result.out, result.err) == (0, f"{lines} records written\n", "")
    assert [found.unwrap()["round_trip"] for found in await client.batch_read(made)] == list(range(200))


async def test_a_record_known_by_its_digest_does_not_move_to_another_set(target: Target, keys: Keys) -> None:
    line = json.dumps({"namespace": "test", "set": "one", "digest": "00" * 20, "bins": {"a": 1}}).encode()
    result = await run(target, "load", "--set", keys.set_name, stdin=line)
    assert result.code == 2 and "stays in its set 'one'" in result.err


async def test_lines_of_one_key_are_written_in_their_order(target: Target, client: Client, keys: Keys) -> None:
    hot, cold = keys("hot"), [keys(number) for number in range(200)]
    lines = []
    for number in range(2000):
        for key in (hot, cold[number % 200]):
            lines.append({"namespace": "test", "set": key.set_name, "key": key.user_key, "bins": {"n": number}})
    result = await run(target, "load", stdin="\n".join(map(json.dumps, lines)).encode())
    assert (result.code, result.out) == (0, "4,000 records written\n")
    record = await client.get(hot)
    assert (record["n"], record.generation) == (1999, 2000)
    assert [found.unwrap()["n"] for found in await client.batch_read(cold)] == list(range(1800, 2000))


async def test_lines_before_the_first_wrong_one_are_all_written(target: Target, client: Client, keys: Keys) -> None:
    key = keys("hot")
    line = {"namespace": "test", "set": key.set_name, "key": key.user_key}
    lines = [json.dumps({**line, "bins": {"n": number}}) for number in range(500)]
    lines.insert(400, json.dumps({**line, "bins": {"a_bin_name_too_long": 1}}))
    result = await run(target, "load", stdin="\n".join(lines).encode())
    assert (result.code, result.out) == (2, "400 records written\n") and "line 401:" in result.err
    assert (await client.get(key))["n"] == 399


async def test_what_the_server_refuses_is_exit_code_1_with_its_line(target: Target) -> None:
    line = json.dumps({"namespace": "nowhere", "set": "s", "key": 1, "bins": {"n": 1}}).encode()
    result = await run(target, "load", stdin=b"\n" + line + b"\n")
    assert result.code != 0 and "line 2:" in result.err and result.out == "0 records written\n", result


async def test_rates_and_latencies_are_measured_and_nothing_stays(target: Target, client: Client, keys: Keys) -> None:
    result = await run(target, "bench", "--records", "200", "--set", keys.set_name)
    assert result.code == 0, result.err
    lines = [line.split() for line in result.out.splitlines()]
    assert [line[0] for line in lines] == ["COMMAND", "put", "get"]
    assert all(float(line[1].replace(",", "")) > 0 and float(line[3]) >= float(line[2]) for line in lines[1:])
    if target.embedded is not None:
        assert not any(list(node.stores["test"].records()) for node in target.embedded.nodes)


@pytest.mark.skipif(bool(HOSTS), reason="a Community Edition has no users")
async def test_users_log_in_with_a_password_from_the_environment_or_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("pass\n")
    users: dict[str, str | UserSpec] = {"admin": "secret", "ann": UserSpec("pass", ["read"])}
    async with open_embedded_cluster(1, users=users) as cluster:
        target = Target(cluster.hosts, cluster)
        assert (await run(target, "nodes", "--user", "ann", AEROSPIKE_PASSWORD="pass")).code == 0
        assert (await run(target, "nodes", "--user", "ann", "--password-file", str(secret))).code == 0
        result = await run(target, "nodes", "--user", "ann", AEROSPIKE_PASSWORD="guess-77")
        assert result.code == 1 and "'ann'" in result.err and "guess-77" not in result.err
        refused = await run(target, "put", "test", "s", "k", "a=1", "--user", "ann", AEROSPIKE_PASSWORD="pass")
        assert refused.code == 1 and "permit" in refused.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_a_load_from_a_silent_pipe(number: signal.Signals) -> None:
    async with open_embedded_cluster(1) as cluster:
        (host, port), *_ = cluster.hosts
        process = await trio.lowlevel.open_process(
            [*COMMAND, "load", "--hosts", f"{host}:{port}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        assert process.stdin is not None and process.stderr is not None
        await process.stdin.send_all(b'{"namespace": "test", "key": 1, "bins": {"a": 1}}\n' * 9000)
        with trio.fail_after(30):
            while not cluster.nodes[0].stats.requests["message"]:
                await trio.sleep(0.01)
            process.send_signal(number)
            assert await process.wait() == 128 + number
            errors = b"".join([chunk async for chunk in process.stderr])
            while cluster.nodes[0].connections:
                await trio.sleep(0.01)
        assert b"Traceback" not in errors, errors


@pytest.mark.parametrize("often", [1, 2])
async def test_a_signal_ends_a_bench_which_removes_what_it_wrote_and_a_second_one_does_not_wait(often: int) -> None:
    async with open_embedded_cluster(1) as cluster:
        node = cluster.nodes[0]
        (host, port), *_ = cluster.hosts
        process = await trio.lowlevel.open_process(
            [*COMMAND, "bench", "--hosts", f"{host}:{port}", "--records", "100000000"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        with trio.fail_after(60):
            while sum(1 for _ in node.stores["test"].records()) < 500:
                await trio.sleep(0.01)
            if often == 1:
                process.send_signal(signal.SIGINT)
            else:
                node.pause()  # so that nothing can be removed
                while process.poll() is None:
                    # Two that come at once are one.
                    process.send_signal(signal.SIGINT)
                    await trio.sleep(0.5)
            code = await process.wait()
            node.resume()
            while node.connections:
                await trio.sleep(0.01)
        assert code == (130 if often == 1 else -signal.SIGINT)
        assert (sum(1 for _ in node.stores["test"].records()) == 0) is (often == 1)


async def test_a_scan_tells_all_records_and_load_takes_them(
    target: Target, client: Client, keys: Keys, tmp_path: Path
) -> None:
    made = [keys(f"scan-{number}") for number in range(250)]
    lines = [
        json.dumps({"namespace": "test", "set": key.set_name, "key": key.user_key, "bins": {"n": number, "b": None}})
        for number, key in enumerate(made)
    ]
    assert (await run(target, "load", stdin="\n".join(lines).encode())).code == 0
    mine = (exp.int_bin("n") >= 0).to_base64()
    result = await run(target, "scan", "test", keys.set_name, "--filter", mine)
    assert (result.code, result.err) == (0, "")
    found = {line["key"]: line for line in map(json.loads, result.out.splitlines())}
    assert {key: line["bins"] for key, line in found.items() if key in {key.user_key for key in made}} == {
        key.user_key: {"n": number} for number, key in enumerate(made)
    }
    file = tmp_path / "out.jsonl"
    result = await run(target, "scan", "test", keys.set_name, "--max", "10", "--no-bins", "--output", str(file))
    assert (result.code, result.out) == (0, "")
    assert [json.loads(line)["bins"] for line in file.read_text().splitlines()] == [{}] * 10


async def test_a_reader_that_has_enough_ends_a_scan_without_a_word(target: Target, client: Client, keys: Keys) -> None:
    made = [keys(f"head-{number}") for number in range(400)]
    async with trio.open_nursery() as nursery:
        for key in made:
            nursery.start_soon(client.put, key, {"text": "x" * 1000})
    scan = " ".join(map(shlex.quote, [*COMMAND, "scan", "test", keys.set_name]))
    done = await trio.run_process(
        ["bash", "-c", f"{scan} | head -n 1"],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env=environment(AEROSPIKE_HOSTS=hosts_of(target)),
    )
    assert json.loads(done.stdout)["bins"] and done.stderr == b""
