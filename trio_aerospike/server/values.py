"""The stored form of a bin's value."""

from __future__ import annotations

Particle = tuple[int, bytes]
"""A bin's value as it is stored and sent: particle type and data."""
