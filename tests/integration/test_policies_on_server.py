"""The policies of reads and writes, by what the server makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio

import trio_aerospike as aero
from trio_aerospike import (
    TTL_DONT_UPDATE,
    TTL_NEVER_EXPIRE,
    Client,
    CommitLevel,
    Exists,
    GenerationCheck,
    Key,
    ReadModeAP,
    ReadModeSC,
    ReadPolicy,
    Replica,
    ResultCode,
    WritePolicy,
    operations as op,
)

from .conftest import Keys

pytestmark = pytest.mark.shared_cluster

UPDATED = {"a": 1, "b": 2}
REPLACED = {"b": 2}


async def default_ttl(client: Client) -> int | None:
    answer = await client.info_random_node("namespace/test")
    [seconds] = [part.partition("=")[2] for part in answer.split(";") if part.startswith("default-ttl=")]
    return int(seconds) or None


async def ttl_of(client: Client, key: Key) -> int | None:
    return (await client.get(key)).ttl


def about(ttl: int | None, expected: int | None) -> bool:
    """Whether a time to live is what was asked for a moment ago."""
    if ttl is None or expected is None:
        return ttl is expected
    return expected - 10 <= ttl <= expected + 1


# exists ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exists", "bins", "generation"),
    [
        (Exists.UPDATE, UPDATED, 2),
        (Exists.UPDATE_ONLY, UPDATED, 2),
        (Exists.REPLACE, REPLACED, 2),
        (Exists.REPLACE_ONLY, REPLACED, 2),
    ],
)
async def test_write_to_a_record_that_is_there(
    client: Client, key: Key, exists: Exists, bins: dict[str, int], generation: int
) -> None:
    await client.put(key, {"a": 1})
    await client.put(key, {"b": 2}, policy=WritePolicy(exists=exists))
    record = await client.get(key)
    assert record.bins == bins
    assert record.generation == generation


async def test_create_only_refuses_a_record_that_is_there(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1})
    with pytest.raises(aero.RecordExistsError) as info:
        await client.put(key, {"b": 2}, policy=WritePolicy(exists=Exists.CREATE_ONLY))
    assert info.value.result_code == 5
    assert not info.value.in_doubt
    record = await client.get(key)
    assert record.bins == {"a": 1}
    assert record.generation == 1


@pytest.mark.parametrize("exists", [Exists.UPDATE, Exists.REPLACE, Exists.CREATE_ONLY])
async def test_write_to_no_record_creates_it(client: Client, key: Key, exists: Exists) -> None:
    await client.put(key, {"b": 2}, policy=WritePolicy(exists=exists))
    record = await client.get(key)
    assert record.bins == {"b": 2}
    assert record.generation == 1


@pytest.mark.parametrize("exists", [Exists.UPDATE_ONLY, Exists.REPLACE_ONLY])
async def test_write_to_no_record_where_there_must_be_one(client: Client, key: Key, exists: Exists) -> None:
    with pytest.raises(aero.RecordNotFound) as info:
        await client.put(key, {"b": 2}, policy=WritePolicy(exists=exists))
    assert info.value.result_code == 2
    assert await client.exists(key) is None


async def test_create_only_may_create_again_what_was_removed(client: Client, key: Key) -> None:
    policy = WritePolicy(exists=Exists.CREATE_ONLY)
    await client.put(key, {"a": 1}, policy=policy)
    await client.remove(key, policy=policy)
    await client.put(key, {"a": 2}, policy=policy)
    assert (await client.get(key)).bins == {"a": 2}


@pytest.mark.parametrize("exists", [Exists.UPDATE, Exists.UPDATE_ONLY, Exists.REPLACE, Exists.REPLACE_ONLY])
async def test_remove_heeds_no_exists_policy(client: Client, key: Key, exists: Exists) -> None:
    await client.put(key, {"a": 1})
    await client.remove(key, policy=WritePolicy(exists=exists))
    assert await client.exists(key) is None


@pytest.mark.parametrize("exists", [Exists.UPDATE_ONLY, Exists.CREATE_ONLY])
async def test_other_writes_heed_the_exists_policy(client: Client, keys: Keys, exists: Exists) -> None:
    policy = WritePolicy(exists=exists)
    writes: list[Callable[[Key], Any]] = [
        lambda key: client.append(key, "s", "x", policy=policy),
        lambda key: client.prepend(key, "s", "x", policy=policy),
        lambda key: client.increment(key, "n", 1, policy=policy),
        lambda key: client.operate(key, [op.write("w", 1), op.read("w")], policy=policy),
    ]
    for write in writes:
        key = keys()
        if exists is Exists.CREATE_ONLY:
            await write(key)
            with pytest.raises(aero.RecordExistsError):
                await write(key)
        else:
            with pytest.raises(aero.RecordNotFound):
                await write(key)
            await client.put(key, {"other": 1})
            await write(key)
        metadata = await client.exists(key)
        assert metadata is not None
        assert metadata.generation == (1 if exists is Exists.CREATE_ONLY else 2)


@pytest.mark.parametrize("exists", [Exists.REPLACE, Exists.REPLACE_ONLY])
@pytest.mark.parametrize(
    "operations",
    [[op.increment("n", 1)], [op.append("s", "x")], [op.prepend("s", "x")], [op.touch()], [op.delete()]],
    ids=["increment", "append", "prepend", "touch", "delete"],
)
async def test_what_changes_a_bin_is_no_replacement(
    client: Client, key: Key, exists: Exists, operations: list[aero.Operation]
) -> None:
    await client.put(key, {"n": 1, "s": "a"})
    with pytest.raises(aero.ServerError) as info:
        await client.operate(key, operations, policy=WritePolicy(exists=exists))
    assert info.value.result_code == ResultCode.PARAM
    assert (await client.get(key)).bins == {"n": 1, "s": "a"}


async def test_a_bin_cannot_be_removed_by_a_replacement(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1})
    with pytest.raises(aero.ServerError) as info:
        await client.put(key, {"a": None, "b": 1}, policy=WritePolicy(exists=Exists.REPLACE))
    assert info.value.result_code == ResultCode.PARAM
    assert (await client.get(key)).bins == {"a": 1}


# generation -----------------------------------------------------------------------------------------------------

EQUAL, GREATER = GenerationCheck.EQUAL, GenerationCheck.GREATER


@pytest.mark.parametrize(
    ("check", "generation", "passes"),
    [
        (EQUAL, 2, True),
        (EQUAL, 1, False),
        (EQUAL, 3, False),
        (EQUAL, 0, False),
        (GREATER, 3, True),
        (GREATER, 65535, True),
        (GREATER, 2, False),
        (GREATER, 0, False),
        (GenerationCheck.IGNORE, 7, True),
    ],
)
async def test_a_write_is_done_only_if_the_generation_fits(
    client: Client, key: Key, check: GenerationCheck, generation: int, passes: bool
) -> None:
    policy = WritePolicy(generation_check=check, generation=generation)
    await client.put(key, {"a": 1})
    await client.put(key, {"a": 2})
    if passes:
        await client.put(key, {"a": 3}, policy=policy)
    else:
        with pytest.raises(aero.RecordGenerationError) as info:
            await client.put(key, {"a": 3}, policy=policy)
        assert info.value.result_code == 3
        assert not info.value.in_doubt
    record = await client.get(key)
    assert record["a"] == (3 if passes else 2)
    assert record.generation == (3 if passes else 2)


@pytest.mark.parametrize(
    ("check", "generation", "passes"),
    [(EQUAL, 0, True), (EQUAL, 1, False), (GREATER, 1, True), (GREATER, 0, False)],
)
async def test_no_record_has_generation_zero(
    client: Client, key: Key, check: GenerationCheck, generation: int, passes: bool
) -> None:
    policy = WritePolicy(generation_check=check, generation=generation)
    if passes:
        await client.put(key, {"a": 1}, policy=policy)
        assert (await client.get(key)).generation == 1
    else:
        with pytest.raises(aero.RecordGenerationError):
            await client.put(key, {"a": 1}, policy=policy)
        assert await client.exists(key) is None


async def test_every_write_takes_the_generation_it_expects(client: Client, key: Key) -> None:
    """The call's own generation is one that must be met, whatever the policy says."""
    policy = WritePolicy(generation_check=GREATER, generation=1000)
    writes: list[Callable[[int], Any]] = [
        lambda generation: client.put(key, {"a": 2}, generation=generation, policy=policy),
        lambda generation: client.append(key, "s", "x", generation=generation),
        lambda generation: client.prepend(key, "s", "x", generation=generation),
        lambda generation: client.increment(key, "n", 1, generation=generation),
        lambda generation: client.remove_bin(key, ["n"], generation=generation),
        lambda generation: client.operate(key, [op.write("w", 1)], generation=generation, policy=policy),
        lambda generation: client.operate_ordered(key, [op.write("w", 1)], generation=generation),
        lambda generation: client.touch(key, policy=WritePolicy(generation_check=EQUAL, generation=generation)),
        lambda generation: client.remove(key, generation=generation, policy=policy),
    ]
    await client.put(key, {"a": 1})
    for number, write in enumerate(writes, 1):
        for wrong in (number - 1, number + 1):
            with pytest.raises(aero.RecordGenerationError):
                await write(wrong)
        metadata = await client.exists(key)
        assert metadata is not None
        assert metadata.generation == number
        await write(number)
    assert await client.exists(key) is None


