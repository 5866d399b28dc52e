"""What is shown at every stop: expressions, and their course over the stops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from microgpt_tui.session.history import History
from microgpt_tui.session.moment import Moment
from microgpt_tui.trace.references import Value
from microgpt_tui.trace.watches import Expression

LONGEST = 200
"""Stops that are remembered."""
BARS = "▁▂▃▄▅▆▇█"
HISTORY = 8
"""Steps that a root cause looks back over."""
WIDEST = 16
"""Numbers of a list that are written out."""


class Displays:
    """The ``display`` expressions of a session: global, not per frame."""

    def __init__(self) -> None:
        self.expressions: list[Expression] = []
        self.past: dict[str, list[tuple[Moment, float]]] = {}

    def add(self, made: Expression) -> None:
        """Show one more; the same text once."""
        if all(e.text != made.text for e in self.expressions):
            self.expressions.append(made)

    def remove(self, text: str) -> None:
        """Show one no more; all of them without a text."""
        self.expressions = [e for e in self.expressions if text and e.text != text]

    def remember(self, text: str, moment: Moment, value: Value) -> list[float]:
        """Note a value at a stop; the course so far. Another look at the same moment is not another stop."""
        past = self.past.setdefault(text, [])
        if isinstance(value, int | float) and (not past or past[-1][0] != moment):
            past.append((moment, float(value)))
            del past[:-LONGEST]
        return [v for _, v in past]


@dataclass(slots=True)
class Displayed:
    """One ``display`` at this moment."""

    text: str
    value: Any
    past: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def line(self) -> str:
        """``loss = 3.27  ▁▂▃``"""
        if self.note:
            return f"{self.text}: {self.note}"
        return f"{self.text} = {strip(self.value)}" + (f"  {bars(self.past)}" if len(self.past) > 1 else "")


def displayed(displays: Displays, history: History, moment: Moment) -> list[Displayed]:
    """Every ``display`` with its value here and its course over the stops (or, of one parameter, over the steps)."""
    trace, event = history.traces.get(moment.episode), moment.event
    rows = []
    if trace is None or event < 0:
        return []
    for made in displays.expressions:
        try:
            value: Value = made.value(trace, event)
        except (LookupError, ArithmeticError, ValueError, TypeError) as error:
            rows.append(Displayed(made.text, None, note=str(error)))
            continue
        past = displays.remember(made.text, moment, value)
        nodes = made.nodes(trace.program)
        if nodes and len(made.references) == 1 and made.text == made.references[0].text:
            past = [*growth(history, nodes[0], 24), *([float(value)] if isinstance(value, float | int) else [])]
        rows.append(Displayed(made.text, value, past))
    return rows


def bars(values: Sequence[float], width: int = 24) -> str:
    """A sparkline of the last values."""
    values = list(values)[-width:]
    kept = [v for v in values if math.isfinite(v)]
    if not kept:
        return ""
    low, span = min(kept), (max(kept) - min(kept)) or 1.0
    return "".join(BARS[int((v - low) / span * 7)] if math.isfinite(v) else "!" for v in values)


def strip(value: Any) -> str:
    """A value in a line: numbers short, lists as a strip of bars with their numbers."""
    if isinstance(value, tuple | list):
        flat = [x for x in value if isinstance(x, int | float)]
        if len(flat) == len(value) and flat:
            numbers = " ".join(f"{x:+.4g}" for x in flat[:WIDEST]) + (" …" if len(flat) > WIDEST else "")
            return f"[{len(flat)}] {bars(flat, 48)}  {numbers}"
        return "[" + ", ".join(strip(v) for v in value[:WIDEST]) + (", …]" if len(value) > WIDEST else "]")
    return f"{value!r}"


def growth(history: History, node: int, steps: int = HISTORY) -> list[float]:
    """A parameter's number after each of the last steps."""
    program = history.program
    place = {n: i for i, n in enumerate(program.kept)}.get(node)
    if place is None:
        return []
    return [s.data[place] for s in history.steps[-steps:] if s.data is not None and place < len(s.data)]
