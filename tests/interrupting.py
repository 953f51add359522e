"""Raise KeyboardInterrupt at every place of a piece of code, once for each place, with a trace function."""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

import trio

_AWAITING = ("GET_AWAITABLE", "SEND", "YIELD_VALUE", "JUMP_BACKWARD_NO_INTERRUPT")


@functools.cache
def _uninterruptible(code: CodeType) -> frozenset[int]:
    """Offsets at which no signal handler is run: around the end of a ``with`` block, and while something is awaited."""
    instructions = list(dis.get_instructions(code))
    found = {one.offset for one in instructions if one.opname in _AWAITING or (one.opname == "RESUME" and one.arg)}
    for index in range(len(instructions) - 4):
        nones = instructions[index : index + 3]
        if all(one.opname == "LOAD_CONST" and one.argval is None for one in nones):
            for one in instructions[index : index + 6]:
                found.add(one.offset)
                if one.opname == "CALL":
                    break
    return frozenset(found)


class Interrupter:
    """Raises KeyboardInterrupt in the calling thread, at the n-th step inside of some modules.

    Args:
        at: which step, from 0.
        files: ends of the names of the files of which steps count.
        opcodes: whether each bytecode is a step, rather than each line.
        as_trio: count only steps where Trio's handler of SIGINT would raise it, rather than leave it to the main task.

    Attributes:
        place: where it was raised; None where the code took fewer steps.
    """

    def __init__(self, at: int, *files: str, opcodes: bool = True, as_trio: bool = False) -> None:
        self._left = at
        self._as_trio = as_trio
        self._files = files
        self._opcodes = opcodes
        self.place: str | None = None

    def __enter__(self) -> Interrupter:
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        if self.place is not None or not frame.f_code.co_filename.endswith(self._files):
            return None
        if self._opcodes:
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        steps = event == ("opcode" if self._opcodes else "line")
        if self._as_trio and trio.lowlevel.currently_ki_protected():
            return self._trace
        if steps and frame.f_lasti not in _uninterruptible(frame.f_code):
            if not self._left:
                self.place = f"{frame.f_code.co_name}, line {frame.f_lineno}"
                raise KeyboardInterrupt
            self._left -= 1
        return self._trace
