"""Random operations on random maps, sent to the embedded and to a real server: answers and stored maps are the same.

AEROSPIKE_HOSTS names the real one (the first host is asked); without it the tests are skipped. MAP_OPERATIONS says how
many operations are tried, MAP_SEED where the random numbers begin. `random_maps` says what is left out because a real
server does not survive it.
"""

from __future__ import annotations

import os

import pytest

from tests.integration.real.histories import compare_histories
from tests.integration.real.random_maps import Generator
from tests.integration.real.test_server import REAL

OPERATIONS = int(os.environ.get("MAP_OPERATIONS", "2000"))
SEED = int(os.environ.get("MAP_SEED", "1"))

pytestmark = pytest.mark.skipif(not REAL, reason="AEROSPIKE_HOSTS names no real server to compare with")


async def test_random_operations_on_maps_are_answered_alike_and_leave_the_same_map() -> None:
    await compare_histories("maps-compared", lambda seed: Generator(seed).requests(40), OPERATIONS, SEED)
