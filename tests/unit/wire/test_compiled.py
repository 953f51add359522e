"""The plain and the compiled form of the hot modules have the same numbers and functions."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import trio_aerospike
from tests.unit.wire.pipelined import Request
from trio_aerospike._wire import constants, object_slots, reading, writing
from trio_aerospike._wire.batch_answers import BatchAnswerReader, ColumnReader, Columns
from trio_aerospike._wire.batch_messages import encode_batch_end, encode_batch_row
from trio_aerospike._wire.cdt import pack_value, unpack_value
from trio_aerospike._wire.commands import encode_op
from trio_aerospike._wire.frames import FrameReader, encode_frame
from trio_aerospike._wire.messages import Message, Op, encode_message
from trio_aerospike._wire.particles import encode_value
from trio_aerospike._wire.pipeline import RequestPipeline
from trio_aerospike._wire.query_answers import AnswerDecoder, encode_query_end, encode_record, record_fields
from trio_aerospike._wire.records import decode_record
from trio_aerospike.errors import InvalidArgError, ProtocolError
from trio_aerospike.records import RECORD_MAKER, RESULT_MAKER

ROOT = Path(__file__).parents[3]
WIRE = ROOT / "trio_aerospike" / "_wire"
HOOK = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]
MODULES: list[str] = HOOK["custom"]["modules"]


def test_constants_have_the_same_values_in_both_forms() -> None:
    numbers = re.findall(r"^    (\w+) = (\w+)$", (WIRE / "constants.pxd").read_text(), re.MULTILINE)
    assert len(numbers) > 20
    assert {name: int(value, 0) for name, value in numbers} == {name: getattr(constants, name) for name, _ in numbers}


@pytest.mark.parametrize("module", [reading, object_slots, writing], ids=["reading", "object_slots", "writing"])
def test_functions_for_compiled_modules_exist_in_plain_form(module: object) -> None:
    name = str(getattr(module, "__name__", "")).rpartition(".")[2]
    text = (WIRE / f"{name}.pxd").read_text()
    inline = set(re.findall(r"^cdef inline [^\n]*?\b(\w+)\(", text, re.MULTILINE))
    public = {function for function in vars(module) if function.startswith(("unpack_", "put_", "repeated_", "scalar_"))}
    public |= {"new", "put", "place_of"} if module is object_slots else set()
    assert public and public <= inline


@pytest.mark.parametrize("module", MODULES)
def test_each_hot_module_has_its_types_beside_it(module: str) -> None:
    assert (WIRE / f"{module}.py").is_file()
    assert (WIRE / f"{module}.pxd").is_file()


@pytest.mark.parametrize("pure", ["", "0", "1"])
def test_the_environment_chooses_the_plain_form(pure: str) -> None:
    code = (
        "import importlib, sys, trio_aerospike\n"
        "modules = [importlib.import_module('trio_aerospike._wire.' + name) for name in sys.argv[1:]]\n"
        "print(trio_aerospike.__speedups__, {module.__file__.endswith('.py') for module in modules})"
    )
    environment = {"PATH": "", "TRIO_AEROSPIKE_PURE": pure}
    run = subprocess.run(
        [sys.executable, "-c", code, *MODULES], env=environment, capture_output=True, text=True, cwd=ROOT
    )
    compiled = pure != "1" and (WIRE / "_compiled").is_dir()
    assert run.stdout.strip() == f"{compiled} {{{not compiled}}}", run.stderr


def test_the_command_line_says_which_form_runs() -> None:
    run = subprocess.run([sys.executable, "-m", "trio_aerospike", "--version"], capture_output=True, text=True)
    form = "compiled" if trio_aerospike.__speedups__ else "plain Python"
    assert run.stdout == f"trio-aerospike {trio_aerospike.__version__} ({form})\n"


def decoders() -> dict[str, Callable[[], object]]:
    """One call of each hot function, and of its errors."""
    bins = {"i": 7, "s": "text", "f": 0.5, "n": [1, {"k": [b"b", None, True]}], "b": b"blob"}
    ops = [Op(1, *encode_value(value)[:1], name, encode_value(value)[1]) for name, value in bins.items()]
    message = encode_message(Message(ops=tuple(ops)))
    rows = b"".join(encode_batch_row(index, 0, 1, 0, ops) for index in range(5)) + encode_batch_end()
    fields = record_fields("test", "users")
    encoded = b"".join(encode_op(1, op.name, bins[op.name]) for op in ops)
    found = encode_record(fields, bytes(20), b"\x03key", 5, 1, 0, encoded, len(ops)) + encode_query_end()
    frame = encode_frame(constants.PROTO_MESSAGE, message)
    results: list[object] = [None] * 5

    def read_batch() -> None:
        BatchAnswerReader(range(5), results, RESULT_MAKER, RECORD_MAKER).read(rows, lambda row: None)
        ColumnReader(Columns(5), results, 1, lambda row: None).read(rows)

    def fail() -> None:
        for cut in range(1, len(message), 7):
            with pytest.raises(ProtocolError):
                decode_record(message[:-cut])
        with pytest.raises(InvalidArgError):
            pack_value([object()])

    def pipe() -> None:
        pipeline: RequestPipeline[Request] = RequestPipeline("A1")
        pipeline.submit(Request(1))
        pipeline.bytes_sent(len(pipeline.data_to_send(0.0)))
        pipeline.receive_data(frame)

    return {
        "a record": lambda: decode_record(message),
        "a batch": read_batch,
        "a query": lambda: AnswerDecoder(RECORD_MAKER, lambda *made: made).decode(found, 0, 10),
        "lists and maps": lambda: unpack_value(pack_value(bins)),
        "requests": lambda: [encode_op(2, name, value) for name, value in bins.items()],
        "frames": lambda: FrameReader().feed(frame * 3),
        "the pipeline": pipe,
        "errors": fail,
    }


@pytest.mark.parametrize("kind", decoders())
def test_nothing_is_left_behind(kind: str) -> None:
    call = decoders()[kind]
    blocks = []
    for _ in range(4):
        for _ in range(200):
            call()
        gc.collect()
        blocks.append(sys.getallocatedblocks())
    assert min(blocks[1:]) - blocks[0] < 100
