"""Policies: defaults, copies, and what they mean on the wire."""

from __future__ import annotations

import pickle

import attrs
import pytest

from trio_aerospike._wire import constants as wire
from trio_aerospike.errors import InvalidArgError
from trio_aerospike.policies import (
    TTL_DONT_UPDATE,
    TTL_NAMESPACE_DEFAULT,
    TTL_NEVER_EXPIRE,
    AdminPolicy,
    BatchConcurrency,
    BatchPolicy,
    CommitLevel,
    Exists,
    GenerationCheck,
    InfoPolicy,
    ReadModeAP,
    ReadModeSC,
    ReadPolicy,
    Replica,
    WritePolicy,
    checked_generation,
    wire_ttl,
)

READ_DEFAULTS = {
    "total_timeout": 1.0,
    "socket_timeout": 30.0,
    "max_retries": 2,
    "sleep_between_retries": 0.0,
    "replica": Replica.SEQUENCE,
    "read_mode_ap": ReadModeAP.ONE,
    "read_mode_sc": ReadModeSC.SESSION,
    "read_touch_ttl_percent": 0,
    "filter_expression": None,
    "send_key": False,
    "compress": False,
}
WRITE_DEFAULTS = READ_DEFAULTS | {
    "max_retries": 0,
    "exists": Exists.UPDATE,
    "generation_check": GenerationCheck.IGNORE,
    "generation": 0,
    "ttl": None,
    "commit_level": CommitLevel.ALL,
    "durable_delete": False,
    "respond_all_ops": False,
}
BATCH_DEFAULTS = READ_DEFAULTS | {
    "allow_inline": True,
    "allow_inline_ssd": False,
    "respond_all_keys": True,
    "concurrency": BatchConcurrency.PARALLEL,
}


@pytest.mark.parametrize(
    ("policy", "defaults"),
    [
        (ReadPolicy(), READ_DEFAULTS),
        (WritePolicy(), WRITE_DEFAULTS),
        (BatchPolicy(), BATCH_DEFAULTS),
        (InfoPolicy(), {"timeout": 1.0}),
        (AdminPolicy(), {"timeout": 1.0}),
    ],
)
def test_every_default(policy, defaults):
    public = attrs.asdict(policy, filter=lambda a, _: not a.name.startswith("_"))
    assert public == defaults


@pytest.mark.parametrize(
    ("member", "number"),
    [
        (Replica.MASTER, 0),
        (Replica.SEQUENCE, 1),
        (Replica.PREFER_RACK, 2),
        (ReadModeAP.ONE, 0),
        (ReadModeAP.ALL, 1),
        (Exists.UPDATE, 0),
        (Exists.UPDATE_ONLY, 1),
        (Exists.REPLACE, 2),
        (Exists.REPLACE_ONLY, 3),
        (Exists.CREATE_ONLY, 4),
        (GenerationCheck.IGNORE, 0),
        (GenerationCheck.EQUAL, 1),
        (GenerationCheck.GREATER, 2),
        (CommitLevel.ALL, 0),
        (CommitLevel.MASTER, 1),
        (BatchConcurrency.SEQUENTIAL, 0),
        (BatchConcurrency.PARALLEL, 1),
    ],
)
def test_enums_have_the_numbers_of_aerospike_py(member, number):
    assert member == number


def test_numbers_become_members():
    policy = WritePolicy(exists=4, generation_check=1, commit_level=1, replica=0, read_mode_ap=1, read_mode_sc=2)  # type: ignore[arg-type]
    assert policy.exists is Exists.CREATE_ONLY
    assert policy.generation_check is GenerationCheck.EQUAL
    assert policy.commit_level is CommitLevel.MASTER
    assert policy.replica is Replica.MASTER
    assert policy.read_mode_ap is ReadModeAP.ALL
    assert policy.read_mode_sc is ReadModeSC.ALLOW_REPLICA
    assert BatchPolicy(concurrency=0).concurrency is BatchConcurrency.SEQUENTIAL  # type: ignore[arg-type]


def test_policies_are_frozen():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ReadPolicy().total_timeout = 3.0  # type: ignore[misc]


def test_replace_changes_the_copy_and_its_wire_flags():
    policy = WritePolicy()
    changed = policy.replace(durable_delete=True, ttl=60)
    assert (changed._info2, changed._wire_ttl) == (wire.INFO2_DURABLE_DELETE, 60)
    assert (policy._info2, policy._wire_ttl) == (0, 0)
    assert changed.replace(durable_delete=False, ttl=None) == policy


def test_replace_keeps_the_class():
    changed = BatchPolicy(allow_inline=False).replace(max_retries=5)
    assert type(changed) is BatchPolicy
    assert (changed.allow_inline, changed.max_retries) == (False, 5)


def test_none_means_no_limit():
    policy = ReadPolicy(total_timeout=None, socket_timeout=None)
    assert policy.total_timeout is policy.socket_timeout is None
    assert InfoPolicy(timeout=None).timeout is None