async def test_of_two_writers_with_the_same_generation_one_wins(client: Client, key: Key) -> None:
    await client.put(key, {"n": 0})
    outcomes: list[str] = []

    async def write(number: int) -> None:
        try:
            await client.put(key, {"n": number}, generation=1)
        except aero.RecordGenerationError:
            outcomes.append("lost")
        else:
            outcomes.append("won")

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(write, number)
    assert sorted(outcomes) == ["lost"] * 19 + ["won"]
    assert (await client.get(key)).generation == 2


# ttl ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [1000, 86400, 315360000], ids=["seconds", "a day", "ten years"])
async def test_a_record_lives_as_long_as_it_was_given(client: Client, keys: Keys, ttl: int) -> None:
    by_call, by_policy = keys(), keys()
    await client.put(by_call, {"a": 1}, ttl=ttl)
    await client.put(by_policy, {"a": 1}, policy=WritePolicy(ttl=ttl))
    assert about(await ttl_of(client, by_call), ttl)
    assert about(await ttl_of(client, by_policy), ttl)


async def test_a_calls_ttl_counts_before_that_of_its_policy(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1}, ttl=5000, policy=WritePolicy(ttl=100))
    assert about(await ttl_of(client, key), 5000)


async def test_a_record_may_never_expire(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1}, ttl=1000)
    await client.put(key, {"a": 2}, ttl=TTL_NEVER_EXPIRE)
    record = await client.get(key)
    assert record.ttl is None
    assert record.void_time == 0


