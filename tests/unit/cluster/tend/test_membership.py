"""The decisions of the tend loop, case by case."""

import pytest

from tests.unit.cluster.tend.fake_peers import FakePeer, at
from trio_aerospike._cluster.tend.membership import (
    Add,
    Ask,
    Claims,
    Dial,
    Drop,
    Fetch,
    Reason,
    Reject,
    Seed,
    Status,
    TendState,
)
from trio_aerospike._cluster.tend.partition_map import BITMAP_BYTES
from trio_aerospike.errors import ProtocolError


def peers(**numbers):
    return [FakePeer(name, (at(number),)) for name, number in numbers.items()]


def seed(number):
    return Dial(None, (at(number),))


REPLICAS = {"test": (0, [bytes(BITMAP_BYTES)])}


def cluster_of(**numbers):
    """A state that knows these nodes, each of which lists all others."""
    tend = TendState()
    for name, number in numbers.items():
        tend.found(seed(number), at(number), Status(name, 1, 1))
    for name in numbers:
        others = {other: number for other, number in numbers.items() if other != name}
        tend.fetched(name, peers=(1, peers(**others)), partitions=(1, REPLICAS))
    return tend


def owns_all(name):
    return True


def owns_none(name):
    return False


# ---- reading a status


def test_a_status_is_read_from_the_info_answers():
    answers = {
        "node": "A1",
        "peers-generation": "4",
        "partition-generation": "-1",
        "rebalance-generation": "2",
        "cluster-name": "docker",
    }
    assert Status.from_answers(answers) == Status("A1", 4, -1, 2, "docker")


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("node", ""),
        ("node", "ERROR:80:not authenticated"),
        ("peers-generation", ""),
        ("peers-generation", "ERROR:4:no"),
        ("partition-generation", "many"),
        ("rebalance-generation", None),
    ],
)
def test_a_status_without_sense_is_a_protocol_error_that_names_the_answer(name, answer):
    answers = {"node": "A1", "peers-generation": "4", "partition-generation": "1", "rebalance-generation": "1"}
    answers[name] = answer
    if answer is None:
        del answers[name]
    with pytest.raises(ProtocolError, match=name):
        Status.from_answers(answers)


# ---- finding nodes


def test_without_nodes_a_round_begins_with_the_seeds():
    assert TendState().begin_round() == [Seed()]


def test_a_seed_that_answers_becomes_a_node_of_which_everything_is_fetched():
    tend = TendState(racks=True)
    assert tend.found(seed(1), at(1), Status("A", 1, 1)) == [
        Add("A", at(1)),
        Fetch("A", peers=True, partitions=True, racks=True),
    ]
    assert tend.names == ("A",)
    assert tend.connected


def test_listed_peers_are_dialled_once_at_all_the_addresses_that_nodes_list_for_them():
    tend = cluster_of(A=1, B=2)
    tend.status("A", Status("A", 2, 1))
    tend.status("B", Status("B", 2, 1))
    both = [FakePeer("C", (at(3), at(4)), "c.example"), *peers(B=2)]
    other = [FakePeer("C", (at(4), at(5)), "c.example"), *peers(A=1)]
    assert tend.fetched("A", peers=(2, both)) == [Dial("C", (at(3), at(4)), "c.example")]
    assert tend.fetched("B", peers=(2, other)) == []
    tend.unreachable(Dial("C", (at(3), at(4))))
    assert tend.begin_round() == [Ask("A"), Ask("B"), Dial("C", (at(3), at(4), at(5)), "c.example")]


def test_a_peer_that_cannot_be_reached_is_dialled_again_in_the_next_round_but_not_before():
    tend = cluster_of(A=1)
    tend.status("A", Status("A", 2, 1))
    (dial,) = tend.fetched("A", peers=(2, peers(B=2)))
    assert tend.begin_round() == [Ask("A")]  # still being dialled
    assert tend.unreachable(dial) == []
    assert tend.failed("A") == []
    assert dial in tend.begin_round() or not tend.connected


def test_a_known_node_is_not_taken_twice_however_it_is_called():
    tend = cluster_of(A=1)
    alias = ("a.example", 3001)
    status = Status("A", 1, 1)
    assert tend.found(Dial(None, (alias,)), alias, status) == [Reject(alias, status, Reason.KNOWN)]
    assert tend.address("A") == at(1)