@pytest.mark.parametrize("policy", [ReadPolicy(replica=Replica.MASTER), WritePolicy(ttl=5), BatchPolicy()])
def test_pickled_policies_keep_their_wire_flags(policy):
    twin = pickle.loads(pickle.dumps(policy))
    assert twin == policy
    for a in attrs.fields(type(policy)):
        assert getattr(twin, a.name) == getattr(policy, a.name)


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, (0, 0, 0)),
        ({"read_mode_ap": ReadModeAP.ALL}, (wire.INFO1_CONSISTENCY_LEVEL_ALL, 0, 0)),
        ({"compress": True}, (wire.INFO1_COMPRESS_RESPONSE, 0, 0)),
        ({"read_mode_sc": ReadModeSC.LINEARIZE}, (0, wire.INFO3_SC_READ_TYPE, 0)),
        ({"read_mode_sc": ReadModeSC.ALLOW_REPLICA}, (0, wire.INFO3_SC_READ_RELAX, 0)),
        (
            {"read_mode_sc": ReadModeSC.ALLOW_UNAVAILABLE},
            (0, wire.INFO3_SC_READ_TYPE | wire.INFO3_SC_READ_RELAX, 0),
        ),
        ({"read_touch_ttl_percent": 80}, (0, 0, 80)),
        ({"read_touch_ttl_percent": -1}, (0, 0, 0xFFFFFFFF)),
    ],
)
def test_wire_flags_of_a_read(changes, flags):
    read = ReadPolicy(**changes)
    assert (read._info1, read._info3, read._wire_ttl) == flags
    batch = BatchPolicy(**changes)
    assert (batch._info1, batch._info3, batch._wire_ttl) == flags
    write = WritePolicy(**changes)
    assert (write._read_info1, write._read_info3, write._read_wire_ttl) == flags
    assert (write._info2, write._info3, write._wire_ttl) == (0, 0, 0)


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({"exists": Exists.UPDATE}, (0, 0)),
        ({"exists": Exists.UPDATE_ONLY}, (0, wire.INFO3_UPDATE_ONLY)),
        ({"exists": Exists.REPLACE}, (0, wire.INFO3_CREATE_OR_REPLACE)),
        ({"exists": Exists.REPLACE_ONLY}, (0, wire.INFO3_REPLACE_ONLY)),
        ({"exists": Exists.CREATE_ONLY}, (wire.INFO2_CREATE_ONLY, 0)),
        ({"commit_level": CommitLevel.MASTER}, (0, wire.INFO3_COMMIT_LEVEL_MASTER)),
        ({"durable_delete": True}, (wire.INFO2_DURABLE_DELETE, 0)),
        ({"generation_check": GenerationCheck.EQUAL}, (wire.INFO2_GENERATION, 0)),
        ({"generation_check": GenerationCheck.GREATER}, (wire.INFO2_GENERATION_GT, 0)),
        (
            {"exists": 4, "generation_check": 1, "durable_delete": True, "commit_level": 1},
            (
                wire.INFO2_CREATE_ONLY | wire.INFO2_GENERATION | wire.INFO2_DURABLE_DELETE,
                wire.INFO3_COMMIT_LEVEL_MASTER,
            ),
        ),
    ],
)
def test_wire_flags_of_a_write(changes, flags):
    policy = WritePolicy(**changes)
    assert (policy._info2, policy._info3) == flags


def test_the_generation_is_sent_only_where_it_is_checked():
    assert WritePolicy(generation=7)._generation == 0
    assert WritePolicy(generation=7, generation_check=GenerationCheck.EQUAL)._generation == 7
    assert WritePolicy(generation=7, generation_check=GenerationCheck.GREATER)._generation == 7


@pytest.mark.parametrize(
    ("ttl", "sent"),
    [
        (None, 0),
        (TTL_NAMESPACE_DEFAULT, 0),
        (1, 1),
        (10 * 365 * 86400, 315360000),
        (TTL_NEVER_EXPIRE, 0xFFFFFFFF),
        (TTL_DONT_UPDATE, 0xFFFFFFFE),
    ],
)
def test_ttl_on_the_wire(ttl, sent):
    assert wire_ttl(ttl) == sent
    assert WritePolicy(ttl=ttl)._wire_ttl == sent


def test_generations_up_to_16_bits():
    assert checked_generation(0) == 0
    assert checked_generation(65535) == 65535
    with pytest.raises(InvalidArgError, match="generation: got 65536, allowed: an int from 0 to 65535"):
        checked_generation(65536)


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, wire.BATCH_INLINE | wire.BATCH_RESPOND_ALL),
        ({"allow_inline": False}, wire.BATCH_RESPOND_ALL),
        ({"allow_inline_ssd": True}, wire.BATCH_INLINE | wire.BATCH_INLINE_SSD | wire.BATCH_RESPOND_ALL),
        ({"respond_all_keys": False}, wire.BATCH_INLINE),
    ],
)
def test_flags_of_a_batch(changes, flags):
    assert BatchPolicy(**changes)._batch_flags == flags | wire.BATCH_REPORT_ERROR_RECORD