async def test_a_write_may_leave_the_time_to_live_alone(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1}, ttl=1000)
    before = (await client.get(key)).void_time
    await client.put(key, {"a": 2}, ttl=TTL_DONT_UPDATE)
    record = await client.get(key)
    assert record["a"] == 2
    assert record.void_time == before
    await client.touch(key, ttl=TTL_DONT_UPDATE)
    after = await client.get(key)
    assert after.generation == 3
    assert after.void_time == before


@pytest.mark.parametrize("ttl", [None, 0, TTL_DONT_UPDATE], ids=["nothing said", "zero", "don't update"])
async def test_a_new_record_lives_as_long_as_the_namespace_says(client: Client, key: Key, ttl: int | None) -> None:
    await client.put(key, {"a": 1}, ttl=ttl)
    assert about(await ttl_of(client, key), await default_ttl(client))


@pytest.mark.parametrize("ttl", [None, 0], ids=["nothing said", "zero"])
async def test_a_later_write_starts_the_namespaces_time_to_live(client: Client, key: Key, ttl: int | None) -> None:
    await client.put(key, {"a": 1}, ttl=1000)
    await client.put(key, {"a": 1}, ttl=ttl)
    assert about(await ttl_of(client, key), await default_ttl(client))


async def test_every_write_gives_a_time_to_live(client: Client, key: Key) -> None:
    writes: list[Callable[[int], Any]] = [
        lambda ttl: client.append(key, "s", "x", ttl=ttl),
        lambda ttl: client.prepend(key, "s", "x", ttl=ttl),
        lambda ttl: client.increment(key, "n", 1, ttl=ttl),
        lambda ttl: client.remove_bin(key, ["n"], ttl=ttl),
        lambda ttl: client.operate(key, [op.write("w", 1)], ttl=ttl),
        lambda ttl: client.operate_ordered(key, [op.write("w", 1)], ttl=ttl),
        lambda ttl: client.touch(key, ttl=ttl),
        lambda ttl: client.touch(key, policy=WritePolicy(ttl=ttl)),
    ]
    for number, write in enumerate(writes, 1):
        await write(1000 * number)
        assert about(await ttl_of(client, key), 1000 * number)