def test_another_node_at_the_address_of_a_peer_is_not_taken_for_it():
    tend = cluster_of(A=1)
    tend.status("A", Status("A", 2, 1))
    (dial,) = tend.fetched("A", peers=(2, peers(B=2)))
    status = Status("X", 1, 1)
    assert tend.found(dial, at(2), status) == [Reject(at(2), status, Reason.OTHER_NODE)]


def test_a_node_that_has_not_joined_yet_is_not_added():
    tend = TendState()
    status = Status("A", 0, -1)
    assert tend.found(seed(1), at(1), status) == [Reject(at(1), status, Reason.NOT_READY)]
    assert tend.begin_round() == [Seed()]


def test_a_node_of_another_cluster_is_not_added_and_a_known_one_is_dropped():
    tend = TendState("docker")
    wrong = Status("A", 1, 1, 1, "prod")
    assert tend.found(seed(1), at(1), wrong) == [Reject(at(1), wrong, Reason.OTHER_CLUSTER)]
    right = Status("A", 1, 1, 1, "docker")
    assert tend.found(seed(1), at(1), right)[0] == Add("A", at(1))
    assert tend.status("A", wrong) == [Drop("A", Reason.OTHER_CLUSTER)]


def test_a_second_node_behind_the_same_address_is_not_added():
    tend = cluster_of(A=1)
    status = Status("B", 1, 1)
    assert tend.found(seed(1), at(1), status) == [Reject(at(1), status, Reason.ADDRESS_TAKEN)]


# ---- what is fetched, and when


def test_equal_generations_fetch_nothing():
    assert cluster_of(A=1).status("A", Status("A", 1, 1)) == []


@pytest.mark.parametrize("generation", [2, 900])
def test_a_larger_generation_fetches_what_it_counts(generation):
    tend = cluster_of(A=1)
    assert tend.status("A", Status("A", 1, generation)) == [Fetch("A", partitions=True)]
    tend = cluster_of(A=1)
    assert tend.status("A", Status("A", generation, 1)) == [Fetch("A", peers=True)]


def test_a_smaller_generation_means_a_restart_and_fetches_everything():
    assert cluster_of(A=1).status("A", Status("A", 1, 0)) == [Fetch("A", peers=True, partitions=True)]
    assert cluster_of(A=1).status("A", Status("A", 0, 1)) == [Fetch("A", peers=True, partitions=True)]


def test_equal_generations_over_a_new_connection_may_hide_a_restart_and_fetch_everything():
    tend = cluster_of(A=1)
    assert tend.status("A", Status("A", 1, 1), reconnected=True) == [Fetch("A", peers=True, partitions=True)]


def test_racks_are_fetched_only_if_wanted():
    tend = cluster_of(A=1)
    assert tend.status("A", Status("A", 1, 1, 5)) == []
    tend = TendState(racks=True)
    tend.found(seed(1), at(1), Status("A", 1, 1, 4))
    tend.fetched("A", peers=(1, []), partitions=(1, REPLICAS), racks=4)
    assert tend.status("A", Status("A", 1, 1, 4)) == []
    assert tend.status("A", Status("A", 1, 1, 5)) == [Fetch("A", racks=True)]


def test_after_a_failure_everything_is_fetched_anew():
    tend = cluster_of(A=1, B=2)
    tend.failed("A")
    assert tend.status("A", Status("A", 1, 1)) == [Fetch("A", peers=True, partitions=True)]


def test_a_displaced_node_is_asked_for_its_replicas_again():
    tend = cluster_of(A=1, B=2)
    tend.displaced({"A", "nobody"})
    assert tend.status("A", Status("A", 1, 1)) == [Fetch("A", partitions=True)]
    assert tend.status("B", Status("B", 1, 1)) == []


def test_a_node_being_asked_is_not_asked_again_and_does_not_hold_the_others_up():
    tend = cluster_of(A=1, B=2)
    assert tend.begin_round() == [Ask("A"), Ask("B")]
    tend.status("B", Status("B", 1, 1))
    assert tend.begin_round() == [Ask("B")]
    tend.failed("A")
    tend.status("B", Status("B", 1, 1))
    assert tend.begin_round() == [Ask("A"), Ask("B")]


