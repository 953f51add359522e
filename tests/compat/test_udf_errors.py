"""What goes wrong with functions is a UDFError, and a ClientError as well, as programs for aerospike-py expect."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

import aerospike_py as aerospike
from tests.compat.background import BackgroundCluster

pytest.importorskip("lupa")
KEY = ("test", "udf-errors", 1)


@pytest.mark.parametrize("kind", [aerospike.UDFError, aerospike.ClientError])
def test_a_function_that_fails_or_is_not_there(shared_cluster: BackgroundCluster, tmp_path: Path, kind: Any) -> None:
    module = tmp_path / "udferrors.lua"
    module.write_text("function fail(record)\n  error('no')\nend\n")
    wrong = tmp_path / "udfwrong.lua"
    wrong.write_text("function (\n")
    with aerospike.client({"hosts": shared_cluster.hosts}).connect() as client:
        client.udf_put(str(module))
        for name, function in (("udferrors", "fail"), ("udferrors", "missing"), ("missing", "fail")):
            with pytest.raises(kind) as caught:
                client.apply(KEY, name, function)
            assert (type(caught.value).__name__, caught.value.result_code) == ("UDFError", 100)
            assert caught.value.node is not None
        with pytest.raises(kind, match=r"udfwrong\.lua"):
            client.udf_put(str(wrong))
        client.udf_remove("udferrors")


def test_such_an_error_can_be_copied(shared_cluster: BackgroundCluster) -> None:
    with aerospike.client({"hosts": shared_cluster.hosts}).connect() as client:
        with pytest.raises(aerospike.UDFError) as caught:
            client.apply(KEY, "missing", "fail")
    twin = pickle.loads(pickle.dumps(caught.value))
    assert (type(twin), str(twin), twin.result_code) == (type(caught.value), str(caught.value), 100)