# read_touch_ttl_percent -----------------------------------------------------------------------------------------


async def test_a_read_may_start_the_time_to_live_anew(client: Client, keys: Keys) -> None:
    """At 100 percent each read does, at -1 none; the server works in whole seconds and touches a little later."""
    touched, operated, left_alone = keys(), keys(), keys()
    for key in (touched, operated, left_alone):
        await client.put(key, {"a": 1}, ttl=1000)
    before = [(await client.get(key, policy=ReadPolicy(read_touch_ttl_percent=-1))).void_time for key in keys.made]
    touch, leave = ReadPolicy(read_touch_ttl_percent=100), ReadPolicy(read_touch_ttl_percent=-1)
    with trio.fail_after(20):
        while (await client.get(touched, policy=touch)).void_time == before[0] or (
            await client.operate(operated, [op.read("a")], policy=WritePolicy(read_touch_ttl_percent=100))
        ).void_time == before[1]:
            await client.get(left_alone, policy=leave)
            await trio.lowlevel.checkpoint()
    record = await client.get(left_alone, policy=leave)
    assert record.void_time == before[2]
    assert about((await client.get(touched, policy=leave)).ttl, 1000)
    assert (await client.get(touched, policy=leave)).generation == 1, "a touch by a read is no write"


@pytest.mark.parametrize("percent", [1, 50, 80])
async def test_a_read_early_in_the_life_of_a_record_starts_nothing(client: Client, key: Key, percent: int) -> None:
    await client.put(key, {"a": 1}, ttl=100_000)
    before = (await client.get(key)).void_time
    for _ in range(10):
        assert (await client.get(key, policy=ReadPolicy(read_touch_ttl_percent=percent))).void_time == before


# send_key -------------------------------------------------------------------------------------------------------


async def test_a_key_that_was_stored_is_compared_with_one_that_is_sent(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1}, policy=WritePolicy(send_key=True))
    read, write = ReadPolicy(send_key=True), WritePolicy(send_key=True)
    assert (await client.get(key, policy=read)).bins == {"a": 1}
    impostor = (key.namespace, key.set_name, "another key", key.digest)
    attempts: list[Callable[[], Any]] = [
        lambda: client.get(impostor, policy=read),
        lambda: client.select(impostor, ["a"], policy=read),
        lambda: client.exists(impostor, policy=read),
        lambda: client.put(impostor, {"a": 2}, policy=write),
        lambda: client.operate(impostor, [op.write("a", 2)], policy=write),
        lambda: client.touch(impostor, policy=write),
        lambda: client.remove(impostor, policy=write),
    ]
    for attempt in attempts:
        with pytest.raises(aero.ServerError) as info:
            await attempt()
        assert info.value.result_code == ResultCode.KEY_MISMATCH
    record = await client.get(impostor)
    assert record.bins == {"a": 1}, "nothing is compared where no key is sent"
    assert record.generation == 1


async def test_a_stored_key_stays_with_the_record(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1}, policy=WritePolicy(send_key=True))
    await client.put(key, {"a": 2})
    with pytest.raises(aero.ServerError) as info:
        await client.get((key.namespace, key.set_name, "another key", key.digest), policy=ReadPolicy(send_key=True))
    assert info.value.result_code == ResultCode.KEY_MISMATCH


