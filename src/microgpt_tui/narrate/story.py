"""A story: what happened at an event, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Story:
    """Two short paragraphs about one event, with its numbers."""

    what: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.why}".rstrip()
