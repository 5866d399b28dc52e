"""A point in time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: an episode and the last event that has happened in it."""

    episode: int
    event: int