async def test_a_key_that_was_never_stored_fits_any(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1})
    other = (key.namespace, key.set_name, "another key", key.digest)
    assert (await client.get(other, policy=ReadPolicy(send_key=True))).bins == {"a": 1}


@pytest.mark.parametrize("user_key", [7, -(2**63), b"\x00raw", "text"], ids=repr)
async def test_keys_of_every_type_can_be_stored(client: Client, keys: Keys, user_key: Any) -> None:
    key = keys.adopt(Key("test", f"{keys.set_name}-s", user_key))
    await client.put(key, {"a": keys.prefix}, policy=WritePolicy(send_key=True))
    assert (await client.get(key, policy=ReadPolicy(send_key=True)))["a"] == keys.prefix
    with pytest.raises(aero.ServerError) as info:
        await client.get((key.namespace, key.set_name, "x", key.digest), policy=ReadPolicy(send_key=True))
    assert info.value.result_code == ResultCode.KEY_MISMATCH
    await client.remove(key)


async def test_a_key_that_is_not_known_cannot_be_sent(
    client: Client, key: Key, nothing_sent: Callable[[], None]
) -> None:
    bare = Key.from_digest(key.namespace, key.set_name, key.digest)
    with pytest.raises(aero.InvalidArgError, match="send_key"):
        await client.put(bare, {"a": 1}, policy=WritePolicy(send_key=True))
    nothing_sent()


# commit level, durable delete, respond_all_ops ------------------------------------------------------------------


@pytest.mark.parametrize("level", CommitLevel)
async def test_a_write_is_there_for_the_next_read_at_each_commit_level(
    client: Client, keys: Keys, level: CommitLevel
) -> None:
    policy = WritePolicy(commit_level=level)
    for number in range(20):
        key = keys()
        await client.put(key, {"n": number}, policy=policy)
        await client.increment(key, "n", 1, policy=policy)
        record = await client.get(key)
        assert record.bins == {"n": number + 1}
        await client.remove(key, policy=policy)
        assert await client.exists(key) is None


async def test_a_durable_delete_is_for_the_enterprise_edition(client: Client, key: Key) -> None:
    policy = WritePolicy(durable_delete=True)
    await client.put(key, {"a": 1}, policy=policy)
    deletes: list[Callable[[], Any]] = [
        lambda: client.remove(key, policy=policy),
        lambda: client.put(key, {"a": None}, policy=policy),
        lambda: client.remove_bin(key, ["a"], policy=policy),
        lambda: client.operate(key, [op.delete()], policy=policy),
    ]
    for delete in deletes:
        with pytest.raises(aero.ServerError) as info:
            await delete()
        assert info.value.result_code == ResultCode.ENTERPRISE_ONLY
    assert (await client.get(key)).bins == {"a": 1}


async def test_every_operation_answers_where_all_are_asked_to(client: Client, key: Key) -> None:
    await client.put(key, {"n": 1})
    operations = [
        op.read("n"),
        op.increment("n", 1),
        op.read("missing"),
        op.write("s", "a"),
        op.append("s", "b"),
        op.prepend("s", "_"),
        op.read("s"),
    ]
    result = await client.operate_ordered(key, operations, policy=WritePolicy(respond_all_ops=True))
    assert result.ordered == [
        ("n", 1),
        ("n", None),
        ("missing", None),
        ("s", None),
        ("s", None),
        ("s", None),
        ("s", "_ab"),
    ]
    silent = await client.operate_ordered(key, operations)
    assert silent.ordered == [("n", 2), ("s", "_ab")]


async def test_respond_all_ops_goes_with_reading_all_bins(client: Client, key: Key) -> None:
    await client.put(key, {"a": 1})
    record = await client.operate(key, [op.write("b", 2), op.read_all()], policy=WritePolicy(respond_all_ops=True))
    assert record.bins == {"a": 1, "b": 2}


# reads: replica, read modes, compression ------------------------------------------------------------------------

