"""Layers: runs of units that come again and again are drawn once."""

from __future__ import annotations

import re
from dataclasses import dataclass

from microgpt_tui.graph.model.units import Unit, pattern

LONGEST = 400
"""Units in one layer."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """Units ``start`` .. ``start + length - 1`` come ``times`` times in a row."""

    start: int
    length: int
    times: int

    @property
    def end(self) -> int:
        """One past the last unit of all of them."""
        return self.start + self.length * self.times


def folded_repeats(units: list[Unit]) -> list[Repeat]:
    """Repetitions that do not overlap, the one that saves most first."""
    numbers: dict[object, int] = {}
    marks = [numbers.setdefault(_signature(units, i), len(numbers)) for i in range(len(units))]
    found: list[Repeat] = []
    spans = [(0, len(units))]
    while spans:
        low, high = spans.pop()
        best = _best(units, marks, low, high)
        if best is not None:
            found.append(best)
            spans += [(low, best.start), (best.end, high)]
    return sorted(found, key=lambda r: r.start)


def _signature(units: list[Unit], place: int) -> object:
    unit = units[place]
    matrices = tuple((pattern(m.name), m.shape) for m in unit.matrices)
    inputs = tuple(place - i if units[i].kind not in ("parameters", "input") else 0 for i in unit.inputs)
    return unit.kind, unit.title, matrices, inputs, unit.copies


def _best(units: list[Unit], marks: list[int], low: int, high: int) -> Repeat | None:
    best: tuple[tuple[int, int, int, int], Repeat] | None = None
    for length in range(1, min(LONGEST, (high - low) // 2) + 1):
        run = 0
        for i in range(low, high - length):
            run = run + 1 if marks[i] == marks[i + length] else 0
            if run < length:
                continue
            times = run // length + 1
            start = i + length - times * length + 1
            if not any(units[k].matrices for k in range(start, start + length)):
                continue
            whole = int(_is_one_layer(units, start, length)) + int(units[start - 1].kind == "add" if start else 0)
            rank = (length * (times - 1), -length, whole, -start)
            if best is None or rank > best[0]:
                best = rank, Repeat(start, length, times)
    return best[1] if best is not None else None


def _is_one_layer(units: list[Unit], start: int, length: int) -> bool:
    """True when the names of its matrices have their first number in common."""
    firsts = {
        found[0]
        for unit in units[start : start + length]
        for m in unit.matrices
        if (found := re.search(r"\d+", m.name)) is not None
    }
    return len(firsts) <= 1
