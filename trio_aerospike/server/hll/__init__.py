"""HyperLogLog (HLL): operations on sketches, read and changed in the server's stored form."""

from __future__ import annotations

from .operations import modify as modify, read as read
