"""The hash of strings, against values that a real server told with the records that it found under them."""

from __future__ import annotations

import pytest

from trio_aerospike.server.wyhash import wyhash

TEXT = "ab\u00e9z" * 40
# Characters of TEXT are hashed; the server told the value as that of its index.
RECORDED = (
    (0, 0xDA3421757D70AE2D),
    (1, 0x4BF83415140679A0),
    (2, 0x67AB63D261577D4A),
    (3, 0xF52B5E15A37F45D8),
    (4, 0x6F4D42D7693CE859),
    (5, 0x3DDC0F7DC68CA1EE),
    (7, 0x31092E23D9BC5761),
    (8, 0x9D98621AC9C56BCC),
    (9, 0x67712D4DCEE4DC20),
    (12, 0x8E58068872C3CF88),
    (15, 0xF0AFB3F88F14BC47),
    (16, 0x6D5EAA6451E4BA23),
    (17, 0xD348BF19C2829891),
    (20, 0x290263E17E2418B4),
    (31, 0xE3AC58A0B01FD08B),
    (32, 0x26786D7DEBB06CE3),
    (33, 0x0E1BFC41EE2BAB81),
    (40, 0xDA76F1D4C7701972),
    (47, 0x4280D1215D451221),
    (48, 0xF28EF2A8BDF00601),
    (49, 0xE19CEE98A09AF3AD),
    (60, 0x362E21AAF5001B21),
    (80, 0x343224908F05C705),
    (96, 0x2ABFF06180E67234),
    (97, 0xD8F3776CB4DFEF3E),
    (100, 0x377983C15EE852AE),
    (144, 0xACA1A7B33289F903),
    (150, 0xEEE6C4AA367F2046),
)


@pytest.mark.parametrize(("length", "value"), RECORDED)
def test_strings_hash_as_on_a_real_server(length: int, value: int) -> None:
    assert wyhash(TEXT[:length].encode()) == value
