"""How a moment is written, and read again: ``3:1200``, ``sample 2:17``, ``3:backward``, ``setup:end``, ``loss``.

Every place that takes a moment reads it here, every place that names one writes it here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MARKS = {
    "start": "its first event",
    "forward": "the end of the forward pass: the loss is there",
    "loss": "the operation that made the loss",
    "backward": "the end of the backward pass: every grad final, no weight updated yet",
    "optimizer": "the last update of a weight",
    "end": "its last event",
}
"""Names of events of an episode. Where there are several passes in a step, the last one is meant."""
GRAMMAR = {
    "3": "training step 3, at its first event",
    "3:1200": "event 1200 of training step 3; both count from 1",
    **{f"3:{mark}": meaning for mark, meaning in MARKS.items()},
    "sample 2:17": "event 17 of the second sample; the names above work here too",
    "setup:5": "event 5 of what runs before the first step",
    "other 1:5": "event 5 of the first part that runs between steps or samples",
    ":1200": "event 1200 of the episode under the cursor; also :loss, or loss",
    "start": "the first event of the episode under the cursor; without a cursor, of the run",
    "end": "the last one so far; without a cursor, of the run",
}
"""What can be written: an example and its meaning."""
SHORT = (
    "3 for training step 3, 3:1200 for its event 1200, 3:loss, 3:backward, 3:end, setup:5, 'sample 2:17', start or end"
)

_MOMENT = re.compile(
    r"(?:(?P<setup>setup)|(?P<kind>(?:training\s+)?step|sample|other)?\s*(?P<number>\d[\d,_]*))?\s*"
    r"(?::\s*(?P<event>\d[\d,_]*|[a-z]+))?"
)


class MomentError(ValueError):
    """No moment, or one that does not exist; the message says what does."""


@dataclass(frozen=True, slots=True)
class MomentName:
    """A moment as it is written. ``str`` writes it, ``parse`` reads it."""

    kind: str = ""
    """``setup``, ``step``, ``sample``, ``other``; empty for the episode under the cursor."""
    number: int = 0
    """Which step, sample or other part, from 1; 0 for the setup."""
    at: int | str = ""
    """An event from 1, one of ``MARKS``, or nothing: the episode itself, at its first event."""

    @property
    def title(self) -> str:
        """The episode in words: ``training step 3``."""
        return {"step": "training step", "setup": "the setup", "": "this episode"}.get(self.kind, self.kind) + (
            f" {self.number}" if self.number else ""
        )

    def __str__(self) -> str:
        place = {"step": str(self.number), "setup": "setup", "": ""}.get(self.kind, f"{self.kind} {self.number}")
        if not place and isinstance(self.at, str):
            return self.at
        return f"{place}:{self.at}" if self.at else place


def parse(text: str) -> MomentName:
    """Read a moment. Raises MomentError that says how one is written."""
    plain = text.strip().lower()
    if plain in MARKS:
        return MomentName(at=plain)
    found = _MOMENT.fullmatch(plain)
    if found is None or not plain or plain == ":":
        raise MomentError(f"“{text.strip()}” is no moment. Write {SHORT}.")
    kind, number = ("setup", 0) if found["setup"] else ("", 0)
    if found["number"]:
        kind, number = (
            (found["kind"] or "step").split()[-1],
            _from_one(found["number"], found["kind"] or "training step"),
        )
    at: int | str = found["event"] or ""
    if at and str(at)[0].isdigit():
        at = _from_one(str(at), "event")
    elif at and at not in MARKS:
        raise MomentError(f"“{text.strip()}” is no moment: “{at}” is no event's number and none of {', '.join(MARKS)}.")
    return MomentName(kind, number, at)


def _from_one(digits: str, what: str) -> int:
    number = int(re.sub("[,_]", "", digits))
    if number < 1:
        raise MomentError(f"no moment: there is no {what} {number}, they count from 1. Write {SHORT}.")
    return number
