"""Raise KeyboardInterrupt at every place of a piece of code, once for each place, with a trace function."""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any


@functools.cache
def _ends_of_with(code: CodeType) -> frozenset[int]:
    """Offsets between the end of a ``with`` block and the call of ``__exit__``: no signal handler is run there."""
    found: set[int] = set()
    instructions = list(dis.get_instructions(code))
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

    Attributes:
        place: where it was raised; None where the code took fewer steps.
    """

    def __init__(self, at: int, *files: str, opcodes: bool = True) -> None:
        self._left = at
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
        if steps and frame.f_lasti not in _ends_of_with(frame.f_code):
            if not self._left:
                self.place = f"{frame.f_code.co_name}, line {frame.f_lineno}"
                raise KeyboardInterrupt
            self._left -= 1
        return self._trace
