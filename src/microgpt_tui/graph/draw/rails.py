"""A graph as rails beside rows of text, as version control draws its history: one row for each box, inputs above.

A plain ``┼`` is a crossing; where a rail is joined in passing there is a heavy ``╋``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

NODE, JOINED = "●", "╋"


@dataclass(slots=True)
class Rail:
    """What stands before one row."""

    above: str
    """The rails that pass between the row before and this one."""
    row: str
    column: int
    """Where the box's own sign is in ``row``."""


@dataclass(slots=True)
class _Lanes:
    """Which box's result each lane carries down; None where it is free."""

    carried: list[int | None] = field(default_factory=list)
    above: int = -1
    """The lane of the box in the row before."""

    def free(self) -> int:
        """A lane for something new; not right below a box, which would seem to lead there."""
        for lane, held in enumerate(self.carried):
            if held is None and lane != self.above:
                return lane
        self.carried.append(None)
        return len(self.carried) - 1


def rails(inputs: Sequence[Sequence[int]], signs: Sequence[str] | None = None) -> list[Rail]:
    """The rails of boxes in the order of the computation; ``inputs[i]`` are numbers of boxes before ``i``."""
    last = dict.fromkeys(range(len(inputs)), -1)
    for user, sources in enumerate(inputs):
        for source in sources:
            last[source] = max(last[source], user)
    lanes = _Lanes()
    found = []
    for place, sources in enumerate(inputs):
        above = "".join("│ " if held is not None else "  " for held in lanes.carried)
        used = [lanes.carried.index(s) for s in dict.fromkeys(sources) if s in lanes.carried]
        ended = [lane for lane in used if last[lanes.carried[lane] or 0] == place]
        column = min(ended) if ended else lanes.free()
        sign = signs[place] if signs else NODE
        found.append(Rail(above.rstrip(), _row(lanes.carried, used, ended, column, sign), 2 * column))
        for lane in ended:
            lanes.carried[lane] = None
        lanes.above = column
        lanes.carried[column] = place if last[place] > place else None
    return found


def _row(carried: list[int | None], used: list[int], ended: list[int], column: int, sign: str) -> str:
    left, right = min([*used, column]), max([*used, column])
    text = ""
    for lane, held in enumerate(carried):
        inside = left < lane < right
        if lane == column:
            text += sign
        elif lane in used:
            text += _joined(inside, lane < column, lane in ended)
        elif held is not None:
            text += "┼" if inside else "│"
        else:
            text += "─" if inside else " "
        text += "─" if left <= lane < right else " "
    return text.rstrip()


def _joined(inside: bool, before: bool, ends: bool) -> str:
    if inside:
        return "┴" if ends else JOINED
    if before:
        return "╰" if ends else "├"
    return "╯" if ends else "┤"