LINEARIZE = ReadModeSC.LINEARIZE
READ_POLICIES = {
    **{f"replica {member.name}": ReadPolicy(replica=member) for member in Replica},
    **{f"AP {member.name}": ReadPolicy(read_mode_ap=member) for member in ReadModeAP},
    **{f"SC {member.name}": ReadPolicy(read_mode_sc=member) for member in ReadModeSC if member != LINEARIZE},
    "compress": ReadPolicy(compress=True),
    "no time limits": ReadPolicy(total_timeout=None, socket_timeout=None),
}


@pytest.mark.parametrize("policy", READ_POLICIES.values(), ids=READ_POLICIES.keys())
async def test_every_read_sees_the_last_write_under_each_read_policy(
    client: Client, keys: Keys, policy: ReadPolicy
) -> None:
    batch = aero.BatchPolicy(
        replica=policy.replica,
        read_mode_ap=policy.read_mode_ap,
        read_mode_sc=policy.read_mode_sc,
        compress=policy.compress,
        total_timeout=policy.total_timeout,
        socket_timeout=policy.socket_timeout,
    )
    for number in range(10):
        key = keys()
        await client.put(key, {"n": number})
        await client.put(key, {"n": -number})
        assert (await client.get(key, policy=policy)).bins == {"n": -number}
        assert (await client.select(key, ["n"], policy=policy)).bins == {"n": -number}
        metadata = await client.exists(key, policy=policy)
        assert metadata is not None
        assert metadata.generation == 2
        [result] = await client.batch_read([key], policy=batch)
        assert result.unwrap().bins == {"n": -number}


@pytest.mark.parametrize("replica", Replica)
@pytest.mark.parametrize("mode", ReadModeAP)
async def test_operate_takes_the_read_policies_too(
    client: Client, key: Key, replica: Replica, mode: ReadModeAP
) -> None:
    policy = WritePolicy(replica=replica, read_mode_ap=mode, read_mode_sc=ReadModeSC.ALLOW_REPLICA)
    await client.put(key, {"n": 1})
    assert (await client.operate(key, [op.read("n")], policy=policy)).bins == {"n": 1}
    assert (await client.operate(key, [op.increment("n", 1), op.read("n")], policy=policy)).bins == {"n": 2}


async def test_linearized_reads_are_for_the_enterprise_edition(client: Client, keys: Keys) -> None:
    policy = ReadPolicy(read_mode_sc=LINEARIZE)
    there, missing = keys(), keys()
    await client.put(there, {"n": 1})
    reads: list[Callable[[Key], Any]] = [
        lambda key: client.get(key, policy=policy),
        lambda key: client.select(key, ["n"], policy=policy),
        lambda key: client.exists(key, policy=policy),
        lambda key: client.operate(key, [op.read("n")], policy=WritePolicy(read_mode_sc=LINEARIZE)),
    ]
    for read in reads:
        for key in (there, missing):
            with pytest.raises(aero.ServerError) as info:
                await read(key)
            assert info.value.result_code == ResultCode.ENTERPRISE_ONLY
    results = await client.batch_read([there, missing], policy=aero.BatchPolicy(read_mode_sc=LINEARIZE))
    assert [result.result_code for result in results] == [ResultCode.ENTERPRISE_ONLY] * 2
    both = await client.operate(there, [op.increment("n", 1), op.read("n")], policy=WritePolicy(read_mode_sc=LINEARIZE))
    assert both.bins == {"n": 2}, "beside a write there is nothing to make linear"


async def test_the_clients_own_policies_are_those_of_calls_that_bring_none(client: Client, keys: Keys) -> None:
    config = client.config.replace(
        write_policy=WritePolicy(exists=Exists.CREATE_ONLY, ttl=5000), read_policy=ReadPolicy(send_key=True)
    )
    key = keys()
    async with aero.open_client(config) as other:
        await other.put(key, {"a": 1}, policy=WritePolicy(send_key=True, ttl=5000))
        with pytest.raises(aero.RecordExistsError):
            await other.put(key, {"a": 2})
        with pytest.raises(aero.ServerError):
            await other.get((key.namespace, key.set_name, "another key", key.digest))
        fresh = keys()
        await other.put(fresh, {"a": 1})
        assert about(await ttl_of(client, fresh), 5000)