def test_the_generation_counts_that_came_with_the_replicas_not_the_one_of_the_status():
    tend = cluster_of(A=1)
    tend.status("A", Status("A", 1, 2))
    tend.fetched("A", partitions=(3, REPLICAS))
    assert tend.status("A", Status("A", 1, 3)) == []


# ---- whose claims count


def test_a_node_at_generation_minus_one_gives_up_what_it_owned_once():
    tend = cluster_of(A=1, B=2)
    assert tend.status("A", Status("A", 1, -1)) == [Claims("A", -1, {}), Fetch("A", peers=True)]
    tend.fetched("A", peers=(1, []))
    assert tend.status("A", Status("A", 1, -1)) == []
    tend.displaced({"A"})
    assert tend.status("A", Status("A", 1, -1)) == []
    assert tend.status("A", Status("A", 1, 1)) == [Fetch("A", partitions=True)]
    assert tend.fetched("A", partitions=(-1, REPLICAS)) == [Claims("A", -1, {})]


def test_a_node_split_off_from_the_others_does_not_claim_the_map():
    tend = cluster_of(A=1, B=2, C=3)
    tend.status("C", Status("C", 2, 2))
    assert tend.fetched("C", peers=(2, []), partitions=(2, REPLICAS)) == []
    assert tend.status("C", Status("C", 3, 2)) == [Fetch("C", peers=True)]
    assert tend.fetched("C", peers=(3, peers(A=1, B=2))) == [Claims("C", 2, REPLICAS)]


def test_the_last_node_of_a_cluster_claims_the_map_as_soon_as_the_others_fail():
    tend = cluster_of(A=1, B=2)
    tend.status("A", Status("A", 2, 2))
    assert tend.fetched("A", peers=(2, []), partitions=(2, REPLICAS)) == []
    assert tend.failed("B") == [Claims("A", 2, REPLICAS)]


def test_the_last_node_claims_the_map_at_once_if_the_other_failed_before():
    tend = cluster_of(A=1, B=2)
    tend.failed("B")
    tend.status("A", Status("A", 2, 2))
    assert tend.fetched("A", peers=(2, []), partitions=(2, REPLICAS)) == [Claims("A", 2, REPLICAS)]


def test_a_node_that_restarted_alone_does_not_keep_the_last_one_from_claiming_the_map():
    tend = cluster_of(A=1, B=2)
    tend.status("B", Status("B", 0, 0))
    tend.fetched("B", peers=(0, []), partitions=(0, REPLICAS))
    tend.status("A", Status("A", 2, 2))
    assert tend.fetched("A", peers=(2, []), partitions=(2, REPLICAS)) == [Claims("A", 2, REPLICAS)]


def test_of_two_loners_the_first_is_the_cluster():
    tend = TendState()
    for name, number in {"A": 1, "B": 2}.items():
        tend.found(seed(number), at(number), Status(name, 1, 1))
    assert tend.fetched("A", peers=(1, []), partitions=(1, REPLICAS)) == [Claims("A", 1, REPLICAS)]
    assert tend.fetched("B", peers=(1, []), partitions=(1, REPLICAS)) == []
    assert tend.end_round(lambda name: name == "A") == [Drop("B", Reason.UNUSED)]


# ---- who goes


def test_a_dead_node_stays_while_the_others_list_it_and_goes_with_the_first_round_in_which_they_do_not():
    tend = cluster_of(A=1, B=2, C=3)
    for _ in range(10):
        tend.failed("C")
        assert tend.end_round(owns_all) == []
    for name, others in {"A": peers(B=2), "B": peers(A=1)}.items():
        tend.status(name, Status(name, 2, 1))
        tend.fetched(name, peers=(2, others))
    assert tend.end_round(owns_all) == [Drop("C", Reason.GONE)]


def test_of_two_nodes_the_dead_one_goes_when_the_other_has_said_that_it_is_alone():
    tend = cluster_of(A=1, B=2)
    tend.failed("B")
    assert tend.end_round(owns_all) == []
    tend.status("A", Status("A", 2, 1))
    tend.fetched("A", peers=(2, []))
    assert tend.end_round(owns_all) == [Drop("B", Reason.GONE)]


