"""Time slices: let other tasks, and other threads of the program, run during long work.

A program that runs Trio in a thread beside an event loop sets with :func:`yield_thread_with` how that thread lets
others run. Nothing here sleeps.
"""

from __future__ import annotations

from ._fairness import Turn as TimeSlice, yield_thread_with as yield_thread_with

__all__ = ["TimeSlice", "yield_thread_with"]