def test_a_single_node_that_does_not_answer_goes_after_five_failures_and_the_seeds_are_asked_from_the_first():
    tend = cluster_of(A=1)
    for _ in range(4):
        tend.failed("A")
        assert tend.end_round(owns_all) == []
        assert tend.begin_round() == [Seed(), Ask("A")]
    tend.failed("A")
    assert tend.end_round(owns_all) == [Drop("A", Reason.SILENT)]
    assert tend.begin_round() == [Seed()]


def test_a_live_node_that_nobody_lists_stays_as_long_as_it_owns_partitions():
    tend = cluster_of(A=1, B=2, C=3)
    for name, others in {"A": peers(B=2), "B": peers(A=1)}.items():
        tend.status(name, Status(name, 2, 1))
        tend.fetched(name, peers=(2, others))
    assert tend.end_round(owns_all) == []
    assert tend.end_round(owns_none) == [Drop("C", Reason.UNUSED)]


def test_the_last_answering_node_is_never_dropped_for_being_unlisted():
    tend = TendState()
    for name, number in {"A": 1, "B": 2}.items():
        tend.found(seed(number), at(number), Status(name, 1, 1))
        tend.fetched(name, peers=(1, []), partitions=(1, REPLICAS))
    assert tend.end_round(owns_none) == [Drop("A", Reason.UNUSED), Claims("B", 1, REPLICAS)]
    assert tend.end_round(owns_none) == []


def test_nodes_that_have_not_joined_yet_are_no_witnesses():
    tend = cluster_of(A=1, B=2)
    tend.status("A", Status("A", 0, -1))
    tend.fetched("A", peers=(0, []))
    tend.failed("B")
    assert tend.end_round(owns_none) == []


def test_a_node_in_the_middle_of_its_first_fetch_is_not_dropped_for_owning_nothing():
    tend = cluster_of(A=1)
    tend.found(seed(2), at(2), Status("B", 1, 1))
    assert tend.end_round(lambda name: name == "A") == []


def test_an_address_that_answers_under_another_name_drops_the_old_node_and_looks_for_the_new_one_there():
    tend = cluster_of(A=1)
    (drop, dial) = tend.status("A", Status("X", 1, 1))
    assert (drop, dial) == (Drop("A", Reason.RENAMED), Dial("X", (at(1),)))
    assert isinstance(dial, Dial)
    assert tend.found(dial, at(1), Status("X", 1, 1))[0] == Add("X", at(1))


def test_a_node_that_fails_and_is_listed_elsewhere_is_dialled_there_and_replaced():
    tend = cluster_of(A=1, B=2)
    tend.status("A", Status("A", 2, 1))
    assert tend.fetched("A", peers=(2, peers(B=5))) == []
    assert tend.failed("B") == [Dial("B", (at(5),))]
    assert tend.found(Dial("B", (at(5),)), at(5), Status("B", 1, 1)) == [
        Drop("B", Reason.MOVED),
        Add("B", at(5)),
        Fetch("B", peers=True, partitions=True),
    ]


def test_a_node_that_fails_and_is_listed_where_it_is_known_is_asked_there_and_not_dialled():
    tend = cluster_of(A=1, B=2)
    assert tend.failed("B") == []
    assert tend.begin_round() == [Ask("A"), Ask("B")]


def test_a_node_reached_at_an_address_that_is_not_advertised_stays_there_while_it_answers():
    tend = TendState()
    tend.found(Dial(None, (("nat.example", 3000),)), ("nat.example", 3000), Status("A", 1, 1))
    tend.found(seed(2), at(2), Status("B", 1, 1))
    tend.fetched("A", peers=(1, peers(B=2)), partitions=(1, REPLICAS))
    assert tend.fetched("B", peers=(1, peers(A=1)), partitions=(1, REPLICAS)) == [Claims("B", 1, REPLICAS)]
    assert tend.end_round(owns_all) == []
    assert tend.address("A") == ("nat.example", 3000)


def test_answers_about_nodes_that_are_gone_are_ignored():
    tend = TendState()
    assert tend.status("A", Status("A", 1, 1)) == []
    assert tend.fetched("A", peers=(1, peers(B=2))) == []
    assert tend.failed("A") == []
    with pytest.raises(KeyError):
        tend.address("A")


def test_the_repr_tells_the_nodes_and_their_failures():
    tend = cluster_of(A=1, B=2)
    tend.failed("B")
    assert repr(tend) == "<TendState A at 10.0.0.1:3001, B at 10.0.0.1:3002 failed 1x>"
